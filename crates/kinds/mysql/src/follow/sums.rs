//! Sums of versions by spans of time, and which spans changed.

use super::tiers::TIERS;
use crate::aggregate::floored;
use crate::connection::ReadTransaction;
use crate::mapping::Mapping;
use crosstail_core::model::Timestamp;
use crosstail_source::sql::Sql;
use sqlx::Row as _;
use std::collections::BTreeMap;

/// The sum of each span, by its beginning.
pub(super) type Sums = BTreeMap<i64, i64>;

/// Rows whose versions are read at a time, about.
const ROWS: i64 = 50_000;

/// What the server added up.
pub(super) struct Found {
    /// From when on.
    pub(super) from_us: i64,
    span_us: i64,
    /// By its beginning: the sum of a span, and its rows.
    spans: BTreeMap<i64, (i64, i64)>,
}

/// Neighbouring spans.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from_us: i64,
    pub(super) until_us: i64,
    rows: i64,
}

impl Span {
    pub(super) fn condition(&self, mapping: &Mapping) -> Sql {
        let bounds =
            vec![mapping.time_is(">=", Timestamp(self.from_us)), mapping.time_is("<", Timestamp(self.until_us))];
        Sql::join(bounds, " AND ")
    }
}

/// Adds up what a tier covers, seen from a moment, and everything after it. `BIT_XOR` depends on no order.
pub(super) async fn read(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    tier: usize,
    time_us: i64,
) -> Result<Found, sqlx::Error> {
    let tier = &TIERS[tier];
    let from = (time_us - tier.back_us).div_euclid(tier.span_us) * tier.span_us;
    let span = floored(&mapping.time_us(), tier.span_us);
    let mut sql = Sql::raw(format!(
        "SELECT CAST({span} AS SIGNED), CAST(BIT_XOR({}) AS SIGNED), COUNT(*) FROM {} t WHERE ",
        mapping.version(),
        mapping.relation.sql
    ));
    sql.append("", &mapping.timed(true));
    sql.append(" AND ", &mapping.time_is(">=", Timestamp(from)));
    sql.push(" GROUP BY 1", []);
    let mut spans = BTreeMap::new();
    for row in reading.fetch(sql).await? {
        if let Some(span) = row.try_get_unchecked::<Option<i64>, _>(0)? {
            spans.insert(span, (row.try_get_unchecked(1)?, row.try_get_unchecked(2)?));
        }
    }
    Ok(Found { from_us: from, span_us: tier.span_us, spans })
}

impl Found {
    pub(super) fn sums(&self) -> Sums {
        self.spans.iter().map(|(span, (sum, _))| (*span, *sum)).collect()
    }

    /// The spans that are not as they were, and those that are, the newest first. Without sums of before all are.
    pub(super) fn compare(&self, before: Option<&Sums>) -> (Vec<Span>, Vec<Span>) {
        let (mut changed, mut same): (Vec<Span>, Vec<Span>) = (Vec::new(), Vec::new());
        for (from, (sum, rows)) in self.spans.iter().rev() {
            let is_same = before.is_none_or(|before| before.get(from) == Some(sum));
            let list = if is_same { &mut same } else { &mut changed };
            match list.last_mut() {
                Some(last) if last.from_us == from + self.span_us && last.rows + rows <= ROWS => {
                    last.from_us = *from;
                    last.rows += rows;
                }
                _ => list.push(Span { from_us: *from, until_us: from + self.span_us, rows: *rows }),
            }
        }
        (changed, same)
    }
}

/// So many of the newest spans that they have about so many rows.
pub(super) fn learnable(spans: &[Span], rows: i64) -> impl Iterator<Item = &Span> {
    spans.iter().scan(0, move |sum, span| {
        *sum += span.rows;
        (*sum <= rows).then_some(span)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_changed_are_told_from_those_that_did_not() {
        let spans = [(0, (1, 10)), (5, (2, 20)), (10, (3, 30)), (20, (4, 40_000)), (25, (5, 20_000))];
        let found = Found { from_us: 0, span_us: 5, spans: BTreeMap::from(spans) };
        let span = |from_us, until_us, rows| Span { from_us, until_us, rows };
        let (changed, same) = found.compare(Some(&BTreeMap::from([(0, 1), (5, 9), (20, 4)])));
        assert_eq!(changed, [span(25, 30, 20_000), span(5, 15, 50)]);
        assert_eq!(same, [span(20, 25, 40_000), span(0, 5, 10)]);
        let (changed, same) = found.compare(None);
        assert!(changed.is_empty());
        assert_eq!(same, [span(25, 30, 20_000), span(20, 25, 40_000), span(0, 15, 60)], "not too many at a time");
        assert_eq!(learnable(&same, 60_000).count(), 2);
    }
}
