//! Follows a table. `PRAGMA data_version` on one pinned connection says whether anything was committed (2 µs); only
//! then are rows read. A revision column finds every insert and update. Without one, the rowid finds new rows, and
//! recent rows and rows without an outcome are read again (`numbers.rs`), and the newest by time where an index has them
//! (`times.rs`). What has neither (a view, a table without a rowid) is compared with what it was.
//!
//! What was there when following began is looked at in silence, so that a row that is written again as it was is not told.

mod numbers;
mod times;

use super::access::FileId;
use super::connection::{Reader, Reading};
use super::mapping::Mapping;
use super::row::{Handle, Record, Wanted, read};
use crosstail_core::model::{Activity, Clock, Status};
use crosstail_core::number::truncated_i64;
use crosstail_core::schema::Scalar;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, name};
use crosstail_source::{Position, Sink, SourceEvent};
use numbers::Below;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;
use times::Times;
use tokio::time::Instant;

const POLL: Duration = Duration::from_millis(100);
/// Rows per query.
const CHUNK: usize = 2000;
/// How many of the newest rows are read again to see updates.
const RECENT: usize = 500;
/// Rows below those of which it is remembered what they held: what comes into view is told if it is another.
const DEEP: usize = 20_000;
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

/// What is remembered of a row.
struct State {
    /// What it held.
    hash: u64,
    /// Whether it has no outcome.
    is_open: bool,
    /// The look at which it was read last.
    round: u64,
}

/// How a row stands to what is remembered of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Noted {
    New,
    Changed,
    Same,
}

struct Follower<'a> {
    mapping: &'a Mapping,
    way: Way,
    at: ResumePoint,
    /// The looks that there were.
    round: u64,
    /// The rows that are read again, and those that were new or compared.
    known: HashMap<Handle, State>,
    /// By number: what the rows below those that are read again held.
    deep: BTreeMap<i64, u64>,
    /// By number: what is not read again; `None` where every row is.
    below: Option<Below>,
    /// By number: the newest rows by the time column, where an index has them.
    times: Option<Times>,
    /// By comparison: the last place in the order of what was compared; `None` where that was all.
    last: Option<(i64, Handle)>,
    /// What was read and has not been sent.
    unsent: Vec<Activity>,
    /// Whether nobody receives any more.
    closed: bool,
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
    let mut follower = Follower::new(mapping, at);
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
            follower.look(&mut connection, sink, begun >= open_due).await?;
            if follower.way == Way::Comparison {
                due = begun + begun.elapsed() * SHARE;
            }
            if !caught_up && !follower.closed {
                caught_up = true;
                follower.closed |= sink.send(SourceEvent::CaughtUp).await.is_err();
            }
        } else if follower.way == Way::Rowid && Instant::now() >= open_due && follower.has_unread() {
            follower.read_open(&mut connection).await?;
            follower.forget(true);
            follower.narrow();
            open_due = Instant::now() + OPEN_EVERY;
            follower.send(sink).await;
        }
        if follower.closed {
            return Ok(End::Closed);
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = sink.closed() => return Ok(End::Closed),
        }
    }
}

impl<'a> Follower<'a> {
    fn new(mapping: &'a Mapping, at: ResumePoint) -> Self {
        Self {
            mapping,
            way: Way::of(mapping),
            at,
            round: 0,
            known: HashMap::new(),
            deep: BTreeMap::new(),
            below: None,
            times: None,
            last: None,
            unsent: Vec::new(),
            closed: false,
        }
    }
}

impl Follower<'_> {
    /// Sends what was read.
    async fn send(&mut self, sink: &Sink) {
        let batch = std::mem::take(&mut self.unsent);
        if !batch.is_empty() {
            self.closed |= sink.send(SourceEvent::Batch(batch, Some(Position::new(self.at)))).await.is_err();
        }
    }

    async fn read(&self, reading: &mut Reading<'_>, rest: &Sql) -> Result<Vec<Record>, sqlx::Error> {
        let order = if self.way == Way::Comparison { self.mapping.order() } else { counter(self.mapping) };
        let extra = [self.mapping.handle(), order];
        let wanted = Wanted { mapping: self.mapping, extra: &extra, rest, bare: rest };
        Ok(read(reading, &wanted).await?.0)
    }

    /// Remembers what a row holds.
    fn note(&mut self, record: &Record) -> Noted {
        let handle = handle(record);
        let (hash, is_open) = (hash(record), record.activity.status == Some(Status::InProgress));
        let deep = handle.number().and_then(|number| self.deep.remove(&number));
        let before = self.known.insert(handle, State { hash, is_open, round: self.round });
        match before.map(|state| state.hash).or(deep) {
            None => Noted::New,
            Some(before) if before == hash => Noted::Same,
            Some(_) => Noted::Changed,
        }
    }

    /// Remembers what a row holds, and tells it unless it is known as it is; returns whether it is.
    fn note_and_tell(&mut self, record: Record) -> bool {
        let is_same = self.note(&record) == Noted::Same;
        if !is_same {
            self.unsent.push(record.activity);
        }
        is_same
    }

    /// Looks in silence at what is there: the recent rows, and those without an outcome.
    async fn learn(&mut self, reading: &mut Reading<'_>) -> Result<(), sqlx::Error> {
        match self.way {
            Way::Comparison => {
                let since = self.at.seen;
                let records = self.newest(reading).await?;
                self.last = last_of(&records);
                for record in records {
                    self.note(&record);
                    // What came after the position is new.
                    if record.activity.exact_start && record.activity.started_at.0 >= since {
                        self.unsent.push(record.activity);
                    }
                }
            }
            Way::Revision => {
                let counter = counter(self.mapping);
                let mut rest =
                    Sql::with(format!(" WHERE {counter} <= {PLACEHOLDER} ORDER BY "), Bind::Int(self.at.seen));
                rest.push(&format!("{counter} DESC LIMIT {RECENT}"), []);
                for record in self.read(reading, &rest).await? {
                    self.note(&record);
                }
            }
            Way::Rowid => self.learn_numbers(reading).await?,
        }
        Ok(())
    }

    /// Looks at everything that may be new or another than it was. `is_due`: also at each row without an outcome, however
    /// many there are.
    async fn look(&mut self, reading: &mut Reading<'_>, sink: &Sink, is_due: bool) -> Result<(), sqlx::Error> {
        self.round += 1;
        match self.way {
            Way::Comparison => self.compare(reading).await?,
            Way::Revision => self.read_new(reading, sink).await?,
            Way::Rowid => self.look_at_numbers(reading, sink, is_due).await?,
        }
        self.send(sink).await;
        Ok(())
    }

    /// Reads what has a higher counter.
    async fn read_new(&mut self, reading: &mut Reading<'_>, sink: &Sink) -> Result<(), sqlx::Error> {
        let counter = counter(self.mapping);
        loop {
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
                self.note_and_tell(record);
            }
            match self.way {
                Way::Revision if self.known.len() > REMEMBERED => self.known.clear(),
                Way::Rowid if full => self.narrow(),
                _ => {}
            }
            self.send(sink).await;
            if !full || self.closed {
                return Ok(());
            }
        }
    }

    /// The newest rows, with those that have no time.
    async fn newest(&self, reading: &mut Reading<'_>) -> Result<Vec<Record>, sqlx::Error> {
        let (order, key) = (self.mapping.order(), self.mapping.handle());
        self.read(reading, &Sql::raw(format!(" ORDER BY {order} DESC, {key} DESC LIMIT {COMPARED}"))).await
    }

    /// Compares the newest rows with what they were. What is beyond the last of them came into view because others are
    /// gone: it is looked at in silence.
    async fn compare(&mut self, reading: &mut Reading<'_>) -> Result<(), sqlx::Error> {
        let records = self.newest(reading).await?;
        let last = std::mem::replace(&mut self.last, last_of(&records));
        for record in records {
            let is_beyond = last.as_ref().is_some_and(|last| place(&record) < *last);
            match self.note(&record) {
                Noted::Same => {}
                Noted::New if is_beyond => {}
                Noted::New | Noted::Changed => self.unsent.push(record.activity),
            }
        }
        let round = self.round;
        self.known.retain(|_, state| state.round == round);
        Ok(())
    }
}

/// What finds a row.
fn handle(record: &Record) -> Handle {
    Handle::of(record.extra.first().and_then(Option::as_ref))
}

/// The counter of a row.
fn number(record: &Record) -> Option<i64> {
    match record.extra.get(1) {
        Some(Some(Scalar::Int(n))) => Some(*n),
        _ => None,
    }
}

/// Where a row stands in the order in which rows are compared.
fn place(record: &Record) -> (i64, Handle) {
    let at = match record.extra.get(1) {
        Some(Some(Scalar::Int(n))) => *n,
        Some(Some(Scalar::Float(n))) => truncated_i64(*n),
        // Texts are greater than numbers, and nothing is less.
        Some(Some(_)) => i64::MAX,
        _ => i64::MIN,
    };
    (at, handle(record))
}

/// The last place of what was compared, where there may be more rows.
fn last_of(records: &[Record]) -> Option<(i64, Handle)> {
    if records.len() < COMPARED { None } else { records.iter().map(place).min() }
}
