//! Counts since the process started, under the metric names of HaloPSA and log tracking
//! (docs/reference/halopsa.md, docs/reference/log-tracking.md).

use crosstail_core::model::{Kind, Mean, Timestamp};
use crosstail_engine::store::{Row, Store, Symbol};
use crosstail_export::Exposition;
use std::collections::{BTreeMap, HashSet};

/// Upper bounds of HaloPSA's histogram buckets, in seconds (docs/reference/halopsa.md).
const BUCKETS: [f64; 6] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0];
/// Maximum number of series per metric; further ones are counted as `other`.
const SERIES: usize = 1000;

#[derive(Debug, Clone, Copy, Default)]
struct Durations {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: f64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    /// By system, method, route, status code.
    requests: BTreeMap<[String; 4], u64>,
    /// By system, method, route.
    durations: BTreeMap<[String; 3], Durations>,
    /// By level and service.
    logs: BTreeMap<[String; 2], u64>,
    /// By source.
    pub(super) activities: BTreeMap<String, u64>,
    /// By channel and outcome.
    pub(super) notifications: BTreeMap<[String; 2], u64>,
    /// Rows already counted: an activity counts once, when it has its outcome.
    counted: HashSet<Row>,
}

/// The series of a key, or the series `other` once there are too many.
fn slot<const N: usize, V: Default>(series: &mut BTreeMap<[String; N], V>, key: [String; N]) -> &mut V {
    let other = series.len() >= SERIES && !series.contains_key(&key);
    series.entry(if other { std::array::from_fn(|_| "other".to_owned()) } else { key }).or_default()
}

impl Counters {
    /// Counts rows that now have their outcome. History (`live` is false) is marked as counted and not counted.
    pub(super) fn count(&mut self, store: &Store, rows: &[Row], live: bool) {
        for row in rows {
            if !store.is_finished(*row) || !self.counted.insert(*row) || !live {
                continue;
            }
            let text = |symbol: Symbol| {
                if symbol == Symbol::ABSENT { String::new() } else { store.symbols().get(symbol).to_owned() }
            };
            let system = text(store.system(*row));
            if store.kind(*row) == Kind::Log {
                let level = store.level(*row).map(|level| level.as_str().to_uppercase()).unwrap_or_default();
                *slot(&mut self.logs, [level, system.clone()]) += 1;
            }
            let Some(code) = store.http_status(*row) else { continue };
            let (method, route) = (text(store.method(*row)), text(store.endpoint(*row)));
            *slot(&mut self.requests, [system.clone(), method.clone(), route.clone(), code.to_string()]) += 1;
            if let Some(us) = store.took_us(*row) {
                let seconds = us as f64 / 1e6;
                let durations = slot(&mut self.durations, [system, method, route]);
                let counts = durations.buckets.iter_mut().zip(BUCKETS);
                counts.filter(|(_, end)| seconds <= *end).for_each(|(count, _)| *count += 1);
                durations.count += 1;
                durations.sum += seconds;
            }
        }
    }

    /// Adapts to new row numbers after the store was rebuilt.
    pub(super) fn renumber(&mut self, store: &Store) {
        self.counted = store.all_rows().iter().copied().filter(|row| store.is_finished(*row)).collect();
    }

    /// Writes the counters, and what services reported about themselves in the last five minutes.
    pub(super) fn write(&self, page: &mut Exposition, store: &Store, now: Timestamp) {
        page.family("http_requests_total", "counter", "Requests logged since this process started.");
        for ([system, method, route, code], count) in &self.requests {
            let labels = [("system", system.as_str()), ("method", method), ("route", route), ("status_code", code)];
            page.sample("http_requests_total", &labels, *count as f64);
        }
        page.family("http_request_duration_seconds", "histogram", "Duration of requests, in seconds.");
        for ([system, method, route], durations) in &self.durations {
            let labels = [("system", system.as_str()), ("method", method.as_str()), ("route", route.as_str())];
            let mut bucket = |le: &str, count: u64| {
                let labels: Vec<(&str, &str)> = labels.into_iter().chain([("le", le)]).collect();
                page.sample("http_request_duration_seconds_bucket", &labels, count as f64);
            };
            for (end, count) in BUCKETS.iter().zip(durations.buckets) {
                bucket(&end.to_string(), count);
            }
            bucket("+Inf", durations.count);
            page.sample("http_request_duration_seconds_sum", &labels, durations.sum);
            page.sample("http_request_duration_seconds_count", &labels, durations.count as f64);
        }
        page.family("log_count_total", "counter", "Log lines since this process started.");
        for ([level, service], count) in &self.logs {
            page.sample("log_count_total", &[("level", level.as_str()), ("service", service)], *count as f64);
        }
        self.usage(page, store, now);
        page.family("crosstail_activities_total", "counter", "Activities received, new and changed.");
        for (source, count) in &self.activities {
            page.sample("crosstail_activities_total", &[("source", source)], *count as f64);
        }
        page.family("crosstail_notifications_total", "counter", "Attempts to send a notification, by outcome.");
        for ([channel, outcome], count) in &self.notifications {
            let labels = [("channel", channel.as_str()), ("outcome", outcome.as_str())];
            page.sample("crosstail_notifications_total", &labels, *count as f64);
        }
    }

    /// Means of the last five minutes by service: response time, CPU, memory (docs/reference/log-tracking.md).
    #[allow(clippy::unused_self, reason = "it belongs to the page's other parts")]
    fn usage(&self, page: &mut Exposition, store: &Store, now: Timestamp) {
        let rows = store.all_rows();
        let from = rows.partition_point(|row| store.started(*row) < now.plus_ms(-300_000));
        let mut services: BTreeMap<&str, [Mean; 3]> = BTreeMap::new();
        for row in &rows[from..] {
            let system = store.system(*row);
            if system == Symbol::ABSENT {
                continue;
            }
            let means = services.entry(store.symbols().get(system)).or_default();
            let (cpu, memory) = store.usage(*row);
            means[0].add(store.took_us(*row).map(|us| us as f64 / 1e3));
            means[1].add(cpu);
            means[2].add(memory);
        }
        let families = [
            ("response_time_ms", "Response time, mean of the last five minutes."),
            ("cpu_usage_percent", "CPU, mean of the last five minutes."),
            ("memory_usage_mb", "Memory, mean of the last five minutes."),
        ];
        for (index, (name, help)) in families.into_iter().enumerate() {
            page.family(name, "gauge", help);
            for (service, means) in &services {
                if let Some(mean) = means[index].value() {
                    page.sample(name, &[("service", service)], mean);
                }
            }
        }
    }
}
