//! What a user hides in the records of a source: whole fields, and what patterns find in fields. It is hidden as records are read,
//! so that nothing behind the source ever has it. And what a user allows there, which is no secret from then on.

use crate::filter::{Expr, Field, Filter, Operand, PathRoot, PathStep, ValueType, suggest};
use crate::model::{
    Activity, Body, Payload, REDACTED, RawRecord, RedactionRule, Side, secret_ranges, show_no_value, show_value,
};
use compact_str::CompactString;
use regex::Regex;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

/// The rules of all sources, as they are configured.
static IN_USE: RwLock<Vec<Arc<Rule>>> = RwLock::new(Vec::new());

/// The longest text that is a value as a whole, in bytes.
const LONGEST_VALUE: usize = 256;

/// Fields by which records are found and joined: without them, nothing holds together.
const IDENTIFYING: &[Field] = &[Field::Id, Field::Request, Field::Correlation, Field::Parent];

/// Uses the rules for every source that is opened from now on, in the whole process.
///
/// # Errors
/// A rule is wrong; the text names it. The rules in use stay.
pub fn configure_withheld(rules: &[RedactionRule]) -> Result<(), String> {
    let rules = rules.iter().enumerate().map(|(index, rule)| Rule::new(index + 1, rule).map(Arc::new));
    let rules = rules.collect::<Result<_, _>>()?;
    *IN_USE.write().unwrap_or_else(PoisonError::into_inner) = rules;
    show_no_value();
    Ok(())
}

/// A rule that can be applied.
#[derive(Debug)]
struct Rule {
    source: Option<Regex>,
    fields: Vec<Operand>,
    patterns: Vec<Regex>,
    /// What is shown. Such a rule hides nothing.
    allow: Vec<Regex>,
}

/// What is hidden in the records of one source.
#[derive(Debug, Clone)]
pub struct Withheld(Vec<Arc<Rule>>);

impl Rule {
    fn new(number: usize, rule: &RedactionRule) -> Result<Self, String> {
        let wrong = |what: String| format!("[[redaction.rule]] {number}: {what}");
        if !rule.allow.is_empty() && !rule.patterns.is_empty() {
            return Err(wrong("it hides by patterns, and shows by allow: write two rules".to_owned()));
        }
        if rule.fields.is_empty() && rule.patterns.is_empty() && rule.allow.is_empty() {
            return Err(wrong("it names neither fields nor patterns, so it hides nothing".to_owned()));
        }
        let source = rule.source.as_ref().map(|name| {
            let parts: Vec<String> = name.split('*').map(regex::escape).collect();
            Regex::new(&format!("(?i)^{}$", parts.join(".*")))
        });
        let pattern = |text: &String| {
            Regex::new(text).map_err(|error| wrong(format!("patterns: '{text}' is no regular expression: {error}")))
        };
        let allowed = |text: &String| {
            Regex::new(text).map_err(|error| wrong(format!("allow: '{text}' is no regular expression: {error}")))
        };
        Ok(Self {
            source: source.transpose().map_err(|error| wrong(format!("source: {error}")))?,
            fields: rule.fields.iter().map(|name| field(name).map_err(wrong)).collect::<Result<_, _>>()?,
            patterns: rule.patterns.iter().map(pattern).collect::<Result<_, _>>()?,
            allow: rule.allow.iter().map(allowed).collect::<Result<_, _>>()?,
        })
    }

    /// Whether it hides a field of the activity, or what its patterns find there.
    fn is_of(&self, field: Field) -> bool {
        self.fields.is_empty() || self.fields.contains(&Operand::Field(field))
    }

    /// Whether it hides its fields as a whole.
    fn is_whole(&self) -> bool {
        self.patterns.is_empty() && self.allow.is_empty()
    }

    /// Shows from now on what it allows of a text: the text itself, where it can be a value, and the secrets in it.
    fn show(&self, text: &str) {
        let is_allowed = |value: &str| self.allow.iter().any(|allowed| allowed.is_match(value));
        if text.len() <= LONGEST_VALUE && !text.contains(char::is_whitespace) && is_allowed(text) {
            show_value(text);
        }
        for secret in secret_ranges(text).into_iter().map(|range| &text[range]) {
            if is_allowed(secret) {
                show_value(secret);
            }
        }
    }

    /// What is left of a text; `None` where nothing is hidden.
    fn text(&self, text: &str) -> Option<String> {
        if !self.allow.is_empty() {
            self.show(text);
            return None;
        }
        if self.patterns.is_empty() {
            return (text != REDACTED).then(|| REDACTED.to_owned());
        }
        let mut safe = Cow::Borrowed(text);
        for pattern in &self.patterns {
            let mut out = String::new();
            let mut at = 0;
            for captured in pattern.captures_iter(&safe) {
                let group = captured.iter().skip(1).flatten().next();
                let Some(hidden) = group.or(captured.get(0)).filter(|hidden| !hidden.is_empty()) else { continue };
                // Groups of two matches do not overlap, matches do not either.
                out.push_str(&safe[at..hidden.start()]);
                out.push_str(REDACTED);
                at = hidden.end();
            }
            if at > 0 {
                out.push_str(&safe[at..]);
                safe = Cow::Owned(out);
            }
        }
        match safe {
            Cow::Owned(safe) if safe != text => Some(safe),
            _ => None,
        }
    }

    /// Hides a value; without patterns all of it, else what they find in its texts and numbers. Whether something changed.
    fn value(&self, value: &mut Value) -> bool {
        if self.is_whole() {
            let is_shown = !value.is_null() && value.as_str() != Some(REDACTED);
            if is_shown {
                *value = Value::String(REDACTED.to_owned());
            }
            return is_shown;
        }
        match value {
            Value::Array(items) => each(items.iter_mut(), |item| self.value(item)),
            Value::Object(fields) => self.fields_of(fields),
            Value::String(text) => self.text(text).map(|safe| *text = safe).is_some(),
            Value::Number(number) => {
                let safe = self.text(&number.to_string());
                safe.map(|safe| *value = Value::String(safe)).is_some()
            }
            Value::Null | Value::Bool(_) => false,
        }
    }

    fn fields_of(&self, fields: &mut Map<String, Value>) -> bool {
        each(fields.values_mut(), |field| self.value(field))
    }

    /// Hides what is at a path of a value. Names are compared without their case, and may have dots: whatever the path may mean, is
    /// hidden.
    fn path(&self, value: &mut Value, steps: &[PathStep]) -> bool {
        let Some((step, rest)) = steps.split_first() else { return self.value(value) };
        match (step, value) {
            (PathStep::Name(_), Value::Object(fields)) => self.named(fields, steps),
            // A path that leaves out the brackets of a list is of each of its items.
            (PathStep::Name(_), Value::Array(items)) => each(items.iter_mut(), |item| self.path(item, steps)),
            (PathStep::Index(index), Value::Array(items)) => {
                items.get_mut(*index).is_some_and(|item| self.path(item, rest))
            }
            (PathStep::Each, Value::Array(items)) => each(items.iter_mut(), |item| self.path(item, rest)),
            _ => false,
        }
    }

    fn named(&self, fields: &mut Map<String, Value>, steps: &[PathStep]) -> bool {
        let (mut name, mut changed) = (String::new(), false);
        for (at, step) in steps.iter().enumerate() {
            let PathStep::Name(part) = step else { break };
            name.push_str(if at > 0 { "." } else { "" });
            name.push_str(part);
            let same = fields.iter_mut().filter(|(known, _)| known.eq_ignore_ascii_case(&name));
            changed |= each(same.map(|(_, field)| field), |field| self.path(field, &steps[at + 1..]));
        }
        changed
    }

    fn side(&self, side: &mut Side, headers: PathRoot, body: PathRoot) {
        self.paths(headers, |steps| side.headers.as_mut().is_some_and(|headers| self.path(headers, steps)));
        self.paths(body, |steps| {
            let Some(body) = &mut side.body else { return false };
            let mut value = body.value().clone();
            if !self.path(&mut value, steps) {
                return false;
            }
            let recorded = std::mem::replace(body, Body::from_value(value));
            (body.bytes, body.truncation) = (recorded.bytes, recorded.truncation);
            true
        });
    }

    /// Does something for each path of a part of the payload; for a rule of every field, once for the whole part.
    fn paths(&self, root: PathRoot, mut each: impl FnMut(&[PathStep]) -> bool) {
        if self.fields.is_empty() {
            each(&[]);
        }
        for operand in &self.fields {
            if let Operand::Path(of, steps) = operand
                && *of == root
            {
                each(steps);
            }
        }
    }

    fn payload(&self, payload: &mut Payload) {
        self.side(&mut payload.request, PathRoot::RequestHeaders, PathRoot::RequestBody);
        self.side(&mut payload.response, PathRoot::ResponseHeaders, PathRoot::ResponseBody);
        self.paths(PathRoot::Metadata, |steps| match steps {
            [] if self.is_whole() => !std::mem::take(&mut payload.metadata).is_empty(),
            [] => self.fields_of(&mut payload.metadata),
            _ => self.named(&mut payload.metadata, steps),
        });
        let texts = [
            (self.is_of(Field::Error), &mut payload.error.message),
            (self.is_of(Field::ErrorType), &mut payload.error.kind),
            (self.is_of(Field::Error), &mut payload.error.stack),
        ];
        for (_, text) in texts.into_iter().filter(|(is_of, _)| *is_of) {
            hide(text, |text| self.text(text));
        }
        self.paths(PathRoot::Stack, |_| hide(&mut payload.error.stack, |text| self.text(text)));
        if !self.allow.is_empty() && !self.fields.is_empty() {
            return;
        }
        for raw in &mut payload.raw {
            if let Some(safe) = self.raw(raw.text()) {
                *raw = RawRecord::new(raw.place.clone(), &safe);
            }
        }
    }

    /// What is left of a record as its store holds it. Only the mapping knows by which names of the store's own it has a field: all
    /// is hidden, unless patterns find it anywhere.
    fn raw(&self, text: &str) -> Option<String> {
        let is_of_whole = |pattern: &Regex| pattern.as_str().contains(['^', '$']) || pattern.as_str().contains("\\A");
        if self.is_whole() || self.patterns.iter().any(is_of_whole) {
            return (text != REDACTED).then(|| REDACTED.to_owned());
        }
        // In JSON, a text may be spelled with escapes.
        let decoded = serde_json::from_str::<Value>(text).ok().filter(|value| value.is_object());
        let decoded = decoded.and_then(|mut value| self.value(&mut value).then(|| value.to_string()));
        let safe = self.text(decoded.as_deref().unwrap_or(text));
        safe.or(decoded)
    }
}

/// Does something to every value, and says whether one of them changed.
fn each<'v>(values: impl Iterator<Item = &'v mut Value>, mut change: impl FnMut(&mut Value) -> bool) -> bool {
    values.filter_map(|value| change(value).then_some(())).count() > 0
}

/// Changes a text that is there; whether it changed.
fn hide<T: AsRef<str> + From<String>>(slot: &mut Option<T>, safe: impl Fn(&str) -> Option<String>) -> bool {
    let hidden = slot.as_ref().and_then(|text| safe(text.as_ref()));
    let is_hidden = hidden.is_some();
    if let Some(hidden) = hidden {
        *slot = Some(hidden.into());
    }
    is_hidden
}

/// The field or path of a name, if it can be hidden.
fn field(name: &str) -> Result<Operand, String> {
    let Some(operand) = Operand::parse(name) else {
        let known = Field::ALL.iter().map(|field| field.name()).chain(["req.body", "req.header", "res.body", "meta"]);
        let near = suggest(name, known).map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        return Err(format!("fields: '{name}' is neither a field nor a path of the payload{near}"));
    };
    match operand {
        Operand::Field(field) if IDENTIFYING.contains(&field) => {
            Err(format!("fields: '{name}' cannot be hidden: records are found and joined by it"))
        }
        Operand::Field(field)
            if field == Field::Source
                || field == Field::Pattern
                || !matches!(field.class(), ValueType::Text | ValueType::Keyword) =>
        {
            Err(format!("fields: '{name}' cannot be hidden: it is no text of a record"))
        }
        operand => Ok(operand),
    }
}

/// The texts of an activity that can be hidden.
fn texts(activity: &mut Activity) -> [(Field, &mut Option<CompactString>); 13] {
    [
        (Field::System, &mut activity.system),
        (Field::Endpoint, &mut activity.endpoint),
        (Field::Method, &mut activity.method),
        (Field::Url, &mut activity.url),
        (Field::Message, &mut activity.message),
        (Field::Error, &mut activity.error),
        (Field::ErrorType, &mut activity.error_type),
        (Field::ErrorAt, &mut activity.error_at),
        (Field::Operation, &mut activity.operation),
        (Field::Entity, &mut activity.entity),
        (Field::Actor, &mut activity.actor),
        (Field::Organization, &mut activity.organization),
        (Field::Tags, &mut activity.tags),
    ]
}

impl Withheld {
    /// What is hidden in the records of a source of this name; `None` where nothing is.
    pub fn of(source: &str) -> Option<Self> {
        let rules = IN_USE.read().unwrap_or_else(PoisonError::into_inner);
        let is_of = |rule: &&Arc<Rule>| rule.source.as_ref().is_none_or(|name| name.is_match(source));
        let rules: Vec<Arc<Rule>> = rules.iter().filter(is_of).cloned().collect();
        (!rules.is_empty()).then_some(Self(rules))
    }

    /// Shows from now on what is allowed of the value of a field.
    pub fn show(&self, field: Field, value: &str) {
        self.0.iter().filter(|rule| rule.is_of(field)).for_each(|rule| rule.show(value));
    }

    /// Hides it in an activity.
    pub fn hide(&self, activity: &mut Activity) {
        for rule in &self.0 {
            for (_, text) in texts(activity).into_iter().filter(|(field, _)| rule.is_of(*field)) {
                hide(text, |text| rule.text(text));
            }
        }
    }

    /// Hides it in a payload. Where whole fields are hidden, so is the record as its store holds it.
    pub fn hide_payload(&self, payload: &mut Payload) {
        self.0.iter().for_each(|rule| rule.payload(payload));
    }

    /// The rules that hide something.
    fn hiding(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.0.iter().filter(|rule| rule.allow.is_empty())
    }

    /// What patterns of every field find in a text that is about records.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let everywhere = self.hiding().filter(|rule| rule.fields.is_empty());
        everywhere.fold(Cow::Borrowed(text), |text, rule| match rule.text(&text) {
            Some(safe) => Cow::Owned(safe),
            None => text,
        })
    }

    /// Whether the values of a field may be hidden.
    pub fn covers(&self, field: Field) -> bool {
        let is_of = |field| self.hiding().any(|rule| rule.is_of(field));
        match field {
            Field::Pattern => is_of(Field::Error) || is_of(Field::Message),
            _ => {
                !IDENTIFYING.contains(&field)
                    && matches!(field.class(), ValueType::Text | ValueType::Keyword)
                    && is_of(field)
            }
        }
    }

    /// The clauses of a filter that compare nothing hidden, for the store; `None` where all do. The others are to be evaluated once
    /// it is hidden: else a filter could ask for what it is.
    pub fn for_the_store(&self, filter: &Filter) -> Option<Filter> {
        let clauses = filter.clauses();
        let plain: Vec<Expr> = clauses.iter().filter(|clause| !self.touches(clause)).map(|c| (*c).clone()).collect();
        (plain.len() < clauses.len()).then(|| {
            Filter::of(match plain.len() {
                0 => Expr::All,
                _ => Expr::And(plain),
            })
        })
    }

    fn touches(&self, expr: &Expr) -> bool {
        match expr {
            Expr::All => false,
            Expr::And(parts) | Expr::Or(parts) => parts.iter().any(|part| self.touches(part)),
            Expr::Not(part) => self.touches(part),
            Expr::Text(_) => Field::SEARCHED.iter().any(|field| self.covers(*field)),
            Expr::Atom(atom) => match &atom.target {
                Operand::Field(field) => self.covers(*field),
                Operand::Path(root, _) => self.hiding().any(|rule| {
                    let is_of_root = |field: &Operand| matches!(field, Operand::Path(of, _) if of == root);
                    rule.fields.is_empty() || *root == PathRoot::Raw || rule.fields.iter().any(is_of_root)
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Id, Timestamp};
    use serde_json::json;

    fn list(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn rule(source: Option<&str>, fields: &[&str], patterns: &[&str]) -> RedactionRule {
        let source = source.map(str::to_owned);
        RedactionRule { source, fields: list(fields), patterns: list(patterns), allow: Vec::new() }
    }

    fn withheld(rules: &[RedactionRule]) -> Withheld {
        Withheld(rules.iter().map(|rule| Arc::new(Rule::new(1, rule).expect("a rule"))).collect())
    }

    fn activity() -> Activity {
        let mut activity = Activity::new(Id::parse("a"), Timestamp(0));
        activity.actor = Some("ann@example.com".into());
        activity.message = Some("customer K-123456 of ann@example.com".into());
        activity
    }

    fn payload() -> Payload {
        let mut payload = Payload::default();
        payload.request.headers = Some(json!({ "X-Customer": "K-123456", "Accept": "*/*" }));
        payload.request.body = Some(Body::from_value(json!({
            "customer": { "name": "Ann", "born": 1970 }, "lines": [{ "sku": "A-1", "note": "for K-123456" }], "n": 123_456,
        })));
        payload.response.body = Some(Body::from_text("no JSON, K-123456"));
        payload.metadata = json!({ "http.user": "ann", "tenant": "acme" }).as_object().cloned().unwrap_or_default();
        payload.error.stack = Some("Error: K-123456\n at f".to_owned());
        payload.raw = vec![RawRecord::new("shop.log".to_owned(), r#"{"user":"ann@example.com","kunde":"K-123456"}"#)];
        payload
    }

    #[test]
    fn a_field_of_the_record_is_hidden_wherever_the_record_has_it() {
        let withheld =
            withheld(&[rule(None, &["user", "req.body.customer", "meta.http.user", "req.header.x-customer"], &[])]);
        let mut activity = activity();
        withheld.hide(&mut activity);
        assert_eq!(activity.actor.as_deref(), Some(REDACTED));
        assert_eq!(activity.message.as_deref(), Some("customer K-123456 of ann@example.com"), "another field");
        let mut payload = payload();
        withheld.hide_payload(&mut payload);
        let body = payload.request.body.as_ref().expect("a body");
        assert_eq!(body.value()["customer"], json!(REDACTED));
        assert_eq!(body.value()["lines"][0]["sku"], json!("A-1"));
        assert_eq!(payload.request.headers, Some(json!({ "X-Customer": REDACTED, "Accept": "*/*" })));
        assert_eq!(Value::Object(payload.metadata), json!({ "http.user": REDACTED, "tenant": "acme" }));
        assert_eq!(&**payload.raw[0].text(), REDACTED, "the store's own spelling of the fields");
    }

    #[test]
    fn what_a_pattern_finds_is_hidden_and_the_rest_stays() {
        let everywhere = withheld(&[rule(None, &[], &[r"\bK-(\d{6})\b"])]);
        let mut one = activity();
        everywhere.hide(&mut one);
        assert_eq!(one.message.as_deref(), Some("customer K-[REDACTED] of ann@example.com"));
        let mut whole = payload();
        everywhere.hide_payload(&mut whole);
        let shown = format!("{whole:?} {}", whole.raw[0].text());
        assert!(!shown.contains("K-123456") && shown.contains("K-[REDACTED]"), "{shown}");
        assert_eq!(whole.request.body.as_ref().expect("a body").value()["n"], json!(123_456), "no match");
        assert_eq!(everywhere.text("customer K-654321"), "customer K-[REDACTED]");
        let one_field = withheld(&[rule(None, &["req.body.lines[*].note"], &[r"K-\d+"])]);
        let mut whole = payload();
        one_field.hide_payload(&mut whole);
        assert_eq!(whole.request.body.as_ref().expect("a body").value()["lines"][0]["note"], json!("for [REDACTED]"));
        assert_eq!(whole.response.body.as_ref().expect("a body").text(), "no JSON, K-123456");
        // A number is a text, too.
        let number = withheld(&[rule(None, &["req.body"], &[r"^\d{6}$"])]);
        let mut whole = payload();
        number.hide_payload(&mut whole);
        assert_eq!(whole.request.body.as_ref().expect("a body").value()["n"], json!(REDACTED));
    }

    #[test]
    fn what_a_rule_allows_is_shown_and_nothing_is_hidden_by_it() {
        let allowing =
            |fields: &[&str]| RedactionRule { allow: list(&["^t-[a-z]+-allowed$"]), ..rule(None, fields, &[]) };
        let shows = withheld(&[allowing(&["message", "req.body.token"])]);
        let mut one = activity();
        one.message = Some("password=t-one-allowed password=t-two-denied".into());
        one.actor = Some("password=t-three-allowed".into());
        let before = one.clone();
        let mut whole = payload();
        whole.request.body = Some(Body::from_value(json!({ "token": "t-four-allowed", "secret": "t-five-allowed" })));
        shows.hide(&mut one);
        shows.hide_payload(&mut whole);
        assert_eq!(one, before, "nothing is hidden");
        let safe = |text: &str| crate::model::redact_text(text).into_owned();
        assert_eq!(safe("password=t-one-allowed"), "password=t-one-allowed");
        for other in ["password=t-two-denied", "password=t-three-allowed", "password=t-five-allowed"] {
            assert_ne!(safe(other), other, "another value, or another field");
        }
        let body = whole.request.body.as_ref().expect("a body").value().clone();
        assert_eq!(crate::model::redact_json(&body), json!({ "token": "t-four-allowed", "secret": REDACTED }));
        let filter = Filter::parse("message:x req.body.token:y raw:z").expect("a filter");
        assert!(shows.for_the_store(&filter).is_none() && !shows.covers(Field::Message));
        assert_eq!(withheld(&[allowing(&[])]).text("t-six-allowed"), "t-six-allowed");
    }

    #[test]
    fn a_filter_cannot_ask_for_what_is_hidden() {
        let actor = withheld(&[rule(None, &["actor", "meta.tenant"], &[])]);
        let asked =
            |text: &str| actor.for_the_store(&Filter::parse(text).expect("a filter")).map(|f| f.clauses().len());
        assert_eq!(asked("status:failed url:/x"), None, "nothing hidden: the filter as it is");
        assert_eq!(asked("status:failed actor:ann"), Some(1));
        assert_eq!(asked("-actor:ann"), Some(0));
        assert_eq!(asked("status:failed (actor:ann OR http:5xx) timeout"), Some(1));
        assert_eq!(asked("meta.tenant:acme http:5xx"), Some(1));
        assert_eq!(asked("raw:acme"), Some(0), "the record itself is hidden");
        assert!(actor.covers(Field::Actor) && !actor.covers(Field::System) && !actor.covers(Field::Pattern));
    }

    #[test]
    fn a_rule_says_what_is_wrong_with_it() {
        for (wrong, said) in [
            (rule(None, &[], &[]), "neither fields nor patterns"),
            (rule(None, &["usr"], &[]), "neither a field nor a path"),
            (rule(None, &["corr"], &[]), "found and joined by it"),
            (rule(None, &["latency"], &[]), "no text of a record"),
            (rule(None, &[], &["("]), "no regular expression"),
            (RedactionRule { allow: list(&["("]), ..rule(None, &[], &[]) }, "allow: '(' is no regular expression"),
            (RedactionRule { allow: list(&["a"]), ..rule(None, &[], &["b"]) }, "write two rules"),
        ] {
            let error = Rule::new(2, &wrong).expect_err(said);
            assert!(error.contains(said) && error.starts_with("[[redaction.rule]] 2: "), "{error}");
        }
        let of = Rule::new(1, &rule(Some("crm-*"), &["actor"], &[])).expect("a rule").source.expect("a name");
        assert!(of.is_match("CRM-eu") && !of.is_match("scrm-eu") && !of.is_match("crm"));
    }
}
