//! Any two sets of activities compared: two times, two filters, before and after a moment.
//!
//! How many have a value of a field, the store counts where it can. What only reading tells (what activities say, tags, ranges of
//! durations) is counted of what was read, and paths of payloads of a sample of it; a share is then of that part.

use super::{Contrast, Subject, Tally};
use crate::pattern::Patterns;
use crate::store::{TALLIED, latency_range};
use crosstail_core::filter::{Field, NamedRecord, Operand, Record as _, paths_of, value_text};
use crosstail_core::model::{Activity, Figures, Names, Payload, redact_text};
use crosstail_source::Groups;
use std::collections::{BTreeMap, HashMap};

/// Payloads of each set that are looked at.
pub const PAYLOADS: usize = 200;
/// Values of one field or path that are counted. More are ids: none of them is frequent.
const MOST_VALUES: usize = 20_000;
/// Longer values of paths are texts, which patterns are for. In bytes.
const LONGEST_VALUE: usize = 120;
/// The sample is the same for the same activities.
const SEED: u64 = 0x0c05_57a1;

/// One of two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    These,
    Others,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::These, Self::Others];

    const fn index(self) -> usize {
        match self {
            Self::These => 0,
            Self::Others => 1,
        }
    }
}

/// A number for each of the two sets.
type Pair = [u64; 2];
type Values = HashMap<String, Pair>;

/// Two sets, and what tells them apart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SetContrast {
    /// Figures of each: these, then the others.
    pub totals: [Figures; 2],
    pub contrast: Contrast,
    /// Activities of each set that were read, the newest.
    pub read: Pair,
    /// Payloads of each set that were looked at.
    pub payloads: Pair,
    /// Why it is not of all sources.
    pub problem: Option<String>,
}

/// Counts two sets.
#[derive(Debug)]
pub struct SetCounts {
    /// By the stores.
    totals: [Option<Figures>; 2],
    counted: HashMap<Field, (Values, [bool; 2])>,
    /// By reading.
    figures: [Figures; 2],
    values: HashMap<Field, Values>,
    patterns: Patterns,
    /// By the number of the text without what varies.
    said: Vec<Pair>,
    samples: [Vec<Activity>; 2],
    dice: fastrand::Rng,
    /// Of the sample.
    paths: HashMap<Operand, Values>,
    payloads: Pair,
}

impl Default for SetCounts {
    fn default() -> Self {
        Self {
            totals: [None, None],
            counted: HashMap::new(),
            figures: Default::default(),
            values: HashMap::new(),
            patterns: Patterns::default(),
            said: Vec::new(),
            samples: Default::default(),
            dice: fastrand::Rng::with_seed(SEED),
            paths: HashMap::new(),
            payloads: [0; 2],
        }
    }
}

fn add(values: &mut Values, side: Side, value: String, count: u64) {
    if values.len() < MOST_VALUES || values.contains_key(&value) {
        values.entry(value).or_default()[side.index()] += count;
    }
}

impl SetCounts {
    /// Fields that a store is asked to count; the others only reading tells.
    pub fn asked_fields() -> impl Iterator<Item = Field> {
        TALLIED.iter().copied().filter(|field| !matches!(field, Field::Tags | Field::Duration))
    }

    /// Takes the figures of a whole set, from its store.
    pub fn total(&mut self, side: Side, figures: Figures) {
        self.totals[side.index()] = Some(figures);
    }

    /// Takes how many of a set have each value of a field, from its store.
    pub fn counted(&mut self, side: Side, field: Field, groups: Groups) {
        let (values, sides) = self.counted.entry(field).or_default();
        sides[side.index()] = true;
        for ((mut value, _), figures) in groups {
            if let Some(value) = value.pop().flatten() {
                add(values, side, value, figures.count);
            }
        }
    }

    /// Counts an activity that was read.
    pub fn add(&mut self, side: Side, activity: Activity, names: &Names) {
        let index = side.index();
        self.figures[index].add(&activity);
        for field in TALLIED {
            let values = self.values.entry(*field).or_default();
            match field {
                Field::Duration => {
                    if let Some(us) = activity.took_us() {
                        add(values, side, latency_range(us).to_owned(), 1);
                    }
                }
                Field::Tags => {
                    let record = NamedRecord { activity: &activity, names, payload: None };
                    let mut each = |tag: &str| {
                        add(values, side, tag.to_owned(), 1);
                        false
                    };
                    record.text(Field::Tags, &mut each);
                }
                _ => {
                    if let Some(value) = value_text(&activity, *field, names) {
                        add(values, side, value, 1);
                    }
                }
            }
        }
        if let Some(text) = activity.said() {
            let number = self.patterns.add(&redact_text(text)) as usize;
            if self.said.len() <= number {
                self.said.resize(number + 1, [0; 2]);
            }
            self.said[number][index] += 1;
        }
        // Every activity has the same chance to be of the sample (algorithm R: J. Vitter, "Random Sampling with a Reservoir",
        // 1985).
        let seen = usize::try_from(self.figures[index].count).unwrap_or(usize::MAX);
        let sample = &mut self.samples[index];
        if sample.len() < PAYLOADS {
            sample.push(activity);
        } else if let Some(place) = sample.get_mut(self.dice.usize(..seen)) {
            *place = activity;
        }
    }

    /// Number of activities of a set that were read.
    pub const fn read(&self, side: Side) -> u64 {
        self.figures[side.index()].count
    }

    /// Takes out the activities of a set whose payloads are to be looked at.
    pub fn take_sample(&mut self, side: Side) -> Vec<Activity> {
        std::mem::take(&mut self.samples[side.index()])
    }

    /// Counts what a payload of the sample has, each value once.
    pub fn add_payload(&mut self, side: Side, activity: &Activity, payload: &Payload, names: &Names) {
        self.payloads[side.index()] += 1;
        for path in paths_of(payload) {
            let mut found = path.values(activity, names, Some(payload));
            found.retain(|value| !value.is_empty() && value.len() <= LONGEST_VALUE);
            found.sort_unstable();
            found.dedup();
            if !found.is_empty() {
                let values = self.paths.entry(path).or_default();
                for value in found {
                    add(values, side, value, 1);
                }
            }
        }
    }

    /// What tells the sets apart.
    pub fn settle(self) -> SetContrast {
        let read = [self.figures[0].count, self.figures[1].count];
        let [these, others] = self.figures;
        let [all_these, all_others] = self.totals;
        let totals = [all_these.unwrap_or(these), all_others.unwrap_or(others)];
        let is_whole = read == [totals[0].count, totals[1].count];
        let tallies = |field: Field, values: Values| {
            values.into_iter().map(move |(value, [these, others])| Tally::of(field, value, these, others))
        };
        let (mut exact, mut part): (Vec<Tally>, Vec<Tally>) = (Vec::new(), Vec::new());
        let mut values = self.values;
        for (field, (counted, sides)) in self.counted {
            if sides == [true, true] {
                values.remove(&field);
                exact.extend(tallies(field, counted));
            }
        }
        let by_reading = if is_whole { &mut exact } else { &mut part };
        by_reading.extend(values.into_iter().flat_map(|(field, values)| tallies(field, values)));
        let mut by_pattern: BTreeMap<_, Pair> = BTreeMap::new();
        for (pattern, [these, others]) in self.patterns.settle().into_iter().zip(self.said) {
            let sum = by_pattern.entry(pattern).or_default();
            *sum = [sum[0] + these, sum[1] + others];
        }
        by_reading.extend(by_pattern.into_iter().map(|(pattern, [these, others])| {
            let clause = pattern.clause();
            Tally { subject: Subject::Pattern, value: pattern.text, clause, these, others }
        }));
        let mut contrast = Contrast::rank(totals[0].count, totals[1].count, exact, &[]);
        contrast.join_part(Contrast::rank(read[0], read[1], part, &[]));
        let sampled = self.paths.into_iter().flat_map(|(path, values)| {
            values.into_iter().map(move |(value, [these, others])| Tally {
                clause: path.clause(&value),
                subject: Subject::Of(path.clone()),
                value,
                these,
                others,
            })
        });
        contrast.join_part(Contrast::rank(self.payloads[0], self.payloads[1], sampled, &[]));
        SetContrast { totals, contrast, read, payloads: self.payloads, problem: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Id, Timestamp};
    use serde_json::json;

    fn activity(number: u128, system: &str, text: &str) -> Activity {
        let mut activity = Activity::new(Id::Uuid(number), Timestamp(0));
        activity.system = Some(system.into());
        activity.message = Some(text.into());
        activity
    }

    fn tenant(name: &str) -> Payload {
        let metadata = json!({ "tenant": name, "n": 1 });
        Payload { metadata: metadata.as_object().cloned().expect("an object"), ..Payload::default() }
    }

    /// Whatever the order in which they come.
    #[test]
    fn what_two_sets_have_more_often_is_told() {
        let names = Names::default();
        let mut told = Vec::new();
        for seed in 0..4 {
            let mut all: Vec<(Side, Activity)> = Vec::new();
            for n in 0..400_u128 {
                let text = if n % 2 == 0 { format!("order {n} rejected") } else { "done".to_owned() };
                all.push((Side::These, activity(n, if n % 4 == 0 { "SAP" } else { "Zoho" }, &text)));
                all.push((Side::Others, activity(1000 + n, "Zoho", "done")));
            }
            fastrand::Rng::with_seed(seed).shuffle(&mut all);
            let mut counts = SetCounts::default();
            for (side, activity) in all {
                counts.add(side, activity, &names);
            }
            let sample = counts.take_sample(Side::These);
            assert_eq!(sample.len(), PAYLOADS);
            for one in &sample {
                counts.add_payload(Side::These, one, &tenant("acme"), &names);
            }
            for one in counts.take_sample(Side::Others) {
                counts.add_payload(Side::Others, &one, &tenant("initech"), &names);
            }
            let found = counts.settle();
            let differing = |one: &super::super::Distinction| (one.tally.clause.clone(), one.is_part);
            told.push(found.contrast.causes.iter().map(differing).collect::<Vec<_>>());
            assert_eq!((found.totals[0].count, found.read, found.payloads), (400, [400, 400], [200, 200]));
        }
        let expected = [
            ("meta.tenant:acme", true),
            ("meta.tenant:initech", true),
            ("pattern:\"done\"", false),
            ("pattern:\"order <*> rejected\"", false),
            ("system:SAP", false),
            ("system:Zoho", false),
        ];
        assert_eq!(told[0], expected.map(|(clause, is_part)| (clause.to_owned(), is_part)));
        assert!(told.iter().all(|one| *one == told[0]));
    }

    /// What the store has counted stands for the whole; what was read is a part, and is said to be.
    #[test]
    fn the_store_counts_more_than_is_read() {
        let names = Names::default();
        let mut counts = SetCounts::default();
        for side in Side::BOTH {
            let system = if side == Side::These { "SAP" } else { "Zoho" };
            let figures = |count| Figures { count, ..Figures::default() };
            counts.total(side, figures(100_000));
            let groups = Groups::from([((vec![Some(system.to_owned())], None), figures(90_000))]);
            counts.counted(side, Field::System, groups);
            for n in 0..100 {
                counts.add(side, activity(n, "other", system), &names);
            }
        }
        let found = counts.settle();
        let told: Vec<_> = found
            .contrast
            .causes
            .iter()
            .map(|one| (one.tally.clause.as_str(), one.of_these, one.of_others, one.is_part))
            .collect();
        assert_eq!(
            told,
            [
                ("pattern:\"SAP\"", 1.0, 0.0, true),
                ("pattern:\"Zoho\"", 0.0, 1.0, true),
                ("system:SAP", 0.9, 0.0, false),
                ("system:Zoho", 0.0, 0.9, false),
            ]
        );
    }
}
