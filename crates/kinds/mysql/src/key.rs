//! What tells the rows of a table apart, in SQL.

use crate::relation::{ColumnType, Relation, as_text, list, name};
use crosstail_source::sql::Sql;

/// Stands for NULL in a key of several columns. A percent sign of a value is always escaped.
pub(crate) const NULL: &str = "%";

/// Whether a column has one of these values, compared as the column compares.
pub(crate) fn equals_any(column: &str, column_type: ColumnType, charset: &str, values: &[String]) -> Sql {
    let inline = |list: Vec<String>| {
        Sql::raw(if list.is_empty() { "FALSE".to_owned() } else { format!("{column} IN ({})", list.join(", ")) })
    };
    let uuids = || values.iter().filter_map(|value| uuid::Uuid::parse_str(value).ok());
    match column_type {
        ColumnType::Int => inline(values.iter().filter_map(|v| v.parse::<i64>().ok()).map(|n| n.to_string()).collect()),
        // Numbers of up to 65 digits, as decimals have them.
        ColumnType::Unsigned => {
            let is_number = |text: &&String| {
                let digits = text.strip_prefix('-').unwrap_or(text);
                (1..=65).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
            };
            inline(values.iter().filter(is_number).cloned().collect())
        }
        ColumnType::Uuid => inline(uuids().map(|id| format!("'{id}'")).collect()),
        ColumnType::PackedUuid => inline(uuids().map(|id| format!("x'{}'", id.simple())).collect()),
        ColumnType::Bytes => {
            let is_hex = |text: &&String| text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit());
            inline(values.iter().filter(is_hex).map(|text| format!("x'{text}'")).collect())
        }
        _ if values.is_empty() => Sql::constant(false),
        // A value that the column's characters cannot say would be an error.
        ColumnType::Text if charset.starts_with("utf8") || values.iter().all(|value| value.is_ascii()) => {
            let mut sql = Sql::raw(format!("{column} IN "));
            sql.append("", &list(values));
            sql
        }
        _ => {
            let mut sql = Sql::raw(format!("{} IN ", as_text(column, column_type)));
            sql.append("", &list(values));
            sql
        }
    }
}

/// Adds columns to a key that is not unique, and says so.
pub(crate) fn unique(relation: &Relation, key: &mut Vec<String>, digest: &mut Option<String>) -> String {
    let (named, table) = (key.join(", "), &relation.table);
    let Some(own) = relation.keys.first() else {
        let readable = relation.columns.iter().filter(|column| column.readable);
        let values: Vec<String> = readable
            .map(|column| {
                format!("COALESCE({}, '{NULL}')", as_text(&format!("t.{}", name(&column.name)), column.holds))
            })
            .collect();
        *digest = Some(format!("MD5(CONCAT_WS('/', {}))", values.join(", ")));
        return format!(
            "{table}: {named} is not unique and the table has no key, so rows are told apart by what is in them: a row that is \
             changed comes as another one, and rows that are alike in every column come as one"
        );
    };
    key.extend(own.iter().filter(|column| !key.contains(column)).cloned().collect::<Vec<_>>());
    let list: Vec<String> = own.iter().map(|column| format!("\"{column}\"")).collect();
    format!(
        "{table}: {named} is not unique, so rows are told apart by the primary key; write id = [{}]",
        list.join(", ")
    )
}
