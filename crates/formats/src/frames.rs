//! Divides a stream that is read from its beginning into frames: the bytes of a record, or of several in one line.

use crate::decoding::without_nuls;
use crate::documents::Documents;
use crate::framing::Framer;
use crate::reader::{Reader, Shape};

/// A longer line is cut, in bytes.
const LINE_BYTES: usize = 64 << 20;

/// Collects the bytes of a stream until they are a frame.
#[derive(Debug, Default)]
pub struct Frames {
    framer: Framer,
    documents: Documents,
    /// The open frame, and behind it a line without its newline.
    held: Vec<u8>,
    /// Where `held` begins in the stream.
    start: u64,
    /// How much of `held` is lines of the open frame.
    lines: usize,
    /// How much of `held` has been searched for a newline.
    searched: usize,
}

impl Frames {
    /// Frames of a stream that is read from an offset at which a record begins.
    pub fn from(offset: u64) -> Self {
        Self { start: offset, ..Self::default() }
    }

    /// Takes the next bytes and calls `each(offset, frame)` for every frame that they complete.
    pub fn push(&mut self, reader: &Reader, bytes: &[u8], mut each: impl FnMut(u64, &[u8])) {
        self.held.extend_from_slice(bytes);
        if reader.shape() == Shape::Documents {
            self.push_documents(bytes, each);
            return;
        }
        let mut used = 0;
        while let Some(found) = memchr::memchr(b'\n', &self.held[self.searched..]) {
            let (from, to) = (used + self.lines, self.searched + found);
            let begins = self.framer.begins(reader, &self.held[from..to]);
            if begins && self.lines > 0 {
                given(self.start + used as u64, &self.held[used..from], &mut each);
                used = from;
            }
            self.lines = to + 1 - used;
            self.searched = to + 1;
            if !self.framer.is_open() {
                given(self.start + used as u64, &self.held[used..=to], &mut each);
                used = to + 1;
                self.lines = 0;
            }
        }
        self.searched = self.held.len();
        if self.held.len() - used > LINE_BYTES {
            given(self.start + used as u64, &self.held[used..], &mut each);
            used = self.held.len();
            self.lines = 0;
        }
        self.release(used);
    }

    fn push_documents(&mut self, bytes: &[u8], mut each: impl FnMut(u64, &[u8])) {
        let base = self.start;
        let held = &self.held;
        let index = |offset: u64| usize::try_from(offset - base).unwrap_or(usize::MAX).min(held.len());
        self.documents.push(bytes, |start, end| each(start, trimmed(&held[index(start)..index(end)])));
        let used = self.documents.open().map_or(held.len(), index);
        self.release(used);
    }

    fn release(&mut self, used: usize) {
        self.held.drain(..used);
        self.start += used as u64;
        self.searched = self.held.len();
    }

    /// What is open, each with where it begins: the record that may go on, and a last line without its newline that begins
    /// another one.
    pub fn open(&self, reader: &Reader) -> Vec<(u64, &[u8])> {
        let (lines, last) = self.held.split_at(self.lines.min(self.held.len()));
        let apart = reader.shape() != Shape::Documents
            && !lines.is_empty()
            && !last.is_empty()
            && self.framer.clone().begins(reader, last);
        let parts = if apart { vec![(0, lines), (lines.len(), last)] } else { vec![(0, self.held.as_slice())] };
        let filled = parts.into_iter().filter(|(_, bytes)| !bytes.iter().all(u8::is_ascii_whitespace));
        filled.map(|(at, bytes)| placed(self.start + at as u64, bytes)).filter(|(_, bytes)| !bytes.is_empty()).collect()
    }

    /// Whether the last line has no newline yet.
    pub const fn has_partial_line(&self) -> bool {
        self.held.len() > self.lines
    }

    /// Where the open record began, or the next one begins.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// Where the last complete line ends.
    pub const fn lines_end(&self) -> u64 {
        self.start + self.lines as u64
    }

    /// Gives out what is open: nothing follows.
    pub fn finish(&mut self, reader: &Reader, mut each: impl FnMut(u64, &[u8])) {
        for (start, bytes) in self.open(reader) {
            each(start, bytes);
        }
        let used = self.held.len();
        self.lines = 0;
        self.release(used);
    }
}

/// Gives out a frame.
fn given(start: u64, frame: &[u8], each: &mut impl FnMut(u64, &[u8])) {
    let (start, frame) = placed(start, frame);
    each(start, frame);
}

/// Where a frame begins behind a hole of NULs, and what it holds without it and without the newlines at its end.
fn placed(start: u64, frame: &[u8]) -> (u64, &[u8]) {
    let filled = without_nuls(frame);
    (start + (frame.len() - filled.len()) as u64, trimmed(filled))
}

/// The frame without the newlines at its end.
fn trimmed(frame: &[u8]) -> &[u8] {
    let end = frame.iter().rposition(|b| !matches!(b, b'\n' | b'\r')).map_or(0, |at| at + 1);
    &frame[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Formats;
    use proptest::prelude::*;

    fn frames(text: &str, size: usize) -> Vec<(u64, String)> {
        static FORMATS: std::sync::LazyLock<std::sync::Arc<Formats>> =
            std::sync::LazyLock::new(|| Formats::built_in().expect("formats"));
        let reader = Reader::of(&FORMATS, None, text.as_bytes());
        let (mut frames, mut found) = (Frames::default(), Vec::new());
        let mut keep = |at, bytes: &[u8]| found.push((at, String::from_utf8_lossy(bytes).into_owned()));
        for piece in text.as_bytes().chunks(size) {
            frames.push(&reader, piece, &mut keep);
        }
        frames.finish(&reader, &mut keep);
        found
    }

    #[test]
    fn records_are_whole_whatever_the_pieces() {
        let text = "2024-05-06 07:08:00 INFO a\n2024-05-06 07:08:01 ERROR b\njava.lang.X: no\n\tat a.b(C.java:1)\n\n2024-05-06 07:08:02 INFO c";
        let whole = frames(text, 1000);
        assert_eq!(whole.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 27, 90]);
        assert!(whole[1].1.ends_with("C.java:1)"));
        for size in 1..40 {
            assert_eq!(frames(text, size), whole);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_comes_twice(lines in prop::collection::vec("(\\{\"a\":1\\}|2024-05-06 07:08:00 INFO [a-z]{1,5}| at x|[a-z]{1,9})", 1..20), size in 1usize..50) {
            let text = lines.join("\n");
            let found = frames(&text, size);
            let mut at = 0;
            for (offset, frame) in &found {
                prop_assert!(*offset >= at);
                let from = usize::try_from(*offset).expect("small");
                prop_assert_eq!(&text[from..from + frame.len()], frame.as_str());
                prop_assert!(text[usize::try_from(at).expect("small")..from].trim().is_empty());
                at = offset + frame.len() as u64;
            }
            prop_assert!(text[usize::try_from(at).expect("small")..].trim().is_empty());
        }

        #[test]
        fn nothing_is_lost_where_json_goes_on_over_lines(
            lines in prop::collection::vec("(\\{|\\}|\\[|\\]|\"a\": 1,?|\"b\": \"x|\\{\"c\":1\\},?|[a-z\\{\\}]{1,9})", 0..20), size in 1usize..50
        ) {
            let text = format!("{{\n\"first\": 1\n}}\n{}", lines.join("\n"));
            let punctuation = |text: &str| text.chars().all(|c| c.is_whitespace() || "[],}".contains(c));
            let mut at = 0;
            for (offset, frame) in &frames(&text, size) {
                let from = usize::try_from(*offset).expect("small");
                prop_assert_eq!(&text[from..from + frame.len()], frame.as_str());
                prop_assert!(from >= at && punctuation(&text[at..from]));
                at = from + frame.len();
            }
            prop_assert!(punctuation(&text[at..]));
        }
    }
}
