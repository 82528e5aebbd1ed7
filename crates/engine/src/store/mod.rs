//! The in-memory store: compact columns, rows in order of time, one filtered view, and counts over it.
//!
//! A record needs about 75 bytes in addition to its distinct texts. Payloads stay in their stores.

mod anywhere;
mod column;
mod evaluate;
mod give_up;
mod held_by;
mod id_search;
mod match_cache;
mod operations;
mod ordered;
mod pack;
mod rows;
mod segment;
mod summary;
mod symbols;
mod tally;

pub use evaluate::RowRecord;
pub use operations::{Affected, LastAttempt, Operation};
pub use summary::{Bucket, Facet, Histogram};
pub use symbols::{Symbol, Symbols};
pub use tally::{TALLIED, Tallies, latency_range};

use crosstail_core::filter::{Field, Predicate, Truth, Vocabulary};
use crosstail_core::model::{Activity, Id, Names, Place, Timestamp};
use evaluate::Evaluator;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use operations::Operations;
use ordered::Ordered;
use pack::{RareFields, SAME};
use segment::{ROWS, Segment};
use std::collections::HashSet;
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
    index: HashTable<u32>,
    hasher: FixedState,
    order: Ordered,
    view: View,
    operations: Operations,
    /// Rows that there have been.
    last: u32,
    /// The view shows what started from the first moment up to the second.
    bounds: Range<Timestamp>,
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
            index: HashTable::new(),
            hasher: FixedState::default(),
            order: Ordered::default(),
            view: View { evaluator: Evaluator::new(Predicate::All), rows: None, payload_matches: HashSet::new() },
            operations: Operations::default(),
            last: 0,
            bounds: Timestamp(i64::MIN)..Timestamp(i64::MAX),
            revision: 0,
            watching_since: Timestamp(i64::MAX),
        }
    }

    /// Sets the time from which records can be late; older ones are history.
    pub fn set_live_since(&mut self, at: Timestamp) {
        self.watching_since = at;
    }

    /// Number of rows in memory.
    pub fn len(&self) -> usize {
        self.order.rows().len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.rows().is_empty()
    }

    /// The number that the next new row gets.
    pub fn next_row(&self) -> Row {
        self.last
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
        segment.extra(at)
    }

    /// The sort key of a row: time, then offset in the file, then arrival.
    fn key(&self, row: Row) -> (i64, u64, u32) {
        let (segment, at) = self.at(row);
        (segment.started[at], segment.tie(at), row)
    }

    /// The row with an id.
    pub fn find(&self, id: &Id) -> Option<Row> {
        self.find_hashed(self.hasher.hash_one(id), id)
    }

    fn find_hashed(&self, hash: u64, id: &Id) -> Option<Row> {
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
            let hash = self.hasher.hash_one(&activity.id);
            match self.find_hashed(hash, &activity.id) {
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
        self.operations.note(&fresh);
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
        self.segments[row as usize / ROWS].put(row as usize % ROWS, &after, &mut self.symbols);
        Merged { changed: true, joined }
    }

    fn push(&mut self, activity: &Activity) -> Row {
        let row = self.last;
        if row as usize / ROWS == self.segments.len() {
            self.segments.push(Segment::default());
        }
        self.segments[row as usize / ROWS].put(row as usize % ROWS, activity, &mut self.symbols);
        self.last += 1;
        row
    }

    /// Updates the view; returns how many of the `fresh` rows it keeps. `placed`: new and moved rows in order;
    /// `touched`: known rows whose result may have changed.
    fn update_view(&mut self, fresh: &[Row], placed: &[Row], touched: &[Row]) -> usize {
        let Some(mut rows) = self.view.rows.take() else {
            return fresh.iter().filter(|row| self.bounds.contains(&self.started(**row))).count();
        };
        let evaluator = std::mem::take(&mut self.view.evaluator);
        let keeps = |row: Row| self.keeps(&evaluator, row);
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
        let inside = |row: &Row| self.bounds.contains(&self.started(*row));
        into.iter().filter(|row| fresh.binary_search(row).is_ok() && inside(row)).count()
    }

    /// Whether a filter keeps a row: what only its payload can tell, its source has said.
    fn keeps(&self, evaluator: &Evaluator, row: Row) -> bool {
        match evaluator.test(self, row) {
            Truth::Yes => true,
            Truth::No => false,
            Truth::NeedsPayload => self.view.payload_matches.contains(&row),
        }
    }

    /// Sets the filter of the view.
    pub fn set_filter(&mut self, predicate: Predicate) {
        self.view.payload_matches.clear();
        self.refilter(predicate);
    }

    /// Evaluates the same filter at another time: what is known of payloads stays.
    pub fn refilter(&mut self, predicate: Predicate) {
        self.follow_operations();
        let all = matches!(predicate, Predicate::All);
        let evaluator = Evaluator::new(predicate);
        let rows = (!all).then(|| Ordered::from_sorted(evaluator.select(self, self.order.rows())));
        let payload_matches = std::mem::take(&mut self.view.payload_matches);
        self.view = View { evaluator, rows, payload_matches };
        let rows: Vec<Row> = self.view.payload_matches.iter().copied().collect();
        self.update_view(&[], &[], &rows);
        self.revision += 1;
    }

    /// Sets whether the payloads of activities match, as their source found.
    pub fn set_payload_matches(&mut self, ids: &[Id], match_it: bool) {
        let rows: Vec<Row> = ids.iter().filter_map(|id| self.find(id)).collect();
        let known = &mut self.view.payload_matches;
        if match_it {
            known.extend(rows.iter().copied());
        } else {
            known.retain(|row| !rows.contains(row));
        }
        self.update_view(&[], &[], &rows);
        self.revision += 1;
    }

    /// What matches by its payload, as its source found.
    pub fn payload_matches(&self) -> Vec<Id> {
        self.view.payload_matches.iter().filter(|row| self.holds(**row)).map(|row| self.id(*row)).collect()
    }

    /// The rows that a predicate keeps. Rows whose result depends on the payload are not kept.
    pub fn matching(&self, rows: &[Row], predicate: Predicate) -> Vec<Row> {
        Evaluator::new(predicate).select(self, rows)
    }

    /// Sets the time that the view is about: from its start up to its end.
    pub fn set_bounds(&mut self, bounds: Range<Timestamp>) {
        if self.bounds != bounds {
            self.bounds = bounds;
            self.revision += 1;
        }
    }

    /// The rows that a filter keeps, at any time.
    fn kept(&self) -> &Ordered {
        self.view.rows.as_ref().unwrap_or(&self.order)
    }

    /// The positions of the view's rows among all that the filter keeps.
    fn span(&self) -> Range<usize> {
        self.positions(self.kept().rows(), &self.bounds)
    }

    fn positions(&self, rows: &[Row], range: &Range<Timestamp>) -> Range<usize> {
        let from =
            if range.start.0 == i64::MIN { 0 } else { rows.partition_point(|row| self.started(*row) < range.start) };
        let upto = if range.end.0 == i64::MAX {
            rows.len()
        } else {
            rows.partition_point(|row| self.started(*row) < range.end)
        };
        from..upto.max(from)
    }

    /// The rows of the view, in order of time.
    pub fn rows(&self) -> &[Row] {
        &self.kept().rows()[self.span()]
    }

    /// The rows that the filter keeps and that started in a range of time, whatever time the view shows.
    pub fn kept_between(&self, range: &Range<Timestamp>) -> &[Row] {
        let rows = self.kept().rows();
        &rows[self.positions(rows, range)]
    }

    /// All rows, in order of time.
    pub fn all_rows(&self) -> &[Row] {
        self.order.rows()
    }

    /// The rows that started in a range of time, in order of time.
    pub fn rows_between(&self, range: Range<Timestamp>) -> &[Row] {
        let rows = self.all_rows();
        &rows[self.positions(rows, &range)]
    }

    /// The position of a row in the view.
    pub fn position(&self, row: Row) -> Option<usize> {
        let span = self.span();
        let position = self.kept().position(row, |other| self.key(other)).filter(|_| self.holds(row))?;
        span.contains(&position).then(|| position - span.start)
    }

    /// The first position in the view with a time at or after `at`.
    pub fn position_of_time(&self, at: Timestamp) -> usize {
        self.rows().partition_point(|row| self.started(*row) < at)
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
