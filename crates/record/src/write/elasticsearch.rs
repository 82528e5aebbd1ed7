//! Elasticsearch, by `_bulk`: HaloPSA's Winston lines in an index a day, or the engineering logs' `engineering_logs`.

use super::cluster::{Body, Cluster, Method};
use super::log::{self, Engineering};
use super::{Refused, Writer};
use crate::{Start, WriteStep};
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use crosstail_core::model::Timestamp;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Documents a request.
const DOCUMENTS: usize = 1000;

/// Writes into indices.
#[derive(Debug)]
pub struct ElasticsearchWriter {
    cluster: Cluster,
    pattern: String,
    engineering: bool,
    written: BTreeMap<String, u64>,
}

impl ElasticsearchWriter {
    /// Writes into the index of a name, or into one a day for a pattern with `*` at its end. `schema` is `halopsa` or
    /// `engineering-logs`.
    ///
    /// # Errors
    ///
    /// If the pattern names several indices, or the schema is another one.
    pub fn new(cluster: Cluster, pattern: &str, schema: &str) -> anyhow::Result<Self> {
        if pattern.contains(',')
            || pattern.trim_end_matches('*').contains('*')
            || pattern.trim_end_matches('*').is_empty()
        {
            bail!("name one index to write to, or a beginning with * for one a day, and not '{pattern}'");
        }
        if !["halopsa", "engineering-logs"].contains(&schema) {
            bail!("Elasticsearch is written to as halopsa or engineering-logs, and not as {schema}");
        }
        let engineering = schema == "engineering-logs";
        Ok(Self { cluster, pattern: pattern.to_owned(), engineering, written: BTreeMap::new() })
    }

    fn index(&self, at: Timestamp) -> String {
        match self.pattern.strip_suffix('*') {
            Some(beginning) => format!("{beginning}{}", at.utc().format("%Y.%m.%d")),
            None => self.pattern.clone(),
        }
    }

    /// The documents of a step, each with its index and, where it has one, its id.
    fn documents(&self, step: &WriteStep) -> Vec<(String, Option<String>, Value)> {
        if !self.engineering {
            return log::winston(step)
                .into_iter()
                .map(|(at, _, mut line)| {
                    // winston-elasticsearch's transformer of the document: the time has another name.
                    if let Some(line) = line.as_object_mut() {
                        line.shift_remove("timestamp");
                        line.insert("@timestamp".to_owned(), at.rfc3339().into());
                    }
                    (self.index(at), None, line)
                })
                .collect();
        }
        let Some((start, outcome)) = log::ended(step) else { return Vec::new() };
        let log = Engineering::of(start, outcome);
        let mut document = log.processed();
        document["created_at"] = log.at.rfc3339().into();
        document["size_bytes"] = log.raw.len().into();
        let mut documents = vec![(self.index(log.at), Some(log.log_id.clone()), document)];
        if let Some(alert) = log.alert() {
            let id = alert["alert_id"].as_str().map(str::to_owned);
            documents.push(("engineering_alerts".to_owned(), id, alert));
        }
        documents
    }
}

#[async_trait]
impl Writer for ElasticsearchWriter {
    fn accepts(&self, _: &Start) -> bool {
        true
    }

    async fn write(&mut self, steps: &[WriteStep]) -> anyhow::Result<()> {
        let of_step = |(at, step)| self.documents(step).into_iter().map(move |document| (at, document));
        let documents: Vec<_> = steps.par_iter().enumerate().flat_map_iter(of_step).collect();
        let mut refused: Vec<(usize, String)> = Vec::new();
        for chunk in documents.chunks(DOCUMENTS) {
            let mut body = String::new();
            for (_, (index, id, document)) in chunk {
                // A second log of one id is an error, not another version of the first.
                let action = match id {
                    Some(id) => json!({ "create": { "_index": index, "_id": id } }),
                    None => json!({ "index": { "_index": index } }),
                };
                body.push_str(&format!("{action}\n{document}\n"));
            }
            let limit = std::time::Duration::from_mins(1);
            let sent = self.cluster.send(Method::Post, "/_bulk", Body::Lines(body), limit).await;
            let (status, text) = sent.context("connect")?;
            let answer: Value = serde_json::from_str(&text).context("read the cluster's answer")?;
            if !(200..300).contains(&status) {
                let reason = answer["error"]["reason"].as_str().unwrap_or("no reason was given");
                bail!("the cluster refused: HTTP {status}: {reason}");
            }
            let items = answer["items"].as_array().into_iter().flatten();
            for (item, (step, _)) in items.zip(chunk) {
                let Some((_, done)) = item.as_object().and_then(|item| item.iter().next()) else { continue };
                let index = done["_index"].as_str().unwrap_or("a document");
                if let Some(reason) = done["error"]["reason"].as_str() {
                    let reason = format!("{index}: {reason}");
                    // Too many requests, or a shard that is not there: nothing that the document is to blame for.
                    if done["status"].as_u64().is_none_or(|status| status == 429 || status >= 500) {
                        bail!(reason);
                    }
                    if refused.last().is_none_or(|(last, _)| last != step) {
                        refused.push((*step, reason));
                    }
                    continue;
                }
                *self.written.entry(index.to_owned()).or_default() += 1;
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(Refused::Steps(refused).into()) }
    }

    fn written(&self) -> Vec<(String, u64)> {
        self.written.iter().map(|(index, count)| (index.clone(), *count)).collect()
    }

    /// What was written can be searched.
    async fn finish(&mut self) -> anyhow::Result<()> {
        for index in self.written.keys() {
            let path = format!("/{index}/_refresh");
            let limit = std::time::Duration::from_mins(1);
            let (status, _) = self.cluster.send(Method::Post, &path, Body::None, limit).await.context("connect")?;
            anyhow::ensure!((200..300).contains(&status), "refresh {index}: HTTP {status}");
        }
        Ok(())
    }
}
