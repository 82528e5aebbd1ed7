//! The contract of a source, held against every kind. A kind adds a fixture and one line in `each_kind!`.

mod commands;
mod databases;
mod fixtures;
mod indices;
mod tables;
mod topics;

use crate::support::{collect, ids};
use crosstail::app::{PayloadSection, PreparedPayload, SearchProgress, rank};
use crosstail::runtime::{Sources, payload_of, related_to, search_source};
use crosstail_core::filter::{Context, Field};
use crosstail_core::model::{Activity, Clock, Latencies, PayloadPart, SourceId, Status};
use crosstail_engine::insight::{Chain, Trace, candidates, jq};
use crosstail_engine::outline::Outline;
use crosstail_export::{FullRecord, markdown};
use crosstail_source::pump::{self, PumpEvent, SourceState};
use crosstail_source::{Grouping, Groups, PageQuery, Position, RelatedKey, Source, for_each};
use databases::{MongoFixture, PostgresFixture};
use fixtures::{FileFixture, Fixture, SqliteFixture};
use indices::ElasticFixture;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tables::MysqlFixture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use topics::KafkaFixture;

/// Runs each test for each kind.
macro_rules! each_kind {
    ($($test:ident),+ $(,)?) => {
        mod sqlite { use super::*; $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(SqliteFixture::new().await).await; })+ }
        mod file { use super::*; $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(FileFixture::new().await).await; })+ }
        mod postgres { use super::*; $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(PostgresFixture::new().await).await; })+ }
        mod mysql { use super::*; $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(MysqlFixture::new().await).await; })+ }
        mod mongodb { use super::*; $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(MongoFixture::replica().await).await; })+ }
        mod elasticsearch { use super::*; $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(ElasticFixture::new().await).await; })+ }
        mod kafka { use super::*; $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(KafkaFixture::new().await).await; })+ }
        mod mongodb_standalone { use super::*; $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(MongoFixture::standalone().await).await; })+ }
    };
}

each_kind!(
    history_pages_have_no_gap_and_no_duplicate,
    following_sees_every_insert_and_every_change,
    following_goes_on_where_it_was,
    filling_back_gives_everything_once_joined,
    cancelling_ends_at_once,
    payloads_are_whole,
    a_request_is_found_and_opened,
    related_activities_are_found,
    figures_are_the_local_ones,
    every_command_answers,
    a_source_that_dies_comes_back,
);

async fn all(source: &dyn Source) -> Vec<Activity> {
    let mut found = Vec::new();
    for_each(source, &PageQuery::all(10_000), |activity| {
        found.push(activity);
        true
    })
    .await
    .expect("read");
    found
}

async fn history_pages_have_no_gap_and_no_duplicate(mut fixture: impl Fixture) {
    let written = fixture.insert(230).await;
    let source = fixture.source();
    for newest_first in [true, false] {
        for limit in [1, 7, 100, 1000] {
            let mut found = Vec::new();
            let query = PageQuery { newest_first, ..PageQuery::all(limit) };
            for_each(source.as_ref(), &query, |activity| {
                found.push(activity);
                true
            })
            .await
            .expect("read");
            assert_eq!(ids(&found), written, "{limit} a page");
            let keys: Vec<_> = found.iter().map(|a| (a.started_at, a.id.to_string())).collect();
            let sorted = if newest_first { keys.iter().rev().is_sorted() } else { keys.is_sorted() };
            assert!(sorted, "in order of time, then id");
        }
    }
    let middle = all(source.as_ref()).await[115].started_at;
    let since = PageQuery { since: Some(middle), ..PageQuery::all(10_000) };
    let until = PageQuery { until: Some(middle), ..PageQuery::all(10_000) };
    let (after, before) =
        (source.page(&since, None).await.expect("read"), source.page(&until, None).await.expect("read"));
    assert_eq!(after.items.len() + before.items.len(), 230);
    assert!(before.items.iter().all(|a| a.started_at < middle));
}

fn latest(found: &[Activity]) -> BTreeMap<String, Activity> {
    let mut by_id: BTreeMap<String, Activity> = BTreeMap::new();
    for activity in found {
        by_id
            .entry(activity.id.to_string())
            .and_modify(|known| if activity.part { known.merge(activity.clone()) } else { *known = activity.clone() })
            .or_insert_with(|| activity.clone());
    }
    by_id
}

async fn every_command_answers(fixture: impl Fixture) {
    commands::every_command_answers(fixture).await;
}

struct Following {
    updates: mpsc::Receiver<crosstail_source::SourceEvent>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), crosstail_source::SourceError>>,
}

fn follow(source: &Arc<dyn Source>, from: Position) -> Following {
    let (sink, updates) = mpsc::channel(4);
    let cancel = CancellationToken::new();
    let task = {
        let (source, cancel) = (Arc::clone(source), cancel.clone());
        tokio::spawn(async move { source.follow(from, &sink, &cancel).await })
    };
    Following { updates, cancel, task }
}

async fn following_sees_every_insert_and_every_change(mut fixture: impl Fixture) {
    let before = fixture.insert(20).await;
    let source = fixture.source();
    let position = source.position().await.expect("position");
    let mut following = follow(&source, position);
    let mut expected = fixture.start(50).await;
    let open = expected.clone();
    let all_open = |found: &[Activity]| latest(found).keys().filter(|id| open.contains(id)).count() >= 50;
    let (found, _) = collect(&mut following.updates, all_open).await;
    let by_id = latest(&found);
    assert!(open.iter().all(|id| by_id[id].status == Some(Status::InProgress)), "begun, not over");
    fixture.complete(&open[..30]).await;
    expected.extend(fixture.insert(40).await);
    let (more, _) = collect(&mut following.updates, |more| {
        let mut all = latest(&[found.clone(), more.to_vec()].concat());
        all.retain(|id, _| !before.contains(id));
        all.len() >= 90 && all.values().filter(|a| a.status == Some(Status::InProgress)).count() <= 20
    })
    .await;
    let mut by_id = latest(&[found, more].concat());
    if fixture.overlaps() {
        by_id.retain(|id, _| !before.contains(id));
    }
    expected.sort();
    assert_eq!(by_id.keys().cloned().collect::<Vec<_>>(), expected);
    for id in &open[..30] {
        assert!(by_id[id].status.is_some_and(Status::is_finished), "{id} changed in place");
        assert!(by_id[id].took_us().is_some());
    }
    following.cancel.cancel();
}

async fn following_goes_on_where_it_was(mut fixture: impl Fixture) {
    let mut before = fixture.insert(10).await;
    let source = fixture.source();
    let mut following = follow(&source, source.position().await.expect("position"));
    let written = fixture.insert(15).await;
    before.extend(written.clone());
    let mut position = None;
    let mut seen = 0;
    while seen < 15 || position.is_none() {
        match tokio::time::timeout(Duration::from_secs(20), following.updates.recv()).await.expect("in time") {
            Some(crosstail_source::SourceEvent::Batch(items, now)) => {
                seen += latest(&items).keys().filter(|id| written.contains(id)).count();
                // Not before everything is there: the position after it.
                position = now.filter(|_| seen >= 15).or(position);
            }
            Some(_) => {}
            None => panic!("ended"),
        }
    }
    following.cancel.cancel();
    following.task.await.expect("joined").expect("well");
    let missed = fixture.insert(25).await;
    // As it would be kept over a restart.
    let text = serde_json::to_string(&position.expect("a position")).expect("text");
    let position: Position = serde_json::from_str(&text).expect("position");
    let mut following = follow(&fixture.reopened(), position);
    let is_missed = |id: &String| missed.contains(id);
    let (found, _) =
        collect(&mut following.updates, |found| latest(found).keys().filter(|id| is_missed(id)).count() >= 25).await;
    let mut found: Vec<String> = latest(&found).into_keys().collect();
    if fixture.overlaps() {
        found.retain(|id| !before.contains(id));
    }
    assert_eq!(found, missed);
    following.cancel.cancel();
}

async fn filling_back_gives_everything_once_joined(mut fixture: impl Fixture) {
    let mut written = fixture.insert(3000).await;
    let open = fixture.start(10).await;
    written.extend(open);
    written.sort();
    let source = fixture.source();
    let upto = source.position().await.expect("position");
    let (sink, mut updates) = mpsc::channel(4);
    let task = {
        let source = Arc::clone(&source);
        tokio::spawn(async move { source.backfill(&upto, usize::MAX, &sink, &CancellationToken::new()).await })
    };
    let (found, _) = collect(&mut updates, |_| false).await;
    task.await.expect("joined").expect("well");
    assert_eq!(latest(&found).into_keys().collect::<Vec<_>>(), written);
}

async fn cancelling_ends_at_once(mut fixture: impl Fixture) {
    fixture.insert(10).await;
    let source = fixture.source();
    let following = follow(&source, source.position().await.expect("position"));
    tokio::time::sleep(Duration::from_millis(150)).await;
    let begun = Instant::now();
    following.cancel.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), following.task).await.expect("ended").expect("joined");
    ended.expect("well");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

async fn payloads_are_whole(mut fixture: impl Fixture) {
    fixture.insert(20).await;
    let source = fixture.source();
    for activity in all(source.as_ref()).await {
        let mut payload = crosstail_core::model::Payload::default();
        for place in &activity.places {
            payload.merge(source.payload(&activity.id, &place.locator).await.expect("payload"));
        }
        let body = payload.request.body.as_ref().expect("a request body");
        assert_eq!(body.value()["order"], activity.id.to_string(), "its own payload");
        assert!(payload.request.headers.is_some());
        assert!(!payload.raw.is_empty());
    }
}

/// By whatever of it is pasted, and the same is seen of it whatever store it is in.
async fn a_request_is_found_and_opened(mut fixture: impl Fixture) {
    fixture.insert(60).await;
    let (source, names) = (fixture.source(), fixture.names());
    let sources: Sources = vec![(SourceId(0), Arc::clone(&source))].into();
    let every = all(source.as_ref()).await;
    let wanted = every.iter().find(|a| a.correlation_id.is_some() && a.http_status.is_some()).expect("a call");
    let id = wanted.id.to_string();
    let correlation = wanted.correlation_id.clone().expect("a correlation id").to_string();
    let line = format!(r#"2026-11-20 ERROR {{"message":"it failed","requestId":"{id}"}}"#);
    let parent = format!("00-{}-b7ad6b7169203331-01", correlation.replace('-', ""));
    let is_uuid = correlation.len() == 36;
    // An order number is in the body alone: `"order": <id>` there is asked for as a text of the payload.
    for (text, exact) in
        [(id.clone(), true), (correlation, false), (line, true), (parent, false), (format!("\"{id}\""), true)]
    {
        if text.starts_with("00-") && !is_uuid {
            continue;
        }
        let mut told = 0;
        let (progress, found) =
            search_source(source.as_ref(), &candidates(&text), &Context::default(), |_| told += 1).await;
        assert!(matches!(progress, SearchProgress::Found(..)) && told > 0, "{text}: {progress:?}");
        assert!(found.iter().any(|a| a.id == wanted.id), "{text}");
        let mut ranked = found;
        rank(&mut ranked, &text);
        assert!(!exact || ranked[0].id == wanted.id, "{text}");
    }
    let (progress, found) =
        search_source(source.as_ref(), &candidates("no-such-thing-4711"), &Context::default(), |_| {}).await;
    assert!(matches!(progress, SearchProgress::Empty(_)) && found.is_empty(), "{progress:?}");

    let (payload, problems) = payload_of(&sources, &wanted.id, &wanted.places).await;
    assert!(problems.is_empty(), "{problems:?}");
    assert!(payload.holds.contains(&PayloadPart::RequestBody), "it has a place for bodies");
    let opened = PreparedPayload::new(payload);
    let body = opened.body(PayloadSection::Request).expect("a body");
    assert!(body.is_json && body.has_paths);
    assert_eq!(jq(".order", &body.text), Ok(vec![format!("\"{id}\"")]));
    let mut outline = Outline::new(opened.documents(PayloadSection::Request), 80);
    assert!(outline.search(&id, 0), "its body is searched");
    assert_eq!(outline.path(outline.selected).as_deref(), Some("req.body.order"));
    let clause = outline.clause(outline.selected).expect("a clause");
    let filter = crosstail_core::filter::Filter::parse(&clause).expect("a filter");
    let kept = source.page(&PageQuery { filter, ..PageQuery::all(10) }, None).await.expect("read").items;
    assert_eq!(ids(&kept), [id], "the value under the cursor narrows to it");

    let (related, problems) = related_to(&sources, &RelatedKey::of(wanted)).await;
    assert!(problems.is_empty(), "{problems:?}");
    let related = crosstail_core::model::merge_by_id(related);
    let of_trace = |among: &[Activity]| {
        let same = among.iter().filter(|a| a.correlation_id == wanted.correlation_id);
        let mut found: Vec<String> = same.map(|a| a.id.to_string()).collect();
        found.sort();
        found
    };
    assert_eq!(of_trace(&related), of_trace(&every));
    let (chain, trace) = (Chain::build(wanted, &related), Trace::build(&related));
    assert_eq!(chain, Chain::build(wanted, &every));
    let whole = FullRecord {
        activity: wanted,
        payload: Some(&opened.payload),
        chain: &chain,
        trace: &trace,
        usual: &Latencies::default(),
        policy: None,
        difference: None,
        names: &names,
    };
    let value = whole.json().expect("JSON");
    assert_eq!(value["request"]["body"]["order"], wanted.id.to_string());
    assert_eq!(value["trace"].as_array().map(Vec::len), Some(trace.nodes.len()));
    assert!(markdown(&whole, "", "").contains(&wanted.id.to_string()));
}

async fn related_activities_are_found(mut fixture: impl Fixture) {
    fixture.insert(60).await;
    let source = fixture.source();
    let every = all(source.as_ref()).await;
    let correlation = every[0].correlation_id.clone().expect("a correlation id");
    let expected: Vec<Activity> =
        every.into_iter().filter(|a| a.correlation_id.as_ref() == Some(&correlation)).collect();
    assert!(expected.len() > 2);
    let found = source.related(&RelatedKey::Correlation(correlation.to_string()), 1000).await.expect("related");
    assert_eq!(ids(&found), ids(&expected));
    let few = source.related(&RelatedKey::Correlation(correlation.to_string()), 2).await.expect("related");
    assert_eq!(few.len(), 2);
    let own = expected[0].id.to_string();
    let found = source.related(&RelatedKey::Request(own.clone()), 10).await.expect("related");
    assert!(found.iter().any(|a| a.id.to_string() == own));
}

async fn figures_are_the_local_ones(mut fixture: impl Fixture) {
    fixture.insert(150).await;
    let source = fixture.source();
    let names = fixture.names();
    let every = all(source.as_ref()).await;
    for by in [Field::System, Field::Status, Field::Is, Field::Kind, Field::Endpoint, Field::Method] {
        for text in ["", "is:failure", "http:5xx OR latency>50ms"] {
            let filter = crosstail_core::filter::Filter::parse(text).expect(text);
            let query = PageQuery { filter: filter.clone(), ..PageQuery::all(1000) };
            let predicate = filter.predicate(&query.context);
            let mut expected = Groups::new();
            let grouping = Grouping { by: vec![by], bucket_us: Some(60_000_000) };
            for activity in &every {
                if predicate.keeps(&crosstail_core::filter::NamedRecord { activity, names: &names, payload: None }) {
                    expected.entry(grouping.key(activity, &names)).or_default().add(activity);
                }
            }
            let found = source.aggregate(&query, &grouping).await.expect("figures");
            assert_eq!(found, expected, "{} of {text}", by.name());
        }
    }
}

async fn a_source_that_dies_comes_back(mut fixture: impl Fixture) {
    fixture.prepare_to_kill().await;
    let before = fixture.insert(30).await;
    let source = fixture.source();
    let (events, mut received) = mpsc::channel(16);
    let cancel = CancellationToken::new();
    let id = SourceId(0);
    tokio::spawn(pump::run(
        id,
        Arc::clone(&source),
        pump::StartFrom::History(usize::MAX),
        events,
        cancel.clone(),
        Clock::system(),
    ));
    let mut seen: HashSet<String> = HashSet::new();
    let mut states = Vec::new();
    let mut killed = false;
    let mut expected: HashSet<String> = before.into_iter().collect();
    let until = tokio::time::Instant::now() + Duration::from_secs(40);
    loop {
        match tokio::time::timeout_at(until, received.recv()).await.unwrap_or_else(|_| panic!("in time; {states:?}")) {
            Some(PumpEvent::Batch { items, .. }) => seen.extend(items.iter().map(|a| a.id.to_string())),
            Some(PumpEvent::State(_, SourceState::Live)) if !killed => {
                assert_eq!(seen, expected);
                killed = true;
                fixture.kill().await;
                tokio::time::sleep(Duration::from_millis(700)).await;
                expected.extend(fixture.revive().await);
            }
            Some(PumpEvent::State(_, state)) => states.push(state),
            Some(_) => {}
            None => panic!("ended"),
        }
        if killed && expected.is_subset(&seen) {
            break;
        }
    }
    cancel.cancel();
}
