//! Fixtures over database servers, each through a proxy that can be cut.

use super::fixtures::{Fixture, Plan, begins, plan};
use crate::servers::{Kind, Proxy, Server, shared, unique_name};
use crate::support::open;
use bson::{DateTime, Document, doc};
use crosstail_core::model::Names;
use crosstail_source::Source;
use serde_json::json;
use sqlx::postgres::PgConnection;
use std::sync::Arc;

/// The table of the Supabase activity log.
pub struct PostgresFixture {
    writer: PgConnection,
    proxy: Proxy,
    url: String,
    source: Arc<dyn Source>,
    names: Names,
    written: usize,
}

impl PostgresFixture {
    pub async fn new() -> Option<Self> {
        let server = shared(Kind::Postgres).await?;
        let database = server.postgres_database(&["integration-activity"]).await;
        let writer = server.postgres_connection(&database).await;
        let proxy = Proxy::to(server.port).await;
        let url = server.url_at(proxy.port, &database);
        let (names, source) = open(std::slice::from_ref(&url));
        Some(Self { writer, proxy, url, source, names, written: 0 })
    }

    async fn write(&mut self, finished: bool) -> String {
        let n = self.written;
        self.written += 1;
        let plan = plan(n);
        let started = begins(n);
        let sql = "INSERT INTO integration_activity_log (id, direction, activity_type, method, endpoint, request_headers, \
                   request_body, response_status, response_time_ms, status, metadata, created_at, completed_at) VALUES \
                   ($1::uuid, 'outgoing', 'api_call', $2, $3, $4::jsonb, $5::jsonb, $6, $7, $8, $9::jsonb, \
                   $10::text::timestamptz, $11::text::timestamptz)";
        let status = match (finished, plan.code) {
            (false, _) => "started",
            (true, 400..) => "error",
            _ => "success",
        };
        sqlx::query(sql)
            .bind(&plan.id)
            .bind(plan.method)
            .bind(format!("https://{}.example/e{}", plan.system.to_lowercase(), n % 4))
            .bind(json!({"Content-Type": "application/json"}).to_string())
            .bind(json!({"order": plan.id}).to_string())
            .bind(finished.then_some(i32::from(plan.code)))
            .bind(finished.then_some(plan.millis as i32))
            .bind(status)
            .bind(json!({"correlation_id": plan.correlation, "provider": plan.system}).to_string())
            .bind(started.rfc3339())
            .bind(finished.then(|| started.plus_ms(plan.millis).rfc3339()))
            .execute(&mut self.writer)
            .await
            .expect("inserted");
        plan.id
    }
}

impl Fixture for PostgresFixture {
    async fn insert(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        sqlx::raw_sql("BEGIN").execute(&mut self.writer).await.expect("begun");
        for _ in 0..count {
            ids.push(self.write(true).await);
        }
        sqlx::raw_sql("COMMIT").execute(&mut self.writer).await.expect("committed");
        ids.sort();
        ids
    }

    async fn start(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.write(false).await);
        }
        ids.sort();
        ids
    }

    async fn complete(&mut self, ids: &[String]) {
        sqlx::query(
            "UPDATE integration_activity_log SET status = 'success', response_status = 200, response_time_ms = 1234, \
             completed_at = created_at + interval '1.234 s' WHERE id::text = ANY($1)",
        )
        .bind(ids)
        .execute(&mut self.writer)
        .await
        .expect("updated");
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    fn reopened(&self) -> Arc<dyn Source> {
        open(std::slice::from_ref(&self.url)).1
    }

    fn address(&self) -> String {
        self.url.clone()
    }

    fn names(&self) -> Names {
        self.names.clone()
    }

    async fn fingerprint(&mut self) -> String {
        let text = "SELECT concat_ws(' ', \
            (SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM integration_activity_log t), \
            (SELECT string_agg(oid || ' ' || relname, ',' ORDER BY oid) FROM pg_class WHERE oid > 16384), \
            (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()), \
            (SELECT temp_files FROM pg_stat_database WHERE datname = current_database()))";
        sqlx::query_scalar(text).fetch_one(&mut self.writer).await.expect("read")
    }

    async fn delete_all(&mut self) {
        sqlx::query("DELETE FROM integration_activity_log").execute(&mut self.writer).await.expect("deleted");
    }

    async fn in_use(&mut self) -> usize {
        let text = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
            AND pid <> pg_backend_pid() AND xact_start IS NOT NULL";
        let open: i64 = sqlx::query_scalar(text).fetch_one(&mut self.writer).await.expect("counted");
        open as usize
    }

    fn connections(&self) -> usize {
        5
    }

    fn overlaps(&self) -> bool {
        // Other tests' transactions hold the horizon back.
        true
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }
}

/// ProKure's collection.
pub struct MongoFixture {
    collection: mongodb::Collection<Document>,
    proxy: Proxy,
    url: String,
    source: Arc<dyn Source>,
    names: Names,
    written: usize,
    server: Arc<Server>,
}

impl MongoFixture {
    /// Over a replica set.
    pub async fn replica() -> Option<Self> {
        Self::over(Kind::MongoReplica).await
    }

    /// Over a server without change streams.
    pub async fn standalone() -> Option<Self> {
        Self::over(Kind::MongoStandalone).await
    }

    async fn over(kind: Kind) -> Option<Self> {
        let server = shared(kind).await?;
        let database = unique_name();
        let collection = server.mongo_client().await.database(&database).collection("integration_logs");
        collection
            .create_index(mongodb::IndexModel::builder().keys(doc! { "started_at": -1 }).build())
            .await
            .expect("indexed");
        let proxy = Proxy::to(server.port).await;
        let url = format!("{}&serverSelectionTimeoutMS=2000", server.url_at(proxy.port, &database));
        let (names, source) = open(std::slice::from_ref(&url));
        Some(Self { collection, proxy, url, source, names, written: 0, server })
    }

    fn next(&mut self, finished: bool) -> (Plan, Document) {
        let n = self.written;
        self.written += 1;
        let plan = plan(n);
        let started = DateTime::from_millis(begins(n).0 / 1000);
        let mut document = doc! {
            "request_id": &plan.id, "correlation_id": &plan.correlation, "system_code": plan.system,
            "endpoint_code": format!("E{}", n % 4), "http_method": plan.method, "request_url": format!("https://x.example/e{}", n % 4),
            "request_headers": { "Content-Type": "application/json" }, "request_body": { "order": &plan.id },
            "started_at": started, "created_at": started, "status": "IN_PROGRESS",
        };
        if finished {
            document.extend(doc! {
                "status": if plan.code >= 400 { "FAILED" } else { "SUCCESS" }, "is_success": plan.code < 400,
                "response_status": i32::from(plan.code), "duration_ms": plan.millis,
                "completed_at": DateTime::from_millis(started.timestamp_millis() + plan.millis),
            });
        }
        (plan, document)
    }

    async fn write(&mut self, count: usize, finished: bool) -> Vec<String> {
        let (plans, documents): (Vec<Plan>, Vec<Document>) = (0..count).map(|_| self.next(finished)).unzip();
        self.collection.insert_many(documents).await.expect("inserted");
        let mut ids: Vec<String> = plans.into_iter().map(|plan| plan.id).collect();
        ids.sort();
        ids
    }
}

impl Fixture for MongoFixture {
    async fn insert(&mut self, count: usize) -> Vec<String> {
        self.write(count, true).await
    }

    async fn start(&mut self, count: usize) -> Vec<String> {
        self.write(count, false).await
    }

    async fn complete(&mut self, ids: &[String]) {
        for id in ids {
            let set = doc! { "$set": { "status": "SUCCESS", "is_success": true, "response_status": 201,
            "duration_ms": 1234, "completed_at": DateTime::now() } };
            let updated = self.collection.update_one(doc! { "request_id": id }, set).await.expect("updated");
            assert_eq!(updated.modified_count, 1);
        }
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    fn reopened(&self) -> Arc<dyn Source> {
        open(std::slice::from_ref(&self.url)).1
    }

    fn address(&self) -> String {
        self.url.clone()
    }

    fn names(&self) -> Names {
        self.names.clone()
    }

    async fn fingerprint(&mut self) -> String {
        let database = self.server.mongo_client().await.database(self.collection.namespace().db.as_str());
        let hashes = database.run_command(doc! { "dbHash": 1 }).await.expect("hashed");
        let indexes = self.collection.list_index_names().await.expect("listed");
        format!("{} {indexes:?}", hashes.get_document("collections").expect("collections"))
    }

    async fn delete_all(&mut self) {
        self.collection.delete_many(doc! {}).await.expect("deleted");
    }

    fn connections(&self) -> usize {
        // And two that the driver watches the server by.
        7
    }

    fn overlaps(&self) -> bool {
        self.server.kind == Kind::MongoStandalone
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }
}
