#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! | for | there is |
//! | --- | --- |
//! | services that record their calls | [`Recorder`], [`Start`], [`Outcome`]; [`Correlation`], [`RetryPolicy`] |
//! | writing many activities, or a writer of your own | [`mod@write`]: [`Writer`](write::Writer) and one for each store |
//! | the tables of the systems | [`mod@write::table`] |
//! | simulated traffic, for demonstrations and tests | `simulate` (feature `simulate`) |

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
pub use policy::{Backoff, Jitter, RetryPolicy};
pub use recorder::{OnError, RecordedCall, Recorder, RecorderOptions};
#[cfg(feature = "sqlite")]
pub use sqlite::{PreparedRow, SqliteRecorder};
pub use truncate::{MAX_BODY_BYTES, truncate_body};

pub use crosstail_core::model::{Clock, Direction, Kind, Level, Status, Timestamp};
use crosstail_core::model::{redact_id, redact_json, redact_text};
use serde_json::Value;
use std::sync::Arc;

/// What is known when an activity starts. Only `system` has to be set; see [`Correlation::start`] for a call out.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Identity of the activity. The [`Recorder`] fills in a random UUID where it is empty. In a column of UUIDs, any
    /// other text becomes the version 5 UUID of it.
    pub id: String,
    /// Request id, where it differs from the identity.
    pub request_id: Option<String>,
    /// What kind of work it is.
    pub kind: Option<Kind>,
    /// Out to another system, in from one, or neither.
    pub direction: Option<Direction>,
    /// Severity. An activity that has one is a log line: it has no outcome of its own.
    pub level: Option<Level>,
    /// The external system or service.
    pub system: String,
    /// Address without ids, or the code of the endpoint: what calls are grouped by.
    pub endpoint: Option<String>,
    /// HTTP method.
    pub method: Option<String>,
    /// Full address. Credentials in it are redacted.
    pub url: Option<String>,
    /// What happens, in words.
    pub message: Option<String>,
    /// What is being done: `CREATE`, `sync_import`.
    pub operation: Option<String>,
    /// Business entity, its type first: `PO PO-4711`.
    pub entity: Option<String>,
    /// Who triggered it.
    pub actor: Option<String>,
    /// Organisation or tenant that it is done for.
    pub organization: Option<String>,
    /// Address of the caller; see [`ip_address`].
    pub ip_address: Option<std::net::IpAddr>,
    /// Shared by all activities of a trace. One that is a credential becomes a number.
    pub correlation_id: Option<String>,
    /// The request that caused this one, or that this one is the next attempt of. One that is a credential becomes a number.
    pub parent_request_id: Option<String>,
    /// Number of the attempt, from 1.
    pub attempt: Option<u16>,
    /// How many attempts the policy allows, the first one included.
    pub max_attempts: Option<u16>,
    /// Request headers, as a JSON object. Redacted.
    pub request_headers: Option<Value>,
    /// Request body. Redacted, and truncated to [`MAX_BODY_BYTES`].
    pub request_body: Option<Value>,
    /// Everything else, as a JSON object. Redacted.
    pub metadata: Option<Value>,
    /// When it started, in microseconds since 1970 in UTC. The [`Recorder`] fills in the present where it is 0.
    pub started_at: Timestamp,
}

/// How an activity ended.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What became of it; `None` for a log line.
    pub status: Option<Status>,
    /// HTTP status of the response.
    pub http_status: Option<u16>,
    /// Response headers, as a JSON object. Redacted.
    pub response_headers: Option<Value>,
    /// Response body. Redacted, and truncated to [`MAX_BODY_BYTES`].
    pub response_body: Option<Value>,
    /// Text of the error. Redacted.
    pub error: Option<String>,
    /// Class or code of the error.
    pub error_type: Option<String>,
    /// Stack trace of the error. Redacted.
    pub error_stack: Option<String>,
    /// What happened, in words; replaces the start's.
    pub message: Option<String>,
    /// When it ended, in microseconds since 1970 in UTC; `None` for a log line, which has no duration. The [`Recorder`]
    /// fills in the present.
    pub completed_at: Option<Timestamp>,
    /// When the next attempt is due. The [`Recorder`] fills it in by its [`RetryPolicy`].
    pub next_retry_at: Option<Timestamp>,
}

/// One write in the life of an activity. A log line, which has no outcome, is written once.
#[derive(Debug, Clone)]
pub enum WriteStep {
    /// It has started.
    Start(Arc<Start>),
    /// It had started, and has ended.
    Complete(Arc<Start>, Arc<Outcome>),
    /// It has started and ended, and is written once.
    Finished(Arc<Start>, Arc<Outcome>),
}

impl WriteStep {
    /// What was known at the start.
    pub fn start(&self) -> &Start {
        match self {
            Self::Start(start) | Self::Complete(start, _) | Self::Finished(start, _) => start,
        }
    }
}

/// A body of an activity as it may be stored: without secrets, and not longer than [`MAX_BODY_BYTES`]. `side` is
/// `request` or `response`. One that is truncated has a reference of the form `payloads/ID/SIDE`, which is where a service
/// that stores full bodies elsewhere puts them.
pub fn safe_body(body: &Value, id: &str, side: &str) -> Value {
    truncate_body(redact_json(body), &format!("payloads/{id}/{side}"))
}

/// A JSON value as text, without secrets.
pub fn safe_json(value: &Value) -> String {
    redact_json(value).to_string()
}

/// An id that activities share, without secrets: equal ones stay equal within a process.
pub fn safe_id(id: &str) -> String {
    redact_id(id).into_owned()
}

/// A text without secrets.
pub fn safe_text(text: &str) -> String {
    redact_text(text).into_owned()
}
