//! Rows without a time: no tier has them. The server adds them up, and where the sum differs they are read, page by page.

use super::memory::REMEMBERED;
use super::rows::{RowVersion, versions};
use super::{Follower, SHARE, is_timeout};
use crate::connection::ReadTransaction;
use crate::mapping::Mapping;
use crosstail_source::SourceEvent;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql};
use sqlx::Row as _;
use std::time::Duration;
use tokio::time::Instant;

/// How often they are looked for: where an index finds them, and where the server has to read every row.
const INDEXED: Duration = Duration::from_secs(1);
const READ: Duration = Duration::from_secs(5);
/// Rows read at a time.
const PAGE: usize = 20_000;

/// What is known of the rows of a table that have no time.
pub(super) struct Undated {
    due: Instant,
    /// Whether the version of each is remembered.
    is_known: bool,
    /// There are more than are remembered, or it takes longer than a query may.
    is_given_up: bool,
}

impl Undated {
    pub(super) fn new() -> Self {
        Self { due: Instant::now(), is_known: false, is_given_up: false }
    }
}

/// Where every row is read anyway, a date without a month is found, too.
fn condition(mapping: &Mapping) -> String {
    if mapping.finds_untimed() { mapping.untimed() } else { mapping.timed(false).text }
}

/// How many there are, and the sum of their versions; `None` where that takes longer than a query may.
pub(super) async fn sum(reading: &mut ReadTransaction, mapping: &Mapping) -> Result<Option<(usize, i64)>, sqlx::Error> {
    let sql = Sql::raw(format!(
        "SELECT CAST(COUNT(*) AS SIGNED), CAST(BIT_XOR({}) AS SIGNED) FROM {} t WHERE {}",
        mapping.version(),
        mapping.relation.sql,
        condition(mapping)
    ));
    let rows = match reading.fetch(sql).await {
        Err(error) if is_timeout(&error) => return Ok(None),
        rows => rows?,
    };
    let Some(row) = rows.first() else { return Ok(Some((0, 0))) };
    let count: i64 = row.try_get_unchecked(0)?;
    Ok(Some((usize::try_from(count).unwrap_or(usize::MAX), row.try_get_unchecked(1)?)))
}

/// Some of them in order of their keys, behind one.
async fn page(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    after: Option<&str>,
) -> Result<Vec<RowVersion>, sqlx::Error> {
    let key = mapping.key_text();
    let mut condition = Sql::raw(condition(mapping));
    if let Some(after) = after {
        condition.push(&format!(" AND {key} > {PLACEHOLDER}"), [Bind::Text(after.to_owned())]);
    }
    condition.push(&format!(" ORDER BY {key} LIMIT {PAGE}"), []);
    versions(reading, mapping, &condition).await
}

impl Follower<'_> {
    /// Delivers those that are new or changed, where it is time to look for them.
    pub(super) async fn read_undated(&mut self, index: usize, first: bool) -> Result<(), sqlx::Error> {
        let mapping = self.tables[index].mapping;
        let undated = &self.tables[index].undated;
        if undated.is_given_up || (!first && Instant::now() < undated.due) {
            return Ok(());
        }
        let begun = Instant::now();
        let found = sum(self.reading().await?, mapping).await?;
        let every = if mapping.finds_untimed() { INDEXED } else { READ };
        self.tables[index].undated.due = Instant::now() + every.max(begun.elapsed() * SHARE);
        let most = REMEMBERED / 4 / self.tables.len().max(1);
        let Some((_, sum)) = found.filter(|(count, _)| *count <= most) else {
            self.give_up_undated(index);
            return Ok(());
        };
        let before = self.tables[index].at.undated.replace(sum);
        let is_told = before.is_some_and(|before| before != sum);
        if !is_told && self.tables[index].undated.is_known {
            return Ok(());
        }
        let mut after: Option<String> = None;
        loop {
            let rows = match page(self.reading().await?, mapping, after.as_deref()).await {
                Err(error) if is_timeout(&error) => {
                    self.give_up_undated(index);
                    return Ok(());
                }
                rows => rows?,
            };
            after = rows.last().filter(|_| rows.len() >= PAGE).map(|last| last.key.clone());
            if is_told {
                self.deliver(index, rows).await?;
            } else {
                self.note(index, &rows);
            }
            if after.is_none() {
                break;
            }
        }
        let undated = &mut self.tables[index].undated;
        undated.is_known = true;
        undated.due = Instant::now() + every.max(begun.elapsed() * SHARE);
        Ok(())
    }

    fn give_up_undated(&mut self, index: usize) {
        let table = &mut self.tables[index];
        table.undated.is_given_up = true;
        self.unsent.push(SourceEvent::Notice(format!(
            "{}: of the rows without a time only those are followed that the server numbers: the others are too many",
            table.mapping.table.name
        )));
    }
}
