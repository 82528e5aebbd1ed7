//! What the stores count: the activities of the range that memory does not hold.

use super::Explore;
use crate::effect::{CountPart, CountQuery, Effect, Ticket, ValuesPart, ValuesQuery};
use crate::screens::explore::Facets;
use crate::screens::shared::{CountState, Counted, Shared};
use crosstail_core::filter::Field;
use crosstail_core::model::{SourceId, Timestamp};
use crosstail_engine::store::Facet;
use crosstail_engine::window::Interval;
use std::collections::{BTreeMap, HashMap};

/// The stores count again after this time at the earliest, in microseconds, while the range moves.
const AGAIN_US: i64 = 30_000_000;

/// Activities and failures by the start of a bucket.
type Buckets = BTreeMap<Timestamp, (u64, u64)>;

/// One count: of the filter, or of everything.
#[derive(Debug, Default)]
pub(super) struct Count {
    ticket: Ticket,
    /// What was asked for; `None` while nothing is.
    asked: Option<Asked>,
    /// What the sources have answered.
    answers: HashMap<SourceId, Result<Buckets, String>>,
    /// The ticket of the question for values, and what the sources have answered.
    values_ticket: Option<Ticket>,
    values: HashMap<SourceId, Vec<(Field, Vec<Facet>)>>,
    /// Whether an index answers the filter: then the stores may count while it is searched for.
    pub(super) is_indexed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    intervals: Vec<Interval>,
    bucket_us: i64,
    at: Timestamp,
    bounds: Interval,
}

impl Count {
    /// Takes an answer; returns whether it was waited for.
    pub(super) fn take(&mut self, ticket: Ticket, part: &CountPart) -> bool {
        if ticket != self.ticket || self.asked.is_none() {
            return false;
        }
        let counts = part.counts.as_ref().map_err(Clone::clone).map(|groups| {
            let bucket = |((_, at), figures): (&crosstail_source::GroupKey, &crosstail_core::model::Figures)| {
                Some(((*at)?, (figures.count, figures.failed)))
            };
            groups.iter().filter_map(bucket).collect()
        });
        self.answers.insert(part.source, counts);
        true
    }

    /// Takes an answer for values; returns whether it was waited for.
    pub(super) fn take_values(&mut self, ticket: Ticket, part: &ValuesPart) -> bool {
        let is_mine = self.values_ticket == Some(ticket) && self.asked.is_some();
        if let (true, Ok(values)) = (is_mine, &part.values) {
            self.values.insert(part.source, values.clone());
        }
        is_mine
    }

    /// The values of all sources, once all have answered.
    fn values(&self, sources: usize) -> Vec<(Field, Vec<Facet>)> {
        if self.values.len() < sources {
            return Vec::new();
        }
        let mut all: Vec<(Field, Vec<Facet>)> = Vec::new();
        for (field, facets) in self.values.values().flatten() {
            match all.iter_mut().find(|(known, _)| known == field) {
                Some((_, known)) => known.extend(facets.iter().cloned()),
                None => all.push((*field, facets.clone())),
            }
        }
        all
    }

    /// What is counted is asked for anew, or not at all.
    fn clear(&mut self) {
        self.answers.clear();
        self.values.clear();
        self.values_ticket = None;
    }

    fn counted(&self, sources: usize) -> Counted {
        let Some(asked) = &self.asked else { return Counted::default() };
        let mut buckets = Buckets::new();
        let mut state = if self.answers.len() < sources { CountState::Counting } else { CountState::Counted };
        for answer in self.answers.values() {
            match answer {
                Ok(counts) => {
                    for (at, (count, failed)) in counts {
                        let bucket = buckets.entry(*at).or_default();
                        *bucket = (bucket.0 + count, bucket.1 + failed);
                    }
                }
                Err(problem) => state = CountState::Failed(problem.clone()),
            }
        }
        let buckets = buckets.into_iter().map(|(at, (count, failed))| (at, count, failed)).collect();
        let unknown = if state == CountState::Counted { Vec::new() } else { asked.intervals.clone() };
        Counted { outside: asked.intervals.clone(), unknown, buckets, state, values: self.values(sources) }
    }
}

impl Explore {
    /// Asks the stores to count what memory does not hold, where that is not asked yet.
    pub(super) fn count_beyond(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = Vec::new();
        effects.extend(self.count_one(false, shared));
        if shared.filter.is_all() {
            self.window.counts[1].asked = None;
        } else {
            effects.extend(self.count_one(true, shared));
        }
        self.publish_counts(shared);
        effects.extend(self.count_values(shared));
        effects
    }

    /// Asks for the values that the facets show, once everything else has been counted.
    fn count_values(&mut self, shared: &mut Shared) -> Option<Effect> {
        let filtered = !shared.filter.is_all();
        let counted = shared.counted(true).state == CountState::Counted;
        let count = &mut self.window.counts[usize::from(filtered)];
        let intervals = count.asked.as_ref()?.intervals.clone();
        if !counted || count.values_ticket.is_some() || !self.facets.is_on {
            return None;
        }
        let ticket = shared.ticket();
        count.values_ticket = Some(ticket);
        let filter = shared.filter.text().to_owned();
        let query = ValuesQuery { filter, intervals, fields: Facets::counted_by_stores() };
        Some(Effect::CountValues(ticket, Box::new(query)))
    }

    fn count_one(&mut self, filtered: bool, shared: &mut Shared) -> Option<Effect> {
        let bounds = shared.bounds().interval();
        let known = if filtered { self.window.known(shared) } else { self.window.held() };
        let outside = known.missing(bounds);
        let (searching, is_indexed) = (self.is_searching(), self.window.counts[1].is_indexed);
        let readable = self.window.panes.iter().any(|pane| pane.reads);
        let count = &mut self.window.counts[usize::from(filtered)];
        if outside.is_empty() || !readable {
            count.clear();
            return count.asked.take().map(|asked| nothing(filtered, asked.bucket_us));
        }
        // A search without an index reads everything itself: counting beside it would cost as much again.
        if searching && !is_indexed {
            return None;
        }
        let bucket_us = self.histogram.bucket_us(shared);
        if let Some(asked) = &count.asked {
            let moved = asked.bounds.from != bounds.from || asked.bounds.to != bounds.to;
            let due = shared.now.since_us(asked.at) > AGAIN_US
                && count.answers.len() >= shared.sources.iter().filter(|source| source.holds_activities).count();
            let fits = bucket_us % asked.bucket_us == 0;
            if fits && (!moved || !due) && covers(&asked.intervals, &outside) {
                return None;
            }
        }
        count.ticket = shared.ticket();
        count.clear();
        count.asked = Some(Asked { intervals: outside.clone(), bucket_us, at: shared.now, bounds });
        let filter = if filtered { shared.filter.text().to_owned() } else { String::new() };
        let query = CountQuery { filter, intervals: outside, bucket_us, filtered };
        Some(Effect::Count(count.ticket, Box::new(query)))
    }

    /// The filter has changed, or the range with it (`filter_only` is false): counts of the last one mean nothing.
    pub(super) fn forget_counts(&mut self, shared: &mut Shared, filter_only: bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        for filtered in [false, true] {
            if filtered || !filter_only {
                let count = &mut self.window.counts[usize::from(filtered)];
                (count.is_indexed, count.ticket) = (false, 0);
                count.clear();
                effects.extend(count.asked.take().map(|asked| nothing(filtered, asked.bucket_us)));
            }
        }
        self.publish_counts(shared);
        effects
    }

    /// Lets everybody see what is counted.
    pub(super) fn publish_counts(&mut self, shared: &mut Shared) {
        let sources = shared.sources.iter().filter(|source| source.holds_activities).count();
        let of = |filtered: bool| {
            let count = &self.window.counts[usize::from(filtered)];
            let mut counted = count.counted(sources);
            // What a source has that cannot be read nobody knows.
            let problem = self.window.panes.iter().find_map(|pane| pane.problem.clone());
            if let Some(problem) = problem {
                counted.state = CountState::Failed(problem);
            }
            if matches!(counted.state, CountState::Counted | CountState::Failed(_)) {
                return counted;
            }
            // What nobody has counted yet is not nothing; what is held is a part of it.
            let known = if filtered { self.window.known(shared) } else { self.window.held() };
            let outside = known.missing(shared.bounds().interval());
            let reads = self.window.panes.iter().any(|pane| pane.reads);
            let state = if outside.is_empty() || !reads { CountState::Held } else { CountState::Counting };
            let unknown = if state == CountState::Held { Vec::new() } else { outside };
            Counted { unknown, state, ..Counted::default() }
        };
        let all = of(false);
        // Without a filter both are the same.
        let filtered = if shared.filter.is_all() { all.clone() } else { of(true) };
        shared.counted = [all, filtered];
        shared.held = self.window.held();
    }
}

/// A query that ends counting.
fn nothing(filtered: bool, bucket_us: i64) -> Effect {
    let query = CountQuery { filter: String::new(), intervals: Vec::new(), bucket_us, filtered };
    Effect::Count(0, Box::new(query))
}

/// Whether everything of `wanted` is in `asked`.
fn covers(asked: &[Interval], wanted: &[Interval]) -> bool {
    let asked: crosstail_engine::window::Intervals = asked.iter().copied().collect();
    wanted.iter().all(|wanted| asked.covers(*wanted))
}
