//! Creating a schema's tables, collections and indexes, and the trigger that wakes a follower: only when asked by name.

use crate::model::SourceKind;
use crate::schema::Schema;
use anyhow::{Context as _, bail};
#[cfg(feature = "postgres")]
use sqlx::{AssertSqlSafe, Connection as _};

/// The SQL of the schemas that have tables in PostgreSQL.
const POSTGRES: &[(&str, &str)] = &[
    ("prokure", include_str!("../../config/ddl/prokure.postgres.sql")),
    ("integration-activity", include_str!("../../config/ddl/integration-activity.postgres.sql")),
    ("log-tracking", include_str!("../../config/ddl/log-tracking.postgres.sql")),
    ("engineering-logs", include_str!("../../config/ddl/engineering-logs.postgres.sql")),
];

/// Collections and indexes of the schemas that are in MongoDB.
const MONGODB: &[(&str, &str)] = &[("prokure", include_str!("../../config/ddl/prokure.mongodb.json"))];

/// The function that the triggers call. A notification says that something was written, and in which table; what was
/// written is read from the table.
const NOTIFY: &str = "CREATE OR REPLACE FUNCTION crosstail_notify() RETURNS trigger LANGUAGE plpgsql AS $$\n\
    BEGIN PERFORM pg_notify('crosstail', TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME); RETURN NULL; END $$;\n";

/// What would be run on a database of the URL's kind.
pub fn statements(schema: &Schema, url: &str, notify: bool) -> anyhow::Result<String> {
    let find = |all: &[(&str, &'static str)], store: &str| {
        let found = all.iter().find(|(name, _)| *name == schema.name).map(|(_, text)| (*text).to_owned());
        let known: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        found.with_context(|| {
            format!("schema {} has nothing to create in {store}; {} have", schema.name, known.join(", "))
        })
    };
    match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") if notify => {
            let quoted = |name: &str| name.split('.').map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(".");
            let tables: Vec<String> =
                schema.tables(SourceKind::Postgres).map(|(_, table)| quoted(&table.name)).collect();
            if tables.is_empty() {
                bail!("schema {} has no tables", schema.name);
            }
            // A schema may have tables in another store: those that are not here get no trigger.
            let one = |table: &String| {
                format!(
                    "DO $do$ BEGIN IF to_regclass('{table}') IS NOT NULL THEN\n  DROP TRIGGER IF EXISTS crosstail_notify ON {table};\n  \
                     CREATE TRIGGER crosstail_notify AFTER INSERT OR UPDATE ON {table}\n    \
                     FOR EACH STATEMENT EXECUTE FUNCTION crosstail_notify();\nEND IF; END $do$;\n"
                )
            };
            Ok(format!("{NOTIFY}{}", tables.iter().map(one).collect::<String>()))
        }
        Some("postgres" | "postgresql") => find(POSTGRES, "PostgreSQL"),
        Some("mongodb" | "mongodb+srv") if notify => bail!("MongoDB tells of changes by itself: there is no trigger"),
        Some("mongodb" | "mongodb+srv") => find(MONGODB, "MongoDB"),
        _ => bail!("--to takes postgres://… or mongodb://…"),
    }
}

/// Creates what is not there yet. What is there is left as it is.
pub async fn apply(schema: &Schema, url: &str, notify: bool) -> anyhow::Result<()> {
    #[cfg(feature = "postgres")]
    if url.starts_with("postgres") {
        let text = statements(schema, url, notify)?;
        let mut connection = sqlx::PgConnection::connect(url).await.context("connect")?;
        // All or nothing.
        let mut transaction = connection.begin().await?;
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *transaction).await.context("apply")?;
        transaction.commit().await?;
        return Ok(());
    }
    #[cfg(feature = "mongodb")]
    if url.starts_with("mongodb") {
        let text = statements(schema, url, notify)?;
        let wanted: serde_json::Value = serde_json::from_str(&text)?;
        let wanted = bson::Document::try_from(wanted.as_object().cloned().unwrap_or_default())?;
        let client = mongodb::Client::with_uri_str(url).await.context("connect")?;
        let database = client.default_database().context("the address names no database: mongodb://host/database")?;
        let command =
            bson::doc! { "createIndexes": wanted.get_str("collection")?, "indexes": wanted.get_array("indexes")? };
        database.run_command(command).await.context("create indexes")?;
        return Ok(());
    }
    let text = statements(schema, url, notify)?;
    bail!("this build cannot run these {} lines there", text.lines().count())
}
