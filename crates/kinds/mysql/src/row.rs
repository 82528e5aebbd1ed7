//! One row: read with the others, or, where the server cannot compute a value of it, column by column.

use crate::connection::{ReadTransaction, weight};
use crate::mapping::{Mapping, scalar};
use crate::one::{is_of_data, one};
use crate::payload;
use crate::relation::{as_selected, name};
use crosstail_core::model::{Activity, Payload, redact_text};
use crosstail_core::schema::Scalar;
use crosstail_source::sql::Sql;
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;
use std::borrow::Cow;
use std::collections::HashMap;

/// A row as it was read.
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) version: i64,
    pub(crate) activity: Activity,
    /// Where it was asked for.
    pub(crate) payload: Option<Payload>,
    /// Bytes of the row as it arrived.
    pub(crate) bytes: usize,
}

/// What is read of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Activity,
    /// With its payload.
    Whole,
    /// With its version.
    Versioned,
}

/// A row's key, its version, and its time in microseconds.
pub(crate) struct Head {
    key: String,
    version: i64,
    at: Option<i64>,
}

impl Mapping {
    fn select_of(&self, what: What) -> String {
        let extra = match what {
            What::Whole => format!(", {}", payload::selected(&payload::columns(self))),
            What::Activity | What::Versioned => String::new(),
        };
        self.select(what == What::Versioned, &extra)
    }

    fn record(&self, row: &MySqlRow, what: What) -> Result<Record, sqlx::Error> {
        let payload = (what == What::Whole).then(|| payload::of_row(self, row, self.width())).transpose()?;
        let (key, version) = (Self::key(row)?, Self::version_of(row)?);
        Ok(Record { key, version, activity: self.activity(row)?, payload, bytes: weight(row) })
    }
}

/// Rows, from `WHERE` to the end.
pub(crate) async fn rows(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    what: What,
    rest: &Sql,
) -> Result<Vec<Record>, sqlx::Error> {
    let mut sql = Sql::raw(mapping.select_of(what));
    sql.append("", rest);
    let mut records = Vec::new();
    reading
        .fetch_each(sql, |row| {
            records.push(mapping.record(&row, what)?);
            Ok(())
        })
        .await?;
    Ok(records)
}

/// Rows; where a value of one cannot be computed, the others are read without it, and it comes with what can be read of it
/// and a word on the rest. `bare`: the same rows, without conditions on anything but key and time. The flag: whether the
/// rows are those of `bare`.
pub(crate) async fn read(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    what: What,
    rest: &Sql,
    bare: &Sql,
) -> Result<(Vec<Record>, bool), sqlx::Error> {
    match rows(reading, mapping, what, rest).await {
        Err(error) if is_of_data(&error) => Ok((by_heads(reading, mapping, what, bare).await?, true)),
        found => Ok((found?, false)),
    }
}

/// Rows whose keys are read first.
pub(crate) async fn by_heads(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    what: What,
    rest: &Sql,
) -> Result<Vec<Record>, sqlx::Error> {
    let mut sql = Sql::raw(mapping.select_heads(what == What::Versioned));
    sql.append("", rest);
    let mut heads = Vec::new();
    for row in &reading.fetch(sql).await? {
        let (key, version) = (Mapping::key(row)?, Mapping::version_of(row)?);
        heads.push(Head { key, version, at: row.try_get_unchecked(2)? });
    }
    by_halves(reading, mapping, what, heads).await
}

/// Rows in their order. What cannot be read together is read in halves.
async fn by_halves(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    what: What,
    heads: Vec<Head>,
) -> Result<Vec<Record>, sqlx::Error> {
    let mut found = Vec::with_capacity(heads.len());
    let mut waiting = vec![heads];
    while let Some(mut heads) = waiting.pop() {
        if heads.is_empty() {
            continue;
        }
        let keys: Vec<String> = heads.iter().map(|head| head.key.clone()).collect();
        let mut rest = Sql::raw(" WHERE ");
        rest.append("", &mapping.with_keys(&keys));
        match rows(reading, mapping, what, &rest).await {
            Ok(mut records) => {
                let order: HashMap<&str, usize> = keys.iter().enumerate().map(|(n, key)| (key.as_str(), n)).collect();
                // There may be rows that are only alike in their key.
                records.retain(|record| order.contains_key(record.key.as_str()));
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
                    found.push(by_column(reading, mapping, what, head).await?);
                }
            }
        }
    }
    Ok(found)
}

/// A row of which a value cannot be computed: with the others, and a word on that one.
async fn by_column(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    what: What,
    head: Head,
) -> Result<Record, sqlx::Error> {
    let Head { key, version, at } = head;
    let mut values: Vec<Option<Scalar<'static>>> = Vec::with_capacity(mapping.selected.len());
    let mut unread = None;
    for (sql, holds, _) in &mapping.selected {
        match one(reading, mapping, &as_selected(sql, *holds), &key).await {
            Ok(row) => {
                values.push(match row {
                    Some(row) => scalar(&row, 1, *holds)?.map(owned),
                    None => None,
                });
            }
            Err(error) if is_of_data(&error) => {
                unread.get_or_insert_with(|| format!("{} cannot be read: {}", names_in(mapping, sql), reason(&error)));
                values.push(None);
            }
            Err(error) => return Err(error),
        }
    }
    let mut activity = mapping.assembled(&key, mapping.known_moment(at), values);
    if let Some(reason) = unread {
        let reason = redact_text(&reason);
        let place = if activity.error.is_none() { &mut activity.error } else { &mut activity.message };
        *place = place.take().or_else(|| Some(reason.as_ref().into()));
    }
    let payload = if what == What::Whole { payload::by_column(reading, mapping, &key).await? } else { None };
    Ok(Record { key, version, activity, payload, bytes: 0 })
}

/// What the server says of an error.
fn reason(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |db| db.message().to_owned())
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
    let columns = mapping.relation.columns.iter();
    let used = columns.filter(|column| sql.contains(&format!("t.{}", name(&column.name))));
    let names: Vec<&str> = used.map(|column| column.name.as_str()).collect();
    if names.is_empty() { "a value".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relation::ColumnType;
    use crosstail_fuzz::speech::mysql::{END, OK, column, packet};
    use crosstail_fuzz::speech::{Protocol, serve};
    use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
    use sqlx::{ConnectOptions as _, Connection as _};
    use std::sync::{Arc, Mutex};

    /// The answer to a statement in text: its columns, by their types, and two rows.
    fn answer(columns: &[(u8, &[u8])]) -> Vec<u8> {
        let count = u8::try_from(columns.len()).expect("few");
        let mut packets = vec![packet(1, &[count])];
        packets.extend(columns.iter().zip(2..).map(|((kind, _), number)| packet(number, &column(*kind))));
        let row: Vec<u8> = columns
            .iter()
            .flat_map(|(_, value)| [&[u8::try_from(value.len()).expect("short")], *value].concat())
            .collect();
        packets.extend([
            packet(count + 2, END),
            packet(count + 3, &row),
            packet(count + 4, &row),
            packet(count + 5, END),
        ]);
        packets.concat()
    }

    #[test]
    fn fuzz_mysql() {
        let corpus = vec![
            answer(&[(253, b"key"), (8, b"17"), (5, b"1.5"), (12, b"2026-11-20 10:00:00.5"), (245, b"{\"a\":1}")]),
            answer(&[(252, b"\xff\0"), (3, b"-1"), (7, b"0000-00-00"), (246, b"1.10"), (254, b"")]),
            packet(1, b"\xff\x7a\x04#42S02Table 'd.x' doesn't exist"),
            packet(1, OK),
        ];
        let bits = [
            "\u{1}\0\0\u{1}",
            "\u{5}\0\0\u{3}\u{fe}",
            "\0\0\0",
            "\u{3}def",
            "\u{7f}\u{7f}\u{7f}",
            "#42000",
            "\u{1}\0\0\u{4}",
        ];
        let replies = Arc::<Mutex<Vec<u8>>>::default();
        let port = serve(Protocol::Mysql, &replies);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        // Nothing is set when connecting: the first statement is the one that is asked.
        let options =
            MySqlConnectOptions::new().host("127.0.0.1").port(port).username("me").ssl_mode(MySqlSslMode::Disabled);
        let options = options.no_engine_substitution(false).pipes_as_concat(false).set_names(false).timezone(None);
        let options = options.disable_statement_logging();
        crosstail_fuzz::Target { name: "mysql", corpus, bits: &bits, longest: 100_000 }.run(|_, input| {
            *replies.lock().expect("lock") = input.to_vec();
            // A panic of the driver is an error, as in every source.
            crosstail_fuzz::forgiving(&["sqlx", "/bytes-"], || {
                runtime.block_on(async {
                    let mut connection = sqlx::MySqlConnection::connect_with(&options).await.expect("connected");
                    let rows = sqlx::raw_sql("SELECT 1").fetch_all(&mut connection).await;
                    for row in rows.unwrap_or_default() {
                        for index in 0..row.len() {
                            for holds in [
                                ColumnType::Int,
                                ColumnType::Float,
                                ColumnType::Time(0),
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
