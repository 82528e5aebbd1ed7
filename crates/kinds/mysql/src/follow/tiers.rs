//! How far back what is compared, and how often.

use std::time::Duration;

pub(super) struct Tier {
    /// How far back it looks.
    pub(super) back_us: i64,
    pub(super) every: Duration,
    /// The span of time of each sum.
    pub(super) span_us: i64,
}

pub(super) const TIERS: [Tier; 4] = [
    Tier { back_us: 60_000_000, every: Duration::from_secs(1), span_us: 1_000_000 },
    Tier { back_us: 900_000_000, every: Duration::from_secs(15), span_us: 15_000_000 },
    Tier { back_us: 86_400_000_000, every: Duration::from_mins(5), span_us: 300_000_000 },
    Tier { back_us: 3_153_600_000_000_000, every: Duration::from_mins(10), span_us: 86_400_000_000 },
];
pub(super) const DAY: usize = 2;
pub(super) const SWEEP: usize = TIERS.len() - 1;
