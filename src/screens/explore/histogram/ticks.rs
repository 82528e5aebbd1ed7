//! When what the histogram shows went to another level: its rate, and the share of failures. Asks nobody: the columns are the
//! buckets.

use crosstail_core::model::{Figures, Timestamp};
use crosstail_core::number::{saturating_i64, saturating_usize};
use crosstail_engine::change::{Shift, Window, shifts};
use crosstail_engine::store::Histogram as Counts;
use crosstail_source::Groups;
use foldhash::fast::FixedState;
use std::hash::BuildHasher as _;

/// The changes, and of what they are.
#[derive(Debug, Clone, Default)]
pub(super) struct Ticks {
    all: Vec<Shift>,
    /// Start and width of the columns, and a hash of their counts.
    of: Option<(Timestamp, i64, u64)>,
}

impl Ticks {
    pub(super) fn all(&self) -> &[Shift] {
        &self.all
    }

    /// Looks for changes, from the first activity to now: that there is nothing before or behind is no change. The first and the
    /// last column may not be whole; while something is not counted, there are none.
    pub(super) fn find(&mut self, data: &Counts, unknown: &[bool], now: Timestamp) {
        let columns = data.buckets.len();
        let first = data.buckets.iter().position(|bucket| bucket.total > 0).unwrap_or(columns) + 1;
        let past = saturating_usize(now.since_us(data.start).max(0) / data.width_us.max(1));
        let end = past.min(columns.saturating_sub(1));
        if first >= end || unknown.contains(&true) {
            *self = Self::default();
            return;
        }
        let whole = &data.buckets[first..end];
        let counts: Vec<(u32, u32)> = whole.iter().map(|bucket| (bucket.total, bucket.failed)).collect();
        let hash = FixedState::default().hash_one(&counts);
        let of = Some((data.start, data.width_us, hash));
        if self.of == of {
            return;
        }
        self.of = of;
        let moment = |column: usize| data.start.plus_us(data.width_us.saturating_mul(saturating_i64(column)));
        let window = Window { from: moment(first), to: moment(end), bucket_us: data.width_us };
        let figures = |(index, (total, failed)): (usize, (u32, u32))| {
            let figures = Figures { count: total.into(), failed: failed.into(), ..Figures::default() };
            ((Vec::new(), Some(moment(first + index))), figures)
        };
        let groups: Groups = counts.into_iter().enumerate().map(figures).collect();
        self.all = shifts(&groups, window);
    }
}
