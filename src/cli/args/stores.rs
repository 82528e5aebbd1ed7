//! What is typed for the writing side, the examination, and what is said of crosstail itself.

use super::{SourceArgs, duration};
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct SchemaArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: SchemaCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SchemaCommand {
    /// The built-in schemas
    List,
    /// The text of one, a beginning for your own; or what it defines in its stores
    #[command(
        after_help = "Examples:\n  crosstail schema show prokure > my-schema.toml\n  crosstail schema show engineering-logs -o sql | less"
    )]
    Show {
        /// Name, or path of a TOML file
        name: String,
        /// toml: how records are read. What it defines: sql of PostgreSQL, json of MongoDB and Elasticsearch, properties of Kafka's topics
        #[arg(long, short, value_enum, default_value_t = SchemaFormat::Toml)]
        output: SchemaFormat,
    },
    /// Create what is missing of tables, views, collections, indexes, templates, policies, topics: shown first, then asked
    #[command(
        after_help = "Examples:\n  crosstail schema apply prokure --to postgres://me@db/prokure --dry-run\n  crosstail schema apply prokure --to mongodb://db/prokure_logs --yes\n  crosstail schema apply engineering-logs --to kafka://broker:9092 --yes\n  crosstail schema apply halopsa --to es+http://es:9200 --yes\n\nWhat is there already is left as it is. Without a terminal nothing is written unless --yes is\ngiven (exit code 2)."
    )]
    Apply {
        /// Name
        name: String,
        /// postgres://…, mongodb://…, es+https://… or kafka://…
        #[arg(long, value_name = "URL")]
        to: String,
        /// Create only the trigger that wakes crosstail as soon as something is written (PostgreSQL)
        #[arg(long)]
        notify: bool,
        /// Show what would be run, and run nothing
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        /// Run it without asking
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SchemaFormat {
    /// The mapping file
    Toml,
    /// PostgreSQL
    Sql,
    /// MongoDB and Elasticsearch
    Json,
    /// Kafka
    Properties,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ConfigArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigCommand {
    /// Ask what to connect to, and write a commented file
    #[command(
        after_help = "Examples:\n  crosstail config init\n  crosstail config init --yes -s prokure=postgres://me@db/prokure -s logs=/var/log/app/\n\nA password is never written: the file names the variable, the file or the command that it is in."
    )]
    Init {
        /// A source, as NAME=ADDRESS or ADDRESS; repeatable; not asked for then
        #[arg(long = "source", short, value_name = "NAME=ADDRESS")]
        sources: Vec<String>,
        /// Ask nothing
        #[arg(long, short)]
        yes: bool,
        /// Write a crosstail.toml of this folder's project instead of your own file
        #[arg(long)]
        project: bool,
        /// Write over a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Check every file: configuration, schemas, filters, rules, secrets; exit 1 where something is wrong
    Check,
    /// Every value in force, and the file and line, variable or flag that it comes from; without secrets
    #[command(after_help = "Examples:\n  crosstail config show\n  crosstail config show --profile prod -o json")]
    Show {
        /// As the flag of the explorer
        #[arg(long)]
        theme: Option<String>,
        /// As the flag of the other commands
        #[arg(long, value_name = "ZONE")]
        zone: Option<String>,
        /// Form of the output
        #[arg(long, short, value_enum, default_value_t = TextOrJson::Text)]
        output: TextOrJson,
    },
    /// Where the files are
    Path,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail completions bash > ~/.local/share/bash-completion/completions/crosstail\n  crosstail completions zsh > ~/.zfunc/_crosstail\n  crosstail completions fish > ~/.config/fish/completions/crosstail.fish"
)]
pub(in crate::cli) struct CompletionsArgs {
    /// bash, zsh, fish, elvish, powershell
    pub(in crate::cli) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  crosstail man > crosstail.1\n  crosstail man export | man -l -")]
pub(in crate::cli) struct ManArgs {
    /// Of one command
    pub(in crate::cli) command: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail doctor                                     the sources of the config\n  crosstail doctor -s postgres://me@db/prokure -s 'logs/*.log'\n  crosstail doctor -s kafka://broker:9092/orders -o json\n\nExit code by the worst: 0 as it should be, 1 a warning, 2 a problem. Nothing is written anywhere."
)]
pub(in crate::cli) struct DoctorArgs {
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    /// Only what should be changed
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
    /// Form of the output
    #[arg(long, short, value_enum, default_value_t = TextOrJson::Text)]
    pub(in crate::cli) output: TextOrJson,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail export status:failed --since 7d -s 'logs/*.log' --output failures.csv\n  crosstail export -s demo.sqlite --output all.parquet\n  crosstail export -s postgres://me@db/prokure --since 30d --payloads --output month.sqlite\n\nOldest first, up to now. It is written as FILE.part; FILE.resume says how far it is, and the same\ncommand goes on from there after an interruption (exit code 130). CSV is RFC 4180; what a\nspreadsheet would take for a formula begins with an apostrophe. A .sqlite file is opened by\ncrosstail FILE."
)]
pub(in crate::cli) struct ExportArgs {
    /// What to keep, in the filter language
    pub(in crate::cli) filter: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    /// Not before: 15m, 1h, 2026-11-20, 2026-11-20T09:00
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,
    /// Before; now where it is not given
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,
    /// Where to: .csv, .ndjson, .parquet or .sqlite
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) output: std::path::PathBuf,
    /// With headers and bodies, each loaded from its store, without secrets
    #[arg(long)]
    pub(in crate::cli) payloads: bool,
    /// Write over a file that is there
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Begin anew instead of going on with an interrupted export
    #[arg(long)]
    pub(in crate::cli) restart: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail generate --to mongodb://db/prokure_logs --rate 50\n  crosstail generate --to postgres://me@db/prokure --history 24h --for 10m\n  crosstail generate --to logs/ --count 1000 --rate 500\n  crosstail generate --to kafka://broker:9092 --to es+http://es:9200/engineering_logs --for 1m\n  crosstail generate --to demo.sqlite --history 24h --rate 1 --for 0s --incident outage:SAP\n\nIt writes until Ctrl-C, unless --for or --count ends it, and says what it has written, a line for\neach table, collection, index, topic or file."
)]
pub(in crate::cli) struct GenerateArgs {
    /// Where to: postgres://, mongodb://, es+http://host/index, kafka://, a folder (Winston's files), a .sqlite file; repeatable: the same traffic goes to each
    #[arg(long, value_name = "URL", required = true)]
    pub(in crate::cli) to: Vec<String>,
    /// As which system: prokure, integration-activity, halopsa, log-tracking, engineering-logs; told by the store where not given
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) schema: Option<String>,
    /// Activities a second
    #[arg(long, default_value_t = 10.0)]
    pub(in crate::cli) rate: f64,
    /// Write so much of the past first, as fast as the stores take it
    #[arg(long, default_value = "0s", value_parser = span)]
    pub(in crate::cli) history: std::time::Duration,
    /// End after so long of live traffic; 0s: only the history
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    pub(in crate::cli) length: Option<std::time::Duration>,
    /// End after so many activities
    #[arg(long, value_name = "N")]
    pub(in crate::cli) count: Option<u64>,
    /// What goes wrong: usual (now and then something), none, or outage, slow or limited, of a system: outage:SAP
    #[arg(long, default_value = "usual", value_name = "WHAT", value_parser = incident)]
    pub(in crate::cli) incident: crosstail_record::simulate::Incident,
    /// The same seed gives the same activities, which a store takes once; another one each time where it is not given
    #[arg(long)]
    pub(in crate::cli) seed: Option<u64>,
    /// Files of each name that stay when Winston's files are rotated at 5 MB; 0: all
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(in crate::cli) keep_files: usize,
    /// Form of what is said at the end
    #[arg(long, short, value_enum, default_value_t = TextOrJson::Text)]
    pub(in crate::cli) output: TextOrJson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum TextOrJson {
    /// For reading
    Text,
    /// A JSON object a line
    Json,
}

/// A length of time, which may be none.
fn span(text: &str) -> Result<std::time::Duration, String> {
    match crosstail_core::filter::duration_us(text) {
        Some(us) if us >= 0.0 => Ok(std::time::Duration::from_micros(us as u64)),
        _ => duration(text),
    }
}

fn incident(text: &str) -> Result<crosstail_record::simulate::Incident, String> {
    use crosstail_record::simulate::{Incident, Trouble};
    let (what, system) = text.split_once(':').unwrap_or((text, "SAP"));
    let trouble = match what {
        "usual" => return Ok(Incident::Usual),
        "none" => return Ok(Incident::None),
        "outage" => Trouble::Outage,
        "slow" => Trouble::Slow,
        "limited" => Trouble::Limited,
        _ => return Err("there are usual, none, outage, slow, limited; of a system: outage:SAP".to_owned()),
    };
    let known = || Incident::systems().collect::<Vec<_>>().join(", ");
    let at = Incident::systems().position(|known| known.eq_ignore_ascii_case(system));
    at.map(|at| Incident::Of(trouble, at)).ok_or_else(|| format!("no system '{system}'; there are {}", known()))
}
