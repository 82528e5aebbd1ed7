//! What the server says that a query takes.

use crate::connection::Reader;
use crate::mapping::Mapping;
use crate::query::within;
use crate::sql;
use crosstail_source::sql::Sql;
use crosstail_source::{Cost, PageQuery};
use sqlx::Row as _;

/// The cost of the rows that a query keeps.
pub(crate) async fn cost(reader: Reader<'_>, mappings: &[Mapping], query: &PageQuery) -> Result<Cost, sqlx::Error> {
    let predicate = query.filter.predicate(&query.context);
    let mut cost = Cost { indexed: !mappings.is_empty(), rows: Some(0), bytes: None };
    for mapping in mappings {
        let condition = sql::condition(mapping, &predicate);
        let mut parts = within(mapping, query);
        parts.push(condition.sql);
        let mut text = Sql::raw("EXPLAIN ");
        text.append(&mapping.select_versions(""), &Sql::raw(""));
        text.append(" WHERE ", &Sql::join(parts, " AND "));
        let mut reading = reader.read().await?;
        let rows = reading.fetch(text).await?;
        reading.end().await?;
        // The table itself comes first; what follows looks up other rows.
        let Some(row) = rows.first() else { return Ok(Cost::default()) };
        let of = |column: &str| {
            let bytes = row.try_get_unchecked::<Option<&[u8]>, _>(column).ok().flatten();
            bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
        };
        let (how, keys) = (of("type"), of("key"));
        let narrow = !matches!(how.as_str(), "ALL" | "index" | "");
        let by_time = keys.split(',').all(|key| mapping.relation.begins_with(key, &mapping.table.time));
        let indexed = (narrow && !keys.is_empty() && !by_time) || of("Extra").contains("mpossible WHERE");
        let expected: Option<i64> = row.try_get_unchecked::<Option<i64>, _>("rows").ok().flatten();
        let expected = expected.map_or(0, crosstail_core::number::saturating_u64);
        cost.rows = cost.rows.map(|known| known.saturating_add(expected));
        cost.indexed &= indexed;
    }
    Ok(cost)
}
