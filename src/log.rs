//! What the program did since it was started: its own `tracing` events, without secrets, in a ring in memory and, with
//! `--log-file`, in a file.

use crosstail_core::model::{Clock, Timestamp, redact_text, visible_line};
use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Lines that are kept in memory.
const KEPT: usize = 2000;
/// Lines by which the file may be behind. When it is further behind, lines are dropped and counted.
const BEHIND: usize = 1000;
/// The longest line, in bytes; statements can be long.
const LONGEST: usize = 2000;

/// How long the end of the program waits for the file.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The log. A clone is the same log.
#[derive(Clone, Default)]
pub struct Log {
    kept: Arc<Mutex<VecDeque<LogLine>>>,
    file: Option<SyncSender<ToFile>>,
}

/// What the thread that writes the file is sent.
enum ToFile {
    Line(String),
    /// To be answered when everything before is written.
    Written(SyncSender<()>),
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// How serious it is.
    pub level: Level,
    /// What happened, without secrets and control characters.
    pub text: String,
}

impl Log {
    /// Starts the log of this process. `CROSSTAIL_LOG` chooses levels, as `debug` or `crosstail_source=trace,info`;
    /// without it, everything up to `debug`. What libraries say is left out: it may contain secrets.
    ///
    /// # Errors
    /// If the file cannot be opened, or `CROSSTAIL_LOG` is not understood.
    pub fn start(file: Option<&Path>) -> Result<Self, String> {
        let wanted = std::env::var("CROSSTAIL_LOG").unwrap_or_else(|_| "debug".to_owned());
        let levels: Targets = wanted.parse().map_err(|error| format!("CROSSTAIL_LOG={wanted}: {error}"))?;
        let file = file.map(open).transpose()?;
        let log = Self { file, ..Self::default() };
        let layer = Recorder { log: log.clone(), dropped: Mutex::new(0) }.with_filter(levels);
        // A second log in one process (a test's) hears nothing.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
        Ok(log)
    }

    /// The lines, the oldest first.
    pub fn lines(&self) -> Vec<LogLine> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Adds a line.
    pub fn add(&self, line: LogLine) {
        let mut lines = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Waits until the file has every line, a second at most: the last ones say why the program ended.
    pub fn end(&self) {
        let Some(file) = &self.file else { return };
        let (written, all) = sync_channel(1);
        // The thread of a full disk or a stuck mount does not hold the program.
        if file.try_send(ToFile::Written(written)).is_ok() {
            let _ = all.recv_timeout(LAST_LINES);
        }
    }
}

/// Opens the file to append to, readable by this user alone. A thread of its own writes it, so that a slow disk delays
/// nothing.
fn open(path: &Path) -> Result<SyncSender<ToFile>, String> {
    let opened = crate::config::append_named(path);
    let mut file = opened.map_err(|error| format!("--log-file {}: {error:#}", path.display()))?;
    let (lines, received) = sync_channel(BEHIND);
    let writing = std::thread::Builder::new().name("log".to_owned()).spawn(move || {
        for sent in received {
            match sent {
                // A full disk costs lines of the log, nothing else.
                ToFile::Line(line) => drop(file.write_all(line.as_bytes())),
                ToFile::Written(answer) => drop(answer.send(())),
            }
        }
    });
    writing.map_err(|error| format!("--log-file: {error}"))?;
    Ok(lines)
}

/// Takes events.
struct Recorder {
    log: Log,
    /// Lines that the file did not get since it last got one.
    dropped: Mutex<u64>,
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        if !about.target().starts_with("crosstail") {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let mut text = redact_text(&text.0).into_owned();
        text.truncate(text.floor_char_boundary(LONGEST));
        let line = LogLine { at: Clock::system().now(), level: *about.level(), text: visible_line(&text).into_owned() };
        if let Some(file) = &self.log.file {
            let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
            let before = if *dropped > 0 { format!("… {dropped} lines are missing\n") } else { String::new() };
            match file.try_send(ToFile::Line(format!("{before}{line}\n"))) {
                Ok(()) => *dropped = 0,
                Err(_) => *dropped += 1,
            }
        }
        self.log.add(line);
    }
}

/// What the line of a notice begins with.
pub const NOTICE: &str = "notice: ";

impl LogLine {
    /// Whether the explorer said it to the user.
    pub fn is_notice(&self) -> bool {
        self.text.starts_with(NOTICE)
    }

    /// What it says.
    pub fn said(&self) -> &str {
        self.text.strip_prefix(NOTICE).unwrap_or(&self.text)
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:<5} {}", self.at.rfc3339(), self.level, self.text)
    }
}

/// An event as text: the message, then `name=value` for each field that is not empty.
#[derive(Default)]
struct Text(String);

impl Text {
    fn field(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            let rest = std::mem::take(&mut self.0);
            self.0 = value.to_owned() + &rest;
        } else if !value.is_empty() {
            let _ = write!(self.0, " {}={value}", field.name());
        }
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(of: impl FnOnce()) -> Vec<LogLine> {
        let log = Log::default();
        let layer = Recorder { log: log.clone(), dropped: Mutex::new(0) };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), of);
        log.lines()
    }

    #[test]
    fn an_event_is_a_line_without_secrets() {
        let lines = recorded(|| {
            tracing::info!(source = "orders", error = "postgres://me:s3cret@host/db: refused", rows = 3, "lost");
            tracing::warn!(target: "hyper", "authorization: Bearer abcdefghijklmnop");
            tracing::info!(text = "a\u{1b}[31m\nb", "notice");
        });
        assert_eq!(lines.len(), 2, "libraries are left out");
        assert!(lines[0].text.starts_with("lost source=orders") && lines[0].text.contains("rows=3"), "{lines:?}");
        assert!(!lines[0].text.contains("s3cret"), "{lines:?}");
        assert!(!lines[1].text.contains(['\u{1b}', '\n']), "{lines:?}");
    }

    #[test]
    fn the_oldest_lines_go() {
        let log = Log::default();
        for n in 0..KEPT + 5 {
            log.add(LogLine { at: Timestamp(0), level: Level::INFO, text: n.to_string() });
        }
        let lines = log.lines();
        assert_eq!((lines.len(), lines[0].text.as_str()), (KEPT, "5"));
    }
}
