//! Maps indices to activities: which schema reads which indices, which fields they have, and how a document is read.

use super::clauses::{all, any};
use super::connection::{Connection, Hit, found, in_path};
use super::fields::Fields;
use super::{Broken, Error, without};
use crosstail_core::model::{Activity, Id, Locator, Names, Place, SourceId, Timestamp, parse_timestamp};
use crosstail_core::schema::json;
use crosstail_core::schema::{Assembler, Scalar, Schema, Table, Target};
use crosstail_record::write::cluster::Method;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Number of documents by which a schema is recognised.
const SAMPLE: usize = 50;
/// The parts of one activity agree on its start to within this, in milliseconds.
pub(super) const SLACK_MS: i64 = 60_000;
/// Documents that are read, at most, of indices that cannot be sorted by time.
pub(super) const UNDATED: usize = 10_000;

/// A schema resolved against the indices of one pattern.
pub(super) struct Mapping {
    pub(super) schema: Schema,
    pub(super) table: Table,
    /// The indices whose documents can be sorted by time and are stored, as a pattern; empty where there are none.
    pub(super) dated: String,
    /// The indices that cannot be sorted by time: it is no date there, or has no doc values.
    pub(super) undated: Vec<String>,
    /// The indices that do not store documents. Of these, the values are read that the index has.
    pub(super) bare: Vec<String>,
    /// All indices whose documents are stored, as a pattern.
    pub(super) stored: String,
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

    /// What is asked of each document of a class of indices.
    pub(super) fn asked(&self, class: Class, whole: bool) -> Value {
        // The cluster knows how to read a date, whatever its format is.
        let time = json!({ "field": self.table.time, "format": "strict_date_optional_time_nanos" });
        let source = if whole { json!(true) } else { json!({ "includes": self.includes }) };
        match class {
            Class::Dated => json!({ "_source": source, "docvalue_fields": [time] }),
            Class::Undated => json!({ "_source": source }),
            Class::Bare => {
                let others = self.includes.iter().filter(|path| **path != self.table.time);
                let valued = others.filter(|path| self.fields.has_values(path)).map(|path| json!({ "field": path }));
                json!({ "_source": false, "docvalue_fields": valued.chain([time]).collect::<Vec<_>>() })
            }
        }
    }

    /// The activity of a document; never fails.
    pub(super) fn read(&self, hit: &Hit<'_>) -> Activity {
        let own = Id::Text(format!("{}/{}/{}", self.source_name, hit.index, hit.id).into());
        let place = self.place(&format!("{}/{}", hit.index, hit.id));
        let text = match hit.source {
            Some(source) => Cow::Borrowed(source.get()),
            None if hit.fields.is_empty() => {
                let excerpt = format!("a document of {} without its source", hit.index);
                return Activity::undecodable(own, Timestamp::UNDATED, place, BARE, &excerpt);
            }
            None => {
                let one = |(path, values): (&String, &Vec<Value>)| Some((path.clone(), values.last()?.clone()));
                Cow::Owned(Value::Object(hit.fields.iter().filter_map(one).collect()).to_string())
            }
        };
        let mut assembler = Assembler::default();
        if let Err(at) = json::scan(&text, self.schema.tree(), &mut assembler) {
            let excerpt = format!("a document of {} that cannot be read", hit.index);
            return Activity::undecodable(
                own,
                Timestamp::UNDATED,
                place,
                &format!("cannot be read at byte {at}"),
                &excerpt,
            );
        }
        // Of several times, the last one: by it documents are sorted.
        let times = hit.fields.get(&self.table.time);
        let time = times.and_then(|times| parse_timestamp(times.last()?.as_str()?));
        if let Some(time) = time {
            assembler.replace(Target::StartedAt, Scalar::Time(time));
        }
        let at = assembler.recorded_at();
        let mut activity = assembler.finish(&self.schema, own, Timestamp::UNDATED);
        activity.places = vec![Place { at, ..place }];
        if hit.source.is_none() && activity.error.is_none() {
            activity.error = Some(BARE.into());
        }
        activity
    }
}

/// Why a document has only some of its fields.
const BARE: &str = "the index does not store documents (_source is disabled)";

/// How documents of an index are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Sorted by time.
    Dated,
    /// Not sorted, because the index has no order by time.
    Undated,
    /// By the values of its fields, because the index has no documents.
    Bare,
}

/// What a pattern resolves to.
pub(super) struct ResolvedIndices {
    pub(super) mappings: Vec<Mapping>,
    /// Indices that hold measurements, not activities.
    pub(super) series: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// All indices of the pattern that can be read.
    pub(super) indices: Vec<String>,
    /// Indices of the pattern that are there and cannot be read now: closed, or broken.
    pub(super) unread: Vec<String>,
    /// The indices that can be read, as a pattern.
    pub(super) readable: String,
    /// Whether there is no document yet by which the schema would be recognised.
    pub(super) is_empty: bool,
}

impl ResolvedIndices {
    /// How the documents of an index are read.
    pub(super) fn class(&self, index: &str) -> Class {
        let has = |list: &[String]| list.iter().any(|known| known == index);
        match self.mappings.iter().find(|mapping| mapping.reads(index)).or(self.mappings.last()) {
            Some(mapping) if has(&mapping.bare) => Class::Bare,
            Some(mapping) if has(&mapping.undated) => Class::Undated,
            _ => Class::Dated,
        }
    }
}

/// Some indices as a pattern: all of them, or a list, or, where that is too long for an address, all but the others.
fn as_pattern(pattern: &str, all: &[&str], left_out: &[&[String]]) -> String {
    const LONGEST: usize = 2500;
    let is_out = |index: &str| left_out.iter().any(|list| list.iter().any(|other| other == index));
    if !all.iter().any(|index| is_out(index)) {
        return pattern.to_owned();
    }
    let kept: Vec<&str> = all.iter().copied().filter(|index| !is_out(index)).collect();
    let list = kept.join(",");
    if list.len() <= LONGEST || !pattern.contains('*') {
        return list;
    }
    all.iter().filter(|index| is_out(index)).fold(pattern.to_owned(), |list, index| format!("{list},-{index}"))
}

/// Finds the indices of a pattern, the schema of each and the types of their fields.
pub(super) async fn resolve(
    connection: &Connection,
    pattern: &str,
    given: Option<&Schema>,
    (source, source_name, names): (SourceId, &str, &Names),
    broken: &Broken,
) -> Result<ResolvedIndices, Error> {
    let path = in_path(pattern);
    let lenient = "ignore_unavailable=true&allow_no_indices=true";
    let caps = connection.json(Method::Post, &format!("/{path}/_field_caps?fields=*&{lenient}"), None).await?;
    let mut indices: Vec<&str> = caps["indices"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let failed = unknown(&caps);
    if let (true, Some((index, why))) = (indices.is_empty(), failed.first()) {
        return Err(Error::Nothing(without(index, why)));
    }
    indices.extend(failed.iter().map(|(index, _)| *index));
    let closed = closed(connection, &path).await;
    if indices.is_empty() {
        return Err(Error::Nothing(match closed.first() {
            Some(first) => format!("{} is closed; POST /{first}/_open opens it", closed.join(", ")),
            None => format!("no index matches {pattern}"),
        }));
    }
    let mut warnings: Vec<String> = closed.iter().map(|index| format!("{index} is closed and not read")).collect();
    let (mut left_out, reasons) = broken.of(&indices);
    warnings.extend(reasons);
    for (index, why) in &failed {
        if !left_out.iter().any(|other| other == index) {
            left_out.push((*index).to_owned());
            warnings.push(without(index, why));
        }
    }
    let seen = seen_through_aliases(connection, pattern).await;
    let (mappings, settings) = declared(connection, &path, lenient).await?;
    if settings.is_none() {
        warnings.push("without the privilege view_index_metadata, filters on texts are evaluated locally".to_owned());
    }
    let fields = Fields::of(&caps, mappings.as_ref(), settings.as_ref());
    let all = indices.clone();
    let schemas = given.cloned().map_or_else(Schema::built_in, |schema| vec![schema]);
    let measures = |index: &&str| schemas.iter().any(|schema| schema.series_of(index).is_some());
    let (series, indices): (Vec<&str>, Vec<&str>) = indices.into_iter().partition(measures);
    let series: Vec<String> = series.into_iter().map(str::to_owned).collect();
    let is_stored = |index: &&str| !fields.sourceless.contains(*index) && !left_out.iter().any(|other| other == index);
    let sampled: Vec<&str> = indices.iter().copied().filter(is_stored).collect();
    let (parts, rest) = divided(connection, pattern, (&indices, &sampled), (given, &schemas), &fields, names).await?;
    let alone = parts.len() == 1 && series.is_empty();
    let globs: Vec<String> = parts.iter().map(|(_, table)| table.name.clone()).collect();
    let last = (!rest.is_empty()).then(|| parts.len() - 1);
    let mappings: Vec<Mapping> = parts
        .into_iter()
        .enumerate()
        .map(|(index_of, (schema, table))| {
            let only = match (alone, Some(index_of) == last) {
                (true, _) => json!({ "match_all": {} }),
                (false, false) => json!({ "wildcard": { "_index": { "value": table.name } } }),
                (false, true) => {
                    let of = |glob: &String| json!({ "wildcard": { "_index": { "value": glob } } });
                    json!({ "bool": { "must_not": globs[..index_of].iter().chain(&series).map(of).collect::<Vec<_>>() } })
                }
            };
            let mut includes: Vec<String> =
                schema.definition().fields.values().flat_map(|p| p.list()).cloned().collect();
            includes.push(table.time.clone());
            includes.sort_unstable();
            includes.dedup();
            let number = names.table(source, &table.name);
            let is_mine =
                |index: &&str| if Some(index_of) == last { rest.contains(index) } else { fits(&table.name, index) };
            let mine: Vec<&str> = indices.iter().copied().filter(is_mine).collect();
            let kept = |index: &String| !left_out.contains(index);
            let is_bare = |index: &String| fields.sourceless.contains(index);
            let undated = fields.undated(&table.time, &mine).into_iter().filter(|i| kept(i) && !is_bare(i));
            let undated: Vec<String> = undated.collect();
            let sortable = |index: &&String| mine.contains(&index.as_str()) && kept(index) && !undated.contains(index);
            let bare: Vec<String> = fields.sourceless.iter().filter(sortable).cloned().collect();
            let hidden: Vec<String> = fields.sourceless.iter().cloned().collect();
            Mapping {
                dated: as_pattern(pattern, &all, &[&undated, &hidden, &left_out]),
                stored: as_pattern(pattern, &all, &[&hidden, &left_out]),
                source_name: source_name.to_owned(),
                fields: fields.clone(),
                undated,
                bare,
                schema: schema.with_durations_at(|path| fields.get(path).is_some()),
                table,
                source,
                number,
                includes,
                only: super::clauses::all(std::iter::once(only).chain(seen.clone()).collect()),
            }
        })
        .collect();
    warnings.extend(about_types(&fields, &mappings));
    let indices = all.iter().map(|index| (*index).to_owned()).filter(|index| !left_out.contains(index)).collect();
    let readable = as_pattern(pattern, &all, &[&left_out]);
    let unread = closed.into_iter().chain(left_out).collect();
    Ok(ResolvedIndices { mappings, series, warnings, indices, unread, readable, is_empty: fields.is_empty })
}

/// What keeps the documents that the aliases of a pattern show, where one has a filter: an index that is asked by its own name, because
/// it is read in another way, knows nothing of it. Who may not see aliases has none.
async fn seen_through_aliases(connection: &Connection, pattern: &str) -> Option<Value> {
    let path = format!("/_alias/{}?ignore_unavailable=true", in_path(pattern));
    let answer = connection.json(Method::Get, &path, None).await.ok()?;
    let (mut names, mut parts) = (Vec::new(), Vec::new());
    for (index, of) in answer.as_object()? {
        let Some(aliases) = of["aliases"].as_object().filter(|aliases| !aliases.is_empty()) else { continue };
        // What one of them shows is shown.
        let filters: Option<Vec<Value>> = aliases.values().map(|alias| alias.get("filter").cloned()).collect();
        let is_named = pattern.split(',').any(|part| fits(part, index));
        if let Some(filters) = filters.filter(|_| !is_named) {
            parts.push(all(vec![json!({ "term": { "_index": index } }), any(filters)]));
            names.push(index);
        }
    }
    if names.is_empty() {
        return None;
    }
    parts.push(json!({ "bool": { "must_not": [{ "terms": { "_index": names } }] } }));
    Some(any(parts))
}

/// The mappings of the indices of a path, and what their settings say of analysers. Both need the privilege to see them; without it,
/// texts are compared locally.
async fn declared(connection: &Connection, path: &str, lenient: &str) -> Result<(Option<Value>, Option<Value>), Error> {
    // An index that the settings do not name is one of which they are not known: each has its UUID.
    const ANALYSERS: &str = "*.settings.index.uuid,*.settings.index.analysis.analyzer.default,\
                             *.settings.index.analysis.analyzer.standard";
    let mappings = match connection.json(Method::Get, &format!("/{path}/_mapping?{lenient}"), None).await {
        Ok(mappings) => mappings,
        Err(Error::Answered { status: 401 | 403, .. }) => return Ok((None, None)),
        Err(error) => return Err(error),
    };
    let settings = format!("/{path}/_settings?{lenient}&filter_path={ANALYSERS}");
    match connection.json(Method::Get, &settings, None).await {
        Ok(settings) => Ok((Some(mappings), Some(settings))),
        Err(Error::Answered { .. }) => Ok((Some(mappings), None)),
        Err(error) => Err(error),
    }
}

/// The indices of which not even the fields are known, and why.
fn unknown(caps: &Value) -> Vec<(&str, &str)> {
    let failures = caps["failures"].as_array().into_iter().flatten();
    let all = failures.flat_map(|of| {
        let why = of.pointer("/failure/error/reason").and_then(Value::as_str).unwrap_or("no shard can be reached");
        of["indices"].as_array().into_iter().flatten().filter_map(Value::as_str).map(move |index| (index, why))
    });
    all.collect()
}

/// The schemas of indices, each with its table, and the indices that no schema names: the last of the tables has these.
async fn divided<'i>(
    connection: &Connection,
    pattern: &str,
    (indices, sampled): (&[&'i str], &[&str]),
    (given, schemas): (Option<&Schema>, &[Schema]),
    fields: &Fields,
    names: &Names,
) -> Result<(Vec<(Schema, Table)>, Vec<&'i str>), Error> {
    let mut parts: Vec<(Schema, Table)> = Vec::new();
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    for schema in schemas {
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
            None => {
                let sampled: Vec<&str> = rest.iter().copied().filter(|index| sampled.contains(index)).collect();
                recognise(connection, pattern, &sampled, schemas).await?
            }
        };
        let table = general(&schema, fields, pattern, given.is_none())?;
        parts.push((schema, table));
    }
    Ok((parts, rest))
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
        if !mapping.undated.is_empty() {
            warnings.push(format!(
                "{} is not a date in {}, or has no doc values: of those indices the newest {} documents are read; map it \
                 as date and index them again",
                mapping.table.time,
                mapping.undated.join(", "),
                UNDATED
            ));
        }
        let times = mapping.paths(Target::StartedAt);
        if !times.is_empty() && !times.contains(&mapping.table.time.as_str()) {
            let (name, time) = (&mapping.table.name, &mapping.table.time);
            warnings.push(format!(
                "{name} has no time of a usual name: {time} is taken for it; to correct it, name another as started_at in a schema"
            ));
        }
        if !mapping.bare.is_empty() {
            let list = mapping.bare.join(", ");
            warnings.push(format!("{list}: _source is disabled, so only values of the index are shown"));
        }
    }
    warnings
}

/// Whether the name of an index matches a table's pattern, in which `*` stands for any text.
fn fits(pattern: &str, index: &str) -> bool {
    glob::Pattern::new(pattern).is_ok_and(|glob| glob.matches(index))
}

/// A table for a schema that names none for these indices, sorted by the first of the schema's times that is a date. Where it has
/// none of them and the user named no schema, by the likeliest date that there is.
fn general(schema: &Schema, fields: &Fields, pattern: &str, is_recognised: bool) -> Result<Table, Error> {
    const NAMED: usize = 5;
    let times = schema.definition().fields.get("started_at").map_or(&[][..], |paths| paths.list());
    // A field that no document has yet becomes a date. One that is no date is read without an order.
    let found = times.iter().find(|path| fields.is_dated(path));
    let found = found.or_else(|| times.iter().find(|path| fields.has(path)));
    let later = || times.iter().find(|path| *path == "@timestamp").or(times.first()).filter(|_| fields.is_empty);
    let dates = fields.dates();
    let other = || dates.first().filter(|_| is_recognised);
    let Some(time) = found.or_else(later).or_else(other) else {
        let more = times.len().saturating_sub(NAMED);
        let wanted = times.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let wanted = if more > 0 { format!("{wanted} and {more} more") } else { wanted };
        let there = if dates.is_empty() { "no date".to_owned() } else { dates.join(", ") };
        return Err(Error::Mapping(format!(
            "[fields] started_at: {pattern} has none of {wanted}, but {there}; name a date field, or another --schema"
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
        "size": SAMPLE, "query": { "terms": { "_index": indices } }, "track_total_hits": false,
        // An index that was never written to has no such field.
        "sort": [{ "_seq_no": { "order": "desc", "unmapped_type": "long" } }],
    });
    let text = connection.ask(Method::Post, &format!("/{}/_search", in_path(pattern)), Some(&body)).await?;
    let records: Vec<Map<String, Value>> =
        found(&text)?.hits.hits.iter().filter_map(|hit| serde_json::from_str(hit.source?.get()).ok()).collect();
    let best = Schema::best_of(known, &records);
    best.cloned().ok_or_else(|| Error::Nothing(format!("no schema matches the documents of {pattern}")))
}

/// The indices of a pattern that are closed, where the cluster says so.
pub(super) async fn closed(connection: &Connection, path: &str) -> Vec<String> {
    let path = format!("/_resolve/index/{path}?expand_wildcards=open,closed&ignore_unavailable=true");
    let answer = connection.json(Method::Get, &path, None).await.unwrap_or_default();
    let is_closed = |index: &&Value| index["attributes"].as_array().is_some_and(|of| of.contains(&json!("closed")));
    let named = answer["indices"].as_array().into_iter().flatten().filter(is_closed);
    named.filter_map(|index| index["name"].as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
impl Mapping {
    /// A mapping of one index with some fields, read as JSON of common names.
    pub(super) fn of_fields(fields: Fields) -> Self {
        let schema = Schema::built_in().into_iter().find(|schema| schema.name == "json").expect("the schema");
        let table = general(&schema, &fields, "logs", true).expect("a date");
        Self {
            schema,
            table,
            dated: "logs".to_owned(),
            undated: Vec::new(),
            bare: Vec::new(),
            stored: "logs".to_owned(),
            source: SourceId(0),
            number: 0,
            source_name: "logs".to_owned(),
            includes: Vec::new(),
            only: json!({ "match_all": {} }),
            fields,
        }
    }
}
