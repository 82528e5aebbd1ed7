//! The kind `command`: what programs print. A command of the user's, the journal, containers, pods, files on other hosts.
//!
//! A `feed::Feed` runs the programs and writes their lines into a `spool::Spool`; `crosstail-files` reads that.

mod address;
mod child;
mod containers;
mod feed;
mod join;
mod journal;
mod kind;
mod kubernetes;
mod plain;
mod spool;
mod ssh;
mod stream;

pub use child::{GUARD, guard_with};
pub use kind::KIND;

use async_trait::async_trait;
use crosstail_core::model::{Diagnosis, Id, Locator, Names, Payload, SourceId, Timestamp, Tz};
use crosstail_core::schema::Schema;
use crosstail_files::{FileSource, Spec, Spooled};
use crosstail_formats::Formats;
use crosstail_source::{
    Capabilities, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, Related, RelatedKey,
    Sink, Source, SourceError, SourceEvent,
};
use feed::{Base, Failure, Feed, Origin, Running, State};
use serde::{Deserialize, Serialize};
use spool::Spool;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long what a program printed before it failed is waited for.
const LAST_LINES: Duration = Duration::from_secs(1);

/// How a source is opened.
struct Opening {
    name: String,
    id: SourceId,
    names: Names,
    schema: Option<Schema>,
    zone: Option<Tz>,
    formats: Arc<Formats>,
}

/// What programs print, kept and read as files.
struct CommandSource {
    opening: Opening,
    origin: Arc<dyn Origin>,
    reading: Mutex<Option<Reading>>,
    /// Whether a command that prints once reads it: then no program is started a second time.
    once: AtomicBool,
}

/// What there is once it is read.
#[derive(Clone)]
struct Reading {
    base: Arc<Base>,
    files: Arc<FileSource>,
    running: Arc<Running>,
}

/// Where following resumes: how much of each file has been delivered, in the folder that has this name.
#[derive(Debug, Default, Serialize, Deserialize)]
struct ResumePoint {
    spool: String,
    files: Option<Position>,
}

impl CommandSource {
    /// What is read, begun where it is not. A feed that ended is replaced if `again` is said.
    fn reading(&self, operation: &'static str, again: bool) -> Result<Reading, SourceError> {
        let failed = |failure: Failure| failure.error(&self.opening.name, operation);
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = reading.as_mut() {
            let is_over = matches!(known.running.feed.state(), State::Failed(_));
            if again && is_over && !self.once.load(Ordering::Relaxed) {
                known.running = Arc::new(Running::start(&known.base, &self.origin));
            }
            return Ok(known.clone());
        }
        let program = self.origin.program();
        if !child::Invocation::new(program, [""; 0]).is_found() {
            let mut missing = Failure::new(ErrorKind::Unsupported, format!("there is no program {program}"));
            missing.hint = Some("install it, or put its folder into PATH");
            return Err(failed(missing));
        }
        let spool = Spool::create().map_err(|error| failed(Failure::spool(&error)))?;
        let spool = Arc::new(spool);
        let base = Arc::new(Base::new(Arc::clone(&spool), Arc::clone(&self.opening.formats)));
        let specs = vec![Spec::Directory(spool.path().to_owned())];
        let Opening { name, id, names, schema, zone, formats } = &self.opening;
        let files = FileSource::new(name, *id, names.clone(), specs, schema.clone(), Arc::clone(formats))
            .in_zone(*zone)
            .ending_with(Some(Arc::clone(&base.ended)))
            .spooled(Spooled {
                name_of: Box::new(move |path| spool.name_of(path)),
                told_by_content: self.origin.told_by_content(),
            });
        let running = Arc::new(Running::start(&base, &self.origin));
        let begun = Reading { base, files: Arc::new(files), running };
        *reading = Some(begun.clone());
        Ok(begun)
    }

    /// What is read, once everything is there that was there before.
    async fn loaded(&self, operation: &'static str) -> Result<Reading, SourceError> {
        let reading = self.reading(operation, false)?;
        let is_there = |state: &State| !matches!(state, State::Starting | State::Reading);
        match reading.running.feed.until(is_there).await {
            // What could be read before is shown.
            State::Failed(failure) if !reading.base.has_lines() => Err(failure.error(&self.opening.name, operation)),
            _ => Ok(reading),
        }
    }
}

fn spool_name(reading: &Reading) -> String {
    reading.base.spool.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Delivers what the program says besides lines.
async fn tell(base: &Base, sink: &Sink) {
    loop {
        let text = base.notice().await;
        if sink.send(SourceEvent::Notice(text)).await.is_err() {
            return;
        }
    }
}

/// Passes on what the files deliver, with positions that say which files are meant.
async fn pass_on(spool: &str, mut from: tokio::sync::mpsc::Receiver<SourceEvent>, sink: &Sink) {
    while let Some(event) = from.recv().await {
        let event = match event {
            SourceEvent::Batch(items, position) => {
                let at =
                    position.map(|files| Position::new(ResumePoint { spool: spool.to_owned(), files: Some(files) }));
                SourceEvent::Batch(items, at)
            }
            other => other,
        };
        if sink.send(event).await.is_err() {
            return;
        }
    }
}

#[async_trait]
impl Source for CommandSource {
    fn capabilities(&self) -> Capabilities {
        Capabilities { pushes: true, aggregates: false, holds_activities: true, reads_ranges: false, finds_ids: false }
    }

    async fn probe(&self, job: &Job) -> Result<Probe, SourceError> {
        let reading = self.reading("connect", true)?;
        let state = reading.running.feed.until(|state| !matches!(state, State::Starting)).await;
        if let State::Failed(failure) = state
            && !(self.once.load(Ordering::Relaxed) && reading.base.has_lines())
        {
            return Err(failure.error(&self.opening.name, "connect"));
        }
        let files = reading.files.probe(job).await?;
        let (server, warnings) = reading.base.described();
        Ok(Probe { server, warnings, schema: files.schema, ..Probe::default() })
    }

    async fn settled(&self, _job: &Job) -> Result<(), SourceError> {
        self.once.store(true, Ordering::Relaxed);
        let reading = self.reading("read", false)?;
        let once = self.origin.is_once();
        let is_settled = |state: &State| match state {
            State::Starting | State::Reading => false,
            State::Loaded => !once,
            State::Ended | State::Failed(_) => true,
        };
        match reading.running.feed.until(is_settled).await {
            // Where it printed nothing, probing says why.
            State::Failed(failure) if reading.base.has_lines() => Err(failure.error(&self.opening.name, "read")),
            _ => Ok(()),
        }
    }

    async fn page(&self, query: &PageQuery, after: Option<&Cursor>, job: &Job) -> Result<Page, SourceError> {
        self.loaded("read history").await?.files.page(query, after, job).await
    }

    async fn position(&self, job: &Job) -> Result<Position, SourceError> {
        let reading = self.loaded("read position").await?;
        let files = Some(reading.files.position(job).await?);
        Ok(Position::new(ResumePoint { spool: spool_name(&reading), files }))
    }

    async fn follow(&self, from: Position, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let reading = self.reading("follow", true)?;
        let feed: &Feed = &reading.running.feed;
        feed.follow();
        let spool = spool_name(&reading);
        let from: ResumePoint = from.read().unwrap_or_default();
        // Of another run everything is new.
        let from = from.files.filter(|_| from.spool == spool).unwrap_or_else(|| Position::new(()));
        let (inner, events) = Sink::channel(1);
        let files = Arc::clone(&reading.files);
        let following = async move { files.follow(from, &inner, job).await };
        let delivering = async { tokio::join!(following, pass_on(&spool, events, sink)).0 };
        let failing = async {
            let state = feed.until(|state| matches!(state, State::Failed(_))).await;
            // What it printed before is delivered.
            tokio::time::sleep(LAST_LINES).await;
            state
        };
        tokio::select! {
            followed = delivering => followed,
            () = tell(&reading.base, sink) => Ok(()),
            state = failing => match state {
                State::Failed(failure) => Err(failure.error(&self.opening.name, "follow")),
                _ => Ok(()),
            },
        }
    }

    async fn backfill(&self, upto: &Position, limit: usize, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let reading = self.loaded("read history").await?;
        let upto: ResumePoint = upto.read().unwrap_or_default();
        let Some(upto) = upto.files.filter(|_| upto.spool == spool_name(&reading)) else { return Ok(()) };
        reading.files.backfill(&upto, limit, sink, job).await
    }

    async fn payload(&self, id: &Id, locator: &Locator, job: &Job) -> Result<Payload, SourceError> {
        self.loaded("load payload").await?.files.payload(id, locator, job).await
    }

    async fn related(&self, key: &RelatedKey, limit: usize, job: &Job) -> Result<Related, SourceError> {
        self.loaded("find related").await?.files.related(key, limit, job).await
    }

    async fn draft(&self, table: Option<&str>, job: &Job) -> Result<String, SourceError> {
        self.loaded("draft a schema").await?.files.draft(table, job).await
    }

    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError> {
        self.loaded("aggregate").await?.files.aggregate(query, grouping, job).await
    }

    async fn diagnose(&self, _now: Timestamp, _job: &Job) -> Result<Vec<Diagnosis>, SourceError> {
        let reading = self.loaded("examine").await?;
        let (what, warnings) = reading.base.described();
        let mut found = vec![Diagnosis::ok("program", format!("{} answers: {what}", self.origin.program()))];
        found.extend(warnings.into_iter().map(|text| Diagnosis::note("reading", text)));
        found.push(Diagnosis::note("limits", self.origin.limits()));
        Ok(found)
    }
}
