//! Pairs of the form `key=value key="quoted value"`, as logfmt writes them.

use crosstail_core::schema::{Assembler, Node, Scalar};
use std::borrow::Cow;

/// The pairs of a line that consists of nothing else; `None` where it does not, or has fewer than two.
pub(crate) fn pairs(line: &str) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut rest = line.trim();
    let mut found: Vec<(&str, Cow<'_, str>)> = Vec::new();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace())?;
        let (key, after) = rest.split_at(end);
        if !is_key(key) {
            return None;
        }
        let after = after.strip_prefix('=')?;
        let (value, tail) = value(after)?;
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

fn is_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '@'))
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/' | b'@' | b':'))
}

/// The value at the beginning and what follows it.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Some((Cow::Borrowed(&text[..end]), &text[end..]));
    };
    let inside = &text[1..];
    let end = closing(inside, quote)?;
    let tail = &inside[end + 1..];
    if !(tail.is_empty() || tail.starts_with([' ', '\t'])) {
        return None;
    }
    let raw = &inside[..end];
    let value = if quote == '"' && raw.contains('\\') {
        serde_json::from_str::<String>(&text[..end + 2])
            .map_or_else(|_| Cow::Owned(raw.replace("\\\"", "\"")), Cow::Owned)
    } else {
        Cow::Borrowed(raw)
    };
    Some((value, tail))
}

fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let closes = c == quote && !escaped;
        escaped = c == '\\' && !escaped && quote == '"';
        closes.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
