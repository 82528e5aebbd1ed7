//! The kind `sqlite`: crosstail's own table, or any table that a schema maps.

mod access;
mod connection;
mod contact;
mod diagnose;
mod follow;
mod kind;
mod mapping;
mod payload;
mod query;
mod row;
mod sql;
mod time;
mod value;
mod zone;

pub use kind::KIND;

use async_trait::async_trait;
use connection::{Connections, Reader};
use crosstail_core::filter::Filter;
use crosstail_core::model::{Diagnosis, Id, Locator, Names, Payload, SourceId, Timestamp};
use crosstail_core::schema::Schema;
use crosstail_source::{
    Capabilities, Cost, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, PushDown, Related,
    RelatedKey, Sink, Source, SourceError, SourceEvent, TableOffer, Taken,
};
use mapping::Mapping;
use sqlx::sqlite::SqliteConnectOptions;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use value::is_of_data;

/// A source in a database file, which is opened read-only.
pub struct SqliteSource {
    name: String,
    id: SourceId,
    names: Names,
    path: PathBuf,
    schema: Option<Schema>,
    connections: Connections,
    /// As it was looked up last.
    mapping: Mutex<Option<Arc<Mapping>>>,
    /// Columns that were found to be no identity, because they cannot be computed for every row.
    failing: Mutex<Vec<String>>,
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
            .pragma("cache_size", "-4000")
            // Rows arrive over a channel from the connection's thread: fewer and larger batches.
            .row_buffer_size(1024)
            .with_regexp();
        let (name, path) = (name.to_owned(), PathBuf::from(path));
        let connections = Connections::new(path.clone(), options, CONNECTIONS);
        let (mapping, failing) = (Mutex::default(), Mutex::default());
        Ok(Self { name, id, names, path, schema, connections, mapping, failing })
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

    /// Looks for those of some columns that cannot be computed for every row; returns whether there are some. They are no
    /// identity from now on.
    async fn set_aside(&self, reader: Reader<'_>, table: &str, columns: &[String]) -> Result<bool, sqlx::Error> {
        let found = mapping::failing(reader, table, columns).await?;
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_any = !found.is_empty();
        // Others may have found them meanwhile.
        failing.extend(found);
        failing.sort_unstable();
        failing.dedup();
        Ok(is_any)
    }

    /// The table without what made an error, where that is a column of the identity; the error where it is not.
    async fn without(
        &self,
        error: sqlx::Error,
        mapping: &Mapping,
        operation: &'static str,
        job: &Job,
    ) -> Result<Arc<Mapping>, SourceError> {
        let reader = self.connections.for_job(job);
        let is_identity = is_of_data(&error)
            && matches!(self.set_aside(reader, &mapping.table.name, &mapping.identity()).await, Ok(true));
        if !is_identity {
            return Err(self.error(operation, &error));
        }
        *self.mapping.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.mapping(job).await
    }

    /// The table, as its columns are now.
    async fn mapping(&self, job: &Job) -> Result<Arc<Mapping>, SourceError> {
        let wrong = |e: sqlx::Error| self.error("read tables", &e);
        let reader = self.connections.for_job(job);
        let version = reader.connection().await.map_err(wrong)?.version().await.map_err(wrong)?;
        let known = self.mapping.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.as_ref().filter(|known| known.version == version) {
            return Ok(Arc::clone(known));
        }
        let names = mapping::names(reader).await.map_err(wrong)?;
        // What was read once is waited for: no other table takes its place.
        let (taken, is_known) =
            (known.as_ref().map(|known| &known.table.name), known.as_ref().map(|k| k.note.is_none()));
        let names_left = || names.iter().filter(|name| taken.is_none_or(|taken| taken == *name));
        let candidates = match &self.schema {
            Some(schema) => vec![schema.clone()],
            None if is_known == Some(false) => Vec::new(),
            None => Schema::built_in(),
        };
        let fitting = candidates.into_iter().find_map(|schema| {
            let table = schema.table.clone().filter(|table| names_left().any(|name| *name == table.name))?;
            Some((schema, table, None))
        });
        let fitting = match fitting {
            None if self.schema.is_none() && is_known != Some(true) => {
                contact::first(reader, &names_left().cloned().collect::<Vec<_>>()).await.map_err(wrong)?
            }
            fitting => fitting,
        };
        let unfit = |cause: String, hint: &str| SourceError {
            source_name: self.name.clone(),
            operation: "map tables",
            // What was there may come again: it is looked for.
            kind: if known.is_some() { ErrorKind::Query } else { ErrorKind::Unsupported },
            cause,
            hint: Some(hint.to_owned()),
        };
        let Some((schema, mut table, note)) = fitting else {
            if let Some(taken) = taken {
                let (cause, hint) = Taken::said_gone(taken);
                return Err(unfit(cause, hint));
            }
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(unfit(
                format!("no table that a schema knows, and none with a time, among: {there}"),
                "name one with --schema, or write a schema file with [table] and [fields]",
            ));
        };
        let mut relation = mapping::relation(reader, &table.name).await.map_err(wrong)?;
        let columns = relation.names();
        for column in table.id.columns().iter().chain([&table.time]).chain(table.revision.as_ref()) {
            let is_there = columns.contains(column) || relation.has_rowid && column == "rowid";
            if !is_there {
                return Err(unfit(
                    format!("table {} has no column '{column}'; it has {}", table.name, columns.join(", ")),
                    "correct [table] in the schema file",
                ));
            }
        }
        relation.failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Err(error) = mapping::look_at(reader, &table, &mut relation).await {
            if !is_of_data(&error) || !self.set_aside(reader, &table.name, table.id.columns()).await.map_err(wrong)? {
                return Err(wrong(error));
            }
            relation.failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone();
            mapping::look_at(reader, &table, &mut relation).await.map_err(wrong)?;
        }
        relation.failing.retain(|column| columns.contains(column));
        if !schema.definition().canonical
            && let Some(text) = time::look_at_times(reader, &mut table, &mut relation).await.map_err(wrong)?
            && note.is_none()
        {
            return Err(unfit(text, "correct [table] in the schema file"));
        }
        let found = Arc::new(Mapping::new((schema, table), relation, (version, note), self.id, &self.name));
        *self.mapping.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&found));
        Ok(found)
    }
}

#[async_trait]
impl Source for SqliteSource {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            pushes: false,
            aggregates: true,
            counts_times: false,
            holds_activities: true,
            reads_ranges: true,
            has_order: true,
            finds_ids: true,
        }
    }

    async fn probe(&self, job: &Job) -> Result<Probe, SourceError> {
        let version: String = sqlx::query_scalar("SELECT sqlite_version()")
            .fetch_one(self.connections.for_job(job).connection().await.map_err(|e| self.error("connect", &e))?.on())
            .await
            .map_err(|e| self.error("connect", &e))?;
        let mapping = self.mapping(job).await?;
        let mut probe =
            Probe { server: format!("SQLite {version}"), schema: mapping.schema.name.clone(), ..Probe::default() };
        probe.warnings.extend(mapping.note.clone());
        probe.warnings.extend(mapping.about_failing());
        probe.warnings.extend(mapping.relation.other_unit.clone());
        probe.warnings.extend(mapping.relation.no_time.clone());
        if mapping.relation.repeats && mapping.relation.failing.is_empty() {
            let found = mapping.key_is_not_unique();
            probe.warnings.push(format!("{}; {}", found.text, found.remedy.unwrap_or_default()));
        }
        Ok(probe)
    }

    async fn page(&self, query: &PageQuery, after: Option<&Cursor>, job: &Job) -> Result<Page, SourceError> {
        let mut mapping = self.mapping(job).await?;
        loop {
            match query::page(self.connections.for_job(job), &mapping, &self.names, query, after).await {
                Ok(page) => return Ok(page),
                Err(error) => mapping = self.without(error, &mapping, "read history", job).await?,
            }
        }
    }

    async fn position(&self, job: &Job) -> Result<Position, SourceError> {
        let mut mapping = self.mapping(job).await?;
        loop {
            match follow::position(self.connections.for_job(job), &mapping).await {
                Ok(position) => return Ok(position),
                Err(error) => mapping = self.without(error, &mapping, "read position", job).await?,
            }
        }
    }

    async fn follow(&self, from: Position, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let mut mapping = self.mapping(job).await?;
        let (mut from, mut notice) = (from, None);
        loop {
            let reader = self.connections.for_job(job);
            if follow::is_anew(reader, &mapping, &from).await.map_err(|e| self.error("follow", &e))? {
                from = follow::beginning();
                notice = Some("was made anew, and is read from its beginning");
            }
            if let Some(notice) = notice.take() {
                let text = format!("{} {notice}", mapping.table.name);
                if sink.send(SourceEvent::Notice(text)).await.is_err() {
                    return Ok(());
                }
            }
            match follow::follow(reader, &mapping, &from, sink).await {
                Ok(follow::End::Closed) => return Ok(()),
                Ok(follow::End::Changed(position)) => from = position,
                Err(error) => mapping = self.without(error, &mapping, "follow", job).await?,
            }
            let next = self.mapping(job).await?;
            if next.relation.columns != mapping.relation.columns {
                notice = Some("has other columns now, and was looked up again");
            }
            mapping = next;
        }
    }

    async fn payload(&self, id: &Id, locator: &Locator, job: &Job) -> Result<Payload, SourceError> {
        let mapping = self.mapping(job).await?;
        let key = locator.as_table_key().map_or_else(|| id.to_string(), |(_, key)| key.to_owned());
        let found = payload::load(self.connections.for_job(job), &mapping, &self.name, &key)
            .await
            .map_err(|e| self.error("load payload", &e))?;
        found.ok_or_else(|| SourceError::not_found(&self.name, format!("row {id}")))
    }

    async fn payloads(&self, of: &[(Id, Locator)], job: &Job) -> Result<Vec<Option<Payload>>, SourceError> {
        let mapping = self.mapping(job).await?;
        let key = |(id, locator): &(Id, Locator)| {
            locator.as_table_key().map_or_else(|| id.to_string(), |(_, key)| key.to_owned())
        };
        let keys: Vec<String> = of.iter().map(key).collect();
        payload::load_all(self.connections.for_job(job), &mapping, &self.name, &keys)
            .await
            .map_err(|e| self.error("load payloads", &e))
    }

    async fn related(&self, key: &RelatedKey, limit: usize, job: &Job) -> Result<Related, SourceError> {
        let mapping = self.mapping(job).await?;
        query::related(self.connections.for_job(job), &mapping, key, limit)
            .await
            .map(Related::from)
            .map_err(|e| self.error("find related", &e))
    }

    async fn diagnose(&self, _now: Timestamp, job: &Job) -> Result<Vec<Diagnosis>, SourceError> {
        let mapping = self.mapping(job).await?;
        diagnose::diagnose(self.connections.for_job(job), &mapping, &self.path)
            .await
            .map_err(|e| self.error("examine", &e))
    }

    async fn table_offers(&self, job: &Job) -> Result<Vec<TableOffer>, SourceError> {
        let reader = self.connections.for_job(job);
        let wrong = |e: sqlx::Error| self.error("list tables", &e);
        let names = mapping::names(reader).await.map_err(wrong)?;
        let found = contact::sketches(reader, &names).await.map_err(wrong)?;
        let offers = found.iter();
        let offers =
            offers.map(|(rows, sample, sketch)| TableOffer::new(&sample.name, u64::try_from(*rows).ok(), sketch));
        Ok(offers.collect())
    }

    async fn draft(&self, table: Option<&str>, job: &Job) -> Result<String, SourceError> {
        let reader = self.connections.for_job(job);
        let wrong = |e: sqlx::Error| self.error("draft a schema", &e);
        let names = mapping::names(reader).await.map_err(wrong)?;
        let wanted: Vec<String> =
            names.iter().filter(|name| table.is_none_or(|table| *name == table)).cloned().collect();
        if let Some((_, sample, sketch)) = contact::sketches(reader, &wanted).await.map_err(wrong)?.first() {
            return Ok(sketch.toml(&sample.name, sample));
        }
        let which = table.map_or_else(|| "no table".to_owned(), |table| format!("no table '{table}'"));
        let cause = format!("{which} with a time; the database has {}", names.join(", "));
        Err(SourceError::of(&self.name, "draft a schema", (ErrorKind::Unsupported, None), &cause))
    }

    async fn plan(&self, query: &PageQuery, job: &Job) -> Result<Cost, SourceError> {
        let mapping = self.mapping(job).await?;
        let indexed = query::finds_by_index(self.connections.for_job(job), &mapping, query);
        Ok(Cost { indexed: indexed.await.map_err(|e| self.error("plan", &e))?, ..Cost::default() })
    }

    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError> {
        let mapping = self.mapping(job).await?;
        let grouped = query::aggregate(self.connections.for_job(job), &mapping, query, grouping);
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
