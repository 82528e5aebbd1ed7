//! Follows files as they are written, rotated, truncated, removed and created again.
//!
//! A record of several lines is open until the next one begins or nothing more comes for a moment; then it is delivered,
//! and delivered again in its place where it grows after all. So is a last line without its newline.
//!
//! A file is identified by its fingerprint (family name and first line). So a renamed, copied or compressed file
//! resumes where its content was left, whatever its name is now. The old handle of a renamed file is read to its end.
//! `notify` is only a hint to check sooner; `stat` decides.

use super::packed::Packing;
use super::stream::Stream;
use super::tail::Tail;
use super::{FileContext, identity};
use crosstail_core::model::Activity;
use crosstail_core::number::saturating_usize;
use crosstail_source::{Job, Position, Sink, SourceError, SourceEvent};
use notify::Watcher as _;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How often files are checked without a hint.
const POLL: Duration = Duration::from_millis(100);
/// How often the directory is searched for new files.
const DISCOVER: Duration = Duration::from_millis(400);
/// How long a removed file stays open for its last lines.
const OLD_FILE_GRACE: Duration = Duration::from_secs(3);
/// Bytes per read.
const CHUNK: usize = 1 << 20;

/// How much of each file has been delivered.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ResumePoint {
    pub(super) files: BTreeMap<String, u64>,
}

impl ResumePoint {
    /// The end of the last complete line of each file.
    pub(super) fn at(streams: &[Stream]) -> Self {
        let offset = |stream: &Stream| match stream.packing {
            Packing::None => stream.last_newline(stream.length).unwrap_or(0),
            Packing::Encoded => stream.text().and_then(|mut text| io::copy(&mut text, &mut io::sink())).unwrap_or(0),
            Packing::Compressed | Packing::Binary => u64::MAX,
        };
        let files = streams.iter().filter_map(|s| Some((format!("{:016x}", s.fingerprint?), offset(s)))).collect();
        Self { files }
    }

    pub(super) fn read(position: &Position) -> Self {
        position.read().unwrap_or_default()
    }

    pub(super) fn position(&self) -> Position {
        Position::new(self)
    }

    /// Bytes delivered of the file with this fingerprint; 0 where it is unknown.
    pub(super) fn offset(&self, print: Option<u64>) -> u64 {
        print.and_then(|print| self.files.get(&format!("{print:016x}")).copied()).unwrap_or(0)
    }

    fn set(&mut self, print: Option<u64>, offset: u64) {
        if let Some(print) = print {
            self.files.insert(format!("{print:016x}"), offset);
        }
    }
}

pub(super) async fn follow(
    shared: &Arc<FileContext>,
    from: &Position,
    sink: &Sink,
    job: &Job,
) -> Result<(), SourceError> {
    let state = ResumePoint::read(from);
    let (sink, job) = (sink.clone(), job.clone());
    super::blocking(shared, move |shared| {
        let mut follower = Follower { shared, state, tails: HashMap::new(), cut: Vec::new(), sink: &sink, job: &job };
        follower.run()
    })
    .await
}

/// What had been delivered of a file before it was truncated. Remembered until a copy of it is found or the time is up.
struct Truncated {
    print: u64,
    name: String,
    since: Instant,
}

struct Follower<'a> {
    shared: &'a Arc<FileContext>,
    state: ResumePoint,
    tails: HashMap<(u64, u64), Tail>,
    cut: Vec<Truncated>,
    sink: &'a Sink,
    job: &'a Job,
}

/// The receiver is gone: stop.
struct Cancelled;

impl Follower<'_> {
    fn run(&mut self) -> Result<(), SourceError> {
        let (hints, watcher) = self.watch();
        let mut discovered: Option<Instant> = None;
        let mut caught_up = false;
        while !self.job.is_cancelled() && !self.sink.is_closed() {
            if discovered.is_none_or(|at| at.elapsed() >= DISCOVER) {
                self.discover()?;
                discovered = Some(Instant::now());
            }
            // Checked before reading, so that everything written before the end is still read.
            let ended = self.shared.ended.as_ref().is_some_and(|ended| ended.load(Ordering::Acquire));
            let Ok(busy) = self.read_all() else { return Ok(()) };
            if !busy && !caught_up {
                caught_up = true;
                if self.sink.blocking_send(SourceEvent::CaughtUp).is_err() {
                    return Ok(());
                }
            }
            if busy {
                continue;
            }
            if ended {
                let mut tails = std::mem::take(&mut self.tails);
                for tail in tails.values_mut() {
                    let Ok(()) = self.finish(tail) else { return Ok(()) };
                }
                let _ = self.sink.blocking_send(SourceEvent::Ended);
                return Ok(());
            }
            match hints.recv_timeout(POLL) {
                Ok(()) => {
                    // Writers write in bursts: check once for many hints.
                    while hints.try_recv().is_ok() {}
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::park_timeout(POLL),
            }
        }
        drop(watcher);
        Ok(())
    }

    fn watch(&self) -> (Receiver<()>, Option<notify::RecommendedWatcher>) {
        let (hint, hints) = sync_channel(1);
        let watcher = notify::recommended_watcher(move |_| {
            let _ = hint.try_send(());
        });
        let mut watcher = watcher.ok();
        if let Some(watcher) = &mut watcher {
            let paths = super::discover::discover(&self.shared.specs).unwrap_or_default();
            let mut parents: Vec<PathBuf> = paths.files.iter().filter_map(|p| p.parent().map(PathBuf::from)).collect();
            parents.sort();
            parents.dedup();
            for parent in parents.iter().take(64) {
                let parent = if parent.as_os_str().is_empty() { std::path::Path::new(".") } else { parent };
                let _ = watcher.watch(parent, notify::RecursiveMode::NonRecursive);
            }
        }
        (hints, watcher)
    }

    /// Opens new files and marks removed ones.
    fn discover(&mut self) -> Result<(), SourceError> {
        let paths = super::discover::discover(&self.shared.specs)
            .map_err(|problem| self.shared.error("follow", super::ErrorKind::Connect, problem))?;
        let mut present = Vec::new();
        for path in paths.files {
            let Ok(meta) = std::fs::metadata(&path) else { continue };
            let key = (meta.dev(), meta.ino());
            present.push(key);
            if let Some(tail) = self.tails.get_mut(&key) {
                if tail.stream.path != path {
                    // Renamed: the same file under a new name.
                    tail.stream.path.clone_from(&path);
                }
                continue;
            }
            let Ok(Some(mut stream)) = Stream::open(self.shared, &path) else { continue };
            if stream.packing == Packing::Binary {
                if let Some(text) = self.shared.no_text(&path) {
                    let _ = self.sink.blocking_send(SourceEvent::Notice(text));
                }
                continue;
            }
            self.tell(&mut stream);
            let offset = self.state.offset(stream.fingerprint);
            if let Some(print) = stream.fingerprint {
                self.cut.retain(|cut| cut.print != print);
            }
            self.tails.insert(stream.device_inode, Tail::new(stream, offset));
        }
        let now = Instant::now();
        for (key, tail) in &mut self.tails {
            tail.orphaned = if present.contains(key) { None } else { tail.orphaned.or(Some(now)) };
        }
        Ok(())
    }

    /// Tells a new file from those that begin alike and are no copies, and from those whose failures it holds.
    fn tell(&mut self, stream: &mut Stream) {
        for tail in self.tails.values_mut() {
            let other = &mut tail.stream;
            let fails = self.shared.spooled.is_none()
                && (identity::logs_failures_of(stream, other) || identity::logs_failures_of(other, stream));
            if fails {
                stream.origin.has_copies = true;
                other.origin.has_copies = true;
            }
            let alike = stream.fingerprint.is_some() && stream.fingerprint == other.fingerprint;
            let is_copy = |one: &Stream, other: &Stream| identity::is_copy(self.shared, one, other);
            if alike && !is_copy(stream, other) && !is_copy(other, stream) {
                stream.tell_by_path();
            }
        }
    }

    /// Reads what has been written; returns whether there was anything.
    fn read_all(&mut self) -> Result<bool, Cancelled> {
        let mut busy = false;
        let mut keys: Vec<(u64, u64)> = self.tails.keys().copied().collect();
        // Rotated files before the one being written, so that lines come in order.
        keys.sort_by_key(|key| self.tails.get(key).map(|t| t.stream.modified));
        for key in keys {
            let Some(mut tail) = self.tails.remove(&key) else { continue };
            let read = match tail.stream.packing {
                Packing::None => self.read(&mut tail),
                Packing::Encoded => self.read_encoded(&mut tail),
                Packing::Compressed | Packing::Binary => self.read_compressed(&mut tail),
            };
            let idle = matches!(read, Ok(Ok(false)));
            match read {
                Ok(found) => busy |= found?,
                Err(error) => {
                    let text = format!("{}: {error}", tail.stream.path.display());
                    self.send(SourceEvent::Notice(text))?;
                }
            }
            if idle && tail.waits_long_enough() {
                let batch = tail.open(&self.shared.occurrences);
                self.deliver(&tail, batch)?;
            }
            let lingered = tail.orphaned.is_some_and(|since| since.elapsed() >= OLD_FILE_GRACE);
            if lingered {
                self.finish(&mut tail)?;
            } else {
                self.tails.insert(key, tail);
            }
        }
        let overdue: Vec<String> = {
            let (late, waiting) =
                std::mem::take(&mut self.cut).into_iter().partition(|cut| cut.since.elapsed() > OLD_FILE_GRACE);
            self.cut = waiting;
            let late: Vec<Truncated> = late;
            late.into_iter().map(|cut| cut.name).collect()
        };
        for name in overdue {
            self.send(SourceEvent::Notice(format!(
                "{name} was truncated and no copy of it was found: lines written just before may be lost"
            )))?;
        }
        Ok(busy)
    }

    fn send(&self, update: SourceEvent) -> Result<(), Cancelled> {
        self.sink.blocking_send(update).map_err(|_| Cancelled)
    }

    fn read(&mut self, tail: &mut Tail) -> io::Result<Result<bool, Cancelled>> {
        let meta = tail.stream.file.metadata()?;
        let length = meta.len();
        let touched = length != tail.seen_length || meta.modified().is_ok_and(|m| m != tail.stream.modified);
        if touched && tail.stream.fingerprint.is_some() && (length < tail.offset || !tail.stream.begins_as_before()?) {
            return self.restart(tail);
        }
        if let Ok(modified) = meta.modified() {
            tail.stream.modified = modified;
        }
        tail.seen_length = length;
        if length <= tail.offset {
            return Ok(Ok(false));
        }
        if tail.stream.fingerprint.is_none() {
            tail.stream.identify(self.shared)?;
            if tail.stream.fingerprint.is_none() {
                // No complete line yet: it is shown, but has no identity that a longer beginning keeps.
                return Ok(Ok(false));
            }
            tail.begin_at(self.state.offset(tail.stream.fingerprint));
        }
        let mut bytes = vec![0; CHUNK.min(saturating_usize(length - tail.offset))];
        let read = tail.stream.file.read_at(&mut bytes, tail.offset)?;
        Ok(self.take(tail, &bytes[..read]).map(|()| read > 0))
    }

    /// Reads what a text in another encoding has more than before.
    fn read_encoded(&mut self, tail: &mut Tail) -> io::Result<Result<bool, Cancelled>> {
        let length = tail.stream.file.metadata()?.len();
        if length == tail.seen_length {
            return Ok(Ok(false));
        }
        tail.seen_length = length;
        let mut text = tail.stream.text()?;
        io::copy(&mut (&mut text).take(tail.offset), &mut io::sink())?;
        self.take_all(tail, text)
    }

    /// Reads a compressed file once, from where its content was left: it does not grow.
    fn read_compressed(&mut self, tail: &mut Tail) -> io::Result<Result<bool, Cancelled>> {
        if tail.stream.fingerprint.is_none() {
            tail.stream.identify(self.shared)?;
        }
        if tail.stream.fingerprint.is_none() || tail.offset == u64::MAX {
            return Ok(Ok(false));
        }
        let mut text = tail.stream.text()?;
        io::copy(&mut (&mut text).take(tail.offset), &mut io::sink())?;
        let read = self.take_all(tail, text);
        if let Err(error) = &read {
            self.shared.cut_off(&tail.stream.path, error);
        }
        if let Err(stop) = self.finish(tail) {
            return Ok(Err(stop));
        }
        tail.offset = u64::MAX;
        self.state.set(tail.stream.fingerprint, u64::MAX);
        read
    }

    fn take_all(&mut self, tail: &mut Tail, mut text: Box<dyn io::Read + Send>) -> io::Result<Result<bool, Cancelled>> {
        let mut bytes = vec![0; CHUNK];
        let mut any = false;
        loop {
            let read = text.read(&mut bytes)?;
            if read == 0 {
                return Ok(Ok(any));
            }
            any = true;
            if let Err(stop) = self.take(tail, &bytes[..read]) {
                return Ok(Err(stop));
            }
        }
    }

    /// Sends the records that these bytes complete.
    fn take(&mut self, tail: &mut Tail, bytes: &[u8]) -> Result<(), Cancelled> {
        let batch = tail.take(bytes, &self.shared.occurrences);
        self.deliver(tail, batch)
    }

    fn deliver(&mut self, tail: &Tail, mut batch: Vec<Activity>) -> Result<(), Cancelled> {
        for activity in &mut batch {
            self.shared.runs.settle(activity);
        }
        let lines_end = tail.frames.lines_end();
        // What is open and was not shown is read again after a restart.
        let reached = if tail.shown >= lines_end { lines_end } else { tail.frames.start() };
        self.state.set(tail.stream.fingerprint, reached);
        self.send(SourceEvent::Batch(batch, Some(self.state.position())))
    }

    /// Starts again at the beginning: the file was truncated, or its content was replaced.
    fn restart(&mut self, tail: &mut Tail) -> io::Result<Result<bool, Cancelled>> {
        if let Some(print) = tail.stream.fingerprint {
            self.cut.push(Truncated { print, name: tail.stream.path.display().to_string(), since: Instant::now() });
        }
        let lost = self.finish(tail);
        tail.stream.identify(self.shared)?;
        tail.begin_at(self.state.offset(tail.stream.fingerprint));
        tail.seen_length = 0;
        Ok(lost.map(|()| true))
    }

    /// Delivers what is open and will not go on.
    fn finish(&mut self, tail: &mut Tail) -> Result<(), Cancelled> {
        let batch = tail.finish(&self.shared.occurrences);
        if batch.is_empty() { Ok(()) } else { self.deliver(tail, batch) }
    }
}
