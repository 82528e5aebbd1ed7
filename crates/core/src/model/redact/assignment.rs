//! Secrets that are told by the name before them: `password=…`, `"token": "…"`, `<password>…`, `--api-key …`.

use super::behind::behind_scheme;
use super::beside::{beside, listed};
use super::findings::Findings;
use super::judged::{Harmless, behind_wrappers, judged};
use super::names::{LONGEST_NAME, Names};
use std::ops::Range;

/// Headers whose whole value is secret, blanks included.
const WHOLE_HEADERS: &[&str] = &["authorization", "proxy-authorization", "cookie", "set-cookie"];
/// Longest object that is hidden as a whole, in bytes.
const LONGEST_OBJECT: usize = 4096;
/// Longest braces of a connection string, in bytes.
const LONGEST_BRACES: usize = 256;
/// Most blanks between a name and its value: they are aligned in columns.
const MOST_BLANKS: usize = 64;

/// The values of secret names. `places` are where a word of such a name is, in order of their ends.
pub(super) fn named(text: &str, names: &Names, places: &[Range<usize>], found: &mut Findings<'_>) {
    let mut done = 0;
    for place in places {
        if place.start < done {
            continue;
        }
        let Some(name) = name_around(text, place) else { continue };
        let is_asked = found.kept.is_some();
        if !names.is_secret_in_text(&text[name.clone()]) {
            if is_asked
                && names.is_excepted(&text[name.clone()])
                && let Some(Ok(value)) = value_of(text, &name)
            {
                found.keep(value, "name", "`except` names its name");
            }
            continue;
        }
        let value = value_of(text, &name);
        let harmless = value.as_ref().and_then(|value| value.as_ref().err()).map(|one| (one.range.clone(), one.why));
        let value = value.and_then(Result::ok).or_else(|| compared(text, &name)).or_else(|| beside(text, &name));
        if let Some(value) = value {
            done = value.end;
            found.hide(value, "name");
        } else if let Some((range, why)) = harmless {
            found.keep(range, "name", why);
        }
    }
}

/// The whole name that a word is in.
fn name_around(text: &str, word: &Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let is_name =
        |at: usize| bytes.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    let (mut start, mut end) = (word.start, word.end);
    // No further than a name is long: hostile text is one word of a megabyte.
    while start > 0 && end - start <= LONGEST_NAME && is_name(start - 1) {
        start -= 1;
    }
    // `\ntoken=…` in JSON as text.
    let is_escape =
        start < word.start && start > 0 && bytes[start - 1] == b'\\' && matches!(bytes[start], b'n' | b'r' | b't');
    start += usize::from(is_escape);
    while end - start <= LONGEST_NAME && is_name(end) {
        end += 1;
    }
    // A point that ends a sentence is none of the name.
    while end > word.end && matches!(bytes[end - 1], b'.' | b'-') {
        end -= 1;
    }
    (end - start <= LONGEST_NAME).then_some(start..end)
}

/// The text of an element of XML whose name is that of a secret. One that is not closed is a word in angle brackets.
fn element(text: &str, name: &Range<usize>) -> Option<Range<usize>> {
    let head = &text[text.floor_char_boundary(name.start.saturating_sub(LONGEST_NAME))..name.start];
    let prefix = head.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-'));
    if !prefix.ends_with('<') || !(prefix.len() == head.len() || head.ends_with(':')) {
        return None;
    }
    let rest = &text[name.end..];
    let rest = &rest[..rest.floor_char_boundary(LONGEST_OBJECT)];
    let (attributes, inner) = rest.split_once('>')?;
    if attributes.contains('<') || attributes.ends_with('/') || attributes.starts_with(|c: char| !c.is_whitespace()) {
        return None;
    }
    let start = name.end + attributes.len() + 1;
    if let Some(data) = inner.strip_prefix("<![CDATA[") {
        let start = start + inner.len() - data.len();
        return Some(start..start + data.find("]]>").unwrap_or(data.len()));
    }
    let value = &inner[..inner.find('<').unwrap_or(inner.len())];
    let is_closed = inner[value.len()..].starts_with("</");
    let value = if is_closed { value } else { value.split(char::is_whitespace).next().unwrap_or_default() };
    (!value.trim().is_empty()).then_some(start..start + value.len())
}

/// The length of a part of a name in brackets: `password[new]=`.
fn subscript(rest: &str) -> usize {
    let inner = rest.strip_prefix('[').unwrap_or_default();
    let name =
        inner.bytes().take(LONGEST_NAME).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')).count();
    if inner[name..].starts_with("]=") { name + 2 } else { 0 }
}

/// The text of a block of YAML behind `|` or `>`: as far as its lines are indented.
fn block(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?.strip_prefix(['|', '>'])?;
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    if let Some(lines) = rest.strip_prefix("\\n") {
        let line = &lines[..lines.find("\\n").unwrap_or(lines.len())];
        let value = line.trim_start();
        return Some(text.len() - lines.len() + line.len() - value.len()..text.len() - lines.len() + line.len());
    }
    let lines = rest.strip_prefix('\r').unwrap_or(rest).strip_prefix('\n')?;
    let indent = lines.len() - lines.trim_start_matches(' ').len();
    let begins = text.len() - lines.len();
    let (mut end, mut line_start) = (begins, begins);
    for line in lines.split_inclusive('\n').take(LONGEST_OBJECT) {
        let is_inside = line.bytes().take(indent).filter(|b| *b == b' ').count() == indent || line.trim().is_empty();
        if indent == 0 || !is_inside {
            break;
        }
        line_start += line.len();
        end = if line.trim().is_empty() { end } else { line_start - (line.len() - line.trim_end().len()) };
    }
    (end > begins + indent).then_some(begins + indent..end)
}

/// What is in braces: an object under the name of a secret, or a value of a connection string.
fn braces(text: &str, at: usize, called: &str) -> Option<Range<usize>> {
    let inner = text.get(at..)?.strip_prefix('{')?;
    let inner = &inner[..inner.floor_char_boundary(LONGEST_OBJECT)];
    if inner.trim_start().trim_start_matches('\\').starts_with('"') {
        let mut depth = 1;
        let end = inner.bytes().position(|b| {
            depth += i32::from(b == b'{') - i32::from(b == b'}');
            depth == 0
        });
        return Some(at..at + 1 + end.map_or(inner.len(), |end| end + 1));
    }
    let is_password = ["pwd", "password"].iter().any(|word| called.eq_ignore_ascii_case(word));
    let end = inner.bytes().take(LONGEST_BRACES).position(|b| matches!(b, b'}' | b'\n'))?;
    // `{password}` of a template.
    let is_name = inner[..end].bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.'));
    (is_password && !is_name && inner[end..].starts_with('}')).then_some(at + 1..at + 1 + end)
}

/// Where the value of a name is, behind what divides them, or why what stands there is no secret; `None` where nothing does.
fn value_of(text: &str, name: &Range<usize>) -> Option<Result<Range<usize>, Harmless>> {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(b' ');
    let blanks = |mut at: usize| {
        let limit = at + MOST_BLANKS;
        while at < limit && matches!(bytes.get(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        at
    };
    let before = name.start.checked_sub(1).map(byte);
    let called = &text[name.clone()];
    if let Some(value) = element(text, name) {
        return Some(judged(text, called, value, true));
    }
    let mut at = name.end + subscript(&text[name.end..]);
    while matches!(byte(at), b'\\' | b'"' | b'\'' | b'`' | b']') && at < text.len() {
        at += 1;
    }
    let is_quoted_name = at > name.end;
    at = blanks(at);
    if is_quoted_name && byte(at) == b',' {
        return listed(text, name, at + 1).map(Ok);
    }
    let (behind, certain) = divider(text, at, called, is_quoted_name)?;
    // The name of a resource: `arn:aws:secretsmanager:…:secret:prod/db`.
    if before == Some(b':') && byte(at) == b':' && is_in_resource_name(text, name.start) {
        return None;
    }
    at = blanks(behind);
    if let Some(value) = block(text, at) {
        return Some(judged(text, called, value, true));
    }
    // A literal of C#.
    at += usize::from(
        text[at.min(text.len())..].strip_prefix('@').is_some_and(|rest| rest.trim_start_matches('\\').starts_with('"')),
    );
    at = behind_wrappers(text, at);
    if let Some(value) = braces(text, at, called) {
        return Some(judged(text, called, value, true));
    }
    let is_header = WHOLE_HEADERS.iter().any(|header| header.eq_ignore_ascii_case(called));
    let quote = at;
    while byte(at) == b'\\' {
        at += 1;
    }
    let escapes = at - quote;
    let closing = match byte(at) {
        q @ (b'"' | b'\'' | b'`') => Some(q),
        _ => None,
    };
    let Some(closing) = closing else {
        let at = behind_scheme(text, quote);
        let opened = before.filter(|b| matches!(b, b'"' | b'\'' | b'`'));
        let ends = |b: u8| match b {
            b'\r' | b'\n' => true,
            // The value of a header has quotes; one that the header is in ends it.
            b if is_header => Some(b) == opened,
            b'"' | b'\'' => true,
            b' ' | b'\t' | b',' | b';' | b'&' | b'`' | b'}' | b']' | b')' | b'<' | b'>' | b'|' | b'\\' => true,
            _ => false,
        };
        if byte(at) == b'[' && !text[at..].starts_with("[REDACTED") {
            // A list: its values.
            let end = text[at..].find(']').map_or(text.len(), |length| at + length);
            let inner = text[at + 1..end].trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'));
            let start = inner.as_ptr() as usize - text.as_ptr() as usize;
            return Some(judged(text, called, start..start + inner.len(), certain));
        }
        let end = (at..text.len()).find(|at| ends(byte(*at))).unwrap_or(text.len());
        return Some(judged(text, called, at..end, certain));
    };
    let start = behind_scheme(text, at + 1);
    let (mut end, mut before) = (start, 0);
    while end < text.len() {
        if bytes[end] == closing && before <= escapes && (escapes > 0) == (before > 0) {
            break;
        }
        before = if bytes[end] == b'\\' { before + 1 } else { 0 };
        end += 1;
    }
    let end = if end < text.len() { end - escapes.min(end - start) } else { end };
    Some(judged(text, called, start..end, true))
}

/// Whether a place is within the name of a resource of AWS.
fn is_in_resource_name(text: &str, at: usize) -> bool {
    let head = &text[text.floor_char_boundary(at.saturating_sub(LONGEST_NAME * 2))..at];
    head.rsplit(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
        .next()
        .is_some_and(|word| word.starts_with("arn:"))
}

/// Behind what divides a name and its value: `=`, `:`, `=>`, `:=`, `?=`, `===` before a quote. The second says whether it leaves no
/// doubt that a value follows.
fn divider(text: &str, at: usize, name: &str, is_quoted_name: bool) -> Option<(usize, bool)> {
    let rest = &text[at.min(text.len())..];
    // The size of an array, or a type: `secret[25] = "…"`, `token string = "…"`.
    let size =
        rest.strip_prefix('[').and_then(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix(']'));
    let typed = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let is_typed = (2..=12).contains(&(rest.len() - typed.len()))
        && typed.strip_prefix(" = ").is_some_and(|value| value.trim_start_matches('\\').starts_with('"'));
    let rest = size.or_else(|| is_typed.then_some(typed)).unwrap_or(rest).trim_start_matches(' ');
    let sign = &rest[..rest.len() - rest.trim_start_matches(['=', ':', '?', '.', '+', '!', '|', '>']).len()];
    let behind = text.len() - rest.len() + sign.len();
    // In the query of a URL a plus is a blank: `password:+…`.
    let bare = sign.trim_end_matches('+');
    let sign = if matches!(bare, ":" | "=") { bare } else { sign };
    let is_quoted = text[behind..].trim_start_matches([' ', '@', '\\']).starts_with(['"', '\'', '`']);
    match sign {
        "=" | "=>" | ":=" | "::=" | ":::=" | "?=" | ".=" | "+=" | "||=" => Some((behind, true)),
        "==" | "===" | "!=" | "!==" if is_quoted => Some((behind, true)),
        ":" if !rest.starts_with("://") => Some((behind, is_quoted_name)),
        // An option of a command.
        "" if name.starts_with("--") && text[..behind].ends_with([' ', '\t']) => Some((behind, false)),
        _ => None,
    }
}

/// Longest text that is looked at before a comparison, in bytes.
const LONGEST_COMPARED: usize = 256;

/// The value that a name is compared with: `"…" == password`.
fn compared(text: &str, name: &Range<usize>) -> Option<Range<usize>> {
    let head = text[..name.start].trim_end_matches(' ');
    let signs = head.trim_end_matches(['=', '!']);
    let quoted = signs.trim_end_matches(' ');
    let quote = quoted.chars().next_back().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let value = quoted[..quoted.len() - 1].trim_end_matches('\\');
    let start = value[value.floor_char_boundary(value.len().saturating_sub(LONGEST_COMPARED))..].rfind(quote)?;
    let start = value.floor_char_boundary(value.len().saturating_sub(LONGEST_COMPARED)) + start + 1;
    matches!(&head[signs.len()..], "==" | "===" | "!=" | "!==")
        .then(|| judged(text, &text[name.clone()], start..value.len(), true).ok())?
}
