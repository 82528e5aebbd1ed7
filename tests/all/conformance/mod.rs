//! The contract of a source (docs/contract.md; an assertion names the clause that it holds), against every kind. A kind adds
//! a fixture and a line in `each_kind!`, which names the groups of checks that its nature allows.

mod asked;
mod commands;
mod contract;
mod databases;
mod fixtures;
mod hosted;
mod indices;
mod printed;
mod received;
mod tables;
mod topics;

use crate::support::{PATIENCE, collect, ids};
use asked::{TracesFixture, nothing_is_searched, one_that_is_not_there_is_an_error, what_is_asked_is_answered};
use contract::{
    a_full_sink_holds_nothing_open, connections_are_few_and_given_back, filling_back_stops_where_it_is_told,
    opening_connects_to_nothing, reading_changes_nothing, what_is_gone_is_said,
};
use crosstail::effect::{PayloadSection, PreparedPayload, SearchProgress, rank};
use crosstail::runtime::{Sources, Work, payload_of, related_to, search_source};
use crosstail_core::filter::{Context, Field, Filter};
use crosstail_core::model::{Activity, Clock, Figures, Id, Latencies, Locator, PayloadPart, SourceId, Status};
use crosstail_engine::insight::{Chain, Trace, candidates, jq};
use crosstail_engine::outline::Outline;
use crosstail_export::{FullRecord, markdown};
use crosstail_source::pump::{self, PumpEvent, SourceState};
use crosstail_source::{
    Cursor, ErrorKind, GroupKey, Grouping, Groups, Job, Jobs, Measures, PageQuery, Position, RelatedKey, Source,
    SourceEvent, for_all, for_each,
};
use databases::{MongoFixture, PostgresFixture};
use fixtures::{FileFixture, Fixture, SqliteFixture};
use hosted::HostedFixture;
pub(crate) use hosted::{HERE, own_name};
use indices::ElasticFixture;
use printed::CommandFixture;
use received::ReceiverFixture;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tables::MysqlFixture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use topics::KafkaFixture;

/// Checks of one kind; those on servers return where servers are not wanted.
macro_rules! checks {
    ($fixture:expr, $($test:ident),+ $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            let Some(fixture) = $fixture.await else { return };
            super::$test(fixture).await;
        })+
    };
}

/// What every kind does: deliver, page, count, open.
macro_rules! reads {
    ($fixture:expr) => {
        checks!(
            $fixture,
            history_pages_have_no_gap_and_no_duplicate,
            what_is_read_at_once_is_what_pages_have,
            following_sees_every_insert_and_every_change,
            cancelling_ends_at_once,
            payloads_are_whole,
            a_request_is_found_and_opened,
            related_activities_are_found,
            figures_are_the_local_ones,
            reading_changes_nothing,
            a_full_sink_holds_nothing_open,
        );
    };
}

/// What was written while nobody read is still there.
macro_rules! has_history {
    ($fixture:expr) => {
        checks!(
            $fixture,
            following_goes_on_where_it_was,
            filling_back_gives_everything_once_joined,
            a_source_that_dies_comes_back,
        );
    };
}

/// Every command reads it by its address, and it keeps nothing of its own.
macro_rules! is_a_store {
    ($fixture:expr) => {
        checks!(
            $fixture,
            every_command_answers,
            opening_connects_to_nothing,
            connections_are_few_and_given_back,
            filling_back_stops_where_it_is_told,
            what_is_gone_is_said,
        );
    };
}

/// It is asked for what belongs together, and never searched.
macro_rules! is_asked {
    ($fixture:expr) => {
        checks!(
            $fixture,
            what_is_asked_is_answered,
            nothing_is_searched,
            one_that_is_not_there_is_an_error,
            cancelling_ends_at_once,
        );
    };
}

/// Runs the checks that a kind's nature allows.
macro_rules! each_kind {
    ($($kind:ident: $fixture:expr => $($group:ident)+;)+) => {
        $(mod $kind {
            use super::*;
            $($group!($fixture);)+
        })+
    };
}

each_kind! {
    sqlite: SqliteFixture::new() => reads has_history is_a_store;
    file: FileFixture::new() => reads has_history is_a_store;
    postgres: PostgresFixture::new() => reads has_history is_a_store;
    mysql: MysqlFixture::new() => reads has_history is_a_store;
    mongodb: MongoFixture::replica() => reads has_history is_a_store;
    mongodb_standalone: MongoFixture::standalone() => reads has_history is_a_store;
    elasticsearch: ElasticFixture::new() => reads has_history is_a_store;
    kafka: KafkaFixture::new() => reads has_history is_a_store;
    // What a command printed is kept, and `cmd:` names it in a configuration alone.
    command: CommandFixture::new() => reads has_history;
    journald: HostedFixture::journal() => reads has_history;
    docker: HostedFixture::container() => reads has_history;
    kubernetes: HostedFixture::pod() => reads has_history;
    ssh: HostedFixture::remote() => reads has_history;
    // Nothing is sent while nobody listens, and a command that prints once does not listen.
    http_in: ReceiverFixture::http() => reads;
    syslog: ReceiverFixture::syslog() => reads;
    otlp: ReceiverFixture::otlp() => reads;
    otlp_grpc: ReceiverFixture::grpc() => reads;
    traces: TracesFixture::new() => is_asked;
}

async fn all(source: &dyn Source) -> Vec<Activity> {
    let mut found = Vec::new();
    for_each(source, &PageQuery::all(10_000), &Job::default(), |activity| {
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
            for_each(source.as_ref(), &query, &Job::default(), |activity| {
                found.push(activity);
                true
            })
            .await
            .expect("read");
            assert_eq!(ids(&found), written, "C4.4: each once, {limit} a page");
            let keys: Vec<_> = found.iter().map(|a| (a.started_at, a.id.to_string())).collect();
            let sorted = if newest_first { keys.iter().rev().is_sorted() } else { keys.is_sorted() };
            assert!(sorted, "C4.1: in order of time, then id");
        }
    }
    let middle = all(source.as_ref()).await[115].started_at;
    let since = PageQuery { since: Some(middle), ..PageQuery::all(10_000) };
    let until = PageQuery { until: Some(middle), ..PageQuery::all(10_000) };
    let (after, before) = (
        source.page(&since, None, &Job::default()).await.expect("read"),
        source.page(&until, None, &Job::default()).await.expect("read"),
    );
    assert_eq!(after.items.len() + before.items.len(), 230, "C4.5: both sides together are everything");
    assert!(before.items.iter().all(|a| a.started_at < middle), "C4.5: until is exclusive");
    assert!(after.items.iter().all(|a| a.started_at >= middle), "C4.5: since is inclusive");
    // Pages by themselves: none longer than asked for, each with the cursor after its last, the last without.
    let mut cursor = None;
    let mut pages = 0;
    loop {
        let page = source.page(&PageQuery::all(50), cursor.as_ref(), &Job::default()).await.expect("read");
        pages += 1;
        assert!(page.items.len() <= 50, "C4.2: at most as many as asked for");
        let Some(next) = page.next else { break };
        let last = page.items.last().expect("C4.2: a page that is not the last has something");
        assert_eq!(next, Cursor::after(last), "C4.2: the cursor is after the last one");
        cursor = Some(next);
    }
    assert!((5..=6).contains(&pages), "C4.2: 230 are five pages of fifty: {pages}");
    for text in ["is:failure", "system:SAP http:4xx -method:GET", "req.body.order:7f* latency>1ms", "e0"] {
        let filter = Filter::parse(text).expect("a filter");
        let clauses = filter.clauses().len();
        let page = source.page(&PageQuery { filter, ..PageQuery::all(10) }, None, &Job::default()).await.expect("read");
        assert_eq!(
            page.push_down.in_store + page.push_down.local,
            clauses,
            "C4.7: every clause of {text} is evaluated"
        );
    }
}

async fn what_is_read_at_once_is_what_pages_have(mut fixture: impl Fixture) {
    let written = fixture.insert(230).await;
    let source = fixture.source();
    let everything = all(source.as_ref()).await;
    let middle = everything[115].started_at;
    for (since, until) in [(None, None), (Some(middle), None), (None, Some(middle))] {
        for text in ["", "is:failure", "req.body.order:7f*"] {
            let query =
                PageQuery { filter: Filter::parse(text).expect("a filter"), since, until, ..PageQuery::all(50) };
            let (mut at_once, mut paged) = (Vec::new(), Vec::new());
            for_all(source.as_ref(), &query, &Job::default(), |activity| at_once.push(activity)).await.expect("read");
            for_each(source.as_ref(), &query, &Job::default(), |activity| {
                paged.push(activity);
                true
            })
            .await
            .expect("read");
            assert_eq!(ids(&at_once), ids(&paged), "C4.17: the same, each once: {since:?} {until:?} {text}");
            let by_id = latest(&paged);
            let same = |one: &&Activity| by_id[&one.id.to_string()].status == one.status;
            assert_eq!(at_once.iter().filter(same).count(), paged.len(), "C4.17: with their outcomes");
        }
    }
    let (to, mut batches) = mpsc::channel(1);
    let query = PageQuery::all(1);
    let job = Job::default();
    let taken = async {
        batches.recv().await.expect("a batch");
        drop(batches);
    };
    let (read, ()) = tokio::join!(source.scan(&query, &to, &job), taken);
    read.expect("C4.17: it is no error that no more is taken");
    assert_eq!(everything.len(), written.len());
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
    updates: mpsc::Receiver<SourceEvent>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), crosstail_source::SourceError>>,
}

fn follow(source: &Arc<dyn Source>, from: Position) -> Following {
    let (sink, updates) = crosstail_source::Sink::channel(4);
    let cancel = CancellationToken::new();
    let task = {
        let (source, cancel) = (Arc::clone(source), cancel.clone());
        tokio::spawn(async move { source.follow(from, &sink, &Job::default().under(&cancel)).await })
    };
    Following { updates, cancel, task }
}

/// C7.4: until everything has been delivered that was there.
async fn caught_up(following: &mut Following) {
    let caught_up = async {
        while let Some(update) = following.updates.recv().await {
            if matches!(update, SourceEvent::CaughtUp) {
                return;
            }
        }
        panic!("ended");
    };
    tokio::time::timeout(PATIENCE, caught_up).await.expect("C7.4: what is there has been delivered");
}

async fn following_sees_every_insert_and_every_change(mut fixture: impl Fixture) {
    let before = fixture.insert(20).await;
    let source = fixture.source();
    let position = source.position(&Job::default()).await.expect("position");
    let mut following = follow(&source, position);
    let mut expected = fixture.start(50).await;
    let open = expected.clone();
    let all_open = |found: &[Activity]| latest(found).keys().filter(|id| open.contains(id)).count() >= 50;
    let (found, _) = collect(&mut following.updates, all_open).await;
    let by_id = latest(&found);
    assert!(open.iter().all(|id| by_id[id].status == Some(Status::InProgress)), "C7.1: begun, not over");
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
    assert_eq!(by_id.keys().cloned().collect::<Vec<_>>(), expected, "C6.1, C7.1: every insert");
    for id in &open[..30] {
        assert!(by_id[id].status.is_some_and(Status::is_finished), "C7.2: {id} changed in place");
        assert!(by_id[id].took_us().is_some());
    }
    following.cancel.cancel();
}

async fn following_goes_on_where_it_was(mut fixture: impl Fixture) {
    let mut before = fixture.insert(10).await;
    let source = fixture.source();
    let mut following = follow(&source, source.position(&Job::default()).await.expect("position"));
    let written = fixture.insert(15).await;
    before.extend(written.clone());
    let mut position = None;
    let mut told = Vec::new();
    // Both of its lines, where it has two: the indices of two days do not show theirs at the same moment.
    let is_whole = |activity: &Activity| {
        activity.method.is_some() && activity.status.is_some_and(|status| status != Status::InProgress)
    };
    while position.is_none() {
        match tokio::time::timeout(PATIENCE, following.updates.recv()).await.expect("in time") {
            Some(SourceEvent::Batch(items, now)) => {
                told.extend(items);
                let latest = latest(&told);
                // Not before everything is there: the position after it.
                position = now.filter(|_| written.iter().all(|id| latest.get(id).is_some_and(is_whole)));
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
    assert_eq!(found, missed, "C6.2, C6.3, C6.4, C2.3: another source goes on at the position");
    following.cancel.cancel();
}

async fn filling_back_gives_everything_once_joined(mut fixture: impl Fixture) {
    let mut written = fixture.insert(3000).await;
    let open = fixture.start(10).await;
    written.extend(open);
    written.sort();
    let source = fixture.source();
    let upto = source.position(&Job::default()).await.expect("position");
    let (sink, mut updates) = crosstail_source::Sink::channel(4);
    let task = {
        let source = Arc::clone(&source);
        tokio::spawn(async move { source.backfill(&upto, usize::MAX, &sink, &Job::default()).await })
    };
    let (found, _) = collect(&mut updates, |_| false).await;
    task.await.expect("joined").expect("well");
    assert_eq!(latest(&found).into_keys().collect::<Vec<_>>(), written, "C8.1: each once, joined by id");
}

async fn cancelling_ends_at_once(mut fixture: impl Fixture) {
    fixture.insert(10).await;
    let source = fixture.source();
    let mut took = Vec::new();
    // A busy machine may stop this process for a second: not each time.
    for _ in 0..5 {
        let mut following = follow(&source, source.position(&Job::default()).await.expect("position"));
        caught_up(&mut following).await;
        let begun = Instant::now();
        following.cancel.cancel();
        let ended = tokio::time::timeout(PATIENCE, following.task).await.expect("C15.1: it ends").expect("joined");
        ended.expect("C7.9: cancelled, it ends well");
        took.push(begun.elapsed());
    }
    assert!(took.iter().any(|took| *took < Duration::from_secs(1)), "C15.1: within a second: {took:?}");
}

async fn payloads_are_whole(mut fixture: impl Fixture) {
    fixture.insert(20).await;
    let source = fixture.source();
    let every = all(source.as_ref()).await;
    let place = |activity: &Activity| (activity.id.clone(), activity.places[0].locator.clone());
    let mut of: Vec<_> = every.iter().rev().map(place).collect();
    of.insert(3, (Id::parse("nowhere"), Locator::Key("0/nowhere".into())));
    let together = source.payloads(&of, &Job::default()).await.expect("payloads");
    assert_eq!(together.len(), of.len(), "C10.5: an answer for each");
    for ((id, locator), found) in of.iter().zip(together) {
        let alone = source.payload(id, locator, &Job::default()).await;
        if let Some(found) = found {
            assert_eq!(found, alone.expect("payload"), "C10.5: as it is by itself");
        }
    }
    for activity in every {
        let mut payload = crosstail_core::model::Payload::default();
        assert!(!activity.places.is_empty(), "C9.2: it names a place");
        for place in &activity.places {
            payload.merge(source.payload(&activity.id, &place.locator, &Job::default()).await.expect("payload"));
        }
        let body = payload.request.body.as_ref().expect("a request body");
        assert_eq!(body.value()["order"], activity.id.to_string(), "C10.1: its own payload");
        assert!(payload.request.headers.is_some(), "C10.1: whole");
        assert!(!payload.raw.is_empty(), "C10.1: with the raw record");
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
            search_source(source.as_ref(), &Job::default(), &candidates(&text), &Context::default(), |_| told += 1)
                .await;
        assert!(matches!(progress, SearchProgress::Found { .. }) && told > 0, "{text}: {progress:?}");
        assert!(found.iter().any(|a| a.id == wanted.id), "C19.2: {text}");
        let mut ranked = found;
        rank(&mut ranked, &text);
        assert!(!exact || ranked[0].id == wanted.id, "{text}");
    }
    let (progress, found) =
        search_source(source.as_ref(), &Job::default(), &candidates("no-such-thing-4711"), &Context::default(), |_| {})
            .await;
    assert!(matches!(progress, SearchProgress::Empty(_)) && found.is_empty(), "{progress:?}");

    let (payload, problems) = payload_of(&sources, &Work::command("test"), &wanted.id, &wanted.places).await;
    assert!(problems.is_empty(), "{problems:?}");
    assert!(payload.holds.contains(&PayloadPart::RequestBody), "C10.2: it has a place for bodies");
    let opened = PreparedPayload::new(payload);
    let body = opened.body(PayloadSection::Request).expect("a body");
    assert!(body.is_json && body.has_paths);
    assert_eq!(jq(".order", &body.text), Ok(vec![format!("\"{id}\"")]));
    let mut outline = Outline::new(opened.documents(PayloadSection::Request), 80);
    assert!(outline.search(&id, 0), "its body is searched");
    assert_eq!(outline.path(outline.selected).as_deref(), Some("req.body.order"));
    let clause = outline.clause(outline.selected).expect("a clause");
    let filter = Filter::parse(&clause).expect("a filter");
    let kept =
        source.page(&PageQuery { filter, ..PageQuery::all(10) }, None, &Job::default()).await.expect("read").items;
    assert_eq!(ids(&kept), [id], "C5.1, C5.4: the value under the cursor narrows to it");

    let found = related_to(&sources, &Work::command("test"), &RelatedKey::of(wanted)).await;
    let (related, problems) = (found.activities, found.problems);
    assert!(problems.is_empty(), "{problems:?}");
    let related = crosstail_core::model::merge_by_id(related);
    let of_trace = |among: &[Activity]| {
        let same = among.iter().filter(|a| a.correlation_id == wanted.correlation_id);
        let mut found: Vec<String> = same.map(|a| a.id.to_string()).collect();
        found.sort();
        found
    };
    assert_eq!(of_trace(&related), of_trace(&every), "C11.1: exactly those that share it");
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
    let found = source
        .related(&RelatedKey::correlation(correlation.to_string()), 1000, &Job::default())
        .await
        .expect("related")
        .activities;
    assert_eq!(ids(&found), ids(&expected), "C11.1: exactly those that share it");
    let few = source
        .related(&RelatedKey::correlation(correlation.to_string()), 2, &Job::default())
        .await
        .expect("related")
        .activities;
    assert_eq!(few.len(), 2, "C11.2: at most as many as asked for");
    let own = expected[0].id.to_string();
    let found =
        source.related(&RelatedKey::request(own.clone()), 10, &Job::default()).await.expect("related").activities;
    assert!(found.iter().any(|a| a.id.to_string() == own));
}

async fn figures_are_the_local_ones(mut fixture: impl Fixture) {
    fixture.insert(150).await;
    let source = fixture.source();
    let names = fixture.names();
    let every = all(source.as_ref()).await;
    for by in [Field::System, Field::Status, Field::Is, Field::Kind, Field::Endpoint, Field::Method] {
        for text in ["", "is:failure", "http:5xx OR latency>50ms"] {
            let filter = Filter::parse(text).expect(text);
            let query = PageQuery { filter: filter.clone(), ..PageQuery::all(1000) };
            let predicate = filter.predicate(&query.context);
            let mut expected = Groups::new();
            let grouping = Grouping { by: vec![by], bucket_us: Some(60_000_000), ..Grouping::default() };
            for activity in &every {
                if predicate.keeps(&crosstail_core::filter::NamedRecord { activity, names: &names, payload: None }) {
                    expected.entry(grouping.key(activity, &names)).or_default().add(activity);
                }
            }
            let found = source.aggregate(&query, &grouping, &Job::default()).await.expect("figures");
            assert_eq!(found, expected, "C12.1: {} of {text}", by.name());
            for measures in [Measures::Totals, Measures::Outcomes] {
                // In the store alone, or an error: never a part.
                for in_store in [false, true] {
                    let fewer = Grouping { measures, in_store, ..grouping.clone() };
                    let found = match source.aggregate(&query, &fewer, &Job::default()).await {
                        Err(error) if in_store => {
                            assert_eq!(error.kind, ErrorKind::Unsupported, "C12.4: {error}");
                            continue;
                        }
                        found => found.expect("figures"),
                    };
                    let wanted = |groups: &Groups| -> Vec<(GroupKey, (u64, [u64; 4]))> {
                        let outcomes = |figures: &Figures| match measures {
                            Measures::Totals => [0; 4],
                            _ => [figures.failed, figures.open, figures.succeeded, figures.concluded],
                        };
                        let one =
                            |(key, figures): (&GroupKey, &Figures)| (key.clone(), (figures.count, outcomes(figures)));
                        groups.iter().map(one).collect()
                    };
                    assert_eq!(wanted(&found), wanted(&expected), "C12.4: {measures:?} by {} of {text}", by.name());
                }
            }
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
        Jobs::default(),
        cancel.clone(),
        Clock::system(),
    ));
    let mut seen: HashSet<String> = HashSet::new();
    let mut states = Vec::new();
    let (mut killed, mut revived) = (false, false);
    let mut expected: HashSet<String> = before.into_iter().collect();
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        match tokio::time::timeout_at(until, received.recv()).await.unwrap_or_else(|_| panic!("in time; {states:?}")) {
            Some(PumpEvent::Batch { items, .. }) => seen.extend(items.iter().map(|a| a.id.to_string())),
            Some(PumpEvent::State(_, SourceState::Live)) if !killed => {
                assert_eq!(seen, expected, "C8.1: live once everything is there");
                killed = true;
                fixture.kill().await;
                if !fixture.outage_is_an_error() {
                    expected.extend(fixture.revive().await);
                    revived = true;
                }
            }
            Some(PumpEvent::State(_, state)) => {
                if killed && !revived && matches!(state, SourceState::Waiting { .. }) {
                    expected.extend(fixture.revive().await);
                    revived = true;
                }
                states.push(state);
            }
            Some(_) => {}
            None => panic!("ended"),
        }
        // C13.4: what was written meanwhile is delivered.
        if revived && expected.is_subset(&seen) {
            break;
        }
    }
    cancel.cancel();
}
