//! Connections for jobs.

use super::access::{Access, FileId};
use crosstail_core::number::saturating_usize;
use crosstail_source::sql::{Bind, Placeholders, Sql};
use crosstail_source::{Job, Scheduler, Turn};
use futures_util::TryStreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Sqlite};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Steps of SQLite's virtual machine after which a query looks whether its job goes on: some hundred microseconds.
const STEPS: i32 = 10_000;

/// How long a job waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pool, and whose turn it is.
pub(super) struct Connections {
    path: PathBuf,
    options: SqliteConnectOptions,
    most: u32,
    /// The connections for the way in which the file was opened last.
    pool: Mutex<Option<(Access, SqlitePool)>>,
    scheduler: Arc<Scheduler>,
}

/// Which shape tables have: that of another has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    file: FileId,
    number: i64,
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
    access: Access,
    path: &'a Path,
    job: &'a Job,
    _turn: Turn,
}

impl Connections {
    /// At most so many connections to a file.
    pub(super) fn new(path: PathBuf, options: SqliteConnectOptions, most: u32) -> Self {
        let scheduler = Scheduler::new(saturating_usize(most));
        Self { path, options, most, pool: Mutex::new(None), scheduler }
    }

    /// The connections for the way in which the file can be opened now. Earlier ones are closed once nobody uses them.
    async fn pool(&self) -> Result<(Access, SqlitePool), sqlx::Error> {
        let access = Access::settled(&self.path).await?;
        let mut held = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, pool)) = held.as_ref()
            && *known == access
        {
            return Ok((access, pool.clone()));
        }
        let options = self.options.clone().immutable(access.is_frozen());
        let pool =
            SqlitePoolOptions::new().max_connections(self.most).acquire_timeout(PATIENCE).connect_lazy_with(options);
        *held = Some((access, pool.clone()));
        Ok((access, pool))
    }

    /// The connections for a job.
    pub(super) fn for_job<'a>(&'a self, job: &'a Job) -> Reader<'a> {
        Reader { connections: self, job }
    }
}

impl<'a> Reader<'a> {
    pub(super) async fn connection(self) -> Result<Reading<'a>, sqlx::Error> {
        let turn = self.connections.scheduler.turn(self.job).await;
        let (access, pool) = self.connections.pool().await?;
        let mut connection = pool.acquire().await?;
        // The connection keeps the handler after the call, and must not keep the job.
        connection.lock_handle().await?.set_progress_handler(STEPS, self.job.watch());
        Ok(Reading { connection, access, path: &self.connections.path, job: self.job, _turn: turn })
    }

    /// Runs a query with its bind parameters.
    pub(super) async fn fetch(self, sql: Sql) -> Result<Vec<SqliteRow>, sqlx::Error> {
        self.connection().await?.fetch(sql).await
    }
}

impl Reading<'_> {
    /// Whether the file would be opened in the same way now.
    pub(super) fn is_current(&self) -> bool {
        Access::of(self.path).is_ok_and(|access| access == self.access)
    }

    /// Whether the file has a log and nobody writes it.
    pub(super) fn is_frozen(&self) -> bool {
        self.access.is_frozen()
    }

    /// The file that is open, and the number that changes with every change of a table's shape in it.
    pub(super) async fn version(&mut self) -> Result<Version, sqlx::Error> {
        let number = sqlx::query_scalar("PRAGMA schema_version").fetch_one(&mut *self.connection).await?;
        Ok(Version { file: self.access.file, number })
    }

    /// Which file is open.
    pub(super) fn file(&self) -> FileId {
        self.access.file
    }

    pub(super) fn on(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Runs a query with its bind parameters.
    pub(super) async fn fetch(&mut self, sql: Sql) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let mut rows = Vec::new();
        self.fetch_each(sql, |row| {
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Runs a query with its bind parameters, and passes each row on as it arrives. After an error of `each`, the others
    /// are passed over.
    pub(super) async fn fetch_each(
        &mut self,
        sql: Sql,
        mut each: impl FnMut(SqliteRow) -> Result<(), sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
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
        let mut arriving = query.fetch(&mut *self.connection);
        let mut read = Ok(());
        while let Some(row) = arriving.try_next().await? {
            self.job.count(1, 0);
            if read.is_ok() {
                read = each(row);
            }
        }
        read
    }
}
