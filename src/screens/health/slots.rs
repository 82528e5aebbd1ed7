//! Health of the systems, from memory and from the stores. Time is divided into slots; only slots in which something
//! changed are recomputed.

use crate::screens::shared::reading;
use crosstail_core::filter::Field;
use crosstail_core::model::Timestamp;
use crosstail_core::number::{saturating_i64, saturating_usize};
use crosstail_engine::insight::{Course, Health, HealthFigures, Windows};
use crosstail_engine::store::{Row, Store, Symbol};
use crosstail_source::{FiguresQuery, Grouping, Groups};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// Windows of the health screen, in microseconds: 15 minutes, an hour, a day.
const HEALTH_WINDOWS_US: [i64; 3] = [900_000_000, 3_600_000_000, 86_400_000_000];
/// Slots per window.
const SLOTS: i64 = 60;
/// Columns of a sparkline.
const COLUMNS: i64 = 30;
const DAY_US: i64 = 86_400_000_000;
/// Interval between two queries for the stores' figures, in microseconds.
const PAST_EVERY_US: i64 = 60_000_000;

/// The figures of one slot, by system.
type Slot = HashMap<String, HealthFigures>;

/// The stores' figures for a time that memory does not hold completely.
#[derive(Debug, Clone, Default)]
struct StoreFigures {
    /// Figures by slot and system.
    slots: BTreeMap<i64, BTreeMap<String, HealthFigures>>,
    /// The time that the stores answer for.
    range: Option<Range<Timestamp>>,
    asked_at: Option<Timestamp>,
    is_waiting: bool,
}

/// The figures of the health screen.
#[derive(Debug, Clone, Default)]
pub struct SlottedHealth {
    /// Index into [`HEALTH_WINDOWS_US`].
    window: usize,
    /// The last result.
    pub health: Option<Health>,
    slots: HashMap<i64, Slot>,
    /// Slots in which something has changed since.
    dirty: BTreeSet<i64>,
    computed_at: Option<Timestamp>,
    /// Rows read the last time: the more, the longer the next time waits.
    cost: usize,
    /// For the windows themselves, and for the same time of the day before.
    past: [StoreFigures; 2],
}

impl SlottedHealth {
    /// Length of the window in microseconds.
    pub fn window_us(&self) -> i64 {
        HEALTH_WINDOWS_US[self.window]
    }

    fn slot_us(&self) -> i64 {
        self.window_us() / SLOTS
    }

    fn slot_of(&self, at: Timestamp) -> i64 {
        at.0.div_euclid(self.slot_us())
    }

    /// Whether there is a shorter or a longer window.
    pub fn can_zoom(&self, shorter: bool) -> bool {
        if shorter { self.window > 0 } else { self.window + 1 < HEALTH_WINDOWS_US.len() }
    }

    /// Whether no window is longer.
    pub fn is_longest(&self) -> bool {
        !self.can_zoom(false)
    }

    /// Switches to the next shorter or longer window; returns whether there is one.
    pub fn zoom(&mut self, shorter: bool) -> bool {
        let can = self.can_zoom(shorter);
        if can {
            *self = Self { window: if shorter { self.window - 1 } else { self.window + 1 }, ..Self::default() };
        }
        can
    }

    /// Notes that rows are new or changed; `moved_from` are earlier start times of rows whose start changed.
    pub fn mark_dirty(&mut self, store: &Store, rows: &[Row], moved_from: &[Timestamp]) {
        if self.slots.is_empty() {
            return;
        }
        let mut last = i64::MIN;
        for at in rows.iter().map(|row| store.started(*row)).chain(moved_from.iter().copied()) {
            let slot = self.slot_of(at);
            if slot != last {
                self.dirty.insert(slot);
                last = slot;
            }
        }
    }

    /// Since when a system has been failing, as of the last computation.
    pub fn failing_since(&self, system: &str) -> Option<Timestamp> {
        let found = self.health.iter().flat_map(|health| &health.systems).find(|one| one.system == system);
        found.and_then(|system| system.failing_since)
    }

    /// Whether to recompute: after a second, or later if computing takes long.
    pub fn is_due(&self, now: Timestamp) -> bool {
        // At about 100 ns a row, this spends at most a hundredth of the time.
        let wait_us = (saturating_i64(self.cost) * 10).clamp(1_000_000, 60_000_000);
        self.computed_at.is_none_or(|at| now.since_us(at) >= wait_us)
    }

    /// Queries for the stores, if memory does not reach back as far as the windows.
    pub fn request_store_figures(&mut self, complete_from: Timestamp, now: Timestamp) -> Vec<FiguresQuery> {
        let (window, slot_us) = (self.window_us(), self.slot_us());
        // A slot that memory holds only in part belongs to the stores.
        let complete = self.slot_of(complete_from.plus_us(-1).max(Timestamp(0))) + 1;
        let slots = |from: Timestamp, upto: Timestamp| {
            Timestamp(self.slot_of(from) * slot_us)..Timestamp((self.slot_of(upto) + 1).min(complete) * slot_us)
        };
        let windows = slots(now.plus_us(-2 * window), now);
        let day_before = slots(now.plus_us(-DAY_US - window), now.plus_us(-DAY_US));
        let day_before = if window < DAY_US { day_before } else { Timestamp(0)..Timestamp(0) };
        let mut questions = Vec::new();
        for (past, range) in self.past.iter_mut().zip([windows, day_before]) {
            if complete_from.0 == i64::MIN || range.is_empty() {
                past.range = None;
            } else if past.asked_at.is_none_or(|at| now.since_us(at) >= PAST_EVERY_US) {
                (past.asked_at, past.is_waiting) = (Some(now), true);
                let grouping = Grouping { by: vec![Field::System], bucket_us: Some(slot_us), ..Grouping::default() };
                questions.push(FiguresQuery { since: range.start, until: range.end.min(now), grouping });
            }
        }
        questions
    }

    /// Nobody waits for the stores any more: what they have not answered is asked again the next time.
    pub fn forget_questions(&mut self) {
        for past in self.past.iter_mut().filter(|past| past.is_waiting) {
            (past.asked_at, past.is_waiting) = (None, false);
        }
    }

    /// Sets the stores' answer to a query.
    pub fn set_store_figures(&mut self, query: &FiguresQuery, groups: Groups, now: Timestamp) {
        if query.grouping.bucket_us != Some(self.slot_us()) {
            return;
        }
        let mut slots: BTreeMap<i64, BTreeMap<String, HealthFigures>> = BTreeMap::new();
        for ((values, at), figures) in groups {
            if let (Some(Some(system)), Some(at)) = (values.into_iter().next(), at) {
                slots.entry(self.slot_of(at)).or_default().insert(system, HealthFigures::counted(figures, at));
            }
        }
        let is_day_before = query.until <= now.plus_us(-DAY_US + self.slot_us()) && self.window_us() < DAY_US;
        let past = &mut self.past[usize::from(is_day_before)];
        (past.slots, past.range, past.is_waiting) = (slots, Some(query.since..query.until), false);
        self.computed_at = None;
    }

    /// Computes the health at a moment.
    pub fn compute(&mut self, store: &Store, now: Timestamp) {
        let is_first = self.computed_at.replace(now).is_none();
        self.cost = 0;
        let window = self.window_us();
        for slot in std::mem::take(&mut self.dirty) {
            self.slots.remove(&slot);
        }
        let start = now.plus_us(-window);
        let mut span = Windows {
            now: self.collect(store, start..Timestamp(i64::MAX)),
            before: self.collect(store, start.plus_us(-window)..start),
            ..Windows::default()
        };
        if window < DAY_US {
            span.day_before = self.collect(store, start.plus_us(-DAY_US)..now.plus_us(-DAY_US));
        }
        // The sparkline is aligned to slots, so that it does not shift with every second.
        let last = self.slot_of(now);
        let first = last - SLOTS + 1;
        let (per_column, slot_us) = (SLOTS / COLUMNS, self.slot_us());
        for slot in first..=last {
            let column = saturating_usize((slot - first) / per_column);
            let mut add = |system: &str, part: &HealthFigures| {
                let columns =
                    span.columns.entry(system.to_owned()).or_insert_with(|| vec![(0, 0); saturating_usize(COLUMNS)]);
                columns[column].0 += part.figures.count;
                columns[column].1 += part.figures.failed;
                let course = span.course.entry(system.to_owned()).or_insert_with(|| Course {
                    last: Timestamp(last * slot_us),
                    period_us: slot_us,
                    periods: vec![(0, 0); saturating_usize(SLOTS)],
                });
                let (period, outcomes) = (&mut course.periods[saturating_usize(slot - first)], part.outcomes());
                (period.0, period.1) = (period.0 + outcomes.0, period.1 + outcomes.1);
            };
            match self.store_slot(slot) {
                Some(parts) => parts.iter().for_each(|(system, part)| add(system, part)),
                None => {
                    let parts = self.slots.get(&slot).into_iter().flatten();
                    parts.for_each(|(system, part)| add(system, part));
                }
            }
        }
        let oldest = self.slot_of(start.plus_us(-window));
        let day_before = self.slot_of(start.plus_us(-DAY_US))..=self.slot_of(now.plus_us(-DAY_US));
        self.slots.retain(|slot, _| *slot >= oldest || day_before.contains(slot));
        self.dirty.insert(self.slot_of(now));
        if is_first {
            // The first computation reads everything. Later ones read only what has changed, so they need not wait.
            self.cost = 0;
        }
        self.health = Some(Health::of(&span, window));
    }

    /// The stores' figures of a slot, if it belongs to them.
    fn store_slot(&self, slot: i64) -> Option<&BTreeMap<String, HealthFigures>> {
        static NONE: BTreeMap<String, HealthFigures> = BTreeMap::new();
        let start = Timestamp(slot * self.slot_us());
        let theirs = |past: &&StoreFigures| past.range.as_ref().is_some_and(|range| range.contains(&start));
        self.past.iter().find(theirs).map(|past| past.slots.get(&slot).unwrap_or(&NONE))
    }

    /// The figures of a range of time: complete slots from the cache, the edges computed from rows.
    fn collect(&mut self, store: &Store, range: Range<Timestamp>) -> BTreeMap<String, HealthFigures> {
        let mut sum: BTreeMap<String, HealthFigures> = BTreeMap::new();
        let newest = store.all_rows().last().map_or(range.start, |row| store.started(*row));
        let last = self.slot_of(range.end.plus_us(-1).min(newest.max(range.start)));
        for slot in self.slot_of(range.start)..=last {
            let of_slot = Timestamp(slot * self.slot_us())..Timestamp((slot + 1) * self.slot_us());
            if let Some(parts) = self.store_slot(slot) {
                // The stores' slot cannot be divided: it counts for the range in which it starts.
                for (system, part) in parts.iter().filter(|_| range.contains(&of_slot.start)) {
                    sum.entry(system.clone()).or_default().merge(part);
                }
                continue;
            }
            if of_slot.start < range.start || of_slot.end > range.end {
                let (edge, rows) = read(store, of_slot.start.max(range.start)..of_slot.end.min(range.end));
                self.cost += rows;
                for (system, part) in edge {
                    sum.entry(system).or_default().merge(&part);
                }
                continue;
            }
            if !self.slots.contains_key(&slot) {
                let (parts, rows) = read(store, of_slot);
                self.cost += rows;
                self.slots.insert(slot, parts);
            }
            for (system, part) in &self.slots[&slot] {
                match sum.get_mut(system) {
                    Some(known) => known.merge(part),
                    None => drop(sum.insert(system.clone(), part.clone())),
                }
            }
        }
        sum
    }
}

/// The figures of a range of time, and the number of rows read.
fn read(store: &Store, range: Range<Timestamp>) -> (Slot, usize) {
    let mut slot: HashMap<Symbol, HealthFigures> = HashMap::new();
    let rows = store.rows_between(range);
    for row in rows {
        let system = store.system(*row);
        if system != Symbol::ABSENT && store.is_work(*row) {
            slot.entry(system).or_default().add(&reading(store, *row));
        }
    }
    let named = slot.into_iter().map(|(system, figures)| (store.symbols().get(system).to_owned(), figures));
    (named.collect(), rows.len())
}
