//! The application: state, and `update(state, event) → effects`, which never waits. Only [`crate::runtime`] does.

mod action;
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

use crosstail_core::model::{Activity, Id, Place, SourceId, Timestamp};
use crosstail_engine::insight::Comparison;
use crosstail_source::alert::AlertStatus;
use crosstail_source::pump::PumpEvent;
use crosstail_source::{FiguresQuery, Groups, RelatedKey};
use std::sync::Arc;

/// The number of a query. A reply to an older query than the latest is dropped.
pub type Ticket = u64;

/// An input to the application.
#[derive(Debug)]
pub enum Event {
    /// An action, requested by a key, a click or a command.
    Action(Action),
    /// New text of the filter bar, and the cursor's position in bytes.
    FilterEdited(String, usize),
    /// New text of the palette.
    PaletteEdited(String),
    /// New text of the prompt.
    PromptEdited(String),
    /// Open what a text identifies, at a tab (`--open`, `--tab`).
    Open(String, Option<Tab>),
    /// A text was pasted while no text field had the focus.
    Pasted(String),
    /// New search text in the detail.
    SearchEdited(String),
    /// An event from a source.
    Pump(PumpEvent),
    /// The answer to a query.
    Reply(Ticket, Reply),
    /// Time passed.
    Tick(Timestamp),
    /// New size of the terminal in columns and rows.
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
    /// The other activity of a comparison, and the differences.
    Compared(Result<Box<(Activity, Comparison)>, String>),
    /// The results of a jq expression, as JSON texts.
    Jq(Result<Vec<String>, String>),
    /// The progress of a search in a source, and its new results.
    SearchProgress(SourceId, SearchProgress, Vec<Activity>),
    /// Activities with the same correlation or request.
    Related(Vec<Activity>),
    /// Ids whose payload matches the filter; the flag says whether that is all.
    Matched(Vec<Id>, bool),
    /// Figures from the sources, or the error.
    Figures(Box<FiguresQuery>, Result<Groups, String>),
    /// What the stores' configuration says about the opened activity.
    Explained(Box<Explanation>),
    /// A notice for the status line.
    Notice(String),
}

/// Work that the application requests.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Load a payload from its places.
    LoadPayload(Ticket, Id, Vec<Place>),
    /// Find related activities in every source.
    LoadRelated(Ticket, Vec<RelatedKey>),
    /// Look up the mappings of codes of a system, and evaluate transforms.
    Explain(Ticket, Box<ExplainRequest>),
    /// Find the activities that match a filter on payloads.
    MatchPayloads(Ticket, String),
    /// Query figures from the sources.
    Figures(Ticket, Box<FiguresQuery>),
    /// Compare two exchanges.
    Compare(Ticket, Box<CompareRequest>),
    /// Evaluate a jq expression on a JSON text.
    Jq(Ticket, String, Arc<String>),
    /// Search every source for what a text identifies.
    Find(Ticket, String),
    /// Cancel the search.
    CancelSearch,
    /// Copy a text to the clipboard.
    Copy(String),
    /// Run an external program with a text; it gets the terminal.
    RunExternal(ExternalProgram),
    /// Write marked activities as an incident: to this path with `.md` and with `.sqlite`.
    WriteIncident(String, Vec<Mark>),
    /// Change an alert in its stores.
    ChangeAlert(Box<AlertEdit>),
    /// Write the screen as a report to this path; the extension sets the format.
    Report(String, Box<crosstail_export::Report>),
    /// Write the commented configuration file.
    WriteConfig,
    /// Read keymap and theme files again.
    Reload,
    /// Suspend the process.
    Suspend,
    /// Switch the mouse on or off.
    Mouse(bool),
    /// Redraw the whole screen.
    Redraw,
    /// Quit.
    Quit,
}

/// A change to an alert in a store.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertEdit {
    /// Id of the alert.
    pub id: String,
    /// Places that hold the alert.
    pub places: Vec<Place>,
    /// The new status.
    pub to: AlertStatus,
    /// Who makes the change.
    pub by: String,
}

/// Two exchanges to compare.
#[derive(Debug, PartialEq)]
pub struct CompareRequest {
    /// The left side.
    pub left: Activity,
    /// Payload of the left side, if it is loaded.
    pub opened: Option<Arc<PreparedPayload>>,
    /// The right side.
    pub right: CompareWith,
}

/// The right side of a comparison.
#[derive(Debug, PartialEq)]
pub enum CompareWith {
    /// A known activity.
    Known(Box<Activity>),
    /// The newest activity in any source that matches a filter and starts before a moment.
    Newest(String, Timestamp),
}

/// A run of an external program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalProgram {
    pub program: Program,
    /// The text that it gets.
    pub text: String,
    /// Extension of the file that holds the text: `json`, `md`, `txt`.
    pub ending: &'static str,
}

/// An external program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// `$VISUAL` or `$EDITOR`.
    Editor,
    /// `$PAGER`.
    Pager,
    /// A shell command that reads the text on standard input.
    Pipe(String),
}
