//! One line asked for: an expression, a note, a command, a file.

use crosstail_core::model::Activity;

/// What the line is for.
#[derive(Debug, Clone, PartialEq)]
pub enum PromptKind {
    /// A jq expression over the open body.
    Jq,
    /// A note on an activity.
    Note(Box<Activity>),
    /// A command that is given a text.
    Pipe,
    /// Where an incident is written.
    Bundle,
    /// Where a report is written.
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

    /// What may be typed.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Jq => ".items[] | select(.qty > 3) | .sku      empty: the whole body again",
            Self::Note(_) => "kept with the mark, and written into the incident",
            Self::Pipe => "jq .error | less      secrets are left out of what is piped",
            Self::Report => "a path: .html for people, .csv, .json; without secrets",
            Self::Bundle => "a path without ending: .md and .sqlite are written, without secrets",
        }
    }
}

/// State of the prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// What it is for.
    pub purpose: PromptKind,
    /// What was typed.
    pub text: String,
}
