//! What the stores count: the activities of the range that memory does not hold.

use super::Explore;
use super::pane::Pane;
use crate::effect::{CountPart, CountQuery, Counts, Effect, Ticket, ValuesPart, ValuesPurpose, ValuesQuery};
use crate::screens::explore::Facets;
use crate::screens::shared::{CountState, Counted, Shared};
use crosstail_core::filter::Field;
use crosstail_core::model::{SourceId, Timestamp};
use crosstail_engine::store::Facet;
use crosstail_engine::window::Interval;
use crosstail_source::Groups;
use std::collections::{BTreeMap, HashMap};

/// The stores count again after this time at the earliest, in microseconds, while the range moves.
const AGAIN_US: i64 = 30_000_000;

/// Activities and failures by the start of a bucket.
type Buckets = BTreeMap<Timestamp, (u64, u64)>;

/// One count: of the filter, or of everything.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// What was asked for last.
    now: Option<Round>,
    /// What was asked for before, of the same filter: it is shown until the new answer is better.
    last: Option<Round>,
    /// Whether an index answers the filter: then the stores may count while it is searched for.
    pub(super) is_indexed: bool,
}

/// A question, and what the sources have answered so far.
#[derive(Debug)]
struct Round {
    ticket: Ticket,
    asked: Asked,
    answers: Answers,
    /// The ticket of the question for values, and what the sources have answered.
    values_ticket: Option<Ticket>,
    values: HashMap<SourceId, Vec<(Field, Vec<Facet>)>>,
}

/// What sources have answered.
#[derive(Debug, Default)]
struct Answers(HashMap<SourceId, Result<Answer, String>>);

/// What a source has answered so far, from the roughest to the best.
#[derive(Debug)]
enum Answer {
    Estimate {
        count: u64,
        is_final: bool,
    },
    Total(u64),
    /// Failures are not counted yet.
    Times(Buckets),
    Outcomes(Buckets),
}

impl Answers {
    /// What they are together.
    fn state(&self, sources: usize) -> CountState {
        if let Some(problem) = self.0.values().find_map(|answer| answer.as_ref().err()) {
            return CountState::Failed(problem.clone());
        }
        if self.0.len() < sources {
            return CountState::Counting;
        }
        let any = |is: fn(&Answer) -> bool| self.0.values().flatten().any(is);
        if any(|answer| matches!(answer, Answer::Estimate { is_final: false, .. })) {
            CountState::Estimated { is_final: false }
        } else if any(|answer| matches!(answer, Answer::Total(_) | Answer::Times(_))) {
            CountState::Total
        } else if any(|answer| matches!(answer, Answer::Estimate { .. })) {
            CountState::Estimated { is_final: true }
        } else {
            CountState::Counted
        }
    }

    fn counted(&self, asked: &Asked, sources: usize) -> Counted {
        let (mut buckets, mut number, state) = (Buckets::new(), 0, self.state(sources));
        for answer in self.0.values().flatten() {
            match answer {
                Answer::Estimate { count, .. } | Answer::Total(count) => number += count,
                Answer::Times(counts) | Answer::Outcomes(counts) => {
                    for (at, (count, failed)) in counts {
                        let bucket = buckets.entry(*at).or_default();
                        *bucket = (bucket.0 + count, bucket.1 + failed);
                    }
                }
            }
        }
        let has_times = |answer: &Result<Answer, String>| matches!(answer, Ok(Answer::Times(_) | Answer::Outcomes(_)));
        let is_timed = self.0.len() >= sources && self.0.values().all(has_times);
        let buckets: Vec<_> = buckets.into_iter().map(|(at, (count, failed))| (at, count, failed)).collect();
        let unknown = if state == CountState::Counted { Vec::new() } else { asked.intervals.clone() };
        // Where no store has counted anything, memory counts what it has.
        let is_nothing = matches!(state, CountState::Failed(_)) && number == 0 && buckets.is_empty();
        let outside = if is_nothing { Vec::new() } else { asked.intervals.clone() };
        Counted { outside, unknown, number, buckets, is_timed, state, values: Vec::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    intervals: Vec<Interval>,
    bucket_us: i64,
    at: Timestamp,
    bounds: Interval,
}

impl Round {
    /// Whether the sources have answered.
    fn is_done(&self, sources: usize) -> bool {
        !self.answers.state(sources).is_counting()
    }

    /// The values of all sources, once all have answered.
    fn values(&self, sources: usize) -> Vec<(Field, Vec<Facet>)> {
        if self.values.len() < sources {
            return Vec::new();
        }
        let mut all: Vec<(Field, Vec<Facet>)> = Vec::new();
        // What one of them cannot count, nobody knows.
        let is_counted = |field: Field| self.values.values().all(|of| of.iter().any(|(known, _)| *known == field));
        for (field, facets) in self.values.values().flatten().filter(|(field, _)| is_counted(*field)) {
            match all.iter_mut().find(|(known, _)| known == field) {
                Some((_, known)) => known.extend(facets.iter().cloned()),
                None => all.push((*field, facets.clone())),
            }
        }
        all
    }
}

impl Count {
    /// Takes an answer; returns whether it was waited for.
    pub(super) fn take(&mut self, ticket: Ticket, part: &CountPart) -> bool {
        let Some(round) = self.now.as_mut().filter(|round| round.ticket == ticket) else { return false };
        let answer = part.counts.as_ref().map_err(Clone::clone).map(|counts| match counts {
            Counts::Estimate { count, is_final } => Answer::Estimate { count: *count, is_final: *is_final },
            Counts::Total(count) => Answer::Total(*count),
            Counts::Times(groups) => Answer::Times(buckets(groups)),
            Counts::Outcomes(groups) => Answer::Outcomes(buckets(groups)),
        });
        round.answers.0.insert(part.source, answer);
        true
    }

    /// Takes an answer for values; returns whether it was waited for.
    pub(super) fn take_values(&mut self, ticket: Ticket, part: &ValuesPart) -> bool {
        let Some(round) = self.now.as_mut().filter(|round| round.values_ticket == Some(ticket)) else { return false };
        if let Ok(values) = &part.values {
            round.values.insert(part.source, values.clone());
        }
        true
    }

    /// Counts anew; what is known is shown meanwhile.
    fn ask(&mut self, ticket: Ticket, asked: Asked, sources: usize) {
        let answers = Answers::default();
        let round = Round { ticket, asked, answers, values_ticket: None, values: HashMap::new() };
        let before = self.now.replace(round);
        let is_known = |state: &CountState| !matches!(state, CountState::Counting | CountState::Failed(_));
        if let Some(before) = before.filter(|before| is_known(&before.answers.state(sources))) {
            self.last = Some(before);
        }
    }

    /// What was counted means nothing any more; returns the width of the buckets if anything was asked for.
    fn clear(&mut self) -> Option<i64> {
        self.last = None;
        self.now.take().map(|round| round.asked.bucket_us)
    }

    /// What is known of the times that memory does not hold. `bucket_us`: the width that the histogram wants.
    fn counted(&self, sources: usize, missing: &[Interval], bucket_us: i64) -> Counted {
        let Some(now) = &self.now else { return Counted::default() };
        let is_whole = |last: &Round| last.values.is_empty() || now.values.len() >= sources;
        let last = self.last.as_ref().filter(|last| covers(&last.asked.intervals, missing));
        let round = last.filter(|last| !(now.is_done(sources) && is_whole(last))).unwrap_or(now);
        let mut counted = round.answers.counted(&round.asked, sources);
        counted.values = round.values(sources);
        if counted.is_timed && bucket_us % round.asked.bucket_us != 0 {
            // How many there are is known; when they were, only roughly.
            (counted.state, counted.unknown) = (CountState::Total, round.asked.intervals.clone());
            counted.is_timed = false;
        }
        counted
    }

    /// Whether an answer is still to come.
    pub(super) fn is_waiting(&self, sources: usize) -> bool {
        self.now.as_ref().is_some_and(|round| !round.is_done(sources))
    }
}

impl Explore {
    /// Asks the stores to count what memory does not hold, where that is not asked yet.
    pub(super) fn count_beyond(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = Vec::new();
        effects.extend(self.count_one(false, shared));
        if shared.filter.is_all() {
            self.window.counts[1].now = None;
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
        let sources = counting(shared);
        let round = self.window.counts[usize::from(filtered)].now.as_mut()?;
        if round.answers.state(sources) != CountState::Counted || round.values_ticket.is_some() || !self.facets.is_on {
            return None;
        }
        let ticket = shared.ticket();
        round.values_ticket = Some(ticket);
        let (filter, intervals) = (shared.filter.text().to_owned(), round.asked.intervals.clone());
        let fields = Facets::counted_by_stores(shared);
        let query = ValuesQuery { filter, intervals, fields, purpose: ValuesPurpose::Facets };
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
            return count.clear().map(|bucket_us| nothing(filtered, bucket_us));
        }
        // What is read whole is counted by memory then.
        if self.window.panes.iter().any(Pane::is_read_at_once) {
            return None;
        }
        // A search without an index reads everything itself: counting beside it would cost as much again.
        if searching && !is_indexed {
            return None;
        }
        let bucket_us = self.histogram.bucket_us(shared);
        let sources = counting(shared);
        if let Some(Round { asked, .. }) = &count.now {
            let moved = asked.bounds.from != bounds.from || asked.bounds.to != bounds.to;
            let due = shared.now.since_us(asked.at) > AGAIN_US && !count.is_waiting(sources);
            let fits = bucket_us % asked.bucket_us == 0;
            if fits && (!moved || !due) && covers(&asked.intervals, &outside) {
                return None;
            }
        }
        let ticket = shared.ticket();
        count.ask(ticket, Asked { intervals: outside.clone(), bucket_us, at: shared.now, bounds }, sources);
        let filter = if filtered { shared.filter.text().to_owned() } else { String::new() };
        let is_estimate_enough = shared.settings.is_estimate_enough;
        let query = CountQuery { filter, intervals: outside, bucket_us, filtered, is_estimate_enough };
        Some(Effect::Count(ticket, Box::new(query)))
    }

    /// Other facets are shown: their values are counted anew.
    pub(in crate::screens::explore) fn forget_values(&mut self) {
        for round in self.window.counts.iter_mut().filter_map(|count| count.now.as_mut()) {
            round.values_ticket = None;
            round.values.clear();
        }
    }

    /// The filter has changed, or the range with it (`filter_only` is false): counts of the last one mean nothing.
    pub(super) fn forget_counts(&mut self, shared: &mut Shared, filter_only: bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        for filtered in [false, true] {
            if filtered || !filter_only {
                let count = &mut self.window.counts[usize::from(filtered)];
                count.is_indexed = false;
                effects.extend(count.clear().map(|bucket_us| nothing(filtered, bucket_us)));
            }
        }
        self.publish_counts(shared);
        effects
    }

    /// Lets everybody see what is counted.
    pub(super) fn publish_counts(&mut self, shared: &mut Shared) {
        let (sources, bucket_us) = (counting(shared), self.histogram.bucket_us(shared));
        let of = |filtered: bool| {
            let count = &self.window.counts[usize::from(filtered)];
            let known = if filtered { self.window.known(shared) } else { self.window.held() };
            let outside = known.missing(shared.bounds().interval());
            let mut counted = count.counted(sources, &outside, bucket_us);
            // What a source has that cannot be read nobody knows.
            let problem = self.window.panes.iter().find_map(|pane| pane.problem.clone());
            if let Some(problem) = problem {
                counted.state = CountState::Failed(problem);
            }
            if !matches!(counted.state, CountState::Held | CountState::Counting) {
                return counted;
            }
            // What nobody has counted yet is not nothing; what is held is a part of it.
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

fn buckets(groups: &Groups) -> Buckets {
    groups.iter().filter_map(|((_, at), figures)| Some(((*at)?, (figures.count, figures.failed)))).collect()
}

/// The number of sources that count.
pub(super) fn counting(shared: &Shared) -> usize {
    shared.sources.iter().filter(|source| source.holds_activities).count()
}

/// A query that ends counting.
fn nothing(filtered: bool, bucket_us: i64) -> Effect {
    let query =
        CountQuery { filter: String::new(), intervals: Vec::new(), bucket_us, filtered, is_estimate_enough: false };
    Effect::Count(0, Box::new(query))
}

/// Whether everything of `wanted` is in `asked`.
fn covers(asked: &[Interval], wanted: &[Interval]) -> bool {
    let asked: crosstail_engine::window::Intervals = asked.iter().copied().collect();
    wanted.iter().all(|wanted| asked.covers(*wanted))
}
