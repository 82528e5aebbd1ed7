//! Creating what a schema defines: each statement's object is looked for in the information schema.

use crate::address;
use crate::definitions;
use crate::relation::text;
use anyhow::{Context as _, anyhow, ensure};
use async_trait::async_trait;
use crosstail_core::schema::Schema;
use crosstail_source::create::{Creator, Item, ItemState, Plan};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection as _};

/// Creates in a database.
pub(crate) struct MysqlCreator(String);

impl MysqlCreator {
    pub(crate) fn new(url: &str) -> Self {
        Self(url.to_owned())
    }

    async fn connect(&self) -> anyhow::Result<MySqlConnection> {
        let address = address::read(&self.0).map_err(|cause| anyhow!(cause))?;
        ensure!(address.options.get_database().is_some(), "the address names no database: mysql://user@host/database");
        MySqlConnection::connect_with(&address.options).await.context("connect")
    }
}

#[async_trait]
impl Creator for MysqlCreator {
    async fn plan(&self, schema: &Schema, notify: bool) -> anyhow::Result<Plan> {
        ensure!(!notify, "MySQL has nothing that a trigger could wake us by: it is polled");
        let statements = statements(definitions::text(&schema.name)?);
        let mut connection = self.connect().await?;
        let mut plan = Plan::default();
        for statement in statements {
            let created = Created::by(&statement).with_context(|| format!("not understood: {statement}"))?;
            let state = state_of(&mut connection, &created, &statement).await?;
            plan.items.push(Item { object: created.object, name: created.name, state, statement });
        }
        Ok(plan)
    }

    async fn apply(&self, plan: &Plan) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        // MySQL commits before each of these: what was created before one that fails stays.
        for item in plan.pending() {
            let run = sqlx::raw_sql(AssertSqlSafe(item.statement.clone())).execute(&mut connection).await;
            run.with_context(|| format!("create {} {}", item.object, item.name))?;
        }
        Ok(())
    }
}

/// What a statement creates.
#[derive(Debug, PartialEq, Eq)]
struct Created {
    /// `table`, `index`, `view`.
    object: &'static str,
    name: String,
    /// The table of an index.
    on: String,
}

impl Created {
    fn by(statement: &str) -> Option<Self> {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let of = |object, name: &str, on: &str| Some(Self { object, name: name.to_owned(), on: on.to_owned() });
        match words.as_slice() {
            ["CREATE", "TABLE", "IF", "NOT", "EXISTS", name, ..] => of("table", name, ""),
            ["CREATE", "INDEX", name, "ON", table, ..] => of("index", name, table),
            ["CREATE", "OR", "REPLACE", "SQL", "SECURITY", "INVOKER", "VIEW", name, ..] => of("view", name, ""),
            _ => None,
        }
    }
}

/// The statements of a text, without the comments between them.
fn statements(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let text = lines.join("\n");
    text.split(";\n")
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
        .map(|s| format!("{};", s.trim_end_matches(';')))
        .collect()
}

/// The columns that a `CREATE TABLE` names, one a line, with their definition.
fn columns(statement: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = statement.lines().skip(1).map(str::trim).filter(|line| !line.starts_with(')'));
    lines.filter_map(|line| line.trim_end_matches(',').split_once(' '))
}

async fn state_of(connection: &mut MySqlConnection, created: &Created, statement: &str) -> anyhow::Result<ItemState> {
    let (sql, table) = match created.object {
        "index" => (
            "SELECT INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
            &created.on,
        ),
        _ => (
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
            &created.name,
        ),
    };
    let rows = sqlx::query(sql).bind(table).fetch_all(&mut *connection).await;
    let rows = rows.with_context(|| format!("look for {} {}", created.object, created.name))?;
    let known = rows.iter().map(|row| text(row, 0).map(Option::unwrap_or_default)).collect::<Result<Vec<_>, _>>()?;
    Ok(match created.object {
        "index" if known.contains(&created.name) => ItemState::There,
        "index" => ItemState::Missing,
        _ if known.is_empty() => ItemState::Missing,
        "view" => ItemState::There,
        _ => {
            let missing: Vec<String> = columns(statement)
                .filter(|(column, _)| !known.iter().any(|known| known.eq_ignore_ascii_case(column)))
                .map(|(column, kind)| format!("ADD COLUMN {column} {kind}"))
                .collect();
            if missing.is_empty() {
                ItemState::There
            } else {
                ItemState::Differs(format!("columns are missing: ALTER TABLE {} {};", created.name, missing.join(", ")))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_of_the_definitions_is_known() {
        for definition in definitions::DEFINITIONS {
            let all = statements(definition.text);
            assert!(all.len() > 5, "{}", definition.schema);
            for statement in all {
                let created = Created::by(&statement).unwrap_or_else(|| panic!("{}: {statement}", definition.schema));
                assert!(!created.name.contains(['(', ';', '`']), "{created:?}");
                if created.object == "table" {
                    let columns: Vec<_> = columns(&statement).collect();
                    assert!(columns.len() > 4 && columns.iter().all(|(name, _)| !name.contains('(')), "{statement}");
                }
            }
        }
    }
}
