//! `crosstail [SOURCE…]`.

use super::args::{DemoArgs, ExploreArgs, ViewArgs};
use super::demo::{self, Demo};
use super::{UsageError, offers, sources};

use crate::config::{self, Config, Layout, Overrides};
use crate::effect::Instead;
use crate::log::Log;
use crate::runtime::{self, Runtime};
use crate::screens::{self, Event, Explorer, GoesOn, Opened, Reopen, Settings};
use crate::tui::{ColourDepth, Theme, background};
use anyhow::Result;
use async_trait::async_trait;
use crosstail_core::model::{Clock, Names, SourceId, redact_text};
use crosstail_engine::insight::alerting::{Alerting, Objectives};
use crosstail_engine::window::Range;
use crosstail_export::shell_quote;
use crosstail_memory::Left;
use crosstail_source::Source;
use std::sync::Arc;

impl ViewArgs {
    /// Whether what is named is there, before anything is opened.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(theme) = self.theme.as_deref().filter(|theme| *theme != background::AUTO) {
            Theme::load(theme, ColourDepth::True).map_err(|why| UsageError(format!("--theme: {why}")))?;
        }
        Ok(())
    }

    /// The options as the topmost layer of the configuration.
    pub(super) fn over(&self, choice: &Overrides) -> Overrides {
        let zone = if self.utc { Some("UTC".to_owned()) } else { self.zone.clone() };
        let plain = (choice.colour == Some(false)).then(|| "none".to_owned());
        let (theme, time_zone) = (plain.or_else(|| self.theme.clone()), zone);
        let (range, memory) = (self.range.clone(), self.memory.clone());
        Overrides { theme, time_zone, range, memory, history_limit: self.history_limit, ..choice.clone() }
    }
}

pub(super) async fn run(args: &ExploreArgs, choice: &Overrides, log: Log) -> Result<u8> {
    args.look.check()?;
    let config = Config::load(&args.look.over(choice))?;
    let named = [&args.sources[..], &args.also[..]].concat();
    let (configs, spools) = sources::configs(&named, &args.run, args.schema.as_deref(), &config)?;
    let invocation = invocation(&named, &args.run, args.schema.as_deref());
    let opened = sources::open(configs, spools)?;
    let schema = args.schema.as_deref();
    let mut session = Session {
        opened,
        look: &args.look,
        schema,
        invocation,
        config: &config,
        log,
        demo: None,
        from_first_page: false,
    };
    let first = session.explorer().await?;
    let code = screens::run(first, Clock::system(), &mut session).await;
    session.end_demo().await;
    code
}

/// What the explorer is opened with, and opened again.
struct Session<'a> {
    opened: sources::OpenSources,
    look: &'a ViewArgs,
    schema: Option<&'a str>,
    invocation: String,
    config: &'a Config,
    log: Log,
    /// The demonstration, while it is shown.
    demo: Option<Demo>,
    /// Whether the first page has been left for what is read now.
    from_first_page: bool,
}

impl Session<'_> {
    async fn explorer(&self) -> Result<Opened> {
        let opened = &self.opened;
        let allowed = self.look.writes.allow_writes;
        let writers = if allowed { opened.alert_writers() } else { runtime::alert::Writers::new() };
        let mut recall = runtime::Recall::new(config::memory_file(), &opened.configs);
        // Of no source there is nothing to go on with, and a stream comes once.
        let goes_on = !self.look.fresh && !opened.sources.is_empty() && !opened.has_streams();
        let mut left = Ok(Left::default());
        if goes_on {
            recall = recall.of_sessions();
            left = recall.left().await;
        }
        let (left, problem) = match left {
            Ok(left) => (goes_on.then_some(left), None),
            Err(error) => (None, Some(format!("nothing is remembered: {error:#}"))),
        };
        let all = (opened.names.clone(), opened.sources.clone(), writers, recall, left);
        let mut first = explorer_over(all, self.look, self.invocation.clone(), self.config, self.log.clone())?;
        if let Some(problem) = problem {
            first.explorer.shared.notify(problem);
        }
        first.explorer.shared.settings.is_from_first_page = self.from_first_page;
        if opened.sources.is_empty() {
            first.explorer.shared.settings.offers = offers::here();
        }
        Ok(first)
    }

    /// Opens a source by its address.
    fn open(&mut self, address: &str) -> Result<()> {
        let named = &[address.to_owned()];
        let (configs, spools) = sources::configs(named, &[], self.schema, self.config)?;
        self.opened = sources::open(configs, spools)?;
        self.invocation = invocation(named, &[], self.schema);
        Ok(())
    }

    async fn end_demo(&mut self) {
        if let Some(demo) = self.demo.take() {
            demo.end().await;
        }
    }
}

#[async_trait(?Send)]
impl Reopen for Session<'_> {
    async fn reading(&mut self, instead: &Instead) -> Result<Opened> {
        match instead {
            Instead::Table(source, table) => {
                let schema = self.opened.draft(*source, table).await?;
                self.opened.read_by(*source, schema)?;
            }
            Instead::Source(address) => self.open(address)?,
            Instead::Variable(file, name) => self.open(&offers::value_of(file, name)?)?,
            Instead::Demo => {
                let args = DemoArgs::usual(self.look.clone());
                let (mut opened, demo) = demo::open(&args, self.config.clone(), self.log.clone()).await?;
                self.demo = Some(demo);
                opened.explorer.shared.settings.is_from_first_page = true;
                return Ok(opened);
            }
            Instead::FirstPage => {
                self.end_demo().await;
                self.opened = sources::open(Vec::new(), Vec::new())?;
                self.invocation = invocation(&[], &[], self.schema);
            }
        }
        // A table of a source that was opened there is one of it, too.
        self.from_first_page = match instead {
            Instead::Table(..) => self.from_first_page,
            _ => *instead != Instead::FirstPage,
        };
        self.explorer().await
    }
}

/// What is shown as it was left. What the command line or the configuration says comes first.
fn goes_on(look: &ViewArgs, config: &Config) -> GoesOn {
    // A link to a view shows to everybody what it says.
    let is_link = look.filter.is_some() || look.open.is_some();
    GoesOn { range: config.range.is_none() && !is_link, layout: look.columns.is_empty() && look.facets.is_empty() }
}

/// The explorer of the demonstration, whose table is known.
pub(super) struct Fixed;

#[async_trait(?Send)]
impl Reopen for Fixed {
    async fn reading(&mut self, _instead: &Instead) -> Result<Opened> {
        anyhow::bail!("the demonstration has one table")
    }
}

/// The command that opens the same sources, without secrets.
fn invocation(sources: &[String], runs: &[String], schema: Option<&str>) -> String {
    let quoted = |text: &str| {
        let safe = redact_text(text);
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@=".contains(c);
        if safe.chars().all(plain) { safe.into_owned() } else { shell_quote(&safe) }
    };
    let mut words = vec!["crosstail".to_owned()];
    words.extend(sources.iter().map(|source| quoted(source)));
    words.extend(runs.iter().map(|command| format!("--run {}", quoted(command))));
    words.extend(schema.map(|schema| format!("--schema {}", quoted(schema))));
    words.join(" ")
}

/// Names, sources, how alerts are changed in them, where is remembered what has failed, and how the last explorer over them was
/// left.
type All = (Names, Vec<(SourceId, Arc<dyn Source>)>, runtime::alert::Writers, runtime::Recall, Option<Left>);

/// An explorer over sources.
pub(super) fn explorer_over(
    (names, sources, writers, recall, left): All,
    look: &ViewArgs,
    invocation: String,
    config: &Config,
    log: Log,
) -> Result<Opened> {
    let clock = Clock::system();
    let zone = config.time_zone.as_deref().unwrap_or("UTC");
    let zone = config::zone(zone).map_err(|error| UsageError(error.to_string()))?;
    let ids: Vec<SourceId> = sources.iter().map(|(id, _)| *id).collect();
    let mut explorer = Box::new(Explorer::new(names.clone(), &ids, zone, clock.now()));
    let shared = &mut explorer.shared;
    shared.log = log;
    for (status, (_, source)) in shared.sources.iter_mut().zip(&sources) {
        let capabilities = source.capabilities();
        status.reads_ranges = capabilities.reads_ranges;
        status.has_order = capabilities.has_order;
        status.holds_activities = capabilities.holds_activities;
    }
    let stores = shared.sources.iter().any(|source| source.reads_ranges);
    let default = if stores { "24h" } else { "everything" };
    let range = Range::parse(config.range.as_deref().unwrap_or(default), &shared.context()).map_err(UsageError)?;
    shared.range = range.clone();
    if let Some(ignored) = &config.ignored {
        shared.notify(ignored.clone());
    }
    let (rules, problems) = config::rules(None);
    shared.alerts.alerting = Alerting::new(rules);
    if let Some(problem) = problems.first() {
        shared.notify(format!("a rule was skipped: {problem}"));
    }
    let (objectives, problems) = config.objectives();
    shared.alerts.alerting.objectives = Objectives::new(objectives);
    if let Some(problem) = problems.into_iter().next() {
        shared.notify(problem);
    }
    match config::marker_file().map(|path| config::markers(&path)) {
        Some(Ok(markers)) => shared.set_own_markers(markers),
        Some(Err(error)) => shared.notify(format!("{error:#}")),
        None => {}
    }
    let secrets = config.sends.iter().map(config::SendEntry::secrets).collect::<Result<Vec<_>, _>>();
    let secrets = secrets.map_err(UsageError)?;
    let (tools, wrong) = config.tools();
    if let Some(problem) = wrong.into_iter().next() {
        shared.notify(problem);
    }
    shared.configured_markers.are_there = !config.markers.is_empty();
    shared.configured_markers.ask_stores = config.markers.iter().any(|entry| entry.filter.is_some());
    let who = look.writes.who.clone().unwrap_or_else(super::user::user);
    shared.settings = Settings {
        history_limit: config.history_limit.unwrap_or(usize::MAX),
        memory: config.memory_bytes()?,
        is_estimate_enough: config.is_estimate_enough()?,
        terminal_notifications: config.terminal_notifications.unwrap_or(true),
        hyperlinks: config.hyperlinks.unwrap_or_default(),
        range,
        views: config.views.clone(),
        tools,
        theme: config.theme.clone().unwrap_or_else(|| background::AUTO.to_owned()),
        config_path: config::user_file().map(|path| path.display().to_string()),
        own_file: config.own_file.clone(),
        invocation,
        may_send: look.allow_sends,
        writes_as: look.writes.allow_writes.then(|| who.clone()),
        who,
        ..Settings::default()
    };
    let mut effects = Vec::new();
    if let Some(left) = left {
        effects = explorer.update(Event::GoOn(Box::new(left), goes_on(look, config)));
    }
    let layout = Layout::parse(&look.columns, &look.facets).map_err(|why| UsageError(format!("--{why}")))?;
    if !layout.is_usual() {
        effects.extend(explorer.update(Event::LayOut(layout)));
    }
    if let Some(text) = &look.filter {
        if let Err(error) = crosstail_core::filter::Filter::parse(text) {
            return Err(UsageError(format!("--filter:\n{}", error.with_carets(text))).into());
        }
        effects.extend(explorer.update(Event::Filter(text.clone())));
    }
    if let Some(text) = &look.open {
        effects.extend(explorer.update(Event::Open(text.clone(), look.tab)));
    }
    let (mut runtime, incoming) = Runtime::new(sources, names, clock, zone);
    runtime.set_jobs(explorer.shared.jobs.clone());
    runtime.set_alert_writers(writers);
    runtime.set_recall(recall);
    runtime.set_send_secrets(secrets);
    runtime.set_markers(config.markers.clone());
    for effect in effects {
        runtime.run(effect);
    }
    Ok(Opened { explorer, runtime, incoming })
}
