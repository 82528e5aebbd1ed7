//! What can be typed.

mod stores;

pub(super) use stores::{
    CompletionsArgs, ConfigArgs, ConfigCommand, DoctorArgs, ExportArgs, GenerateArgs, ManArgs, SchemaArgs,
    SchemaCommand, SchemaFormat, TextOrJson,
};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// One terminal screen over every store that your integrations log into.
#[derive(Debug, Parser)]
#[command(
    name = "crosstail",
    version,
    override_usage = "crosstail [OPTIONS] [SOURCES]...\n       crosstail [--config FILE] [--profile NAME] <COMMAND>",
    after_help = "Examples:\n  crosstail demo                            live simulated traffic, no server, no config\n  crosstail 'logs/*.log'                    explore log files as they grow\n  kubectl logs -f pod | crosstail -         explore a stream\n  crosstail query status:failed --since 1h --source logs/\n  crosstail tail 'system:SAP latency>2s' -o json"
)]
pub struct Cli {
    #[command(flatten)]
    pub(super) choice: ChoiceArgs,
    #[command(flatten)]
    pub(super) explore: ExploreArgs,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Args)]
pub(super) struct ChoiceArgs {
    /// The configuration file, instead of yours (or CROSSTAIL_CONFIG)
    #[arg(long = "config", value_name = "FILE", global = true, help_heading = "Configuration")]
    pub(super) file: Option<std::path::PathBuf>,
    /// The profile of the configuration (or CROSSTAIL_PROFILE)
    #[arg(long, value_name = "NAME", global = true, help_heading = "Configuration")]
    pub(super) profile: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ExploreArgs {
    /// Paths, globs, directories, '-' for standard input, postgres://, mongodb://, es+https://, kafka://, sqlite://, prometheus+http:// or health+http:// URLs. Without any: the sources of the config
    #[arg(id = "explored", value_name = "SOURCES")]
    pub(super) sources: Vec<String>,
    #[command(flatten)]
    pub(super) look: LookArgs,
    /// How lines or tables are read; recognised where not given (halopsa, pino, bunyan, ecs, zap, logrus, otlp, json …) or a TOML file
    #[arg(id = "explored_schema", long = "schema", value_name = "NAME|FILE")]
    pub(super) schema: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct LookArgs {
    /// Filter to begin with
    #[arg(long, short = 'f', value_name = "FILTER")]
    pub(super) filter: Option<String>,
    /// Open what this identifies at once: an id, a trace, an address, an order number
    #[arg(long, value_name = "TEXT")]
    pub(super) open: Option<String>,
    /// Tab of what is opened: overview, request, response, error, retries, trace, raw, compare
    #[arg(long, value_name = "TAB", requires = "open", value_parser = tab)]
    pub(super) tab: Option<crate::app::Tab>,
    /// dark, light, contrast, colourblind, ansi, none (or CROSSTAIL_THEME)
    #[arg(long)]
    pub(super) theme: Option<String>,
    /// Time zone shown: UTC, local, or a name as Europe/Berlin (or CROSSTAIL_TZ)
    #[arg(id = "explored_zone", long = "zone", value_name = "ZONE")]
    pub(super) zone: Option<String>,
    /// Activities held in memory at most; 2,000,000 where nothing else is configured
    #[arg(long, value_name = "N")]
    pub(super) history_limit: Option<usize>,
    #[command(flatten)]
    pub(super) writes: WriteArgs,
}

#[derive(Debug, Clone, Args)]
pub(super) struct WriteArgs {
    /// Let alerts be acknowledged and resolved in their stores; nothing is written otherwise
    #[arg(long)]
    pub(super) allow_writes: bool,
    /// Who acknowledges and resolves: of PostgreSQL a user's name, e-mail or id in its table users
    #[arg(long = "as", env = "USER", value_name = "WHO")]
    pub(super) who: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Explore an embedded store with live simulated traffic
    Demo(DemoArgs),
    /// Print activities as they appear and change
    Tail(TailArgs),
    /// Print history
    Query(QueryArgs),
    /// Print grouped figures
    Stats(StatsArgs),
    /// Print one activity whole: payload, retry chain, trace
    Show(ShowArgs),
    /// How systems and stores are; exit 0 healthy, 1 degraded or down, 2 could not tell
    Health(HealthArgs),
    /// Alerts of the stores, and of a running watch: list, acknowledge, resolve, silence
    Alerts(AlertsArgs),
    /// Evaluate the rules without a screen, and tell Slack, e-mail, webhooks or commands
    #[cfg(feature = "watch")]
    Watch(WatchArgs),
    /// Schemas: list them, show one, create its tables
    Schema(SchemaArgs),
    /// Examine each source: reachable, rights, schema, indexes, retention, clocks; what to do; exit 0, 1 warnings, 2 problems
    Doctor(DoctorArgs),
    /// Write history into a file: CSV, NDJSON, Parquet or SQLite; resumable
    Export(ExportArgs),
    /// The configuration: begin one, check it, show where each value comes from
    Config(ConfigArgs),
    /// Completions for a shell
    Completions(CompletionsArgs),
    /// The manual page
    Man(ManArgs),
    /// Write simulated traffic into real stores, as the systems write it
    Generate(GenerateArgs),
    /// What the explorer evaluates a jq expression in: JSON in, a result a line out
    #[command(hide = true)]
    EvaluateJq {
        /// The expression
        expression: String,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail demo --seed 3 --rate 20\n  crosstail demo --keep kept.sqlite --history 2h"
)]
pub(super) struct DemoArgs {
    /// The same seed gives the same activities
    #[arg(long, default_value_t = 7)]
    pub(super) seed: u64,
    /// Activities a second
    #[arg(long, default_value_t = 2.5)]
    pub(super) rate: f64,
    /// How much history there is when it opens
    #[arg(long, default_value = "24h", value_parser = duration)]
    pub(super) history: std::time::Duration,
    /// Write the store here and keep it, instead of a temporary file
    #[arg(long, value_name = "FILE")]
    pub(super) keep: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub(super) look: LookArgs,
}

#[derive(Debug, Clone, Args)]
pub(super) struct SourceArgs {
    /// Path, glob, directory, '-', or a URL: postgres://, mongodb://, es+https://, kafka://, sqlite://, prometheus+http://, health+http://; repeatable. Without any: the sources of the config
    #[arg(long = "source", short = 's', value_name = "SOURCE", global = true)]
    pub(super) sources: Vec<String>,
    /// How lines or tables are read; recognised where not given
    #[arg(long, value_name = "NAME|FILE", global = true)]
    pub(super) schema: Option<String>,
    /// Time zone of times in filters, and of text output (or CROSSTAIL_TZ)
    #[arg(long, value_name = "ZONE", global = true)]
    pub(super) zone: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A line an activity
    Text,
    /// A JSON object a line
    Json,
    /// Comma-separated values with a header
    Csv,
    /// Aligned columns
    Table,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail query status:failed --since 1h -s 'logs/*.log'\n  crosstail query 'system:SAP latency>2s' -s demo.sqlite -o json --limit 0"
)]
pub(super) struct QueryArgs {
    /// What to keep, in the filter language
    pub(super) filter: Vec<String>,
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Not before: 15m, 1h, 2026-11-20, 2026-11-20T09:00
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Before
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// Activities at most; 0: no limit
    #[arg(long, default_value_t = 1000)]
    pub(super) limit: usize,
    /// time or -time (newest first, the default)
    #[arg(long, default_value = "-time", allow_hyphen_values = true, value_parser = ["time", "-time"])]
    pub(super) sort: String,
    /// Form of the output
    #[arg(long, short, value_enum, default_value_t = Format::Text)]
    pub(super) output: Format,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail tail level>=error -s /var/log/app/\n  crosstail tail kind:webhook -s app.log --since 10m -o json"
)]
pub(super) struct TailArgs {
    /// What to keep, in the filter language
    pub(super) filter: Vec<String>,
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Begin with what there is since then, instead of now
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Form of the output
    #[arg(long, short, value_enum, default_value_t = Format::Text)]
    pub(super) output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StatsFormat {
    /// Aligned columns
    Table,
    /// A JSON object a line
    Json,
    /// Comma-separated values with a header
    Csv,
    /// A page with charts that needs nothing else
    Html,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail stats --by system,status --since 24h -s logs/\n  crosstail stats is:failure --by endpoint --every 1h -s demo.sqlite -o json\n  crosstail stats --report failed_by_type --since 24h -s demo.sqlite\n  crosstail stats --report all --since 7d -s demo.sqlite -o html > report.html"
)]
pub(super) struct StatsArgs {
    /// What to keep, in the filter language
    pub(super) filter: Vec<String>,
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Fields to group by
    #[arg(long, default_value = "system", value_delimiter = ',')]
    pub(super) by: Vec<String>,
    /// Also group by spans of time: 5m, 1h, 1d
    #[arg(long, value_name = "SPAN", value_parser = duration)]
    pub(super) every: Option<std::time::Duration>,
    /// Not before
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Before
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// A report instead of groups of your own: failed_by_type, success_by_system, most_active, slowest_endpoints, volume_by_day, or all
    #[arg(long, value_name = "NAME", conflicts_with_all = ["by", "every"])]
    pub(super) report: Option<String>,
    /// Form of the output
    #[arg(long, short, value_enum, default_value_t = StatsFormat::Table)]
    pub(super) output: StatsFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum HealthFormat {
    /// For reading
    Table,
    /// A JSON object a line
    Json,
    /// Prometheus' text format
    Prometheus,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail health -s kafka://broker:9092/orders -o json\n  crosstail health -s health+http://app:3000/health || page-someone"
)]
pub(super) struct HealthArgs {
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Systems are judged by their activities of this long, against as long before
    #[arg(long, value_name = "SPAN", default_value = "15m", value_parser = duration)]
    pub(super) window: std::time::Duration,
    /// Form of the output
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
    /// Those that are resolved, too
    #[arg(long, global = true)]
    pub(super) all: bool,
    /// Alerts of stores triggered not before: 1h, 7d, 2026-11-20
    #[arg(long, value_name = "TIME", global = true)]
    pub(super) since: Option<String>,
    /// Form of the output
    #[arg(long, short, value_enum, default_value_t = Format::Table, global = true)]
    pub(super) output: Format,
    /// State of the watch whose alerts are meant
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) state: Option<std::path::PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum AlertsCommand {
    /// What is open (the default)
    List,
    /// Say that somebody has taken an alert; in a store only with --allow-writes
    Ack {
        /// The alert: its id, or a beginning of four characters or more
        id: String,
        #[command(flatten)]
        writes: WriteArgs,
    },
    /// Resolve an alert in its store; only with --allow-writes
    Resolve {
        /// The alert: its id, or a beginning of four characters or more
        id: String,
        #[command(flatten)]
        writes: WriteArgs,
    },
    /// Let a running watch not tell of a rule for some time
    Silence {
        /// The rule's name, or * for all
        rule: String,
        /// Only for this system, queue, source …
        #[arg(long, value_name = "VALUE", default_value = "*")]
        of: String,
        /// How long
        #[arg(long = "for", value_name = "SPAN", value_parser = duration)]
        length: std::time::Duration,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
        /// Who says so
        #[arg(long = "as", env = "USER", value_name = "WHO", default_value = "unknown")]
        who: String,
    },
}

#[cfg(feature = "watch")]
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail watch --dry-run -s 'logs/*.log'            print what would be told\n  crosstail watch --test                               tell every channel of the config once\n  crosstail watch --listen 127.0.0.1:9464              with /health and /metrics\n\nChannels are [[channel]] entries of the config file; rules are files in its folder rules/."
)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Print what would be told, a JSON object a line, and tell nobody
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Tell every channel of a made-up alert, say which took it, and end
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) test: bool,
    /// A folder of further rules
    #[arg(long, value_name = "FOLDER")]
    pub(super) rules: Option<std::path::PathBuf>,
    /// Serve /health and /metrics here
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<std::net::SocketAddr>,
    /// Where the state is kept over restarts
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<std::path::PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ShowFormat {
    /// For reading
    Text,
    /// One JSON object
    Json,
    /// A command that repeats the request, secrets as variables
    Curl,
    /// For a ticket
    Markdown,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail show 7f3a9c21-0000-4abc-8def-0123456789ab -s 'logs/*.log'\n  crosstail show PO-4711 -s demo.sqlite -o markdown\n  crosstail show https://sap.example/po/create -s demo.sqlite --compare"
)]
pub(super) struct ShowArgs {
    /// Anything that identifies it: an id (a beginning of four characters is enough), a correlation id, a traceparent, an
    /// address, an order number, a line of a log
    pub(super) id: String,
    /// Also say what differs from the last success of the same endpoint
    #[arg(long)]
    pub(super) compare: bool,
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Form of the output
    #[arg(long, short, value_enum, default_value_t = ShowFormat::Text)]
    pub(super) output: ShowFormat,
}

impl ExploreArgs {
    /// Whether any of it was typed.
    pub(super) fn is_given(&self) -> bool {
        let look = &self.look;
        let texts = [&look.filter, &look.open, &look.theme, &look.zone, &self.schema];
        !self.sources.is_empty()
            || texts.into_iter().any(Option::is_some)
            || look.tab.is_some()
            || look.history_limit.is_some()
            || look.writes.allow_writes
    }
}

fn tab(text: &str) -> Result<crate::app::Tab, String> {
    let names = || crate::app::Tab::ALL.iter().map(|tab| tab.name()).collect::<Vec<_>>().join(", ");
    crate::app::Tab::parse(text).ok_or_else(|| format!("no tab '{text}'; there are {}", names()))
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    crosstail_core::filter::duration_us(text)
        .filter(|us| *us > 0.0)
        .map(|us| std::time::Duration::from_micros(us as u64))
        .ok_or_else(|| format!("'{text}' is no length of time; write 30m, 24h, 2d"))
}
