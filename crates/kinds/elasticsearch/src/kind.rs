//! The entry of Elasticsearch in the list of kinds.

use crate::ElasticsearchSource;
use crate::definitions::{DEFINITIONS, STORE, TITLE};
use crosstail_record::write::{ElasticsearchWriter, Writer};
use crosstail_source::{Kind, Network, WriteOptions, Writing, as_it_is, claims_none};
use std::future::ready;
use std::sync::Arc;

/// Elasticsearch, of one or several indices.
pub static KIND: Kind = Kind {
    store: STORE,
    title: TITLE,
    schemes: &["es+https", "es+http"],
    example: "es+https://host:9200/index-*",
    network: Some(Network {
        default_port: |_| 9200,
        encrypted: |scheme, _| Some(scheme == "es+https"),
        encrypt: "es+https://",
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
        Ok(Arc::new(ElasticsearchSource::new(&config.name, id, names.clone(), config.address(), schema)?))
    },
    definitions: DEFINITIONS,
    creator: Some(|url| Ok(Box::new(crate::create::ElasticsearchCreator::new(crate::cluster(url)?)))),
    writing: Some(Writing { claims: claims_none, open: |to, options| Box::pin(ready(writers(to, options))) }),
    alerts: Some(&crate::alert::ElasticsearchAlerts),
};

fn writers(url: &str, options: &WriteOptions) -> anyhow::Result<Vec<Box<dyn Writer>>> {
    let pattern = crate::pattern(url)?;
    let told = if pattern.starts_with("engineering") { "engineering-logs" } else { "halopsa" };
    let schema = options.schema.as_deref().unwrap_or(told);
    Ok(vec![Box::new(ElasticsearchWriter::new(crate::cluster(url)?, &pattern, schema)?)])
}
