//! Which fields activities have, and which paths occur in their payloads: how often, of what types, and an example of each.

use crosstail_core::filter::{Field, Operand, ValueType, paths_of};
use crosstail_core::model::{Activity, Names, Payload};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// Paths that are counted. More are a sign of ids in place of names; those that came first stay.
const MOST: usize = 5000;

/// A path, or a field of the activity, that occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPath {
    pub path: Operand,
    /// Payloads, or activities, that have it.
    pub count: u64,
    /// The types of its values: `text`, `number`, `boolean`; of a field also `milliseconds`, `time`, `word`, `id`.
    pub types: BTreeSet<&'static str>,
    /// A value, without secrets.
    pub example: String,
}

/// What occurs in a sample of payloads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoundPaths {
    /// The most frequent first, then by name.
    pub paths: Vec<FoundPath>,
    /// Payloads that were looked at.
    pub sampled: u64,
    /// Whether there are more paths than are listed.
    pub is_cut: bool,
}

/// The fields that some activities have, in the order of the language.
pub fn fields_of(activities: &[Activity], names: &Names) -> Vec<FoundPath> {
    let found = |field: &Field| {
        let path = Operand::Field(*field);
        let mut values = activities.iter().filter_map(|activity| path.text(activity, names, None));
        let example = values.next()?;
        let count = 1 + values.count() as u64;
        let kind = match field.class() {
            ValueType::Number => "number",
            ValueType::Duration => "milliseconds",
            ValueType::Time => "time",
            ValueType::Word => "word",
            ValueType::Id => "id",
            ValueType::Keyword | ValueType::Text => "text",
        };
        Some(FoundPath { path, count, types: BTreeSet::from([kind]), example })
    };
    Field::ALL.iter().filter(|field| field.is_listed()).filter_map(found).collect()
}

/// Counts the paths of payloads.
#[derive(Debug, Default)]
pub struct PathCounts {
    found: HashMap<Operand, FoundPath>,
    sampled: u64,
    is_cut: bool,
}

impl PathCounts {
    /// Counts what a payload has.
    pub fn add(&mut self, payload: &Payload) {
        self.sampled += 1;
        for path in paths_of(payload) {
            let value = match path.json(payload) {
                Value::Array(mut list) if !list.is_empty() => list.swap_remove(0),
                other => other,
            };
            let kind = match &value {
                Value::Number(_) => "number",
                Value::Bool(_) => "boolean",
                _ => "text",
            };
            if let Some(known) = self.found.get_mut(&path) {
                known.count += 1;
                known.types.insert(kind);
            } else if self.found.len() < MOST {
                let example = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let one = FoundPath { path: path.clone(), count: 1, types: BTreeSet::from([kind]), example };
                self.found.insert(path, one);
            } else {
                self.is_cut = true;
            }
        }
    }

    /// What was found.
    pub fn settle(self) -> FoundPaths {
        let mut paths: Vec<FoundPath> = self.found.into_values().collect();
        paths.sort_by_cached_key(|one| (std::cmp::Reverse(one.count), one.path.to_string()));
        FoundPaths { paths, sampled: self.sampled, is_cut: self.is_cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_counted_by_payload_with_their_types() {
        let mut counts = PathCounts::default();
        for n in 0..10_u64 {
            let mut fields = json!({ "tenant": format!("org-{n}"), "tags": ["a", "b"] });
            fields["code"] = if n == 0 { json!("none") } else { json!(n) };
            if n % 2 == 0 {
                fields["even"] = json!(true);
            }
            counts.add(&Payload { metadata: fields.as_object().cloned().expect("an object"), ..Payload::default() });
        }
        let found = counts.settle();
        let shown: Vec<(String, u64, Vec<&str>, &str)> = found
            .paths
            .iter()
            .map(|one| (one.path.to_string(), one.count, one.types.iter().copied().collect(), one.example.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                ("meta.code".to_owned(), 10, vec!["number", "text"], "none"),
                ("meta.tags[*]".to_owned(), 10, vec!["text"], "a"),
                ("meta.tenant".to_owned(), 10, vec!["text"], "org-0"),
                ("meta.even".to_owned(), 5, vec!["boolean"], "true"),
            ]
        );
        assert_eq!((found.sampled, found.is_cut), (10, false));
    }
}
