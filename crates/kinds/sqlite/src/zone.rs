//! Times of a zone that the schema names. SQLite knows no zones: the offsets of the zone are written into the expression.

use crosstail_core::model::{Timestamp, parse_timestamp};
use crosstail_core::schema::Table;

const DAY_US: i64 = 86_400_000_000;
/// The years whose changes of the clocks are known: 1970 to 2037. Before and after, the nearest offset holds.
const DAYS: i64 = 24_837;

/// How far the clocks of a table's zone are ahead of UTC, in microseconds: until which local time, and how far.
fn offsets(table: &Table) -> Vec<(i64, i64)> {
    let ahead = |us: i64| table.local_of(Timestamp(us)) - us;
    let mut found = Vec::new();
    let mut last = ahead(0);
    for day in 0..DAYS {
        let (mut before, mut after) = (day * DAY_US, (day + 1) * DAY_US);
        let next = ahead(after);
        if next == last {
            continue;
        }
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if ahead(middle) == last { before = middle } else { after = middle }
        }
        // A time that comes twice is the first; one that does not come is as if the clocks had not changed yet.
        found.push((after + last.max(next), last));
        last = next;
    }
    found.push((i64::MAX, last));
    found
}

/// The moment of a local time in microseconds, as SQL.
pub(super) fn moment_of(table: &Table, local: &str) -> String {
    let offset = search(&offsets(table));
    format!("(SELECT crosstail_local - ({offset}) FROM (SELECT {local} AS crosstail_local))")
}

/// A search by halves.
fn search(offsets: &[(i64, i64)]) -> String {
    match offsets {
        [] => "0".to_owned(),
        [(_, ahead)] => ahead.to_string(),
        several => {
            let (first, second) = several.split_at(several.len() / 2);
            let until = first.last().map_or(0, |(until, _)| *until);
            format!("CASE WHEN crosstail_local < {until} THEN {} ELSE {} END", search(first), search(second))
        }
    }
}

/// SQL for whether a text says its zone.
pub(super) fn has_zone(column: &str) -> String {
    format!("({column} GLOB '*[Zz]' OR substr({column}, 11) GLOB '*[+-][0-9][0-9]:[0-9][0-9]')")
}

/// The moment of a text without a zone; `None` where it has one, or is no time.
pub(super) fn local_moment(table: &Table, text: &str) -> Option<Timestamp> {
    let behind_date = text.get(10..)?;
    let is_local = text.get(4..5) == Some("-") && !behind_date.contains(['Z', 'z', '+', '-']);
    let at = parse_timestamp(text).filter(|_| is_local)?;
    Some(table.moment_of(at.0))
}
