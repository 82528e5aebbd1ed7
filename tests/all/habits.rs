//! What hands type by habit, and what scripts rely on: each either works or is answered with the right spelling, and no
//! answer is wrong.

use crate::support::{crosstail, lines, wait_for};
use crosstail_core::model::{Clock, Direction, Kind, Level, Status, Timestamp, parse_timestamp};
use crosstail_record::{Outcome, PreparedRow, SqliteRecorder, Start};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// When the first activity of [`Shop`] started.
const BEGUN: &str = "2026-11-25T22:30:00Z";

/// A store of which everything is known: 40 calls of four systems, an hour of them, and five log lines.
struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let begun = parse_timestamp(BEGUN).expect("a time");
        let rows = (0..45).map(|index| row(index, begun.plus_ms(index * 90_000)));
        write(&folder.path().join("shop.sqlite"), rows.collect());
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let path = self.path("shop.sqlite");
        crosstail(&[arguments, &["-s", &path]].concat())
    }

    fn count(&self, filter: &str) -> usize {
        let output = self.run(&["query", "--count", filter]);
        assert!(output.status.success(), "{filter}: {}", said(&output));
        printed(&output).trim().parse().expect("a number")
    }
}

fn row(index: i64, started_at: Timestamp) -> PreparedRow {
    let is_line = (40..45).contains(&index);
    let status = match index % 4 {
        0 => Status::Failed,
        1 => Status::Cancelled,
        _ => Status::Success,
    };
    let start = Start {
        id: format!("{index:08x}-0000-4000-8000-000000000000"),
        kind: Some(if is_line { Kind::Log } else { Kind::ApiCall }),
        direction: Some(if is_line { Direction::Internal } else { Direction::Out }),
        level: is_line.then_some(if index == 44 { Level::Error } else { Level::Info }),
        system: if is_line {
            "lines".to_owned()
        } else {
            ["SAP", "Zoho", "Tally", "Golioth"][index as usize % 4].to_owned()
        },
        endpoint: (!is_line).then(|| "/orders".to_owned()),
        method: (!is_line).then(|| "GET".to_owned()),
        url: (!is_line).then(|| format!("https://shop.example/orders?page={index}")),
        message: Some(if index == 7 {
            "read and write or not found".to_owned()
        } else {
            format!("C:\\temp a.b {index}")
        }),
        operation: Some(if index == 3 { "=1+1" } else { "list" }.to_owned()),
        correlation_id: Some(format!("c-{}", index % 3)),
        parent_request_id: (index % 5 == 0).then(|| format!("p-{index}")),
        entity: (!is_line).then(|| format!("PO PO-{}", 4700 + index)),
        actor: Some(if index % 2 == 0 { "SCHEDULER" } else { "asha.rao" }.to_owned()),
        attempt: (!is_line).then_some(index as u16 % 3 + 1),
        max_attempts: (!is_line).then_some(4),
        started_at,
        ..Start::default()
    };
    let outcome = Outcome {
        status: (!is_line).then_some(status),
        http_status: (!is_line).then_some([503, 404, 200, 201][index as usize % 4]),
        error: (status == Status::Failed && !is_line).then(|| "upstream timeout".to_owned()),
        error_type: (status == Status::Failed && !is_line).then(|| "ETIMEDOUT".to_owned()),
        next_retry_at: (status == Status::Failed && !is_line).then(|| started_at.plus_ms(600_000)),
        completed_at: (!is_line).then(|| started_at.plus_ms(100 * (index + 1))),
        ..Outcome::default()
    };
    PreparedRow::new(start, Some(outcome))
}

pub fn write(path: &Path, rows: Vec<PreparedRow>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    runtime.block_on(written(path, rows));
}

pub async fn written(path: &Path, rows: Vec<PreparedRow>) {
    let mut recorder = SqliteRecorder::open(path).await.expect("opened");
    recorder.insert(&rows).await.expect("written");
    recorder.index().await.expect("indexed");
    recorder.close_compacted().await.expect("closed");
}

pub fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).expect("a folder").flatten().map(|e| e.path()).collect();
    found.sort();
    found
}

/// Runs a line in bash, where `crosstail` is the program.
fn bash(folder: &Path, line: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_crosstail")).parent().expect("a folder").display().to_string();
    Command::new("bash")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", format!("{program}:{}", std::env::var("PATH").expect("PATH")))
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .expect("bash")
}

// Wrong answers, 1.
#[test]
fn a_filter_may_begin_with_a_minus() {
    let shop = Shop::new();
    assert_eq!(shop.count("-http:200"), 35);
    assert_eq!(shop.count("-status:failed"), 35);
    let output = shop.run(&["query", "-system:lines", "-http:503", "--count"]);
    assert_eq!(printed(&output), "30\n", "{}", said(&output));
    let groups = lines(&shop.run(&["stats", "-system:lines", "--by", "system", "-o", "json"]));
    assert_eq!(groups.len(), 4);
    let file = shop.path("q.csv");
    let output = shop.run(&["export", "-http:200", "--output", &file]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(std::fs::read_to_string(&file).expect("written").lines().count(), 36);
    let output = shop.run(&["query", "-timeout", "--count"]);
    assert_eq!(printed(&output), "35\n", "{}", said(&output));
    // What is no option is no help either.
    let output = shop.run(&["query", "-x"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0));
}

// Wrong answers, 2.
#[test]
fn operators_are_understood_or_refused() {
    let shop = Shop::new();
    for (filter, count) in [
        ("status:failed or status:cancelled", 20),
        ("status:failed OR status:cancelled", 20),
        ("system:SAP and status:failed", 10),
        ("not status:failed", 35),
        ("NOT status:failed", 35),
        ("status:(failed or cancelled)", 20),
        ("\"read and write\"", 1),
        ("read and write", 1),
    ] {
        assert_eq!(shop.count(filter), count, "{filter}");
    }
    for (filter, why) in [
        ("OR status:failed", "a condition is missing before 'OR'"),
        ("status:failed AND OR system:SAP", "a condition is missing before 'OR'"),
        ("or", "a condition is missing before 'or'"),
        ("a | b", "write OR or ||"),
        ("timeout|refused", "'|' is text here"),
        ("system:SAP|Zoho", "'|' is text here"),
        ("status!:failed", "write -status:"),
        ("status<>failed", "write -status:"),
        ("status:!failed", "write -status:"),
        (":failed", "a field is missing before ':'"),
        ("not found", "write NOT found"),
        ("system:()", "the list is empty"),
        ("system:(SAP AND Zoho)", "a list holds any of its values"),
        ("message:=x", "is no operator; they are"),
    ] {
        let output = shop.run(&["query", filter]);
        assert_eq!(output.status.code(), Some(64), "{filter}: {}", printed(&output));
        assert!(said(&output).contains(why) && said(&output).contains('^'), "{filter}: {}", said(&output));
    }
}

// Wrong answers, 3.
#[test]
fn nothing_is_created_beside_a_source() {
    let shop = Shop::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    let path = shop.folder.path().join("shop.sqlite");
    // Opened for writing, it has a log; once nobody writes, the log is gone.
    runtime.block_on(async {
        SqliteRecorder::open(&path).await.expect("opened").close().await.expect("closed");
    });
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(shop.path(&format!("shop.sqlite{ending}")));
    }
    let before = files(shop.folder.path());
    assert_eq!(before.len(), 1, "{before:?}");
    let head = std::fs::read(&before[0]).expect("read");
    assert_eq!(head[18], 2, "the store has a write-ahead log");
    for command in [&["stats"][..], &["query", "--count"], &["show", "00000007"], &["doctor"], &["health"]] {
        let output = shop.run(command);
        assert_ne!(output.status.code(), Some(64), "{command:?}: {}", said(&output));
        assert_eq!(files(shop.folder.path()), before, "{command:?}");
    }
    // While somebody writes, what they write is there, too.
    runtime.block_on(async {
        let mut recorder = SqliteRecorder::open(&path).await.expect("opened");
        recorder.insert(&[row(50, Clock::system().now())]).await.expect("written");
        assert_eq!(tokio::task::block_in_place(|| shop.count("")), 46);
        recorder.close_compacted().await.expect("closed");
    });
    // The generator closes what it has written.
    let made = shop.path("made/made.sqlite");
    std::fs::create_dir(shop.path("made")).expect("made");
    let output = crosstail(&["generate", "--to", &made, "--history", "1m", "--for", "0s"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(files(&shop.folder.path().join("made")).len(), 1);
    std::fs::remove_dir_all(shop.path("made")).expect("removed");
    // A log without its index is a copy: reading it would create the index.
    let copy = shop.path("copy.sqlite");
    std::fs::write(&copy, &head).expect("written");
    std::fs::write(format!("{copy}-wal"), [0; 32]).expect("written");
    let before = files(shop.folder.path());
    let output = crosstail(&["query", "-s", &copy]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("copy.sqlite-wal has changes"), "{}", said(&output));
    assert_eq!(files(shop.folder.path()), before);
}

// Wrong answers, 4.
#[test]
fn streams_are_read_or_refused() {
    let shop = Shop::new();
    let folder = shop.folder.path();
    std::fs::write(folder.join("a.log"), "2026-11-20 10:00:00 ERROR one\n2026-11-20 10:00:01 INFO two\n")
        .expect("written");
    for (line, expected) in [
        ("cat a.log | crosstail query --count -s -", "2\n"),
        ("crosstail query --count -s <(cat a.log)", "2\n"),
        ("crosstail query --count -s <(cat a.log) -s <(sed s/one/three/ a.log) level:error", "2\n"),
        ("mkfifo p; cat a.log > p & crosstail query --count -s p", "2\n"),
        ("crosstail query --count -s /dev/stdin < a.log", "2\n"),
        ("cat a.log | crosstail query --count -s /dev/stdin", "2\n"),
        ("crosstail tail level:error -s <(cat a.log) --fields message", "one\n"),
    ] {
        let output = bash(folder, line);
        assert_eq!(printed(&output), expected, "{line}: {}", said(&output));
        assert!(output.status.success(), "{line}: {}", said(&output));
    }
    for (line, why) in
        [("cat a.log | crosstail query -s - -s -", "named twice"), ("crosstail query -s /dev/zero", "is a device")]
    {
        let output = bash(folder, line);
        assert_eq!(output.status.code(), Some(64), "{line}");
        assert!(said(&output).contains(why), "{line}: {}", said(&output));
    }
}

// Wrong answers, 5.
#[test]
fn a_success_rate_is_of_what_can_succeed() {
    let shop = Shop::new();
    let rates = |by: &str| -> Vec<(String, Value)> {
        let groups = lines(&shop.run(&["stats", "--by", by, "-o", "json"]));
        groups
            .into_iter()
            .map(|group| (group[by].as_str().unwrap_or("none").to_owned(), group["success_rate"].clone()))
            .collect()
    };
    let of_status = rates("status");
    assert!(of_status.contains(&("cancelled".to_owned(), Value::Null)), "{of_status:?}");
    assert!(of_status.contains(&("success".to_owned(), 100.0.into())), "{of_status:?}");
    assert!(of_status.contains(&("failed".to_owned(), 0.0.into())), "{of_status:?}");
    assert!(of_status.contains(&("none".to_owned(), Value::Null)), "log lines, one of them an error: {of_status:?}");
    let of_kind = rates("kind");
    assert!(of_kind.contains(&("log".to_owned(), Value::Null)), "{of_kind:?}");
    let all = lines(&shop.run(&["stats", "--by", "direction", "direction:out", "-o", "json"]));
    assert_eq!(all[0]["success_rate"].as_f64(), Some(66.67), "20 of the 30 that ended well or badly");
}

// Wrong answers, 6.
#[test]
fn csv_is_for_machines() {
    let shop = Shop::new();
    let rows = |arguments: &[&str]| -> Vec<Vec<String>> {
        let output = shop.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&output.stdout[..]);
        reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect()).collect()
    };
    let stats = rows(&["stats", "--by", "http_status,status", "-o", "csv"]);
    assert_eq!(stats[0][..3], ["http_status", "status", "count"]);
    let of_lines = stats.iter().find(|row| row[2] == "5").expect("the log lines");
    assert_eq!(of_lines.concat(), "51", "nulls are empty: {of_lines:?}");
    let json = lines(&shop.run(&["stats", "--by", "http_status", "-o", "json"]));
    assert!(json.iter().any(|group| group["http_status"] == 503), "numbers stay numbers: {json:?}");
    let none = rows(&["query", "system:nobody", "-o", "csv"]);
    assert_eq!((none.len(), none[0][0].as_str()), (1, "id"), "the header stands without rows");
    let operation = rows(
        &["query", "-o", "csv", "--fields", "operation", "op:=1+1"]
            .map(|word| if word == "op:=1+1" { "op=\"=1+1\"" } else { word }),
    );
    assert_eq!(operation[1], ["=1+1"]);
    let operation = rows(&["query", "-o", "csv", "--spreadsheet", "--fields", "operation", "op=\"=1+1\""]);
    assert_eq!(operation[1], ["'=1+1"]);
    let every = rows(&["stats", "--every", "1h", "-o", "csv"]);
    assert_eq!(every[0][..2], ["time", "count"], "--every adds no other group");
    assert_eq!(every.len(), 3, "{every:?}");
}

// Wrong answers, 7.
#[test]
fn days_are_those_of_the_zone_and_ranges_end_alike() {
    let shop = Shop::new();
    let days = |arguments: &[&str]| -> Vec<(String, u64)> {
        let groups = lines(&shop.run(&[&["stats", "-o", "json"], arguments].concat()));
        let time = |group: &Value| group["time"].as_str().expect("a time").to_owned();
        groups.iter().map(|group| (time(group), group["count"].as_u64().expect("a count"))).collect()
    };
    // From 22:30 to 23:36 in UTC: all of it is tomorrow in Berlin from 23:00 UTC on.
    let day = |at: &str| format!("2026-11-{at}:00.000Z");
    assert_eq!(days(&["--every", "1d"]), [(day("25T00:00"), 45)]);
    assert_eq!(days(&["--every", "1d", "--zone", "Europe/Berlin"]), [(day("24T23:00"), 20), (day("25T23:00"), 25)]);
    assert_eq!(days(&["--every", "1d", "--tz", "+01:00"]), [(day("24T23:00"), 20), (day("25T23:00"), 25)]);
    assert_eq!(days(&["--every", "1d", "--utc"]), [(day("25T00:00"), 45)]);
    assert_eq!(days(&["--every", "1w"]), [(day("23T00:00"), 45)], "weeks begin on Monday");
    let config = shop.path("sunday.toml");
    std::fs::write(&config, "week_start = \"sunday\"\n").expect("written");
    assert_eq!(days(&["--every", "1w", "--config", &config]), [(day("22T00:00"), 45)]);
    let report = lines(&shop.run(&["stats", "--report", "volume_by_day", "-o", "json", "--zone", "Europe/Berlin"]));
    let days: Vec<&str> = report[0]["tables"]["volume_by_day"]
        .as_array()
        .expect("rows")
        .iter()
        .filter_map(|r| r["day"].as_str())
        .collect();
    assert_eq!(days, ["2026-11-25", "2026-11-26"]);
    let shown = printed(&shop.run(&["show", "00000000", "--zone", "Europe/Berlin"]));
    assert!(shown.contains("2026-11-25T23:30:00.000+01:00"), "{shown}");
    // One definition of the end of a range.
    let on = |filter: &str| shop.count(filter);
    let between = |arguments: &[&str]| -> usize {
        printed(&shop.run(&[&["query", "--count"], arguments].concat())).trim().parse().expect("a number")
    };
    assert_eq!(on("time:2026-11-25T22:30..2026-11-25T22:33"), 2, "its end is not in it");
    assert_eq!(between(&["--since", "2026-11-25T22:30", "--until", "2026-11-25T22:33"]), 2);
    assert_eq!(on("time:2026-11-25..2026-11-25"), 45, "a day as the end is in it");
    assert_eq!(between(&["--since", "2026-11-25", "--until", "2026-11-25"]), 45);
    assert_eq!(between(&["--until", "2026-11-25"]), on("time:..2026-11-25"));
    let output = shop.run(&["query", "--since", "2026-11-26", "--until", "2026-11-24"]);
    assert_eq!(output.status.code(), Some(64));
}

// Wrong answers, 8.
#[test]
fn values_are_what_was_pasted() {
    let shop = Shop::new();
    for (filter, count) in [
        ("/orders?page=22", 1),
        ("url:orders?page=22", 1),
        ("url:*page=22", 1),
        ("message:\"C:\\temp\"", 44),
        ("message:'C:\\temp a.b 12'", 1),
        ("message~\"a\\.b 1$\"", 1),
        ("message~\"a\\.b 1.\"", 10),
        ("'read and write'", 1),
        ("\"say \\\"x\\\"\"", 0),
        ("id:0000000a", 1),
    ] {
        assert_eq!(shop.count(filter), count, "{filter}");
    }
    let output = shop.run(&["query", "corr:c-"]);
    assert!(output.status.success());
    assert!(said(&output).contains("4 characters or more"), "{}", said(&output));
    let output = shop.run(&["show", "zzz"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("four characters"), "{}", said(&output));
}

// Wrong answers, 9.
#[test]
fn exit_codes_say_what_happened() {
    let shop = Shop::new();
    let folder = shop.folder.path();
    let own = shop.path("shop.sqlite");
    let code = |arguments: &[&str]| {
        let output = crosstail(arguments);
        (output.status.code().expect("a code"), printed(&output), said(&output))
    };
    // What is not there.
    let glob = shop.path("no*.log");
    let (found, _, why) = code(&["query", "-s", &glob]);
    assert!(found == 1 && why.contains("no file matches"), "{found} {why}");
    std::fs::create_dir(folder.join("empty")).expect("made");
    assert_eq!(code(&["stats", "-s", &shop.path("empty")]).0, 1);
    let config = shop.path("config.toml");
    let text = format!("[[source]]\nname = \"gone\"\nat = \"{}\"\n", shop.path("gone.log"));
    std::fs::write(&config, text).expect("written");
    let (found, _, why) = code(&["query", "--config", &config]);
    assert!(found == 1 && why.contains("gone.log"), "{found} {why}");
    // One that is not reached does not keep the others back.
    for gone in ["postgres://me@127.0.0.1:1/x", "prometheus+http://127.0.0.1:1/metrics", "sqlite:///nonexistent.sqlite"]
    {
        for (command, expected) in [
            (&["query", "--count"][..], "45"),
            (&["stats", "-o", "csv"], "45,11,"),
            (&["show", "00000007"], "read and write"),
        ] {
            let (found, out, why) = code(&[command, &["-s", &own, "-s", gone]].concat());
            assert_eq!(found, 4, "{command:?} {gone}: {why}");
            assert!(out.contains(expected), "{command:?} {gone}: {out}");
            assert!(why.lines().count() >= 1, "{why}");
        }
        assert_eq!(code(&["query", "-s", gone]).0, 1, "{gone}");
        assert!([1, 2].contains(&code(&["health", "-s", gone]).0), "{gone}");
    }
    assert_eq!(code(&["health", "-s", &shop.path("none.log")]).0, 64, "no mistake is taken for an answer");
    for option in ["--since 2026-01-01", "-n 45"] {
        let line = format!(
            "timeout --preserve-status -s INT 3 crosstail tail {option} -s shop.sqlite -s postgres://me@127.0.0.1:1/x -o name"
        );
        let output = bash(folder, &line);
        assert_eq!(printed(&output).lines().count(), 45, "{option}: {}", said(&output));
        assert!(said(&output).contains("127.0.0.1:1"), "{}", said(&output));
    }
    // An id that several have.
    let (found, out, why) = code(&["show", "0000000", "-s", &own]);
    assert!(found == 5 && out.is_empty() && why.contains("16 activities match"), "{found} {out} {why}");
    // A message of most of them: more than are listed.
    let rows = (100..180).map(|index| row(index, parse_timestamp(BEGUN).expect("a time").plus_ms(index)));
    write(&folder.join("many.sqlite"), rows.collect());
    let (found, _, why) = code(&["show", "https://shop.example/orders?page", "-s", &shop.path("many.sqlite")]);
    assert!(found == 5 && why.contains("80 activities match"), "{found} {why}");
}

#[test]
fn a_closed_pipe_is_quiet_in_every_command() {
    let shop = Shop::new();
    std::fs::write(shop.folder.path().join("a.log"), "2026-11-20 10:00:00 ERROR one\n").expect("written");
    for command in [
        "query -o csv -s shop.sqlite",
        "query -o table -s shop.sqlite",
        "query --count -s shop.sqlite",
        "stats -o csv -s shop.sqlite",
        "stats -o json -s shop.sqlite",
        "stats -o table -s shop.sqlite",
        "stats --report all -o html -s shop.sqlite",
        "show 00000007 -s shop.sqlite",
        "health -s a.log",
        "doctor -s a.log",
        "schema list",
        "schema show prokure",
        "config show",
        "config path",
        "completions bash",
        "man query",
        "help filter",
        "query --help",
        "--version",
    ] {
        // The reader is gone before anything is written.
        let output =
            bash(shop.folder.path(), &format!("(sleep 0.3; exec crosstail {command}) | true; echo ${{PIPESTATUS[0]}}"));
        let code = printed(&output).trim().to_owned();
        let expected: &[&str] =
            if command.starts_with("health") || command.starts_with("doctor") { &["0", "1", "2"] } else { &["0"] };
        assert!(expected.contains(&code.as_str()), "{command}: {code} {}", said(&output));
        let noise = said(&output);
        assert!(!noise.contains("roken pipe") && !noise.contains("panicked"), "{command}: {noise}");
    }
}

// Habits.
#[test]
fn a_source_without_s_is_answered() {
    let shop = Shop::new();
    let folder = shop.folder.path();
    for line in [
        "crosstail query ./shop.sqlite",
        "crosstail tail -f shop.sqlite",
        "crosstail query -s shop.sqlite shop.sqlite",
        "crosstail stats postgres://me:hunter2xx@h/x",
    ] {
        let output = bash(folder, line);
        assert_eq!(output.status.code(), Some(64), "{line}: {}", printed(&output));
        let why = said(&output);
        assert!(
            why.contains("a filter was expected") && why.contains("-s ") && !why.contains("hunter2xx"),
            "{line}: {why}"
        );
    }
    let output = bash(folder, "crosstail qurey status:failed");
    assert!(
        output.status.code() == Some(64) && said(&output).contains("did you mean the command 'query'"),
        "{}",
        said(&output)
    );
    let output = bash(folder, "crosstail query --follow -s shop.sqlite");
    assert!(output.status.code() == Some(64) && said(&output).contains("crosstail tail"), "{}", said(&output));
}

#[test]
fn options_of_other_programs_are_known() {
    let shop = Shop::new();
    let out = |arguments: &[&str]| {
        let output = shop.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        printed(&output)
    };
    assert_eq!(out(&["query", "-n", "20", "-o", "name"]).lines().count(), 20);
    assert_eq!(out(&["query", "-limit", "3", "-output", "json"]).lines().count(), 3);
    assert_eq!(out(&["query", "-f", "status:failed", "--count"]), "10\n");
    assert_eq!(out(&["query", "-f", "status:failed OR status:cancelled", "system:SAP", "--count"]), "10\n");
    for format in [&["-o", "jsonl"][..], &["-o", "ndjson"], &["--json"]] {
        let text = out(&[&["query", "-n", "1"], format].concat());
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{format:?}: {text}");
    }
    let yaml = shop.run(&["query", "-o", "yaml"]);
    assert!(yaml.status.code() == Some(64) && said(&yaml).contains("json"), "{}", said(&yaml));
    assert_eq!(
        out(&["query", "--fields", "id,corr,latency", "-n", "1", "--sort", "time"]),
        "00000000-0000-4000-8000-000000000000  c-0  100\n"
    );
    let some = out(&["query", "--fields", "http,id", "-o", "json", "-n", "1", "--sort", "time"]);
    assert_eq!(some, "{\"http_status\":503,\"id\":\"00000000-0000-4000-8000-000000000000\"}\n");
    let wrong = shop.run(&["query", "--fields", "sytem"]);
    assert!(wrong.status.code() == Some(64) && said(&wrong).contains("did you mean 'system'"), "{}", said(&wrong));
    for command in [
        &["query", "-o", "csv"][..],
        &["query", "-o", "table"],
        &["query", "-o", "wide"],
        &["stats", "-o", "csv"],
        &["stats"],
    ] {
        let (with, without) = (out(command), out(&[command, &["--no-headers"]].concat()));
        assert_eq!(with.lines().count(), without.lines().count() + 1, "{command:?}");
    }
    // A line that shows the id is one that `show` takes.
    let wide = out(&["query", "-o", "wide", "-n", "1", "--no-headers"]);
    assert!(out(&["show", wide.trim()]).contains("C:\\temp"), "{wide}");
    let longest = out(&["query", "--sort", "-duration", "-n", "2", "--fields", "duration_ms"]);
    assert_eq!(longest, "4000\n3900\n");
    let shortest = out(&["query", "--sort", "duration", "-n", "2", "--fields", "duration_ms"]);
    assert_eq!(shortest, "100\n200\n");
    for (filter, count) in [
        ("latency:>1s", 30),
        ("latency:>=1s", 31),
        ("http:5*", 10),
        ("http:20*", 20),
        ("http:(200..299, 404)", 30),
        ("latency:(100ms..200ms, 1s)", 3),
        ("status==failed", 10),
        ("level:(info, error..fatal)", 5),
    ] {
        assert_eq!(shop.count(filter), count, "{filter}");
    }
}

#[test]
fn colours_are_where_they_are_wanted() {
    let shop = Shop::new();
    let path = shop.path("shop.sqlite");
    let is_coloured = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crosstail"));
        command.args(["query", "status:failed", "-s", &path]).args(arguments).env_remove("NO_COLOR");
        let output = command.envs(environment.iter().copied()).output().expect("run");
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        printed(&output).contains('\u{1b}')
    };
    assert!(!is_coloured(&[], &[]));
    assert!(is_coloured(&["--color=always"], &[("NO_COLOR", "1")]) && is_coloured(&["--color"], &[]));
    assert!(is_coloured(&[], &[("CLICOLOR_FORCE", "1")]) && !is_coloured(&[], &[("CLICOLOR_FORCE", "0")]));
    assert!(!is_coloured(&["--color=never"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!is_coloured(&["--no-color"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!is_coloured(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn times_are_written_as_people_write_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sqlite");
    let now = Clock::system().now();
    let ago = |minutes: i64| now.plus_ms(-60_000 * minutes);
    write(&path, [2, 50, 60 * 24 * 3, 60 * 24 * 20, 60 * 24 * 50].map(|minutes| row(minutes, ago(minutes))).into());
    let count = |since: &str| {
        let output = crosstail(&["query", "--count", "--since", since, "-s", path.to_str().expect("UTF-8")]);
        assert!(output.status.success(), "{since}: {}", said(&output));
        printed(&output).trim().parse::<usize>().expect("a number")
    };
    let epoch = ago(70).0 / 1_000_000;
    for (since, found) in [
        ("1h ago", 2),
        ("5 minutes ago", 1),
        ("-1h", 2),
        ("1h", 2),
        ("1w", 3),
        ("1mo", 4),
        ("1y", 5),
        (&format!("@{epoch}"), 2),
        (&ago(70).rfc3339(), 2),
        (&ago(70).rfc3339().to_lowercase(), 2),
        (&ago(70).rfc3339().replace('T', " "), 2),
        (&ago(70).utc().format("%Y-%m-%dT%H:%MZ").to_string(), 2),
        (&(ago(70).plus_ms(7_200_000).utc().format("%Y-%m-%dT%H:%M:%S").to_string() + "+02:00"), 2),
        (&(ago(70).plus_ms(-12_600_000).utc().format("%Y-%m-%dT%H:%M:%S%.6f").to_string() + "-0330"), 2),
    ] {
        assert_eq!(count(since), found, "{since}");
    }
    assert!(count("yesterday") >= 2 && count("2020-01-01") == 5);
    let help = printed(&crosstail(&["query", "--help"]));
    for word in ["1h ago", "1mo", "yesterday", "RFC 3339", "@1763979280"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    // A time that clocks skip.
    let arguments =
        ["query", "--since", "2026-03-29T02:30", "--zone", "Europe/Berlin", "-s", path.to_str().expect("UTF-8")];
    let output = crosstail(&arguments);
    assert_eq!(output.status.code(), Some(64));
    assert!(said(&output).contains("2026-03-29 02:30 does not exist in Europe/Berlin"), "{}", said(&output));
    for zone in ["+02:00", "-05:00", "+05:30", "+0530", "UTC", "local"] {
        let output = crosstail(&["query", "--zone", zone, "-s", path.to_str().expect("UTF-8")]);
        assert!(output.status.success(), "{zone}: {}", said(&output));
    }
    let output = crosstail(&["query", "--zone", "+02:07", "-s", path.to_str().expect("UTF-8")]);
    assert!(output.status.code() == Some(64) && said(&output).contains("+02:07"), "{}", said(&output));
}

#[test]
fn help_and_version_say_what_they_are_asked() {
    let help = printed(&crosstail(&["help", "filter"]));
    for field in crosstail_core::filter::Field::ALL {
        assert!(help.contains(field.name()) && help.contains(field.example()), "{}", field.name());
        crosstail_core::filter::Filter::parse(field.example()).expect("an example is a filter");
    }
    let codes = printed(&crosstail(&["help", "exit-codes"]));
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scripting.md")).expect("the page");
    for (code, _) in crosstail::cli::exit::TABLE {
        assert!(codes.lines().any(|line| line.starts_with(&format!("{code} "))), "{code}: {codes}");
        assert!(page.lines().any(|line| line.starts_with(&format!("| {code} |"))), "{code} in the book");
    }
    assert!(printed(&crosstail(&["help", "query"])).contains("Usage: crosstail query"));
    assert!(printed(&crosstail(&["help", "alerts", "ack"])).contains("Usage: crosstail alerts ack"));
    let output = crosstail(&["help", "qurey"]);
    assert!(output.status.code() == Some(64) && said(&output).contains("did you mean 'query'"), "{}", said(&output));
    let version = printed(&crosstail(&["--version"]));
    assert!(version.contains("commit ") && version.contains("sqlite"), "{version}");
}

#[test]
fn exports_and_listening_have_their_spelling() {
    let shop = Shop::new();
    for (file, why) in [
        ("-", "crosstail query"),
        ("a.csv.gz", "| gzip > "),
        ("a.ndjson.zst", "| zstd > "),
        ("a.json", ".ndjson"),
        ("a", ".ndjson"),
    ] {
        let path = if file == "-" { file.to_owned() } else { shop.path(file) };
        let output = shop.run(&["export", "-o", &path]);
        assert_eq!(output.status.code(), Some(64), "{file}");
        assert!(said(&output).contains(why), "{file}: {}", said(&output));
    }
    let output = shop.run(&["export", "-f", "status:failed", "-o", &shop.path("f.csv")]);
    assert!(output.status.success(), "{}", said(&output));
    // An unfinished export of something else says what differs.
    let resume = serde_json::json!({
        "what": { "filter": "status:failed", "sources": [shop.path("shop.sqlite")], "schema": null, "zone": "UTC", "since": "7d", "until": null, "payloads": false },
        "begun": 0, "since": null, "until": 1, "rows": 0, "first": null, "after": null, "mark": null,
    });
    std::fs::write(shop.path("g.csv.resume"), resume.to_string()).expect("written");
    let output = shop.run(&["export", "status:success", "--since", "7d", "-o", &shop.path("g.csv")]);
    assert_eq!(output.status.code(), Some(64));
    let why = said(&output);
    assert!(why.contains("filter was 'status:failed', is now 'status:success'") && !why.contains("zone was"), "{why}");
    let output = crosstail(&["watch", "--listen", "nowhere", "-s", &shop.path("shop.sqlite")]);
    assert!(output.status.code() == Some(64) && said(&output).contains(":9464"), "{}", said(&output));
}

#[test]
fn a_silence_can_be_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("watch.json").display().to_string();
    let run = |arguments: &[&str]| crosstail(&[&["alerts"], arguments, &["--state", &state]].concat());
    assert!(run(&["silence", "HighErrorRate", "--of", "SAP", "--for", "2h"]).status.success());
    assert!(run(&["silence", "Silence", "--for", "2h"]).status.success());
    let none = run(&["unsilence", "RetryStorm"]);
    assert!(none.status.code() == Some(3) && said(&none).contains("HighErrorRate for SAP"), "{}", said(&none));
    assert!(run(&["unsilence", "higherrorrate", "--of", "SAP"]).status.success());
    let left = std::fs::read_to_string(folder.path().join("watch.silences.json")).expect("written");
    assert!(!left.contains("HighErrorRate") && left.contains("Silence"), "{left}");
}

#[test]
fn tail_shows_the_last_lines_first() {
    let shop = Shop::new();
    std::fs::write(
        shop.folder.path().join("a.log"),
        (0..9).map(|n| format!("2026-11-20 10:00:0{n} INFO line {n}\n")).collect::<String>(),
    )
    .expect("written");
    let output =
        bash(shop.folder.path(), "timeout --preserve-status -s INT 2 crosstail tail -n 2 -f -s a.log --fields message");
    assert_eq!(printed(&output), "line 7\nline 8\n", "{}", said(&output));
    assert!(output.status.success());
}

#[test]
fn the_explorer_takes_s_and_needs_a_terminal() {
    let shop = Shop::new();
    let output = shop.run(&[]);
    assert!(!output.status.success());
    assert!(said(&output).contains("terminal"), "{}", said(&output));
}

/// The answers of jq to the same questions, over the same records.
#[test]
fn the_expressions_of_the_documentation_answer_as_jq_does() {
    let shop = Shop::new();
    let records = printed(&shop.run(&["query", "-o", "json", "--limit", "0"]));
    let records = format!("[{}]", records.lines().collect::<Vec<_>>().join(","));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/filters.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let rows = page.split("## Expressions").nth(1).expect("the expressions").lines();
    let row = |line: &str| -> Option<(String, String)> {
        let (filter, question) = line.strip_prefix("| `")?.strip_suffix("` |")?.split_once("` | `")?;
        Some((filter.replace("\\|", "|"), question.replace("\\|", "|")))
    };
    let rows: Vec<(String, String)> = rows.filter_map(row).collect();
    assert!(rows.len() >= 60, "{}", rows.len());
    let mut empty = Vec::new();
    for (filter, question) in rows {
        let output = shop.run(&["query", &filter, "-o", "name", "--limit", "0"]);
        assert!(output.status.success(), "{filter}: {}", said(&output));
        let mut ours: Vec<String> = printed(&output).lines().map(str::to_owned).collect();
        ours.sort();
        let select = format!(".[] | select({question}) | .id");
        let answers = crosstail_engine::insight::jq(&select, &records).expect(&question);
        let mut theirs: Vec<String> = answers.iter().map(|id| id.trim_matches('"').to_owned()).collect();
        theirs.sort();
        assert_eq!(ours, theirs, "{filter}");
        if ours.is_empty() {
            empty.push(filter);
        }
    }
    assert_eq!(empty, ["system=sap", "method=get"], "an answer that is empty shows little");
}

/// The table of fields stands in the documentation as in help.
#[test]
fn the_fields_of_the_documentation_are_those_of_the_language() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/filters.md");
    let page = std::fs::read_to_string(page).expect("the page");
    for field in crosstail_core::filter::Field::ALL {
        let aliases: Vec<String> = field.aliases().iter().map(|alias| format!("`{alias}`")).collect();
        let row =
            format!("| `{}` | {} | `{}` |", field.name(), aliases.join(", "), field.example().replace('|', "\\|"));
        assert!(page.lines().any(|line| line.starts_with(&row)), "{row}");
    }
}

/// A page for every command, with what a page has.
#[test]
fn manual_pages_are_whole() {
    for command in
        [&[][..], &["query"], &["export"], &["alerts"], &["alerts", "ack"], &["config", "init"], &["schema", "apply"]]
    {
        let page = printed(&crosstail(&[&["man"], command].concat()));
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "\"EXIT STATUS\"", "ENVIRONMENT", "FILES"] {
            assert!(
                page.contains(&format!(".SH {section}")) || page.contains(&format!(".SH \"{section}\"")),
                "{command:?}: {section}"
            );
        }
        let has_filter = page.contains("FILTER LANGUAGE");
        assert_eq!(has_filter, command.is_empty() || ["query", "export"].contains(&command[0]), "{command:?}");
    }
    let page = printed(&crosstail(&["man", "query"]));
    let example = "crosstail query status:failed \\-\\-since 1h \\-s 'logs/*.log'";
    assert!(page.lines().any(|line| line.trim() == example), "as typed: {page}");
}

fn configured(text: &str, command: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("crosstail");
    std::fs::create_dir_all(folder.join("rules")).expect("made");
    std::fs::create_dir_all(folder.join("themes")).expect("made");
    std::fs::write(folder.join("config.toml"), text).expect("written");
    std::fs::write(folder.join("rules/off.toml"), "name = \"QueueBacklog\"\nenabled = false\n").expect("written");
    std::fs::write(folder.join("themes/broken.toml"), "text = {{\n").expect("written");
    std::fs::write(folder.join("themes/own.toml"), "key = { bold = true }\ntxt = { fg = \"red\" }\n").expect("written");
    std::fs::write(folder.join("keymap.toml"), "[global]\nhelp = [\"?\"]\nquit = [\"qq!\"]\n").expect("written");
    Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(command)
        .current_dir(home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .stdin(Stdio::null())
        .output()
        .expect("run")
}

// Wrong answers, 10, and messages.
#[test]
fn what_a_configuration_has_wrong_is_found_with_its_place() {
    let text = "theme = \"drak\"\ntime_zone = \"UTC\"\nweek_start = \"someday\"\n[[source]]\nname = \"a\"\nat = \"postgres://me:hunter2xx@db/x\"\n\
        [[view]]\nname = \"v\"\nfilter = \"sytem:SAP\"\n";
    let output = configured(text, &["config", "check"]);
    assert_eq!(output.status.code(), Some(1));
    let why = said(&output);
    for part in [
        "config.toml:1: theme: no theme 'drak'; did you mean 'dark'",
        "config.toml:6: source a: the password or token is in the address",
        "config.toml:9: view v",
        "broken.toml:1: ",
        "own.toml:2: no role 'txt'; did you mean 'text'",
        "keymap.toml:3: quit: no key 'qq!'",
        "config.toml:3: week_start 'someday': write a day of the week",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert!(!why.contains("hunter2xx") && !why.contains("off.toml"), "a name is enough to switch a rule off: {why}");
    for (text, part) in [
        (
            "[[source]]\nname = \"a\"\nat = \"x\"\ntheme = \"dark\"\n",
            "config.toml:4: 'theme' belongs at the top of the file",
        ),
        ("at = \"x\"\n", "config.toml:1: 'at' belongs in a [[source]]"),
        ("[source]\nname = \"a\"\nat = \"x\"\n", "two brackets: [[source]]"),
        ("history_limit = \"many\"\n", "a whole number is expected"),
    ] {
        let output = configured(text, &["query"]);
        assert!(!output.status.success());
        assert!(said(&output).contains(part), "{part}: {}", said(&output));
    }
    let output = configured("", &["config", "init", "--force"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(said(&output).contains("nothing was written"), "{}", said(&output));
}

#[test]
fn addresses_that_do_not_work_say_what_to_do() {
    for url in [
        "postgres://me@127.0.0.1:1/x",
        "mysql://me@127.0.0.1:1/x",
        "es+http://127.0.0.1:1/x",
        "health+http://127.0.0.1:1/x",
        "kafka://127.0.0.1:1/x",
    ] {
        // Each is refused at once, also by clients that would try again for longer than anybody waits.
        let output = bash(Path::new("/"), &format!("timeout 10 crosstail query -s '{url}'"));
        assert_eq!(output.status.code(), Some(1), "{url}");
        assert!(said(&output).contains("127.0.0.1:1"), "{url}: {}", said(&output));
    }
    let output = crosstail(&["query", "-s", "gopher://x/y"]);
    let why = said(&output);
    for kind in crosstail::kinds::ALL.iter() {
        let urls = kind.schemes.first().map(|scheme| format!("{scheme}://"));
        let programs = kind.programs.iter().map(|(_, form)| (*form).to_owned());
        for form in urls.into_iter().filter(|url| url != "file://").chain(programs) {
            assert!(why.contains(&form), "{form}: {why}");
        }
    }
    // A password may have any character, and no part of it is shown.
    for url in [
        "postgres://me:hun@ter/2xx@127.0.0.1:1/x",
        "mysql://me:hun@ter/2xx@127.0.0.1:1/x",
        "mongodb://me:hun@ter/2xx@127.0.0.1:1/x",
        "es+http://me:hun@ter/2xx@127.0.0.1:1/x",
        "kafka://me:hun@ter/2xx@127.0.0.1:1/x?sasl=PLAIN",
        "gopher://me:hun@ter/2xx@h/x",
    ] {
        let output = bash(
            Path::new("/"),
            &format!("timeout 30 crosstail query -s '{url}'; timeout 30 crosstail doctor -s '{url}'"),
        );
        let all = printed(&output) + &said(&output);
        for part in ["hun@", "ter/", "2xx", "@ter"] {
            assert!(!all.contains(part), "{url}: {all}");
        }
    }
}

#[test]
fn an_empty_health_says_why() {
    let shop = Shop::new();
    let output = shop.run(&["health"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no activity in the last 15 minutes"), "{}", said(&output));
}

/// What a shell offers for a line, in the real shell. `None` where it is not installed.
fn offered(shell: &str, folder: &Path, config: &Path, line: &str) -> Option<String> {
    let program = Path::new(env!("CARGO_BIN_EXE_crosstail")).parent().expect("a folder").display().to_string();
    let script = match shell {
        "bash" => format!(
            "source <(crosstail completions bash); COMP_LINE={line:?}; COMP_POINT=${{#COMP_LINE}}; compopt() {{ :; }}; \
             _crosstail; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        ),
        // What `compadd` is given, without a terminal to draw it on.
        "zsh" => format!(
            "compdef() {{ :; }}; compadd() {{ while [[ $1 != -- ]]; do shift; done; shift; print -l -- \"$@\"; }}; \
             source <(crosstail completions zsh); words=(${{(z):-{line:?}}}); [[ {line:?} == *' ' ]] && words+=(''); \
             CURRENT=$#words; _crosstail"
        ),
        _ => format!("crosstail completions fish | source; complete -C {line:?}"),
    };
    let output = Command::new(shell)
        .args(["-c", &script])
        .current_dir(folder)
        .env("PATH", format!("{program}:{}", std::env::var("PATH").expect("PATH")))
        .env("XDG_CONFIG_HOME", config)
        .env("HOME", folder)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => Some(printed(&output) + &said(&output)),
        Err(_) => {
            assert!(!crate::servers::servers_wanted(), "{shell}; run scripts/setup-tests");
            None
        }
    }
}

/// The words that a shell offers, without what it says of them.
fn words_of(found: &str) -> impl Iterator<Item = &str> {
    found.lines().map(|line| line.split('\t').next().unwrap_or_default())
}

#[test]
fn shells_complete_below_the_top_level() {
    let shop = Shop::new();
    let config = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(config.path().join("crosstail")).expect("made");
    let text = format!("[[source]]\nname = \"myshop\"\nat = \"{}\"\n", shop.path("shop.sqlite"));
    std::fs::write(config.path().join("crosstail/config.toml"), text).expect("written");
    for (line, expected, absent) in [
        ("crosstail que", &["query"][..], "tail"),
        ("crosstail alerts ", &["ack", "silence", "unsilence"], "query"),
        ("crosstail config ini", &["init"], "show"),
        ("crosstail query --si", &["--since"], "--limit"),
        ("crosstail query -o ", &["json", "csv"], "prometheus"),
        ("crosstail query -s my", &["myshop"], "json"),
        ("crosstail query --schema pro", &["prokure"], "halopsa"),
        ("crosstail --theme col", &["colourblind"], "dark"),
        ("crosstail query sta", &["status:"], "system"),
        ("crosstail query status:fa", &["failed"], "success"),
        ("crosstail query system:", &["SAP", "Zoho", "Tally"], "status"),
        ("crosstail query -s shop.sqlite system:Z", &["Zoho"], "SAP"),
        ("crosstail stats --by system,sta", &["system,status"], "level"),
        ("crosstail query --zone Europe/Ber", &["Europe/Berlin"], "Paris"),
        ("crosstail query -s sho", &["shop.sqlite"], "myshop"),
        ("crosstail man exp", &["export"], "query"),
    ] {
        for shell in ["bash", "zsh", "fish"] {
            let offered = || offered(shell, shop.folder.path(), config.path(), line);
            let Some(mut found) = offered() else { continue };
            // bash gets what comes after the last break of the word.
            let is_whole = |found: &str| expected.iter().all(|word| words_of(found).any(|offer| offer.ends_with(word)));
            // Values are offered only where a source answers quickly, which under load it may not do at once.
            wait_for(&format!("{shell}: {line}: {expected:?}"), || {
                is_whole(&found) || offered().is_some_and(|again| is_whole(&again).then(|| found = again).is_some())
            });
            let words: Vec<&str> = words_of(&found).collect();
            assert!(!words.contains(&absent), "{shell}: {line}: {absent} in {found}");
        }
    }
}
