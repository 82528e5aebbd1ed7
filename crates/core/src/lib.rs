//! What crosstail is about, without a screen, a store or a task: the activity, the filter language, and the mapping of a
//! store's fields.
//!
//! - [`model`]: an activity, its payload, ids, time, redaction, visible text. Data only.
//! - [`filter`]: the filter language. Its local evaluator is the definition that every source is held to.
//! - [`schema`]: a store's fields → an activity.

#![warn(missing_docs)]

pub mod filter;
pub mod model;
pub mod schema;
