//! Finds out which column of an unknown table is what: by names, types and a sample of the values. Databases and
//! document stores use it for what no schema knows, and `schema draft` prints what it found. No I/O.

use super::Target;
use super::sketch_column::{Holds, Sampled};
use super::sketch_names::{BAD_FLAGS, NAMES, PARTS, is_body, is_usual, meaning_of, normalised};
use super::units::DurationUnit;
use crate::model::Status;
use serde_json::Value;
use std::collections::BTreeSet;

/// A table, or a collection, of which nothing is known but its columns and some of its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableSample {
    /// Name, with its schema where it needs one.
    pub name: String,
    /// The columns that are unique together.
    pub key: Vec<String>,
    /// Columns in their order.
    pub columns: Vec<Sampled>,
    /// Whether the store reads texts as times in every spelling; without it, those of ISO 8601 and digits since the epoch.
    pub reads_any_time: bool,
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
    /// Words of the status that a schema knows only where it says them, and their meaning.
    pub own_words: Vec<(String, Status)>,
    /// The numbers of the level, where it is one, and what they mean.
    pub levels: &'static [(&'static str, &'static str)],
    /// Whether the status is yes or no, which some stores write as a number.
    pub yes_or_no: bool,
    /// Whether yes is a failure: `has_error`.
    pub yes_is_bad: bool,
    /// How much of an activity it has: 0 where it has no time.
    pub score: u32,
}

/// JSON deeper than this is not looked into.
const DEPTH: usize = 3;

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
        // Where the method of HTTP stands in `request`, that and `response` describe the call.
        let describes = describe_call(&columns);
        let of_call = |path: &str| describes && matches!(parent(path).as_str(), "request" | "response");
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
            let is_read = |column: &Sampled| self.reads_any_time || column.is_stored_time();
            let found = match target {
                Target::Status => {
                    // One whose words are known is more likely than one of a better name, and of these one that tells failures.
                    let known = best(names, &|column| fits(column) && column.knows_status());
                    let failing =
                        || best(names, &|column| fits(column) && column.knows_status() && column.tells_failures());
                    let known = known.filter(|column| column.tells_failures()).or_else(failing).or(known);
                    let bad = || best(BAD_FLAGS, &|column| fits(column) && column.holds == Holds::Bool);
                    let other = || outcome(&columns, &fits);
                    known.or_else(bad).or_else(other).or_else(|| best(names, &fits))
                }
                Target::StartedAt => {
                    // A time that every row has is better than one of a better name: what waits has not been started yet.
                    let fits = |column: &Sampled| fits(column) && is_read(column);
                    let whole = |column: &Sampled| fits(column) && column.values.len() == rows && column.is_varied();
                    // Whatever its name is: a time that is not said to be another.
                    let any = |column: &&Sampled| {
                        column.is_time()
                            && is_read(column)
                            && !column.path.contains('.')
                            && !is_other_time(&column.path)
                    };
                    best(names, &whole)
                        .or_else(|| best(names, &|column| fits(column) && column.is_varied()))
                        .or_else(|| columns.iter().filter(any).find(|column| column.is_varied()))
                        .or_else(|| best(names, &fits))
                        .or_else(|| columns.iter().find(any))
                        // The time of the request, where the row has none of its own.
                        .or_else(|| best(names, &|column| is_free(column) && is_read(column)))
                }
                Target::Method | Target::Url | Target::HttpStatus => {
                    best(names, &fits).or_else(|| best(names, &|column| is_free(column) && of_call(&column.path)))
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
        sketch.fit_duration(&columns);
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

/// Whether the method of HTTP stands in `request`.
fn describe_call(columns: &[Sampled]) -> bool {
    let is_method = |column: &&Sampled| normalised(&column.path) == "method" && column.most(super::is_http_method);
    columns.iter().filter(is_method).any(|column| parent(&column.path) == "request")
}

/// What says how things ended, whatever its name is: a column before what is nested in one.
fn outcome<'c>(columns: &'c [Sampled], fits: &dyn Fn(&Sampled) -> bool) -> Option<&'c Sampled> {
    let found = |nested: bool| columns.iter().find(|c| c.path.contains('.') == nested && fits(c) && c.is_outcome());
    found(false).or_else(|| found(true))
}

/// The name of what a path leads into; empty of a column.
fn parent(path: &str) -> String {
    path.rsplit_once('.').map(|(before, _)| normalised(before)).unwrap_or_default()
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

/// The column with the best of the names: columns before what is nested in them, those that have values before others, then in
/// the order of the names.
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
    found.sort_by_key(|(depth, rank, column)| (*depth, column.values.is_empty(), *rank));
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
                let words = column.words();
                let unknown = words.iter().filter(|word| meaning_of(word).is_none());
                self.unknown_words = unknown.map(|word| (*word).to_owned()).collect();
                let own = words.iter().filter(|word| !is_usual(word));
                self.own_words = own.filter_map(|word| Some(((*word).to_owned(), meaning_of(word)?))).collect();
            }
            Target::Level => self.levels = column.levels().unwrap_or_default(),
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
            ..TableSample::default()
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
            ..TableSample::default()
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
                column("state", Holds::Text, &["completed", "Timed Out", "on_the_moon"]),
                column("queued_at", Holds::Int, &["1760000000123"]),
            ],
            ..TableSample::default()
        };
        let sketch = sample.sketch();
        assert_eq!(sketch.time_unit, Some("ms"));
        assert_eq!(sketch.unknown_words, ["on_the_moon"]);
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
            let sample = TableSample {
                name: "calls".to_owned(),
                key: vec!["id".to_owned()],
                columns: all,
                ..TableSample::default()
            };
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
        let of = |columns: Vec<Sampled>| {
            TableSample { name: "t".to_owned(), key: Vec::new(), columns, ..TableSample::default() }.sketch().time
        };
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
        let sketch = TableSample {
            name: "log".to_owned(),
            key: Vec::new(),
            columns: columns.to_vec(),
            ..TableSample::default()
        }
        .sketch();
        assert!(
            taken(&sketch).contains(&("status", "jlgstatus")) && taken(&sketch).contains(&("duration", "jlgduration")),
            "{sketch:?}"
        );
    }

    /// Three rows of a table with one column that may be the outcome.
    fn with_times(column_of_it: Sampled) -> Sketch {
        let times = ["2026-01-01 10:00:00", "2026-01-01 10:01:00", "2026-01-01 10:02:00"];
        let columns = vec![column("at", Holds::Time, &times.repeat(2)), column_of_it];
        TableSample { name: "t".to_owned(), key: Vec::new(), columns, ..TableSample::default() }.sketch()
    }

    #[test]
    fn few_known_words_are_the_outcome_whatever_their_column_is() {
        for words in [
            ["failed", "succeeded", "started", "failed", "succeeded", "succeeded"],
            ["failure", "success", "success", "failure", "success", "success"],
        ] {
            let sketch = with_times(column("type", Holds::Text, &words));
            assert!(taken(&sketch).contains(&("status", "type")), "{sketch:?}");
        }
        // Levels, and names of things, are none.
        for other in [
            ["error", "info", "error", "info", "info", "info"],
            ["SAP", "DHL", "failed", "SAP", "SAP", "DHL"],
            ["true", "false", "false", "true", "true", "true"],
            // Why it failed, which only what failed has.
            ["refused", "refused", "refused", "failed", "failed", "failed"],
        ] {
            let sketch = with_times(column("type", Holds::Text, &other));
            assert!(!taken(&sketch).iter().any(|(target, _)| *target == "status"), "{sketch:?}");
        }
    }

    #[test]
    fn words_of_several_parts_are_told_to_the_schema() {
        let words = ["SYSTEM_FAILURE", "COMPLETED_SUCCESSFULLY", "to retry", "Error!", "refused : Traceback", "ok"];
        let sketch = with_times(column("status", Holds::Text, &words));
        let sample = TableSample { name: "t".to_owned(), ..TableSample::default() };
        let schema = Schema::from_toml(&sketch.toml("t", &sample), "draft").expect("a schema");
        let meant = words.map(|word| schema.definition().word("status", word).to_owned());
        assert_eq!(meant, ["failed", "success", "in_progress", "failed", "refused : Traceback", "success"]);
        assert_eq!(sketch.unknown_words, ["refused : Traceback"]);
        assert_eq!(meaning_of("not ready yet"), None);
    }

    #[test]
    fn numbers_of_loggers_are_levels() {
        let level = |name: &str, values: &[&str]| {
            let sketch = with_times(column(name, Holds::Int, values));
            let sample = TableSample { name: "t".to_owned(), ..TableSample::default() };
            let schema = Schema::from_toml(&sketch.toml("t", &sample), "draft").expect("a schema");
            let found = taken(&sketch).into_iter().any(|(target, _)| target == "level");
            found.then(|| schema.definition().word("level", values[0]).to_owned())
        };
        assert_eq!(level("level", &["400", "200", "200"]).as_deref(), Some("error"));
        assert_eq!(level("severity", &["3", "6", "6"]).as_deref(), Some("error"));
        assert_eq!(level("level", &["3", "6", "6"]), None, "it may be the level of a tree");
        assert_eq!(level("level", &["404", "200", "200"]), None);
        assert_eq!(level("priority", &["100", "100", "100"]), None, "of a queue");
    }

    #[test]
    fn a_time_is_one_that_the_store_reads() {
        let times = ["27/Nov/2026:10:15:00 +0000", "27/Nov/2026:10:16:00 +0000", "27/Nov/2026:10:17:00 +0000"];
        let columns =
            vec![column("time_local", Holds::Text, &times), column("status", Holds::Int, &["200", "502", "200"])];
        let table = TableSample { name: "t".to_owned(), columns, ..TableSample::default() };
        assert_eq!(table.sketch().score, 0, "a draft that its store refuses");
        let documents = TableSample { reads_any_time: true, ..table };
        assert_eq!(documents.sketch().time, "time_local");
    }

    #[test]
    fn a_duration_is_as_long_as_what_passes_between_start_and_end() {
        let columns = vec![
            column("start_time", Holds::Time, &["2026-01-01 10:00:00", "2026-01-01 10:01:00", "2026-01-01 10:02:00"]),
            column(
                "end_time",
                Holds::Time,
                &["2026-01-01 10:00:00.045", "2026-01-01 10:01:00.07", "2026-01-01 10:02:00.1"],
            ),
            column("time_taken", Holds::Float, &["45.5", "70.1", "100.2"]),
        ];
        let sketch = TableSample { name: "t".to_owned(), columns, ..TableSample::default() }.sketch();
        assert_eq!(sketch.duration_unit, Some("ms"));
    }

    #[test]
    fn the_request_and_the_response_of_a_document_describe_the_call() {
        let request = r#"{"method": "POST", "path": "/lab/1", "timestamp": "2026-01-01T10:00:00Z"}"#;
        let columns = |request: &str| {
            vec![
                column("request", Holds::Json, &[request]),
                column("response", Holds::Json, &[r#"{"status": 502, "body": "x"}"#]),
                column("status", Holds::Text, &["Failed"]),
                column("created_at", Holds::Time, &["2026-01-01T10:00:00Z"]),
            ]
        };
        let of = |request: &str| {
            TableSample { name: "t".to_owned(), columns: columns(request), ..TableSample::default() }.sketch()
        };
        for pair in [("http_status", "response.status"), ("method", "request.method"), ("url", "request.path")] {
            assert!(taken(&of(request)).contains(&pair), "{pair:?}: {:?}", of(request));
        }
        // What was sent may have a status and a method of its own.
        let sent = of(r#"{"method": "sepa", "amount": 12}"#);
        assert!(!taken(&sent).iter().any(|(_, path)| path.contains('.')), "{sent:?}");
    }

    #[test]
    fn what_has_no_time_is_no_activity() {
        let columns = vec![column("code", Holds::Text, &["EUR"]), column("name", Holds::Text, &["Euro"])];
        let sample = TableSample {
            name: "currencies".to_owned(),
            key: vec!["code".to_owned()],
            columns,
            ..TableSample::default()
        };
        assert_eq!(sample.sketch().score, 0);
    }
}
