//! What a user hides in the records of a source, or in some of their fields.

use crate::support::random_database;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const RULES: &str = "[[source]]\nname = \"crm\"\nat = \"crm.log\"\n[[source]]\nname = \"shop\"\nat = \"shop.log\"\n\
    [[redaction.rule]]\nsource = \"cr*\"\nfields = [\"actor\", \"req.body.customer\"]\n\
    [[redaction.rule]]\npatterns = ['\\bK-(\\d{6})\\b']\n";

fn line(number: usize, actor: &str) -> String {
    format!(
        "{{\"timestamp\":\"2026-11-20T09:00:{number:02}Z\",\"level\":\"error\",\"message\":\"order of K-12345{number}\",\"requestId\":\"r-{number}\",\
         \"user\":\"{actor}\",\"req\":{{\"body\":{{\"customer\":{{\"name\":\"Ann Arbor\"}},\"sku\":\"A-1\"}}}}}}\n"
    )
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(["--config", "config.toml"])
        .args(arguments)
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder.join("state"))
        .output()
        .expect("run")
}

fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_rule_hides_fields_of_a_source_and_patterns_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("config.toml"), RULES).expect("written");
    std::fs::write(folder.join("crm.log"), line(1, "ann") + &line(2, "bob")).expect("written");
    std::fs::write(folder.join("shop.log"), line(3, "cid")).expect("written");
    let all = printed(
        folder,
        &["query", "-o", "json", "--columns", "request_id,actor,message,req.body.customer.name,req.body.sku,raw"],
    );
    let rows: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |id: &str| rows.iter().find(|row| row["request_id"] == id).unwrap_or_else(|| panic!("{id}: {all}"));
    assert_eq!((&of("r-1")["actor"], &of("r-3")["actor"]), (&"[REDACTED]".into(), &"cid".into()));
    assert_eq!(of("r-3")["req.body.customer.name"], "Ann Arbor", "the other source shows it");
    assert!(!of("r-1").to_string().contains("Ann Arbor") && !of("r-1")["raw"].to_string().contains("bob"), "{all}");
    assert_eq!(of("r-1")["req.body.sku"], "A-1", "the field beside it stays");
    assert!(!all.contains("K-12345") && all.contains("order of K-[REDACTED]"), "{all}");
    // Figures do not name it, and a filter cannot ask for it.
    let groups = printed(folder, &["stats", "-o", "json", "--by", "actor"]);
    assert!(!groups.contains("ann") && groups.contains("[REDACTED]") && groups.contains("cid"), "{groups}");
    for (filter, count) in
        [("actor:ann", "0\n"), ("actor:cid", "1\n"), ("NOT actor:ann", "3\n"), ("\"K-123451\"", "0\n"), ("sku", "0\n")]
    {
        assert_eq!(printed(folder, &["query", "--count", filter]), count, "{filter}");
    }
    assert_eq!(printed(folder, &["query", "--count", "req.body.customer.name:*ann* "]), "1\n");
    assert_eq!(printed(folder, &["query", "--count", "req.body.sku:A-1"]), "3\n");
    for arguments in [&["show", "r-1"][..], &["show", "r-1", "-o", "json"], &["failures"], &["patterns"]] {
        let shown = printed(folder, arguments);
        assert!(!shown.contains("Ann Arbor") && !shown.contains("K-12345"), "{arguments:?}: {shown}");
    }
    let why = printed(folder, &["redact", "--explain", "-s", "crm", "--limit", "1"]);
    assert!(why.contains("actor: hidden before"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_asked_nothing_that_a_rule_hides() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.sqlite");
    drop(random_database(&path, 5, 300).await);
    let plain = printed_over(folder.path(), "", &["stats", "-o", "json", "--by", "system"]);
    let mut groups = plain.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let system = groups.find_map(|group| group["system"].as_str().map(str::to_owned)).expect("a name");
    let rule = "[[redaction.rule]]\nfields = [\"system\"]\n";
    let hidden = printed_over(folder.path(), rule, &["stats", "-o", "json", "--by", "system"]);
    assert_eq!(hidden.lines().filter(|line| line.contains("\"[REDACTED]\"")).count(), 1, "{hidden}");
    assert!(!hidden.contains(&format!("\"{system}\"")), "{hidden}");
    let filter = format!("system:\"{system}\"");
    assert_ne!(printed_over(folder.path(), "", &["query", "--count", &filter]), "0\n");
    assert_eq!(printed_over(folder.path(), rule, &["query", "--count", &filter]), "0\n");
    let all = printed_over(folder.path(), rule, &["query", "--count"]);
    assert_eq!(printed_over(folder.path(), rule, &["query", "--count", &format!("NOT {filter}")]), all);
    assert_ne!(printed_over(folder.path(), rule, &["query", "--count", "system:*redacted*"]), "0\n");
}

fn printed_over(folder: &Path, rule: &str, arguments: &[&str]) -> String {
    std::fs::write(folder.join("config.toml"), rule).expect("written");
    printed(folder, &[arguments, &["-s", "shop.sqlite"]].concat())
}

/// What looks like a secret and is none, in a field of a source: shown there, and hidden elsewhere.
#[test]
fn a_rule_shows_values_of_a_field_of_a_source() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let rules = "[[source]]\nname = \"crm\"\nat = \"crm.log\"\n[[source]]\nname = \"shop\"\nat = \"shop.log\"\n\
        [[redaction.rule]]\nsource = \"cr*\"\nfields = [\"message\", \"req.body.token\"]\nallow = ['^cart-[0-9a-f]+$']\n";
    std::fs::write(folder.join("config.toml"), rules).expect("written");
    let line = |number: usize, name: &str| {
        format!(
            "{{\"timestamp\":\"2026-11-20T09:00:{number:02}Z\",\"level\":\"error\",\"message\":\"token=cart-{name} password=hunter2x\",\
             \"requestId\":\"r-{number}\",\"error\":\"token=cart-{name}ee\",\"req\":{{\"body\":{{\"token\":\"cart-{name}ff\"}}}}}}\n"
        )
    };
    std::fs::write(folder.join("crm.log"), line(1, "7f3a91c2")).expect("written");
    std::fs::write(folder.join("shop.log"), line(2, "9b2c44d0")).expect("written");
    for arguments in [
        &["query", "-o", "json", "--columns", "message,error,req.body.token"][..],
        &["export", "--payloads", "--output", "out.ndjson"],
    ] {
        let printed = printed(folder, arguments);
        let written = std::fs::read_to_string(folder.join("out.ndjson")).unwrap_or_default();
        let all = format!("{printed}{written}");
        assert!(all.contains("token=cart-7f3a91c2 ") && all.contains("cart-7f3a91c2ff"), "{arguments:?}: {all}");
        assert!(
            !all.contains("7f3a91c2ee") && !all.contains("9b2c44d0") && !all.contains("hunter2x"),
            "{arguments:?}: {all}"
        );
    }
}

#[test]
fn a_rule_that_is_wrong_is_said_with_its_number() {
    let folder = tempfile::tempdir().expect("a folder");
    for (rule, said) in [
        ("[[redaction.rule]]\nsource = \"crm\"\n", "[[redaction.rule]] 1: it names neither fields nor patterns"),
        ("[[redaction.rule]]\nfields = [\"actr\"]\n", "did you mean 'actor'?"),
        ("[[redaction.rule]]\nfields = [\"corr\"]\n", "records are found and joined by it"),
        ("[[redaction.rule]]\npatterns = [\"(\"]\n", "is no regular expression"),
        ("[[redaction.rule]]\npatterns = [\"a\"]\nallow = [\"b\"]\n", "shows by allow: write two rules"),
    ] {
        std::fs::write(folder.path().join("config.toml"), rule).expect("written");
        let output = run(folder.path(), &["query", "-s", "x.log"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(said), "{rule}: {text}");
    }
}
