//! One row: read with the others, or, where SQLite cannot compute a value of it, column by column.

use super::connection::Reading;
use super::mapping::{Mapping, Selected};
use super::value::{is_of_data, scalar};
use crosstail_core::model::{Activity, redact_text};
use crosstail_core::schema::{Scalar, Target};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, name};
use sqlx::sqlite::SqliteRow;
use std::borrow::Cow;
use std::collections::HashMap;

/// A row as it was read.
pub(super) struct Record {
    pub(super) activity: Activity,
    /// The expressions behind those of an activity.
    pub(super) extra: Vec<Option<Scalar<'static>>>,
}

/// What finds one row at once: its `rowid`, or else its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Handle {
    Number(i64),
    Text(String),
}

impl Handle {
    pub(super) fn of(value: Option<&Scalar<'_>>) -> Self {
        match value {
            Some(Scalar::Int(n)) => Self::Number(*n),
            Some(Scalar::Text(text)) => Self::Text(text.clone().into_owned()),
            _ => Self::Text(String::new()),
        }
    }

    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(n) => Some(*n),
            Self::Text(_) => None,
        }
    }

    fn bind(&self) -> Bind {
        match self {
            Self::Number(n) => Bind::Int(*n),
            Self::Text(text) => Bind::Text(text.clone()),
        }
    }
}

/// The rows of some handles.
pub(super) fn with_handles(mapping: &Mapping, handles: &[Handle]) -> Sql {
    let marks = vec![PLACEHOLDER.to_string(); handles.len()].join(", ");
    let binds = handles.iter().map(Handle::bind).collect();
    Sql { text: format!(" WHERE {} IN ({marks})", mapping.handle()), binds }
}

/// What is wrong with a value that was read; nothing where it is as it is to be.
fn fault(one: &Selected, value: Option<&Scalar<'_>>) -> Option<String> {
    const NUMBERS: [Target; 6] =
        [Target::Duration, Target::HttpStatus, Target::Attempt, Target::MaxAttempts, Target::Cpu, Target::Memory];
    let Some(Scalar::Text(text)) = value else { return None };
    if one.is_number && NUMBERS.contains(&one.target.0) && text.trim().parse::<f64>().is_err() {
        return Some(format!("{} cannot be read: it holds a text, and no number", one.column));
    }
    text.contains(char::REPLACEMENT_CHARACTER).then(|| format!("{} is no valid UTF-8", one.column))
}

impl Mapping {
    /// Reads a row; `extra`: the number of the expressions behind those of an activity.
    fn record(&self, row: &SqliteRow, extra: usize) -> Result<Record, sqlx::Error> {
        let mut values = Vec::with_capacity(self.selected.len());
        let mut faults = Vec::new();
        for (index, one) in self.selected.iter().enumerate() {
            let value = scalar(row, Self::AHEAD + index)?;
            faults.extend(fault(one, value.as_ref()));
            values.push(value);
        }
        let (key, at) = Self::head(row)?;
        let mut activity = self.activity(&key, at, values);
        add_fault(&mut activity, faults);
        let extra = (0..extra)
            .map(|index| Ok(scalar(row, self.width() + index)?.map(owned)))
            .collect::<Result<_, sqlx::Error>>()?;
        Ok(Record { activity, extra })
    }

    /// Key and time.
    fn head(row: &SqliteRow) -> Result<(String, Option<i64>), sqlx::Error> {
        let key = match scalar(row, 0)? {
            Some(Scalar::Text(text)) => text.into_owned(),
            Some(Scalar::Int(n)) => n.to_string(),
            _ => String::new(),
        };
        let at = match scalar(row, 1)? {
            Some(Scalar::Int(us)) => Some(us),
            _ => None,
        };
        Ok((key, at))
    }
}

/// The first fault is told where the row has room for it.
fn add_fault(activity: &mut Activity, faults: Vec<String>) {
    let Some(first) = faults.first() else { return };
    let reason = redact_text(first);
    let place = if activity.error.is_none() { &mut activity.error } else { &mut activity.message };
    *place = place.take().or_else(|| Some(reason.as_ref().into()));
}

/// What is read, where a value of it may not be readable.
pub(super) struct Wanted<'a> {
    pub(super) mapping: &'a Mapping,
    /// Expressions behind those of an activity.
    pub(super) extra: &'a [String],
    /// From `WHERE` to the end.
    pub(super) rest: &'a Sql,
    /// The same without conditions on anything but key and time.
    pub(super) bare: &'a Sql,
}

/// Reads rows. Where a value of one cannot be computed, the others are read without it, and it comes with what can be read
/// of it and a word on the rest. The flag: whether the rows are those of `bare`.
pub(super) async fn read(reading: &mut Reading<'_>, wanted: &Wanted<'_>) -> Result<(Vec<Record>, bool), sqlx::Error> {
    let Wanted { mapping, extra, rest, bare } = *wanted;
    match rows(reading, mapping, extra, rest).await {
        Ok(records) => return Ok((records, false)),
        Err(error) if !is_of_data(&error) => return Err(error),
        Err(_) => {}
    }
    let (key, time, handle) = (mapping.key_text(), mapping.time_us(), mapping.handle());
    let mut sql = Sql::raw(format!("SELECT {key}, {time}, {handle} FROM {}", name(&mapping.table.name)));
    sql.append("", bare);
    let mut heads = Vec::new();
    for row in &reading.fetch(sql).await? {
        let (key, at) = Mapping::head(row)?;
        heads.push(Head { key, at, handle: Handle::of(scalar(row, 2)?.as_ref()) });
    }
    Ok((by_halves(reading, mapping, extra, heads).await?, true))
}

async fn rows(
    reading: &mut Reading<'_>,
    mapping: &Mapping,
    extra: &[String],
    rest: &Sql,
) -> Result<Vec<Record>, sqlx::Error> {
    let mut sql = Sql::raw(mapping.select(extra));
    sql.append("", rest);
    let mut records = Vec::new();
    reading
        .fetch_each(sql, |row| {
            records.push(mapping.record(&row, extra.len())?);
            Ok(())
        })
        .await?;
    Ok(records)
}

struct Head {
    key: String,
    at: Option<i64>,
    handle: Handle,
}

/// Rows in their order. What cannot be read together is read in halves.
async fn by_halves(
    reading: &mut Reading<'_>,
    mapping: &Mapping,
    extra: &[String],
    heads: Vec<Head>,
) -> Result<Vec<Record>, sqlx::Error> {
    let mut found = Vec::with_capacity(heads.len());
    let mut waiting = vec![heads];
    while let Some(mut heads) = waiting.pop() {
        let handles: Vec<Handle> = heads.iter().map(|head| head.handle.clone()).collect();
        if handles.is_empty() {
            continue;
        }
        match rows(reading, mapping, extra, &with_handles(mapping, &handles)).await {
            Ok(mut records) => {
                let order: HashMap<&str, usize> =
                    heads.iter().enumerate().map(|(n, head)| (head.key.as_str(), n)).collect();
                records.sort_by_key(|record| order.get(key_of(&record.activity)).copied());
                found.extend(records);
            }
            Err(error) if !is_of_data(&error) => return Err(error),
            Err(_) if heads.len() > 1 => {
                let later = heads.split_off(heads.len() / 2);
                waiting.push(later);
                waiting.push(heads);
            }
            Err(_) => {
                for head in heads {
                    found.push(by_column(reading, mapping, extra, &head).await?);
                }
            }
        }
    }
    Ok(found)
}

/// The key in the place of an activity.
fn key_of(activity: &Activity) -> &str {
    activity.places.first().and_then(|place| place.locator.as_table_key()).map_or("", |(_, key)| key)
}

/// A row of which a value cannot be computed: with the others, and a word on that one.
async fn by_column(
    reading: &mut Reading<'_>,
    mapping: &Mapping,
    extra: &[String],
    head: &Head,
) -> Result<Record, sqlx::Error> {
    let mut values = Vec::with_capacity(mapping.selected.len());
    let mut faults = Vec::new();
    for selected in &mapping.selected {
        match one(reading, mapping, &selected.shown(mapping.is_canonical()), &head.handle).await {
            Ok(value) => {
                faults.extend(fault(selected, value.as_ref()));
                values.push(value);
            }
            Err(error) if is_of_data(&error) => {
                faults.insert(0, format!("{} cannot be read: {}", selected.column, reason(&error)));
                values.push(None);
            }
            Err(error) => return Err(error),
        }
    }
    let mut behind = Vec::with_capacity(extra.len());
    for sql in extra {
        behind.push(match one(reading, mapping, sql, &head.handle).await {
            Err(error) if is_of_data(&error) => None,
            found => found?,
        });
    }
    let mut activity = mapping.activity(&head.key, head.at, values);
    add_fault(&mut activity, faults);
    Ok(Record { activity, extra: behind })
}

/// What SQLite says of an error.
pub(super) fn reason(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |db| db.message().to_owned())
}

/// One value of a row.
pub(super) async fn one(
    reading: &mut Reading<'_>,
    mapping: &Mapping,
    sql: &str,
    handle: &Handle,
) -> Result<Option<Scalar<'static>>, sqlx::Error> {
    let mut query = Sql::raw(format!("SELECT {sql} FROM {}", name(&mapping.table.name)));
    query.append("", &with_handles(mapping, std::slice::from_ref(handle)));
    let rows = reading.fetch(query).await?;
    rows.first().map_or(Ok(None), |row| Ok(scalar(row, 0)?.map(owned)))
}

fn owned(value: Scalar<'_>) -> Scalar<'static> {
    match value {
        Scalar::Text(text) => Scalar::Text(Cow::Owned(text.into_owned())),
        Scalar::Number(text) => Scalar::Text(Cow::Owned(text.to_owned())),
        Scalar::Int(n) => Scalar::Int(n),
        Scalar::Float(n) => Scalar::Float(n),
        Scalar::Bool(b) => Scalar::Bool(b),
        Scalar::Time(at) => Scalar::Time(at),
    }
}
