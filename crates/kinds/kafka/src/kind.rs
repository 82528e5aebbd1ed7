//! What Kafka is to the rest of the program.

use crate::KafkaSource;
use crate::create::topics_as_properties;
use crosstail_core::schema::StoreKind;
use crosstail_record::write::{KafkaWriter, Writer};
use crosstail_source::create::{Definition, Form};
use crosstail_source::{Kind, Network, WriteOptions, Writing, claims_none};
use std::sync::Arc;

/// How schemas name it.
pub(crate) const STORE: StoreKind = StoreKind { name: "kafka", is_database: false };

/// Kafka.
pub static KIND: Kind = Kind {
    store: STORE,
    title: "Kafka",
    schemes: &["kafka"],
    example: "kafka://broker:9092/topic",
    network: Some(Network {
        default_port: |_| 9092,
        encrypted: |_, rest| Some(rest.contains("tls=true")),
        encrypt: "tls=true",
        unverified: &[],
        verify: "",
        named_by_host: false,
    }),
    claims: claims_none,
    takes_several: false,
    holds_activities: true,
    may_hide: false,
    open: |config, id, names| {
        let schema = config.schema.clone();
        Ok(Arc::new(KafkaSource::new(&config.name, id, names.clone(), config.address(), schema)?))
    },
    definitions: &[Definition {
        schema: "engineering-logs",
        form: Form::Properties(topics_as_properties),
        text: include_str!("../../../../config/ddl/engineering-logs.kafka.json"),
    }],
    creator: Some(|url| Ok(Box::new(crate::create::KafkaCreator::new(crate::client(url)?)))),
    writing: Some(Writing { claims: claims_none, open: |to, options| Box::pin(writers(to, options)) }),
    alerts: Some(&crate::alert::KafkaAlerts),
};

async fn writers(url: &str, options: &WriteOptions) -> anyhow::Result<Vec<Box<dyn Writer>>> {
    options.schema_of(KIND.title, &["engineering-logs"])?;
    let (config, patterns) = (crate::client(url)?, crate::topics(url)?);
    let takes = move |topic: &str| {
        let mut patterns = patterns.iter().filter_map(|pattern| glob::Pattern::new(pattern).ok());
        patterns.any(|pattern| pattern.matches(topic))
    };
    // Asking for the topics waits for the brokers.
    let writer = tokio::task::spawn_blocking(move || KafkaWriter::connect(config, takes)).await??;
    Ok(vec![Box::new(writer)])
}
