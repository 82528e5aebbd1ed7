//! Errors of sources.

/// The kind of an error, which decides whether the pump retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The store cannot be reached. May pass.
    Connect,
    /// The store refuses the credentials or the permission to read.
    Auth,
    /// No response within the time limit. May pass.
    Timeout,
    /// The store refused or aborted the query. May pass.
    Query,
    /// Nobody wants the answer any more.
    Cancelled,
    /// The job has read as much as it may.
    Budget,
    /// A record or a position cannot be decoded.
    Decode,
    /// The kind of source, or the configuration, does not support the operation.
    Unsupported,
}

impl ErrorKind {
    /// Whether a retry may help.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Connect | Self::Timeout | Self::Query)
    }
}

/// An error of a source: which source, which operation, why, and what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{source_name}: {operation}: {cause}{}", hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default())]
pub struct SourceError {
    /// Name of the source as configured.
    pub source_name: String,
    /// The operation, as a verb: `read history`.
    pub operation: &'static str,
    /// Decides whether the pump retries.
    pub kind: ErrorKind,
    /// The message of the store or the system, without secrets.
    pub cause: String,
    /// What the user can do, if anything.
    pub hint: Option<String>,
}

impl SourceError {
    /// An error without a hint. The text of `cause` must not contain secrets.
    pub fn of(
        source_name: &str,
        operation: &'static str,
        (kind, hint): (ErrorKind, Option<&str>),
        cause: &impl std::fmt::Display,
    ) -> Self {
        let (source_name, hint) = (source_name.to_owned(), hint.map(str::to_owned));
        Self { source_name, operation, kind, cause: cause.to_string(), hint }
    }

    /// The error for a record that no longer exists.
    pub fn not_found(source_name: &str, what: String) -> Self {
        Self {
            source_name: source_name.to_owned(),
            operation: "load payload",
            kind: ErrorKind::Query,
            cause: format!("no {what}"),
            hint: Some("it has been deleted since it was read".to_owned()),
        }
    }
}

/// The messages of an error and of its causes, the innermost last.
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect()
}
