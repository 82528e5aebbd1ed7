//! The contract that every kind of source keeps.

use crate::error::{ErrorKind, SourceError};
use crate::event::SourceEvent;
use crate::grouping::{Grouping, Groups};
use crate::job::Job;
use crate::offer::TableOffer;
use crate::page::{Cost, Cursor, Page, PageQuery, PushDown};
use crate::position::Position;
use crate::probe::{Capabilities, Probe};
use crate::related::{Related, RelatedKey};
use crate::sink::Sink;
use async_trait::async_trait;
use crosstail_core::model::{
    Activity, Catalogue, CatalogueEntry, Diagnosis, Id, Locator, Names, Payload, Timestamp, Vitals,
};
use tokio::sync::mpsc;

/// Where activities go that a source passes on.
pub type Batches = mpsc::Sender<Vec<Activity>>;

/// A source of activities: one configured store, read and followed, never written to.
///
/// `docs/contract.md` numbers what each method guarantees. Dropping the future of a call ends its work in the store, and
/// whatever blocks a thread asks its [`Job`] between two reads; [`crate::Obedient`] does the rest. Every error names the source and the operation
/// ([`SourceError`]). `Connect`, `Timeout` and `Query` may pass when the call is repeated; the other kinds do not.
#[async_trait]
pub trait Source: Send + Sync {
    /// Its optional features; they do not change while it is open.
    fn capabilities(&self) -> Capabilities;

    /// Connects, recognises the schema and describes both. What works only in part is a warning in the [`Probe`], not
    /// an error.
    async fn probe(&self, job: &Job) -> Result<Probe, SourceError>;

    /// How many bytes came that whoever follows has not got yet. A store keeps them; what is sent is lost with the source.
    fn waiting(&self) -> u64 {
        0
    }

    /// Waits until a source that comes to an end has done so, for a command that prints once. Stores have nothing to wait
    /// for.
    async fn settled(&self, _job: &Job) -> Result<(), SourceError> {
        Ok(())
    }

    /// A page of history: at most `query.limit` activities after `after`, in order of start and id. From the first page
    /// to the last, every record that the filter keeps appears once.
    async fn page(&self, query: &PageQuery, after: Option<&Cursor>, job: &Job) -> Result<Page, SourceError>;

    /// Passes everything on that matches a query, in batches, in the order that costs the store least; by default page by page.
    /// Ends early, without an error, where nobody takes any more.
    async fn scan(&self, query: &PageQuery, to: &Batches, job: &Job) -> Result<(), SourceError> {
        scan_by_pages(self, query, to, job).await
    }

    /// What answering a query would take. Fast, in the worst case wrong; by default nothing is known.
    async fn plan(&self, _query: &PageQuery, _job: &Job) -> Result<Cost, SourceError> {
        Ok(Cost::default())
    }

    /// The present position. History read afterwards, and following from this position, together miss nothing.
    async fn position(&self, job: &Job) -> Result<Position, SourceError>;

    /// Delivers what is inserted or changed after a position, until it is cancelled.
    async fn follow(&self, from: Position, sink: &Sink, job: &Job) -> Result<(), SourceError>;

    /// Delivers the history up to a position in batches, newest first as far as the store can. By default it reads
    /// pages: what is written in the meantime arrives twice, from here and from following, and the second replaces the
    /// first.
    async fn backfill(&self, _upto: &Position, limit: usize, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        backfill_by_pages(self, limit, sink, job).await
    }

    /// The payload of one record: headers, bodies, error, metadata and the raw record. A deleted record is an error
    /// with a hint.
    async fn payload(&self, id: &Id, locator: &Locator, job: &Job) -> Result<Payload, SourceError>;

    /// The payloads of several records at once, in their order, each as [`Source::payload`] gives it. `None` of what has to be asked
    /// for by itself: by default of all.
    async fn payloads(&self, of: &[(Id, Locator)], _job: &Job) -> Result<Vec<Option<Payload>>, SourceError> {
        Ok(vec![None; of.len()])
    }

    /// At most `limit` activities that share a key.
    async fn related(&self, key: &RelatedKey, limit: usize, job: &Job) -> Result<Related, SourceError>;

    /// Figures by group, computed by the store where it can.
    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError>;

    /// What the store holds in addition to activities: systems, endpoints, webhooks, rules. Empty by default.
    async fn catalogue(&self, _job: &Job) -> Result<Catalogue, SourceError> {
        Ok(Catalogue::default())
    }

    /// Present health and metrics, with series from `since` where the store has them. Empty by default.
    async fn vitals(&self, _since: Timestamp, _job: &Job) -> Result<Vitals, SourceError> {
        Ok(Vitals::default())
    }

    /// Diagnoses for `doctor`, as an experienced colleague would make them for the kind of store: privileges, indexes,
    /// retention, how changes are noticed. Does not write.
    async fn diagnose(&self, _now: Timestamp, _job: &Job) -> Result<Vec<Diagnosis>, SourceError> {
        Ok(Vec::new())
    }

    /// A schema for a table, or for the one that is most likely an activity, as TOML to be edited: see
    /// [`crosstail_core::schema::TableSample::sketch`].
    async fn draft(&self, _table: Option<&str>, _job: &Job) -> Result<String, SourceError> {
        let cause = "a schema is drafted from tables, collections and files";
        let hint = "indices and topics are read by names: crosstail schema show json > my.toml, then --schema my.toml";
        Err(SourceError::of("", "draft a schema", (ErrorKind::Unsupported, Some(hint)), &cause))
    }

    /// The tables that may be read as activities, the likeliest first; empty where a store has no tables.
    async fn table_offers(&self, _job: &Job) -> Result<Vec<TableOffer>, SourceError> {
        Ok(Vec::new())
    }

    /// The catalogue entries that map codes of a system to internal ones, in either direction. Empty by default.
    async fn mappings(&self, _system: &str, _codes: &[String], _job: &Job) -> Result<Vec<CatalogueEntry>, SourceError> {
        Ok(Vec::new())
    }
}

/// Passes all pages of a query to a function, until the function stops it.
pub async fn for_each(
    source: &dyn Source,
    query: &PageQuery,
    job: &Job,
    mut take: impl FnMut(Activity) -> bool + Send,
) -> Result<PushDown, SourceError> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = source.page(query, cursor.as_ref(), job).await?;
        for item in page.items {
            if !take(item) {
                return Ok(page.push_down);
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(page.push_down),
        }
    }
}

/// Passes all pages of a query on, until nobody takes any more.
pub(crate) async fn scan_by_pages(
    source: &(impl Source + ?Sized),
    query: &PageQuery,
    to: &Batches,
    job: &Job,
) -> Result<(), SourceError> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = source.page(query, cursor.as_ref(), job).await?;
        if to.send(page.items).await.is_err() || page.next.is_none() {
            return Ok(());
        }
        cursor = page.next;
    }
}

/// Passes everything that matches a query to a function, in any order.
pub async fn for_all(
    source: &dyn Source,
    query: &PageQuery,
    job: &Job,
    mut take: impl FnMut(Activity) + Send,
) -> Result<(), SourceError> {
    let (to, mut batches) = mpsc::channel(1);
    let read = async move { source.scan(query, &to, job).await };
    let taken = async {
        while let Some(batch) = batches.recv().await {
            batch.into_iter().for_each(&mut take);
        }
    };
    tokio::join!(read, taken).0
}

/// Computes figures locally, for a store that cannot compute them, or not for this query; an error where that is not wanted.
pub async fn aggregate_locally(
    source: &dyn Source,
    query: &PageQuery,
    grouping: &Grouping,
    names: &Names,
    job: &Job,
) -> Result<Groups, SourceError> {
    if grouping.in_store {
        let cause = "the store cannot count this by itself";
        return Err(SourceError::of("", "aggregate", (ErrorKind::Unsupported, None), &cause));
    }
    let mut groups = Groups::new();
    for_all(source, &PageQuery { limit: 5000, ..query.clone() }, job, |activity| {
        groups.entry(grouping.key(&activity, names)).or_default().add(&activity);
    })
    .await?;
    Ok(groups)
}

/// Backfills by pages, newest first.
async fn backfill_by_pages(
    source: &(impl Source + ?Sized),
    limit: usize,
    sink: &Sink,
    job: &Job,
) -> Result<(), SourceError> {
    // A small page first, so that the newest rows are on screen while the rest is read.
    let mut query = PageQuery::all(limit.min(500));
    let mut cursor: Option<Cursor> = None;
    let mut left = limit;
    while left > 0 && !job.is_cancelled() {
        let page = source.page(&query, cursor.as_ref(), job).await?;
        left = left.saturating_sub(page.items.len());
        if sink.send(SourceEvent::Batch(page.items, None)).await.is_err() {
            return Ok(());
        }
        let Some(next) = page.next else { return Ok(()) };
        cursor = Some(next);
        query.limit = left.min(5000);
    }
    Ok(())
}
