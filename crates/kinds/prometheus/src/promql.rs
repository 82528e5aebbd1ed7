//! Queries a Prometheus server in PromQL for the metrics that schemas name, over the last hour.

use super::{Endpoint, Error};
use crosstail_core::model::{Metric, MetricKind, Timestamp, Unit};
use crosstail_core::number::truncated_i64;
use crosstail_core::schema::MetricDefinition;
use serde_json::Value;
use std::collections::BTreeMap;

/// Points per series.
const STEPS: i64 = 60;
/// The range over which rates are computed.
const WINDOW: &str = "5m";

/// Reads the metrics that schemas name, as their definitions say.
pub(super) async fn read(
    endpoint: &Endpoint,
    wanted: &[MetricDefinition],
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Metric>, Error> {
    let known = endpoint.json("api/v1/label/__name__/values", &[]).await?;
    let known: Vec<&str> = known["data"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut found = Vec::new();
    for metric in wanted {
        let name = &metric.name;
        let has = |suffix: &str| known.contains(&format!("{name}{suffix}").as_str());
        let kind = MetricKind::parse(&metric.kind);
        match kind {
            MetricKind::Histogram if has("_bucket") => {
                let quantile = |q: f64| format!("histogram_quantile({q}, rate({name}_bucket[{WINDOW}]))");
                let p95 = range(endpoint, &quantile(0.95), since, now).await?;
                let p50 = range(endpoint, &quantile(0.5), since, now).await?;
                let p99 = range(endpoint, &quantile(0.99), since, now).await?;
                let rates = range(endpoint, &format!("rate({name}_count[{WINDOW}])"), since, now).await?;
                for (labels, points) in p95 {
                    let last = |series: &Series| series.get(&labels).and_then(|p| p.last()).map(|(_, value)| *value);
                    let quantiles = match (last(&p50), points.last(), last(&p99)) {
                        (Some(p50), Some((_, p95)), Some(p99)) => Some([p50, *p95, p99]),
                        _ => None,
                    };
                    let rate = last(&rates);
                    found.push(Metric { rate, quantiles, points, ..named(metric, kind, labels) });
                }
            }
            MetricKind::Counter if has("") => {
                for (labels, points) in range(endpoint, &format!("rate({name}[{WINDOW}])"), since, now).await? {
                    let rate = points.last().map(|(_, value)| *value);
                    found.push(Metric { rate, points, ..named(metric, kind, labels) });
                }
            }
            _ if has("") => {
                for (labels, points) in range(endpoint, name, since, now).await? {
                    let value = points.last().map(|(_, value)| *value);
                    found.push(Metric { value, points, ..named(metric, kind, labels) });
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

fn named(metric: &MetricDefinition, kind: MetricKind, labels: Vec<(String, String)>) -> Metric {
    let system = metric
        .system_label
        .as_ref()
        .and_then(|label| labels.iter().find(|(name, _)| name == label).map(|(_, value)| value.clone()));
    Metric {
        system,
        group: "metrics".to_owned(),
        name: metric.name.clone(),
        kind,
        labels,
        unit: Unit::of_name(&metric.name),
        ..Metric::default()
    }
}

/// Points, by labels.
type Series = BTreeMap<Vec<(String, String)>, Vec<(Timestamp, f64)>>;

async fn range(endpoint: &Endpoint, query: &str, since: Timestamp, now: Timestamp) -> Result<Series, Error> {
    let seconds = |at: Timestamp| format!("{:.3}", at.0 as f64 / 1e6);
    let step = (now.since_us(since) / STEPS / 1_000_000).max(1).to_string();
    let (start, end) = (seconds(since), seconds(now));
    let parameters = [("query", query), ("start", start.as_str()), ("end", end.as_str()), ("step", step.as_str())];
    let answer = endpoint.json("api/v1/query_range", &parameters).await?;
    if answer["status"] != "success" {
        return Err(Error::Refused(answer["error"].as_str().unwrap_or("the query was refused").to_owned()));
    }
    let mut series = Series::new();
    for one in answer["data"]["result"].as_array().into_iter().flatten() {
        let labels = one["metric"].as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut labels: Vec<(String, String)> =
            labels.filter(|(name, _)| *name != "__name__").map(|(name, value)| (name.clone(), text(value))).collect();
        labels.sort();
        let points = one["values"].as_array().into_iter().flatten().filter_map(|point| {
            let at = Timestamp(truncated_i64(point[0].as_f64()? * 1e6));
            let value: f64 = point[1].as_str()?.parse().ok()?;
            value.is_finite().then_some((at, value))
        });
        series.insert(labels, points.collect());
    }
    Ok(series)
}
