//! What the conformance suite needs of each kind: a way to write, to change, to break and to mend.

use crate::servers::Proxy;
use crate::support::{EPOCH, open};
use crosstail_core::model::{Clock, Direction, Kind, Names, Status, Timestamp};
use crosstail_record::{Outcome, PreparedRow, SqliteRecorder, Start};
use crosstail_source::Source;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

/// A store that can be written to.
pub trait Fixture {
    /// Writes whole activities; gives their ids, sorted.
    async fn insert(&mut self, count: usize) -> Vec<String>;
    /// Writes activities that have begun; gives their ids, sorted.
    async fn start(&mut self, count: usize) -> Vec<String>;
    /// Ends activities that have begun.
    async fn complete(&mut self, ids: &[String]);
    /// The source over it.
    fn source(&self) -> Arc<dyn Source>;
    /// Another source over it, as after a restart.
    fn reopened(&self) -> Arc<dyn Source>;
    /// What a user would type for it.
    fn address(&self) -> String;
    /// Names of the source.
    fn names(&self) -> Names;
    /// Following may deliver again what was written shortly before its position: polled with overlap.
    fn overlaps(&self) -> bool {
        false
    }
    /// Everything that the store holds, so that any change shows.
    async fn fingerprint(&mut self) -> String;
    /// Deletes everything that was written.
    async fn delete_all(&mut self);
    /// How many transactions, or cursors, its readers hold open in the store.
    async fn in_use(&mut self) -> usize {
        0
    }
    /// Clauses that the kind does not keep yet: said on each run, and in docs/contract.md.
    fn gaps(&self) -> &'static [&'static str] {
        &[]
    }
    /// How many connections a source makes at most, by its kind's own limit.
    fn connections(&self) -> usize {
        0
    }
    /// Makes sure that it can be broken without breaking others'.
    async fn prepare_to_kill(&mut self) {}
    /// What stands between the source and its server.
    fn proxy(&self) -> Option<&Proxy> {
        None
    }
    /// Breaks it.
    async fn kill(&mut self) {
        self.proxy().expect("a proxy").cut();
    }
    /// Whether the source says that it cannot be read once it is broken.
    fn outage_is_an_error(&self) -> bool {
        true
    }
    /// Mends it, and writes more; gives the ids of what is new.
    async fn revive(&mut self) -> Vec<String> {
        // Written while nobody can listen.
        let ids = self.insert(10).await;
        self.proxy().expect("a proxy").mend();
        ids
    }
}

/// When the `n`-th activity begins: now, as in real life, several in one millisecond.
pub fn begins(n: usize) -> Timestamp {
    Timestamp(Clock::system().now().0 / 1000 * 1000).plus_ms(n as i64 % 7)
}

/// What is written as the `n`-th activity.
pub struct Plan {
    pub id: String,
    pub correlation: String,
    pub system: &'static str,
    pub method: &'static str,
    pub code: u16,
    pub millis: i64,
}

pub fn plan(n: usize) -> Plan {
    Plan {
        id: uuid::Uuid::from_u128(0x7f3a_0000_0000_4000_8000_0000_0000_0000 + n as u128 * 0x9e37_79b9).to_string(),
        correlation: format!("corr-{}", n % 11),
        system: ["SAP", "Zoho", "Tally"][n % 3],
        method: ["GET", "POST"][n % 2],
        code: [200, 201, 503, 200, 404][n % 5],
        millis: 5 + (n as i64 * 37) % 900,
    }
}

/// A `SQLite` database.
pub struct SqliteFixture {
    folder: tempfile::TempDir,
    recorder: Option<SqliteRecorder>,
    source: Arc<dyn Source>,
    names: Names,
    written: usize,
}

impl SqliteFixture {
    pub async fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.sqlite");
        let mut recorder = SqliteRecorder::open(&path).await.expect("opened");
        recorder.index().await.expect("indexed");
        let (names, source) = open(&[format!("sqlite://{}", path.display())]);
        Some(Self { folder, recorder: Some(recorder), source, names, written: 0 })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("a.sqlite")
    }

    fn next(&mut self) -> (Start, Outcome) {
        let n = self.written;
        self.written += 1;
        let plan = plan(n);
        let started_at = EPOCH.plus_ms(n as i64 * 1000);
        let bad = plan.code >= 400;
        let start = Start {
            id: plan.id.clone(),
            kind: Some(Kind::ApiCall),
            direction: Some(Direction::Out),
            system: plan.system.to_owned(),
            endpoint: Some(format!("/e{}", n % 4)),
            method: Some(plan.method.to_owned()),
            correlation_id: Some(plan.correlation),
            request_headers: Some(json!({"Content-Type": "application/json"})),
            request_body: Some(json!({"order": plan.id})),
            started_at,
            ..Start::default()
        };
        let outcome = Outcome {
            status: Some(if bad { Status::Failed } else { Status::Success }),
            http_status: Some(plan.code),
            completed_at: Some(started_at.plus_ms(plan.millis)),
            ..Outcome::default()
        };
        (start, outcome)
    }
}

impl Fixture for SqliteFixture {
    async fn insert(&mut self, count: usize) -> Vec<String> {
        let rows: Vec<(Start, Outcome)> = (0..count).map(|_| self.next()).collect();
        let mut ids: Vec<String> = rows.iter().map(|(start, _)| start.id.clone()).collect();
        let rows: Vec<PreparedRow> =
            rows.into_iter().map(|(start, outcome)| PreparedRow::new(start, Some(outcome))).collect();
        self.recorder.as_mut().expect("alive").insert(&rows).await.expect("written");
        ids.sort();
        ids
    }

    async fn start(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let (start, _) = self.next();
            ids.push(start.id.clone());
            self.recorder.as_mut().expect("alive").start(start).await.expect("written");
        }
        ids.sort();
        ids
    }

    async fn complete(&mut self, ids: &[String]) {
        for id in ids {
            let start = Start { id: id.clone(), started_at: EPOCH, ..Start::default() };
            let outcome = Outcome {
                status: Some(Status::Success),
                http_status: Some(200),
                completed_at: Some(EPOCH.plus_ms(1234)),
                ..Outcome::default()
            };
            self.recorder.as_mut().expect("alive").complete(&start, outcome).await.expect("written");
        }
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    fn reopened(&self) -> Arc<dyn Source> {
        open(&[format!("sqlite://{}", self.path().display())]).1
    }

    fn address(&self) -> String {
        self.path().display().to_string()
    }

    async fn fingerprint(&mut self) -> String {
        // The file of locks beside them is not data.
        let read = |ending: &str| std::fs::read(format!("{}{ending}", self.path().display())).unwrap_or_default();
        format!("{:x?}", (read(""), read("-wal")))
    }

    async fn delete_all(&mut self) {
        let mut connection =
            <sqlx::SqliteConnection as sqlx::Connection>::connect(&format!("sqlite://{}", self.path().display()))
                .await
                .expect("connected");
        sqlx::query("DELETE FROM activity").execute(&mut connection).await.expect("deleted");
    }

    async fn in_use(&mut self) -> usize {
        // The log of what was written cannot be emptied below a reader's feet.
        let mut connection =
            <sqlx::SqliteConnection as sqlx::Connection>::connect(&format!("sqlite://{}", self.path().display()))
                .await
                .expect("connected");
        let busy: i64 =
            sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await.expect("asked");
        busy as usize
    }

    fn names(&self) -> Names {
        self.names.clone()
    }

    /// The table is gone.
    async fn kill(&mut self) {
        self.recorder = None;
        let mut connection =
            <sqlx::SqliteConnection as sqlx::Connection>::connect(&format!("sqlite://{}", self.path().display()))
                .await
                .expect("connected");
        sqlx::query("ALTER TABLE activity RENAME TO gone").execute(&mut connection).await.expect("renamed");
    }

    async fn revive(&mut self) -> Vec<String> {
        let mut connection =
            <sqlx::SqliteConnection as sqlx::Connection>::connect(&format!("sqlite://{}", self.path().display()))
                .await
                .expect("connected");
        sqlx::query("ALTER TABLE gone RENAME TO activity").execute(&mut connection).await.expect("renamed");
        self.recorder = Some(SqliteRecorder::open(&self.path()).await.expect("opened"));
        self.insert(10).await
    }
}

/// What HaloPSA's logger writes of requests: a line when one begins, one when it is over.
pub struct Logger {
    /// The name of the time.
    time: &'static str,
    /// When the n-th request begins.
    when: fn(usize) -> Timestamp,
    begun: HashMap<String, (usize, Timestamp)>,
}

impl Logger {
    pub fn new(time: &'static str, when: fn(usize) -> Timestamp) -> Self {
        Self { time, when, begun: HashMap::new() }
    }

    fn begin(&mut self, lines: &mut Vec<Value>) -> String {
        let n = self.begun.len();
        let (plan, at) = (plan(n), (self.when)(n));
        self.begun.insert(plan.id.clone(), (n, at));
        lines.push(json!({
            self.time: at.rfc3339(), "level": "INFO", "message": "API Request Started", "service": "halopsa-integration",
            "requestId": plan.id, "correlationId": plan.correlation, "system": plan.system, "method": plan.method,
            "url": format!("/e{}", n % 4), "headers": {"host": "x"}, "body": {"order": plan.id},
        }));
        plan.id
    }

    fn end(&self, id: &str, lines: &mut Vec<Value>) {
        let (n, at) = self.begun[id];
        let plan = plan(n);
        lines.push(json!({
            self.time: at.plus_ms(plan.millis).rfc3339(), "level": "INFO", "message": "API Request Completed",
            "service": "halopsa-integration", "requestId": plan.id, "statusCode": plan.code, "duration": plan.millis,
        }));
    }

    /// Whole requests: their lines, and their ids, sorted.
    pub fn insert(&mut self, count: usize) -> (Vec<Value>, Vec<String>) {
        let mut lines = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..count {
            let id = self.begin(&mut lines);
            self.end(&id, &mut lines);
            ids.push(id);
        }
        ids.sort();
        (lines, ids)
    }

    /// Requests that have begun.
    pub fn start(&mut self, count: usize) -> (Vec<Value>, Vec<String>) {
        let mut lines = Vec::new();
        let mut ids: Vec<String> = (0..count).map(|_| self.begin(&mut lines)).collect();
        ids.sort();
        (lines, ids)
    }

    /// Their ends.
    pub fn complete(&self, ids: &[String]) -> Vec<Value> {
        let mut lines = Vec::new();
        for id in ids {
            self.end(id, &mut lines);
        }
        lines
    }
}

/// A folder of Winston's files.
pub struct FileFixture {
    folder: tempfile::TempDir,
    source: Arc<dyn Source>,
    names: Names,
    logger: Logger,
}

impl FileFixture {
    pub async fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let (names, source) = open(&[folder.path().display().to_string()]);
        let logger = Logger::new("timestamp", |n| EPOCH.plus_ms(n as i64 * 1000));
        Some(Self { folder, source, names, logger })
    }

    fn write(&self, lines: &[Value]) {
        let mut file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(self.folder.path().join("combined.log"))
            .expect("opened");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        file.write_all(text.as_bytes()).expect("written");
    }
}

impl Fixture for FileFixture {
    async fn insert(&mut self, count: usize) -> Vec<String> {
        let (lines, ids) = self.logger.insert(count);
        self.write(&lines);
        ids
    }

    async fn start(&mut self, count: usize) -> Vec<String> {
        let (lines, ids) = self.logger.start(count);
        self.write(&lines);
        ids
    }

    async fn complete(&mut self, ids: &[String]) {
        self.write(&self.logger.complete(ids));
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    fn reopened(&self) -> Arc<dyn Source> {
        open(&[self.folder.path().display().to_string()]).1
    }

    fn address(&self) -> String {
        self.folder.path().display().to_string()
    }

    async fn fingerprint(&mut self) -> String {
        let entries = std::fs::read_dir(self.folder.path()).expect("a folder").flatten();
        let mut files: Vec<_> =
            entries.map(|entry| (entry.path(), std::fs::read(entry.path()).expect("read"))).collect();
        files.sort();
        format!("{files:x?}")
    }

    fn gaps(&self) -> &'static [&'static str] {
        // A file is read to its end once it is begun.
        &["C8.2"]
    }

    async fn delete_all(&mut self) {
        std::fs::remove_file(self.folder.path().join("combined.log")).expect("removed");
    }

    fn names(&self) -> Names {
        self.names.clone()
    }

    fn outage_is_an_error(&self) -> bool {
        // A file that is removed is rotation.
        false
    }

    /// The file is removed.
    async fn kill(&mut self) {
        std::fs::remove_file(self.folder.path().join("combined.log")).expect("removed");
    }

    async fn revive(&mut self) -> Vec<String> {
        self.insert(10).await
    }
}
