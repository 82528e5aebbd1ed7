//! A value of a row, and what of the errors in reading one is about values.

use crosstail_core::schema::Scalar;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};
use std::borrow::Cow;

/// A column's value; `None` for NULL. What is no UTF-8 is shown as far as it is; bytes that are no text, as digits.
pub(super) fn scalar(row: &SqliteRow, index: usize) -> Result<Option<Scalar<'_>>, sqlx::Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(None);
    }
    let kind = raw.type_info().into_owned();
    Ok(Some(match kind.name() {
        "INTEGER" | "BOOLEAN" | "INT4" | "INT8" => Scalar::Int(row.try_get_unchecked(index)?),
        "REAL" | "NUMERIC" => Scalar::Float(row.try_get_unchecked(index)?),
        holds => {
            let bytes: &[u8] = row.try_get_unchecked(index)?;
            Scalar::Text(match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) if holds == "BLOB" => Cow::Owned(hex(bytes)),
                Err(_) => String::from_utf8_lossy(bytes),
            })
        }
    }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether SQLite could not compute a value: of JSON that is none, of numbers that are too large.
pub(super) fn is_of_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|db| db.code()).unwrap_or_default().into_owned();
    // A pattern is compared with a text that is no UTF-8: a constraint (19) of the function.
    matches!(code.as_str(), "1" | "18" | "19")
        || matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))
}
