//! The state of the cluster: health, shards, indices and nodes, and the series that schemas find among its indices
//! (engineering logs, monitoring and analytics). Without the privilege `monitor`, a check says what is left out.

use super::connection::{TIME_LIMIT, found, in_path};
use super::{Elasticsearch, Error};
use crosstail_core::model::{Check, HealthState, Metric, Timestamp, Unit, Vitals};
use crosstail_core::number::truncated_u64;
use crosstail_core::schema::Schema;
use crosstail_record::write::cluster::Method;
use crosstail_source::series::Series;
use serde_json::{Value, json};

/// Measurements that are read, at most.
const MEASUREMENTS: usize = 10_000;

/// The state of the cluster.
pub(super) async fn vitals(cluster: &Elasticsearch, since: Timestamp) -> Result<Vitals, Error> {
    let mut vitals = Vitals::default();
    for part in
        [health(cluster, &mut vitals).await, indices(cluster, &mut vitals).await, nodes(cluster, &mut vitals).await]
    {
        match part {
            Err(Error::Answered { status: 401 | 403, .. }) => {
                let check = Check::new("cluster", HealthState::Unknown, "not visible without the privilege `monitor`");
                if !vitals.checks.contains(&check) {
                    vitals.checks.push(check);
                }
            }
            other => other?,
        }
    }
    series(cluster, since, &mut vitals).await?;
    Ok(vitals)
}

fn number(of: &Value, pointer: &str) -> Option<f64> {
    let value = of.pointer(pointer)?;
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

async fn health(cluster: &Elasticsearch, vitals: &mut Vitals) -> Result<(), Error> {
    let health = cluster.connection.json(Method::Get, "/_cluster/health", None).await?;
    let count = |name: &str| number(&health, &format!("/{name}"));
    let color = health["status"].as_str().unwrap_or("?");
    let state = match color {
        "green" => HealthState::Healthy,
        "yellow" => HealthState::Degraded,
        "red" => HealthState::Down,
        _ => HealthState::Unknown,
    };
    let whole = |name: &str| truncated_u64(count(name).unwrap_or(0.0));
    let detail = format!(
        "{color}: {}, {} of {} shards active{}",
        match whole("number_of_nodes") {
            1 => "1 node".to_owned(),
            n => format!("{n} nodes"),
        },
        whole("active_shards"),
        whole("active_shards") + whole("unassigned_shards") + whole("initializing_shards"),
        match whole("unassigned_shards") {
            0 => String::new(),
            n => format!(", {n} unassigned"),
        }
    );
    vitals.checks.push(Check::new("cluster", state, detail));
    for name in
        ["active_shards", "relocating_shards", "initializing_shards", "unassigned_shards", "number_of_pending_tasks"]
    {
        vitals.metrics.push(Metric::new("cluster", name, &[], count(name)));
    }
    Ok(())
}

async fn indices(cluster: &Elasticsearch, vitals: &mut Vitals) -> Result<(), Error> {
    let columns = "index,health,pri,rep,docs.count,store.size";
    let path = format!("/_cat/indices/{}?format=json&bytes=b&h={columns}&s=store.size:desc", in_path(&cluster.pattern));
    let list = cluster.connection.json(Method::Get, &path, None).await?;
    for index in list.as_array().into_iter().flatten() {
        let text = |name: &str| index[name].as_str().unwrap_or("?").to_owned();
        let labels = [
            ("index", text("index")),
            ("health", text("health")),
            ("shards", format!("{}×{}", text("pri"), text("rep"))),
        ];
        let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let of = |column: &str| index[column].as_str().and_then(|n| n.parse().ok());
        vitals.metrics.push(Metric::new("indices", "documents", &labels[..1], of("docs.count")));
        let size = Metric::new("indices", "size", &labels, of("store.size"));
        vitals.metrics.push(Metric { unit: Unit::Bytes, ..size });
        if text("health") == "red" {
            let detail = format!("index {} lacks a shard", text("index"));
            vitals.checks.push(Check::new("index", HealthState::Down, detail));
        }
    }
    Ok(())
}

async fn nodes(cluster: &Elasticsearch, vitals: &mut Vitals) -> Result<(), Error> {
    let stats = cluster.connection.json(Method::Get, "/_nodes/stats/jvm,fs,breaker,indices/search", None).await?;
    for node in stats["nodes"].as_object().into_iter().flat_map(|nodes| nodes.values()) {
        let name = node["name"].as_str().unwrap_or("?");
        let labels = [("node", name)];
        let mut add = |metric: &str, unit: Unit, value: Option<f64>| {
            vitals.metrics.push(Metric { unit, ..Metric::new("nodes", metric, &labels, value) });
        };
        let heap = number(node, "/jvm/mem/heap_used_percent");
        add("heap", Unit::Percent, heap);
        let (total, free) = (number(node, "/fs/total/total_in_bytes"), number(node, "/fs/total/available_in_bytes"));
        let disk =
            total.zip(free).filter(|(total, _)| *total > 0.0).map(|(total, free)| 100.0 * (total - free) / total);
        add("disk", Unit::Percent, disk);
        let queries = number(node, "/indices/search/query_total");
        let took = number(node, "/indices/search/query_time_in_millis");
        let mean = queries.zip(took).filter(|(queries, _)| *queries > 0.0).map(|(queries, took)| took / queries);
        add("search on average", Unit::Milliseconds, mean);
        let breakers = node["breakers"].as_object().into_iter().flat_map(|b| b.values());
        let tripped: f64 = breakers.filter_map(|breaker| breaker["tripped"].as_f64()).sum();
        add("circuit breakers tripped", Unit::Count, Some(tripped));
        for (what, percent, limit) in [("heap", heap, 90.0), ("disk", disk, 90.0)] {
            if let Some(percent) = percent.filter(|percent| *percent >= limit) {
                let detail = format!("node {name}: {what} {percent:.0} % full");
                vitals.checks.push(Check::new(what, HealthState::Degraded, detail));
            }
        }
    }
    Ok(())
}

/// Adds the measurements since a time, where indices of the pattern hold some.
async fn series(cluster: &Elasticsearch, since: Timestamp, vitals: &mut Vitals) -> Result<(), Error> {
    let schemas = cluster.schema.as_deref().map_or_else(Schema::built_in, |schema| vec![schema.clone()]);
    for table in schemas.iter().flat_map(|schema| &schema.definition().series) {
        let names: Vec<Value> =
            table.tables.iter().map(|name| json!({ "wildcard": { "_index": { "value": name } } })).collect();
        let range = json!({ "range": { &table.time: { "gte": since.rfc3339() } } });
        let body = json!({
            "size": MEASUREMENTS, "track_total_hits": false, "timeout": TIME_LIMIT,
            "query": { "bool": { "filter": [range, { "bool": { "should": names, "minimum_should_match": 1 } }] } },
            "sort": [{ &table.time: { "order": "desc", "unmapped_type": "date" } }],
        });
        let path = format!("/{}/_search?ignore_unavailable=true&allow_no_indices=true", in_path(&cluster.pattern));
        let text = cluster.connection.ask(Method::Post, &path, Some(&body)).await?;
        let mut series = Series::default();
        for hit in &found(&text)?.hits.hits {
            if let Some(Ok(record)) = hit.source.map(|source| serde_json::from_str(source.get())) {
                series.add(table, &record);
            }
        }
        vitals.metrics.extend(series.metrics());
    }
    Ok(())
}
