//! The left side of a comparison by its name, and its values: columns, facets, groups and exported columns are of these, too.

use super::ast::{Operand, PathRoot, PathStep};
use super::fields::{Field, quote};
use super::{parse, resolve_path, value_text};
use crate::model::{Activity, Names, Payload, redact_json};
use serde_json::{Map, Value};
use std::fmt;

/// Values deeper than this are not listed.
const DEEPEST: usize = 12;
/// Elements of an array that are looked at for paths.
const ELEMENTS: usize = 16;
/// Paths of one payload that are listed.
const PATHS: usize = 2000;

impl PathRoot {
    /// Its name in a filter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequestHeaders => "req.header",
            Self::RequestBody => "req.body",
            Self::ResponseHeaders => "res.header",
            Self::ResponseBody => "res.body",
            Self::Metadata => "meta",
            Self::Stack => "stack",
            Self::Raw => "raw",
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (root, steps) = match self {
            Self::Field(field) => return f.write_str(field.name()),
            Self::Path(root, steps) => (root, steps),
        };
        f.write_str(root.name())?;
        steps.iter().try_for_each(|step| match step {
            PathStep::Name(name) => write!(f, ".{name}"),
            PathStep::Index(index) => write!(f, "[{index}]"),
            PathStep::Each => f.write_str("[*]"),
        })
    }
}

impl Operand {
    /// The field or payload path that a name stands for.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        let is_written_so = name.chars().all(|c| is_of_name(c) || matches!(c, '.' | '[' | ']' | '*'));
        parse::target(name).filter(|_| is_written_so)
    }

    /// Whether its values are in payloads, which memory does not hold.
    pub const fn is_of_payload(&self) -> bool {
        matches!(self, Self::Path(..))
    }

    /// A clause that compares it with a value.
    pub fn clause(&self, value: &str) -> String {
        format!("{self}:{}", quote(value))
    }

    /// Its values in an activity, as texts; none where it is absent. An object or array is JSON text. What is a secret by its
    /// name or form is redacted, if it is of the payload.
    pub fn values(&self, activity: &Activity, names: &Names, payload: Option<&Payload>) -> Vec<String> {
        match self {
            Self::Field(field) => value_text(activity, *field, names).into_iter().collect(),
            Self::Path(..) => payload.map(|payload| self.found(payload)).unwrap_or_default().iter().map(text).collect(),
        }
    }

    /// Like [`Self::values`], in one text.
    pub fn text(&self, activity: &Activity, names: &Names, payload: Option<&Payload>) -> Option<String> {
        let values = self.values(activity, names, payload);
        if values.is_empty() { None } else { Some(values.join(", ")) }
    }

    /// What a payload has at the path as JSON without secrets: the value, or the list of several; null where there is none.
    pub fn json(&self, payload: &Payload) -> Value {
        let mut found = self.found(payload);
        match found.len() {
            0 => Value::Null,
            1 => found.swap_remove(0),
            _ => Value::Array(found),
        }
    }

    /// The values of a path without secrets.
    fn found(&self, payload: &Payload) -> Vec<Value> {
        let Self::Path(root, steps) = self else { return Vec::new() };
        let mut found = Vec::new();
        resolve_path(payload, *root, steps, &mut found);
        let name = steps.iter().rev().find_map(|step| match step {
            PathStep::Name(name) => Some(name.as_str()),
            _ => None,
        });
        let safe = |value: &Value| match name {
            // A name may say that its value is secret.
            Some(name) => match redact_json(&Value::Object(Map::from_iter([(name.to_owned(), value.clone())]))) {
                Value::Object(mut one) => one.shift_remove(name).unwrap_or(Value::Null),
                other => other,
            },
            None => redact_json(value),
        };
        found.iter().filter(|value| !value.is_null()).map(|value| safe(value)).collect()
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a character can be in a step of a path.
fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '-')
}

/// The paths of a payload that lead to a value which is no object and no array, each once. What a filter cannot name, as it has
/// other characters than names have, is left out.
pub fn paths_of(payload: &Payload) -> Vec<Operand> {
    let mut walk = Walk { root: PathRoot::Metadata, steps: Vec::new(), found: Vec::new() };
    let metadata = Value::Object(payload.metadata.clone());
    let body = |body: &Option<crate::model::Body>| body.as_ref().map(|body| body.value().clone());
    for (root, value) in [
        (PathRoot::Metadata, Some(metadata)),
        (PathRoot::RequestHeaders, payload.request.headers.clone()),
        (PathRoot::RequestBody, body(&payload.request.body)),
        (PathRoot::ResponseHeaders, payload.response.headers.clone()),
        (PathRoot::ResponseBody, body(&payload.response.body)),
    ] {
        if let Some(value) = value {
            walk.root = root;
            walk.value(&value);
        }
    }
    walk.found
}

/// The steps to where it is.
struct Walk {
    root: PathRoot,
    steps: Vec<PathStep>,
    found: Vec<Operand>,
}

impl Walk {
    fn value(&mut self, value: &Value) {
        if self.steps.len() >= DEEPEST || self.found.len() >= PATHS {
            return;
        }
        match value {
            Value::Null => {}
            Value::Object(fields) => {
                for (name, field) in fields {
                    if !name.is_empty() && name.split('.').all(|part| !part.is_empty() && part.chars().all(is_of_name))
                    {
                        let many = self.steps.len();
                        self.steps.extend(name.split('.').map(|part| PathStep::Name(part.to_owned())));
                        self.value(field);
                        self.steps.truncate(many);
                    }
                }
            }
            Value::Array(list) => {
                self.steps.push(PathStep::Each);
                list.iter().take(ELEMENTS).for_each(|element| self.value(element));
                self.steps.pop();
            }
            _ => {
                let path = Operand::Path(self.root, self.steps.clone());
                if !self.found.contains(&path) {
                    self.found.push(path);
                }
            }
        }
    }
}

impl Field {
    /// Whether somebody would look at its values side by side: not at a time, and not at what is derived from others.
    pub const fn is_listed(self) -> bool {
        !matches!(self, Self::Is | Self::Pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Body, Id, Timestamp};
    use serde_json::json;

    fn payload() -> Payload {
        let mut payload = Payload::default();
        payload.request.headers = Some(json!({ "Authorization": "Bearer abcdefghijklmnop", "X-Tenant": "acme" }));
        payload.request.body = Some(Body::from_value(json!({
            "order": { "lines": [{ "sku": "A-1", "qty": 2 }, { "sku": "B-2", "qty": 1, "note": null }] },
            "password": "hunter2xx", "odd key": 1, "ok": true,
        })));
        payload.metadata = json!({ "tenant": "org-3", "http.method": "GET", "host": { "name": "web-1" } })
            .as_object()
            .cloned()
            .unwrap_or_default();
        payload
    }

    #[test]
    fn a_name_and_what_it_stands_for_are_one() {
        for name in
            ["status", "corr", "meta.tenant", "req.body.order.lines[*].sku", "res.header.retry-after", "req.body[0].a"]
        {
            let operand = Operand::parse(name).expect(name);
            assert_eq!(operand.to_string(), name);
            assert_eq!(Operand::parse(&operand.to_string()), Some(operand));
        }
        for wrong in ["", "nothing", "req.body.", "meta.a b", "meta..a", "req.body.\"x\""] {
            assert_eq!(Operand::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_occurs_is_listed_and_found_again_without_secrets() {
        let payload = payload();
        let found = paths_of(&payload);
        let names: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "meta.tenant",
                "meta.http.method",
                "meta.host.name",
                "req.header.Authorization",
                "req.header.X-Tenant",
                "req.body.order.lines[*].sku",
                "req.body.order.lines[*].qty",
                "req.body.password",
                "req.body.ok",
            ]
        );
        let activity = Activity::new(Id::parse("a"), Timestamp(0));
        let text = |name: &str| {
            Operand::parse(name).expect(name).text(&activity, &Names::default(), Some(&payload)).unwrap_or_default()
        };
        assert_eq!(text("req.body.order.lines[*].sku"), "A-1, B-2");
        assert_eq!(text("req.body.order.lines[1].qty"), "1");
        assert_eq!(text("meta.http.method"), "GET", "a name with dots");
        assert_eq!(text("meta.host.name"), "web-1");
        assert_eq!(text("req.body.password"), "[REDACTED]");
        assert!(!text("req.header.authorization").contains("abcdefghijklmnop"));
        assert_eq!(text("meta.nothing"), "");
        for operand in &found {
            // What a path leads to is what a filter with it keeps.
            let value = operand.values(&activity, &Names::default(), Some(&payload)).swap_remove(0);
            if value.contains("[REDACTED]") {
                continue;
            }
            let (_, predicate) =
                super::super::Filter::compile(&operand.clause(&value), &super::super::Context::default())
                    .expect("a clause");
            let record =
                super::super::NamedRecord { activity: &activity, names: &Names::default(), payload: Some(&payload) };
            assert!(predicate.keeps(&record), "{}", operand.clause(&value));
        }
    }

    #[test]
    fn a_deep_or_wide_payload_is_listed_in_part() {
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!({ "a": deep });
        }
        let wide: Map<String, Value> = (0..5000).map(|n| (format!("k{n}"), json!(n))).collect();
        let mut payload = Payload { metadata: wide, ..Payload::default() };
        payload.request.body = Some(Body::from_value(deep));
        assert_eq!(paths_of(&payload).len(), PATHS);
    }
}
