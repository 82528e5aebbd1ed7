//! From a record to the parts of a payload.

use super::{PayloadPart, Schema, lookup};
use crate::model::{Body, Payload};
use serde_json::{Map, Value};

impl Schema {
    /// Divides a record among the parts of a payload; what no part takes is metadata.
    pub fn divide(&self, mut record: Map<String, Value>) -> Payload {
        let definition = self.definition();
        let mut payload = Payload::default();
        for (name, paths) in &definition.payload {
            let Some(part) = PayloadPart::parse(name) else { continue };
            let Some((path, value)) = paths.list().iter().find_map(|path| Some((path, lookup(&record, path)?.clone())))
            else {
                continue;
            };
            match part {
                PayloadPart::RequestHeaders => payload.request.headers = Some(value),
                PayloadPart::ResponseHeaders => payload.response.headers = Some(value),
                PayloadPart::RequestBody => payload.request.body = Some(body(value)),
                PayloadPart::ResponseBody => payload.response.body = Some(body(value)),
                PayloadPart::Stack => payload.error.stack = value.as_str().map(str::to_owned),
                PayloadPart::Metadata => match value {
                    Value::Object(map) => payload.metadata.extend(map),
                    other => {
                        payload.metadata.insert(path.clone(), other);
                    }
                },
            }
            record.shift_remove(path.as_str());
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
}

fn body(value: Value) -> Body {
    match value {
        Value::String(text) => Body::from_text(&text),
        other => {
            let bytes = other.to_string().len();
            Body::from_value(other, bytes)
        }
    }
}
