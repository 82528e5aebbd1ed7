//! Whether addresses on the screen are links of the terminal.

use schemars::JsonSchema;
use serde::Deserialize;

/// Whether addresses on the screen are links of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Hyperlinks {
    /// Where the terminal is known to understand them.
    #[default]
    Auto,
    On,
    Off,
}
