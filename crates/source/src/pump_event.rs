//! What the pump of a source tells the application.

use crate::probe::Probe;
use crosstail_core::model::{Activity, Catalogue, SourceId, Timestamp, Vitals};

/// The state of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceState {
    /// It connects and probes.
    Connecting,
    /// It reads the history.
    Loading,
    /// The history is complete, and it delivers changes.
    Live,
    /// It is not reachable and waits for the next attempt.
    Waiting {
        /// When the next attempt is due.
        until: Timestamp,
        /// The error of the last attempt.
        error: String,
    },
    /// It failed permanently.
    Failed {
        /// The error.
        error: String,
    },
    /// It has delivered everything and will deliver nothing more.
    Ended,
}

/// What the pump reports to the application.
#[derive(Debug)]
pub enum PumpEvent {
    /// The new state of the source.
    State(SourceId, SourceState),
    /// The result of the probe.
    Probed(SourceId, Probe),
    /// It follows from now on: what is read afterwards, and what it delivers, together miss nothing.
    Following(SourceId),
    /// Reading its history was ended before its end: what is older was not delivered.
    Interrupted(SourceId),
    /// New or changed activities.
    Batch {
        /// The source that delivered them.
        source: SourceId,
        /// The activities, in order of delivery.
        items: Vec<Activity>,
        /// Whether they come from following, not from history.
        live: bool,
    },
    /// The store's catalogue.
    Catalogue(SourceId, Catalogue),
    /// Health and metrics of the store.
    Vitals(SourceId, Vitals),
    /// A message for people.
    Notice(SourceId, String),
}

impl PumpEvent {
    /// The source that the event belongs to.
    pub const fn source(&self) -> SourceId {
        match self {
            Self::State(id, _)
            | Self::Probed(id, _)
            | Self::Following(id)
            | Self::Interrupted(id)
            | Self::Notice(id, _)
            | Self::Catalogue(id, _)
            | Self::Vitals(id, _)
            | Self::Batch { source: id, .. } => *id,
        }
    }
}
