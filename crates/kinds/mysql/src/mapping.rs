//! How tables map to activities: which of a schema's tables are there, which of their columns, and how each column is
//! selected. Everything is selected as one of three types, so that no value is too strange to be read.

use crate::error::Error;
use crate::key::{NULL, equals_any, unique};
use crate::relation::{
    Column, ColumnType, LOCAL, Relation, as_selected, as_text, at_path, name, one_at_path, says_none,
};
use crosstail_core::filter::suggest;
use crosstail_core::model::{Activity, Id, Locator, Place, SourceId, Timestamp};
use crosstail_core::number::saturating_u16;
use crosstail_core::schema::{Assembler, Scalar, Schema, Table, Target};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, literal};
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// A value of a row in the type as which it is selected.
pub(crate) fn scalar(row: &MySqlRow, index: usize, holds: ColumnType) -> Result<Option<Scalar<'_>>, sqlx::Error> {
    Ok(match holds {
        ColumnType::Int => row.try_get_unchecked::<Option<i64>, _>(index)?.map(Scalar::Int),
        ColumnType::Float => row.try_get_unchecked::<Option<f64>, _>(index)?.map(Scalar::Float),
        ColumnType::Time(_) => row.try_get_unchecked::<Option<i64>, _>(index)?.map(|us| Scalar::Time(Timestamp(us))),
        _ => {
            row.try_get_unchecked::<Option<&[u8]>, _>(index)?.map(|bytes| Scalar::Text(String::from_utf8_lossy(bytes)))
        }
    })
}

/// What is shown of a message or an error in a list, in characters. The payload has the whole text.
const SHOWN: usize = 10_000;

/// How a table maps to activities.
pub(crate) struct Mapping {
    pub(crate) index: usize,
    pub(crate) schema: Schema,
    pub(crate) table: Table,
    pub(crate) relation: Relation,
    pub(crate) source: SourceId,
    pub(crate) source_name: String,
    /// The columns that tell rows apart.
    pub(crate) key: Vec<String>,
    /// What tells rows apart beyond that, as SQL, in a table without a key.
    digest: Option<String>,
    /// Whether its times are in a zone that the schema names.
    pub(crate) local: bool,
    /// What is selected, of which column_type, and what each fills.
    pub(crate) selected: Vec<(String, ColumnType, (Target, u16))>,
    select: String,
    /// The columns that an activity depends on.
    base: Vec<String>,
    /// Those of them that cannot be read in every row.
    unread: Mutex<BTreeSet<String>>,
}

/// The source that a mapping is of.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) id: SourceId,
    pub(crate) name: &'a str,
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
            if relation.column(column).is_some() {
                let grant = format!("GRANT SELECT ({}) ON {} TO the user", name(column), relation.sql);
                return format!("{section}: {column} of {} may not be read: {grant}", table.name);
            }
            let near = suggest(column, has.iter().copied());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            format!("{section}: table {} has no column '{column}'; it has {}{hint}", table.name, has.join(", "))
        };
        if !strict && !schema.definition().recognise.all.iter().all(|column| has.contains(&column.as_str())) {
            return Ok(None);
        }
        let keys = table.id.columns().iter().map(|column| ("id", column.as_str()));
        for (key, column) in keys.chain([("time", table.time.as_str())]) {
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
        let mut key = table.id.columns().to_vec();
        let mut digest = None;
        if relation.repeats {
            warnings.push(unique(relation, &mut key, &mut digest));
        }
        let local = table.is_local();
        let mut base: Vec<&str> = table.id.columns().iter().map(String::as_str).collect();
        for (target_name, paths) in &schema.definition().fields {
            let Some(target) = Target::parse(target_name) else { continue };
            let before = selected.len();
            for (rank, path) in paths.list().iter().enumerate() {
                // What is not unique is no identity.
                if target == Target::Id && relation.repeats && table.id.columns().contains(path) {
                    continue;
                }
                if let Some(value) = value(table, relation, relations, path) {
                    base.push(value.column);
                    let (mut sql, mut holds) = (value.sql, value.holds);
                    let long = matches!(target, Target::Message | Target::Error | Target::Url | Target::Tags);
                    if long && matches!(holds, ColumnType::Text | ColumnType::Json) {
                        (sql, holds) = (format!("LEFT({sql}, {SHOWN})"), ColumnType::Text);
                    }
                    if local && value.zoneless && matches!(holds, ColumnType::Time(_)) {
                        holds = ColumnType::Time(LOCAL);
                    }
                    selected.push((sql, holds, (target, saturating_u16(rank))));
                }
            }
            if selected.len() == before
                && strict
                && target != Target::Id
                && let Some(first) = paths.list().first()
            {
                warnings.push(missing(&format!("[fields] {target_name}"), first));
            }
        }
        base.sort_unstable();
        base.dedup();
        let select =
            selected.iter().map(|(sql, column_type, _)| as_selected(sql, *column_type)).collect::<Vec<_>>().join(", ");
        let base = base.into_iter().map(str::to_owned).collect();
        Ok(Some(Self {
            index,
            schema: schema.clone(),
            table: table.clone(),
            relation: relation.clone(),
            source: owner.id,
            source_name: owner.name.to_owned(),
            key,
            digest,
            local,
            selected,
            select,
            base,
            unread: Mutex::default(),
        }))
    }

    /// The columns of the key, each with its expression.
    fn key_parts(&self) -> impl Iterator<Item = (String, ColumnType, &str)> {
        let columns = self.key.iter().map(|column| {
            let found = self.relation.column(column);
            let (holds, charset) = found.map_or((ColumnType::Other, ""), |c| (c.holds, c.charset.as_str()));
            (format!("t.{}", name(column)), holds, charset)
        });
        columns.chain(self.digest.iter().map(|sql| (sql.clone(), ColumnType::Other, "")))
    }

    /// The text of the row's key: of several columns, their texts with `/` between them.
    pub(crate) fn key_text(&self) -> String {
        let text = |sql: &str, holds: ColumnType| match holds {
            ColumnType::Bytes => format!("HEX({sql})"),
            holds => as_text(sql, holds),
        };
        let parts: Vec<String> = self.key_parts().map(|(sql, holds, _)| text(&sql, holds)).collect();
        if let [one] = parts.as_slice() {
            return one.clone();
        }
        let parts: Vec<String> = parts
            .iter()
            .map(|part| format!("COALESCE(REPLACE(REPLACE({part}, '%', '%25'), '/', '%2F'), '{NULL}')"))
            .collect();
        format!("CAST(CONCAT_WS('/', {}) AS BINARY)", parts.join(", "))
    }

    /// Rows that have one of these keys, by the columns themselves so that their index serves; where letters are alike to
    /// a column, there may be more. Keys that cannot be of their types have no row.
    pub(crate) fn with_keys(&self, keys: &[String]) -> Sql {
        let parts: Vec<_> = self.key_parts().collect();
        if let [(sql, holds, charset)] = parts.as_slice() {
            return equals_any(sql, *holds, charset, keys);
        }
        let one = |key: &String| -> Option<Sql> {
            let values: Vec<&str> = key.split('/').collect();
            (values.len() == parts.len()).then(|| {
                let equal = values.iter().zip(&parts).map(|(value, (sql, holds, charset))| {
                    if *value == NULL {
                        return Sql::raw(format!("{sql} IS NULL"));
                    }
                    equals_any(sql, *holds, charset, &[value.replace("%2F", "/").replace("%25", "%")])
                });
                Sql::join(equal.collect(), " AND ")
            })
        };
        Sql::join(keys.iter().filter_map(one).collect(), " OR ")
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
        let text = match parts.as_slice() {
            [] => return None,
            [one] => one.clone(),
            _ => format!("COALESCE({})", parts.join(", ")),
        };
        if target != Target::Error {
            return Some(text);
        }
        Some(format!("CASE WHEN {} THEN NULL ELSE {text} END", says_none(&text)))
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
    pub(crate) fn prefix(&self) -> String {
        format!("{}/{}/", self.source_name, self.table.short_name())
    }

    /// The key in an identity made by [`Self::prefix`].
    pub(crate) fn own_key<'k>(&self, id: &'k str) -> Option<&'k str> {
        id.strip_prefix(self.prefix().as_str())
    }

    /// `SELECT` of the key, the version and what an activity needs; `extra` behind it. Only followers need a version.
    pub(crate) fn select(&self, versioned: bool, extra: &str) -> String {
        let version = if versioned { self.version() } else { "0".to_owned() };
        let columns = if self.select.is_empty() { String::new() } else { format!(", {}", self.select) };
        let (key, time) = (self.key_text(), self.time_us());
        format!("SELECT {key}, {version}, CAST({time} AS SIGNED){columns}{extra} FROM {} t", self.relation.sql)
    }

    /// `SELECT` of the key, the version, and the time in microseconds; `extra` behind them.
    pub(crate) fn select_versions(&self, extra: &str) -> String {
        let (key, time) = (self.key_text(), self.time_us());
        format!("SELECT {key}, {}, CAST({time} AS SIGNED){extra} FROM {} t", self.version(), self.relation.sql)
    }

    /// The same, with a version or without.
    pub(crate) fn select_heads(&self, versioned: bool) -> String {
        if versioned {
            return self.select_versions("");
        }
        let (key, time) = (self.key_text(), self.time_us());
        format!("SELECT {key}, 0, CAST({time} AS SIGNED) FROM {} t", self.relation.sql)
    }

    /// A number that changes when the row does.
    pub(crate) fn version(&self) -> String {
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        let read: Vec<&str> = self.base.iter().filter(|one| !unread.contains(*one)).map(String::as_str).collect();
        version(&self.relation, &read)
    }

    /// The types of the columns that make the version: of others, the same value has another text.
    pub(crate) fn types(&self) -> Vec<&str> {
        let columns = self.base.iter().chain([&self.table.time]).filter_map(|column| self.relation.column(column));
        columns.map(|column| column.type_name.as_str()).collect()
    }

    /// The columns that make the version, each with a version of it alone.
    pub(crate) fn versions_of_columns(&self) -> Vec<(String, String)> {
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.base.iter().filter(|one| !unread.contains(*one));
        read.map(|column| (column.clone(), version(&self.relation, &[column]))).collect()
    }

    /// Versions do without a column that cannot be read in every row.
    pub(crate) fn leave_out(&self, column: &str) {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).insert(column.to_owned());
    }

    /// Columns before those of [`Self::selected`].
    const AHEAD: usize = 3;

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
        let mut values = Vec::with_capacity(self.selected.len());
        for (index, (_, holds, _)) in self.selected.iter().enumerate() {
            values.push(scalar(row, Self::AHEAD + index, *holds)?);
        }
        let at = row.try_get_unchecked::<Option<i64>, _>(2)?;
        Ok(self.assembled(&Self::key(row)?, self.known_moment(at), values))
    }

    /// The activity of a row's key, its time, and the values of [`Self::selected`].
    pub(crate) fn assembled(&self, key: &str, at: Option<Timestamp>, values: Vec<Option<Scalar<'_>>>) -> Activity {
        let mut assembler = Assembler::default();
        if let Some(at) = at {
            assembler.set((Target::StartedAt, 0), Scalar::Time(at));
        }
        for ((_, column_type, target), value) in self.selected.iter().zip(values) {
            let value = match (value, target.0, column_type) {
                // The start is that of the time column, as it is compared.
                (_, Target::StartedAt, _) => None,
                (Some(Scalar::Time(at)), _, ColumnType::Time(LOCAL)) => Some(Scalar::Time(self.table.moment_of(at.0))),
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
        // A row without a time has that of the epoch, and says that it knows none.
        let mut activity = assembler.finish(&self.schema, own, Timestamp::UNDATED);
        activity.places = vec![Place { at, ..Place::new(self.source, Locator::table_key(self.index, key)) }];
        activity
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

    /// The column that an expression is, or that is computed from it.
    pub(crate) fn column_of(&self, sql: &str) -> Option<&Column> {
        let own = self.relation.columns.iter().find(|column| format!("t.{}", name(&column.name)) == sql);
        // A part of a text is not the text.
        own.or_else(|| self.computed_as(sql).filter(|column| !plain(&column.computed).contains("left(")))
    }

    fn computed_as(&self, sql: &str) -> Option<&Column> {
        computed_as(&self.relation, sql)
    }
}

fn computed_as<'r>(relation: &'r Relation, sql: &str) -> Option<&'r Column> {
    let wanted = plain(sql);
    relation.columns.iter().filter(|c| c.readable && !c.computed.is_empty()).find(|column| {
        let computed = plain(&column.computed);
        let path = computed.split("json_extract(").nth(1).and_then(|rest| rest.split(')').next());
        path.is_some_and(|path| wanted.contains(&format!("json_extract({path})")))
    })
}

/// An expression without what databases write differently.
fn plain(sql: &str) -> String {
    sql.replace("t.", "").replace(['`', '"', ' ', '\\'], "").replace("_utf8mb4", "").to_ascii_lowercase()
}

struct Value<'a> {
    sql: String,
    holds: ColumnType,
    /// A date or a time without a zone.
    zoneless: bool,
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
        return Some(Value {
            sql: format!("t.{}", name(path)),
            holds: column.holds,
            zoneless: column.zoneless,
            column: &column.name,
        });
    }
    let (first, rest) = path.split_once('.')?;
    if let Some(column) =
        relation.readable(first).filter(|column| matches!(column.holds, ColumnType::Json | ColumnType::Text))
    {
        let own = format!("t.{}", name(&column.name));
        let whole = at_path(&own, rest);
        // What a column is computed from is what its index has: a list is a list there.
        let sql = if computed_as(relation, &whole).is_some() { whole } else { one_at_path(&own, rest) };
        return Some(Value { sql: format!("({sql})"), holds: ColumnType::Text, zoneless: false, column: &column.name });
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
    Some(Value { sql, holds: column.holds, zoneless: column.zoneless, column: &by.name })
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
