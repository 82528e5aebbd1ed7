//! Reads ranges of offsets: the only way in which retained messages are read.

use super::Error;
use super::connection::{Consumer, TIME_LIMIT};
use crosstail_source::Job;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message as _};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// By topic and partition: the first offset and the one after the last.
pub(super) type Ranges = BTreeMap<(String, i32), (i64, i64)>;

/// Passes every message of the ranges to `take`, each partition in order, until `take` or the job stops it.
pub(super) fn range(
    consumer: &Consumer,
    ranges: &Ranges,
    job: &Job,
    take: &mut dyn FnMut(&BorrowedMessage<'_>) -> bool,
) -> Result<(), Error> {
    // librdkafka reports the end of a partition without the topic's name, so topics are read one by one.
    let mut by_topic: BTreeMap<&str, BTreeMap<i32, (i64, i64)>> = BTreeMap::new();
    for ((topic, partition), (low, high)) in ranges {
        if low < high {
            by_topic.entry(topic).or_default().insert(*partition, (*low, *high));
        }
    }
    for (topic, mut open) in by_topic {
        job.runs(topic);
        consumer.read_from(open.iter().map(|(partition, (low, _))| (topic, *partition, *low)))?;
        let mut heard = Instant::now();
        while !open.is_empty() {
            job.check().map_err(Error::Stopped)?;
            match consumer.poll(Duration::from_millis(100)) {
                None if heard.elapsed() > TIME_LIMIT => {
                    return Err(Error::Timeout(format!("{topic}: no message arrived")));
                }
                None => {}
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                Some(Err(error)) if has_expired(&error) => {
                    if !moved_on(consumer, topic, &mut open)? {
                        return Err(consumer.error(&error));
                    }
                }
                Some(Err(error)) => {
                    let transient = super::is_transport(&error);
                    if !transient || heard.elapsed() > TIME_LIMIT {
                        return Err(consumer.error(&error));
                    }
                }
                Some(Ok(message)) => {
                    heard = Instant::now();
                    job.count(1, message.payload_len());
                    let partition = message.partition();
                    let Some((low, high)) = open.get_mut(&partition) else { continue };
                    let (offset, last) = (message.offset(), message.offset() + 1 >= *high);
                    *low = offset + 1;
                    if offset < *high && !take(&message) {
                        return Ok(());
                    }
                    if last {
                        open.remove(&partition);
                        let mut done = TopicPartitionList::new();
                        done.add_partition(topic, partition);
                        // Not paused: a partition that is assigned again and resumed may go on where it was.
                        consumer.incremental_unassign(&done).map_err(|error| consumer.error(&error))?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Whether an error says that messages are gone: a topic drops its oldest while it is read, and history is read towards them.
fn has_expired(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(Code::AutoOffsetReset | Code::OffsetOutOfRange))
}

/// Goes on with what a topic still has of ranges. False where nothing has moved.
fn moved_on(consumer: &Consumer, topic: &str, open: &mut BTreeMap<i32, (i64, i64)>) -> Result<bool, Error> {
    let mut moved = false;
    for (partition, (low, _)) in open.iter_mut() {
        let (begin, _) = consumer.bounds(topic, *partition)?;
        moved |= begin > *low;
        *low = begin.max(*low);
    }
    open.retain(|_, (low, high)| low < high);
    if moved && !open.is_empty() {
        consumer.read_from(open.iter().map(|(partition, (low, _))| (topic, *partition, *low)))?;
    }
    Ok(moved)
}
