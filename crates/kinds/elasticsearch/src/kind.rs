//! What Elasticsearch is to the rest of the program.

use crate::ElasticsearchSource;
use crosstail_core::schema::StoreKind;
use crosstail_record::write::{ElasticsearchWriter, Writer};
use crosstail_source::create::{Definition, Form};
use crosstail_source::{Kind, Network, WriteOptions, Writing, claims_none};
use std::sync::Arc;

/// How schemas name it.
pub(crate) const STORE: StoreKind = StoreKind { name: "elasticsearch", is_database: false };

/// Elasticsearch.
pub static KIND: Kind = Kind {
    store: STORE,
    title: "Elasticsearch",
    schemes: &["es+https", "es+http"],
    example: "es+https://host:9200/index-*",
    network: Some(Network {
        default_port: |_| 9200,
        encrypted: |scheme, _| Some(scheme == "es+https"),
        encrypt: "es+https://",
        unverified: &[],
        verify: "",
        named_by_host: false,
    }),
    claims: claims_none,
    takes_several: false,
    holds_activities: true,
    may_hide: true,
    open: |config, id, names| {
        let schema = config.schema.clone();
        Ok(Arc::new(ElasticsearchSource::new(&config.name, id, names.clone(), config.address(), schema)?))
    },
    definitions: &[
        Definition {
            schema: "halopsa",
            form: Form::Json,
            text: include_str!("../../../../config/ddl/halopsa.elasticsearch.json"),
        },
        Definition {
            schema: "engineering-logs",
            form: Form::Json,
            text: include_str!("../../../../config/ddl/engineering-logs.elasticsearch.json"),
        },
    ],
    creator: Some(|url| Ok(Box::new(crate::create::ElasticsearchCreator::new(crate::transport(url)?)))),
    writing: Some(Writing { claims: claims_none, open: |to, options| Box::pin(writers(to, options)) }),
    alerts: Some(&crate::alert::ElasticsearchAlerts),
};

async fn writers(url: &str, options: &WriteOptions) -> anyhow::Result<Vec<Box<dyn Writer>>> {
    let pattern = crate::pattern(url)?;
    let told = if pattern.starts_with("engineering") { "engineering-logs" } else { "halopsa" };
    let schema = options.schema.as_deref().unwrap_or(told);
    Ok(vec![Box::new(ElasticsearchWriter::new(crate::transport(url)?, &pattern, schema)?)])
}
