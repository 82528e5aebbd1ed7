//! One row, whole: its columns as JSON, put together here, so that no type is lost on the way.

use crate::connection::Reader;
use crate::mapping::Mapping;
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
    let text = json_of(&columns(mapping), row, index)?;
    let mut record = mapping.schema.record(&text).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
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
    payload.raw.push(RawRecord::new(mapping.table.name.clone(), &text));
    Ok(payload)
}

pub(crate) async fn load(reader: Reader<'_>, mapping: &Mapping, key: &str) -> Result<Option<Payload>, sqlx::Error> {
    let columns = selected(&columns(mapping));
    let mut sql = Sql::raw(format!("SELECT {}, {columns} FROM {} t WHERE ", mapping.key_text(), mapping.relation.sql));
    sql.append("", &mapping.with_keys(&[key.to_owned()]));
    let mut reading = reader.read().await?;
    let rows = reading.fetch(sql).await?;
    reading.end().await?;
    for row in &rows {
        if Mapping::key(row)? == key {
            return of_row(mapping, row, 1).map(Some);
        }
    }
    Ok(None)
}
