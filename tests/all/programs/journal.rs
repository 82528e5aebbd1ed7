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
