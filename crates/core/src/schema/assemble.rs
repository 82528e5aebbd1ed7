//! Collects the mapped values of one record and builds an activity from them.

use super::{Schema, Target};
use crate::model::{Activity, Id, Timestamp, parse_timestamp};
use crate::number::{truncated_u16, truncated_u64};
use compact_str::{CompactString, format_compact};
use std::borrow::Cow;

/// A value as a store returns it.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A number as written, for example `12` or `1.5e3`.
    Number(&'a str),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A point in time.
    Time(Timestamp),
}

impl Scalar<'_> {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text.as_ref()),
            Self::Number(text) => Cow::Borrowed(text),
            Self::Int(n) => Cow::Owned(n.to_string()),
            Self::Float(n) => Cow::Owned(n.to_string()),
            Self::Bool(b) => Cow::Borrowed(if *b { "true" } else { "false" }),
            Self::Time(at) => Cow::Owned(at.rfc3339()),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Number(text) => text.parse().ok(),
            Self::Int(n) => Some(*n as f64),
            Self::Float(n) => Some(*n),
            Self::Bool(_) | Self::Time(_) => None,
        }
    }

    fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Text(text) => parse_timestamp(text),
            Self::Number(text) => parse_timestamp(text),
            Self::Int(n) => parse_timestamp(&n.to_string()),
            Self::Float(n) => parse_timestamp(&n.to_string()),
            Self::Time(at) => Some(*at),
            Self::Bool(_) => None,
        }
    }
}

const TARGETS: usize = Target::ALL.len();

/// The mapped values of one record. Can be reused for the next record.
#[derive(Debug)]
pub struct Assembler<'a> {
    values: [Option<(u8, Scalar<'a>)>; TARGETS],
}

impl Default for Assembler<'_> {
    fn default() -> Self {
        Self { values: [const { None }; TARGETS] }
    }
}

impl<'a> Assembler<'a> {
    /// Sets the value of a target, unless one of a better (lower) rank is set already.
    pub fn set(&mut self, (target, rank): (Target, u8), value: Scalar<'a>) {
        let slot = &mut self.values[target as usize];
        if slot.as_ref().is_none_or(|(taken, _)| rank < *taken) && !matches!(&value, Scalar::Text(t) if t.is_empty()) {
            *slot = Some((rank, value));
        }
    }

    fn get(&self, target: Target) -> Option<&Scalar<'a>> {
        self.values[target as usize].as_ref().map(|(_, value)| value)
    }

    /// The text of a target as stored; `None` where it is absent or empty.
    pub fn raw(&self, target: Target) -> Option<Cow<'_, str>> {
        self.get(target).map(Scalar::text).filter(|text| !text.is_empty())
    }

    /// The number of a target as stored; `None` where it is absent or not a number.
    pub fn raw_number(&self, target: Target) -> Option<f64> {
        self.get(target).and_then(Scalar::number)
    }

    /// When the record was stored, if it says so.
    pub fn recorded_at(&self) -> Option<Timestamp> {
        self.get(Target::RecordedAt).and_then(Scalar::time)
    }

    fn text(&self, target: Target) -> Option<CompactString> {
        self.raw(target).map(CompactString::from)
    }

    /// Builds the activity. `id` is its identity where the record has none. `fallback_time` is its start where the
    /// record has no time; then `exact_start` is false.
    pub fn finish(self, schema: &Schema, id: Id, fallback_time: Timestamp) -> Activity {
        let time = self.get(Target::StartedAt).and_then(Scalar::time);
        let mut a = Activity::new(id, time.unwrap_or(fallback_time));
        a.exact_start = time.is_some();
        let unit = schema.definition().duration_unit.us();
        a.duration_us = self.get(Target::Duration).and_then(|value| duration(value, unit));
        a.completed_at = self.get(Target::CompletedAt).and_then(Scalar::time);
        a.http_status = self.number(Target::HttpStatus).filter(|code| (100..=999).contains(code));
        a.attempt = self.number(Target::Attempt);
        a.max_attempts = self.number(Target::MaxAttempts);
        a.next_retry_at = self.get(Target::NextRetryAt).and_then(Scalar::time);
        a.system = self.text(Target::System);
        a.endpoint = self.text(Target::Endpoint);
        a.method = self.text(Target::Method);
        a.url = self.text(Target::Url);
        a.message = self.text(Target::Message);
        a.request_id = self.raw(Target::RequestId).map(|text| Id::parse(&text));
        a.correlation_id = self.text(Target::CorrelationId);
        a.parent_request_id = self.text(Target::ParentRequestId);
        a.error = self.text(Target::Error);
        a.error_type = self.text(Target::ErrorType);
        a.operation = self.text(Target::Operation);
        a.actor = self.text(Target::Actor);
        a.organization = self.text(Target::Organization);
        a.tags = self.raw(Target::Tags).and_then(|text| tags(&text));
        let figure = |target| self.get(target).and_then(Scalar::number).filter(|n| n.is_finite());
        a.cpu_percent = figure(Target::Cpu);
        a.memory_mb = figure(Target::Memory);
        a.entity = match (self.text(Target::EntityType), self.text(Target::EntityId)) {
            (Some(sort), Some(id)) => Some(format_compact!("{sort} {id}")),
            (one, other) => one.or(other),
        };
        schema.derive(&mut a, &|target| self.raw(target));
        if let Some(own) = self.raw(Target::Id) {
            a.id = Id::parse(&own);
        } else if a.part
            && let Some(request) = &a.request_id
        {
            a.id = request.clone();
        }
        if !schema.definition().canonical
            && !a.part
            && a.duration_us.is_none()
            && let Some(end) = a.completed_at
        {
            a.duration_us = u64::try_from(end.since_us(a.started_at)).ok();
        }
        a
    }

    fn number(&self, target: Target) -> Option<u16> {
        let n = self.get(target)?.number()?;
        (n >= 0.0 && n <= f64::from(u16::MAX)).then_some(truncated_u16(n))
    }
}

/// Tags, joined by `, `, from a JSON array of strings or from a text with commas.
fn tags(text: &str) -> Option<CompactString> {
    let list: Vec<String> = match serde_json::from_str::<Vec<serde_json::Value>>(text) {
        Ok(values) => values
            .into_iter()
            .map(|value| match value {
                serde_json::Value::String(tag) => tag,
                other => other.to_string(),
            })
            .collect(),
        Err(_) => text.trim_matches(['{', '}']).split(',').map(|tag| tag.trim().to_owned()).collect(),
    };
    let joined = list.into_iter().filter(|tag| !tag.is_empty()).collect::<Vec<_>>().join(", ");
    (!joined.is_empty()).then(|| joined.into())
}

/// A duration in microseconds, from a number in `unit` (microseconds) or from text with its own unit (`12.5ms`).
fn duration(value: &Scalar<'_>, unit: f64) -> Option<u64> {
    let us = match value.number() {
        Some(n) => n * unit,
        None => match value {
            Scalar::Text(text) => crate::filter::duration_us(text)?,
            _ => return None,
        },
    };
    (us.is_finite() && us >= 0.0).then_some(truncated_u64(us.round()))
}
