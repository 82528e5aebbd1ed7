//! What nobody wants any more ends in the server, too.

use crate::elasticsearch;
use crate::servers::{Kind, Server, shared, unique_name};
use crate::support::PATIENCE;
use bson::{Document, doc};
use crosstail::effect::{Effect, Piece, ReadPurpose, ReadQuery, Ticket};
use crosstail::runtime::Runtime;
use crosstail_core::filter::Filter;
use crosstail_core::model::{Clock, Names, SourceId};
use crosstail_core::schema::Schema;
use crosstail_engine::window::Interval;
use crosstail_source::{ErrorKind, Job, PageQuery, RelatedKey, Source, SourceConfig};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A source over what takes long to read, by a small schema.
fn open_slow(url: String, table: &str) -> Arc<dyn Source> {
    let schema = schema(table);
    let schema = Schema::from_toml(&schema, "slow.toml").expect("a schema");
    let config = SourceConfig { name: "slow".to_owned(), at: vec![url], schema: Some(schema), ..Default::default() };
    crosstail::kinds::ALL.open(&config, &Names::default()).expect("opened").1
}

fn schema(table: &str) -> String {
    format!(
        "name = \"slow\"\ntitle = \"slow\"\n[table]\nname = \"{table}\"\nid = \"id\"\ntime = \"at\"\ntime_unit = \
         \"text\"\n[fields]\nid = \"id\"\nstarted_at = \"at\"\nmessage = \"message\"\ncorrelation_id = \"message\"\n"
    )
}

/// Asks the server until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Where something is slow, and what takes long to find there.
struct Slow {
    url: String,
    table: String,
    filter: String,
}

impl Slow {
    fn open(&self) -> Arc<dyn Source> {
        open_slow(self.url.clone(), &self.table)
    }

    /// Every way in which nobody wants an answer any more: each time nothing is left in the server.
    async fn ends_in_the_server(&self, mut running: impl AsyncFnMut() -> usize) {
        ends_for_a_job(self.open(), &self.filter, &mut running).await;
        self.ends_for_the_screen(&mut running).await;
    }

    /// A newer filter, Esc, a closed detail and quitting.
    async fn ends_for_the_screen(&self, running: &mut impl AsyncFnMut() -> usize) {
        let sources = vec![(SourceId(0), self.open())];
        let (mut runtime, mut incoming) = Runtime::new(sources, Names::default(), Clock::system(), chrono_tz::Tz::UTC);
        // The screen takes what was found: a search waits for that.
        tokio::spawn(async move { while incoming.replies.recv().await.is_some() {} });
        // An index answers what a detail asks of the other store.
        if self.table == "slow" {
            runtime.run(Effect::LoadRelated(1, vec![RelatedKey::correlation("nowhere-to-be-found")]));
            until("an activity is opened", async || running().await > 0).await;
            runtime.run(Effect::StopLoading);
            until("closing it ends what is loaded", async || running().await == 0).await;
        }
        for (ticket, way) in (1..).zip(["a newer filter", "Esc", "quitting"]) {
            runtime.run(search(10 * ticket, &self.filter));
            until("a filter runs", async || running().await > 0).await;
            match way {
                "a newer filter" => drop(runtime.run(search(10 * ticket + 1, "time:..2000-01-01"))),
                "Esc" => drop(runtime.run(Effect::StopReading(ReadPurpose::Search(SourceId(0))))),
                _ => break,
            }
            until(&format!("{way} ends it"), async || running().await == 0).await;
        }
        runtime.end().await;
        until("quitting ends it", async || running().await == 0).await;
    }

    /// Killed, crosstail can tell the server nothing: the server looks whether its client is there, or its own time
    /// limit ends the work.
    async fn ends_after_a_kill(&self, mut running: impl AsyncFnMut() -> usize) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("slow.toml");
        std::fs::write(&file, schema(&self.table)).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_crosstail"))
            .args(["query", &self.filter, "-s", &self.url, "--schema"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        until("it runs in the server", async || running().await > 0).await;
        child.kill().expect("killed");
        child.wait().expect("ended");
        until("it has ended in the server", async || running().await == 0).await;
    }
}

/// Cancelled, dropped and out of time: each time nothing is left in the server. Then the source works on.
async fn ends_for_a_job(source: Arc<dyn Source>, filter: &str, running: &mut impl AsyncFnMut() -> usize) {
    let query = PageQuery { filter: Filter::parse(filter).expect("a filter"), ..PageQuery::all(100) };
    source.probe(&Job::default()).await.expect("probed");
    until("nothing runs at first", async || running().await == 0).await;
    for way in ["cancelled", "dropped", "out of time"] {
        let job = Job::default();
        let job = if way == "out of time" { job.within(Duration::from_millis(800)) } else { job };
        let asking = {
            let (source, query, job) = (Arc::clone(&source), query.clone(), job.clone());
            tokio::spawn(async move { source.page(&query, None, &job).await })
        };
        until("it runs in the server", async || running().await > 0).await;
        match way {
            "cancelled" => job.cancel(),
            "dropped" => asking.abort(),
            _ => {}
        }
        let outcome = asking.await;
        match way {
            "dropped" => assert!(outcome.is_err_and(|error| error.is_cancelled())),
            "cancelled" => assert_eq!(outcome.expect("joined").expect_err("stopped").kind, ErrorKind::Cancelled),
            _ => assert_eq!(outcome.expect("joined").expect_err("stopped").kind, ErrorKind::Timeout),
        }
        until(&format!("it has ended in the server once it is {way}"), async || running().await == 0).await;
    }
    source.probe(&Job::default()).await.expect("the turns are given back");
}

async fn slow_in_postgres(server: &Server) -> String {
    let database = server.postgres_database(&[]).await;
    let mut connection = server.postgres_connection(&database).await;
    let made = "CREATE TABLE calls (id text PRIMARY KEY, at timestamptz NOT NULL, message text);
        INSERT INTO calls SELECT n::text, now() - n * interval '1 s', 'here' FROM generate_series(1, 2000) n;
        CREATE FUNCTION waiting(text) RETURNS text VOLATILE LANGUAGE sql AS 'SELECT pg_sleep(0.02); SELECT $1';
        CREATE VIEW slow AS SELECT id, at, waiting(message) AS message FROM calls;";
    sqlx::raw_sql(made).execute(&mut connection).await.expect("made");
    database
}

const RUNNING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'crosstail' AND state <> 'idle'";

#[tokio::test(flavor = "multi_thread")]
async fn postgres() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = slow_in_postgres(&server).await;
    let mut connection = server.postgres_connection(&database).await;
    let slow = Slow { url: server.url(&database), table: "slow".to_owned(), filter: "message:nowhere".to_owned() };
    let mut running = async || {
        let count: i64 = sqlx::query_scalar(RUNNING).fetch_one(&mut connection).await.expect("counted");
        usize::try_from(count).expect("small")
    };
    slow.ends_in_the_server(&mut running).await;
    slow.ends_after_a_kill(running).await;
}

/// A search of all that the first source has.
fn search(ticket: Ticket, filter: &str) -> Effect {
    let (source, interval) = (SourceId(0), Interval::EVER);
    let piece = Piece { source, interval, newest_first: true, enough: usize::MAX, of: Vec::new() };
    let purpose = ReadPurpose::Search(source);
    Effect::Read(ticket, Box::new(ReadQuery { purpose, filter: filter.to_owned(), pieces: vec![piece] }))
}

/// A search for a pasted text that is given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_a_text() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = slow_in_postgres(&server).await;
    let mut connection = server.postgres_connection(&database).await;
    let mut running = async || sqlx::query_scalar::<_, i64>(RUNNING).fetch_one(&mut connection).await.expect("counted");
    let sources = vec![(SourceId(0), open_slow(server.url(&database), "slow"))];
    let (mut runtime, _incoming) = Runtime::new(sources, Names::default(), Clock::system(), chrono_tz::Tz::UTC);
    runtime.run(Effect::Find(1, "nowhere-to-be-found".to_owned()));
    until("a search runs", async || running().await > 0).await;
    runtime.run(Effect::CancelSearch);
    until("Esc ends it", async || running().await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&[]).await;
    let mut connection = server.mysql_connection(&database).await;
    let made = "CREATE TABLE calls (id VARCHAR(40) PRIMARY KEY, at DATETIME(6) NOT NULL, message TEXT);
        INSERT INTO calls SELECT seq, NOW(6) - INTERVAL seq SECOND, 'here' FROM seq_1_to_2000;
        CREATE VIEW slow AS SELECT id, at, CONCAT(message, SLEEP(0.02)) AS message FROM calls;";
    sqlx::raw_sql(made).execute(&mut connection).await.expect("made");
    let ours = format!(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = '{database}' AND COMMAND <> 'Sleep' \
         AND ID <> CONNECTION_ID()"
    );
    let slow = Slow { url: server.url(&database), table: "slow".to_owned(), filter: "message:nowhere".to_owned() };
    let mut running = async || {
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(ours.clone())).fetch_one(&mut connection).await.expect("counted");
        usize::try_from(count).expect("small")
    };
    slow.ends_in_the_server(&mut running).await;
    slow.ends_after_a_kill(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let (client, name) = (server.mongo_client().await, unique_name());
    let database = client.database(&name);
    let now = bson::DateTime::now().timestamp_millis();
    let calls = (0..500_i64).map(
        |n| doc! { "_id": n, "id": n.to_string(), "at": bson::DateTime::from_millis(now - n * 1000), "said": "here" },
    );
    database.collection::<Document>("calls").insert_many(calls).await.expect("inserted");
    let waits =
        doc! { "$function": { "body": "function(x) { sleep(20); return x; }", "args": ["$said"], "lang": "js" } };
    let view = doc! { "create": "slow", "viewOn": "calls", "pipeline": [{ "$addFields": { "message": waits } }] };
    database.run_command(view).await.expect("a view");
    let admin = client.database("admin");
    let slow = Slow { url: server.url(&name), table: "slow".to_owned(), filter: "message:nowhere".to_owned() };
    let mut running = async || {
        let ours = doc! { "active": true, "command.comment": { "$regex": "^crosstail job" } };
        let pipeline = [doc! { "$currentOp": { "allUsers": true } }, doc! { "$match": ours }];
        let mut found = admin.aggregate(pipeline).await.expect("operations");
        let mut count = 0;
        while found.advance().await.expect("operations") {
            let operation: Document = found.current().to_owned().try_into().expect("a document");
            count += usize::from(operation.get_str("ns").is_ok_and(|ns| ns.starts_with(&name)));
        }
        count
    };
    slow.ends_in_the_server(&mut running).await;
    slow.ends_after_a_kill(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn elasticsearch() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let index = unique_name().replace('_', "-");
    let keyword = json!({ "type": "keyword" });
    let properties = json!({ "id": keyword, "message": keyword, "at": { "type": "date" } });
    elasticsearch::create(&server, &index, json!({ "mappings": { "properties": properties } })).await;
    let mut rng = fastrand::Rng::with_seed(5);
    for step in 0..6 {
        let mut document = |n: i64| {
            let message: String = (0..400).map(|_| rng.lowercase()).collect();
            json!({ "id": n.to_string(), "at": 1_700_000_000_000_i64 + n, "message": message })
        };
        let lines: Vec<(Value, Value)> = (step * 10_000..(step + 1) * 10_000)
            .map(|n| (json!({ "index": { "_index": index } }), document(n)))
            .collect();
        elasticsearch::bulk(&server, &lines).await;
    }
    elasticsearch::refresh(&server, &index).await;
    // Every pattern is compared with every message.
    let patterns: Vec<String> = (0..200).map(|n| format!("message:*a*{n}*")).collect();
    let slow = Slow { url: server.url(&index), table: index.clone(), filter: patterns.join(" OR ") };
    let mut running = async || {
        let tasks = elasticsearch::ask(&server, "GET", "_tasks?actions=*search*&detailed=true", Value::Null).await;
        tasks.to_string().matches(index.as_str()).count()
    };
    slow.ends_in_the_server(&mut running).await;
    // Other tests have points in time of their own.
    until("points in time are closed", async || {
        let stats = elasticsearch::ask(&server, "GET", &format!("{index}/_stats/search"), Value::Null).await;
        stats["_all"]["total"]["search"]["open_contexts"] == 0
    })
    .await;
    slow.ends_after_a_kill(running).await;
}
