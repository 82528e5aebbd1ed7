//! `crosstail completions` and `crosstail man`, generated from the definition of the command line.

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::{UsageError, exit};
use anyhow::Result;
use clap::CommandFactory as _;
use crosstail_core::filter::suggest;
use std::io::Write as _;

pub(super) fn completions(args: &CompletionsArgs) -> Result<u8> {
    // Into memory first: the generator would panic on a closed pipe.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "crosstail", &mut text);
    std::io::stdout().lock().write_all(&text)?;
    Ok(exit::OK)
}

pub(super) fn page(args: &ManArgs) -> Result<u8> {
    let mut all = Cli::command();
    all.build();
    let command = match &args.command {
        None => all,
        Some(name) => {
            let known = all.find_subcommand(name).cloned();
            known.ok_or_else(|| {
                let names: Vec<&str> =
                    all.get_subcommands().filter(|c| !c.is_hide_set()).map(clap::Command::get_name).collect();
                let near = suggest(name, names.iter().copied());
                let hint = near.map_or_else(
                    || format!("the commands are {}", names.join(", ")),
                    |near| format!("did you mean '{near}'?"),
                );
                UsageError(format!("no command '{name}'; {hint}"))
            })?
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    std::io::stdout().lock().write_all(&text)?;
    Ok(exit::OK)
}
