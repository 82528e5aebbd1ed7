//! `crosstail [SOURCE…]`.

use super::args::{ExploreArgs, ViewArgs};
use super::{UsageError, sources};
use crate::app::{AppState, Event};
use crate::config::{self, Config, Overrides};
use crate::runtime::Runtime;
use crate::tui;
use anyhow::Result;
use crosstail_core::model::{Clock, Names, SourceId, redact_text};
use crosstail_engine::insight::alerting::Alerting;
use crosstail_export::shell_quote;
use crosstail_source::Source;
use std::collections::HashMap;
use std::sync::Arc;

impl ViewArgs {
    /// The options as the topmost layer of the configuration.
    pub(super) fn over(&self, choice: &Overrides) -> Overrides {
        let (theme, time_zone) = (self.theme.clone(), self.zone.clone());
        Overrides { theme, time_zone, history_limit: self.history_limit, ..choice.clone() }
    }
}

pub(super) async fn run(args: &ExploreArgs, choice: &Overrides) -> Result<u8> {
    let config = Config::load(&args.look.over(choice))?;
    let (configs, stdin) = sources::configs(&args.sources, args.schema.as_deref(), &config)?;
    let opened = sources::open(configs, stdin)?;
    let invocation = invocation(&args.sources, args.schema.as_deref());
    let writers = if args.look.writes.allow_writes { opened.addresses() } else { HashMap::new() };
    open(opened.names.clone(), opened.sources.clone(), writers, &args.look, invocation, &config).await
}

/// The command that opens the same sources, without secrets.
fn invocation(sources: &[String], schema: Option<&str>) -> String {
    let quoted = |text: &str| {
        let safe = redact_text(text);
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@=".contains(c);
        if safe.chars().all(plain) { safe.into_owned() } else { shell_quote(&safe) }
    };
    let mut words = vec!["crosstail".to_owned()];
    words.extend(sources.iter().map(|source| quoted(source)));
    words.extend(schema.map(|schema| format!("--schema {}", quoted(schema))));
    words.join(" ")
}

/// Opens the explorer over sources.
pub(super) async fn open(
    names: Names,
    sources: Vec<(SourceId, Arc<dyn Source>)>,
    writers: HashMap<SourceId, String>,
    look: &ViewArgs,
    invocation: String,
    config: &Config,
) -> Result<u8> {
    let clock = Clock::system();
    let zone = config.time_zone.as_deref().unwrap_or("UTC");
    let zone = config::zone(zone).map_err(|error| UsageError(error.to_string()))?;
    let ids: Vec<SourceId> = sources.iter().map(|(id, _)| *id).collect();
    let mut state = Box::new(AppState::new(names.clone(), &ids, zone, clock.now()));
    state.invocation = invocation;
    let history_limit = config.history_limit.unwrap_or(usize::MAX);
    state.history_limit = history_limit;
    state.writes_as = look.writes.allow_writes.then(|| look.writes.who.clone().unwrap_or_else(|| "unknown".to_owned()));
    let (rules, problems) = config::rules(None);
    state.alerting = Alerting::new(rules);
    if let Some(problem) = problems.first() {
        state.notify(format!("a rule was skipped: {problem}"));
    }
    state.views.clone_from(&config.views);
    state.theme = config.theme.clone().unwrap_or_else(|| "dark".to_owned());
    state.config_path = config::user_file().map(|path| path.display().to_string());
    if let Some(text) = &look.filter {
        if let Err(error) = crosstail_core::filter::Filter::parse(text) {
            return Err(UsageError(format!("--filter:\n{}", error.with_carets(text))).into());
        }
        let _ = crate::app::update(&mut state, Event::FilterEdited(text.clone(), text.len()));
        state.filter.completions.clear();
    }
    let (mut runtime, incoming) = Runtime::new(sources, names, clock.clone(), zone);
    runtime.set_alert_writers(writers);
    if let Some(text) = &look.open {
        let effects = crate::app::update(&mut state, Event::Open(text.clone(), look.tab));
        for effect in effects {
            runtime.run(effect);
        }
    }
    tui::run(state, runtime, incoming, history_limit, clock).await
}
