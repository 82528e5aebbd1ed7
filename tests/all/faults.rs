//! Faults of real servers: killed, cut, slow, with a wrong clock; and what was written meanwhile.

use crate::servers::{Kind, Proxy, Server, shared, unique_name};
use crate::support::{Running, open};
use crate::{elasticsearch, kafka};
use bson::{DateTime, Document, doc};
use crosstail_core::model::Clock;
use crosstail_source::Job;
use crosstail_source::pump::SourceState;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use std::sync::Arc;

/// Writes rows, or documents, that began now; `from` is the first one's number.
pub(crate) async fn write(server: &Server, database: &str, from: u32, count: u32) {
    if server.kind == Kind::Postgres {
        let mut connection = server.postgres_connection(database).await;
        let text = format!(
            "INSERT INTO logs (level, service, message, request_id) SELECT 'INFO', 'api', 'm' || n, 'r' FROM generate_series({from}, {}) n",
            from + count - 1
        );
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.expect("written");
        return;
    }
    if server.kind == Kind::Mysql {
        let mut connection = server.mysql_connection(database).await;
        let text = format!(
            "INSERT INTO logs (level, service, message, request_id) SELECT 'INFO', 'api', CONCAT('m', seq), 'r' FROM seq_{from}_to_{}",
            from + count - 1
        );
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.expect("written");
        return;
    }
    let numbers: Vec<u32> = (from..from + count).collect();
    let log = |n: &u32| {
        let at = Clock::system().now().rfc3339();
        json!({ "log_id": format!("log {n}"), "timestamp": at, "level": "INFO", "message": "m", "created_at": at })
    };
    if server.kind == Kind::Kafka {
        let keyed = numbers.iter().map(|n| (n.to_string(), log(n).to_string()));
        kafka::produce(&kafka::producer(server, "lz4"), database, keyed);
        return;
    }
    if server.kind == Kind::Elasticsearch {
        for chunk in numbers.chunks(10_000) {
            let lines: Vec<_> = chunk.iter().map(|n| (json!({ "index": { "_index": database } }), log(n))).collect();
            elasticsearch::bulk(server, &lines).await;
        }
        return;
    }
    let collection = server.mongo_client().await.database(database).collection::<Document>("integration_logs");
    for chunk in numbers.chunks(10_000) {
        let one =
            |n: &u32| doc! { "request_id": format!("request {n}"), "status": "SUCCESS", "started_at": DateTime::now() };
        collection.insert_many(chunk.iter().map(one)).await.expect("written");
    }
}

pub(crate) async fn prepared(server: &Server) -> String {
    if server.kind == Kind::Postgres {
        return server.postgres_database(&["log-tracking"]).await;
    }
    if server.kind == Kind::Mysql {
        return server.mysql_database(&["log-tracking"]).await;
    }
    if server.kind == Kind::Kafka {
        let topic = kafka::topic_name("log-processing");
        kafka::create(server, &topic, 12, &[]).await;
        return topic;
    }
    if server.kind == Kind::Elasticsearch {
        let index = elasticsearch::index_name("engineering_logs");
        elasticsearch::create(server, &index, elasticsearch::logs_index()).await;
        return index;
    }
    let database = unique_name();
    let collection = server.mongo_client().await.database(&database).collection::<Document>("integration_logs");
    let index = mongodb::IndexModel::builder().keys(doc! { "started_at": -1 }).build();
    collection.create_index(index).await.expect("indexed");
    database
}

fn said_why(running: &Running) -> bool {
    running.states.iter().any(|state| matches!(state, SourceState::Waiting { error, .. } if !error.is_empty()))
}

async fn killed_and_restarted(kind: Kind) {
    let Some(server) = Server::start(kind).await else { return };
    kill_and_restart(&server).await;
}

async fn kill_and_restart(server: &Server) {
    let database = prepared(server).await;
    write(server, &database, 0, 50).await;
    let (names, source) = open(&[server.url(&database)]);
    let mut running = Running::start(&names, source);
    running.live().await;
    write(server, &database, 50, 50).await;
    running.until("what was written live", |running| running.store.len() == 100).await;
    server.kill();
    running.until("the outage to be said", said_why).await;
    server.restart().await;
    write(server, &database, 100, 50).await;
    running.until("what was written after the restart", |running| running.store.len() == 150).await;
    running.live().await;
    write(server, &database, 150, 10).await;
    running.until("what was written live again", |running| running.store.len() == 160).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_killed_and_restarted() {
    killed_and_restarted(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_killed_and_restarted() {
    killed_and_restarted(Kind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_killed_and_restarted() {
    killed_and_restarted(Kind::MongoReplica).await;
}

async fn a_hundred_thousand_written_while_cut_off(kind: Kind) {
    let Some(server) = shared(kind).await else { return };
    let proxy = Proxy::to(server.port).await;
    write_while_cut_off(&server, &proxy).await;
}

async fn write_while_cut_off(server: &Server, proxy: &Proxy) {
    let database = prepared(server).await;
    write(server, &database, 0, 10).await;
    let (names, source) = open(&[server.url_at(proxy.port, &database)]);
    let mut running = Running::start(&names, source);
    running.live().await;
    proxy.cut();
    running.until("the outage to be said", said_why).await;
    write(server, &database, 10, 100_000).await;
    proxy.mend();
    running.until("everything that was written meanwhile", |running| running.store.len() == 100_010).await;
    running.live().await;
    write(server, &database, 100_010, 10).await;
    running.until("what was written then", |running| running.store.len() >= 100_020).await;
    assert_eq!(running.store.len(), 100_020, "nothing twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_a_hundred_thousand_written_while_cut_off() {
    a_hundred_thousand_written_while_cut_off(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_a_hundred_thousand_written_while_cut_off() {
    a_hundred_thousand_written_while_cut_off(Kind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_a_hundred_thousand_written_while_cut_off() {
    a_hundred_thousand_written_while_cut_off(Kind::MongoReplica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn standalone_mongodb_a_hundred_thousand_written_while_cut_off() {
    a_hundred_thousand_written_while_cut_off(Kind::MongoStandalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_connection_is_only_slow() {
    for kind in [Kind::Postgres, Kind::Mysql, Kind::MongoReplica, Kind::Elasticsearch] {
        let Some(server) = shared(kind).await else { return };
        let proxy = Proxy::to(server.port).await;
        be_slow(&server, &proxy).await;
    }
}

async fn be_slow(server: &Server, proxy: &Proxy) {
    let database = prepared(server).await;
    proxy.slow(150);
    let (names, source) = open(&[server.url_at(proxy.port, &database)]);
    write(server, &database, 0, 20).await;
    let mut running = Running::start(&names, source);
    running.live().await;
    write(server, &database, 20, 500).await;
    running.until("what was written", |running| running.store.len() == 520).await;
    assert!(!said_why(&running), "{:?}", running.states);
}

/// One server for all three: clients of Kafka go where the broker tells them, so it has one proxy.
#[tokio::test(flavor = "multi_thread")]
async fn kafka_slow_cut_off_killed() {
    let Some(server) = Server::start(Kind::Kafka).await else { return };
    let proxy = Proxy::between(server.kafka.proxied, server.kafka.behind_proxy).await;
    be_slow(&server, &proxy).await;
    proxy.slow(0);
    write_while_cut_off(&server, &proxy).await;
    kill_and_restart(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn elasticsearch_a_hundred_thousand_written_while_cut_off() {
    a_hundred_thousand_written_while_cut_off(Kind::Elasticsearch).await;
}

/// The cluster refuses searches because its circuit breaker has no memory left for them (429); then it is killed.
#[tokio::test(flavor = "multi_thread")]
async fn elasticsearch_out_of_memory_then_killed() {
    let Some(server) = Server::start(Kind::Elasticsearch).await else { return };
    let database = prepared(&server).await;
    write(&server, &database, 0, 50).await;
    let limit = |limit: Value| json!({ "persistent": { "indices.breaker.total.limit": limit } });
    let (names, source) = open(&[server.url(&database)]);
    let mut running = Running::start(&names, source);
    running.until("what was there", |running| running.store.len() == 50).await;
    running.live().await;
    elasticsearch::ask(&server, "PUT", "_cluster/settings", limit(json!("1b"))).await;
    running.until("the refusal to be said", said_why).await;
    let said = running.states.iter().any(|state| {
        matches!(state, SourceState::Waiting { error, .. } if error.contains("HTTP 429") && error.contains("circuit_breaking_exception"))
    });
    assert!(said, "{:?}", running.states);
    // Settings go past the breaker.
    elasticsearch::ask(&server, "PUT", "_cluster/settings", limit(Value::Null)).await;
    write(&server, &database, 50, 50).await;
    running.until("what was written after it", |running| running.store.len() == 100).await;
    drop(running);
    kill_and_restart(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_is_five_minutes_off_is_followed_and_it_is_said() {
    for (kind, ahead) in [(Kind::Postgres, 300), (Kind::Postgres, -300), (Kind::Mysql, 300), (Kind::MongoReplica, 300)]
    {
        let Some(server) = Server::start_with(kind, ahead, &[]).await else { return };
        let database = prepared(&server).await;
        write(&server, &database, 0, 20).await;
        let (names, source) = open(&[server.url(&database)]);
        let probe = source.probe(&Job::default()).await.expect("probed");
        let found = probe.clock_ahead_us.expect("a clock") as f64 / 1e6;
        assert!((found - f64::from(ahead)).abs() < 5.0, "{kind:?}: {found}");
        let mut running = Running::start(&names, Arc::clone(&source));
        running.live().await;
        // Times of PostgreSQL are the server's own here, those of MongoDB the client's.
        write(&server, &database, 20, 30).await;
        running.until("what was written", |running| running.store.len() == 50).await;
    }
}
