//! The clauses that queries are made of.

use super::mapping::Mapping;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) fn nothing() -> Value {
    json!({ "match_none": {} })
}

/// A query that keeps what any of the parts keeps.
pub(super) fn any(parts: Vec<Value>) -> Value {
    // A schema has hundreds of paths of which an index maps a few, and the server limits the clauses of a query.
    let mut noted: BTreeSet<String> = BTreeSet::new();
    let mut kept: Vec<Value> = Vec::new();
    for part in parts {
        let names = part.pointer("/terms/_ignored").and_then(Value::as_array);
        if let Some(names) = names {
            noted.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
        } else if part != nothing() {
            kept.push(part);
        }
    }
    if !noted.is_empty() {
        kept.push(json!({ "terms": { "_ignored": noted } }));
    }
    match kept.len() {
        0 => nothing(),
        1 => kept.swap_remove(0),
        _ => json!({ "bool": { "should": kept, "minimum_should_match": 1 } }),
    }
}

/// A query that keeps what all of the parts keep.
pub(super) fn all(mut parts: Vec<Value>) -> Value {
    if parts.contains(&nothing()) {
        return nothing();
    }
    match parts.len() {
        0 => json!({ "match_all": {} }),
        1 => parts.swap_remove(0),
        _ => json!({ "bool": { "filter": parts } }),
    }
}

/// A query for times within bounds in milliseconds, each with its operator; `None` without bounds. Documents without a time
/// are kept if `undated`.
pub(super) fn in_time(time: &str, bounds: &[(&str, i64)], undated: bool) -> Option<Value> {
    if bounds.is_empty() {
        return None;
    }
    let mut range = json!({ "format": "epoch_millis" });
    for (operator, ms) in bounds {
        range[*operator] = json!(ms);
    }
    let range = json!({ "range": { time: range } });
    let lacking = || json!({ "bool": { "must_not": [{ "exists": { "field": time } }] } });
    Some(if undated { any(vec![range, lacking()]) } else { range })
}

pub(super) fn exists(path: &str) -> Value {
    json!({ "exists": { "field": path } })
}

/// What keeps the documents of which the index left out something at a path: a text that is too long, what is no value of its type, a
/// field for which there was no room. The document has it all the same.
pub(super) fn ignored(mapping: &Mapping, path: &str) -> Value {
    json!({ "terms": { "_ignored": mapping.fields.noted(path) } })
}

/// What keeps the documents of which the full values at a path are not all indexed under a name.
pub(super) fn left_out(mapping: &Mapping, path: &str, name: &str) -> Value {
    let mut parts = vec![ignored(mapping, name)];
    if name != path {
        // A multi-field has nothing of what was written before there was one, or where another index has none.
        parts.push(json!({ "bool": { "filter": [exists(path)], "must_not": [exists(name)] } }));
    }
    any(parts)
}

/// A query for every document that has something at a path; `None` where the index may not know.
pub(super) fn any_value(mapping: &Mapping, path: &str) -> Option<Value> {
    let fields = &mapping.fields;
    if fields.is_absent(path) {
        return Some(ignored(mapping, path));
    }
    fields.is_searchable(path).then(|| any(vec![exists(path), ignored(mapping, path)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_asked_for_once() {
        let noted = |names: &[&str]| json!({ "terms": { "_ignored": names } });
        assert_eq!(any(vec![noted(&["b"]), nothing(), noted(&["a", "b"])]), noted(&["a", "b"]));
    }
}
