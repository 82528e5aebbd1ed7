//! Options of what the explorer shows, and of what it may change.

use super::ExploreArgs;
use clap::Args;

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ViewArgs {
    /// Start with this filter
    #[arg(long, short = 'f', value_name = "FILTER", allow_hyphen_values = true)]
    pub(in crate::cli) filter: Option<String>,
    /// Open the request that this text identifies: an id, a traceparent, an address, an order number
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) open: Option<String>,
    /// Tab to show first with --open: overview, request, response, error, retries, trace, raw, compare
    #[arg(long, value_name = "TAB", requires = "open", value_parser = tab)]
    pub(in crate::cli) tab: Option<crate::screens::Tab>,
    /// Columns of the list, separated by commas: fields, 'what', and paths such as req.body.order.id, with a width behind a colon
    #[arg(id = "explored_columns", long = "columns", value_name = "FIELDS", value_delimiter = ',')]
    pub(in crate::cli) columns: Vec<String>,
    /// Fields and paths whose values the facets count, separated by commas
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub(in crate::cli) facets: Vec<String>,
    /// Do not go on where the last session over these sources was left (range, columns, panels, marks, filters used), and leave what is remembered as it is
    #[arg(long)]
    pub(in crate::cli) fresh: bool,
    /// Theme: dark, light, contrast, colourblind, ansi, none, or one of your own (or set CROSSTAIL_THEME)
    #[arg(long)]
    pub(in crate::cli) theme: Option<String>,
    /// Time zone for the screen: UTC, local, +02:00, or a name such as Europe/Berlin (or set CROSSTAIL_TZ)
    #[arg(id = "explored_zone", long = "zone", visible_alias = "tz", value_name = "ZONE", allow_hyphen_values = true)]
    pub(in crate::cli) zone: Option<String>,
    /// Times in UTC: --zone UTC
    #[arg(id = "explored_utc", long = "utc", hide = true, conflicts_with = "explored_zone")]
    pub(in crate::cli) utc: bool,
    /// Range of time to show: 15m, 24h, 7d, everything, or 2026-09-01..2026-09-02 (or set CROSSTAIL_RANGE) [default: 24h; everything if only files are shown]
    #[arg(long, value_name = "RANGE")]
    pub(in crate::cli) range: Option<String>,
    /// Memory for activities, for example 256MB (or set CROSSTAIL_MEMORY); what does not fit stays in the stores
    #[arg(long, value_name = "SIZE")]
    pub(in crate::cli) memory: Option<String>,
    /// Maximum number of activities in memory (or set CROSSTAIL_HISTORY_LIMIT); 2,000,000 unless configured otherwise
    #[arg(long, value_name = "N")]
    pub(in crate::cli) history_limit: Option<usize>,
    /// Allow sending outgoing calls again (ctrl-s); each is shown, and the number is typed before any is sent
    #[arg(long)]
    pub(in crate::cli) allow_sends: bool,
    #[command(flatten)]
    pub(in crate::cli) writes: WriteArgs,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct WriteArgs {
    /// Allow acknowledging and resolving alerts in their stores; otherwise nothing is written to a store
    #[arg(long)]
    pub(in crate::cli) allow_writes: bool,
    /// Who acknowledges or resolves the alert; for PostgreSQL, a name, e-mail address or id from its table `users`
    #[arg(long = "as", env = "USER", value_name = "WHO")]
    pub(in crate::cli) who: Option<String>,
}

impl ExploreArgs {
    /// Whether any of these options or arguments was given.
    pub(in crate::cli) fn is_given(&self) -> bool {
        let look = &self.look;
        let texts = [&look.filter, &look.open, &look.theme, &look.zone, &look.range, &look.memory, &self.schema];
        !self.sources.is_empty()
            || !self.also.is_empty()
            || !self.run.is_empty()
            || look.utc
            || look.fresh
            || !look.columns.is_empty()
            || !look.facets.is_empty()
            || texts.into_iter().any(Option::is_some)
            || look.tab.is_some()
            || look.history_limit.is_some()
            || look.allow_sends
            || look.writes.allow_writes
    }
}

fn tab(text: &str) -> Result<crate::screens::Tab, String> {
    let names = || crate::screens::Tab::ALL.iter().map(|tab| tab.name()).collect::<Vec<_>>().join(", ");
    crate::screens::Tab::parse(text).ok_or_else(|| format!("no tab '{text}'; the tabs are {}", names()))
}
