//! What a file costs on one core: a query that keeps little of it, and all of it as the explorer loads it.
//! `cargo bench -p crosstail-files`; `-- FILE` reads that file instead of a generated one.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a bench")]

use crosstail_core::filter::Filter;
use crosstail_core::model::{Names, SourceId};
use crosstail_files::{FileSource, Spec};
use crosstail_formats::Formats;
use crosstail_source::{Job, PageQuery, Priority, Sink, Source as _, SourceEvent};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

const LINES: u64 = 300_000;
const ROUNDS: usize = 5;

/// Lines as Winston writes them, one part of a request each; three in a hundred are errors.
fn text() -> String {
    let systems = ["sap", "tally", "zoho", "halopsa", "apollo", "zoominfo", "golioth", "stripe"];
    let mut text = String::new();
    for n in 0..LINES {
        let system = systems[usize::try_from(n * 7 % 8).unwrap_or(0)];
        let failed = n % 33 == 0;
        let (level, message, code) =
            if failed { ("ERROR", "Operation Failed", 503) } else { ("INFO", "API Request Completed", 200) };
        let _ = write!(
            text,
            r#"{{"timestamp":"2026-11-20T{:02}:{:02}:{:02}.{:03}Z","level":"{level}","message":"{message}","service":"halopsa-integration","version":"1.4.2","requestId":"{:08x}-b2f1-4c1f-8421-72f38{:07x}","system":"{system}","method":"GET","url":"https://{system}.example.com/api/v1/purchase-orders","statusCode":{code},"duration":{},"responseSize":{},"ip":"10.0.{}.{}""#,
            n / 3_600_000 % 24,
            n / 60_000 % 60,
            n / 1000 % 60,
            n % 1000,
            n * 2_654_435_761 % 4_294_967_296,
            n,
            n % 900,
            n * 13 % 20_000,
            n % 255,
            n * 3 % 255,
        );
        if failed {
            text.push_str(r#","event":"operation.error","operation":"sync","error":"upstream responded 503","stack":"Error: upstream responded 503\n    at sync (/app/src/sync.js:41:13)""#);
        }
        text.push_str("}\n");
    }
    text
}

/// The time that the process has had on cores, in steps of 10 ms: user and system time in ticks of a hundredth of a second
/// (proc_pid_stat(5)).
fn on_cores() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn main() {
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let mut own = tempfile::NamedTempFile::new().expect("a file");
    let path = given.unwrap_or_else(|| {
        own.write_all(text().as_bytes()).expect("written");
        own.path().display().to_string()
    });
    let bytes = std::fs::metadata(&path).expect("a file").len();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let source = || {
        let formats = Formats::built_in().expect("formats");
        FileSource::new("file", SourceId(0), Names::default(), vec![Spec::parse(&path)], None, formats)
    };
    for filter in ["level:error system:sap", "status:failed", ""] {
        let mut best = (Duration::MAX, 0);
        for _ in 0..ROUNDS {
            let source = source();
            let query = PageQuery { filter: Filter::parse(filter).expect("a filter"), ..PageQuery::all(100) };
            let begun = on_cores();
            let page = runtime.block_on(source.page(&query, None, &Job::new("a bench", Priority::Asked)));
            let took = on_cores().saturating_sub(begun);
            best = best.min((took, page.expect("a page").items.len()));
        }
        said(&format!("query '{filter}'"), best, bytes);
    }
    let mut best = (Duration::MAX, 0);
    for _ in 0..ROUNDS {
        let begun = on_cores();
        let held = runtime.block_on(async {
            let source = source();
            let job = Job::new("a bench", Priority::Asked);
            let upto = source.position(&job).await.expect("a position");
            let (sink, mut receiver) = Sink::channel(4);
            let reading = tokio::spawn(async move { source.backfill(&upto, usize::MAX, &sink, &job).await });
            let mut held = 0;
            while let Some(event) = receiver.recv().await {
                if let SourceEvent::Batch(activities, _) = event {
                    held += activities.len();
                }
            }
            reading.await.expect("it ended").expect("read");
            held
        });
        best = best.min((on_cores().saturating_sub(begun), held));
    }
    said("loaded", best, bytes);
}

fn said(what: &str, (time, found): (Duration, usize), bytes: u64) {
    println!(
        "{what:32}{:>9.0} ms{:>8.0} MB/s a core{found:>10} found",
        time.as_secs_f64() * 1e3,
        bytes as f64 / 1e6 / time.as_secs_f64()
    );
}
