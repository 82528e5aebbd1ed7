//! Figures computed by the server: counts, outcomes, and latencies in the buckets of crosstail's own sketch.

use super::expression::{Translator, bounds};
use super::find::{Find, TIME_LIMIT, collection, each};
use super::mapping::Mapping;
use super::operators::date;
use super::{Asking, Error};
use bson::{Bson, Document, doc};
use crosstail_core::filter::{Field, NamedRecord, ValueType};
use crosstail_core::model::{Latencies, Mean, Names, Timestamp};
use crosstail_core::number::{truncated_u64, truncated_usize};
use crosstail_source::{Grouping, Groups, Measures, PageQuery};

/// A field that says whether a document has a value of an unexpected type.
const ODD: &str = "_crosstail_odd";

/// Figures of one collection; `None` where the filter or a field cannot be expressed. Documents that have a value of an
/// unexpected type are read.
pub(super) async fn aggregate(
    database: Asking<'_>,
    mapping: &Mapping,
    names: &Names,
    query: &PageQuery,
    grouping: &Grouping,
) -> Result<Option<Groups>, Error> {
    let Some(Counting { pipeline, odd }) = counting(mapping, query, grouping) else { return Ok(None) };
    let collection = collection(database, mapping);
    database.job.runs(&format!("aggregate {}", mapping.table.name));
    let action = collection.aggregate(pipeline).max_time(TIME_LIMIT).allow_disk_use(true);
    let mut cursor = action.comment(Bson::String(database.comment())).await?;
    let (mut groups, mut has_odd) = (Groups::new(), false);
    while cursor.advance().await? {
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
        let values: Vec<Option<String>> =
            (0..grouping.by.len()).map(|i| id.get_str(format!("k{i}")).ok().map(str::to_owned)).collect();
        let bucket = id.get_datetime("bucket").ok().map(|at| Timestamp::from_millis(at.timestamp_millis()));
        let figures = groups.entry((values, bucket)).or_default();
        figures.count += whole("count");
        figures.failed += whole("failed");
        figures.open += whole("open");
        figures.succeeded += whole("succeeded");
        figures.concluded += whole("concluded");
        if let Some(Bson::Double(latency)) = id.get("latency") {
            figures.latencies.add_bucket(truncated_usize(*latency), whole("count"), whole("took"));
        }
        for (mine, name) in [(&mut figures.cpu, "cpu"), (&mut figures.memory, "memory")] {
            let more = Mean { sum: number(name), count: whole(&format!("{name}_count")) };
            mine.sum += more.sum;
            mine.count += more.count;
        }
    }
    if has_odd {
        let predicate = query.filter.predicate(&query.context);
        let asked = Find { filter: odd, sort: None, limit: None, whole: false };
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

/// How the documents of a collection are counted.
struct Counting {
    pipeline: Vec<Document>,
    /// The condition for documents that the pipeline cannot count.
    odd: Document,
}

fn counting(mapping: &Mapping, query: &PageQuery, grouping: &Grouping) -> Option<Counting> {
    let predicate = query.filter.predicate(&query.context);
    let mut translator = Translator::new(mapping);
    let condition = translator.condition(&predicate);
    if !condition.exact {
        return None;
    }
    let mut fields = Document::new();
    let mut key = Document::new();
    for (index, by) in grouping.by.iter().enumerate() {
        let value = match by {
            Field::Source => mapping.source_name.as_str().into(),
            by if matches!(by.class(), ValueType::Number | ValueType::Duration | ValueType::Time) => return None,
            by => match translator.value(*by) {
                Some(value) => value,
                None if translator.is_absent(*by) => Bson::Null,
                None => return None,
            },
        };
        fields.insert(format!("k{index}"), value);
        key.insert(format!("k{index}"), format!("$k{index}"));
    }
    let mut sums = doc! { "count": { "$sum": 1 } };
    if grouping.measures > Measures::Totals {
        fields.insert("outcome", translator.value(Field::Is)?);
        fields.insert("status", translator.status().unwrap_or(Bson::Null));
        let count_if = |test: Document| doc! { "$sum": { "$cond": [test, 1, 0] } };
        sums.insert("failed", count_if(doc! { "$eq": ["$outcome", "failure"] }));
        sums.insert("open", count_if(doc! { "$eq": ["$status", "in_progress"] }));
        sums.insert("succeeded", count_if(doc! { "$eq": ["$status", "success"] }));
        sums.insert("concluded", count_if(doc! { "$in": ["$status", ["success", "failed", "timeout"]] }));
    }
    if grouping.measures == Measures::All {
        for (name, field) in [("took", Field::Duration), ("cpu", Field::Cpu), ("memory", Field::Memory)] {
            let value = match translator.value(field) {
                Some(value) => value,
                None if translator.is_absent(field) => Bson::Null,
                None => return None,
            };
            let path = format!("${name}");
            let is_there = doc! { "$ne": [{ "$ifNull": [&path, Bson::Null] }, Bson::Null] };
            fields.insert(name, value);
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
    let time = translator.value(Field::Time)?;
    if let Some(us) = grouping.bucket_us {
        if us % 1000 != 0 {
            return None;
        }
        let ms = doc! { "$toLong": &time };
        let start = doc! { "$subtract": [ms.clone(), { "$mod": [ms, us / 1000] }] };
        fields.insert("bucket", doc! { "$toDate": start });
        key.insert("bucket", "$bucket");
    }
    fields.insert("keeps", condition.expression);
    let odd = translator.has_unexpected_types();
    // Their values are not looked at: an expression of a wrong type is an error.
    let mut project = doc! { "odd": format!("${ODD}") };
    for (name, value) in fields {
        project.insert(name, doc! { "$cond": [format!("${ODD}"), Bson::Null, value] });
    }
    let mut bound = bounds(mapping, &predicate);
    let name = mapping.table.time.as_str();
    bound.extend(query.since.map(|at| doc! { name: { "$gte": date(at) } }));
    bound.extend(query.until.map(|at| doc! { name: { "$lt": date(at) } }));
    // A document whose time is no date may be in the range, too.
    let matched = if bound.is_empty() {
        Document::new()
    } else {
        doc! { "$or": [{ "$and": bound }, super::misfits::condition(mapping)] }
    };
    let mut all = vec![matched];
    all.extend(super::indexed::conditions(mapping, &predicate));
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
    ];
    Some(Counting { pipeline, odd: read_here })
}
