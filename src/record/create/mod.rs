//! Creating what a schema defines in a store — tables, views, functions, collections, indexes, templates, policies, topics —
//! where it is missing: first a plan that says what is there and what would be run, then, when asked, its statements.

#[cfg(feature = "elasticsearch")]
mod elasticsearch;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "mongodb")]
mod mongodb;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod sql;

use crate::schema::Schema;
use anyhow::Context as _;
use serde_json::Value;

/// What the built-in schemas define, as text: SQL of PostgreSQL, JSON of the others.
const DEFINED: &[(&str, StoreKind, &str)] = &[
    ("prokure", StoreKind::Postgres, include_str!("../../../config/ddl/prokure.postgres.sql")),
    ("prokure", StoreKind::Mongodb, include_str!("../../../config/ddl/prokure.mongodb.json")),
    (
        "integration-activity",
        StoreKind::Postgres,
        include_str!("../../../config/ddl/integration-activity.postgres.sql"),
    ),
    ("halopsa", StoreKind::Elasticsearch, include_str!("../../../config/ddl/halopsa.elasticsearch.json")),
    ("log-tracking", StoreKind::Postgres, include_str!("../../../config/ddl/log-tracking.postgres.sql")),
    ("engineering-logs", StoreKind::Postgres, include_str!("../../../config/ddl/engineering-logs.postgres.sql")),
    (
        "engineering-logs",
        StoreKind::Elasticsearch,
        include_str!("../../../config/ddl/engineering-logs.elasticsearch.json"),
    ),
    ("engineering-logs", StoreKind::Kafka, include_str!("../../../config/ddl/engineering-logs.kafka.json")),
];

/// A kind of store that a schema may define things in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// PostgreSQL.
    Postgres,
    /// MongoDB.
    Mongodb,
    /// Elasticsearch.
    Elasticsearch,
    /// Kafka.
    Kafka,
}

impl StoreKind {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mongodb => "MongoDB",
            Self::Elasticsearch => "Elasticsearch",
            Self::Kafka => "Kafka",
        }
    }

    /// The store of an address.
    pub fn of_url(url: &str) -> Option<Self> {
        match url.split_once("://")?.0 {
            "postgres" | "postgresql" => Some(Self::Postgres),
            "mongodb" | "mongodb+srv" => Some(Self::Mongodb),
            "es+http" | "es+https" => Some(Self::Elasticsearch),
            "kafka" => Some(Self::Kafka),
            _ => None,
        }
    }
}

/// A store that things are created in, and how it is reached.
#[derive(Debug, Clone)]
pub enum Target {
    /// A database, by its URL.
    #[cfg(feature = "postgres")]
    Postgres(String),
    /// A database, by its URL, which names it.
    #[cfg(feature = "mongodb")]
    Mongodb(String),
    /// A cluster.
    #[cfg(feature = "elasticsearch")]
    Elasticsearch(::elasticsearch::http::transport::Transport),
    /// A cluster.
    #[cfg(feature = "kafka")]
    Kafka(rdkafka::ClientConfig),
}

/// How one thing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is there, as it should be.
    There,
    /// It is missing, and would be created.
    Missing,
    /// It is there and is another one, and would be changed.
    Outdated,
    /// It is there and differs; it is left as it is.
    Differs(String),
    /// It cannot be there, and why.
    Impossible(String),
}

/// One thing that a schema defines.
#[derive(Debug, Clone)]
pub struct Item {
    /// What: `table`, `index`, `topic` …
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
    /// What creates it, for people: SQL, a command, a request.
    pub statement: String,
}

impl Item {
    /// Whether it would be created or changed.
    pub fn is_due(&self) -> bool {
        matches!(self.standing, Standing::Missing | Standing::Outdated)
    }
}

/// What a schema defines in a store, and how it stands there.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In the order in which they are created.
    pub items: Vec<Item>,
}

impl Plan {
    /// What would be created or changed.
    pub fn due(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.is_due())
    }
}

/// What a schema defines in a kind of store: SQL of PostgreSQL, JSON of the others.
pub fn definition(schema: &str, store: StoreKind) -> Option<&'static str> {
    DEFINED.iter().find(|(name, kind, _)| *name == schema && *kind == store).map(|(_, _, text)| *text)
}

/// The kinds of store that a schema defines things in.
pub fn defined_in(schema: &str) -> Vec<StoreKind> {
    DEFINED.iter().filter(|(name, ..)| *name == schema).map(|(_, kind, _)| *kind).collect()
}

/// The topics of a schema as properties: what Kafka's own tools take, a block a topic.
pub fn topics_as_properties(text: &str) -> anyhow::Result<String> {
    let defined: Value = serde_json::from_str(text)?;
    let mut out = String::new();
    for topic in defined["topics"].as_array().into_iter().flatten() {
        let name = topic["topic"].as_str().unwrap_or_default();
        out.push_str(&format!("# kafka-topics --create --topic {name}\n"));
        for key in ["topic", "partitions", "replication_factor"] {
            let value = topic[key].as_str().map_or_else(|| topic[key].to_string(), str::to_owned);
            out.push_str(&format!("{}={value}\n", key.replace('_', ".")));
        }
        for (key, value) in topic["config"].as_object().into_iter().flatten() {
            out.push_str(&format!("{key}={}\n", value.as_str().unwrap_or_default()));
        }
        out.push('\n');
    }
    Ok(out.trim_end().to_owned() + "\n")
}

fn defined(schema: &str, store: StoreKind) -> anyhow::Result<&'static str> {
    definition(schema, store).with_context(|| {
        let known: Vec<&str> = DEFINED.iter().filter(|(_, kind, _)| *kind == store).map(|(name, ..)| *name).collect();
        format!("schema {schema} has nothing to create in {}; {} have", store.as_str(), known.join(", "))
    })
}

/// What a schema defines in a store and how it stands there. With `notify`: only the trigger that wakes a follower.
/// Nothing is written.
pub async fn plan(schema: &Schema, target: &Target, notify: bool) -> anyhow::Result<Plan> {
    match *target {
        #[cfg(feature = "postgres")]
        Target::Postgres(ref url) => postgres::plan(schema, url, notify).await,
        #[cfg(feature = "mongodb")]
        Target::Mongodb(ref url) => {
            anyhow::ensure!(!notify, "MongoDB tells of changes by itself: there is no trigger");
            mongodb::plan(defined(&schema.name, StoreKind::Mongodb)?, url).await
        }
        #[cfg(feature = "elasticsearch")]
        Target::Elasticsearch(ref transport) => {
            anyhow::ensure!(!notify, "--notify is a trigger of PostgreSQL");
            elasticsearch::plan(defined(&schema.name, StoreKind::Elasticsearch)?, transport).await
        }
        #[cfg(feature = "kafka")]
        Target::Kafka(ref config) => {
            anyhow::ensure!(!notify, "--notify is a trigger of PostgreSQL");
            kafka::plan(defined(&schema.name, StoreKind::Kafka)?, config).await
        }
    }
}

/// Creates what a plan says is missing. What is there is left as it is.
pub async fn apply(plan: &Plan, target: &Target) -> anyhow::Result<()> {
    match *target {
        #[cfg(feature = "postgres")]
        Target::Postgres(ref url) => postgres::apply(plan, url).await,
        #[cfg(feature = "mongodb")]
        Target::Mongodb(ref url) => mongodb::apply(plan, url).await,
        #[cfg(feature = "elasticsearch")]
        Target::Elasticsearch(ref transport) => elasticsearch::apply(plan, transport).await,
        #[cfg(feature = "kafka")]
        Target::Kafka(ref config) => kafka::apply(plan, config).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_defined_reads() {
        for (name, store, text) in DEFINED {
            assert!(Schema::find(name).is_some(), "{name}");
            if *store != StoreKind::Postgres {
                serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
        let mongo: Value = serde_json::from_str(defined("prokure", StoreKind::Mongodb).expect("there")).expect("JSON");
        assert_eq!(mongo["collections"][0]["indexes"].as_array().map(Vec::len), Some(20));
        let topics =
            topics_as_properties(defined("engineering-logs", StoreKind::Kafka).expect("there")).expect("reads");
        assert!(
            topics.contains("topic=log-ingestion\npartitions=12\nreplication.factor=3\nretention.ms=604800000\n"),
            "{topics}"
        );
    }
}
