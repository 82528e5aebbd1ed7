//! A file that is followed: how much of it has been read, and what has been delivered of the record that is open.

use super::decode::{Before, Extent, Occurrences, decode};
use super::stream::Stream;
use crosstail_core::model::Activity;
use crosstail_core::number::saturating_usize;
use crosstail_formats::Frames;
use std::collections::HashSet;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

/// How long a record stays open before it is shown, and an unfinished line of JSON, which is nothing until it is whole.
const OPEN: Duration = Duration::from_millis(120);
const OPEN_JSON: Duration = Duration::from_secs(2);
/// What is open and longer is not shown again each time that it grows, in bytes.
const OFTEN_BYTES: u64 = 256 * 1024;
/// How far before the place where following begins its open record is looked for, in bytes.
const LOOK_BACK: u64 = 32 * 1024;

/// A file being followed.
pub(super) struct Tail {
    pub(super) stream: Stream,
    /// Bytes read.
    pub(super) offset: u64,
    /// What has been read of the open record.
    pub(super) frames: Frames,
    before: Before,
    /// The end of what has been delivered of the open record.
    pub(super) shown: u64,
    /// Which texts of it have been delivered: where several writers take turns, one goes on while others stay as they are.
    delivered: HashSet<Extent>,
    /// When the last bytes came.
    pub(super) last_bytes: Instant,
    pub(super) seen_length: u64,
    /// When its last path disappeared.
    pub(super) orphaned: Option<Instant>,
}

impl Tail {
    pub(super) fn new(stream: Stream, offset: u64) -> Self {
        let before = Before::nothing(&stream);
        let frames = Frames::from(offset);
        let mut tail = Self {
            stream,
            offset,
            frames,
            before,
            shown: offset,
            delivered: HashSet::new(),
            last_bytes: Instant::now(),
            seen_length: 0,
            orphaned: None,
        };
        tail.begin_at(offset);
        tail
    }

    /// Continues at an offset. What was open there, and is delivered already, may go on.
    pub(super) fn begin_at(&mut self, offset: u64) {
        (self.offset, self.shown, self.frames) = (offset, offset, Frames::from(offset));
        self.before = Before::nothing(&self.stream);
        self.delivered.clear();
        if offset == 0 || offset == u64::MAX || self.stream.is_sequential() || self.stream.reader.only_json() {
            return;
        }
        let base = offset.saturating_sub(LOOK_BACK);
        let mut bytes = vec![0; saturating_usize(offset - base)];
        if self.stream.file.read_exact_at(&mut bytes, base).is_err() {
            return;
        }
        let skipped = if base == 0 { 0 } else { memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |found| found + 1) };
        let mut frames = Frames::from(base + skipped as u64);
        let Self { stream, before, delivered, .. } = self;
        let occurrences = Occurrences::default();
        frames.push(&stream.reader, &bytes[skipped..], |at, frame| {
            decode(stream, at, frame, before, &occurrences, None, |_, _| {});
        });
        for (at, frame) in frames.open(&stream.reader) {
            decode(stream, at, frame, before, &occurrences, None, |_, extent| delivered.extend(extent));
        }
        self.frames = frames;
    }

    /// Whether what is open has waited long enough for more.
    pub(super) fn waits_long_enough(&self) -> bool {
        if self.shown >= self.offset {
            return false;
        }
        // A record that goes on and on is read again from its beginning only where it has doubled, or at its end.
        let (all, shown) = (self.offset - self.frames.start(), self.shown.saturating_sub(self.frames.start()));
        if all > OFTEN_BYTES && all < shown.saturating_mul(2) {
            return false;
        }
        let json = self.frames.has_partial_line()
            && self.frames.open(&self.stream.reader).last().is_some_and(|(_, open)| open.starts_with(b"{"));
        self.last_bytes.elapsed() >= if json { OPEN_JSON } else { OPEN }
    }

    /// Takes the next bytes; returns the records that they complete, and that were not delivered as they are.
    pub(super) fn take(&mut self, bytes: &[u8], occurrences: &Occurrences) -> Vec<Activity> {
        let mut all = Vec::new();
        let Self { stream, frames, before, shown, delivered, .. } = self;
        frames.push(&stream.reader, bytes, |offset, frame| {
            if offset + frame.len() as u64 > *shown {
                decode(stream, offset, frame, before, occurrences, None, |activity, extent| {
                    all.extend(is_new(delivered, extent).then_some(activity));
                });
            }
        });
        if frames.start() >= *shown {
            delivered.clear();
        }
        self.offset += bytes.len() as u64;
        self.last_bytes = Instant::now();
        all
    }

    /// The open record as it is now, unless it was delivered so. It is delivered again, in its place, where it grows.
    pub(super) fn open(&mut self, occurrences: &Occurrences) -> Vec<Activity> {
        let mut all = Vec::new();
        let Self { stream, frames, before, shown, delivered, .. } = self;
        for (offset, frame) in frames.open(&stream.reader) {
            if offset + frame.len() as u64 > *shown {
                let mut extents = Vec::new();
                decode(stream, offset, frame, before, occurrences, None, |activity, extent| {
                    all.extend(is_new(delivered, extent).then_some(activity));
                    extents.extend(extent);
                });
                delivered.extend(extents);
            }
        }
        self.shown = self.offset;
        all
    }

    /// What is open and will not go on, unless it was delivered.
    pub(super) fn finish(&mut self, occurrences: &Occurrences) -> Vec<Activity> {
        let all = if self.shown < self.offset { self.open(occurrences) } else { Vec::new() };
        let Self { stream, frames, .. } = self;
        frames.finish(&stream.reader, |_, _| {});
        self.delivered.clear();
        all
    }
}

fn is_new(delivered: &HashSet<Extent>, extent: Option<Extent>) -> bool {
    extent.is_none_or(|extent| !delivered.contains(&extent))
}
