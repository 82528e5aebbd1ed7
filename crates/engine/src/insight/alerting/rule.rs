//! A rule: what is measured of whom, and when that is an alert.

use super::definition::{Definition, RuleError};
use crosstail_core::filter::{Field, Filter};
use serde::{Deserialize, Serialize};

/// How bad an alert is. Worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody has to get up.
    Critical,
    /// Somebody has to look.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// Every severity, worst first.
    pub const ALL: &'static [Self] = &[Self::Critical, Self::Warning, Self::Info];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    /// The severity of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|severity| severity.as_str().eq_ignore_ascii_case(word))
    }
}

/// What a measured number is a number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueUnit {
    /// Things.
    Count,
    /// Things a second.
    PerSecond,
    /// Things a minute.
    PerMinute,
    /// Per cent.
    Percent,
    /// Milliseconds.
    Milliseconds,
    /// Standard deviations.
    Deviations,
}

impl ValueUnit {
    /// A value for people.
    pub fn text(self, value: f64) -> String {
        use crosstail_core::model::Unit as Shown;
        let rounded = |value: f64| Shown::Count.text((value * 100.0).round() / 100.0);
        match self {
            Self::Count => rounded(value),
            Self::PerSecond => format!("{}/s", rounded(value)),
            Self::PerMinute => format!("{}/min", rounded(value)),
            Self::Percent => Shown::Percent.text(value),
            Self::Milliseconds => Shown::Milliseconds.text(value),
            Self::Deviations => format!("{value:.1} σ"),
        }
    }
}

/// What a value is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Above, else below.
    pub above: bool,
    /// The limit itself is beyond it, too.
    pub or_equal: bool,
    /// The limit, in the unit of the measure.
    pub limit: f64,
}

impl Threshold {
    /// Whether a value is beyond it.
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

    /// As it was written: `> 5.0 %`.
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

/// What is measured of activities in the window.
#[derive(Debug, Clone)]
pub enum ActivityMeasure {
    /// How many.
    Count,
    /// How many a second.
    PerSecond,
    /// How many a minute.
    PerMinute,
    /// Per cent of the finished that this filter keeps.
    Share(Filter),
    /// A quantile of how long they took (0.95).
    Quantile(f64),
    /// How long they took on average.
    Mean,
    /// Per cent of the usual windows that had any, while this one has none.
    Silence,
    /// Standard deviations by which success is below what is usual.
    Drop,
}

/// A condition over activities.
#[derive(Debug, Clone)]
pub struct OfActivities {
    /// Which are counted.
    pub filter: Filter,
    /// What is measured.
    pub measure: ActivityMeasure,
    /// Groups are told apart by these fields.
    pub by: Vec<Field>,
    /// Fewer than so many in the window measure nothing.
    pub at_least: u64,
}

/// What is measured of metrics.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricMeasure {
    /// The value: of a gauge its number, of a histogram its p95.
    Value,
    /// How fast a counter grows a second, over the window.
    PerSecond,
    /// How fast a counter grows a minute, over the window.
    PerMinute,
    /// Per cent of the growth of all with the name that those with these labels have.
    Share(Vec<(String, String)>),
    /// Per cent of another metric: of the same labels, else of the only one of that name.
    Ratio(String),
}

/// A condition over metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct OfMetric {
    /// Names; globs as in filters.
    pub names: Vec<String>,
    /// Labels that it must have; globs as in filters.
    pub labels: Vec<(String, String)>,
    /// What is measured.
    pub measure: MetricMeasure,
    /// Groups are told apart by these labels, beside the source; all labels where empty.
    pub by: Vec<String>,
}

/// What a rule looks at.
#[derive(Debug, Clone)]
pub enum Scope {
    /// Activities.
    Activities(Box<OfActivities>),
    /// Metrics of the sources.
    Metric(OfMetric),
    /// How long a source has not been live, in milliseconds.
    Unreachable,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it means, in a few words.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// When a value is too much, or too little.
    pub threshold: Threshold,
    /// The unit of values and of the limit.
    pub unit: ValueUnit,
    /// Length of time measured, in microseconds.
    pub window_us: i64,
    /// How long it must hold before it fires.
    pub for_us: i64,
    /// After an alert was told, it is not told again for this long.
    pub cooldown_us: i64,
    /// How long it must not hold before it is over.
    pub clear_us: i64,
    /// While it goes on it is told again after this long; never where `None`.
    pub repeat_us: Option<i64>,
    /// The reason, with places for numbers.
    pub message: String,
    /// What is looked at: one or more.
    pub scopes: Vec<Scope>,
}

impl Rule {
    /// Reads a rule's TOML. `Ok(None)`: it is switched off. `origin` names the file in errors.
    pub fn from_toml(text: &str, origin: &str) -> Result<(String, Option<Self>), RuleError> {
        Definition::read(text, origin)
    }

    /// Whether what it measures needs to know what is usual.
    pub fn needs_usual(&self) -> bool {
        self.scopes.iter().any(|scope| {
            matches!(scope, Scope::Activities(of) if matches!(of.measure, ActivityMeasure::Silence | ActivityMeasure::Drop))
        })
    }
}

/// What tells one alert of a rule from another: label and value.
pub type Group = Vec<(String, String)>;

/// What was measured of one group of a rule at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Of whom.
    pub group: Group,
    /// The value, in the rule's unit.
    pub value: f64,
    /// Activities, or metrics, that it was measured of.
    pub count: u64,
    /// Of which the share is.
    pub of: u64,
    /// What is usual, in words; empty where nothing is compared with it.
    pub usual: String,
    /// The filter that shows the activities behind it; empty where there are none.
    pub filter: String,
}
