//! Follows tables with SELECT alone.
//!
//! A row can become visible long after its time stamp, when its transaction commits, and an update in place leaves no
//! mark. So every poll is one snapshot and reads the row versions that no earlier snapshot can have seen: those whose
//! xmin is not older than the oldest transaction that was running then (`txid_snapshot_xmin`). There is no index on
//! xmin, so the time column bounds each poll (see [`TIERS`]), and rows without an outcome are read again by key.
//! `NOTIFY`, where a trigger sends it, only wakes the poll.
//!
//! A relation whose rows have no versions, and one that was written anew, is first looked at in silence: only what is
//! later than the position is told.
//!
//! A poll notes its horizon first. What it reads may then take several transactions, because nothing is sent while one
//! is open: a version that one of them cannot see belongs to a transaction that was running at the horizon or began
//! later, so the next poll reads it.
//!
//! Source: PostgreSQL documentation, "System Information Functions" and "Transaction Isolation".

mod undated;

use super::connection::Reader;
use super::listen::listen;
use super::mapping::Mapping;
use super::query::{PageOrder, Place};
use super::resume::{self, ResumePoint, TIER_COUNT};
use super::row::{Record, Wanted, by_halves, read};
use super::shape::{Shape, shape};
use super::state::{Before, TableState};
use super::tables::Tables;
use crosstail_core::model::{Activity, Status, Timestamp};
use crosstail_core::number::saturating_i64;
use crosstail_source::sql::Sql;
use crosstail_source::{OpenRows, Position, Sink, SourceEvent};
use sqlx::Row as _;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Rows per query.
const CHUNK: usize = 2000;
/// Rows without an outcome that are read again at once, at most, per table.
const OPEN: usize = 5000;
const OPEN_EVERY: Duration = Duration::from_secs(2);
/// The poll waits this long after a notification for further ones.
const COALESCE: Duration = Duration::from_millis(15);
/// How long delivered row versions are remembered.
const DEDUPE_TTL: Duration = Duration::from_mins(20);

/// Rows without versions that are remembered of one table, at most.
const MAX_REMEMBERED: usize = 200_000;
/// A position younger than this needs no rescan at the start.
const RECENT_US: i64 = 60_000_000;

/// How far back each tier reads, and how often. The last tier covers everything.
const TIERS: [(Duration, Duration); TIER_COUNT] = [
    (Duration::from_mins(1), Duration::from_secs(1)),
    (Duration::from_mins(15), Duration::from_secs(15)),
    (Duration::from_hours(24), Duration::from_mins(5)),
    (Duration::from_hours(24 * 36_500), Duration::from_mins(10)),
];
const RESCAN_TIER: usize = TIERS.len() - 1;

/// How many tiers a poll reads: all up to the deepest one that is due. Read at different times, two of them would leave a range
/// between them: a row that is too old for the one and was too young for the other is in no later range of a horizon that
/// has not seen it.
fn tiers_due(due: &[Instant; TIER_COUNT], now: Instant, notified: bool) -> usize {
    let deepest = due.iter().rposition(|due| now >= *due);
    deepest.map_or(usize::from(notified), |deepest| deepest + 1)
}

/// Why following ended.
pub(super) enum End {
    /// Nobody receives any more.
    Closed,
    /// The columns of a table have changed, or it was written anew; following goes on from here.
    Changed(Position, Before),
}

struct Follower<'a> {
    reader: Reader<'a>,
    /// What may come, change and go.
    watched: &'a [String],
    /// The tables, as they were looked up.
    shape: Shape,
    /// Whether they are others now.
    changed: bool,
    /// What was read and has not been sent.
    read: Vec<Activity>,
    /// What is to be said with it.
    notices: Vec<String>,
    tables: Vec<TableState<'a>>,
    sink: &'a Sink,
    /// Hashes of delivered row versions, each with the time of its last delivery.
    seen: HashMap<u64, Instant>,
    pruned: Instant,
    hasher: foldhash::fast::FixedState,
    /// When each tier is due next.
    due: [Instant; TIERS.len()],
    at: ResumePoint,
    /// The horizon of the present snapshot.
    current: i64,
}

/// A condition for the versions that are not older than a horizon. `None` (all versions) where the horizon is useless:
/// it is too old for ids that are compared modulo 2^32, or it is ahead of the server's own, which has been restored.
fn since_horizon(mapping: &Mapping, horizon: i64, current: i64) -> Option<Sql> {
    let known = (0..1 << 31).contains(&(current - horizon));
    // `age` is the distance from the newest id.
    let text = || format!("age(t.xmin) <= age('{}'::xid)", horizon & 0xffff_ffff);
    (mapping.relation.versioned && known).then(|| Sql::raw(text()))
}

/// Follows until the receiver has gone, or a table has changed. `before`: what is known of the tables at the position; `back`: those
/// that were gone since.
pub(super) async fn follow(
    reader: Reader<'_>,
    tables: &Tables,
    from: &Position,
    (before, back): (Option<&Before>, &BTreeSet<String>),
    sink: &Sink,
) -> Result<End, sqlx::Error> {
    let Tables { mappings, watched, .. } = tables;
    let start = match from.read::<ResumePoint>() {
        Some(at) => at,
        None => resume::here(reader, tables).await?,
    };
    let shaped = shape(reader, watched).await?;
    let woken = Arc::new(Notify::new());
    let listening = listen(reader, mappings, Arc::clone(&woken)).await?;
    let now = Instant::now();
    let mut states = Vec::with_capacity(mappings.len());
    for mapping in mappings {
        let back = back.contains(&mapping.table.name);
        states.push(TableState::new(reader, (mapping, back), &start, &shaped, before).await?);
    }
    let mut follower = Follower {
        reader,
        watched,
        shape: shaped,
        changed: false,
        read: Vec::new(),
        notices: Vec::new(),
        tables: states,
        sink,
        seen: HashMap::new(),
        pruned: now,
        hasher: foldhash::fast::FixedState::default(),
        due: TIERS.map(|(_, every)| now + every),
        current: start.horizons[0],
        at: start,
    };
    let ended = follower.run(&woken, listening).await;
    match ended {
        Ok(Some(at)) => Ok(follower.changed_since(at)),
        Ok(None) => Ok(End::Closed),
        // What was asked may be wrong because a column is another one now.
        Err(error) if error.as_database_error().is_some() => {
            follower.look().await?;
            let at = follower.at.clone();
            if follower.changed { Ok(follower.changed_since(at)) } else { Err(error) }
        }
        Err(error) => Err(error),
    }
}

impl Follower<'_> {
    /// Follows until nobody receives any more, or a table has changed: from where it goes on then.
    async fn run(&mut self, woken: &Notify, listening: bool) -> Result<Option<ResumePoint>, sqlx::Error> {
        let begun = Instant::now();
        let mut open_due = begun + OPEN_EVERY;
        let before = self.at.clone();
        self.begin().await?;
        if self.changed {
            return Ok(Some(before));
        }
        if self.sink.send(SourceEvent::CaughtUp).await.is_err() {
            return Ok(None);
        }
        loop {
            let due = self.due.iter().copied().chain([open_due]).min().unwrap_or(begun);
            let notified = tokio::select! {
                () = self.sink.closed() => return Ok(None),
                () = woken.notified(), if listening => {
                    tokio::time::sleep(COALESCE).await;
                    true
                }
                () = tokio::time::sleep_until(due) => false,
            };
            let now = Instant::now();
            let open = now >= open_due || notified;
            if open {
                open_due = now + OPEN_EVERY;
            }
            let before = self.at.clone();
            let gone = self.poll(now, notified, open).await?;
            if self.changed {
                return Ok(Some(before));
            }
            if gone {
                return Ok(None);
            }
            if open {
                self.look().await?;
                if self.changed {
                    return Ok(Some(self.at.clone()));
                }
            }
        }
    }

    /// The first poll. Reads back from the position, as far as each tier does, for what was written in the meantime,
    /// and lists the rows without an outcome.
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        let (since, since_us) = (self.at.horizons, self.at.time_us);
        let mut after = resume::now(self.reader).await?;
        let (horizons, time_us) = (after.horizons, after.time_us);
        self.current = horizons[0];
        for index in 0..self.tables.len() {
            self.list_unfinished(index).await?;
            self.read_closed(index).await?;
        }
        for (tier, horizon) in since.into_iter().enumerate() {
            let recent = tier == RESCAN_TIER && time_us - since_us < RECENT_US;
            let anew = self.tables.iter().any(TableState::is_written_anew);
            if recent {
                after.horizons[tier] = horizon;
            }
            if !recent || anew || self.tables.iter().any(TableState::is_looked_at_whole) {
                self.read_tier(tier, horizon, since_us, recent && !anew).await?;
            }
        }
        let looked: Vec<bool> = self.tables.iter_mut().map(TableState::looked).collect();
        if looked.contains(&true) {
            // What was written anew has been looked at, and all others with it.
            after.horizons[RESCAN_TIER] = horizons[RESCAN_TIER];
        }
        self.at = self.with_tables(after);
        self.send().await?;
        self.send_position().await;
        Ok(())
    }

    /// Reads what is due; returns whether the receiver is gone.
    async fn poll(&mut self, now: Instant, notified: bool, open: bool) -> Result<bool, sqlx::Error> {
        let snapshot = resume::now(self.reader).await?;
        self.current = snapshot.horizons[0];
        let mut at = self.at.clone();
        let tiers = tiers_due(&self.due, now, notified);
        for (tier, (_, every)) in TIERS.iter().enumerate().take(tiers) {
            self.read_tier(tier, at.horizons[tier], snapshot.time_us, false).await?;
            at.horizons[tier] = snapshot.horizons[tier];
            if tier == 0 {
                // What is later has not been looked for.
                at.time_us = snapshot.time_us;
            }
            self.due[tier] = now + *every;
        }
        if open {
            for index in 0..self.tables.len() {
                self.reread_unfinished(index).await?;
            }
        }
        self.at = self.with_tables(at);
        self.prune(now);
        self.send().await?;
        Ok(!self.send_position().await)
    }

    /// Sends what was read: no transaction is open, and the receiver may take as long as it likes. Where a table has changed
    /// meanwhile, what was read may be all of it, written anew: then nothing is sent, and following begins again.
    async fn send(&mut self) -> Result<(), sqlx::Error> {
        let read = std::mem::take(&mut self.read);
        if !read.is_empty() {
            self.look().await?;
        }
        if !read.is_empty() && !self.changed {
            // The loop notices a closed channel.
            let _ = self.sink.send(SourceEvent::Batch(read, None)).await;
        }
        for notice in std::mem::take(&mut self.notices) {
            let _ = self.sink.send(SourceEvent::Notice(notice)).await;
        }
        Ok(())
    }

    /// Looks at the shape of the tables.
    async fn look(&mut self) -> Result<(), sqlx::Error> {
        let now = shape(self.reader, self.watched).await?;
        if self.shape.has_changed(&now) {
            self.changed = true;
        } else if !self.changed {
            // A new partition may be written anew, too.
            self.shape = now;
        }
        Ok(())
    }

    /// Why following ends, and from where it goes on.
    fn changed_since(self, at: ResumePoint) -> End {
        let open = |table: TableState<'_>| {
            (table.mapping.relation.sql.clone(), table.open.keys().map(str::to_owned).collect())
        };
        let open = self.tables.into_iter().map(open).collect();
        End::Changed(Position::new(at), Before { shape: self.shape, open })
    }

    /// A position with how the tables are.
    fn with_tables(&self, at: ResumePoint) -> ResumePoint {
        let versioned = self.tables.iter().filter(|table| table.mapping.relation.versioned);
        let tables = versioned.map(|table| (table.mapping.relation.sql.clone(), table.at.clone())).collect();
        ResumePoint { tables, ..at }
    }

    /// Says that everything before the position was sent; returns whether somebody receives it.
    async fn send_position(&self) -> bool {
        if self.changed {
            return true;
        }
        self.sink.send(SourceEvent::Batch(Vec::new(), Some(Position::new(&self.at)))).await.is_ok()
    }

    fn prune(&mut self, now: Instant) {
        if now.duration_since(self.pruned) > DEDUPE_TTL / 4 {
            self.pruned = now;
            self.seen.retain(|_, at| now.duration_since(*at) < DEDUPE_TTL);
        }
    }

    /// Delivers one tier of every table: a range of time that no faster tier covers. `silent`: only of those tables
    /// whose first look is for all rows.
    async fn read_tier(&mut self, tier: usize, horizon: i64, time_us: i64, silent: bool) -> Result<(), sqlx::Error> {
        let back = |tier: usize| Timestamp(time_us - saturating_i64(TIERS[tier].0.as_micros()));
        let (from, until) = (back(tier), tier.checked_sub(1).map(back));
        for index in 0..self.tables.len() {
            let table = &self.tables[index];
            if silent && !table.is_looked_at_whole() {
                continue;
            }
            let is_undated_read = table.undated_tier() == Some(tier);
            if tier != RESCAN_TIER || table.is_small_enough_to_rescan() {
                self.read_range(index, horizon, from, until).await?;
            }
            if is_undated_read {
                self.read_undated(index, horizon).await?;
            }
        }
        Ok(())
    }

    /// Delivers the versions in a range of time that are not older than a horizon, in chunks.
    async fn read_range(
        &mut self,
        index: usize,
        horizon: i64,
        from: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<(), sqlx::Error> {
        let mapping = self.tables[index].mapping;
        let version = self.versions_since(index, horizon);
        let order = PageOrder { newest_first: false };
        let mut beyond: Option<Place> = None;
        let mut rows = 0;
        loop {
            let mut parts = vec![Sql::raw(mapping.time.dated()), mapping.time_is(">=", from)];
            parts.extend(until.map(|at| mapping.time_is("<", at)));
            parts.extend(version.clone());
            parts.extend(self.tables[index].unsilenced());
            parts.extend(beyond.as_ref().map(|place| order.after(mapping, place)));
            let rest = order.rest(mapping, parts, CHUNK);
            let (records, _) = read(self.reader, &Wanted { mapping, extra: "", rest: &rest, bare: &rest }).await?;
            let full = records.len() >= CHUNK;
            rows += records.len();
            if let Some(last) = records.last() {
                beyond = Some((last.activity.started_at, last.activity.id.to_string()));
            }
            self.deliver(index, records);
            if self.read.len() >= CHUNK {
                self.send().await?;
            }
            if !full {
                break;
            }
            if !mapping.relation.versioned && from.0 < -RECENT_US && rows > MAX_REMEMBERED {
                self.tables[index].too_large = true;
                break;
            }
        }
        Ok(())
    }

    /// A condition for the versions of a table that are not older than a horizon, where there are such.
    fn versions_since(&self, index: usize, horizon: i64) -> Option<Sql> {
        let table = &self.tables[index];
        let horizon = Some(horizon).filter(|_| !table.is_looked_at_whole());
        horizon.and_then(|horizon| since_horizon(table.mapping, horizon, self.current))
    }

    /// Keeps the rows whose version has not been sent yet, to be sent.
    fn deliver(&mut self, index: usize, records: Vec<Record>) {
        let now = Instant::now();
        for record in records {
            let Record { key, version, at, activity, .. } = record;
            let table = &mut self.tables[index];
            let mut hasher = self.hasher.build_hasher();
            (index, &key, version).hash(&mut hasher);
            if !table.mapping.relation.versioned {
                format!("{activity:?}").hash(&mut hasher);
            }
            let fresh = self.seen.insert(hasher.finish(), now).is_none();
            if activity.status == Some(Status::InProgress) {
                table.open.insert(key, version);
            } else {
                table.open.remove(&key);
            }
            if fresh && table.is_new(at, version) {
                table.at.passes(at);
                self.read.push(activity);
            }
        }
    }

    /// Lists the rows without an outcome, so that their end is seen however old they are.
    async fn list_unfinished(&mut self, index: usize) -> Result<(), sqlx::Error> {
        let mapping = self.tables[index].mapping;
        let sources = mapping.sources(crosstail_core::schema::Target::Status);
        let Some(raw) = sources.first().filter(|one| !one.is_opaque()).map(|one| one.sql.clone()) else {
            return Ok(());
        };
        let words = mapping.schema.definition().open_words();
        let words: Vec<String> = words.iter().map(|word| crosstail_source::sql::literal(word)).collect();
        let rest = format!(
            " WHERE ({raw})::text IN ({}) AND {} ORDER BY {} DESC LIMIT {}",
            words.join(", "),
            mapping.time.dated(),
            mapping.time.order(),
            OpenRows::MOST,
        );
        let mut sql = Sql::raw(format!("{} FROM {} t", mapping.ahead(), mapping.relation.sql));
        sql.push(&rest, []);
        let mut reading = self.reader.read().await?;
        let rows = reading.fetch(sql).await?;
        reading.end().await?;
        for row in &rows {
            let key = super::row::text(row, 0)?.unwrap_or_default().into_owned();
            self.tables[index].open.insert(key, row.try_get(1)?);
        }
        Ok(())
    }

    /// Reads what had no outcome before the table changed, and delivers what has one now: where every row looks new, nothing
    /// else would tell it.
    async fn read_closed(&mut self, index: usize) -> Result<(), sqlx::Error> {
        let table = &mut self.tables[index];
        let keys = std::mem::take(&mut table.open_before);
        let closed: Vec<String> = keys.into_iter().filter(|key| table.open.version(key).is_none()).collect();
        let mapping = table.mapping;
        for keys in closed.chunks(CHUNK) {
            let heads = keys.iter().map(|key| (key.clone(), 0, None)).collect();
            let records = by_halves(self.reader, mapping, "", heads).await?;
            self.read.extend(records.into_iter().map(|record| record.activity));
        }
        Ok(())
    }

    /// Reads the rows without an outcome again and delivers those that changed.
    async fn reread_unfinished(&mut self, index: usize) -> Result<(), sqlx::Error> {
        let keys = self.tables[index].open.turn(OPEN);
        if keys.is_empty() {
            return Ok(());
        }
        let mapping = self.tables[index].mapping;
        let heads = keys.iter().map(|key| (key.clone(), 0, None)).collect();
        let mut records = by_halves(self.reader, mapping, "", heads).await?;
        let open = &mut self.tables[index].open;
        let there: HashSet<&str> = records.iter().map(|record| record.key.as_str()).collect();
        keys.iter().filter(|key| !there.contains(key.as_str())).for_each(|key| open.remove(key));
        records.retain(|record| !mapping.relation.versioned || open.version(&record.key) != Some(record.version));
        self.deliver(index, records);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a follower has read: at which time each tier was read.
    fn reads(pauses: &[u64]) -> Vec<(Duration, usize)> {
        let begun = Instant::now();
        let (mut due, mut at, mut reads) = (TIERS.map(|(_, every)| begun + every), Duration::ZERO, Vec::new());
        for pause in pauses {
            at += Duration::from_millis(*pause);
            let now = begun + at;
            for tier in 0..tiers_due(&due, now, false) {
                reads.push((at, tier));
                due[tier] = now + TIERS[tier].1;
            }
        }
        reads
    }

    proptest! {
        /// A row that is committed between two polls is in the range of a read whose horizon is older.
        #[test]
        fn no_row_falls_between_two_tiers(
            pauses in prop::collection::vec(300u64..1700, 900),
            committed in 1000u64..60_000,
            age in prop_oneof![0u64..70_000, 59_000u64..61_000, 899_000u64..901_000, 1_000_000u64..2_000_000],
        ) {
            let committed = Duration::from_millis(committed);
            let told = reads(&pauses).into_iter().filter(|(at, _)| *at >= committed);
            let mut first = [true; TIER_COUNT];
            let is_told = told.into_iter().any(|(at, tier)| {
                // Later reads of a tier have a horizon that is newer than the row.
                let sees = std::mem::take(&mut first[tier]);
                let old = Duration::from_millis(age) + at.saturating_sub(committed);
                let younger = tier.checked_sub(1).map_or(Duration::ZERO, |tier| TIERS[tier].0);
                sees && old <= TIERS[tier].0 && (tier == 0 || old > younger)
            });
            prop_assert!(is_told);
        }
    }
}
