//! A fixture over Kafka: the lines of document 002's logger as messages of a topic with twelve partitions.

use super::fixtures::{Fixture, Plan, begins, plan};
use crate::kafka::{create, produce, producer, topic_name};
use crate::servers::{Kind, Proxy, Server, shared};
use crate::support::open;
use crosstail::model::{Names, Timestamp};
use crosstail::source::Source;
use rdkafka::producer::BaseProducer;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// One topic.
pub struct KafkaFixture {
    server: Arc<Server>,
    producer: BaseProducer,
    topic: String,
    proxy: Option<Proxy>,
    url: String,
    source: Arc<dyn Source>,
    names: Names,
    written: usize,
    begun: HashMap<String, (usize, Timestamp)>,
}

impl KafkaFixture {
    pub async fn new() -> Self {
        let server = shared(Kind::Kafka).await;
        let topic = topic_name("activity");
        create(&server, &topic, 12, &[]).await;
        let producer = producer(&server, "lz4");
        let url = format!("kafka://127.0.0.1:{}/{topic}", server.port);
        let (names, source) = open(std::slice::from_ref(&url));
        Self { server, producer, topic, proxy: None, url, source, names, written: 0, begun: HashMap::new() }
    }

    fn write(&self, lines: Vec<Value>) {
        let keyed =
            lines.into_iter().map(|line| (line["requestId"].as_str().unwrap_or("?").to_owned(), line.to_string()));
        produce(&self.producer, &self.topic, keyed);
    }

    fn begin(&mut self, lines: &mut Vec<Value>) -> Plan {
        let n = self.written;
        self.written += 1;
        let plan = plan(n);
        let at = begins(n);
        self.begun.insert(plan.id.clone(), (n, at));
        lines.push(json!({
            "timestamp": at.rfc3339(), "level": "INFO", "message": "API Request Started", "service": "halopsa-integration",
            "requestId": plan.id, "correlationId": plan.correlation, "system": plan.system, "method": plan.method,
            "url": format!("/e{}", n % 4), "headers": {"host": "x"}, "body": {"order": plan.id},
        }));
        plan
    }

    fn end(&self, id: &str, lines: &mut Vec<Value>) {
        let (n, at) = self.begun[id];
        let plan = plan(n);
        lines.push(json!({
            "timestamp": at.plus_ms(plan.millis).rfc3339(), "level": "INFO", "message": "API Request Completed",
            "service": "halopsa-integration", "requestId": plan.id, "statusCode": plan.code, "duration": plan.millis,
        }));
    }
}

impl Fixture for KafkaFixture {
    async fn insert(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..count {
            let plan = self.begin(&mut lines);
            self.end(&plan.id, &mut lines);
            ids.push(plan.id);
        }
        self.write(lines);
        ids.sort();
        ids
    }

    async fn start(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut ids: Vec<String> = (0..count).map(|_| self.begin(&mut lines).id).collect();
        self.write(lines);
        ids.sort();
        ids
    }

    async fn complete(&mut self, ids: &[String]) {
        let mut lines = Vec::new();
        for id in ids {
            self.end(id, &mut lines);
        }
        self.write(lines);
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    fn reopened(&self) -> Arc<dyn Source> {
        open(std::slice::from_ref(&self.url)).1
    }

    fn names(&self) -> Names {
        self.names.clone()
    }

    /// Clients go where the broker tells them: one of its listeners tells them the proxy.
    async fn prepare_to_kill(&mut self) {
        let ports = &self.server.kafka;
        self.proxy = Some(Proxy::between(ports.proxied, ports.behind_proxy).await);
        self.url = format!("kafka://127.0.0.1:{}/{}", ports.proxied, self.topic);
        (self.names, self.source) = open(std::slice::from_ref(&self.url));
    }

    async fn kill(&mut self) {
        self.proxy.as_ref().expect("prepared").cut();
    }

    async fn revive(&mut self) -> Vec<String> {
        let ids = self.insert(10).await;
        self.proxy.as_ref().expect("prepared").mend();
        ids
    }
}
