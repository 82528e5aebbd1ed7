//! Figures computed by the cluster. It counts documents by the raw values of the relevant fields (`composite` over
//! `terms` and `date_histogram`), and each combination is read as a document with just these values. So words, statuses
//! and the filter are evaluated locally, once per combination instead of once per document. Latencies are counted in
//! the buckets of crosstail's own sketch (`range`): the digest of `percentiles` does not add up over sources.

use super::clauses::{all, any, any_value, ignored, in_time, left_out, nothing};
use super::connection::{TIME_LIMIT, found, in_path};
use super::expression::condition;
use super::fields::Type;
use super::mapping::{Mapping, ResolvedIndices};
use super::{Elasticsearch, Error};
use crosstail_core::filter::{Comparator, Field, Matcher, NamedRecord, Operand, Predicate};
use crosstail_core::model::{Id, Latencies, Mean, Names, Timestamp};
use crosstail_core::number::{saturating_u16, saturating_u64, truncated_i64, truncated_u64};
use crosstail_core::schema::{Assembler, LONGEST_US, NO_ERROR, NO_ERROR_TEXT, Scalar, Target as Column};
use crosstail_record::write::cluster::Method;
use crosstail_source::combination;
use crosstail_source::{Grouping, Groups, Measures, PageQuery};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Buckets per response, below the server's limit (`search.max_buckets`).
const BUCKETS: usize = 40_000;

/// Figures by group; `None` where the documents themselves must be read.
pub(super) async fn aggregate(
    cluster: &Elasticsearch,
    query: &PageQuery,
    grouping: &Grouping,
) -> Result<Option<Groups>, Error> {
    cluster.with_readable(|resolved| Box::pin(figures(cluster, resolved, query, grouping))).await
}

async fn figures(
    cluster: &Elasticsearch,
    resolved: ResolvedIndices,
    query: &PageQuery,
    grouping: &Grouping,
) -> Result<Option<Groups>, Error> {
    let mut groups = Groups::new();
    for mapping in resolved.mappings {
        let Some(plan) = Plan::of(&mapping, query, grouping) else { return Ok(None) };
        if !plan.run(cluster, &mut groups).await? {
            return Ok(None);
        }
    }
    Ok(Some(groups))
}

/// A field by whose raw values documents are counted.
struct Counted {
    path: String,
    target: (Column, u16),
}

struct Plan<'a> {
    mapping: &'a Mapping,
    grouping: &'a Grouping,
    /// The filter without its time bounds.
    residual: Predicate,
    condition: Value,
    counted: Vec<Counted>,
    /// What keeps the documents of which the index left out something that counts.
    left_out: Vec<Value>,
    /// The field of the duration, and its unit in microseconds.
    duration: Option<(String, u64)>,
    figures: Vec<(&'static str, String)>,
    /// Whether there are bounds on the time.
    bounded: bool,
    /// What keeps the documents with an error, where only its presence counts, and those whose error says that there is none.
    error: Option<(Value, Value)>,
}

impl<'a> Plan<'a> {
    fn of(mapping: &'a Mapping, query: &PageQuery, grouping: &'a Grouping) -> Option<Self> {
        let definition = mapping.schema.definition();
        let time = mapping.table.time.as_str();
        let fits = mapping.undated.is_empty() && mapping.bare.is_empty();
        if !fits || grouping.bucket_us.is_some_and(|us| us % 1000 != 0) {
            return None;
        }
        let predicate = query.filter.predicate(&query.context);
        let (mut conditions, _) = condition(mapping, &predicate);
        conditions.push(mapping.only.clone());
        let (bounds, residual) = split(predicate);
        let fields = combination::fields(grouping, &residual)?;
        let targets = combination::targets(&mapping.schema, &fields)?;
        let mut bounded = false;
        for (from, until) in bounds.into_iter().chain([(query.since, query.until)]) {
            // Stored times are integers of milliseconds.
            let ms = |at: Timestamp| at.0.div_euclid(1000) + i64::from(at.0.rem_euclid(1000) > 0);
            let bounds: Vec<_> =
                from.map(|at| ("gte", ms(at))).into_iter().chain(until.map(|at| ("lt", ms(at)))).collect();
            bounded |= !bounds.is_empty();
            let undated = PageQuery { since: from, until, ..PageQuery::all(1) }.includes_undated();
            conditions.extend(in_time(time, &bounds, undated));
        }
        let present = |target: Column| -> Vec<(u16, &str)> {
            let paths = mapping.paths(target).into_iter().enumerate();
            paths
                .map(|(rank, path)| (saturating_u16(rank), path))
                .filter(|(_, path)| !mapping.fields.is_absent(path))
                .collect()
        };
        let mut plan = Self {
            mapping,
            grouping,
            residual,
            condition: all(conditions),
            counted: Vec::new(),
            left_out: Vec::new(),
            duration: None,
            figures: Vec::new(),
            bounded,
            error: None,
        };
        for target in targets {
            plan.left_out.extend(without_room(mapping, target));
            if target == Column::Error && !fields.contains(&Field::Error) {
                let paths = || present(target).into_iter().map(|(_, path)| path);
                let parts: Vec<(Value, Value)> = paths().map(|path| error_at(mapping, path)).collect::<Option<_>>()?;
                // An object that was left out may have had this field, or not.
                let around = |path: &str| json!({ "terms": { "_ignored": mapping.fields.around(path) } });
                plan.left_out.extend(paths().map(around));
                let (said, denied): (Vec<Value>, Vec<Value>) = parts.into_iter().unzip();
                plan.error = (!said.is_empty()).then(|| (any(said), any(denied)));
                continue;
            }
            for (rank, path) in present(target) {
                let whole = mapping.fields.get(path).is_some_and(|field| field.kind == Type::Whole);
                let name = match mapping.fields.keyword(path) {
                    Some((name, _)) => name,
                    None if whole => path.to_owned(),
                    None => return None,
                };
                plan.left_out.push(left_out(mapping, path, &name));
                plan.counted.push(Counted { path: name, target: (target, rank) });
            }
        }
        if grouping.measures < Measures::All {
            return Some(plan);
        }
        for target in [Column::Duration, Column::CompletedAt, Column::Cpu, Column::Memory] {
            plan.left_out.extend(without_room(mapping, target));
            plan.left_out.extend(present(target).into_iter().map(|(_, path)| ignored(mapping, path)));
        }
        let number = |path: &str| mapping.fields.get(path).map(|field| field.kind);
        match (present(Column::Duration).as_slice(), present(Column::CompletedAt).is_empty()) {
            ([], true) => {}
            ([(_, path)], true) if number(path) == Some(Type::Whole) && definition.duration_unit.us() >= 1.0 => {
                plan.duration = Some(((*path).to_owned(), truncated_u64(definition.duration_unit.us())));
            }
            _ => return None,
        }
        for (name, target) in [("cpu", Column::Cpu), ("memory", Column::Memory)] {
            match present(target).as_slice() {
                [] => {}
                [(_, path)] if matches!(number(path), Some(Type::Whole | Type::Double)) => {
                    plan.figures.push((name, (*path).to_owned()));
                }
                _ => return None,
            }
        }
        Some(plan)
    }

    fn path(&self) -> String {
        let lenient = "ignore_unavailable=true&allow_partial_search_results=false";
        format!("/{}/_search?{lenient}", in_path(&self.mapping.stored))
    }

    /// The smallest integer of each latency bucket, from the shortest duration to the longest; `None` where a duration
    /// is negative.
    async fn edges(&self, cluster: &Elasticsearch) -> Result<Option<Vec<(usize, i64)>>, Error> {
        let Some((path, unit)) = &self.duration else { return Ok(Some(Vec::new())) };
        let body = json!({
            "size": 0, "track_total_hits": false, "query": self.condition, "timeout": TIME_LIMIT,
            "aggs": { "low": { "min": { "field": path } }, "high": { "max": { "field": path } } },
        });
        let text = cluster.connection.ask(Method::Post, &self.path(), Some(&body)).await?;
        let answer = found(&text)?.aggregations;
        let value = |name: &str| answer[name]["value"].as_f64();
        let (Some(low), Some(high)) = (value("low"), value("high")) else { return Ok(Some(Vec::new())) };
        // What is no duration cannot be told apart here.
        if low < 0.0 || high > 1e15 || high * (*unit as f64) > LONGEST_US {
            return Ok(None);
        }
        let bucket = |n: i64| Latencies::bucket(saturating_u64(n).saturating_mul(*unit));
        let mut edges = vec![(bucket(truncated_i64(low)), truncated_i64(low))];
        while let Some((last, from)) = edges.last().copied()
            && last < bucket(truncated_i64(high))
        {
            // Bisection for the smallest number of the next bucket, which is between this one and twice it.
            let (mut below, mut above) = (from, (from * 2).max(from + 2));
            while above - below > 1 {
                let middle = below + (above - below) / 2;
                if bucket(middle) > last { above = middle } else { below = middle }
            }
            edges.push((bucket(above), above));
        }
        Ok(Some(edges))
    }

    /// Adds the figures; false where the documents themselves must be read.
    async fn run(&self, cluster: &Elasticsearch, groups: &mut Groups) -> Result<bool, Error> {
        let Some(edges) = self.edges(cluster).await? else { return Ok(false) };
        let Some((said, _)) = &self.error else {
            return self.run_part(cluster, (&self.condition, false), &edges, groups).await;
        };
        let with = all(vec![self.condition.clone(), said.clone()]);
        let without = json!({ "bool": { "filter": [self.condition], "must_not": [said] } });
        Ok(self.run_part(cluster, (&with, true), &edges, groups).await?
            && self.run_part(cluster, (&without, false), &edges, groups).await?)
    }

    /// Adds the figures of the documents that meet a condition, and that have an error or have none.
    async fn run_part(
        &self,
        cluster: &Elasticsearch,
        (condition, has_error): (&Value, bool),
        edges: &[(usize, i64)],
        groups: &mut Groups,
    ) -> Result<bool, Error> {
        let mut sources = vec![json!({ "index": { "terms": { "field": "_index" } } })];
        for (number, counted) in self.counted.iter().enumerate() {
            sources.push(json!({ number.to_string(): { "terms": { "field": counted.path, "missing_bucket": true } } }));
        }
        if let Some(us) = self.grouping.bucket_us {
            let span = format!("{}ms", us / 1000);
            let histogram = json!({ "field": self.mapping.table.time, "fixed_interval": span, "missing_bucket": true });
            sources.push(json!({ "bucket": { "date_histogram": histogram } }));
        }
        let mut within = Map::new();
        if let (Some((path, _)), false) = (&self.duration, edges.is_empty()) {
            let ranges: Vec<Value> = edges
                .iter()
                .enumerate()
                .map(|(i, (_, from))| match edges.get(i + 1) {
                    Some((_, to)) => json!({ "from": from, "to": to }),
                    None => json!({ "from": from }),
                })
                .collect();
            within.insert("sum".to_owned(), json!({ "sum": { "field": path } }));
            within.insert("latencies".to_owned(), json!({ "range": { "field": path, "ranges": ranges } }));
        }
        for (name, path) in &self.figures {
            within.insert(format!("{name}_sum"), json!({ "sum": { "field": path } }));
            within.insert(format!("{name}_count"), json!({ "value_count": { "field": path } }));
        }
        let size = (BUCKETS / (edges.len() + 1)).clamp(1, 1000);
        let mut after: Option<Value> = None;
        let (mut counted, mut total, mut combinations) = (0, 0, 0);
        loop {
            let mut composite = json!({ "size": size, "sources": sources });
            if let Some(after) = &after {
                composite["after"] = after.clone();
            }
            let left_out = json!({ "filter": any(self.left_out.clone()) });
            let denied = self.error.as_ref().filter(|_| has_error).map_or_else(nothing, |(_, denied)| denied.clone());
            let body = json!({
                "size": 0, "track_total_hits": after.is_none(), "query": condition, "timeout": TIME_LIMIT,
                "aggs": {
                    "groups": { "composite": composite, "aggs": within }, "left_out": left_out,
                    "denied": { "filter": denied },
                    "times": { "value_count": { "field": self.mapping.table.time } },
                    "undated": { "missing": { "field": self.mapping.table.time } },
                },
            });
            let text = cluster.connection.ask(Method::Post, &self.path(), Some(&body)).await?;
            let answer = found(&text)?;
            if after.is_none() {
                total = answer.hits.total.map_or(0, |total| total.value);
                // Of several times, a range finds any, but the last one counts.
                let times = answer.aggregations["times"]["value"].as_u64().unwrap_or(0)
                    + answer.aggregations["undated"]["doc_count"].as_u64().unwrap_or(0);
                let some = |name: &str| answer.aggregations[name]["doc_count"] != 0;
                if some("left_out") || some("denied") || (self.bounded && times > total) {
                    return Ok(false);
                }
            }
            let buckets = answer.aggregations["groups"]["buckets"].as_array().cloned().unwrap_or_default();
            combinations += buckets.len();
            if combinations > combination::COMBINATIONS {
                return Ok(false);
            }
            for bucket in &buckets {
                counted += bucket["doc_count"].as_u64().unwrap_or(0);
                if !self.add((bucket, has_error), edges, &cluster.names, groups) {
                    return Ok(false);
                }
            }
            match &answer.aggregations["groups"]["after_key"] {
                next @ Value::Object(_) if buckets.len() == size => after = Some(next.clone()),
                _ => break,
            }
        }
        // A document with several values in one field belongs to several combinations.
        Ok(counted == total)
    }

    /// Adds the documents of one combination; false where they have no time and the grouping needs one.
    fn add(
        &self,
        (bucket, has_error): (&Value, bool),
        edges: &[(usize, i64)],
        names: &Names,
        groups: &mut Groups,
    ) -> bool {
        let key = &bucket["key"];
        let mut assembler = Assembler::default();
        for (number, counted) in self.counted.iter().enumerate() {
            match &key[number.to_string()] {
                Value::String(text) => assembler.set(counted.target, Scalar::Text(Cow::Borrowed(text))),
                Value::Number(n) => assembler.set(counted.target, Scalar::Text(Cow::Owned(n.to_string()))),
                _ => {}
            }
        }
        if has_error {
            assembler.set((Column::Error, 0), Scalar::Text(Cow::Borrowed("an error")));
        }
        let at = key["bucket"].as_i64().map_or(Timestamp::UNDATED, Timestamp::from_millis);
        let mut activity = assembler.finish(&self.mapping.schema, Id::Text("".into()), at);
        activity.places = vec![self.mapping.place("")];
        if !self.residual.keeps(&NamedRecord { activity: &activity, names, payload: None }) {
            return true;
        }
        let figures = groups.entry(self.grouping.key(&activity, names)).or_default();
        figures.add_outcomes(&activity, bucket["doc_count"].as_u64().unwrap_or(0));
        if let Some((_, unit)) = &self.duration {
            let counts = bucket["latencies"]["buckets"].as_array().into_iter().flatten();
            for ((latency, _), count) in edges.iter().zip(counts) {
                figures.latencies.add_bucket(*latency, count["doc_count"].as_u64().unwrap_or(0), 0);
            }
            let sum = truncated_u64(bucket["sum"]["value"].as_f64().unwrap_or(0.0));
            figures.latencies.add_bucket(0, 0, sum * unit);
        }
        for (name, _) in &self.figures {
            let sum = bucket[format!("{name}_sum")]["value"].as_f64().unwrap_or(0.0);
            let count = bucket[format!("{name}_count")]["value"].as_u64().unwrap_or(0);
            let mean: &mut Mean = if *name == "cpu" { &mut figures.cpu } else { &mut figures.memory };
            mean.sum += sum;
            mean.count += count;
        }
        true
    }
}

/// What keeps the documents of which the index had no room for a field that fills a target.
fn without_room(mapping: &Mapping, target: Column) -> Vec<Value> {
    let absent = mapping.paths(target).into_iter().filter(|path| mapping.fields.is_absent(path));
    absent.map(|path| ignored(mapping, path)).collect()
}

/// What keeps the documents with something at a path of an error, and those of which that says that there is none; `None`
/// where the index may not know.
fn error_at(mapping: &Mapping, path: &str) -> Option<(Value, Value)> {
    let said = any_value(mapping, path)?;
    // An object says something where one of its fields does, and that is no empty text.
    if mapping.fields.is_object(path) {
        let empty = mapping.fields.texts_below(path).map(|full| json!({ "term": { full: "" } }));
        return Some((said, any(empty.collect())));
    }
    let words = |path: &str| {
        any(NO_ERROR.map(|word| json!({ "term": { path: { "value": word, "case_insensitive": true } } })).to_vec())
    };
    let denied = match (mapping.fields.get(path).map(|field| field.kind), mapping.fields.keyword(path)) {
        (_, Some((full, _))) => {
            let nothing = json!({ "regexp": { &full: { "value": NO_ERROR_TEXT, "case_insensitive": true } } });
            any(vec![json!({ "term": { &full: "" } }), nothing])
        }
        // A text has more words than these, and then the documents are read.
        (Some(Type::Text), None) => words(path),
        // What is no number for the index may be a word for none.
        (Some(Type::Whole | Type::Double), _) => any(vec![json!({ "term": { path: 0 } }), ignored(mapping, path)]),
        _ => return None,
    };
    Some((said, denied))
}

/// Time bounds, each with its start and its end.
type Bounds = Vec<(Option<Timestamp>, Option<Timestamp>)>;

/// Splits off the time bounds among the clauses.
fn split(predicate: Predicate) -> (Bounds, Predicate) {
    let clauses = match predicate {
        Predicate::And(parts) => parts,
        other => vec![other],
    };
    let mut bounds = Vec::new();
    let mut rest = Vec::new();
    for clause in clauses {
        match &clause {
            Predicate::Compare(Comparator {
                target: Operand::Field(Field::Time),
                test: Matcher::Time(list),
                negated: false,
                or_absent: false,
            }) if list.len() == 1 => bounds.push((list[0].start, list[0].end)),
            _ => rest.push(clause),
        }
    }
    (bounds, Predicate::And(rest))
}
