//! The fields of indices: their types, which are sortable, and which no document has.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The type of a field, the same in every index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Keyword,
    /// Text that the standard analyser splits into words in lower case.
    Text,
    /// An integer.
    Whole,
    /// A double-precision number.
    Double,
    Date,
    /// Any other type, or not the same in every index: compared locally.
    Other,
}

/// A searchable field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) kind: Type,
    /// Whether every value is indexed; `ignore_above` omits long ones.
    pub(super) complete: bool,
    /// Whether the index knows which documents have it.
    is_searchable: bool,
}

/// Types of plain values. A document with an object in such a place is refused (reference, "ignore_malformed").
const PLAIN: [&str; 18] = [
    "keyword",
    "text",
    "match_only_text",
    "wildcard",
    "constant_keyword",
    "long",
    "integer",
    "short",
    "byte",
    "double",
    "float",
    "half_float",
    "scaled_float",
    "unsigned_long",
    "boolean",
    "date",
    "date_nanos",
    "ip",
];

/// The name of a field that no index has.
const UNHEARD_OF: &str = "\u{1}";

/// The fields of the indices, by path.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    known: BTreeMap<String, Field>,
    /// By path: the indices that cannot be sorted by the field, because it is no date there or has no doc values.
    undated: BTreeMap<String, Vec<String>>,
    /// The indices that do not store documents.
    pub(super) sourceless: BTreeSet<String>,
    /// Whether no index has any field.
    pub(super) is_empty: bool,
    /// The mapping of each index, where the privileges allow reading it.
    mappings: Vec<Arc<Value>>,
    /// The fields with doc values.
    valued: BTreeSet<String>,
    /// Fields whose type differs between indices, with these types.
    pub(super) conflicts: Vec<String>,
}

impl Fields {
    /// The field at a path, if it is searchable.
    pub(super) fn get(&self, path: &str) -> Option<Field> {
        self.known.get(path).copied().filter(|field| field.kind != Type::Other)
    }

    /// The path at which the full values of a field are indexed: its own, or that of a multi-field.
    pub(super) fn keyword(&self, path: &str) -> Option<(String, Field)> {
        if let Some(own) = self.get(path).filter(|field| field.kind == Type::Keyword) {
            return Some((path.to_owned(), own));
        }
        let below = format!("{path}.");
        let range = self.known.range(below.clone()..).take_while(|(name, _)| name.starts_with(&below));
        let text = self.known.get(path)?.kind == Type::Text;
        range
            .filter(|(_, field)| text && field.kind == Type::Keyword)
            .map(|(name, field)| (name.clone(), *field))
            .next()
    }

    /// Those of some indices that cannot be sorted by a path. A field that no index has is one that comes later.
    pub(super) fn undated(&self, path: &str, of: &[&str]) -> Vec<String> {
        let is_date = self.known.get(path).is_none_or(|field| field.kind == Type::Date);
        let known = self.undated.get(path);
        let undated = |index: &&&str| known.map_or(!is_date, |known| known.iter().any(|other| other == *index));
        of.iter().filter(undated).map(|index| (*index).to_owned()).collect()
    }

    /// Whether some index can be sorted by a path.
    pub(super) fn is_dated(&self, path: &str) -> bool {
        self.undated.contains_key(path) || self.known.get(path).is_some_and(|field| field.kind == Type::Date)
    }

    /// The dates of the indices, those first whose names say that something begins there.
    pub(super) fn dates(&self) -> Vec<String> {
        const WORDS: [&str; 8] = ["start", "begin", "creat", "time", "stamp", "date", "when", "at"];
        let rank =
            |path: &str| WORDS.iter().position(|word| path.to_ascii_lowercase().contains(word)).unwrap_or(WORDS.len());
        let dates = self.known.iter().filter(|(_, field)| field.kind == Type::Date);
        let mut found: Vec<String> = dates.map(|(path, _)| path.clone()).collect();
        found.sort_by_key(|path| (path.matches('.').count(), rank(path), path.clone()));
        found
    }

    /// Whether any index has a field.
    pub(super) fn has(&self, path: &str) -> bool {
        self.known.contains_key(path)
    }

    /// Whether the index knows which documents have something at a path: a field, or an object all of whose fields, those to
    /// come too, are searchable.
    pub(super) fn is_searchable(&self, path: &str) -> bool {
        if self.known.get(path).is_some_and(|field| field.is_searchable) {
            return true;
        }
        let leaves = || self.below(path).filter(|(name, _)| !self.is_object(name));
        self.is_object(path)
            && leaves().all(|(_, field)| field.is_searchable)
            && self.is_absent(&format!("{path}.{UNHEARD_OF}"))
    }

    /// Whether a path leads to an object, and not to a field.
    pub(super) fn is_object(&self, path: &str) -> bool {
        self.below(path).next().is_some() && self.known.get(path).is_none_or(|field| !field.is_searchable)
    }

    fn below(&self, path: &str) -> impl Iterator<Item = (&String, &Field)> {
        let below = format!("{path}.");
        self.known.range(below.clone()..).take_while(move |(name, _)| name.starts_with(&below))
    }

    /// The paths below an object at which full texts are indexed.
    pub(super) fn texts_below(&self, path: &str) -> impl Iterator<Item = &String> {
        self.below(path).filter(|(_, field)| field.kind == Type::Keyword).map(|(name, _)| name)
    }

    /// Whether the values of a field can be read from its index, without the document.
    pub(super) fn has_values(&self, path: &str) -> bool {
        self.valued.contains(path)
    }

    /// Whether no document has a field: it is not mapped, and the first document with it would map it.
    pub(super) fn is_absent(&self, path: &str) -> bool {
        !self.known.contains_key(path)
            && !self.mappings.is_empty()
            && self.mappings.iter().all(|mapping| would_be_mapped(mapping, path))
    }

    /// Reads types from `_field_caps`, and what that leaves open from `_mapping`.
    pub(super) fn of(caps: &Value, mappings_of: Option<&Value>) -> Self {
        let all: Vec<&str> = caps["indices"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut parameters: BTreeMap<String, Vec<&Map<String, Value>>> = BTreeMap::new();
        for index in mappings_of.and_then(Value::as_object).into_iter().flat_map(Map::values) {
            if let Some(properties) = index.pointer("/mappings/properties").and_then(Value::as_object) {
                walk(properties, "", &mut parameters);
            }
        }
        let each = mappings_of.and_then(Value::as_object).into_iter().flat_map(Map::values);
        let mappings = each.map(|index| Arc::new(index["mappings"].clone())).collect();
        let named = mappings_of.and_then(Value::as_object).into_iter().flatten();
        let bare = named.filter(|(_, of)| of.pointer("/mappings/_source/enabled") == Some(&Value::Bool(false)));
        let sourceless = bare.map(|(name, _)| name.clone()).collect();
        let mut fields = Self { mappings, sourceless, is_empty: true, ..Self::default() };
        for (path, types) in caps["fields"].as_object().into_iter().flatten() {
            let Some(types) = types.as_object() else { continue };
            let name = types.keys().next().map_or("", String::as_str);
            if types.len() > 1 {
                let list: Vec<&str> = types.keys().map(String::as_str).collect();
                fields.conflicts.push(format!("{path} ({})", list.join(", ")));
            }
            let dates = types.keys().filter(|name| name.starts_with("date")).count();
            let undated = if dates > 0 { unsortable(types, &all) } else { Vec::new() };
            if !undated.is_empty() {
                fields.undated.insert(path.clone(), undated);
            }
            fields.is_empty &= types.values().all(|of| of["metadata_field"] == true);
            if types.values().all(|of| of["aggregatable"] == true) {
                fields.valued.insert(path.clone());
            }
            let own = parameters.get(path).map_or(&[][..], Vec::as_slice);
            let has = |key: &str| own.iter().any(|parameters| parameters.contains_key(key));
            let searchable = types.values().all(|of| of["searchable"] == true && of["metadata_field"] != true);
            let known = !own.is_empty();
            let kind = match name {
                _ if !searchable || has("null_value") => Type::Other,
                _ if dates == types.len() => Type::Date,
                _ if types.len() > 1 => Type::Other,
                "keyword" | "constant_keyword" | "wildcard" if known && !has("normalizer") => Type::Keyword,
                "text" | "match_only_text" if known && own.iter().all(|of| standard(of)) => Type::Text,
                "long" | "integer" | "short" | "byte" => Type::Whole,
                "double" => Type::Double,
                _ => Type::Other,
            };
            fields
                .known
                .insert(path.clone(), Field { kind, complete: !has("ignore_above"), is_searchable: searchable });
        }
        fields
    }
}

/// Whether a path that is not mapped would become mapped by the first document with it.
fn would_be_mapped(mapping: &Value, path: &str) -> bool {
    let mut level = mapping;
    let mut dynamic = true;
    for segment in path.split('.') {
        match &level["dynamic"] {
            Value::Bool(on) => dynamic = *on,
            Value::String(word) => dynamic = word == "true" || word == "strict",
            _ => {}
        }
        match level["type"].as_str() {
            Some(kind) if PLAIN.contains(&kind) => return true,
            Some("object" | "nested") | None if level["enabled"] != false => {}
            _ => return false,
        }
        match level["properties"].get(segment) {
            Some(below) => level = below,
            None => return dynamic,
        }
    }
    // It is mapped, but not searchable.
    false
}

/// Whether the standard analyser splits the text into words.
fn standard(parameters: &Map<String, Value>) -> bool {
    parameters.get("analyzer").is_none_or(|name| name == "standard")
        && parameters.get("index") != Some(&Value::Bool(false))
}

fn walk<'v>(
    properties: &'v Map<String, Value>,
    before: &str,
    into: &mut BTreeMap<String, Vec<&'v Map<String, Value>>>,
) {
    for (name, of) in properties {
        let Some(of) = of.as_object() else { continue };
        let path = format!("{before}{name}");
        for below in ["properties", "fields"] {
            if let Some(inner) = of.get(below).and_then(Value::as_object) {
                walk(inner, &format!("{path}."), into);
            }
        }
        into.entry(path).or_default().push(of);
    }
}

/// The indices that cannot be sorted by a field as a date.
fn unsortable(types: &Map<String, Value>, all: &[&str]) -> Vec<String> {
    let list = |value: &Value| -> Option<Vec<String>> {
        let names = value.as_array()?.iter().filter_map(Value::as_str);
        Some(names.map(str::to_owned).collect())
    };
    let mut found = Vec::new();
    for (name, of) in types.iter().filter(|(name, _)| *name != "unmapped") {
        let of_type = || list(&of["indices"]).unwrap_or_else(|| all.iter().map(|name| (*name).to_owned()).collect());
        if !name.starts_with("date") {
            found.extend(of_type());
        } else if of["aggregatable"] == false {
            found.extend(list(&of["non_aggregatable_indices"]).unwrap_or_else(of_type));
        }
    }
    found
}
