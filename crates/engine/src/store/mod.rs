//! The in-memory store: compact columns, rows in order of time, one filtered view, and counts over it.
//!
//! A record needs about 120 bytes in addition to its distinct texts. Payloads stay in their stores.

mod evaluate;
mod ordered;
mod pack;
mod segment;
mod summary;
mod symbols;
mod tally;

pub use evaluate::RowRecord;
pub use summary::{Bucket, Facet, Histogram};
pub use symbols::{Symbol, Symbols};
pub use tally::Tallies;

use crosstail_core::filter::{Field, Predicate, Vocabulary};
use crosstail_core::model::{Activity, Direction, Id, Kind, Level, Names, Place, Status, Timestamp};
use evaluate::Evaluator;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use ordered::Ordered;
use pack::{RareFields, SAME, Text};
use segment::{ROWS, Segment, SegmentContext};
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::ops::Range;

/// Number of a row; it never changes.
pub type Row = u32;

/// The effect of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestResult {
    /// Number of new rows.
    pub added: usize,
    /// Number of known rows that changed.
    pub changed: usize,
    /// Number of records of rows that only other sources had delivered.
    pub joined: usize,
    /// Number of new rows that started since [`Store::set_live_since`] and arrived well after a newer one.
    pub late: usize,
    /// Number of new rows in the view.
    pub added_to_view: usize,
    /// The new and the changed rows.
    pub rows: Vec<Row>,
    /// The former start times of changed rows whose start has changed.
    pub moved_from: Vec<Timestamp>,
}

/// The effect of one record of a known row.
struct Merged {
    /// Whether the row changed.
    changed: bool,
    /// Whether only other sources had delivered the row.
    joined: bool,
}

/// The activities in memory, and a view of those that a filter keeps.
pub struct Store {
    names: Names,
    symbols: Symbols,
    segments: Vec<Segment>,
    extras: HashMap<u32, Box<RareFields>>,
    index: HashTable<u32>,
    hasher: FixedState,
    order: Ordered,
    view: View,
    len: u32,
    /// Grows with every change, so that readers can see whether the store has changed.
    revision: u64,
    watching_since: Timestamp,
}

/// A record that is older than the newest by more than this is late, in microseconds.
const LATENESS_US: i64 = 5_000_000;

/// The rows that a filter keeps.
struct View {
    evaluator: Evaluator,
    /// `None` where the view has all rows, in the store's order.
    rows: Option<Ordered>,
    /// Rows that match by their payload, which is not in memory.
    payload_matches: HashSet<Row>,
}

impl Store {
    /// An empty store that shares a registry of names.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            symbols: Symbols::default(),
            segments: Vec::new(),
            extras: HashMap::new(),
            index: HashTable::new(),
            hasher: FixedState::default(),
            order: Ordered::default(),
            view: View { evaluator: Evaluator::new(Predicate::All), rows: None, payload_matches: HashSet::new() },
            len: 0,
            revision: 0,
            watching_since: Timestamp(i64::MAX),
        }
    }

    /// Sets the time from which records can be late; older ones are history.
    pub fn set_live_since(&mut self, at: Timestamp) {
        self.watching_since = at;
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Grows with every change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn names(&self) -> &Names {
        &self.names
    }

    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    fn at(&self, row: Row) -> (&Segment, usize) {
        (&self.segments[row as usize / ROWS], row as usize % ROWS)
    }

    fn extra(&self, row: Row) -> Option<&RareFields> {
        let (segment, at) = self.at(row);
        if segment.has_extra(at) { self.extras.get(&row).map(|extra| &**extra) } else { None }
    }

    /// The sort key of a row: time, then offset in the file, then arrival.
    fn key(&self, row: Row) -> (i64, u64, u32) {
        let (segment, at) = self.at(row);
        (segment.started[at], segment.tie(at), row)
    }

    /// The row with an id.
    pub fn find(&self, id: &Id) -> Option<Row> {
        let hash = self.hasher.hash_one(id);
        let same = |row: &u32| {
            let (segment, at) = self.at(*row);
            segment.is_id(at, id, &self.symbols)
        };
        self.index.find(hash, same).copied()
    }

    /// Adds new activities, and merges or replaces known ones.
    pub fn ingest(&mut self, batch: Vec<Activity>) -> IngestResult {
        let mut delta = IngestResult::default();
        let mut fresh: Vec<Row> = Vec::with_capacity(batch.len());
        let mut moved: Vec<Row> = Vec::new();
        let mut moved_from: Vec<Timestamp> = Vec::new();
        let mut touched: Vec<Row> = Vec::new();
        let newest = self.order.rows().last().map(|row| self.at(*row).0.started[*row as usize % ROWS]);
        for activity in batch {
            match self.find(&activity.id) {
                Some(row) => {
                    let was = self.started(row);
                    let merged = self.merge(row, activity, fresh.binary_search(&row).is_ok(), &mut moved);
                    delta.joined += usize::from(merged.joined);
                    if merged.changed {
                        if self.started(row) != was {
                            moved_from.push(was);
                        }
                        touched.push(row);
                    }
                }
                None => {
                    let hash = self.hasher.hash_one(&activity.id);
                    let row = self.push(&activity);
                    let Self { index, segments, symbols, hasher, .. } = self;
                    index.insert_unique(hash, row, |other| {
                        let segment = &segments[*other as usize / ROWS];
                        hasher.hash_one(segment.id(*other as usize % ROWS, symbols))
                    });
                    fresh.push(row);
                }
            }
        }
        if fresh.is_empty() && touched.is_empty() {
            return delta;
        }
        self.revision += 1;
        delta.added = fresh.len();
        delta.changed = touched.iter().filter(|row| fresh.binary_search(row).is_err()).count();
        delta.late = newest.map_or(0, |newest| {
            let late = |row: &&Row| {
                let started = self.key(**row).0;
                started >= self.watching_since.0 && started < newest - LATENESS_US
            };
            fresh.iter().filter(late).count()
        });
        moved.sort_unstable();
        moved.dedup();
        let mut placed = fresh.clone();
        placed.extend(moved.iter().filter(|row| fresh.binary_search(row).is_err()));
        placed.sort_unstable_by_key(|row| self.key(*row));
        let mut order = std::mem::take(&mut self.order);
        order.insert(&placed, |row| self.key(row));
        self.order = order;
        touched.retain(|row| fresh.binary_search(row).is_err());
        delta.added_to_view = self.update_view(&fresh, &placed, &touched);
        fresh.extend(touched);
        delta.rows = fresh;
        delta.moved_from = moved_from;
        delta
    }

    /// Merges a record into a row.
    fn merge(&mut self, row: Row, activity: Activity, is_fresh: bool, moved: &mut Vec<Row>) -> Merged {
        let before = self.get(row);
        let elsewhere = |place: &Place| activity.places.iter().all(|own| own.source != place.source);
        let joined = !activity.places.is_empty() && before.places.iter().all(elsewhere);
        let mut after = before.clone();
        if activity.part || after.part {
            after.merge(activity);
        } else {
            after.replace_with(activity);
        }
        if after == before {
            return Merged { changed: false, joined };
        }
        let reordered = after.started_at != before.started_at || after.places.first() != before.places.first();
        if reordered && !is_fresh && !moved.contains(&row) {
            let mut order = std::mem::take(&mut self.order);
            order.remove(row, |other| self.key(other));
            self.order = order;
            if let Some(mut rows) = self.view.rows.take() {
                rows.remove(row, |other| self.key(other));
                self.view.rows = Some(rows);
            }
            moved.push(row);
        }
        let Self { segments, symbols, extras, .. } = self;
        segments[row as usize / ROWS].put(row as usize % ROWS, row, &after, &mut SegmentContext { symbols, extras });
        Merged { changed: true, joined }
    }

    fn push(&mut self, activity: &Activity) -> Row {
        let row = self.len;
        if row as usize / ROWS == self.segments.len() {
            self.segments.push(Segment::default());
        }
        let Self { segments, symbols, extras, .. } = self;
        segments[row as usize / ROWS].put(row as usize % ROWS, row, activity, &mut SegmentContext { symbols, extras });
        self.len += 1;
        row
    }

    /// Updates the view; returns how many of the `fresh` rows it keeps. `placed`: new and moved rows in order;
    /// `touched`: known rows whose result may have changed.
    fn update_view(&mut self, fresh: &[Row], placed: &[Row], touched: &[Row]) -> usize {
        let Some(mut rows) = self.view.rows.take() else { return fresh.len() };
        let evaluator = std::mem::take(&mut self.view.evaluator);
        let keeps = |row: Row| evaluator.keeps(self, row) || self.view.payload_matches.contains(&row);
        let into: Vec<Row> = placed.iter().copied().filter(|row| keeps(*row)).collect();
        rows.insert(&into, |row| self.key(row));
        for row in touched {
            if placed.contains(row) {
                continue;
            }
            let there = rows.position(*row, |other| self.key(other)).is_some();
            match (there, keeps(*row)) {
                (true, false) => {
                    rows.remove(*row, |other| self.key(other));
                }
                (false, true) => rows.insert(&[*row], |other| self.key(other)),
                _ => {}
            }
        }
        self.view.rows = Some(rows);
        self.view.evaluator = evaluator;
        into.iter().filter(|row| fresh.binary_search(row).is_ok()).count()
    }

    /// Sets the filter of the view.
    pub fn set_filter(&mut self, predicate: Predicate) {
        let all = matches!(predicate, Predicate::All);
        let evaluator = Evaluator::new(predicate);
        let rows = if all { None } else { Some(Ordered::from_sorted(evaluator.select(self, self.order.rows()))) };
        self.view = View { evaluator, rows, payload_matches: HashSet::new() };
        self.revision += 1;
    }

    /// Sets the rows that match by their payload, as their source found.
    pub fn set_payload_matches(&mut self, ids: &[Id]) {
        let rows: Vec<Row> = ids.iter().filter_map(|id| self.find(id)).collect();
        self.view.payload_matches.extend(rows.iter().copied());
        self.update_view(&[], &[], &rows);
        self.revision += 1;
    }

    /// The rows that a predicate keeps. Rows whose result depends on the payload are not kept.
    pub fn matching(&self, rows: &[Row], predicate: Predicate) -> Vec<Row> {
        Evaluator::new(predicate).select(self, rows)
    }

    /// The rows of the view, in order of time.
    pub fn rows(&self) -> &[Row] {
        self.view.rows.as_ref().map_or(self.order.rows(), Ordered::rows)
    }

    /// All rows, in order of time.
    pub fn all_rows(&self) -> &[Row] {
        self.order.rows()
    }

    /// The rows that started in a range of time, in order of time.
    pub fn rows_between(&self, range: Range<Timestamp>) -> &[Row] {
        let rows = self.all_rows();
        let from = rows.partition_point(|row| self.started(*row) < range.start);
        let upto = from + rows[from..].partition_point(|row| self.started(*row) < range.end);
        &rows[from..upto]
    }

    /// The position of a row in the view.
    pub fn position(&self, row: Row) -> Option<usize> {
        self.view.rows.as_ref().unwrap_or(&self.order).position(row, |other| self.key(other))
    }

    /// The first position in the view with a time at or after `at`.
    pub fn position_of_time(&self, at: Timestamp) -> usize {
        self.rows().partition_point(|row| self.started(*row) < at)
    }

    /// The full activity of a row.
    pub fn get(&self, row: Row) -> Activity {
        let (segment, at) = self.at(row);
        segment.get(at, &self.symbols, self.extra(row))
    }

    pub fn started(&self, row: Row) -> Timestamp {
        let (segment, at) = self.at(row);
        Timestamp(segment.started[at])
    }

    pub fn status(&self, row: Row) -> Option<Status> {
        let (segment, at) = self.at(row);
        segment.status(at)
    }

    pub fn level(&self, row: Row) -> Option<Level> {
        let (segment, at) = self.at(row);
        segment.level(at)
    }

    pub fn kind(&self, row: Row) -> Kind {
        let (segment, at) = self.at(row);
        segment.kind(at)
    }

    /// Whether a row is work of its system; an alert about the system is not.
    pub fn is_work(&self, row: Row) -> bool {
        self.kind(row) != Kind::Alert
    }

    pub fn direction(&self, row: Row) -> Direction {
        let (segment, at) = self.at(row);
        segment.direction(at)
    }

    pub fn is_failure(&self, row: Row) -> bool {
        crosstail_core::model::is_failure(self.status(row), self.level(row))
    }

    /// Whether a row has an outcome; a log line always has.
    pub fn is_finished(&self, row: Row) -> bool {
        self.status(row).is_none_or(Status::is_finished)
    }

    pub fn system(&self, row: Row) -> Symbol {
        let (segment, at) = self.at(row);
        segment.text(at, Text::System)
    }

    pub fn endpoint(&self, row: Row) -> Symbol {
        let (segment, at) = self.at(row);
        segment.text(at, Text::Endpoint)
    }

    pub fn method(&self, row: Row) -> Symbol {
        let (segment, at) = self.at(row);
        segment.text(at, Text::Method)
    }

    pub fn error_type(&self, row: Row) -> Symbol {
        let (segment, at) = self.at(row);
        segment.text(at, Text::ErrorType)
    }

    pub fn operation(&self, row: Row) -> Symbol {
        let (segment, at) = self.at(row);
        segment.text(at, Text::Operation)
    }

    /// For a row that is one of several attempts: a number that the attempts with its trace, endpoint and entity share,
    /// the number of the attempt, and when the next one is due.
    pub fn retry(&self, row: Row) -> Option<(u64, u16, Option<Timestamp>)> {
        let (segment, at) = self.at(row);
        let extra = self.extra(row);
        let attempt = segment.attempt(at, extra).unwrap_or(1);
        let due = extra.and_then(|extra| extra.next_retry_at);
        if attempt <= 1 && due.is_none() {
            return None;
        }
        let operation = match segment.text(at, Text::Correlation) {
            Symbol::ABSENT => u64::from(row),
            trace => {
                let of = (trace, segment.text(at, Text::Endpoint), segment.text(at, Text::Entity));
                self.hasher.hash_one(of)
            }
        };
        Some((operation, attempt, due))
    }

    pub fn http_status(&self, row: Row) -> Option<u16> {
        let (segment, at) = self.at(row);
        Some(segment.http[at]).filter(|code| *code != 0)
    }

    /// The duration of a row in microseconds; see [`Activity::took_us`].
    pub fn took_us(&self, row: Row) -> Option<u64> {
        let (segment, at) = self.at(row);
        let extra = self.extra(row);
        segment.duration(at, extra).or_else(|| {
            let end = segment.completed(at, extra)?;
            let known = segment.exact_start(at) && segment.status(at).is_some_and(Status::is_finished);
            known.then(|| u64::try_from(end.since_us(self.started(row))).ok()).flatten()
        })
    }

    /// CPU in per cent and memory in MB of a row.
    pub fn usage(&self, row: Row) -> (Option<f64>, Option<f64>) {
        let (segment, at) = self.at(row);
        (segment.cpu(at), segment.memory(at))
    }

    /// The places that hold a row.
    pub fn places(&self, row: Row) -> Vec<Place> {
        let ((segment, at), extra) = (self.at(row), self.extra(row));
        let mut places = vec![segment.place(at, &self.symbols, extra)];
        places.extend(extra.into_iter().flat_map(|extra| extra.places.iter().cloned()));
        places
    }

    /// The rows with a correlation id, in order of time.
    pub fn of_correlation(&self, correlation: &str) -> Vec<Row> {
        self.rows_with(Text::Correlation, correlation)
    }

    /// The rows whose parent is a request, in order of time.
    pub fn children(&self, request: &str) -> Vec<Row> {
        self.rows_with(Text::Parent, request)
    }

    fn rows_with(&self, column: Text, text: &str) -> Vec<Row> {
        let Some(symbol) = self.symbols.find(text) else { return Vec::new() };
        let has = |row: &Row| {
            let (segment, at) = self.at(*row);
            segment.text(at, column) == symbol
        };
        self.order.rows().iter().copied().filter(has).collect()
    }
}

impl Vocabulary for Store {
    fn values(&self, field: Field, limit: usize) -> Vec<(String, u64)> {
        // Only the newest rows are searched: users open what is happening now.
        const NEWEST: usize = 100_000;
        let rows = self.order.rows();
        let rows = &rows[rows.len().saturating_sub(NEWEST)..];
        self.facet(field, rows, limit).into_iter().map(|facet| (facet.value, facet.count)).collect()
    }
}

/// Whether the symbol is [`SAME`].
fn is_same(symbol: Symbol) -> bool {
    symbol == SAME
}
