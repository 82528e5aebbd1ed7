//! Traffic as the five systems would log it, from a seed: the same seed gives the same activities, hung from the
//! moment it is started at.
//!
//! Time is cut into chunks before and after that moment; each chunk has a generator of its own, so
//! that history can be made newest first and live traffic goes on where it ends.

mod catalogue;
mod incident;
mod operation;
mod run;

pub use incident::{Fault, Incident};
pub use run::{Traffic, live, seed_history, write_all};

use super::{Outcome, Start};
use crosstail_core::model::Timestamp;
use crosstail_core::number::truncated_i64;
use fastrand::Rng;
use incident::Incidents;

/// What to simulate.
#[derive(Debug, Clone, Copy)]
pub struct Simulation {
    /// Everything follows from it.
    pub seed: u64,
    /// Activities a second at present; history had fewer, as a day does.
    pub rate: f64,
    /// The moment that history ends at and live traffic begins.
    pub anchor: Timestamp,
    /// What goes wrong.
    pub incident: Incident,
}

/// One activity with its outcome: started at `start.started_at`, ended at `outcome.completed_at`.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// What is written first.
    pub start: Start,
    /// What is written at the end.
    pub outcome: Outcome,
}

impl Simulated {
    /// When its outcome is known: a log line at once.
    pub fn ends_at(&self) -> Timestamp {
        self.outcome.completed_at.unwrap_or(self.start.started_at)
    }
}

impl Simulation {
    /// Of a seed, with an incident now and then.
    pub fn new(seed: u64, anchor: Timestamp) -> Self {
        Self { seed, rate: 2.5, anchor, incident: Incident::Usual }
    }

    /// The activities that begin in a chunk (chunk 0 begins at the anchor, chunk −1 ends there), by start time.
    /// Retries that they lead to are among them, also where they start later.
    pub fn chunk(&self, index: i64) -> Vec<Simulated> {
        let mut rng = Rng::with_seed(self.seed ^ index.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let length = self.chunk_ms();
        let begin = index * length;
        let incidents = Incidents::around(self.seed, begin, self.incident);
        let mut offset = begin as f64;
        let mut out = Vec::new();
        loop {
            // Exponential gaps: arrivals are independent of each other (a Poisson process).
            let rate = self.rate_at(truncated_i64(offset)) / operation::MEAN_ACTIVITIES;
            offset += -(1.0 - rng.f64()).ln() / rate.max(1e-6) * 1000.0;
            if offset >= (begin + length) as f64 {
                break;
            }
            operation::simulate(&mut rng, &incidents, truncated_i64(offset), &mut out);
        }
        for activity in &mut out {
            activity.hang_from(self.anchor);
        }
        out.sort_by(|a, b| (a.start.started_at, &a.start.id).cmp(&(b.start.started_at, &b.start.id)));
        out
    }

    /// Milliseconds a chunk: ten minutes, or about six thousand activities where there are more.
    pub fn chunk_ms(&self) -> i64 {
        truncated_i64(6_000_000.0 / self.rate.max(0.001)).clamp(1000, 600_000)
    }

    /// Activities a second at an offset in milliseconds: a night before, a working day by now.
    fn rate_at(&self, offset_ms: i64) -> f64 {
        let hours = offset_ms.min(0) as f64 / 3_600_000.0;
        self.rate * (0.13 + 0.87 * (-(hours / 5.0).powi(2)).exp())
    }
}

impl Simulated {
    /// Moves times, which were made relative to the anchor, to where they belong.
    fn hang_from(&mut self, anchor: Timestamp) {
        self.start.started_at = anchor.plus_us(self.start.started_at.0);
        for at in [&mut self.outcome.completed_at, &mut self.outcome.next_retry_at].into_iter().flatten() {
            *at = anchor.plus_us(at.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_data() {
        let simulation = |seed, anchor| Simulation { rate: 2.0, ..Simulation::new(seed, Timestamp(anchor)) };
        let ids = |s: &Simulation| {
            s.chunk(-3).iter().map(|a| (a.start.id.clone(), a.outcome.http_status)).collect::<Vec<_>>()
        };
        let one = ids(&simulation(7, 0));
        assert!(one.len() > 100);
        assert_eq!(one, ids(&simulation(7, 86_400_000_000)));
        assert_ne!(one, ids(&simulation(8, 0)));
    }

    #[test]
    fn a_day_holds_what_it_should() {
        let simulation = Simulation::new(1, Timestamp(0));
        let day: Vec<Simulated> = (-144..0).flat_map(|chunk| simulation.chunk(chunk)).collect();
        assert!(day.len() >= 50_000, "{}", day.len());
        for system in ["SAP", "Tally", "Zoho", "HaloPSA", "Apollo", "ZoomInfo", "Golioth", "Slack"] {
            assert!(day.iter().filter(|a| a.start.system == system).count() > 200, "{system}");
        }
        assert!(day.iter().any(|a| a.start.attempt == Some(3)));
        assert!(day.iter().any(|a| a.outcome.http_status == Some(429)));
        assert!(day.iter().all(|a| a.ends_at() >= a.start.started_at));
    }
}
