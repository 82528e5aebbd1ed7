//! The application: state, and `update(state, event) → effects`, which never waits. Only [`crate::runtime`] does.

mod alerts;
mod detail;
mod filter_bar;
mod find;
mod health;
mod histogram;
mod list;
mod palette;
mod prompt;
mod reports;
mod state;
mod system;
mod update;

pub use alerts::{AlertLine, AlertOrigin, LineState, of_activity, of_rule};
pub use detail::{Detail, Jq, Loadable, SideBySide, Tab};
pub use filter_bar::FilterBar;
pub use find::Search;
pub use health::{HEALTH_WINDOWS_US, HealthView};
pub use histogram::HistogramPanel;
pub use list::{COLUMNS, List};
pub use palette::{Palette, PaletteCommand, PaletteItem};
pub use prompt::{Prompt, PromptKind};
pub use state::{AppState, FacetPanel, Focus, Notice, Overlay, Screen, Toggles, ViewSnapshot};
pub use system::{Heatmap, LATENCY_BUCKETS_MS, Section, SystemLine, SystemView};
pub use update::update;

use crate::action::Action;
use crate::effect::{Reply, Ticket};
use crosstail_core::model::Timestamp;
use crosstail_source::pump::PumpEvent;

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
