//! The key of a row: one column or several, as one text.

use super::relation::{ColumnType, Relation};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, name};

/// What identifies a row of a table.
#[derive(Debug, Clone)]
pub(super) struct RowKey {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    sql: String,
    holds: ColumnType,
    /// Whether it is `numeric`, whose index compares numbers.
    is_numeric: bool,
}

/// The name of a row's place, which serves where no columns are unique together.
const PLACE: &str = "ctid";
/// Stands for NULL in a key of several columns. A percent sign of a value is always escaped.
const NULL: &str = "%";

impl RowKey {
    /// The key that a schema names, made unique; and what to say where it had to be.
    pub(super) fn new(relation: &Relation, named: &[String], repeats: bool) -> (Self, Option<String>) {
        let of = |column: &str| Part {
            sql: format!("t.{}", name(column)),
            holds: relation.column(column).map_or(ColumnType::Other, |column| column.value_type),
            is_numeric: relation.column(column).is_some_and(|column| column.type_name == "numeric"),
        };
        let mut parts: Vec<Part> = named.iter().map(|column| of(column)).collect();
        if !repeats {
            return (Self { parts }, None);
        }
        let list = named.join(", ");
        let title = relation.title();
        let key = relation.keys.first();
        let text = match key {
            Some(key) => {
                parts.extend(key.iter().filter(|column| !named.contains(column)).map(|column| of(column)));
                let all: Vec<String> = key.iter().map(|column| format!("\"{column}\"")).collect();
                format!(
                    "{title}: {list} is not unique, so rows are told apart by the primary key; write id = [{}]",
                    all.join(", ")
                )
            }
            None if relation.placed => {
                // Each table has places of its own.
                let sql = if relation.several {
                    format!("(t.tableoid::text || t.{PLACE}::text)")
                } else {
                    format!("t.{PLACE}")
                };
                parts.push(Part { sql, holds: ColumnType::Other, is_numeric: false });
                format!(
                    "{title}: {list} is not unique and the table has no key, so rows are told apart by their place: a row that is \
                     changed comes as another one"
                )
            }
            None => {
                parts.push(Part { sql: "md5(t::text)".to_owned(), holds: ColumnType::Other, is_numeric: false });
                format!(
                    "{title}: {list} is not unique, so rows are told apart by what is in them: a row that is changed comes as \
                     another one"
                )
            }
        };
        (Self { parts }, Some(text))
    }

    /// Its only column, and what it holds.
    pub(super) fn single(&self) -> Option<(&str, ColumnType)> {
        match self.parts.as_slice() {
            [one] => Some((one.sql.as_str(), one.holds)),
            _ => None,
        }
    }

    /// SQL for the key as text.
    pub(super) fn text(&self) -> String {
        if let [one] = self.parts.as_slice() {
            return format!("{}::text", one.sql);
        }
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|part| format!("coalesce(replace(replace({}::text, '%', '%25'), '/', '%2F'), '{NULL}')", part.sql))
            .collect();
        format!("({})", parts.join(" || '/' || "))
    }

    /// A condition for the rows with one of these keys. Keys that cannot have the columns' types match no row.
    pub(super) fn is_any(&self, keys: &[String]) -> Sql {
        if let [one] = self.parts.as_slice() {
            return one.is_any(keys);
        }
        let mut lists: Vec<Vec<String>> = vec![Vec::new(); self.parts.len()];
        for key in keys {
            let values: Vec<&str> = key.split('/').collect();
            let fits = values.len() == self.parts.len()
                && values.iter().zip(&self.parts).all(|(value, part)| *value == NULL || part.cast(value).is_some());
            if !fits {
                continue;
            }
            for (list, value) in lists.iter_mut().zip(values) {
                list.push(value.replace("%2F", "/").replace("%25", "%"));
            }
        }
        // A value with an absent part is compared as text; all others by the columns themselves, whose index serves.
        let columns = |from: &str| -> Vec<String> { (0..self.parts.len()).map(|n| format!("{from}k{n}")).collect() };
        let left: Vec<String> = self.parts.iter().map(Part::compared).collect();
        let right: Vec<String> = self
            .parts
            .iter()
            .zip(columns("u."))
            .map(|(part, column)| format!("{column}{}", part.type_cast()))
            .collect();
        let arrays = vec![format!("{PLACEHOLDER}::text[]"); self.parts.len()].join(", ");
        let text = format!(
            "({}) IN (SELECT {} FROM unnest({arrays}) AS u ({}))",
            left.join(", "),
            right.join(", "),
            columns("").join(", ")
        );
        let mut sql = Sql { text, binds: lists.iter().cloned().map(Bind::Texts).collect() };
        if keys.iter().any(|key| key.split('/').any(|value| value == NULL)) {
            sql.push(&format!(" OR {} = ANY({PLACEHOLDER}::text[])", self.text()), [Bind::Texts(keys.to_vec())]);
        }
        sql
    }
}

impl Part {
    /// The value, where the column can hold it.
    fn cast(&self, value: &str) -> Option<()> {
        match self.holds {
            ColumnType::Uuid => uuid::Uuid::parse_str(value).ok().map(drop),
            ColumnType::Int => value.parse::<i64>().ok().map(drop),
            _ if self.is_numeric => {
                let is_plain = value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
                value.parse::<f64>().ok().filter(|_| is_plain).map(drop)
            }
            _ => (!value.contains('\0')).then_some(()),
        }
    }

    fn compared(&self) -> String {
        match self.holds {
            ColumnType::Uuid | ColumnType::Int | ColumnType::Text => self.sql.clone(),
            _ if self.is_numeric => self.sql.clone(),
            _ => format!("{}::text", self.sql),
        }
    }

    const fn type_cast(&self) -> &'static str {
        match self.holds {
            ColumnType::Uuid => "::uuid",
            ColumnType::Int => "::int8",
            _ if self.is_numeric => "::numeric",
            _ => "",
        }
    }

    fn is_any(&self, keys: &[String]) -> Sql {
        let good: Vec<String> = keys.iter().filter(|key| self.cast(key).is_some()).cloned().collect();
        let cast = match self.holds {
            ColumnType::Uuid => "::text[]::uuid[]",
            ColumnType::Int => "::text[]::int8[]",
            _ if self.is_numeric => "::text[]::numeric[]",
            _ => "::text[]",
        };
        Sql::with(format!("{} = ANY({PLACEHOLDER}{cast})", self.compared()), Bind::Texts(good))
    }
}
