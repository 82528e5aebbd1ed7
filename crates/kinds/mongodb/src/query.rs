//! The queries: pages in order of time, on the index on the start time; related documents; the payload of one document.

use super::expression::{Translator, bounds};
use super::indexed;
use super::mapping::{Mapping, any_of, parse_key, plain, values};
use super::misfits;
use super::operators::date;
use super::plan::look_for_lists;
use super::{Asking, Error};
use bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};
use crosstail_core::filter::{Comparator, Field, NamedRecord, Operand, Predicate};
use crosstail_core::model::{Activity, Names, Payload, RawRecord, Timestamp};
use crosstail_core::schema::Target;
use crosstail_source::{Cursor, Page, PageQuery, Part, RelatedKey, SharedId};
use mongodb::Collection;
use std::time::Duration;

/// The server cancels an operation that takes longer.
pub(super) const TIME_LIMIT: Duration = Duration::from_mins(1);

/// What is read at once, and for one page, in bytes of documents.
const ANSWER_BYTES: usize = 6 << 20;
pub(super) const PAGE_BYTES: usize = 12 << 20;

/// The options of a `find`.
pub(super) struct Find {
    pub(super) filter: Document,
    pub(super) sort: Option<Document>,
    pub(super) limit: Option<usize>,
    /// Whether to read every field, not only the mapped ones.
    pub(super) whole: bool,
}

pub(super) fn collection(database: Asking<'_>, mapping: &Mapping) -> Collection<RawDocumentBuf> {
    database.handle.collection(&mapping.table.name)
}

pub(super) async fn find(database: Asking<'_>, mapping: &Mapping, find: Find) -> Result<Vec<RawDocumentBuf>, Error> {
    let mut found = Vec::new();
    each(database, mapping, find, |document| {
        found.push(document.to_owned());
        true
    })
    .await?;
    Ok(found)
}

/// Passes what a `find` finds to a function, until the function stops it.
pub(super) async fn each(
    database: Asking<'_>,
    mapping: &Mapping,
    find: Find,
    mut take: impl FnMut(&RawDocument) -> bool,
) -> Result<(), Error> {
    let collection = collection(database, mapping);
    database.job.runs(&format!("find {}", mapping.table.name));
    let mut action = collection.find(find.filter).max_time(TIME_LIMIT).comment(Bson::String(database.comment()));
    if !find.whole {
        action = action.projection(mapping.projection.clone());
    }
    if let Some(sort) = find.sort {
        // Where no index has the order, the server sorts on its disk.
        action = action.sort(sort).allow_disk_use(true);
    }
    if let Some(limit) = find.limit {
        action = action.limit(i64::try_from(limit).unwrap_or(i64::MAX));
        action = action.batch_size(u32::try_from(limit).unwrap_or(u32::MAX).clamp(1, 5000));
    }
    let mut cursor = action.await?;
    while cursor.advance().await? {
        let document = cursor.current();
        database.job.count(1, document.as_bytes().len());
        if !take(document) {
            break;
        }
    }
    Ok(())
}

/// The filter of a page, as each document is tested.
pub(super) struct PageFilter<'a> {
    pub(super) mapping: &'a Mapping,
    names: &'a Names,
    predicate: &'a Predicate,
    conditions: Vec<Document>,
    /// The bounds of the filter's own clauses on the time, where that is a date.
    bounds: Vec<Document>,
    /// Number of clauses that the server evaluates.
    clauses: usize,
    pub(super) whole: bool,
}

impl<'a> PageFilter<'a> {
    pub(super) fn new(mapping: &'a Mapping, names: &'a Names, predicate: &'a Predicate) -> Self {
        let mut translator = Translator::new(mapping);
        let condition = translator.condition(predicate);
        // What indexes answer, and then what is exact.
        let mut conditions = indexed::conditions(mapping, predicate);
        if condition.clauses > 0 {
            conditions.push(doc! { "$expr": { "$or": [condition.expression, translator.has_unexpected_types()] } });
        }
        let (bounds, whole) = (bounds(mapping, predicate), predicate.needs_payload());
        Self { mapping, names, predicate, conditions, bounds, clauses: condition.clauses, whole }
    }

    /// Whether only a range of time is asked for.
    pub(super) fn is_range(&self) -> bool {
        let is_time = |clause: &Predicate| {
            matches!(clause, Predicate::Compare(Comparator { target: Operand::Field(Field::Time), negated: false, .. }))
        };
        match self.predicate {
            Predicate::All => true,
            Predicate::And(parts) => parts.iter().all(is_time),
            other => is_time(other),
        }
    }

    /// The filter for the documents of a query whose time is a date.
    pub(super) fn range(&self, query: &PageQuery) -> Document {
        let mut range = self.mapping.one_date();
        range.extend(query.since.map(|at| doc! { "$gte": date(at) }).unwrap_or_default());
        range.extend(query.until.map(|at| doc! { "$lt": date(at) }).unwrap_or_default());
        self.dated(range)
    }

    pub(super) fn filter(&self, more: Document) -> Document {
        let mut all = vec![more];
        all.extend(self.conditions.iter().cloned());
        doc! { "$and": all }
    }

    /// The same for documents whose time is a date.
    fn dated(&self, range: Document) -> Document {
        let mut all = vec![doc! { self.mapping.table.time.as_str(): range }];
        all.extend(self.bounds.iter().chain(&self.conditions).cloned());
        doc! { "$and": all }
    }

    /// The activity of a document, and whether the filter keeps it.
    pub(super) fn read(&self, document: &RawDocument) -> (Activity, bool) {
        let activity = self.mapping.read(document);
        let payload = self.whole.then(|| payload_of(self.mapping, document));
        let kept =
            self.predicate.keeps(&NamedRecord { activity: &activity, names: self.names, payload: payload.as_ref() });
        (activity, kept)
    }
}

/// A page of all collections, merged into one sequence.
pub(super) async fn page(
    database: Asking<'_>,
    names: &Names,
    query: &PageQuery,
    after: Option<&Cursor>,
) -> Result<Page, Error> {
    let predicate = query.filter.predicate(&query.context);
    let mut parts = Vec::new();
    let mut in_store = query.filter.clauses().len();
    for mapping in &database.mappings {
        if after.is_none() {
            look_for_lists(database, mapping).await;
        }
        let asked = PageFilter::new(mapping, names, &predicate);
        in_store = in_store.min(asked.clauses);
        parts.push(part(page_of(database, &asked, query, after).await?));
        for stream in [misfits::Stream::Texts, misfits::Stream::Others] {
            parts.push(part(misfits::page(database, &asked, query, after, stream).await?));
        }
    }
    Ok(Page::merge_parts(parts, in_store, query))
}

/// What a stream of documents adds to a page: some in order, and whether there are no more.
fn part((items, ended): (Vec<Activity>, bool)) -> Part {
    let last = items.last().filter(|_| !ended);
    Part { reached: last.map(|activity| (activity.started_at, activity.id.to_string())), items, ended }
}

/// A page of one collection. Pages use the index on the start time alone, in which the documents of one millisecond
/// have no order: so these are read together and sorted locally.
async fn page_of(
    database: Asking<'_>,
    asked: &PageFilter<'_>,
    query: &PageQuery,
    after: Option<&Cursor>,
) -> Result<(Vec<Activity>, bool), Error> {
    let mapping = asked.mapping;
    let time = mapping.table.time.as_str();
    let (direction, beyond) = if query.newest_first { (-1, "$lt") } else { (1, "$gt") };
    // Documents whose time has another type, or is one of several, are read by `misfits`.
    let mut range = mapping.one_date();
    range.extend(query.since.map(|at| doc! { "$gte": date(at) }).unwrap_or_default());
    range.extend(query.until.map(|at| doc! { "$lt": date(at) }).unwrap_or_default());
    let chunk = query.limit.clamp(500, 5000);
    let mut items: Vec<Activity> = Vec::new();
    let mut at = after.map(|cursor| Timestamp(cursor.time_us));
    let mut behind = after.map(|cursor| cursor.id.clone());
    let mut bytes = 0;
    loop {
        // Dates are whole milliseconds: at another moment, there is none.
        if let Some(instant) = at.filter(|at| at.0 % 1000 == 0) {
            let mut same = range.clone();
            same.insert("$eq", date(instant));
            let find_all = Find { filter: asked.dated(same), sort: None, limit: None, whole: asked.whole };
            let mut found: Vec<(String, Activity)> = find(database, mapping, find_all)
                .await?
                .iter()
                .map(|document| asked.read(document))
                .filter(|(_, kept)| *kept)
                .map(|(activity, _)| (activity.id.to_string(), activity))
                .collect();
            found.sort_by(|a, b| a.0.cmp(&b.0));
            if query.newest_first {
                found.reverse();
            }
            let is_beyond = |id: &String| {
                behind.as_ref().is_none_or(|behind| if query.newest_first { id < behind } else { id > behind })
            };
            items.extend(found.into_iter().filter(|(id, _)| is_beyond(id)).map(|(_, activity)| activity));
            behind = None;
            if items.len() >= query.limit {
                items.truncate(query.limit);
                return Ok((items, false));
            }
        }
        let mut rest = range.clone();
        if let Some(instant) = at {
            // A moment between two milliseconds is rounded up, so that the later one comes after it.
            let beyond = if instant.0 % 1000 != 0 && !query.newest_first { "$gte" } else { beyond };
            rest.insert(beyond, date(instant));
        }
        let find_next = Find {
            filter: asked.dated(rest),
            sort: Some(doc! { time: direction }),
            limit: Some(chunk),
            whole: asked.whole,
        };
        let (mut read, mut weight) = (Vec::new(), 0);
        each(database, mapping, find_next, |document| {
            read.push(asked.read(document));
            weight += document.as_bytes().len();
            weight < ANSWER_BYTES
        })
        .await?;
        bytes += weight;
        let full = read.len() == chunk || weight >= ANSWER_BYTES;
        let last = read.last().map(|(activity, _)| activity.started_at);
        if full {
            // The last millisecond may be incomplete: the next round reads all of it.
            read.retain(|(activity, _)| Some(activity.started_at) != last);
        }
        let mut kept: Vec<(Timestamp, String, Activity)> = read
            .into_iter()
            .filter(|(_, kept)| *kept)
            .map(|(activity, _)| (activity.started_at, activity.id.to_string(), activity))
            .collect();
        kept.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        if query.newest_first {
            kept.reverse();
        }
        items.extend(kept.into_iter().map(|(_, _, activity)| activity));
        // Of large documents, a page has fewer.
        if full && !items.is_empty() && bytes >= PAGE_BYTES {
            items.truncate(query.limit);
            return Ok((items, false));
        }
        if items.len() >= query.limit {
            items.truncate(query.limit);
            return Ok((items, false));
        }
        if !full {
            break;
        }
        at = last;
    }
    Ok((items, true))
}

/// Activities of all collections that share a key.
pub(super) async fn related(database: Asking<'_>, key: &RelatedKey, limit: usize) -> Result<Vec<Activity>, Error> {
    let mut found: Vec<Activity> = Vec::new();
    for mapping in &database.mappings {
        let (targets, value): (&[Target], _) = match &key.id {
            SharedId::Correlation(id) => (&[Target::CorrelationId], id),
            SharedId::Request(id) => (&[Target::RequestId, Target::ParentRequestId, Target::Id], id),
        };
        let mut filters: Vec<Document> =
            targets.iter().flat_map(|target| mapping.paths(*target)).map(|path| any_of(path, values(value))).collect();
        if let Some(own) = mapping.own_key(value) {
            let keys: Vec<Bson> = parse_key(own).into_iter().chain(values(own)).collect();
            filters.push(any_of("_id", keys));
        }
        filters.dedup();
        for filter in filters {
            let all = Find { filter, sort: None, limit: Some(limit), whole: false };
            for document in find(database, mapping, all).await? {
                let activity = mapping.read(&document);
                if !found.iter().any(|known| known.id == activity.id) {
                    found.push(activity);
                }
            }
        }
    }
    found.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    found.truncate(limit);
    Ok(found)
}

/// The payload of a document.
fn payload_of(mapping: &Mapping, document: &RawDocument) -> Payload {
    let raw = |text: String| RawRecord::new(mapping.table.name.clone(), &text);
    let document: Document = match document.to_owned().try_into() {
        Ok(document) => document,
        Err(error) => {
            let mut payload = Payload::default();
            payload.raw.push(raw(format!("this document cannot be read: {error}")));
            return payload;
        }
    };
    let text = Bson::Document(document.clone()).into_relaxed_extjson().to_string();
    let mut record = match plain(Bson::Document(document)) {
        serde_json::Value::Object(record) => record,
        _ => serde_json::Map::new(),
    };
    record.retain(|_, value| !value.is_null());
    record.shift_remove("_id");
    let mut payload = mapping.schema.divide(record);
    payload.raw.push(raw(text));
    payload
}

/// The payload of the document with a key; `None` where it no longer exists.
pub(super) async fn payload(database: Asking<'_>, mapping: &Mapping, key: Bson) -> Result<Option<Payload>, Error> {
    let one = Find { filter: doc! { "_id": key }, sort: None, limit: Some(1), whole: true };
    Ok(find(database, mapping, one).await?.first().map(|document| payload_of(mapping, document)))
}

/// Documents of which the identities are compared.
const COMPARED: i64 = 1000;

/// The path of the identity, where it does not tell the newest documents apart.
pub(super) async fn repeated_identity<'m>(database: Asking<'_>, mapping: &'m Mapping) -> Option<&'m str> {
    let [path] = mapping.paths(Target::Id)[..] else { return None };
    if mapping.schema.has_phases() || path == "_id" {
        return None;
    }
    let collection = collection(database, mapping);
    // A view has no index.
    if let Ok(mut indexes) = collection.list_indexes().await {
        while let Ok(true) = indexes.advance().await {
            let Ok(index) = indexes.deserialize_current() else { continue };
            let is_unique = index.options.as_ref().and_then(|options| options.unique) == Some(true);
            if is_unique && index.keys.len() == 1 && index.keys.contains_key(path) {
                return None;
            }
        }
    }
    let repeats = [
        doc! { "$sort": { "_id": -1 } },
        doc! { "$limit": COMPARED },
        doc! { "$match": { path: { "$exists": true, "$ne": Bson::Null } } },
        doc! { "$group": { "_id": format!("${path}"), "count": { "$sum": 1 } } },
        doc! { "$match": { "count": { "$gt": 1 } } },
        doc! { "$limit": 1 },
    ];
    let action = collection.aggregate(repeats).max_time(Duration::from_secs(5));
    let mut found = action.comment(Bson::String(database.comment())).await.ok()?;
    matches!(found.advance().await, Ok(true)).then_some(path)
}
