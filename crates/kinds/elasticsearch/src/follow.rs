//! Follows indices by sequence number. Each write to a shard has a number, one more than the last (`_seq_no`,
//! "Optimistic concurrency control" and "Tracking in-sync shard copies" in Elasticsearch's documentation), also an
//! update and a document with a late timestamp. So a poll asks every shard for what follows the last number it saw, and
//! for earlier numbers that were missing then: clients write concurrently, and a refresh may show a later number first.

use super::clauses::{all, any};
use super::connection::{Hit, TIME_LIMIT, found, in_path};
use super::mapping::{Class, ResolvedIndices, closed};
use super::reader::Pace;
use super::{Elasticsearch, Error};
use crosstail_core::model::Activity;
use crosstail_core::number::{saturating_i64, truncated_i64};
use crosstail_record::write::cluster::Method;
use crosstail_source::{Position, Sink, SourceEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How often shards are polled.
const EVERY: Duration = Duration::from_millis(500);
/// How often the indices are listed, to find new, deleted and recreated ones.
const INDEX_REFRESH: Duration = Duration::from_secs(2);
/// How often the types of fields are read again.
const MAPPING_REFRESH: Duration = Duration::from_mins(1);
/// A number that is missing for longer will not come: the write failed, or a later one replaced it before it was seen.
const GAP_TIMEOUT: Duration = Duration::from_mins(1);
/// Documents per request.
const CHUNK: usize = 2000;
/// Missing numbers that are asked for, at most, per index and shard.
const MAX_GAPS: usize = 1000;
/// At the start, only this many of the last numbers are checked for missing ones.
const RECENT: i64 = 200;
/// How many numbers are read again after a shard has a new primary, which may have assigned numbers a second time.
const REWIND: i64 = 10_000;

/// What has been seen of one shard of one index.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Shard {
    /// The identity of the index: a recreated index of the same name has another one.
    uuid: Option<String>,
    /// The first number that has not been seen.
    next: i64,
    /// Missing numbers before `next`.
    missing: BTreeSet<i64>,
    /// The shard's primary term: it grows when another copy becomes the primary, and when an index is opened again.
    term: i64,
    /// What had been seen in the terms before.
    #[serde(default)]
    earlier: Option<Earlier>,
}

/// What had been seen of a shard before it had a new primary: numbers that are read again may be known.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Earlier {
    next: i64,
    missing: BTreeSet<i64>,
    term: i64,
}

impl Shard {
    /// Whether a document was seen in an earlier term: one that is written again has the new term.
    fn has_seen(&self, hit: &Hit<'_>) -> bool {
        let of = |earlier: &Earlier| {
            hit.term <= earlier.term && hit.sequence < earlier.next && !earlier.missing.contains(&hit.sequence)
        };
        self.earlier.as_ref().is_some_and(of)
    }
}

/// By shard number: the state of each index, by name.
type Shards = Vec<BTreeMap<String, Shard>>;

/// What has been seen of the indices.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Seen {
    shards: Shards,
    /// Indices that were there and could not be read. Nothing is written to them until they can, so all that they have
    /// then is old.
    unread: BTreeSet<String>,
}

/// The present position.
pub(super) async fn position(cluster: &Elasticsearch) -> Result<Position, Error> {
    let seen = cluster.with_readable(|resolved| Box::pin(seen(cluster, resolved))).await;
    match seen {
        Ok(seen) => Ok(Position::new(seen)),
        // Nothing is there, or all of it is closed.
        Err(Error::Nothing(_)) => {
            let closed = closed(&cluster.connection, &in_path(&cluster.pattern)).await;
            Ok(Position::new(Seen { shards: Shards::new(), unread: closed.into_iter().collect() }))
        }
        Err(error) => Err(error),
    }
}

async fn seen(cluster: &Elasticsearch, resolved: ResolvedIndices) -> Result<Seen, Error> {
    let shards = ends(cluster, &resolved.readable).await?;
    Ok(Seen { shards, unread: resolved.unread.into_iter().collect() })
}

/// Where the shards of some indices end.
async fn ends(cluster: &Elasticsearch, pattern: &str) -> Result<Shards, Error> {
    let uuids = uuids(cluster).await?;
    let mut shards: Shards = Vec::new();
    loop {
        let number = shards.len();
        let aggregation = json!({ "indices": {
            "terms": { "field": "_index", "size": 10_000 },
            "aggs": { "last": { "max": { "field": "_seq_no" } } },
        } });
        let body = json!({ "size": 0, "track_total_hits": false, "timeout": TIME_LIMIT, "aggs": aggregation });
        let text = cluster.connection.ask(Method::Post, &path(pattern, number), Some(&body)).await?;
        let answer = found(&text)?;
        if answer.shards.total == 0 {
            return Ok(shards);
        }
        let mut of_shard: BTreeMap<String, Shard> = BTreeMap::new();
        for bucket in answer.aggregations["indices"]["buckets"].as_array().into_iter().flatten() {
            if let (Some(index), Some(last)) = (bucket["key"].as_str(), bucket["last"]["value"].as_f64()) {
                let uuid = uuids.as_ref().and_then(|uuids| uuids.get(index).cloned());
                let next = truncated_i64(last) + 1;
                let missing = ((next - RECENT).max(0)..next).collect();
                of_shard.insert(index.to_owned(), Shard { uuid, next, missing, ..Shard::default() });
            }
        }
        let recent = |(index, shard): (&String, &Shard)| {
            all(vec![
                json!({ "term": { "_index": index } }),
                json!({ "range": { "_seq_no": { "gte": shard.next - RECENT } } }),
            ])
        };
        if !of_shard.is_empty() {
            let body = json!({
                "size": 10_000, "_source": false, "seq_no_primary_term": true, "track_total_hits": false,
                "query": any(of_shard.iter().map(recent).collect()), "timeout": TIME_LIMIT,
            });
            let text = cluster.connection.ask(Method::Post, &path(pattern, number), Some(&body)).await?;
            for hit in &found(&text)?.hits.hits {
                if let Some(shard) = of_shard.get_mut(hit.index.as_ref()) {
                    shard.missing.remove(&hit.sequence);
                    shard.term = shard.term.max(hit.term);
                }
            }
        }
        shards.push(of_shard);
    }
}

fn path(pattern: &str, shard: usize) -> String {
    let lenient = "ignore_unavailable=true&allow_no_indices=true&allow_partial_search_results=false";
    format!("/{}/_search?preference=_shards:{shard}&{lenient}", in_path(pattern))
}

/// The identity of every index; `None` without the privilege to see it.
async fn uuids(cluster: &Elasticsearch) -> Result<Option<BTreeMap<String, String>>, Error> {
    // One that is closed is still there: it may be opened again.
    let lenient =
        "ignore_unavailable=true&allow_no_indices=true&expand_wildcards=open,closed&filter_path=*.settings.index.uuid";
    let path = format!("/{}/_settings/index.uuid?{lenient}", in_path(&cluster.pattern));
    let settings = match cluster.connection.json(Method::Get, &path, None).await {
        Ok(settings) => settings,
        Err(Error::Answered { status: 401 | 403, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let one = |(index, of): (&String, &Value)| {
        Some((index.clone(), of.pointer("/settings/index/uuid")?.as_str()?.to_owned()))
    };
    Ok(Some(settings.as_object().into_iter().flatten().filter_map(one).collect()))
}

/// State of following.
struct Follower<'a> {
    cluster: &'a Elasticsearch,
    sink: &'a Sink,
    resolved: Option<ResolvedIndices>,
    /// What is asked of each document of a class of indices.
    asked: BTreeMap<Class, Value>,
    pace: Pace,
    seen: Seen,
    uuids: Option<BTreeMap<String, String>>,
    /// Since when each number has been missing, by shard and index.
    since: BTreeMap<(usize, String), BTreeMap<i64, Instant>>,
}

/// Delivers what is written after a position, until the receiver is gone.
pub(super) async fn follow(cluster: &Elasticsearch, from: &Position, sink: &Sink) -> Result<(), Error> {
    let seen =
        from.read().ok_or_else(|| Error::Unreadable("the position does not belong to these indices".to_owned()))?;
    let mut follower = Follower {
        cluster,
        sink,
        resolved: None,
        asked: BTreeMap::new(),
        pace: Pace::new(CHUNK),
        seen,
        uuids: None,
        since: BTreeMap::new(),
    };
    follower.look_for_types().await?;
    let (mut looked, mut typed) = (None::<Instant>, Instant::now());
    let mut caught_up = false;
    loop {
        let begun = Instant::now();
        if looked.is_none_or(|at| at.elapsed() >= INDEX_REFRESH) {
            looked = Some(begun);
            // What could not be read may be readable again: it waits for its turn no longer than it has to.
            let leaves_out = |resolved: &ResolvedIndices| !resolved.unread.is_empty();
            if !follower.seen.unread.is_empty() || follower.resolved.as_ref().is_some_and(leaves_out) {
                follower.look_for_types().await?;
            }
            follower.look_for_indices().await?;
        }
        if typed.elapsed() >= MAPPING_REFRESH {
            typed = begun;
            follower.look_for_types().await?;
        }
        if !follower.poll().await? {
            return Ok(());
        }
        if !caught_up {
            caught_up = true;
            if sink.send(SourceEvent::CaughtUp).await.is_err() {
                return Ok(());
            }
        }
        tokio::select! {
            () = sink.closed() => return Ok(()),
            () = tokio::time::sleep_until(begun + EVERY) => {}
        }
    }
}

impl Follower<'_> {
    async fn look_for_types(&mut self) -> Result<(), Error> {
        let resolved = match self.cluster.resolve().await {
            Ok(resolved) => resolved,
            // Every index is gone or closed; another one may be created.
            Err(Error::Nothing(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.take_back(&resolved).await?;
        self.asked.clear();
        for class in [Class::Dated, Class::Undated, Class::Bare] {
            let mut joined = json!({});
            for mapping in &resolved.mappings {
                let has = match class {
                    // An index that comes later is taken for one of these.
                    Class::Dated => true,
                    Class::Undated => !mapping.undated.is_empty(),
                    Class::Bare => !mapping.bare.is_empty(),
                };
                if has {
                    join(&mut joined, mapping.asked(class, false));
                }
            }
            // A field that is a date for one mapping may be something else in the indices of another.
            let all: Vec<&str> = resolved.indices.iter().map(String::as_str).collect();
            let of: Vec<&str> = all.iter().copied().filter(|index| resolved.class(index) == class).collect();
            if let (Some(values), Some(mapping)) =
                (joined.get_mut("docvalue_fields").and_then(Value::as_array_mut), resolved.mappings.first())
            {
                values.retain(|value| {
                    let is_date =
                        value["field"].as_str().is_some_and(|path| mapping.fields.undated(path, &of).is_empty());
                    value.get("format").is_none() || is_date
                });
            }
            if joined != json!({}) {
                self.asked.insert(class, joined);
            }
        }
        self.resolved = Some(resolved);
        Ok(())
    }

    /// Takes up the indices that can be read again: what they have is not new.
    async fn take_back(&mut self, resolved: &ResolvedIndices) -> Result<(), Error> {
        let back: Vec<String> =
            self.seen.unread.iter().filter(|index| resolved.indices.contains(index)).cloned().collect();
        if back.is_empty() {
            return Ok(());
        }
        let found = match ends(self.cluster, &back.join(",")).await {
            Ok(found) => found,
            Err(error) if self.cluster.broken.note(&error, &resolved.indices) => return Ok(()),
            Err(error) => return Err(error),
        };
        for (number, of_shard) in found.into_iter().enumerate() {
            if self.seen.shards.len() == number {
                self.seen.shards.push(BTreeMap::new());
            }
            self.seen.shards[number].extend(of_shard);
        }
        self.seen.unread.retain(|index| !back.contains(index));
        Ok(())
    }

    /// Removes the state of indices that were deleted, or recreated under the same name.
    async fn look_for_indices(&mut self) -> Result<(), Error> {
        let Some(now) = uuids(self.cluster).await? else { return Ok(()) };
        let mut gone = BTreeSet::new();
        for (number, of_shard) in self.seen.shards.iter_mut().enumerate() {
            let since = &mut self.since;
            of_shard.retain(|index, shard| {
                let same = match (now.get(index), &shard.uuid) {
                    (Some(now), Some(then)) => now == then,
                    (now, _) => now.is_some(),
                };
                if !same {
                    gone.insert(index.clone());
                    since.remove(&(number, index.clone()));
                }
                same
            });
        }
        self.seen.unread.retain(|index| now.contains_key(index));
        for index in gone {
            let what = if now.contains_key(&index) { "was deleted and recreated" } else { "was deleted" };
            // The loop notices a closed channel.
            let _ = self.sink.send(SourceEvent::Notice(format!("the index {index} {what}"))).await;
        }
        if self.uuids.as_ref().is_some_and(|known| now.keys().any(|index| !known.contains_key(index))) {
            self.look_for_types().await?;
        }
        self.uuids = Some(now);
        Ok(())
    }

    /// Polls every shard once; false where the receiver is gone.
    async fn poll(&mut self) -> Result<bool, Error> {
        let mut number = 0;
        loop {
            let mut there = false;
            let classes: Vec<Class> = self.asked.keys().copied().collect();
            for class in classes {
                there |= match self.poll_shard(number, class).await? {
                    Some(shards) => shards > 0,
                    None => return Ok(false),
                };
            }
            // What is known of the shards of a closed index is kept until it is opened again.
            if !there {
                return Ok(self.deliver(Vec::new()).await);
            }
            number += 1;
        }
    }

    /// Polls one shard of the indices of a class; how many indices have it. `None` where the receiver is gone.
    async fn poll_shard(&mut self, number: usize, class: Class) -> Result<Option<u64>, Error> {
        let mut rounds = 0;
        loop {
            let text = match self.ask(number, class).await {
                Ok(text) => text,
                Err(error) => {
                    let known = self.resolved.as_ref().map_or(&[][..], |resolved| &resolved.indices);
                    if self.cluster.broken.note(&error, known) {
                        self.look_for_types().await?;
                        return Ok(Some(0));
                    }
                    self.pace.refused(error).await?;
                    continue;
                }
            };
            let answer = found(&text)?;
            let hits = &answer.hits.hits;
            if !hits.is_empty() && self.resolved.as_ref().is_none_or(|resolved| resolved.is_empty) {
                // The first documents say what they are.
                self.look_for_types().await?;
                if self.resolved.as_ref().is_some_and(|resolved| !resolved.is_empty) {
                    continue;
                }
            }
            if self.seen.shards.len() == number {
                self.seen.shards.push(BTreeMap::new());
            }
            let full = hits.len() >= self.pace.size;
            let batch: Vec<Activity> = hits.iter().filter_map(|hit| self.accept(number, hit)).collect();
            if !hits.is_empty() {
                self.pace.answered(hits.len(), text.len());
            }
            rounds += 1;
            let shards = answer.shards.total;
            if (!batch.is_empty() || rounds > 1) && !self.deliver(batch).await {
                return Ok(None);
            }
            if !full {
                return Ok(Some(shards));
            }
        }
    }

    async fn ask(&self, number: usize, class: Class) -> Result<String, Error> {
        let resolved = self.resolved.as_ref();
        let is_of = |index: &str| resolved.is_none_or(|resolved| resolved.class(index) == class);
        let of_shard = self.seen.shards.get(number);
        let known = of_shard.into_iter().flat_map(BTreeMap::keys);
        let known: Vec<&String> = known.chain(&self.seen.unread).collect();
        let behind = |(index, shard): (&String, &Shard)| {
            let mut numbers = vec![json!({ "range": { "_seq_no": { "gte": shard.next } } })];
            let missing: Vec<&i64> = shard.missing.iter().rev().take(MAX_GAPS).collect();
            if !missing.is_empty() {
                numbers.push(json!({ "terms": { "_seq_no": missing } }));
            }
            all(vec![json!({ "term": { "_index": index } }), any(numbers)])
        };
        let mine = of_shard.into_iter().flatten().filter(|(index, _)| is_of(index));
        let mut parts: Vec<Value> = mine.map(behind).collect();
        let (others, here): (Vec<&String>, Vec<&String>) =
            resolved.iter().flat_map(|resolved| &resolved.indices).partition(|index| !is_of(index));
        let unknown = json!({ "bool": { "must_not": [{ "terms": { "_index": known } }] } });
        parts.push(match class {
            Class::Dated => all(vec![unknown, json!({ "bool": { "must_not": [{ "terms": { "_index": others } }] } })]),
            Class::Undated | Class::Bare => all(vec![unknown, json!({ "terms": { "_index": here } })]),
        });
        let mut body = self.asked.get(&class).cloned().unwrap_or_else(|| json!({}));
        body["size"] = json!(self.pace.size);
        body["query"] = any(parts);
        body["sort"] = json!([{ "_seq_no": { "order": "asc", "unmapped_type": "long" } }]);
        body["seq_no_primary_term"] = json!(true);
        body["track_total_hits"] = json!(false);
        body["timeout"] = json!(TIME_LIMIT);
        let pattern = resolved.map_or(&self.cluster.pattern, |resolved| &resolved.readable);
        self.cluster.connection.ask(Method::Post, &path(pattern, number), Some(&body)).await
    }

    /// The activity of a document, unless this version has been seen.
    fn accept(&mut self, number: usize, hit: &Hit<'_>) -> Option<Activity> {
        let index = hit.index.as_ref();
        let uuid = self.uuids.as_ref().and_then(|uuids| uuids.get(index));
        let shard = self.seen.shards[number]
            .entry(index.to_owned())
            .or_insert_with(|| Shard { uuid: uuid.cloned(), ..Shard::default() });
        let since = self.since.entry((number, index.to_owned())).or_default();
        if shard.term != 0 && hit.term > shard.term {
            let missing = std::mem::take(&mut shard.missing);
            shard.earlier = Some(Earlier { next: shard.next, missing, term: shard.term });
            shard.next = (shard.next - REWIND).max(0).min(hit.sequence);
        }
        shard.term = shard.term.max(hit.term);
        let now = Instant::now();
        if hit.sequence >= shard.next {
            let from = shard.next.max(hit.sequence - saturating_i64(MAX_GAPS));
            for missing in from..hit.sequence {
                shard.missing.insert(missing);
                since.insert(missing, now);
            }
            shard.next = hit.sequence + 1;
        } else if shard.missing.remove(&hit.sequence) {
            since.remove(&hit.sequence);
        } else {
            return None;
        }
        if shard.has_seen(hit) {
            return None;
        }
        let resolved = self.resolved.as_ref()?;
        if resolved.series.iter().any(|series| series == index) {
            return None;
        }
        let mapping = resolved.mappings.iter().find(|mapping| mapping.reads(index)).or(resolved.mappings.last())?;
        Some(mapping.read(hit))
    }

    /// Sends a batch with the position after it; false where the receiver is gone.
    async fn deliver(&mut self, batch: Vec<Activity>) -> bool {
        let now = Instant::now();
        for (number, of_shard) in self.seen.shards.iter_mut().enumerate() {
            for (index, shard) in of_shard {
                if shard.missing.is_empty() {
                    continue;
                }
                let since = self.since.entry((number, index.clone())).or_default();
                shard.missing.retain(|missing| now.duration_since(*since.entry(*missing).or_insert(now)) < GAP_TIMEOUT);
                since.retain(|missing, _| shard.missing.contains(missing));
            }
        }
        self.sink.send(SourceEvent::Batch(batch, Some(Position::new(&self.seen)))).await.is_ok()
    }
}

/// Joins what is asked of the documents of several mappings.
fn join(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                join(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(more)) => {
            into.extend(more.into_iter().filter(|value| !into.contains(value)).collect::<Vec<_>>());
        }
        (into, more) => *into = more,
    }
}
