//! A rule: what it measures, how it groups, and when a value is an alert.

use crate::failure::State;
use crosstail_core::filter::{Field, Filter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The severity of an alert, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Needs immediate action, also at night.
    Critical,
    /// Needs attention.
    Warning,
    /// For information.
    Info,
}

impl Severity {
    pub const ALL: &'static [Self] = &[Self::Critical, Self::Warning, Self::Info];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|severity| severity.as_str().eq_ignore_ascii_case(word))
    }
}

/// The unit of a measured value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueUnit {
    Count,
    PerSecond,
    PerMinute,
    Percent,
    Milliseconds,
    /// Standard deviations.
    Deviations,
    /// A factor.
    Times,
}

impl ValueUnit {
    /// Formats a value for people.
    pub fn text(self, value: f64) -> String {
        use crosstail_core::model::Unit as Shown;
        let rounded = |value: f64| Shown::Count.text((value * 100.0).round() / 100.0);
        match self {
            Self::Count => rounded(value),
            Self::PerSecond => format!("{}/s", rounded(value)),
            Self::PerMinute => format!("{}/min", rounded(value)),
            Self::Percent => Shown::Percent.text(value),
            Self::Milliseconds => Shown::Milliseconds.text(value),
            Self::Deviations => format!("{value:.1} standard deviations"),
            Self::Times => format!("{value:.1}×"),
        }
    }
}

/// The limit with which values are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Whether values above the limit are too much; otherwise values below are too little.
    pub above: bool,
    /// Whether the limit itself is beyond it, too.
    pub or_equal: bool,
    /// The limit, in the unit of the measure.
    pub limit: f64,
}

impl Threshold {
    /// Whether a value is beyond the limit.
    pub fn is_beyond(self, value: f64) -> bool {
        match (self.above, self.or_equal) {
            (true, false) => value > self.limit,
            (true, true) => value >= self.limit,
            (false, false) => value < self.limit,
            (false, true) => value <= self.limit,
        }
    }

    /// The worse of two values.
    pub fn worse(self, a: f64, b: f64) -> f64 {
        if self.above { a.max(b) } else { a.min(b) }
    }

    /// Formats the comparison: `> 5.0 %`.
    pub fn text(self, unit: ValueUnit) -> String {
        let sign = match (self.above, self.or_equal) {
            (true, false) => ">",
            (true, true) => "≥",
            (false, false) => "<",
            (false, true) => "≤",
        };
        format!("{sign} {}", unit.text(self.limit))
    }
}

/// A measurement of the activities in a window.
#[derive(Debug, Clone)]
pub enum ActivityMeasure {
    Count,
    PerSecond,
    PerMinute,
    /// Share of the finished activities that match this filter, in per cent.
    Share(Filter),
    /// A quantile (0 to 1) of the durations.
    Quantile(f64),
    /// The mean duration.
    Mean,
    /// For a window without activities: the share of earlier windows that had some, in per cent.
    Silence,
    /// By how many standard deviations the success rate is below the baseline.
    Drop,
    /// Failures of a group that did not occur in the two weeks before, or that is back after a day of silence.
    Failures(State),
}

impl ActivityMeasure {
    /// The state of the groups of failures that it measures, if it does.
    pub const fn of_failures(&self) -> Option<State> {
        match self {
            Self::Failures(state) => Some(*state),
            _ => None,
        }
    }
}

/// A condition on activities.
#[derive(Debug, Clone)]
pub struct OfActivities {
    /// The activities to measure.
    pub filter: Filter,
    pub measure: ActivityMeasure,
    /// Fields to group by.
    pub by: Vec<Field>,
    /// With fewer activities in the window there is no measurement.
    pub at_least: u64,
}

/// A measurement of metrics.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricMeasure {
    /// The value of a gauge, or the p95 of a histogram.
    Value,
    /// Growth of a counter per second, over the window.
    PerSecond,
    /// Growth of a counter per minute, over the window.
    PerMinute,
    /// Share of the total growth that counters with these labels have, in per cent.
    Share(Vec<(String, String)>),
    /// Per cent of another metric: the one with the same labels, else the only one with the name.
    Ratio(String),
}

/// A condition on metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct OfMetric {
    /// Names, with globs as in filters.
    pub names: Vec<String>,
    /// Labels that a metric must have, with globs as in filters.
    pub labels: Vec<(String, String)>,
    pub measure: MetricMeasure,
    /// Labels to group by, in addition to the source; empty for all labels.
    pub by: Vec<String>,
}

/// What a rule measures.
#[derive(Debug, Clone)]
pub enum Scope {
    Activities(Box<OfActivities>),
    Metric(OfMetric),
    /// How long a source has been unreachable, in milliseconds.
    Unreachable,
    /// The burn rate of each objective, over the rule's window and one of so many microseconds.
    BurnRate(i64),
}

/// An alert rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Unique name.
    pub name: String,
    /// What an alert means, in a few words.
    pub title: String,
    pub severity: Severity,
    /// When a value is too much or too little.
    pub threshold: Threshold,
    /// The unit of values and of the limit.
    pub unit: ValueUnit,
    /// Length of the measured window, in microseconds.
    pub window_us: i64,
    /// How long the condition must hold before the alert fires, in microseconds.
    pub for_us: i64,
    /// How long no further notification follows a notification, in microseconds.
    pub cooldown_us: i64,
    /// How long the condition must not hold before the alert is resolved, in microseconds.
    pub clear_us: i64,
    /// Interval of notifications while the alert fires, in microseconds; `None` for a single one.
    pub repeat_us: Option<i64>,
    /// The reason, with placeholders for figures.
    pub message: String,
    /// What is measured; at least one.
    pub scopes: Vec<Scope>,
}

impl Rule {
    /// Whether it measures against a baseline.
    pub fn needs_usual(&self) -> bool {
        self.scopes.iter().any(|scope| {
            matches!(scope, Scope::Activities(of) if matches!(of.measure, ActivityMeasure::Silence | ActivityMeasure::Drop))
        })
    }
}

impl Rule {
    /// Whether it measures groups of failures, for which it must be known what failed before.
    pub fn needs_known_failures(&self) -> bool {
        self.scopes.iter().any(|scope| matches!(scope, Scope::Activities(of) if of.measure.of_failures().is_some()))
    }
}

/// Labels and values that distinguish the alerts of one rule.
pub type Group = Vec<(String, String)>;

/// The measurement of one group of a rule at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub group: Group,
    /// The value, in the rule's unit.
    pub value: f64,
    /// Number of activities or metrics that were measured.
    pub count: u64,
    /// For a share: the number of activities that it is a share of.
    pub of: u64,
    /// Whether a share may be beyond the limit by chance: of few activities it says little, and no alert begins with it.
    pub may_be_chance: bool,
    /// The baseline in words; empty where there is none.
    pub usual: String,
    /// The filter for the activities that caused the value; empty where there are none.
    pub filter: String,
}
