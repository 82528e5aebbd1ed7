//! What a shell offers while a command is typed: commands, options, sources, schemas, themes, fields, and the values of fields
//! in the sources, where they answer quickly. The scripts of `crosstail completions` ask for it with every key.

use super::args::{Cli, CompleteArgs};
use super::{exit, sources};
use crate::config::{self, Config, Overrides};
use crate::kinds;
use crate::tui::Theme;
use anyhow::Result;
use clap::{ArgAction, Command, CommandFactory as _};
use crosstail_core::filter::{Context, Field, Vocabulary, complete, value_text};
use crosstail_core::model::Clock;
use crosstail_core::schema::Schema;
use crosstail_export::{Record, ReportKind};
use crosstail_source::{Job, PageQuery, Priority};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// A source that does not answer within this time has no values.
const PATIENCE: Duration = Duration::from_millis(700);
/// Values of a field.
const VALUES: usize = 30;

/// A word to offer, and what it is.
type Offer = (String, String);

pub(super) fn run(args: &CompleteArgs, choice: &Overrides) -> Result<u8> {
    let offers = Line::read(&args.words, choice).offers();
    let mut out = std::io::stdout().lock();
    for (word, about) in offers {
        let about = about.lines().next().unwrap_or_default();
        writeln!(out, "{word}\t{about}")?;
    }
    Ok(exit::OK)
}

/// The line so far: the command, what its options say, and the word that is being typed.
struct Line<'a> {
    command: Command,
    sources: Vec<String>,
    /// The option whose value the word is.
    option: Option<clap::Arg>,
    word: &'a str,
    choice: &'a Overrides,
}

impl<'a> Line<'a> {
    fn read(words: &'a [String], choice: &'a Overrides) -> Self {
        let mut root = Cli::command();
        root.build();
        let mut line = Self { command: root, sources: Vec::new(), option: None, word: "", choice };
        let Some((word, before)) = words.split_last() else { return line };
        for text in before {
            if let Some(option) = line.option.take() {
                if option.get_long() == Some("source") {
                    line.sources.push(text.clone());
                }
            } else if text.starts_with('-') {
                line.option = line.valued(text).filter(|_| !text.contains('='));
            } else if let Some(sub) = line.command.find_subcommand(text).cloned() {
                line.command = sub;
            }
        }
        line.word = word;
        if line.option.is_none()
            && let Some((option, value)) = word.split_once('=').filter(|(option, _)| option.starts_with("--"))
        {
            (line.option, line.word) = (line.valued(option), value);
        }
        line
    }

    /// The option of a text, if it takes a value.
    fn valued(&self, text: &str) -> Option<clap::Arg> {
        let name = text.trim_start_matches('-');
        let name = name.split('=').next().unwrap_or(name);
        let found = self.command.get_arguments().find(|arg| {
            if text.starts_with("--") {
                arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|all| all.contains(&name))
            } else {
                arg.get_short().is_some_and(|short| name.ends_with(short))
            }
        });
        found.filter(|arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)).cloned()
    }

    fn offers(&self) -> Vec<Offer> {
        if let Some(option) = &self.option {
            return self.values(option);
        }
        let mut found = Vec::new();
        if self.word.starts_with('-') {
            found.extend(self.options());
        } else {
            let commands = self.command.get_subcommands().filter(|sub| !sub.is_hide_set());
            let about = |sub: &Command| sub.get_about().map(ToString::to_string).unwrap_or_default();
            let offers = commands.map(|sub| (sub.get_name().to_owned(), about(sub)));
            found.extend(offers.filter(|(name, _)| name.starts_with(self.word)));
        }
        if let Some(argument) = self.command.get_positionals().next()
            && !self.word.starts_with("--")
        {
            found.extend(self.values(argument));
        }
        found
    }

    fn options(&self) -> impl Iterator<Item = Offer> {
        let shown = self.command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional());
        let offer = |arg: &clap::Arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            arg.get_long().map(|long| (format!("--{long}"), help))
        };
        shown.filter_map(offer).filter(|(long, _)| long.starts_with(self.word))
    }

    /// What an argument can be.
    fn values(&self, arg: &clap::Arg) -> Vec<Offer> {
        let plain = |words: Vec<String>| words.into_iter().map(|word| (word, String::new())).collect::<Vec<_>>();
        let id = arg.get_id().as_str();
        let name = arg.get_long().unwrap_or(id);
        let all = match (id, name) {
            ("filter" | "filter_option", _) | (_, "filter") => return self.filter(),
            ("explored", _) | (_, "source" | "from") => self.named_sources(),
            (_, "schema") => schemas(),
            ("name", _) if ["show", "apply"].contains(&self.command.get_name()) => schemas(),
            (_, "theme") => plain(Theme::names()),
            (_, "zone") => plain(zones()),
            (_, "by") => return self.listed(fields()),
            (_, "fields" | "columns") => {
                let columns = Record::COLUMNS.iter().map(|column| ((*column).to_owned(), String::new()));
                return self.listed(columns.collect());
            }
            (_, "report") => reports(),
            ("rule", _) => plain(config::rules(None).0.into_iter().map(|rule| rule.name).collect()),
            ("command" | "about", _) => commands(),
            (_, "sort") => plain(["time", "-time", "duration", "-duration"].map(str::to_owned).to_vec()),
            (_, "since" | "until" | "range") => {
                plain(["15m", "1h", "24h", "7d", "today", "yesterday"].map(str::to_owned).to_vec())
            }
            _ => {
                let possible = arg.get_possible_values();
                if possible.is_empty() {
                    return paths(self.word);
                }
                let about = |help: Option<&clap::builder::StyledStr>| help.map(ToString::to_string).unwrap_or_default();
                possible.iter().map(|value| (value.get_name().to_owned(), about(value.get_help()))).collect()
            }
        };
        let mut found: Vec<Offer> = all.into_iter().filter(|(value, _)| value.starts_with(self.word)).collect();
        if matches!((id, name), ("explored", _) | (_, "source" | "from" | "schema")) {
            found.extend(paths(self.word));
        }
        found
    }

    fn named_sources(&self) -> Vec<Offer> {
        let config = Config::load(self.choice).unwrap_or_default();
        let own = config.sources.iter().map(|entry| (entry.name.clone(), "a configured source".to_owned()));
        let programs = kinds::ALL.iter().flat_map(|kind| kind.programs);
        own.chain(programs.map(|(word, form)| (format!("{word}:"), (*form).to_owned()))).collect()
    }

    /// The last of several values that are separated by commas.
    fn listed(&self, all: Vec<Offer>) -> Vec<Offer> {
        let (before, last) = self.word.rsplit_once(',').map_or(("", self.word), |(before, last)| (before, last));
        let comma = if before.is_empty() { "" } else { "," };
        let matching = all.into_iter().filter(|(name, _)| name.starts_with(last));
        matching.map(|(name, about)| (format!("{before}{comma}{name}"), about)).collect()
    }

    fn filter(&self) -> Vec<Offer> {
        let stored = Stored { sources: &self.sources, choice: self.choice };
        let offer = |found: crosstail_core::filter::Completion| {
            let (before, after) = (&self.word[..found.span.start], &self.word[found.span.end..]);
            (format!("{before}{}{after}", found.insert), found.detail)
        };
        complete(self.word, self.word.len(), &stored).into_iter().map(offer).collect()
    }
}

fn schemas() -> Vec<Offer> {
    let own = config::own_files("schemas").into_iter().filter_map(|(path, text)| Schema::from_toml(&text, &path).ok());
    Schema::built_in().into_iter().chain(own).map(|schema| (schema.name, schema.title)).collect()
}

fn zones() -> Vec<String> {
    let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name().to_owned());
    ["UTC".to_owned(), "local".to_owned()].into_iter().chain(names).collect()
}

fn fields() -> Vec<Offer> {
    Field::ALL.iter().map(|field| (field.name().to_owned(), field.help().to_owned())).collect()
}

fn reports() -> Vec<Offer> {
    let all = ReportKind::ALL.iter().map(|kind| (kind.name.to_owned(), kind.title.to_owned()));
    all.chain([("all".to_owned(), String::new())]).collect()
}

fn commands() -> Vec<Offer> {
    let command = Cli::command();
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    shown.map(|sub| (sub.get_name().to_owned(), String::new())).collect()
}

/// Files and folders that a word begins to name.
fn paths(word: &str) -> Vec<Offer> {
    let (folder, begun) = word.rsplit_once('/').map_or(("", word), |(folder, begun)| (folder, begun));
    let at = match (word.starts_with('/'), folder) {
        (true, "") => Path::new("/"),
        (_, "") => Path::new("."),
        (_, folder) => Path::new(folder),
    };
    let Ok(entries) = std::fs::read_dir(at) else { return Vec::new() };
    let mut found: Vec<Offer> = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(begun) || (begun.is_empty() && name.starts_with('.')) {
            continue;
        }
        let slash = if entry.path().is_dir() { "/" } else { "" };
        let head = &word[..word.len() - begun.len()];
        found.push((format!("{head}{name}{slash}"), String::new()));
    }
    found.sort();
    found
}

/// The values that fields have in the sources of the line.
struct Stored<'a> {
    sources: &'a [String],
    choice: &'a Overrides,
}

impl Vocabulary for Stored<'_> {
    fn values(&self, field: Field, limit: usize) -> Vec<(String, u64)> {
        let reading = tokio::time::timeout(PATIENCE, self.read(field));
        let read = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(reading));
        let mut found = read.ok().and_then(Result::ok).unwrap_or_default();
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found.truncate(limit.min(VALUES));
        found
    }
}

impl Stored<'_> {
    async fn read(&self, field: Field) -> Result<Vec<(String, u64)>> {
        let config = Config::load(self.choice)?;
        // A stream can be read once, and not now.
        let named: Vec<String> = self.sources.iter().filter(|source| *source != "-").cloned().collect();
        let (mut configs, spools) = sources::configs(&named, &[], None, &config)?;
        // A key that asks for words runs no programs and opens no ports.
        configs.retain(|config| !kinds::ALL.acts(config.address()));
        let opened = sources::open(configs, spools)?;
        let context = Context { now: Clock::system().now(), zone: chrono_tz::Tz::UTC };
        let mut counts = std::collections::BTreeMap::new();
        for (_, source) in &opened.sources {
            let query = PageQuery { context, ..PageQuery::all(1000) };
            let job = Job::new("complete", Priority::Asked);
            // The newest activities have most of the values, and are there at once.
            for activity in source.page(&query, None, &job).await.map(|page| page.items).unwrap_or_default() {
                if let Some(value) = value_text(&activity, field, &opened.names) {
                    *counts.entry(value).or_insert(0) += 1;
                }
            }
        }
        Ok(counts.into_iter().collect())
    }
}
