//! Figures over the range: what memory counts, and what the stores count beyond it. Every moment belongs to one of the two.

use super::Shared;
use crate::effect::{HeldPage, HeldQuery, ReportRange};
use crate::ingest::SourceStatus;
use crosstail_core::filter::{Field, Filter, Operand};
use crosstail_core::model::Timestamp;
use crosstail_engine::store::{Facet, RowRecord};
use crosstail_engine::window::{Bounds, Interval, Intervals};
use std::ops;

/// Rows that memory is asked for at once.
const AT_ONCE: usize = 4000;

/// What the stores count.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// The times that they count, for all sources alike; memory counts the others.
    pub outside: Vec<Interval>,
    /// The times of which nobody has counted everything yet.
    pub unknown: Vec<Interval>,
    /// How many there are, of the sources that have not counted by bucket yet.
    pub number: u64,
    /// Start of a bucket, activities, failures.
    pub buckets: Vec<(Timestamp, u64, u64)>,
    /// Of what is unknown it is only unknown how many failed: the buckets have all activities.
    pub is_timed: bool,
    /// Values of fields, once they have been counted.
    pub values: Vec<(Field, Vec<Facet>)>,
    pub state: CountState,
}

/// What a figure is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CountState {
    /// Memory holds all of it.
    #[default]
    Held,
    /// The stores have not counted yet; what is there is a part.
    Counting,
    /// The stores have estimated. `is_final`: they do no more, because that is enough.
    Estimated { is_final: bool },
    /// The stores have counted the activities, and maybe when they were, and still count how many of them failed.
    Total,
    /// The stores have counted what memory does not hold.
    Counted,
    /// A store could not count, and why.
    Failed(String),
}

impl CountState {
    /// Whether a better answer is to come.
    pub const fn is_counting(&self) -> bool {
        matches!(self, Self::Counting | Self::Estimated { is_final: false } | Self::Total)
    }
}

/// A number of activities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    pub count: u64,
    pub state: CountState,
}

impl Shared {
    /// What the view is of, for what the stores are asked.
    pub fn view_range(&self) -> ReportRange {
        let bounds = self.bounds();
        ReportRange { filter: self.filter.text().to_owned(), bounds, is_held: self.holds(&self.filter, bounds) }
    }

    /// Whether memory holds all that a filter keeps of a time, and whatever followed it.
    pub(in crate::screens) fn holds(&self, filter: &Filter, bounds: Bounds) -> bool {
        let looks_inside = filter.expr().atoms().iter().any(|atom| matches!(atom.target, Operand::Path(..)));
        let from = bounds.interval().from;
        let is_known = self.held.covers(Interval::new(from, Interval::EVER.to));
        is_known && !looks_inside && !self.sources.iter().any(SourceStatus::is_silent)
    }

    /// Answers work that asks for what memory holds, as much as a picture can wait for.
    pub(in crate::screens) fn answer_from_memory(&self, HeldQuery { predicate, bounds, answer }: HeldQuery) {
        let (store, Interval { from, to }) = (&self.store, bounds.interval());
        let rows = store.rows_between(from..to);
        let mut first = rows.len().saturating_sub(AT_ONCE);
        // Those of one moment are answered together.
        while first > 0 && store.started(rows[first - 1]) == store.started(rows[first]) {
            first -= 1;
        }
        let newest = rows[first..].iter().rev().filter(|row| predicate.keeps(&RowRecord::new(store, **row)));
        let items = newest.map(|row| store.get(*row)).collect();
        let rest = (first > 0).then(|| store.started(rows[first]));
        // Nobody waits where the work was ended.
        let _ = answer.send(HeldPage { items, rest });
    }

    /// The ends of the time that the view is about: of the filter if it names a time, else of the range.
    pub fn bounds(&self) -> Bounds {
        self.time_clause.unwrap_or_else(|| self.chosen_bounds())
    }

    /// The ends of the range, whatever the filter says. A relative range moves in steps, so that nothing is counted again
    /// every second.
    pub fn chosen_bounds(&self) -> Bounds {
        let mut bounds = self.range.bounds(self.now);
        if let (crosstail_engine::window::Range::Last(us), Some(since)) = (&self.range, &mut bounds.since) {
            let step = (us / 1000).max(1);
            since.0 = since.0.div_euclid(step) * step;
        }
        bounds
    }

    /// What the stores count: for the filter, or for all activities of the range.
    pub fn counted(&self, filtered: bool) -> &Counted {
        &self.counted[usize::from(filtered && !self.filter.is_all())]
    }

    /// The times that memory counts.
    pub fn counted_here(&self, filtered: bool) -> Vec<ops::Range<Timestamp>> {
        let outside: Intervals = self.counted(filtered).outside.iter().copied().collect();
        outside.missing(self.bounds().interval()).into_iter().map(|here| here.from..here.to).collect()
    }

    /// The number of activities of the range that the filter keeps, or of all.
    pub fn figure(&self, filtered: bool) -> Figure {
        let here = self.counted_here(filtered).into_iter().map(|range| {
            if filtered { self.store.kept_between(&range).len() } else { self.store.rows_between(range).len() }
        });
        let counted = self.counted(filtered);
        let beyond = counted.number + counted.buckets.iter().map(|(_, count, _)| count).sum::<u64>();
        Figure { count: here.sum::<usize>() as u64 + beyond, state: counted.state.clone() }
    }
}
