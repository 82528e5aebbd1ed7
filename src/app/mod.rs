//! The application: state, and `update(state, event) → effects`, which never waits. Only [`crate::runtime`] does.

mod action;
pub mod alerting;
mod alerts;
mod detail;
mod filter_bar;
mod find;
mod health;
mod histogram;
mod list;
mod palette;
mod prepared;
mod prompt;
mod reports;
mod state;
mod system;
mod update;

pub use action::Action;
pub use alerts::{AlertLine, AlertOrigin, LineState, of_activity, of_rule};
pub use detail::{Detail, ExplainRequest, Explanation, Jq, Loadable, SideBySide, Tab, TransformResult};
pub use filter_bar::FilterBar;
pub use find::{Search, SearchProgress, is_named, rank};
pub use health::{HEALTH_WINDOWS_US, HealthView};
pub use histogram::HistogramPanel;
pub use list::{COLUMNS, List};
pub use palette::{Palette, PaletteCommand, PaletteItem};
pub use prepared::{PayloadSection, PreparedPayload, missing};
pub use prompt::{Prompt, PromptKind};
pub use state::{AppState, FacetPanel, Focus, Mark, Notice, Overlay, Screen, SourceStatus, Toggles, ViewSnapshot};
pub use system::{Heatmap, LATENCY_BUCKETS_MS, Section, SystemLine, SystemView};
pub use update::update;

use alerting::FiguresQuery;
use crosstail_core::model::{Activity, Id, Place, SourceId, Timestamp};
use crosstail_engine::insight::Comparison;
use crosstail_source::alert::AlertStatus;
use crosstail_source::pump::PumpEvent;
use crosstail_source::{Groups, RelatedKey};
use std::sync::Arc;

/// Number of a query: a reply to an older one than the newest is dropped.
pub type Ticket = u64;

/// What happens to the application.
#[derive(Debug)]
pub enum Event {
    /// A key, a click or a command asked for this.
    Action(Action),
    /// The text of the filter bar is now this, with the cursor at a byte.
    FilterEdited(String, usize),
    /// The text of the palette is now this.
    PaletteEdited(String),
    /// The text of the prompt is now this.
    PromptEdited(String),
    /// Open what a text identifies, at a tab.
    Open(String, Option<Tab>),
    /// A text was pasted where nothing is being typed.
    Pasted(String),
    /// The text searched for in the detail is now this.
    SearchEdited(String),
    /// A source says something.
    Pump(PumpEvent),
    /// A query was answered.
    Reply(Ticket, Reply),
    /// Time passed.
    Tick(Timestamp),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// A click at a row of the list, counted from its top.
    ClickList(usize),
    /// A click at a column of the histogram.
    ClickHistogram(usize),
}

/// The answer to an effect.
#[derive(Debug)]
pub enum Reply {
    /// The payload of an opened activity.
    Payload(Result<Arc<PreparedPayload>, String>),
    /// The other of a comparison, and what differs.
    Compared(Result<Box<(Activity, Comparison)>, String>),
    /// What a jq expression gives: JSON texts.
    Jq(Result<Vec<String>, String>),
    /// How far a source is with a search, and what it found since.
    SearchProgress(SourceId, SearchProgress, Vec<Activity>),
    /// Activities that share its correlation or request.
    Related(Vec<Activity>),
    /// Ids that match the filter by their payload, so far; whether that is all.
    Matched(Vec<Id>, bool),
    /// Figures of the sources, or why there are none.
    Figures(Box<FiguresQuery>, Result<Groups, String>),
    /// What configuration says about the opened activity.
    Explained(Box<Explanation>),
    /// A text for the notice line.
    Notice(String),
}

/// What the application wants done.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Load a payload from its places.
    LoadPayload(Ticket, Id, Vec<Place>),
    /// Find related activities in every source.
    LoadRelated(Ticket, Vec<RelatedKey>),
    /// Look up the mappings of codes of a system, and evaluate transforms.
    Explain(Ticket, Box<ExplainRequest>),
    /// Let the sources say which activities match a filter that looks into payloads.
    MatchPayloads(Ticket, String),
    /// Let the sources count.
    Figures(Ticket, Box<FiguresQuery>),
    /// Compare two exchanges.
    Compare(Ticket, Box<CompareRequest>),
    /// Evaluate a jq expression on a JSON text.
    Jq(Ticket, String, Arc<String>),
    /// Look for what a text identifies, in every source.
    Find(Ticket, String),
    /// The search is not wanted any more.
    CancelSearch,
    /// Put a text into the clipboard.
    Copy(String),
    /// Let another program have the terminal and a text.
    RunExternal(ExternalProgram),
    /// Write marked activities as an incident: to this path with `.md` and with `.sqlite`.
    WriteIncident(String, Vec<Mark>),
    /// Change an alert in its stores.
    ChangeAlert(Box<AlertEdit>),
    /// Write the screen as a report to this path; its ending says the form.
    Report(String, Box<crosstail_export::Report>),
    /// Write the commented configuration file.
    WriteConfig,
    /// Read keymap and theme files again.
    Reload,
    /// Stop the process until it is continued.
    Suspend,
    /// Switch the mouse on or off.
    Mouse(bool),
    /// Draw everything anew.
    Redraw,
    /// End.
    Quit,
}

/// A change of an alert that a store holds.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertEdit {
    /// The alert.
    pub id: String,
    /// Where it is.
    pub places: Vec<Place>,
    /// What it is changed to.
    pub to: AlertStatus,
    /// Who says so.
    pub by: String,
}

/// Two exchanges to be compared.
#[derive(Debug, PartialEq)]
pub struct CompareRequest {
    /// On the left.
    pub left: Activity,
    /// Its payload, where it is loaded.
    pub opened: Option<Arc<PreparedPayload>>,
    /// On the right.
    pub right: CompareWith,
}

/// The right side of a comparison.
#[derive(Debug, PartialEq)]
pub enum CompareWith {
    /// This one.
    Known(Box<Activity>),
    /// The newest that this filter keeps, before this moment, in any source.
    Newest(String, Timestamp),
}

/// Another program that is given the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalProgram {
    /// Which.
    pub program: Program,
    /// What it is given.
    pub text: String,
    /// Ending of the file that it is given in: `json`, `md`, `txt`.
    pub ending: &'static str,
}

/// A program outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// `$VISUAL` or `$EDITOR`.
    Editor,
    /// `$PAGER`.
    Pager,
    /// A command of the shell, which reads the text.
    Pipe(String),
}
