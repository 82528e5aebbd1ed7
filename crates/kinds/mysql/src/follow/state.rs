//! What a position holds, and how it is made.

use super::numbers::Numbers;
use super::rows::undated;
use super::sums::{self, Sums};
use super::tiers::{DAY, TIERS};
use crate::connection::{ReadTransaction, Reader};
use crate::mapping::Mapping;
use crosstail_source::Position;
use crosstail_source::sql::Sql;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use std::collections::BTreeMap;

/// A table with more rows than this is not compared from end to end, nor its whole day before it is followed.
const SMALL: i64 = 200_000;

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
