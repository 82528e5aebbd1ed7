//! What an examination looks at in MySQL: what the user may do, indexes, retention, zones, how what is new is noticed.

use crate::connection::{ReadTransaction, Reader};
use crate::mapping::Mapping;
use crate::relation::{ColumnType, name, text};
use crosstail_core::model::{Diagnosis, Grade, RETENTION_DAYS, Unit};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, shown_name};
use sqlx::Row as _;

/// A table of fewer rows needs no index.
const SMALL: i64 = 10_000;
/// Rights that change rows or tables.
const WRITES: [&str; 9] =
    ["ALL PRIVILEGES", "INSERT", "UPDATE", "DELETE", "DELETE HISTORY", "CREATE", "DROP", "ALTER", "TRIGGER"];
/// A server whose newest row is this much in the future has times of another zone.
const ZONE_US: i64 = 1_200_000_000;

pub(crate) async fn diagnose(reader: Reader<'_>, mappings: &[Mapping]) -> Result<Vec<Diagnosis>, sqlx::Error> {
    let mut reading = reader.read().await?;
    let mut diagnoses = vec![encryption(&mut reading, reader).await?];
    let grants = grants(&mut reading).await?;
    for mapping in mappings {
        diagnoses.push(rights(&grants, mapping));
        diagnoses.extend(key(mapping));
        indexes(&mut reading, mapping, &mut diagnoses).await?;
        times(&mut reading, mapping, &mut diagnoses).await?;
        let text = format!("{}: polled, so that what is new is seen within a second", mapping.table.name);
        diagnoses.push(Diagnosis::note("live", text));
    }
    reading.end().await?;
    Ok(diagnoses)
}

async fn encryption(reading: &mut ReadTransaction, reader: Reader<'_>) -> Result<Diagnosis, sqlx::Error> {
    let rows = reading.fetch(Sql::raw("SHOW SESSION STATUS LIKE 'Ssl_cipher'")).await?;
    let cipher = rows.first().map(|row| text(row, 1)).transpose()?.flatten().unwrap_or_default();
    let options = reader.options();
    let local = options.get_socket().is_some() || ["localhost", "127.0.0.1", "::1"].contains(&options.get_host());
    Ok(match (cipher.is_empty(), local) {
        (false, _) => Diagnosis::ok("tls", "the connection is encrypted"),
        (true, true) => Diagnosis::ok("tls", "not encrypted, on this machine"),
        (true, false) => Diagnosis::warning(
            "tls",
            "the connection is not encrypted",
            "add ?ssl-mode=VERIFY_IDENTITY&ssl-ca=FILE to the address",
        ),
    })
}

/// A right that was granted, and on what.
struct Grant {
    rights: Vec<String>,
    on: String,
}

async fn grants(reading: &mut ReadTransaction) -> Result<Vec<Grant>, sqlx::Error> {
    let rows = reading.fetch(Sql::raw("SHOW GRANTS FOR CURRENT_USER()")).await?;
    let mut grants = Vec::new();
    for row in &rows {
        let line = text(row, 0)?.unwrap_or_default();
        let parts = line.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON "));
        let Some((rights, (on, _))) = parts.and_then(|(rights, rest)| Some((rights, rest.split_once(" TO ")?))) else {
            continue;
        };
        // A right on columns names them behind it.
        let word = |right: &str| right.split('(').next().unwrap_or_default().trim().to_owned();
        grants.push(Grant { rights: rights.split(", ").map(word).collect(), on: on.to_owned() });
    }
    Ok(grants)
}

fn rights(grants: &[Grant], mapping: &Mapping) -> Diagnosis {
    let relation = &mapping.relation;
    let of_database = format!("{}.*", name(&relation.database));
    let covers = |grant: &&Grant| {
        let on = grant.on.replace("\\_", "_");
        on == "*.*" || on == of_database || on == relation.sql
    };
    let mut may: Vec<&str> = grants
        .iter()
        .filter(covers)
        .flat_map(|grant| &grant.rights)
        .map(String::as_str)
        .filter(|right| WRITES.contains(right))
        .collect();
    may.sort_unstable();
    may.dedup();
    let table = &mapping.table.name;
    if may.is_empty() {
        return Diagnosis::ok("permissions", format!("{table}: may be read, and not written"));
    }
    let list = may.join(", ");
    Diagnosis::warning(
        "permissions",
        format!("{table}: the user has {list}, and only has to read"),
        format!(
            "connect as a user who can only read: CREATE USER crosstail IDENTIFIED BY '…'; GRANT SELECT ON {}.* TO crosstail;",
            name(&relation.database)
        ),
    )
}

/// What is to be said of a key that is not unique.
fn key(mapping: &Mapping) -> Option<Diagnosis> {
    let (table, list) = (&mapping.table.name, mapping.table.id.columns().join(", "));
    let text = format!("{table}: {list} is not unique: several rows have the same key");
    let own = mapping.relation.keys.first().map(|key| {
        let columns: Vec<String> = key.iter().map(|column| format!("\"{column}\"")).collect();
        format!("write id = [{}] in [table]", columns.join(", "))
    });
    let remedy = own.unwrap_or_else(|| "name columns that are unique together".to_owned());
    mapping.relation.repeats.then(|| Diagnosis::warning("key", text, remedy))
}

async fn indexes(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    diagnoses: &mut Vec<Diagnosis>,
) -> Result<(), sqlx::Error> {
    let (relation, table) = (&mapping.relation, &mapping.table.name);
    if relation.is_view {
        return Ok(());
    }
    let sql = Sql {
        text: format!(
            "SELECT COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {PLACEHOLDER} AND TABLE_NAME = {PLACEHOLDER} \
             AND SEQ_IN_INDEX = 1"
        ),
        binds: vec![Bind::Text(relation.database.clone()), Bind::Text(relation.table.clone())],
    };
    let rows = reading.fetch(sql).await?;
    let indexed = rows.iter().map(|row| text(row, 0).map(Option::unwrap_or_default)).collect::<Result<Vec<_>, _>>()?;
    let mut wanted = vec![
        ("which it is followed and paged by", mapping.table.time.clone()),
        ("which it is opened by", mapping.table.id.as_str().to_owned()),
    ];
    for (why, field) in [
        ("which traces are found by", "correlation_id"),
        ("which requests are found by", "request_id"),
        ("which retries are found by", "parent_request_id"),
    ] {
        let paths = mapping.schema.definition().fields.get(field);
        wanted.extend(paths.and_then(|paths| paths.list().first().cloned()).map(|path| (why, path)));
    }
    let mut missing = 0;
    let mut seen: Vec<String> = Vec::new();
    for (why, path) in wanted {
        if seen.contains(&path) {
            continue;
        }
        seen.push(path.clone());
        let Some(remedy) = remedy(mapping, &path, &indexed) else { continue };
        missing += 1;
        let found = Diagnosis::warning("indexes", format!("{table}: no index on {path}, {why}"), remedy);
        diagnoses.push(if relation.rows < SMALL { Diagnosis { grade: Grade::Note, ..found } } else { found });
    }
    if missing == 0 {
        diagnoses.push(Diagnosis::ok("indexes", format!("{table}: what it is asked by is indexed")));
    }
    Ok(())
}

/// The statement that indexes a path; `None` where it is indexed, or is no column's.
fn remedy(mapping: &Mapping, path: &str, indexed: &[String]) -> Option<String> {
    let (relation, table) = (&mapping.relation, shown_name(&mapping.relation.table, '`'));
    if relation.column(path).is_some() {
        return (!indexed.iter().any(|column| column == path)).then(|| {
            let (index, of) = (shown_name(&format!("idx_{path}"), '`'), shown_name(path, '`'));
            format!("CREATE INDEX {index} ON {table} ({of});")
        });
    }
    let (column, rest) = path.split_once('.')?;
    relation.column(column).filter(|column| matches!(column.holds, ColumnType::Json | ColumnType::Text))?;
    let computed = mapping.computed_of(path);
    if computed.is_some_and(|computed| indexed.contains(&computed.name)) {
        return None;
    }
    let (key, column) = (format!("{}_key", rest.replace('.', "_")), shown_name(column, '`'));
    Some(format!(
        "ALTER TABLE {table} ADD COLUMN {key} VARCHAR(255) AS (LEFT(JSON_UNQUOTE(JSON_EXTRACT({column}, '$.{rest}')), 255)) \
         VIRTUAL, ADD INDEX idx_{key} ({key});"
    ))
}

async fn times(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    diagnoses: &mut Vec<Diagnosis>,
) -> Result<(), sqlx::Error> {
    let (relation, table, time) = (&mapping.relation, &mapping.table.name, &mapping.table.time);
    let Some(ColumnType::Time(_)) = relation.column(time).map(|column| column.holds) else { return Ok(()) };
    // The ends of the index, not a scan.
    let end = |order: &str| {
        let column = mapping.time();
        format!(
            "(SELECT {} FROM {} t WHERE {} ORDER BY {column} {order} LIMIT 1)",
            mapping.time_us(),
            relation.sql,
            mapping.timed(true).text
        )
    };
    let sql = Sql {
        text: format!(
            "SELECT {}, {}, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)), \
             (SELECT CAST(DATA_LENGTH + INDEX_LENGTH AS SIGNED) FROM information_schema.TABLES \
              WHERE TABLE_SCHEMA = {PLACEHOLDER} AND TABLE_NAME = {PLACEHOLDER})",
            end("ASC"),
            end("DESC")
        ),
        binds: vec![Bind::Text(relation.database.clone()), Bind::Text(relation.table.clone())],
    };
    let rows = reading.fetch(sql).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let (oldest, newest): (Option<i64>, Option<i64>) = (row.try_get_unchecked(0)?, row.try_get_unchecked(1)?);
    let (Some(oldest), Some(newest)) = (oldest, newest) else { return Ok(()) };
    let now: i64 = row.try_get_unchecked(2)?;
    if newest - now > ZONE_US {
        let ahead = (newest - now + ZONE_US / 2) / 1_800_000_000 * 30;
        let text = format!("{table}: its newest {time} is {ahead} minutes in the future: it is not in UTC");
        let remedy =
            format!("add ?timezone=%2B{:02}:{:02} to the address, or use a TIMESTAMP column", ahead / 60, ahead % 60);
        diagnoses.push(Diagnosis::warning("zone", text, remedy));
    }
    let bytes = row.try_get_unchecked::<Option<i64>, _>(3)?.unwrap_or(0);
    let (days, size) = ((now - oldest) as f64 / 86_400e6, Unit::Bytes.text(bytes as f64));
    diagnoses.push(if days > (RETENTION_DAYS + 2) as f64 {
        Diagnosis::warning(
            "retention",
            format!(
                "{table}: its oldest row is {days:.0} days old ({size}); nothing deletes after {RETENTION_DAYS} days"
            ),
            format!(
                "delete on a schedule (event_scheduler=ON): CREATE EVENT {} ON SCHEDULE EVERY 1 DAY DO DELETE FROM {} \
                 WHERE {} < UTC_TIMESTAMP() - INTERVAL {RETENTION_DAYS} DAY;",
                shown_name(&format!("{}_retention", relation.table), '`'),
                shown_name(&relation.table, '`'),
                shown_name(time, '`')
            ),
        )
    } else {
        Diagnosis::ok("retention", format!("{table}: {days:.1} days, {size}"))
    });
    Ok(())
}
