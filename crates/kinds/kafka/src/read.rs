//! Reads what topics retain: history as batches and as pages, related messages, figures, the payload of one message.

use super::collect::{Collect, Wanted};
use super::history::{History, Known};
use super::range::{Ranges, range};
use super::topics::{Offsets, Topic, ends};
use super::{Error, Kafka};
use crosstail_core::filter::{NamedRecord, Predicate};
use crosstail_core::model::{Activity, Id, Names, Payload, Timestamp};
use crosstail_source::read_ahead::{ACTIVITY, weight};
use crosstail_source::{
    Batches, Cost, Cursor, Grouping, Groups, Job, Page, PageQuery, PushDown, Related, RelatedKey, Sink, SourceEvent,
};
use rdkafka::Offset;
use rdkafka::message::Message as _;
use std::collections::{BTreeMap, HashMap};

/// Messages per partition that are delivered first, so that they are on screen while the rest is read.
const FIRST: i64 = 500;
/// Activities per batch, and about how many bytes of messages.
pub(super) const CHUNK: usize = 2000;
pub(super) const CHUNK_BYTES: usize = 4 << 20;
/// Activities that the first page reads ahead, the second one, and a later one at most, and about how many bytes they may
/// take. Who reads on reads to the end, and what is read ahead is found with each message read a few times only.
const FIRST_AHEAD: usize = 200;
const SECOND_AHEAD: usize = 5000;
const MOST_AHEAD: usize = 20_000;
const AHEAD_BYTES: usize = 10 << 20;
/// Messages of a partition that are further apart than this are read by themselves, in offsets.
const APART: i64 = 500;
/// Related activities are looked for within this time of an activity, in microseconds.
const AROUND_US: i64 = 3_600_000_000;

/// Activities by time and id.
type First = BTreeMap<(Timestamp, String), Activity>;

/// What a page read ahead for the next one.
#[derive(Default)]
pub(super) struct Ahead {
    /// The next activities, in the order of time, as they were found: a copy would take as much again.
    rest: First,
    /// Whether there are none behind these.
    is_last: bool,
    known: Known,
    /// How many were read ahead last, and what one of them takes, in bytes.
    more: usize,
    each: usize,
}

/// A filter, as each activity is tested.
struct Test<'a> {
    query: &'a PageQuery,
    predicate: Predicate,
    names: &'a Names,
}

impl<'a> Test<'a> {
    fn new(query: &'a PageQuery, names: &'a Names) -> Self {
        Self { query, predicate: query.filter.predicate(&query.context), names }
    }

    fn keeps(&self, activity: &Activity, payload: Option<&Payload>) -> bool {
        self.query.includes(activity.started_at)
            && self.predicate.keeps(&NamedRecord { activity, names: self.names, payload })
    }
}

/// The first activities behind a cursor, in the order of a query.
struct Kept<'a> {
    test: Test<'a>,
    after: Option<&'a Cursor>,
    /// How many are wanted. Reading may end when it has these.
    wanted: usize,
    /// How many more are kept, at most.
    more: usize,
    first: First,
    bytes: usize,
    /// Whether some were let go, because there were too many.
    crowded: bool,
}

impl Kept<'_> {
    /// The place in time of the last of the wanted ones; `None` while there are fewer.
    fn edge(&self) -> Option<Timestamp> {
        let nth = self.wanted.checked_sub(1)?;
        let mut keys = self.first.keys();
        let key = if self.test.query.newest_first { keys.nth_back(nth) } else { keys.nth(nth) };
        key.map(|(at, _)| *at)
    }
}

impl Collect for Kept<'_> {
    fn take(&mut self, activity: Activity, payload: Option<Payload>) -> bool {
        if !self.test.keeps(&activity, payload.as_ref()) {
            return true;
        }
        let newest_first = self.test.query.newest_first;
        let id = activity.id.to_string();
        if self.after.is_some_and(|cursor| !cursor.is_before(activity.started_at, &id, newest_first)) {
            return true;
        }
        self.bytes += weight(&activity);
        self.first.insert((activity.started_at, id), activity);
        while self.first.len() > self.wanted
            && (self.first.len() > self.wanted + self.more || self.bytes > AHEAD_BYTES)
            && let Some((_, gone)) = if newest_first { self.first.pop_first() } else { self.first.pop_last() }
        {
            self.bytes -= weight(&gone);
            self.crowded = true;
        }
        true
    }

    fn wanted(&self) -> Wanted {
        let newest_first = self.test.query.newest_first;
        // Equal times are told apart by id, so the moment of the edge and of the cursor belong to it.
        let behind = |at: Timestamp| at.plus_us(1);
        let cursor = self.after.map(Cursor::at);
        let (before, after) = if newest_first {
            (cursor.map(behind).into_iter().chain(self.test.query.until).min(), self.edge())
        } else {
            (self.edge().map(behind), cursor.into_iter().chain(self.test.query.since).max())
        };
        Wanted { newest_first, before, after }
    }
}

/// A page of what is retained.
pub(super) fn page(kafka: &Kafka, job: &Job, query: &PageQuery, after: Option<&Cursor>) -> Result<Page, Error> {
    let mut ahead = kafka.waiting.take(query, after).unwrap_or_default();
    let mut items: Vec<Activity> = Vec::new();
    loop {
        while items.len() < query.limit
            && let Some((_, activity)) = if query.newest_first { ahead.rest.pop_last() } else { ahead.rest.pop_first() }
        {
            items.push(activity);
        }
        if ahead.is_last || !ahead.rest.is_empty() {
            break;
        }
        let cursor = items.last().map(Cursor::after).or_else(|| after.cloned());
        read_ahead(kafka, job, query, &mut ahead, cursor.as_ref(), query.limit - items.len())?;
    }
    let next = items.last().filter(|_| !ahead.rest.is_empty()).map(Cursor::after);
    if let Some(next) = &next {
        let bytes = ahead.each * ahead.rest.len();
        kafka.waiting.keep(query, next, ahead, bytes);
    }
    let here = query.filter.clauses().len();
    Ok(Page { items, next, push_down: PushDown { in_store: 0, local: here } })
}

/// Reads what comes after a cursor: at least as many activities as are asked for, and one more, if there are.
fn read_ahead(
    kafka: &Kafka,
    job: &Job,
    query: &PageQuery,
    ahead: &mut Ahead,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<(), Error> {
    // The first page is wanted at once; who asks for a second one may ask for a third.
    let (wanted, more) = if after.is_none() {
        (limit + 1, FIRST_AHEAD)
    } else {
        let room = AHEAD_BYTES / ahead.each.max(ACTIVITY);
        let more = (ahead.more * 4).clamp(SECOND_AHEAD, MOST_AHEAD).min(room).max(1);
        (limit + more, more)
    };
    let mut kept = Kept {
        test: Test::new(query, &kafka.names),
        after,
        wanted,
        more,
        first: First::new(),
        bytes: 0,
        crowded: false,
    };
    let whole = kept.test.predicate.needs_payload();
    let history = History::open(kafka, job, &mut ahead.known)?;
    let low = history.low(query.since)?;
    let left_out = history.back(&mut ahead.known, (low, None), whole, &mut kept)?;
    // Where something was left out, only what comes before it is in order.
    let edge = kept.edge().filter(|_| left_out);
    let (bytes, held) = (kept.bytes, kept.first.len());
    let mut rest = kept.first;
    if let Some(edge) = edge {
        rest.retain(|(at, _), _| if query.newest_first { *at >= edge } else { *at <= edge });
    }
    (ahead.more, ahead.each) = (more, bytes / held.max(1));
    ahead.is_last = rest.is_empty() || !(left_out || kept.crowded);
    ahead.rest = rest;
    Ok(())
}

/// Passes activities on as they are read.
struct Passed<'a> {
    test: Test<'a>,
    to: &'a Batches,
    batch: Vec<Activity>,
    bytes: usize,
}

impl Passed<'_> {
    /// False where nobody takes any more.
    fn pass(&mut self) -> bool {
        self.bytes = 0;
        self.batch.is_empty() || self.to.blocking_send(std::mem::take(&mut self.batch)).is_ok()
    }
}

impl Collect for Passed<'_> {
    fn take(&mut self, activity: Activity, payload: Option<Payload>) -> bool {
        if self.test.keeps(&activity, payload.as_ref()) {
            self.bytes += weight(&activity);
            self.batch.push(activity);
        }
        (self.batch.len() < CHUNK && self.bytes < CHUNK_BYTES) || self.pass()
    }

    fn wanted(&self) -> Wanted {
        let PageQuery { since, until, .. } = self.test.query;
        Wanted { newest_first: true, before: *until, after: *since }
    }
}

/// Passes everything that matches a query on; the newest messages are read first, each once.
pub(super) fn scan(kafka: &Kafka, job: &Job, query: &PageQuery, to: &Batches) -> Result<(), Error> {
    let mut passed = Passed { test: Test::new(query, &kafka.names), to, batch: Vec::new(), bytes: 0 };
    let whole = passed.test.predicate.needs_payload();
    let mut known = Known::default();
    let history = History::open(kafka, job, &mut known)?;
    let low = history.low(query.since)?;
    history.back(&mut known, (low, None), whole, &mut passed)?;
    passed.pass();
    Ok(())
}

/// Figures, added up while messages are read.
struct Figured<'a> {
    test: Test<'a>,
    grouping: &'a Grouping,
    groups: Groups,
}

impl Collect for Figured<'_> {
    fn take(&mut self, activity: Activity, payload: Option<Payload>) -> bool {
        if self.test.keeps(&activity, payload.as_ref()) {
            self.groups.entry(self.grouping.key(&activity, self.test.names)).or_default().add(&activity);
        }
        true
    }

    fn wanted(&self) -> Wanted {
        Wanted::default()
    }
}

/// Figures by group of what is retained.
pub(super) fn figures(kafka: &Kafka, job: &Job, query: &PageQuery, grouping: &Grouping) -> Result<Groups, Error> {
    let mut figured = Figured { test: Test::new(query, &kafka.names), grouping, groups: Groups::new() };
    let whole = figured.test.predicate.needs_payload();
    let mut known = Known::default();
    let history = History::open(kafka, job, &mut known)?;
    let low = history.low(query.since)?;
    history.back(&mut known, (low, None), whole, &mut figured)?;
    Ok(figured.groups)
}

/// What a query would read: all messages that may hold activities of its range.
pub(super) fn plan(kafka: &Kafka, job: &Job, query: &PageQuery) -> Result<Cost, Error> {
    let history = History::open(kafka, job, &mut Known::default())?;
    let weights = kafka.weights.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let (mut rows, mut bytes) = (0, Some(0));
    for ((topic, _), messages) in history.lengths(&history.low(query.since)?) {
        rows += messages;
        let each = weights.get(&topic).map(|(messages, bytes)| bytes / (*messages).max(1));
        bytes = bytes.zip(each).map(|(sum, each)| sum + each * messages);
    }
    Ok(Cost { indexed: false, rows: Some(rows), bytes })
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
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut listening = true;
        range(&consumer, &ranges, job, &mut |message| {
            if let Some(topic) = topic_of.get(message.topic()) {
                batch.extend(topic.activities(message, kafka.source, &kafka.source_name));
                bytes += message.payload_len();
            }
            if batch.len() >= CHUNK || bytes >= CHUNK_BYTES {
                bytes = 0;
                listening = sink.blocking_send(SourceEvent::Batch(std::mem::take(&mut batch), None)).is_ok();
            }
            listening
        })?;
        if !listening || (!batch.is_empty() && sink.blocking_send(SourceEvent::Batch(batch, None)).is_err()) {
            return Ok(());
        }
    }
    Ok(())
}

/// Where a message is: topic, partition, offset.
pub(super) type MessageAt = (String, i32, i64);

/// The payloads of activities in messages, in their order; `None` where a message has expired. Neighbours are read together.
pub(super) fn payloads(kafka: &Kafka, job: &Job, of: &[(Id, MessageAt)]) -> Result<Vec<Option<Payload>>, Error> {
    let consumer = kafka.address.consumer()?;
    let topics = kafka.topics(&consumer, job)?.activities;
    let topics: HashMap<&str, &Topic> = topics.iter().map(|topic| (topic.name.as_str(), topic)).collect();
    let mut wanted: BTreeMap<(&str, i32), BTreeMap<i64, Vec<usize>>> = BTreeMap::new();
    for (index, (_, (topic, partition, offset))) in of.iter().enumerate() {
        wanted.entry((topic, *partition)).or_default().entry(*offset).or_default().push(index);
    }
    let mut stretches: Vec<Ranges> = Vec::new();
    for ((topic, partition), offsets) in &mut wanted {
        if !topics.contains_key(topic) {
            continue;
        }
        let (low, high) = consumer.bounds(topic, *partition)?;
        offsets.retain(|offset, _| (low..high).contains(offset));
        let offsets: Vec<i64> = offsets.keys().copied().collect();
        for (number, near) in offsets.chunk_by(|one, next| next - one <= APART).enumerate() {
            if number == stretches.len() {
                stretches.push(Ranges::new());
            }
            stretches[number].insert(((*topic).to_owned(), *partition), (near[0], near[near.len() - 1] + 1));
        }
    }
    let mut found = vec![None; of.len()];
    for ranges in stretches {
        range(&consumer, &ranges, job, &mut |message| {
            let at = (message.topic(), message.partition());
            let of_message = wanted.get(&at).and_then(|offsets| offsets.get(&message.offset()));
            if let (Some(topic), Some(of_message)) = (topics.get(message.topic()), of_message) {
                let reads = topic.read(message, kafka.source, &kafka.source_name);
                for index in of_message {
                    // A message may hold several records.
                    let read = reads.iter().find(|read| read.activity.id == of[*index].0).or(reads.first());
                    found[*index] = read.map(|read| topic.payload(message, &read.record));
                }
            }
            true
        })?;
    }
    Ok(found)
}

/// The first activities that share a key.
struct Relatives<'a> {
    key: &'a RelatedKey,
    limit: usize,
    found: BTreeMap<(Timestamp, Id), Activity>,
}

impl Collect for Relatives<'_> {
    fn take(&mut self, activity: Activity, _: Option<Payload>) -> bool {
        if self.key.matches(&activity) {
            self.found.insert((activity.started_at, activity.id.clone()), activity);
            if self.found.len() > self.limit {
                self.found.pop_last();
            }
        }
        true
    }

    fn wanted(&self) -> Wanted {
        Wanted::default()
    }
}

/// Activities that share a key. A topic has no index, so everything around the activity's time is read, or everything
/// that is retained where no time is known.
pub(super) fn related(kafka: &Kafka, job: &Job, key: &RelatedKey, limit: usize) -> Result<Related, Error> {
    let mut known = Known::default();
    let history = History::open(kafka, job, &mut known)?;
    let low = history.low(key.around.map(|at| at.plus_us(-AROUND_US)))?;
    let high = key.around.map(|at| history.written_since(at.plus_us(2 * AROUND_US))).transpose()?;
    let cut = !history.is_everything(&low, high.as_ref());
    let mut relatives = Relatives { key, limit, found: BTreeMap::new() };
    history.back(&mut known, (low, high), false, &mut relatives)?;
    let bounds =
        cut.then(|| format!("{}: only messages within an hour of this activity were searched", kafka.source_name));
    Ok(Related { activities: relatives.found.into_values().collect(), bounds })
}
