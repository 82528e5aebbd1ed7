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
mod query;
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

use crate::config::Choice;
use args::Command;
use clap::Parser as _;
use std::process::ExitCode;

/// Exit codes, documented in the README.
pub mod exit {
    /// Done.
    pub const OK: u8 = 0;
    /// Something failed; stderr says what.
    pub const FAILED: u8 = 1;
    /// The command line or a filter is wrong.
    pub const USAGE: u8 = 2;
    /// `doctor`: something should be changed.
    pub const WARNING: u8 = 1;
    /// `doctor`: something does not work.
    pub const PROBLEM: u8 = 2;
    /// `health`: something is degraded or down.
    pub const UNWELL: u8 = 1;
    /// `health`: it could not be told.
    pub const UNTOLD: u8 = 2;
    /// `export`: interrupted, to be gone on with.
    pub const INTERRUPTED: u8 = 130;
    /// `show`: nothing of that id.
    pub const NOT_FOUND: u8 = 3;
}

/// A mistake in what was typed: reported as such, with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // One provider for every kind that speaks TLS; a second one would panic at its first use.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("cannot start: {error}"));
            return ExitCode::from(exit::FAILED);
        }
    };
    let outcome = runtime.block_on(dispatch(cli));
    // Reading threads may sit in a slow file system: they are left behind, not waited for.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_closed_pipe(&error) => ExitCode::from(exit::OK),
        Err(error) => {
            let code = if error.is::<UsageError>() { exit::USAGE } else { exit::FAILED };
            output::complain(&format!("{error:#}"));
            ExitCode::from(code)
        }
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<u8> {
    let choice = Choice { file: cli.choice.file, profile: cli.choice.profile, ..Choice::default() };
    if cli.command.is_some() && cli.explore.is_given() {
        let why = "the explorer's options and sources stand alone: those of a command come after its name";
        return Err(UsageError(why.to_owned()).into());
    }
    match cli.command {
        None => explore::run(&cli.explore, &choice).await,
        Some(Command::Demo(args)) => demo::run(&args, &choice).await,
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
        Some(Command::EvaluateJq { expression }) => jq::run(&expression),
    }
}

/// A reader that has gone away is no error: `crosstail query | head`.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
