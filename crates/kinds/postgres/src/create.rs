//! Creates what a schema defines: compares each statement's object with the system catalog, and creates what is missing
//! in one transaction.

use crate::definitions;
use crate::statements::{self as sql, Created};
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use crosstail_core::schema::Schema;
use crosstail_source::create::{Creator, Item, ItemState, Plan};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

/// The function that the triggers call. A notification only says that something was written and in which table;
/// crosstail reads what was written from the table.
const NOTIFY: &str = "CREATE OR REPLACE FUNCTION crosstail_notify() RETURNS trigger LANGUAGE plpgsql AS $$\n\
    BEGIN PERFORM pg_notify('crosstail', TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME); RETURN NULL; END $$;";

fn quoted(name: &str) -> String {
    name.split('.').map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(".")
}

/// Creates objects in the database of a URL.
pub(crate) struct PostgresCreator(String);

impl PostgresCreator {
    pub(crate) fn new(url: &str) -> Self {
        Self(url.to_owned())
    }
}

#[async_trait]
impl Creator for PostgresCreator {
    async fn plan(&self, schema: &Schema, notify: bool) -> anyhow::Result<Plan> {
        plan(schema, &self.0, notify).await
    }

    async fn apply(&self, plan: &Plan) -> anyhow::Result<()> {
        apply(plan, &self.0).await
    }
}

async fn plan(schema: &Schema, url: &str, notify: bool) -> anyhow::Result<Plan> {
    let mut connection = PgConnection::connect(url).await.context("connect")?;
    let mut plan = Plan::default();
    let statements = if notify {
        let mut statements = vec![NOTIFY.to_owned()];
        let mut names = Vec::new();
        for (_, table) in schema.tables(definitions::STORE) {
            names.push(&table.name);
        }
        if names.is_empty() {
            bail!("schema {} has no tables", schema.name);
        }
        for name in names {
            // A schema may have tables in another store: those that this database lacks get no trigger.
            let there = sqlx::query_scalar::<_, bool>("SELECT to_regclass($1) IS NOT NULL").bind(quoted(name));
            if there.fetch_one(&mut connection).await? {
                statements.push(format!(
                    "CREATE TRIGGER crosstail_notify AFTER INSERT OR UPDATE ON {}\n    FOR EACH STATEMENT EXECUTE FUNCTION crosstail_notify();",
                    quoted(name)
                ));
            }
        }
        statements
    } else {
        sql::statements(definitions::text(&schema.name)?)
    };
    for statement in statements {
        let created = sql::created(&statement).with_context(|| format!("cannot parse: {statement}"))?;
        let standing = item_state(&mut connection, &created, &statement).await?;
        let name = match &created.on {
            Some(on) if created.what != "index" => format!("{} on {}", created.name, on.replace('"', "")),
            _ => created.name,
        };
        plan.items.push(Item { object: created.what, name, state: standing, statement });
    }
    Ok(plan)
}

async fn item_state(connection: &mut PgConnection, created: &Created, statement: &str) -> anyhow::Result<ItemState> {
    let on = created.on.as_deref().unwrap_or_default();
    // An index is in the schema of its table.
    let name = match (created.what, on.split_once('.')) {
        ("index", Some((schema, _))) => format!("{schema}.{}", created.name),
        _ => created.name.clone(),
    };
    let text = match created.what {
        "schema" => "SELECT to_regnamespace($1) IS NOT NULL",
        "function" => "SELECT to_regproc($1) IS NOT NULL",
        "row-level security" => {
            "SELECT coalesce((SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass($1)), false)"
        }
        "policy" => "SELECT EXISTS (SELECT FROM pg_policy WHERE polrelid = to_regclass($2) AND polname = $1)",
        "trigger" => "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass($2) AND tgname = $1)",
        _ => "SELECT to_regclass($1) IS NOT NULL",
    };
    let mut query = sqlx::query_scalar::<_, bool>(text).bind(&name);
    if text.contains("$2") {
        query = query.bind(on);
    }
    let there = query.fetch_one(&mut *connection).await.with_context(|| format!("check {} {name}", created.what))?;
    if !there {
        return Ok(ItemState::Missing);
    }
    match created.what {
        "function" => {
            let kept = sqlx::query_scalar::<_, String>("SELECT prosrc FROM pg_proc WHERE oid = to_regproc($1)");
            let kept = kept.bind(&name).fetch_one(&mut *connection).await?;
            Ok(if sql::body(statement) == Some(&kept) { ItemState::There } else { ItemState::Outdated })
        }
        "table" => {
            let known = sqlx::query_scalar::<_, String>(
                "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
            );
            let known: Vec<String> = known.bind(&name).fetch_all(&mut *connection).await?;
            let wanted = sql::columns(statement);
            let missing: Vec<String> = wanted
                .iter()
                .filter(|(column, _)| !known.iter().any(|known| known == column))
                .map(|(column, kind)| format!("ADD COLUMN {column} {kind}"))
                .collect();
            if missing.is_empty() {
                return Ok(ItemState::There);
            }
            Ok(ItemState::Differs(format!("columns are missing: ALTER TABLE {name} {};", missing.join(", "))))
        }
        _ => Ok(ItemState::There),
    }
}

/// Runs the statements of the plan in one transaction.
async fn apply(plan: &Plan, url: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await.context("connect")?;
    let mut transaction = connection.begin().await?;
    for item in plan.pending() {
        let run = sqlx::raw_sql(AssertSqlSafe(item.statement.clone())).execute(&mut *transaction).await;
        run.with_context(|| format!("create {} {}; nothing was changed", item.object, item.name))?;
    }
    transaction.commit().await?;
    Ok(())
}
