//! What runs a source, over a store that cannot be read: what is tried again, and when.

use crate::support::{PATIENCE, open};
use crosstail_core::model::{Clock, Id, Locator, Names, Payload, SourceId, Timestamp};
use crosstail_source::pump::{self, PumpEvent, SourceState, StartFrom};
use crosstail_source::{
    Capabilities, Cursor, ErrorKind, Grouping, Groups, Job, Jobs, Obedient, Page, PageQuery, Position, Probe, Related,
    RelatedKey, Sink, Source, SourceError,
};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Whatever is asked of it, it fails.
struct Failing(ErrorKind);

impl Failing {
    fn error(&self) -> SourceError {
        SourceError::of("failing", "reach", (self.0, Some("mend it")), &"it does not work")
    }
}

#[async_trait::async_trait]
impl Source for Failing {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            pushes: false,
            aggregates: false,
            counts_times: false,
            holds_activities: true,
            reads_ranges: false,
            has_order: true,
            finds_ids: false,
        }
    }

    async fn probe(&self, _: &Job) -> Result<Probe, SourceError> {
        Err(self.error())
    }

    /// As a driver whose query was interrupted: its error and the end of the job come in one moment.
    async fn page(&self, _: &PageQuery, _: Option<&Cursor>, job: &Job) -> Result<Page, SourceError> {
        job.cancel();
        Err(self.error())
    }

    async fn position(&self, _: &Job) -> Result<Position, SourceError> {
        Err(self.error())
    }

    async fn follow(&self, _: Position, _: &Sink, _: &Job) -> Result<(), SourceError> {
        Err(self.error())
    }

    async fn payload(&self, _: &Id, _: &Locator, _: &Job) -> Result<Payload, SourceError> {
        Err(self.error())
    }

    async fn related(&self, _: &RelatedKey, _: usize, _: &Job) -> Result<Related, SourceError> {
        Err(self.error())
    }

    async fn aggregate(&self, _: &PageQuery, _: &Grouping, _: &Job) -> Result<Groups, SourceError> {
        Err(self.error())
    }
}

/// The states that it goes through, until so many, or until it ends.
async fn states(kind: ErrorKind, clock: Clock, count: usize) -> Vec<SourceState> {
    let (events, mut received) = mpsc::channel(16);
    let cancel = CancellationToken::new();
    let _end = cancel.clone().drop_guard();
    tokio::spawn(pump::run(
        SourceId(0),
        Arc::new(Failing(kind)),
        StartFrom::Now,
        events,
        Jobs::default(),
        cancel,
        clock,
    ));
    let mut states = Vec::new();
    while states.len() < count {
        match tokio::time::timeout(PATIENCE, received.recv()).await.expect("a state") {
            Some(PumpEvent::State(_, state)) => states.push(state),
            Some(_) => {}
            None => break,
        }
    }
    states
}

#[tokio::test]
async fn waits_between_tries_grow_and_are_said() {
    // The clock stands: what is said is how long it waits, to the microsecond.
    let now = Timestamp(1_795_000_000_000_000);
    let run = |kind| states(kind, Clock::fixed(now), 6);
    let (connect, timeout, query) =
        tokio::join!(run(ErrorKind::Connect), run(ErrorKind::Timeout), run(ErrorKind::Query));
    for (kind, states) in [(ErrorKind::Connect, connect), (ErrorKind::Timeout, timeout), (ErrorKind::Query, query)] {
        let mut waits = Vec::new();
        for state in states {
            match state {
                SourceState::Connecting => {}
                SourceState::Waiting { until, error } => {
                    assert!(error.contains("it does not work") && error.contains("mend it"), "C13.1: {error}");
                    waits.push(until.since_us(now));
                }
                other => panic!("C13.2: {kind:?} is tried again: {other:?}"),
            }
        }
        assert_eq!(waits.len(), 3, "C13.2: each try is followed by a wait that is said");
        for (waited, around_ms) in waits.iter().zip([500, 1000, 2000]) {
            let around = around_ms * 1000 * 3 / 4..=around_ms * 1000 * 5 / 4;
            assert!(around.contains(waited), "C13.3: about {around_ms} ms: {waits:?}");
        }
    }
}

#[tokio::test]
async fn what_no_waiting_helps_is_not_tried_again() {
    for kind in [ErrorKind::Auth, ErrorKind::Decode, ErrorKind::Unsupported] {
        let states = states(kind, Clock::system(), 10).await;
        assert!(
            matches!(states[..], [SourceState::Connecting, SourceState::Failed { .. }]),
            "C13.2: {kind:?}: {states:?}"
        );
    }
}

#[tokio::test]
async fn history_that_somebody_ends_is_said_to_be_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("many.log");
    let line = |n: u32| format!("2026-11-20T09:{:02}:{:02}.000Z INFO order {n} done\n", n / 60 % 60, n % 60);
    std::fs::write(&path, (0..60_000).map(line).collect::<String>()).expect("written");
    let (_names, source) = open(&[path.display().to_string()]);
    // The queue is short and nobody takes from it: reading waits until its job is seen.
    let (events, mut received) = mpsc::channel(1);
    let (cancel, jobs) = (CancellationToken::new(), Jobs::default());
    let _end = cancel.clone().drop_guard();
    let begin = StartFrom::History(usize::MAX);
    tokio::spawn(pump::run(SourceId(0), source, begin, events, jobs.clone(), cancel, Clock::system()));
    let (mut read, mut ended, mut is_told, mut share) = (0, false, false, None);
    loop {
        let event = tokio::time::timeout(PATIENCE, received.recv()).await.expect("an event").expect("an event");
        match event {
            PumpEvent::Batch { items, live: false, .. } => read += items.len(),
            PumpEvent::Interrupted(_) => is_told = true,
            PumpEvent::State(_, SourceState::Live) => break,
            _ => {}
        }
        let reads = |job: &crosstail_source::JobState| job.purpose == pump::READ_HISTORY && job.rows > 0;
        if let Some(job) = jobs.list().into_iter().find(reads).filter(|_| !ended) {
            share = Some((job.bytes, job.total_bytes));
            jobs.cancel(job.number);
            ended = true;
        }
    }
    let (bytes, total) = share.expect("it was seen");
    let length = std::fs::metadata(&path).expect("a file").len();
    assert!(is_told, "C8.4: it is said");
    assert!(read < 60_000, "C8.4: what is older was not read: {read}");
    assert!(total == length && bytes < total, "C8.4: {bytes} of {total}, in a file of {length}");
}

#[tokio::test]
async fn what_a_driver_says_of_a_cancelled_query_is_no_error_of_the_store() {
    let source = Obedient::new("cancelled", Vec::new(), Arc::new(Failing(ErrorKind::Query)), &Names::default());
    let error = source.page(&PageQuery::all(10), None, &Job::default()).await.expect_err("it was cancelled");
    assert_eq!(error.kind, ErrorKind::Cancelled, "{error:?}");
    let (sink, _updates) = Sink::channel(1);
    let upto = Position::new(());
    source.backfill(&upto, 10, &sink, &Job::default()).await.expect("C8.2: cancelled, it ends well");
}
