//! The TOML of a schema: its structure and its checks.

use super::table::{Paths, Table};
use super::units::{DurationUnit, spellings};
use super::{Phase, Rule, Target};
use crate::filter::suggest;
use crate::model::{Direction, EntryKind, Kind, Status};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema {origin}: {message}")]
pub struct SchemaError {
    /// The file, or the name of the built-in schema.
    pub origin: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// A schema as written in TOML.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Unique name, as `--schema` accepts it.
    pub name: String,
    /// Title for people.
    #[serde(default)]
    pub title: String,
    /// A built-in schema whose mapping applies to what this one does not say.
    #[serde(default)]
    pub extends: Option<String>,
    /// Target → the paths to read it from; the first present one wins.
    #[serde(default)]
    #[cfg_attr(feature = "json-schema", schemars(schema_with = "super::json_schema::targets_from"))]
    pub fields: BTreeMap<String, Paths>,
    /// Part of the payload → the paths to read it from.
    #[serde(default)]
    #[cfg_attr(feature = "json-schema", schemars(schema_with = "super::json_schema::payload_from"))]
    pub payload: BTreeMap<String, Paths>,
    /// Target → the store's word → crosstail's word.
    #[serde(default)]
    #[cfg_attr(feature = "json-schema", schemars(schema_with = "super::json_schema::words"))]
    pub words: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether words of the status that the schema does not list mean what they mean to most systems.
    #[serde(default)]
    pub usual_words: bool,
    /// Whether a record may lack the status. Then its outcome follows from the HTTP status and the error.
    #[serde(default)]
    pub status_is_optional: bool,
    /// Target → the value for records that have none.
    #[serde(default)]
    #[cfg_attr(feature = "json-schema", schemars(schema_with = "super::json_schema::by_target"))]
    pub defaults: BTreeMap<String, String>,
    /// How to recognise records of this schema.
    #[serde(default)]
    pub recognise: Recognise,
    /// Rules in order; the first one that matches applies.
    #[serde(default, rename = "rule")]
    pub rule_list: Vec<RuleText>,
    /// Unit of `duration`: ns, us, ms (the default) or s.
    #[serde(default)]
    pub duration_unit: DurationUnit,
    /// Path → unit of the duration there, where its name does not say it (`latency_ms`, `elapsedNanos`).
    #[serde(default)]
    pub units: BTreeMap<String, DurationUnit>,
    /// Whether each path also stands for its other spellings: `request_id` for `requestId`, `RequestID`, `x-request-id`.
    #[serde(default)]
    pub spellings: bool,
    /// Paths of objects that hold fields as the record itself does; what is in them counts less.
    #[serde(default)]
    pub nests: Vec<String>,
    /// Whether the message is a record of its own format, which this one wraps.
    #[serde(default)]
    pub wraps: bool,
    /// Whether a wrapped line ends in a newline, so that one without goes on in the next record.
    #[serde(default)]
    pub cuts: bool,
    /// Paths of arrays whose elements are the records.
    #[serde(default)]
    pub unfold: Vec<String>,
    /// Where the message is a template whose holes other fields fill.
    #[serde(default)]
    pub template: Option<Template>,
    /// Whether the system is derived from the host of the URL where no field names it.
    #[serde(default)]
    pub system_from_url: bool,
    /// Whether a finished call with an HTTP status ≥ 400 may be a success.
    #[serde(default)]
    pub http_errors_may_succeed: bool,
    /// Whether values are stored exactly as an activity has them, so that nothing is derived.
    #[serde(default)]
    pub canonical: bool,
    /// The table, index, collection or topic, where the schema maps one.
    #[serde(default)]
    pub table: Option<Table>,
    /// Further tables of the same store, each with its own mapping.
    #[serde(default, rename = "record")]
    pub records: Vec<Definition>,
    /// Rank of the message, 0 to 3. Where several places hold an activity, the message with the highest rank wins.
    #[serde(default)]
    pub message_rank: u8,
    /// Patterns of the tables, indices and topics that a record passes through, in order.
    #[serde(default)]
    pub flow: Vec<String>,
    /// Metrics of the schema's systems, the most important first.
    #[serde(default, rename = "metric")]
    pub metrics: Vec<MetricDefinition>,
    /// Indices and topics that hold measurements.
    #[serde(default)]
    pub series: Vec<SeriesTable>,
    /// Tables with data that explains activities: systems, endpoints, code mappings, webhooks, rules.
    #[serde(default)]
    pub catalogue: Vec<CatalogueTable>,
}

/// A message template, as message templates (messagetemplates.org) write it: `Order {OrderId} placed`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The path of the template.
    pub text: String,
    /// The path of an array of the holes that have a format, already rendered.
    pub rendered: Option<String>,
}

/// A metric in Prometheus to show.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MetricDefinition {
    /// Name in Prometheus; for a histogram without `_bucket`.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `summary`.
    #[cfg_attr(feature = "json-schema", schemars(extend("enum" = super::json_schema::metrics())))]
    pub kind: String,
    /// The label that names the system.
    pub system_label: Option<String>,
}

/// Tables whose records are measurements, each with a name, a time, a value and labels.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SeriesTable {
    /// Patterns of index and topic names.
    pub tables: Vec<String>,
    /// The path of the metric's name.
    pub name: String,
    /// The path of its type: `counter`, `gauge`, `histogram` or `summary`.
    pub kind: String,
    /// The path of the time.
    pub time: String,
    /// The path of the value.
    pub value: String,
    /// The path of an object whose fields are the labels.
    pub labels: String,
    /// The path of the period that the value covers, if it covers one.
    pub period: Option<String>,
}

/// A table of the catalogue.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CatalogueTable {
    /// `system`, `endpoint`, `mapping`, `webhook`, `log_source` or `alert_rule`.
    #[cfg_attr(feature = "json-schema", schemars(extend("enum" = super::json_schema::topics())))]
    pub topic: String,
    /// Table name, with its schema where it has one.
    pub table: String,
    /// Fact → the columns to read it from; the first existing one wins.
    pub fields: BTreeMap<String, Paths>,
}

/// Conditions that the records of a schema meet.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Recognise {
    /// Paths that must all be present.
    #[serde(default)]
    pub all: Vec<String>,
    /// Paths of which at least one must be present.
    #[serde(default)]
    pub any: Vec<String>,
    /// Path → the text that it must hold.
    #[serde(default)]
    pub equals: BTreeMap<String, String>,
}

/// A rule as written in TOML.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    /// Target → required value; `*` stands for any value.
    #[cfg_attr(feature = "json-schema", schemars(schema_with = "super::json_schema::by_target"))]
    pub when: BTreeMap<String, String>,
    /// Kind that the rule sets.
    #[cfg_attr(feature = "json-schema", schemars(extend("enum" = super::json_schema::kinds())))]
    pub kind: Option<String>,
    /// Direction that the rule sets.
    #[cfg_attr(feature = "json-schema", schemars(extend("enum" = super::json_schema::directions())))]
    pub direction: Option<String>,
    /// Status that the rule sets.
    #[cfg_attr(feature = "json-schema", schemars(extend("enum" = super::json_schema::statuses())))]
    pub status: Option<String>,
    /// `start`, `complete` or `fail`: the records with one request id are parts of one activity.
    #[cfg_attr(feature = "json-schema", schemars(extend("enum" = super::json_schema::parts())))]
    pub part: Option<String>,
}

impl Definition {
    /// Parses and checks the TOML `text`. `origin` names it in errors.
    pub fn parse(text: &str, origin: &str) -> Result<Self, SchemaError> {
        let fail = |message: String| SchemaError { origin: origin.to_owned(), message };
        let definition: Self = toml::from_str(text).map_err(|error| fail(error.to_string()))?;
        definition.check(origin)?;
        Ok(definition)
    }

    fn check(&self, origin: &str) -> Result<(), SchemaError> {
        let fail = |message: String| SchemaError { origin: origin.to_owned(), message };
        if !self.fields.contains_key("started_at") && self.extends.is_none() {
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
        if let Some(table) = &self.table {
            table.check().map_err(fail)?;
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
            return Err(fail(format!(
                "[[catalogue]] topic = \"{}\": unknown; the known ones are {}",
                wrong.topic,
                known.join(", ")
            )));
        }
        self.records.iter().try_for_each(|record| record.check(origin))
    }

    /// Adds the other spellings of the paths, and the mapping of the schema that this one extends.
    pub(super) fn complete(&mut self, base: Option<&Self>) {
        let spelled = self.spellings;
        let lists = self.fields.values_mut().chain(self.payload.values_mut());
        for paths in lists.filter(|_| spelled) {
            let mut seen = std::collections::HashSet::new();
            let mut all: Vec<String> = paths.list().iter().flat_map(|path| spellings(path)).collect();
            all.retain(|path| seen.insert(path.clone()));
            *paths = Paths::Many(all);
        }
        if self.usual_words {
            let own = self.words.entry("status".to_owned()).or_default();
            for (word, status) in super::sketch_names::usual_statuses() {
                own.entry(word).or_insert_with(|| status.to_string());
            }
        }
        let Some(base) = base else { return };
        self.status_is_optional |= base.status_is_optional;
        for (own, others) in [(&mut self.fields, &base.fields), (&mut self.payload, &base.payload)] {
            for (name, paths) in others {
                let mut all = own.get(name).map(|own| own.list().to_vec()).unwrap_or_default();
                all.extend(paths.list().iter().filter(|path| !all.contains(path)).cloned().collect::<Vec<_>>());
                own.insert(name.clone(), Paths::Many(all));
            }
        }
        for (name, words) in &base.words {
            let own = self.words.entry(name.clone()).or_default();
            for (word, ours) in words {
                own.entry(word.clone()).or_insert_with(|| ours.clone());
            }
        }
        for (path, unit) in &base.units {
            self.units.entry(path.clone()).or_insert(*unit);
        }
        if self.nests.is_empty() {
            self.nests.clone_from(&base.nests);
        }
        if self.unfold.is_empty() {
            self.unfold.clone_from(&base.unfold);
        }
        for rule in &base.rule_list {
            self.rule_list.push(rule.clone());
        }
    }

    /// A table's duration has the unit that its name says, where the schema says none.
    pub(super) fn take_named_unit(&mut self) {
        if self.table.is_some() && self.duration_unit == DurationUnit::default() {
            let units = self.duration_units();
            if let Some(first) = units.first().filter(|first| units.iter().all(|unit| unit == *first)) {
                self.duration_unit = *first;
            }
        }
    }

    /// The unit of the duration at each of its paths, in order.
    pub(super) fn duration_units(&self) -> Vec<DurationUnit> {
        let fold = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
        let units: BTreeMap<String, DurationUnit> = self.units.iter().map(|(path, unit)| (fold(path), *unit)).collect();
        let paths = self.fields.get("duration").map(Paths::list).unwrap_or_default();
        let named = |path: &String| self.units.get(path).or_else(|| units.get(&fold(path))).copied();
        let known = |path: &String| named(path).or_else(|| DurationUnit::of_name(path));
        paths.iter().map(|path| known(path).unwrap_or(self.duration_unit)).collect()
    }

    /// crosstail's word for the store's; the store's own where the schema lists none.
    pub fn word<'w>(&'w self, key: &str, word: &'w str) -> &'w str {
        let words = self.words.get(key);
        words
            .and_then(|words| words.get(word).or_else(|| words.get(&word.to_ascii_lowercase())))
            .map_or(word, String::as_str)
    }

    /// The pairs of the store's word and crosstail's word that the schema lists for a field.
    pub fn words_of(&self, key: &str) -> impl Iterator<Item = (&str, &str)> {
        self.words.get(key).into_iter().flatten().map(|(word, ours)| (word.as_str(), ours.as_str()))
    }

    /// The store's words for an activity without an outcome, in their likely spellings. A query with these can use an
    /// index on the column; a comparison that ignores case cannot.
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
