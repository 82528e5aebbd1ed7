//! Series of measurements among the records of a store. A measurement has a name, a time, a value and labels (the
//! analytics of the engineering logs).

use crosstail_core::model::{Metric, MetricKind, Unit, parse_timestamp};
use crosstail_core::schema::{SeriesTable, lookup};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Builds series from single measurements.
#[derive(Default)]
pub struct Series(BTreeMap<(String, Vec<(String, String)>), Metric>);

impl Series {
    /// Adds a record; false where it is not a measurement.
    pub fn add(&mut self, table: &SeriesTable, record: &Map<String, Value>) -> bool {
        let text = |path: &str| match lookup(record, path) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(n)) => Some(n.to_string()),
            _ => None,
        };
        let (Some(name), Some(value)) = (text(&table.name), text(&table.value).and_then(|text| text.parse().ok()))
        else {
            return false;
        };
        let Some(at) = text(&table.time).and_then(|text| parse_timestamp(&text)) else { return false };
        let mut labels: Vec<(String, String)> = lookup(record, &table.labels)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        if let Some(period) = table.period.as_deref().and_then(text) {
            labels.push(("period".to_owned(), period));
        }
        labels.sort();
        let metric = self.0.entry((name.clone(), labels.clone())).or_insert_with(|| {
            let service = labels.iter().find(|(name, _)| name == "service").map(|(_, service)| service.clone());
            let kind = text(&table.kind).map_or(MetricKind::Gauge, |word| MetricKind::parse(&word));
            let unit = Unit::of_name(&name);
            Metric { system: service, group: "analytics".to_owned(), name, kind, labels, unit, ..Metric::default() }
        });
        let index = metric.points.partition_point(|(known, _)| *known < at);
        if metric.points.get(index).is_none_or(|(known, _)| *known != at) {
            metric.points.insert(index, (at, value));
        } else {
            metric.points[index].1 = value;
        }
        true
    }

    /// The series as metrics, each with its last value.
    pub fn metrics(self) -> Vec<Metric> {
        let last = |metric: Metric| {
            let value = metric.points.last().map(|(_, value)| *value);
            // A measurement of a period is a rate already.
            let rate = value.filter(|_| metric.kind == MetricKind::Counter);
            Metric { value, rate, ..metric }
        };
        self.0.into_values().map(last).collect()
    }
}
