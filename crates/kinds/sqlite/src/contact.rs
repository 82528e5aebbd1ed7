//! What the tables of a file are of which no schema knows one: by their names, types and newest rows.

use super::connection::Reader;
use super::mapping;
use super::time::JULIAN;
use crosstail_core::schema::{Holds, Sampled, Schema, Sketch, Table, TableSample};
use crosstail_source::sql::{Sql, name};
use sqlx::Row as _;
use std::cmp::Reverse;

/// Tables that are looked at, rows of each, and characters of a value.
const TABLES: usize = 60;
const ROWS: usize = 100;
const CHARS: usize = 20_000;

/// The table that is an activity most likely, its schema, and what to say of it.
pub(super) async fn first(
    reader: Reader<'_>,
    names: &[String],
) -> Result<Option<(Schema, Table, Option<String>)>, sqlx::Error> {
    let all = sketches(reader, names).await?;
    let Some(((_, sample, sketch), others)) = all.split_first() else { return Ok(None) };
    let Ok(schema) = Schema::from_toml(&sketch.toml(&sample.name, sample), &sample.name) else { return Ok(None) };
    let others = others.iter().filter(|(.., other)| other.is_likely()).map(|(_, other, _)| other.name.as_str());
    let note = sketch.note("table", &sample.name, others);
    Ok(schema.table.clone().map(|table| (schema, table, Some(note))))
}

/// What tables are that have a time, the likeliest first; of two alike, the one with more rows.
pub(super) async fn sketches(
    reader: Reader<'_>,
    names: &[String],
) -> Result<Vec<(i64, TableSample, Sketch)>, sqlx::Error> {
    let mut found = Vec::new();
    for table in names.iter().take(TABLES) {
        let (sample, rows) = match sample(reader, table).await {
            Ok(sampled) => sampled,
            // A view that is broken is an error.
            Err(error) if error.as_database_error().is_some() => continue,
            Err(error) => return Err(error),
        };
        let sketch = sample.sketch();
        if sketch.score > 0 {
            found.push((rows, sample, sketch));
        }
    }
    found.sort_by_key(|(rows, _, sketch)| (Reverse(sketch.score), Reverse(*rows)));
    Ok(found)
}

/// The columns of a table with the values of its newest rows, and about how many rows it has.
async fn sample(reader: Reader<'_>, table: &str) -> Result<(TableSample, i64), sqlx::Error> {
    let relation = mapping::relation(reader, table).await?;
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|(column, _)| {
            let column = name(column);
            // Days are shown as the times that they are; the whole column says whether they are days.
            let (first, last) = JULIAN;
            let days = format!("typeof({column}) = 'real' AND {column} >= {first} AND {column} < {last}");
            format!("CASE WHEN {days} THEN strftime('%Y-%m-%dT%H:%M:%fZ', {column}) ELSE CASE typeof({column}) WHEN 'blob' THEN NULL ELSE substr(CAST({column} AS TEXT), 1, {CHARS}) END END, CASE WHEN {days} THEN 'text' ELSE typeof({column}) END")
        })
        .collect();
    let (from, newest) = (name(table), if relation.has_rowid { " ORDER BY rowid DESC" } else { "" });
    let rows =
        reader.fetch(Sql::raw(format!("SELECT {} FROM {from}{newest} LIMIT {ROWS}", columns.join(", ")))).await?;
    let count = if relation.has_rowid {
        format!("SELECT max(rowid) FROM {from}")
    } else {
        format!("SELECT count(*) FROM {from}")
    };
    let count = reader.fetch(Sql::raw(count)).await?.first().and_then(|row| row.try_get(0).ok()).unwrap_or(0);
    let mut sampled = Vec::new();
    for (index, (column, declared)) in relation.columns.iter().enumerate() {
        let mut values: Vec<String> = Vec::new();
        let mut types: Vec<String> = Vec::new();
        for row in &rows {
            // What is no text says nothing.
            values.extend(row.try_get::<Option<String>, _>(index * 2).ok().flatten());
            types.push(row.try_get(index * 2 + 1)?);
        }
        types.retain(|kind| kind != "null");
        sampled.push(Sampled { path: column.clone(), holds: holds(declared, &types), values });
    }
    let key = relation.keys.first().cloned().or_else(|| relation.has_rowid.then(|| vec!["rowid".to_owned()]));
    Ok((
        TableSample {
            name: table.to_owned(),
            key: key.unwrap_or_default(),
            columns: sampled,
            ..TableSample::default()
        },
        count,
    ))
}

/// What a column holds: what it is declared to hold decides only what its values leave open.
fn holds(declared: &str, types: &[String]) -> Holds {
    let all = |kinds: &[&str]| !types.is_empty() && types.iter().all(|kind| kinds.contains(&kind.as_str()));
    let is = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    let says_time = is(&["DATE", "TIME"]);
    if is(&["BOOL"]) {
        Holds::Bool
    } else if all(&["integer"]) {
        Holds::Int
    } else if all(&["integer", "real"]) {
        Holds::Float
    } else if is(&["JSON"]) {
        Holds::Json
    } else if is(&["UUID", "GUID"]) {
        Holds::Uuid
    } else if all(&["blob"]) {
        Holds::Other
    } else if types.is_empty() && says_time {
        Holds::Time
    } else if types.is_empty() && is(&["INT"]) {
        Holds::Int
    } else {
        Holds::Text
    }
}
