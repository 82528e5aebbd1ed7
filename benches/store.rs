//! The store in memory: taking in, changing the filter, counting. `cargo bench`.

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
use crosstail::screens::{Event, Explorer};
use crosstail_core::filter::{Context, Field, Filter};
use crosstail_core::model::{Activity, Direction, Id, Kind, Names, Status, Timestamp};
use crosstail_engine::store::Store;
use crosstail_source::pump::PumpEvent;

/// As many as the target names.
const RECORDS: usize = 1_000_000;

fn activities(count: usize) -> Vec<Activity> {
    let mut rng = fastrand::Rng::with_seed(7);
    let systems = ["sap", "tally", "zoho", "halopsa", "apollo", "zoominfo", "golioth", "stripe"];
    (0..count)
        .map(|n| {
            let failed = rng.f64() < 0.03;
            let mut a = Activity::new(Id::Uuid(rng.u128(..)), Timestamp(1_795_000_000_000_000 + n as i64 * 20_000));
            a.kind = Kind::ApiCall;
            a.direction = Direction::Out;
            a.status = Some(if failed { Status::Failed } else { Status::Success });
            a.system = Some(systems[rng.usize(0..8)].into());
            a.endpoint = Some("/api/v1/purchase-orders".into());
            a.method = Some("POST".into());
            a.http_status = Some(if failed { 503 } else { 200 });
            a.duration_us = Some(rng.u64(1000..3_000_000));
            a.message = Some(format!("request {n} for order {}", rng.u32(..)).into());
            a.error = failed.then(|| "upstream responded 503".into());
            a
        })
        .collect()
}

fn bench(c: &mut Criterion) {
    let all = activities(RECORDS);
    let mut store = Store::new(Names::default());
    for batch in all.chunks(1024) {
        store.ingest(batch.to_vec());
    }
    let mut group = c.benchmark_group("store");
    group.sample_size(10);
    let some = activities(50_000);
    group.bench_function("take in 50,000", |b| {
        b.iter_batched(
            || some.clone(),
            |batch| {
                let mut store = Store::new(Names::default());
                store.ingest(batch)
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("take in 50,000 as a source delivers them", |b| {
        let names = Names::default();
        let source = names.add_source("db");
        b.iter_batched(
            || {
                let now = Timestamp(1_795_000_000_000_000);
                let explorer = Explorer::new(names.clone(), &[source], chrono_tz::Tz::UTC, now);
                (explorer, some.chunks(1024).map(<[Activity]>::to_vec).collect::<Vec<_>>())
            },
            |(mut explorer, batches)| {
                for items in batches {
                    explorer.update(Event::Pump(PumpEvent::Batch { source, items, live: true }));
                }
                explorer
            },
            BatchSize::LargeInput,
        );
    });
    for text in [
        "status:failed",
        "system:sap status:failed",
        "latency>2s http:5xx",
        "order 4711",
        "request for order",
        "status:failed order",
        "-order",
        "order OR refused",
        "message:order",
        "message~/order .*4711/",
        "message:request*11",
        "id:4711",
        "request:4711",
        "source:db",
        "error~/50[23]/",
        "-system:(sap, zoho)",
    ] {
        let filter = Filter::parse(text).expect(text);
        group.bench_function(format!("filter 1,000,000: {text}"), |b| {
            b.iter(|| store.set_filter(filter.predicate(&Context::default())));
        });
    }
    // As lines of a file have them: no ids of their own.
    let mut lines = Store::new(Names::default());
    for (number, mut activity) in all.into_iter().enumerate() {
        activity.id = Id::Line { file: 0x1234_5678_9abc_def0, offset: number as u64 * 350 };
        lines.ingest(vec![activity]);
    }
    for text in ["order 4711", "id:1234"] {
        let filter = Filter::parse(text).expect(text);
        group.bench_function(format!("filter 1,000,000 lines: {text}"), |b| {
            b.iter(|| lines.set_filter(filter.predicate(&Context::default())));
        });
    }
    store.set_filter(crosstail_core::filter::Predicate::All);
    group.bench_function("facet and histogram of 1,000,000", |b| {
        b.iter(|| {
            let start = store.started(store.rows()[0]);
            (store.facet(Field::System, store.rows(), 12), store.histogram(store.rows(), start, 20_000_000, 150))
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
