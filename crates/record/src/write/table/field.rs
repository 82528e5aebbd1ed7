//! The values of an activity that a column can get.

use super::super::entity;
use super::super::log::{self, Engineering};
use crate::{Outcome, Start};
use crosstail_core::model::{Direction, Kind, Level, Status, Timestamp, redact_id};
use serde_json::{Number, Value, json};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::LazyLock;

/// A value of an activity, as descriptions of tables name it. Text that may hold a secret is redacted wherever it is
/// written: that is a property of the value, and no description can switch it off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// `id`: the identity of the activity.
    Id,
    /// `request_id`, where it differs from the identity.
    RequestId,
    /// `correlation_id`: shared by a trace. Redacted, to a number.
    CorrelationId,
    /// `parent_request_id`: the request that caused this one. Redacted, to a number.
    ParentRequestId,
    /// `system`: the external system or service. Redacted.
    System,
    /// `endpoint`: the address without ids. Redacted.
    Endpoint,
    /// `method`: the HTTP method. Redacted.
    Method,
    /// `url`: the full address. Redacted.
    Url,
    /// `operation`: what is done. Redacted.
    Operation,
    /// `actor`: who triggered it. Redacted.
    Actor,
    /// `kind`: a word of [`Kind`].
    Kind,
    /// `direction`: a word of [`Direction`].
    Direction,
    /// `entity_type`: `PO` of `PO PO-4711`. Redacted.
    EntityType,
    /// `entity_id`: `PO-4711` of `PO PO-4711`. Redacted.
    EntityId,
    /// `ip_address`: where it came from.
    IpAddress,
    /// `user_agent`: the request header of that name. Redacted.
    UserAgent,
    /// `attempt`: which attempt it is, from 1.
    Attempt,
    /// `max_attempts`: how many attempts the policy allows.
    MaxAttempts,
    /// `request_headers`: an object. Redacted.
    RequestHeaders,
    /// `request_body`. Redacted and truncated.
    RequestBody,
    /// `metadata`: everything else. Redacted.
    Metadata,
    /// `metadata.NAME`: one value of the metadata. Redacted.
    MetadataValue(String),
    /// `started_at`.
    StartedAt,
    /// `status`: a word of [`Status`]; `in_progress` without an outcome.
    Status,
    /// `status_or_error`: the status, where a failure that got no HTTP status is `error`: nobody answered.
    StatusOrError,
    /// `is_success`: whether the outcome is a success; none before it is known.
    IsSuccess,
    /// `http_status`.
    HttpStatus,
    /// `response_headers`: an object. Redacted.
    ResponseHeaders,
    /// `response_body`. Redacted and truncated.
    ResponseBody,
    /// `error`: the error's text. Redacted.
    Error,
    /// `error_type`: its class or code. Redacted.
    ErrorType,
    /// `error_stack`: its stack trace. Redacted.
    ErrorStack,
    /// `completed_at`.
    CompletedAt,
    /// `duration_ms`: from start to end, in milliseconds rounded down; never below 0.
    DurationMs,
    /// `next_retry_at`: when the next attempt is due.
    NextRetryAt,
    /// `logged_at`: when a logger that writes once writes: at the end, or at the time of a log line.
    LoggedAt,
    /// `level`: a word of [`Level`], derived from the outcome where the activity is no log line.
    Level,
    /// `message`: the error, else what happened, else what is done. Redacted.
    Message,
    /// `log_tags`: the tags of an engineering log: its kind and its service.
    LogTags,
    /// `log_metadata`: the metadata of an engineering log: host, service, ids, duration.
    LogMetadata,
    /// `log_size_bytes`: the length of an engineering log as a line of text, in bytes of UTF-8.
    LogSizeBytes,
}

impl Field {
    /// The fields that have a name of their own.
    const NAMES: &'static [(&'static str, Self)] = &[
        ("id", Self::Id),
        ("request_id", Self::RequestId),
        ("correlation_id", Self::CorrelationId),
        ("parent_request_id", Self::ParentRequestId),
        ("system", Self::System),
        ("endpoint", Self::Endpoint),
        ("method", Self::Method),
        ("url", Self::Url),
        ("operation", Self::Operation),
        ("actor", Self::Actor),
        ("kind", Self::Kind),
        ("direction", Self::Direction),
        ("entity_type", Self::EntityType),
        ("entity_id", Self::EntityId),
        ("ip_address", Self::IpAddress),
        ("user_agent", Self::UserAgent),
        ("attempt", Self::Attempt),
        ("max_attempts", Self::MaxAttempts),
        ("request_headers", Self::RequestHeaders),
        ("request_body", Self::RequestBody),
        ("metadata", Self::Metadata),
        ("started_at", Self::StartedAt),
        ("status", Self::Status),
        ("status_or_error", Self::StatusOrError),
        ("is_success", Self::IsSuccess),
        ("http_status", Self::HttpStatus),
        ("response_headers", Self::ResponseHeaders),
        ("response_body", Self::ResponseBody),
        ("error", Self::Error),
        ("error_type", Self::ErrorType),
        ("error_stack", Self::ErrorStack),
        ("completed_at", Self::CompletedAt),
        ("duration_ms", Self::DurationMs),
        ("next_retry_at", Self::NextRetryAt),
        ("logged_at", Self::LoggedAt),
        ("level", Self::Level),
        ("message", Self::Message),
        ("log_tags", Self::LogTags),
        ("log_metadata", Self::LogMetadata),
        ("log_size_bytes", Self::LogSizeBytes),
    ];

    /// Whether the outcome of an activity can change it.
    pub fn is_of_outcome(&self) -> bool {
        use Field as F;
        matches!(
            self,
            F::Status
                | F::StatusOrError
                | F::IsSuccess
                | F::HttpStatus
                | F::ResponseHeaders
                | F::ResponseBody
                | F::Error
                | F::ErrorType
                | F::ErrorStack
                | F::CompletedAt
                | F::DurationMs
                | F::NextRetryAt
                | F::LoggedAt
                | F::Level
                | F::Message
                | F::LogTags
                | F::LogMetadata
                | F::LogSizeBytes
        )
    }
}

impl TryFrom<String> for Field {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if let Some(member) = name.strip_prefix("metadata.") {
            return Ok(Self::MetadataValue(member.to_owned()));
        }
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|(_, field)| field.clone()).ok_or_else(|| format!("an activity has no value '{name}'"))
    }
}

impl<'de> serde::Deserialize<'de> for Field {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A value as the activity has it.
pub(super) enum Datum<'a> {
    /// Text that may hold a secret.
    Text(Cow<'a, str>),
    /// Text that holds none: a word, an id, a name.
    Word(Cow<'a, str>),
    Number(Number),
    Boolean(bool),
    Time(Timestamp),
    /// JSON that may hold secrets.
    Json(&'a Value),
    /// A body: JSON that may hold secrets and may be too long; its side.
    Body(&'a Value, &'static str),
    /// JSON that was made here.
    Made(Value),
}

/// An activity, as it is asked for values.
pub(super) struct Facts<'a> {
    pub(super) start: &'a Start,
    outcome: Option<&'a Outcome>,
    /// The outcome, or an empty one.
    end: &'a Outcome,
    status: Option<Status>,
    log: OnceCell<Engineering>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(start: &'a Start, outcome: Option<&'a Outcome>, assumed: Option<Status>) -> Self {
        static NONE: LazyLock<Outcome> = LazyLock::new(Outcome::default);
        let status = outcome.map_or(Some(Status::InProgress), |outcome| outcome.status.or(assumed));
        Self { start, outcome, end: outcome.unwrap_or(&NONE), status, log: OnceCell::new() }
    }

    fn log(&self) -> &Engineering {
        self.log.get_or_init(|| Engineering::of(self.start, self.end))
    }

    pub(super) fn value(&self, field: &Field) -> Option<Datum<'a>> {
        let (start, end) = (self.start, self.end);
        let text = |text: &'a Option<String>| text.as_deref().map(|text| Datum::Text(Cow::Borrowed(text)));
        let id = |text: &'a Option<String>| text.as_deref().map(word);
        let shared = |id: &'a Option<String>| id.as_deref().map(|id| Datum::Word(redact_id(id)));
        let number = |number: Option<u16>| number.map(|number| Datum::Number(number.into()));
        let json = |value: &'a Option<Value>| value.as_ref().map(Datum::Json);
        match field {
            Field::Id => Some(word(&start.id)),
            Field::RequestId => id(&start.request_id),
            Field::CorrelationId => shared(&start.correlation_id),
            Field::ParentRequestId => shared(&start.parent_request_id),
            Field::System => Some(any(&start.system)),
            Field::Endpoint => text(&start.endpoint),
            Field::Method => text(&start.method),
            Field::Url => text(&start.url),
            Field::Operation => text(&start.operation),
            Field::Actor => text(&start.actor),
            Field::Kind => start.kind.map(Kind::as_str).map(word),
            Field::Direction => start.direction.map(Direction::as_str).map(word),
            Field::EntityType => entity(start).0.map(|text| Datum::Word(Cow::Owned(text))),
            Field::EntityId => entity(start).1.map(|text| Datum::Word(Cow::Owned(text))),
            Field::IpAddress => start.ip_address.map(|ip| Datum::Word(Cow::Owned(ip.to_string()))),
            Field::UserAgent => {
                let headers = start.request_headers.as_ref()?;
                headers["User-Agent"].as_str().or(headers["user-agent"].as_str()).map(any)
            }
            Field::Attempt => number(start.attempt),
            Field::MaxAttempts => number(start.max_attempts),
            Field::RequestHeaders => json(&start.request_headers),
            Field::RequestBody => start.request_body.as_ref().map(|body| Datum::Body(body, "request")),
            Field::Metadata => json(&start.metadata),
            Field::MetadataValue(name) => start.metadata.as_ref()?.get(name).map(Datum::Json),
            Field::StartedAt => Some(Datum::Time(start.started_at)),
            Field::Status => self.status.map(Status::as_str).map(word),
            Field::StatusOrError => self.status.map(|status| match status {
                Status::Failed if end.http_status.is_none() => word("error"),
                status => word(status.as_str()),
            }),
            Field::IsSuccess => self.outcome.map(|_| Datum::Boolean(self.status == Some(Status::Success))),
            Field::HttpStatus => number(end.http_status),
            Field::ResponseHeaders => json(&end.response_headers),
            Field::ResponseBody => end.response_body.as_ref().map(|body| Datum::Body(body, "response")),
            Field::Error => text(&end.error),
            Field::ErrorType => text(&end.error_type),
            Field::ErrorStack => text(&end.error_stack),
            Field::CompletedAt => end.completed_at.map(Datum::Time),
            Field::DurationMs => log::duration_ms(start, end).map(|ms| Datum::Number(ms.into())),
            Field::NextRetryAt => end.next_retry_at.map(Datum::Time),
            Field::LoggedAt => Some(Datum::Time(log::logged_at(start, end))),
            Field::Level => Some(word(Level::as_str(log::level(start, end)))),
            Field::Message => Some(Datum::Word(Cow::Owned(log::message(start, end)))),
            Field::LogTags => Some(Datum::Made(json!(self.log().tags))),
            Field::LogMetadata => Some(Datum::Made(self.log().metadata.clone())),
            Field::LogSizeBytes => Some(Datum::Number(self.log().raw.len().into())),
        }
    }
}

fn any(text: &str) -> Datum<'_> {
    Datum::Text(Cow::Borrowed(text))
}

fn word(text: &str) -> Datum<'_> {
    Datum::Word(Cow::Borrowed(text))
}
