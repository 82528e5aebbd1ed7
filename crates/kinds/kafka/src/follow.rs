//! Follows every partition from its position. New partitions are read from their beginning. Where the broker no longer
//! retains the next message, a notice reports the gap, and reading resumes at the first message left.

use super::connection::Consumer;
use super::read::{CHUNK, CHUNK_BYTES};
use super::topics::{Offsets, Topic};
use super::{Error, Kafka, is_transport};
use crosstail_source::{Job, Position, Sink, SourceEvent};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message as _;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

/// How often topics and partitions are listed.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(3);
/// Without any broker for this long, following fails.
const BROKER_TIMEOUT: Duration = Duration::from_secs(3);

/// Where following resumes: the next offset by topic and partition.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ResumePoint(BTreeMap<String, BTreeMap<i32, i64>>);

impl ResumePoint {
    pub(super) fn of(offsets: &Offsets) -> Self {
        let mut at = Self::default();
        for ((topic, partition), offset) in offsets {
            at.0.entry(topic.clone()).or_default().insert(*partition, *offset);
        }
        at
    }

    pub(super) fn offsets(&self) -> Offsets {
        let of = |(topic, partitions): (&String, &BTreeMap<i32, i64>)| {
            let topic = topic.clone();
            partitions.iter().map(move |(partition, offset)| ((topic.clone(), *partition), *offset)).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }

    fn next(&mut self, topic: &str, partition: i32) -> Option<&mut i64> {
        self.0.get_mut(topic)?.get_mut(&partition)
    }
}

struct Follower<'a> {
    kafka: &'a Kafka,
    job: &'a Job,
    /// A second consumer for metadata.
    asking: Consumer,
    sink: &'a Sink,
    at: ResumePoint,
    topics: HashMap<String, Topic>,
}

/// Delivers what is written after a position, until cancelled.
pub(super) fn follow(kafka: &Kafka, job: &Job, from: ResumePoint, sink: &Sink) -> Result<(), Error> {
    let (consumer, asking) = (kafka.address.follower()?, kafka.address.consumer()?);
    let mut follower = Follower { kafka, job, asking, sink, at: from, topics: HashMap::new() };
    follower.discover_partitions()?;
    follower.check_retained()?;
    follower.assign(&consumer)?;
    if sink.blocking_send(SourceEvent::CaughtUp).is_err() {
        return Ok(());
    }
    let mut looked = Instant::now();
    let mut silent_since: Option<Instant> = None;
    let mut tried: HashSet<String> = HashSet::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while !job.is_cancelled() {
        let wait = if batch.is_empty() { Duration::from_millis(100) } else { Duration::ZERO };
        let mut idle = false;
        match consumer.poll(wait) {
            None => idle = true,
            Some(Ok(message)) => {
                silent_since = None;
                // The first message of an empty topic decides its schema.
                if follower.topics.get(message.topic()).is_some_and(|topic| !topic.recognised)
                    && tried.insert(message.topic().to_owned())
                {
                    follower.discover_partitions()?;
                }
                let (partition, offset) = (message.partition(), message.offset());
                if let Some(topic) = follower.topics.get(message.topic())
                    && let Some(next) = follower.at.next(message.topic(), partition)
                    && offset >= *next
                {
                    *next = offset + 1;
                    job.count(1, message.payload_len());
                    batch.extend(topic.activities(&message, kafka.source, &kafka.source_name));
                    bytes += message.payload_len();
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => silent_since = None,
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                    follower.check_retained()?;
                    follower.assign(&consumer)?;
                }
                // A topic is being created or deleted; if it stays away, the next listing reports it.
                Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {}
                _ if is_transport(&error) => {
                    let since = *silent_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > BROKER_TIMEOUT {
                        return Err(consumer.error(&error));
                    }
                }
                _ => return Err(consumer.error(&error)),
            },
        }
        if batch.len() >= CHUNK || bytes >= CHUNK_BYTES || (idle && !batch.is_empty()) {
            let full = std::mem::take(&mut batch);
            bytes = 0;
            if sink.blocking_send(SourceEvent::Batch(full, Some(Position::new(&follower.at)))).is_err() {
                return Ok(());
            }
        }
        if looked.elapsed() >= DISCOVERY_INTERVAL {
            looked = Instant::now();
            tried.clear();
            if sink.is_closed() {
                return Ok(());
            }
            if follower.discover_partitions()? {
                follower.assign(&consumer)?;
            }
        }
    }
    Ok(())
}

impl Follower<'_> {
    /// Lists topics and partitions; true where there are new ones, which are read from their beginning.
    fn discover_partitions(&mut self) -> Result<bool, Error> {
        let found = self.kafka.topics(&self.asking, self.job)?.activities;
        let mut new = self.topics.is_empty();
        for topic in &found {
            let partitions = self.at.0.entry(topic.name.clone()).or_default();
            let known = !partitions.is_empty();
            for partition in &topic.partitions {
                if !partitions.contains_key(partition) {
                    partitions.insert(*partition, 0);
                    new = true;
                    if known {
                        let text = format!("topic {} has a new partition, {partition}", topic.name);
                        // The loop notices a closed channel.
                        let _ = self.sink.blocking_send(SourceEvent::Notice(text));
                    }
                }
            }
        }
        let gone: Vec<String> =
            self.at.0.keys().filter(|name| !found.iter().any(|t| t.name == **name)).cloned().collect();
        for name in gone {
            self.at.0.remove(&name);
            new = true;
            let _ = self.sink.blocking_send(SourceEvent::Notice(format!("topic {name} was deleted")));
        }
        self.topics = found.into_iter().map(|topic| (topic.name.clone(), topic)).collect();
        Ok(new)
    }

    /// Where the next message has expired, resumes at the first one left and sends a notice of the gap.
    fn check_retained(&mut self) -> Result<(), Error> {
        for (topic, partitions) in &mut self.at.0 {
            for (partition, next) in partitions {
                let (low, high) = self.asking.bounds(topic, *partition)?;
                let text = if *next < low && *next > 0 {
                    format!(
                        "topic {topic}, partition {partition}: offsets {next} to {} have expired and were not read",
                        low - 1
                    )
                } else if *next > high {
                    format!(
                        "topic {topic}, partition {partition}: ends at offset {high} before {next}, where reading was: it \
                         was recreated and is read from its beginning"
                    )
                } else if *next < low {
                    *next = low;
                    continue;
                } else {
                    continue;
                };
                *next = low;
                let _ = self.sink.blocking_send(SourceEvent::Notice(text));
            }
        }
        Ok(())
    }

    fn assign(&self, consumer: &Consumer) -> Result<(), Error> {
        let offsets = self.at.offsets();
        consumer.read_from(offsets.iter().map(|((topic, partition), offset)| (topic.as_str(), *partition, *offset)))
    }
}
