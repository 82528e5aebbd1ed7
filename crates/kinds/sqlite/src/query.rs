//! The queries: keyset pages, related rows, figures. All SQL is built here and in `sql.rs`, from names of the schema
//! (quoted) and bind parameters; a value never becomes SQL text.

use super::connection::Reader;
use super::mapping::Mapping;
use super::sql;
use crosstail_core::filter::{Field, NamedRecord, Predicate, ValueType};
use crosstail_core::model::{Activity, Latencies, Names, Status, Timestamp};
use crosstail_core::number::saturating_u64;
use crosstail_core::schema::Target;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, name};
use crosstail_source::{Cursor, Grouping, Groups, Page, PageQuery, RelatedKey, SharedId};
use sqlx::Row as _;

/// A predicate's condition. Only a canonical table holds the values that filters compare; others are filtered locally.
fn condition(mapping: &Mapping, predicate: &Predicate) -> (Sql, usize) {
    if mapping.schema.definition().canonical { sql::condition(mapping, predicate) } else { (Sql::constant(true), 0) }
}

pub(super) async fn page(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    query: &PageQuery,
    after: Option<&Cursor>,
) -> Result<Page, sqlx::Error> {
    let predicate = query.filter.predicate(&query.context);
    let (condition, exact) = condition(mapping, &predicate);
    let residual = exact < query.filter.clauses().len();
    let (time, id) = (mapping.time(), name(mapping.table.id.as_str()));
    let (order, beyond) = if query.newest_first { ("DESC", "<") } else { ("ASC", ">") };
    let payload = if predicate.needs_payload() { super::payload::columns(mapping) } else { Vec::new() };
    let extra: String = payload.iter().map(|column| format!(", {}", name(column))).collect();
    let mut cursor = after.cloned();
    let mut items = Vec::new();
    // Where part of the filter is evaluated locally, rows are read until enough of them match.
    let chunk = if residual { query.limit.clamp(500, 5000) } else { query.limit };
    loop {
        let mut sql = Sql::raw(mapping.select(&extra));
        sql.append(" WHERE ", &within(mapping, &condition, query));
        if let Some(cursor) = &cursor {
            let at = Bind::Int(mapping.stored_time(Timestamp(cursor.time_us)));
            let beyond = format!(" AND ({time}, {id}) {beyond} ({PLACEHOLDER}, {PLACEHOLDER})");
            sql.push(&beyond, [at, Bind::Text(cursor.id.clone())]);
        }
        let limit = Bind::Int(i64::try_from(chunk).unwrap_or(i64::MAX));
        sql.push(&format!(" ORDER BY {time} {order}, {id} {order} LIMIT {PLACEHOLDER}"), [limit]);
        let rows = reader.fetch(sql).await?;
        let full = rows.len() == chunk;
        for row in &rows {
            let activity = mapping.activity(row)?;
            let whole = if payload.is_empty() {
                None
            } else {
                Some(super::payload::of_row(mapping, row, mapping.width(), &payload)?)
            };
            let kept =
                !residual || predicate.keeps(&NamedRecord { activity: &activity, names, payload: whole.as_ref() });
            cursor = Some(Cursor::after(&activity));
            if kept {
                items.push(activity);
                if items.len() == query.limit {
                    break;
                }
            }
        }
        let enough = items.len() == query.limit;
        if enough || !full {
            let next = if enough || full { cursor } else { None };
            return Ok(Page { items, next, push_down: super::division(&query.filter, exact) });
        }
    }
}

pub(super) async fn related(
    reader: Reader<'_>,
    mapping: &Mapping,
    key: &RelatedKey,
    limit: usize,
) -> Result<Vec<Activity>, sqlx::Error> {
    let column =
        |target: Target| mapping.selected.iter().find(|(_, (found, _))| *found == target).map(|(sql, _)| sql.clone());
    let (columns, value) = match &key.id {
        SharedId::Correlation(id) => (vec![column(Target::CorrelationId)], id),
        SharedId::Request(id) => {
            (vec![column(Target::RequestId), column(Target::ParentRequestId), column(Target::Id)], id)
        }
    };
    let columns: Vec<String> = columns.into_iter().flatten().collect();
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    // One indexed look-up per column: an OR of columns would scan the table.
    let select = mapping.select("");
    let parts: Vec<String> = columns.iter().map(|column| format!("{select} WHERE {column} = {PLACEHOLDER}")).collect();
    let mut binds = vec![Bind::Text(value.clone()); parts.len()];
    binds.push(Bind::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
    let rows = reader.fetch(Sql { text: format!("{} LIMIT {PLACEHOLDER}", parts.join(" UNION ")), binds }).await?;
    let mut found = rows.iter().map(|row| mapping.activity(row)).collect::<Result<Vec<_>, _>>()?;
    found.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    Ok(found)
}

/// A condition together with the time bounds of a query.
fn within(mapping: &Mapping, condition: &Sql, query: &PageQuery) -> Sql {
    let mut parts = vec![condition.clone()];
    for (bound, op) in [(query.since, ">="), (query.until, "<")] {
        if let Some(at) = bound {
            parts.push(Sql::with(format!("{} {op} {PLACEHOLDER}", mapping.time()), Bind::Int(mapping.stored_time(at))));
        }
    }
    Sql::join(parts, " AND ")
}

/// Figures computed by the database; `None` where SQL cannot express the filter or a field.
pub(super) async fn aggregate(
    reader: Reader<'_>,
    mapping: &Mapping,
    query: &PageQuery,
    grouping: &Grouping,
) -> Result<Option<Groups>, sqlx::Error> {
    let predicate = query.filter.predicate(&query.context);
    let (condition, exact) = condition(mapping, &predicate);
    let countable =
        |by: &Field| matches!(by.class(), ValueType::Keyword | ValueType::Text | ValueType::Id | ValueType::Word);
    if exact < query.filter.clauses().len()
        || !mapping.schema.definition().canonical
        || !grouping.by.iter().all(countable)
    {
        return Ok(None);
    }
    let keys: Option<Vec<String>> = grouping.by.iter().map(|by| sql::expression(mapping, *by)).collect();
    let expressions = (keys, sql::expression(mapping, Field::Is), sql::expression(mapping, Field::Duration));
    let (Some(mut keys), Some(outcome), Some(took)) = expressions else { return Ok(None) };
    let status = sql::expression(mapping, Field::Status).unwrap_or_else(|| "NULL".to_owned());
    let n = keys.len();
    // Integer division truncates towards zero: times before the epoch are not grouped here.
    keys.push(grouping.bucket_us.map_or_else(|| "NULL".to_owned(), |us| format!("{} / {us} * {us}", mapping.time())));
    // SQLite has a logarithm only in some builds: latencies are counted locally, from rows with just the needed
    // columns.
    let list: Vec<String> = (1..=n + 4).map(|n| n.to_string()).collect();
    let mut sql = Sql::raw(format!(
        "SELECT {}, {outcome}, {status}, {took}, count(*) FROM {}",
        keys.join(", "),
        name(&mapping.table.name)
    ));
    sql.append(" WHERE ", &within(mapping, &condition, query));
    sql.push(&format!(" GROUP BY {}", list.join(", ")), []);
    let mut groups = Groups::new();
    for row in reader.fetch(sql).await? {
        let values = (0..n).map(|i| row.try_get_unchecked(i)).collect::<Result<Vec<Option<String>>, _>>()?;
        let bucket: Option<i64> = row.try_get_unchecked(n)?;
        let outcome: Option<String> = row.try_get_unchecked(n + 1)?;
        let status: Option<String> = row.try_get_unchecked(n + 2)?;
        let count = saturating_u64(row.try_get_unchecked::<i64, _>(n + 4)?);
        let figures = groups.entry((values, bucket.map(Timestamp))).or_default();
        figures.count += count;
        figures.failed += if outcome.as_deref() == Some("failure") { count } else { 0 };
        figures.open += if status.as_deref() == Some(Status::InProgress.as_str()) { count } else { 0 };
        figures.succeeded += if status.as_deref() == Some(Status::Success.as_str()) { count } else { 0 };
        if let Some(us) = row.try_get_unchecked::<Option<i64>, _>(n + 3)? {
            let us = saturating_u64(us);
            figures.latencies.add_bucket(Latencies::bucket(us), count, us * count);
        }
    }
    Ok(Some(groups))
}
