//! Where following resumes.

use super::connection::Reader;
use super::mapping::Mapping;
use super::shape::{Shape, shape};
use super::tables::Tables;
use crosstail_source::Position;
use crosstail_source::sql::Sql;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use std::collections::BTreeMap;

/// The ranges of time that are read at different paces.
pub(super) const TIER_COUNT: usize = 4;

/// Where following resumes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ResumePoint {
    /// For each tier: every version written by a transaction older than this one has been delivered.
    pub(super) horizons: [i64; TIER_COUNT],
    /// The server's time at that moment, in microseconds since the epoch.
    pub(super) time_us: i64,
    /// How each table was, by its name in SQL.
    #[serde(default)]
    pub(super) tables: BTreeMap<String, TableResumePoint>,
}

/// How a table was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TableResumePoint {
    /// Its file: another one where it was written anew.
    pub(super) file: String,
    /// The newest time of its rows in microseconds, where an index knows it; of an empty table the least there is.
    pub(super) newest_us: Option<i64>,
}

impl TableResumePoint {
    /// Takes notice of the time of a row.
    pub(super) fn passes(&mut self, at: Option<i64>) {
        self.newest_us = self.newest_us.map(|newest| newest.max(at.unwrap_or(i64::MIN)));
    }
}

impl ResumePoint {
    /// From when on the rows of a table are new, where it was written anew since.
    pub(super) fn new_since(&self, mapping: &Mapping) -> i64 {
        let newest = self.tables.get(&mapping.relation.sql).and_then(|table| table.newest_us);
        newest.map_or(self.time_us, |newest| self.time_us.min(newest.saturating_add(1)))
    }
}

/// The horizon and the time of a new snapshot.
pub(super) async fn now(reader: Reader<'_>) -> Result<ResumePoint, sqlx::Error> {
    let mut reading = reader.read().await?;
    let row = sqlx::query(
        "SELECT txid_snapshot_xmin(txid_current_snapshot()), (extract(epoch FROM clock_timestamp()) * 1000000)::int8",
    )
    .persistent(false)
    .fetch_one(reading.on()?)
    .await?;
    reading.end().await?;
    Ok(ResumePoint { horizons: [row.try_get(0)?; TIER_COUNT], time_us: row.try_get(1)?, tables: BTreeMap::new() })
}

/// The present moment, and how the tables are.
pub(super) async fn here(
    reader: Reader<'_>,
    Tables { mappings, watched, .. }: &Tables,
) -> Result<ResumePoint, sqlx::Error> {
    let shape = shape(reader, watched).await?;
    let mut tables = BTreeMap::new();
    for mapping in mappings.iter().filter(|mapping| mapping.relation.versioned) {
        tables.insert(mapping.relation.sql.clone(), table(reader, &shape, mapping).await?);
    }
    // Last, so that nothing is taken for known that a snapshot has not seen.
    Ok(ResumePoint { tables, ..now(reader).await? })
}

/// How a table is.
pub(super) async fn table(
    reader: Reader<'_>,
    shape: &Shape,
    mapping: &Mapping,
) -> Result<TableResumePoint, sqlx::Error> {
    let file = shape.file(mapping).unwrap_or_default().to_owned();
    Ok(TableResumePoint { file, newest_us: newest(reader, mapping).await? })
}

pub(super) async fn position(reader: Reader<'_>, tables: &Tables) -> Result<Position, sqlx::Error> {
    Ok(Position::new(here(reader, tables).await?))
}

/// The newest time in a table, where an index has it.
async fn newest(reader: Reader<'_>, mapping: &Mapping) -> Result<Option<i64>, sqlx::Error> {
    let time = &mapping.time;
    if !time.is_exact() || !mapping.relation.is_indexed(&mapping.table.time) {
        return Ok(None);
    }
    let sql = format!(
        "SELECT {} FROM {} t WHERE {} ORDER BY {} DESC LIMIT 1",
        time.us(),
        mapping.relation.sql,
        time.dated(),
        time.order()
    );
    let mut reading = reader.read().await?;
    let rows = reading.fetch(Sql::raw(sql)).await?;
    reading.end().await?;
    rows.first().map_or(Ok(Some(i64::MIN)), |row| row.try_get(0))
}
