//! Opens the sources that arguments and configuration name.

use super::args::{FilterArgs, RangeArgs, SourceArgs};
use super::ending::Ending;
use super::output::print_error;
use super::progress::connecting;
use super::spool::{Spool, Stream};
use super::{UsageError, exit, habits};
use crate::config::{self, Config};
use crate::runtime::Work;
use crate::{absent, kinds, runtime};
use anyhow::Context as _;
use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::{Check, Clock, HealthState, Names, SourceId, Timestamp, redact_text};
use crosstail_core::number::truncated_i64;
use crosstail_core::schema::Schema;
use crosstail_source::pump::VITALS_SPAN_US;
use crosstail_source::{CommandLine, Job, Kind, Priority, Run, Source, SourceConfig, SourceError};
use std::sync::Arc;
use std::time::Duration;

/// The opened sources of one command.
pub(super) struct OpenSources {
    pub(super) names: Names,
    pub(super) sources: Vec<(SourceId, Arc<dyn Source>)>,
    pub(super) configs: Vec<SourceConfig>,
    /// The kind of each source.
    pub(super) kinds: Vec<&'static Kind>,
    /// Keep the copies of streams on disk until the command ends.
    spools: Vec<Spool>,
    /// How many sources were named, and how many of them cannot be read, or name nothing.
    named: usize,
    absent: usize,
    /// Whether a part of a source is not there.
    is_partial: bool,
    /// What is said of the sources that cannot be searched.
    unsearched: Vec<String>,
}

impl OpenSources {
    /// The work of a command on these.
    pub(super) fn work(&self, name: &str) -> Work {
        Work::command(name).lacking_a_source(self.absent > 0 || self.is_partial)
    }

    /// Whether something comes through a pipe.
    pub(super) fn has_streams(&self) -> bool {
        !self.spools.is_empty()
    }

    /// Waits until every stream has ended, for a command that prints once.
    pub(super) fn wait_for_streams(&self) {
        self.spools.iter().for_each(Spool::wait_for_end);
    }

    /// Names the sources that failed while a command read, and says how complete its answer is.
    pub(super) fn exit_code(&self, problems: &[SourceError]) -> u8 {
        for problem in problems {
            print_error(&problem.to_string());
        }
        match self.absent {
            absent if absent >= self.named => exit::FAILED,
            0 if problems.is_empty() && !self.is_partial => exit::OK,
            _ => exit::PARTIAL,
        }
    }

    /// A schema for a table of a source.
    pub(super) async fn draft(&self, source: SourceId, table: &str) -> anyhow::Result<Schema> {
        let (_, open) = self.sources.iter().find(|(id, _)| *id == source).context("the source is not open")?;
        let draft = open.draft(Some(table), &Job::new("draft a schema", Priority::Asked)).await?;
        Ok(Schema::from_toml(&draft, table)?)
    }

    /// Opens the same sources again, one of them with another schema. Where that fails, they stay as they are.
    pub(super) fn read_by(&mut self, source: SourceId, schema: Schema) -> anyhow::Result<()> {
        let mut configs = self.configs.clone();
        if let Some(index) = self.sources.iter().position(|(id, _)| *id == source) {
            configs[index].schema = Some(schema);
        }
        let again = open(configs, Vec::new())?;
        *self = Self { spools: std::mem::take(&mut self.spools), ..again };
        Ok(())
    }

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
/// source (a failure in `error.log` and `combined.log` is one activity); each URL, each database and each stream is its own.
pub(super) fn configs(
    arguments: &[String],
    runs: &[String],
    schema: Option<&str>,
    config: &Config,
) -> anyhow::Result<(Vec<SourceConfig>, Vec<Spool>)> {
    let schema = schema.map(config::schema).transpose()?;
    let mut found: Vec<SourceConfig> = Vec::new();
    let mut files: Option<SourceConfig> = None;
    let mut spools: Vec<Spool> = Vec::new();
    let mut streams: Vec<Stream> = Vec::new();
    for argument in arguments {
        // `cmd:NAME` says that it is a command; its name alone is enough.
        let name = argument.strip_prefix("cmd:").unwrap_or(argument);
        if let Some(named) = config.sources.iter().find(|entry| entry.name == name) {
            found.push(named.config()?);
            continue;
        }
        if let Some(stream) = Stream::of(argument).map_err(UsageError)? {
            if streams.contains(&stream) {
                return Err(UsageError(format!("{argument} is named twice, and can be read once")).into());
            }
            streams.push(stream.clone());
            let name = stream.name();
            let spool = Spool::start(stream)?;
            let at = vec![spool.path().display().to_string()];
            let (schema, ended) = (schema.clone(), Some(spool.ended()));
            found.push(SourceConfig { name, at, schema, ended, ..SourceConfig::default() });
            spools.push(spool);
            continue;
        }
        let one = SourceConfig { schema: schema.clone(), ..kinds::ALL.configure(argument) };
        if argument.contains("://") || kinds::ALL.of(argument).is_some_and(|kind| !kind.takes_several) {
            found.push(one);
            continue;
        }
        let matches_something = argument.contains(['*', '?', '[']) || std::path::Path::new(argument).exists();
        if !matches_something {
            let hint = habits::command_like(argument)
                .unwrap_or_else(|| "'crosstail help sources' lists what a source can be".to_owned());
            return Err(UsageError(format!("no file '{argument}' here; {hint}")).into());
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
    found.extend(runs.iter().map(|command| command_source(command, schema.as_ref())));
    if arguments.is_empty() && runs.is_empty() {
        found = config.source_configs()?;
    }
    Ok((found, spools))
}

/// The source of `--run`.
fn command_source(command: &str, schema: Option<&Schema>) -> SourceConfig {
    let run = Run { command: CommandLine::Shell(command.to_owned()), ..Run::default() };
    let name = redact_text(command.lines().next().unwrap_or_default()).chars().take(NAME_CHARACTERS).collect();
    let (at, schema) = (vec![format!("cmd:{command}")], schema.cloned());
    SourceConfig { name, at, schema, run: Some(run), ..SourceConfig::default() }
}

/// How much of a command is the name of its source.
const NAME_CHARACTERS: usize = 40;

pub(super) fn open(configs: Vec<SourceConfig>, spools: Vec<Spool>) -> anyhow::Result<OpenSources> {
    let names = Names::default();
    let sources = configs.iter().map(|config| kinds::ALL.open(config, &names)).collect::<Result<Vec<_>, _>>()?;
    let kinds = configs.iter().filter_map(|config| kinds::ALL.of(config.address())).collect();
    let named = configs.len();
    Ok(OpenSources {
        names,
        sources,
        configs,
        kinds,
        spools,
        named,
        absent: 0,
        is_partial: false,
        unsearched: Vec::new(),
    })
}

/// Those of the configured sources that can be opened; what is wrong with the others, `config check` says.
pub(super) fn open_sound(configs: Vec<SourceConfig>) -> anyhow::Result<OpenSources> {
    let names = Names::default();
    open(configs.into_iter().filter(|config| kinds::ALL.open(config, &names).is_ok()).collect(), Vec::new())
}

/// The named or configured sources, of which there has to be one.
pub(super) fn open_named(args: &SourceArgs, config: &Config) -> anyhow::Result<OpenSources> {
    let (configs, spools) = configs(&args.sources, &args.run, args.schema.as_deref(), config)?;
    if configs.is_empty() {
        return Err(UsageError("no source; name one with --source PATH, or configure one".to_owned()).into());
    }
    open(configs, spools)
}

/// The sources of a command that searches or counts once. What cannot be read, names nothing or cannot be searched is said, and left
/// out as long as another source is there.
pub(super) async fn open_args(args: &SourceArgs, config: &Config) -> anyhow::Result<OpenSources> {
    let mut opened = open_asked(args, config).await?;
    for said in std::mem::take(&mut opened.unsearched) {
        print_error(&said);
    }
    Ok(opened)
}

/// The same for a command that opens one activity: what cannot be searched may be asked for what belongs to it.
pub(super) async fn open_asked(args: &SourceArgs, config: &Config) -> anyhow::Result<OpenSources> {
    let mut opened = open_named(args, config)?;
    opened.wait_for_streams();
    for ((id, source), config) in opened.sources.iter().zip(&opened.configs) {
        let is_command = config.run.is_some();
        opened.is_partial |= !settled(source.as_ref(), &opened.names.source_name(*id), is_command).await;
    }
    let mut failed: Vec<(usize, Box<dyn std::error::Error + Send + Sync>)> = Vec::new();
    for (index, ((id, source), kind)) in opened.sources.iter().zip(&opened.kinds).enumerate() {
        let name = opened.names.source_name(*id);
        let job = Job::new("connect", Priority::Asked);
        if !kind.holds_activities
            && let Some(silent) = silence(source.as_ref(), &job).await
        {
            failed.push((index, format!("{name}: {silent}").into()));
            continue;
        }
        // What is missing from the output, or not as the store has it, is said: a table that may not be read, messages behind
        // a transaction.
        match connecting(&name, source.probe(&job)).await {
            Ok(probe) => {
                for warning in &probe.warnings {
                    print_error(&format!("{name}: {warning}"));
                }
                if let Some(limits) = probe.limits.as_ref().filter(|_| !kind.holds_activities) {
                    opened.unsearched.push(format!("{name}: {limits}"));
                }
                for missing in &probe.missing {
                    print_error(&format!("{name}: {}", redact_text(&absent::said(missing))));
                }
                opened.absent += usize::from(probe.is_absent(opened.configs[index].at.len()));
                opened.is_partial |= probe.is_partial || !probe.missing.is_empty();
            }
            Err(error) => failed.push((index, error.into())),
        }
    }
    for (index, error) in failed.into_iter().rev() {
        if opened.sources.len() == 1 {
            return Err(anyhow::Error::from_boxed(error));
        }
        print_error(&error.to_string());
        opened.absent += 1;
        opened.sources.remove(index);
        opened.kinds.remove(index);
        opened.configs.remove(index);
    }
    Ok(opened)
}

/// How long a command may run before it is said that it does.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// Waits until a source has everything that a command which prints once can have; returns whether that is all of it. A command that
/// goes on is waited for, until somebody ends that with Ctrl-C: what it has printed by then is there.
pub(super) async fn settled(source: &dyn Source, name: &str, is_command: bool) -> bool {
    let job = Job::new("read", Priority::Asked);
    let mut settling = std::pin::pin!(source.settled(&job));
    let told = |outcome: Result<(), SourceError>| outcome.map_err(|error| print_error(&error.to_string())).is_ok();
    if let Ok(outcome) = tokio::time::timeout(PATIENCE, &mut settling).await {
        return told(outcome);
    }
    let mut ending = Ending::listen();
    if is_command {
        print_error(&format!("{name}: still running; Ctrl-C takes what it has printed so far, tail follows it"));
    } else {
        print_error(&format!("{name}: still reading; Ctrl-C takes what has come so far"));
    }
    tokio::select! {
        outcome = &mut settling => told(outcome),
        () = ending.asked() => false,
    }
}

/// Why a page of metrics or a health endpoint says nothing; `None` where it answers.
async fn silence(source: &dyn Source, job: &Job) -> Option<String> {
    let since = Clock::system().now().plus_us(-VITALS_SPAN_US);
    let vitals = match source.vitals(since, job).await {
        Ok(vitals) => vitals,
        Err(error) => return Some(error.to_string()),
    };
    let unknown = |check: &&Check| check.state == HealthState::Unknown;
    vitals.checks.iter().find(unknown).filter(|_| vitals.metrics.is_empty()).map(|check| check.detail.clone())
}

/// The filter of the command line, and the time and zone that it depends on.
pub(super) fn filter(args: &FilterArgs, source: &SourceArgs, config: &Config) -> anyhow::Result<(Filter, Context)> {
    habits::no_source_among(&args.words)?;
    let text = args.text();
    let context = context(source, config)?;
    let wrong =
        |error: crosstail_core::filter::ParseError| UsageError(format!("filter:\n{}", error.with_carets(&text)));
    let (filter, _) = Filter::compile(&text, &context).map_err(wrong)?;
    Ok((filter, context))
}

/// The time and the zone that filters and ranges depend on.
pub(super) fn context(source: &SourceArgs, config: &Config) -> anyhow::Result<Context> {
    let zone = source.zone().or(config.time_zone.as_deref()).unwrap_or("UTC");
    let zone = config::zone(zone).map_err(|error| UsageError(error.to_string()))?;
    Ok(Context { now: Clock::system().now(), zone })
}

/// A time as in the filter language: `--since 1h`, `--since 2026-11-20T09:00`.
pub(super) fn moment(text: Option<&str>, context: &Context) -> anyhow::Result<Option<Timestamp>> {
    text.map(|text| ago_or("--since", text, context, crosstail_core::filter::moment)).transpose()
}

/// Both ends of a range, as `time:since..until` has them.
pub(super) fn range(args: &RangeArgs, context: &Context) -> anyhow::Result<(Option<Timestamp>, Option<Timestamp>)> {
    let since = moment(args.since.as_deref(), context)?;
    let until = args.until.as_deref();
    let until = until.map(|text| ago_or("--until", text, context, crosstail_core::filter::range_end)).transpose()?;
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        let error = format!("--since {} is not before --until {}", since.rfc3339(), until.rfc3339());
        return Err(UsageError(error).into());
    }
    Ok((since, until))
}

/// A length of time is how long ago; anything else is what the filter language says.
fn ago_or(
    option: &str,
    text: &str,
    context: &Context,
    read: fn(&str, &Context) -> Result<Timestamp, crosstail_core::filter::ParseError>,
) -> anyhow::Result<Timestamp> {
    if let Some(us) = crosstail_core::filter::duration_us(text.trim_start_matches('-')) {
        return Ok(context.now.plus_us(-truncated_i64(us)));
    }
    Ok(read(text, context).map_err(|error| UsageError(format!("{option}: {}", error.message)))?)
}

#[cfg(all(test, feature = "sqlite", feature = "postgres"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sources_that_cannot_be_opened_again_stay_as_they_are() {
        let at = |address: &str| vec![address.to_owned()];
        let config =
            SourceConfig { name: "shop".to_owned(), at: at("sqlite:///shop.sqlite"), ..SourceConfig::default() };
        let mut opened = open(vec![config], Vec::new()).expect("opened");
        let text = "name = 'calls'\n[table]\nname = 'calls'\nid = 'id'\ntime = 'at'\n[fields]\nstarted_at = 'at'\n";
        let schema = || Schema::from_toml(text, "calls").expect("a schema");
        let id = opened.sources[0].0;
        opened.configs[0].at = at("postgres://shop:no-port/calls");
        assert!(opened.read_by(id, schema()).is_err());
        assert!(opened.sources.len() == 1 && opened.configs[0].schema.is_none());
        opened.configs[0].at = at("sqlite:///shop.sqlite");
        opened.read_by(id, schema()).expect("opened again");
        assert!(opened.configs[0].schema.is_some());
    }
}
