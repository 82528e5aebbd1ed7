//! A payload prepared for the screen: laid out once, off the screen's thread.

use crosstail_core::model::{Body, Payload, RawRecord, Side};
use crosstail_engine::insight::{BodyFormat, format_body, is_json_container, size};
use crosstail_engine::outline::Document;
use serde_json::Value;
use std::sync::Arc;

/// The sections of a payload that are shown as trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadSection {
    /// Request headers and body.
    Request,
    /// Response headers and body.
    Response,
    /// Metadata, and the records as their stores hold them.
    Raw,
}

/// A payload with the documents that its trees show.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedPayload {
    pub payload: Payload,
    request: Vec<Document>,
    response: Vec<Document>,
}

impl PreparedPayload {
    /// Lays out every body once.
    pub fn new(payload: Payload) -> Self {
        let request = side(&payload.request, "req");
        let response = side(&payload.response, "res");
        Self { payload, request, response }
    }

    /// The documents of a section.
    pub fn documents(&self, part: PayloadSection) -> Vec<Document> {
        match part {
            PayloadSection::Request => self.request.clone(),
            PayloadSection::Response => self.response.clone(),
            PayloadSection::Raw => self.metadata().into_iter().chain(self.payload.raw.iter().map(record)).collect(),
        }
    }

    /// Whether a section has nothing to show.
    pub fn is_empty(&self, part: PayloadSection) -> bool {
        match part {
            PayloadSection::Request => self.request.is_empty(),
            PayloadSection::Response => self.response.is_empty(),
            PayloadSection::Raw => self.payload.metadata.is_empty() && self.payload.raw.is_empty(),
        }
    }

    /// The metadata, if any.
    pub fn metadata(&self) -> Option<Document> {
        let metadata = &self.payload.metadata;
        (!metadata.is_empty()).then(|| json("meta", "metadata", &Value::Object(metadata.clone())))
    }

    /// The document of a section's body; raw records have none.
    pub fn body(&self, part: PayloadSection) -> Option<&Document> {
        let documents = match part {
            PayloadSection::Request => &self.request,
            PayloadSection::Response => &self.response,
            PayloadSection::Raw => return None,
        };
        documents.iter().find(|document| document.title == "body")
    }
}

fn record(record: &RawRecord) -> Document {
    let text = record.text();
    Document {
        path: "raw".to_owned(),
        title: record.place.clone(),
        about: size(text.len() as u64),
        text: Arc::new(text.to_string()),
        is_json: is_json_container(text),
        has_paths: false,
    }
}

fn json(path: &str, title: &str, value: &Value) -> Document {
    Document {
        path: path.to_owned(),
        title: title.to_owned(),
        about: String::new(),
        text: Arc::new(value.to_string()),
        is_json: true,
        has_paths: true,
    }
}

fn side(side: &Side, prefix: &str) -> Vec<Document> {
    let mut documents = Vec::new();
    if let Some(body) = &side.body {
        let content_type = side.headers.as_ref().and_then(|headers| header(headers, "content-type"));
        documents.push(document(body, content_type.as_deref(), prefix));
    }
    if let Some(headers) = &side.headers {
        documents.push(json(&format!("{prefix}.header"), "headers", headers));
    }
    documents
}

/// The value of a header, whatever the case of its name.
fn header(headers: &Value, name: &str) -> Option<String> {
    let found = headers.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.and_then(|(_, value)| value.as_str()).map(str::to_owned)
}

fn document(body: &Body, content_type: Option<&str>, prefix: &str) -> Document {
    let laid = format_body(body, content_type);
    let said = content_type.filter(|sort| laid.form != BodyFormat::Json || !sort.contains("json"));
    let bytes = body.truncation.as_ref().map_or(body.bytes as u64, |cut| cut.stored_bytes);
    let mut about = format!("{} {}", size(bytes), laid.form.describe());
    if let Some(sort) = said {
        about.push_str(&format!(", sent as {sort}"));
    }
    let is_json = laid.form != BodyFormat::Text;
    let text = match laid.text {
        std::borrow::Cow::Borrowed(_) => body.shared_text(),
        std::borrow::Cow::Owned(text) => Arc::new(text),
    };
    let has_paths = laid.form == BodyFormat::Json;
    Document { path: format!("{prefix}.body"), title: "body".to_owned(), about, text, is_json, has_paths }
}

/// How much of a truncated body is missing, and where the full body is.
pub fn missing(body: &Body) -> Option<String> {
    let cut = body.truncation.as_ref()?;
    let gone = size(cut.original_bytes.saturating_sub(cut.stored_bytes));
    let whole = cut.reference.as_ref().map(|place| format!("; full body at {place}")).unwrap_or_default();
    Some(format!("truncated when recorded: {gone} of {} missing{whole}", size(cut.original_bytes)))
}
