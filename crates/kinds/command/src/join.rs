//! Where a program is run again, its output may repeat what it printed before: that is left out.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, Hasher as _};

/// Lines may be this much out of the order of their times, in nanoseconds.
const DISORDER_NS: i64 = 2_000_000_000;
/// Lines that are remembered.
const REMEMBERED: usize = 1 << 18;

/// A hash that is the same in every run.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::with_seed(0x6372_6f73_7374_6169).build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// Lines that begin with their time: those of the last seconds are known by their content, however often each came.
#[derive(Debug, Default)]
pub(crate) struct ByTime {
    recent: VecDeque<(i64, u64)>,
    newest: Option<i64>,
    /// What is expected again, and how often.
    expected: HashMap<u64, u32>,
    /// What is older was read before, in this run of the program.
    since: Option<i64>,
}

impl ByTime {
    /// The time from which the program has to repeat its output, in nanoseconds since the epoch; `None` where nothing was read.
    pub(crate) fn again(&mut self) -> Option<i64> {
        let newest = self.newest?;
        let since = newest.saturating_sub(DISORDER_NS);
        self.since = Some(since);
        self.expected.clear();
        for (_, line) in self.recent.iter().filter(|(time, _)| *time >= since) {
            *self.expected.entry(*line).or_default() += 1;
        }
        self.since
    }

    /// Whether a line with its time is new.
    pub(crate) fn takes(&mut self, time: i64, line: &[u8]) -> bool {
        let line = hash(line);
        // The two outputs of a program come in any order: what is expected is so until its end.
        if let Some(count) = self.expected.get_mut(&line).filter(|count| **count > 0) {
            *count -= 1;
            return false;
        }
        if self.since.is_some_and(|since| time < since) {
            return false;
        }
        let newest = self.newest.map_or(time, |newest| newest.max(time));
        self.newest = Some(newest);
        self.recent.push_back((time, line));
        while self.recent.len() > REMEMBERED
            || self.recent.front().is_some_and(|(oldest, _)| *oldest < newest.saturating_sub(2 * DISORDER_NS))
        {
            self.recent.pop_front();
        }
        true
    }
}

/// What was found when a program ran again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlap {
    /// So many lines were there before, and are left out.
    Lines(usize),
    /// Nothing of it was: lines may be missing.
    None,
    /// Lines that say no time were there before. Whether they are the same ones nobody can tell, so they are taken.
    Untold,
}

/// Lines without an order that can be relied on: the output of the next run is laid over the end of the last one. A line that says
/// its time is the same one again. One that says none (`poll ok`) may be of this run: it is left out only behind one with a time.
#[derive(Debug, Default)]
pub(crate) struct ByOrder {
    seen: VecDeque<u64>,
    /// Where in `seen` the new output may begin, while that is not decided.
    places: Option<Vec<usize>>,
    /// How many lines of the new output fit, and those of them that are not taken yet.
    fits: usize,
    held: Vec<Vec<u8>>,
    /// Those that are taken, because they say no time.
    untold: Vec<u64>,
}

impl ByOrder {
    /// The program runs again.
    pub(crate) fn again(&mut self) {
        self.places = (!self.seen.is_empty()).then(|| (0..self.seen.len()).collect());
        self.fits = 0;
        self.untold.clear();
    }

    /// Takes a line; adds what is new to `out`. `says_time` tells whether a line says its time. Returns what was found once that is
    /// decided.
    pub(crate) fn take(
        &mut self,
        line: &[u8],
        says_time: &dyn Fn(&[u8]) -> bool,
        out: &mut Vec<u8>,
    ) -> Option<Overlap> {
        let Some(places) = &mut self.places else {
            self.keep(line, out);
            return None;
        };
        let (known, at) = (hash(line), self.fits);
        places.retain(|place| self.seen.get(place + at) == Some(&known));
        if places.is_empty() {
            return Some(self.nothing_fits(line, out));
        }
        self.fits += 1;
        // The longest overlap is the one that begins first and goes on to the end.
        let is_whole = places.first().is_some_and(|first| first + self.fits == self.seen.len());
        let mut found = None;
        if self.held.is_empty() && !says_time(line) {
            // For the next run it stands there already, as long as this one fits.
            out.extend_from_slice(line);
            found = self.untold.is_empty().then_some(Overlap::Untold);
            self.untold.push(known);
        } else {
            self.held.push(line.to_vec());
        }
        if is_whole {
            return self.decided().or(found);
        }
        found
    }

    /// What was held fits what was read before.
    fn decided(&mut self) -> Option<Overlap> {
        self.places = None;
        let left_out = std::mem::take(&mut self.held).len();
        (left_out > 0).then_some(Overlap::Lines(left_out))
    }

    fn nothing_fits(&mut self, line: &[u8], out: &mut Vec<u8>) -> Overlap {
        self.places = None;
        self.seen.extend(self.untold.drain(..));
        for line in std::mem::take(&mut self.held) {
            self.keep(&line, out);
        }
        self.keep(line, out);
        Overlap::None
    }

    fn keep(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if self.seen.len() >= REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(hash(line));
        out.extend_from_slice(line);
    }

    /// The run is over: what was held fits what was read before.
    pub(crate) fn ended(&mut self) -> Option<Overlap> {
        self.decided()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines with a digit say their time.
    fn run(join: &mut ByOrder, lines: &[&str]) -> (String, Vec<Overlap>) {
        let (mut out, mut found) = (Vec::new(), Vec::new());
        join.again();
        for line in lines {
            let says_time = |line: &[u8]| line.iter().any(u8::is_ascii_digit);
            found.extend(join.take(format!("{line}\n").as_bytes(), &says_time, &mut out));
        }
        found.extend(join.ended());
        (String::from_utf8(out).expect("text").replace('\n', " "), found)
    }

    #[test]
    fn the_next_run_is_laid_over_the_end_of_the_last_one() {
        let mut join = ByOrder::default();
        assert_eq!(run(&mut join, &["1", "2", "1", "2", "3"]), ("1 2 1 2 3 ".to_owned(), vec![]));
        // It begins where it began, or in the middle.
        assert_eq!(run(&mut join, &["1", "2", "1", "2", "3", "4"]), ("4 ".to_owned(), vec![Overlap::Lines(5)]));
        assert_eq!(run(&mut join, &["2", "3", "4", "5"]), ("5 ".to_owned(), vec![Overlap::Lines(3)]));
        // It ends before the last one did.
        assert_eq!(run(&mut join, &["1", "2"]), (String::new(), vec![Overlap::Lines(2)]));
        // It has nothing of what was before: what looked like it is delivered.
        assert_eq!(run(&mut join, &["3", "4", "9", "8"]), ("3 4 9 8 ".to_owned(), vec![Overlap::None]));
        // What goes on with a line that says its time is a part of it.
        assert_eq!(run(&mut join, &["7", " at x"]), ("7  at x ".to_owned(), vec![Overlap::None]));
        assert_eq!(run(&mut join, &["7", " at x", "6"]), ("6 ".to_owned(), vec![Overlap::Lines(2)]));
    }

    #[test]
    fn equal_lines_without_a_time_are_all_taken() {
        let mut join = ByOrder::default();
        assert_eq!(run(&mut join, &["ok", "ok"]), ("ok ok ".to_owned(), vec![]));
        for _ in 0..3 {
            assert_eq!(run(&mut join, &["ok"]), ("ok ".to_owned(), vec![Overlap::Untold]));
            assert_eq!(run(&mut join, &["ok", "ok", "ok"]), ("ok ok ok ".to_owned(), vec![Overlap::Untold]));
        }
        // A greeting before lines with times is shown again, and they are not.
        let mut join = ByOrder::default();
        run(&mut join, &["hello", "1", "2"]);
        let found = vec![Overlap::Untold, Overlap::Lines(2)];
        assert_eq!(run(&mut join, &["hello", "1", "2", "3"]), ("hello 3 ".to_owned(), found));
    }

    #[test]
    fn equal_lines_are_counted() {
        let mut join = ByTime::default();
        assert_eq!(join.again(), None);
        let second = 1_000_000_000;
        let mut all = Vec::new();
        for (time, line) in [(5, "a"), (5, "a"), (6, "b"), (6, "b")] {
            assert!(join.takes(time * second, line.as_bytes()));
        }
        assert_eq!(join.again(), Some(4 * second));
        // It repeats from the beginning of a second, and one more of each came.
        for (time, line) in
            [(3, "old"), (5, "a"), (5, "a"), (6, "b"), (5, "late"), (6, "b"), (6, "b"), (9, "a"), (9, "b")]
        {
            if join.takes(time * second, line.as_bytes()) {
                all.push(line);
            }
        }
        assert_eq!(all, ["late", "b", "a", "b"]);
        // One output is read before the other one, which has older lines.
        assert!(join.again().is_some());
        assert!(join.takes(60 * second, b"new") && !join.takes(9 * second, b"a") && !join.takes(9 * second, b"b"));
    }
}
