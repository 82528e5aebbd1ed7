//! Reading from stores. The contract that every kind keeps, and what runs a source.
//!
//! `docs/contract.md` numbers what [`Source`] promises; `tests/all/conformance` holds every kind to it. A kind is a crate
//! that exports one [`Kind`].

#![warn(missing_docs)]

pub mod alert;
pub mod create;
pub mod json;
mod kind;
pub mod pump;
pub mod read_ahead;
pub mod series;
pub mod sql;

pub use kind::{Endpoint, Kind, Kinds, Network, SourceConfig, UnknownSchema, WriteOptions, Writing, claims_none};

use async_trait::async_trait;
use crosstail_core::filter::{Context, Field, Filter, value_text};
use crosstail_core::model::{
    Activity, Catalogue, CatalogueEntry, Diagnosis, Figures, Id, Locator, Names, Payload, Timestamp, Vitals,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What can go wrong with a source; decides whether it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Not reachable.
    Connect,
    /// Not let in.
    Auth,
    /// No answer in time.
    Timeout,
    /// The store refused the query.
    Query,
    /// A record, or a position, could not be read.
    Decode,
    /// This kind of source cannot do that.
    Unsupported,
}

impl ErrorKind {
    /// Whether trying again may help.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Connect | Self::Timeout | Self::Query)
    }
}

/// An error of a source: which, doing what, why, and what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{source_name}: {operation}: {cause}{}", hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default())]
pub struct SourceError {
    /// The source's name.
    pub source_name: String,
    /// What was being done.
    pub operation: &'static str,
    /// What sort of error.
    pub kind: ErrorKind,
    /// What the store or the system said, without secrets.
    pub cause: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl SourceError {
    /// An error of a source.
    pub fn of(
        source_name: &str,
        operation: &'static str,
        (kind, hint): (ErrorKind, Option<&str>),
        cause: &impl std::fmt::Display,
    ) -> Self {
        let (source_name, hint) = (source_name.to_owned(), hint.map(str::to_owned));
        Self { source_name, operation, kind, cause: cause.to_string(), hint }
    }

    /// A record that was there and is not any more.
    pub fn not_found(source_name: &str, what: String) -> Self {
        Self {
            source_name: source_name.to_owned(),
            operation: "load payload",
            kind: ErrorKind::Query,
            cause: format!("no {what}"),
            hint: Some("it was deleted after it was read".to_owned()),
        }
    }
}

/// What a kind of source can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The store tells of changes by itself (else it is polled).
    pub pushes: bool,
    /// Figures can be computed in the store.
    pub aggregates: bool,
}

/// What probing a source found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probe {
    /// Server and version, or the number of files.
    pub server: String,
    /// The schema in use.
    pub schema: String,
    /// How far the store's clock is ahead of ours, in microseconds, where it has one.
    pub clock_ahead_us: Option<i64>,
    /// What is not as it should be, for people: a table that may not be read, a column that is missing.
    pub warnings: Vec<String>,
}

/// Which part of the history to give.
#[derive(Debug, Clone)]
pub struct PageQuery {
    /// What to keep.
    pub filter: Filter,
    /// What its words depend on.
    pub context: Context,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Newest first, else oldest first. Ties are in order of id.
    pub newest_first: bool,
    /// Activities a page.
    pub limit: usize,
}

impl PageQuery {
    /// Everything, newest first.
    pub fn all(limit: usize) -> Self {
        Self {
            filter: Filter::default(),
            context: Context::default(),
            since: None,
            until: None,
            newest_first: true,
            limit,
        }
    }
}

/// Where a page ended: the time and the id of its last activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Microseconds since the epoch.
    pub time_us: i64,
    /// The activity's id.
    pub id: String,
}

impl Cursor {
    /// After this activity.
    pub fn after(activity: &Activity) -> Self {
        Self { time_us: activity.started_at.0, id: activity.id.to_string() }
    }

    /// The time.
    pub fn at(&self) -> Timestamp {
        Timestamp(self.time_us)
    }

    /// Whether an activity of this time and id comes after it.
    pub fn is_before(&self, at: Timestamp, id: &str, newest_first: bool) -> bool {
        let order = (at.0, id).cmp(&(self.time_us, self.id.as_str()));
        if newest_first { order.is_lt() } else { order.is_gt() }
    }
}

/// How a filter was divided between the store and us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PushDown {
    /// Clauses evaluated in the store.
    pub in_store: usize,
    /// Clauses evaluated here.
    pub local: usize,
}

/// Some history.
#[derive(Debug, Clone)]
pub struct Page {
    /// The activities, in the order asked for.
    pub items: Vec<Activity>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
    /// How the filter was divided.
    pub push_down: PushDown,
}

impl Page {
    /// One page of the parts that several tables gave, each in its own order. `open`: a part has more; `in_store`:
    /// clauses that every part's store evaluated.
    pub fn merge_pages(mut items: Vec<Activity>, open: bool, in_store: usize, query: &PageQuery) -> Self {
        items.sort_by_cached_key(|a| (a.started_at, a.id.to_string()));
        if query.newest_first {
            items.reverse();
        }
        let more = items.len() > query.limit || open;
        items.truncate(query.limit);
        let next = items.last().filter(|_| more).map(Cursor::after);
        let here = query.filter.clauses().len() - in_store;
        Self { items, next, push_down: PushDown { in_store, local: here } }
    }
}

/// Where following goes on: opaque, serialisable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position(serde_json::Value);

impl Position {
    /// Makes one of a source's own state.
    pub fn new(state: impl Serialize) -> Self {
        Self(serde_json::to_value(state).unwrap_or_default())
    }

    /// Reads the state back.
    pub fn read<T: for<'de> Deserialize<'de>>(&self) -> Option<T> {
        serde_json::from_value(self.0.clone()).ok()
    }
}

/// What following, or filling back, delivers.
#[derive(Debug)]
pub enum SourceEvent {
    /// Activities, new or changed, and the position after them.
    Batch(Vec<Activity>, Option<Position>),
    /// Something that people should know: lines lost, a file replaced.
    Notice(String),
    /// Everything up to now has been delivered.
    CaughtUp,
    /// The source has ended and will deliver no more (standard input closed).
    Ended,
}

/// Where updates go: bounded, so that reading waits for the reader.
pub type Sink = mpsc::Sender<SourceEvent>;

/// What related activities share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelatedKey {
    /// The same correlation id.
    Correlation(String),
    /// This request, or one whose parent it is.
    Request(String),
}

impl RelatedKey {
    /// The keys that what belongs to an activity shares with it: its request, its trace, its parent.
    pub fn of(activity: &Activity) -> Vec<Self> {
        let mut keys = vec![Self::Request(activity.request_key().to_string())];
        keys.extend(activity.correlation_id.as_ref().map(|id| Self::Correlation(id.to_string())));
        keys.extend(activity.parent_request_id.as_ref().map(|id| Self::Request(id.to_string())));
        keys
    }

    /// Whether an activity has it.
    pub fn matches(&self, activity: &Activity) -> bool {
        match self {
            Self::Correlation(id) => activity.correlation_id.as_deref() == Some(id),
            Self::Request(id) => {
                let own = activity.request_id.as_ref().is_some_and(|request| request.to_string() == *id);
                own || activity.id.to_string() == *id || activity.parent_request_id.as_deref() == Some(id)
            }
        }
    }
}

/// An address of a cluster that names nothing in it, with everything in it named.
pub fn with_wildcard(url: &str) -> String {
    let (head, parameters) =
        url.split_once('?').map_or((url, String::new()), |(head, rest)| (head, format!("?{rest}")));
    let rest = head.split_once("://").map_or(head, |(_, rest)| rest);
    let names_nothing = rest.split_once('/').is_none_or(|(_, path)| path.is_empty());
    if names_nothing { format!("{}/*{parameters}", head.trim_end_matches('/')) } else { url.to_owned() }
}

/// A part of an address, as it was before it was put into one.
pub fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What an error says, and what each of its causes says, the innermost last.
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect()
}

/// How figures are grouped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grouping {
    /// By the values of these fields.
    pub by: Vec<Field>,
    /// And by spans of this many microseconds, on whole multiples since the epoch.
    pub bucket_us: Option<i64>,
}

/// What tells groups apart: a value a field (`None` where it is absent), and the beginning of the span.
pub type GroupKey = (Vec<Option<String>>, Option<Timestamp>);

/// Figures by group, in order of key.
pub type Groups = BTreeMap<GroupKey, Figures>;

impl Grouping {
    /// By one field.
    pub fn by(field: Field) -> Self {
        Self { by: vec![field], bucket_us: None }
    }

    /// The group of an activity.
    pub fn key(&self, activity: &Activity, names: &Names) -> GroupKey {
        let values = self.by.iter().map(|field| value_text(activity, *field, names)).collect();
        let bucket = self.bucket_us.map(|us| Timestamp(activity.started_at.0.div_euclid(us) * us));
        (values, bucket)
    }
}

/// A source of activities.
#[async_trait]
pub trait Source: Send + Sync {
    /// Its kind.
    fn kind(&self) -> &'static Kind;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Reaches it and says what is there.
    async fn probe(&self) -> Result<Probe, SourceError>;

    /// History, by keyset.
    async fn page(&self, query: &PageQuery, after: Option<&Cursor>) -> Result<Page, SourceError>;

    /// The position of now: following from it misses nothing that history read afterwards does not hold.
    async fn position(&self) -> Result<Position, SourceError>;

    /// Delivers what is inserted or changed after a position, until cancelled.
    async fn follow(&self, from: Position, sink: &Sink, cancel: &CancellationToken) -> Result<(), SourceError>;

    /// Delivers the history up to a position, newest first as far as the store gives it so, in batches. By pages, where
    /// the source has nothing better: what is written meanwhile comes twice, here and by following, and the second
    /// replaces the first.
    async fn backfill(
        &self,
        _upto: &Position,
        limit: usize,
        sink: &Sink,
        cancel: &CancellationToken,
    ) -> Result<(), SourceError> {
        backfill_by_pages(self, limit, sink, cancel).await
    }

    /// One record whole.
    async fn payload(&self, id: &Id, locator: &Locator) -> Result<Payload, SourceError>;

    /// Activities that share a key, at most `limit`.
    async fn related(&self, key: &RelatedKey, limit: usize) -> Result<Vec<Activity>, SourceError>;

    /// Figures by group, in the store where it can.
    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping) -> Result<Groups, SourceError>;

    /// What the store holds beside activities: systems, endpoints, webhooks, rules. Empty where it holds none.
    async fn catalogue(&self) -> Result<Catalogue, SourceError> {
        Ok(Catalogue::default())
    }

    /// How the things behind it are and what they measure, now; series from `since` on, where the store keeps them.
    /// Empty where the source tells nothing of the sort.
    async fn vitals(&self, _since: Timestamp) -> Result<Vitals, SourceError> {
        Ok(Vitals::default())
    }

    /// What an experienced colleague would look at in a store of its kind: rights, indexes, retention, how what is new is
    /// noticed. Nothing is written.
    async fn diagnose(&self, _now: Timestamp) -> Result<Vec<Diagnosis>, SourceError> {
        Ok(Vec::new())
    }

    /// The entries that map codes of a system between the two sides. Empty where the store holds none.
    async fn mappings(&self, _system: &str, _codes: &[String]) -> Result<Vec<CatalogueEntry>, SourceError> {
        Ok(Vec::new())
    }
}

/// Runs every page of a query through a function; stops when it says so.
pub async fn for_each(
    source: &dyn Source,
    query: &PageQuery,
    mut take: impl FnMut(Activity) -> bool + Send,
) -> Result<PushDown, SourceError> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = source.page(query, cursor.as_ref()).await?;
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

/// Figures computed here, for stores that cannot, or not for this query.
pub async fn aggregate_locally(
    source: &dyn Source,
    query: &PageQuery,
    grouping: &Grouping,
    names: &Names,
) -> Result<Groups, SourceError> {
    let mut groups = Groups::new();
    for_each(source, &PageQuery { limit: 5000, ..query.clone() }, |activity| {
        groups.entry(grouping.key(&activity, names)).or_default().add(&activity);
        true
    })
    .await?;
    Ok(groups)
}

/// Fills back through pages, newest first: for stores that answer queries.
async fn backfill_by_pages(
    source: &(impl Source + ?Sized),
    limit: usize,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<(), SourceError> {
    // A small page first: the newest rows are on screen while the rest is read.
    let mut query = PageQuery::all(limit.min(500));
    let mut cursor: Option<Cursor> = None;
    let mut left = limit;
    while left > 0 && !cancel.is_cancelled() {
        let page = source.page(&query, cursor.as_ref()).await?;
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
