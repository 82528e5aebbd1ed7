//! What was counted for an objective: the last hours by the minute, what is before them by the hour. Memory counts what it
//! holds; of the rest the stores are asked, once.

use super::{FINE_US, HOUR_US, MINUTE_US, Objective};
use crate::store::{Row, Store};
use crosstail_core::filter::Context;
use crosstail_core::model::Timestamp;
use std::collections::BTreeMap;
use std::ops::Range;

/// Outcomes may change for so long: minutes that memory holds are counted again.
const CHANGES_MINUTES: i64 = 15;
/// A count that failed is asked for again after this.
const AGAIN_US: i64 = 60_000_000;

/// What was counted, and how much of it is good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub total: u64,
    pub good: u64,
}

impl Count {
    /// How much of it is not good.
    pub const fn bad(&self) -> u64 {
        self.total.saturating_sub(self.good)
    }

    const fn plus(self, other: Self) -> Self {
        Self { total: self.total + other.total, good: self.good + other.good }
    }
}

/// A stretch of time that is to be counted in buckets; both ends are multiples of their length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub from: Timestamp,
    pub to: Timestamp,
    pub bucket_us: i64,
}

/// A question to the stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectiveQuery {
    /// The name of the objective.
    pub name: String,
    /// Filters for what is counted, and for what of it is good.
    pub counted: String,
    pub good: String,
    pub stretches: Vec<Stretch>,
}

/// What was counted so far.
#[derive(Debug, Clone, Default)]
pub struct Course {
    minutes: BTreeMap<i64, Count>,
    hours: BTreeMap<i64, Count>,
    /// From this hour on it is counted by the minute.
    fine_from: Option<i64>,
    /// Up to this minute it is counted, or missing.
    reached: Option<i64>,
    /// The minutes that only the stores can count.
    missing: Option<Range<i64>>,
    /// Whether the hours before are counted.
    has_hours: bool,
    asked_at: Option<Timestamp>,
}

impl Course {
    /// Counts what memory holds, which is everything that has started since `held_from`.
    pub fn follow(
        &mut self,
        objective: &Objective,
        (store, context): (&Store, &Context),
        held_from: Timestamp,
        until: Timestamp,
    ) {
        let now = context.now;
        let first = self.reach(now, held_from);
        let from = first.max(ceiling(held_from, MINUTE_US));
        let rows = store.rows_between(Timestamp(from.saturating_mul(MINUTE_US))..until);
        drop(self.minutes.split_off(&from));
        self.minutes.extend(counted(objective, (store, context), rows, MINUTE_US));
        let begin = hour_of(now.plus_us(-objective.window_us)) * HOUR_US;
        if let (false, Some(end)) = (self.has_hours || held_from.0 > begin, self.fine_from) {
            let rows = store.rows_between(Timestamp(begin)..Timestamp(end * HOUR_US));
            self.hours = counted(objective, (store, context), rows, HOUR_US);
            self.has_hours = true;
        }
        self.forget(objective, now);
    }

    /// What the stores are to be asked, where memory holds everything that has started since `held_from`; `None` where
    /// nothing is missing, or it was asked a moment ago.
    pub fn request(&mut self, objective: &Objective, now: Timestamp, held_from: Timestamp) -> Option<ObjectiveQuery> {
        if self.reached.is_none() {
            // Memory has counted nothing yet: it will from what it holds on.
            let hour = *self.fine_from.get_or_insert_with(|| hour_of(now.plus_us(-FINE_US)));
            let (begin, held) = (hour * (HOUR_US / MINUTE_US), ceiling(held_from, MINUTE_US));
            self.missing = Some(begin..held).filter(|missing| !missing.is_empty());
            self.reached = Some(held.max(begin));
        }
        if self.asked_at.is_some_and(|at| now.since_us(at) < AGAIN_US) {
            return None;
        }
        let stretch = |from: i64, to: i64, bucket_us: i64| Stretch {
            from: Timestamp(from * bucket_us),
            to: Timestamp(to * bucket_us),
            bucket_us,
        };
        let hours = self.fine_from.filter(|_| !self.has_hours);
        let hours = hours.map(|end| stretch(hour_of(now.plus_us(-objective.window_us)), end, HOUR_US));
        let minutes = self.missing.clone().map(|missing| stretch(missing.start, missing.end, MINUTE_US));
        let stretches: Vec<Stretch> = hours.into_iter().chain(minutes).filter(|of| of.from < of.to).collect();
        if stretches.is_empty() {
            (self.has_hours, self.missing) = (true, None);
            return None;
        }
        self.asked_at = Some(now);
        let (counted, good) = (objective.counted.text().to_owned(), objective.good.text().to_owned());
        Some(ObjectiveQuery { name: objective.name.clone(), counted, good, stretches })
    }

    /// Takes the answer: start and length of a bucket, and its count; `None` where the stores did not answer.
    pub fn answer(&mut self, query: &ObjectiveQuery, counts: Option<&[(Timestamp, i64, Count)]>) {
        let Some(counts) = counts else { return };
        for stretch in &query.stretches {
            let of = |(at, us, _): &&(Timestamp, i64, Count)| {
                *us == stretch.bucket_us && (stretch.from..stretch.to).contains(at)
            };
            let buckets = counts.iter().filter(of).map(|(at, us, count)| (at.0.div_euclid(*us), *count));
            if stretch.bucket_us == HOUR_US {
                self.hours.extend(buckets);
                self.has_hours = true;
            } else {
                self.minutes.extend(buckets);
                // More may be missing by now.
                let to = stretch.to.0.div_euclid(MINUTE_US);
                self.missing = self.missing.take().map(|missing| to.max(missing.start)..missing.end);
                self.missing = self.missing.take().filter(|missing| !missing.is_empty());
            }
        }
    }

    /// Moves to a moment; the first minute that is to be counted again. What memory does not hold of the minutes since the last
    /// time is missing.
    fn reach(&mut self, now: Timestamp, held_from: Timestamp) -> i64 {
        let fine_from = *self.fine_from.get_or_insert_with(|| hour_of(now.plus_us(-FINE_US)));
        let begin = fine_from * (HOUR_US / MINUTE_US);
        let next = now.0.div_euclid(MINUTE_US) + 1;
        let known = self.reached.unwrap_or(begin);
        let held = ceiling(held_from, MINUTE_US).min(next);
        if held > known {
            let from = self.missing.take().map_or(known, |missing| missing.start);
            self.missing = Some(from..held);
        }
        self.reached = Some(next);
        match known {
            known if known == begin => begin,
            known => (known - CHANGES_MINUTES).max(begin),
        }
    }

    /// What was counted in so many microseconds before a moment, from the minute or hour in which they begin; `None` before all
    /// of it is known.
    pub fn over(&self, us: i64, now: Timestamp) -> Option<Count> {
        if !self.has_hours || self.missing.is_some() {
            return None;
        }
        let from = now.plus_us(-us);
        let minutes = self.minutes.range(from.0.div_euclid(MINUTE_US)..);
        let hours = if us <= FINE_US { 0..0 } else { hour_of(from)..i64::MAX };
        Some(minutes.chain(self.hours.range(hours)).fold(Count::default(), |sum, (_, count)| sum.plus(*count)))
    }

    /// Adds minutes up to hours once they are long past, and forgets what is before the window.
    fn forget(&mut self, objective: &Objective, now: Timestamp) {
        let fine_from = hour_of(now.plus_us(-FINE_US));
        if self.fine_from.is_some_and(|from| from < fine_from) && self.has_hours && self.missing.is_none() {
            let recent = self.minutes.split_off(&(fine_from * (HOUR_US / MINUTE_US)));
            for (minute, count) in std::mem::replace(&mut self.minutes, recent) {
                let hour = self.hours.entry(minute.div_euclid(HOUR_US / MINUTE_US)).or_default();
                *hour = hour.plus(count);
            }
            self.fine_from = Some(fine_from);
        }
        self.hours = self.hours.split_off(&hour_of(now.plus_us(-objective.window_us)));
    }
}

fn hour_of(at: Timestamp) -> i64 {
    at.0.div_euclid(HOUR_US)
}

/// The first bucket that begins at a moment or later.
fn ceiling(at: Timestamp, bucket_us: i64) -> i64 {
    let bucket = at.0.div_euclid(bucket_us);
    if bucket.saturating_mul(bucket_us) == at.0 { bucket } else { bucket + 1 }
}

/// Counts rows by bucket.
fn counted(
    objective: &Objective,
    (store, context): (&Store, &Context),
    rows: &[Row],
    bucket_us: i64,
) -> BTreeMap<i64, Count> {
    let mut all: BTreeMap<i64, Count> = BTreeMap::new();
    let total = store.matching(rows, objective.counted.predicate(context));
    let good = store.matching(&total, objective.good.predicate(context));
    let bucket = |row: Row| store.started(row).0.div_euclid(bucket_us);
    for row in total {
        all.entry(bucket(row)).or_default().total += 1;
    }
    for row in good {
        all.entry(bucket(row)).or_default().good += 1;
    }
    all
}
