//! What is loaded when an activity is opened: headers, bodies, error, metadata, raw records.

use serde_json::{Map, Value};

/// A body that was cut when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truncation {
    /// Size before the cut.
    pub original_bytes: u64,
    /// Where the whole is kept, when it is.
    pub reference: Option<String>,
}

/// A request's or a response's body.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// JSON where it parses as such, else a JSON string of the text.
    pub value: Value,
    /// Size in bytes as recorded.
    pub bytes: usize,
    /// Set when the record holds only a part.
    pub truncation: Option<Truncation>,
}

impl Body {
    /// Reads a recorded body: JSON objects and arrays are parsed, everything else is text.
    pub fn from_text(text: &str) -> Self {
        let value = match serde_json::from_str::<Value>(text) {
            Ok(value) => value,
            Err(_) => Value::String(text.to_owned()),
        };
        Self::from_value(value, text.len())
    }

    /// A body already parsed. Recognises the marker that `record` leaves when it truncates.
    pub fn from_value(value: Value, bytes: usize) -> Self {
        let truncation = value.get("_truncated").and_then(Value::as_object).map(|mark| Truncation {
            original_bytes: mark.get("original_bytes").and_then(Value::as_u64).unwrap_or(0),
            reference: mark.get("reference").and_then(Value::as_str).map(str::to_owned),
        });
        Self { value, bytes, truncation }
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

/// A record exactly as its store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// Name of the place.
    pub place: String,
    /// The line, or the row as JSON.
    pub text: String,
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
}

impl Payload {
    /// Adds what another place's record holds: present values stay, missing ones are filled.
    pub fn absorb(&mut self, other: Self) {
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
        for record in other.raw {
            if !self.raw.contains(&record) {
                self.raw.push(record);
            }
        }
    }
}
