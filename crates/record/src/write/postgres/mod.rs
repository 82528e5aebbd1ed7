//! PostgreSQL: each table's rows, many in one statement, the values as arrays.

mod table;

pub use table::Table;

use super::log::{self, Engineering};
use super::{Writer, clip};
use crate::{Start, WriteStep};
use anyhow::Context as _;
use async_trait::async_trait;
use crosstail_core::model::Direction;
use rayon::prelude::*;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

/// Rows a statement.
const ROWS: usize = 500;

/// Writes into one table.
#[derive(Debug)]
pub struct PostgresWriter {
    connection: PgConnection,
    table: Table,
    rows: u64,
    alerts: u64,
    /// Services whose source is in `log_sources`.
    known: std::collections::HashSet<String>,
}

impl PostgresWriter {
    /// Connects; the table has to be there.
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
        Ok(Self { connection, table, rows: 0, alerts: 0, known: std::collections::HashSet::new() })
    }

    /// Those of the tables that a database has.
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

    async fn insert(&mut self, steps: &[&WriteStep]) -> anyhow::Result<()> {
        let table = self.table;
        let columns = table.columns();
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let values: Vec<String> = columns.iter().map(|(name, kind)| format!("{name}::{kind}")).collect();
        let marks: Vec<String> = (1..=columns.len()).map(|n| format!("${n}::text[]")).collect();
        let text = format!(
            "INSERT INTO {} ({names}) SELECT {} FROM UNNEST({}) AS given ({names}) ON CONFLICT DO NOTHING",
            table.as_str(),
            values.join(", "),
            marks.join(", "),
            names = names.join(", "),
        );
        for chunk in steps.chunks(ROWS) {
            // Redacting is most of the work.
            let rows: Vec<Vec<Option<String>>> = chunk
                .par_iter()
                .map(|step| match step {
                    WriteStep::Start(start) | WriteStep::Complete(start, _) => table.row(start, None),
                    WriteStep::Finished(start, outcome) => table.row(start, Some(outcome)),
                })
                .collect();
            let run = self.run(&text, rows, columns.len()).await;
            // What is there already, from a try that was not answered, is not written twice.
            self.rows += run.with_context(|| format!("insert into {}", table.as_str()))?;
        }
        Ok(())
    }

    async fn complete(&mut self, steps: &[&WriteStep]) -> anyhow::Result<()> {
        let table = self.table;
        let columns = table.columns();
        let set = table.of_outcome();
        let at: Vec<usize> = std::iter::once(0)
            .chain(set.iter().filter_map(|name| columns.iter().position(|(known, _)| known == name)))
            .collect();
        let (key, key_kind) = columns[0];
        let names: Vec<&str> = at.iter().map(|at| columns[*at].0).collect();
        let sets: Vec<String> =
            at[1..].iter().map(|at| format!("{0} = given.{0}::{1}", columns[*at].0, columns[*at].1)).collect();
        let marks: Vec<String> = (1..=at.len()).map(|n| format!("${n}::text[]")).collect();
        let text = format!(
            "UPDATE {} AS kept SET {} FROM UNNEST({}) AS given ({}) WHERE kept.{key} = given.{key}::{key_kind}",
            table.as_str(),
            sets.join(", "),
            marks.join(", "),
            names.join(", "),
        );
        for chunk in steps.chunks(ROWS) {
            let rows: Vec<Vec<Option<String>>> = chunk
                .par_iter()
                .filter_map(|step| log::ended(step))
                .map(|(start, outcome)| {
                    let mut row = table.row(start, Some(outcome));
                    at.iter().map(|at| row[*at].take()).collect()
                })
                .collect();
            self.run(&text, rows, at.len()).await.with_context(|| format!("update {}", table.as_str()))?;
        }
        Ok(())
    }

    /// Runs a statement with rows as columns; gives how many rows it touched.
    async fn run(&mut self, text: &str, rows: Vec<Vec<Option<String>>>, width: usize) -> anyhow::Result<u64> {
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
        Ok(query.execute(&mut self.connection).await?.rows_affected())
    }

    /// Document 004: a log's source is a row of its own, and some errors raise an alert.
    async fn beside_log_entries(&mut self, steps: &[&WriteStep]) -> anyhow::Result<()> {
        let mut alerts = Vec::new();
        for (start, outcome) in steps.iter().filter_map(|step| log::ended(step)) {
            if self.known.insert(start.system.clone()) {
                sqlx::query(
                    "INSERT INTO log_sources (id, name, type, health_status) VALUES ($1::uuid, $2, 'application', 'healthy') ON CONFLICT DO NOTHING",
                )
                .bind(log::source_id(&start.system).to_string())
                .bind(clip(&start.system, 100))
                .execute(&mut self.connection)
                .await
                .context("insert into log_sources")?;
            }
            alerts.extend(Engineering::of(start, outcome).alert());
        }
        for alert in &alerts {
            let text = |name: &str| alert[name].as_str().unwrap_or_default().to_owned();
            sqlx::query(
                "INSERT INTO alerts (id, title, description, severity, status, source_id, rule_id, triggered_at, metadata) \
                 VALUES ($1::uuid, $2, $3, $4, $5, $6::uuid, $7::uuid, $8::timestamptz, $9::jsonb) ON CONFLICT DO NOTHING",
            )
            .bind(text("alert_id"))
            .bind(clip(&text("title"), 255))
            .bind(clip(&text("description"), usize::MAX))
            .bind(text("severity"))
            .bind(text("status"))
            .bind(text("source_id"))
            .bind(text("rule_id"))
            .bind(text("triggered_at"))
            .bind(table::storable(&alert["metadata"].to_string()))
            .execute(&mut self.connection)
            .await
            .context("insert into alerts")?;
        }
        self.alerts += alerts.len() as u64;
        Ok(())
    }
}

#[async_trait]
impl Writer for PostgresWriter {
    fn accepts(&self, start: &Start) -> bool {
        match self.table {
            Table::ApiRequestLogs => start.direction == Some(Direction::Out) && start.level.is_none(),
            Table::IntegrationActivityLog => start.level.is_none(),
            Table::Logs | Table::LogEntries => true,
        }
    }

    async fn write(&mut self, steps: &[WriteStep]) -> anyhow::Result<()> {
        let taken: Vec<&WriteStep> = steps.iter().collect();
        let once = self.table.of_outcome().is_empty();
        let wholes: Vec<WriteStep>;
        let (inserts, outcomes): (Vec<&WriteStep>, Vec<&WriteStep>) = if once {
            // A logger that writes once writes at the end.
            wholes = taken
                .iter()
                .filter_map(|step| match step {
                    WriteStep::Start(_) => None,
                    WriteStep::Complete(start, outcome) | WriteStep::Finished(start, outcome) => {
                        Some(WriteStep::Finished(start.clone(), outcome.clone()))
                    }
                })
                .collect();
            (wholes.iter().collect(), Vec::new())
        } else {
            taken.into_iter().partition(|step| !matches!(step, WriteStep::Complete(..)))
        };
        if self.table == Table::LogEntries {
            self.beside_log_entries(&inserts).await?;
        }
        self.insert(&inserts).await?;
        self.complete(&outcomes).await
    }

    fn written(&self) -> Vec<(String, u64)> {
        let mut written = vec![(self.table.as_str().to_owned(), self.rows)];
        if self.table == Table::LogEntries {
            written.push(("alerts".to_owned(), self.alerts));
        }
        written
    }
}
