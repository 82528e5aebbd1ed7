//! The queries: keyset pages over several tables, related rows. All SQL is built here and in `sql.rs`, `index.rs` and
//! `time.rs`, from names of the schema (quoted) and bind parameters; a value never becomes SQL text.

use super::connection::Reader;
use super::index::hints;
use super::mapping::{Mapping, Selected};
use super::relation::ColumnType;
use super::row::{Record, Wanted, read};
use super::{payload, sql};
use crosstail_core::filter::{NamedRecord, Predicate};
use crosstail_core::model::{Activity, Names, Timestamp};
use crosstail_core::schema::Target;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql};
use crosstail_source::{Cost, Cursor, Page, PageQuery, Part, RelatedKey, SharedId};

/// A place in the order: time and identity.
pub(super) type Place = (Timestamp, String);

/// Bytes of one page, about. A page of heavy rows has fewer of them.
const PAGE_BYTES: usize = 12 << 20;
/// Rows of the first query, until their weight is known.
const FIRST_CHUNK: usize = 500;
const CHUNK: usize = 5000;

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
    pub(super) fn after(self, mapping: &Mapping, (at, id): &Place) -> Sql {
        let op = if self.newest_first { "<" } else { ">" };
        let or_equal = if self.newest_first { "<=" } else { ">=" };
        let mut sql = mapping.time_is(or_equal, *at);
        sql.append(" AND ((", &mapping.time_is(op, *at));
        sql.push(&format!(") OR {} {op} {PLACEHOLDER}::text)", Self::identity(mapping)), [Bind::Text(id.clone())]);
        sql
    }

    /// A condition for the rows after an identity, where no time orders them.
    pub(super) fn behind(mapping: &Mapping, id: &str) -> Sql {
        Sql::with(format!("{} > {PLACEHOLDER}::text", Self::identity(mapping)), Bind::Text(id.to_owned()))
    }

    /// The order of rows without a time.
    pub(super) fn by_identity(mapping: &Mapping, limit: usize) -> Sql {
        Sql::with(format!(" ORDER BY {} ASC LIMIT {PLACEHOLDER}::int8", Self::identity(mapping)), limit_of(limit))
    }

    pub(super) fn by(self, mapping: &Mapping, limit: usize) -> Sql {
        let order = if self.newest_first { "DESC" } else { "ASC" };
        let text = format!(
            " ORDER BY {} {order}, {} {order} LIMIT {PLACEHOLDER}::int8",
            mapping.time.order(),
            Self::identity(mapping)
        );
        Sql::with(text, limit_of(limit))
    }

    /// Where the order of the column is almost that of the time: the rows among which the first `limit` are, so that an
    /// index of the column serves.
    fn window(self, mapping: &Mapping, condition: &Sql, limit: usize) -> Option<Sql> {
        let (column, slack) = (&mapping.time.column, mapping.time.slack()?);
        let (op, sign, last, order) =
            if self.newest_first { (">=", "-", "min", "DESC") } else { ("<=", "+", "max", "ASC") };
        let mut sql = Sql::raw(format!(
            "{column} {op} (SELECT {last}(edge.at) {sign} {slack} FROM (SELECT {column} AS at FROM {} t WHERE ",
            mapping.relation.sql
        ));
        sql.append("", condition);
        sql.push(&format!(" ORDER BY {column} {order} LIMIT {PLACEHOLDER}::int8) edge)"), [limit_of(limit)]);
        Some(sql)
    }

    /// The rows that fulfil conditions, from `WHERE` to the end.
    pub(super) fn rest(self, mapping: &Mapping, parts: Vec<Sql>, limit: usize) -> Sql {
        let condition = Sql::join(parts, " AND ");
        let window = self.window(mapping, &condition, limit);
        let mut sql = Sql::raw("");
        sql.append(" WHERE ", &condition);
        if let Some(window) = window {
            sql.append(" AND ", &window);
        }
        sql.append("", &self.by(mapping, limit));
        sql
    }
}

fn limit_of(limit: usize) -> Bind {
    Bind::Int(i64::try_from(limit).unwrap_or(i64::MAX))
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
    let mut parts = Vec::new();
    let mut in_store = query.filter.clauses().len();
    for mapping in mappings {
        let (part, clauses) = page_of(reader, mapping, names, query, &predicate, after).await?;
        in_store = in_store.min(clauses);
        parts.push(part);
    }
    Ok(Page::merge_parts(parts, in_store, query))
}

async fn page_of(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    query: &PageQuery,
    predicate: &Predicate,
    after: Option<&Cursor>,
) -> Result<(Part, usize), sqlx::Error> {
    let hints = hints(reader, mapping, predicate).await?;
    let condition = sql::condition(mapping, predicate, &hints);
    let extra = extra(mapping, predicate);
    let order = PageOrder { newest_first: query.newest_first };
    let mut beyond: Option<Place> = after.map(|cursor| (cursor.at(), cursor.id.clone()));
    let mut chunk = if condition.exact { query.limit } else { query.limit.max(FIRST_CHUNK) }.min(FIRST_CHUNK);
    let mut items = Vec::new();
    let mut kept = 0;
    // Rows without a time stand at the epoch, between those of later and of earlier times.
    let mut waiting = query.includes_undated() && beyond.as_ref().is_none_or(|(at, _)| is_before(query, at.0));
    let mut part = Part { items: Vec::new(), ended: true, reached: None };
    loop {
        let mut parts = vec![Sql::raw(mapping.time.dated())];
        parts.extend(query.since.map(|at| mapping.time_is(">=", at)));
        parts.extend(query.until.map(|at| mapping.time_is("<", at)));
        parts.extend(beyond.as_ref().map(|place| order.after(mapping, place)));
        let bare = order.rest(mapping, parts.clone(), chunk);
        parts.push(condition.sql.clone());
        let rest = order.rest(mapping, parts, chunk);
        let (records, careful) = read(reader, &Wanted { mapping, extra: &extra, rest: &rest, bare: &bare }).await?;
        let full = records.len() == chunk;
        let weight = records.iter().map(|record| record.bytes).sum::<usize>() / records.len().max(1);
        for record in records {
            beyond = Some((record.activity.started_at, record.activity.id.to_string()));
            if (condition.exact && !careful) || keeps(mapping, names, predicate, &record)? {
                kept += record.bytes;
                items.push(record.activity);
            }
            if items.len() >= query.limit || kept >= PAGE_BYTES {
                break;
            }
        }
        let passed = beyond.as_ref().is_some_and(|(at, _)| !is_before(query, at.0));
        if items.len() >= query.limit || kept >= PAGE_BYTES || (full && waiting && passed) {
            part.ended = false;
            part.reached.clone_from(&beyond);
            break;
        }
        if !full {
            break;
        }
        chunk = (PAGE_BYTES / 2 / weight.max(1)).clamp(1, CHUNK);
    }
    part.items = items;
    // What is not dated comes where the dated rows of the page go past the epoch, or end.
    let goes_past = part.ended || part.reached.as_ref().is_some_and(|(at, _)| !is_before(query, at.0));
    if waiting && goes_past {
        waiting = false;
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
    debug_assert!(!waiting || !part.ended, "rows without a time come before the end");
    Ok((part, condition.clauses))
}

/// Whether a time comes before that of the rows that have none, or with them.
fn is_before(query: &PageQuery, us: i64) -> bool {
    if query.newest_first { us >= 0 } else { us <= 0 }
}

/// What follows the columns of an activity, where the payload is tested.
fn extra(mapping: &Mapping, predicate: &Predicate) -> String {
    if predicate.needs_payload() { format!(", {}", payload::whole_row(mapping)) } else { String::new() }
}

fn keeps(mapping: &Mapping, names: &Names, predicate: &Predicate, record: &Record) -> Result<bool, sqlx::Error> {
    let payload = record.extra.as_ref().map(|text| payload::of_text(mapping, text)).transpose()?;
    Ok(predicate.keeps(&NamedRecord { activity: &record.activity, names, payload: payload.as_ref() }))
}

/// Rows without a time.
pub(super) struct Undated {
    pub(super) items: Vec<Activity>,
    /// Identity of the last row that was read.
    pub(super) last: Option<String>,
    pub(super) ended: bool,
}

/// At most `limit` rows without a time that match a filter, by identity, after one.
pub(super) async fn undated(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    predicate: &Predicate,
    after: Option<&str>,
    newest_first: bool,
    limit: usize,
) -> Result<Undated, sqlx::Error> {
    let extra = extra(mapping, predicate);
    let (op, order) = if newest_first { ("<", "DESC") } else { (">", "ASC") };
    let identity = PageOrder::identity(mapping);
    let mut found = Undated { items: Vec::new(), last: after.map(str::to_owned), ended: false };
    while !found.ended && found.items.len() < limit {
        let chunk = limit.clamp(1, FIRST_CHUNK);
        let mut rest = Sql::raw(format!(" WHERE {}", mapping.time.undated()));
        if let Some(id) = &found.last {
            rest.push(&format!(" AND {identity} {op} {PLACEHOLDER}::text"), [Bind::Text(id.clone())]);
        }
        rest.push(&format!(" ORDER BY {identity} {order} LIMIT {PLACEHOLDER}::int8"), [limit_of(chunk)]);
        let (records, _) = read(reader, &Wanted { mapping, extra: &extra, rest: &rest, bare: &rest }).await?;
        found.ended = records.len() < chunk;
        let mut weight = 0;
        for record in records {
            found.last = Some(record.activity.id.to_string());
            weight += record.bytes;
            if keeps(mapping, names, predicate, &record)? {
                found.items.push(record.activity);
                if found.items.len() >= limit {
                    found.ended = false;
                    break;
                }
            }
        }
        if weight >= PAGE_BYTES && !found.items.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// What the first page of a query takes.
pub(super) async fn cost(reader: Reader<'_>, mappings: &[Mapping], query: &PageQuery) -> Result<Cost, sqlx::Error> {
    let predicate = query.filter.predicate(&query.context);
    let mut cost = Cost { indexed: !mappings.is_empty(), rows: Some(0), bytes: None };
    for mapping in mappings {
        let hints = hints(reader, mapping, &predicate).await?;
        let condition = sql::condition(mapping, &predicate, &hints);
        let mut parts = vec![Sql::raw(mapping.time.dated()), condition.sql];
        parts.extend(query.since.map(|at| mapping.time_is(">=", at)));
        parts.extend(query.until.map(|at| mapping.time_is("<", at)));
        let mut sql = Sql::raw(format!("{} FROM {} t WHERE ", mapping.ahead(), mapping.relation.sql));
        sql.append("", &Sql::join(parts, " AND "));
        let (indexed, rows) = super::plan::explain(reader, mapping, sql).await?;
        cost.indexed &= indexed;
        cost.rows = cost.rows.map(|known| known.saturating_add(rows));
    }
    Ok(cost)
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
        for one in targets.iter().flat_map(|target| mapping.sources(*target)) {
            conditions.extend(equals(one, value));
        }
        if let Some(own) = mapping.own_key(value) {
            conditions.push(mapping.key.is_any(&[own.to_owned()]));
        }
        for condition in conditions {
            let mut rest = Sql::raw("");
            rest.append(" WHERE ", &condition);
            rest.push(&format!(" LIMIT {PLACEHOLDER}::int8"), [limit_of(limit)]);
            let (records, _) = read(reader, &Wanted { mapping, extra: "", rest: &rest, bare: &rest }).await?;
            for record in records {
                let activity = record.activity;
                // A number is found by other spellings of it, and of several columns the first that has a value counts.
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

/// Whether a column equals a value, in the column's own type so that its index can be used. `None` where the value
/// cannot have that type.
fn equals(one: &Selected, value: &str) -> Option<Sql> {
    let (sql, bind) = (&one.sql, Bind::Text(value.to_owned()));
    match one.holds {
        _ if value.contains('\0') => None,
        // A text that holds it somewhere; what comes back is tested.
        _ if one.inside.is_some() => Some(Sql::with(format!("position({PLACEHOLDER}::text in {sql}::text) > 0"), bind)),
        ColumnType::Uuid => {
            uuid::Uuid::parse_str(value).ok().map(|_| Sql::with(format!("{sql} = {PLACEHOLDER}::text::uuid"), bind))
        }
        ColumnType::Int => {
            value.parse::<i64>().ok().map(|n| Sql::with(format!("{sql} = {PLACEHOLDER}::int8"), Bind::Int(n)))
        }
        ColumnType::Text => Some(Sql::with(format!("{sql} = {PLACEHOLDER}::text"), bind)),
        ColumnType::Bytes => Some(Sql::with(format!("{sql} = convert_to({PLACEHOLDER}::text, 'UTF8')"), bind)),
        _ => Some(Sql::with(format!("({sql})::text = {PLACEHOLDER}::text"), bind)),
    }
}
