//! Objectives: what `health` says of them, which alerts their rules raise, and what `config check` finds wrong.

use crate::writing::said;
use crosstail_core::model::Clock;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn crosstail(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosstail"));
    command.args(arguments).current_dir(folder).env("HOME", folder).env_remove("XDG_STATE_HOME");
    command.output().expect("run")
}

fn configure(folder: &Path, target: &str) {
    let config = folder.join(".config/crosstail");
    std::fs::create_dir_all(&config).expect("a folder");
    let text = format!(
        "[[objective]]\nname = \"orders\"\nfilter = \"system:SAP\"\ngood = \"status:success\"\ntarget = \"{target}\"\nwindow = \"7d\"\n"
    );
    std::fs::write(config.join("config.toml"), text).expect("written");
}

/// Three hours of calls up to now, one in four seconds: of SAP, every second one fails in the last half hour. How many
/// calls of SAP there are, and how many of them fail.
fn log(folder: &Path) -> (u64, u64) {
    let now = Clock::system().now();
    let (mut calls, mut failed, mut text) = (0, 0, String::new());
    for n in 0..2700 {
        let ago_s = (2700 - n) * 4;
        let at = now.plus_us(-ago_s * 1_000_000).rfc3339();
        let (system, fails) = if n % 3 == 0 { ("Zoho", true) } else { ("SAP", ago_s <= 1800 && n % 2 == 0) };
        if system == "SAP" {
            calls += 1;
            failed += u64::from(fails);
        }
        let (status, http) = if fails { ("failed", 503) } else { ("success", 200) };
        text += &format!(
            "{{\"time\":\"{at}\",\"service\":\"{system}\",\"method\":\"POST\",\"url\":\"https://a.example/po\",\"status\":\"{status}\",\"http_status\":{http},\"duration_ms\":100,\"msg\":\"called\"}}\n"
        );
    }
    std::fs::write(folder.join("app.log"), text).expect("written");
    (calls, failed)
}

#[test]
fn health_says_what_is_left_of_the_budget_and_how_fast_it_burns() {
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), "99 %");
    let (calls, failed) = log(folder.path());
    let output = crosstail(folder.path(), &["health", "-s", "app.log", "-o", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = lines.iter().find(|line| line["type"] == "objective").expect("an objective");
    assert_eq!((&of["objective"], &of["state"]), (&Value::from("orders"), &Value::from("degraded")), "{of}");
    assert_eq!((of["count"].as_u64(), of["bad"].as_u64()), (Some(calls), Some(failed)), "{of}");
    let number = |value: &Value| value.as_f64().expect("a number");
    let share = 1.0 - failed as f64 / calls as f64;
    assert!((number(&of["share"]) - share).abs() < 1e-9, "{of}");
    assert!((number(&of["budget_left"]) - (1.0 - (1.0 - share) / 0.01)).abs() < 1e-6, "{of}");
    // Half of the calls of half of the last hour failed: a quarter, of which 1 % may.
    let fast = &of["burn"][0];
    assert_eq!((&fast["long_s"], &fast["short_s"], &fast["burning"]), (&3600.into(), &300.into(), &true.into()));
    assert!((22.0..28.0).contains(&number(&fast["long"])) && (45.0..55.0).contains(&number(&fast["short"])), "{fast}");
    // The filter opens what was bad.
    let bad =
        crosstail(folder.path(), &["query", of["filter"].as_str().expect("a filter"), "-s", "app.log", "-o", "json"]);
    assert_eq!(String::from_utf8_lossy(&bad.stdout).lines().count() as u64, failed, "{}", said(&bad));
    let table = crosstail(folder.path(), &["health", "-s", "app.log"]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    let row = table.lines().find(|line| line.starts_with("orders ")).expect("a row");
    assert!(row.contains("degraded") && row.contains("99 %") && row.contains(" in 1 h"), "{table}");
    // With a budget that lasts, all is well with it.
    configure(folder.path(), "50 %");
    let output = crosstail(folder.path(), &["health", "-s", "app.log", "-o", "json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.lines().any(|line| line.contains("\"objective\"") && line.contains("\"healthy\"")), "{text}");
}

#[test]
fn a_budget_that_burns_fires_and_resolves_in_a_backtest() {
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), "99 %");
    log(folder.path());
    let output = crosstail(folder.path(), &["watch", "--backtest", "2h", "--dry-run", "-s", "app.log"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<&Value> = all.iter().filter(|one| one["rule"] == "ErrorBudgetBurnsFast").collect();
    assert_eq!(told.len(), 1, "{text}");
    assert_eq!((&told[0]["turn"], &told[0]["severity"]), (&Value::from("firing"), &Value::from("critical")));
    let reason = told[0]["alerts"][0]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("the error budget of orders burns ") && reason.contains("× over 5 min; "), "{reason}");
    // Zoho fails all the time, and nothing was promised of it.
    assert_eq!(told[0]["alerts"][0]["group"], serde_json::json!([["objective", "orders"]]));
}

#[test]
fn what_is_wrong_with_an_objective_has_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), "100 %");
    let checked = crosstail(folder.path(), &["config", "check"]);
    let text = said(&checked);
    assert!(!checked.status.success() && text.contains("config.toml:5: objective orders: target: '100 %'"), "{text}");
    let output = crosstail(folder.path(), &["watch", "--backtest", "1h", "-s", "app.log"]);
    assert!(!output.status.success(), "a rule that cannot fire is not started");
}
