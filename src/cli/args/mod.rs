//! The command line: options, arguments, and the help texts that people read.

mod reading;
mod stores;
mod view;

#[cfg(feature = "mcp")]
pub(super) use reading::McpArgs;
pub(super) use reading::{
    ChangesArgs, CompareArgs, FailuresArgs, FieldsArgs, FilterArgs, Format, ListFormat, MarkArgs, OutputArgs,
    PatternsArgs, QueryArgs, RangeArgs, Sort, StatsArgs, StatsFormat, TailArgs,
};
pub(super) use stores::{
    CompleteArgs, CompletionsArgs, ConfigArgs, ConfigCommand, DoctorArgs, ExportArgs, GenerateArgs, HelpArgs, ManArgs,
    SchemaArgs, SchemaCommand, SchemaFormat, TextOrJson,
};

#[cfg(feature = "resend")]
pub(super) use reading::ResendArgs;
pub(super) use view::{ViewArgs, WriteArgs};

use clap::{Args, Parser, Subcommand, ValueEnum};
use crosstail_core::number::truncated_u64;

/// The version, the commit that it was built from, and the features of the build.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("CROSSTAIL_COMMIT"),
    "; features ",
    env!("CROSSTAIL_FEATURES"),
    ")"
);
/// A terminal explorer for the logs of your integrations: one live list over every store.
#[derive(Debug, Parser)]
#[command(
    name = "crosstail",
    version = VERSION,
    disable_help_subcommand = true,
    override_usage = "crosstail [OPTIONS] [SOURCES]...\n       crosstail [--config FILE] [--profile NAME] <COMMAND>",
    after_help = "Examples:\n  crosstail demo                            explore simulated live traffic; no server needed\n  crosstail 'logs/*.log'                    explore log files as they grow\n  kubectl logs -f pod | crosstail -         explore a stream\n  crosstail query status:failed --since 1h --source logs/\n  crosstail tail 'system:SAP latency>2s' -o json"
)]
pub struct Cli {
    #[command(flatten)]
    pub(super) choice: ConfigOverrideArgs,
    #[command(flatten)]
    pub(super) explore: ExploreArgs,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Args)]
pub(super) struct ConfigOverrideArgs {
    /// Use this configuration file instead of your own (or set CROSSTAIL_CONFIG)
    #[arg(long = "config", value_name = "FILE", global = true, help_heading = "Configuration")]
    pub(super) file: Option<std::path::PathBuf>,
    /// Use this profile from the configuration (or set CROSSTAIL_PROFILE)
    #[arg(long, value_name = "NAME", global = true, help_heading = "Configuration")]
    pub(super) profile: Option<String>,
    /// Append what crosstail itself does to this file: connections, attempts, queries, notices; never secrets
    #[arg(long, value_name = "FILE", global = true, help_heading = "Configuration")]
    pub(super) log_file: Option<std::path::PathBuf>,
    /// Whether to use colours; auto: on a terminal, unless NO_COLOR is set or TERM is dumb, or always with CLICOLOR_FORCE
    #[arg(long, visible_alias = "colour", value_name = "WHEN", global = true, default_value = "auto", hide_default_value = true, num_args = 0..=1, require_equals = true, default_missing_value = "always", help_heading = "Configuration")]
    pub(super) color: Colour,
    /// No colours: --color=never
    #[arg(long, visible_alias = "no-colour", global = true, hide = true)]
    pub(super) no_color: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ConfigOverrideArgs {
    /// What the options say about colours; `None` where the terminal decides.
    pub(super) fn colour(&self) -> Option<bool> {
        match self.color {
            _ if self.no_color => Some(false),
            Colour::Auto => None,
            Colour::Always => Some(true),
            Colour::Never => Some(false),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ExploreArgs {
    #[arg(id = "explored", value_name = "SOURCES", help = source_help(""))]
    pub(super) sources: Vec<String>,
    /// A source, as with the commands
    #[arg(id = "explored_source", long = "source", short = 's', value_name = "SOURCE", hide = true)]
    pub(super) also: Vec<String>,
    /// Read what a command prints, as a source; sh runs it, and it ends with crosstail
    #[arg(id = "explored_run", long = "run", value_name = "COMMAND")]
    pub(super) run: Vec<String>,
    #[command(flatten)]
    pub(super) look: ViewArgs,
    /// Schema that maps lines or tables to activities: a name (halopsa, pino, bunyan, ecs, zap, logrus, otlp, json …) or a TOML file; recognised from the data if omitted
    #[arg(id = "explored_schema", long = "schema", value_name = "NAME|FILE")]
    pub(super) schema: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Explore simulated live traffic in an embedded store
    Demo(DemoArgs),
    /// Print activities as they appear and change
    Tail(TailArgs),
    /// Print past activities
    Query(QueryArgs),
    /// Print counts, success rates and latencies by group
    Stats(StatsArgs),
    /// Print which fields and paths of payloads occur, how often, of what types, with an example
    Fields(FieldsArgs),
    /// Print what messages and errors have in common: patterns with their number, failures, first and last time
    Patterns(PatternsArgs),
    /// Print failures in groups: which are new, since when, how many are affected, and whether retries repair them
    Failures(FailuresArgs),
    /// Print when rate, failures and latency of systems changed, and what was marked near it
    Changes(ChangesArgs),
    /// Print what tells two sets of activities apart: two filters, two times, before and after a moment
    Compare(CompareArgs),
    /// Mark a moment, such as a deploy: it is drawn over the histogram, and named beside changes
    Mark(MarkArgs),
    /// Print everything about one activity: payload, retry chain, trace
    Show(ShowArgs),
    /// Print the health of systems and stores (exit code 0: healthy, 1: degraded or down, 2: unknown)
    Health(HealthArgs),
    /// List, acknowledge, resolve or silence alerts from stores and from `crosstail watch`
    Alerts(AlertsArgs),
    /// Evaluate the alert rules without a screen, and notify Slack, e-mail, webhooks or commands
    #[cfg(feature = "watch")]
    Watch(WatchArgs),
    /// List schemas, print one, or create its tables and other objects in a store
    Schema(SchemaArgs),
    /// Check the terminal, the configuration, and each source's connection, rights, schema, indexes, retention and clock, and suggest fixes (exit code 0: good, 1: warnings, 2: problems)
    Doctor(DoctorArgs),
    /// Write past activities to a CSV, NDJSON, Parquet or SQLite file; can be interrupted and resumed
    Export(ExportArgs),
    /// Create a configuration, check it, or show where each value comes from
    Config(ConfigArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
    /// Print the help of a command, or about the filter language, sources, exit codes or an error: help filter, help sources, help E003
    Help(HelpArgs),
    /// Write simulated traffic to real stores, in the form that each system uses
    Generate(GenerateArgs),
    /// Send outgoing calls again, as they were or with another body; a dry run unless --allow-sends is given
    #[cfg(feature = "resend")]
    Resend(ResendArgs),
    /// Hide the secrets in a text, as they are hidden everywhere, or say what is hidden and by which rule
    Redact(RedactArgs),
    /// Answer the questions of programs that speak the Model Context Protocol, over stdin and stdout; read-only
    #[cfg(feature = "mcp")]
    Mcp(McpArgs),
    /// Answer the questions of programs that speak the Model Context Protocol; this build does not: build with `--features full`
    #[cfg(not(feature = "mcp"))]
    Mcp {
        /// What it would be given
        #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// What a shell offers for a line so far, one word a line
    #[command(hide = true)]
    CompleteWords(CompleteArgs),
    /// The process between crosstail and a program that it reads, which ends the program when crosstail is gone
    #[command(hide = true)]
    Guard(GuardArgs),
    /// The process in which the explorer evaluates a jq expression: JSON on stdin, one result a line on stdout
    #[command(hide = true)]
    EvaluateJq {
        /// The jq expression
        expression: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct GuardArgs {
    /// The folder that is removed where nobody holds its lock any more
    #[arg(long)]
    pub(super) spool: Option<std::path::PathBuf>,
    /// Where to write the program's group of processes
    #[arg(long)]
    pub(super) group: Option<std::path::PathBuf>,
    /// The standard input of the program
    #[arg(long)]
    pub(super) input: Option<std::path::PathBuf>,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub(super) command: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail redact app.log > safe.log\n  crosstail redact --explain < app.log\n  crosstail redact --explain -s demo.sqlite --filter status:failed --limit 5"
)]
pub(super) struct RedactArgs {
    /// Files; without one, standard input
    #[arg(value_name = "FILE", conflicts_with = "sources")]
    pub(super) files: Vec<std::path::PathBuf>,
    /// Instead of the text, print what is hidden and by which rule, and what nearly is and why it stays, a line each
    #[arg(long)]
    pub(super) explain: bool,
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// With --source: only the records that it keeps
    #[arg(long, short, value_name = "FILTER", requires = "sources", allow_hyphen_values = true)]
    pub(super) filter: Option<String>,
    /// With --source: maximum number of records, newest first
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub(super) limit: usize,
}

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  crosstail demo --tour\n  crosstail demo --seed 3 --rate 20\n  crosstail demo --keep kept.sqlite --history 2h"
)]
pub(super) struct DemoArgs {
    /// Seed of the random generator: the same seed gives the same activities
    #[arg(long, default_value_t = Self::SEED)]
    pub(super) seed: u64,
    /// Activities per second
    #[arg(long, default_value_t = Self::RATE)]
    pub(super) rate: f64,
    /// Length of the simulated history when the explorer opens
    #[arg(long, default_value = "30h", value_parser = duration)]
    pub(super) history: std::time::Duration,
    /// Keep the store in this file instead of a temporary one
    #[arg(long, value_name = "FILE")]
    pub(super) keep: Option<std::path::PathBuf>,
    /// Begin with a tour: five steps, each with a key of yours; esc ends it
    #[arg(long)]
    pub(super) tour: bool,
    #[command(flatten)]
    pub(super) look: ViewArgs,
}

#[derive(Debug, Clone, Args)]
pub(super) struct SourceArgs {
    #[arg(long = "source", short = 's', value_name = "SOURCE", global = true, help = source_help("; repeatable"))]
    pub(super) sources: Vec<String>,
    /// Read what a command prints, as a source; sh runs it, and it ends with crosstail
    #[arg(long, value_name = "COMMAND", global = true)]
    pub(super) run: Vec<String>,
    /// Schema that maps lines or tables to activities; recognised from the data if omitted
    #[arg(long, value_name = "NAME|FILE", global = true)]
    pub(super) schema: Option<String>,
    /// Time zone for filters, days and text output: UTC, local, +02:00, or a name such as Europe/Berlin (or set CROSSTAIL_TZ)
    #[arg(long, visible_alias = "tz", value_name = "ZONE", global = true, allow_hyphen_values = true)]
    pub(super) zone: Option<String>,
    /// Times in UTC: --zone UTC
    #[arg(long, global = true, hide = true, conflicts_with = "zone")]
    pub(super) utc: bool,
}

impl SourceArgs {
    /// The zone that the options name.
    pub(super) fn zone(&self) -> Option<&str> {
        if self.utc { Some("UTC") } else { self.zone.as_deref() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum HealthFormat {
    /// Aligned columns
    Table,
    /// One JSON object per line
    Json,
    /// Prometheus's text format
    Prometheus,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail health -s kafka://broker:9092/orders -o json\n  crosstail health -s health+http://app:3000/health || page-someone"
)]
pub(super) struct HealthArgs {
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Judge each system by its activities in the last SPAN, compared with the SPAN before
    #[arg(long, value_name = "SPAN", default_value = "15m", value_parser = duration)]
    pub(super) window: std::time::Duration,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = HealthFormat::Table)]
    pub(super) output: HealthFormat,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail alerts list -s postgres://me@db/engineering -o json\n  crosstail alerts ack 7f3a --as ann --allow-writes -s postgres://me@db/engineering\n  crosstail alerts silence HighErrorRate --of SAP --for 2h --why 'planned maintenance'"
)]
pub(super) struct AlertsArgs {
    #[command(subcommand)]
    pub(super) command: Option<AlertsCommand>,
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Include resolved alerts
    #[arg(long, global = true)]
    pub(super) all: bool,
    /// Only stored alerts triggered from this time on: how long ago (1h, 7d) or a date (2026-11-20)
    #[arg(long, value_name = "TIME", global = true, allow_hyphen_values = true)]
    pub(super) since: Option<String>,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = Format::Table, global = true)]
    pub(super) output: Format,
    /// State file of `crosstail watch` [default: ~/.local/state/crosstail/watch.json]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) state: Option<std::path::PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum AlertsCommand {
    /// List open alerts (the default)
    List,
    /// Acknowledge an alert; if it is in a store, this needs --allow-writes
    Ack {
        /// The alert's id, or at least its first four characters
        id: String,
        #[command(flatten)]
        writes: WriteArgs,
    },
    /// Resolve an alert in its store; needs --allow-writes
    Resolve {
        /// The alert's id, or at least its first four characters
        id: String,
        #[command(flatten)]
        writes: WriteArgs,
    },
    /// Silence a rule: for some time, `crosstail watch` sends none of its notifications
    Silence {
        /// Name of the rule, or * for all rules
        rule: String,
        /// Silence the rule only for this system, queue or source
        #[arg(long, value_name = "VALUE", default_value = "*")]
        of: String,
        /// How long to silence it: 30m, 2h, 1d
        #[arg(long = "for", value_name = "SPAN", value_parser = duration)]
        length: std::time::Duration,
        /// The reason, for whoever sees the silence
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
        /// Your name, for whoever sees the silence
        #[arg(long = "as", env = "USER", value_name = "WHO", default_value = "unknown")]
        who: String,
    },
    /// End the silence of a rule
    #[command(after_help = "Examples:\n  crosstail alerts unsilence HighErrorRate --of SAP")]
    Unsilence {
        /// Name of the rule, or * for the silence of all rules
        rule: String,
        /// Only the silence for this system, queue or source [default: all silences of the rule]
        #[arg(long, value_name = "VALUE")]
        of: Option<String>,
    },
}

#[cfg(feature = "watch")]
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail watch --dry-run -s 'logs/*.log'            print notifications, send none\n  crosstail watch --test                               send a test notification to every channel\n  crosstail watch --listen 127.0.0.1:9464              also serve /health and /metrics\n\nChannels are [[channel]] entries in the configuration file. Rules are files in the folder rules/ next to it."
)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Print notifications, one JSON object per line, instead of sending them
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Send a test notification to every channel, report which accepted it, and exit
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) test: bool,
    /// Print what the rules would have said in the last SPAN, and exit; with --dry-run, the notifications
    #[arg(long, value_name = "SPAN", value_parser = duration, conflicts_with_all = ["test", "listen", "state"])]
    pub(super) backtest: Option<std::time::Duration>,
    /// The end of the backtest, instead of now
    #[arg(long, value_name = "TIME", requires = "backtest", allow_hyphen_values = true)]
    pub(super) until: Option<String>,
    /// Also read rules from this folder
    #[arg(long, value_name = "FOLDER")]
    pub(super) rules: Option<std::path::PathBuf>,
    /// Serve /health and /metrics at this address; :9464 is every address of this machine
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen)]
    pub(super) listen: Option<std::net::SocketAddr>,
    /// Keep state across restarts in this file [default: ~/.local/state/crosstail/watch.json]
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<std::path::PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ShowFormat {
    /// Readable text
    Text,
    /// One JSON object
    Json,
    /// A curl command that repeats the request, with variables in place of secrets
    Curl,
    /// Markdown, for a ticket
    Markdown,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail show 7f3a9c21-0000-4abc-8def-0123456789ab -s 'logs/*.log'\n  crosstail show PO-4711 -s demo.sqlite -o markdown\n  crosstail show 7f3a9c21 -s demo.sqlite --compare"
)]
pub(super) struct ShowArgs {
    /// Anything that identifies the activity: an id (the first four characters are enough), a correlation id, a
    /// traceparent, an address, an order number, a log line
    pub(super) id: String,
    /// Also compare it with the last success of the same endpoint
    #[arg(long)]
    pub(super) compare: bool,
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = ShowFormat::Text)]
    pub(super) output: ShowFormat,
}

/// Help for a source argument. The schemes are those of this build's kinds; a variant of one already listed
/// (`es+http` next to `es+https`) is left out.
fn source_help(note: &str) -> String {
    let mut schemes: Vec<&str> = Vec::new();
    for scheme in crate::kinds::ALL.iter().filter(|kind| !kind.takes_several).flat_map(|kind| kind.schemes) {
        let family = |scheme: &'static str| match scheme.split_once('+') {
            Some((family, "http" | "https" | "tls" | "srv")) => family,
            _ => scheme,
        };
        if !schemes.iter().any(|listed| family(listed) == family(scheme)) {
            schemes.push(scheme);
        }
    }
    let urls: Vec<String> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
    let urls = urls.join(", ");
    let programs: Vec<&str> = crate::kinds::ALL.iter().flat_map(|kind| kind.programs).map(|(_, form)| *form).collect();
    let programs = if programs.is_empty() { String::new() } else { format!(", {}", programs.join(", ")) };
    format!(
        "A path, glob or directory, '-' for standard input, the name of a configured source{programs}, or a URL ({urls}){note}. If omitted: the configured sources"
    )
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    crosstail_core::filter::duration_us(text)
        .filter(|us| *us > 0.0)
        .map(|us| std::time::Duration::from_micros(truncated_u64(us)))
        .ok_or_else(|| format!("'{text}' is not a length of time; write 30m, 24h, 2d"))
}

#[cfg(feature = "watch")]
fn listen(text: &str) -> Result<std::net::SocketAddr, String> {
    use std::net::ToSocketAddrs as _;
    let whole = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    let found = whole.to_socket_addrs().ok().and_then(|mut all| all.next());
    found
        .ok_or_else(|| format!("'{text}' is no address to listen at; write 127.0.0.1:9464, or :9464 for every address"))
}
