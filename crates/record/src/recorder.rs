//! The recorder: what a service calls around each of its calls. See [`Recorder`].

use super::write::{Refused, Writer};
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

/// Receives the text of every error of recording, without secrets. It is called by the task that records, so it must
/// not block; logging the text is what it is for.
pub type OnError = Arc<dyn Fn(&str) + Send + Sync>;

/// How to record.
#[derive(Clone)]
pub struct RecorderOptions {
    /// How long one write may take; 2 s by default. A call of the recorder that has to wait for another task's write
    /// first returns after twice that at the latest.
    pub time_limit: Duration,
    /// How many writes are buffered while the store cannot be written to; 10,000 by default, at least 1. Beyond that the
    /// oldest is dropped and counted by [`Recorder::dropped`]. A buffered write holds its bodies in memory, up to 1 MB
    /// each and more until they are truncated.
    pub backlog: usize,
    /// When failed calls are to be tried again. Without a policy, which is the default, no retry is planned.
    pub policy: Option<RetryPolicy>,
    /// Receives every error.
    pub on_error: Option<OnError>,
    /// The clock that gives times where the caller gives none; the system's by default.
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

/// Records into one store, from any number of tasks: [`start`](Self::start) before a call and
/// [`complete`](Self::complete) after it, or [`complete_full`](Self::complete_full) once it is over.
///
/// Recording never breaks what is recorded. No function here returns an error, panics, or waits much longer than
/// [`RecorderOptions::time_limit`]. What cannot be written is buffered, up to [`RecorderOptions::backlog`] writes,
/// and written before what comes next; after a failure the store is left alone for 5 s. A record that the store
/// refuses for what it is (a number that a column has no room for) is given up, and the others are written.
/// [`failures`](Self::failures), [`dropped`](Self::dropped), [`last_error`](Self::last_error) and
/// [`RecorderOptions::on_error`] report what went wrong.
///
/// What is buffered is in memory: call [`flush`](Self::flush) before the program ends.
///
/// ```no_run
/// # #[cfg(feature = "mongodb")]
/// # async fn call() {
/// use crosstail_record::{Correlation, Outcome, Recorder, Start, Status};
///
/// let recorder = Recorder::mongodb("mongodb://db/prokure_logs");
/// let correlation = Correlation::from_headers([("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]);
/// let start = Start { method: Some("POST".into()), url: Some("https://sap.example/po/create".into()), ..correlation.start("SAP") };
/// let call = recorder.start(start).await;
/// // … the call itself, with call.headers() sent along …
/// let outcome = Outcome { status: Some(Status::Success), http_status: Some(201), ..Outcome::default() };
/// recorder.complete(&call, outcome).await;
/// recorder.flush().await;
/// # }
/// ```
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

/// An activity that has started, from [`Recorder::start`]; what [`Recorder::complete`] needs.
#[derive(Debug, Clone)]
pub struct RecordedCall {
    start: Arc<Start>,
}

impl RecordedCall {
    /// Its request id: the one of its [`Start`], else its identity.
    pub fn request_id(&self) -> &str {
        self.start.request_id.as_ref().unwrap_or(&self.start.id)
    }

    /// The headers that carry its correlation id to the system that it calls; see [`Correlation::headers`].
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        Correlation::of(&self.start).headers(self.request_id())
    }

    /// What the next attempt starts with: an identity of its own, this request as its parent, the next attempt's number.
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
    /// Records into a table of PostgreSQL (feature `postgres`), at a URL such as `postgres://user@host/database`. The
    /// connection is made by the first write; a wrong address is reported then.
    #[cfg(feature = "postgres")]
    pub fn postgres(url: &str, table: super::write::Table) -> Self {
        let url = url.to_owned();
        Self::into(move || {
            let url = url.clone();
            async move { Ok(Box::new(super::write::PostgresWriter::connect(&url, table).await?) as Box<dyn Writer>) }
        })
    }

    /// Records into a table of MySQL or MariaDB (feature `mysql`), at a URL such as `mysql://user@host/database`; one of
    /// [`MysqlWriter::TABLES`](super::write::MysqlWriter::TABLES). The connection is made by the first write.
    #[cfg(feature = "mysql")]
    pub fn mysql(url: &str, table: super::write::Table) -> Self {
        let url = url.to_owned();
        Self::into(move || {
            let url = url.clone();
            async move { Ok(Box::new(super::write::MysqlWriter::connect(&url, table).await?) as Box<dyn Writer>) }
        })
    }

    /// Records into ProKure's collection `integration_logs` of MongoDB (feature `mongodb`), in the database that the URL
    /// names: `mongodb://host/database`. The connection is made by the first write.
    #[cfg(feature = "mongodb")]
    pub fn mongodb(url: &str) -> Self {
        let url = url.to_owned();
        Self::into(move || {
            let url = url.clone();
            async move { Ok(Box::new(super::write::MongodbWriter::connect(&url).await?) as Box<dyn Writer>) }
        })
    }

    /// Records by any [`Writer`], one of your own included. `connect` makes a writer: for the first write, and for the
    /// first one after each error that is not a [`Refused`]. Its time counts as that of the write
    /// ([`RecorderOptions::time_limit`]), and an error of it as a failure of the write, whose steps are then buffered.
    ///
    /// ```no_run
    /// # #[cfg(feature = "sqlite")]
    /// # fn recorder() -> crosstail_record::Recorder {
    /// use crosstail_record::write::{SqliteWriter, Writer};
    ///
    /// crosstail_record::Recorder::into(|| async {
    ///     Ok(Box::new(SqliteWriter::open("calls.sqlite".as_ref()).await?) as Box<dyn Writer>)
    /// })
    /// # }
    /// ```
    pub fn into<F>(connect: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = anyhow::Result<Box<dyn Writer>>> + Send + 'static,
    {
        Self::of(Box::new(move || Box::pin(connect())), RecorderOptions::default())
    }

    /// The same recorder with other options. Counts start at 0, so call it before the first record.
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

    /// Records that something has started. An identity and the time are filled in where there are none, and the number of
    /// attempts by the policy.
    pub async fn start(&self, start: Start) -> RecordedCall {
        let start = Arc::new(self.completed(start));
        self.write(WriteStep::Start(Arc::clone(&start))).await;
        RecordedCall { start }
    }

    /// Records how it ended. Returns when the next attempt is due, by the policy and the response's `Retry-After` header;
    /// `None` if there is to be none. The time of the end is filled in where there is none.
    pub async fn complete(&self, call: &RecordedCall, outcome: Outcome) -> Option<Timestamp> {
        let outcome = self.planned(&call.start, outcome);
        let next = outcome.next_retry_at;
        self.write(WriteStep::Complete(Arc::clone(&call.start), Arc::new(outcome))).await;
        next
    }

    /// Records something that is over already, in one write. Returns what [`complete`](Self::complete) does.
    pub async fn complete_full(&self, start: Start, outcome: Outcome) -> Option<Timestamp> {
        let start = self.completed(start);
        let outcome = self.planned(&start, outcome);
        let next = outcome.next_retry_at;
        self.write(WriteStep::Finished(Arc::new(start), Arc::new(outcome))).await;
        next
    }

    /// Writes what is buffered, without regard to an earlier failure. Returns whether nothing is left. For the end of a
    /// program.
    pub async fn flush(&self) -> bool {
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.drain().await;
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How many errors there were: writes that failed, which are tried again, and records that were refused.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// How many writes were given up: the oldest of too many that were buffered, and records that the store refused.
    /// The start of an activity and its outcome are a write each.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The text of the last error, without secrets.
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
            let steps: VecDeque<WriteStep> =
                self.waiting.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
            if steps.is_empty() {
                return;
            }
            // Whatever happens to this future, what it has not written is put back.
            let mut in_flight = InFlight { recorder: self, steps };
            let result = self.write_in_flight(&mut writer, &mut in_flight);
            let failed = match tokio::time::timeout(self.options.time_limit, result).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => format!("the store did not answer within {:?}", self.options.time_limit),
            };
            *writer = None;
            self.failed(&failed);
        };
        // Waiting for another task's write is waiting, too.
        if tokio::time::timeout(self.options.time_limit * 2, work).await.is_err() {
            self.failed("another write has not ended");
        }
    }

    /// Writes all of it but what the store refuses, which is given up. Where the store does not say which record it
    /// refuses, fewer are written at a time until it is alone: about 2 log₂ n writes a refused record.
    async fn write_in_flight(
        &self,
        writer: &mut Option<Box<dyn Writer>>,
        in_flight: &mut InFlight<'_>,
    ) -> anyhow::Result<()> {
        let mut most = usize::MAX;
        while !in_flight.steps.is_empty() {
            if writer.is_none() {
                *writer = Some((self.connect)().await?);
            }
            let Some(writer) = writer else { return Ok(()) };
            let steps = in_flight.steps.make_contiguous();
            let steps = &steps[..most.min(steps.len())];
            let count = steps.len();
            let Err(error) = writer.write(steps).await else {
                in_flight.steps.drain(..count);
                most = most.saturating_mul(2);
                continue;
            };
            match error.downcast_ref::<Refused>() {
                Some(Refused::Steps(refused)) => {
                    in_flight.steps.drain(..count);
                    for (_, reason) in refused {
                        self.refused(reason);
                    }
                }
                Some(Refused::OneOf(reason)) if count == 1 => {
                    in_flight.steps.pop_front();
                    self.refused(reason);
                    most = usize::MAX;
                }
                Some(Refused::OneOf(_)) => most = count / 2,
                None => return Err(error),
            }
        }
        Ok(())
    }

    /// One record that the store does not accept. The store is well: there is nothing to wait for.
    fn refused(&self, reason: &str) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.report(&format!("a record was refused, and is given up: {reason}"));
    }

    /// The store cannot be written to at present.
    fn failed(&self, error: &str) {
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + COOLDOWN);
        self.report(error);
    }

    fn report(&self, error: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let safe = crosstail_core::model::redact_text(error).into_owned();
        if let Some(on_error) = &self.options.on_error {
            on_error(&safe);
        }
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(safe);
    }
}

/// Steps that are being written; those that were not go back to the front of those that wait.
struct InFlight<'a> {
    recorder: &'a Recorder,
    steps: VecDeque<WriteStep>,
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

    /// A store that refuses the records named `bad`, and is down for as many writes as it is told.
    #[derive(Default)]
    struct Fussy {
        written: Vec<String>,
        calls: usize,
        says_which: bool,
        down: usize,
    }

    struct FussyWriter(Arc<Mutex<Fussy>>);

    #[async_trait::async_trait]
    impl Writer for FussyWriter {
        fn accepts(&self, _: &Start) -> bool {
            true
        }

        async fn write(&mut self, steps: &[WriteStep]) -> anyhow::Result<()> {
            let mut store = self.0.lock().expect("lock");
            store.calls += 1;
            if store.down > 0 {
                store.down -= 1;
                anyhow::bail!("password=hunter2xx: the connection is lost");
            }
            let is_bad = |step: &WriteStep| step.start().system == "bad";
            let bad: Vec<_> = (0..steps.len()).filter(|at| is_bad(&steps[*at])).collect();
            if !bad.is_empty() && !store.says_which {
                return Err(anyhow::Error::from(Refused::OneOf("no room".to_owned())).context("insert"));
            }
            store.written.extend(steps.iter().filter(|step| !is_bad(step)).map(|step| step.start().id.clone()));
            let refused: Vec<_> = bad.into_iter().map(|at| (at, "no room".to_owned())).collect();
            if refused.is_empty() { Ok(()) } else { Err(Refused::Steps(refused).into()) }
        }

        fn written(&self) -> Vec<(String, u64)> {
            Vec::new()
        }
    }

    fn fussy(store: &Arc<Mutex<Fussy>>) -> Recorder {
        let store = Arc::clone(store);
        Recorder::into(move || {
            let writer = FussyWriter(Arc::clone(&store));
            async move { Ok(Box::new(writer) as Box<dyn Writer>) }
        })
    }

    async fn record(recorder: &Recorder, number: usize, system: &str) {
        let start = Start { id: format!("{number:03}"), system: system.to_owned(), ..Start::default() };
        recorder.complete_full(start, Outcome::default()).await;
    }

    #[tokio::test]
    async fn a_refused_record_costs_only_itself() {
        for says_which in [false, true] {
            let store = Arc::new(Mutex::new(Fussy { says_which, down: 1, ..Fussy::default() }));
            let reported: Arc<Mutex<Vec<String>>> = Arc::default();
            let there = Arc::clone(&reported);
            let on_error: OnError = Arc::new(move |error| there.lock().expect("lock").push(error.to_owned()));
            let recorder =
                fussy(&store).with(RecorderOptions { on_error: Some(on_error), ..RecorderOptions::default() });
            // The store is down at first: what follows waits, and is written together.
            for number in 0..200 {
                record(&recorder, number, if [3, 4, 100, 199].contains(&number) { "bad" } else { "good" }).await;
            }
            assert_eq!((recorder.failures(), recorder.dropped()), (1, 0));
            assert!(recorder.flush().await, "nothing is left");
            let store = store.lock().expect("lock");
            let good: Vec<String> =
                (0..200).filter(|n| ![3, 4, 100, 199].contains(n)).map(|n| format!("{n:03}")).collect();
            assert_eq!(store.written, good, "once each, in their order");
            assert_eq!((recorder.failures(), recorder.dropped()), (5, 4));
            assert!(store.calls <= if says_which { 2 } else { 4 * 16 }, "{} writes", store.calls);
            let reported = reported.lock().expect("lock");
            assert_eq!(reported.len(), 5);
            assert!(!reported[0].contains("hunter2xx"), "{reported:?}");
            assert!(reported[4].contains("refused") && reported[4].contains("no room"), "{reported:?}");
        }
    }

    #[tokio::test]
    async fn a_store_that_refuses_is_not_left_alone_and_one_that_is_down_loses_nothing() {
        let store = Arc::new(Mutex::new(Fussy::default()));
        let recorder = fussy(&store);
        record(&recorder, 0, "bad").await;
        record(&recorder, 1, "good").await;
        assert_eq!(store.lock().expect("lock").written, ["001"], "at once");
        store.lock().expect("lock").down = 2;
        record(&recorder, 2, "good").await;
        record(&recorder, 3, "bad").await;
        record(&recorder, 4, "good").await;
        assert!(!recorder.flush().await);
        assert!(recorder.flush().await);
        assert_eq!(store.lock().expect("lock").written, ["001", "002", "004"]);
        assert_eq!(recorder.dropped(), 2);
    }
}
