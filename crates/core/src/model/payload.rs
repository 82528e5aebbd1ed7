//! What is loaded when an activity is opened: headers, bodies, error, metadata, raw records.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

/// A body that was cut when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truncation {
    /// Size before the cut.
    pub original_bytes: u64,
    /// Size of what was kept.
    pub stored_bytes: u64,
    /// Where the whole is kept, when it is.
    pub reference: Option<String>,
}

/// A request's or a response's body. Text is parsed only when its value is asked for: of a body of 20 MB a screen shows
/// a page.
#[derive(Debug, Clone)]
pub struct Body {
    text: Arc<String>,
    value: OnceLock<Value>,
    /// Size in bytes as recorded.
    pub bytes: usize,
    /// Set when the record holds only a part.
    pub truncation: Option<Truncation>,
}

/// The key of the object that [`Truncation`] is read from.
const TRUNCATED: &str = "_truncated";

impl Body {
    /// A recorded body: JSON where it parses as such, else text.
    pub fn from_text(text: impl Into<String>) -> Self {
        let text = text.into();
        let marked = memchr::memmem::find(text.as_bytes(), TRUNCATED.as_bytes()).is_some();
        let body = Self { bytes: text.len(), text: Arc::new(text), value: OnceLock::new(), truncation: None };
        Self { truncation: if marked { Self::mark(body.value()) } else { None }, ..body }
    }

    /// A body already parsed. Recognises the marker that `record` leaves when it truncates.
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

    /// JSON where it parses as such, else a JSON string of the text.
    pub fn value(&self) -> &Value {
        self.value.get_or_init(|| {
            serde_json::from_str(&self.text).unwrap_or_else(|_| Value::String(String::clone(&self.text)))
        })
    }

    /// The text: as recorded, or the JSON of a value that its store held parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same, shared.
    pub fn shared_text(&self) -> Arc<String> {
        Arc::clone(&self.text)
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.truncation == other.truncation && self.value() == other.value()
    }
}

/// One side of an exchange.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Side {
    /// Header name → value.
    pub headers: Option<Value>,
    /// The body.
    pub body: Option<Body>,
}

/// The error as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorDetail {
    /// Class or code.
    pub kind: Option<String>,
    /// Text.
    pub message: Option<String>,
    /// Stack trace, one frame a line.
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

    /// The part of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, part)| *part)
    }

    /// For people.
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

/// A record exactly as its store holds it: a line, or a row or document as JSON.
#[derive(Debug, Clone)]
pub struct RawRecord {
    /// Name of the place.
    pub place: String,
    fields: Map<String, Value>,
    text: OnceLock<Arc<str>>,
}

impl RawRecord {
    /// A record that is text.
    pub fn new(place: String, text: &str) -> Self {
        Self { place, fields: Map::new(), text: OnceLock::from(Arc::from(text)) }
    }

    /// A record that has fields; its text is made when it is asked for.
    pub const fn of_fields(place: String, fields: Map<String, Value>) -> Self {
        Self { place, fields, text: OnceLock::new() }
    }

    /// Its text.
    pub fn text(&self) -> &Arc<str> {
        self.text.get_or_init(|| serde_json::to_string(&self.fields).unwrap_or_default().into())
    }
}

impl PartialEq for RawRecord {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place && self.text() == other.text()
    }
}

/// The whole of one activity's recorded data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Payload {
    /// What was sent.
    pub request: Side,
    /// What came back.
    pub response: Side,
    /// What went wrong.
    pub error: ErrorDetail,
    /// Everything recorded that no other field holds.
    pub metadata: Map<String, Value>,
    /// The records behind it.
    pub raw: Vec<RawRecord>,
    /// The parts that its records have a place for, filled or not.
    pub holds: BTreeSet<PayloadPart>,
}

impl Payload {
    /// Why a part is not there, for people: nothing was recorded, or there is no place for it.
    pub fn why_absent(&self, part: PayloadPart) -> String {
        let what = part.describe();
        if self.holds.contains(&part) {
            format!("no {what} recorded")
        } else {
            format!("no {what}: its store keeps none")
        }
    }

    /// Adds what another place's record holds: present values stay, missing ones are filled.
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
