//! Connections: a few, each query in a read-only transaction with a time limit.

use crosstail_source::sql::{Bind, Placeholders, Sql};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Connections at most.
const CONNECTIONS: usize = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The modes are ours whatever the server's are: a backslash is a backslash, groups need not name every column. In UTC a
/// TIMESTAMP is the moment that it is. MariaDB reads the comment that begins with `M!`, MySQL those with a version.
const SESSION: &str = "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES', SESSION time_zone = '+00:00', \
    SESSION lock_wait_timeout = 60 /*M! , SESSION max_statement_time = 60, SESSION idle_transaction_timeout = 120 */ \
    /*!50708 , SESSION max_execution_time = 60000 */ /*!80003 , SESSION information_schema_stats_expiry = 0 */; \
    SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Every connection in use counts against the limit; idle ones are used again.
pub(crate) struct Connections {
    options: MySqlConnectOptions,
    idle: Mutex<Vec<MySqlConnection>>,
    limit: Semaphore,
}

/// A read-only transaction. Dropped without [`ReadTransaction::end`], its connection is closed.
pub(crate) struct ReadTransaction<'a> {
    connection: MySqlConnection,
    connections: &'a Connections,
    _permit: SemaphorePermit<'a>,
}

impl Connections {
    pub(crate) fn new(options: MySqlConnectOptions) -> Self {
        let options = options
            .disable_statement_logging()
            .statement_cache_capacity(0)
            .timezone(Some("+00:00".to_owned()))
            .pipes_as_concat(false)
            .no_engine_substitution(false);
        Self { options, idle: Mutex::default(), limit: Semaphore::new(CONNECTIONS) }
    }

    /// Where the server is, for people.
    pub(crate) fn place(&self) -> String {
        match self.options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", self.options.get_host(), self.options.get_port()),
        }
    }

    pub(crate) fn options(&self) -> &MySqlConnectOptions {
        &self.options
    }

    async fn connect(&self) -> Result<MySqlConnection, sqlx::Error> {
        let connecting = async {
            let mut connection = MySqlConnection::connect_with(&self.options).await?;
            sqlx::raw_sql(SESSION).execute(&mut connection).await?;
            Ok(connection)
        };
        tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Begins a transaction that reads one moment of the database.
    pub(crate) async fn read(&self) -> Result<ReadTransaction<'_>, sqlx::Error> {
        const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
        let permit = self.limit.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut connection) = idle {
            // It may have been closed meanwhile: then a new one is made.
            if sqlx::raw_sql(BEGIN).execute(&mut connection).await.is_ok() {
                return Ok(ReadTransaction { connection, connections: self, _permit: permit });
            }
        }
        let mut connection = self.connect().await?;
        sqlx::raw_sql(BEGIN).execute(&mut connection).await?;
        Ok(ReadTransaction { connection, connections: self, _permit: permit })
    }
}

impl ReadTransaction<'_> {
    /// Runs a query with its bind parameters.
    pub(crate) async fn fetch(&mut self, sql: Sql) -> Result<Vec<MySqlRow>, sqlx::Error> {
        let text = sql.render(Placeholders::Question);
        if text.starts_with("SHOW ") {
            // MySQL does not prepare every kind of SHOW.
            return sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut self.connection).await;
        }
        let mut query = sqlx::query(AssertSqlSafe(text)).persistent(false);
        for bind in sql.binds {
            query = match bind {
                Bind::Text(text) => query.bind(text),
                Bind::Int(n) => query.bind(n),
                Bind::Float(n) => query.bind(n),
                // There are no arrays: lists are written as so many marks.
                Bind::Texts(list) => query.bind(list.join(",")),
            };
        }
        query.fetch_all(&mut self.connection).await
    }

    /// Ends the transaction and keeps the connection.
    pub(crate) async fn end(mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("COMMIT").execute(&mut self.connection).await?;
        self.connections.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection);
        Ok(())
    }
}
