//! The JSON record of an activity, with stable names.

use crosstail_core::model::{Activity, FinalOutcome, Names, is_hostile, redact_id, redact_text};
use serde::Serialize;
use std::borrow::Cow;

/// The documented fields of `-o json`, in order.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    id: String,
    source: String,
    places: Vec<String>,
    kind: crosstail_core::model::Kind,
    direction: crosstail_core::model::Direction,
    system: Option<Cow<'a, str>>,
    endpoint: Option<Cow<'a, str>>,
    method: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    status: Option<crosstail_core::model::Status>,
    http_status: Option<u16>,
    level: Option<crosstail_core::model::Level>,
    message: Option<Cow<'a, str>>,
    started_at: String,
    completed_at: Option<String>,
    duration_ms: Option<serde_json::Number>,
    attempt: Option<u16>,
    max_attempts: Option<u16>,
    next_retry_at: Option<String>,
    request_id: Option<String>,
    correlation_id: Option<Cow<'a, str>>,
    parent_request_id: Option<Cow<'a, str>>,
    error: Option<Cow<'a, str>>,
    error_type: Option<Cow<'a, str>>,
    operation: Option<Cow<'a, str>>,
    entity: Option<Cow<'a, str>>,
    actor: Option<Cow<'a, str>>,
    organization: Option<Cow<'a, str>>,
    tags: Vec<Cow<'a, str>>,
    cpu_percent: Option<f64>,
    memory_mb: Option<f64>,
    /// `guessed` where the record has no time, so that `started_at` is that of its neighbour or its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_source: Option<&'static str>,
    /// What became of a failed attempt, where its operation's other attempts were looked up.
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    final_outcome: Option<&'static str>,
}

/// Microseconds as milliseconds in a JSON number: an integer where there is no fraction.
pub fn millis(us: u64) -> serde_json::Number {
    if us.is_multiple_of(1000) {
        serde_json::Number::from(us / 1000)
    } else {
        serde_json::Number::from_f64(us as f64 / 1e3).unwrap_or_else(|| serde_json::Number::from(us / 1000))
    }
}

impl<'a> Record<'a> {
    /// The names of the fields, in order.
    pub const COLUMNS: [&'static str; 31] = [
        "id",
        "source",
        "places",
        "kind",
        "direction",
        "system",
        "endpoint",
        "method",
        "url",
        "status",
        "http_status",
        "level",
        "message",
        "started_at",
        "completed_at",
        "duration_ms",
        "attempt",
        "max_attempts",
        "next_retry_at",
        "request_id",
        "correlation_id",
        "parent_request_id",
        "error",
        "error_type",
        "operation",
        "entity",
        "actor",
        "organization",
        "tags",
        "cpu_percent",
        "memory_mb",
    ];

    /// The names of the fields that no record has: they are looked up where somebody asks for them.
    pub const LOOKED_UP: [&'static str; 1] = ["final"];

    /// The record of an activity.
    pub fn new(activity: &'a Activity, names: &Names) -> Self {
        // Any text may have a secret in it. The two ids by which an activity is found are what they are.
        let safe = |text: &'a Option<compact_str::CompactString>| text.as_deref().map(redact_text);
        Self {
            id: activity.id.to_string(),
            source: activity.places.first().map(|p| names.source_name(p.source).to_string()).unwrap_or_default(),
            places: activity.places.iter().map(|place| place.label(names)).collect(),
            kind: activity.kind,
            direction: activity.direction,
            system: safe(&activity.system),
            endpoint: safe(&activity.endpoint),
            method: safe(&activity.method),
            url: safe(&activity.url),
            status: activity.status,
            http_status: activity.http_status,
            level: activity.level,
            message: safe(&activity.message),
            started_at: activity.started_at.rfc3339(),
            completed_at: activity.completed_at.map(|at| at.rfc3339()),
            duration_ms: activity.took_us().map(millis),
            attempt: activity.attempt,
            max_attempts: activity.max_attempts,
            next_retry_at: activity.next_retry_at.map(|at| at.rfc3339()),
            request_id: activity.request_id.as_ref().map(ToString::to_string),
            correlation_id: activity.correlation_id.as_deref().map(redact_id),
            parent_request_id: activity.parent_request_id.as_deref().map(redact_id),
            error: safe(&activity.error),
            error_type: safe(&activity.error_type),
            operation: safe(&activity.operation),
            entity: safe(&activity.entity),
            actor: safe(&activity.actor),
            organization: safe(&activity.organization),
            tags: activity.tags.as_deref().map(|tags| tags.split(", ").map(redact_text).collect()).unwrap_or_default(),
            cpu_percent: activity.cpu_percent,
            memory_mb: activity.memory_mb,
            time_source: (!activity.knows_its_time()).then_some("guessed"),
            final_outcome: activity.final_outcome.map(FinalOutcome::name),
        }
    }
}

/// A cell of CSV.
pub fn csv_cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => crosstail_core::model::visible_line(text).into_owned(),
        serde_json::Value::Array(list) => list.iter().map(csv_cell).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// A cell for spreadsheets. Text that a spreadsheet would read as a formula gets an apostrophe in front (OWASP, CSV
/// injection).
pub fn spreadsheet_cell(value: &serde_json::Value) -> String {
    let text = csv_cell(value);
    let formula = !value.is_number() && text.starts_with(['=', '+', '-', '@']);
    if formula { format!("'{text}") } else { text }
}

/// JSON with hostile characters escaped: the same values for a parser, harmless on a terminal.
pub fn safe_json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string(value)?;
    Ok(escaped(&text).unwrap_or(text))
}

/// Like [`safe_json`], for JSON text. Line breaks between values stay.
pub fn safe_json_text(text: &str) -> String {
    escaped(text).unwrap_or_else(|| text.to_owned())
}

/// The text with hostile characters escaped; `None` where there are none.
fn escaped(text: &str) -> Option<String> {
    let hostile = |c: char| is_hostile(c) && c != '\n';
    // Most texts are plain, and their bytes tell so many at a time.
    let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\n');
    if is_plain || !text.chars().any(hostile) {
        return None;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                use std::fmt::Write as _;
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Some(out)
}

/// The record as JSON on several lines.
pub fn record_json(activity: &Activity, names: &Names) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&Record::new(activity, names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Id, Timestamp};

    #[test]
    fn the_columns_are_those_of_the_record() {
        let activity = Activity::new(Id::parse("a"), Timestamp(0));
        let record = serde_json::to_value(Record::new(&activity, &Names::default())).expect("JSON");
        let names: Vec<&String> = record.as_object().expect("an object").keys().collect();
        assert_eq!(names, Record::COLUMNS);
    }
}
