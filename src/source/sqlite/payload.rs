//! One row, whole.

use super::query::{Mapping, name};
use crate::model::{Body, Id, Payload, RawRecord};
use crate::schema::{PayloadPart, Scalar};
use serde_json::{Map, Value};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Column as _, Row as _};

/// The columns that hold parts of the payload.
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

/// The payload in the columns of a row that begin at `first`.
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
    Ok(divide(mapping, &record))
}

pub(super) async fn load(
    pool: &SqlitePool,
    mapping: &Mapping,
    place: &str,
    id: &Id,
) -> Result<Option<Payload>, sqlx::Error> {
    let text = format!("SELECT * FROM {} WHERE {} = ?", name(&mapping.table.name), name(&mapping.table.id));
    let Some(row) = sqlx::query(AssertSqlSafe(text)).bind(id.to_string()).fetch_optional(pool).await? else {
        return Ok(None);
    };
    let mut record = Map::new();
    for (index, column) in row.columns().iter().enumerate() {
        record.insert(column.name().to_owned(), value(&row, index)?);
    }
    let mut payload = divide(mapping, &record);
    let raw = serde_json::to_string(&Value::Object(record)).unwrap_or_default();
    payload.raw.push(RawRecord { place: place.to_owned(), text: raw });
    Ok(Some(payload))
}

fn value(row: &SqliteRow, index: usize) -> Result<Value, sqlx::Error> {
    Ok(match super::query::scalar(row, index)? {
        None => Value::Null,
        Some(Scalar::Int(n)) => Value::from(n),
        Some(Scalar::Float(n)) => Value::from(n),
        Some(Scalar::Bool(b)) => Value::from(b),
        Some(Scalar::Text(text)) => Value::String(text.into_owned()),
        Some(Scalar::Number(text)) => Value::String(text.to_owned()),
    })
}

fn divide(mapping: &Mapping, record: &Map<String, Value>) -> Payload {
    let mut payload = Payload::default();
    let text = |name: &str| record.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    for (part, paths) in &mapping.schema.definition().payload {
        let Some(part) = PayloadPart::parse(part) else { continue };
        let Some(found) = paths.list().iter().find_map(|path| text(path)) else { continue };
        let json = || serde_json::from_str(found).unwrap_or_else(|_| Value::String(found.to_owned()));
        match part {
            PayloadPart::RequestHeaders => payload.request.headers = Some(json()),
            PayloadPart::ResponseHeaders => payload.response.headers = Some(json()),
            PayloadPart::RequestBody => payload.request.body = Some(Body::from_text(found)),
            PayloadPart::ResponseBody => payload.response.body = Some(Body::from_text(found)),
            PayloadPart::Stack => payload.error.stack = Some(found.to_owned()),
            PayloadPart::Metadata => match json() {
                Value::Object(map) => payload.metadata.extend(map),
                other => {
                    payload.metadata.insert("metadata".to_owned(), other);
                }
            },
        }
    }
    for (target, into) in [("error", &mut payload.error.message), ("error_type", &mut payload.error.kind)] {
        let paths = mapping.schema.definition().fields.get(target);
        *into = paths.and_then(|paths| paths.list().iter().find_map(|path| text(path))).map(str::to_owned);
    }
    payload
}
