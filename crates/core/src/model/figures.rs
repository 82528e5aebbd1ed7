//! Figures of a group of activities: computed locally or by a store, and added up over sources.

use super::{Activity, Latencies, Status};

/// A mean that can be merged with others.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mean {
    /// Sum of the values.
    pub sum: f64,
    /// Number of values.
    pub count: u64,
}

impl Mean {
    /// Adds a value, if there is one.
    pub fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.count += 1;
        }
    }

    /// The mean; `None` without values.
    pub fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// Figures of one group of activities.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// Number of activities.
    pub count: u64,
    /// Number that failed, by [`Activity::is_failure`].
    pub failed: u64,
    /// Number without an outcome.
    pub open: u64,
    /// Number that ended with `success`.
    pub succeeded: u64,
    /// Number that ended with `success`, `failed` or `timeout`. What was cancelled, and log lines, are not among them.
    pub concluded: u64,
    /// Latencies of the activities that have a duration.
    pub latencies: Latencies,
    /// CPU usage in per cent.
    pub cpu: Mean,
    /// Memory usage in MB.
    pub memory: Mean,
}

impl Figures {
    /// Adds `n` activities with the outcome of this one.
    pub fn add_outcomes(&mut self, activity: &Activity, n: u64) {
        self.add_statuses(activity.status, activity.is_failure(), n);
    }

    /// Adds `n` activities with this outcome.
    pub fn add_statuses(&mut self, status: Option<Status>, is_failure: bool, n: u64) {
        self.count += n;
        self.failed += n * u64::from(is_failure);
        self.open += n * u64::from(status == Some(Status::InProgress));
        self.succeeded += n * u64::from(status == Some(Status::Success));
        self.concluded += n * u64::from(status.is_some_and(Status::is_conclusion));
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

    /// Takes away one activity that was added.
    pub fn remove(&mut self, activity: &Activity) {
        let mut one = Self::default();
        one.add(activity);
        for (mine, less) in [
            (&mut self.count, one.count),
            (&mut self.failed, one.failed),
            (&mut self.open, one.open),
            (&mut self.succeeded, one.succeeded),
            (&mut self.concluded, one.concluded),
        ] {
            *mine = mine.saturating_sub(less);
        }
        if let Some(us) = activity.took_us() {
            self.latencies.remove(us);
        }
        for (mine, less) in [(&mut self.cpu, one.cpu), (&mut self.memory, one.memory)] {
            mine.count = mine.count.saturating_sub(less.count);
            mine.sum = if mine.count == 0 { 0.0 } else { mine.sum - less.sum };
        }
    }

    /// Adds the figures of another part of the same group.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.failed += other.failed;
        self.open += other.open;
        self.succeeded += other.succeeded;
        self.concluded += other.concluded;
        self.latencies.merge(&other.latencies);
        for (mine, more) in [(&mut self.cpu, other.cpu), (&mut self.memory, other.memory)] {
            mine.sum += more.sum;
            mine.count += more.count;
        }
    }

    /// Share of those that succeeded among those that succeeded or failed, in per cent. `None` where there are none: a group
    /// of log lines, or of what was cancelled, has no success rate.
    pub fn success_rate(&self) -> Option<f64> {
        (self.concluded > 0).then(|| 100.0 * self.succeeded as f64 / self.concluded as f64)
    }
}
