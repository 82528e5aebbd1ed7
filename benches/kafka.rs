//! Kafka beside the bare client, on a real broker:
//!
//! ```sh
//! KAFKA_BROKERS=127.0.0.1:9092 cargo bench --bench kafka
//! ```
//!
//! Writes 200,000 messages to a topic of its own with twelve partitions (lz4), reads them with `rdkafka`'s consumer alone
//! and with the source into the store, three times each in turn, and says the ratio. Then the time from a write to its
//! delivery while following. The topic is deleted.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::too_many_lines,
    reason = "a program for people"
)]

use crosstail_core::model::{Clock, Names};
use crosstail_engine::store::Store;
use crosstail_source::SourceConfig;
use crosstail_source::{Job, Source, SourceEvent};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const COUNT: usize = 200_000;
const PARTITIONS: i32 = 12;
const TOPIC: &str = "crosstail-measure-log-processing";

fn message(n: usize) -> String {
    let at = Clock::system().now().rfc3339();
    format!(
        "{{\"log_id\":\"log-{n}\",\"source_id\":\"6f0b7e0e-0000-4000-8000-000000000001\",\"timestamp\":\"{at}\",\"level\":\"INFO\",\
         \"message\":\"order {n} sent to the warehouse\",\"category\":\"orders\",\"tags\":[\"orders\"],\"parsed_fields\":{{\"host\":\"h1\",\
         \"service\":\"orders\",\"thread\":\"main\",\"class\":\"Orders\",\"method\":\"send\",\"line_number\":7}},\"metadata\":{{\"request_id\":\"r-{n}\"}},\
         \"processing_status\":\"processed\"}}"
    )
}

fn bare(brokers: &str) -> f64 {
    let begun = Instant::now();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "crosstail-measure")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let mut from = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        from.add_partition_offset(TOPIC, partition, Offset::Beginning).expect("added");
    }
    consumer.assign(&from).expect("assigned");
    let (mut seen, mut bytes) = (0, 0);
    while seen < COUNT {
        if let Some(Ok(message)) = consumer.poll(Duration::from_secs(5)) {
            seen += 1;
            bytes += message.payload().map_or(0, <[u8]>::len);
        }
    }
    assert!(bytes > COUNT * 100);
    begun.elapsed().as_secs_f64()
}

async fn ours(names: &Names, source: &Arc<dyn Source>) -> f64 {
    let begun = Instant::now();
    let upto = source.position(&Job::default()).await.expect("position");
    let (sink, mut updates) = crosstail_source::Sink::channel(4);
    let reading = {
        let source = Arc::clone(source);
        tokio::spawn(async move { source.backfill(&upto, usize::MAX, &sink, &Job::default()).await })
    };
    let mut store = Store::new(names.clone());
    while let Some(update) = updates.recv().await {
        if let SourceEvent::Batch(items, _) = update {
            store.ingest(items);
        }
    }
    reading.await.expect("joined").expect("read");
    assert_eq!(store.len(), COUNT);
    begun.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() {
    let Ok(brokers) = std::env::var("KAFKA_BROKERS") else {
        println!("KAFKA_BROKERS=host:9092 cargo bench --bench kafka");
        return;
    };
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &brokers).create().expect("a client");
    let topic = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new()).await.expect("asked")[0].as_ref().expect("made");
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &brokers)
        .set("compression.type", "lz4")
        .set("linger.ms", "0")
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .expect("a producer");
    let write = |n: usize| {
        let (key, text) = (n.to_string(), message(n));
        producer.send(BaseRecord::to(TOPIC).key(&key).payload(&text)).map_err(|(e, _)| e).expect("queued");
    };
    (0..COUNT).for_each(write);
    producer.flush(Duration::from_mins(1)).expect("written");
    let names = Names::default();
    let at = vec![format!("kafka://{brokers}/{TOPIC}")];
    let config = SourceConfig { name: "kafka".to_owned(), at, ..SourceConfig::default() };
    let (_, source) = crosstail::kinds::ALL.open(&config, &names).expect("opened");
    let (mut alone, mut taken) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        alone.push(bare(&brokers));
        taken.push(ours(&names, &source).await);
    }
    let best = |times: &[f64]| times.iter().copied().fold(f64::MAX, f64::min);
    let (alone, taken) = (best(&alone), best(&taken));
    println!(
        "{COUNT} messages: bare client {alone:.2} s, source into the store {taken:.2} s ({:.2} x its rate)",
        alone / taken
    );

    let (sink, mut updates) = crosstail_source::Sink::channel(64);
    let from = source.position(&Job::default()).await.expect("position");
    let cancel = CancellationToken::new();
    let following = {
        let (source, cancel) = (Arc::clone(&source), cancel.clone());
        tokio::spawn(async move { source.follow(from, &sink, &Job::default().under(&cancel)).await })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut written: HashMap<String, Instant> = HashMap::new();
    let mut late: Vec<f64> = Vec::new();
    let mut next = COUNT;
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        write(next);
        producer.poll(Duration::ZERO);
        written.insert(format!("log-{next}"), Instant::now());
        next += 1;
        let pause = tokio::time::sleep(Duration::from_millis(25));
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                Some(update) = updates.recv() => if let SourceEvent::Batch(items, _) = update {
                    late.extend(items.iter().filter_map(|a| Some(written.get(&a.id.to_string())?.elapsed().as_secs_f64() * 1e3)));
                },
            }
        }
    }
    cancel.cancel();
    following.await.expect("joined").expect("well");
    late.sort_by(f64::total_cmp);
    let at = |q: f64| late[((late.len() as f64 * q) as usize).min(late.len() - 1)];
    println!(
        "{} of {} followed, p50 {:.0} ms, p99 {:.0} ms from the write to its delivery",
        late.len(),
        written.len(),
        at(0.5),
        at(0.99)
    );
    admin.delete_topics(&[TOPIC], &AdminOptions::new()).await.expect("deleted");
}
