//! Which tables of the database are mapped.

use crate::catalogue::CatalogueMapping;
use crate::connection::{ReadTransaction, Reader};
use crate::definitions::STORE;
use crate::error::Error;
use crate::mapping::{Mapping, Owner};
use crate::relation::{ColumnType, Relation, as_text, name, relations, text};
use crosstail_core::model::Names;
use crosstail_core::schema::{Holds, Sampled, Schema, Sketch, Table, TableSample, other_unit};
use crosstail_source::sql::{OTHER_UNIT_US, Sql, TIME_ROWS, no_time, no_times};
use crosstail_source::{TableOffer, Taken};
use sqlx::Row as _;
use std::collections::{BTreeMap, BTreeSet};

/// What of the database is mapped.
pub(crate) struct Tables {
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) catalogue: Vec<CatalogueMapping>,
    pub(crate) schemas: Vec<String>,
    pub(crate) warnings: Vec<String>,
    /// The tables that were looked for, each with its shape if it was there.
    pub(crate) shapes: BTreeMap<String, Option<String>>,
    /// The table that the first contact took.
    pub(crate) first: Option<String>,
}

impl Tables {
    /// Names of the mapped tables.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.mappings.iter().map(|mapping| mapping.table.name.clone()).collect()
    }
}

/// Looks for the tables of a schema, or of all that are built in.
pub(crate) async fn look_up(
    reader: Reader<'_>,
    into: &Names,
    schema: Option<&Schema>,
    owner: Owner<'_>,
    zone_us: i64,
    taken: &Taken,
) -> Result<Tables, Error> {
    let schemas = match (schema, taken.first()) {
        (Some(schema), _) => vec![schema.clone()],
        (None, Some(_)) => Vec::new(),
        (None, None) => Schema::built_in(),
    };
    let mut wanted: Vec<String> = Vec::new();
    for schema in &schemas {
        for (_, table) in schema.tables(STORE) {
            wanted.push(table.name.clone());
            wanted.extend(table.lookup.values().map(|lookup| lookup.table.clone()));
        }
        wanted.extend(schema.definition().catalogue.iter().map(|table| table.table.clone()));
    }
    wanted.sort();
    wanted.dedup();
    let mut found = Tables {
        mappings: Vec::new(),
        catalogue: Vec::new(),
        schemas: Vec::new(),
        warnings: Vec::new(),
        shapes: BTreeMap::new(),
        first: None,
    };
    if wanted.is_empty() {
        if taken.first().is_some() {
            first_contact(reader, into, owner, zone_us, taken, &mut found).await?;
        }
        return Ok(found);
    }
    let mut reading = reader.read().await?;
    let mut relations = relations(&mut reading, &wanted, zone_us).await?;
    let mut units = BTreeMap::new();
    for (_, table) in schemas.iter().flat_map(|schema| schema.tables(STORE)) {
        if let Some(relation) = relations.get_mut(&table.name) {
            relation.repeats = repeats(&mut reading, relation, table.id.columns()).await?;
            if let Some(largest) = largest(&mut reading, relation, table).await? {
                units.extend(table.time_unit.corrected(largest).map(|found| (&table.name, found)));
            }
        }
    }
    reading.end().await?;
    let shape = |name: &String| relations.get(name).map(|relation| relation.shape.clone());
    found.shapes = wanted.iter().map(|name| (name.clone(), shape(name))).collect();
    for mapped in &schemas {
        let before = found.mappings.len();
        // A schema that the user wrote for one table has to fit; of several, those that are there.
        let must = schema.is_some() && mapped.tables(STORE).count() == 1;
        for (part, table) in mapped.tables(STORE) {
            if must && !relations.contains_key(&table.name) {
                let there = names(reader).await?;
                let text = format!("[table] name: there is no table '{}'; there are {there}", table.name);
                return Err(Error::Mapping(text));
            }
            let index = found.mappings.len();
            let unit = units.get(&table.name).copied().unwrap_or(table.time_unit);
            let told = Table { time_unit: unit, ..table.clone() };
            let mapping = Mapping::new(index, (part, &told), &relations, owner, &mut found.warnings, must)?;
            if let Some(mapping) = mapping {
                into.table(owner.id, &table.name);
                if unit != table.time_unit {
                    found.warnings.push(format!("{}: {}", table.name, other_unit(table.time_unit, unit)));
                }
                found.mappings.push(mapping);
            }
        }
        if found.mappings.len() > before {
            found.schemas.push(mapped.name.clone());
            into.add_flow(&mapped.definition().flow);
            found.catalogue.extend(CatalogueMapping::all(mapped, &relations, &mut found.warnings));
        }
    }
    if found.mappings.is_empty() && found.warnings.is_empty() && schema.is_none() {
        first_contact(reader, into, owner, zone_us, taken, &mut found).await?;
    }
    for mapping in &found.mappings {
        found.warnings.extend(unread_time(reader, mapping, schema.is_some()).await?);
    }
    Ok(found)
}

/// What is said of a time column that holds something else in some row. An error where it holds nothing but that, and the user
/// named it.
async fn unread_time(reader: Reader<'_>, mapping: &Mapping, is_named: bool) -> Result<Option<String>, Error> {
    if !mapping.may_hold_others() {
        return Ok(None);
    }
    let (column, table, us) = (mapping.time(), &mapping.relation.sql, mapping.time_us());
    let is_text = mapping.is_text_time();
    let early = if is_text { "FALSE".to_owned() } else { format!("({us} > 0 AND {us} < {OTHER_UNIT_US})") };
    let sql = format!(
        "SELECT CAST(MIN(CASE WHEN {} OR {early} THEN LEFT({column}, 40) END) AS CHAR), \
         CAST(COUNT({us}) AS SIGNED) FROM (SELECT {column} FROM {table} t LIMIT {TIME_ROWS}) t \
         WHERE {column} IS NOT NULL AND {column} <> ''",
        mapping.timed(false).text
    );
    let mut reading = reader.read().await?;
    let rows = match reading.fetch(Sql::raw(sql)).await {
        // What cannot be computed is told where it is read.
        Err(error) if error.as_database_error().is_some() => return Ok(None),
        rows => rows?,
    };
    reading.end().await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let Some(example) = text(row, 0)? else { return Ok(None) };
    let (table, time) = (&mapping.table.name, &mapping.table.time);
    if is_text && is_named && row.try_get_unchecked::<i64, _>(1)? == 0 {
        return Err(Error::Mapping(no_times(table, time, &example)));
    }
    Ok(Some(no_time(table, time, &example)))
}

/// The largest of some numbers in the time column of a table; `None` where it holds none, or one that is a time of this century in
/// the unit that the schema says: one that is not makes no other unit.
async fn largest(
    reading: &mut ReadTransaction,
    relation: &Relation,
    table: &Table,
) -> Result<Option<f64>, sqlx::Error> {
    let Some(found) = relation.readable(&table.time) else { return Ok(None) };
    if !matches!(found.holds, ColumnType::Int | ColumnType::Unsigned | ColumnType::Float) {
        return Ok(None);
    }
    let (column, from, unit) = (name(&table.time), &relation.sql, table.time_unit);
    let (low, high) = (unit.written(946_684_800_000_000), unit.written(4_102_444_800_000_000));
    let sql = format!(
        "SELECT CASE WHEN MAX(number >= {low} AND number < {high}) THEN NULL ELSE MAX(number) + 0e0 END \
         FROM (SELECT {column} AS number FROM {from} WHERE {column} < 9e18 LIMIT {TIME_ROWS}) sampled"
    );
    let rows = reading.fetch(Sql::raw(sql)).await?;
    rows.first().map_or(Ok(None), |row| row.try_get_unchecked(0))
}

/// Takes the table that is an activity most likely, or that was taken before, and says so.
async fn first_contact(
    reader: Reader<'_>,
    into: &Names,
    owner: Owner<'_>,
    zone_us: i64,
    taken: &Taken,
    found: &mut Tables,
) -> Result<(), Error> {
    let mut all = sketches(reader, taken.first(), zone_us).await?;
    if all.is_empty() {
        return Ok(());
    }
    let (mut relation, sample, sketch) = all.remove(0);
    let schema = Schema::from_toml(&sketch.toml(&sample.name, &sample), &sample.name);
    let schema = schema.map_err(|error| Error::Mapping(error.to_string()))?;
    let Some((part, table)) = schema.tables(STORE).next() else { return Ok(()) };
    let mut reading = reader.read().await?;
    relation.repeats = repeats(&mut reading, &relation, table.id.columns()).await?;
    reading.end().await?;
    found.shapes.insert(sample.name.clone(), Some(relation.shape.clone()));
    let relations = BTreeMap::from([(sample.name.clone(), relation)]);
    let Some(mapping) = Mapping::new(0, (part, table), &relations, owner, &mut found.warnings, false)? else {
        return Ok(());
    };
    into.table(owner.id, &table.name);
    found.mappings.push(mapping);
    let others = all.iter().filter(|(.., sketch)| sketch.is_likely()).map(|(_, sample, _)| sample.name.as_str());
    found.warnings.push(sketch.note("table", &sample.name, others));
    found.schemas.push(sample.name.clone());
    found.first = Some(sample.name);
    Ok(())
}

/// Tables that are sampled where no schema knows any.
const TABLES: usize = 60;
/// Rows of a sample.
const SAMPLE_ROWS: usize = 100;
/// Characters of a value in a sample.
const SAMPLE_CHARS: usize = 20_000;

/// What tables are, the likeliest first; of one table, or of all that have a time.
async fn sketches(
    reader: Reader<'_>,
    only: Option<&str>,
    zone_us: i64,
) -> Result<Vec<(Relation, TableSample, Sketch)>, sqlx::Error> {
    let mut reading = reader.read().await?;
    let wanted: Vec<String> = match only {
        Some(table) => vec![table.to_owned()],
        None => {
            let sql = format!(
                "SELECT CONCAT(CASE WHEN TABLE_SCHEMA <=> DATABASE() THEN '' ELSE CONCAT(TABLE_SCHEMA, '.') END, TABLE_NAME) \
                 FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') \
                 AND (DATABASE() IS NULL OR TABLE_SCHEMA = DATABASE()) ORDER BY COALESCE(TABLE_ROWS, 0) DESC LIMIT {TABLES}"
            );
            let rows = reading.fetch(Sql::raw(sql)).await?;
            rows.iter().map(|row| text(row, 0).map(Option::unwrap_or_default)).collect::<Result<_, _>>()?
        }
    };
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let relations = relations(&mut reading, &wanted, zone_us).await?;
    reading.end().await?;
    let mut found = Vec::new();
    for (name, relation) in relations {
        let Some(sample) = sample(reader, &name, &relation).await? else { continue };
        let sketch = sample.sketch();
        if sketch.score > 0 {
            found.push((relation, sample, sketch));
        }
    }
    found.sort_by_key(|(relation, _, sketch)| (std::cmp::Reverse(sketch.score), std::cmp::Reverse(relation.rows)));
    Ok(found)
}

/// The tables that have a time, the likeliest first.
pub(crate) async fn offers(reader: Reader<'_>, zone_us: i64) -> Result<Vec<TableOffer>, sqlx::Error> {
    let found = sketches(reader, None, zone_us).await?;
    let one = |(relation, sample, sketch): &(Relation, TableSample, Sketch)| {
        TableOffer::new(&sample.name, u64::try_from(relation.rows).ok(), sketch)
    };
    Ok(found.iter().map(one).collect())
}

/// The columns of a table with some of their values; `None` where it cannot be read.
async fn sample(reader: Reader<'_>, table: &str, relation: &Relation) -> Result<Option<TableSample>, sqlx::Error> {
    let columns: Vec<_> = relation.columns.iter().filter(|column| column.readable).collect();
    if columns.is_empty() {
        return Ok(None);
    }
    let list: Vec<String> = columns
        .iter()
        .map(|column| format!("LEFT({}, {SAMPLE_CHARS})", as_text(&name(&column.name), column.holds)))
        .collect();
    let newest = relation.keys.first().map_or_else(String::new, |key| {
        format!(" ORDER BY {}", key.iter().map(|part| format!("{} DESC", name(part))).collect::<Vec<_>>().join(", "))
    });
    let sql = format!("SELECT {} FROM {}{newest} LIMIT {SAMPLE_ROWS}", list.join(", "), relation.sql);
    let mut reading = reader.read().await?;
    let rows = match reading.fetch(Sql::raw(sql)).await {
        Ok(rows) => rows,
        Err(error) if error.as_database_error().is_some() => return Ok(None),
        Err(error) => return Err(error),
    };
    reading.end().await?;
    let holds = |holds: ColumnType| match holds {
        ColumnType::Int | ColumnType::Unsigned => Holds::Int,
        ColumnType::Float => Holds::Float,
        ColumnType::Time(_) => Holds::Time,
        ColumnType::Uuid | ColumnType::PackedUuid => Holds::Uuid,
        ColumnType::Json => Holds::Json,
        ColumnType::Text => Holds::Text,
        ColumnType::Bytes | ColumnType::Other => Holds::Other,
    };
    let mut sampled: Vec<Sampled> = columns
        .iter()
        .map(|column| Sampled { path: column.name.clone(), holds: holds(column.holds), values: Vec::new() })
        .collect();
    for row in &rows {
        for (index, column) in sampled.iter_mut().enumerate() {
            column.values.extend(text(row, index)?);
        }
    }
    let key = relation.keys.first().cloned().unwrap_or_default();
    Ok(Some(TableSample { name: table.to_owned(), key, columns: sampled, ..TableSample::default() }))
}

/// The mapping of a table, or of the likeliest one, as TOML. `Err` with what to say where there is none.
pub(crate) async fn draft(
    reader: Reader<'_>,
    table: Option<&str>,
    zone_us: i64,
) -> Result<Result<String, String>, sqlx::Error> {
    let found = sketches(reader, table, zone_us).await?;
    if let Some((_, sample, sketch)) = found.first() {
        let short = sample.name.rsplit('.').next().unwrap_or(&sample.name);
        return Ok(Ok(sketch.toml(short, sample)));
    }
    let there = names(reader).await?;
    Ok(Err(match table {
        Some(table) => format!("no table '{table}' with a time; the database has {there}"),
        None => format!("no table with a time; the database has {there}"),
    }))
}

/// Rows in which a key that nothing makes unique is looked for twice.
const KEY_ROWS: usize = 50_000;

/// Whether several rows have the same key.
async fn repeats(reading: &mut ReadTransaction, relation: &Relation, key: &[String]) -> Result<bool, sqlx::Error> {
    if relation.is_unique(key) || !key.iter().all(|column| relation.readable(column).is_some()) {
        return Ok(false);
    }
    let columns = key.iter().map(|column| name(column)).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT 1 FROM (SELECT {columns} FROM {} LIMIT {KEY_ROWS}) sampled GROUP BY {columns} HAVING COUNT(*) > 1 LIMIT 1",
        relation.sql
    );
    Ok(!reading.fetch(Sql::raw(sql)).await?.is_empty())
}

/// The tables that the user may see, to name in an error.
pub(crate) async fn names(reader: Reader<'_>) -> Result<String, sqlx::Error> {
    let mut reading = reader.read().await?;
    let sql = "SELECT CONCAT(CASE WHEN TABLE_SCHEMA <=> DATABASE() THEN '' ELSE CONCAT(TABLE_SCHEMA, '.') END, TABLE_NAME) \
               FROM information_schema.TABLES \
               WHERE TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') \
               ORDER BY TABLE_SCHEMA <=> DATABASE() DESC, 1 LIMIT 30";
    let rows = reading.fetch(Sql::raw(sql)).await?;
    reading.end().await?;
    let names = rows.iter().map(|row| text(row, 0).map(Option::unwrap_or_default)).collect::<Result<Vec<_>, _>>()?;
    Ok(if names.is_empty() { "none".to_owned() } else { names.join(", ") })
}
