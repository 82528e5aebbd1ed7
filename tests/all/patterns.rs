//! `crosstail patterns`, as a person and as a program read it.

use crate::writing::said;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

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
