//! Creates what a schema defines: lifecycle policies, index templates and indices.

use crate::definitions;
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use crosstail_core::schema::Schema;
use crosstail_record::write::cluster::{Body, Cluster, Method};
use crosstail_source::create::{Creator, Item, ItemState, Plan};
use serde_json::{Value, json};

/// Sends a request; returns the status code and the body.
async fn ask(cluster: &Cluster, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<(u16, Value)> {
    let limit = std::time::Duration::from_secs(30);
    let body = body.map_or(Body::None, |body| Body::Json(body.to_string()));
    let (status, text) = cluster.send(method, path, body, limit).await.context("connect")?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

fn refused(status: u16, answer: &Value) -> String {
    let reason = answer["error"]["reason"].as_str().or(answer["error"].as_str()).unwrap_or("no reason given");
    format!("the cluster refused: HTTP {status}: {reason}")
}

/// Whether `there` contains everything in `wanted`. Values are compared as text, because the cluster returns them so.
fn holds(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| match there.get(key) {
            Some(there) => holds(there, wanted),
            // A default, which the cluster does not return.
            None => wanted == &json!({}) || key == "type" && wanted == "object",
        }),
        (Value::Array(there), Value::Array(wanted)) => {
            there.len() == wanted.len() && there.iter().zip(wanted).all(|(there, wanted)| holds(there, wanted))
        }
        (there, wanted) => {
            let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            plain(there) == plain(wanted)
        }
    }
}

/// Settings in the form in which the cluster returns them: everything below `index`, dotted names as levels.
fn nested(settings: &Value) -> Value {
    let mut out = json!({});
    for (name, value) in settings.as_object().into_iter().flatten() {
        let name = name.strip_prefix("index.").unwrap_or(name);
        let mut at = &mut out["index"];
        for part in name.split('.') {
            at = &mut at[part];
        }
        *at = value.clone();
    }
    out
}

/// Creates objects in a cluster.
pub(crate) struct ElasticsearchCreator(Cluster);

impl ElasticsearchCreator {
    pub(crate) fn new(cluster: Cluster) -> Self {
        Self(cluster)
    }
}

#[async_trait]
impl Creator for ElasticsearchCreator {
    async fn plan(&self, schema: &Schema, notify: bool) -> anyhow::Result<Plan> {
        anyhow::ensure!(!notify, "--notify is for PostgreSQL");
        plan(definitions::text(&schema.name)?, &self.0).await
    }

    async fn apply(&self, plan: &Plan) -> anyhow::Result<()> {
        apply(plan, &self.0).await
    }
}

async fn plan(text: &str, cluster: &Cluster) -> anyhow::Result<Plan> {
    let wanted: Value = serde_json::from_str(text)?;
    let list = |key: &str| wanted[key].as_array().cloned().unwrap_or_default();
    let (status, answer) = ask(cluster, Method::Get, "/", None).await?;
    if status >= 400 {
        bail!(refused(status, &answer));
    }
    let major = answer["version"]["number"].as_str().and_then(|number| number.split('.').next()?.parse::<u32>().ok());
    let mut plan = Plan::default();
    let mut without_lifecycle = false;
    for mut policy in list("policies") {
        let name = policy["name"].as_str().unwrap_or_default().to_owned();
        if major.is_some_and(|major| major >= 8) {
            // Freezing has no effect from version 8, and version 9 refuses it.
            let phases = policy["body"]["policy"]["phases"].as_object_mut();
            for phase in phases.into_iter().flat_map(|phases| phases.values_mut()) {
                phase["actions"].as_object_mut().map(|actions| actions.remove("freeze"));
            }
        }
        let (status, answer) = ask(cluster, Method::Get, &format!("_ilm/policy/{name}"), None).await?;
        let standing = match status {
            200 if holds(&answer[&name]["policy"]["phases"], &policy["body"]["policy"]["phases"]) => ItemState::There,
            200 => ItemState::Outdated,
            404 if answer["error"].is_object() => ItemState::Missing,
            400 | 404 | 405 => {
                without_lifecycle = true;
                let why = "this cluster has no lifecycle management (Elastic's default distribution has it): \
                                           delete what is older than 90 days by other means";
                ItemState::Impossible(why.to_owned())
            }
            _ => bail!(refused(status, &answer)),
        };
        plan.items.push(request("lifecycle policy", &format!("_ilm/policy/{name}"), name, standing, &policy["body"]));
    }
    for mut template in list("templates") {
        let name = template["name"].as_str().unwrap_or_default().to_owned();
        let path = format!("_index_template/{name}");
        let settings = &mut template["body"]["template"]["settings"];
        if without_lifecycle {
            settings.as_object_mut().map(|settings| settings.remove("index.lifecycle.name"));
        }
        let mut expected = template["body"].clone();
        expected["template"]["settings"] = nested(&expected["template"]["settings"]);
        let (status, answer) = ask(cluster, Method::Get, &path, None).await?;
        let there = &answer["index_templates"][0]["index_template"];
        let standing = match status {
            200 if holds(there, &expected) => ItemState::There,
            200 => ItemState::Outdated,
            404 => ItemState::Missing,
            _ => bail!(refused(status, &answer)),
        };
        plan.items.push(request("index template", &path, name, standing, &template["body"]));
    }
    for index in list("indices") {
        let name = index["name"].as_str().unwrap_or_default().to_owned();
        let (status, answer) = ask(cluster, Method::Get, &name, None).await?;
        let standing = match status {
            404 => ItemState::Missing,
            200 => {
                // An alias returns the index that it stands for.
                let there = answer.as_object().and_then(|map| map.values().next()).cloned().unwrap_or_default();
                let properties = index["body"]["mappings"]["properties"].as_object();
                let differs = properties.into_iter().flatten().find_map(|(field, wanted)| {
                    let there = &there["mappings"]["properties"][field];
                    let has = there["type"].as_str().unwrap_or(if there.is_null() { "not mapped" } else { "object" });
                    let wanted = wanted["type"].as_str().unwrap_or("object");
                    (has != wanted).then(|| {
                        format!("{field} is {has} and should be {wanted}: only a new index can change a mapping")
                    })
                });
                differs.map_or(ItemState::There, ItemState::Differs)
            }
            _ => bail!(refused(status, &answer)),
        };
        plan.items.push(request("index", &name.clone(), name, standing, &index["body"]));
    }
    Ok(plan)
}

fn request(what: &'static str, path: &str, name: String, standing: ItemState, body: &Value) -> Item {
    Item { object: what, name, state: standing, statement: format!("PUT /{path}\n{body}") }
}

/// Sends one request after the other.
async fn apply(plan: &Plan, cluster: &Cluster) -> anyhow::Result<()> {
    for item in plan.pending() {
        let (path, body) = item.statement.split_once('\n').context("not a request")?;
        let path = path.trim_start_matches("PUT /");
        let (status, answer) = ask(cluster, Method::Put, path, Some(&serde_json::from_str(body)?)).await?;
        if status >= 400 {
            bail!("create {} {}: {}", item.object, item.name, refused(status, &answer));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cluster_gives_back_is_compared_as_it_was_meant() {
        let wanted = json!({ "number_of_shards": 1, "index.lifecycle.name": "p", "analysis": { "a": ["b"] } });
        let there = json!({ "index": { "number_of_shards": "1", "lifecycle": { "name": "p" }, "analysis": { "a": ["b"] }, "uuid": "x" } });
        assert!(holds(&there, &nested(&wanted)));
        assert!(!holds(&there, &nested(&json!({ "number_of_shards": 2 }))));
        assert!(!holds(&there, &nested(&json!({ "index.lifecycle.name": "other" }))));
        // A policy as the cluster returns it, with defaults that were not set.
        let phases = json!({ "delete": { "min_age": "90d", "actions": { "delete": {} } } });
        let kept =
            json!({ "delete": { "min_age": "90d", "actions": { "delete": { "delete_searchable_snapshot": true } } } });
        assert!(holds(&kept, &phases));
        assert!(!holds(&kept, &json!({ "delete": { "min_age": "30d", "actions": { "delete": {} } } })));
        // The cluster does not return `type: object`, and returns dynamic mappings as text.
        assert!(holds(&json!({ "dynamic": "true" }), &json!({ "type": "object", "dynamic": true })));
    }
}
