//! `crosstail mcp`: what the commands know, for programs that speak the Model Context Protocol
//! (<https://modelcontextprotocol.io>) over standard input and output.
//!
//! A tool is a command: it runs in a process of its own, with `-o json`, over the sources that the server was started with.
//! So an answer is what the command prints, redacted as there, and a question that takes too long, or too much memory, costs
//! itself. A caller chooses filters, times and groups; never a source, a file or a program.

mod answer;
mod command;
mod lines;
mod tools;

use super::args::McpArgs;
use super::{UsageError, sources};
use crate::config::Overrides;
use anyhow::{Context as _, Result, ensure};
use command::Runner;
use crosstail_core::model::redact_text;
use crosstail_core::number::saturating_usize;
use rmcp::{ServiceExt as _, transport::stdio};
use tools::{Explorer, SourceLine};

pub(super) async fn run(args: &McpArgs, choice: &Overrides) -> Result<u8> {
    let from_stdin = args.source.sources.iter().any(|source| source == "-");
    ensure!(!from_stdin, UsageError("standard input is the protocol's; name a file or a store".to_owned()));
    let config = super::configuration(choice)?;
    // Opened once, so that a mistake in an address or a schema ends the server, not each answer.
    let opened = sources::open_named(&args.source, &config)?;
    let line = |(config, kind): (&crosstail_source::SourceConfig, &&crosstail_source::Kind)| SourceLine {
        name: config.name.clone(),
        kind: kind.store.name.to_owned(),
        at: config.at.iter().map(|at| redact_text(at).into_owned()).collect(),
    };
    let listed = opened.configs.iter().zip(&opened.kinds).map(line).collect();
    let zone = sources::context(&args.source, &config)?.zone;
    drop(opened);
    let runner = Runner::new(&args.source, choice, args.timeout, saturating_usize(args.most_bytes))?;
    let (input, output) = stdio();
    let service = Explorer::new(runner, listed, zone)
        .serve(lines::between(input, output))
        .await
        .context("the client did not begin")?;
    service.waiting().await?;
    Ok(super::exit::OK)
}
