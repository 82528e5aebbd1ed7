//! Lines that are not JSON: logfmt pairs, or text with a time and a level near its beginning.

use chrono::{Datelike as _, NaiveDateTime};
use crosstail_core::model::{Level, Timestamp, parse_timestamp};
use crosstail_core::schema::{Assembler, Node, Scalar};
use std::borrow::Cow;

/// Reads `key=value key="quoted value"`; false where the line does not have that form.
pub(super) fn logfmt<'a>(line: &'a str, tree: &Node, into: &mut Assembler<'a>) -> bool {
    if !(line.contains("level=") || line.contains("lvl=")) || !line.contains("msg=") {
        return false;
    }
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let Some((key, after)) = rest.split_once('=') else { break };
        if key.is_empty() || key.contains(char::is_whitespace) {
            return false;
        }
        let (value, tail) = if let Some(quoted) = after.strip_prefix('"') {
            let end = closing_quote(quoted).unwrap_or(quoted.len());
            let inside = &quoted[..end];
            let text = if inside.contains('\\') {
                Cow::Owned(inside.replace("\\\"", "\"").replace("\\\\", "\\"))
            } else {
                Cow::Borrowed(inside)
            };
            (text, quoted.get(end + 1..).unwrap_or(""))
        } else {
            let end = after.find(char::is_whitespace).unwrap_or(after.len());
            (Cow::Borrowed(&after[..end]), &after[end..])
        };
        if let Some(node) = tree.child(key.as_bytes()) {
            for target in &node.targets {
                into.set(*target, Scalar::Text(value.clone()));
            }
        }
        rest = tail.trim_start();
    }
    true
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    })
}

/// A line of text: its time, level and message, where they were found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) time: Option<Timestamp>,
    pub(super) level: Option<Level>,
    pub(super) message: &'a str,
}

/// Finds the time at the beginning (ISO 8601, `2026/11/20 10:00:00`, syslog's `Nov 20 10:00:00`, with or without
/// brackets; a web server's `[20/Nov/2026:10:00:00 +0000]` anywhere) and the level among the first words. A time
/// without a year gets that of `near`.
pub(super) fn text(line: &str, near: Timestamp) -> Line<'_> {
    let trimmed = line.trim_end();
    let start = trimmed.trim_start_matches(['[', '(', ' ']);
    let (time, rest) = leading_time(start, near).unwrap_or_else(|| (web_time(trimmed), trimmed));
    let mut message = rest.trim_start_matches([']', ')', ' ', '|', ':', '-', '\t']);
    if message.is_empty() {
        message = trimmed;
    }
    let mut level = None;
    for (index, word) in message.split_whitespace().take(4).enumerate() {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let shouted = bare.len() >= 4 && bare.bytes().all(|b| b.is_ascii_uppercase());
        let marked = word.len() > bare.len();
        if !bare.bytes().all(|b| b.is_ascii_digit())
            && (shouted || marked || index == 0)
            && let Some(found) = Level::parse_any(bare)
        {
            level = Some(found);
            if index == 0 && (shouted || marked) {
                let after = &message[message.find(word).unwrap_or(0) + word.len()..];
                let after = after.trim_start_matches([':', ' ', '|', '-', ']']);
                if !after.is_empty() {
                    message = after;
                }
            }
            break;
        }
    }
    Line { time, level, message }
}

fn leading_time(text: &str, near: Timestamp) -> Option<(Option<Timestamp>, &str)> {
    let bytes = text.as_bytes();
    if bytes.len() >= 19 && bytes[0].is_ascii_digit() {
        let longest = bytes
            .iter()
            .take(40)
            .take_while(|b| matches!(b, b'0'..=b'9' | b':' | b'.' | b',' | b'-' | b'+' | b'T' | b'Z' | b'/' | b' '))
            .count();
        let dashed;
        let head = &text[..longest];
        let head = if head.contains('/') {
            dashed = head.replace('/', "-");
            dashed.as_str()
        } else {
            head
        };
        for end in (19..=head.len()).rev() {
            if let Some(time) = head.get(..end).and_then(parse_timestamp) {
                return Some((Some(time), &text[end..]));
            }
        }
    }
    let head = text.get(..15)?;
    let year = near.utc().year();
    let parsed = NaiveDateTime::parse_from_str(&format!("{year} {head}"), "%Y %b %e %H:%M:%S").ok()?;
    let mut at = Timestamp(parsed.and_utc().timestamp_micros());
    if at.since_us(near) > 7 * 86_400_000_000 {
        // Lines of December that are read in January.
        let earlier = parsed.with_year(year - 1)?;
        at = Timestamp(earlier.and_utc().timestamp_micros());
    }
    Some((Some(at), &text[15..]))
}

fn web_time(line: &str) -> Option<Timestamp> {
    let open = line.find('[')?;
    let inside = line[open + 1..].split(']').next()?;
    let at = chrono::DateTime::parse_from_str(inside, "%d/%b/%Y:%H:%M:%S %z").ok()?;
    Some(Timestamp(at.timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_levels_of_text() {
        let near = parse_timestamp("2026-11-21T00:00:00Z").expect("a time");
        for (line, time, level, message) in [
            (
                "2026-11-20T10:00:00.5Z ERROR upstream gone",
                "2026-11-20T10:00:00.500Z",
                Some(Level::Error),
                "upstream gone",
            ),
            ("[2026-11-20 10:00:00,123] [WARN] slow", "2026-11-20T10:00:00.123Z", Some(Level::Warn), "slow"),
            ("2026/11/20 10:00:00 started", "2026-11-20T10:00:00.000Z", None, "started"),
            ("Nov 20 10:00:00 host sshd[1]: closed", "2026-11-20T10:00:00.000Z", None, "host sshd[1]: closed"),
            ("Dec 31 23:59:59 host x", "2025-12-31T23:59:59.000Z", None, "host x"),
        ] {
            let found = text(line, near);
            assert_eq!(found, Line { time: parse_timestamp(time), level, message }, "{line}");
        }
        let web = text("10.0.0.1 - - [20/Nov/2026:10:00:00 +0100] \"GET / HTTP/1.1\" 200", near);
        assert_eq!(web.time, parse_timestamp("2026-11-20T09:00:00Z"));
        assert_eq!(text("error: disk full", near).level, Some(Level::Error));
        assert_eq!(text("the error was found", near).level, None);
    }
}
