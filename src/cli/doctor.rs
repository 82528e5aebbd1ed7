//! `crosstail doctor`: what is wrong with each source, and, where none is named, with the terminal and the configuration.
//! And how to fix it.

use super::args::{DoctorArgs, TextOrJson};
use super::output::{colours, columns, print_error, spinner};
use super::sources::PATIENCE;
use super::wrap::wrapped;
use super::{check, exit, sources};
use crate::config::{self, Config, LayeredConfig, Overrides, SourceEntry};
use crate::kinds;
use crate::runtime::{SourceDiagnosis, diagnose};
use crate::tui::fitness;
use anyhow::Result;
use crosstail_core::model::{Clock, Diagnosis, Grade, visible};
use crosstail_export::safe_json;
use crosstail_source::{Endpoint, Job, Priority, SourceConfig};
use serde_json::json;
use std::io::Write;

/// Column at which the text of a finding starts.
const INDENT: usize = 31;

pub(super) async fn run(args: &DoctorArgs, choice: &Overrides) -> Result<u8> {
    let is_named = !args.source.sources.is_empty() || !args.source.run.is_empty();
    let mut own = Vec::new();
    let (config, opened) = if is_named {
        let config = super::configuration(choice)?;
        let opened = sources::open_named(&args.source, &config)?;
        (config, opened)
    } else {
        own.extend(fitness::examine());
        let config = configured(choice, &mut own);
        own.extend(state());
        let opened = sources::open_sound(config.1)?;
        (config.0, opened)
    };
    let mut report = Report {
        out: std::io::stdout().lock(),
        output: args.output,
        quiet: args.quiet,
        colour: colours(choice.colour),
        worst: Grade::Ok,
        counts: [0; 4],
    };
    if !is_named {
        report.add("crosstail", None, &SourceDiagnosis { server: None, diagnoses: own })?;
    }
    let bar = spinner("examining");
    let mut tasks = Vec::new();
    for ((source, config), kind) in opened.sources.iter().zip(&opened.configs).zip(&opened.kinds) {
        let endpoints: Vec<Endpoint> = config.at.iter().flat_map(|at| kinds::ALL.endpoints(at)).collect();
        let (source, network, listens) = (source.clone(), kind.network.as_ref(), kind.listens);
        tasks.push(tokio::spawn(async move {
            // What is still being printed or read is waited for a little.
            let job = Job::new("read", Priority::Asked);
            let settled = async { listens || tokio::time::timeout(PATIENCE, source.1.settled(&job)).await.is_ok() };
            let is_settled = settled.await;
            let mut examined = diagnose(source.clone(), network, endpoints, &Clock::system()).await;
            if !is_settled {
                let text = format!("still being read: what came within {} s is looked at", PATIENCE.as_secs());
                examined.diagnoses.push(Diagnosis::note("history", text));
            }
            examined
        }));
    }
    for ((task, (id, _)), kind) in tasks.into_iter().zip(&opened.sources).zip(&opened.kinds) {
        let mut examined = task.await?;
        let name = opened.names.source_name(*id).to_string();
        examined.diagnoses.extend(secrets(args, &config, &name));
        bar.suspend(|| report.add(&name, Some(kind.store.name), &examined))?;
    }
    bar.finish_and_clear();
    let [_, notes, warnings, problems] = report.counts;
    let count = |n: usize, word: &str| if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") };
    let all = [count(problems, "problem"), count(warnings, "warning"), count(notes, "note")];
    print_error(&all.join(", "));
    Ok(match report.worst {
        Grade::Ok | Grade::Note => exit::OK,
        Grade::Warning => exit::DOCTOR_WARNING,
        Grade::Problem => exit::DOCTOR_PROBLEM,
    })
}

/// A password or token that other users can read: on the command line or in the configuration file.
fn secrets(args: &DoctorArgs, config: &Config, name: &str) -> Option<Diagnosis> {
    let written = |at: &str| kinds::ALL.tells_a_secret(at);
    if args.source.sources.iter().any(|argument| written(argument) && kinds::ALL.configure(argument).name == name) {
        let text = "the password or token is on the command line, where every user of this machine can see it";
        let remedy = "configure the source with password_env, password_file or password_command; for PostgreSQL, PGPASSWORD and ~/.pgpass work too";
        return Some(Diagnosis::warning("credentials", text, remedy));
    }
    let entry = config.sources.iter().find(|entry| entry.name == name)?;
    let there = entry.addresses().iter().any(|at| written(at)) && args.source.sources.is_empty();
    there.then(|| {
        let remedy = "remove it, and use password_env, password_file or password_command";
        Diagnosis::warning("credentials", "the password or token is in the configuration file", remedy)
    })
}

/// What the configuration has, and what is wrong with it: into `found`. Returns it with the sources that it resolves to.
fn configured(choice: &Overrides, found: &mut Vec<Diagnosis>) -> (Config, Vec<SourceConfig>) {
    const TOPIC: &str = "configuration";
    let remedy = "correct it; crosstail config check reads everything again";
    let loaded = Config::load(choice).and_then(|config| Ok((config, LayeredConfig::load(choice)?)));
    let (config, layered) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            found.push(Diagnosis::problem(TOPIC, format!("{error:#}"), remedy));
            return (Config::default(), Vec::new());
        }
    };
    let sources: Vec<_> = config.sources.iter().map(SourceEntry::config).collect();
    let problems = check::problems(&config, &layered, &sources);
    found.push(match choice.own_file() {
        Some(path) if path.exists() => Diagnosis::ok(TOPIC, path.display().to_string()),
        Some(path) => Diagnosis::note(TOPIC, format!("{} does not exist: crosstail config init", path.display())),
        None => Diagnosis::problem(TOPIC, "its folder cannot be determined", "set HOME, or XDG_CONFIG_HOME"),
    });
    found.extend(problems.into_iter().map(|problem| Diagnosis::problem(TOPIC, problem, remedy)));
    if let Some(ignored) = &config.ignored {
        found.push(Diagnosis::note("project", ignored.clone()));
    }
    if config.sources.is_empty() {
        found.push(Diagnosis::note("sources", "none is configured; name one with -s"));
    }
    let sound = sources.into_iter().filter_map(Result::ok).collect();
    (config, sound)
}

/// Whether what survives a restart can be kept: what is trusted, the state of `watch`.
fn state() -> Option<Diagnosis> {
    use rustix::fs::{Access, access};
    use std::os::unix::fs::PermissionsExt as _;
    const TOPIC: &str = "state";
    let Some(folder) = config::state_folder() else {
        return Some(Diagnosis::problem(TOPIC, "its folder cannot be determined", "set HOME, or XDG_STATE_HOME"));
    };
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let path = folder.display();
    if !there.is_dir() || access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let remedy = format!("give it to yourself: chown -R $(id -u) '{}'", there.display());
        return Some(Diagnosis::problem(TOPIC, format!("{} cannot be written", there.display()), remedy));
    }
    let others = std::fs::metadata(&folder).is_ok_and(|about| about.permissions().mode() & 0o022 != 0);
    Some(if others {
        Diagnosis::warning(TOPIC, format!("others can write into {path}"), format!("chmod 700 '{path}'"))
    } else if there == folder {
        Diagnosis::ok(TOPIC, path.to_string())
    } else {
        Diagnosis::ok(TOPIC, format!("{path} is made when it is needed"))
    })
}

/// What was found, as it is printed.
struct Report {
    out: std::io::StdoutLock<'static>,
    output: TextOrJson,
    quiet: bool,
    colour: bool,
    worst: Grade,
    /// How often each grade was found.
    counts: [usize; 4],
}

impl Report {
    /// Prints what was found of a source; of crosstail itself where `kind` is `None`.
    fn add(&mut self, name: &str, kind: Option<&str>, examined: &SourceDiagnosis) -> Result<()> {
        self.worst = self.worst.max(examined.worst());
        for diagnosis in &examined.diagnoses {
            self.counts[diagnosis.grade as usize] += 1;
        }
        match self.output {
            TextOrJson::Json => self.as_json(kind.map(|_| name), examined),
            TextOrJson::Text => self.as_text(name, kind, examined),
        }
    }

    fn as_json(&mut self, source: Option<&str>, examined: &SourceDiagnosis) -> Result<()> {
        for diagnosis in &examined.diagnoses {
            let line = safe_json(&json!({
                "source": source, "server": examined.server, "grade": diagnosis.grade, "topic": diagnosis.topic,
                "text": diagnosis.text, "remedy": diagnosis.remedy,
            }))?;
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    fn as_text(&mut self, name: &str, kind: Option<&str>, examined: &SourceDiagnosis) -> Result<()> {
        let colour = self.colour;
        let paint = |grade: Grade, text: &str| {
            let code = match grade {
                Grade::Ok => "32",
                Grade::Note => "36",
                Grade::Warning => "33",
                Grade::Problem => "31",
            };
            if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
        };
        let server = examined.server.as_deref().map(|server| format!(", {server}")).unwrap_or_default();
        let about = kind.map(|kind| format!(" ({kind}{})", visible(&server))).unwrap_or_default();
        let head = format!("{}{about}", visible(name));
        writeln!(self.out, "{}", if colour { format!("\x1b[1m{head}\x1b[0m") } else { head })?;
        for diagnosis in examined.diagnoses.iter().filter(|d| !self.quiet || d.grade >= Grade::Warning) {
            let sign = match diagnosis.grade {
                Grade::Ok => "✓ ok     ",
                Grade::Note => "· note   ",
                Grade::Warning => "! warning",
                Grade::Problem => "✗ problem",
            };
            let room = columns().unwrap_or(usize::MAX).saturating_sub(INDENT + 2).max(30);
            for (index, line) in wrapped(&visible(&diagnosis.text), room).into_iter().enumerate() {
                if index == 0 {
                    writeln!(self.out, "  {}  {:<16}  {line}", paint(diagnosis.grade, sign), diagnosis.topic)?;
                } else {
                    writeln!(self.out, "{:INDENT$}{line}", "")?;
                }
            }
            let remedy = diagnosis.remedy.iter().flat_map(|remedy| wrapped(&visible(remedy), room));
            for (index, line) in remedy.enumerate() {
                writeln!(self.out, "{:INDENT$}{} {line}", "", if index == 0 { "→" } else { " " })?;
            }
        }
        writeln!(self.out)?;
        Ok(())
    }
}
