//! The payload of one row.

use super::connection::Reader;
use super::mapping::Mapping;
use super::relation::ColumnType;
use crosstail_core::model::{Payload, RawRecord};
use crosstail_source::sql::{Sql, name};
use serde_json::Value;

/// The row as a JSON object, with every readable column.
pub(super) fn whole_row(mapping: &Mapping) -> String {
    let columns = &mapping.relation.columns;
    // Not as jsonb, which refuses the character 0 in a text of a json column; `t` alone would be a column of that name.
    if columns.iter().all(|column| column.readable) {
        return "row_to_json(t.*)::text".to_owned();
    }
    let readable: Vec<&str> = columns.iter().filter(|c| c.readable).map(|c| c.name.as_str()).collect();
    json_of(&readable)
}

/// These columns, quoted, as one JSON object.
pub(super) fn json_of(columns: &[&str]) -> String {
    let list: Vec<String> = columns.iter().map(|column| format!("t.{}", name(column))).collect();
    format!("(SELECT row_to_json(part.*)::text FROM (SELECT {}) part)", list.join(", "))
}

/// The payload in the text of [`whole_row`].
pub(super) fn of_text(mapping: &Mapping, text: &str) -> Result<Payload, sqlx::Error> {
    let mut record = match mapping.schema.record(text) {
        Ok(record) => record,
        // A json column keeps escapes that are halves of characters.
        Err(_) => mapping.schema.record(&mended(text)).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
    };
    record.retain(|_, value| !value.is_null());
    for column in &mapping.relation.columns {
        let Some(value) = record.get_mut(&column.name) else { continue };
        if column.value_type == ColumnType::Bytes
            && let Some(text) = value.as_str().and_then(text_of_bytes)
        {
            *value = Value::String(text);
        }
    }
    open_texts(mapping, &mut record);
    let mut payload = mapping.schema.divide(record);
    payload.raw.push(RawRecord::new(mapping.table.name.clone(), text));
    Ok(payload)
}

/// JSON whose escapes of half a character are the sign for what is none.
fn mended(text: &str) -> String {
    let unit = |at: usize| {
        text.get(at..at + 6).filter(|t| t.starts_with("\\u")).and_then(|t| u16::from_str_radix(&t[2..], 16).ok())
    };
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = text[at..].find('\\').map(|next| at + next) {
        out.push_str(&text[at..found]);
        let length = match (unit(found), unit(found + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.push_str("\\ufffd");
                at = found + 6;
                continue;
            }
            (Some(_), _) => 6,
            // The backslash and what it escapes.
            (None, _) => 1 + text[found + 1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&text[found..found + length]);
        at = found + length;
    }
    out.push_str(&text[at..]);
    out
}

/// Texts that hold JSON into which a path of the schema leads become that JSON.
fn open_texts(mapping: &Mapping, record: &mut serde_json::Map<String, Value>) {
    let definition = mapping.schema.definition();
    let paths = definition.payload.values().chain(definition.fields.values()).flat_map(|paths| paths.list());
    for (column, _) in paths.filter_map(|path| path.split_once('.')) {
        if let Some(Value::String(text)) = record.get(column)
            && text.trim_start().starts_with('{')
            && let Ok(opened) = serde_json::from_str(text)
        {
            record.insert(column.to_owned(), opened);
        }
    }
}

/// The text that bytes are, as PostgreSQL writes them in JSON: `\\x` and two digits a byte.
fn text_of_bytes(hex: &str) -> Option<String> {
    let digits = hex.strip_prefix("\\x")?.as_bytes();
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let bytes: Option<Vec<u8>> =
        digits.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect();
    String::from_utf8(bytes?).ok().filter(|text| !text.contains('\0'))
}

pub(super) async fn load(reader: Reader<'_>, mapping: &Mapping, key: &str) -> Result<Option<Payload>, sqlx::Error> {
    let mut sql = Sql::raw(format!("SELECT {} FROM {} t WHERE ", whole_row(mapping), mapping.relation.sql));
    sql.append("", &mapping.key.is_any(&[key.to_owned()]));
    let mut reading = reader.read().await?;
    let rows = reading.fetch(sql).await?;
    reading.end().await?;
    let Some(row) = rows.first() else { return Ok(None) };
    of_text(mapping, &super::row::text(row, 0)?.unwrap_or_default()).map(Some)
}

/// The payloads of several rows, with their keys.
pub(super) async fn load_all(
    reader: Reader<'_>,
    mapping: &Mapping,
    keys: &[String],
) -> Result<Vec<(String, Payload)>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (key, whole) = (mapping.key.text(), whole_row(mapping));
    let mut sql = Sql::raw(format!("SELECT {key}, {whole} FROM {} t WHERE ", mapping.relation.sql));
    sql.append("", &mapping.key.is_any(keys));
    let mut reading = reader.read().await?;
    let rows = reading.fetch(sql).await?;
    reading.end().await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let key = super::row::text(row, 0)?.unwrap_or_default().into_owned();
        found.push((key, of_text(mapping, &super::row::text(row, 1)?.unwrap_or_default())?));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_characters_are_mended() {
        for (text, mended_text) in [
            (r#"{"a": "\ud800"}"#, r#"{"a": "\ufffd"}"#),
            (r#"{"a": "\ud83d\ude00 \\ud800 \u00e4\udc00x"}"#, r#"{"a": "\ud83d\ude00 \\ud800 \u00e4\ufffdx"}"#),
            (r#"{"a": "\ud8"}"#, r#"{"a": "\ud8"}"#),
            ("\\", "\\"),
        ] {
            assert_eq!(mended(text), mended_text);
        }
    }

    #[test]
    fn bytes_are_text_where_they_are_that() {
        assert_eq!(text_of_bytes("\\x7b7d").as_deref(), Some("{}"));
        assert_eq!(text_of_bytes("\\xff"), None);
        assert_eq!(text_of_bytes("7b7d"), None);
    }
}
