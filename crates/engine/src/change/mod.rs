//! Change points: when a series of figures went to another level, and whether that is more than chance.
//!
//! A series is split where the means on both sides differ most (binary segmentation, A. J. Scott and M. Knott, "A Cluster Analysis
//! Method for Grouping Means in the Analysis of Variance", Biometrics 30, 1974), and so are its parts. A spell that is short in a
//! long series is no great split; so where there is none, the stretch is looked for whose mean differs most from that of the rest
//! (circular binary segmentation, A. B. Olshen et al., "Circular binary segmentation for the analysis of array-based DNA copy
//! number data", Biostatistics 5, 2004): two changes. Either counts if it is greater than those of nearly all permutations of the
//! same values, as in E-divisive (D. S. Matteson and N. A. James, "A Nonparametric Approach for Multiple Change Point Analysis of
//! Multivariate Data", JASA 109, 2014). Values of a burst are permuted together (H. R. Künsch, "The Jackknife and the Bootstrap for
//! General Stationary Observations", Annals of Statistics 17, 1989), see [`block_of`]. So no distribution is assumed, and of a series without a change, one in 1,000 is said to
//! have one: [`SIGNIFICANCE`]. What grows slowly is split, too; [`shifts`] leaves out splits that are not seen close by.

mod marked;
mod series;

pub use marked::{MARKERS, SOON_US, shifts_at, window_at};
pub use series::{FoundChanges, Measure, Shift, Window, shifts, shortest_us};

use std::ops::RangeInclusive;

/// A split is kept if so few of the permutations are as great. Spells are looked for in addition, so fewer may be.
pub const SIGNIFICANCE: f64 = 0.001;
const OF_SPELLS: f64 = SIGNIFICANCE / 2.0;
const PERMUTATIONS: u32 = 1999;
/// Both sides of a split have so many values at least.
const LEAST: usize = 3;
/// A spell is at most such a part of a series. Two splits find a longer one.
const SPELL: usize = 8;
/// The same values give the same answer.
const SEED: u64 = 0x5eed;

/// Where a series goes to another level: the index of the first value of each new level, in order. `block` is the number of values
/// in a row that belong together, see [`block_of`].
pub fn change_points(values: &[f64], block: usize) -> Vec<usize> {
    let (mut found, search) = (Vec::new(), Search { block });
    let has_spell = search.split(values, 0, &mut found);
    found.sort_unstable();
    if has_spell {
        search.prune(values, &mut found);
    }
    found
}

/// How splits are looked for.
#[derive(Clone, Copy)]
struct Search {
    block: usize,
}

impl Search {
    /// Removes what is no split between its neighbours: where a spell was longer than is looked for, its parts are one.
    fn prune(self, values: &[f64], found: &mut Vec<usize>) {
        let mut index = 0;
        while index < found.len() {
            let from = if index == 0 { 0 } else { found[index - 1] };
            let to = found.get(index + 1).copied().unwrap_or(values.len());
            let part = &values[from..to];
            let size = size_at(part, found[index] - from);
            if self.is_split(part, size) {
                index += 1;
            } else {
                found.remove(index);
                index = index.saturating_sub(1);
            }
        }
    }

    /// Finds splits and spells; returns whether a spell is among them.
    fn split(self, values: &[f64], from: usize, found: &mut Vec<usize>) -> bool {
        if let Some((at, size)) = greatest(values)
            && self.is_split(values, size)
        {
            found.push(from + at);
            let before = self.split(&values[..at], from, found);
            return self.split(&values[at..], from + at, found) || before;
        }
        let Some(((begin, end), size)) = greatest_spell(values) else { return false };
        let is_spell =
            self.is_significant(values, size, OF_SPELLS, |values| greatest_spell(values).map(|(_, size)| size));
        if is_spell {
            found.extend([from + begin, from + end]);
            self.split(&values[..begin], from, found);
            self.split(&values[begin..end], from + begin, found);
            self.split(&values[end..], from + end, found);
        }
        is_spell
    }

    /// Whether the greatest split of values is more than chance.
    fn is_split(self, values: &[f64], size: f64) -> bool {
        self.is_significant(values, size, SIGNIFICANCE, |values| greatest(values).map(|(_, size)| size))
    }

    /// Whether not more than a share of the permutations have something as great. What belongs together is permuted together: else a
    /// burst of calls that fail with one another would hardly ever stand together by chance, and be a change.
    fn is_significant(self, values: &[f64], size: f64, share: f64, greatest: impl Fn(&[f64]) -> Option<f64>) -> bool {
        let mut shuffled = values.to_vec();
        let mut rng = fastrand::Rng::with_seed(SEED);
        // The smaller the share, the more of them it takes to have one.
        let permutations = f64::from(PERMUTATIONS).max((1.0 / share).ceil() - 1.0);
        let allowed = share * (permutations + 1.0) - 1.0;
        let (mut as_great, mut done) = (0.0, 0.0);
        while done < permutations {
            done += 1.0;
            self.shuffle(values, &mut shuffled, &mut rng);
            // Equal but for the order of sums.
            if greatest(&shuffled).is_some_and(|other| other >= size * (1.0 - 1e-9)) {
                as_great += 1.0;
                if as_great > allowed {
                    return false;
                }
            }
        }
        true
    }

    /// Another order of the values; in blocks, which begin at another value each time.
    fn shuffle(self, values: &[f64], shuffled: &mut Vec<f64>, rng: &mut fastrand::Rng) {
        if self.block <= 1 {
            rng.shuffle(shuffled);
            return;
        }
        let first = rng.usize(0..self.block).min(values.len());
        let (before, rest) = values.split_at(first);
        let mut blocks: Vec<&[f64]> = rest.chunks(self.block).chain([before]).collect();
        rng.shuffle(&mut blocks);
        shuffled.clear();
        shuffled.extend(blocks.into_iter().flatten());
    }
}

/// Values around one whose median is its level.
const AROUND: usize = 12;
/// More lags are not looked at.
const LAGS: usize = 12;

/// How many values of a series in a row belong together, as those of a burst do: twice the number of lags in a row at which they are
/// correlated, and one. Of the ranks of what differs from the median around, so that neither a change of level nor one outage
/// counts.
pub fn block_of(values: &[f64]) -> usize {
    let around = |at: usize| {
        let near = &values[at.saturating_sub(AROUND)..values.len().min(at + AROUND + 1)];
        values[at] - median(near)
    };
    let ranks = ranks(&(0..values.len()).map(around).collect::<Vec<_>>());
    let squares: f64 = ranks.iter().map(|rank| rank * rank).sum();
    let correlated = |lag: &usize| {
        let along: f64 = ranks.iter().zip(&ranks[*lag..]).map(|(one, other)| one * other).sum();
        // Chance stays within two standard errors.
        along > squares * 2.0 / (values.len() as f64).sqrt()
    };
    let lags = (1..LAGS.min(values.len())).take_while(correlated).count();
    if lags == 0 { 1 } else { 2 * lags + 1 }
}

/// How many values in a row a spell must have in a series of so many to be found nearly always, however great it is. Values that
/// belong together are permuted together, and a few such blocks stand side by side by chance in too many permutations.
pub fn shortest_spell(count: usize, block: usize) -> usize {
    /// So many of all permutations that are made may have as great a spell by chance.
    const RARE: f64 = 0.1;
    let (block, allowed) = (block.max(1), RARE / f64::from(PERMUTATIONS));
    let blocks = count / block;
    let mut ways = 1.0;
    for chosen in 1..=blocks {
        // So many blocks are a row in so many of the ways to choose them, and blocks begin with the spell in one of so many orders.
        let rows = (blocks - chosen + 1) as f64;
        ways *= rows / chosen as f64;
        if rows / ways / block as f64 <= allowed {
            return (chosen * block).max(LEAST);
        }
    }
    count
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// The ranks of values, around zero; equal ones share theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    for same in order.chunk_by(|a, b| values[*a].total_cmp(&values[*b]).is_eq()) {
        let rank = from as f64 + (same.len() as f64 - 1.0) / 2.0 - middle;
        for at in same {
            ranks[*at] = rank;
        }
        from += same.len();
    }
    ranks
}

/// The difference of the means before and from an index on, as [`greatest`] measures it.
fn size_at(values: &[f64], at: usize) -> f64 {
    let count = values.len();
    let mean = values.iter().sum::<f64>() / count as f64;
    let sum: f64 = values[..at].iter().map(|value| value - mean).sum();
    sum.abs() / ((at * (count - at)) as f64 / count as f64).sqrt()
}

/// The stretch within, not longer than a part of the series, whose mean differs most from that of the rest for its length, and by
/// how much.
fn greatest_spell(values: &[f64]) -> Option<((usize, usize), f64)> {
    let count = values.len();
    let longest = count / SPELL;
    if longest < LEAST || count < 3 * LEAST {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count as f64;
    let mut sums = Vec::with_capacity(count + 1);
    let mut sum = 0.0;
    sums.push(sum);
    sums.extend(values.iter().map(|value| {
        sum += value - mean;
        sum
    }));
    let mut best = ((0, 0), 0.0);
    for length in LEAST..=longest {
        // As in a split.
        let spread = ((length * (count - length)) as f64 / count as f64).sqrt();
        let least = best.1 * spread;
        let within = &sums[LEAST..=count - LEAST];
        let mut greatest = (0, least);
        for (at, pair) in within.windows(length + 1).enumerate() {
            let size = f64::abs(pair[length] - pair[0]);
            if size > greatest.1 {
                greatest = (at + LEAST, size);
            }
        }
        if greatest.1 > least {
            best = ((greatest.0, greatest.0 + length), greatest.1 / spread);
        }
    }
    (best.1 > 0.0).then_some(best)
}

/// The split at which the means of both sides differ most, for their lengths, and by how much.
fn greatest(values: &[f64]) -> Option<(usize, f64)> {
    greatest_of(values, &(0..=values.len()))
}

/// The greatest of some splits.
fn greatest_of(values: &[f64], splits: &RangeInclusive<usize>) -> Option<(usize, f64)> {
    let count = values.len();
    if count < 2 * LEAST {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count as f64;
    let mut sum = 0.0;
    let mut best = (0, 0.0);
    for (at, value) in values.iter().enumerate() {
        if (LEAST..=count - LEAST).contains(&at) && splits.contains(&at) {
            // The difference of the means, divided by its standard error but for a factor that all splits share.
            let size = f64::abs(sum) / ((at * (count - at)) as f64 / count as f64).sqrt();
            if size > best.1 {
                best = (at, size);
            }
        }
        sum += value - mean;
    }
    (best.1 > 0.0).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number of events, of which so many are expected (Knuth).
    fn poisson(rng: &mut fastrand::Rng, expected: f64) -> f64 {
        let limit = (-expected).exp();
        let (mut count, mut product) = (0.0, rng.f64());
        while product > limit {
            count += 1.0;
            product *= rng.f64();
        }
        count
    }

    #[test]
    fn a_series_that_does_not_change_has_nearly_never_a_change() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut alarms = 0;
        for round in 0..2000 {
            let expected = [0.3, 2.0, 20.0, 200.0][round % 4];
            let series: Vec<f64> = (0..96).map(|_| poisson(&mut rng, expected).sqrt()).collect();
            alarms += usize::from(!change_points(&series, block_of(&series)).is_empty());
        }
        // One in 1,000 is expected: of 2,000 series two; eight or more are less likely than one in 1,000.
        assert!(alarms < 8, "{alarms} of 2000");
    }

    /// An outage of twelve minutes is six buckets of a day: where rates are correlated, that is no more than chance.
    #[test]
    fn what_is_said_to_be_the_shortest_spell_is_found_and_a_shorter_one_is_not() {
        let mut rng = fastrand::Rng::with_seed(9);
        let mut found = |length: usize| {
            let one = |n: usize| {
                let begin = 300 + n;
                let value = |at: usize| if (begin..begin + length).contains(&at) { 9.0 } else { 3.0 };
                let series: Vec<f64> = (0..720).map(|at| value(at) + rng.f64()).collect();
                let found = change_points(&series, 3);
                found.contains(&begin) && found.contains(&(begin + length))
            };
            (0..8).map(one).filter(|found| *found).count()
        };
        assert!(found(shortest_spell(720, 3)) >= 6);
        assert!(found(6) <= 1);
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let mut rng = fastrand::Rng::with_seed(8);
        let mut missed = 0;
        for _ in 0..200 {
            let at = rng.usize(12..84);
            let series: Vec<f64> =
                (0..96).map(|n| poisson(&mut rng, if n < at { 20.0 } else { 40.0 }).sqrt()).collect();
            let found = change_points(&series, block_of(&series));
            missed += usize::from(!(found.len() == 1 && found[0].abs_diff(at) <= 2));
        }
        assert!(missed <= 6, "{missed} of 200");
        // There and back.
        let mut spell = |of: std::ops::Range<usize>| -> Vec<f64> {
            (0..96).map(|n| if of.contains(&n) { 9.0 } else { 3.0 } + rng.f64()).collect()
        };
        assert_eq!(change_points(&spell(36..60), 1), [36, 60]);
        assert_eq!(change_points(&spell(44..48), 1), [44, 48], "a short spell in a long series");
        // In a series of 96, three values stand together by chance more often than that.
        assert_eq!(change_points(&spell(60..63), 1), [0_usize; 0]);
        assert_eq!(change_points(&spell(44..45), 1), [0_usize; 0]);
        // A longer row is needed where values belong together.
        assert_eq!(
            [(96, 1), (720, 1), (720, 3), (720, 5)].map(|(count, block)| shortest_spell(count, block)),
            [4, 3, 9, 20]
        );
        assert_eq!(shortest_spell(8, 1), 8, "never");
        // Too little to say.
        assert_eq!(change_points(&[0.0, 0.0, 9.0, 9.0], 1), [0_usize; 0]);
        assert_eq!(change_points(&[1.0; 50], 1), [0_usize; 0]);
    }
}
