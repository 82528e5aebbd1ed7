//! `doctor`: what is wrong is found, with what to do, and what it says to do mends it.

use crate::servers::{Kind, Server, shared, shared_for_writing as own, unique_name};
use crate::support::crosstail;
use crate::writing::said;
use crate::{elasticsearch, kafka};
use bson::{Document, doc};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use std::process::Command;

/// What is found of a source: exit code, and grade, topic, text and remedy of each.
fn examined(source: &str) -> (Option<i32>, Vec<Value>) {
    let output = crosstail(&["doctor", "-s", source, "-o", "json"]);
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    assert!(!text.contains("hunter2") && !said(&output).contains("hunter2"), "{text}");
    (output.status.code(), text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

/// The one that says something.
fn found<'a>(all: &'a [Value], grade: &str, text: &str) -> &'a Value {
    let is = |d: &&Value| d["grade"] == grade && d["text"].as_str().is_some_and(|said| said.contains(text));
    all.iter().find(is).unwrap_or_else(|| panic!("no {grade} with '{text}' in {all:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_rights_indexes_retention_and_the_trigger() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let name = server.postgres_database(&["integration-activity"]).await;
    let mut on = server.postgres_connection(&name).await;
    let role = unique_name();
    for text in [
        format!("CREATE ROLE {role} LOGIN"),
        format!("GRANT SELECT, DELETE ON integration_activity_log TO {role}"),
        "ALTER TABLE integration_activity_log DISABLE ROW LEVEL SECURITY".to_owned(),
        "INSERT INTO integration_activity_log (direction, activity_type, status, created_at, completed_at, response_time_ms, metadata) \
         SELECT 'outgoing', 'api_call', 'success', now() - n * interval '10 minutes', now() - n * interval '10 minutes', 5, '{\"provider\": \"SAP\"}' \
         FROM generate_series(1, 15000) n"
            .to_owned(),
        "DROP INDEX idx_integration_activity_created; DROP INDEX idx_integration_activity_correlation; ANALYZE".to_owned(),
    ] {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut on).await.expect("run");
    }
    let url = server.url(&name).replace("postgres@", &format!("{role}:hunter2@"));
    let (code, all) = examined(&url);
    assert_eq!(code, Some(1));
    let rights = found(&all, "warning", "the role may DELETE, but only needs to read");
    let time = found(&all, "warning", "no index on created_at");
    let correlation = found(&all, "warning", "no index on metadata.correlation_id");
    found(&all, "warning", "104 days old");
    found(&all, "note", "polled");
    found(&all, "warning", "the password or token is on the command line");
    found(&all, "ok", "within");
    // What it says to do.
    for statement in [time, correlation] {
        let text = statement["remedy"].as_str().expect("a statement").to_owned();
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut on).await.expect("the statement runs");
    }
    let revoke = rights["remedy"]
        .as_str()
        .expect("a statement")
        .split(';')
        .next()
        .expect("a statement")
        .replace("CURRENT_ROLE", &role);
    sqlx::raw_sql(AssertSqlSafe(revoke)).execute(&mut on).await.expect("revoked");
    sqlx::raw_sql("DELETE FROM integration_activity_log WHERE created_at < now() - interval '90 days'")
        .execute(&mut on)
        .await
        .expect("deleted");
    assert!(
        crosstail(&["schema", "apply", "integration-activity", "--notify", "--yes", "--to", &server.url(&name)])
            .status
            .success()
    );
    let (code, all) = examined(&url.replace(":hunter2", ""));
    assert_eq!(code, Some(0), "{all:#?}");
    found(&all, "ok", "that queries use is indexed");
    found(&all, "ok", "is readable and not writable");
    found(&all, "ok", "a trigger notifies of each write");
    // Too few rights are a problem, and so is a wrong password.
    sqlx::raw_sql(AssertSqlSafe(format!("REVOKE ALL ON integration_activity_log FROM {role}")))
        .execute(&mut on)
        .await
        .expect("revoked");
    let (code, all) = examined(&url);
    assert_eq!(code, Some(2));
    found(&all, "problem", "integration_activity_log may not be read");
    let (code, all) = examined(&server.url(&name).replace("postgres@", "locked:hunter2@"));
    assert_eq!(
        (code, all.iter().filter(|d| d["topic"] == "credentials" && d["grade"] == "problem").count()),
        (Some(2), 1)
    );
    for (nowhere, why) in
        [("postgres://x@127.0.0.1:1/x", "127.0.0.1:1"), ("postgres://x@nobody.invalid/x", "nobody.invalid")]
    {
        let (code, all) = examined(nowhere);
        assert_eq!(code, Some(2));
        found(&all, "problem", why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_told() {
    let Some(server) = Server::start_with(Kind::Postgres, 90, &[]).await else { return };
    let name = server.postgres_database(&["log-tracking"]).await;
    let (code, all) = examined(&server.url(&name));
    assert_eq!(code, Some(1));
    let skew = found(&all, "warning", "ahead of this machine's");
    assert!(skew["topic"] == "clock" && skew["remedy"].as_str().is_some_and(|remedy| remedy.contains("timedatectl")));
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_users_ttl_and_indexes() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let name = unique_name();
    let logs = server.mongo_client().await.database(&name).collection::<Document>("integration_logs");
    let one = |n: i32| {
        doc! { "request_id": format!("r-{n}"), "correlation_id": "c", "system_code": "SAP", "status": "SUCCESS", "started_at": bson::DateTime::now(), "endpoint_code": "E", "duration_ms": 4 }
    };
    logs.insert_many((0..12_000).map(one)).await.expect("written");
    let (code, all) = examined(&server.url(&name));
    assert_eq!(code, Some(1));
    found(&all, "warning", "requires no login");
    let index = found(&all, "warning", "no index on correlation_id");
    assert_eq!(index["remedy"], "db.integration_logs.createIndex({ \"correlation_id\": 1 })");
    let ttl = found(&all, "warning", "there is no TTL index");
    assert_eq!(
        ttl["remedy"],
        "db.integration_logs.createIndex({ \"created_at\": 1 }, { expireAfterSeconds: 7776000 })"
    );
    assert!(crosstail(&["schema", "apply", "prokure", "--yes", "--to", &server.url(&name)]).status.success());
    let (_, all) = examined(&server.url(&name));
    found(&all, "ok", "documents are deleted 90 days after created_at");
    found(&all, "ok", "that queries use is indexed");
    found(&all, "ok", "a change stream reports");
    // With users: one that may only read, and one that may do more.
    let Some(server) = shared(Kind::MongoAuth).await else { return };
    let admin = server.mongo_client().await.database("admin");
    let root = doc! { "createUser": "root", "pwd": "hunter2", "roles": ["root"] };
    // Another test may have made the first user: then there is one already.
    let _ = admin.run_command(root).await;
    let client = mongodb::Client::with_uri_str(format!(
        "mongodb://root:hunter2@127.0.0.1:{}/admin?directConnection=true",
        server.port
    ))
    .await
    .expect("a client");
    if client.database("admin").run_command(doc! { "ping": 1 }).await.is_ok() {
        let name = unique_name();
        let database = client.database(&name);
        database.collection::<Document>("integration_logs").insert_one(one(1)).await.expect("written");
        for (user, role) in [("reader", "read"), ("writer", "readWrite")] {
            let make = doc! { "createUser": user, "pwd": "hunter2", "roles": [{ "role": role, "db": &name }] };
            database.run_command(make).await.expect("made");
            let url = format!("mongodb://{user}:hunter2@127.0.0.1:{}/{name}?directConnection=true", server.port);
            let (_, all) = examined(&url);
            if role == "read" {
                found(&all, "ok", "reader may read and not write");
            } else {
                found(
                    &all,
                    "warning",
                    "writer may createCollection, createIndex, dropCollection, insert, remove, update",
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn elasticsearch_refresh_blocks_and_lifecycle() {
    let Some(server) = own(Kind::Elasticsearch).await else { return };
    let index = elasticsearch::index_name("engineering_logs");
    let settings = json!({ "settings": { "index.refresh_interval": "45s", "index.number_of_replicas": 0 }, "mappings": elasticsearch::logs_index()["mappings"] });
    elasticsearch::ask(&server, "PUT", &index, settings).await;
    let url = server.url(&index);
    let (code, all) = examined(&url);
    assert_eq!(code, Some(1));
    let late = found(&all, "warning", "every 45 s");
    assert!(late["remedy"].as_str().is_some_and(|r| r.starts_with(&format!("PUT /{index}/_settings"))), "{late}");
    found(&all, "warning", "requires no login");
    found(&all, "note", "have no lifecycle policy");
    let put = |body: Value| {
        elasticsearch::ask(&server, "PUT", Box::leak(format!("{index}/_settings").into_boxed_str()), body)
    };
    put(json!({ "index.refresh_interval": "-1" })).await;
    let (code, all) = examined(&url);
    assert_eq!(code, Some(2));
    found(&all, "problem", "never refreshed");
    put(json!({ "index.refresh_interval": "1s", "index.blocks.read_only_allow_delete": true })).await;
    let (code, all) = examined(&url);
    assert_eq!(code, Some(2));
    found(&all, "problem", "blocked for writes");
    put(json!({ "index.blocks.read_only_allow_delete": null })).await;
    let (_, all) = examined(&url);
    found(&all, "ok", "within about a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_retention_and_lag() {
    let Some(server) = own(Kind::Kafka).await else { return };
    let topic = kafka::topic_name("log-ingestion");
    kafka::create(&server, &topic, 2, &[("retention.ms", "3600000"), ("cleanup.policy", "compact")]).await;
    let producer = kafka::producer(&server, "none");
    let message = |n: usize| {
        (format!("k{n}"), json!({ "log_id": format!("l-{n}"), "timestamp": crosstail_core::model::Clock::system().now().rfc3339(), "raw_log": "x", "metadata": { "service": "api" } }).to_string())
    };
    kafka::produce(&producer, &topic, (0..50).map(message));
    let (code, all) = examined(&server.url(&topic));
    assert_eq!(code, Some(1), "{all:#?}");
    let short = found(&all, "warning", "messages expire after 1.0 hours");
    assert!(short["remedy"].as_str().is_some_and(|r| r.contains("retention.ms=604800000")));
    found(&all, "warning", "is compacted");
    found(&all, "ok", "50 messages in 2 partitions");
}

#[test]
fn files_and_their_schema() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("a.log");
    let line = |n: usize| {
        format!(
            "{}\n",
            json!({ "timestamp": format!("2026-11-20T10:{:02}:00Z", n % 60), "level": "INFO", "message": "fine", "service": "halopsa-integration", "requestId": format!("r{n}") })
        )
    };
    let text: String = (0..40).map(line).chain(["{\"timestamp\": broken\n".to_owned()]).collect();
    std::fs::write(&log, text).expect("written");
    let old = std::time::UNIX_EPOCH
        + std::time::Duration::from_micros(crosstail_core::model::Clock::system().now().plus_ms(-18_000_000).0 as u64);
    std::fs::File::options().append(true).open(&log).expect("opened").set_modified(old).expect("aged");
    let (code, all) = examined(log.to_str().expect("UTF-8"));
    assert_eq!(code, Some(1), "{all:#?}");
    let bad = found(&all, "warning", "1 of the 41 newest records could not be read");
    assert!(bad["text"].as_str().is_some_and(|t| t.contains("broken")), "{bad}");
    found(&all, "note", "nothing has been written for");
    assert_eq!(examined("/nonexistent-x/*.log").0, Some(2));
    // As text: a line each, the sign and the word, never by colour alone.
    let output = crosstail(&["doctor", "-s", log.to_str().expect("UTF-8"), "--quiet"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        text.contains("! warning") && text.contains("→ ") && !text.contains("✓") && !text.contains('\x1b'),
        "{text}"
    );
    // A password that stands in the configuration is told.
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "[[source]]\nname = \"db\"\nat = \"postgres://me:hunter2@127.0.0.1:1/x\"\n")
        .expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(["doctor", "--config", config.to_str().expect("UTF-8")])
        .output()
        .expect("run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("the password or token is in the configuration file") && !text.contains("hunter2"), "{text}");
}

/// What is found without a source: exit code, and what was found of crosstail itself and of sources.
fn examined_at(home: &std::path::Path) -> (Option<i32>, Vec<Value>) {
    let output = Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(["doctor", "-o", "json"])
        .current_dir(home)
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_STATE_HOME", home.join("state"))
        .env("TERM", "xterm-256color")
        .env("LANG", "C.UTF-8")
        .env_remove("LC_ALL")
        .output()
        .expect("run");
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    (output.status.code(), text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

#[test]
fn without_a_source_the_configuration_and_what_is_kept_are_examined() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().expect("a folder");
    let path = |name: &str| home.path().join(name);
    let (code, all) = examined_at(home.path());
    assert!(code.is_some_and(|code| code < 2), "{all:#?}");
    assert!(all.iter().all(|found| found["source"].is_null()), "{all:#?}");
    found(&all, "note", "crosstail/config.toml does not exist: crosstail config init");
    found(&all, "note", "none is configured");
    found(&all, "ok", "state/crosstail is made when it is needed");
    assert_eq!(std::fs::read_dir(home.path()).expect("read").count(), 0, "nothing is written");

    // One source that can be read, and one that cannot be opened: both are told.
    std::fs::create_dir_all(path("config/crosstail")).expect("made");
    std::fs::write(path("a.log"), "2026-11-20 10:00:00 ERROR one\n").expect("written");
    let good = format!("[[source]]\nname = \"good\"\nat = {:?}\n", path("a.log"));
    let bad = "[[source]]\nname = \"bad\"\nat = \"postgres://me@127.0.0.1:9/x\"\npassword_env = \"NOT_THERE\"\n";
    std::fs::write(path("config/crosstail/config.toml"), format!("{good}{bad}")).expect("written");
    std::fs::create_dir_all(path("state/crosstail")).expect("made");
    std::fs::set_permissions(path("state/crosstail"), std::fs::Permissions::from_mode(0o777)).expect("opened to all");
    let (code, all) = examined_at(home.path());
    assert_eq!(code, Some(2), "{all:#?}");
    let problem = found(&all, "problem", "source bad: ");
    assert!(
        problem["topic"] == "configuration" && problem["text"].as_str().is_some_and(|text| text.contains("NOT_THERE"))
    );
    let open = found(&all, "warning", "others can write into");
    assert!(open["remedy"].as_str().is_some_and(|remedy| remedy.starts_with("chmod 700")), "{open}");
    assert!(all.iter().any(|found| found["source"] == "good"), "{all:#?}");

    // What cannot be read at all is told with its place, and does not end the command.
    std::fs::write(path("config/crosstail/config.toml"), "theme = 3\n").expect("written");
    let (code, all) = examined_at(home.path());
    assert_eq!(code, Some(2));
    assert!(found(&all, "problem", "config.toml:1: ")["source"].is_null());
}

#[test]
fn in_a_terminal_it_is_examined_too() {
    let home = tempfile::tempdir().expect("a folder");
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.arg("doctor");
    for (name, value) in [("LC_ALL", "C"), ("TERM_PROGRAM", "Apple_Terminal")] {
        command.env(name, value);
    }
    for name in ["STY", "VTE_VERSION", "SSH_CONNECTION"] {
        command.env_remove(name);
    }
    let folder = |name: &str| home.path().join(name);
    let environment =
        [("HOME", folder("")), ("XDG_CONFIG_HOME", folder("config")), ("XDG_STATE_HOME", folder("state"))];
    let terminal = crate::pty::Terminal::run_as_it_is(command, &environment, 100, 30);
    terminal.wait_for("0 problems, 1 warning");
    let screen = terminal.screen();
    for says in ["xterm-256color, 100×30", "24-bit", "LC_ALL=C", "Apple's Terminal does not pass on"] {
        assert!(screen.contains(says), "{says}:\n{screen}");
    }
}
