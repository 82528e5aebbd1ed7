//! Readers: the documents of one mapping and one class of indices in order of time, through a point in time, in pages
//! that are as large as the cluster and the memory bear.

use super::clauses::{all, in_time};
use super::connection::{Connection, Hit, SearchResponse, TIME_LIMIT, found, in_path};
use super::expression::condition;
use super::fields::Type;
use super::mapping::{Class, Mapping, SLACK_MS, UNDATED};
use super::payload::payload_of;
use super::{Elasticsearch, Error};
use crosstail_core::filter::{NamedRecord, Predicate};
use crosstail_core::model::{Activity, Id, Names, Payload, Timestamp};
use crosstail_core::number::truncated_i64;
use crosstail_core::schema::Target;
use crosstail_record::write::cluster::Method;
use crosstail_source::read_ahead::weight;
use crosstail_source::{Cursor, Job, PageQuery, Priority, caught, cleanup};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long a point in time lives after its last use.
const KEEP_ALIVE: &str = "2m";
/// What is read of an answer.
const ANSWERED: &str = "filter_path=pit_id,timed_out,_shards.total,hits.total,hits.hits._index,hits.hits._id,\
                        hits.hits._source,hits.hits.fields,hits.hits.sort,hits.hits._seq_no,hits.hits._primary_term";
/// What an answer should weigh at most, in bytes, and what may wait to be returned.
const ANSWER_BYTES: usize = 6 << 20;
const READY_BYTES: usize = 12 << 20;
/// Documents in the first answer, when nothing is known of them, and at most in later ones. Each may have so many times
/// as many as the one before.
const FIRST: usize = 25;
const MOST: usize = 5000;
const GROWTH: usize = 16;
/// Retries of a request for a single document that is too large for now: other requests need the memory, too.
const PATIENCE: u32 = 6;

/// How many documents are asked for at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) size: usize,
    most: usize,
    refused: u32,
}

impl Pace {
    pub(super) fn new(most: usize) -> Self {
        let most = most.clamp(1, MOST);
        Self { size: most.min(FIRST), most, refused: 0 }
    }

    /// Learns from an answer what a document weighs.
    pub(super) fn answered(&mut self, documents: usize, bytes: usize) {
        self.refused = 0;
        let each = (bytes / documents.max(1)).max(1);
        // A few small documents say little of those to come.
        self.size = (ANSWER_BYTES / each).clamp(1, self.most).min((documents * GROWTH).max(FIRST));
    }

    /// Asks for less after a refusal; the error where it was for one document and waiting did not help.
    pub(super) async fn refused(&mut self, error: Error) -> Result<(), Error> {
        if !error.is_too_large() || self.refused >= PATIENCE {
            return Err(error);
        }
        if self.size == 1 {
            self.refused += 1;
            tokio::time::sleep(Duration::from_millis(100) * 2u32.pow(self.refused)).await;
        }
        self.size = (self.size / 4).max(1);
        self.most = self.most.min(self.size * 8);
        Ok(())
    }
}

/// An open point in time, closed when it is dropped.
struct PointInTime {
    id: String,
    connection: Connection,
}

impl PointInTime {
    /// Opens one. The request is a task of its own: if nobody waits for it any more, what it opened is closed again.
    async fn open(connection: &Connection, path: String) -> Result<Option<Self>, Error> {
        let asking = connection.clone();
        // It belongs to no job, so that it is closed after its job was cancelled.
        let connection = connection.for_job(&Job::new("close a point in time", Priority::Background));
        let opening = tokio::spawn(caught(async move {
            let opened = asking.json(Method::Post, &path, None).await?;
            Ok(opened["id"].as_str().map(|id| Self { id: id.to_owned(), connection }))
        }));
        let opened = opening.await.unwrap_or_else(|error| Err(error.to_string()));
        opened.unwrap_or_else(|why| Err(Error::Unreadable(why)))
    }
}

impl Drop for PointInTime {
    fn drop(&mut self) {
        let (id, connection) = (std::mem::take(&mut self.id), self.connection.clone());
        // It expires by itself where this request does not arrive.
        cleanup::spawn(async move {
            let _ = connection.ask(Method::Delete, "/_pit", Some(&json!({ "id": id }))).await;
        });
    }
}

/// Reads the documents of one mapping in order of time, and returns activities in order of their start. The two orders
/// differ only for schemas whose records are parts: an activity starts at or before the time of each of its parts, so
/// activities that start after the last document read are complete.
pub(super) struct Reader {
    mapping: Arc<Mapping>,
    class: Class,
    names: Names,
    predicate: Predicate,
    /// Number of the filter's clauses that the store evaluates.
    pub(super) clauses: usize,
    conditions: Vec<Value>,
    /// The query without its filter.
    range: PageQuery,
    newest_first: bool,
    pace: Pace,
    /// The longest duration of an activity, where records are parts.
    longest_ms: i64,
    point_in_time: Option<PointInTime>,
    search_after: Option<Vec<Value>>,
    /// Buffered activities: one that precedes them may still be unread.
    held: BTreeMap<(Timestamp, String), (Activity, Option<Payload>)>,
    by_id: HashMap<Id, Timestamp>,
    pub(super) ready: VecDeque<Activity>,
    pub(super) ended: bool,
    /// What has been returned ends here. The store compares milliseconds, so it may send what is before it once more.
    after: Option<Cursor>,
}

impl Reader {
    pub(super) async fn open(
        cluster: &Elasticsearch,
        mapping: Arc<Mapping>,
        class: Class,
        query: &PageQuery,
        after: Option<&Cursor>,
    ) -> Result<Self, Error> {
        let connection = &cluster.connection;
        let predicate = query.filter.predicate(&query.context);
        let (mut conditions, clauses) = condition(&mapping, &predicate);
        conditions.push(mapping.only.clone());
        // Without a date in any index there is nothing to sort by, so no point in time is opened.
        let indices = match class {
            Class::Dated => mapping.dated.clone(),
            Class::Bare => mapping.bare.join(","),
            Class::Undated => String::new(),
        };
        let point_in_time = if indices.is_empty() {
            None
        } else {
            let path = in_path(&indices);
            let open = format!("/{path}/_pit?keep_alive={KEEP_ALIVE}&ignore_unavailable=true");
            PointInTime::open(connection, open).await?
        };
        let parts = mapping.schema.has_phases();
        let longest_ms = if parts { longest_ms(connection, &mapping).await? } else { 0 };
        let ahead = if parts { longest_ms + SLACK_MS } else { 0 };
        let slack = if parts { SLACK_MS } else { 0 };
        let ms = |at: Timestamp| at.0.div_euclid(1000);
        let behind = after.map(|cursor| ms(Timestamp(cursor.time_us)));
        let upper = query.until.map(ms).into_iter().chain(behind.filter(|_| query.newest_first)).min();
        let lower = query.since.map(ms).into_iter().chain(behind.filter(|_| !query.newest_first)).max();
        let lower = lower.map(|ms| ("gte", ms - slack));
        let upper = upper.map(|ms| ("lte", ms + ahead));
        let undated = lower.is_none_or(|(_, ms)| ms <= 0) && upper.is_none_or(|(_, ms)| ms >= 0);
        let bounds: Vec<_> = lower.into_iter().chain(upper).collect();
        conditions.extend(in_time(&mapping.table.time, &bounds, undated));
        let mut reader = Self {
            names: cluster.names.clone(),
            clauses,
            conditions,
            range: PageQuery { since: query.since, until: query.until, ..PageQuery::all(query.limit) },
            newest_first: query.newest_first,
            pace: Pace::new(query.limit.max(500)),
            longest_ms,
            point_in_time,
            search_after: None,
            held: BTreeMap::new(),
            by_id: HashMap::new(),
            ready: VecDeque::new(),
            ended: false,
            after: None,
            predicate,
            mapping,
            class,
        };
        if class == Class::Undated {
            reader.read_undated(connection).await?;
        }
        Ok(reader)
    }

    fn body(&self, conditions: Vec<Value>) -> Value {
        let mut body = self.mapping.asked(self.class, self.predicate.needs_payload());
        body["size"] = json!(self.pace.size);
        body["query"] = all(conditions);
        body["track_total_hits"] = json!(false);
        body["timeout"] = json!(TIME_LIMIT);
        body
    }

    /// Reads the newest documents of indices that cannot be sorted by time: they have no order, so they are read at once
    /// and sorted locally.
    async fn read_undated(&mut self, connection: &Connection) -> Result<(), Error> {
        let of_them = json!({ "terms": { "_index": self.mapping.undated } });
        let path = format!("/{}/_search?allow_partial_search_results=false&{ANSWERED}", self.undated_path());
        let (mut left, mut after) = (UNDATED, None);
        while left > 0 {
            let mut body = self.body(vec![self.mapping.only.clone(), of_them.clone()]);
            // Several shards may use one number.
            body["sort"] = json!([{ "_seq_no": "desc" }, { "_index": "asc" }]);
            if let Some(after) = &after {
                body["search_after"] = json!(after);
            }
            let text = match connection.ask(Method::Post, &path, Some(&body)).await {
                Ok(text) => text,
                Err(error) => {
                    self.pace.refused(error).await?;
                    continue;
                }
            };
            let hits = found(&text)?.hits.hits;
            for hit in &hits {
                self.hold(hit);
            }
            let Some(last) = hits.last().filter(|_| hits.len() >= self.pace.size) else { break };
            after = Some(last.sort.clone());
            left = left.saturating_sub(hits.len());
            self.pace.answered(hits.len(), text.len());
        }
        Ok(())
    }

    fn undated_path(&self) -> String {
        let list = self.mapping.undated.join(",");
        in_path(if list.len() < 2500 { &list } else { &self.mapping.stored })
    }

    /// Buffers the activity of a document until its place in the order is known.
    fn hold(&mut self, hit: &Hit<'_>) {
        let mut activity = self.mapping.read(hit);
        let mut payload = self.predicate.needs_payload().then(|| payload_of(&self.mapping, hit));
        if self.mapping.schema.has_phases()
            && let Some(at) = self.by_id.remove(&activity.id)
            && let Some((known, part)) = self.held.remove(&(at, activity.id.to_string()))
        {
            activity.merge(known);
            if let (Some(payload), Some(part)) = (&mut payload, part) {
                payload.merge(part);
            }
        }
        let key = (activity.started_at, activity.id.to_string());
        if self.mapping.schema.has_phases() {
            self.by_id.insert(activity.id.clone(), activity.started_at);
        }
        self.held.insert(key, (activity, payload));
    }

    /// Reads until more activities than asked for are ready, or no documents are left.
    pub(super) async fn fill(&mut self, connection: &Connection, limit: usize) -> Result<(), Error> {
        while !self.ended && self.ready.len() <= limit && (self.ready.is_empty() || self.ready_bytes() < READY_BYTES) {
            let Some(point_in_time) = &self.point_in_time else {
                self.ended = true;
                self.release(None);
                return Ok(());
            };
            let mut body = self.body(self.conditions.clone());
            let order = if self.newest_first { "desc" } else { "asc" };
            // Documents without a time sort before all others.
            let missing = if self.newest_first { "_last" } else { "_first" };
            let by_time = json!({ "order": order, "unmapped_type": "date", "missing": missing, "numeric_type": "date", "mode": "max" });
            body["pit"] = json!({ "id": point_in_time.id, "keep_alive": KEEP_ALIVE });
            body["sort"] = json!([{ &self.mapping.table.time: by_time }, { "_shard_doc": "asc" }]);
            if let Some(after) = &self.search_after {
                body["search_after"] = json!(after);
            }
            let path = format!("/_search?allow_partial_search_results=false&{ANSWERED}");
            let text = match connection.ask(Method::Post, &path, Some(&body)).await {
                Ok(text) => text,
                Err(error) => {
                    self.pace.refused(error).await?;
                    continue;
                }
            };
            let SearchResponse { hits, point_in_time, .. } = found(&text)?;
            if let (Some(id), Some(open)) = (point_in_time, &mut self.point_in_time) {
                open.id = id;
            }
            for hit in &hits.hits {
                self.hold(hit);
            }
            self.ended = hits.hits.len() < self.pace.size;
            self.pace.answered(hits.hits.len(), text.len());
            let last = hits.hits.last().map(|hit| hit.sort.clone());
            let at = last
                .as_ref()
                .and_then(|sort| sort.first()?.as_i64())
                .filter(|ms| ms.unsigned_abs() < i64::MAX as u64 / 1000);
            // All documents without a time have the same place: they stay buffered until no more can come.
            let edge = if self.ended { None } else { Some(at.unwrap_or(0)) };
            self.search_after = last.or(self.search_after.take());
            self.release(edge);
        }
        Ok(())
    }

    /// About what the activities that wait take, in bytes.
    fn ready_bytes(&self) -> usize {
        self.ready.iter().map(weight).sum()
    }

    /// About what it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.ready_bytes() + self.held.values().map(|(activity, _)| weight(activity)).sum::<usize>()
    }

    /// Releases the activities that no unread one can precede; all of them where no unread document has a time.
    fn release(&mut self, edge_ms: Option<i64>) {
        let parts = self.mapping.schema.has_phases();
        while let Some((_, (activity, _))) =
            if self.newest_first { self.held.last_key_value() } else { self.held.first_key_value() }
        {
            let start_ms = activity.started_at.0.div_euclid(1000);
            let settled = edge_ms.is_none_or(|edge| match (self.newest_first, parts) {
                (true, true) if !activity.exact_start => start_ms - SLACK_MS > edge,
                (true, _) => start_ms > edge,
                (false, true) => start_ms < edge - self.longest_ms - SLACK_MS,
                (false, false) => start_ms < edge,
            });
            if !settled {
                return;
            }
            let popped = if self.newest_first { self.held.pop_last() } else { self.held.pop_first() };
            let Some((_, (activity, payload))) = popped else { return };
            self.by_id.remove(&activity.id);
            let comes = self.comes(&activity) && self.range.includes(activity.started_at);
            let named = NamedRecord { activity: &activity, names: &self.names, payload: payload.as_ref() };
            if comes && self.predicate.keeps(&named) {
                self.ready.push_back(activity);
            }
        }
    }

    /// Whether an activity has not been returned.
    fn comes(&self, activity: &Activity) -> bool {
        let is_after =
            |after: &Cursor| after.is_before(activity.started_at, &activity.id.to_string(), self.newest_first);
        self.after.as_ref().is_none_or(is_after)
    }

    /// Drops the activities up to a cursor, which have been returned.
    pub(super) fn forget(&mut self, after: Option<&Cursor>) {
        if let Some(after) = after {
            self.after = Some(after.clone());
            let mut ready = std::mem::take(&mut self.ready);
            ready.retain(|activity| self.comes(activity));
            self.ready = ready;
        }
    }
}

/// The longest duration recorded, in milliseconds.
async fn longest_ms(connection: &Connection, mapping: &Mapping) -> Result<i64, Error> {
    let numbers = |path: &&str| mapping.fields.get(path).is_some_and(|f| matches!(f.kind, Type::Whole | Type::Double));
    let paths: Vec<&str> = mapping.paths(Target::Duration).into_iter().filter(numbers).collect();
    let longest: serde_json::Map<String, Value> =
        paths.iter().enumerate().map(|(i, path)| (i.to_string(), json!({ "max": { "field": path } }))).collect();
    if longest.is_empty() {
        return Ok(0);
    }
    let body = json!({ "size": 0, "track_total_hits": false, "aggs": longest, "timeout": TIME_LIMIT });
    let path =
        format!("/{}/_search?allow_partial_search_results=false&ignore_unavailable=true", in_path(&mapping.stored));
    let text = connection.ask(Method::Post, &path, Some(&body)).await?;
    let answer = found(&text)?.aggregations;
    let unit = mapping.schema.definition().duration_unit.us();
    let longest = answer.as_object().into_iter().flatten().filter_map(|(_, max)| max["value"].as_f64());
    Ok(truncated_i64(longest.fold(0.0, f64::max).mul_add(unit / 1000.0, 1.0)))
}
