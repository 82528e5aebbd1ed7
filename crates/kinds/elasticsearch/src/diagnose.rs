//! What an examination looks at in Elasticsearch: rights, the refresh interval, blocks, lifecycle and age of indices.

use super::connection::in_path;
use super::{Elasticsearch, Error};
use crosstail_core::model::{Diagnosis, RETENTION_DAYS, Timestamp};
use elasticsearch::http::Method;
use serde_json::{Value, json};

/// What is written should be found within this many seconds.
const REFRESH_S: f64 = 5.0;

pub(super) async fn diagnose(cluster: &Elasticsearch, now: Timestamp) -> Result<Vec<Diagnosis>, Error> {
    let mut diagnoses = Vec::new();
    rights(cluster, &mut diagnoses).await?;
    let path = format!("/{}/_settings?flat_settings=true&ignore_unavailable=true", in_path(&cluster.pattern));
    let answer = match cluster.connection.json(Method::Get, &path, None).await {
        Err(Error::Answered { status: 401 | 403, .. }) => {
            let remedy = "grant the privilege `view_index_metadata` on the indices";
            diagnoses.push(Diagnosis::warning("permissions", "the settings of the indices may not be seen", remedy));
            return Ok(diagnoses);
        }
        answer => answer?,
    };
    let (mut slow, mut never, mut blocked, mut unmanaged) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let mut oldest: Option<(f64, String)> = None;
    let indices: Vec<(&String, &Value)> = answer.as_object().into_iter().flatten().collect();
    for (name, index) in &indices {
        let text = |key: &str| index["settings"][format!("index.{key}")].as_str();
        match text("refresh_interval").map(seconds) {
            Some(Some(s)) if s < 0.0 => never.push(name.as_str()),
            Some(Some(s)) if s > REFRESH_S => slow.push(format!("{name} every {s:.0} s")),
            _ => {}
        }
        let is_blocked = |key: &str| text(key) == Some("true");
        if is_blocked("blocks.read_only_allow_delete") || is_blocked("blocks.write") || is_blocked("blocks.read_only") {
            blocked.push(name.as_str());
        }
        unmanaged += usize::from(text("lifecycle.name").is_none());
        let created = text("creation_date").and_then(|ms| ms.parse::<i64>().ok());
        let days = created.map(|ms| now.since_us(Timestamp::from_millis(ms)) as f64 / 86_400e6);
        if let Some(days) = days.filter(|days| oldest.as_ref().is_none_or(|(known, _)| days > known)) {
            oldest = Some((days, (*name).clone()));
        }
    }
    let put = |body: &str, name: &str| format!("PUT /{name}/_settings {{ \"{body}\" }}").replace("\" }", " }");
    diagnoses.push(match (never.first(), slow.is_empty()) {
        (Some(first), _) => Diagnosis::problem(
            "refresh interval",
            format!("{}: never refreshed: what is written is not found", never.join(", ")),
            put("index.refresh_interval\": \"1s\"", first),
        ),
        (None, false) => Diagnosis::warning(
            "refresh interval",
            format!("what is written is found late: {}", slow.join(", ")),
            put("index.refresh_interval\": \"1s\"", &in_path(&cluster.pattern)),
        ),
        (None, true) => Diagnosis::ok("refresh interval", "what is written is found within a second or so"),
    });
    if let Some(first) = blocked.first() {
        let remedy = format!("free disk space, then {}", put("index.blocks.read_only_allow_delete\": null", first));
        diagnoses.push(Diagnosis::problem(
            "indices",
            format!("{}: nothing can be written", blocked.join(", ")),
            remedy,
        ));
    }
    if let Some((days, name)) = oldest {
        let of = format!("{} indices, the oldest ({name}) made {days:.0} days ago", indices.len());
        diagnoses.push(if unmanaged == 0 {
            Diagnosis::ok("retention", format!("{of}; a lifecycle policy looks after each"))
        } else if days > RETENTION_DAYS as f64 {
            let remedy = "crosstail schema apply halopsa --to URL makes a policy that deletes after 90 days; or delete old indices on a schedule";
            let text = format!("{of}; {unmanaged} have no lifecycle policy: nothing deletes them");
            Diagnosis::warning("retention", text, remedy)
        } else {
            Diagnosis::note("retention", format!("{of}; {unmanaged} have no lifecycle policy"))
        });
    }
    Ok(diagnoses)
}

/// `30s`, `500ms`, `1m`, `-1`.
fn seconds(text: &str) -> Option<f64> {
    if text == "-1" {
        return Some(-1.0);
    }
    crosstail_core::filter::duration_us(text).map(|us| us / 1e6)
}

async fn rights(cluster: &Elasticsearch, diagnoses: &mut Vec<Diagnosis>) -> Result<(), Error> {
    let wanted = ["read", "view_index_metadata", "write", "delete", "manage"];
    let body = json!({ "cluster": ["monitor"], "index": [{ "names": [cluster.pattern], "privileges": wanted }] });
    let answer = cluster.connection.json(Method::Post, "/_security/user/_has_privileges", Some(&body)).await;
    let answer = match answer {
        Ok(answer) => answer,
        // There is no such page where security is switched off, or not built in.
        Err(Error::Answered { status: 400 | 404 | 405 | 500, .. }) => {
            let remedy = "switch security on (xpack.security.enabled), then an API key with `read` and `view_index_metadata` on the indices and `monitor` on the cluster";
            let text = "nobody has to say who he is: whoever reaches the cluster may write";
            diagnoses.push(Diagnosis::warning("permissions", text, remedy));
            return Ok(());
        }
        Err(Error::Answered { status: 401 | 403, .. }) => {
            diagnoses.push(Diagnosis::note("permissions", "what the user may do cannot be asked"));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let user = answer["username"].as_str().unwrap_or("the user");
    let index = answer["index"].as_object().and_then(|map| map.values().next()).cloned().unwrap_or_default();
    let has = |name: &str| index[name] == true;
    let too_many: Vec<&str> = ["write", "delete", "manage"].into_iter().filter(|name| has(name)).collect();
    diagnoses.push(if too_many.is_empty() {
        Diagnosis::ok("permissions", format!("{user} may read, and not write"))
    } else {
        let remedy = "an API key whose role has only `read` and `view_index_metadata` on the indices";
        Diagnosis::warning("permissions", format!("{user} may {}, and only has to read", too_many.join(", ")), remedy)
    });
    let monitor = answer["cluster"]["monitor"] == true;
    for (there, name, what) in [
        (has("read"), "read", "nothing can be read"),
        (
            has("view_index_metadata"),
            "view_index_metadata",
            "filters on texts are evaluated here, and deleted indices are not noticed",
        ),
        (monitor, "monitor", "the cluster's health is not shown"),
    ] {
        if !there {
            let remedy = format!("grant the privilege `{name}`");
            diagnoses.push(Diagnosis::warning("permissions", format!("without `{name}` {what}"), remedy));
        }
    }
    Ok(())
}
