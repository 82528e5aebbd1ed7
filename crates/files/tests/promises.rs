//! What must never happen with log files: requests merged that are not one, files not read in silence, lines lost or altered,
//! times made up without a word. Each test tries the whole kind.

#![allow(clippy::expect_used, reason = "a test")]

use crosstail_core::model::{Activity, Names, parse_timestamp};
use crosstail_files::{FileSource, Spec};
use crosstail_formats::Formats;
use crosstail_source::{Job, PageQuery, Source, SourceEvent};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        let mut file = File::options().append(true).create(true).open(path).expect("opened");
        file.write_all(bytes.as_ref()).expect("written");
    }

    fn written_at(&self, name: &str, time: &str) {
        let at = parse_timestamp(time).expect("a time");
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(at.0.cast_unsigned());
        File::options().write(true).open(self.path(name)).expect("opened").set_modified(at).expect("set");
    }

    fn source(&self, specs: &[&str]) -> Arc<FileSource> {
        let names = Names::default();
        let id = names.add_source("logs");
        let specs = specs.iter().map(|spec| Spec::parse(&self.path(spec).display().to_string())).collect();
        Arc::new(FileSource::new("logs", id, names, specs, None, Formats::shared().expect("formats")))
    }

    async fn read(&self, specs: &[&str]) -> Vec<Activity> {
        let query = PageQuery { newest_first: false, ..PageQuery::all(10_000) };
        self.source(specs).page(&query, None, &Job::default()).await.expect("read").items
    }

    async fn messages(&self, specs: &[&str]) -> Vec<String> {
        texts(&self.read(specs).await)
    }
}

fn texts(found: &[Activity]) -> Vec<String> {
    found.iter().filter_map(|activity| activity.message.as_deref().map(str::to_owned)).collect()
}

/// Follows a source from its beginning.
async fn follow(source: &Arc<FileSource>) -> mpsc::Receiver<SourceEvent> {
    let (sink, updates) = crosstail_source::Sink::channel(64);
    let position = source.position(&Job::default()).await.expect("a position");
    let source = Arc::clone(source);
    tokio::spawn(async move { source.follow(position, &sink, &Job::default()).await });
    updates
}

/// What has been delivered, by id, once `enough` says so.
async fn until(
    updates: &mut mpsc::Receiver<SourceEvent>,
    known: &mut BTreeMap<String, Activity>,
    enough: impl Fn(&BTreeMap<String, Activity>) -> bool,
) {
    let wait = async {
        while !enough(known) {
            match updates.recv().await {
                Some(SourceEvent::Batch(items, _)) => {
                    known.extend(items.into_iter().map(|activity| (activity.id.to_string(), activity)));
                }
                Some(_) => {}
                None => return,
            }
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(30), wait).await;
    assert!(done.is_ok(), "in time; so far {known:#?}");
}

fn pino(time: i64, host: &str, process: u32, rest: &str) -> String {
    format!("{{\"level\":30,\"time\":{time},\"pid\":{process},\"hostname\":\"{host}\",\"reqId\":\"req-1\",{rest}}}\n")
}

const START: &str = "\"req\":{\"method\":\"GET\",\"url\":\"/a\"},\"msg\":\"incoming request\"";
const END: &str = "\"res\":{\"statusCode\":200},\"responseTime\":5,\"msg\":\"request completed\"";

#[tokio::test(flavor = "multi_thread")]
async fn different_requests_are_never_one() {
    let t = 1_714_979_280_000;
    let both = |time, host, process| pino(time, host, process, START) + &pino(time + 5, host, process, END);
    type Files = Vec<(&'static str, String)>;
    let cases: [(&str, Files, usize); 6] = [
        ("one request", vec![("a.log", both(t, "h", 1))], 1),
        ("two hosts", vec![("a.log", both(t, "h", 1) + &both(t + 1, "i", 1))], 2),
        ("two processes", vec![("a.log", both(t, "h", 1) + &both(t + 1, "h", 2))], 2),
        ("two files", vec![("a.log", both(t, "h", 1)), ("b.log", both(t + 1, "h", 1))], 2),
        ("a second start", vec![("a.log", both(t, "h", 1) + &both(t + 60_000, "h", 1))], 2),
        ("too far apart", vec![("a.log", pino(t, "h", 1, START) + &pino(t + 90_000_000, "h", 1, END))], 2),
    ];
    for (what, files, expected) in cases {
        let folder = Folder::new();
        for (name, text) in &files {
            folder.write(name, text);
        }
        let found = folder.read(&["*.log"]).await;
        assert_eq!(found.len(), expected, "{what}: {found:#?}");
        // Live, in whatever order history and news arrive.
        let empty = Folder::new();
        for (name, _) in &files {
            empty.write(name, pino(t - 900_000, "warm", 9, START).replace("req-1", "req-0"));
        }
        let source = empty.source(&["*.log"]);
        let mut updates = follow(&source).await;
        for (name, text) in &files {
            empty.write(name, text);
        }
        empty.write("a.log", pino(t + 99_000_000, "last", 9, START));
        let mut known = BTreeMap::new();
        until(&mut updates, &mut known, |known| known.len() > expected).await;
        assert_eq!(known.len(), expected + 1, "{what}, live: {known:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_is_left_unread_in_silence() {
    let line = |second: u32, text: &str| format!("2024-05-06 07:08:{second:02} INFO {text}\n");
    let folder = Folder::new();
    // Equal first lines, in one folder and in several, under different and equal names.
    for (name, own) in [("w-1.log", "a"), ("w-2.log", "b"), ("x/app.log", "c"), ("y/app.log", "d"), ("z/app.log", "e")]
    {
        folder.write(name, line(0, "Starting") + &line(1, own));
    }
    let found = folder.messages(&["."]).await;
    assert_eq!(found.iter().filter(|text| *text == "Starting").count(), 5);
    assert_eq!(found.len(), 10, "{found:?}");
    // A copy is no second file, whatever its name; a rotation that is still being compressed neither.
    let whole: String = (0..50).map(|second| line(second, "text")).collect();
    let folder = Folder::new();
    folder.write("app.log", &whole);
    folder.write("backup/app-copy.log", &whole);
    folder.write("app.log.1", &whole[..whole.len() / 2]);
    assert_eq!(folder.read(&["."]).await.len(), 50);
    // Only a file and its own rotation.
    let folder = Folder::new();
    for (index, name) in
        ["node-1.log", "node-2.log", "node-1.log.1", "node-1-2024-05-05.log", "other.log"].iter().enumerate()
    {
        folder.write(name, line(u32::try_from(index).expect("small"), name));
    }
    assert_eq!(folder.messages(&["node-1.log"]).await, ["node-1.log", "node-1.log.1", "node-1-2024-05-05.log"]);
    let probe = folder.source(&["node-1.log"]).probe(&Job::default()).await.expect("probed");
    assert!(probe.warnings.iter().any(|text| text.contains("2 rotations")), "{:?}", probe.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_without_a_date_do_not_restart_a_file() {
    let folder = Folder::new();
    folder.write("app.log", "7:08:00 INFO begins\n");
    let source = folder.source(&["app.log"]);
    let mut updates = follow(&source).await;
    let mut known = BTreeMap::new();
    for second in 1..9 {
        folder.write("app.log", format!("7:08:0{second} INFO line {second}\n"));
        until(&mut updates, &mut known, |known| known.len() >= second).await;
    }
    assert_eq!(known.len(), 8, "{known:#?}");
    assert_eq!(folder.read(&["app.log"]).await.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_line_without_newline_is_shown_and_completed_in_place() {
    for (first, half, rest) in [
        ("2024-05-06 07:08:00 INFO one\n", "2024-05-06 07:08:01 ERROR tw", "o\n"),
        ("plain one\n", "plain tw", "o\n"),
        ("2024-05-06 07:08:00 INFO one\n", "2024-05-06 07:08:01 ERROR tw", "o\njava.lang.X: no\n\tat a.b(C.java:1)\n"),
    ] {
        let folder = Folder::new();
        folder.write("app.log", first);
        let source = folder.source(&["app.log"]);
        let mut updates = follow(&source).await;
        folder.write("app.log", half);
        let mut known = BTreeMap::new();
        until(&mut updates, &mut known, |known| !known.is_empty()).await;
        assert!(known.values().all(|a| a.message.as_deref().is_some_and(|text| text.ends_with("tw"))), "{known:#?}");
        assert_eq!(folder.read(&["app.log"]).await.len(), 2);
        folder.write("app.log", rest);
        until(&mut updates, &mut known, |known| {
            known.values().any(|a| a.message.as_deref().is_some_and(|text| text.ends_with("two")))
        })
        .await;
        assert_eq!(known.len(), 1, "in its place: {known:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_grows_while_it_is_written() {
    let folder = Folder::new();
    folder.write("app.log", "2024-05-06 07:08:00 INFO begins\n");
    let source = folder.source(&["app.log"]);
    let mut updates = follow(&source).await;
    let mut known = BTreeMap::new();
    folder.write("app.log", "2024-05-06 07:08:01 ERROR failed\njava.lang.IllegalStateException: no\n");
    until(&mut updates, &mut known, |known| known.len() == 1).await;
    folder.write("app.log", "\tat a.b(C.java:1)\n");
    folder.write("app.log", "2024-05-06 07:08:02 INFO next\n");
    until(&mut updates, &mut known, |known| known.len() == 2).await;
    let failed = known.values().find(|activity| activity.message.as_deref() == Some("failed")).expect("it");
    let payload = source.payload(&failed.id, &failed.places[0].locator, &Job::default()).await.expect("a payload");
    assert_eq!(payload.error.stack.as_deref(), Some("java.lang.IllegalStateException: no\n\tat a.b(C.java:1)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_lines_are_one_only_where_one_is_the_others_copy() {
    let error = "{\"level\":\"error\",\"message\":\"refused\",\"timestamp\":\"2024-05-06T07:08:01.000Z\"}\n";
    let info = |text: &str| {
        format!("{{\"level\":\"info\",\"message\":\"{text}\",\"timestamp\":\"2024-05-06T07:08:00.000Z\"}}\n")
    };
    let folder = Folder::new();
    folder.write("combined.log", info("a") + error + error);
    folder.write("error.log", error.repeat(2));
    let found = folder.read(&["."]).await;
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.iter().skip(1).all(|activity| activity.places.len() == 2));
    // An error log of something else, and replicas.
    let folder = Folder::new();
    folder.write("combined.log", info("a") + error);
    folder.write("error.log", error.replace("refused", "another").repeat(2));
    folder.write("red.log", info("red") + error);
    folder.write("green.log", info("green") + error);
    assert_eq!(folder.read(&["."]).await.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_begin_alike_are_no_copies() {
    let line = |second: usize| format!("2024-05-06 07:08:{second:02} INFO tick {second}\n");
    let lines = |count: usize| (0..count).map(line).collect::<String>();
    for (names, counts) in [
        (["api1.log", "api2.log", "api3.log"], [5, 3, 1]),
        (["web-1.log", "web-2.log", "web-3.log"], [4, 4, 2]),
        (["a/app.log", "b/app.log", "c/app.log"], [9, 5, 3]),
    ] {
        let folder = Folder::new();
        for (name, count) in names.into_iter().zip(counts) {
            folder.write(name, lines(count));
        }
        assert_eq!(folder.read(&["."]).await.len(), counts.iter().sum::<usize>(), "{names:?}");
    }
    // A copy of a file that has gone on since, and what logrotate has begun to copy.
    let folder = Folder::new();
    folder.write("app.log", lines(5));
    folder.write("app.log.1", line(0));
    folder.write("kept.log", lines(3));
    folder.write("there/app.log", lines(5));
    assert_eq!(folder.read(&["."]).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn order_within_a_time_is_the_files() {
    let folder = Folder::new();
    let levels = ["INFO", "ERROR", "WARN", "FATAL", "DEBUG"];
    let line = |number: usize| format!("2024-05-06 07:08:00 {} {number}\n", levels[number % 5]);
    folder.write("app.log.1", (0..500).map(line).collect::<String>());
    folder.written_at("app.log.1", "2024-05-06T07:08:01Z");
    folder.write("app.log", (500..1000).map(line).collect::<String>());
    let expected: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    assert_eq!(folder.messages(&["app.log"]).await, expected);
    // In pages, both ways.
    for newest_first in [false, true] {
        let source = folder.source(&["app.log"]);
        let query = PageQuery { newest_first, ..PageQuery::all(77) };
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = source.page(&query, cursor.as_ref(), &Job::default()).await.expect("a page");
            found.extend(texts(&page.items));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        if newest_first {
            found.reverse();
        }
        assert_eq!(found, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_or_a_date_follows_from_the_order() {
    let folder = Folder::new();
    folder.write("a.log", "Dec 31 23:59:58 h p[1]: one\nJan  1 00:00:01 h p[1]: two\nDec 31 23:59:59 h p[1]: three\nJan  1 00:00:02 h p[1]: four\n");
    folder.written_at("a.log", "2024-01-02T00:00:00Z");
    let times: Vec<String> = folder.read(&["a.log"]).await.iter().map(|a| a.started_at.rfc3339()).collect();
    assert_eq!(times.first().map(String::as_str), Some("2023-12-31T23:59:58.000Z"));
    assert_eq!(times.last().map(String::as_str), Some("2024-01-01T00:00:02.000Z"));
    folder.write("b.log", "22:00:00 INFO one\n03:00:00 INFO two\n21:00:00 INFO three\n00:00:02 INFO four\n");
    folder.written_at("b.log", "2024-05-06T00:10:00Z");
    let times: Vec<String> = folder.read(&["b.log"]).await.iter().map(|a| a.started_at.rfc3339()).collect();
    assert_eq!(
        times,
        [
            "2024-05-04T22:00:00.000Z",
            "2024-05-05T03:00:00.000Z",
            "2024-05-05T21:00:00.000Z",
            "2024-05-06T00:00:02.000Z"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_file_does_not_end_a_folder() {
    let gz = |text: &str| {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(text.as_bytes()).expect("compressed");
        gz.finish().expect("compressed")
    };
    let folder = Folder::new();
    folder.write("good.log", "2024-05-06 07:08:00 INFO good\n");
    let long: String =
        (0..20_000u32).map(|n| format!("2024-05-06 07:08:01 INFO line {}\n", n.wrapping_mul(2_654_435_761))).collect();
    let cut = gz(&long);
    folder.write("cut.log", &cut[..cut.len() / 2]);
    folder.write("noise.log", [0u8, 1, 2, 3, 4, 5, 6, 7].repeat(100));
    folder.write("empty.log", "");
    folder.write("broken.log", [&[0x1f, 0x8b, 8, 0][..], &[0xff; 40]].concat());
    let source = folder.source(&["."]);
    let query = PageQuery { newest_first: false, ..PageQuery::all(100_000) };
    let found = texts(&source.page(&query, None, &Job::default()).await.expect("read").items);
    assert!(found.contains(&"good".to_owned()));
    assert!((1000..20_000).contains(&found.len()), "what can be read is: {}", found.len());
    let said = source.probe(&Job::default()).await.expect("probed").warnings.join("\n");
    for name in ["cut.log", "noise.log", "broken.log"] {
        assert!(said.contains(name), "{name} is named: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_not_altered() {
    for text in [
        "-5 degrees",
        "::1 has left",
        "--> POST /pay",
        "[1/3] fetch",
        "-- done --",
        "{not json",
        "a | b",
        "  kept",
        "(x) y",
        "50 % | 3",
    ] {
        let folder = Folder::new();
        folder.write("app.log", format!("2024-05-06 07:08:00 INFO {text}\n"));
        assert_eq!(folder.messages(&["app.log"]).await, [text.trim_start()], "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_was_not_read_is_said_to_be_unknown() {
    let folder = Folder::new();
    folder.write("a.log", "INFO one\n{\"level\":\"info\",\"message\":\"two\"}\n2024-05-06 07:08:00 INFO three\n");
    let known: Vec<bool> = folder.read(&["a.log"]).await.iter().map(Activity::knows_its_time).collect();
    assert_eq!(known.iter().filter(|known| **known).count(), 1, "{known:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_above_the_first_time_stand_before_it() {
    let folder = Folder::new();
    folder.write("a.log", "# Logfile created\n=> Booting\n2024-05-06 07:08:00 INFO begins\nwithout a time\n");
    folder.write("b.log", "# Logfile created\nMay  6 07:08:00 web-1 app[7]: begins\n");
    for file in ["a.log", "b.log"] {
        let found = folder.read(&[file]).await;
        let first = found.iter().find(|activity| activity.message.as_deref() == Some("# Logfile created"));
        let first = first.expect("the first line");
        let begins = found.iter().find(|activity| activity.message.as_deref() == Some("begins")).expect("begins");
        assert!(!first.knows_its_time() && begins.knows_its_time());
        assert_eq!(first.started_at, begins.started_at, "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn holes_hide_no_record() {
    let folder = Folder::new();
    let records = "2024-05-06 07:08:00 INFO one\n2024-05-06 07:08:01 ERROR two\n";
    for length in [9, 5_000, 200_000] {
        let hole = "\0".repeat(length);
        for (place, text, count) in [
            ("head", format!("{hole}{records}"), 2),
            ("end", format!("{records}{hole}"), 2),
            ("middle", format!("{records}{hole}{records}"), 4),
        ] {
            let name = format!("{place}-{length}.log");
            folder.write(&name, &text);
            let found = folder.read(&[&name]).await;
            let timed = found.iter().filter(|activity| activity.knows_its_time()).count();
            assert_eq!((found.len(), timed), (count, count), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_it_is_packed_in() {
    let text = "2024-05-06 07:08:00 INFO größer\n2024-05-06 07:08:01 ERROR second\n";
    let tar = |first: &[u8]| {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, text) in [("a.log", first), ("b.log", b"2024-05-06 07:08:02 INFO third".as_slice())] {
            let mut header = tar::Header::new_ustar();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, text).expect("added");
        }
        archive.into_inner().expect("an archive")
    };
    let zip = |files: &[(&str, &[u8])]| {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in files {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).expect("begun");
            archive.write_all(bytes).expect("written");
        }
        archive.finish().expect("an archive").into_inner()
    };
    let more = b"2024-05-06 07:08:03 INFO more";
    let gz = |bytes: &[u8]| {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(bytes).expect("compressed");
        gz.finish().expect("compressed")
    };
    let utf16 =
        |text: &str| [0xfeffu16].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
    for (what, bytes, records) in [
        ("as it is", text.as_bytes().to_vec(), 2),
        ("gzip", gz(text.as_bytes()), 2),
        ("two members", [gz(text.as_bytes()), gz(b"2024-05-06 07:08:03 INFO more\n")].concat(), 3),
        ("tar", tar(text.as_bytes()), 3),
        ("tar in gzip", gz(&tar(text.as_bytes())), 3),
        ("tar of gzip", tar(&gz(text.as_bytes())), 3),
        ("zip", zip(&[("a.log", text.as_bytes())]), 2),
        ("zip of two", zip(&[("b.log", more), ("a.log", text.as_bytes())]), 3),
        ("zip with other files", zip(&[("README.md", b"Read me."), ("logs/a.log", text.as_bytes())]), 2),
        ("zip with a text", zip(&[("README.txt", b"Read me."), ("a.log", text.as_bytes())]), 2),
        ("zip of another name", zip(&[("pay.dat", text.as_bytes())]), 2),
        ("zip of gzip", zip(&[("a.log.1.gz", &gz(text.as_bytes())), ("a.log", more)]), 3),
        ("UTF-16", utf16(text), 2),
        ("UTF-16 in gzip", gz(&utf16(text)), 2),
        ("Latin-1", latin, 2),
        ("CR", text.replace('\n', "\r").into_bytes(), 2),
        ("CR LF", text.replace('\n', "\r\n").into_bytes(), 2),
    ] {
        let folder = Folder::new();
        folder.write("app.log", bytes);
        let source = folder.source(&["app.log"]);
        let query = PageQuery { newest_first: false, ..PageQuery::all(10) };
        let found = source.page(&query, None, &Job::default()).await.expect("read").items;
        assert_eq!(found.len(), records, "{what}: {found:#?}");
        assert_eq!(found[0].message.as_deref(), Some("größer"), "{what}");
        let payload =
            source.payload(&found[1].id, &found[1].places[0].locator, &Job::default()).await.expect("a payload");
        assert!(payload.raw[0].text().contains("second"), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_without_a_zone_are_of_the_sources_zone() {
    let folder = Folder::new();
    folder.write("a.log", "2024-05-06 09:08:00 INFO one\n{\"time\":\"2024-05-06 09:08:00\",\"level\":\"info\",\"msg\":\"two\"}\ntime=\"2024-05-06 09:08:00\" level=info msg=three\n2024-05-06 07:08:00Z INFO four\n");
    let (names, spec) = (Names::default(), Spec::parse(&folder.path("a.log").display().to_string()));
    let id = names.add_source("logs");
    let source = FileSource::new("logs", id, names, vec![spec], None, Formats::shared().expect("formats"));
    let source = source.in_zone("Europe/Berlin".parse().ok());
    let found = source.page(&PageQuery::all(10), None, &Job::default()).await.expect("read").items;
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|activity| activity.started_at.rfc3339() == "2024-05-06T07:08:00.000Z"), "{found:#?}");
}
