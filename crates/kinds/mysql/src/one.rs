//! One row by its key, and whether an error is of a value in it.

use crate::connection::ReadTransaction;
use crate::mapping::Mapping;
use crosstail_source::sql::Sql;
use sqlx::mysql::MySqlRow;

/// Whether the server could not compute a value: data exceptions, a subquery of several rows, what a function says.
pub(crate) fn is_of_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|db| db.code()).unwrap_or_default().into_owned();
    ["22", "21", "45"].iter().any(|class| code.starts_with(class))
        || matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))
}

/// The key of a row, and one value of it.
pub(crate) async fn one(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    sql: &str,
    key: &str,
) -> Result<Option<MySqlRow>, sqlx::Error> {
    let mut query = Sql::raw(format!("SELECT {}, {sql} FROM {} t WHERE ", mapping.key_text(), mapping.relation.sql));
    query.append("", &mapping.with_keys(&[key.to_owned()]));
    let rows = reading.fetch(query).await?;
    for row in rows {
        if Mapping::key(&row)? == key {
            return Ok(Some(row));
        }
    }
    Ok(None)
}
