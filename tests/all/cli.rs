//! The headless commands, as scripts use them.

use crate::support::{EPOCH, PATIENCE, crosstail, lines, random_database, wait_until_it_follows};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn database() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sqlite");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    runtime.block_on(async { drop(random_database(&path, 3, 120).await) });
    (folder, path)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn json_has_the_documented_names() {
    let (_folder, path) = database();
    let found = lines(&crosstail(&["query", "-s", text(&path), "-o", "json"]));
    assert_eq!(found.len(), 120);
    for name in [
        "id",
        "source",
        "places",
        "kind",
        "direction",
        "system",
        "endpoint",
        "method",
        "url",
        "status",
        "http_status",
        "level",
        "message",
        "started_at",
        "completed_at",
        "duration_ms",
        "attempt",
        "next_retry_at",
        "request_id",
        "correlation_id",
        "parent_request_id",
        "error",
    ] {
        assert!(found.iter().all(|record| record.get(name).is_some()), "{name}");
    }
    let times: Vec<&str> = found.iter().filter_map(|r| r["started_at"].as_str()).collect();
    assert!(times.iter().rev().is_sorted(), "newest first");
}

#[test]
fn limits_and_what_is_beyond_them() {
    let (_folder, path) = database();
    let output = crosstail(&["query", "-s", text(&path), "-o", "json", "--limit", "10", "--sort", "time"]);
    assert!(output.stderr.is_empty(), "a limit that was asked for is no news");
    let ten = lines(&output);
    assert_eq!(ten.len(), 10);
    let output = crosstail(&["query", "-s", text(&path), "-o", "json", "--limit", "120"]);
    assert!(output.stderr.is_empty());
    let since = EPOCH.plus_ms(60_000).rfc3339();
    let later = lines(&crosstail(&["query", "-s", text(&path), "-o", "json", "--since", &since, "--limit", "0"]));
    assert!(!later.is_empty() && later.len() < 120);
    assert!(later.iter().all(|r| r["started_at"].as_str().is_some_and(|at| at >= since.as_str())));
}

#[test]
fn csv_and_table_and_stats() {
    let (_folder, path) = database();
    let output = crosstail(&["query", "-s", text(&path), "-o", "csv", "--limit", "0"]);
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(&output.stdout[..]).records().map(|r| r.expect("a row")).collect();
    assert_eq!(rows.len(), 120);
    assert!(crosstail(&["query", "-s", text(&path), "-o", "table", "--limit", "3"]).stdout.starts_with(b"time"));
    let groups = lines(&crosstail(&["stats", "-s", text(&path), "--by", "system,status", "-o", "json"]));
    let total: u64 = groups.iter().filter_map(|g| g["count"].as_u64()).sum();
    assert_eq!(total, 120);
    for name in ["system", "status", "count", "failed", "success_rate", "p50_ms", "p95_ms", "p99_ms", "avg_ms"] {
        assert!(groups.iter().all(|group| group.get(name).is_some()), "{name}");
    }
    let failed: u64 = groups.iter().filter_map(|g| g["failed"].as_u64()).sum();
    let failures = lines(&crosstail(&["query", "is:failure", "-s", text(&path), "-o", "json", "--limit", "0"])).len();
    assert_eq!(failed as usize, failures);
}

#[test]
fn one_activity_whole() {
    let (_folder, path) = database();
    let every = lines(&crosstail(&["query", "req.body:*", "-s", text(&path), "-o", "json"]));
    let id = every[0]["id"].as_str().expect("an id");
    let whole = lines(&crosstail(&["show", id, "-s", text(&path), "-o", "json"]));
    assert_eq!(whole[0]["id"], id);
    assert!(whole[0]["request"]["body"]["order"].is_number());
    assert!(!whole[0]["retry_chain"].as_array().expect("a list").is_empty());
    let beginning = lines(&crosstail(&["show", &id[..8], "-s", text(&path), "-o", "json"]));
    assert_eq!(beginning[0]["id"], id);
    assert!(String::from_utf8_lossy(&crosstail(&["show", id, "-s", text(&path)]).stdout).contains("request body"));
    assert!(crosstail(&["show", id, "-s", text(&path), "-o", "curl"]).stdout.starts_with(b"curl -X"));
    assert_eq!(crosstail(&["show", "nothing-like-it", "-s", text(&path)]).status.code(), Some(3));
}

#[test]
fn mistakes_have_their_exit_code_and_their_place() {
    let (_folder, path) = database();
    let output = crosstail(&["query", "sytem:SAP", "-s", text(&path)]);
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("^^^^^") && said.contains("did you mean 'system'?"), "{said}");
    assert_eq!(crosstail(&["query", "-s", "/no/such.log"]).status.code(), Some(64));
    assert_eq!(crosstail(&["query"]).status.code(), Some(64));
    assert_eq!(crosstail(&["stats", "--by", "sytem", "-s", text(&path)]).status.code(), Some(64));
    assert_eq!(crosstail(&["query", "-s", "postgre://x/y"]).status.code(), Some(1));
    assert_eq!(crosstail(&["query", "-s", text(&path), "--since", "yesteryear"]).status.code(), Some(64));
    let empty = tempfile::NamedTempFile::new().expect("a file");
    assert!(crosstail(&["query", "-s", text(empty.path())]).status.success());
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let (_folder, path) = database();
    let mut child = Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(["query", "-s", text(&path), "-o", "json", "--limit", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn secrets_do_not_leave() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.log");
    let line = r#"{"timestamp":"2026-11-20T10:00:00Z","level":"ERROR","message":"password=hunter2xx failed","url":"https://bob:hunter2xx@h/x?api_key=hunter2xx","error":"Bearer hunter2xxhunter2xx refused","requestId":"r-12345","headers":{"Authorization":"Bearer hunter2xx","Cookie":"s=hunter2xx"},"body":{"password":"hunter2xx","card":"4111 1111 1111 1111"}}"#;
    std::fs::write(&path, format!("{line}\n")).expect("written");
    for arguments in [
        &["query", "-o", "json"][..],
        &["query", "-o", "text"],
        &["query", "-o", "csv"],
        &["query", "-o", "table"],
        &["show", "r-12345"],
        &["show", "r-12345", "-o", "json"],
        &["show", "r-12345", "-o", "curl"],
    ] {
        let mut all = arguments.to_vec();
        all.extend(["-s", text(&path)]);
        let output = crosstail(&all);
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(!said.contains("hunter2xx") && !said.contains("4111 1111"), "{arguments:?}: {said}");
    }
}

#[test]
fn the_examples_of_the_help_are_commands() {
    for command in ["query", "tail", "stats", "show", "demo"] {
        let help = String::from_utf8(crosstail(&[command, "--help"]).stdout).expect("UTF-8");
        assert!(help.contains("Usage: crosstail"), "{command}");
        for example in help.lines().filter_map(|line| line.trim().strip_prefix(&format!("crosstail {command} "))) {
            // Each option of an example is one that the command knows.
            for option in example.split_whitespace().filter(|word| word.starts_with("--")) {
                assert!(help.matches(option).count() > 1, "{command}: {option}");
            }
        }
    }
}

#[test]
fn tail_prints_what_appears_and_what_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.log");
    std::fs::write(&path, "").expect("written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(["tail", "kind:api_call", "-s", text(&path), "-o", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let reader = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, printed) = std::sync::mpsc::sync_channel(100);
    std::thread::spawn(move || {
        for line in std::io::BufRead::lines(reader) {
            let line: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            sender.send(line).expect("taken");
        }
    });
    let append = |text: &str| {
        use std::io::Write as _;
        let mut file = std::fs::File::options().append(true).open(&path).expect("opened");
        file.write_all(text.as_bytes()).expect("written");
    };
    let id = |line: Value| line["id"].as_str().expect("an id").to_owned();
    wait_until_it_follows(&path, || printed.try_iter().map(id).collect());
    let service = "\"service\":\"halopsa-integration\",\"requestId\":\"r-1\"";
    append(&format!(
        "{{\"timestamp\":\"2026-11-20T10:00:00Z\",\"level\":\"INFO\",\"message\":\"API Request Started\",{service},\"method\":\"GET\",\"url\":\"/x\"}}\n"
    ));
    let next = || loop {
        let line: Value = printed.recv_timeout(PATIENCE).expect("a line");
        if line["id"] == "r-1" {
            return line;
        }
    };
    assert_eq!(next()["status"], "in_progress");
    append(&format!(
        "{{\"timestamp\":\"2026-11-20T10:00:01Z\",\"level\":\"INFO\",\"message\":\"API Request Completed\",{service},\"statusCode\":503,\"duration\":900}}\n"
    ));
    let done = next();
    assert_eq!(
        (done["id"].as_str(), done["status"].as_str(), done["method"].as_str()),
        (Some("r-1"), Some("failed"), Some("GET"))
    );
    let pid = rustix::process::Pid::from_raw(child.id() as i32).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("signalled");
    assert!(child.wait().expect("ended").success());
}

#[test]
fn a_stream_that_ends_ends_tail() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(["tail", "level:error", "-s", "-", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut input = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(
        &mut input,
        b"2026-11-20 10:00:00 ERROR one\n2026-11-20 10:00:01 INFO two\n2026-11-20 10:00:02 ERROR three",
    )
    .expect("written");
    drop(input);
    let output = child.wait_with_output().expect("ended");
    let found = lines(&output);
    assert_eq!(found.iter().filter_map(|r| r["message"].as_str()).collect::<Vec<_>>(), ["one", "three"]);
}

/// What crosstail says of itself has no secret in it, whatever a store answers, and other users cannot read it.
#[test]
fn the_log_file_has_no_secrets() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("own.log");
    let path = file.to_str().expect("UTF-8");
    let url = "postgres://me:pl4nted-s3cret@127.0.0.1:1/shop";
    let output = crosstail(&["query", "-s", url, "--log-file", path]);
    assert!(!output.status.success());
    let said = std::fs::read_to_string(&file).expect("written");
    assert!(said.contains("connect failed") && said.contains("source=shop"), "{said}");
    assert!(!said.contains("pl4nted"), "{said}");
    let mode = std::fs::metadata(&file).expect("there").permissions().mode();
    assert_eq!(mode & 0o077, 0);
    let output = crosstail(&["query", "-s", "nowhere.log", "--log-file", "/nonexistent/own.log"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64));
    assert!(said.contains("--log-file /nonexistent/own.log"), "{said}");
}
