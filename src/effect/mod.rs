//! What the screens ask of the runtime, and what it answers: data, without a screen and without I/O.

mod payload;
mod read;
mod search;
mod send;
mod tools;
mod values;

pub use payload::{PayloadSection, PreparedPayload, missing};
pub use read::{
    AtOnce, CountPart, CountQuery, Counts, HeldPage, HeldQuery, Piece, ReadPart, ReadPurpose, ReadQuery, ReportRange,
    ValuesPart, ValuesPurpose, ValuesQuery,
};
pub use search::{SearchProgress, is_named, rank};
pub use send::{SendPlan, Sendable, Sent};
pub use tools::CommandOutput;
pub use values::{PathSample, PathsFor, Placed, ValuesOf, ValuesOfPaths};

use crate::config::ViewEntry;
use crosstail_core::filter::Field;
use crosstail_core::model::{Activity, CatalogueEntry, Id, Place, SourceId, Timestamp};
use crosstail_engine::change::FoundChanges;
use crosstail_engine::failure::{Fingerprint, FoundFailures, KnownFailures, Remark};
use crosstail_engine::insight::objective::{Count, ObjectiveQuery};
use crosstail_engine::insight::{Comparison, SetContrast};
use crosstail_engine::pattern::{FoundPatterns, GapValues};
use crosstail_engine::window::Bounds;
use crosstail_memory::Keep;
use crosstail_source::alert::AlertStatus;
use crosstail_source::{FiguresQuery, Groups, RelatedKey, TableOffer};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

/// What is to be read instead of what is read now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// This table of a source.
    Table(SourceId, String),
    /// One source, by its address.
    Source(String),
    /// One source, by the address that a file of variables (`.env`) gives to this one.
    Variable(PathBuf, String),
    /// The demonstration.
    Demo,
    /// Nothing: the first page.
    FirstPage,
}

/// The number of a query. A reply to an older query than the latest is dropped.
pub type Ticket = u64;

/// The tables of a source, or why it does not say.
pub type TablesOf = (SourceId, Result<Vec<TableOffer>, String>);

/// What figures say that nobody waits for any more, instead of why they failed.
pub const CANCELLED: &str = "cancelled";

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
    Related {
        activities: Vec<Activity>,
        /// Whether there may be others, because not every store could say.
        is_partial: bool,
    },
    /// Activities that memory did not hold.
    Read(ReadPurpose, Box<ReadPart>),
    /// Work asks for what memory holds.
    Held(Box<HeldQuery>),
    /// Counts over a time that memory does not hold.
    Counted(Box<CountPart>),
    /// Values over a time that memory does not hold.
    CountedValues(Box<ValuesPart>),
    /// Figures from the sources, or the error.
    Figures(Box<FiguresQuery>, Result<Groups, String>),
    /// What the stores' configuration says about the opened activity.
    Explained(Box<Explanation>),
    /// The tables of the sources that have some.
    Tables(Vec<TablesOf>),
    /// Groups of failures, or why there are none.
    FailureGroups(Result<Box<FoundFailures>, String>),
    /// What has failed before a moment, or why that is not known.
    KnownFailures(Timestamp, Result<Box<KnownFailures>, String>),
    /// What was counted for an objective, or why it could not be.
    ObjectiveCounted(Box<ObjectiveQuery>, Result<Vec<(Timestamp, i64, Count)>, String>),
    /// Markers of the configuration, in order of time, and what is wrong with some.
    Markers(Vec<(Timestamp, String)>, Vec<String>),
    /// Changes, or why they are not known.
    Changes(Result<Box<FoundChanges>, String>),
    /// What tells two sets apart, or why that is not known.
    SetsCompared(Result<Box<SetContrast>, String>),
    /// Patterns, or why there are none.
    Patterns(Result<Box<FoundPatterns>, String>),
    /// The values of each gap of a pattern, or why they are not known.
    GapValues(Result<Vec<GapValues>, String>),
    /// Values of paths in payloads.
    PathValues(Vec<ValuesOf>),
    /// The paths that occur in a sample of payloads.
    Paths(Box<PathSample>),
    /// The requests of activities that are to be sent again.
    Sendable(Vec<Sendable>),
    /// A request was sent.
    Sent(Sent),
    /// No more requests are sent, or why.
    SendingEnded(Result<(), String>),
    /// What a command of the user's has printed.
    CommandOutput(CommandOutput),
    /// Activities that were marked in another session, as far as they were found.
    Marked(Vec<Activity>),
    /// A view was saved in a file, or why it was not.
    ViewSaved(Result<(Box<ViewEntry>, String), String>),
    /// A notice for the status line.
    Notice(String),
}

/// Work that the screens request.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Group the failures of a range.
    GroupFailures(Ticket, Box<ReportRange>),
    /// Group the failures of a range that memory holds, whatever a screen asks meanwhile.
    GroupHeld(Ticket, Box<ReportRange>),
    /// Ask what has failed in the two weeks before a moment.
    KnownFailures(Ticket, Timestamp),
    /// Count for an objective what memory does not hold.
    CountObjective(Ticket, Box<ObjectiveQuery>),
    /// Read the markers of the configuration.
    LoadMarkers(Ticket, Bounds),
    /// Find when figures changed in a range, by some fields, and whether they did when something was marked.
    FindChanges(Ticket, Box<ReportRange>, Vec<Field>, Vec<Timestamp>),
    /// Find what tells two sets apart: these, then the others.
    CompareSets(Ticket, Box<[ReportRange; 2]>),
    /// Find the patterns of a range.
    FindPatterns(Ticket, Box<ReportRange>),
    /// Count the values of the gaps of a template in a range.
    FindValues(Ticket, Box<ReportRange>, String),
    /// End grouping.
    StopGrouping,
    /// Keep what was said about a group of failures; the text is said once it is kept.
    SayOfGroup(Box<(Fingerprint, Remark, String)>),
    /// Remember something for the next session.
    Keep(Box<Keep>),
    /// Find what was marked in another session; each with the time at which it started.
    FindMarked(Ticket, Vec<(Id, Timestamp)>),
    /// Add a view to a configuration file.
    SaveView(PathBuf, Box<ViewEntry>),
    /// Load a payload from its places.
    LoadPayload(Ticket, Id, Vec<Place>),
    /// Find related activities in every source.
    LoadRelated(Ticket, Vec<RelatedKey>),
    /// End what is loaded for an activity that is closed.
    StopLoading,
    /// Load the values of paths in payloads; without activities, end loading.
    LoadValues(Ticket, Box<ValuesOfPaths>),
    /// Find the paths that occur in the payloads of activities.
    SamplePaths(Ticket, Vec<Placed>),
    /// Look up the mappings of codes of a system, and evaluate transforms.
    Explain(Ticket, Box<ExplainRequest>),
    /// Read activities that memory does not hold.
    Read(Ticket, Box<ReadQuery>),
    /// End what is read for a purpose.
    StopReading(ReadPurpose),
    /// Count over a time that memory does not hold; without intervals, end counting.
    Count(Ticket, Box<CountQuery>),
    /// Count values over a time that memory does not hold; without intervals, end counting.
    CountValues(Ticket, Box<ValuesQuery>),
    /// Query figures from the sources.
    Figures(Ticket, Box<FiguresQuery>),
    /// Query the figures of the health screen from the sources, each answered by itself; without any, end that.
    HealthFigures(Ticket, Vec<FiguresQuery>),
    /// Compare two exchanges.
    Compare(Ticket, Box<CompareRequest>),
    /// Evaluate a jq expression on a JSON text.
    Jq(Ticket, String, Arc<String>),
    /// Search every source for what a text identifies.
    Find(Ticket, String),
    /// Cancel the search.
    CancelSearch,
    /// End the job with a number.
    EndJob(u64),
    /// Load what is needed to send activities again.
    PrepareSend(Ticket, Vec<Activity>),
    /// Send requests.
    Send(Ticket, Box<SendPlan>),
    /// End sending.
    StopSending,
    /// Open an address in the browser; where there is none, copy it.
    OpenUrl(String),
    /// Run a program with its arguments.
    RunCommand(Ticket, Vec<String>),
    /// End the program.
    StopCommand,
    /// Copy a text to the clipboard.
    Copy(String),
    /// Run an external program with a text; it gets the terminal.
    RunExternal(ExternalProgram),
    /// Write marked activities as an incident.
    WriteIncident(Box<Incident>),
    /// Change an alert in its stores.
    ChangeAlert(Box<AlertEdit>),
    /// Write the screen as a report to this path; the extension sets the format. The figures of a range are counted for it.
    Report(String, Box<crosstail_export::Report>, Option<ReportRange>),
    /// List the tables of the sources.
    ListTables(Ticket),
    /// Open the explorer again, and read something else in it.
    ReadInstead(Instead),
    /// Write a schema for a table of a source into the user's folder.
    WriteDraft(SourceId, String),
    /// Write the commented configuration file.
    WriteConfig,
    /// Times that are typed from now on are of this zone.
    Zone(chrono_tz::Tz),
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

/// A request to explain an opened activity by the stores' configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainRequest {
    pub activity: Activity,
    /// Its payload; its texts may be codes.
    pub opened: Arc<PreparedPayload>,
    /// Transforms to evaluate: the side of each, and its expression.
    pub transforms: Vec<(PayloadSection, String)>,
}

/// The result of a transform.
#[derive(Debug, Clone, PartialEq)]
pub struct TransformResult {
    /// `request` or `response`.
    pub name: &'static str,
    pub expression: String,
    /// What it returns for the body, or why it fails.
    pub result: Result<Value, String>,
}

/// What the stores' configuration says about an opened activity.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Explanation {
    /// Mappings of its codes.
    pub mappings: Vec<CatalogueEntry>,
    /// Its endpoint's transforms.
    pub transforms: Vec<TransformResult>,
}

/// Marked activities, with what to say of the view in which they were marked.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Where to: this path with `.md` and with `.sqlite`.
    pub path: String,
    pub marks: Vec<Mark>,
    /// What became of the operations of the view that failed; `None` if none did.
    pub outcomes: Option<String>,
    /// When the first of them failed.
    pub since: Option<Timestamp>,
    /// The systems that fail now, since when, and whether they may have failed before that.
    pub failing: Vec<(String, Timestamp, bool)>,
    /// What the view is of. Its failures are counted in the stores.
    pub range: ReportRange,
    /// The command that opens the view again.
    pub reopen: String,
    /// Who writes it, and when.
    pub by: String,
    pub at: Timestamp,
}

/// A marked activity.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// The activity, as it was when it was marked.
    pub activity: Activity,
    /// A note; may be empty.
    pub note: String,
}
