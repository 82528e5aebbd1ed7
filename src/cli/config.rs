//! `crosstail config`: create a configuration, check it, show where each value comes from.

use super::args::{ConfigArgs, ConfigCommand, TextOrJson};
use super::output::{aligned, print_error};
use super::{UsageError, check, exit};
use crate::config::{self, LayeredConfig, MarkedBy, Overrides, PROJECT_FILE, Project, Trust};
use crate::kinds;
use crate::tui::background;
use anyhow::{Context as _, Result, bail, ensure};
use crosstail_core::model::{Names, redact_text, visible, visible_line};
use crosstail_export::safe_json;
use crosstail_source::SourceConfig;
use serde_json::json;
use std::io::{IsTerminal as _, Write};
use std::path::PathBuf;

pub(super) fn run(args: &ConfigArgs, choice: &Overrides) -> Result<u8> {
    match &args.command {
        ConfigCommand::Init { sources, yes, project, force } => init(sources, *yes, *project, *force, choice),
        ConfigCommand::Check => check::run(choice),
        ConfigCommand::Show { theme, zone, output } => {
            show(&Overrides { theme: theme.clone(), time_zone: zone.clone(), ..choice.clone() }, *output)
        }
        ConfigCommand::Path => path(choice),
        ConfigCommand::JsonSchema { kind, .. } => json_schema(kind.as_deref(), choice),
        ConfigCommand::Trust { yes, remove } => trust(*yes, *remove, choice),
    }
}

fn show(choice: &Overrides, output: TextOrJson) -> Result<u8> {
    let layered = LayeredConfig::load(choice)?;
    if let Some(ignored) = &layered.config.ignored {
        print_error(ignored);
    }
    let mut out = std::io::stdout().lock();
    match output {
        TextOrJson::Json => {
            for setting in &layered.settings {
                let line = json!({ "name": setting.name, "value": setting.value, "from": setting.origin });
                writeln!(out, "{}", safe_json(&line)?)?;
            }
        }
        TextOrJson::Text => {
            let row = |s: &config::Setting| [&s.name, &s.value, &s.origin].map(|text| visible_line(text).into_owned());
            let rows: Vec<[String; 3]> = layered.settings.iter().map(row).collect();
            aligned(&mut out, &["setting", "value", "from"], &rows)?;
        }
    }
    Ok(exit::OK)
}

/// The file named by `--config` or `CROSSTAIL_CONFIG`, else the user's own.
fn own_file(choice: &Overrides) -> Result<PathBuf> {
    choice.own_file().context("cannot determine the configuration folder; name a file with --config")
}

/// Prints the JSON Schema of a kind of file, or writes all of them where editors look for them.
fn json_schema(kind: Option<&str>, choice: &Overrides) -> Result<u8> {
    match config::JSON_SCHEMAS.iter().find(|(name, _)| Some(*name) == kind) {
        Some((_, text)) => write!(std::io::stdout(), "{text}")?,
        None => {
            let folder = config::write_json_schemas(&own_file(choice)?)?;
            print_error(&format!(
                "wrote the JSON Schemas of {} kinds of file into {}",
                config::JSON_SCHEMAS.len(),
                folder.display()
            ));
        }
    }
    Ok(exit::OK)
}

fn path(choice: &Overrides) -> Result<u8> {
    let here = std::env::current_dir()?;
    let (project, why) = match Project::of(&here) {
        Ok(Some(found)) if found.trust == Trust::Trusted => (found.path, "trusted".to_owned()),
        Ok(Some(found)) => (found.path, "not trusted".to_owned()),
        Ok(None) => (here.join(PROJECT_FILE), String::new()),
        Err(error) => (here.join(PROJECT_FILE), format!("{error:#}")),
    };
    let in_folder = |name: &str| config::folder().map(|folder| folder.join(name));
    let all = [
        ("configuration", Some(own_file(choice)?)),
        ("project", Some(project)),
        ("keys", in_folder("keymap.toml")),
        ("themes", in_folder("themes")),
        ("schemas", in_folder("schemas")),
        ("rules", in_folder("rules")),
        ("state", config::state_folder()),
    ];
    let rows: Vec<[String; 3]> = all
        .into_iter()
        .filter_map(|(what, path)| {
            let path = path?;
            let there = match (what, path.exists()) {
                ("project", _) if !why.is_empty() => &why,
                (_, true) => "",
                (_, false) => "does not exist",
            };
            Some([what.to_owned(), path.display().to_string(), there.to_owned()])
        })
        .collect();
    aligned(&mut std::io::stdout().lock(), &["what", "path", ""], &rows)?;
    Ok(exit::OK)
}

/// Says what the project's file wants, and asks whether to use it.
fn trust(yes: bool, remove: bool, choice: &Overrides) -> Result<u8> {
    let here = std::env::current_dir()?;
    let missing = || UsageError(format!("no {PROJECT_FILE} in {} or above it", here.display()));
    let project = Project::of(&here)?.ok_or_else(missing)?;
    if remove {
        project.set_trusted(false)?;
        print_error(&format!("{} is not used any longer", project.path.display()));
        return Ok(exit::OK);
    }
    let mut wants: Vec<[String; 3]> = Vec::new();
    for layered in LayeredConfig::of_project(&project)? {
        let replaced = layered.replaced_by(choice)?.into_iter().map(|(kind, name)| {
            let name = visible_line(&name).into_owned();
            ["replace".to_owned(), format!("your own {kind} {name}"), String::new()]
        });
        for row in wants_of(&layered).into_iter().chain(replaced) {
            if !wants.contains(&row) {
                wants.push(row);
            }
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} wants to", visible(&project.path.display().to_string()))?;
    aligned(&mut out, &[], &wants)?;
    drop(out);
    if project.trust == Trust::Trusted {
        print_error("it is trusted");
        return Ok(exit::OK);
    }
    if !yes {
        let mut ask = Questionnaire::new();
        let answer = ask.question("trust it as it is? (y, n)", "n")?;
        if !answer.is_some_and(|answer| ["y", "yes"].contains(&answer.to_ascii_lowercase().as_str())) {
            print_error("it is not used");
            return Ok(exit::FAILED);
        }
    }
    project.set_trusted(true)?;
    print_error("it is trusted as it is now; when it changes, you are asked again");
    Ok(exit::OK)
}

/// What a project's file makes crosstail do: a verb, with what, and for what.
fn wants_of(layered: &LayeredConfig) -> Vec<[String; 3]> {
    let mut rows: Vec<[String; 3]> = Vec::new();
    for entry in &layered.config.sources {
        for at in entry.addresses() {
            let does = match kinds::ALL.of(&at) {
                Some(kind) if !kind.programs.is_empty() => "run",
                Some(kind) if kind.listens => "listen on",
                Some(kind) if kind.network.is_some() => "connect to",
                _ => "read",
            };
            let command = entry.command.as_ref().map(|command| command.list().join(" "));
            let what = redact_text(&command.unwrap_or(at)).into_owned();
            rows.push([does.to_owned(), what, format!("as the source {}", entry.name)]);
        }
    }
    for entry in &layered.config.markers {
        let (does, place) = match entry.marked_by() {
            Ok(MarkedBy::File(path)) => ("read", path),
            Ok(MarkedBy::Git(folder)) => ("run git in", folder),
            Ok(MarkedBy::Filter(_)) | Err(_) => continue,
        };
        rows.push([does.to_owned(), place.display().to_string(), format!("for the markers {}", entry.name)]);
    }
    for setting in &layered.settings {
        let (table, last) = setting.name.rsplit_once('.').unwrap_or(("", &setting.name));
        let is_told = match table.split('.').next() {
            Some("source") => ["at", "command"].contains(&last),
            Some("markers") => ["file", "git"].contains(&last),
            _ => false,
        };
        if is_told {
            continue;
        }
        if (table.starts_with("command.") && last == "run") || (table.starts_with("link.") && last == "url") {
            let (verb, what) = if last == "run" { ("offer to run", "command") } else { ("offer to open", "link") };
            let name = table.split_once('.').map_or("", |(_, name)| name);
            rows.push([verb.to_owned(), setting.value.clone(), format!("as the {what} {name}")]);
            continue;
        }
        rows.push(match (table.strip_prefix("channel."), last) {
            (Some(name), "url" | "smtp") => {
                ["notify".to_owned(), setting.value.clone(), format!("from watch, as the channel {name}")]
            }
            _ => ["set".to_owned(), format!("{} = {}", setting.name, setting.value), String::new()],
        });
    }
    let safe = |cell: String| visible_line(&cell).into_owned();
    rows.into_iter().map(|row| row.map(safe)).collect()
}

/// A source to write into the file.
struct NewSource {
    name: String,
    at: String,
    /// The line that names where the password comes from: `password_env = "…"`.
    secret: Option<String>,
}

fn init(sources: &[String], yes: bool, project: bool, force: bool, choice: &Overrides) -> Result<u8> {
    let path = if project { std::env::current_dir()?.join(PROJECT_FILE) } else { own_file(choice)? };
    ensure!(force || !path.exists(), UsageError(format!("{} exists; --force overwrites it", path.display())));
    let mut wanted = Vec::new();
    for text in sources {
        let (name, at) = match text.split_once('=') {
            Some((name, at)) if !name.contains(['/', ':']) => (Some(name.to_owned()), at.to_owned()),
            _ => (None, text.clone()),
        };
        wanted.push(source(name, &at, project)?);
    }
    let mut theme = None;
    let mut zone = None;
    if !yes && sources.is_empty() {
        let mut ask = Questionnaire::new();
        Questionnaire::say("Where are your logs? Enter one address per line, and an empty line to finish.")?;
        for kind in kinds::ALL.iter() {
            Questionnaire::say(&format!("  {:<32} {}", kind.example, kind.title))?;
        }
        while let Some(at) = ask.question("address", "")? {
            let told = kinds::ALL.configure(&at).name;
            let name = ask.question("  name of this source", &told)?.unwrap_or(told);
            match source(Some(name), &at, project) {
                Ok(mut one) => {
                    if one.secret.is_some() {
                        let variable = one.secret.clone().unwrap_or_default();
                        let told = variable.split('"').nth(1).unwrap_or_default().to_owned();
                        let named = ask.question("  environment variable with its password", &told)?.unwrap_or(told);
                        one.secret = Some(format!("password_env = {}", json!(named)));
                    }
                    wanted.push(one);
                }
                Err(error) => Questionnaire::say(&format!("  {error:#}"))?,
            }
        }
        theme = ask.question("theme (auto, dark, light, contrast, colourblind, ansi, none)", background::AUTO)?;
        zone = ask.question("time zone (UTC, local, Europe/Berlin …)", "UTC")?;
        if let Some(zone) = &zone {
            config::zone(zone)?;
        }
    }
    let mut text = filled(&wanted, theme.as_deref(), zone.as_deref())?;
    if project {
        // A checkout has no JSON Schemas.
        text = text.lines().skip_while(|line| line.starts_with("#:")).map(|line| format!("{line}\n")).collect();
    } else {
        config::write_json_schemas(&path)?;
    }
    config::write_file(&path, &text, force)?;
    if project && let Some(own) = Project::of(&std::env::current_dir()?)? {
        own.set_trusted(true)?;
    }
    print_error(&format!("wrote {} with {} sources", path.display(), wanted.len()));
    for one in &wanted {
        if let Some(variable) = one.secret.as_deref().and_then(|secret| secret.split('"').nth(1)) {
            print_error(&format!(
                "put the password of {} into the variable {variable}; the file shows the alternatives",
                one.name
            ));
        }
    }
    print_error("next: crosstail doctor");
    Ok(exit::OK)
}

/// A source from a valid address. A password in the address is removed.
fn source(name: Option<String>, at: &str, project: bool) -> Result<NewSource> {
    let name = name.unwrap_or_else(|| kinds::ALL.configure(at).name);
    ensure!(!name.trim().is_empty(), UsageError("a source needs a name".to_owned()));
    let mut at = at.to_owned();
    let mut secret = None;
    if let Some((scheme, rest)) = at.clone().split_once("://") {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        if let Some((user, hosts)) = rest[..end].rsplit_once('@') {
            let user = user.split(':').next().unwrap_or(user);
            at = format!("{scheme}://{user}@{hosts}{}", &rest[end..]);
            let folded: String =
                name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
            let prefix = if project { "CROSSTAIL_" } else { "" };
            secret = Some(format!("password_env = \"{prefix}{folded}_PASSWORD\""));
        }
    }
    let config = SourceConfig { name: name.clone(), at: vec![at.clone()], ..SourceConfig::default() };
    kinds::ALL.open(&config, &Names::default())?;
    Ok(NewSource { name, at, secret })
}

/// The commented template with the given values filled in.
fn filled(wanted: &[NewSource], theme: Option<&str>, zone: Option<&str>) -> Result<String> {
    let mut text = config::template().to_owned();
    for (key, value) in [("theme", theme), ("time_zone", zone)] {
        let Some(value) = value else { continue };
        let line = text.lines().find(|line| line.starts_with(&format!("# {key} = "))).map(str::to_owned);
        if let Some(line) = line {
            text = text.replacen(&line, &format!("{key} = {}", json!(value)), 1);
        }
    }
    let mut own = String::new();
    for NewSource { name, at, secret } in wanted {
        own.push_str(&format!("[[source]]\nname = {}\nat = {}\n", json!(name), json!(at)));
        if let Some(secret) = secret {
            own.push_str(&format!("{secret}\n"));
        }
        own.push('\n');
    }
    if !own.is_empty() {
        let mark = "# A source is a path";
        let Some(at) = text.find(mark) else { bail!("the template has no place for sources") };
        text.insert_str(at, &own);
    }
    Ok(text)
}

/// Questions on standard error, answers from standard input.
struct Questionnaire {
    lines: std::io::Lines<std::io::StdinLock<'static>>,
    terminal: bool,
}

impl Questionnaire {
    fn new() -> Self {
        let stdin = std::io::stdin();
        let terminal = stdin.is_terminal();
        Self { lines: std::io::BufRead::lines(stdin.lock()), terminal }
    }

    fn say(text: &str) -> Result<()> {
        writeln!(std::io::stderr(), "{}", visible(text))?;
        Ok(())
    }

    /// The answer, or the default for an empty one. `None` if both are empty.
    fn question(&mut self, text: &str, usual: &str) -> Result<Option<String>> {
        let hint = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
        write!(std::io::stderr(), "{text}{hint}: ")?;
        let Some(answer) = self.lines.next().transpose()? else {
            let hint = "nothing was written; without a terminal, pass --yes, and the sources with -s";
            return Err(UsageError(format!("the input ended before the last answer: {hint}")).into());
        };
        if !self.terminal {
            writeln!(std::io::stderr())?;
        }
        let answer = Some(answer.trim().to_owned()).filter(|answer| !answer.is_empty());
        Ok(answer.or_else(|| (!usual.is_empty()).then(|| usual.to_owned())))
    }
}
