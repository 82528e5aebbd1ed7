//! What `doctor` checks in PostgreSQL: privileges, indexes, retention, and how new rows are noticed.

use super::Tables;
use super::connection::{ReadTransaction, Reader};
use super::mapping::Mapping;
use super::relation::ColumnType;
use crosstail_core::model::{Diagnosis, RETENTION_DAYS};
use crosstail_core::schema::Schema;
use crosstail_source::sql::shown_name;
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

/// A table with fewer rows needs no index.
const SMALL: f32 = 10_000.0;

pub(super) async fn diagnose(reader: Reader<'_>, tables: &Tables) -> Result<Vec<Diagnosis>, sqlx::Error> {
    let mut diagnoses = Vec::new();
    let mut reading = reader.read().await?;
    role(reading.on()?, &mut diagnoses).await?;
    for mapping in &tables.mappings {
        rights(reading.on()?, mapping, &mut diagnoses).await?;
        diagnoses.extend(key(mapping));
        zone(reading.on()?, mapping, &mut diagnoses).await?;
        indexes(&mut reading, mapping, &mut diagnoses).await?;
        retention(reading.on()?, mapping, &mut diagnoses).await?;
        check_notify_trigger(reading.on()?, mapping, &tables.schemas.join("|"), &mut diagnoses).await?;
    }
    reading.end().await?;
    Ok(diagnoses)
}

async fn role(on: &mut PgConnection, diagnoses: &mut Vec<Diagnosis>) -> Result<(), sqlx::Error> {
    let row = sqlx::query(
        "SELECT current_user::text, rolsuper, rolcreaterole OR rolcreatedb OR rolreplication, rolbypassrls, \
         coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), \
         coalesce(inet_server_addr() <<= '127.0.0.0/8'::inet OR inet_server_addr() = '::1'::inet, true) \
         FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(on)
    .await?;
    let (name, is_super, may_create, bypasses): (String, bool, bool, bool) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let (encrypted, local): (bool, bool) = (row.try_get(4)?, row.try_get(5)?);
    let own =
        "use a separate read-only role: CREATE ROLE crosstail LOGIN PASSWORD '…'; GRANT pg_read_all_data TO crosstail;";
    if is_super {
        diagnoses.push(Diagnosis::warning("permissions", format!("{name} is a superuser and may do everything"), own));
    } else if may_create {
        diagnoses.push(Diagnosis::warning(
            "permissions",
            format!("{name} may create roles or databases, or replicate"),
            own,
        ));
    }
    if bypasses && !is_super {
        let text = format!("{name} sees the rows of every organisation: it bypasses row-level security");
        diagnoses.push(Diagnosis::note("permissions", text));
    }
    diagnoses.push(match (encrypted, local) {
        (true, _) => Diagnosis::ok("tls", "the connection is encrypted"),
        (false, true) => Diagnosis::ok("tls", "not encrypted, on this machine"),
        (false, false) => Diagnosis::warning(
            "tls",
            "the connection is not encrypted",
            "add ?sslmode=verify-full&sslrootcert=FILE to the address",
        ),
    });
    Ok(())
}

async fn rights(on: &mut PgConnection, mapping: &Mapping, diagnoses: &mut Vec<Diagnosis>) -> Result<(), sqlx::Error> {
    let row = sqlx::query(
        "SELECT has_table_privilege($1, 'INSERT'), has_table_privilege($1, 'UPDATE'), has_table_privilege($1, 'DELETE'), \
         has_table_privilege($1, 'TRUNCATE')",
    )
    .bind(&mapping.relation.sql)
    .fetch_one(on)
    .await?;
    let mut may = Vec::new();
    for (index, word) in ["INSERT", "UPDATE", "DELETE", "TRUNCATE"].into_iter().enumerate() {
        if row.try_get(index)? {
            may.push(word);
        }
    }
    let table = &mapping.table.name;
    diagnoses.push(if may.is_empty() {
        Diagnosis::ok("permissions", format!("{table} is readable and not writable"))
    } else {
        let list = may.join(", ");
        let of = mapping.relation.shown();
        let remedy = format!("REVOKE {list} ON {of} FROM CURRENT_ROLE; or connect as a read-only role");
        Diagnosis::warning("permissions", format!("{table}: the role may {list}, but only needs to read"), remedy)
    });
    Ok(())
}

/// The zone of a session that names none. Our own names UTC when it connects, which hides what the server is set to: of that its
/// log's zone is what a server is made with, too.
const ZONE: &str = "SELECT coalesce((SELECT split_part(setting, '=', 2) FROM pg_db_role_setting s \
    JOIN pg_database d ON d.datname = current_database() JOIN pg_roles r ON r.rolname = current_user, unnest(s.setconfig) AS setting \
    WHERE s.setdatabase IN (0, d.oid) AND s.setrole IN (0, r.oid) AND setting ILIKE 'timezone=%' \
    ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1), current_setting('log_timezone'))";

/// Times without a zone are taken for UTC; a server in another zone has probably written its own.
async fn zone(on: &mut PgConnection, mapping: &Mapping, diagnoses: &mut Vec<Diagnosis>) -> Result<(), sqlx::Error> {
    let column = mapping.relation.column(&mapping.table.time);
    let zoneless = column.is_some_and(|c| c.value_type == ColumnType::Time && c.type_name == "timestamp");
    if !zoneless || mapping.table.time_zone.is_some() {
        return Ok(());
    }
    let zone: Option<String> = sqlx::query_scalar(ZONE).persistent(false).fetch_optional(on).await?.flatten();
    let zone = zone.unwrap_or_default();
    if !["utc", "etc/utc", "gmt", "universal", "zulu", ""].contains(&zone.to_ascii_lowercase().as_str()) {
        let (table, time) = (&mapping.table.name, &mapping.table.time);
        let text = format!("{table}: {time} has no zone and is taken for UTC, but the server's zone is {zone}");
        let remedy = format!("if its times are local, write time_zone = \"{zone}\" in [table]");
        diagnoses.push(Diagnosis::warning("time zone", text, remedy));
    }
    Ok(())
}

/// Whether what the schema takes for the key tells rows apart.
fn key(mapping: &Mapping) -> Option<Diagnosis> {
    let (table, list) = (&mapping.table.name, mapping.table.id.columns().join(", "));
    let other = mapping.relation.keys.first().map(|key| {
        let columns: Vec<String> = key.iter().map(|column| format!("\"{column}\"")).collect();
        format!("write id = [{}] in [table]", columns.join(", "))
    });
    if mapping.repeats {
        let text = format!("{table}: {list} is not unique: several rows have the same key");
        return Some(Diagnosis::warning(
            "key",
            text,
            other.unwrap_or_else(|| "name columns that are unique together".to_owned()),
        ));
    }
    if mapping.relation.is_unique(mapping.table.id.columns()) || !mapping.relation.placed {
        return None;
    }
    let text = format!("{table}: nothing keeps {list} unique; rows with the same key would be taken for one");
    Some(Diagnosis { remedy: other, ..Diagnosis::note("key", text) })
}

/// The expression of a path, as queries use it, and the text that identifies an index on it.
fn indexed(mapping: &Mapping, path: &str) -> Option<(String, String, bool)> {
    let mut parts = path.split('.');
    let column = mapping.relation.column(parts.next()?)?;
    let keys: Vec<&str> = parts.collect();
    if keys.is_empty() {
        return Some((shown_name(&column.name, '"'), column.name.clone(), true));
    }
    if column.value_type != ColumnType::Json {
        return None;
    }
    let of = |suffix: &str| keys.iter().map(|key| format!("'{key}'{suffix}")).collect::<Vec<_>>().join(", ");
    let expression = format!("({} #>> ARRAY[{}])", shown_name(&column.name, '"'), of(""));
    Some((expression, format!("ARRAY[{}]", of("::text")), false))
}

async fn indexes(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    diagnoses: &mut Vec<Diagnosis>,
) -> Result<(), sqlx::Error> {
    if !mapping.relation.versioned {
        return Ok(());
    }
    let query = sqlx::query(
        "SELECT pg_get_indexdef(i.indexrelid, 1, true), pg_get_indexdef(i.indexrelid), i.indisvalid, c.reltuples \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE i.indrelid = $1::regclass",
    )
    .bind(&mapping.relation.sql);
    let rows = reading.all(query).await?;
    let mut known: Vec<(String, String)> = Vec::new();
    for row in &rows {
        if row.try_get(2)? {
            known.push((row.try_get(0)?, row.try_get(1)?));
        }
    }
    let counted = sqlx::query_scalar::<_, f32>("SELECT reltuples FROM pg_class WHERE oid = $1::regclass");
    let about: f32 = counted.bind(&mapping.relation.sql).fetch_one(reading.on()?).await?;
    let table = &mapping.table.name;
    let mut wanted = vec![
        ("following and paging need", mapping.table.time.clone()),
        ("opening a row needs", mapping.table.id.as_str().to_owned()),
    ];
    for (why, field) in [
        ("finding traces needs", "correlation_id"),
        ("finding requests needs", "request_id"),
        ("finding retries needs", "parent_request_id"),
    ] {
        let paths = mapping.schema.definition().fields.get(field);
        wanted.extend(paths.and_then(|paths| paths.list().first().cloned()).map(|path| (why, path)));
    }
    // A path into JSON is no column of words.
    for (why, field) in [("finding failures needs", "status"), ("finding a system's calls needs", "system")] {
        let paths = mapping.schema.definition().fields.get(field);
        let path = paths.and_then(|paths| paths.list().first()).filter(|path| mapping.relation.column(path).is_some());
        wanted.extend(path.map(|path| (why, path.clone())));
    }
    let mut missing = 0;
    let mut seen: Vec<String> = Vec::new();
    for (why, path) in wanted {
        let Some((expression, mark, is_plain)) = indexed(mapping, &path) else { continue };
        if seen.contains(&expression) {
            continue;
        }
        seen.push(expression.clone());
        let there = known.iter().any(
            |(first, whole)| {
                if is_plain { first.trim_matches('"') == mark } else { whole.contains(&mark) }
            },
        );
        if there {
            continue;
        }
        missing += 1;
        let statement = format!("CREATE INDEX CONCURRENTLY ON {} ({expression});", mapping.relation.shown());
        let text = format!("{table}: no index on {path}; {why} one");
        let small = (0.0..SMALL).contains(&about);
        let found = Diagnosis::warning("indexes", text, statement);
        diagnoses.push(if small { Diagnosis { grade: crosstail_core::model::Grade::Note, ..found } } else { found });
    }
    if missing == 0 {
        diagnoses.push(Diagnosis::ok("indexes", format!("{table}: every column that queries use is indexed")));
    }
    if about < 0.0 {
        let text = format!("{table} was never analysed, so the planner has no statistics");
        diagnoses.push(Diagnosis::warning("indexes", text, format!("ANALYZE {};", mapping.relation.shown())));
    }
    Ok(())
}

async fn retention(
    on: &mut PgConnection,
    mapping: &Mapping,
    diagnoses: &mut Vec<Diagnosis>,
) -> Result<(), sqlx::Error> {
    let (table, time) = (&mapping.table.name, &mapping.table.time);
    if mapping.relation.column(time).is_none_or(|column| column.value_type != ColumnType::Time) {
        return Ok(());
    }
    let text = format!(
        "SELECT extract(epoch FROM now() - min({}))::float8 / 86400, pg_total_relation_size($1::regclass)::float8 FROM {} t",
        mapping.time.column, mapping.relation.sql
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(&mapping.relation.sql).fetch_one(on).await?;
    let (days, bytes): (Option<f64>, f64) = (row.try_get(0)?, row.try_get(1)?);
    let Some(days) = days else { return Ok(()) };
    let size = crosstail_core::model::Unit::Bytes.text(bytes);
    diagnoses.push(if days > (RETENTION_DAYS + 2) as f64 {
        let (of, at) = (mapping.relation.shown(), shown_name(time, '"'));
        let remedy = format!(
            "delete on a schedule, for example with pg_cron: SELECT cron.schedule('0 3 * * *', $$DELETE FROM {of} WHERE {at} < now() - interval '{RETENTION_DAYS} days'$$);"
        );
        let text = format!("{table}: its oldest row is {days:.0} days old ({size}); nothing deletes rows after {RETENTION_DAYS} days");
        Diagnosis::warning("retention", text, remedy)
    } else {
        Diagnosis::ok("retention", format!("{table}: {days:.1} days, {size}"))
    });
    Ok(())
}

async fn check_notify_trigger(
    on: &mut PgConnection,
    mapping: &Mapping,
    schemas: &str,
    diagnoses: &mut Vec<Diagnosis>,
) -> Result<(), sqlx::Error> {
    if !mapping.relation.versioned {
        return Ok(());
    }
    let there = sqlx::query_scalar::<_, bool>(
        "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname = 'crosstail_notify' AND tgenabled <> 'D')",
    );
    let there: bool = there.bind(&mapping.relation.sql).fetch_one(on).await?;
    let table = &mapping.table.name;
    diagnoses.push(if there {
        Diagnosis::ok("live", format!("{table}: a trigger notifies of each write"))
    } else {
        // Only a schema that is built in has a trigger to apply.
        let remedy = Schema::find(schemas)
            .map(|_| format!("for a shorter delay: crosstail schema apply {schemas} --notify --to URL"));
        Diagnosis { remedy, ..Diagnosis::note("live", format!("{table}: polled; new rows appear within a second")) }
    });
    Ok(())
}
