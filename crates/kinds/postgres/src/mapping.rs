//! Maps tables to activities: finds which of a schema's tables and columns exist, and how each column is selected.
//! Everything is selected as one of three types, so that every value can be read.

use super::Error;
use crosstail_core::filter::{Field, ValueType, suggest};
use crosstail_core::model::{Activity, Id, Locator, Place, SourceId, Timestamp};
use crosstail_core::number::saturating_u16;
use crosstail_core::schema::{Assembler, Scalar, Schema, Table, Target, TimeUnit};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, literal, name};
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnType {
    Int,
    Float,
    Time,
    Uuid,
    Json,
    Text,
    Other,
}

/// An existing column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) value_type: ColumnType,
    pub(super) nullable: bool,
    pub(super) readable: bool,
    type_name: String,
}

/// An existing table or view.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// Quoted name with the schema, as SQL needs it.
    pub(super) sql: String,
    /// Whether rows have an xmin; those of views and foreign tables have none.
    pub(super) versioned: bool,
    /// Pages of 8 KB, as of the last VACUUM or ANALYZE.
    pub(super) pages: i64,
    pub(super) columns: Vec<Column>,
}

impl Relation {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    fn readable(&self, name: &str) -> Option<&Column> {
        self.column(name).filter(|column| column.readable)
    }
}

/// A schema resolved against one table.
pub(super) struct Mapping {
    pub(super) index: usize,
    pub(super) schema: Schema,
    pub(super) table: Table,
    pub(super) relation: Relation,
    pub(super) source: SourceId,
    pub(super) source_name: String,
    /// When the source was opened: the time of rows that have none.
    opened: Timestamp,
    /// Selected expressions: SQL, type, and what each fills.
    pub(super) selected: Vec<(String, ColumnType, (Target, u16))>,
    select: String,
}

/// The existing relations with these names (`table` or `schema.table`).
pub(super) async fn relations(
    on: &mut PgConnection,
    names: &[String],
) -> Result<BTreeMap<String, Relation>, sqlx::Error> {
    let short: Vec<String> = names.iter().map(|n| n.rsplit('.').next().unwrap_or(n).to_owned()).collect();
    let rows = sqlx::query(
        "SELECT n.nspname::text, c.relname::text, c.relkind::text, a.attname::text, t.typname::text, a.attnotnull, \
         has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT'), \
         pg_table_is_visible(c.oid), c.relpages::int8 \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         JOIN pg_type t ON t.oid = a.atttypid \
         WHERE c.relname = ANY($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
         AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
         ORDER BY pg_table_is_visible(c.oid) DESC, n.nspname, c.relname, a.attnum",
    )
    .bind(short)
    .persistent(false)
    .fetch_all(on)
    .await?;
    let mut all: Vec<((String, String), bool, Relation)> = Vec::new();
    for row in &rows {
        let (schema, table, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let key = (schema, table);
        if all.last().is_none_or(|(last, ..)| *last != key) {
            let sql = format!("{}.{}", name(&key.0), name(&key.1));
            let versioned = !matches!(kind.as_str(), "v" | "f");
            let relation = Relation { sql, versioned, pages: row.get(8), columns: Vec::new() };
            all.push((key, row.get(7), relation));
        }
        let type_name: String = row.get(4);
        let sort = match type_name.as_str() {
            "int2" | "int4" | "int8" => ColumnType::Int,
            "float4" | "float8" | "numeric" => ColumnType::Float,
            "timestamptz" | "timestamp" | "date" => ColumnType::Time,
            "uuid" => ColumnType::Uuid,
            "json" | "jsonb" => ColumnType::Json,
            "text" | "varchar" | "bpchar" | "name" | "citext" => ColumnType::Text,
            _ => ColumnType::Other,
        };
        let column = Column {
            name: row.get(3),
            value_type: sort,
            nullable: !row.get::<bool, _>(5),
            readable: row.get(6),
            type_name,
        };
        if let Some((_, _, relation)) = all.last_mut() {
            relation.columns.push(column);
        }
    }
    let mut found = BTreeMap::new();
    for wanted in names {
        let fits = |(schema, table): &(String, String)| match wanted.split_once('.') {
            Some((s, t)) => schema == s && table == t,
            None => table == wanted,
        };
        if let Some((_, _, relation)) = all.iter().find(|(key, ..)| fits(key)) {
            found.insert(wanted.clone(), relation.clone());
        }
    }
    Ok(found)
}

impl Mapping {
    /// Maps a table by a schema. `strict`: the user named the schema, so a missing column is an error or a warning.
    pub(super) fn new(
        index: usize,
        (schema, table): (&Schema, &Table),
        relations: &BTreeMap<String, Relation>,
        (source, source_name): (SourceId, &str),
        opened: Timestamp,
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
        for (key, column) in [("id", &table.id), ("time", &table.time)] {
            match relation.column(column) {
                None if strict => return Err(Error::Mapping(missing(&format!("[table] {key}"), column))),
                None => return Ok(None),
                Some(found) if !found.readable => {
                    warnings.push(format!(
                        "{} may not be read: GRANT SELECT ON {} TO CURRENT_ROLE",
                        table.name, table.name
                    ));
                    return Ok(None);
                }
                Some(_) => {}
            }
        }
        let mut selected = Vec::new();
        for (target_name, paths) in &schema.definition().fields {
            let Some(target) = Target::parse(target_name) else { continue };
            let before = selected.len();
            for (rank, path) in paths.list().iter().enumerate() {
                if let Some((sql, sort)) = value(table, relation, relations, path) {
                    selected.push((sql, sort, (target, saturating_u16(rank))));
                }
            }
            if selected.len() == before
                && strict
                && let Some(first) = paths.list().first()
            {
                warnings.push(missing(&format!("[fields] {target_name}"), first));
            }
        }
        let select = selected.iter().map(|(sql, sort, _)| as_selected(sql, *sort)).collect::<Vec<_>>().join(", ");
        Ok(Some(Self {
            index,
            schema: schema.clone(),
            table: table.clone(),
            relation: relation.clone(),
            source,
            source_name: source_name.to_owned(),
            opened,
            selected,
            select,
        }))
    }

    /// SQL for the row's key as text.
    pub(super) fn key_text(&self) -> String {
        format!("t.{}::text", name(&self.table.id))
    }

    /// A condition for the rows with one of these keys. Keys that cannot have the column's type match no row.
    pub(super) fn with_keys(&self, keys: &[String]) -> Sql {
        let column = format!("t.{}", name(&self.table.id));
        match self.relation.column(&self.table.id).map(|column| column.value_type) {
            Some(ColumnType::Uuid) => {
                let good = keys.iter().filter(|key| uuid::Uuid::parse_str(key).is_ok()).cloned().collect();
                Sql::with(format!("{column} = ANY({PLACEHOLDER}::text[]::uuid[])"), Bind::Texts(good))
            }
            Some(ColumnType::Int) => {
                let good = keys.iter().filter(|key| key.parse::<i64>().is_ok()).cloned().collect();
                Sql::with(format!("{column} = ANY({PLACEHOLDER}::text[]::int8[])"), Bind::Texts(good))
            }
            Some(ColumnType::Text) => {
                Sql::with(format!("{column} = ANY({PLACEHOLDER}::text[])"), Bind::Texts(keys.to_vec()))
            }
            _ => Sql::with(format!("{column}::text = ANY({PLACEHOLDER}::text[])"), Bind::Texts(keys.to_vec())),
        }
    }

    /// The expressions that fill a target, in order of preference.
    pub(super) fn sources(&self, target: Target) -> Vec<(&str, ColumnType)> {
        let mut found: Vec<_> = self.selected.iter().filter(|(_, _, (t, _))| *t == target).collect();
        found.sort_by_key(|(_, _, (_, rank))| *rank);
        found.into_iter().map(|(sql, sort, _)| (sql.as_str(), *sort)).collect()
    }

    /// SQL for the text of a target as stored; NULL where it is absent or empty.
    pub(super) fn raw_text(&self, target: Target) -> Option<String> {
        let parts: Vec<String> =
            self.sources(target).iter().map(|(sql, _)| format!("nullif(({sql})::text, '')")).collect();
        match parts.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            _ => Some(format!("coalesce({})", parts.join(", "))),
        }
    }

    /// SQL for the identity of a row. An integer key is unique in its table only, so the table's name is its prefix.
    pub(super) fn id(&self) -> String {
        let key = self.key_text();
        let parts: Vec<String> = self
            .sources(Target::Id)
            .iter()
            .map(|(sql, sort)| match sort {
                ColumnType::Int => format!("{} || ({sql})::text", literal(&self.prefix())),
                _ => format!("nullif(({sql})::text, '')"),
            })
            .chain([format!("{} || {key}", literal(&self.prefix()))])
            .collect();
        format!("coalesce({})", parts.join(", "))
    }

    /// The prefix of a key that is unique in this table only.
    fn prefix(&self) -> String {
        format!("{}/{}/", self.source_name, self.table.short_name())
    }

    /// The key in an identity that starts with [`Self::prefix`].
    pub(super) fn own_key<'k>(&self, id: &'k str) -> Option<&'k str> {
        id.strip_prefix(self.prefix().as_str())
    }

    /// The start time's column, quoted.
    pub(super) fn time(&self) -> String {
        format!("t.{}", name(&self.table.time))
    }

    /// Whether the time column is nullable.
    pub(super) fn time_is_nullable(&self) -> bool {
        self.relation.column(&self.table.time).is_some_and(|column| column.nullable)
    }

    /// A moment as a parameter of the time column's type.
    pub(super) fn moment(&self, at: Timestamp) -> Sql {
        let column = self.relation.column(&self.table.time);
        let text = match column.map(|column| (column.value_type, column.type_name.as_str())) {
            Some((ColumnType::Time, "timestamptz")) => {
                format!("(timestamptz 'epoch' + {PLACEHOLDER}::int8 * interval '1 microsecond')")
            }
            Some((ColumnType::Time, _)) => {
                format!("(timestamp 'epoch' + {PLACEHOLDER}::int8 * interval '1 microsecond')")
            }
            _ => {
                let stored = match self.table.time_unit {
                    TimeUnit::Us => at.0,
                    TimeUnit::Ms | TimeUnit::Text => at.0.div_euclid(1000),
                    TimeUnit::S => at.0.div_euclid(1_000_000),
                };
                return Sql::with(format!("{PLACEHOLDER}::int8"), Bind::Int(stored));
            }
        };
        Sql::with(text, Bind::Int(at.0))
    }

    /// SQL for the time column in microseconds since the epoch.
    pub(super) fn time_us(&self) -> String {
        match (self.relation.column(&self.table.time).map(|column| column.value_type), self.table.time_unit) {
            (Some(ColumnType::Time), _) => micros(&self.time()),
            (_, TimeUnit::Us) => self.time(),
            (_, TimeUnit::Ms | TimeUnit::Text) => format!("{} * 1000", self.time()),
            (_, TimeUnit::S) => format!("{} * 1000000", self.time()),
        }
    }

    /// `SELECT` of the key, the version and what an activity needs, followed by `extra`.
    pub(super) fn select(&self, extra: &str) -> String {
        let version = if self.relation.versioned { "t.xmin::text::int8" } else { "0::int8" };
        format!("SELECT {}, {version}, {}{extra} FROM {} t", self.key_text(), self.select, self.relation.sql)
    }

    /// Number of columns before those of [`Self::selected`].
    const AHEAD: usize = 2;

    /// Number of columns before the extra ones.
    pub(super) fn width(&self) -> usize {
        Self::AHEAD + self.selected.len()
    }

    /// The row's key as text.
    pub(super) fn key(row: &PgRow) -> Result<String, sqlx::Error> {
        Ok(row.try_get::<Option<String>, _>(0)?.unwrap_or_default())
    }

    /// The row's xmin; 0 where the relation has none.
    pub(super) fn version(row: &PgRow) -> Result<i64, sqlx::Error> {
        row.try_get(1)
    }

    /// The activity of a row.
    pub(super) fn activity(&self, row: &PgRow) -> Result<Activity, sqlx::Error> {
        let mut assembler = Assembler::default();
        let key = Self::key(row)?;
        for (index, (_, sort, target)) in self.selected.iter().enumerate() {
            let index = index + Self::AHEAD;
            let value = match sort {
                ColumnType::Int => row.try_get::<Option<i64>, _>(index)?.map(Scalar::Int),
                ColumnType::Float => row.try_get::<Option<f64>, _>(index)?.map(Scalar::Float),
                ColumnType::Time => row.try_get::<Option<i64>, _>(index)?.map(|us| Scalar::Time(Timestamp(us))),
                _ => row.try_get::<Option<&str>, _>(index)?.map(|text| Scalar::Text(Cow::Borrowed(text))),
            };
            let value = match (value, target.0, sort) {
                (Some(Scalar::Int(n)), Target::Id, ColumnType::Int) => {
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

    /// Whether filters compare a field as text.
    pub(super) fn is_text(field: Field) -> bool {
        matches!(field.class(), ValueType::Keyword | ValueType::Text | ValueType::Id)
    }
}

/// Resolves a path of `[fields]`: a column, a path into JSON, or a column of a row that is looked up.
fn value(
    table: &Table,
    relation: &Relation,
    relations: &BTreeMap<String, Relation>,
    path: &str,
) -> Option<(String, ColumnType)> {
    if let Some(column) = relation.readable(path) {
        return Some((format!("t.{}", name(path)), column.value_type));
    }
    let (first, rest) = path.split_once('.')?;
    if let Some(column) = relation.readable(first).filter(|column| column.value_type == ColumnType::Json) {
        let steps: Vec<String> = rest.split('.').map(literal).collect();
        let path = format!("(t.{} #>> ARRAY[{}])", name(&column.name), steps.join(", "));
        return Some((path, ColumnType::Text));
    }
    let lookup = table.lookup.get(first)?;
    let other = relations.get(&lookup.table)?;
    relation.readable(&lookup.by)?;
    other.readable(&lookup.key)?;
    let column = other.readable(rest)?;
    let sql = format!(
        "(SELECT l.{} FROM {} l WHERE l.{} = t.{} LIMIT 1)",
        name(rest),
        other.sql,
        name(&lookup.key),
        name(&lookup.by)
    );
    Some((sql, column.value_type))
}

/// An expression cast to the type as which it is selected.
fn as_selected(sql: &str, sort: ColumnType) -> String {
    match sort {
        ColumnType::Int => format!("({sql})::int8"),
        ColumnType::Float => format!("({sql})::float8"),
        ColumnType::Time => micros(sql),
        _ => format!("({sql})::text"),
    }
}

/// SQL for microseconds since the epoch; NULL for `infinity`.
pub(super) fn micros(sql: &str) -> String {
    format!("CASE WHEN isfinite({sql}) THEN (extract(epoch FROM {sql}) * 1000000)::int8 END")
}
