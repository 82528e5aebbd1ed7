//! The entry of MySQL in the list of kinds.

use crate::MysqlSource;
use crate::definitions::{DEFINITIONS, STORE, TITLE};
use anyhow::ensure;
use crosstail_record::write::{MysqlWriter, Table, Writer};
use crosstail_source::{Kind, Network, WriteOptions, Writing, claims_none};
use std::sync::Arc;

/// MySQL and MariaDB.
pub static KIND: Kind = Kind {
    store: STORE,
    title: TITLE,
    schemes: &["mysql", "mariadb"],
    example: "mysql://user@host/database",
    network: Some(Network {
        default_port: |_| 3306,
        encrypted: |_, rest| {
            let rest = rest.to_ascii_lowercase();
            ["required", "verify_ca", "verify_identity"].iter().any(|mode| rest.contains(mode)).then_some(true)
        },
        encrypt: "ssl-mode=VERIFY_IDENTITY",
        unverified: &["mode=REQUIRED", "mode=VERIFY_CA", "mode=required", "mode=verify_ca"],
        verify: "ssl-mode=VERIFY_IDENTITY&ssl-ca=FILE",
        named_by_host: false,
        alone: crate::address::alone,
    }),
    claims: claims_none,
    takes_several: false,
    programs: &[],
    listens: false,
    holds_activities: true,
    open: |config, id, names| {
        let source = MysqlSource::new(&config.name, id, names.clone(), config.address(), config.schema.clone())?;
        Ok(Arc::new(source))
    },
    definitions: DEFINITIONS,
    creator: Some(|url| Ok(Box::new(crate::create::MysqlCreator::new(url)))),
    writing: Some(Writing { claims: claims_none, open: |to, options| Box::pin(writers(to, options)) }),
    alerts: None,
};

async fn writers(url: &str, options: &WriteOptions) -> anyhow::Result<Vec<Box<dyn Writer>>> {
    let known = MysqlWriter::TABLES.map(Table::schema);
    let tables = match options.schema_of(TITLE, &known)? {
        Some(name) => Table::of_schema(name).into_iter().collect(),
        None => MysqlWriter::tables(url).await?,
    };
    ensure!(
        !tables.is_empty(),
        "there is none of the tables yet; create them with: crosstail schema apply NAME --to URL, NAME one of {}",
        known.join(", ")
    );
    let mut writers: Vec<Box<dyn Writer>> = Vec::new();
    for table in tables {
        writers.push(Box::new(MysqlWriter::connect(url, table).await?));
    }
    Ok(writers)
}
