//! A table that is followed and goes away. It is waited for: no other table takes its place, and it is said.

use crate::servers::{Kind, shared, unique_name};
use crate::support::{PATIENCE, open};
use crate::tables::Following;
use bson::{DateTime, Document, doc};
use crosstail_core::model::Activity;
use crosstail_source::{Job, PageQuery, SourceEvent};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::sync::Arc;
use std::time::Duration;

/// The table that is an activity most likely, and another one that might be one.
const OTHER: &str = "CREATE TABLE visits (id INTEGER PRIMARY KEY, created_at TIMESTAMP, message VARCHAR(40))";
const HOOKS: &str = "CREATE TABLE webhook_log (id INTEGER PRIMARY KEY, created_at TIMESTAMP, provider VARCHAR(40), url VARCHAR(80), \
     status_code INTEGER, duration_ms INTEGER)";

fn hook(id: i64, provider: &str) -> String {
    format!(
        "INSERT INTO webhook_log VALUES ({id}, CURRENT_TIMESTAMP, '{provider}', 'https://shop.example/hooks', 200, 12)"
    )
}

/// Whether an activity is a visit.
fn is_other(activity: &Activity) -> bool {
    activity.message.as_deref() == Some("a visit")
}

/// Follows a table while it goes and comes again.
async fn is_waited_for<F: Future<Output = ()>>(url: String, run: impl Fn(String) -> F) {
    let visit = |id: i64| format!("INSERT INTO visits VALUES ({id}, CURRENT_TIMESTAMP, 'a visit')");
    for sql in [OTHER.to_owned(), HOOKS.to_owned(), hook(1, "old"), visit(1)] {
        run(sql).await;
    }
    let (_, source) = open(&[url]);
    let Following { mut updates, cancel, errors } = Following::begin(&source).await;
    run("DROP TABLE webhook_log".to_owned()).await;
    run(visit(2)).await;
    // Whoever asks meanwhile hears that it is gone.
    let gone = async {
        loop {
            let page = source.page(&PageQuery::all(10), None, &Job::default()).await;
            match page {
                Ok(page) => assert!(!page.items.iter().any(is_other), "{:?}", page.items),
                Err(error) if error.to_string().contains("gone: webhook_log") => return,
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("it is said");
    run(HOOKS.to_owned()).await;
    run(hook(2, "again")).await;
    let back = async {
        loop {
            if let SourceEvent::Batch(batch, _) = updates.recv().await.expect("following goes on") {
                assert!(!batch.iter().any(is_other), "{batch:?}");
                if batch.iter().any(|one| one.system.as_deref() == Some("again")) {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, back).await.expect("it is read again");
    cancel.cancel();
    errors.await.expect("joined");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_sqlite_that_goes_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.sqlite");
    let run = |sql: String| {
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        async move {
            let mut connection = options.connect().await.expect("opened");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("run");
        }
    };
    is_waited_for(format!("sqlite://{}", path.display()), run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_postgres_that_goes_is_waited_for() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&[]).await;
    let run = |sql: String| {
        let (server, database) = (Arc::clone(&server), database.clone());
        async move {
            let mut connection = server.postgres_connection(&database).await;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("run");
        }
    };
    is_waited_for(server.url(&database), run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_mysql_that_goes_is_waited_for() {
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&[]).await;
    let run = |sql: String| {
        let (server, database) = (Arc::clone(&server), database.clone());
        async move {
            let mut connection = server.mysql_connection(&database).await;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("run");
        }
    };
    is_waited_for(server.url(&database), run).await;
}

/// One of several tables of a schema.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_tables_of_postgres_that_goes_is_said_and_read_when_it_is_back() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&[]).await;
    let run = async |sql: &str| {
        let mut connection = server.postgres_connection(&database).await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("run");
    };
    let create = |table: &str| {
        format!("CREATE TABLE {table} (id BIGSERIAL PRIMARY KEY, at TIMESTAMPTZ DEFAULT now(), sys TEXT)")
    };
    run(&format!("{}; {}", create("calls"), create("jobs"))).await;
    let of = |table: &str| {
        format!("[table]\nname = '{table}'\nid = 'id'\ntime = 'at'\n[fields]\nstarted_at = 'at'\nsystem = 'sys'\n")
    };
    let jobs = of("jobs").replace("[table]", "[record.table]").replace("[fields]", "[record.fields]");
    let schema = format!("name = 'calls'\n{}[[record]]\nname = 'jobs'\n{jobs}", of("calls"));
    let source = crate::tables::source_at(server.url(&database), &schema);
    let Following { mut updates, cancel, errors } = Following::begin(&source).await;
    run("DROP TABLE jobs").await;
    let mut until = async |enough: &dyn Fn(&SourceEvent) -> bool| {
        let found = async { while !enough(&updates.recv().await.expect("following goes on")) {} };
        tokio::time::timeout(PATIENCE, found).await.expect("it comes");
    };
    until(&|event| matches!(event, SourceEvent::Notice(text) if text.contains("gone") && text.contains("jobs"))).await;
    run(&format!("{}; INSERT INTO jobs (sys) VALUES ('again')", create("jobs"))).await;
    until(&|event| matches!(event, SourceEvent::Batch(batch, _) if batch.iter().any(|one| one.system.as_deref() == Some("again")))).await;
    cancel.cancel();
    errors.await.expect("joined");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_is_polled_and_goes_is_said_and_read_when_it_is_back() {
    let Some(server) = shared(Kind::MongoStandalone).await else { return };
    let database = unique_name();
    let handle = server.mongo_client().await.database(&database);
    let hook = |provider: &str| {
        doc! { "created_at": DateTime::now(), "provider": provider, "url": "https://shop.example/hooks", "status_code": 200,
        "duration_ms": 12 }
    };
    let hooks = handle.collection::<Document>("webhook_log");
    hooks.insert_one(hook("old")).await.expect("inserted");
    let (_, source) = open(&[server.url(&database)]);
    let Following { mut updates, cancel, errors } = Following::begin(&source).await;
    hooks.drop().await.expect("dropped");
    handle
        .collection::<Document>("visits")
        .insert_one(doc! { "created_at": DateTime::now(), "message": "a visit" })
        .await
        .expect("inserted");
    let said = async {
        loop {
            match updates.recv().await.expect("following goes on") {
                SourceEvent::Notice(text) if text.contains("gone") && text.contains("webhook_log") => return,
                SourceEvent::Batch(batch, _) => assert!(!batch.iter().any(is_other), "{batch:?}"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, said).await.expect("it is said");
    hooks.insert_one(hook("again")).await.expect("inserted");
    let back = async {
        loop {
            if let SourceEvent::Batch(batch, _) = updates.recv().await.expect("following goes on")
                && batch.iter().any(|one| one.system.as_deref() == Some("again"))
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, back).await.expect("it is read again");
    cancel.cancel();
    errors.await.expect("joined");
}
