//! The table of a schema, as `[table]` describes it.

use super::definition::Paths;
use chrono_tz::Tz;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A table and how it is followed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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

    /// The table's own name, without its schema.
    pub fn short_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

/// How a table stores times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
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
