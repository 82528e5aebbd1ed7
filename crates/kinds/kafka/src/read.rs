//! Reads what topics retain: history as batches and as pages, related messages, the payload of one message.

use super::connection::{Consumer, TIME_LIMIT};
use super::range::{Ranges, range};
use super::topics::{Offsets, Topic, ends};
use super::{Error, Kafka};
use crosstail_core::filter::NamedRecord;
use crosstail_core::model::{Activity, Id, Payload, Timestamp};
use crosstail_source::{Job, Page, PageQuery, Related, RelatedKey, Sink, SourceEvent};
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
/// Related activities are looked for within this time of an activity, in microseconds.
const AROUND_US: i64 = 3_600_000_000;

/// Offsets to read, and whether the topics retain more.
struct Range {
    ranges: Ranges,
    cut: bool,
}

/// The retained offsets between two times, or from the beginning and to the present end.
fn retained(
    consumer: &Consumer,
    topics: &[Topic],
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Range, Error> {
    let at = |time: Timestamp, skew_ms: i64| Offset::Offset((time.0.div_euclid(1000) + skew_ms).max(0));
    let (begin, end) = (ends(consumer, topics, Offset::Beginning)?, ends(consumer, topics, Offset::End)?);
    let low = match since {
        Some(since) => ends(consumer, topics, at(since, -SKEW_MS))?,
        None => begin.clone(),
    };
    let high = match until {
        Some(until) => ends(consumer, topics, at(until, SKEW_MS))?,
        None => end.clone(),
    };
    let mut range = Range { ranges: Ranges::new(), cut: low != begin || high != end };
    for (key, low) in low {
        if let Some(high) = high.get(&key) {
            range.ranges.insert(key, (low, *high));
        }
    }
    Ok(range)
}

/// Activities, with payloads if they were asked for, and whether more are retained.
struct Everything {
    activities: Vec<(Activity, Option<Payload>)>,
    cut: bool,
}

/// The retained activities between two times, with payloads if `whole`. The messages of one activity are joined.
fn everything(
    kafka: &Kafka,
    job: &Job,
    (since, until): (Option<Timestamp>, Option<Timestamp>),
    whole: bool,
) -> Result<Everything, Error> {
    let consumer = kafka.address.consumer()?;
    let topics = kafka.topics(&consumer, job)?.activities;
    let Range { ranges, cut } = retained(&consumer, &topics, since, until)?;
    let mut found: Vec<(Activity, Option<Payload>)> = Vec::new();
    let mut by_id: HashMap<Id, usize> = HashMap::new();
    let topic_of: HashMap<&str, &Topic> = topics.iter().map(|topic| (topic.name.as_str(), topic)).collect();
    range(&consumer, &ranges, job, &mut |message| {
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
    Ok(Everything { activities: found, cut })
}

/// A page of what is retained. A topic is not sorted by time, so all of it is read, and cached for the next pages.
pub(super) fn page(
    kafka: &Kafka,
    job: &Job,
    query: &PageQuery,
    after: Option<&crosstail_source::Cursor>,
) -> Result<Page, Error> {
    let mut items = match kafka.waiting.take(query, after) {
        Some(items) => items,
        None => {
            let predicate = query.filter.predicate(&query.context);
            let timed = |a: &Activity| {
                query.since.is_none_or(|since| a.started_at >= since)
                    && query.until.is_none_or(|until| a.started_at < until)
            };
            let all = everything(kafka, job, (query.since, None), predicate.needs_payload())?.activities;
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
pub(super) fn fill_back(kafka: &Kafka, job: &Job, upto: &Offsets, limit: usize, sink: &Sink) -> Result<(), Error> {
    let consumer = kafka.address.consumer()?;
    let topics = kafka.topics(&consumer, job)?.activities;
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
        range(&consumer, &ranges, job, &mut |message| {
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
pub(super) fn payload(
    kafka: &Kafka,
    job: &Job,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<Option<Payload>, Error> {
    let consumer = kafka.address.consumer()?;
    let topics = kafka.topics(&consumer, job)?;
    let Some(topic) = topics.activities.into_iter().find(|known| known.name == topic) else { return Ok(None) };
    let (low, high) =
        consumer.fetch_watermarks(&topic.name, partition, TIME_LIMIT).map_err(|error| consumer.error(&error))?;
    if offset < low || offset >= high {
        return Ok(None);
    }
    let mut found = None;
    let one: Ranges = [((topic.name.clone(), partition), (offset, offset + 1))].into();
    range(&consumer, &one, job, &mut |message| {
        found = Some(topic.payload(message));
        false
    })?;
    Ok(found)
}

/// Activities that share a key. A topic has no index, so everything around the activity's time is read, or everything
/// that is retained where no time is known.
pub(super) fn related(kafka: &Kafka, job: &Job, key: &RelatedKey, limit: usize) -> Result<Related, Error> {
    let (since, until) = (key.around.map(|at| at.plus_us(-AROUND_US)), key.around.map(|at| at.plus_us(AROUND_US)));
    let Everything { activities, cut } = everything(kafka, job, (since, until), false)?;
    let mut found: Vec<Activity> =
        activities.into_iter().map(|(activity, _)| activity).filter(|activity| key.matches(activity)).collect();
    found.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    found.truncate(limit);
    let bounds =
        cut.then(|| format!("{}: only messages within an hour of this activity were searched", kafka.source_name));
    Ok(Related { activities: found, bounds })
}
