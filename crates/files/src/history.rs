//! Reads what the files hold up to now: in batches, newest first, for the explorer; filtered and sorted for a query.

use super::block::{self, BLOCK};
use super::decode::{Before, Occurrences, Rejects, decode, part_of, request_hash};
use super::follow::ResumePoint;
use super::parts::{KeptLine, LineRef, Part, PartBuffer, Parts};
use super::prefilter::LinePrefilter;
use super::runs::{divide, is_scoped, of_run};
use super::stream::Stream;
use super::{FileContext, payload};
use crosstail_core::filter::{NamedRecord, Predicate, Truth};
use crosstail_core::model::{Activity, Id, Payload, Timestamp};
use crosstail_core::number::{saturating_u32, saturating_usize};
use crosstail_core::schema::{Assembler, Schema};
use crosstail_formats::Frames;
use crosstail_source::{Cursor, Job, Page, PageQuery, Position, PushDown, Sink, SourceError, SourceEvent};
use rayon::prelude::*;
use std::collections::HashMap;
use std::io::{self, Read as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A range of a file to read, in bytes.
#[derive(Debug, Clone, Copy)]
struct Task {
    stream: usize,
    range: (u64, u64),
    limit: u64,
}

impl Task {
    /// How much it reads; of a packed file, as it lies on the disk.
    const fn bytes(&self, stream: &Stream) -> u64 {
        let (start, end) = self.range;
        if end == u64::MAX { stream.length } else { end - start }
    }
}

/// The ranges of the files up to a position, newest first; up to their ends without one. A file that is read from its
/// beginning is one range.
fn tasks(streams: &[Stream], upto: Option<&ResumePoint>) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (index, stream) in streams.iter().enumerate() {
        let limit = upto.map_or(u64::MAX, |upto| upto.offset(stream.fingerprint));
        if stream.is_sequential() {
            if limit > 0 {
                tasks.push(Task { stream: index, range: (0, u64::MAX), limit });
            }
            continue;
        }
        let limit = limit.min(stream.length);
        let mut end = limit;
        // A small range first: the newest lines are on screen while the rest is read.
        let mut size = BLOCK / 8;
        while end > 0 {
            let start = end.saturating_sub(size);
            tasks.push(Task { stream: index, range: (start, end), limit });
            end = start;
            size = BLOCK;
        }
    }
    tasks
}

/// Calls `each(offset, frame, own)` for the frames of a range; those before it (not `own`) say what its first ones need.
fn run(
    shared: &FileContext,
    stream: &Stream,
    task: &Task,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(u64, &[u8], bool),
) -> io::Result<()> {
    if !stream.is_sequential() {
        return block::frames(&stream.file, &stream.reader, task.range, task.limit, buffer, each);
    }
    let mut text = stream.text()?;
    let mut frames = Frames::default();
    let mut own = |offset, frame: &[u8]| {
        if offset < task.limit {
            each(offset, frame, true);
        }
    };
    buffer.resize(PIECE, 0);
    let mut at = 0;
    while at < task.limit {
        match text.read(buffer) {
            Ok(0) => break,
            Ok(read) => {
                frames.push(&stream.reader, &buffer[..read], &mut own);
                at += read as u64;
            }
            // What can be read of a file that was cut is shown, and the rest is named.
            Err(error) if at > 0 => {
                shared.cut_off(&stream.path, &error);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    frames.finish(&stream.reader, &mut own);
    Ok(())
}

/// Bytes read at once of a file that is read from its beginning.
const PIECE: usize = 1 << 16;

/// Activities per batch: enough to amortise sending, few enough that batches in flight need little memory.
const BATCH: usize = 1024;

pub(super) fn fill_back(
    shared: &Arc<FileContext>,
    upto: &Position,
    limit: usize,
    sink: &Sink,
    job: &Job,
) -> Result<(), SourceError> {
    let streams = shared.streams()?;
    let upto = ResumePoint::read(upto);
    let tasks = tasks(&streams, Some(&upto));
    job.will_read(tasks.iter().map(|task| task.bytes(&streams[task.stream])).sum());
    let next = AtomicUsize::new(0);
    let sent = AtomicUsize::new(0);
    let failed: Mutex<Option<SourceError>> = Mutex::new(None);
    let stopped = || job.is_cancelled() || sink.is_closed() || sent.load(Ordering::Relaxed) >= limit;
    let work = || {
        let mut buffer = Vec::new();
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stopped() {
                return;
            }
            let stream = &streams[task.stream];
            let mut batch: Vec<Activity> = Vec::with_capacity(BATCH);
            let mut before = Before::nothing(stream);
            let send = |mut batch: Vec<Activity>| {
                for activity in &mut batch {
                    shared.runs.settle(activity);
                }
                sent.fetch_add(batch.len(), Ordering::Relaxed);
                job.count(batch.len(), 0);
                let _ = sink.blocking_send(SourceEvent::Batch(batch, None));
            };
            let read = run(shared, stream, task, &mut buffer, |offset, frame, own| {
                if !own {
                    return decode(stream, offset, frame, &mut before, &Occurrences::default(), None, |_, _| {});
                }
                decode(stream, offset, frame, &mut before, &shared.occurrences, None, |activity, _| {
                    batch.push(activity);
                });
                if batch.len() >= BATCH {
                    send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
                }
            });
            if let Err(error) = read {
                let error = shared.io("read history", &stream.path.display().to_string(), &error);
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
            if !batch.is_empty() {
                send(batch);
            }
            job.count(0, saturating_usize(task.bytes(stream)));
        }
    };
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..readers()).map(|_| scope.spawn(work)).collect();
        work();
        for helper in helpers {
            let _ = helper.join();
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Number of reading threads: one per core, at most four.
fn readers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(4)
}

/// Where a matching activity is: enough to sort it and to read it again.
#[derive(Debug, Clone)]
struct Match {
    time: Timestamp,
    id: Id,
    lines: Lines,
}

impl Match {
    /// Its place among activities of the same time.
    fn order(&self) -> (std::cmp::Reverse<u32>, u64, Id) {
        let first = self.lines.list().first().map(|line| (std::cmp::Reverse(line.at.stream), line.at.offset));
        let (stream, offset) = first.unwrap_or((std::cmp::Reverse(0), 0));
        (stream, offset, self.id.clone())
    }
}

#[derive(Debug, Clone)]
enum Lines {
    One(KeptLine),
    Many(Vec<KeptLine>),
}

/// The result of one scan, cached for the next page of the same query.
#[derive(Debug)]
pub(crate) struct ScanResult {
    key: String,
    streams: Vec<Stream>,
    matches: Vec<Match>,
}

#[derive(Default)]
struct ScanBuffer {
    matches: Vec<Match>,
    parts: PartBuffer,
}

fn scan(shared: &FileContext, query: &PageQuery, key: String, job: &Job) -> Result<ScanResult, SourceError> {
    let streams = shared.streams()?;
    let predicate = query.filter.predicate(&query.context);
    let tasks = tasks(&streams, None);
    let occurrences = Occurrences::default();
    let test = Test { shared, query, predicate: &predicate };
    let quick = LinePrefilter::new(&predicate);
    let parts = Parts::default();
    let matches: Vec<Vec<Match>> = tasks
        .par_iter()
        .map_init(Vec::new, |buffer, task| {
            if job.check().is_err() {
                return Vec::new();
            }
            let stream = &streams[task.stream];
            let mut gathered = ScanBuffer::default();
            let mut decoded = Vec::new();
            let mut before = Before::nothing(stream);
            let read = run(shared, stream, task, buffer, |offset, frame, own| {
                if !own {
                    return decode(stream, offset, frame, &mut before, &Occurrences::default(), None, |_, _| {});
                }
                let at = LineRef { stream: saturating_u32(task.stream), offset, length: saturating_u32(frame.len()) };
                let mut rejected = None;
                let mut rejects = |record: &Assembler<'_>, schema: &Schema| {
                    let rejects = quick.rejects(record, schema);
                    rejected = if rejects { part_of(record, schema) } else { None };
                    rejects
                };
                let early: Option<&mut Rejects<'_>> = if stream.holds_records() { None } else { Some(&mut rejects) };
                decode(stream, offset, frame, &mut before, &occurrences, early, |activity, _| decoded.push(activity));
                if let Some(request) = rejected {
                    gathered.parts.reject(request, at);
                }
                for activity in decoded.drain(..) {
                    test.gather(stream, frame, at, activity, &mut gathered);
                }
            });
            if let Err(error) = read {
                shared.cut_off(&stream.path, &error);
            }
            parts.take(gathered.parts);
            gathered.matches
        })
        .collect();
    job.check().map_err(|reason| reason.error(&shared.name, "read history"))?;
    let mut matches = matches.concat();
    matches.extend(test.join(&streams, parts));
    // A failure that is logged in two files is one activity in two places.
    matches.sort_unstable_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
    matches.dedup_by(|later, earlier| {
        let same = later.id == earlier.id;
        if same {
            earlier.lines = Lines::Many([earlier.lines.list(), later.lines.list()].concat());
        }
        same
    });
    // Within one time the order is that of the file; an older file comes first.
    matches.sort_by_key(|found| (found.time, found.order()));
    if query.newest_first {
        matches.reverse();
    }
    Ok(ScanResult { key, streams, matches })
}

impl Lines {
    fn list(&self) -> &[KeptLine] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

struct Test<'a> {
    shared: &'a FileContext,
    query: &'a PageQuery,
    predicate: &'a Predicate,
}

impl Test<'_> {
    fn keeps(&self, activity: &Activity, payload: impl FnOnce() -> Payload) -> bool {
        let at = activity.started_at;
        if self.query.since.is_some_and(|since| at < since) || self.query.until.is_some_and(|until| at >= until) {
            return false;
        }
        let names = &self.shared.names;
        match self.predicate.test(&NamedRecord { activity, names, payload: None }) {
            Truth::Yes => true,
            Truth::No => false,
            Truth::NeedsPayload => self.predicate.keeps(&NamedRecord { activity, names, payload: Some(&payload()) }),
        }
    }

    fn gather(&self, stream: &Stream, line: &[u8], at: LineRef, activity: Activity, into: &mut ScanBuffer) {
        let load = || payload::of_frame(self.shared, stream, stream.origin.file, line, &activity.id, at.offset);
        let kept = self.keeps(&activity, load);
        let held = |activity: &Activity| stream.holds_records().then(|| Box::new(activity.clone()));
        if activity.part {
            let request = request_hash(&activity.request_id.as_ref().unwrap_or(&activity.id).to_string());
            let held = held(&activity);
            let own = if is_scoped(&activity) { of_run(&activity.id, activity.started_at) } else { activity.id };
            let kept = kept.then_some((activity.started_at, own));
            if held.is_some() || kept.is_some() {
                into.parts.keep(request, Part { line: KeptLine { at, held }, kept });
            } else {
                into.parts.reject(request, at);
            }
        } else if kept {
            let line = KeptLine { at, held: held(&activity) };
            into.matches.push(Match { time: activity.started_at, id: activity.id, lines: Lines::One(line) });
        }
    }

    /// Joins the lines of one request. A request with one line has already been tested; the others are read again.
    fn join(&self, streams: &[Stream], parts: Parts) -> Vec<Match> {
        parts.requests(|request| match request {
            [only] => {
                let kept = only.kept.clone().into_iter();
                kept.map(|(time, id)| Match { time, id, lines: Lines::One(only.line.clone()) }).collect()
            }
            several => {
                let lines: Vec<KeptLine> = several.iter().map(|part| part.line.clone()).collect();
                self.joined(streams, &lines)
            }
        })
    }

    fn joined(&self, streams: &[Stream], group: &[KeptLine]) -> Vec<Match> {
        // Separates ids whose hashes collide.
        let mut by_id: HashMap<Id, Vec<(Activity, KeptLine)>> = HashMap::new();
        for part in group {
            let Some(activity) = read_again(streams, part, None) else { continue };
            by_id.entry(activity.id.clone()).or_default().push((activity, part.clone()));
        }
        by_id
            .into_values()
            .flat_map(|parts| if parts.iter().all(|(part, _)| is_scoped(part)) { divide(parts) } else { vec![parts] })
            .filter_map(|parts| {
                let (parts, lines): (Vec<Activity>, Vec<KeptLine>) = parts.into_iter().unzip();
                let scoped = parts.first().is_some_and(is_scoped);
                let mut parts = parts.into_iter();
                let mut whole = parts.next()?;
                parts.for_each(|part| whole.merge(part));
                if scoped {
                    whole.id = of_run(&whole.id, whole.started_at);
                }
                Some((whole, lines))
            })
            .filter(|(activity, lines)| {
                self.keeps(activity, || payload_of_lines(self.shared, streams, &activity.id, lines))
            })
            .map(|(activity, lines)| Match { time: activity.started_at, id: activity.id, lines: Lines::Many(lines) })
            .collect()
    }
}

/// The activity of a line; where the line holds several, the one with the id.
fn read_again(streams: &[Stream], line: &KeptLine, id: Option<&Id>) -> Option<Activity> {
    if let Some(held) = &line.held {
        return Some((**held).clone());
    }
    let stream = &streams[line.at.stream as usize];
    let bytes = stream.frame_at(line.at.offset, line.at.length).ok()?;
    let mut out = Vec::new();
    let mut before = Before::nothing(stream);
    decode(stream, line.at.offset, &bytes, &mut before, &Occurrences::default(), None, |activity, _| {
        out.push(activity);
    });
    let index = id.and_then(|id| out.iter().position(|activity| activity.id == *id)).unwrap_or(0);
    (index < out.len()).then(|| out.swap_remove(index))
}

fn payload_of_lines(shared: &FileContext, streams: &[Stream], id: &Id, lines: &[KeptLine]) -> Payload {
    let mut payload = Payload::default();
    for line in lines.iter().map(|line| line.at) {
        let stream = &streams[line.stream as usize];
        if let Ok(bytes) = stream.frame_at(line.offset, line.length) {
            payload.merge(payload::of_frame(shared, stream, stream.origin.file, &bytes, id, line.offset));
        }
    }
    payload
}

pub(super) fn page(
    shared: &FileContext,
    cache: &mut Option<ScanResult>,
    query: &PageQuery,
    after: Option<&Cursor>,
    job: &Job,
) -> Result<Page, SourceError> {
    let key = format!("{:?}", (query.filter.text(), query.context.now, query.since, query.until, query.newest_first));
    if after.is_none() || cache.as_ref().is_none_or(|found| found.key != key) {
        *cache = Some(scan(shared, query, key, job)?);
    }
    let Some(found) = cache else { return Ok(Page { items: Vec::new(), next: None, push_down: PushDown::default() }) };
    let start = after.map_or(0, |cursor| {
        let (last, id) = (Timestamp(cursor.time_us), Id::parse(&cursor.id));
        let before = |m: &Match| if query.newest_first { m.time > last } else { m.time < last };
        let first = found.matches.partition_point(before);
        let same = found.matches[first..].iter().take_while(|m| m.time == last);
        same.enumerate().find(|(_, m)| m.id == id).map_or(first, |(index, _)| first + index + 1)
    });
    let end = found.matches.len().min(start.saturating_add(query.limit));
    let items: Vec<Activity> = found.matches[start..end]
        .par_iter()
        .filter_map(|m| {
            let mut parts = m.lines.list().iter().filter_map(|line| read_again(&found.streams, line, Some(&m.id)));
            let mut whole = parts.next()?;
            parts.for_each(|part| whole.merge(part));
            whole.id = m.id.clone();
            whole.started_at = m.time;
            Some(whole)
        })
        .collect();
    let next = if end < found.matches.len() { items.last().map(Cursor::after) } else { None };
    let here = query.filter.clauses().len();
    if next.is_none() {
        *cache = None;
    }
    Ok(Page { items, next, push_down: PushDown { in_store: 0, local: here } })
}
