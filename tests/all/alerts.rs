//! Alerts that real stores hold: listed, taken, resolved, and written only where that was asked for. Health of what memory
//! and a store know together.

use crate::elasticsearch;
use crate::kafka;
use crate::servers::{Kind, Server, shared};
use crate::support::{EPOCH, crosstail, lines, open, random_database};
use crosstail::action::Action;
use crosstail::effect::{Effect, Reply};
use crosstail::runtime::{Work, figures_of};
use crosstail::screens::{Event, Explorer};
use crosstail_core::model::{Activity, SourceId, Timestamp};
use crosstail_export::Cell;
use crosstail_source::pump::{PumpEvent, SourceState};
use crosstail_source::{Job, PageQuery, for_each};
use serde_json::{Value, json};
use sqlx::Row as _;
use std::process::Output;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The alert of a source, which has one.
fn listed(url: &str) -> Value {
    let found = lines(&crosstail(&["alerts", "list", "--all", "-o", "json", "-s", url]));
    let of_store: Vec<Value> = found.into_iter().filter(|line| line["title"] == "Disk of db-1").collect();
    assert_eq!(of_store.len(), 1, "{of_store:?}");
    of_store.into_iter().next().unwrap_or_default()
}

/// What is asked of every store: nothing without --allow-writes, taken, resolved, not twice.
async fn is_taken_and_resolved(url: &str, id: &str, settle: impl AsyncFn()) {
    assert_eq!((&listed(url)["state"], &listed(url)["severity"]), (&json!("firing"), &json!("critical")));
    let change = |what: &str, writes: bool| {
        let mut arguments = vec!["alerts", what, &id[..8], "-s", url, "--as", "ann"];
        arguments.extend(writes.then_some("--allow-writes"));
        crosstail(&arguments)
    };
    let refused = change("ack", false);
    assert!(refused.status.code() == Some(64) && said(&refused).contains("--allow-writes"), "{refused:?}");
    settle().await;
    assert_eq!(listed(url)["state"], "firing", "nothing was written");
    let taken = change("ack", true);
    assert!(taken.status.success() && said(&taken).contains("acknowledged by ann"), "{taken:?}");
    settle().await;
    let line = listed(url);
    assert_eq!(line["state"], "acknowledged", "{line}");
    assert!(!change("ack", true).status.success(), "not twice");
    let resolved = change("resolve", true);
    assert!(resolved.status.success(), "{resolved:?}");
    settle().await;
    let line = listed(url);
    assert!(line["state"] == "resolved" && line["resolved_at"].is_string() && line["who"].is_string(), "{line}");
    let again = change("resolve", true);
    assert!(!again.status.success() && said(&again).contains("already resolved"), "{again:?}");
    let unknown = crosstail(&["alerts", "ack", "no-such-alert", "-s", url, "--allow-writes"]);
    assert_eq!(unknown.status.code(), Some(3), "{unknown:?}");
}

const ID: &str = "5a1e0000-0000-4000-8000-0000000000d1";

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_postgres() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["engineering-logs"]).await;
    let mut connection = server.postgres_connection(&database).await;
    sqlx::raw_sql(
        "INSERT INTO users (id, username, email, password_hash) VALUES ('00000000-0000-4000-8000-0000000000a1', 'ann', 'ann@example.com', 'x');
         INSERT INTO alerts (id, title, description, severity, escalation_level) VALUES ('5a1e0000-0000-4000-8000-0000000000d1', 'Disk of db-1', 'full', 'CRITICAL', 2)",
    )
    .execute(&mut connection)
    .await
    .expect("written");
    let url = server.url(&database);
    assert_eq!(listed(&url)["escalation"], 2);
    let nobody = crosstail(&["alerts", "ack", ID, "-s", &url, "--allow-writes", "--as", "bob"]);
    assert!(said(&nobody).contains("no user 'bob'") && said(&nobody).contains("which has ann"), "{nobody:?}");
    is_taken_and_resolved(&url, ID, async || {}).await;
    let row = sqlx::query(
        "SELECT acknowledged_by::text, resolved_by::text, acknowledged_at > now() - INTERVAL '5 minutes', resolved_at >= acknowledged_at, escalation_level FROM alerts",
    )
    .fetch_one(&mut connection)
    .await
    .expect("the row");
    let ann = "00000000-0000-4000-8000-0000000000a1".to_owned();
    assert_eq!((row.get::<String, _>(0), row.get::<String, _>(1)), (ann.clone(), ann));
    assert_eq!((row.get::<bool, _>(2), row.get::<bool, _>(3), row.get::<i32, _>(4)), (true, true, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_elasticsearch() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let index = elasticsearch::index_name("engineering_alerts");
    let keyword = json!({ "type": "keyword" });
    let date = json!({ "type": "date" });
    let mappings = json!({ "mappings": { "properties": {
        "alert_id": keyword, "title": { "type": "text", "fields": { "keyword": keyword } }, "description": { "type": "text" },
        "severity": keyword, "status": keyword, "triggered_at": date, "acknowledged_at": date, "resolved_at": date,
        "acknowledged_by": keyword, "resolved_by": keyword, "escalation_level": { "type": "integer" },
    } } });
    elasticsearch::create(&server, &index, mappings).await;
    let now = crosstail_core::model::Clock::system().now().rfc3339();
    let alert = json!({
        "alert_id": ID, "title": "Disk of db-1", "description": "full", "severity": "CRITICAL", "status": "OPEN", "triggered_at": now,
    });
    elasticsearch::bulk(&server, &[(json!({ "index": { "_index": index, "_id": "a/1" } }), alert)]).await;
    elasticsearch::refresh(&server, &index).await;
    let url = format!("es+http://127.0.0.1:{}/{index}", server.port);
    is_taken_and_resolved(&url, ID, async || {}).await;
    let found = elasticsearch::ask(&server, "GET", &format!("{index}/_search"), Value::Null).await;
    let source = &found["hits"]["hits"][0]["_source"];
    assert_eq!(
        (&source["status"], &source["resolved_by"], &source["acknowledged_by"]),
        (&json!("RESOLVED"), &json!("ann"), &json!("ann"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_kafka() {
    // The topic's name is the document's, and another test has it in the shared server.
    let Some(server) = Server::start(Kind::Kafka).await else { return };
    kafka::create(&server, "alerts", 2, &[]).await;
    let now = crosstail_core::model::Clock::system().now().rfc3339();
    let alert = json!({
        "alert_id": ID, "title": "Disk of db-1", "description": "full", "severity": "CRITICAL", "status": "OPEN",
        "source_id": "s", "log_entry_id": "l", "rule_id": "r", "triggered_at": now, "metadata": { "service": "db" },
    });
    kafka::produce(&kafka::producer(&server, "lz4"), "alerts", [(ID.to_owned(), alert.to_string())]);
    let url = format!("kafka://127.0.0.1:{}/alerts", server.port);
    is_taken_and_resolved(&url, ID, async || {}).await;
    assert_eq!(listed(&url)["who"], "ann");
}

/// What the health screen shows of the systems, to be compared: its report.
fn figures(explorer: &mut Explorer) -> Vec<Vec<Cell>> {
    assert_eq!(explorer.update(Event::Action(Action::REPORT)), []);
    let asked = explorer.update(Event::Action(Action::OPEN));
    let [Effect::Report(_, report, _)] = asked.as_slice() else { panic!("{asked:?}") };
    let table = &report.tables[0];
    // Retries are known to memory alone.
    let names = ["system", "count", "failed", "in_progress", "success_rate", "success_rate_before", "p50_ms", "p99_ms"];
    let at = |name: &str| table.columns.iter().position(|column| column == name).expect("a column");
    let mut rows: Vec<Vec<Cell>> =
        table.rows.iter().map(|row| names.iter().map(|name| row[at(name)].clone()).collect()).collect();
    rows.sort_by_key(|row| format!("{:?}", row[0]));
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn health_of_memory_and_store_has_no_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.sqlite");
    random_database(&path, 11, 2400).await.close().await.expect("written");
    let (names, source) = open(&[path.display().to_string()]);
    let mut all: Vec<Activity> = Vec::new();
    for_each(source.as_ref(), &PageQuery::all(1000), &Job::default(), |activity| {
        all.push(activity);
        true
    })
    .await
    .expect("read");
    let sources = [(SourceId(0), source)];
    // Windows begin where slots do, so that the two ways must agree to the last activity.
    let last = EPOCH.plus_ms(2_400_000);
    let now = Timestamp((last.0 / 15_000_000 + 2) * 15_000_000);
    let explorer_of = |held: usize| {
        let mut explorer = Explorer::new(names.clone(), &[SourceId(0)], chrono_tz::Tz::UTC, now);
        explorer.shared.settings.history_limit = if held == all.len() { usize::MAX } else { held };
        let items = all[..held].to_vec();
        let _ = explorer.update(Event::Pump(PumpEvent::Batch { source: SourceId(0), items, live: false }));
        let _ = explorer.update(Event::Pump(PumpEvent::State(SourceId(0), SourceState::Live)));
        explorer
    };
    let mut whole = explorer_of(all.len());
    assert_eq!(whole.update(Event::Action(Action::HEALTH)), [], "everything is in memory: no store is asked");
    // The newest third, of which the window of a quarter of an hour needs more.
    let mut part = explorer_of(all.len() / 5);
    let asked = part.update(Event::Action(Action::HEALTH));
    assert_ne!(figures(&mut part), figures(&mut whole), "memory alone does not know it");
    assert!(!asked.is_empty());
    for effect in asked {
        let Effect::HealthFigures(ticket, queries) = effect else { panic!("{effect:?}") };
        for query in queries {
            let groups = figures_of(&sources, &Work::command("test"), &names, part.shared.context(), &query).await;
            let _ = part.update(Event::Reply(ticket, Reply::Figures(Box::new(query), groups)));
        }
    }
    let _ = part.update(Event::Tick(now));
    assert_eq!(figures(&mut part), figures(&mut whole));
    // Live traffic goes on beside it.
    let mut more = all[0].clone();
    more.id = crosstail_core::model::Id::Text("live".into());
    more.started_at = now.plus_ms(-500);
    for explorer in [&mut part, &mut whole] {
        let batch = PumpEvent::Batch { source: SourceId(0), items: vec![more.clone()], live: true };
        let _ = explorer.update(Event::Pump(batch));
        let _ = explorer.update(Event::Tick(now.plus_ms(15_000)));
    }
    assert_eq!(figures(&mut part), figures(&mut whole));
}
