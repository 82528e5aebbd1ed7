//! Every test that needs more than one module. One binary: one link.

#![allow(
    clippy::expect_used,
    clippy::large_stack_arrays,
    clippy::unused_async,
    clippy::match_wild_err_arm,
    reason = "tests fail by panicking, with what they waited for"
)]
#![allow(clippy::print_stdout, reason = "a test that fails shows the seed that it had, and what it measured")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::too_many_lines,
    reason = "numbers of tests are small, and a test tells its story from one end to the other"
)]

mod alerting;
mod alerts;
mod answered;
mod architecture;
mod book;
mod cancel;
mod changes;
mod cli;
mod configuration;
mod conformance;
mod contact;
mod described;
mod doctor;
mod documents;
mod elasticsearch;
mod examples;
mod exporting;
mod failures;
mod faults;
mod fields;
mod figures;
mod filters;
mod first_minutes;
mod flow;
mod gone;
mod guide;
mod habits;
mod halves;
mod held;
mod hostile;
mod incident;
mod json_schema;
mod kafka;
mod left;
mod logs;
mod mcp;
mod measures;
mod mongodb;
mod mysql;
mod newcomer;
mod objectives;
mod outcomes;
mod patterns;
mod planner;
mod postgres;
mod programs;
mod prokure;
mod pty;
mod pty_stores;
mod pump;
mod receivers;
mod registry;
mod request;
mod resend;
mod schedules;
mod screens;
mod secrets;
mod servers;
mod stories;
mod support;
mod tables;
mod tables_mysql;
mod tables_sqlite;
mod terminals;
mod tools;
mod unruly;
mod values;
mod watch;
mod window;
mod winston;
mod writing;
