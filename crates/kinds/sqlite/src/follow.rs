//! Follows a table. `PRAGMA data_version` on one pinned connection says whether anything was committed (2 µs); only
//! then are rows read. A revision column finds every insert and update. Without one, the rowid finds new rows, and
//! recent rows and rows without an outcome are read again. What has neither (a view, a table without a rowid) is
//! compared with what it was.
//!
//! What was there when following began is looked at in silence, so that a row that is written again as it was is not told.

use super::access::FileId;
use super::connection::{Reader, Reading};
use super::mapping::Mapping;
use super::row::{Handle, Record, Wanted, read, with_handles};
use crosstail_core::model::{Activity, Clock, Status};
use crosstail_core::schema::{Scalar, Target};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, literal, name};
use crosstail_source::{Position, Sink, SourceEvent};
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;
use tokio::time::Instant;

const POLL: Duration = Duration::from_millis(100);
/// Rows per query.
const CHUNK: usize = 2000;
/// How many of the newest rows are read again to see updates.
const RECENT: i64 = 500;
/// Rows that are read by their handles at a time.
const HANDLES: usize = 500;
/// Rows without an outcome that are read again at every change; where there are more, every so often.
const OPEN: usize = 2000;
const OPEN_EVERY: Duration = Duration::from_secs(2);
/// The newest rows of what has no counter, that are compared.
const COMPARED: usize = 20_000;
/// Comparing takes at most one part in this many of the time.
const SHARE: u32 = 5;
/// Rows remembered by a revision, at most.
const REMEMBERED: usize = 200_000;

/// Why following ended.
pub(super) enum End {
    /// Nobody receives any more.
    Closed,
    /// Tables have changed; following goes on from here.
    Changed(Position),
}

/// How new rows are found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Revision,
    Rowid,
    Comparison,
}

impl Way {
    fn of(mapping: &Mapping) -> Self {
        match (&mapping.table.revision, mapping.relation.has_rowid) {
            (Some(_), _) => Self::Revision,
            (None, true) => Self::Rowid,
            (None, false) => Self::Comparison,
        }
    }
}

/// The column that grows: the revision where the schema names one, else the rowid.
fn counter(mapping: &Mapping) -> String {
    mapping.table.revision.as_ref().map_or_else(|| "rowid".to_owned(), |column| name(column))
}

async fn highest(reading: &mut Reading<'_>, mapping: &Mapping) -> Result<i64, sqlx::Error> {
    let text = format!("SELECT coalesce(max({}), 0) FROM {}", counter(mapping), name(&mapping.table.name));
    sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(reading.on()).await
}

/// Where following goes on.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct ResumePoint {
    /// The highest counter; where there is none, the moment.
    seen: i64,
    /// What the oldest row held: a table that was made anew has another one.
    oldest: u64,
    /// Which row the newest was: in a file that was renamed over this one it is another, unless that is a later state.
    newest: u64,
    file: FileId,
}

pub(super) async fn position(reader: Reader<'_>, mapping: &Mapping) -> Result<Position, sqlx::Error> {
    let mut reading = reader.connection().await?;
    Ok(Position::new(match Way::of(mapping) {
        Way::Comparison => ResumePoint { seen: Clock::system().now().0, ..ResumePoint::default() },
        Way::Revision | Way::Rowid => {
            let seen = highest(&mut reading, mapping).await?;
            ResumePoint {
                seen,
                oldest: oldest(&mut reading, mapping).await?,
                newest: row_at(&mut reading, mapping, seen).await?,
                file: reading.file(),
            }
        }
    }))
}

/// A hash of the oldest row.
async fn oldest(reading: &mut Reading<'_>, mapping: &Mapping) -> Result<u64, sqlx::Error> {
    if Way::of(mapping) == Way::Comparison {
        return Ok(0);
    }
    let rest = Sql::raw(format!(" ORDER BY {} LIMIT 1", counter(mapping)));
    let (records, _) = read(reading, &Wanted { mapping, extra: &[], rest: &rest, bare: &rest }).await?;
    Ok(records.first().map_or(0, hash))
}

fn hash(record: &Record) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{:?}", record.activity).hash(&mut hasher);
    hasher.finish()
}

/// Which row has a counter; 0 where none has.
async fn row_at(reading: &mut Reading<'_>, mapping: &Mapping, counter_is: i64) -> Result<u64, sqlx::Error> {
    let rest = Sql::with(format!(" WHERE {} = {PLACEHOLDER} LIMIT 1", counter(mapping)), Bind::Int(counter_is));
    let (records, _) = read(reading, &Wanted { mapping, extra: &[], rest: &rest, bare: &rest }).await?;
    Ok(records.first().map_or(0, identity))
}

/// A hash of what stays of a row.
fn identity(record: &Record) -> u64 {
    let mut hasher = DefaultHasher::new();
    (record.activity.id.to_string(), record.activity.started_at.0).hash(&mut hasher);
    hasher.finish()
}

/// The position before everything of a table that was made anew.
pub(super) fn beginning() -> Position {
    Position::new(ResumePoint::default())
}

/// Whether a table was made anew since: its counter is behind, and its oldest row another one; or it is in another file, of
/// which this one is no earlier state.
pub(super) async fn is_anew(reader: Reader<'_>, mapping: &Mapping, at: &Position) -> Result<bool, sqlx::Error> {
    let way = Way::of(mapping);
    // VACUUM numbers rows anew where no column keeps their numbers.
    if way == Way::Comparison || way == Way::Rowid && !mapping.relation.numbered {
        return Ok(false);
    }
    let Some(at) = at.read::<ResumePoint>() else { return Ok(false) };
    let mut reading = reader.connection().await?;
    if reading.file() != at.file && row_at(&mut reading, mapping, at.seen).await? != at.newest {
        return Ok(true);
    }
    Ok(highest(&mut reading, mapping).await? < at.seen && oldest(&mut reading, mapping).await? != at.oldest)
}

struct Follower<'a> {
    mapping: &'a Mapping,
    way: Way,
    at: ResumePoint,
    /// Each row that was read, by a hash of what it holds, and whether it has no outcome.
    known: HashMap<Handle, (u64, bool)>,
    /// What was read and has not been sent.
    unsent: Vec<Activity>,
}

/// Follows until nobody receives, or a table has changed.
pub(super) async fn follow(
    reader: Reader<'_>,
    mapping: &Mapping,
    from: &Position,
    sink: &Sink,
) -> Result<End, sqlx::Error> {
    let mut connection = reader.connection().await?;
    let mut at = from.read::<ResumePoint>().unwrap_or_default();
    at.oldest = oldest(&mut connection, mapping).await?;
    at.file = connection.file();
    let mut follower = Follower { mapping, way: Way::of(mapping), at, known: HashMap::new(), unsent: Vec::new() };
    let mut version: Option<i64> = None;
    let mut caught_up = false;
    let (mut due, mut open_due) = (Instant::now(), Instant::now());
    loop {
        // A writer has come, or has gone.
        if !connection.is_current() {
            drop(connection);
            connection = reader.connection().await?;
            version = None;
            if connection.file() != follower.at.file {
                return Ok(End::Changed(Position::new(follower.at)));
            }
        }
        let now: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(connection.on()).await?;
        if version != Some(now) && Instant::now() >= due {
            if connection.version().await? != mapping.version {
                return Ok(End::Changed(Position::new(follower.at)));
            }
            if !caught_up {
                follower.learn(&mut connection).await?;
            }
            let begun = Instant::now();
            // Stored before the rows are read: a commit in between changes the version again.
            version = Some(now);
            loop {
                let full = follower.read_new(&mut connection).await?;
                if !follower.send(sink).await {
                    return Ok(End::Closed);
                }
                if !full {
                    break;
                }
            }
            if follower.way == Way::Comparison {
                due = begun + begun.elapsed() * SHARE;
            }
            if follower.way == Way::Rowid {
                follower.reread(&mut connection, Instant::now() >= open_due).await?;
                if !follower.send(sink).await {
                    return Ok(End::Closed);
                }
            }
            if !caught_up {
                caught_up = true;
                if sink.send(SourceEvent::CaughtUp).await.is_err() {
                    return Ok(End::Closed);
                }
            }
        } else if follower.way == Way::Rowid && Instant::now() >= open_due && follower.open().len() > OPEN {
            follower.reread(&mut connection, true).await?;
            open_due = Instant::now() + OPEN_EVERY;
            if !follower.send(sink).await {
                return Ok(End::Closed);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = sink.closed() => return Ok(End::Closed),
        }
    }
}

impl Follower<'_> {
    /// Sends what was read; returns whether somebody receives it.
    async fn send(&mut self, sink: &Sink) -> bool {
        let batch = std::mem::take(&mut self.unsent);
        batch.is_empty() || sink.send(SourceEvent::Batch(batch, Some(Position::new(self.at)))).await.is_ok()
    }

    async fn read(&self, reading: &mut Reading<'_>, rest: &Sql) -> Result<Vec<Record>, sqlx::Error> {
        let counter = if self.way == Way::Comparison { "NULL".to_owned() } else { counter(self.mapping) };
        let extra = [self.mapping.handle(), counter];
        let wanted = Wanted { mapping: self.mapping, extra: &extra, rest, bare: rest };
        Ok(read(reading, &wanted).await?.0)
    }

    /// Notes what a row holds; returns whether it was known, and whether it was known as it is.
    fn note(&mut self, record: &Record) -> (bool, bool) {
        let handle = Handle::of(record.extra.first().and_then(Option::as_ref));
        let (hash, is_open) = (hash(record), record.activity.status == Some(Status::InProgress));
        let before = self.known.insert(handle, (hash, is_open));
        (before.is_some(), before.is_some_and(|(before, _)| before == hash))
    }

    /// Looks in silence at what is there: the recent rows, and those without an outcome.
    async fn learn(&mut self, reading: &mut Reading<'_>) -> Result<(), sqlx::Error> {
        if self.way == Way::Comparison {
            let since = self.at.seen;
            for record in self.newest(reading).await? {
                self.note(&record);
                // What came after the position is new.
                if record.activity.exact_start && record.activity.started_at.0 >= since {
                    self.unsent.push(record.activity);
                }
            }
            return Ok(());
        }
        let counter = counter(self.mapping);
        let mut rest = Sql::with(format!(" WHERE {counter} <= {PLACEHOLDER} ORDER BY "), Bind::Int(self.at.seen));
        rest.push(&format!("{counter} DESC LIMIT {RECENT}"), []);
        for record in self.read(reading, &rest).await? {
            self.note(&record);
        }
        let status = self.mapping.selected.iter().find(|one| one.target.0 == Target::Status);
        let Some(status) = status.filter(|_| self.way == Way::Rowid) else { return Ok(()) };
        let words = self.mapping.schema.definition().open_words();
        let words: Vec<String> = words.iter().map(|word| literal(word)).collect();
        let mut last = 0;
        loop {
            let rest = Sql::with(
                format!(
                    " WHERE {} IN ({}) AND rowid > {last} AND rowid <= {PLACEHOLDER} ORDER BY rowid LIMIT {CHUNK}",
                    status.sql,
                    words.join(", ")
                ),
                Bind::Int(self.at.seen),
            );
            let records = self.read(reading, &rest).await?;
            for record in &records {
                last = number(record).unwrap_or(last);
                self.note(record);
            }
            if records.len() < CHUNK {
                return Ok(());
            }
        }
    }

    /// Reads what is new; returns whether there may be more.
    async fn read_new(&mut self, reading: &mut Reading<'_>) -> Result<bool, sqlx::Error> {
        if self.way == Way::Comparison {
            for record in self.newest(reading).await? {
                if !self.note(&record).1 {
                    self.unsent.push(record.activity);
                }
            }
            return Ok(false);
        }
        let counter = counter(self.mapping);
        let mut rest = Sql::with(format!(" WHERE {counter} > {PLACEHOLDER}"), Bind::Int(self.at.seen));
        rest.push(&format!(" ORDER BY {counter} LIMIT {CHUNK}"), []);
        let records = self.read(reading, &rest).await?;
        let full = records.len() == CHUNK;
        if records.is_empty() {
            // The newest rows were deleted: what comes next may have their numbers.
            let highest = highest(reading, self.mapping).await?;
            if highest < self.at.seen {
                self.at.seen = highest;
                self.at.newest = row_at(reading, self.mapping, highest).await?;
            }
        }
        for record in records {
            if let Some(number) = number(&record).filter(|number| *number >= self.at.seen) {
                self.at.seen = number;
                self.at.newest = identity(&record);
            }
            if !self.note(&record).1 {
                self.unsent.push(record.activity);
            }
        }
        if self.way == Way::Revision && self.known.len() > REMEMBERED {
            self.known.clear();
        }
        Ok(full)
    }

    /// The newest rows, with those that have no time.
    async fn newest(&self, reading: &mut Reading<'_>) -> Result<Vec<Record>, sqlx::Error> {
        let rest = Sql::raw(format!(" ORDER BY {} DESC LIMIT {COMPARED}", self.mapping.order()));
        self.read(reading, &rest).await
    }

    /// The rows without an outcome.
    fn open(&self) -> Vec<Handle> {
        self.known.iter().filter(|(_, (_, is_open))| *is_open).map(|(handle, _)| handle.clone()).collect()
    }

    /// Reads the recent rows again, and those without an outcome, and keeps those that are not as they were.
    async fn reread(&mut self, reading: &mut Reading<'_>, is_due: bool) -> Result<(), sqlx::Error> {
        // What has been written since the new rows were read is new: noted here, it would never be told.
        let mut recent = Sql::with(format!(" WHERE rowid > {PLACEHOLDER}"), Bind::Int(self.at.seen - RECENT));
        recent.push(&format!(" AND rowid <= {PLACEHOLDER}"), [Bind::Int(self.at.seen)]);
        let mut found = self.read(reading, &recent).await?;
        let open = self.open();
        if open.len() <= OPEN || is_due {
            for handles in open.chunks(HANDLES) {
                found.extend(self.read(reading, &with_handles(self.mapping, handles)).await?);
            }
        }
        let mut kept: HashMap<Handle, (u64, bool)> = HashMap::new();
        for record in found {
            // A row that has come into view is as it was.
            let (is_known, is_same) = self.note(&record);
            let handle = Handle::of(record.extra.first().and_then(Option::as_ref));
            if let Some(state) = self.known.get(&handle) {
                kept.insert(handle, *state);
            }
            if is_known && !is_same {
                self.unsent.push(record.activity);
            }
        }
        if open.len() > OPEN && !is_due {
            kept.extend(self.known.drain().filter(|(_, (_, is_open))| *is_open));
        }
        self.known = kept;
        Ok(())
    }
}

/// The counter of a row.
fn number(record: &Record) -> Option<i64> {
    match record.extra.get(1) {
        Some(Some(Scalar::Int(n))) => Some(*n),
        _ => None,
    }
}
