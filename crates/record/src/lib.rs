//! Writing activities, as the systems themselves do: start → outcome, redacted, truncated, with retries planned.
//!
//! An error in recording never breaks the caller: [`Recorder`] returns none, everything else returns it, and nothing panics.
//!
//! | for | there is |
//! | --- | --- |
//! | services that log their calls | [`Recorder`]: `start`, `complete`, `complete_full`; [`Correlation`], [`RetryPolicy`] |
//! | traffic that is made up | [`simulate`], [`mod@write`] |
//!
//! The program `examples/record.rs` is the recorder at work.

#![warn(missing_docs)]

mod correlation;
mod policy;
mod recorder;
#[cfg(feature = "simulate")]
pub mod simulate;
#[cfg(feature = "sqlite")]
mod sqlite;
mod truncate;
pub mod write;

pub use correlation::{Correlation, ip_address};
pub use policy::{Backoff, RetryPolicy};
pub use recorder::{OnError, RecordedCall, Recorder, RecorderOptions};
#[cfg(feature = "sqlite")]
pub use sqlite::{PreparedRow, SqliteRecorder};
pub use truncate::{MAX_BODY_BYTES, truncate_body};

use crosstail_core::model::{Direction, Kind, Level, Status, Timestamp, redact_json, redact_text};
use serde_json::Value;
use std::sync::Arc;

/// What is known when an activity starts. Times are UTC.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// The identity of the activity.
    pub id: String,
    /// Request id, where it is another than the identity.
    pub request_id: Option<String>,
    /// What sort of work.
    pub kind: Option<Kind>,
    /// Which way.
    pub direction: Option<Direction>,
    /// Severity, for a log line.
    pub level: Option<Level>,
    /// The external system or service.
    pub system: String,
    /// Address without ids.
    pub endpoint: Option<String>,
    /// HTTP method.
    pub method: Option<String>,
    /// Full address.
    pub url: Option<String>,
    /// What happens, in words.
    pub message: Option<String>,
    /// What is being done.
    pub operation: Option<String>,
    /// Business entity.
    pub entity: Option<String>,
    /// Who triggered it.
    pub actor: Option<String>,
    /// Where it came from.
    pub ip_address: Option<std::net::IpAddr>,
    /// Shared by a trace.
    pub correlation_id: Option<String>,
    /// The request that caused, or is retried by, this one.
    pub parent_request_id: Option<String>,
    /// Which try, from 1.
    pub attempt: Option<u16>,
    /// How many tries the policy allows.
    pub max_attempts: Option<u16>,
    /// Request headers.
    pub request_headers: Option<Value>,
    /// Request body.
    pub request_body: Option<Value>,
    /// Everything else.
    pub metadata: Option<Value>,
    /// When.
    pub started_at: Timestamp,
}

/// How an activity ended.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What became of it; `None` for a log line.
    pub status: Option<Status>,
    /// HTTP status.
    pub http_status: Option<u16>,
    /// Response headers.
    pub response_headers: Option<Value>,
    /// Response body.
    pub response_body: Option<Value>,
    /// Error text.
    pub error: Option<String>,
    /// Error class or code.
    pub error_type: Option<String>,
    /// Stack trace.
    pub error_stack: Option<String>,
    /// What happened, in words; replaces the start's.
    pub message: Option<String>,
    /// When; `None` for a log line, which has no length.
    pub completed_at: Option<Timestamp>,
    /// When the next try is due.
    pub next_retry_at: Option<Timestamp>,
}

/// One write of an activity's life. A log line, which has no outcome, is written whole.
#[derive(Debug, Clone)]
pub enum WriteStep {
    /// It has begun.
    Start(Arc<Start>),
    /// What was begun has ended.
    Complete(Arc<Start>, Arc<Outcome>),
    /// It has begun and ended, and is written at once.
    Finished(Arc<Start>, Arc<Outcome>),
}

impl WriteStep {
    /// What it is about.
    pub fn start(&self) -> &Start {
        match self {
            Self::Start(start) | Self::Complete(start, _) | Self::Finished(start, _) => start,
        }
    }
}

/// A body of an activity, its `request` or its `response`, as it may be stored: without secrets, not over
/// [`MAX_BODY_BYTES`], with a reference to where the whole would be.
pub fn safe_body(body: &Value, id: &str, side: &str) -> Value {
    truncate_body(redact_json(body), &format!("payloads/{id}/{side}"))
}

/// A JSON value as text, without secrets.
pub fn safe_json(value: &Value) -> String {
    redact_json(value).to_string()
}

/// A text without secrets.
pub fn safe_text(text: &str) -> String {
    redact_text(text).into_owned()
}
