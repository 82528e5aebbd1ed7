//! `crosstail patterns`, as a person and as a program read it.

use crate::habits::written;
use crate::support::{EPOCH, open};
use crate::writing::said;
use crosstail::runtime::{Sampling, Sources, Work};
use crosstail_core::model::{SourceId, Status};
use crosstail_record::{Outcome, PreparedRow, Start};
use crosstail_source::PageQuery;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

fn patterns(folder: &Path, arguments: &[&str]) -> Output {
    let mut all = vec!["patterns", "-s", "app.log"];
    all.extend(arguments);
    let program = env!("CARGO_BIN_EXE_crosstail");
    Command::new(program).args(all).current_dir(folder).env("HOME", folder).output().expect("run")
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", said(output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// A log of an hour: a line a minute about orders, one of ten of them a failure, and one failure with a secret.
fn log(folder: &Path) {
    let line = |minute: usize| {
        let at = format!("2026-11-20T10:{minute:02}:00Z");
        if minute.is_multiple_of(10) {
            format!("{at} ERROR order {minute} refused: customer 'c{minute}' is locked\n")
        } else {
            format!("{at} INFO order {minute} sent to sap.example.com in {minute}ms\n")
        }
    };
    let mut text: String = (0..60).map(line).collect();
    text.push_str("2026-11-20T11:00:00Z ERROR login failed password=hunter2-and-more\n");
    std::fs::write(folder.join("app.log"), text).expect("written");
}

#[test]
fn messages_are_grouped_by_what_they_have_in_common() {
    let folder = tempfile::tempdir().expect("a folder");
    log(folder.path());
    let found = lines(&patterns(folder.path(), &["-o", "json"]));
    let of = |name: &str| -> Vec<Value> { found.iter().map(|line| line[name].clone()).collect() };
    assert_eq!(of("pattern")[..2], ["order <*> sent to <*> in <*>", "order <*> refused: customer <*> is locked"]);
    assert_eq!(of("count"), [54, 6, 1]);
    assert_eq!(of("failed"), [0, 6, 1]);
    assert_eq!(of("first")[1], "2026-11-20T10:00:00.000Z");
    assert_eq!(of("last")[1], "2026-11-20T10:50:00.000Z");
    assert!(!of("pattern")[2].as_str().expect("a text").contains("hunter2"), "{found:?}");
    let trend = found[1]["trend"]["counts"].as_array().expect("counts");
    assert_eq!(trend.iter().filter_map(Value::as_u64).sum::<u64>(), 6);
    assert_eq!(trend.len(), 32);
    // The example is one of them.
    let example = found[1]["example"].as_str().expect("an id");
    let shown = Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(["show", example, "-s", "app.log"])
        .current_dir(folder.path())
        .output()
        .expect("run");
    assert!(String::from_utf8_lossy(&shown.stdout).contains("order 50 refused"), "{}", said(&shown));
    // Fewer lines, the same pattern: its id is the same.
    let few = lines(&patterns(folder.path(), &["-o", "json", "is:failure", "--until", "2026-11-20T10:15:00Z"]));
    assert_eq!(few[0]["id"], found[1]["id"]);
    assert_eq!(few[0]["count"], 2);
}

/// Where many words made a gap, an id would find none of it: none is printed, and the filter finds what is counted.
#[test]
fn a_printed_id_and_a_filter_find_what_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["ann", "bob", "cyrus", "dora", "emil", "fritz", "greta", "hans"];
    let mut text = String::new();
    for (minute, name) in names.iter().enumerate() {
        text.push_str(&format!("2026-11-20T10:0{minute}:00Z INFO session of {name} closed\n"));
        text.push_str(&format!("2026-11-20T10:0{minute}:30Z INFO order {minute} sent\n"));
        text.push_str(&format!("2026-11-20T10:0{minute}:40Z INFO event {minute} for {name} done\n"));
    }
    text.push_str("2026-11-20T10:09:00Z INFO event lost for ann done\n");
    std::fs::write(folder.path().join("app.log"), text).expect("written");
    let found = lines(&patterns(folder.path(), &["-o", "json"]));
    let ids: Vec<bool> = found.iter().map(|one| one["id"].is_string()).collect();
    assert!(ids.contains(&true) && ids.contains(&false), "{found:#?}");
    let count = |filter: &str| {
        let arguments = ["query", filter, "-s", "app.log", "-o", "json", "--limit", "0"];
        let program = env!("CARGO_BIN_EXE_crosstail");
        let output = Command::new(program).args(arguments).current_dir(folder.path()).output().expect("run");
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8_lossy(&output.stdout).lines().count() as u64
    };
    for one in &found {
        let expected = one["count"].as_u64().expect("a number");
        assert_eq!(count(one["filter"].as_str().expect("a filter")), expected, "{one:#}");
        if let Some(id) = one["id"].as_str() {
            assert_eq!(count(&format!("pattern:{id}")), expected, "{one:#}");
        }
    }
}

/// Of more than is read one by one, the older part is sampled where a store reads any time by itself. A file is read whole, once.
#[tokio::test(flavor = "multi_thread")]
async fn the_older_part_of_very_many_is_sampled() {
    const COUNT: i64 = 3200;
    let folder = tempfile::tempdir().expect("a folder");
    let at = |n: i64| EPOCH.plus_ms(n * 100);
    let row = |n: i64| {
        let start = Start {
            id: format!("{n:08x}-0000-4000-8000-000000000000"),
            system: "SAP".to_owned(),
            started_at: at(n),
            ..Start::default()
        };
        let outcome = Outcome {
            status: Some(Status::Failed),
            error: Some(format!("order {n} was refused")),
            ..Outcome::default()
        };
        PreparedRow::new(start, Some(outcome))
    };
    let (store, log) = (folder.path().join("store.sqlite"), folder.path().join("app.log"));
    written(&store, (0..COUNT).map(row).collect()).await;
    let line = |n: i64| format!("{} ERROR order {n} was refused\n", at(n).rfc3339());
    std::fs::write(&log, (0..COUNT).map(line).collect::<String>()).expect("written");
    // 2,000 one by one, and 10 of each of 50 slices of the 1,200 before.
    let sampling = Sampling { exact: 2000, slices: 50, of_slice: 10 };
    for (path, counted, is_sampled) in [(&store, 2500, true), (&log, 3200, false)] {
        let (names, source) = open(&[path.display().to_string()]);
        let sources: Sources = Arc::from([(SourceId(0), source)]);
        let query = PageQuery::all(0);
        let found = crosstail::runtime::patterns(&sources, &Work::command("test"), &names, query, sampling, None)
            .await
            .expect("read");
        assert_eq!(found.patterns.len(), 1, "{:?}", found.patterns);
        assert_eq!(found.patterns[0].tally.count, counted, "{}", path.display());
        assert_eq!(found.sampled.map(|sampled| sampled.read), is_sampled.then_some(500), "{}", path.display());
    }
}

#[test]
fn a_person_reads_a_table_and_is_told_what_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    log(folder.path());
    let output = patterns(folder.path(), &["-n", "2"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 3, "{text}");
    assert!(rows[0].starts_with("count  share   failed  first"), "{text}");
    assert!(rows[1].starts_with("54     88.5 %  –") && rows[1].ends_with("order <*> sent to <*> in <*>"), "{text}");
    assert!(rows[1].contains('█') && rows[2].contains("2026-11-20 10:50:00"), "{text}");
    assert!(said(&output).contains("1 more patterns; --limit 0 prints all"), "{}", said(&output));
    let output = patterns(folder.path(), &["sytem:SAP"]);
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
}
