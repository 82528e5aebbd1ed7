//! Versions of rows: by them it is seen whether a row changed.

use crate::connection::ReadTransaction;
use crate::mapping::Mapping;
use crosstail_source::sql::Sql;
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;

/// A row's key, version and time.
pub(super) struct RowVersion {
    pub(super) key: String,
    pub(super) version: i64,
    pub(super) time_us: i64,
}

impl RowVersion {
    /// Of a row of [`Mapping::select_versions`].
    pub(super) fn of(row: &MySqlRow) -> Result<Self, sqlx::Error> {
        let time_us = row.try_get_unchecked::<Option<i64>, _>(2)?.unwrap_or(i64::MAX);
        Ok(Self { key: Mapping::key(row)?, version: Mapping::version_of(row)?, time_us })
    }
}

pub(super) async fn versions(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    condition: &Sql,
) -> Result<Vec<RowVersion>, sqlx::Error> {
    let mut sql = Sql::raw(mapping.select_versions(""));
    sql.append(" WHERE ", condition);
    reading.fetch(sql).await?.iter().map(RowVersion::of).collect()
}
