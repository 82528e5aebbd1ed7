//! Figures in the store: counts, outcomes, and latencies in the buckets of the sketch that we count in ourselves.

use crate::connection::Reader;
use crate::mapping::Mapping;
use crate::query::{undated, within};
use crate::relation::text;
use crate::sql;
use crosstail_core::filter::{Field, ValueType};
use crosstail_core::model::{Latencies, Mean, Names, Timestamp};
use crosstail_core::number::{saturating_u64, saturating_usize};
use crosstail_source::sql::{Sql, literal};
use crosstail_source::{Grouping, Groups, PageQuery};
use sqlx::Row as _;

/// Figures of one table; `None` where the filter or a field cannot be said there.
pub(crate) async fn aggregate(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    query: &PageQuery,
    grouping: &Grouping,
) -> Result<Option<Groups>, sqlx::Error> {
    let Some(statement) = statement(mapping, query, grouping) else { return Ok(None) };
    let mut reading = reader.read().await?;
    let rows = reading.fetch(statement).await?;
    reading.end().await?;
    let n = grouping.by.len();
    let mut groups = Groups::new();
    for row in &rows {
        let values = (0..n).map(|index| text(row, index)).collect::<Result<Vec<Option<String>>, _>>()?;
        let bucket: Option<i64> = row.try_get_unchecked(n)?;
        let latency: Option<i64> = row.try_get_unchecked(n + 1)?;
        let whole = |index: usize| row.try_get_unchecked::<i64, _>(n + 2 + index).map(saturating_u64);
        let mean = |index: usize| -> Result<Mean, sqlx::Error> {
            let sum = row.try_get_unchecked::<Option<f64>, _>(n + 2 + index)?.unwrap_or(0.0);
            Ok(Mean { sum, count: whole(index + 1)? })
        };
        let figures = groups.entry((values, bucket.map(Timestamp))).or_default();
        figures.count += whole(0)?;
        figures.failed += whole(1)?;
        figures.open += whole(2)?;
        figures.succeeded += whole(3)?;
        figures.concluded += whole(4)?;
        if let Some(latency) = latency {
            figures.latencies.add_bucket(saturating_usize(latency), whole(0)?, whole(5)?);
        }
        for (mine, more) in [(&mut figures.cpu, mean(6)?), (&mut figures.memory, mean(8)?)] {
            mine.sum += more.sum;
            mine.count += more.count;
        }
    }
    if mapping.time_is_nullable() && query.since.is_none() && query.until.is_none() {
        let predicate = query.filter.predicate(&query.context);
        let mut after: Option<String> = None;
        loop {
            let page = undated(reader, mapping, names, &predicate, after.as_deref(), false, 2000).await?;
            for activity in &page.items {
                groups.entry(grouping.key(activity, names)).or_default().add(activity);
            }
            after = page.last;
            if page.ended {
                break;
            }
        }
    }
    Ok(Some(groups))
}

fn statement(mapping: &Mapping, query: &PageQuery, grouping: &Grouping) -> Option<Sql> {
    let condition = sql::condition(mapping, &query.filter.predicate(&query.context));
    // SQL does not know the zone that a schema names.
    let local = grouping.bucket_us.is_some() && mapping.is_local(crosstail_core::schema::Target::StartedAt);
    if !condition.exact || local {
        return None;
    }
    let or_null = |field: Field| {
        sql::expression(mapping, field).or_else(|| sql::is_absent(mapping, field).then(|| "NULL".to_owned()))
    };
    let mut inner = Sql::raw("SELECT ");
    for (index, by) in grouping.by.iter().enumerate() {
        let value = match by {
            Field::Source => literal(&mapping.source_name),
            by if matches!(by.class(), ValueType::Number | ValueType::Duration | ValueType::Time) => return None,
            Field::Tags => return None,
            by => or_null(*by)?,
        };
        // Bytes: no two different texts are one group.
        inner.push(&format!("CAST({value} AS BINARY) AS k{index}, "), []);
    }
    let status = sql::status_or_null(mapping)?;
    let (outcome, took) = (sql::expression(mapping, Field::Is)?, or_null(Field::Duration)?);
    let (cpu, memory) = (or_null(Field::Cpu)?, or_null(Field::Memory)?);
    let bucket = grouping.bucket_us.map_or_else(|| "NULL".to_owned(), |us| floored(&mapping.time_us(), us));
    inner.push(
        &format!(
            "CAST({bucket} AS SIGNED) AS bucket, CAST({took} AS SIGNED) AS took, {outcome} AS outcome, \
             {status} AS status, ({cpu} + 0e0) AS cpu, ({memory} + 0e0) AS memory FROM {} t",
            mapping.relation.sql
        ),
        [],
    );
    // Rows without a time are counted here.
    let mut parts = within(mapping, query);
    parts.push(condition.sql);
    inner.append(" WHERE ", &Sql::join(parts, " AND "));
    let names: String = (0..grouping.by.len()).map(|index| format!("k{index}, ")).collect();
    // As `Latencies::bucket` counts.
    let latency = format!("CASE WHEN took <= 1 THEN 0 ELSE CEIL(LN(took) / {:e}) END", Latencies::LOG_GAMMA);
    let count = |of: &str| format!("COUNT(CASE WHEN {of} THEN 1 END)");
    let mut outer = Sql::raw(format!(
        "SELECT {names}bucket, CAST({latency} AS SIGNED) AS latency, COUNT(*), {}, {}, {}, {}, \
         CAST(COALESCE(SUM(took), 0) AS SIGNED), SUM(cpu), COUNT(cpu), SUM(memory), COUNT(memory) FROM (",
        count("outcome = 'failure'"),
        count("status = 'in_progress'"),
        count("status = 'success'"),
        count("status IN ('success', 'failed', 'timeout')"),
    ));
    outer.append("", &inner);
    outer.push(&format!(") a GROUP BY {names}bucket, latency"), []);
    Some(outer)
}

/// The greatest multiple that is not above, before the epoch, too. `/` would round.
pub(crate) fn floored(us: &str, multiple: i64) -> String {
    format!("({us} - MOD(MOD({us}, {multiple}) + {multiple}, {multiple}))")
}
