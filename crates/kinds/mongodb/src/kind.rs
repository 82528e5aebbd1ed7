//! The entry of MongoDB in the list of kinds.

use crate::MongodbSource;
use crate::definitions::{DEFINITIONS, STORE, TITLE};
use crosstail_record::write::{MongodbWriter, Writer};
use crosstail_source::{Kind, Network, WriteOptions, Writing, claims_none};
use std::sync::Arc;

/// A database of MongoDB.
pub static KIND: Kind = Kind {
    store: STORE,
    title: TITLE,
    schemes: &["mongodb", "mongodb+srv"],
    example: "mongodb://user@host/database",
    network: Some(Network {
        default_port: |_| 27017,
        encrypted: |_, rest| Some(rest.contains("tls=true") || rest.contains("ssl=true")),
        encrypt: "tls=true",
        unverified: &["tlsInsecure=true", "tlsAllowInvalidCertificates=true"],
        verify: "tlsCAFile=FILE instead of tlsAllowInvalidCertificates",
        named_by_host: false,
        alone: crate::server::alone,
    }),
    claims: claims_none,
    takes_several: false,
    programs: &[],
    listens: false,
    holds_activities: true,
    open: |config, id, names| {
        let source = MongodbSource::new(&config.name, id, names.clone(), config.address(), config.schema.clone())?;
        Ok(Arc::new(source))
    },
    definitions: DEFINITIONS,
    creator: Some(|url| Ok(Box::new(crate::create::MongodbCreator::new(url)))),
    writing: Some(Writing { claims: claims_none, open: |to, options| Box::pin(writers(to, options)) }),
    alerts: None,
};

async fn writers(url: &str, options: &WriteOptions) -> anyhow::Result<Vec<Box<dyn Writer>>> {
    options.schema_of(TITLE, &["prokure"])?;
    Ok(vec![Box::new(MongodbWriter::connect(url).await?)])
}
