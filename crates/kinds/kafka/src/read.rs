//! Reads what topics retain: history as batches and as pages, related messages, the payload of one message.

use super::connection::{Consumer, TIME_LIMIT};
use super::range::{Ranges, range};
use super::topics::{Offsets, Topic, ends};
use super::{Error, Kafka};
use crosstail_core::filter::NamedRecord;
use crosstail_core::model::{Activity, Id, Payload, Timestamp};
use crosstail_source::{Page, PageQuery, RelatedKey, Sink, SourceEvent};
use rdkafka::Offset;
use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message as _;
use std::collections::HashMap;

/// Messages per partition that are delivered first, so that they are on screen while the rest is read.
const FIRST: i64 = 500;
/// Activities per batch.
const CHUNK: usize = 2000;
/// A message may carry a time this much earlier than its activity's start, because clocks differ, in milliseconds.
const SKEW_MS: i64 = 3_600_000;

/// The retained offsets from a time to the present end.
fn retained(consumer: &Consumer, topics: &[Topic], since: Option<Timestamp>) -> Result<Ranges, Error> {
    let end = ends(consumer, topics, Offset::End)?;
    let from = match since {
        Some(since) => Offset::Offset((since.0.div_euclid(1000) - SKEW_MS).max(0)),
        None => Offset::Beginning,
    };
    let low = ends(consumer, topics, from)?;
    Ok(low.into_iter().filter_map(|(key, low)| end.get(&key).map(|end| (key.clone(), (low, *end)))).collect())
}

/// All retained activities since a time, with payloads if `whole`. The messages of one activity are joined.
fn everything(kafka: &Kafka, since: Option<Timestamp>, whole: bool) -> Result<Vec<(Activity, Option<Payload>)>, Error> {
    let consumer = kafka.address.consumer()?;
    let topics = kafka.topics(&consumer)?.activities;
    let ranges = retained(&consumer, &topics, since)?;
    let mut found: Vec<(Activity, Option<Payload>)> = Vec::new();
    let mut by_id: HashMap<Id, usize> = HashMap::new();
    let topic_of: HashMap<&str, &Topic> = topics.iter().map(|topic| (topic.name.as_str(), topic)).collect();
    range(&consumer, &ranges, &|| false, &mut |message| {
        let Some(topic) = topic_of.get(message.topic()) else { return true };
        let activity = topic.activity(message, kafka.source, &kafka.source_name);
        let payload = whole.then(|| topic.payload(message));
        match by_id.get(&activity.id) {
            Some(index) => {
                let (known, part) = &mut found[*index];
                if activity.part {
                    known.merge(activity);
                } else {
                    known.replace_with(activity);
                }
                if let (Some(part), Some(payload)) = (part, payload) {
                    part.merge(payload);
                }
            }
            None => {
                by_id.insert(activity.id.clone(), found.len());
                found.push((activity, payload));
            }
        }
        true
    })?;
    Ok(found)
}

/// A page of what is retained. A topic is not sorted by time, so all of it is read, and cached for the next pages.
pub(super) fn page(kafka: &Kafka, query: &PageQuery, after: Option<&crosstail_source::Cursor>) -> Result<Page, Error> {
    let mut items = match kafka.waiting.take(query, after) {
        Some(items) => items,
        None => {
            let predicate = query.filter.predicate(&query.context);
            let timed = |a: &Activity| {
                query.since.is_none_or(|since| a.started_at >= since)
                    && query.until.is_none_or(|until| a.started_at < until)
            };
            let all = everything(kafka, query.since, predicate.needs_payload())?;
            let mut items: Vec<Activity> = all
                .into_iter()
                .filter(|(activity, payload)| {
                    let named = NamedRecord { activity, names: &kafka.names, payload: payload.as_ref() };
                    timed(activity) && predicate.keeps(&named)
                })
                .map(|(activity, _)| activity)
                .collect();
            items.sort_by_cached_key(|a| (a.started_at, a.id.to_string()));
            // Pages are taken from the end.
            if !query.newest_first {
                items.reverse();
            }
            if let Some(cursor) = after {
                items.retain(|activity| {
                    cursor.is_before(activity.started_at, &activity.id.to_string(), query.newest_first)
                });
            }
            items
        }
    };
    let rest = items.split_off(items.len().saturating_sub(query.limit));
    let (rest, mut page) = (items, rest);
    page.reverse();
    let next = page.last().filter(|_| !rest.is_empty()).map(crosstail_source::Cursor::after);
    if let Some(next) = &next {
        kafka.waiting.keep(query, next, rest);
    }
    let here = query.filter.clauses().len();
    Ok(Page { items: page, next, push_down: crosstail_source::PushDown { in_store: 0, local: here } })
}

/// Delivers what is retained up to a position: the newest of each partition first, then the rest.
pub(super) fn fill_back(
    kafka: &Kafka,
    upto: &Offsets,
    limit: usize,
    sink: &Sink,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let consumer = kafka.address.consumer()?;
    let topics = kafka.topics(&consumer)?.activities;
    let low = ends(&consumer, &topics, Offset::Beginning)?;
    let partitions = low.len().max(1);
    let each = i64::try_from(limit / partitions).unwrap_or(i64::MAX).max(1);
    let (mut newest, mut rest) = (Ranges::new(), Ranges::new());
    for (key, low) in low {
        let Some(high) = upto.get(&key).copied() else { continue };
        let low = low.max(high.saturating_sub(each));
        let middle = low.max(high - FIRST);
        newest.insert(key.clone(), (middle, high));
        rest.insert(key, (low, middle));
    }
    let topic_of: HashMap<&str, &Topic> = topics.iter().map(|topic| (topic.name.as_str(), topic)).collect();
    for ranges in [newest, rest] {
        let mut batch = Vec::with_capacity(CHUNK);
        let mut listening = true;
        range(&consumer, &ranges, cancelled, &mut |message| {
            if let Some(topic) = topic_of.get(message.topic()) {
                batch.push(topic.activity(message, kafka.source, &kafka.source_name));
            }
            if batch.len() >= CHUNK {
                let full = std::mem::replace(&mut batch, Vec::with_capacity(CHUNK));
                listening = sink.blocking_send(SourceEvent::Batch(full, None)).is_ok();
            }
            listening
        })?;
        if !listening || (!batch.is_empty() && sink.blocking_send(SourceEvent::Batch(batch, None)).is_err()) {
            return Ok(());
        }
    }
    Ok(())
}

/// The payload of the message at an offset; `None` where it has expired.
pub(super) fn payload(kafka: &Kafka, topic: &str, partition: i32, offset: i64) -> Result<Option<Payload>, Error> {
    let consumer = kafka.address.consumer()?;
    let topics = kafka.topics(&consumer)?;
    let Some(topic) = topics.activities.into_iter().find(|known| known.name == topic) else { return Ok(None) };
    let (low, high) =
        consumer.fetch_watermarks(&topic.name, partition, TIME_LIMIT).map_err(|error| consumer.error(&error))?;
    if offset < low || offset >= high {
        return Ok(None);
    }
    let mut found = None;
    let one: Ranges = [((topic.name.clone(), partition), (offset, offset + 1))].into();
    range(&consumer, &one, &|| false, &mut |message| {
        found = Some(topic.payload(message));
        false
    })?;
    Ok(found)
}

/// Activities that share a key. A topic has no index, so everything that is retained is read.
pub(super) fn related(kafka: &Kafka, key: &RelatedKey, limit: usize) -> Result<Vec<Activity>, Error> {
    let all = everything(kafka, None, false)?;
    let mut found: Vec<Activity> =
        all.into_iter().map(|(activity, _)| activity).filter(|activity| key.matches(activity)).collect();
    found.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    found.truncate(limit);
    Ok(found)
}
