//! What `doctor` checks in Elasticsearch: privileges, refresh interval, blocks, lifecycle and age of indices.

use super::connection::in_path;
use super::mapping::Mapping;
use super::{Elasticsearch, Error};
use crosstail_core::model::{Diagnosis, RETENTION_DAYS, Timestamp};
use crosstail_record::write::cluster::Method;
use serde_json::{Value, json};

/// A longer refresh interval delays what searches find, in seconds.
const REFRESH_S: f64 = 5.0;

/// What is said of documents whose time the index did not take for a date and let pass (`ignore_malformed`). Elasticsearch notes
/// in `_ignored` which fields of a document it has not indexed.
pub(super) async fn malformed_times(cluster: &Elasticsearch, mapping: &Mapping) -> Option<String> {
    let time = &mapping.table.time;
    let path = format!("/{}/_count?ignore_unavailable=true", in_path(&mapping.stored));
    let ignored = json!({ "term": { "_ignored": { "value": time } } });
    let body = json!({ "query": { "bool": { "filter": [mapping.only, ignored] } } });
    // Where it cannot be counted, something else says why.
    let answer = cluster.connection.json(Method::Post, &path, Some(&body)).await.ok()?;
    let count = answer["count"].as_u64().filter(|count| *count > 0)?;
    Some(format!(
        "the {time} of {count} documents of {} is no date for the index (ignore_malformed): they stand at 1970, as those without one; \
         correct the documents",
        mapping.table.name
    ))
}

pub(super) async fn diagnose(cluster: &Elasticsearch, now: Timestamp) -> Result<Vec<Diagnosis>, Error> {
    let mut diagnoses = Vec::new();
    rights(cluster, &mut diagnoses).await?;
    let path = format!("/{}/_settings?flat_settings=true&ignore_unavailable=true", in_path(&cluster.pattern));
    let answer = match cluster.connection.json(Method::Get, &path, None).await {
        Err(Error::Answered { status: 401 | 403, .. }) => {
            let remedy = "grant the privilege `view_index_metadata` on the indices";
            diagnoses.push(Diagnosis::warning("permissions", "the settings of the indices are not visible", remedy));
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
            format!("{}: never refreshed, so searches do not find what is written", never.join(", ")),
            put("index.refresh_interval\": \"1s\"", first),
        ),
        (None, false) => Diagnosis::warning(
            "refresh interval",
            format!("searches find what is written late: {}", slow.join(", ")),
            put("index.refresh_interval\": \"1s\"", &in_path(&cluster.pattern)),
        ),
        (None, true) => Diagnosis::ok("refresh interval", "searches find what is written within about a second"),
    });
    if let Some(first) = blocked.first() {
        let remedy = format!("free disk space, then {}", put("index.blocks.read_only_allow_delete\": null", first));
        diagnoses.push(Diagnosis::problem("indices", format!("{}: blocked for writes", blocked.join(", ")), remedy));
    }
    if let Some((days, name)) = oldest {
        let of = format!("{} indices, the oldest ({name}) created {days:.0} days ago", indices.len());
        diagnoses.push(if unmanaged == 0 {
            Diagnosis::ok("retention", format!("{of}; each has a lifecycle policy"))
        } else if days > RETENTION_DAYS as f64 {
            let remedy = "crosstail schema apply halopsa --to URL creates a policy that deletes after 90 days; or delete old indices on a schedule";
            let text = format!("{of}; {unmanaged} have no lifecycle policy, so nothing deletes them");
            Diagnosis::warning("retention", text, remedy)
        } else {
            Diagnosis::note("retention", format!("{of}; {unmanaged} have no lifecycle policy"))
        });
    }
    Ok(diagnoses)
}

/// Parses a duration such as `30s`, `500ms`, `1m` or `-1` into seconds.
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
        // The page does not exist where security is disabled or not built in.
        Err(Error::Answered { status: 400 | 404 | 405 | 500, .. }) => {
            let remedy = "enable security (xpack.security.enabled), then use an API key with `read` and `view_index_metadata` on the indices and `monitor` on the cluster";
            let text = "the cluster requires no login: anyone who can reach it may write";
            diagnoses.push(Diagnosis::warning("permissions", text, remedy));
            return Ok(());
        }
        Err(Error::Answered { status: 401 | 403, .. }) => {
            diagnoses.push(Diagnosis::note("permissions", "the user's privileges cannot be read"));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let user = answer["username"].as_str().unwrap_or("the user");
    let index = answer["index"].as_object().and_then(|map| map.values().next()).cloned().unwrap_or_default();
    let has = |name: &str| index[name] == true;
    let too_many: Vec<&str> = ["write", "delete", "manage"].into_iter().filter(|name| has(name)).collect();
    diagnoses.push(if too_many.is_empty() {
        Diagnosis::ok("permissions", format!("{user} may read and not write"))
    } else {
        let remedy = "use an API key whose role has only `read` and `view_index_metadata` on the indices";
        Diagnosis::warning("permissions", format!("{user} may {}, but only needs to read", too_many.join(", ")), remedy)
    });
    let monitor = answer["cluster"]["monitor"] == true;
    for (there, name, what) in [
        (has("read"), "read", "crosstail cannot read anything"),
        (
            has("view_index_metadata"),
            "view_index_metadata",
            "filters on texts are evaluated locally, and deleted indices are not noticed",
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
