//! Several writers that take turns in one frame.

use crate::decoding;
use crate::framing::Framer;
use crate::read::first_line;
use crate::reader::Reader;

impl Reader {
    /// The records of a frame in which several writers take turns, each with all its lines, and where the first of them is.
    pub(crate) fn divide(&self, text: &str) -> Option<Vec<(usize, String)>> {
        if !self.wraps() || memchr::memchr(b'\n', text.as_bytes()).is_none() {
            return None;
        }
        let mut framer = Framer::default();
        let mut parts: Vec<(usize, String)> = Vec::new();
        let mut at = 0;
        let mut base = 0;
        for line in text.split('\n') {
            let place = framer.place(self, line.as_bytes());
            base = if place.frame { parts.len() } else { base };
            match parts.get_mut(base + place.record) {
                Some((_, part)) => {
                    part.push('\n');
                    part.push_str(line);
                }
                None => parts.push((at, line.to_owned())),
            }
            at += line.len() + 1;
        }
        (parts.len() > 1).then_some(parts)
    }

    /// The same of a frame as it was read.
    pub(crate) fn parts(&self, text: &str) -> Option<Vec<(usize, String)>> {
        self.divide(text.trim_end_matches(['\r', '\n', '\0']))
    }

    /// The number of the record with a first line, in a frame in which several writers take turns.
    pub fn number_of(&self, bytes: &[u8], is: impl Fn(&[u8]) -> bool) -> Option<usize> {
        let text = decoding::text(bytes);
        let first = |part: &str| first_line(part).0.len();
        self.parts(&text)?.iter().position(|(_, part)| is(&part.as_bytes()[..first(part)]))
    }
}
