//! The pump runs one source: it probes, backfills and follows, reconnects after growing, jittered waits, and reports
//! its state.

use crate::feed::{Feed, Progress};
pub use crate::pump_event::{PumpEvent, SourceState};
use crate::{Job, Jobs, PageQuery, Position, Priority, Sink, Source, SourceError, SourceEvent};
use crosstail_core::model::{Catalogue, Clock, SourceId, Timestamp};
use crosstail_core::number::saturating_i64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often vitals are read.
const VITALS_EVERY: Duration = Duration::from_secs(10);
/// How far back series reach, in microseconds.
pub const VITALS_SPAN_US: i64 = 3_600_000_000;
/// How often the catalogue is read again.
const CATALOGUE_EVERY: Duration = Duration::from_mins(1);
/// What the history is read for, as jobs say it.
pub const READ_HISTORY: &str = "read history";
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Where a source starts.
#[derive(Debug, Clone)]
pub enum StartFrom {
    /// With its history, of at most this many activities, and then live.
    History(usize),
    /// With the activities that started since a time, and then live.
    Since(Timestamp),
    /// Live only, from now.
    Now,
    /// Live only, from a position.
    After(Position),
}

/// Runs a source until it is cancelled.
pub async fn run(
    id: SourceId,
    source: Arc<dyn Source>,
    begin: StartFrom,
    events: mpsc::Sender<PumpEvent>,
    jobs: Jobs,
    cancel: CancellationToken,
    clock: Clock,
) {
    let mut progress = match &begin {
        StartFrom::History(_) | StartFrom::Since(_) => Progress::default(),
        StartFrom::Now => Progress { filled: true, ..Progress::default() },
        StartFrom::After(position) => Progress { resume: Some(position.clone()), filled: true, ..Progress::default() },
    };
    let mut wait = FIRST_WAIT;
    loop {
        let _ = events.send(PumpEvent::State(id, SourceState::Connecting)).await;
        let before = clock.now();
        let outcome = tokio::select! {
            () = cancel.cancelled() => return,
            outcome = session(id, &source, &begin, &mut progress, &events, &jobs, &cancel) => outcome,
        };
        if cancel.is_cancelled() || events.is_closed() {
            return;
        }
        let error = match outcome {
            Ok(()) => {
                let _ = events.send(PumpEvent::State(id, SourceState::Ended)).await;
                return;
            }
            Err(error) => error,
        };
        if !error.kind.is_transient() {
            let _ = events.send(PumpEvent::State(id, SourceState::Failed { error: error.to_string() })).await;
            return;
        }
        // The session lasted for a while, so the next wait is short again.
        if clock.now().since_us(before) > 10_000_000 {
            wait = FIRST_WAIT;
        }
        let jittered = wait.mul_f64(0.75 + 0.5 * fastrand::f64());
        let until = clock.now().plus_us(saturating_i64(jittered.as_micros()));
        let _ = events.send(PumpEvent::State(id, SourceState::Waiting { until, error: error.to_string() })).await;
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(jittered) => {}
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// One session, from the probe to the end or an error.
async fn session(
    id: SourceId,
    source: &Arc<dyn Source>,
    begin: &StartFrom,
    progress: &mut Progress,
    events: &mpsc::Sender<PumpEvent>,
    jobs: &Jobs,
    cancel: &CancellationToken,
) -> Result<(), SourceError> {
    let scope = cancel.child_token();
    let _guard = scope.clone().drop_guard();
    let job = |purpose: &str, priority| jobs.begin(id, Job::new(purpose, priority).under(&scope));
    let opening = job("connect", Priority::Asked);
    let probe = source.probe(&opening).await?;
    let _ = events.send(PumpEvent::Probed(id, probe)).await;
    let _ = events.send(PumpEvent::State(id, SourceState::Loading)).await;
    let start = match &progress.resume {
        Some(position) => position.clone(),
        None => source.position(&opening).await?,
    };
    progress.resume = Some(start.clone());
    drop(opening);
    let _ = events.send(PumpEvent::Following(id)).await;
    tokio::spawn(read_catalogue(id, Arc::clone(source), events.clone(), jobs.clone(), scope.clone()));
    tokio::spawn(read_vitals(id, Arc::clone(source), events.clone(), jobs.clone(), scope.clone()));
    let shared = Arc::new(Mutex::new(Progress { caught_up: false, ended: false, ..progress.clone() }));
    let feed =
        |live| Feed { source: id, live, events: events.clone(), progress: Arc::clone(&shared), scope: scope.clone() };
    let following = {
        let (source, start, job) = (Arc::clone(source), start.clone(), job("follow", Priority::Follow));
        let sink = Sink::to_pump(feed(true));
        tokio::spawn(async move { source.follow(start, &sink, &job).await })
    };
    let filling = {
        let (source, begin, filled) = (Arc::clone(source), begin.clone(), progress.filled);
        let (feed, job) = (feed(false), job(READ_HISTORY, Priority::Background));
        tokio::spawn(async move {
            let sink = Sink::to_pump(feed.clone());
            match begin {
                _ if filled => {}
                StartFrom::History(limit) => source.backfill(&start, limit, &sink, &job).await?,
                StartFrom::Since(since) => backfill_since(source.as_ref(), since, &sink, &job).await?,
                StartFrom::Now | StartFrom::After(_) => {}
            }
            if job.is_cancelled() && !feed.scope.is_cancelled() {
                // Somebody ended it, and not the session with it: what it has not read, nobody holds.
                let _ = feed.events.send(PumpEvent::Interrupted(id)).await;
            }
            let caught_up = {
                let mut progress = feed.progress();
                !std::mem::replace(&mut progress.filled, true) && progress.caught_up
            };
            if caught_up {
                let _ = feed.events.send(PumpEvent::State(id, SourceState::Live)).await;
            }
            Ok(())
        })
    };
    let outcome = outcome_of(following, filling, &shared, id).await;
    let reached = shared.lock().unwrap_or_else(PoisonError::into_inner);
    *progress = reached.clone();
    outcome
}

/// How a session ends: by an error of either part, or when following has ended. History may still arrive after a stream
/// has ended.
async fn outcome_of(
    mut following: JoinHandle<Result<(), SourceError>>,
    mut filling: JoinHandle<Result<(), SourceError>>,
    progress: &Mutex<Progress>,
    id: SourceId,
) -> Result<(), SourceError> {
    tokio::select! {
        followed = &mut following => {
            flatten(followed, id)?;
            let ended = progress.lock().unwrap_or_else(PoisonError::into_inner).ended;
            if ended { flatten(filling.await, id) } else { Ok(()) }
        }
        filled = &mut filling => {
            flatten(filled, id)?;
            flatten(following.await, id)
        }
    }
}

/// Backfills what started since a time, by pages.
async fn backfill_since(source: &dyn Source, since: Timestamp, sink: &Sink, job: &Job) -> Result<(), SourceError> {
    let query = PageQuery { since: Some(since), ..PageQuery::all(5000) };
    let mut cursor = None;
    loop {
        let page = source.page(&query, cursor.as_ref(), job).await?;
        if sink.send(SourceEvent::Batch(page.items, None)).await.is_err() {
            return Ok(());
        }
        let Some(next) = page.next else { return Ok(()) };
        cursor = Some(next);
    }
}

/// Reads the catalogue at intervals while the session lasts.
async fn read_catalogue(
    id: SourceId,
    source: Arc<dyn Source>,
    events: mpsc::Sender<PumpEvent>,
    jobs: Jobs,
    scope: CancellationToken,
) {
    let mut known = Catalogue::default();
    let reading = async {
        loop {
            let job = Job::new("read the catalogue", Priority::Background);
            match source.catalogue(&jobs.begin(id, job)).await {
                Ok(catalogue) if catalogue != known => {
                    known = catalogue.clone();
                    if events.send(PumpEvent::Catalogue(id, catalogue)).await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let _ = events.send(PumpEvent::Notice(id, error.to_string())).await;
                }
            }
            tokio::time::sleep(CATALOGUE_EVERY).await;
        }
    };
    tokio::select! {
        () = scope.cancelled() => {}
        () = reading => {}
    }
}

/// Reads health and metrics at intervals while the session lasts.
async fn read_vitals(
    id: SourceId,
    source: Arc<dyn Source>,
    events: mpsc::Sender<PumpEvent>,
    jobs: Jobs,
    scope: CancellationToken,
) {
    let clock = Clock::system();
    let mut refused = None;
    let reading = async {
        loop {
            let job = Job::new("read the store's health", Priority::Background);
            match source.vitals(clock.now().plus_us(-VITALS_SPAN_US), &jobs.begin(id, job)).await {
                Ok(vitals) if vitals.is_empty() => {}
                Ok(vitals) => {
                    if events.send(PumpEvent::Vitals(id, vitals)).await.is_err() {
                        return;
                    }
                }
                // The same error is reported only once.
                Err(error) if refused.as_ref() != Some(&error.to_string()) => {
                    refused = Some(error.to_string());
                    let _ = events.send(PumpEvent::Notice(id, error.to_string())).await;
                }
                Err(_) => {}
            }
            tokio::time::sleep(VITALS_EVERY).await;
        }
    };
    tokio::select! {
        () = scope.cancelled() => {}
        () = reading => {}
    }
}

fn flatten(outcome: Result<Result<(), SourceError>, tokio::task::JoinError>, id: SourceId) -> Result<(), SourceError> {
    outcome.unwrap_or_else(|error| {
        Err(SourceError {
            source_name: format!("source {}", id.0),
            operation: "run",
            kind: crate::ErrorKind::Query,
            cause: error.to_string(),
            hint: None,
        })
    })
}
