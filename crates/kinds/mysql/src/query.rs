//! The queries: pages by keyset over several tables, rows by key, related rows. All SQL is put together here and in
//! `sql.rs`, of names from the schema (quoted) and bind parameters; values never become text.

use crate::connection::{ReadTransaction, Reader};
use crate::mapping::Mapping;
use crate::one::is_of_data;
use crate::row::{self, Record, What};
use crate::{payload, sql};
use crosstail_core::filter::{NamedRecord, Predicate};
use crosstail_core::model::{Activity, Names, Timestamp};
use crosstail_core::schema::Target;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql};
use crosstail_source::{Cursor, Page, PageQuery, Part, RelatedKey, SharedId};
use sqlx::Row as _;

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

    /// The rows of the next page, in order; where a value cannot be computed, all rows that have these times.
    async fn rows(
        self,
        reading: &mut ReadTransaction,
        mapping: &Mapping,
        (parts, condition): (Vec<Sql>, Sql),
        what: What,
        limit: usize,
    ) -> Result<(Vec<Record>, bool), sqlx::Error> {
        let mut whole = parts.clone();
        whole.push(condition);
        let found = match self.rest(reading, mapping, whole, limit).await {
            Ok(rest) => row::rows(reading, mapping, what, &rest).await,
            Err(error) => Err(error),
        };
        match found {
            Err(error) if is_of_data(&error) => {
                let rest = self.rest(reading, mapping, parts, limit).await?;
                Ok((row::by_heads(reading, mapping, what, &rest).await?, true))
            }
            found => Ok((found?, false)),
        }
    }

    /// From `WHERE` to the end. An index on the time gives rows in order of time alone, and the identity is no column: so
    /// first the time that the page reaches to is looked up in the index, then what is within it is sorted.
    async fn rest(
        self,
        reading: &mut ReadTransaction,
        mapping: &Mapping,
        mut parts: Vec<Sql>,
        limit: usize,
    ) -> Result<Sql, sqlx::Error> {
        let ((order, op), time) = (self.words(), mapping.order());
        // Where the time is finer than we know, it is sorted as we know it.
        if mapping.is_exact()
            && let Some(last) = limit.checked_sub(1).and_then(|n| i64::try_from(n).ok())
        {
            let mut sql =
                Sql::raw(format!("SELECT CAST({} AS SIGNED) FROM {} t", mapping.time_us(), mapping.relation.sql));
            sql.append(" WHERE ", &Sql::join(parts.clone(), " AND "));
            sql.push(&format!(" ORDER BY {time} {order} LIMIT 1 OFFSET {last}"), []);
            if let Some(row) = reading.fetch(sql).await?.first() {
                let reach = mapping.moment(row.try_get_unchecked(0)?);
                parts.push(mapping.time_is(if op == "<" { ">=" } else { "<=" }, reach));
            }
        }
        let mut sql = Sql::raw(" WHERE ");
        sql.append("", &Sql::join(parts, " AND "));
        let limit = Bind::Int(i64::try_from(limit).unwrap_or(i64::MAX));
        sql.push(&format!(" ORDER BY {time} {order}, {} {order} LIMIT {PLACEHOLDER}", mapping.id()), [limit]);
        Ok(sql)
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
    let mut parts = Vec::new();
    let mut in_store = query.filter.clauses().len();
    for mapping in mappings {
        let (part, clauses) = page_of(reader, mapping, names, query, &predicate, after).await?;
        in_store = in_store.min(clauses);
        parts.push(part);
    }
    Ok(Page::merge_parts(parts, in_store, query))
}

/// Bytes of one page, about. A page of heavy rows has fewer of them.
const PAGE_BYTES: usize = 12 << 20;
/// Rows of the first query, until their weight is known.
const FIRST_CHUNK: usize = 500;
const CHUNK: usize = 5000;

async fn page_of(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    query: &PageQuery,
    predicate: &Predicate,
    after: Option<&Cursor>,
) -> Result<(Part, usize), sqlx::Error> {
    let condition = sql::condition(mapping, predicate);
    let needs_payload = predicate.needs_payload();
    let what = if needs_payload && !condition.exact { What::Whole } else { What::Activity };
    let order = PageOrder { newest_first: query.newest_first };
    let mut beyond: Option<(Timestamp, String)> = after.map(|cursor| (cursor.at(), cursor.id.clone()));
    let mut chunk = if condition.exact { query.limit.min(FIRST_CHUNK) } else { FIRST_CHUNK };
    let mut part = Part { items: Vec::new(), ended: true, reached: None };
    let mut weight = 0;
    // Rows without a time stand at the epoch, between those of later and of earlier times.
    let waiting = query.includes_undated() && beyond.as_ref().is_none_or(|(at, _)| is_before(query, at.0));
    loop {
        let mut parts = within(mapping, query);
        parts.extend(beyond.as_ref().map(|(at, id)| order.beyond(mapping, *at, id)));
        let mut reading = reader.read().await?;
        let (records, is_bare) = order.rows(&mut reading, mapping, (parts, condition.sql.clone()), what, chunk).await?;
        reading.end().await?;
        let (full, count) = (records.len() == chunk, records.len());
        let bytes = records.iter().map(|record| record.bytes).sum::<usize>();
        for Record { key, activity, mut payload, bytes, .. } in records {
            beyond = Some((activity.started_at, activity.id.to_string()));
            if is_bare && needs_payload && payload.is_none() {
                payload = payload::load(reader, mapping, &key).await?;
            }
            let record = NamedRecord { activity: &activity, names, payload: payload.as_ref() };
            if (condition.exact && !is_bare) || predicate.keeps(&record) {
                weight += bytes;
                part.items.push(activity);
                if part.items.len() >= query.limit || weight >= PAGE_BYTES {
                    break;
                }
            }
        }
        let passed = beyond.as_ref().is_some_and(|(at, _)| !is_before(query, at.0));
        if part.items.len() >= query.limit || weight >= PAGE_BYTES || (full && waiting && passed) {
            part.ended = false;
            part.reached.clone_from(&beyond);
            break;
        }
        if !full {
            break;
        }
        chunk = (PAGE_BYTES / 2 / (bytes / count.max(1)).max(1)).clamp(1, CHUNK);
    }
    let goes_past = part.ended || part.reached.as_ref().is_some_and(|(at, _)| !is_before(query, at.0));
    if waiting && goes_past {
        let from = after.filter(|cursor| cursor.time_us == 0).map(|cursor| cursor.id.clone());
        let found =
            undated(reader, mapping, names, predicate, from.as_deref(), query.newest_first, query.limit).await?;
        if !found.ended {
            part.ended = false;
            let reached = found.last.map(|id| (Timestamp::UNDATED, id));
            part.reached = Part::nearer(part.reached.take(), reached, query.newest_first);
        }
        part.items.extend(found.items);
    }
    Ok((part, condition.clauses))
}

/// Whether a time comes before that of the rows that have none, or with them.
fn is_before(query: &PageQuery, us: i64) -> bool {
    if query.newest_first { us >= 0 } else { us <= 0 }
}

/// Rows without a time.
pub(crate) struct Undated {
    pub(crate) items: Vec<Activity>,
    /// Identity of the last row that was read.
    pub(crate) last: Option<String>,
    pub(crate) ended: bool,
}

/// At most `limit` rows without a time that a filter keeps, by identity, after one.
pub(crate) async fn undated(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    predicate: &Predicate,
    after: Option<&str>,
    newest_first: bool,
    limit: usize,
) -> Result<Undated, sqlx::Error> {
    let what = if predicate.needs_payload() { What::Whole } else { What::Activity };
    let (order, op) = PageOrder { newest_first }.words();
    let mut found = Undated { items: Vec::new(), last: after.map(str::to_owned), ended: false };
    while !found.ended && found.items.len() < limit {
        let chunk = limit.clamp(1, FIRST_CHUNK);
        let mut sql = Sql::raw(" WHERE ");
        sql.append("", &mapping.timed(false));
        if let Some(id) = &found.last {
            sql.push(&format!(" AND {} {op} {PLACEHOLDER}", mapping.id()), [Bind::Text(id.clone())]);
        }
        sql.push(&format!(" ORDER BY {} {order} LIMIT {chunk}", mapping.id()), []);
        let mut reading = reader.read().await?;
        let (records, _) = row::read(&mut reading, mapping, what, &sql, &sql).await?;
        reading.end().await?;
        found.ended = records.len() < chunk;
        for Record { activity, payload, .. } in records {
            found.last = Some(activity.id.to_string());
            if predicate.keeps(&NamedRecord { activity: &activity, names, payload: payload.as_ref() }) {
                found.items.push(activity);
                if found.items.len() >= limit {
                    found.ended = false;
                    break;
                }
            }
        }
    }
    Ok(found)
}

/// The rows with these keys, with their versions.
pub(crate) async fn by_keys(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    keys: &[String],
) -> Result<Vec<Record>, sqlx::Error> {
    let mut rest = Sql::raw(" WHERE ");
    rest.append("", &mapping.with_keys(keys));
    Ok(row::read(reading, mapping, What::Versioned, &rest, &rest).await?.0)
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
            let mut sql = Sql::raw(" WHERE ");
            sql.append("", &condition);
            sql.push(&format!(" LIMIT {PLACEHOLDER}"), [Bind::Int(i64::try_from(limit).unwrap_or(i64::MAX))]);
            let mut reading = reader.read().await?;
            let (records, _) = row::read(&mut reading, mapping, What::Activity, &sql, &sql).await?;
            reading.end().await?;
            for Record { activity, .. } in records {
                // A collation finds other spellings, too.
                if key.matches(&activity) && !found.iter().any(|known| known.id == activity.id) {
                    found.push(activity);
                }
            }
        }
    }
    found.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    found.truncate(limit);
    Ok(found)
}
