//! Maps a table to activities: which of its columns fill what, and how a row is read.

use super::connection::{Reader, Version};
use super::time::time_us;
use super::value::is_of_data;
use super::zone;
use crosstail_core::filter::{Field, ValueType};
use crosstail_core::model::{Activity, Diagnosis, Id, Locator, Place, SourceId, Timestamp};
use crosstail_core::number::saturating_u16;
use crosstail_core::schema::{Assembler, Scalar, Schema, Table, Target, TimeUnit};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, literal, name};

/// A schema resolved against one table.
pub(super) struct Mapping {
    pub(super) schema: Schema,
    pub(super) table: Table,
    pub(super) source: SourceId,
    pub(super) source_name: String,
    pub(super) relation: Relation,
    /// What the shape of the tables was when it was looked up.
    pub(super) version: Version,
    /// What was taken for what, where no schema knows a table.
    pub(super) note: Option<String>,
    /// The columns that tell rows apart, as SQL.
    key: Vec<String>,
    /// Whether the time column holds whole numbers alone, so that it has the order of the time.
    whole: bool,
    /// SQL for the start.
    time_us: String,
    pub(super) selected: Vec<Selected>,
    select: String,
}

/// An expression that fills a target.
pub(super) struct Selected {
    pub(super) sql: String,
    pub(super) target: (Target, u16),
    /// The column that it reads.
    pub(super) column: String,
    /// Whether that one is declared to hold numbers.
    pub(super) is_number: bool,
}

impl Selected {
    /// SQL for what is read of it. An identity is the text by which rows are told apart and sorted.
    pub(super) fn shown(&self, canonical: bool) -> String {
        if self.target.0 == Target::Id && !canonical { text_of(&self.sql) } else { self.sql.clone() }
    }
}

/// What is shown of a message or an error in a list, in characters. The payload has the whole text.
const SHOWN: usize = 10_000;

/// SQL for the beginning of a text.
fn beginning(value: &str) -> String {
    format!("CASE WHEN typeof({value}) IN ('text', 'blob') THEN substr({value}, 1, {SHOWN}) ELSE {value} END")
}

/// SQL for the value at a path into JSON. A list of one value is that value.
fn only(json: &str, path: &str) -> String {
    format!(
        "CASE WHEN json_valid({json}) THEN CASE WHEN json_type({json}, '$.{path}') = 'array' AND json_array_length({json}, '$.{path}') = 1 \
         AND json_type({json}, '$.{path}[0]') <> 'array' THEN json_extract({json}, '$.{path}[0]') ELSE json_extract({json}, '$.{path}') END END"
    )
}

/// UTF-8, as the digits of its bytes (RFC 3629, 4).
const UTF8: &str = "^(?:[0-7].|(?:C[2-9A-F]|D.)[89AB].|E0[AB].[89AB].|(?:E[1-9A-CEF][89AB].|ED[89].)[89AB].|F0[9AB].(?:[89AB].){2}\
                    |F[123](?:[89AB].){3}|F48.(?:[89AB].){2})*$";

/// SQL for a value as text, another one for each value. Bytes, and what is no UTF-8, may be no text: they are shown as digits.
pub(super) fn text_of(value: &str) -> String {
    format!(
        "CASE typeof({value}) WHEN 'blob' THEN lower(hex({value})) WHEN 'text' THEN CASE WHEN {value} NOT GLOB '*[^ -~]*' \
         AND length({value}) = length(CAST({value} AS BLOB)) OR hex({value}) REGEXP '{UTF8}' THEN {value} ELSE lower(hex({value})) END ELSE CAST({value} AS TEXT) END"
    )
}

/// A table or a view of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Relation {
    /// Its columns, each with its declared type.
    pub(super) columns: Vec<(String, String)>,
    /// Columns that are unique together in every row, the primary key first.
    pub(super) keys: Vec<Vec<String>>,
    /// Whether rows have a `rowid`.
    pub(super) has_rowid: bool,
    /// Whether a column is the `rowid`, so that it stays.
    pub(super) numbered: bool,
    /// Whether several rows have the key that the schema names.
    pub(super) repeats: bool,
    /// Whether the time column holds nothing but whole numbers, as far as was looked.
    pub(super) whole: bool,
    /// What is said where the numbers of the time column are of another unit than the schema says.
    pub(super) other_unit: Option<String>,
    /// What the time column holds in some row that is no time.
    pub(super) no_time: Option<String>,
    /// Columns of its identity that cannot be computed for some row: they are no identity.
    pub(super) failing: Vec<String>,
}

impl Relation {
    /// The names of the columns.
    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }

    fn declared(&self, column: &str) -> &str {
        self.columns.iter().find(|(name, _)| name == column).map_or("", |(_, holds)| holds)
    }
}

/// The names of the tables and views.
pub(super) async fn names(reader: Reader<'_>) -> Result<Vec<String>, sqlx::Error> {
    const NAMES: &str =
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name";
    sqlx::query_scalar(NAMES).fetch_all(reader.connection().await?.on()).await
}

/// Rows that are looked at to learn what a column holds.
const SAMPLE: usize = 50_000;

/// A table or a view, as a schema uses it. Others are not looked at: a view that is broken is an error.
pub(super) async fn relation(reader: Reader<'_>, table: &str) -> Result<Relation, sqlx::Error> {
    let mut reading = reader.connection().await?;
    let rows: Vec<(String, String, bool, i64)> = sqlx::query_as(
        "SELECT name, upper(type), \"notnull\", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
    )
    .bind(table)
    .fetch_all(reading.on())
    .await?;
    let kind: Vec<bool> = sqlx::query_scalar(
        "SELECT type = 'table' AND sql NOT LIKE '%WITHOUT ROWID%' FROM sqlite_schema WHERE name = ? AND type IN ('table', 'view')",
    )
    .bind(table)
    .fetch_all(reading.on())
    .await?;
    let mut relation = Relation { has_rowid: kind == [true], ..Relation::default() };
    let mut primary: Vec<(i64, String)> =
        rows.iter().filter(|(.., part)| *part > 0).map(|(column, _, _, part)| (*part, column.clone())).collect();
    primary.sort();
    // A key may be NULL, any number of times, but for that of whole numbers.
    let is_whole = primary.len() == 1 && rows.iter().any(|(_, holds, _, part)| *part > 0 && holds == "INTEGER");
    let has_rowid = relation.has_rowid;
    let filled = |column: &String| {
        rows.iter().any(|(name, _, filled, part)| name == column && (*filled || *part > 0 && (is_whole || !has_rowid)))
    };
    let mut keys = vec![primary.into_iter().map(|(_, column)| column).collect::<Vec<_>>()];
    let indexed: Vec<(String, String)> = sqlx::query_as(
        "SELECT i.name, c.name FROM pragma_index_list(?) i JOIN pragma_index_info(i.name) c \
         WHERE i.[unique] AND NOT i.partial AND c.name IS NOT NULL ORDER BY i.name, c.seqno",
    )
    .bind(table)
    .fetch_all(reading.on())
    .await?;
    let mut last = None;
    for (index, column) in indexed {
        if last.as_ref() != Some(&index) {
            keys.push(Vec::new());
            last = Some(index);
        }
        if let Some(key) = keys.last_mut() {
            key.push(column);
        }
    }
    // A column that converts nothing tells 1 from '1', whose texts are alike.
    let converts = |column: &String| {
        let is_plain = |holds: &str| holds.is_empty() || holds == "ANY" || holds.contains("BLOB");
        rows.iter().any(|(name, holds, ..)| name == column && !is_plain(holds))
    };
    keys.retain(|key| !key.is_empty() && key.iter().all(filled) && key.iter().all(converts));
    relation.keys = keys;
    relation.numbered = has_rowid && is_whole;
    relation.columns = rows.into_iter().map(|(column, holds, ..)| (column, holds)).collect();
    Ok(relation)
}

/// Those of some columns that cannot be computed for every row: they are generated, or those of a view.
pub(super) async fn failing(reader: Reader<'_>, table: &str, columns: &[String]) -> Result<Vec<String>, sqlx::Error> {
    let mut found = Vec::new();
    for column in columns {
        let computed = format!("SELECT count({}) FROM {}", text_of(&name(column)), name(table));
        match reader.fetch(Sql::raw(computed)).await {
            Ok(_) => {}
            Err(error) if is_of_data(&error) => found.push(column.clone()),
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Looks at rows: whether several have one key, and what the time column holds.
pub(super) async fn look_at(reader: Reader<'_>, table: &Table, relation: &mut Relation) -> Result<(), sqlx::Error> {
    let (from, key) = (name(&table.name), table.id.columns());
    if key.iter().any(|column| relation.failing.contains(column)) {
        relation.repeats = true;
    } else if !relation.keys.iter().any(|known| known.iter().all(|part| key.contains(part))) {
        let columns = key.iter().map(|column| text_of(&name(column))).collect::<Vec<_>>().join(", ");
        let text = format!(
            "SELECT 1 FROM (SELECT * FROM {from} LIMIT {SAMPLE}) GROUP BY {columns} HAVING count(*) > 1 LIMIT 1"
        );
        relation.repeats = !reader.fetch(Sql::raw(text)).await?.is_empty();
    }
    relation.whole = relation.declared(&table.time).contains("INT");
    if relation.whole {
        let time = name(&table.time);
        let newest = if relation.has_rowid {
            format!(" UNION ALL SELECT * FROM (SELECT {time} AS at FROM {from} ORDER BY rowid DESC LIMIT {SAMPLE})")
        } else {
            String::new()
        };
        let text = format!(
            "SELECT 1 FROM (SELECT * FROM (SELECT {time} AS at FROM {from} LIMIT {SAMPLE}){newest}) \
             WHERE typeof(at) NOT IN ('integer', 'null') LIMIT 1"
        );
        relation.whole = reader.fetch(Sql::raw(text)).await?.is_empty();
    }
    Ok(())
}

impl Mapping {
    pub(super) fn new(
        (schema, table): (Schema, Table),
        relation: Relation,
        (version, note): (Version, Option<String>),
        source: SourceId,
        source_name: &str,
    ) -> Self {
        let columns = relation.names();
        let canonical = schema.definition().canonical;
        let fails = |column: &String| relation.failing.contains(column);
        let mut key: Vec<String> = table.id.columns().iter().filter(|c| !fails(c)).map(|column| name(column)).collect();
        if relation.repeats {
            match relation.keys.iter().find(|key| !key.iter().any(fails)) {
                Some(own) => {
                    key.extend(own.iter().map(|column| name(column)).filter(|c| !key.contains(c)).collect::<Vec<_>>());
                }
                None if relation.has_rowid => key.push("rowid".to_owned()),
                // By all that is in them.
                None => key.extend(
                    columns
                        .iter()
                        .filter(|c| !fails(c))
                        .map(|c| name(c))
                        .filter(|c| !key.contains(c))
                        .collect::<Vec<_>>(),
                ),
            }
        }
        let mut selected = Vec::new();
        for (target_name, paths) in &schema.definition().fields {
            let Some(target) = Target::parse(target_name) else { continue };
            for (rank, path) in paths.list().iter().enumerate() {
                // The start is that of the time column, as it is compared; what is not unique is no identity.
                let is_key = relation.repeats && table.id.columns().contains(path);
                let is_none = target == Target::Id && (is_key || fails(path));
                if !canonical && (target == Target::StartedAt || is_none) {
                    continue;
                }
                let is_long = matches!(target, Target::Message | Target::Error | Target::Url | Target::Tags);
                let shown = |sql: String| if is_long && !canonical { beginning(&sql) } else { sql };
                let target = (target, saturating_u16(rank));
                if columns.contains(path) {
                    let is_number = is_number(relation.declared(path));
                    selected.push(Selected { sql: shown(name(path)), target, column: path.clone(), is_number });
                } else if let Some((column, inner)) = path.split_once('.')
                    && columns.iter().any(|known| known == column)
                {
                    let path = inner.replace('\'', "''");
                    let sql = only(&name(column), &path);
                    selected.push(Selected { sql: shown(sql), target, column: column.to_owned(), is_number: false });
                }
            }
        }
        let select = selected.iter().map(|one| one.shown(canonical)).collect::<Vec<_>>().join(", ");
        let whole = canonical || relation.whole;
        let time_us = if canonical { name(&table.time) } else { time_us(&table, whole) };
        let source_name = source_name.to_owned();
        Self { schema, table, source, source_name, relation, version, note, key, whole, time_us, selected, select }
    }

    /// Whether values are stored just as an activity has them.
    pub(super) fn is_canonical(&self) -> bool {
        self.schema.definition().canonical
    }

    /// SQL for the row's key as text.
    pub(super) fn key_text(&self) -> String {
        if let [one] = self.key.as_slice() {
            return if self.is_canonical() { one.clone() } else { format!("coalesce({}, '')", text_of(one)) };
        }
        let part =
            |column: &String| format!("coalesce(replace(replace({}, '%', '%25'), '/', '%2F'), '%')", text_of(column));
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
        let own = self.selected.iter().filter(|one| one.target.0 == Target::Id);
        let parts: Vec<String> = own
            .map(|one| format!("nullif({}, '')", text_of(&one.sql)))
            .chain([format!("{} || {}", literal(&self.prefix()), self.key_text())])
            .collect();
        if parts.len() == 1 { parts[0].clone() } else { format!("coalesce({})", parts.join(", ")) }
    }

    /// The columns that rows are told apart by, and that may not be computed for every row.
    pub(super) fn identity(&self) -> Vec<String> {
        let own = self.selected.iter().filter(|one| one.target.0 == Target::Id).map(|one| one.column.clone());
        let mut columns: Vec<String> = self.table.id.columns().iter().cloned().chain(own).collect();
        columns.sort_unstable();
        columns.dedup();
        columns.retain(|column| !self.relation.failing.contains(column));
        columns
    }

    /// What is said of columns that are no identity because they cannot be computed.
    pub(super) fn about_failing(&self) -> Option<String> {
        let (table, list) = (&self.table.name, self.relation.failing.join(", "));
        (!list.is_empty())
            .then(|| format!("{table}: {list} cannot be computed for every row, so rows are told apart by more"))
    }

    /// What is said of a key that repeats.
    pub(super) fn key_is_not_unique(&self) -> Diagnosis {
        let (table, key) = (&self.table.name, self.table.id.columns().join(", "));
        Diagnosis::warning(
            "key",
            if self.relation.has_rowid || !self.relation.keys.is_empty() {
                format!("{table}: {key} is not unique, so rows are told apart by more")
            } else {
                let alike = "and rows that are alike in every column come as one";
                format!("{table}: {key} is not unique, so rows are told apart by what is in them, {alike}")
            },
            "name the columns of the key as id in [table]",
        )
    }

    /// What finds one row at once.
    pub(super) fn handle(&self) -> String {
        if self.relation.has_rowid { "rowid".to_owned() } else { self.key_text() }
    }

    /// SQL for the start time in microseconds; NULL where there is none that is understood.
    pub(super) fn time_us(&self) -> &str {
        &self.time_us
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
            let unit = if self.is_canonical() { self.canonical_unit() } else { self.table.time_unit.us().unwrap_or(1) };
            let (down, rest) = (at.0.div_euclid(unit), at.0.rem_euclid(unit));
            let stored = if rest != 0 && matches!(op, ">=" | "<") { down + 1 } else { down };
            return Sql::with(format!("{} {op} {PLACEHOLDER}", self.order()), Bind::Int(stored));
        }
        Sql::with(format!("{} {op} {PLACEHOLDER}", self.order()), Bind::Int(at.0))
    }

    const fn canonical_unit(&self) -> i64 {
        match self.table.time_unit {
            TimeUnit::Us | TimeUnit::Ns | TimeUnit::Digits => 1,
            TimeUnit::Ms | TimeUnit::Text => 1000,
            TimeUnit::S => 1_000_000,
        }
    }

    /// The column that holds a field exactly as filters compare it; `None` where the schema derives the field.
    pub(super) fn column(&self, field: Field) -> Option<String> {
        let sql = self.stored(field)?;
        let text = matches!(field.class(), ValueType::Keyword | ValueType::Text | ValueType::Id);
        Some(if text { format!("nullif({sql}, '')") } else { sql.to_owned() })
    }

    /// The column that holds a field, as it is stored.
    pub(super) fn stored(&self, field: Field) -> Option<&str> {
        let target = match field {
            // One column holds type and id.
            Field::Entity => Target::EntityType,
            field => Target::of(field)?,
        };
        self.selected.iter().find(|one| one.target.0 == target).map(|one| one.sql.as_str())
    }

    /// A moment in the unit in which a canonical table stores it.
    pub(super) fn stored_time(&self, at: Timestamp) -> i64 {
        at.0.div_euclid(self.canonical_unit())
    }

    /// `SELECT` of key, time and what an activity needs, followed by `extra`.
    pub(super) fn select(&self, extra: &[String]) -> String {
        let columns = if self.select.is_empty() { String::new() } else { format!(", {}", self.select) };
        let extra: String = extra.iter().map(|sql| format!(", {sql}")).collect();
        let (key, time) = (self.key_text(), self.time_us());
        format!("SELECT {key}, {time}{columns}{extra} FROM {}", name(&self.table.name))
    }

    /// Number of columns before those of [`Self::selected`].
    pub(super) const AHEAD: usize = 2;

    /// Number of columns before the extra ones.
    pub(super) fn width(&self) -> usize {
        Self::AHEAD + self.selected.len()
    }

    /// The activity of a row's key, time and values. One without a time has that of the epoch, and says that it knows none.
    pub(super) fn activity(&self, key: &str, at: Option<i64>, values: Vec<Option<Scalar<'_>>>) -> Activity {
        let mut assembler = Assembler::default();
        if let Some(us) = at.filter(|_| !self.is_canonical()) {
            assembler.set((Target::StartedAt, 0), Scalar::Time(Timestamp(us)));
        }
        for (one, value) in self.selected.iter().zip(values) {
            let is_time = matches!(one.target.0, Target::CompletedAt | Target::RecordedAt | Target::NextRetryAt);
            let value = match value {
                Some(Scalar::Text(text)) if is_time && self.table.is_local() => {
                    zone::local_moment(&self.table, &text).map_or(Some(Scalar::Text(text)), |at| Some(Scalar::Time(at)))
                }
                value => value,
            };
            if let Some(value) = value {
                assembler.set(one.target, value);
            }
        }
        let own = Id::Text(format!("{}{key}", self.prefix()).into());
        let mut activity = assembler.finish(&self.schema, own, Timestamp::UNDATED);
        activity.places = vec![Place::new(self.source, Locator::table_key(0, key))];
        activity
    }
}

/// Whether a declared type is one of numbers.
fn is_number(declared: &str) -> bool {
    ["INT", "REAL", "FLOA", "DOUB", "NUM", "DEC"].iter().any(|word| declared.contains(word))
}
