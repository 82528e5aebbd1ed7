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
    /// Text of another analyser: the index has other words (`refus` of `refused`), but a multi-field may have the full values.
    Analysed,
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
    /// Whether every value is indexed, as far as the mapping says; `ignore_above` omits long ones.
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
    /// By path, of texts that are not split by the standard analyser: the analysers that split them, each with its indices.
    analysers: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// Objects that are indexed apart from their document (`nested`), each with a dot behind it.
    nested: Vec<String>,
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
        let text = matches!(self.known.get(path)?.kind, Type::Text | Type::Analysed);
        range
            .filter(|(_, field)| text && field.kind == Type::Keyword)
            .map(|(name, field)| (name.clone(), *field))
            .next()
    }

    /// The analysers that split the text of a field, each with its indices; none of what is no text, and of a text that the
    /// standard one splits.
    pub(super) fn analysers(&self, path: &str) -> impl Iterator<Item = (&str, &[String])> {
        let of = self.analysers.get(path).into_iter().flatten();
        of.map(|(name, indices)| (name.as_str(), indices.as_slice()))
    }

    /// The object around a field that is indexed apart from its document: a query finds nothing in it unless it names it.
    pub(super) fn nested(&self, path: &str) -> Option<&str> {
        let around = self.nested.iter().filter(|before| path.starts_with(before.as_str()));
        around.max_by_key(|before| before.len()).map(|before| before.trim_end_matches('.'))
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

    /// The names under which an index notes (`_ignored`) that it left out something at a path: that of the field, that of an object
    /// around it, and those of the fields of an object.
    pub(super) fn noted(&self, path: &str) -> Vec<String> {
        let mut names = self.around(path);
        names.push(path.to_owned());
        if self.is_object(path) {
            names.extend(self.below(path).map(|(name, _)| name.clone()));
        }
        names
    }

    /// The objects around a path. What is noted of a plain value in such a place is about that value.
    pub(super) fn around(&self, path: &str) -> Vec<String> {
        let paths = path.match_indices('.').map(|(at, _)| &path[..at]);
        let objects = paths.filter(|path| self.known.get(*path).is_none_or(|field| !field.is_searchable));
        objects.map(str::to_owned).collect()
    }

    /// Whether the values of a field can be read from its index, without the document.
    pub(super) fn has_values(&self, path: &str) -> bool {
        self.valued.contains(path)
    }

    /// Whether no document has a field: it is not mapped, and the first document with it would map it, or would note that there is no
    /// room for it (`ignore_dynamic_beyond_limit`).
    pub(super) fn is_absent(&self, path: &str) -> bool {
        !self.known.contains_key(path)
            && !self.mappings.is_empty()
            && self.mappings.iter().all(|mapping| would_be_mapped(mapping, path))
    }

    /// Reads types from `_field_caps`, and what that leaves open from `_mapping` and `_settings`.
    pub(super) fn of(caps: &Value, mappings_of: Option<&Value>, settings_of: Option<&Value>) -> Self {
        let all: Vec<&str> = caps["indices"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut declared = Declared::new();
        for (index, of) in mappings_of.and_then(Value::as_object).into_iter().flatten() {
            if let Some(properties) = of.pointer("/mappings/properties").and_then(Value::as_object) {
                walk(properties, "", (index.as_str(), Analysers::of(settings_of, index)), &mut declared);
            }
        }
        let each = mappings_of.and_then(Value::as_object).into_iter().flat_map(Map::values);
        let mappings = each.map(|index| Arc::new(index["mappings"].clone())).collect();
        let named = mappings_of.and_then(Value::as_object).into_iter().flatten();
        let bare = named.filter(|(_, of)| of.pointer("/mappings/_source/enabled") == Some(&Value::Bool(false)));
        let sourceless = bare.map(|(name, _)| name.clone()).collect();
        let mut fields = Self { mappings, sourceless, is_empty: true, ..Self::default() };
        let apart = caps["fields"].as_object().into_iter().flatten().filter(|(_, types)| types.get("nested").is_some());
        fields.nested = apart.map(|(path, _)| format!("{path}.")).collect();
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
            let is_apart = fields.nested(path).is_some();
            if types.values().all(|of| of["aggregatable"] == true) && !is_apart {
                fields.valued.insert(path.clone());
            }
            let own = declared.get(path).map_or(&[][..], Vec::as_slice);
            let has = |key: &str| own.iter().any(|own| own.parameters.contains_key(key));
            let searchable =
                !is_apart && types.values().all(|of| of["searchable"] == true && of["metadata_field"] != true);
            let known = !own.is_empty();
            let kind = match name {
                _ if !searchable || has("null_value") => Type::Other,
                _ if dates == types.len() => Type::Date,
                _ if types.len() > 1 => Type::Other,
                "keyword" | "constant_keyword" | "wildcard" if known && !has("normalizer") => Type::Keyword,
                "text" | "match_only_text" if known && own.iter().all(standard) => Type::Text,
                "text" | "match_only_text" if known => Type::Analysed,
                "long" | "integer" | "short" | "byte" => Type::Whole,
                "double" => Type::Double,
                _ => Type::Other,
            };
            if kind == Type::Analysed {
                fields.analysers.insert(path.clone(), analysers_of(own));
            }
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

/// Whether names of analysers mean the standard one in an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Analysers {
    /// That of a text that names none.
    default: bool,
    /// `standard`, which the settings may define anew.
    standard: bool,
}

impl Analysers {
    /// By the settings of the indices. An index of which they are not known may have any.
    fn of(settings_of: Option<&Value>, index: &str) -> Self {
        let Some(settings) = settings_of.and_then(|of| of.get(index)?.pointer("/settings/index")) else {
            return Self { default: false, standard: false };
        };
        let is_standard = |name: &str| {
            let own = settings.pointer("/analysis/analyzer").and_then(|of| of.get(name)).and_then(Value::as_object);
            own.is_none_or(|own| own.len() == 1 && own.get("type").is_some_and(|kind| kind == "standard"))
        };
        Self { default: is_standard("default"), standard: is_standard("standard") }
    }
}

/// A field in the mapping of one index.
struct Own<'v> {
    index: &'v str,
    parameters: &'v Map<String, Value>,
    analysers: Analysers,
}

/// The fields of all mappings, by path.
type Declared<'v> = BTreeMap<String, Vec<Own<'v>>>;

/// Whether the standard analyser splits the text into words.
fn standard(own: &Own<'_>) -> bool {
    let is_standard = match own.parameters.get("analyzer") {
        Some(name) => name == "standard" && own.analysers.standard,
        None => own.analysers.default,
    };
    is_standard && own.parameters.get("index") != Some(&Value::Bool(false))
}

/// The analysers that some mappings name, each with its indices. A text that names none has the one that is called `default`.
fn analysers_of(own: &[Own<'_>]) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for one in own {
        let name = one.parameters.get("analyzer").and_then(Value::as_str).unwrap_or("default");
        found.entry(name.to_owned()).or_default().push(one.index.to_owned());
    }
    found
}

fn walk<'v>(
    properties: &'v Map<String, Value>,
    before: &str,
    (index, analysers): (&'v str, Analysers),
    into: &mut Declared<'v>,
) {
    for (name, of) in properties {
        let Some(of) = of.as_object() else { continue };
        let path = format!("{before}{name}");
        for below in ["properties", "fields"] {
            if let Some(inner) = of.get(below).and_then(Value::as_object) {
                walk(inner, &format!("{path}."), (index, analysers), into);
            }
        }
        into.entry(path).or_default().push(Own { index, parameters: of, analysers });
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The fields of indices, each with its mapping, and with what its settings say of analysers.
    fn fields(indices: &[(&str, Value, Option<Value>)]) -> Fields {
        let (mut caps, mut mappings, mut settings) = (json!({ "indices": [], "fields": {} }), json!({}), json!({}));
        for (index, properties, analysers) in indices {
            mappings[*index] = json!({ "mappings": { "properties": properties } });
            if let Some(analysers) = analysers {
                settings[*index] =
                    json!({ "settings": { "index": { "uuid": "u", "analysis": { "analyzer": analysers } } } });
            }
            for (path, of) in properties.as_object().expect("an object") {
                let kind = of["type"].as_str().expect("a type");
                caps["fields"][path][kind] = json!({ "searchable": true, "aggregatable": false });
                for (name, of) in of["fields"].as_object().into_iter().flatten() {
                    let kind = of["type"].as_str().expect("a type");
                    caps["fields"][format!("{path}.{name}")][kind] =
                        json!({ "searchable": true, "aggregatable": true });
                }
            }
        }
        Fields::of(&caps, Some(&mappings), Some(&settings))
    }

    fn kind(indices: &[(&str, Value, Option<Value>)], path: &str) -> Option<Type> {
        fields(indices).get(path).map(|field| field.kind)
    }

    #[test]
    fn a_text_without_an_analyser_has_that_of_its_index() {
        let text = json!({ "message": { "type": "text" } });
        let named = json!({ "message": { "type": "text", "analyzer": "standard" } });
        let english = json!({ "default": { "type": "english" } });
        let same = json!({ "default": { "type": "standard" } });
        let stops = json!({ "default": { "type": "standard", "stopwords": "_english_" } });
        let redefined = json!({ "standard": { "type": "standard", "stopwords": "_english_" } });
        for (mapping, analysers, wanted) in [
            (&text, Some(json!({})), Type::Text),
            (&text, Some(same), Type::Text),
            (&text, Some(english.clone()), Type::Analysed),
            (&text, Some(stops), Type::Analysed),
            (&text, Some(redefined.clone()), Type::Text),
            // Its settings are not known.
            (&text, None, Type::Analysed),
            (&named, Some(english.clone()), Type::Text),
            (&named, Some(redefined), Type::Analysed),
        ] {
            let index = ("a", mapping.clone(), analysers);
            assert_eq!(kind(std::slice::from_ref(&index), "message"), Some(wanted), "{index:?}");
        }
        // One index of several is enough.
        let several = [("a", text.clone(), Some(json!({}))), ("b", text, Some(english))];
        assert_eq!(kind(&several, "message"), Some(Type::Analysed));
    }

    #[test]
    fn full_values_of_a_text_of_any_analyser_are_in_its_multi_field() {
        let both =
            json!({ "message": { "type": "text", "fields": { "raw": { "type": "keyword", "ignore_above": 8 } } } });
        let found = fields(&[("a", both, Some(json!({ "default": { "type": "english" } })))]);
        let (name, field) = found.keyword("message").expect("a multi-field");
        assert_eq!((name.as_str(), field.complete), ("message.raw", false));
    }

    #[test]
    fn a_text_is_split_by_the_analyser_that_its_index_names() {
        let own = json!({ "mine": { "type": "english" }, "default": { "type": "english" } });
        let text = |analyser: Option<&str>| match analyser {
            Some(name) => json!({ "a": { "type": "text", "analyzer": name } }),
            None => json!({ "a": { "type": "text" } }),
        };
        let of = |name| ("x", text(Some(name)), Some(own.clone()));
        let found = fields(&[of("mine"), ("y", text(None), Some(own.clone())), ("z", text(Some("mine")), None)]);
        let names: Vec<(&str, &[String])> = found.analysers("a").collect();
        assert_eq!(names, [("default", &["y".to_owned()][..]), ("mine", &["x".to_owned(), "z".to_owned()][..])]);
        assert_eq!(fields(&[("x", text(None), Some(json!({})))]).analysers("a").count(), 0);
    }

    #[test]
    fn what_is_left_out_is_noted_by_the_field_and_the_objects_around_it() {
        let found = fields(&[("a", json!({ "a": { "type": "keyword" } }), Some(json!({})))]);
        assert_eq!(found.noted("a"), ["a"]);
        assert_eq!(found.noted("b.c.d"), ["b", "b.c", "b.c.d"]);
        // A value is not around anything.
        assert_eq!(found.noted("a.b"), ["a.b"]);
    }
}
