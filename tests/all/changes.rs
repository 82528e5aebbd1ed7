//! `crosstail changes` and `crosstail mark`: when figures changed, and what was marked near it.

use crate::writing::said;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

fn crosstail(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosstail"));
    command.args(arguments).current_dir(folder).env("HOME", folder).env_remove("XDG_STATE_HOME");
    command.output().expect("run")
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", said(output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Four hours of calls, one in four seconds: SAP fails from 12:00 on; Zoho does not change.
fn log(folder: &Path) {
    let mut rng = fastrand::Rng::with_seed(4);
    let line = |n: i64| {
        let at = chrono::DateTime::from_timestamp(1_795_168_800 + n * 4, 0).expect("a time").to_rfc3339();
        let system = if rng.bool() { "SAP" } else { "Zoho" };
        let fails = rng.f64() < if system == "SAP" && n >= 1800 { 0.5 } else { 0.03 };
        let (status, http) = if fails { ("failed", 503) } else { ("success", 200) };
        let took = 100 + rng.u32(0..50);
        format!(
            "{{\"time\":\"{at}\",\"service\":\"{system}\",\"method\":\"POST\",\"url\":\"https://a.example/po\",\"status\":\"{status}\",\"http_status\":{http},\"duration_ms\":{took},\"msg\":\"called\"}}\n"
        )
    };
    let text: String = (0..3600).map(line).collect();
    std::fs::write(folder.join("app.log"), text).expect("written");
}

#[test]
fn a_change_is_told_with_the_deploy_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    log(folder.path());
    let marked = crosstail(folder.path(), &["mark", "--at", "2026-11-20T11:58:30", "deployed", "1.4.3"]);
    assert!(marked.status.success() && marked.stdout.is_empty(), "{}", said(&marked));
    let marked = crosstail(folder.path(), &["mark", "--at", "2026-11-20T10:30:00", "deployed 1.4.2"]);
    assert!(marked.status.success(), "{}", said(&marked));
    let range = ["--since", "2026-11-20T10:00", "--until", "2026-11-20T14:00"];
    let asked = |more: &[&str]| crosstail(folder.path(), &[&["changes", "-s", "app.log"], &range[..], more].concat());
    let found = lines(&asked(&["-o", "json"]));
    assert_eq!(found.len(), 1, "{found:#?}");
    let change = &found[0];
    assert_eq!((&change["system"], &change["measure"]), (&Value::from("SAP"), &Value::from("failure_share")));
    assert_eq!((&change["marker"], &change["within_s"]), (&Value::from("deployed 1.4.3"), &Value::from(30)));
    let at = change["at"].as_str().expect("a time");
    assert!(at.starts_with("2026-11-20T11:5") || at.starts_with("2026-11-20T12:0"), "{at}");
    assert!(change["before"].as_f64().expect("a number") < 0.06, "{change}");
    assert!((0.4..0.6).contains(&change["after"].as_f64().expect("a number")), "{change}");
    // Without a range, and in a longer one, the same is found: that all traffic begins and ends is told once, and is no change.
    for range in [&[][..], &["--since", "2026-11-20T03:00", "--until", "2026-11-20T20:00"]] {
        let output = crosstail(folder.path(), &[&["changes", "-s", "app.log", "-o", "json"], range].concat());
        let whole = lines(&output);
        assert_eq!(whole.len(), 1, "{whole:#?}");
        assert_eq!((&whole[0]["measure"], &whole[0]["system"]), (&"failure_share".into(), &"SAP".into()), "{whole:#?}");
        assert!(said(&output).contains("no activities after 2026-11-20"), "{}", said(&output));
        assert_eq!(said(&output).contains("no activities before 2026-11-20"), !range.is_empty(), "{}", said(&output));
    }
    // By endpoint, it is that of the endpoint.
    let found = lines(&asked(&["--by", "system,endpoint", "-o", "json"]));
    assert_eq!((found.len(), &found[0]["endpoint"]), (1, &Value::from("/po")), "{found:#?}");
    let wrong = asked(&["--by", "id"]);
    assert_eq!(wrong.status.code(), Some(64), "{}", said(&wrong));
    // Nothing changed for Zoho.
    assert_eq!(lines(&asked(&["system:Zoho", "-o", "json"])).len(), 0);
    let text = String::from_utf8_lossy(&asked(&[]).stdout).into_owned();
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows.len() == 2 && rows[1].contains("failures") && rows[1].ends_with("deployed 1.4.3"), "{text}");
}

/// A day of calls of eight endpoints, one in six seconds: half an hour before its end all of SAP is away for twelve minutes, and 22
/// seconds after the deploy, fourteen minutes before its end, one endpoint breaks.
#[test]
fn a_deploy_that_breaks_one_endpoint_is_told_among_the_systems_of_a_day() {
    const END: i64 = 1_795_219_200;
    let folder = tempfile::tempdir().expect("a folder");
    let deploy = END - 14 * 60;
    let mut rng = fastrand::Rng::with_seed(3);
    let line = |n: i64| {
        let second = END - 86_400 + n * 6;
        let at = chrono::DateTime::from_timestamp(second, 0).expect("a time").to_rfc3339();
        let endpoint = rng.usize(0..8);
        let is_away = (END - 1800..END - 1080).contains(&second) && endpoint > 0;
        let share = if endpoint == 0 && second >= deploy + 22 { 0.95 } else { 0.02 };
        let fails = rng.f64() < if is_away { 0.85 } else { share };
        let (status, http) = if fails { ("failed", 503) } else { ("success", 200) };
        format!(
            "{{\"time\":\"{at}\",\"service\":\"SAP\",\"method\":\"POST\",\"url\":\"https://a.example/e{endpoint}\",\"status\":\"{status}\",\"http_status\":{http},\"msg\":\"called\"}}\n"
        )
    };
    let text: String = (0..14_400).map(line).collect();
    std::fs::write(folder.path().join("app.log"), text).expect("written");
    let moment = |second: i64| chrono::DateTime::from_timestamp(second, 0).expect("a time").to_rfc3339();
    let (since, until, marked) = (moment(END - 86_400), moment(END), moment(deploy));
    let asked = |more: &[&str]| {
        let range = ["changes", "-s", "app.log", "--since", &since, "--until", &until];
        crosstail(folder.path(), &[&range, more].concat())
    };
    // Without the marker, what the deploy has done is lost among the buckets of a day.
    let of_e0 =
        |found: &[Value]| -> Vec<Value> { found.iter().filter(|one| one["endpoint"] == "/e0").cloned().collect() };
    assert_eq!(of_e0(&lines(&asked(&["-o", "json"]))), [Value::Null; 0]);
    assert!(crosstail(folder.path(), &["mark", "--at", &marked, "deployed 1.4.3"]).status.success());
    let found = lines(&asked(&["-o", "json"]));
    let told = of_e0(&found);
    assert_eq!(told.len(), 1, "{found:#?}");
    assert_eq!((&told[0]["system"], &told[0]["measure"]), (&"SAP".into(), &"failure_share".into()));
    assert_eq!((&told[0]["marker"], &told[0]["found_at_marker"]), (&"deployed 1.4.3".into(), &true.into()));
    let at = chrono::DateTime::parse_from_rfc3339(told[0]["at"].as_str().expect("a time")).expect("a time").timestamp();
    assert!((0..=120).contains(&(at - deploy)), "{} s after the deploy", at - deploy);
    assert!(told[0]["within_s"].as_i64() <= Some(15) && told[0]["after"].as_f64() > Some(0.8), "{told:?}");
    let text = String::from_utf8_lossy(&asked(&[]).stdout).into_owned();
    assert!(text.lines().any(|row| row.contains(" /e0 ") && row.ends_with("deployed 1.4.3")), "{text}");
    // By operation or whatever else, as asked.
    assert!(asked(&["--by", "kind", "-o", "csv"]).status.success());
}

#[test]
fn what_is_marked_is_listed_and_kept_for_the_user_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    for text in ["deployed 1.4.3", "token=abcdefghijklmnop rotated\u{1b}[31m"] {
        assert!(crosstail(folder.path(), &["mark", "--at", "2026-11-20T12:00:00", text]).status.success());
    }
    let path = folder.path().join(".local/state/crosstail/markers.ndjson");
    assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    let listed = crosstail(folder.path(), &["mark"]);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(text.contains("2026-11-20T12:00:00.000Z  deployed 1.4.3"), "{text}");
    assert!(text.contains("rotated") && !text.contains("abcdefghijklmnop") && !text.contains('\u{1b}'), "{text}");
    // What is rather meant as a command marks nothing.
    let list = crosstail(folder.path(), &["mark", "list"]);
    assert!(
        list.status.code() == Some(64) && said(&list).contains("crosstail mark lists what was marked"),
        "{}",
        said(&list)
    );
    assert_eq!(crosstail(folder.path(), &["mark"]).stdout, listed.stdout);
    let wrong = crosstail(folder.path(), &["mark", "--at", "12:00"]);
    assert_eq!(wrong.status.code(), Some(64), "{}", said(&wrong));
}

/// A file, a filter and the tags of a repository each name the deploy before the change.
#[test]
fn markers_come_from_where_the_configuration_says() {
    let folder = tempfile::tempdir().expect("a folder");
    log(folder.path());
    let path = folder.path().join("app.log");
    let event = "{\"time\":\"2026-11-20T11:58:20Z\",\"service\":\"deploys\",\"msg\":\"deployed 1.4.4\"}\n";
    std::fs::write(&path, std::fs::read_to_string(&path).expect("read") + event).expect("written");
    std::fs::write(folder.path().join("deploys.csv"), "time,version\n2026-11-20T11:58:10Z,1.4.3\n").expect("written");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-C", "shop", "-c", "user.name=ann", "-c", "user.email=ann@example.com"]).args(arguments);
        command.current_dir(folder.path()).env("HOME", folder.path()).env("GIT_COMMITTER_DATE", "2026-11-20T11:58:00Z");
        let output = command.output().expect("git runs");
        assert!(output.status.success(), "{}", said(&output));
    };
    std::fs::create_dir(folder.path().join("shop")).expect("a folder");
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "first"]);
    git(&["tag", "v1.4.5"]);
    let config = folder.path().join(".config/crosstail");
    std::fs::create_dir_all(&config).expect("a folder");
    let range =
        ["changes", "-s", "app.log", "--since", "2026-11-20T10:00", "--until", "2026-11-20T14:00", "-o", "json"];
    for (entry, expected) in [
        ("file = \"deploys.csv\"", "1.4.3"),
        ("filter = \"system:deploys\"", "deployed 1.4.4"),
        ("git = \"shop\"", "v1.4.5"),
    ] {
        std::fs::write(config.join("config.toml"), format!("[[markers]]\nname = \"deploys\"\n{entry}\n"))
            .expect("written");
        let found = lines(&crosstail(folder.path(), &range));
        let of_sap = found.iter().find(|change| change["system"] == "SAP" && change["measure"] == "failure_share");
        assert_eq!(of_sap.expect("the change")["marker"], expected, "{found:#?}");
        let checked = crosstail(folder.path(), &["config", "check"]);
        assert!(checked.status.success(), "{entry}: {}", said(&checked));
    }
    // What is wrong is said, and the changes are told all the same.
    std::fs::write(config.join("config.toml"), "[[markers]]\nname = \"deploys\"\ngit = \"nowhere\"\n")
        .expect("written");
    let output = crosstail(folder.path(), &range);
    assert!(said(&output).contains("markers deploys: git for-each-ref in nowhere"), "{}", said(&output));
    assert!(!lines(&output).is_empty());
    std::fs::write(config.join("config.toml"), "[[markers]]\nname = \"deploys\"\n").expect("written");
    let checked = crosstail(folder.path(), &["config", "check"]);
    assert!(
        !checked.status.success() && said(&checked).contains("name one of file, filter and git"),
        "{}",
        said(&checked)
    );
}

/// What the failures of a change have more often, and what they say and send, is told by one command.
#[test]
fn what_was_after_a_moment_is_compared_with_what_was_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |n: i64| {
        let at = chrono::DateTime::from_timestamp(1_795_168_800 + n * 4, 0).expect("a time").to_rfc3339();
        let (late, mine) = (n >= 1800, n % 2 == 0);
        let (tenant, message) = match (mine, late) {
            (true, true) => ("acme", format!("order {n} rejected by SAP")),
            (true, false) => ("initech", "called".to_owned()),
            (false, _) => ("globex", "called".to_owned()),
        };
        let (status, http) = if mine && late { ("failed", 503) } else { ("success", 200) };
        format!(
            "{{\"time\":\"{at}\",\"service\":\"SAP\",\"method\":\"POST\",\"url\":\"https://a.example/po\",\"status\":\"{status}\",\"http_status\":{http},\"duration_ms\":80,\"tenant\":\"{tenant}\",\"plant\":\"{tenant}\",\"msg\":\"{message}\"}}\n"
        )
    };
    std::fs::write(folder.path().join("app.log"), (0..3600).map(line).collect::<String>()).expect("written");
    let compare =
        |more: &[&str]| crosstail(folder.path(), &[&["compare", "-s", "app.log", "-o", "json"], more].concat());
    let told = |found: &Value| -> Vec<(String, f64, f64)> {
        let differences = found["differences"].as_array().expect("a list");
        let share = |one: &Value, name: &str| (one[name].as_f64().expect("a number") * 10.0).round() / 10.0;
        let each = differences.iter().map(|one| {
            (one["filter"].as_str().expect("a filter").to_owned(), share(one, "of_these"), share(one, "of_others"))
        });
        each.collect()
    };
    let found = lines(&compare(&["--at", "2026-11-20T12:00", "--around", "2h"]));
    let (these, others) = (&found[0]["these"], &found[0]["others"]);
    assert_eq!((&these["count"], &others["count"]), (&Value::from(1800), &Value::from(1800)), "{found:#?}");
    assert_eq!((&these["failed"], &others["failed"]), (&Value::from(900), &Value::from(0)));
    let all = told(&found[0]);
    for clause in ["http:503", "pattern:\"order <*> rejected by SAP\""] {
        assert!(all.contains(&(clause.to_owned(), 0.5, 0.0)), "{clause}: {all:#?}");
    }
    let of =
        |clause: &str| all.iter().find(|(told, ..)| told == clause).unwrap_or_else(|| panic!("{clause}: {all:#?}"));
    // Of the sample of payloads, about half.
    assert!(of("meta.plant:acme").1 > 0.3 && of("meta.plant:initech").1 == 0.0, "{all:#?}");
    // A tenant is a field of the activity.
    assert!(all.contains(&("org:acme".to_owned(), 0.5, 0.0)), "{all:#?}");
    assert!(!all.iter().any(|(clause, ..)| clause == "system:SAP" || clause == "method:POST"), "{all:#?}");
    // The same by two filters, by a filter with a time of its own, and by the time before.
    let range = ["--since", "2026-11-20T12:00", "--until", "2026-11-20T14:00"];
    let times = "time:2026-11-20T10:00..2026-11-20T12:00";
    assert_eq!(lines(&compare(&[&range[..], &["--with", times]].concat()))[0]["differences"], found[0]["differences"]);
    assert_eq!(lines(&compare(&[&range[..], &["--previous"]].concat()))[0]["differences"], found[0]["differences"]);
    let by_status = told(&lines(&compare(&["status:failed", "--with", "status:success"]))[0]);
    assert!(by_status.contains(&("http:503".to_owned(), 1.0, 0.0)), "{by_status:#?}");
    let nothing = compare(&["status:failed"]);
    assert!(!nothing.status.success() && said(&nothing).contains("--with FILTER"), "{}", said(&nothing));
}
