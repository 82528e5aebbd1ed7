//! Schemas: TOML that maps the fields of a store to an activity, compiled to a tree of keys.

mod assemble;
mod completed;
mod definition;
mod endpoint;
pub mod json;
#[cfg(feature = "json-schema")]
pub mod json_schema;
mod moments;
mod no_error;
mod payload;
mod sketch;
mod sketch_column;
mod sketch_duration;
mod sketch_names;
mod sketch_text;
mod stack;
mod table;
mod tree;
mod units;

pub use assemble::{Assembler, CONTAINER, LONGEST_US, NESTED, Scalar, is_http_method};
pub use definition::{CatalogueTable, Definition, MetricDefinition, Recognise, SchemaError, SeriesTable, Template};
pub use endpoint::{endpoint_of_url, system_of_url};
pub use no_error::{NO_ERROR, NO_ERROR_TEXT, no_error_text, says_error};
pub use sketch::{Sketch, TableSample};
pub use sketch_column::{Holds, Sampled, epoch_unit_of};
pub use table::{Key, Lookup, StoreKind, Table, TimeUnit, other_unit};
pub use tree::{Node, Target};
pub use units::DurationUnit;

use crate::model::{Activity, Direction, Kind, Level, Status};
use crate::number::saturating_i64;
use compact_str::CompactString;
use completed::Completed;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// The first line of a file in a folder beside the configuration: by which JSON Schema editors check and complete it.
pub fn line_for_editors(kind: &str) -> String {
    format!("#:schema ../json-schema/{kind}.json\n")
}

/// What a rule sets on a matching record.
#[derive(Debug, Clone, Default)]
pub struct Rule {
    /// Pairs of target and value that must all match.
    when: Vec<(Target, String)>,
    kind: Option<Kind>,
    direction: Option<Direction>,
    status: Option<Status>,
    phase: Option<Phase>,
}

/// Which part of an activity a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The start.
    Start,
    /// The outcome, which the HTTP status decides.
    Complete,
    /// The failure.
    Fail,
}

/// A compiled schema, ready to map records. A clone shares what is large.
#[derive(Debug, Clone)]
pub struct Schema {
    /// Unique name, as `--schema` accepts it.
    pub name: String,
    /// Title for people.
    pub title: String,
    /// The table that it maps, if any.
    pub table: Option<Table>,
    /// Built when it is first needed: of the trees of all built-in schemas, which take megabytes, few are.
    tree: Arc<OnceLock<Node>>,
    /// The definition without what it takes from others.
    written: Arc<Definition>,
    /// Made when it is first needed, for the same reason.
    completed: Arc<OnceLock<Completed>>,
    /// Whether records are what loggers write: see [`Schema::for_logs`].
    logged: bool,
    records: Arc<[Self]>,
}

/// Name and TOML of the built-in schemas. Where several fit equally well, the first one wins.
const BUILT_IN: &[(&str, &str)] = &[
    ("halopsa", include_str!("../../../../config/schemas/halopsa.toml")),
    ("pino", include_str!("../../../../config/schemas/pino.toml")),
    ("loki", include_str!("../../../../config/schemas/loki.toml")),
    ("filebeat", include_str!("../../../../config/schemas/filebeat.toml")),
    ("postgres-json", include_str!("../../../../config/schemas/postgres-json.toml")),
    ("bunyan", include_str!("../../../../config/schemas/bunyan.toml")),
    ("sidekiq", include_str!("../../../../config/schemas/sidekiq.toml")),
    ("ecs", include_str!("../../../../config/schemas/ecs.toml")),
    ("nextcloud", include_str!("../../../../config/schemas/nextcloud.toml")),
    ("grafana", include_str!("../../../../config/schemas/grafana.toml")),
    ("lager", include_str!("../../../../config/schemas/lager.toml")),
    ("python-levels", include_str!("../../../../config/schemas/python-levels.toml")),
    ("zap", include_str!("../../../../config/schemas/zap.toml")),
    ("zap-short", include_str!("../../../../config/schemas/zap-short.toml")),
    ("mysql-json", include_str!("../../../../config/schemas/mysql-json.toml")),
    ("liberty", include_str!("../../../../config/schemas/liberty.toml")),
    ("okta", include_str!("../../../../config/schemas/okta.toml")),
    ("appinsights", include_str!("../../../../config/schemas/appinsights.toml")),
    ("appinsights-export", include_str!("../../../../config/schemas/appinsights-export.toml")),
    ("datadog", include_str!("../../../../config/schemas/datadog.toml")),
    ("logrus", include_str!("../../../../config/schemas/logrus.toml")),
    ("otlp", include_str!("../../../../config/schemas/otlp.toml")),
    ("otlp-traces", include_str!("../../../../config/schemas/otlp-traces.toml")),
    ("otlp-record", include_str!("../../../../config/schemas/otlp-record.toml")),
    ("cloudflare", include_str!("../../../../config/schemas/cloudflare.toml")),
    ("cloudfront", include_str!("../../../../config/schemas/cloudfront.toml")),
    ("aws-waf", include_str!("../../../../config/schemas/aws-waf.toml")),
    ("envoy", include_str!("../../../../config/schemas/envoy.toml")),
    ("serilog", include_str!("../../../../config/schemas/serilog.toml")),
    ("clef", include_str!("../../../../config/schemas/clef.toml")),
    ("gelf", include_str!("../../../../config/schemas/gelf.toml")),
    ("journald", include_str!("../../../../config/schemas/journald.toml")),
    ("fluentd", include_str!("../../../../config/schemas/fluentd.toml")),
    ("firelens", include_str!("../../../../config/schemas/firelens.toml")),
    ("docker", include_str!("../../../../config/schemas/docker.toml")),
    ("cloudwatch", include_str!("../../../../config/schemas/cloudwatch.toml")),
    ("mongodb", include_str!("../../../../config/schemas/mongodb.toml")),
    ("loguru", include_str!("../../../../config/schemas/loguru.toml")),
    ("traefik", include_str!("../../../../config/schemas/traefik.toml")),
    ("caddy", include_str!("../../../../config/schemas/caddy.toml")),
    ("echo", include_str!("../../../../config/schemas/echo.toml")),
    ("gcp", include_str!("../../../../config/schemas/gcp.toml")),
    ("gcp-entry", include_str!("../../../../config/schemas/gcp-entry.toml")),
    ("kubernetes-event", include_str!("../../../../config/schemas/kubernetes-event.toml")),
    ("cloudtrail", include_str!("../../../../config/schemas/cloudtrail.toml")),
    ("kubernetes-audit", include_str!("../../../../config/schemas/kubernetes-audit.toml")),
    ("sap-cpi", include_str!("../../../../config/schemas/sap-cpi.toml")),
    ("azure", include_str!("../../../../config/schemas/azure.toml")),
    ("vault", include_str!("../../../../config/schemas/vault.toml")),
    ("w3c", include_str!("../../../../config/schemas/w3c.toml")),
    ("json", include_str!("../../../../config/schemas/json.toml")),
    ("crosstail", include_str!("../../../../config/schemas/crosstail.toml")),
    ("integration-activity", include_str!("../../../../config/schemas/integration-activity.toml")),
    ("prokure", include_str!("../../../../config/schemas/prokure.toml")),
    ("log-tracking", include_str!("../../../../config/schemas/log-tracking.toml")),
    ("engineering-logs", include_str!("../../../../config/schemas/engineering-logs.toml")),
    ("temporal", include_str!("../../../../config/schemas/temporal.toml")),
];

impl Schema {
    /// Compiles a schema from TOML. `origin` names it in errors.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, SchemaError> {
        Self::of(Definition::parse(text, origin)?, origin)
    }

    /// Compiles a schema. `origin` names it in errors.
    pub fn of(definition: Definition, origin: &str) -> Result<Self, SchemaError> {
        let schema = Self::unbuilt(definition);
        schema.build(origin)?;
        Ok(schema)
    }

    fn build(&self, origin: &str) -> Result<(), SchemaError> {
        let _ = self.completed.set(Completed::of(Definition::clone(&self.written), origin)?);
        let _ = self.tree.set(Node::build(self.definition(), origin)?);
        self.records.iter().try_for_each(|record| record.build(origin))
    }

    fn unbuilt(mut definition: Definition) -> Self {
        let records = std::mem::take(&mut definition.records).into_iter().map(Self::unbuilt).collect();
        Self {
            name: definition.name.clone(),
            title: definition.title.clone(),
            table: definition.table.clone(),
            tree: Arc::default(),
            written: Arc::new(definition),
            completed: Arc::default(),
            logged: false,
            records,
        }
    }

    fn completed(&self) -> &Completed {
        self.completed.get_or_init(|| {
            let completed = Completed::of(Definition::clone(&self.written), &self.name);
            completed.unwrap_or_else(|_| Completed::as_written(&self.written))
        })
    }

    /// The schema for records in which of the duration's paths only those occur that `is_there` names: where these have one
    /// unit, it is the unit of the duration.
    #[must_use]
    pub fn with_durations_at(mut self, is_there: impl Fn(&str) -> bool) -> Self {
        let Completed { definition, duration_units, .. } = self.completed();
        let paths = definition.fields.get("duration").map(table::Paths::list).unwrap_or_default();
        let there = paths.iter().zip(duration_units).filter(|(path, _)| is_there(path)).map(|(_, unit)| *unit);
        if let Some(unit) = the_only(there)
            && unit != definition.duration_unit
        {
            let mut completed = self.completed().clone();
            completed.definition.duration_unit = unit;
            self.completed = Arc::new(OnceLock::from(completed));
        }
        self
    }

    /// The mappings of tables that a kind of store has: the schema's own table and those of its further records.
    pub fn tables(&self, kind: StoreKind) -> impl Iterator<Item = (&Self, &Table)> {
        self.every_table().filter(move |(_, table)| table.is_in(kind))
    }

    /// The first kind of store that a table names and that `known` lacks.
    pub fn unknown_store(&self, known: &[&str]) -> Option<&str> {
        let named = self.every_table().flat_map(|(_, table)| &table.stores);
        named.map(String::as_str).find(|store| !known.contains(store))
    }

    /// The mappings of all tables, for any kind of store.
    pub fn every_table(&self) -> impl Iterator<Item = (&Self, &Table)> {
        std::iter::once(self).chain(self.records.iter()).filter_map(|schema| Some((schema, schema.table.as_ref()?)))
    }

    /// How to read the records of a table, index or topic as measurements; `None` where they are activities.
    pub fn series_of(&self, table: &str) -> Option<&SeriesTable> {
        let fits = |pattern: &String| glob::Pattern::new(pattern).is_ok_and(|glob| glob.matches(table));
        self.definition().series.iter().find(|series| series.tables.iter().any(fits))
    }

    /// Whether records are parts that join to one activity.
    pub fn has_phases(&self) -> bool {
        self.completed().rules.iter().any(|rule| rule.phase.is_some())
    }

    /// Whether rules test several fields of a record, so that only the local evaluator can apply them.
    pub fn has_rules(&self) -> bool {
        !self.completed().rules.is_empty()
    }

    /// The schema for records as loggers write them: levels and outcomes in any spelling, fields in nested objects, each
    /// duration in the unit that its name says, and a call where a method or URL has an HTTP status. No store evaluates any
    /// of this.
    #[must_use]
    pub fn for_logs(mut self) -> Self {
        self.logged = true;
        let nests = self.definition().nests.clone();
        self.change_tree(|tree| {
            tree.nest(&nests);
            tree.tell_outcomes();
        });
        self
    }

    /// Marks a path, or a text at it, with a bit of [`Assembler::marks`].
    pub fn mark(&mut self, path: &str, text: Option<&str>, bit: u128) {
        self.change_tree(|tree| tree.mark(path, text, bit));
    }

    fn change_tree(&mut self, change: impl FnOnce(&mut Node)) {
        let own = Arc::get_mut(&mut self.tree).and_then(OnceLock::take);
        let mut tree = own.or_else(|| self.tree.get().cloned()).unwrap_or_else(|| self.built_tree());
        change(&mut tree);
        self.tree = Arc::new(OnceLock::from(tree));
    }

    /// The tree of a definition that is known to have one: [`Self::of`] tells of errors, and a test builds the built-in ones.
    fn built_tree(&self) -> Node {
        Node::build(self.definition(), &self.name).unwrap_or_default()
    }

    /// All built-in schemas, in order of precedence.
    pub fn built_in() -> Vec<Self> {
        (0..BUILT_IN.len()).filter_map(Self::built_in_at).cloned().collect()
    }

    /// Each is compiled when somebody first asks for it, once: sources ask with every query, and one schema extends
    /// another.
    fn built_in_at(index: usize) -> Option<&'static Self> {
        static COMPILED: [OnceLock<Option<Schema>>; BUILT_IN.len()] = [const { OnceLock::new() }; BUILT_IN.len()];
        let (name, text) = BUILT_IN[index];
        let compiled = COMPILED[index].get_or_init(|| {
            let schema = Definition::parse(text, name).map(Self::unbuilt);
            debug_assert!(schema.is_ok(), "built-in schema {name}: {schema:?}");
            schema.ok()
        });
        compiled.as_ref()
    }

    /// The built-in schema with a name.
    pub fn find(name: &str) -> Option<Self> {
        let index = BUILT_IN.iter().position(|(known, _)| *known == name)?;
        Self::built_in_at(index).cloned()
    }

    /// The TOML of a built-in schema.
    pub fn text(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The tree of keys that a decoder walks.
    pub fn tree(&self) -> &Node {
        self.tree.get_or_init(|| self.built_tree())
    }

    /// The schema as written, with what it takes from the one that it extends.
    pub fn definition(&self) -> &Definition {
        &self.completed().definition
    }

    /// What a record has to have to be read by this schema.
    pub fn recognition(&self) -> &Recognise {
        &self.written.recognise
    }

    /// How well a record fits: the number of conditions it meets, of which `equals` counts three times. `None` where it
    /// fails a required one, or the schema has none.
    pub fn fit(&self, record: &serde_json::Map<String, serde_json::Value>) -> Option<usize> {
        let expect = self.recognition();
        if expect.all.is_empty() && expect.equals.is_empty() {
            return None;
        }
        let has = |path: &String| lookup(record, path).is_some();
        let equal = expect
            .equals
            .iter()
            .all(|(path, value)| lookup(record, path).and_then(serde_json::Value::as_str) == Some(value.as_str()));
        let any = expect.any.is_empty() || expect.any.iter().any(has);
        (expect.all.iter().all(has) && equal && any)
            .then(|| expect.all.len() + 3 * expect.equals.len() + expect.any.iter().filter(|p| has(p)).count())
    }

    /// The sum of [`Self::fit`] over records.
    pub fn score(&self, records: &[serde_json::Map<String, serde_json::Value>]) -> usize {
        records.iter().filter_map(|record| self.fit(record)).sum()
    }

    /// The schema that fits the records best, else the one for JSON without a known schema.
    pub fn best_of<'s>(known: &'s [Self], records: &[serde_json::Map<String, serde_json::Value>]) -> Option<&'s Self> {
        let best = known.iter().rev().max_by_key(|schema| schema.score(records));
        best.filter(|best| best.score(records) > 0).or_else(|| known.iter().find(|schema| schema.name == "json"))
    }

    /// The first rule that matches a record.
    fn rule<'v>(&self, found: &dyn Fn(Target) -> Option<Cow<'v, str>>) -> Option<&Rule> {
        self.completed().rules.iter().find(|rule| {
            rule.when.iter().all(|(target, value)| found(*target).is_some_and(|text| value == "*" || text == *value))
        })
    }

    /// Whether a record is one of several parts of an activity.
    pub fn is_phase(&self, record: &Assembler<'_>) -> bool {
        record.raw(Target::RequestId).is_some()
            && self.rule(&|target| record.raw(target)).is_some_and(|rule| rule.phase.is_some())
    }

    /// Whether the status of every record is said by something of the schema. Otherwise it follows from the HTTP status and
    /// the error where nothing says it.
    pub fn names_status(&self) -> bool {
        self.definition().fields.contains_key("status") && !self.definition().status_is_optional
            || self.completed().rules.iter().any(|rule| rule.status.is_some() || rule.phase.is_some())
    }

    /// The outcome where no field says it: an error of HTTP, or a text of an error, is a failure. A line of a log may
    /// tell of an error without being one.
    fn outcome(&self, activity: &Activity) -> Option<Status> {
        let http = activity.http_status;
        let refused = http.is_some_and(|code| code >= 400) && !self.definition().http_errors_may_succeed;
        let error = activity.error.is_some() && (http.is_some() || activity.level.is_none());
        match http {
            _ if refused || error => Some(Status::Failed),
            Some(_) => Some(Status::Success),
            None => None,
        }
    }

    /// Applies defaults, words, rules and derivations to what an assembler has collected.
    fn derive<'v>(&self, activity: &mut Activity, found: &dyn Fn(Target) -> Option<Cow<'v, str>>) {
        let defaults = &self.definition().defaults;
        let word =
            |target, key: &str| found(target).map(|word| CompactString::from(self.definition().word(key, &word)));
        let logged = self.logged;
        let level = if logged { Level::parse_logged } else { Level::parse_any };
        activity.level = word(Target::Level, "level").and_then(|w| level(&w));
        activity.level = activity.level.or_else(|| defaults.get("level").and_then(|w| Level::parse(w)));
        activity.kind = word(Target::Kind, "kind")
            .and_then(|w| Kind::parse(&w))
            .or_else(|| defaults.get("kind").and_then(|w| Kind::parse(w)))
            .unwrap_or(if activity.level.is_some() { Kind::Log } else { Kind::Other });
        activity.direction = word(Target::Direction, "direction")
            .and_then(|w| Direction::parse_any(&w))
            .or_else(|| defaults.get("direction").and_then(|w| Direction::parse_any(w)))
            .unwrap_or(Direction::Internal);
        let status = if logged { sketch_names::outcome_of } else { Status::parse };
        activity.status = word(Target::Status, "status").and_then(|w| status(&w));
        if self.definition().canonical {
            return;
        }
        activity.message_rank = self.definition().message_rank.min(3);
        if let Some(rule) = self.rule(found) {
            activity.kind = rule.kind.unwrap_or(activity.kind);
            activity.direction = rule.direction.unwrap_or(activity.direction);
            activity.status = rule.status.or(activity.status);
            match rule.phase {
                Some(Phase::Start) => activity.status = Some(Status::InProgress),
                Some(Phase::Complete) => {
                    let bad = activity.http_status.is_some_and(|code| code >= 400);
                    activity.status = Some(if bad { Status::Failed } else { Status::Success });
                    activity.message_rank = 1;
                }
                Some(Phase::Fail) => {
                    activity.status = Some(Status::Failed);
                    activity.message_rank = 2;
                }
                None => {}
            }
            activity.part = rule.phase.is_some() && activity.request_id.is_some();
            if matches!(rule.phase, Some(Phase::Complete | Phase::Fail)) {
                // The record is written at the end, so the start is earlier by the duration.
                activity.completed_at = Some(activity.started_at);
                activity.started_at = activity.started_at.plus_us(-saturating_i64(activity.duration_us.unwrap_or(0)));
                activity.exact_start = false;
            }
        }
        if activity.status == Some(Status::Success)
            && activity.http_status.is_some_and(|code| code >= 400)
            && !self.definition().http_errors_may_succeed
        {
            activity.status = Some(Status::Failed);
        }
        if logged {
            complete_call(activity);
        } else if !logged && activity.status.is_none() && !self.names_status() {
            activity.status = self.outcome(activity);
        }
        if activity.system.is_none() {
            activity.exact_system = false;
            if self.definition().system_from_url {
                activity.system = activity.url.as_deref().and_then(system_of_url);
            }
            activity.system = activity.system.take().or_else(|| found(Target::Service).map(CompactString::from));
            activity.system = activity.system.take().or_else(|| found(Target::Logger).map(CompactString::from));
            activity.system = activity.system.take().or_else(|| defaults.get("system").map(CompactString::from));
        }
        if activity.endpoint.is_none() {
            activity.endpoint = activity.url.as_deref().and_then(endpoint_of_url);
        }
        let ends = activity.status.is_some_and(Status::is_finished) && activity.completed_at.is_none();
        if !activity.part && ends && activity.exact_start {
            activity.completed_at = activity.duration_us.map(|us| activity.started_at.plus_us(saturating_i64(us)));
        }
    }
}

/// The one value of all; `None` where there are several, or none.
fn the_only<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// A log record with an HTTP status has an outcome, if it names none itself; with a method or URL, too, it is a call.
fn complete_call(activity: &mut Activity) {
    let Some(code) = activity.http_status else { return };
    let is_call = activity.method.is_some() || activity.url.is_some() || activity.kind == Kind::ApiCall;
    // Other numbers than those of HTTP are in fields of the same names, such as the exit code of a process.
    if !is_call && !(200..600).contains(&code) {
        return;
    }
    let outcome = if code >= 400 { Status::Failed } else { Status::Success };
    activity.status = activity.status.or(Some(outcome));
    if is_call && matches!(activity.kind, Kind::Log | Kind::Other) {
        activity.kind = Kind::ApiCall;
    }
}

/// The value at a dotted path. A dot may be part of a key or lead into an object.
pub fn lookup<'a>(record: &'a serde_json::Map<String, serde_json::Value>, path: &str) -> Option<&'a serde_json::Value> {
    record.get(path).or_else(|| {
        path.match_indices('.')
            .find_map(|(dot, _)| lookup(only(record.get(&path[..dot])?).as_object()?, &path[dot + 1..]))
    })
}

/// What a value is read as: a list of one value is that value. Lists in lists are no values.
pub fn only(value: &serde_json::Value) -> &serde_json::Value {
    match value.as_array().map(Vec::as_slice) {
        Some([one]) if !one.is_array() => one,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_names_the_outcome_of_a_document_it_follows_from_http_and_the_error() {
        let schema = Schema::find("json").expect("a schema");
        let status = |text: &str| {
            let mut assembler = Assembler::default();
            super::json::scan(text, schema.tree(), &mut assembler).expect("JSON");
            assembler.finish(&schema, crate::model::Id::parse("1"), crate::model::Timestamp::UNDATED).status
        };
        assert_eq!(status(r#"{"status_code": 502}"#), Some(Status::Failed));
        assert_eq!(status(r#"{"status_code": 204}"#), Some(Status::Success));
        assert_eq!(status(r#"{"message": "hello"}"#), None);
        assert_eq!(status(r#"{"error": {"message": "refused"}}"#), Some(Status::Failed));
        assert_eq!(status(r#"{"status_code": 200, "outcome": "failed"}"#), Some(Status::Failed));
        for nothing in ["false", "0", "null", "{}", r#"{"message": null}"#, r#""none""#, r#""""#] {
            assert_eq!(status(&format!(r#"{{"error": {nothing}}}"#)), None, "{nothing}");
        }
        // A line that tells of an error is none.
        assert_eq!(status(r#"{"level": "warn", "error": "refused"}"#), None);
    }

    #[test]
    fn a_list_of_one_value_is_that_value() {
        let schema = Schema::find("json").expect("a schema");
        let read = |text: &str| {
            let mut assembler = Assembler::default();
            super::json::scan(text, schema.tree(), &mut assembler).expect("JSON");
            assembler.finish(&schema, crate::model::Id::parse("1"), crate::model::Timestamp::UNDATED)
        };
        let one =
            read(r#"{"method": ["GET"], "status_code": [ 502 ], "error": [{"message": "refused"}], "message": ["m"]}"#);
        assert_eq!(one.method.as_deref(), Some("GET"));
        assert_eq!((one.http_status, one.status), (Some(502), Some(Status::Failed)));
        assert_eq!((one.error.as_deref(), one.message.as_deref()), (Some("refused"), Some("m")));
        let more = read(r#"{"method": ["GET", "PUT"], "url": [], "status_code": [[502]]}"#);
        assert_eq!((more.method, more.url, more.http_status), (None, None, None));
    }

    #[test]
    fn the_built_in_schemas_compile() {
        for (name, text) in BUILT_IN {
            assert!(Schema::from_toml(text, name).is_ok(), "{name}: {:?}", Schema::from_toml(text, name));
        }
    }
}
