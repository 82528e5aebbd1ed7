//! Missing numbers as a position holds them: in one text of small distances. There may be ten thousands, and positions are
//! made every second.

use super::numbers::Runs;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};
use std::fmt::Write as _;

/// Each run as its distance from the one before, how many follow its first number, and how much later it is missing.
pub(super) fn serialize<S: Serializer>(runs: &Runs, into: S) -> Result<S::Ok, S::Error> {
    let (mut text, mut end, mut time) = (String::new(), 0_i64, 0_i64);
    for (from, (until, since)) in runs {
        let (distance, more, later) = (from.wrapping_sub(end), until.wrapping_sub(*from), since.wrapping_sub(time));
        // Writing into a text does not fail.
        let _ = write!(text, "{distance},{more},{later};");
        (end, time) = (*until, *since);
    }
    into.serialize_str(&text)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Runs, D::Error> {
    let text = String::deserialize(from)?;
    let (mut runs, mut end, mut time) = (Runs::new(), 0_i64, 0_i64);
    for run in text.split_terminator(';') {
        let mut parts = run.split(',').map(str::parse::<i64>);
        let (Some(Ok(distance)), Some(Ok(more)), Some(Ok(later)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(D::Error::custom("a run of numbers has three numbers"));
        };
        let first = end.wrapping_add(distance);
        (end, time) = (first.wrapping_add(more), time.wrapping_add(later));
        runs.insert(first, (end, time));
    }
    Ok(runs)
}
