//! One open file: its identity, its length and the reader of its records.

use super::decode::surrounding;
use super::fed::Arrivals;
use super::origin::{LineOrigin, stable_hash};
use super::packed::{self, Packing};
use super::turns::{self, Turns};
use super::{FileContext, discover};
use crosstail_core::model::{Surroundings, Timestamp, Tz};
use crosstail_core::number::saturating_usize;
use crosstail_formats::{Frames, Reader, Shape, without_nuls};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Bytes that the fingerprint covers at most.
const FINGERPRINT_BYTES: usize = 1024;
/// Bytes read to recognise the formats.
const HEAD_BYTES: usize = 64 * 1024;
/// A file is read so far to find where its text begins.
const HOLE_BYTES: u64 = 1 << 30;
/// Bytes in which the first time is looked for at once.
const PIECE_BYTES: usize = 4096;

/// A file of the source, opened for reading.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) packing: Packing,
    /// Fingerprint: hash of its family's name and its first line. `None` until that line is complete.
    pub(super) fingerprint: Option<u64>,
    /// Hash and length of the beginning by which it was identified.
    begins_with: Option<(u64, usize)>,
    pub(super) origin: LineOrigin,
    pub(super) reader: Arc<Reader>,
    turns: Turns,
    /// The first record with a time and where it is, where others stand before it: theirs is not later.
    first_time: Option<(u64, Timestamp)>,
    /// The zone of times that name none.
    zone: Option<Tz>,
    /// When its lines came, where a program wrote them for the source.
    arrivals: Option<Arc<Arrivals>>,
    /// Length in bytes when it was opened; for a compressed file the compressed length.
    pub(super) length: u64,
    pub(super) modified: SystemTime,
    pub(super) device_inode: (u64, u64),
    /// Whether the fingerprint is that of this path alone, because another file begins alike.
    pub(super) told_by_path: bool,
}

impl Stream {
    /// Opens a file; `None` where the path is not a regular file.
    pub(super) fn open(shared: &FileContext, path: &Path) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Ok(None);
        }
        let family = match &shared.spooled {
            None => stable_hash(&[discover::family(path).as_bytes()]),
            // Where it is from tells it, not where it is kept: two hosts may have the same lines.
            Some(spooled) => {
                let shown = PathBuf::from((spooled.name_of)(path));
                let folder = shown.parent().unwrap_or(Path::new("")).as_os_str().as_encoded_bytes();
                stable_hash(&[folder, discover::family(&shown).as_bytes()])
            }
        };
        let origin = LineOrigin {
            source: shared.id,
            file: shared.place_of(path),
            fingerprint: 0,
            family,
            has_copies: false,
            told_by_content: shared.spooled.as_ref().is_some_and(|spooled| spooled.told_by_content),
        };
        let mut stream = Self {
            path: path.to_owned(),
            file,
            packing: Packing::None,
            fingerprint: None,
            begins_with: None,
            origin,
            reader: Arc::new(Reader::of(&shared.formats, shared.schema.clone(), &[])),
            turns: Turns::default(),
            first_time: None,
            zone: shared.zone,
            arrivals: shared.spooled.as_ref().map(|spooled| (spooled.arrivals_of)(path)),
            length: meta.len(),
            modified: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            device_inode: (meta.dev(), meta.ino()),
            told_by_path: false,
        };
        stream.identify(shared)?;
        Ok(Some(stream))
    }

    /// Reads the beginning again and updates the fingerprint and the formats.
    pub(super) fn identify(&mut self, shared: &FileContext) -> io::Result<()> {
        self.packing = packed::packing(&self.file)?;
        let head = self.head()?;
        self.begins_with = fingerprint(self.origin.family, &head);
        self.fingerprint = self.begins_with.map(|(hash, _)| hash);
        if self.told_by_path {
            self.tell_by_path();
        }
        self.origin.fingerprint = self.fingerprint.unwrap_or(0);
        let reader = Reader::of(&shared.formats, shared.schema.clone(), &head);
        self.reader = Arc::new(reader.written_at(self.written_at()));
        self.turns = if self.reader.guesses_dates() { self.turns().unwrap_or_default() } else { Turns::default() };
        self.first_time = self.first_time_in(&head);
        Ok(())
    }

    /// The first record of the beginning that has a time, and where it is, unless it is the very first.
    fn first_time_in(&self, head: &[u8]) -> Option<(u64, Timestamp)> {
        if self.reader.only_json() {
            return None;
        }
        let first = Cell::new(None);
        let (mut frames, mut columns) = (Frames::default(), None);
        let mut each = |offset, frame: &[u8]| {
            if first.get().is_none() {
                let at = surrounding(self, offset, frame, self.written_at());
                let mut found = Vec::new();
                self.reader.read(frame, &at, &mut columns, None, &mut found);
                let timed = found.iter().find(|found| found.activity.exact_start);
                first.set(timed.map(|found| (offset, found.activity.started_at)));
            }
        };
        for piece in head.chunks(PIECE_BYTES) {
            frames.push(&self.reader, piece, &mut each);
            if first.get().is_some() {
                break;
            }
        }
        if first.get().is_none() {
            frames.finish(&self.reader, &mut each);
        }
        first.get().filter(|(offset, _)| *offset > 0)
    }

    /// Tells the file from another one that begins alike, by its place.
    pub(super) fn tell_by_path(&mut self) {
        self.told_by_path = true;
        let folder = self.path.parent().and_then(Path::file_name).unwrap_or_default();
        let base = discover::family(&self.path);
        let print = self
            .fingerprint
            .map(|print| stable_hash(&[&print.to_le_bytes(), folder.as_encoded_bytes(), base.as_bytes()]));
        self.fingerprint = print;
        self.origin.fingerprint = print.unwrap_or(0);
    }

    /// Whether the content still begins as it did when the file was identified. More content behind that changes nothing.
    pub(super) fn begins_as_before(&self) -> io::Result<bool> {
        let Some((hash, length)) = self.begins_with else { return Ok(true) };
        let head = self.head()?;
        Ok(head.get(..length).is_some_and(|beginning| hash_of(self.origin.family, beginning) == hash))
    }

    /// The first bytes of the text, behind the hole that it may begin with.
    pub(super) fn head(&self) -> io::Result<Vec<u8>> {
        let mut text = self.text()?.take(HOLE_BYTES);
        let mut head = Vec::new();
        loop {
            let before = head.len();
            match text.by_ref().take((HEAD_BYTES - before) as u64).read_to_end(&mut head) {
                // What could be read of a file that was cut is its head.
                Err(error) if head.is_empty() => return Err(error),
                Err(_) => return Ok(head),
                Ok(_) => {}
            }
            let ended = head.len() < HEAD_BYTES;
            let hole = head.len() - without_nuls(&head).len();
            head.drain(..hole);
            if ended || hole == 0 {
                return Ok(head);
            }
        }
    }

    /// A reader of the text in UTF-8, from the beginning.
    pub(super) fn text(&self) -> io::Result<Box<dyn Read + Send>> {
        if self.packing.is_sequential() {
            let file = File::open(&self.path).or_else(|_| self.file.try_clone())?;
            return packed::unpack(file);
        }
        Ok(Box::new(At { file: self.file.try_clone()?, at: 0 }))
    }

    /// Whether records are found only by reading from the beginning.
    pub(super) fn is_sequential(&self) -> bool {
        self.packing.is_sequential() || self.reader.shape() != Shape::Lines
    }

    /// Whether a record is kept because reading it again would mean reading the file from its beginning.
    pub(super) fn holds_records(&self) -> bool {
        self.packing.is_sequential() || self.reader.shape() == Shape::Table
    }

    /// Where the date turns. A file that is too large is not read for this; its times are the latest possible ones.
    fn turns(&self) -> io::Result<Turns> {
        if self.length > turns::MAX_BYTES {
            return Ok(Turns::default());
        }
        Turns::of(self.text()?, self.written_at(), &self.reader)
    }

    /// When the file was last written: the time of lines that have none.
    pub(super) fn written_at(&self) -> Timestamp {
        let us = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        match self.modified.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => Timestamp(us(since)),
            Err(before) => Timestamp(-us(before.duration())),
        }
    }

    /// When the line at an offset came, where that is known.
    fn arrived(&self, offset: u64) -> Option<Timestamp> {
        self.arrivals.as_ref()?.at(offset)
    }

    /// The time of a record at an offset that has none: when it came, that of the first record with a time where it stands
    /// before it, otherwise the last record's.
    pub(super) fn time_without_one(&self, offset: u64, last: Timestamp) -> Timestamp {
        let before_all = || self.first_time.filter(|(first, _)| offset < *first).map(|(_, time)| time);
        self.arrived(offset).or_else(before_all).unwrap_or(last)
    }

    /// What completes a time without a year or a date at an offset.
    pub(super) fn around(&self, offset: u64) -> Surroundings {
        let latest = self.arrived(offset).or_else(|| self.turns.latest(offset)).unwrap_or_else(|| self.written_at());
        Surroundings { zone: self.zone, ..Surroundings::before(latest) }
    }

    /// The offset after the last newline before `end`.
    pub(super) fn last_newline(&self, end: u64) -> io::Result<u64> {
        let mut buffer = vec![0; 64 * 1024];
        let mut upto = end;
        while upto > 0 {
            let from = upto.saturating_sub(buffer.len() as u64);
            let slice = &mut buffer[..saturating_usize(upto - from)];
            self.file.read_exact_at(slice, from)?;
            if let Some(found) = memchr::memrchr(b'\n', slice) {
                return Ok(from + found as u64 + 1);
            }
            upto = from;
        }
        Ok(0)
    }

    /// The bytes of a frame that starts at `offset`.
    pub(super) fn frame_at(&self, offset: u64, length: u32) -> io::Result<Vec<u8>> {
        if self.packing.is_sequential() {
            let mut reader = self.text()?;
            io::copy(&mut (&mut reader).take(offset), &mut io::sink())?;
            let mut frame = Vec::new();
            reader.take(u64::from(length)).read_to_end(&mut frame)?;
            return Ok(frame);
        }
        let mut frame = vec![0; length as usize];
        self.file.read_exact_at(&mut frame, offset)?;
        Ok(frame)
    }
}

/// Reads a file without moving the position that its handles share.
struct At {
    file: File,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Hash of the beginning up to the end of the first line that looks dated (eight digits), so that files with the same
/// banner differ, and how many bytes that is; the first line alone where none of the first [`FINGERPRINT_BYTES`] does.
fn fingerprint(family: u64, head: &[u8]) -> Option<(u64, usize)> {
    let head = &head[..head.len().min(FINGERPRINT_BYTES)];
    let mut first = None;
    let mut dated = None;
    let mut start = 0;
    while let Some(found) = memchr::memchr(b'\n', &head[start..]) {
        let line = &head[start..start + found];
        first = first.or(Some(start + found).filter(|_| !line.trim_ascii().is_empty()));
        if line.iter().filter(|b| b.is_ascii_digit()).count() >= 8 {
            dated = Some(start + found);
            break;
        }
        start += found + 1;
    }
    let end = dated.or(first).or((head.len() >= FINGERPRINT_BYTES).then_some(FINGERPRINT_BYTES))?;
    Some((hash_of(family, &head[..end]), end))
}

fn hash_of(family: u64, beginning: &[u8]) -> u64 {
    stable_hash(&[&family.to_le_bytes(), beginning])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_first_dated_line() {
        let print = |text: &str| fingerprint(1, text.as_bytes());
        assert_eq!(print("no newline"), None);
        let banner = print("=== opened ===\n2024-05-06 one\n");
        assert_eq!(banner, print("=== opened ===\n2024-05-06 one\n2024-05-06 two\n"));
        assert_ne!(banner, print("=== opened ===\n2024-05-07 one\n"));
        // Lines without a date: what comes behind the first one changes nothing.
        let short = print("07:08:00 INFO one\n");
        for more in ["07:08:01 INFO two\n", "07:08:01 INFO two\n07:08:02 INFO three\n"] {
            assert_eq!(short, print(&format!("07:08:00 INFO one\n{more}")));
        }
    }
}
