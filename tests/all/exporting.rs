//! `export`: every form from every kind of source, interrupted and gone on with.

use crate::elasticsearch::refresh;
use crate::faults::{prepared, write};
use crate::servers::{Kind, shared};
use crate::support::{crosstail, ids, lines, open, random_database, wait_for};
use crate::writing::said;
use crosstail_source::{Job, PageQuery};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn export(source: &str, path: &Path, more: &[&str]) -> std::process::Output {
    let mut all = vec!["export", "-s", source, "--output", text(path)];
    all.extend(more);
    crosstail(&all)
}

/// The ids in a file of any form, in their order.
fn exported(path: &Path) -> Vec<String> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => csv::Reader::from_path(path)
            .expect("a file")
            .records()
            .map(|row| row.expect("a row")[0].to_owned())
            .collect(),
        Some("ndjson") => {
            let text = std::fs::read_to_string(path).expect("read");
            let id = |line: &str| {
                serde_json::from_str::<Value>(line).expect("JSON")["id"].as_str().expect("an id").to_owned()
            };
            text.lines().map(id).collect()
        }
        Some("parquet") => {
            let reader = SerializedFileReader::new(std::fs::File::open(path).expect("a file")).expect("Parquet");
            reader
                .get_row_iter(None)
                .expect("rows")
                .map(|row| row.expect("a row").get_string(0).expect("an id").clone())
                .collect()
        }
        _ => {
            let rows = lines(&crosstail(&["query", "-s", text(path), "-o", "json", "--limit", "0", "--sort", "time"]));
            rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
        }
    }
}

/// Each form from a source, against what `query` says.
pub fn every_form(source: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = lines(&crosstail(&["query", "-s", source, "-o", "json", "--limit", "0", "--sort", "time"]));
    let wanted: Vec<String> = shown.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect();
    assert!(wanted.len() > 20, "{source}");
    for form in ["csv", "ndjson", "parquet", "sqlite"] {
        let path = folder.path().join(format!("all.{form}"));
        let output = export(source, &path, &[]);
        assert!(output.status.success(), "{form}: {}", said(&output));
        assert!(said(&output).contains(&format!("{} activities", wanted.len())), "{}", said(&output));
        assert_eq!(exported(&path), wanted, "{form} of {source}");
    }
    let left: Vec<PathBuf> =
        std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.path()).collect();
    assert_eq!(left.len(), 4, "nothing is left beside the files: {left:?}");
}

#[test]
fn a_csv_is_rfc_4180_and_no_formula() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("a.log");
    let messages =
        ["=HYPERLINK(\"http://evil\")", "+1", "-2+3", "@SUM(A1)", "\ttab", "two\nlines, \"quoted\"", "plain"];
    let line = |(n, message): (usize, &&str)| {
        format!(
            "{}\n",
            serde_json::json!({ "timestamp": format!("2026-11-20T10:00:0{n}Z"), "level": "INFO", "message": message, "service": "x" })
        )
    };
    std::fs::write(&log, messages.iter().enumerate().map(line).collect::<String>()).expect("written");
    let path = folder.path().join("a.csv");
    assert!(export(text(&log), &path, &[]).status.success());
    let bytes = std::fs::read(&path).expect("read");
    let whole = String::from_utf8(bytes).expect("UTF-8");
    assert_eq!(whole.matches("\r\n").count(), messages.len() + 1, "RFC 4180 ends lines with CRLF");
    assert!(!whole.replace("\r\n", "").contains('\n'));
    for row in csv::Reader::from_path(&path).expect("a file").records() {
        for cell in &row.expect("a row") {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        }
    }
    assert!(whole.contains("\"'=HYPERLINK(\"\"http://evil\"\")\""), "{whole}");
}

#[test]
fn payloads_go_along_without_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("a.log");
    let line = r#"{"timestamp":"2026-11-20T10:00:00Z","level":"INFO","message":"API Request Started","service":"halopsa-integration","requestId":"r-12345","method":"POST","url":"/x","headers":{"Authorization":"Bearer hunter2xx"},"body":{"order":88123,"password":"hunter2xx"}}"#;
    std::fs::write(&log, format!("{line}\n")).expect("written");
    for form in ["csv", "ndjson", "parquet", "sqlite"] {
        let path = folder.path().join(format!("a.{form}"));
        assert!(export(text(&log), &path, &["--payloads"]).status.success());
        let shown = match form {
            "sqlite" => {
                let whole = crosstail(&["show", "r-12345", "-s", text(&path), "-o", "json"]);
                String::from_utf8_lossy(&whole.stdout).into_owned()
            }
            "parquet" => {
                let reader = SerializedFileReader::new(std::fs::File::open(&path).expect("a file")).expect("Parquet");
                reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row").to_string()).collect()
            }
            _ => std::fs::read_to_string(&path).expect("read"),
        };
        assert!(
            shown.contains("88123") && shown.contains("REDACTED") && !shown.contains("hunter2xx"),
            "{form}: {shown}"
        );
    }
}

/// The bytes of a file, or of those in a folder.
fn bytes_of(path: &Path) -> u64 {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| bytes_of(&entry.path())).sum(),
        Err(_) => std::fs::metadata(path).map_or(0, |meta| meta.len()),
    }
}

/// Kills exports, each when it has written somewhat more than the one before, until one ends; gives how often.
fn kill_until_done(source: &[&str], path: &Path, whole: u64) -> usize {
    // What is unfinished is beside the file, in files and folders that begin with its name.
    let name = text(path.file_name().expect("a name").as_ref());
    let written = || -> u64 {
        let beside = std::fs::read_dir(path.parent().expect("a folder")).expect("a folder").flatten();
        beside.filter(|one| one.file_name().to_string_lossy().starts_with(name)).map(|one| bytes_of(&one.path())).sum()
    };
    for killed in 0..200 {
        let mut all = vec!["export", "--output", text(path)];
        all.extend(source);
        let mut child = Command::new(env!("CARGO_BIN_EXE_crosstail"))
            .args(&all)
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let before = written();
        wait_for("the export to go on", || {
            written() > before + whole * killed / 20 || child.try_wait().expect("asked").is_some()
        });
        if child.try_wait().expect("asked").is_some() {
            let output = child.wait_with_output().expect("ended");
            assert!(output.status.success(), "{}", said(&output));
            return killed as usize;
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        // What is not whole has not the name. Where it has it, it had ended just before, and is compared with the whole.
        if path.exists() {
            return killed as usize;
        }
    }
    panic!("it never ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_gone_on_with_it_is_the_same_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("store.sqlite");
    drop(random_database(&database, 11, 20_000).await);
    let second = folder.path().join("other.sqlite");
    drop(random_database(&second, 12, 5_000).await);
    let until = ["--until", "2027-01-01"];
    tokio::task::spawn_blocking(move || {
        let one = ["-s", text(&database), until[0], until[1]];
        let two = ["-s", text(&database), "-s", text(&second), until[0], until[1]];
        for (form, source) in [("csv", &one[..]), ("ndjson", &two[..]), ("parquet", &one[..]), ("sqlite", &one[..])] {
            let (straight, broken) =
                (folder.path().join(format!("straight.{form}")), folder.path().join(format!("broken.{form}")));
            let mut all = vec!["export", "--output", text(&straight)];
            all.extend(source);
            let output = crosstail(&all);
            assert!(output.status.success(), "{}", said(&output));
            let whole = std::fs::metadata(&straight).expect("a file").len();
            let killed = kill_until_done(source, &broken, whole);
            assert!(killed > 0, "{form}: it was never killed");
            assert!(
                std::fs::read(&straight).expect("read") == std::fs::read(&broken).expect("read"),
                "{form}: not the same after {killed} kills"
            );
            let ids = exported(&straight);
            let once: BTreeSet<&String> = ids.iter().collect();
            assert_eq!((ids.len(), once.len()), if source.len() > 4 { (25_000, 25_000) } else { (20_000, 20_000) });
        }
    })
    .await
    .expect("as it should");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_says_how_to_go_on_and_mistakes_are_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("store.sqlite");
    drop(random_database(&database, 5, 30_000).await);
    let path = folder.path().join("a.ndjson");
    let mut child = Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(["export", "-s", text(&database), "--output", text(&path)])
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let resume = folder.path().join("a.ndjson.resume");
    crate::support::wait_for("the first step", || resume.exists());
    let pid = rustix::process::Pid::from_raw(child.id() as i32).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("signalled");
    if child.wait().expect("ended").code() == Some(130) {
        let mut stderr = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().expect("a pipe"), &mut stderr).expect("read");
        assert!(stderr.contains("run the same command again to resume"), "{stderr}");
        let other = crosstail(&["export", "status:failed", "-s", text(&database), "--output", text(&path)]);
        assert_eq!(other.status.code(), Some(64));
        assert!(said(&other).contains("unfinished export of something else"), "{}", said(&other));
        let on = export(text(&database), &path, &[]);
        assert!(on.status.success() && said(&on).contains("resuming after"), "{}", said(&on));
    }
    assert_eq!(exported(&path).len(), 30_000);
    let again = export(text(&database), &path, &[]);
    assert_eq!(again.status.code(), Some(64));
    assert!(said(&again).contains("--force overwrites it"), "{}", said(&again));
    assert!(export(text(&database), &path, &["--force"]).status.success());
    let wrong = export(text(&database), &folder.path().join("a.xlsx"), &[]);
    assert_eq!(wrong.status.code(), Some(64));
    assert!(said(&wrong).contains("must be .csv, .ndjson, .parquet or .sqlite"), "{}", said(&wrong));
    let nowhere = export(text(&database), Path::new("/nonexistent/a.csv"), &[]);
    assert_eq!(nowhere.status.code(), Some(1));
    // What is kept: those of a filter, of a time, none at all.
    let failures = folder.path().join("failures.csv");
    let some = crosstail(&["export", "is:failure", "-s", text(&database), "--output", text(&failures)]);
    assert!(some.status.success());
    let wanted = lines(&crosstail(&["query", "is:failure", "-s", text(&database), "-o", "json", "--limit", "0"])).len();
    assert_eq!(exported(&failures).len(), wanted);
    let none = folder.path().join("none.parquet");
    let output = crosstail(&["export", "system:nobody", "-s", text(&database), "--output", text(&none)]);
    assert!(output.status.success() && said(&output).contains(" 0 activities"), "{}", said(&output));
    assert_eq!(exported(&none).len(), 0);
}

/// An export that goes on is another program: it asks for what comes after the last one that it has, however many have one time.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_goes_on_in_another_program() {
    for kind in [Kind::Postgres, Kind::Mysql, Kind::MongoReplica, Kind::Elasticsearch, Kind::Kafka] {
        let Some(server) = shared(kind).await else { return };
        let database = prepared(&server).await;
        write(&server, &database, 0, 300).await;
        if kind == Kind::Elasticsearch {
            refresh(&server, &database).await;
        }
        for newest_first in [false, true] {
            let query = PageQuery { newest_first, ..PageQuery::all(70) };
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let (_, source) = open(&[server.url(&database)]);
                let page = source.page(&query, after.as_ref(), &Job::default()).await.expect("a page");
                found.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let each: BTreeSet<String> = ids(&found).into_iter().collect();
            assert_eq!((each.len(), found.len()), (300, 300), "{kind:?}: C4.4: everything, and nothing twice");
        }
    }
}
