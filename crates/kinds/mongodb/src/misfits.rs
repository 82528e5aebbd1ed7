//! Pages of documents whose time is no date: a text, a number, one of several, or none. The server cannot sort them by
//! time, so they are read, and only those are kept that the page may show.

use super::find::{Find, PAGE_BYTES, PageFilter, each};
use super::mapping::Mapping;
use super::operators::date;
use super::seen::{is_one_date, value_at};
use super::{Asking, Error};
use bson::{Bson, Document, RawBsonRef, RawDocument, doc};
use crosstail_core::model::{Activity, Timestamp};
use crosstail_source::{Cursor, PageQuery};
use std::collections::BTreeMap;

/// A text that begins with a date of ISO 8601: such texts are in the order of their days.
const ISO_DATE: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}";
/// A time may be on another day in its own zone, and a text is compared by its day.
const SLACK_US: i64 = 2 * 86_400_000_000;

/// Which documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// The time is a text that begins with a date.
    Texts,
    /// All others whose time is no date.
    Others,
}

/// The types of a time that is neither a date nor a text. Each is a range of an index.
const TYPES: [&str; 12] = [
    "number",
    "object",
    "binData",
    "objectId",
    "bool",
    "regex",
    "dbPointer",
    "javascript",
    "javascriptWithScope",
    "timestamp",
    "minKey",
    "maxKey",
];

/// The condition for documents whose time is no single date.
pub(super) fn condition(mapping: &Mapping) -> Document {
    let time = mapping.table.time.as_str();
    let mut parts = others(mapping);
    parts.push(doc! { time: { "$type": "string" } });
    doc! { "$or": parts }
}

/// Of these, those whose time is no text.
fn others(mapping: &Mapping) -> Vec<Document> {
    let time = mapping.table.time.as_str();
    let mut parts = vec![doc! { time: Bson::Null }, doc! { time: { "$type": TYPES.to_vec() } }];
    // Dates beyond the years of records: the server has 292 million of them.
    parts
        .extend([doc! { time: { "$lt": date(Timestamp::FIRST) } }, doc! { time: { "$gte": date(Timestamp::BEYOND) } }]);
    if mapping.has_lists() {
        parts.push(doc! { time: { "$type": "array" } });
    }
    parts
}

/// The first activities behind a cursor, and whether there are no more.
pub(super) async fn page(
    database: Asking<'_>,
    asked: &PageFilter<'_>,
    query: &PageQuery,
    after: Option<&Cursor>,
    stream: Stream,
) -> Result<(Vec<Activity>, bool), Error> {
    let time = asked.mapping.table.time.as_str();
    let newest_first = query.newest_first;
    let day = |at: Timestamp| at.rfc3339().chars().take(10).collect::<String>();
    let behind = after.map(Cursor::at);
    // Where texts have a collation, no range of them is asked for: an index with a collation finds all texts by their type,
    // but none by its bytes. The server sorts, where it compares by bytes.
    let is_collated = asked.mapping.is_collated;
    let is_ordered = stream == Stream::Texts && asked.by_bytes;
    let (filter, sort) = match stream {
        Stream::Texts => {
            let mut range = doc! { "$type": "string", "$regex": ISO_DATE };
            if asked.mapping.has_lists() {
                range.insert("$not", doc! { "$type": "array" });
            }
            let low = query.since.into_iter().chain(behind.filter(|_| !newest_first)).max();
            let high = query.until.into_iter().chain(behind.filter(|_| newest_first)).min();
            if !is_collated {
                range.extend(low.map(|at| doc! { "$gte": day(at.plus_us(-SLACK_US)) }).unwrap_or_default());
                range.extend(high.map(|at| doc! { "$lt": day(at.plus_us(SLACK_US)) }).unwrap_or_default());
            }
            (doc! { time: range }, is_ordered.then(|| doc! { time: if newest_first { -1 } else { 1 } }))
        }
        Stream::Others => {
            let mut parts = others(asked.mapping);
            // Texts that begin with no date: most begin with no digit.
            if is_collated {
                parts.push(doc! { time: { "$type": "string", "$not": { "$regex": ISO_DATE } } });
            } else {
                parts.push(doc! { time: { "$lt": "0" } });
                parts.push(doc! { time: { "$gte": ":" } });
                parts.push(doc! { time: { "$gte": "0", "$lt": ":", "$not": { "$regex": ISO_DATE } } });
            }
            // A list with such a text is among the others already.
            (doc! { "$or": parts }, None)
        }
    };
    let mut first: BTreeMap<(Timestamp, String), (Activity, usize)> = BTreeMap::new();
    let (mut more, mut bytes, mut is_unasked) = (false, 0, false);
    let find = Find { filter: asked.filter(filter), sort, limit: None, whole: asked.whole, by_bytes: asked.by_bytes };
    let take = |document: &RawDocument| {
        if is_one_date(document, time) {
            is_unasked = true;
            return false;
        }
        if (more || first.len() > query.limit) && is_ordered {
            let edge = if newest_first { first.first_key_value() } else { first.last_key_value() };
            let (Some(((edge, _), _)), Some(day)) = (edge, day_of(document, time)) else { return true };
            let beyond = if newest_first { day.plus_us(SLACK_US) < *edge } else { day.plus_us(-SLACK_US) > *edge };
            if beyond {
                more = true;
                return false;
            }
        }
        let (activity, kept) = asked.read(document);
        let id = activity.id.to_string();
        let in_range = query.includes(activity.started_at);
        let comes = after.is_none_or(|cursor| cursor.is_before(activity.started_at, &id, newest_first));
        if kept && in_range && comes {
            let weight = document.as_bytes().len();
            bytes += weight;
            first.insert((activity.started_at, id), (activity, weight));
            while first.len() > query.limit + 1 || (first.len() > 1 && bytes > PAGE_BYTES) {
                more = true;
                let gone = if newest_first { first.pop_first() } else { first.pop_last() };
                bytes -= gone.map_or(0, |(_, (_, weight))| weight);
            }
        }
        true
    };
    each(database, asked.mapping, find, take).await?;
    if is_unasked {
        return Err(Error::unasked());
    }
    let more = more || first.len() > query.limit;
    let mut items: Vec<Activity> = first.into_values().map(|(activity, _)| activity).collect();
    if newest_first {
        items.reverse();
    }
    items.truncate(query.limit);
    Ok((items, !more))
}

/// The day with which a text begins.
fn day_of(document: &RawDocument, path: &str) -> Option<Timestamp> {
    let Some(RawBsonRef::String(text)) = value_at(document, path) else { return None };
    crosstail_core::model::parse_timestamp(&format!("{}T00:00:00Z", text.get(..10)?))
}
