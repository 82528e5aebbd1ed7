//! Grouping of figures.

use crosstail_core::filter::{Field, value_text};
use crosstail_core::model::{Activity, Figures, Names, Timestamp};
use std::collections::BTreeMap;

/// How figures are grouped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grouping {
    /// By the values of these fields; an absent value is a group of its own.
    pub by: Vec<Field>,
    /// Also by periods of this many microseconds, which start at multiples of it since the epoch.
    pub bucket_us: Option<i64>,
    /// Which figures are wanted.
    pub measures: Measures,
    /// Only what the store counts by itself: an error where it would have to be read.
    pub in_store: bool,
}

/// Which figures are wanted; the others may be left empty. The fewer, the less a store has to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measures {
    /// The number of activities alone.
    Totals,
    /// And how many of them failed, succeeded and are open.
    Outcomes,
    /// And latencies, and means.
    #[default]
    All,
}

/// Identifies a group: one value per field (`None` where it is absent), and the start of the period.
pub type GroupKey = (Vec<Option<String>>, Option<Timestamp>);

/// Figures by group, in order of key.
pub type Groups = BTreeMap<GroupKey, Figures>;

impl Grouping {
    /// Groups by one field.
    pub fn by(field: Field) -> Self {
        Self { by: vec![field], ..Self::default() }
    }

    /// The key of the group that an activity belongs to.
    pub fn key(&self, activity: &Activity, names: &Names) -> GroupKey {
        let values = self.by.iter().map(|field| value_text(activity, *field, names)).collect();
        let bucket = self.bucket_us.map(|us| Timestamp(activity.started_at.0.div_euclid(us) * us));
        (values, bucket)
    }
}

/// A query for figures over a range of time.
#[derive(Debug, Clone, PartialEq)]
pub struct FiguresQuery {
    /// Activities that started before are left out.
    pub since: Timestamp,
    /// Activities that started at this time or later are left out.
    pub until: Timestamp,
    /// How figures are grouped.
    pub grouping: Grouping,
}
