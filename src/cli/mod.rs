//! The command line: one file a command.

mod alerts;
mod args;
mod changes;
mod check;
mod compare;
mod complete;
mod config;
mod crash;
mod demo;
mod descendants;
mod doctor;
mod ending;
mod explore;
mod export;
mod failures;
mod fields;
mod generate;
mod guard;
mod habits;
mod health;
mod jq;
mod manual;
mod mark;
#[cfg(feature = "mcp")]
mod mcp;
mod offers;
mod output;
mod past;
mod patterns;
mod progress;
mod query;
mod redact;
#[cfg(feature = "resend")]
mod resend;
mod schema;
mod show;
mod sources;
mod spool;
mod stats;
mod tail;
mod target;
mod topics;
mod usage;
mod user;
#[cfg(feature = "watch")]
mod watch;
mod wrap;

pub use args::Cli;

use crate::config::{Config, Overrides};
use crate::log::Log;
use args::Command;
use clap::Parser as _;
use std::process::ExitCode;

/// Exit codes. [`exit::TABLE`] describes them in help, man pages and the book.
pub mod exit {
    /// Success.
    pub const OK: u8 = 0;
    /// Failure; stderr has the reason.
    pub const FAILED: u8 = 1;
    /// `doctor`: the worst finding is a warning.
    pub const DOCTOR_WARNING: u8 = 1;
    /// `doctor`: the worst finding is a problem.
    pub const DOCTOR_PROBLEM: u8 = 2;
    /// `health`: something is degraded or down.
    pub const DEGRADED: u8 = 1;
    /// `health`: the state is unknown.
    pub const UNKNOWN: u8 = 2;
    /// `show`, `alerts`: nothing has that id.
    pub const NOT_FOUND: u8 = 3;
    /// Some sources could not be read; the answer of the others was printed.
    pub const PARTIAL: u8 = 4;
    /// `show`, `alerts`: several have that id.
    pub const AMBIGUOUS: u8 = 5;
    /// The command line or a filter is invalid (EX_USAGE of sysexits.h).
    pub const USAGE: u8 = 64;
    /// `export`: interrupted; rerun to resume.
    pub const INTERRUPTED: u8 = 130;

    /// Each code and what it means.
    pub const TABLE: [(u8, &str); 8] = [
        (OK, "success; health: all is well; doctor: nothing to mend"),
        (FAILED, "failure; health: a system or a check is degraded or down; doctor: something should be changed"),
        (
            UNKNOWN,
            "health: unknown, as a source or an endpoint does not answer or there is no data; doctor: something does not work",
        ),
        (NOT_FOUND, "show, alerts: nothing has that id"),
        (PARTIAL, "a source, or a part of one, could not be read; what the others have was printed"),
        (AMBIGUOUS, "show, alerts: several have that id; show prints none of them unless stdout is a terminal"),
        (USAGE, "the command line or the filter is wrong"),
        (INTERRUPTED, "export: interrupted; the same command resumes"),
    ];
}

/// A mistake on the command line; the exit code is 64.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Several things have the id that was given.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Ambiguous(String);

/// How long what is still running has to end.
const SHUTDOWN: std::time::Duration = std::time::Duration::from_millis(300);

/// Runs the program.
pub fn main() -> ExitCode {
    crosstail_heap::keep_little();
    let cli = match Cli::try_parse_from(habits::understood(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => {
            match usage::explained(&error) {
                Some((said, usage)) => output::print_usage(&said, &usage),
                // A closed pipe ends help quietly, too.
                None => drop(error.print()),
            }
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::OK });
        }
    };
    let log = match Log::start(cli.choice.log_file.as_deref()) {
        Ok(log) => log,
        Err(problem) => {
            output::print_error(&problem);
            return ExitCode::from(exit::USAGE);
        }
    };
    crash::report();
    allow_files();
    // One TLS provider for every kind: with two compiled in, rustls panics at the first connection unless one is chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::print_error(&format!("cannot start: {error}"));
            return ExitCode::from(exit::FAILED);
        }
    };
    let told = crash::Told;
    let outcome = runtime.block_on(dispatch(cli, log.clone()));
    drop(told);
    // What is still running is dropped, and with it what it has on disk. A reading thread may be stuck in a slow file system:
    // it is not waited for.
    runtime.shutdown_timeout(SHUTDOWN);
    log.end();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_closed_pipe(&error) => ExitCode::from(exit::OK),
        Err(error) => {
            output::print_failure(&format!("{error:#}"));
            ExitCode::from(match () {
                () if error.is::<UsageError>() => exit::USAGE,
                () if error.is::<Ambiguous>() => exit::AMBIGUOUS,
                () => exit::FAILED,
            })
        }
    }
}

/// Files that may be open at once, if the system allows that: a shell's thousand are few for hundreds of containers.
const FILES: u64 = 8192;

fn allow_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(FILES, |maximum| maximum.min(FILES));
    if current.is_some_and(|current| current < wanted) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}

async fn dispatch(cli: Cli, log: Log) -> anyhow::Result<u8> {
    let colour = cli.choice.colour();
    let choice = Overrides { file: cli.choice.file, profile: cli.choice.profile, colour, ..Overrides::default() };
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
        Some(Command::Fields(args)) => fields::run(&args, &choice).await,
        Some(Command::Patterns(args)) => patterns::run(&args, &choice).await,
        Some(Command::Changes(args)) => changes::run(&args, &choice).await,
        Some(Command::Compare(args)) => compare::run(&args, &choice).await,
        Some(Command::Mark(args)) => mark::run(&args, &choice),
        Some(Command::Failures(args)) => failures::run(&args, &choice).await,
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
        Some(Command::Help(args)) => manual::help(&args),
        Some(Command::Generate(args)) => generate::run(&args).await,
        #[cfg(feature = "resend")]
        Some(Command::Resend(args)) => resend::run(&args, &choice).await,
        Some(Command::Redact(args)) => redact::run(&args, &choice).await,
        #[cfg(feature = "mcp")]
        Some(Command::Mcp(args)) => mcp::run(&args, &choice).await,
        #[cfg(not(feature = "mcp"))]
        Some(Command::Mcp { rest }) => {
            drop(rest);
            Err(anyhow::anyhow!("this build cannot answer programs (MCP); build with `--features full`"))
        }
        Some(Command::CompleteWords(args)) => complete::run(&args, &choice),
        Some(Command::Guard(args)) => guard::run(&args),
        Some(Command::EvaluateJq { expression }) => jq::run(&expression),
    }
}

/// The configuration. A project's file that is not used is told, since it may be what was meant.
fn configuration(choice: &Overrides) -> anyhow::Result<Config> {
    let config = Config::load(choice)?;
    if let Some(ignored) = &config.ignored {
        output::print_error(ignored);
    }
    Ok(config)
}

/// A closed pipe is not an error: `crosstail query | head`.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let is_closed = |io: &std::io::Error| io.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        // The writers of CSV and JSON wrap the error, without being its cause.
        let in_csv = cause.downcast_ref::<csv::Error>().and_then(|error| match error.kind() {
            csv::ErrorKind::Io(io) => Some(io),
            _ => None,
        });
        cause.downcast_ref::<std::io::Error>().or(in_csv).is_some_and(is_closed)
    })
}
