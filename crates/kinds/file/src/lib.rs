//! The kind `file`: log files in JSON lines of any known schema, in logfmt or plain text; rotated, compressed, still
//! being written.

mod block;
mod decode;
mod diagnose;
mod discover;
mod follow;
mod history;
mod kind;
mod payload;
mod plain;
mod prefilter;
mod recognise;
mod stream;

pub use kind::KIND;

use async_trait::async_trait;
use crosstail_core::filter::Filter;
use crosstail_core::model::{Diagnosis, Id, Locator, Names, Payload, SourceId, Timestamp};
use crosstail_core::schema::Schema;
use crosstail_source::{
    Capabilities, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, Related, RelatedKey,
    SharedId, Sink, Source, SourceError,
};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

pub use discover::Spec;

/// A set of log files, found by paths, globs and directories.
pub struct FileSource {
    shared: Arc<FileContext>,
}

/// State that the tasks of a file source share.
pub(crate) struct FileContext {
    pub(crate) name: String,
    pub(crate) id: SourceId,
    pub(crate) names: Names,
    pub(crate) specs: Vec<Spec>,
    pub(crate) recogniser: recognise::Recogniser,
    pub(crate) occurrences: decode::Occurrences,
    cache: Mutex<Option<history::ScanResult>>,
    /// Set once nothing more will be written.
    pub(crate) ended: Option<Arc<AtomicBool>>,
}

impl FileSource {
    /// A source of the files that `specs` match. Without `schema`, the schema of each file is recognised.
    pub fn new(name: &str, id: SourceId, names: Names, specs: Vec<Spec>, schema: Option<Schema>) -> Self {
        let shared = FileContext {
            name: name.to_owned(),
            id,
            names,
            specs,
            recogniser: recognise::Recogniser::new(schema),
            occurrences: decode::Occurrences::default(),
            cache: Mutex::new(None),
            ended: None,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Makes following end once `ended` is set and everything has been delivered.
    #[must_use]
    pub fn ending_with(mut self, ended: Option<Arc<AtomicBool>>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.ended = ended;
        }
        self
    }
}

impl FileContext {
    /// The existing files, newest first.
    fn streams(&self) -> Result<Vec<stream::Stream>, SourceError> {
        let found =
            discover::discover(&self.specs).map_err(|problem| self.error("open", ErrorKind::Connect, problem))?;
        let mut streams = Vec::new();
        for path in found {
            match stream::Stream::open(self, &path) {
                Ok(stream) => streams.extend(stream),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.io("open", &path.display().to_string(), &error)),
            }
        }
        // A renamed or copied file may be found under two names: its lines must be read once.
        streams.sort_by_key(|s| std::cmp::Reverse((s.length, s.modified)));
        let mut seen = std::collections::HashSet::new();
        streams.retain(|s| s.fingerprint.is_none_or(|print| seen.insert(print)));
        streams.sort_by_key(|s| std::cmp::Reverse(s.modified));
        Ok(streams)
    }

    fn error(&self, operation: &'static str, kind: ErrorKind, cause: impl Into<String>) -> SourceError {
        SourceError { source_name: self.name.clone(), operation, kind, cause: cause.into(), hint: None }
    }

    fn io(&self, operation: &'static str, what: &str, error: &std::io::Error) -> SourceError {
        let kind = match error.kind() {
            std::io::ErrorKind::PermissionDenied => ErrorKind::Auth,
            _ => ErrorKind::Connect,
        };
        let mut found = self.error(operation, kind, format!("{what}: {error}"));
        if kind == ErrorKind::Auth {
            found.hint = Some("make the file readable for your user; crosstail never writes to it".to_owned());
        }
        found
    }
}

/// Runs blocking work outside the runtime's threads.
async fn blocking<T: Send + 'static>(
    shared: &Arc<FileContext>,
    work: impl FnOnce(&Arc<FileContext>) -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let inner = Arc::clone(shared);
    tokio::task::spawn_blocking(move || work(&inner))
        .await
        .unwrap_or_else(|error| Err(shared.error("read", ErrorKind::Query, error.to_string())))
}

#[async_trait]
impl Source for FileSource {
    fn capabilities(&self) -> Capabilities {
        Capabilities { pushes: true, aggregates: false, holds_activities: true }
    }

    async fn probe(&self, _job: &Job) -> Result<Probe, SourceError> {
        blocking(&self.shared, |shared| {
            let streams = shared.streams()?;
            let mut schemas: Vec<&str> = streams.iter().map(|s| s.decoder.schema_name()).collect();
            schemas.sort_unstable();
            schemas.dedup();
            let bytes: u64 = streams.iter().map(|s| s.length).sum();
            Ok(Probe {
                server: format!("{} files, {:.1} MB", streams.len(), bytes as f64 / 1e6),
                schema: schemas.join(", "),
                ..Probe::default()
            })
        })
        .await
    }

    async fn page(&self, query: &PageQuery, after: Option<&Cursor>, job: &Job) -> Result<Page, SourceError> {
        let (query, after, job) = (query.clone(), after.cloned(), job.clone());
        blocking(&self.shared, move |shared| {
            let mut cache = shared.cache.lock().unwrap_or_else(PoisonError::into_inner);
            history::page(shared, &mut cache, &query, after.as_ref(), &job)
        })
        .await
    }

    async fn position(&self, _job: &Job) -> Result<Position, SourceError> {
        blocking(&self.shared, |shared| {
            let streams = shared.streams()?;
            Ok(follow::ResumePoint::at(&streams).position())
        })
        .await
    }

    async fn follow(&self, from: Position, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        follow::follow(&self.shared, &from, sink, job).await
    }

    async fn backfill(&self, upto: &Position, limit: usize, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let (upto, sink, job) = (upto.clone(), sink.clone(), job.clone());
        blocking(&self.shared, move |shared| history::fill_back(shared, &upto, limit, &sink, &job)).await
    }

    async fn payload(&self, id: &Id, locator: &Locator, _job: &Job) -> Result<Payload, SourceError> {
        let (id, locator) = (id.clone(), locator.clone());
        blocking(&self.shared, move |shared| payload::load(shared, &id, &locator)).await
    }

    async fn related(&self, key: &RelatedKey, limit: usize, job: &Job) -> Result<Related, SourceError> {
        let text = match &key.id {
            SharedId::Correlation(id) => format!("corr={}", crosstail_core::filter::quote(id)),
            SharedId::Request(id) => {
                let id = crosstail_core::filter::quote(id);
                format!("request={id} OR parent={id} OR id={id}")
            }
        };
        let filter =
            Filter::parse(&text).map_err(|e| self.shared.error("find related", ErrorKind::Query, e.to_string()))?;
        let query = PageQuery { filter, newest_first: false, ..PageQuery::all(limit) };
        Ok(self.page(&query, None, job).await?.items.into())
    }

    async fn diagnose(&self, now: Timestamp, _job: &Job) -> Result<Vec<Diagnosis>, SourceError> {
        blocking(&self.shared, move |shared| diagnose::diagnose(shared, now)).await
    }

    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError> {
        crosstail_source::aggregate_locally(self, query, grouping, &self.shared.names, job).await
    }
}
