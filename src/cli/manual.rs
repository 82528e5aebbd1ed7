//! `crosstail completions`, `crosstail man` and `crosstail help`, generated from the definition of the command line.

use super::args::{Cli, CompletionsArgs, HelpArgs, ManArgs};
use super::wrap::wrapped;
use super::{UsageError, exit, topics};
use crate::explain;
use anyhow::Result;
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use crosstail_core::filter::suggest;
use std::io::Write as _;

pub(super) fn completions(args: &CompletionsArgs) -> Result<u8> {
    // Into memory first: the generator would panic on a closed pipe.
    let mut text = Vec::new();
    match args.shell {
        Shell::Bash => text.extend(include_bytes!("completions/crosstail.bash")),
        Shell::Zsh => text.extend(include_bytes!("completions/_crosstail")),
        Shell::Fish => text.extend(include_bytes!("completions/crosstail.fish")),
        other => clap_complete::generate(other, &mut Cli::command(), "crosstail", &mut text),
    }
    std::io::stdout().lock().write_all(&text)?;
    Ok(exit::OK)
}

/// The command that words name: `alerts`, `ack`.
fn find(words: &[String]) -> Result<Command> {
    let mut found = Cli::command();
    found.build();
    for word in words.iter().flat_map(|words| words.split_whitespace()) {
        let Some(sub) = found.find_subcommand(word).cloned() else {
            let names: Vec<&str> =
                found.get_subcommands().filter(|c| !c.is_hide_set()).map(Command::get_name).collect();
            let near = suggest(word, names.iter().copied());
            let hint = near.map_or_else(
                || {
                    if names.is_empty() {
                        "it has no commands".to_owned()
                    } else {
                        format!("the commands are {}", names.join(", "))
                    }
                },
                |near| format!("did you mean '{near}'?"),
            );
            return Err(UsageError(format!("no command '{word}'; {hint}")).into());
        };
        found = sub;
    }
    Ok(found)
}

pub(super) fn help(args: &HelpArgs) -> Result<u8> {
    let text = match args.about.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["filter" | "filters"] => topics::filter(),
        ["sources" | "source"] => topics::sources(),
        ["exit-codes" | "exit-code" | "exit"] => topics::exit_codes(),
        [word] if explain::is_code(word) => {
            explanation(word).ok_or_else(|| UsageError(format!("no error has the code '{word}'")))?
        }
        _ => find(&args.about)?.render_long_help().to_string(),
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(exit::OK)
}

/// Columns of an explanation.
const WIDTH: usize = 100;

/// What a code stands for; `None` if nothing has it.
fn explanation(code: &str) -> Option<String> {
    let entry = explain::entries().find(|entry| entry.code.eq_ignore_ascii_case(code))?;
    let mut out = format!("{}  {}\n", entry.code, entry.message);
    for (head, text) in [("Why", &entry.why), ("What to do", &entry.remedy)] {
        out.push_str(&format!("\n{head}\n"));
        for line in wrapped(&plain(text), WIDTH - 2) {
            out.push_str(&format!("  {line}\n"));
        }
    }
    Some(out)
}

/// A cell without the addresses of its links.
fn plain(cell: &str) -> String {
    let mut out = String::new();
    let mut rest = cell;
    while let Some((before, after)) = rest.split_once("](") {
        let (_, behind) = after.split_once(')').unwrap_or(("", after));
        let (text, link) = before.rsplit_once('[').unwrap_or((before, ""));
        out.push_str(text);
        out.push_str(link);
        rest = behind;
    }
    out + rest
}

pub(super) fn page(args: &ManArgs) -> Result<u8> {
    let command = find(&args.command)?;
    let has_filter = command.get_arguments().any(|arg| arg.get_id() == "filter");
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let is_root = args.command.is_empty();
    // The examples are shown as typed, not as a paragraph.
    let page = clap_mangen::Man::new(command.after_help(""));
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if is_root {
        page.render_subcommands_section(&mut text)?;
    }
    if !examples.trim().is_empty() {
        let examples = examples.trim().strip_prefix("Examples:").unwrap_or(&examples);
        topics::verbatim(&mut text, "EXAMPLES", examples)?;
    }
    if has_filter || is_root {
        topics::verbatim(&mut text, "FILTER LANGUAGE", &topics::filter())?;
    }
    topics::verbatim(&mut text, "EXIT STATUS", &topics::exit_codes())?;
    topics::verbatim(&mut text, "ENVIRONMENT", topics::ENVIRONMENT)?;
    topics::verbatim(&mut text, "FILES", topics::FILES)?;
    if is_root {
        page.render_version_section(&mut text)?;
    }
    std::io::stdout().lock().write_all(&text)?;
    Ok(exit::OK)
}
