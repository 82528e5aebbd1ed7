//! The entry of PostgreSQL in the list of kinds.

use crate::PostgresSource;
use crate::definitions::{DEFINITIONS, STORE, TITLE};
use anyhow::ensure;
use crosstail_record::write::{PostgresWriter, Table, Writer};
use crosstail_source::{Kind, Network, WriteOptions, Writing, claims_none};
use std::sync::Arc;

/// A database of PostgreSQL.
pub static KIND: Kind = Kind {
    store: STORE,
    title: TITLE,
    schemes: &["postgres", "postgresql"],
    example: "postgres://user@host/database",
    network: Some(Network {
        default_port: |_| 5432,
        encrypted: |_, _| None,
        encrypt: "sslmode=verify-full",
        unverified: &["sslmode=require", "sslmode=verify-ca"],
        verify: "sslmode=verify-full&sslrootcert=FILE",
        named_by_host: false,
        alone: crate::address::alone,
    }),
    claims: claims_none,
    takes_several: false,
    programs: &[],
    listens: false,
    holds_activities: true,
    open: |config, id, names| {
        let source = PostgresSource::new(&config.name, id, names.clone(), config.address(), config.schema.clone())?;
        Ok(Arc::new(source))
    },
    definitions: DEFINITIONS,
    creator: Some(|url| Ok(Box::new(crate::create::PostgresCreator::new(url)))),
    writing: Some(Writing { claims: claims_none, open: |to, options| Box::pin(writers(to, options)) }),
    alerts: Some(&crate::alert::PostgresAlerts),
};

async fn writers(url: &str, options: &WriteOptions) -> anyhow::Result<Vec<Box<dyn Writer>>> {
    let known = Table::ALL.map(Table::schema);
    let tables = match options.schema_of(TITLE, &known)? {
        Some(name) => Table::of_schema(name).into_iter().collect(),
        None => PostgresWriter::tables(url).await?,
    };
    ensure!(
        !tables.is_empty(),
        "none of the tables exists yet; create them with: crosstail schema apply NAME --to URL, NAME one of {}",
        known.join(", ")
    );
    let mut writers: Vec<Box<dyn Writer>> = Vec::new();
    for table in tables {
        writers.push(Box::new(PostgresWriter::connect(url, table).await?));
    }
    Ok(writers)
}
