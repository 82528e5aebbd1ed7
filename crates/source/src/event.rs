//! Updates, which following and backfilling deliver.

use crate::position::Position;
use crosstail_core::model::Activity;
use tokio::sync::mpsc;

/// What following or backfilling delivers.
#[derive(Debug)]
pub enum SourceEvent {
    /// New or changed activities, and the position after them where it is known.
    Batch(Vec<Activity>, Option<Position>),
    /// A message for people, for example about lost lines or a replaced file.
    Notice(String),
    /// Everything up to now has been delivered.
    CaughtUp,
    /// The source has ended and will deliver nothing more, for example because standard input was closed.
    Ended,
}

/// The receiver of updates. The channel is bounded, so that a source waits for a slow receiver.
pub type Sink = mpsc::Sender<SourceEvent>;
