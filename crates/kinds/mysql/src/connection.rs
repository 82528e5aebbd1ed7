//! Connections: a few, each query in a read-only transaction with a time limit.

use crosstail_source::sql::{Bind, Placeholders, Sql};
use crosstail_source::{Answer, Expected, Job, Scheduler, Turn, cleanup};
use futures_util::TryStreamExt as _;
use sqlx::mysql::{MySql, MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Execute, Executor as _, Row as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Connections at most, beside the one that for a moment kills a query.
const CONNECTIONS: usize = 4;
/// Prepared statements after which a connection is not used again. A statement that is closed costs 40 ms: the server does
/// not answer it, so the packet after it waits for a delayed acknowledgement (the driver does not set `TCP_NODELAY`).
/// So statements are kept, and end with their connection.
const STATEMENTS: usize = 64;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection may take to be of use again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that has not answered a query by then does not answer: it stops its queries after a minute ([`SESSION`]).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);

/// The modes are ours whatever the server's are: a backslash is a backslash, groups need not name every column. In UTC a
/// TIMESTAMP is the moment that it is. MariaDB reads the comment that begins with `M!`, MySQL those with a version.
const SESSION: &str = "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES', SESSION time_zone = '+00:00', \
    SESSION lock_wait_timeout = 60 /*M! , SESSION max_statement_time = 60, SESSION idle_transaction_timeout = 120 */ \
    /*!50708 , SESSION max_execution_time = 60000 */ /*!80003 , SESSION information_schema_stats_expiry = 0 */; \
    SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// A transaction in which nothing runs ends within this time.
const PROMPT: Duration = Duration::from_millis(100);
/// How long the server may take to end a query that was killed.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Every connection in use counts against the limit; idle ones are used again.
pub(crate) struct Connections {
    pool: Arc<Pool>,
}

struct Pool {
    options: MySqlConnectOptions,
    idle: Mutex<Vec<Connected>>,
    scheduler: Arc<Scheduler>,
}

/// A connection and its number in the server.
struct Connected {
    connection: MySqlConnection,
    number: u64,
}

/// The connections, as one job uses them.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    connections: &'a Connections,
    job: &'a Job,
}

/// A read-only transaction. Dropped without [`ReadTransaction::end`], its query is killed in the server.
pub(crate) struct ReadTransaction {
    open: Option<OpenTransaction>,
    job: Job,
}

struct OpenTransaction {
    connected: Connected,
    pool: Arc<Pool>,
    /// The answer to the query that runs.
    expected: Expected,
    _turn: Turn,
}

impl Connections {
    pub(crate) fn new(options: MySqlConnectOptions) -> Self {
        let options = options
            .disable_statement_logging()
            .statement_cache_capacity(2 * STATEMENTS)
            .timezone(Some("+00:00".to_owned()))
            .pipes_as_concat(false)
            .no_engine_substitution(false);
        let scheduler = Scheduler::new(CONNECTIONS);
        Self { pool: Arc::new(Pool { options, idle: Mutex::default(), scheduler }) }
    }

    /// Where the server is, for people.
    pub(crate) fn place(&self) -> String {
        let options = &self.pool.options;
        match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        }
    }

    /// The connections for a job.
    pub(crate) fn for_job<'a>(&'a self, job: &'a Job) -> Reader<'a> {
        Reader { connections: self, job }
    }
}

impl Pool {
    /// A connection in which a transaction has begun: an idle one, or a new one.
    async fn begun(&self) -> Result<Connected, sqlx::Error> {
        const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // It may have been closed meanwhile, or lead nowhere: then a new one is made.
        if let Some(mut idle) = idle
            && let Ok(Ok(_)) =
                tokio::time::timeout(IDLE_TIMEOUT, sqlx::raw_sql(BEGIN).execute(&mut idle.connection)).await
        {
            return Ok(idle);
        }
        let mut new = self.connect().await?;
        let beginning = sqlx::raw_sql(BEGIN).execute(&mut new.connection);
        tokio::time::timeout(CONNECT_TIMEOUT, beginning).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        Ok(new)
    }

    async fn connect(&self) -> Result<Connected, sqlx::Error> {
        let connecting = async {
            let mut connection = MySqlConnection::connect_with(&self.options).await?;
            sqlx::raw_sql(SESSION).execute(&mut connection).await?;
            let row = sqlx::raw_sql("SELECT CONNECTION_ID()").fetch_one(&mut connection).await?;
            let number = row.try_get_unchecked(0)?;
            Ok(Connected { connection, number })
        };
        tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Keeps a connection for the next job, or closes it.
    async fn keep(&self, connected: Connected) {
        if connected.connection.cached_statements_size() < STATEMENTS {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connected);
        } else {
            let _ = connected.connection.close().await;
        }
    }
}

impl<'a> Reader<'a> {
    /// How the server is reached.
    pub(crate) fn options(self) -> &'a MySqlConnectOptions {
        &self.connections.pool.options
    }

    /// Begins a transaction that reads one moment of the database.
    pub(crate) async fn read(self) -> Result<ReadTransaction, sqlx::Error> {
        let pool = &self.connections.pool;
        let turn = pool.scheduler.turn(self.job).await;
        let connected = pool.begun().await?;
        let expected = self.job.expects(ANSWER_TIMEOUT);
        let open = OpenTransaction { connected, pool: Arc::clone(pool), expected, _turn: turn };
        Ok(ReadTransaction { open: Some(open), job: self.job.clone() })
    }
}

impl ReadTransaction {
    fn on(&mut self) -> Result<&mut MySqlConnection, sqlx::Error> {
        let open = self.open.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        open.expected.renew(ANSWER_TIMEOUT);
        Ok(&mut open.connected.connection)
    }

    /// Runs a query with its bind parameters.
    pub(crate) async fn fetch(&mut self, sql: Sql) -> Result<Vec<MySqlRow>, sqlx::Error> {
        let mut rows = Vec::new();
        self.fetch_each(sql, |row| {
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Like [`Self::fetch`], and passes each row on as it arrives. After an error of `taken`, the others are passed over.
    pub(crate) async fn fetch_each(
        &mut self,
        sql: Sql,
        taken: impl FnMut(MySqlRow) -> Result<(), sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        let text = sql.render(Placeholders::Question);
        self.job.runs(&text);
        let job = self.job.clone();
        if text.starts_with("SHOW ") {
            // MySQL does not prepare every kind of SHOW.
            each(self.on()?, sqlx::raw_sql(AssertSqlSafe(text)), &job, taken).await
        } else {
            let mut query = sqlx::query(AssertSqlSafe(text));
            for bind in sql.binds {
                query = match bind {
                    Bind::Text(text) => query.bind(text),
                    Bind::Int(n) => query.bind(n),
                    Bind::Float(n) => query.bind(n),
                    // There are no arrays: lists are written as so many marks.
                    Bind::Texts(list) => query.bind(list.join(",")),
                };
            }
            each(self.on()?, query, &job, taken).await
        }
    }

    /// Ends the transaction and keeps the connection.
    pub(crate) async fn end(mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("COMMIT").execute(self.on()?).await?;
        if let Some(open) = self.open.take() {
            open.pool.keep(open.connected).await;
        }
        Ok(())
    }
}

/// Passes on the rows of a query. The driver would collect as many as a server sends.
async fn each<'q>(
    on: &mut MySqlConnection,
    query: impl Execute<'q, MySql> + 'q,
    job: &Job,
    mut taken: impl FnMut(MySqlRow) -> Result<(), sqlx::Error>,
) -> Result<(), sqlx::Error> {
    let (mut arriving, mut answer, mut read) = (on.fetch(query), Answer::default(), Ok(()));
    while let Some(row) = arriving.try_next().await? {
        let bytes = weight(&row);
        job.count(1, bytes);
        answer.count(bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        if read.is_ok() {
            read = taken(row);
        }
    }
    read
}

/// Bytes of a row as it arrived.
pub(crate) fn weight(row: &MySqlRow) -> usize {
    (0..row.len()).map(|index| size(row, index)).sum()
}

/// Bytes of a value as it arrived.
fn size(row: &MySqlRow, index: usize) -> usize {
    row.try_get_unchecked::<Option<&[u8]>, _>(index).ok().flatten().map_or(8, <[u8]>::len)
}

impl Drop for ReadTransaction {
    /// Whoever read has gone away, perhaps in the middle of a query.
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
            if let Ok(ended) = tokio::time::timeout(PROMPT, roll_back(&mut self.connected.connection)).await {
                return ended;
            }
            // A user may kill what the same user runs (MySQL documentation, "KILL Statement").
            let mut other = MySqlConnection::connect_with(&self.pool.options).await?;
            sqlx::raw_sql(AssertSqlSafe(format!("KILL QUERY {}", self.connected.number))).execute(&mut other).await?;
            other.close().await?;
            roll_back(&mut self.connected.connection).await
        };
        if let Ok(Ok(())) = tokio::time::timeout(KILL_TIMEOUT, ending).await {
            self.pool.keep(self.connected).await;
        }
    }
}

/// Ends a transaction. The driver first reads what is left of an answer; the error of its query comes before ours.
async fn roll_back(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let rolled_back = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
    match rolled_back {
        Err(sqlx::Error::Database(_)) => sqlx::raw_sql("ROLLBACK").execute(connection).await.map(drop),
        other => other.map(drop),
    }
}
