//! Configuration in layers: built-in defaults, the user's file, the project's file, the environment, options. An error
//! names the file, the line and the remedy.

mod channel;
mod editors;
mod hyperlinks;
mod layers;
mod layout;
mod marker_entry;
mod markers;
mod mistakes;
mod objective;
mod own;
mod private;
mod secrets;
mod send;
mod tools;
mod trust;
mod views;
mod zone;

pub use channel::ChannelEntry;
pub use editors::{JSON_SCHEMAS, write_json_schemas};
pub use hyperlinks::Hyperlinks;
pub use layers::{LayeredConfig, Overrides, PROJECT_FILE, Setting};
pub use layout::{Column, Layout, Shows, listed};
pub use marker_entry::{MarkedBy, MarkersEntry, joined_markers, markers_in, tag_of};
pub use markers::{Marker, add_marker, marker_before, marker_file, markers};
pub use objective::ObjectiveEntry;
pub use own::{own_files, rules, schema, schema_path, schema_text, template, write_file};
pub use private::{append_named, append_private, private_folder, write_private};
pub use send::{SendEntry, send_value};
pub use tools::{CommandEntry, LinkEntry};
pub use trust::{Project, Trust};
pub use views::{ViewEntry, add_view};
pub use zone::zone;

use anyhow::Context as _;
use chrono::Weekday;
use crosstail_core::model::{RedactionConfig, configure_redaction};
use crosstail_core::schema::Schema;
use crosstail_core::withheld::configure_withheld;
use crosstail_engine::insight::objective::Objective;
use crosstail_formats::Formats;
use crosstail_source::{CommandLine, Run, SourceConfig};
use etcetera::BaseStrategy as _;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The configuration, or one layer of it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Name of the theme.
    pub theme: Option<String>,
    /// Time zone: `UTC`, `local`, or a name such as `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// The first day of a week: `monday`, `sunday`.
    pub week_start: Option<String>,
    /// Maximum number of activities in memory.
    pub history_limit: Option<usize>,
    /// Range of time that the explorer opens with: `24h`, `7d`, `everything`.
    pub range: Option<String>,
    /// Memory for activities and their texts: `256 MB`.
    pub memory: Option<String>,
    /// Whether stores count everything (`exact`), or estimate what takes long (`estimate`).
    #[schemars(extend("enum" = ["exact", "estimate"]))]
    pub figures: Option<String>,
    /// Whether the terminal is asked to notify of alerts while somebody looks elsewhere.
    pub terminal_notifications: Option<bool>,
    /// Whether addresses on the screen are links that the terminal opens.
    pub hyperlinks: Option<Hyperlinks>,
    /// Sources; a later one replaces an earlier one with the same name.
    #[serde(rename = "source")]
    pub sources: Vec<SourceEntry>,
    /// Saved views, in the order of their keys 1 to 9.
    #[serde(rename = "view")]
    pub views: Vec<ViewEntry>,
    /// Channels to which `crosstail watch` sends notifications.
    #[serde(rename = "channel")]
    pub channels: Vec<ChannelEntry>,
    /// Addresses that are opened for an activity: its trace, a runbook, a ticket.
    #[serde(rename = "link")]
    pub links: Vec<LinkEntry>,
    /// Programs that are run for an activity, each after it was confirmed.
    #[serde(rename = "command")]
    pub commands: Vec<CommandEntry>,
    /// Where the secrets of requests that are sent again come from.
    #[serde(rename = "send")]
    pub sends: Vec<SendEntry>,
    /// Objectives: which share of some activities shall be good.
    #[serde(rename = "objective")]
    pub objectives: Vec<ObjectiveEntry>,
    /// Moments that are marked elsewhere: in a file, by a filter, by the tags of a repository.
    pub markers: Vec<MarkersEntry>,
    /// What is hidden as a secret, besides what the shipped rules find.
    pub redaction: RedactionConfig,
    /// Settings that `--profile NAME` applies on top of the others.
    #[serde(rename = "profile")]
    pub profiles: BTreeMap<String, Self>,
    /// Why a project's file is not used.
    #[serde(skip)]
    pub ignored: Option<String>,
    /// The user's own file, whether it exists or not.
    #[serde(skip)]
    pub own_file: Option<PathBuf>,
}

/// One `[[source]]` of the configuration.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["at"] }, { "required": ["command"] }]))]
pub struct SourceEntry {
    /// Name, unique in the configuration.
    pub name: String,
    /// Path, glob, directory or URL; several paths are one source.
    #[serde(default)]
    pub at: OneOrMany,
    /// Instead of an address: a program and its arguments, or a text for `sh -c`.
    pub command: Option<OneOrMany>,
    /// Arguments that make the command go on at a time, for which `{time}` stands.
    #[serde(default)]
    pub since: OneOrMany,
    /// Arguments that make the command go on behind a cursor, for which `{cursor}` stands.
    #[serde(default)]
    pub after: OneOrMany,
    /// The field of its lines of JSON that is the cursor.
    pub cursor: Option<String>,
    /// Schema: a name, or the path of a TOML file.
    pub schema: Option<String>,
    /// The zone of times that name none, in log files: `local`, or a name such as `Europe/Berlin`; UTC by default.
    pub zone: Option<String>,
    /// Environment variable that holds the password for the URL.
    pub password_env: Option<String>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// Shell command that prints the password.
    pub password_command: Option<String>,
    /// Whether it is a project's: nothing of the user's own goes to its address.
    #[serde(skip)]
    pub is_of_project: bool,
    /// The file of a project's schema.
    #[serde(skip)]
    schema_file: Option<Arc<own::SchemaFile>>,
}

impl SourceEntry {
    /// The source with its password and schema resolved, ready to open.
    pub fn config(&self) -> anyhow::Result<SourceConfig> {
        let at = self.addresses();
        let mut at = at.iter().map(|at| secrets::with_password(self, at)).collect::<Result<Vec<_>, _>>()?;
        if self.is_of_project {
            let alone = at.iter().map(|at| crate::kinds::ALL.alone(at)).collect::<Result<Vec<_>, _>>();
            at = alone.map_err(|why| anyhow::anyhow!("source {}: {why}", self.name))?;
        }
        let schema = match (&self.schema_file, &self.schema) {
            (Some(file), _) => Some(file.schema()?),
            (None, Some(name)) => Some(schema(name)?),
            (None, None) => None,
        };
        let zone = self.zone.as_deref().map(zone).transpose()?;
        let run = self.command.as_ref().map(|command| Run {
            command: match command {
                OneOrMany::One(text) => CommandLine::Shell(text.clone()),
                OneOrMany::Many(words) => CommandLine::Words(words.clone()),
            },
            since: self.since.list(),
            after: self.after.list(),
            cursor: self.cursor.clone(),
        });
        Ok(SourceConfig { name: self.name.clone(), at, schema, zone, ended: None, run })
    }

    /// What is wrong with where it is.
    fn problem(&self) -> Option<&'static str> {
        match (self.at.list().is_empty(), &self.command) {
            (true, None) => Some("has neither at, an address, nor command"),
            (false, Some(_)) => Some("has at and command; it can have one of them"),
            _ => None,
        }
    }

    /// The addresses as written, without a password from elsewhere.
    pub fn addresses(&self) -> Vec<String> {
        match &self.command {
            Some(_) => vec![format!("cmd:{}", self.name)],
            None => self.at.list(),
        }
    }
}

/// A string, or a list of strings.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl OneOrMany {
    /// Its strings.
    pub fn list(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::Many(many) => many.clone(),
        }
    }
}

/// The line of a byte of a file, counted from 1.
pub fn line_at(text: &str, byte: usize) -> usize {
    text[..byte].matches('\n').count() + 1
}

/// The user's folder for crosstail's files.
pub fn folder() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join("crosstail"))
}

/// The folder for state that survives restarts.
pub fn state_folder() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.state_dir().unwrap_or_else(|| base.data_dir()).join("crosstail"))
}

/// The file in which is remembered what has failed.
pub fn memory_file() -> Option<PathBuf> {
    state_folder().map(|folder| folder.join("memory.sqlite"))
}

/// The path of the user's configuration; the file may not exist.
pub fn user_file() -> Option<PathBuf> {
    folder().map(|folder| folder.join("config.toml"))
}

impl Config {
    /// Reads every layer.
    pub fn load(choice: &Overrides) -> anyhow::Result<Self> {
        // A schema that cannot be used is reported where it is named.
        let schemas = own_files("schemas").into_iter();
        let dialects = schemas.filter_map(|(origin, text)| Schema::from_toml(&text, &origin).ok()).collect();
        Formats::add_own(own_files("formats"), dialects);
        let config = LayeredConfig::load(choice)?.config;
        let wrong = |error| anyhow::anyhow!("{error}");
        configure_redaction(&config.redaction).map_err(wrong)?;
        configure_withheld(&config.redaction.rule).map_err(wrong)?;
        Ok(config)
    }

    fn overlay(&mut self, over: Self) {
        self.theme = over.theme.or(self.theme.take());
        self.time_zone = over.time_zone.or(self.time_zone.take());
        self.week_start = over.week_start.or(self.week_start.take());
        self.history_limit = over.history_limit.or(self.history_limit);
        self.range = over.range.or(self.range.take());
        self.memory = over.memory.or(self.memory.take());
        self.figures = over.figures.or(self.figures.take());
        self.terminal_notifications = over.terminal_notifications.or(self.terminal_notifications);
        self.hyperlinks = over.hyperlinks.or(self.hyperlinks);
        replace(&mut self.sources, over.sources, |entry| &entry.name);
        replace(&mut self.channels, over.channels, |entry| &entry.name);
        replace(&mut self.links, over.links, |entry| &entry.name);
        replace(&mut self.commands, over.commands, |entry| &entry.name);
        replace(&mut self.sends, over.sends, |entry| &entry.host);
        replace(&mut self.markers, over.markers, |entry| &entry.name);
        replace(&mut self.objectives, over.objectives, |entry| &entry.name);
        if !over.views.is_empty() {
            self.views = over.views;
        }
        self.redaction.extend(over.redaction);
    }

    /// The first day of a week; Monday by default, as in ISO 8601.
    pub fn first_weekday(&self) -> anyhow::Result<Weekday> {
        let text = self.week_start.as_deref().unwrap_or("monday");
        let parsed: Option<Weekday> = text.parse().ok();
        parsed.with_context(|| format!("week_start '{text}': write a day of the week, for example monday or sunday"))
    }

    /// The objectives that can be used.
    pub fn objectives(&self) -> (Vec<Objective>, Vec<String>) {
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        for entry in &self.objectives {
            match entry.objective() {
                Ok(objective) => all.push(objective),
                Err((_, problem)) => problems.push(format!("objective {}: {problem}", entry.name)),
            }
        }
        (all, problems)
    }

    /// Whether an estimate is enough where counting takes long.
    pub fn is_estimate_enough(&self) -> anyhow::Result<bool> {
        match self.figures.as_deref().unwrap_or("exact") {
            "exact" => Ok(false),
            "estimate" => Ok(true),
            other => anyhow::bail!("figures '{other}': write exact or estimate"),
        }
    }

    /// The budget of memory, in bytes.
    pub fn memory_bytes(&self) -> anyhow::Result<usize> {
        let text = self.memory.as_deref().unwrap_or("256 MB");
        let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let unit = match unit.trim().to_ascii_lowercase().as_str() {
            "mb" | "m" | "mib" => 1 << 20,
            "gb" | "g" | "gib" => 1 << 30,
            _ => 0,
        };
        let bytes = number.trim().parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
        // Below this, the screen itself would not have the rows that it shows.
        let enough = bytes.filter(|bytes| *bytes >= 16 << 20);
        enough.with_context(|| format!("memory '{text}': write at least 16MB, for example 256MB or 1GB"))
    }

    /// The sources with passwords and schemas resolved, ready to open.
    pub fn source_configs(&self) -> anyhow::Result<Vec<SourceConfig>> {
        self.sources.iter().map(SourceEntry::config).collect()
    }
}

/// Adds entries; each takes the place of one of the same name.
fn replace<T>(known: &mut Vec<T>, over: Vec<T>, name: fn(&T) -> &str) {
    for entry in over {
        known.retain(|known| name(known) != name(&entry));
        known.push(entry);
    }
}

/// Every key that a configuration file may contain, for suggestions.
fn known_keys() -> impl Iterator<Item = &'static str> {
    let of_tables = [
        "source",
        "view",
        "channel",
        "link",
        "send",
        "host",
        "run",
        "markers",
        "file",
        "git",
        "objective",
        "good",
        "target",
        "window",
        "profile",
        "name",
        "at",
        "command",
        "since",
        "after",
        "cursor",
        "schema",
        "filter",
        "columns",
        "facets",
        "password_env",
        "password_file",
        "password_command",
        "zone",
        "url",
        "url_env",
        "url_file",
        "url_command",
        "key_env",
        "key_file",
        "key_command",
        "kind",
        "at_least",
        "rules",
        "resolved",
        "headers",
        "smtp",
        "from",
        "to",
        "username",
        "ca",
    ];
    mistakes::TOP.into_iter().chain(of_tables)
}

#[cfg(test)]
mod tests {
    use super::layers::parse;
    use super::own::RULES;
    use super::*;
    use std::path::Path;

    #[test]
    fn the_built_in_rules_are_good() {
        let (rules, problems) = rules(None);
        assert_eq!(problems, [""; 0]);
        assert_eq!(rules.len(), RULES.len());
        let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        for name in
            ["HighErrorRate", "SlowResponseTime", "DBConnectionPoolExhausted", "QueueBacklog", "LeadSyncFailures"]
        {
            assert!(names.contains(&name), "{name}");
        }
    }

    #[test]
    fn a_rule_of_the_same_name_takes_the_place_and_a_broken_one_is_pointed_at() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        let own = "name = \"QueueBacklog\"\nseverity = \"info\"\nwhen = \"> 5\"\n[[metric]]\nname = \"q\"\nmeasure = \"value\"\n";
        write("a.toml", own);
        write(
            "b.toml",
            "name = \"Silence\"\nenabled = false\nseverity = \"info\"\nwhen = \"> 5\"\n[[metric]]\nname = \"q\"\nmeasure = \"value\"\n",
        );
        write("c.toml", "name = 3\n");
        let (found, problems) = rules(Some(folder.path()));
        let backlog = found.iter().find(|rule| rule.name == "QueueBacklog").expect("there");
        assert!((backlog.threshold.limit - 5.0).abs() < 1e-9);
        assert!(!found.iter().any(|rule| rule.name == "Silence"));
        assert!(problems.len() == 1 && problems[0].contains("c.toml:1:"), "{problems:?}");
    }

    #[test]
    fn the_template_and_the_defaults_are_good() {
        parse(template(), Path::new("template.toml")).expect("template");
        LayeredConfig::load(&Overrides::default()).expect("defaults");
        let live: String = template()
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|l| l.contains('=') || l.starts_with('[')).unwrap_or(line))
            .filter(|l| !l.starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n");
        parse(&live, Path::new("template.toml")).expect("template with everything switched on");
    }

    #[test]
    fn an_error_names_the_line_and_the_remedy() {
        let error =
            parse("theme = \"dark\"\ntimezone = \"UTC\"\n", Path::new("c.toml")).expect_err("wrong").to_string();
        assert!(error.starts_with("c.toml:2:"), "{error}");
        assert!(error.contains("did you mean 'time_zone'?"), "{error}");
    }
}
