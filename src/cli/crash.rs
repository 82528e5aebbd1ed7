//! What a panic does: the terminal is given back, and what is said has no secrets.

use crate::tui::{leavings, terminal};
use crosstail_core::model::redact_text;
use crosstail_source::is_caught;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, PoisonError};

/// The code with which Rust ends a program that panicked.
const CODE: i32 = 101;

/// What was said last by a panic that did not end the explorer.
static UNSAID: Mutex<Option<String>> = Mutex::new(None);

/// Reports panics from now on.
///
/// One that becomes an error goes to the log alone. One of the main thread, or of a thread without which the terminal is of no use,
/// gives the terminal back and is printed. Any other ends a piece of work, which whoever waits for it is told: the explorer goes on, and
/// its terminal stays as it is.
pub(super) fn report() {
    std::panic::set_hook(Box::new(|panic| {
        if is_caught() {
            tracing::warn!("{panic}");
            return;
        }
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed");
        let said = text(name, panic);
        let is_of_the_terminal = name.starts_with(terminal::THREADS);
        if name == "main" || is_of_the_terminal || !terminal::is_taken() {
            terminal::leave();
            print(&said);
            if is_of_the_terminal {
                leavings::remove_all();
                std::process::exit(CODE);
            }
            return;
        }
        tracing::error!("{said}");
        *UNSAID.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }));
}

/// While this lives, a panic that another thread passes on to this one, of which the hook hears only there, is told here.
pub(super) struct Told;

impl Drop for Told {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        terminal::leave();
        if let Some(said) = UNSAID.lock().unwrap_or_else(PoisonError::into_inner).take() {
            print(&said);
        }
    }
}

fn print(said: &str) {
    let _ = writeln!(std::io::stderr().lock(), "\n{said}");
}

fn text(thread: &str, panic: &PanicHookInfo<'_>) -> String {
    let frames = Backtrace::capture();
    let frames = (frames.status() == BacktraceStatus::Captured).then(|| frames.to_string());
    crash_text(&format!("thread '{thread}' {panic}"), frames.as_deref())
}

/// What a crash says: a message may hold what was read.
fn crash_text(said: &str, frames: Option<&str>) -> String {
    let said = redact_text(said);
    let advice = "note: run with `RUST_BACKTRACE=1` to display a backtrace";
    format!("{said}\n{}", frames.map_or_else(|| advice.to_owned(), |frames| format!("stack backtrace:\n{frames}")))
}
