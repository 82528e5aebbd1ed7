//! Opens the sources that arguments and configuration name.

use super::UsageError;
use super::args::SourceArgs;
use super::output::print_error;
use super::stdin::StdinSpool;
use crate::config::{self, Config};
use crate::{kinds, runtime};
use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::{Clock, Names, SourceId, Timestamp};
use crosstail_core::number::truncated_i64;
use crosstail_source::{Job, Kind, Priority, Source, SourceConfig};
use std::sync::Arc;

/// The opened sources of one command.
pub(super) struct OpenSources {
    pub(super) names: Names,
    pub(super) sources: Vec<(SourceId, Arc<dyn Source>)>,
    pub(super) configs: Vec<SourceConfig>,
    /// The kind of each source.
    pub(super) kinds: Vec<&'static Kind>,
    /// Keeps the copy of standard input on disk until the command ends.
    pub(super) _stdin: Option<StdinSpool>,
}

impl OpenSources {
    /// How the alerts of each source are changed, and its address.
    pub(super) fn alert_writers(&self) -> runtime::alert::Writers {
        let mut writers = runtime::alert::Writers::new();
        for (((id, _), kind), config) in self.sources.iter().zip(&self.kinds).zip(&self.configs) {
            if let (Some(alerts), Some(address)) = (kind.alerts, config.at.first()) {
                writers.insert(*id, (alerts, address.clone()));
            }
        }
        writers
    }
}

/// The sources that the arguments name; without arguments, those of the configuration. Plain paths together are one
/// source (a failure in `error.log` and `combined.log` is one activity); each URL and each database is its own.
pub(super) fn configs(
    arguments: &[String],
    schema: Option<&str>,
    config: &Config,
) -> anyhow::Result<(Vec<SourceConfig>, Option<StdinSpool>)> {
    let schema = schema.map(config::schema).transpose()?;
    let mut found: Vec<SourceConfig> = Vec::new();
    let mut files: Option<SourceConfig> = None;
    let mut spool = None;
    for argument in arguments {
        if let Some(named) = config.sources.iter().find(|entry| entry.name == *argument) {
            found.push(named.config()?);
            continue;
        }
        if argument == "-" {
            let spooled = StdinSpool::start()?;
            let at = vec![spooled.path().display().to_string()];
            let ended = Some(spooled.ended());
            let schema = schema.clone();
            found.push(SourceConfig { name: "stdin".to_owned(), at, schema, ended, ..SourceConfig::default() });
            spool = Some(spooled);
            continue;
        }
        let one = SourceConfig { schema: schema.clone(), ..kinds::ALL.configure(argument) };
        if argument.contains("://") || kinds::ALL.of(argument).is_some_and(|kind| !kind.takes_several) {
            found.push(one);
            continue;
        }
        let matches_something = argument.contains(['*', '?', '[']) || std::path::Path::new(argument).exists();
        if !matches_something {
            let hint = kinds::ALL.hint();
            return Err(UsageError(format!("no file '{argument}'; a source is one of: {hint}")).into());
        }
        match &mut files {
            Some(files) => files.at.push(argument.clone()),
            None => files = Some(one),
        }
    }
    if let Some(mut files) = files {
        if files.at.len() > 1 {
            files.name = "files".to_owned();
        }
        found.push(files);
    }
    if arguments.is_empty() {
        found = config.source_configs()?;
    }
    Ok((found, spool))
}

pub(super) fn open(configs: Vec<SourceConfig>, stdin: Option<StdinSpool>) -> anyhow::Result<OpenSources> {
    let names = Names::default();
    let sources = configs.iter().map(|config| kinds::ALL.open(config, &names)).collect::<Result<Vec<_>, _>>()?;
    let kinds = configs.iter().filter_map(|config| kinds::ALL.of(config.address())).collect();
    Ok(OpenSources { names, sources, configs, kinds, _stdin: stdin })
}

pub(super) async fn open_args(args: &SourceArgs, config: &Config) -> anyhow::Result<OpenSources> {
    let (configs, stdin) = configs(&args.sources, args.schema.as_deref(), config)?;
    if configs.is_empty() {
        return Err(UsageError("no source; name one with --source PATH, or configure one".to_owned()).into());
    }
    if let Some(spool) = &stdin {
        spool.wait_for_end();
    }
    let opened = open(configs, stdin)?;
    // A table that may not be read is missing from the output: report it.
    for ((id, source), kind) in opened.sources.iter().zip(&opened.kinds) {
        if kind.may_hide {
            for warning in source.probe(&Job::new("connect", Priority::Asked)).await?.warnings {
                print_error(&format!("{}: {warning}", opened.names.source_name(*id)));
            }
        }
    }
    Ok(opened)
}

/// The filter of the command line, and the time and zone that it depends on.
pub(super) fn filter(words: &[String], args: &SourceArgs, config: &Config) -> anyhow::Result<(Filter, Context)> {
    let text = words.join(" ");
    let filter = Filter::parse(&text).map_err(|error| UsageError(format!("filter:\n{}", error.with_carets(&text))))?;
    let zone = args.zone.as_deref().or(config.time_zone.as_deref()).unwrap_or("UTC");
    let zone = config::zone(zone).map_err(|error| UsageError(error.to_string()))?;
    Ok((filter, Context { now: Clock::system().now(), zone }))
}

/// A time as in the filter language: `--since 1h`, `--since 2026-11-20T09:00`.
pub(super) fn moment(text: Option<&str>, context: &Context) -> anyhow::Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    if let Some(us) = crosstail_core::filter::duration_us(text.trim_start_matches('-')) {
        return Ok(Some(context.now.plus_us(-truncated_i64(us))));
    }
    let moment = crosstail_core::filter::moment(text, context).map_err(|error| UsageError(error.message))?;
    Ok(Some(moment))
}
