//! Failures in groups: failures of one system and endpoint, of one kind, that say the same. A group is new, or back again, or
//! goes on, or has ended. Which it is follows from the set of failures, not from the order in which they come.
//!
//! What is known of the days before is added, too, and not counted: failures that are read again, or what is remembered of
//! them ([`Seen`]). Patterns are of all of it, so that a group has one pattern, whether its failures are remembered or read.

mod group;
mod kind;
mod ledger;
mod silence;

pub use group::{ANYWHERE, FailureGroup, Fingerprint, Mute, Remark, State, remark};
pub use kind::{ERROR_LINE, error_kind};
pub use ledger::{KnownFailures, Ledger, Occurring};

use crate::pattern::{Masked, Pattern, Patterns, Trend};
use compact_str::CompactString;
use crosstail_core::model::{Activity, FinalOutcome, Timestamp, redact_text};
use foldhash::quality::FixedState;
use silence::{Days, note, note_all, was_silent};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher as _;

/// A day, in microseconds. A group that is silent for so long has ended; whether it is then back again depends on how long it
/// usually is silent.
pub const DAY_US: i64 = 86_400_000_000;
/// A group that did not occur for so many days is new.
pub const DAYS: i64 = 14;
const HOUR_US: i64 = 3_600_000_000;

/// The number of the day (UTC, since the epoch) of a moment.
pub const fn day_of(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_US)
}

/// What failures have in common before the patterns of all of them are known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    system: Option<CompactString>,
    endpoint: Option<CompactString>,
    kind: CompactString,
    frame: Option<CompactString>,
    masked: Masked,
}

impl Key {
    /// Of what is remembered.
    fn of(seen: &Seen, masked: Masked) -> Self {
        let Seen { system, endpoint, kind, frame, .. } = seen.clone();
        Self { system, endpoint, kind, frame, masked }
    }
}

/// What is remembered of the failures of a day: when those that say the same were first and last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub system: Option<CompactString>,
    pub endpoint: Option<CompactString>,
    pub kind: CompactString,
    /// Where they were thrown; [`ANYWHERE`] where that was not kept.
    pub frame: Option<CompactString>,
    /// What they say, masked.
    pub text: String,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// Groups of failures, and how far it is known what has failed before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoundFailures {
    pub groups: Vec<FailureGroup>,
    /// Number of failures.
    pub count: u64,
    /// When the first and the last of them started.
    pub span: Option<(Timestamp, Timestamp)>,
    /// From when on it is known what has failed.
    pub known_from: Timestamp,
    /// When the sources begin, if that is later than it should be known what has failed.
    pub begins: Option<Timestamp>,
    /// What occurs from here on, and did not before, is new.
    pub fresh: Timestamp,
    /// Whether what was before is still being written: then more seems to be new than is.
    pub is_growing: bool,
    /// Why nothing is remembered.
    pub problem: Option<String>,
}

/// The moments from which follows whether a group is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// What occurs from here on, and did not before, is new.
    pub fresh: Timestamp,
    /// The first moment after all.
    pub until: Timestamp,
}

impl Span {
    /// Of a range of time: what is new is so in the range, or in its last day.
    pub fn of(since: Option<Timestamp>, until: Timestamp) -> Self {
        let day = until.plus_us(-DAY_US);
        Self { fresh: since.map_or(day, |since| since.max(day)), until }
    }

    /// The same, over sources that hold nothing before a moment, and no failure after another. Where that leaves less than a day
    /// before what is fresh, the first half of what they hold counts as before: else all of it would be new.
    #[must_use]
    pub fn over(self, begins: Timestamp, last: Timestamp) -> Self {
        if begins <= self.fresh.plus_us(-DAY_US) {
            return self;
        }
        let half = begins.plus_us(last.since_us(begins).max(0) / 2);
        Self { fresh: self.fresh.max(half), ..self }
    }

    /// From when on it must be known what has failed.
    pub const fn known_from(&self) -> Timestamp {
        self.fresh.plus_us(-DAYS * DAY_US)
    }
}

/// What is counted of a key.
#[derive(Debug)]
struct Tally {
    counted: Option<Counted>,
    /// When they were before what is fresh, and the first one since.
    before: Days,
    fresh: Option<Timestamp>,
}

#[derive(Debug)]
struct Counted {
    count: u64,
    last_hour: u64,
    first: Timestamp,
    last: Timestamp,
    /// The last one; of several, the one with the greatest id.
    example: Box<Activity>,
    /// Hashes of the entities and organisations.
    entities: HashSet<u64>,
    organizations: HashSet<u64>,
    /// In the order of [`FinalOutcome::NAMES`].
    outcomes: [u64; 5],
    trend: Trend,
}

/// The failures of a range of time, and of the time before it.
#[derive(Debug)]
pub struct Failures {
    span: Span,
    patterns: Patterns,
    numbers: HashMap<Key, usize>,
    tallies: Vec<Tally>,
    /// By day and key: when the failures that were read of the time before were first and last.
    days: BTreeMap<(i64, usize), (Timestamp, Timestamp)>,
}

impl Failures {
    pub fn new(span: Span) -> Self {
        let (patterns, numbers) = (Patterns::default(), HashMap::new());
        Self { span, patterns, numbers, tallies: Vec::new(), days: BTreeMap::new() }
    }

    /// Adds a failure of the range.
    pub fn add(&mut self, activity: Activity) {
        let number = self.number_of(&activity);
        let (at, span) = (activity.started_at, self.span);
        self.note_at(number, at, at);
        let hash = |text: &CompactString| FixedState::default().hash_one(text);
        let counted = self.tallies[number].counted.get_or_insert_with(|| Counted {
            count: 0,
            last_hour: 0,
            first: at,
            last: at,
            example: Box::new(activity.clone()),
            entities: HashSet::new(),
            organizations: HashSet::new(),
            outcomes: [0; 5],
            trend: Trend::default(),
        });
        counted.count += 1;
        counted.last_hour += u64::from(at >= span.until.plus_us(-HOUR_US));
        (counted.first, counted.last) = (counted.first.min(at), counted.last.max(at));
        counted.entities.extend(activity.entity.as_ref().map(hash));
        counted.organizations.extend(activity.organization.as_ref().map(hash));
        if let Some(outcome) = activity.final_outcome {
            counted.outcomes[outcome.index() as usize] += 1;
        }
        counted.trend.add(at);
        if activity.is_later_than(&counted.example) {
            *counted.example = activity;
        }
    }

    /// Adds a failure of the time before, which is not counted.
    pub fn add_before(&mut self, activity: &Activity) {
        let (number, at) = (self.number_of(activity), activity.started_at);
        self.note_at(number, at, at);
        let known = self.days.entry((day_of(at), number)).or_insert((at, at));
        *known = (known.0.min(at), known.1.max(at));
    }

    /// Adds what is remembered of the time before.
    pub fn add_seen(&mut self, seen: &Seen) {
        let key = Key::of(seen, self.patterns.add(&seen.text));
        let number = self.number(key);
        self.note_at(number, seen.first, seen.last);
    }

    /// What is to be remembered of a day of which the failures were read.
    pub fn seen_on(&self, day: i64) -> Vec<Seen> {
        let keys: HashMap<usize, &Key> = self.numbers.iter().map(|(key, number)| (*number, key)).collect();
        let of_day = self.days.range((day, 0)..=(day, usize::MAX));
        let seen = of_day.filter_map(|((_, number), (first, last))| Some(self.seen(keys.get(number)?, *first, *last)));
        seen.collect()
    }

    /// What is known of the time before what is fresh, day by day.
    pub fn seen_before(&self) -> Vec<Seen> {
        let of_key = |(key, number): (&Key, &usize)| -> Vec<Seen> {
            self.tallies[*number].before.values().map(|(first, last)| self.seen(key, *first, *last)).collect()
        };
        self.numbers.iter().flat_map(of_key).collect()
    }

    fn seen(&self, key: &Key, first: Timestamp, last: Timestamp) -> Seen {
        let Key { system, endpoint, kind, frame, masked } = key.clone();
        Seen { system, endpoint, kind, frame, text: self.patterns.masked(masked), first, last }
    }

    fn number_of(&mut self, activity: &Activity) -> usize {
        // What is remembered holds no secret, and what is read must have the same pattern.
        let masked = self.patterns.add(&redact_text(activity.said().unwrap_or_default()));
        let (kind, _) = error_kind(activity.status, activity.http_status, activity.error_type.as_deref());
        let endpoint = activity.endpoint.as_ref().or(activity.operation.as_ref()).cloned();
        self.number(Key { system: activity.system.clone(), endpoint, kind, frame: activity.error_at.clone(), masked })
    }

    fn number(&mut self, key: Key) -> usize {
        let next = self.tallies.len();
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.tallies.push(Tally { counted: None, before: Days::new(), fresh: None });
        }
        number
    }

    fn note_at(&mut self, number: usize, first: Timestamp, last: Timestamp) {
        let tally = &mut self.tallies[number];
        for at in [first, last] {
            if at < self.span.fresh {
                // What is longer ago says nothing, whether it was read or not.
                if at >= self.span.known_from() {
                    note(&mut tally.before, at);
                }
            } else {
                tally.fresh = Some(tally.fresh.map_or(at, |known| known.min(at)));
            }
        }
    }

    /// The groups of what is counted: what is new first, then what is back again, what goes on and what has ended; the largest
    /// first.
    pub fn settle(self) -> Vec<FailureGroup> {
        let patterns = self.patterns.settle();
        let mut groups: HashMap<Fingerprint, Tally> = HashMap::new();
        let mut keys: Vec<Option<Key>> = vec![None; self.tallies.len()];
        for (key, number) in self.numbers {
            keys[number] = Some(key);
        }
        for (key, tally) in keys.into_iter().flatten().zip(self.tallies) {
            let pattern: Pattern = patterns[key.masked as usize].clone();
            let Key { system, endpoint, kind, frame, .. } = key;
            let fingerprint = Fingerprint { system, endpoint, kind, frame, pattern };
            match groups.get_mut(&fingerprint) {
                Some(known) => known.merge(tally),
                None => drop(groups.insert(fingerprint, tally)),
            }
        }
        let anywhere: HashMap<Fingerprint, Days> = groups
            .iter()
            .filter(|(of, _)| of.is_anywhere())
            .map(|(of, known)| (of.clone(), known.before.clone()))
            .collect();
        for (fingerprint, tally) in &mut groups {
            if let Some(known) = anywhere.get(&fingerprint.anywhere()) {
                note_all(&mut tally.before, known);
            }
        }
        let span = self.span;
        let mut all: Vec<FailureGroup> =
            groups.into_iter().filter_map(|(fingerprint, tally)| tally.group(fingerprint, span)).collect();
        group::sort(&mut all);
        all
    }
}

impl Tally {
    fn merge(&mut self, other: Self) {
        note_all(&mut self.before, &other.before);
        self.fresh = [self.fresh, other.fresh].into_iter().flatten().min();
        match (&mut self.counted, other.counted) {
            (Some(own), Some(other)) => own.merge(other),
            (own, other) => *own = own.take().or(other),
        }
    }

    fn group(self, fingerprint: Fingerprint, span: Span) -> Option<FailureGroup> {
        let Counted { count, last_hour, first, last, example, entities, organizations, outcomes, trend } =
            self.counted?;
        let before = self.before.values().next_back().map(|(_, last)| *last);
        let state = match (before, self.fresh) {
            _ if last < span.until.plus_us(-DAY_US) => State::Quiet,
            (None, _) => State::New,
            (Some(_), Some(fresh)) if was_silent(&self.before, fresh) => State::BackAgain,
            _ => State::Ongoing,
        };
        Some(FailureGroup {
            state,
            began: if matches!(state, State::New | State::BackAgain) { self.fresh.unwrap_or(first) } else { first },
            before,
            count,
            last_hour,
            first,
            last,
            example,
            entities: entities.len(),
            organizations: organizations.len(),
            outcomes,
            trend,
            remark: Remark::default(),
            fingerprint,
        })
    }
}

impl Counted {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.last_hour += other.last_hour;
        (self.first, self.last) = (self.first.min(other.first), self.last.max(other.last));
        self.entities.extend(other.entities);
        self.organizations.extend(other.organizations);
        for (own, other) in self.outcomes.iter_mut().zip(other.outcomes) {
            *own += other;
        }
        self.trend.merge(other.trend);
        if other.example.is_later_than(&self.example) {
            self.example = other.example;
        }
    }
}

/// Of failures with these outcomes, in the order of [`FinalOutcome::NAMES`]: how many a later try has repaired, and of how many
/// it is known whether one has.
fn repaired(outcomes: [u64; 5]) -> (u64, u64) {
    let of = |outcome: FinalOutcome| outcomes[outcome.index() as usize];
    let recovered = of(FinalOutcome::Recovered { after_us: 0, attempt: 0 });
    (recovered, recovered + of(FinalOutcome::GivenUp))
}

#[cfg(test)]
mod tests;
