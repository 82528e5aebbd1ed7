//! Divides a record into the parts of a payload.

use super::{Schema, lookup, stack};
use crate::model::{Body, Payload, PayloadPart};
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

impl Schema {
    /// Parses a record of JSON text for [`Self::divide`]. Bodies that are objects or arrays stay text, so that nothing
    /// large is built before somebody opens it. An error where the text is not one JSON object.
    pub fn record(&self, text: &str) -> Result<Map<String, Value>, serde_json::Error> {
        let is_body = |name: &String| {
            matches!(PayloadPart::parse(name), Some(PayloadPart::RequestBody | PayloadPart::ResponseBody))
        };
        let payload = &self.definition().payload;
        let bodies: Vec<&str> = payload
            .iter()
            .filter(|(name, _)| is_body(name))
            .flat_map(|(_, paths)| paths.list().iter().map(String::as_str))
            .collect();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let record = deserializer.deserialize_map(Record { bodies: &bodies })?;
        deserializer.end()?;
        Ok(record)
    }

    /// Divides a record into the parts of a payload; what belongs to no part is metadata.
    pub fn divide(&self, mut record: Map<String, Value>) -> Payload {
        let definition = self.definition();
        let mut payload = Payload::default();
        // Metadata is what no other part takes, so it comes last.
        let (last, first): (Vec<_>, Vec<_>) =
            definition.payload.iter().partition(|(name, _)| name.as_str() == "metadata");
        for (name, paths) in first.into_iter().chain(last) {
            let Some(part) = PayloadPart::parse(name) else { continue };
            payload.holds.insert(part);
            if part == PayloadPart::Stack {
                payload.error.stack = self.take_stack(&mut record, paths.list());
                continue;
            }
            let found = paths.list().iter().find_map(|path| Some((path, take(&mut record, path)?)));
            let Some((path, value)) = found else { continue };
            match part {
                PayloadPart::RequestHeaders => payload.request.headers = Some(value),
                PayloadPart::ResponseHeaders => payload.response.headers = Some(value),
                PayloadPart::RequestBody => payload.request.body = Some(body(value)),
                PayloadPart::ResponseBody => payload.response.body = Some(body(value)),
                PayloadPart::Stack | PayloadPart::Metadata => match value {
                    Value::Object(map) => payload.metadata.extend(map),
                    other => {
                        payload.metadata.insert(path.clone(), other);
                    }
                },
            }
        }
        for (name, paths) in &definition.fields {
            for path in paths.list() {
                let taken = match name.as_str() {
                    "error" => &mut payload.error.message,
                    "error_type" => &mut payload.error.kind,
                    _ => {
                        record.shift_remove(path.as_str());
                        continue;
                    }
                };
                if taken.is_none() {
                    *taken = lookup(&record, path).and_then(Value::as_str).map(str::to_owned);
                }
                record.shift_remove(path.as_str());
            }
        }
        payload.metadata.extend(record);
        payload
    }

    /// The stack at the first of these paths that has one. What is more than its text stays in the record.
    fn take_stack(&self, record: &mut Map<String, Value>, paths: &[String]) -> Option<String> {
        // The text of a message or an error is a stack only where it has lines.
        let texts: Vec<&[String]> =
            ["error", "message"].iter().filter_map(|name| Some(self.definition().fields.get(*name)?.list())).collect();
        let (path, text) = paths.iter().find_map(|path| {
            let value = lookup(record, path)?;
            let text = stack::text_of(value)?;
            let last = path.rsplit_once('.').map_or(path.as_str(), |(_, last)| last);
            let is_told = |known: &String| known == path || known == last;
            let has_lines = text.trim_end().contains('\n') && !value.get(0).is_some_and(Value::is_string);
            let is_stack = has_lines || !texts.iter().any(|paths| paths.iter().any(is_told));
            is_stack.then_some((path, text))
        })?;
        if record.get(path).is_some_and(|value| !value.is_object()) {
            record.shift_remove(path);
        }
        Some(text)
    }
}

/// Deserialises an object whose bodies stay text.
struct Record<'a> {
    bodies: &'a [&'a str],
}

impl<'de> Visitor<'de> for Record<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = if self.bodies.contains(&key.as_str()) {
                let raw = access.next_value::<&RawValue>()?.get();
                if raw.starts_with(['{', '[']) {
                    Value::String(raw.to_owned())
                } else {
                    serde_json::from_str(raw).map_err(serde::de::Error::custom)?
                }
            } else {
                access.next_value()?
            };
            map.insert(key, value);
        }
        Ok(map)
    }
}

/// The value at a path: removed from the record where the path is one of its keys, a copy where it is deeper.
fn take(record: &mut Map<String, Value>, path: &str) -> Option<Value> {
    record.shift_remove(path).or_else(|| lookup(record, path).cloned())
}

fn body(value: Value) -> Body {
    match value {
        Value::String(text) => Body::from_text(text),
        other => Body::from_value(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_has_no_place_for_is_told_from_what_was_not_recorded() {
        let divided = |name: &str| {
            let schema = Schema::built_in().into_iter().find(|schema| schema.name == name).expect(name);
            schema.divide(schema.record("{}").expect("a record"))
        };
        let (whole, logs) = (divided("crosstail"), divided("log-tracking"));
        assert_eq!(whole.why_absent(PayloadPart::RequestBody), "no request body recorded");
        assert_eq!(logs.why_absent(PayloadPart::RequestBody), "no request body: its store keeps none");
        let mut both = logs.clone();
        both.merge(whole);
        assert_eq!(both.why_absent(PayloadPart::ResponseHeaders), "no response headers recorded");
    }

    #[test]
    fn a_stack_may_be_a_list_of_its_lines() {
        let schema = Schema::find("json").expect("it");
        let stack = |text: &str| schema.divide(schema.record(text).expect("a record")).error.stack;
        assert_eq!(stack(r#"{"stack": ["Error: no", "    at a"]}"#).as_deref(), Some("Error: no\n    at a"));
        assert_eq!(stack(r#"{"stack": "Error: no"}"#).as_deref(), Some("Error: no"));
        assert_eq!(stack(r#"{"stack": [1]}"#), None);
        assert_eq!(stack(r#"{"exception": "Traceback\n  a\nE: no"}"#).as_deref(), Some("Traceback\n  a\nE: no"));
        assert_eq!(stack(r#"{"exception": "no route"}"#), None);
        assert_eq!(
            stack(r#"{"exc_info": true, "exception": "Traceback\n  a\nE: no"}"#).as_deref(),
            Some("Traceback\n  a\nE: no")
        );
        let frames = r#"{"thrown": {"name": "E", "message": "no", "extendedStackTrace": [{"class": "A", "method": "b", "line": 7}]}}"#;
        assert_eq!(stack(frames).as_deref(), Some("E: no\n    at A.b(line 7)"));
        assert_eq!(stack(r#"{"full_message": "no route"}"#), None, "a message");
        assert_eq!(stack(r#"{"exception": ["RuntimeError", "no route"]}"#), None, "what was thrown");
    }

    #[test]
    fn a_stack_in_what_is_metadata_is_the_stack() {
        let schema = Schema::find("otlp").expect("it");
        let record =
            schema.record(r#"{"attributes": {"exception.stacktrace": "E: no\n  at a", "order": 7}}"#).expect("one");
        let payload = schema.divide(record);
        assert_eq!(payload.error.stack.as_deref(), Some("E: no\n  at a"));
        assert_eq!(payload.metadata["order"], 7);
    }

    #[test]
    fn bodies_stay_text_until_they_are_looked_at() {
        let schema = Schema::built_in().into_iter().find(|schema| schema.name == "crosstail").expect("it");
        let text = r#"{"id": "a", "request_body": {"n": 12345678901234567890.10}, "response_body": "plain", "metadata": {"t": 1}}"#;
        let payload = schema.divide(schema.record(text).expect("a record"));
        let body = payload.request.body.expect("a body");
        assert_eq!(body.text(), r#"{"n": 12345678901234567890.10}"#, "as it was recorded");
        assert!(body.value()["n"].is_number());
        assert_eq!(payload.response.body.expect("a body").value(), "plain");
        assert_eq!(payload.metadata["t"], 1);
        schema.record("[1]").expect_err("no object");
        schema.record("{\"a\":1} trailing").expect_err("not one record");
    }
}
