//! Reads and checks the TOML of a rule. An error names the file, the line and the remedy.

use super::message;
use super::rule::{
    ActivityMeasure, MetricMeasure, OfActivities, OfMetric, Rule, Scope, Severity, Threshold, ValueUnit,
};
use crate::failure::State;
use crosstail_core::filter::{Field, Filter, Operand, duration_us, suggest};
use crosstail_core::number::truncated_i64;
use crosstail_core::schema::json_schema::one_of;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// The reason why a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct RuleError {
    /// The file, with the line if it is known.
    pub origin: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// One string or several.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(untagged)]
enum List {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl List {
    fn texts(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::One(one) => vec![one.clone()],
            Self::Many(many) => many.clone(),
        }
    }
}

/// A rule of alerts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = whole_or_off)]
struct Definition {
    /// Unique name. A rule replaces an earlier one with the same name, for example a built-in one.
    name: String,
    /// Title for people.
    #[serde(default)]
    title: String,
    /// How much it matters.
    #[schemars(with = "Severity")]
    severity: String,
    /// The limit: `> 5 %`, `> 5s`, `>= 1000`, `< 95 %`.
    when: String,
    /// The time over which is measured.
    #[serde(default = "five_minutes")]
    window: String,
    /// How long the value must be beyond the limit before the rule fires.
    #[serde(default = "at_once", rename = "for")]
    for_: String,
    /// No new notification before this has passed.
    #[serde(default = "five_minutes")]
    cooldown: String,
    /// How long the value must be within the limit before the alert is resolved.
    #[serde(default = "at_once")]
    clear: String,
    /// How often to notify again while it lasts; never if left out.
    repeat: Option<String>,
    /// Whether the rule is on. To switch a rule off, its name and this are enough.
    #[serde(default = "yes")]
    enabled: bool,
    /// The text of an alert, with `{value}`, `{group}`, `{limit}`, `{window}`, `{of}` and `{count}`.
    #[serde(default)]
    message: String,
    /// What to measure of activities.
    activities: Option<Activities>,
    /// What to measure of metrics, each by itself.
    #[serde(default)]
    metric: Vec<Metrics>,
    /// What to measure of the sources themselves.
    source: Option<Sources>,
    /// What to measure of the objectives of the configuration.
    objective: Option<OfObjectives>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Activities {
    /// The activities to measure; all if left out.
    #[serde(default)]
    filter: String,
    /// What to measure.
    #[schemars(schema_with = "activity_measures")]
    measure: String,
    /// For a share: the activities whose share of all it is.
    of: Option<String>,
    /// The fields to group by.
    #[serde(default)]
    by: List,
    /// The number of activities below which nothing is measured.
    #[serde(default)]
    at_least: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Metrics {
    /// Name of the metric, or several.
    name: List,
    /// Label → value, with `*`.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// What to measure.
    #[schemars(schema_with = "metric_measures")]
    measure: String,
    /// For a share: the labels of what it is the share of.
    of: Option<BTreeMap<String, String>>,
    /// For a ratio: the other metric.
    to: Option<String>,
    /// The labels to group by.
    #[serde(default)]
    by: List,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sources {
    /// How long a source has not been reachable.
    #[schemars(schema_with = "source_measures")]
    measure: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfObjectives {
    /// How many times faster than it lasts the error budget is spent.
    #[schemars(schema_with = "objective_measures")]
    measure: String,
    /// A window that ends sooner than the rule's: the rate must be beyond the limit in both.
    #[serde(default = "five_minutes")]
    short: String,
}

fn objective_measures(_: &mut SchemaGenerator) -> schemars::Schema {
    one_of([BURN_RATE])
}

fn activity_measures(_: &mut SchemaGenerator) -> schemars::Schema {
    one_of(ACTIVITY_MEASURES.iter().copied())
}

fn metric_measures(_: &mut SchemaGenerator) -> schemars::Schema {
    one_of(METRIC_MEASURES.iter().copied())
}

fn source_measures(_: &mut SchemaGenerator) -> schemars::Schema {
    one_of([UNREACHABLE])
}

/// A file has a whole rule, or a name and `enabled = false` alone, as [`Switch`] has it.
fn whole_or_off(schema: &mut schemars::Schema) {
    let whole = schema.remove("required");
    let off =
        json!({ "required": ["name", "enabled"], "properties": { "enabled": { "const": false } }, "maxProperties": 2 });
    schema.insert("anyOf".to_owned(), json!([{ "required": whole }, off]));
}

fn five_minutes() -> String {
    "5m".to_owned()
}

fn at_once() -> String {
    "0s".to_owned()
}

const fn yes() -> bool {
    true
}

const ACTIVITY_MEASURES: &[&str] = &[
    "count",
    "per_second",
    "per_minute",
    "share",
    "p50",
    "p95",
    "p99",
    "mean",
    "silence",
    "drop",
    "new_group",
    "back_again",
];
const UNREACHABLE: &str = "unreachable";
const BURN_RATE: &str = "burn_rate";
const METRIC_MEASURES: &[&str] = &["value", "per_second", "per_minute", "share", "ratio"];
const KEYS: &[&str] = &[
    "name",
    "title",
    "severity",
    "when",
    "window",
    "for",
    "cooldown",
    "clear",
    "repeat",
    "enabled",
    "message",
    "activities",
    "metric",
    "source",
    "objective",
    "short",
    "filter",
    "measure",
    "of",
    "by",
    "at_least",
    "labels",
    "to",
];

/// The error for an unknown word, with a suggestion or the known ones.
fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    let near = suggest(word, known.iter().copied());
    let hint = near.map_or_else(|| format!("known are {}", known.join(", ")), |near| format!("did you mean '{near}'?"));
    format!("{what}: no '{word}'; {hint}")
}

impl Rule {
    /// The JSON Schema of the file of a rule.
    pub fn file_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
        generator.root_schema_for::<Definition>()
    }

    /// Reads the TOML of a rule; returns its name, and `None` if the rule is disabled. `origin` names the file in
    /// errors.
    pub fn from_toml(text: &str, origin: &str) -> Result<(String, Option<Self>), RuleError> {
        Definition::read(text, origin)
    }
}

/// A file that switches a rule on or off, and says nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    name: String,
    enabled: bool,
}

impl Definition {
    /// The rule's name, and the rule unless it is disabled.
    fn read(text: &str, origin: &str) -> Result<(String, Option<Rule>), RuleError> {
        let at = |span: Option<std::ops::Range<usize>>| {
            let line = span.map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            format!("{origin}:{line}")
        };
        // To switch a rule off, its name is enough.
        if let Ok(Switch { name, enabled: false }) = toml::from_str(text) {
            return Ok((name, None));
        }
        let definition: Self = toml::from_str(text).map_err(|error| {
            let mut message = error.message().to_owned();
            let wrong = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
            if let Some(near) = wrong.and_then(|wrong| suggest(wrong, KEYS.iter().copied())) {
                message = format!("{message}; did you mean '{near}'?");
            }
            RuleError { origin: at(error.span()), message }
        })?;
        // An error in a value has the line of its key.
        let rule = definition.rule().map_err(|(key, message)| {
            let line = text.lines().position(|line| line.trim_start().starts_with(key)).map_or(1, |line| line + 1);
            RuleError { origin: format!("{origin}:{line}"), message }
        })?;
        Ok((definition.name.clone(), definition.enabled.then_some(rule)))
    }

    fn rule(&self) -> Result<Rule, (&'static str, String)> {
        let severities: Vec<&str> = Severity::ALL.iter().map(|severity| severity.as_str()).collect();
        let severity = Severity::parse(&self.severity)
            .ok_or_else(|| ("severity", unknown("severity", &self.severity, &severities)))?;
        let length = |key: &'static str, text: &str| {
            let us = duration_us(text)
                .ok_or_else(|| (key, format!("{key}: '{text}' is not a duration; write 30s, 5m, 2h")))?;
            Ok::<i64, (&'static str, String)>(truncated_i64(us))
        };
        let mut scopes = Vec::new();
        let mut units = Vec::new();
        if let Some(activities) = &self.activities {
            let (scope, unit) = activities.scope()?;
            scopes.push(Scope::Activities(Box::new(scope)));
            units.push(unit);
        }
        for metrics in &self.metric {
            let (scope, unit) = metrics.scope()?;
            scopes.push(Scope::Metric(scope));
            units.push(unit);
        }
        if let Some(source) = &self.source {
            if source.measure != UNREACHABLE {
                return Err(("measure", unknown("[source] measure", &source.measure, &[UNREACHABLE])));
            }
            scopes.push(Scope::Unreachable);
            units.push(Some(ValueUnit::Milliseconds));
        }
        if let Some(of) = &self.objective {
            if of.measure != BURN_RATE {
                return Err(("measure", unknown("[objective] measure", &of.measure, &[BURN_RATE])));
            }
            scopes.push(Scope::BurnRate(length("short", &of.short)?));
            units.push(Some(ValueUnit::Times));
        }
        if scopes.is_empty() {
            return Err((
                "name",
                "a rule needs something to measure: add [activities], [[metric]], [source] or [objective]".to_owned(),
            ));
        }
        let (threshold, written) = limit(&self.when).map_err(|message| ("when", message))?;
        // The unit of a metric's value is that of the limit as written.
        let unit = units.iter().flatten().next().copied().or(written).unwrap_or(ValueUnit::Count);
        if units.iter().flatten().any(|other| *other != unit) {
            return Err(("measure", "[activities] and [[metric]] must measure in the same unit".to_owned()));
        }
        let fits = match (written, unit) {
            (None, ValueUnit::Milliseconds | ValueUnit::Percent) => false,
            (None, _) => true,
            (Some(written), unit) => written == unit,
        };
        if !fits {
            return Err((
                "when",
                format!(
                    "when: '{}' has another unit than what is measured; write it as {}",
                    self.when,
                    match unit {
                        ValueUnit::Percent => "> 5 %",
                        ValueUnit::Milliseconds => "> 5s",
                        _ => "> 100",
                    }
                ),
            ));
        }
        let of_failures = |scope: &Scope| matches!(scope, Scope::Activities(of) if of.measure.of_failures().is_some());
        let message = match self.message.as_str() {
            "" if scopes.iter().any(of_failures) => message::OF_FAILURES.to_owned(),
            "" => message::DEFAULT.to_owned(),
            own => own.to_owned(),
        };
        message::check(&message).map_err(|message| ("message", message))?;
        let window_us = length("window", &self.window)?;
        if window_us <= 0 {
            return Err(("window", "window: must be longer than 0".to_owned()));
        }
        Ok(Rule {
            name: self.name.clone(),
            title: if self.title.is_empty() { self.name.clone() } else { self.title.clone() },
            severity,
            threshold,
            unit,
            window_us,
            for_us: length("for", &self.for_)?,
            cooldown_us: length("cooldown", &self.cooldown)?,
            clear_us: length("clear", &self.clear)?,
            repeat_us: self.repeat.as_deref().map(|text| length("repeat", text)).transpose()?,
            message,
            scopes,
        })
    }
}

/// Parses a limit, and its unit if it has one.
fn limit(text: &str) -> Result<(Threshold, Option<ValueUnit>), String> {
    let fail = || format!("when: '{text}' is not a comparison; write > 5 %, > 5s, >= 1000, < 95 %");
    let text = text.trim();
    let (above, or_equal, rest) = match text.as_bytes() {
        [b'>', b'=', ..] => (true, true, &text[2..]),
        [b'<', b'=', ..] => (false, true, &text[2..]),
        [b'>', ..] => (true, false, &text[1..]),
        [b'<', ..] => (false, false, &text[1..]),
        _ => return Err(fail()),
    };
    let rest = rest.trim();
    let (limit, unit) = if let Some(percent) = rest.strip_suffix('%') {
        (percent.trim().parse().map_err(|_| fail())?, Some(ValueUnit::Percent))
    } else if let Ok(number) = rest.parse::<f64>() {
        (number, None)
    } else {
        (duration_us(&rest.replace(' ', "")).ok_or_else(fail)? / 1e3, Some(ValueUnit::Milliseconds))
    };
    Ok((Threshold { above, or_equal, limit }, unit))
}

fn filter(key: &'static str, text: &str) -> Result<Filter, (&'static str, String)> {
    let filter = Filter::parse(text).map_err(|error| (key, format!("{key}:\n{}", error.with_carets(text))))?;
    if filter.expr().atoms().iter().any(|atom| matches!(atom.target, Operand::Path(..))) {
        return Err((key, format!("{key}: a rule cannot test payloads, which are not in memory")));
    }
    Ok(filter)
}

impl Activities {
    fn scope(&self) -> Result<(OfActivities, Option<ValueUnit>), (&'static str, String)> {
        let keeps = filter("filter", &self.filter)?;
        let (measure, unit) = match self.measure.as_str() {
            "count" => (ActivityMeasure::Count, ValueUnit::Count),
            "per_second" => (ActivityMeasure::PerSecond, ValueUnit::PerSecond),
            "per_minute" => (ActivityMeasure::PerMinute, ValueUnit::PerMinute),
            "share" => {
                let Some(of) = &self.of else {
                    return Err((
                        "measure",
                        "measure: a share needs `of = \"FILTER\"`, the activities that it is a share of".to_owned(),
                    ));
                };
                (ActivityMeasure::Share(filter("of", of)?), ValueUnit::Percent)
            }
            "p50" => (ActivityMeasure::Quantile(0.5), ValueUnit::Milliseconds),
            "p95" => (ActivityMeasure::Quantile(0.95), ValueUnit::Milliseconds),
            "p99" => (ActivityMeasure::Quantile(0.99), ValueUnit::Milliseconds),
            "mean" => (ActivityMeasure::Mean, ValueUnit::Milliseconds),
            "silence" => (ActivityMeasure::Silence, ValueUnit::Percent),
            "drop" => (ActivityMeasure::Drop, ValueUnit::Deviations),
            "new_group" => (ActivityMeasure::Failures(State::New), ValueUnit::Count),
            "back_again" => (ActivityMeasure::Failures(State::BackAgain), ValueUnit::Count),
            other => return Err(("measure", unknown("[activities] measure", other, ACTIVITY_MEASURES))),
        };
        let field = |name: &String| {
            let known: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
            Field::parse(name).ok_or_else(|| ("by", unknown("by", name, &known)))
        };
        let by = self.by.texts().iter().map(field).collect::<Result<Vec<_>, _>>()?;
        if matches!(measure, ActivityMeasure::Failures(_)) && !by.is_empty() {
            return Err(("by", "by: each group of failures is an alert of its own: leave by out".to_owned()));
        }
        let usual = matches!(measure, ActivityMeasure::Silence | ActivityMeasure::Drop);
        if usual && by != [Field::System] {
            return Err(("by", "by: the baseline is per system: write by = \"system\"".to_owned()));
        }
        if usual && !keeps.is_all() {
            return Err((
                "filter",
                "filter: the baseline covers all activities of a system: leave the filter out".to_owned(),
            ));
        }
        Ok((OfActivities { filter: keeps, measure, by, at_least: self.at_least }, Some(unit)))
    }
}

impl Metrics {
    fn scope(&self) -> Result<(OfMetric, Option<ValueUnit>), (&'static str, String)> {
        let (measure, unit) = match self.measure.as_str() {
            "value" => (MetricMeasure::Value, None),
            "per_second" => (MetricMeasure::PerSecond, Some(ValueUnit::PerSecond)),
            "per_minute" => (MetricMeasure::PerMinute, Some(ValueUnit::PerMinute)),
            "share" => {
                let Some(of) = &self.of else {
                    return Err(("measure", "measure: a share needs `of = { label = \"value\" }`".to_owned()));
                };
                let labels = of.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                (MetricMeasure::Share(labels), Some(ValueUnit::Percent))
            }
            "ratio" => {
                let Some(to) = &self.to else {
                    return Err(("measure", "measure: a ratio needs `to = \"name\"`, the other metric".to_owned()));
                };
                (MetricMeasure::Ratio(to.clone()), Some(ValueUnit::Percent))
            }
            other => return Err(("measure", unknown("[[metric]] measure", other, METRIC_MEASURES))),
        };
        let names = self.name.texts();
        if names.is_empty() {
            return Err(("name", "[[metric]] name: write the name of a metric".to_owned()));
        }
        let labels = self.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok((OfMetric { names, labels, measure, by: self.by.texts() }, unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = \"r\"\nseverity = \"critical\"\nwhen = \"> 5 %\"\n[activities]\nmeasure = \"share\"\nof = \"http:5xx\"\nby = \"system\"\n";

    #[test]
    fn a_rule_is_read() {
        let (name, rule) = Definition::read(GOOD, "r.toml").expect("good");
        let rule = rule.expect("on");
        assert_eq!((name.as_str(), rule.unit, rule.threshold.limit), ("r", ValueUnit::Percent, 5.0));
        assert_eq!((rule.window_us, rule.cooldown_us, rule.for_us), (300_000_000, 300_000_000, 0));
        assert!(rule.threshold.is_beyond(5.1) && !rule.threshold.is_beyond(5.0));
        let off = Definition::read(&format!("enabled = false\n{GOOD}"), "r.toml").expect("good").1;
        assert!(off.is_none());
    }

    #[test]
    fn an_error_names_the_line_and_the_remedy() {
        for (from, to, line, says) in [
            ("severity = \"critical\"", "severity = \"critcal\"", 2, "did you mean 'critical'?"),
            ("when = \"> 5 %\"", "when = \"5 %\"", 3, "write > 5 %"),
            ("when = \"> 5 %\"", "when = \"> 5s\"", 3, "write it as > 5 %"),
            ("when =", "wen =", 3, "did you mean 'when'?"),
            ("of = \"http:5xx\"", "of = \"htp:5xx\"", 6, "htp"),
            ("of = \"http:5xx\"", "of = \"req.body:x\"", 6, "payloads"),
            ("by = \"system\"", "by = \"sistem\"", 7, "did you mean 'system'?"),
            ("measure = \"share\"", "measure = \"shares\"", 5, "did you mean 'share'?"),
            ("measure = \"share\"", "measure = \"drop\"", 3, "write it as"),
            ("measure = \"share\"", "measure = \"new_group\"", 7, "leave by out"),
            ("[activities]", "message = \"{valu}\"\n[activities]", 4, "did you mean '{value}'?"),
        ] {
            let error = Definition::read(&GOOD.replacen(from, to, 1), "r.toml").expect_err(to);
            assert_eq!(error.origin, format!("r.toml:{line}"), "{to}: {error}");
            assert!(error.message.contains(says), "{to}: {error}");
        }
    }
}
