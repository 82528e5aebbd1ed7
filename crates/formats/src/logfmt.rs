//! Pairs of the form `key=value key="quoted value"`, as logfmt writes them.

use crosstail_core::schema::{Assembler, Node, Scalar};
use std::borrow::Cow;

/// The pairs of a line that consists of nothing else; `None` where it does not, or has fewer than two.
pub(crate) fn pairs(line: &str) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut rest = line.trim();
    let mut found: Vec<(&str, Cow<'_, str>)> = Vec::new();
    // Whether nothing can belong to the last value.
    let mut ended = false;
    while !rest.is_empty() {
        let (key, after) = rest.split_at(key_length(rest).unwrap_or(rest.len()));
        let Some(after) = after.strip_prefix('=') else {
            // A key without a value. Behind a value without quotation marks it may be more of that value, and several are words.
            let apart = after.is_empty() || after.starts_with(' ');
            if !(apart && ended && found.len() >= 2 && is_key(key)) {
                return None;
            }
            (rest, ended) = (after.trim_start(), false);
            continue;
        };
        if found.is_empty() {
            found.reserve(USUAL);
        }
        let (value, tail) = value(after)?;
        ended = after.starts_with(['"', '\''])
            || value.is_empty()
            || value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        found.push((key, value));
        rest = tail.trim_start();
    }
    // Some write commas between the pairs.
    let (_, others) = found.split_last()?;
    if !others.is_empty() && others.iter().all(|(_, value)| value.ends_with(',')) {
        for (_, value) in &mut found {
            if let Some(bare) = value.strip_suffix(',') {
                *value = Cow::Owned(bare.to_owned());
            }
        }
    }
    (found.len() >= 2).then_some(found)
}

/// The fields of a line of labels and values that tabs separate (ltsv.org); `None` where it is none, or has fewer than three.
pub(crate) fn labels(line: &str) -> Option<Vec<(&str, Cow<'_, str>)>> {
    memchr::memchr(b'\t', line.as_bytes())?;
    let is_label = |label: &str| {
        label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    };
    let field = |text| {
        let (label, value): (&str, &str) = str::split_once(text, ':')?;
        is_label(label).then_some((label, if value == "-" { Cow::Borrowed("") } else { Cow::Borrowed(value) }))
    };
    let found: Vec<_> = line.trim_end().split('\t').map(field).collect::<Option<_>>()?;
    (found.len() >= 3).then_some(found)
}

/// Whether a line is a record of pairs or labels.
pub(crate) fn is_record(line: &str) -> bool {
    pairs(line).is_some() || labels(line).is_some()
}

/// Fills an assembler from pairs.
pub(crate) fn fill<'a>(pairs: &[(&'a str, Cow<'a, str>)], tree: &Node, into: &mut Assembler<'a>) {
    for (key, value) in pairs {
        if let Some(node) = tree.child(key.as_bytes()) {
            into.marks |= node.marks;
            for target in &node.targets {
                into.set(*target, Scalar::Text(value.clone()));
            }
        }
    }
}

/// Pairs that most records have room for.
const USUAL: usize = 12;

const fn begins_key(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'@')
}

const fn goes_on(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/' | b'@' | b':')
}

/// How long the key at the beginning is, where something follows it.
fn key_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let begins = bytes.first().is_some_and(|b| begins_key(*b));
    bytes.iter().position(|b| !goes_on(*b)).filter(|_| begins)
}

fn is_key(text: &str) -> bool {
    text.bytes().next().is_some_and(begins_key) && text.bytes().all(goes_on)
}

/// The value at the beginning and what follows it.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quote) = text.bytes().next().filter(|b| matches!(b, b'"' | b'\'')) else {
        let end = text.bytes().position(|b| b.is_ascii_whitespace()).unwrap_or(text.len());
        return Some((Cow::Borrowed(&text[..end]), &text[end..]));
    };
    let inside = &text[1..];
    let end = closing(inside, quote)?;
    let tail = &inside[end + 1..];
    if !(tail.is_empty() || tail.starts_with([' ', '\t'])) {
        return None;
    }
    let raw = &inside[..end];
    let value = if quote == b'"' && raw.contains('\\') {
        serde_json::from_str::<String>(&text[..end + 2])
            .map_or_else(|_| Cow::Owned(raw.replace("\\\"", "\"")), Cow::Owned)
    } else {
        Cow::Borrowed(raw)
    };
    Some((value, tail))
}

fn closing(text: &str, quote: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(quote, b'\\', &text.as_bytes()[from..])?;
        match text.as_bytes()[at] {
            b'\\' if quote == b'"' => from = at + 2,
            b'\\' => from = at + 1,
            _ => return Some(at),
        }
        if from > text.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_without_a_value_stand_where_no_value_can_go_on() {
        let keys = |line| Some(pairs(line)?.into_iter().map(|(key, _)| key).collect::<Vec<_>>());
        assert_eq!(keys("level=info msg=\"a b\" debug order=12 last"), Some(vec!["level", "msg", "order"]));
        for text in ["level=info n=1 msg=a b", "a=1 words", "level=info msg=\"a\" what (is) this", "=1 a=2"] {
            assert_eq!(keys(text), None, "{text}");
        }
    }

    #[test]
    fn labels_and_nothing_else() {
        let read =
            |line| Some(labels(line)?.into_iter().map(|(key, value)| format!("{key}|{value}")).collect::<Vec<_>>());
        let found = read("time:06/May/2024:07:08:00 +0000\tstatus:200\tref:-");
        assert_eq!(found, Some(vec!["time|06/May/2024:07:08:00 +0000".to_owned(), "status|200".into(), "ref|".into()]));
        for line in ["a:1\tb:2", "a:1\tb:2\twords", "a b:1\tb:2\tc:3", "a:1 b:2 c:3", "", "\t\t"] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn pairs_and_nothing_else() {
        let read = |line| {
            let found = pairs(line)?;
            Some(found.into_iter().map(|(key, value)| format!("{key}|{value}")).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(read(r#"a=1 b="x \"y\" z" c='it is' d="#).as_deref(), Some("a|1 b|x \"y\" z c|it is d|"));
        assert_eq!(read("a=1, b=x, c=3").as_deref(), Some("a|1 b|x c|3"));
        for line in ["a=1", "a=1 b", "words a=1 b=2", "a=1, b=2 and more", "a=\"open b=2", "", "=1 =2"] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
