//! Elasticsearch: what the conformance suite does not ask.

use crate::servers::{Kind, Server, shared, unique_name};
use crate::support::{Running, collect, ids, open};
use crosstail_core::filter::Filter;
use crosstail_core::model::{Clock, Level, Status, Timestamp};
use crosstail_source::{ErrorKind, Grouping, Job, PageQuery, RelatedKey, Source, for_each};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

/// The name of an index that no other test has.
pub fn index_name(beginning: &str) -> String {
    format!("{beginning}-{}", unique_name().replace('_', "-"))
}

fn url(server: &Server, path: &str) -> String {
    format!("http://127.0.0.1:{}/{path}", server.port)
}

/// Asks a server, which must agree.
pub async fn ask(server: &Server, method: &str, path: &str, body: Value) -> Value {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = reqwest::Client::new().request(method, url(server, path));
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.expect("an answer");
    let status = response.status();
    let text = response.text().await.expect("a text");
    assert!(status.is_success(), "{path}: {status}: {}", &text[..text.len().min(500)]);
    serde_json::from_str(&text).unwrap_or_default()
}

/// Makes an index.
pub async fn create(server: &Server, index: &str, mut definition: Value) {
    definition["settings"]["number_of_replicas"] = json!(0);
    ask(server, "PUT", index, definition).await;
}

/// Writes documents, each with its action.
pub async fn bulk(server: &Server, lines: &[(Value, Value)]) {
    let text: String = lines.iter().map(|(action, document)| format!("{action}\n{document}\n")).collect();
    let request =
        reqwest::Client::new().post(url(server, "_bulk")).header("content-type", "application/x-ndjson").body(text);
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["errors"], false, "{}", answer.to_string().chars().take(500).collect::<String>());
}

/// Makes what was written visible.
pub async fn refresh(server: &Server, index: &str) {
    ask(server, "POST", &format!("{index}/_refresh"), Value::Null).await;
}

/// The index of the engineering logs, as that system writes it.
pub fn logs_index() -> Value {
    let keyword = json!({ "type": "keyword" });
    json!({
        "mappings": { "properties": {
            "log_id": keyword, "source_id": keyword,
            "timestamp": { "type": "date", "format": "strict_date_optional_time||epoch_millis" },
            "level": keyword,
            "message": {
                "type": "text", "analyzer": "standard",
                "fields": { "keyword": { "type": "keyword", "ignore_above": 256 } }
            },
            "raw_log": { "type": "text", "analyzer": "standard" },
            "category": keyword, "tags": keyword, "metadata": { "type": "object", "dynamic": true },
            "parsed_fields": { "type": "object", "properties": {
                "host": keyword, "service": keyword, "thread": keyword, "class": keyword, "method": keyword,
                "line_number": { "type": "integer" }, "stack_trace": { "type": "text" }
            } },
            "geo_location": { "type": "geo_point" }, "size_bytes": { "type": "integer" }, "processing_status": keyword,
            "created_at": { "type": "date" }
        } },
        "settings": { "number_of_shards": 3, "analysis": { "analyzer": { "log_analyzer": {
            "type": "custom", "tokenizer": "standard", "filter": ["lowercase", "stop", "snowball"]
        } } } }
    })
}

fn log(n: usize, at: Timestamp) -> Value {
    json!({
        "log_id": format!("log-{n}"), "source_id": "s", "timestamp": at.rfc3339(), "level": if n.is_multiple_of(10) { "ERROR" } else { "INFO" },
        "message": format!("Order {n} sent to the warehouse"), "tags": ["orders", "billing"], "geo_location": { "lat": 52.5, "lon": 13.4 },
        "parsed_fields": { "service": "orders", "host": "h1", "line_number": 7, "stack_trace": "Error: boom\n    at send (orders.js:7)" },
        "metadata": { "request_id": format!("req-{n}") }, "created_at": at.rfc3339(),
    })
}

fn add(index: &str, document: Value) -> (Value, Value) {
    (json!({ "index": { "_index": index } }), document)
}

async fn answer(source: &dyn Source, filter: &str) -> (Vec<String>, usize) {
    let filter = Filter::parse(filter).expect(filter);
    let page = source.page(&PageQuery { filter, ..PageQuery::all(10_000) }, None, &Job::default()).await.expect("read");
    (ids(&page.items), page.push_down.in_store)
}

#[tokio::test(flavor = "multi_thread")]
async fn full_text_where_a_field_is_text_and_exact_where_it_is_keyword() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let index = index_name("engineering_logs");
    create(&server, &index, logs_index()).await;
    let now = Clock::system().now();
    let mut lines: Vec<_> = (0..50).map(|n| add(&index, log(n, now.plus_ms(n as i64)))).collect();
    let mut long = log(51, now);
    long["message"] = json!(format!("{} needle in a haystack", "hay ".repeat(200)));
    lines.push(add(&index, long));
    bulk(&server, &lines).await;
    refresh(&server, &index).await;
    let (names, source) = open(&[server.url(&index)]);
    for (filter, found) in [
        ("message:\"rder 49 sen\"", 1),
        ("message:needle", 1),
        ("level:error", 5),
        ("level:ERROR message:warehouse", 5),
        ("tag:billing", 50 + 1),
        ("id=log-7", 1),
        ("request:req-7", 1),
        ("system:Orders", 51),
        ("system=Orders", 0),
        ("\"Order 13 sent\"", 1),
    ] {
        let (ids, in_store) = answer(source.as_ref(), filter).await;
        assert_eq!(ids.len(), found, "{filter}");
        assert_eq!(
            in_store,
            Filter::parse(filter).expect(filter).clauses().len(),
            "{filter} is evaluated in the store"
        );
    }
    // What is turned round is evaluated here, and answered alike.
    assert_eq!(answer(source.as_ref(), "-message:needle").await, (answer(source.as_ref(), "message:Order").await.0, 0));
    let page = source
        .page(
            &PageQuery { filter: Filter::parse("id=log-7").expect("parses"), ..PageQuery::all(1) },
            None,
            &Job::default(),
        )
        .await;
    let activity = page.expect("read").items.remove(0);
    let payload = source.payload(&activity.id, &activity.places[0].locator, &Job::default()).await.expect("payload");
    assert!(payload.error.stack.as_deref().is_some_and(|stack| stack.contains("orders.js:7")), "{payload:?}");
    assert_eq!(payload.metadata["geo_location"]["lat"], 52.5);
    assert_eq!(activity.tags.as_deref(), Some("orders, billing"));
    assert_eq!(activity.places[0].table(&names).as_deref(), Some("engineering_logs*"));
}

/// The words that an index has of a text need not be those that stand in it: its own default analyser leaves some out.
#[tokio::test(flavor = "multi_thread")]
async fn texts_of_an_index_with_its_own_default_analyser_are_found_by_what_they_say() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let base = index_name("analysed");
    let default = |name: &str, left_out: &[&str]| json!({ "analysis": { "analyzer": { name: { "type": "standard", "stopwords": left_out } } } });
    let text = json!({ "type": "text" });
    let both = json!({ "type": "text", "fields": { "keyword": { "type": "keyword", "ignore_above": 12 } } });
    let mut sought = default("default", &["by"]);
    sought["analysis"]["analyzer"]["default_search"] =
        json!({ "type": "standard", "stopwords": ["c", "sought", "0", "1", "2"] });
    let now = Clock::system().now();
    let mut lines = Vec::new();
    for (name, settings, message) in [
        ("plain", json!({}), &text),
        ("some", default("default", &["by", "the"]), &text),
        ("both", default("default", &["by", "the"]), &both),
        // What people search for is split otherwise, and has none of the words of an id.
        ("sought", sought, &text),
        ("named", default("mine", &["by"]), &text),
    ] {
        let index = format!("{base}-{name}");
        let mut fields = json!({
            "@timestamp": { "type": "date" }, "service": { "type": "keyword" }, "message": message, "correlation_id": text,
        });
        if name == "named" {
            fields["correlation_id"]["analyzer"] = json!("mine");
        }
        create(&server, &index, json!({ "settings": settings, "mappings": { "properties": fields } })).await;
        for (n, said) in [(0, "payment refused by the partners"), (1, "refused"), (2, "order sent")] {
            lines.push(add(
                &index,
                json!({
                    "@timestamp": now.plus_ms(n).rfc3339(), "service": "sap", "message": said,
                    "correlation_id": format!("C-{name}-{n}"),
                }),
            ));
        }
    }
    bulk(&server, &lines).await;
    refresh(&server, &format!("{base}-*")).await;
    // Whether the index answers: by its words where they are those of the text, else by full values where it has them.
    let cases = [("plain", 1, Some(1)), ("some", 1, Some(0)), ("both", 1, Some(1)), ("*", 5, None)];
    for (name, indices, in_store) in cases {
        let (_, source) = open(&[server.url(&format!("{base}-{name}"))]);
        for (filter, found) in [("message:refused", 2), ("message:\"refused by\"", 1), ("message:partners", 1)] {
            let (ids, pushed) = answer(source.as_ref(), filter).await;
            assert_eq!(ids.len(), found * indices, "{name}: {filter}");
            assert!(in_store.is_none_or(|in_store| pushed == in_store), "{name}: {filter}: {pushed}");
        }
        assert_eq!(answer(source.as_ref(), "-message:refused").await.0.len(), indices, "{name}");
    }
    // What splits a search is not what split the text.
    let (_, every) = open(&[server.url(&format!("{base}-*"))]);
    for name in ["plain", "some", "both", "sought", "named"] {
        let (_, source) = open(&[server.url(&format!("{base}-{name}"))]);
        for source in [&source, &every] {
            let related = source.related(&RelatedKey::correlation(format!("C-{name}-1")), 100, &Job::default()).await;
            assert_eq!(related.expect("found").activities.len(), 1, "{name}");
        }
    }
}

/// What the filter of an alias hides stays hidden, also in an index that is read by its own name because its time is no date.
#[tokio::test(flavor = "multi_thread")]
async fn an_alias_with_a_filter_shows_what_it_keeps() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let (base, now) = (index_name("hidden"), Clock::system().now());
    let mut lines = Vec::new();
    for (name, time) in [("dated", "date"), ("undated", "keyword")] {
        let index = format!("{base}-{name}");
        let fields = json!({ "@timestamp": { "type": time }, "service": { "type": "keyword" } });
        create(&server, &index, json!({ "mappings": { "properties": fields } })).await;
        for service in ["mine", "other"] {
            lines.push(add(&index, json!({ "@timestamp": now.rfc3339(), "service": service, "message": "m" })));
        }
        let filter = json!({ "term": { "service": "mine" } });
        let alias = json!({ "add": { "index": index, "alias": format!("only-{base}"), "filter": filter } });
        ask(&server, "POST", "_aliases", json!({ "actions": [alias] })).await;
    }
    bulk(&server, &lines).await;
    refresh(&server, &format!("{base}-*")).await;
    let (_, source) = open(&[server.url(&format!("only-{base}"))]);
    for (filter, count) in [("message:m", 2), ("system:mine", 2), ("system:other", 0)] {
        assert_eq!(answer(source.as_ref(), filter).await.0.len(), count, "{filter}");
    }
    // Named itself, an index shows everything.
    let (_, source) = open(&[server.url(&format!("{base}-*"))]);
    assert_eq!(answer(source.as_ref(), "message:m").await.0.len(), 4);
}

/// What is indexed apart from its document (`nested`) is in the document all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_nested_is_found_and_counted() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let (index, now) = (index_name("nested"), Clock::system().now());
    let word = json!({ "type": "keyword" });
    let fields = json!({
        "@timestamp": { "type": "date" }, "error": { "type": "nested", "properties": { "message": word } },
        "trace": { "type": "nested", "properties": { "id": word } },
    });
    create(&server, &index, json!({ "mappings": { "properties": fields } })).await;
    let documents = [
        json!({ "error": [{ "message": "refused" }], "trace": { "id": "T-1" } }),
        json!({ "error": { "message": "timed out" }, "trace": [{ "id": "T-1" }] }),
        json!({ "message": "fine" }),
    ];
    let lines: Vec<_> = (1..)
        .zip(documents)
        .map(|(n, mut document)| {
            document["@timestamp"] = json!(now.plus_ms(-n).rfc3339());
            add(&index, document)
        })
        .collect();
    bulk(&server, &lines).await;
    refresh(&server, &index).await;
    let (_, source) = open(&[server.url(&index)]);
    for (filter, count) in [("error:refused", 1), ("-error:refused", 2), ("is:failure", 2), ("corr:T-1", 2)] {
        assert_eq!(answer(source.as_ref(), filter).await.0.len(), count, "{filter}");
    }
    let related = source.related(&RelatedKey::correlation("T-1".to_owned()), 10, &Job::default()).await;
    assert_eq!(related.expect("found").activities.len(), 2);
    let groups = source.aggregate(&PageQuery::all(9), &Grouping::default(), &Job::default()).await.expect("figures");
    assert_eq!(groups.values().map(|one| (one.count, one.failed)).collect::<Vec<_>>(), [(3, 2)]);
}

/// What the index left out, the document has all the same: a text that is too long, what is no number, a field for which there was no
/// room.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_index_ignored_is_found_and_counted() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let base = index_name("ignored");
    let fields = json!({
        "@timestamp": { "type": "date" }, "service": { "type": "keyword" },
        "url": { "type": "keyword", "ignore_above": 1024 },
        "status_code": { "type": "integer", "ignore_malformed": true },
        "correlation_id": { "type": "keyword", "ignore_above": 8 },
    });
    create(&server, &format!("{base}-values"), json!({ "mappings": { "properties": fields } })).await;
    let fields = json!({
        "@timestamp": { "type": "date" }, "service": { "type": "keyword" }, "message": { "type": "text" },
    });
    let limit = json!({ "index.mapping.total_fields": { "limit": 4, "ignore_dynamic_beyond_limit": true } });
    create(&server, &format!("{base}-room"), json!({ "settings": limit, "mappings": { "properties": fields } })).await;
    let now = Clock::system().now();
    let documents = |name: &str, all: &[Value]| -> Vec<(Value, Value)> {
        let one = |(n, document): (i64, &Value)| {
            let mut document = document.clone();
            document["@timestamp"] = json!(now.plus_ms(n).rfc3339());
            document["service"] = json!("sap");
            add(&format!("{base}-{name}"), document)
        };
        (0..).zip(all).map(one).collect()
    };
    let long = format!("/orders/needle{}", "x".repeat(2000));
    let values = [
        json!({ "url": "/orders", "status_code": 200 }),
        json!({ "url": long, "status_code": 502 }),
        json!({ "status_code": "502 Bad Gateway", "correlation_id": "longer than eight" }),
        json!({ "correlation_id": "short" }),
    ];
    bulk(&server, &documents("values", &values)).await;
    let lost = json!({ "message": "sent", "url": "/lost/7", "http": { "status": 503 } });
    let room = [lost, json!({ "message": "sent" })];
    bulk(&server, &documents("room", &room)).await;
    refresh(&server, &format!("{base}-*")).await;
    for (name, filter, found) in [
        ("values", "url:*", 2),
        ("values", "url:*needle*", 1),
        ("values", "http:*", 3),
        ("values", "http:502", 2),
        ("values", "http>=500", 2),
        ("values", "status:failed", 2),
        ("values", "corr:*", 2),
        ("room", "url:*", 1),
        ("room", "url:*lost*", 1),
        ("room", "http:503", 1),
        ("room", "status:failed", 1),
    ] {
        let (_, source) = open(&[server.url(&format!("{base}-{name}"))]);
        let (ids, _) = answer(source.as_ref(), filter).await;
        assert_eq!(ids.len(), found, "{name}: {filter}");
        // Turned round, it is everything else, and evaluated here.
        let all = if name == "room" { room.len() } else { values.len() };
        let (ids, in_store) = answer(source.as_ref(), &format!("NOT {filter}")).await;
        assert_eq!((ids.len(), in_store), (all - found, 0), "{name}: NOT {filter}");
    }
    for (name, failed) in [("values", 2), ("room", 1)] {
        let (_, source) = open(&[server.url(&format!("{base}-{name}"))]);
        let groups = source.aggregate(&PageQuery::all(100), &Grouping::default(), &Job::default()).await;
        let counted: u64 = groups.expect("figures").values().map(|figures| figures.failed).sum();
        assert_eq!(counted, failed, "{name}");
    }
    let (_, source) = open(&[server.url(&format!("{base}-values"))]);
    for key in ["longer than eight", "short"] {
        let related = source.related(&RelatedKey::correlation(key), 100, &Job::default()).await.expect("found");
        assert_eq!(related.activities.len(), 1, "{key}");
    }
}

/// Two writers, refreshes as they come, times up to a day late: every document once.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_documents_while_tailing_once_each() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let index = index_name("engineering_logs");
    create(&server, &index, logs_index()).await;
    let (_, source) = open(&[server.url(&index)]);
    let position = source.position(&Job::default()).await.expect("position");
    let (sink, mut updates) = crosstail_source::Sink::channel(4);
    let cancel = CancellationToken::new();
    let task = {
        let (source, cancel) = (Arc::clone(&source), cancel.clone());
        tokio::spawn(async move { source.follow(position, &sink, &Job::default().under(&cancel)).await })
    };
    for writer in 0..2 {
        let (server, index) = (Arc::clone(&server), index.clone());
        tokio::spawn(async move {
            let mut rng = fastrand::Rng::with_seed(writer);
            for chunk in 0..25usize {
                let first = (writer as usize * 25 + chunk) * 2000;
                let now = Clock::system().now();
                let late =
                    |rng: &mut fastrand::Rng| if rng.u8(0..10) == 0 { rng.i64(0..86_400_000) } else { rng.i64(0..500) };
                let lines: Vec<_> =
                    (first..first + 2000).map(|n| add(&index, log(n, now.plus_ms(-late(&mut rng))))).collect();
                bulk(&server, &lines).await;
            }
        });
    }
    let (found, notices) = collect(&mut updates, |found| found.len() >= 100_000).await;
    // Nothing more comes before what is written then.
    bulk(&server, &[add(&index, log(100_000, Clock::system().now()))]).await;
    let (more, _) = collect(&mut updates, |more| !more.is_empty()).await;
    assert_eq!((found.len(), more.len(), notices.len()), (100_000, 1, 0));
    assert_eq!(found.iter().map(|a| &a.id).collect::<HashSet<_>>().len(), 100_000);
    cancel.cancel();
    task.await.expect("joined").expect("well");
}

#[tokio::test(flavor = "multi_thread")]
async fn indices_roll_over_are_deleted_and_made_anew_while_tailing() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let base = index_name("engineering_logs");
    let now = Clock::system().now();
    let (first, second) = (format!("{base}-000001"), format!("{base}-000002"));
    create(&server, &first, logs_index()).await;
    // A user writes to, and reads from, an alias.
    let alias = |index: &str| json!({ "actions": [{ "add": { "index": index, "alias": format!("{base}-all") } }] });
    ask(&server, "POST", "_aliases", alias(&first)).await;
    bulk(&server, &(0..20).map(|n| add(&first, log(n, now))).collect::<Vec<_>>()).await;
    refresh(&server, &first).await;
    let (names, source) = open(&[server.url(&format!("{base}-all"))]);
    let mut running = Running::start(&names, source);
    running.live().await;
    assert_eq!(running.store.len(), 20);
    create(&server, &second, logs_index()).await;
    ask(&server, "POST", "_aliases", alias(&second)).await;
    bulk(&server, &(20..50).map(|n| add(&second, log(n, now))).collect::<Vec<_>>()).await;
    running.until("the new index's", |running| running.store.len() == 50).await;
    ask(&server, "DELETE", &first, Value::Null).await;
    running.until("the deletion to be said", |running| running.notices.iter().any(|n| n.contains("was deleted"))).await;
    // The same name again: its numbers begin at 0, below those that were seen.
    create(&server, &first, logs_index()).await;
    ask(&server, "POST", "_aliases", alias(&first)).await;
    bulk(&server, &(50..55).map(|n| add(&first, log(n, now))).collect::<Vec<_>>()).await;
    running.until("those of the index made anew", |running| running.store.len() == 55).await;
    // A document that is changed changes in place.
    let mut changed = log(52, now);
    changed["level"] = json!("FATAL");
    let by_query =
        ask(&server, "POST", &format!("{first}/_search"), json!({ "query": { "term": { "log_id": "log-52" } } })).await;
    let id = by_query["hits"]["hits"][0]["_id"].as_str().map(str::to_owned);
    refresh(&server, &first).await;
    let id = match id {
        Some(id) => id,
        None => {
            let again = ask(
                &server,
                "POST",
                &format!("{first}/_search"),
                json!({ "query": { "term": { "log_id": "log-52" } } }),
            )
            .await;
            again["hits"]["hits"][0]["_id"].as_str().expect("an id").to_owned()
        }
    };
    ask(&server, "PUT", &format!("{first}/_doc/{id}"), changed).await;
    let is_fatal = |running: &Running| {
        let rows = running.store.all_rows().iter().map(|row| running.store.get(*row));
        rows.filter(|a| a.level == Some(Level::Fatal)).count() == 1
    };
    running.until("the change", is_fatal).await;
    assert_eq!(running.store.len(), 55);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_several_types_are_told_and_no_document_is_lost() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let base = index_name("halopsa-integration");
    let property = |name: &str, kind: &str| json!({ "mappings": { "properties": { name: { "type": kind } } } });
    create(&server, &format!("{base}-1"), property("statusCode", "keyword")).await;
    create(&server, &format!("{base}-2"), property("statusCode", "long")).await;
    // Its time is no date: no query can be in its order.
    create(&server, &format!("{base}-3"), property("@timestamp", "keyword")).await;
    let now = Clock::system().now();
    let line = |n: usize| {
        json!({
            "@timestamp": now.plus_ms(n as i64).rfc3339(), "level": "INFO", "message": "HTTP Request", "service": "halopsa-integration",
            "method": "GET", "url": "/x", "statusCode": if n.is_multiple_of(4) { 503 } else { 200 }, "duration": n,
        })
    };
    bulk(&server, &(0..60).map(|n| add(&format!("{base}-{}", 1 + n % 3), line(n))).collect::<Vec<_>>()).await;
    refresh(&server, &format!("{base}-*")).await;
    let (_, source) = open(&[server.url(&format!("{base}-*"))]);
    let warnings = source.probe(&Job::default()).await.expect("probed").warnings;
    assert!(warnings.iter().any(|warning| warning.contains("statusCode (")), "{warnings:?}");
    assert!(
        warnings.iter().any(|warning| warning.contains(&format!("@timestamp is not a date in {base}-3"))),
        "{warnings:?}"
    );
    assert_eq!(answer(source.as_ref(), "").await.0.len(), 60);
    assert_eq!(answer(source.as_ref(), "http:5xx").await.0.len(), 15);
    let page = source.page(&PageQuery::all(1000), None, &Job::default()).await.expect("read").items;
    assert!(page.iter().rev().map(|a| a.started_at).is_sorted(), "in order of time whatever the index says");
    // A time that the index let pass without understanding it is told, not shown as one in silence.
    let lenient =
        json!({ "mappings": { "properties": { "@timestamp": { "type": "date", "ignore_malformed": true } } } });
    let malformed = index_name("halopsa-integration");
    create(&server, &malformed, lenient).await;
    let wrong =
        json!({ "@timestamp": "the day before", "level": "INFO", "message": "m", "service": "halopsa-integration" });
    bulk(&server, &[add(&malformed, line(1)), add(&malformed, wrong)]).await;
    refresh(&server, &malformed).await;
    let (_, lenient) = open(&[server.url(&malformed)]);
    let told = lenient.probe(&Job::default()).await.expect("probed").warnings;
    assert!(told.iter().any(|warning| warning.starts_with("the @timestamp of 1 documents of ")), "{told:?}");
    assert_eq!(answer(lenient.as_ref(), "").await.0.len(), 2);
    // Without any time: before all others, and none is lost between pages.
    let timeless =
        |n: usize| json!({ "level": "INFO", "message": format!("no time {n}"), "service": "halopsa-integration" });
    bulk(&server, &(0..625).map(|n| add(&format!("{base}-1"), timeless(n))).collect::<Vec<_>>()).await;
    refresh(&server, &format!("{base}-*")).await;
    for newest_first in [true, false] {
        let mut found = Vec::new();
        let query = PageQuery { newest_first, ..PageQuery::all(70) };
        for_each(source.as_ref(), &query, &Job::default(), |activity| {
            found.push(activity);
            true
        })
        .await
        .expect("read");
        let all = ids(&found);
        assert_eq!((all.len(), all.iter().collect::<HashSet<_>>().len()), (685, 685));
        let first = if newest_first { &found[60..] } else { &found[..625] };
        assert!(first.iter().all(|a| a.message.as_deref().is_some_and(|text| text.starts_with("no time"))));
    }
    let missing = open(&[server.url("no-such-index-*")]).1;
    let error = missing.probe(&Job::default()).await.expect_err("nothing there").to_string();
    assert!(error.contains("no index matches no-such-index-*"), "{error}");
}

/// In front of the server: wants a certain authorization, answers below a root of its own, may refuse for a while.
#[derive(Clone)]
pub struct Front {
    target: u16,
    root: &'static str,
    wanted: Arc<std::sync::Mutex<&'static str>>,
    /// So many requests are too many.
    busy: Arc<AtomicUsize>,
    forbids: Arc<std::sync::atomic::AtomicBool>,
}

impl Front {
    pub fn of(target: u16, wanted: &'static str, root: &'static str) -> Self {
        let wanted = Arc::new(std::sync::Mutex::new(wanted));
        Self { target, root, wanted, busy: Arc::default(), forbids: Arc::default() }
    }

    /// Another authorization from now on.
    pub fn want(&self, authorization: &'static str) {
        *self.wanted.lock().expect("lock") = authorization;
    }

    /// Whoever is known may do nothing, from now on.
    pub fn forbid(&self, forbids: bool) {
        self.forbids.store(forbids, Ordering::Relaxed);
    }

    fn refusal(&self, head: &str) -> Option<&'static str> {
        let wanted = *self.wanted.lock().expect("lock");
        let is_allowed = head.lines().any(|line| {
            let named = line.split_once(": ");
            named.is_some_and(|(name, value)| name.eq_ignore_ascii_case("authorization") && value == wanted)
        });
        if !is_allowed {
            return Some("401 Unauthorized");
        }
        if self.forbids.load(Ordering::Relaxed) {
            return Some("403 Forbidden");
        }
        let fewer = |busy: usize| busy.checked_sub(1);
        let is_busy = self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok();
        is_busy.then_some("429 Too Many Requests")
    }

    pub async fn listen(self) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let front = self.clone();
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    let mut chunk = vec![0; 65_536];
                    let head = loop {
                        let n = client.read(&mut chunk).await.unwrap_or(0);
                        request.extend_from_slice(&chunk[..n]);
                        if let Some(at) = request.windows(4).position(|w| w == b"\r\n\r\n") {
                            break at + 4;
                        }
                        if n == 0 {
                            return;
                        }
                    };
                    let text = String::from_utf8_lossy(&request[..head]).into_owned();
                    let length: usize = text
                        .lines()
                        .find_map(|line| {
                            line.to_ascii_lowercase().strip_prefix("content-length: ")?.trim().parse().ok()
                        })
                        .unwrap_or(0);
                    while request.len() < head + length {
                        let n = client.read(&mut chunk).await.unwrap_or(0);
                        if n == 0 {
                            return;
                        }
                        request.extend_from_slice(&chunk[..n]);
                    }
                    let refusal = front.refusal(&text);
                    if let Some(refusal) = refusal {
                        let body = "{\"error\":{\"type\":\"refused\",\"reason\":\"by the front\"}}";
                        let answer = format!(
                            "HTTP/1.1 {refusal}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                            body.len()
                        );
                        let _ = client.write_all(answer.as_bytes()).await;
                        return;
                    }
                    let onward = text.replacen(front.root, "/", 1).replacen("\r\n", "\r\nconnection: close\r\n", 1);
                    let Ok(mut server) = tokio::net::TcpStream::connect(("127.0.0.1", front.target)).await else {
                        return;
                    };
                    let _ = server.write_all(onward.as_bytes()).await;
                    let _ = server.write_all(&request[head..]).await;
                    // The client is told that the connection ends.
                    let mut answer = Vec::new();
                    let _ = server.read_to_end(&mut answer).await;
                    let status = answer.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                    let _ = client
                        .write_all(&[&answer[..status], b"connection: close\r\n", &answer[status..]].concat())
                        .await;
                });
            }
        });
        port
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_passwords_tokens_several_nodes_and_a_busy_cluster() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let index = index_name("engineering_logs");
    create(&server, &index, logs_index()).await;
    let now = Clock::system().now();
    bulk(&server, &(0..5).map(|n| add(&index, log(n, now))).collect::<Vec<_>>()).await;
    refresh(&server, &index).await;
    for (wanted, user) in [
        ("Basic cmVhZGVyOnAgd0A=", "reader:p%20w%40"),
        ("ApiKey aWQ6c2VjcmV0", "api_key:aWQ6c2VjcmV0"),
        ("ApiKey aWQ6c2VjcmV0", "api_key:id%3Asecret"),
        ("Bearer token-1", "bearer:token-1"),
    ] {
        let front = Front::of(server.port, wanted, "/search/one/");
        let (busy, port) = (Arc::clone(&front.busy), front.listen().await);
        // The first node is not there.
        let url = format!("es+http://{user}@127.0.0.1:1,127.0.0.1:{port}/search/one/{index}");
        let (_, source) = open(&[url]);
        busy.store(3, Ordering::Relaxed);
        assert_eq!(answer(source.as_ref(), "").await.0.len(), 5, "{user}");
        assert_eq!(busy.load(Ordering::Relaxed), 0, "asked again while it was busy");
        let wrong = open(&[format!("es+http://reader:hunter2@127.0.0.1:{port}/search/one/{index}")]).1;
        let error = wrong.probe(&Job::default()).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Auth, "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

/// TLS in front of the server, with a certificate that is its own root, which is in the file given.
pub async fn tls(target: u16, ca: &Path) -> u16 {
    let made =
        rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("a certificate");
    std::fs::write(ca, made.cert.pem()).expect("written");
    tls_with(&made, target).await
}

/// The same with a certificate.
pub async fn tls_with(made: &rcgen::CertifiedKey<rcgen::KeyPair>, target: u16) -> u16 {
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let Ok(mut server) = tokio::net::TcpStream::connect(("127.0.0.1", target)).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn roots_of_ones_own() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let index = index_name("engineering_logs");
    create(&server, &index, logs_index()).await;
    bulk(&server, &[add(&index, log(1, Clock::system().now()))]).await;
    refresh(&server, &index).await;
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    let port = tls(server.port, &ca).await;
    let given = open(&[format!("es+https://127.0.0.1:{port}/{index}?ca={}", ca.display())]).1;
    assert_eq!(answer(given.as_ref(), "").await.0, ["log-1"]);
    let error = open(&[format!("es+https://127.0.0.1:{port}/{index}")])
        .1
        .probe(&Job::default())
        .await
        .expect_err("not trusted");
    assert!(error.to_string().contains("certificate"), "{error}");
    let page = open(&[format!("health+https://127.0.0.1:{port}/_cluster/health?ca={}", ca.display())]).1;
    let vitals = page.vitals(Timestamp(0), &Job::default()).await.expect("vitals");
    assert!(vitals.checks[0].detail.starts_with("HTTP 200"), "{vitals:?}");
}

/// HaloPSA's client: Winston with `winston-elasticsearch`.
#[tokio::test(flavor = "multi_thread")]
async fn documents_of_winston_elasticsearch_are_all_seen() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let prefix = index_name("halopsa-integration");
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/winston");
    let (names, source) = open(&[server.url(&format!("{prefix}-*"))]);
    let mut running = Running::start(&names, source);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/winston/elastic.js");
    let script = std::fs::copy(script, modules.join("elastic.js")).map(|_| modules.join("elastic.js")).expect("copied");
    let node = format!("http://127.0.0.1:{}", server.port);
    let mut child = tokio::process::Command::new("node")
        .args([script.display().to_string(), node, prefix, "2000".to_owned()])
        .kill_on_drop(true)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("node; run scripts/setup-tests");
    running.until("everything that was logged", |running| running.store.len() == 2000).await;
    let done = |running: &Running| {
        running.statuses().values().filter(|status| status.is_some_and(|s| s != Status::InProgress)).count() == 1980
    };
    running.until("the outcomes", done).await;
    assert!(child.wait().await.expect("ended").success());
    running.live().await;
    let statuses = running.statuses();
    let count = |wanted: Status| statuses.values().filter(|status| **status == Some(wanted)).count();
    // Of 2000 requests every 100th is never answered, every 20th of the others fails, every 50th is answered 503.
    assert_eq!((count(Status::InProgress), count(Status::Failed), count(Status::Success)), (20, 100, 1880));
}
