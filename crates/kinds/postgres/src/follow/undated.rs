//! Rows without a time: no range of time has them, so they are looked for on their own.

use super::super::query::PageOrder;
use super::super::row::{Wanted, read};
use super::{CHUNK, Follower};
use crosstail_source::sql::Sql;
use tokio::time::Instant;

/// A view is looked at for this part of the time at most.
const SHARE: u32 = 5;
/// Rows of a view or a foreign table that are compared, at most: each look reads all of them.
const UNVERSIONED: usize = 5 * CHUNK;

impl Follower<'_> {
    /// Delivers the rows without a time whose versions are not older than a horizon.
    pub(super) async fn read_undated(&mut self, index: usize, horizon: i64) -> Result<(), sqlx::Error> {
        let (mapping, begun) = (self.tables[index].mapping, Instant::now());
        if !mapping.relation.versioned && begun < self.tables[index].undated_due {
            return Ok(());
        }
        let version = self.versions_since(index, horizon);
        let (mut beyond, mut rows): (Option<String>, usize) = (None, 0);
        loop {
            let mut parts = vec![Sql::raw(mapping.time.undated())];
            parts.extend(version.clone());
            parts.extend(beyond.as_deref().map(|id| PageOrder::behind(mapping, id)));
            let mut rest = Sql::raw(" WHERE ");
            rest.append("", &Sql::join(parts, " AND "));
            rest.append("", &PageOrder::by_identity(mapping, CHUNK));
            let records = match read(self.reader, &Wanted { mapping, extra: "", rest: &rest, bare: &rest }).await {
                Err(error) if is_timeout(&error) => {
                    self.leave_undated(index);
                    return Ok(());
                }
                found => found?.0,
            };
            rows += records.len();
            beyond = records.last().filter(|_| records.len() >= CHUNK).map(|last| last.activity.id.to_string());
            if !mapping.relation.versioned && rows > UNVERSIONED {
                self.leave_undated(index);
                return Ok(());
            }
            self.deliver(index, records);
            if self.read.len() >= CHUNK {
                self.send().await?;
            }
            if beyond.is_none() {
                break;
            }
        }
        self.tables[index].undated_due = Instant::now() + begun.elapsed() * SHARE;
        Ok(())
    }

    fn leave_undated(&mut self, index: usize) {
        let table = &mut self.tables[index];
        table.leaves_undated = true;
        self.notices.push(format!(
            "{}: rows without a time are not followed: no index finds them, and there are too many rows to read them all",
            table.mapping.relation.title()
        ));
    }
}

/// The server ended a query because it took too long.
fn is_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|db| db.code()).is_some_and(|code| code == "57014")
}
