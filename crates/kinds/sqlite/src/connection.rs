//! Connections for jobs.

use crosstail_source::sql::{Bind, Placeholders, Sql};
use crosstail_source::{Job, Scheduler, Turn};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Sqlite};
use std::sync::Arc;

/// Steps of SQLite's virtual machine after which a query looks whether its job goes on: some hundred microseconds.
const STEPS: i32 = 10_000;

/// The pool, and whose turn it is.
pub(super) struct Connections {
    pool: SqlitePool,
    scheduler: Arc<Scheduler>,
}

/// The connections, as one job uses them.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    connections: &'a Connections,
    job: &'a Job,
}

/// A connection that interrupts its query when the job has to stop.
pub(super) struct Reading<'a> {
    connection: PoolConnection<Sqlite>,
    job: &'a Job,
    _turn: Turn,
}

impl Connections {
    pub(super) fn new(pool: SqlitePool, turns: usize) -> Self {
        Self { pool, scheduler: Scheduler::new(turns) }
    }

    /// The connections for a job.
    pub(super) fn for_job<'a>(&'a self, job: &'a Job) -> Reader<'a> {
        Reader { connections: self, job }
    }
}

impl<'a> Reader<'a> {
    pub(super) async fn connection(self) -> Result<Reading<'a>, sqlx::Error> {
        let turn = self.connections.scheduler.turn(self.job).await;
        let mut connection = self.connections.pool.acquire().await?;
        // The connection keeps the handler after the call, and must not keep the job.
        connection.lock_handle().await?.set_progress_handler(STEPS, self.job.watch());
        Ok(Reading { connection, job: self.job, _turn: turn })
    }

    /// Runs a query with its bind parameters.
    pub(super) async fn fetch(self, sql: Sql) -> Result<Vec<SqliteRow>, sqlx::Error> {
        self.connection().await?.fetch(sql).await
    }
}

impl Reading<'_> {
    pub(super) fn on(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Runs a query with its bind parameters.
    pub(super) async fn fetch(&mut self, sql: Sql) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let text = sql.render(Placeholders::Question);
        self.job.runs(&text);
        let mut query = sqlx::query(AssertSqlSafe(text));
        for bind in sql.binds {
            query = match bind {
                Bind::Text(text) => query.bind(text),
                Bind::Int(n) => query.bind(n),
                Bind::Float(n) => query.bind(n),
                Bind::Texts(list) => query.bind(list.join(",")),
            };
        }
        let rows = query.fetch_all(&mut *self.connection).await?;
        self.job.count(rows.len(), 0);
        Ok(rows)
    }
}
