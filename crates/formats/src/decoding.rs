//! From bytes to text: UTF-8, Windows-1252 where it is none, and colours, which are no part of a text.

use memchr::memchr;
use std::borrow::Cow;
use std::sync::LazyLock;

/// A line without the NULs at its beginning: what a file holds where it was cut while a program went on writing at the
/// old place (`copytruncate`), or where a disk lost a block.
pub fn without_nuls(line: &[u8]) -> &[u8] {
    match line.first() {
        Some(0) => &line[line.iter().position(|b| *b != 0).unwrap_or(line.len())..],
        _ => line,
    }
}

/// The text of a record's bytes.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = without_nuls(bytes);
    let plain = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(error) => {
            // A record with valid characters beyond ASCII is UTF-8 with some bytes broken; another one is Latin-1.
            let utf8 = bytes[..error.valid_up_to()].iter().any(|b| !b.is_ascii());
            let lone = bytes.iter().filter(|b| !b.is_ascii()).all(|b| is_latin_letter(*b));
            if utf8 || !lone {
                String::from_utf8_lossy(bytes)
            } else {
                Cow::Owned(bytes.iter().map(|b| windows_1252(*b)).collect())
            }
        }
    };
    uncoloured(plain)
}

/// The text without the control sequences of terminals.
pub(crate) fn uncoloured(text: Cow<'_, str>) -> Cow<'_, str> {
    if memchr(0x1b, text.as_bytes()).is_none() {
        return text;
    }
    Cow::Owned(without_colours(&text))
}

/// Whether a byte is a letter or a sign that texts in Latin-1 and Windows-1252 use.
const fn is_latin_letter(byte: u8) -> bool {
    matches!(byte, 0x80 | 0x84 | 0x85 | 0x91..=0x97 | 0xa0..=0xfd)
}

/// A byte as Windows-1252 reads it (encoding.spec.whatwg.org/#windows-1252), which agrees with Latin-1 from 0xA0 on.
fn windows_1252(byte: u8) -> char {
    match byte {
        0x80 => '€',
        0x84 => '„',
        0x85 => '…',
        0x91 => '‘',
        0x92 => '’',
        0x93 => '“',
        0x94 => '”',
        0x95 => '•',
        0x96 => '–',
        0x97 => '—',
        other => char::from(other),
    }
}

/// Removes the control sequences of terminals (ECMA-48: CSI … final byte, OSC … BEL or ST).
fn without_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find('\u{1b}') {
        out.push_str(&rest[..found]);
        let after = &rest[found + 1..];
        let length = match after.as_bytes().first() {
            Some(b'[') => after[1..].bytes().position(|b| (0x40..=0x7e).contains(&b)).map(|end| end + 2),
            Some(b']') => after
                .find(['\u{7}', '\u{1b}'])
                .map(|end| if after[end..].starts_with('\u{7}') { end + 1 } else { end + 2 }),
            Some(b'(' | b')') => Some(2),
            _ => None,
        };
        rest = match length.and_then(|length| after.get(length..)) {
            Some(rest) => rest,
            None => {
                // An escape that begins no sequence stays, to be shown as what it is.
                out.push('\u{1b}');
                after
            }
        };
    }
    out.push_str(rest);
    out
}

/// Fewer bytes do not tell whether they are text.
const LEAST: usize = 32;
/// As many NULs in a row are no characters of any encoding.
const HOLE_BYTES: usize = 8;
static HOLE: LazyLock<memchr::memmem::Finder<'static>> =
    LazyLock::new(|| memchr::memmem::Finder::new(&[0; HOLE_BYTES]));

/// A text without its holes.
fn without_holes(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = HOLE.find(rest) {
        kept.extend_from_slice(&rest[..at]);
        rest = without_nuls(&rest[at..]);
    }
    kept.extend_from_slice(rest);
    kept
}

/// How the bytes of a file are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, or text whose records decide one by one.
    Bytes,
    /// UTF-16 with the less significant byte first.
    Utf16Le,
    /// UTF-16 with the more significant byte first.
    Utf16Be,
    /// Lines that end in CR alone.
    CarriageReturns,
    /// No text.
    Binary,
}

impl Encoding {
    /// Tells from the beginning of a file. Runs of NULs are a hole in a text; those of UTF-16 stand between its letters.
    pub fn of(head: &[u8]) -> Self {
        let filled = HOLE.find(head).is_some().then(|| without_holes(head));
        if head.len() >= LEAST && filled.as_ref().is_some_and(Vec::is_empty) {
            return Self::Binary;
        }
        let head = filled.as_deref().unwrap_or(head);
        match head {
            [0xff, 0xfe, ..] => return Self::Utf16Le,
            [0xfe, 0xff, ..] => return Self::Utf16Be,
            _ => {}
        }
        let sample = &head[..head.len().min(4096) & !1];
        let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|b| **b == 0).count();
        let half = sample.len() / 2;
        if half >= 8 && zeros(1) * 10 >= half * 8 && zeros(0) * 10 < half {
            return Self::Utf16Le;
        }
        if half >= 8 && zeros(0) * 10 >= half * 8 && zeros(1) * 10 < half {
            return Self::Utf16Be;
        }
        let control = |b: &&u8| **b < 0x20 && !matches!(**b, b'\n' | b'\r' | b'\t' | 0x1b | 0x1e | 0x0c | 0x08 | 0x07);
        let controls = sample.iter().filter(control).count();
        // Of bytes without any order a tenth is control characters, and few of the others are text in any encoding.
        let disorder = || String::from_utf8_lossy(sample).matches('\u{fffd}').count() * 10 > sample.len();
        if sample.len() >= LEAST && (controls * 10 > sample.len() || (controls * 25 > sample.len() && disorder())) {
            return Self::Binary;
        }
        if memchr(b'\r', head).is_some_and(|at| head.get(at + 1).is_some_and(|next| *next != b'\n'))
            && memchr(b'\n', head).is_none()
            || (head.last() == Some(&b'\r') && memchr(b'\n', head).is_none())
        {
            return Self::CarriageReturns;
        }
        Self::Bytes
    }
}

/// Turns the bytes of an encoding into UTF-8 with newlines, piece by piece.
#[derive(Debug)]
pub struct Transcoder {
    encoding: Encoding,
    /// A byte or a surrogate that waits for what belongs to it.
    held: Vec<u8>,
}

impl Transcoder {
    /// A transcoder at the beginning of a stream.
    pub const fn new(encoding: Encoding) -> Self {
        Self { encoding, held: Vec::new() }
    }

    /// Transcodes a piece and appends it.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let unit = match self.encoding {
            Encoding::Utf16Le => u16::from_le_bytes,
            Encoding::Utf16Be => u16::from_be_bytes,
            Encoding::CarriageReturns => {
                out.extend(piece.iter().map(|b| if *b == b'\r' { b'\n' } else { *b }));
                return;
            }
            Encoding::Bytes | Encoding::Binary => {
                out.extend_from_slice(piece);
                return;
            }
        };
        self.held.extend_from_slice(piece);
        let mut units: Vec<u16> = self.held.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        let mut used = units.len() * 2;
        if units.last().is_some_and(|last| (0xd800..0xdc00).contains(last)) {
            units.pop();
            used -= 2;
        }
        self.held.drain(..used);
        let mut buffer = [0; 4];
        for found in char::decode_utf16(units) {
            let c = found.unwrap_or('\u{fffd}');
            if c != '\u{feff}' {
                out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_the_text_that_was_meant() {
        assert_eq!(text("größer".as_bytes()), "größer");
        assert_eq!(text(b"gr\xf6\xdfer"), "größer");
        assert_eq!(text(b"bad \xff\xfe bytes"), "bad \u{fffd}\u{fffd} bytes");
        assert_eq!(text("ö \u{1b}[31mred\u{1b}[0m \u{1b}]0;t\u{7}x".as_bytes()), "ö red x");
        assert_eq!(text(b"lone \x1b"), "lone \u{1b}");
    }

    #[test]
    fn encodings_are_told_and_read_in_pieces() {
        let words = "größer 😀\r\nsecond\n";
        for (encoding, bytes) in [
            (Encoding::Utf16Le, words.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()),
            (Encoding::Utf16Be, words.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ] {
            assert_eq!(Encoding::of(&bytes), encoding);
            for size in 1..7 {
                let (mut transcoder, mut out) = (Transcoder::new(encoding), Vec::new());
                bytes.chunks(size).for_each(|piece| transcoder.push(piece, &mut out));
                assert_eq!(String::from_utf8(out).as_deref(), Ok(words));
            }
        }
        assert_eq!(Encoding::of(b"a\rb\r"), Encoding::CarriageReturns);
        assert_eq!(Encoding::of(b"a\r\nb\r\n"), Encoding::Bytes);
        assert_eq!(Encoding::of(&[0, 1, 2, 3].repeat(20)), Encoding::Binary);
        let every: Vec<u8> = (0..=255).collect();
        assert_eq!(Encoding::of(&every.repeat(4)), Encoding::Binary);
        assert_eq!(Encoding::of("größer, 大きい, \u{1b}[31mred\u{1b}[0m\n".repeat(9).as_bytes()), Encoding::Bytes);
        assert_eq!(Encoding::of(b""), Encoding::Bytes);
        let hole = |before: &str, after: &str| [before.as_bytes(), &[0; 100], after.as_bytes()].concat();
        for text in [hole("", "2024-05-06 begins\n"), hole("begins\n", ""), hole("begins\n", "ends\n")] {
            assert_eq!(Encoding::of(&text), Encoding::Bytes);
        }
        assert_eq!(Encoding::of(&[0; 4096]), Encoding::Binary);
        assert_eq!(Encoding::of(&hole("\u{1}\u{2}\u{3}\u{4}", &"\u{1}\u{6}a".repeat(30))), Encoding::Binary);
    }
}
