//! How many there were over time, for a small chart: in periods that double in length as more time is covered.

use crosstail_core::model::Timestamp;
use crosstail_core::number::{truncated_u64, truncated_usize};
use std::collections::BTreeMap;

/// More periods are not kept.
const PERIODS: i64 = 64;
/// The shortest period, in microseconds.
const SHORTEST_US: i64 = 1_000_000;

/// Counts by period; periods begin at multiples of their length since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trend {
    period_us: i64,
    counts: BTreeMap<i64, u64>,
}

impl Default for Trend {
    fn default() -> Self {
        Self { period_us: SHORTEST_US, counts: BTreeMap::new() }
    }
}

impl Trend {
    /// Counts one at a time.
    pub fn add(&mut self, at: Timestamp) {
        *self.counts.entry(at.0.div_euclid(self.period_us)).or_default() += 1;
        self.fit();
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, mut other: Self) {
        while self.period_us < other.period_us {
            self.double();
        }
        while other.period_us < self.period_us {
            other.double();
        }
        for (period, count) in other.counts {
            *self.counts.entry(period).or_default() += count;
        }
        self.fit();
    }

    /// The counts of `columns` equal spans between two moments, oldest first. What a period counts is spread evenly over it,
    /// as far as it is between them; together the columns have what all periods have.
    pub fn columns(&self, from: Timestamp, to: Timestamp, columns: usize) -> Vec<u64> {
        let width = (to.0.saturating_sub(from.0)) as f64 / columns.max(1) as f64;
        if width <= 0.0 {
            return vec![0; columns];
        }
        let mut shares = vec![0.0; columns];
        for (period, count) in &self.counts {
            let begin = period.saturating_mul(self.period_us);
            let (begin, end) = (begin.max(from.0), begin.saturating_add(self.period_us).min(to.0));
            let place = |at: i64| (at.saturating_sub(from.0) as f64 / width).clamp(0.0, columns as f64);
            let (begin, end) = (place(begin), place(end));
            let all = (end - begin).max(f64::MIN_POSITIVE);
            let first = truncated_usize(begin).min(columns - 1);
            for (column, share) in
                shares.iter_mut().enumerate().skip(first).take_while(|(column, _)| (*column as f64) < end)
            {
                let within = (end.min((column + 1) as f64) - begin.max(column as f64)).max(0.0);
                *share += *count as f64 * within / all;
            }
        }
        // Rounded together, so that nothing is lost.
        let (mut sum, mut before) = (0.0, 0);
        let whole = |share: f64| {
            sum += share;
            let upto = truncated_u64(sum + 0.5);
            let own = upto - before;
            before = upto;
            own
        };
        shares.into_iter().map(whole).collect()
    }

    fn fit(&mut self) {
        while let (Some((first, _)), Some((last, _))) = (self.counts.first_key_value(), self.counts.last_key_value())
            && last - first >= PERIODS
        {
            self.double();
        }
    }

    fn double(&mut self) {
        self.period_us = self.period_us.saturating_mul(2);
        for (period, count) in std::mem::take(&mut self.counts) {
            *self.counts.entry(period.div_euclid(2)).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_however_much_time_passes() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (mut whole, mut parts) = (Trend::default(), [Trend::default(), Trend::default()]);
        let mut expected = vec![0; 8];
        let to = 8 << 40;
        for _ in 0..5000 {
            let at = rng.i64(0..to);
            whole.add(Timestamp(at));
            parts[usize::from(rng.bool())].add(Timestamp(at));
            expected[usize::try_from(at >> 40).expect("a column")] += 1;
        }
        let [mut one, other] = parts;
        one.merge(other);
        assert_eq!(one, whole);
        assert!(whole.counts.len() <= 64);
        let found = whole.columns(Timestamp(0), Timestamp(to), 8);
        assert_eq!(found.iter().sum::<u64>(), 5000);
        // Periods are not the columns.
        assert!(found.iter().zip(&expected).all(|(a, b)| a.abs_diff(*b) < 80), "{found:?} {expected:?}");
        assert_eq!(whole.columns(Timestamp(to), Timestamp(0), 8), [0; 8]);
        let mut one = Trend::default();
        one.add(Timestamp(0));
        assert_eq!(one.columns(Timestamp(0), Timestamp(1), 3).iter().sum::<u64>(), 1);
    }
}
