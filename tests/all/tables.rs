//! Tables as they are in the wild: keys of several columns or none, times of every sort, values that cannot be read, tables
//! that no schema knows, indexes that answer.

use crate::servers::{Kind, Server, shared};
use crate::support::{PATIENCE, crosstail, lines, undated_add_up};
use crosstail_core::filter::{Context, Field, Filter, NamedRecord};
use crosstail_core::model::{Activity, Names};
use crosstail_core::schema::Schema;
use crosstail_source::{
    Budget, Cursor, Grouping, Job, PageQuery, Position, Sink, Source, SourceConfig, SourceEvent, aggregate_locally,
};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A database with one's own tables, and a schema for one of them.
struct Shop {
    server: Arc<Server>,
    url: String,
    database: String,
    folder: tempfile::TempDir,
}

impl Shop {
    async fn open(sql: &str, schema: &str) -> Option<Self> {
        let server = shared(Kind::Postgres).await?;
        let database = server.postgres_database(&[]).await;
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("schema.toml"), schema).expect("written");
        let shop = Self { url: server.url(&database), server, database, folder };
        shop.run(sql).await;
        shop.settle().await;
        Some(shop)
    }

    /// Waits until no transaction is open that began before: what was written meanwhile might be new to whoever follows. The server
    /// has other tests.
    async fn settle(&self) {
        let mut connection = self.server.postgres_connection(&self.database).await;
        let mut ask = async |sql: &'static str| {
            sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await.expect("a number")
        };
        let last = ask("SELECT txid_current()").await;
        let until = tokio::time::Instant::now() + PATIENCE;
        while ask("SELECT txid_snapshot_xmin(txid_current_snapshot())").await <= last {
            assert!(tokio::time::Instant::now() < until, "a transaction is open");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn run(&self, sql: &str) {
        let mut connection = self.server.postgres_connection(&self.database).await;
        let ran = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
        ran.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn schema(&self) -> String {
        self.folder.path().join("schema.toml").to_str().expect("UTF-8").to_owned()
    }

    /// What `query` prints, with the schema.
    fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        let schema = self.schema();
        let all = ["query", "-s", &self.url, "--schema", &schema, "-o", "json", "--limit", "0"];
        lines(&crosstail(&[&all[..], arguments].concat()))
    }

    fn source(&self) -> (Names, Arc<dyn Source>) {
        let text = std::fs::read_to_string(self.schema()).expect("text");
        let schema = Schema::from_toml(&text, "schema.toml").expect("a schema");
        let names = Names::default();
        let at = vec![self.url.clone()];
        let config = SourceConfig { name: "shop".to_owned(), at, schema: Some(schema), ..SourceConfig::default() };
        let (_, source) = crosstail::kinds::ALL.open(&config, &names).expect("opened");
        (names, source)
    }
}

const CALLS: &str = "name = 'calls'\n[table]\nname = 'calls'\nid = 'id'\ntime = 'at'\nTABLE[fields]\nstarted_at = 'at'\nsystem = \
    'sys'\nstatus = 'st'\nduration = 'ms'\n[words.status]\nok = 'success'\nbad = 'failed'\nrunning = 'in_progress'\n";

pub fn calls(table: &str) -> String {
    CALLS.replace("TABLE", table)
}

/// Every page of a query, each of at most `limit`.
pub async fn pages(source: &dyn Source, limit: usize, newest_first: bool) -> Vec<Activity> {
    let query = PageQuery { newest_first, ..PageQuery::all(limit) };
    let (mut all, mut cursor): (Vec<Activity>, Option<Cursor>) = (Vec::new(), None);
    for _ in 0..10_000 {
        let page = source.page(&query, cursor.as_ref(), &Job::default()).await.expect("a page");
        assert!(page.items.len() <= limit);
        all.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return all,
        }
    }
    panic!("does not end");
}

pub fn distinct(all: &[Activity]) -> usize {
    all.iter().map(|activity| activity.id.to_string()).collect::<BTreeSet<_>>().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_comes_once_whatever_its_time_is() {
    for (holds, expression, table) in [
        ("double precision", "1790000000.5 + (i / 3) * 0.0000001", "time_unit = 's'\n"),
        ("numeric(20, 8)", "1790000000.5 + (i / 3) * 0.0000001", "time_unit = 's'\n"),
        ("bigint", "1790000000 + i / 40", "time_unit = 's'\n"),
        ("bigint", "(1790000000::bigint + i / 40) * 1000", "time_unit = 'ms'\n"),
        // The unit is not what the schema says: the values are.
        ("bigint", "1790000000 + i / 40", ""),
        ("timestamp", "timestamp '2026-11-01 01:30' + (i / 40) * interval '7 min'", "time_zone = 'America/New_York'\n"),
        ("date", "date '2026-01-01' + i / 40", ""),
        ("text", "to_char(timestamp '2026-01-01' + (i / 40) * interval '1 s', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')", ""),
    ] {
        // Besides, some rows have no time, and some one that is none.
        let special = match holds {
            "timestamp" | "date" => "'infinity'",
            "double precision" => "'NaN'",
            "numeric(20, 8)" => "-999999999999.0",
            "text" => "'tomorrow'",
            _ => "NULL",
        };
        let sql = format!(
            "CREATE TABLE calls (id bigserial PRIMARY KEY, at {holds}, sys text, st text, ms int); \
             INSERT INTO calls (at, sys, st, ms) SELECT ({expression})::{holds}, 'SAP', 'ok', i FROM generate_series(1, 700) i; \
             INSERT INTO calls (at, sys, st, ms) SELECT NULL, 'DHL', 'ok', i FROM generate_series(1, 130) i; \
             INSERT INTO calls (at, sys, st, ms) SELECT {special}, 'DHL', 'bad', i FROM generate_series(1, 70) i"
        );
        let Some(shop) = Shop::open(&sql, &calls(table)).await else { return };
        let (_, source) = shop.source();
        for newest_first in [true, false] {
            let all = pages(source.as_ref(), 64, newest_first).await;
            assert_eq!((all.len(), distinct(&all)), (900, 900), "{holds} {table} {newest_first}");
            assert!(all.windows(2).all(|two| {
                let key = |a: &Activity| (a.started_at, a.id.to_string());
                if newest_first { key(&two[0]) > key(&two[1]) } else { key(&two[0]) < key(&two[1]) }
            }));
        }
        undated_add_up(source.as_ref(), 900, 200).await;
        let failed = shop.rows(&["status:failed"]);
        assert_eq!(failed.len(), 70, "{holds}");
        assert!(
            failed.iter().all(|row| row["started_at"].as_str().is_some_and(|at| at.starts_with("1970"))),
            "{holds}"
        );
        let first = source.page(&PageQuery::all(1), None, &Job::default()).await.expect("newest").items;
        assert!(first[0].started_at.rfc3339().starts_with("2026"), "{holds} {table}: {}", first[0].started_at);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn local_times_are_in_their_zone() {
    let sql = "CREATE TABLE calls (id bigserial PRIMARY KEY, at timestamp, sys text, st text, ms int); \
        INSERT INTO calls (at, sys, st) VALUES ('2026-01-15 12:00', 'winter', 'ok'), ('2026-07-01 12:00', 'summer', 'ok')";
    let Some(shop) = Shop::open(sql, &calls("time_zone = 'America/New_York'\n")).await else { return };
    let rows = shop.rows(&["time:2026-01-15T16:59..2026-01-15T17:01"]);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["started_at"], "2026-01-15T17:00:00.000Z");
    assert_eq!(shop.rows(&["time:2026-07-01T16:00..2026-07-01T16:01"]).len(), 1);
    let wrong = Schema::from_toml(&calls("time_zone = 'Mars/Olympus'\n"), "schema.toml").expect_err("no such zone");
    assert!(wrong.to_string().contains("time_zone"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_several_columns_opens_its_row_and_one_that_repeats_is_told() {
    let sql = "CREATE TABLE calls (dag text, task text, n int, at timestamptz, sys text, st text, ms int, PRIMARY KEY (dag, task, n)); \
        INSERT INTO calls SELECT d, t, n, now() - n * interval '1 min', d || t || n, 'ok', n FROM unnest(ARRAY['a/b', 'c%2F']) d, \
        unnest(ARRAY['x', 'y']) t, generate_series(1, 20) n";
    let whole = calls("").replace("id = 'id'", "id = ['dag', 'task', 'n']");
    let Some(shop) = Shop::open(sql, &whole).await else { return };
    let (_, source) = shop.source();
    let all = pages(source.as_ref(), 7, true).await;
    assert_eq!((all.len(), distinct(&all)), (80, 80));
    for activity in &all {
        let payload =
            source.payload(&activity.id, &activity.places[0].locator, &Job::default()).await.expect("its payload");
        let raw: Value = serde_json::from_str(payload.raw[0].text()).expect("JSON");
        let system = activity.system.as_deref().expect("a system");
        assert_eq!(format!("{}{}{}", raw["dag"].as_str().unwrap(), raw["task"].as_str().unwrap(), raw["n"]), system);
    }
    let Some(shop) = Shop::open(sql, &calls("").replace("id = 'id'", "id = 'task'")).await else { return };
    let (_, source) = shop.source();
    let all = pages(source.as_ref(), 7, true).await;
    assert_eq!((all.len(), distinct(&all)), (80, 80));
    let found = source.diagnose(crosstail_core::model::Timestamp(0), &Job::default()).await.expect("examined");
    assert!(found.iter().any(|one| one.text.contains("task is not unique")), "{found:?}");
    // Without any key, the place of a row tells it apart.
    shop.run("CREATE TABLE plain AS SELECT * FROM calls; ALTER TABLE calls RENAME TO keyed; ALTER TABLE plain RENAME TO calls").await;
    let (_, source) = shop.source();
    assert_eq!(distinct(&pages(source.as_ref(), 7, true).await), 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_cannot_be_read_costs_itself() {
    let sql = "CREATE TABLE calls (id bigserial PRIMARY KEY, at timestamptz, sys text, st text, ms int, doc json, raw bytea); \
        INSERT INTO calls (at, sys, st, ms, doc, raw) SELECT now() - i * interval '1 min', 'SAP', 'ok', i, CASE i \
        WHEN 5 THEN '{\"corr\": \"c5\", \"a\": \"x' || chr(92) || 'u0000y\"}' WHEN 9 THEN '{\"corr\": \"c9\", \"a\": \"' || chr(92) || 'ud800\"}' \
        ELSE '{\"corr\": \"c' || i || '\", \"a\": \"fine\"}' END::json, convert_to('{\"n\": ' || i || '}', 'UTF8') FROM generate_series(1, 20) i";
    let schema = calls("")
        .replace("duration = 'ms'", "duration = 'ms'\ncorrelation_id = 'doc.corr'\nmessage = 'doc.a'")
        + "[payload]\nrequest_body = 'raw'\n";
    let Some(shop) = Shop::open(sql, &schema).await else { return };
    let rows = shop.rows(&[]);
    assert_eq!(rows.len(), 20);
    // Of the row that PostgreSQL refuses to take apart, all else is there, and a word on that.
    let bad = rows.iter().find(|row| row["duration_ms"] == 9.0).expect("the row");
    assert_eq!(bad["status"], "success");
    let said = format!("{} {}", bad["message"], bad["error"]);
    assert!(said.contains("doc cannot be read"), "{bad}");
    let nul = rows.iter().find(|row| row["duration_ms"] == 5.0).expect("the row");
    assert_eq!(nul["correlation_id"], "c5");
    assert_eq!(shop.rows(&["corr:c7"]).len(), 1);
    assert_eq!(shop.rows(&["message:fine"]).len(), 18);
    assert_eq!(shop.rows(&["req.body.n:5"]).len(), 1, "bytes that are JSON are opened");
    let (_, source) = shop.source();
    let grouping = crosstail_source::Grouping::by(crosstail_core::filter::Field::Correlation);
    let groups = source.aggregate(&PageQuery::all(100), &grouping, &Job::default()).await.expect("figures");
    assert_eq!(groups.values().map(|figures| figures.count).sum::<u64>(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_column_says_the_outcome_it_follows_from_http_and_the_error() {
    let sql = "CREATE TABLE calls (id bigserial PRIMARY KEY, at timestamptz, sys text, code int, err text); \
        INSERT INTO calls (at, sys, code, err) SELECT now() - i * interval '1 min', 'SAP', CASE WHEN i <= 10 THEN 502 WHEN i <= 30 THEN 200 END, \
        CASE WHEN i > 35 THEN 'refused' END FROM generate_series(1, 40) i";
    let schema = "name = 'calls'\n[table]\nname = 'calls'\nid = 'id'\ntime = 'at'\n[fields]\nstarted_at = 'at'\nsystem = 'sys'\n\
        http_status = 'code'\nerror = 'err'\n";
    let Some(shop) = Shop::open(sql, schema).await else { return };
    for (filter, count) in
        [("status:failed", 15), ("status:success", 20), ("is:failure", 15), ("NOT status:*", 5), ("is:ok", 25)]
    {
        assert_eq!(shop.rows(&[filter]).len(), count, "{filter}");
    }
    let (_, source) = shop.source();
    let grouping = crosstail_source::Grouping::by(crosstail_core::filter::Field::System);
    let groups = source.aggregate(&PageQuery::all(100), &grouping, &Job::default()).await.expect("figures");
    let figures = groups.values().next().expect("one");
    assert_eq!((figures.count, figures.failed, figures.succeeded), (40, 15, 20));
}

/// Follows as the pump does, from the last position again after an error that passes; what the errors were.
async fn follow_on(
    source: Arc<dyn Source>,
    mut position: Position,
    sink: Sink,
    cancel: tokio_util::sync::CancellationToken,
) -> Vec<String> {
    let mut errors = Vec::new();
    loop {
        let (inner, mut updates) = crosstail_source::Sink::channel(16);
        let job = Job::default().under(&cancel);
        let following = {
            let (source, from) = (Arc::clone(&source), position.clone());
            tokio::spawn(async move { source.follow(from, &inner, &job).await })
        };
        while let Some(event) = updates.recv().await {
            if let SourceEvent::Batch(_, Some(at)) = &event {
                position = at.clone();
            }
            sink.send(event).await.expect("received");
        }
        let Err(error) = following.await.expect("joined") else { return errors };
        assert!(error.kind.is_transient(), "it is tried again: {error}");
        errors.push(error.to_string());
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
}

/// A source that is followed on from now.
pub struct Following {
    pub updates: tokio::sync::mpsc::Receiver<SourceEvent>,
    pub cancel: tokio_util::sync::CancellationToken,
    /// What the errors were, once it is cancelled.
    pub errors: tokio::task::JoinHandle<Vec<String>>,
}

impl Following {
    pub async fn begin(source: &Arc<dyn Source>) -> Self {
        let position = source.position(&Job::default()).await.expect("a position");
        let (sink, mut updates) = Sink::channel(1000);
        let cancel = tokio_util::sync::CancellationToken::new();
        let errors = tokio::spawn(follow_on(Arc::clone(source), position, sink, cancel.clone()));
        // What is written between the position and the first look may bring its neighbours along (C7).
        let caught_up = async { while !matches!(updates.recv().await.expect("following"), SourceEvent::CaughtUp) {} };
        tokio::time::timeout(PATIENCE, caught_up).await.expect("it catches up");
        Self { updates, cancel, errors }
    }
}

/// What following says until some rows of a system have come, and a little longer.
pub async fn followed(
    source: &Arc<dyn Source>,
    change: impl Future<Output = ()>,
    system: &str,
    count: usize,
) -> Vec<Activity> {
    let position = source.position(&Job::default()).await.expect("a position");
    let (sink, mut updates) = crosstail_source::Sink::channel(1000);
    let cancel = tokio_util::sync::CancellationToken::new();
    let following = {
        let (source, cancel) = (Arc::clone(source), cancel.clone());
        tokio::spawn(async move { source.follow(position, &sink, &Job::default().under(&cancel)).await })
    };
    let mut all = Vec::new();
    let mut change = Some(Box::pin(change));
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(40);
    let mut extra = None;
    loop {
        let end = extra.unwrap_or(until);
        let Ok(Some(event)) = tokio::time::timeout_at(end, updates.recv()).await else { break };
        match event {
            SourceEvent::Batch(batch, _) => all.extend(batch),
            SourceEvent::CaughtUp => {
                if let Some(change) = change.take() {
                    change.await;
                }
            }
            _ => {}
        }
        let found = all.iter().filter(|one| one.system.as_deref() == Some(system)).count();
        if found >= count && extra.is_none() {
            extra = Some(tokio::time::Instant::now() + std::time::Duration::from_secs(4));
        }
    }
    cancel.cancel();
    following.await.expect("joined").expect("well");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_is_not_told_as_new() {
    const FILL: &str = "CREATE TABLE base (id bigserial PRIMARY KEY, at timestamptz, sys text, st text, ms text); \
        INSERT INTO base (at, sys, st, ms) SELECT now() - i * interval '1 s', 'old', 'ok', '1' FROM generate_series(1, 3000) i;";
    const NEW: &str = "INSERT INTO base (at, sys, st, ms) SELECT now(), 'new', 'ok', '2' FROM generate_series(1, 20);";
    const RENAMED: &str =
        "UPDATE base SET st = 'running' WHERE id = 3000; CREATE INDEX ON base (at); ALTER TABLE base RENAME TO calls";
    let new = NEW.replace("base", "calls");
    for (make, change) in [
        ("CREATE VIEW calls AS SELECT * FROM base", NEW.to_owned()),
        ("CREATE MATERIALIZED VIEW calls AS SELECT * FROM base", format!("{NEW} REFRESH MATERIALIZED VIEW calls")),
        // A column of another type: the table is written anew, and its columns are looked up again.
        (
            "ALTER TABLE base RENAME TO calls",
            format!(
                "ALTER TABLE calls ALTER COLUMN ms TYPE int USING ms::int; ALTER TABLE calls ADD COLUMN more text; {}",
                NEW.replace("base", "calls").replace("'2'", "2")
            ),
        ),
        // The same rows in another file: only the transaction that wrote them is another one. One of them has ended meanwhile.
        (
            RENAMED,
            format!("UPDATE calls SET st = 'ok', sys = 'new' WHERE id = 3000; ALTER TABLE calls SET UNLOGGED; {new}"),
        ),
        // The same rows in another table.
        (
            RENAMED,
            format!(
                "CREATE TABLE other (LIKE calls INCLUDING ALL); UPDATE calls SET st = 'ok', sys = 'new' WHERE id = 3000; \
                 INSERT INTO other SELECT * FROM calls; ALTER TABLE calls RENAME TO was; ALTER TABLE other RENAME TO calls; {new}"
            ),
        ),
        // What is refilled has the same rows, and new ones.
        (
            RENAMED,
            format!(
                "CREATE TABLE kept AS SELECT * FROM calls; TRUNCATE calls; UPDATE kept SET st = 'ok', sys = 'new' WHERE id = 3000; \
                 INSERT INTO calls SELECT * FROM kept; {new}"
            ),
        ),
        // A partition of it alone.
        (
            "UPDATE base SET st = 'running' WHERE id = 3000; CREATE TABLE calls (LIKE base INCLUDING DEFAULTS) PARTITION BY RANGE (at); \
             CREATE INDEX ON calls (at); CREATE TABLE part PARTITION OF calls DEFAULT; INSERT INTO calls SELECT * FROM base",
            format!("ALTER TABLE part SET UNLOGGED; UPDATE calls SET st = 'ok', sys = 'new' WHERE id = 3000; {new}"),
        ),
    ] {
        let Some(shop) = Shop::open(&format!("{FILL} {make}"), &calls("")).await else { return };
        let (_, source) = shop.source();
        let all = followed(&source, shop.run(&change), "new", 20).await;
        let of = |system: &str| all.iter().filter(|one| one.system.as_deref() == Some(system)).count();
        let count = if change.contains("WHERE id = 3000") { 21 } else { 20 };
        assert_eq!((of("new"), of("old")), (count, 0), "{make}: {change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_postgres_without_a_time_are_told_whatever_finds_them() {
    for (holds, none, of) in [
        ("timestamptz", "NULL", "ALTER TABLE base RENAME TO calls; CREATE INDEX ON calls (at)"),
        // No index finds a text that is no time.
        ("text", "'soon'", "ALTER TABLE base RENAME TO calls; CREATE INDEX ON calls (at)"),
        ("timestamptz", "NULL", "CREATE VIEW calls AS SELECT * FROM base"),
    ] {
        let make = format!(
            "CREATE TABLE base (id text PRIMARY KEY, at {holds}, sys text, st text, ms int); \
             INSERT INTO base SELECT 'a' || i, '2026-11-26 10:00:00Z', 'old', 'ok', 1 FROM generate_series(1, 10) i; \
             INSERT INTO base SELECT 'b' || i, {none}, 'old', 'ok', 1 FROM generate_series(1, 3000) i; {of}"
        );
        let Some(shop) = Shop::open(&make, &calls("")).await else { return };
        let (_, source) = shop.source();
        let name = if of.contains("VIEW") { "base" } else { "calls" };
        let add = format!(
            "INSERT INTO {name} SELECT 'a' || i + 10, {none}, 'new', 'ok', 1 FROM generate_series(1, 900) i; \
             INSERT INTO {name} SELECT 'c' || i, {none}, 'new', 'ok', 1 FROM generate_series(1, 100) i"
        );
        let all = followed(&source, shop.run(&add), "new", 1000).await;
        let of_system = |system: &str| all.iter().filter(|one| one.system.as_deref() == Some(system)).count();
        assert_eq!((of_system("new"), distinct(&all), of_system("old")), (1000, 1000, 0), "{holds}: {of}");
    }
}

/// Tables as widely used systems write them, each with rows: what is to be shown of the first one, without a schema.
const KNOWN: &[(&str, &str, &str, usize)] = &[
    (
        "oban_jobs",
        "CREATE TYPE oban_job_state AS ENUM ('available', 'executing', 'completed', 'discarded', 'retryable'); \
         CREATE TABLE oban_jobs (id bigserial PRIMARY KEY, state oban_job_state NOT NULL DEFAULT 'available', queue text NOT NULL, worker text NOT NULL, \
         args jsonb NOT NULL DEFAULT '{}', errors jsonb[] DEFAULT '{}', attempt int DEFAULT 0, max_attempts int DEFAULT 20, inserted_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'), \
         scheduled_at timestamp, attempted_at timestamp, completed_at timestamp); \
         INSERT INTO oban_jobs (state, queue, worker, attempted_at) SELECT (ARRAY['completed', 'completed', 'discarded'])[i % 3 + 1]::oban_job_state, 'sap', 'Shop.Sync', now() - i * interval '1 min' FROM generate_series(1, 30) i",
        "sap",
        10,
    ),
    (
        "good_jobs",
        "CREATE TABLE good_jobs (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), queue_name text, priority int, serialized_params jsonb, scheduled_at timestamp, performed_at timestamp, \
         finished_at timestamp, error text, created_at timestamp NOT NULL, updated_at timestamp, active_job_id uuid, job_class text, executions_count int, error_event smallint); \
         INSERT INTO good_jobs (queue_name, created_at, finished_at, error, job_class, active_job_id) SELECT 'orders', now() - i * interval '1 min', now(), CASE WHEN i % 3 = 0 THEN 'Timeout: x' END, 'SyncJob', gen_random_uuid() FROM generate_series(1, 30) i",
        "orders",
        10,
    ),
    (
        "task_instance",
        "CREATE TABLE task_instance (task_id varchar(250), dag_id varchar(250), run_id varchar(250), map_index int DEFAULT -1, start_date timestamptz, end_date timestamptz, duration double precision, \
         state varchar(20), try_number int, max_tries int, hostname varchar(1000), operator varchar(1000), PRIMARY KEY (dag_id, task_id, run_id, map_index)); \
         INSERT INTO task_instance SELECT 'load', 'orders', 'run' || i, -1, now() - i * interval '1 min', now(), 1.5, CASE WHEN i % 3 = 0 THEN 'failed' ELSE 'success' END, 1, 2, 'w1', 'PythonOperator' FROM generate_series(1, 30) i",
        "orders",
        10,
    ),
    (
        "execution_entity",
        "CREATE TABLE execution_entity (id serial PRIMARY KEY, finished boolean NOT NULL, mode varchar NOT NULL, \"retryOf\" varchar, \"startedAt\" timestamptz, \"stoppedAt\" timestamptz, status varchar NOT NULL, \"workflowId\" varchar(36)); \
         INSERT INTO execution_entity (finished, mode, \"startedAt\", \"stoppedAt\", status, \"workflowId\") SELECT true, 'trigger', now() - i * interval '1 min', now(), CASE WHEN i % 3 = 0 THEN 'crashed' ELSE 'success' END, 'wf1' FROM generate_series(1, 30) i",
        "wf1",
        10,
    ),
    (
        "silk_request",
        "CREATE TABLE silk_request (id varchar(36) PRIMARY KEY, path varchar(190), query_params text, raw_body text, body text, method varchar(10), start_time timestamptz, view_name varchar(190), end_time timestamptz, time_taken double precision, encoded_headers text, num_sql_queries int); \
         CREATE TABLE silk_sqlquery (id serial PRIMARY KEY, query text, start_time timestamptz, end_time timestamptz); \
         INSERT INTO silk_request SELECT md5(i::text), '/api/orders', '', '', '', 'POST', now() - i * interval '1 min', 'orders', now(), 12.5, '{}', 3 FROM generate_series(1, 30) i",
        "",
        0,
    ),
    (
        "rest_framework_tracking_apirequestlog",
        "CREATE TABLE rest_framework_tracking_apirequestlog (id serial PRIMARY KEY, requested_at timestamptz, response_ms int, path varchar(200), view varchar(200), view_method varchar(200), remote_addr inet, host varchar(200), method varchar(10), query_params text, data text, response text, errors text, status_code int, user_id int); \
         INSERT INTO rest_framework_tracking_apirequestlog (requested_at, response_ms, path, view, host, method, status_code, errors) SELECT now() - i * interval '1 min', 12, '/api/x', 'shop.views.X', 'shop.example', 'GET', CASE WHEN i % 3 = 0 THEN 500 ELSE 200 END, CASE WHEN i % 3 = 0 THEN 'boom' END FROM generate_series(1, 30) i",
        "shop.example",
        10,
    ),
    (
        "queue_job",
        "CREATE TABLE queue_job (id serial PRIMARY KEY, uuid varchar NOT NULL, name varchar, channel varchar, model_name varchar, method_name varchar, func_string varchar, state varchar NOT NULL, exc_info text, exc_name varchar, exc_message varchar, date_created timestamp, date_started timestamp, date_enqueued timestamp, date_done timestamp, exec_time double precision, retry int, max_retries int); \
         INSERT INTO queue_job (uuid, name, channel, model_name, method_name, state, exc_message, date_created, date_done) SELECT gen_random_uuid()::text, 'export', 'root.sap', 'sale.order', 'export', CASE WHEN i % 3 = 0 THEN 'failed' ELSE 'done' END, CASE WHEN i % 3 = 0 THEN 'boom' END, (now() AT TIME ZONE 'UTC') - i * interval '1 min', now() AT TIME ZONE 'UTC' FROM generate_series(1, 30) i",
        "root.sap",
        10,
    ),
    (
        "act_hi_procinst",
        "CREATE TABLE act_hi_procinst (id_ varchar(64) PRIMARY KEY, proc_inst_id_ varchar(64), business_key_ varchar(255), proc_def_key_ varchar(255), proc_def_id_ varchar(64), start_time_ timestamp, end_time_ timestamp, duration_ bigint, state_ varchar(255)); \
         INSERT INTO act_hi_procinst SELECT 'p' || i, 'p' || i, 'b' || i, 'order', 'order:1:1', now() - i * interval '1 min', now(), 1200, CASE WHEN i % 3 = 0 THEN 'INTERNALLY_TERMINATED' ELSE 'COMPLETED' END FROM generate_series(1, 30) i",
        "order",
        10,
    ),
    (
        "messageattempt",
        "CREATE TABLE messageattempt (id varchar PRIMARY KEY, org_id varchar, created_at timestamptz, msg_id varchar, endp_id varchar, url varchar, status smallint, response_status_code smallint, response text, ended_at timestamptz, trigger_type smallint); \
         INSERT INTO messageattempt SELECT 'atmpt_' || i, 'org', now() - i * interval '1 min', 'msg_' || i, 'ep_1', 'https://hooks.example/a', CASE WHEN i % 3 = 0 THEN 2 ELSE 0 END, CASE WHEN i % 3 = 0 THEN 503 ELSE 200 END, 'x', now(), 0 FROM generate_series(1, 30) i",
        "",
        10,
    ),
    (
        "django_celery_results_taskresult",
        "CREATE TABLE django_celery_results_taskresult (id serial PRIMARY KEY, task_id varchar(255) UNIQUE, status varchar(50), content_type varchar(128), content_encoding varchar(64), result text, date_done timestamptz, traceback text, meta text, task_args text, task_kwargs text, task_name varchar(255), worker varchar(100), date_created timestamptz); \
         INSERT INTO django_celery_results_taskresult (task_id, status, result, date_done, date_created, task_name, worker) SELECT gen_random_uuid()::text, CASE WHEN i % 3 = 0 THEN 'FAILURE' ELSE 'SUCCESS' END, '1', now(), now() - i * interval '1 min', 'shop.sync', 'w1' FROM generate_series(1, 30) i",
        "",
        10,
    ),
    (
        "delayed_jobs",
        "CREATE TABLE delayed_jobs (id serial PRIMARY KEY, priority int DEFAULT 0, attempts int DEFAULT 0, handler text NOT NULL, last_error text, run_at timestamp, locked_at timestamp, failed_at timestamp, locked_by varchar, queue varchar, created_at timestamp, updated_at timestamp); \
         INSERT INTO delayed_jobs (handler, last_error, queue, created_at) SELECT '--- x', CASE WHEN i % 3 = 0 THEN 'boom' END, 'mail', now() - i * interval '1 min' FROM generate_series(1, 30) i",
        "mail",
        10,
    ),
    (
        "flow_run",
        "CREATE TABLE flow_run (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), created timestamptz, updated timestamptz, name varchar, state_type varchar, state_name varchar, run_count int, expected_start_time timestamptz, start_time timestamptz, end_time timestamptz, total_run_time interval, flow_id uuid, parameters json, tags json); \
         INSERT INTO flow_run (created, name, state_type, state_name, start_time, end_time, total_run_time) SELECT now(), 'orders', CASE WHEN i % 3 = 0 THEN 'CRASHED' ELSE 'COMPLETED' END, 'x', now() - i * interval '1 min', now(), interval '2 s' FROM generate_series(1, 30) i",
        "",
        10,
    ),
    (
        "outbox",
        "CREATE TABLE customers (id serial PRIMARY KEY, name text, email text, created_at timestamptz); INSERT INTO customers (name, created_at) SELECT 'c' || i, now() FROM generate_series(1, 500) i; \
         CREATE TABLE outbox (message_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), destination text, event_type text, payload jsonb, delivery_status text, enqueued_at bigint, sent_at bigint, last_error text); \
         INSERT INTO outbox (destination, event_type, payload, delivery_status, enqueued_at, last_error) SELECT 'sap', 'order.created', '{\"status\": \"x\"}', CASE WHEN i % 3 = 0 THEN 'undeliverable' ELSE 'delivered' END, (extract(epoch FROM now()) * 1000)::bigint - i * 1000, CASE WHEN i % 3 = 0 THEN 'x' END FROM generate_series(1, 30) i",
        "sap",
        10,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_widely_used_systems_are_shown_without_a_schema() {
    for (table, sql, system, failures) in KNOWN {
        let Some(shop) = Shop::open(sql, &calls("")).await else { return };
        let output = crosstail(&["query", "-s", &shop.url, "-o", "json", "--limit", "0"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(&format!("{table} is read by its names")), "{table}: {said}");
        let rows = lines(&output);
        assert_eq!(rows.len(), 30, "{table}: {said}");
        assert!(
            rows.iter().all(|row| row["started_at"].as_str().is_some_and(|at| at.starts_with("20"))),
            "{table}: {said}"
        );
        if !system.is_empty() {
            assert!(rows.iter().all(|row| row["system"] == *system), "{table}: {said}");
        }
        let failed = lines(&crosstail(&["query", "-s", &shop.url, "-o", "json", "--limit", "0", "is:failure"]));
        assert_eq!(failed.len(), *failures, "{table}: {said}");
        // The draft is that very mapping, and a schema as it is.
        let draft = crosstail(&["schema", "draft", "--from", &shop.url, "--table", table]);
        let text = String::from_utf8(draft.stdout).expect("UTF-8");
        std::fs::write(shop.folder.path().join("schema.toml"), &text).expect("written");
        assert_eq!(shop.rows(&["is:failure"]).len(), *failures, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_answer_ids_beginnings_statuses_systems_and_lists() {
    const ROWS: usize = 200_000;
    let sql = format!(
        "CREATE TABLE calls (id bigserial PRIMARY KEY, at timestamptz, sys text, st text, ms int, req text, corr uuid, parent text, way text, kind text); \
         INSERT INTO calls (at, sys, st, ms, req, corr, parent, way, kind) SELECT now() - i * interval '1 min', (ARRAY['SAP', 'Zoho', 'sap', 'DHL'])[1 + least(i % 500, 3)], \
         CASE WHEN i % 900 = 0 THEN 'BAD' WHEN i % 901 = 0 THEN 'Bad' ELSE 'ok' END, i % 900, CASE WHEN i % 2 = 0 THEN 'Req-' ELSE 'req-' END || md5(i::text), md5(i::text)::uuid, \
         CASE WHEN i % 10 = 0 THEN 'req-' || md5((i - 1)::text) END, CASE WHEN i % 700 = 0 THEN 'inbound' ELSE 'outbound' END, CASE WHEN i % 800 = 0 THEN 'webhook' ELSE 'api_call' END \
         FROM generate_series(1, {ROWS}) i; \
         CREATE INDEX ON calls (at); CREATE INDEX ON calls (sys, at); CREATE INDEX ON calls (st, at); CREATE INDEX ON calls (req); CREATE INDEX ON calls (corr); \
         CREATE INDEX ON calls (parent); CREATE INDEX ON calls (way); CREATE INDEX ON calls (kind); ANALYZE calls"
    );
    let schema = calls("").replace(
        "duration = 'ms'",
        "duration = 'ms'\nrequest_id = 'req'\ncorrelation_id = 'corr'\nparent_request_id = 'parent'\ndirection = 'way'\nkind = 'kind'",
    );
    let Some(shop) = Shop::open(&sql, &schema).await else { return };
    let (names, source) = shop.source();
    let md5 = |n: u32| {
        let rows = shop.rows(&[&format!("id=\"{}/calls/{n}\"", shop.database)]);
        (
            rows[0]["request_id"].as_str().expect("a request").to_owned(),
            rows[0]["correlation_id"].as_str().expect("an id").to_owned(),
        )
    };
    let (request, correlation) = md5(77_777);
    let (other, _) = md5(88_888);
    let list: Vec<String> = (1..400).map(|n| format!("shop/calls/{}", n * 311)).collect();
    let context = Context { now: crosstail_core::model::Clock::system().now(), zone: chrono_tz::Tz::UTC };
    for (text, expected) in [
        (format!("request:{request}"), Some(1)),
        (format!("request:{}", request.to_uppercase()), Some(1)),
        (format!("request:{}", &request[..12]), None),
        (format!("request:({request}, {other})"), Some(2)),
        (format!("request=\"{request}\""), Some(1)),
        (format!("corr:{correlation}"), Some(1)),
        (format!("corr:{}", &correlation[..8]), None),
        (format!("parent:{request}"), None),
        ("id:shop/calls/77777".to_owned(), None),
        (format!("id:({})", list.join(", ")), None),
        ("status:failed".to_owned(), None),
        ("is:failure".to_owned(), None),
        ("system:zoho".to_owned(), Some(ROWS / 500)),
        ("system:(zoho, nobody)".to_owned(), Some(ROWS / 500)),
        ("dir:in".to_owned(), Some(ROWS / 700)),
        ("kind:webhook".to_owned(), Some(ROWS / 800)),
        (format!("request:{request} status:failed"), None),
        ("request:nothing-like-that".to_owned(), Some(0)),
    ] {
        let query = PageQuery { filter: Filter::parse(&text).expect(&text), context, ..PageQuery::all(5000) };
        let cost = source.plan(&query, &Job::default()).await.expect("a plan");
        assert!(cost.indexed, "{text}: {cost:?}");
        let page = source.page(&query, None, &Job::default()).await.expect("a page");
        let predicate = query.filter.predicate(&query.context);
        assert!(
            page.items.iter().all(|activity| predicate.keeps(&NamedRecord { activity, names: &names, payload: None })),
            "{text}"
        );
        if let Some(expected) = expected {
            assert_eq!(page.items.len(), expected, "{text}");
        }
    }
    // What no index answers is told, too.
    for text in ["-status:success", "latency>5s", "kind:api_call"] {
        let query = PageQuery { filter: Filter::parse(text).expect(text), context, ..PageQuery::all(10) };
        assert!(!source.plan(&query, &Job::default()).await.expect("a plan").indexed, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_heavy_rows_is_short() {
    let sql = "CREATE TABLE calls (id bigserial PRIMARY KEY, at timestamptz, sys text, st text, ms int, note text, code text); \
        INSERT INTO calls (at, sys, st, ms, note, code) SELECT now() - i * interval '1 s', 'SAP', 'ok', i, repeat('heavy ', 50000), repeat('x', 200000) FROM generate_series(1, 300) i";
    let schema = calls("").replace("duration = 'ms'", "duration = 'ms'\nmessage = 'note'\nerror_type = 'code'");
    let Some(shop) = Shop::open(sql, &schema).await else { return };
    let (_, source) = shop.source();
    let page = source.page(&PageQuery::all(5000), None, &Job::default()).await.expect("a page");
    assert!(page.items.len() < 200 && page.next.is_some(), "{}", page.items.len());
    let all = pages(source.as_ref(), 5000, true).await;
    assert_eq!((all.len(), distinct(&all)), (300, 300));
    // The list shows no more than this of a message; the payload has the rest.
    assert_eq!(all[0].message.as_ref().map(|text| text.len()), Some(10_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_table_name_in_two_schemas_is_read_in_both_or_told() {
    let table = "(id bigserial PRIMARY KEY, at timestamptz, sys text, st text, ms int)";
    let fill = "(at, sys, st) SELECT now() - i * interval '1 s', 'SAP', 'ok' FROM generate_series(1,";
    let sql = format!(
        "CREATE SCHEMA one; CREATE SCHEMA two; CREATE TABLE one.calls {table}; CREATE TABLE two.calls {table}; \
         INSERT INTO one.calls {fill} 10) i; INSERT INTO two.calls {fill} 7) i"
    );
    let Some(mut shop) = Shop::open(&sql, &calls("")).await else { return };
    let rows = shop.rows(&[]);
    let ids: BTreeSet<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!((rows.len(), ids.len()), (17, 17));
    shop.url = format!("{}?schema=two", shop.url);
    let output = crosstail(&["query", "-s", &shop.url, "--schema", &shop.schema(), "-o", "json", "--limit", "0"]);
    assert_eq!(lines(&output).len(), 7);
    assert!(String::from_utf8_lossy(&output.stderr).contains("one.calls"), "what is not read is told");
}

/// A source at an address, with a schema.
pub fn source_at(url: String, schema: &str) -> Arc<dyn Source> {
    let schema = Schema::from_toml(schema, "schema.toml").expect("a schema");
    let config =
        SourceConfig { name: "shop".to_owned(), at: vec![url], schema: Some(schema), ..SourceConfig::default() };
    crosstail::kinds::ALL.open(&config, &Names::default()).expect("opened").1
}

/// Pages in both directions have every row once, in order.
async fn comes_once(source: &dyn Source, count: usize, what: &str) -> Vec<Activity> {
    let mut all = Vec::new();
    for newest_first in [false, true] {
        all = pages(source, 64, newest_first).await;
        assert_eq!((all.len(), distinct(&all)), (count, count), "{what} {newest_first}");
        assert!(all.windows(2).all(|two| {
            let key = |a: &Activity| (a.started_at, a.id.to_string());
            if newest_first { key(&two[0]) > key(&two[1]) } else { key(&two[0]) < key(&two[1]) }
        }));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_mysql_comes_once_whatever_its_time_is() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    for (holds, expression, table) in [
        ("DOUBLE", "1790000000.5 + FLOOR(n / 3) * 0.0000001", "time_unit = 's'\n"),
        ("DECIMAL(20, 8)", "1790000000.5 + FLOOR(n / 3) * 0.0000001", "time_unit = 's'\n"),
        ("BIGINT", "1790000000 + FLOOR(n / 40)", "time_unit = 's'\n"),
        (
            "DATETIME",
            "TIMESTAMP('2026-11-01 01:30:00') + INTERVAL FLOOR(n / 40) * 7 MINUTE",
            "time_zone = 'America/New_York'\n",
        ),
        (
            "VARCHAR(40)",
            "DATE_FORMAT(TIMESTAMP('2026-01-01') + INTERVAL FLOOR(n / 40) SECOND, '%Y-%m-%dT%H:%i:%s.250Z')",
            "",
        ),
    ] {
        let database = server.mysql_database(&[]).await;
        let mut connection = server.mysql_connection(&database).await;
        let text = format!(
            "CREATE TABLE calls (dag VARCHAR(20), n INT, at {holds} NULL, sys VARCHAR(20), st VARCHAR(20), ms INT, PRIMARY KEY (dag, n)); \
             INSERT INTO calls (dag, n, at, sys, st, ms) WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 700) \
             SELECT 'a/b', n, {expression}, 'SAP', 'ok', n FROM r; \
             INSERT INTO calls (dag, n, at, sys, st, ms) WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 200) \
             SELECT 'c', n, NULL, 'DHL', 'bad', n FROM r"
        );
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.expect("filled");
        for id in ["['dag', 'n']", "'n'"] {
            let source = source_at(server.url(&database), &calls(table).replace("id = 'id'", &format!("id = {id}")));
            let all = comes_once(source.as_ref(), 900, &format!("{holds} {id}")).await;
            assert!(all[0].started_at.rfc3339().starts_with("2026"), "{holds}: {}", all[0].started_at);
            let payload =
                source.payload(&all[0].id, &all[0].places[0].locator, &Job::default()).await.expect("its payload");
            assert!(payload.raw[0].text().contains("SAP"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_of_mysql_answer_ids_beginnings_statuses_and_systems() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&[]).await;
    let mut connection = server.mysql_connection(&database).await;
    let text = "SET SESSION cte_max_recursion_depth = 100000, SESSION max_recursive_iterations = 100000";
    for setting in text.trim_start_matches("SET ").split(", ") {
        // MySQL and MariaDB have one of them each.
        let _ = sqlx::raw_sql(AssertSqlSafe(format!("SET {setting}"))).execute(&mut connection).await;
    }
    let text = "CREATE TABLE calls (id BIGINT AUTO_INCREMENT PRIMARY KEY, at DATETIME(6), sys VARCHAR(20), st VARCHAR(20), ms INT, req VARCHAR(60), corr BINARY(16), \
        KEY (at), KEY (sys, at), KEY (st, at), KEY (req), KEY (corr)) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_general_ci; \
        INSERT INTO calls (at, sys, st, ms, req, corr) WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 20000) \
        SELECT UTC_TIMESTAMP(6) - INTERVAL n MINUTE, CASE WHEN n % 500 = 0 THEN 'Zoho' ELSE 'SAP' END, CASE WHEN n % 900 = 0 THEN 'BAD' ELSE 'ok' END, n, \
        CONCAT('Req-', MD5(n)), UNHEX(MD5(n)) FROM r; ANALYZE TABLE calls";
    sqlx::raw_sql(text).execute(&mut connection).await.expect("filled");
    let schema = calls("").replace("duration = 'ms'", "duration = 'ms'\nrequest_id = 'req'\ncorrelation_id = 'corr'");
    let source = source_at(server.url(&database), &schema);
    let context = Context { now: crosstail_core::model::Clock::system().now(), zone: chrono_tz::Tz::UTC };
    let list = |of: &str| (1..=400).map(|n| format!("{of}{}", n * 49)).collect::<Vec<_>>().join(", ");
    let requests: Vec<String> = source
        .page(&PageQuery::all(400), None, &Job::default())
        .await
        .expect("a page")
        .items
        .iter()
        .filter_map(|one| one.request_id.as_ref().map(ToString::to_string))
        .collect();
    let (ids, requests) = (format!("id=({})", list("shop/calls/")), format!("request:({})", requests.join(", ")));
    for (text, expected) in [
        (ids.as_str(), 400),
        (requests.as_str(), 400),
        ("request:req-c4ca4238a0b923820dcc509a6f75849b", 1),
        ("request:REQ-C4CA4238A0B9", 1),
        ("request:(req-c4ca4238a0b923820dcc509a6f75849b, req-c81e728d9d4c2f636f067f89cc14862c)", 2),
        ("corr:c4ca4238-a0b9-2382-0dcc-509a6f75849b", 1),
        ("corr:c4ca4238-a0b9", 1),
        ("id:shop/calls/777", 11),
        ("status:failed", 22),
        ("system:zoho", 40),
    ] {
        let query = PageQuery { filter: Filter::parse(text).expect(text), context, ..PageQuery::all(5000) };
        assert_eq!(source.page(&query, None, &Job::default()).await.expect("a page").items.len(), expected, "{text}");
        let cost = source.plan(&query, &Job::default()).await.expect("a plan");
        assert!(cost.indexed, "{text}: {cost:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_mysql_that_no_schema_knows_is_shown() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&[]).await;
    let mut connection = server.mysql_connection(&database).await;
    let text = "CREATE TABLE `tabIntegration Request` (name VARCHAR(140) PRIMARY KEY, creation DATETIME(6), modified DATETIME(6), owner VARCHAR(140), \
        integration_request_service VARCHAR(140), status VARCHAR(140), url TEXT, request_headers LONGTEXT, data LONGTEXT, output LONGTEXT, error LONGTEXT); \
        INSERT INTO `tabIntegration Request` (name, creation, integration_request_service, status, url, error) WITH RECURSIVE r (n) AS \
        (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 30) SELECT CONCAT('r', n), UTC_TIMESTAMP(6) - INTERVAL n MINUTE, 'Stripe', \
        CASE WHEN n % 3 = 0 THEN 'Failed' ELSE 'Completed' END, 'https://api.example/v1', CASE WHEN n % 3 = 0 THEN 'refused' END FROM r";
    sqlx::raw_sql(text).execute(&mut connection).await.expect("filled");
    let url = server.url(&database);
    let output = crosstail(&["query", "-s", &url, "-o", "json", "--limit", "0"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("tabIntegration Request is read by its names"), "{said}");
    let rows = lines(&output);
    assert!(rows.len() == 30 && rows.iter().all(|row| row["system"] == "Stripe"), "{said}");
    let failed = lines(&crosstail(&["query", "-s", &url, "-o", "json", "--limit", "0", "status:failed"]));
    assert_eq!(failed.len(), 10, "{said}");
    let draft = crosstail(&["schema", "draft", "--from", &url]);
    let schema = Schema::from_toml(&String::from_utf8(draft.stdout).expect("UTF-8"), "draft").expect("a schema");
    assert_eq!(schema.table.expect("a table").name, "tabIntegration Request");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_sqlite_comes_once_whatever_its_time_is() {
    use sqlx::ConnectOptions as _;
    let folder = tempfile::tempdir().expect("a folder");
    for (number, (holds, expression, table)) in [
        ("REAL", "1790000000.5 + (n / 3) * 0.0000001", "time_unit = 's'\n"),
        ("INTEGER", "1790000000 + n / 40", "time_unit = 's'\n"),
        ("TEXT", "strftime('%Y-%m-%dT%H:%M:%S', '2026-01-01', '+' || (n / 40) || ' seconds') || '.250125Z'", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(format!("{number}.sqlite"));
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection = options.connect().await.expect("created");
        let text = format!(
            "CREATE TABLE calls (dag TEXT, n INTEGER, at {holds}, sys TEXT, st TEXT, ms INTEGER, PRIMARY KEY (dag, n)); \
             INSERT INTO calls WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 700) SELECT 'a/b', n, {expression}, 'SAP', 'ok', n FROM r; \
             INSERT INTO calls WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 200) SELECT 'c', n, NULL, 'DHL', 'bad', n FROM r"
        );
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.expect("filled");
        for id in ["['dag', 'n']", "'n'"] {
            let url = format!("sqlite://{}", path.display());
            let source = source_at(url, &calls(table).replace("id = 'id'", &format!("id = {id}")));
            let all = comes_once(source.as_ref(), 900, &format!("{holds} {id}")).await;
            assert!(all[0].started_at.rfc3339().starts_with("2026"), "{holds}: {}", all[0].started_at);
            let payload =
                source.payload(&all[0].id, &all[0].places[0].locator, &Job::default()).await.expect("its payload");
            assert!(payload.raw[0].text().contains("SAP"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_what_is_derived_are_the_servers_work() {
    let Some(postgres) = shared(Kind::Postgres).await else { return };
    let Some(mysql) = shared(Kind::Mysql).await else { return };
    let insert = |numbers: &str, metadata: &str, since: &str| {
        format!(
            "INSERT INTO integration_activity_log (method, endpoint, status, response_status, response_time_ms, metadata, \
             created_at) SELECT 'POST', concat('https://api.', CASE WHEN n % 3 = 0 THEN 'stripe' ELSE 'shop' END, '.com:443/v1/a?n=', \
             n % 40), CASE WHEN n % 10 = 0 THEN 'error' WHEN n % 10 = 1 THEN NULL ELSE 'success' END, CASE WHEN n % 10 < 2 THEN \
             502 ELSE 200 END, n % 90, CASE WHEN n % 4 = 0 THEN {metadata} END, {since} FROM {numbers}"
        )
    };
    let database = postgres.postgres_database(&["integration-activity"]).await;
    let mut on = postgres.postgres_connection(&database).await;
    let since = "now() - n * interval '1 second'";
    let sql = insert("generate_series(1, 3000) n", "'{\"provider\": \"SAP\"}'::jsonb", since);
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut on).await.expect("written");
    let other = mysql.mysql_database(&["integration-activity"]).await;
    let mut on = mysql.mysql_connection(&other).await;
    let since = "UTC_TIMESTAMP(6) - INTERVAL n SECOND";
    let sql = insert("(SELECT seq AS n FROM seq_1_to_3000) numbers", "'{\"provider\": \"SAP\"}'", since);
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut on).await.expect("written");
    for url in [postgres.url(&database), mysql.url(&other)] {
        let (names, source) = crate::support::open(&[url]);
        for text in ["", "system:stripe", "-system:sap is:failure", "endpoint:/v1*"] {
            for by in [Field::System, Field::Endpoint, Field::Status, Field::Is] {
                let filter = Filter::parse(text).expect(text);
                let query = PageQuery { filter, ..PageQuery::all(1000) };
                let grouping = Grouping { by: vec![by], bucket_us: Some(600_000_000), ..Grouping::default() };
                let all = aggregate_locally(source.as_ref(), &query, &grouping, &names, &Job::default()).await;
                // Reading the rows would take more than that.
                let job = Job::default().reading_at_most(Budget { rows: 2500, bytes: u64::MAX });
                let counted = source.aggregate(&query, &grouping, &job).await.expect("the server counts");
                assert_eq!(counted, all.expect("read"), "{} of {text}: {:?}", by.name(), source.capabilities());
                assert!(counted.len() > 3, "{text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_postgres_with_heirs_dots_arrays_and_endless_durations_are_read_as_they_are() {
    let sql = "CREATE TABLE calls (id bigint PRIMARY KEY, at timestamptz, sys text, st text, ms numeric, labels text[]); \
        CREATE TABLE calls_old () INHERITS (calls); \
        INSERT INTO calls VALUES (1, now(), 'here', 'ok', 1e30, ARRAY['a,b', 'NULL', NULL, '{c}', 'd \"e\" \\f', '']), (2, now(), 'here', 'ok', 7, NULL); \
        INSERT INTO calls_old VALUES (1, now(), 'heir', 'bad', 'NaN', '{}'), (2, now(), 'heir', 'ok', 'Infinity', '{x}'); \
        CREATE SCHEMA \"Odd.Schema\"; \
        CREATE TABLE \"Odd.Schema\".\"My \"\"Table\"\".x\" (\"Id\" int PRIMARY KEY, \"Created At\" timestamptz, \"sys'\" text); \
        INSERT INTO \"Odd.Schema\".\"My \"\"Table\"\".x\" VALUES (1, now(), 'odd')";
    let schema = calls("").replace("duration = 'ms'", "duration = 'ms'\ntags = 'labels'");
    let Some(shop) = Shop::open(sql, &schema).await else { return };
    // A key is unique in one table, and not in those that inherit from it.
    let rows = shop.rows(&[]);
    let ids: BTreeSet<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!((rows.len(), ids.len()), (4, 4), "{ids:?}");
    for (system, count) in [("here", 2), ("heir", 2)] {
        assert_eq!(rows.iter().filter(|row| row["system"] == system).count(), count);
    }
    let (_, source) = shop.source();
    for row in source.page(&PageQuery::all(10), None, &Job::default()).await.expect("a page").items {
        let payload = source.payload(&row.id, &row.places[0].locator, &Job::default()).await.expect("its payload");
        assert!(format!("{payload:?}").contains(row.system.as_deref().expect("a system")), "{payload:?}");
    }
    let of = |tags: &str| rows.iter().filter(|row| row["tags"].to_string().contains(tags)).count();
    assert_eq!((of("{c}"), of("\"NULL\""), of("d \\\"e\\\" \\\\f"), of("\"x\"")), (1, 1, 1, 1), "{rows:?}");
    // What is longer than centuries is no duration, and says nothing of the others.
    let groups = source.aggregate(&PageQuery::all(10), &Grouping::default(), &Job::default()).await.expect("figures");
    let latencies: Vec<u64> = groups.values().map(|figures| figures.latencies.count()).collect();
    assert_eq!(latencies, [1], "{groups:?}");
    assert_eq!(rows.iter().filter(|row| row["duration_ms"].is_number()).count(), 1);
    let odd = "name = 'odd'\n[table]\nname = 'Odd.Schema.My \"Table\".x'\nid = 'Id'\ntime = 'Created At'\n[fields]\nstarted_at = 'Created At'\nsystem = \"sys'\"\n";
    let source = source_at(shop.url.clone(), odd);
    let rows = source.page(&PageQuery::all(10), None, &Job::default()).await.expect("a page").items;
    assert_eq!(rows.len(), 1);
    source.payload(&rows[0].id, &rows[0].places[0].locator, &Job::default()).await.expect("its payload");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_postgres_that_changes_while_it_is_followed_is_taken_up() {
    let create = "CREATE TABLE calls (id bigserial PRIMARY KEY, at timestamptz, sys text, st text, ms int)";
    let insert =
        |sys: &str, ms: &str| format!("INSERT INTO calls (at, sys, st, ms) VALUES (now(), '{sys}', 'ok', {ms})");
    let old = "INSERT INTO calls (at, sys, st, ms) SELECT now() - i * interval '2 days', 'old', 'ok', i FROM generate_series(1, 5) i";
    let schema = calls("").replace("duration = 'ms'", "duration = 'ms'\nmessage = 'note'");
    let Some(shop) = Shop::open(&format!("{create}; {old}"), &schema).await else { return };
    let (_, source) = shop.source();
    let Following { mut updates, cancel, errors } = Following::begin(&source).await;
    for (step, changes) in [
        ("before", vec![insert("before", "12")]),
        // Every row is written anew, while the newest may not have been looked for.
        ("text", vec!["ALTER TABLE calls ALTER COLUMN ms TYPE text".to_owned(), insert("text", "'n/a'")]),
        ("added", vec!["ALTER TABLE calls ADD COLUMN note text".to_owned(), insert("added", "'7'")]),
        ("number", vec!["ALTER TABLE calls ALTER COLUMN ms TYPE int USING 3".to_owned(), insert("number", "7")]),
        // The time is of another type, and all bounds are those of the old one.
        (
            "epoch",
            vec![
                "ALTER TABLE calls ALTER COLUMN at TYPE bigint USING (extract(epoch FROM at) * 1000000)::bigint".to_owned(),
                "INSERT INTO calls (at, sys, st, ms) VALUES ((extract(epoch FROM now()) * 1000000)::bigint, 'epoch', 'ok', 7)".to_owned(),
            ],
        ),
        ("again", vec![format!("DROP TABLE calls; {create}"), insert("again", "7")]),
    ] {
        for change in changes {
            shop.run(&change).await;
        }
        let found = async {
            loop {
                if let SourceEvent::Batch(batch, _) = updates.recv().await.expect("following goes on") {
                    assert!(!batch.iter().any(|one| one.system.as_deref() == Some("old")), "{step}");
                    if batch.iter().any(|one| one.system.as_deref() == Some(step)) {
                        return;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect(step);
    }
    cancel.cancel();
    errors.await.expect("joined");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_mysql_with_dots_and_endless_durations_is_read_as_it_is() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&[]).await;
    let mut connection = server.mysql_connection(&database).await;
    let text = "CREATE TABLE `odd.table` (id INT PRIMARY KEY, at DATETIME, `sys.name` VARCHAR(10), st VARCHAR(5), `x``y` DOUBLE); \
        INSERT INTO `odd.table` VALUES (1, UTC_TIMESTAMP(), 'a', 'ok', 1e30), (2, UTC_TIMESTAMP(), 'b', 'ok', 5), (3, NULL, 'c', 'ok', -1)";
    sqlx::raw_sql(text).execute(&mut connection).await.expect("filled");
    let schema = "name = 'odd'\n[table]\nname = 'odd.table'\nid = 'id'\ntime = 'at'\n[fields]\nstarted_at = 'at'\nsystem = 'sys.name'\nduration = 'x`y'\nstatus = 'st'\n";
    let source = source_at(server.url(&database), schema);
    let rows = source.page(&PageQuery::all(10), None, &Job::default()).await.expect("a page").items;
    assert_eq!(
        rows.iter().map(|row| row.duration_us).collect::<Vec<_>>().iter().flatten().collect::<Vec<_>>(),
        [&5000]
    );
    assert_eq!(rows.len(), 3);
    let groups = source.aggregate(&PageQuery::all(10), &Grouping::default(), &Job::default()).await.expect("figures");
    assert_eq!(groups.values().map(|figures| figures.latencies.count()).collect::<Vec<_>>(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_postgres_and_mysql_that_are_none_are_told() {
    let schema = "name = 'calls'\n[table]\nname = 'calls'\nid = 'id'\ntime = 'at'\ntime_unit = 's'\n[fields]\nstarted_at = 'at'\n";
    let cases = [
        ("varchar(40)", "(1, '2026-11-26T10:00:00Z'), (2, NULL), (3, '')", None),
        ("varchar(40)", "(1, '2026-11-26T10:00:00Z'), (2, '26.11.2026')", Some("26.11.2026")),
        ("bigint", "(1, 1790000000), (2, NULL)", None),
        ("bigint", "(1, 1790000000), (2, 1790000000123)", Some("1790000000123")),
    ];
    let told = async |source: Arc<dyn Source>, case: &str, expected: Option<&str>| {
        let warnings = source.probe(&Job::default()).await.expect("a probe").warnings;
        // Of numbers, it may be known in which unit they are.
        let found = warnings.iter().find(|text| text.contains("time_unit"));
        assert_eq!(found.is_some(), expected.is_some(), "{case}: {warnings:?}");
        let example = expected.unwrap_or_default();
        assert!(found.is_none_or(|text| text.contains(example) || text.contains("\"ms\"")), "{case}: {warnings:?}");
    };
    for (holds, values, expected) in cases {
        let make = format!("CREATE TABLE calls (id int PRIMARY KEY, at {holds}); INSERT INTO calls VALUES {values}");
        if let Some(server) = shared(Kind::Postgres).await {
            let database = server.postgres_database(&[]).await;
            let mut connection = server.postgres_connection(&database).await;
            sqlx::raw_sql(AssertSqlSafe(make.clone())).execute(&mut connection).await.expect("filled");
            told(source_at(server.url(&database), schema), values, expected).await;
        }
        if let Some(server) = shared(Kind::Mysql).await {
            let database = server.mysql_database(&[]).await;
            let mut connection = server.mysql_connection(&database).await;
            sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut connection).await.expect("filled");
            told(source_at(server.url(&database), schema), values, expected).await;
        }
    }
}

/// Texts of digits with a fraction are read; digits of dates, which are no time since the epoch, are told, and never of 1970.
pub async fn digits_are_read_or_told(source: &dyn Source, is_text: bool) {
    let all = pages(source, 10, false).await;
    let times: Vec<(bool, i64)> = all.iter().map(|one| (one.exact_start, one.started_at.0)).collect();
    let warnings = source.probe(&Job::default()).await.expect("a probe").warnings;
    if is_text {
        assert_eq!(times, [(true, 1_790_000_000_250_000), (true, 1_790_000_000_500_123)], "{warnings:?}");
    } else {
        assert!(times.len() == 2 && times.iter().all(|(exact, _)| !exact), "{times:?}");
        let text = warnings.join("; ");
        assert!(text.contains("the digits of dates") && text.contains("20261127101"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_of_postgres_and_mysql_are_read_or_told() {
    for (holds, values, is_text) in [
        ("varchar(40)", "(1, '1790000000500.1234'), (2, '1790000000.25')", true),
        ("bigint", "(1, 20261127101432), (2, 20261127101433)", false),
        ("decimal(15, 0)", "(1, 20261127101432), (2, 20261127101433)", false),
    ] {
        let make = format!(
            "CREATE TABLE calls (id int PRIMARY KEY, at {holds}, sys text, st text, ms int); INSERT INTO calls (id, at) VALUES {values}"
        );
        if let Some(server) = shared(Kind::Postgres).await {
            let database = server.postgres_database(&[]).await;
            let mut connection = server.postgres_connection(&database).await;
            sqlx::raw_sql(AssertSqlSafe(make.clone())).execute(&mut connection).await.expect("filled");
            digits_are_read_or_told(source_at(server.url(&database), &calls("")).as_ref(), is_text).await;
        }
        if let Some(server) = shared(Kind::Mysql).await {
            let database = server.mysql_database(&[]).await;
            let mut connection = server.mysql_connection(&database).await;
            sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut connection).await.expect("filled");
            digits_are_read_or_told(source_at(server.url(&database), &calls("")).as_ref(), is_text).await;
        }
    }
}
