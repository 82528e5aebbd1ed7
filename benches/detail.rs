//! One request, opened: a body of 20 MB, a trace of 5,000 activities, what tells the failures of 1,000,000 from the
//! rest. `cargo bench --bench detail`.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::too_many_lines,
    reason = "a bench"
)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use crosstail::action::Action;
use crosstail::effect::{Effect, PreparedPayload, Reply};
use crosstail::runtime::{Sources, Work, payload_of};
use crosstail::screens::{Event, Explorer, draw};
use crosstail::tui::{Appearance, ColourDepth, Keymap, Stroke, Theme};
use crosstail_core::model::{Activity, Direction, Id, Kind, Names, Status, Timestamp};
use crosstail_record::{Outcome, PreparedRow, SqliteRecorder, Start};
use crosstail_source::SourceConfig;
use crosstail_source::pump::PumpEvent;
use crosstail_source::{Job, PageQuery};
use std::sync::Arc;

const BEGUN: i64 = 1_795_000_000_000_000;

fn look() -> Appearance {
    Appearance {
        theme: Theme::load("dark", ColourDepth::True).expect("theme"),
        keymap: Keymap::load(crosstail::screens::vocabulary()).expect("keys"),
    }
}

fn event(explorer: &mut Explorer, event: Event) -> Vec<Effect> {
    explorer.update(event)
}

/// Order lines as JSON, 20 MB of them.
fn body() -> String {
    let line = |n: u32| {
        format!(
            r#"{{"sku":"MAT-{n}","description":"Hexagon bolt M8x40 stainless {n}","quantity":{},"price":{}.25,"tags":["a","b"],"warehouse":{{"id":{},"bin":"A-{}"}}}}"#,
            n % 50,
            n % 900,
            n % 7,
            n % 1000
        )
    };
    format!(r#"{{"order":"PO-4711","items":[{}]}}"#, (0..132_000).map(line).collect::<Vec<_>>().join(","))
}

/// From the key to the first screen of the body, out of a real store.
fn large_body(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("large.sqlite");
    let text = body();
    runtime.block_on(async {
        let mut recorder = SqliteRecorder::open(&path).await.expect("database");
        let start = Start {
            id: "7f3a9c21-0000-4abc-8def-0123456789ab".to_owned(),
            kind: Some(Kind::ApiCall),
            system: "SAP".to_owned(),
            request_body: Some(serde_json::from_str(&text).expect("JSON")),
            started_at: Timestamp(BEGUN),
            ..Start::default()
        };
        let outcome = Outcome { status: Some(Status::Failed), http_status: Some(503), ..Outcome::default() };
        recorder.insert(&[PreparedRow::untruncated(start, outcome)]).await.expect("row");
        recorder.close().await.expect("closed");
    });
    let _inside = runtime.enter();
    let names = Names::default();
    let config = SourceConfig {
        name: "db".to_owned(),
        at: vec![format!("sqlite://{}", path.display())],
        ..SourceConfig::default()
    };
    let (id, source) = crosstail::kinds::ALL.open(&config, &names).expect("source");
    let sources: Sources = vec![(id, Arc::clone(&source))].into();
    let found =
        runtime.block_on(async { source.page(&PageQuery::all(1), None, &Job::default()).await.expect("page").items });
    let look = look();
    let mut group = c.benchmark_group("a body of 20 MB");
    group.sample_size(20);
    group.bench_function("from the key to its first screen", |b| {
        b.iter_batched(
            || {
                let mut explorer = Explorer::new(names.clone(), &[id], chrono_tz::Tz::UTC, Timestamp(BEGUN));
                event(&mut explorer, Event::Resize(160, 48));
                let items = found.clone();
                event(&mut explorer, Event::Pump(PumpEvent::Batch { source: id, items, live: false }));
                explorer
            },
            |mut explorer| {
                let asked = event(&mut explorer, Event::Action(Action::OPEN));
                for effect in asked {
                    if let Effect::LoadPayload(ticket, id, places) = effect {
                        let (payload, _) =
                            runtime.block_on(payload_of(&sources, &Work::command("bench"), &id, &places));
                        let opened = Arc::new(PreparedPayload::new(payload));
                        event(&mut explorer, Event::Reply(ticket, Reply::Payload(Ok(opened))));
                    }
                }
                event(&mut explorer, Event::Action(Action::VIEW_2));
                let picture = draw(&explorer, &look);
                (picture, explorer)
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("the alternative: only building its values (serde_json)", |b| {
        b.iter_with_large_drop(|| serde_json::from_str::<serde_json::Value>(&text).expect("JSON"));
    });
    let (payload, _) = runtime.block_on(payload_of(&sources, &Work::command("bench"), &found[0].id, &found[0].places));
    let opened = Arc::new(PreparedPayload::new(payload));
    let mut explorer = Explorer::new(names.clone(), &[id], chrono_tz::Tz::UTC, Timestamp(BEGUN));
    event(&mut explorer, Event::Resize(160, 48));
    event(&mut explorer, Event::Pump(PumpEvent::Batch { source: id, items: found.clone(), live: false }));
    for effect in event(&mut explorer, Event::Action(Action::OPEN)) {
        if let Effect::LoadPayload(ticket, ..) = effect {
            event(&mut explorer, Event::Reply(ticket, Reply::Payload(Ok(Arc::clone(&opened)))));
        }
    }
    for action in [Action::VIEW_2, Action::DOWN, Action::DOWN, Action::OPEN] {
        event(&mut explorer, Event::Action(action));
    }
    group.bench_function("a page further in its 132,000 open items, drawn", |b| {
        b.iter(|| {
            event(&mut explorer, Event::Action(Action::PAGE_DOWN));
            draw(&explorer, &look)
        });
    });
    group.bench_function("a search for what is at its end, drawn", |b| {
        b.iter(|| {
            event(&mut explorer, Event::Action(Action::TOP));
            event(&mut explorer, Event::Action(Action::FILTER));
            event(&mut explorer, Event::Pasted("MAT-131999".to_owned()));
            let picture = draw(&explorer, &look);
            event(&mut explorer, Event::Action(Action::BACK));
            picture
        });
    });
    group.finish();
}

fn call(n: u64, parent: Option<u64>) -> Activity {
    let mut a = Activity::new(Id::Uuid(u128::from(n) + 1), Timestamp(BEGUN + n as i64 * 1000));
    a.kind = Kind::ApiCall;
    a.direction = Direction::Out;
    a.status = Some(if n % 50 == 7 { Status::Failed } else { Status::Success });
    a.system = Some("SAP".into());
    a.endpoint = Some(compact_str::format_compact!("/po/{}", n % 40));
    a.method = Some("POST".into());
    a.duration_us = Some(700 + n % 900);
    a.request_id = Some(a.id.clone());
    a.correlation_id = Some("7f3a9c21-aaaa-4abc-8def-0123456789ab".into());
    a.parent_request_id = parent.map(|p| Id::Uuid(u128::from(p) + 1).to_string().into());
    a
}

/// A trace that one more activity joins, drawn again.
fn large_trace(c: &mut Criterion) {
    let look = look();
    let names = Names::default();
    let id = names.add_source("db");
    let mut group = c.benchmark_group("a trace of 5,000");
    group.sample_size(30);
    for (name, parent) in
        [("wide", (|n| (n > 0).then_some(n / 70)) as fn(u64) -> Option<u64>), ("deep", |n| n.checked_sub(1))]
    {
        let mut explorer = Explorer::new(names.clone(), &[id], chrono_tz::Tz::UTC, Timestamp(BEGUN + 10_000_000));
        event(&mut explorer, Event::Resize(160, 48));
        let items: Vec<Activity> = (0..5000).map(|n| call(n, parent(n))).collect();
        event(&mut explorer, Event::Pump(PumpEvent::Batch { source: id, items, live: false }));
        event(&mut explorer, Event::Action(Action::OPEN));
        event(&mut explorer, Event::Action(Action::TRACE));
        let mut next = 5000;
        group.bench_function(format!("{name}: one more joins it, and a frame"), |b| {
            b.iter(|| {
                // The same one again and again, changed each time: the trace stays as large as it is.
                let mut one = call(5000, Some(3));
                next += 1;
                one.duration_us = Some(next);
                event(&mut explorer, Event::Pump(PumpEvent::Batch { source: id, items: vec![one], live: true }));
                draw(&explorer, &look)
            });
        });
        group.bench_function(format!("{name}: a key, and a frame"), |b| {
            b.iter(|| {
                event(&mut explorer, Event::Action(Action::DOWN));
                draw(&explorer, &look)
            });
        });
    }
    group.finish();
}

/// What tells failures from the rest.
fn contrast(c: &mut Criterion) {
    const RECORDS: u64 = 1_000_000;
    let names = Names::default();
    let id = names.add_source("db");
    let mut rng = fastrand::Rng::with_seed(7);
    let mut explorer = Explorer::new(names, &[id], chrono_tz::Tz::UTC, Timestamp(BEGUN));
    event(&mut explorer, Event::Resize(160, 48));
    let systems = ["sap", "tally", "zoho", "halopsa", "apollo", "zoominfo", "golioth", "stripe"];
    let mut batch = Vec::new();
    for n in 0..RECORDS {
        let mut a = call(n, None);
        let failed = rng.f64() < 0.03;
        a.status = Some(if failed { Status::Failed } else { Status::Success });
        a.system = Some(systems[rng.usize(0..8)].into());
        a.endpoint = Some(compact_str::format_compact!("/api/v1/{}", rng.u32(0..200)));
        a.entity = Some(compact_str::format_compact!("PO PO-{}", rng.u32(0..100_000)));
        a.organization = Some(compact_str::format_compact!("org-{}", rng.u32(0..50)));
        a.operation = Some("CREATE".into());
        a.actor = Some("SCHEDULER".into());
        a.http_status = Some(if failed { 503 } else { 200 });
        a.error_type = failed.then(|| "ServiceUnavailable".into());
        a.correlation_id = None;
        a.message = Some(compact_str::format_compact!("request {n} for order {}", rng.u32(..)));
        batch.push(a);
        if batch.len() == 1024 {
            let items = std::mem::take(&mut batch);
            explorer.shared.store.ingest(items);
        }
    }
    explorer.shared.store.ingest(batch);
    let look = look();
    let mut group = c.benchmark_group("1,000,000 activities");
    group.sample_size(20);
    group.bench_function("what tells their failures from the rest, drawn", |b| {
        b.iter(|| {
            event(&mut explorer, Event::Action(Action::COMPARE));
            let picture = draw(&explorer, &look);
            event(&mut explorer, Event::Action(Action::BACK));
            picture
        });
    });
    group.bench_function("a key in the list, drawn", |b| {
        b.iter(|| {
            event(&mut explorer, Event::Action(Action::UP));
            draw(&explorer, &look)
        });
    });
    group.bench_function("a filter that is typed, its last letter drawn", |b| {
        event(&mut explorer, Event::Action(Action::FILTER));
        let letter = |key: &str| Event::Typed(Stroke::named(key).expect("a key"));
        event(&mut explorer, Event::Pasted("system:sa".to_owned()));
        b.iter(|| {
            event(&mut explorer, letter("p"));
            let picture = draw(&explorer, &look);
            event(&mut explorer, letter("backspace"));
            picture
        });
    });
    group.finish();
}

criterion_group!(benches, large_body, large_trace, contrast);
criterion_main!(benches);
