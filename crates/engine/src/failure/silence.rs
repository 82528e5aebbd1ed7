//! When failures that say the same were silent for longer than they usually are.

use super::{DAY_US, day_of};
use crosstail_core::model::Timestamp;
use std::collections::BTreeMap;

/// When failures were first and last on each day. Within one day, none is silent.
pub(super) type Days = BTreeMap<i64, (Timestamp, Timestamp)>;

pub(super) fn note(days: &mut Days, at: Timestamp) {
    let known = days.entry(day_of(at)).or_insert((at, at));
    *known = (known.0.min(at), known.1.max(at));
}

/// Notes all that others note.
pub(super) fn note_all(days: &mut Days, others: &Days) {
    for (first, last) in others.values() {
        note(days, *first);
        note(days, *last);
    }
}

/// The gaps between the days, in microseconds.
fn gaps(days: &Days) -> Vec<i64> {
    let (before, after) = (days.values(), days.values().skip(1));
    before.zip(after).map(|((_, last), (first, _))| first.since_us(*last)).collect()
}

/// Whether a gap behind others is a silence: it is longer than a day, and than half as much again as their median. What fails
/// once a night is not back again each night.
fn is_silence(gap_us: i64, earlier: &[i64]) -> bool {
    let mut sorted = earlier.to_vec();
    sorted.sort_unstable();
    let usual = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    gap_us >= DAY_US && gap_us.saturating_mul(2) > usual.saturating_mul(3)
}

/// Whether what failed on some days, the last time at the end of them, and fails again at a moment, was silent meanwhile.
pub(super) fn was_silent(days: &Days, again: Timestamp) -> bool {
    let last = days.values().next_back().map(|(_, last)| *last);
    last.is_some_and(|last| is_silence(again.since_us(last), &gaps(days)))
}

/// Since when there was no silence, and the last failure before that.
pub(super) fn began(days: &Days) -> (Timestamp, Option<Timestamp>) {
    let gaps = gaps(days);
    since(days, |at| is_silence(gaps[at], &gaps[..at]))
}

/// The latest moment from which on there can have been no silence, whatever else is known of the same failures.
pub(super) fn began_at_the_latest(days: &Days) -> Timestamp {
    let gaps = gaps(days);
    since(days, |at| gaps[at] >= DAY_US).0
}

/// The first failure behind the last gap that is a silence, and the one before it.
fn since(days: &Days, is_silence: impl Fn(usize) -> bool) -> (Timestamp, Option<Timestamp>) {
    let all: Vec<(Timestamp, Timestamp)> = days.values().copied().collect();
    let last = (1..all.len()).rev().find(|at| is_silence(at - 1));
    let first = last.unwrap_or(0);
    let began = all.get(first).map_or(Timestamp(i64::MIN), |(first, _)| *first);
    (began, last.map(|at| all[at - 1].1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = DAY_US / 24;

    /// Failures so many hours apart, and when the last one was.
    fn apart(hours: &[i64]) -> (Days, Timestamp) {
        let (mut days, mut at) = (Days::new(), Timestamp(20_000 * DAY_US));
        note(&mut days, at);
        for hours in hours {
            at = at.plus_us(hours * HOUR_US);
            note(&mut days, at);
        }
        (days, at)
    }

    #[test]
    fn a_silence_is_longer_than_a_day_and_than_usual() {
        for (hours, is_silent) in [
            (&[24][..], true),
            (&[23], false),
            // Each night, not always to the minute; and after a night was left out.
            (&[24, 24, 24], false),
            (&[24, 25, 24, 30], false),
            (&[24, 24, 48], true),
            // All day, and after a day without it.
            (&[1, 2, 1, 20, 1, 36], true),
            // Each Monday.
            (&[168, 168], false),
            (&[168, 300], true),
        ] {
            let (days, last) = apart(hours);
            let (began, _) = began(&days);
            assert_eq!(began == last, is_silent, "{hours:?}");
            let (before, _) = apart(&hours[..hours.len() - 1]);
            assert_eq!(was_silent(&before, last), is_silent, "{hours:?}");
            assert!(began_at_the_latest(&days) >= began, "{hours:?}");
        }
    }
}
