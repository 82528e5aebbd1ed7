//! PostgreSQL: each table's rows, many in one statement, the values as arrays.

use super::log::{self, Engineering};
use super::table::{Cell, ColumnType, Layout, RowStep, Table};
use super::{Refused, Writer};
use crate::{Start, WriteStep};
use anyhow::Context as _;
use async_trait::async_trait;
use rayon::prelude::*;
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use std::collections::HashSet;

/// Rows a statement.
const ROWS: usize = 500;

/// Writes into one table. What one call writes is written as a whole or not at all.
#[derive(Debug)]
pub struct PostgresWriter {
    connection: PgConnection,
    table: Table,
    rows: u64,
    alerts: u64,
    /// Services whose source is in `log_sources`.
    known: HashSet<String>,
}

impl PostgresWriter {
    /// Connects.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or does not have the table.
    pub async fn connect(url: &str, table: Table) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect(url).await.context("connect")?;
        let there = sqlx::query_scalar::<_, bool>("SELECT to_regclass($1) IS NOT NULL").bind(table.as_str());
        if !there.fetch_one(&mut connection).await? {
            anyhow::bail!(
                "there is no table {}; create it with: crosstail schema apply {} --to URL",
                table.as_str(),
                table.schema()
            );
        }
        Ok(Self { connection, table, rows: 0, alerts: 0, known: HashSet::new() })
    }

    /// Those of the tables that a database has.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached.
    pub async fn tables(url: &str) -> anyhow::Result<Vec<Table>> {
        let mut connection = PgConnection::connect(url).await.context("connect")?;
        let mut found = Vec::new();
        for table in Table::ALL {
            let there = sqlx::query_scalar::<_, bool>("SELECT to_regclass($1) IS NOT NULL").bind(table.as_str());
            if there.fetch_one(&mut connection).await? {
                found.push(table);
            }
        }
        Ok(found)
    }

    /// Writes all steps or none. What is one statement is sent as one; what is several is a transaction.
    async fn write_all(&mut self, steps: &[WriteStep]) -> anyhow::Result<Written> {
        let (inserts, updates) = self.table.layout().divide(steps);
        let is_one_statement = self.table != Table::LogEntries
            && (inserts.is_empty() || updates.is_empty())
            && inserts.len().max(updates.len()) <= ROWS;
        if is_one_statement {
            return write_rows(&mut self.connection, self.table, &inserts, &updates, &self.known).await;
        }
        let mut transaction = self.connection.begin().await.context("begin")?;
        let written = write_rows(&mut transaction, self.table, &inserts, &updates, &self.known).await?;
        transaction.commit().await.context("commit")?;
        Ok(written)
    }
}

/// What one write has added.
#[derive(Default)]
struct Written {
    rows: u64,
    alerts: u64,
    /// Services whose source is known from now on.
    services: Vec<String>,
}

async fn write_rows(
    connection: &mut PgConnection,
    table: Table,
    inserts: &[RowStep<'_>],
    updates: &[RowStep<'_>],
    known: &HashSet<String>,
) -> anyhow::Result<Written> {
    let layout = table.layout();
    let mut written = Written::default();
    if table == Table::LogEntries {
        (written.alerts, written.services) = log_entry_extras(connection, inserts, known).await?;
    }
    let statement = insert_statement(layout);
    for chunk in inserts.chunks(ROWS) {
        // Redacting is most of the work.
        let values = chunk.par_iter().map(|step| texts(layout.row(step.start, step.outcome))).collect();
        // What is there already, from an attempt that was not answered, is not written twice.
        let new = run(connection, &statement, values, layout.columns.len()).await;
        written.rows += new.with_context(|| format!("insert into {}", layout.name))?;
    }
    if let (Some(key), false) = (layout.key(), updates.is_empty()) {
        let columns: Vec<usize> = std::iter::once(key).chain(layout.set_at_end()).collect();
        let statement = update_statement(layout, &columns);
        for chunk in updates.chunks(ROWS) {
            let row = |step: &RowStep<'_>| Some(texts(layout.cells(&columns, step.start, step.outcome?)));
            let values = chunk.par_iter().filter_map(row).collect();
            let done = run(connection, &statement, values, columns.len()).await;
            done.with_context(|| format!("update {}", layout.name))?;
        }
    }
    Ok(written)
}

/// How PostgreSQL names a type.
fn cast(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Text => "text",
        ColumnType::Uuid => "uuid",
        ColumnType::Integer => "integer",
        ColumnType::Bigint => "bigint",
        ColumnType::Decimal => "numeric",
        ColumnType::Boolean => "boolean",
        ColumnType::Timestamp => "timestamptz",
        ColumnType::Object | ColumnType::Json => "jsonb",
        ColumnType::Address => "inet",
    }
}

fn insert_statement(layout: &Layout) -> String {
    let names: Vec<&str> = layout.columns.iter().map(|column| column.name.as_str()).collect();
    let values = layout.columns.iter().map(|column| format!("{}::{}", column.name, cast(column.column_type)));
    let marks: Vec<String> = (1..=names.len()).map(|n| format!("${n}::text[]")).collect();
    format!(
        "INSERT INTO {} ({names}) SELECT {} FROM UNNEST({}) AS given ({names}) ON CONFLICT DO NOTHING",
        layout.name,
        values.collect::<Vec<_>>().join(", "),
        marks.join(", "),
        names = names.join(", "),
    )
}

/// Of columns of which the first is the key.
fn update_statement(layout: &Layout, columns: &[usize]) -> String {
    let columns: Vec<(&str, &str)> = columns
        .iter()
        .filter_map(|index| layout.columns.get(*index))
        .map(|column| (column.name.as_str(), cast(column.column_type)))
        .collect();
    let (key, key_type) = columns.first().copied().unwrap_or_default();
    let sets: Vec<String> =
        columns.iter().skip(1).map(|(name, cast)| format!("{name} = given.{name}::{cast}")).collect();
    let marks: Vec<String> = (1..=columns.len()).map(|n| format!("${n}::text[]")).collect();
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    format!(
        "UPDATE {} AS stored SET {} FROM UNNEST({}) AS given ({}) WHERE stored.{key} = given.{key}::{key_type}",
        layout.name,
        sets.join(", "),
        marks.join(", "),
        names.join(", "),
    )
}

/// Runs a statement with rows as columns. Gives how many rows it touched.
async fn run(
    connection: &mut PgConnection,
    text: &str,
    rows: Vec<Vec<Option<String>>>,
    width: usize,
) -> anyhow::Result<u64> {
    let mut columns: Vec<Vec<Option<String>>> = (0..width).map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let mut query = sqlx::query(AssertSqlSafe(text.to_owned()));
    for column in columns {
        query = query.bind(column);
    }
    Ok(query.execute(connection).await?.rows_affected())
}

/// What other tables have of the engineering logs: a log's source is a row of its own, and some errors raise an alert.
/// See `docs/reference/engineering-logs.md`. Gives how many alerts there are, and the services whose source is new.
async fn log_entry_extras(
    connection: &mut PgConnection,
    steps: &[RowStep<'_>],
    known: &HashSet<String>,
) -> anyhow::Result<(u64, Vec<String>)> {
    let (mut alerts, mut services) = (Vec::new(), Vec::new());
    for RowStep { start, outcome, .. } in steps {
        let Some(outcome) = outcome else { continue };
        if !known.contains(&start.system) && !services.contains(&start.system) {
            sqlx::query(
                "INSERT INTO log_sources (id, name, type, health_status) VALUES ($1::uuid, $2, 'application', 'healthy') ON CONFLICT DO NOTHING",
            )
            .bind(log::source_id(&start.system).to_string())
            .bind(storable_text(start.system.chars().take(100).collect()))
            .execute(&mut *connection)
            .await
            .context("insert into log_sources")?;
            services.push(start.system.clone());
        }
        alerts.extend(Engineering::of(start, outcome).alert());
    }
    for alert in &alerts {
        let text = |name: &str| storable_text(alert[name].as_str().unwrap_or_default().to_owned());
        sqlx::query(
            "INSERT INTO alerts (id, title, description, severity, status, source_id, rule_id, triggered_at, metadata) \
             VALUES ($1::uuid, $2, $3, $4, $5, $6::uuid, $7::uuid, $8::timestamptz, $9::jsonb) ON CONFLICT DO NOTHING",
        )
        .bind(text("alert_id"))
        .bind(text("title").chars().take(255).collect::<String>())
        .bind(text("description"))
        .bind(text("severity"))
        .bind(text("status"))
        .bind(text("source_id"))
        .bind(text("rule_id"))
        .bind(text("triggered_at"))
        .bind(storable_json(&alert["metadata"]))
        .execute(&mut *connection)
        .await
        .context("insert into alerts")?;
    }
    Ok((alerts.len() as u64, services))
}

/// A row's values as text, as PostgreSQL reads them.
fn texts(cells: Vec<Option<Cell>>) -> Vec<Option<String>> {
    let text = |cell| match cell {
        Cell::Text(text) => storable_text(text),
        Cell::Uuid(id) => id.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Boolean(value) => value.to_string(),
        Cell::Time(at) => at.rfc3339(),
        Cell::Json(value) => storable_json(&value),
    };
    cells.into_iter().map(|cell| cell.map(text)).collect()
}

/// Text that PostgreSQL takes: it has no zero character.
fn storable_text(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// JSON as text that PostgreSQL takes: its `jsonb` has no zero character.
fn storable_json(value: &Value) -> String {
    fn storable(value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(storable_text(text.clone())),
            Value::Array(list) => list.iter().map(storable).collect(),
            Value::Object(map) => {
                map.iter().map(|(key, value)| (storable_text(key.clone()), storable(value))).collect()
            }
            other => other.clone(),
        }
    }
    let text = value.to_string();
    if text.contains("\\u0000") { storable(value).to_string() } else { text }
}

/// Whether PostgreSQL refuses a record for what it is, and would not on another try or for another record: data
/// exceptions (class 22), integrity constraints (23), a view's check option (44), limits such as the size of an index
/// row (54), and what a trigger raises (P0). See PostgreSQL's manual, appendix A.
fn is_of_the_record(error: &anyhow::Error) -> bool {
    let Some(sqlx::Error::Database(error)) = error.downcast_ref::<sqlx::Error>() else { return false };
    error.code().is_some_and(|code| ["22", "23", "44", "54", "P0"].iter().any(|class| code.starts_with(class)))
}

#[async_trait]
impl Writer for PostgresWriter {
    fn accepts(&self, start: &Start) -> bool {
        self.table.layout().accepts(start)
    }

    async fn write(&mut self, steps: &[WriteStep]) -> anyhow::Result<()> {
        match self.write_all(steps).await {
            Ok(written) => {
                self.rows += written.rows;
                self.alerts += written.alerts;
                self.known.extend(written.services);
                Ok(())
            }
            // The statement says which column, and not which row: the caller finds that out.
            Err(error) if is_of_the_record(&error) => Err(Refused::OneOf(format!("{error:#}")).into()),
            Err(error) => Err(error),
        }
    }

    fn written(&self) -> Vec<(String, u64)> {
        let mut written = vec![(self.table.as_str().to_owned(), self.rows)];
        if self.table == Table::LogEntries {
            written.push(("alerts".to_owned(), self.alerts));
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_postgresql_has_no_room_for_is_replaced() {
        assert_eq!(storable_json(&json!({ "a\0": ["b\0", 1] })), "{\"a\u{fffd}\":[\"b\u{fffd}\",1]}");
        assert_eq!(texts(vec![Some(Cell::Text("a\0b".to_owned())), None]), [Some("a\u{fffd}b".to_owned()), None]);
    }

    #[test]
    fn statements_name_every_column_once() {
        let layout = Table::Logs.layout();
        let statement = insert_statement(layout);
        assert!(statement.starts_with("INSERT INTO logs (timestamp, level,"), "{statement}");
        assert!(statement.contains("cpu_usage::numeric, memory_usage::integer FROM UNNEST($1::text[],"), "{statement}");
        let layout = Table::ApiRequestLogs.layout();
        let columns: Vec<usize> = layout.key().into_iter().chain(layout.set_at_end()).collect();
        let statement = update_statement(layout, &columns);
        assert!(statement.ends_with("WHERE stored.request_id = given.request_id::uuid"), "{statement}");
    }
}
