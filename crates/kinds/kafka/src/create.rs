//! Creates what a schema defines: topics with their partitions, replicas and settings.

use crate::definitions;
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use crosstail_core::number::saturating_usize;
use crosstail_core::schema::Schema;
use crosstail_source::create::{Creator, Item, ItemState, Plan};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TIME_LIMIT: Duration = Duration::from_secs(15);

fn admin(config: &ClientConfig) -> anyhow::Result<Arc<AdminClient<DefaultClientContext>>> {
    config.create().map(Arc::new).context("connect")
}

/// Creates topics in a cluster.
pub(crate) struct KafkaCreator(ClientConfig);

impl KafkaCreator {
    pub(crate) fn new(config: ClientConfig) -> Self {
        Self(config)
    }
}

#[async_trait]
impl Creator for KafkaCreator {
    async fn plan(&self, schema: &Schema, notify: bool) -> anyhow::Result<Plan> {
        anyhow::ensure!(!notify, "--notify is for PostgreSQL");
        plan(definitions::text(&schema.name)?, &self.0).await
    }

    async fn apply(&self, plan: &Plan) -> anyhow::Result<()> {
        apply(plan, &self.0).await
    }
}

async fn plan(text: &str, config: &ClientConfig) -> anyhow::Result<Plan> {
    let wanted: Value = serde_json::from_str(text)?;
    let admin = admin(config)?;
    let (brokers, topics) = existing_topics(&admin).await?;
    let mut plan = Plan::default();
    for topic in wanted["topics"].as_array().into_iter().flatten() {
        let name = topic["topic"].as_str().unwrap_or_default();
        let partitions = saturating_usize(topic["partitions"].as_u64().unwrap_or(1));
        let replicas = saturating_usize(topic["replication_factor"].as_u64().unwrap_or(1)).min(brokers.max(1));
        let settings: Vec<(&str, &str)> = topic["config"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
            .collect();
        let standing = match topics.iter().find(|(known, _)| known == name) {
            None => ItemState::Missing,
            Some((_, there)) => {
                let mut different = Vec::new();
                if *there != partitions {
                    different.push(format!("{there} partitions and should have {partitions}"));
                }
                let asked = [ResourceSpecifier::Topic(name)];
                let answer = admin.describe_configs(&asked, &AdminOptions::new()).await.context("read settings")?;
                let resource = answer.into_iter().next().context("no answer")?;
                let resource = resource.map_err(|code| anyhow::anyhow!("read the settings of {name}: {code}"))?;
                for (key, value) in &settings {
                    let has = resource.get(key).and_then(|entry| entry.value.clone()).unwrap_or_default();
                    if has != *value {
                        different.push(format!("{key} is {has} and should be {value}"));
                    }
                }
                if different.is_empty() { ItemState::There } else { ItemState::Differs(different.join("; ")) }
            }
        };
        let options: String = settings.iter().map(|(key, value)| format!(" --config {key}={value}")).collect();
        let statement = format!(
            "kafka-topics --create --topic {name} --partitions {partitions} --replication-factor {replicas}{options}"
        );
        plan.items.push(Item { object: "topic", name: name.to_owned(), state: standing, statement });
    }
    Ok(plan)
}

async fn apply(plan: &Plan, config: &ClientConfig) -> anyhow::Result<()> {
    let admin = admin(config)?;
    for item in plan.pending() {
        let words: Vec<&str> = item.statement.split(' ').collect();
        let after = |option: &str| {
            let at = words.iter().position(|word| *word == option)?;
            words.get(at + 1)?.parse::<i32>().ok()
        };
        let partitions = after("--partitions").context("no partitions")?;
        let replicas = after("--replication-factor").context("no replicas")?;
        let mut topic = NewTopic::new(&item.name, partitions, TopicReplication::Fixed(replicas));
        for setting in words.windows(2).filter(|pair| pair[0] == "--config") {
            let (key, value) = setting[1].split_once('=').context("no setting")?;
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(TIME_LIMIT));
        for answer in admin.create_topics([&topic], &options).await.context("create topics")? {
            if let Err((name, code)) = answer {
                bail!("create topic {name}: {code}");
            }
        }
    }
    // A broker responds before it lists the topics that it has created.
    let until = Instant::now() + TIME_LIMIT;
    loop {
        let (_, topics) = existing_topics(&admin).await?;
        let missing =
            plan.pending().find(|item| !topics.iter().any(|(name, partitions)| *name == item.name && *partitions > 0));
        match missing {
            None => return Ok(()),
            Some(item) if Instant::now() > until => {
                bail!("topic {} was created, but the brokers do not list it", item.name)
            }
            Some(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// The number of brokers, and the existing topics with their number of partitions.
async fn existing_topics(
    admin: &Arc<AdminClient<DefaultClientContext>>,
) -> anyhow::Result<(usize, Vec<(String, usize)>)> {
    let asking = Arc::clone(admin);
    // librdkafka blocks the calling thread while it waits for the broker.
    let metadata = tokio::task::spawn_blocking(move || {
        let metadata = asking.inner().fetch_metadata(None, TIME_LIMIT)?;
        let topics: Vec<(String, usize)> =
            metadata.topics().iter().map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect();
        Ok::<_, rdkafka::error::KafkaError>((metadata.brokers().len(), topics))
    });
    metadata.await?.context("ask the brokers for their topics")
}
