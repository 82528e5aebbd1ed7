//! Log files as a source, in any format that `crosstail-formats` knows; rotated, compressed, still being written. The kind
//! `file` reads the user's files with it, the kinds `command` and `receiver` what programs printed and what was sent.

mod block;
mod decode;
mod diagnose;
mod discover;
mod fed;
mod follow;
mod history;
mod identity;
mod origin;
mod packed;
mod parts;
mod payload;
mod prefilter;
mod runs;
mod stream;
mod tail;
mod turns;

use async_trait::async_trait;
use crosstail_core::filter::Filter;
use crosstail_core::model::{Diagnosis, Id, Locator, NameId, Names, Payload, SourceId, Timestamp, Tz};
use crosstail_core::schema::Schema;
use crosstail_formats::Formats;
use crosstail_source::{
    Capabilities, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, Related, RelatedKey,
    SharedId, Sink, Source, SourceError, caught_now,
};
use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

pub use discover::Spec;
pub use fed::{Failure, FedSource, Feed, Origin, Spool, Writer};

/// Files that a message names.
const NAMED_FILES: usize = 3;

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
    pub(crate) formats: Arc<Formats>,
    /// The schema of all JSON records, where somebody chose it.
    pub(crate) schema: Option<Schema>,
    /// The zone of times that name none.
    pub(crate) zone: Option<Tz>,
    pub(crate) occurrences: decode::Occurrences,
    pub(crate) runs: runs::Runs,
    cache: Mutex<Option<history::ScanResult>>,
    /// The name under which each path is registered.
    places: Mutex<HashMap<PathBuf, NameId>>,
    /// Files that could not be read, or not to their ends, with the reason.
    problems: Mutex<BTreeMap<PathBuf, String>>,
    /// Set once nothing more will be written.
    pub(crate) ended: Option<Arc<AtomicBool>>,
    /// What is special about files that a program wrote for the source.
    pub(crate) spooled: Option<Spooled>,
}

/// When the lines of a file came.
type ArrivalsOf = Box<dyn Fn(&Path) -> Arc<fed::Arrivals> + Send + Sync>;

/// Files that are copies of what programs print. None is a copy of one in another folder, whatever it holds.
pub(crate) struct Spooled {
    /// The name under which a file is shown.
    pub(crate) name_of: Box<dyn Fn(&Path) -> String + Send + Sync>,
    pub(crate) arrivals_of: ArrivalsOf,
    /// Whether every record says its time and its writer, so that its content tells it in every run.
    pub(crate) told_by_content: bool,
}

impl FileSource {
    /// A source of the files that `specs` match. Without `schema`, each record of JSON tells its own.
    pub fn new(
        name: &str,
        id: SourceId,
        names: Names,
        specs: Vec<Spec>,
        schema: Option<Schema>,
        formats: Arc<Formats>,
    ) -> Self {
        let shared = FileContext {
            name: name.to_owned(),
            id,
            names,
            specs,
            formats,
            schema,
            zone: None,
            occurrences: decode::Occurrences::default(),
            runs: runs::Runs::default(),
            cache: Mutex::new(None),
            places: Mutex::default(),
            problems: Mutex::default(),
            ended: None,
            spooled: None,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Makes times that name no zone times of this one.
    #[must_use]
    pub fn in_zone(mut self, zone: Option<Tz>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.zone = zone;
        }
        self
    }

    /// Makes following end once `ended` is set and everything has been delivered.
    #[must_use]
    pub fn ending_with(mut self, ended: Option<Arc<AtomicBool>>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.ended = ended;
        }
        self
    }

    /// Says that programs wrote the files.
    #[must_use]
    pub(crate) fn spooled(mut self, spooled: Spooled) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.spooled = Some(spooled);
        }
        self
    }
}

impl FileContext {
    /// The existing files, newest first, each content once. A file that cannot be opened is named and left out; an error
    /// only where none can.
    fn streams(&self) -> Result<Vec<stream::Stream>, SourceError> {
        let found =
            discover::discover(&self.specs).map_err(|problem| self.error("open", ErrorKind::Connect, problem))?;
        let mut streams = Vec::new();
        let mut failed = None;
        for path in found.files {
            match stream::Stream::open(self, &path) {
                Ok(Some(stream)) if stream.packing == packed::Packing::Binary => {
                    self.note(&path, NO_TEXT.to_owned());
                }
                Ok(stream) => streams.extend(stream),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.note(&path, error.to_string());
                    failed = Some(self.io("open", &path.display().to_string(), &error));
                }
            }
        }
        if let Some(error) = failed.filter(|_| streams.is_empty()) {
            return Err(error);
        }
        identity::settle(self, &mut streams);
        streams.sort_by_key(|s| std::cmp::Reverse(s.modified));
        Ok(streams)
    }

    /// The number of the name under which a path is shown: that of the file, with its folder where two have the same.
    fn place_of(&self, path: &Path) -> NameId {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = places.get(path) {
            return *known;
        }
        let name = match &self.spooled {
            Some(spooled) => (spooled.name_of)(path),
            None => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let mut place = self.names.place(&name);
        let is_taken = |place| places.values().any(|taken| *taken == place);
        if is_taken(place) {
            place = match &self.spooled {
                None => self.names.place(&path.display().to_string()),
                Some(_) => {
                    let mut numbered = (2..).map(|number| self.names.place(&format!("{name} ({number})")));
                    numbered.find(|place| !is_taken(*place)).unwrap_or(place)
                }
            };
        }
        places.insert(path.to_owned(), place);
        place
    }

    /// Remembers that a file could not be read to its end.
    fn cut_off(&self, path: &Path, error: &std::io::Error) {
        self.note(path, format!("ends early ({error}); what could be read of it is shown"));
    }

    /// Remembers what is wrong with a file; whether that was not known yet.
    fn note(&self, path: &Path, problem: String) -> bool {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.insert(path.to_owned(), problem.clone()).is_none_or(|before| before != problem)
    }

    /// The files that could not be read, or not to their ends, each with the reason.
    fn problems(&self) -> Vec<String> {
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.iter().map(|(path, problem)| format!("{} {problem}", self.named(path))).collect()
    }

    /// What is said once of bytes that are no text: a folder may hold such files, what is printed should be text.
    fn no_text(&self, path: &Path) -> Option<String> {
        let is_news = self.note(path, NO_TEXT.to_owned()) && self.spooled.is_some();
        is_news.then(|| format!("{} {NO_TEXT}", self.named(path)))
    }

    /// A file as people know it.
    fn named(&self, path: &Path) -> String {
        match &self.spooled {
            Some(spooled) => (spooled.name_of)(path),
            None => path.display().to_string(),
        }
    }

    /// What was taken along with a file, and what a folder holds that was left out.
    fn selection(&self) -> Vec<String> {
        let Ok(found) = discover::discover(&self.specs) else { return Vec::new() };
        let names = |paths: &[PathBuf]| {
            let first: Vec<String> = paths.iter().take(NAMED_FILES).map(|path| path.display().to_string()).collect();
            let more = if paths.len() > NAMED_FILES { " …" } else { "" };
            format!("{}{more}", first.join(", "))
        };
        let mut said = Vec::new();
        if !found.taken_along.is_empty() {
            said.push(format!("reads {} rotations too: {}", found.taken_along.len(), names(&found.taken_along)));
        }
        if !found.left_out.is_empty() {
            said.push(format!(
                "left out {} files that are no logs by their names: {}",
                found.left_out.len(),
                names(&found.left_out)
            ));
        }
        for path in found.files.iter().filter(|path| path.extension().is_some_and(|end| end == "zip")) {
            let others = packed::left_out(path);
            if !others.is_empty() {
                let others: Vec<PathBuf> = others.into_iter().map(PathBuf::from).collect();
                said.push(format!(
                    "left out {} files of {} that are no logs by their names: {}",
                    others.len(),
                    path.display(),
                    names(&others)
                ));
            }
        }
        said
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

/// How many files there are, and how large they are together.
fn said(files: usize, bytes: u64) -> String {
    let size = match bytes {
        0 if files == 1 => return "empty (0 B)".to_owned(),
        0 => "all empty (0 B)".to_owned(),
        1..1000 => format!("{bytes} B"),
        1000..100_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    };
    format!("{files} file{}, {size}", if files == 1 { "" } else { "s" })
}

/// Runs blocking work outside the runtime's threads.
async fn blocking<T: Send + 'static>(
    shared: &Arc<FileContext>,
    work: impl FnOnce(&Arc<FileContext>) -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let inner = Arc::clone(shared);
    let done = tokio::task::spawn_blocking(move || caught_now(|| work(&inner))).await;
    done.unwrap_or_else(|error| Err(error.to_string()))
        .unwrap_or_else(|why| Err(shared.error("read", ErrorKind::Query, why)))
}

/// What is said of a file whose bytes are no text.
const NO_TEXT: &str = "is no text: its bytes are not shown";

/// How much of a file a draft is made from, in bytes.
const DRAFT_BYTES: u64 = 256 * 1024;

/// A schema or a format for the records of the newest file that has some.
fn draft(shared: &FileContext) -> Result<String, SourceError> {
    let failed =
        |place: &str, cause: &str| shared.error("draft a schema", ErrorKind::Query, format!("{place}: {cause}"));
    let streams = shared.streams()?;
    for stream in &streams {
        let mut text = Vec::new();
        let read = stream.text().and_then(|all| all.take(DRAFT_BYTES).read_to_end(&mut text));
        // What could be read of a file that was cut is enough.
        if let Err(error) = read
            && text.is_empty()
        {
            return Err(failed(&stream.path.display().to_string(), &error.to_string()));
        }
        let name = stream.path.file_prefix().unwrap_or_default().to_string_lossy();
        if let Some(draft) = shared.formats.draft(&name, &String::from_utf8_lossy(&text)) {
            return Ok(draft);
        }
    }
    let first = streams.first().map_or_else(|| shared.name.clone(), |stream| stream.path.display().to_string());
    Err(failed(&first, "no record to draft from"))
}

#[async_trait]
impl Source for FileSource {
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

    async fn probe(&self, _job: &Job) -> Result<Probe, SourceError> {
        blocking(&self.shared, |shared| {
            let streams = shared.streams()?;
            let mut schemas: Vec<String> = streams.iter().map(diagnose::main_format).collect();
            schemas.sort_unstable();
            schemas.dedup();
            let bytes: u64 = streams.iter().map(|s| s.length).sum();
            let mut warnings = shared.problems();
            if shared.spooled.is_none() {
                warnings.extend(shared.selection());
            }
            Ok(Probe {
                warnings,
                missing: discover::missing(&shared.specs),
                server: said(streams.len(), bytes),
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

    async fn draft(&self, table: Option<&str>, _job: &Job) -> Result<String, SourceError> {
        if table.is_some() {
            return Err(self.shared.error("draft a schema", ErrorKind::Unsupported, "a file has no tables".to_owned()));
        }
        blocking(&self.shared, |shared| draft(shared)).await
    }

    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError> {
        crosstail_source::aggregate_locally(self, query, grouping, &self.shared.names, job).await
    }
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn an_empty_file_is_said_to_be_one() {
        assert_eq!(said(1, 0), "empty (0 B)");
        assert_eq!(said(2, 0), "2 files, all empty (0 B)");
        assert_eq!(said(1, 999), "1 file, 999 B");
        assert_eq!(said(3, 2_500_000), "3 files, 2.5 MB");
    }
}
