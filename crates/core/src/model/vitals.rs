//! Health and metrics: what a source reports in addition to activities.

use super::{HealthState, Timestamp};

/// The result of one health check.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// The system or service that was checked; `None` for the source itself.
    pub system: Option<String>,
    /// What was checked, for example `database`, `cluster` or `replica set`.
    pub name: String,
    /// The result.
    pub state: HealthState,
    /// The reason, with figures.
    pub detail: String,
    /// How long the response took, in microseconds.
    pub took_us: Option<u64>,
}

impl Check {
    /// A check of the source itself.
    pub fn new(name: &str, state: HealthState, detail: impl Into<String>) -> Self {
        Self { system: None, name: name.to_owned(), state, detail: detail.into(), took_us: None }
    }
}

/// The unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// A number of things.
    #[default]
    Count,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// Per cent.
    Percent,
}

impl Unit {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Bytes => "bytes",
            Self::Percent => "percent",
        }
    }

    /// Formats a value for people: `1.2 s`, `41 ms`, `3.4 GB`, `71 %`, `1,204`.
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Seconds if value.abs() < 0.001 => format!("{:.0} µs", value * 1e6),
            Self::Seconds if value.abs() < 1.0 => format!("{:.0} ms", value * 1e3),
            Self::Seconds if value.abs() < 100.0 => format!("{value:.1} s"),
            Self::Seconds if value.abs() < 6000.0 => format!("{:.0} min", value / 60.0),
            Self::Seconds if value.abs() < 172_800.0 => format!("{:.0} h", value / 3600.0),
            Self::Seconds => format!("{:.0} d", value / 86_400.0),
            Self::Milliseconds => Self::Seconds.text(value / 1e3),
            Self::Percent => format!("{value:.1} %"),
            Self::Bytes => {
                let (mut value, mut at) = (value, 0);
                while value.abs() >= 1000.0 && at < 5 {
                    value /= 1000.0;
                    at += 1;
                }
                let unit = ["B", "kB", "MB", "GB", "TB", "PB"][at];
                if at == 0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
            }
            Self::Count if value.fract() == 0.0 && value.abs() < 1e15 => {
                let digits = format!("{:.0}", value.abs());
                let grouped: Vec<&str> =
                    digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
                format!("{}{}", if value < 0.0 { "-" } else { "" }, grouped.join(","))
            }
            Self::Count if value.abs() >= 100.0 => format!("{value:.0}"),
            Self::Count => format!("{value:.2}"),
        }
    }

    /// The unit in a metric's name, by Prometheus' conventions (<https://prometheus.io/docs/practices/naming/>).
    pub fn of_name(name: &str) -> Self {
        let base = name.trim_end_matches("_total");
        match base.rsplit('_').next().unwrap_or_default() {
            "seconds" => Self::Seconds,
            "ms" | "milliseconds" => Self::Milliseconds,
            "bytes" => Self::Bytes,
            "percent" => Self::Percent,
            _ => Self::Count,
        }
    }
}

/// The type of a metric, as in Prometheus (<https://prometheus.io/docs/concepts/metric_types/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetricKind {
    /// Only grows, until its process restarts.
    Counter,
    /// Goes up and down.
    #[default]
    Gauge,
    /// Counts in buckets, from which quantiles are computed.
    Histogram,
    /// Quantiles that the measured process computed.
    Summary,
}

impl MetricKind {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }

    /// The kind with a name; a gauge where the name is unknown.
    pub fn parse(word: &str) -> Self {
        let all = [Self::Counter, Self::Gauge, Self::Histogram, Self::Summary];
        all.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(word)).unwrap_or_default()
    }
}

/// Points stored per metric.
const POINTS: usize = 60;

/// A measured value and its history.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metric {
    /// The system or service that it belongs to, if it names one.
    pub system: Option<String>,
    /// Heading under which it is shown, for example `consumer groups`, `indices` or `connections`.
    pub group: String,
    /// Name within the group.
    pub name: String,
    /// The type of the metric.
    pub kind: MetricKind,
    /// Label names and values, which distinguish metrics of one name.
    pub labels: Vec<(String, String)>,
    /// Unit of the value and of the quantiles.
    pub unit: Unit,
    /// The present value; `None` where it is unknown.
    pub value: Option<f64>,
    /// Growth per second, of a counter or a histogram.
    pub rate: Option<f64>,
    /// p50, p95 and p99 of a histogram or summary.
    pub quantiles: Option<[f64; 3]>,
    /// Earlier values, oldest first: the rate of a counter, the p95 of a histogram, else the value.
    pub points: Vec<(Timestamp, f64)>,
}

impl Metric {
    /// A gauge in a group, with a unit guessed from its name.
    pub fn new(group: &str, name: &str, labels: &[(&str, &str)], value: Option<f64>) -> Self {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (group, name, unit) = (group.to_owned(), name.to_owned(), Unit::of_name(name));
        Self { group, name, labels, unit, value, ..Self::default() }
    }

    /// The number to show: the rate of a counter, the p95 of a histogram, else the value.
    pub fn display_value(&self) -> Option<f64> {
        match self.kind {
            MetricKind::Counter => self.rate,
            MetricKind::Histogram | MetricKind::Summary => self.quantiles.map(|[_, p95, _]| p95),
            MetricKind::Gauge => self.value,
        }
    }

    /// The number to show, formatted for people.
    pub fn text(&self) -> String {
        let unknown = || "not known".to_owned();
        let rate = self.rate.map(|rate| format!("{}/s", Unit::Count.text((rate * 100.0).round() / 100.0)));
        match (self.kind, self.quantiles) {
            (MetricKind::Histogram | MetricKind::Summary, Some([p50, p95, p99])) => {
                let [p50, p95, p99] = [p50, p95, p99].map(|value| self.unit.text(value));
                let rate = rate.map_or_else(String::new, |rate| format!("  {rate}"));
                format!("p50 {p50}  p95 {p95}  p99 {p99}{rate}")
            }
            (MetricKind::Gauge, _) => self.value.map_or_else(unknown, |value| self.unit.text(value)),
            _ => rate.or_else(|| self.value.map(|value| Unit::Count.text(value))).unwrap_or_else(unknown),
        }
    }

    /// The labels, formatted for people: `method=GET route=/x`.
    pub fn labels_text(&self) -> String {
        let list: Vec<String> = self.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        list.join(" ")
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.group, &self.name, &self.labels) == (&other.group, &other.name, &other.labels)
    }
}

/// Everything that a source reports at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vitals {
    /// Results of health checks.
    pub checks: Vec<Check>,
    /// Measured values.
    pub metrics: Vec<Metric>,
}

impl Vitals {
    /// Takes over the history of the previous report and appends the present numbers.
    pub fn follow(&mut self, before: &Self, now: Timestamp) {
        for metric in &mut self.metrics {
            // The store keeps series and has reported them.
            if !metric.points.is_empty() {
                continue;
            }
            if let Some(older) = before.metrics.iter().find(|older| older.is_same(metric)) {
                metric.points.clone_from(&older.points);
            }
            metric.points.extend(metric.display_value().map(|value| (now, value)));
            let surplus = metric.points.len().saturating_sub(POINTS);
            metric.points.drain(..surplus);
        }
    }

    /// Whether it holds neither checks nor metrics.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.metrics.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_in_names() {
        for (name, unit) in [
            ("http_request_duration_seconds", Unit::Seconds),
            ("process_cpu_seconds_total", Unit::Seconds),
            ("response_time_ms", Unit::Milliseconds),
            ("nodejs_heap_size_used_bytes", Unit::Bytes),
            ("cpu_usage_percent", Unit::Percent),
            ("queue_size", Unit::Count),
        ] {
            assert_eq!(Unit::of_name(name), unit, "{name}");
        }
    }

    #[test]
    fn what_was_measured_before_stays_with_its_metric() {
        let of = |value| Vitals {
            metrics: vec![Metric::new("g", "queue_size", &[("q", "a")], Some(value))],
            ..Vitals::default()
        };
        let mut first = of(1.0);
        first.follow(&Vitals::default(), Timestamp(1));
        let mut second = of(2.0);
        second.follow(&first, Timestamp(2));
        assert_eq!(second.metrics[0].points, [(Timestamp(1), 1.0), (Timestamp(2), 2.0)]);
    }
}
