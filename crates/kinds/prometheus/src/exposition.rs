//! Prometheus' text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>): one sample per line.
//!
//! The crate `prometheus-parse` splits labels at `,`, `=` and `}`, which routes contain (`/po/{id}`); others refuse a
//! page for one wrong line. This parser reports wrong lines and reads the rest.

use crosstail_core::model::{Metric, MetricKind, Unit};
use std::collections::{BTreeMap, HashMap};

/// Label names and values, in order.
type Labels = Vec<(String, String)>;

/// A metric's name with its labels.
pub(super) type Key = (String, Labels);

/// Cumulative counts by upper bound.
pub(super) type Buckets = Vec<(f64, f64)>;

/// One metric on one page.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Sample {
    pub(super) kind: MetricKind,
    /// The value; for a histogram or summary, the number of observations.
    pub(super) value: f64,
    /// Only a histogram has buckets.
    pub(super) buckets: Buckets,
    /// Quantile (0 to 1) and value; only a summary has them.
    pub(super) quantiles: Vec<(f64, f64)>,
}

/// A parsed page.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct MetricsPage {
    pub(super) samples: BTreeMap<Key, Sample>,
    /// Lines that could not be parsed: line number, from 1, and text.
    pub(super) wrong: Vec<(usize, String)>,
}

impl MetricsPage {
    pub(super) fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let mut kinds: HashMap<&str, MetricKind> = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(comment) = line.strip_prefix('#') {
                let mut words = comment.split_whitespace();
                if words.next() == Some("TYPE")
                    && let (Some(name), Some(kind)) = (words.next(), words.next())
                {
                    kinds.insert(name, MetricKind::parse(kind));
                }
                continue;
            }
            if line.is_empty() {
                continue;
            }
            match sample(line) {
                Some((name, labels, value)) => page.add(&kinds, name, labels, value),
                None => page.wrong.push((number + 1, line.chars().take(80).collect())),
            }
        }
        page
    }

    fn add(&mut self, kinds: &HashMap<&str, MetricKind>, name: &str, mut labels: Labels, value: f64) {
        let of = |suffix: &str| name.strip_suffix(suffix).filter(|base| kinds.contains_key(base));
        let take = |labels: &mut Vec<(String, String)>, label: &str| {
            let index = labels.iter().position(|(name, _)| name == label)?;
            number(&labels.remove(index).1)
        };
        let part = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| Some((of(suffix)?, *suffix)));
        let (base, suffix) = part.unwrap_or((name, ""));
        let kind = kinds.get(base).copied().unwrap_or_default();
        let whole = matches!(kind, MetricKind::Histogram | MetricKind::Summary);
        if !whole {
            self.entry(name, labels, kinds.get(name).copied().unwrap_or_default()).value = value;
            return;
        }
        match suffix {
            "_bucket" => {
                if let Some(le) = take(&mut labels, "le") {
                    self.entry(base, labels, kind).buckets.push((le, value));
                }
            }
            "_count" => self.entry(base, labels, kind).value = value,
            "_sum" => {}
            _ => {
                if let Some(quantile) = take(&mut labels, "quantile") {
                    self.entry(base, labels, kind).quantiles.push((quantile, value));
                }
            }
        }
    }

    fn entry(&mut self, name: &str, labels: Labels, kind: MetricKind) -> &mut Sample {
        let sample = self.samples.entry((name.to_owned(), labels)).or_default();
        sample.kind = kind;
        sample
    }
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        text => text.parse().ok(),
    }
}

/// `name{label="value",…} value [timestamp]`.
fn sample(line: &str) -> Option<(&str, Labels, f64)> {
    let end = line.find(['{', ' ', '\t'])?;
    let name = &line[..end];
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':') {
        return None;
    }
    let mut labels = Vec::new();
    let mut rest = &line[end..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside.trim_start();
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once('=')?;
            let mut chars = after.trim_start().strip_prefix('"')?.char_indices();
            let quoted = after.trim_start().strip_prefix('"')?;
            let mut value = String::new();
            let close = loop {
                match chars.next()? {
                    (at, '"') => break at,
                    (_, '\\') => match chars.next()?.1 {
                        'n' => value.push('\n'),
                        c => value.push(c),
                    },
                    (_, c) => value.push(c),
                }
            };
            labels.push((label.trim().to_owned(), value));
            rest = quoted[close + 1..].trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        rest = &rest[1..];
    }
    labels.sort();
    Some((name, labels, number(rest.split_whitespace().next()?)?))
}

/// A quantile of cumulative buckets, interpolated within its bucket as PromQL's `histogram_quantile` does
/// (<https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile>).
pub(super) fn quantile(buckets: &Buckets, q: f64) -> Option<f64> {
    let mut sorted = buckets.clone();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total = sorted.last().filter(|(le, count)| *le == f64::INFINITY && *count > 0.0)?.1;
    let rank = q * total;
    let index = sorted.iter().position(|(_, count)| *count >= rank)?;
    let (le, count) = sorted[index];
    let (below, before) = match index.checked_sub(1) {
        Some(before) => sorted[before],
        None if le <= 0.0 => return Some(le),
        None => (0.0, 0.0),
    };
    if le == f64::INFINITY {
        return Some(below);
    }
    Some(below + (le - below) * (rank - before) / (count - before).max(f64::MIN_POSITIVE))
}

/// The metrics of a page, with rates since the previous page, which was read `seconds` earlier.
pub(super) fn metrics(page: &MetricsPage, before: Option<(&MetricsPage, f64)>) -> Vec<Metric> {
    page.samples
        .iter()
        .map(|((name, labels), now)| {
            let then =
                before.and_then(|(page, seconds)| Some((page.samples.get(&(name.clone(), labels.clone()))?, seconds)));
            // A counter that is less than before has been reset.
            let then = then.filter(|(then, seconds)| then.value <= now.value && *seconds > 0.0);
            let grows = matches!(now.kind, MetricKind::Counter | MetricKind::Histogram | MetricKind::Summary);
            let rate = then.filter(|_| grows).map(|(then, seconds)| (now.value - then.value) / seconds);
            let buckets = match then {
                // Only of what was observed in between, if anything was.
                Some((then, _)) if now.value > then.value => now
                    .buckets
                    .iter()
                    .map(|(le, count)| {
                        let old = then
                            .buckets
                            .iter()
                            .find(|(other, _)| other.total_cmp(le).is_eq())
                            .map_or(0.0, |(_, count)| *count);
                        (*le, count - old)
                    })
                    .collect(),
                _ => now.buckets.clone(),
            };
            let of_summary =
                |q: f64| now.quantiles.iter().find(|(other, _)| (other - q).abs() < 1e-9).map(|(_, value)| *value);
            let pick = |q: f64| if now.kind == MetricKind::Summary { of_summary(q) } else { quantile(&buckets, q) };
            let quantiles = match (pick(0.5), pick(0.95).or_else(|| of_summary(0.9)), pick(0.99)) {
                (Some(p50), Some(p95), Some(p99)) => Some([p50, p95, p99]),
                _ => None,
            };
            let of = |label: &str| labels.iter().find(|(name, _)| name == label).map(|(_, value)| value.clone());
            Metric {
                system: ["service", "system", "source"].iter().find_map(|label| of(label)),
                group: "metrics".to_owned(),
                name: name.clone(),
                kind: now.kind,
                labels: labels.clone(),
                unit: Unit::of_name(name),
                value: Some(now.value).filter(|value| value.is_finite()),
                rate,
                quantiles,
                points: Vec::new(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_fuzz::Target;

    const PAGE: &str = "\
# HELP http_requests_total Total number of HTTP requests
# TYPE http_requests_total counter
http_requests_total{method=\"GET\",route=\"/po/{id},a=b\",status_code=\"200\"} 1027 1395066363000
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le=\"0.1\",route=\"/x\"} 50
http_request_duration_seconds_bucket{le=\"0.5\",route=\"/x\"} 90
http_request_duration_seconds_bucket{le=\"+Inf\",route=\"/x\"} 100
http_request_duration_seconds_sum{route=\"/x\"} 12.5
http_request_duration_seconds_count{route=\"/x\"} 100
# TYPE rpc summary
rpc{quantile=\"0.5\"} 4
rpc{quantile=\"0.9\"} 9
rpc{quantile=\"0.99\"} 12
rpc_count 27
weird{text=\"a\\\"b\\\\c\\nd\"} NaN
this is wrong
no_value{a=\"b\"}
plain 3.5
";

    #[test]
    fn labels_may_hold_anything_and_a_wrong_line_is_told() {
        let page = MetricsPage::parse(PAGE);
        let wrong: Vec<usize> = page.wrong.iter().map(|(line, _)| *line).collect();
        assert_eq!(wrong, [16, 17]);
        let metrics = metrics(&page, None);
        let of = |name: &str| metrics.iter().find(|m| m.name == name).expect(name);
        assert_eq!(of("http_requests_total").labels[1], ("route".to_owned(), "/po/{id},a=b".to_owned()));
        assert_eq!(of("http_requests_total").value, Some(1027.0));
        assert_eq!(of("weird").labels[0].1, "a\"b\\c\nd");
        assert_eq!(of("weird").value, None, "not a number");
        assert_eq!(of("plain").value, Some(3.5));
        assert_eq!(of("rpc").quantiles, Some([4.0, 9.0, 12.0]));
        let duration = of("http_request_duration_seconds");
        assert_eq!((duration.value, duration.unit), (Some(100.0), Unit::Seconds));
        let [p50, p95, p99] = duration.quantiles.expect("quantiles");
        assert!((p50 - 0.1).abs() < 1e-9 && (p95 - 0.5).abs() < 1e-9 && (p99 - 0.5).abs() < 1e-9, "{p50} {p95} {p99}");
    }

    #[test]
    fn rates_are_between_pages_and_survive_a_restart() {
        let of = |n: u32| MetricsPage::parse(&format!("# TYPE c counter\nc {n}\n"));
        let rate = |now: u32, then: u32| metrics(&of(now), Some((&of(then), 10.0)))[0].rate;
        assert_eq!(rate(130, 100), Some(3.0));
        assert_eq!(rate(5, 100), None, "it was reset");
    }

    #[test]
    fn fuzz_metrics() {
        let bits = ["{", "}", "\"", "\\", "=", ",", "# TYPE ", "_bucket", "le=", "+Inf", "NaN", " ", "\n"];
        let target = Target { name: "metrics", corpus: vec![PAGE.as_bytes().to_vec()], bits: &bits, longest: 400_000 };
        target.run(|_, input| {
            let page = MetricsPage::parse(&String::from_utf8_lossy(input));
            metrics(&page, Some((&page, 10.0)));
        });
    }
}
