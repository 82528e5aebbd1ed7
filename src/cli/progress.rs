//! What a command waits for, on a terminal, while it takes long.

use crate::runtime::Work;
use std::future::poll_fn;
use std::io::{IsTerminal as _, Write as _};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Nothing is said about what takes less.
const FIRST: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(500);

/// Waits for something that a command reads. On a terminal, a line on standard error says how far it is; it is gone before
/// anything is printed.
pub(super) fn shown<T>(work: &Work, reading: impl Future<Output = T>) -> impl Future<Output = T> {
    waited_for(Progress::of(work), Box::pin(reading))
}

/// Waits for a connection likewise.
pub(super) fn connecting<T>(name: &str, connecting: impl Future<Output = T>) -> impl Future<Output = T> {
    waited_for(Progress::saying(move || format!("connecting to {name}")), Box::pin(connecting))
}

async fn waited_for<T>(mut progress: Progress<'_>, what: std::pin::Pin<Box<impl Future<Output = T>>>) -> T {
    let done = progress.wait(what).await;
    progress.end();
    done
}

/// What is said of something that is waited for in parts.
pub(super) struct Progress<'a> {
    what: Box<dyn Fn() -> String + Send + 'a>,
    begun: Instant,
    /// When something is said next; `None` where nobody reads it.
    due: Option<Instant>,
    is_shown: bool,
}

impl<'a> Progress<'a> {
    /// Of what a command reads.
    pub(super) fn of(work: &'a Work) -> Self {
        Self::saying(|| {
            let rows: u64 = work.jobs().list().iter().map(|job| job.rows).sum();
            if rows > 0 { format!("reading, {rows} rows") } else { "reading".to_owned() }
        })
    }

    fn saying(what: impl Fn() -> String + Send + 'a) -> Self {
        let begun = Instant::now();
        let due = std::io::stderr().is_terminal().then(|| begun + FIRST);
        Self { what: Box::new(what), begun, due, is_shown: false }
    }

    /// Waits for a part. What is there at once costs nothing.
    pub(super) async fn wait<T>(&mut self, part: impl Future<Output = T>) -> T {
        let mut part = std::pin::pin!(part);
        let at_once = poll_fn(|context| Poll::Ready(part.as_mut().poll(context))).await;
        if let Poll::Ready(done) = at_once {
            return done;
        }
        while let Some(due) = self.due {
            match tokio::time::timeout_at(due.into(), &mut part).await {
                Ok(done) => return done,
                Err(_) => self.say(),
            }
        }
        part.await
    }

    /// Says how far it is, if it is time to: for what comes in parts that are there at once.
    pub(super) fn look(&mut self) {
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.say();
        }
    }

    fn say(&mut self) {
        replace_line(&format!("{}, {} s; Ctrl-C ends it", (self.what)(), self.begun.elapsed().as_secs()));
        (self.due, self.is_shown) = (Some(Instant::now() + EVERY), true);
    }

    /// Takes the line away, before something is printed.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            replace_line("");
        }
    }
}

fn replace_line(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "\r\x1b[K{text}").and_then(|()| out.flush());
}
