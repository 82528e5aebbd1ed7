//! Figures computed by the server: counts, outcomes, and latencies in the buckets of crosstail's own sketch.

use super::connection::Reader;
use super::index::{Hints, hints};
use super::mapping::Mapping;
use super::query::undated;
use super::sql;
use crosstail_core::filter::{Field, ValueType};
use crosstail_core::model::{Latencies, Mean, Names, Timestamp};
use crosstail_core::number::{saturating_u64, saturating_usize};
use crosstail_source::sql::{Sql, literal};
use crosstail_source::{Grouping, Groups, PageQuery};
use sqlx::Row as _;

/// Undated rows per query.
const CHUNK: usize = 2000;

/// Figures of one table; `None` where SQL cannot express the filter or a field.
pub(super) async fn aggregate(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    query: &PageQuery,
    grouping: &Grouping,
) -> Result<Option<Groups>, sqlx::Error> {
    let predicate = query.filter.predicate(&query.context);
    let hints = hints(reader, mapping, &predicate).await?;
    let Some(text) = statement(mapping, query, grouping, &hints) else { return Ok(None) };
    let mut reading = reader.read().await?;
    let rows = match reading.fetch(text).await {
        Ok(rows) => rows,
        // A value that the server cannot read is one that it cannot count.
        Err(error) if super::row::is_of_data(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    reading.end().await?;
    let n = grouping.by.len();
    let mut groups = Groups::new();
    for row in &rows {
        let values = (0..n).map(|index| Ok(super::row::text(row, index)?.map(std::borrow::Cow::into_owned)));
        let values = values.collect::<Result<Vec<Option<String>>, sqlx::Error>>()?;
        let bucket: Option<i64> = row.try_get(n)?;
        let latency: Option<i64> = row.try_get(n + 1)?;
        let whole = |index: usize| row.try_get::<i64, _>(n + 2 + index).map(saturating_u64);
        let mean = |index: usize| -> Result<Mean, sqlx::Error> {
            Ok(Mean { sum: row.try_get::<Option<f64>, _>(n + 2 + index)?.unwrap_or(0.0), count: whole(index + 1)? })
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
    if query.since.is_none() && query.until.is_none() {
        let mut after: Option<String> = None;
        loop {
            let page = undated(reader, mapping, names, &predicate, after.as_deref(), false, CHUNK).await?;
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

fn statement(mapping: &Mapping, query: &PageQuery, grouping: &Grouping, hints: &Hints) -> Option<Sql> {
    let condition = sql::condition(mapping, &query.filter.predicate(&query.context), hints);
    if !condition.exact {
        return None;
    }
    let mut keys = Vec::new();
    for by in &grouping.by {
        let value = match by {
            Field::Source => literal(&mapping.source_name),
            by if matches!(by.class(), ValueType::Number | ValueType::Duration | ValueType::Time) => return None,
            Field::Tags => return None,
            by => sql::expression(mapping, *by).or_else(|| sql::is_absent(mapping, *by).then(|| "NULL".to_owned()))?,
        };
        keys.push(format!("({value})::text"));
    }
    let or_null = |field: Field, null: &str| {
        sql::expression(mapping, field).or_else(|| sql::is_absent(mapping, field).then(|| null.to_owned()))
    };
    let status = sql::status_or_null(mapping)?;
    // Sorting durations into their buckets costs more than counting.
    let measure = |field: Field, null: &str| {
        if grouping.counts { Some(null.to_owned()) } else { or_null(field, null) }
    };
    let (outcome, took) = (sql::expression(mapping, Field::Is)?, measure(Field::Duration, "NULL::numeric")?);
    let (cpu, memory) = (measure(Field::Cpu, "NULL::float8")?, measure(Field::Memory, "NULL::float8")?);
    let bucket = grouping.bucket_us.map_or_else(
        || "NULL::int8".to_owned(),
        |us| format!("(floor(({})::numeric / {us}) * {us})::int8", mapping.time.us()),
    );
    let mut inner = Sql::raw("SELECT ");
    for (index, key) in keys.iter().enumerate() {
        inner.push(&format!("{key} AS k{index}, "), []);
    }
    inner.push(
        &format!(
            "{bucket} AS bucket, ({took})::int8 AS took, {outcome} AS outcome, {status} AS status, \
             ({cpu})::float8 AS cpu, ({memory})::float8 AS memory FROM {} t",
            mapping.relation.sql
        ),
        [],
    );
    // Rows without a time are counted locally.
    let mut parts = vec![condition.sql, Sql::raw(mapping.time.dated())];
    parts.extend(query.since.map(|at| mapping.time_is(">=", at)));
    parts.extend(query.until.map(|at| mapping.time_is("<", at)));
    inner.append(" WHERE ", &Sql::join(parts, " AND "));
    let names: String = (0..keys.len()).map(|index| format!("k{index}, ")).collect();
    // The same buckets as `Latencies::bucket`.
    let latency = format!(
        "CASE WHEN took IS NULL THEN NULL WHEN took <= 1 THEN 0 ELSE ceil(ln(took::float8) / {}::float8)::int8 END",
        Latencies::LOG_GAMMA
    );
    let mut outer = Sql::raw(format!(
        "SELECT {names}bucket, {latency} AS latency, count(*), count(*) FILTER (WHERE outcome = 'failure'), \
         count(*) FILTER (WHERE status = 'in_progress'), count(*) FILTER (WHERE status = 'success'), \
         count(*) FILTER (WHERE status IN ('success', 'failed', 'timeout')), \
         coalesce(sum(took), 0)::int8, sum(cpu), count(cpu), sum(memory), count(memory) FROM ("
    ));
    outer.append("", &inner);
    outer.push(&format!(") a GROUP BY {names}bucket, latency"), []);
    Some(outer)
}
