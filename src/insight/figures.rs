//! Latency figures by a mergeable sketch.

use sketches_ddsketch::{Config, DDSketch};

/// Latencies with quantiles of ≤ 1 % relative error (Masson, Rim, Lee: "`DDSketch`", VLDB 2019).
#[derive(Clone)]
pub struct Latencies {
    sketch: DDSketch,
    sum_us: f64,
}

impl std::fmt::Debug for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Latencies").field("count", &self.count()).field("sum_us", &self.sum_us).finish_non_exhaustive()
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self { sketch: DDSketch::new(Config::new(0.01, 2048, 1.0)), sum_us: 0.0 }
    }
}

impl Latencies {
    /// Adds a latency in microseconds.
    pub fn add(&mut self, us: u64) {
        self.sketch.add(us as f64);
        self.sum_us += us as f64;
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.sketch.count()
    }

    /// A quantile (0.95) in milliseconds; none without latencies.
    pub fn quantile_ms(&self, q: f64) -> Option<f64> {
        self.sketch.quantile(q).ok().flatten().map(|us| us / 1e3)
    }

    /// The mean in milliseconds.
    pub fn mean_ms(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.sum_us / self.count() as f64 / 1e3)
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
    }
}
