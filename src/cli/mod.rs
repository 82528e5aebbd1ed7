//! The command line: one file a command.

mod alerts;
mod args;
mod config;
mod demo;
mod doctor;
mod explore;
mod export;
mod generate;
mod health;
mod jq;
mod manual;
mod output;
mod progress;
mod query;
mod redact;
mod schema;
mod show;
mod sources;
mod stats;
mod stdin;
mod tail;
mod target;
#[cfg(feature = "watch")]
mod watch;

pub use args::Cli;

use crate::config::Overrides;
use crate::log::Log;
use args::Command;
use clap::Parser as _;
use std::process::ExitCode;

/// Exit codes, documented in the README.
pub mod exit {
    /// Success.
    pub const OK: u8 = 0;
    /// Failure; stderr has the reason.
    pub const FAILED: u8 = 1;
    /// The command line or a filter is invalid.
    pub const USAGE: u8 = 2;
    /// `doctor`: the worst finding is a warning.
    pub const DOCTOR_WARNING: u8 = 1;
    /// `doctor`: the worst finding is a problem.
    pub const DOCTOR_PROBLEM: u8 = 2;
    /// `health`: something is degraded or down.
    pub const DEGRADED: u8 = 1;
    /// `health`: the state is unknown.
    pub const UNKNOWN: u8 = 2;
    /// `export`: interrupted; rerun to resume.
    pub const INTERRUPTED: u8 = 130;
    /// `show`, `alerts`: nothing has that id.
    pub const NOT_FOUND: u8 = 3;
}

/// A mistake on the command line; the exit code is 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let log = match Log::start(cli.choice.log_file.as_deref()) {
        Ok(log) => log,
        Err(problem) => {
            output::print_error(&problem);
            return ExitCode::from(exit::USAGE);
        }
    };
    // One TLS provider for every kind: with two compiled in, rustls panics at the first connection unless one is chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::print_error(&format!("cannot start: {error}"));
            return ExitCode::from(exit::FAILED);
        }
    };
    let outcome = runtime.block_on(dispatch(cli, log.clone()));
    // Do not wait for reading threads: one may be stuck in a slow file system.
    runtime.shutdown_background();
    log.end();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_closed_pipe(&error) => ExitCode::from(exit::OK),
        Err(error) => {
            let code = if error.is::<UsageError>() { exit::USAGE } else { exit::FAILED };
            output::print_error(&format!("{error:#}"));
            ExitCode::from(code)
        }
    }
}

async fn dispatch(cli: Cli, log: Log) -> anyhow::Result<u8> {
    let choice = Overrides { file: cli.choice.file, profile: cli.choice.profile, ..Overrides::default() };
    if cli.command.is_some() && cli.explore.is_given() {
        let why = "put the options and sources of a command after its name";
        return Err(UsageError(why.to_owned()).into());
    }
    match cli.command {
        None => explore::run(&cli.explore, &choice, log).await,
        Some(Command::Demo(args)) => demo::run(&args, &choice, log).await,
        Some(Command::Query(args)) => query::run(&args, &choice).await,
        Some(Command::Tail(args)) => tail::run(&args, &choice).await,
        Some(Command::Stats(args)) => stats::run(&args, &choice).await,
        Some(Command::Show(args)) => show::run(&args, &choice).await,
        Some(Command::Health(args)) => health::run(&args, &choice).await,
        Some(Command::Alerts(args)) => alerts::run(&args, &choice).await,
        #[cfg(feature = "watch")]
        Some(Command::Watch(args)) => watch::run(&args, &choice).await,
        Some(Command::Schema(args)) => schema::run(&args).await,
        Some(Command::Doctor(args)) => doctor::run(&args, &choice).await,
        Some(Command::Export(args)) => export::run(&args, &choice).await,
        Some(Command::Config(args)) => config::run(&args, &choice),
        Some(Command::Completions(args)) => manual::completions(&args),
        Some(Command::Man(args)) => manual::page(&args),
        Some(Command::Generate(args)) => generate::run(&args).await,
        Some(Command::Redact(args)) => redact::run(&args, &choice),
        Some(Command::EvaluateJq { expression }) => jq::run(&expression),
    }
}

/// A closed pipe is not an error: `crosstail query | head`.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
