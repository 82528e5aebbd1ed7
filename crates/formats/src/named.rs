//! Ids that stand in a text by their names: `[traceId=4bf9…]`, `request_id=r-1`, as diagnostic contexts write them.

use crate::read::{Form, Found};
use crosstail_core::model::Id;
use std::sync::LazyLock;

/// What every pair of interest has, in one of its spellings.
static SIGNS: LazyLock<[memchr::memmem::Finder<'static>; 3]> =
    LazyLock::new(|| [b"id=".as_slice(), b"Id=", b"ID="].map(memchr::memmem::Finder::new));

/// Values are at most so long, in bytes.
const VALUE_BYTES: usize = 128;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Request,
    Correlation,
    Parent,
}

/// What a name means, whatever its spelling.
fn meaning(name: &str) -> Option<Meaning> {
    let folded: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    Some(match folded.as_str() {
        "requestid" | "reqid" | "xrequestid" => Meaning::Request,
        "traceid" | "correlationid" | "xcorrelationid" | "ddtraceid" | "corrid" => Meaning::Correlation,
        "spanid" | "ddspanid" => Meaning::Parent,
        _ => return None,
    })
}

/// The pairs of a text whose name ends in `id`.
fn pairs(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let of = move |at: usize| {
        let bytes = line.as_bytes();
        // `id=` is found, so the sign stands two bytes behind.
        let sign = at + 2;
        let start = sign - bytes[..sign].iter().rev().take_while(|b| is_name(b)).count();
        let opens = start == 0 || matches!(bytes[start - 1], b' ' | b'\t' | b'[' | b'{' | b'(' | b',' | b'|' | b';');
        let rest = &line[sign + 1..];
        let quoted = rest.starts_with('"');
        let rest = rest.strip_prefix('"').unwrap_or(rest);
        let length = rest.bytes().take_while(|b| is_name(b) || matches!(b, b':' | b'+' | b'/' | b'=')).count();
        let (value, after) = rest.split_at(length);
        let closes = after.is_empty()
            || if quoted {
                after.starts_with('"')
            } else {
                after.starts_with([' ', '\t', ']', '}', ')', ',', '|', ';'])
            };
        let fits = opens && closes && (1..=VALUE_BYTES).contains(&length) && !matches!(value, "-" | "null" | "none");
        fits.then(|| (&line[start..sign], value))
    };
    SIGNS.iter().flat_map(move |sign| sign.find_iter(line.as_bytes())).filter_map(of)
}

impl Found {
    /// Takes the ids that the first line of a text names, where nothing else did. Two values of one name name nothing.
    pub(crate) fn name_ids(&mut self, line: &str) {
        let is_text = matches!(self.form, Form::Text(_) | Form::Head | Form::Plain);
        // What a URL holds is the caller's.
        if !is_text || self.activity.url.is_some() {
            return;
        }
        let found: Vec<(Meaning, &str)> =
            pairs(line).filter_map(|(name, value)| Some((meaning(name)?, value))).collect();
        let only = |wanted: Meaning| {
            let mut values = found.iter().filter(|(meaning, _)| *meaning == wanted).map(|(_, value)| *value);
            let first = values.next()?;
            values.all(|value| value == first).then_some(first)
        };
        let activity = &mut self.activity;
        activity.request_id = activity.request_id.take().or_else(|| only(Meaning::Request).map(Id::parse));
        activity.correlation_id = activity.correlation_id.take().or_else(|| only(Meaning::Correlation).map(Into::into));
        activity.parent_request_id =
            activity.parent_request_id.take().or_else(|| only(Meaning::Parent).map(Into::into));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_stand_apart() {
        for (line, expected) in [
            ("INFO [main] {traceId=4bf9, spanId=00f0} begins", &[("traceId", "4bf9"), ("spanId", "00f0")][..]),
            ("request_id=r-1 [info] begins", &[("request_id", "r-1")]),
            ("begins request_id=\"r 1\" trace.id=\"a\"", &[("trace.id", "a")]),
            ("GET /a?request_id=7 and x&trace_id=8", &[]),
            ("request_id= none", &[]),
            ("größer id=é requestId=1é", &[]),
            ("trace_id=1'", &[]),
        ] {
            let mut found: Vec<_> = pairs(line).collect();
            found.sort_by_key(|(name, _)| line.find(name));
            assert_eq!(found, expected, "{line}");
        }
        assert!(meaning("X-Request-ID") == Some(Meaning::Request) && meaning("order_id").is_none());
    }
}
