//! Documents as people have them: times, keys, collections and indices that are not as a schema wishes them.

use crate::elasticsearch::{ask, bulk, create, index_name, refresh};
use crate::servers::{Kind, Server, shared, unique_name};
use crate::support::{PATIENCE, Running, collect, crosstail, crosstail_weighed, ids, lines, open, undated_add_up};
use crate::tables::{Following, source_at};
use bson::{Bson, DateTime, Document, doc};
use crosstail_core::filter::{Context, Field, Filter, NamedRecord};
use crosstail_core::model::{Activity, Clock, Status, Timestamp};
use crosstail_source::{Grouping, Job, PageQuery, RelatedKey, Source, SourceEvent};
use mongodb::Collection;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// All pages of a query.
async fn pages(source: &Arc<dyn Source>, query: &PageQuery) -> Vec<Activity> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = source.page(query, after.as_ref(), &Job::default()).await.expect("a page");
        assert!(page.items.len() <= query.limit);
        all.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

async fn count(source: &Arc<dyn Source>, query: &PageQuery) -> u64 {
    let groups = source.aggregate(query, &Grouping::default(), &Job::default()).await.expect("figures");
    groups.values().map(|figures| figures.count).sum()
}

async fn logs(server: &Server, database: &str) -> Collection<Document> {
    server.mongo_client().await.database(database).collection("integration_logs")
}

/// A request of ProKure with any time.
fn request(n: i64, started_at: impl Into<Bson>) -> Document {
    doc! { "request_id": format!("r-{n}"), "correlation_id": format!("C-{}", n / 2), "system_code": "SAP", "endpoint_code": "PO",
    "status": if n % 5 == 0 { "FAILED" } else { "SUCCESS" }, "response_status": 200, "started_at": started_at.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_every_type_are_in_one_order() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let now = Timestamp(Clock::system().now().0 / 1000 * 1000);
    let at = |n: i64| now.plus_ms(-n * 1000);
    let date = |at: Timestamp| Bson::DateTime(DateTime::from_millis(at.0 / 1000));
    let documents = (0..300_i64).map(|n| {
        let time = match n % 6 {
            0 => date(at(n)),
            1 => Bson::String(at(n).rfc3339()),
            2 => Bson::Int64(at(n).0 / 1000),
            3 => Bson::String(at(n).rfc3339().replace('Z', "+00:00")),
            4 => Bson::Array(vec![date(at(n)), date(at(n + 5000))]),
            _ => Bson::Double(at(n).0 as f64 / 1e6),
        };
        request(n, time)
    });
    let collection = logs(&server, &database).await;
    collection.insert_many(documents).await.expect("inserted");
    collection.insert_many((300..305).map(|n| request(n, Bson::Null))).await.expect("inserted");
    let (_, source) = open(&[server.url(&database)]);
    for (limit, newest_first) in [(7, true), (50, false), (1000, true)] {
        let all = pages(&source, &PageQuery { newest_first, ..PageQuery::all(limit) }).await;
        assert_eq!(all.len(), 305, "each once, {limit} a page");
        assert_eq!(ids(&all).into_iter().collect::<BTreeSet<_>>().len(), 305);
        let keys: Vec<_> = all.iter().map(|a| (a.started_at, a.id.to_string())).collect();
        assert!(keys.windows(2).all(|two| if newest_first { two[0] > two[1] } else { two[0] < two[1] }), "in order");
        for activity in all.iter().filter(|activity| activity.knows_its_time()) {
            let n: i64 = activity.id.to_string()[2..].parse().expect("a number");
            assert!((activity.started_at.0 - at(n).0).abs() <= 1000, "{n}: {:?}", activity.started_at);
        }
    }
    undated_add_up(source.as_ref(), 305, 5).await;
    let day = PageQuery { since: Some(at(99)), until: Some(now), ..PageQuery::all(11) };
    assert_eq!(pages(&source, &day).await.len(), 99, "1 to 99 seconds ago");
    assert_eq!((count(&source, &day).await, count(&source, &PageQuery::all(10)).await), (99, 305));
    let context = Context { now, zone: chrono_tz::Tz::UTC };
    let filter = Filter::parse("time:-100s status:failed").expect("a filter");
    let failed = pages(&source, &PageQuery { filter, context, ..PageQuery::all(4) }).await;
    assert_eq!(failed.len(), 21, "every fifth of the last hundred seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_change_stream_is_polled_and_nothing_old_is_new() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let now = Clock::system().now();
    for is_view in [true, false] {
        let database = unique_name();
        let handle = server.mongo_client().await.database(&database);
        let old = (0..40_i64).map(|n| request(n, DateTime::from_millis(now.0 / 1000 - n * 30_000)));
        let target = if is_view {
            let raw = handle.collection::<Document>("raw");
            raw.insert_many(old).await.expect("inserted");
            let view = doc! { "create": "integration_logs", "viewOn": "raw", "pipeline": [] };
            handle.run_command(view).await.expect("a view");
            raw
        } else {
            let series = doc! { "create": "integration_logs", "timeseries": { "timeField": "started_at" } };
            handle.run_command(series).await.expect("a time series");
            let series = handle.collection::<Document>("integration_logs");
            series.insert_many(old).await.expect("inserted");
            series
        };
        let (_, source) = open(&[server.url(&database)]);
        assert_eq!(pages(&source, &PageQuery::all(15)).await.len(), 40);
        let position = source.position(&Job::default()).await.expect("a position");
        let (sink, mut updates) = crosstail_source::Sink::channel(100);
        let following = Arc::clone(&source);
        tokio::spawn(async move { following.follow(position, &sink, &Job::default()).await });
        target.insert_many((100..105).map(|n| request(n, DateTime::now()))).await.expect("inserted");
        let (found, _) = crate::support::collect(&mut updates, |found| ids(found).len() >= 5).await;
        let new: BTreeSet<String> = ids(&found).into_iter().collect();
        assert_eq!(new, (100..105).map(|n| format!("r-{n}")).collect(), "view: {is_view}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_takes_the_place_of_another_is_followed_on() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let collection = logs(&server, &database).await;
    collection.insert_one(request(1, DateTime::now())).await.expect("inserted");
    let (names, source) = open(&[server.url(&database)]);
    let mut running = Running::start(&names, source);
    running.live().await;
    let client = server.mongo_client().await;
    let loading = client.database(&database).collection::<Document>("loading");
    loading.insert_many([request(2, DateTime::now()), request(3, DateTime::now())]).await.expect("inserted");
    let to = doc! { "renameCollection": format!("{database}.loading"), "to": format!("{database}.integration_logs"), "dropTarget": true };
    client.database("admin").run_command(to).await.expect("renamed");
    collection.insert_one(request(4, DateTime::now())).await.expect("inserted");
    running.until("what came with the name, and after it", |running| running.store.len() == 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_with_one_request_id_are_told_apart() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let tries = (0..30).map(|n| {
        let mut one = request(n, DateTime::now());
        one.insert("request_id", format!("order-{}", n / 3));
        one
    });
    logs(&server, &database).await.insert_many(tries).await.expect("inserted");
    let (_, source) = open(&[server.url(&database)]);
    let all = pages(&source, &PageQuery::all(7)).await;
    assert_eq!(ids(&all).into_iter().collect::<BTreeSet<_>>().len(), 30);
    let warnings = source.probe(&Job::default()).await.expect("a probe").warnings;
    assert!(warnings.iter().any(|warning| warning.contains("request_id repeats")), "{warnings:?}");
    let filter = Filter::parse("request:order-4").expect("a filter");
    assert_eq!(pages(&source, &PageQuery { filter, ..PageQuery::all(10) }).await.len(), 3);
    let one = &all[0];
    source.payload(&one.id, &one.places[0].locator, &Job::default()).await.expect("its payload");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_no_schema_knows_is_shown_and_drafted() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let handle = server.mongo_client().await.database(&database);
    let hooks = (0..40_i64).map(|n| {
        let mut hook = doc! { "ts": DateTime::now(), "target": format!("https://shop.example/hooks/{n}"), "verb": "POST",
        "code": if n % 4 == 0 { 503 } else { 200 }, "took_ms": n };
        if n % 4 == 0 {
            hook.insert("fault", doc! { "kind": "Unavailable", "text": "try later" });
        }
        hook
    });
    handle.collection::<Document>("hook_log").insert_many(hooks).await.expect("inserted");
    handle.collection::<Document>("users").insert_one(doc! { "name": "ann" }).await.expect("inserted");
    let url = server.url(&database);
    let shown = crosstail(&["query", "-o", "json", "--limit", "0", "-s", &url, "status:failed"]);
    let said = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(said.contains("hook_log") && said.contains("schema draft"), "{said}");
    assert_eq!(lines(&shown).len(), 10, "{said}");
    let draft = crosstail(&["schema", "draft", "--from", &url, "--table", "hook_log"]);
    let file = tempfile::NamedTempFile::with_suffix(".toml").expect("a file");
    std::fs::write(file.path(), &draft.stdout).expect("written");
    let path = file.path().display().to_string();
    let rows = lines(&crosstail(&["query", "-o", "json", "--limit", "0", "-s", &url, "--schema", &path]));
    assert_eq!(rows.len(), 40);
    assert!(rows.iter().all(|row| row["started_at"].is_string() && row["http_status"].is_number()), "{}", rows[0]);
}

/// Every field that the documents' indexes answer, whole and as a beginning, in any spelling.
const INDEXED: &[&str] = &[
    "id:r-77777",
    "id=r-77777",
    "request:R-7777",
    "request:(r-1, r-22222, R-33333)",
    "corr:c-38888",
    "corr=C-38888",
    "parent:r-77",
    "parent=r-77776",
    "system:ZOHO",
    "system:zo*",
    "op:lead*",
    "actor:ann",
    "error.type:etimedout",
    "status:timeout",
    "status:(timeout, in_progress)",
    "is:pending",
    "http:503",
    "http:5xx",
    "attempt>=3",
    "retry.next:..+10m",
    "time:-90s",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_field_with_an_index_is_found_by_it() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let url = server.url(&database);
    let applied = crosstail(&["schema", "apply", "prokure", "--to", &url, "--yes"]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let size: i64 = std::env::var("CROSSTAIL_TEST_DOCUMENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(80_000);
    let now = Clock::system().now();
    let collection = logs(&server, &database).await;
    let document = |n: i64| {
        let mut one = request(n, DateTime::from_millis(now.0 / 1000 - n * 1000));
        let rare = n % 5000 == 77;
        one.insert("status", if rare { "TIMEOUT" } else { "SUCCESS" });
        one.insert("system_code", if rare { "Zoho" } else { "SAP" });
        one.insert("response_status", if rare { 503 } else { 200 });
        one.insert("parent_request_id", format!("r-{}", n - 1));
        one.insert("error", doc! { "type": if rare { Bson::from("ETIMEDOUT") } else { Bson::Null } });
        one.insert("context", doc! { "operation_type": if rare { "LEAD" } else { "PO" } });
        one.insert("actor", doc! { "triggered_by": if rare { "Ann" } else { "SCHEDULER" } });
        one.insert(
            "retry_info",
            doc! { "attempt_number": if rare { 4 } else { 1 },
            "next_retry_at": if rare { Bson::DateTime(DateTime::now()) } else { Bson::Null } },
        );
        one
    };
    let mut n = 0;
    while n < size {
        collection.insert_many((n..(n + 5000).min(size)).map(document)).await.expect("inserted");
        n += 5000;
    }
    let (_, source) = open(&[url]);
    let context = Context { now: now.plus_ms(1000), zone: chrono_tz::Tz::UTC };
    let mut slow = Vec::new();
    for text in INDEXED {
        let Ok(filter) = Filter::parse(text) else { panic!("{text}") };
        let query = PageQuery { filter, context, ..PageQuery::all(100) };
        let plan = source.plan(&query, &Job::default()).await.expect("a plan");
        let found = source.page(&query, None, &Job::default()).await.expect("a page").items;
        if !plan.indexed {
            slow.push(format!("{text}: {plan:?}"));
        }
        assert!(!found.is_empty() || text.starts_with("is:"), "{text} finds something");
    }
    assert!(slow.is_empty(), "{slow:#?}");
    // What no index answers is said.
    let filter = Filter::parse("\"nowhere in an index\"").expect("a filter");
    let plan = source.plan(&PageQuery { filter, ..PageQuery::all(100) }, &Job::default()).await.expect("a plan");
    assert!(!plan.indexed && plan.rows.is_some_and(|rows| rows > 0), "{plan:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_without_a_time_are_in_one_part_of_it() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let index = index_name("undated");
    let words = json!({ "type": "keyword" });
    let fields = json!({ "@timestamp": { "type": "date" }, "service": words, "status": words });
    create(&server, &index, json!({ "mappings": { "properties": fields } })).await;
    let now = Clock::system().now();
    let documents: Vec<(Value, Value)> = (0..130_i64)
        .map(|n| {
            let mut document =
                json!({ "message": n.to_string(), "service": if n % 2 == 0 { "sap" } else { "dhl" }, "status": "failed" });
            if n % 13 != 0 {
                document["@timestamp"] = json!(now.plus_ms(-60_000 * n).rfc3339());
            }
            (json!({ "index": { "_index": index } }), document)
        })
        .collect();
    bulk(&server, &documents).await;
    refresh(&server, &index).await;
    let (_, source) = open(&[server.url(&index)]);
    undated_add_up(source.as_ref(), 130, 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn indices_that_are_read_in_different_ways_are_one_source() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let base = index_name("ways");
    let date = json!({ "type": "date" });
    let words = json!({ "type": "keyword" });
    let with = |time: Value, more: Value| {
        let mut mappings = json!({ "properties": { "@timestamp": time, "message": { "type": "text" }, "log": { "properties": { "level": words } } } });
        for (key, value) in more.as_object().into_iter().flatten() {
            mappings[key] = value.clone();
        }
        json!({ "mappings": mappings })
    };
    for (name, definition) in [
        ("good", with(date.clone(), json!({}))),
        ("nanos", with(json!({ "type": "date_nanos" }), json!({}))),
        ("custom", with(json!({ "type": "date", "format": "dd/MMM/yyyy:HH:mm:ss Z" }), json!({}))),
        ("novalues", with(json!({ "type": "date", "doc_values": false }), json!({}))),
        ("bare", with(date.clone(), json!({ "_source": { "enabled": false } }))),
        ("words", with(words.clone(), json!({}))),
        ("closed", with(date, json!({}))),
        ("empty", json!({})),
    ] {
        create(&server, &format!("{base}-{name}"), definition).await;
    }
    let now = Timestamp(Clock::system().now().0 / 1_000_000 * 1_000_000);
    let at = |n: i64| now.plus_ms(-n * 1000);
    let mut documents = Vec::new();
    for name in ["good", "nanos", "custom", "novalues", "bare", "words"] {
        for n in 1..=10 {
            let text = match name {
                "custom" => {
                    let time = chrono::DateTime::from_timestamp(at(n).0 / 1_000_000, 0).expect("a time");
                    json!(time.format("%d/%b/%Y:%H:%M:%S +0000").to_string())
                }
                "good" if n % 2 == 0 => json!([at(n + 5000).rfc3339(), at(n).rfc3339()]),
                _ => json!(at(n).rfc3339()),
            };
            let document = json!({ "@timestamp": text, "message": format!("{name} {n}"), "log": { "level": "info" } });
            documents.push((json!({ "index": { "_index": format!("{base}-{name}") } }), document));
        }
    }
    bulk(&server, &documents).await;
    refresh(&server, &format!("{base}-*")).await;
    ask(&server, "POST", &format!("{base}-closed/_close"), Value::Null).await;
    let (names, source) = open(&[server.url(&format!("{base}-*"))]);
    let warnings = source.probe(&Job::default()).await.expect("a probe").warnings.join("\n");
    for name in ["novalues", "bare", "words", "closed"] {
        assert!(warnings.contains(&format!("{base}-{name}")), "{name}: {warnings}");
    }
    for newest_first in [true, false] {
        let all = pages(&source, &PageQuery { newest_first, ..PageQuery::all(7) }).await;
        assert_eq!(ids(&all).into_iter().collect::<BTreeSet<_>>().len(), 60, "each once");
        assert_eq!(all.len(), 60);
        let times: Vec<_> = all.iter().map(|activity| activity.started_at).collect();
        assert!(times.windows(2).all(|two| if newest_first { two[0] >= two[1] } else { two[0] <= two[1] }), "in order");
        for activity in all.iter().filter(|activity| activity.message.is_some()) {
            let n =
                activity.message.as_deref().and_then(|text| text.split(' ').nth(1)?.parse().ok()).expect("a number");
            assert_eq!(activity.started_at, at(n), "{:?}", activity.message);
        }
    }
    let recent = PageQuery { since: Some(at(5)), ..PageQuery::all(100) };
    assert_eq!((pages(&source, &recent).await.len(), count(&source, &recent).await), (30, 30));
    let plan = source.plan(&recent, &Job::default()).await.expect("a plan");
    assert!(plan.indexed && plan.rows.is_some_and(|rows| rows > 0), "{plan:?}");
    // An index that is closed and opened again has nothing new, and all of them are followed.
    let mut running = Running::start(&names, source);
    running.live().await;
    running.until("history", |running| running.store.len() == 60).await;
    ask(&server, "POST", &format!("{base}-good/_close"), Value::Null).await;
    ask(&server, "POST", &format!("{base}-good/_open?wait_for_active_shards=1"), Value::Null).await;
    let fresh: Vec<(Value, Value)> = ["good", "nanos", "novalues", "bare", "words", "empty"]
        .iter()
        .map(|name| {
            let document = json!({ "@timestamp": Clock::system().now().rfc3339(), "message": format!("{name} 0"), "log": { "level": "info" } });
            (json!({ "index": { "_index": format!("{base}-{name}") } }), document)
        })
        .collect();
    bulk(&server, &fresh).await;
    refresh(&server, &format!("{base}-*")).await;
    running.until("one more of each", |running| running.store.len() == 66).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_closed_and_opened_again_tells_nothing_old() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let base = index_name("reopened");
    let document = |name: &str, message: &str| {
        let of =
            json!({ "@timestamp": Clock::system().now().rfc3339(), "message": message, "log": { "level": "info" } });
        (json!({ "index": { "_index": format!("{base}-{name}") } }), of)
    };
    for name in ["open", "closed"] {
        create(&server, &format!("{base}-{name}"), json!({})).await;
        bulk(&server, &(0..30).map(|_| document(name, "old")).collect::<Vec<_>>()).await;
    }
    refresh(&server, &format!("{base}-*")).await;
    let opened = |name: &str| format!("{base}-{name}/_open?wait_for_active_shards=1");
    ask(&server, "POST", &format!("{base}-closed/_close"), Value::Null).await;
    let (_, source) = open(&[server.url(&format!("{base}-*"))]);
    let Following { mut updates, cancel, errors } = Following::begin(&source).await;
    ask(&server, "POST", &opened("closed"), Value::Null).await;
    ask(&server, "POST", &format!("{base}-open/_close"), Value::Null).await;
    // Indices are listed every two seconds: both are seen as they are now.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    ask(&server, "POST", &opened("open"), Value::Null).await;
    let mut told: BTreeSet<bool> = BTreeSet::new();
    let mut writing = tokio::time::interval(std::time::Duration::from_secs(1));
    let (mut end, mut is_last) = (tokio::time::Instant::now() + PATIENCE, false);
    loop {
        let event = tokio::select! {
            _ = writing.tick(), if !is_last => {
                bulk(&server, &[document("open", "new"), document("closed", "new")]).await;
                refresh(&server, &format!("{base}-*")).await;
                continue;
            }
            () = tokio::time::sleep_until(end) => break,
            event = updates.recv() => event.expect("following goes on"),
        };
        match event {
            SourceEvent::Batch(batch, _) => {
                assert!(batch.iter().all(|one| one.message.as_deref() == Some("new")), "{batch:?}");
                told.extend(batch.iter().map(|one| one.id.to_string().contains("-closed/")));
            }
            SourceEvent::Notice(text) => assert!(!text.contains("was deleted"), "{text}"),
            _ => {}
        }
        if told.len() == 2 && !is_last {
            // What is old would come within a few polls.
            (end, is_last) = (tokio::time::Instant::now() + std::time::Duration::from_secs(3), true);
        }
    }
    assert_eq!(told.len(), 2, "both are followed on");
    cancel.cancel();
    errors.await.expect("joined");
}

#[tokio::test(flavor = "multi_thread")]
async fn indices_without_a_shard_and_closed_ones_are_named_and_left_out() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let base = index_name("part");
    let now = Clock::system().now();
    let document = |name: &str, n: i64| {
        let of =
            json!({ "@timestamp": now.plus_ms(-n).rfc3339(), "message": format!("{name} {n}"), "correlation_id": "c" });
        (json!({ "index": { "_index": format!("{base}-{name}") } }), of)
    };
    for name in ["good", "red", "closed"] {
        create(&server, &format!("{base}-{name}"), json!({})).await;
        bulk(&server, &(1..=10).map(|n| document(name, n)).collect::<Vec<_>>()).await;
    }
    let red = format!("{base}-red");
    let uuid = ask(&server, "GET", &format!("_cat/indices/{red}?format=json&h=uuid"), Value::Null).await;
    let uuid = uuid[0]["uuid"].as_str().expect("a text").to_owned();
    ask(&server, "POST", &format!("{red}/_flush"), Value::Null).await;
    for name in ["red", "closed"] {
        ask(&server, "POST", &format!("{base}-{name}/_close"), Value::Null).await;
    }
    // The only copy of the shard is broken when it is opened again.
    let pattern = format!("{}/**/{uuid}/0/index/segments_*", server.folder.display());
    let files: Vec<_> = glob::glob(&pattern).expect("a pattern").flatten().collect();
    assert!(!files.is_empty(), "{pattern}");
    for file in files {
        std::fs::remove_file(file).expect("removed");
    }
    ask(&server, "POST", &format!("{red}/_open?wait_for_active_shards=0"), Value::Null).await;
    loop {
        let shards = ask(&server, "GET", &format!("_cat/shards/{red}?format=json&h=state"), Value::Null).await;
        if shards[0]["state"] == "UNASSIGNED" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    refresh(&server, &format!("{base}-good")).await;
    for first in ["page", "figures", "position", "related", "probe"] {
        let (_, source) = open(&[server.url(&format!("{base}-*"))]);
        // Whatever comes first finds out.
        match first {
            "page" => assert_eq!(pages(&source, &PageQuery::all(3)).await.len(), 10),
            "figures" => assert_eq!(count(&source, &PageQuery::all(3)).await, 10),
            "position" => drop(source.position(&Job::default()).await.expect("a position")),
            "related" => {
                let key = RelatedKey::correlation("c");
                assert_eq!(source.related(&key, 100, &Job::default()).await.expect("found").activities.len(), 10);
            }
            _ => {}
        }
        let warnings = source.probe(&Job::default()).await.expect("a probe").warnings.join("\n");
        assert!(warnings.contains(&format!("{base}-closed is closed")), "{warnings}");
        assert!(warnings.contains(&format!("{red} cannot be read and is left out, of figures too")), "{warnings}");
        let plan = source.plan(&PageQuery::all(3), &Job::default()).await.expect("a plan");
        assert_eq!(plan.rows, Some(10), "{first}");
    }
    // What was there and could not be read is not new when it can.
    let (_, source) = open(&[server.url(&format!("{base}-*"))]);
    let position = source.position(&Job::default()).await.expect("a position");
    ask(&server, "POST", &format!("{base}-closed/_open?wait_for_active_shards=1"), Value::Null).await;
    let (sink, mut updates) = crosstail_source::Sink::channel(4);
    let following = Arc::clone(&source);
    let task = tokio::spawn(async move { following.follow(position, &sink, &Job::default()).await });
    while !matches!(updates.recv().await.expect("following"), SourceEvent::CaughtUp) {}
    bulk(&server, &[document("closed", 0), document("good", 0)]).await;
    refresh(&server, &format!("{base}-good,{base}-closed")).await;
    let (found, _) = collect(&mut updates, |found| found.len() >= 2).await;
    let texts: BTreeSet<_> = found.iter().filter_map(|activity| activity.message.clone()).collect();
    assert_eq!(texts.into_iter().collect::<Vec<_>>(), ["closed 0", "good 0"]);
    task.abort();
    ask(&server, "DELETE", &red, Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_large_documents_take_little_memory() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let index = index_name("large");
    let text = json!({ "type": "text", "index": false });
    create(
        &server,
        &index,
        json!({ "mappings": { "properties": { "@timestamp": { "type": "date" }, "message": text } } }),
    )
    .await;
    let words = "the partner said no; ".repeat(15_000);
    let now = Clock::system().now();
    for part in 0..20 {
        let documents: Vec<(Value, Value)> = (part * 15..part * 15 + 15)
            .map(|n| {
                let at = now.plus_ms(-n * 1000).rfc3339();
                (
                    json!({ "index": { "_index": index } }),
                    json!({ "@timestamp": at, "message": format!("{n} {words}") }),
                )
            })
            .collect();
        bulk(&server, &documents).await;
    }
    refresh(&server, &index).await;
    let (output, peak) = crosstail_weighed(&["query", "-o", "json", "--limit", "0", "-s", &server.url(&index)]);
    assert_eq!(lines(&output).len(), 300);
    assert!(peak <= 120, "{peak} MB");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_of_documents_without_one_follows_from_http_and_the_error() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let base = index_name("outcome");
    let (words, text) = (json!({ "type": "keyword" }), json!({ "type": "text" }));
    // The error is a word, a text alone, an object, a text with its word, or whatever comes first.
    let kinds = [
        ("word", words.clone()),
        ("text", text.clone()),
        ("object", json!({ "properties": { "message": text, "code": words } })),
        ("both", json!({ "type": "text", "fields": { "keyword": { "type": "keyword", "ignore_above": 12 } } })),
        ("number", json!({ "type": "long" })),
    ];
    let mut documents = Vec::new();
    for (name, error) in &kinds {
        let mappings = json!({ "properties": { "@timestamp": { "type": "date" }, "error": error, "status_code": { "type": "integer" } } });
        create(&server, &format!("{base}-{name}"), json!({ "mappings": mappings })).await;
        let error = match *name {
            "object" => json!({ "message": "connection refused by the other side" }),
            "number" => json!(17),
            _ => json!("connection refused by the other side"),
        };
        for (n, mut document) in (1..).zip([
            json!({ "status_code": 502 }),
            json!({ "status_code": 404 }),
            json!({ "status_code": 200 }),
            json!({ "status_code": 200, "error": error }),
            json!({ "error": error }),
            json!({ "message": "nothing tells" }),
            json!({ "level": "info", "message": "a line", "error": error }),
            json!({ "outcome": "failed", "status_code": 200 }),
            json!({ "outcome": "success" }),
            json!({ "status_code": "503" }),
        ]) {
            document["@timestamp"] = json!(Clock::system().now().plus_ms(-60_000 * n).rfc3339());
            documents.push((json!({ "index": { "_index": format!("{base}-{name}") } }), document));
        }
    }
    bulk(&server, &documents).await;
    refresh(&server, &format!("{base}-*")).await;
    let context = Context { now: Clock::system().now(), zone: chrono_tz::Tz::UTC };
    for (name, _) in &kinds {
        let (_, source) = open(&[server.url(&format!("{base}-{name}"))]);
        let all = pages(&source, &PageQuery::all(7)).await;
        let of = |status: Option<Status>| all.iter().filter(|one| one.status == status).count();
        // Of what is `failed`: 502, 404, 503, two with an error, one that says so.
        assert_eq!((of(Some(Status::Failed)), of(Some(Status::Success)), of(None)), (6, 2, 2), "{name}: {all:?}");
        for filter in
            ["status:failed", "status:success", "is:failure", "status:(failed, success)", "-status:failed", "is:ok"]
        {
            let query = PageQuery { filter: Filter::parse(filter).expect(filter), context, ..PageQuery::all(100) };
            let here = pages(&source, &query).await.len();
            let asked = Grouping { in_store: true, ..Grouping::default() };
            let counted = source.aggregate(&query, &asked, &Job::default()).await;
            let counted = counted.unwrap_or_else(|error| panic!("{name} {filter}: {error}"));
            let (count, failed) = counted.values().fold((0, 0), |(all, bad), one| (all + one.count, bad + one.failed));
            assert_eq!(count, here as u64, "{name} {filter}");
            let kept = pages(&source, &query).await;
            assert_eq!(failed, kept.iter().filter(|one| one.is_failure()).count() as u64, "{name} {filter}");
        }
    }
    // An object of an error whose texts are empty is none.
    let name = format!("{base}-hollow");
    create(&server, &name, json!({})).await;
    let hollow: Vec<(Value, Value)> = ["", "refused", ""]
        .iter()
        .map(|text| {
            let document =
                json!({ "@timestamp": Clock::system().now().rfc3339(), "error": { "message": text, "code": null } });
            (json!({ "index": { "_index": name } }), document)
        })
        .collect();
    bulk(&server, &hollow).await;
    refresh(&server, &name).await;
    let (_, source) = open(&[server.url(&name)]);
    let all = pages(&source, &PageQuery::all(7)).await;
    assert_eq!(all.iter().filter(|one| one.status == Some(Status::Failed)).count(), 1, "{all:?}");
    let groups = source.aggregate(&PageQuery::all(100), &Grouping::default(), &Job::default()).await.expect("figures");
    assert_eq!(groups.values().map(|figures| (figures.count, figures.failed)).collect::<Vec<_>>(), [(3, 1)]);
    // Where a field of an error says that there is none.
    let denied: Vec<(Value, Value)> = ["false", "none", "", "{\"message\":\"\",\"code\":null}"]
        .iter()
        .map(|word| {
            let document = json!({ "@timestamp": Clock::system().now().rfc3339(), "error": word });
            (json!({ "index": { "_index": format!("{base}-word") } }), document)
        })
        .collect();
    bulk(&server, &denied).await;
    refresh(&server, &format!("{base}-word")).await;
    let (_, source) = open(&[server.url(&format!("{base}-word"))]);
    let groups = source.aggregate(&PageQuery::all(100), &Grouping::default(), &Job::default()).await.expect("figures");
    assert_eq!(groups.values().map(|figures| (figures.count, figures.failed)).collect::<Vec<_>>(), [(14, 6)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_mongodb_without_a_database_names_those_that_there_are() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    logs(&server, &database).await.insert_one(request(1, DateTime::now())).await.expect("inserted");
    let url = server.url("");
    for arguments in [&["query", "-s", &url][..], &["schema", "draft", "--from", &url], &["doctor", "-s", &url]] {
        let shown = crosstail(arguments);
        let said = String::from_utf8_lossy(&[shown.stdout.clone(), shown.stderr.clone()].concat()).into_owned();
        // Others are there, too, and only some are named.
        assert!(!shown.status.success() && said.contains("names no database; there are: "), "{arguments:?}: {said}");
        assert!(said.contains("DATABASE") && !said.contains("admin"), "{arguments:?}: {said}");
    }
    let (_, source) = open(&[url]);
    let error = source.table_offers(&Job::default()).await.expect_err("no database").to_string();
    assert!(error.contains("there are: "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_a_dot_is_read_and_filtered() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let calls = server.mongo_client().await.database(&database).collection::<Document>("calls");
    let document = |n: i32| {
        let mut document = doc! { "_id": n, "at": DateTime::now(), "sys": "SAP", "st": "ok", "ms": 5 };
        // The same path, as a name and as an object.
        let code = if n % 5 == 0 { 502 } else { 200 };
        if n % 2 == 0 {
            document.insert("http.status", code);
        } else {
            document.insert("http", doc! { "status": code });
        }
        document
    };
    calls.insert_many((1..=20).map(document)).await.expect("inserted");
    let schema = crate::tables::calls("stores = ['mongodb']\n").replace("id = 'id'", "id = '_id'");
    let schema = schema.replace("duration = 'ms'", "duration = 'ms'\nhttp_status = 'http.status'");
    let source = source_at(server.url(&database), &schema);
    let context = Context { now: Clock::system().now(), zone: chrono_tz::Tz::UTC };
    let query = PageQuery { filter: Filter::parse("http:502").expect("a filter"), context, ..PageQuery::all(7) };
    assert_eq!((pages(&source, &query).await.len(), count(&source, &query).await), (4, 4));
    assert_eq!(pages(&source, &PageQuery::all(7)).await.iter().filter(|one| one.http_status.is_some()).count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn fat_documents_are_read_with_the_users_schema() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let calls = server.mongo_client().await.database(&database).collection::<Document>("calls");
    for n in 0..12 {
        let body = "0123456789".repeat(1_500_000);
        let document = doc! { "_id": n, "at": DateTime::now(), "sys": "SAP", "st": "ok", "ms": 5, "body": body };
        calls.insert_one(document).await.expect("inserted");
    }
    // More than an answer may have.
    let schema = crate::tables::calls("stores = ['mongodb']\n").replace("id = 'id'", "id = '_id'");
    let source = source_at(server.url(&database), &schema);
    let warnings = source.probe(&Job::default()).await.expect("a probe").warnings;
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(pages(&source, &PageQuery::all(5)).await.len(), 12);
    calls.drop().await.expect("dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_of_no_year_and_endless_durations_cost_themselves() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let logs = logs(&server, &database).await;
    let now = DateTime::now();
    let far = [i64::MAX / 2, -i64::MAX / 2, 253_402_300_800_000, -62_135_596_800_001].map(DateTime::from_millis);
    let mut documents: Vec<Document> = (1..).zip(far).map(|(n, at)| request(n, at)).collect();
    documents.extend((10..16).map(|n| request(n, now)));
    documents[5].insert("duration_ms", 1e30);
    documents[6].insert("duration_ms", 5);
    logs.insert_many(documents).await.expect("inserted");
    let (_, source) = open(&[server.url(&database)]);
    undated_add_up(source.as_ref(), 10, 4).await;
    for newest_first in [true, false] {
        let all = pages(&source, &PageQuery { newest_first, ..PageQuery::all(3) }).await;
        let times: Vec<_> = all.iter().map(|activity| activity.started_at).collect();
        assert!(
            times.windows(2).all(|two| if newest_first { two[0] >= two[1] } else { two[0] <= two[1] }),
            "in order: {times:?}"
        );
        assert_eq!(all.iter().filter(|one| one.duration_us.is_some()).count(), 1);
    }
    let groups = source.aggregate(&PageQuery::all(10), &Grouping::default(), &Job::default()).await.expect("figures");
    assert_eq!(groups.values().map(|figures| figures.latencies.count()).sum::<u64>(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_documents_a_day_than_are_remembered_are_not_new() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let handle = server.mongo_client().await.database(&database);
    let raw = handle.collection::<Document>("raw");
    let now = Clock::system().now();
    // Some of the old ones are open, and one of them ends.
    let old = (0..5000_i64).map(|n| {
        let mut one = request(n, DateTime::from_millis(now.0 / 1000 - n * 17_000));
        if n % 1000 == 999 {
            one.insert("status", "IN_PROGRESS");
        }
        one
    });
    raw.insert_many(old).await.expect("inserted");
    // Those without a time are remembered, too.
    raw.insert_many((5000..5020).map(|n| request(n, Bson::Null))).await.expect("inserted");
    handle.run_command(doc! { "create": "integration_logs", "viewOn": "raw", "pipeline": [] }).await.expect("a view");
    let names = crosstail_core::model::Names::default();
    let id = crosstail_core::model::SourceId(0);
    let source = crosstail_mongodb::MongodbSource::new("test", id, names, &server.url(&database), None);
    let source: Arc<dyn Source> = Arc::new(source.expect("a source").remembering(1000));
    let position = source.position(&Job::default()).await.expect("a position");
    let (sink, mut updates) = crosstail_source::Sink::channel(100);
    let following = Arc::clone(&source);
    let task = tokio::spawn(async move { following.follow(position, &sink, &Job::default()).await });
    raw.insert_many((9000..9005).map(|n| request(n, DateTime::now()))).await.expect("inserted");
    let (mut found, mut notices) = (Vec::new(), Vec::new());
    loop {
        let event = tokio::time::timeout(PATIENCE, updates.recv()).await.expect("it catches up");
        match event.expect("following goes on") {
            SourceEvent::Batch(batch, _) => found.extend(batch),
            SourceEvent::Notice(text) => notices.push(text),
            _ => break,
        }
    }
    let ended = doc! { "$set": { "status": "SUCCESS" } };
    raw.update_one(doc! { "request_id": "r-4999" }, ended).await.expect("updated");
    let has_ended = |found: &[Activity]| found.iter().any(|one| one.id.to_string() == "r-4999");
    let (more, told) = collect(&mut updates, has_ended).await;
    found.extend(more);
    notices.extend(told);
    // Some rounds of the first two tiers, with more that is new.
    for n in 9005..9010 {
        raw.insert_one(request(n, DateTime::now())).await.expect("inserted");
        let until = tokio::time::Instant::now() + std::time::Duration::from_millis(2500);
        while let Ok(event) = tokio::time::timeout_at(until, updates.recv()).await {
            match event.expect("following goes on") {
                SourceEvent::Batch(batch, _) => found.extend(batch),
                SourceEvent::Notice(text) => notices.push(text),
                _ => {}
            }
        }
    }
    let new: Vec<String> = (9000..9010).map(|n| format!("r-{n}")).collect();
    assert_eq!(ids(&found), [&["r-4999".to_owned()][..], &new[..]].concat());
    let said = notices.iter().filter(|text| text.contains("more documents a day than are remembered")).count();
    assert_eq!(said, 1, "{notices:?}");
    task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collation_of_a_collection_changes_no_answer() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let collation = || doc! { "locale": "en", "strength": 2 };
    for is_view in [false, true] {
        let database = unique_name();
        let handle = server.mongo_client().await.database(&database);
        let create = if is_view {
            doc! { "create": "integration_logs", "viewOn": "raw", "pipeline": [], "collation": collation() }
        } else {
            doc! { "create": "integration_logs", "collation": collation() }
        };
        handle.run_command(create).await.expect("created");
        let collection = handle.collection::<Document>(if is_view { "raw" } else { "integration_logs" });
        let now = Timestamp(Clock::system().now().0 / 1000 * 1000);
        let documents = (0..120_i64).map(|n| {
            let at = now.plus_ms(-n * 1000);
            // Some times are texts.
            let time = if n % 7 == 0 { Bson::String(at.rfc3339()) } else { DateTime::from_millis(at.0 / 1000).into() };
            let mut one = request(n, time);
            one.insert("system_code", ["SAP", "sap", "Zoho", "\u{e4}rzte"][usize::try_from(n % 4).expect("small")]);
            one.insert("correlation_id", format!("{}-{}", if n % 2 == 0 { "C" } else { "c" }, n / 2));
            one
        });
        collection.insert_many(documents).await.expect("inserted");
        for key in ["started_at", "system_code", "correlation_id"] {
            let index = mongodb::IndexModel::builder().keys(doc! { key: -1 }).build();
            collection.create_index(index).await.expect("an index");
        }
        let (names, source) = open(&[server.url(&database)]);
        let all = pages(&source, &PageQuery::all(7)).await;
        assert_eq!(all.len(), 120);
        let context = Context { now, zone: chrono_tz::Tz::UTC };
        for text in [
            "system:SAP",
            "system=SAP",
            "system!=SAP",
            "-system=sap",
            "system:zo*",
            "system>\"a\"",
            "system<\"b\"",
            "system:(SAP, Zoho) status:failed",
            "corr=C-3",
            "corr:c-3",
            "-corr=c-3",
            "request=R-7",
            "status:failed",
            "-status:failed",
            "system=sap time:-60s",
        ] {
            let Ok(filter) = Filter::parse(text) else { panic!("{text}") };
            let predicate = filter.predicate(&context);
            let kept = |activity: &&Activity| predicate.keeps(&NamedRecord { activity, names: &names, payload: None });
            let expected: Vec<Activity> = all.iter().filter(kept).cloned().collect();
            for newest_first in [true, false] {
                let query = PageQuery { filter: filter.clone(), context, newest_first, ..PageQuery::all(9) };
                assert_eq!(ids(&pages(&source, &query).await), ids(&expected), "{text}, view: {is_view}");
                assert_eq!(count(&source, &query).await, expected.len() as u64, "{text}, view: {is_view}");
            }
        }
        let by_system = Grouping::by(Field::System);
        let groups = source.aggregate(&PageQuery::all(100), &by_system, &Job::default()).await.expect("figures");
        assert_eq!(groups.values().map(|figures| figures.count).collect::<Vec<_>>(), [30; 4], "view: {is_view}");
        let key = RelatedKey::correlation("C-3");
        assert_eq!(source.related(&key, 10, &Job::default()).await.expect("found").activities.len(), 1);
        for one in all.iter().take(3) {
            source.payload(&one.id, &one.places[0].locator, &Job::default()).await.expect("its payload");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_with_zeros_before_them_are_no_number() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let documents = (0..21_i64).map(|n| {
        let mut one = request(n, DateTime::now());
        // The number comes first, and often.
        one.insert("correlation_id", if n == 20 { Bson::from("007") } else { Bson::Int32(7) });
        one
    });
    logs(&server, &database).await.insert_many(documents).await.expect("inserted");
    let (_, source) = open(&[server.url(&database)]);
    for (id, limit, count) in [("007", 3, 1), ("7", 30, 20), ("7", 3, 3), ("07", 3, 0)] {
        let key = RelatedKey::correlation(id);
        let found = source.related(&key, limit, &Job::default()).await.expect("found").activities;
        assert_eq!(found.len(), count, "{id}: {:?}", ids(&found));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_one_instant_are_paged() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let calls = server.mongo_client().await.database(&database).collection::<Document>("calls");
    let schema = crate::tables::calls("stores = ['mongodb']\n").replace("id = 'id'", "id = '_id'");
    let schema = schema.replace("duration = 'ms'", "duration = 'ms'\nmessage = 'body'");
    let at = DateTime::now();
    let one = |n: i32, body: &str| doc! { "_id": format!("k-{n:05}"), "at": at, "sys": "SAP", "st": "ok", "ms": 5, "body": body };
    let body = "0123456789".repeat(100);
    calls.insert_many((0..6000).map(|n| one(n, &body))).await.expect("inserted");
    let source = source_at(server.url(&database), &schema);
    for newest_first in [true, false] {
        let all = pages(&source, &PageQuery { newest_first, ..PageQuery::all(500) }).await;
        let keys: Vec<_> = all.iter().map(|one| one.id.to_string()).collect();
        assert_eq!(keys.len(), 6000);
        assert!(keys.windows(2).all(|two| if newest_first { two[0] > two[1] } else { two[0] < two[1] }), "each once");
    }
    // More than an answer may have.
    calls.delete_many(doc! {}).await.expect("deleted");
    let body = "0123456789".repeat(10_000);
    for part in 0..14 {
        calls.insert_many((0..100).map(|n| one(part * 100 + n, &body))).await.expect("inserted");
    }
    let query = PageQuery { newest_first: false, ..PageQuery::all(500) };
    let first = source.page(&query, None, &Job::default()).await.expect("a page");
    let second = source.page(&query, first.next.as_ref(), &Job::default()).await.expect("a page");
    let keys: Vec<_> = first.items.iter().chain(&second.items).map(|one| one.id.to_string()).collect();
    assert!(first.items.len() < 500 && !second.items.is_empty(), "{} and {}", first.items.len(), second.items.len());
    let expected = (0..).map(|n| format!("k-{n:05}")).take(keys.len());
    assert!(keys.iter().zip(expected).all(|(key, expected)| key.contains(&expected)), "none is left out: {keys:?}");
    calls.drop().await.expect("dropped");
}
