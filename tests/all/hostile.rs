//! Hostile content: nothing that a log contains acts on the terminal, on screen or in a pipe.

use crate::pty::Terminal;
use crosstail_core::model::is_hostile;
use serde_json::json;

/// Escape sequences, C0, C1, bidi, zero-width, separators, wide and combining characters.
const HOSTILE: &[&str] = &[
    "\u{1b}[2J\u{1b}[H",
    "\u{1b}]0;owned\u{7}",
    "\u{1b}]52;c;ZXZpbA==\u{7}",
    "\u{9b}31m",
    "\u{90}q\u{9c}",
    "\r\nINJECTED",
    "\u{8}\u{8}\u{7f}",
    "\u{202e}evil\u{202c}",
    "\u{2066}x\u{2069}",
    "a\u{200b}b\u{200d}c\u{feff}",
    "\u{2028}\u{2029}",
    "漢字カナ",
    "👩‍👩‍👧‍👦👍🏽",
    "e\u{301}\u{302}\u{303}",
    "\u{e0041}\u{ad}",
    "\u{1b}P1;1|17/AA\u{1b}\\",
    "\u{1b}[?1049l\u{1b}[?25h\u{1b}c",
];

fn log() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = String::new();
    for (n, bad) in HOSTILE.iter().cycle().take(60).enumerate() {
        let record = json!({
            "timestamp": format!("2026-11-20T10:00:{:02}.000Z", n % 60), "level": "ERROR", "message": format!("m{bad}m"), "service": format!("s{bad}"),
            "system": format!("y{bad}y"), "method": format!("M{bad}"), "url": format!("https://h/{bad}/p"), "statusCode": 500, "requestId": format!("r{n}{bad}"),
            "correlationId": format!("c{bad}"), "error": format!("e{bad}e"), "errorType": format!("t{bad}"), "operation": format!("o{bad}"), "userId": format!("u{bad}"),
            "stack": format!("Error{bad}\n  at {bad}"), "headers": {format!("h{bad}"): format!("v{bad}")}, "body": {format!("k{bad}"): [bad]}, format!("x{bad}"): bad,
        });
        text.push_str(&format!("{record}\n"));
        text.push_str(&format!("2026-11-20 10:00:00 ERROR plain {}\n", bad.replace('\n', "")));
    }
    let name = format!("app{}.log", "\u{202e}\u{1b}[31m");
    std::fs::write(folder.path().join(name), text).expect("written");
    folder
}

/// What reached the terminal, less what the program itself writes: escape sequences of known form.
fn leftovers(bytes: &[u8]) -> Vec<char> {
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8 throughout");
    let own = regex::Regex::new(
        "\u{1b}\\[\\?(?:2026|1049|2004|25|1000|1002|1003|1004|1006|1015)[hl]|\u{1b}\\[2[23];2t|\u{1b}\\[>q|\u{1b}\\]2;crosstail(?:: [0-9]+ alerts?)?\u{7}|\u{1b}\\[[0-9;]*[mHKJCr]|\u{1b}\\]11;\\?\u{1b}\\\\|\u{1b}\\]52;c;[A-Za-z0-9+/=]*\u{7}|\r\n|\n",
    )
    .expect("a pattern");
    own.replace_all(&text, "").chars().filter(|c| is_hostile(*c)).collect()
}

#[test]
fn nothing_hostile_reaches_the_terminal() {
    let folder = log();
    let mut terminal = Terminal::start(&[&folder.path().display().to_string()], 120, 40);
    terminal.wait_for("connected");
    terminal.wait_for("120");
    terminal.keys("\r");
    terminal.wait_for("overview");
    for tab in ["2", "3", "4", "5", "6", "7"] {
        terminal.keys(tab);
        terminal.settle();
    }
    terminal.keys("yyyi\u{1b}");
    terminal.settle();
    terminal.keys("h");
    terminal.settle();
    terminal.keys("hs");
    terminal.settle();
    terminal.keys("s/");
    terminal.settle();
    terminal.keys("system:");
    terminal.settle();
    terminal.keys("\u{1b}");
    terminal.settle();
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    assert_eq!(leftovers(&terminal.bytes()), Vec::<char>::new());
    assert!(terminal.ever_showed("␛"), "escapes are shown as marks");
    assert!(!String::from_utf8_lossy(&terminal.bytes()).contains("\u{1b}]0;owned"));
}

#[test]
fn nothing_hostile_reaches_a_pipe() {
    let folder = log();
    let at = folder.path().display().to_string();
    for arguments in [
        vec!["query", "--limit", "0", "-s", &at, "-o", "text"],
        vec!["query", "--limit", "0", "-s", &at, "-o", "table"],
        vec!["query", "--limit", "0", "-s", &at, "-o", "csv"],
        vec!["query", "--limit", "0", "-s", &at, "-o", "json"],
        vec!["stats", "--by", "system,error", "-s", &at],
        vec!["stats", "--by", "system,error", "-s", &at, "-o", "json"],
        vec!["show", "r0", "-s", &at],
        vec!["show", "r0", "-s", &at, "-o", "json"],
        vec!["show", "r0", "-s", &at, "-o", "curl"],
        vec!["show", "nothing\u{1b}[31m", "-s", &at],
    ] {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_crosstail")).args(&arguments).output().expect("run");
        for stream in [&output.stdout, &output.stderr] {
            let text = String::from_utf8(stream.clone()).expect("UTF-8");
            let bad: Vec<char> = text.chars().filter(|c| is_hostile(*c) && *c != '\n' && *c != '\r').collect();
            assert!(bad.is_empty(), "{arguments:?}: {bad:?}");
        }
    }
    // The values survive in JSON.
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(["query", "--limit", "0", "-s", &at, "-o", "json"])
        .output()
        .expect("run");
    let values: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    assert!(HOSTILE.iter().all(|bad| values.iter().any(|v| v["message"] == json!(format!("m{bad}m")))));
}
