//! Figures computed by the server: counts of combinations of raw values (see [`combination`]), and latencies in the buckets of
//! crosstail's own sketch.

use super::expression::{Translator, bounds};
use super::find::{Arriving, Find, TIME_LIMIT, by_bytes, collection, each};
use super::mapping::Mapping;
use super::operators::{date, is_list_of_one, or, says_none};
use super::{Asking, Error};
use bson::{Bson, Document, RawDocumentBuf, doc};
use crosstail_core::filter::{Field, NamedRecord, Predicate};
use crosstail_core::model::{Latencies, Mean, Names, Timestamp};
use crosstail_core::number::{saturating_i64, truncated_u64, truncated_usize};
use crosstail_core::schema::Target;
use crosstail_source::combination::{self, COMBINATIONS, Counted, Sum};
use crosstail_source::{Grouping, Groups, Measures, PageQuery};

/// A field that says whether a document has a value of an unexpected type.
const ODD: &str = "_crosstail_odd";

/// Figures of one collection; `None` where the documents themselves must be read. Documents that have a value of an
/// unexpected type are read.
pub(super) async fn aggregate(
    database: Asking<'_>,
    mapping: &Mapping,
    names: &Names,
    query: &PageQuery,
    grouping: &Grouping,
) -> Result<Option<Groups>, Error> {
    // Its groups would be of texts that a collation takes for one.
    if mapping.is_fixed {
        return Ok(None);
    }
    let Some(counting) = Counting::of(mapping, query, grouping) else { return Ok(None) };
    let Counting { pipeline, odd, columns, residual, is_bare } = counting;
    let collection = collection(database, mapping);
    database.job.runs(&format!("aggregate {}", mapping.table.name));
    let mut action = collection.aggregate(pipeline).max_time(TIME_LIMIT).allow_disk_use(true);
    if mapping.is_collated {
        // A collation would make one group of `SAP` and `sap`. Figures are of a range of time: its index has no texts.
        action = action.collation(by_bytes());
    }
    let mut arriving = Arriving::of(database);
    let mut cursor = action.comment(Bson::String(database.comment())).await?;
    let sum = Sum { grouping, names, residual: &residual };
    let (mut groups, mut has_odd, mut combinations) = (Groups::new(), is_bare, 0);
    while cursor.advance().await? {
        arriving.note();
        combinations += 1;
        if combinations > COMBINATIONS {
            return Ok(None);
        }
        let group: Document = cursor.current().to_owned().try_into()?;
        let whole = |name: &str| match group.get(name) {
            Some(Bson::Int32(n)) => u64::try_from(*n).unwrap_or(0),
            Some(Bson::Int64(n)) => u64::try_from(*n).unwrap_or(0),
            Some(Bson::Double(n)) => truncated_u64(*n),
            _ => 0,
        };
        let number =
            |name: &str| group.get(name).and_then(|n| n.as_f64().or(n.as_i64().map(|n| n as f64))).unwrap_or(0.0);
        let Ok(id) = group.get_document("_id") else { continue };
        if id.contains_key("odd") {
            has_odd = true;
            continue;
        }
        let mut values = Document::new();
        for (index, path) in columns.iter().enumerate() {
            if let Some(value) = id.get(format!("c{index}")) {
                put(&mut values, path, value);
            }
        }
        let activity = mapping.read(&RawDocumentBuf::try_from(&values)?);
        let bucket = id.get_datetime("bucket").ok().map(|at| Timestamp::from_millis(at.timestamp_millis()));
        let latency = match id.get("latency") {
            Some(Bson::Double(latency)) => Some((truncated_usize(*latency), whole("took"))),
            _ => None,
        };
        let mean = |name: &str| Mean { sum: number(name), count: whole(&format!("{name}_count")) };
        let counted = Counted { count: whole("count"), latency, cpu: mean("cpu"), memory: mean("memory") };
        sum.add(&activity, bucket, counted, &mut groups);
    }
    if has_odd {
        let predicate = query.filter.predicate(&query.context);
        let asked = Find { filter: odd, by_bytes: true, ..Find::default() };
        each(database, mapping, asked, |document| {
            let activity = mapping.read(document);
            let record = NamedRecord { activity: &activity, names, payload: None };
            if query.includes(activity.started_at) && predicate.keeps(&record) {
                groups.entry(grouping.key(&activity, names)).or_default().add(&activity);
            }
            true
        })
        .await?;
    }
    Ok(Some(groups))
}

/// Puts a value where a path leads.
fn put(document: &mut Document, path: &str, value: &Bson) {
    match path.split_once('.') {
        None => {
            document.insert(path, value.clone());
        }
        Some((first, rest)) => {
            if let Bson::Document(inner) = document.entry(first.to_owned()).or_insert(Bson::Document(Document::new())) {
                put(inner, rest, value);
            }
        }
    }
}

/// How the documents of a collection are counted.
struct Counting {
    pipeline: Vec<Document>,
    /// The condition for documents that the pipeline cannot count.
    odd: Document,
    /// The paths that a combination is of.
    columns: Vec<String>,
    /// The part of the filter that is evaluated on combinations.
    residual: Predicate,
    /// Whether only times are counted, which an index has: then the pipeline does not tell whether there are odd documents.
    is_bare: bool,
}

/// What is grouped by for each path that the targets are read from. Neither objects nor lists are read as values.
fn columns(mapping: &Mapping, targets: &[Target], fields: &[Field]) -> Vec<(String, Bson)> {
    // Of an error it only matters whether there is one, and of a URL only its host, unless they are asked for.
    let whole_error = fields.contains(&Field::Error);
    let whole_url = fields.iter().any(|field| matches!(field, Field::Url | Field::Endpoint));
    let mut columns: Vec<(String, Bson)> = Vec::new();
    for target in targets {
        for path in mapping.paths(*target) {
            if columns.iter().any(|(known, _)| known == path) {
                continue;
            }
            let value = format!("${path}");
            let is_text = doc! { "$eq": [{ "$type": &value }, "string"] };
            let short: Option<Bson> = match target {
                Target::Error if !whole_error => {
                    let said = doc! { "$cond": [says_none(&value), "none", "1"] };
                    Some(doc! { "$cond": [{ "$eq": [&value, ""] }, "$$REMOVE", said] }.into())
                }
                Target::Url if !whole_url => {
                    let host = doc! { "$regexFind": { "input": &value, "regex": "://[^/?#:]*" } };
                    Some(doc! { "$let": { "vars": { "host": host }, "in": { "$ifNull": ["$$host.match", "$$REMOVE"] } } }.into())
                }
                _ => None,
            };
            let mut none = vec!["missing", "null", "undefined"];
            let mut branches = Vec::new();
            if *target != Target::Error || !mapping.is_leaf(path) {
                none.extend(["object", "array"]);
            } else if !whole_error {
                branches.extend(objects_of_errors(&value));
            }
            let is_none = doc! { "$in": [{ "$type": &value }, none] };
            branches.push(doc! { "case": is_none, "then": "$$REMOVE" });
            branches.extend(short.map(|short| doc! { "case": is_text, "then": short }));
            columns.push((path.to_owned(), doc! { "$switch": { "branches": branches, "default": value } }.into()));
        }
    }
    columns
}

/// Whether a document has a value of an unexpected type, in what is grouped by or elsewhere. `of`: where it has one elsewhere.
fn is_odd(mapping: &Mapping, columns: &[(String, Bson)], of: Bson) -> Bson {
    let lists = columns.iter().map(|(path, _)| is_list_of_one(&format!("${path}")));
    // What is no text may be a message all the same.
    let messages =
        mapping.paths(Target::Message).into_iter().filter(|path| columns.iter().any(|(known, _)| known == path));
    let objects = messages
        .filter(|path| mapping.is_leaf(path))
        .map(|path| Bson::from(doc! { "$in": [{ "$type": format!("${path}") }, ["object", "array"]] }));
    or(std::iter::once(of).chain(lists).chain(objects).collect())
}

/// Objects and lists that are an error because a value in them is one: which, does not matter. Others are told apart.
fn objects_of_errors(value: &str) -> [Document; 2] {
    let values = |list: Bson, each: &str| {
        let kind = doc! { "$cond": [{ "$eq": [each, ""] }, "null", { "$type": each }] };
        let types = doc! { "$map": { "input": list, "in": kind } };
        let said = doc! { "$setDifference": [types, ["missing", "null", "undefined", "object", "array"]] };
        doc! { "$cond": [{ "$gt": [{ "$size": said }, 0] }, "1", value] }
    };
    let object = values(doc! { "$objectToArray": value }.into(), "$$this.v");
    let list = values(value.into(), "$$this");
    [
        doc! { "case": { "$eq": [{ "$type": value }, "object"] }, "then": object },
        doc! { "case": { "$eq": [{ "$type": value }, "array"] }, "then": list },
    ]
}

impl Counting {
    fn of(mapping: &Mapping, query: &PageQuery, grouping: &Grouping) -> Option<Self> {
        if mapping.is_local {
            return None;
        }
        let predicate = query.filter.predicate(&query.context);
        let residual = combination::residual(&predicate, |part| Translator::new(mapping).condition(part).exact);
        let fields = combination::fields(grouping, &residual)?;
        let targets = combination::targets(&mapping.schema, &fields)?;
        let columns = columns(mapping, &targets, &fields);
        let mut translator = Translator::new(mapping);
        let condition = translator.condition(&predicate);
        let time = translator.value(Field::Time)?;
        let (mut read, mut key) = (Document::new(), Document::new());
        for (index, (_, value)) in columns.iter().enumerate() {
            read.insert(format!("c{index}"), value.clone());
            key.insert(format!("c{index}"), format!("$c{index}"));
        }
        let mut sums = doc! { "count": { "$sum": 1 } };
        if grouping.measures == Measures::All {
            for (name, field) in [("took", Field::Duration), ("cpu", Field::Cpu), ("memory", Field::Memory)] {
                let value = match translator.value(field) {
                    Some(value) => value,
                    None if translator.is_absent(field) => Bson::Null,
                    None => return None,
                };
                let path = format!("${name}");
                let is_there = doc! { "$ne": [{ "$ifNull": [&path, Bson::Null] }, Bson::Null] };
                read.insert(name, value);
                sums.insert(name, doc! { "$sum": path });
                sums.insert(format!("{name}_count"), doc! { "$sum": { "$cond": [is_there, 1, 0] } });
            }
            // The same buckets as `Latencies::bucket`.
            key.insert(
                "latency",
                doc! { "$switch": { "branches": [
                    { "case": { "$eq": [{ "$ifNull": ["$took", Bson::Null] }, Bson::Null] }, "then": Bson::Null },
                    { "case": { "$lte": ["$took", 1.0] }, "then": 0.0 },
                ], "default": { "$ceil": { "$divide": [{ "$ln": "$took" }, Latencies::LOG_GAMMA] } } } },
            );
        }
        if let Some(us) = grouping.bucket_us {
            if us % 1000 != 0 {
                return None;
            }
            let ms = doc! { "$toLong": &time };
            let start = doc! { "$subtract": [ms.clone(), { "$mod": [ms, us / 1000] }] };
            read.insert("bucket", doc! { "$toDate": start });
            key.insert("bucket", "$bucket");
        }
        let name = mapping.table.time.as_str();
        let mut bound = bounds(mapping, &predicate);
        bound.extend(query.since.map(|at| doc! { name: { "$gte": date(at) } }));
        bound.extend(query.until.map(|at| doc! { name: { "$lt": date(at) } }));
        let indexed = super::indexed::conditions(mapping, &predicate);
        let limit = doc! { "$limit": saturating_i64(COMBINATIONS + 1) };
        let misfits = super::misfits::condition(mapping);
        let is_bare = columns.is_empty() && grouping.measures < Measures::All && query.filter.is_all();
        if is_bare {
            bound.push(doc! { name: mapping.one_date() });
            let mut group = doc! { "_id": read };
            group.extend(sums);
            let pipeline = vec![doc! { "$match": { "$and": bound } }, doc! { "$group": group }, limit];
            return Some(Self { pipeline, odd: misfits, columns: Vec::new(), residual, is_bare });
        }
        read.insert("keeps", condition.expression);
        let odd = is_odd(mapping, &columns, translator.has_unexpected_types());
        // Their values are not looked at: an expression of a wrong type is an error.
        let mut project = doc! { "odd": format!("${ODD}") };
        for (name, value) in read {
            project.insert(name, doc! { "$cond": [format!("${ODD}"), Bson::Null, value] });
        }
        // A document whose time is no date may be in the range, too.
        let matched = if bound.is_empty() {
            Document::new()
        } else {
            doc! { "$or": [{ "$and": bound }, misfits] }
        };
        let mut all = vec![matched];
        all.extend(indexed);
        let matched = doc! { "$and": all };
        let read_here = doc! { "$and": [matched.clone(), { "$expr": odd.clone() }] };
        let mut group = doc! { "_id": doc! { "$cond": ["$odd", { "odd": true }, key] } };
        group.extend(sums);
        let pipeline = vec![
            doc! { "$match": matched },
            doc! { "$set": { ODD: odd } },
            doc! { "$project": project },
            doc! { "$match": { "$or": [{ "keeps": true }, { "odd": true }] } },
            doc! { "$group": group },
            limit,
        ];
        let columns = columns.into_iter().map(|(path, _)| path).collect();
        Some(Self { pipeline, odd: read_here, columns, residual, is_bare })
    }
}
