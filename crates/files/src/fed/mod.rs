//! A source whose lines something feeds into a spool, which is read as any folder of log files is: what programs print, what
//! is received.

mod arrivals;
mod feed;
mod spool;

pub(crate) use arrivals::Arrivals;
pub use feed::{Failure, Feed, Origin};
pub use spool::{Spool, Writer};

use crate::follow::ResumePoint;
use crate::{FileSource, Spec, Spooled};
use async_trait::async_trait;
use crosstail_core::model::{Diagnosis, Id, Locator, Names, Payload, SourceId, Timestamp};
use crosstail_formats::Formats;
use crosstail_source::{
    Capabilities, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, Related, RelatedKey,
    Sink, Source, SourceConfig, SourceError, SourceEvent,
};
use feed::{Base, Described, Running, State};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long what came before a failure is waited for.
const LAST_LINES: Duration = Duration::from_secs(1);

/// What an origin feeds, kept and read as files.
pub struct FedSource {
    config: SourceConfig,
    id: SourceId,
    names: Names,
    formats: Arc<Formats>,
    origin: Arc<dyn Origin>,
    reading: Mutex<Option<Reading>>,
    /// Whether a command that prints once reads it: then nothing is started a second time.
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
struct SpoolPoint {
    spool: String,
    files: Option<Position>,
}

/// What is kept goes with the source, though a thread that is not waited for may hold it a little longer.
impl Drop for FedSource {
    fn drop(&mut self) {
        if let Some(reading) = self.reading.get_mut().unwrap_or_else(PoisonError::into_inner) {
            let _ = std::fs::remove_dir_all(reading.base.spool.path());
        }
    }
}

impl FedSource {
    /// A source of what an origin feeds. Nothing is begun yet.
    ///
    /// # Errors
    /// The formats of log files cannot be used.
    pub fn new(
        config: &SourceConfig,
        id: SourceId,
        names: &Names,
        origin: Arc<dyn Origin>,
    ) -> Result<Self, SourceError> {
        let wrong = |error| SourceError::of(&config.name, "open", (ErrorKind::Unsupported, None), &error);
        let formats = Formats::shared().map_err(wrong)?;
        let (config, names) = (config.clone(), names.clone());
        Ok(Self { config, id, names, formats, origin, reading: Mutex::default(), once: AtomicBool::new(false) })
    }

    /// What is read, begun where it is not. A feed that ended is replaced if `again` is said.
    fn reading(&self, operation: &'static str, again: bool) -> Result<Reading, SourceError> {
        let failed = |failure: Failure| failure.error(&self.config.name, operation);
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = reading.as_mut() {
            let is_over = matches!(known.running.feed.state(), State::Failed(_));
            if again && is_over && !self.once.load(Ordering::Relaxed) {
                known.running = Arc::new(Running::start(&known.base, &self.origin));
            }
            return Ok(known.clone());
        }
        self.origin.check().map_err(failed)?;
        let spool = Spool::create().map_err(|error| failed(Failure::spool(&error)))?;
        let spool = Arc::new(spool);
        let base = Arc::new(Base::new(Arc::clone(&spool), Arc::clone(&self.formats)));
        if !self.origin.has_history() {
            // All that comes is for whoever follows, before they do.
            base.begin_following(0);
        }
        let specs = vec![Spec::Directory(spool.path().to_owned())];
        let SourceConfig { name, schema, zone, .. } = &self.config;
        let kept = Arc::clone(&spool);
        let files =
            FileSource::new(name, self.id, self.names.clone(), specs, schema.clone(), Arc::clone(&self.formats))
                .in_zone(*zone)
                .ending_with(Some(Arc::clone(&base.ended)))
                .spooled(Spooled {
                    name_of: Box::new(move |path| spool.name_of(path)),
                    arrivals_of: Box::new(move |path| kept.arrivals(path)),
                    told_by_content: self.origin.told_by_content(),
                });
        let running = if self.begins() { Running::start(&base, &self.origin) } else { Running::nothing(&base) };
        let running = Arc::new(running);
        let begun = Reading { base, files: Arc::new(files), running };
        *reading = Some(begun.clone());
        Ok(begun)
    }

    /// Whether the origin is begun: one without history is not, for a command that prints once.
    fn begins(&self) -> bool {
        self.origin.has_history() || !self.once.load(Ordering::Relaxed)
    }

    /// What is read, once everything is there that was there before.
    async fn loaded(&self, operation: &'static str) -> Result<Reading, SourceError> {
        let reading = self.reading(operation, false)?;
        let is_there = |state: &State| !matches!(state, State::Starting | State::Reading);
        match reading.running.feed.until(is_there).await {
            // What could be read before is shown.
            State::Failed(failure) if reading.base.spool.written() == 0 => {
                Err(failure.error(&self.config.name, operation))
            }
            _ => Ok(reading),
        }
    }
}

fn spool_name(reading: &Reading) -> String {
    reading.base.spool.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Delivers what is said besides lines.
async fn tell(base: &Base, sink: &Sink) {
    loop {
        let text = base.notice().await;
        if sink.send(SourceEvent::Notice(text)).await.is_err() {
            return;
        }
    }
}

/// How many bytes of all files have been read at a position.
fn bytes_read(position: &Position) -> u64 {
    let files = ResumePoint::read(position).files;
    files.into_values().filter(|offset| *offset != u64::MAX).sum()
}

/// Passes on what the files deliver, with positions that say which files are meant.
async fn pass_on(base: &Base, spool: &str, mut from: tokio::sync::mpsc::Receiver<SourceEvent>, sink: &Sink) {
    while let Some(event) = from.recv().await {
        let mut delivered = None;
        let event = match event {
            SourceEvent::Batch(items, position) => {
                delivered = position.as_ref().map(bytes_read);
                let at =
                    position.map(|files| Position::new(SpoolPoint { spool: spool.to_owned(), files: Some(files) }));
                SourceEvent::Batch(items, at)
            }
            other => other,
        };
        if sink.send(event).await.is_err() {
            return;
        }
        if let Some(delivered) = delivered {
            base.deliver(delivered);
        }
    }
}

#[async_trait]
impl Source for FedSource {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            pushes: true,
            aggregates: false,
            counts_times: false,
            holds_activities: true,
            reads_ranges: false,
            has_order: false,
            finds_ids: false,
        }
    }

    async fn probe(&self, job: &Job) -> Result<Probe, SourceError> {
        let reading = self.reading("connect", true)?;
        let state = reading.running.feed.until(|state| !matches!(state, State::Starting)).await;
        if let State::Failed(failure) = state
            && !(self.once.load(Ordering::Relaxed) && reading.base.spool.written() > 0)
        {
            return Err(failure.error(&self.config.name, "connect"));
        }
        let files = reading.files.probe(job).await?;
        let Described { what: server, mut warnings, is_partial, missing, named } = reading.base.described();
        // What is kept and cannot be shown: bytes that are no text, a compressed file that ends early.
        warnings.extend(files.warnings);
        if !self.begins() {
            warnings.push(self.origin.limits());
        }
        let limits = Some(self.origin.limits());
        Ok(Probe { server, warnings, is_partial, missing, named, schema: files.schema, limits, ..Probe::default() })
    }

    fn waiting(&self) -> u64 {
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        reading.as_ref().map_or(0, |reading| reading.base.waiting())
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
            // Where nothing came, probing says why.
            State::Failed(failure) if reading.base.spool.written() > 0 => Err(failure.error(&self.config.name, "read")),
            _ => Ok(()),
        }
    }

    async fn page(&self, query: &PageQuery, after: Option<&Cursor>, job: &Job) -> Result<Page, SourceError> {
        self.loaded("read history").await?.files.page(query, after, job).await
    }

    async fn position(&self, job: &Job) -> Result<Position, SourceError> {
        let reading = self.loaded("read position").await?;
        // Without history all that is there came since it began: whoever follows gets it.
        let files = if self.origin.has_history() {
            reading.files.position(job).await?
        } else {
            ResumePoint::default().position()
        };
        let files = Some(files);
        Ok(Position::new(SpoolPoint { spool: spool_name(&reading), files }))
    }

    async fn follow(&self, from: Position, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let reading = self.reading("follow", true)?;
        let feed: &Feed = &reading.running.feed;
        feed.follow();
        let spool = spool_name(&reading);
        let from: SpoolPoint = from.read().unwrap_or_default();
        // Of another run everything is new.
        let from = from.files.filter(|_| from.spool == spool).unwrap_or_else(|| Position::new(()));
        reading.base.begin_following(bytes_read(&from));
        let (inner, events) = Sink::channel(1);
        let files = Arc::clone(&reading.files);
        let following = async move { files.follow(from, &inner, job).await };
        let delivering = async { tokio::join!(following, pass_on(&reading.base, &spool, events, sink)).0 };
        let failing = async {
            let state = feed.until(|state| matches!(state, State::Failed(_))).await;
            // What came before is delivered.
            tokio::time::sleep(LAST_LINES).await;
            state
        };
        tokio::select! {
            followed = delivering => followed,
            () = tell(&reading.base, sink) => Ok(()),
            state = failing => match state {
                State::Failed(failure) => Err(failure.error(&self.config.name, "follow")),
                _ => Ok(()),
            },
        }
    }

    async fn backfill(&self, upto: &Position, limit: usize, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let reading = self.loaded("read history").await?;
        let upto: SpoolPoint = upto.read().unwrap_or_default();
        let Some(upto) = upto.files.filter(|_| upto.spool == spool_name(&reading)) else { return Ok(()) };
        reading.files.backfill(&upto, limit, sink, job).await
    }

    async fn payload(&self, id: &Id, locator: &Locator, job: &Job) -> Result<Payload, SourceError> {
        self.loaded("load payload").await?.files.payload(id, locator, job).await
    }

    async fn related(&self, key: &RelatedKey, limit: usize, job: &Job) -> Result<Related, SourceError> {
        self.loaded("find related").await?.files.related(key, limit, job).await
    }

    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError> {
        self.loaded("aggregate").await?.files.aggregate(query, grouping, job).await
    }

    async fn draft(&self, table: Option<&str>, job: &Job) -> Result<String, SourceError> {
        self.loaded("draft a schema").await?.files.draft(table, job).await
    }

    async fn diagnose(&self, _now: Timestamp, _job: &Job) -> Result<Vec<Diagnosis>, SourceError> {
        let reading = self.loaded("examine").await?;
        let Described { what, warnings, .. } = reading.base.described();
        let mut found = vec![self.origin.answers(&what)];
        found.extend(warnings.into_iter().map(|text| Diagnosis::note("reading", text)));
        found.push(Diagnosis::note("limits", self.origin.limits()));
        Ok(found)
    }
}
