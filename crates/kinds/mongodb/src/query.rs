//! The queries: pages in order of time, on the index on the start time; related documents; the payload of one document.

use super::find::{Find, PAGE_BYTES, PageFilter, collection, each, find, payload_of};
use super::mapping::{Mapping, any_of, key_of, parse_key, plain, values};
use super::misfits;
use super::operators::date;
use super::plan::look_for_lists;
use super::seen::value_at;
use super::{Asking, Error};
use bson::{Bson, Document, RawBsonRef, RawDocumentBuf, doc};
use crosstail_core::model::{Activity, Id, Locator, Names, Payload, Timestamp};
use crosstail_core::schema::Target;
use crosstail_source::sql::no_time;
use crosstail_source::{Answer, Cursor, Page, PageQuery, Part, RelatedKey, SharedId};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is read at once, in bytes of documents.
const ANSWER_BYTES: usize = 6 << 20;

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
            let wanted = query.limit.saturating_sub(items.len());
            let (found, more) =
                instant_of(database, asked, query, (instant, same), behind.take().as_deref(), wanted).await?;
            items.extend(found);
            if more || items.len() >= query.limit {
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
            by_bytes: asked.by_bytes,
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

/// Of the documents of one instant, the first so many behind an id, and whether there are more. The server has no order of
/// them, so all are read; but only those that the page may show are kept, and of large ones fewer.
async fn instant_of(
    database: Asking<'_>,
    asked: &PageFilter<'_>,
    query: &PageQuery,
    (instant, range): (Timestamp, Document),
    behind: Option<&str>,
    wanted: usize,
) -> Result<(Vec<Activity>, bool), Error> {
    let all = Find { filter: asked.dated(range), whole: asked.whole, by_bytes: asked.by_bytes, ..Find::default() };
    let is_beyond = |id: &str| behind.is_none_or(|behind| if query.newest_first { id < behind } else { id > behind });
    // With one id, there may be several.
    let mut first: BTreeMap<(String, usize), (Activity, usize)> = BTreeMap::new();
    let (mut more, mut bytes, mut number, mut is_of_it) = (false, 0, 0, true);
    each(database, asked.mapping, all, |document| {
        let (activity, kept) = asked.read(document);
        is_of_it = !matches!(
            value_at(document, &asked.mapping.table.time),
            Some(RawBsonRef::DateTime(at)) if Timestamp::from_millis(at.timestamp_millis()) != instant
        );
        let id = activity.id.to_string();
        if kept && is_beyond(&id) {
            let weight = document.as_bytes().len();
            bytes += weight;
            number += 1;
            first.insert((id, number), (activity, weight));
            while first.len() > wanted || (first.len() > 1 && bytes > PAGE_BYTES) {
                more = true;
                let gone = if query.newest_first { first.pop_first() } else { first.pop_last() };
                bytes -= gone.map_or(0, |(_, (_, weight))| weight);
            }
        }
        is_of_it
    })
    .await?;
    if !is_of_it {
        return Err(Error::unasked());
    }
    let mut items: Vec<Activity> = first.into_values().map(|(activity, _)| activity).collect();
    if query.newest_first {
        items.reverse();
    }
    Ok((items, more))
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
            // A text is looked for as a number, too, and by the collection's own collation, whose indexes answer. So more
            // comes than is wanted: `007` finds 7, and a limit of the server would count that.
            let (mut own, mut answer, mut too_large) = (Vec::new(), Answer::default(), None);
            each(database, mapping, Find { filter, ..Find::default() }, |document| {
                let activity = mapping.read(document);
                if key.matches(&activity) {
                    too_large = answer.count(document.as_bytes().len()).err();
                    own.push(activity);
                }
                too_large.is_none() && own.len() < limit
            })
            .await?;
            if let Some(error) = too_large {
                return Err(Error::TooLarge(error));
            }
            for activity in own {
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

/// The payload of the document with a key; `None` where it no longer exists.
pub(super) async fn payload(database: Asking<'_>, mapping: &Mapping, key: Bson) -> Result<Option<Payload>, Error> {
    // The collection's own collation is kept, which the index on `_id` has. With it, a view may have several.
    let text = key_of(&key);
    let limit = (!mapping.is_collated).then_some(1);
    let one = Find { filter: doc! { "_id": key }, limit, whole: true, ..Find::default() };
    let found = find(database, mapping, one).await?;
    let is_it = |document: &&RawDocumentBuf| {
        let id = document.get("_id").ok().flatten().and_then(|id| Bson::try_from(id).ok());
        !mapping.is_collated || id.is_some_and(|id| key_of(&id) == text)
    };
    Ok(found.iter().find(is_it).map(|document| payload_of(mapping, document)))
}

/// The payloads of several documents, in their order; `None` of a document that is not there.
pub(super) async fn payloads(database: Asking<'_>, of: &[(Id, Locator)]) -> Result<Vec<Option<Payload>>, Error> {
    let mut all = vec![None; of.len()];
    for (index, mapping) in database.mappings.iter().enumerate() {
        let key = |(at, (_, locator)): (usize, &(Id, Locator))| {
            let (_, key) = locator.as_table_key().filter(|(table, _)| *table == index)?;
            parse_key(key).map(|key| (key, at))
        };
        let keys: Vec<(Bson, usize)> = of.iter().enumerate().filter_map(key).collect();
        if keys.is_empty() {
            continue;
        }
        let filter = any_of("_id", keys.iter().map(|(key, _)| key.clone()).collect());
        for document in find(database, mapping, Find { filter, whole: true, ..Find::default() }).await? {
            let key = document.get("_id").ok().flatten().and_then(|key| Bson::try_from(key).ok());
            let is_it = |(known, _): &&(Bson, usize)| Some(known) == key.as_ref();
            // A key may be asked for twice.
            for (_, at) in keys.iter().filter(is_it) {
                all[*at] = Some(payload_of(mapping, &document));
            }
        }
    }
    Ok(all)
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

/// Documents of which the times are looked at.
const DATED: usize = 50;

/// What is said where the newest documents have something in the place of their time that is none.
pub(super) async fn unread_time(database: Asking<'_>, mapping: &Mapping) -> Option<String> {
    // What has no change stream may have no index of its keys either.
    if !mapping.is_streamed {
        return None;
    }
    let newest = Find { sort: Some(doc! { "_id": -1 }), limit: Some(DATED), ..Find::default() };
    let time = mapping.table.time.as_str();
    for document in find(database, mapping, newest).await.ok()? {
        if mapping.read(&document).exact_start {
            continue;
        }
        let Ok(whole) = Document::try_from(document.as_ref()) else { continue };
        let serde_json::Value::Object(record) = plain(Bson::Document(whole)) else { continue };
        let example = match crosstail_core::schema::lookup(&record, time) {
            None | Some(serde_json::Value::Null) => continue,
            Some(serde_json::Value::String(text)) if text.is_empty() => continue,
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let example: String = example.chars().take(40).collect();
        return Some(no_time(&mapping.table.name, time, &example));
    }
    None
}
