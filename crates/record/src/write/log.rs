//! What the services' loggers write of an activity: HaloPSA's Winston lines and the stages of an engineering log, and the
//! message, level and time that all of them have.

use crate::{Outcome, Start, WriteStep, safe_body, safe_id, safe_text};
use crosstail_core::model::redact_json;
use crosstail_core::model::{Direction, Kind, Level, Status, Timestamp};
use serde_json::{Map, Value, json};

/// The level of an activity: its own, else by its outcome. An attempt after the first is a warning.
pub fn level(start: &Start, outcome: &Outcome) -> Level {
    start.level.unwrap_or(match outcome.status {
        Some(Status::Failed | Status::Timeout) => Level::Error,
        Some(Status::Cancelled) => Level::Warn,
        _ if start.attempt.is_some_and(|attempt| attempt > 1) => Level::Warn,
        _ => Level::Info,
    })
}

/// The word of a level in these systems: `INFO`, `WARN`, `ERROR`.
pub fn word(level: Level) -> String {
    level.as_str().to_uppercase()
}

/// When a logger that writes once writes it: at its end; a log line at its time.
pub fn logged_at(start: &Start, outcome: &Outcome) -> Timestamp {
    outcome.completed_at.unwrap_or(start.started_at)
}

/// From start to end in milliseconds, rounded down; 0 if the clock went back.
pub fn duration_ms(start: &Start, outcome: &Outcome) -> Option<i64> {
    outcome.completed_at.map(|end| end.since_us(start.started_at).max(0) / 1000)
}

/// What happened, in words: the error, else the outcome's message, else the start's, else what is done. Without secrets.
pub fn message(start: &Start, outcome: &Outcome) -> String {
    let said = outcome.error.as_ref().or(outcome.message.as_ref()).or(start.message.as_ref());
    let what = start.operation.as_ref().or(start.endpoint.as_ref());
    safe_text(said.or(what).map_or("done", String::as_str))
}

/// HaloPSA's Winston lines of a step, each with its time: a request is a line when it starts and a line when it ends. See
/// `docs/reference/halopsa.md`.
pub fn winston(step: &WriteStep) -> Vec<(Timestamp, Level, Value)> {
    let one = |at: Timestamp, level: Level, message: &str, more: Map<String, Value>| {
        let mut line = json!({
            "timestamp": at.rfc3339(), "level": word(level), "message": message, "service": "halopsa-integration",
            "version": env!("CARGO_PKG_VERSION"),
        });
        if let Some(line) = line.as_object_mut() {
            line.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
        }
        (at, level, line)
    };
    let safe = |body: &Option<Value>, side: &str, start: &Start| {
        body.as_ref().map_or(Value::Null, |body| safe_body(body, &start.id, side))
    };
    let headers = |headers: &Option<Value>| headers.as_ref().map(redact_json);
    let map = |value: Value| match value {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let ids = |start: &Start| {
        json!({
            "requestId": start.request_id.as_ref().unwrap_or(&start.id), "correlationId": start.correlation_id.as_deref().map(safe_id),
            "parentRequestId": start.parent_request_id.as_deref().map(safe_id), "system": safe_text(&start.system),
        })
    };
    let with = |first: Value, second: Value| {
        let mut all = map(first);
        all.extend(map(second));
        all
    };
    let (start, outcome) = match step {
        WriteStep::Start(start) => (start, None),
        WriteStep::Complete(start, outcome) | WriteStep::Finished(start, outcome) => (start, Some(outcome)),
    };
    let mut lines = Vec::new();
    let is_request = start.level.is_none() && start.method.is_some();
    let starts = matches!(step, WriteStep::Start(_) | WriteStep::Finished(..));
    if is_request && starts {
        let more = json!({
            "method": start.method.as_deref().map(safe_text), "url": start.url.as_deref().map(safe_text), "headers": headers(&start.request_headers),
            "body": safe(&start.request_body, "request", start), "operation": start.operation.as_deref().map(safe_text), "attempt": start.attempt,
            "maxAttempts": start.max_attempts, "userId": start.actor.as_deref().map(safe_text),
        });
        lines.push(one(start.started_at, Level::Info, "API Request Started", with(ids(start), more)));
    }
    let Some(outcome) = outcome else { return lines };
    let (at, level) = (logged_at(start, outcome), level(start, outcome));
    let took = duration_ms(start, outcome);
    if is_request {
        let ended = json!({
            "statusCode": outcome.http_status, "duration": took, "responseBody": safe(&outcome.response_body, "response", start),
            "nextRetryAt": outcome.next_retry_at.map(Timestamp::rfc3339),
        });
        let failed = json!({
            "error": outcome.error.as_deref().map(safe_text), "errorType": outcome.error_type.as_deref().map(safe_text),
            "stack": outcome.error_stack.as_deref().map(safe_text),
        });
        lines.push(match outcome.status {
            Some(Status::Success) => one(at, Level::Info, "API Request Completed", with(ids(start), ended)),
            _ => {
                let mut more = with(ids(start), ended);
                more.extend(map(failed));
                more.insert("event".to_owned(), "operation.error".into());
                one(at, level, "Operation Failed", more)
            }
        });
    } else if start.kind == Some(Kind::Sync) {
        let mut stats = json!({ "duration": took });
        if let (Some(stats), Some(known)) =
            (stats.as_object_mut(), start.metadata.as_ref().and_then(|m| m["stats"].as_object()))
        {
            stats.extend(known.iter().map(|(name, value)| (name.clone(), redact_json(value))));
        }
        let more =
            json!({ "event": "sync.completed", "source": safe_text(&start.system), "stats": stats, "duration": took });
        let (message, failed) = match outcome.status {
            Some(Status::Success) => ("Data Synchronization Completed", Value::Null),
            _ => (
                "Operation Failed",
                json!({ "event": "operation.error", "error": outcome.error.as_deref().map(safe_text), "errorType": outcome.error_type.as_deref().map(safe_text) }),
            ),
        };
        let mut all = with(ids(start), more);
        all.extend(map(failed));
        lines.push(one(at, level, message, all));
    } else {
        let known = start.metadata.as_ref().map(redact_json).unwrap_or_default();
        let more = json!({ "event": start.operation.as_deref().map(safe_text) });
        let mut all = with(ids(start), known);
        all.extend(map(more));
        lines.push(one(at, level, &message(start, outcome), all));
    }
    lines
}

/// The id by which the source of a service's logs is known among the engineering logs: a version 5 UUID of its name.
pub fn source_id(system: &str) -> uuid::Uuid {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, format!("{system}.log-sources.crosstail").as_bytes())
}

/// An engineering log at its three stages: what came in, what was parsed, and its metadata. See
/// `docs/reference/engineering-logs.md`.
pub struct Engineering {
    /// The identity of the activity.
    pub log_id: String,
    /// When it was logged, in microseconds of UTC.
    pub at: Timestamp,
    /// Severity.
    pub level: Level,
    /// What happened, in words, without secrets.
    pub message: String,
    /// The kind of the activity, or `log`.
    pub category: String,
    /// Category and service.
    pub tags: Vec<String>,
    /// Host, service, ids and duration, as an object.
    pub metadata: Value,
    /// The log as a line of text.
    pub raw: String,
    /// What is parsed out of that line, as an object.
    pub parsed: Value,
    /// The id of [`source_id`].
    pub source_id: String,
}

impl Engineering {
    /// The log of an activity that is over.
    pub fn of(start: &Start, outcome: &Outcome) -> Self {
        let (at, level, message) = (logged_at(start, outcome), level(start, outcome), message(start, outcome));
        let took = duration_ms(start, outcome);
        let direction = start.direction.unwrap_or(Direction::Internal);
        let system = safe_text(&start.system);
        let metadata = json!({
            "source_type": "application", "host": format!("{}-1", system.to_lowercase()), "service": system,
            "environment": "production", "request_id": start.request_id.as_ref().unwrap_or(&start.id),
            "correlation_id": start.correlation_id.as_deref().map(safe_id), "endpoint": start.endpoint.as_deref().map(safe_text), "direction": direction.as_str(), "duration_ms": took,
        });
        let class = start.operation.as_deref().map_or_else(|| "Service".to_owned(), safe_text);
        let parsed = json!({
            "host": metadata["host"], "service": system, "thread": "main", "class": class,
            "method": start.method.as_deref().map_or_else(|| "run".to_owned(), safe_text), "line_number": 10 + start.id.bytes().map(u32::from).sum::<u32>() % 400,
            "stack_trace": outcome.error_stack.as_deref().map(safe_text),
        });
        let category = start.kind.map_or("log", Kind::as_str).to_owned();
        Self {
            raw: format!("{} {} [main] {class} - {message}", at.rfc3339(), word(level)),
            log_id: start.id.clone(),
            source_id: source_id(&system).to_string(),
            tags: vec![category.clone(), system.to_lowercase()],
            at,
            level,
            message,
            category,
            metadata,
            parsed,
        }
    }

    /// The message of `log-ingestion`.
    #[cfg(feature = "kafka")]
    pub fn ingested(&self) -> Value {
        json!({
            "source_id": self.source_id, "log_id": self.log_id, "timestamp": self.at.rfc3339(), "raw_log": self.raw,
            "metadata": self.metadata,
        })
    }

    /// The message of `log-processing`, and the document of `engineering_logs`.
    pub fn processed(&self) -> Value {
        json!({
            "log_id": self.log_id, "source_id": self.source_id, "timestamp": self.at.rfc3339(), "level": word(self.level),
            "message": self.message, "raw_log": self.raw, "category": self.category, "tags": self.tags,
            "parsed_fields": self.parsed, "metadata": self.metadata, "processing_status": "processed",
        })
    }

    /// The alert that it raises: one of ten errors does.
    pub fn alert(&self) -> Option<Value> {
        let is_error = self.level >= Level::Error;
        let chosen = self.log_id.bytes().map(u32::from).sum::<u32>() % 10 == 0;
        (is_error && chosen).then(|| {
            json!({
                "alert_id": uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, self.log_id.as_bytes()).to_string(),
                "title": format!("{} failed", self.metadata["service"].as_str().unwrap_or("a service")), "description": self.message,
                "severity": if self.level > Level::Error { "CRITICAL" } else { "HIGH" }, "status": "OPEN", "source_id": self.source_id,
                "log_entry_id": self.log_id, "rule_id": source_id("error-rule").to_string(), "triggered_at": self.at.rfc3339(),
                "metadata": { "service": self.metadata["service"] },
            })
        })
    }
}

/// The activity of a step at which a logger that writes once writes; none at its start.
pub fn ended(step: &WriteStep) -> Option<(&Start, &Outcome)> {
    match step {
        WriteStep::Start(_) => None,
        WriteStep::Complete(start, outcome) | WriteStep::Finished(start, outcome) => Some((start, outcome)),
    }
}
