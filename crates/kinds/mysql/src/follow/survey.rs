//! What a poll asks first: the server's time, which tables are small, and whether they have changed.

use crate::connection::{ReadTransaction, Reader};
use crate::mapping::Mapping;
use crate::relation::relations;
use crate::tables::Tables;
use crosstail_source::sql::Sql;
use sqlx::Row as _;

/// A table with more rows than this is not compared from end to end, nor its whole day before it is followed.
const SMALL: i64 = 200_000;

/// The server's time.
pub(super) async fn now(reading: &mut ReadTransaction) -> Result<i64, sqlx::Error> {
    let sql = Sql::raw("SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))");
    reading.fetch(sql).await?.first().map_or(Err(sqlx::Error::RowNotFound), |row| row.try_get_unchecked(0))
}

/// Whether a table may be compared from end to end.
pub(super) fn is_small(mapping: &Mapping) -> bool {
    !mapping.relation.is_view && mapping.relation.rows <= SMALL
}

/// Whether a table has another shape than when it was looked up, has gone, or has come.
pub(super) async fn has_changed(reader: Reader<'_>, tables: &Tables) -> Result<bool, sqlx::Error> {
    let names: Vec<String> = tables.shapes.keys().cloned().collect();
    let mut reading = reader.read().await?;
    let now = relations(&mut reading, &names, 0).await?;
    reading.end().await?;
    Ok(tables.shapes.iter().any(|(name, shape)| now.get(name).map(|relation| &relation.shape) != shape.as_ref()))
}
