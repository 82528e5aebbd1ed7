//! The application: state, and `update(state, event) → effects`, which never waits. Only [`runtime`] does.

mod action;
mod detail;
mod filter_bar;
mod list;
mod palette;
pub mod runtime;
mod state;
mod tree;
mod update;

pub use action::Action;
pub use detail::{Ask, Detail, Explained, Load, Tab, Transformed};
pub use filter_bar::FilterBar;
pub use list::{COLUMNS, List};
pub use palette::{Palette, PaletteItem, Run};
pub use state::{
    FacetPanel, Focus, HistogramPanel, Notice, Overlay, Screen, SourceStatus, State, Toggles, ViewSnapshot,
};
pub use tree::{Line, Part, Tree, TreeState};
pub use update::update;

use crate::model::{Activity, Id, Payload, Place, Timestamp};
use crate::source::RelatedKey;
use crate::source::pump::PumpEvent;

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
    Payload(Result<Box<Payload>, String>),
    /// Activities that share its correlation or request.
    Related(Vec<Activity>),
    /// Ids that match the filter by their payload, so far; whether that is all.
    Matched(Vec<Id>, bool),
    /// What configuration says about the opened activity.
    Explained(Box<Explained>),
    /// A text for the notice line.
    Said(String),
}

/// What the application wants done.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Load a payload from its places.
    LoadPayload(Ticket, Id, Vec<Place>),
    /// Find related activities in every source.
    LoadRelated(Ticket, Vec<RelatedKey>),
    /// Look up the mappings of codes of a system, and evaluate transforms.
    Explain(Ticket, Box<Ask>),
    /// Let the sources say which activities match a filter that looks into payloads.
    Match(Ticket, String),
    /// Put a text into the clipboard.
    Copy(String),
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
