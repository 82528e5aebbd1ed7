//! The clauses of docs/contract.md that are about what a source does not do.

use super::fixtures::Fixture;
use super::{all, caught_up, follow};
use crate::support::{PATIENCE, open, wait_for};
use crosstail_core::filter::{Field, Filter};
use crosstail_core::model::Clock;
use crosstail_source::{ErrorKind, Grouping, Job, PageQuery, RelatedKey, Source, SourceEvent};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Whether a clause is kept; a gap that is known is said, past what the test harness swallows, and is no failure.
fn kept(fixture: &impl Fixture, clause: &str, held: bool, what: &str) {
    use std::io::Write as _;
    let known = fixture.gaps().contains(&clause);
    assert!(held || known, "{clause}: {what}");
    if known {
        let said = if held { "KEPT NOW, strike it off the gaps" } else { "NOT KEPT" };
        writeln!(std::io::stderr(), "{said}: {clause} by {}: {what}", fixture.address()).expect("said");
    }
}

/// Asks a source for everything that it can be asked for.
async fn ask_everything(source: &Arc<dyn Source>) {
    let now = Clock::system().now();
    let position = source.position(&Job::default()).await.expect("position");
    source.probe(&Job::default()).await.expect("probe");
    source.catalogue(&Job::default()).await.expect("catalogue");
    source.vitals(now.plus_ms(-3_600_000), &Job::default()).await.expect("vitals");
    source.diagnose(now, &Job::default()).await.expect("examined");
    source.mappings("SAP", &["E1".to_owned()], &Job::default()).await.expect("mappings");
    let every = all(source.as_ref()).await;
    for text in ["is:failure", "system:SAP http:2xx", "req.body.order:*", "nowhere-to-be-found"] {
        let query = PageQuery { filter: Filter::parse(text).expect("a filter"), ..PageQuery::all(10) };
        source.page(&query, None, &Job::default()).await.expect("page");
        source.aggregate(&query, &Grouping::by(Field::System), &Job::default()).await.expect("figures");
    }
    let first = &every[0];
    for place in &first.places {
        source.payload(&first.id, &place.locator, &Job::default()).await.expect("payload");
    }
    for key in RelatedKey::of(first) {
        source.related(&key, 10, &Job::default()).await.expect("related");
    }
    let (sink, mut updates) = crosstail_source::Sink::channel(4);
    let filling = {
        let (source, position) = (Arc::clone(source), position.clone());
        tokio::spawn(async move { source.backfill(&position, 100, &sink, &Job::default()).await })
    };
    while updates.recv().await.is_some() {}
    filling.await.expect("joined").expect("filled");
    let mut following = follow(source, position);
    caught_up(&mut following).await;
    following.cancel.cancel();
    following.task.await.expect("joined").expect("followed");
}

pub async fn reading_changes_nothing(mut fixture: impl Fixture) {
    fixture.insert(40).await;
    fixture.start(5).await;
    let before = fixture.fingerprint().await;
    assert!(!before.is_empty());
    ask_everything(&fixture.source()).await;
    assert_eq!(fixture.fingerprint().await, before, "C1.1: no call changes the store");
}

pub async fn opening_connects_to_nothing(mut fixture: impl Fixture) {
    fixture.prepare_to_kill().await;
    fixture.insert(5).await;
    let address = fixture.address();
    let Some(proxy) = fixture.proxy() else {
        // Files: opened where nothing is yet.
        let nowhere = tempfile::tempdir().expect("a folder").path().join("later").join("a.sqlite");
        let kind = if address.ends_with(".sqlite") { "sqlite://" } else { "" };
        let _ = open(&[format!("{kind}{}", nowhere.display())]);
        return;
    };
    // A source that works, so that what follows is not refused for another reason.
    assert_eq!(all(fixture.source().as_ref()).await.len(), 5);
    let before = proxy.accepted();
    let source = fixture.reopened();
    assert_eq!(proxy.accepted(), before, "C2.1: opening makes no connection");
    proxy.cut();
    let _ = open(std::slice::from_ref(&address));
    let error = source.probe(&Job::default()).await.expect_err("nothing is there");
    assert!(matches!(error.kind, ErrorKind::Connect | ErrorKind::Timeout), "C3.1: {error}");
    assert!(
        !error.source_name.is_empty() && !error.operation.is_empty() && !error.cause.is_empty(),
        "C13.1: {error:?}"
    );
}

pub async fn connections_are_few_and_given_back(mut fixture: impl Fixture) {
    fixture.prepare_to_kill().await;
    fixture.insert(50).await;
    let source = fixture.reopened();
    let every = all(source.as_ref()).await;
    let mut calls = JoinSet::new();
    for n in 0..60 {
        let (source, activity) = (Arc::clone(&source), every[n % every.len()].clone());
        calls.spawn(async move {
            match n % 3 {
                0 => drop(source.page(&PageQuery::all(10), None, &Job::default()).await.expect("page")),
                1 => drop(
                    source.payload(&activity.id, &activity.places[0].locator, &Job::default()).await.expect("payload"),
                ),
                _ => drop(
                    source
                        .aggregate(&PageQuery::all(10), &Grouping::by(Field::System), &Job::default())
                        .await
                        .expect("figures"),
                ),
            }
        });
    }
    let mut following = follow(&source, source.position(&Job::default()).await.expect("position"));
    calls.join_all().await;
    caught_up(&mut following).await;
    let limit = fixture.connections();
    let peak = fixture.proxy().map_or(0, |proxy| proxy.peak());
    kept(&fixture, "C1.4", peak <= limit, &format!("a fixed limit of connections: {peak} at once"));
    following.cancel.cancel();
    following.task.await.expect("joined").expect("well");
    assert_eq!(fixture.in_use().await, 0, "C15.2: no transaction stays open");
    drop(source);
    if let Some(proxy) = fixture.proxy() {
        wait_for("C15.2: every connection to be closed", || proxy.live() == 0);
    }
}

/// Nobody takes what a source has read: it may wait for that, and hold nothing open in the store meanwhile.
pub async fn a_full_sink_holds_nothing_open(mut fixture: impl Fixture) {
    let source = fixture.source();
    let position = source.position(&Job::default()).await.expect("position");
    fixture.insert(3000).await;
    let (sink, mut updates) = crosstail_source::Sink::channel(1);
    let cancel = CancellationToken::new();
    let task = {
        let (source, cancel) = (Arc::clone(&source), cancel.clone());
        tokio::spawn(async move { source.follow(position, &sink, &Job::default().under(&cancel)).await })
    };
    let until = tokio::time::Instant::now() + PATIENCE;
    while updates.capacity() > 0 {
        assert!(tokio::time::Instant::now() < until, "something is delivered");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // It reads on, as far as it buffers; then nothing is open.
    let limit = if fixture.gaps().contains(&"C7.8") { Duration::from_secs(1) } else { PATIENCE };
    let until = tokio::time::Instant::now() + limit;
    let mut free = fixture.in_use().await == 0;
    while !free && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
        free = fixture.in_use().await == 0;
    }
    kept(&fixture, "C7.8", free, "nothing is open in the store while it waits for the sink");
    // C7.7: nothing was dropped meanwhile.
    let mut seen = std::collections::HashSet::new();
    while seen.len() < 3000 {
        match tokio::time::timeout(PATIENCE, updates.recv()).await.expect("C7.7: it goes on") {
            Some(SourceEvent::Batch(items, _)) => seen.extend(items.into_iter().map(|activity| activity.id)),
            Some(_) => {}
            None => panic!("ended"),
        }
    }
    cancel.cancel();
    task.await.expect("joined").expect("well");
}

pub async fn filling_back_stops_where_it_is_told(mut fixture: impl Fixture) {
    fixture.insert(3000).await;
    let source = fixture.source();
    let upto = source.position(&Job::default()).await.expect("position");
    let fill = |limit: usize, sink: crosstail_source::Sink, cancel: CancellationToken| {
        let (source, upto) = (Arc::clone(&source), upto.clone());
        tokio::spawn(async move { source.backfill(&upto, limit, &sink, &Job::default().under(&cancel)).await })
    };
    let (sink, mut updates) = crosstail_source::Sink::channel(4);
    let task = fill(10, sink, CancellationToken::new());
    let mut batches = Vec::new();
    while let Some(update) = updates.recv().await {
        if let SourceEvent::Batch(items, _) = update {
            batches.push(items.len());
        }
    }
    task.await.expect("joined").expect("well");
    let delivered = batches.iter().sum::<usize>();
    assert!(delivered >= 10, "C8.2: not before its limit: {batches:?}");
    kept(&fixture, "C8.2", delivered < 3000, &format!("it stops at its limit of 10: {batches:?}"));
    // Cancelled, or nobody there: it ends well, though nobody takes anything.
    let (sink, updates) = crosstail_source::Sink::channel(1);
    let cancel = CancellationToken::new();
    let task = fill(usize::MAX, sink, cancel.clone());
    let until = tokio::time::Instant::now() + PATIENCE;
    while updates.capacity() > 0 && !task.is_finished() {
        assert!(tokio::time::Instant::now() < until, "something is delivered");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    cancel.cancel();
    let ended =
        tokio::time::timeout(PATIENCE, task).await.expect("C15.1: cancelled, it ends, though nobody takes anything");
    ended.expect("joined").expect("C8.2: cancelled, it ends well");
    drop(updates);
    let (sink, updates) = crosstail_source::Sink::channel(1);
    drop(updates);
    let task = fill(usize::MAX, sink, CancellationToken::new());
    let ended = tokio::time::timeout(PATIENCE, task).await.expect("C8.2: nobody is there, it ends");
    ended.expect("joined").expect("well");
}

pub async fn what_is_gone_is_said(mut fixture: impl Fixture) {
    fixture.insert(5).await;
    let source = fixture.source();
    let read = all(source.as_ref()).await.remove(2);
    fixture.delete_all().await;
    let error =
        source.payload(&read.id, &read.places[0].locator, &Job::default()).await.expect_err("C10.4: it is gone");
    assert!(error.hint.is_some() && !error.cause.is_empty(), "C10.4: it says so, with a hint: {error:?}");
    assert!(all(source.as_ref()).await.is_empty(), "nothing is left");
}
