//! The entry of `SQLite` in the list of kinds.

use crate::SqliteSource;
use crosstail_core::schema::StoreKind;
use crosstail_record::write::{SqliteWriter, Writer};
use crosstail_source::{Kind, Writing};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// Its name in schemas and addresses.
pub(crate) const STORE: StoreKind = StoreKind { name: "sqlite", is_database: true };

/// A database file of SQLite.
pub static KIND: Kind = Kind {
    store: STORE,
    title: "SQLite",
    schemes: &["sqlite"],
    example: "sqlite://activities.db",
    network: None,
    claims: is_database,
    takes_several: false,
    programs: &[],
    listens: false,
    holds_activities: true,
    open: |config, id, names| {
        let path = config.address().trim_start_matches("sqlite://");
        Ok(Arc::new(SqliteSource::new(&config.name, id, names.clone(), path, config.schema.clone())?))
    },
    definitions: &[],
    creator: None,
    writing: Some(Writing {
        claims: |path| {
            let named = path.extension().is_some_and(|ending| ["sqlite", "db", "sqlite3"].iter().any(|e| ending == *e));
            named || is_database(path)
        },
        open: |to, _| Box::pin(writers(to)),
    }),
    alerts: None,
};

async fn writers(to: &str) -> anyhow::Result<Vec<Box<dyn Writer>>> {
    let path = Path::new(to.trim_start_matches("sqlite://"));
    Ok(vec![Box::new(SqliteWriter::open(path).await?)])
}

/// Whether a file starts as a `SQLite` database does (<https://sqlite.org/fileformat.html>, 1.3).
fn is_database(path: &Path) -> bool {
    let mut head = [0; 16];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && &head == b"SQLite format 3\0"
}
