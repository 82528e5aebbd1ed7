//! Objectives: which share of activities shall be good over a window of time; how much may still go wrong (the error budget), and
//! how fast that is spent (the burn rate: 1 spends all of it in exactly the window).
//!
//! Two windows decide whether it burns, a long one that is sure and a short one that ends soon: more than 14.4 over an hour and
//! five minutes, or more than 6 over six hours and half an hour (Google, "The Site Reliability Workbook", 2018, chapter "Alerting on
//! SLOs", section "Multiwindow, Multi-Burn-Rate Alerts": of a budget for 30 days, 2 % in an hour and 5 % in six).

mod course;

pub use course::{Count, Course, ObjectiveQuery, Stretch};

use super::confidence::surely;
use crosstail_core::filter::{Field, Filter, Operand, duration_us};
use crosstail_core::model::Timestamp;
use crosstail_core::number::truncated_i64;

const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 3_600_000_000;

/// The windows in which an objective is shown: the burn rate that is too much, the long and the short one in microseconds.
pub const WINDOWS: [(f64, i64, i64); 2] = [(14.4, HOUR_US, 5 * MINUTE_US), (6.0, 6 * HOUR_US, 30 * MINUTE_US)];
/// So much of the past is known by the minute.
pub(super) const FINE_US: i64 = 6 * HOUR_US;

/// Which share of some activities shall be good.
#[derive(Debug, Clone)]
pub struct Objective {
    pub name: String,
    /// The share, 0 to 1.
    pub target: f64,
    pub window_us: i64,
    /// What is counted, and which of it is good.
    counted: Filter,
    good: Filter,
    /// What of it is bad.
    bad: String,
}

impl Objective {
    /// The objective that `good` is so much of what `filter` keeps: `99.9 %` in `30d`. What is in progress is not counted yet.
    ///
    /// # Errors
    /// The key of what is wrong, and what to write instead.
    pub fn new(
        name: &str,
        (filter, good): (&str, &str),
        target: &str,
        window: &str,
    ) -> Result<Self, (&'static str, String)> {
        parsed("filter", filter)?;
        if parsed("good", good)?.is_all() {
            return Err(("good", "good: write a filter for what is good, for example status:success".to_owned()));
        }
        let percent = target.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        let target = percent.filter(|percent| (1.0..100.0).contains(percent)).ok_or_else(|| {
            ("target", format!("target: '{target}' is no share from 1 % to below 100 %; write 99.9 %"))
        })?;
        let window_us = duration_us(window).map(truncated_i64).filter(|us| (HOUR_US..=400 * 24 * HOUR_US).contains(us));
        let window_us = window_us.ok_or_else(|| {
            ("window", format!("window: '{window}' is no duration from an hour to 400 days; write 30d"))
        })?;
        let within = |filter: &str| if filter.trim().is_empty() { String::new() } else { format!("({filter}) ") };
        let counted = format!("{}-status:in_progress", within(filter));
        Ok(Self {
            name: name.to_owned(),
            target: target / 100.0,
            window_us,
            good: parsed("good", &format!("{counted} ({good})"))?,
            bad: format!("{counted} -({good})"),
            counted: parsed("filter", &counted)?,
        })
    }

    /// The filter for what is counted and bad.
    pub fn bad(&self) -> &str {
        &self.bad
    }
}

/// A share in per cent, with enough places to be told from a target: `99.95 %`.
pub fn percent(share: f64, target: f64) -> String {
    let places = if target > 0.999 { 3 } else { 2 };
    let text = format!("{:.places$}", 100.0 * share);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

fn parsed(key: &'static str, text: &str) -> Result<Filter, (&'static str, String)> {
    let filter = Filter::parse(text).map_err(|error| (key, format!("{key}:\n{}", error.with_carets(text))))?;
    let is_unfit = |target: &Operand| matches!(target, Operand::Path(..) | Operand::Field(Field::Final | Field::Time));
    if filter.expr().atoms().iter().any(|atom| is_unfit(&atom.target)) {
        return Err((key, format!("{key}: an objective cannot test payloads, final or time")));
    }
    Ok(filter)
}

/// The burn rate over a long and a short window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burn {
    /// More than this in both windows is too much.
    pub limit: f64,
    pub long_us: i64,
    pub short_us: i64,
    pub long: f64,
    pub short: f64,
    /// What was counted in the long window.
    pub count: Count,
    /// The rate over the long window that is sure, of however little was counted.
    surely: f64,
}

impl Burn {
    /// Whether it is more than this in both windows, and not by chance.
    pub fn is_beyond(&self, limit: f64) -> bool {
        self.long > limit && self.short > limit && !self.may_be_chance(limit)
    }

    /// Whether the rate over the long window may be beyond a limit by chance.
    pub fn may_be_chance(&self, limit: f64) -> bool {
        self.surely <= limit
    }
}

/// How an objective stands at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub name: String,
    pub target: f64,
    pub window_us: i64,
    /// What was counted in its window.
    pub count: Count,
    /// By [`WINDOWS`].
    pub burns: [Burn; 2],
}

impl Standing {
    /// The share that was good, 0 to 1; `None` where nothing was counted.
    pub fn share(&self) -> Option<f64> {
        (self.count.total > 0).then(|| self.count.good as f64 / self.count.total as f64)
    }

    /// The share of the error budget that is left: 1 where nothing went wrong, below 0 where more did than may.
    pub fn budget(&self) -> f64 {
        let allowed = (1.0 - self.target) * self.count.total as f64;
        if allowed > 0.0 { 1.0 - self.count.bad() as f64 / allowed } else { 1.0 }
    }

    /// Whether the budget is spent too fast.
    pub fn is_burning(&self) -> bool {
        self.burns.iter().any(|burn| burn.is_beyond(burn.limit))
    }
}

impl Objective {
    /// How it stands; `None` before everything has been counted.
    pub fn standing(&self, course: &Course, now: Timestamp) -> Option<Standing> {
        let count = course.over(self.window_us, now)?;
        let [fast, slow] = WINDOWS.map(|(limit, long_us, short_us)| self.burn(course, (limit, long_us, short_us), now));
        let (name, target, window_us) = (self.name.clone(), self.target, self.window_us);
        Some(Standing { name, target, window_us, count, burns: [fast?, slow?] })
    }

    /// The burn rate over two windows; `None` before they have been counted.
    pub fn burn(&self, course: &Course, (limit, long_us, short_us): (f64, i64, i64), now: Timestamp) -> Option<Burn> {
        let (count, short) = (course.over(long_us, now)?, course.over(short_us, now)?);
        let may = 1.0 - self.target;
        let rate = |count: Count| count.bad() as f64 / count.total.max(1) as f64 / may;
        let surely = surely(count.bad(), count.total) / may;
        Some(Burn { limit, long_us, short_us, long: rate(count), short: rate(short), count, surely })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objective() -> Objective {
        Objective::new("orders", ("system:SAP", "status:success"), "99 %", "30d").expect("good")
    }

    #[test]
    fn what_is_wrong_is_named() {
        let of = |filter: &str, good: &str, target: &str, window: &str| {
            Objective::new("o", (filter, good), target, window).expect_err("wrong")
        };
        assert_eq!(of("sistem:SAP", "status:success", "99 %", "30d").0, "filter");
        assert_eq!(of("", "", "99 %", "30d").0, "good");
        assert_eq!(of("", "req.body:x", "99 %", "30d").0, "good");
        assert_eq!(of("", "status:success", "100 %", "30d").0, "target");
        assert_eq!(of("", "status:success", "0.999", "30d").0, "target");
        assert_eq!(of("", "status:success", "99.9 %", "30").0, "window");
        assert_eq!(objective().bad(), "(system:SAP) -status:in_progress -(status:success)");
    }

    /// 2 % of what was counted went wrong where 1 % may: twice the budget, spent twice as fast as it lasts.
    #[test]
    fn budget_and_burn_rate_follow_from_counts() {
        let now = Timestamp(1_790_000_000_000_000);
        let mut course = Course::default();
        let query = course.request(&objective(), now, now).expect("everything is asked for");
        let counts = query.stretches.iter().flat_map(|stretch| {
            let buckets = (stretch.from.0..stretch.to.0).step_by(usize::try_from(stretch.bucket_us).expect("positive"));
            let per = u64::try_from(stretch.bucket_us / MINUTE_US).expect("positive");
            let count = Count { total: 100 * per, good: 98 * per };
            buckets.map(move |at| (Timestamp(at), stretch.bucket_us, count)).collect::<Vec<_>>()
        });
        let counts: Vec<_> = counts.collect();
        assert_eq!(objective().standing(&course, now), None, "not before it is known");
        course.answer(&query, Some(&counts));
        let standing = objective().standing(&course, now).expect("known");
        assert!((standing.share().expect("some") - 0.98).abs() < 1e-9);
        assert!((standing.budget() + 1.0).abs() < 1e-6, "{}", standing.budget());
        for burn in standing.burns {
            assert!((burn.long - 2.0).abs() < 1e-6 && (burn.short - 2.0).abs() < 1e-6, "{burn:?}");
            assert!(burn.is_beyond(1.0) && !burn.is_beyond(burn.limit));
        }
        assert!(!standing.is_burning());
        assert_eq!(course.request(&objective(), now, now), None, "asked once");
    }

    #[test]
    fn few_say_little() {
        let now = Timestamp(1_790_000_000_000_000);
        let mut course = Course::default();
        let query = course.request(&objective(), now, now).expect("asked");
        // One of two, a minute ago.
        let at = Timestamp((now.0 / MINUTE_US - 1) * MINUTE_US);
        course.answer(&query, Some(&[(at, MINUTE_US, Count { total: 2, good: 1 })]));
        let burn = objective().standing(&course, now).expect("known").burns[0];
        assert!(burn.long > 14.4 && burn.may_be_chance(14.4) && !burn.is_beyond(14.4), "{burn:?}");
    }
}
