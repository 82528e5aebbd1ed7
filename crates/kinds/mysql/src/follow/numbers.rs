//! Numbers that the server gives: what is above the highest is new, and one that is missing may be of a transaction that
//! is still open. It may also be of one that was rolled back, of a row that was refused as a duplicate, or of a step
//! between nodes of a cluster, and never come: nothing tells these apart, so each is asked for by name for an hour.

use super::rows::RowVersion;
use crate::connection::ReadTransaction;
use crate::mapping::Mapping;
use crate::relation::name;
use crosstail_core::number::saturating_i64;
use crosstail_source::sql::Sql;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

/// How long a missing number can come.
const PATIENCE_US: i64 = 3_600_000_000;
/// Ranges of missing numbers at most. Where there are more, neighbours become one, with the rows between them.
const GAPS: usize = 400;
/// Numbers below the highest that are looked at for gaps at the beginning.
const LOOKED_AT: i64 = 10_000;
/// New rows read at a time.
const ROWS: i64 = 50_000;

/// Numbers from one to another that are missing, since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Gap(i64, i64, i64);

/// What is known of a table's numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbers {
    highest: i64,
    gaps: Vec<Gap>,
}

/// The column that the server numbers.
fn column(mapping: &Mapping) -> Option<String> {
    mapping.relation.numbered().map(|column| format!("t.{}", name(&column.name)))
}

impl Numbers {
    /// How they are now; none of a table without numbers.
    pub(super) async fn now(
        reading: &mut ReadTransaction,
        mapping: &Mapping,
        time_us: i64,
    ) -> Result<Option<Self>, sqlx::Error> {
        let Some(column) = column(mapping) else { return Ok(None) };
        let Some(highest) = highest(reading, mapping, &column).await? else { return Ok(Some(Self::default())) };
        let mut numbers = Self { highest: (highest - LOOKED_AT).max(0), gaps: Vec::new() };
        let table = &mapping.relation.sql;
        let sql = Sql::raw(format!(
            "SELECT CAST({column} AS SIGNED) FROM {table} t WHERE {column} > {} ORDER BY {column}",
            numbers.highest
        ));
        for row in reading.fetch(sql).await? {
            numbers.pass(row.try_get_unchecked(0)?, time_us);
        }
        numbers.settle(time_us);
        Ok(Some(numbers))
    }

    /// The rows that are new, and those that were missing.
    pub(super) async fn read(
        &mut self,
        reading: &mut ReadTransaction,
        mapping: &Mapping,
        time_us: i64,
    ) -> Result<Vec<RowVersion>, sqlx::Error> {
        let Some(column) = column(mapping) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        if !self.gaps.is_empty() {
            let one = |gap: &Gap| match gap {
                Gap(from, until, _) if from == until => format!("{column} = {from}"),
                Gap(from, until, _) => format!("{column} BETWEEN {from} AND {until}"),
            };
            let ranges: Vec<String> = self.gaps.iter().map(one).collect();
            let rows = rows(reading, mapping, &column, &format!("({})", ranges.join(" OR "))).await?;
            for (number, version) in rows {
                self.fill(number);
                found.push(version);
            }
        }
        loop {
            let condition = format!("{column} > {}", self.highest);
            let rows = rows(reading, mapping, &column, &format!("{condition} ORDER BY {column} LIMIT {ROWS}")).await?;
            let full = saturating_i64(rows.len()) == ROWS;
            for (number, version) in rows {
                self.pass(number, time_us);
                found.push(version);
            }
            if !full {
                break;
            }
        }
        if found.is_empty() && highest(reading, mapping, &column).await?.unwrap_or(0) < self.highest {
            // The table was emptied, or its newest rows were deleted: numbers may begin again.
            *self = Self::now(reading, mapping, time_us).await?.unwrap_or_default();
        }
        self.settle(time_us);
        Ok(found)
    }

    /// A number that is above the highest.
    fn pass(&mut self, number: i64, time_us: i64) {
        if number > self.highest + 1 {
            self.gaps.push(Gap(self.highest + 1, number - 1, time_us));
        }
        self.highest = self.highest.max(number);
    }

    /// A number that is missing no more.
    fn fill(&mut self, number: i64) {
        let Some(at) = self.gaps.iter().position(|Gap(from, until, _)| (*from..=*until).contains(&number)) else {
            return;
        };
        let Gap(from, until, since) = self.gaps.remove(at);
        let rest = [Gap(from, number - 1, since), Gap(number + 1, until, since)];
        self.gaps.splice(at..at, rest.into_iter().filter(|Gap(from, until, _)| from <= until));
    }

    /// Drops what will not come, and joins neighbours where there are too many gaps.
    fn settle(&mut self, time_us: i64) {
        self.gaps.retain(|Gap(_, _, since)| time_us - since < PATIENCE_US);
        while self.gaps.len() > GAPS {
            let pairs = self.gaps.chunks(2).map(|pair| match pair {
                [Gap(from, ..), Gap(_, until, since)] => Gap(*from, *until, *since),
                [one, ..] => *one,
                [] => Gap(0, 0, 0),
            });
            self.gaps = pairs.collect();
        }
    }
}

async fn highest(reading: &mut ReadTransaction, mapping: &Mapping, column: &str) -> Result<Option<i64>, sqlx::Error> {
    let sql = Sql::raw(format!("SELECT CAST(MAX({column}) AS SIGNED) FROM {} t", mapping.relation.sql));
    reading.fetch(sql).await?.first().map_or(Ok(None), |row| row.try_get_unchecked(0))
}

async fn rows(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    column: &str,
    condition: &str,
) -> Result<Vec<(i64, RowVersion)>, sqlx::Error> {
    let select = mapping.select_versions(&format!(", CAST({column} AS SIGNED)"));
    let sql = Sql::raw(format!("{select} WHERE {condition}"));
    let rows = reading.fetch(sql).await?;
    rows.iter().map(|row| Ok((row.try_get_unchecked(3)?, RowVersion::of(row)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_numbers_are_remembered_until_they_come() {
        let mut numbers = Numbers { highest: 10, gaps: Vec::new() };
        for number in [11, 15, 16, 18] {
            numbers.pass(number, 7);
        }
        assert_eq!(numbers.gaps, [Gap(12, 14, 7), Gap(17, 17, 7)]);
        numbers.fill(13);
        numbers.fill(17);
        numbers.fill(16);
        assert_eq!(numbers.gaps, [Gap(12, 12, 7), Gap(14, 14, 7)]);
        numbers.settle(PATIENCE_US + 6);
        assert_eq!(numbers.gaps.len(), 2);
        numbers.settle(PATIENCE_US + 7);
        assert!(numbers.gaps.is_empty());
        // A cluster whose nodes number in steps: neighbours become one, and none is lost.
        for step in 1..2000 {
            numbers.pass(18 + 3 * step, 9);
        }
        numbers.settle(10);
        assert!(numbers.gaps.len() <= GAPS);
        let holds = |n: i64| numbers.gaps.iter().any(|Gap(from, until, _)| (*from..=*until).contains(&n));
        assert!((1..2000).all(|step| holds(17 + 3 * step)));
    }
}
