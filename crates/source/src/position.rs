//! The position at which following resumes.

use serde::{Deserialize, Serialize};

/// Where following resumes. It can be stored as JSON; only the kind that made it can interpret it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position(serde_json::Value);

impl Position {
    /// Wraps a kind's own state. [`Position::read`] cannot read state that JSON cannot represent.
    pub fn new(state: impl Serialize) -> Self {
        Self(serde_json::to_value(state).unwrap_or_default())
    }

    /// The kind's own state; `None` where another kind, or another version of the kind, made it.
    pub fn read<T: for<'de> Deserialize<'de>>(&self) -> Option<T> {
        serde_json::from_value(self.0.clone()).ok()
    }
}
