//! Sets of moments: of which times something is known completely.

use crosstail_core::model::Timestamp;

/// From a moment up to, but not including, another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it; the greatest timestamp stands for "and everything later".
    pub to: Timestamp,
}

impl Interval {
    /// All of time.
    pub const EVER: Self = Self { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };

    /// From a moment up to another one.
    pub const fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to }
    }

    /// Whether it contains no moment.
    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// The moments of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }

    /// Its length in microseconds.
    pub const fn length_us(&self) -> i64 {
        self.to.since_us(self.from)
    }
}

/// A set of moments, as intervals that neither overlap nor touch, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intervals(Vec<Interval>);

impl Intervals {
    /// The intervals, in order of time.
    pub fn all(&self) -> &[Interval] {
        &self.0
    }

    /// Whether it contains no moment.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an interval.
    pub fn add(&mut self, new: Interval) {
        if new.is_empty() {
            return;
        }
        let first = self.0.partition_point(|known| known.to < new.from);
        let after = self.0.partition_point(|known| known.from <= new.to);
        let from = self.0.get(first).filter(|_| first < after).map_or(new.from, |known| known.from.min(new.from));
        let to = after.checked_sub(1).filter(|last| *last >= first);
        let to = to.map_or(new.to, |last| self.0[last].to.max(new.to));
        self.0.splice(first..after, [Interval { from, to }]);
    }

    /// Removes an interval.
    pub fn remove(&mut self, gone: Interval) {
        if gone.is_empty() {
            return;
        }
        let rest = |known: Interval| {
            [Interval::new(known.from, known.to.min(gone.from)), Interval::new(known.from.max(gone.to), known.to)]
        };
        self.0 = self.0.drain(..).flat_map(rest).filter(|rest| !rest.is_empty()).collect();
    }

    /// What an interval has beyond the set, the newest first.
    pub fn missing(&self, wanted: Interval) -> Vec<Interval> {
        let mut rest = Self(if wanted.is_empty() { Vec::new() } else { vec![wanted] });
        for known in &self.0 {
            rest.remove(*known);
        }
        rest.0.reverse();
        rest.0
    }

    /// Whether all of an interval is in the set.
    pub fn covers(&self, wanted: Interval) -> bool {
        self.missing(wanted).is_empty()
    }

    /// The moments of both sets.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = Self::default();
        for a in &self.0 {
            for b in &other.0 {
                both.add(a.and(b));
            }
        }
        both
    }
}

impl FromIterator<Interval> for Intervals {
    fn from_iter<I: IntoIterator<Item = Interval>>(intervals: I) -> Self {
        let mut all = Self::default();
        for interval in intervals {
            all.add(interval);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn interval(from: i64, to: i64) -> Interval {
        Interval::new(Timestamp(from), Timestamp(to))
    }

    proptest! {
        #[test]
        fn sets_of_intervals_are_sets_of_moments(
            steps in prop::collection::vec((any::<bool>(), 0i64..30, 0i64..30), 0..12),
            wanted in (0i64..30, 0i64..30),
        ) {
            let (mut set, mut moments) = (Intervals::default(), [false; 30]);
            for (add, from, to) in steps {
                if add { set.add(interval(from, to)) } else { set.remove(interval(from, to)) }
                for at in from..to {
                    moments[usize::try_from(at).expect("small")] = add;
                }
                let holds = |at: i64| set.all().iter().any(|i| (i.from.0..i.to.0).contains(&at));
                prop_assert!((0..30).all(|at| holds(at) == moments[usize::try_from(at).expect("small")]));
                prop_assert!(set.all().windows(2).all(|pair| pair[0].to < pair[1].from), "{:?}", set);
            }
            let missing = set.missing(interval(wanted.0, wanted.1));
            prop_assert!(missing.windows(2).all(|pair| pair[0].from >= pair[1].to));
            for at in 0..30 {
                let asked = (wanted.0..wanted.1).contains(&at) && !moments[usize::try_from(at).expect("small")];
                prop_assert_eq!(missing.iter().any(|i| (i.from.0..i.to.0).contains(&at)), asked);
            }
        }
    }
}
