//! The in-memory store, and the analysis of activities.
//!
//! - [`store`]: activities in memory: columns, distinct texts, a filtered view.
//! - [`change`]: when figures went to another level.
//! - [`fields`]: which paths occur in payloads.
//! - [`failure`]: failures in groups, and whether a group is new.
//! - [`insight`]: chains, traces, health, comparisons, alert rules, as pure functions.
//! - [`window`]: which time a view is about, and of which times memory holds everything.
//! - [`outline`]: documents laid out over their text, for bodies of any size.
//! - [`pattern`]: what many messages have in common, and where they differ.

pub mod change;
pub mod failure;
pub mod fields;
pub mod insight;
pub mod outline;
pub mod pattern;
pub mod store;
pub mod window;
