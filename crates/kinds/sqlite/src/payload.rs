//! The payload of one row.

use super::connection::Reader;
use super::mapping::{Mapping, scalar};
use crosstail_core::model::{Id, Payload, RawRecord};
use crosstail_core::schema::Scalar;
use crosstail_source::sql::name;
use serde_json::{Map, Value};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Column as _, Row as _};

/// The columns that hold parts of the payload, quoted.
pub(super) fn columns(mapping: &Mapping) -> Vec<String> {
    let mut found: Vec<String> = mapping
        .schema
        .definition()
        .payload
        .values()
        .flat_map(|paths| paths.list())
        .filter(|path| mapping.columns.contains(path))
        .cloned()
        .collect();
    found.dedup();
    found
}

/// The payload in the columns of a row, from column number `first`.
pub(super) fn of_row(
    mapping: &Mapping,
    row: &SqliteRow,
    first: usize,
    columns: &[String],
) -> Result<Payload, sqlx::Error> {
    let mut record = Map::new();
    for (index, column) in columns.iter().enumerate() {
        record.insert(column.clone(), value(row, first + index)?);
    }
    Ok(divide(mapping, record))
}

pub(super) async fn load(
    reader: Reader<'_>,
    mapping: &Mapping,
    place: &str,
    id: &Id,
) -> Result<Option<Payload>, sqlx::Error> {
    let text = format!("SELECT * FROM {} WHERE {} = ?", name(&mapping.table.name), name(mapping.table.id.as_str()));
    let Some(row) =
        sqlx::query(AssertSqlSafe(text)).bind(id.to_string()).fetch_optional(reader.connection().await?.on()).await?
    else {
        return Ok(None);
    };
    let mut record = Map::new();
    for (index, column) in row.columns().iter().enumerate() {
        record.insert(column.name().to_owned(), value(&row, index)?);
    }
    let raw = RawRecord::of_fields(place.to_owned(), record.clone());
    let mut payload = divide(mapping, record);
    payload.raw.push(raw);
    Ok(Some(payload))
}

fn value(row: &SqliteRow, index: usize) -> Result<Value, sqlx::Error> {
    Ok(match scalar(row, index)? {
        None => Value::Null,
        Some(Scalar::Int(n)) => Value::from(n),
        Some(Scalar::Float(n)) => Value::from(n),
        Some(Scalar::Bool(b)) => Value::from(b),
        Some(Scalar::Text(text)) => Value::String(text.into_owned()),
        Some(Scalar::Time(at)) => Value::String(at.rfc3339()),
        Some(Scalar::Number(text)) => Value::String(text.to_owned()),
    })
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
