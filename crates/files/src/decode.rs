//! Decodes one frame into the activities it holds. A record that cannot be read becomes a visible item, never an error.

use super::origin::stable_hash;
use super::runs;
use super::stream::Stream;
use crosstail_core::model::{Activity, Id, Level, Locator, Place, Timestamp};
use crosstail_core::number::saturating_u32;
use crosstail_core::schema::{Assembler, Schema, Target};
use crosstail_formats::{Columns, Found, Surrounding};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};

/// Counts each error line in each family of files: the n-th copy in `error.log` is the n-th in `combined.log`.
#[derive(Debug, Default)]
pub(crate) struct Occurrences(Mutex<HashMap<(u64, u64), u64>>);

impl Occurrences {
    fn next(&self, family: u64, line: u64) -> u64 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((family, line)).or_insert(0);
        *count += 1;
        *count - 1
    }
}

/// What earlier records of a stream say about the next one.
#[derive(Debug)]
pub(super) struct Before {
    /// The time of the last record, for records without one.
    pub(super) carry: Timestamp,
    /// The columns of the last header of a table.
    pub(super) columns: Option<Columns>,
    /// The records with the time of the last one, where their content tells them: hash and offset.
    alike: Vec<(u64, u64)>,
    of: Option<Timestamp>,
    /// Which copies the last failures are, by their places: a record that grows stays the one it is.
    copies: VecDeque<((Id, Option<usize>), Id)>,
}

/// Failures that may be open at once.
const OPEN_COPIES: usize = 64;

impl Before {
    /// At a place of a stream of which nothing is known.
    pub(super) fn nothing(stream: &Stream) -> Self {
        Self { carry: stream.written_at(), columns: None, alike: Vec::new(), of: None, copies: VecDeque::new() }
    }
}

/// Rejects records before they are built.
pub(super) type Rejects<'r> = dyn FnMut(&Assembler<'_>, &Schema) -> bool + 'r;

/// Hash of a request id, for joining parts.
pub(super) fn request_hash(text: &str) -> u64 {
    foldhash::fast::FixedState::default().hash_one(text)
}

/// Where the text of a record begins, and how long it is: while both stay, nothing was added to it.
pub(super) type Extent = (u64, usize);

/// Decodes the frame at `offset`; gives each activity with where its own text is, where that is known.
pub(super) fn decode(
    stream: &Stream,
    offset: u64,
    frame: &[u8],
    before: &mut Before,
    occurrences: &Occurrences,
    rejects: Option<&mut Rejects<'_>>,
    mut each: impl FnMut(Activity, Option<Extent>),
) {
    let mut found = Vec::new();
    read(stream, offset, frame, before, rejects, &mut found);
    for found in found {
        let extent = found.length.map(|length| (offset + found.line.unwrap_or_default() as u64, length));
        let scoped = runs::scoped(stream, &found);
        let mut activity = found.activity;
        activity.id = scoped.unwrap_or(activity.id);
        let at = activity.started_at;
        if activity.exact_start || activity.completed_at.is_some() {
            before.carry = activity.completed_at.filter(|_| activity.part).unwrap_or(activity.started_at);
        }
        let fails = activity.level.is_some_and(Level::is_failure);
        if stream.origin.has_copies && !activity.part && fails {
            activity.id = before.copy((activity.id.clone(), found.line), || {
                let hash = stable_hash(&[frame]);
                Id::Line { file: hash, offset: occurrences.next(stream.origin.family, hash) }
            });
        }
        if stream.origin.told_by_content
            && let Id::Line { offset: own, .. } = activity.id
        {
            // Where writers take turns a record is told by its own line: the next time others may stand around it.
            let (index, line) = match found.line {
                Some(line) => (0, line),
                None => (own.saturating_sub(offset).min(RECORDS_OF_A_FRAME - 1), 0),
            };
            let (hash, number) = before.content(at, offset + line as u64, frame.get(line..).unwrap_or_default());
            activity.id = Id::Line { file: hash, offset: number * RECORDS_OF_A_FRAME + index };
        }
        each(activity, extent);
    }
}

/// How many records of one frame have ids of their own where content tells them.
pub(super) const RECORDS_OF_A_FRAME: u64 = 4096;

impl Before {
    /// What tells a record by its content: the hash of its first line, which stays as it is when the record grows, and how
    /// many such lines with the same time stand before it.
    fn content(&mut self, at: Timestamp, offset: u64, frame: &[u8]) -> (u64, u64) {
        if self.of != Some(at) {
            (self.of, self.alike) = (Some(at), Vec::new());
        }
        let end = memchr::memchr(b'\n', frame).unwrap_or(frame.len());
        let hash = stable_hash(&[&frame[..end]]);
        let number = self.alike.iter().filter(|(other, place)| *other == hash && *place < offset).count();
        if !self.alike.contains(&(hash, offset)) {
            self.alike.push((hash, offset));
        }
        (hash, number as u64)
    }

    /// Which copy of its text the failure at a place is.
    fn copy(&mut self, place: (Id, Option<usize>), counted: impl FnOnce() -> Id) -> Id {
        if let Some((_, known)) = self.copies.iter().find(|(other, _)| *other == place) {
            return known.clone();
        }
        if self.copies.len() == OPEN_COPIES {
            self.copies.pop_front();
        }
        let id = counted();
        self.copies.push_back((place, id.clone()));
        id
    }
}

/// Reads the frame at `offset`; returns how each record was read.
pub(super) fn read(
    stream: &Stream,
    offset: u64,
    frame: &[u8],
    before: &mut Before,
    rejects: Option<&mut Rejects<'_>>,
    found: &mut Vec<Found>,
) {
    let at = surrounding(stream, offset, frame, before.carry);
    match rejects {
        Some(rejects) => stream.reader.read(frame, &at, &mut before.columns, Some(rejects), found),
        None => stream.reader.read(frame, &at, &mut before.columns, None, found),
    }
}

/// Where a frame stands and what completes its times.
pub(super) fn surrounding(stream: &Stream, offset: u64, frame: &[u8], carry: Timestamp) -> Surrounding<'static> {
    let origin = &stream.origin;
    let locator = Locator::Line { file: origin.file, offset, length: saturating_u32(frame.len()) };
    let id = Id::Line { file: origin.fingerprint, offset };
    let carry = stream.time_without_one(offset, carry);
    Surrounding::new(id, Place::new(origin.source, locator), carry, stream.around(offset))
}

/// The request id of a part that a test rejected.
pub(super) fn part_of(record: &Assembler<'_>, schema: &Schema) -> Option<u64> {
    let part = schema.is_phase(record);
    record.raw(Target::RequestId).filter(|_| part).map(|id| request_hash(&id))
}
