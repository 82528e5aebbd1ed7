//! Maps a table to activities: which of its columns fill what, and how a row is read.

use super::connection::Reader;
use crosstail_core::filter::{Field, ValueType};
use crosstail_core::model::{Activity, Id, Locator, Place, SourceId, Timestamp};
use crosstail_core::number::saturating_u16;
use crosstail_core::schema::{Assembler, Scalar, Schema, Table, Target, TimeUnit};
use crosstail_source::sql::name;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A schema resolved against one table.
pub(super) struct Mapping {
    pub(super) schema: Schema,
    pub(super) table: Table,
    pub(super) source: SourceId,
    pub(super) source_name: String,
    /// The existing columns.
    pub(super) columns: Vec<String>,
    /// Selected expressions, and what each fills.
    pub(super) selected: Vec<(String, (Target, u16))>,
    select: String,
}

/// The tables and views of the database, with their columns.
pub(super) async fn tables(reader: Reader<'_>) -> Result<BTreeMap<String, Vec<String>>, sqlx::Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
         WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%'",
    )
    .fetch_all(reader.connection().await?.on())
    .await?;
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column) in rows {
        tables.entry(table).or_default().push(column);
    }
    Ok(tables)
}

impl Mapping {
    pub(super) fn new(schema: Schema, table: Table, columns: &[String], source: SourceId, source_name: &str) -> Self {
        let mut selected = Vec::new();
        for (target_name, paths) in &schema.definition().fields {
            let Some(target) = Target::parse(target_name) else { continue };
            for (rank, path) in paths.list().iter().enumerate() {
                if columns.contains(path) {
                    selected.push((name(path), (target, saturating_u16(rank))));
                } else if let Some((column, inner)) = path.split_once('.')
                    && columns.iter().any(|known| known == column)
                {
                    let path = inner.replace('\'', "''");
                    let column = name(column);
                    let value = format!("CASE WHEN json_valid({column}) THEN json_extract({column}, '$.{path}') END");
                    selected.push((value, (target, saturating_u16(rank))));
                }
            }
        }
        let select = selected.iter().map(|(sql, _)| sql.as_str()).collect::<Vec<_>>().join(", ");
        Self { schema, table, source, source_name: source_name.to_owned(), columns: columns.to_vec(), selected, select }
    }

    /// The column that holds a field exactly as filters compare it; `None` where the schema derives the field.
    pub(super) fn column(&self, field: Field) -> Option<String> {
        let target = match field {
            // One column holds type and id.
            Field::Entity => Target::EntityType,
            field => Target::of(field)?,
        };
        let (sql, _) = self.selected.iter().find(|(_, (found, _))| *found == target)?;
        let text = matches!(field.class(), ValueType::Keyword | ValueType::Text | ValueType::Id);
        Some(if text { format!("nullif({sql}, '')") } else { sql.clone() })
    }

    /// SQL for the start time, in the unit of [`Self::stored_time`].
    pub(super) fn time(&self) -> String {
        let column = name(&self.table.time);
        match self.table.time_unit {
            // Milliseconds, the resolution of SQLite's date functions.
            TimeUnit::Text => format!("CAST(round((julianday({column}) - 2440587.5) * 86400000.0) AS INTEGER)"),
            _ => column,
        }
    }

    /// A moment in the unit in which the table stores it.
    pub(super) fn stored_time(&self, at: Timestamp) -> i64 {
        match self.table.time_unit {
            TimeUnit::Us => at.0,
            TimeUnit::Ms | TimeUnit::Text => at.0.div_euclid(1000),
            TimeUnit::S => at.0.div_euclid(1_000_000),
        }
    }

    /// `SELECT` of what an activity needs, followed by `extra`.
    pub(super) fn select(&self, extra: &str) -> String {
        format!("SELECT {}{extra} FROM {}", self.select, name(&self.table.name))
    }

    /// Number of columns before the extra ones.
    pub(super) fn width(&self) -> usize {
        self.selected.len()
    }

    /// The activity of a row.
    pub(super) fn activity(&self, row: &SqliteRow) -> Result<Activity, sqlx::Error> {
        let mut assembler = Assembler::default();
        for (index, (_, target)) in self.selected.iter().enumerate() {
            if let Some(value) = scalar(row, index)? {
                assembler.set(*target, value);
            }
        }
        let mut activity = assembler.finish(&self.schema, Id::Text("".into()), Timestamp(0));
        let key = activity.id.to_string();
        activity.places = vec![Place::new(self.source, Locator::table_key(0, &key))];
        Ok(activity)
    }
}

/// A column's value; `None` for NULL.
pub(super) fn scalar(row: &SqliteRow, index: usize) -> Result<Option<Scalar<'_>>, sqlx::Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(None);
    }
    let kind = raw.type_info().into_owned();
    Ok(Some(match kind.name() {
        "INTEGER" | "BOOLEAN" | "INT4" | "INT8" => Scalar::Int(row.try_get_unchecked(index)?),
        "REAL" | "NUMERIC" => Scalar::Float(row.try_get_unchecked(index)?),
        "BLOB" => {
            let bytes: &[u8] = row.try_get_unchecked(index)?;
            Scalar::Text(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
        }
        _ => Scalar::Text(Cow::Borrowed(row.try_get_unchecked::<&str, _>(index)?)),
    }))
}
