//! What is said of a source that cannot be read.

use crate::explain::code_of;
use crate::ingest::SourceStatus;
use crosstail_core::model::{Timestamp, visible_line};
use crosstail_source::pump::SourceState;

/// Why a source cannot be read, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Why, without the name of the source, and the code of the error.
    pub why: String,
    /// When it is tried again, if it is.
    pub next: Option<String>,
    /// How to read more about the error.
    pub help: Option<String>,
}

/// What is said of a source at a moment; `None` while it can be read.
pub fn failing(source: &SourceStatus, now: Timestamp) -> Option<Failing> {
    let (error, next) = match &source.state {
        SourceState::Waiting { until, error } => {
            let seconds = until.since_us(now).max(0) / 1_000_000;
            (error, Some(if seconds == 0 { "trying again".to_owned() } else { format!("next try in {seconds} s") }))
        }
        SourceState::Failed { error } => (error, None),
        _ => return None,
    };
    let code = code_of(error);
    let error = visible_line(error);
    // Errors of sources begin with the name.
    let why = error.strip_prefix(&format!("{}: ", visible_line(&source.name))).unwrap_or(&error);
    let why = code.map_or_else(|| why.to_owned(), |code| format!("{why} [{code}]"));
    Some(Failing { why, next, help: code.map(|code| format!("crosstail help {code} says what to do")) })
}
