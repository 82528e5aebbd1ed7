//! Measurements of the sources' metrics for rules.

use super::rule::{Group, Measured, MetricMeasure, OfMetric, Rule, ValueUnit};
use super::seen::{EvaluationInput, SourceSnapshot};
use crosstail_core::model::{HealthState, Metric, MetricKind, Timestamp, Unit as MetricUnit};
use glob::{MatchOptions, Pattern};

/// Whether metrics of any source are unavailable.
pub(super) fn is_blind(seen: &EvaluationInput<'_>) -> bool {
    seen.sources.iter().any(|source| {
        let silent = source.vitals.metrics.is_empty();
        let unwell = source.vitals.checks.iter().any(|check| check.state != HealthState::Healthy);
        source.unreachable_since.is_some() || silent && unwell
    })
}

fn fits(pattern: &str, text: &str) -> bool {
    let options = MatchOptions { case_sensitive: false, ..MatchOptions::default() };
    Pattern::new(pattern).map_or_else(|_| pattern.eq_ignore_ascii_case(text), |glob| glob.matches_with(text, options))
}

fn has(metric: &Metric, labels: &[(String, String)]) -> bool {
    labels.iter().all(|(name, pattern)| {
        metric.labels.iter().any(|(label, value)| label.eq_ignore_ascii_case(name) && fits(pattern, value))
    })
}

/// The mean of a metric's points since a time; of a counter, its mean rate.
fn mean_since(metric: &Metric, since: Timestamp) -> Option<f64> {
    let points: Vec<f64> = metric.points.iter().filter(|(at, _)| *at >= since).map(|(_, value)| *value).collect();
    if points.is_empty() { metric.display_value() } else { Some(points.iter().sum::<f64>() / points.len() as f64) }
}

/// The present value of a metric, in the unit of the rule.
fn value(metric: &Metric, unit: ValueUnit) -> Option<f64> {
    let value = metric.display_value()?;
    Some(match (metric.unit, unit) {
        (MetricUnit::Seconds, ValueUnit::Milliseconds) => value * 1e3,
        _ => value,
    })
}

/// The group of a metric: the requested labels, and the source.
fn group(metric: &Metric, source: &SourceSnapshot<'_>, by: &[String]) -> Group {
    let wanted =
        |(name, _): &&(String, String)| by.is_empty() || by.iter().any(|label| label.eq_ignore_ascii_case(name));
    let mut group: Group = metric.labels.iter().filter(wanted).cloned().collect();
    // Where no label identifies the metric, the source does, and the name of its service.
    if let Some(system) = metric.system.as_ref().filter(|system| group.iter().all(|(_, value)| value != *system)) {
        group.insert(0, ("system".to_owned(), system.clone()));
    }
    if group.is_empty() {
        group.push(("source".to_owned(), source.name.to_owned()));
    }
    group
}

/// Measures the metrics of all sources.
pub(super) fn measure(rule: &Rule, of: &OfMetric, seen: &EvaluationInput<'_>) -> Vec<Measured> {
    let since = seen.context.now.plus_us(-rule.window_us);
    let mut found: Vec<Measured> = Vec::new();
    let readable = seen.sources.iter().filter(|source| source.unreachable_since.is_none());
    for source in readable {
        let metrics: Vec<&Metric> = source
            .vitals
            .metrics
            .iter()
            .filter(|metric| of.names.iter().any(|name| fits(name, &metric.name)) && has(metric, &of.labels))
            .collect();
        match &of.measure {
            MetricMeasure::Share(labels) => found.extend(shares(&metrics, labels, source, of, since)),
            measure => {
                for metric in metrics {
                    let value = match measure {
                        MetricMeasure::Value => value(metric, rule.unit),
                        MetricMeasure::PerSecond => mean_since(metric, since),
                        MetricMeasure::PerMinute => mean_since(metric, since).map(|rate| rate * 60.0),
                        MetricMeasure::Ratio(to) => ratio(metric, to, source),
                        MetricMeasure::Share(_) => None,
                    };
                    let group = group(metric, source, &of.by);
                    if let Some(value) = value {
                        add(&mut found, rule, Measured { group, value, ..nothing() });
                    }
                }
            }
        }
    }
    found
}

fn nothing() -> Measured {
    Measured {
        group: Group::new(),
        value: 0.0,
        count: 1,
        of: 0,
        may_be_chance: false,
        usual: String::new(),
        filter: String::new(),
    }
}

/// Combines several metrics of one group: rates add up, of other values the worse one counts.
fn add(found: &mut Vec<Measured>, rule: &Rule, measured: Measured) {
    match found.iter_mut().find(|known| known.group == measured.group) {
        Some(known) => {
            let sum = matches!(rule.unit, ValueUnit::PerSecond | ValueUnit::PerMinute);
            known.value =
                if sum { known.value + measured.value } else { rule.threshold.worse(known.value, measured.value) };
            known.count += 1;
        }
        None => found.push(measured),
    }
}

/// A metric in per cent of another metric of the same source.
fn ratio(metric: &Metric, to: &str, source: &SourceSnapshot<'_>) -> Option<f64> {
    let named = || source.vitals.metrics.iter().filter(|other| fits(to, &other.name));
    let only = || named().next().filter(|_| named().count() == 1);
    let other = named().find(|other| other.labels == metric.labels).or_else(only)?;
    let whole = other.display_value().filter(|whole| *whole > 0.0)?;
    Some(100.0 * metric.display_value()? / whole)
}

/// The share of the total growth that metrics with the labels have, in per cent, by group.
fn shares(
    metrics: &[&Metric],
    labels: &[(String, String)],
    source: &SourceSnapshot<'_>,
    of: &OfMetric,
    since: Timestamp,
) -> Vec<Measured> {
    let mut sums: Vec<(Group, f64, f64)> = Vec::new();
    for metric in metrics.iter().filter(|metric| metric.kind == MetricKind::Counter) {
        let Some(rate) = mean_since(metric, since) else { continue };
        let group = group(metric, source, &of.by);
        let part = if has(metric, labels) { rate } else { 0.0 };
        match sums.iter_mut().find(|(known, ..)| *known == group) {
            Some(sum) => (sum.1, sum.2) = (sum.1 + part, sum.2 + rate),
            None => sums.push((group, part, rate)),
        }
    }
    let one = |(group, part, all): (Group, f64, f64)| {
        let value = 100.0 * part / all;
        (all > 0.0).then(|| Measured { group, value, ..nothing() })
    };
    sums.into_iter().filter_map(one).collect()
}
