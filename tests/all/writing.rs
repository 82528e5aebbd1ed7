//! The writing side, against real servers: schemas that are created, traffic that is generated, calls that are recorded.

use crate::servers::{Kind, Server, shared, shared_for_writing as own, unique_name};
use crate::support::{crosstail, lines, open, wait_for};
use crate::{elasticsearch, kafka};
use bson::{Document, doc};
use crosstail_core::model::{Direction, Status};
use crosstail_record::write::{MongodbWriter, Table, Writer as _};
use crosstail_record::{Correlation, Outcome, Recorder, RecorderOptions, RetryPolicy, Start, WriteStep};
use crosstail_source::{Job, PageQuery};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};
use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn apply(schema: &str, url: &str, more: &[&str]) -> Output {
    let mut all = vec!["schema", "apply", schema, "--to", url];
    all.extend(more);
    crosstail(&all)
}

/// What a schema has made of a store, so that any change shows.
async fn fingerprint(server: &Server, name: &str) -> String {
    match server.kind {
        Kind::Postgres => {
            let mut connection = server.postgres_connection(name).await;
            let text = "SELECT string_agg(line, E'\\n' ORDER BY line) FROM (\
                SELECT 'c ' || relname || oid || xmin AS line FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'v', 'i') \
                UNION ALL SELECT 'f ' || proname || oid || xmin FROM pg_proc WHERE oid >= 16384 \
                UNION ALL SELECT 'p ' || polname || oid || xmin FROM pg_policy \
                UNION ALL SELECT 't ' || tgname || oid || xmin FROM pg_trigger) AS all_lines";
            sqlx::query_scalar(text).fetch_one(&mut connection).await.expect("read")
        }
        Kind::MongoReplica => {
            let database = server.mongo_client().await.database(name);
            let mut text = String::new();
            let mut names = database.list_collection_names().await.expect("read");
            names.sort();
            for name in names.iter().filter(|name| !name.starts_with("v_") && !name.starts_with("system.")) {
                let mut indexes = database.collection::<Document>(name).list_indexes().await.expect("read");
                while indexes.advance().await.expect("read") {
                    text.push_str(&format!("{:?}\n", indexes.deserialize_current().expect("an index")));
                }
            }
            format!("{names:?}{text}")
        }
        Kind::Elasticsearch => {
            let templates = elasticsearch::ask(server, "GET", "_index_template", json!(null)).await;
            let mappings = elasticsearch::ask(server, "GET", "_mapping", json!(null)).await;
            let settings = elasticsearch::ask(server, "GET", "_settings", json!(null)).await;
            let ours = |all: &Value| -> String {
                let indices = ["engineering_logs", "engineering_alerts", "engineering_analytics"];
                indices.iter().map(|index| all[index].to_string()).collect()
            };
            format!("{templates}{}{}", ours(&mappings), ours(&settings))
        }
        _ => {
            let metadata = kafka::admin(server);
            let found = metadata.inner().fetch_metadata(None, Duration::from_secs(10)).expect("read");
            found.topics().iter().map(|t| format!("{} {}\n", t.name(), t.partitions().len())).collect()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_shown_first_created_once_and_changed_by_nothing_the_second_time() {
    let Some(postgres) = shared(Kind::Postgres).await else { return };
    let Some(mongo) = shared(Kind::MongoReplica).await else { return };
    // Of their own: nothing of the documents is there yet.
    let Some(search) = Server::start(Kind::Elasticsearch).await else { return };
    let Some(broker) = Server::start(Kind::Kafka).await else { return };
    let mut all: Vec<(Arc<Server>, &str, String, String)> = Vec::new();
    for schema in ["prokure", "integration-activity", "log-tracking", "engineering-logs"] {
        let name = postgres.postgres_database(&[]).await;
        all.push((Arc::clone(&postgres), schema, postgres.url(&name), name));
    }
    let name = unique_name();
    all.push((Arc::clone(&mongo), "prokure", mongo.url(&name), name));
    for schema in ["halopsa", "engineering-logs"] {
        all.push((Arc::clone(&search), schema, search.url(""), String::new()));
    }
    all.push((Arc::clone(&broker), "engineering-logs", broker.url(""), String::new()));
    for (server, schema, url, name) in &all {
        // Nobody is asked here, so nothing is done.
        let shown = apply(schema, url, &[]);
        assert_eq!(shown.status.code(), Some(64), "{schema} {}", said(&shown));
        assert!(said(&shown).contains("pass --yes"), "{}", said(&shown));
        assert!(String::from_utf8_lossy(&shown.stdout).starts_with(if *schema == "halopsa" {
            "skip "
        } else {
            "create "
        }));
        let dry = apply(schema, url, &["--dry-run"]);
        assert!(dry.status.success() && dry.stdout == shown.stdout, "nothing was created by being shown");
        let made = apply(schema, url, &["--yes"]);
        assert!(made.status.success() && made.stdout == shown.stdout, "{}", said(&made));
        let before = fingerprint(server, name).await;
        let again = apply(schema, url, &["--yes"]);
        assert!(again.status.success() && said(&again).contains(", 0 to create or change"), "{}", said(&again));
        assert_eq!(fingerprint(server, name).await, before, "{schema} {url}");
    }
    // What the documents say is there.
    let database = mongo.mongo_client().await.database(&all[4].3);
    let logs = database.collection::<Document>("integration_logs");
    assert_eq!(logs.list_index_names().await.expect("read").len(), 21, "20, and that of _id");
    let ttl = logs.list_indexes().await.expect("read");
    let expire: Vec<u64> = futures_util::TryStreamExt::try_collect::<Vec<_>>(ttl)
        .await
        .expect("read")
        .into_iter()
        .filter_map(|index| Some(index.options?.expire_after?.as_secs()))
        .collect();
    assert_eq!(expire, [7_776_000]);
    let refused = logs.insert_one(
        doc! { "request_id": "r", "system_code": "SAP", "status": "MAYBE", "started_at": bson::DateTime::now() },
    );
    assert!(refused.await.is_err(), "the validator knows the words of a status");
    let good = |status: &str| doc! { "request_id": status, "system_code": "SAP", "status": status, "started_at": bson::DateTime::now(), "duration_ms": 7, "is_success": status == "SUCCESS" };
    logs.insert_many([good("SUCCESS"), good("FAILED")]).await.expect("written");
    let health =
        database.collection::<Document>("v_system_health").find_one(doc! {}).await.expect("read").expect("one");
    assert_eq!(
        (health.get_i32("total_requests").ok(), health.get_f64("success_rate").ok()),
        (Some(2), Some(50.0)),
        "{health}"
    );
    let failed = database.collection::<Document>("v_failed_requests_24h").count_documents(doc! {}).await.expect("read");
    assert_eq!(failed, 1);
    for (index, analyzer) in [("engineering_logs", "log_analyzer"), ("engineering_logs-2026", "log_analyzer")] {
        if index.ends_with("2026") {
            elasticsearch::ask(&search, "PUT", index, json!({})).await;
        }
        let body = json!({ "analyzer": analyzer, "text": "The Orders failed" });
        let answer = elasticsearch::ask(&search, "POST", &format!("{index}/_analyze"), body).await;
        let tokens: Vec<&str> =
            answer["tokens"].as_array().expect("tokens").iter().filter_map(|t| t["token"].as_str()).collect();
        assert_eq!(tokens, ["order", "fail"], "{index}");
    }
    elasticsearch::ask(&search, "DELETE", "engineering_logs-2026", json!(null)).await;
    assert!(fingerprint(&broker, "").await.contains("log-ingestion 12\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_activity_logs_functions_policies_and_cleanup_work() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let name = server.postgres_database(&[]).await;
    assert!(apply("integration-activity", &server.url(&name), &["--yes"]).status.success());
    let mut on = server.postgres_connection(&name).await;
    let organization = "6f0b7e0e-0000-4000-8000-000000000001";
    let text = "SELECT log_integration_activity_start($1::uuid, gen_random_uuid(), 'outgoing', 'api_call', 'POST', 'https://sap.example/po', \
        NULL, '{\"a\": 1}'::jsonb)::text";
    let id: String = sqlx::query_scalar(text).bind(organization).fetch_one(&mut on).await.expect("started");
    let row = |id: &str| {
        let shown = lines(&crosstail(&["query", &format!("id:{id}"), "-s", &server.url(&name), "-o", "json"]));
        shown.into_iter().next().expect("a row")
    };
    assert_eq!(row(&id)["status"], "in_progress");
    let text = "SELECT log_integration_activity_complete($1::uuid, 'success', 201, '{\"ok\": true}'::jsonb, 120)";
    sqlx::query(text).bind(&id).execute(&mut on).await.expect("completed");
    let done = row(&id);
    assert_eq!(
        (&done["status"], &done["http_status"], &done["duration_ms"]),
        (&json!("success"), &json!(201), &json!(120))
    );
    // A role sees the rows of its token's organisations.
    let role = unique_name();
    for text in [
        format!("CREATE ROLE {role} LOGIN"),
        format!("GRANT SELECT ON integration_activity_log TO {role}"),
        "INSERT INTO integration_activity_log (organization_id, direction, activity_type, status) SELECT gen_random_uuid(), 'incoming', 'other', 'success' FROM generate_series(1, 9)".to_owned(),
        format!("SET ROLE {role}"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut on).await.expect("run");
    }
    let mut count = async |claims: &str| -> i64 {
        let text = format!("SET request.jwt.claims = '{claims}'");
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut on).await.expect("set");
        sqlx::query_scalar("SELECT count(*) FROM integration_activity_log").fetch_one(&mut on).await.expect("counted")
    };
    assert_eq!(count("").await, 0);
    assert_eq!(count(&format!("{{\"organization_ids\": [\"{organization}\"]}}")).await, 1);
    assert_eq!(count(&format!("{{\"app_metadata\": {{\"organization_ids\": [\"{organization}\"]}}}}")).await, 1);
    // And the doctor says that rows are hidden from it.
    let url = server.url(&name).replace("postgres@", &format!("{role}@"));
    let found = crosstail(&["doctor", "-s", &url, "-o", "json"]);
    assert_eq!(found.status.code(), Some(1), "{}", said(&found));
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(text.contains("row-level security hides rows from this role"), "{text}");
    // What it says to do ends it.
    let remedy = text.split("as the table's owner: ").nth(1).and_then(|rest| rest.split(';').next());
    let remedy = remedy.expect("a statement");
    let remedy = format!("RESET ROLE; {}", remedy.replace("\\\"", "\""));
    sqlx::raw_sql(AssertSqlSafe(remedy)).execute(&mut on).await.expect("mended");
    let mended = String::from_utf8_lossy(&crosstail(&["doctor", "-s", &url, "-o", "json"]).stdout).into_owned();
    assert!(mended.contains("is readable and not writable") && !mended.contains("row-level"), "{mended}");
    sqlx::raw_sql("UPDATE integration_activity_log SET created_at = now() - interval '91 days' WHERE status = 'success' AND direction = 'incoming'")
        .execute(&mut on)
        .await
        .expect("aged");
    let gone: i64 =
        sqlx::query_scalar("SELECT cleanup_integration_activity_log()").fetch_one(&mut on).await.expect("cleaned");
    assert_eq!(gone, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_and_differs_is_left_and_told() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let name = server.postgres_database(&["log-tracking"]).await;
    let mut on = server.postgres_connection(&name).await;
    sqlx::raw_sql("ALTER TABLE logs DROP COLUMN cpu_usage CASCADE; DROP INDEX idx_logs_level")
        .execute(&mut on)
        .await
        .expect("changed");
    sqlx::query("INSERT INTO logs (level, service, message, request_id) VALUES ('INFO', 'api', 'kept', 'r')")
        .execute(&mut on)
        .await
        .expect("written");
    let plan = apply("log-tracking", &server.url(&name), &["--dry-run"]);
    let text = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(
        text.contains("leave table logs: columns are missing: ALTER TABLE logs ADD COLUMN cpu_usage DECIMAL(5,2);"),
        "{text}"
    );
    assert!(text.contains("create index idx_logs_level"), "{text}");
    sqlx::raw_sql("ALTER TABLE logs ADD COLUMN cpu_usage DECIMAL(5,2)").execute(&mut on).await.expect("mended");
    assert!(apply("log-tracking", &server.url(&name), &["--yes"]).status.success());
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM logs").fetch_one(&mut on).await.expect("counted");
    assert_eq!(kept, 1);

    let Some(mongo) = shared(Kind::MongoReplica).await else { return };
    let name = unique_name();
    let logs = mongo.mongo_client().await.database(&name).collection::<Document>("integration_logs");
    let week = mongodb::options::IndexOptions::builder()
        .name("old".to_owned())
        .expire_after(Duration::from_hours(168))
        .build();
    let index = mongodb::IndexModel::builder().keys(doc! { "created_at": 1 }).options(week).build();
    logs.create_index(index).await.expect("made");
    let plan = apply("prokure", &mongo.url(&name), &["--yes"]);
    let text = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(plan.status.success(), "{}", said(&plan));
    assert!(
        text.contains("leave index integration_logs.ttl: expireAfterSeconds is 604800 and should be 7776000"),
        "{text}"
    );
    assert!(text.contains("change validator integration_logs"), "{text}");

    for (schema, url, why) in [
        (
            "pino",
            server.url("postgres"),
            "schema pino defines nothing in PostgreSQL; these do: prokure, integration-activity",
        ),
        ("prokure", "redis://x".to_owned(), "--to accepts postgres://"),
        ("prokur", server.url("postgres"), "did you mean 'prokure'?"),
        ("prokure", "postgres://127.0.0.1:1/x".to_owned(), "connect"),
    ] {
        let wrong = apply(schema, &url, &["--yes"]);
        assert!(!wrong.status.success() && said(&wrong).contains(why), "{}", said(&wrong));
    }
}

#[test]
fn a_schema_is_shown_in_the_form_of_each_store() {
    let show = |name: &str, form: &str| {
        String::from_utf8(crosstail(&["schema", "show", name, "-o", form]).stdout).expect("UTF-8")
    };
    assert!(show("prokure", "sql").contains("CREATE TABLE IF NOT EXISTS integration.external_systems"));
    let mongo: Value = serde_json::from_str(&show("prokure", "json")).expect("JSON");
    assert_eq!(mongo["collections"][0]["indexes"].as_array().map(Vec::len), Some(20));
    let search: Value = serde_json::from_str(&show("engineering-logs", "json")).expect("JSON");
    assert!(search["indices"][0]["body"]["settings"]["analysis"]["analyzer"]["log_analyzer"].is_object());
    assert!(show("halopsa", "json").contains("\"delete\": {\"min_age\": \"90d\""));
    assert!(
        show("engineering-logs", "properties")
            .contains("topic=alerts\npartitions=6\nreplication.factor=3\nretention.ms=2592000000")
    );
    assert!(show("prokure", "toml").starts_with("# ProKure"));
    let none = crosstail(&["schema", "show", "log-tracking", "-o", "properties"]);
    assert_eq!(none.status.code(), Some(64));
    assert!(said(&none).contains("it defines objects in: PostgreSQL"), "{}", said(&none));
}

/// What `generate` says that it wrote.
fn generated(arguments: &[&str]) -> BTreeMap<String, u64> {
    let mut all = vec!["generate", "-o", "json"];
    all.extend(arguments);
    let rows = lines(&crosstail(&all));
    rows.iter()
        .map(|row| (row["what"].as_str().expect("a name").to_owned(), row["count"].as_u64().expect("a count")))
        .collect()
}

/// How many activities a source has.
fn count(url: &str) -> u64 {
    lines(&crosstail(&["stats", "-s", url, "-o", "json"])).iter().filter_map(|group| group["count"].as_u64()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_are_reported_are_what_the_store_holds() {
    let Some(postgres) = shared(Kind::Postgres).await else { return };
    for table in Table::ALL {
        let name = postgres.postgres_database(&[table.schema()]).await;
        let url = postgres.url(&name);
        let wrote = generated(&["--to", &url, "--count", "700", "--history", "30m", "--for", "0s"]);
        let mut on = postgres.postgres_connection(&name).await;
        for (what, reported) in &wrote {
            let held: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {what}")))
                .fetch_one(&mut on)
                .await
                .expect("counted");
            assert_eq!(*reported, held as u64, "{what}");
        }
        assert_eq!(wrote[table.as_str()], 700);
        assert_eq!(count(&url), wrote.values().sum::<u64>(), "{wrote:?}");
    }
    let Some(mongo) = shared(Kind::MongoReplica).await else { return };
    let url = mongo.url(&unique_name());
    assert_eq!(
        generated(&["--to", &url, "--count", "700", "--history", "30m", "--for", "0s"])["integration_logs"],
        700
    );
    assert_eq!(count(&url), 700);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sqlite").display().to_string();
    assert_eq!(generated(&["--to", &path, "--count", "700", "--history", "30m", "--for", "0s"])["activity"], 700);
    assert_eq!(count(&path), 700);
    // Winston's files, rotated: what is gone is not counted.
    let logs = folder.path().join("logs").display().to_string();
    let wrote = generated(&["--to", &logs, "--count", "17000", "--history", "6h", "--for", "0s", "--keep-files", "2"]);
    let held = |pattern: &str| -> u64 {
        let files = glob::glob(&format!("{logs}/{pattern}")).expect("a pattern").flatten();
        files.map(|path| std::fs::read_to_string(path).expect("read").lines().count() as u64).sum()
    };
    assert_eq!(wrote["combined*.log"], held("combined*.log"));
    assert_eq!(wrote["error*.log"], held("error*.log"));
    assert_eq!(glob::glob(&format!("{logs}/combined*.log")).expect("a pattern").count(), 2);
    assert!(!Path::new(&format!("{logs}/combined.log")).exists(), "the oldest is gone");
    let Some(search) = own(Kind::Elasticsearch).await else { return };
    let index = elasticsearch::index_name("halopsa-integration");
    let wrote = generated(&["--to", &search.url(&index), "--count", "400", "--history", "30m", "--for", "0s"]);
    let held = elasticsearch::ask(&search, "GET", &format!("{index}/_count"), json!(null)).await;
    assert_eq!(wrote[&index], held["count"].as_u64().expect("a count"));
    assert_eq!(count(&search.url(&index)), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_traffic_goes_through_the_whole_flow() {
    let Some(broker) = own(Kind::Kafka).await else { return };
    let Some(search) = own(Kind::Elasticsearch).await else { return };
    let Some(database) = shared(Kind::Postgres).await else { return };
    assert!(apply("engineering-logs", &broker.url(""), &["--yes"]).status.success());
    let name = database.postgres_database(&["engineering-logs"]).await;
    let index = elasticsearch::index_name("engineering_logs");
    let (kafka, es, pg) = (broker.url(""), search.url(&index), database.url(&name));
    let before = kafka::admin(&broker);
    let held = |topic: &str| -> i64 {
        let metadata = before.inner().fetch_metadata(Some(topic), Duration::from_secs(10)).expect("read");
        let partitions = metadata.topics()[0].partitions().len() as i32;
        let marks =
            (0..partitions).map(|n| before.inner().fetch_watermarks(topic, n, Duration::from_secs(10)).expect("read"));
        marks.map(|(low, high)| high - low).sum()
    };
    let topics = ["log-ingestion", "log-processing", "alerts", "analytics"];
    let earlier: Vec<i64> = topics.iter().map(|topic| held(topic)).collect();
    let own = unique_name().bytes().map(u64::from).sum::<u64>() + u64::from(std::process::id());
    let wrote = generated(&[
        "--to",
        &kafka,
        "--to",
        &es,
        "--to",
        &pg,
        "--count",
        "600",
        "--history",
        "20m",
        "--for",
        "0s",
        "--incident",
        "outage:SAP",
        "--seed",
        &own.to_string(),
    ]);
    for (topic, earlier) in topics.iter().zip(earlier) {
        // The alerts of PostgreSQL have the same name: they are as many.
        assert_eq!(wrote[*topic] as i64, held(topic) - earlier, "{topic}");
    }
    assert_eq!((wrote["log_entries"], wrote[&index]), (600, 600));
    let flow = broker.url("log-ingestion,log-processing");
    let all =
        lines(&crosstail(&["query", "kind:log", "--limit", "0", "-o", "json", "-s", &flow, "-s", &es, "-s", &pg]));
    let logs: Vec<&Value> =
        all.iter().filter(|log| log["places"].as_array().is_some_and(|places| places.len() == 4)).collect();
    assert_eq!(logs.len(), 600, "each log is one activity with four places");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_begins_is_written_first_and_changed_in_place() {
    let Some(postgres) = shared(Kind::Postgres).await else { return };
    let Some(mongo) = shared(Kind::MongoReplica).await else { return };
    let name = postgres.postgres_database(&["integration-activity"]).await;
    let (database, folder) = (unique_name(), tempfile::tempdir().expect("a folder"));
    assert!(apply("prokure", &mongo.url(&database), &["--yes"]).status.success());
    let logs = folder.path().join("logs");
    std::fs::create_dir(&logs).expect("made");
    let urls = [
        postgres.url(&name),
        mongo.url(&database),
        logs.display().to_string(),
        folder.path().join("a.sqlite").display().to_string(),
    ];
    drop(crosstail_record::SqliteRecorder::open(Path::new(&urls[3])).await.expect("opened"));
    for url in &urls {
        let mut tail = Command::new(env!("CARGO_BIN_EXE_crosstail"))
            .args(["tail", "-s", url, "-o", "json"])
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let out = std::io::BufReader::new(tail.stdout.take().expect("a pipe"));
        let seen: Arc<Mutex<BTreeMap<String, Vec<String>>>> = Arc::default();
        let there = Arc::clone(&seen);
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let record: Value = serde_json::from_str(&line).expect("JSON");
                let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
                there.lock().expect("lock").entry(text("id")).or_default().push(text("status"));
            }
        });
        let generate = Command::new(env!("CARGO_BIN_EXE_crosstail"))
            .args(["generate", "--to", url, "--rate", "60"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        wait_for("an activity that is in progress and then over", || {
            let seen = seen.lock().expect("lock");
            seen.values().any(|words| {
                words.first().is_some_and(|w| w == "in_progress") && words.last().is_some_and(|w| w == "success")
            })
        });
        let signal = |child: &std::process::Child| {
            let pid = rustix::process::Pid::from_raw(child.id() as i32).expect("a process");
            rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("signalled");
        };
        signal(&generate);
        let done = generate.wait_with_output().expect("ended");
        assert!(done.status.success() && said(&done).contains("activities in"), "{}", said(&done));
        // Nothing stays in progress: a service that is shut down says so.
        wait_for("the last outcomes", || {
            let seen = seen.lock().expect("lock");
            seen.values().all(|words| words.last().is_none_or(|word| word != "in_progress"))
        });
        signal(&tail);
        assert!(tail.wait().expect("ended").success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_generated_is_said() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let empty = server.url(&server.postgres_database(&[]).await);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("combined.log"), "somebody's\n").expect("written");
    let logs = folder.path().display().to_string();
    for (arguments, why) in [
        (vec!["--to", empty.as_str()], "crosstail schema apply NAME --to URL, NAME one of prokure"),
        (vec!["--to", empty.as_str(), "--schema", "prokure"], "there is no table integration.api_request_logs"),
        (vec!["--to", logs.as_str()], "a new file is needed"),
        (vec!["--to", "redis://x"], "--to accepts"),
        (vec!["--to", logs.as_str(), "--incident", "fire"], "an incident is usual, none, outage"),
        (vec!["--to", logs.as_str(), "--incident", "outage:XYZ"], "no system 'XYZ'; the systems are SAP"),
        (vec!["--to", logs.as_str(), "--rate", "0"], "--rate must be above 0"),
    ] {
        let mut all = vec!["generate", "--for", "0s"];
        all.extend(&arguments);
        let output = crosstail(&all);
        assert!(!output.status.success() && said(&output).contains(why), "{arguments:?}: {}", said(&output));
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("combined.log")).expect("read"), "somebody's\n");
}

fn call(correlation: &Correlation) -> Start {
    Start {
        direction: Some(Direction::Out),
        method: Some("POST".to_owned()),
        url: Some("https://sap.example/po/create?api_key=hunter2xx".to_owned()),
        attempt: Some(1),
        ip_address: "203.0.113.7".parse().ok(),
        request_headers: Some(
            json!({ "Authorization": "Bearer hunter2xxhunter2xx", "X-Api-Key": "hunter2xx", "User-Agent": "test\u{0}er" }),
        ),
        request_body: Some(json!({ "password": "hunter2xx", "text": "x".repeat(1_200_000), "zero": "a\u{0}b" })),
        ..correlation.start("SAP")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_records_redacted_truncated_and_planned() {
    let Some(postgres) = shared(Kind::Postgres).await else { return };
    let Some(mongo) = shared(Kind::MongoReplica).await else { return };
    let name = postgres.postgres_database(&["integration-activity", "prokure"]).await;
    let database = unique_name();
    assert!(apply("prokure", &mongo.url(&database), &["--yes"]).status.success());
    let policy = RetryPolicy { max_attempts: 3, base_ms: 1000, ..RetryPolicy::default() };
    let options = || RecorderOptions { policy: Some(policy), ..RecorderOptions::default() };
    for (recorder, url) in [
        (Recorder::postgres(&postgres.url(&name), Table::IntegrationActivityLog), postgres.url(&name)),
        (Recorder::postgres(&postgres.url(&name), Table::ApiRequestLogs), postgres.url(&name)),
        (Recorder::mongodb(&mongo.url(&database)), mongo.url(&database)),
    ] {
        let recorder = recorder.with(options());
        let correlation =
            Correlation::from_headers([("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]);
        let first = recorder.start(call(&correlation)).await;
        let failed = Outcome {
            status: Some(Status::Failed),
            http_status: Some(503),
            response_headers: Some(json!({ "Retry-After": "7" })),
            error: Some("token=hunter2xx was refused".to_owned()),
            ..Outcome::default()
        };
        let next = recorder.complete(&first, failed).await.expect("planned");
        let wait = next.since_us(crosstail_core::model::Clock::system().now());
        assert!((5_000_000..7_100_000).contains(&wait), "the server's Retry-After is longer than the policy's: {wait}");
        let second = recorder.start(first.next_attempt()).await;
        assert_eq!(
            recorder
                .complete(
                    &second,
                    Outcome { status: Some(Status::Success), http_status: Some(201), ..Outcome::default() }
                )
                .await,
            None
        );
        recorder
            .complete_full(call(&correlation), Outcome { status: Some(Status::Success), ..Outcome::default() })
            .await;
        assert_eq!((recorder.failures(), recorder.last_error()), (0, None));
        let (_, source) = open(std::slice::from_ref(&url));
        let ids = [first.request_id(), second.request_id()];
        let all = source.page(&PageQuery::all(100), None, &Job::default()).await.expect("read").items;
        let of = |id: &str| {
            all.iter().find(|a| a.id.to_string() == id || a.request_key().to_string() == id).expect("recorded")
        };
        let (one, two) = (of(ids[0]), of(ids[1]));
        assert_eq!((one.status, two.status), (Some(Status::Failed), Some(Status::Success)));
        assert_eq!((one.attempt, two.attempt, two.max_attempts), (Some(1), Some(2), Some(3)));
        assert_eq!(two.parent_request_id.as_deref(), Some(ids[0]));
        assert_eq!(one.correlation_id, two.correlation_id);
        assert_eq!(one.correlation_id.as_deref(), Some("4bf92f35-77b3-4da6-a3ce-929d0e0e4736"));
        let payload = source.payload(&one.id, &one.places[0].locator, &Job::default()).await.expect("loaded");
        let everything = format!("{payload:?} {one:?}");
        assert!(!everything.contains("hunter2xx"), "no secret was written");
        if let Some(body) = &payload.request.body {
            let cut = body.truncation.as_ref().expect("cut");
            assert!(
                cut.original_bytes > 1_200_000
                    && cut.reference.as_deref() == Some(&format!("payloads/{}/request", ids[0]))
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_another_logger_gets_its_outcome_too() {
    let Some(mongo) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    assert!(apply("prokure", &mongo.url(&database), &["--yes"]).status.success());
    let start = |id: &str| Arc::new(Start { request_id: Some(id.to_owned()), ..call(&Correlation::default()) });
    let (ours, theirs) = (start("ours"), start("theirs"));
    let collection = mongo.mongo_client().await.database(&database).collection::<Document>("integration_logs");
    let now = bson::DateTime::now();
    let document = doc! {
        "request_id": "theirs", "correlation_id": "c", "system_code": "SAP", "endpoint_code": "E", "http_method": "POST",
        "request_url": "https://sap.example", "started_at": now, "created_at": now, "status": "IN_PROGRESS",
    };
    collection.insert_one(document).await.expect("inserted");
    let mut writer = MongodbWriter::connect(&mongo.url(&database)).await.expect("connected");
    writer.write(&[WriteStep::Start(Arc::clone(&ours))]).await.expect("written");
    // An answer that was lost: the same again is not a second one.
    writer.write(&[WriteStep::Start(Arc::clone(&ours))]).await.expect("written");
    let outcome = Arc::new(Outcome { status: Some(Status::Success), http_status: Some(201), ..Outcome::default() });
    let ends = [ours, theirs].map(|start| WriteStep::Complete(start, Arc::clone(&outcome)));
    writer.write(&ends).await.expect("written");
    let over = collection.count_documents(doc! { "status": "SUCCESS", "response_status": 201 }).await;
    let all = collection.count_documents(doc! {}).await;
    assert_eq!((over.expect("counted"), all.expect("counted")), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_breaks_no_caller_and_loses_nothing() {
    let Some(server) = Server::start(Kind::Postgres).await else { return };
    let name = server.postgres_database(&["integration-activity"]).await;
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let there = Arc::clone(&told);
    let recorder = Arc::new(
        Recorder::postgres(
            &server.url(&name).replace("postgres@", "postgres:hunter2xx@"),
            Table::IntegrationActivityLog,
        )
        .with(RecorderOptions {
            time_limit: Duration::from_secs(1),
            on_error: Some(Arc::new(move |error| there.lock().expect("lock").push(error.to_owned()))),
            ..RecorderOptions::default()
        }),
    );
    let correlation = Correlation::default();
    let small = |n: usize| Start { operation: Some(format!("op-{n}")), ..correlation.start("SAP") };
    let before = recorder.start(small(0)).await;
    server.kill();
    let mut calls = tokio::task::JoinSet::new();
    for n in 1..=200 {
        let (recorder, start) = (Arc::clone(&recorder), small(n));
        calls.spawn(async move {
            let call = recorder.start(start).await;
            recorder.complete(&call, Outcome { status: Some(Status::Success), ..Outcome::default() }).await;
        });
    }
    // One after the other, each until the time limit of a second, they would wait for more than three minutes.
    let every = async {
        while let Some(done) = calls.join_next().await {
            done.expect("no panic");
        }
    };
    tokio::time::timeout(Duration::from_mins(1), every).await.expect("no caller waits for another");
    recorder.complete(&before, Outcome { status: Some(Status::Failed), ..Outcome::default() }).await;
    wait_for("a write that fails", || recorder.failures() > 0 && !told.lock().expect("lock").is_empty());
    assert_eq!(recorder.dropped(), 0);
    assert!(!format!("{recorder:?} {:?} {:?}", recorder.last_error(), told.lock()).contains("hunter2xx"));
    assert!(!recorder.flush().await, "nothing can be written yet");
    server.restart().await;
    assert!(recorder.flush().await, "{:?}", recorder.last_error());
    let mut on = server.postgres_connection(&name).await;
    let row = sqlx::query(
        "SELECT count(*), count(*) FILTER (WHERE status = 'success'), count(*) FILTER (WHERE status = 'error') FROM integration_activity_log",
    );
    let row = row.fetch_one(&mut on).await.expect("counted");
    assert_eq!((row.get::<i64, _>(0), row.get::<i64, _>(1), row.get::<i64, _>(2)), (201, 200, 1));
    // Nobody is there at all, from the beginning; and too much waits.
    let nobody = Recorder::mongodb("mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=200").with(RecorderOptions {
        time_limit: Duration::from_millis(500),
        backlog: 10,
        ..RecorderOptions::default()
    });
    for n in 0..20 {
        nobody.complete_full(small(n), Outcome::default()).await;
    }
    assert_eq!(nobody.dropped(), 10);
    assert!(nobody.failures() > 0);
}

/// Makes a record one that a store refuses.
type Change<'a> = &'a dyn Fn(Start) -> Start;

/// Records six activities at the same time, so that they are written together; the third is one that the store refuses.
async fn record_six(recorder: Recorder, bad: Change<'_>) -> Arc<Recorder> {
    let recorder = Arc::new(recorder);
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..6 {
        let start = Start { operation: Some(format!("op-{n}")), ..Correlation::default().start("SAP") };
        let start = if n == 2 { bad(start) } else { start };
        let recorder = Arc::clone(&recorder);
        calls.spawn(async move {
            let call = recorder.start(start).await;
            recorder.complete(&call, Outcome { status: Some(Status::Success), ..Outcome::default() }).await;
        });
    }
    while let Some(done) = calls.join_next().await {
        done.expect("no panic");
    }
    recorder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_store_refuses_costs_only_itself() {
    let reports: Arc<Mutex<Vec<String>>> = Arc::default();
    let options = || {
        let reports = Arc::clone(&reports);
        RecorderOptions {
            on_error: Some(Arc::new(move |error| reports.lock().expect("lock").push(error.to_owned()))),
            time_limit: Duration::from_secs(20),
            ..RecorderOptions::default()
        }
    };
    let Some(postgres) = shared(Kind::Postgres).await else { return };
    let name = postgres.postgres_database(&["log-tracking", "integration-activity", "engineering-logs"]).await;
    let mut on = postgres.postgres_connection(&name).await;
    // What PostgreSQL has no room for: a fraction in an integer, a duration over 2^31 ms, an id that is too long to index.
    let half = |start| Start { metadata: Some(json!({ "memory_usage": 512.5 })), ..start };
    let old = |start| Start { started_at: crosstail_core::model::Timestamp(1), ..start };
    sqlx::raw_sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.message LIKE 'refused%' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON log_entries FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    .execute(&mut on)
    .await
    .expect("made");
    let by_trigger = |start| Start { message: Some("refused".to_owned()), ..start };
    let bad: [(Table, Change, &str); 3] = [
        (Table::Logs, &half, "invalid input syntax for type integer"),
        (Table::IntegrationActivityLog, &old, "out of range for type integer"),
        (Table::LogEntries, &by_trigger, "not this one"),
    ];
    for (table, bad, why) in bad {
        let recorder = record_six(Recorder::postgres(&postgres.url(&name), table).with(options()), bad).await;
        assert!(recorder.flush().await, "nothing is left: {:?}", recorder.last_error());
        let count = format!("SELECT count(*) FROM {}", table.as_str());
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut on).await.expect("counted");
        // The row of a start that was accepted stays in progress if it is its outcome that is refused.
        let started = i64::from(table == Table::IntegrationActivityLog);
        assert_eq!(rows, 5 + started, "{table:?}");
        assert_eq!((recorder.dropped(), recorder.failures()), (1, 1), "{table:?}");
        let said = std::mem::take(&mut *reports.lock().expect("lock"));
        assert!(said.len() == 1 && said[0].contains(why), "{table:?}: {said:?}");
    }
    let open: i64 = sqlx::query_scalar("SELECT count(*) FROM integration_activity_log WHERE status = 'started'")
        .fetch_one(&mut on)
        .await
        .expect("counted");
    assert_eq!(open, 1, "the others have their outcomes");

    let Some(mongo) = shared(Kind::MongoReplica).await else { return };
    let list = |start| Start { request_headers: Some(json!(["no", "object"])), ..start };
    // The driver does not send a document of more than 16 MB.
    let large = |start| Start { request_headers: Some(json!({ "X-Large": "x".repeat(17 << 20) })), ..start };
    let bad: [Change; 2] = [&list, &large];
    for bad in bad {
        let database = unique_name();
        assert!(apply("prokure", &mongo.url(&database), &["--yes"]).status.success());
        let recorder = record_six(Recorder::mongodb(&mongo.url(&database)).with(options()), bad).await;
        assert!(recorder.flush().await, "nothing is left: {:?}", recorder.last_error());
        let logs = mongo.mongo_client().await.database(&database).collection::<Document>("integration_logs");
        let done = logs.count_documents(doc! { "status": "SUCCESS" }).await.expect("counted");
        let all = logs.count_documents(doc! {}).await.expect("counted");
        assert_eq!((done, all), (5, 5));
        assert_eq!((recorder.dropped(), recorder.failures()), (1, 1), "{:?}", reports.lock());
        reports.lock().expect("lock").clear();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_program_records() {
    let Some(postgres) = shared(Kind::Postgres).await else { return };
    let Some(mongo) = shared(Kind::MongoReplica).await else { return };
    let name = postgres.postgres_database(&["integration-activity"]).await;
    let database = unique_name();
    assert!(apply("prokure", &mongo.url(&database), &["--yes"]).status.success());
    // `scripts/test` builds it. A test that builds it itself shares the compiler's folder with all other tests.
    let program = Path::new(env!("CARGO_BIN_EXE_crosstail")).with_file_name("examples").join("record");
    assert!(program.exists(), "{} is missing: cargo build --examples --features full builds it", program.display());
    for (url, calls) in [(postgres.url(&name), 4), (mongo.url(&database), 2)] {
        let output = Command::new(&program).arg(&url).output().expect("run");
        assert!(output.status.success() && output.stdout.starts_with(b"recorded 4 activities"), "{output:?}");
        let rows = lines(&crosstail(&["query", "corr:4bf92f35", "-s", &url, "-o", "json"]));
        assert!(rows.len() >= calls, "{}", rows.len());
        assert!(
            rows.iter().any(|row| row["status"] == "failed" && row["next_retry_at"].is_string() || row["attempt"] == 1)
        );
        let retried = rows.iter().find(|row| row["attempt"] == 2).expect("the second try");
        let id = retried["id"].as_str().expect("an id");
        let whole = lines(&crosstail(&["show", id, "-s", &url, "-o", "json"]));
        assert_eq!(whole[0]["retry_chain"].as_array().map(Vec::len), Some(2));
        assert!(!whole[0].to_string().contains("not-to-be-logged") && !whole[0].to_string().contains("4111 1111"));
    }
}
