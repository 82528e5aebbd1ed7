//! `crosstail doctor`: what is wrong with each source, and how to fix it.

use super::args::{DoctorArgs, TextOrJson};
use super::output::{colours, columns, print_error, spinner, wrapped};
use super::{exit, sources};
use crate::config::{Config, Overrides};
use crate::kinds;
use crate::runtime::{SourceDiagnosis, diagnose};
use anyhow::Result;
use crosstail_core::model::{Clock, Diagnosis, Grade, visible};
use crosstail_export::safe_json;
use crosstail_source::Endpoint;
use serde_json::json;
use std::io::Write;

/// Column at which the text of a finding starts.
const INDENT: usize = 31;

pub(super) async fn run(args: &DoctorArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let opened = sources::open_named(&args.source, &config)?;
    let colour = colours(choice.colour);
    let bar = spinner("examining");
    let mut tasks = Vec::new();
    for ((source, config), kind) in opened.sources.iter().zip(&opened.configs).zip(&opened.kinds) {
        let endpoints: Vec<Endpoint> = config.at.iter().flat_map(|at| kinds::ALL.endpoints(at)).collect();
        let (source, network) = (source.clone(), kind.network.as_ref());
        tasks.push(tokio::spawn(async move { diagnose(source, network, endpoints, &Clock::system()).await }));
    }
    let mut out = std::io::stdout().lock();
    let mut worst = Grade::Ok;
    let mut counts = [0usize; 4];
    for ((task, (id, _)), kind) in tasks.into_iter().zip(&opened.sources).zip(&opened.kinds) {
        let mut examined = task.await?;
        let name = opened.names.source_name(*id).to_string();
        examined.diagnoses.extend(secrets(args, &config, &name));
        worst = worst.max(examined.worst());
        for diagnosis in &examined.diagnoses {
            counts[diagnosis.grade as usize] += 1;
        }
        bar.suspend(|| match args.output {
            TextOrJson::Json => as_json(&mut out, &name, &examined),
            TextOrJson::Text => as_text(&mut out, &name, kind.store.name, &examined, (args.quiet, colour)),
        })?;
    }
    bar.finish_and_clear();
    let [_, notes, warnings, problems] = counts;
    let count = |n: usize, word: &str| if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") };
    let all = [count(problems, "problem"), count(warnings, "warning"), count(notes, "note")];
    print_error(&all.join(", "));
    Ok(match worst {
        Grade::Ok | Grade::Note => exit::OK,
        Grade::Warning => exit::DOCTOR_WARNING,
        Grade::Problem => exit::DOCTOR_PROBLEM,
    })
}

/// A password that other users can read: on the command line or in the configuration file.
fn secrets(args: &DoctorArgs, config: &Config, name: &str) -> Option<Diagnosis> {
    let written = |at: &str| kinds::ALL.endpoints(at).iter().any(|endpoint| endpoint.password);
    if args.source.sources.iter().any(|argument| written(argument) && kinds::ALL.configure(argument).name == name) {
        let text = "the password is on the command line, where every user of this machine can see it";
        let remedy = "configure the source with password_env, password_file or password_command; for PostgreSQL, PGPASSWORD and ~/.pgpass work too";
        return Some(Diagnosis::warning("credentials", text, remedy));
    }
    let entry = config.sources.iter().find(|entry| entry.name == name)?;
    let there = entry.addresses().iter().any(|at| written(at)) && args.source.sources.is_empty();
    there.then(|| {
        let remedy = "remove it, and use password_env, password_file or password_command";
        Diagnosis::warning("credentials", "the password is in the configuration file", remedy)
    })
}

fn as_json(out: &mut impl Write, name: &str, examined: &SourceDiagnosis) -> Result<()> {
    for diagnosis in &examined.diagnoses {
        let line = safe_json(&json!({
            "source": name, "server": examined.server, "grade": diagnosis.grade, "topic": diagnosis.topic,
            "text": diagnosis.text, "remedy": diagnosis.remedy,
        }))?;
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn as_text(
    out: &mut impl Write,
    name: &str,
    kind: &str,
    examined: &SourceDiagnosis,
    (quiet, colour): (bool, bool),
) -> Result<()> {
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
    let head = format!("{} ({kind}{})", visible(name), visible(&server));
    writeln!(out, "{}", if colour { format!("\x1b[1m{head}\x1b[0m") } else { head })?;
    for diagnosis in examined.diagnoses.iter().filter(|d| !quiet || d.grade >= Grade::Warning) {
        let sign = match diagnosis.grade {
            Grade::Ok => "✓ ok     ",
            Grade::Note => "· note   ",
            Grade::Warning => "! warning",
            Grade::Problem => "✗ problem",
        };
        let room = columns().unwrap_or(usize::MAX).saturating_sub(INDENT + 2).max(30);
        for (index, line) in wrapped(&visible(&diagnosis.text), room).into_iter().enumerate() {
            if index == 0 {
                writeln!(out, "  {}  {:<16}  {line}", paint(diagnosis.grade, sign), diagnosis.topic)?;
            } else {
                writeln!(out, "{:INDENT$}{line}", "")?;
            }
        }
        let remedy = diagnosis.remedy.iter().flat_map(|remedy| wrapped(&visible(remedy), room));
        for (index, line) in remedy.enumerate() {
            writeln!(out, "{:INDENT$}{} {line}", "", if index == 0 { "→" } else { " " })?;
        }
    }
    writeln!(out)?;
    Ok(())
}
