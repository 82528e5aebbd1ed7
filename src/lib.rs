//! The program `crosstail`: one terminal screen over every store that your integrations log into. What it stands on are
//! the crates of `crates/`; `ARCHITECTURE.md` has the map.
//!
//! - [`kinds`]: the kinds of source in this build.
//! - [`config`]: settings.
//! - [`app`]: state, and `update(state, event) → effects`, which never waits; [`runtime`] carries effects out.
//! - [`tui`]: the terminal; [`watch`]: the rules without a screen; [`cli`]: the command line.

pub mod app;
pub mod cli;
pub mod config;
pub mod kinds;
pub mod runtime;
pub mod tui;
#[cfg(feature = "watch")]
pub mod watch;
