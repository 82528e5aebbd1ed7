//! What `doctor` checks in a `SQLite` file: indexes, the journal, and whether crosstail could write it.

use super::connection::Reader;
use super::mapping::Mapping;
use crosstail_core::model::{Diagnosis, Grade};
use crosstail_source::sql::shown_name;
use sqlx::{AssertSqlSafe, Row as _};
use std::path::Path;

/// A table with fewer rows needs no index.
const SMALL: i64 = 10_000;

pub(super) async fn diagnose(
    reader: Reader<'_>,
    mapping: &Mapping,
    path: &Path,
) -> Result<Vec<Diagnosis>, sqlx::Error> {
    let mut diagnoses = Vec::new();
    let (table, quoted) = (&mapping.table.name, mapping.table.name.replace('"', "\"\""));
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM \"{quoted}\"")))
        .fetch_one(reader.connection().await?.on())
        .await?;
    diagnoses.push(Diagnosis::ok("volume", format!("{table}: {count} rows")));
    if let Some(found) = mapping.about_failing() {
        diagnoses.push(Diagnosis::warning("key", found, "name other columns as id in [table] and [fields]"));
    } else if mapping.relation.repeats {
        diagnoses.push(mapping.key_is_not_unique());
    }
    let rows = sqlx::query(
        "SELECT i.name, (SELECT x.name FROM pragma_index_info(i.name) x WHERE x.seqno = 0) FROM pragma_index_list(?) i",
    );
    let rows = rows.bind(table).fetch_all(reader.connection().await?.on()).await?;
    let first: Vec<String> = rows.iter().filter_map(|row| row.try_get(1).ok()).collect();
    for column in [Some(&mapping.table.time), mapping.table.revision.as_ref()].into_iter().flatten() {
        if first.contains(column) {
            diagnoses.push(Diagnosis::ok("indexes", format!("{table}: {column} is indexed")));
            continue;
        }
        let index = shown_name(&format!("{table}_{column}"), '"');
        let statement = format!("CREATE INDEX {index} ON {} ({});", shown_name(table, '"'), shown_name(column, '"'));
        let found = Diagnosis::warning(
            "indexes",
            format!("{table}: no index on {column}; following and paging need one"),
            statement,
        );
        diagnoses.push(if count < SMALL { Diagnosis { grade: Grade::Note, ..found } } else { found });
    }
    let mut connection = reader.connection().await?;
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(connection.on()).await?;
    // What nobody writes is opened without its log.
    diagnoses.push(if journal == "wal" || connection.is_frozen() {
        Diagnosis::ok("live", "readers and writers do not block each other")
    } else {
        let text = format!("the journal mode is '{journal}': a long read blocks the writer");
        Diagnosis { remedy: Some("PRAGMA journal_mode = WAL;".to_owned()), ..Diagnosis::note("live", text) }
    });
    if rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok() {
        diagnoses.push(Diagnosis::note("permissions", "you may write the file; crosstail opens it read-only"));
    } else {
        diagnoses.push(Diagnosis::ok("permissions", "the file is readable and not writable"));
    }
    Ok(diagnoses)
}
