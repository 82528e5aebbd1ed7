//! Each headless command on each kind of source, by the program itself.

use super::fixtures::Fixture;
use crate::exporting::every_form;
use crate::support::{crosstail, lines};
use crate::writing::said;
use serde_json::Value;

pub async fn every_command_answers(mut fixture: impl Fixture) {
    let written = fixture.insert(60).await;
    let address = fixture.address();
    tokio::task::spawn_blocking(move || {
        let source = address.as_str();
        let run = |arguments: &[&str]| {
            let mut all = arguments.to_vec();
            all.extend(["-s", source]);
            crosstail(&all)
        };
        let rows = lines(&run(&["query", "-o", "json", "--limit", "0"]));
        let mut ids: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, written);
        for form in ["text", "csv", "table"] {
            let output = run(&["query", "-o", form, "--limit", "0"]);
            let text = String::from_utf8(output.stdout).expect("UTF-8");
            assert!(output.status.success() && text.lines().count() >= 60, "{form}: {text}");
            assert!(!text.contains('\x1b'), "no colours in a pipe");
        }
        let groups = lines(&run(&["stats", "--by", "system,method", "-o", "json"]));
        assert_eq!(groups.iter().filter_map(|group| group["count"].as_u64()).sum::<u64>(), 60);
        let whole = lines(&run(&["show", written[7].as_str(), "-o", "json"]));
        assert_eq!(whole[0]["id"], written[7].as_str());
        let since = lines(&run(&["query", "status:failed", "--since", "365d", "-o", "json"]));
        assert!(since.len() <= 60);
        let health = run(&["health", "-o", "json"]);
        assert!(health.status.code().is_some_and(|code| code < 3), "{}", said(&health));
        assert!(String::from_utf8_lossy(&health.stdout).contains("\"type\":\"source\""));
        let alerts = run(&["alerts", "list", "-o", "json"]);
        assert!(alerts.status.success(), "{}", said(&alerts));
        // What is examined: that it was reached and read, whose schema it has, how much there is.
        let doctor = run(&["doctor", "-o", "json"]);
        assert!(doctor.status.code().is_some_and(|code| code < 2), "{}", said(&doctor));
        let text = String::from_utf8(doctor.stdout).expect("UTF-8");
        let found: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        for topic in ["address", "schema", "volume", "permissions"] {
            assert!(found.iter().any(|d| d["topic"] == topic), "{topic}: {text}");
        }
        assert!(found.iter().any(|d| d["text"].as_str().is_some_and(|t| t.contains("60 newest records"))), "{text}");
        assert!(found.iter().all(|d| d["grade"] != "problem"), "{text}");
        every_form(source);
    })
    .await
    .expect("as it should");
}
