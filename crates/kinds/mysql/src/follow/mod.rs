//! Following tables without any right but SELECT.
//!
//! A row carries no mark of the transaction that wrote it, a transaction may commit long after its rows were stamped, and
//! rows are updated in place. So what is there is compared with what was there:
//!
//! - Of each span of time the server adds up the versions of its rows (a hash of each row); where the sum differs from
//!   the last one, the rows of that span are read again. The newest minute is compared every second, a quarter of an hour
//!   every quarter of a minute, a day every five minutes, everything every ten (of tables that are small).
//! - Numbers of an auto-increment column that are missing may be of transactions that are still open: for an hour they
//!   are asked for by name. What is above the highest number is new, whatever time it bears.
//! - Rows without an outcome are read again by their key.
//! - Rows without a time are added up, too.
//!
//! Nothing is sent while a transaction is open, so a poll may take several: sums are taken before the rows that they
//! belong to, so what changes in between has another sum in the next poll. All of it depends on nothing but what a SELECT can see: it works on replicas, in clusters
//! that number in steps, and on tables without transactions. What it cannot see: that a row was changed and changed back
//! between two polls; a row of a large table that is changed, or appears with another time than now and without a number,
//! more than a day behind, or further behind than rows are remembered.

mod memory;
mod numbers;
mod open;
mod rows;
mod runs;
mod state;
mod sums;
mod survey;
mod tiers;
mod undated;
mod unread;

use crate::connection::{ReadTransaction, Reader};
use crate::error::{is_of_tables, number};
use crate::mapping::Mapping;
use crate::one::is_of_data;
use crate::query::by_keys;
use crate::row::Record;
use crate::tables::Tables;
use crosstail_core::model::{Activity, Status};
use crosstail_source::{OpenRows, Position, Sink, SourceEvent};
use memory::{Memory, REMEMBERED, hash};
use numbers::Numbers;
pub(crate) use open::OpenKeys;
use rows::{RowVersion, versions};
use state::{ResumePoint, TableResumePoint, made, now_at};
pub(crate) use state::{position, with_new};
use std::collections::HashMap;
use std::time::Duration;
use sums::Found;
use survey::{has_changed, is_small, now};
use tiers::{DAY, SWEEP, TIERS, Tier};
use tokio::time::Instant;
use undated::Undated;
use unread::leave_out;

/// Rows read at a time.
const CHUNK: usize = 1000;
/// Open rows that are read again at once, at most, a table.
const OPEN: usize = 5000;
const OPEN_EVERY: Duration = Duration::from_secs(2);
/// A position is handed on at least this often.
const POSITION_EVERY: Duration = Duration::from_secs(5);
/// Adding up takes the server at most one part in this many of the time.
const SHARE: u32 = 5;

/// What is known of one table.
struct TableState<'a> {
    mapping: &'a Mapping,
    open: OpenRows,
    at: TableResumePoint,
    /// Versions are made in another way than at the position: the first look tells only what is later than this.
    silent_until: Option<i64>,
    /// Tiers that take longer than a query may.
    given_up: [bool; TIERS.len()],
    memory: Memory,
    undated: Undated,
}

struct Follower<'a> {
    reader: Reader<'a>,
    /// The tables as they were looked up.
    looked_up: &'a Tables,
    /// Whether they are others now.
    changed: bool,
    /// The transaction in which is read.
    reading: Option<ReadTransaction>,
    /// What was read in it and has not been sent.
    unsent: Vec<SourceEvent>,
    /// Rows of these.
    unsent_rows: usize,
    tables: Vec<TableState<'a>>,
    sink: &'a Sink,
    /// The version and the time of each row that was delivered or learnt, by the hash of its key.
    seen: HashMap<u64, (i64, i64)>,
    /// When each tier is due.
    due: [Instant; TIERS.len()],
    /// How long the server took to add up what was due last.
    added_up: Duration,
    open_due: Instant,
    handed_on: Instant,
    time_us: i64,
    /// Something was delivered since a position was handed on.
    delivered: bool,
    /// The position that was handed on last.
    last: &'a mut Position,
}

/// Why following ended.
pub(crate) enum End {
    /// Nobody receives any more.
    Closed,
    /// The shape of a table has changed; following goes on from here.
    Changed(Position, OpenKeys),
}

/// Follows until nobody receives, or a table has changed.
pub(crate) async fn follow(
    reader: Reader<'_>,
    tables: &Tables,
    (from, open): (&Position, &OpenKeys),
    sink: &Sink,
) -> Result<End, sqlx::Error> {
    let (mut from, mut open) = (from.clone(), open.clone());
    loop {
        let mut last = from.clone();
        match run(reader, tables, (&from, &mut open), &mut last, sink).await {
            Err(error) if is_of_data(&error) => {
                let notices = leave_out(reader, &tables.mappings).await?;
                if notices.is_empty() {
                    return Err(error);
                }
                for notice in notices {
                    // A closed channel is noticed by the loop.
                    let _ = sink.send(SourceEvent::Notice(notice)).await;
                }
                from = last;
            }
            Err(error) if is_of_tables(&error) && has_changed(reader, tables).await? => {
                return Ok(End::Changed(last, open));
            }
            end => return end,
        }
    }
}

async fn run(
    reader: Reader<'_>,
    tables: &Tables,
    (from, open_before): (&Position, &mut OpenKeys),
    last: &mut Position,
    sink: &Sink,
) -> Result<End, sqlx::Error> {
    let mut start = match from.read::<ResumePoint>() {
        Some(at) => at,
        None => now_at(reader, &tables.mappings).await?,
    };
    let now = Instant::now();
    let states = tables.mappings.iter().map(|mapping| {
        let mut at = start.tables.remove(&mapping.table.name).unwrap_or_default();
        let is_other = at.made != made(mapping);
        at.created.clone_from(&mapping.relation.created);
        if is_other {
            at = TableResumePoint {
                numbers: at.numbers,
                made: made(mapping),
                created: at.created,
                ..TableResumePoint::default()
            };
        }
        let silent_until = is_other.then_some(start.time_us);
        TableState {
            mapping,
            open: OpenRows::default(),
            at,
            silent_until,
            given_up: [false; TIERS.len()],
            memory: Memory::default(),
            undated: Undated::new(),
        }
    });
    let mut follower = Follower {
        reader,
        looked_up: tables,
        changed: false,
        reading: None,
        unsent: Vec::new(),
        unsent_rows: 0,
        tables: states.collect(),
        sink,
        seen: HashMap::new(),
        due: TIERS.map(|tier| now + tier.every),
        added_up: Duration::ZERO,
        open_due: now + OPEN_EVERY,
        handed_on: now,
        time_us: start.time_us,
        delivered: true,
        last,
    };
    let ended = follower.run(std::mem::take(open_before)).await;
    *open_before = follower.open_keys();
    Ok(if ended? { End::Changed(follower.last.clone(), std::mem::take(open_before)) } else { End::Closed })
}

impl Follower<'_> {
    /// Follows until nobody receives any more, or, which is the flag, a table has changed.
    async fn run(&mut self, open_before: OpenKeys) -> Result<bool, sqlx::Error> {
        let begun = Instant::now();
        self.begin(open_before).await?;
        if self.changed {
            return Ok(true);
        }
        if self.sink.send(SourceEvent::CaughtUp).await.is_err() {
            return Ok(false);
        }
        loop {
            let due = self.due.iter().copied().min().unwrap_or(begun);
            tokio::select! {
                () = self.sink.closed() => return Ok(false),
                () = tokio::time::sleep_until(due) => {}
            }
            if Instant::now() >= self.open_due {
                self.look().await?;
            }
            if !self.changed {
                self.poll().await?;
            }
            if self.changed {
                return Ok(true);
            }
        }
    }

    /// Looks at the shape of the tables.
    async fn look(&mut self) -> Result<(), sqlx::Error> {
        self.changed |= has_changed(self.reader, self.looked_up).await?;
        Ok(())
    }

    /// Looks back from the position as each tier would have: what was written while nobody listened is delivered, and of
    /// what did not change the versions are learnt, so that it is not delivered later.
    async fn begin(&mut self, open_before: OpenKeys) -> Result<(), sqlx::Error> {
        let since = self.time_us;
        self.time_us = now(self.reading().await?).await?;
        for index in 0..self.tables.len() {
            self.list_unfinished(index).await?;
            self.read_closed(index, &open_before).await?;
            self.read_numbers(index).await?;
            self.read_undated(index, true).await?;
        }
        for tier in 0..TIERS.len() {
            for index in 0..self.tables.len() {
                if tier != SWEEP || is_small(self.tables[index].mapping) {
                    self.begin_tier(index, tier, since).await?;
                }
            }
        }
        self.has_learnt();
        for table in &mut self.tables {
            table.silent_until = None;
        }
        self.send().await?;
        self.hand_on().await;
        Ok(())
    }

    async fn begin_tier(&mut self, index: usize, tier: usize, since_us: i64) -> Result<(), sqlx::Error> {
        let before = self.tables[index].at.sums[tier].take();
        let Some(found) = self.add_up(index, tier, since_us).await? else { return Ok(()) };
        // What a faster tier has learnt is not delivered by a slower one.
        let (changed, same) = found.compare(before.as_ref());
        self.learn(index, &found, &same).await?;
        let mapping = self.tables[index].mapping;
        for span in &changed {
            let rows = versions(self.reading().await?, mapping, &span.condition(mapping)).await?;
            self.deliver(index, rows).await?;
        }
        self.tables[index].at.sums[tier] = Some(found.sums());
        Ok(())
    }

    /// The sums of a tier now; `None` where that takes longer than a query may.
    async fn add_up(&mut self, index: usize, tier: usize, time_us: i64) -> Result<Option<Found>, sqlx::Error> {
        let mapping = self.tables[index].mapping;
        let reading = self.reading().await?;
        let begun = Instant::now();
        let found = sums::read(reading, mapping, tier, time_us).await;
        self.added_up += begun.elapsed();
        match found {
            Err(error) if tier >= DAY && is_timeout(&error) => {
                self.tables[index].given_up[tier] = true;
                let name = &mapping.table.name;
                let text =
                    format!("{name} is too large to be compared whole: rows that are changed late may not be seen");
                self.unsent.push(SourceEvent::Notice(text));
                Ok(None)
            }
            found => found.map(Some),
        }
    }

    /// Reads what is due.
    async fn poll(&mut self) -> Result<(), sqlx::Error> {
        let begun = Instant::now();
        self.time_us = now(self.reading().await?).await?;
        for index in 0..self.tables.len() {
            self.read_numbers(index).await?;
        }
        for (tier, Tier { every, .. }) in TIERS.iter().enumerate() {
            if begun < self.due[tier] {
                continue;
            }
            self.added_up = Duration::ZERO;
            for index in 0..self.tables.len() {
                if tier == 0 {
                    self.read_undated(index, false).await?;
                }
                if tier != SWEEP || is_small(self.tables[index].mapping) {
                    self.read_tier(index, tier).await?;
                }
            }
            self.due[tier] = begun + (*every).max(self.added_up * SHARE);
            if tier == DAY {
                self.forget();
            }
        }
        if begun >= self.open_due {
            self.open_due = begun + OPEN_EVERY;
            for index in 0..self.tables.len() {
                self.reread_unfinished(index).await?;
            }
        }
        self.send().await?;
        if self.delivered || self.handed_on.elapsed() >= POSITION_EVERY {
            self.hand_on().await;
        }
        Ok(())
    }

    /// The open transaction; one is begun where none is open.
    async fn reading(&mut self) -> Result<&mut ReadTransaction, sqlx::Error> {
        let open = match self.reading.take() {
            Some(open) => open,
            None => self.reader.read().await?,
        };
        Ok(self.reading.insert(open))
    }

    /// Ends the transaction, and then sends what was read in it: the receiver may take as long as it likes. Where a table has
    /// changed meanwhile, what was read may be all of it, written in another way: then nothing is sent, and following begins again.
    async fn send(&mut self) -> Result<(), sqlx::Error> {
        if let Some(reading) = self.reading.take() {
            reading.end().await?;
        }
        if self.unsent_rows > 0 && !self.changed {
            self.look().await?;
        }
        self.unsent_rows = 0;
        if self.changed {
            self.unsent.clear();
        }
        for event in std::mem::take(&mut self.unsent) {
            // A closed channel is noticed by the loop.
            let _ = self.sink.send(event).await;
        }
        Ok(())
    }

    async fn hand_on(&mut self) {
        if self.changed {
            return;
        }
        self.delivered = false;
        self.handed_on = Instant::now();
        let tables = self.tables.iter().map(|table| (table.mapping.table.name.clone(), table.at.clone())).collect();
        *self.last = Position::new(ResumePoint { time_us: self.time_us, tables });
        // A closed channel is noticed by the loop.
        let _ = self.sink.send(SourceEvent::Batch(Vec::new(), Some(self.last.clone()))).await;
    }

    /// Compares the spans that a tier covers, and delivers what changed in them.
    async fn read_tier(&mut self, index: usize, tier: usize) -> Result<(), sqlx::Error> {
        if self.tables[index].given_up[tier] {
            return Ok(());
        }
        let before = self.tables[index].at.sums[tier].take();
        let Some(found) = self.add_up(index, tier, self.time_us).await? else { return Ok(()) };
        let (changed, same) = found.compare(before.as_ref());
        let mapping = self.tables[index].mapping;
        for span in &changed {
            let rows = versions(self.reading().await?, mapping, &span.condition(mapping)).await?;
            let rows = self.may_be_new(index, rows);
            self.deliver(index, rows).await?;
        }
        if tier >= DAY {
            // What the beginning left out.
            self.learn(index, &found, &same).await?;
        }
        self.tables[index].at.sums[tier] = Some(found.sums());
        Ok(())
    }

    async fn read_numbers(&mut self, index: usize) -> Result<(), sqlx::Error> {
        let (mapping, time_us) = (self.tables[index].mapping, self.time_us);
        let Some(mut numbers) = self.tables[index].at.numbers.take() else {
            self.tables[index].at.numbers = Numbers::now(self.reading().await?, mapping, time_us).await?;
            return Ok(());
        };
        let missing = numbers.read_missing(self.reading().await?, mapping).await?;
        self.deliver(index, missing).await?;
        loop {
            let (new, is_full) = numbers.read_new(self.reading().await?, mapping, time_us).await?;
            self.deliver(index, new).await?;
            if !is_full {
                break;
            }
        }
        self.tables[index].at.numbers = Some(numbers);
        Ok(())
    }

    /// Delivers those of some rows whose version was not seen.
    async fn deliver(&mut self, index: usize, found: Vec<RowVersion>) -> Result<(), sqlx::Error> {
        let mapping = self.tables[index].mapping;
        let mut due: Vec<String> = Vec::new();
        let mut times: HashMap<u64, i64> = HashMap::new();
        for one in found {
            let hash = hash(index, &one.key);
            if self.seen.get(&hash).is_none_or(|(version, _)| *version != one.version) {
                times.insert(hash, one.time_us);
                due.push(one.key);
            }
        }
        for keys in due.chunks(CHUNK) {
            let records = by_keys(self.reading().await?, mapping, keys).await?;
            let mut batch: Vec<Activity> = Vec::with_capacity(records.len());
            for Record { key, version, activity, .. } in records {
                let hash = hash(index, &key);
                // A row that is only alike in its key.
                let Some(time_us) = times.get(&hash) else { continue };
                self.seen.insert(hash, (version, *time_us));
                let open = &mut self.tables[index].open;
                if activity.status == Some(Status::InProgress) {
                    open.insert(key, version);
                } else {
                    open.remove(&key);
                }
                batch.push(activity);
            }
            if !batch.is_empty() {
                self.delivered = true;
                self.unsent_rows += batch.len();
                self.unsent.push(SourceEvent::Batch(batch, None));
            }
            if self.unsent_rows >= CHUNK {
                self.send().await?;
            }
        }
        // Many rows may come at once.
        if self.seen.len() > REMEMBERED + REMEMBERED / 4 {
            self.forget();
        }
        Ok(())
    }
}

/// The query was stopped because of its time limit: MariaDB's number, and MySQL's.
fn is_timeout(error: &sqlx::Error) -> bool {
    number(error).is_some_and(|number| number == 1969 || number == 3024)
}
