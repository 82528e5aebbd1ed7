//! Counts the values of rows, among the failures and among the rest.

use super::pack::Text;
use super::symbols::Symbol;
use super::{Facet, ROWS, Row, RowRecord, Store, is_same};
use crosstail_core::filter::{Field, Record as _, ValueType};
use crosstail_core::model::{Figures, Kind, Status, Timestamp};
use crosstail_core::number::{saturating_u16, saturating_u32};
use crosstail_source::Groups;
use rayon::prelude::*;
use std::collections::HashMap;
use std::ops::Range;

/// The values of each field with their number of occurrences.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tallies {
    /// Number of failures.
    pub failed: u64,
    /// Number of other rows with an outcome.
    pub rest: u64,
    /// By field: its values.
    pub fields: Vec<(Field, Vec<Facet>)>,
}

impl Tallies {
    /// Keeps the values that at least a hundredth of the failures, or of the rest, have.
    pub fn drop_rare(&mut self) {
        let (failed, rest) = (self.failed.max(1), self.rest.max(1));
        let is_enough = |facet: &Facet| facet.failed * 100 >= failed || (facet.count - facet.failed) * 100 >= rest;
        self.fields.iter_mut().for_each(|(_, facets)| facets.retain(is_enough));
    }

    /// Adds what was counted elsewhere: failures, others, and the values of some fields. The values of the other fields,
    /// which were not counted there, are taken out and given back, with the totals that they belong to.
    #[must_use]
    pub fn add(&mut self, failed: u64, rest: u64, values: &[(Field, Vec<Facet>)]) -> Self {
        let (both, only_here): (Vec<_>, Vec<_>) = std::mem::take(&mut self.fields)
            .into_iter()
            .partition(|(field, _)| values.iter().any(|(counted, _)| counted == field));
        let here = Self { failed: self.failed, rest: self.rest, fields: only_here };
        (self.failed, self.rest, self.fields) = (self.failed + failed, self.rest + rest, both);
        for (field, facets) in &mut self.fields {
            let mut all: HashMap<String, Facet> = facets.drain(..).map(|facet| (facet.value.clone(), facet)).collect();
            for facet in values.iter().filter(|(counted, _)| counted == field).flat_map(|(_, theirs)| theirs) {
                let known = all.entry(facet.value.clone());
                let known = known.or_insert_with(|| Facet { count: 0, failed: 0, ..facet.clone() });
                (known.count, known.failed) = (known.count + facet.count, known.failed + facet.failed);
            }
            *facets = all.into_values().collect();
        }
        here
    }
}

/// The counted fields. Fields that differ in every row, or that describe a failure, are not useful.
pub const TALLIED: &[Field] = &[
    Field::System,
    Field::Endpoint,
    Field::Method,
    Field::Operation,
    Field::Entity,
    Field::Actor,
    Field::Organization,
    Field::Tags,
    Field::Kind,
    Field::Direction,
    Field::Attempt,
    Field::Duration,
    Field::Source,
    Field::ErrorType,
    Field::Http,
];

/// Ranges of durations as filters write them, each with its start in microseconds.
const LATENCIES: &[(&str, u64)] = &[
    ("..10ms", 0),
    ("10ms..100ms", 10_000),
    ("100ms..500ms", 100_000),
    ("500ms..1s", 500_000),
    ("1s..5s", 1_000_000),
    ("5s..30s", 5_000_000),
    ("30s..", 30_000_000),
];

/// The range of durations, as filters write it, that has one of so many microseconds.
pub fn latency_range(us: u64) -> &'static str {
    LATENCIES[latency_index(us)].0
}

fn latency_index(us: u64) -> usize {
    LATENCIES.partition_point(|(_, from)| *from <= us) - 1
}

/// How a row counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OutcomeClass {
    Open,
    Rest,
    Failed,
}

/// Counts of one value: failures and others.
type Pair = (u32, u32);

fn add(pair: &mut Pair, side: OutcomeClass) {
    match side {
        OutcomeClass::Failed => pair.0 += 1,
        OutcomeClass::Rest => pair.1 += 1,
        OutcomeClass::Open => {}
    }
}

impl Store {
    /// How many started in a range of time, failed and are open: by system, and by periods that start at multiples of
    /// `period_us` since the epoch. An alert about a system is not an activity of it.
    pub fn outcomes_by_system(&self, range: Range<Timestamp>, period_us: i64) -> Groups {
        let system_of = |row: Row| {
            let (segment, at) = self.at(row);
            segment.text(at, Text::System)
        };
        let count = |rows: &[Row]| {
            let mut counts: HashMap<(Symbol, i64), Figures> = HashMap::new();
            for row in rows.iter().copied().filter(|row| self.kind(*row) != Kind::Alert) {
                let period = self.started(row).0.div_euclid(period_us);
                let figures = counts.entry((system_of(row), period)).or_default();
                figures.add_statuses(self.status(row), self.is_failure(row), 1);
            }
            counts
        };
        let mut groups = Groups::new();
        for counts in self.rows_between(range).par_chunks(ROWS).map(count).collect::<Vec<_>>() {
            for ((system, period), figures) in counts {
                let system = (system != Symbol::ABSENT).then(|| self.symbols.get(system).to_owned());
                let key = (vec![system], Some(Timestamp(period * period_us)));
                groups.entry(key).or_default().merge(&figures);
            }
        }
        groups
    }

    /// Counts the values of rows on all cores; without those that less than a hundredth have.
    pub fn tallies(&self, rows: &[Row]) -> Tallies {
        let mut all = self.all_tallies(rows);
        all.drop_rare();
        all
    }

    /// Counts the values of rows on all cores.
    pub fn all_tallies(&self, rows: &[Row]) -> Tallies {
        let side = |row: &Row| match self.status(*row) {
            Some(Status::InProgress) => OutcomeClass::Open,
            _ if self.is_failure(*row) => OutcomeClass::Failed,
            _ => OutcomeClass::Rest,
        };
        let sides: Vec<OutcomeClass> = rows.par_iter().map(side).collect();
        let failed = sides.iter().filter(|side| **side == OutcomeClass::Failed).count() as u64;
        let rest = sides.iter().filter(|side| **side == OutcomeClass::Rest).count() as u64;
        let several_sources = self.names.sources().len() > 1;
        let counted = TALLIED.par_iter().filter(|field| **field != Field::Source || several_sources).map(|field| {
            let counts = self.counts(*field, rows, &sides).into_iter();
            let facet =
                |(value, (f, r)): (String, Pair)| Facet { value, count: u64::from(f + r), failed: u64::from(f) };
            (*field, counts.map(facet).collect())
        });
        Tallies { failed, rest, fields: counted.collect() }
    }

    fn counts(&self, field: Field, rows: &[Row], sides: &[OutcomeClass]) -> Vec<(String, Pair)> {
        let rows = rows.iter().zip(sides);
        match (Text::of(field), field) {
            (Some(Text::Tags), _) => {
                let mut found: HashMap<String, Pair> = HashMap::new();
                for (symbol, pair) in self.by_symbol(Text::Tags, rows) {
                    for tag in self.symbols.get(symbol).split(", ") {
                        let slot = found.entry(tag.to_owned()).or_default();
                        (slot.0, slot.1) = (slot.0 + pair.0, slot.1 + pair.1);
                    }
                }
                found.into_iter().collect()
            }
            (Some(column), _) => {
                let named = |(symbol, pair)| (self.symbols.get(symbol).to_owned(), pair);
                self.by_symbol(column, rows).map(named).collect()
            }
            (None, Field::Duration) => {
                let mut counts = vec![(0, 0); LATENCIES.len()];
                for (row, side) in rows {
                    if let Some(us) = self.took_us(*row) {
                        add(&mut counts[latency_index(us)], *side);
                    }
                }
                LATENCIES.iter().map(|(name, _)| (*name).to_owned()).zip(counts).collect()
            }
            (None, Field::Source) => {
                let mut counts: HashMap<u32, Pair> = HashMap::new();
                for (row, side) in rows {
                    let (segment, at) = self.at(*row);
                    let source = segment.source(at);
                    add(counts.entry(u32::from(source.0)).or_default(), *side);
                }
                let name =
                    |id: u32| self.names.source_name(crosstail_core::model::SourceId(saturating_u16(id))).to_string();
                counts.into_iter().map(|(id, pair)| (name(id), pair)).collect()
            }
            (None, field) if field.class() == ValueType::Word => {
                let words = field.words();
                let mut counts = vec![(0, 0); words.len()];
                for (row, side) in rows {
                    let word = RowRecord::new(self, *row).word(field);
                    if let Some(slot) = word.and_then(|word| counts.get_mut(word as usize)) {
                        add(slot, *side);
                    }
                }
                words.into_iter().map(str::to_owned).zip(counts).collect()
            }
            (None, field) => {
                let mut counts: HashMap<u64, Pair> = HashMap::new();
                for (row, side) in rows {
                    if let Some(n) = RowRecord::new(self, *row).number(field) {
                        add(counts.entry(n.to_bits()).or_default(), *side);
                    }
                }
                counts.into_iter().map(|(bits, pair)| (f64::from_bits(bits).to_string(), pair)).collect()
            }
        }
    }

    /// Counts by symbol, for the symbols that occur.
    fn by_symbol<'a>(
        &self,
        column: Text,
        rows: impl Iterator<Item = (&'a Row, &'a OutcomeClass)>,
    ) -> impl Iterator<Item = (Symbol, Pair)> {
        let mut counts: Vec<Pair> = vec![(0, 0); self.symbols.len()];
        for (row, side) in rows {
            let (segment, at) = self.at(*row);
            let symbol = segment.text(at, column);
            if symbol != Symbol::ABSENT && !is_same(symbol) {
                add(&mut counts[symbol.0 as usize], *side);
            }
        }
        let occurs = |(index, pair): (usize, Pair)| (pair != (0, 0)).then_some((Symbol(saturating_u32(index)), pair));
        counts.into_iter().enumerate().filter_map(occurs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Activity, Id, Names};
    use crosstail_source::{Grouping, Measures};

    #[test]
    fn outcomes_by_system_are_those_that_sources_count() {
        let mut rng = fastrand::Rng::with_seed(11);
        let names = Names::default();
        let mut store = Store::new(names.clone());
        let activities: Vec<Activity> = (0..50_000)
            .map(|number| {
                let mut activity = Activity::new(Id::Uuid(number), Timestamp(rng.i64(-50_000_000..50_000_000)));
                activity.system = [None, Some("SAP".into()), Some("Zoho".into())][rng.usize(0..3)].clone();
                activity.status = (rng.u8(0..4) > 0).then(|| Status::ALL[rng.usize(0..Status::ALL.len())]);
                activity.http_status = (rng.u8(0..4) == 0).then(|| rng.u16(200..600));
                activity.kind = if rng.u8(0..9) == 0 { Kind::Alert } else { Kind::ApiCall };
                activity
            })
            .collect();
        store.ingest(activities.clone());
        let (range, period) = (Timestamp(-31_000_000)..Timestamp(17_000_001), 7_000_000);
        let measures = Measures::Outcomes;
        let grouping = Grouping { bucket_us: Some(period), measures, ..Grouping::by(Field::System) };
        let mut expected = Groups::new();
        for activity in activities.iter().filter(|one| range.contains(&one.started_at) && one.kind != Kind::Alert) {
            let group = expected.entry(grouping.key(activity, &names)).or_default();
            group.add_outcomes(activity, 1);
        }
        assert!(expected.len() > 15);
        assert_eq!(store.outcomes_by_system(range, period), expected);
    }
}
