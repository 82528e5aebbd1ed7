//! Every test that needs more than one module. One binary: one link.

#![allow(
    clippy::expect_used,
    clippy::large_stack_arrays,
    clippy::unused_async,
    clippy::match_wild_err_arm,
    reason = "tests fail by panicking, with what they waited for"
)]

mod alerting;
mod alerts;
mod architecture;
mod cli;
mod configuration;
mod conformance;
mod doctor;
mod elasticsearch;
mod examples;
mod exporting;
mod faults;
mod filters;
mod flow;
mod hostile;
mod kafka;
mod logs;
mod measures;
mod mongodb;
mod postgres;
mod prokure;
mod pty;
mod pump;
mod request;
mod screens;
mod servers;
mod support;
mod watch;
mod winston;
mod writing;
