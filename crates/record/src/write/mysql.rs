//! MySQL and MariaDB: each table's rows, many in one statement.

use super::table::{Cell, Layout, RowStep};
use super::{Refused, Table, Writer};
use crate::{Start, WriteStep};
use anyhow::Context as _;
use async_trait::async_trait;
use rayon::prelude::*;
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError};
use sqlx::{AssertSqlSafe, Connection as _};

/// Rows a statement: each column of each row is a parameter, of which there may be 65,535.
const ROWS: usize = 500;

/// Writes into one table. What one call writes is written as a whole or not at all.
#[derive(Debug)]
pub struct MysqlWriter {
    connection: MySqlConnection,
    table: Table,
    rows: u64,
}

impl MysqlWriter {
    /// The tables that are defined for MySQL.
    pub const TABLES: [Table; 2] = [Table::IntegrationActivityLog, Table::Logs];

    /// Connects.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached, or the table is not there.
    pub async fn connect(url: &str, table: Table) -> anyhow::Result<Self> {
        let mut connection = MySqlConnection::connect(url).await.context("connect")?;
        if !is_there(&mut connection, table).await? {
            anyhow::bail!(
                "there is no table {}; create it with: crosstail schema apply {} --to URL",
                table.as_str(),
                table.schema()
            );
        }
        Ok(Self { connection, table, rows: 0 })
    }

    /// Those of the tables that a database has.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached.
    pub async fn tables(url: &str) -> anyhow::Result<Vec<Table>> {
        let mut connection = MySqlConnection::connect(url).await.context("connect")?;
        let mut found = Vec::new();
        for table in Self::TABLES {
            if is_there(&mut connection, table).await? {
                found.push(table);
            }
        }
        Ok(found)
    }

    /// Writes all steps or none; gives how many rows were inserted. What is one statement is sent as one; what is several
    /// is a transaction.
    async fn write_all(&mut self, steps: &[WriteStep]) -> anyhow::Result<u64> {
        let layout = self.table.layout();
        let (inserts, updates) = layout.divide(steps);
        let is_one_statement = updates.is_empty() && inserts.len() <= ROWS || inserts.is_empty() && updates.len() == 1;
        if is_one_statement {
            write_rows(&mut self.connection, layout, &inserts, &updates).await?;
        } else {
            let mut transaction = self.connection.begin().await.context("begin")?;
            write_rows(&mut transaction, layout, &inserts, &updates).await?;
            transaction.commit().await.context("commit")?;
        }
        Ok(inserts.len() as u64)
    }
}

async fn write_rows(
    connection: &mut MySqlConnection,
    layout: &Layout,
    inserts: &[RowStep<'_>],
    updates: &[RowStep<'_>],
) -> anyhow::Result<()> {
    for chunk in inserts.chunks(ROWS) {
        insert(connection, layout, chunk).await.with_context(|| format!("insert into {}", layout.name))?;
    }
    if !updates.is_empty() {
        update(connection, layout, updates).await.with_context(|| format!("update {}", layout.name))?;
    }
    Ok(())
}

async fn is_there(connection: &mut MySqlConnection, table: Table) -> anyhow::Result<bool> {
    let text = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?";
    Ok(sqlx::query_scalar::<_, i64>(text).bind(table.as_str()).fetch_one(connection).await? > 0)
}

async fn insert(on: &mut MySqlConnection, layout: &Layout, steps: &[RowStep<'_>]) -> anyhow::Result<()> {
    // Redacting is most of the work.
    let rows: Vec<Vec<Option<String>>> =
        steps.par_iter().map(|step| texts(layout.row(step.start, step.outcome))).collect();
    let mut query = sqlx::query(AssertSqlSafe(insert_statement(layout, rows.len()))).persistent(false);
    for value in rows.into_iter().flatten() {
        query = query.bind(value);
    }
    query.execute(on).await?;
    Ok(())
}

/// What is there already, from a try that was not answered, is not written twice.
fn insert_statement(layout: &Layout, rows: usize) -> String {
    let names: Vec<&str> = layout.columns.iter().map(|column| column.name.as_str()).collect();
    let marks = format!("({})", vec!["?"; names.len()].join(", "));
    let rows = vec![marks; rows].join(", ");
    let key = layout.key().and_then(|at| names.get(at)).or(names.first()).copied().unwrap_or_default();
    format!("INSERT INTO {} ({}) VALUES {rows} ON DUPLICATE KEY UPDATE {key} = {key}", layout.name, names.join(", "))
}

async fn update(on: &mut MySqlConnection, layout: &Layout, steps: &[RowStep<'_>]) -> anyhow::Result<()> {
    let Some(key) = layout.key() else { return Ok(()) };
    let mut columns = layout.set_at_end();
    let sets: Vec<String> = columns.iter().map(|at| format!("{} = ?", layout.columns[*at].name)).collect();
    let text = format!("UPDATE {} SET {} WHERE {} = ?", layout.name, sets.join(", "), layout.columns[key].name);
    columns.push(key);
    let rows: Vec<Vec<Option<String>>> =
        steps.par_iter().filter_map(|step| Some(texts(layout.cells(&columns, step.start, step.outcome?)))).collect();
    for row in rows {
        let mut query = sqlx::query(AssertSqlSafe(text.clone()));
        for value in row {
            query = query.bind(value);
        }
        query.execute(&mut *on).await?;
    }
    Ok(())
}

/// A row's values as text, as MySQL reads them.
fn texts(cells: Vec<Option<Cell>>) -> Vec<Option<String>> {
    let text = |cell| match cell {
        Cell::Text(text) => text,
        Cell::Uuid(id) => id.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Boolean(value) => u8::from(value).to_string(),
        Cell::Time(at) => at.rfc3339().trim_end_matches('Z').replace('T', " "),
        Cell::Json(value) => value.to_string(),
    };
    cells.into_iter().map(|cell| cell.map(text)).collect()
}

/// Whether MySQL refuses a record for what it is, and would not on another try or for another record: data exceptions
/// (class 22), integrity constraints (23), a view's check option (44), what a trigger raises (45), and errors that have no
/// class of their own: a value that is missing (1364) or wrong (1264, 1265, 1366, 1406), no partition (1526), a check
/// constraint (3819, MariaDB 4025).
fn is_of_the_record(error: &anyhow::Error) -> bool {
    const NUMBERS: [u16; 8] = [1264, 1265, 1364, 1366, 1406, 1526, 3819, 4025];
    let Some(sqlx::Error::Database(error)) = error.downcast_ref::<sqlx::Error>() else { return false };
    let number = error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
    error.code().is_some_and(|code| ["22", "23", "44", "45"].iter().any(|class| code.starts_with(class)))
        || number.is_some_and(|number| NUMBERS.contains(&number))
}

#[async_trait]
impl Writer for MysqlWriter {
    fn accepts(&self, start: &Start) -> bool {
        self.table.layout().accepts(start)
    }

    async fn write(&mut self, steps: &[WriteStep]) -> anyhow::Result<()> {
        match self.write_all(steps).await {
            Ok(rows) => {
                self.rows += rows;
                Ok(())
            }
            // Which row it is, the caller finds out.
            Err(error) if is_of_the_record(&error) => Err(Refused::OneOf(format!("{error:#}")).into()),
            Err(error) => Err(error),
        }
    }

    fn written(&self) -> Vec<(String, u64)> {
        vec![(self.table.as_str().to_owned(), self.rows)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::Timestamp;

    #[test]
    fn rows_are_written_as_mysql_reads_them() {
        let cells = [Cell::Time(Timestamp(1_795_165_200_123_456)), Cell::Boolean(true)].map(Some);
        let wanted = ["2026-11-20 09:00:00.123456", "1"].map(|text| Some(text.to_owned()));
        assert_eq!(texts(cells.to_vec()), wanted);
        let statement = insert_statement(Table::IntegrationActivityLog.layout(), 2);
        assert!(statement.starts_with("INSERT INTO integration_activity_log (id, "), "{statement}");
        assert!(statement.ends_with("?) ON DUPLICATE KEY UPDATE id = id"), "{statement}");
        assert!(
            insert_statement(Table::Logs.layout(), 1).ends_with("?) ON DUPLICATE KEY UPDATE timestamp = timestamp")
        );
    }
}
