//! What activities tell together: retry chains, traces, health. Pure functions over the model.

mod chain;
mod health;
mod trace;

pub use chain::{Basis, Chain};
pub use health::{Health, HealthState, Reading, SystemHealth};
pub use trace::{Node, Trace};
