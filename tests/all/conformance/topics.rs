//! A fixture over Kafka: the lines of HaloPSA's logger as messages of a topic with twelve partitions.

use super::fixtures::{Fixture, Logger, begins};
use crate::kafka::{admin, create, produce, producer, topic_name};
use crate::servers::{Kind, Proxy, Server, shared};
use crate::support::open;
use crosstail_core::model::Names;
use crosstail_source::Source;
use rdkafka::admin::AdminOptions;
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// One topic.
pub struct KafkaFixture {
    server: Arc<Server>,
    producer: BaseProducer,
    topic: String,
    proxy: Option<Proxy>,
    turn: Option<MutexGuard<'static, ()>>,
    url: String,
    source: Arc<dyn Source>,
    names: Names,
    logger: Logger,
}

impl KafkaFixture {
    pub async fn new() -> Option<Self> {
        let server = shared(Kind::Kafka).await?;
        let topic = topic_name("activity");
        create(&server, &topic, 12, &[]).await;
        let producer = producer(&server, "lz4");
        let url = format!("kafka://127.0.0.1:{}/{topic}", server.port);
        let (names, source) = open(std::slice::from_ref(&url));
        let logger = Logger::new("timestamp", begins);
        Some(Self { server, producer, topic, proxy: None, turn: None, url, source, names, logger })
    }

    fn write(&self, lines: Vec<Value>) {
        let keyed =
            lines.into_iter().map(|line| (line["requestId"].as_str().unwrap_or("?").to_owned(), line.to_string()));
        produce(&self.producer, &self.topic, keyed);
    }
}

impl Fixture for KafkaFixture {
    async fn insert(&mut self, count: usize) -> Vec<String> {
        let (lines, ids) = self.logger.insert(count);
        self.write(lines);
        ids
    }

    async fn start(&mut self, count: usize) -> Vec<String> {
        let (lines, ids) = self.logger.start(count);
        self.write(lines);
        ids
    }

    async fn complete(&mut self, ids: &[String]) {
        self.write(self.logger.complete(ids));
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    fn reopened(&self) -> Arc<dyn Source> {
        open(std::slice::from_ref(&self.url)).1
    }

    fn address(&self) -> String {
        self.url.clone()
    }

    async fn fingerprint(&mut self) -> String {
        let limit = std::time::Duration::from_secs(30);
        let client = self.producer.client();
        let marks: Vec<_> = (0..12).map(|n| client.fetch_watermarks(&self.topic, n, limit).expect("read")).collect();
        let groups = client.fetch_group_list(None, limit).expect("listed");
        let groups: Vec<&str> =
            groups.groups().iter().map(|group| group.name()).filter(|name| name.contains("crosstail")).collect();
        format!("{marks:?} {groups:?}")
    }

    async fn delete_all(&mut self) {
        let mut offsets = TopicPartitionList::new();
        for partition in 0..12 {
            offsets.add_partition_offset(&self.topic, partition, Offset::End).expect("added");
        }
        admin(&self.server).delete_records(&offsets, &AdminOptions::new()).await.expect("deleted");
    }

    fn connections(&self) -> usize {
        16
    }

    fn names(&self) -> Names {
        self.names.clone()
    }

    /// Clients go where the broker tells them: one of its listeners tells them the proxy.
    async fn prepare_to_kill(&mut self) {
        // The broker tells clients one port: one test at a time is behind it.
        static ONE: Mutex<()> = Mutex::const_new(());
        self.turn = Some(ONE.lock().await);
        let ports = &self.server.kafka;
        self.proxy = Some(Proxy::between(ports.proxied, ports.behind_proxy).await);
        self.url = format!("kafka://127.0.0.1:{}/{}", ports.proxied, self.topic);
        (self.names, self.source) = open(std::slice::from_ref(&self.url));
    }

    fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }
}
