//! A fixture over Elasticsearch: documents as `winston-elasticsearch` writes them, in indices of a day.

use super::fixtures::{Fixture, Plan, begins, plan};
use crate::elasticsearch::{bulk, index_name, refresh};
use crate::servers::{Kind, Proxy, Server, shared};
use crate::support::open;
use crosstail::model::{Names, Timestamp};
use crosstail::source::Source;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The indices of document 002.
pub struct ElasticFixture {
    server: Arc<Server>,
    index: String,
    proxy: Proxy,
    url: String,
    source: Arc<dyn Source>,
    names: Names,
    written: usize,
    begun: HashMap<String, (usize, Timestamp)>,
}

impl ElasticFixture {
    pub async fn new() -> Self {
        let server = shared(Kind::Elasticsearch).await;
        let index = index_name("halopsa-integration");
        let proxy = Proxy::to(server.port).await;
        let url = server.url_at(proxy.port, &format!("{index}-*"));
        let (names, source) = open(std::slice::from_ref(&url));
        let mut fixture = Self { server, index, proxy, url, source, names, written: 0, begun: HashMap::new() };
        // The index of a day is made by its first document; one that no test counts.
        fixture.write(Vec::new()).await;
        fixture
    }

    async fn write(&mut self, documents: Vec<Value>) {
        let lines = documents.into_iter().enumerate().map(|(n, document)| {
            // Two days, which are two indices.
            (json!({ "index": { "_index": format!("{}-2026.11.{}", self.index, 20 + n % 2) } }), document)
        });
        let lines: Vec<(Value, Value)> = lines.collect();
        if lines.is_empty() {
            for day in [20, 21] {
                crate::elasticsearch::create(&self.server, &format!("{}-2026.11.{day}", self.index), json!({})).await;
            }
        } else {
            bulk(&self.server, &lines).await;
            refresh(&self.server, &format!("{}-*", self.index)).await;
        }
    }

    fn begin(&mut self, documents: &mut Vec<Value>) -> Plan {
        let n = self.written;
        self.written += 1;
        let plan = plan(n);
        let at = begins(n);
        self.begun.insert(plan.id.clone(), (n, at));
        documents.push(json!({
            "@timestamp": at.rfc3339(), "level": "INFO", "message": "API Request Started", "service": "halopsa-integration",
            "requestId": plan.id, "correlationId": plan.correlation, "system": plan.system, "method": plan.method,
            "url": format!("/e{}", n % 4), "headers": {"host": "x"}, "body": {"order": plan.id},
        }));
        plan
    }

    fn end(&self, id: &str, documents: &mut Vec<Value>) {
        let (n, at) = self.begun[id];
        let plan = plan(n);
        documents.push(json!({
            "@timestamp": at.plus_ms(plan.millis).rfc3339(), "level": "INFO", "message": "API Request Completed",
            "service": "halopsa-integration", "requestId": plan.id, "statusCode": plan.code, "duration": plan.millis,
        }));
    }
}

impl Fixture for ElasticFixture {
    async fn insert(&mut self, count: usize) -> Vec<String> {
        let mut documents = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..count {
            let plan = self.begin(&mut documents);
            self.end(&plan.id, &mut documents);
            ids.push(plan.id);
        }
        self.write(documents).await;
        ids.sort();
        ids
    }

    async fn start(&mut self, count: usize) -> Vec<String> {
        let mut documents = Vec::new();
        let mut ids: Vec<String> = (0..count).map(|_| self.begin(&mut documents).id).collect();
        self.write(documents).await;
        ids.sort();
        ids
    }

    async fn complete(&mut self, ids: &[String]) {
        let mut documents = Vec::new();
        for id in ids {
            self.end(id, &mut documents);
        }
        self.write(documents).await;
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

    async fn kill(&mut self) {
        self.proxy.cut();
    }

    async fn revive(&mut self) -> Vec<String> {
        let ids = self.insert(10).await;
        self.proxy.mend();
        ids
    }
}
