//! The whole flow of the engineering logs: log-ingestion → log-processing → Elasticsearch, metadata in PostgreSQL. One log is one
//! activity that names its four places, with the time each took; one that got stuck shows where.

use crate::servers::{Kind, shared, unique_name};
use crate::support::{Running, crosstail, lines};
use crate::{elasticsearch, kafka};
use crosstail_core::model::{Activity, Clock, Names};
use crosstail_engine::insight::stages;
use crosstail_source::SourceConfig;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How far a log gets.
fn reach(n: usize) -> usize {
    match n % 10 {
        3 => 1,
        7 => 2,
        9 => 3,
        _ => 4,
    }
}

/// How long each stage takes: what the stages are measured by.
const STAGE: Duration = Duration::from_millis(15);

#[tokio::test(flavor = "multi_thread")]
async fn one_log_is_one_activity_with_four_places() {
    let Some(broker) = shared(Kind::Kafka).await else { return };
    let Some(search) = shared(Kind::Elasticsearch).await else { return };
    let Some(database) = shared(Kind::Postgres).await else { return };
    let (ingestion, processing) = ("log-ingestion", "log-processing");
    kafka::create(&broker, ingestion, 12, &[("compression.type", "lz4")]).await;
    kafka::create(&broker, processing, 12, &[("compression.type", "lz4")]).await;
    let index = format!("engineering_logs-{}", unique_name().replace('_', "-"));
    elasticsearch::create(&search, &index, elasticsearch::logs_index()).await;
    let name = database.postgres_database(&["engineering-logs"]).await;
    let urls = [
        ("kafka", broker.url(&format!("{ingestion},{processing}"))),
        ("es", search.url(&index)),
        ("pg", database.url(&name)),
    ];
    let names = Names::default();
    let open = |(name, url): &(&str, String)| {
        let config = SourceConfig { name: (*name).to_owned(), at: vec![url.clone()], ..SourceConfig::default() };
        crosstail::kinds::ALL.open(&config, &names).expect("opened").1
    };
    let sources = urls.iter().map(open).collect();
    let mut running = Running::start_all(&names, sources);
    running.all_live(3).await;
    // The processing service of the document, with what it takes time for.
    let producer = kafka::producer(&broker, "lz4");
    let mut rows = database.postgres_connection(&name).await;
    let own = unique_name();
    for n in 0..40 {
        let log_id = format!("{own}-{n}");
        let began = Clock::system().now();
        let metadata =
            json!({ "source_type": "application", "host": "h1", "service": "orders", "environment": "test" });
        let raw = format!("ERROR orders.js:7 order {n} failed");
        let first = json!({ "source_id": "6f0b7e0e-0000-4000-8000-000000000001", "log_id": log_id, "timestamp": began.rfc3339(), "raw_log": raw, "metadata": metadata });
        kafka::produce(&producer, ingestion, [(log_id.clone(), first.to_string())]);
        if reach(n) < 2 {
            continue;
        }
        tokio::time::sleep(STAGE).await;
        let mut processed = first.clone();
        let more = json!({ "level": "ERROR", "message": format!("order {n} failed"), "category": "orders", "tags": ["orders"],
            "parsed_fields": { "host": "h1", "service": "orders", "class": "Orders", "line_number": 7, "stack_trace": "Error\n at orders.js:7" },
            "processing_status": "processed" });
        processed.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        kafka::produce(&producer, processing, [(log_id.clone(), processed.to_string())]);
        if reach(n) < 3 {
            continue;
        }
        tokio::time::sleep(STAGE).await;
        processed["created_at"] = json!(Clock::system().now().rfc3339());
        elasticsearch::bulk(&search, &[(json!({ "index": { "_index": index } }), processed)]).await;
        if reach(n) < 4 {
            continue;
        }
        tokio::time::sleep(STAGE).await;
        sqlx::query(
            "INSERT INTO log_entries (log_id, timestamp, level, message, category, tags, metadata, processing_status) \
             VALUES ($1, $2::text::timestamptz, 'ERROR', $3, 'orders', '[\"orders\"]'::jsonb, $4::jsonb, 'processed')",
        )
        .bind(&log_id)
        .bind(began.rfc3339())
        .bind(format!("order {n} failed"))
        .bind(metadata.to_string())
        .execute(&mut rows)
        .await
        .expect("written");
    }
    let ours = |running: &Running| -> BTreeMap<String, Activity> {
        let rows = running.store.all_rows().iter().map(|row| running.store.get(*row));
        rows.filter(|a| a.id.to_string().starts_with(&format!("{own}-"))).map(|a| (a.id.to_string(), a)).collect()
    };
    let complete = |running: &Running| {
        let found = ours(running);
        (0..40).all(|n| found.get(&format!("{own}-{n}")).is_some_and(|a| a.places.len() == reach(n)))
    };
    running.until("every log at every place it reached", complete).await;
    let found = ours(&running);
    assert_eq!(found.len(), 40, "one log is one activity");
    let flow = ["log-ingestion", "log-processing", "engineering_logs*", "log_entries"];
    for n in 0..40 {
        let log = &found[&format!("{own}-{n}")];
        let way = stages(log, &names);
        assert_eq!(way.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(), flow, "{n}");
        let passed: Vec<_> = way.iter().filter(|stage| stage.source.is_some()).collect();
        assert_eq!(passed.len(), reach(n), "{n}: the rest is awaited");
        assert!(passed.iter().all(|stage| stage.at.is_some()) && passed.iter().map(|s| s.at).is_sorted(), "{way:?}");
        assert!(passed[1..].iter().all(|s| s.after_us.is_some_and(|us| us >= 10_000)), "{way:?}");
        let parsed = reach(n) > 1;
        let message = if parsed { format!("order {n} failed") } else { format!("ERROR orders.js:7 order {n} failed") };
        assert_eq!(log.message.as_deref(), Some(message.as_str()), "what was parsed says more than what came in");
        assert_eq!(log.system.as_deref(), Some("orders"));
    }
    // The same by hand.
    let mut arguments = vec!["show".to_owned(), format!("{own}-0")];
    for (_, url) in &urls {
        arguments.extend(["-s".to_owned(), url.clone()]);
    }
    let shown = crosstail(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let text = String::from_utf8(shown.stdout).expect("UTF-8");
    assert_eq!(text.lines().filter(|line| line.starts_with("in  ")).count(), 4, "{text}");
    arguments[1] = format!("{own}-7");
    arguments.extend(["-o".to_owned(), "json".to_owned()]);
    let shown = lines(&crosstail(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));
    let way: Vec<(&str, bool)> = shown[0]["stages"]
        .as_array()
        .expect("stages")
        .iter()
        .map(|stage| (stage["name"].as_str().expect("a name"), stage["source"] == Value::Null))
        .collect();
    let expected: Vec<(&str, bool)> = flow.into_iter().zip([false, false, true, true]).collect();
    assert_eq!(way, expected);
    // Those that got stuck behind the first topic, by the filter language.
    arguments.splice(0..2, ["query".to_owned(), format!("in:log-ingestion -in:log-processing id:{own}*")]);
    let stuck = lines(&crosstail(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(stuck.len(), 4, "{stuck:?}");
}
