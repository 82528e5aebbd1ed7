//! The shape of the mapped tables: what may change while they are followed.

use super::connection::Reader;
use super::mapping::Mapping;
use sqlx::Row as _;
use std::collections::BTreeMap;

/// The shape of the mapped tables at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Names and types of the columns of all tables, as one sum.
    pub(super) columns: String,
    /// The file of each table: another one where the table was written anew.
    files: BTreeMap<String, String>,
}

impl Shape {
    /// Whether a table has been written anew since, so that every row looks new.
    pub(super) fn is_written_anew(&self, later: &Self, mapping: &Mapping) -> bool {
        let name = &mapping.relation.sql;
        self.files.get(name).is_some_and(|file| later.files.get(name).is_some_and(|now| now != file))
    }

    /// Whether a table was not there, so that all that is in it is new.
    pub(super) fn lacks(&self, mapping: &Mapping) -> bool {
        !self.files.contains_key(&mapping.relation.sql)
    }
}

/// The present shape of those of some tables that are there.
pub(super) async fn shape(reader: Reader<'_>, names: &[String]) -> Result<Shape, sqlx::Error> {
    let mut reading = reader.read().await?;
    let query = sqlx::query(
        "SELECT n, concat_ws('/', c.oid, c.relfilenode), (SELECT md5(string_agg(concat_ws(',', a.attname, a.atttypid, a.attnum), ';' \
         ORDER BY a.attnum)) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) \
         FROM unnest($1::text[]) n JOIN pg_class c ON c.oid = to_regclass(n) ORDER BY n",
    )
    .bind(names)
    .persistent(false);
    let rows = reading.all(query).await?;
    reading.end().await?;
    let mut shape = Shape::default();
    for row in &rows {
        let (name, file): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let columns: Option<String> = row.try_get(2)?;
        shape.columns.push_str(&format!("{name} {};", columns.unwrap_or_default()));
        shape.files.insert(name, file);
    }
    Ok(shape)
}
