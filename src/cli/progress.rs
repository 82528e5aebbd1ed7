//! What a command reads, on a terminal, while it takes long.

use crate::runtime::Work;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Nothing is said about what takes less.
const FIRST: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(500);

/// Waits for something that a command reads. On a terminal, a line on standard error says how far it is; it is gone before
/// anything is printed.
pub(super) async fn shown<T>(work: &Work, reading: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return reading.await;
    }
    let begun = Instant::now();
    let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + FIRST, EVERY);
    let mut is_shown = false;
    tokio::pin!(reading);
    loop {
        tokio::select! {
            read = &mut reading => {
                if is_shown {
                    say("");
                }
                return read;
            }
            _ = tick.tick() => {
                let rows: u64 = work.jobs().list().iter().map(|job| job.rows).sum();
                let rows = if rows > 0 { format!(", {rows} rows") } else { String::new() };
                let seconds = begun.elapsed().as_secs();
                say(&format!("reading{rows}, {seconds} s; Ctrl-C ends it"));
                is_shown = true;
            }
        }
    }
}

/// Replaces the line.
fn say(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "\r\x1b[K{text}").and_then(|()| out.flush());
}
