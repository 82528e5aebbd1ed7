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
    /// How `time` is stored: `us`, `ms`, `s` or `ns` since the epoch, or `text`.
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
    /// Nanoseconds since the epoch.
    Ns,
    /// RFC 3339 text in UTC, with the same number of digits throughout.
    Text,
    /// Digits of a date and a time, `20261127101432`, which are no time since the epoch.
    #[serde(skip)]
    Digits,
}

impl TimeUnit {
    /// The unit of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "us" => Self::Us,
            "ms" => Self::Ms,
            "s" => Self::S,
            "ns" => Self::Ns,
            "text" => Self::Text,
            _ => return None,
        })
    }

    /// Its name in `[table]`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Ms => "ms",
            Self::S => "s",
            Self::Ns => "ns",
            Self::Text => "text",
            Self::Digits => "digits",
        }
    }

    /// Microseconds of one; `None` where a microsecond has several.
    pub const fn us(self) -> Option<i64> {
        match self {
            Self::Us | Self::Digits => Some(1),
            Self::Ms => Some(1000),
            Self::S | Self::Text => Some(1_000_000),
            Self::Ns => None,
        }
    }

    /// SQL for a number of the unit in microseconds; of nanoseconds with a fraction.
    pub fn to_us(self, number: &str) -> String {
        match self.us() {
            Some(us) => format!("{number} * {us}"),
            None => format!("{number} / 1000"),
        }
    }

    /// The numbers that are times, those of the years 1 to 9999: the first of them, and the first beyond. Nanoseconds reach from
    /// 1684 to 2255, with room for a sum.
    pub const fn bounds(self) -> (i64, i64) {
        const NANOS: i64 = 9_000_000_000_000_000_000;
        if matches!(self, Self::Digits) {
            return (0, 0);
        }
        match self.us() {
            Some(us) => (Timestamp::FIRST.0 / us, Timestamp::BEYOND.0 / us),
            None => (-NANOS, NANOS),
        }
    }

    /// Microseconds in the unit, as a number is written: a division would round it.
    pub fn written(self, us: i64) -> String {
        let sign = if us < 0 { "-" } else { "" };
        let size = us.unsigned_abs();
        match self {
            Self::Us | Self::Digits => us.to_string(),
            Self::Ns => (i128::from(us) * 1000).to_string(),
            Self::Ms => format!("{sign}{}.{:03}", size / 1000, size % 1000),
            Self::S | Self::Text => format!("{sign}{}.{:06}", size / 1_000_000, size % 1_000_000),
        }
    }

    /// The unit that numbers have of which this is the largest, where this one gives no time of this century.
    pub fn corrected(self, largest: f64) -> Option<Self> {
        let digits = || are_digits(largest).then_some(Self::Digits);
        super::epoch_unit_of(largest).and_then(Self::parse).or_else(digits).filter(|found| *found != self)
    }
}

/// Whether a number is the digits of a date of this century, `20261127`, or of a date and a time.
fn are_digits(number: f64) -> bool {
    const CLOCK: f64 = 1e6;
    let (date, clock) = if number >= 1e13 { (number / CLOCK, number % CLOCK) } else { (number, 0.0) };
    let part = |number: f64, unit: f64| (number / unit).floor() % 100.0;
    let is_date = (20_000_101.0..21_000_000.0).contains(&date.floor())
        && (1.0..=12.0).contains(&part(date, 100.0))
        && (1.0..=31.0).contains(&part(date, 1.0));
    is_date && part(clock, 1e4) < 24.0 && part(clock, 100.0) < 60.0 && part(clock, 1.0) < 60.0
}

/// What is said of a unit that was corrected.
pub fn other_unit(stated: TimeUnit, found: TimeUnit) -> String {
    if found == TimeUnit::Digits {
        return "the numbers of the time column are the digits of dates, such as 20261127101432, and none since the epoch: the rows have no time; \
                name a column of times, or that of a view that makes them"
            .to_owned();
    }
    let (found, stated) = (found.name(), stated.name());
    format!("time_unit: the values are {found} since the epoch, not {stated}; write time_unit = \"{found}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_corrected_by_the_largest_number() {
        for (number, unit) in
            [(1.79e9, TimeUnit::S), (1.79e12, TimeUnit::Ms), (1.79e15, TimeUnit::Us), (1.79e18, TimeUnit::Ns)]
        {
            assert_eq!(TimeUnit::Text.corrected(number), Some(unit));
            assert_eq!(unit.corrected(number), None);
        }
        assert_eq!(TimeUnit::Us.corrected(12.0), None);
        // Digits of a date are none since the epoch, in whatever unit.
        for number in [20_261_127_101_432.0, 20_261_127.0] {
            assert_eq!(TimeUnit::Us.corrected(number), Some(TimeUnit::Digits));
        }
        for number in [20_261_327_101_432.0, 20_261_127_251_432.0, 1_234_567.0] {
            assert_eq!(TimeUnit::Us.corrected(number), None, "{number}");
        }
        let (low, high) = TimeUnit::Digits.bounds();
        assert!(low >= high, "no number is a time");
        let written: Vec<String> =
            [TimeUnit::S, TimeUnit::Ms, TimeUnit::Us, TimeUnit::Ns].map(|unit| unit.written(-1_500_001)).to_vec();
        assert_eq!(written, ["-1.500001", "-1500.001", "-1500001", "-1500001000"]);
    }

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
