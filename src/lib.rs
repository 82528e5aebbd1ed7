//! crosstail: one terminal screen over every store that your integrations log into.
//!
//! The map, in the order of dependence (a module uses only those above it):
//!
//! - [`model`]: what an activity is. Data only.
//! - [`filter`]: the filter language; its local evaluator is the definition.
//! - [`schema`]: how the fields of a store map to an activity.
//! - [`source`]: reading from stores; [`record`]: writing to them; [`store`]: what is in memory;
//!   [`insight`]: what activities tell together. None of these uses another.
//! - [`export`] (the forms that leave the program) and [`config`] (settings).
//! - [`app`], state and update; [`tui`], the terminal; `watch`, the rules without a screen; [`cli`], the command line.

#![cfg_attr(
    not(all(
        feature = "sqlite",
        feature = "postgres",
        feature = "mongodb",
        feature = "elasticsearch",
        feature = "kafka",
        feature = "watch"
    )),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        reason = "what some kinds share has no user in a build without them"
    )
)]

pub mod app;
pub mod cli;
pub mod config;
pub mod export;
pub mod filter;
pub mod insight;
pub mod model;
pub mod record;
pub mod schema;
pub mod source;
pub mod store;
pub mod tui;
#[cfg(feature = "watch")]
pub mod watch;
