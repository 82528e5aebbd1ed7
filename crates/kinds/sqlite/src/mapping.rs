//! Maps a table to activities: which of its columns fill what, and how a row is read.

use super::connection::Reader;
use crosstail_core::filter::{Field, ValueType};
use crosstail_core::model::{Activity, Id, Locator, Place, SourceId, Timestamp};
use crosstail_core::number::saturating_u16;
use crosstail_core::schema::{Assembler, Scalar, Schema, Table, Target, TimeUnit};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, literal, name};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A schema resolved against one table.
pub(super) struct Mapping {
    pub(super) schema: Schema,
    pub(super) table: Table,
    pub(super) source: SourceId,
    pub(super) source_name: String,
    /// The existing columns.
    pub(super) columns: Vec<String>,
    /// The columns that tell rows apart, as SQL.
    key: Vec<String>,
    /// Whether the key of the schema is not unique.
    pub(super) repeats: bool,
    /// Whether the time column holds whole numbers alone, so that it has the order of the time.
    whole: bool,
    /// Selected expressions, and what each fills.
    pub(super) selected: Vec<(String, (Target, u16))>,
    select: String,
}

/// A table or a view of the database.
#[derive(Debug, Clone, Default)]
pub(super) struct Relation {
    /// Its columns, each with its declared type.
    pub(super) columns: Vec<(String, String)>,
    /// Columns that are unique together, the primary key first.
    pub(super) keys: Vec<Vec<String>>,
    /// Whether rows have a `rowid`.
    pub(super) has_rowid: bool,
    /// Whether several rows have the key that the schema names.
    pub(super) repeats: bool,
}

impl Relation {
    /// The names of the columns.
    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// The tables and views of the database, with their columns and keys.
pub(super) async fn tables(reader: Reader<'_>) -> Result<BTreeMap<String, Relation>, sqlx::Error> {
    let rows: Vec<(String, String, String, i64, bool)> = sqlx::query_as(
        "SELECT m.name, c.name, upper(c.type), c.pk, m.type = 'table' AND m.sql NOT LIKE '%WITHOUT ROWID%' \
         FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
         WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%'",
    )
    .fetch_all(reader.connection().await?.on())
    .await?;
    let mut tables: BTreeMap<String, Relation> = BTreeMap::new();
    let mut primary: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    for (table, column, holds, part, has_rowid) in rows {
        if part > 0 {
            primary.entry(table.clone()).or_default().push((part, column.clone()));
        }
        let relation = tables.entry(table).or_default();
        relation.columns.push((column, holds));
        relation.has_rowid = has_rowid;
    }
    for (table, mut parts) in primary {
        parts.sort();
        if let Some(relation) = tables.get_mut(&table) {
            relation.keys.push(parts.into_iter().map(|(_, column)| column).collect());
        }
    }
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT m.name, i.name, c.name FROM sqlite_schema m JOIN pragma_index_list(m.name) i JOIN pragma_index_info(i.name) c \
         WHERE m.type = 'table' AND i.[unique] AND NOT i.partial AND c.name IS NOT NULL ORDER BY m.name, i.name, c.seqno",
    )
    .fetch_all(reader.connection().await?.on())
    .await?;
    let mut last = (String::new(), String::new());
    for (table, index, column) in rows {
        let Some(relation) = tables.get_mut(&table) else { continue };
        let of = (table, index);
        if of != last {
            relation.keys.push(Vec::new());
        }
        last = of;
        if let Some(key) = relation.keys.last_mut() {
            key.push(column);
        }
    }
    Ok(tables)
}

/// Rows in which a key that nothing makes unique is looked for twice.
const KEY_ROWS: usize = 50_000;

/// Whether several rows have the same key.
pub(super) async fn repeats(reader: Reader<'_>, table: &Table, relation: &Relation) -> Result<bool, sqlx::Error> {
    let key = table.id.columns();
    if relation.keys.iter().any(|known| known.iter().all(|part| key.contains(part))) {
        return Ok(false);
    }
    let columns = key.iter().map(|column| name(column)).collect::<Vec<_>>().join(", ");
    let text = format!(
        "SELECT 1 FROM (SELECT {columns} FROM {} LIMIT {KEY_ROWS}) GROUP BY {columns} HAVING count(*) > 1 LIMIT 1",
        name(&table.name)
    );
    Ok(!reader.fetch(Sql::raw(text)).await?.is_empty())
}

impl Mapping {
    pub(super) fn new(schema: Schema, table: Table, relation: &Relation, source: SourceId, source_name: &str) -> Self {
        let columns = &relation.names();
        let canonical = schema.definition().canonical;
        let mut key: Vec<String> = table.id.columns().iter().map(|column| name(column)).collect();
        if relation.repeats {
            match relation.keys.first() {
                Some(own) => {
                    key.extend(own.iter().map(|column| name(column)).filter(|c| !key.contains(c)).collect::<Vec<_>>());
                }
                None if relation.has_rowid => key.push("rowid".to_owned()),
                None => {}
            }
        }
        let declared =
            relation.columns.iter().find(|(column, _)| *column == table.time).map(|(_, holds)| holds.as_str());
        let whole = canonical || declared.is_some_and(|holds| holds.contains("INT"));
        let mut selected = Vec::new();
        for (target_name, paths) in &schema.definition().fields {
            let Some(target) = Target::parse(target_name) else { continue };
            for (rank, path) in paths.list().iter().enumerate() {
                // The start is that of the time column, as it is compared; what is not unique is no identity.
                let is_key = target == Target::Id && relation.repeats && table.id.columns().contains(path);
                if !canonical && (target == Target::StartedAt || is_key) {
                    continue;
                }
                if columns.contains(path) {
                    selected.push((name(path), (target, saturating_u16(rank))));
                } else if let Some((column, inner)) = path.split_once('.')
                    && columns.iter().any(|known| known == column)
                {
                    let path = inner.replace('\'', "''");
                    let column = name(column);
                    let value = format!("CASE WHEN json_valid({column}) THEN json_extract({column}, '$.{path}') END");
                    selected.push((value, (target, saturating_u16(rank))));
                }
            }
        }
        let select = selected.iter().map(|(sql, _)| sql.as_str()).collect::<Vec<_>>().join(", ");
        let (columns, repeats) = (columns.clone(), relation.repeats);
        let source_name = source_name.to_owned();
        Self { schema, table, source, source_name, columns, key, repeats, whole, selected, select }
    }

    /// Whether values are stored just as an activity has them.
    pub(super) fn is_canonical(&self) -> bool {
        self.schema.definition().canonical
    }

    /// SQL for the row's key as text.
    pub(super) fn key_text(&self) -> String {
        if let [one] = self.key.as_slice() {
            return if self.is_canonical() { one.clone() } else { format!("CAST({one} AS TEXT)") };
        }
        let part = |column: &String| {
            format!("coalesce(replace(replace(CAST({column} AS TEXT), '%', '%25'), '/', '%2F'), '%')")
        };
        self.key.iter().map(part).collect::<Vec<_>>().join(" || '/' || ")
    }

    /// What stands before a key where the row has no identity of its own.
    fn prefix(&self) -> String {
        format!("{}/{}/", self.source_name, self.table.short_name())
    }

    /// SQL for the identity of a row, as text.
    pub(super) fn id(&self) -> String {
        if self.is_canonical() {
            return name(self.table.id.as_str());
        }
        let own = self.selected.iter().filter(|(_, (target, _))| *target == Target::Id);
        let parts: Vec<String> = own
            .map(|(sql, _)| format!("nullif(CAST({sql} AS TEXT), '')"))
            .chain([format!("{} || {}", literal(&self.prefix()), self.key_text())])
            .collect();
        if parts.len() == 1 { parts[0].clone() } else { format!("coalesce({})", parts.join(", ")) }
    }

    /// SQL for the start time in microseconds; NULL where there is none that is understood.
    pub(super) fn time_us(&self) -> String {
        let column = name(&self.table.time);
        if self.is_canonical() {
            return column;
        }
        let unit = self.unit_us();
        // Julian days have milliseconds: the fraction is taken from the text.
        let text = format!(
            "CAST(strftime('%s', replace({column}, ',', '.')) AS INTEGER) * 1000000 + CASE WHEN substr({column}, 20, 1) IN ('.', ',') \
             THEN CAST(round(CAST('0.' || substr({column}, 21, 6) AS REAL) * 1000000) AS INTEGER) ELSE 0 END"
        );
        let (low, high) = (FIRST_US / unit, LAST_US / unit);
        format!(
            "CASE typeof({column}) WHEN 'integer' THEN CASE WHEN {column} >= {low} AND {column} < {high} THEN {column} * {unit} END \
             WHEN 'real' THEN CASE WHEN {column} >= {low} AND {column} < {high} THEN CAST({column} * {unit} AS INTEGER) END \
             WHEN 'text' THEN CASE WHEN length({column}) >= 10 AND substr({column}, 5, 1) = '-' THEN {text} END END"
        )
    }

    /// What rows are sorted by.
    pub(super) fn order(&self) -> String {
        if self.whole { name(&self.table.time) } else { format!("({})", self.time_us()) }
    }

    /// Rows that have a time, and those that have none; nothing where every row has one.
    pub(super) fn dated(&self, is_dated: bool) -> Option<String> {
        if self.is_canonical() {
            return None;
        }
        let not = if is_dated { "NOT " } else { "" };
        Some(format!("({}) IS {not}NULL", self.time_us()))
    }

    /// A comparison of the start time with a moment.
    pub(super) fn time_is(&self, op: &str, at: Timestamp) -> Sql {
        if self.whole {
            let unit = if self.is_canonical() { self.canonical_unit() } else { self.unit_us() };
            let (down, rest) = (at.0.div_euclid(unit), at.0.rem_euclid(unit));
            let stored = if rest != 0 && matches!(op, ">=" | "<") { down + 1 } else { down };
            return Sql::with(format!("{} {op} {PLACEHOLDER}", self.order()), Bind::Int(stored));
        }
        Sql::with(format!("{} {op} {PLACEHOLDER}", self.order()), Bind::Int(at.0))
    }

    const fn unit_us(&self) -> i64 {
        match self.table.time_unit {
            TimeUnit::Us => 1,
            TimeUnit::Ms => 1000,
            TimeUnit::S | TimeUnit::Text => 1_000_000,
        }
    }

    const fn canonical_unit(&self) -> i64 {
        match self.table.time_unit {
            TimeUnit::Us => 1,
            TimeUnit::Ms | TimeUnit::Text => 1000,
            TimeUnit::S => 1_000_000,
        }
    }

    /// The column that holds a field exactly as filters compare it; `None` where the schema derives the field.
    pub(super) fn column(&self, field: Field) -> Option<String> {
        let target = match field {
            // One column holds type and id.
            Field::Entity => Target::EntityType,
            field => Target::of(field)?,
        };
        let (sql, _) = self.selected.iter().find(|(_, (found, _))| *found == target)?;
        let text = matches!(field.class(), ValueType::Keyword | ValueType::Text | ValueType::Id);
        Some(if text { format!("nullif({sql}, '')") } else { sql.clone() })
    }

    /// A moment in the unit in which a canonical table stores it.
    pub(super) fn stored_time(&self, at: Timestamp) -> i64 {
        at.0.div_euclid(self.canonical_unit())
    }

    /// `SELECT` of key, time and what an activity needs, followed by `extra`.
    pub(super) fn select(&self, extra: &str) -> String {
        let columns = if self.select.is_empty() { String::new() } else { format!(", {}", self.select) };
        let (key, time) = (self.key_text(), self.time_us());
        format!("SELECT {key}, {time}{columns}{extra} FROM {}", name(&self.table.name))
    }

    /// Number of columns before those of [`Self::selected`].
    const AHEAD: usize = 2;

    /// Number of columns before the extra ones.
    pub(super) fn width(&self) -> usize {
        Self::AHEAD + self.selected.len()
    }

    /// The activity of a row. One without a time has that of the epoch, and says that it knows none.
    pub(super) fn activity(&self, row: &SqliteRow) -> Result<Activity, sqlx::Error> {
        let mut assembler = Assembler::default();
        if !self.is_canonical()
            && let Some(us) = row.try_get_unchecked::<Option<i64>, _>(1)?
        {
            assembler.set((Target::StartedAt, 0), Scalar::Time(Timestamp(us)));
        }
        for (index, (_, target)) in self.selected.iter().enumerate() {
            if let Some(value) = scalar(row, Self::AHEAD + index)? {
                assembler.set(*target, value);
            }
        }
        let key = match scalar(row, 0)? {
            Some(Scalar::Text(text)) => text.into_owned(),
            Some(Scalar::Int(n)) => n.to_string(),
            _ => String::new(),
        };
        let own = Id::Text(format!("{}{key}", self.prefix()).into());
        let mut activity = assembler.finish(&self.schema, own, Timestamp::UNDATED);
        activity.places = vec![Place::new(self.source, Locator::table_key(0, &key))];
        Ok(activity)
    }
}

/// The years that times are understood in.
const FIRST_US: i64 = -62_135_596_800_000_000;
const LAST_US: i64 = 253_402_300_800_000_000;

/// A column's value; `None` for NULL.
pub(super) fn scalar(row: &SqliteRow, index: usize) -> Result<Option<Scalar<'_>>, sqlx::Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(None);
    }
    let kind = raw.type_info().into_owned();
    Ok(Some(match kind.name() {
        "INTEGER" | "BOOLEAN" | "INT4" | "INT8" => Scalar::Int(row.try_get_unchecked(index)?),
        "REAL" | "NUMERIC" => Scalar::Float(row.try_get_unchecked(index)?),
        "BLOB" => {
            let bytes: &[u8] = row.try_get_unchecked(index)?;
            Scalar::Text(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
        }
        _ => Scalar::Text(Cow::Borrowed(row.try_get_unchecked::<&str, _>(index)?)),
    }))
}
