//! When the lines of a file of the spool came: the time of those that say none.

use crosstail_core::model::Timestamp;
use std::sync::{Mutex, PoisonError};

/// Marks of one file, at most. Then they are twice as far apart: the times of lines become coarser.
const MARKS: usize = 1 << 14;
/// What comes within this time comes at one time, in microseconds.
const APART_US: i64 = 50_000;

/// From which offset on lines came at which time.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<Marks>);

#[derive(Debug)]
struct Marks {
    at: Vec<(u64, Timestamp)>,
    /// How far they are apart, in microseconds.
    apart_us: i64,
}

impl Default for Marks {
    fn default() -> Self {
        Self { at: Vec::new(), apart_us: APART_US }
    }
}

impl Marks {
    /// Whether a time is told from that of the mark before it; a clock may have been set back.
    fn is_apart(&self, before: Option<&(u64, Timestamp)>, now: Timestamp) -> bool {
        before.is_none_or(|(_, before)| !(0..self.apart_us).contains(&now.since_us(*before)))
    }
}

impl Arrivals {
    /// What is written at an offset comes now.
    pub(crate) fn note(&self, offset: u64, now: Timestamp) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !marks.is_apart(marks.at.last(), now) {
            return;
        }
        while marks.at.len() >= MARKS {
            marks.apart_us = marks.apart_us.saturating_mul(2);
            let mut kept: Vec<(u64, Timestamp)> = Vec::with_capacity(MARKS);
            for mark in std::mem::take(&mut marks.at) {
                if marks.is_apart(kept.last(), mark.1) {
                    kept.push(mark);
                }
            }
            marks.at = kept;
        }
        if marks.is_apart(marks.at.last(), now) {
            marks.at.push((offset, now));
        }
    }

    /// When the line at an offset came; `None` where it was there before anybody noted it.
    pub(crate) fn at(&self, offset: u64) -> Option<Timestamp> {
        let marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = marks.at.partition_point(|(from, _)| *from <= offset);
        Some(marks.at.get(index.checked_sub(1)?)?.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_came_when_it_was_written() {
        let arrivals = Arrivals::default();
        arrivals.note(100, Timestamp(1_000_000));
        arrivals.note(150, Timestamp(1_010_000));
        arrivals.note(200, Timestamp(2_000_000));
        // A clock that was set back.
        arrivals.note(300, Timestamp(500_000));
        let at = |offset| arrivals.at(offset).map(|at| at.0);
        assert_eq!(
            [99, 100, 150, 199, 200, 299, 300].map(at),
            [None, Some(1_000_000), Some(1_000_000), Some(1_000_000), Some(2_000_000), Some(2_000_000), Some(500_000),]
        );
    }

    #[test]
    fn marks_are_bounded_and_still_tell_the_time() {
        let arrivals = Arrivals::default();
        for n in 0..100_000u32 {
            arrivals.note(u64::from(n) * 10, Timestamp(i64::from(n) * 1_000_000));
        }
        assert!(arrivals.0.lock().expect("no panic").at.len() <= MARKS);
        for n in [0u32, 17, 50_000, 99_999] {
            let found = arrivals.at(u64::from(n) * 10).expect("known").0;
            let off = i64::from(n) * 1_000_000 - found;
            assert!((0..=16_000_000).contains(&off), "{n}: {off}");
        }
    }
}
