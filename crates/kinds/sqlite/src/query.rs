//! The queries: pages by keyset, related rows, figures. All SQL text is put together here and in `sql.rs`, of names
//! from the schema (quoted) and bind parameters; values never become text.

use super::sql;
use crosstail_core::filter::{Field, NamedRecord, Predicate, ValueType};
use crosstail_core::model::{Activity, Id, Latencies, Locator, Names, Place, SourceId, Status, Timestamp};
use crosstail_core::schema::{Assembler, Scalar, Schema, Table, Target, TimeUnit};
use crosstail_source::sql::{Bind, PLACEHOLDER, Placeholders, Sql, name};
use crosstail_source::{Cursor, Grouping, Groups, Page, PageQuery, RelatedKey};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, TypeInfo as _, ValueRef as _};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How a table maps to activities.
pub(super) struct Mapping {
    pub(super) schema: Schema,
    pub(super) table: Table,
    pub(super) source: SourceId,
    pub(super) source_name: String,
    /// Columns there are.
    pub(super) columns: Vec<String>,
    /// What is selected, and what each fills.
    selected: Vec<(String, (Target, u8))>,
    select: String,
}

/// The tables and views, with their columns.
pub(super) async fn tables(pool: &SqlitePool) -> Result<BTreeMap<String, Vec<String>>, sqlx::Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
         WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%'",
    )
    .fetch_all(pool)
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
                    selected.push((name(path), (target, rank as u8)));
                } else if let Some((column, inner)) = path.split_once('.')
                    && columns.iter().any(|known| known == column)
                {
                    let path = inner.replace('\'', "''");
                    let column = name(column);
                    let value = format!("CASE WHEN json_valid({column}) THEN json_extract({column}, '$.{path}') END");
                    selected.push((value, (target, rank as u8)));
                }
            }
        }
        let select = selected.iter().map(|(sql, _)| sql.as_str()).collect::<Vec<_>>().join(", ");
        Self { schema, table, source, source_name: source_name.to_owned(), columns: columns.to_vec(), selected, select }
    }

    /// The column that holds a field just as the filter compares it; none where the schema derives it.
    pub(super) fn column(&self, field: Field) -> Option<String> {
        let target = match field {
            // One column holds type and id together here.
            Field::Entity => Target::EntityType,
            field => Target::of(field)?,
        };
        let (sql, _) = self.selected.iter().find(|(_, (found, _))| *found == target)?;
        let text = matches!(field.class(), ValueType::Keyword | ValueType::Text | ValueType::Id);
        Some(if text { format!("nullif({sql}, '')") } else { sql.clone() })
    }

    /// A predicate's condition. Only a canonical table holds what the filter compares; others are filtered here.
    fn condition(&self, predicate: &Predicate) -> (Sql, usize) {
        if self.schema.definition().canonical { sql::condition(self, predicate) } else { (Sql::constant(true), 0) }
    }

    /// The start time in SQL, in the unit of [`Self::stored_time`].
    fn time(&self) -> String {
        let column = name(&self.table.time);
        match self.table.time_unit {
            // Milliseconds: what SQLite's own date functions resolve.
            TimeUnit::Text => format!("CAST(round((julianday({column}) - 2440587.5) * 86400000.0) AS INTEGER)"),
            _ => column,
        }
    }

    /// A moment as the table stores it.
    pub(super) fn stored_time(&self, at: Timestamp) -> i64 {
        match self.table.time_unit {
            TimeUnit::Us => at.0,
            TimeUnit::Ms | TimeUnit::Text => at.0.div_euclid(1000),
            TimeUnit::S => at.0.div_euclid(1_000_000),
        }
    }

    /// `SELECT` of what an activity needs, and `extra` behind it.
    pub(super) fn select(&self, extra: &str) -> String {
        format!("SELECT {}{extra} FROM {}", self.select, name(&self.table.name))
    }

    /// The number of selected columns; extra ones follow.
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

/// A column's value.
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

/// Runs a query with its bind parameters.
pub(super) async fn fetch<'c>(on: impl sqlx::SqliteExecutor<'c>, sql: Sql) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let mut query = sqlx::query(AssertSqlSafe(sql.render(Placeholders::Question)));
    for bind in sql.binds {
        query = match bind {
            Bind::Text(text) => query.bind(text),
            Bind::Int(n) => query.bind(n),
            Bind::Float(n) => query.bind(n),
            Bind::Texts(list) => query.bind(list.join(",")),
        };
    }
    query.fetch_all(on).await
}

pub(super) async fn page(
    pool: &SqlitePool,
    mapping: &Mapping,
    names: &Names,
    query: &PageQuery,
    after: Option<&Cursor>,
) -> Result<Page, sqlx::Error> {
    let predicate = query.filter.predicate(&query.context);
    let (condition, exact) = mapping.condition(&predicate);
    let residual = exact < query.filter.clauses().len();
    let (time, id) = (mapping.time(), name(&mapping.table.id));
    let (order, beyond) = if query.newest_first { ("DESC", "<") } else { ("ASC", ">") };
    let payload = if predicate.needs_payload() { super::payload::columns(mapping) } else { Vec::new() };
    let extra: String = payload.iter().map(|column| format!(", {}", name(column))).collect();
    let mut cursor = after.cloned();
    let mut items = Vec::new();
    // Where a part of the filter is evaluated here, pages are read until enough is kept.
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
        let rows = fetch(pool, sql).await?;
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
    pool: &SqlitePool,
    mapping: &Mapping,
    key: &RelatedKey,
    limit: usize,
) -> Result<Vec<Activity>, sqlx::Error> {
    let column =
        |target: Target| mapping.selected.iter().find(|(_, (found, _))| *found == target).map(|(sql, _)| sql.clone());
    let (columns, value) = match key {
        RelatedKey::Correlation(id) => (vec![column(Target::CorrelationId)], id),
        RelatedKey::Request(id) => {
            (vec![column(Target::RequestId), column(Target::ParentRequestId), column(Target::Id)], id)
        }
    };
    let columns: Vec<String> = columns.into_iter().flatten().collect();
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    // One indexed look-up a column; OR over columns would scan.
    let select = mapping.select("");
    let parts: Vec<String> = columns.iter().map(|column| format!("{select} WHERE {column} = {PLACEHOLDER}")).collect();
    let mut binds = vec![Bind::Text(value.clone()); parts.len()];
    binds.push(Bind::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
    let rows = fetch(pool, Sql { text: format!("{} LIMIT {PLACEHOLDER}", parts.join(" UNION ")), binds }).await?;
    let mut found = rows.iter().map(|row| mapping.activity(row)).collect::<Result<Vec<_>, _>>()?;
    found.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    Ok(found)
}

/// A condition, and the bounds of a query.
fn within(mapping: &Mapping, condition: &Sql, query: &PageQuery) -> Sql {
    let mut parts = vec![condition.clone()];
    for (bound, op) in [(query.since, ">="), (query.until, "<")] {
        if let Some(at) = bound {
            parts.push(Sql::with(format!("{} {op} {PLACEHOLDER}", mapping.time()), Bind::Int(mapping.stored_time(at))));
        }
    }
    Sql::join(parts, " AND ")
}

/// Figures in the store; `None` where the filter or a field cannot be expressed there.
pub(super) async fn aggregate(
    pool: &SqlitePool,
    mapping: &Mapping,
    query: &PageQuery,
    grouping: &Grouping,
) -> Result<Option<Groups>, sqlx::Error> {
    let predicate = query.filter.predicate(&query.context);
    let (condition, exact) = mapping.condition(&predicate);
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
    // Whole division truncates towards zero: times before the epoch are not grouped here.
    keys.push(grouping.bucket_us.map_or_else(|| "NULL".to_owned(), |us| format!("{} / {us} * {us}", mapping.time())));
    // SQLite has no logarithm unless it is built so: latencies are counted here, of rows of what is needed alone.
    let list: Vec<String> = (1..=n + 4).map(|n| n.to_string()).collect();
    let mut sql = Sql::raw(format!(
        "SELECT {}, {outcome}, {status}, {took}, count(*) FROM {}",
        keys.join(", "),
        name(&mapping.table.name)
    ));
    sql.append(" WHERE ", &within(mapping, &condition, query));
    sql.push(&format!(" GROUP BY {}", list.join(", ")), []);
    let mut groups = Groups::new();
    for row in fetch(pool, sql).await? {
        let values = (0..n).map(|i| row.try_get_unchecked(i)).collect::<Result<Vec<Option<String>>, _>>()?;
        let bucket: Option<i64> = row.try_get_unchecked(n)?;
        let outcome: Option<String> = row.try_get_unchecked(n + 1)?;
        let status: Option<String> = row.try_get_unchecked(n + 2)?;
        let count = row.try_get_unchecked::<i64, _>(n + 4)?.max(0) as u64;
        let figures = groups.entry((values, bucket.map(Timestamp))).or_default();
        figures.count += count;
        figures.failed += if outcome.as_deref() == Some("failure") { count } else { 0 };
        figures.open += if status.as_deref() == Some(Status::InProgress.as_str()) { count } else { 0 };
        figures.succeeded += if status.as_deref() == Some(Status::Success.as_str()) { count } else { 0 };
        if let Some(us) = row.try_get_unchecked::<Option<i64>, _>(n + 3)? {
            let us = us.max(0) as u64;
            figures.latencies.add_bucket(Latencies::bucket(us), count, us * count);
        }
    }
    Ok(Some(groups))
}
