//! Runs commands of the user's, without a shell, below a guard that ends them when nobody wants them any more.

use super::{Answer, Runtime};
use crate::effect::{CommandOutput, Effect, Reply, Ticket};
use std::process::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;

/// Lines of output that are kept; a command that prints more is ended.
const LINES: usize = 20_000;
/// Bytes of a line; a longer one is divided.
const LINE_BYTES: usize = 16_384;

impl Runtime {
    /// Starts and ends commands; returns any other effect.
    pub(super) fn run_tools(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::RunCommand(ticket, words) => {
                let scope = self.restart_scope(|this| &mut this.running);
                let replies = self.replies.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = scope.cancelled() => {}
                        () = run(words, ticket, replies) => {}
                    }
                });
            }
            Effect::StopCommand => drop(self.restart_scope(|this| &mut this.running)),
            other => return Some(other),
        }
        None
    }
}

async fn run(words: Vec<String>, ticket: Ticket, replies: mpsc::Sender<Answer>) {
    let end = match printed(&words, ticket, &replies).await {
        Ok(end) => end,
        Err(error) => format!("not run: {error}"),
    };
    let last = CommandOutput { end: Some(end), ..CommandOutput::default() };
    let _ = replies.send((ticket, Reply::CommandOutput(last))).await;
}

/// Runs it and passes on what it prints; how it ended.
async fn printed(words: &[String], ticket: Ticket, replies: &mpsc::Sender<Answer>) -> std::io::Result<String> {
    let mut child = tokio::process::Command::new(std::env::current_exe()?)
        .args(["guard", "--"])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // The guard ends the command when this end of its input is closed, also when this future is dropped.
    let held = child.stdin.take();
    let (sender, mut lines) = mpsc::channel(64);
    let out = child.stdout.take().map(|out| tokio::spawn(divide(out, false, sender.clone())));
    let err = child.stderr.take().map(|err| tokio::spawn(divide(err, true, sender)));
    let mut count = 0;
    while let Some(line) = lines.recv().await {
        let mut some = vec![line];
        while some.len() < 256
            && let Ok(more) = lines.try_recv()
        {
            some.push(more);
        }
        count += some.len();
        let part = CommandOutput { lines: some, end: None };
        if replies.send((ticket, Reply::CommandOutput(part))).await.is_err() || count >= LINES {
            break;
        }
    }
    let is_cut = count >= LINES;
    if is_cut {
        drop(held);
        for task in [out, err].into_iter().flatten() {
            task.abort();
        }
        child.wait().await?;
        return Ok(format!("ended after {LINES} lines"));
    }
    let status = child.wait().await?;
    drop(held);
    Ok(match status.code() {
        Some(0) => "done".to_owned(),
        Some(code) => format!("failed with exit code {code}"),
        None => "ended by a signal".to_owned(),
    })
}

/// Divides a stream into lines.
async fn divide(mut stream: impl AsyncRead + Unpin, is_error: bool, lines: mpsc::Sender<(String, bool)>) {
    let (mut buffer, mut rest) = (vec![0; 8192], Vec::new());
    while let Ok(read) = stream.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        rest.extend_from_slice(&buffer[..read]);
        while let Some(at) =
            rest.iter().position(|byte| *byte == b'\n').or((rest.len() > LINE_BYTES).then_some(LINE_BYTES))
        {
            let after = if rest[at] == b'\n' { at + 1 } else { at };
            let line = String::from_utf8_lossy(&rest[..at]).trim_end_matches('\r').to_owned();
            rest.drain(..after);
            if lines.send((line, is_error)).await.is_err() {
                return;
            }
        }
    }
    if !rest.is_empty() {
        let _ = lines.send((String::from_utf8_lossy(&rest).into_owned(), is_error)).await;
    }
}
