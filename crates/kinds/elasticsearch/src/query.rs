//! The queries: history in order of start, through a point in time; related documents; the payload of one document.

use super::connection::{Connection, Hit, SearchResponse, TIME_LIMIT, found, in_path};
use super::expression::{all, any, condition};
use super::mapping::{Mapping, ResolvedIndices, SLACK_MS, Type, UNDATED};
use super::{Elasticsearch, Error};
use crosstail_core::filter::{NamedRecord, Predicate};
use crosstail_core::model::{Activity, Id, Names, Payload, RawRecord, Timestamp};
use crosstail_core::number::truncated_i64;
use crosstail_core::schema::Target;
use crosstail_source::{Cursor, Job, Page, PageQuery, Priority, RelatedKey, SharedId, cleanup};
use elasticsearch::http::Method;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// How long a point in time lives after its last use.
const KEEP_ALIVE: &str = "2m";
/// A page of all mappings, merged into one sequence. The next page resumes in the same point in time.
pub(super) async fn page(cluster: &Elasticsearch, query: &PageQuery, after: Option<&Cursor>) -> Result<Page, Error> {
    if let Some(mut readers) = cluster.waiting.take(query, after) {
        match read(cluster, &mut readers, query, after).await {
            // The point in time is gone (it expired, or its node left): open another one and resume from here.
            Err(Error::Answered { status: 404, .. }) => {}
            other => return Ok(finish(cluster, readers, query, other?)),
        }
    }
    let ResolvedIndices { mappings, .. } = cluster.resolve().await?;
    let mut readers = Vec::new();
    for mapping in mappings {
        readers.push(Reader::open(cluster, mapping, query, after).await?);
    }
    let page = read(cluster, &mut readers, query, after).await?;
    Ok(finish(cluster, readers, query, page))
}

async fn read(
    cluster: &Elasticsearch,
    readers: &mut [Reader],
    query: &PageQuery,
    after: Option<&Cursor>,
) -> Result<Page, Error> {
    let mut items = Vec::new();
    let mut open = false;
    let mut in_store = query.filter.clauses().len();
    for reader in readers {
        reader.forget(after);
        reader.fill(&cluster.connection, query.limit).await?;
        items.extend(reader.ready.iter().take(query.limit).cloned());
        open |= reader.ready.len() > query.limit || !reader.ended;
        in_store = in_store.min(reader.clauses);
    }
    Ok(Page::merge_pages(items, open, in_store, query))
}

/// Stores the readers for the next page. Those that are not needed any more are dropped.
fn finish(cluster: &Elasticsearch, readers: Vec<Reader>, query: &PageQuery, page: Page) -> Page {
    if let Some(next) = &page.next {
        drop(cluster.waiting.keep(query, next, readers));
    }
    page
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
        let opening = tokio::spawn(async move {
            let opened = asking.json(Method::Post, &path, None).await?;
            Ok(opened["id"].as_str().map(|id| Self { id: id.to_owned(), connection }))
        });
        opening.await.unwrap_or_else(|error| Err(Error::Unreadable(error.to_string())))
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
    mapping: Mapping,
    names: Names,
    predicate: Predicate,
    /// Number of the filter's clauses that the store evaluates.
    clauses: usize,
    conditions: Vec<Value>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    newest_first: bool,
    chunk: usize,
    /// The longest duration of an activity, where records are parts.
    longest_ms: i64,
    point_in_time: Option<PointInTime>,
    search_after: Option<Vec<Value>>,
    /// Buffered activities: one that precedes them may still be unread.
    held: BTreeMap<(Timestamp, String), (Activity, Option<Payload>)>,
    by_id: HashMap<Id, Timestamp>,
    ready: VecDeque<Activity>,
    ended: bool,
}

impl Reader {
    async fn open(
        cluster: &Elasticsearch,
        mapping: Mapping,
        query: &PageQuery,
        after: Option<&Cursor>,
    ) -> Result<Self, Error> {
        let connection = &cluster.connection;
        let predicate = query.filter.predicate(&query.context);
        let (mut conditions, clauses) = condition(&mapping, &predicate);
        conditions.push(mapping.only.clone());
        // Without a date in any index there is nothing to sort by, so no point in time is opened.
        let point_in_time = if mapping.dated.is_empty() {
            None
        } else {
            let path = in_path(&mapping.dated);
            let open = format!("/{path}/_pit?keep_alive={KEEP_ALIVE}&ignore_unavailable=true");
            PointInTime::open(connection, open).await?
        };
        let parts = mapping.schema.has_phases();
        let longest_ms = if parts { longest_ms(connection, &mapping).await? } else { 0 };
        let ahead = if parts { longest_ms + SLACK_MS } else { 0 };
        let slack = if parts { SLACK_MS } else { 0 };
        let mut range = serde_json::Map::new();
        let mut limit = |name: &str, at: Option<i64>| {
            if let Some(ms) = at {
                range.insert(name.to_owned(), json!(ms));
            }
        };
        let ms = |at: Timestamp| at.0.div_euclid(1000);
        let behind = after.map(|cursor| ms(Timestamp(cursor.time_us)));
        let upper = query.until.map(ms).into_iter().chain(behind.filter(|_| query.newest_first)).min();
        let lower = query.since.map(ms).into_iter().chain(behind.filter(|_| !query.newest_first)).max();
        limit("gte", lower.map(|ms| ms - slack));
        limit("lte", upper.map(|ms| ms + ahead));
        if !range.is_empty() {
            range.insert("format".to_owned(), json!("epoch_millis"));
            conditions.push(json!({ "range": { &mapping.table.time: range } }));
        }
        let mut reader = Self {
            names: cluster.names.clone(),
            clauses,
            conditions,
            since: query.since,
            until: query.until,
            newest_first: query.newest_first,
            chunk: query.limit.clamp(500, 5000),
            longest_ms,
            point_in_time,
            search_after: None,
            held: BTreeMap::new(),
            by_id: HashMap::new(),
            ready: VecDeque::new(),
            ended: false,
            predicate,
            mapping,
        };
        reader.read_undated(connection).await?;
        reader.forget(after);
        Ok(reader)
    }

    fn body(&self, size: usize, conditions: Vec<Value>) -> Value {
        let source =
            if self.predicate.needs_payload() { json!(true) } else { json!({ "includes": self.mapping.includes }) };
        json!({ "size": size, "query": all(conditions), "_source": source, "track_total_hits": false, "timeout": TIME_LIMIT })
    }

    /// Reads the newest documents of indices whose time is not a date: they have no order, so they are read at once and
    /// sorted locally.
    async fn read_undated(&mut self, connection: &Connection) -> Result<(), Error> {
        let undated = self.mapping.fields.undated(&self.mapping.table.time).to_vec();
        if undated.is_empty() {
            return Ok(());
        }
        let of_them = json!({ "terms": { "_index": undated } });
        let mut body = self.body(UNDATED, vec![self.mapping.only.clone(), of_them]);
        body["sort"] = json!([{ "_seq_no": "desc" }]);
        let path = format!("/{}/_search?allow_partial_search_results=false", in_path(&self.mapping.pattern));
        let text = connection.ask(Method::Post, &path, Some(&body)).await?;
        for hit in &found(&text)?.hits.hits {
            self.hold(hit);
        }
        Ok(())
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
    async fn fill(&mut self, connection: &Connection, limit: usize) -> Result<(), Error> {
        while !self.ended && self.ready.len() <= limit {
            let Some(point_in_time) = &self.point_in_time else {
                self.ended = true;
                self.release(None);
                return Ok(());
            };
            let mut body = self.body(self.chunk, self.conditions.clone());
            let order = if self.newest_first { "desc" } else { "asc" };
            // Documents without a time sort before all others.
            let missing = if self.newest_first { "_last" } else { "_first" };
            let by_time =
                json!({ "order": order, "unmapped_type": "date", "missing": missing, "numeric_type": "date" });
            body["pit"] = json!({ "id": point_in_time.id, "keep_alive": KEEP_ALIVE });
            body["sort"] = json!([{ &self.mapping.table.time: by_time }, { "_shard_doc": "asc" }]);
            if let Some(after) = &self.search_after {
                body["search_after"] = json!(after);
            }
            let text = connection.ask(Method::Post, "/_search?allow_partial_search_results=false", Some(&body)).await?;
            let SearchResponse { hits, point_in_time, .. } = found(&text)?;
            if let (Some(id), Some(open)) = (point_in_time, &mut self.point_in_time) {
                open.id = id;
            }
            for hit in &hits.hits {
                self.hold(hit);
            }
            self.ended = hits.hits.len() < self.chunk;
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
            let timed = self.since.is_none_or(|since| activity.started_at >= since)
                && self.until.is_none_or(|until| activity.started_at < until);
            let named = NamedRecord { activity: &activity, names: &self.names, payload: payload.as_ref() };
            if timed && self.predicate.keeps(&named) {
                self.ready.push_back(activity);
            }
        }
    }

    /// Drops the activities up to a cursor, which have been returned.
    fn forget(&mut self, after: Option<&Cursor>) {
        let Some(cursor) = after else { return };
        let comes = |at: Timestamp, id: &str| cursor.is_before(at, id, self.newest_first);
        self.ready.retain(|activity| comes(activity.started_at, &activity.id.to_string()));
        if self.search_after.is_none() {
            self.held.retain(|(at, id), _| comes(*at, id));
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
        format!("/{}/_search?allow_partial_search_results=false&ignore_unavailable=true", in_path(&mapping.pattern));
    let text = connection.ask(Method::Post, &path, Some(&body)).await?;
    let answer = found(&text)?.aggregations;
    let unit = mapping.schema.definition().duration_unit.us();
    let longest = answer.as_object().into_iter().flatten().filter_map(|(_, max)| max["value"].as_f64());
    Ok(truncated_i64(longest.fold(0.0, f64::max).mul_add(unit / 1000.0, 1.0)))
}

/// Activities of all mappings that share a key.
pub(super) async fn related(cluster: &Elasticsearch, key: &RelatedKey, limit: usize) -> Result<Vec<Activity>, Error> {
    let mut activities: Vec<Activity> = Vec::new();
    for mapping in cluster.resolve().await?.mappings {
        let (targets, value): (&[Target], _) = match &key.id {
            SharedId::Correlation(id) => (&[Target::CorrelationId], id),
            SharedId::Request(id) => (&[Target::RequestId, Target::ParentRequestId, Target::Id], id),
        };
        let mut conditions: Vec<Value> =
            targets.iter().flat_map(|t| mapping.paths(*t)).map(|path| equal(&mapping, path, &[value])).collect();
        if let Some((index, id)) =
            value.strip_prefix(&format!("{}/", mapping.source_name)).and_then(|own| own.split_once('/'))
        {
            conditions.push(all(vec![json!({ "term": { "_index": index } }), json!({ "ids": { "values": [id] } })]));
        }
        let mut found = search(cluster, &mapping, any(conditions), limit).await?;
        if mapping.schema.has_phases() {
            // One part of an activity may have the key, and another may not.
            let requests: Vec<String> =
                found.iter().filter_map(|a| a.request_id.as_ref()).map(ToString::to_string).collect();
            let requests: Vec<&String> = requests.iter().collect();
            for path in mapping.paths(Target::RequestId) {
                found.extend(search(cluster, &mapping, equal(&mapping, path, &requests), limit.max(1000)).await?);
            }
        }
        activities.extend(found);
    }
    let mut activities = crosstail_core::model::merge_by_id(activities);
    // A phrase also matches a longer text.
    activities.retain(|activity| key.matches(activity));
    activities.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    activities.truncate(limit);
    Ok(activities)
}

/// A query for one of several texts at a path: as full values where they are indexed, else as phrases.
fn equal(mapping: &Mapping, path: &str, values: &[&String]) -> Value {
    match mapping.fields.keyword(path) {
        Some((name, _)) => json!({ "terms": { &name: values } }),
        None => {
            let phrase = |value: &&String| json!({ "match_phrase": { path: { "query": value } } });
            any(values.iter().map(phrase).chain([json!({ "match_none": {} })]).collect())
        }
    }
}

async fn search(
    cluster: &Elasticsearch,
    mapping: &Mapping,
    condition: Value,
    limit: usize,
) -> Result<Vec<Activity>, Error> {
    let body = json!({
        "size": limit.min(10_000), "query": all(vec![condition, mapping.only.clone()]), "_source": { "includes": mapping.includes },
        "track_total_hits": false, "timeout": TIME_LIMIT,
    });
    let path =
        format!("/{}/_search?allow_partial_search_results=false&ignore_unavailable=true", in_path(&mapping.pattern));
    let text = cluster.connection.ask(Method::Post, &path, Some(&body)).await?;
    Ok(found(&text)?.hits.hits.iter().map(|hit| mapping.read(hit)).collect())
}

/// The payload of a document.
fn payload_of(mapping: &Mapping, hit: &Hit<'_>) -> Payload {
    let text = hit.source.map_or("", RawValue::get);
    let mut payload = mapping.schema.divide(mapping.schema.record(text).unwrap_or_default());
    payload.raw.push(RawRecord::new(hit.index.to_string(), text));
    payload
}

/// The payload of the document with an id; `None` where it no longer exists.
pub(super) async fn payload(cluster: &Elasticsearch, index: &str, id: &str) -> Result<Option<Payload>, Error> {
    let body = json!({ "size": 1, "query": { "ids": { "values": [id] } } });
    let path = format!("/{}/_search?ignore_unavailable=true&allow_no_indices=true", in_path(index));
    let text = cluster.connection.ask(Method::Post, &path, Some(&body)).await?;
    let found = found(&text)?;
    let Some(hit) = found.hits.hits.first() else { return Ok(None) };
    let resolved = cluster.resolve().await?;
    let mapping = resolved.mappings.iter().find(|mapping| mapping.reads(index)).or(resolved.mappings.last());
    Ok(mapping.map(|mapping| payload_of(mapping, hit)))
}
