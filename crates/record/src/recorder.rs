//! Recording what a service does, for services written in Rust: `start` before a call, `complete` after it, or
//! `complete_full` once, into the tables of documents 000 and 001 in PostgreSQL or the collection of document 000 in MongoDB.
//!
//! Logging never breaks what is logged: no function here returns an error, panics, or takes longer than
//! [`Options::time_limit`]. What could not be written is kept, up to [`Options::backlog`] writes, and written with the next
//! call that can; [`Recorder::failures`], [`Recorder::last_error`] and [`Options::on_error`] say what went wrong.
//!
//! ```no_run
//! # async fn call() {
//! use crosstail::record::{Correlation, Outcome, Recorder, Start};
//! use crosstail::model::{Clock, Status};
//!
//! let recorder = Recorder::mongodb("mongodb://db/prokure_logs");
//! let correlation = Correlation::from_headers([("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]);
//! let start = Start { method: Some("POST".into()), url: Some("https://sap.example/po/create".into()), ..correlation.start("SAP") };
//! let call = recorder.start(start).await;
//! // … the call itself, with call.headers() sent along …
//! let outcome = Outcome { status: Some(Status::Success), http_status: Some(201), ..Outcome::default() };
//! recorder.complete(&call, outcome).await;
//! # }
//! ```

use super::write::Writer;
use super::{Correlation, Outcome, RetryPolicy, Start, WriteStep};
use crosstail_core::model::{Clock, Status, Timestamp};
use crosstail_core::number::saturating_i64;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A store that does not answer is left alone for this long, so that callers do not wait for it again and again.
const COOLDOWN: Duration = Duration::from_secs(5);

/// Is told of every error of recording.
pub type OnError = Arc<dyn Fn(&str) + Send + Sync>;

/// How to record.
#[derive(Clone)]
pub struct RecorderOptions {
    /// No call takes longer (2 s).
    pub time_limit: Duration,
    /// Writes that are kept while the store cannot be reached (10,000); the oldest are dropped, and counted.
    pub backlog: usize,
    /// When failed calls are tried again; without one nothing is planned.
    pub policy: Option<RetryPolicy>,
    /// Is told of every error.
    pub on_error: Option<OnError>,
    /// The clock.
    pub clock: Clock,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        Self {
            time_limit: Duration::from_secs(2),
            backlog: 10_000,
            policy: None,
            on_error: None,
            clock: Clock::system(),
        }
    }
}

impl fmt::Debug for RecorderOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("time_limit", &self.time_limit)
            .field("backlog", &self.backlog)
            .finish_non_exhaustive()
    }
}

type Connecting = Pin<Box<dyn Future<Output = anyhow::Result<Box<dyn Writer>>> + Send>>;

/// Where to, without a connection yet.
type Connect = Box<dyn Fn() -> Connecting + Send + Sync>;

/// Records into one store, from any number of tasks.
pub struct Recorder {
    connect: Connect,
    options: RecorderOptions,
    writer: tokio::sync::Mutex<Option<Box<dyn Writer>>>,
    /// What is still to be written, oldest first.
    waiting: Mutex<VecDeque<WriteStep>>,
    resting: Mutex<Option<Instant>>,
    failures: AtomicU64,
    dropped: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Addresses have passwords.
        f.debug_struct("Recorder")
            .field("failures", &self.failures())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

/// An activity that was begun.
#[derive(Debug, Clone)]
pub struct RecordedCall {
    start: Arc<Start>,
}

impl RecordedCall {
    /// Its request id.
    pub fn request_id(&self) -> &str {
        self.start.request_id.as_ref().unwrap_or(&self.start.id)
    }

    /// The headers that carry its correlation id to whom it calls.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        Correlation::of(&self.start).headers(self.request_id())
    }

    /// What the next try of it begins with: its own id, this one as parent, one attempt more.
    pub fn next_attempt(&self) -> Start {
        Start {
            id: uuid::Uuid::new_v4().to_string(),
            request_id: None,
            parent_request_id: Some(self.request_id().to_owned()),
            attempt: Some(self.start.attempt.unwrap_or(1).saturating_add(1)),
            started_at: Timestamp::default(),
            ..Start::clone(&self.start)
        }
    }
}

impl Recorder {
    /// Into a table of PostgreSQL. Nothing is connected to yet.
    #[cfg(feature = "postgres")]
    pub fn postgres(url: &str, table: super::write::Table) -> Self {
        let url = url.to_owned();
        Self::into(move || {
            let url = url.clone();
            async move { Ok(Box::new(super::write::PostgresWriter::connect(&url, table).await?) as Box<dyn Writer>) }
        })
    }

    /// Into MongoDB's `integration_logs`, of the database that the URL names. Nothing is connected to yet.
    #[cfg(feature = "mongodb")]
    pub fn mongodb(url: &str) -> Self {
        let url = url.to_owned();
        Self::into(move || {
            let url = url.clone();
            async move { Ok(Box::new(super::write::MongodbWriter::connect(&url).await?) as Box<dyn Writer>) }
        })
    }

    /// Into whatever a writer writes to: `connect` makes one, now and after each loss of the connection.
    pub fn into<F>(connect: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = anyhow::Result<Box<dyn Writer>>> + Send + 'static,
    {
        Self::of(Box::new(move || Box::pin(connect())), RecorderOptions::default())
    }

    /// The same with other options.
    #[must_use]
    pub fn with(self, options: RecorderOptions) -> Self {
        Self::of(self.connect, options)
    }

    fn of(connect: Connect, options: RecorderOptions) -> Self {
        Self {
            connect,
            options,
            writer: tokio::sync::Mutex::new(None),
            waiting: Mutex::new(VecDeque::new()),
            resting: Mutex::new(None),
            failures: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            last_error: Mutex::new(None),
        }
    }

    /// Records that something has begun. An id and a time are given where there are none.
    pub async fn start(&self, start: Start) -> RecordedCall {
        let start = Arc::new(self.completed(start));
        self.write(WriteStep::Start(Arc::clone(&start))).await;
        RecordedCall { start }
    }

    /// Records how it ended; gives when the next try is due, by the policy and the answer's `Retry-After`.
    pub async fn complete(&self, call: &RecordedCall, outcome: Outcome) -> Option<Timestamp> {
        let outcome = self.planned(&call.start, outcome);
        let next = outcome.next_retry_at;
        self.write(WriteStep::Complete(Arc::clone(&call.start), Arc::new(outcome))).await;
        next
    }

    /// Records something that is over already, at once.
    pub async fn complete_full(&self, start: Start, outcome: Outcome) -> Option<Timestamp> {
        let start = self.completed(start);
        let outcome = self.planned(&start, outcome);
        let next = outcome.next_retry_at;
        self.write(WriteStep::Finished(Arc::new(start), Arc::new(outcome))).await;
        next
    }

    /// Writes what is waiting; says whether nothing is left. For the end of a program.
    pub async fn flush(&self) -> bool {
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.drain().await;
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How often writing failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// How many writes were given up because too many were waiting.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// What went wrong last.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn completed(&self, mut start: Start) -> Start {
        if start.id.is_empty() {
            start.id = start.request_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        }
        if start.started_at == Timestamp::default() {
            start.started_at = self.options.clock.now();
        }
        if let (None, Some(policy)) = (start.max_attempts, self.options.policy) {
            start.max_attempts = Some(policy.max_attempts);
        }
        start
    }

    fn planned(&self, start: &Start, mut outcome: Outcome) -> Outcome {
        let ended = *outcome.completed_at.get_or_insert_with(|| self.options.clock.now());
        let status = outcome.status.unwrap_or(Status::Success);
        if let (None, Some(policy)) = (outcome.next_retry_at, self.options.policy)
            && RetryPolicy::is_retryable(status, outcome.http_status)
        {
            let asked = outcome.response_headers.as_ref().and_then(|headers| retry_after_ms(headers, ended));
            outcome.next_retry_at = policy.next_retry(start.attempt.unwrap_or(1), ended, asked);
        }
        outcome
    }

    async fn write(&self, step: WriteStep) {
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push_back(step);
            while waiting.len() > self.options.backlog.max(1) {
                waiting.pop_front();
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        let rests = *self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if rests.is_none_or(|until| Instant::now() >= until) {
            self.drain().await;
        }
    }

    /// Writes what is waiting, all tasks' together, within the time limit.
    async fn drain(&self) {
        let work = async {
            let mut writer = self.writer.lock().await;
            let steps: Vec<WriteStep> = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
            if steps.is_empty() {
                return;
            }
            // Whatever happens to this future, what was taken out is put back or written.
            let mut taken = InFlight { recorder: self, steps };
            let result = async {
                if writer.is_none() {
                    *writer = Some((self.connect)().await?);
                }
                match writer.as_mut() {
                    Some(writer) => writer.write(&taken.steps).await,
                    None => Ok(()),
                }
            };
            match tokio::time::timeout(self.options.time_limit, result).await {
                Ok(Ok(())) => taken.steps.clear(),
                Ok(Err(error)) => {
                    *writer = None;
                    self.failed(&format!("{error:#}"));
                }
                Err(_) => {
                    *writer = None;
                    self.failed(&format!("the store did not answer within {:?}", self.options.time_limit));
                }
            }
        };
        // Waiting for another task's write is waiting, too.
        if tokio::time::timeout(self.options.time_limit * 2, work).await.is_err() {
            self.failed("another write has not ended");
        }
    }

    fn failed(&self, error: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + COOLDOWN);
        let safe = crosstail_core::model::redact_text(error).into_owned();
        if let Some(tell) = &self.options.on_error {
            tell(&safe);
        }
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(safe);
    }
}

/// Steps that are being written; what was not goes back to the front of those that wait.
struct InFlight<'a> {
    recorder: &'a Recorder,
    steps: Vec<WriteStep>,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut waiting = self.recorder.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for step in self.steps.drain(..).rev() {
            waiting.push_front(step);
        }
    }
}

/// The wait of a `Retry-After` header: seconds or a date (RFC 9110, 10.2.3).
fn retry_after_ms(headers: &serde_json::Value, now: Timestamp) -> Option<u64> {
    let (_, value) = headers.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let at = httpdate::parse_http_date(text.trim()).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(saturating_i64(at.as_millis()) - now.0 / 1000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp(1_795_000_000_000_000);
        assert_eq!(retry_after_ms(&json!({ "Retry-After": "120" }), now), Some(120_000));
        assert_eq!(retry_after_ms(&json!({ "retry-after": 3 }), now), Some(3000));
        let later = std::time::UNIX_EPOCH + Duration::from_secs(1_795_000_060);
        let date = httpdate::fmt_http_date(later);
        assert_eq!(retry_after_ms(&json!({ "retry-after": date }), now), Some(60_000));
        assert_eq!(retry_after_ms(&json!({ "retry-after": "soon" }), now), None);
    }
}
