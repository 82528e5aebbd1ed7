//! Maps indices to activities: which schema reads which indices, which fields they have, and how a document is read.

use super::Error;
use super::connection::{Connection, Hit, found, in_path};
use crosstail_core::model::{Activity, Id, Locator, Names, Place, SourceId, Timestamp};
use crosstail_core::schema::json;
use crosstail_core::schema::{Assembler, Schema, Table, Target};
use elasticsearch::http::Method;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Number of documents by which a schema is recognised.
const SAMPLE: usize = 50;
/// The parts of one activity agree on its start to within this, in milliseconds.
pub(super) const SLACK_MS: i64 = 60_000;
/// Documents that are read, at most, of indices that cannot be sorted by time.
pub(super) const UNDATED: usize = 10_000;

/// The start of documents without a time: before all others, so that pages have one order.
const NO_TIME: Timestamp = Timestamp(0);

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
}

/// The fields of the indices, by path.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    known: BTreeMap<String, Field>,
    /// By path: the indices in which the field is not a date.
    undated: BTreeMap<String, Vec<String>>,
    /// The mapping of each index, where the privileges allow reading it.
    mappings: Vec<Arc<Value>>,
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

    /// The indices in which a path is not a date although it is one in others.
    pub(super) fn undated(&self, path: &str) -> &[String] {
        self.undated.get(path).map_or(&[], Vec::as_slice)
    }

    /// Whether no document has a field: it is not mapped, and the first document with it would map it.
    pub(super) fn is_absent(&self, path: &str) -> bool {
        !self.known.contains_key(path)
            && !self.mappings.is_empty()
            && self.mappings.iter().all(|mapping| would_be_mapped(mapping, path))
    }

    /// Reads types from `_field_caps`, and what that leaves open from `_mapping`.
    fn of(caps: &Value, mappings: Option<&Value>) -> Self {
        let mut parameters: BTreeMap<String, Vec<&Map<String, Value>>> = BTreeMap::new();
        for index in mappings.and_then(Value::as_object).into_iter().flat_map(Map::values) {
            if let Some(properties) = index.pointer("/mappings/properties").and_then(Value::as_object) {
                walk(properties, "", &mut parameters);
            }
        }
        let each = mappings.and_then(Value::as_object).into_iter().flat_map(Map::values);
        let mappings = each.map(|index| Arc::new(index["mappings"].clone())).collect();
        let mut fields = Self { mappings, ..Self::default() };
        for (path, types) in caps["fields"].as_object().into_iter().flatten() {
            let Some(types) = types.as_object() else { continue };
            let name = types.keys().next().map_or("", String::as_str);
            if types.len() > 1 {
                let list: Vec<&str> = types.keys().map(String::as_str).collect();
                fields.conflicts.push(format!("{path} ({})", list.join(", ")));
                let dates = |name: &str| name.starts_with("date") || name == "unmapped";
                if types.keys().any(|name| dates(name)) {
                    let others = types.iter().filter(|(name, _)| !dates(name));
                    let indices = others.flat_map(|(_, of)| of["indices"].as_array().into_iter().flatten());
                    let indices = indices.filter_map(|index| index.as_str().map(str::to_owned)).collect();
                    fields.undated.insert(path.clone(), indices);
                }
            }
            let own = parameters.get(path).map_or(&[][..], Vec::as_slice);
            let has = |key: &str| own.iter().any(|parameters| parameters.contains_key(key));
            let searchable = types.values().all(|of| of["searchable"] == true && of["metadata_field"] != true);
            let known = !own.is_empty();
            let kind = match name {
                _ if types.len() > 1 || !searchable || has("null_value") => Type::Other,
                "keyword" | "constant_keyword" | "wildcard" if known && !has("normalizer") => Type::Keyword,
                "text" | "match_only_text" if known && own.iter().all(|of| standard(of)) => Type::Text,
                "long" | "integer" | "short" | "byte" => Type::Whole,
                "double" => Type::Double,
                "date" | "date_nanos" => Type::Date,
                _ => Type::Other,
            };
            fields.known.insert(path.clone(), Field { kind, complete: !has("ignore_above") });
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
        if level["enabled"] == false || level.get("type").is_some_and(|kind| kind != "object" && kind != "nested") {
            return false;
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

/// A schema resolved against the indices of one pattern.
pub(super) struct Mapping {
    pub(super) schema: Schema,
    pub(super) table: Table,
    /// The index pattern, as the user wrote it.
    pub(super) pattern: String,
    /// The indices that can be sorted by time: all except those in which the time is not a date.
    pub(super) dated: String,
    source: SourceId,
    /// The index of the table among the source's tables.
    number: usize,
    pub(super) source_name: String,
    /// The fields that are requested of a document's source.
    pub(super) includes: Vec<String>,
    /// A query for the documents of these indices; it matches everything where there is only one mapping.
    pub(super) only: Value,
    pub(super) fields: Fields,
}

impl Mapping {
    /// The paths that fill a target, in order of preference.
    pub(super) fn paths(&self, target: Target) -> Vec<&str> {
        let fields = &self.schema.definition().fields;
        let named = fields.iter().filter(|(name, _)| Target::parse(name) == Some(target));
        named.flat_map(|(_, paths)| paths.list()).map(String::as_str).collect()
    }

    /// Whether this mapping reads an index.
    pub(super) fn reads(&self, index: &str) -> bool {
        fits(&self.table.name, index)
    }

    /// The place of a document by its index and its id.
    pub(super) fn place(&self, key: &str) -> Place {
        Place::new(self.source, Locator::table_key(self.number, key))
    }

    /// The activity of a document; never fails.
    pub(super) fn read(&self, hit: &Hit<'_>) -> Activity {
        let own = Id::Text(format!("{}/{}/{}", self.source_name, hit.index, hit.id).into());
        let place = self.place(&format!("{}/{}", hit.index, hit.id));
        let Some(source) = hit.source else {
            let excerpt = format!("a document of {} without its source", hit.index);
            let problem = "the index does not store documents (_source is disabled)";
            return Activity::undecodable(own, NO_TIME, place, problem, &excerpt);
        };
        let mut assembler = Assembler::default();
        if let Err(at) = json::scan(source.get(), self.schema.tree(), &mut assembler) {
            let excerpt = format!("a document of {} that cannot be read", hit.index);
            return Activity::undecodable(own, NO_TIME, place, &format!("cannot be read at byte {at}"), &excerpt);
        }
        let at = assembler.recorded_at();
        let mut activity = assembler.finish(&self.schema, own, NO_TIME);
        activity.places = vec![Place { at, ..place }];
        activity
    }
}

/// What a pattern resolves to.
pub(super) struct ResolvedIndices {
    pub(super) mappings: Vec<Mapping>,
    /// Indices that hold measurements, not activities.
    pub(super) series: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// Finds the indices of a pattern, the schema of each and the types of their fields.
pub(super) async fn resolve(
    connection: &Connection,
    pattern: &str,
    given: Option<&Schema>,
    (source, source_name, names): (SourceId, &str, &Names),
) -> Result<ResolvedIndices, Error> {
    let path = in_path(pattern);
    let lenient = "ignore_unavailable=true&allow_no_indices=true";
    let caps = connection.json(Method::Post, &format!("/{path}/_field_caps?fields=*&{lenient}"), None).await?;
    let indices: Vec<&str> = caps["indices"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if indices.is_empty() {
        return Err(Error::Nothing(format!("no index matches {pattern}")));
    }
    // What the types leave open needs the privilege to see mappings; without it, texts are compared locally.
    let mut warnings = Vec::new();
    let mappings = match connection.json(Method::Get, &format!("/{path}/_mapping?{lenient}"), None).await {
        Ok(mappings) => Some(mappings),
        Err(Error::Answered { status: 401 | 403, .. }) => {
            warnings
                .push("without the privilege view_index_metadata, filters on texts are evaluated locally".to_owned());
            None
        }
        Err(error) => return Err(error),
    };
    let fields = Fields::of(&caps, mappings.as_ref());
    let schemas = given.cloned().map_or_else(Schema::built_in, |schema| vec![schema]);
    let measures = |index: &&str| schemas.iter().any(|schema| schema.series_of(index).is_some());
    let (series, indices): (Vec<&str>, Vec<&str>) = indices.into_iter().partition(measures);
    let series: Vec<String> = series.into_iter().map(str::to_owned).collect();
    let mut parts: Vec<(Schema, Table)> = Vec::new();
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    for schema in &schemas {
        for (part, table) in schema.tables(crate::definitions::STORE) {
            let mine: Vec<&str> = indices.iter().copied().filter(|index| fits(&table.name, index)).collect();
            if mine.iter().filter(|index| taken.insert(index)).count() > 0 {
                parts.push((part.clone(), table.clone()));
                names.add_flow(&schema.definition().flow);
            }
        }
    }
    let rest: Vec<&str> = indices.iter().copied().filter(|index| !taken.contains(index)).collect();
    if !rest.is_empty() {
        let schema = match given {
            Some(schema) => schema.clone(),
            None => recognise(connection, pattern, &rest, &schemas).await?,
        };
        let table = general(&schema, &fields, pattern)?;
        parts.push((schema, table));
    }
    let alone = parts.len() == 1 && series.is_empty();
    let globs: Vec<String> = parts.iter().map(|(_, table)| table.name.clone()).collect();
    let last = (!rest.is_empty()).then(|| parts.len() - 1);
    let mappings: Vec<Mapping> = parts
        .into_iter()
        .enumerate()
        .map(|(index, (schema, table))| {
            let only = match (alone, Some(index) == last) {
                (true, _) => json!({ "match_all": {} }),
                (false, false) => json!({ "wildcard": { "_index": { "value": table.name } } }),
                (false, true) => {
                    let of = |glob: &String| json!({ "wildcard": { "_index": { "value": glob } } });
                    json!({ "bool": { "must_not": globs[..index].iter().chain(&series).map(of).collect::<Vec<_>>() } })
                }
            };
            let mut includes: Vec<String> =
                schema.definition().fields.values().flat_map(|p| p.list()).cloned().collect();
            includes.push(table.time.clone());
            includes.sort_unstable();
            includes.dedup();
            let number = names.table(source, &table.name);
            let undated = fields.undated(&table.time);
            let dated = if undated.is_empty() {
                pattern.to_owned()
            } else {
                let dated = indices.iter().filter(|index| !undated.iter().any(|other| other == *index));
                dated.copied().collect::<Vec<_>>().join(",")
            };
            let fields = fields.clone();
            let (source_name, pattern) = (source_name.to_owned(), pattern.to_owned());
            Mapping { schema, table, pattern, dated, source, number, source_name, includes, only, fields }
        })
        .collect();
    warnings.extend(about_types(&fields, &mappings));
    Ok(ResolvedIndices { mappings, series, warnings })
}

/// What people should know of fields that are read but are not of one type, or not of the type that is needed.
fn about_types(fields: &Fields, mappings: &[Mapping]) -> Vec<String> {
    let mut warnings = Vec::new();
    let used = |path: &str| mappings.iter().any(|mapping| mapping.includes.iter().any(|known| known == path));
    for conflict in &fields.conflicts {
        let path = conflict.split(' ').next().unwrap_or(conflict);
        if used(path) {
            warnings.push(format!("the type of {conflict} differs between indices: it is compared locally"));
        }
    }
    for mapping in mappings {
        let undated = fields.undated(&mapping.table.time);
        if !undated.is_empty() {
            warnings.push(format!(
                "{} is not a date in {}: of those indices the newest {} documents are read; map it as date and index \
                 them again",
                mapping.table.time,
                undated.join(", "),
                UNDATED
            ));
        }
    }
    warnings
}

/// Whether the name of an index matches a table's pattern, in which `*` stands for any text.
fn fits(pattern: &str, index: &str) -> bool {
    glob::Pattern::new(pattern).is_ok_and(|glob| glob.matches(index))
}

/// A table for a schema that names none for these indices, sorted by the first of the schema's times that is a date.
fn general(schema: &Schema, fields: &Fields, pattern: &str) -> Result<Table, Error> {
    let times = schema.definition().fields.get("started_at").map_or(&[][..], |paths| paths.list());
    let is_date = |path: &&String| {
        fields.get(path).is_some_and(|field| field.kind == Type::Date) || !fields.undated(path).is_empty()
    };
    let Some(time) = times.iter().find(is_date) else {
        return Err(Error::Mapping(format!(
            "[fields] started_at: none of {} is a date in {pattern}; name a date field, or another --schema",
            times.join(", ")
        )));
    };
    Ok(Table {
        name: pattern.to_owned(),
        stores: vec![crate::definitions::STORE.name.to_owned()],
        id: "_id".into(),
        time: time.clone(),
        revision: None,
        time_unit: crosstail_core::schema::TimeUnit::default(),
        time_zone: None,
        lookup: BTreeMap::new(),
    })
}

/// The schema that reads the newest documents best.
async fn recognise(
    connection: &Connection,
    pattern: &str,
    indices: &[&str],
    known: &[Schema],
) -> Result<Schema, Error> {
    let body = json!({
        "size": SAMPLE, "query": { "terms": { "_index": indices } }, "sort": [{ "_seq_no": "desc" }], "track_total_hits": false,
    });
    let text = connection.ask(Method::Post, &format!("/{}/_search", in_path(pattern)), Some(&body)).await?;
    let records: Vec<Map<String, Value>> =
        found(&text)?.hits.hits.iter().filter_map(|hit| serde_json::from_str(hit.source?.get()).ok()).collect();
    let best = Schema::best_of(known, &records);
    best.cloned().ok_or_else(|| Error::Nothing(format!("no schema matches the documents of {pattern}")))
}
