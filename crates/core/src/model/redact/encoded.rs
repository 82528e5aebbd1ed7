//! Texts within addresses, forms, HTML and JSON: `%22`, `&quot;`, `\u0022`. A decoded copy is read as well, and what is found in
//! it is hidden where it stands in the text.

use std::ops::Range;

/// How often a text may be encoded: an address in an address in an address.
pub(super) const DEEPEST: usize = 3;

/// Characters of HTML that may divide a name from its value.
const ENTITIES: &[(&str, u8)] = &[
    ("&quot;", b'"'),
    ("&apos;", b'\''),
    ("&lt;", b'<'),
    ("&gt;", b'>'),
    ("&amp;", b'&'),
    ("&nbsp;", b' '),
    ("&#34;", b'"'),
    ("&#39;", b'\''),
    ("&#x22;", b'"'),
    ("&#x27;", b'\''),
    ("&#58;", b':'),
    ("&#61;", b'='),
];

/// How far from what is encoded the name or the value may be, in bytes.
const AROUND: usize = 64;

/// A decoded copy of the part of a text that is encoded, with the words around it.
pub(super) struct Decoded {
    pub(super) text: String,
    /// By where a decoded character ends in the copy: by how much what follows has moved towards the beginning, in bytes.
    moved: Vec<(usize, usize)>,
}

impl Decoded {
    /// `None` where nothing is encoded.
    pub(super) fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut decoded = Self { text: String::new(), moved: Vec::new() };
        let (mut done, mut shift) = (0, 0);
        for at in memchr::memchr3_iter(b'%', b'&', b'\\', bytes) {
            if at < done {
                continue;
            }
            let Some((character, length)) = character(&bytes[at..]) else { continue };
            if decoded.moved.is_empty() {
                let word = bytes[..at].iter().rposition(u8::is_ascii_whitespace).map_or(0, |blank| blank + 1);
                done = text.floor_char_boundary(word.saturating_sub(AROUND));
                shift = done;
                decoded.moved.push((0, shift));
            }
            decoded.text.push_str(&text[done..at]);
            decoded.text.push(char::from(character));
            done = at + length;
            shift += length - 1;
            decoded.moved.push((decoded.text.len(), shift));
        }
        if decoded.moved.is_empty() {
            return None;
        }
        let blank_behind = |at: usize| {
            let rest = bytes.get(at..).unwrap_or_default();
            rest.iter().position(u8::is_ascii_whitespace).map_or(text.len(), |blank| at + blank)
        };
        // Up to the end of a word: a secret is not cut.
        decoded.text.push_str(&text[done..blank_behind(blank_behind(done) + AROUND)]);
        Some(decoded)
    }

    /// Where a part of the copy stands in the text.
    pub(super) fn range(&self, of_copy: &Range<usize>) -> Range<usize> {
        self.place(of_copy.start)..self.place(of_copy.end)
    }

    fn place(&self, of_copy: usize) -> usize {
        let before = self.moved.partition_point(|(end, _)| *end <= of_copy);
        of_copy + before.checked_sub(1).map_or(0, |last| self.moved[last].1)
    }
}

/// The character of ASCII that is encoded at the beginning of a text, and the length of its code in bytes. Others divide nothing,
/// and stay as they are.
fn character(rest: &[u8]) -> Option<(u8, usize)> {
    let hex = |at: usize| {
        let digits = std::str::from_utf8(rest.get(at..at + 2)?).ok()?;
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        let byte = is_hex.then(|| u8::from_str_radix(digits, 16).ok())??;
        (byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).then_some(byte)
    };
    match rest {
        [b'%', ..] => Some((hex(1)?, 3)),
        [b'\\', b'u', b'0', b'0', ..] => Some((hex(4)?, 6)),
        [b'&', ..] => {
            let found = ENTITIES.iter().find(|(entity, _)| rest.starts_with(entity.as_bytes()));
            found.map(|(entity, character)| (*character, entity.len()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_encoded_is_decoded_and_found_again() {
        for (text, copy) in [
            ("a%3Db", "a=b"),
            ("%22ü%22", "\"ü\""),
            ("x%2", "x%2"),
            ("%C3%A4=%41", "%C3%A4=A"),
            ("&quot;a&quot;&amp;lt;", "\"a\"&lt;"),
            ("a\\u0022\\u003db", "a\"=b"),
            ("100%", "100%"),
            ("%00%zz", "%00%zz"),
        ] {
            let decoded = Decoded::of(text);
            assert_eq!(decoded.is_some(), text != copy, "{text}");
            assert_eq!(decoded.map_or(text.to_owned(), |decoded| decoded.text), copy);
        }
    }

    #[test]
    fn what_is_far_from_it_is_not_read_again() {
        let word = "ü".repeat(AROUND);
        let text = format!("{word} far {word} a%3Db near{word} {word} far");
        let decoded = Decoded::of(&text).expect("encoded");
        let copy = &decoded.text;
        assert!(copy.contains(&format!(" a=b near{word}")) && !copy.contains("far"), "{copy}");
        let place = copy.find("a=b").expect("there");
        assert_eq!(&text[decoded.range(&(place..place + 3))], "a%3Db");
    }

    proptest! {
        #[test]
        fn a_part_of_the_copy_is_where_it_stands(parts in proptest::collection::vec("[a-z%=ü]|%3D|%22|&gt;|\\\\u0026", 0..30)) {
            let text = parts.concat();
            if let Some(decoded) = Decoded::of(&text) {
                let whole = decoded.range(&(0..decoded.text.len()));
                prop_assert_eq!(&text[whole.end..], "");
                prop_assert!(text.len() > AROUND || whole.start == 0);
                for (at, c) in decoded.text.char_indices() {
                    let range = decoded.range(&(at..at + c.len_utf8()));
                    let original = &text[range];
                    let again = Decoded::of(original).map_or(original.to_owned(), |decoded| decoded.text);
                    prop_assert_eq!(again, c.to_string());
                }
            }
        }
    }
}
