//! How tables map to activities: which of a schema's tables are there, which of their columns, and how each column is
//! selected. Everything is selected as one of three types, so that no value is too strange to be read.

use crate::error::Error;
use crate::relation::{Column, ColumnType, Relation, as_selected, as_text, at_path, list, micros, name};
use crosstail_core::filter::suggest;
use crosstail_core::model::{Activity, Id, Locator, Place, SourceId, Timestamp};
use crosstail_core::number::saturating_u16;
use crosstail_core::schema::{Assembler, Scalar, Schema, Table, Target, TimeUnit};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, literal};
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How a table maps to activities.
pub(crate) struct Mapping {
    pub(crate) index: usize,
    pub(crate) schema: Schema,
    pub(crate) table: Table,
    pub(crate) relation: Relation,
    pub(crate) source: SourceId,
    pub(crate) source_name: String,
    /// When the source was opened: the time of rows that have none.
    opened: Timestamp,
    /// What is selected, of which column_type, and what each fills.
    pub(crate) selected: Vec<(String, ColumnType, (Target, u16))>,
    select: String,
    /// A number that changes when the row does.
    version: String,
}

/// The source that a mapping is of.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) id: SourceId,
    pub(crate) name: &'a str,
    pub(crate) opened: Timestamp,
}

impl Mapping {
    /// Maps a table by a schema. `strict`: the user named the schema, so that a column which is not there is told.
    pub(crate) fn new(
        index: usize,
        (schema, table): (&Schema, &Table),
        relations: &BTreeMap<String, Relation>,
        owner: Owner<'_>,
        warnings: &mut Vec<String>,
        strict: bool,
    ) -> Result<Option<Self>, Error> {
        let Some(relation) = relations.get(&table.name) else { return Ok(None) };
        let has: Vec<&str> = relation.columns.iter().map(|column| column.name.as_str()).collect();
        let missing = |section: &str, column: &str| {
            let near = suggest(column, has.iter().copied());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            format!("{section}: table {} has no column '{column}'; it has {}{hint}", table.name, has.join(", "))
        };
        if !strict && !schema.definition().recognise.all.iter().all(|column| has.contains(&column.as_str())) {
            return Ok(None);
        }
        for (key, column) in [("id", table.id.as_str()), ("time", table.time.as_str())] {
            match relation.column(column) {
                None if strict => return Err(Error::Mapping(missing(&format!("[table] {key}"), column))),
                None => return Ok(None),
                Some(found) if !found.readable => {
                    warnings
                        .push(format!("{} may not be read: GRANT SELECT ON {} TO the user", table.name, table.name));
                    return Ok(None);
                }
                Some(_) => {}
            }
        }
        let mut selected = Vec::new();
        let mut base = vec![table.id.as_str()];
        for (target_name, paths) in &schema.definition().fields {
            let Some(target) = Target::parse(target_name) else { continue };
            let before = selected.len();
            for (rank, path) in paths.list().iter().enumerate() {
                if let Some(value) = value(table, relation, relations, path) {
                    selected.push((value.sql, value.holds, (target, saturating_u16(rank))));
                    base.push(value.column);
                }
            }
            if selected.len() == before
                && strict
                && let Some(first) = paths.list().first()
            {
                warnings.push(missing(&format!("[fields] {target_name}"), first));
            }
        }
        base.sort_unstable();
        base.dedup();
        let select =
            selected.iter().map(|(sql, column_type, _)| as_selected(sql, *column_type)).collect::<Vec<_>>().join(", ");
        let version = version(relation, &base);
        Ok(Some(Self {
            index,
            schema: schema.clone(),
            table: table.clone(),
            relation: relation.clone(),
            source: owner.id,
            source_name: owner.name.to_owned(),
            opened: owner.opened,
            selected,
            select,
            version,
        }))
    }

    fn of_key(&self) -> Option<&Column> {
        self.relation.column(self.table.id.as_str())
    }

    fn of_time(&self) -> Option<&Column> {
        self.relation.column(&self.table.time)
    }

    /// The text of the row's key column.
    pub(crate) fn key_text(&self) -> String {
        let column = format!("t.{}", name(self.table.id.as_str()));
        match self.of_key().map_or(ColumnType::Other, |column| column.holds) {
            ColumnType::Bytes => format!("HEX({column})"),
            column_type => as_text(&column, column_type),
        }
    }

    /// Rows that have one of these keys, by the column itself so that its index serves; where letters are alike to the
    /// column, there may be more. Keys that cannot be of its type have no row.
    pub(crate) fn with_keys(&self, keys: &[String]) -> Sql {
        let column = format!("t.{}", name(self.table.id.as_str()));
        let (column_type, charset) =
            self.of_key().map_or((ColumnType::Other, ""), |column| (column.holds, column.charset.as_str()));
        equals_any(&column, column_type, charset, keys)
    }

    /// The expressions that fill a target, in order of rank.
    pub(crate) fn sources(&self, target: Target) -> Vec<(&str, ColumnType)> {
        let mut found: Vec<_> = self.selected.iter().filter(|(_, _, (t, _))| *t == target).collect();
        found.sort_by_key(|(_, _, (_, rank))| *rank);
        found.into_iter().map(|(sql, column_type, _)| (sql.as_str(), *column_type)).collect()
    }

    /// The text of a target as the store has it, NULL where it is absent or empty; `None` where only we know it.
    pub(crate) fn raw_text(&self, target: Target) -> Option<String> {
        let sources = self.sources(target);
        if sources
            .iter()
            .any(|(_, column_type)| matches!(column_type, ColumnType::Bytes | ColumnType::Float | ColumnType::Time(_)))
        {
            return None;
        }
        let parts: Vec<String> =
            sources.iter().map(|(sql, column_type)| format!("NULLIF({}, '')", as_text(sql, *column_type))).collect();
        match parts.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            _ => Some(format!("COALESCE({})", parts.join(", "))),
        }
    }

    /// The identity of a row: of whole numbers only with the table they are of.
    pub(crate) fn id(&self) -> String {
        let prefix = literal(&self.prefix());
        let parts: Vec<String> = self
            .sources(Target::Id)
            .iter()
            .map(|(sql, column_type)| match column_type {
                ColumnType::Int | ColumnType::Unsigned => format!("CONCAT({prefix}, {})", as_text(sql, *column_type)),
                _ => format!("NULLIF({}, '')", as_text(sql, *column_type)),
            })
            .chain([format!("CONCAT({prefix}, {})", self.key_text())])
            .collect();
        format!("CAST(COALESCE({}) AS BINARY)", parts.join(", "))
    }

    /// What stands before a key that is of this table only.
    fn prefix(&self) -> String {
        format!("{}/{}/", self.source_name, self.table.short_name())
    }

    /// The key in an identity made by [`Self::prefix`].
    pub(crate) fn own_key<'k>(&self, id: &'k str) -> Option<&'k str> {
        id.strip_prefix(self.prefix().as_str())
    }

    /// The column of the start time.
    pub(crate) fn time(&self) -> String {
        format!("t.{}", name(&self.table.time))
    }

    /// Whether rows may have no time: NULL, or `0000-00-00`.
    pub(crate) fn time_is_nullable(&self) -> bool {
        self.of_time().is_some_and(|column| column.nullable || matches!(column.holds, ColumnType::Time(_)))
    }

    /// Rows that have a time, or that have none.
    pub(crate) fn timed(&self, is_timed: bool) -> Sql {
        const FIRST: &str = "CAST('0001-01-01' AS DATETIME(6))";
        let column = self.time();
        let is_date = self.of_time().is_some_and(|column| matches!(column.holds, ColumnType::Time(_)));
        Sql::raw(match (is_timed, is_date) {
            (true, true) => format!("{column} >= {FIRST}"),
            (true, false) => format!("{column} IS NOT NULL"),
            (false, true) => format!("({column} IS NULL OR {column} < {FIRST})"),
            (false, false) => format!("{column} IS NULL"),
        })
    }

    /// A comparison of the time column, so that its index serves.
    pub(crate) fn time_is(&self, op: &str, at: Timestamp) -> Sql {
        let column = self.time();
        match self.of_time().map(|column| column.holds) {
            Some(ColumnType::Time(zone_us)) => {
                let text = date_text(at.plus_us(zone_us));
                Sql::with(format!("{column} {op} CAST({PLACEHOLDER} AS DATETIME(6))"), Bind::Text(text))
            }
            _ => {
                let stored = match self.table.time_unit {
                    TimeUnit::Us => at.0,
                    TimeUnit::Ms | TimeUnit::Text => at.0.div_euclid(1000),
                    TimeUnit::S => at.0.div_euclid(1_000_000),
                };
                Sql::with(format!("{column} {op} {PLACEHOLDER}"), Bind::Int(stored))
            }
        }
    }

    /// Microseconds since the epoch of the time column.
    pub(crate) fn time_us(&self) -> String {
        match (self.of_time().map(|column| column.holds), self.table.time_unit) {
            (Some(ColumnType::Time(zone_us)), _) => micros(&self.time(), zone_us),
            (_, TimeUnit::Us) => self.time(),
            (_, TimeUnit::Ms | TimeUnit::Text) => format!("({} * 1000)", self.time()),
            (_, TimeUnit::S) => format!("({} * 1000000)", self.time()),
        }
    }

    /// `SELECT` of the key, the version and what an activity needs; `extra` behind it. Only followers need a version.
    pub(crate) fn select(&self, versioned: bool, extra: &str) -> String {
        let version = if versioned { self.version.as_str() } else { "0" };
        format!("SELECT {}, {version}, {}{extra} FROM {} t", self.key_text(), self.select, self.relation.sql)
    }

    /// `SELECT` of the key, the version, and the time in microseconds; `extra` behind them.
    pub(crate) fn select_versions(&self, extra: &str) -> String {
        let (key, time) = (self.key_text(), self.time_us());
        format!("SELECT {key}, {}, CAST({time} AS SIGNED){extra} FROM {} t", self.version, self.relation.sql)
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Columns before those of [`Self::selected`].
    const AHEAD: usize = 2;

    /// The number of columns; extra ones follow.
    pub(crate) fn width(&self) -> usize {
        Self::AHEAD + self.selected.len()
    }

    /// The row's key.
    pub(crate) fn key(row: &MySqlRow) -> Result<String, sqlx::Error> {
        Ok(crate::relation::text(row, 0)?.unwrap_or_default())
    }

    /// The row's version.
    pub(crate) fn version_of(row: &MySqlRow) -> Result<i64, sqlx::Error> {
        row.try_get_unchecked(1)
    }

    /// The activity of a row.
    pub(crate) fn activity(&self, row: &MySqlRow) -> Result<Activity, sqlx::Error> {
        let mut assembler = Assembler::default();
        let key = Self::key(row)?;
        for (index, (_, column_type, target)) in self.selected.iter().enumerate() {
            let index = index + Self::AHEAD;
            let value = match column_type {
                ColumnType::Int => row.try_get_unchecked::<Option<i64>, _>(index)?.map(Scalar::Int),
                ColumnType::Float => row.try_get_unchecked::<Option<f64>, _>(index)?.map(Scalar::Float),
                ColumnType::Time(_) => {
                    row.try_get_unchecked::<Option<i64>, _>(index)?.map(|us| Scalar::Time(Timestamp(us)))
                }
                _ => row
                    .try_get_unchecked::<Option<&[u8]>, _>(index)?
                    .map(|bytes| Scalar::Text(String::from_utf8_lossy(bytes))),
            };
            let value = match (value, target.0, column_type) {
                (Some(Scalar::Int(n)), Target::Id, _) => {
                    Some(Scalar::Text(Cow::Owned(format!("{}{n}", self.prefix()))))
                }
                (Some(Scalar::Text(n)), Target::Id, ColumnType::Unsigned) => {
                    Some(Scalar::Text(Cow::Owned(format!("{}{n}", self.prefix()))))
                }
                (value, ..) => value,
            };
            if let Some(value) = value {
                assembler.set(*target, value);
            }
        }
        let own = Id::Text(format!("{}{key}", self.prefix()).into());
        let at = assembler.recorded_at();
        let mut activity = assembler.finish(&self.schema, own, self.opened);
        activity.places = vec![Place { at, ..Place::new(self.source, Locator::table_key(self.index, &key)) }];
        Ok(activity)
    }

    /// Equality with a value that fills a target: the column itself, so that its index serves, and the value as we
    /// compare it. A path into JSON is found by a column that is computed from it.
    pub(crate) fn equals(&self, sql: &str, column_type: ColumnType, value: &str) -> Sql {
        let values = [value.to_owned()];
        let column = self.relation.columns.iter().find(|column| format!("t.{}", name(&column.name)) == sql);
        let exactly = Sql::with(format!("{} = {PLACEHOLDER}", as_text(sql, column_type)), Bind::Text(value.to_owned()));
        if let Some(column) = column {
            return Sql::join(vec![equals_any(sql, column_type, &column.charset, &values), exactly], " AND ");
        }
        let Some(column) = self.computed_as(sql) else { return exactly };
        let is_cut = plain(&column.computed).contains("left(");
        let own = format!("t.{}", name(&column.name));
        let mark = if is_cut { format!("LEFT({PLACEHOLDER}, 255)") } else { PLACEHOLDER.to_string() };
        Sql::join(vec![Sql::with(format!("{own} = {mark}"), Bind::Text(value.to_owned())), exactly], " AND ")
    }
}

impl Mapping {
    /// The column that is computed from a path into JSON.
    pub(crate) fn computed_of(&self, path: &str) -> Option<&Column> {
        let (column, rest) = path.split_once('.')?;
        self.computed_as(&at_path(&format!("t.{}", name(column)), rest))
    }

    fn computed_as(&self, sql: &str) -> Option<&Column> {
        let wanted = plain(sql);
        self.relation.columns.iter().filter(|c| c.readable && !c.computed.is_empty()).find(|column| {
            let computed = plain(&column.computed);
            let path = computed.split("json_extract(").nth(1).and_then(|rest| rest.split(')').next());
            path.is_some_and(|path| wanted.contains(&format!("json_extract({path})")))
        })
    }
}

/// An expression without what databases write differently.
fn plain(sql: &str) -> String {
    sql.replace("t.", "").replace(['`', '"', ' ', '\\'], "").replace("_utf8mb4", "").to_ascii_lowercase()
}

/// Whether a column has one of these values, compared as the column compares.
fn equals_any(column: &str, column_type: ColumnType, charset: &str, values: &[String]) -> Sql {
    let inline = |list: Vec<String>| {
        Sql::raw(if list.is_empty() { "FALSE".to_owned() } else { format!("{column} IN ({})", list.join(", ")) })
    };
    let uuids = || values.iter().filter_map(|value| uuid::Uuid::parse_str(value).ok());
    match column_type {
        ColumnType::Int => inline(values.iter().filter_map(|v| v.parse::<i64>().ok()).map(|n| n.to_string()).collect()),
        ColumnType::Unsigned => {
            inline(values.iter().filter_map(|v| v.parse::<u64>().ok()).map(|n| n.to_string()).collect())
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

/// A moment as MySQL writes it, within what its type holds.
fn date_text(at: Timestamp) -> String {
    const RANGE: (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);
    let at = at.0.clamp(RANGE.0, RANGE.1);
    let date = chrono::DateTime::from_timestamp_micros(at).unwrap_or_default();
    date.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

struct Value<'a> {
    sql: String,
    holds: ColumnType,
    /// The column of the row that it depends on.
    column: &'a str,
}

/// What a path of `[fields]` reads: a column, a path into JSON, a column of a row looked up.
fn value<'a>(
    table: &'a Table,
    relation: &'a Relation,
    relations: &BTreeMap<String, Relation>,
    path: &'a str,
) -> Option<Value<'a>> {
    if let Some(column) = relation.readable(path) {
        return Some(Value { sql: format!("t.{}", name(path)), holds: column.holds, column: &column.name });
    }
    let (first, rest) = path.split_once('.')?;
    if let Some(column) =
        relation.readable(first).filter(|column| matches!(column.holds, ColumnType::Json | ColumnType::Text))
    {
        let sql = at_path(&format!("t.{}", name(&column.name)), rest);
        return Some(Value { sql: format!("({sql})"), holds: ColumnType::Text, column: &column.name });
    }
    let lookup = table.lookup.get(first)?;
    let other = relations.get(&lookup.table)?;
    let (by, key) = (relation.readable(&lookup.by)?, other.readable(&lookup.key)?);
    let column = other.readable(rest)?;
    let (mine, theirs) = (format!("t.{}", name(&by.name)), format!("l.{}", name(&key.name)));
    // Texts that compare differently are not compared at all.
    let equal = if by.collation == key.collation && by.charset == key.charset && by.holds == key.holds {
        format!("{theirs} = {mine}")
    } else {
        format!("{} = {}", as_text(&theirs, key.holds), as_text(&mine, by.holds))
    };
    let sql = format!("(SELECT l.{} FROM {} l WHERE {equal} LIMIT 1)", name(rest), other.sql);
    Some(Value { sql, holds: column.holds, column: &by.name })
}

/// A number of 60 bits made of what the row holds in these columns: there is no mark of a change but the row itself. Of a
/// hash that is not linear, so that two rows that change alike do not cancel out in a sum.
fn version(relation: &Relation, columns: &[&str]) -> String {
    let parts: Vec<String> = columns
        .iter()
        .filter_map(|column| relation.column(column))
        .map(|column| format!("IFNULL({}, CHAR(0))", as_text(&format!("t.{}", name(&column.name)), column.holds)))
        .collect();
    format!("CAST(CONV(LEFT(SHA1(CONCAT_WS('|', {})), 15), 16, 10) AS SIGNED)", parts.join(", "))
}
