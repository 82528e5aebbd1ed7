//! An incident: activities with payloads and notes in a SQLite file with crosstail's own table, which can be opened
//! anywhere.

use crosstail_core::model::{Activity, Body, Payload};
use crosstail_core::number::saturating_i64;
use crosstail_record::{Outcome, PreparedRow, SqliteRecorder, Start};
use serde_json::{Map, Value, json};
use std::path::Path;

/// An activity of an incident.
#[derive(Debug)]
pub struct IncidentEntry {
    pub activity: Activity,
    pub payload: Payload,
    /// The user's note; may be empty.
    pub note: String,
    /// Whether it was marked; otherwise it is a try or a part of the trace of one that was.
    pub marked: bool,
    /// Names of the places that held the activity.
    pub places: Vec<String>,
}

/// Writes activities to a new file, atomically and with secrets redacted. Notes become `meta.note`, places
/// `meta.places`, and what was marked has `meta.marked`.
pub async fn write_incident(path: &Path, kept: &[IncidentEntry]) -> Result<(), sqlx::Error> {
    // An unfinished file never has the requested name.
    let mut half = path.to_path_buf().into_os_string();
    half.push(".part");
    let half = std::path::PathBuf::from(half);
    let _ = std::fs::remove_file(&half);
    // Nobody else has put it there.
    std::fs::File::create_new(&half).map_err(sqlx::Error::Io)?;
    let mut recorder = SqliteRecorder::open(&half).await?;
    let rows: Vec<PreparedRow> = kept.iter().map(prepared).collect();
    recorder.insert(&rows).await?;
    recorder.index().await?;
    recorder.close_compacted().await?;
    std::fs::rename(&half, path).map_err(sqlx::Error::Io)
}

pub(super) fn prepared(kept: &IncidentEntry) -> PreparedRow {
    let (a, payload) = (&kept.activity, &kept.payload);
    let text = |t: &Option<compact_str::CompactString>| t.as_ref().map(ToString::to_string);
    let body = |body: &Option<Body>| body.as_ref().map(|body| body.value().clone());
    let mut metadata: Map<String, Value> = payload.metadata.clone();
    let further = [
        ("note", (!kept.note.is_empty()).then(|| json!(kept.note))),
        ("marked", kept.marked.then(|| json!(true))),
        ("places", Some(json!(kept.places))),
        ("tags", text(&a.tags).map(Value::String)),
        ("cpu_percent", a.cpu_percent.map(|n| json!(n))),
        ("memory_mb", a.memory_mb.map(|n| json!(n))),
    ];
    metadata.extend(further.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    let start = Start {
        id: a.id.to_string(),
        request_id: a.request_id.as_ref().map(ToString::to_string),
        kind: Some(a.kind),
        direction: Some(a.direction),
        level: a.level,
        system: text(&a.system).unwrap_or_default(),
        endpoint: text(&a.endpoint),
        method: text(&a.method),
        url: text(&a.url),
        ip_address: None,
        message: text(&a.message),
        operation: text(&a.operation),
        entity: text(&a.entity),
        actor: text(&a.actor),
        organization: text(&a.organization),
        correlation_id: text(&a.correlation_id),
        parent_request_id: text(&a.parent_request_id),
        attempt: a.attempt,
        max_attempts: a.max_attempts,
        request_headers: payload.request.headers.clone(),
        request_body: body(&payload.request.body),
        metadata: Some(Value::Object(metadata)),
        started_at: a.started_at,
    };
    let outcome = Outcome {
        status: a.status,
        http_status: a.http_status,
        response_headers: payload.response.headers.clone(),
        response_body: body(&payload.response.body),
        error: text(&a.error).or_else(|| payload.error.message.clone()),
        error_type: text(&a.error_type).or_else(|| payload.error.kind.clone()),
        error_stack: payload.error.stack.clone(),
        message: None,
        completed_at: a.completed_at.or_else(|| a.took_us().map(|us| a.started_at.plus_us(saturating_i64(us)))),
        next_retry_at: a.next_retry_at,
    };
    PreparedRow::untruncated(start, outcome)
}
