//! The TOML of a schema, checked.

use super::{Phase, Rule, Target};
use crate::filter::suggest;
use crate::model::{Direction, EntryKind, Kind, Status};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema {origin}: {message}")]
pub struct SchemaError {
    /// The file, or the built-in name.
    pub origin: String,
    /// What is wrong and what to write.
    pub message: String,
}

/// A schema as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// What it is, for people.
    #[serde(default)]
    pub title: String,
    /// Target → the paths it is read from, the first present one wins.
    pub fields: BTreeMap<String, Paths>,
    /// Part of the payload → path.
    #[serde(default)]
    pub payload: BTreeMap<String, Paths>,
    /// Target → the store's word → ours.
    #[serde(default)]
    pub words: BTreeMap<String, BTreeMap<String, String>>,
    /// Target → the value where a record has none.
    #[serde(default)]
    pub defaults: BTreeMap<String, String>,
    /// What tells records of this schema.
    #[serde(default)]
    pub recognise: Recognise,
    /// First matching one is applied.
    #[serde(default, rename = "rule")]
    pub rule_list: Vec<RuleText>,
    /// The unit of `duration`: ns, us, ms (the default), s.
    #[serde(default)]
    pub duration_unit: DurationUnit,
    /// Take the system from the host of the address where no field names it.
    #[serde(default)]
    pub system_from_url: bool,
    /// A finished call with HTTP status ≥ 400 may be a success here.
    #[serde(default)]
    pub http_errors_may_succeed: bool,
    /// Values are stored as an activity has them: nothing is derived.
    #[serde(default)]
    pub canonical: bool,
    /// The table, or collection, where the schema maps one.
    #[serde(default)]
    pub table: Option<Table>,
    /// Further tables of the same store, each with a mapping of its own.
    #[serde(default, rename = "record")]
    pub records: Vec<Definition>,
    /// Which part's message is shown where several places know an activity: the one of the highest rank, 0 to 3.
    #[serde(default)]
    pub message_rank: u8,
    /// The tables, indices and topics that a record passes through, in order; patterns.
    #[serde(default)]
    pub flow: Vec<String>,
    /// Metrics of the systems that this schema is about, the most important first.
    #[serde(default, rename = "metric")]
    pub metrics: Vec<MetricDefinition>,
    /// Tables that hold measurements.
    #[serde(default)]
    pub series: Vec<SeriesTable>,
    /// Tables that hold what explains activities: systems, endpoints, code mappings, webhooks, rules.
    #[serde(default)]
    pub catalogue: Vec<CatalogueTable>,
}

/// A metric in Prometheus that people want to see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricDefinition {
    /// Its name, of a histogram without `_bucket`.
    pub name: String,
    /// counter, gauge, histogram or summary.
    pub kind: String,
    /// The label that names the system it is about.
    pub system_label: Option<String>,
}

/// Tables whose records are measurements: each a name, a time, a value, and labels.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesTable {
    /// Indices and topics; patterns.
    pub tables: Vec<String>,
    /// The path of the metric's name.
    pub name: String,
    /// The path of its type: counter, gauge, histogram, summary.
    pub kind: String,
    /// The path of the time.
    pub time: String,
    /// The path of the value.
    pub value: String,
    /// The path of an object whose fields are the labels.
    pub labels: String,
    /// The path of the span that the value is of, where it is one.
    pub period: Option<String>,
}

/// A table of the catalogue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueTable {
    /// system, endpoint, mapping, webhook, log_source or alert_rule.
    pub topic: String,
    /// The table.
    pub table: String,
    /// Fact → the columns it is read from, the first one there is wins.
    pub fields: BTreeMap<String, Paths>,
}

/// One path or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Paths {
    /// `"timestamp"`
    One(String),
    /// `["timestamp", "time"]`
    Many(Vec<String>),
}

impl Paths {
    /// As a list.
    pub fn list(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// What tells records of a schema from others.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recognise {
    /// Paths that must be there.
    #[serde(default)]
    pub all: Vec<String>,
    /// Paths of which one must be there.
    #[serde(default)]
    pub any: Vec<String>,
    /// Path → text that must be there.
    #[serde(default)]
    pub equals: BTreeMap<String, String>,
}

/// A rule as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    /// Target → value (`*`: any).
    pub when: BTreeMap<String, String>,
    /// Kind to set.
    pub kind: Option<String>,
    /// Direction to set.
    pub direction: Option<String>,
    /// Status to set.
    pub status: Option<String>,
    /// `start`, `complete` or `fail`: records of one request id are one activity.
    pub part: Option<String>,
}

/// A table and how it is followed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its name: of an index a pattern, of a topic the name.
    pub name: String,
    /// The kinds of store it is in; where none is named, the databases.
    #[serde(default)]
    pub stores: Vec<String>,
    /// Its unique key column.
    pub id: String,
    /// The column of the start time.
    pub time: String,
    /// A column that grows with every insert and update, where there is one.
    pub revision: Option<String>,
    /// How `time` is stored: `us`, `ms`, `s` since the epoch, or `text`.
    #[serde(default)]
    pub time_unit: TimeUnit,
    /// Rows of other tables that belong to a row: `NAME.column` in `[fields]` reads from them.
    #[serde(default)]
    pub lookup: BTreeMap<String, Lookup>,
}

/// A kind of store, as `[table] stores` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreKind {
    /// Its name: `postgres`.
    pub name: &'static str,
    /// Whether it holds tables whose schema names no store.
    pub is_database: bool,
}

/// How a row of another table is found: the one whose `key` is this row's `by`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The other table.
    pub table: String,
    /// Its key column.
    pub key: String,
    /// The column of this table that holds the key.
    pub by: String,
}

impl Table {
    /// Whether a kind of store has it.
    pub fn is_in(&self, kind: StoreKind) -> bool {
        match self.stores.as_slice() {
            [] => kind.is_database,
            stores => stores.iter().any(|store| store == kind.name),
        }
    }

    /// The table's own name, without its schema.
    pub fn short_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

/// Unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DurationUnit {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    #[default]
    Ms,
    /// Seconds.
    S,
}

impl DurationUnit {
    /// Microseconds in one.
    pub const fn us(self) -> f64 {
        match self {
            Self::Ns => 0.001,
            Self::Us => 1.0,
            Self::Ms => 1e3,
            Self::S => 1e6,
        }
    }
}

/// How a table stores moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Microseconds since the epoch.
    #[default]
    Us,
    /// Milliseconds since the epoch.
    Ms,
    /// Seconds since the epoch.
    S,
    /// RFC 3339 text in UTC, one form throughout.
    Text,
}

impl Definition {
    /// Reads and checks the text.
    pub fn parse(text: &str, origin: &str) -> Result<Self, SchemaError> {
        let fail = |message: String| SchemaError { origin: origin.to_owned(), message };
        let definition: Self = toml::from_str(text).map_err(|error| fail(error.to_string()))?;
        definition.check(origin)?;
        Ok(definition)
    }

    fn check(&self, origin: &str) -> Result<(), SchemaError> {
        let fail = |message: String| SchemaError { origin: origin.to_owned(), message };
        if !self.fields.contains_key("started_at") {
            return Err(fail("[fields] must map started_at: the column or key that holds the time".to_owned()));
        }
        if let (Some(table), Some(started)) = (&self.table, self.fields.get("started_at"))
            && started.list().first() != Some(&table.time)
        {
            return Err(fail(format!(
                "[fields] started_at = \"{}\" and [table] time = \"{}\" must be the same: rows are read in that order",
                started.list().first().map_or("", String::as_str),
                table.time
            )));
        }
        for (key, words) in &self.words {
            for (word, ours) in words {
                let known = match key.as_str() {
                    "status" => Status::parse(ours).is_some(),
                    "level" => crate::model::Level::parse(ours).is_some(),
                    "kind" => Kind::parse(ours).is_some(),
                    "direction" => Direction::parse(ours).is_some(),
                    _ => return Err(fail(format!("[words.{key}]: only status, level, kind and direction have words"))),
                };
                if !known {
                    return Err(fail(format!("[words.{key}] {word} = \"{ours}\": no such {key}")));
                }
            }
        }
        if let Some(wrong) = self.catalogue.iter().find(|table| EntryKind::parse(&table.topic).is_none()) {
            let known: Vec<&str> = EntryKind::ALL.iter().map(|(word, _)| *word).collect();
            return Err(fail(format!("[[catalogue]] topic = \"{}\": there are {}", wrong.topic, known.join(", "))));
        }
        self.records.iter().try_for_each(|record| record.check(origin))
    }

    /// Our word for the store's, or the store's own.
    pub fn word<'w>(&'w self, key: &str, word: &'w str) -> &'w str {
        let words = self.words.get(key);
        words
            .and_then(|words| words.get(word).or_else(|| words.get(&word.to_ascii_lowercase())))
            .map_or(word, String::as_str)
    }

    /// Our words for the words that a store uses for a field, as the schema lists them.
    pub fn words_of(&self, key: &str) -> impl Iterator<Item = (&str, &str)> {
        self.words.get(key).into_iter().flatten().map(|(word, ours)| (word.as_str(), ours.as_str()))
    }

    /// A store's words for an activity without an outcome, as they are likely to be written: for a query that an index
    /// on the column serves, which no comparison without case would.
    pub fn open_words(&self) -> Vec<String> {
        let own = Status::InProgress.as_str();
        self.words_of("status")
            .chain([(own, own)])
            .filter(|(_, ours)| Status::parse(ours) == Some(Status::InProgress))
            .flat_map(|(word, _)| [word.to_owned(), word.to_ascii_uppercase(), word.to_ascii_lowercase()])
            .collect()
    }

    pub(super) fn rules(&self, origin: &str) -> Result<Vec<Rule>, SchemaError> {
        let fail = |message: String| SchemaError { origin: origin.to_owned(), message };
        self.rule_list
            .iter()
            .map(|text| {
                let mut rule = Rule::default();
                for (name, value) in &text.when {
                    let target = Target::parse(name).ok_or_else(|| fail(unknown("rule.when", name)))?;
                    rule.when.push((target, value.clone()));
                }
                let wrong = |what: &str, word: &str| fail(format!("rule: no {what} '{word}'"));
                if let Some(word) = &text.kind {
                    rule.kind = Some(Kind::parse(word).ok_or_else(|| wrong("kind", word))?);
                }
                if let Some(word) = &text.direction {
                    rule.direction = Some(Direction::parse(word).ok_or_else(|| wrong("direction", word))?);
                }
                if let Some(word) = &text.status {
                    rule.status = Some(Status::parse(word).ok_or_else(|| wrong("status", word))?);
                }
                rule.phase = match text.part.as_deref() {
                    None => None,
                    Some("start") => Some(Phase::Start),
                    Some("complete") => Some(Phase::Complete),
                    Some("fail") => Some(Phase::Fail),
                    Some(other) => return Err(wrong("part", other)),
                };
                Ok(rule)
            })
            .collect()
    }
}

pub(super) fn unknown(section: &str, name: &str) -> String {
    let near = suggest(name, Target::ALL.iter().map(|(known, _)| *known));
    match near {
        Some(near) => format!("[{section}] has no '{name}'; did you mean '{near}'?"),
        None => {
            let known: Vec<&str> = Target::ALL.iter().map(|(known, _)| *known).collect();
            format!("[{section}] has no '{name}'; it has {}", known.join(", "))
        }
    }
}
