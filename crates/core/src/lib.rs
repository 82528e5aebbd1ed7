//! The core of crosstail, without screen, stores or tasks: the activity, the filter language, and the mapping of a
//! store's fields.
//!
//! - [`model`]: an activity, its payload, ids, time, redaction, visible text. Data only.
//! - [`number`]: conversions between number types that saturate.
//! - [`filter`]: the filter language. Its local evaluator defines what every source must return.
//! - [`mask`]: texts without what varies in them, and templates of such texts.
//! - [`schema`]: maps a store's fields to an activity.
//! - [`withheld`]: what a user hides in the records of a source.

#![warn(missing_docs)]

pub mod filter;
pub mod mask;
pub mod model;
pub mod number;
pub mod schema;
pub mod withheld;
