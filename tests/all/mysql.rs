//! MySQL and MariaDB: what is particular to them. The contract is in `conformance`, the filters in `filters`.

use crate::filters::{random_filters_answer_alike_in, spelt};
use crate::servers::{Kind, Server, shared};
use crate::support::{EPOCH, Running, crosstail, lines, open, random};
use crosstail_core::model::{Activity, Clock, Id, Locator, Names, Status, Timestamp};
use crosstail_core::schema::Schema;
use crosstail_source::{ErrorKind, Job, PageQuery, Position, RelatedKey, Source, SourceConfig};
use fastrand::Rng;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlConnection;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

async fn run(on: &mut MySqlConnection, sql: impl Into<String>) {
    let sql = sql.into();
    sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(on).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

fn date(at: Timestamp) -> String {
    at.rfc3339().trim_end_matches('Z').replace('T', " ")
}

/// Writers whose transactions commit in another order than they began, with savepoints that are rolled back, and rows
/// that are completed later: what they say they wrote.
async fn write_out_of_order(server: &Server, database: &str) -> BTreeMap<String, Option<Status>> {
    let mut tasks = Vec::new();
    for task in 0..6u64 {
        let mut connection = server.mysql_connection(database).await;
        tasks.push(tokio::spawn(async move {
            let mut rng = Rng::with_seed(task);
            let mut said = BTreeMap::new();
            for _ in 0..12 {
                run(&mut connection, "BEGIN").await;
                let mut open = Vec::new();
                for n in 0..rng.usize(1..6) {
                    let id = uuid::Builder::from_random_bytes(rng.u128(..).to_le_bytes()).into_uuid().to_string();
                    let insert = format!(
                        "INSERT INTO integration_activity_log (id, direction, activity_type, method, endpoint, status) \
                         VALUES ('{id}', 'outgoing', 'api_call', 'GET', 'https://x.example/a', 'started')"
                    );
                    if n % 2 == 1 {
                        run(&mut connection, format!("SAVEPOINT s; {insert}")).await;
                        if rng.bool() {
                            run(&mut connection, "ROLLBACK TO SAVEPOINT s").await;
                            continue;
                        }
                        run(&mut connection, "RELEASE SAVEPOINT s").await;
                    } else {
                        run(&mut connection, insert).await;
                    }
                    open.push(id);
                }
                // What was stamped is old by the time it can be seen.
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
                        run(&mut connection, format!("UPDATE integration_activity_log SET status = '{word}', response_time_ms = 5 WHERE id = '{id}'")).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn out_of_order_commits_are_all_seen() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&["integration-activity"]).await;
    let url = server.url(&database);
    let (names, source) = open(std::slice::from_ref(&url));
    let mut running = Running::start(&names, Arc::clone(&source));
    running.live().await;
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

/// Numbers that come late, long after their time, and numbers that never come.
#[tokio::test(flavor = "multi_thread")]
async fn missing_numbers_are_asked_for_and_those_that_never_come_do_no_harm() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&["log-tracking"]).await;
    let (mut late, mut on) = (server.mysql_connection(&database).await, server.mysql_connection(&database).await);
    let insert = |level: &str, time: &str, message: &str| {
        format!(
            "INSERT INTO logs (level, service, message, request_id, timestamp) VALUES ('{level}', 'api', '{message}', 'r', {time})"
        )
    };
    // Of long ago by its time, so that only its number tells of it within the test.
    run(&mut late, format!("BEGIN; {}", insert("INFO", "NOW(6) - INTERVAL 3 HOUR", "late"))).await;
    run(&mut on, insert("INFO", "NOW(6)", "first")).await;
    let (names, source) = open(&[server.url(&database)]);
    let mut running = Running::start(&names, Arc::clone(&source));
    running.live().await;
    assert_eq!(running.store.len(), 1);
    run(&mut on, format!("BEGIN; {}; ROLLBACK", insert("INFO", "NOW(6)", "never"))).await;
    run(&mut on, insert("INFO", "NOW(6) - INTERVAL 30 DAY", "of another time")).await;
    running.until("a number above the highest", |running| running.store.len() == 2).await;
    run(&mut late, "COMMIT").await;
    running.until("a number that was missing", |running| running.store.len() == 3).await;
    // Numbers begin again.
    run(&mut on, "TRUNCATE logs").await;
    run(&mut on, insert("ERROR", "NOW(6)", "anew")).await;
    let is_there = |running: &Running| {
        let mut rows = running.store.all_rows().iter();
        rows.any(|row| running.store.get(*row).message.as_deref() == Some("anew"))
    };
    running.until("what has an old number", is_there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_began_long_ago_changes_in_place() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&["integration-activity"]).await;
    let mut on = server.mysql_connection(&database).await;
    run(
        &mut on,
        "INSERT INTO integration_activity_log (id, status, activity_type, created_at) SELECT UUID(), 'started', \
        'sync_import', UTC_TIMESTAMP(6) - INTERVAL seq DAY FROM seq_1_to_40",
    )
    .await;
    let (names, source) = open(&[server.url(&database)]);
    let mut running = Running::start(&names, source);
    running.live().await;
    assert_eq!(running.store.len(), 40);
    run(
        &mut on,
        "UPDATE integration_activity_log SET status = 'failed' WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL 39 DAY",
    )
    .await;
    let failed = |running: &Running| running.statuses().values().filter(|s| **s == Some(Status::Failed)).count();
    running.until("the old rows to change", |running| failed(running) == 2).await;
    // A row that was over, of a quarter of a minute ago, is corrected: without number, without being open.
    run(&mut on, "INSERT INTO integration_activity_log (id, status, activity_type) VALUES ('00000000-0000-4000-8000-00000000000a', 'success', 'api_call')").await;
    running.until("the new row", |running| running.store.len() == 41).await;
    run(&mut on, "UPDATE integration_activity_log SET status = 'timeout' WHERE status = 'success'").await;
    let timeout = |running: &Running| running.statuses().values().any(|s| *s == Some(Status::Timeout));
    running.until("the correction", timeout).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_with_an_old_time_while_nobody_listened_is_seen_once() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&["integration-activity"]).await;
    let mut on = server.mysql_connection(&database).await;
    let old = "INSERT INTO integration_activity_log (id, status, created_at) SELECT UUID(), 'success', UTC_TIMESTAMP(6) - INTERVAL seq DAY";
    run(&mut on, format!("{old} FROM seq_301_to_400")).await;
    let (_, source) = open(&[server.url(&database)]);
    let mut position = serde_json::to_value(source.position(&Job::default()).await.expect("position")).expect("JSON");
    // As if it had been taken an hour ago.
    position["time_us"] = (position["time_us"].as_i64().expect("a time") - 3_600_000_000).into();
    run(&mut on, format!("{old} FROM seq_1_to_300")).await;
    let position: Position = serde_json::from_value(position).expect("a position");
    let (sink, mut updates) = crosstail_source::Sink::channel(100);
    tokio::spawn(async move { source.follow(position, &sink, &Job::default()).await });
    let (found, _) = crate::support::collect(&mut updates, |found| found.len() >= 300).await;
    assert_eq!(found.len(), 300, "once each, and what was there does not come again");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_concurrent_writes_are_all_seen() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&["integration-activity"]).await;
    let (names, source) = open(&[server.url(&database)]);
    let mut running = Running::start(&names, source);
    running.live().await;
    let mut tasks = Vec::new();
    for task in 0..4 {
        let mut connection = server.mysql_connection(&database).await;
        tasks.push(tokio::spawn(async move {
            for round in 0..25 {
                let ids: Vec<String> =
                    (0..50).map(|n| uuid::Uuid::from_u128(task * 1_000_000 + round * 1000 + n + (4 << 76)).to_string()).collect();
                let rows: Vec<String> = ids.iter().map(|id| format!("('{id}', 'started', 'api_call')")).collect();
                run(&mut connection, format!("INSERT INTO integration_activity_log (id, status, activity_type) VALUES {}", rows.join(", "))).await;
                for id in ids {
                    run(&mut connection, format!("UPDATE integration_activity_log SET status = 'success', response_status = 200 WHERE id = '{id}'")).await;
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("joined");
    }
    let done = |running: &Running| {
        running.store.len() == 5000 && running.statuses().values().all(|status| *status == Some(Status::Success))
    };
    running.until("all 10,000 writes", done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_takes_no_right_but_select() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&["integration-activity", "log-tracking"]).await;
    let mut on = server.mysql_connection(&database).await;
    let user = format!("reader_{database}");
    run(&mut on, format!(
        "CREATE USER {user}; GRANT SELECT ON {database}.integration_activity_log TO {user}; GRANT SELECT (id, level, service, message, \
         request_id, response_time, cpu_usage, memory_usage, timestamp) ON {database}.logs TO {user}; \
         INSERT INTO integration_activity_log (status, activity_type, direction, metadata) VALUES ('success', 'api_call', 'outgoing', '{{\"correlation_id\": \"c\"}}'); \
         INSERT INTO logs (level, service, message, request_id, cpu_usage, memory_usage) VALUES ('WARN', 'auth', 'slow', 'r1', 71, 512)"
    )).await;
    let url = server.url(&database).replace("root@", &format!("{user}@"));
    let (names, source) = open(std::slice::from_ref(&url));
    let probe = source.probe(&Job::default()).await.expect("probed");
    assert!(probe.server.starts_with("MariaDB 1"), "{}", probe.server);
    let mut running = Running::start(&names, Arc::clone(&source));
    running.live().await;
    assert_eq!(running.store.len(), 2);
    run(&mut on, "INSERT INTO logs (level, service, message, request_id) VALUES ('ERROR', 'auth', 'broken', 'r2')")
        .await;
    running.until("the row", |running| running.store.len() == 3).await;
    let shown = lines(&crosstail(&["show", &format!("{database}/logs/1"), "-o", "json", "-s", &url]));
    assert_eq!(shown[0]["system"], "auth");
    let related = source
        .related(&RelatedKey::correlation("c".to_owned()), 10, &Job::default())
        .await
        .expect("related")
        .activities;
    assert_eq!(related.len(), 1);
    // Without a column that is needed, the table is said not to be readable, and the other works.
    run(&mut on, format!("REVOKE SELECT (timestamp) ON {database}.logs FROM {user}")).await;
    let stats = crosstail(&["stats", "--by", "kind", "-o", "json", "-s", &url]);
    assert!(String::from_utf8_lossy(&stats.stderr).contains("no table") || lines(&stats).len() == 1, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_and_databases_are_said_without_the_secret() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&["log-tracking"]).await;
    let mut on = server.mysql_connection(&database).await;
    let user = format!("locked_{database}");
    run(&mut on, format!("CREATE USER {user} IDENTIFIED BY 'right'")).await;
    let url =
        |password: &str, database: &str| format!("mariadb://{user}:{password}@127.0.0.1:{}/{database}", server.port);
    let output = crosstail(&["query", "-s", &url("hunter2secret", &database)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("check the user and the password"), "{said}");
    assert!(!said.contains("hunter2secret"), "{said}");
    for (password, database) in [("wrong", database.as_str()), ("right", database.as_str()), ("right", "nowhere")] {
        let (_, source) = open(&[url(password, database)]);
        let error = source.probe(&Job::default()).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Auth, "not tried again and again: {error}");
    }
    let (_, source) = open(&[server.url("nowhere")]);
    let error = source.probe(&Job::default()).await.expect_err("there is none").to_string();
    assert!(error.contains("check the database's name"), "{error}");
    let wrong = crosstail(&["query", "-s", &format!("{}?sslmod=REQUIRED", server.url(&database))]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean sslmode?"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_and_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (certificate, private) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, key.cert.pem()).expect("written");
    std::fs::write(&private, key.signing_key.serialize_pem()).expect("written");
    use std::os::unix::fs::PermissionsExt as _;
    for path in [folder.path(), &certificate, &private] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("readable");
    }
    let arguments = [
        format!("--ssl-cert={}", certificate.display()),
        format!("--ssl-key={}", private.display()),
        "--require-secure-transport=ON".to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some(server) = Server::start_with(Kind::Mysql, 0, &arguments).await else { return };
    let database = server.mysql_database(&["log-tracking"]).await;
    let mut on = server.mysql_connection(&database).await;
    run(&mut on, "INSERT INTO logs (level, service, message, request_id) VALUES ('INFO', 'api', 'm', 'r')").await;
    let at = |host: &str, more: &str| format!("mysql://root@{host}:{}/{database}?{more}", server.port);
    let ca = format!("ssl-ca={}", certificate.display());
    for good in [
        at("localhost", &format!("ssl-mode=VERIFY_IDENTITY&{ca}")),
        at("127.0.0.1", &format!("ssl-mode=VERIFY_CA&{ca}")),
        at("127.0.0.1", "ssl-mode=REQUIRED"),
        at("127.0.0.1", ""),
        at("localhost", &format!("socket={}", server.folder.join("s.sock").display())),
    ] {
        let (_, source) = open(std::slice::from_ref(&good));
        assert_eq!(
            source
                .page(&PageQuery::all(10), None, &Job::default())
                .await
                .unwrap_or_else(|e| panic!("{good}: {e}"))
                .items
                .len(),
            1
        );
        let tls = source.diagnose(Timestamp(0), &Job::default()).await.expect("examined");
        assert!(tls.iter().any(|d| d.text == "the connection is encrypted"), "{good}: {tls:?}");
    }
    for bad in [at("127.0.0.1", &format!("ssl-mode=VERIFY_IDENTITY&{ca}")), at("localhost", "ssl-mode=VERIFY_CA")] {
        let (_, source) = open(std::slice::from_ref(&bad));
        let error = source.probe(&Job::default()).await.expect_err("not trusted");
        assert_eq!(error.kind, ErrorKind::Connect, "{bad}: {error}");
        assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("ssl-ca")), "{bad}: {error}");
    }
    let (_, source) = open(&[at("127.0.0.1", "ssl-mode=DISABLED")]);
    let error = source.probe(&Job::default()).await.expect_err("not let in").to_string();
    assert!(error.contains("Access denied"), "{error}");
}

async fn open_with(at: String, schema: &str) -> (Names, Arc<dyn Source>) {
    let schema = Schema::from_toml(schema, "own.toml").expect("a schema");
    let names = Names::default();
    let config = SourceConfig { name: "own".to_owned(), at: vec![at], schema: Some(schema), ..SourceConfig::default() };
    let (_, source) = crosstail::kinds::ALL.open(&config, &names).expect("opened");
    (names, source)
}

const ODD: &str = r#"
name = "odd"
[table]
name = "odd things"
id = "key"
time = "at"
[fields]
id = "key"
started_at = "at"
completed_at = "done"
system = "system"
status = "status"
http_status = "code"
duration = "took"
attempt = "tries"
cpu = "cpu"
memory = "mem"
error = "error"
request_id = "number"
actor = "flags"
organization = "bits"
operation = "doc.op"
endpoint = "born"
[payload]
request_body = "doc"
response_body = "raw"
metadata = "plain"
[words.status]
ok = "success"
broken = "failed"
running = "in_progress"
"#;

/// Types, characters and dates of all sorts: every row is read, followed, found and compared as it is.
#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_are_read() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&[]).await;
    let mut on = server.mysql_connection(&database).await;
    run(&mut on, "CREATE TABLE `odd things` (`key` BINARY(16) PRIMARY KEY, at DATETIME(6) NULL, done TIMESTAMP(3) NULL DEFAULT NULL, \
        system VARCHAR(40) CHARACTER SET latin1 COLLATE latin1_german1_ci, status ENUM('ok', 'broken', 'running') CHARACTER SET utf8mb4, \
        code SMALLINT UNSIGNED, took DOUBLE, tries TINYINT, cpu DECIMAL(12,6), mem FLOAT, error TEXT CHARACTER SET utf16, \
        number BIGINT UNSIGNED, flags SET('a', 'b', 'c'), bits BIT(10), doc JSON, raw LONGBLOB, plain TEXT, born YEAR, \
        KEY (at), KEY (number)) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci; SET sql_mode = ''; \
        INSERT INTO `odd things` VALUES \
        (x'00000000000040008000000000000001', '2026-11-20 09:00:00.123456', '2026-11-20 09:00:02.5', 'Müller', 'broken', 503, 12.5, 3, 99.123456, 0.5, \
         'Straße \u{1F600}', 18446744073709551615, 'a,c', b'1000000001', '{\"op\": \"CREATE\", \"big\": 18446744073709551615, \"n\": 1.50}', x'7b226f6b223a747275657d', '{\"tenant\": \"t1\"}', 2026), \
        (x'00000000000040008000000000000002', '0000-00-00', '0000-00-00', '', 'ok', 0, -1, -1, NULL, NULL, 'a\\nb', 0, '', b'0', 'null', x'c328ff', '{broken', 0), \
        (x'00000000000040008000000000000003', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), \
        (x'00000000000040008000000000000004', '9999-12-31 23:59:59', '2026-11-20', 'mueller ', 'running', 65535, 1e300, 127, -5, 3.4e38, 'MÜLLER', 9223372036854775808, 'b', b'1', '{\"op\": null}', '', '[]', 1999)").await;
    let (names, source) = open_with(server.url(&database), ODD).await;
    let all = source.page(&PageQuery::all(10), None, &Job::default()).await.expect("read").items;
    assert_eq!(all.len(), 4, "{all:?}");
    let of = |n: u8| -> &Activity {
        all.iter().find(|a| a.id.to_string().ends_with(&n.to_string())).unwrap_or_else(|| panic!("{n}: {all:?}"))
    };
    let first = of(1);
    assert_eq!(first.id, Id::parse("00000000-0000-4000-8000-000000000001"));
    assert_eq!(first.started_at.rfc3339(), "2026-11-20T09:00:00.123456Z");
    assert_eq!(first.completed_at.map(Timestamp::rfc3339).as_deref(), Some("2026-11-20T09:00:02.500Z"));
    assert_eq!(
        (first.system.as_deref(), first.status, first.http_status),
        (Some("Müller"), Some(Status::Failed), Some(503))
    );
    assert_eq!((first.duration_us, first.attempt), (Some(12_500), Some(3)));
    assert_eq!((first.cpu_percent, first.memory_mb), (Some(99.123_456), Some(0.5)));
    assert_eq!(first.request_id.as_ref().map(ToString::to_string).as_deref(), Some("18446744073709551615"));
    assert_eq!((first.actor.as_deref(), first.organization.as_deref()), (Some("a,c"), Some("513")));
    assert_eq!((first.operation.as_deref(), first.error.as_deref()), (Some("CREATE"), Some("Straße \u{1F600}")));
    assert!(!of(2).exact_start && !of(3).exact_start && of(4).operation.is_none());
    let undated = all.iter().filter(|activity| !activity.exact_start).count();
    crate::support::undated_add_up(source.as_ref(), all.len(), undated).await;
    for activity in &all {
        let payload =
            source.payload(&activity.id, &activity.places[0].locator, &Job::default()).await.expect("payload");
        assert!(!payload.raw.is_empty());
        if activity.id == first.id {
            assert_eq!(payload.request.body.expect("a body").value()["op"], "CREATE");
            assert_eq!(payload.response.body.expect("a body").value()["ok"], true);
            assert!(payload.raw[0].text().contains("\"big\": 18446744073709551615"), "as it was written");
        }
    }
    // Found by what they are, not by what the column takes to be alike.
    let related = |key: &str| {
        let (source, key) = (Arc::clone(&source), RelatedKey::request(key.to_owned()));
        async move { source.related(&key, 10, &Job::default()).await.expect("related").activities.len() }
    };
    assert_eq!(related("18446744073709551615").await, 1);
    assert_eq!(related("00000000-0000-4000-8000-000000000002").await, 1);
    assert_eq!(related("nothing").await, 0);
    for (filter, count) in [
        ("system=Müller", 1),
        ("system=muller", 0),
        ("system:MÜLLER", 1),
        ("system=\"mueller \"", 1),
        ("system=mueller", 0),
        ("error:straße", 1),
        ("error:müller", 1),
        ("http:503", 1),
        ("cpu>99", 1),
        ("latency:12ms..13ms", 1),
        ("op:create", 1),
        ("status:failed", 1),
        ("completed:*", 2),
        ("time:2026-11-20", 1),
        ("req.body.n:1.5", 1),
        ("res.body.ok:true", 1),
        ("meta.tenant:t1", 1),
        ("org=513", 1),
        ("actor:a*", 1),
        ("attempt>100", 1),
    ] {
        let context = crosstail_core::filter::Context { now: Clock::system().now(), zone: chrono_tz::Tz::UTC };
        let query = PageQuery {
            filter: crosstail_core::filter::Filter::parse(filter).expect(filter),
            context,
            ..PageQuery::all(10)
        };
        let found =
            source.page(&query, None, &Job::default()).await.unwrap_or_else(|error| panic!("{filter}: {error}")).items;
        let predicate = query.filter.predicate(&query.context);
        let mut kept = 0;
        for activity in &all {
            let payload =
                source.payload(&activity.id, &activity.places[0].locator, &Job::default()).await.expect("payload");
            kept += usize::from(predicate.keeps(&crosstail_core::filter::NamedRecord {
                activity,
                names: &names,
                payload: Some(&payload),
            }));
        }
        assert_eq!(found.len(), kept, "{filter}");
        assert_eq!(kept, count, "{filter}");
    }
    let mut running = Running::start(&names, Arc::clone(&source));
    running.live().await;
    assert_eq!(running.store.len(), 4);
    run(
        &mut on,
        "INSERT INTO `odd things` (`key`, at, system) VALUES (x'00000000000040008000000000000005', '0000-00-00', 'x'), \
        (x'00000000000040008000000000000006', UTC_TIMESTAMP(6), 'y')",
    )
    .await;
    running.until("rows with a time and without one", |running| running.store.len() == 6).await;
}

/// `datetime` has no zone: it is UTC unless the address says otherwise; the examination tells where it is not.
#[tokio::test(flavor = "multi_thread")]
async fn times_of_another_zone() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&[]).await;
    let mut on = server.mysql_connection(&database).await;
    run(
        &mut on,
        "CREATE TABLE jobs (id BIGINT AUTO_INCREMENT PRIMARY KEY, at DATETIME(3), moment TIMESTAMP(3) NULL, KEY (at)); \
        SET time_zone = '+02:00'; INSERT INTO jobs (at, moment) VALUES (NOW(3), NOW(3)), (NOW(3), NOW(3))",
    )
    .await;
    let schema = "name = \"jobs\"\n[table]\nname = \"jobs\"\nid = \"id\"\ntime = \"at\"\n[fields]\nid = \"id\"\nstarted_at = \"at\"\ncompleted_at = \"moment\"\n";
    let now = Clock::system().now();
    let near = |at: Timestamp| at.since_us(now).abs() < 60_000_000;
    let (_, source) = open_with(server.url(&database), schema).await;
    let plain = source.page(&PageQuery::all(10), None, &Job::default()).await.expect("read").items;
    assert!(plain.iter().all(|a| near(a.started_at.plus_ms(-7_200_000)) && near(a.completed_at.expect("a moment"))));
    let found = source.diagnose(now, &Job::default()).await.expect("examined");
    let zone = found.iter().find(|d| d.topic == "zone").expect("it is told");
    assert!(zone.remedy.as_deref().is_some_and(|remedy| remedy.contains("?timezone=%2B02:00")), "{zone:?}");
    let (names, source) = open_with(format!("{}?timezone=%2B02:00", server.url(&database)), schema).await;
    let right = source.page(&PageQuery::all(10), None, &Job::default()).await.expect("read").items;
    assert!(right.iter().all(|a| near(a.started_at) && near(a.completed_at.expect("a moment"))));
    let since = PageQuery { since: Some(now.plus_ms(-60_000)), until: Some(now.plus_ms(60_000)), ..PageQuery::all(1) };
    let page = source.page(&since, None, &Job::default()).await.expect("read");
    let next = source.page(&since, page.next.as_ref(), &Job::default()).await.expect("read");
    assert_eq!((page.items.len(), next.items.len()), (1, 1));
    assert!(!source.diagnose(now, &Job::default()).await.expect("examined").iter().any(|d| d.topic == "zone"));
    let mut running = Running::start(&names, source);
    running.live().await;
    run(&mut on, "INSERT INTO jobs (at, moment) VALUES (NOW(3), NOW(3))").await;
    running.until("the new row", |running| running.store.len() == 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_20_mb_is_read_and_no_page_reads_a_table_from_end_to_end() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&["integration-activity", "log-tracking"]).await;
    let mut on = server.mysql_connection(&database).await;
    run(&mut on, "INSERT INTO integration_activity_log (id, status, activity_type, response_body) SELECT '00000000-0000-4000-8000-000000000004', \
        'success', 'api_call', CONCAT('{\"text\": \"', REPEAT('0123456789', 2000000), '\"}')").await;
    run(&mut on, "INSERT INTO logs (timestamp, level, service, message, request_id) SELECT NOW(6) - INTERVAL seq * 5 SECOND, 'INFO', 'api', 'm', \
        CONCAT('r', seq) FROM seq_1_to_40000; INSERT INTO integration_activity_log (status, activity_type, direction, metadata, created_at) \
        SELECT 'success', 'api_call', 'outgoing', JSON_OBJECT('correlation_id', CONCAT('c', seq)), UTC_TIMESTAMP(6) - INTERVAL seq * 5 SECOND \
        FROM seq_1_to_40000; ANALYZE TABLE logs, integration_activity_log").await;
    let (_, source) = open(&[server.url(&database)]);
    let large = Id::parse("00000000-0000-4000-8000-000000000004");
    let payload =
        source.payload(&large, &Locator::Key(large.to_string().into()), &Job::default()).await.expect("payload");
    assert_eq!(payload.response.body.expect("a body").value()["text"].as_str().expect("text").len(), 20_000_000);
    // Rows that were looked at, as the server itself counts them.
    let read = |server: Arc<Server>| async move {
        let mut on = server.mysql_connection("mysql").await;
        let rows =
            sqlx::query_as::<_, (String, String)>("SHOW GLOBAL STATUS LIKE 'Handler_read%'").fetch_all(&mut on).await;
        rows.expect("counted").iter().map(|(_, count)| count.parse::<i64>().expect("a number")).sum::<i64>()
    };
    let now = Clock::system().now();
    let newest = source.page(&PageQuery::all(500), None, &Job::default()).await.expect("newest");
    let before = read(Arc::clone(&server)).await;
    let deeper = source.page(&PageQuery::all(500), newest.next.as_ref(), &Job::default()).await.expect("deeper");
    assert_eq!(deeper.items.len(), 500);
    source
        .page(&PageQuery { since: Some(now.plus_ms(-600_000)), ..PageQuery::all(1000) }, None, &Job::default())
        .await
        .expect("a while");
    source.related(&RelatedKey::correlation("c77".to_owned()), 100, &Job::default()).await.expect("related");
    source.related(&RelatedKey::request("r77".to_owned()), 100, &Job::default()).await.expect("related");
    let rows = read(Arc::clone(&server)).await - before;
    assert!(rows < 30_000, "{rows} rows were looked at, of 80,000");
}

#[tokio::test(flavor = "multi_thread")]
async fn random_filters_answer_alike_in_mysql_and_here() {
    let Some(server) = Server::start(Kind::Mysql).await else { return };
    let database = server.mysql_database(&["integration-activity", "log-tracking"]).await;
    let mut on = server.mysql_connection(&database).await;
    // A table of another database, with other types and characters than those of the definitions.
    run(&mut on, "CREATE DATABASE integration CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci; CREATE TABLE integration.api_request_logs ( \
        request_id BINARY(16) PRIMARY KEY, correlation_id VARCHAR(50) CHARACTER SET ascii, parent_request_id VARCHAR(50), system_code VARCHAR(50) NOT NULL, \
        endpoint_code TINYTEXT, http_method CHAR(10), request_url MEDIUMTEXT, response_status SMALLINT UNSIGNED, status VARCHAR(20) NOT NULL, \
        is_success BOOLEAN, error_type VARCHAR(100) COLLATE utf8mb4_bin, error_message TEXT, entity_type VARCHAR(50), entity_id VARCHAR(100) CHARACTER SET latin1, \
        operation_type VARCHAR(50), attempt_number TINYINT UNSIGNED, max_attempts BIGINT UNSIGNED, next_retry_at TIMESTAMP(3) NULL, triggered_by VARCHAR(100), \
        user_id VARCHAR(100), started_at TIMESTAMP(6) NOT NULL, completed_at DATETIME(6), duration_ms DOUBLE, created_at TIMESTAMP(6) NOT NULL DEFAULT NOW(6))").await;
    let mut rng = Rng::with_seed(51);
    let text = |value: Option<Value>| value.map(|value| value.to_string());
    for index in 0..150 {
        let (start, outcome) = random(&mut rng, index);
        let outcome = outcome.as_ref();
        let status = outcome.map_or("started", |o| o.status.map_or("odd word", |s| s.as_str()));
        sqlx::query(
            "INSERT INTO integration_activity_log (id, organization_id, direction, activity_type, method, endpoint, request_headers, \
             request_body, response_status, response_body, response_time_ms, status, error_message, error_code, metadata, created_at, \
             completed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&start.id)
        .bind(rng.bool().then(|| uuid::Uuid::from_u128(u128::from(rng.u8(0..3))).to_string()))
        .bind([Some("outgoing"), Some("incoming"), Some("Sideways"), None][rng.usize(0..4)])
        .bind(["api_call", "webhook_received", "sync_import", "device_create", "other", "unheard_of"][rng.usize(0..6)])
        .bind(&start.method)
        .bind(&start.url)
        .bind(text(start.request_headers))
        .bind(text(start.request_body))
        .bind(outcome.and_then(|o| o.http_status).map(i32::from))
        .bind(text(outcome.and_then(|o| o.response_body.clone())))
        .bind(rng.bool().then(|| rng.i32(0..9000)))
        .bind(spelt(&mut rng, status))
        .bind(outcome.and_then(|o| o.error.clone()))
        .bind(outcome.and_then(|o| o.error_type.clone()))
        .bind(json!({"correlation_id": start.correlation_id, "tenant": format!("org-{}", rng.u8(0..3)), "provider": start.system}).to_string())
        .bind(date(start.started_at))
        .bind(outcome.and_then(|o| o.completed_at).map(date))
        .execute(&mut on)
        .await
        .expect("inserted");
    }
    for index in 0..100 {
        let (start, outcome) = random(&mut rng, index);
        let outcome = outcome.as_ref();
        let status = outcome.map_or("in_progress", |o| o.status.map_or("pending", |s| s.as_str()));
        sqlx::query(
            "INSERT INTO integration.api_request_logs (request_id, correlation_id, system_code, endpoint_code, http_method, request_url, \
             response_status, status, error_type, error_message, entity_type, entity_id, operation_type, attempt_number, \
             max_attempts, next_retry_at, triggered_by, started_at, completed_at, duration_ms) VALUES \
             (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(uuid::Uuid::parse_str(&start.id).expect("a UUID").as_bytes().as_slice())
        .bind(&start.correlation_id)
        .bind(&start.system)
        .bind(&start.endpoint)
        .bind(&start.method)
        .bind(&start.url)
        .bind(outcome.and_then(|o| o.http_status).map(i32::from))
        .bind(spelt(&mut rng, status))
        .bind(outcome.and_then(|o| o.error_type.clone()))
        .bind(outcome.and_then(|o| o.error.clone()))
        .bind(start.entity.as_deref().and_then(|e| e.split(' ').next()))
        .bind(start.entity.as_deref().and_then(|e| e.split(' ').nth(1)))
        .bind(&start.operation)
        .bind(start.attempt.map(i32::from))
        .bind(start.max_attempts.map(i32::from))
        .bind(outcome.and_then(|o| o.next_retry_at).map(date))
        .bind(&start.actor)
        .bind(date(start.started_at))
        .bind(outcome.and_then(|o| o.completed_at).map(date))
        .bind(rng.bool().then(|| f64::from(rng.i32(-50..90_000)) / 10.0))
        .execute(&mut on)
        .await
        .expect("inserted");
    }
    for index in 0..50i64 {
        sqlx::query("INSERT INTO logs (timestamp, level, service, message, request_id, response_time, cpu_usage, memory_usage) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(date(EPOCH.plus_ms(index * 3000)))
            .bind(["INFO", "warn", "ERROR", "critical", "odd"][rng.usize(0..5)])
            .bind(["api", "SAP", "\u{fc}n\u{ef}code", "", "sap "][rng.usize(0..5)])
            .bind(["done", "Order 88123 sent", "Kelvin \u{212a}", "STRASSE Stra\u{df}e"][rng.usize(0..4)])
            .bind(["c-1", "req-2", "C-1"][rng.usize(0..3)])
            .bind((rng.u8(0..3) > 0).then(|| rng.i32(-2..9000)))
            .bind((rng.u8(0..3) > 0).then(|| f64::from(rng.u16(0..10_000)) / 100.0))
            .bind((rng.u8(0..3) > 0).then(|| rng.i32(0..2048)))
            .execute(&mut on)
            .await
            .expect("inserted");
    }
    let clauses = [
        "cpu>50",
        "memory:100..900",
        "cpu?<20",
        "org:*",
        "is:failure",
        "level:warn",
        "-kind:log",
        "source:test*",
        "id:test*",
        "attempt>1",
        "attempts:4",
        "latency>100ms",
        "corr=c-1",
        "entity:*",
    ];
    random_filters_answer_alike_in(server.url(&database), 52, &clauses).await;
}

fn examined(url: &str) -> (Option<i32>, Vec<Value>) {
    let output = crosstail(&["doctor", "-o", "json", "-s", url]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (output.status.code(), text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_rights_indexes_and_retention_and_its_statements_run() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&["integration-activity"]).await;
    let mut on = server.mysql_connection(&database).await;
    let user = format!("doctor_{database}");
    run(&mut on, format!(
        "CREATE USER {user} IDENTIFIED BY 'hunter2'; GRANT SELECT, DELETE ON {database}.integration_activity_log TO {user}; \
         INSERT INTO integration_activity_log (direction, activity_type, status, created_at, completed_at, response_time_ms, metadata) \
         SELECT 'outgoing', 'api_call', 'success', UTC_TIMESTAMP(6) - INTERVAL seq * 10 MINUTE, UTC_TIMESTAMP(6) - INTERVAL seq * 10 MINUTE, 5, \
         '{{\"provider\": \"SAP\"}}' FROM seq_1_to_15000; DROP INDEX idx_integration_activity_created ON integration_activity_log; \
         ALTER TABLE integration_activity_log DROP COLUMN correlation_key; ANALYZE TABLE integration_activity_log"
    )).await;
    let url = server.url(&database).replace("root@", &format!("{user}:hunter2@"));
    let (code, all) = examined(&url);
    let found = |all: &[Value], grade: &str, text: &str| -> Value {
        let is = |d: &&Value| d["grade"] == grade && d["text"].as_str().is_some_and(|said| said.contains(text));
        all.iter().find(is).unwrap_or_else(|| panic!("no {grade} with '{text}' in {all:#?}")).clone()
    };
    assert_eq!(code, Some(1), "{all:#?}");
    found(&all, "warning", "the user has DELETE, and only has to read");
    found(&all, "warning", "104 days old");
    found(&all, "note", "polled");
    found(&all, "warning", "the password or token is on the command line");
    for missing in ["no index on created_at", "no index on metadata.correlation_id"] {
        run(&mut on, found(&all, "warning", missing)["remedy"].as_str().expect("a statement")).await;
    }
    run(
        &mut on,
        format!(
            "REVOKE DELETE ON {database}.integration_activity_log FROM {user}; \
         DELETE FROM integration_activity_log WHERE created_at < UTC_TIMESTAMP() - INTERVAL 90 DAY"
        ),
    )
    .await;
    let (_, all) = examined(&url);
    found(&all, "ok", "what it is asked by is indexed");
    found(&all, "ok", "may be read, and not written");
}

/// What is created, written as the systems write it, read back.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_created_once_traffic_is_generated_and_read() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&[]).await;
    let url = server.url(&database);
    for schema in ["integration-activity", "log-tracking"] {
        let apply = |more: &[&str]| crosstail(&[&["schema", "apply", schema, "--to", &url], more].concat());
        let dry = apply(&["--dry-run"]);
        assert!(dry.status.success() && String::from_utf8_lossy(&dry.stdout).starts_with("create table "), "{dry:?}");
        let made = apply(&["--yes"]);
        assert!(made.status.success() && made.stdout == dry.stdout, "{made:?}");
        let again = apply(&["--yes"]);
        assert!(String::from_utf8_lossy(&again.stderr).contains(", 0 to create or change"), "{again:?}");
        let shown = crosstail(&["schema", "apply", schema, "--notify", "--to", &url]);
        assert!(!shown.status.success() && String::from_utf8_lossy(&shown.stderr).contains("polled"), "{shown:?}");
    }
    let refused = crosstail(&["schema", "apply", "halopsa", "--to", &url, "--yes"]);
    assert!(
        String::from_utf8_lossy(&refused.stderr)
            .contains("nothing in MySQL; these do: integration-activity, log-tracking"),
        "{refused:?}"
    );
    let arguments =
        ["generate", "--to", &url, "--seed", "7", "--count", "400", "--history", "1h", "--for", "0s", "-o", "json"];
    let written = lines(&crosstail(&arguments));
    let count = |what: &str| -> usize {
        written.iter().find(|row| row["what"] == what).and_then(|row| row["count"].as_u64()).unwrap_or(0) as usize
    };
    let (calls, logs) = (count("integration_activity_log"), count("logs"));
    assert!(calls > 100 && logs >= 400, "{written:?}");
    let rows = lines(&crosstail(&["query", "--limit", "0", "-o", "json", "-s", &url]));
    assert_eq!(rows.len(), calls + logs);
    assert!(rows.iter().filter(|row| row["kind"] != "log").all(|row| row["status"] != "in_progress"), "all ended");
    assert!(rows.iter().any(|row| row["correlation_id"].is_string() && row["duration_ms"].is_number()));
}
