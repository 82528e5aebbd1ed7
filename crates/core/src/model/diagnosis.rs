//! What an examination of a source has found, each thing with what to do about it.

use serde::Serialize;

/// How bad a diagnosis is. Best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Works, and should be changed.
    Warning,
    /// Does not work, or loses something.
    Problem,
}

impl Grade {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// How bad.
    pub grade: Grade,
    /// What was looked at: `address`, `permissions`, `indexes`.
    pub topic: &'static str,
    /// What was found, with numbers.
    pub text: String,
    /// What to do: a statement, a command, a setting.
    pub remedy: Option<String>,
}

impl Diagnosis {
    /// As it should be.
    pub fn ok(topic: &'static str, text: impl Into<String>) -> Self {
        Self { grade: Grade::Ok, topic, text: text.into(), remedy: None }
    }

    /// Worth knowing.
    pub fn note(topic: &'static str, text: impl Into<String>) -> Self {
        Self { grade: Grade::Note, ..Self::ok(topic, text) }
    }

    /// Should be changed, and how.
    pub fn warning(topic: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { grade: Grade::Warning, remedy: Some(remedy.into()), ..Self::ok(topic, text) }
    }

    /// Does not work, and what to do.
    pub fn problem(topic: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { grade: Grade::Problem, remedy: Some(remedy.into()), ..Self::ok(topic, text) }
    }
}

/// Days after which the documents' systems delete what they logged.
pub const RETENTION_DAYS: i64 = 90;
