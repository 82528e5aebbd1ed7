//! Figures by bucket of time: when rate, failure share and latency of each group changed.

use super::{LEAST, SPELL, Search, block_of, change_points, greatest, greatest_of, shortest_spell};
use crate::insight::per_minute;
use crosstail_core::model::{Figures, Timestamp};
use crosstail_core::number::{saturating_i64, saturating_usize};
use crosstail_source::Groups;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// A change is seen in so many buckets on both sides of it, too.
const NEAR: usize = 10;
/// What changes by less is not told: rate and latency by this factor, a share by this difference.
const RATE: f64 = 1.5;
const LATENCY: f64 = 1.3;
const SHARE: f64 = 0.05;

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Activities per second.
    Rate,
    /// Share of failures among what succeeded or failed; of lines, of those that tell of an error.
    Failures,
    /// The 95th percentile of durations in milliseconds.
    Latency,
}

impl Measure {
    pub(super) const ALL: [Self; 3] = [Self::Rate, Self::Failures, Self::Latency];

    /// Name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Failures => "failure_share",
            Self::Latency => "p95_ms",
        }
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Failures => "failures",
            Self::Latency => "p95",
        }
    }

    /// A value for people.
    pub fn shown(self, value: f64) -> String {
        match self {
            Self::Rate if value < 0.1 => per_minute(value * 60.0),
            Self::Rate => format!("{value:.1}/s"),
            Self::Failures => format!("{:.1} %", value * 100.0),
            Self::Latency if value < 1000.0 => format!("{value:.0} ms"),
            Self::Latency => format!("{:.1} s", value / 1000.0),
        }
    }

    /// The value of figures over so many seconds; `None` where there is none.
    fn value(self, figures: &Figures, seconds: f64) -> Option<f64> {
        match self {
            Self::Rate => Some(figures.count as f64 / seconds),
            Self::Failures => {
                // Lines of a log have no outcome; that of a line is whether it tells of an error.
                let (failed, all) = match figures.concluded {
                    0 => (figures.failed, figures.count),
                    concluded => (concluded - figures.succeeded, concluded),
                };
                (all > 0).then(|| failed as f64 / all as f64)
            }
            Self::Latency => figures.latencies.quantile_ms(0.95).filter(|ms| *ms > 0.0),
        }
    }

    /// On a scale on which chance is the same at every level (F. J. Anscombe, "The Transformation of Poisson, Binomial and
    /// Negative-Binomial Data", Biometrika 35, 1948); durations differ by factors.
    fn scaled(self, value: f64, seconds: f64) -> f64 {
        match self {
            Self::Rate => (value * seconds + 0.375).sqrt(),
            Self::Failures => value.clamp(0.0, 1.0).sqrt().asin(),
            Self::Latency => value.ln(),
        }
    }

    /// Whether a person would call it a change.
    pub fn is_told(self, before: f64, after: f64) -> bool {
        let factor = |least: f64| {
            let (low, high) = (before.min(after), before.max(after));
            high > low * least
        };
        match self {
            Self::Rate => factor(RATE),
            Self::Failures => (before - after).abs() >= SHARE,
            Self::Latency => factor(LATENCY),
        }
    }
}

/// The buckets of a range of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Start of the first one; buckets start at multiples of their length.
    pub from: Timestamp,
    /// End of the last one.
    pub to: Timestamp,
    pub bucket_us: i64,
}

impl Window {
    /// The lengths of buckets, in seconds.
    const LENGTHS: [i64; 17] =
        [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

    /// Between two moments, in at most so many whole buckets. What has not ended yet counts in none.
    pub fn of(from: Timestamp, to: Timestamp, most: i64) -> Self {
        let length = to.since_us(from).max(1);
        let fits = |seconds: &i64| length / (seconds * 1_000_000) <= most;
        let bucket_us = Self::LENGTHS.into_iter().find(fits).unwrap_or(86_400) * 1_000_000;
        let (first, last) = (from.0.div_euclid(bucket_us), to.0.div_euclid(bucket_us));
        let first = if first * bucket_us < from.0 { first + 1 } else { first };
        Self { from: Timestamp(first * bucket_us), to: Timestamp(last.max(first) * bucket_us), bucket_us }
    }

    /// The part of it from the first bucket with an activity of any group to the last one; without these two where something is
    /// empty beyond, since they are not full either.
    #[must_use]
    pub fn of_activity(self, figures: &Groups) -> Self {
        let within = |at: &Timestamp| (self.from..self.to).contains(at);
        let at = || figures.iter().filter(|(_, one)| one.count > 0).filter_map(|((_, at), _)| *at).filter(within);
        let (Some(first), Some(last)) = (at().min(), at().max()) else { return self };
        let bucket = |at: Timestamp| Timestamp(at.0.div_euclid(self.bucket_us) * self.bucket_us);
        let (first, last) = (bucket(first), bucket(last));
        let from = if first > self.from { first.plus_us(self.bucket_us) } else { self.from };
        let to = if last.plus_us(self.bucket_us) < self.to { last } else { self.to };
        // Of less than a few buckets, nothing is left to compare.
        if to.since_us(from) < self.bucket_us { self } else { Self { from, to, ..self } }
    }

    fn count(&self) -> usize {
        self.bucket(self.to)
    }

    /// The bucket that a moment is in.
    pub(super) fn bucket(&self, at: Timestamp) -> usize {
        saturating_usize(u64::try_from(at.since_us(self.from) / self.bucket_us).unwrap_or_default())
    }

    pub(super) fn start_of(&self, bucket: usize) -> Timestamp {
        self.from.plus_us(saturating_i64(bucket).saturating_mul(self.bucket_us))
    }
}

/// The changes of a range of time.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundChanges {
    /// The buckets in which they were looked for.
    pub window: Window,
    pub shifts: Vec<Shift>,
    /// Whether the range begins before the first activity, and whether it ends after the last one: that is not told as a change of
    /// each group.
    pub begins: bool,
    pub ends: bool,
    /// What lasts for less may not be told from chance.
    pub shortest_us: i64,
    /// Why a source is left out.
    pub problem: Option<String>,
}

/// A change of a group's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    /// The values of the group.
    pub group: Vec<Option<String>>,
    pub measure: Measure,
    /// Start of the first bucket of the new level.
    pub at: Timestamp,
    /// The value before, back to the last change, and the one since, up to the next.
    pub before: f64,
    pub after: f64,
    /// When it was is known to so many microseconds: the length of a bucket.
    pub within_us: i64,
    /// What was marked, where it was found by asking whether anything changed then.
    pub marker: Option<Timestamp>,
}

/// A group, and its figures in every bucket of a window.
pub(super) type OfGroup<'a> = (&'a Vec<Option<String>>, Vec<(usize, &'a Figures)>);

/// The figures of each group, bucket by bucket; of a bucket without any, `nothing`.
pub(super) fn by_group<'a>(figures: &'a Groups, nothing: &'a Figures, window: Window) -> Vec<OfGroup<'a>> {
    let mut groups: BTreeMap<&Vec<Option<String>>, BTreeMap<usize, &'a Figures>> = BTreeMap::new();
    for ((group, at), figures) in figures {
        let Some(at) = at.filter(|at| (window.from..window.to).contains(at)) else { continue };
        groups.entry(group).or_default().insert(window.bucket(at), figures);
    }
    let filled = |buckets: BTreeMap<usize, &'a Figures>| {
        (0..window.count()).map(|bucket| (bucket, buckets.get(&bucket).copied().unwrap_or(nothing))).collect()
    };
    groups.into_iter().map(|(group, buckets)| (group, filled(buckets))).collect()
}

/// The changes of all groups, in order of time.
pub fn shifts(figures: &Groups, window: Window) -> Vec<Shift> {
    let (nothing, mut all) = (Figures::default(), Vec::new());
    for (group, buckets) in by_group(figures, &nothing, window) {
        let block = block_of_rates(&buckets, window);
        for measure in Measure::ALL {
            let found = Series::new(measure, &buckets, window).shifts(block);
            let shift = |(bucket, before, after): (usize, f64, f64)| {
                let (group, at) = (group.clone(), window.start_of(bucket));
                Shift { group, measure, at, before, after, within_us: window.bucket_us, marker: None }
            };
            all.extend(found.into_iter().map(shift));
        }
    }
    all.sort_by(|a, b| (a.at, &a.group, a.measure).cmp(&(b.at, &b.group, b.measure)));
    all
}

/// How long a spell must last to be found in each of the groups.
pub fn shortest_us(figures: &Groups, window: Window) -> i64 {
    let nothing = Figures::default();
    let groups = by_group(figures, &nothing, window);
    let shortest = groups.iter().map(|(_, buckets)| shortest_spell(buckets.len(), block_of_rates(buckets, window)));
    saturating_i64(shortest.max().unwrap_or(LEAST)).saturating_mul(window.bucket_us)
}

/// How many buckets in a row belong together: what comes in one burst fails, and is slow, together.
pub(super) fn block_of_rates(buckets: &[(usize, &Figures)], window: Window) -> usize {
    let seconds = window.bucket_us as f64 / 1e6;
    let rate = |(_, one): &(usize, &Figures)| Measure::Rate.scaled(one.count as f64 / seconds, seconds);
    block_of(&buckets.iter().map(rate).collect::<Vec<_>>())
}

/// A measure of a group, bucket by bucket; without those in which it has no value.
pub(super) struct Series<'a> {
    measure: Measure,
    known: Vec<(usize, &'a Figures)>,
    seconds: f64,
}

impl<'a> Series<'a> {
    pub(super) fn new(measure: Measure, buckets: &[(usize, &'a Figures)], window: Window) -> Self {
        let seconds = window.bucket_us as f64 / 1e6;
        let known = buckets.iter().copied().filter(|(_, figures)| measure.value(figures, seconds).is_some()).collect();
        Self { measure, known, seconds }
    }

    fn scaled(&self) -> Vec<f64> {
        let value = |(_, figures): &(usize, &Figures)| self.measure.value(figures, self.seconds);
        self.known.iter().filter_map(value).map(|value| self.measure.scaled(value, self.seconds)).collect()
    }

    /// The splits at which something that happened in a bucket may have begun to show: in so many buckets from there on, or in the
    /// first that has a value. `None` where a side has too few values to say.
    pub(super) fn splits_from(&self, bucket: usize, soon: usize) -> Option<RangeInclusive<usize>> {
        let first = self.known.partition_point(|(of, _)| *of < bucket);
        let last = self.known.partition_point(|(of, _)| *of <= bucket + soon).saturating_sub(1).max(first);
        (first >= LEAST && first + LEAST <= self.known.len()).then_some(first..=last)
    }

    /// Bucket, level before and level after of a change at one of some splits: if it is greater there than in nearly all permutations.
    pub(super) fn shift_at(
        &self,
        splits: &RangeInclusive<usize>,
        block: usize,
        share: f64,
    ) -> Option<(usize, f64, f64)> {
        let (scaled, search) = (self.scaled(), Search { block });
        let (mut from, mut to) = (0, scaled.len());
        // What changed at another moment nearby is not what is asked for: it is cut off.
        while let Some((at, size)) = greatest(&scaled[from..to]) {
            let near = splits.start().saturating_sub(LEAST)..=splits.end() + LEAST;
            if near.contains(&(from + at)) || !search.is_split(&scaled[from..to], size) {
                break;
            }
            (from, to) = if from + at < *splits.start() { (from + at, to) } else { (from, from + at) };
        }
        let part = &scaled[from..to];
        let splits = splits.start().checked_sub(from)?..=splits.end().saturating_sub(from);
        let (at, size) = greatest_of(part, &splits)?;
        let (before, after) = self.level(from, from + at).zip(self.level(from + at, to))?;
        let is_shift = self.measure.is_told(before, after)
            && is_step(part, at)
            && search.is_significant(part, size, share, |values| greatest_of(values, &splits).map(|(_, size)| size));
        is_shift.then(|| (self.known[from + at].0, before, after))
    }

    /// Bucket, level before and level after of each change; so many buckets in a row belong together.
    fn shifts(&self, block: usize) -> Vec<(usize, f64, f64)> {
        let scaled = self.scaled();
        let points = self.told(change_points(&scaled, block));
        let mut found = Vec::new();
        for (index, point) in points.iter().copied().enumerate() {
            let previous = if index == 0 { 0 } else { points[index - 1] };
            let next = points.get(index + 1).copied().unwrap_or(self.known.len());
            let levels = |from: usize, to: usize| self.level(from, point).zip(self.level(point, to));
            let near = levels(previous.max(point.saturating_sub(NEAR)), next.min(point + NEAR));
            let told = |(before, after): &(f64, f64)| self.measure.is_told(*before, *after);
            let Some((before, after)) = levels(previous, next).filter(told) else { continue };
            // What grows all day changes slowly, at no moment.
            if near.is_some_and(|near| told(&near)) && is_step(&scaled[previous..next], point - previous) {
                found.push((self.known[point].0, before, after));
            }
        }
        found
    }

    /// The splits without those at the sides of a spell that a person would not tell apart: the other side would else be left, from a
    /// level of which nothing says when it began.
    fn told(&self, mut points: Vec<usize>) -> Vec<usize> {
        let end = self.known.len();
        let is_none = |points: &[usize], index: usize| {
            let previous = if index == 0 { 0 } else { points[index - 1] };
            let (at, next) = (points[index], points.get(index + 1).copied().unwrap_or(end));
            let levels = self.level(previous, at).zip(self.level(at, next));
            let is_told = levels.is_some_and(|(before, after)| self.measure.is_told(before, after));
            (at - previous).min(next - at) <= end / SPELL && !is_told
        };
        while let Some(index) = (0..points.len()).find(|index| is_none(&points, *index)) {
            points.remove(index);
        }
        points
    }

    /// The value over several buckets.
    fn level(&self, from: usize, to: usize) -> Option<f64> {
        let mut all = Figures::default();
        for (_, figures) in &self.known[from..to] {
            all.merge(figures);
        }
        self.measure.value(&all, self.seconds * (to - from) as f64)
    }
}

/// Bends that are tried, evenly apart.
const BENDS: usize = 16;

/// Whether values are nearer to two levels than to a line, straight or bent once: what is level at night and grows in the morning.
fn is_step(values: &[f64], at: usize) -> bool {
    let squares = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
    let spread = |values: &[f64]| squares(values) - values.iter().sum::<f64>().powi(2) / values.len() as f64;
    let rest = off_the_line(values);
    let line = squares(&rest);
    let bent = |bend: usize| {
        let knot = values.len() * bend / BENDS;
        let arm: Vec<f64> = (0..values.len()).map(|index| index.saturating_sub(knot) as f64).collect();
        let arm = off_the_line(&arm);
        let along: f64 = arm.iter().zip(&rest).map(|(arm, rest)| arm * rest).sum();
        line - along.powi(2) / squares(&arm).max(f64::MIN_POSITIVE)
    };
    let nearest = (1..BENDS).map(bent).fold(line, f64::min);
    spread(&values[..at]) + spread(&values[at..]) <= nearest
}

/// What is left of values beside the straight line that fits them best.
fn off_the_line(values: &[f64]) -> Vec<f64> {
    let count = values.len() as f64;
    let (middle, mean) = ((count - 1.0) / 2.0, values.iter().sum::<f64>() / count);
    let along: f64 = values.iter().enumerate().map(|(index, value)| (index as f64 - middle) * value).sum();
    let slope = along * 12.0 / (count * (count * count - 1.0));
    let left = |(index, value): (usize, &f64)| value - mean - slope * (index as f64 - middle);
    values.iter().enumerate().map(left).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Activity, Id, Status};
    use crosstail_core::number::truncated_i64;
    use proptest::prelude::*;

    /// Four hours of calls, one a second: SAP fails from 02:00 on, Zoho is slow from 01:00 to 01:30.
    fn calls() -> Vec<Activity> {
        let mut rng = fastrand::Rng::with_seed(3);
        let call = |second: i64| {
            let mut a = Activity::new(Id::Uuid(1), Timestamp(second * 1_000_000));
            let is_sap = rng.bool();
            a.system = Some(if is_sap { "SAP" } else { "Zoho" }.into());
            let fails = rng.f64() < if is_sap && second >= 7200 { 0.6 } else { 0.02 };
            a.status = Some(if fails { Status::Failed } else { Status::Success });
            let slow = !is_sap && (3600..5400).contains(&second);
            a.duration_us = Some(if slow { 900_000 } else { 100_000 } + rng.u64(0..50_000));
            a
        };
        (0..4 * 3600).map(call).collect()
    }

    #[test]
    fn what_changed_is_told_with_when_and_by_how_much() {
        let window = Window::of(Timestamp(0), Timestamp(4 * 3_600_000_000), 200);
        assert_eq!((window.bucket_us, window.count()), (120_000_000, 120));
        let mut figures = Groups::new();
        for call in calls() {
            let bucket = call.started_at.0.div_euclid(window.bucket_us) * window.bucket_us;
            let key = (vec![call.system.as_ref().map(ToString::to_string)], Some(Timestamp(bucket)));
            figures.entry(key).or_default().add(&call);
        }
        let found = shifts(&figures, window);
        let told: Vec<(&str, Measure, i64)> = found
            .iter()
            .map(|shift| (shift.group[0].as_deref().unwrap_or_default(), shift.measure, shift.at.0 / 60_000_000))
            .collect();
        let expected =
            [("Zoho", Measure::Latency, 60), ("Zoho", Measure::Latency, 90), ("SAP", Measure::Failures, 120)];
        assert_eq!(told, expected, "{found:#?}");
        assert!(found[2].before < 0.05 && (0.5..0.7).contains(&found[2].after), "{found:#?}");
        assert!(found[0].after > 850.0 && found[0].before < 160.0, "{found:#?}");
    }

    /// Figures add up in whatever order activities arrive.
    #[test]
    fn the_order_of_arrival_changes_no_change() {
        let window = Window::of(Timestamp(0), Timestamp(4 * 3_600_000_000), 200);
        let found = |calls: &[Activity]| {
            let mut figures = Groups::new();
            for call in calls {
                let bucket = call.started_at.0.div_euclid(window.bucket_us) * window.bucket_us;
                let key = (vec![call.system.as_ref().map(ToString::to_string)], Some(Timestamp(bucket)));
                figures.entry(key).or_default().add(call);
            }
            shifts(&figures, window)
        };
        let mut all = calls();
        let expected = found(&all);
        assert!(!expected.is_empty());
        for seed in 0..5 {
            fastrand::Rng::with_seed(seed).shuffle(&mut all);
            assert_eq!(found(&all), expected, "seed {seed}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Of any calls: in whatever order they come, and however they are divided among those who count, changes are the same.
        #[test]
        fn neither_order_nor_batches_change_a_change(seed in any::<u64>(), step in 0_u64..120, parts in 1_usize..6) {
            let window = Window::of(Timestamp(0), Timestamp(2 * 3_600_000_000), 120);
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut calls: Vec<Activity> = (0..3000)
                .map(|_| {
                    let second = rng.i64(0..7200);
                    let mut call = Activity::new(Id::Uuid(1), Timestamp(second * 1_000_000));
                    let after = second.unsigned_abs() >= step * 60;
                    call.system = Some(["SAP", "Zoho"][rng.usize(0..2)].into());
                    let fails = rng.f64() < if after { 0.6 } else { 0.05 };
                    call.status = Some(if fails { Status::Failed } else { Status::Success });
                    call.duration_us = rng.bool().then(|| rng.u64(1000..if after { 900_000 } else { 90_000 }));
                    call
                })
                .collect();
            let counted = |calls: &[Activity]| {
                let mut figures = Groups::new();
                for call in calls {
                    let bucket = call.started_at.0.div_euclid(window.bucket_us) * window.bucket_us;
                    let key = (vec![call.system.as_ref().map(ToString::to_string)], Some(Timestamp(bucket)));
                    figures.entry(key).or_default().add(call);
                }
                figures
            };
            let expected = shifts(&counted(&calls), window);
            prop_assert!(!(10..110).contains(&step) || !expected.is_empty(), "a step at {step} min");
            rng.shuffle(&mut calls);
            let mut added = Groups::new();
            for part in calls.chunks(calls.len().div_ceil(parts)) {
                for (key, figures) in counted(part) {
                    added.entry(key).or_default().merge(&figures);
                }
            }
            prop_assert_eq!(shifts(&added, window), expected);
        }
    }

    /// Orders come at any time, and each is a burst of calls within a minute that fail together: nothing changes, and nothing is
    /// told. An outage is.
    #[test]
    fn bursts_that_fail_together_are_no_changes() {
        let window = Window::of(Timestamp(0), Timestamp(3 * 3_600_000_000), 720);
        let end = window.to.0 as f64 / 1e6;
        let told = |seed: u64, outage: std::ops::Range<f64>| {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut figures, mut at) = (Groups::new(), 0.0);
            loop {
                at -= (1.0 - rng.f64()).ln() * 20.0;
                if at >= end {
                    return shifts(&figures, window);
                }
                let fails = rng.f64() < if outage.contains(&at) { 0.9 } else { 0.03 };
                for _ in 0..rng.usize(5..31) {
                    let second = at + 60.0 * rng.f64();
                    let mut call = Activity::new(Id::Uuid(1), Timestamp(truncated_i64(second * 1e6)));
                    call.status = Some(if fails { Status::Failed } else { Status::Success });
                    let bucket = Timestamp(call.started_at.0.div_euclid(window.bucket_us) * window.bucket_us);
                    figures.entry((vec![None], Some(bucket))).or_default().add(&call);
                }
            }
        };
        let alarms = (0..24).filter(|seed| !told(*seed, 0.0..0.0).is_empty()).count();
        // Three measures of each: with one in 1,000, two of 24 are less likely than one in 300.
        assert!(alarms < 2, "{alarms} of 24");
        let found = told(1, 6000.0..7800.0);
        let failures: Vec<i64> =
            found.iter().filter(|one| one.measure == Measure::Failures).map(|one| one.at.0 / 60_000_000).collect();
        assert!(failures.iter().any(|minute| (98..=103).contains(minute)), "{found:#?}");
    }

    /// A spell that begins with less than a change and ends with one is told as neither: what was before it is not its level.
    #[test]
    fn a_spell_is_told_whole_or_not_at_all() {
        let told = |rates: &[(i64, u64)]| {
            let (mut figures, mut bucket) = (Groups::new(), 0);
            for (buckets, count) in rates {
                for _ in 0..*buckets {
                    let one = Figures { count: count + u64::from(bucket % 2 == 0), ..Figures::default() };
                    figures.insert((vec![None], Some(Timestamp(bucket * 60_000_000))), one);
                    bucket += 1;
                }
            }
            let window = Window { from: Timestamp(0), to: Timestamp(bucket * 60_000_000), bucket_us: 60_000_000 };
            shifts(&figures, window).iter().map(|one| one.at.0 / 60_000_000).collect::<Vec<_>>()
        };
        assert_eq!(told(&[(120, 40), (20, 30), (120, 47)]), [0_i64; 0], "from 40 to 30 is none, and from 40 to 47");
        assert_eq!(told(&[(120, 40), (20, 20), (120, 40)]), [120, 140]);
        assert_eq!(told(&[(120, 40), (20, 30), (120, 90)]), [140], "from 39 to 90 is one");
    }

    #[test]
    fn a_rate_that_is_not_nothing_is_not_shown_as_nothing() {
        let shown = [0.0, 0.0001, 0.002, 0.05, 0.5].map(|rate| Measure::Rate.shown(rate));
        assert_eq!(shown, ["0/min", "<0.1/min", "0.1/min", "3.0/min", "0.5/s"]);
    }

    #[test]
    fn what_grows_slowly_changes_at_no_moment() {
        let window = Window::of(Timestamp(0), Timestamp(8 * 3_600_000_000), 480);
        let mut rng = fastrand::Rng::with_seed(5);
        let mut figures = Groups::new();
        for bucket in 0..480_i64 {
            let mut one = Figures::default();
            for _ in 0..(10 + bucket / 8 + rng.i64(0..6)) {
                let mut a = Activity::new(Id::Uuid(1), Timestamp(0));
                a.status = Some(if rng.f64() < 0.03 { Status::Failed } else { Status::Success });
                one.add(&a);
            }
            figures.insert((vec![Some("SAP".to_owned())], Some(Timestamp(bucket * 60_000_000))), one);
        }
        assert_eq!(shifts(&figures, window), []);
    }

    /// Three hours of two systems in a day; one of them begins an hour later.
    #[test]
    fn where_all_activities_begin_and_end_is_no_change_and_where_one_system_does_is() {
        let (begin, end) = (10 * 3600, 13 * 3600);
        let window = Window::of(Timestamp(0), Timestamp(86_400_000_000), 720);
        let mut figures = Groups::new();
        let mut rng = fastrand::Rng::with_seed(8);
        for second in (begin..end).filter(|second| second % 2 == 0) {
            let mut call = Activity::new(Id::Uuid(1), Timestamp(second * 1_000_000));
            let is_late = rng.bool();
            if is_late && second < begin + 3600 {
                continue;
            }
            call.status = Some(Status::Success);
            let bucket = call.started_at.0.div_euclid(window.bucket_us) * window.bucket_us;
            let system = if is_late { "late" } else { "SAP" };
            figures.entry((vec![Some(system.to_owned())], Some(Timestamp(bucket)))).or_default().add(&call);
        }
        let told = |window: Window| {
            let found = shifts(&figures, window);
            found
                .iter()
                .map(|one| (one.group[0].clone().unwrap_or_default(), one.at.0 / 60_000_000))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(window).len(), 4, "beginning and end of both: {:?}", told(window));
        assert_eq!(told(window.of_activity(&figures)), [("late".to_owned(), 11 * 60)]);
        let narrow = window.of_activity(&figures);
        assert_eq!((narrow.from.0 / 1_000_000, narrow.to.0 / 1_000_000), (begin + 120, end - 120));
        // What fills its range is not narrowed.
        let full = Window { from: Timestamp(begin * 1_000_000), to: Timestamp(end * 1_000_000), ..window };
        assert_eq!(full.of_activity(&figures), full);
    }
}
