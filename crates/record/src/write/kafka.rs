//! Kafka: the flow of the engineering logs. A log is a message of `log-ingestion`, then of `log-processing`; errors raise
//! alerts, and every ten seconds the numbers of each service go to `analytics`.

use super::Writer;
use super::log::{self, Engineering};
use crate::{Start, WriteStep};
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use crosstail_core::model::{Level, Timestamp};
use rayon::prelude::*;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The flow's topics.
const TOPICS: [&str; 4] = ["log-ingestion", "log-processing", "alerts", "analytics"];
/// The numbers of a service are of this long.
const PERIOD_US: i64 = 10_000_000;

/// What the brokers have answered.
#[derive(Default)]
struct Deliveries {
    arrived: [AtomicU64; 4],
    error: Mutex<Option<String>>,
}

struct Watch(Arc<Deliveries>);

impl rdkafka::ClientContext for Watch {}

impl ProducerContext for Watch {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult<'_>, topic: Self::DeliveryOpaque) {
        match result {
            Ok(_) => {
                self.0.arrived[*topic].fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                *self.0.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
        }
    }
}

/// Writes into topics.
pub struct KafkaWriter {
    producer: Arc<ThreadedProducer<Watch>>,
    deliveries: Arc<Deliveries>,
    /// Which of the flow's topics are written to.
    wanted: [bool; 4],
    /// Of each service since the beginning of the period: logs, errors.
    counts: BTreeMap<String, (u64, u64)>,
    period: Option<i64>,
}

impl KafkaWriter {
    /// Connects to the cluster of a configuration, and writes to those of the flow's topics that `takes` picks.
    ///
    /// # Errors
    ///
    /// If the brokers cannot be reached, or a topic is missing.
    pub fn connect(mut config: ClientConfig, takes: impl Fn(&str) -> bool) -> anyhow::Result<Self> {
        let wanted = TOPICS.map(takes);
        if !wanted.contains(&true) {
            bail!("the address names none of the flow's topics: {}", TOPICS.join(", "));
        }
        config
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("linger.ms", "20")
            .set("message.timeout.ms", "30000");
        let deliveries = Arc::new(Deliveries::default());
        let producer: ThreadedProducer<Watch> =
            config.create_with_context(Watch(Arc::clone(&deliveries))).context("make a producer")?;
        let known =
            producer.client().fetch_metadata(None, Duration::from_secs(15)).context("ask the brokers for topics")?;
        for (topic, _) in TOPICS.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
            if !known.topics().iter().any(|known| known.name() == *topic) {
                bail!("there is no topic {topic}; create it with: crosstail schema apply engineering-logs --to URL");
            }
        }
        Ok(Self { producer: Arc::new(producer), deliveries, wanted, counts: BTreeMap::new(), period: None })
    }

    /// The numbers of a period that is over.
    fn analytics(&mut self, until: i64) -> Vec<(usize, String, Value)> {
        let at = Timestamp(until * PERIOD_US).rfc3339();
        let one = |(service, (logs, errors)): (String, (u64, u64))| {
            let of = |name: &str, value: u64| {
                json!({
                    "metric_name": name, "metric_type": "counter", "timestamp": at, "value": value as f64,
                    "dimensions": { "source_id": log::source_id(&service).to_string(), "service": service }, "aggregation_period": "10s",
                })
            };
            [of("log_count", logs), of("error_count", errors)].map(|message| (3, service.clone(), message))
        };
        std::mem::take(&mut self.counts).into_iter().flat_map(one).collect()
    }
}

#[async_trait]
impl Writer for KafkaWriter {
    fn accepts(&self, _: &Start) -> bool {
        true
    }

    async fn write(&mut self, steps: &[WriteStep]) -> anyhow::Result<()> {
        let logs: Vec<Engineering> =
            steps.par_iter().filter_map(log::ended).map(|(start, outcome)| Engineering::of(start, outcome)).collect();
        let mut messages: Vec<(usize, String, Value)> = logs
            .par_iter()
            .flat_map_iter(|log| {
                let id = || log.log_id.clone();
                let alert = log.alert().map(|alert| (2, id(), alert));
                [(0, id(), log.ingested()), (1, id(), log.processed())].into_iter().chain(alert)
            })
            .collect();
        for log in &logs {
            let period = log.at.0.div_euclid(PERIOD_US);
            if self.period.is_some_and(|known| period > known) {
                messages.extend(self.analytics(period));
            }
            self.period = self.period.max(Some(period));
            let service = log.metadata["service"].as_str().unwrap_or_default().to_owned();
            let counts = self.counts.entry(service).or_default();
            counts.0 += 1;
            counts.1 += u64::from(log.level >= Level::Error);
        }
        let wanted = self.wanted;
        messages.retain(|(topic, ..)| wanted[*topic]);
        let (producer, deliveries) = (Arc::clone(&self.producer), Arc::clone(&self.deliveries));
        let send = move || {
            for (topic, key, message) in &messages {
                let text = message.to_string();
                let record = || BaseRecord::with_opaque_to(TOPICS[*topic], Box::new(*topic)).key(key).payload(&text);
                loop {
                    match producer.send(record()) {
                        Ok(()) => break,
                        // The queue waits for the brokers, and we for the queue.
                        Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                            std::thread::park_timeout(Duration::from_millis(5));
                        }
                        Err((error, _)) => bail!("{}: {error}", TOPICS[*topic]),
                    }
                }
            }
            match deliveries.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(error) => bail!("a message was not taken: {error}"),
                None => Ok(()),
            }
        };
        tokio::task::spawn_blocking(send).await?
    }

    fn written(&self) -> Vec<(String, u64)> {
        let of =
            |(at, topic): (usize, &&str)| ((*topic).to_owned(), self.deliveries.arrived[at].load(Ordering::Relaxed));
        TOPICS.iter().enumerate().filter(|(at, _)| self.wanted[*at]).map(of).collect()
    }

    async fn finish(&mut self) -> anyhow::Result<()> {
        let producer = Arc::clone(&self.producer);
        let flushed = tokio::task::spawn_blocking(move || producer.flush(Duration::from_mins(1)));
        flushed.await?.context("the brokers did not take the last messages")?;
        match self.deliveries.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => bail!("a message was not taken: {error}"),
            None => Ok(()),
        }
    }
}
