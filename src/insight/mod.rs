//! What activities tell together: retry chains, traces, health, what configuration explains. Pure functions over the model.

mod chain;
mod explain;
mod flow;
mod health;
mod trace;

pub use chain::{Basis, Chain};
pub use explain::{Policy, attempt, codes, describe_mapping, expression, transform};
pub use flow::{Stage, stages};
pub use health::{Health, Reading, SystemHealth};
pub use trace::{Node, Trace};
