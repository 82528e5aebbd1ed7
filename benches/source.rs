//! The way of 50,000 rows from a source to the store: through the pump, as the explorer and `watch` have it, and, as the
//! alternative, by a loop that reads pages and takes them in. `cargo bench --bench source`.

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

use criterion::{Criterion, criterion_group, criterion_main};
use crosstail::screens::{Event, Explorer};
use crosstail_core::model::{Clock, Names, Timestamp};
use crosstail_engine::store::Store;
use crosstail_record::{Outcome, PreparedRow, SqliteRecorder, Start};
use crosstail_source::pump::{self, PumpEvent, SourceState, StartFrom};
use crosstail_source::{Job, Jobs, PageQuery, SourceConfig};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const ROWS: usize = 50_000;
const BEGUN: i64 = 1_795_000_000_000_000;

fn rows() -> Vec<PreparedRow> {
    let systems = ["sap", "tally", "zoho", "halopsa"];
    let row = |n: usize| {
        let at = Timestamp(BEGUN).plus_us(i64::try_from(n).expect("small") * 20_000);
        let start = Start {
            id: format!("row-{n}"),
            started_at: at,
            system: systems[n % 4].to_owned(),
            message: Some(format!("request {n}")),
            ..Start::default()
        };
        let outcome = Outcome { http_status: Some(200), completed_at: Some(at.plus_ms(40)), ..Outcome::default() };
        PreparedRow::new(start, Some(outcome))
    };
    (0..ROWS).map(row).collect()
}

fn bench(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows.sqlite");
    runtime.block_on(async {
        let mut recorder = SqliteRecorder::open(&path).await.expect("opened");
        recorder.insert(&rows()).await.expect("written");
        recorder.index().await.expect("indexed");
        recorder.close_compacted().await.expect("closed");
    });
    let names = Names::default();
    let at = vec![format!("sqlite://{}", path.display())];
    let config = SourceConfig { name: "rows".to_owned(), at, ..SourceConfig::default() };
    let (id, source) = crosstail::kinds::ALL.open(&config, &names).expect("opened");
    let mut group = c.benchmark_group("50,000 rows of SQLite to the store");
    group.sample_size(10);
    group.bench_function("through the pump", |b| {
        b.iter(|| {
            runtime.block_on(async {
                let (events, mut received) = mpsc::channel(4);
                let cancel = CancellationToken::new();
                let (source, begin) = (Arc::clone(&source), StartFrom::History(ROWS));
                tokio::spawn(pump::run(id, source, begin, events, Jobs::default(), cancel.clone(), Clock::system()));
                let mut explorer = Explorer::new(names.clone(), &[id], chrono_tz::Tz::UTC, Timestamp(BEGUN));
                while let Some(event) = received.recv().await {
                    let is_whole = matches!(event, PumpEvent::State(_, SourceState::Live));
                    explorer.update(Event::Pump(event));
                    if is_whole {
                        break;
                    }
                }
                cancel.cancel();
                assert_eq!(explorer.shared.store.len(), ROWS);
            });
        });
    });
    group.bench_function("by pages, without it", |b| {
        b.iter(|| {
            runtime.block_on(async {
                let mut store = Store::new(names.clone());
                let (query, job) = (PageQuery::all(5000), Job::default());
                let mut cursor = None;
                loop {
                    let page = source.page(&query, cursor.as_ref(), &job).await.expect("read");
                    store.ingest(page.items);
                    let Some(next) = page.next else { break };
                    cursor = Some(next);
                }
                assert_eq!(store.len(), ROWS);
            });
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
