//! Creates what a schema defines: collections with their validators, indexes and views, compared with what the server
//! lists.

use crate::definitions;
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use bson::{Bson, Document, doc};
use crosstail_core::schema::Schema;
use crosstail_source::create::{Creator, Item, ItemState, Plan};
use mongodb::Database;
use serde_json::{Value, json};

fn database(client: &mongodb::Client) -> anyhow::Result<Database> {
    client.default_database().context("the address names no database: mongodb://host/database")
}

/// All results of a listing command, page by page.
async fn listed(database: &Database, command: Document) -> anyhow::Result<Vec<Document>> {
    let mut cursor = database.run_cursor_command(command).await?;
    let mut found = Vec::new();
    while cursor.advance().await? {
        found.push(cursor.deserialize_current()?);
    }
    Ok(found)
}

/// Whether the server's value equals the wanted one; integers of any width are equal.
fn same(wanted: &Value, there: Option<&Bson>) -> bool {
    let there = there.map_or(Value::Null, |there| there.clone().into_relaxed_extjson());
    fn plain(value: &Value) -> Value {
        match value {
            Value::Number(number) => json!(number.as_f64()),
            Value::Array(list) => list.iter().map(plain).collect(),
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
            other => other.clone(),
        }
    }
    plain(wanted) == plain(&there)
}

fn item(what: &'static str, name: String, standing: ItemState, command: &Value) -> Item {
    Item { object: what, name, state: standing, statement: format!("db.runCommand({command});") }
}

/// Creates objects in the database of a URL.
pub(crate) struct MongodbCreator(String);

impl MongodbCreator {
    pub(crate) fn new(url: &str) -> Self {
        Self(url.to_owned())
    }
}

#[async_trait]
impl Creator for MongodbCreator {
    async fn plan(&self, schema: &Schema, notify: bool) -> anyhow::Result<Plan> {
        anyhow::ensure!(!notify, "--notify is for PostgreSQL: MongoDB reports changes without a trigger");
        plan(definitions::text(&schema.name)?, &self.0).await
    }

    async fn apply(&self, plan: &Plan) -> anyhow::Result<()> {
        apply(plan, &self.0).await
    }
}

async fn plan(text: &str, url: &str) -> anyhow::Result<Plan> {
    let wanted: Value = serde_json::from_str(text)?;
    let client = mongodb::Client::with_uri_str(url).await.context("connect")?;
    let database = database(&client)?;
    let there = listed(&database, doc! { "listCollections": 1 }).await.context("list collections")?;
    let find = |name: &str| there.iter().find(|entry| entry.get_str("name").is_ok_and(|known| known == name));
    let mut plan = Plan::default();
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    for collection in list(&wanted, "collections") {
        let name = collection["name"].as_str().unwrap_or_default();
        let validator = &collection["validator"];
        let known = find(name);
        let options = known.and_then(|known| known.get_document("options").ok());
        let validated = options.is_some_and(|options| same(validator, options.get("validator")));
        let create = json!({ "create": name, "validator": validator });
        if known.is_none() {
            plan.items.push(item("collection", name.to_owned(), ItemState::Missing, &create));
        } else {
            plan.items.push(item("collection", name.to_owned(), ItemState::There, &create));
            let standing = if validated { ItemState::There } else { ItemState::Outdated };
            let change = json!({ "collMod": name, "validator": validator });
            plan.items.push(item("validator", name.to_owned(), standing, &change));
        }
        let indexes = match known {
            Some(_) => listed(&database, doc! { "listIndexes": name }).await.context("list indexes")?,
            None => Vec::new(),
        };
        for index in list(&collection, "indexes") {
            let key = &index["key"];
            let label = format!("{name}.{}", index["name"].as_str().unwrap_or_default());
            let equal = |there: &&Document| {
                // The order of an index's keys matters.
                let order = |value: &Value| value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
                let keys = there.get("key").map(|key| key.clone().into_relaxed_extjson()).unwrap_or_default();
                same(key, there.get("key")) && order(key) == order(&keys)
            };
            let standing = match indexes.iter().find(equal) {
                None => ItemState::Missing,
                Some(there) => {
                    let different = ["unique", "expireAfterSeconds", "sparse"]
                        .into_iter()
                        .find(|option| !same(&index[*option], there.get(*option)))
                        .map(|option| {
                            let has = there.get(option).map_or("not set".to_owned(), ToString::to_string);
                            format!("{option} is {has} and should be {}; it is not changed", index[option])
                        });
                    different.map_or(ItemState::There, ItemState::Differs)
                }
            };
            let command = json!({ "createIndexes": name, "indexes": [index] });
            plan.items.push(item("index", label, standing, &command));
        }
    }
    for view in list(&wanted, "views") {
        let name = view["name"].as_str().unwrap_or_default();
        let standing = match find(name) {
            None => ItemState::Missing,
            Some(known) => {
                let options = known.get_document("options").ok();
                let equal = options.is_some_and(|options| same(&view["pipeline"], options.get("pipeline")));
                if equal { ItemState::There } else { ItemState::Outdated }
            }
        };
        let verb = if standing == ItemState::Missing { "create" } else { "collMod" };
        let command = json!({ verb: name, "viewOn": view["on"], "pipeline": view["pipeline"] });
        plan.items.push(item("view", name.to_owned(), standing, &command));
    }
    Ok(plan)
}

/// Runs the commands one after the other: MongoDB has no transaction for them.
async fn apply(plan: &Plan, url: &str) -> anyhow::Result<()> {
    let client = mongodb::Client::with_uri_str(url).await.context("connect")?;
    let database = database(&client)?;
    for item in plan.pending() {
        let text = item.statement.trim_start_matches("db.runCommand(").trim_end_matches(");");
        let Value::Object(command) = serde_json::from_str(text)? else { bail!("not a command: {text}") };
        let command = Document::try_from(command)?;
        database.run_command(command).await.with_context(|| format!("create {} {}", item.object, item.name))?;
    }
    Ok(())
}
