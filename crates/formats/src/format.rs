//! A format of text as data: patterns with names, what it wraps, its words, and samples that are its test.

use crate::scan::Matcher;
use crosstail_core::schema::{Definition, DurationUnit, Schema, Target, json_schema};
use regex::bytes::{Regex, RegexBuilder};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Why a format cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("format {origin}: {message}")]
pub struct FormatError {
    /// The file, or the name of the built-in format.
    pub origin: String,
    /// What is wrong.
    pub message: String,
}

/// A format as written in TOML.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FormatFile {
    /// Unique name.
    name: String,
    /// Title for people.
    title: String,
    /// Patterns of a record's first line; of the whole record where `whole` says so. Named groups are targets of a
    /// schema (`started_at`, `level`, `message` …) or further facts.
    pattern: Vec<String>,
    /// Patterns of lines that continue the record before them, though they begin like one.
    #[serde(default)]
    continues: Vec<String>,
    /// A line that this pattern fits begins a record, where the patterns themselves need more than the first line.
    #[serde(default)]
    begin: Option<String>,
    /// While all lines of a record fit this pattern, a line that fits `begin` goes on with it.
    #[serde(default)]
    head: Option<String>,
    /// Whether the patterns see all lines of a record.
    #[serde(default)]
    whole: bool,
    /// Whether each line of a record is a field, `NAME=value`, which the schema of `fields` reads.
    #[serde(default)]
    lines: bool,
    /// Whether these lines are no records: what a program writes above them.
    #[serde(default)]
    is_heading: bool,
    /// Whether the message is a record of its own format.
    #[serde(default)]
    wraps: bool,
    /// Whether a wrapper counts only where what it wraps is recognised.
    #[serde(default)]
    weak: bool,
    /// Whether a wrapper inside another one counts only where what it wraps is recognised.
    #[serde(default)]
    weak_inside: bool,
    /// Whether tabs and newlines of the message are written as `#011` and `#012`, as rsyslog does it.
    #[serde(default)]
    octal_controls: bool,
    /// Whether a quotation mark inside a field is written twice, as CSV does it.
    #[serde(default)]
    doubled_quotes: bool,
    /// The schema by which the group `fields` is read; that of any JSON where none is named.
    #[serde(default)]
    fields: Option<String>,
    /// Unit of `duration`: ns, us, ms (the default) or s.
    #[serde(default)]
    duration_unit: DurationUnit,
    /// Target → the word in the log → crosstail's word.
    #[serde(default)]
    #[schemars(schema_with = "json_schema::words")]
    words: BTreeMap<String, BTreeMap<String, String>>,
    /// Target → the value for records that have none.
    #[serde(default)]
    #[schemars(schema_with = "json_schema::by_target")]
    defaults: BTreeMap<String, String>,
    /// Records and what is right for them: the test of the format.
    #[serde(default, rename = "sample")]
    samples: Vec<Sample>,
}

/// A record of a format and what is right for it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The record, in one line or several.
    pub text: String,
    /// Field → its value, as `crosstail query -o json` names and writes it.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub is: toml::Table,
}

/// What a named group of a pattern fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Group {
    Target(Target),
    /// Priority of syslog: facility × 8 + severity (RFC 5424).
    Priority,
    /// `P` where the line is cut and the next one continues it.
    Partial,
    /// What follows an access log's usual fields.
    Rest,
    /// The time of day of a record whose `started_at` is a date alone. Three digits behind it are the minutes to add for UTC,
    /// as CMTrace writes them.
    Clock,
    /// A JSON object behind the message, whose fields are the record's.
    Fields,
    /// A further fact, shown with the record.
    Fact(String),
}

impl Group {
    /// Whether it names what wrote a line.
    pub(crate) fn names_writer(&self) -> bool {
        match self {
            Self::Target(target) => {
                matches!(target, Target::System | Target::Process | Target::Host | Target::RequestId)
            }
            Self::Fact(name) => {
                matches!(name.as_str(), "host" | "process" | "container" | "pod" | "namespace" | "stream")
            }
            _ => false,
        }
    }
}

/// One pattern of a format.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) matcher: Matcher,
    pub(crate) groups: Vec<(usize, Group)>,
}

/// A compiled format.
#[derive(Debug)]
pub struct Format {
    /// Unique name.
    pub name: String,
    /// Title for people.
    pub title: String,
    /// Records and what is right for them.
    pub samples: Vec<Sample>,
    pub(crate) schema: Schema,
    pub(crate) patterns: Vec<Pattern>,
    /// The sources of the patterns by which a first line is told: as many as `patterns`, or `begin` for each.
    pub(crate) firsts: Vec<String>,
    /// What tells a first line where `begin` says it.
    pub(crate) begin: Option<Matcher>,
    pub(crate) continues: Vec<String>,
    pub(crate) head: Option<String>,
    pub(crate) fields: Option<String>,
    pub(crate) whole: bool,
    pub(crate) lines: bool,
    /// Whether these lines are no records.
    pub is_heading: bool,
    pub(crate) wraps: bool,
    pub(crate) weak: bool,
    pub(crate) weak_inside: bool,
    pub(crate) octal_controls: bool,
    pub(crate) doubled_quotes: bool,
    /// Whether a record is a call and one line, so that nothing continues it.
    pub(crate) single: bool,
}

/// Compiles one pattern without Unicode classes: it sees bytes, and none of its classes needs more than ASCII.
pub(crate) fn compile(pattern: &str, whole: bool) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).unicode(false).dot_matches_new_line(whole).size_limit(4 << 20).build()
}

impl Format {
    /// The JSON Schema of the file of a format.
    pub fn file_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
        generator.root_schema_for::<FormatFile>()
    }

    /// Compiles a format from TOML. `vocabulary`: the patterns that `%{NAME}` stands for.
    pub fn from_toml(text: &str, vocabulary: &BTreeMap<String, String>, origin: &str) -> Result<Self, FormatError> {
        let fail = |message: String| FormatError { origin: origin.to_owned(), message };
        let file: FormatFile = toml::from_str(text).map_err(|error| fail(error.to_string()))?;
        let mut patterns = Vec::new();
        let mut firsts = Vec::new();
        for written in &file.pattern {
            let source = expand(written, vocabulary).map_err(fail)?;
            let regex = compile(&source, file.whole).map_err(|error| fail(error.to_string()))?;
            let groups =
                regex.capture_names().enumerate().filter_map(|(index, name)| Some((index, group(name?)))).collect();
            let matcher = if file.whole { Matcher::Regex(regex) } else { Matcher::of_line(&source, regex) };
            patterns.push(Pattern { matcher, groups });
            firsts.push(match &file.begin {
                Some(begin) => expand(begin, vocabulary).map_err(fail)?,
                None => source,
            });
        }
        let continues =
            file.continues.iter().map(|text| expand(text, vocabulary)).collect::<Result<_, _>>().map_err(fail)?;
        let begin = match &file.begin {
            Some(text) => {
                let source = expand(text, vocabulary).map_err(fail)?;
                let regex = compile(&source, false).map_err(|error| fail(error.to_string()))?;
                Some(Matcher::of_line(&source, regex))
            }
            None => None,
        };
        let head = file.head.as_deref().map(|text| expand(text, vocabulary)).transpose().map_err(fail)?;
        let single = !file.whole && file.defaults.get("kind").is_some_and(|kind| kind == "api_call");
        let definition = Definition {
            name: file.name.clone(),
            title: file.title.clone(),
            fields: BTreeMap::new(),
            words: file.words,
            defaults: file.defaults,
            duration_unit: file.duration_unit,
            ..Definition::default()
        };
        let schema = Schema::of(definition, origin).map_err(|error| fail(error.message))?.for_logs();
        Ok(Self {
            name: file.name,
            title: file.title,
            samples: file.samples,
            schema,
            patterns,
            firsts,
            begin,
            continues,
            head,
            fields: file.fields,
            whole: file.whole,
            lines: file.lines,
            is_heading: file.is_heading,
            wraps: file.wraps,
            weak: file.weak,
            weak_inside: file.weak_inside,
            octal_controls: file.octal_controls,
            doubled_quotes: file.doubled_quotes,
            single,
        })
    }
}

impl Format {
    /// What tells a first line by a pattern.
    pub(crate) fn first(&self, number: usize) -> &Matcher {
        self.begin.as_ref().unwrap_or(&self.patterns[number].matcher)
    }
}

fn group(name: &str) -> Group {
    match name {
        "pri" => Group::Priority,
        "partial" => Group::Partial,
        "rest" => Group::Rest,
        "fields" => Group::Fields,
        "clock" => Group::Clock,
        _ => Target::parse(name).map_or_else(|| Group::Fact(name.to_owned()), Group::Target),
    }
}

/// Replaces `%{NAME}` and `%{NAME:field}` by the patterns of the vocabulary.
fn expand(pattern: &str, vocabulary: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("%{") {
        out.push_str(before);
        let (reference, tail) = after.split_once('}').ok_or_else(|| format!("'%{{' without '}}' in {pattern}"))?;
        let (name, field) = reference.split_once(':').map_or((reference, None), |(name, field)| (name, Some(field)));
        let known = vocabulary.get(name).ok_or_else(|| format!("no pattern '{name}' in the vocabulary"))?;
        match field {
            Some(field) => out.push_str(&format!("(?P<{field}>{known})")),
            None => out.push_str(&format!("(?:{known})")),
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grok_names_stand_for_patterns() {
        let vocabulary = BTreeMap::from([("NUMBER".to_owned(), r"\d+".to_owned())]);
        assert_eq!(expand("a %{NUMBER:n} %{NUMBER}", &vocabulary).as_deref(), Ok(r"a (?P<n>\d+) (?:\d+)"));
        assert!(expand("%{NONE}", &vocabulary).is_err_and(|error| error.contains("NONE")));
        let wrong = Format::from_toml("name = 'x'", &vocabulary, "x.toml").expect_err("incomplete").to_string();
        assert!(wrong.contains("x.toml"), "{wrong}");
    }
}
