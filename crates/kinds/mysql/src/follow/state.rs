//! What a position holds, and how it is made.

use super::numbers::Numbers;
use super::sums::{self, Sums};
use crate::connection::{ReadTransaction, Reader};
use crate::mapping::Mapping;
use crate::query::WITHOUT_TIME;
use crosstail_source::Position;
use crosstail_source::sql::Sql;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;
use std::collections::BTreeMap;
use std::time::Duration;

/// A table with more rows than this is not compared from end to end, nor its whole day before it is followed.
const SMALL: i64 = 200_000;

pub(super) struct Tier {
    /// How far back it looks.
    pub(super) back_us: i64,
    pub(super) every: Duration,
    /// The span of time of each sum.
    pub(super) span_us: i64,
}

pub(super) const TIERS: [Tier; 4] = [
    Tier { back_us: 60_000_000, every: Duration::from_secs(1), span_us: 1_000_000 },
    Tier { back_us: 900_000_000, every: Duration::from_secs(15), span_us: 15_000_000 },
    Tier { back_us: 86_400_000_000, every: Duration::from_mins(5), span_us: 300_000_000 },
    Tier { back_us: 3_153_600_000_000_000, every: Duration::from_mins(10), span_us: 86_400_000_000 },
];
pub(super) const DAY: usize = 2;
pub(super) const SWEEP: usize = TIERS.len() - 1;

/// Where following goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ResumePoint {
    /// The server's time then, in microseconds.
    pub(super) time_us: i64,
    /// By name, how each table was.
    pub(super) tables: BTreeMap<String, TableResumePoint>,
}

/// How a table was.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct TableResumePoint {
    /// For each tier, unless it was not compared: the sum of each span.
    pub(super) sums: [Option<Sums>; TIERS.len()],
    /// The sum of the rows without a time.
    pub(super) undated: i64,
    pub(super) numbers: Option<Numbers>,
}

/// The server's time.
pub(super) async fn now(reading: &mut ReadTransaction) -> Result<i64, sqlx::Error> {
    let sql = Sql::raw("SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))");
    reading.fetch(sql).await?.first().map_or(Err(sqlx::Error::RowNotFound), |row| row.try_get_unchecked(0))
}

pub(crate) async fn position(reader: Reader<'_>, mappings: &[Mapping]) -> Result<Position, sqlx::Error> {
    Ok(Position::new(at(reader, mappings).await?))
}

pub(super) async fn at(reader: Reader<'_>, mappings: &[Mapping]) -> Result<ResumePoint, sqlx::Error> {
    let mut reading = reader.read().await?;
    let time_us = now(&mut reading).await?;
    let mut tables = BTreeMap::new();
    for mapping in mappings {
        let mut table = TableResumePoint {
            numbers: Numbers::now(&mut reading, mapping, time_us).await?,
            ..TableResumePoint::default()
        };
        for (tier, sums) in table.sums.iter_mut().enumerate() {
            if tier < DAY || is_small(mapping) {
                *sums = Some(sums::read(&mut reading, mapping, tier, time_us).await?.sums());
            }
        }
        table.undated = undated(&mut reading, mapping).await?.iter().fold(0, |sum, version| sum ^ version.version);
        tables.insert(mapping.table.name.clone(), table);
    }
    reading.end().await?;
    Ok(ResumePoint { time_us, tables })
}

pub(super) fn is_small(mapping: &Mapping) -> bool {
    !mapping.relation.is_view && mapping.relation.rows <= SMALL
}

/// A row's key, version and time.
pub(super) struct RowVersion {
    pub(super) key: String,
    pub(super) version: i64,
    pub(super) time_us: i64,
}

impl RowVersion {
    /// Of a row of [`Mapping::select_versions`].
    pub(super) fn of(row: &MySqlRow) -> Result<Self, sqlx::Error> {
        let time_us = row.try_get_unchecked::<Option<i64>, _>(2)?.unwrap_or(i64::MAX);
        Ok(Self { key: Mapping::key(row)?, version: Mapping::version_of(row)?, time_us })
    }
}

pub(super) async fn versions(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    condition: &Sql,
) -> Result<Vec<RowVersion>, sqlx::Error> {
    let mut sql = Sql::raw(mapping.select_versions(""));
    sql.append(" WHERE ", condition);
    reading.fetch(sql).await?.iter().map(RowVersion::of).collect()
}

/// Rows without a time: usually there are none.
pub(super) async fn undated(reading: &mut ReadTransaction, mapping: &Mapping) -> Result<Vec<RowVersion>, sqlx::Error> {
    if !mapping.time_is_nullable() {
        return Ok(Vec::new());
    }
    let mut condition = mapping.timed(false);
    condition.push(&format!(" LIMIT {WITHOUT_TIME}"), []);
    versions(reading, mapping, &condition).await
}
