//! The state of the cluster: brokers, topics, under-replicated partitions, consumer groups and their lag, and the
//! series that schemas find among its topics (engineering logs, monitoring and analytics).

use super::connection::{Consumer, TIME_LIMIT};
use super::range::range;
use super::topics::{Offsets, Topic, ends};
use super::{Error, Kafka};
use crosstail_core::model::{Check, HealthState, Metric, Timestamp, Vitals};
use crosstail_source::Job;
use crosstail_source::series::Series;
use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use std::time::Instant;

/// Groups whose offsets are read, at most.
const GROUPS: usize = 50;
/// Measurements that are read, at most, per partition.
const MEASUREMENTS: i64 = 1000;

/// The state of the cluster.
pub(super) fn vitals(kafka: &Kafka, job: &Job, since: Timestamp) -> Result<Vitals, Error> {
    let consumer = kafka.address.consumer()?;
    let topics = kafka.topics(&consumer, job)?;
    let mut vitals = Vitals::default();
    let all: Vec<Topic> = topics.activities.iter().chain(&topics.series).cloned().collect();
    partitions(&consumer, &all, &mut vitals)?;
    let end = ends(&consumer, &all, Offset::End)?;
    throughput(kafka, &end, &mut vitals);
    groups(kafka, &consumer, &all, &end, &mut vitals)?;
    series(&consumer, job, &topics.series, since, &mut vitals)?;
    Ok(vitals)
}

fn partitions(consumer: &Consumer, topics: &[Topic], vitals: &mut Vitals) -> Result<(), Error> {
    let metadata = consumer.metadata()?;
    let (mut under, mut offline) = (Vec::new(), Vec::new());
    for topic in metadata.topics().iter().filter(|topic| topics.iter().any(|read| read.name == topic.name())) {
        let few = topic.partitions().iter().filter(|p| p.isr().len() < p.replicas().len()).count();
        let gone = topic.partitions().iter().filter(|p| p.leader() < 0).count();
        if few > 0 {
            under.push(format!("{} of {}", few, topic.name()));
        }
        if gone > 0 {
            offline.push(format!("{} of {}", gone, topic.name()));
        }
        let replicas = topic.partitions().first().map_or(0, |partition| partition.replicas().len());
        let replicas = replicas.to_string();
        let labels = [("topic", topic.name()), ("replicas", replicas.as_str())];
        let count = |n: usize| Some(n as f64);
        vitals.metrics.push(Metric::new("topics", "partitions", &labels, count(topic.partitions().len())));
        let labels = &labels[..1];
        vitals.metrics.push(Metric::new("topics", "under-replicated partitions", labels, count(few)));
    }
    let brokers = metadata.brokers().len();
    let (state, detail) = if !offline.is_empty() {
        (HealthState::Down, format!("partitions without a leader: {}", offline.join(", ")))
    } else if !under.is_empty() {
        (HealthState::Degraded, format!("under-replicated partitions: {}", under.join(", ")))
    } else {
        (HealthState::Healthy, "every partition has its leader and its replicas".to_owned())
    };
    let plural = if brokers == 1 { "" } else { "s" };
    vitals.checks.push(Check::new("cluster", state, format!("{brokers} broker{plural}; {detail}")));
    vitals.metrics.insert(0, Metric::new("cluster", "brokers", &[], Some(brokers as f64)));
    Ok(())
}

/// Adds messages per second since the previous call.
fn throughput(kafka: &Kafka, end: &Offsets, vitals: &mut Vitals) {
    let mut before = kafka.ends_before.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let now = Instant::now();
    let mut topics: Vec<&str> = end.keys().map(|(topic, _)| topic.as_str()).collect();
    topics.dedup();
    for topic in topics {
        let sum = |offsets: &Offsets| -> i64 { offsets.iter().filter(|((t, _), _)| t == topic).map(|(_, n)| *n).sum() };
        let total = sum(end);
        let rate = before.as_ref().and_then(|(at, offsets)| {
            let seconds = now.duration_since(*at).as_secs_f64();
            let known = offsets.keys().any(|(t, _)| t == topic);
            (known && seconds > 0.0).then(|| (total - sum(offsets)).max(0) as f64 / seconds)
        });
        let metric = Metric::new("topics", "messages", &[("topic", topic)], Some(total as f64));
        vitals.metrics.push(Metric { kind: crosstail_core::model::MetricKind::Counter, rate, ..metric });
    }
    *before = Some((now, end.clone()));
}

/// Adds the lag of each consumer group, in messages. Where a group has not committed an offset in a partition, its lag
/// there is unknown, not 0.
fn groups(
    kafka: &Kafka,
    consumer: &Consumer,
    topics: &[Topic],
    end: &Offsets,
    vitals: &mut Vitals,
) -> Result<(), Error> {
    let list = match consumer.fetch_group_list(None, TIME_LIMIT) {
        Ok(list) => list,
        Err(error) => {
            let error = consumer.error(&error);
            let detail = format!("consumer groups are not visible: {error}; grant DESCRIBE on groups");
            vitals.checks.push(Check::new("consumer groups", HealthState::Unknown, detail));
            return Ok(());
        }
    };
    for group in list
        .groups()
        .iter()
        .filter(|group| group.protocol_type() == "consumer" || group.protocol_type().is_empty())
        .take(GROUPS)
    {
        let asking = kafka.address.consumer_as(group.name())?;
        let mut wanted = TopicPartitionList::new();
        for topic in topics {
            for partition in &topic.partitions {
                wanted.add_partition(&topic.name, *partition);
            }
        }
        let committed = match asking.committed_offsets(wanted, TIME_LIMIT) {
            Ok(committed) => committed,
            Err(error) => {
                let detail = format!("{}: {}", group.name(), asking.error(&error));
                vitals.checks.push(Check::new("consumer group", HealthState::Unknown, detail));
                continue;
            }
        };
        for topic in topics {
            let (mut lag, mut unknown) = (0, 0);
            for element in committed.elements_for_topic(&topic.name) {
                let last = end.get(&(topic.name.clone(), element.partition())).copied().unwrap_or(0);
                match element.offset() {
                    Offset::Offset(offset) => lag += (last - offset).max(0),
                    _ => unknown += 1,
                }
            }
            if unknown == topic.partitions.len() {
                continue;
            }
            let members = group.members().len().to_string();
            let of = format!("{unknown} of {}", topic.partitions.len());
            let mut labels = vec![
                ("group", group.name()),
                ("topic", topic.name.as_str()),
                ("state", group.state()),
                ("members", members.as_str()),
            ];
            if unknown > 0 {
                labels.push(("partitions without an offset", of.as_str()));
            }
            let value = (unknown == 0).then_some(lag as f64);
            vitals.metrics.push(Metric::new("consumer groups", "lag", &labels, value));
            if unknown > 0 {
                // The known part is a lower bound.
                vitals.metrics.push(Metric::new("consumer groups", "lag at least", &labels[..2], Some(lag as f64)));
            }
            if lag > 0 && group.members().is_empty() {
                let detail = format!("{} is {lag} messages behind on {} and has no consumer", group.name(), topic.name);
                vitals.checks.push(Check::new("consumer group", HealthState::Degraded, detail));
            }
        }
    }
    Ok(())
}

/// Adds the measurements since a time.
fn series(
    consumer: &Consumer,
    job: &Job,
    topics: &[Topic],
    since: Timestamp,
    vitals: &mut Vitals,
) -> Result<(), Error> {
    let end = ends(consumer, topics, Offset::End)?;
    let low = ends(consumer, topics, Offset::Offset(since.0.div_euclid(1000).max(0)))?;
    let ranges = low
        .into_iter()
        .filter_map(|(key, low)| end.get(&key).map(|end| (key.clone(), (low.max(end - MEASUREMENTS), *end))))
        .collect();
    let mut series = Series::default();
    let mut wrong = 0;
    range(consumer, &ranges, job, &mut |message| {
        let table = topics
            .iter()
            .find(|topic| topic.name == message.topic())
            .and_then(|topic| topic.schema.series_of(&topic.name));
        let record = message.payload().and_then(|bytes| serde_json::from_slice(bytes).ok());
        let read = table.zip(record).is_some_and(|(table, record)| series.add(table, &record));
        wrong += usize::from(!read);
        true
    })?;
    if wrong > 0 {
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        let detail = format!("{wrong} messages of {} are not measurements", names.join(", "));
        vitals.checks.push(Check::new("analytics", HealthState::Degraded, detail));
    }
    vitals.metrics.extend(series.metrics());
    Ok(())
}
