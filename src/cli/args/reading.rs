//! Options of the commands that read activities: filters, ranges of time, forms of output.

use super::{SourceArgs, duration};
use clap::{Args, ValueEnum};
use crosstail_core::filter::Field;

/// When a search begins or ends.
const TIMES: &str =
    "15m, '1h ago', 1mo, yesterday, 2026-11-20, 2026-11-20T09:00, a time with a zone (RFC 3339) or @1763979280";

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct FilterArgs {
    /// Filter, for example: status:failed system:SAP. It may begin with '-'; `crosstail help filter` explains it
    #[arg(id = "filter", value_name = "FILTER")]
    pub(in crate::cli) words: Vec<String>,
    /// A filter, in addition to the words
    #[arg(id = "filter_option", long = "filter", short = 'f', value_name = "FILTER", allow_hyphen_values = true)]
    pub(in crate::cli) option: Option<String>,
}

impl FilterArgs {
    /// The filter as one text.
    pub(in crate::cli) fn text(&self) -> String {
        // An argument that begins with '-' comes with a blank before it.
        let words = self.words.iter().map(|word| word.trim()).collect::<Vec<_>>().join(" ");
        match &self.option {
            Some(option) if words.is_empty() => option.clone(),
            Some(option) => format!("({option}) ({words})"),
            None => words,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct RangeArgs {
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = format!("Only activities from this time on: {TIMES}"))]
    pub(in crate::cli) since: Option<String>,
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help = "Only activities before this time; of a day, up to its end"
    )]
    pub(in crate::cli) until: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct OutputArgs {
    /// Output format
    #[arg(long, short, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// JSON: -o json
    #[arg(long, hide = true)]
    json: bool,
    /// Only these fields, separated by commas: those of -o json or of filters, and paths of payloads such as meta.tenant
    #[arg(long, visible_alias = "columns", value_name = "FIELDS", value_delimiter = ',')]
    pub(in crate::cli) fields: Vec<String>,
    /// No line of headers in csv and table
    #[arg(long)]
    pub(in crate::cli) no_headers: bool,
    /// CSV for spreadsheets: a value that would be read as a formula gets a leading apostrophe, as in exports
    #[arg(long)]
    pub(in crate::cli) spreadsheet: bool,
    /// Only data: no notes on stderr
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
}

impl OutputArgs {
    pub(in crate::cli) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.output }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// One line per activity (in `alerts`, the same as table)
    Text,
    /// One JSON object per line
    #[value(alias = "jsonl", alias = "ndjson")]
    Json,
    /// Comma-separated values with a header
    Csv,
    /// Aligned columns
    Table,
    /// Aligned columns, with the id and the source
    Wide,
    /// The ids
    #[value(alias = "id")]
    Name,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail query status:failed --since 1h -s 'logs/*.log'\n  crosstail query 'system:SAP latency>2s' -s demo.sqlite -o json --limit 0"
)]
pub(in crate::cli) struct QueryArgs {
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArgs,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[command(flatten)]
    pub(in crate::cli) range: RangeArgs,
    /// Maximum number of activities; 0 for no limit [default: 1000]
    #[arg(long, short = 'n', value_name = "N")]
    pub(in crate::cli) limit: Option<usize>,
    /// Order: time (oldest first), -time (newest first), duration (shortest first) or -duration (longest first)
    #[arg(long, default_value = "-time", allow_hyphen_values = true, value_parser = sort)]
    pub(in crate::cli) sort: Sort,
    /// Print only how many there are
    #[arg(long)]
    pub(in crate::cli) count: bool,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
    /// What `tail` does
    #[arg(long, visible_alias = "tail", hide = true)]
    pub(in crate::cli) follow: bool,
}

/// The order of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Sort {
    /// By start; the newest first?
    Time { newest_first: bool },
    /// By how long it took; the longest first?
    Duration { longest_first: bool },
}

fn sort(text: &str) -> Result<Sort, String> {
    let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    match Field::parse(name) {
        Some(Field::Time) => Ok(Sort::Time { newest_first: descending }),
        Some(Field::Duration) => Ok(Sort::Duration { longest_first: descending }),
        _ => Err("the orders are time, -time, duration and -duration".to_owned()),
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail tail level>=error -s /var/log/app/\n  crosstail tail kind:webhook -s app.log --since 10m -o json\n  crosstail tail -n 20 -s app.log"
)]
pub(in crate::cli) struct TailArgs {
    /// Filter, for example: status:failed system:SAP. It may begin with '-'; `crosstail help filter` explains it
    #[arg(id = "filter", value_name = "FILTER")]
    pub(in crate::cli) words: Vec<String>,
    /// A filter, in addition to the words
    #[arg(id = "filter_option", long = "filter", value_name = "FILTER", allow_hyphen_values = true)]
    pub(in crate::cli) option: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = format!("First print past activities from this time on: {TIMES}"))]
    pub(in crate::cli) since: Option<String>,
    /// First print the last N activities
    #[arg(long, visible_alias = "tail", short = 'n', value_name = "N", conflicts_with = "since")]
    pub(in crate::cli) lines: Option<usize>,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
    /// What it does anyway
    #[arg(long, short = 'f', visible_short_alias = 'F', hide = true)]
    pub(in crate::cli) follow: bool,
}

impl TailArgs {
    pub(in crate::cli) fn filter(&self) -> FilterArgs {
        FilterArgs { words: self.words.clone(), option: self.option.clone() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum StatsFormat {
    /// Aligned columns
    Table,
    /// One JSON object per line
    #[value(alias = "jsonl", alias = "ndjson")]
    Json,
    /// Comma-separated values with a header
    Csv,
    /// A self-contained page with charts
    Html,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosstail stats --by system,status --since 24h -s logs/\n  crosstail stats is:failure --by endpoint --every 1h -s demo.sqlite -o json\n  crosstail stats --report failed_by_type --since 24h -s demo.sqlite\n  crosstail stats --report all --since 7d -s demo.sqlite -o html > report.html"
)]
pub(in crate::cli) struct StatsArgs {
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArgs,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    /// Fields to group by, separated by commas; also paths of payloads, such as req.body.order.type, which are loaded one by one [default: none: everything is one group]
    #[arg(long, value_delimiter = ',', value_name = "FIELDS")]
    pub(in crate::cli) by: Option<Vec<String>>,
    /// Also group by intervals of this length: 5m, 1h, 1d, 1w; days and weeks are those of --zone, weeks begin on Monday or on the configured `week_start`
    #[arg(long, value_name = "SPAN", value_parser = duration)]
    pub(in crate::cli) every: Option<std::time::Duration>,
    #[command(flatten)]
    pub(in crate::cli) range: RangeArgs,
    /// Print a predefined report instead: failed_by_type, success_by_system, most_active, slowest_endpoints, volume_by_day, or all
    #[arg(long, value_name = "NAME", conflicts_with_all = ["by", "every"])]
    pub(in crate::cli) report: Option<String>,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = StatsFormat::Table)]
    output: StatsFormat,
    /// JSON: -o json
    #[arg(long, hide = true)]
    json: bool,
    /// No line of headers in csv and table
    #[arg(long)]
    pub(in crate::cli) no_headers: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A word that varies by its form (a number, an id, an address, a quoted value) is <*>, and so is one of which there are at least six at its place, everything else being equal. The id of a pattern follows from its text alone.\n\nExamples:\n  crosstail patterns is:failure --since 24h -s logs/\n  crosstail patterns system:SAP -s demo.sqlite -o json"
)]
pub(in crate::cli) struct PatternsArgs {
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArgs,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[command(flatten)]
    pub(in crate::cli) range: RangeArgs,
    /// Print this many, the most frequent first; 0 prints all
    #[arg(long, short = 'n', default_value_t = 50, value_name = "N")]
    pub(in crate::cli) limit: usize,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = ListFormat::Text)]
    pub(in crate::cli) output: ListFormat,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The newest activities that match are looked at, with their payloads. Every field and path that is printed can be in a filter, in --by and in --fields.\n\nExamples:\n  crosstail fields -s demo.sqlite\n  crosstail fields system:SAP --since 24h --sample 1000 -s demo.sqlite -o json"
)]
pub(in crate::cli) struct FieldsArgs {
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArgs,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[command(flatten)]
    pub(in crate::cli) range: RangeArgs,
    /// Look at this many activities, the newest
    #[arg(long, default_value = "200", value_name = "N", value_parser = sample)]
    pub(in crate::cli) sample: usize,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = ListFormat::Text)]
    pub(in crate::cli) output: ListFormat,
}

/// How many activities are looked at.
fn sample(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=100_000).contains(number));
    number.ok_or_else(|| "a number from 1 to 100000".to_owned())
}

#[derive(Debug, Args)]
#[command(
    after_help = "A group is failures of one system and endpoint, of one kind (HTTP status, error class, timeout), that say the same but for what varies. It is new if it did not occur in the 14 days before, back again if it was silent for a day, quiet if it is. The days before are asked of the sources once, and remembered in the folder of the state.\n\nExamples:\n  crosstail failures --since 24h -s logs/\n  crosstail failures system:SAP --since 1h -s demo.sqlite -o json"
)]
pub(in crate::cli) struct FailuresArgs {
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArgs,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[command(flatten)]
    pub(in crate::cli) range: RangeArgs,
    /// Print this many, new ones first; 0 prints all
    #[arg(long, short = 'n', default_value_t = 50, value_name = "N")]
    pub(in crate::cli) limit: usize,
    /// Print muted groups, too; json and csv have them always
    #[arg(long)]
    pub(in crate::cli) muted: bool,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = ListFormat::Text)]
    pub(in crate::cli) output: ListFormat,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A change is where the figures of a system went to another level, and stayed there for three of 720 buckets of the range or longer, at once: what grows all day does not change. Of what does not change, one series in 1,000 is said to: a permutation test says what is more than chance.\n\nExamples:\n  crosstail changes --since 24h -s demo.sqlite\n  crosstail changes --by system,endpoint --since 24h -s demo.sqlite\n  crosstail changes system:SAP --since 7d -s demo.sqlite -o json"
)]
pub(in crate::cli) struct ChangesArgs {
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArgs,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[command(flatten)]
    pub(in crate::cli) range: RangeArgs,
    /// Fields whose values have figures of their own, separated by commas: system, endpoint, operation, source, kind, direction, org
    #[arg(long, value_delimiter = ',', value_name = "FIELDS", default_value = "system")]
    pub(in crate::cli) by: Vec<String>,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = ListFormat::Text)]
    pub(in crate::cli) output: ListFormat,
}

#[derive(Debug, Args)]
#[command(
    after_help = "What is told is more than chance: a two-proportion z-test exceeds its limit once in a thousand cases. A single store counts the values of fields; patterns are of what was read (the newest 50,000 of each set), paths of payloads of a sample of 200 of each.\n\nExamples:\n  crosstail compare system:SAP --at 09:00 -s demo.sqlite\n  crosstail compare status:failed --with status:success --since 24h -s demo.sqlite\n  crosstail compare --previous --since 1h -s demo.sqlite -o json"
)]
pub(in crate::cli) struct CompareArgs {
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArgs,
    /// Compare with what this filter keeps; in the same time, if it does not name one
    #[arg(long = "with", value_name = "FILTER", allow_hyphen_values = true, group = "compared")]
    pub(in crate::cli) other: Option<String>,
    /// Compare what was after a moment with what was before it: 09:00, 15m
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, group = "compared")]
    pub(in crate::cli) at: Option<String>,
    /// Compare with the time before --since, as long as from then to --until
    #[arg(long, group = "compared", requires = "since")]
    pub(in crate::cli) previous: bool,
    /// With --at: how long before and after it, where --since and --until do not say
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = length)]
    pub(in crate::cli) around: i64,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[command(flatten)]
    pub(in crate::cli) range: RangeArgs,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = ListFormat::Text)]
    pub(in crate::cli) output: ListFormat,
}

/// A length of time, in microseconds.
fn length(text: &str) -> Result<i64, String> {
    let us = crosstail_core::filter::duration_us(text).ok_or("write a length of time: 30m, 1h")?;
    Ok(crosstail_core::number::truncated_i64(us))
}

#[derive(Debug, Args)]
#[command(
    after_help = "Without a text, it lists what was marked.\n\nExamples:\n  crosstail mark 'deployed 1.4.3'\n  crosstail mark --at 15m 'partner announced maintenance'"
)]
pub(in crate::cli) struct MarkArgs {
    /// What happened
    #[arg(value_name = "TEXT")]
    pub(in crate::cli) text: Vec<String>,
    /// When, if not now: 15m, 09:00, 2026-11-20T09:00
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(in crate::cli) at: Option<String>,
}

#[cfg(feature = "resend")]
#[derive(Debug, Args)]
#[command(
    after_help = "Only outgoing calls whose method, address and body were recorded are sent. Secrets were not recorded: [[send]]\nin the configuration names, for each host, the variables that have them. Each request gets an X-Request-Id\nof its own, by which the new activity is found, and X-Resend-Of; an Idempotency-Key stays as it was. What\nis sent is noted before and after in resends.ndjson in the folder of the state.\n\nExamples:\n  crosstail resend 'endpoint:/po/*' --limit 50000 -s demo.sqlite\n  crosstail resend 'status:failed system:SAP' --limit 50000 -s demo.sqlite -o json"
)]
pub(in crate::cli) struct ResendArgs {
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArgs,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[command(flatten)]
    pub(in crate::cli) range: RangeArgs,
    /// Send at most this many; where more match, none is sent
    #[arg(long, short = 'n', value_name = "N")]
    pub(in crate::cli) limit: usize,
    /// Send; without it, only what would be sent is shown
    #[arg(long)]
    pub(in crate::cli) allow_sends: bool,
    /// Do not ask for the number of requests
    #[arg(long, short)]
    pub(in crate::cli) yes: bool,
    /// Requests a second
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = rate)]
    pub(in crate::cli) rate: f64,
    /// Go on after a request that fails
    #[arg(long)]
    pub(in crate::cli) keep_going: bool,
    /// Leave out what cannot be sent; otherwise nothing is
    #[arg(long)]
    pub(in crate::cli) skip: bool,
    /// Send also what has succeeded, is still being tried, or was sent again before
    #[arg(long)]
    pub(in crate::cli) anyway: bool,
    /// Send this file as the body of each
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) body: Option<std::path::PathBuf>,
    /// Who sends, for what is noted
    #[arg(long = "as", env = "USER", value_name = "WHO")]
    pub(in crate::cli) who: Option<String>,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = super::TextOrJson::Text)]
    pub(in crate::cli) output: super::TextOrJson,
}

#[cfg(feature = "resend")]
fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= 1000.0);
    rate.ok_or_else(|| format!("'{text}' is no rate; write requests a second, above 0 and at most 1000"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ListFormat {
    /// Aligned columns
    #[value(alias = "table")]
    Text,
    /// One JSON object per line
    #[value(alias = "jsonl", alias = "ndjson")]
    Json,
    /// Comma-separated values with a header
    Csv,
}

impl StatsArgs {
    pub(in crate::cli) fn format(&self) -> StatsFormat {
        if self.json { StatsFormat::Json } else { self.output }
    }
}

/// The smallest answer of `crosstail mcp` that can say something, in bytes.
#[cfg(feature = "mcp")]
const SMALLEST_ANSWER: u64 = 4000;

#[cfg(feature = "mcp")]
#[derive(Debug, Args)]
#[command(
    after_help = "A client starts it; for example, in the configuration of an assistant: {\"command\": \"crosstail\", \"args\": [\"mcp\", \"-s\", \"logs/\"]}\n\nExamples:\n  crosstail mcp -s demo.sqlite\n  crosstail mcp --profile production --timeout 10s"
)]
pub(in crate::cli) struct McpArgs {
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    /// How long an answer may take
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = duration)]
    pub(in crate::cli) timeout: std::time::Duration,
    /// The size of an answer, in bytes, at most
    #[arg(long = "max-bytes", value_name = "BYTES", default_value_t = 32_000, value_parser = clap::value_parser!(u64).range(SMALLEST_ANSWER..))]
    pub(in crate::cli) most_bytes: u64,
}
