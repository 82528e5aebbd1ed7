//! What is asked of activities, and what they mean.
//!
//! - [`store`]: what is in memory: columns, distinct texts, a filtered view.
//! - [`insight`]: chains, traces, health, comparisons, alert rules. Pure functions.
//! - [`outline`]: documents laid out over their text, for bodies of any size.

pub mod insight;
pub mod outline;
pub mod store;
