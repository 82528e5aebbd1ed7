//! Scans a JSON object in one pass: mapped values go to the assembler, the rest is skipped without being built.
//!
//! `serde_json` builds every value of a line (about 1.9 µs for 350 bytes), but a filter over a million lines needs
//! only eight of seventeen. `docs/performance.md` has the ratio.

use super::{Assembler, CONTAINER, NESTED, Node, Scalar, Target};
use memchr::memchr2;
use std::borrow::Cow;

const MAX_DEPTH: usize = 128;
/// The step of a path that stands for each value of an array.
const EACH: &[u8] = b"[]";
/// The step of a path that stands for an object that is written as a text.
const FOLDED: &[u8] = b"{}";

/// Scans the object. The error is the byte offset at which the text is not JSON.
pub fn scan<'a>(text: &'a str, tree: &Node, into: &mut Assembler<'a>) -> Result<(), usize> {
    let end = scan_first(text, tree, into)?;
    if text[end..].trim_ascii_start().is_empty() { Ok(()) } else { Err(end) }
}

/// Scans the object at the beginning of a text; returns where it ends. The error is the byte offset at which the text
/// is not JSON.
pub fn scan_first<'a>(text: &'a str, tree: &Node, into: &mut Assembler<'a>) -> Result<usize, usize> {
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: 0, depth: 0, root: tree };
    scanner.space();
    scanner.object(Found { node: Some(tree), rank: 0 }, false, into)?;
    Ok(scanner.at)
}

/// The node of a value, and what its place adds to the rank of what it fills.
#[derive(Clone, Copy)]
struct Found<'n> {
    node: Option<&'n Node>,
    rank: u16,
}

struct Scanner<'a, 'n> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    root: &'n Node,
}

impl<'a, 'n> Scanner<'a, 'n> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), usize> {
        if self.peek() == byte && self.at < self.bytes.len() {
            self.at += 1;
            Ok(())
        } else {
            Err(self.at)
        }
    }

    fn digits(&mut self) {
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
    }

    /// The content of a string between its quotes, and whether it has escapes.
    fn string(&mut self) -> Result<(&'a str, bool), usize> {
        let open = self.at;
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let found = quote_or_escape(&self.bytes[self.at..]).ok_or(open)?;
            self.at += found;
            if self.bytes[self.at] == b'"' {
                let inside = self.text.get(start..self.at).ok_or(start)?;
                self.at += 1;
                return Ok((inside, escaped));
            }
            escaped = true;
            self.at += 2;
            if self.at > self.bytes.len() {
                return Err(open);
            }
        }
    }

    /// Scans an object. In one that `nests`, keys that its node lacks are looked up as those of the record.
    fn object(&mut self, found: Found<'n>, nests: bool, into: &mut Assembler<'a>) -> Result<(), usize> {
        self.expect(b'{')?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.at);
        }
        self.space();
        if self.peek() == b'}' {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        loop {
            self.space();
            let (key, _) = self.string()?;
            self.space();
            self.expect(b':')?;
            self.space();
            let mut child = Found { node: found.node.and_then(|node| node.child(key.as_bytes())), rank: found.rank };
            // What only leads to deeper fields says nothing of a value that stands in its place.
            if nests
                && child.node.is_none_or(|node| node.targets.is_empty() && self.peek() != b'{')
                && let Some(node) = self.root.child(key.as_bytes())
            {
                into.marks |= child.node.map_or(0, |node| node.marks);
                child = Found { node: Some(node), rank: NESTED };
            }
            self.value(child, into)?;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(());
                }
                _ => return Err(self.at),
            }
        }
    }

    /// Passes over an array; returns how many values it has. Those are read by the child `[]` of its node, where it has one.
    fn array(&mut self, node: Option<&'n Node>, into: &mut Assembler<'a>) -> Result<usize, usize> {
        self.expect(b'[')?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.at);
        }
        self.space();
        if self.peek() == b']' {
            self.at += 1;
            self.depth -= 1;
            return Ok(0);
        }
        let element = Found { node: node.and_then(|node| node.child(EACH)), rank: NESTED };
        let mut count = 0;
        loop {
            count += 1;
            self.space();
            self.value(element, into)?;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(count);
                }
                _ => return Err(self.at),
            }
        }
    }

    fn value(&mut self, found: Found<'n>, into: &mut Assembler<'a>) -> Result<(), usize> {
        let start = self.at;
        let node = found.node;
        let wanted = node.filter(|node| !node.targets.is_empty());
        into.marks |= node.map_or(0, |node| node.marks);
        match self.peek() {
            b'"' => {
                let (inside, escaped) = self.string()?;
                let marked = node.map_or(&[][..], |node| &node.marked_texts);
                for (_, mark) in marked.iter().filter(|(text, _)| **text == *inside) {
                    into.marks |= mark;
                }
                into.folded |= inside.starts_with('{') && node.is_some_and(|node| node.child(FOLDED).is_some());
                if let Some(node) = wanted {
                    let text =
                        if escaped { unescape(&self.text[start..self.at], start)? } else { Cow::Borrowed(inside) };
                    for (target, rank) in &node.targets {
                        into.set((*target, rank | found.rank), Scalar::Text(text.clone()));
                    }
                }
            }
            b'{' => {
                let below = Found { node: node.filter(|node| node.has_children()), rank: found.rank };
                let nests = node.is_some_and(|node| node.nests);
                self.object(below, nests, into)?;
                self.container(wanted, start, into);
            }
            b'[' => {
                let count = self.array(node, into)?;
                // A list of one value is read as that value: stores do not tell the two apart, and search them alike.
                let is_list = |node: &Node| node.targets.iter().any(|(target, _)| *target == Target::Tags);
                if count == 1 && node.is_some_and(|node| !is_list(node)) {
                    let end = std::mem::replace(&mut self.at, start + 1);
                    self.space();
                    // Lists in lists are no values, and would be read once for each.
                    if self.peek() != b'[' {
                        self.value(found, into)?;
                    }
                    self.at = end;
                }
                self.container(wanted, start, into);
            }
            b'-' | b'0'..=b'9' => {
                self.digits();
                let mut plain = true;
                while matches!(self.peek(), b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') {
                    plain = false;
                    self.at += 1;
                }
                let number = &self.text[start..self.at];
                if !plain && number.parse::<f64>().is_err() {
                    return Err(start);
                }
                if let Some(node) = wanted {
                    for (target, rank) in &node.targets {
                        into.set((*target, rank | found.rank), Scalar::Number(number));
                    }
                }
            }
            _ => {
                let rest = &self.bytes[self.at..];
                let (length, value) = if rest.starts_with(b"true") {
                    (4, Some(true))
                } else if rest.starts_with(b"false") {
                    (5, Some(false))
                } else if rest.starts_with(b"null") {
                    (4, None)
                } else {
                    return Err(start);
                };
                self.at += length;
                if let (Some(node), Some(value)) = (wanted, value) {
                    for (target, rank) in &node.targets {
                        into.set((*target, rank | found.rank), Scalar::Bool(value));
                    }
                }
            }
        }
        Ok(())
    }

    /// An array or object where text was expected. An array may be a list of tags; otherwise the JSON text is the
    /// value, which is better than nothing for people.
    fn container(&self, wanted: Option<&Node>, start: usize, into: &mut Assembler<'a>) {
        for target in wanted.iter().flat_map(|node| &node.targets) {
            if target.0 == Target::Tags && self.bytes[start] == b'[' {
                into.set(*target, Scalar::Text(Cow::Borrowed(&self.text[start..self.at])));
            }
            if matches!(target.0, Target::StartedAt | Target::CompletedAt)
                && let Some(time) = super::moments::time_in(&self.text[start..self.at])
            {
                into.set(*target, time);
            }
            if matches!(target.0, Target::Message | Target::Error) && self.at > start + 2 {
                into.set((target.0, target.1 | CONTAINER), Scalar::Text(Cow::Borrowed(&self.text[start..self.at])));
            }
        }
    }
}

/// A string up to this length is looked at eight bytes at once; the search that memchr begins for a longer one takes longer
/// than most strings do.
const SHORT: usize = 32;

/// Where the first quotation mark or escape is.
fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < SHORT
        && let Some(eight) = bytes[at..].first_chunk()
    {
        let eight = u64::from_le_bytes(*eight);
        let found = zeros(eight ^ each(b'"')) | zeros(eight ^ each(b'\\'));
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    memchr2(b'"', b'\\', &bytes[at..]).map(|found| at + found)
}

/// A byte, eight times.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of each byte that is zero. Above the first one a byte may be one that is not.
const fn zeros(eight: u64) -> u64 {
    eight.wrapping_sub(each(1)) & !eight & each(0x80)
}

fn unescape(quoted: &str, at: usize) -> Result<Cow<'_, str>, usize> {
    serde_json::from_str::<String>(quoted)
        .or_else(|_| serde_json::from_str::<String>(&without_lone_surrogates(quoted)))
        .map(Cow::Owned)
        .map_err(|_| at)
}

/// Replaces lone surrogates by a mark. JavaScript and Java write them, but they are not valid Unicode.
fn without_lone_surrogates(quoted: &str) -> String {
    let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let mut out = String::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some(found) = rest.find('\\') {
        out.push_str(&rest[..found]);
        rest = &rest[found..];
        let taken = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.push('\u{fffd}');
                rest = &rest[6..];
                continue;
            }
            _ => rest.chars().take(2).map(char::len_utf8).sum(),
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn marks_and_escapes_are_found_where_they_are(text in "[!#\\[\\]\u{a2}\u{dc}a]{0,50}[\"\\\\]?[a\"\\\\!]{0,20}") {
            prop_assert_eq!(quote_or_escape(text.as_bytes()), text.find(['"', '\\']));
        }
    }
}
