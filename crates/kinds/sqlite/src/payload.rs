//! The payload of one row.

use super::connection::Reader;
use super::mapping::Mapping;
use super::value::{is_of_data, scalar};
use crosstail_core::model::{Payload, RawRecord};
use crosstail_core::schema::Scalar;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, name};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The columns that hold parts of the payload, quoted.
pub(super) fn columns(mapping: &Mapping) -> Vec<String> {
    let mut found: Vec<String> = mapping
        .schema
        .definition()
        .payload
        .values()
        .flat_map(|paths| paths.list())
        .filter(|path| mapping.relation.columns.iter().any(|(column, _)| column == *path))
        .cloned()
        .collect();
    found.dedup();
    found
}

/// The payload in the values of some columns.
pub(super) fn of_values(mapping: &Mapping, columns: &[String], values: Vec<Option<Scalar<'static>>>) -> Payload {
    divide(mapping, columns.iter().cloned().zip(values.into_iter().map(value)).collect())
}

pub(super) async fn load(
    reader: Reader<'_>,
    mapping: &Mapping,
    place: &str,
    key: &str,
) -> Result<Option<Payload>, sqlx::Error> {
    let names = mapping.relation.names();
    let select = |columns: &[String]| {
        let columns: Vec<String> = columns.iter().map(|column| name(column)).collect();
        let (table, key_text) = (name(&mapping.table.name), mapping.key_text());
        let text = format!("SELECT {} FROM {table} WHERE {key_text} = {PLACEHOLDER}", columns.join(", "));
        Sql::with(text, Bind::Text(key.to_owned()))
    };
    let mut reading = reader.connection().await?;
    let mut record = Map::new();
    match reading.fetch(select(&names)).await {
        Ok(rows) => {
            let Some(row) = rows.first() else { return Ok(None) };
            for (index, column) in names.into_iter().enumerate() {
                record.insert(column, value(scalar(row, index)?));
            }
        }
        // What cannot be computed is left out.
        Err(error) if is_of_data(&error) => {
            for column in names {
                match reading.fetch(select(std::slice::from_ref(&column))).await {
                    Ok(rows) => {
                        let Some(row) = rows.first() else { return Ok(None) };
                        record.insert(column, value(scalar(row, 0)?));
                    }
                    Err(error) if is_of_data(&error) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Err(error) => return Err(error),
    }
    Ok(Some(whole(mapping, place, record)))
}

/// The payloads of several rows by their keys, in this order; `None` of a row that is not there, and of all where a value of one cannot
/// be computed.
pub(super) async fn load_all(
    reader: Reader<'_>,
    mapping: &Mapping,
    place: &str,
    keys: &[String],
) -> Result<Vec<Option<Payload>>, sqlx::Error> {
    let (names, key_text) = (mapping.relation.names(), mapping.key_text());
    let columns: Vec<String> = names.iter().map(|column| name(column)).collect();
    let from = name(&mapping.table.name);
    let mut sql = Sql::raw(format!("SELECT {key_text}, {} FROM {from} WHERE {key_text} IN (", columns.join(", ")));
    for (index, key) in keys.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        sql.push(&format!("{comma}{PLACEHOLDER}"), [Bind::Text(key.clone())]);
    }
    sql.push(")", []);
    let mut found: HashMap<String, Payload> = HashMap::with_capacity(keys.len());
    let rows = match reader.connection().await?.fetch(sql).await {
        Ok(rows) => rows,
        Err(error) if is_of_data(&error) => return Ok(vec![None; keys.len()]),
        Err(error) => return Err(error),
    };
    for row in &rows {
        let key = match value(scalar(row, 0)?) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let mut record = Map::new();
        for (index, column) in names.iter().enumerate() {
            record.insert(column.clone(), value(scalar(row, index + 1)?));
        }
        // As when it is asked for by itself, the first of those that are alike.
        found.entry(key).or_insert_with(|| whole(mapping, place, record));
    }
    Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
}

/// The payload of a whole row.
fn whole(mapping: &Mapping, place: &str, record: Map<String, Value>) -> Payload {
    let raw = RawRecord::of_fields(place.to_owned(), record.clone());
    let mut payload = divide(mapping, record);
    payload.raw.push(raw);
    payload
}

fn value(value: Option<Scalar<'_>>) -> Value {
    match value {
        None => Value::Null,
        Some(Scalar::Int(n)) => Value::from(n),
        Some(Scalar::Float(n)) => Value::from(n),
        Some(Scalar::Bool(b)) => Value::from(b),
        Some(Scalar::Text(text)) => Value::String(text.into_owned()),
        Some(Scalar::Time(at)) => Value::String(at.rfc3339()),
        Some(Scalar::Number(text)) => Value::String(text.to_owned()),
    }
}

/// Divides a record into the parts of a payload. Where the schema says that a column holds headers or metadata, its
/// text is parsed as JSON.
fn divide(mapping: &Mapping, mut record: Map<String, Value>) -> Payload {
    let definition = mapping.schema.definition();
    if let Some(revision) = &mapping.table.revision {
        record.shift_remove(revision);
    }
    let parsed = |part: &str| matches!(part, "request_headers" | "response_headers" | "metadata");
    for path in definition.payload.iter().filter(|(part, _)| parsed(part)).flat_map(|(_, paths)| paths.list()) {
        if let Some(Value::String(text)) = record.get(path)
            && let Ok(parsed) = serde_json::from_str(text)
        {
            record.insert(path.clone(), parsed);
        }
    }
    record.retain(|_, value| !value.is_null() && value.as_str() != Some(""));
    mapping.schema.divide(record)
}
