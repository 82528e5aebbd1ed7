//! PostgreSQL: what is particular to it. The contract is in `conformance`, the filters in `filters`.

use crate::servers::{Kind, shared};
use crate::support::{Running, crosstail, lines, open, wait_for};
use crosstail_core::model::{Locator, Names, Status};
use crosstail_source::SourceConfig;
use crosstail_source::{ErrorKind, Grouping, Job, Measures, PageQuery, RelatedKey, SourceEvent};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

async fn run(on: &mut PgConnection, sql: impl Into<String>) {
    let sql = sql.into();
    sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(on).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Writers whose transactions commit in another order than they began, with savepoints that are rolled back, and rows
/// that are completed later: what they say they wrote.
async fn write_out_of_order(server: &crate::servers::Server, database: &str) -> BTreeMap<String, Option<Status>> {
    let mut tasks = Vec::new();
    for task in 0..6u64 {
        let mut connection = server.postgres_connection(database).await;
        tasks.push(tokio::spawn(async move {
            let mut rng = fastrand::Rng::with_seed(task);
            let mut said = BTreeMap::new();
            for _ in 0..12 {
                run(&mut connection, "BEGIN").await;
                let mut open = Vec::new();
                for n in 0..rng.usize(1..6) {
                    let id = uuid::Builder::from_random_bytes(rng.u128(..).to_le_bytes()).into_uuid().to_string();
                    let insert = |id: &str| {
                        format!(
                            "INSERT INTO integration_activity_log (id, direction, activity_type, method, endpoint, status) \
                             VALUES ('{id}', 'outgoing', 'api_call', 'GET', 'https://x.example/a', 'started')"
                        )
                    };
                    if n % 2 == 1 {
                        run(&mut connection, format!("SAVEPOINT s; {}", insert(&id))).await;
                        if rng.bool() {
                            run(&mut connection, "ROLLBACK TO SAVEPOINT s").await;
                            continue;
                        }
                        run(&mut connection, "RELEASE SAVEPOINT s").await;
                    } else {
                        run(&mut connection, insert(&id)).await;
                    }
                    open.push(id);
                }
                // created_at is the beginning of the transaction: it is old by the time it can be seen.
                tokio::time::sleep(Duration::from_millis(rng.u64(0..900))).await;
                if rng.u8(0..6) == 0 {
                    run(&mut connection, "ROLLBACK").await;
                    continue;
                }
                run(&mut connection, "COMMIT").await;
                for id in open {
                    let (word, status) = [
                        ("success", Some(Status::Success)),
                        ("error", Some(Status::Failed)),
                        ("timeout", Some(Status::Timeout)),
                        ("started", Some(Status::InProgress)),
                    ][rng.usize(0..4)];
                    if status != Some(Status::InProgress) {
                        let update = format!("UPDATE integration_activity_log SET status = '{word}', response_time_ms = 5 WHERE id = '{id}'");
                        run(&mut connection, update).await;
                    }
                    said.insert(id, status);
                }
            }
            said
        }));
    }
    let mut said = BTreeMap::new();
    for task in tasks {
        said.extend(task.await.expect("joined"));
    }
    said
}

async fn out_of_order_commits_are_all_seen(notify: bool) {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["integration-activity"]).await;
    let url = server.url(&database);
    if notify {
        let applied = crosstail(&["schema", "apply", "integration-activity", "--notify", "--to", &url, "--yes"]);
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    }
    let (names, source) = open(std::slice::from_ref(&url));
    let mut running = Running::start(&names, Arc::clone(&source));
    running.live().await;
    assert_eq!(source.capabilities().pushes, notify);
    let said = write_out_of_order(&server, &database).await;
    assert!(said.len() > 80);
    running.until("what was written", |running| running.statuses() == said).await;
    let rows = lines(&crosstail(&["query", "--limit", "0", "-o", "json", "-s", &url]));
    let found: BTreeMap<String, Option<Status>> = rows
        .iter()
        .map(|row| (row["id"].as_str().expect("id").to_owned(), row["status"].as_str().and_then(Status::parse)))
        .collect();
    assert_eq!(rows.len(), found.len(), "none twice");
    assert_eq!(found, said);
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_order_commits_are_all_seen_by_polling() {
    out_of_order_commits_are_all_seen(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_order_commits_are_all_seen_with_the_trigger() {
    out_of_order_commits_are_all_seen(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_began_long_ago_changes_in_place() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["integration-activity"]).await;
    let mut connection = server.postgres_connection(&database).await;
    run(
        &mut connection,
        "INSERT INTO integration_activity_log (id, status, activity_type, created_at) SELECT gen_random_uuid(), \
        'started', 'sync_import', now() - n * interval '1 day' FROM generate_series(1, 40) n",
    )
    .await;
    let (names, source) = open(&[server.url(&database)]);
    let mut running = Running::start(&names, source);
    running.live().await;
    assert_eq!(running.store.len(), 40);
    run(
        &mut connection,
        "UPDATE integration_activity_log SET status = 'failed' WHERE created_at < now() - interval '39 days'",
    )
    .await;
    let failed = |running: &Running| running.statuses().values().filter(|s| **s == Some(Status::Failed)).count();
    running.until("the old row to change", |running| failed(running) == 2).await;
}

/// More rows without a time than one query reads, in one transaction.
#[tokio::test(flavor = "multi_thread")]
async fn many_rows_without_a_time_are_all_seen() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["integration-activity"]).await;
    let mut connection = server.postgres_connection(&database).await;
    run(&mut connection, "ALTER TABLE integration_activity_log ALTER COLUMN created_at DROP NOT NULL").await;
    let (names, source) = open(&[server.url(&database)]);
    let mut running = Running::start(&names, source);
    running.live().await;
    run(
        &mut connection,
        "INSERT INTO integration_activity_log (id, status, activity_type, created_at) SELECT gen_random_uuid(), \
        'success', 'sync_import', NULL FROM generate_series(1, 5000) n",
    )
    .await;
    running.until("all of them", |running| running.store.len() == 5000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_with_an_old_time_while_nobody_listened_is_seen() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["integration-activity"]).await;
    let mut connection = server.postgres_connection(&database).await;
    let (_, source) = open(&[server.url(&database)]);
    let mut position = serde_json::to_value(source.position(&Job::default()).await.expect("position")).expect("JSON");
    // As if it had been taken an hour ago.
    position["time_us"] = (position["time_us"].as_i64().expect("a time") - 3_600_000_000).into();
    run(
        &mut connection,
        "INSERT INTO integration_activity_log (status, created_at) SELECT 'success', now() - n * interval '1 day' \
        FROM generate_series(1, 300) n",
    )
    .await;
    let (sink, mut updates) = crosstail_source::Sink::channel(100);
    let position = serde_json::from_value(position).expect("a position");
    tokio::spawn(async move { source.follow(position, &sink, &Job::default()).await });
    let (found, _) = crate::support::collect(&mut updates, |found| found.len() >= 300).await;
    assert_eq!(found.len(), 300, "once each");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_concurrent_writes_are_all_seen() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["integration-activity"]).await;
    let (names, source) = open(&[server.url(&database)]);
    let mut running = Running::start(&names, source);
    running.live().await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let mut connection = server.postgres_connection(&database).await;
        tasks.push(tokio::spawn(async move {
            for _ in 0..50 {
                // 50 rows, each of which is updated in a transaction of its own.
                run(&mut connection, "CREATE TEMP TABLE IF NOT EXISTS mine (id uuid); TRUNCATE mine; WITH new AS (INSERT INTO \
                    integration_activity_log (status, activity_type) SELECT 'started', 'api_call' FROM generate_series(1, 50) \
                    RETURNING id) INSERT INTO mine SELECT id FROM new").await;
                run(&mut connection, "DO $$ DECLARE one uuid; BEGIN FOR one IN SELECT id FROM mine LOOP UPDATE integration_activity_log \
                    SET status = 'success', response_status = 200 WHERE id = one; COMMIT; END LOOP; END $$").await;
            }
        }));
    }
    let done = |running: &Running| {
        running.store.len() == 10_000 && running.statuses().values().all(|status| *status == Some(Status::Success))
    };
    for task in tasks {
        task.await.expect("joined");
    }
    running.until("all 20,000 writes", done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_takes_no_right_but_select() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database =
        server.postgres_database(&["prokure", "integration-activity", "log-tracking", "engineering-logs"]).await;
    let mut connection = server.postgres_connection(&database).await;
    let role = format!("reader_{database}");
    run(&mut connection, format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA integration TO {role}; \
         GRANT SELECT ON ALL TABLES IN SCHEMA public, integration TO {role}; REVOKE ALL ON log_entries FROM {role}; \
         CREATE POLICY reader ON integration_activity_log FOR SELECT TO {role} USING (true); \
         REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
         INSERT INTO integration_activity_log (status, activity_type, metadata) VALUES ('success', 'api_call', '{{\"correlation_id\": \"c\"}}'); \
         INSERT INTO logs (level, service, message, request_id, cpu_usage, memory_usage) VALUES ('WARN', 'auth', 'slow', 'r1', 71, 512)"
    )).await;
    let url = server.url(&database).replace("postgres@", &format!("{role}@"));
    let (names, source) = open(std::slice::from_ref(&url));
    // What one table lacks is said, and the others work.
    let probe = source.probe(&Job::default()).await.expect("probed");
    assert!(
        probe.warnings.iter().any(|w| w.contains("log_entries") && w.contains("GRANT SELECT")),
        "{:?}",
        probe.warnings
    );
    // A policy that takes rows away, of anybody's making, is seen; one that gives all is not complained of.
    assert!(!format!("{:?}", probe.warnings).contains("row-level"), "{:?}", probe.warnings);
    run(&mut connection, "CREATE POLICY few ON integration_activity_log AS RESTRICTIVE USING (status = 'success')")
        .await;
    let few = source.probe(&Job::default()).await.expect("probed").warnings;
    assert!(few.iter().any(|w| w.starts_with("integration_activity_log: row-level security hides rows")), "{few:?}");
    run(&mut connection, "DROP POLICY few ON integration_activity_log").await;
    let mut running = Running::start(&names, Arc::clone(&source));
    running.live().await;
    assert_eq!(running.store.len(), 2);
    run(&mut connection, "INSERT INTO alerts (title, severity) VALUES ('disk', 'CRITICAL')").await;
    running.until("the alert", |running| running.store.len() == 3).await;
    let stats = crosstail(&["stats", "--by", "kind", "-o", "json", "-s", &url]);
    assert!(String::from_utf8_lossy(&stats.stderr).contains("log_entries may not be read"));
    assert_eq!(lines(&stats).len(), 3);
    let shown = crosstail(&["show", &format!("{database}/logs/1"), "-o", "json", "-s", &url]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    drop(running);
    let related = source
        .related(&RelatedKey::correlation("c".to_owned()), 10, &Job::default())
        .await
        .expect("related")
        .activities;
    assert_eq!(related.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_said_without_the_secret() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["log-tracking"]).await;
    let mut connection = server.postgres_connection(&database).await;
    run(
        &mut connection,
        "DO $$ BEGIN CREATE ROLE locked LOGIN PASSWORD 'right'; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )
    .await;
    let url = format!("postgres://locked:hunter2secret@127.0.0.1:{}/{database}", server.port);
    let output = crosstail(&["query", "-s", &url]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("password authentication failed"), "{said}");
    assert!(said.contains("check the user and the password"), "{said}");
    assert!(!said.contains("hunter2secret"), "{said}");
    let (_, source) = open(&[url]);
    let error = source.probe(&Job::default()).await.expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Auth, "not tried again and again: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_fit_are_shown_and_a_payload_of_20_mb_is_read() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["integration-activity"]).await;
    let mut connection = server.postgres_connection(&database).await;
    run(&mut connection, "INSERT INTO integration_activity_log (id, status, activity_type, created_at, direction, response_status, error_message) VALUES \
        ('00000000-0000-4000-8000-000000000001', 'unheard of', 'nothing we know', NULL, 'sideways', 99999, E'a\\u001b[31mb'), \
        ('00000000-0000-4000-8000-000000000002', 'success', 'api_call', 'infinity', 'outgoing', -5, NULL), \
        ('00000000-0000-4000-8000-000000000003', NULL, NULL, now(), NULL, NULL, NULL); \
        INSERT INTO integration_activity_log (id, status, activity_type, response_body) SELECT '00000000-0000-4000-8000-000000000004', \
        'success', 'api_call', jsonb_build_object('text', repeat('0123456789', 2000000))").await;
    let url = server.url(&database);
    let (names, source) = open(std::slice::from_ref(&url));
    let mut running = Running::start(&names, Arc::clone(&source));
    running.live().await;
    assert_eq!(running.store.len(), 4, "every row is there: {:?}", running.statuses());
    run(&mut connection, "INSERT INTO integration_activity_log (id, status, created_at) VALUES ('00000000-0000-4000-8000-000000000005', 'success', NULL)").await;
    running.until("a row without a time that comes live", |running| running.store.len() == 5).await;
    let large = crosstail_core::model::Id::parse("00000000-0000-4000-8000-000000000004");
    let payload =
        source.payload(&large, &Locator::Key(large.to_string().into()), &Job::default()).await.expect("payload");
    assert_eq!(payload.response.body.expect("a body").value()["text"].as_str().expect("text").len(), 20_000_000);
    let output = crosstail(&["query", "-s", &url]);
    assert!(!output.stdout.contains(&0x1b), "no escape reaches the terminal");
    assert_eq!(lines(&crosstail(&["query", "--limit", "0", "-o", "json", "-s", &url])).len(), 5);
    let groups = lines(&crosstail(&["stats", "--by", "kind", "-o", "json", "-s", &url]));
    assert_eq!(groups.iter().filter_map(|group| group["count"].as_u64()).sum::<u64>(), 5);
}

/// In large tables each period is counted by itself: with the same figures as one statement for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn periods_that_are_counted_by_themselves_add_up() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["integration-activity"]).await;
    let mut connection = server.postgres_connection(&database).await;
    run(&mut connection, "INSERT INTO integration_activity_log (status, response_status, activity_type, direction, created_at) \
        SELECT (ARRAY['success', 'error', 'started'])[1 + n % 3], CASE WHEN n % 7 = 0 THEN 503 WHEN n % 2 = 0 THEN 200 END, 'api_call', \
        'outgoing', timestamptz '2024-05-06 07:08:09.5Z' + n * interval '7.3 s' FROM generate_series(1, 110000) n; \
        INSERT INTO integration_activity_log (status, activity_type, direction, created_at) \
        VALUES ('error', 'api_call', 'outgoing', NULL), ('error', 'api_call', 'outgoing', 'infinity')").await;
    run(&mut connection, "ANALYZE").await;
    let (_, source) = open(&[server.url(&database)]);
    let at = |text: &str| crosstail_core::model::parse_timestamp(text);
    let job = Job::default();
    let mut is_quick = Vec::new();
    for index in ["idx_integration_activity_created", "none"] {
        for (since, until) in [
            (None, None),
            (at("2024-05-07T01:02:03.456Z"), at("2024-05-12T23:59:59Z")),
            (None, at("2020-01-01T00:00:00Z")),
        ] {
            // 110,000 rows are nine days: of these periods there are few, and more than a statement counts by themselves.
            for minutes in [360, 7, 1] {
                let query = PageQuery { since, until, ..PageQuery::all(1000) };
                let grouping = Grouping { bucket_us: Some(minutes * 60_000_000), ..Grouping::default() };
                let whole = source.aggregate(&query, &grouping, &job).await.expect("figures");
                for measures in [Measures::Totals, Measures::Outcomes] {
                    let found = source
                        .aggregate(&query, &Grouping { measures, ..grouping.clone() }, &job)
                        .await
                        .expect("figures");
                    let told = |groups: &crosstail_source::Groups| {
                        let of = |figures: &crosstail_core::model::Figures| match measures {
                            Measures::Totals => (figures.count, 0, 0),
                            _ => (figures.count, figures.failed, figures.open),
                        };
                        groups.iter().map(|(key, figures)| (key.clone(), of(figures))).collect::<Vec<_>>()
                    };
                    assert_eq!(
                        told(&found),
                        told(&whole),
                        "{index} {since:?}..{until:?} by {minutes} min, {measures:?}"
                    );
                }
                if since.is_none() && until.is_none() {
                    assert_eq!(whole.values().map(|figures| figures.count).sum::<u64>(), 110_002);
                }
            }
        }
        is_quick.push(source.capabilities().counts_times);
        // An index that does not hold every row is none: the answers stay.
        run(
            &mut connection,
            "DROP INDEX IF EXISTS idx_integration_activity_created; \
            CREATE INDEX IF NOT EXISTS of_errors ON integration_activity_log (created_at) WHERE status = 'error'",
        )
        .await;
    }
    assert!(is_quick[0], "the table is large enough, and its time is indexed");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_standard_query_reads_a_table_from_end_to_end() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["prokure", "integration-activity", "log-tracking"]).await;
    let mut connection = server.postgres_connection(&database).await;
    run(&mut connection, "INSERT INTO integration.api_request_logs (request_id, correlation_id, system_code, status, started_at, duration_ms) \
        SELECT gen_random_uuid(), gen_random_uuid(), (ARRAY['SAP', 'ZOHO'])[1 + n % 2], (ARRAY['SUCCESS', 'FAILED', 'SUCCESS'])[1 + n % 3], \
        now() - n * interval '5 s', n % 900 FROM generate_series(1, 40000) n; \
        INSERT INTO integration_activity_log (status, activity_type, direction, metadata, created_at) SELECT 'success', 'api_call', 'outgoing', \
        jsonb_build_object('correlation_id', 'c' || n), now() - n * interval '5 s' FROM generate_series(1, 40000) n; \
        INSERT INTO logs (timestamp, level, service, message, request_id) SELECT now() - n * interval '5 s', 'INFO', 'api', 'm', 'r' || n \
        FROM generate_series(1, 40000) n").await;
    run(&mut connection, "ANALYZE").await;
    // PostgreSQL itself explains every statement of this database into its log.
    run(&mut connection, format!("ALTER DATABASE {database} SET session_preload_libraries = 'auto_explain'; \
        ALTER DATABASE {database} SET auto_explain.log_min_duration = 0; ALTER DATABASE {database} SET auto_explain.log_level = 'log'")).await;
    let (names, source) = open(&[server.url(&database)]);
    let now = crosstail_core::model::Clock::system().now();
    let newest = source.page(&PageQuery::all(500), None, &Job::default()).await.expect("newest");
    let deeper = source.page(&PageQuery::all(5000), newest.next.as_ref(), &Job::default()).await.expect("deeper");
    assert_eq!(deeper.items.len(), 5000);
    let hour = PageQuery { since: Some(now.plus_ms(-3_600_000)), ..PageQuery::all(1000) };
    source.page(&hour, None, &Job::default()).await.expect("an hour");
    let failed = crosstail_core::filter::Filter::parse("is:failure time:-24h system:SAP").expect("filter");
    let context = crosstail_core::filter::Context { now, zone: chrono_tz::Tz::UTC };
    source
        .page(&PageQuery { filter: failed, context, ..PageQuery::all(1000) }, None, &Job::default())
        .await
        .expect("failures");
    let day = PageQuery { since: Some(now.plus_ms(-3_600_000)), ..PageQuery::all(1000) };
    source
        .aggregate(&day, &Grouping::by(crosstail_core::filter::Field::Status), &Job::default())
        .await
        .expect("figures");
    let first = &newest.items[0];
    source.payload(&first.id, &first.places[0].locator, &Job::default()).await.expect("payload");
    source.related(&RelatedKey::correlation("c77".to_owned()), 100, &Job::default()).await.expect("related");
    source
        .related(&RelatedKey::correlation(uuid::Uuid::nil().to_string()), 100, &Job::default())
        .await
        .expect("related");
    source.related(&RelatedKey::request(uuid::Uuid::nil().to_string()), 100, &Job::default()).await.expect("related");
    let mut running = Running::start(&names, Arc::clone(&source));
    // Following: the first looks back, and some seconds of polls.
    let position = source.position(&Job::default()).await.expect("position");
    let (sink, mut updates) = crosstail_source::Sink::channel(100);
    let cancel = tokio_util::sync::CancellationToken::new();
    let following = {
        let (source, cancel) = (Arc::clone(&source), cancel.clone());
        tokio::spawn(async move { source.follow(position, &sink, &Job::default().under(&cancel)).await })
    };
    while !matches!(updates.recv().await, Some(SourceEvent::CaughtUp)) {}
    let looked = explained(&server.log());
    wait_for("some rounds of polls", || explained(&server.log()) > looked + 8);
    cancel.cancel();
    following.await.expect("joined").expect("well");
    running.live().await;
    let log = server.log();
    let plans: Vec<&str> = log.split("LOG:  duration:").skip(1).filter(|plan| plan.contains("Query Text")).collect();
    assert!(plans.len() > 20, "statements were explained: {}", plans.len());
    for plan in plans {
        for table in ["api_request_logs", "integration_activity_log", "logs", "webhook_deliveries"] {
            let scan = format!("Seq Scan on {table}");
            // An empty table is read from end to end in no time.
            assert!(
                table == "webhook_deliveries" || !plan.contains(&scan),
                "{}",
                plan.chars().take(3000).collect::<String>()
            );
        }
    }
}

/// How many statements a server has explained.
fn explained(log: &str) -> usize {
    log.matches("Query Text").count()
}

/// The book's example of a schema file.
fn example() -> String {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas.md")).expect("the page");
    let begin = page.find("name = \"jobs\"").expect("the example");
    let end = page[begin..].find("```").expect("its end");
    page[begin..begin + end].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_table_is_mapped_by_a_file() {
    let example = example();
    assert!(example.lines().filter(|line| !line.trim().is_empty()).count() < 15);
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&[]).await;
    let mut connection = server.postgres_connection(&database).await;
    run(
        &mut connection,
        "CREATE SCHEMA shop; CREATE TABLE shop.job_log (job_id bigserial primary key, created timestamp, partner text, state char(6), \
         code smallint, note text); INSERT INTO shop.job_log (created, partner, state, code, note) SELECT now() - n * interval '1 s', \
         'DHL', CASE WHEN n % 3 = 0 THEN 'broken' ELSE 'done' END, 200, 'n ' || n FROM generate_series(1, 90) n",
    )
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jobs.toml");
    std::fs::write(&path, &example).expect("written");
    let (url, file) = (server.url(&database), path.to_str().expect("UTF-8"));
    // Without the file its names and types say what is what.
    let output = crosstail(&["query", "-s", &url]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("shop.job_log is read by its names and types"), "{said}");
    let rows = lines(&crosstail(&["query", "-s", &url, "--schema", file, "status:failed", "-o", "json"]));
    assert_eq!(rows.len(), 30);
    assert!(rows.iter().all(|row| row["system"] == "DHL"));
    // A mapping that does not fit says which column, and what to write.
    for (wrong, right, says) in [
        ("time = \"created\"", "time = \"creatd\"", "has no column 'creatd'; it has job_id, created, partner"),
        ("shop.job_log", "shop.job_logs", "no table 'shop.job_logs'; the database has shop.job_log"),
    ] {
        let text = example.replace(wrong, right);
        let text = if wrong.starts_with("time") {
            text.replace("started_at = \"created\"", "started_at = \"creatd\"")
        } else {
            text
        };
        std::fs::write(&path, text).expect("written");
        let output = crosstail(&["query", "-s", &url, "--schema", file]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(says), "{said}");
    }
    std::fs::write(&path, example.replace("\"partner\"", "\"partnr\"")).expect("written");
    let schema = crosstail_core::schema::Schema::from_toml(&std::fs::read_to_string(&path).expect("text"), "jobs.toml")
        .expect("a schema");
    let names = Names::default();
    let config =
        SourceConfig { name: "shop".to_owned(), at: vec![url], schema: Some(schema), ..SourceConfig::default() };
    let (_, source) = crosstail::kinds::ALL.open(&config, &names).expect("opened");
    let warnings = source.probe(&Job::default()).await.expect("probed").warnings;
    assert!(warnings[0].contains("[fields] system") && warnings[0].contains("did you mean 'partner'?"), "{warnings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_alerts_and_statistics() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["log-tracking", "engineering-logs"]).await;
    let mut connection = server.postgres_connection(&database).await;
    run(&mut connection, "INSERT INTO logs (level, service, message, request_id, response_time, cpu_usage, memory_usage) SELECT \
        (ARRAY['INFO', 'WARN', 'ERROR', 'DEBUG'])[1 + n % 4], (ARRAY['api', 'auth', 'cache'])[1 + n % 3], 'm' || n, 'r' || n % 50, \
        CASE WHEN n % 5 > 0 THEN n % 700 END, (n % 10000) / 100.0, n % 2048 FROM generate_series(1, 600) n; \
        INSERT INTO log_sources (id, name, type, health_status, last_health_check) VALUES ('00000000-0000-4000-8000-00000000000a', 'payments', 'sap', 'degraded', now()); \
        INSERT INTO log_entries (id, source_id, log_id, timestamp, level, message, category, tags, metadata) VALUES ('00000000-0000-4000-8000-00000000000b', \
        '00000000-0000-4000-8000-00000000000a', 'log-1', now(), 'FATAL', 'out of disk', 'storage', '[\"disk\", \"prod\"]', '{\"host\": \"db-1\"}'); \
        INSERT INTO alert_rules (id, name, query, conditions, severity) VALUES ('00000000-0000-4000-8000-00000000000c', 'DiskFull', '{}', '{\"over\": 90}', 'HIGH'); \
        INSERT INTO alerts (id, title, description, severity, status, source_id, log_entry_id, rule_id) SELECT gen_random_uuid(), 'disk of db-1', 'full', s, st, \
        '00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b', '00000000-0000-4000-8000-00000000000c' \
        FROM unnest(ARRAY['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'], ARRAY['OPEN', 'ACKNOWLEDGED', 'RESOLVED', 'CLOSED']) AS x (s, st)").await;
    let url = server.url(&database);
    // The statistics view of log tracking.
    type Line = (String, String, i64, Option<f64>, Option<f64>, Option<f64>);
    let expected: Vec<Line> = sqlx::query_as(
        "SELECT service::text, lower(level)::text, count, avg_response_time::float8, avg_cpu_usage::float8, avg_memory_usage::float8 FROM log_stats",
    )
    .fetch_all(&mut connection)
    .await
    .expect("the view");
    let stats = lines(&crosstail(&["stats", "cpu:*", "--by", "system,level", "-o", "json", "-s", &url]));
    assert_eq!(stats.len(), expected.len());
    for (service, level, count, took, cpu, memory) in expected {
        let row = stats.iter().find(|row| row["system"] == service && row["level"] == level).expect("the group");
        assert_eq!(row["count"], count);
        for (name, value) in [("avg_ms", took), ("avg_cpu_percent", cpu), ("avg_memory_mb", memory)] {
            assert!((row[name].as_f64().expect(name) - value.expect(name)).abs() < 0.0051, "{name}: {row} {value:?}");
        }
    }
    let query = |filter: &str| lines(&crosstail(&["query", filter, "-o", "json", "-s", &url]));
    let entry = &query("tag:disk")[0];
    assert_eq!(
        (entry["id"].as_str(), entry["system"].as_str(), entry["level"].as_str()),
        (Some("log-1"), Some("payments"), Some("fatal"))
    );
    assert_eq!(entry["tags"], serde_json::json!(["disk", "prod"]));
    assert_eq!(query("meta.host:db-1").len(), 1);
    let alerts = query("kind:alert");
    let mut states: Vec<(&str, &str, &str)> = alerts
        .iter()
        .map(|a| {
            (
                a["level"].as_str().expect("level"),
                a["operation"].as_str().expect("state"),
                a["status"].as_str().expect("status"),
            )
        })
        .collect();
    states.sort_unstable();
    let wanted = [
        ("error", "RESOLVED", "success"),
        ("fatal", "CLOSED", "success"),
        ("info", "OPEN", "in_progress"),
        ("warn", "ACKNOWLEDGED", "in_progress"),
    ];
    assert_eq!(states, wanted);
    assert!(alerts.iter().all(|a| a["system"] == "payments" && a["error_type"] == "DiskFull"));
    let (_, source) = open(&[url]);
    let catalogue = source.catalogue(&Job::default()).await.expect("catalogue");
    assert_eq!(catalogue.system("payments").and_then(|entry| entry.text("health")).as_deref(), Some("degraded"));
    assert_eq!(catalogue.of_kind(crosstail_core::model::EntryKind::AlertRule).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_activity_log_whole() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["integration-activity"]).await;
    let mut connection = server.postgres_connection(&database).await;
    let types = [
        "test_connection",
        "sync_import",
        "sync_export",
        "sync_bidirectional",
        "webhook_received",
        "notification_email",
        "notification_slack",
        "notification_webhook",
        "api_call",
        "device_create",
        "device_update",
        "device_delete",
        "other",
    ];
    for (n, activity) in types.iter().enumerate() {
        let direction = if n % 2 == 0 { "outgoing" } else { "incoming" };
        for status in ["started", "success", "failed", "error", "timeout"] {
            run(&mut connection, format!("INSERT INTO integration_activity_log (organization_id, integration_id, user_id, direction, activity_type, \
                endpoint, status, response_time_ms, ip_address) VALUES ('00000000-0000-4000-8000-0000000000aa', '00000000-0000-4000-8000-0000000000bb', \
                '00000000-0000-4000-8000-0000000000cc', '{direction}', '{activity}', 'https://api.golioth.io/v1/devices', '{status}', {}, '10.0.0.7')", 10 * n + 5)).await;
        }
    }
    let url = server.url(&database);
    let rows = lines(&crosstail(&["query", "--limit", "0", "-o", "json", "-s", &url]));
    assert_eq!(rows.len(), 65);
    let count = |name: &str, value: &str| rows.iter().filter(|row| row[name] == value).count();
    assert_eq!((count("direction", "out"), count("direction", "in")), (35, 30));
    assert_eq!(
        [
            count("status", "in_progress"),
            count("status", "success"),
            count("status", "failed"),
            count("status", "timeout")
        ],
        [13, 13, 26, 13]
    );
    assert_eq!(
        [count("kind", "sync"), count("kind", "notification"), count("kind", "device"), count("kind", "webhook")],
        [15, 15, 15, 5]
    );
    assert!(rows.iter().all(|row| row["organization"] == "00000000-0000-4000-8000-0000000000aa"
        && row["actor"] == "00000000-0000-4000-8000-0000000000cc"));
    // The failed-activities report of the document.
    let expected: Vec<(String, i64, f64)> = sqlx::query_as("SELECT activity_type::text, COUNT(*) AS failure_count, AVG(response_time_ms)::float8 \
        FROM integration_activity_log WHERE status IN ('failed', 'error', 'timeout') AND created_at >= NOW() - INTERVAL '24 hours' GROUP BY activity_type")
        .fetch_all(&mut connection).await.expect("the report");
    let report = crosstail(&["stats", "--report", "failed_by_type", "--since", "24h", "-o", "json", "-s", &url]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).expect("JSON");
    let report = report["tables"]["failed_by_type"].as_array().expect("rows");
    assert_eq!(report.len(), expected.len());
    for (activity, failures, average) in expected {
        let row = report.iter().find(|row| row["operation"] == activity).expect("the type");
        assert_eq!(row["failed"], failures);
        assert!((row["avg_ms"].as_f64().expect("average") - average).abs() < 0.0051);
    }
    // Every report, as a page, as CSV, as columns.
    let report = |form: &str| {
        let output = crosstail(&["stats", "--report", "all", "--since", "24h", "-o", form, "-s", &url]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let (page, csv, table) = (report("html"), report("csv"), report("table"));
    for title in [
        "Failed activities by type",
        "Success rate by system",
        "Most active integrations",
        "Slowest endpoints",
        "Volume and retention by source and day",
    ] {
        assert!(page.contains(title) && table.contains(title), "{title}");
    }
    assert!(page.contains("<svg") && page.contains("golioth"), "{page}");
    assert!(csv.contains("# success_by_system\r\nsystem,count,failed"), "{csv}");
    // Volume by day, as the store itself counts it.
    let (days, volume): (i64, i64) = sqlx::query_as(
        "SELECT count(DISTINCT date_trunc('day', created_at AT TIME ZONE 'UTC')), count(*) FROM integration_activity_log",
    )
    .fetch_one(&mut connection)
    .await
    .expect("counted");
    let by_day = crosstail(&["stats", "--report", "volume_by_day", "-o", "json", "-s", &url]);
    let by_day: serde_json::Value = serde_json::from_slice(&by_day.stdout).expect("JSON");
    let by_day = by_day["tables"]["volume_by_day"].as_array().expect("rows");
    let counted: i64 = by_day.iter().map(|row| row["count"].as_i64().expect("a count")).sum();
    assert_eq!((by_day.len() as i64, counted), (days, volume));
    // The summary view of the document, by the same fields.
    let summary: Vec<(String, String, i64)> = sqlx::query_as("SELECT activity_type::text, status::text, sum(activity_count)::int8 FROM integration_activity_summary GROUP BY 1, 2")
        .fetch_all(&mut connection).await.expect("the view");
    let ours = lines(&crosstail(&["stats", "--by", "operation,status", "-o", "json", "-s", &url]));
    for (activity, status, n) in summary.into_iter().filter(|(_, status, _)| status == "success" || status == "timeout")
    {
        let row = ours.iter().find(|row| row["operation"] == activity && row["status"] == status).expect("the group");
        assert_eq!(row["count"], n);
    }
}
