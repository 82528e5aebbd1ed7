//! The payload of one row.

use super::connection::Reader;
use super::mapping::Mapping;
use crosstail_core::model::{Payload, RawRecord};
use crosstail_source::sql::{Sql, literal, name};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

/// The row as a JSON object, with every readable column.
pub(super) fn whole_row(mapping: &Mapping) -> String {
    let columns = &mapping.relation.columns;
    if columns.iter().all(|column| column.readable) {
        return "to_jsonb(t)::text".to_owned();
    }
    let readable: Vec<&str> = columns.iter().filter(|c| c.readable).map(|c| c.name.as_str()).collect();
    json_of(&readable)
}

/// These columns, quoted, as one JSON object.
pub(super) fn json_of(columns: &[&str]) -> String {
    let parts: Vec<String> = columns.iter().map(|column| format!("{}, t.{}", literal(column), name(column))).collect();
    // A function accepts at most 100 arguments.
    let chunks: Vec<String> =
        parts.chunks(50).map(|chunk| format!("jsonb_build_object({})", chunk.join(", "))).collect();
    format!("({})::text", chunks.join(" || "))
}

/// The payload in a row whose column `index` is [`whole_row`].
pub(super) fn of_row(mapping: &Mapping, row: &PgRow, index: usize) -> Result<Payload, sqlx::Error> {
    let text: &str = row.try_get(index)?;
    let mut record = mapping.schema.record(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    record.retain(|_, value| !value.is_null());
    let mut payload = mapping.schema.divide(record);
    payload.raw.push(RawRecord::new(mapping.table.name.clone(), text));
    Ok(payload)
}

pub(super) async fn load(reader: Reader<'_>, mapping: &Mapping, key: &str) -> Result<Option<Payload>, sqlx::Error> {
    let mut sql = Sql::raw(format!("SELECT {} FROM {} t WHERE ", whole_row(mapping), mapping.relation.sql));
    sql.append("", &mapping.with_keys(&[key.to_owned()]));
    let mut reading = reader.read().await?;
    let rows = reading.fetch(sql).await?;
    reading.end().await?;
    rows.first().map(|row| of_row(mapping, row, 0)).transpose()
}
