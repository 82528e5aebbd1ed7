//! What feeds the files of a source: it says how far it is, writes lines, and may fail. Then the pump waits and begins a
//! session; that starts a new feed, which goes on where the last one was.

use super::spool::{Spool, Writer};
use async_trait::async_trait;
use crosstail_core::model::Diagnosis;
use crosstail_formats::Formats;
use crosstail_source::{ErrorKind, Missing, SourceError};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Notices that wait to be told.
const NOTICES: usize = 100;

/// Where the lines of a source come from.
#[async_trait]
pub trait Origin: Send + Sync {
    /// Whether every record says its time and its writer.
    fn told_by_content(&self) -> bool;

    /// Whether it can begin at all: its program is there.
    fn check(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether a command that prints once waits for its end.
    fn is_once(&self) -> bool {
        false
    }

    /// Whether there is something to read before it is followed. Without that, a command that prints once does not begin it.
    fn has_history(&self) -> bool {
        true
    }

    /// That it answers, for `doctor`.
    fn answers(&self, what: &str) -> Diagnosis;

    /// What it cannot do, for people.
    fn limits(&self) -> String;

    /// Feeds. Says what it reaches, when everything that was there before has been read, and then follows.
    async fn run(&self, feed: &Arc<Feed>) -> Result<(), Failure>;
}

/// Why a feed ended.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Decides whether it is tried again.
    pub kind: ErrorKind,
    /// What happened.
    pub cause: String,
    /// What a person can do.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(kind: ErrorKind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into(), hint: None }
    }

    /// The failure with a hint.
    #[must_use]
    pub fn hinted(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Lines cannot be kept.
    pub fn spool(error: &io::Error) -> Self {
        let hint = "lines are kept in the folder of caches (XDG_CACHE_HOME); it has to be writable and have room";
        Self::new(ErrorKind::Connect, format!("cannot keep what comes: {error}")).hinted(hint)
    }

    /// As an error of a source.
    pub fn error(&self, source_name: &str, operation: &'static str) -> SourceError {
        SourceError {
            source_name: source_name.to_owned(),
            operation,
            kind: self.kind,
            cause: crosstail_core::model::redact_text(&self.cause).into_owned(),
            hint: self.hint.clone(),
        }
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
    /// It is done: nothing more comes.
    Ended,
    Failed(Failure),
}

/// What outlives a feed.
pub(crate) struct Base {
    pub(crate) spool: Arc<Spool>,
    formats: Arc<Formats>,
    notices: Mutex<VecDeque<String>>,
    noticed: Notify,
    given_up: AtomicU64,
    /// Set once nothing more will be written.
    pub(crate) ended: Arc<AtomicBool>,
    described: Mutex<Described>,
    /// How far whoever follows is; nothing while nobody does.
    followed: Mutex<Option<Followed>>,
}

/// What a feed says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Described {
    /// What it reaches.
    pub(crate) what: String,
    /// What works only in part.
    pub(crate) warnings: Vec<String>,
    /// Whether a part of it could not be read.
    pub(crate) is_partial: bool,
    /// What was named and is not there, of how many.
    pub(crate) missing: Vec<Missing>,
    pub(crate) named: usize,
}

/// Bytes of the spool: those that were written and read when following began, and those that have been delivered by now.
struct Followed {
    written: u64,
    read: u64,
    delivered: u64,
}

impl Base {
    pub(crate) fn new(spool: Arc<Spool>, formats: Arc<Formats>) -> Self {
        Self {
            spool,
            formats,
            notices: Mutex::default(),
            noticed: Notify::new(),
            given_up: AtomicU64::new(0),
            ended: Arc::default(),
            described: Mutex::default(),
            followed: Mutex::default(),
        }
    }

    /// Following begins where so many bytes have been read: what was written before comes by another way.
    pub(crate) fn begin_following(&self, read: u64) {
        let written = if read == 0 { 0 } else { self.spool.written() };
        let followed = Followed { written, read, delivered: read };
        *self.followed.lock().unwrap_or_else(PoisonError::into_inner) = Some(followed);
    }

    /// How many bytes whoever follows has not taken yet.
    pub(crate) fn waiting(&self) -> u64 {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(followed) = followed.as_ref() else { return 0 };
        let delivered = followed.delivered.saturating_sub(followed.read);
        self.spool.written().saturating_sub(followed.written).saturating_sub(delivered)
    }

    /// So many bytes have been delivered.
    pub(crate) fn deliver(&self, delivered: u64) {
        if let Some(followed) = self.followed.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            followed.delivered = delivered;
        }
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

    /// What it says of itself.
    pub(crate) fn described(&self) -> Described {
        self.described.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes what an origin has.
pub struct Feed {
    base: Arc<Base>,
    state: watch::Sender<State>,
    live: watch::Sender<bool>,
}

/// A running feed; dropping it ends what the origin runs.
pub(crate) struct Running {
    pub(crate) feed: Arc<Feed>,
    _ends: DropGuard,
}

impl Running {
    /// Of what is not begun: there is nothing to read.
    pub(crate) fn nothing(base: &Arc<Base>) -> Self {
        let feed =
            Feed { base: Arc::clone(base), state: watch::Sender::new(State::Loaded), live: watch::Sender::new(false) };
        Self { feed: Arc::new(feed), _ends: CancellationToken::new().drop_guard() }
    }

    pub(crate) fn start(base: &Arc<Base>, origin: &Arc<dyn Origin>) -> Self {
        let feed = Arc::new(Feed {
            base: Arc::clone(base),
            state: watch::Sender::new(State::Starting),
            live: watch::Sender::new(false),
        });
        // What the one before it said is said again where it still holds.
        *base.described.lock().unwrap_or_else(PoisonError::into_inner) = Described::default();
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

    /// Where lines are kept.
    pub fn spool(&self) -> &Spool {
        &self.base.spool
    }

    /// The formats by which lines are read.
    pub fn formats(&self) -> &Arc<Formats> {
        &self.base.formats
    }

    /// What writes lines of their own.
    pub fn writer(&self, key: &str, shown: &str) -> Result<Writer, Failure> {
        self.base.spool.writer(key, shown).map_err(|error| Failure::spool(&error))
    }

    /// It answers: what it is, and what works only in part.
    pub fn reached(&self, what: String, warnings: Vec<String>) {
        self.state.send_if_modified(|state| {
            if !matches!(state, State::Starting) {
                return false;
            }
            let mut described = self.base.described.lock().unwrap_or_else(PoisonError::into_inner);
            described.what = what;
            described.warnings.extend(warnings);
            *state = State::Reading;
            true
        });
    }

    /// Everything that was there before has been read.
    pub fn loaded(&self) {
        self.base.spool.go_live();
        self.become_state(State::Loaded);
    }

    /// Waits until somebody follows.
    pub async fn followed(&self) {
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

    /// Something works only in part: the probe says so, and whoever follows.
    pub fn warn(&self, text: String) {
        self.base.described.lock().unwrap_or_else(PoisonError::into_inner).warnings.push(text.clone());
        self.notice(text);
    }

    /// A part could not be read: commands say so with their exit code, too.
    pub fn unread(&self, text: String) {
        self.base.described.lock().unwrap_or_else(PoisonError::into_inner).is_partial = true;
        self.warn(text);
    }

    /// Says what was named and is not there yet, of so many things that were named; nothing where all of it is.
    pub fn lacks(&self, missing: Vec<Missing>, named: usize) {
        let mut described = self.base.described.lock().unwrap_or_else(PoisonError::into_inner);
        (described.missing, described.named) = (missing, named);
    }

    /// How many bytes whoever follows has not taken yet.
    pub fn waiting(&self) -> u64 {
        self.base.waiting()
    }

    /// A message for people.
    pub fn notice(&self, text: String) {
        let mut notices = self.base.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.len() < NOTICES && notices.back() != Some(&text) {
            notices.push_back(text);
        }
        drop(notices);
        self.base.noticed.notify_one();
    }

    /// Says how much was given up for lack of room, where it has become more.
    pub fn tell_given_up(&self) {
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
