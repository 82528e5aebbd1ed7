//! A command in a process of its own.

use super::super::args::SourceArgs;
use super::super::exit;
use crate::config::Overrides;
use anyhow::{Context as _, Result};
use crosstail_core::number::saturating_usize;
use serde_json::Value;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::sync::Semaphore;

/// How many commands run at the same time; others wait for their turn.
const AT_ONCE: usize = 2;
/// How much a command may print, in bytes. Far above what an answer may hold: figures of many groups are cut afterwards.
const MOST_PRINTED: u64 = 16 << 20;

/// Runs the commands of this program over the sources of the server.
#[derive(Clone)]
pub(super) struct Runner {
    program: PathBuf,
    /// Options that every command gets: sources and configuration.
    common: Arc<[OsString]>,
    timeout: Duration,
    pub(super) most_bytes: usize,
    turns: Arc<Semaphore>,
}

/// What a command printed.
pub(super) struct Printed {
    /// The objects, one a line.
    pub(super) objects: Vec<Value>,
    /// What it said beside: what is missing, and why.
    pub(super) notes: Vec<String>,
    pub(super) code: u8,
}

impl Runner {
    pub(super) fn new(source: &SourceArgs, choice: &Overrides, timeout: Duration, most_bytes: usize) -> Result<Self> {
        let mut common: Vec<OsString> = Vec::new();
        let mut option = |name: &str, value: &std::ffi::OsStr| {
            let mut whole = OsString::from(format!("--{name}="));
            whole.push(value);
            common.push(whole);
        };
        choice.file.iter().for_each(|file| option("config", file.as_os_str()));
        choice.profile.iter().for_each(|profile| option("profile", profile.as_ref()));
        source.sources.iter().for_each(|one| option("source", one.as_ref()));
        source.run.iter().for_each(|one| option("run", one.as_ref()));
        source.schema.iter().for_each(|schema| option("schema", schema.as_ref()));
        source.zone().into_iter().for_each(|zone| option("zone", zone.as_ref()));
        Ok(Self {
            program: std::env::current_exe().context("the path of this program")?,
            common: common.into(),
            timeout,
            most_bytes,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// Runs a command with its options. An error is what the caller can do something about.
    pub(super) async fn run(&self, command: &[&str], options: Vec<String>) -> Result<Printed, String> {
        let Ok(_turn) = self.turns.acquire().await else { return Err("the server ends".to_owned()) };
        let mut process = Command::new(&self.program);
        process.args(command).args(self.common.iter()).arg("--output=json").args(&options);
        // A future that is dropped, because the caller cancelled, ends the process, and the server its query with it.
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = process.spawn().map_err(|error| format!("the command cannot start: {error}"))?;
        let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err("the command has no output".to_owned());
        };
        let finished = async { tokio::join!(read(out), read(err), child.wait()) };
        let Ok((printed, said, status)) = tokio::time::timeout(self.timeout, finished).await else {
            let seconds = self.timeout.as_secs();
            return Err(format!(
                "not done after {seconds} s: narrow the range of time (since, until) or the filter, and ask again"
            ));
        };
        let notes: Vec<String> = said
            .0
            .lines()
            .map(|line| line.strip_prefix("crosstail: ").unwrap_or(line).to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        let code = status.ok().and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
        let code = code.unwrap_or(exit::FAILED);
        if printed.1 {
            return Err("the command printed too much: narrow the filter or the range of time".to_owned());
        }
        let objects = printed.0.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Value>>();
        let failed = matches!(code, exit::USAGE | exit::NOT_FOUND | exit::AMBIGUOUS)
            || (code == exit::FAILED && objects.is_empty() && !notes.is_empty());
        if failed {
            return Err(notes.join("\n"));
        }
        Ok(Printed { objects, notes, code })
    }
}

/// What comes through a pipe, and whether it was more than may come.
async fn read(pipe: impl AsyncRead + Unpin) -> (String, bool) {
    let mut bytes = Vec::new();
    // What cannot be read any more has ended.
    let _ = pipe.take(MOST_PRINTED + 1).read_to_end(&mut bytes).await;
    let too_much = bytes.len() > saturating_usize(MOST_PRINTED);
    (String::from_utf8_lossy(&bytes).into_owned(), too_much)
}
