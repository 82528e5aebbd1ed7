//! The kind `postgres`: the tables that schemas map, read with SELECT alone.

mod address;
mod aggregate;
mod alert;
mod by_time;
mod catalogue;
mod connection;
mod create;
mod definitions;
mod diagnose;
mod follow;
mod index;
mod key;
mod kind;
mod listen;
mod mapping;
mod own_certificate;
mod payload;
mod plan;
mod query;
mod relation;
mod resume;
mod row;
mod row_security;
mod server;
mod shape;
mod sql;
mod state;
mod statements;
mod tables;
mod text;
mod time;

pub use kind::KIND;

use address::Address;
use async_trait::async_trait;
use connection::Connections;
use crosstail_core::model::{
    Catalogue, CatalogueEntry, Clock, Diagnosis, Id, Locator, Names, Payload, SourceId, Timestamp, Vitals, redact_text,
};
use crosstail_core::schema::Schema;
use crosstail_source::{
    Capabilities, Cost, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, Related,
    RelatedKey, Sink, Source, SourceError, SourceEvent, TableOffer, TableRows, Taken, TooLarge,
};
use sqlx::Row as _;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tables::Tables;

/// A source in one `PostgreSQL` database.
pub struct PostgresSource {
    name: String,
    id: SourceId,
    names: Names,
    schema: Option<Schema>,
    connections: Connections,
    address: Address,
    /// Looked up once, and again after an error that says that tables have changed.
    tables: Mutex<Option<Arc<Tables>>>,
    /// What they were, whenever they were looked up.
    read_before: Mutex<Taken>,
    /// What of them was gone since it was followed last: when it is back, all of it is new.
    gone: Mutex<BTreeSet<String>>,
}

/// A failure before it becomes a [`SourceError`]: an error of the driver, or a mapping that does not fit.
enum Error {
    Driver(sqlx::Error),
    Mapping(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Driver(error)
    }
}

impl PostgresSource {
    /// A source in the database of a URL. Without `schema`, the schema is recognised by the tables. Does not connect
    /// yet.
    pub fn new(name: &str, id: SourceId, names: Names, url: &str, schema: Option<Schema>) -> Result<Self, SourceError> {
        let address = Address::parse(url).map_err(|cause| SourceError {
            source_name: name.to_owned(),
            operation: "open",
            kind: ErrorKind::Unsupported,
            cause: redact_text(&cause).into_owned(),
            hint: Some(
                "write postgres://user@host:5432/database; the password may be in PGPASSWORD or ~/.pgpass".to_owned(),
            ),
        })?;
        let connections = Connections::new(address.options.clone(), &address.schemas, address.roots.clone());
        let (tables, read_before, gone) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Self { name: name.to_owned(), id, names, schema, connections, address, tables, read_before, gone })
    }

    fn error(&self, operation: &'static str, error: impl Into<Error>) -> SourceError {
        let (kind, cause, hint) = match error.into() {
            Error::Mapping(cause) => {
                // What was there may come again: it is looked for.
                let kind = if self.before().is_empty() { ErrorKind::Unsupported } else { ErrorKind::Query };
                (kind, cause, Some("correct the schema file".to_owned()))
            }
            Error::Driver(error) => {
                // A table or column no longer exists or has changed its type: look all of them up again.
                let code = error.as_database_error().and_then(|db| db.code()).unwrap_or_default().into_owned();
                if ["42P01", "42703", "42804", "42883", "22P02", "22007"].contains(&code.as_str()) {
                    *self.tables.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
                let (kind, hint) = classify(&error);
                let cause = match &error {
                    sqlx::Error::PoolTimedOut => "no connection within 10 s".to_owned(),
                    sqlx::Error::Database(db) => db.message().to_owned(),
                    sqlx::Error::Io(io) => io.to_string(),
                    other => other.to_string(),
                };
                let options = self.connections.options();
                let place = format!("{}:{}", options.get_host(), options.get_port());
                let cause = if kind == ErrorKind::Connect { format!("{place}: {cause}") } else { cause };
                (kind, redact_text(&cause).into_owned(), hint.map(str::to_owned))
            }
        };
        SourceError { source_name: self.name.clone(), operation, kind, cause, hint }
    }

    /// The mapped tables, cached after the first call.
    async fn tables(&self, job: &Job) -> Result<Arc<Tables>, SourceError> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let reader = self.connections.for_job(job);
        let (owner, before) = ((self.id, self.name.as_str()), self.before());
        let tables = tables::look_up(reader, &self.names, self.schema.as_ref(), owner, &before).await;
        let mut tables = tables.map_err(|e| self.error("read tables", e))?;
        self.lock_gone().extend(before.absent(&tables.names()));
        if tables.mappings.is_empty() {
            return Err(self.unmapped(&tables, job).await?);
        }
        if !self.address.unknown.is_empty() {
            let list = self.address.unknown.join(", ");
            tables.warnings.push(format!("the address has parameters that are not known and change nothing: {list}"));
        }
        self.read_before.lock().unwrap_or_else(PoisonError::into_inner).add(&tables.names(), tables.first.as_ref());
        let tables = Arc::new(tables);
        *self.tables.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&tables));
        Ok(tables)
    }

    /// The error for a database without a table that is mapped.
    async fn unmapped(&self, tables: &Tables, job: &Job) -> Result<SourceError, SourceError> {
        let reader = self.connections.for_job(job);
        let known = tables::known_tables(reader).await.map_err(|e| self.error("read tables", e))?;
        let refused = tables.warnings.first().cloned();
        let before = self.before();
        let (mut cause, mut hint) = (
            format!("no table that a schema knows, and none with a time, among: {known}"),
            "name a schema with --schema, or write one with [table] and [fields]".to_owned(),
        );
        if let Some((gone, until)) = before.gone() {
            (cause, hint) = (gone, until.to_owned());
        } else if !self.address.names_database {
            let others = tables::databases(reader).await.map_err(|e| self.error("read databases", e))?;
            cause = format!(
                "the address names no database, and that of the user's name has no table to read; there are: {others}"
            );
            hint = "write postgres://user@host/DATABASE".to_owned();
        }
        Ok(SourceError {
            source_name: self.name.clone(),
            operation: "map tables",
            // They may be created later, so the source retries.
            kind: if refused.is_some() { ErrorKind::Auth } else { ErrorKind::Query },
            cause: refused.unwrap_or(cause),
            hint: Some(hint),
        })
    }

    /// Adds the databases there are to the error that there is none of a name.
    async fn with_databases(&self, error: SourceError, job: &Job) -> SourceError {
        if !error.cause.contains("does not exist") || error.operation != "connect" {
            return error;
        }
        for database in ["postgres", "template1"] {
            let other =
                Connections::new(self.address.options.clone().database(database), &[], self.address.roots.clone());
            if let Ok(names) = tables::databases(other.for_job(job)).await {
                let cause = format!("{}; there are: {names}", error.cause);
                return SourceError { cause, hint: Some("write postgres://user@host/DATABASE".to_owned()), ..error };
            }
        }
        error
    }

    fn lock_gone(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of some tables that were gone, and are back.
    fn back(&self, now: &BTreeSet<String>) -> BTreeSet<String> {
        let mut gone = self.lock_gone();
        let (back, still) = std::mem::take(&mut *gone).into_iter().partition(|name| now.contains(name));
        *gone = still;
        back
    }

    fn before(&self) -> Taken {
        self.read_before.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn known(&self) -> Option<Arc<Tables>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The kind of an error by its SQLSTATE (`PostgreSQL` documentation, appendix A), and a hint.
fn classify(error: &sqlx::Error) -> (ErrorKind, Option<&'static str>) {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
            (ErrorKind::Connect, Some("check that the server is running and that the address is right"))
        }
        sqlx::Error::Protocol(_) => (ErrorKind::Connect, Some("check that the address leads to a store of this kind")),
        sqlx::Error::PoolTimedOut => (ErrorKind::Timeout, Some("the server does not respond")),
        sqlx::Error::Decode(error) if error.is::<TooLarge>() => {
            (ErrorKind::Budget, Some("narrow the filter or the range of time"))
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => (ErrorKind::Decode, None),
        sqlx::Error::Database(db) => match db.code().as_deref() {
            Some("28P01" | "28000") => (ErrorKind::Auth, Some("check the user and the password")),
            Some("42501") => (ErrorKind::Auth, Some("GRANT SELECT on the table to the role")),
            Some("3D000") => (ErrorKind::Connect, Some("check the name of the database")),
            Some("57014") => {
                (ErrorKind::Timeout, Some("the query was cancelled after 60 s; check that the time column is indexed"))
            }
            Some("53300") => (ErrorKind::Connect, Some("the server has no free connection")),
            Some(code) if code.starts_with("57P") || code.starts_with("08") => (ErrorKind::Connect, None),
            _ => (ErrorKind::Query, None),
        },
        _ => (ErrorKind::Connect, None),
    }
}

#[async_trait]
impl Source for PostgresSource {
    fn capabilities(&self) -> Capabilities {
        let pushes = self.connections.woken.load(Ordering::Relaxed);
        let counts_times = self.known().is_some_and(|tables| tables.mappings.iter().all(by_time::is_quick));
        Capabilities {
            pushes,
            aggregates: true,
            counts_times,
            holds_activities: true,
            reads_ranges: true,
            has_order: true,
            finds_ids: true,
        }
    }

    async fn probe(&self, job: &Job) -> Result<Probe, SourceError> {
        let connect = |e: sqlx::Error| self.error("connect", e);
        let clock = Clock::system();
        let mut reading = match self.connections.for_job(job).read().await.map_err(connect) {
            Ok(reading) => reading,
            Err(error) => return Err(self.with_databases(error, job).await),
        };
        let before = clock.now();
        let row = sqlx::query(
            "SELECT current_setting('server_version'), (extract(epoch FROM clock_timestamp()) * 1000000)::int8, \
             pg_is_in_recovery()",
        )
        .persistent(false)
        .fetch_one(reading.on().map_err(connect)?)
        .await
        .map_err(connect)?;
        let middle = before.plus_us(clock.now().since_us(before) / 2);
        reading.end().await.map_err(connect)?;
        let version: String = row.try_get(0).map_err(connect)?;
        let version = version.split(' ').next().unwrap_or_default();
        let theirs: i64 = row.try_get(1).map_err(connect)?;
        let standby: bool = row.try_get(2).map_err(connect)?;
        let tables = self.tables(job).await?;
        let mut warnings = tables.warnings.clone();
        let names: Vec<&str> = tables.mappings.iter().map(|mapping| mapping.relation.sql.as_str()).collect();
        let mut reading = self.connections.for_job(job).read().await.map_err(connect)?;
        warnings.extend(row_security::warnings(&mut reading, &names).await.map_err(connect)?);
        reading.end().await.map_err(connect)?;
        Ok(Probe {
            server: format!("PostgreSQL {version}{}", if standby { ", standby" } else { "" }),
            schema: tables.schemas.join(", "),
            clock_ahead_us: Some(theirs - middle.0),
            warnings,
            ..Probe::default()
        })
    }

    async fn page(&self, query: &PageQuery, after: Option<&Cursor>, job: &Job) -> Result<Page, SourceError> {
        let tables = self.tables(job).await?;
        query::page(self.connections.for_job(job), &tables.mappings, &self.names, query, after)
            .await
            .map_err(|e| self.error("read history", e))
    }

    async fn position(&self, job: &Job) -> Result<Position, SourceError> {
        let tables = self.tables(job).await?;
        resume::position(self.connections.for_job(job), &tables).await.map_err(|e| self.error("read position", e))
    }

    async fn follow(&self, from: Position, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let (mut from, mut before) = (from, None);
        let mut tables = self.tables(job).await?;
        if let Some(missing) = self.before().missing(&tables.names())
            && sink.send(SourceEvent::Notice(missing)).await.is_err()
        {
            return Ok(());
        }
        loop {
            let reader = self.connections.for_job(job);
            let back = self.back(&tables.names());
            let end = follow::follow(reader, &tables, &from, (before.as_ref(), &back), sink).await;
            match end.map_err(|e| self.error("follow", e))? {
                follow::End::Closed => return Ok(()),
                follow::End::Changed(position, known) => {
                    *self.tables.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    let now = self.tables(job).await?;
                    let text = Taken::changes(&tables.names(), &now.names());
                    let columns = known.has_other_columns(self.connections.for_job(job), &now).await;
                    let text = text.unwrap_or_else(|| {
                        let what = match columns {
                            Ok(false) => "a table was written anew, and was looked up again",
                            _ => "columns of a table have changed, and were looked up again",
                        };
                        what.to_owned()
                    });
                    if sink.send(SourceEvent::Notice(text)).await.is_err() {
                        return Ok(());
                    }
                    (tables, from, before) = (now, position, Some(known));
                }
            }
        }
    }

    async fn plan(&self, query: &PageQuery, job: &Job) -> Result<Cost, SourceError> {
        let tables = self.tables(job).await?;
        query::cost(self.connections.for_job(job), &tables.mappings, query).await.map_err(|e| self.error("plan", e))
    }

    async fn table_offers(&self, job: &Job) -> Result<Vec<TableOffer>, SourceError> {
        let found = tables::offers(self.connections.for_job(job)).await;
        found.map_err(|e| self.error("list tables", e))
    }

    async fn draft(&self, table: Option<&str>, job: &Job) -> Result<String, SourceError> {
        let found = tables::draft(self.connections.for_job(job), table).await;
        let found = match found.map_err(|e| self.error("connect", e)) {
            Ok(found) => found,
            Err(error) => return Err(self.with_databases(error, job).await),
        };
        found.map_err(|cause| SourceError::of(&self.name, "draft a schema", (ErrorKind::Unsupported, None), &cause))
    }

    async fn payload(&self, id: &Id, locator: &Locator, job: &Job) -> Result<Payload, SourceError> {
        let tables = self.tables(job).await?;
        let missing = || SourceError::not_found(&self.name, format!("row {id}"));
        let (index, key) = locator.as_table_key().ok_or_else(missing)?;
        let mapping = tables.mappings.get(index).ok_or_else(missing)?;
        let found = payload::load(self.connections.for_job(job), mapping, key)
            .await
            .map_err(|e| self.error("load payload", e))?;
        found.ok_or_else(missing)
    }

    async fn payloads(&self, of: &[(Id, Locator)], job: &Job) -> Result<Vec<Option<Payload>>, SourceError> {
        let tables = self.tables(job).await?;
        let mut rows = TableRows::of(of);
        for (index, mapping) in tables.mappings.iter().enumerate() {
            let found = payload::load_all(self.connections.for_job(job), mapping, &rows.keys(index))
                .await
                .map_err(|e| self.error("load payloads", e))?;
            rows.found(index, found);
        }
        Ok(rows.payloads())
    }

    async fn related(&self, key: &RelatedKey, limit: usize, job: &Job) -> Result<Related, SourceError> {
        let tables = self.tables(job).await?;
        query::related(self.connections.for_job(job), &tables.mappings, key, limit)
            .await
            .map(Related::from)
            .map_err(|e| self.error("find related", e))
    }

    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError> {
        let tables = self.tables(job).await?;
        let mut all = Groups::new();
        for mapping in &tables.mappings {
            let groups = aggregate::aggregate(self.connections.for_job(job), mapping, &self.names, query, grouping)
                .await
                .map_err(|e| self.error("aggregate", e))?;
            let Some(groups) = groups else {
                return crosstail_source::aggregate_locally(self, query, grouping, &self.names, job).await;
            };
            for (key, figures) in groups {
                all.entry(key).or_default().merge(&figures);
            }
        }
        Ok(all)
    }

    async fn vitals(&self, _since: Timestamp, job: &Job) -> Result<Vitals, SourceError> {
        self.tables(job).await?;
        server::vitals(self.connections.for_job(job)).await.map_err(|e| self.error("read the server's state", e))
    }

    async fn diagnose(&self, _now: Timestamp, job: &Job) -> Result<Vec<Diagnosis>, SourceError> {
        let tables = self.tables(job).await?;
        diagnose::diagnose(self.connections.for_job(job), &tables).await.map_err(|e| self.error("examine", e))
    }

    async fn catalogue(&self, job: &Job) -> Result<Catalogue, SourceError> {
        let tables = self.tables(job).await?;
        catalogue::load(self.connections.for_job(job), &tables.catalogue)
            .await
            .map_err(|e| self.error("read catalogue", e))
    }

    async fn mappings(&self, system: &str, codes: &[String], job: &Job) -> Result<Vec<CatalogueEntry>, SourceError> {
        let tables = self.tables(job).await?;
        catalogue::mappings(self.connections.for_job(job), &tables.catalogue, system, codes)
            .await
            .map_err(|e| self.error("read mappings", e))
    }
}
