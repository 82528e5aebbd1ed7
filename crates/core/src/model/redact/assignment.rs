//! Secrets that are told by what stands before them: a name and its value (`password=…`, `"token": "…"`, `<password>…`,
//! `--api-key …`), a scheme of authentication (`Bearer …`), the user's part of a URL.

use super::names::{LONGEST_NAME, Names};
use std::ops::Range;

/// Schemes of authentication (RFC 9110, section 11.1) and words that are used like one.
pub(super) const SCHEMES: &[&str] = &["bearer ", "basic ", "token ", "digest ", "apikey ", "negotiate ", "ssws "];

/// What can follow the name of a secret without being one.
const HARMLESS: &[&str] = &[
    "yes",
    "no",
    "true",
    "false",
    "null",
    "none",
    "nil",
    "undefined",
    "set",
    "unset",
    "empty",
    "required",
    "missing",
    "invalid",
    "expired",
    "valid",
    "wrong",
    "incorrect",
    "rejected",
    "revoked",
    "mismatch",
    "must",
    "is",
    "was",
    "are",
    "not",
    "cannot",
    "should",
    "has",
    "have",
    "does",
    "and",
    "or",
    "for",
    "authentication",
    "authorization",
    "error",
    "failed",
    "failure",
    "denied",
    "ok",
    "found",
    "unknown",
    "unauthorized",
    "redacted",
    "filtered",
    "hidden",
    "masked",
    "secret",
    "password",
];
/// Headers whose whole value is secret, blanks included.
const WHOLE_HEADERS: &[&str] = &["authorization", "proxy-authorization", "cookie", "set-cookie"];
/// Longest address that is looked at, in bytes.
const LONGEST_ADDRESS: usize = 2048;

/// The values of secret names. `places` are where a word of such a name is, in order of their ends.
pub(super) fn named(text: &str, names: &Names, places: &[Range<usize>], found: &mut Vec<(Range<usize>, &str)>) {
    let mut done = 0;
    for place in places {
        if place.start < done {
            continue;
        }
        let Some(name) = name_around(text, place) else { continue };
        if !names.is_secret_in_text(&text[name.clone()]) {
            continue;
        }
        if let Some(value) = value_of(text, &name).or_else(|| compared(text, &name)) {
            done = value.end;
            found.push((value, "name"));
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

/// Where the value of a name is: behind what divides them.
fn value_of(text: &str, name: &Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(b' ');
    let blanks = |mut at: usize| {
        let limit = at + 4;
        while at < limit && matches!(bytes.get(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        at
    };
    let before = name.start.checked_sub(1).map(byte);
    let called = &text[name.clone()];
    if byte(name.end) == b'>' && (before == Some(b'<') || before == Some(b':')) {
        let end = text[name.end..].find('<').map_or(text.len(), |length| name.end + length);
        return judged(text, called, name.end + 1..end, true);
    }
    let mut at = name.end;
    while matches!(byte(at), b'\\' | b'"' | b'\'' | b'`' | b']') && at < text.len() {
        at += 1;
    }
    let is_quoted_name = at > name.end;
    at = blanks(at);
    let (behind, certain) = divider(text, at, called, is_quoted_name)?;
    at = behind;
    at = blanks(at);
    // A literal of C#.
    at += usize::from(
        text[at.min(text.len())..].strip_prefix('@').is_some_and(|rest| rest.trim_start_matches('\\').starts_with('"')),
    );
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
            return judged(text, called, start..start + inner.len(), certain);
        }
        let end = (at..text.len()).find(|at| ends(byte(*at))).unwrap_or(text.len());
        return judged(text, called, at..end, certain);
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
    judged(text, called, start..end, true)
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
        .then(|| judged(text, &text[name.clone()], start..value.len(), true))?
}

/// Behind a scheme of authentication, which stays.
fn behind_scheme(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at.min(text.len())..];
    let scheme = SCHEMES
        .iter()
        .find(|scheme| rest.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme.as_bytes())));
    at + scheme.map_or(0, |scheme| scheme.len())
}

/// A value, unless it is none. `certain`: what stands before it leaves no doubt that it is a value.
fn judged(text: &str, name: &str, value: Range<usize>, certain: bool) -> Option<Range<usize>> {
    let shown = text.get(value.clone())?;
    let bare = shown.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let lower = name.to_ascii_lowercase();
    let is_placeholder = shown.starts_with("[REDACTED")
        || shown.starts_with("${")
        || shown.starts_with("{{")
        || shown.starts_with('<')
        || (bare.is_empty() && !certain)
        || shown.chars().all(|c| matches!(c, '*' | 'x' | 'X' | '.' | '•'));
    let folder = lower.ends_with("pwd") && shown.starts_with(['/', '~', '$', '.']);
    let word = HARMLESS.iter().any(|word| word.eq_ignore_ascii_case(bare));
    // A number of a session or an address in memory: `sessionid: 0x14ede63a5a70002`.
    let is_number =
        shown.strip_prefix("0x").is_some_and(|hex| hex.len() <= 16 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    // `unexpected token: identifier`: only a password is made of letters alone.
    let is_password = ["pass", "pwd", "secret"].iter().any(|part| lower.contains(part));
    let prose = !certain && !is_password && bare.len() <= 14 && bare.chars().all(|c| c.is_ascii_alphabetic());
    let short = shown.len() < if certain { 1 } else { 3 };
    (!is_placeholder && !folder && !is_number && !word && !prose && !short).then_some(value)
}

/// What follows schemes of authentication, given where each ends, if it looks like a credential.
pub(super) fn behind_schemes(text: &str, names: &Names, ends: &[usize], found: &mut Vec<(Range<usize>, &str)>) {
    for at in ends {
        let mut before = text[..*at].trim_end().rmatch_indices(|c: char| !c.is_ascii_alphabetic());
        let start = before.next().map_or(0, |(index, character)| index + character.len());
        let is_scheme = SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(&text[start..*at]));
        let rest = &text[*at..];
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '+' | '/' | '=' | '-');
        let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let value = rest[..length].trim_end_matches('.');
        // `=` fills up at the end; elsewhere it divides a name from its value.
        let is_pair = value.trim_end_matches('=').contains('=');
        let has_digit = value.bytes().any(|b| b.is_ascii_digit());
        let mixed =
            value.bytes().skip(1).any(|b| b.is_ascii_uppercase()) && value.bytes().any(|b| b.is_ascii_lowercase());
        let sure = has_digit || mixed || value.len() >= 24 || value.contains(['.', '=']);
        let word = start..start + text[start..*at].trim_end().len();
        // `unexpected token …` names no secret.
        if text[word.clone()].eq_ignore_ascii_case("token") && !names.is_mark(text, &word) {
            continue;
        }
        // `token` and `basic` are words of sentences, too.
        let is_word = ["token", "basic"].iter().any(|word| text[start..*at].trim_end().eq_ignore_ascii_case(word))
            || HARMLESS.iter().any(|word| word.eq_ignore_ascii_case(value));
        let looks_like_one = value.len() >= 8 && (sure || !is_word);
        if is_scheme && looks_like_one && !is_pair && !value.contains("://") {
            found.push((*at..*at + value.len(), "scheme"));
        }
    }
}

/// Passwords in addresses, given where each begins behind `://`.
pub(super) fn in_addresses(text: &str, begins: &[usize], found: &mut Vec<(Range<usize>, &str)>) {
    for at in begins {
        let rest = &text[*at..];
        let rest = &rest[..rest.floor_char_boundary(LONGEST_ADDRESS)];
        if memchr::memchr(b'@', rest.as_bytes()).is_none() {
            continue;
        }
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`');
        let whole = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let authority = &whole[..whole.find(['?', '#']).unwrap_or(whole.len())];
        // On the web, `@` may be in the path; in addresses of stores, a password may have `@` and `/`.
        let scheme = text[..*at - 3].rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let is_web = ["http", "https", "ws", "wss", "ftp"].iter().any(|web| web.eq_ignore_ascii_case(scheme));
        let plain = authority.find('/').unwrap_or(authority.len());
        let host = if is_web { authority[..plain].rfind('@') } else { authority.rfind('@') };
        let Some(host) = host else { continue };
        let Some(colon) = authority[..host].find(':') else { continue };
        let is_path = authority[..colon].contains('/') || authority[colon + 1..host].starts_with("//");
        let is_port = authority[colon + 1..host].split('/').next().is_some_and(|port| {
            port.len() <= 5 && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && plain < host
        });
        let value = at + colon + 1..at + host;
        if !is_path && !is_port && !value.is_empty() && !text[value.clone()].starts_with("[REDACTED") {
            found.push((value, "address"));
        }
    }
}
