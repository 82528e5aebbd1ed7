//! The table of a schema, as `[table]` describes it.

use crate::model::Timestamp;
use chrono::{DateTime, Offset as _, TimeZone as _};
use chrono_tz::Tz;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One path or several alternatives.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Paths {
    /// `"timestamp"`
    One(String),
    /// `["timestamp", "time"]`
    Many(Vec<String>),
}

impl Paths {
    /// The paths in order of preference.
    pub fn list(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// A table and how it is followed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Name of a table, collection or topic; pattern of indices.
    pub name: String,
    /// The kinds of store that have it. Empty: every kind that is a database.
    #[serde(default)]
    pub stores: Vec<String>,
    /// The columns that are unique together.
    pub id: Key,
    /// The column of the start time.
    pub time: String,
    /// A column that grows with every insert and update, if the table has one.
    pub revision: Option<String>,
    /// How `time` is stored: `us`, `ms` or `s` since the epoch, or `text`.
    #[serde(default)]
    pub time_unit: TimeUnit,
    /// The zone of times that are stored without one, for example `America/New_York`; UTC where there is none.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// Name → a row of another table. `NAME.column` in `[fields]` reads from that row.
    #[serde(default)]
    pub lookup: BTreeMap<String, Lookup>,
}

/// The columns of a key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(from = "Paths")]
pub struct Key(Vec<String>);

impl From<Paths> for Key {
    fn from(paths: Paths) -> Self {
        Self(paths.list().to_vec())
    }
}

impl From<&str> for Key {
    fn from(column: &str) -> Self {
        Self(vec![column.to_owned()])
    }
}

impl Key {
    /// The columns, at least one.
    pub fn columns(&self) -> &[String] {
        &self.0
    }

    /// The first column.
    pub fn as_str(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}

/// The moment near a local time at which the clocks of a zone jump.
fn jump(zone: Tz, local_us: i64) -> i64 {
    const DAY_US: i64 = 86_400_000_000;
    let offset = |us: i64| zone.offset_from_utc_datetime(&Timestamp(us).utc().naive_utc()).fix().local_minus_utc();
    let (mut before, mut after) = (local_us - DAY_US, local_us + DAY_US);
    let first = offset(before);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if offset(middle) == first {
            before = middle;
        } else {
            after = middle;
        }
    }
    after
}

/// A kind of store, as `[table] stores` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreKind {
    /// Name in schemas, for example `postgres`.
    pub name: &'static str,
    /// Whether it has the tables whose schema names no store.
    pub is_database: bool,
}

/// Finds a row of another table: the one whose `key` equals this row's `by`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The other table.
    pub table: String,
    /// Key column of the other table.
    pub key: String,
    /// The column of this table that holds the key.
    pub by: String,
}

impl Table {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.id.as_str().is_empty() {
            return Err("[table] id: name the column of the key, or all of its columns".to_owned());
        }
        match &self.time_zone {
            Some(zone) if zone.parse::<Tz>().is_err() => {
                Err(format!("[table] time_zone = \"{zone}\": no such zone; write one such as Europe/Berlin"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a kind of store has the table.
    pub fn is_in(&self, kind: StoreKind) -> bool {
        match self.stores.as_slice() {
            [] => kind.is_database,
            stores => stores.iter().any(|store| store == kind.name),
        }
    }

    /// The zone of times that are stored without one.
    pub fn zone(&self) -> Tz {
        self.time_zone.as_deref().and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
    }

    /// Whether its times without a zone are in one that is not UTC.
    pub fn is_local(&self) -> bool {
        self.zone() != Tz::UTC
    }

    /// The moment of a time of the table's zone, which is given as if it were in UTC. A time that does not exist, in spring,
    /// is the moment at which the clocks jump; of one that comes twice, in autumn, it is the first.
    pub fn moment_of(&self, local_us: i64) -> Timestamp {
        let Some(local) = DateTime::from_timestamp_micros(local_us).map(|at| at.naive_utc()) else {
            return Timestamp(local_us);
        };
        let zone = self.zone();
        let found = zone.from_local_datetime(&local).earliest().map(|at| at.timestamp_micros());
        Timestamp(found.unwrap_or_else(|| jump(zone, local_us)))
    }

    /// What a clock in the table's zone shows at a moment, as if it were in UTC.
    pub fn local_of(&self, at: Timestamp) -> i64 {
        self.zone().from_utc_datetime(&at.utc().naive_utc()).naive_local().and_utc().timestamp_micros()
    }

    /// The table's own name, without its schema.
    pub fn short_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

/// How a table stores times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Microseconds since the epoch.
    #[default]
    Us,
    /// Milliseconds since the epoch.
    Ms,
    /// Seconds since the epoch.
    S,
    /// RFC 3339 text in UTC, with the same number of digits throughout.
    Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_become_moments_in_their_order() {
        let table = Table {
            name: "calls".to_owned(),
            stores: Vec::new(),
            id: "id".into(),
            time: "at".to_owned(),
            revision: None,
            time_unit: TimeUnit::Us,
            time_zone: Some("America/New_York".to_owned()),
            lookup: BTreeMap::new(),
        };
        let local = |text: &str| crate::model::parse_timestamp(text).expect(text).0;
        assert_eq!(table.moment_of(local("2026-07-01T12:00:00")).rfc3339(), "2026-07-01T16:00:00.000Z");
        assert_eq!(table.moment_of(local("2026-01-15T12:00:00")).rfc3339(), "2026-01-15T17:00:00.000Z");
        let mut last = Timestamp(i64::MIN);
        // Over the jumps of spring and of autumn.
        for day in ["2026-03-08T00:00:00", "2026-11-01T00:00:00"] {
            for minute in 0..300 {
                let at = table.moment_of(local(day) + minute * 60_000_000);
                assert!(at >= last, "{day} {minute}");
                last = at;
            }
            last = Timestamp(i64::MIN);
        }
        let at = table.moment_of(local("2026-07-01T12:00:00"));
        assert_eq!(table.local_of(at), local("2026-07-01T12:00:00"));
    }
}
