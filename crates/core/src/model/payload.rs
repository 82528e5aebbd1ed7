//! The payload, which is loaded when an activity is opened: headers, bodies, error, metadata, raw records.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

/// Describes a body that was truncated when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truncation {
    /// Size of the full body, in bytes.
    pub original_bytes: u64,
    /// Size of the stored part, in bytes.
    pub stored_bytes: u64,
    /// Where the full body is stored, if anywhere.
    pub reference: Option<String>,
}

/// The body of a request or a response. Text is parsed only when somebody asks for its value: a screen shows one page
/// of a body of 20 MB.
#[derive(Debug, Clone)]
pub struct Body {
    text: Arc<String>,
    value: OnceLock<Value>,
    /// Size in bytes as recorded.
    pub bytes: usize,
    /// Present where the record holds only part of the body.
    pub truncation: Option<Truncation>,
}

/// The key of the JSON object from which [`Truncation`] is read.
const TRUNCATED: &str = "_truncated";

impl Body {
    /// A body from recorded text: JSON where it parses as JSON, else plain text.
    pub fn from_text(text: impl Into<String>) -> Self {
        let text = text.into();
        let marked = memchr::memmem::find(text.as_bytes(), TRUNCATED.as_bytes()).is_some();
        let body = Self { bytes: text.len(), text: Arc::new(text), value: OnceLock::new(), truncation: None };
        Self { truncation: if marked { Self::mark(body.value()) } else { None }, ..body }
    }

    /// A body from a parsed value. Recognises the marker that `record` leaves in a truncated body.
    pub fn from_value(value: Value) -> Self {
        let truncation = Self::mark(&value);
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self { bytes: text.len(), text: Arc::new(text), value: OnceLock::from(value), truncation }
    }

    fn mark(value: &Value) -> Option<Truncation> {
        value.get(TRUNCATED).and_then(Value::as_object).map(|mark| Truncation {
            original_bytes: mark.get("original_bytes").and_then(Value::as_u64).unwrap_or(0),
            stored_bytes: mark.get("stored_bytes").and_then(Value::as_u64).unwrap_or(0),
            reference: mark.get("reference").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// The parsed JSON, or a JSON string of the text where it is not JSON.
    pub fn value(&self) -> &Value {
        self.value.get_or_init(|| {
            serde_json::from_str(&self.text).unwrap_or_else(|_| Value::String(String::clone(&self.text)))
        })
    }

    /// The text as recorded, or the JSON text of a value that the store returned parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Like [`Self::text`], shared.
    pub fn shared_text(&self) -> Arc<String> {
        Arc::clone(&self.text)
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.truncation == other.truncation && self.value() == other.value()
    }
}

/// One side of an exchange: the request or the response.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Side {
    /// JSON object from header name to value.
    pub headers: Option<Value>,
    /// `None` where no body was recorded.
    pub body: Option<Body>,
}

/// The error as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorDetail {
    /// Error class or code.
    pub kind: Option<String>,
    /// Error text.
    pub message: Option<String>,
    /// Stack trace, one frame per line.
    pub stack: Option<String>,
}

/// A part of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PayloadPart {
    /// Request headers.
    RequestHeaders,
    /// Request body.
    RequestBody,
    /// Response headers.
    ResponseHeaders,
    /// Response body.
    ResponseBody,
    /// Error stack.
    Stack,
    /// An object whose fields are metadata.
    Metadata,
}

impl PayloadPart {
    /// Every part with its name in the `[payload]` of schema files.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("request_headers", Self::RequestHeaders),
        ("request_body", Self::RequestBody),
        ("response_headers", Self::ResponseHeaders),
        ("response_body", Self::ResponseBody),
        ("stack", Self::Stack),
        ("metadata", Self::Metadata),
    ];

    /// The part with a name in schema files.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, part)| *part)
    }

    /// Name for people.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::RequestHeaders => "request headers",
            Self::RequestBody => "request body",
            Self::ResponseHeaders => "response headers",
            Self::ResponseBody => "response body",
            Self::Stack => "error stack",
            Self::Metadata => "metadata",
        }
    }
}

/// A record as its store holds it: a line, or a row or document as JSON.
#[derive(Debug, Clone)]
pub struct RawRecord {
    /// Name of the place that holds it.
    pub place: String,
    fields: Map<String, Value>,
    text: OnceLock<Arc<str>>,
}

impl RawRecord {
    /// A record that is text.
    pub fn new(place: String, text: &str) -> Self {
        Self { place, fields: Map::new(), text: OnceLock::from(Arc::from(text)) }
    }

    /// A record from its fields; its text is built on demand.
    pub const fn of_fields(place: String, fields: Map<String, Value>) -> Self {
        Self { place, fields, text: OnceLock::new() }
    }

    /// The text of the record; of fields their JSON.
    pub fn text(&self) -> &Arc<str> {
        self.text.get_or_init(|| serde_json::to_string(&self.fields).unwrap_or_default().into())
    }
}

impl PartialEq for RawRecord {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place && self.text() == other.text()
    }
}

/// All recorded data of one activity.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Payload {
    /// The request.
    pub request: Side,
    /// The response.
    pub response: Side,
    /// The error; empty where none was recorded.
    pub error: ErrorDetail,
    /// Everything recorded that no other field holds.
    pub metadata: Map<String, Value>,
    /// The records from which it was read.
    pub raw: Vec<RawRecord>,
    /// The parts for which the records have a field, filled or not.
    pub holds: BTreeSet<PayloadPart>,
}

impl Payload {
    /// Why a part is absent, for people: nothing was recorded, or the store has no field for it.
    pub fn why_absent(&self, part: PayloadPart) -> String {
        let what = part.describe();
        if self.holds.contains(&part) {
            format!("no {what} recorded")
        } else {
            format!("no {what}: its store keeps none")
        }
    }

    /// Adds the data of another place's record: present values stay, missing ones are filled in.
    pub fn merge(&mut self, other: Self) {
        fn fill<T>(mine: &mut Option<T>, other: Option<T>) {
            if mine.is_none() {
                *mine = other;
            }
        }
        fill(&mut self.request.headers, other.request.headers);
        fill(&mut self.request.body, other.request.body);
        fill(&mut self.response.headers, other.response.headers);
        fill(&mut self.response.body, other.response.body);
        fill(&mut self.error.kind, other.error.kind);
        fill(&mut self.error.message, other.error.message);
        fill(&mut self.error.stack, other.error.stack);
        for (key, value) in other.metadata {
            self.metadata.entry(key).or_insert(value);
        }
        self.holds.extend(other.holds);
        for record in other.raw {
            if !self.raw.contains(&record) {
                self.raw.push(record);
            }
        }
    }
}
