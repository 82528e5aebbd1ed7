//! crosstail: one terminal screen over every store that your integrations log into.
//!
//! The map, in the order of dependence (a module uses only those above it):
//!
//! - [`model`]: what an activity is. Data only.
//! - [`filter`]: the filter language; its local evaluator is the definition.

pub mod filter;
pub mod model;
pub mod record;
pub mod schema;
pub mod source;
pub mod store;
