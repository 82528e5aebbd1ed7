//! Work that a source is asked to do: who wants it, how far it may go, and what ends it.

use crate::answers::{Answers, Expected};
use crate::error::{ErrorKind, SourceError};
use crosstail_core::model::{Clock, SourceId, Timestamp};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Which job goes first where a store can only do a few things at once. Of two equal jobs, the newer one goes first: it
/// is what somebody wants now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Nobody waits for it: history behind what is shown, catalogue, health of the store.
    Background,
    /// Figures and the answers to a filter that is being typed.
    View,
    /// Somebody waits for exactly this: an opened activity, a command.
    #[default]
    Asked,
    /// What happens now. It has one turn for itself, so that no query delays it.
    Follow,
}

/// How much a job may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Records at most.
    pub rows: u64,
    /// Bytes of records at most, as they arrive from the store.
    pub bytes: u64,
}

impl Budget {
    /// No limit.
    pub const NONE: Self = Self { rows: u64::MAX, bytes: u64::MAX };
}

/// Why a job has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Nobody wants it any more.
    Cancelled,
    /// Its time is over.
    Deadline,
    /// It has read as much as it may.
    Budget,
    /// The store does not answer.
    Silent,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "cancelled",
            Self::Deadline => "not finished within its time limit",
            Self::Budget => "has read as much as it may",
            Self::Silent => "no answer",
        })
    }
}

impl Stopped {
    /// The error of a call that had to stop.
    pub fn error(self, source_name: &str, operation: &'static str) -> SourceError {
        let (kind, hint) = match self {
            Self::Cancelled => (ErrorKind::Cancelled, None),
            Self::Deadline => (ErrorKind::Timeout, Some("narrow the filter or the range of time")),
            Self::Budget => (ErrorKind::Budget, Some("narrow the filter or the range of time")),
            Self::Silent => (ErrorKind::Timeout, Some("check that the server is well, and what is between it and you")),
        };
        SourceError::of(source_name, operation, (kind, hint), &self)
    }
}

/// One piece of work for a source. A clone is the same job.
///
/// A source obeys it in two ways. Dropping the future of a call ends its work, in the server too, and what blocks a
/// thread asks [`Job::check`] between two reads. [`crate::Obedient`] drops the future when the job has to stop.
#[derive(Clone)]
pub struct Job(Arc<Inner>);

struct Inner {
    number: u64,
    source: Option<SourceId>,
    purpose: String,
    priority: Priority,
    began: Timestamp,
    deadline: Option<Instant>,
    budget: Budget,
    token: CancellationToken,
    rows: AtomicU64,
    bytes: AtomicU64,
    /// Bytes that it will have read at its end; 0 while nobody knows.
    total_bytes: AtomicU64,
    /// It waits for its turn in the source.
    waiting: AtomicBool,
    /// What the store runs for it now, or ran last.
    statement: Mutex<String>,
    answers: Answers,
}

/// How much of a statement is kept, in bytes: some list a thousand keys, and all of it is logged.
const STATEMENT_BYTES: usize = 4096;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static NUMBERS: AtomicU64 = AtomicU64::new(1);

impl Default for Job {
    /// A job without limits that somebody waits for.
    fn default() -> Self {
        Self::new("asked", Priority::Asked)
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job({}, {})", self.0.number, self.0.purpose)
    }
}

impl Job {
    /// A job without limits. `purpose` says what it is for, for people.
    pub fn new(purpose: impl Into<String>, priority: Priority) -> Self {
        Self(Arc::new(Inner {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            source: None,
            purpose: purpose.into(),
            priority,
            began: Clock::system().now(),
            deadline: None,
            budget: Budget::NONE,
            token: CancellationToken::new(),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            total_bytes: AtomicU64::new(0),
            waiting: AtomicBool::new(false),
            statement: Mutex::default(),
            answers: Answers::default(),
        }))
    }

    /// Changes a job that nobody has a clone of yet.
    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            change(inner);
        }
        self
    }

    /// Ends the job when this token, too, is cancelled. Like the other limits, to be set before the job is shared.
    #[must_use]
    pub fn under(self, token: &CancellationToken) -> Self {
        self.with(|inner| inner.token = token.child_token())
    }

    /// Ends the job after a time.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        self.with(|inner| inner.deadline = Some(Instant::now() + limit))
    }

    /// Ends the job when it has read this much.
    #[must_use]
    pub fn reading_at_most(self, budget: Budget) -> Self {
        self.with(|inner| inner.budget = budget)
    }

    /// What it is for.
    pub fn purpose(&self) -> &str {
        &self.0.purpose
    }

    /// What was read for it: records, bytes, and what the store ran last.
    pub(crate) fn read(&self) -> (u64, u64, String) {
        let statement = lock(&self.0.statement).clone();
        (self.0.rows.load(Ordering::Relaxed), self.0.bytes.load(Ordering::Relaxed), statement)
    }

    /// Its priority.
    pub fn priority(&self) -> Priority {
        self.0.priority
    }

    /// Newer jobs have higher numbers.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// Ends the job.
    pub fn cancel(&self) {
        self.0.token.cancel();
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.token.is_cancelled()
    }

    /// Returns once the job is cancelled. A deadline does not count: see [`Job::stopped`].
    pub async fn cancelled(&self) {
        self.0.token.cancelled().await;
    }

    /// The store has to answer within this time, or the job has to stop: for what has no limit of its own in the driver.
    pub fn expects(&self, within: Duration) -> Expected {
        Expected::of(&self.0.answers, within)
    }

    /// Returns once the job is cancelled, its time is over, or its store does not answer.
    pub async fn stopped(&self) -> Stopped {
        let deadline = async {
            match self.0.deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        // As `check` does: a job that was cancelled is cancelled, even if its time is over, too.
        tokio::select! {
            biased;
            () = self.0.token.cancelled() => Stopped::Cancelled,
            () = deadline => Stopped::Deadline,
            () = self.0.answers.overdue() => Stopped::Silent,
        }
    }

    /// Whether the job may go on.
    ///
    /// # Errors
    /// The reason why it has to stop.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.is_cancelled() {
            return Err(Stopped::Cancelled);
        }
        if self.0.deadline.is_some_and(|at| Instant::now() >= at) {
            return Err(Stopped::Deadline);
        }
        let (rows, bytes) = (self.0.rows.load(Ordering::Relaxed), self.0.bytes.load(Ordering::Relaxed));
        if rows > self.0.budget.rows || bytes > self.0.budget.bytes { Err(Stopped::Budget) } else { Ok(()) }
    }

    /// [`Job::check`] for what outlives the call, such as the callback of a pooled connection: it does not keep the job in
    /// the list. False also once nobody has the job any more.
    pub fn watch(&self) -> impl Fn() -> bool + Send + 'static {
        let inner = Arc::downgrade(&self.0);
        move || inner.upgrade().is_some_and(|inner| Self(inner).check().is_ok())
    }

    /// Counts what was read for the job.
    pub fn count(&self, rows: usize, bytes: usize) {
        self.0.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Says how many bytes will have been read for the job at its end, so that people see how far it is.
    pub fn will_read(&self, bytes: u64) {
        self.0.total_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Notes what the store is about to run: a statement, a request, a topic. Without values: these are bound, and may
    /// be secrets.
    pub fn runs(&self, statement: &str) {
        let mut known = lock(&self.0.statement);
        known.clear();
        known.push_str(&statement[..statement.floor_char_boundary(STATEMENT_BYTES)]);
    }

    /// Notes whether the job waits for its turn.
    pub(crate) fn set_waiting(&self, waiting: bool) {
        self.0.waiting.store(waiting, Ordering::Relaxed);
    }

    fn state(&self) -> JobState {
        let inner = &self.0;
        JobState {
            number: inner.number,
            source: inner.source,
            purpose: inner.purpose.clone(),
            priority: inner.priority,
            began: inner.began,
            rows: inner.rows.load(Ordering::Relaxed),
            bytes: inner.bytes.load(Ordering::Relaxed),
            total_bytes: inner.total_bytes.load(Ordering::Relaxed),
            waiting: inner.waiting.load(Ordering::Relaxed),
            statement: lock(&inner.statement).clone(),
        }
    }
}

/// A job at one moment, for the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    /// By which [`Jobs::cancel`] finds it.
    pub number: u64,
    /// The source that does it.
    pub source: Option<SourceId>,
    /// What it is for.
    pub purpose: String,
    /// Its priority.
    pub priority: Priority,
    /// When it began.
    pub began: Timestamp,
    /// Records that were read for it.
    pub rows: u64,
    /// Bytes of these records.
    pub bytes: u64,
    /// Bytes that it will have read at its end, where that is known; else 0.
    pub total_bytes: u64,
    /// It waits for its turn.
    pub waiting: bool,
    /// What the store runs for it now, or ran last, without values.
    pub statement: String,
}

/// The jobs that exist: all that were begun here and of which somebody still has a clone.
#[derive(Clone, Default)]
pub struct Jobs(Arc<Mutex<Vec<Weak<Inner>>>>);

impl Jobs {
    /// Begins a job of a source: `job` with its source, listed until its last clone is dropped.
    pub fn begin(&self, source: SourceId, job: Job) -> Job {
        let job = job.with(|inner| inner.source = Some(source));
        let mut jobs = lock(&self.0);
        jobs.retain(|job| job.strong_count() > 0);
        jobs.push(Arc::downgrade(&job.0));
        job
    }

    /// The jobs that exist now, the oldest first.
    pub fn list(&self) -> Vec<JobState> {
        lock(&self.0).iter().filter_map(Weak::upgrade).map(|inner| Job(inner).state()).collect()
    }

    /// Ends a job. Does nothing if it has ended already.
    pub fn cancel(&self, number: u64) {
        for inner in lock(&self.0).iter().filter_map(Weak::upgrade).filter(|inner| inner.number == number) {
            inner.token.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_job_stops_for_each_of_its_reasons() {
        let token = CancellationToken::new();
        let job = Job::default().under(&token).within(Duration::from_secs(1));
        assert_eq!(job.check(), Ok(()));
        assert_eq!(job.stopped().await, Stopped::Deadline, "time is over");
        assert_eq!(job.check(), Err(Stopped::Deadline));
        token.cancel();
        assert_eq!((job.stopped().await, job.check()), (Stopped::Cancelled, Err(Stopped::Cancelled)));

        let job = Job::default().reading_at_most(Budget { rows: 10, ..Budget::NONE });
        job.count(10, 500);
        assert_eq!(job.check(), Ok(()));
        job.count(1, 50);
        assert_eq!(job.check(), Err(Stopped::Budget));
    }

    #[test]
    fn jobs_are_listed_while_somebody_has_them() {
        let jobs = Jobs::default();
        let job = jobs.begin(SourceId(3), Job::new("payload", Priority::Asked));
        let other = job.clone();
        other.runs("SELECT 1");
        other.count(2, 10);
        drop(job);
        let listed = jobs.list();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (listed[0].source, listed[0].rows, listed[0].statement.as_str()),
            (Some(SourceId(3)), 2, "SELECT 1")
        );
        let goes_on = other.watch();
        assert!(goes_on());
        jobs.cancel(listed[0].number);
        assert!(other.is_cancelled() && !goes_on());
        drop(other);
        assert!(jobs.list().is_empty() && !goes_on(), "watching keeps no job");
    }
}
