//! What activities tell together: retry chains, traces, health, figures. Pure functions over the model.

mod chain;
mod figures;
mod health;
mod trace;

pub use chain::{Basis, Chain};
pub use figures::Latencies;
pub use health::{Health, HealthState, Reading, SystemHealth};
pub use trace::{Node, Trace};
