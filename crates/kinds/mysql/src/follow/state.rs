//! What a position holds, and how it is made.

use super::numbers::Numbers;
use super::sums::{self, Sums};
use super::survey::{is_small, now};
use super::tiers::{DAY, TIERS};
use super::undated;
use super::unread::leave_out;
use crate::connection::Reader;
use crate::mapping::Mapping;
use crate::one::is_of_data;
use crosstail_source::Position;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

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
    /// The sum of the rows without a time, unless they were not looked at.
    pub(super) undated: Option<i64>,
    pub(super) numbers: Option<Numbers>,
    /// How versions were made: others are not comparable.
    #[serde(default)]
    pub(super) made: u64,
    /// When the table was made.
    #[serde(default)]
    pub(super) created: String,
}

impl TableResumePoint {
    /// How a table is before it has rows.
    fn empty(mapping: &Mapping) -> Self {
        let numbers = mapping.relation.numbered().map(|_| Numbers::default());
        let sums = [const { Some(Sums::new()) }; TIERS.len()];
        Self { sums, undated: Some(0), numbers, made: made(mapping), created: mapping.relation.created.clone() }
    }
}

/// How the versions of a table are made.
pub(super) fn made(mapping: &Mapping) -> u64 {
    let mut hasher = DefaultHasher::new();
    (mapping.version(), mapping.time_us(), mapping.types()).hash(&mut hasher);
    hasher.finish()
}

/// A position before every row of the tables that it does not know.
pub(crate) fn with_new(position: Position, mappings: &[Mapping]) -> Position {
    let Some(mut at) = position.read::<ResumePoint>() else { return position };
    for mapping in mappings {
        at.tables.entry(mapping.table.name.clone()).or_insert_with(|| TableResumePoint::empty(mapping));
    }
    Position::new(at)
}

pub(crate) async fn position(reader: Reader<'_>, mappings: &[Mapping]) -> Result<Position, sqlx::Error> {
    Ok(Position::new(now_at(reader, mappings).await?))
}

/// How all is now, as far as it can be read.
pub(super) async fn now_at(reader: Reader<'_>, mappings: &[Mapping]) -> Result<ResumePoint, sqlx::Error> {
    match at(reader, mappings).await {
        Err(error) if is_of_data(&error) && !leave_out(reader, mappings).await?.is_empty() => {
            at(reader, mappings).await
        }
        found => found,
    }
}

async fn at(reader: Reader<'_>, mappings: &[Mapping]) -> Result<ResumePoint, sqlx::Error> {
    let mut reading = reader.read().await?;
    let time_us = now(&mut reading).await?;
    let mut tables = BTreeMap::new();
    for mapping in mappings {
        let mut table = TableResumePoint {
            numbers: Numbers::now(&mut reading, mapping, time_us).await?,
            made: made(mapping),
            created: mapping.relation.created.clone(),
            ..TableResumePoint::default()
        };
        for (tier, sums) in table.sums.iter_mut().enumerate() {
            if tier < DAY || is_small(mapping) {
                *sums = Some(sums::read(&mut reading, mapping, tier, time_us).await?.sums());
            }
        }
        table.undated = undated::sum(&mut reading, mapping).await?.map(|(_, sum)| sum);
        tables.insert(mapping.table.name.clone(), table);
    }
    reading.end().await?;
    Ok(ResumePoint { time_us, tables })
}
