//! What takes activities while history is read, and what it still wants.

use crosstail_core::model::{Activity, Payload, Timestamp};

/// What is known of a range of offsets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) low: i64,
    pub(super) high: i64,
    /// The oldest and the newest start of its activities.
    pub(super) oldest: Timestamp,
    pub(super) newest: Timestamp,
    /// How far from the starts of its messages an activity may start that one of them is part of.
    pub(super) slack: i64,
}

impl Chunk {
    pub(super) fn is_empty(&self) -> bool {
        self.oldest > self.newest
    }
}

/// The starts that are still of interest. It gets narrower while reading.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    /// In which order they are wanted.
    pub(super) newest_first: bool,
    /// Activities that start at or after this are of no interest.
    pub(super) before: Option<Timestamp>,
    /// Activities that start before this are of no interest.
    pub(super) after: Option<Timestamp>,
}

impl Wanted {
    pub(super) fn leaves_out(self, chunk: &Chunk) -> bool {
        // An empty chunk has no activity.
        chunk.is_empty() || self.is_newer(chunk) || self.is_older(chunk)
    }

    /// Whether what a chunk has comes later in the order than what is wanted now.
    pub(super) fn comes_later(self, chunk: &Chunk) -> bool {
        !chunk.is_empty() && if self.newest_first { self.is_older(chunk) } else { self.is_newer(chunk) }
    }

    fn is_newer(self, chunk: &Chunk) -> bool {
        self.before.is_some_and(|before| chunk.oldest.plus_us(-chunk.slack) >= before)
    }

    fn is_older(self, chunk: &Chunk) -> bool {
        self.after.is_some_and(|after| chunk.newest.plus_us(chunk.slack) < after)
    }
}

/// Takes activities while history is read.
pub(super) trait Collect {
    /// Takes one; false where no more is wanted.
    fn take(&mut self, activity: Activity, payload: Option<Payload>) -> bool;

    /// Which starts are still of interest.
    fn wanted(&self) -> Wanted;
}
