//! One row: read as a whole, or, where a value of it cannot be read, column by column.

use super::connection::Reader;
use super::mapping::{Mapping, Selected};
use super::relation::ColumnType;
use crosstail_core::model::{Activity, Id, Locator, Place, Timestamp, redact_text};
use crosstail_core::schema::{Assembler, Scalar, Target, lookup, only};
use crosstail_source::sql::Sql;
use serde_json::{Map, Value};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use std::borrow::Cow;
use std::collections::HashMap;

/// A row as it was read.
pub(super) struct Record {
    pub(super) key: String,
    /// Its xmin; 0 where the relation has none.
    pub(super) version: i64,
    /// Its time in microseconds, if it has one.
    pub(super) at: Option<i64>,
    pub(super) activity: Activity,
    /// The column behind all others, if one was asked for.
    pub(super) extra: Option<String>,
    /// Bytes of the row as it arrived.
    pub(super) bytes: usize,
}

/// A text, whatever its encoding; NULL is `None`.
pub(super) fn text(row: &PgRow, index: usize) -> Result<Option<Cow<'_, str>>, sqlx::Error> {
    let value = row.try_get_raw(index)?;
    if sqlx::ValueRef::is_null(&value) {
        return Ok(None);
    }
    let bytes = value.as_bytes().map_err(|source| sqlx::Error::ColumnDecode { index: index.to_string(), source })?;
    Ok(Some(String::from_utf8_lossy(bytes)))
}

/// A value of a row in the type as which it is selected.
pub(super) fn scalar(row: &PgRow, index: usize, holds: ColumnType) -> Result<Option<Scalar<'_>>, sqlx::Error> {
    Ok(match holds {
        ColumnType::Int => row.try_get::<Option<i64>, _>(index)?.map(Scalar::Int),
        ColumnType::Float => row.try_get::<Option<f64>, _>(index)?.map(Scalar::Float),
        ColumnType::Time => row.try_get::<Option<i64>, _>(index)?.map(|us| Scalar::Time(Timestamp(us))),
        _ => text(row, index)?.map(Scalar::Text),
    })
}

impl Mapping {
    /// Reads a row; `extra`: the number of the column behind all others.
    pub(super) fn record(&self, row: &PgRow, extra: Option<usize>) -> Result<Record, sqlx::Error> {
        let mut values = Vec::with_capacity(self.columns.len());
        for (index, (_, holds)) in self.columns.iter().enumerate() {
            values.push(scalar(row, Self::AHEAD + index, *holds)?);
        }
        let bytes = (0..row.len())
            .map(|index| row.try_get_raw(index).ok().and_then(|v| v.as_bytes().ok().map(<[u8]>::len)).unwrap_or(0))
            .sum();
        let extra = extra.map(|index| text(row, index)).transpose()?.flatten().map(Cow::into_owned);
        let (key, version, at) = Self::head(row)?;
        let activity = self.activity(&key, at, &values);
        Ok(Record { key, version, at, activity, extra, bytes })
    }

    /// Key, version and time.
    fn head(row: &PgRow) -> Result<(String, i64, Option<i64>), sqlx::Error> {
        let key = text(row, 0)?.unwrap_or_default().into_owned();
        Ok((key, row.try_get(1)?, row.try_get(2)?))
    }

    /// The activity of a row. A row without a time has that of the epoch, and says that it knows none.
    pub(super) fn activity(&self, key: &str, at: Option<i64>, values: &[Option<Scalar<'_>>]) -> Activity {
        let mut assembler = Assembler::default();
        let mut parsed: Vec<(usize, Option<Map<String, Value>>)> = Vec::new();
        if let Some(us) = at {
            assembler.set((Target::StartedAt, 0), Scalar::Time(Timestamp(us)));
        }
        let opened: Vec<Option<Scalar<'static>>> = self
            .selected
            .iter()
            .map(|one| one.inside.as_ref().and_then(|path| inside(one, path, values, &mut parsed)))
            .collect();
        for (one, opened) in self.selected.iter().zip(opened) {
            let value = match (&one.inside, &values[one.column]) {
                (Some(_), _) => opened,
                (None, value) => value.clone(),
            };
            let value = match (value, one.target.0, one.holds) {
                (Some(Scalar::Int(n)), Target::Id, ColumnType::Int) => {
                    Some(Scalar::Text(Cow::Owned(format!("{}{n}", self.prefix()))))
                }
                (value, ..) => value,
            };
            if let Some(value) = value {
                assembler.set(one.target, value);
            }
        }
        let own = Id::Text(format!("{}{key}", self.prefix()).into());
        let recorded = assembler.recorded_at();
        let mut activity = assembler.finish(&self.schema, own, Timestamp::UNDATED);
        let place = Place::new(self.source, Locator::table_key(self.index, key));
        activity.places = vec![Place { at: recorded, ..place }];
        activity
    }
}

/// The value at a path into the JSON in a text. Each text is parsed once.
fn inside(
    one: &Selected,
    path: &str,
    values: &[Option<Scalar<'_>>],
    parsed: &mut Vec<(usize, Option<Map<String, Value>>)>,
) -> Option<Scalar<'static>> {
    if !parsed.iter().any(|(column, _)| *column == one.column) {
        let map = match values.get(one.column)? {
            Some(Scalar::Text(text)) => serde_json::from_str(text).ok(),
            _ => None,
        };
        parsed.push((one.column, map));
    }
    let (_, map) = parsed.iter().find(|(column, _)| *column == one.column)?;
    let found = lookup(map.as_ref()?, path)?;
    let found = if one.target.0 == Target::Tags { found } else { only(found) };
    Some(match found {
        Value::Null => return None,
        Value::Bool(b) => Scalar::Bool(*b),
        // More than an integer here holds: as it is written.
        Value::Number(n) if n.is_u64() && !n.is_i64() => Scalar::Text(Cow::Owned(n.to_string())),
        Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => Scalar::Int(n),
            (None, Some(n)) => Scalar::Float(n),
            (None, None) => return None,
        },
        Value::String(text) => Scalar::Text(Cow::Owned(text.clone())),
        other => Scalar::Text(Cow::Owned(other.to_string())),
    })
}

/// Whether the server could not read a value: class 22 of its errors, data exceptions.
pub(super) fn is_of_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|db| db.code()).unwrap_or_default().into_owned();
    code.starts_with("22") || matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))
}

/// What is read, where a value of it may not be readable.
pub(super) struct Wanted<'a> {
    pub(super) mapping: &'a Mapping,
    /// What follows the columns of an activity: `, SQL`.
    pub(super) extra: &'a str,
    /// From `WHERE` to the end.
    pub(super) rest: &'a Sql,
    /// The same without conditions on anything but key and time.
    pub(super) bare: &'a Sql,
}

/// Reads rows. Where the server cannot read a value of one, the others are read without it, and it comes with what can be
/// read of it and a word on the rest. The flag: whether the rows are those of `bare`.
pub(super) async fn read(reader: Reader<'_>, wanted: &Wanted<'_>) -> Result<(Vec<Record>, bool), sqlx::Error> {
    let Wanted { mapping, extra, rest, bare } = *wanted;
    let mut sql = Sql::raw(mapping.select(extra));
    sql.append("", rest);
    match rows(reader, mapping, sql, extra).await {
        Ok(records) => return Ok((records, false)),
        Err(error) if !is_of_data(&error) => return Err(error),
        Err(_) => {}
    }
    let mut sql = Sql::raw(format!("{} FROM {} t", mapping.ahead(), mapping.relation.sql));
    sql.append("", bare);
    let mut reading = reader.read().await?;
    let heads = reading.fetch(sql).await?;
    reading.end().await?;
    let heads = heads.iter().map(Mapping::head).collect::<Result<Vec<_>, _>>()?;
    Ok((by_halves(reader, mapping, extra, heads).await?, true))
}

async fn rows(reader: Reader<'_>, mapping: &Mapping, sql: Sql, extra: &str) -> Result<Vec<Record>, sqlx::Error> {
    let extra = (!extra.is_empty()).then(|| mapping.width());
    let (mut reading, mut records) = (reader.read().await?, Vec::new());
    reading
        .fetch_each(sql, |row| {
            records.push(mapping.record(&row, extra)?);
            Ok(())
        })
        .await?;
    reading.end().await?;
    Ok(records)
}

/// A row's key, version and time.
type Head = (String, i64, Option<i64>);

/// Rows by key, in their order. What cannot be read together is read in halves.
pub(super) async fn by_halves(
    reader: Reader<'_>,
    mapping: &Mapping,
    extra: &str,
    heads: Vec<Head>,
) -> Result<Vec<Record>, sqlx::Error> {
    let mut found = Vec::with_capacity(heads.len());
    let mut waiting = vec![heads];
    while let Some(mut heads) = waiting.pop() {
        let keys: Vec<String> = heads.iter().map(|(key, ..)| key.clone()).collect();
        let mut sql = Sql::raw(mapping.select(extra));
        sql.append(" WHERE ", &mapping.key.is_any(&keys));
        match rows(reader, mapping, sql, extra).await {
            Ok(mut records) => {
                let order: HashMap<&str, usize> = keys.iter().enumerate().map(|(n, key)| (key.as_str(), n)).collect();
                records.sort_by_key(|record| order.get(record.key.as_str()).copied());
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
                    found.push(by_column(reader, mapping, extra, head).await?);
                }
            }
        }
    }
    Ok(found)
}

/// A row of which a value cannot be read: with the others, and a word on that one.
async fn by_column(reader: Reader<'_>, mapping: &Mapping, extra: &str, head: Head) -> Result<Record, sqlx::Error> {
    let (key, version, at) = head;
    let mut values: Vec<Option<Scalar<'static>>> = Vec::with_capacity(mapping.columns.len());
    let mut unread = Vec::new();
    for (sql, holds) in &mapping.columns {
        match one(reader, mapping, sql, &key).await {
            Ok(Some(row)) => values.push(scalar(&row, 0, *holds)?.map(owned)),
            Ok(None) => values.push(None),
            Err(error) if is_of_data(&error) => {
                let reason = error.as_database_error().map_or_else(|| error.to_string(), |db| db.message().to_owned());
                unread.push(format!("{} cannot be read: {reason}", names_in(mapping, sql)));
                values.push(None);
            }
            Err(error) => return Err(error),
        }
    }
    let extra = match extra.trim_start_matches(", ") {
        "" => None,
        sql => match one(reader, mapping, sql, &key).await {
            Ok(row) => row.as_ref().map(|row| text(row, 0)).transpose()?.flatten().map(Cow::into_owned),
            Err(error) if is_of_data(&error) => None,
            Err(error) => return Err(error),
        },
    };
    let mut activity = mapping.activity(&key, at, &values);
    if let Some(reason) = unread.first() {
        let reason = redact_text(reason);
        let place = if activity.error.is_none() { &mut activity.error } else { &mut activity.message };
        *place = place.take().or_else(|| Some(reason.as_ref().into()));
    }
    Ok(Record { key, version, at, activity, extra, bytes: 0 })
}

async fn one(reader: Reader<'_>, mapping: &Mapping, sql: &str, key: &str) -> Result<Option<PgRow>, sqlx::Error> {
    let mut query = Sql::raw(format!("SELECT {sql} FROM {} t WHERE ", mapping.relation.sql));
    query.append("", &mapping.key.is_any(&[key.to_owned()]));
    let mut reading = reader.read().await?;
    let rows = reading.fetch(query).await?;
    reading.end().await?;
    Ok(rows.into_iter().next())
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

/// The columns that an expression uses, for people.
fn names_in(mapping: &Mapping, sql: &str) -> String {
    let used = mapping
        .relation
        .columns
        .iter()
        .filter(|column| sql.contains(&format!("t.{}", crosstail_source::sql::name(&column.name))));
    let names: Vec<&str> = used.map(|column| column.name.as_str()).collect();
    if names.is_empty() { "a value".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_fuzz::speech::postgres::{columns, message, row};
    use crosstail_fuzz::speech::{Protocol, serve};
    use sqlx::postgres::{PgConnectOptions, PgSslMode};
    use sqlx::{ConnectOptions as _, Connection as _};
    use std::sync::{Arc, Mutex};

    /// The answer to one statement: its columns, by their types, and two rows.
    fn answer(values: &[(u32, &[u8])]) -> Vec<u8> {
        let types: Vec<(u32, i16)> = values.iter().map(|(number, _)| (*number, -1)).collect();
        let one = row(&values.iter().map(|(_, value)| *value).collect::<Vec<_>>());
        let ready = message(b'Z', b"I");
        let parsed = [message(b'1', b""), message(b't', &[0, 0]), columns(&types, true), ready.clone()].concat();
        [parsed, message(b'2', b""), one.repeat(2), message(b'C', b"SELECT 2\0"), ready].concat()
    }

    #[test]
    fn fuzz_postgres() {
        let time = 1_795_000_000_000_000_i64.to_be_bytes();
        let corpus = vec![
            answer(&[(25, b"key"), (20, &time), (20, &time), (25, b"a text"), (701, &1.5f64.to_be_bytes())]),
            answer(&[(17, b"\x01\xff"), (114, b"{\"a\":[1,null]}"), (2950, &[7; 16]), (23, &7i32.to_be_bytes())]),
            message(b'E', b"SERROR\0VERROR\0C42P01\0Mrelation \"x\" does not exist\0\0"),
            [message(b'N', b"SNOTICE\0C00000\0Mhello\0\0"), answer(&[(16, &[1])])].concat(),
        ];
        let bits = [
            "\0\0\0\u{4}",
            "D\0\0",
            "T\0\0",
            "Z\0\0\0\u{5}I",
            "E\0\0\0\u{6}S\0",
            "\u{7f}\u{7f}\u{7f}\u{7f}",
            "S\0\0",
            "C\0\0",
        ];
        let replies = Arc::<Mutex<Vec<u8>>>::default();
        let port = serve(Protocol::Postgres, &replies);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port).username("me").database("d");
        let options = options.ssl_mode(PgSslMode::Disable).disable_statement_logging();
        crosstail_fuzz::Target { name: "postgres", corpus, bits: &bits, longest: 100_000 }.run(|_, input| {
            *replies.lock().expect("lock") = input.to_vec();
            // A panic of the driver is an error, as in every source: a row may say that a value is longer than the row is.
            crosstail_fuzz::forgiving(&["sqlx", "/bytes-"], || {
                runtime.block_on(async {
                    let mut connection = sqlx::PgConnection::connect_with(&options).await.expect("connected");
                    let rows = sqlx::query("SELECT 1").fetch_all(&mut connection).await;
                    for row in rows.unwrap_or_default() {
                        let _ = Mapping::head(&row);
                        for index in 0..row.len() {
                            for holds in [
                                ColumnType::Int,
                                ColumnType::Float,
                                ColumnType::Time,
                                ColumnType::Json,
                                ColumnType::Bytes,
                            ] {
                                let _ = scalar(&row, index, holds);
                            }
                        }
                    }
                });
            });
        });
    }
}
