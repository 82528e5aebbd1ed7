//! Connections: a few, each query in a read-only transaction with a time limit. Settings are those of the transaction
//! (`SET LOCAL`), so that a pooler such as PgBouncer hands a clean connection to the next client.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Connections at most, beside the one that listens.
const CONNECTIONS: usize = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// No query takes longer.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);

/// Every connection in use counts against the limit; idle ones are used again.
pub(super) struct Connections {
    options: PgConnectOptions,
    idle: Mutex<Vec<PgConnection>>,
    limit: Semaphore,
    /// A trigger wakes us.
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

    /// Begins a transaction that reads one moment of the database.
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
            // It may have been closed meanwhile: then a new one is made.
            if sqlx::raw_sql(sqlx::AssertSqlSafe(begin.as_str())).execute(&mut connection).await.is_ok() {
                return Ok(ReadTransaction { connection, connections: self, _permit: permit });
            }
        }
        let mut connection = self.connect().await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(begin)).execute(&mut connection).await?;
        Ok(ReadTransaction { connection, connections: self, _permit: permit })
    }
}

impl ReadTransaction<'_> {
    pub(super) fn on(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Ends the transaction and keeps the connection.
    pub(super) async fn end(mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("COMMIT").execute(&mut self.connection).await?;
        self.connections.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection);
        Ok(())
    }
}
