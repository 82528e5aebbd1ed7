//! Findings of `doctor`, each with its remedy.

use serde::Serialize;

/// The severity of a diagnosis, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// No action is needed.
    Ok,
    /// Worth knowing, no action is needed.
    Note,
    /// Works but should be changed.
    Warning,
    /// Does not work, or loses data.
    Problem,
}

impl Grade {
    /// The name in JSON and text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The severity.
    pub grade: Grade,
    /// What was checked, for example `address`, `permissions` or `indexes`.
    pub topic: &'static str,
    /// What was found, with figures.
    pub text: String,
    /// The remedy: a statement, a command or a setting.
    pub remedy: Option<String>,
}

impl Diagnosis {
    /// A finding that needs no action.
    pub fn ok(topic: &'static str, text: impl Into<String>) -> Self {
        Self { grade: Grade::Ok, topic, text: text.into(), remedy: None }
    }

    /// A finding worth knowing.
    pub fn note(topic: &'static str, text: impl Into<String>) -> Self {
        Self { grade: Grade::Note, ..Self::ok(topic, text) }
    }

    /// Something that should be changed, and how.
    pub fn warning(topic: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { grade: Grade::Warning, remedy: Some(remedy.into()), ..Self::ok(topic, text) }
    }

    /// Something that does not work, and what to do.
    pub fn problem(topic: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { grade: Grade::Problem, remedy: Some(remedy.into()), ..Self::ok(topic, text) }
    }
}

/// Days after which the documented systems delete what they logged.
pub const RETENTION_DAYS: i64 = 90;
