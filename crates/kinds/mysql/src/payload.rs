//! One row, whole: its columns as JSON, put together here, so that no type is lost on the way.

use crate::connection::{ReadTransaction, Reader};
use crate::mapping::Mapping;
use crate::one::{is_of_data, one};
use crate::relation::{Column, ColumnType, as_text, name};
use crosstail_core::model::{Payload, RawRecord};
use crosstail_source::sql::Sql;
use serde_json::{Map, Value, value::RawValue};
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;

/// The columns of a row that may be read, each as text.
pub(crate) fn selected(columns: &[&Column]) -> String {
    columns.iter().map(|c| as_text(&format!("t.{}", name(&c.name)), c.holds)).collect::<Vec<_>>().join(", ")
}

/// The columns that may be read.
pub(crate) fn columns(mapping: &Mapping) -> Vec<&Column> {
    mapping.relation.columns.iter().filter(|column| column.readable && column.computed.is_empty()).collect()
}

/// A row whose columns from `index` on are [`selected`], as the text of a JSON object.
pub(crate) fn json_of(columns: &[&Column], row: &MySqlRow, index: usize) -> Result<String, sqlx::Error> {
    let mut out = String::from("{");
    for (at, column) in columns.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&Value::from(column.name.as_str()).to_string());
        out.push(':');
        let bytes = row.try_get_unchecked::<Option<&[u8]>, _>(index + at)?;
        let Some(bytes) = bytes else {
            out.push_str("null");
            continue;
        };
        let text = String::from_utf8_lossy(bytes);
        let is_raw = match column.holds {
            ColumnType::Int | ColumnType::Unsigned | ColumnType::Float => {
                serde_json::from_str::<serde_json::Number>(&text).is_ok()
            }
            ColumnType::Json => serde_json::from_str::<&RawValue>(&text).is_ok(),
            _ => false,
        };
        if is_raw {
            out.push_str(&text);
        } else {
            out.push_str(&Value::from(text.into_owned()).to_string());
        }
    }
    out.push('}');
    Ok(out)
}

/// The payload in a row whose columns from `index` on are [`selected`].
pub(crate) fn of_row(mapping: &Mapping, row: &MySqlRow, index: usize) -> Result<Payload, sqlx::Error> {
    of_text(mapping, &json_of(&columns(mapping), row, index)?)
}

/// The payload in a row as the text of a JSON object.
fn of_text(mapping: &Mapping, text: &str) -> Result<Payload, sqlx::Error> {
    let mut record = mapping.schema.record(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    record.retain(|_, value| !value.is_null());
    // JSON is often kept in a column of text.
    for path in mapping.schema.definition().payload.values().flat_map(|paths| paths.list()) {
        if let Some(value) = record.get_mut(path)
            && let Some(object) = value.as_str().filter(|text| text.starts_with('{'))
            && let Ok(object) = serde_json::from_str::<Map<String, Value>>(object)
        {
            *value = Value::Object(object);
        }
    }
    let mut payload = mapping.schema.divide(record);
    payload.raw.push(RawRecord::new(mapping.table.name.clone(), text));
    Ok(payload)
}

pub(crate) async fn load(reader: Reader<'_>, mapping: &Mapping, key: &str) -> Result<Option<Payload>, sqlx::Error> {
    let mut reading = reader.read().await?;
    let found = match one(&mut reading, mapping, &selected(&columns(mapping)), key).await {
        Err(error) if is_of_data(&error) => by_column(&mut reading, mapping, key).await?,
        row => row?.map(|row| of_row(mapping, &row, 1)).transpose()?,
    };
    reading.end().await?;
    Ok(found)
}

/// The payloads of several rows with their keys; none where a value of one cannot be computed.
pub(crate) async fn load_all(
    reader: Reader<'_>,
    mapping: &Mapping,
    keys: &[String],
) -> Result<Vec<(String, Payload)>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (key, whole) = (mapping.key_text(), selected(&columns(mapping)));
    let mut sql = Sql::raw(format!("SELECT {key}, {whole} FROM {} t WHERE ", mapping.relation.sql));
    sql.append("", &mapping.with_keys(keys));
    let mut reading = reader.read().await?;
    let rows = match reading.fetch(sql).await {
        Err(error) if is_of_data(&error) => Vec::new(),
        rows => rows?,
    };
    reading.end().await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.push((Mapping::key(row)?, of_row(mapping, row, 1)?));
    }
    Ok(found)
}

/// The payload of a row of which a value cannot be computed: without that one.
pub(crate) async fn by_column(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    key: &str,
) -> Result<Option<Payload>, sqlx::Error> {
    let mut parts = Vec::new();
    for column in columns(mapping) {
        match one(reading, mapping, &selected(&[column]), key).await {
            Ok(Some(row)) => {
                let object = json_of(&[column], &row, 1)?;
                parts.push(
                    object.strip_prefix('{').unwrap_or_default().strip_suffix('}').unwrap_or_default().to_owned(),
                );
            }
            Ok(None) => return Ok(None),
            Err(error) if is_of_data(&error) => {}
            Err(error) => return Err(error),
        }
    }
    of_text(mapping, &format!("{{{}}}", parts.join(","))).map(Some)
}
