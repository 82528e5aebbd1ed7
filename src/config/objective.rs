//! `[[objective]]` entries: which share of some activities shall be good.

use crosstail_engine::insight::objective::Objective;
use schemars::JsonSchema;
use serde::Deserialize;

/// One `[[objective]]` of the configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveEntry {
    /// Name, unique in the configuration.
    pub name: String,
    /// The activities that it is about; all if left out.
    #[serde(default)]
    pub filter: String,
    /// Which of them are good.
    pub good: String,
    /// The share that shall be good: `99.9 %`.
    pub target: String,
    /// The time over which it shall be: `30d`.
    #[serde(default = "thirty_days")]
    pub window: String,
}

fn thirty_days() -> String {
    "30d".to_owned()
}

impl ObjectiveEntry {
    /// The objective.
    ///
    /// # Errors
    /// The key of what is wrong, and what to write instead.
    pub fn objective(&self) -> Result<Objective, (&'static str, String)> {
        Objective::new(&self.name, (&self.filter, &self.good), &self.target, &self.window)
    }
}
