//! What following remembers: the version of each row, so that of a span in which something changed only that is delivered.
//! Not all rows are remembered, and of what is older than those nothing tells whether it is new.

use super::Follower;
use super::rows::{RowVersion, versions};
use super::sums::{Found, Span, learnable};
use super::survey::is_small;
use super::tiers::{DAY, TIERS};
use crosstail_core::model::Timestamp;
use crosstail_core::number::saturating_i64;
use crosstail_source::SourceEvent;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Rows remembered at most, of all tables.
pub(super) const REMEMBERED: usize = 1_000_000;
/// Rows whose versions are learnt at once, a table.
const LEARNT: i64 = 200_000;
/// What is as new as this is always delivered: what is written now must not be taken for old.
const ALWAYS_US: i64 = 60_000_000;

/// What is remembered of one table.
pub(super) struct Memory {
    /// Every row since this moment is remembered.
    since_us: i64,
    /// Whether it was said that some are not.
    is_told: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self { since_us: i64::MAX, is_told: false }
    }
}

/// By what a row is remembered.
pub(super) fn hash(index: usize, key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (index, key).hash(&mut hasher);
    hasher.finish()
}

impl Follower<'_> {
    /// Remembers rows as they are, unless they are remembered.
    pub(super) fn note(&mut self, index: usize, rows: &[RowVersion]) {
        for one in rows {
            self.seen.entry(hash(index, &one.key)).or_insert((one.version, one.time_us));
        }
    }

    /// Learns the versions of rows that are older than those that are remembered, the newest first, as many as are learnt
    /// at once. `same`: what did not change, of what a tier found.
    pub(super) async fn learn(&mut self, index: usize, found: &Found, same: &[Span]) -> Result<(), sqlx::Error> {
        let mapping = self.tables[index].mapping;
        let since_us = self.tables[index].memory.since_us;
        let older = &same[same.partition_point(|span| span.from_us >= since_us)..];
        let room = saturating_i64(REMEMBERED.saturating_sub(self.seen.len()));
        let (now, later) = older.split_at(learnable(older, LEARNT.min(room)).count());
        for span in now {
            let rows = versions(self.reading().await?, mapping, &span.condition(mapping)).await?;
            let until = self.tables[index].silent_until;
            let (new, old): (Vec<RowVersion>, Vec<RowVersion>) =
                rows.into_iter().partition(|one| until.is_some_and(|until| one.time_us >= until));
            self.note(index, &old);
            self.deliver(index, new).await?;
        }
        let reached = later.first().map_or(found.from_us, |span| span.until_us);
        let memory = &mut self.tables[index].memory;
        memory.since_us = memory.since_us.min(reached);
        Ok(())
    }

    /// Everything that is learnt at the beginning is.
    pub(super) fn has_learnt(&mut self) {
        let always = self.time_us - ALWAYS_US;
        for table in &mut self.tables {
            table.memory.since_us = table.memory.since_us.min(always);
        }
    }

    /// Of the rows of a span that is another one now, those that may be new. What is older than everything that is remembered
    /// may have been there all the time: it is known from now on.
    pub(super) fn may_be_new(&mut self, index: usize, rows: Vec<RowVersion>) -> Vec<RowVersion> {
        let table = &self.tables[index];
        let (mut new, mut old, mut is_unknown) = (Vec::new(), Vec::new(), false);
        for one in rows {
            // Rows without an outcome are known by their keys, however old they are.
            let open = table.open.version(&one.key);
            let is_remembered = one.time_us >= table.memory.since_us || self.seen.contains_key(&hash(index, &one.key));
            if is_remembered || open.is_some_and(|version| version != one.version) {
                new.push(one);
            } else {
                is_unknown |= open.is_none();
                old.push(one);
            }
        }
        self.note(index, &old);
        let table = &mut self.tables[index];
        if is_unknown && !table.memory.is_told {
            table.memory.is_told = true;
            self.unsent.push(SourceEvent::Notice(format!(
                "{} has more rows than are remembered: of what began before {}, only rows in progress and new numbers \
                 are followed",
                table.mapping.table.name,
                Timestamp(table.memory.since_us).rfc3339()
            )));
        }
        new
    }

    /// Forgets rows that no tier compares any more, the oldest first where there are too many.
    pub(super) fn forget(&mut self) {
        if self.tables.iter().all(|table| !is_small(table.mapping)) {
            let oldest = self.time_us - TIERS[DAY].back_us - 2 * TIERS[DAY].span_us;
            self.seen.retain(|_, (_, time_us)| *time_us >= oldest);
        }
        if self.seen.len() > REMEMBERED {
            let mut times: Vec<i64> = self.seen.values().map(|(_, time_us)| *time_us).collect();
            let cut = times.len() - REMEMBERED;
            let (_, newest_gone, _) = times.select_nth_unstable(cut);
            let newest_gone = *newest_gone;
            self.seen.retain(|_, (_, time_us)| *time_us > newest_gone);
            let since_us = newest_gone.saturating_add(1).min(self.time_us - ALWAYS_US);
            for table in &mut self.tables {
                table.memory.since_us = table.memory.since_us.max(since_us);
            }
        }
    }
}
