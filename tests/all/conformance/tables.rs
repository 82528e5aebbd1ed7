//! The fixture over MySQL: MariaDB through a proxy that can be cut.

use super::fixtures::{Fixture, begins, plan};
use crate::servers::{Kind, Proxy, shared};
use crate::support::open;
use crosstail_core::model::{Names, Timestamp};
use crosstail_source::Source;
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlConnection;
use std::sync::Arc;

/// The integration activity log.
pub struct MysqlFixture {
    writer: MySqlConnection,
    proxy: Proxy,
    url: String,
    source: Arc<dyn Source>,
    names: Names,
    written: usize,
}

impl MysqlFixture {
    pub async fn new() -> Option<Self> {
        let server = shared(Kind::Mysql).await?;
        let database = server.mysql_database(&["integration-activity"]).await;
        let writer = server.mysql_connection(&database).await;
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
        let date = |at: Timestamp| at.rfc3339().trim_end_matches('Z').replace('T', " ");
        let sql = "INSERT INTO integration_activity_log (id, direction, activity_type, method, endpoint, request_headers, \
                   request_body, response_status, response_time_ms, status, metadata, created_at, completed_at) VALUES \
                   (?, 'outgoing', 'api_call', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
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
            .bind(date(started))
            .bind(finished.then(|| date(started.plus_ms(plan.millis))))
            .execute(&mut self.writer)
            .await
            .expect("inserted");
        plan.id
    }
}

impl Fixture for MysqlFixture {
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
        let list: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
        let text = format!(
            "UPDATE integration_activity_log SET status = 'success', response_status = 200, response_time_ms = 1234, \
             completed_at = created_at + INTERVAL 1234000 MICROSECOND WHERE id IN ({})",
            list.join(", ")
        );
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut self.writer).await.expect("updated");
    }

    async fn fingerprint(&mut self) -> String {
        sqlx::raw_sql("SET SESSION group_concat_max_len = 1000000").execute(&mut self.writer).await.expect("set");
        let text = "SELECT CONCAT_WS(' ', \
            (SELECT MD5(GROUP_CONCAT(CONCAT_WS('|', id, status, created_at, completed_at) ORDER BY id)) FROM integration_activity_log), \
            (SELECT GROUP_CONCAT(table_name ORDER BY table_name) FROM information_schema.tables WHERE table_schema = DATABASE()))";
        sqlx::query_scalar(text).fetch_one(&mut self.writer).await.expect("read")
    }

    async fn delete_all(&mut self) {
        sqlx::query("DELETE FROM integration_activity_log").execute(&mut self.writer).await.expect("deleted");
    }

    async fn in_use(&mut self) -> usize {
        // The server lists transactions anew only where nobody has asked for 0.1 s.
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        let text = "SELECT COUNT(*) FROM information_schema.innodb_trx t \
            JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
            WHERE p.db = DATABASE() AND p.id <> CONNECTION_ID()";
        let open: i64 = sqlx::query_scalar(text).fetch_one(&mut self.writer).await.expect("counted");
        open as usize
    }

    fn connections(&self) -> usize {
        5
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

    fn overlaps(&self) -> bool {
        // Rows of a span that changed come again where their versions are not known yet.
        true
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }
}
