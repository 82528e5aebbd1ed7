//! A small pool of connections. Each query runs in a read-only transaction with a time limit. Settings belong to the
//! transaction (`SET LOCAL`), so that a pooler such as PgBouncer hands a clean connection to the next client.

use crosstail_source::sql::{Bind, Placeholders, Sql};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Connections at most, in addition to the one that listens.
const CONNECTIONS: usize = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The server cancels a statement that runs longer.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);

/// Connections in use count against the limit; idle ones are used again.
pub(super) struct Connections {
    options: PgConnectOptions,
    idle: Mutex<Vec<PgConnection>>,
    limit: Semaphore,
    /// Whether a trigger wakes the poll.
    pub(super) woken: AtomicBool,
}

/// A read-only transaction. Dropped without [`ReadTransaction::end`], its connection is closed.
pub(super) struct ReadTransaction<'a> {
    connection: PgConnection,
    connections: &'a Connections,
    _permit: SemaphorePermit<'a>,
}

impl Connections {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        let options = options.application_name("crosstail").disable_statement_logging().statement_cache_capacity(0);
        Self { options, idle: Mutex::default(), limit: Semaphore::new(CONNECTIONS), woken: AtomicBool::new(false) }
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&self.options))
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Starts a transaction that sees one snapshot of the database.
    pub(super) async fn read(&self) -> Result<ReadTransaction<'_>, sqlx::Error> {
        let permit = self.limit.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = {}; SET LOCAL TimeZone = 'UTC'; \
             SET LOCAL DateStyle = 'ISO'; SET LOCAL jit = off",
            STATEMENT_TIMEOUT.as_millis(),
            2 * STATEMENT_TIMEOUT.as_millis(),
        );
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut connection) = idle {
            // An idle connection may have been closed in the meantime: then a new one is made.
            if sqlx::raw_sql(AssertSqlSafe(begin.as_str())).execute(&mut connection).await.is_ok() {
                return Ok(ReadTransaction { connection, connections: self, _permit: permit });
            }
        }
        let mut connection = self.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut connection).await?;
        Ok(ReadTransaction { connection, connections: self, _permit: permit })
    }
}

impl ReadTransaction<'_> {
    pub(super) fn on(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Ends the transaction and returns the connection to the pool.
    pub(super) async fn end(mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("COMMIT").execute(&mut self.connection).await?;
        self.connections.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection);
        Ok(())
    }
}

/// Runs a query with its bind parameters; the statement is unnamed, as a pooler needs it.
pub(super) async fn fetch(on: &mut PgConnection, sql: Sql) -> Result<Vec<PgRow>, sqlx::Error> {
    let mut query = sqlx::query(AssertSqlSafe(sql.render(Placeholders::Numbered))).persistent(false);
    for bind in sql.binds {
        query = match bind {
            Bind::Text(text) => query.bind(text),
            Bind::Int(n) => query.bind(n),
            Bind::Float(n) => query.bind(n),
            Bind::Texts(list) => query.bind(list),
        };
    }
    query.fetch_all(on).await
}
