//! Every test that needs more than one module. One binary: one link.

mod architecture;
mod cli;
mod conformance;
mod filters;
mod hostile;
mod logs;
mod pty;
mod screens;
mod support;
mod winston;
