//! MySQL and MariaDB: the tables that schemas map, read with SELECT alone.

mod address;
mod aggregate;
mod catalogue;
mod connection;
mod create;
mod definitions;
mod diagnose;
mod error;
mod follow;
mod index;
mod key;
mod kind;
mod mapping;
mod one;
mod payload;
mod plan;
mod query;
mod relation;
mod row;
mod server;
mod sql;
mod tables;
mod time;
mod translate;

pub use kind::KIND;

use async_trait::async_trait;
use connection::Connections;
use crosstail_core::model::{
    Catalogue, CatalogueEntry, Clock, Diagnosis, Id, Locator, Names, Payload, SourceId, Timestamp, Vitals, redact_text,
};
use crosstail_core::schema::Schema;
use crosstail_source::sql::Sql;
use crosstail_source::{
    Capabilities, Cost, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, Related,
    RelatedKey, Sink, Source, SourceError, SourceEvent, TableOffer, TableRows, Taken,
};
use error::{Error, classify, is_of_tables};
use mapping::Owner;
use sqlx::Row as _;
use std::sync::{Arc, Mutex, PoisonError};
use tables::Tables;

/// A database.
pub struct MysqlSource {
    name: String,
    id: SourceId,
    names: Names,
    schema: Option<Schema>,
    connections: Connections,
    zone_us: i64,
    /// Looked up once, and again after an error that says that they changed.
    tables: Mutex<Option<Arc<Tables>>>,
    /// What they were, whenever they were looked up.
    read_before: Mutex<Taken>,
}

impl MysqlSource {
    /// Over the database of an address; the schema is recognised by the tables where none is given. No connection is made.
    pub fn new(name: &str, id: SourceId, names: Names, url: &str, schema: Option<Schema>) -> Result<Self, SourceError> {
        let address = address::read(url).map_err(|cause| SourceError {
            source_name: name.to_owned(),
            operation: "open",
            kind: ErrorKind::Unsupported,
            cause: redact_text(&cause).into_owned(),
            hint: Some("write mysql://user@host:3306/database; the password may be in MYSQL_PWD".to_owned()),
        })?;
        let connections = Connections::new(address.options);
        let (name, zone_us) = (name.to_owned(), address.zone_us);
        Ok(Self {
            name,
            id,
            names,
            schema,
            connections,
            zone_us,
            tables: Mutex::default(),
            read_before: Mutex::default(),
        })
    }

    fn error(&self, operation: &'static str, error: impl Into<Error>) -> SourceError {
        let (kind, cause, hint) = match error.into() {
            Error::Mapping(cause) => {
                // What was there may come again: it is looked for.
                let kind = if self.before().is_empty() { ErrorKind::Unsupported } else { ErrorKind::Query };
                (kind, cause, Some("correct the schema file".to_owned()))
            }
            Error::Driver(error) => {
                if is_of_tables(&error) {
                    *self.tables.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
                let (kind, hint) = classify(&error);
                let cause = match &error {
                    sqlx::Error::PoolTimedOut => "no connection within 10 s".to_owned(),
                    sqlx::Error::Database(db) => db.message().to_owned(),
                    sqlx::Error::Io(io) => io.to_string(),
                    other => other.to_string(),
                };
                let place = self.connections.place();
                let cause = if kind == ErrorKind::Connect { format!("{place}: {cause}") } else { cause };
                (kind, redact_text(&cause).into_owned(), hint.map(str::to_owned))
            }
        };
        SourceError { source_name: self.name.clone(), operation, kind, cause, hint }
    }

    fn before(&self) -> Taken {
        self.read_before.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The tables, looked up once.
    async fn tables(&self, job: &Job) -> Result<Arc<Tables>, SourceError> {
        let known = self.tables.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let (owner, before) = (Owner { id: self.id, name: &self.name }, self.before());
        let reader = self.connections.for_job(job);
        let found = tables::look_up(reader, &self.names, self.schema.as_ref(), owner, self.zone_us, &before).await;
        let tables = found.map_err(|e| self.error("read tables", e))?;
        if tables.mappings.is_empty() {
            let there = tables::names(self.connections.for_job(job)).await.map_err(|e| self.error("read tables", e))?;
            let refused = tables.warnings.first().cloned();
            let (cause, hint) = before.gone().unwrap_or_else(|| {
                let cause = format!("no table that a schema knows, and none with a time, among: {there}");
                (cause, "name a schema with --schema, or write one with [table] and [fields]")
            });
            return Err(SourceError {
                source_name: self.name.clone(),
                operation: "map tables",
                // They may be made later: they are looked for again.
                kind: if refused.is_some() { ErrorKind::Auth } else { ErrorKind::Query },
                cause: refused.unwrap_or(cause),
                hint: Some(hint.to_owned()),
            });
        }
        self.read_before.lock().unwrap_or_else(PoisonError::into_inner).add(&tables.names(), tables.first.as_ref());
        let tables = Arc::new(tables);
        *self.tables.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&tables));
        Ok(tables)
    }
}

#[async_trait]
impl Source for MysqlSource {
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
        let connect = |e: sqlx::Error| self.error("connect", e);
        let clock = Clock::system();
        let mut reading = self.connections.for_job(job).read().await.map_err(connect)?;
        let before = clock.now();
        let sql = "SELECT VERSION(), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)), @@global.read_only";
        let rows = reading.fetch(Sql::raw(sql)).await.map_err(connect)?;
        let middle = before.plus_us(clock.now().since_us(before) / 2);
        reading.end().await.map_err(connect)?;
        let row = rows.first().ok_or_else(|| connect(sqlx::Error::RowNotFound))?;
        let version = relation::text(row, 0).map_err(connect)?.unwrap_or_default();
        let theirs: i64 = row.try_get_unchecked(1).map_err(connect)?;
        let read_only = row.try_get_unchecked::<i64, _>(2).map_err(connect)? != 0;
        let server = match version.split_once("-MariaDB") {
            Some((number, _)) => format!("MariaDB {}", number.rsplit('-').next().unwrap_or(number)),
            None => format!("MySQL {}", version.split('-').next().unwrap_or_default()),
        };
        let tables = self.tables(job).await?;
        Ok(Probe {
            server: format!("{server}{}", if read_only { ", read-only" } else { "" }),
            schema: tables.schemas.join(", "),
            clock_ahead_us: Some(theirs - middle.0),
            warnings: tables.warnings.clone(),
            ..Probe::default()
        })
    }

    async fn page(&self, query: &PageQuery, after: Option<&Cursor>, job: &Job) -> Result<Page, SourceError> {
        let tables = self.tables(job).await?;
        let page = query::page(self.connections.for_job(job), &tables.mappings, &self.names, query, after).await;
        page.map_err(|e| self.error("read history", e))
    }

    async fn plan(&self, query: &PageQuery, job: &Job) -> Result<Cost, SourceError> {
        let tables = self.tables(job).await?;
        plan::cost(self.connections.for_job(job), &tables.mappings, query).await.map_err(|e| self.error("plan", e))
    }

    async fn table_offers(&self, job: &Job) -> Result<Vec<TableOffer>, SourceError> {
        let found = tables::offers(self.connections.for_job(job), self.zone_us).await;
        found.map_err(|e| self.error("list tables", e))
    }

    async fn draft(&self, table: Option<&str>, job: &Job) -> Result<String, SourceError> {
        let found = tables::draft(self.connections.for_job(job), table, self.zone_us).await;
        found
            .map_err(|e| self.error("draft a schema", e))?
            .map_err(|cause| SourceError::of(&self.name, "draft a schema", (ErrorKind::Unsupported, None), &cause))
    }

    async fn position(&self, job: &Job) -> Result<Position, SourceError> {
        let tables = self.tables(job).await?;
        follow::position(self.connections.for_job(job), &tables.mappings)
            .await
            .map_err(|e| self.error("read position", e))
    }

    async fn follow(&self, from: Position, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let mut tables = self.tables(job).await?;
        if let Some(missing) = self.before().missing(&tables.names())
            && sink.send(SourceEvent::Notice(missing)).await.is_err()
        {
            return Ok(());
        }
        let (mut from, mut open) = (from, follow::OpenKeys::new());
        loop {
            let end = follow::follow(self.connections.for_job(job), &tables, (&from, &open), sink).await;
            match end.map_err(|e| self.error("follow", e))? {
                follow::End::Closed => return Ok(()),
                follow::End::Changed(position, keys) => (from, open) = (position, keys),
            }
            *self.tables.lock().unwrap_or_else(PoisonError::into_inner) = None;
            let now = self.tables(job).await?;
            let text = Taken::changes(&tables.names(), &now.names());
            let text =
                text.unwrap_or_else(|| "a table has changed or was made anew, and was looked up again".to_owned());
            tables = now;
            from = follow::with_new(from, &tables.mappings);
            if sink.send(SourceEvent::Notice(text)).await.is_err() {
                return Ok(());
            }
        }
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
        diagnose::diagnose(self.connections.for_job(job), &tables.mappings).await.map_err(|e| self.error("diagnose", e))
    }

    async fn catalogue(&self, job: &Job) -> Result<Catalogue, SourceError> {
        let tables = self.tables(job).await?;
        catalogue::load(self.connections.for_job(job), &tables.catalogue)
            .await
            .map_err(|e| self.error("read catalogue", e))
    }

    async fn mappings(&self, system: &str, codes: &[String], job: &Job) -> Result<Vec<CatalogueEntry>, SourceError> {
        let tables = self.tables(job).await?;
        let found = catalogue::mappings(self.connections.for_job(job), &tables.catalogue, system, codes).await;
        found.map_err(|e| self.error("read mappings", e))
    }
}
