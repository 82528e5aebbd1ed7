//! The entry of Kafka in the list of kinds.

use crate::KafkaSource;
use crate::definitions::{DEFINITIONS, STORE, TITLE};
use crosstail_record::write::{KafkaWriter, Writer};
use crosstail_source::{Kind, Network, WriteOptions, Writing, as_it_is, claims_none};
use std::sync::Arc;

/// Topics of Kafka.
pub static KIND: Kind = Kind {
    store: STORE,
    title: TITLE,
    schemes: &["kafka"],
    example: "kafka://broker:9092/topic",
    network: Some(Network {
        default_port: |_| 9092,
        encrypted: |_, rest| Some(rest.contains("tls=true")),
        encrypt: "tls=true",
        unverified: &[],
        verify: "",
        named_by_host: false,
        alone: as_it_is,
    }),
    claims: claims_none,
    takes_several: false,
    programs: &[],
    listens: false,
    holds_activities: true,
    open: |config, id, names| {
        let schema = config.schema.clone();
        Ok(Arc::new(KafkaSource::new(&config.name, id, names.clone(), config.address(), schema)?))
    },
    definitions: DEFINITIONS,
    creator: Some(|url| Ok(Box::new(crate::create::KafkaCreator::new(crate::client(url)?)))),
    writing: Some(Writing { claims: claims_none, open: |to, options| Box::pin(writers(to, options)) }),
    alerts: Some(&crate::alert::KafkaAlerts),
};

async fn writers(url: &str, options: &WriteOptions) -> anyhow::Result<Vec<Box<dyn Writer>>> {
    options.schema_of(TITLE, &["engineering-logs"])?;
    let (config, patterns) = (crate::client(url)?, crate::topics(url)?);
    let takes = move |topic: &str| {
        let mut patterns = patterns.iter().filter_map(|pattern| glob::Pattern::new(pattern).ok());
        patterns.any(|pattern| pattern.matches(topic))
    };
    // Connecting lists the topics, which blocks until the brokers respond.
    let writer = tokio::task::spawn_blocking(move || KafkaWriter::connect(config, takes)).await??;
    Ok(vec![Box::new(writer)])
}
