//! What became of an operation in the end: no single record says it, its attempts together do.

use super::Timestamp;

/// What became of an operation that has failed at least once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinalOutcome {
    /// A later attempt succeeded.
    Recovered {
        /// From the start of the first attempt to the end of the one that succeeded, in microseconds.
        after_us: i64,
        /// The number of that attempt.
        attempt: usize,
    },
    /// All attempts that are allowed have failed, or none follows.
    GivenUp,
    /// The next attempt is due at this time.
    Waiting(Timestamp),
    /// An attempt is in progress.
    Running,
    /// Whether another attempt followed has not been looked up.
    Unknown,
}

impl FinalOutcome {
    /// The names, in the order of [`Self::index`].
    pub const NAMES: [&'static str; 5] = ["recovered", "given_up", "waiting", "running", "unknown"];

    /// Its place among the names.
    pub const fn index(self) -> u8 {
        match self {
            Self::Recovered { .. } => 0,
            Self::GivenUp => 1,
            Self::Waiting(_) => 2,
            Self::Running => 3,
            Self::Unknown => 4,
        }
    }

    /// Name in filters and in JSON.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self.index() as usize]
    }
}
