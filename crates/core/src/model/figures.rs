//! Figures of a group of activities: computed here or in a store, added up over sources.

use super::{Activity, Latencies, Status};

/// A mean that can be added up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mean {
    /// Sum of the values.
    pub sum: f64,
    /// How many there were.
    pub count: u64,
}

impl Mean {
    /// Adds a value where there is one.
    pub fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.count += 1;
        }
    }

    /// The mean; none of no values.
    pub fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// Figures of a group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// Activities.
    pub count: u64,
    /// Of which failed, by [`Activity::is_failure`].
    pub failed: u64,
    /// Of which have no outcome yet.
    pub open: u64,
    /// Of which ended with `success`.
    pub succeeded: u64,
    /// Of those that have a duration.
    pub latencies: Latencies,
    /// CPU in per cent.
    pub cpu: Mean,
    /// Memory in MB.
    pub memory: Mean,
}

impl Figures {
    /// Counts the outcome of so many activities alike.
    pub fn add_outcomes(&mut self, activity: &Activity, n: u64) {
        self.count += n;
        self.failed += n * u64::from(activity.is_failure());
        self.open += n * u64::from(activity.status == Some(Status::InProgress));
        self.succeeded += n * u64::from(activity.status == Some(Status::Success));
    }

    /// Adds one activity.
    pub fn add(&mut self, activity: &Activity) {
        self.add_outcomes(activity, 1);
        if let Some(us) = activity.took_us() {
            self.latencies.add(us);
        }
        self.cpu.add(activity.cpu_percent);
        self.memory.add(activity.memory_mb);
    }

    /// Adds those of another part of the same group.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.failed += other.failed;
        self.open += other.open;
        self.succeeded += other.succeeded;
        self.latencies.merge(&other.latencies);
        for (mine, more) in [(&mut self.cpu, other.cpu), (&mut self.memory, other.memory)] {
            mine.sum += more.sum;
            mine.count += more.count;
        }
    }

    /// Per cent of the finished that did not fail; none where nothing has finished.
    pub fn success_rate(&self) -> Option<f64> {
        let finished = self.count - self.open;
        (finished > 0).then(|| 100.0 * (finished - self.failed.min(finished)) as f64 / finished as f64)
    }
}
