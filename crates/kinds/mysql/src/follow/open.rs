//! Rows without an outcome: they are read again by their keys, so that their end is seen however old they are.

use super::rows::versions;
use super::{CHUNK, Follower, OPEN};
use crate::query::by_keys;
use crosstail_core::schema::Target;
use crosstail_source::sql::{Sql, literal};
use crosstail_source::{OpenRows, SourceEvent};
use std::collections::{BTreeMap, HashSet};

/// The keys of the rows without an outcome, by the names of their tables.
pub(crate) type OpenKeys = BTreeMap<String, Vec<String>>;

impl Follower<'_> {
    pub(super) fn open_keys(&self) -> OpenKeys {
        let keys = |open: &OpenRows| open.keys().map(str::to_owned).collect();
        self.tables.iter().map(|table| (table.mapping.table.name.clone(), keys(&table.open))).collect()
    }

    /// Reads what had no outcome before a table changed, and delivers what has one now: in a first look that is silent, nothing
    /// else would tell it.
    pub(super) async fn read_closed(&mut self, index: usize, before: &OpenKeys) -> Result<(), sqlx::Error> {
        let mapping = self.tables[index].mapping;
        let before = before.get(&mapping.table.name).map(Vec::as_slice).unwrap_or_default();
        let open = &self.tables[index].open;
        let closed: Vec<String> = before.iter().filter(|key| open.version(key).is_none()).cloned().collect();
        for keys in closed.chunks(CHUNK) {
            let records = by_keys(self.reading().await?, mapping, keys).await?;
            let batch: Vec<_> = records.into_iter().map(|record| record.activity).collect();
            self.unsent_rows += batch.len();
            self.unsent.push(SourceEvent::Batch(batch, None));
        }
        Ok(())
    }

    /// The rows that are open now, so that their end is seen however old they are.
    pub(super) async fn list_unfinished(&mut self, index: usize) -> Result<(), sqlx::Error> {
        let mapping = self.tables[index].mapping;
        let Some(raw) = mapping.sources(Target::Status).first().map(|(sql, _)| (*sql).to_owned()) else {
            return Ok(());
        };
        let words: Vec<String> = mapping.schema.definition().open_words().iter().map(|word| literal(word)).collect();
        let mut condition = Sql::raw(format!("{raw} IN ({})", words.join(", ")));
        condition.append(" AND ", &mapping.timed(true));
        condition.push(&format!(" ORDER BY {} DESC LIMIT {}", mapping.time(), OpenRows::MOST), []);
        for one in versions(self.reading().await?, mapping, &condition).await? {
            self.tables[index].open.insert(one.key, one.version);
        }
        Ok(())
    }

    /// Reads the open rows again and delivers those that changed.
    pub(super) async fn reread_unfinished(&mut self, index: usize) -> Result<(), sqlx::Error> {
        let mapping = self.tables[index].mapping;
        let known = self.tables[index].open.turn(OPEN);
        for keys in known.chunks(CHUNK) {
            let mut rows = versions(self.reading().await?, mapping, &mapping.with_keys(keys)).await?;
            let there: HashSet<&str> = rows.iter().map(|one| one.key.as_str()).collect();
            for key in keys.iter().filter(|key| !there.contains(key.as_str())) {
                self.tables[index].open.remove(key);
            }
            rows.retain(|one| self.tables[index].open.version(&one.key) != Some(one.version));
            self.deliver(index, rows).await?;
        }
        Ok(())
    }
}
