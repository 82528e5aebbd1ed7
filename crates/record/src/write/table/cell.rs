//! What a column holds, and how a value of an activity becomes that.

use super::field::{Datum, Facts, Field};
use super::{Column, Constant, Fields};
use crate::safe_body;
use crosstail_core::model::{Timestamp, redact_json, redact_text};
use serde::Deserialize;
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a column holds, in terms that every dialect has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Text of UTF-8.
    Text,
    /// A UUID.
    Uuid,
    /// A whole number of 32 bits.
    Integer,
    /// A whole number of 64 bits.
    Bigint,
    /// A number with decimals.
    Decimal,
    /// True or false.
    Boolean,
    /// A moment, in microseconds of UTC where the store has them.
    Timestamp,
    /// A JSON object.
    Object,
    /// Any JSON.
    Json,
    /// An IP address.
    Address,
}

/// What is done to a value before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conversion {
    /// Nothing that its kind does not ask for: texts and JSON are redacted, bodies are truncated as well.
    #[default]
    Plain,
    /// A UUID: the text itself if it is one, else the version 5 UUID of it, so that a text always has the same id.
    Uuid,
    /// The id by which the source of logs of that name is known: a version 5 UUID.
    SourceId,
    /// In upper case.
    Upper,
    /// An id without its dashes.
    Compact,
    /// A number; anything else counts as no value.
    Number,
}

/// A value for a column, without secrets and not too long. How it is written is the dialect's business: what a
/// database cannot hold (PostgreSQL: a zero byte) is replaced there.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Text.
    Text(String),
    /// A UUID.
    Uuid(Uuid),
    /// A number, as precise as the activity has it.
    Number(Number),
    /// True or false.
    Boolean(bool),
    /// A moment in UTC.
    Time(Timestamp),
    /// JSON.
    Json(Value),
}

/// An id for a column of UUIDs: the same text always has the same id.
pub(super) fn uuid(text: &str) -> Uuid {
    Uuid::parse_str(text).unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()))
}

fn text_of(datum: Datum<'_>) -> Option<Cow<'_, str>> {
    match datum {
        Datum::Text(text) => Some(Cow::Owned(redact_text(&text).into_owned())),
        Datum::Word(text) => Some(text),
        Datum::Json(Value::String(text)) => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

fn convert(datum: Datum<'_>, conversion: Conversion, wanted: ColumnType, id: &str) -> Option<Cell> {
    match (conversion, datum) {
        (Conversion::Plain, Datum::Word(text)) => Some(Cell::Text(text.into_owned())),
        (Conversion::Plain, Datum::Text(text)) => Some(Cell::Text(redact_text(&text).into_owned())),
        (Conversion::Plain | Conversion::Number, Datum::Number(number)) => Some(Cell::Number(number)),
        (Conversion::Plain, Datum::Boolean(value)) => Some(Cell::Boolean(value)),
        (Conversion::Plain, Datum::Time(at)) => Some(Cell::Time(at)),
        (Conversion::Plain, Datum::Json(Value::String(text))) if wanted == ColumnType::Text => {
            Some(Cell::Text(redact_text(text).into_owned()))
        }
        (Conversion::Plain, Datum::Json(value)) => Some(Cell::Json(redact_json(value))),
        (Conversion::Plain, Datum::Body(body, side)) => Some(Cell::Json(safe_body(body, id, side))),
        (Conversion::Plain, Datum::Made(value)) => Some(Cell::Json(value)),
        (Conversion::Number, Datum::Json(Value::Number(number))) => Some(Cell::Number(number.clone())),
        (Conversion::Number, _) => None,
        (Conversion::Uuid, datum) => text_of(datum).map(|text| Cell::Uuid(uuid(&text))),
        (Conversion::SourceId, datum) => text_of(datum).map(|text| Cell::Uuid(super::super::log::source_id(&text))),
        (Conversion::Upper, datum) => text_of(datum).map(|text| Cell::Text(text.to_uppercase())),
        (Conversion::Compact, datum) => text_of(datum).map(|text| Cell::Text(text.replace('-', ""))),
    }
}

/// A value as a member of an object, which is redacted as a whole.
fn member(datum: Datum<'_>) -> Value {
    match datum {
        Datum::Text(text) | Datum::Word(text) => Value::String(text.into_owned()),
        Datum::Number(number) => Value::Number(number),
        Datum::Boolean(value) => Value::Bool(value),
        Datum::Time(at) => Value::String(at.rfc3339()),
        Datum::Json(value) | Datum::Body(value, _) => value.clone(),
        Datum::Made(value) => value,
    }
}

/// Where a value comes from: a column's own terms, or those of its alternative.
struct Terms<'a> {
    from: &'a Fields,
    conversion: Conversion,
    only: &'a [String],
    except: &'a [String],
    words: &'a BTreeMap<String, String>,
}

impl Terms<'_> {
    fn cell(&self, facts: &Facts<'_>, wanted: ColumnType) -> Option<Cell> {
        let of = |field: &Field| convert(facts.value(field)?, self.conversion, wanted, &facts.start.id);
        let cell = self.from.0.iter().find_map(of)?;
        let Cell::Text(text) = cell else { return Some(cell) };
        if self.except.contains(&text) || !self.only.is_empty() && !self.only.contains(&text) {
            return None;
        }
        Some(Cell::Text(self.words.get(&text).cloned().unwrap_or(text)))
    }
}

impl Column {
    pub(super) fn cell(&self, facts: &Facts<'_>) -> Option<Cell> {
        if !self.with.is_empty() {
            return Some(self.object(facts));
        }
        let own = Terms {
            from: &self.from,
            conversion: self.conversion,
            only: &self.only,
            except: &self.except,
            words: &self.words,
        };
        let or = || {
            let or = self.or.as_ref()?;
            let terms =
                Terms { from: &or.from, conversion: or.conversion, only: &or.only, except: &[], words: &or.words };
            terms.cell(facts, self.column_type)
        };
        let default = || {
            self.default.as_ref().map(|default| match default {
                Constant::Integer(number) => Cell::Number((*number).into()),
                Constant::Text(text) => Cell::Text(text.clone()),
            })
        };
        let cell = own.cell(facts, self.column_type).or_else(or).or_else(default)?;
        Some(match (cell, self.clip) {
            (Cell::Text(text), Some(most)) => match text.char_indices().nth(most) {
                Some((end, _)) => Cell::Text(text[..end].to_owned()),
                None => Cell::Text(text),
            },
            (cell, _) => cell,
        })
    }

    /// The object with its further values. Metadata that is no object stays what it is.
    fn object(&self, facts: &Facts<'_>) -> Cell {
        let own = self.from.0.iter().find_map(|field| facts.value(field)).map(member);
        let mut value = own.unwrap_or_else(|| Value::Object(Map::new()));
        if let Value::Object(map) = &mut value {
            for extra in &self.with {
                if let Some(datum) = facts.value(&extra.from) {
                    map.insert(extra.name.clone(), member(datum));
                }
            }
        }
        Cell::Json(redact_json(&value))
    }
}
