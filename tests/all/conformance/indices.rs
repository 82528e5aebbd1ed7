//! A fixture over Elasticsearch: documents as `winston-elasticsearch` writes them, in indices of a day.

use super::fixtures::{Fixture, Logger, begins};
use crate::elasticsearch::{ask, bulk, index_name, refresh};
use crate::servers::{Kind, Proxy, Server, shared};
use crate::support::open;
use crosstail_core::model::Names;
use crosstail_source::Source;
use serde_json::{Value, json};
use std::sync::Arc;

/// HaloPSA's indices.
pub struct ElasticFixture {
    server: Arc<Server>,
    index: String,
    proxy: Proxy,
    url: String,
    source: Arc<dyn Source>,
    names: Names,
    logger: Logger,
}

impl ElasticFixture {
    pub async fn new() -> Option<Self> {
        let server = shared(Kind::Elasticsearch).await?;
        let index = index_name("halopsa-integration");
        let proxy = Proxy::to(server.port).await;
        let url = server.url_at(proxy.port, &format!("{index}-*"));
        let (names, source) = open(std::slice::from_ref(&url));
        let mut fixture = Self { server, index, proxy, url, source, names, logger: Logger::new("@timestamp", begins) };
        // The index of a day is made by its first document; one that no test counts.
        fixture.write(Vec::new()).await;
        Some(fixture)
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
}

impl Fixture for ElasticFixture {
    async fn insert(&mut self, count: usize) -> Vec<String> {
        let (lines, ids) = self.logger.insert(count);
        self.write(lines).await;
        ids
    }

    async fn start(&mut self, count: usize) -> Vec<String> {
        let (lines, ids) = self.logger.start(count);
        self.write(lines).await;
        ids
    }

    async fn complete(&mut self, ids: &[String]) {
        let lines = self.logger.complete(ids);
        self.write(lines).await;
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
        let index = &self.index;
        let listed = format!("_cat/indices/{index}-*?format=json&h=index,uuid,docs.count,docs.deleted&s=index");
        let listed = ask(&self.server, "GET", &listed, Value::Null).await;
        let all = format!("{index}-*/_search?size=1000&sort=_doc&seq_no_primary_term=true");
        let all = ask(&self.server, "GET", &all, Value::Null).await;
        let mut hits = all["hits"]["hits"].as_array().cloned().unwrap_or_default();
        hits.sort_by_key(|hit| hit["_id"].to_string());
        let mapped = ask(&self.server, "GET", &format!("{index}-*/_mapping"), Value::Null).await;
        format!("{listed} {hits:?} {mapped}")
    }

    async fn delete_all(&mut self) {
        // The build for tests has no module that deletes by query.
        let all = ask(&self.server, "GET", &format!("{}-*/_search?size=1000", self.index), Value::Null).await;
        for hit in all["hits"]["hits"].as_array().expect("hits") {
            let path = format!("{}/_doc/{}", hit["_index"].as_str().expect("text"), hit["_id"].as_str().expect("text"));
            ask(&self.server, "DELETE", &path, Value::Null).await;
        }
        refresh(&self.server, &format!("{}-*", self.index)).await;
    }

    fn connections(&self) -> usize {
        8
    }

    fn names(&self) -> Names {
        self.names.clone()
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }
}
