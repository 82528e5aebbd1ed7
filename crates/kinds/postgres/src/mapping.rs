//! Maps tables to activities: finds which of a schema's tables and columns exist, and how each column is selected.
//! Everything is selected as one of three types, so that every value can be read.

use super::Error;
use super::key::RowKey;
use super::relation::{ColumnType, Relation};
use super::time::{TimeColumn, at_zone, micros};
use crosstail_core::filter::{Field, ValueType, suggest};
use crosstail_core::model::{SourceId, Timestamp};
use crosstail_core::number::saturating_u16;
use crosstail_core::schema::{Schema, Table, Target, no_error_text};
use crosstail_source::sql::{Sql, literal, name};
use std::collections::BTreeMap;

/// What is shown of a message or an error in a list, in characters. The payload has the whole text.
const SHOWN: usize = 10_000;

/// A schema resolved against one table.
pub(super) struct Mapping {
    pub(super) index: usize,
    pub(super) schema: Schema,
    pub(super) table: Table,
    pub(super) relation: Relation,
    pub(super) source: SourceId,
    pub(super) source_name: String,
    /// The table's name in identities.
    label: String,
    pub(super) key: RowKey,
    /// Whether several rows have the key that the schema names.
    pub(super) repeats: bool,
    pub(super) time: TimeColumn,
    /// What fills the targets.
    pub(super) selected: Vec<Selected>,
    /// The expressions that are selected, each once.
    pub(super) columns: Vec<(String, ColumnType)>,
    /// Whether the text of the database is bytes of any encoding.
    pub(super) any_encoding: bool,
}

/// An expression that fills a target.
pub(super) struct Selected {
    pub(super) sql: String,
    pub(super) holds: ColumnType,
    pub(super) target: (Target, u16),
    /// Its number among [`Mapping::columns`].
    pub(super) column: usize,
    /// The path into the JSON in a text, which is taken apart here.
    pub(super) inside: Option<String>,
    /// Where an index can answer for it.
    pub(super) indexed: bool,
    /// Whether texts are in the order of their characters' numbers.
    pub(super) by_code: bool,
}

impl Selected {
    /// Whether SQL cannot say the value.
    pub(super) fn is_opaque(&self) -> bool {
        self.inside.is_some() || self.holds == ColumnType::Bytes
    }
}

/// The source that a mapping is of, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) id: SourceId,
    pub(super) name: &'a str,
    pub(super) any_encoding: bool,
}

/// What a table needs to be mapped.
pub(super) struct Found<'a> {
    pub(super) relation: &'a Relation,
    /// What else the schema names.
    pub(super) others: &'a BTreeMap<String, Vec<Relation>>,
    /// Whether rows of the table have the same key.
    pub(super) repeats: bool,
    /// Whether other tables have its name.
    pub(super) ambiguous: bool,
    /// The largest number in the time column, where it has numbers.
    pub(super) largest: Option<f64>,
    /// Whether some texts in it are digits since the epoch.
    pub(super) digits: bool,
}

/// Why a table cannot be mapped.
pub(super) enum Unfit {
    /// It is not the one that the schema means.
    Other,
    /// It may not be read.
    Refused(String),
    /// A column is not there, or is of the wrong type.
    Wrong(String),
}

/// Whether a table is the one that a schema means, and has what it needs.
pub(super) fn fits(schema: &Schema, table: &Table, relation: &Relation, strict: bool) -> Result<TimeColumn, Unfit> {
    let has: Vec<&str> = relation.columns.iter().map(|column| column.name.as_str()).collect();
    if !strict && !schema.definition().recognise.all.iter().all(|column| has.contains(&column.as_str())) {
        return Err(Unfit::Other);
    }
    let keys = table.id.columns().iter().map(|column| ("id", column));
    for (key, column) in keys.chain([("time", &table.time)]) {
        match relation.column(column) {
            None => return Err(Unfit::Wrong(missing(table, relation, &format!("[table] {key}"), column))),
            Some(found) if !found.readable => {
                return Err(Unfit::Refused(format!(
                    "{} may not be read: GRANT SELECT ON {} TO CURRENT_ROLE",
                    table.name, table.name
                )));
            }
            Some(_) => {}
        }
    }
    let Some(column) = relation.column(&table.time) else { return Err(Unfit::Other) };
    TimeColumn::new(table, column).map_err(Unfit::Wrong)
}

fn missing(table: &Table, relation: &Relation, section: &str, column: &str) -> String {
    if relation.column(column).is_some() {
        return format!(
            "{section}: {column} of {} may not be read: GRANT SELECT ({column}) ON {} TO CURRENT_ROLE",
            table.name, relation.sql
        );
    }
    let has: Vec<&str> = relation.columns.iter().map(|column| column.name.as_str()).collect();
    let near = suggest(column, has.iter().copied());
    let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    format!("{section}: table {} has no column '{column}'; it has {}{hint}", table.name, has.join(", "))
}

impl Mapping {
    /// Maps a table by a schema. `strict`: the user named the schema, so a missing column is an error or a warning.
    pub(super) fn new(
        index: usize,
        (schema, table): (&Schema, &Table),
        found: &Found<'_>,
        owner: Owner<'_>,
        warnings: &mut Vec<String>,
        strict: bool,
    ) -> Result<Option<Self>, Error> {
        let relation = found.relation;
        let mut time = match fits(schema, table, relation, strict) {
            Ok(time) => time,
            Err(Unfit::Refused(text)) => {
                warnings.push(text);
                return Ok(None);
            }
            Err(Unfit::Wrong(text)) if strict => return Err(Error::Mapping(text)),
            Err(_) => return Ok(None),
        };
        if let Some(text) = found.largest.and_then(|largest| time.correct(largest)) {
            warnings.push(format!("{}: {text}", relation.title()));
        }
        if found.digits {
            time.take_digits();
        }
        let (key, repeated) = RowKey::new(relation, table.id.columns(), found.repeats);
        let repeats = repeated.is_some();
        warnings.extend(repeated);
        let mut mapping = Self {
            index,
            schema: schema.clone(),
            table: Table { name: table.name.clone(), ..table.clone() },
            relation: relation.clone(),
            source: owner.id,
            source_name: owner.name.to_owned(),
            label: if found.ambiguous { relation.title() } else { table.short_name().to_owned() },
            key,
            repeats,
            time,
            selected: Vec::new(),
            columns: Vec::new(),
            any_encoding: owner.any_encoding,
        };
        for (target_name, paths) in &schema.definition().fields {
            let Some(target) = Target::parse(target_name) else { continue };
            let before = mapping.selected.len();
            for (rank, path) in paths.list().iter().enumerate() {
                let is_time = target == Target::StartedAt;
                // What is not unique is no identity.
                let is_key = target == Target::Id && repeats && table.id.columns().contains(path);
                if is_time || is_key {
                    continue;
                }
                if let Some(value) = value(table, relation, found.others, path) {
                    mapping.select_for((target, saturating_u16(rank)), value);
                }
            }
            if mapping.selected.len() == before
                && strict
                && !matches!(target, Target::StartedAt | Target::Id)
                && let Some(first) = paths.list().first()
            {
                warnings.push(missing(table, relation, &format!("[fields] {target_name}"), first));
            }
        }
        Ok(Some(mapping))
    }

    /// Selects an expression for a target.
    fn select_for(&mut self, target: (Target, u16), value: Value) {
        let Value { mut sql, mut holds, inside, mut indexed, by_code } = value;
        if holds == ColumnType::Float && target.0.takes_text() {
            // An id may have more digits than a float (`numeric(38, 0)`), and is whole without a fraction of zeros.
            sql = format!("(CASE WHEN {sql} = trunc({sql}) THEN trunc({sql})::text ELSE {sql}::text END)");
            (holds, indexed) = (ColumnType::Text, false);
        }
        if holds == ColumnType::Interval && target.0 == Target::Duration {
            let unit = self.schema.definition().duration_unit.us();
            sql = format!("(extract(epoch FROM {sql})::numeric * 1000000 / {unit})::float8");
            holds = ColumnType::Float;
        }
        let long = matches!(target.0, Target::Message | Target::Error | Target::Url | Target::Tags);
        if long && inside.is_none() && matches!(holds, ColumnType::Text | ColumnType::Json) {
            sql = format!("left(({sql})::text, {SHOWN})");
            holds = ColumnType::Text;
        }
        let expression = as_selected(&sql, holds);
        let column = self.columns.iter().position(|(known, _)| *known == expression).unwrap_or_else(|| {
            self.columns.push((expression, holds));
            self.columns.len() - 1
        });
        self.selected.push(Selected { sql, holds, target, column, inside, indexed, by_code });
    }

    /// The expressions that fill a target, in order of preference.
    pub(super) fn sources(&self, target: Target) -> Vec<&Selected> {
        let mut found: Vec<_> = self.selected.iter().filter(|one| one.target.0 == target).collect();
        found.sort_by_key(|one| one.target.1);
        found
    }

    /// Whether SQL cannot say what fills a target.
    pub(super) fn is_opaque(&self, target: Target) -> bool {
        self.selected.iter().any(|one| one.target.0 == target && one.is_opaque())
    }

    /// SQL for the text of a target as stored; NULL where it is absent or empty. `None` where nothing fills it, and
    /// where it is opaque.
    pub(super) fn raw_text(&self, target: Target) -> Option<String> {
        if self.is_opaque(target) {
            return None;
        }
        let parts: Vec<String> =
            self.sources(target).iter().map(|one| format!("nullif(({})::text, '')", one.sql)).collect();
        let text = match parts.as_slice() {
            [] => return None,
            [one] => one.clone(),
            _ => format!("coalesce({})", parts.join(", ")),
        };
        if target != Target::Error {
            return Some(text);
        }
        Some(format!("CASE WHEN {} THEN NULL ELSE {text} END", says_none(&text)))
    }

    /// SQL for the identity of a row. An integer key is unique in its table only, so the table's name is its prefix.
    pub(super) fn id(&self) -> String {
        let key = self.key.text();
        let parts: Vec<String> = self
            .sources(Target::Id)
            .iter()
            .filter(|one| !one.is_opaque())
            .map(|one| match one.holds {
                ColumnType::Int => format!("{} || ({})::text", literal(&self.prefix()), one.sql),
                _ => format!("nullif(({})::text, '')", one.sql),
            })
            .chain([format!("{} || {key}", literal(&self.prefix()))])
            .collect();
        format!("coalesce({})", parts.join(", "))
    }

    /// The prefix of a key that is unique in this table only.
    pub(super) fn prefix(&self) -> String {
        format!("{}/{}/", self.source_name, self.label)
    }

    /// The key in an identity that starts with [`Self::prefix`].
    pub(super) fn own_key<'k>(&self, id: &'k str) -> Option<&'k str> {
        id.strip_prefix(self.prefix().as_str())
    }

    /// `SELECT` of the key, the version, the time and what an activity needs, followed by `extra`.
    pub(super) fn select(&self, extra: &str) -> String {
        let columns: String = self.columns.iter().map(|(sql, _)| format!(", {sql}")).collect();
        format!("{}{columns}{extra} FROM {} t", self.ahead(), self.relation.sql)
    }

    /// `SELECT` of the key, the version and the time.
    pub(super) fn ahead(&self) -> String {
        let version = if self.relation.versioned { "t.xmin::text::int8" } else { "0::int8" };
        format!("SELECT {}, {version}, {}", self.key.text(), self.time.us())
    }

    /// Number of columns before those of [`Self::columns`].
    pub(super) const AHEAD: usize = 3;

    /// Number of columns before the extra ones.
    pub(super) fn width(&self) -> usize {
        Self::AHEAD + self.columns.len()
    }

    /// Compares the start time with a moment.
    pub(super) fn time_is(&self, op: &str, at: Timestamp) -> Sql {
        self.time.is(op, at)
    }

    /// Whether filters compare a field as text.
    pub(super) fn is_text(field: Field) -> bool {
        matches!(field.class(), ValueType::Keyword | ValueType::Text | ValueType::Id)
    }
}

/// What a path of `[fields]` leads to.
struct Value {
    sql: String,
    holds: ColumnType,
    inside: Option<String>,
    indexed: bool,
    by_code: bool,
}

/// Resolves a path of `[fields]`: a column, a path into JSON, or a column of a row that is looked up.
fn value(table: &Table, relation: &Relation, others: &BTreeMap<String, Vec<Relation>>, path: &str) -> Option<Value> {
    if let Some(column) = relation.readable(path) {
        let mut sql = format!("t.{}", name(path));
        let is_local = column.value_type == ColumnType::Time && column.type_name != "timestamptz";
        if let Some(zone) = table.time_zone.as_deref().filter(|zone| is_local && *zone != "UTC") {
            sql = at_zone(&sql, zone);
        }
        // What a filter compares, and figures are grouped by, is the text itself. An index has the column's collation.
        if column.equates {
            sql = format!("({sql} COLLATE \"C\")");
        }
        let indexed = relation.is_indexed(path) && relation.placed && !column.equates;
        return Some(Value { sql, holds: column.value_type, inside: None, indexed, by_code: column.by_code });
    }
    let (first, rest) = path.split_once('.')?;
    if let Some(column) = relation.readable(first) {
        let own = format!("t.{}", name(&column.name));
        let steps: Vec<&str> = rest.split('.').collect();
        let list = steps.iter().map(|step| literal(step)).collect::<Vec<_>>().join(", ");
        match column.value_type {
            ColumnType::Json => {
                let json = if column.type_name == "json" { without_nul(&own) } else { own };
                let indexed = relation.is_path_indexed(&column.name, &steps) && relation.placed;
                let whole = format!("({json} #>> ARRAY[{list}])");
                // What an index has is the text as it is: a list is a list there.
                let sql = if indexed { whole } else { only(&json, &list, &whole, &column.type_name) };
                return Some(Value { sql, holds: ColumnType::Text, inside: None, indexed, by_code: relation.by_code });
            }
            ColumnType::Text | ColumnType::Bytes => {
                let holds = column.value_type;
                return Some(Value { sql: own, holds, inside: Some(rest.to_owned()), indexed: false, by_code: false });
            }
            _ => {}
        }
    }
    let lookup = table.lookup.get(first)?;
    let other = others.get(&lookup.table)?.first()?;
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
    Some(Value { sql, holds: column.value_type, inside: None, indexed: false, by_code: false })
}

/// The text at a path into JSON, where a list of one value is that value.
fn only(json: &str, path: &str, whole: &str, type_name: &str) -> String {
    let (found, one) = (format!("({json} #> ARRAY[{path}])"), format!("({json} #> ARRAY[{path}] -> 0)"));
    format!(
        "(CASE {type_name}_typeof({found}) WHEN 'array' THEN CASE WHEN {type_name}_array_length({found}) <> 1 THEN {whole} \
         ELSE CASE {type_name}_typeof({one}) WHEN 'array' THEN {whole} ELSE {found} ->> 0 END END ELSE {whole} END)"
    )
}

/// A `json` value that can be taken apart: PostgreSQL refuses to where a text has the character 0.
fn without_nul(json: &str) -> String {
    format!(
        "(CASE WHEN position('\\u0000' in {json}::text) = 0 THEN {json} ELSE replace({json}::text, '\\u0000', '\\ufffd')::json END)"
    )
}

/// Whether the text of an error says that there is none.
pub(super) fn says_none(text: &str) -> String {
    format!("lower({text} COLLATE \"C\") ~ {}", literal(&no_error_text()))
}

/// An expression cast to the type as which it is selected.
fn as_selected(sql: &str, holds: ColumnType) -> String {
    match holds {
        ColumnType::Int => format!("({sql})::int8"),
        ColumnType::Float => format!("({sql})::float8"),
        ColumnType::Time => micros(sql),
        ColumnType::Bytes => sql.to_owned(),
        _ => format!("({sql})::text"),
    }
}
