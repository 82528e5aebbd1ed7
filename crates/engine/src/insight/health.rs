//! The health of systems: figures of a window compared with earlier ones, in parts that add up.

use super::confidence::surely;
use crate::failure::error_kind;
use compact_str::CompactString;
use crosstail_core::model::{Activity, Check, Figures, HealthState, Kind, Latencies, Status, Timestamp};
use crosstail_core::number::saturating_i64;
use std::collections::BTreeMap;

/// One attempt of an operation that may be retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The same number for all attempts of one operation.
    pub operation: u64,
    /// Number of the attempt, from 1.
    pub attempt: u16,
    pub started: Timestamp,
    /// When the next attempt is due; `None` where none is scheduled.
    pub due: Option<Timestamp>,
}

/// The fields of an activity that health needs.
#[derive(Debug, Clone, Copy)]
pub struct HealthInput<'a> {
    pub started: Timestamp,
    pub status: Option<Status>,
    pub failed: bool,
    pub took_us: Option<u64>,
    /// CPU in per cent, memory in MB.
    pub usage: (Option<f64>, Option<f64>),
    /// HTTP status and error class; only of a failure.
    pub error: (Option<u16>, Option<&'a str>),
    /// Only of an activity that is one of several attempts.
    pub retry: Option<Attempt>,
}

impl<'a> HealthInput<'a> {
    pub fn of(activity: &'a Activity) -> Self {
        let attempt = activity.attempt.unwrap_or(1);
        let retry = (attempt > 1 || activity.next_retry_at.is_some()).then(|| Attempt {
            operation: operation(activity),
            attempt,
            started: activity.started_at,
            due: activity.next_retry_at,
        });
        Self {
            started: activity.started_at,
            status: activity.status,
            failed: activity.is_failure(),
            took_us: activity.took_us(),
            usage: (activity.cpu_percent, activity.memory_mb),
            error: (activity.http_status, activity.error_type.as_deref()),
            retry,
        }
    }
}

/// A number that the attempts of one operation share: a hash of trace, endpoint and entity, or else of the activity.
fn operation(activity: &Activity) -> u64 {
    use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    match &activity.correlation_id {
        Some(correlation) => (correlation, &activity.endpoint, &activity.entity).hash(&mut hasher),
        None => activity.request_key().to_string().hash(&mut hasher),
    }
    hasher.finish()
}

/// Figures of a system over a period. Those of several periods add up.
#[derive(Debug, Clone, Default)]
pub struct HealthFigures {
    pub figures: Figures,
    /// Number of failures by the name of their kind; see [`error_kind`].
    pub errors: BTreeMap<CompactString, u64>,
    /// Start of the last failure.
    pub last_failure: Option<Timestamp>,
    /// Start of the last success.
    pub last_success: Option<Timestamp>,
    /// Attempts of operations that may be retried.
    pub attempts: Vec<Attempt>,
}

impl HealthFigures {
    /// Activities that have an outcome, and failures among them. A line of a log may tell of an error without being one.
    pub fn outcomes(&self) -> (u64, u64) {
        (self.figures.concluded, self.figures.concluded - self.figures.succeeded.min(self.figures.concluded))
    }

    pub fn add(&mut self, reading: &HealthInput<'_>) {
        let figures = &mut self.figures;
        figures.add_statuses(reading.status, reading.failed, 1);
        reading.took_us.into_iter().for_each(|us| figures.latencies.add(us));
        figures.cpu.add(reading.usage.0);
        figures.memory.add(reading.usage.1);
        if reading.failed {
            self.last_failure = self.last_failure.max(Some(reading.started));
            let (kind, _) = error_kind(reading.status, reading.error.0, reading.error.1);
            *self.errors.entry(kind).or_default() += 1;
        } else if reading.status.is_none_or(Status::is_finished) {
            self.last_success = self.last_success.max(Some(reading.started));
        }
        self.attempts.extend(reading.retry);
    }

    /// Of one activity.
    fn of(activity: &Activity) -> Self {
        let mut figures = Self::default();
        figures.add(&HealthInput::of(activity));
        figures
    }

    /// From figures that a store has counted. `from` is the start of the period.
    pub fn counted(figures: Figures, from: Timestamp) -> Self {
        let well = figures.count - figures.open > figures.failed;
        Self {
            last_failure: (figures.failed > 0).then_some(from),
            last_success: well.then_some(from),
            figures,
            ..Self::default()
        }
    }

    /// Adds the figures of another period.
    pub fn merge(&mut self, other: &Self) {
        self.figures.merge(&other.figures);
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
        self.last_failure = self.last_failure.max(other.last_failure);
        self.last_success = self.last_success.max(other.last_success);
        self.attempts.extend(&other.attempts);
    }

    /// The attempts that wait for a next one, in order of start.
    fn pending(&self) -> Vec<Attempt> {
        let mut last: std::collections::HashMap<u64, Attempt> = std::collections::HashMap::new();
        for one in &self.attempts {
            let known = last.entry(one.operation).or_insert(*one);
            if (one.attempt, one.started) > (known.attempt, known.started) {
                *known = *one;
            }
        }
        let mut pending: Vec<Attempt> = last.into_values().filter(|one| one.due.is_some()).collect();
        pending.sort_by_key(|one| one.started);
        pending
    }
}

/// Outcomes and failures of a system by period, the last of which has the present in it.
#[derive(Debug, Clone, Default)]
pub struct Course {
    /// The start of the last period.
    pub last: Timestamp,
    /// Length of a period in microseconds.
    pub period_us: i64,
    /// Activities with an outcome, and failures among them, oldest first.
    pub periods: Vec<(u64, u64)>,
}

impl Course {
    /// The last minute; `None` where periods are longer, or nothing has an outcome.
    fn last_minute(&self) -> Option<(u64, u64)> {
        const MINUTE_US: i64 = 60_000_000;
        if self.period_us > MINUTE_US || self.period_us <= 0 {
            return None;
        }
        let periods = usize::try_from(MINUTE_US / self.period_us).unwrap_or(1);
        let recent = self.periods.iter().rev().take(periods.max(2));
        let sum = recent.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (sum.0 > 0).then_some(sum)
    }

    /// The start of the first of the periods up to now of which at least half has failed, if that is no chance; and whether
    /// nothing before it is known, so that it may have begun earlier.
    fn failing_since(&self) -> Option<(Timestamp, bool)> {
        let (mut since, mut sum, mut may_be_longer) = (None, (0, 0), true);
        for (back, (of, failed)) in self.periods.iter().rev().enumerate() {
            if *of == 0 {
                continue;
            }
            if failed * 2 < *of {
                may_be_longer = false;
                break;
            }
            sum = (sum.0 + of, sum.1 + failed);
            since = Some(self.last.plus_us(-self.period_us * i64::try_from(back).unwrap_or(0)));
        }
        since.filter(|_| surely(sum.1, sum.0) > DOWN).map(|since| (since, may_be_longer))
    }
}

/// Figures of all systems in a window and in those it is compared with.
#[derive(Debug, Clone, Default)]
pub struct Windows {
    /// By system: the window that ends now.
    pub now: BTreeMap<String, HealthFigures>,
    /// The one before it.
    pub before: BTreeMap<String, HealthFigures>,
    /// The same time of the day before; empty where it is unknown.
    pub day_before: BTreeMap<String, HealthFigures>,
    /// Number of activities and of failures per column of the window, oldest first.
    pub columns: BTreeMap<String, Vec<(u64, u64)>>,
    /// The course of the window.
    pub course: BTreeMap<String, Course>,
}

/// The health of one system.
#[derive(Debug, Clone)]
pub struct SystemHealth {
    pub system: String,
    pub state: HealthState,
    /// Reason for the state, with figures.
    pub reason: String,
    /// Activities per second in the window.
    pub rate: f64,
    /// Figures of the window.
    pub figures: Figures,
    /// Success rate of the window before, in per cent.
    pub success_before: Option<f64>,
    /// Latencies of the same time of the day before, else of the window before.
    pub latencies_before: (Latencies, Baseline),
    /// Number of failures by the name of their kind, the most frequent first.
    pub errors: Vec<(CompactString, u64)>,
    /// Activities of the last minute that have an outcome, and failures among them.
    pub last_minute: Option<(u64, u64)>,
    /// Since when most has failed, up to now.
    pub failing_since: Option<Timestamp>,
    /// Whether it may have been failing for longer: in the window, nothing was well before.
    pub failing_longer: bool,
    pub last_failure: Option<Timestamp>,
    pub last_success: Option<Timestamp>,
    /// Start of the oldest attempt that waits for a next one.
    pub oldest_pending: Option<Timestamp>,
    /// Number of attempts that wait for a next one.
    pub pending: u64,
    /// Number of activities and of failures per column of the window, oldest first.
    pub spark: Vec<(u64, u64)>,
}

/// The window with which latencies are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// The same time of the day before.
    SameTimeYesterday,
    /// The window before.
    PreviousWindow,
}

impl SystemHealth {
    /// Success rate in the window, in per cent; `None` where nothing has finished.
    pub fn success(&self) -> Option<f64> {
        self.figures.success_rate()
    }

    /// Number of finished activities in the window.
    pub fn finished(&self) -> u64 {
        self.figures.count - self.figures.open
    }

    /// Lowers the state to that of a check of the system.
    fn apply_check(&mut self, check: &Check) {
        let worse = matches!(check.state, HealthState::Down | HealthState::Degraded)
            && !matches!(self.state, HealthState::Down | HealthState::Degraded);
        if worse {
            self.state = HealthState::Degraded;
            self.reason = format!("its {} says {}: {}", check.name, check.state, check.detail);
        }
    }
}

/// The health of every system, worst first.
#[derive(Debug, Clone, Default)]
pub struct Health {
    pub systems: Vec<SystemHealth>,
    /// Length of the window in microseconds.
    pub window_us: i64,
}

/// Periods of the course of a window.
const PERIODS: usize = 60;
/// Latencies are compared only if there are this many.
const ENOUGH: u64 = 10;
/// Share of failures above which a system is down, and above which it is degraded, each with [`surely`].
const DOWN: f64 = 0.5;
const DEGRADED: f64 = 0.05;

impl Health {
    /// Judges every system by its figures.
    pub fn of(span: &Windows, window_us: i64) -> Self {
        let mut names: Vec<&String> = span.now.keys().chain(span.before.keys()).collect();
        names.sort();
        names.dedup();
        let systems = names.into_iter().map(|name| system_health(name, span, window_us)).collect();
        let mut health = Self { systems, window_us };
        health.sort();
        health
    }

    /// Applies the checks to the systems that they are about.
    pub fn apply_checks<'a>(&mut self, checks: impl Iterator<Item = &'a Check>) {
        for check in checks {
            let Some(of) = &check.system else { continue };
            let named = self.systems.iter_mut().filter(|system| system.system.eq_ignore_ascii_case(of));
            named.for_each(|system| system.apply_check(check));
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.systems.sort_by(|a, b| {
            let key = |s: &SystemHealth| (s.state, std::cmp::Reverse(s.figures.failed));
            key(a).cmp(&key(b)).then_with(|| a.system.cmp(&b.system))
        });
    }

    /// Judges the systems of activities, which may be in any order.
    pub fn of_activities<'a>(now: Timestamp, window_us: i64, activities: impl Iterator<Item = &'a Activity>) -> Self {
        let mut span = Windows::default();
        let start = now.plus_us(-window_us);
        let period_us = (window_us / saturating_i64(PERIODS)).max(1);
        // An alert about a system is not work of the system.
        for activity in activities.filter(|activity| activity.kind != Kind::Alert) {
            let Some(system) = &activity.system else { continue };
            let parts = if activity.started_at >= start {
                let reading = HealthFigures::of(activity);
                let course = span.course.entry(system.to_string()).or_insert_with(|| Course {
                    last: now.plus_us(-period_us),
                    period_us,
                    periods: vec![(0, 0); PERIODS],
                });
                let back = usize::try_from(now.since_us(activity.started_at).max(0) / period_us).unwrap_or(0);
                if let Some(at) = (PERIODS - 1).checked_sub(back) {
                    let (of, failed) = reading.outcomes();
                    course.periods[at] = (course.periods[at].0 + of, course.periods[at].1 + failed);
                }
                &mut span.now
            } else if activity.started_at >= start.plus_us(-window_us) {
                &mut span.before
            } else {
                continue;
            };
            parts.entry(system.to_string()).or_default().add(&HealthInput::of(activity));
        }
        Self::of(&span, window_us)
    }
}

fn system_health(name: &str, span: &Windows, window_us: i64) -> SystemHealth {
    let part = span.now.get(name).cloned().unwrap_or_default();
    let before = span.before.get(name).map(|part| &part.figures);
    let day_before = span.day_before.get(name).map(|part| &part.figures.latencies);
    let latencies_before = match day_before.filter(|latencies| latencies.count() >= ENOUGH) {
        Some(latencies) => (latencies.clone(), Baseline::SameTimeYesterday),
        None => (before.map(|figures| figures.latencies.clone()).unwrap_or_default(), Baseline::PreviousWindow),
    };
    let pending = part.pending();
    let mut errors: Vec<(CompactString, u64)> = part.errors.iter().map(|(kind, n)| (kind.clone(), *n)).collect();
    errors.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    let earlier =
        |pick: fn(&HealthFigures) -> Option<Timestamp>| pick(&part).or_else(|| span.before.get(name).and_then(pick));
    let course = span.course.get(name);
    let failing = course.and_then(Course::failing_since);
    let mut health = SystemHealth {
        system: name.to_owned(),
        state: HealthState::Unknown,
        reason: String::new(),
        rate: part.figures.count as f64 / (window_us as f64 / 1e6),
        success_before: before.and_then(Figures::success_rate),
        latencies_before,
        errors,
        last_minute: course.and_then(Course::last_minute),
        failing_since: failing.map(|(since, _)| since),
        failing_longer: failing.is_some_and(|(_, longer)| longer),
        last_failure: earlier(|part| part.last_failure),
        last_success: earlier(|part| part.last_success),
        oldest_pending: pending.first().map(|one| one.started),
        pending: pending.len() as u64,
        spark: span.columns.get(name).cloned().unwrap_or_default(),
        figures: part.figures.clone(),
    };
    (health.state, health.reason) = judge(&health, &part, before.map_or(0, |figures| figures.count));
    health
}

/// The state of a system, and the reason. Few activities are no proof of anything: shares of failures count as far as they
/// are sure.
fn judge(health: &SystemHealth, part: &HealthFigures, count_before: u64) -> (HealthState, String) {
    let figures = &health.figures;
    let (of, failed) = part.outcomes();
    let (now, before) = (&figures.latencies, &health.latencies_before.0);
    let enough = now.count() >= ENOUGH && before.count() >= ENOUGH;
    let slow = now
        .quantile_ms(0.95)
        .zip(before.quantile_ms(0.95))
        .filter(|(now, before)| enough && *now > 3.0 * before && *now > 1000.0);
    let of_failed = || format!("{failed} of {of} failed");
    let lately = health.last_minute.is_some_and(|(of, failed)| surely(failed, of) > DOWN);
    let share = surely(failed, of);
    match slow {
        _ if figures.count == 0 => (HealthState::Unknown, format!("nothing now, {count_before} before")),
        _ if of == 0 && figures.open == figures.count => (HealthState::Unknown, "nothing has finished".to_owned()),
        _ if share > DOWN || lately || health.failing_since.is_some() => (HealthState::Down, of_failed()),
        _ if share > DEGRADED => (HealthState::Degraded, of_failed()),
        Some((now, before)) => (HealthState::Degraded, format!("p95 is {}, was {}", seconds(now), seconds(before))),
        None => (HealthState::Healthy, String::new()),
    }
}

/// Milliseconds as the screens write them: `4.83 s`, `12.1 s`.
fn seconds(ms: f64) -> String {
    match ms {
        ..1e3 => format!("{ms:.0} ms"),
        ..1e4 => format!("{:.2} s", ms / 1e3),
        _ => format!("{:.1} s", ms / 1e3),
    }
}

/// A rate a minute for people: what is more than nothing is never shown as nothing.
pub fn per_minute(rate: f64) -> String {
    match rate {
        rate if rate >= 0.1 => format!("{rate:.1}/min"),
        rate if rate > 0.0 => "<0.1/min".to_owned(),
        _ => "0/min".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::Id;
    use crosstail_core::number::{saturating_u16, saturating_u64};

    fn activity(system: &str, ago_s: i64, failed: bool, took_ms: u64) -> Activity {
        let id = format!("{system} {ago_s}");
        let mut activity = Activity::new(Id::Text(id.into()), Timestamp(10_000_000_000 - ago_s * 1_000_000));
        activity.system = Some(system.into());
        activity.status = Some(if failed { Status::Failed } else { Status::Success });
        activity.http_status = failed.then_some(503);
        activity.duration_us = Some(took_ms * 1000);
        activity
    }

    fn health(activities: &[Activity]) -> Health {
        Health::of_activities(Timestamp(10_000_000_000), 300_000_000, activities.iter())
    }

    #[test]
    fn the_worst_comes_first_and_says_why() {
        let mut activities: Vec<Activity> = (0..20).map(|n| activity("a", n * 10, false, 100)).collect();
        activities.extend((0..20).map(|n| activity("b", n * 10, n % 4 != 0, 100)));
        activities.extend((0..20).map(|n| activity("c", n * 10, false, 5000)));
        activities.extend((0..20).map(|n| activity("c", 400 + n * 10, false, 200)));
        activities.extend((0..20).map(|n| activity("d", 400 + n * 10, false, 200)));
        let found = health(&activities).systems;
        let states: Vec<_> = found.iter().map(|s| (s.system.as_str(), s.state, s.reason.as_str())).collect();
        assert_eq!(states[0], ("b", HealthState::Down, "15 of 20 failed"));
        assert_eq!(found[0].errors, [("503".into(), 15)]);
        assert_eq!(states[1], ("c", HealthState::Degraded, "p95 is 5.03 s, was 201 ms"));
        assert_eq!(states[2], ("a", HealthState::Healthy, ""));
        assert_eq!(states[3], ("d", HealthState::Unknown, "nothing now, 20 before"));
        assert!(found[3].last_success.is_some(), "of the window before");
    }

    #[test]
    fn a_try_is_pending_until_the_next_one_is_there() {
        let mut tries: Vec<Activity> = (1..=2u16).map(|n| activity("a", 100 - i64::from(n) * 10, true, 10)).collect();
        for (index, one) in tries.iter_mut().enumerate() {
            one.correlation_id = Some("c".into());
            one.attempt = Some(saturating_u16(index) + 1);
            one.next_retry_at = Some(one.started_at.plus_ms(20_000));
        }
        let system = &health(&tries).systems[0];
        assert_eq!((system.pending, system.oldest_pending), (1, Some(tries[1].started_at)));
        // The last attempt succeeded: nothing waits.
        tries[1].status = Some(Status::Success);
        tries[1].next_retry_at = None;
        assert_eq!(health(&tries).systems[0].pending, 0);
    }

    #[test]
    fn parts_add_up_in_any_order() {
        let activities: Vec<Activity> =
            (0..200).map(|n| activity("a", n, n % 7 == 0, saturating_u64(n) * 11)).collect();
        let mut whole = HealthFigures::default();
        for activity in &activities {
            whole.add(&HealthInput::of(activity));
        }
        let mut sum = HealthFigures::default();
        for chunk in activities.rchunks(33) {
            let mut part = HealthFigures::default();
            for activity in chunk {
                part.add(&HealthInput::of(activity));
            }
            sum.merge(&part);
        }
        assert_eq!((sum.figures, sum.errors), (whole.figures, whole.errors));
        assert_eq!((sum.last_failure, sum.last_success), (whole.last_failure, whole.last_success));
    }

    #[test]
    fn few_failures_and_lines_of_a_log_are_no_outage() {
        let state = |activities: &[Activity]| health(activities).systems[0].state;
        // Failures are spread evenly.
        let fails = |n: i64, failed: i64, all: i64| n * failed / all != (n + 1) * failed / all;
        let of = |failed: i64, all: i64| -> Vec<Activity> {
            (0..all).map(|n| activity("a", n * 290 / all, fails(n, failed, all), 10)).collect()
        };
        assert_eq!(state(&of(2, 37)), HealthState::Healthy, "2 of 37 may be chance");
        assert_eq!(state(&of(200, 3700)), HealthState::Healthy, "5.4 % may be 4.7 %");
        assert_eq!(state(&of(30, 300)), HealthState::Degraded);
        assert_eq!((state(&of(3, 3)), state(&of(5, 5))), (HealthState::Degraded, HealthState::Down));
        let mut lines = of(40, 40);
        for line in &mut lines {
            (line.status, line.http_status, line.level) = (None, None, Some(crosstail_core::model::Level::Error));
        }
        assert_eq!(state(&lines), HealthState::Healthy);
        assert_eq!(health(&lines).systems[0].errors, [("error line".into(), 40)]);
    }

    #[test]
    fn an_outage_is_seen_within_a_minute_and_says_since_when() {
        let mut activities: Vec<Activity> = (60..290).map(|n| activity("a", n, false, 10)).collect();
        activities.extend((0..60).map(|n| activity("a", n, n % 10 != 0, 10)));
        let system = &health(&activities).systems[0];
        assert_eq!((system.state, system.last_minute), (HealthState::Down, Some((60, 54))));
        assert_eq!(system.failing_since, Some(Timestamp(10_000_000_000 - 60_000_000)));
        assert!(!system.failing_longer);
        // Where nothing in the window was well, it may have begun earlier.
        let failing: Vec<Activity> = (0..290).map(|n| activity("a", n, true, 10)).collect();
        let system = &health(&failing).systems[0];
        assert!(system.failing_since.is_some() && system.failing_longer);
        // It has recovered.
        activities.extend((0..30).map(|n| activity("a", n, false, 10)));
        activities
            .retain(|activity| activity.started_at < Timestamp(10_000_000_000 - 30_000_000) || !activity.is_failure());
        let system = &health(&activities).systems[0];
        assert_eq!((system.state, system.failing_since), (HealthState::Degraded, None));
    }

    #[test]
    fn a_check_makes_no_system_better() {
        let mut systems = health(&[activity("a", 1, false, 10)]).systems;
        systems[0].apply_check(&Check::new("health", HealthState::Healthy, "ok"));
        assert_eq!(systems[0].state, HealthState::Healthy);
        systems[0].apply_check(&Check::new("health", HealthState::Down, "HTTP 503"));
        assert_eq!(systems[0].reason, "its health says down: HTTP 503");
    }
}
