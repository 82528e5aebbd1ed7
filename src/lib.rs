//! The program `crosstail`: a terminal explorer for the logs of integrations. It is built on the crates in `crates/`;
//! `ARCHITECTURE.md` has the map.
//!
//! - [`kinds`]: the kinds of source in this build.
//! - [`config`]: settings, and where each came from.
//! - [`screens`]: what is shown and what keys mean, which never waits; [`effect`]: what they ask; [`runtime`] does it.
//! - [`explain`]: the codes of errors; [`absent`]: what is not there, in words.
//! - [`ingest`]: the events of sources into memory.
//! - [`tui`]: the terminal; [`watch`]: alert rules without a screen; [`cli`]: the command line.

pub mod absent;
pub mod action;
pub mod cli;
pub mod config;
pub mod effect;
pub mod explain;
pub mod ingest;
pub mod kinds;
pub mod log;
pub mod runtime;
pub mod screens;
pub mod tui;
#[cfg(feature = "watch")]
pub mod watch;
