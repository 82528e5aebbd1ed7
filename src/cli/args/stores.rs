//! Options of the commands that write, of `doctor`, and of the commands about crosstail itself.

use super::{FilterArgs, RangeArgs, SourceArgs, duration};
use crate::config::JSON_SCHEMAS;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};
use crosstail_core::number::truncated_u64;

#[derive(Debug, Args)]
pub(in crate::cli) struct SchemaArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: SchemaCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SchemaCommand {
    /// List the built-in schemas
    List,
    /// Print a schema as a starting point for your own, or the SQL, JSON or topic settings that it creates in its stores
    #[command(
        after_help = "Examples:\n  crosstail schema show prokure > my-schema.toml\n  crosstail schema show engineering-logs -o sql | less"
    )]
    Show {
        /// Name of a schema, or path of a TOML file
        name: String,
        /// What to print
        #[arg(long, short, value_enum, default_value_t = SchemaFormat::Toml)]
        output: SchemaFormat,
    },
    /// Print a draft of a schema, or of a format: for a table of a database, or for a log file whose records fit none
    #[command(
        after_help = "Examples:\n  crosstail schema draft --from odd.log > ~/.config/crosstail/formats/odd.toml\n  crosstail schema draft --from postgres://me@db/shop --table api_calls > calls.toml\n\nNames, types and a sample of the rows decide what is what. Without --table, the table that is most\nlikely a log of calls is taken."
    )]
    Draft {
        /// The log file, or the address of a database
        #[arg(long, value_name = "FILE|URL")]
        from: String,
        /// A table or collection of the database
        #[arg(long, value_name = "NAME")]
        table: Option<String>,
    },
    /// Create a schema's missing tables, views, collections, indexes, templates, policies and topics, after showing them and asking
    #[command(
        after_help = "Examples:\n  crosstail schema apply prokure --to postgres://me@db/prokure --dry-run\n  crosstail schema apply prokure --to mongodb://db/prokure_logs --yes\n  crosstail schema apply engineering-logs --to kafka://broker:9092 --yes\n  crosstail schema apply halopsa --to es+http://es:9200 --yes\n\nExisting objects stay as they are. Without a terminal, pass --yes; otherwise nothing is written\nand the exit code is 64."
    )]
    Apply {
        /// Name of a schema
        name: String,
        #[arg(long, value_name = "URL", help = creator_help())]
        to: String,
        /// Create only the trigger that makes live updates immediate (PostgreSQL)
        #[arg(long)]
        notify: bool,
        /// Show the statements without running them
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        /// Run the statements without asking
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SchemaFormat {
    /// The schema file: how records become activities
    Toml,
    /// What it creates in SQL databases
    Sql,
    /// What it creates in MongoDB and Elasticsearch
    Json,
    /// The settings of its Kafka topics
    Properties,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ConfigArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: ConfigCommand,
}

fn kinds_of_file() -> PossibleValuesParser {
    PossibleValuesParser::new(JSON_SCHEMAS.iter().map(|(name, _)| *name))
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigCommand {
    /// Ask what to connect to, then write a commented configuration file
    #[command(
        after_help = "Examples:\n  crosstail config init\n  crosstail config init --yes -s prokure=postgres://me@db/prokure -s logs=/var/log/app/\n\nNo password is written. The file names the variable, file or command that supplies it."
    )]
    Init {
        /// Add this source instead of asking for sources: NAME=ADDRESS or ADDRESS; repeatable
        #[arg(long = "source", short, value_name = "NAME=ADDRESS")]
        sources: Vec<String>,
        /// Do not ask anything
        #[arg(long, short)]
        yes: bool,
        /// Write crosstail.toml in the current folder, for this project, instead of your own file
        #[arg(long)]
        project: bool,
        /// Overwrite an existing file
        #[arg(long)]
        force: bool,
    },
    /// Check the configuration: sources, schemas, filters, rules, channels, secrets; exit code 1 if anything is wrong
    Check,
    /// Print every value in force, without secrets, and the file and line, variable or flag that set it
    #[command(after_help = "Examples:\n  crosstail config show\n  crosstail config show --profile prod -o json")]
    Show {
        /// Theme, as in the explorer
        #[arg(long)]
        theme: Option<String>,
        /// Time zone, as in the other commands
        #[arg(long, value_name = "ZONE")]
        zone: Option<String>,
        /// Output format
        #[arg(long, short, value_enum, default_value_t = TextOrJson::Text)]
        output: TextOrJson,
    },
    /// Print where the files are
    Path,
    /// Print the JSON Schema of a file, by which editors check and complete it; or write all of them beside the configuration
    #[command(
        after_help = "Examples:\n  crosstail config json-schema rule > rule.json\n  crosstail config json-schema --write\n\nFiles that crosstail writes name theirs in the first line: #:schema json-schema/config.json. After an\nupgrade, --write makes them anew."
    )]
    JsonSchema {
        /// The kind of file
        #[arg(value_parser = kinds_of_file(), required_unless_present = "write", conflicts_with = "write")]
        kind: Option<String>,
        /// Write all of them into the folder json-schema beside the configuration
        #[arg(long)]
        write: bool,
    },
    /// Use the crosstail.toml of this project: print what it wants, and ask
    #[command(
        after_help = "A project's file comes with a checkout, so it is not used until you have trusted it, and again when it or a schema that it names has changed. It never gets passwords of your environment, and never takes the place of your channels.\n\nExamples:\n  crosstail config trust\n  crosstail config trust --remove"
    )]
    Trust {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Do not use it any longer
        #[arg(long, conflicts_with = "yes")]
        remove: bool,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail completions bash > ~/.local/share/bash-completion/completions/crosstail\n  crosstail completions zsh > ~/.zfunc/_crosstail\n  crosstail completions fish > ~/.config/fish/completions/crosstail.fish"
)]
pub(in crate::cli) struct CompletionsArgs {
    /// The shell
    pub(in crate::cli) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CompleteArgs {
    /// The words after the name of the program; the last one is being typed
    #[arg(last = true)]
    pub(in crate::cli) words: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  crosstail man > crosstail.1\n  crosstail man export | man -l -")]
pub(in crate::cli) struct ManArgs {
    /// Print only the page of this command: `export`, or `alerts ack`
    #[arg(value_name = "COMMAND")]
    pub(in crate::cli) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HelpArgs {
    /// A command, a topic (filter, sources, exit-codes), or the code of an error: E003
    #[arg(value_name = "COMMAND|TOPIC")]
    pub(in crate::cli) about: Vec<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail doctor            check this terminal, the configuration, every source\n  crosstail doctor -s postgres://me@db/prokure -s 'logs/*.log'\n  crosstail doctor -s kafka://broker:9092/orders -o json\n\nThe worst finding sets the exit code: 0 for none, 1 for a warning, 2 for a problem. This command writes nothing."
)]
pub(in crate::cli) struct DoctorArgs {
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    /// Show only warnings and problems
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = TextOrJson::Text)]
    pub(in crate::cli) output: TextOrJson,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail export status:failed --since 7d -s 'logs/*.log' --output failures.csv\n  crosstail export -s demo.sqlite --output all.parquet\n  crosstail export -s postgres://me@db/prokure --since 30d --payloads --output month.sqlite\n\nActivities are written oldest first, up to now. Until the export is complete, the output is in\nFILE.part, and FILE.resume records the progress. After an interruption (exit code 130), run the same\ncommand again to resume. CSV follows RFC 4180; a value that a spreadsheet would read as a formula gets a\nleading apostrophe. Open a .sqlite file with crosstail FILE."
)]
pub(in crate::cli) struct ExportArgs {
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArgs,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[command(flatten)]
    pub(in crate::cli) range: RangeArgs,
    /// File to write; its extension sets the format: .csv, .ndjson, .parquet or .sqlite
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) output: std::path::PathBuf,
    /// Include headers and bodies, without secrets; each is loaded from its store
    #[arg(long)]
    pub(in crate::cli) payloads: bool,
    /// Only these columns, separated by commas: fields of -o json or of filters, and paths such as req.body.order.id
    #[arg(long, visible_alias = "columns", value_name = "FIELDS", value_delimiter = ',')]
    pub(in crate::cli) fields: Vec<String>,
    /// Overwrite an existing file
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Start over instead of resuming an interrupted export
    #[arg(long)]
    pub(in crate::cli) restart: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail generate --to mongodb://db/prokure_logs --rate 50\n  crosstail generate --to postgres://me@db/prokure --history 24h --for 10m\n  crosstail generate --to logs/ --count 1000 --rate 500\n  crosstail generate --to kafka://broker:9092 --to es+http://es:9200/engineering_logs --for 1m\n  crosstail generate --to demo.sqlite --history 24h --rate 1 --for 0s --incident outage:SAP\n\nWrites until Ctrl-C, or until --for or --count ends it. Then prints how much it wrote, one line for\neach table, collection, index, topic or file."
)]
pub(in crate::cli) struct GenerateArgs {
    #[arg(long, value_name = "URL", required = true, help = writing_help())]
    pub(in crate::cli) to: Vec<String>,
    /// The system to imitate: prokure, integration-activity, halopsa, log-tracking, engineering-logs; recognised from the store if omitted
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) schema: Option<String>,
    /// Activities per second
    #[arg(long, default_value_t = 10.0)]
    pub(in crate::cli) rate: f64,
    /// First write this much history, as fast as the stores accept it
    #[arg(long, default_value = "0s", value_parser = span)]
    pub(in crate::cli) history: std::time::Duration,
    /// Stop after this much live traffic; 0s writes only the history
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    pub(in crate::cli) length: Option<std::time::Duration>,
    /// Stop after this many activities
    #[arg(long, value_name = "N")]
    pub(in crate::cli) count: Option<u64>,
    /// Simulated faults: usual (occasional faults), none, or one fault in one system: outage, slow or limited, as in outage:SAP
    #[arg(long, default_value = "usual", value_name = "WHAT", value_parser = incident)]
    pub(in crate::cli) incident: crosstail_record::simulate::Incident,
    /// Seed of the random generator: the same seed gives the same activities, which a store accepts only once [default: random]
    #[arg(long)]
    pub(in crate::cli) seed: Option<u64>,
    /// Number of rotated log files (5 MB each) to keep for each name; 0 keeps all
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(in crate::cli) keep_files: usize,
    /// Format of the final summary
    #[arg(long, short, value_enum, default_value_t = TextOrJson::Text)]
    pub(in crate::cli) output: TextOrJson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum TextOrJson {
    /// Readable text
    Text,
    /// One JSON object per line
    Json,
}

/// The URL schemes of the kinds that can do something, as `postgres://, mysql://`.
fn schemes(can: impl Fn(&crosstail_source::Kind) -> bool) -> String {
    let kinds = crate::kinds::ALL.iter().filter(|kind| !kind.takes_several && can(kind));
    kinds.map(|kind| format!("{}://", kind.schemes[0])).collect::<Vec<_>>().join(", ")
}

fn creator_help() -> String {
    format!("Store to create the objects in: {}", schemes(|kind| kind.creator.is_some()))
}

fn writing_help() -> String {
    let schemes = schemes(|kind| kind.writing.is_some());
    format!(
        "Store to write to: {schemes}, a folder (for Winston's log files) or a .sqlite file; repeatable, and each receives the same traffic"
    )
}

/// A length of time, zero included.
fn span(text: &str) -> Result<std::time::Duration, String> {
    match crosstail_core::filter::duration_us(text) {
        Some(us) if us >= 0.0 => Ok(std::time::Duration::from_micros(truncated_u64(us))),
        _ => duration(text),
    }
}

fn incident(text: &str) -> Result<crosstail_record::simulate::Incident, String> {
    use crosstail_record::simulate::{Fault, Incident};
    let (what, system) = text.split_once(':').unwrap_or((text, "SAP"));
    let trouble = match what {
        "usual" => return Ok(Incident::Usual),
        "none" => return Ok(Incident::None),
        "outage" => Fault::Outage,
        "slow" => Fault::Slow,
        "limited" => Fault::Limited,
        _ => {
            return Err(
                "an incident is usual, none, outage, slow or limited; for one system, write outage:SAP".to_owned()
            );
        }
    };
    let known = || Incident::systems().collect::<Vec<_>>().join(", ");
    let at = Incident::systems().position(|known| known.eq_ignore_ascii_case(system));
    at.map(|at| Incident::Of(trouble, at)).ok_or_else(|| format!("no system '{system}'; the systems are {}", known()))
}
