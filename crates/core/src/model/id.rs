//! Identifiers, stored compactly and printed as they were written.

use compact_str::CompactString;
use std::fmt;
use uuid::Uuid;

/// The identity of an activity, or of a request.
///
/// A canonical UUID needs 16 bytes, and so does the place of a line without an id of its own. Everything else is stored
/// as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// A UUID in canonical lower-case form.
    Uuid(u128),
    /// A line, identified by the fingerprint of its file and its byte offset.
    Line {
        /// Fingerprint of the file: a hash of its family's name and its beginning.
        file: u64,
        /// Byte offset of the line in the file.
        offset: u64,
    },
    /// Any other identifier, as written.
    Text(CompactString),
}

impl Id {
    /// Parses an id; it prints as the same text again.
    pub fn parse(text: &str) -> Self {
        if let Some(value) = parse_canonical_uuid(text) {
            return Self::Uuid(value);
        }
        if let Some((file, offset)) = text.split_once('.')
            && file.len() == 16
            && let (Ok(file_bits), Ok(offset_bits)) = (u64::from_str_radix(file, 16), u64::from_str_radix(offset, 16))
        {
            let line = Self::Line { file: file_bits, offset: offset_bits };
            if line.to_string() == text {
                return line;
            }
        }
        Self::Text(CompactString::from(text))
    }

    /// Calls something with the id as it prints, without allocating.
    pub fn with_text<T>(&self, then: impl FnOnce(&str) -> T) -> T {
        match self {
            Self::Uuid(value) => then(Uuid::from_u128(*value).hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            Self::Line { file, offset } => {
                let mut text = *b"0000000000000000.0000000000000000";
                let length = offset.checked_ilog(16).map_or(1, |log| log as usize + 1);
                write_digits(*file, &mut text[..16]);
                write_digits(*offset, &mut text[17..17 + length]);
                then(std::str::from_utf8(&text[..17 + length]).unwrap_or_default())
            }
            Self::Text(text) => then(text),
        }
    }
}

/// Writes the last digits of a number, in hexadecimal.
fn write_digits(number: u64, into: &mut [u8]) {
    for (place, digit) in into.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (4 * place) & 15) as usize];
    }
}

fn parse_canonical_uuid(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let mut value: u128 = 0;
    let mut wrong = 0;
    for (start, end) in [(0, 8), (9, 13), (14, 18), (19, 23), (24, 36)] {
        for byte in &bytes[start..end] {
            let digit = HEX[*byte as usize];
            wrong |= digit;
            value = (value << 4) | u128::from(digit & 15);
        }
    }
    let dashes = [8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-');
    (dashes && wrong < 16).then_some(value)
}

/// The values of lower-case hexadecimal digits; 255 for every other byte.
#[expect(clippy::cast_possible_truncation, reason = "a digit is below 16")]
const HEX: [u8; 256] = {
    let mut table = [255; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(value) => write!(f, "{}", Uuid::from_u128(*value).hyphenated()),
            Self::Line { file, offset } => write!(f, "{file:016x}.{offset:x}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_prints_as_it_was_read() {
        for text in [
            "7f3a9c21-0000-4abc-8def-0123456789ab",
            "7F3A9C21-0000-4ABC-8DEF-0123456789AB",
            "00ff00ff00ff00ff.1a",
            "00ff00ff00ff00ff.001a",
            "order 88123",
            "",
        ] {
            assert_eq!(Id::parse(text).to_string(), text);
        }
        assert!(matches!(Id::parse("7f3a9c21-0000-4abc-8def-0123456789ab"), Id::Uuid(_)));
        assert!(matches!(Id::parse("7F3A9C21-0000-4ABC-8DEF-0123456789AB"), Id::Text(_)));
        assert!(matches!(Id::parse("00ff00ff00ff00ff.1a"), Id::Line { .. }));
        assert!(matches!(Id::parse("00ff00ff00ff00ff.001a"), Id::Text(_)));
    }
}
