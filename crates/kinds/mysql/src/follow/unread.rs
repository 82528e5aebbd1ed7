//! Columns that cannot be read in every row: a version without them is one that can be computed.

use super::survey::{is_small, now};
use super::tiers::{DAY, TIERS};
use crate::connection::Reader;
use crate::mapping::Mapping;
use crate::one::is_of_data;
use crosstail_core::model::Timestamp;
use crosstail_source::sql::Sql;

/// Leaves such columns out of the versions of their rows; what is to be said of each table that has some.
pub(super) async fn leave_out(reader: Reader<'_>, mappings: &[Mapping]) -> Result<Vec<String>, sqlx::Error> {
    let mut found = Vec::new();
    for mapping in mappings {
        let mut columns = unread(reader, mapping, !is_small(mapping)).await?;
        if columns.is_empty() {
            columns = unread(reader, mapping, false).await?;
        }
        if columns.is_empty() {
            continue;
        }
        for column in &columns {
            mapping.leave_out(column);
        }
        let (table, list) = (&mapping.table.name, columns.join(", "));
        found.push(format!(
            "{table}: {list} cannot be read in every row; rows in which nothing else changes are not seen to change"
        ));
    }
    Ok(found)
}

async fn unread(reader: Reader<'_>, mapping: &Mapping, of_a_day: bool) -> Result<Vec<String>, sqlx::Error> {
    let mut found = Vec::new();
    let mut reading = reader.read().await?;
    let since = Timestamp(now(&mut reading).await? - TIERS[DAY].back_us);
    for (column, version) in mapping.versions_of_columns() {
        let mut sql = Sql::raw(format!("SELECT BIT_XOR({version}) FROM {} t", mapping.relation.sql));
        if of_a_day {
            sql.append(" WHERE ", &mapping.time_is(">=", since));
        }
        match reading.fetch(sql).await {
            Err(error) if is_of_data(&error) => found.push(column),
            sum => drop(sum?),
        }
    }
    reading.end().await?;
    Ok(found)
}
