//! What the JSON Schema of a file says beyond its types: which targets, parts and words there are. They are texts to the
//! parser, and checked later.

use super::Target;
use super::table::Paths;
use crate::model::{Direction, EntryKind, Kind, Level, PayloadPart, Status};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

/// A text that is one of some.
pub fn one_of<'w>(words: impl IntoIterator<Item = &'w str>) -> Schema {
    json_schema!({ "type": "string", "enum": words.into_iter().collect::<Vec<_>>() })
}

/// A table with some keys, each of which may be left out, and no others.
fn table<'w>(keys: impl IntoIterator<Item = (&'w str, Schema)>) -> Schema {
    let properties: Map<String, Value> =
        keys.into_iter().map(|(key, value)| (key.to_owned(), value.to_value())).collect();
    json_schema!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn text() -> Schema {
    json_schema!({ "type": "string" })
}

/// Target → paths.
pub fn targets_from(generator: &mut SchemaGenerator) -> Schema {
    table(Target::ALL.iter().map(|(name, _)| (*name, generator.subschema_for::<Paths>())))
}

/// Part of the payload → paths.
pub fn payload_from(generator: &mut SchemaGenerator) -> Schema {
    table(PayloadPart::ALL.iter().map(|(name, _)| (*name, generator.subschema_for::<Paths>())))
}

/// Target → text.
pub fn by_target(_: &mut SchemaGenerator) -> Schema {
    table(Target::ALL.iter().map(|(name, _)| (*name, text())))
}

/// Target → the store's word → crosstail's.
pub fn words(_: &mut SchemaGenerator) -> Schema {
    let levels = Level::ALL.iter().map(|word| word.as_str()).collect();
    let fields = [("status", statuses()), ("level", levels), ("kind", kinds()), ("direction", directions())];
    let of = |ours| json_schema!({ "type": "object", "additionalProperties": one_of(ours) });
    table(fields.map(|(name, ours)| (name, of(ours))))
}

pub(super) fn kinds() -> Vec<&'static str> {
    Kind::ALL.iter().map(|word| word.as_str()).collect()
}

pub(super) fn directions() -> Vec<&'static str> {
    Direction::ALL.iter().map(|word| word.as_str()).collect()
}

pub(super) fn statuses() -> Vec<&'static str> {
    Status::ALL.iter().map(|word| word.as_str()).collect()
}

pub(super) fn parts() -> Vec<&'static str> {
    vec!["start", "complete", "fail"]
}

pub(super) fn metrics() -> Vec<&'static str> {
    vec!["counter", "gauge", "histogram", "summary"]
}

pub(super) fn topics() -> Vec<&'static str> {
    EntryKind::ALL.iter().map(|(word, _)| *word).collect()
}
