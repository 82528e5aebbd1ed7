//! Why the values of a record are hidden, or stay, by the names of its fields and by what is in its texts.

use super::{REDACTED, names::Names};
use super::{
    Value, find_all, in_use, is_name_field, is_secret_item, is_value_field, judged, marked, name_beside,
    names::LONGEST_SHORT,
};

/// One value of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Where it is: the field, and the names and numbers that lead to it.
    pub path: String,
    /// What hides it, or might have: as in [`super::Secret::rule`].
    pub rule: String,
    /// Why it stays, for people; `None` where it is hidden.
    pub why: Option<&'static str>,
    /// Its text where it stays.
    pub text: Option<String>,
    /// Its length in characters; 0 where it was hidden before.
    pub characters: usize,
}

/// What is hidden in a text of a record, and what stays though it is nearly a secret.
pub fn explained_text(path: &str, text: &str) -> Vec<Explained> {
    if text == REDACTED {
        return vec![hidden_before(path)];
    }
    let (hidden, kept) = find_all(text);
    let count = |range: &std::ops::Range<usize>| text[range.clone()].chars().count();
    let one = |rule: String, why, text, characters| Explained { path: path.to_owned(), rule, why, text, characters };
    let hidden = hidden.into_iter().map(|secret| {
        let characters = count(&secret.range);
        one(secret.rule, None, None, characters)
    });
    let kept = kept.into_iter().map(|miss| {
        let characters = count(&miss.range);
        one(miss.rule, Some(miss.why), Some(text[miss.range].to_owned()), characters)
    });
    hidden.chain(kept).collect()
}

/// The same for a value of JSON, by the names of its fields as well.
pub fn explained_json(path: &str, value: &Value, found: &mut Vec<Explained>) {
    match value {
        Value::Object(fields) => {
            let beside = name_beside(fields);
            for (name, field) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let by = [Some(name.as_str()), beside.filter(|_| is_value_field(name))];
                let names: Vec<&str> = by.into_iter().flatten().collect();
                explained_named(&path, &names, field, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                if is_secret_item(|at| items.get(at).and_then(Value::as_str), index) {
                    found.push(hidden(path, "name", item));
                } else {
                    explained_json(&path, item, found);
                }
            }
        }
        Value::String(text) => found.extend(explained_text(path, text)),
        _ => {}
    }
}

/// A value that was hidden before it was looked at.
fn hidden_before(path: &str) -> Explained {
    let rule = "hidden before: when it was recorded, or by a [[redaction.rule]]".to_owned();
    Explained { path: path.to_owned(), rule, why: None, text: None, characters: 0 }
}

fn hidden(path: String, rule: &str, value: &Value) -> Explained {
    Explained { path, rule: rule.to_owned(), why: None, text: None, characters: shown(value).chars().count() }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The value of a field, by its name or by the one beside it.
fn explained_named(path: &str, names: &[&str], value: &Value, found: &mut Vec<Explained>) {
    if value.is_null() || value.is_boolean() {
        return;
    }
    if value.as_str() == Some(REDACTED) {
        found.push(hidden_before(path));
        return;
    }
    let by_name = names.iter().find(|name| super::is_secret_value(name, value));
    if let Some(name) = by_name {
        let is_by_name = super::is_sensitive_name(name);
        found.push(hidden(path.to_owned(), if is_by_name { "name" } else { "word" }, value));
        return;
    }
    let rules = in_use();
    let text = shown(value);
    let is_single = !value.is_object() && !value.is_array();
    let why = names.iter().filter(|name| !is_name_field(name)).find_map(|name| why_shown(&rules.names, name, &text));
    if let (Some(why), true) = (why, is_single) {
        let characters = text.chars().count();
        let path = path.to_owned();
        found.push(Explained { path, rule: "name".to_owned(), why: Some(why), text: Some(text), characters });
        return;
    }
    explained_json(path, value, found);
}

/// Why the name of a field does not hide its value, if it nearly does.
fn why_shown(names: &Names, name: &str, text: &str) -> Option<&'static str> {
    if names.is_excepted(name) {
        return Some("`except` names its name");
    }
    if names.is_about(name) {
        return Some("its name tells about a secret, and is none of one");
    }
    if name.len() <= LONGEST_SHORT && judged::form_of(&name.to_ascii_lowercase()).is_some() {
        return Some("the name says too little, and the value does not look like one");
    }
    let is_long = text.len() >= marked::SHORTEST && !text.contains(char::is_whitespace);
    match marked::mark_of(names, name) {
        Some(true) if is_long => Some("a word marks it, but it does not look random"),
        Some(false) if is_long => Some("keys and tokens of this name are none of a secret"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        explained_json("req.body", value, &mut found);
        found.into_iter().map(|one| format!("{} {} {}", one.path, one.rule, one.why.unwrap_or("hidden"))).collect()
    }

    #[test]
    fn each_value_says_why_it_is_hidden_or_stays() {
        let record = json!({
            "user": { "password": "hunter2xx", "password_changed_at": "2026-11-20", "name": "Ann" },
            "spotify_key": "q7Rt2mXvB9sLw4Zk0PcN", "vault_key": "the-plain-name-of-it", "order_key": "q7Rt2mXvB9sLw4Zk0PcN",
            "pass": "12", "note": "password: expired, api_key=abc123def", "ok": true,
            "headers": [{ "name": "X-Api-Key", "value": "k-99887766zz" }], "raw": ["X-Api-Key", "k-99887766zz"],
        });
        assert_eq!(
            said(&record),
            [
                "req.body.user.password name hidden",
                "req.body.user.password_changed_at name its name tells about a secret, and is none of one",
                "req.body.spotify_key word hidden",
                "req.body.vault_key name a word marks it, but it does not look random",
                "req.body.order_key name keys and tokens of this name are none of a secret",
                "req.body.pass name the name says too little, and the value does not look like one",
                "req.body.note name hidden",
                "req.body.note name it is a word that only tells of a secret",
                "req.body.headers[0].value name hidden",
                "req.body.raw[1] name hidden",
            ]
        );
        // What is said to be hidden is hidden, and what is said to stay stays.
        let safe = super::super::redact_json(&record);
        let mut found = Vec::new();
        explained_json("", &record, &mut found);
        for one in found {
            let pointer = format!("/{}", one.path.replace(['.', '['], "/").replace(']', ""));
            let value = safe.pointer(&pointer).map(shown).expect("the path leads to it");
            match one.text {
                None => assert!(value.contains(REDACTED), "{}: {value}", one.path),
                Some(text) => assert!(value.contains(&text), "{}: {value}", one.path),
            }
        }
    }
}
