//! Counts rows by time, each period by a range of its own. To group by a computed period, PostgreSQL takes every row for a
//! group of its own: it computes the period of each, and one process does so. A range of an index needs no computing, and a
//! Parallel Append divides the ranges among the server's processes.

use super::connection::ReadTransaction;
use super::mapping::Mapping;
use crosstail_core::model::Timestamp;
use crosstail_source::PageQuery;
use crosstail_source::sql::Sql;
use sqlx::Row as _;

/// Periods of one statement: planning each takes the server about a fifth of a millisecond.
const PERIODS: i64 = 400;
/// In a smaller table there is nothing to gain, in rows.
const WORTH: i64 = 100_000;

/// A period with rows in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    /// Its beginning, by which it is called.
    start: Timestamp,
    /// What is counted of it.
    since: Timestamp,
    until: Timestamp,
}

/// Whether counting by time costs about what counting costs, as far as the mapping tells.
pub(super) fn is_quick(mapping: &Mapping) -> bool {
    let relation = &mapping.relation;
    relation.rows >= WORTH && mapping.time.literal(Timestamp(0)).is_some() && relation.is_indexed(&mapping.table.time)
}

/// The periods of so many microseconds in which a query has rows; `None` where they are not worth counting by themselves. The
/// answer holds in the snapshot of the transaction.
pub(super) async fn periods(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    query: &PageQuery,
    us: i64,
) -> Result<Option<Vec<Period>>, sqlx::Error> {
    if !is_quick(mapping) || us <= 0 || !has_whole_index(reading, mapping).await? {
        return Ok(None);
    }
    let column = &mapping.time.column;
    let end = |which: &str| format!("(extract(epoch FROM {which}({column})) * 1000000)::int8");
    let from = &mapping.relation.sql;
    let mut sql = Sql::raw(format!("SELECT {}, {} FROM {from} t WHERE ", end("min"), end("max")));
    let mut parts = vec![Sql::raw(mapping.time.dated())];
    parts.extend(query.since.map(|at| mapping.time_is(">=", at)));
    parts.extend(query.until.map(|at| mapping.time_is("<", at)));
    sql.append("", &Sql::join(parts, " AND "));
    let rows = reading.fetch(sql).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (Some(first), Some(last)) = (row.try_get::<Option<i64>, _>(0)?, row.try_get::<Option<i64>, _>(1)?) else {
        return Ok(None);
    };
    Ok(divide((Timestamp(first), Timestamp(last)), us, query.since, query.until))
}

/// The periods from the one of the first row to the one of the last.
fn divide(
    (first, last): (Timestamp, Timestamp),
    us: i64,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Option<Vec<Period>> {
    let (first, last) = (first.0.div_euclid(us), last.0.div_euclid(us));
    let period = |number: i64| {
        let start = Timestamp(number * us);
        let end = start.plus_us(us).min(Timestamp::BEYOND);
        Period {
            start,
            since: since.map_or(start, |at| at.max(start)).max(Timestamp::FIRST),
            until: until.map_or(end, |at| at.min(end)),
        }
    };
    (last - first < PERIODS).then(|| (first..=last).map(period).collect())
}

/// Whether an index of all rows is in order of the time.
async fn has_whole_index(reading: &mut ReadTransaction, mapping: &Mapping) -> Result<bool, sqlx::Error> {
    let query = sqlx::query_scalar::<_, String>(
        "SELECT pg_get_indexdef(i.indexrelid, 1, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         JOIN pg_am a ON a.oid = c.relam \
         WHERE i.indrelid = $1::regclass AND i.indisvalid AND i.indpred IS NULL AND a.amname = 'btree'",
    );
    let indexes = query.bind(&mapping.relation.sql).persistent(false).fetch_all(reading.on()?).await?;
    Ok(indexes.iter().any(|first| first.trim_matches('"') == mapping.table.time))
}

/// A statement whose rows are those of one that groups by `columns` and the period.
pub(super) fn statement(mapping: &Mapping, columns: &[(usize, String)], periods: &[Period], limit: usize) -> Sql {
    let (from, time) = (&mapping.relation.sql, &mapping.time);
    let own: String = columns.iter().enumerate().map(|(index, (_, sql))| format!("{sql} AS c{index}, ")).collect();
    let names: String = (0..columns.len()).map(|index| format!("c{index}, ")).collect();
    let group = match columns.len() {
        0 => "HAVING count(*) > 0".to_owned(),
        count => format!("GROUP BY {}", (1..=count).map(|number| number.to_string()).collect::<Vec<_>>().join(", ")),
    };
    let counted = |period: &Period| {
        let (since, until) = time.literal(period.since).zip(time.literal(period.until))?;
        Some(format!(
            "SELECT {own}{}::int8 AS bucket, count(*) AS counted FROM {from} t WHERE {column} >= {since} AND {column} < {until} {group}",
            period.start.0,
            column = time.column,
        ))
    };
    let all: Vec<String> = periods.iter().filter_map(counted).collect();
    Sql::raw(format!(
        "SELECT {names}bucket, NULL::int8 AS latency, counted, 0::int8, NULL::float8, 0::int8, NULL::float8, 0::int8 \
         FROM ({}) a LIMIT {limit}",
        all.join(" UNION ALL ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_where_rows_begin_and_end_where_the_query_ends() {
        let at = |us: i64| Timestamp(us);
        let found = divide((at(-5), at(25)), 10, Some(at(-7)), Some(at(26))).expect("few");
        let parts: Vec<_> = found.iter().map(|one| (one.start.0, one.since.0, one.until.0)).collect();
        assert_eq!(parts, [(-10, -7, 0), (0, 0, 10), (10, 10, 20), (20, 20, 26)]);
        assert_eq!(divide((at(3), at(3)), 10, None, None).map(|found| found.len()), Some(1));
        assert!(divide((at(0), at(PERIODS * 10 - 1)), 10, None, None).is_some());
        assert!(divide((at(0), at(PERIODS * 10)), 10, None, None).is_none());
    }
}
