//! Updates, which following and backfilling deliver.

use crate::position::Position;
use crosstail_core::model::Activity;

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

/// Nobody receives the updates any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody receives the updates any more")]
pub struct Closed;
