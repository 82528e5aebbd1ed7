//! Acknowledges and resolves alerts that a store holds (the engineering logs), on request only, and records who and
//! when.

use crate::Source;
use anyhow::bail;
use async_trait::async_trait;
use crosstail_core::model::{Names, Place, Timestamp};

/// The new status of an alert, in the words of the engineering logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertStatus {
    /// Somebody takes care of it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl AlertStatus {
    /// The word in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "ACKNOWLEDGED",
            Self::Resolved => "RESOLVED",
        }
    }

    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledging",
            Self::Resolved => "resolving",
        }
    }

    /// Checks that an alert with a status may change to this one; a resolved alert stays resolved.
    pub fn check(self, status: &str) -> anyhow::Result<()> {
        let open = status.eq_ignore_ascii_case("OPEN");
        let taken = status.eq_ignore_ascii_case("ACKNOWLEDGED");
        if open || taken && self == Self::Resolved {
            return Ok(());
        }
        bail!("the alert is already {}", status.to_lowercase());
    }

    /// The fields for when and who.
    pub const fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::Acknowledged => ("acknowledged_at", "acknowledged_by"),
            Self::Resolved => ("resolved_at", "resolved_by"),
        }
    }
}

/// A requested change of an alert.
#[derive(Debug, Clone, Copy)]
pub struct AlertChange<'a> {
    /// Id of the alert.
    pub id: &'a str,
    /// The new status.
    pub to: AlertStatus,
    /// The person who requested it.
    pub by: &'a str,
    /// When it was requested.
    pub at: Timestamp,
}

/// Changes alerts in stores of one kind.
#[async_trait]
pub trait ChangeAlerts: Send + Sync {
    /// Where an alert is in several places, the one with the lowest rank is changed: first a table, which the others
    /// follow, then an index, then a message.
    fn rank(&self) -> u8;

    /// Changes an alert and returns the name of the person who did. A resolved alert does not change.
    async fn change(
        &self,
        url: &str,
        source: &dyn Source,
        names: &Names,
        place: &Place,
        change: AlertChange<'_>,
    ) -> anyhow::Result<String>;
}
