//! Decodes one line into the activities it holds. A line that cannot be read becomes a visible item, never an error.

use super::plain;
use super::prefilter::LinePrefilter;
use crosstail_core::model::{Activity, Id, Level, Locator, NameId, Place, SourceId, Timestamp};
use crosstail_core::number::saturating_u8;
use crosstail_core::schema::{Assembler, Scalar, Schema, Target};
use crosstail_source::json;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Mutex, PoisonError};

/// A 64-bit hash that is the same in every run, for identities.
pub(super) fn stable_hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::with_seed(0x6372_6f73_7374_6169).build_hasher();
    for part in parts {
        hasher.write(part);
        hasher.write_u8(0xff);
    }
    hasher.finish()
}

/// Counts each error line in each family of files: the n-th copy in `error.log` is the n-th in `combined.log`.
#[derive(Debug, Default)]
pub(crate) struct Occurrences(Mutex<HashMap<(u64, u64), u64>>);

impl Occurrences {
    fn next(&self, family: u64, line: u64) -> u64 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((family, line)).or_insert(0);
        *count += 1;
        *count - 1
    }
}

/// Where lines come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineOrigin {
    pub(super) source: SourceId,
    pub(super) file: NameId,
    pub(super) fingerprint: u64,
    pub(super) family: u64,
}

/// State of a scan that rejects lines before decoding them.
pub(super) struct Early<'q> {
    pub(super) quick: &'q LinePrefilter<'q>,
    /// Hash of the request id, where the rejected line is one part of an activity.
    pub(super) rejected_part: Option<u64>,
}

/// Hash of a request id, for joining parts.
pub(super) fn request_hash(text: &str) -> u64 {
    foldhash::fast::FixedState::default().hash_one(text)
}

/// Decodes lines by a schema.
#[derive(Debug)]
pub(crate) struct Decoder {
    schema: Option<Schema>,
    otlp: bool,
}

/// How much of an unreadable line the list shows, in bytes; its raw view shows all of it.
const EXCERPT_BYTES: usize = 200;

impl Decoder {
    pub(super) fn new(schema: Schema) -> Self {
        Self { otlp: schema.name == "otlp", schema: Some(schema) }
    }

    /// Without a schema every line is text.
    pub(super) fn empty() -> Self {
        Self { schema: None, otlp: false }
    }

    pub(super) fn schema(&self) -> &Schema {
        static NONE: std::sync::OnceLock<Schema> = std::sync::OnceLock::new();
        self.schema.as_ref().unwrap_or_else(|| NONE.get_or_init(|| Schema::built_in().swap_remove(0)))
    }

    pub(super) fn schema_name(&self) -> &str {
        self.schema.as_ref().map_or("text", |schema| &schema.name)
    }

    /// Decodes the line at `offset`. `carry` is the time of the previous line, for lines without one.
    pub(super) fn line(
        &self,
        origin: &LineOrigin,
        offset: u64,
        line: &[u8],
        carry: &mut Timestamp,
        occurrences: &Occurrences,
        out: &mut Vec<Activity>,
    ) {
        self.line_unless(origin, offset, line, carry, occurrences, None, out);
    }

    /// Like [`Self::line`], unless the prefilter rejects the line.
    #[allow(clippy::too_many_arguments, reason = "the inner form of `line`")]
    pub(super) fn line_unless(
        &self,
        origin: &LineOrigin,
        offset: u64,
        line: &[u8],
        carry: &mut Timestamp,
        occurrences: &Occurrences,
        early: Option<&mut Early<'_>>,
        out: &mut Vec<Activity>,
    ) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = match std::str::from_utf8(line) {
            Ok(text) => std::borrow::Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(line),
        };
        let trimmed = text.trim_start_matches(['\u{feff}', ' ', '\t']);
        if trimmed.trim_end().is_empty() {
            return;
        }
        let id = Id::Line { file: origin.fingerprint, offset };
        let locator =
            Locator::Line { file: origin.file, offset, length: u32::try_from(line.len()).unwrap_or(u32::MAX) };
        let place = Place::new(origin.source, locator);
        let first = out.len();
        if trimmed.starts_with('{') {
            if self.otlp {
                self.otlp(trimmed, &id, &place, *carry, out);
            } else {
                out.extend(self.json(trimmed, id, place, *carry, early));
            }
        } else {
            out.push(self.text(trimmed, id, place, *carry));
        }
        for activity in &mut out[first..] {
            if activity.exact_start || activity.completed_at.is_some() {
                *carry = activity.completed_at.filter(|_| activity.part).unwrap_or(activity.started_at);
            }
            // A failure that is logged in error.log and in combined.log is one activity.
            if !activity.part && !self.otlp && activity.level.is_some_and(Level::is_failure) {
                let hash = stable_hash(&[line]);
                activity.id = Id::Line { file: hash, offset: occurrences.next(origin.family, hash) };
            }
        }
    }

    fn json(
        &self,
        text: &str,
        id: Id,
        place: Place,
        carry: Timestamp,
        early: Option<&mut Early<'_>>,
    ) -> Option<Activity> {
        let mut assembler = Assembler::default();
        let activity = match json::scan(text, self.schema().tree(), &mut assembler) {
            Ok(()) => {
                if let Some(early) = early
                    && early.quick.rejects(&assembler, self.schema())
                {
                    let part = self.schema().is_phase(&assembler);
                    early.rejected_part = assembler.raw(Target::RequestId).filter(|_| part).map(|id| request_hash(&id));
                    return None;
                }
                let mut activity = assembler.finish(self.schema(), id, carry);
                activity.places = vec![place];
                activity
            }
            Err(at) => {
                let reason = match serde_json::from_str::<serde::de::IgnoredAny>(text) {
                    Err(error) => error.to_string(),
                    Ok(_) => format!("cannot be read at byte {at}"),
                };
                let mut activity =
                    Activity::undecodable(id, carry, place, &format!("invalid JSON: {reason}"), excerpt(text));
                activity.exact_start = false;
                activity
            }
        };
        Some(activity)
    }

    fn text(&self, text: &str, id: Id, place: Place, carry: Timestamp) -> Activity {
        let mut assembler = Assembler::default();
        let mut activity = if plain::logfmt(text, self.schema().tree(), &mut assembler) {
            assembler.finish(self.schema(), id, carry)
        } else {
            let line = plain::text(text, carry);
            let mut activity = Activity::new(id, line.time.unwrap_or(carry));
            activity.exact_start = line.time.is_some();
            activity.kind = crosstail_core::model::Kind::Log;
            activity.level = line.level;
            activity.message = Some(line.message.into());
            activity
        };
        activity.places = vec![place];
        activity
    }

    /// Decodes a line of the OpenTelemetry collector's file exporter, which holds many log records.
    fn otlp(&self, text: &str, id: &Id, place: &Place, carry: Timestamp, out: &mut Vec<Activity>) {
        let records = match serde_json::from_str::<Value>(text) {
            Ok(value) => otlp_records(&value),
            Err(error) => {
                let problem = format!("invalid JSON: {error}");
                out.push(Activity::undecodable(id.clone(), carry, place.clone(), &problem, excerpt(text)));
                return;
            }
        };
        for (index, record) in records.iter().enumerate() {
            let own = match id {
                Id::Line { file, offset } => Id::Line { file: *file, offset: offset + index as u64 },
                other => other.clone(),
            };
            let mut assembler = Assembler::default();
            fill(&mut assembler, self.schema().tree(), record);
            let mut activity = assembler.finish(self.schema(), own, carry);
            activity.level = activity.level.or_else(|| otlp_level(record));
            activity.places = vec![place.clone()];
            out.push(activity);
        }
    }

    /// The record of a line as JSON, for its payload; in an OTLP line the record number `index`.
    pub(super) fn record(&self, line: &str, index: usize) -> Option<Map<String, Value>> {
        let line = line.trim_start_matches('\u{feff}');
        if self.otlp {
            return otlp_records(&serde_json::from_str(line).ok()?).into_iter().nth(index);
        }
        self.schema().record(line).ok()
    }
}

fn excerpt(text: &str) -> &str {
    &text[..text.floor_char_boundary(EXCERPT_BYTES)]
}

/// Fills an assembler from a record that is already parsed.
fn fill<'a>(into: &mut Assembler<'a>, tree: &crosstail_core::schema::Node, record: &'a Map<String, Value>) {
    for (key, value) in record {
        let Some(node) = tree.child(key.as_bytes()) else { continue };
        if let Value::Object(inner) = value {
            fill(into, node, inner);
        }
        for target in &node.targets {
            let scalar = match value {
                Value::String(text) => Scalar::Text(text.as_str().into()),
                Value::Bool(b) => Scalar::Bool(*b),
                Value::Number(n) => Scalar::Text(n.to_string().into()),
                Value::Object(_) | Value::Array(_) if target.0 == Target::Message => {
                    Scalar::Text(value.to_string().into())
                }
                _ => continue,
            };
            into.set(*target, scalar);
        }
    }
}

/// The log records of an OTLP/JSON line, flattened: resource and scope attributes next to the record's own fields.
/// Shape: opentelemetry-proto `logs/v1/logs.proto`, JSON mapping.
fn otlp_records(line: &Value) -> Vec<Map<String, Value>> {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut records = Vec::new();
    for resource_logs in list(line, "resourceLogs") {
        let resource = otlp_attributes(resource_logs.get("resource").unwrap_or(&Value::Null));
        for scope_logs in list(&resource_logs, "scopeLogs") {
            for record in list(&scope_logs, "logRecords") {
                let Value::Object(mut map) = record else { continue };
                let attributes = otlp_attributes(&Value::Object(map.clone()));
                map.insert("attributes".to_owned(), Value::Object(attributes));
                map.insert("resource".to_owned(), Value::Object(resource.clone()));
                if let Some(body) = map.get("body").and_then(otlp_value) {
                    map.insert("body".to_owned(), body);
                }
                records.push(map);
            }
        }
    }
    records
}

fn otlp_attributes(holder: &Value) -> Map<String, Value> {
    let list = holder.get("attributes").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|pair| Some((pair.get("key")?.as_str()?.to_owned(), otlp_value(pair.get("value")?)?)))
        .collect()
}

fn otlp_value(value: &Value) -> Option<Value> {
    let (kind, inner) = value.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "intValue" => {
            inner.as_str().and_then(|text| text.parse::<i64>().ok()).map_or_else(|| inner.clone(), Value::from)
        }
        "arrayValue" => Value::Array(inner.get("values")?.as_array()?.iter().filter_map(otlp_value).collect()),
        "kvlistValue" => Value::Object(
            inner
                .get("values")?
                .as_array()?
                .iter()
                .filter_map(|pair| Some((pair.get("key")?.as_str()?.to_owned(), otlp_value(pair.get("value")?)?)))
                .collect(),
        ),
        _ => inner.clone(),
    })
}

/// The level of a severity number; each level has four: opentelemetry-proto `SeverityNumber`.
fn otlp_level(record: &Map<String, Value>) -> Option<Level> {
    let number = record.get("severityNumber")?.as_u64()?;
    (1..=24).contains(&number).then(|| Level::from_index(saturating_u8((number - 1) / 4)))
}
