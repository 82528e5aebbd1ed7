//! The queries: history in order of start, through a point in time; related documents.

use super::clauses::{all, any, ignored, in_time, left_out};
use super::connection::{TIME_LIMIT, found, in_path};
use super::expression::condition;
use super::fields::Type;
use super::mapping::{Class, Mapping, ResolvedIndices};
use super::reader::Reader;
use super::{Elasticsearch, Error};
use crosstail_core::model::{Activity, Timestamp};
use crosstail_core::schema::Target;
use crosstail_record::write::cluster::Method;
use crosstail_source::{Cost, Cursor, Page, PageQuery, RelatedKey, SharedId};
use serde_json::{Value, json};
use std::sync::Arc;

/// A page of all mappings, merged into one sequence. The next page resumes in the same point in time.
pub(super) async fn page(cluster: &Elasticsearch, query: &PageQuery, after: Option<&Cursor>) -> Result<Page, Error> {
    if let Some(mut readers) = cluster.waiting.take(query, after) {
        match read(cluster, &mut readers, query, after).await {
            // The point in time is gone (it expired, or its node left): open another one and resume from here.
            Err(Error::Answered { status: 404, .. }) => {}
            other => return Ok(finish(cluster, readers, query, other?)),
        }
    }
    cluster.with_readable(|resolved| Box::pin(first(cluster, resolved, query, after))).await
}

/// A page through new points in time.
async fn first(
    cluster: &Elasticsearch,
    resolved: ResolvedIndices,
    query: &PageQuery,
    after: Option<&Cursor>,
) -> Result<Page, Error> {
    let mut readers = Vec::new();
    for mapping in resolved.mappings {
        let mapping = Arc::new(mapping);
        let classes = [
            (Class::Dated, !mapping.dated.is_empty()),
            (Class::Undated, !mapping.undated.is_empty()),
            (Class::Bare, !mapping.bare.is_empty()),
        ];
        for (class, _) in classes.into_iter().filter(|(_, has)| *has) {
            readers.push(Reader::open(cluster, Arc::clone(&mapping), class, query, after).await?);
        }
    }
    let page = read(cluster, &mut readers, query, after).await?;
    Ok(finish(cluster, readers, query, page))
}

async fn read(
    cluster: &Elasticsearch,
    readers: &mut [Reader],
    query: &PageQuery,
    after: Option<&Cursor>,
) -> Result<Page, Error> {
    let mut items: Vec<Activity> = Vec::new();
    let mut open = false;
    let mut in_store = query.filter.clauses().len();
    // Where a reader has more than it returned, what comes after its last activity is not known to be in order.
    let mut edges: Vec<Cursor> = Vec::new();
    for reader in readers {
        reader.forget(after);
        reader.fill(&cluster.connection, query.limit).await?;
        let taken = reader.ready.iter().take(query.limit);
        if reader.ready.len() > query.limit || !reader.ended {
            open = true;
            edges.extend(taken.clone().next_back().map(Cursor::after));
        }
        items.extend(taken.cloned());
        in_store = in_store.min(reader.clauses);
    }
    items.retain(|activity| {
        let id = activity.id.to_string();
        !edges.iter().any(|edge| edge.is_before(activity.started_at, &id, query.newest_first))
    });
    Ok(Page::merge_pages(items, open, in_store, query))
}

/// What a query would take: an index answers all of it, and how many documents its conditions keep.
pub(super) async fn plan(cluster: &Elasticsearch, query: &PageQuery) -> Result<Cost, Error> {
    let rows = cluster.with_readable(|resolved| Box::pin(count(cluster, resolved, query))).await?;
    Ok(Cost { indexed: true, rows: Some(rows), bytes: None })
}

/// How many documents the conditions of a query keep.
async fn count(cluster: &Elasticsearch, resolved: ResolvedIndices, query: &PageQuery) -> Result<u64, Error> {
    let predicate = query.filter.predicate(&query.context);
    let mut rows = 0;
    for mapping in resolved.mappings {
        let (mut conditions, _) = condition(&mapping, &predicate);
        conditions.push(mapping.only.clone());
        let ms = |at: Timestamp| at.0.div_euclid(1000);
        if !mapping.schema.has_phases() {
            let (since, until) = (query.since.map(|at| ("gte", ms(at))), query.until.map(|at| ("lte", ms(at))));
            let bounds: Vec<_> = since.into_iter().chain(until).collect();
            conditions.extend(in_time(&mapping.table.time, &bounds, query.includes_undated()));
        }
        let path = format!("/{}/_count?ignore_unavailable=true", in_path(&mapping.stored));
        let answer = cluster.connection.json(Method::Post, &path, Some(&json!({ "query": all(conditions) }))).await?;
        rows += answer["count"].as_u64().unwrap_or(0);
    }
    Ok(rows)
}

/// Stores the readers for the next page. Those that are not needed any more are dropped.
fn finish(cluster: &Elasticsearch, readers: Vec<Reader>, query: &PageQuery, page: Page) -> Page {
    if let Some(next) = &page.next {
        let bytes = readers.iter().map(Reader::bytes).sum();
        cluster.waiting.keep(query, next, readers, bytes);
    }
    page
}

/// Activities of all mappings that share a key.
pub(super) async fn related(cluster: &Elasticsearch, key: &RelatedKey, limit: usize) -> Result<Vec<Activity>, Error> {
    cluster.with_readable(|resolved| Box::pin(sharing(cluster, resolved, key, limit))).await
}

async fn sharing(
    cluster: &Elasticsearch,
    resolved: ResolvedIndices,
    key: &RelatedKey,
    limit: usize,
) -> Result<Vec<Activity>, Error> {
    let mut activities: Vec<Activity> = Vec::new();
    for mapping in resolved.mappings {
        let (targets, value): (&[Target], _) = match &key.id {
            SharedId::Correlation(id) => (&[Target::CorrelationId], id),
            SharedId::Request(id) => (&[Target::RequestId, Target::ParentRequestId, Target::Id], id),
        };
        let paths: Vec<&str> = targets.iter().flat_map(|t| mapping.paths(*t)).collect();
        let mut conditions = vec![equal(&mapping, &paths, &[value])];
        if let Some((index, id)) =
            value.strip_prefix(&format!("{}/", mapping.source_name)).and_then(|own| own.split_once('/'))
        {
            conditions.push(all(vec![json!({ "term": { "_index": index } }), json!({ "ids": { "values": [id] } })]));
        }
        let mut found = search(cluster, &mapping, any(conditions), limit).await?;
        if mapping.schema.has_phases() {
            // One part of an activity may have the key, and another may not.
            let sharing = found.iter().filter(|activity| key.matches(activity));
            let requests: Vec<String> =
                sharing.filter_map(|a| a.request_id.as_ref()).map(ToString::to_string).collect();
            let requests: Vec<&String> = requests.iter().collect();
            for path in mapping.paths(Target::RequestId) {
                found.extend(search(cluster, &mapping, equal(&mapping, &[path], &requests), limit.max(1000)).await?);
            }
        }
        activities.extend(found);
    }
    let mut activities = crosstail_core::model::merge_by_id(activities);
    // A phrase also matches a longer text.
    activities.retain(|activity| key.matches(activity));
    activities.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    activities.truncate(limit);
    Ok(activities)
}

/// A query for one of several texts at one of some paths: as full values where they are indexed, else as phrases. What the index left
/// out there is kept, too, and is worth nothing: it comes after what is found.
fn equal(mapping: &Mapping, paths: &[&str], values: &[&String]) -> Value {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for &path in paths {
        if let Some((name, _)) = mapping.fields.keyword(path) {
            found.push(json!({ "terms": { &name: values } }));
            unknown.push(left_out(mapping, path, &name));
            continue;
        }
        unknown.push(ignored(mapping, path));
        if mapping.fields.is_absent(path) {
            continue;
        }
        let phrases = values.iter().flat_map(|value| phrases(mapping, path, value));
        match mapping.fields.nested(path) {
            // Some index may have it otherwise.
            Some(around) => found.extend(phrases.flat_map(|phrase| {
                let within = json!({ "nested": { "path": around, "query": phrase, "ignore_unmapped": true } });
                [within, phrase]
            })),
            None => found.extend(phrases),
        }
    }
    found.push(json!({ "bool": { "filter": [any(unknown)] } }));
    any(found)
}

/// What keeps the documents that have a text at a path. It is split as the text was when it was indexed, whatever splits what people
/// search for (`search_analyzer`, `default_search`).
fn phrases(mapping: &Mapping, path: &str, value: &str) -> Vec<Value> {
    let phrase = |analyser: Option<&str>| {
        let mut phrase = json!({ "query": value });
        if let Some(name) = analyser {
            phrase["analyzer"] = json!(name);
        }
        json!({ "match_phrase": { path: phrase } })
    };
    let analysers: Vec<(&str, &[String])> = mapping.fields.analysers(path).collect();
    match analysers.as_slice() {
        [] => {
            let is_text = mapping.fields.get(path).is_some_and(|field| field.kind == Type::Text);
            vec![phrase(is_text.then_some("standard"))]
        }
        // Every index has these two; one that an index lacks is an error of it.
        [(name @ ("default" | "standard"), _)] => vec![phrase(Some(*name))],
        several => {
            let of = |(name, indices): &(&str, &[String])| {
                all(vec![json!({ "terms": { "_index": indices } }), phrase(Some(*name))])
            };
            several.iter().map(of).collect()
        }
    }
}

async fn search(
    cluster: &Elasticsearch,
    mapping: &Mapping,
    condition: Value,
    limit: usize,
) -> Result<Vec<Activity>, Error> {
    let lenient = "allow_partial_search_results=false&ignore_unavailable=true";
    let mut found_all = Vec::new();
    for (class, indices) in [
        (Class::Dated, mapping.dated.clone()),
        (Class::Undated, mapping.undated.join(",")),
        (Class::Bare, mapping.bare.join(",")),
    ] {
        if indices.is_empty() {
            continue;
        }
        let mut body = mapping.asked(class, false);
        body["size"] = json!(limit.min(10_000));
        // In the order of what each is worth.
        body["query"] = json!({ "bool": { "must": [condition], "filter": [mapping.only] } });
        body["track_total_hits"] = json!(false);
        body["timeout"] = json!(TIME_LIMIT);
        let path = format!("/{}/_search?{lenient}", in_path(&indices));
        let text = cluster.connection.ask(Method::Post, &path, Some(&body)).await?;
        found_all.extend(found(&text)?.hits.hits.iter().map(|hit| mapping.read(hit)));
    }
    Ok(found_all)
}
