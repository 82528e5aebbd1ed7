//! The queries: keyset pages, related rows, figures. All SQL is built here and in `sql.rs`, from names of the schema
//! (quoted) and bind parameters; a value never becomes SQL text.

use super::connection::Reader;
use super::mapping::Mapping;
use super::row::{Record, Wanted, read};
use super::value::is_of_data;
use super::{payload, sql};
use crosstail_core::filter::{Field, NamedRecord, Predicate, ValueType};
use crosstail_core::model::{Activity, Latencies, Names, Status, Timestamp};
use crosstail_core::number::{saturating_i64, saturating_u64};
use crosstail_core::schema::Target;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, name};
use crosstail_source::{Cursor, Grouping, Groups, Measures, Page, PageQuery, Part, RelatedKey, SharedId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

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
    let columns = if predicate.needs_payload() { payload::columns(mapping) } else { Vec::new() };
    let extra: Vec<String> = columns.iter().map(|column| name(column)).collect();
    let reading =
        Reading { reader, mapping, names, predicate: &predicate, residual, payload: &columns, extra: &extra, query };
    let mut part = Part { items: Vec::new(), ended: true, reached: None };
    let after = after.map(|cursor| (cursor.at(), cursor.id.clone()));
    reading.dated(&condition, after.clone(), &mut part).await?;
    // Rows without a time stand at the epoch, between those of later and of earlier times.
    let may_lack = mapping.dated(false).is_some() && query.includes_undated();
    let waits = may_lack && after.as_ref().is_none_or(|(at, _)| is_before(query, at.0));
    if waits && (part.ended || part.reached.as_ref().is_some_and(|(at, _)| !is_before(query, at.0))) {
        let from = after.filter(|(at, _)| at.0 == 0).map(|(_, id)| id);
        let mut lacking = Part { items: Vec::new(), ended: true, reached: None };
        reading.undated(from, &mut lacking).await?;
        part.ended &= lacking.ended;
        part.reached = Part::nearer(part.reached.take(), lacking.reached, query.newest_first);
        part.items.extend(lacking.items);
    }
    Ok(Page { push_down: super::division(&query.filter, exact), ..Page::merge_parts(vec![part], exact, query) })
}

/// Whether a time comes before that of the rows that have none, or with them.
fn is_before(query: &PageQuery, us: i64) -> bool {
    if query.newest_first { us >= 0 } else { us <= 0 }
}

/// What a page is read by.
struct Reading<'a> {
    reader: Reader<'a>,
    mapping: &'a Mapping,
    names: &'a Names,
    predicate: &'a Predicate,
    /// Part of the filter is evaluated here.
    residual: bool,
    payload: &'a [String],
    extra: &'a [String],
    query: &'a PageQuery,
}

/// A place in the order: time and identity.
type At = (Timestamp, String);

impl Reading<'_> {
    fn words(&self) -> (&'static str, &'static str) {
        if self.query.newest_first { ("DESC", "<") } else { ("ASC", ">") }
    }

    /// Rows until enough are kept. Where part of the filter is evaluated here, more are read than are wanted.
    async fn dated(&self, condition: &Sql, after: Option<At>, part: &mut Part) -> Result<(), sqlx::Error> {
        let (mapping, query) = (self.mapping, self.query);
        let (order, op) = self.words();
        let (time, id) = (mapping.order(), mapping.id());
        let chunk = if self.residual { query.limit.clamp(500, 5000) } else { query.limit };
        let mut beyond = after;
        loop {
            let rest = |condition: &Sql| {
                let mut sql = Sql::raw(" WHERE ");
                sql.append("", &within(mapping, condition, query));
                if let Some((at, last)) = &beyond {
                    sql.append(" AND ", &time_is(mapping, query, &format!("{op}="), *at));
                    sql.append(" AND (", &time_is(mapping, query, op, *at));
                    sql.push(&format!(" OR {id} {op} {PLACEHOLDER})"), [Bind::Text(last.clone())]);
                }
                let limit = Bind::Int(i64::try_from(chunk).unwrap_or(i64::MAX));
                sql.push(&format!(" ORDER BY {time} {order}, {id} {order} LIMIT {PLACEHOLDER}"), [limit]);
                sql
            };
            let (rest, bare) = (rest(condition), rest(&Sql::constant(true)));
            let (records, is_bare) = self.read(&rest, &bare).await?;
            let full = records.len() == chunk;
            let enough = self.take(records, is_bare, part, &mut beyond);
            if enough || !full {
                part.ended = !enough;
                part.reached = beyond.filter(|_| enough);
                return Ok(());
            }
        }
    }

    async fn read(&self, rest: &Sql, bare: &Sql) -> Result<(Vec<Record>, bool), sqlx::Error> {
        let mut reading = self.reader.connection().await?;
        read(&mut reading, &Wanted { mapping: self.mapping, extra: self.extra, rest, bare }).await
    }

    /// Rows that have no time.
    async fn undated(&self, after: Option<String>, part: &mut Part) -> Result<(), sqlx::Error> {
        let Some(lacking) = self.mapping.dated(false) else { return Ok(()) };
        let ((order, op), id) = (self.words(), self.mapping.id());
        let mut beyond = after.map(|id| (Timestamp::UNDATED, id));
        let chunk = self.query.limit.clamp(1, 5000);
        loop {
            let mut sql = Sql::raw(format!(" WHERE {lacking}"));
            if let Some((_, last)) = &beyond {
                sql.push(&format!(" AND {id} {op} {PLACEHOLDER}"), [Bind::Text(last.clone())]);
            }
            sql.push(&format!(" ORDER BY {id} {order} LIMIT {chunk}"), []);
            let (records, is_bare) = self.read(&sql, &sql).await?;
            let full = records.len() == chunk;
            let enough = self.take(records, is_bare, part, &mut beyond);
            if enough || !full {
                part.ended = !enough;
                part.reached = beyond.filter(|_| enough);
                return Ok(());
            }
        }
    }

    /// Takes the rows that the filter keeps; returns whether they are enough.
    fn take(&self, records: Vec<Record>, is_bare: bool, part: &mut Part, beyond: &mut Option<At>) -> bool {
        for Record { activity, extra } in records {
            let whole = (!self.payload.is_empty()).then(|| payload::of_values(self.mapping, self.payload, extra));
            let record = NamedRecord { activity: &activity, names: self.names, payload: whole.as_ref() };
            let kept = !(self.residual || is_bare) || self.predicate.keeps(&record);
            *beyond = Some((activity.started_at, activity.id.to_string()));
            if kept {
                part.items.push(activity);
                if part.items.len() >= self.query.limit {
                    return true;
                }
            }
        }
        false
    }
}

pub(super) async fn related(
    reader: Reader<'_>,
    mapping: &Mapping,
    key: &RelatedKey,
    limit: usize,
) -> Result<Vec<Activity>, sqlx::Error> {
    let (targets, value): (&[Target], _) = match &key.id {
        SharedId::Correlation(id) => (&[Target::CorrelationId], id),
        SharedId::Request(id) => (&[Target::RequestId, Target::ParentRequestId, Target::Id], id),
    };
    // Each path of a target: a row has its id in the first that is filled.
    let paths_of = |target: &Target| mapping.selected.iter().filter(|one| one.target.0 == *target).collect::<Vec<_>>();
    let columns: Vec<_> = targets.iter().flat_map(paths_of).collect();
    let mut found: Vec<Activity> = Vec::new();
    // One indexed look-up per column: an OR of columns would scan the table.
    for column in columns {
        let (mut passed, mut kept) = (0_usize, 0_usize);
        loop {
            let mut rest = Sql::with(format!(" WHERE {} = {PLACEHOLDER}", column.sql), Bind::Text(value.clone()));
            let bounds = [Bind::Int(saturating_i64(limit)), Bind::Int(saturating_i64(passed))];
            rest.push(&format!(" LIMIT {PLACEHOLDER} OFFSET {PLACEHOLDER}"), bounds);
            let mut reading = reader.connection().await?;
            let (records, _) = read(&mut reading, &Wanted { mapping, extra: &[], rest: &rest, bare: &rest }).await?;
            let full = !records.is_empty() && records.len() == limit;
            passed += records.len();
            for Record { activity, .. } in records {
                // A column compares as it is declared to, also without regard to case, and may be the second of two.
                if key.matches(&activity) {
                    kept += 1;
                    if !found.iter().any(|known| known.id == activity.id) {
                        found.push(activity);
                    }
                }
            }
            if !full || kept >= limit {
                break;
            }
        }
    }
    found.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    found.truncate(limit);
    Ok(found)
}

/// A condition together with the time bounds of a query.
fn within(mapping: &Mapping, condition: &Sql, query: &PageQuery) -> Sql {
    let mut parts = vec![condition.clone()];
    parts.extend(mapping.dated(true).map(Sql::raw));
    for (bound, op) in [(query.since, ">="), (query.until, "<")] {
        parts.extend(bound.map(|at| time_is(mapping, query, op, at)));
    }
    Sql::join(parts, " AND ")
}

/// A comparison of the start time. For some hundreds of ids SQLite would rather read all of a time, however many rows it has: a
/// plus keeps an index from being used (<https://sqlite.org/optoverview.html#disqualifying_where_clause_terms_using_unary_>).
fn time_is(mapping: &Mapping, query: &PageQuery, op: &str, at: Timestamp) -> Sql {
    let mut sql = mapping.time_is(op, at);
    if is_of_ids(query) {
        sql.text.insert(0, '+');
    }
    sql
}

/// Whether ids alone are asked for.
fn is_of_ids(query: &PageQuery) -> bool {
    const IDS: [Field; 4] = [Field::Correlation, Field::Parent, Field::Request, Field::Id];
    let expr = query.filter.expr();
    !query.filter.is_all() && Field::ALL.iter().all(|field| IDS.contains(field) || !expr.names(*field))
}

/// Whether an index finds what a filter asks for by ids alone; nothing is known of other filters.
pub(super) async fn finds_by_index(
    reader: Reader<'_>,
    mapping: &Mapping,
    query: &PageQuery,
) -> Result<bool, sqlx::Error> {
    let (condition, exact) = condition(mapping, &query.filter.predicate(&query.context));
    if !is_of_ids(query) || exact < query.filter.clauses().len() {
        return Ok(false);
    }
    let mut sql = Sql::raw(format!("EXPLAIN QUERY PLAN SELECT 1 FROM {}", name(&mapping.table.name)));
    sql.append(" WHERE ", &within(mapping, &condition, query));
    sql.push(&format!(" ORDER BY {} DESC, {} DESC", mapping.order(), mapping.id()), []);
    let steps = reader.fetch(sql).await?;
    let steps = steps.iter().map(|row| row.try_get::<String, _>("detail")).collect::<Result<Vec<_>, _>>()?;
    // A range of an index is as good as none: it may be all of the time.
    Ok(steps.iter().any(|step| step.starts_with("SEARCH"))
        && steps.iter().all(|step| !step.starts_with("SCAN") && (!step.starts_with("SEARCH") || step.contains("=?"))))
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
    // Latencies are as many groups as there are activities: they are read where they are wanted.
    let took = match grouping.measures {
        Measures::All => sql::expression(mapping, Field::Duration),
        Measures::Totals | Measures::Outcomes => Some("NULL".to_owned()),
    };
    let expressions = (keys, sql::expression(mapping, Field::Is), took);
    let (Some(mut keys), Some(outcome), Some(took)) = expressions else { return Ok(None) };
    let status = sql::expression(mapping, Field::Status).unwrap_or_else(|| "NULL".to_owned());
    let n = keys.len();
    // Integer division truncates towards zero: times before the epoch are not grouped here.
    keys.push(grouping.bucket_us.map_or_else(|| "NULL".to_owned(), |us| format!("{} / {us} * {us}", mapping.order())));
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
    let read = reader.connection().await?.fetch_each(sql, |row| add(&row, n, &mut groups)).await;
    match read {
        Ok(()) => Ok(Some(groups)),
        // The rows are read instead, each as far as it can be.
        Err(error) if is_of_data(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Adds what the database has counted: a row of values, a period, what became of so many activities, and how long each took.
fn add(row: &SqliteRow, values: usize, groups: &mut Groups) -> Result<(), sqlx::Error> {
    let n = values;
    let values = (0..n).map(|i| row.try_get_unchecked(i)).collect::<Result<Vec<Option<String>>, _>>()?;
    let bucket: Option<i64> = row.try_get_unchecked(n)?;
    let outcome: Option<String> = row.try_get_unchecked(n + 1)?;
    let status: Option<String> = row.try_get_unchecked(n + 2)?;
    let count = saturating_u64(row.try_get_unchecked::<i64, _>(n + 4)?);
    let figures = groups.entry((values, bucket.map(Timestamp))).or_default();
    let status = status.as_deref().and_then(|word| Status::ALL.iter().find(|status| status.as_str() == word));
    figures.add_statuses(status.copied(), outcome.as_deref() == Some("failure"), count);
    if let Some(us) = row.try_get_unchecked::<Option<i64>, _>(n + 3)? {
        let us = saturating_u64(us);
        figures.latencies.add_bucket(Latencies::bucket(us), count, us * count);
    }
    Ok(())
}
