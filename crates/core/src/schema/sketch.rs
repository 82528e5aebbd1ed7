//! Finds out which column of an unknown table is what: by names, types and a sample of the values. Databases and
//! document stores use it for what no schema knows, and `schema draft` prints what it found. No I/O.

use super::Target;
use super::sketch_names::{BAD_FLAGS, NAMES, PARTS, is_body, normalised, status_of};
use super::units::DurationUnit;
use crate::model::{Level, Status, Timestamp, parse_timestamp};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a column can hold, by its type in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Whole numbers.
    Int,
    /// Numbers with a fraction.
    Float,
    /// Yes or no.
    Bool,
    /// Moments or dates.
    Time,
    /// Lengths of time.
    Interval,
    /// UUIDs.
    Uuid,
    /// JSON.
    Json,
    /// Text.
    Text,
    /// Anything else.
    Other,
}

/// A column, or a path into documents, with some of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled {
    /// Its name; a path with dots into a document.
    pub path: String,
    /// What it can hold.
    pub holds: Holds,
    /// Some of its values as text, without those that are absent.
    pub values: Vec<String>,
}

/// A table, or a collection, of which nothing is known but its columns and some of its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableSample {
    /// Name, with its schema where it needs one.
    pub name: String,
    /// The columns that are unique together.
    pub key: Vec<String>,
    /// Columns in their order.
    pub columns: Vec<Sampled>,
}

/// What was taken for what.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sketch {
    /// The columns of the row's key.
    pub key: Vec<String>,
    /// Path of the start time.
    pub time: String,
    /// Its unit, where it is a number since the epoch.
    pub time_unit: Option<&'static str>,
    /// Name of a target and the path that fills it.
    pub fields: Vec<(&'static str, String)>,
    /// Part of a payload and its path.
    pub parts: Vec<(&'static str, String)>,
    /// Unit of the duration, where its name does not say it.
    pub duration_unit: Option<&'static str>,
    /// Words of the status that are not known: they are to be mapped by people.
    pub unknown_words: Vec<String>,
    /// Whether the status is yes or no, which some stores write as a number.
    pub yes_or_no: bool,
    /// Whether yes is a failure: `has_error`.
    pub yes_is_bad: bool,
    /// How much of an activity it has: 0 where it has no time.
    pub score: u32,
}

/// Values longer than this are no words.
const WORD: usize = 40;
/// From so many values on it shows whether they are all different.
const DISTINCT: usize = 20;
/// JSON deeper than this is not looked into.
const DEPTH: usize = 3;

impl Sampled {
    fn all(&self, test: impl Fn(&str) -> bool) -> bool {
        let mut some = false;
        let fits = self.values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()).all(|value| {
            some = true;
            test(value)
        });
        some && fits
    }

    /// At least four of five: a stray value does not change what a column is.
    fn most(&self, test: impl Fn(&str) -> bool) -> bool {
        let values: Vec<&str> = self.values.iter().map(|value| value.trim()).filter(|v| !v.is_empty()).collect();
        !values.is_empty() && values.iter().filter(|value| test(value)).count() * 5 >= values.len() * 4
    }

    fn is_number(&self) -> bool {
        matches!(self.holds, Holds::Int | Holds::Float)
            || (matches!(self.holds, Holds::Text | Holds::Other) && self.most(|value| value.parse::<f64>().is_ok()))
    }

    fn is_text(&self) -> bool {
        matches!(self.holds, Holds::Text | Holds::Other | Holds::Uuid)
    }

    /// The unit of a number since the epoch, by its size; `None` where it is none.
    fn epoch_unit(&self) -> Option<&'static str> {
        if !matches!(self.holds, Holds::Int | Holds::Float) {
            return None;
        }
        let largest = self.values.iter().filter_map(|value| value.parse::<f64>().ok()).fold(0.0, f64::max);
        epoch_unit_of(largest)
    }

    fn is_time(&self) -> bool {
        match self.holds {
            Holds::Time => true,
            Holds::Int | Holds::Float => self.epoch_unit().is_some(),
            Holds::Text | Holds::Other => self.most(|value| {
                value.len() >= 10
                    && value.contains(['-', '/', '.', ':'])
                    && parse_timestamp(value).is_some_and(plausible)
            }),
            _ => false,
        }
    }

    fn is_http_status(&self) -> bool {
        self.is_number() && self.most(|value| value.parse::<f64>().is_ok_and(|code| (100.0..600.0).contains(&code)))
    }

    fn words(&self) -> BTreeSet<&str> {
        self.values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()).collect()
    }

    /// Whether its values are a few words.
    fn is_words(&self) -> bool {
        self.holds == Holds::Bool
            || (self.is_text()
                && self.holds != Holds::Uuid
                && self.words().len() <= 16
                && self.all(|word| word.len() <= WORD))
    }

    /// Whether it fits a target; an empty sample is judged by its type alone.
    fn fits(&self, target: Target) -> bool {
        let empty = self.values.iter().all(|value| value.trim().is_empty());
        match target {
            Target::StartedAt | Target::CompletedAt | Target::NextRetryAt => {
                self.is_time() || (empty && self.holds == Holds::Time)
            }
            Target::HttpStatus => {
                if empty {
                    self.holds == Holds::Int
                } else {
                    self.is_http_status()
                }
            }
            Target::Status => {
                if empty {
                    self.is_text()
                } else {
                    self.is_words() && !self.is_http_status()
                }
            }
            Target::Duration => self.holds == Holds::Interval || self.is_number() && !self.is_epoch(),
            Target::Attempt | Target::MaxAttempts => {
                self.is_number() && self.all(|n| n.parse::<f64>().is_ok_and(|n| (0.0..1000.0).contains(&n)))
            }
            Target::Level => {
                self.is_words() && self.holds != Holds::Bool && self.most(|word| Level::parse_logged(word).is_some())
            }
            Target::Method => self.is_text() && (empty || self.most(super::is_http_method)),
            Target::Url => {
                self.is_text() && (empty || self.most(|value| value.contains("://") || value.starts_with('/')))
            }
            Target::Error => self.is_text() || self.holds == Holds::Json,
            Target::Message => self.is_text() && self.holds != Holds::Uuid,
            Target::Direction => {
                self.is_words() && self.most(|word| crate::model::Direction::parse_any(word).is_some())
            }
            Target::RequestId | Target::CorrelationId | Target::ParentRequestId => {
                self.is_text() || self.holds == Holds::Int
            }
            Target::System | Target::Endpoint | Target::Operation => {
                self.is_text()
                    && self.holds != Holds::Uuid
                    && !self.is_identity()
                    && (empty || self.most(|value| value.len() <= 200))
            }
            Target::ErrorType => self.is_text() || self.holds == Holds::Int,
            _ => self.holds != Holds::Json && self.holds != Holds::Time,
        }
    }

    /// Whether nearly every row has another value.
    fn is_identity(&self) -> bool {
        let words = self.words().len();
        self.values.len() >= DISTINCT && words * 10 >= self.values.len() * 9
    }

    /// Whether its rows have a value, and not all the same.
    fn is_varied(&self) -> bool {
        !self.values.is_empty() && (self.values.len() < 3 || self.words().len() > 1)
    }

    /// Whether at least half of its words are known as words of a status.
    fn knows_status(&self) -> bool {
        let words = self.words();
        // `None` is also what a function returned.
        let known = words.iter().filter(|word| status_of(word).is_some() && normalised(word) != "none").count();
        known > 0 && known * 2 >= words.len()
    }

    /// Whether one of its words is that of a failure.
    fn tells_failures(&self) -> bool {
        self.holds != Holds::Bool
            && self.words().iter().any(|word| matches!(status_of(word), Some(Status::Failed | Status::Timeout)))
    }

    fn is_epoch(&self) -> bool {
        self.epoch_unit().is_some()
    }
}

/// The unit in which a number since the epoch lies between 2000 and 2100.
pub fn epoch_unit_of(number: f64) -> Option<&'static str> {
    const FIRST: f64 = 946_684_800.0;
    const LAST: f64 = 4_102_444_800.0;
    [("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)]
        .into_iter()
        .find(|(_, unit)| (FIRST..LAST).contains(&(number / unit)))
        .map(|(unit, _)| unit)
}

fn plausible(at: Timestamp) -> bool {
    at.0 > 0 && at.0 < 4_102_444_800_000_000
}

impl TableSample {
    /// The columns, and the paths into those that hold JSON objects.
    pub(super) fn expanded(&self) -> Vec<Sampled> {
        let mut all = self.columns.clone();
        for column in &self.columns {
            if !matches!(column.holds, Holds::Json | Holds::Text) {
                continue;
            }
            let objects: Vec<Value> = column
                .values
                .iter()
                .filter(|value| value.trim_start().starts_with('{'))
                .filter_map(|value| serde_json::from_str(value).ok())
                .collect();
            if objects.is_empty() || objects.len() * 2 < column.values.len() {
                continue;
            }
            for object in &objects {
                expand(object, &column.path, 1, &mut all);
            }
        }
        all
    }

    /// What the names of all columns begin with, such as `jlg`: it says nothing of any of them.
    fn prefix(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| normalised(&column.path)).collect();
        let Some(first) = names.first().filter(|_| names.len() >= 4) else { return String::new() };
        let common =
            |length: &usize| names.iter().all(|name| name.len() > *length && name[..*length] == first[..*length]);
        let length = (1..first.len()).take_while(common).last().unwrap_or_default();
        first[..length].to_owned()
    }

    /// What is what in the table.
    pub fn sketch(&self) -> Sketch {
        let columns = self.expanded();
        let prefix = self.prefix();
        let best = |names: &str, fits: &dyn Fn(&Sampled) -> bool| best(&columns, &prefix, names, fits);
        let rows = columns.iter().map(|column| column.values.len()).max().unwrap_or_default();
        let mut sketch = Sketch { key: self.key.clone(), ..Sketch::default() };
        let mut taken: BTreeSet<&str> = BTreeSet::new();
        // A request's own JSON has names of its own: only columns, and what describes the row, say what the row is. Where
        // columns tell of a call, what has no better name than `content` is what was sent.
        let tells_call = self.columns.iter().any(|column| {
            normalised(&column.path).contains("status") && !column.values.is_empty() && column.is_http_status()
        });
        let in_body = |path: &str| path.split('.').rev().skip(1).any(|step| is_body(&normalised(step), tells_call));
        for (name, target, names) in NAMES {
            if *target == Target::Id {
                continue;
            }
            let is_free = |column: &Sampled| {
                // The key is no status and no time of anything.
                let is_key = self.key.len() == 1 && self.key[0] == column.path && *target != Target::RequestId;
                column.fits(*target) && !is_key && !taken.contains(column.path.as_str())
            };
            let fits = |column: &Sampled| is_free(column) && !in_body(&column.path);
            let found = match target {
                Target::Status => {
                    // One whose words are known is more likely than one of a better name, and of these one that tells failures.
                    let known = best(names, &|column| fits(column) && column.knows_status());
                    let failing =
                        || best(names, &|column| fits(column) && column.knows_status() && column.tells_failures());
                    let known = known.filter(|column| column.tells_failures()).or_else(failing).or(known);
                    let bad = || best(BAD_FLAGS, &|column| fits(column) && column.holds == Holds::Bool);
                    known.or_else(bad).or_else(|| best(names, &fits))
                }
                Target::StartedAt => {
                    // A time that every row has is better than one of a better name: what waits has not been started yet.
                    let whole = |column: &Sampled| fits(column) && column.values.len() == rows && column.is_varied();
                    // Whatever its name is: a time that is not said to be another.
                    let any = |column: &&Sampled| {
                        column.is_time() && !column.path.contains('.') && !is_other_time(&column.path)
                    };
                    best(names, &whole)
                        .or_else(|| best(names, &|column| fits(column) && column.is_varied()))
                        .or_else(|| columns.iter().filter(any).find(|column| column.is_varied()))
                        .or_else(|| best(names, &fits))
                        .or_else(|| columns.iter().find(any))
                        // The time of the request, where the row has none of its own.
                        .or_else(|| best(names, &is_free))
                }
                _ => best(names, &fits),
            };
            let Some(column) = found else { continue };
            taken.insert(&column.path);
            sketch.take(name, *target, column);
            if *target == Target::Status {
                sketch.yes_is_bad = BAD_FLAGS.split(' ').any(|flag| flag == without(&column.path, &prefix));
            }
        }
        if sketch.time.is_empty() {
            return Sketch::default();
        }
        // Of jobs that say no more than their name, that name tells them apart.
        let of = |fields: &[(&str, String)], name: &str| {
            fields.iter().find(|(target, _)| *target == name).map(|(_, path)| path.clone())
        };
        if of(&sketch.fields, "system").is_none()
            && let Some(path) = of(&sketch.fields, "endpoint")
        {
            sketch.fields.push(("system", path));
        }
        for (part, names) in PARTS {
            let found = best(names, &|column| {
                let is_taken = taken.iter().any(|path| {
                    path.strip_prefix(column.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                });
                !is_taken && (matches!(column.holds, Holds::Json) || column.is_text()) && column.holds != Holds::Uuid
            });
            if let Some(column) = found {
                taken.insert(&column.path);
                sketch.parts.push((part, column.path.clone()));
                sketch.score += 1;
            }
        }
        if let [only] = self.key.as_slice()
            && columns.iter().any(|column| column.path == *only && column.is_text())
        {
            sketch.fields.push(("id", only.clone()));
        }
        if sketch.key.is_empty() {
            sketch.key = vec![sketch.time.clone()];
        }
        sketch
    }
}

/// Whether the name of a time says that it is not the start.
fn is_other_time(path: &str) -> bool {
    let name = normalised(path);
    ["expire", "update", "delete", "birth", "next", "until", "end", "finish", "complete", "retry"]
        .iter()
        .any(|word| name.contains(word))
}

/// The name of a column, as it is compared, without what all names begin with.
fn without(path: &str, prefix: &str) -> String {
    let name = normalised(path);
    let is_nested = path.contains('.');
    name.strip_prefix(prefix).filter(|_| !is_nested).map_or(name.clone(), str::to_owned)
}

/// The column with the best of the names: columns before what is nested in them, then in the order of the names.
fn best<'c>(columns: &'c [Sampled], prefix: &str, names: &str, fits: &dyn Fn(&Sampled) -> bool) -> Option<&'c Sampled> {
    let rank = |column: &Sampled| {
        let name = without(&column.path, prefix);
        names.split(' ').position(|known| known == name)
    };
    let mut found: Vec<(usize, usize, &Sampled)> = columns
        .iter()
        .filter_map(|column| Some((column.path.matches('.').count(), rank(column)?, column)))
        .filter(|(_, _, column)| fits(column))
        .collect();
    found.sort_by_key(|(depth, rank, _)| (*depth, *rank));
    found.first().map(|(_, _, column)| *column)
}

/// Adds the values of an object's paths.
fn expand(value: &Value, prefix: &str, depth: usize, into: &mut Vec<Sampled>) {
    let Value::Object(object) = value else { return };
    for (key, value) in object {
        // A name with a dot is no path.
        if key.is_empty() || key.contains('.') {
            continue;
        }
        let path = format!("{prefix}.{key}");
        let holds = match value {
            Value::Null => continue,
            Value::Bool(_) => Holds::Bool,
            Value::Number(n) if n.is_f64() => Holds::Float,
            Value::Number(_) => Holds::Int,
            Value::String(_) => Holds::Text,
            Value::Array(_) => Holds::Json,
            Value::Object(_) => {
                if depth < DEPTH {
                    expand(value, &path, depth + 1, into);
                }
                Holds::Json
            }
        };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match into.iter_mut().find(|known| known.path == path) {
            Some(known) => {
                if known.holds != holds {
                    known.holds = if known.is_number() && holds == Holds::Float { Holds::Float } else { Holds::Text };
                }
                known.values.push(text);
            }
            None => into.push(Sampled { path, holds, values: vec![text] }),
        }
    }
}

impl Sketch {
    fn take(&mut self, name: &'static str, target: Target, column: &Sampled) {
        self.fields.push((name, column.path.clone()));
        self.score += match target {
            Target::HttpStatus | Target::Status | Target::Error | Target::Level => 3,
            Target::Duration | Target::Url | Target::Method | Target::StartedAt => 2,
            _ => 1,
        };
        match target {
            Target::StartedAt => {
                self.time.clone_from(&column.path);
                self.time_unit = column.epoch_unit();
            }
            Target::Duration if column.holds != Holds::Interval => {
                let named = DurationUnit::of_name(&column.path);
                // Numbers with a fraction and few before it are seconds.
                let small = column.all(|value| value.parse::<f64>().is_ok_and(|n| n < 1000.0))
                    && column.values.iter().any(|value| value.contains('.'));
                self.duration_unit = Some(match named {
                    Some(DurationUnit::S) => "s",
                    Some(DurationUnit::Us) => "us",
                    Some(DurationUnit::Ns) => "ns",
                    Some(_) => "ms",
                    None if column.holds != Holds::Int && small => "s",
                    None => "ms",
                });
            }
            Target::Status => {
                self.yes_or_no = column.holds == Holds::Bool;
                let unknown = column.words().into_iter().filter(|word| status_of(word).is_none());
                self.unknown_words = unknown.map(str::to_owned).collect();
            }
            _ => {}
        }
    }

    /// Whether it is an activity more likely than anything else that has a time.
    pub fn is_likely(&self) -> bool {
        self.score >= 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    fn column(path: &str, holds: Holds, values: &[&str]) -> Sampled {
        Sampled { path: path.to_owned(), holds, values: values.iter().map(|value| (*value).to_owned()).collect() }
    }

    fn taken(sketch: &Sketch) -> Vec<(&str, &str)> {
        sketch.fields.iter().map(|(target, path)| (*target, path.as_str())).collect()
    }

    #[test]
    fn names_types_and_values_decide_what_a_column_is() {
        let sample = TableSample {
            name: "api_calls".to_owned(),
            key: vec!["id".to_owned()],
            columns: vec![
                column("id", Holds::Int, &["1", "2"]),
                column("ts", Holds::Time, &["2026-01-01 10:00:00+00"]),
                column("partner", Holds::Text, &["SAP", "DHL"]),
                column("path", Holds::Text, &["/v1/orders/1"]),
                column("code", Holds::Int, &["200", "502"]),
                column("ms", Holds::Int, &["12", "900"]),
                column("err", Holds::Text, &["bad gateway"]),
            ],
        };
        let sketch = sample.sketch();
        for pair in [
            ("started_at", "ts"),
            ("system", "partner"),
            ("url", "path"),
            ("http_status", "code"),
            ("duration", "ms"),
            ("error", "err"),
        ] {
            assert!(taken(&sketch).contains(&pair), "{pair:?}: {sketch:?}");
        }
        assert!(sketch.is_likely());
        let schema = Schema::from_toml(&sketch.toml("api_calls", &sample), "draft").expect("a schema");
        assert!(!schema.names_status());
    }

    #[test]
    fn json_in_a_text_column_is_looked_into() {
        let content =
            r#"{"method": "POST", "uri": "https://a.example/x", "response_status": 500, "headers": {"host": "a"}}"#;
        let sample = TableSample {
            name: "telescope_entries".to_owned(),
            key: vec!["sequence".to_owned()],
            columns: vec![
                column("sequence", Holds::Int, &["1"]),
                column("type", Holds::Text, &["client_request"]),
                column("content", Holds::Text, &[content]),
                column("created_at", Holds::Time, &["2026-01-01 10:00:00"]),
            ],
        };
        let sketch = sample.sketch();
        for pair in [("method", "content.method"), ("url", "content.uri"), ("http_status", "content.response_status")] {
            assert!(taken(&sketch).contains(&pair), "{pair:?}: {sketch:?}");
        }
        assert!(sketch.parts.contains(&("request_headers", "content.headers".to_owned())), "{sketch:?}");
    }

    #[test]
    fn words_of_a_status_mean_what_they_usually_mean() {
        let sample = TableSample {
            name: "jobs".to_owned(),
            key: Vec::new(),
            columns: vec![
                column("state", Holds::Text, &["completed", "Timed Out", "waiting_on_moon"]),
                column("queued_at", Holds::Int, &["1760000000123"]),
            ],
        };
        let sketch = sample.sketch();
        assert_eq!(sketch.time_unit, Some("ms"));
        assert_eq!(sketch.unknown_words, ["waiting_on_moon"]);
        let schema = Schema::from_toml(&sketch.toml("jobs", &sample), "draft").expect("a schema");
        assert_eq!(schema.definition().word("status", "Timed Out"), "timeout");
        assert_eq!(schema.definition().word("status", "COMPLETED"), "success");
    }

    #[test]
    fn an_outcome_is_where_failures_are_told() {
        let of = |columns: Vec<Sampled>| {
            let mut all = vec![
                column("id", Holds::Int, &["1", "2", "3"]),
                column("created", Holds::Time, &["2026-01-01", "2026-01-02", "2026-01-03"]),
            ];
            all.extend(columns);
            let sample = TableSample { name: "calls".to_owned(), key: vec!["id".to_owned()], columns: all };
            let sketch = sample.sketch();
            let schema = Schema::from_toml(&sketch.toml("calls", &sample), "draft").expect("a schema");
            let status = taken(&sketch).into_iter().find(|(target, _)| *target == "status");
            (status.map(|(_, path)| path.to_owned()), schema)
        };
        // What a task returned is no outcome, and what was done may have failed.
        let (path, _) = of(vec![
            column("result", Holds::Text, &["None", "None"]),
            column("success", Holds::Bool, &["true", "false"]),
        ]);
        assert_eq!(path.as_deref(), Some("success"));
        let (path, _) = of(vec![
            column("status", Holds::Text, &["done"]),
            column("resolution", Holds::Text, &["success", "failure"]),
        ]);
        assert_eq!(path.as_deref(), Some("resolution"));
        let (path, schema) = of(vec![column("has_error", Holds::Bool, &["true", "false"])]);
        assert_eq!(path.as_deref(), Some("has_error"));
        assert_eq!(
            ["true", "0"].map(|word| schema.definition().word("status", word).to_owned()),
            ["failed", "success"]
        );
        // A word of what was received says nothing of the call.
        let (path, _) = of(vec![
            column("status_code", Holds::Int, &["200", "200"]),
            column("content", Holds::Text, &[r#"{"ok": true, "status": "sent"}"#]),
        ]);
        assert_eq!(path, None);
    }

    #[test]
    fn a_time_is_one_that_differs_and_may_be_that_of_the_request() {
        let of = |columns: Vec<Sampled>| TableSample { name: "t".to_owned(), key: Vec::new(), columns }.sketch().time;
        let times = ["2026-01-01 10:00:00", "2026-01-01 10:01:00", "2026-01-01 10:02:00"];
        let same = ["1900-01-01 00:00:00"; 3];
        assert_eq!(
            of(vec![column("STARTDATE", Holds::Time, &same), column("LOGDATE", Holds::Time, &times)]),
            "LOGDATE"
        );
        assert_eq!(of(vec![column("started_at", Holds::Time, &[]), column("noted", Holds::Time, &times)]), "noted");
        let request = r#"{"timestamp": "2026-01-01T10:00:00Z", "path": "/a"}"#;
        assert_eq!(of(vec![column("request", Holds::Json, &[request])]), "request.timestamp");
        let all = ["jlgid", "jlgstatus", "jlgstart", "jlgduration"];
        let columns = all.map(|name| match name {
            "jlgstart" => column(name, Holds::Time, &times),
            "jlgduration" => column(name, Holds::Interval, &["00:00:01"]),
            _ => column(name, Holds::Text, &["s", "f"]),
        });
        let sketch = TableSample { name: "log".to_owned(), key: Vec::new(), columns: columns.to_vec() }.sketch();
        assert!(
            taken(&sketch).contains(&("status", "jlgstatus")) && taken(&sketch).contains(&("duration", "jlgduration")),
            "{sketch:?}"
        );
    }

    #[test]
    fn what_has_no_time_is_no_activity() {
        let columns = vec![column("code", Holds::Text, &["EUR"]), column("name", Holds::Text, &["Euro"])];
        let sample = TableSample { name: "currencies".to_owned(), key: vec!["code".to_owned()], columns };
        assert_eq!(sample.sketch().score, 0);
    }
}
