//! The tables and views that are there, with their columns, and how a value of each type is written in SQL.

use crate::connection::ReadTransaction;
use crosstail_core::schema::no_error_text;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, is_name_of, literal, may_be_tables};
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;
use std::collections::BTreeMap;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Int,
    /// A whole number that may be beyond `i64`, of any type: read as text.
    Unsigned,
    Float,
    /// `datetime` and `date`, which have no zone: this many microseconds ahead of UTC; `timestamp` with 0.
    Time(i64),
    /// MariaDB's own type.
    Uuid,
    /// A UUID in `binary(16)`.
    PackedUuid,
    Json,
    Text,
    /// `blob` and the like: read as they are, and text where they are that.
    Bytes,
    Other,
}

/// The zone of times whose zone the schema names: SQL does not know it, and we convert.
pub(crate) const LOCAL: i64 = i64::MIN;

/// A column there is.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) holds: ColumnType,
    /// Its type as the server writes it: `datetime(6)`.
    pub(crate) type_name: String,
    /// `datetime` and `date`.
    pub(crate) zoneless: bool,
    pub(crate) readable: bool,
    /// Numbered by the server.
    pub(crate) numbered: bool,
    /// What it is computed from.
    pub(crate) computed: String,
    pub(crate) charset: String,
    pub(crate) collation: String,
}

/// A table, or a view, there is.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// Quoted, with its database.
    pub(crate) sql: String,
    pub(crate) database: String,
    pub(crate) table: String,
    /// Rows, as the server guesses; 0 of a view.
    pub(crate) rows: i64,
    pub(crate) is_view: bool,
    pub(crate) columns: Vec<Column>,
    /// Columns that are unique together, the primary key first.
    pub(crate) keys: Vec<Vec<String>>,
    /// The first column of each index.
    pub(crate) indexed: Vec<String>,
    /// The name of each index, and its first column.
    indexes: Vec<(String, String)>,
    /// Whether several rows have the key that a schema names.
    pub(crate) repeats: bool,
    /// Its columns with their types and when it was made, as one text.
    pub(crate) shape: String,
    /// When it was made, by the server's clock; empty where the server does not say.
    pub(crate) created: String,
}

impl Relation {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(crate) fn readable(&self, name: &str) -> Option<&Column> {
        self.column(name).filter(|column| column.readable)
    }

    /// Whether an index begins with a column.
    pub(crate) fn begins_with(&self, index: &str, column: &str) -> bool {
        self.indexes.iter().any(|(name, first)| name == index && first == column)
    }

    /// Whether columns are unique together.
    pub(crate) fn is_unique(&self, columns: &[String]) -> bool {
        self.keys.iter().any(|key| key.iter().all(|part| columns.contains(part)))
    }

    /// The column that the server numbers.
    pub(crate) fn numbered(&self) -> Option<&Column> {
        let is_whole = |column: &&Column| matches!(column.holds, ColumnType::Int | ColumnType::Unsigned);
        // In MyISAM it may be behind other columns of a key: then it begins again for each of them. Where no index is known, they
        // may not be seen.
        let leads = |column: &&Column| self.indexed.is_empty() || self.indexed.contains(&column.name);
        self.columns.iter().filter(is_whole).find(|column| column.numbered && column.readable && leads(column))
    }
}

/// Quotes an identifier.
pub(crate) fn name(text: &str) -> String {
    format!("`{}`", text.replace('`', "``"))
}

/// So many marks.
pub(crate) fn list(values: &[String]) -> Sql {
    let marks = vec![PLACEHOLDER.to_string(); values.len()].join(", ");
    Sql { text: format!("({marks})"), binds: values.iter().cloned().map(Bind::Text).collect() }
}

/// A text that the server gives, whatever it takes it for.
pub(crate) fn text(row: &MySqlRow, index: usize) -> Result<Option<String>, sqlx::Error> {
    let bytes = row.try_get_unchecked::<Option<&[u8]>, _>(index)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}

/// The relations of these names (`table` or `database.table`) that there are: in the address's database, or in any where
/// it names none.
pub(crate) async fn relations(
    reading: &mut ReadTransaction,
    names: &[String],
    zone_us: i64,
) -> Result<BTreeMap<String, Relation>, sqlx::Error> {
    let short: Vec<String> = names.iter().flat_map(|name| may_be_tables(name)).collect();
    let mut sql = Sql::raw(
        "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, LOWER(c.DATA_TYPE), LOWER(c.COLUMN_TYPE), c.IS_NULLABLE, \
         c.EXTRA, c.GENERATION_EXPRESSION, c.PRIVILEGES, c.CHARACTER_SET_NAME, c.COLLATION_NAME, t.TABLE_TYPE, \
         CAST(COALESCE(t.TABLE_ROWS, 0) AS SIGNED), VERSION(), CAST(t.CREATE_TIME AS CHAR) FROM information_schema.COLUMNS c \
         JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME \
         WHERE c.TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') AND c.TABLE_NAME IN ",
    );
    sql.append("", &list(&short));
    let before_dots =
        |name: &String| name.match_indices('.').map(|(dot, _)| name[..dot].to_owned()).collect::<Vec<_>>();
    let qualified: Vec<String> = names.iter().flat_map(before_dots).collect();
    sql.push(" AND (DATABASE() IS NULL OR c.TABLE_SCHEMA = DATABASE()", []);
    if !qualified.is_empty() {
        sql.append(" OR c.TABLE_SCHEMA IN ", &list(&qualified));
    }
    sql.push(") ORDER BY c.TABLE_SCHEMA <=> DATABASE() DESC, c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION", []);
    let rows = reading.fetch(sql).await?;
    let mut all: Vec<Relation> = Vec::new();
    for row in &rows {
        let text = |index| text(row, index).map(Option::unwrap_or_default);
        let (database, table) = (text(0)?, text(1)?);
        if all.last().is_none_or(|last| last.database != database || last.table != table) {
            let sql = format!("{}.{}", name(&database), name(&table));
            let rows = row.try_get_unchecked(12)?;
            all.push(Relation {
                sql,
                database,
                table,
                rows,
                is_view: text(11)? != "BASE TABLE",
                columns: Vec::new(),
                keys: Vec::new(),
                indexed: Vec::new(),
                indexes: Vec::new(),
                repeats: false,
                shape: text(14)?,
                created: text(14)?,
            });
        }
        let (collation, extra) = (text(10)?, text(6)?);
        let is_mariadb = text(13)?.contains("MariaDB");
        let column = Column {
            name: text(2)?,
            type_name: text(4)?,
            zoneless: matches!(text(3)?.as_str(), "datetime" | "date"),
            holds: column_type_of(&text(3)?, &text(4)?, is_mariadb && collation == "utf8mb4_bin", zone_us),
            readable: text(8)?.split(',').any(|word| word == "select"),
            numbered: extra.to_ascii_lowercase().contains("auto_increment"),
            computed: text(7)?,
            charset: text(9)?,
            collation,
        };
        if let Some(relation) = all.last_mut() {
            for part in [2, 4, 5, 7, 8, 10] {
                relation.shape.push_str(&text(part)?);
                relation.shape.push('\n');
            }
            relation.columns.push(column);
        }
    }
    indexes(reading, &mut all).await?;
    let mut found = BTreeMap::new();
    for wanted in names {
        let fits = |relation: &&Relation| is_name_of((&relation.database, &relation.table), wanted);
        if let Some(relation) = all.iter().find(fits) {
            found.insert(wanted.clone(), relation.clone());
        }
    }
    Ok(found)
}

/// Adds the keys and the indexes.
async fn indexes(reading: &mut ReadTransaction, all: &mut [Relation]) -> Result<(), sqlx::Error> {
    let tables: Vec<String> = all.iter().map(|relation| relation.table.clone()).collect();
    if tables.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::raw(
        "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, CAST(NON_UNIQUE AS SIGNED), COALESCE(COLUMN_NAME, ''), COALESCE(NULLABLE, ''), \
         COALESCE(SUB_PART, '') FROM information_schema.STATISTICS WHERE TABLE_NAME IN ",
    );
    sql.append("", &list(&tables));
    sql.push(" ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX", []);
    let rows = reading.fetch(sql).await?;
    let mut last = (String::new(), String::new(), String::new());
    for row in &rows {
        let text = |index| text(row, index).map(Option::unwrap_or_default);
        let of = (text(0)?, text(1)?, text(2)?);
        let (column, is_new) = (text(4)?, of != last);
        let Some(relation) = all.iter_mut().find(|one| one.database == of.0 && one.table == of.1) else { continue };
        if is_new {
            relation.indexed.push(column.clone());
            relation.indexes.push((of.2.clone(), column.clone()));
        }
        last = of;
        if row.try_get_unchecked::<i64, _>(3)? == 0 {
            if is_new {
                relation.keys.push(Vec::new());
            }
            if let Some(key) = relation.keys.last_mut() {
                // A part that may be NULL, or the beginning of a text, keeps nothing unique: no column has this name.
                let whole = text(5)? != "YES" && text(6)?.is_empty();
                key.push(if whole { column } else { String::new() });
            }
        }
    }
    for relation in all {
        relation.keys.retain(|key| key.iter().all(|column| !column.is_empty()));
    }
    Ok(())
}

/// MariaDB's `json` is `longtext` in that collation.
fn column_type_of(data_type: &str, full_type: &str, like_json: bool, zone_us: i64) -> ColumnType {
    match data_type {
        "bigint" if full_type.contains("unsigned") => ColumnType::Unsigned,
        "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "year" => ColumnType::Int,
        "bit" => ColumnType::Unsigned,
        // Ids have more digits than a float.
        "decimal" if full_type.contains(",0)") => ColumnType::Unsigned,
        "float" | "double" | "decimal" => ColumnType::Float,
        "timestamp" => ColumnType::Time(0),
        "datetime" | "date" => ColumnType::Time(zone_us),
        "uuid" => ColumnType::Uuid,
        "binary" if full_type == "binary(16)" => ColumnType::PackedUuid,
        "json" => ColumnType::Json,
        "longtext" if like_json => ColumnType::Json,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set" => ColumnType::Text,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => ColumnType::Bytes,
        _ => ColumnType::Other,
    }
}

/// Text as bytes of UTF-8, so that it is compared as it is: no blanks are added, no letters are alike. What is no text is
/// written as one.
pub(crate) fn as_text(sql: &str, column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Bytes => sql.to_owned(),
        ColumnType::PackedUuid => {
            let part = |from: u8, length: u8| format!("SUBSTR(HEX({sql}), {from}, {length})");
            let parts = [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)].join(", '-', ");
            format!("CAST(LOWER(CONCAT({parts})) AS BINARY)")
        }
        // A bit field is a number.
        ColumnType::Unsigned => format!("CAST(CONVERT({sql} + 0 USING utf8mb4) AS BINARY)"),
        _ => format!("CAST(CONVERT({sql} USING utf8mb4) AS BINARY)"),
    }
}

/// An expression in the type that it is read as: a whole number, a number, or bytes.
pub(crate) fn as_selected(sql: &str, column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Int => format!("CAST({sql} AS SIGNED)"),
        ColumnType::Float => as_number(sql),
        ColumnType::Time(zone_us) => micros(sql, zone_us),
        _ => as_text(sql, column_type),
    }
}

/// A number with a fraction, as we count.
pub(crate) fn as_number(sql: &str) -> String {
    format!("({sql} + 0e0)")
}

/// Microseconds since the epoch; NULL for `0000-00-00`.
pub(crate) fn micros(sql: &str, zone_us: i64) -> String {
    let zone_us = if zone_us == LOCAL { 0 } else { zone_us };
    let since = format!("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {sql})");
    if zone_us == 0 { since } else { format!("({since} - {zone_us})") }
}

/// The text in lower case as far as it is ASCII.
pub(crate) fn lower_ascii(text: &str) -> String {
    format!("CAST({} AS BINARY)", ascii(text))
}

fn ascii(text: &str) -> String {
    format!("LOWER(CONVERT(CONVERT({text} USING utf8mb4) USING ascii))")
}

/// Whether the text of an error says that there is none. Bytes have no regular expression.
pub(crate) fn says_none(text: &str) -> String {
    format!("{} REGEXP {}", ascii(text), literal(&no_error_text()))
}

/// The value at a path into JSON, as text; NULL where it is absent or null. A list of one value is that value.
pub(crate) fn one_at_path(column: &str, path: &str) -> String {
    let found = extracted(column, path);
    let one = format!("JSON_EXTRACT({found}, '$[0]')");
    let is_one = format!("JSON_TYPE({found}) = 'ARRAY' AND JSON_LENGTH({found}) = 1 AND JSON_TYPE({one}) <> 'ARRAY'");
    format!(
        "CASE WHEN NOT JSON_VALID({column}) THEN NULL WHEN {is_one} THEN CASE WHEN JSON_TYPE({one}) <> 'NULL' THEN JSON_UNQUOTE({one}) END \
         WHEN JSON_TYPE({found}) <> 'NULL' THEN JSON_UNQUOTE({found}) END"
    )
}

/// The value at a path into JSON, as text; NULL where it is absent or null.
pub(crate) fn at_path(column: &str, path: &str) -> String {
    let found = extracted(column, path);
    format!("CASE WHEN JSON_VALID({column}) AND JSON_TYPE({found}) <> 'NULL' THEN JSON_UNQUOTE({found}) END")
}

fn extracted(column: &str, path: &str) -> String {
    let steps: String = path.split('.').map(|step| format!(".\"{step}\"")).collect();
    format!("JSON_EXTRACT({column}, {})", literal(&format!("${steps}")))
}
