//! Names and values that stand beside each other: `{"name": "X-Api-Key", "value": "…"}`, `["X-Api-Key", "…"]`,
//! `<entry key="db.password">…`, a part of a form whose heading has the name.

use super::behind::behind_scheme;
use super::judged::judged;
use std::ops::Range;

/// Fields that hold the name of what is beside them.
const NAMES: &[&str] = &["name", "key", "header", "field", "param", "parameter", "k"];
/// Fields that hold its value.
const VALUES: &[&str] = &["value", "val", "v", "stringvalue", "string_value"];
/// How far before a name the field is looked for, in bytes.
const BEFORE: usize = 48;
/// Longest value that is looked for before its name, in bytes.
const LONGEST_BEFORE: usize = 1024;

/// Whether a field of an object holds the name of what its neighbour holds.
pub fn is_name_field(name: &str) -> bool {
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a field of an object holds the value of what its neighbour names.
pub fn is_value_field(name: &str) -> bool {
    VALUES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether the second text of a list can be the value of the first, and not one more name: `["password", "first_name"]`.
pub(super) fn is_listed_value(value: &str) -> bool {
    value.len() >= 3
        && value
            .bytes()
            .any(|b| b.is_ascii_digit() || !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b' ')))
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Goes behind bytes; whether there were any.
    fn skip(&mut self, is: impl Fn(u8) -> bool) -> bool {
        let from = self.at;
        // No further than people write.
        while self.at < self.text.len() && self.at - from < BEFORE && is(self.byte()) {
            self.at += 1;
        }
        self.at > from
    }

    /// Goes behind one of some words, in any case.
    fn word(&mut self, is: impl Fn(&str) -> bool) -> bool {
        let rest = &self.text[self.at..];
        let length = rest.bytes().take(BEFORE).take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let found = is(&rest[..length]);
        self.at += if found { length } else { 0 };
        found
    }

    /// A quoted text with its escapes, or a bare one.
    fn value(&mut self) -> Range<usize> {
        let opened = self.at;
        self.skip(|b| b == b'\\');
        let escapes = self.at - opened;
        let quote = Some(self.byte()).filter(|b| matches!(b, b'"' | b'\''));
        if quote.is_some() {
            self.at += 1;
        }
        let start = behind_scheme(self.text, self.at);
        let bytes = self.text.as_bytes();
        let (mut end, mut before) = (start, 0);
        while end < bytes.len() {
            let is_end = match quote {
                Some(quote) => bytes[end] == quote && before <= escapes && (escapes > 0) == (before > 0),
                None => matches!(
                    bytes[end],
                    b' ' | b'\t' | b'\r' | b'\n' | b',' | b';' | b'}' | b']' | b')' | b'<' | b'>' | b'\\'
                ),
            };
            if is_end {
                break;
            }
            before = if bytes[end] == b'\\' { before + 1 } else { 0 };
            end += 1;
        }
        let closing = if quote.is_some() && end < bytes.len() { escapes.min(end - start) } else { 0 };
        start..end - closing
    }
}

fn is_quote(b: u8) -> bool {
    is_quote_char(char::from(b))
}

fn is_quote_char(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\')
}

/// The value beside a name that is itself the value of a field, behind it or before it.
pub(super) fn beside(text: &str, name: &Range<usize>) -> Option<Range<usize>> {
    let field = name_field(text, name)?;
    behind(text, name).or_else(|| before(text, name, field))
}

/// `"value": "…", "name": "password"`. `field` is where the field of the name begins.
fn before(text: &str, name: &Range<usize>, field: usize) -> Option<Range<usize>> {
    let from = text.floor_char_boundary(field.saturating_sub(LONGEST_BEFORE));
    let head = text[from..field].trim_end_matches(is_quote_char).trim_end().strip_suffix([',', ' '])?.trim_end();
    let quote = head.chars().next_back().filter(|c| matches!(c, '"' | '\''))?;
    let value = head[..head.len() - 1].trim_end_matches('\\');
    let start = value.rfind(quote)? + 1;
    let called = value[..start - 1].trim_end_matches('\\').trim_end().strip_suffix([':', '='])?;
    let called = called.trim_end_matches(|c| is_quote_char(c) || c == ' ');
    let word = called.bytes().rev().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    is_value_field(&called[called.len() - word..]).then_some(())?;
    judged(text, &text[name.clone()], from + behind_scheme(value, start)..from + value.len(), true).ok()
}

/// The value behind a name that is the value of a field.
fn behind(text: &str, name: &Range<usize>) -> Option<Range<usize>> {
    let mut scanner = Scanner { text, at: name.end };
    if !scanner.skip(is_quote) {
        return None;
    }
    let called = &text[name.clone()];
    let rest = &text[scanner.at..];
    // `<entry key="db.password">…</entry>`.
    if let Some(inner) = rest.strip_prefix('>') {
        let end = inner.find('<')?;
        return judged(text, called, scanner.at + 1..scanner.at + 1 + end, true).ok();
    }
    // The part of a form: an empty line ends its heading.
    for (line, escaped) in
        [("\r\n\r\n", false), ("\n\n", false), ("\\r\\n\\r\\n", true), ("r\\n\\r\\n", true), ("n\\n", true)]
    {
        if let Some(inner) = rest.strip_prefix(line) {
            let end = inner.find(if escaped { &['\\', '\n'][..] } else { &['\r', '\n'] }).unwrap_or(inner.len());
            let start = scanner.at + line.len();
            return judged(text, called, start..start + end, true).ok();
        }
    }
    let divides = |b: u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b',' | b';');
    scanner.skip(divides);
    // The value may itself be in an object: `"value": {"stringValue": "…"}`.
    for _ in 0..2 {
        scanner.skip(is_quote);
        if !scanner.word(is_value_field) {
            return None;
        }
        scanner.skip(is_quote);
        scanner.skip(|b| b == b' ');
        if !scanner.skip(|b| matches!(b, b':' | b'=')) {
            return None;
        }
        scanner.skip(|b| matches!(b, b' ' | b'\t'));
        if !scanner.skip(|b| matches!(b, b'{' | b' ' | b'\n')) {
            break;
        }
    }
    let value = scanner.value();
    judged(text, called, value, true).ok()
}

/// Where the field begins that has a name in quotes as its value, if it is one that holds names.
fn name_field(text: &str, name: &Range<usize>) -> Option<usize> {
    let head = &text[text.floor_char_boundary(name.start.saturating_sub(BEFORE))..name.start];
    let quoted = head.trim_end_matches(is_quote_char);
    let field = quoted.trim_end().strip_suffix([':', '=']).filter(|_| quoted.len() < head.len())?;
    let field = field.trim_end_matches(['"', '\'', '\\', ' ']);
    let letters = field.bytes().rev().take_while(|b| b.is_ascii_alphabetic()).count();
    let start = name.start - head.len() + field.len() - letters;
    is_name_field(&field[field.len() - letters..]).then_some(start)
}

/// The value behind a quoted name in a list: `["X-Api-Key", "…"]`, `('x-api-key', '…')`. `at` is behind the comma.
pub(super) fn listed(text: &str, name: &Range<usize>, at: usize) -> Option<Range<usize>> {
    let head = text[..name.start].trim_end_matches(is_quote_char).trim_end();
    if !head.ends_with(['[', '(', ',']) {
        return None;
    }
    let mut scanner = Scanner { text, at };
    scanner.skip(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    if !is_quote(scanner.byte()) {
        return None;
    }
    let value = scanner.value();
    // What follows a comma in an object is a name.
    let behind = text[value.end..].trim_start_matches(is_quote_char).trim_start();
    let is_name = behind.starts_with([':', '=']);
    (!is_name && is_listed_value(&text[value.clone()])).then_some(())?;
    judged(text, &text[name.clone()], value, true).ok()
}
