//! `crosstail failures`: groups of failures, what is new among them, and what is remembered.

use crate::writing::said;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

fn crosstail(folder: &Path, command: &str, arguments: &[&str]) -> Output {
    let mut all = vec![command, "-s", "app.log"];
    all.extend(arguments);
    let program = env!("CARGO_BIN_EXE_crosstail");
    let mut command = Command::new(program);
    command.args(all).current_dir(folder).env("HOME", folder).env_remove("XDG_STATE_HOME");
    command.output().expect("run")
}

/// The groups of the 20th of November.
fn groups(folder: &Path, more: &[&str]) -> Vec<Value> {
    let range = ["--since", "2026-11-20", "--until", "2026-11-20", "-o", "json"];
    let output = crosstail(folder, "failures", &[&range, more].concat());
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn line(at: &str, level: &str, system: &str, text: &str) -> String {
    format!("{{\"time\":\"2026-11-{at}:00Z\",\"level\":\"{level}\",\"service\":\"{system}\",\"msg\":\"{text}\"}}\n")
}

/// Before the 20th: one that goes on, one that was silent since, one that is long past. On it: these, and a new one.
fn old() -> String {
    [
        line("03T10:00", "error", "SAP", "order 1 refused"),
        line("15T10:00", "error", "Tally", "no ledger"),
        line("19T22:00", "error", "Zoho", "busy, try 7 again"),
    ]
    .concat()
}

fn of_the_day() -> String {
    let refused = (0..30).map(|n| line(&format!("20T13:{n:02}"), "error", "SAP", &format!("order {n} refused")));
    let rest = [
        line("20T13:10", "error", "Tally", "no ledger"),
        line("20T13:15", "error", "Zoho", "busy, try 8 again"),
        line("20T13:20", "error", "auth", "login failed password=hunter2-and-more"),
        line("20T13:30", "info", "SAP", "order 99 sent"),
    ];
    refused.chain(rest).collect()
}

#[test]
fn failures_are_grouped_and_what_is_new_stands_first() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("app.log"), old() + &of_the_day()).expect("written");
    let found = groups(folder.path(), &[]);
    let of = |name: &str| -> Vec<Value> { found.iter().map(|line| line[name].clone()).collect() };
    assert_eq!(of("state"), ["new", "new", "back_again", "ongoing"], "{found:#?}");
    assert_eq!(of("system"), ["SAP", "auth", "Tally", "Zoho"]);
    assert_eq!(of("count"), [30, 1, 1, 1]);
    assert_eq!(of("pattern")[0], "order <*> refused");
    assert_eq!(of("since")[0], "2026-11-20T13:00:00.000Z");
    assert_eq!(of("before")[2], "2026-11-15T10:00:00.000Z");
    assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    // The filter of a group finds its failures, the example is one of them.
    for group in &found {
        let filter = group["filter"].as_str().expect("a filter");
        let day = ["--since", "2026-11-20", "--until", "2026-11-20", "-o", "json", "-n", "0"];
        let output = crosstail(folder.path(), "query", &[&[filter][..], &day].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text.lines().count() as u64, group["count"].as_u64().expect("a number"), "{filter}: {text}");
        assert!(text.contains(group["example"].as_str().expect("an id")), "{filter}: {text}");
    }
    // Under a filter, the state is the same: what happened before does not depend on it.
    let some = groups(folder.path(), &["system:Zoho"]);
    assert_eq!((some.len(), &some[0]["state"]), (1, &Value::from("ongoing")));
}

#[test]
fn days_before_are_read_once_and_kept_for_the_user_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("app.log");
    std::fs::write(&log, old() + &of_the_day()).expect("written");
    let first = groups(folder.path(), &[]);
    let state = folder.path().join(".local/state/crosstail");
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&state), mode(&state.join("memory.sqlite"))), (0o700, 0o600));
    let kept = std::fs::read(state.join("memory.sqlite")).expect("read");
    assert!(!kept.windows(7).any(|some| some == b"hunter2"), "no secret is remembered");
    // What is gone from the source is remembered.
    std::fs::write(&log, of_the_day()).expect("written");
    let states = |groups: &[Value]| groups.iter().map(|group| group["state"].clone()).collect::<Vec<_>>();
    assert_eq!(states(&groups(folder.path(), &[])), states(&first));
    // Of another source, nothing is.
    std::fs::create_dir(folder.path().join("b")).expect("made");
    std::fs::copy(&log, folder.path().join("b/app.log")).expect("copied");
    let range = ["failures", "-s", "b/app.log", "--since", "2026-11-20", "--until", "2026-11-20", "-o", "csv"];
    let program = env!("CARGO_BIN_EXE_crosstail");
    let other = Command::new(program).args(range).current_dir(folder.path()).env("HOME", folder.path()).output();
    let text = String::from_utf8_lossy(&other.expect("run").stdout).into_owned();
    // It begins on that day: what occurs in its first half is no news.
    let states = (text.matches(",new,").count(), text.matches(",ongoing,").count());
    assert!(text.starts_with("id,state,system,") && states == (2, 2), "{text}");
}

/// A store of three hours: what has failed all the time is not new, and what has begun lately is. With a start of the range or
/// without one, the answer is the same; so it is for what was silent for three weeks.
#[test]
fn the_states_do_not_depend_on_how_the_range_is_written() {
    let states = |folder: &Path, more: &[&str]| {
        let output = crosstail(folder, "failures", &[&["--until", "2026-11-20", "-o", "json"], more].concat());
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut all: Vec<(String, String)> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
            .map(|one| {
                [&one["system"], &one["state"]].map(|value| value.as_str().unwrap_or_default().to_owned()).into()
            })
            .collect();
        all.sort();
        (all, said(&output))
    };
    let pair = |system: &str, state: &str| (system.to_owned(), state.to_owned());
    let folder = tempfile::tempdir().expect("a folder");
    let all_the_time = (0..18).map(|n| line(&format!("20T1{}:{}0", n / 6, n % 6), "error", "SAP", "order 1 refused"));
    let lately = (0..9).map(|n| line(&format!("20T12:5{n}"), "error", "auth", "no such tenant"));
    let text = all_the_time.chain(lately).collect::<String>();
    std::fs::write(folder.path().join("app.log"), text).expect("written");
    for range in [&[][..], &["--since", "2026-11-20"], &["--since", "2026-11-10"]] {
        let (found, said) = states(folder.path(), range);
        assert_eq!(found, [pair("SAP", "ongoing"), pair("auth", "new")], "{range:?}: {said}");
        assert!(said.contains("the store begins 2026-11-20"), "{range:?}: {said}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let text = [
        line("01T10:00", "info", "SAP", "hello"),
        line("01T10:00", "error", "SAP", "order 1 refused"),
        line("20T13:00", "error", "SAP", "order 1 refused"),
    ];
    std::fs::write(folder.path().join("app.log"), text.concat()).expect("written");
    for range in [&[][..], &["--since", "2026-11-20"]] {
        assert_eq!(states(folder.path(), range).0, [pair("SAP", "new")], "{range:?}");
    }
}

#[test]
fn a_person_reads_a_table_and_a_folder_that_cannot_be_written_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("app.log"), old() + &of_the_day()).expect("written");
    // What stands where the folder would be.
    std::fs::create_dir(folder.path().join(".local")).expect("made");
    std::fs::write(folder.path().join(".local/state"), "").expect("written");
    let output = crosstail(folder.path(), "failures", &["--since", "2026-11-20", "--until", "2026-11-20", "-n", "2"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!((rows.len(), output.status.code()), (3, Some(0)), "{text} {}", said(&output));
    assert!(rows[0].starts_with("state  count  system"), "{text}");
    assert!(rows[1].starts_with("new    30     SAP") && rows[1].ends_with("order <*> refused"), "{text}");
    assert!(
        said(&output).contains("2 more groups") && said(&output).contains("nothing is remembered"),
        "{}",
        said(&output)
    );
}

/// A rule asks for the two weeks before; that it found nothing there does not make all of a young store new.
#[test]
fn what_a_rule_has_asked_for_makes_nothing_new() {
    let folder = tempfile::tempdir().expect("a folder");
    let all_the_time = (0..18).map(|n| line(&format!("20T1{}:{}0", n / 6, n % 6), "error", "SAP", "order 1 refused"));
    let lately = (0..9).map(|n| line(&format!("20T12:5{n}"), "error", "auth", "no such tenant"));
    std::fs::write(folder.path().join("app.log"), all_the_time.chain(lately).collect::<String>()).expect("written");
    let rules = folder.path().join(".config/crosstail/rules");
    std::fs::create_dir_all(&rules).expect("a folder");
    let rule = "name = \"New\"\nseverity = \"warning\"\nwhen = \">= 1\"\nwindow = \"1h\"\n[activities]\nmeasure = \"new_group\"\n";
    std::fs::write(rules.join("new.toml"), rule).expect("written");
    let output = crosstail(folder.path(), "watch", &["--backtest", "3h", "--until", "2026-11-20T13:00", "--dry-run"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let reasons: Vec<&Value> = told
        .iter()
        .filter(|one| one["rule"] == "New" && one["turn"] == "firing")
        .flat_map(|one| one["alerts"].as_array().expect("alerts"))
        .map(|alert| &alert["reason"])
        .collect();
    assert_eq!(reasons, ["auth error line: no such tenant: 1 in 1 h, not in the 2 hours before"]);
    let found = groups(folder.path(), &[]);
    let of = |name: &str| -> Vec<Value> { found.iter().map(|one| one[name].clone()).collect() };
    assert_eq!(of("system"), ["auth", "SAP"]);
    assert_eq!(of("state"), ["new", "ongoing"]);
    assert_eq!(found[0]["known_from"], "2026-11-20T10:00:00.000Z");
}

/// Two functions of the application throw the same error: two groups. The line, and the frames of libraries, make none.
#[test]
fn what_two_functions_throw_is_two_groups() {
    let folder = tempfile::tempdir().expect("a folder");
    let thrown = |minute: usize, function: &str, file: &str| {
        let stack = format!(
            "Error: Internal error\\n    at Agent.send (/app/node_modules/http/agent{minute}.js:7:1)\\n    at {function} (/app/src/{file}:{minute}:9)"
        );
        let at = format!("2026-11-20T10:{minute:02}:00Z");
        format!(
            "{{\"time\":\"{at}\",\"level\":\"error\",\"service\":\"shop\",\"msg\":\"it failed\",\"err\":{{\"message\":\"Internal error\",\"stack\":\"{stack}\"}}}}\n"
        )
    };
    let text: String = (0..20)
        .map(|n| if n % 2 == 0 { thrown(n, "saveOrder", "orders.ts") } else { thrown(n, "loadStock", "stock.ts") })
        .collect();
    std::fs::write(folder.path().join("app.log"), text).expect("written");
    let found = groups(folder.path(), &[]);
    let mut told: Vec<(u64, &str)> =
        found.iter().map(|one| (one["count"].as_u64().unwrap_or(0), one["error_at"].as_str().unwrap_or("-"))).collect();
    told.sort_unstable();
    assert_eq!(told, [(10, "loadStock (/app/src/stock.ts)"), (10, "saveOrder (/app/src/orders.ts)")], "{found:#?}");
    for group in &found {
        let filter = group["filter"].as_str().expect("a filter");
        let output = crosstail(
            folder.path(),
            "query",
            &[filter, "--since", "2026-11-20", "--until", "2026-11-20", "-o", "json"],
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 10, "{filter}");
    }
}

/// What is new fires once, and so does what is back again; what goes on does not. The filter of the alert opens the failures.
#[test]
fn a_backtest_tells_each_group_that_is_new_or_back_again_once() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("app.log"), old() + &of_the_day()).expect("written");
    let rules = folder.path().join(".config/crosstail/rules");
    std::fs::create_dir_all(&rules).expect("a folder");
    for (name, measure, when) in [("New", "new_group", ">= 2"), ("Back", "back_again", ">= 1")] {
        let rule = format!(
            "name = \"{name}\"\nseverity = \"warning\"\nwhen = \"{when}\"\nwindow = \"1h\"\n[activities]\nmeasure = \"{measure}\"\n"
        );
        std::fs::write(rules.join(format!("{measure}.toml")), rule).expect("written");
    }
    let output = crosstail(folder.path(), "watch", &["--backtest", "6h", "--until", "2026-11-20T16:00", "--dry-run"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<(&str, &str, &str)> = all
        .iter()
        .filter(|one| one["rule"] == "New" || one["rule"] == "Back")
        .flat_map(|one| one["alerts"].as_array().expect("alerts").iter().map(move |alert| (one, alert)))
        .map(|(one, alert)| {
            let of = |value: &'static str| one[value].as_str().expect("text");
            (of("rule"), of("turn"), alert["reason"].as_str().expect("a reason"))
        })
        .collect();
    let firing: Vec<_> =
        told.iter().filter(|(_, turn, _)| *turn == "firing").map(|(rule, _, why)| (*rule, *why)).collect();
    let expected = [
        ("New", "SAP error line: order <*> refused: 2 in 1 h, not in the 14 days before"),
        ("Back", "Tally error line: no ledger: 1 in 1 h, after 5 days of silence"),
    ];
    assert_eq!(firing, expected, "{told:#?}");
    let resolved = told.iter().filter(|(_, turn, _)| *turn == "resolved").count();
    assert_eq!(resolved, 2, "both are silent by then: {told:#?}");
    let filter = all.iter().find(|one| one["rule"] == "New").expect("told")["alerts"][0]["filter"].clone();
    let output =
        crosstail(folder.path(), "query", &[filter.as_str().expect("a filter"), "--since", "2026-11-20", "-o", "json"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 30, "{filter}");
}
