//! How the systems are: rate, success, latency, last failure, over a window and against the one before.

use crate::model::{HealthState, Latencies, Mean, Timestamp};
use std::collections::HashMap;
use std::hash::Hash;

/// What health needs of an activity.
#[derive(Debug, Clone, Copy)]
pub struct Reading<K> {
    /// The system.
    pub system: K,
    /// When it began.
    pub started: Timestamp,
    /// Whether it counts as a failure.
    pub failed: bool,
    /// Whether it has an outcome.
    pub finished: bool,
    /// Whether it ended with success.
    pub succeeded: bool,
    /// How long it took, in microseconds.
    pub took_us: Option<u64>,
    /// CPU in per cent, memory in MB.
    pub usage: (Option<f64>, Option<f64>),
}

/// The health of one system.
#[derive(Debug, Clone)]
pub struct SystemHealth<K> {
    /// The system.
    pub system: K,
    /// Its state.
    pub state: HealthState,
    /// Why, in words with numbers.
    pub reason: String,
    /// Activities a second in the window.
    pub rate: f64,
    /// Activities in the window.
    pub total: u64,
    /// Of which ended with success.
    pub succeeded: u64,
    /// CPU in per cent.
    pub cpu: Mean,
    /// Memory in MB.
    pub memory: Mean,
    /// Finished ones in the window.
    pub finished: u64,
    /// Of which failed.
    pub failed: u64,
    /// Without an outcome.
    pub open: u64,
    /// Per cent of the finished that went well.
    pub success: Option<f64>,
    /// That per cent in the window before.
    pub success_before: Option<f64>,
    /// Latencies in the window.
    pub latencies: Latencies,
    /// Latencies in the window before.
    pub latencies_before: Latencies,
    /// Last failure seen.
    pub last_failure: Option<Timestamp>,
    /// Last success seen.
    pub last_success: Option<Timestamp>,
    /// Activities and failures by sixteenths of the window, oldest first.
    pub spark: Vec<(u32, u32)>,
}

/// The health of every system, worst first.
#[derive(Debug, Clone)]
pub struct Health<K> {
    /// The systems.
    pub systems: Vec<SystemHealth<K>>,
    /// Microseconds of the window.
    pub window_us: i64,
}

/// Columns of the sparkline.
const SPARK: usize = 16;

impl<K: Copy + Eq + Hash + Ord> Health<K> {
    /// Computes it at `now` from readings of the last two windows, in any order.
    pub fn compute(now: Timestamp, window_us: i64, readings: impl Iterator<Item = Reading<K>>) -> Self {
        let mut systems: HashMap<K, Gathered<K>> = HashMap::new();
        let start = now.plus_us(-window_us);
        let before = start.plus_us(-window_us);
        for reading in readings.filter(|r| r.started >= before) {
            let gathered = systems.entry(reading.system).or_insert_with(|| Gathered::new(reading.system));
            gathered.add(&reading, start, window_us);
        }
        let mut systems: Vec<SystemHealth<K>> = systems.into_values().map(|g| g.settle(window_us)).collect();
        systems.sort_by(|a, b| {
            (a.state, std::cmp::Reverse(a.failed), a.system).cmp(&(b.state, std::cmp::Reverse(b.failed), b.system))
        });
        Self { systems, window_us }
    }
}

struct Gathered<K> {
    health: SystemHealth<K>,
    finished_before: u64,
    failed_before: u64,
}

impl<K: Copy> Gathered<K> {
    fn new(system: K) -> Self {
        let health = SystemHealth {
            system,
            state: HealthState::Unknown,
            reason: String::new(),
            rate: 0.0,
            total: 0,
            succeeded: 0,
            cpu: Mean::default(),
            memory: Mean::default(),
            finished: 0,
            failed: 0,
            open: 0,
            success: None,
            success_before: None,
            latencies: Latencies::default(),
            latencies_before: Latencies::default(),
            last_failure: None,
            last_success: None,
            spark: vec![(0, 0); SPARK],
        };
        Self { health, finished_before: 0, failed_before: 0 }
    }

    fn add(&mut self, reading: &Reading<K>, start: Timestamp, window_us: i64) {
        let health = &mut self.health;
        if reading.finished {
            let last = if reading.failed { &mut health.last_failure } else { &mut health.last_success };
            *last = (*last).max(Some(reading.started));
        }
        if reading.started < start {
            self.finished_before += u64::from(reading.finished);
            self.failed_before += u64::from(reading.failed);
            reading.took_us.into_iter().for_each(|us| health.latencies_before.add(us));
            return;
        }
        health.total += 1;
        health.succeeded += u64::from(reading.succeeded);
        health.cpu.add(reading.usage.0);
        health.memory.add(reading.usage.1);
        health.finished += u64::from(reading.finished);
        health.failed += u64::from(reading.failed);
        health.open += u64::from(!reading.finished);
        reading.took_us.into_iter().for_each(|us| health.latencies.add(us));
        let index = (reading.started.since_us(start) * SPARK as i64 / window_us.max(1)) as usize;
        if let Some(slot) = health.spark.get_mut(index.min(SPARK - 1)) {
            slot.0 += 1;
            slot.1 += u32::from(reading.failed);
        }
    }

    fn settle(self, window_us: i64) -> SystemHealth<K> {
        let mut health = self.health;
        let percent = |finished: u64, failed: u64| {
            (finished > 0).then(|| 100.0 * (finished - failed.min(finished)) as f64 / finished as f64)
        };
        health.rate = health.total as f64 / (window_us as f64 / 1e6);
        health.success = percent(health.finished, health.failed);
        health.success_before = percent(self.finished_before, self.failed_before);
        let p95 = health.latencies.quantile_ms(0.95);
        let p95_before = health.latencies_before.quantile_ms(0.95);
        let enough = health.latencies.count() >= 10 && health.latencies_before.count() >= 10;
        (health.state, health.reason) = match (health.success, p95, p95_before) {
            (None, ..) => (HealthState::Unknown, "nothing finished in the window".to_owned()),
            (Some(success), ..) if success < 50.0 && health.failed >= 3 => {
                (HealthState::Down, format!("{} of {} failed", health.failed, health.finished))
            }
            (Some(success), ..) if success < 95.0 && (health.failed >= 2 || success < 50.0) => {
                (HealthState::Degraded, format!("{} of {} failed", health.failed, health.finished))
            }
            (_, Some(now), Some(before)) if enough && now > 3.0 * before && now > 1000.0 => {
                (HealthState::Degraded, format!("p95 {:.1} s, was {:.1} s", now / 1e3, before / 1e3))
            }
            _ => (HealthState::Healthy, String::new()),
        };
        health
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(system: u8, ago_s: i64, failed: bool, took_ms: u64) -> Reading<u8> {
        let started = Timestamp(10_000_000_000 - ago_s * 1_000_000);
        Reading {
            system,
            started,
            failed,
            finished: true,
            succeeded: !failed,
            took_us: Some(took_ms * 1000),
            usage: (None, None),
        }
    }

    #[test]
    fn the_worst_comes_first_and_says_why() {
        let mut readings: Vec<Reading<u8>> = (0..20).map(|n| reading(1, n * 10, false, 100)).collect();
        readings.extend((0..20).map(|n| reading(2, n * 10, n % 4 != 0, 100)));
        readings.extend((0..20).map(|n| reading(3, n * 10, false, 5000)));
        readings.extend((0..20).map(|n| reading(3, 400 + n * 10, false, 200)));
        let health = Health::compute(Timestamp(10_000_000_000), 300_000_000, readings.into_iter());
        let found: Vec<_> = health.systems.iter().map(|s| (s.system, s.state, s.reason.as_str())).collect();
        assert_eq!(found[0], (2, HealthState::Down, "15 of 20 failed"));
        assert_eq!(found[1].0, 3);
        assert_eq!(found[1].1, HealthState::Degraded);
        assert_eq!(found[2], (1, HealthState::Healthy, ""));
    }
}
