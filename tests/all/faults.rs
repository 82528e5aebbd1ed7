//! Faults of real servers: killed, cut, slow, with a wrong clock; and what was written meanwhile.

use crate::servers::{Kind, Proxy, Server, shared, unique_name};
use crate::support::{Running, open};
use bson::{DateTime, Document, doc};
use crosstail::source::pump::State;
use sqlx::AssertSqlSafe;
use std::sync::Arc;
use std::time::Duration;

/// Writes rows, or documents, that began now; `from` is the first one's number.
async fn write(server: &Server, database: &str, from: u32, count: u32) {
    if server.kind == Kind::Postgres {
        let mut connection = server.postgres_connection(database).await;
        let text = format!(
            "INSERT INTO logs (level, service, message, request_id) SELECT 'INFO', 'api', 'm' || n, 'r' FROM generate_series({from}, {}) n",
            from + count - 1
        );
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.expect("written");
        return;
    }
    let collection = server.mongo_client().await.database(database).collection::<Document>("integration_logs");
    let numbers: Vec<u32> = (from..from + count).collect();
    for chunk in numbers.chunks(10_000) {
        let one =
            |n: &u32| doc! { "request_id": format!("request {n}"), "status": "SUCCESS", "started_at": DateTime::now() };
        collection.insert_many(chunk.iter().map(one)).await.expect("written");
    }
}

async fn prepared(server: &Server) -> String {
    if server.kind == Kind::Postgres {
        return server.postgres_database(&["log-tracking"]).await;
    }
    let database = unique_name();
    let collection = server.mongo_client().await.database(&database).collection::<Document>("integration_logs");
    let index = mongodb::IndexModel::builder().keys(doc! { "started_at": -1 }).build();
    collection.create_index(index).await.expect("indexed");
    database
}

fn said_why(running: &Running) -> bool {
    running.states.iter().any(|state| matches!(state, State::Waiting { error, .. } if !error.is_empty()))
}

async fn killed_and_restarted(kind: Kind) {
    let server = Server::start(kind).await;
    let database = prepared(&server).await;
    write(&server, &database, 0, 50).await;
    let (names, source) = open(&[server.url(&database)]);
    let mut running = Running::start(&names, source);
    running.live().await;
    write(&server, &database, 50, 50).await;
    running.until("what was written live", |running| running.store.len() == 100).await;
    server.kill();
    running.until("the outage to be said", said_why).await;
    server.restart().await;
    write(&server, &database, 100, 50).await;
    running.until("what was written after the restart", |running| running.store.len() == 150).await;
    running.live().await;
    write(&server, &database, 150, 10).await;
    running.until("what was written live again", |running| running.store.len() == 160).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_killed_and_restarted() {
    killed_and_restarted(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_killed_and_restarted() {
    killed_and_restarted(Kind::MongoReplica).await;
}

async fn a_hundred_thousand_written_while_cut_off(kind: Kind) {
    let server = shared(kind).await;
    let database = prepared(&server).await;
    write(&server, &database, 0, 10).await;
    let proxy = Proxy::to(server.port).await;
    let (names, source) = open(&[server.url_at(proxy.port, &database)]);
    let mut running = Running::start(&names, source);
    running.live().await;
    proxy.cut();
    running.until("the outage to be said", said_why).await;
    write(&server, &database, 10, 100_000).await;
    proxy.mend();
    running.until("everything that was written meanwhile", |running| running.store.len() == 100_010).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    running.live().await;
    assert_eq!(running.store.len(), 100_010, "nothing twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_a_hundred_thousand_written_while_cut_off() {
    a_hundred_thousand_written_while_cut_off(Kind::Postgres).await;
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
    for kind in [Kind::Postgres, Kind::MongoReplica] {
        let server = shared(kind).await;
        let database = prepared(&server).await;
        let proxy = Proxy::to(server.port).await;
        proxy.slow(150);
        let (names, source) = open(&[server.url_at(proxy.port, &database)]);
        write(&server, &database, 0, 20).await;
        let mut running = Running::start(&names, source);
        running.live().await;
        write(&server, &database, 20, 500).await;
        running.until("what was written", |running| running.store.len() == 520).await;
        assert!(!said_why(&running), "{:?}", running.states);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_is_five_minutes_off_is_followed_and_it_is_said() {
    for (kind, ahead) in [(Kind::Postgres, 300), (Kind::Postgres, -300), (Kind::MongoReplica, 300)] {
        let server = Server::start_with(kind, ahead, &[]).await;
        let database = prepared(&server).await;
        write(&server, &database, 0, 20).await;
        let (names, source) = open(&[server.url(&database)]);
        let probe = source.probe().await.expect("probed");
        let found = probe.clock_ahead_us.expect("a clock") as f64 / 1e6;
        assert!((found - f64::from(ahead)).abs() < 5.0, "{kind:?}: {found}");
        let mut running = Running::start(&names, Arc::clone(&source));
        running.live().await;
        // Times of PostgreSQL are the server's own here, those of MongoDB the client's.
        write(&server, &database, 20, 30).await;
        running.until("what was written", |running| running.store.len() == 50).await;
    }
}
