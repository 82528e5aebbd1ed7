//! Keeps the programs of a source running while it is read: first they print what was there before, then they are followed.
//!
//! A feed ends when a program fails or is done. The pump waits and begins a session; that starts a new feed, which goes on
//! where the streams are.

use crate::child::Invocation;
use crate::join::Overlap;
use crate::spool::{Spool, Writer};
use crate::stream::{Form, Stream};
use async_trait::async_trait;
use crosstail_formats::Formats;
use crosstail_source::{ErrorKind, SourceError};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Lines of history that are asked of a stream.
pub(crate) const HISTORY_LINES: usize = 100_000;
/// Notices that wait to be told.
const NOTICES: usize = 100;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What runs the programs of a source.
#[async_trait]
pub(crate) trait Origin: Send + Sync {
    /// Whether every record says its time and its writer.
    fn told_by_content(&self) -> bool;

    /// The program without which nothing can be read.
    fn program(&self) -> &str;

    /// Whether a command that prints once waits for the end of the program.
    fn is_once(&self) -> bool {
        false
    }

    /// What it cannot do, for people.
    fn limits(&self) -> &'static str;

    /// Runs the programs. Says what it reaches, when everything that was there before has been read, and then follows.
    async fn run(&self, feed: &Arc<Feed>) -> Result<(), Failure>;
}

/// Why a feed ended.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) cause: String,
    pub(crate) hint: Option<&'static str>,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into(), hint: None }
    }

    pub(crate) fn start(invocation: &Invocation, error: &io::Error) -> Self {
        Self::new(ErrorKind::Connect, format!("cannot start {}: {error}", invocation.program.to_string_lossy()))
    }

    pub(crate) fn read(error: &io::Error) -> Self {
        Self::new(ErrorKind::Connect, format!("cannot read what it prints: {error}"))
    }

    pub(crate) fn spool(error: &io::Error) -> Self {
        let hint = Some("lines are kept in the folder of caches (XDG_CACHE_HOME); it has to be writable and have room");
        Self { hint, ..Self::new(ErrorKind::Connect, format!("cannot keep what it prints: {error}")) }
    }
}

/// How far a feed is.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// Nothing has answered yet.
    Starting,
    /// What was there before is read.
    Reading,
    /// What was there before has been read.
    Loaded,
    /// The program is done and prints nothing more.
    Ended,
    Failed(Failure),
}

/// What outlives a feed.
pub(crate) struct Base {
    pub(crate) spool: Arc<Spool>,
    pub(crate) formats: Arc<Formats>,
    streams: Mutex<HashMap<String, Arc<Stream>>>,
    notices: Mutex<VecDeque<String>>,
    noticed: Notify,
    given_up: AtomicU64,
    /// Set once nothing more will be written.
    pub(crate) ended: Arc<AtomicBool>,
    /// What the programs are, and what cannot be read.
    described: Mutex<(String, Vec<String>)>,
}

impl Base {
    pub(crate) fn new(spool: Arc<Spool>, formats: Arc<Formats>) -> Self {
        Self {
            spool,
            formats,
            streams: Mutex::default(),
            notices: Mutex::default(),
            noticed: Notify::new(),
            given_up: AtomicU64::new(0),
            ended: Arc::default(),
            described: Mutex::default(),
        }
    }

    /// Whether anything was printed.
    pub(crate) fn has_lines(&self) -> bool {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.values().any(|stream| stream.has_lines())
    }

    /// The next notice.
    pub(crate) async fn notice(&self) -> String {
        loop {
            let next = self.notices.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match next {
                Some(text) => return text,
                None => self.noticed.notified().await,
            }
        }
    }

    /// What the programs are, and what works only in part.
    pub(crate) fn described(&self) -> (String, Vec<String>) {
        self.described.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(crate) struct Feed {
    base: Arc<Base>,
    state: watch::Sender<State>,
    live: watch::Sender<bool>,
}

/// A running feed; dropping it ends its programs.
pub(crate) struct Running {
    pub(crate) feed: Arc<Feed>,
    _ends: DropGuard,
}

impl Running {
    pub(crate) fn start(base: &Arc<Base>, origin: &Arc<dyn Origin>) -> Self {
        let feed = Arc::new(Feed {
            base: Arc::clone(base),
            state: watch::Sender::new(State::Starting),
            live: watch::Sender::new(false),
        });
        let cancel = CancellationToken::new();
        let (own, origin, stop) = (Arc::clone(&feed), Arc::clone(origin), cancel.clone());
        tokio::spawn(async move {
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = origin.run(&own) => outcome,
            };
            own.become_state(match outcome {
                Ok(()) => {
                    own.base.ended.store(true, Ordering::Release);
                    State::Ended
                }
                Err(failure) => State::Failed(failure),
            });
        });
        Self { feed, _ends: cancel.drop_guard() }
    }
}

impl Feed {
    fn become_state(&self, state: State) {
        self.state.send_replace(state);
    }

    pub(crate) fn spool(&self) -> &Spool {
        &self.base.spool
    }

    pub(crate) fn formats(&self) -> &Arc<Formats> {
        &self.base.formats
    }

    /// What writes lines of their own.
    pub(crate) fn writer(&self, key: &str, shown: &str) -> Result<Writer, Failure> {
        self.base.spool.writer(key, shown).map_err(|error| Failure::spool(&error))
    }

    /// The stream with a key; made where there is none yet.
    pub(crate) fn stream(&self, key: &str, shown: &str, form: impl FnOnce() -> Form) -> Result<Arc<Stream>, Failure> {
        let mut streams = self.base.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = streams.get(key) {
            return Ok(Arc::clone(known));
        }
        let writer = self.writer(key, shown)?;
        let stream = Arc::new(Stream::new(writer, form()));
        streams.insert(key.to_owned(), Arc::clone(&stream));
        Ok(stream)
    }

    /// It answers: what it is, and what works only in part.
    pub(crate) fn reached(&self, what: String, warnings: Vec<String>) {
        self.state.send_if_modified(|state| {
            if !matches!(state, State::Starting) {
                return false;
            }
            *self.base.described.lock().unwrap_or_else(PoisonError::into_inner) = (what, warnings);
            *state = State::Reading;
            true
        });
    }

    /// Everything that was there before has been read.
    pub(crate) fn loaded(&self) {
        self.become_state(State::Loaded);
    }

    /// Waits until somebody follows.
    pub(crate) async fn followed(&self) {
        let mut live = self.live.subscribe();
        let _ = live.wait_for(|live| *live).await;
    }

    pub(crate) fn follow(&self) {
        self.live.send_replace(true);
    }

    /// Waits until a state is reached, or a later one.
    pub(crate) async fn until(&self, wanted: impl FnMut(&State) -> bool) -> State {
        let mut state = self.state.subscribe();
        match state.wait_for(wanted).await {
            Ok(state) => state.clone(),
            Err(_) => State::Ended,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Runs a program of a stream to its end, or until it has been silent for so long.
    pub(crate) async fn run(
        &self,
        stream: &Stream,
        invocation: &Invocation,
        silence: Option<Duration>,
    ) -> Result<Ran, Failure> {
        let mut child = invocation.start(self.spool().path()).map_err(|error| Failure::start(invocation, &error))?;
        stream.begin();
        let mut count = 0;
        let was_silent = loop {
            let next = match silence {
                Some(limit) => match tokio::time::timeout(limit, child.next()).await {
                    Ok(next) => next,
                    Err(_) => break true,
                },
                None => child.next().await,
            };
            let Some((pipe, bytes)) = next.map_err(|error| Failure::read(&error))? else { break false };
            let (overlap, wrote) = stream.take(pipe, &bytes).map_err(|error| Failure::spool(&error))?;
            count += wrote;
            match overlap {
                Some(Overlap::Lines(count)) => {
                    self.notice(format!("it was started again and repeated {count} lines, which are shown once"));
                }
                Some(Overlap::None) => self.notice(
                    "it was started again and does not go on where it was: lines may be missing or come twice"
                        .to_owned(),
                ),
                None => {}
            }
            self.tell_given_up();
        };
        let code = if was_silent { 0 } else { child.code().await.map_err(|error| Failure::read(&error))? };
        Ok(Ran { code, said: stream.end(code), lines: count, was_silent })
    }

    /// Something works only in part: the probe says so, and whoever follows.
    pub(crate) fn warn(&self, text: String) {
        self.base.described.lock().unwrap_or_else(PoisonError::into_inner).1.push(text.clone());
        self.notice(text);
    }

    /// Says that there is more history than was read.
    pub(crate) fn tell_history(&self, name: &str, lines: usize) {
        if lines >= HISTORY_LINES {
            self.warn(format!("{name}: begins with the last {HISTORY_LINES} lines; what is older is not searched"));
        }
    }

    /// A message for people.
    pub(crate) fn notice(&self, text: String) {
        let mut notices = self.base.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.len() < NOTICES && notices.back() != Some(&text) {
            notices.push_back(text);
        }
        drop(notices);
        self.base.noticed.notify_one();
    }

    /// Says how much was given up for lack of room, where it has become more.
    pub(crate) fn tell_given_up(&self) {
        let now = self.base.spool.given_up();
        let before = self.base.given_up.swap(now, Ordering::Relaxed);
        // The first time, and each time that it has doubled.
        if now > 0 && (before == 0 || now.ilog2() > before.ilog2()) {
            self.notice(format!("the oldest {} MB of it were given up: it keeps the newest lines only", now >> 20));
        } else if now > 0 {
            self.base.given_up.store(before, Ordering::Relaxed);
        }
    }
}

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) said: String,
    /// How many lines it printed that were not there before.
    pub(crate) lines: usize,
    /// Whether it was ended because it had been silent for as long as was given.
    pub(crate) was_silent: bool,
}

/// Waits between tries that grow, with jitter.
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self(FIRST_WAIT)
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.0.mul_f64(0.75 + 0.5 * fastrand::f64())).await;
        self.0 = (self.0 * 2).min(LONGEST_WAIT);
    }

    /// It worked: the next wait is short again.
    pub(crate) fn reset(&mut self) {
        self.0 = FIRST_WAIT;
    }
}

impl Failure {
    pub(crate) fn error(&self, source_name: &str, operation: &'static str) -> SourceError {
        SourceError {
            source_name: source_name.to_owned(),
            operation,
            kind: self.kind,
            cause: crosstail_core::model::redact_text(&self.cause).into_owned(),
            hint: self.hint.map(str::to_owned),
        }
    }
}

/// What an answer that failed means: refused, or not reached.
pub(crate) fn refusal(said: String) -> Failure {
    let lower = said.to_ascii_lowercase();
    let refused = ["permission denied", "forbidden", "unauthorized", "must be logged in", "access denied", "host key"];
    if refused.iter().any(|word| lower.contains(word)) {
        let hint = Some("it has to work in a shell without asking for anything; crosstail gives no password");
        return Failure { hint, ..Failure::new(ErrorKind::Auth, said) };
    }
    Failure::new(ErrorKind::Connect, said)
}

/// Runs a program for its answer.
pub(crate) async fn ask(feed: &Feed, invocation: &Invocation) -> Result<Vec<u8>, Failure> {
    let spool: &Path = feed.spool().path();
    match invocation.output(spool).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(said)) => Err(refusal(said)),
        Err(error) => Err(Failure::start(invocation, &error)),
    }
}
