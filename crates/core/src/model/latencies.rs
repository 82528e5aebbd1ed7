//! Latency figures as a mergeable sketch.

use crate::number::{saturating_i32, truncated_u64, truncated_usize};

/// Latencies in buckets of growing width, with a relative error of quantiles ≤ 1 % (Masson, Rim, Lee: "`DDSketch`",
/// VLDB 2019). A store can count in the same buckets by means of [`Latencies::LOG_GAMMA`], so that its figures equal
/// local ones, and those of several sources add up.
#[derive(Clone, PartialEq, Default)]
pub struct Latencies {
    /// Counts of the buckets from the first filled one to the last. Bucket `i` holds γ^(i-1) < µs ≤ γ^i.
    buckets: Vec<u64>,
    /// Number of the first filled bucket.
    first: usize,
    count: u64,
    sum_us: u64,
}

impl std::fmt::Debug for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} latencies, {} us, ", self.count, self.sum_us)?;
        f.debug_map().entries(self.filled()).finish()
    }
}

impl Latencies {
    /// ln γ with γ = (1 + α) / (1 − α), α = 0.01.
    pub const LOG_GAMMA: f64 = 0.020_000_666_706_669_435;
    /// Number of buckets; longer latencies count in the last one, which ends at 46 days.
    const BUCKETS: usize = 1456;

    /// The number of the bucket for a latency in microseconds; 0 and 1 µs are in bucket 0.
    pub fn bucket(us: u64) -> usize {
        if us <= 1 {
            return 0;
        }
        truncated_usize(((us as f64).ln() / Self::LOG_GAMMA).ceil()).min(Self::BUCKETS - 1)
    }

    /// Adds a latency in microseconds.
    pub fn add(&mut self, us: u64) {
        self.add_bucket(Self::bucket(us), 1, us);
    }

    /// Takes away a latency in microseconds that was added.
    pub fn remove(&mut self, us: u64) {
        let slot = Self::bucket(us).checked_sub(self.first).and_then(|index| self.buckets.get_mut(index));
        if let Some(slot) = slot.filter(|slot| **slot > 0) {
            *slot -= 1;
            self.count -= 1;
            self.sum_us = self.sum_us.saturating_sub(us);
            // From the first filled bucket to the last, as if it had never been there.
            while self.buckets.pop_if(|count| *count == 0).is_some() {}
            let empty = self.buckets.iter().take_while(|count| **count == 0).count();
            self.buckets.drain(..empty);
            self.first = if self.buckets.is_empty() { 0 } else { self.first + empty };
        }
    }

    /// Adds `count` latencies to a bucket, whose sum in microseconds is `sum_us`.
    pub fn add_bucket(&mut self, bucket: usize, count: u64, sum_us: u64) {
        self.sum_us = self.sum_us.saturating_add(sum_us);
        if count == 0 {
            return;
        }
        let bucket = bucket.min(Self::BUCKETS - 1);
        self.reach(bucket, bucket);
        self.buckets[bucket - self.first] += count;
        self.count += count;
    }

    /// Extends the stored range to the buckets from `first` to `last`.
    fn reach(&mut self, first: usize, last: usize) {
        if self.buckets.is_empty() {
            self.first = first;
        }
        if first < self.first {
            let more = self.first - first;
            self.buckets.splice(0..0, std::iter::repeat_n(0, more));
            self.first = first;
        }
        if last >= self.first + self.buckets.len() {
            self.buckets.resize(last - self.first + 1, 0);
        }
    }

    /// Number and count of each bucket that is not empty.
    fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        let filled = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(index, count)| (self.first + index, *count))
    }

    /// The latency that represents a bucket, in microseconds.
    fn middle(bucket: usize) -> f64 {
        let gamma = Self::LOG_GAMMA.exp();
        if bucket == 0 { 1.0 } else { 2.0 * gamma.powi(saturating_i32(bucket)) / (gamma + 1.0) }
    }

    /// The count in each range between ascending limits in microseconds; the last range is open. `[0, 100_000]` gives
    /// two counts. A latency within 1 % of a limit may count on its other side.
    pub fn counts(&self, limits: &[u64]) -> Vec<u64> {
        let mut counts = vec![0; limits.len()];
        for (bucket, count) in self.filled() {
            let middle = Self::middle(bucket);
            let at = limits.partition_point(|limit| *limit as f64 <= middle).saturating_sub(1);
            if let Some(slot) = counts.get_mut(at) {
                *slot += count;
            }
        }
        counts
    }

    /// Adds the latencies of another sketch.
    pub fn merge(&mut self, other: &Self) {
        if let Some(last) = other.buckets.len().checked_sub(1) {
            self.reach(other.first, other.first + last);
            let mine = &mut self.buckets[other.first - self.first..];
            mine.iter_mut().zip(&other.buckets).for_each(|(mine, more)| *mine += more);
            self.count += other.count;
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// p50 and p95 in milliseconds; `None` with fewer than five latencies, which do not show what is typical.
    pub fn usual_ms(&self) -> Option<(f64, f64)> {
        if self.count() < 5 {
            return None;
        }
        Some((self.quantile_ms(0.5)?, self.quantile_ms(0.95)?))
    }

    /// Number of latencies.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The quantile `q` (0 to 1) in milliseconds; `None` without latencies.
    pub fn quantile_ms(&self, q: f64) -> Option<f64> {
        let rank = truncated_u64(q * self.count.checked_sub(1)? as f64);
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen > rank
        })?;
        Some(Self::middle(self.first + bucket) / 1e3)
    }

    /// The mean in milliseconds; `None` without latencies.
    pub fn mean_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_us as f64 / self.count as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_the_stated_error() {
        let mut latencies = Latencies::default();
        (1..=100_000u64).for_each(|us| latencies.add(us));
        for q in [0.5, 0.95, 0.99] {
            let exact = q * 100.0;
            let found = latencies.quantile_ms(q).expect("there are latencies");
            assert!((found - exact).abs() / exact <= 0.0101, "{q}: {found} for {exact}");
        }
        assert_eq!(Latencies::default().quantile_ms(0.5), None);
        assert!((Latencies::LOG_GAMMA - (1.01f64 / 0.99).ln()).abs() < 1e-15);
    }

    #[test]
    fn spans_are_counted() {
        let mut latencies = Latencies::default();
        for us in [1, 50_000, 99_000, 200_000, 700_000, 3_000_000, 60_000_000] {
            latencies.add(us);
        }
        assert_eq!(latencies.counts(&[0, 100_000, 500_000, 1_000_000, 5_000_000]), [3, 1, 1, 1, 1]);
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let (mut all, mut odd, mut even) = (Latencies::default(), Latencies::default(), Latencies::default());
        for us in 0..10_000u64 {
            all.add(us * us);
            if us % 2 == 0 { even.add(us * us) } else { odd.add(us * us) }
        }
        odd.merge(&even);
        assert_eq!(odd, all);
    }
}
