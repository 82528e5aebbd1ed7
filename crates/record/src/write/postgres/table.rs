//! The tables of the documents: their columns, and an activity as a row of each.

use super::super::log::{self, Engineering};
use super::super::{clip, entity};
use crate::{Outcome, Start, safe_body, safe_json, safe_text};
use crosstail_core::model::{Direction, Kind, Status, Timestamp};
use serde_json::{Value, json};

/// A table of one of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Document 000: `integration.api_request_logs`, calls out.
    ApiRequestLogs,
    /// Document 001: `integration_activity_log`.
    IntegrationActivityLog,
    /// Document 003: `logs`, one row an activity, written at its end.
    Logs,
    /// Document 004: `log_entries` and `alerts`.
    LogEntries,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ApiRequestLogs, Self::IntegrationActivityLog, Self::Logs, Self::LogEntries];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiRequestLogs => "integration.api_request_logs",
            Self::IntegrationActivityLog => "integration_activity_log",
            Self::Logs => "logs",
            Self::LogEntries => "log_entries",
        }
    }

    /// The schema that it belongs to.
    pub const fn schema(self) -> &'static str {
        match self {
            Self::ApiRequestLogs => "prokure",
            Self::IntegrationActivityLog => "integration-activity",
            Self::Logs => "log-tracking",
            Self::LogEntries => "engineering-logs",
        }
    }

    /// The table of a schema.
    pub fn of_schema(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.schema() == name)
    }

    /// Columns and their types; the first is the key.
    pub(super) const fn columns(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::ApiRequestLogs => &[
                ("request_id", "uuid"),
                ("correlation_id", "uuid"),
                ("parent_request_id", "uuid"),
                ("system_code", "text"),
                ("endpoint_code", "text"),
                ("http_method", "text"),
                ("request_url", "text"),
                ("response_status", "integer"),
                ("status", "text"),
                ("is_success", "boolean"),
                ("error_type", "text"),
                ("error_message", "text"),
                ("entity_type", "text"),
                ("entity_id", "text"),
                ("operation_type", "text"),
                ("attempt_number", "integer"),
                ("max_attempts", "integer"),
                ("next_retry_at", "timestamptz"),
                ("triggered_by", "text"),
                ("started_at", "timestamptz"),
                ("completed_at", "timestamptz"),
                ("duration_ms", "integer"),
            ],
            Self::IntegrationActivityLog => &[
                ("id", "uuid"),
                ("organization_id", "uuid"),
                ("integration_id", "uuid"),
                ("direction", "text"),
                ("activity_type", "text"),
                ("method", "text"),
                ("endpoint", "text"),
                ("request_headers", "jsonb"),
                ("request_body", "jsonb"),
                ("response_status", "integer"),
                ("response_body", "jsonb"),
                ("response_time_ms", "integer"),
                ("status", "text"),
                ("error_message", "text"),
                ("error_code", "text"),
                ("ip_address", "inet"),
                ("user_agent", "text"),
                ("metadata", "jsonb"),
                ("created_at", "timestamptz"),
                ("completed_at", "timestamptz"),
            ],
            Self::Logs => &[
                ("timestamp", "timestamptz"),
                ("level", "text"),
                ("service", "text"),
                ("message", "text"),
                ("request_id", "text"),
                ("response_time", "integer"),
                ("cpu_usage", "numeric"),
                ("memory_usage", "integer"),
            ],
            Self::LogEntries => &[
                ("source_id", "uuid"),
                ("log_id", "text"),
                ("timestamp", "timestamptz"),
                ("level", "text"),
                ("message", "text"),
                ("category", "text"),
                ("tags", "jsonb"),
                ("metadata", "jsonb"),
                ("size_bytes", "integer"),
                ("processing_status", "text"),
            ],
        }
    }

    /// The columns that an outcome sets.
    pub(super) const fn of_outcome(self) -> &'static [&'static str] {
        match self {
            Self::ApiRequestLogs => &[
                "response_status",
                "status",
                "is_success",
                "error_type",
                "error_message",
                "next_retry_at",
                "completed_at",
                "duration_ms",
            ],
            Self::IntegrationActivityLog => &[
                "response_status",
                "response_body",
                "response_time_ms",
                "status",
                "error_message",
                "error_code",
                "completed_at",
            ],
            Self::Logs | Self::LogEntries => &[],
        }
    }

    /// The values of a row, as text, in the order of [`Self::columns`].
    pub(super) fn row(self, start: &Start, outcome: Option<&Outcome>) -> Vec<Option<String>> {
        let none = Outcome::default();
        let end = outcome.unwrap_or(&none);
        let at = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
        let text = |text: &Option<String>, width| text.as_deref().map(|text| clip(&safe_text(text), width));
        let whole = |text: &Option<String>| text.as_deref().map(|text| clip(&safe_text(text), usize::MAX));
        let took = end.completed_at.map(|ended| (ended.since_us(start.started_at).max(0) / 1000).to_string());
        let (entity_type, entity_id) = entity(start);
        let status = outcome.map_or(Some(Status::InProgress), |outcome| outcome.status);
        match self {
            Self::ApiRequestLogs => vec![
                Some(uuid(start.request_id.as_ref().unwrap_or(&start.id))),
                start.correlation_id.as_deref().map(uuid),
                start.parent_request_id.as_deref().map(uuid),
                Some(clip(&start.system, 50)),
                text(&start.endpoint.clone().or_else(|| start.operation.clone()), 100),
                text(&start.method, 10),
                whole(&start.url),
                end.http_status.map(|code| code.to_string()),
                status.map(|status| status.as_str().to_uppercase()),
                outcome.map(|outcome| (outcome.status == Some(Status::Success)).to_string()),
                text(&end.error_type, 100),
                whole(&end.error),
                entity_type.map(|text| clip(text, 50)),
                entity_id.map(|text| clip(text, 100)),
                text(&start.operation, 50),
                start.attempt.map(|n| n.to_string()),
                start.max_attempts.map(|n| n.to_string()),
                at(end.next_retry_at),
                text(&start.actor, 100),
                at(Some(start.started_at)),
                at(end.completed_at),
                took,
            ],
            Self::IntegrationActivityLog => {
                let organization = start.metadata.as_ref().and_then(|m| m["tenant"].as_str());
                let mut metadata = start.metadata.clone().unwrap_or_else(|| json!({}));
                let more = [
                    ("provider", Some(Value::from(start.system.clone()))),
                    ("request_id", start.request_id.clone().map(Value::from)),
                    ("correlation_id", start.correlation_id.clone().map(Value::from)),
                    ("parent_request_id", start.parent_request_id.clone().map(Value::from)),
                    ("attempt", start.attempt.map(Value::from)),
                    ("max_attempts", start.max_attempts.map(Value::from)),
                    ("entity_type", entity_type.map(Value::from)),
                    ("entity_id", entity_id.map(Value::from)),
                ];
                for (name, value) in more {
                    if let (Some(value), Some(map)) = (value, metadata.as_object_mut()) {
                        map.insert(name.to_owned(), value);
                    }
                }
                let headers = start.request_headers.as_ref();
                let agent = headers.and_then(|h| h["User-Agent"].as_str().or(h["user-agent"].as_str()));
                let body = |body: &Option<Value>, side: &str| {
                    body.as_ref().map(|body| storable(&safe_body(body, &start.id, side).to_string()))
                };
                let known = |name: &str| start.metadata.as_ref().and_then(|m| m[name].as_str()).map(uuid);
                vec![
                    Some(uuid(&start.id)),
                    known("organization_id").or_else(|| organization.map(|name| log::source_id(name).to_string())),
                    known("integration_id").or_else(|| Some(log::source_id(&start.system).to_string())),
                    Some(if start.direction == Some(Direction::In) { "incoming" } else { "outgoing" }.to_owned()),
                    Some(activity_type(start)),
                    text(&start.method, 10),
                    whole(&start.url.clone().or_else(|| start.endpoint.clone())),
                    headers.map(|headers| storable(&safe_json(headers))),
                    body(&start.request_body, "request"),
                    end.http_status.map(|code| code.to_string()),
                    body(&end.response_body, "response"),
                    took,
                    Some(
                        match status {
                            Some(Status::InProgress) | None => "started",
                            // No answer at all is an error there, a bad one a failure.
                            Some(Status::Failed) if end.http_status.is_none() => "error",
                            Some(status) => status.as_str(),
                        }
                        .to_owned(),
                    ),
                    whole(&end.error),
                    text(&end.error_type, 50),
                    start.ip_address.map(|ip| ip.to_string()),
                    agent.map(|agent| clip(agent, usize::MAX)),
                    Some(storable(&safe_json(&metadata))),
                    at(Some(start.started_at)),
                    at(end.completed_at),
                ]
            }
            Self::Logs => {
                let known = |name: &str| start.metadata.as_ref().map(|m| &m[name]).filter(|v| v.is_number());
                let request = start.correlation_id.as_ref().unwrap_or(&start.id).replace('-', "");
                vec![
                    Some(log::logged_at(start, end).rfc3339()),
                    Some(log::word(log::level(start, end))),
                    Some(clip(&start.system, 50)),
                    Some(clip(&log::message(start, end), usize::MAX)),
                    Some(clip(&request, 12)),
                    took.or_else(|| known("response_time").map(Value::to_string)),
                    known("cpu_usage").map(Value::to_string),
                    known("memory_usage").map(Value::to_string),
                ]
            }
            Self::LogEntries => {
                let log = Engineering::of(start, end);
                vec![
                    Some(log.source_id),
                    Some(clip(&log.log_id, 255)),
                    Some(log.at.rfc3339()),
                    Some(log::word(log.level)),
                    Some(clip(&log.message, usize::MAX)),
                    Some(clip(&log.category, 100)),
                    Some(json!(log.tags).to_string()),
                    Some(storable(&log.metadata.to_string())),
                    Some(log.raw.len().to_string()),
                    Some("processed".to_owned()),
                ]
            }
        }
    }
}

/// An id for a column of UUIDs: the same text is always the same id.
fn uuid(text: &str) -> String {
    uuid::Uuid::parse_str(text)
        .unwrap_or_else(|_| uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, text.as_bytes()))
        .to_string()
}

/// A JSON text that PostgreSQL takes: its `jsonb` has no zero character.
pub(super) fn storable(text: &str) -> String {
    if !text.contains("\\u0000") {
        return text.to_owned();
    }
    fn without(value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(text.replace('\0', "\u{fffd}")),
            Value::Array(list) => list.iter().map(without).collect(),
            Value::Object(map) => {
                map.iter().map(|(key, value)| (key.replace('\0', "\u{fffd}"), without(value))).collect()
            }
            other => other.clone(),
        }
    }
    serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value| without(&value).to_string())
}

/// The word of document 001 for what is done.
fn activity_type(start: &Start) -> String {
    let known = [
        "test_connection",
        "sync_import",
        "sync_export",
        "sync_bidirectional",
        "webhook_received",
        "notification_email",
        "notification_slack",
        "notification_webhook",
        "api_call",
        "device_create",
        "device_update",
        "device_delete",
    ];
    let operation = start.operation.as_deref().filter(|operation| known.contains(operation));
    operation
        .unwrap_or(match start.kind {
            Some(Kind::Webhook) => "webhook_received",
            Some(Kind::Test) => "test_connection",
            Some(Kind::Sync) => "sync_import",
            Some(Kind::Notification) => "notification_webhook",
            Some(Kind::ApiCall | Kind::Device) => "api_call",
            _ => "other",
        })
        .to_owned()
}
