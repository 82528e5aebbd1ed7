//! Log files as they are: rotated, cut, removed, written in pieces, broken, compressed, of many shapes.

use crate::support::{PATIENCE, collect, open};
use crosstail_core::model::{Activity, Direction, Kind, Level, Names, Status};
use crosstail_source::{Job, PageQuery, Source, SourceEvent};
use serde_json::json;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

struct Logs {
    folder: tempfile::TempDir,
    source: Arc<dyn Source>,
    names: Names,
}

impl Logs {
    fn new(pattern: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (names, source) = open(&[folder.path().join(pattern).display().to_string()]);
        Self { folder, source, names }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, bytes: &[u8]) {
        let mut file = File::options().append(true).create(true).open(self.path(name)).expect("opened");
        file.write_all(bytes).expect("written");
    }

    async fn follow(&self) -> mpsc::Receiver<SourceEvent> {
        let (sink, updates) = crosstail_source::Sink::channel(4);
        let position = self.source.position(&Job::default()).await.expect("position");
        let source = Arc::clone(&self.source);
        tokio::spawn(async move { source.follow(position, &sink, &Job::default()).await });
        updates
    }

    async fn all(&self) -> Vec<Activity> {
        let query = PageQuery { newest_first: false, ..PageQuery::all(100_000) };
        self.source.page(&query, None, &Job::default()).await.expect("read").items
    }
}

fn line(n: u32) -> String {
    format!(
        "{{\"timestamp\":\"2026-11-20T10:{:02}:{:02}.000Z\",\"level\":\"INFO\",\"message\":\"line {n}\"}}\n",
        n / 60,
        n % 60
    )
}

fn messages(found: &[Activity]) -> Vec<&str> {
    found.iter().filter_map(|a| a.message.as_deref()).collect()
}

/// Until `count` distinct messages of the form `line N` were seen; checks that none came twice.
async fn lines(updates: &mut mpsc::Receiver<SourceEvent>, count: usize) -> Vec<Activity> {
    let (found, _) = collect(updates, |found| found.len() >= count).await;
    let mut seen = messages(&found);
    seen.sort_unstable();
    let all = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), all, "none twice: {seen:?}");
    found
}

#[tokio::test]
async fn what_stands_between_values_of_json_is_shown() {
    // In brackets, but no JSON.
    for text in
        ["[1] 2024/05/06 07:08:00.123456 [INF] ready\n[1] 2024/05/06 07:08:01.000000 [ERR] x\n", "[ 0.1] a\n[x\n"]
    {
        let logs = Logs::new("a.log");
        logs.append("a.log", text.as_bytes());
        assert_eq!(logs.all().await.len(), 2, "{text}");
    }
    // Lines before the first value, and a first value that is broken or cut.
    let first = |bad: &str| format!("{{\n  \"time\": \"2024-05-06T07:08:00Z\",\n  {bad}\n");
    let second = "{\n  \"time\": \"2024-05-06T07:08:01Z\",\n  \"msg\": \"two\"\n}\n";
    for (text, undecodable) in [
        (format!("starting\n{second}listening\n{second}"), 0),
        (first("\"level\": info\n}") + second, 1),
        (first("\"msg\": \"cut") + second, 1),
        (format!("[\n{}{second}]\n", first("\"msg\": \"x\",\n},")), 1),
    ] {
        let logs = Logs::new("a.log");
        logs.append("a.log", text.as_bytes());
        let all = logs.all().await;
        assert!(messages(&all).contains(&"two"), "{text}: {:?}", messages(&all));
        let broken = all.iter().filter(|one| one.kind == Kind::Undecodable).count();
        assert_eq!(broken, undecodable, "{text}: {:?}", messages(&all));
    }
    // What a record says of a body is a part of it.
    let logs = Logs::new("a.log");
    logs.append("a.log", b"2024-05-06 07:08:01 INFO body:\n{\n  \"order\": 1\n}\n2024-05-06 07:08:02 INFO done\n");
    assert_eq!(logs.all().await.len(), 2);
    // A line between values, and a value that never ends.
    let logs = Logs::new("a.json");
    let value = |message: &str, end: &str| {
        format!("{{\n \"time\": \"2024-05-06T07:08:00Z\",\n \"msg\": \"{message}\"\n{end}\n")
    };
    let text = [value("one", "}"), "restarted\n".to_owned(), value("cut", ""), value("two", "}")].concat();
    logs.append("a.json", text.as_bytes());
    let all = logs.all().await;
    let found = messages(&all);
    assert_eq!(all.len(), 4, "{found:?}");
    assert!(["one", "restarted", "two"].iter().all(|message| found.contains(message)), "{found:?}");
    let cut = all.iter().find(|one| !["one", "restarted", "two"].contains(&one.message.as_deref().unwrap_or_default()));
    let cut = cut.expect("the value that never ends");
    assert_eq!(cut.kind, Kind::Undecodable, "{cut:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn renaming_loses_nothing() {
    let logs = Logs::new("app.log");
    logs.append("app.log", line(0).as_bytes());
    let mut updates = logs.follow().await;
    logs.append("app.log", line(1).as_bytes());
    lines(&mut updates, 1).await;
    for round in 0..3 {
        let writer = File::options().append(true).open(logs.path("app.log")).expect("opened");
        std::fs::rename(logs.path("app.log"), logs.path(&format!("app.log.{round}"))).expect("renamed");
        // The writer still has the old file open.
        (&writer).write_all(line(10 + round * 3).as_bytes()).expect("written");
        logs.append("app.log", line(11 + round * 3).as_bytes());
        (&writer).write_all(line(12 + round * 3).as_bytes()).expect("written");
        let found = lines(&mut updates, 3).await;
        assert_eq!(found.len(), 3, "{:?}", messages(&found));
    }
    assert_eq!(logs.all().await.len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn copying_and_truncating_loses_nothing_that_was_copied() {
    let logs = Logs::new("app.log");
    logs.append("app.log", line(0).as_bytes());
    let mut updates = logs.follow().await;
    logs.append("app.log", line(1).as_bytes());
    lines(&mut updates, 1).await;
    logs.append("app.log", line(2).as_bytes());
    std::fs::copy(logs.path("app.log"), logs.path("app.log.1")).expect("copied");
    File::options().write(true).truncate(true).open(logs.path("app.log")).expect("truncated");
    logs.append("app.log", line(30).as_bytes());
    let found = lines(&mut updates, 2).await;
    let mut seen = messages(&found);
    seen.sort_unstable();
    assert_eq!(seen, ["line 2", "line 30"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn truncating_without_a_copy_is_said() {
    let logs = Logs::new("app.log");
    logs.append("app.log", line(0).as_bytes());
    let mut updates = logs.follow().await;
    logs.append("app.log", line(1).as_bytes());
    lines(&mut updates, 1).await;
    File::options().write(true).truncate(true).open(logs.path("app.log")).expect("truncated");
    logs.append("app.log", line(40).as_bytes());
    let mut said = None;
    while said.is_none() {
        match tokio::time::timeout(PATIENCE, updates.recv()).await.expect("in time") {
            Some(SourceEvent::Notice(text)) => said = Some(text),
            Some(_) => {}
            None => panic!("ended"),
        }
    }
    assert!(said.expect("said").contains("truncated"));
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_and_made_again() {
    let logs = Logs::new("*.log");
    logs.append("app.log", line(0).as_bytes());
    let mut updates = logs.follow().await;
    logs.append("app.log", line(1).as_bytes());
    lines(&mut updates, 1).await;
    logs.append("app.log", line(4).as_bytes());
    std::fs::remove_file(logs.path("app.log")).expect("removed");
    lines(&mut updates, 1).await;
    logs.append("app.log", line(2).as_bytes());
    logs.append("other.log", line(3).as_bytes());
    lines(&mut updates, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_in_pieces_is_one() {
    let logs = Logs::new("app.log");
    logs.append("app.log", line(0).as_bytes());
    let mut updates = logs.follow().await;
    // Apart: the reader looks between them.
    for piece in line(1).as_bytes().chunks(7) {
        logs.append("app.log", piece);
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    let found = lines(&mut updates, 1).await;
    assert_eq!(messages(&found), ["line 1"]);
    assert_eq!(found[0].kind, Kind::Log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_fifty_megabytes() {
    let logs = Logs::new("app.log");
    logs.append("app.log", line(0).as_bytes());
    let mut updates = logs.follow().await;
    let long = format!(
        "{{\"timestamp\":\"2026-11-20T10:00:01Z\",\"level\":\"INFO\",\"message\":\"long\",\"body\":\"{}\"}}\n",
        "x".repeat(50_000_000)
    );
    logs.append("app.log", long.as_bytes());
    logs.append("app.log", line(2).as_bytes());
    let found = lines(&mut updates, 2).await;
    assert_eq!(messages(&found), ["long", "line 2"]);
    let every = logs.all().await;
    assert_eq!(messages(&every), ["line 0", "long", "line 2"]);
    let payload =
        logs.source.payload(&every[1].id, &every[1].places[0].locator, &Job::default()).await.expect("payload");
    assert!(payload.raw[0].text().len() > 50_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_end_is_not_read_again_and_again() {
    let logs = Logs::new("app.log");
    logs.append("app.log", b"2026-11-20 10:00:00 INFO line 0\n");
    let mut updates = logs.follow().await;
    logs.append("app.log", b"2026-11-20 10:00:01 INFO ");
    // Apart, so that each piece would be shown.
    for _ in 0..12 {
        logs.append("app.log", "x".repeat(1 << 20).as_bytes());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    logs.append("app.log", b"\n2026-11-20 10:00:02 INFO line 2\n");
    let (found, _) = collect(&mut updates, |found| messages(found).contains(&"line 2")).await;
    let times = found.iter().filter(|a| a.message.as_deref().is_some_and(|text| text.starts_with('x'))).count();
    assert!((1..=6).contains(&times), "shown {times} times");
    assert!(found.iter().all(|a| a.message.as_deref().is_none_or(|text| text.len() < 100_000)));
    assert_eq!(logs.all().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_line_is_completed_in_its_place() {
    let logs = Logs::new("app.log");
    logs.append("app.log", b"2026-11-20 10:00:00 INFO line 0\n");
    let mut updates = logs.follow().await;
    logs.append("app.log", b"2026-11-20 10:00:01 ERROR half");
    let half = collect(&mut updates, |found| messages(found).contains(&"half")).await.0;
    logs.append("app.log", b" a line\n\tat a.B.c(B.java:1)\n2026-11-20 10:00:02 INFO line 2\n");
    let whole = collect(&mut updates, |found| messages(found).contains(&"line 2")).await.0;
    let whole = whole.iter().find(|a| a.message.as_deref() == Some("half a line")).expect("completed");
    assert_eq!(whole.id, half.last().expect("shown").id);
    assert_eq!(logs.all().await.len(), 3);
}

/// Where several writers take turns, what one of them goes on with says nothing new of the others.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_beside_a_record_that_goes_on_is_not_told_again() {
    let logs = Logs::new("app.log");
    let line = |output: &str, n: u32, text: &str| format!("[container/web/{output}] 2026-11-20T10:00:{n:02}Z {text}\n");
    logs.append("app.log", line("stderr", 0, "WARN slow").as_bytes());
    logs.append("app.log", line("stdout", 1, "INFO old").as_bytes());
    let mut updates = logs.follow().await;
    // Each goes on with the frame that the warning began, and is looked at alone.
    for n in 2..5 {
        logs.append("app.log", line("stdout", n, &format!("line {n}")).as_bytes());
        let (found, _) = collect(&mut updates, |found| !found.is_empty()).await;
        assert_eq!(messages(&found), [format!("line {n}")]);
    }
    // What the warning goes on with is told, in its place.
    let slow = logs.all().await.into_iter().find(|a| a.message.as_deref() == Some("slow")).expect("read");
    logs.append("app.log", line("stderr", 5, "\tat a.B.c(B.java:1)").as_bytes());
    let (found, _) = collect(&mut updates, |found| !found.is_empty()).await;
    assert_eq!(messages(&found), ["slow"]);
    assert_eq!(found[0].id, slow.id);
}

/// A failure that two files have is known by its text: as it was when it was first told.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_goes_on_stays_one_in_files_that_have_it_both() {
    let logs = Logs::new("*.log");
    let first = b"2026-11-20 10:00:00 ERROR first\n";
    for file in ["combined.log", "error.log"] {
        logs.append(file, first);
    }
    logs.append("combined.log", b"2026-11-20 10:00:01 INFO fine\n");
    let mut updates = logs.follow().await;
    logs.append("combined.log", b"2026-11-20 10:00:02 ERROR boom\n");
    let half = collect(&mut updates, |found| messages(found).contains(&"boom")).await.0;
    logs.append("combined.log", b"\tat a.B.c(B.java:1)\n");
    let whole = collect(&mut updates, |found| messages(found).contains(&"boom")).await.0;
    assert_eq!(whole.last().expect("told").id, half.last().expect("told").id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_archive_and_what_is_no_text_do_not_end_a_folder() {
    let logs = Logs::new("");
    let lines: String = (0..40).map(line).collect();
    for (name, kept) in [("cut.log.gz", 0.6), ("head.log.gz", 0.0)] {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        gz.write_all(lines.replace("line", name).as_bytes()).expect("compressed");
        let bytes = gz.finish().expect("compressed");
        let length = ((bytes.len() as f64 * kept) as usize).max(12);
        std::fs::write(logs.path(name), &bytes[..length]).expect("written");
    }
    std::fs::write(logs.path("core.log"), (0..=255).cycle().take(4096).collect::<Vec<u8>>()).expect("written");
    logs.append("app.log", lines.as_bytes());
    let (_, source) = open(&[logs.folder.path().display().to_string()]);
    let found = source.page(&PageQuery::all(100_000), None, &Job::default()).await.expect("read").items;
    let of = |name: &str| messages(&found).iter().filter(|text| text.starts_with(name)).count();
    assert_eq!(of("line"), 40);
    assert!((10..40).contains(&of("cut.log.gz")), "{}", of("cut.log.gz"));
    let warnings = source.probe(&Job::default()).await.expect("probed").warnings.join("\n");
    assert!(warnings.contains("cut.log.gz") && warnings.contains("core.log"), "{warnings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_lines_of_replicas_count_each() {
    let logs = Logs::new("*.log");
    let same = "2026-11-20 10:00:00 ERROR no route\n2026-11-20 10:00:01 INFO begins\n";
    for (name, last) in [("web-1.log", "a"), ("web-2.log", "b"), ("web-3.log", "c")] {
        logs.append(name, format!("{same}2026-11-20 10:00:02 INFO {last}\n").as_bytes());
    }
    let found = logs.all().await;
    assert_eq!(messages(&found).iter().filter(|text| **text == "no route").count(), 3);
    assert_eq!(found.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_not_there_is_not_known() {
    let logs = Logs::new("app.log");
    logs.append("app.log", b"plain words\n10:00:01 INFO by the clock\n2026-11-20 10:00:02 INFO whole\nmore words\n");
    let found = logs.all().await;
    let exact: Vec<(&str, bool)> =
        found.iter().map(|a| (a.message.as_deref().unwrap_or_default(), a.exact_start)).collect();
    assert!(exact.contains(&("plain words", false)), "{exact:?}");
    assert!(exact.contains(&("whole", true)), "{exact:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_lines_are_shown_as_what_they_are() {
    let logs = Logs::new("app.log");
    logs.append("app.log", line(1).as_bytes());
    logs.append("app.log", b"{\"timestamp\":\"2026-11-20T10:00:02Z\",\"level\":\"INFO\",\"message\":\"cut off\n");
    logs.append(
        "app.log",
        b"{\"timestamp\":\"2026-11-20T10:00:03Z\",\"level\":\"INFO\",\"message\":\"bad \xff\xfe bytes\"}\n",
    );
    logs.append(
        "app.log",
        b"{\"timestamp\":\"2026-11-20T10:00:04Z\",\"level\":\"INFO\",\"message\":\"lone \\ud800 surrogate\"}\n",
    );
    logs.append("app.log", b"no json at all\n\n   \n\r\n");
    logs.append("app.log", b"{}\n[1,2]\nnull\n{\"a\":1}garbage\n");
    logs.append("app.log", &"{\"a\":".repeat(5000).into_bytes());
    logs.append("app.log", b"\n");
    let found = logs.all().await;
    assert_eq!(found.len(), 10, "{:#?}", messages(&found));
    let broken: Vec<&Activity> = found.iter().filter(|a| a.kind == Kind::Undecodable).collect();
    assert_eq!(broken.len(), 3, "{:#?}", messages(&found));
    assert!(
        broken
            .iter()
            .all(|a| a.error.as_deref().is_some_and(|e| e.contains("invalid JSON")) && a.level == Some(Level::Warn))
    );
    let bytes = found.iter().find(|a| a.message.as_deref().is_some_and(|m| m.contains("bytes"))).expect("there");
    assert!(bytes.message.as_deref().is_some_and(|m| m.contains('\u{fffd}')));
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_history_and_its_origin_are_one() {
    let logs = Logs::new("app.log");
    let old: String = (0..50).map(line).collect();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(old.as_bytes()).expect("compressed");
    std::fs::write(logs.path("app.log.2.gz"), gz.finish().expect("compressed")).expect("written");
    // The same content is still there uncompressed: rotation is not through yet.
    std::fs::write(logs.path("app.log.1"), &old).expect("written");
    logs.append("app.log", (50..60).map(line).collect::<String>().as_bytes());
    let found = logs.all().await;
    assert_eq!(found.len(), 60);
    std::fs::remove_file(logs.path("app.log.1")).expect("removed");
    let found = logs.all().await;
    assert_eq!(found.len(), 60);
    let payload =
        logs.source.payload(&found[3].id, &found[3].places[0].locator, &Job::default()).await.expect("payload");
    assert!(payload.raw[0].text().contains("line 3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_begin_alike_are_told_apart() {
    let logs = Logs::new("app.log");
    logs.append("app.log", format!("=== log opened ===\n{}", line(1)).as_bytes());
    logs.append("app.log.1", format!("=== log opened ===\n{}", line(2)).as_bytes());
    assert_eq!(logs.all().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_in_two_files_is_one_activity() {
    let logs = Logs::new("*.log");
    let failure = json!({"timestamp": "2026-11-20T10:00:00.000Z", "level": "ERROR", "message": "Operation Failed", "service": "halopsa-integration",
        "event": "operation.error", "operation": "sync", "error": "boom", "stack": "Error: boom\n    at x"});
    // The same failure twice is two activities, each in two files.
    for file in ["combined.log", "error.log"] {
        logs.append(file, format!("{failure}\n{failure}\n").as_bytes());
    }
    logs.append("combined.log", line(5).as_bytes());
    let found = logs.all().await;
    let failures: Vec<&Activity> = found.iter().filter(|a| a.is_failure()).collect();
    assert_eq!(failures.len(), 2);
    for failure in failures {
        let mut labels: Vec<String> = failure.places.iter().map(|place| place.label(&logs.names)).collect();
        labels.sort();
        assert_eq!(labels, ["combined.log", "error.log"]);
        assert_eq!(failure.status, Some(Status::Failed));
    }
}

fn one(shape: &str, text: &str) -> Activity {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.log");
    std::fs::write(&path, format!("{text}\n")).expect("written");
    let (_, source) = open(&[path.display().to_string()]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    let probe = runtime.block_on(source.probe(&Job::default())).expect("probed");
    assert_eq!(probe.schema, shape);
    runtime.block_on(source.page(&PageQuery::all(10), None, &Job::default())).expect("read").items.swap_remove(0)
}

#[test]
fn shapes_are_recognised() {
    let at = |a: &Activity| a.started_at.rfc3339();
    let pino = one(
        "pino",
        r#"{"level":50,"time":1763632800123,"pid":1,"hostname":"h","name":"api","reqId":"r-1","req":{"method":"GET","url":"/x/1"},"res":{"statusCode":503},"responseTime":12.5,"err":{"type":"E","message":"boom","stack":"s"},"msg":"request errored"}"#,
    );
    assert_eq!(
        (pino.level, pino.status, pino.http_status, pino.method.as_deref()),
        (Some(Level::Error), Some(Status::Failed), Some(503), Some("GET"))
    );
    assert_eq!(
        (pino.duration_us, pino.error.as_deref(), pino.endpoint.as_deref()),
        (Some(12_500), Some("boom"), Some("/x/{id}"))
    );
    let bunyan = one(
        "bunyan",
        r#"{"name":"sync","hostname":"h","pid":1,"level":40,"msg":"slow","time":"2025-11-20T10:00:00.123Z","v":0}"#,
    );
    assert_eq!(
        (bunyan.level, bunyan.system.as_deref(), at(&bunyan).as_str()),
        (Some(Level::Warn), Some("sync"), "2025-11-20T10:00:00.123Z")
    );
    let ecs = one(
        "ecs",
        r#"{"@timestamp":"2025-11-20T10:00:00Z","log.level":"error","message":"m","ecs.version":"8.0","service":{"name":"auth"},"http":{"request":{"method":"PUT"},"response":{"status_code":500}},"event":{"duration":1500000},"trace":{"id":"t"}}"#,
    );
    assert_eq!(
        (ecs.level, ecs.system.as_deref(), ecs.http_status, ecs.duration_us),
        (Some(Level::Error), Some("auth"), Some(500), Some(1500))
    );
    assert_eq!(ecs.correlation_id.as_deref(), Some("t"));
    let zap = one(
        "zap",
        r#"{"level":"info","ts":1763632800.123,"logger":"worker","msg":"done","latency":0.25,"trace_id":"t"}"#,
    );
    assert_eq!(
        (zap.level, zap.duration_us, at(&zap).as_str()),
        (Some(Level::Info), Some(250_000), "2025-11-20T10:00:00.123Z")
    );
    let logrus = one("logrus", r#"{"level":"warning","msg":"hot","time":"2025-11-20T10:00:00Z","app":"cache"}"#);
    assert_eq!((logrus.level, logrus.system.as_deref()), (Some(Level::Warn), Some("cache")));
    let otlp = one(
        "otlp",
        r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"pay"}}]},"scopeLogs":[{"scope":{},"logRecords":[{"timeUnixNano":"1763632800123000000","severityNumber":17,"body":{"stringValue":"declined"},"traceId":"abc","attributes":[{"key":"http.response.status_code","value":{"intValue":"402"}}]},{"timeUnixNano":"1763632800124000000","severityText":"INFO","body":{"stringValue":"second"}}]}]}]}"#,
    );
    assert_eq!((otlp.message.as_deref(), otlp.system.as_deref()), (Some("second"), Some("pay")));
    let json = one("json", r#"{"ts":"2025-11-20T10:00:00Z","severity":"CRITICAL","msg":"x","provider":"Zoho"}"#);
    assert_eq!((json.level, json.system.as_deref()), (Some(Level::Fatal), Some("Zoho")));
    let call = one(
        "logrus",
        r#"{"time":"2025-11-20T10:00:00Z","level":"error","msg":"refused","direction":"outbound","method":"POST","url":"https://sap.example/po","status":503,"order_id":"PO-4000","tenant":"acme"}"#,
    );
    assert_eq!((call.direction, call.kind, call.entity.as_deref()), (Direction::Out, Kind::ApiCall, Some("PO-4000")));
    let event = one("json", r#"{"time":"2025-11-20T10:00:00Z","msg":"sorted","direction":"desc","orderId":17}"#);
    assert_eq!((event.direction, event.entity.as_deref()), (Direction::Internal, Some("17")));
    let text = one("text with a time or level", "2025-11-20 10:00:00,123 [ERROR] worker: it broke");
    assert_eq!(
        (text.level, text.message.as_deref(), at(&text).as_str()),
        (Some(Level::Error), Some("worker: it broke"), "2025-11-20T10:00:00.123Z")
    );
    let logfmt = one("logfmt", r#"time="2025-11-20T10:00:00Z" level=error msg="it \"broke\"" request_id=r-9"#);
    assert_eq!((logfmt.level, logfmt.message.as_deref()), (Some(Level::Error), Some("it \"broke\"")));
}

#[test]
fn paths_globs_and_folders_mean_what_they_say() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("deep")).expect("made");
    for name in ["a.log", "deep/b.json", "c.bin", ".hidden.log"] {
        std::fs::write(folder.path().join(name), line(1).replace("line 1", name)).expect("written");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    let count = |at: &Path| {
        let (_, source) = open(&[at.display().to_string()]);
        runtime.block_on(source.page(&PageQuery::all(10), None, &Job::default())).expect("read").items.len()
    };
    assert_eq!(count(folder.path()), 2);
    assert_eq!(count(&folder.path().join("*.log")), 1);
    assert_eq!(count(&folder.path().join("c.bin")), 1);
    assert_eq!(count(&folder.path().join("missing.log")), 0);
}
