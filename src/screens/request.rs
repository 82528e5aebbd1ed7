//! What one part of the screen asks of the rest, so that no screen knows another.

use crate::action::Action;
use crate::config::ViewEntry;
use crate::effect::PayloadSection;
use crosstail_core::filter::{Filter, Predicate};
use crosstail_core::model::Activity;
use crosstail_engine::failure::Fingerprint;
use crosstail_engine::store::Row;

/// What one part of the screen asks of the rest. The stack carries it out.
#[derive(Debug)]
pub(super) enum Request {
    /// Close the overlay, or the screen, that asks.
    Close,
    /// Do what an action does.
    Run(Action),
    /// Search every source for what a text identifies; open it at a tab.
    Find(String, Option<Tab>),
    /// Mouse on or off.
    Mouse(bool),
    /// Ask for one line, with a text to begin with.
    Prompt(PromptKind, String),
    /// A prompt was answered.
    Answer(PromptKind, String),
    /// Show the list with a filter in force.
    Show(String),
    /// Show the list with a saved view: its filter, columns and facets.
    View(Box<ViewEntry>),
    /// Show the columns and facets that are in force now.
    LayOut,
    /// Put a filter in force, whatever is shown.
    Filter(String),
    /// Put the filter in force that is being typed, compiled for now.
    Apply(Filter, Box<Predicate>),
    /// Add the view to the history: its filter is typed.
    Remember,
    /// Search the filters that were used for a text.
    History(String),
    /// A filter that was used before was chosen: to go on typing, or else to put in force.
    Recall(String),
    /// Open an activity beside the list, at a tab. Without a row, it is not in memory and comes from its store.
    Open(Option<Row>, Box<Activity>, Option<Tab>),
    /// Show the links and commands for an activity.
    Tools(Box<Activity>),
    /// Close the opened activity.
    CloseDetail,
    /// Give a panel of the list's screen the keys.
    Focus(Focus),
}

/// The panel that receives keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    List,
    Facets,
    Histogram,
    /// The opened activity.
    Detail,
    /// The filter bar.
    Filter,
}

/// The tabs of a detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// The main facts: what, when, who, how long.
    Overview,
    /// Request headers and body.
    Request,
    /// Response headers and body.
    Response,
    /// The error with its stack.
    Error,
    /// The retry chain.
    Retries,
    /// Activities with the same correlation id.
    Trace,
    /// Metadata, and the records as their stores hold them.
    Raw,
    /// Side by side with the last success, or with another attempt.
    Compare,
}

impl Tab {
    /// All tabs, in order.
    pub const ALL: &'static [Self] = &[
        Self::Overview,
        Self::Request,
        Self::Response,
        Self::Error,
        Self::Retries,
        Self::Trace,
        Self::Raw,
        Self::Compare,
    ];

    /// Name on screen and for `--tab`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Request => "request",
            Self::Response => "response",
            Self::Error => "error",
            Self::Retries => "retries",
            Self::Trace => "trace",
            Self::Raw => "raw",
            Self::Compare => "compare",
        }
    }

    /// The tab with a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|tab| tab.name() == name)
    }

    /// The part of the payload that the tab shows as a tree.
    pub const fn part(self) -> Option<PayloadSection> {
        match self {
            Self::Request => Some(PayloadSection::Request),
            Self::Response => Some(PayloadSection::Response),
            Self::Raw => Some(PayloadSection::Raw),
            _ => None,
        }
    }
}

/// What the line is for.
#[derive(Debug, Clone, PartialEq)]
pub enum PromptKind {
    /// A jq expression over the open body.
    Jq,
    /// A note on an activity.
    Note(Box<Activity>),
    /// A note on a group of failures.
    GroupNote(Box<Fingerprint>),
    /// A shell command to pipe to.
    Pipe,
    /// The path of an incident.
    Bundle,
    /// The path of a report.
    Report,
    /// A range of time.
    Range,
    /// The filter of the other set of a comparison.
    OtherSet,
    /// The name of a view that is saved.
    ViewName,
}

impl PromptKind {
    /// The title of the prompt.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Jq => "jq over this body",
            Self::Note(_) | Self::GroupNote(_) => "note",
            Self::Pipe => "pipe to a command",
            Self::Bundle => "write the incident to",
            Self::Report => "write this screen as a report to",
            Self::Range => "range of time",
            Self::OtherSet => "compare this view with",
            Self::ViewName => "save filter, columns and facets as a view with the name",
        }
    }

    /// Hint under the prompt: what to type.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Jq => ".items[] | select(.qty > 3) | .sku      empty: the full body again",
            Self::Note(_) => "stored with the mark and written into the incident",
            Self::GroupNote(_) => "kept with the group, for the next sessions, too      empty: no note",
            Self::Pipe => "jq .error | less      secrets are redacted",
            Self::ViewName => "added to your configuration; the keys 1 to 9 open views, in their order",
            Self::Report => "a path ending in .html, .csv or .json; secrets are redacted",
            Self::Range => "15m  1h  24h  7d  everything  2026-09-01..2026-09-02 · z shorter, Z longer",
            Self::OtherSet => "a filter with its time: system:SAP   time:-2h..-1h   kind:sync time:today",
            Self::Bundle => "a path without extension: writes .md and .sqlite; secrets are redacted",
        }
    }
}
