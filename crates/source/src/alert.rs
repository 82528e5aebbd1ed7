//! Acknowledging and resolving alerts that a store holds (the engineering logs): only when asked for, with who and when.

use crate::Source;
use anyhow::bail;
use async_trait::async_trait;
use crosstail_core::model::{Names, Place, Timestamp};

/// What an alert is changed to, in the words of the engineering logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertStatus {
    /// Somebody has taken it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl AlertStatus {
    /// As the stores write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "ACKNOWLEDGED",
            Self::Resolved => "RESOLVED",
        }
    }

    /// For people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledging",
            Self::Resolved => "resolving",
        }
    }

    /// Whether an alert of a status may be changed so: what is over stays over.
    pub fn check(self, status: &str) -> anyhow::Result<()> {
        let open = status.eq_ignore_ascii_case("OPEN");
        let taken = status.eq_ignore_ascii_case("ACKNOWLEDGED");
        if open || taken && self == Self::Resolved {
            return Ok(());
        }
        bail!("the alert is {} already", status.to_lowercase());
    }

    /// The fields that say when and who.
    pub const fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::Acknowledged => ("acknowledged_at", "acknowledged_by"),
            Self::Resolved => ("resolved_at", "resolved_by"),
        }
    }
}

/// A change of an alert that was asked for.
#[derive(Debug, Clone, Copy)]
pub struct AlertChange<'a> {
    /// The alert's id.
    pub id: &'a str,
    /// What it is changed to.
    pub to: AlertStatus,
    /// Who asks.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
}

/// Changes alerts in stores of one kind.
#[async_trait]
pub trait ChangeAlerts: Send + Sync {
    /// Which of an alert's places is changed where there are several: the lowest. A table is what the others follow, an
    /// index comes next, a message last.
    fn rank(&self) -> u8;

    /// Changes one; gives the name of who did. An alert that is over stays as it is.
    async fn change(
        &self,
        url: &str,
        source: &dyn Source,
        names: &Names,
        place: &Place,
        change: AlertChange<'_>,
    ) -> anyhow::Result<String>;
}
