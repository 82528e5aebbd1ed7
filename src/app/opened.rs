//! A payload made ready for the screen: laid out once, off the screen's thread.

use super::outline::Document;
use crate::insight::{Form, lay_out, size};
use crate::model::{Body, Payload, Side};
use serde_json::Value;
use std::sync::Arc;

/// The parts of a payload that are shown as trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Request headers and body.
    Request,
    /// Response headers and body.
    Response,
    /// Metadata, and the records as their stores hold them.
    Raw,
}

/// A payload with its documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The payload.
    pub payload: Payload,
    request: Vec<Document>,
    response: Vec<Document>,
    raw: Vec<Document>,
}

impl Opened {
    /// Reads every body once.
    pub fn new(payload: Payload) -> Self {
        let request = side(&payload.request, "req");
        let response = side(&payload.response, "res");
        let mut raw = Vec::new();
        if !payload.metadata.is_empty() {
            raw.push(json("meta", "metadata", &Value::Object(payload.metadata.clone())));
        }
        raw.extend(payload.raw.iter().map(|record| Document {
            path: "raw".to_owned(),
            title: record.place.clone(),
            about: size(record.text.len() as u64),
            text: record.text.as_str().into(),
            is_json: is_container(&record.text),
            has_paths: false,
        }));
        Self { payload, request, response, raw }
    }

    /// The documents of a part.
    pub fn documents(&self, part: Part) -> &[Document] {
        match part {
            Part::Request => &self.request,
            Part::Response => &self.response,
            Part::Raw => &self.raw,
        }
    }

    /// The body's document of a part, where it is one that jq can read.
    pub fn body(&self, part: Part) -> Option<&Document> {
        self.documents(part).iter().find(|document| document.title == "body")
    }
}

fn is_container(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}

fn json(path: &str, title: &str, value: &Value) -> Document {
    Document {
        path: path.to_owned(),
        title: title.to_owned(),
        about: String::new(),
        text: value.to_string().into(),
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
    let laid = lay_out(body, content_type);
    let said = content_type.filter(|sort| laid.form != Form::Json || !sort.contains("json"));
    let mut about = format!("{} {}", size(body.bytes as u64), laid.form.describe());
    if let Some(sort) = said {
        about.push_str(&format!(", sent as {sort}"));
    }
    if let Some(cut) = &body.truncation {
        about.push_str(&missing(body.bytes as u64, cut.original_bytes));
        if let Some(reference) = &cut.reference {
            about.push_str(&format!("; the whole is at {reference}"));
        }
    }
    let is_json = laid.form != Form::Text;
    let text = match laid.text {
        std::borrow::Cow::Borrowed(_) => body.shared_text(),
        std::borrow::Cow::Owned(text) => Arc::from(text),
    };
    let has_paths = laid.form == Form::Json;
    Document { path: format!("{prefix}.body"), title: "body".to_owned(), about, text, is_json, has_paths }
}

/// How much of a body its record does not hold.
fn missing(kept: u64, original: u64) -> String {
    if original > kept {
        format!(", cut when it was recorded: {} of {} missing", size(original - kept), size(original))
    } else {
        ", cut when it was recorded".to_owned()
    }
}
