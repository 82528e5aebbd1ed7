//! What sources tell beside activities: metrics scraped and asked for, health endpoints, clusters and servers; and
//! `crosstail health`, which says it to scripts.

use crate::servers::{Kind, Server, reserve, shared, unique_name};
use crate::support::{PATIENCE, crosstail, lines, node, open};
use crate::{elasticsearch, kafka};
use bson::doc;
use crosstail_core::model::{Check, Clock, HealthState, Metric, MetricKind, Timestamp, Vitals};
use crosstail_source::{Job, Source};
use serde_json::{Value, json};
use sqlx::Connection as _;
use std::process::Child;
use std::time::Duration;

/// The service of HaloPSA and log tracking, with its real metrics library.
pub struct Service {
    pub port: u16,
    child: Child,
}

impl Service {
    pub fn start() -> Option<Self> {
        let port = reserve();
        let child = node("service.js", &[port.to_string()])?;
        Some(Self { port, child })
    }

    async fn get(&self, path: &str) {
        reqwest::get(format!("http://127.0.0.1:{}/{path}", self.port)).await.expect("an answer");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn vitals(source: &dyn Source) -> Vitals {
    source.vitals(Clock::system().now().plus_ms(-3_600_000), &Job::default()).await.expect("vitals")
}

fn metric<'v>(vitals: &'v Vitals, name: &str) -> &'v Metric {
    vitals.metrics.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("no {name} in {vitals:?}"))
}

fn check<'v>(vitals: &'v Vitals, name: &str) -> &'v Check {
    vitals.checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no {name} in {vitals:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_metrics_is_scraped() {
    let Some(service) = Service::start() else { return };
    let (_, source) = open(&[format!("prometheus+http://127.0.0.1:{}/metrics", service.port)]);
    let first = vitals(source.as_ref()).await;
    assert_eq!(metric(&first, "http_requests_total").rate, None, "nothing to compare with yet");
    assert_eq!(metric(&first, "queue_size").value, Some(17.0));
    assert_eq!(metric(&first, "response_time_ms").system.as_deref(), Some("auth"), "beside the service it is about");
    assert_eq!(metric(&first, "lead_sync_total").system.as_deref(), Some("apollo"));
    assert!(metric(&first, "nodejs_eventloop_lag_seconds").value.is_some());
    service.get("work?n=50").await;
    let second = vitals(source.as_ref()).await;
    let requests: Vec<&Metric> = second.metrics.iter().filter(|m| m.name == "http_requests_total").collect();
    assert_eq!(requests.len(), 2);
    assert!(
        requests.iter().all(|m| m.labels.contains(&("route".to_owned(), "/po/{id},x=\"1\"".to_owned()))),
        "{requests:?}"
    );
    assert!((requests.iter().filter_map(|m| m.value).sum::<f64>() - 150.0).abs() < 1e-9);
    assert!(requests.iter().all(|m| m.rate.is_some_and(|rate| rate > 0.0)));
    let duration = metric(&second, "http_request_duration_seconds");
    let [p50, p95, _] = duration.quantiles.expect("quantiles");
    assert!(p50 <= 0.1 && p95 > 1.0, "{duration:?}");
    drop(service);
    let gone = vitals(source.as_ref()).await;
    assert_eq!(check(&gone, "metrics").state, HealthState::Unknown, "once is not yet down");
    vitals(source.as_ref()).await;
    let down = vitals(source.as_ref()).await;
    assert_eq!(check(&down, "metrics").state, HealthState::Down);
    assert!(check(&down, "metrics").detail.contains("3 times in a row: Connection refused"), "{down:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_server_is_asked_by_promql() {
    let Some(service) = Service::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: halopsa, static_configs: [{{targets: [\"127.0.0.1:{}\"]}}]}}]\n",
        service.port
    );
    std::fs::write(&config, text).expect("written");
    let Some(server) = Server::start_with(Kind::Prometheus, 0, &[&format!("--config.file={}", config.display())]).await
    else {
        return;
    };
    let (_, source) = open(&[server.url("")]);
    assert!(source.probe(&Job::default()).await.expect("probed").server.starts_with("Prometheus 2"));
    let until = std::time::Instant::now() + PATIENCE;
    let found = loop {
        service.get("work?n=20").await;
        let found = vitals(source.as_ref()).await;
        let rates =
            found.metrics.iter().any(|m| m.name == "http_requests_total" && m.rate.is_some_and(|rate| rate > 0.0));
        let quantiles =
            found.metrics.iter().any(|m| m.name == "http_request_duration_seconds" && m.quantiles.is_some());
        if rates && quantiles {
            break found;
        }
        assert!(std::time::Instant::now() < until, "{found:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(metric(&found, "queue_size").value, Some(17.0));
    assert!(!metric(&found, "queue_size").points.is_empty(), "over time");
    assert_eq!(metric(&found, "response_time_ms").system.as_deref(), Some("auth"));
    assert_eq!(metric(&found, "http_requests_total").kind, MetricKind::Counter);
    let [p50, p95, _] = metric(&found, "http_request_duration_seconds").quantiles.expect("quantiles");
    assert!(p50 <= 0.1 && p95 > 1.0, "{p50} {p95}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_endpoints_are_probed_and_scripts_can_ask() {
    let Some(service) = Service::start() else { return };
    let url = format!("health+http://127.0.0.1:{}/health", service.port);
    let tracking = format!("health+http://127.0.0.1:{}/tracking/health", service.port);
    let (_, source) = open(std::slice::from_ref(&url));
    let well = vitals(source.as_ref()).await;
    assert!(well.checks.iter().all(|check| check.state == HealthState::Healthy), "{well:?}");
    let healthy = crosstail(&["health", "-s", &url, "-s", &tracking, "-o", "json"]);
    assert_eq!(healthy.status.code(), Some(0), "{}", String::from_utf8_lossy(&healthy.stderr));
    let told = lines(&healthy);
    let of = |told: &[Value], system: &str| {
        told.iter().find(|line| line["type"] == "check" && line["system"] == system).cloned()
    };
    assert_eq!(of(&told, "halopsa").expect("a check")["took_ms"], 41.0);
    assert_eq!(of(&told, "database").expect("a check")["state"], "healthy");
    assert!(told.iter().any(|line| line["name"] == "database.totalConnections" && line["value"] == 5.0));
    service.get("set?apollo=down").await;
    let unwell = crosstail(&["health", "-s", &url, "-o", "json"]);
    assert_eq!(unwell.status.code(), Some(1));
    let text = String::from_utf8(unwell.stdout).expect("UTF-8");
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let apollo = of(&told, "apollo").expect("a check");
    assert_eq!((&apollo["state"], &apollo["detail"]), (&json!("down"), &json!("timeout of 5000ms exceeded")));
    let table = crosstail(&["health", "-s", &url]);
    let text = String::from_utf8(table.stdout).expect("UTF-8");
    assert!(text.contains("HTTP 503, it says unhealthy, version 1.2.3"), "{text}");
    let exposed = crosstail(&["health", "-s", &url, "-o", "prometheus"]);
    let text = String::from_utf8(exposed.stdout).expect("UTF-8");
    assert!(text.contains("system=\"apollo\",state=\"down\"} 1"), "{text}");
    assert!(
        text.lines()
            .all(|line| line.starts_with('#') || line.rsplit_once(' ').is_some_and(|(_, n)| n.parse::<f64>().is_ok()))
    );
    drop(service);
    // Asked as often as makes it down.
    assert_eq!(crosstail(&["health", "-s", &url]).status.code(), Some(1));
    let unknown = crosstail(&["health", "-s", "postgres://nobody@127.0.0.1:1/x", "-o", "json"]);
    assert_eq!(unknown.status.code(), Some(2), "it could not be told");
    assert_eq!(String::from_utf8(unknown.stdout).expect("UTF-8").matches("\"state\":\"unknown\"").count(), 1);
    assert_eq!(crosstail(&["health"]).status.code(), Some(64), "no source");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_tells_connections_locks_and_slow_queries() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["log-tracking"]).await;
    let (_, source) = open(&[server.url(&database)]);
    let mut holder = server.postgres_connection(&database).await;
    sqlx::raw_sql("BEGIN; LOCK TABLE logs IN ACCESS EXCLUSIVE MODE").execute(&mut holder).await.expect("locked");
    let mut waiter = server.postgres_connection(&database).await;
    let waiting = tokio::spawn(async move {
        let _ = sqlx::raw_sql("SELECT count(*) FROM logs WHERE message = 'password=hunter2secret'")
            .execute(&mut waiter)
            .await;
    });
    let until = std::time::Instant::now() + PATIENCE;
    let found = loop {
        let found = vitals(source.as_ref()).await;
        if found.checks.iter().any(|check| check.name == "locks")
            && found.metrics.iter().any(|m| m.group == "slow queries")
        {
            break found;
        }
        assert!(std::time::Instant::now() < until, "{found:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(check(&found, "locks").state, HealthState::Degraded);
    let slow = found.metrics.iter().find(|metric| metric.group == "slow queries").expect("one");
    let query = &slow.labels.iter().find(|(name, _)| name == "query").expect("its text").1;
    assert!(query.starts_with("SELECT count(*) FROM logs") && !query.contains("hunter2secret"), "{query}");
    assert!(slow.value.is_some_and(|seconds| seconds >= 5.0));
    assert!(found.metrics.iter().any(|m| m.group == "connections" && m.value.is_some_and(|n| n >= 1.0)));
    assert!(check(&found, "connections").detail.ends_with("of 200"));
    assert!(metric(&found, "size").value.is_some_and(|bytes| bytes > 1e6));
    sqlx::raw_sql("COMMIT").execute(&mut holder).await.expect("released");
    waiting.await.expect("joined");
    holder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_tells_its_replica_set_and_oplog() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let logs = server.mongo_client().await.database(&database).collection::<bson::Document>("integration_logs");
    logs.insert_one(doc! { "request_id": "r", "started_at": bson::DateTime::now(), "status": "SUCCESS" })
        .await
        .expect("written");
    let (_, source) = open(&[server.url(&database)]);
    let found = vitals(source.as_ref()).await;
    assert_eq!(check(&found, "replica set").state, HealthState::Healthy);
    assert!(check(&found, "replica set").detail.contains("rs0: 1 member, one primary"), "{found:?}");
    assert!(metric(&found, "oplog window").value.is_some());
    assert_eq!(metric(&found, "behind").value, Some(0.0));
    assert!(metric(&found, "current").value.is_some_and(|n| n >= 1.0));
    let Some(alone) = shared(Kind::MongoStandalone).await else { return };
    let name = unique_name();
    alone
        .mongo_client()
        .await
        .database(&name)
        .collection("integration_logs")
        .insert_one(doc! { "request_id": "r", "started_at": bson::DateTime::now() })
        .await
        .expect("written");
    let found = vitals(open(&[alone.url(&name)]).1.as_ref()).await;
    assert!(found.checks.is_empty(), "a standalone has no replica set: {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn elasticsearch_tells_its_cluster_and_the_series_in_it() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let own = unique_name().replace('_', "-");
    let (logs, analytics) = (format!("engineering_logs-{own}"), format!("engineering_analytics-{own}"));
    elasticsearch::create(&server, &logs, elasticsearch::logs_index()).await;
    elasticsearch::create(
        &server,
        &analytics,
        json!({ "mappings": { "properties": { "timestamp": { "type": "date" } } } }),
    )
    .await;
    let now = Clock::system().now();
    let mut written: Vec<(Value, Value)> = (0..30i64)
        .map(|n| {
            let document = json!({
                "metric_name": "error_rate", "metric_type": "gauge", "timestamp": now.plus_ms(-n * 60_000).rfc3339(), "value": n,
                "dimensions": { "service": "auth", "level": "ERROR" }, "aggregation_period": "1m",
            });
            (json!({ "index": { "_index": analytics } }), document)
        })
        .collect();
    let log = json!({ "log_id": "l", "timestamp": now.rfc3339(), "level": "INFO", "message": "m" });
    written.push((json!({ "index": { "_index": logs } }), log));
    elasticsearch::bulk(&server, &written).await;
    elasticsearch::refresh(&server, &format!("*{own}")).await;
    let (_, source) = open(&[server.url(&format!("engineering_*{own}"))]);
    let page = source.page(&crosstail_source::PageQuery::all(100), None, &Job::default()).await.expect("read");
    assert_eq!(page.items.len(), 1, "measurements are no activities");
    let found = vitals(source.as_ref()).await;
    assert!(check(&found, "cluster").detail.contains("1 node"), "{found:?}");
    let series = metric(&found, "error_rate");
    assert_eq!((series.value, series.points.len(), series.system.as_deref()), (Some(0.0), 30, Some("auth")));
    assert!(
        found.metrics.iter().any(|m| m.group == "indices" && m.name == "size" && m.value.is_some_and(|n| n > 100.0))
    );
    assert!(metric(&found, "heap").value.is_some_and(|percent| percent > 0.0 && percent <= 100.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_analytics_topic_is_a_series() {
    // The name is the document's: a server of its own would do no more.
    let Some(server) = shared(Kind::Kafka).await else { return };
    let (analytics, alerts) = ("analytics", "alerts");
    kafka::create(&server, analytics, 6, &[]).await;
    kafka::create(&server, alerts, 6, &[]).await;
    let now = Clock::system().now();
    let measured = (0..20i64).map(|n| {
        let message = json!({
            "metric_name": "log_volume", "metric_type": "counter", "timestamp": now.plus_ms(-n * 1000).rfc3339(), "value": 100 + n,
            "dimensions": { "service": "orders" }, "aggregation_period": "1s",
        });
        (format!("{n}"), message.to_string())
    });
    let producer = kafka::producer(&server, "lz4");
    kafka::produce(&producer, analytics, measured);
    let alert = |status: &str| {
        json!({
            "alert_id": "6f0b7e0e-0000-4000-8000-000000000001", "title": "High error rate", "description": "5 of 10 failed", "severity": "HIGH",
            "status": status, "source_id": "s", "triggered_at": now.rfc3339(), "metadata": { "service": "orders" },
        })
    };
    let of = |status: &str| [("a".to_owned(), alert(status).to_string())];
    kafka::produce(&producer, alerts, of("OPEN"));
    kafka::produce(&producer, alerts, of("RESOLVED"));
    let (_, source) = open(&[server.url("alerts,analytics")]);
    let page = source.page(&crosstail_source::PageQuery::all(100), None, &Job::default()).await.expect("read").items;
    assert_eq!(page.len(), 1, "an alert and its end are one: {page:?}");
    assert_eq!(page[0].status, Some(crosstail_core::model::Status::Success));
    let found = source.vitals(Timestamp(now.0 - 3_600_000_000), &Job::default()).await.expect("vitals");
    let series = metric(&found, "log_volume");
    assert_eq!((series.value, series.points.len(), series.system.as_deref()), (Some(100.0), 20, Some("orders")));
}
