//! Recording into crosstail's own `SQLite` table.

use super::truncate::body_text;
use super::{Outcome, Start, safe_body, safe_id, safe_json, safe_text};
use crosstail_core::model::{Status, redact_json};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Sqlite};
use std::path::Path;

const CREATE: &str = "
CREATE TABLE IF NOT EXISTS activity (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    direction TEXT NOT NULL,
    status TEXT,
    level TEXT,
    system TEXT,
    endpoint TEXT,
    method TEXT,
    url TEXT,
    http_status INTEGER,
    message TEXT,
    started_at INTEGER NOT NULL,      -- microseconds since the epoch, UTC
    completed_at INTEGER,
    duration_us INTEGER,
    attempt INTEGER,
    max_attempts INTEGER,
    next_retry_at INTEGER,
    request_id TEXT,
    correlation_id TEXT,
    parent_request_id TEXT,
    error TEXT,
    error_type TEXT,
    error_stack TEXT,
    operation TEXT,
    entity TEXT,
    actor TEXT,
    organization TEXT,
    request_headers TEXT,
    request_body TEXT,
    response_headers TEXT,
    response_body TEXT,
    metadata TEXT,
    revision INTEGER NOT NULL         -- grows with every insert and update
);
CREATE INDEX IF NOT EXISTS activity_revision ON activity (revision);
CREATE INDEX IF NOT EXISTS activity_started ON activity (started_at, id);
";

/// Made once the history is there: building an index over rows is cheaper than keeping it up row by row.
const INDEXES: &str = "
CREATE INDEX IF NOT EXISTS activity_request ON activity (request_id);
CREATE INDEX IF NOT EXISTS activity_correlation ON activity (correlation_id);
CREATE INDEX IF NOT EXISTS activity_parent ON activity (parent_request_id);
";

const COLUMNS: &str = "id, kind, direction, status, level, system, endpoint, method, url, http_status, message, started_at, \
    completed_at, duration_us, attempt, max_attempts, next_retry_at, request_id, correlation_id, parent_request_id, error, \
    error_type, error_stack, operation, entity, actor, organization, request_headers, request_body, response_headers, response_body, \
    metadata, revision";
const WIDTH: usize = 33;
/// Rows an INSERT.
const ROWS: usize = 64;

/// A row as it is stored: redacted and truncated.
#[derive(Debug)]
pub struct PreparedRow {
    start: Start,
    outcome: Outcome,
    headers: [Option<String>; 2],
    bodies: [Option<String>; 2],
    metadata: Option<String>,
    status: Option<&'static str>,
}

impl PreparedRow {
    /// Redacts and truncates. Without an outcome the activity is in progress (a log line has no status).
    pub fn new(start: Start, outcome: Option<Outcome>) -> Self {
        let id = start.id.clone();
        Self::of(start, outcome, |body, side| safe_body(body, &id, side))
    }

    /// Redacts without truncating the bodies.
    pub fn untruncated(start: Start, outcome: Outcome) -> Self {
        Self::of(start, Some(outcome), |body, _| redact_json(body))
    }

    fn of(mut start: Start, outcome: Option<Outcome>, body: impl Fn(&Value, &str) -> Value) -> Self {
        let status = match &outcome {
            Some(outcome) => outcome.status,
            None => start.level.is_none().then_some(Status::InProgress),
        };
        let mut outcome = outcome.unwrap_or_default();
        let headers = [&start.request_headers, &outcome.response_headers].map(|h| h.as_ref().map(safe_json));
        let bodies = [
            start.request_body.as_ref().map(|sent| body_text(body(sent, "request"))),
            outcome.response_body.as_ref().map(|got| body_text(body(got, "response"))),
        ];
        let metadata = start.metadata.as_ref().map(safe_json);
        // Any text may have a secret in it. The two ids by which an activity is found are what they are.
        start.system = safe_text(&start.system);
        let Start { endpoint, method, url, operation, entity, actor, organization, .. } = &mut start;
        for text in [endpoint, method, url, operation, entity, actor, organization] {
            *text = text.take().map(|text| safe_text(&text));
        }
        for shared in [&mut start.correlation_id, &mut start.parent_request_id] {
            *shared = shared.take().map(|id| safe_id(&id));
        }
        outcome.error_type = outcome.error_type.map(|text| safe_text(&text));
        start.message = outcome.message.take().or(start.message).map(|text| safe_text(&text));
        outcome.error = outcome.error.map(|text| safe_text(&text));
        outcome.error_stack = outcome.error_stack.map(|text| safe_text(&text));
        Self { start, outcome, headers, bodies, metadata, status: status.map(Status::as_str) }
    }
}

/// Writes activities into a database file.
#[derive(Debug)]
pub struct SqliteRecorder {
    pub(super) connection: SqliteConnection,
    pub(super) revision: i64,
}

impl SqliteRecorder {
    /// Opens the database, and creates file and table where they are missing.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, written, or is no SQLite database.
    pub async fn open(path: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Off)
            .pragma("cache_size", "-64000")
            .pragma("wal_autocheckpoint", "20000");
        let mut connection = SqliteConnection::connect_with(&options).await?;
        connection.execute(CREATE).await?;
        // A table that an earlier version has made.
        let has_organization: bool =
            sqlx::query_scalar("SELECT count(*) > 0 FROM pragma_table_info('activity') WHERE name = 'organization'")
                .fetch_one(&mut connection)
                .await?;
        if !has_organization {
            connection.execute("ALTER TABLE activity ADD COLUMN organization TEXT").await?;
        }
        let revision: i64 =
            sqlx::query_scalar("SELECT coalesce(max(revision), 0) FROM activity").fetch_one(&mut connection).await?;
        Ok(Self { connection, revision })
    }

    /// Creates the indexes by which related activities are found. They are cheaper over rows that exist than row by row.
    ///
    /// # Errors
    ///
    /// What SQLite reports.
    pub async fn index(&mut self) -> Result<(), sqlx::Error> {
        self.connection.execute(INDEXES).await.map(drop)
    }

    /// Moves the write-ahead log's content into the database file.
    ///
    /// # Errors
    ///
    /// What SQLite reports.
    pub async fn checkpoint(&mut self) -> Result<(), sqlx::Error> {
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop)
    }

    /// Records the start of an activity.
    ///
    /// # Errors
    ///
    /// What SQLite reports, an identity that is there already included.
    pub async fn start(&mut self, start: Start) -> Result<(), sqlx::Error> {
        self.insert(&[PreparedRow::new(start, None)]).await
    }

    /// Records activities in one transaction.
    ///
    /// # Errors
    ///
    /// What SQLite reports, an identity that is there already included; no row is written then.
    pub async fn insert(&mut self, rows: &[PreparedRow]) -> Result<(), sqlx::Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut transaction = self.connection.begin().await?;
        for chunk in rows.chunks(ROWS) {
            let marks = format!("({})", vec!["?"; WIDTH].join(", "));
            let text = format!("INSERT INTO activity ({COLUMNS}) VALUES {}", vec![marks; chunk.len()].join(", "));
            let mut query = sqlx::query(AssertSqlSafe(text));
            for row in chunk {
                self.revision += 1;
                query = bind_row(query, row, self.revision);
            }
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// Records the outcome of an activity that was started.
    ///
    /// # Errors
    ///
    /// What SQLite reports. An activity that is not there is none.
    pub async fn complete(&mut self, start: &Start, outcome: Outcome) -> Result<(), sqlx::Error> {
        self.complete_batch(&[(start, &outcome)]).await
    }

    /// Records the outcomes of activities that were started, in one transaction.
    ///
    /// # Errors
    ///
    /// What SQLite reports; no outcome is written then.
    pub async fn complete_batch(&mut self, outcomes: &[(&Start, &Outcome)]) -> Result<(), sqlx::Error> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let mut transaction = self.connection.begin().await?;
        for (start, outcome) in outcomes {
            let id = start.id.clone();
            let same = Start { id: id.clone(), message: start.message.clone(), ..Start::default() };
            let row = PreparedRow::new(same, Some((*outcome).clone()));
            self.revision += 1;
            let duration = row.outcome.completed_at.map(|end| end.since_us(start.started_at).max(0));
            sqlx::query(
                "UPDATE activity SET status = ?, http_status = ?, message = ?, completed_at = ?, duration_us = ?, \
                 next_retry_at = ?, error = ?, error_type = ?, error_stack = ?, response_headers = ?, response_body = ?, \
                 revision = ? WHERE id = ?",
            )
            .bind(row.status)
            .bind(row.outcome.http_status)
            .bind(&row.start.message)
            .bind(row.outcome.completed_at.map(|at| at.0))
            .bind(duration)
            .bind(row.outcome.next_retry_at.map(|at| at.0))
            .bind(&row.outcome.error)
            .bind(&row.outcome.error_type)
            .bind(&row.outcome.error_stack)
            .bind(&row.headers[1])
            .bind(&row.bodies[1])
            .bind(self.revision)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await
    }

    /// Closes the database as a single file, which can be read from a place where nothing may be written.
    ///
    /// # Errors
    ///
    /// What SQLite reports.
    pub async fn close_compacted(mut self) -> Result<(), sqlx::Error> {
        self.connection.execute("PRAGMA journal_mode = DELETE").await?;
        self.connection.close().await
    }

    /// Runs SQL that returns nothing.
    ///
    /// # Errors
    ///
    /// What SQLite reports.
    pub async fn run(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        self.connection.execute(text).await.map(drop)
    }

    /// Deletes the rows that came after the first `rows`.
    ///
    /// # Errors
    ///
    /// What SQLite reports.
    pub async fn truncate_after(&mut self, rows: i64) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM activity WHERE revision > ?").bind(rows).execute(&mut self.connection).await?;
        self.revision = rows;
        Ok(())
    }

    /// Writes a compact copy of the database to a new file.
    ///
    /// # Errors
    ///
    /// If the file exists or cannot be written.
    pub async fn copy_to(&mut self, path: &Path) -> Result<(), sqlx::Error> {
        sqlx::query("VACUUM INTO ?").bind(path.display().to_string()).execute(&mut self.connection).await.map(drop)
    }

    /// Closes the database.
    ///
    /// # Errors
    ///
    /// What SQLite reports.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;

fn bind_row<'q>(query: Query<'q>, row: &'q PreparedRow, revision: i64) -> Query<'q> {
    let (start, outcome) = (&row.start, &row.outcome);
    let duration = outcome.completed_at.map(|end| end.since_us(start.started_at).max(0));
    query
        .bind(&start.id)
        .bind(start.kind.map_or("other", crosstail_core::model::Kind::as_str))
        .bind(start.direction.map_or("internal", crosstail_core::model::Direction::as_str))
        .bind(row.status)
        .bind(start.level.map(crosstail_core::model::Level::as_str))
        .bind(&start.system)
        .bind(&start.endpoint)
        .bind(&start.method)
        .bind(&start.url)
        .bind(outcome.http_status)
        .bind(&start.message)
        .bind(start.started_at.0)
        .bind(outcome.completed_at.map(|at| at.0))
        .bind(duration)
        .bind(start.attempt)
        .bind(start.max_attempts)
        .bind(outcome.next_retry_at.map(|at| at.0))
        .bind(start.request_id.as_ref().unwrap_or(&start.id))
        .bind(&start.correlation_id)
        .bind(&start.parent_request_id)
        .bind(&outcome.error)
        .bind(&outcome.error_type)
        .bind(&outcome.error_stack)
        .bind(&start.operation)
        .bind(&start.entity)
        .bind(&start.actor)
        .bind(&start.organization)
        .bind(&row.headers[0])
        .bind(&row.bodies[0])
        .bind(&row.headers[1])
        .bind(&row.bodies[1])
        .bind(&row.metadata)
        .bind(revision)
}
