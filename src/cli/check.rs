//! `crosstail config check`: everything that a configuration can have wrong, with its place.

use super::exit;
use super::output::print_error;
use crate::config::{self, Config, LayeredConfig, MarkedBy, Overrides, SourceEntry};
use crate::kinds;
use crate::screens::vocabulary;
use crate::tui::background::Background;
use crate::tui::{ColourDepth, Keymap, Theme};
use anyhow::Result;
use crosstail_core::filter::Filter;
use crosstail_core::model::Names;
use crosstail_core::schema::Schema;
use crosstail_formats::Formats;
use crosstail_source::SourceConfig;
use std::io::Write as _;

pub(super) fn run(choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let layered = LayeredConfig::load(choice)?;
    let sources: Vec<_> = config.sources.iter().map(SourceEntry::config).collect();
    let problems = problems(&config, &layered, &sources);
    for problem in &problems {
        print_error(problem);
    }
    if !problems.is_empty() {
        return Ok(exit::FAILED);
    }
    let (sources, views, channels) = (config.sources.len(), config.views.len(), config.channels.len());
    writeln!(std::io::stdout(), "ok: {sources} sources, {views} views, {channels} channels")?;
    Ok(exit::OK)
}

/// What is wrong with a configuration. `sources`: its entries, resolved.
pub(super) fn problems(config: &Config, layered: &LayeredConfig, sources: &[Result<SourceConfig>]) -> Vec<String> {
    let mut problems: Vec<String> = Vec::new();
    // The file and the line of a setting, or the variable or the option that set it.
    let place = |setting: &str| {
        let exact = layered.settings.iter().find(|known| known.name == setting);
        let under = || layered.settings.iter().find(|known| known.name.starts_with(&format!("{setting}.")));
        exact.or_else(under).map(|found| format!("{}: ", found.origin)).unwrap_or_default()
    };
    let names = Names::default();
    for (entry, source) in config.sources.iter().zip(sources) {
        let (name, at) = (&entry.name, place(&format!("source.{}.at", entry.name)));
        let wrong = match source {
            Ok(source) => kinds::ALL.open(source, &names).err().map(anyhow::Error::from),
            Err(_) => None,
        };
        if let Some(error) = source.as_ref().err().or(wrong.as_ref()) {
            problems.push(format!("{at}source {name}: {error:#}"));
        }
        if entry.addresses().iter().any(|at| kinds::ALL.tells_a_secret(at)) {
            problems.push(format!(
                "{at}source {name}: the password or token is in the address; remove it, and name password_env, password_file or password_command"
            ));
        }
    }
    for view in &config.views {
        if let Err(error) = Filter::parse(&view.filter) {
            let at = place(&format!("view.{}.filter", view.name));
            problems.push(format!("{at}view {}:\n{}", view.name, error.with_carets(&view.filter)));
        }
        if let Err(error) = view.layout() {
            let list = error.split(':').next().unwrap_or_default();
            let at = place(&format!("view.{}.{list}", view.name));
            problems.push(format!("{at}view {}: {error}", view.name));
        }
    }
    for entry in &config.markers {
        let at = place(&format!("markers.{}", entry.name));
        let wrong = match entry.marked_by() {
            Ok(MarkedBy::Filter(text)) => {
                Filter::parse(text).err().map(|error| format!("markers {}:\n{}", entry.name, error.with_carets(text)))
            }
            Ok(MarkedBy::File(path)) => {
                config::markers_in(path).err().map(|error| format!("markers {}: {error:#}", entry.name))
            }
            Ok(MarkedBy::Git(_)) => None,
            Err(problem) => Some(problem),
        };
        problems.extend(wrong.map(|problem| format!("{at}{problem}")));
    }
    for objective in &config.objectives {
        if let Err((key, error)) = objective.objective() {
            let at = place(&format!("objective.{}.{key}", objective.name));
            problems.push(format!("{at}objective {}: {error}", objective.name));
        }
    }
    if let Some(zone) = &config.time_zone {
        problems.extend(config::zone(zone).err().map(|error| format!("{}time_zone: {error}", place("time_zone"))));
    }
    if let Some(theme) = &config.theme {
        let wrong = Theme::load(Background::default().theme(theme), ColourDepth::True).err();
        problems.extend(wrong.map(|error| format!("{}theme: {error}", place("theme"))));
    }
    problems.extend(config.first_weekday().err().map(|error| format!("{}{error}", place("week_start"))));
    problems.extend(config.is_estimate_enough().err().map(|error| format!("{}{error}", place("figures"))));
    problems.extend(config.memory_bytes().err().map(|error| format!("{}{error}", place("memory"))));
    for channel in &config.channels {
        let at = place(&format!("channel.{}", channel.name));
        problems.extend(channel_problem(channel).map(|error| format!("{at}{error:#}")));
    }
    problems.extend(config.tools().1);
    problems.extend(config.sends.iter().filter_map(|entry| entry.secrets().err()));
    problems.extend(files());
    problems
}

/// What is wrong in the files beside the configuration.
fn files() -> Vec<String> {
    let mut problems = config::rules(None).1;
    for (path, text) in config::own_files("themes") {
        problems.extend(Theme::parse(&text, &path, ColourDepth::True).err());
    }
    let known = kinds::ALL.names();
    for (path, text) in config::own_files("schemas") {
        match Schema::from_toml(&text, &path) {
            Ok(schema) => {
                let wrong = schema.unknown_store(&known);
                problems
                    .extend(wrong.map(|store| format!("{path}: no store '{store}'; they are {}", known.join(", "))));
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    problems.extend(Formats::shared().err().map(|error| error.to_string()));
    problems.extend(Keymap::load(vocabulary()).err());
    problems
}

/// Why a channel cannot be used; `None` if it can.
#[cfg(feature = "watch")]
fn channel_problem(channel: &config::ChannelEntry) -> Option<anyhow::Error> {
    crate::watch::Channel::new(channel).err()
}

/// Why a channel cannot be used; `None` if it can.
#[cfg(not(feature = "watch"))]
fn channel_problem(channel: &config::ChannelEntry) -> Option<anyhow::Error> {
    channel.address().and_then(|_| channel.password()).and_then(|_| channel.headers()).err()
}
