//! When what the histogram shows went to another level: its rate, and the share of failures. Asks nobody: the columns are the
//! buckets.

use crosstail_core::model::{Figures, Timestamp};
use crosstail_core::number::saturating_i64;
use crosstail_engine::change::{Shift, Window, shifts};
use crosstail_engine::store::Histogram as Counts;
use crosstail_source::Groups;
use foldhash::fast::FixedState;
use std::hash::BuildHasher as _;

/// While activities arrive, it is computed again after this, in microseconds.
const AGAIN_US: i64 = 3_000_000;

/// The changes, and of what they are.
#[derive(Debug, Clone, Default)]
pub(super) struct Ticks {
    all: Vec<Shift>,
    /// Start and width of the columns, a hash of their counts, and when they were looked at.
    of: Option<(Timestamp, i64, u64, Timestamp)>,
}

impl Ticks {
    pub(super) fn all(&self) -> &[Shift] {
        &self.all
    }

    /// Looks for changes. The first and the last column may not be whole; while something is not counted, there are none.
    pub(super) fn find(&mut self, data: &Counts, unknown: &[bool], now: Timestamp) {
        let columns = data.buckets.len();
        if columns < 3 || unknown.contains(&true) {
            *self = Self::default();
            return;
        }
        let whole = &data.buckets[1..columns - 1];
        let counts: Vec<(u32, u32)> = whole.iter().map(|bucket| (bucket.total, bucket.failed)).collect();
        let hash = FixedState::default().hash_one(&counts);
        if let Some((start, width, known, at)) = self.of
            && (start, width) == (data.start, data.width_us)
            && (known == hash || now.since_us(at) < AGAIN_US)
        {
            return;
        }
        self.of = Some((data.start, data.width_us, hash, now));
        let moment = |column: usize| data.start.plus_us(data.width_us.saturating_mul(saturating_i64(column)));
        let window = Window { from: moment(1), to: moment(columns - 1), bucket_us: data.width_us };
        let figures = |(index, (total, failed)): (usize, (u32, u32))| {
            let figures = Figures { count: total.into(), failed: failed.into(), ..Figures::default() };
            ((Vec::new(), Some(moment(index + 1))), figures)
        };
        let groups: Groups = counts.into_iter().enumerate().map(figures).collect();
        self.all = shifts(&groups, window);
    }
}
