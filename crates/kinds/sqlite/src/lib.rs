//! The kind `sqlite`: crosstail's own table, or any table that a schema maps.

mod access;
mod connection;
mod diagnose;
mod follow;
mod kind;
mod mapping;
mod payload;
mod query;
mod sql;

pub use kind::KIND;

use async_trait::async_trait;
use connection::Connections;
use crosstail_core::filter::Filter;
use crosstail_core::model::{Diagnosis, Id, Locator, Names, Payload, SourceId, Timestamp};
use crosstail_core::schema::Schema;
use crosstail_source::{
    Capabilities, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, PushDown, Related,
    RelatedKey, Sink, Source, SourceError,
};
use mapping::Mapping;
use sqlx::sqlite::SqliteConnectOptions;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::OnceCell;

/// A source in a database file, which is opened read-only.
pub struct SqliteSource {
    name: String,
    id: SourceId,
    names: Names,
    path: PathBuf,
    schema: Option<Schema>,
    connections: Connections,
    mapping: OnceCell<Mapping>,
}

/// Size of the pool: one connection follows, the others serve queries.
const CONNECTIONS: u32 = 4;

impl SqliteSource {
    /// A source in the database at `path`. Without `schema`, the schema is recognised by the tables.
    pub fn new(
        name: &str,
        id: SourceId,
        names: Names,
        path: &str,
        schema: Option<Schema>,
    ) -> Result<Self, SourceError> {
        let path = path.split('?').next().unwrap_or(path);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout(Duration::from_secs(2))
            .pragma("query_only", "ON")
            .pragma("cache_size", "-8000")
            // Rows arrive over a channel from the connection's thread: fewer and larger batches.
            .row_buffer_size(1024)
            .with_regexp();
        let (name, path) = (name.to_owned(), PathBuf::from(path));
        let connections = Connections::new(path.clone(), options, CONNECTIONS);
        Ok(Self { name, id, names, path, schema, connections, mapping: OnceCell::new() })
    }

    fn error(&self, operation: &'static str, error: &sqlx::Error) -> SourceError {
        let kind = match error {
            sqlx::Error::PoolTimedOut => ErrorKind::Timeout,
            sqlx::Error::Io(_) => ErrorKind::Connect,
            sqlx::Error::Database(db) if db.code().is_some_and(|code| code == "14") => ErrorKind::Connect,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => ErrorKind::Decode,
            _ => ErrorKind::Query,
        };
        let hint =
            (kind == ErrorKind::Connect).then(|| format!("check that {} exists and is readable", self.path.display()));
        SourceError { source_name: self.name.clone(), operation, kind, cause: error.to_string(), hint }
    }

    async fn mapping(&self, job: &Job) -> Result<&Mapping, SourceError> {
        self.mapping
            .get_or_try_init(|| async {
                let tables =
                    mapping::tables(self.connections.for_job(job)).await.map_err(|e| self.error("read tables", &e))?;
                let candidates = match &self.schema {
                    Some(schema) => vec![schema.clone()],
                    None => Schema::built_in(),
                };
                let fitting = candidates.into_iter().find_map(|schema| {
                    let table = schema.table.clone()?;
                    let relation = tables.get(&table.name)?.clone();
                    Some((schema, table, relation))
                });
                let known = tables.keys().cloned().collect::<Vec<_>>().join(", ");
                let wrong = |cause: String, hint: &str| SourceError {
                    source_name: self.name.clone(),
                    operation: "map tables",
                    kind: ErrorKind::Unsupported,
                    cause,
                    hint: Some(hint.to_owned()),
                };
                let Some((schema, table, mut relation)) = fitting else {
                    return Err(wrong(
                        format!("no table that a schema knows among: {known}"),
                        "name one with --schema, or write a schema file with [table] and [fields]",
                    ));
                };
                let columns = relation.names();
                let named = table.id.columns().iter().chain([&table.time]).chain(table.revision.as_ref());
                for column in named {
                    if !columns.contains(column) {
                        return Err(wrong(
                            format!("table {} has no column '{column}'; it has {}", table.name, columns.join(", ")),
                            "correct [table] in the schema file",
                        ));
                    }
                }
                let reader = self.connections.for_job(job);
                relation.repeats =
                    mapping::repeats(reader, &table, &relation).await.map_err(|e| self.error("read tables", &e))?;
                Ok(Mapping::new(schema, table, &relation, self.id, &self.name))
            })
            .await
    }
}

#[async_trait]
impl Source for SqliteSource {
    fn capabilities(&self) -> Capabilities {
        Capabilities { pushes: false, aggregates: true, holds_activities: true, reads_ranges: true, finds_ids: true }
    }

    async fn probe(&self, job: &Job) -> Result<Probe, SourceError> {
        let version: String = sqlx::query_scalar("SELECT sqlite_version()")
            .fetch_one(self.connections.for_job(job).connection().await.map_err(|e| self.error("connect", &e))?.on())
            .await
            .map_err(|e| self.error("connect", &e))?;
        let mapping = self.mapping(job).await?;
        let mut probe =
            Probe { server: format!("SQLite {version}"), schema: mapping.schema.name.clone(), ..Probe::default() };
        if mapping.repeats {
            let (table, key) = (&mapping.table.name, mapping.table.id.columns().join(", "));
            probe.warnings.push(format!(
                "{table}: {key} is not unique, so rows are told apart by more; name the columns of the key as id in [table]"
            ));
        }
        Ok(probe)
    }

    async fn page(&self, query: &PageQuery, after: Option<&Cursor>, job: &Job) -> Result<Page, SourceError> {
        let mapping = self.mapping(job).await?;
        query::page(self.connections.for_job(job), mapping, &self.names, query, after)
            .await
            .map_err(|e| self.error("read history", &e))
    }

    async fn position(&self, job: &Job) -> Result<Position, SourceError> {
        let mapping = self.mapping(job).await?;
        follow::position(self.connections.for_job(job), mapping).await.map_err(|e| self.error("read position", &e))
    }

    async fn follow(&self, from: Position, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let mapping = self.mapping(job).await?;
        follow::follow(self.connections.for_job(job), mapping, &from, sink).await.map_err(|e| self.error("follow", &e))
    }

    async fn payload(&self, id: &Id, locator: &Locator, job: &Job) -> Result<Payload, SourceError> {
        let mapping = self.mapping(job).await?;
        let key = locator.as_table_key().map_or_else(|| id.to_string(), |(_, key)| key.to_owned());
        let found = payload::load(self.connections.for_job(job), mapping, &self.name, &key)
            .await
            .map_err(|e| self.error("load payload", &e))?;
        found.ok_or_else(|| SourceError::not_found(&self.name, format!("row {id}")))
    }

    async fn related(&self, key: &RelatedKey, limit: usize, job: &Job) -> Result<Related, SourceError> {
        let mapping = self.mapping(job).await?;
        query::related(self.connections.for_job(job), mapping, key, limit)
            .await
            .map(Related::from)
            .map_err(|e| self.error("find related", &e))
    }

    async fn diagnose(&self, _now: Timestamp, job: &Job) -> Result<Vec<Diagnosis>, SourceError> {
        let mapping = self.mapping(job).await?;
        diagnose::diagnose(self.connections.for_job(job), mapping, &self.path)
            .await
            .map_err(|e| self.error("examine", &e))
    }

    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError> {
        let mapping = self.mapping(job).await?;
        let grouped = query::aggregate(self.connections.for_job(job), mapping, query, grouping);
        if let Some(groups) = grouped.await.map_err(|e| self.error("aggregate", &e))? {
            return Ok(groups);
        }
        crosstail_source::aggregate_locally(self, query, grouping, &self.names, job).await
    }
}

/// How a page's filter was divided between the store and the local evaluator.
fn division(filter: &Filter, in_store: usize) -> PushDown {
    PushDown { in_store, local: filter.clauses().len() - in_store }
}
