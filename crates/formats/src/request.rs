//! Requests in messages that no format describes: a method, a path and a status that stand together, in either order, and
//! a duration with a unit behind or between them.

use crate::access::complete_access;
use crate::format::compile;
use crate::read::{Form, Found, Surrounding};
use crate::registry::Formats;
use crosstail_core::model::Kind;
use crosstail_core::schema::{Assembler, Scalar, Target, is_http_method};
use regex::bytes::Regex;
use std::sync::LazyLock;

/// A method that stands apart; most messages have none, which is told quickly.
static METHOD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(
        r#"(?:^|[ |"'(\[])(GET|POST|PUT|DELETE|PATCH|HEAD|OPTIONS|PROPFIND|REPORT|MKCOL|PURGE|M-SEARCH)[ |"'\])\t]"#,
        false,
    )
    .ok()
});

/// Parts of a message that are looked at, and bytes.
const PARTS: usize = 40;
const BYTES: usize = 1024;
/// Parts between a method and its path or its status at most.
const BETWEEN: usize = 6;

/// What logs say between a path and its status.
const LINKS: &[&str] = &[
    "-",
    "--",
    "->",
    "=>",
    "→",
    "status",
    "code",
    "returned",
    "returns",
    "responded",
    "response",
    "completed",
    "finished",
    "with",
    "and",
    "failed",
    "got",
    "in",
    "took",
    "HTTP",
];
/// What stands in front of a number that is a duration or a count.
const MEASURES: &[&str] = &["in", "took", "after", "for", "within"];
/// The first words of the phrases that HTTP has for its codes (RFC 9110, section 15), and what some write for them.
const PHRASES: &[&str] = &[
    "OK",
    "ok",
    "Created",
    "Accepted",
    "No",
    "Partial",
    "Multi-Status",
    "Moved",
    "Found",
    "See",
    "Not",
    "Temporary",
    "Permanent",
    "Bad",
    "Unauthorized",
    "Payment",
    "Forbidden",
    "Method",
    "Proxy",
    "Request",
    "Conflict",
    "Gone",
    "Length",
    "Precondition",
    "Payload",
    "URI",
    "Unsupported",
    "Range",
    "Expectation",
    "Unprocessable",
    "Too",
    "Internal",
    "Service",
    "Gateway",
    "in",
    "bytes",
    "with",
    "took",
    "for",
    "from",
    "by",
    "after",
    // The length of an answer that urllib3 does not know.
    "None",
];

/// One part of a message.
#[derive(Clone, Copy)]
struct Part<'t> {
    text: &'t str,
    /// Where it ends in the message.
    end: usize,
    /// What follows it directly, or the mark of a column behind spaces.
    next: u8,
}

/// A request as a message says it.
#[derive(Debug, PartialEq, Eq)]
struct Call<'t> {
    method: &'t str,
    url: &'t str,
    status: &'t str,
    duration: Option<String>,
    /// What stands behind all that.
    rest: &'t str,
}

impl Formats {
    /// The request that a message tells of; `None` where it tells of none, or of none that is complete.
    pub(crate) fn request_in(&self, message: &str, at: &Surrounding<'_>) -> Option<Found> {
        let Some(call) = call_in(message) else { return self.pointed_in(message, at) };
        let values = [
            (Target::Method, Some(call.method)),
            (Target::Url, Some(call.url)),
            (Target::HttpStatus, Some(call.status)),
            (Target::Duration, call.duration.as_deref()),
        ];
        let mut found = self.of_values(&values, at);
        complete_access(&mut found.activity, &call.rest.replace('|', " "));
        Some(found)
    }

    /// The half of a request that an arrow points from or to.
    fn pointed_in(&self, message: &str, at: &Surrounding<'_>) -> Option<Found> {
        let half = half_in(message)?;
        let values = [
            (Target::Method, half.method),
            (Target::Url, half.url),
            (Target::HttpStatus, half.status),
            (Target::Duration, half.duration),
            (Target::Error, half.error),
        ];
        let mut found = self.of_values(&values, at);
        if found.activity.kind == Kind::Other {
            found.activity.kind = Kind::Log;
        }
        Some(found)
    }

    fn of_values(&self, values: &[(Target, Option<&str>)], at: &Surrounding<'_>) -> Found {
        let schema = self.dialects[self.plain].schema();
        let mut fields = Assembler::default();
        for (target, value) in values {
            if let Some(value) = *value {
                fields.set((*target, 0), Scalar::Text(value.into()));
            }
        }
        let mut activity = fields.finish(schema, at.id.clone(), at.carry);
        activity.places = vec![at.place.clone()];
        Found { activity, form: Form::Head, names_service: false, scope: None, line: None, length: None }
    }
}

/// The half of a request that a line has: what is asked for, or what came back.
#[derive(Debug, Default, PartialEq, Eq)]
struct Half<'t> {
    method: Option<&'t str>,
    url: Option<&'t str>,
    status: Option<&'t str>,
    duration: Option<&'t str>,
    error: Option<&'t str>,
}

/// What stands behind an arrow, as OkHttp, koa and Hono write it: `--> POST /a`, `<-- 502 Bad Gateway https://… (31ms, 7-byte body)`,
/// `<-- HTTP FAILED: …`.
fn half_in(message: &str) -> Option<Half<'_>> {
    let near = message[..message.floor_char_boundary(BYTES)].trim_start();
    // A tag may stand in front.
    let behind = near.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map_or(near, |(_, rest)| rest);
    let rest = ["--> ", "<-- "].iter().find_map(|arrow| behind.strip_prefix(arrow))?;
    if let Some(error) = rest.strip_prefix("HTTP FAILED: ") {
        return Some(Half { error: Some(error.trim_end()), ..Half::default() });
    }
    let mut words = rest.split_ascii_whitespace();
    let first = words.next()?;
    if is_method(first) {
        let url = words.next().filter(|url| is_url(url))?;
        return Some(Half { method: Some(first), url: Some(url), ..Half::default() });
    }
    // A phrase has a few words; OkHttp writes whole addresses.
    let is_address = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
    let is_answer = is_code(first) && behind.starts_with("<-- ");
    let url = words.by_ref().take(BETWEEN).find(is_address).filter(|_| is_answer)?;
    let duration = words.next().and_then(|word| word.strip_prefix('(')).map(|word| word.trim_end_matches([',', ')']));
    let duration = duration.filter(|word| is_measured(word));
    Some(Half { url: Some(url), status: Some(first), duration, ..Half::default() })
}

/// Whether an indented line is what koa and Hono write of a request: `  <-- GET /a`, `  --> GET /a 200 12ms`, `  xxx GET /a 500 1s`.
pub(crate) fn is_pointed(text: &str) -> bool {
    let text = text.trim_start();
    let rest = ["<-- ", "--> ", "xxx ", "-x- "].iter().find_map(|arrow| text.strip_prefix(arrow));
    rest.and_then(|rest| rest.split_once(' ')).is_some_and(|(method, url)| is_method(method) && is_url(url))
}

fn is_method(word: &str) -> bool {
    is_http_method(word) && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
}

fn is_url(word: &str) -> bool {
    word.starts_with('/') || word.starts_with("http://") || word.starts_with("https://")
}

fn call_in(message: &str) -> Option<Call<'_>> {
    let near = &message[..message.floor_char_boundary(BYTES)];
    let found = METHOD.as_ref()?.captures(near.as_bytes())?.get(1)?;
    let parts = parts(near);
    let at = parts.iter().position(|part| part.end == found.end())?;
    let (url_at, url) = url_behind(&parts, at)?;
    let (status_at, status) = (at + 1..url_at)
        .find_map(|index| status_at(&parts, index))
        .or_else(|| status_behind(&parts, url_at))
        .or_else(|| status_before(&parts, at))?;
    let from = at.min(status_at).saturating_sub(2);
    let duration = (from..parts.len()).find_map(|index| duration_at(&parts, index));
    let end = parts[status_at.max(url_at)].end;
    Some(Call { method: parts[at].text, url, status, duration, rest: &message[end..] })
}

/// The parts between spaces, brackets, quotation marks, `|`, `,` and `;`.
fn parts(text: &str) -> Vec<Part<'_>> {
    let apart =
        |c: char| c.is_ascii_whitespace() || matches!(c, '|' | '"' | '\'' | '[' | ']' | '(' | ')' | '<' | ',' | ';');
    let mut found = Vec::new();
    let mut from = 0;
    for (at, mark) in text.char_indices().filter(|(_, c)| apart(*c)).chain([(text.len(), ' ')]) {
        let part = text[from..at].trim_end_matches(':');
        if !part.is_empty() && found.len() < PARTS {
            let next = if part.len() < at - from { b':' } else { u8::try_from(mark).unwrap_or(b' ') };
            found.push(Part { text: part, end: from + part.len(), next });
        } else if let Some(last) = found.last_mut().filter(|last| last.next == b' ' && mark == '|') {
            last.next = b'|';
        }
        from = at + mark.len_utf8();
    }
    found
}

/// The path or URL of a method: near, with nothing between but numbers, addresses and marks.
fn url_behind<'t>(parts: &[Part<'t>], at: usize) -> Option<(usize, &'t str)> {
    for (index, part) in parts.iter().enumerate().skip(at + 1).take(BETWEEN) {
        if is_url(part.text) {
            return Some((index, part.text));
        }
        let scheme = matches!(part.text, "http" | "https" | "-" | "->");
        let light = part.text.bytes().any(|b| b.is_ascii_digit()) || part.text.contains('.');
        if !(scheme || light) || is_http_method(part.text) {
            return None;
        }
    }
    None
}

fn status_behind<'t>(parts: &[Part<'t>], url: usize) -> Option<(usize, &'t str)> {
    for index in (url + 1..parts.len()).take(BETWEEN) {
        if let Some(found) = status_at(parts, index) {
            return Some(found);
        }
        let text = parts[index].text;
        let light = text.bytes().any(|b| b.is_ascii_digit()) || is_unit(text);
        if !(light || LINKS.iter().any(|link| link.eq_ignore_ascii_case(text))) {
            return None;
        }
    }
    None
}

/// A status in front of its method: its phrase follows, or a mark of columns, or an arrow points at it.
fn status_before<'t>(parts: &[Part<'t>], method: usize) -> Option<(usize, &'t str)> {
    let last = method.checked_sub(1)?;
    let arrow = last.checked_sub(1).is_some_and(|before| matches!(parts[before].text, "--" | "->" | "=>" | "←"));
    if arrow && is_code(parts[last].text) {
        return Some((last, parts[last].text));
    }
    (method.saturating_sub(BETWEEN)..method).find_map(|index| {
        let told = matches!(parts[index].next, b'|' | b']') || is_phrase(parts.get(index + 1)?.text);
        status_at(parts, index).filter(|_| told)
    })
}

/// The code of HTTP that a part is: three digits that no unit follows and no word that counts.
fn status_at<'t>(parts: &[Part<'t>], index: usize) -> Option<(usize, &'t str)> {
    let part = parts[index];
    let code = part.text.strip_prefix("status=").or_else(|| part.text.strip_prefix("status:")).unwrap_or(part.text);
    let counted = index.checked_sub(1).is_some_and(|before| MEASURES.contains(&parts[before].text));
    let next = parts.get(index + 1);
    let ends = part.next != b' '
        || next.is_none_or(|next| {
            let light = next.text.bytes().all(|b| !b.is_ascii_alphabetic()) || next.text.starts_with(['/', '-', '{']);
            light || is_phrase(next.text) || is_measured(next.text) || next.text.contains([':', '='])
        });
    (is_code(code) && !counted && ends && !next.is_some_and(|next| is_unit(next.text))).then_some((index, code))
}

fn is_code(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit()) && matches!(text.as_bytes()[0], b'1'..=b'5')
}

fn is_phrase(text: &str) -> bool {
    PHRASES.contains(&text)
}

fn is_unit(text: &str) -> bool {
    matches!(text, "ms" | "s" | "us" | "µs" | "μs" | "ns" | "sec" | "msec" | "seconds" | "milliseconds")
}

/// Whether a text is a number with a unit.
fn is_measured(text: &str) -> bool {
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    digits > 0 && text.starts_with(|c: char| c.is_ascii_digit()) && is_unit(&text[digits..])
}

fn duration_at(parts: &[Part<'_>], index: usize) -> Option<String> {
    let text = parts[index].text;
    let text = text.rsplit(['=', ':']).next().filter(|value| is_measured(value)).unwrap_or(text);
    if is_measured(text) {
        return Some(text.to_owned());
    }
    // `0:00:00.031002`, as Dart and .NET write it.
    let clock = text.matches(':').count() == 2 && text.contains('.') && text.starts_with(|c: char| c.is_ascii_digit());
    if clock && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.')) {
        return Some(text.to_owned());
    }
    let number =
        text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text.starts_with(|c: char| c.is_ascii_digit());
    let unit = parts.get(index + 1).map(|next| next.text).filter(|next| number && is_unit(next))?;
    Some(format!("{text}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_stand_in_many_orders() {
        for (message, method, url, status, duration) in [
            ("200 OK: GET - /a in 31ms", "GET", "/a", "200", Some("31ms")),
            ("500 Internal Server Error: POST - /b in 2031ms", "POST", "/b", "500", Some("2031ms")),
            ("GET /a (31 ms) 200", "GET", "/a", "200", Some("31ms")),
            ("\"GET /a\" 200 31ms", "GET", "/a", "200", Some("31ms")),
            ("GET 200 31ms 192.0.2.7 /a 512", "GET", "/a", "200", Some("31ms")),
            ("POST /b -> 500 (2.031s)", "POST", "/b", "500", Some("2.031s")),
            ("| 192.0.2.7| 200 |  31.002ms|   match| GET      /a     r:/a", "GET", "/a", "200", Some("31.002ms")),
            ("Completed POST /b 500 Internal Server Error in 2.031002s", "POST", "/b", "500", Some("2.031002s")),
            ("0:00:00.031002 GET     [200] /a?x=1", "GET", "/a?x=1", "200", Some("0:00:00.031002")),
            ("GET /a returned 404 after 12ms", "GET", "/a", "404", Some("12ms")),
            (
                "POST https://bank.example.com/pay responded with status 502",
                "POST",
                "https://bank.example.com/pay",
                "502",
                None,
            ),
            ("192.0.2.7 \"PUT /c HTTP/1.1\" 204 512", "PUT", "/c", "204", None),
            ("<-- 200 GET /v1/users 200ms", "GET", "/v1/users", "200", Some("200ms")),
            ("https://bank.example.com:443 \"GET /v1/x HTTP/1.1\" 503 None", "GET", "/v1/x", "503", None),
            (
                "GET 404 https://registry.example.com/shop 31ms (cache skip)",
                "GET",
                "https://registry.example.com/shop",
                "404",
                Some("31ms"),
            ),
        ] {
            let call = call_in(message).unwrap_or_else(|| panic!("no request in {message}"));
            assert_eq!((call.method, call.url, call.status), (method, url, status), "{message}");
            assert_eq!(call.duration.as_deref(), duration, "{message}");
        }
    }

    #[test]
    fn arrows_point_at_halves_of_requests() {
        let url = Some("https://bank.example.com/pay");
        let asked = Half { method: Some("POST"), url, ..Half::default() };
        let answered = Half { url, status: Some("502"), duration: Some("31ms"), ..Half::default() };
        for (message, expected) in [
            ("--> POST https://bank.example.com/pay http/1.1 (31-byte body)", Some(asked)),
            ("<-- 502 Bad Gateway https://bank.example.com/pay (31ms, unknown-length body)", Some(answered)),
            ("[req=ab12] <-- GET /a", Some(Half { method: Some("GET"), url: Some("/a"), ..Half::default() })),
            ("<-- HTTP FAILED: no route", Some(Half { error: Some("no route"), ..Half::default() })),
            ("--> END POST (31-byte body)", None),
            ("<-- END HTTP (7-byte body)", None),
            ("--> get /a", None),
            ("<-- the 502 /a", None),
            ("see --> POST /a", None),
        ] {
            assert_eq!(half_in(message), expected, "{message}");
        }
        assert!(is_pointed("  --> GET /a 200 12ms") && is_pointed("  xxx POST /pay 500 1.2s"));
        assert!(!is_pointed("  --> src/pay.rs:12:5") && !is_pointed("  <-- here it is"));
    }

    #[test]
    fn what_only_speaks_of_a_request_is_none() {
        for message in [
            "begins GET /a",
            "GET /a took 200 ms",
            "GET /a in 200",
            "GET /orders 200 items loaded",
            "retry 200 times before GET /a",
            "we GET a lot of 200 from /a",
            "TARGET /a 200",
            "GET the /a of 200",
            "PUT it at /tmp/x 200 times",
            "got 500 orders, now GET /a",
            "",
        ] {
            assert_eq!(call_in(message), None, "{message}");
        }
    }
}
