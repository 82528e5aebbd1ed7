//! The tables and views that exist: their columns, keys and indexes.

use super::connection::{ReadTransaction, Reader};
use crosstail_core::schema::Holds;
use crosstail_source::sql::{is_name_of, may_be_tables, name, shown_name};
use sqlx::{AssertSqlSafe, Row as _};
use std::collections::BTreeMap;

/// The type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnType {
    Int,
    Float,
    Time,
    Interval,
    Uuid,
    Json,
    Text,
    /// Bytes, read as they are, and text where they are that.
    Bytes,
    Other,
}

/// An existing column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) value_type: ColumnType,
    pub(super) nullable: bool,
    pub(super) readable: bool,
    /// Name of the type; of a domain, that of the type below it.
    pub(super) type_name: String,
    /// Whether texts are in the order of their characters' numbers.
    pub(super) by_code: bool,
    /// Whether its collation takes texts for equal that are not the same (it is not deterministic).
    pub(super) equates: bool,
}

impl Column {
    /// What it can hold, for a sketch.
    pub(super) fn holds(&self) -> Holds {
        match self.value_type {
            ColumnType::Int => Holds::Int,
            ColumnType::Float => Holds::Float,
            ColumnType::Time => Holds::Time,
            ColumnType::Interval => Holds::Interval,
            ColumnType::Uuid => Holds::Uuid,
            ColumnType::Json => Holds::Json,
            ColumnType::Text => Holds::Text,
            ColumnType::Bytes => Holds::Other,
            ColumnType::Other if self.type_name == "bool" => Holds::Bool,
            // Of an enumeration.
            ColumnType::Other => Holds::Text,
        }
    }
}

/// An existing table or view.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// Its schema and its name.
    pub(super) place: (String, String),
    /// Quoted name with the schema, as SQL needs it.
    pub(super) sql: String,
    /// Whether it is found without its schema.
    pub(super) visible: bool,
    /// Whether rows have an xmin that says when they changed. Those of views and foreign tables have none, and a
    /// materialised view writes every row anew.
    pub(super) versioned: bool,
    /// Whether rows have a place of their own: `ctid`.
    pub(super) placed: bool,
    /// Whether rows are of several tables: partitions, or tables that inherit from it.
    pub(super) several: bool,
    /// Pages of 8 KB, with those of partitions, as of the last VACUUM or ANALYZE.
    pub(super) pages: i64,
    /// Rows, as of the last VACUUM or ANALYZE.
    pub(super) rows: i64,
    pub(super) columns: Vec<Column>,
    /// Columns that are unique together; the primary key first.
    pub(super) keys: Vec<Vec<String>>,
    /// The first column, or expression, of each index.
    pub(super) indexes: Vec<String>,
    /// Whether texts without a collation of their own are in the order of their characters' numbers.
    pub(super) by_code: bool,
}

impl Relation {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(super) fn readable(&self, name: &str) -> Option<&Column> {
        self.column(name).filter(|column| column.readable)
    }

    /// Whether a name is that of the table, alone or with its schema. Either may have a dot in it.
    pub(super) fn is_named(&self, wanted: &str) -> bool {
        is_name_of((&self.place.0, &self.place.1), wanted)
    }

    /// Whether columns are unique together.
    pub(super) fn is_unique(&self, columns: &[String]) -> bool {
        self.keys.iter().any(|key| key.iter().all(|part| columns.contains(part)))
    }

    /// Whether an index begins with a column.
    pub(super) fn is_indexed(&self, column: &str) -> bool {
        self.indexes.iter().any(|first| first.trim_matches('"') == column)
    }

    /// Whether an index begins with the text at a path of a JSON column.
    pub(super) fn is_path_indexed(&self, column: &str, steps: &[&str]) -> bool {
        let list = steps.iter().map(|step| format!("'{step}'::text")).collect::<Vec<_>>().join(", ");
        let wanted = format!("{column} #>> ARRAY[{list}]");
        self.indexes.iter().any(|first| first.replace(['(', ')', '"'], "") == wanted.replace(['(', ')', '"'], ""))
    }

    /// Its name in a statement for people.
    pub(super) fn shown(&self) -> String {
        let (schema, table) = &self.place;
        let table = shown_name(table, '"');
        if self.visible { table } else { format!("{}.{table}", shown_name(schema, '"')) }
    }

    /// Its name for people: with its schema where it is not found without.
    pub(super) fn title(&self) -> String {
        let (schema, table) = &self.place;
        if self.visible { table.clone() } else { format!("{schema}.{table}") }
    }
}

const COLUMNS: &str = "
WITH RECURSIVE heirs(root, heir) AS (SELECT inhparent, inhrelid FROM pg_inherits
    UNION SELECT heirs.root, i.inhrelid FROM heirs JOIN pg_inherits i ON i.inhparent = heirs.heir)
SELECT n.nspname::text, c.relname::text, c.relkind::text, a.attname::text, base.typname::text, a.attnotnull,
    has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT'),
    pg_table_is_visible(c.oid),
    greatest(c.relpages, (SELECT sum(k.relpages) FROM heirs JOIN pg_class k ON k.oid = heirs.heir WHERE heirs.root = c.oid))::int8,
    greatest(c.reltuples, (SELECT sum(greatest(k.reltuples, 0)) FROM heirs JOIN pg_class k ON k.oid = heirs.heir WHERE heirs.root = c.oid))::int8,
    coalesce((SELECT array_agg(concat_ws(E'\\x02', i.indisunique::text, array_to_string(ARRAY(
            SELECT pg_get_indexdef(i.indexrelid, part, true) FROM generate_series(1, i.indnkeyatts) part), E'\\x01')) ORDER BY NOT i.indisprimary, i.indexrelid)
        FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL), '{}')::text[],
    coalesce((SELECT CASE WHEN l.collprovider = 'i' THEN 'icu' WHEN l.collname = 'default' THEN d.collation
        ELSE coalesce(l.collcollate, l.collname::text) END FROM pg_collation l WHERE l.oid = a.attcollation), '')::text,
    d.collation::text,
    EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid),
    has_table_privilege(c.oid, 'SELECT'),
    coalesce((SELECT to_jsonb(l) ->> 'collisdeterministic' = 'false' FROM pg_collation l WHERE l.oid = a.attcollation), false)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN (SELECT CASE WHEN to_jsonb(b) ->> 'datlocprovider' = 'i' THEN 'icu' ELSE b.datcollate::text END AS collation
    FROM pg_database b WHERE b.datname = current_database()) d
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN LATERAL (WITH RECURSIVE below AS (
        SELECT t.typname, t.typbasetype FROM pg_type t WHERE t.oid = a.atttypid
        UNION ALL SELECT t.typname, t.typbasetype FROM below JOIN pg_type t ON t.oid = below.typbasetype)
    SELECT typname FROM below WHERE typbasetype = 0) base ON true
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
AND ($1::text[] IS NULL OR c.relname = ANY($1))
ORDER BY pg_table_is_visible(c.oid) DESC, n.nspname, c.relname, a.attnum LIMIT 50000";

fn is_by_code(collation: &str) -> bool {
    matches!(collation.to_ascii_lowercase().as_str(), "c" | "posix" | "c.utf-8" | "c.utf8" | "ucs_basic")
}

fn type_of(type_name: &str) -> ColumnType {
    match type_name {
        "int2" | "int4" | "int8" => ColumnType::Int,
        "float4" | "float8" | "numeric" => ColumnType::Float,
        "timestamptz" | "timestamp" | "date" => ColumnType::Time,
        "interval" => ColumnType::Interval,
        "uuid" => ColumnType::Uuid,
        "json" | "jsonb" => ColumnType::Json,
        "text" | "varchar" | "bpchar" | "name" | "citext" => ColumnType::Text,
        "bytea" => ColumnType::Bytes,
        _ => ColumnType::Other,
    }
}

/// How the definition of an index is read; the server opens the table for that.
const DEFINITION: &str = "pg_get_indexdef(i.indexrelid, part, true)";
/// The same from the catalogue alone, which knows the columns of an index, but not its expressions.
const COLUMN_OF_INDEX: &str =
    "(SELECT k.attname::text FROM pg_attribute k WHERE k.attrelid = i.indexrelid AND k.attnum = part)";

/// The relations of the database; with `names`, those that have one of these names, in any schema. Also whether the
/// database takes texts in any encoding. A table that somebody has locked is not waited for: of its indexes, expressions
/// are not known then.
pub(super) async fn read(reader: Reader<'_>, names: Option<&[String]>) -> Result<(Vec<Relation>, bool), sqlx::Error> {
    match attempt(reader, names, COLUMNS.to_owned()).await {
        Err(error) if error.as_database_error().and_then(|db| db.code()).as_deref() == Some("55P03") => {
            attempt(reader, names, COLUMNS.replace(DEFINITION, COLUMN_OF_INDEX)).await
        }
        other => other,
    }
}

async fn attempt(
    reader: Reader<'_>,
    names: Option<&[String]>,
    sql: String,
) -> Result<(Vec<Relation>, bool), sqlx::Error> {
    let mut reading = reader.read().await?;
    sqlx::raw_sql("SET LOCAL lock_timeout = 1000").execute(reading.on()?).await?;
    let all = all(&mut reading, names, sql).await?;
    let any_encoding = reading.is_of_any_encoding();
    reading.end().await?;
    Ok((all, any_encoding))
}

async fn all(
    reading: &mut ReadTransaction,
    names: Option<&[String]>,
    sql: String,
) -> Result<Vec<Relation>, sqlx::Error> {
    let short: Option<Vec<String>> = names.map(|names| names.iter().flat_map(|name| may_be_tables(name)).collect());
    let rows = reading.all(sqlx::query(AssertSqlSafe(sql)).bind(short).persistent(false)).await?;
    let mut all: Vec<Relation> = Vec::new();
    for row in &rows {
        let place: (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let kind: String = row.try_get(2)?;
        if all.last().is_none_or(|last| last.place != place) {
            // Who may read some columns only may not read where a row is, nor its version.
            let whole: bool = row.try_get(14)?;
            let indexes: Vec<String> = row.try_get(10)?;
            let mut relation = Relation {
                sql: format!("{}.{}", name(&place.0), name(&place.1)),
                place,
                visible: row.try_get(7)?,
                versioned: whole && matches!(kind.as_str(), "r" | "p"),
                placed: whole && matches!(kind.as_str(), "r" | "p" | "m"),
                several: row.try_get(13)?,
                pages: row.try_get::<Option<i64>, _>(8)?.unwrap_or(0),
                rows: row.try_get::<Option<i64>, _>(9)?.unwrap_or(0),
                columns: Vec::new(),
                keys: Vec::new(),
                indexes: Vec::new(),
                by_code: is_by_code(row.try_get(12)?),
            };
            for index in indexes {
                let (unique, parts) = index.split_once('\u{2}').unwrap_or_default();
                let parts: Vec<String> =
                    parts.split('\u{1}').map(|part| part.trim_matches('"').replace("\"\"", "\"")).collect();
                relation.indexes.extend(parts.first().cloned());
                // An index is of one table, but for that of a partitioned one.
                if unique == "true" && (kind == "p" || !relation.several) {
                    relation.keys.push(parts);
                }
            }
            all.push(relation);
        }
        let type_name: String = row.try_get(4)?;
        let collation: String = row.try_get(11)?;
        let column = Column {
            name: row.try_get(3)?,
            value_type: type_of(&type_name),
            nullable: !row.try_get::<bool, _>(5)?,
            readable: row.try_get(6)?,
            by_code: is_by_code(&collation),
            equates: row.try_get(15)?,
            type_name,
        };
        if let Some(relation) = all.last_mut() {
            relation.columns.push(column);
        }
    }
    for relation in &mut all {
        // A key with a column that may be NULL is not unique where it is.
        let columns = &relation.columns;
        relation.keys.retain(|key| key.iter().all(|part| columns.iter().any(|c| c.name == *part && !c.nullable)));
    }
    Ok(all)
}

/// What stands for a name of a schema: the relation that SQL finds by it, else each that has it in any schema.
pub(super) fn named(all: &[Relation], names: &[String], warnings: &mut Vec<String>) -> BTreeMap<String, Vec<Relation>> {
    let mut found = BTreeMap::new();
    for wanted in names {
        let fitting: Vec<Relation> = all.iter().filter(|relation| relation.is_named(wanted)).cloned().collect();
        let (visible, hidden): (Vec<Relation>, Vec<Relation>) = fitting.into_iter().partition(|one| one.visible);
        if let [one] = visible.as_slice() {
            if !hidden.is_empty() {
                let others: Vec<String> =
                    hidden.iter().map(|other| format!("{}.{}", other.place.0, other.place.1)).collect();
                warnings.push(format!(
                    "{wanted} is read from schema {}; not read: {}; name one with its schema in [table] name",
                    one.place.0,
                    others.join(", ")
                ));
            }
            found.insert(wanted.clone(), visible);
        } else if !visible.is_empty() || !hidden.is_empty() {
            found.insert(wanted.clone(), visible.into_iter().chain(hidden).collect());
        }
    }
    found
}
