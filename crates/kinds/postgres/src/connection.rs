//! A small pool of connections. Each query runs in a read-only transaction with a time limit. Settings belong to the
//! transaction (`SET LOCAL`), so that a pooler such as PgBouncer hands a clean connection to the next client.

use super::own_certificate::{Roots, is_refused_root};
use crosstail_source::sql::{Bind, Placeholders, Sql, name};
use crosstail_source::{Answer, Expected, Job, Scheduler, Turn, cleanup};
use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, Postgres};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Execute, Executor as _, Row as _};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Connections at most, in addition to the one that listens and, for a moment, the one that cancels a statement.
const CONNECTIONS: usize = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection may take to be of use again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// The server cancels a statement that runs longer.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);
/// A server that has not answered a statement by then does not answer: it would have cancelled the statement itself.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(STATEMENT_TIMEOUT.as_secs() + 15);
/// A transaction in which nothing runs ends within this time.
const PROMPT: Duration = Duration::from_millis(100);
/// How long the server may take to end a statement that was cancelled.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections in use count against the limit; idle ones are used again.
pub(super) struct Connections {
    pool: Arc<Pool>,
    /// Whether a trigger wakes the poll.
    pub(super) woken: AtomicBool,
}

struct Pool {
    options: PgConnectOptions,
    /// The schemas to look in, as SQL; empty: those of the role.
    search_path: String,
    roots: Option<Roots>,
    idle: Mutex<Vec<PgConnection>>,
    scheduler: Arc<Scheduler>,
}

/// The connections, as one job uses them.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    connections: &'a Connections,
    job: &'a Job,
}

/// A read-only transaction. Dropped without [`ReadTransaction::end`], its statement is cancelled in the server.
pub(super) struct ReadTransaction {
    open: Option<OpenTransaction>,
    job: Job,
}

struct OpenTransaction {
    connection: PgConnection,
    begun: Begun,
    pool: Arc<Pool>,
    /// The answer to the statement that runs.
    expected: Expected,
    _turn: Turn,
}

impl Connections {
    pub(super) fn new(options: PgConnectOptions, schemas: &[String], roots: Option<Roots>) -> Self {
        // PgBouncer refuses parameters at the start that it does not know, as it is configured out of the box.
        let options = options
            .application_name("crosstail")
            .extra_float_digits(None)
            .disable_statement_logging()
            .statement_cache_capacity(0);
        let search_path = schemas.iter().map(|schema| name(schema)).collect::<Vec<_>>().join(", ");
        let pool = Pool { options, search_path, roots, idle: Mutex::default(), scheduler: Scheduler::new(CONNECTIONS) };
        Self { pool: Arc::new(pool), woken: AtomicBool::new(false) }
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.pool.options
    }

    /// The connections for a job.
    pub(super) fn for_job<'a>(&'a self, job: &'a Job) -> Reader<'a> {
        Reader { connections: self, job }
    }
}

impl Pool {
    /// A connection in which a transaction has begun: an idle one, or a new one.
    async fn begun(&self) -> Result<(PgConnection, Begun), sqlx::Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // An idle connection may have been closed in the meantime, or lead nowhere: then a new one is made.
        if let Some(mut connection) = idle
            && let Ok(Ok(begun)) = tokio::time::timeout(IDLE_TIMEOUT, begin(&mut connection, &self.search_path)).await
        {
            return Ok((connection, begun));
        }
        let mut connection = self.connect().await?;
        let beginning = begin(&mut connection, &self.search_path);
        let begun = tokio::time::timeout(CONNECT_TIMEOUT, beginning).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        Ok((connection, begun))
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let connecting = async {
            match (PgConnection::connect_with(&self.options).await, &self.roots) {
                (Err(error), Some(roots)) if is_refused_root(&error) => roots.connect(&self.options).await,
                (other, _) => other,
            }
        };
        tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    fn keep(&self, connection: PgConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

/// Begins a transaction; gives the process that runs it. The server checks every second whether the client is still
/// there, so that a statement ends with a client that was killed (a setting since PostgreSQL 14, which a server on a
/// system that cannot check refuses; then the time limit ends it).
async fn begin(connection: &mut PgConnection, search_path: &str) -> Result<Begun, sqlx::Error> {
    let checked = connection.server_version_num().is_some_and(|version| version >= 140_000);
    let begin = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}; \
         SET LOCAL idle_in_transaction_session_timeout = {}; SET LOCAL TimeZone = 'UTC'; \
         SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL bytea_output = 'hex'; \
         SET LOCAL extra_float_digits = 3; SET LOCAL jit = off; {}{}SELECT pg_backend_pid(), \
         CASE WHEN getdatabaseencoding() = 'SQL_ASCII' THEN set_config('client_encoding', 'SQL_ASCII', true) END IS NOT NULL",
        STATEMENT_TIMEOUT.as_millis(),
        2 * STATEMENT_TIMEOUT.as_millis(),
        if checked { "SET LOCAL client_connection_check_interval = 1000; " } else { "" },
        if search_path.is_empty() { String::new() } else { format!("SET LOCAL search_path = {search_path}; ") },
    );
    let row = sqlx::raw_sql(AssertSqlSafe(begin)).fetch_one(&mut *connection).await?;
    Ok(Begun { process: row.try_get(0)?, any_encoding: row.try_get(1)? })
}

/// What is known of a transaction that has begun.
#[derive(Debug, Clone, Copy)]
struct Begun {
    /// The process of the server that runs it.
    process: i32,
    /// Whether the database takes texts in any encoding, which then arrive as they are.
    any_encoding: bool,
}

impl<'a> Reader<'a> {
    /// The connections, whoever asks.
    pub(super) fn connections(self) -> &'a Connections {
        self.connections
    }

    /// The job that reads.
    pub(super) fn job(self) -> &'a Job {
        self.job
    }

    /// Starts a transaction that sees one snapshot of the database.
    pub(super) async fn read(self) -> Result<ReadTransaction, sqlx::Error> {
        let pool = &self.connections.pool;
        let turn = pool.scheduler.turn(self.job).await;
        let (connection, begun) = pool.begun().await?;
        let expected = self.job.expects(ANSWER_TIMEOUT);
        let open = OpenTransaction { connection, begun, pool: Arc::clone(pool), expected, _turn: turn };
        Ok(ReadTransaction { open: Some(open), job: self.job.clone() })
    }
}

impl ReadTransaction {
    /// The connection, for the next statement.
    ///
    /// # Errors
    /// None while the transaction is open.
    pub(super) fn on(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        let open = self.open.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        open.expected.renew(ANSWER_TIMEOUT);
        Ok(&mut open.connection)
    }

    /// Whether the server has `date_bin`: since PostgreSQL 14.
    pub(super) fn has_date_bin(&self) -> bool {
        let version = self.open.as_ref().and_then(|open| open.connection.server_version_num());
        version.is_some_and(|version| version >= 140_000)
    }

    /// Groups without sorting: the planner takes every row for a group of its own where a key is computed, and would sort
    /// the whole table in files of the server.
    pub(super) async fn prefers_hashing(&mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("SET LOCAL enable_sort = off").execute(self.on()?).await.map(drop)
    }

    /// Whether the database takes texts in any encoding.
    pub(super) fn is_of_any_encoding(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.begun.any_encoding)
    }

    /// Runs a query with its bind parameters; the statement is unnamed, as a pooler needs it.
    pub(super) async fn fetch(&mut self, sql: Sql) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut rows = Vec::new();
        self.fetch_each(sql, |row| {
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Like [`Self::fetch`], and passes each row on as it arrives. After an error of `taken`, the others are passed over.
    pub(super) async fn fetch_each(
        &mut self,
        sql: Sql,
        taken: impl FnMut(PgRow) -> Result<(), sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        let text = sql.render(Placeholders::Numbered);
        self.job.runs(&text);
        let mut query = sqlx::query(AssertSqlSafe(text)).persistent(false);
        for bind in sql.binds {
            query = match bind {
                Bind::Text(text) => query.bind(text),
                Bind::Int(n) => query.bind(n),
                Bind::Float(n) => query.bind(n),
                Bind::Texts(list) => query.bind(list),
            };
        }
        let job = self.job.clone();
        each(self.on()?, query, |bytes| job.count(1, bytes), taken).await
    }

    /// The rows of a query that reads no records.
    pub(super) async fn all<'q>(&mut self, query: impl Execute<'q, Postgres> + 'q) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut rows = Vec::new();
        let take = |row| {
            rows.push(row);
            Ok(())
        };
        each(self.on()?, query, |_| {}, take).await?;
        Ok(rows)
    }

    /// Ends the transaction and returns the connection to the pool.
    pub(super) async fn end(mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("COMMIT").execute(self.on()?).await?;
        if let Some(open) = self.open.take() {
            open.pool.keep(open.connection);
        }
        Ok(())
    }
}

/// Passes on the rows of a query; `counted` is told the bytes of each. The driver would collect as many as a server sends.
async fn each<'q>(
    on: &mut PgConnection,
    query: impl Execute<'q, Postgres> + 'q,
    counted: impl Fn(usize),
    mut taken: impl FnMut(PgRow) -> Result<(), sqlx::Error>,
) -> Result<(), sqlx::Error> {
    let (mut arriving, mut answer, mut read) = (on.fetch(query), Answer::default(), Ok(()));
    while let Some(row) = arriving.try_next().await? {
        let bytes = (0..row.len()).map(|index| size(&row, index)).sum();
        counted(bytes);
        answer.count(bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        if read.is_ok() {
            read = taken(row);
        }
    }
    read
}

/// Bytes of a value as it arrived.
fn size(row: &PgRow, index: usize) -> usize {
    row.try_get_raw(index).ok().and_then(|value| value.as_bytes().ok().map(<[u8]>::len)).unwrap_or(0)
}

impl Drop for ReadTransaction {
    /// Whoever read has gone away, perhaps in the middle of a statement.
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            cleanup::spawn(open.abandon());
        }
    }
}

impl OpenTransaction {
    /// Ends the transaction, and first what runs in it. The turn is given back only when the server is done.
    async fn abandon(mut self) {
        let ending = async {
            if let Ok(ended) = tokio::time::timeout(PROMPT, roll_back(&mut self.connection)).await {
                return ended;
            }
            // Any role may cancel its own statements (PostgreSQL documentation, "Server Signaling Functions").
            let mut other = self.pool.connect().await?;
            let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(self.begun.process).persistent(false);
            cancel.execute(&mut other).await?;
            other.close().await?;
            roll_back(&mut self.connection).await
        };
        if let Ok(Ok(())) = tokio::time::timeout(CANCEL_TIMEOUT, ending).await {
            self.pool.keep(self.connection);
        }
    }
}

/// Ends a transaction. The driver first reads what is left of an answer; the error of its statement comes before ours.
async fn roll_back(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let rolled_back = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
    match rolled_back {
        Err(sqlx::Error::Database(_)) => sqlx::raw_sql("ROLLBACK").execute(connection).await.map(drop),
        other => other.map(drop),
    }
}
