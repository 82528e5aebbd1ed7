//! What is known of failures up to the present: which groups have begun lately, and what was before. Rules ask it every few
//! seconds, so what a failure says is masked once.

use super::group::clauses;
use super::silence::{Days, began, began_at_the_latest, note, note_all};
use super::{DAY_US, DAYS, Fingerprint, Key, Seen, State, day_of, error_kind};
use crate::pattern::{Pattern, Patterns};
use crate::store::{Row, Store, Symbol};
use compact_str::CompactString;
use crosstail_core::model::{Timestamp, redact_text};
use foldhash::quality::FixedState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::ops::Range;

/// What the stores have said of the failures before a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownFailures {
    /// When those that say the same were last.
    pub seen: Vec<Seen>,
    /// From when on it is known what has failed.
    pub known_from: Timestamp,
    /// When the stores begin, where that is within the two weeks.
    pub begins: Option<Timestamp>,
    /// Whether asking again would bring nothing more.
    pub is_final: bool,
}

/// A group of failures that occurs now.
#[derive(Debug, Clone, PartialEq)]
pub struct Occurring {
    pub fingerprint: Fingerprint,
    /// Since when it has not been silent: for a day, and for longer than it usually is.
    pub began: Timestamp,
    /// The last one before that, in the two weeks before.
    pub before: Option<Timestamp>,
    /// The failures that were followed.
    pub rows: Vec<Row>,
}

impl Occurring {
    /// Whether it did not occur before, or is back again.
    pub const fn state(&self) -> State {
        if self.before.is_some() { State::BackAgain } else { State::New }
    }

    /// The filter for its failures.
    pub fn filter(&self, store: &Store) -> String {
        let example = self.rows.last().map(|row| store.get(*row));
        example.map(|example| clauses(&self.fingerprint, &example).join(" ")).unwrap_or_default()
    }
}

/// The failures of the last two weeks, as far as they are known.
#[derive(Debug)]
pub struct Ledger {
    known_from: Timestamp,
    begins: Option<Timestamp>,
    patterns: Patterns,
    numbers: HashMap<Key, usize>,
    days: Vec<Days>,
    /// Numbers by the hash of whose failure it is and of what it says.
    hashed: HashMap<u64, usize>,
    /// The failures of the time that was followed last, with their numbers.
    rows: Vec<(Row, usize)>,
    /// Up to here, everything is in it.
    reached: Timestamp,
    /// The day on which it last forgot.
    tidied: i64,
}

impl Ledger {
    /// Of what was known at a moment.
    pub fn new(known: &KnownFailures, until: Timestamp) -> Self {
        let mut ledger = Self {
            known_from: known.known_from,
            begins: None,
            patterns: Patterns::default(),
            numbers: HashMap::new(),
            days: Vec::new(),
            hashed: HashMap::new(),
            rows: Vec::new(),
            reached: until,
            tidied: day_of(until),
        };
        ledger.learn(known);
        ledger
    }

    /// Adds what is known of the time before.
    pub fn learn(&mut self, known: &KnownFailures) {
        self.known_from = self.known_from.min(known.known_from);
        self.begins = known.begins.or(self.begins);
        for seen in &known.seen {
            let key = Key::of(seen, self.patterns.add(&seen.text));
            let number = self.number(key);
            note(&mut self.days[number], seen.first);
            note(&mut self.days[number], seen.last);
        }
    }

    /// From when on it is known what has failed.
    pub const fn known_from(&self) -> Timestamp {
        self.known_from
    }

    /// When the stores begin, where that is within the two weeks.
    pub const fn begins(&self) -> Option<Timestamp> {
        self.begins
    }

    /// Adds the failures of a range of time, and of the time that was not followed before it.
    pub fn follow(&mut self, store: &Store, range: Range<Timestamp>, now: Timestamp) {
        self.tidy(now);
        let from = self.reached.min(range.start);
        let mut rows = Vec::new();
        for row in store.rows_between(from..range.end).iter().filter(|row| store.is_failure(**row)) {
            let number = self.number_of(store, *row);
            let at = store.started(*row);
            note(&mut self.days[number], at);
            if at >= range.start {
                rows.push((*row, number));
            }
        }
        (self.rows, self.reached) = (rows, now);
    }

    /// The groups that occur in what was followed last and have begun since a moment, or are among some; those that began
    /// first stand first.
    pub fn occurring(&self, since: Timestamp, also: &[Fingerprint]) -> Vec<Occurring> {
        let present: HashSet<usize> = self.rows.iter().map(|(_, number)| *number).collect();
        // Joined with others, a group can only have begun earlier.
        if also.is_empty() && !present.iter().any(|number| began_at_the_latest(&self.days[*number]) >= since) {
            return Vec::new();
        }
        let patterns = self.patterns.settle();
        let mut groups: HashMap<Fingerprint, (Days, HashSet<usize>)> = HashMap::new();
        for (key, number) in &self.numbers {
            let (days, numbers) = groups.entry(fingerprint(key, &patterns)).or_default();
            note_all(days, &self.days[*number]);
            numbers.insert(*number);
        }
        let mut found = Vec::new();
        let anywhere: HashMap<Fingerprint, Days> = groups
            .iter()
            .filter(|(of, _)| of.is_anywhere())
            .map(|(of, (days, _))| (of.clone(), days.clone()))
            .collect();
        for (fingerprint, (mut days, numbers)) in groups {
            if numbers.is_disjoint(&present) {
                continue;
            }
            if let Some(known) = anywhere.get(&fingerprint.anywhere()) {
                note_all(&mut days, known);
            }
            let (began, before) = began(&days);
            if began < since && !also.iter().any(|other| other.is_same(&fingerprint)) {
                continue;
            }
            let before = before.filter(|before| began.since_us(*before) <= DAYS * DAY_US);
            let rows = self.rows.iter().filter(|(_, number)| numbers.contains(number)).map(|(row, _)| *row).collect();
            found.push(Occurring { fingerprint, began, before, rows });
        }
        found.sort_by(|a, b| (a.began, &a.fingerprint).cmp(&(b.began, &b.fingerprint)));
        found
    }

    /// The number of a row's key.
    fn number_of(&mut self, store: &Store, row: Row) -> usize {
        let text = |symbol: Symbol| Some(store.symbols().get(symbol)).filter(|_| symbol != Symbol::ABSENT);
        let class = text(store.error_type(row));
        let place = text(store.endpoint(row)).or_else(|| text(store.operation(row)));
        let (system, said) = (text(store.system(row)), text(store.said(row)));
        let (status, http, frame) = (store.status(row), store.http_status(row), text(store.error_at(row)));
        let hash =
            FixedState::default().hash_one((system, place, status.map(|s| s.as_str()), http, class, frame, said));
        if let Some(known) = self.hashed.get(&hash) {
            return *known;
        }
        let owned = |text: Option<&str>| text.map(CompactString::from);
        let masked = self.patterns.add(&redact_text(said.unwrap_or_default()));
        let (kind, _) = error_kind(status, http, class);
        let (system, endpoint, frame) = (owned(system), owned(place), owned(frame));
        let number = self.number(Key { system, endpoint, kind, frame, masked });
        self.hashed.insert(hash, number);
        number
    }

    fn number(&mut self, key: Key) -> usize {
        let next = self.days.len();
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.days.push(Days::new());
        }
        number
    }

    /// Once a day, forgets what is long past.
    fn tidy(&mut self, now: Timestamp) {
        let today = day_of(now);
        if self.tidied == today {
            return;
        }
        let old = std::mem::replace(self, Self::new(&self.nothing_known(), self.reached));
        self.tidied = today;
        for (key, number) in old.numbers {
            let mut days = old.days[number].clone();
            days.retain(|day, _| *day >= today - DAYS - 1);
            if !days.is_empty() {
                let masked = self.patterns.add(&old.patterns.masked(key.masked));
                let number = self.number(Key { masked, ..key });
                self.days[number] = days;
            }
        }
    }

    const fn nothing_known(&self) -> KnownFailures {
        KnownFailures { seen: Vec::new(), known_from: self.known_from, begins: self.begins, is_final: true }
    }
}

fn fingerprint(key: &Key, patterns: &[Pattern]) -> Fingerprint {
    let Key { system, endpoint, kind, frame, masked } = key.clone();
    Fingerprint { system, endpoint, kind, frame, pattern: patterns[masked as usize].clone() }
}
