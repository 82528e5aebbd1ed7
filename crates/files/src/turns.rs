//! Where the year or the date turns in a file whose times leave it out: told from the order of its lines, from the end,
//! at which the file was last written.

use crosstail_core::model::{Spelled, Surroundings, Timestamp};
use crosstail_formats::Reader;
use std::io::{self, BufRead as _, BufReader};

/// Only files up to this size are read for it, in bytes.
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// Of so many times one is whole, where whole times tell the date of the others.
const ANCHORS: usize = 4;
/// A clock behind a whole time is at most so much later, in microseconds: 23 hours, so that it may also be a little earlier,
/// less what a clock may be ahead.
const AFTER_US: i64 = (23 * 60 - 5) * 60_000_000;

/// The latest possible time of the lines from each offset on.
#[derive(Debug, Default)]
pub(super) struct Turns(Vec<(u64, Timestamp)>);

impl Turns {
    /// Reads the times of a text that was last written at a time.
    pub(super) fn of(text: impl io::Read, written: Timestamp, reader: &Reader) -> io::Result<Self> {
        let mut times: Vec<(u64, Spelled)> = Vec::new();
        let mut lines = BufReader::with_capacity(1 << 16, text.take(MAX_BYTES));
        let mut line = Vec::new();
        let mut offset = 0;
        loop {
            line.clear();
            let read = lines.read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            if let Some(time) = reader.time_of_line(&line) {
                times.push((offset, time));
            }
            offset += read as u64;
        }
        Ok(Self::from(written, &times))
    }

    fn from(written: Timestamp, times: &[(u64, Spelled)]) -> Self {
        // Whole times tell the date of those around them, where there are not just a few in the texts of messages.
        let wholes = times.iter().filter(|(_, time)| time.is_whole()).count();
        let counts = wholes * ANCHORS >= times.len();
        let (times, behind) = match times.iter().rposition(|(_, time)| time.is_whole()) {
            Some(last) if counts => times.split_at(last + 1),
            _ => (times, &[][..]),
        };
        let mut turns = Vec::new();
        let mut latest = written;
        let mut next = written;
        let mut upto = u64::MAX;
        let mut times_behind = Vec::new();
        // Behind the last whole time only clocks follow: each is soon after the one before it.
        if let Some((_, anchor)) = times.last().filter(|_| !behind.is_empty()) {
            let mut before = anchor.resolve(Surroundings::before(written));
            for (offset, time) in behind {
                let limit = if time.lacks_date() { before.plus_us(AFTER_US).min(written) } else { written };
                before = time.resolve(Surroundings::before(limit));
                times_behind.push((*offset, limit));
            }
            upto = behind[0].0;
        }
        let times = || times.iter().filter(|(_, time)| counts || !time.is_whole());
        for (offset, time) in times().rev() {
            let at = time.resolve(Surroundings::before(next.min(written)));
            if at != time.resolve(Surroundings::before(latest)) {
                turns.push((upto, latest));
                latest = next;
            }
            (next, upto) = (at, *offset);
        }
        turns.push((0, latest));
        turns.reverse();
        // What stands before the clocks at the end has a limit of its own.
        turns.extend(times_behind);
        Self(turns)
    }

    /// The latest possible time of a line at an offset; `None` where nothing is known.
    pub(super) fn latest(&self, offset: u64) -> Option<Timestamp> {
        let index = self.0.partition_point(|(from, _)| *from <= offset);
        Some(self.0.get(index.checked_sub(1)?)?.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{leading_time, parse_timestamp};

    #[test]
    fn years_and_days_turn_where_the_order_says() {
        let check = |written: &str, lines: &[(&str, &str)]| {
            let written = parse_timestamp(written).expect("a time");
            let times: Vec<(u64, Spelled)> = lines
                .iter()
                .enumerate()
                .map(|(index, (text, _))| (index as u64 * 10, leading_time(text).expect("a time").0))
                .collect();
            let turns = Turns::from(written, &times);
            for ((offset, time), (text, expected)) in times.iter().zip(lines) {
                let latest = turns.latest(*offset).expect("known");
                assert_eq!(Some(time.resolve(Surroundings::before(latest))), parse_timestamp(expected), "{text}");
            }
        };
        check(
            "2024-05-06T12:00:00Z",
            &[
                ("Nov 30 23:59:58", "2022-11-30T23:59:58Z"),
                ("Feb  1 00:00:01", "2023-02-01T00:00:01Z"),
                ("Dec 31 23:59:58", "2023-12-31T23:59:58Z"),
                ("Jan  1 00:00:01", "2024-01-01T00:00:01Z"),
                ("May  6 11:00:00", "2024-05-06T11:00:00Z"),
            ],
        );
        check(
            "2024-06-01T00:00:00Z",
            &[
                ("23:59:58", "2024-05-05T23:59:58Z"),
                ("2024-05-06 00:00:01", "2024-05-06T00:00:01Z"),
                ("00:00:02", "2024-05-06T00:00:02Z"),
                ("00:00:01", "2024-05-06T00:00:01Z"),
                ("2024-05-06 07:08:00", "2024-05-06T07:08:00Z"),
                ("07:07:59", "2024-05-06T07:07:59Z"),
                ("23:59:59", "2024-05-06T23:59:59Z"),
                ("00:00:01", "2024-05-07T00:00:01Z"),
            ],
        );
        check(
            "2024-05-06T07:00:00Z",
            &[
                ("22:00:00", "2024-05-04T22:00:00Z"),
                ("03:00:00", "2024-05-05T03:00:00Z"),
                ("23:59:59.500", "2024-05-05T23:59:59.500Z"),
                ("00:00:01", "2024-05-06T00:00:01Z"),
                ("00:00:00", "2024-05-06T00:00:00Z"),
                ("06:59:00", "2024-05-06T06:59:00Z"),
            ],
        );
    }
}
