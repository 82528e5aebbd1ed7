//! `journald:`.

use super::{World, messages, records};
use serde_json::{Value, json};

const JOURNAL: [(&str, &str); 1] = [("journalctl", "journalctl")];

fn entry(n: u64, unit: &str, message: &Value) -> String {
    let line = json!({
        "__CURSOR": format!("s=1f;i={n:x};b=$(touch owned)"), "__REALTIME_TIMESTAMP": (1_795_000_000_000_000 + n * 1_000_000).to_string(),
        "_BOOT_ID": format!("boot{}", n / 3), "PRIORITY": if n.is_multiple_of(2) { "3" } else { "6" }, "_SYSTEMD_UNIT": unit,
        "_PID": "12", "MESSAGE": message,
    });
    format!("{line}\n")
}

#[test]
fn entries_are_read_with_their_fields() {
    let world = World::new(&JOURNAL);
    // Several boots, and a text that is none.
    let bytes: Vec<u8> = b"caf\xe9 \x1b[1mbold".to_vec();
    for n in 0..6 {
        let message = if n == 4 { json!(bytes) } else { json!(format!("entry {n}")) };
        world.append("fake/journal", &entry(n, if n < 3 { "pay.service" } else { "ssh.service" }, &message));
    }
    let found = records(&world.run(&["query", "-s", "journald:", "-o", "json", "--sort", "time"]));
    let said = messages(&found);
    assert_eq!(said.len(), 6, "{found:#?}");
    assert!(said[4].starts_with("caf") && said[4].contains("bold"), "{said:?}");
    assert_eq!((found[2]["level"].as_str(), found[2]["system"].as_str()), (Some("error"), Some("pay.service")));
    assert_eq!(found[1]["started_at"], "2026-11-18T11:06:41.000Z");
    let of_unit = ["-s", "journald:ssh.service"];
    assert_eq!(world.query(&of_unit).len(), 3);
    // The same entry has the same id in every run, wherever reading begins.
    let again = records(&world.run(&["query", "-s", "journald:ssh.service", "-o", "json", "--sort", "time"]));
    assert_eq!(again[1]["id"], found[4]["id"]);
    let shown = world.run(&["show", found[4]["id"].as_str().expect("an id"), "-s", "journald:"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("bold"), "{shown:?}");
}

#[test]
fn following_goes_on_behind_the_cursor_when_journalctl_ends() {
    let world = World::new(&JOURNAL);
    world.append("fake/journal", &entry(0, "a.service", &json!("old")));
    let tail = world.tail(&["-s", "journald:"]);
    super::wait_for("following", || world.read("fake/calls").contains("--follow"));
    let mut expected = Vec::new();
    for n in 1..=40 {
        world.append("fake/journal", &entry(n, "a.service", &json!(format!("entry {n}"))));
        expected.push(format!("entry {n}"));
        if n % 20 == 5 {
            tail.wait_for(&["entry 1"]);
            world.cut();
        }
    }
    tail.wait_for(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let counts = tail.counts();
    assert!(!counts.contains_key("old") && counts.values().all(|count| *count == 1), "{counts:?}");
    assert!(world.read("fake/calls").contains("--after-cursor=s=1f;i="), "{}", world.read("fake/calls"));
    assert!(!world.path("owned").exists());
    tail.end();
}

#[test]
fn following_goes_on_by_time_where_the_last_entry_was_rotated_away() {
    let world = World::new(&JOURNAL);
    world.append("fake/journal", &entry(0, "a.service", &json!("old")));
    let tail = world.tail(&["-s", "journald:"]);
    super::wait_for("following", || world.read("fake/calls").contains("--follow"));
    world.append("fake/journal", &entry(1, "a.service", &json!("one")));
    tail.wait_for(&["one"]);
    // What was read last is gone, and an entry of its second is still there.
    world.write("fake/journal", "");
    let beside = entry(1, "a.service", &json!("beside it")).replace("i=1;", "i=1a;");
    world.append("fake/journal", &(beside + &entry(2, "a.service", &json!("two"))));
    world.cut();
    tail.wait_for(&["beside it", "two"]);
    tail.wait_until_said("it goes on by time");
    world.append("fake/journal", &entry(3, "a.service", &json!("three")));
    tail.wait_for(&["three"]);
    let counts = tail.counts();
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    tail.end();
}

#[test]
fn what_may_not_be_read_is_said() {
    let world = World::new(&JOURNAL);
    world.write("fake/refused", "");
    let output = world.run(&["query", "-s", "journald:"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("insufficient permissions"), "{said}");
    let world = World::new(&[]);
    let output = world.command(&["doctor", "-s", "docker:"]).env("PATH", world.path("bin")).output().expect("run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("no program docker"), "{output:?}");
}

#[test]
fn the_journal_is_followed_through_its_rotation() {
    let world = World::new(&JOURNAL);
    world.append("fake/journal", &entry(0, "a.service", &json!("old")));
    let tail = world.tail(&["-s", "journald:a.service"]);
    super::wait_for("following", || world.read("fake/calls").contains("--follow"));
    let mut expected = Vec::new();
    for n in 1..30 {
        let text = format!("entry {n}");
        world.append("fake/journal", &entry(n, "a.service", &json!(text)));
        expected.push(text);
        if n == 10 || n == 20 {
            tail.wait_for(&[&format!("entry {n}")]);
            // The first time the file before it is kept, the second time it is gone, and the reader is ended.
            std::fs::rename(world.path("fake/journal"), world.path("fake/journal@1")).expect("rotated");
        }
        if n == 20 {
            world.cut();
        }
    }
    tail.wait_for(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let counts = tail.counts();
    assert!(!counts.contains_key("old") && counts.values().all(|count| *count == 1), "{counts:?}");
    tail.end();
}

/// Both forms that `journalctl` writes are read as files and as what a command prints, and say the same.
#[test]
fn the_export_format_and_json_are_read_alike() {
    let world = World::new(&JOURNAL);
    for n in 0..4 {
        let message = match n {
            1 => json!("café"),
            2 => json!("two lines\nMESSAGE=of one entry\n\nAND=more"),
            // Its length has a byte that is no ASCII.
            3 => json!(format!("long\n{}", "x".repeat(195))),
            _ => json!(format!("entry {n}")),
        };
        world.append("fake/journal", &entry(n, "pay.service", &message));
    }
    let said = |form: &str| -> Vec<(String, String, String)> {
        let run = format!("journalctl --no-pager --output={form}");
        let mut program = std::process::Command::new(world.path("bin/journalctl"));
        program.args(["--no-pager", &format!("--output={form}")]).env("FAKE", world.path("fake"));
        std::fs::write(world.path(&format!("{form}.log")), program.output().expect("run").stdout).expect("written");
        let of_file = records(&world.run(&["query", "-o", "json", "--sort", "time", "-s", &format!("{form}.log")]));
        let of_command = records(&world.run(&["query", "-o", "json", "--sort", "time", "--run", &run]));
        let read = |found: &[Value]| -> Vec<(String, String, String)> {
            let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
            found.iter().map(|one| (text(one, "started_at"), text(one, "level"), text(one, "message"))).collect()
        };
        assert_eq!(read(&of_file), read(&of_command), "{form}");
        read(&of_file)
    };
    let json = said("json");
    assert_eq!(json.len(), 4, "{json:?}");
    assert!(json[2].2.starts_with("two lines"), "{json:?}");
    assert_eq!(said("export"), json);
}

/// A command of one's own goes on by `--since`, as `journalctl` takes it.
#[test]
fn a_command_goes_on_by_since() {
    let world = World::new(&JOURNAL);
    (0..3).for_each(|n| world.append("fake/journal", &entry(n, "a.service", &json!(format!("entry {n}")))));
    world.write(
        "config/crosstail/config.toml",
        "[[source]]\nname = \"gateway\"\ncommand = \"journalctl --no-pager --output=json --follow --no-tail ${CROSSTAIL_SINCE:+--since=@$(date -d \\\"$CROSSTAIL_SINCE\\\" +%s)}\"\nsince = [\"{time}\"]\n",
    );
    let tail = world.tail(&["-s", "cmd:gateway"]);
    tail.wait_for(&["entry 0", "entry 2"]);
    world.cut();
    world.append("fake/journal", &entry(3, "a.service", &json!("entry 3")));
    tail.wait_for(&["entry 3"]);
    super::wait_for("the second run", || world.read("fake/calls").contains("--since=@1795000002"));
    let counts = tail.counts();
    assert!(counts.len() == 4 && counts.values().all(|count| *count == 1), "{counts:?}");
    tail.end();
}
