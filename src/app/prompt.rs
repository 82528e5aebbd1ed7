//! A prompt for one line: an expression, a note, a command, a file.

use crosstail_core::model::Activity;

/// What the line is for.
#[derive(Debug, Clone, PartialEq)]
pub enum PromptKind {
    /// A jq expression over the open body.
    Jq,
    /// A note on an activity.
    Note(Box<Activity>),
    /// A shell command to pipe to.
    Pipe,
    /// The path of an incident.
    Bundle,
    /// The path of a report.
    Report,
}

impl PromptKind {
    /// The title of the prompt.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Jq => "jq over this body",
            Self::Note(_) => "note",
            Self::Pipe => "pipe to a command",
            Self::Bundle => "write the incident to",
            Self::Report => "write this screen as a report to",
        }
    }

    /// Hint under the prompt: what to type.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Jq => ".items[] | select(.qty > 3) | .sku      empty: the full body again",
            Self::Note(_) => "stored with the mark and written into the incident",
            Self::Pipe => "jq .error | less      secrets are redacted",
            Self::Report => "a path ending in .html, .csv or .json; secrets are redacted",
            Self::Bundle => "a path without extension: writes .md and .sqlite; secrets are redacted",
        }
    }
}

/// State of the prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// What it is for.
    pub purpose: PromptKind,
    /// The text typed.
    pub text: String,
}
