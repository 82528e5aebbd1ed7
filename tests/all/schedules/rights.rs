//! What crosstail was allowed, and is no more: a password is changed, a right is withdrawn. It is said, without the secret, and it
//! goes on once it is allowed again.

use crate::elasticsearch::{self, Front};
use crate::kafka;
use crate::servers::{Kind, Proxy, Server, kafka_tool};
use crate::support::{Running, open};
use bson::doc;
use crosstail_core::model::Clock;
use serde_json::json;
use sqlx::AssertSqlSafe;
use std::process::Command;

/// A password that was changed is said, with what to do, and not tried again and again; so is a right that was withdrawn.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_and_a_withdrawn_right_of_postgres_are_said() {
    let Some(server) = Server::start(Kind::Postgres).await else { return };
    for (change, said) in [
        ("ALTER ROLE locked PASSWORD 'second'", "password authentication failed"),
        ("REVOKE SELECT ON logs FROM locked", "permission denied"),
    ] {
        let database = server.postgres_database(&["log-tracking"]).await;
        let run = async |text: &str| {
            let mut connection = server.postgres_connection(&database).await;
            sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await.expect("run");
        };
        run("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'locked') THEN CREATE ROLE locked; END IF; END $$; \
             ALTER ROLE locked LOGIN PASSWORD 'first'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO locked")
        .await;
        let (names, source) = open(&[format!("postgres://locked:first@127.0.0.1:{}/{database}", server.port)]);
        let mut running = Running::start(&names, source);
        running.live().await;
        run(change).await;
        run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'locked'").await;
        let is_said = |running: &Running| {
            let told = format!("{:?} {:?}", running.states, running.notices);
            told.contains(said) && !told.contains("first")
        };
        running.until(said, is_said).await;
    }
}

/// The same of MySQL and MongoDB.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_of_mysql_and_mongodb_is_said() {
    if let Some(server) = Server::start(Kind::Mysql).await {
        let database = server.mysql_database(&["log-tracking"]).await;
        let run = async |text: &str| {
            let mut connection = server.mysql_connection(&database).await;
            sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await.expect("run");
        };
        for (change, said) in [
            ("ALTER USER reader IDENTIFIED BY 'second'", "Access denied"),
            ("REVOKE SELECT ON *.* FROM reader", "denied"),
        ] {
            run("DROP USER IF EXISTS reader; CREATE USER reader IDENTIFIED BY 'first'; GRANT SELECT ON *.* TO reader")
                .await;
            let (names, source) = open(&[server.url(&database).replace("root@", "reader:first@")]);
            let mut running = Running::start(&names, source);
            running.live().await;
            run(change).await;
            run("KILL USER reader").await;
            running.until(said, |running| is_told(running, said)).await;
        }
    }
    let Some(server) = Server::start(Kind::MongoAuth).await else { return };
    let admin = server.mongo_client().await.database("admin");
    // The first user may be made from this machine without one.
    admin.run_command(doc! { "createUser": "root", "pwd": "root", "roles": ["root"] }).await.expect("created");
    let proxy = Proxy::to(server.port).await;
    let client =
        mongodb::Client::with_uri_str(server.url("admin").replace("//", "//root:root@")).await.expect("a client");
    let logs = client.database("shop").collection::<bson::Document>("integration_logs");
    logs.insert_one(doc! { "request_id": "1", "status": "SUCCESS", "started_at": bson::DateTime::now() })
        .await
        .expect("written");
    for (change, said) in [
        (doc! { "updateUser": "reader", "pwd": "second" }, "uthentication failed"),
        (doc! { "revokeRolesFromUser": "reader", "roles": [{ "role": "read", "db": "shop" }] }, "not authorized"),
    ] {
        let database = client.database("shop");
        let _ = database.run_command(doc! { "dropUser": "reader" }).await;
        let user = doc! { "createUser": "reader", "pwd": "first", "roles": [{ "role": "read", "db": "shop" }] };
        database.run_command(user).await.expect("created");
        let (names, source) = open(&[server.url_at(proxy.port, "shop").replace("//", "//reader:first@")]);
        let mut running = Running::start(&names, source);
        running.live().await;
        database.run_command(change).await.expect("changed");
        proxy.cut();
        proxy.mend();
        running.until(said, |running| is_told(running, said)).await;
    }
}

/// Said, and without the password.
fn is_told(running: &Running, text: &str) -> bool {
    let told = format!("{:?} {:?}", running.states, running.notices);
    assert!(!told.contains("first@") && !told.contains("\"first\""), "{told}");
    told.contains(text)
}

/// Elasticsearch refuses by its answers: another password, then a right that is gone, then both are back.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_and_a_withdrawn_right_of_elasticsearch_are_said() {
    let Some(server) = crate::servers::shared(Kind::Elasticsearch).await else { return };
    let index = elasticsearch::index_name("engineering_logs");
    elasticsearch::create(&server, &index, elasticsearch::logs_index()).await;
    let write = async |from: u32| {
        let at = Clock::system().now().rfc3339();
        let log = |n: u32| json!({ "log_id": format!("log {n}"), "timestamp": at, "level": "INFO", "message": "m", "created_at": at });
        let lines: Vec<_> = (from..from + 10).map(|n| (json!({ "index": { "_index": index } }), log(n))).collect();
        elasticsearch::bulk(&server, &lines).await;
    };
    write(0).await;
    // reader:first
    let front = Front::of(server.port, "Basic cmVhZGVyOmZpcnN0", "/");
    let port = front.clone().listen().await;
    let (names, source) = open(&[format!("es+http://reader:first@127.0.0.1:{port}/{index}")]);
    let mut running = Running::start(&names, source);
    running.live().await;
    running.until("what was written before", |running| running.store.len() == 10).await;
    front.want("Basic cmVhZGVyOnNlY29uZA==");
    running.until("the password", |running| is_told(running, "by the front")).await;
    front.want("Basic cmVhZGVyOmZpcnN0");
    front.forbid(true);
    let (names, source) = open(&[format!("es+http://reader:first@127.0.0.1:{port}/{index}")]);
    let mut other = Running::start(&names, source);
    other.until("the right", |running| is_told(running, "by the front")).await;
    front.forbid(false);
    write(10).await;
    let (names, source) = open(&[format!("es+http://reader:first@127.0.0.1:{port}/{index}")]);
    let mut again = Running::start(&names, source);
    again.live().await;
    again.until("all, once it is allowed again", |running| running.store.len() == 20).await;
}

/// A broker asks for the password again when it is connected to again.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_of_kafka_is_said() {
    let Some(server) = Server::start(Kind::Kafka).await else { return };
    let topic = kafka::topic_name("log-processing");
    kafka::create(&server, &topic, 3, &[]).await;
    let ca = server.folder.join("ca.pem").display().to_string();
    let secure = server.kafka.secure;
    let url = format!("kafka://reader:pass-word@127.0.0.1:{secure}/{topic}?tls=true&ca={ca}&sasl=SCRAM-SHA-512");
    let (names, source) = open(&[url]);
    let mut running = Running::start(&names, source);
    running.live().await;
    let mut tool = kafka_tool("kafka.admin.ConfigCommand");
    tool.extend(["--bootstrap-server".to_owned(), format!("127.0.0.1:{}", server.port)]);
    let change = [
        "--alter",
        "--add-config",
        "SCRAM-SHA-512=[password=second]",
        "--entity-type",
        "users",
        "--entity-name",
        "reader",
    ];
    tool.extend(change.map(str::to_owned));
    let output = Command::new(&tool[0]).args(&tool[1..]).output().expect("java");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    server.kill();
    server.restart().await;
    let is_said = |running: &Running| {
        let told = format!("{:?} {:?}", running.states, running.notices);
        assert!(!told.contains("pass-word"), "{told}");
        told.to_lowercase().contains("authentication")
    };
    running.until("the password", is_said).await;
}
