//! The layers of the configuration, and where each value came from. Each layer overrides the one before: the built-in
//! defaults, the user's file, the project's file, the environment, the command line.

use super::mistakes::wrong;
use super::trust::Project;
use super::{Config, line_at, user_file};
use anyhow::{Context as _, bail};
use crosstail_core::filter::suggest;
use crosstail_core::model::{is_sensitive_name, redact_text};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

pub(super) const DEFAULT: &str = include_str!("../../config/default.toml");
/// Name of the project's file, which is in the current folder or in one of its parents.
pub const PROJECT_FILE: &str = "crosstail.toml";

/// Command-line options that select or override the configuration.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`: a file to read instead of the user's.
    pub file: Option<PathBuf>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--theme`.
    pub theme: Option<String>,
    /// `--zone`.
    pub time_zone: Option<String>,
    /// `--history-limit`, in activities.
    pub history_limit: Option<usize>,
    /// `--range`.
    pub range: Option<String>,
    /// `--memory`.
    pub memory: Option<String>,
    /// `--color`: whether to use colours; `None` where the terminal decides.
    pub colour: Option<bool>,
}

impl Overrides {
    /// The file named by `--config` or `CROSSTAIL_CONFIG`, which replaces the user's.
    fn named(&self) -> Option<PathBuf> {
        self.file.clone().or_else(|| variable("CROSSTAIL_CONFIG").map(PathBuf::from))
    }

    /// The file named by `--config` or `CROSSTAIL_CONFIG`, else the user's.
    pub fn own_file(&self) -> Option<PathBuf> {
        self.named().or_else(user_file)
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Path of the key: `theme`, `source.prokure.at`.
    pub name: String,
    /// The value, with secrets redacted.
    pub value: String,
    /// `built in`, `FILE:LINE`, an environment variable or an option.
    pub origin: String,
}

/// The configuration, and where each of its values came from.
#[derive(Debug, Clone, Default)]
pub struct LayeredConfig {
    /// The result of all layers.
    pub config: Config,
    /// Every value in force.
    pub settings: Vec<Setting>,
}

impl LayeredConfig {
    /// The defaults and the user's file.
    fn of_user(choice: &Overrides, profile: Option<&str>, profiles: &mut Vec<String>) -> anyhow::Result<Self> {
        let mut all = Self::default();
        all.apply_file(DEFAULT, Path::new("built in"), profile, false, profiles)?;
        let must = choice.named().is_some();
        if let Some(path) = choice.own_file().filter(|path| must || path.exists()) {
            let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
            all.apply_file(&text, &path, profile, false, profiles)?;
        }
        Ok(all)
    }

    /// What of the user's own a project's file takes the place of, by kind and name.
    ///
    /// # Errors
    /// The user's file is wrong.
    pub fn replaced_by(&self, choice: &Overrides) -> anyhow::Result<Vec<(&'static str, String)>> {
        let own = Self::of_user(choice, choice.profile.as_deref(), &mut Vec::new())?.config;
        let both = |kind: &'static str, own: Vec<String>, theirs: Vec<String>| {
            theirs.into_iter().filter(move |name| own.contains(name)).map(move |name| (kind, name)).collect::<Vec<_>>()
        };
        let theirs = &self.config;
        let mut found = both("source", names(&own.sources, |one| &one.name), names(&theirs.sources, |one| &one.name));
        found.extend(both("markers", names(&own.markers, |one| &one.name), names(&theirs.markers, |one| &one.name)));
        let objectives = names(&theirs.objectives, |one| &one.name);
        found.extend(both("objective", names(&own.objectives, |one| &one.name), objectives));
        // A file with views replaces all that there were.
        let views = if theirs.views.is_empty() { Vec::new() } else { names(&own.views, |one| &one.name) };
        found.extend(views.into_iter().map(|name| ("view", name)));
        Ok(found)
    }

    /// Reads every layer.
    pub fn load(choice: &Overrides) -> anyhow::Result<Self> {
        let mut profiles = Vec::new();
        let profile = choice.profile.clone().or_else(|| variable("CROSSTAIL_PROFILE"));
        let mut all = Self::of_user(choice, profile.as_deref(), &mut profiles)?;
        match std::env::current_dir().ok().map(|here| Project::of(&here)) {
            Some(Ok(Some(project))) => match project.notice() {
                None => {
                    all.apply_file(&project.text, &project.path, profile.as_deref(), true, &mut profiles)?;
                    for entry in all.config.sources.iter_mut().filter(|entry| entry.is_of_project) {
                        entry.schema_file = entry.schema.as_deref().and_then(|name| project.schema(name));
                    }
                }
                notice => all.config.ignored = notice,
            },
            // What somebody put into a folder that all may write to must not keep crosstail from working there.
            Some(Err(error)) => all.config.ignored = Some(format!("{error:#}")),
            Some(Ok(None)) | None => {}
        }
        if let Some(profile) = &profile
            && !profiles.contains(profile)
        {
            let near = suggest(profile, profiles.iter().map(String::as_str));
            let known = if profiles.is_empty() {
                "none is configured".to_owned()
            } else {
                format!("the profiles are {}", profiles.join(", "))
            };
            bail!("no profile '{profile}'; {}", near.map_or(known, |near| format!("did you mean '{near}'?")));
        }
        for (name, key) in [
            ("CROSSTAIL_THEME", "theme"),
            ("CROSSTAIL_TZ", "time_zone"),
            ("CROSSTAIL_HISTORY_LIMIT", "history_limit"),
            ("CROSSTAIL_RANGE", "range"),
            ("CROSSTAIL_MEMORY", "memory"),
        ] {
            if let Some(value) = variable(name) {
                all.set(key, &value, name)?;
            }
        }
        let flags = [
            ("--theme", "theme", choice.theme.clone()),
            ("--zone", "time_zone", choice.time_zone.clone()),
            ("--history-limit", "history_limit", choice.history_limit.map(|n| n.to_string())),
            ("--range", "range", choice.range.clone()),
            ("--memory", "memory", choice.memory.clone()),
        ];
        for (flag, key, value) in flags {
            if let Some(value) = value {
                all.set(key, &value, flag)?;
            }
        }
        all.config.own_file = choice.own_file();
        Ok(all)
    }

    /// What a project's file says: without a profile, and with each that it has.
    ///
    /// # Errors
    /// It is wrong, or says what such a file may not.
    pub fn of_project(project: &Project) -> anyhow::Result<Vec<Self>> {
        let mut profiles = Vec::new();
        let with = |profile: Option<&str>, profiles: &mut Vec<String>| {
            let mut all = Self::default();
            all.apply_file(&project.text, &project.path, profile, true, profiles)?;
            anyhow::Ok(all)
        };
        let mut all = vec![with(None, &mut profiles)?];
        for profile in profiles {
            all.push(with(Some(&profile), &mut Vec::new())?);
        }
        Ok(all)
    }

    fn set(&mut self, key: &str, value: &str, origin: &str) -> anyhow::Result<()> {
        match key {
            "theme" => self.config.theme = Some(value.to_owned()),
            "time_zone" => self.config.time_zone = Some(value.to_owned()),
            "range" => self.config.range = Some(value.to_owned()),
            "memory" => self.config.memory = Some(value.to_owned()),
            _ => {
                let number = value.parse().with_context(|| format!("{origin}: '{value}' is not a whole number"))?;
                self.config.history_limit = Some(number);
            }
        }
        self.put(Setting { name: key.to_owned(), value: value.to_owned(), origin: origin.to_owned() });
        Ok(())
    }

    /// Applies a file on top of the layers so far, then the selected profile on top of that. Adds the names of the
    /// file's profiles to `profiles`.
    fn apply_file(
        &mut self,
        text: &str,
        path: &Path,
        profile: Option<&str>,
        is_project: bool,
        profiles: &mut Vec<String>,
    ) -> anyhow::Result<()> {
        let mut config = parse(text, path)?;
        let tree = DeTable::parse(text).map_err(|error| wrong(text, path, &error))?.into_inner();
        let line = |at: usize| line_at(text, at);
        let origin = |at: usize| {
            if path == Path::new("built in") {
                "built in".to_owned()
            } else {
                format!("{}:{}", path.display(), line(at))
            }
        };
        if is_project {
            let redactions =
                std::iter::once(&config.redaction).chain(config.profiles.values().map(|profile| &profile.redaction));
            let mut lifts = redactions.flat_map(|redaction| {
                let of_rules = redaction.rule.iter().map(|rule| ("rule.allow", &rule.allow));
                [("except", &redaction.except), ("allow", &redaction.allow)].into_iter().chain(of_rules)
            });
            if let Some((key, _)) = lifts.find(|(_, list)| !list.is_empty()) {
                let place = tree.get("redaction").map_or(1, |table| line(table.span().start));
                bail!(
                    "{}:{place}: redaction.{key}: a project's file may not show secrets; put it into your own configuration",
                    path.display()
                );
            }
            let channels = config.channels.iter().chain(config.profiles.values().flat_map(|profile| &profile.channels));
            let is_taken = |name: &str| self.config.channels.iter().any(|known| known.name == name);
            if let Some(channel) = channels.into_iter().find(|channel| is_taken(&channel.name)) {
                let place = tree.get("channel").map_or(1, |table| line(table.span().start));
                bail!(
                    "{}:{place}: the channel {} is your own; a project's file may not take its place: give it another name",
                    path.display(),
                    channel.name
                );
            }
            if config.sends.iter().chain(config.profiles.values().flat_map(|profile| &profile.sends)).next().is_some() {
                let place = tree.get("send").map_or(1, |table| line(table.span().start));
                bail!(
                    "{}:{place}: send: a project's file may not say what secrets are sent; put it into your own configuration",
                    path.display()
                );
            }
            for (kind, own, theirs) in [
                ("link", names(&self.config.links, |one| &one.name), names(&config.links, |one| &one.name)),
                ("command", names(&self.config.commands, |one| &one.name), names(&config.commands, |one| &one.name)),
            ] {
                if let Some(name) = theirs.iter().find(|name| own.contains(name)) {
                    let place = tree.get(kind).map_or(1, |table| line(table.span().start));
                    bail!(
                        "{}:{place}: the {kind} {name} is your own; a project's file may not take its place: give it another name",
                        path.display()
                    );
                }
            }
            forbid_in_project("", &tree, &mut |at, why| anyhow::anyhow!("{}:{}: {why}", path.display(), line(at)))?;
        }
        let own = std::mem::take(&mut config.profiles);
        profiles.extend(own.keys().filter(|name| !profiles.contains(name)).cloned().collect::<Vec<_>>());
        let folder = is_project.then(|| path.parent()).flatten();
        let mut layers = vec![(config, &tree)];
        if let Some((name, chosen)) = profile.and_then(|name| Some((name, own.get(name)?.clone()))) {
            let table = tree.get("profile").and_then(|value| match value.get_ref() {
                DeValue::Table(table) => table.get(name),
                _ => None,
            });
            if let Some(DeValue::Table(table)) = table.map(toml::Spanned::get_ref) {
                layers.push((chosen, table));
            }
        }
        for (index, (mut layer, table)) in layers.into_iter().enumerate() {
            if let Some(folder) = folder {
                resolve_paths(&mut layer, folder);
            }
            let is_profile = index > 0;
            // A profile that names sources replaces all others.
            if is_profile && !layer.sources.is_empty() {
                self.config.sources.clear();
                self.settings.retain(|setting| !setting.name.starts_with("source."));
            }
            if !layer.views.is_empty() {
                self.settings.retain(|setting| !setting.name.starts_with("view."));
            }
            for entry in &layer.sources {
                self.settings.retain(|setting| !setting.name.starts_with(&format!("source.{}.", entry.name)));
            }
            let mut found = Vec::new();
            values("", table, &mut found);
            for (name, value, at) in found.into_iter().filter(|(name, ..)| !name.starts_with("profile.")) {
                self.put(Setting { value: printable(&name, &value), name, origin: origin(at) });
            }
            self.config.overlay(layer);
        }
        Ok(())
    }

    fn put(&mut self, setting: Setting) {
        match self.settings.iter_mut().find(|known| known.name == setting.name) {
            Some(known) => *known = setting,
            None => self.settings.push(setting),
        }
    }
}

/// The names of some entries.
fn names<T>(all: &[T], name: impl Fn(&T) -> &String) -> Vec<String> {
    all.iter().map(|one| name(one).clone()).collect()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Every value of a table with its path and byte offset. A table in a list is identified by its `name`.
fn values(prefix: &str, table: &DeTable<'_>, out: &mut Vec<(String, String, usize)>) {
    let join = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    for (key, value) in table {
        let path = join(key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => values(&path, inner, out),
            DeValue::Array(list) if list.iter().any(|item| matches!(item.get_ref(), DeValue::Table(_))) => {
                for (index, item) in list.iter().enumerate() {
                    if let DeValue::Table(inner) = item.get_ref() {
                        let name = match inner.get("name").map(toml::Spanned::get_ref) {
                            Some(DeValue::String(name)) => name.to_string(),
                            _ => index.to_string(),
                        };
                        let mut of_item = Vec::new();
                        values(&format!("{path}.{name}"), inner, &mut of_item);
                        out.extend(of_item.into_iter().filter(|(path, ..)| !path.ends_with(&format!("{name}.name"))));
                    }
                }
            }
            other => out.push((path, text(other), value.span().start)),
        }
    }
}

fn text(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(at) => at.to_string(),
        DeValue::Array(list) => list.iter().map(|item| text(item.get_ref())).collect::<Vec<_>>().join(", "),
        DeValue::Table(_) => String::new(),
    }
}

/// A value for display, redacted if it is a secret. The address of a chat's webhook is one; the name of the variable,
/// file or command that supplies a secret is not.
fn printable(name: &str, value: &str) -> String {
    let last = name.rsplit('.').next().unwrap_or(name);
    let points = ["_env", "_file", "_command"].iter().any(|ending| last.ends_with(ending));
    if name.starts_with("channel.") && last == "url" {
        let (scheme, rest) = value.split_once("://").unwrap_or(("", value));
        let host = rest.split('/').next().unwrap_or_default();
        return format!("{scheme}://{}/[REDACTED]", host.rsplit('@').next().unwrap_or_default());
    }
    if !points && is_sensitive_name(last) && !value.starts_with("env:") {
        return crosstail_core::model::REDACTED.to_owned();
    }
    redact_text(value).into_owned()
}

/// Resolves the relative paths in a project's file against its folder, and notes that the sources are the project's.
fn resolve_paths(config: &mut Config, folder: &Path) {
    for entry in &mut config.sources {
        entry.is_of_project = true;
    }
    for place in config.markers.iter_mut().flat_map(|entry| [&mut entry.file, &mut entry.git]).flatten() {
        *place = folder.join(&*place);
    }
    for entry in config.sources.iter_mut().filter(|entry| entry.command.is_none()) {
        let anchored = entry.addresses().into_iter().map(|at| {
            let is_program = crate::kinds::ALL.runs_a_program(&at);
            let is_path = !at.contains("://") && !Path::new(&at).is_absolute() && at != "-" && !is_program;
            if is_path { folder.join(&at).display().to_string() } else { at }
        });
        entry.at = super::OneOrMany::Many(anchored.collect());
    }
}

/// Whether a table is the file itself or a profile: what is in it is a setting or a list.
fn is_top(within: &str) -> bool {
    within.is_empty() || within.starts_with(PROFILE)
}

/// What the name of a profile's table is marked with on the way.
const PROFILE: &str = "profile ";

/// Rejects settings that a project's file may not contain, also where it is trusted: it must not make crosstail send the
/// user's secrets anywhere, or run programs in the course of something else. A source that is a program says so. `within` is
/// the name of the table.
fn forbid_in_project(
    within: &str,
    table: &DeTable<'_>,
    error: &mut dyn FnMut(usize, String) -> anyhow::Error,
) -> anyhow::Result<()> {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let at = key.span().start;
        let is_text = matches!(value.get_ref(), DeValue::String(_));
        // A table of commands runs nothing by itself: each is shown, and run once somebody confirms it.
        let is_table = name == "command" && matches!(value.get_ref(), DeValue::Array(_)) && is_top(within);
        if name == "command" && within != "source" && !is_table || name.ends_with("_command") && is_text {
            bail!(error(
                at,
                format!("{name}: a project's file may not run commands; put it into your own configuration")
            ));
        }
        if name.ends_with("_file") && is_text {
            bail!(error(
                at,
                format!("{name}: a project's file may not read your secrets; put it into your own configuration")
            ));
        }
        if let (true, DeValue::String(variable)) = (name.ends_with("_env"), value.get_ref())
            && !variable.starts_with("CROSSTAIL_")
        {
            let why =
                format!("{name}: a project's file may name only variables that begin with CROSSTAIL_, not {variable}");
            bail!(error(at, why));
        }
        match value.get_ref() {
            // The tables in `profile` are named by their users.
            DeValue::Table(inner) if within == "profile" => {
                forbid_in_project(&format!("{PROFILE}{name}"), inner, error)?;
            }
            DeValue::Table(inner) => forbid_in_project(name, inner, error)?,
            DeValue::Array(list) => {
                for item in list {
                    match item.get_ref() {
                        DeValue::Table(inner) => forbid_in_project(name, inner, error)?,
                        DeValue::String(text) if text.starts_with("env:") && !text.starts_with("env:CROSSTAIL_") => {
                            bail!(error(
                                item.span().start,
                                "a project's file may name only variables that begin with CROSSTAIL_".to_owned()
                            ));
                        }
                        _ => {}
                    }
                }
            }
            DeValue::String(text) if text.starts_with("env:") && !text.starts_with("env:CROSSTAIL_") => {
                let why = "a project's file may name only variables that begin with CROSSTAIL_".to_owned();
                bail!(error(value.span().start, why));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Parses a file. An error names the file and the line, and suggests the nearest key for an unknown one.
pub(super) fn parse(text: &str, path: &Path) -> anyhow::Result<Config> {
    let config: Config = toml::from_str(text).map_err(|error| wrong(text, path, &error))?;
    let tree = DeTable::parse(text).map_err(|error| wrong(text, path, &error))?.into_inner();
    let profiles = tree.get("profile").and_then(|profiles| profiles.get_ref().as_table());
    let tables = config.profiles.iter().map(|(name, profile)| {
        let table = profiles.and_then(|profiles| profiles.get(name.as_str())?.get_ref().as_table());
        (&profile.sources, table)
    });
    for (sources, table) in tables.chain([(&config.sources, Some(&tree))]) {
        let places = table.and_then(|table| table.get("source")?.get_ref().as_array());
        for (index, entry) in sources.iter().enumerate() {
            let Some(problem) = entry.problem() else { continue };
            let at = places.and_then(|places| places.get(index)).map_or(0, |place| place.span().start);
            let line = text[..at].matches('\n').count() + 1;
            bail!("{}:{line}: the source {} {problem}", path.display(), entry.name);
        }
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layered(files: &[(&str, &str, bool)], profile: Option<&str>) -> anyhow::Result<LayeredConfig> {
        let mut all = LayeredConfig::default();
        let mut profiles = Vec::new();
        for (text, path, is_project) in files {
            all.apply_file(text, Path::new(path), profile, *is_project, &mut profiles)?;
        }
        Ok(all)
    }

    fn of<'a>(all: &'a LayeredConfig, name: &str) -> Option<(&'a str, &'a str)> {
        let found = all.settings.iter().find(|setting| setting.name == name)?;
        Some((found.value.as_str(), found.origin.as_str()))
    }

    #[test]
    fn each_layer_lies_over_the_one_before_and_says_so() {
        let user = "theme = \"light\"\n[[source]]\nname = \"a\"\nat = \"postgres://me:hunter2xx@db/a\"\n[[source]]\nname = \"b\"\nat = \"b.log\"\n\
            [[channel]]\nname = \"ops\"\nkind = \"slack\"\nurl = \"https://hooks.slack.example/services/hunter2xx\"\n\
            [profile.prod]\ntheme = \"contrast\"\n[[profile.prod.source]]\nname = \"p\"\nat = \"kafka://broker/x\"\n";
        let project = "[[source]]\nname = \"b\"\nat = \"logs/*.log\"\n";
        let all =
            layered(&[(user, "/u.toml", false), (project, "/work/app/crosstail.toml", true)], None).expect("good");
        assert_eq!(of(&all, "theme"), Some(("light", "/u.toml:1")));
        assert_eq!(of(&all, "source.b.at"), Some(("logs/*.log", "/work/app/crosstail.toml:3")));
        assert_eq!(all.config.sources.len(), 2, "the project's b takes the place of the user's");
        assert_eq!(all.config.sources[1].addresses(), ["/work/app/logs/*.log"]);
        let said: String = all.settings.iter().map(|s| format!("{s:?}")).collect();
        assert!(!said.contains("hunter2xx") && said.contains("db/a"), "{said}");
        let all = layered(&[(user, "/u.toml", false)], Some("prod")).expect("good");
        assert_eq!(of(&all, "theme"), Some(("contrast", "/u.toml:13")));
        let names: Vec<&str> = all.config.sources.iter().map(|source| source.name.as_str()).collect();
        assert_eq!(names, ["p"]);
        assert_eq!(of(&all, "source.a.at"), None);
    }

    #[test]
    fn a_projects_file_runs_nothing_and_takes_no_secret() {
        for (text, why) in [
            (
                "[[source]]\nname = \"a\"\nat = \"postgres://me@evil/x\"\npassword_command = \"cat ~/.ssh/id_rsa\"\n",
                ":4: password_command",
            ),
            (
                "[[source]]\nname = \"a\"\nat = \"postgres://me@evil/x\"\npassword_file = \"/etc/shadow\"\n",
                ":4: password_file",
            ),
            (
                "[[source]]\nname = \"a\"\nat = \"postgres://me@evil/x\"\npassword_env = \"AWS_SECRET_ACCESS_KEY\"\n",
                ":4: password_env",
            ),
            ("[[channel]]\nname = \"c\"\nkind = \"command\"\ncommand = \"rm -rf /\"\n", ":4: command"),
            ("[profile.x]\n[[profile.x.channel]]\nname = \"c\"\nkind = \"command\"\ncommand = \"id\"\n", ":5: command"),
            (
                "[[channel]]\nname = \"c\"\nkind = \"webhook\"\nurl = \"https://evil\"\nheaders = { A = \"env:TOKEN\" }\n",
                ":5: a project",
            ),
        ] {
            let error = layered(&[(text, "p.toml", true)], None).expect_err("refused").to_string();
            assert!(error.contains(why), "{error}");
            layered(&[(text, "p.toml", false)], None).expect("one's own may");
        }
        let own = "[[source]]\nname = \"a\"\nat = \"postgres://me@db/x\"\npassword_env = \"CROSSTAIL_DB\"\n";
        layered(&[(own, "p.toml", true)], None).expect("its own variable");
        // A channel of the user's is not replaced, where all notifications would go to somebody else.
        let channel = "[[channel]]\nname = \"ops\"\nkind = \"webhook\"\nurl = \"https://a.example\"\n";
        let error = layered(&[(channel, "u.toml", false), (channel, "p.toml", true)], None).expect_err("refused");
        assert!(error.to_string().contains("p.toml:1: the channel ops is your own"), "{error}");
    }

    #[test]
    fn fuzz_config() {
        let own = "theme = \"light\"\n[[source]]\nname = \"a\"\nat = \"postgres://me@db/a\"\n[profile.p]\ntheme = \"dark\"\n[redaction]\nnames = [\"x\"]\n";
        let bits = [
            "[",
            "]",
            "[[",
            "]]",
            "=",
            "\"",
            "{",
            "}",
            "\n[[source]]\n",
            "[profile.",
            "name = ",
            "at = ",
            ".",
            "x = [",
            "{a = ",
        ];
        let corpus = vec![DEFAULT.as_bytes().to_vec(), own.as_bytes().to_vec()];
        crosstail_fuzz::Target { name: "config", corpus, bits: &bits, longest: 20_000 }.run(|number, input| {
            let text = String::from_utf8_lossy(input);
            let _ = layered(&[(&text, "fuzz.toml", number % 2 == 0)], (number % 3 == 0).then_some("p"));
        });
    }
}
