//! Reads what topics retain from the newest message back, in windows of offsets, and keeps no more than is asked for.
//!
//! A partition is not sorted by the time of its records. What a window held is remembered (the oldest and the newest
//! start in each chunk of offsets), so that later pages read only the chunks that can hold their activities.

use super::collect::{Chunk, Collect, Wanted};
use super::connection::Consumer;
use super::joined::{Joined, Unread};
use super::range::{Ranges, range};
use super::topics::{Offsets, Topic, ends};
use super::{Error, Kafka};
use crosstail_core::model::{Payload, Timestamp};
use crosstail_source::Job;
use rdkafka::Offset;
use rdkafka::message::Message as _;
use std::collections::{BTreeMap, HashMap};

/// A message may carry a time this much earlier than its activity's start, because clocks differ, in milliseconds.
const SKEW_MS: i64 = 3_600_000;
/// The parts of one activity are at most this far from each other (contract C9.5), in microseconds.
const PARTS_US: i64 = 3_600_000_000;
/// A record that stands in several topics says the same of its start in each, but for this, in microseconds.
const COPIES_US: i64 = 300_000_000;
/// Messages of a partition in the first window; each later one has twice as many, up to this many messages and bytes of
/// all partitions.
const FIRST_WINDOW: i64 = 200;
const LARGEST_WINDOW: i64 = 32_000;
const WINDOW_BYTES: i64 = 8 << 20;
/// Messages of a window whose activities wait for other messages.
const WAITING_WINDOW: i64 = 6000;
/// Offsets in a chunk.
const CHUNK: i64 = 2000;

/// What earlier pages have found out about partitions: chunks from the end of each towards its beginning.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Where partitions ended when the first page was read.
    ends: Option<Offsets>,
    chunks: BTreeMap<(String, i32), Vec<Chunk>>,
}

/// What a window weighed.
#[derive(Default)]
struct Weight {
    messages: i64,
    bytes: i64,
    /// Whether no more is wanted.
    enough: bool,
}

/// The topics of an address while their history is read.
pub(super) struct History<'a> {
    kafka: &'a Kafka,
    job: &'a Job,
    consumer: Consumer,
    topics: HashMap<String, Topic>,
    all: Vec<Topic>,
    begin: Offsets,
    ends: Offsets,
}

impl<'a> History<'a> {
    /// The topics as they are now, or up to where they ended for an earlier page.
    pub(super) fn open(kafka: &'a Kafka, job: &'a Job, known: &mut Known) -> Result<Self, Error> {
        let consumer = kafka.address.consumer()?;
        let all = kafka.topics(&consumer, job)?.activities;
        let begin = ends(&consumer, &all, Offset::Beginning)?;
        let now = match known.ends.take() {
            Some(before) => before,
            None => ends(&consumer, &all, Offset::End)?,
        };
        known.ends = Some(now.clone());
        let topics = all.iter().map(|topic| (topic.name.clone(), topic.clone())).collect();
        Ok(Self { kafka, job, consumer, topics, all, begin, ends: now })
    }

    /// The first offsets that may have an activity that starts at a time or later; all where no time is given.
    pub(super) fn low(&self, since: Option<Timestamp>) -> Result<Offsets, Error> {
        since.map_or_else(|| Ok(self.begin.clone()), |since| self.lowest(since))
    }

    /// How many messages partitions have from the offsets `low` on.
    pub(super) fn lengths(&self, low: &Offsets) -> impl Iterator<Item = ((String, i32), u64)> {
        let of = |(key, end): (&(String, i32), &i64)| {
            Some((key.clone(), u64::try_from(end - low.get(key)?).unwrap_or_default()))
        };
        self.ends.iter().filter_map(of).collect::<Vec<_>>().into_iter()
    }

    fn lowest(&self, since: Timestamp) -> Result<Offsets, Error> {
        let ms = since.0.div_euclid(1000).saturating_sub(SKEW_MS).max(0);
        let found = ends(&self.consumer, &self.all, Offset::Offset(ms))?;
        Ok(found.into_iter().map(|(key, low)| (key.clone(), low.max(self.begins(&key)))).collect())
    }

    /// The offsets behind which messages were written at a time or later.
    pub(super) fn written_since(&self, at: Timestamp) -> Result<Offsets, Error> {
        ends(&self.consumer, &self.all, Offset::Offset(at.0.div_euclid(1000).max(0)))
    }

    fn begins(&self, key: &(String, i32)) -> i64 {
        self.begin.get(key).copied().unwrap_or(0)
    }

    /// Whether offsets are all that partitions retain, from their beginning to their end.
    pub(super) fn is_everything(&self, low: &Offsets, high: Option<&Offsets>) -> bool {
        low.iter().all(|(key, low)| *low <= self.begins(key))
            && high.is_none_or(|high| high.iter().all(|(key, high)| self.ends.get(key).is_none_or(|end| high >= end)))
    }

    /// Passes the activities of partitions, joined, the newest messages first, down to the offsets `low` from the offsets
    /// `high`, where given. `whole`: with their payloads. Returns whether anything was left out.
    pub(super) fn back(
        &self,
        known: &mut Known,
        (mut low, high): (Offsets, Option<Offsets>),
        whole: bool,
        to: &mut dyn Collect,
    ) -> Result<bool, Error> {
        let mut joined = Joined::default();
        let mut at = high.unwrap_or_else(|| self.ends.clone());
        at.retain(|key, _| low.contains_key(key));
        let mut window = FIRST_WINDOW;
        let mut left_out = false;
        let mut wanted = to.wanted();
        loop {
            let ranges = next_window(known, &low, &mut at, window, wanted, &mut left_out);
            if ranges.is_empty() {
                break;
            }
            let partitions = i64::try_from(ranges.len()).unwrap_or(i64::MAX);
            let read = self.window(known, &ranges, whole, &mut joined, to)?;
            if read.enough || !joined.settle(&|unread| self.payload(unread), to) {
                return Ok(true);
            }
            let each = (read.bytes / read.messages.max(1)).max(1);
            let largest = if joined.is_empty() { LARGEST_WINDOW } else { WAITING_WINDOW };
            window = (window * 2).min(largest / partitions).min(WINDOW_BYTES / each / partitions).max(1);
            let now = to.wanted();
            if let Some(after) = now.after.filter(|_| now.newest_first)
                && wanted.after.is_none_or(|before| after > before)
            {
                // What was written earlier than that starts earlier.
                for (key, bound) in self.lowest(after)? {
                    if let Some(low) = low.get_mut(&key)
                        && bound > *low
                    {
                        *low = bound;
                        left_out = true;
                    }
                }
            }
            wanted = now;
        }
        joined.finish(&|unread| self.payload(unread), to);
        Ok(left_out)
    }

    /// The payload of a record that was kept as it came.
    fn payload(&self, unread: &Unread) -> Payload {
        let topic = self.topics.get(unread.message.topic());
        topic.map(|topic| topic.payload(&unread.message, unread.record())).unwrap_or_default()
    }

    /// Reads a window and notes what its chunks hold.
    fn window(
        &self,
        known: &mut Known,
        ranges: &Ranges,
        whole: bool,
        joined: &mut Joined,
        to: &mut dyn Collect,
    ) -> Result<Weight, Error> {
        let mut new = new_chunks(known, ranges);
        let mut weight = Weight::default();
        range(&self.consumer, ranges, self.job, &mut |message| {
            let Some(topic) = self.topics.get(message.topic()) else { return true };
            let chunk = new
                .get_mut(&(topic.name.as_str(), message.partition()))
                .and_then(|chunks| chunks.iter_mut().find(|chunk| message.offset() < chunk.high));
            let reads = topic.read(message, self.kafka.source, &self.kafka.source_name);
            if let Some(chunk) = chunk {
                for read in &reads {
                    chunk.oldest = chunk.oldest.min(read.activity.started_at);
                    chunk.newest = chunk.newest.max(read.activity.started_at);
                    chunk.slack = chunk.slack.max(match (read.shared, read.activity.part) {
                        (false, _) => 0,
                        (true, false) => COPIES_US,
                        (true, true) => PARTS_US,
                    });
                }
            }
            weight.messages += 1;
            let bytes = message.payload_len();
            self.kafka.weigh(&topic.name, bytes);
            weight.bytes = weight.bytes.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
            for read in reads {
                if read.shared {
                    let unread = whole.then(|| Unread::of(message, read.record));
                    joined.add(read.activity, unread, bytes);
                } else {
                    let payload = whole.then(|| topic.payload(message, &read.record));
                    weight.enough |= !to.take(read.activity, payload);
                }
            }
            !weight.enough
        })?;
        if !weight.enough {
            for ((topic, partition), chunks) in new {
                known.chunks.entry((topic.to_owned(), partition)).or_default().extend(chunks.into_iter().rev());
            }
        }
        Ok(weight)
    }
}

/// The next offsets to read of each partition, before `at`, which moves there.
fn next_window(
    known: &Known,
    low: &Offsets,
    at: &mut Offsets,
    window: i64,
    wanted: Wanted,
    left_out: &mut bool,
) -> Ranges {
    let mut ranges = Ranges::new();
    for (key, at) in at {
        let low = low.get(key).copied().unwrap_or(0);
        while *at > low {
            let chunk = known.chunks.get(key).and_then(|chunks| chunks.iter().find(|chunk| chunk.high == *at));
            let begin = match chunk {
                Some(chunk) if wanted.leaves_out(chunk) => {
                    *left_out |= wanted.comes_later(chunk);
                    *at = chunk.low;
                    continue;
                }
                Some(chunk) => chunk.low,
                None => low.max(*at - window),
            };
            ranges.insert(key.clone(), (begin, *at));
            *at = begin;
            break;
        }
    }
    ranges
}

/// The chunks of ranges that are read for the first time.
fn new_chunks<'r>(known: &Known, ranges: &'r Ranges) -> BTreeMap<(&'r str, i32), Vec<Chunk>> {
    let mut new: BTreeMap<(&str, i32), Vec<Chunk>> = BTreeMap::new();
    for (key @ (topic, partition), (low, high)) in ranges {
        if known.chunks.get(key).is_some_and(|chunks| chunks.iter().any(|chunk| chunk.high == *high)) {
            continue;
        }
        let (mut at, mut chunks) = (*low, Vec::new());
        while at < *high {
            let end = (at + CHUNK).min(*high);
            let (oldest, newest) = (Timestamp(i64::MAX), Timestamp(i64::MIN));
            chunks.push(Chunk { low: at, high: end, oldest, newest, slack: 0 });
            at = end;
        }
        new.insert((topic, *partition), chunks);
    }
    new
}
