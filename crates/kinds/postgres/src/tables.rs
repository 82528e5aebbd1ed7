//! Which tables of the database are mapped: those that a schema knows, else the one that is an activity most likely.

use super::catalogue::CatalogueMapping;
use super::connection::Reader;
use super::definitions::STORE;
use super::mapping::{Found, Mapping, Owner, fits};
use super::relation::{self, ColumnType, Relation};
use super::time::TimeColumn;
use super::{Error, row};
use crosstail_core::model::Names;
use crosstail_core::schema::{Sampled, Schema, Sketch, Table, TableSample, TimeUnit};
use crosstail_source::sql::{OTHER_UNIT_US, Sql, TIME_ROWS, literal, name, no_time, no_times};
use crosstail_source::{TableOffer, Taken};
use sqlx::Row as _;
use std::collections::{BTreeMap, BTreeSet};

/// The mapped tables of the database.
pub(super) struct Tables {
    pub(super) mappings: Vec<Mapping>,
    pub(super) catalogue: Vec<CatalogueMapping>,
    pub(super) schemas: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// The table that the first contact took.
    pub(super) first: Option<String>,
    /// All that may come, change and go: what is mapped, and what is looked for, as SQL.
    pub(super) watched: Vec<String>,
}

impl Tables {
    /// Names of the mapped tables.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.mappings.iter().map(|mapping| mapping.table.name.clone()).collect()
    }
}

/// Rows in which a key that nothing makes unique is looked for twice.
const KEY_ROWS: usize = 50_000;
/// Tables that are sampled where no schema knows any.
const TABLES: usize = 60;
/// Rows of a sample.
const SAMPLE_ROWS: usize = 100;
/// Characters of a value in a sample; JSON is taken whole up to this.
const SAMPLE_CHARS: usize = 20_000;

/// Maps the tables of a schema, or of all that are built in; where none of these is there, the likeliest table.
pub(super) async fn look_up(
    reader: Reader<'_>,
    into: &Names,
    schema: Option<&Schema>,
    owner: (crosstail_core::model::SourceId, &str),
    taken: &Taken,
) -> Result<Tables, Error> {
    let schemas = match (schema, taken.first()) {
        (Some(schema), _) => vec![schema.clone()],
        (None, Some(_)) => Vec::new(),
        (None, None) => Schema::built_in(),
    };
    let strict = schema.is_some();
    let mut names: Vec<String> = Vec::new();
    for schema in &schemas {
        let tables: Vec<(&Schema, &Table)> = schema.tables(STORE).collect();
        names.extend(tables.iter().map(|(_, table)| table.name.clone()));
        names.extend(tables.iter().flat_map(|(_, table)| table.lookup.values()).map(|lookup| lookup.table.clone()));
        names.extend(schema.definition().catalogue.iter().map(|table| table.table.clone()));
    }
    names.sort();
    names.dedup();
    let (all, any_encoding) = relation::read(reader, Some(&names)).await?;
    let mut hidden = Vec::new();
    let relations = relation::named(&all, &names, &mut hidden);
    let as_sql = |wanted: &String| match wanted.split_once('.') {
        Some((schema, table)) => format!("{}.{}", name(schema), name(table)),
        None => name(wanted),
    };
    let mut found = Tables {
        mappings: Vec::new(),
        catalogue: Vec::new(),
        schemas: Vec::new(),
        warnings: Vec::new(),
        first: None,
        watched: names.iter().filter(|wanted| !relations.contains_key(*wanted)).map(as_sql).collect(),
    };
    let owner = Owner { id: owner.0, name: owner.1, any_encoding };
    for schema in &schemas {
        let before = found.mappings.len();
        for (part, table) in schema.tables(STORE) {
            // A schema that the user wrote for one table must fit; of several tables, those that exist are used.
            let must = strict && schema.tables(STORE).count() == 1;
            if must && !relations.contains_key(&table.name) {
                let known = known_tables(reader).await?;
                let text = format!("[table] name: no table '{}'; the database has {known}", table.name);
                return Err(Error::Mapping(text));
            }
            map(reader, into, (part, table), &relations, owner, must, &mut found).await?;
        }
        if found.mappings.len() > before {
            found.schemas.push(schema.name.clone());
            into.add_flow(&schema.definition().flow);
            found.catalogue.extend(CatalogueMapping::all(schema, &relations, &mut found.warnings));
        }
    }
    let used = |text: &String| {
        found.mappings.iter().any(|mapping| text.starts_with(&format!("{} is read from", mapping.relation.place.1)))
    };
    let hidden: Vec<String> = hidden.into_iter().filter(used).collect();
    found.warnings.extend(hidden);
    if found.mappings.is_empty() && found.warnings.is_empty() && !strict {
        first_contact(reader, into, owner, taken.first(), &mut found).await?;
    }
    found.watched.extend(relations.values().flatten().map(|relation| relation.sql.clone()));
    found.watched.extend(found.mappings.iter().map(|mapping| mapping.relation.sql.clone()));
    found.watched.sort();
    found.watched.dedup();
    Ok(found)
}

/// Maps every relation that has a table's name.
async fn map(
    reader: Reader<'_>,
    into: &Names,
    (part, table): (&Schema, &Table),
    relations: &BTreeMap<String, Vec<Relation>>,
    owner: Owner<'_>,
    must: bool,
    found: &mut Tables,
) -> Result<(), Error> {
    for relation in relations.get(&table.name).into_iter().flatten() {
        let time = fits(part, table, relation, must).ok();
        let largest = match &time {
            Some(time) if time.is_number() => largest(reader, relation, &time.column, table.time_unit).await?,
            _ => None,
        };
        let digits = match time.as_ref().and_then(TimeColumn::asks_for_digits) {
            Some(asked) => are_any(reader, relation, &asked).await?,
            None => false,
        };
        let repeats = time.is_some() && repeats(reader, relation, table.id.columns()).await?;
        let ambiguous = relations.get(&table.name).is_some_and(|all| all.len() > 1);
        let of_table = Found { relation, others: relations, repeats, ambiguous, largest, digits };
        let index = found.mappings.len();
        let table = Table {
            name: if relation.visible { table.name.clone() } else { qualified(relation, table) },
            ..table.clone()
        };
        let mapping = Mapping::new(index, (part, &table), &of_table, owner, &mut found.warnings, must)?;
        if let Some(mapping) = mapping {
            into.table(owner.id, &mapping.table.name);
            found.warnings.extend(unread_time(reader, &mapping, must).await?);
            found.mappings.push(mapping);
        }
    }
    Ok(())
}

/// The name of a table that is found by its schema only: as the user wrote it, else with the schema.
fn qualified(relation: &Relation, table: &Table) -> String {
    if table.name.contains('.') { table.name.clone() } else { relation.title() }
}

/// Whether several rows have the same key.
async fn repeats(reader: Reader<'_>, relation: &Relation, key: &[String]) -> Result<bool, sqlx::Error> {
    if relation.is_unique(key) {
        return Ok(false);
    }
    let columns = key.iter().map(|column| name(column)).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT EXISTS (SELECT FROM (SELECT {columns} FROM {} LIMIT {KEY_ROWS}) AS sampled GROUP BY {columns} HAVING count(*) > 1)",
        relation.sql
    );
    match look(reader, sql).await {
        Ok(rows) => rows.first().map_or(Ok(false), |row| row.try_get(0)),
        // JSON has no equality: it is no key that could be looked for.
        Err(error) if error.as_database_error().and_then(|db| db.code()).as_deref() == Some("42883") => Ok(false),
        // A table that is locked now cannot be looked at: telling rows apart by more is never wrong.
        Err(error) if error.as_database_error().is_some() => Ok(true),
        Err(error) => Err(error),
    }
}

/// What is said of a time column that holds something else in some row. An error where it holds nothing but that, and the user
/// named it.
async fn unread_time(reader: Reader<'_>, mapping: &Mapping, is_named: bool) -> Result<Option<String>, Error> {
    if !mapping.time.may_hold_others() {
        return Ok(None);
    }
    let (column, table, us) = (&mapping.time.column, &mapping.relation.sql, mapping.time.us());
    let is_text = !mapping.time.is_number();
    let early = if is_text { "false".to_owned() } else { format!("(({us}) > 0 AND ({us}) < {OTHER_UNIT_US})") };
    let sql = format!(
        "SELECT min(left({column}::text, 40)) FILTER (WHERE {} OR {early}), count({us}) \
         FROM (SELECT {column} FROM {table} t LIMIT {TIME_ROWS}) AS t WHERE {column} IS NOT NULL AND {column}::text <> ''",
        mapping.time.undated()
    );
    let rows = match look(reader, sql).await {
        Ok(rows) => rows,
        // A table that is locked now cannot be looked at.
        Err(error) if error.as_database_error().is_some() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(found) = rows.first() else { return Ok(None) };
    let Some(example) = row::text(found, 0)? else { return Ok(None) };
    let (table, time) = (&mapping.table.name, &mapping.table.time);
    if is_text && is_named && found.try_get::<i64, _>(1)? == 0 {
        return Err(Error::Mapping(no_times(table, time, &example)));
    }
    Ok(Some(no_time(table, time, &example)))
}

/// Reads a few rows. A table that somebody has locked is not waited for.
async fn look(reader: Reader<'_>, sql: String) -> Result<Vec<sqlx::postgres::PgRow>, sqlx::Error> {
    let mut reading = reader.read().await?;
    sqlx::raw_sql("SET LOCAL statement_timeout = 5000; SET LOCAL lock_timeout = 1000").execute(reading.on()?).await?;
    let rows = reading.fetch(Sql::raw(sql)).await?;
    reading.end().await?;
    Ok(rows)
}

/// The largest of some numbers in a column, where none of them is a time of this century in the unit that the schema says: one
/// that is not makes no other unit.
async fn largest(
    reader: Reader<'_>,
    relation: &Relation,
    column: &str,
    unit: TimeUnit,
) -> Result<Option<f64>, sqlx::Error> {
    let (low, high) = century(unit);
    let sql = format!(
        "SELECT CASE WHEN bool_or(sampled.at >= {low} AND sampled.at < {high}) THEN NULL ELSE max(sampled.at) END \
         FROM (SELECT {column}::float8 AS at FROM {} t WHERE {column} < 9e18 LIMIT {TIME_ROWS}) AS sampled",
        relation.sql
    );
    match look(reader, sql).await {
        Ok(rows) => rows.first().map_or(Ok(None), |row| row.try_get(0)),
        Err(error) if error.as_database_error().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The numbers of a unit that are times from 2000 to 2099.
fn century(unit: TimeUnit) -> (String, String) {
    (unit.written(946_684_800_000_000), unit.written(4_102_444_800_000_000))
}

/// Whether a condition holds for any of some rows.
async fn are_any(reader: Reader<'_>, relation: &Relation, condition: &str) -> Result<bool, sqlx::Error> {
    let sql = format!(
        "SELECT coalesce(bool_or(sampled.it), false) FROM (SELECT {condition} AS it FROM {} t LIMIT {TIME_ROWS}) AS sampled",
        relation.sql
    );
    match look(reader, sql).await {
        Ok(rows) => rows.first().map_or(Ok(false), |row| row.try_get(0)),
        Err(error) if error.as_database_error().is_some() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Names of up to 30 tables, for an error message.
pub(super) async fn known_tables(reader: Reader<'_>) -> Result<String, sqlx::Error> {
    let mut reading = reader.read().await?;
    let query = sqlx::query(
        "SELECT CASE WHEN n.nspname = 'public' THEN '' ELSE n.nspname || '.' END || c.relname FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm') \
         AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%' \
         ORDER BY 1 LIMIT 30",
    )
    .persistent(false);
    let rows = reading.all(query).await?;
    reading.end().await?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    Ok(if names.is_empty() { "none".to_owned() } else { names.join(", ") })
}

/// Takes the table that is an activity most likely, or that was taken before, and says so.
async fn first_contact(
    reader: Reader<'_>,
    into: &Names,
    owner: Owner<'_>,
    before: Option<&str>,
    found: &mut Tables,
) -> Result<(), Error> {
    let mut all = sketches(reader, before).await?;
    all.retain(|(_, sample, _)| before.is_none_or(|before| before == sample.name));
    if all.is_empty() {
        return Ok(());
    }
    let (relation, sample, sketch) = all.remove(0);
    let toml = sketch.toml(&sample.name, &sample);
    let schema = Schema::from_toml(&toml, &sample.name).map_err(|error| Error::Mapping(error.to_string()))?;
    let relations = BTreeMap::from([(sample.name.clone(), vec![relation])]);
    let Some((part, table)) = schema.tables(STORE).next() else { return Ok(()) };
    map(reader, into, (part, table), &relations, owner, false, found).await?;
    let others = all.iter().filter(|(.., sketch)| sketch.is_likely()).map(|(_, sample, _)| sample.name.as_str());
    found.warnings.push(sketch.note("table", &sample.name, others));
    found.schemas.push(sample.name.clone());
    found.first = Some(sample.name);
    Ok(())
}

/// What tables are, the likeliest first; of one table, or of all that have a time.
async fn sketches(reader: Reader<'_>, only: Option<&str>) -> Result<Vec<(Relation, TableSample, Sketch)>, sqlx::Error> {
    let names = only.map(|name| vec![name.to_owned()]);
    let (mut all, _) = relation::read(reader, names.as_deref()).await?;
    all.retain(|relation| only.is_none_or(|only| relation.is_named(only)));
    all.retain(|relation| relation.columns.iter().any(|column| column.readable));
    // Schemas of extensions and tools are looked at after the user's own.
    all.sort_by_key(|relation| (!relation.visible, std::cmp::Reverse(relation.rows)));
    let mut found = Vec::new();
    for relation in all.into_iter().take(TABLES) {
        let Some(sample) = sample(reader, &relation).await? else { continue };
        let sketch = sample.sketch();
        if sketch.score > 0 {
            found.push((relation, sample, sketch));
        }
    }
    found.sort_by_key(|(relation, _, sketch)| (std::cmp::Reverse(sketch.score), std::cmp::Reverse(relation.rows)));
    Ok(found)
}

/// The tables that have a time, the likeliest first.
pub(super) async fn offers(reader: Reader<'_>) -> Result<Vec<TableOffer>, sqlx::Error> {
    let found = sketches(reader, None).await?;
    let one = |(relation, sample, sketch): &(Relation, TableSample, Sketch)| {
        TableOffer::new(&sample.name, u64::try_from(relation.rows).ok(), sketch)
    };
    Ok(found.iter().map(one).collect())
}

/// The columns of a table with some of their values; `None` where it cannot be read.
async fn sample(reader: Reader<'_>, relation: &Relation) -> Result<Option<TableSample>, sqlx::Error> {
    let columns: Vec<_> = relation.columns.iter().filter(|column| column.readable).collect();
    let list: Vec<String> = columns
        .iter()
        .map(|column| {
            let sql = name(&column.name);
            let text = match column.value_type {
                ColumnType::Bytes => format!("encode(substr({sql}, 1, 200), 'escape')"),
                _ => format!("{sql}::text"),
            };
            format!("CASE WHEN length({text}) <= {SAMPLE_CHARS} THEN {text} ELSE left({text}, 200) END")
        })
        .collect();
    let newest = relation.keys.first().filter(|_| relation.placed).map_or_else(String::new, |key| {
        format!(" ORDER BY {}", key.iter().map(|part| format!("{} DESC", name(part))).collect::<Vec<_>>().join(", "))
    });
    let sql = format!("SELECT {} FROM {}{newest} LIMIT {SAMPLE_ROWS}", list.join(", "), relation.sql);
    let rows = match look(reader, sql).await {
        Ok(rows) => rows,
        Err(error) if error.as_database_error().is_some() => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut sampled: Vec<Sampled> = columns
        .iter()
        .map(|column| Sampled { path: column.name.clone(), holds: column.holds(), values: Vec::new() })
        .collect();
    for found in &rows {
        for (index, column) in sampled.iter_mut().enumerate() {
            column.values.extend(row::text(found, index)?.map(std::borrow::Cow::into_owned));
        }
    }
    let key = relation.keys.first().cloned().unwrap_or_default();
    Ok(Some(TableSample { name: relation.title(), key, columns: sampled, ..TableSample::default() }))
}

/// The mapping of a table, or of the likeliest one, as TOML. `Err` with what to say where there is none.
pub(super) async fn draft(reader: Reader<'_>, table: Option<&str>) -> Result<Result<String, String>, sqlx::Error> {
    let found = sketches(reader, table).await?;
    if let Some((_, sample, sketch)) = found.first() {
        let short = sample.name.rsplit('.').next().unwrap_or(&sample.name);
        return Ok(Ok(sketch.toml(short, sample)));
    }
    let known = known_tables(reader).await?;
    Ok(Err(match table {
        Some(table) => format!("no table '{table}' with a time; the database has {known}"),
        None => format!("no table with a time; the database has {known}"),
    }))
}

/// The databases of the server, for an error message: at most ten, and how many more.
pub(super) async fn databases(reader: Reader<'_>) -> Result<String, sqlx::Error> {
    let mut reading = reader.read().await?;
    let text = format!(
        "SELECT datname::text FROM pg_database WHERE NOT datistemplate AND datname <> {} ORDER BY datname",
        literal("postgres")
    );
    let rows = reading.fetch(Sql::raw(text)).await?;
    reading.end().await?;
    let names: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let more = names.len().saturating_sub(10);
    let shown = names.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    Ok(match (names.len(), more) {
        (0, _) => "postgres".to_owned(),
        (_, 0) => shown,
        (_, more) => format!("{shown} and {more} more"),
    })
}
