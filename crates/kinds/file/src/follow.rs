//! Follows files as they are written, rotated, truncated, removed and created again.
//!
//! A file is identified by its fingerprint (family name and first line). So a renamed, copied or compressed file
//! resumes where its content was left, whatever its name is now. The old handle of a renamed file is read to its end.
//! `notify` is only a hint to check sooner; `stat` decides.

use super::FileContext;
use super::stream::Stream;
use crosstail_core::model::{Activity, Timestamp};
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
    files: BTreeMap<String, u64>,
}

impl ResumePoint {
    /// The end of the last complete line of each file.
    pub(super) fn at(streams: &[Stream]) -> Self {
        let offset = |stream: &Stream| {
            if stream.compressed { u64::MAX } else { stream.last_newline(stream.length).unwrap_or(0) }
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

/// A file being followed.
struct Tail {
    stream: Stream,
    /// Bytes delivered.
    offset: u64,
    /// Bytes after `offset` whose newline has not been written yet.
    partial: Vec<u8>,
    carry: Timestamp,
    seen_length: u64,
    /// When its last path disappeared.
    orphaned: Option<Instant>,
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
            let mut parents: Vec<PathBuf> = paths.iter().filter_map(|p| p.parent().map(PathBuf::from)).collect();
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
        for path in paths {
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
            let Ok(Some(stream)) = Stream::open(self.shared, &path) else { continue };
            let offset = self.state.offset(stream.fingerprint);
            if let Some(print) = stream.fingerprint {
                self.cut.retain(|cut| cut.print != print);
            }
            let carry = stream.written_at();
            self.tails.insert(
                stream.device_inode,
                Tail { stream, offset, partial: Vec::new(), carry, seen_length: 0, orphaned: None },
            );
        }
        let now = Instant::now();
        for (key, tail) in &mut self.tails {
            tail.orphaned = if present.contains(key) { None } else { tail.orphaned.or(Some(now)) };
        }
        Ok(())
    }

    /// Reads what has been written; returns whether there was anything.
    fn read_all(&mut self) -> Result<bool, Cancelled> {
        let mut busy = false;
        let mut keys: Vec<(u64, u64)> = self.tails.keys().copied().collect();
        // Rotated files before the one being written, so that lines come in order.
        keys.sort_by_key(|key| self.tails.get(key).map(|t| t.stream.modified));
        for key in keys {
            let Some(mut tail) = self.tails.remove(&key) else { continue };
            let read = if tail.stream.compressed { self.read_compressed(&mut tail) } else { self.read(&mut tail) };
            match read {
                Ok(found) => busy |= found?,
                Err(error) => {
                    let text = format!("{}: {error}", tail.stream.path.display());
                    self.send(SourceEvent::Notice(text))?;
                }
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
        let at = tail.offset + tail.partial.len() as u64;
        let touched = length != tail.seen_length || meta.modified().is_ok_and(|m| m != tail.stream.modified);
        if touched
            && tail.stream.fingerprint.is_some()
            && (length < at || tail.stream.fingerprint_now()? != tail.stream.fingerprint)
        {
            return self.restart(tail);
        }
        if let Ok(modified) = meta.modified() {
            tail.stream.modified = modified;
        }
        tail.seen_length = length;
        if length <= at {
            return Ok(Ok(false));
        }
        if tail.stream.fingerprint.is_none() {
            tail.stream.identify(self.shared)?;
            if tail.stream.fingerprint.is_none() {
                // No complete line yet.
                return Ok(Ok(false));
            }
            tail.offset = self.state.offset(tail.stream.fingerprint);
            tail.partial.clear();
        }
        let start = tail.partial.len();
        let want = CHUNK.min(saturating_usize(length - tail.offset - start as u64));
        tail.partial.resize(start + want, 0);
        let read = tail.stream.file.read_at(&mut tail.partial[start..], tail.offset + start as u64)?;
        tail.partial.truncate(start + read);
        let Some(end) = memchr::memrchr(b'\n', &tail.partial[start..]).map(|found| start + found + 1) else {
            return Ok(Ok(read > 0));
        };
        let rest = tail.partial.split_off(end);
        let whole = std::mem::replace(&mut tail.partial, rest);
        let result = self.deliver(tail, &whole);
        Ok(result.map(|()| true))
    }

    /// Decodes complete lines, each with its newline, and sends them.
    fn deliver(&mut self, tail: &mut Tail, whole: &[u8]) -> Result<(), Cancelled> {
        let mut batch: Vec<Activity> = Vec::new();
        let stream = &tail.stream;
        let mut offset = tail.offset;
        for line in whole.split_inclusive(|b| *b == b'\n') {
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            stream.decoder.line(&stream.origin, offset, bare, &mut tail.carry, &self.shared.occurrences, &mut batch);
            offset += line.len() as u64;
        }
        tail.offset = offset;
        self.state.set(tail.stream.fingerprint, offset);
        self.send(SourceEvent::Batch(batch, Some(self.state.position())))
    }

    /// Starts again at the beginning: the file was truncated, or its content was replaced.
    fn restart(&mut self, tail: &mut Tail) -> io::Result<Result<bool, Cancelled>> {
        if let Some(print) = tail.stream.fingerprint {
            self.cut.push(Truncated { print, name: tail.stream.path.display().to_string(), since: Instant::now() });
        }
        let mut lost = Ok(());
        if !tail.partial.is_empty() {
            lost = self.unfinished(tail);
        }
        tail.partial.clear();
        tail.stream.identify(self.shared)?;
        tail.offset = self.state.offset(tail.stream.fingerprint);
        tail.seen_length = 0;
        Ok(lost.map(|()| true))
    }

    /// Delivers a last line that will never get its newline.
    fn unfinished(&mut self, tail: &mut Tail) -> Result<(), Cancelled> {
        let partial = std::mem::take(&mut tail.partial);
        self.deliver(tail, &partial)
    }

    fn finish(&mut self, tail: &mut Tail) -> Result<(), Cancelled> {
        if tail.partial.is_empty() { Ok(()) } else { self.unfinished(tail) }
    }

    /// Reads a compressed file once, from where its content was left: it does not grow.
    fn read_compressed(&mut self, tail: &mut Tail) -> io::Result<Result<bool, Cancelled>> {
        if tail.stream.fingerprint.is_none() {
            tail.stream.identify(self.shared)?;
        }
        if tail.stream.fingerprint.is_none() || tail.offset == u64::MAX {
            return Ok(Ok(false));
        }
        let mut reader = tail.stream.decompress()?;
        io::copy(&mut (&mut reader).take(tail.offset), &mut io::sink())?;
        let mut buffer = Vec::new();
        loop {
            let start = buffer.len();
            let read = (&mut reader).take(CHUNK as u64).read_to_end(&mut buffer)?;
            if read == 0 {
                break;
            }
            if let Some(found) = memchr::memrchr(b'\n', &buffer[start..]) {
                let rest = buffer.split_off(start + found + 1);
                let whole = std::mem::replace(&mut buffer, rest);
                if let Err(stop) = self.deliver(tail, &whole) {
                    return Ok(Err(stop));
                }
            }
        }
        if !buffer.is_empty()
            && let Err(stop) = self.deliver(tail, &buffer)
        {
            return Ok(Err(stop));
        }
        tail.offset = u64::MAX;
        self.state.set(tail.stream.fingerprint, u64::MAX);
        Ok(Ok(true))
    }
}
