//! The queries: keyset pages over several tables, rows by key, related rows. All SQL is built here and in `sql.rs`,
//! from names of the schema (quoted) and bind parameters; a value never becomes SQL text.

use super::connection::{ReadTransaction, Reader};
use super::mapping::{ColumnType, Mapping};
use super::{payload, sql};
use crosstail_core::filter::{NamedRecord, Predicate};
use crosstail_core::model::{Activity, Names, Timestamp};
use crosstail_core::schema::Target;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql};
use crosstail_source::{Cursor, Page, PageQuery, RelatedKey, SharedId};
use sqlx::postgres::PgRow;

/// Compares the time column with a moment.
pub(super) fn time_is(mapping: &Mapping, op: &str, at: Timestamp) -> Sql {
    let moment = mapping.moment(at);
    Sql { text: format!("{} {op} {}", mapping.time(), moment.text), binds: moment.binds }
}

/// The order of every page: by time, then by identity.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageOrder {
    pub(super) newest_first: bool,
}

impl PageOrder {
    fn identity(mapping: &Mapping) -> String {
        format!("({} COLLATE \"C\")", mapping.id())
    }

    /// A condition for the rows after a time and an identity, in this order.
    pub(super) fn after(self, mapping: &Mapping, at: Timestamp, id: &str) -> Sql {
        let op = if self.newest_first { "<" } else { ">" };
        let or_equal = if self.newest_first { "<=" } else { ">=" };
        let mut sql = time_is(mapping, or_equal, at);
        sql.append(" AND (", &time_is(mapping, op, at));
        sql.push(&format!(" OR {} {op} {PLACEHOLDER}::text)", Self::identity(mapping)), [Bind::Text(id.to_owned())]);
        sql
    }

    pub(super) fn by(self, mapping: &Mapping, limit: usize) -> Sql {
        let order = if self.newest_first { "DESC" } else { "ASC" };
        let text = format!(
            " ORDER BY {} {order}, {} {order} LIMIT {PLACEHOLDER}::int8",
            mapping.time(),
            Self::identity(mapping)
        );
        Sql::with(text, Bind::Int(i64::try_from(limit).unwrap_or(i64::MAX)))
    }
}

/// A page of all tables, merged into one sequence.
pub(super) async fn page(
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

async fn page_of(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    query: &PageQuery,
    predicate: &Predicate,
    after: Option<&Cursor>,
) -> Result<TablePage, sqlx::Error> {
    let condition = sql::condition(mapping, predicate);
    let whole = predicate.needs_payload();
    let extra = if whole { format!(", {}", payload::whole_row(mapping)) } else { String::new() };
    let order = PageOrder { newest_first: query.newest_first };
    let mut beyond: Option<(Timestamp, String)> = after.map(|cursor| (Timestamp(cursor.time_us), cursor.id.clone()));
    // Where part of the filter is evaluated locally, rows are read until enough of them match.
    let chunk = if condition.exact { query.limit } else { query.limit.clamp(500, 5000) };
    let mut items = Vec::new();
    let keeps = |activity: &Activity, row: &PgRow| -> Result<bool, sqlx::Error> {
        if condition.exact {
            return Ok(true);
        }
        let payload = if whole { Some(payload::of_row(mapping, row, mapping.width())?) } else { None };
        Ok(predicate.keeps(&NamedRecord { activity, names, payload: payload.as_ref() }))
    };
    loop {
        let mut parts = vec![condition.sql.clone()];
        parts.extend(query.since.map(|at| time_is(mapping, ">=", at)));
        parts.extend(query.until.map(|at| time_is(mapping, "<", at)));
        parts.extend(beyond.as_ref().map(|(at, id)| order.after(mapping, *at, id)));
        parts.push(Sql::raw(format!("{} IS NOT NULL", mapping.time())));
        let mut sql = Sql::raw(mapping.select(&extra));
        sql.append(" WHERE ", &Sql::join(parts, " AND "));
        sql.append("", &order.by(mapping, chunk));
        let mut reading = reader.read().await?;
        let rows = reading.fetch(sql).await?;
        reading.end().await?;
        let full = rows.len() == chunk;
        for row in &rows {
            let activity = mapping.activity(row)?;
            beyond = Some((activity.started_at, activity.id.to_string()));
            if keeps(&activity, row)? {
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
    // Rows without a time have no place in the order. They come once, at the end.
    if mapping.time_is_nullable() && after.is_none() && query.since.is_none() && query.until.is_none() {
        items.extend(without_time(reader, mapping, names, predicate).await?);
    }
    Ok(TablePage { items, ended: true, clauses: condition.clauses })
}

/// Rows without a time that are read, at most.
const WITHOUT_TIME: usize = 1000;

/// The rows without a time that match a filter.
pub(super) async fn without_time(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    predicate: &Predicate,
) -> Result<Vec<Activity>, sqlx::Error> {
    let whole = predicate.needs_payload();
    let extra = if whole { format!(", {}", payload::whole_row(mapping)) } else { String::new() };
    let mut sql = Sql::raw(mapping.select(&extra));
    sql.push(&format!(" WHERE {} IS NULL LIMIT {WITHOUT_TIME}", mapping.time()), []);
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

/// The rows with these keys.
pub(super) async fn by_keys(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    keys: &[String],
) -> Result<Vec<PgRow>, sqlx::Error> {
    let mut sql = Sql::raw(mapping.select(""));
    sql.append(" WHERE ", &mapping.with_keys(keys));
    reading.fetch(sql).await
}

/// Activities of all tables that share a key.
pub(super) async fn related(
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
        // One indexed look-up per column: an OR of columns would scan the table.
        let mut conditions = Vec::new();
        for (sql, sort) in targets.iter().flat_map(|target| mapping.sources(*target)) {
            conditions.extend(equals(sql, sort, value));
        }
        if let Some(own) = mapping.own_key(value) {
            conditions.push(mapping.with_keys(&[own.to_owned()]));
        }
        for condition in conditions {
            let mut sql = Sql::raw(mapping.select(""));
            sql.append(" WHERE ", &condition);
            sql.push(&format!(" LIMIT {PLACEHOLDER}::int8"), [Bind::Int(i64::try_from(limit).unwrap_or(i64::MAX))]);
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

/// Whether a column equals a value, in the column's own type so that its index can be used. `None` where the value
/// cannot have that type.
fn equals(sql: &str, sort: ColumnType, value: &str) -> Option<Sql> {
    let bind = Bind::Text(value.to_owned());
    match sort {
        ColumnType::Uuid => {
            uuid::Uuid::parse_str(value).ok().map(|_| Sql::with(format!("{sql} = {PLACEHOLDER}::text::uuid"), bind))
        }
        ColumnType::Int => {
            value.parse::<i64>().ok().map(|n| Sql::with(format!("{sql} = {PLACEHOLDER}::int8"), Bind::Int(n)))
        }
        ColumnType::Text => Some(Sql::with(format!("{sql} = {PLACEHOLDER}::text"), bind)),
        _ => Some(Sql::with(format!("({sql})::text = {PLACEHOLDER}::text"), bind)),
    }
}
