//! What a poll asks first: the server's time, and which tables are small.

use crate::connection::ReadTransaction;
use crate::mapping::Mapping;
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
