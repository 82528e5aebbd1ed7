//! The queries: pages by keyset over several tables, rows by key, related rows. All SQL is put together here and in
//! `sql.rs`, of names from the schema (quoted) and bind parameters; values never become text.

use crate::connection::{ReadTransaction, Reader};
use crate::mapping::Mapping;
use crate::{payload, sql};
use crosstail_core::filter::{NamedRecord, Predicate};
use crosstail_core::model::{Activity, Names, Timestamp};
use crosstail_core::schema::Target;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql};
use crosstail_source::{Cursor, Page, PageQuery, RelatedKey, SharedId};
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;

/// The bounds of a query.
pub(crate) fn within(mapping: &Mapping, query: &PageQuery) -> Vec<Sql> {
    let mut parts = vec![mapping.timed(true)];
    parts.extend(query.since.map(|at| mapping.time_is(">=", at)));
    parts.extend(query.until.map(|at| mapping.time_is("<", at)));
    parts
}

/// The order of every page: time, then identity.
#[derive(Debug, Clone, Copy)]
struct PageOrder {
    newest_first: bool,
}

impl PageOrder {
    fn words(self) -> (&'static str, &'static str) {
        if self.newest_first { ("DESC", "<") } else { ("ASC", ">") }
    }

    /// What lies beyond a time and an identity.
    fn beyond(self, mapping: &Mapping, at: Timestamp, id: &str) -> Sql {
        let (_, op) = self.words();
        let mut sql = mapping.time_is(&format!("{op}="), at);
        sql.append(" AND (", &mapping.time_is(op, at));
        sql.push(&format!(" OR {} {op} {PLACEHOLDER})", mapping.id()), [Bind::Text(id.to_owned())]);
        sql
    }

    /// The rows of the next page, in order. An index on the time gives rows in order of time alone, and the identity is
    /// no column: so first the time that the page reaches to is looked up in the index, then what is within it is sorted.
    async fn rows(
        self,
        reading: &mut ReadTransaction,
        mapping: &Mapping,
        parts: &[Sql],
        extra: &str,
        limit: usize,
    ) -> Result<Vec<MySqlRow>, sqlx::Error> {
        let (order, op) = self.words();
        let time = mapping.time();
        let mut parts = parts.to_vec();
        if let Some(last) = limit.checked_sub(1).and_then(|n| i64::try_from(n).ok()) {
            let mut sql =
                Sql::raw(format!("SELECT CAST({} AS SIGNED) FROM {} t", mapping.time_us(), mapping.relation.sql));
            sql.append(" WHERE ", &Sql::join(parts.clone(), " AND "));
            sql.push(&format!(" ORDER BY {time} {order} LIMIT 1 OFFSET {last}"), []);
            if let Some(row) = reading.fetch(sql).await?.first() {
                let reach = Timestamp(row.try_get_unchecked(0)?);
                parts.push(mapping.time_is(if op == "<" { ">=" } else { "<=" }, reach));
            }
        }
        let mut sql = Sql::raw(mapping.select(false, extra));
        sql.append(" WHERE ", &Sql::join(parts, " AND "));
        let limit = Bind::Int(i64::try_from(limit).unwrap_or(i64::MAX));
        sql.push(&format!(" ORDER BY {time} {order}, {} {order} LIMIT {PLACEHOLDER}", mapping.id()), [limit]);
        reading.fetch(sql).await
    }
}

/// A page over every table, as one sequence.
pub(crate) async fn page(
    reader: Reader<'_>,
    mappings: &[Mapping],
    names: &Names,
    query: &PageQuery,
    after: Option<&Cursor>,
) -> Result<Page, sqlx::Error> {
    let predicate = query.filter.predicate(&query.context);
    let mut items = Vec::new();
    let mut open = false;
    let mut in_store = query.filter.clauses().len();
    for mapping in mappings {
        let part = page_of(reader, mapping, names, query, &predicate, after).await?;
        in_store = in_store.min(part.clauses);
        open |= !part.ended;
        items.extend(part.items);
    }
    Ok(Page::merge_pages(items, open, in_store, query))
}

struct TablePage {
    items: Vec<Activity>,
    ended: bool,
    clauses: usize,
}

/// What is selected where a filter needs the payload.
fn extra(mapping: &Mapping, whole: bool) -> String {
    if whole { format!(", {}", payload::selected(&payload::columns(mapping))) } else { String::new() }
}

async fn page_of(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    query: &PageQuery,
    predicate: &Predicate,
    after: Option<&Cursor>,
) -> Result<TablePage, sqlx::Error> {
    let condition = sql::condition(mapping, predicate);
    let whole = predicate.needs_payload() && !condition.exact;
    let extra = extra(mapping, whole);
    let order = PageOrder { newest_first: query.newest_first };
    let mut beyond: Option<(Timestamp, String)> = after.map(|cursor| (Timestamp(cursor.time_us), cursor.id.clone()));
    // Where a part of the filter is evaluated here, pages are read until enough is kept.
    let chunk = if condition.exact { query.limit } else { query.limit.clamp(500, 5000) };
    let mut items = Vec::new();
    loop {
        let mut parts = within(mapping, query);
        parts.push(condition.sql.clone());
        parts.extend(beyond.as_ref().map(|(at, id)| order.beyond(mapping, *at, id)));
        let mut reading = reader.read().await?;
        let rows = order.rows(&mut reading, mapping, &parts, &extra, chunk).await?;
        reading.end().await?;
        let full = rows.len() == chunk;
        for row in &rows {
            let activity = mapping.activity(row)?;
            beyond = Some((activity.started_at, activity.id.to_string()));
            let kept = condition.exact || {
                let payload = if whole { Some(payload::of_row(mapping, row, mapping.width())?) } else { None };
                predicate.keeps(&NamedRecord { activity: &activity, names, payload: payload.as_ref() })
            };
            if kept {
                items.push(activity);
                if items.len() == query.limit {
                    return Ok(TablePage { items, ended: false, clauses: condition.clauses });
                }
            }
        }
        if !full {
            break;
        }
    }
    // Rows without a time have no place in the order: they come once, at the end.
    if mapping.time_is_nullable() && after.is_none() && query.since.is_none() && query.until.is_none() {
        items.extend(without_time(reader, mapping, names, predicate).await?);
    }
    Ok(TablePage { items, ended: true, clauses: condition.clauses })
}

/// Rows without a time read at most.
pub(crate) const WITHOUT_TIME: usize = 1000;

/// The rows without a time that a filter keeps.
pub(crate) async fn without_time(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    predicate: &Predicate,
) -> Result<Vec<Activity>, sqlx::Error> {
    let whole = predicate.needs_payload();
    let mut sql = Sql::raw(mapping.select(false, &extra(mapping, whole)));
    sql.append(" WHERE ", &mapping.timed(false));
    sql.push(&format!(" LIMIT {WITHOUT_TIME}"), []);
    let mut reading = reader.read().await?;
    let rows = reading.fetch(sql).await?;
    reading.end().await?;
    let mut found = Vec::new();
    for row in &rows {
        let activity = mapping.activity(row)?;
        let payload = if whole { Some(payload::of_row(mapping, row, mapping.width())?) } else { None };
        if predicate.keeps(&NamedRecord { activity: &activity, names, payload: payload.as_ref() }) {
            found.push(activity);
        }
    }
    Ok(found)
}

/// The rows with these keys, with their versions.
pub(crate) async fn by_keys(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    keys: &[String],
) -> Result<Vec<MySqlRow>, sqlx::Error> {
    let mut sql = Sql::raw(mapping.select(true, ""));
    sql.append(" WHERE ", &mapping.with_keys(keys));
    reading.fetch(sql).await
}

/// Activities that share a key, over every table.
pub(crate) async fn related(
    reader: Reader<'_>,
    mappings: &[Mapping],
    key: &RelatedKey,
    limit: usize,
) -> Result<Vec<Activity>, sqlx::Error> {
    let mut found: Vec<Activity> = Vec::new();
    for mapping in mappings {
        let (targets, value): (&[Target], _) = match &key.id {
            SharedId::Correlation(id) => (&[Target::CorrelationId], id),
            SharedId::Request(id) => (&[Target::RequestId, Target::ParentRequestId, Target::Id], id),
        };
        // One indexed look-up a column; OR over columns would scan.
        let sources = targets.iter().flat_map(|target| mapping.sources(*target));
        let mut conditions: Vec<Sql> =
            sources.map(|(sql, column_type)| mapping.equals(sql, column_type, value)).collect();
        if let Some(own) = mapping.own_key(value) {
            conditions.push(mapping.with_keys(&[own.to_owned()]));
        }
        for condition in conditions {
            let mut sql = Sql::raw(mapping.select(false, ""));
            sql.append(" WHERE ", &condition);
            sql.push(&format!(" LIMIT {PLACEHOLDER}"), [Bind::Int(i64::try_from(limit).unwrap_or(i64::MAX))]);
            let mut reading = reader.read().await?;
            let rows = reading.fetch(sql).await?;
            reading.end().await?;
            for row in &rows {
                let activity = mapping.activity(row)?;
                if !found.iter().any(|known| known.id == activity.id) {
                    found.push(activity);
                }
            }
        }
    }
    found.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    found.truncate(limit);
    Ok(found)
}
