//! Where following resumes, by change stream or by polling.

use mongodb::change_stream::event::ResumeToken;
use serde::{Deserialize, Serialize};

/// Changes per batch.
pub(super) const CHUNK: usize = 1000;
/// After a gap, documents are read again that started up to this long before it, in microseconds.
pub(super) const OVERLAP_US: i64 = 15 * 60 * 1_000_000;

/// Where following resumes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ResumePoint {
    /// The change stream's resume token.
    pub(super) token: Option<ResumeToken>,
    /// The operation time to start at where there is no token: seconds since the epoch and increment.
    pub(super) time: Option<(u32, u32)>,
    /// The newest start time delivered, or the time of the position, in microseconds since the epoch.
    pub(super) seen_us: i64,
    /// The number of the look at what was there at this position, where the store is polled.
    #[serde(default)]
    pub(super) look: Option<u64>,
}

impl ResumePoint {
    /// A position of polling alone.
    pub(super) fn polled(seen_us: i64) -> Self {
        Self { seen_us, ..Self::default() }
    }
}
