//! Parses scalars: numbers with units, times, patterns.

use super::ast::{Scalar, ScalarForm};
use super::parse::ParseError;
use super::predicate::GlobPiece;
use crate::model::{Timestamp, parse_timestamp};
use crate::number::truncated_i64;
use chrono::{Days, NaiveDate, NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use regex::Regex;

/// What relative and local times in a filter depend on.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The present time.
    pub now: Timestamp,
    /// The time zone of times without one.
    pub zone: Tz,
}

impl Default for Context {
    fn default() -> Self {
        Self { now: Timestamp(1_700_000_000_000_000), zone: Tz::UTC }
    }
}

/// A range of time: `start ≤ t < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// Whether it is a day or another period: as the end of a range, the full period is included.
    pub(super) whole: bool,
}

/// Parses a duration such as `1h30m` into microseconds; a bare number counts in units of `unit` microseconds.
pub(super) fn duration_us(text: &str, unit: Option<f64>) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| !(c.is_alphabetic() || c == 'µ')).unwrap_or(rest.len());
        let scale = match &rest[..end] {
            "" => return (total == 0.0).then(|| unit.map(|unit| number * unit)).flatten(),
            "ns" => 1e-3,
            "us" | "µs" | "μs" | "usecs" | "micros" => 1.0,
            "ms" | "msec" | "msecs" => 1e3,
            "s" | "sec" | "secs" | "seconds" => 1e6,
            "m" | "min" => 60e6,
            "h" => 3600e6,
            "d" => 86_400e6,
            "w" => 604_800e6,
            _ => return None,
        };
        total += number * scale;
        rest = &rest[end..];
    }
    Some(total)
}

/// Parses a number with an optional decimal or binary suffix (`2k`, `1MB`, `4KiB`).
pub(super) fn number(text: &str) -> Option<f64> {
    let end = text
        .char_indices()
        .find(|(i, c)| !(c.is_ascii_digit() || *c == '.' || (*i == 0 && matches!(c, '-' | '+'))))
        .map_or(text.len(), |(i, _)| i);
    let value: f64 = text[..end].parse().ok()?;
    let scale = match text[end..].to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(value * scale)
}

/// Parses a time or a period: `-15m`, `+10m`, `now`, `today`, `yesterday`, `2026-11-20`, `2026-11-20T09:00`, `09:20`.
pub(super) fn moment(scalar: &Scalar, context: &Context, day_of: Option<Timestamp>) -> Result<Moment, ParseError> {
    let text = scalar.text.trim();
    let instant = |at: Timestamp| Moment { start: at, end: at.plus_us(1), whole: false };
    let wrong = || {
        ParseError::new(
            scalar.span.clone(),
            format!("'{text}' is not a time; write -15m, 09:20, 2026-11-20, 2026-11-20T09:00 or with a zone"),
        )
    };
    if text == "now" {
        return Ok(instant(context.now));
    }
    for (sign, prefix) in [(-1.0, '-'), (1.0, '+')] {
        if let Some(length) = text.strip_prefix(prefix) {
            let us = duration_us(length, None).ok_or_else(wrong)?;
            return Ok(instant(context.now.plus_us(truncated_i64(sign * us))));
        }
    }
    let local = |date: NaiveDate, time: NaiveTime| {
        let at = context.zone.from_local_datetime(&date.and_time(time)).earliest()?;
        Some(Timestamp(at.timestamp_micros()))
    };
    let date_of = |at: Timestamp| at.utc().with_timezone(&context.zone).date_naive();
    let day = |date: NaiveDate| {
        Some(Moment {
            start: local(date, NaiveTime::MIN)?,
            end: local(date.checked_add_days(Days::new(1))?, NaiveTime::MIN)?,
            whole: true,
        })
    };
    let today = date_of(context.now);
    match text {
        "today" => return day(today).ok_or_else(wrong),
        "yesterday" => return today.pred_opt().and_then(day).ok_or_else(wrong),
        _ => {}
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return day(date).ok_or_else(wrong);
    }
    let (date, clock) = match text.split_once(['T', ' ']) {
        Some((date, clock)) => (NaiveDate::parse_from_str(date, "%Y-%m-%d").map_err(|_| wrong())?, clock),
        None if text.contains(':') => (day_of.map_or(today, date_of), text),
        None => return parse_timestamp(text).map(instant).ok_or_else(wrong),
    };
    for (format, us) in [("%H:%M", 60_000_000), ("%H:%M:%S", 1_000_000), ("%H:%M:%S%.f", 1)] {
        if let Ok(time) = NaiveTime::parse_from_str(clock, format) {
            let start = local(date, time).ok_or_else(wrong)?;
            let us = if us == 1 && clock.split_once('.').is_some_and(|(_, f)| f.len() <= 3) { 1000 } else { us };
            return Ok(Moment { start, end: start.plus_us(us), whole: false });
        }
    }
    parse_timestamp(text).map(instant).ok_or_else(wrong)
}

/// Which part of a value a pattern must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MatchExtent {
    /// The full value.
    Whole,
    /// Any part of the value.
    Anywhere,
    /// The full value or its beginning.
    Beginning,
}

/// The regular expression of a `:` pattern, which ignores case; `*` and `?` in a bare word are globs for the full
/// value.
pub(super) fn pattern(scalar: &Scalar, extent: MatchExtent) -> Result<Regex, ParseError> {
    if scalar.form == ScalarForm::Regex {
        return regex(scalar);
    }
    let glob = is_glob(scalar);
    let body: String = if glob {
        scalar
            .text
            .chars()
            .map(|c| match c {
                '*' => ".*".to_owned(),
                '?' => ".".to_owned(),
                other => regex::escape(other.encode_utf8(&mut [0; 4])),
            })
            .collect()
    } else {
        regex::escape(&scalar.text)
    };
    let text = match extent {
        _ if glob => format!("(?is)^{body}$"),
        MatchExtent::Whole => format!("(?is)^{body}$"),
        MatchExtent::Anywhere => format!("(?is){body}"),
        MatchExtent::Beginning if is_long(scalar) => format!("(?is)^{body}"),
        MatchExtent::Beginning => format!("(?is)^{body}$"),
    };
    Regex::new(&text).map_err(|_| ParseError::new(scalar.span.clone(), "the pattern is too large"))
}

/// The pieces of a `:` pattern, in lower case.
pub(super) fn pieces(scalar: &Scalar, extent: MatchExtent) -> Vec<GlobPiece> {
    if !is_glob(scalar) {
        let text = GlobPiece::Text(scalar.text.to_lowercase());
        return match extent {
            MatchExtent::Anywhere => vec![GlobPiece::Any, text, GlobPiece::Any],
            MatchExtent::Beginning if is_long(scalar) => vec![text, GlobPiece::Any],
            MatchExtent::Beginning | MatchExtent::Whole => vec![text],
        };
    }
    let mut pieces: Vec<GlobPiece> = Vec::new();
    for c in scalar.text.chars() {
        match (c, pieces.last_mut()) {
            ('*', _) => pieces.push(GlobPiece::Any),
            ('?', _) => pieces.push(GlobPiece::One),
            (c, Some(GlobPiece::Text(text))) => text.extend(c.to_lowercase()),
            (c, _) => pieces.push(GlobPiece::Text(c.to_lowercase().collect())),
        }
    }
    pieces
}

fn is_glob(scalar: &Scalar) -> bool {
    scalar.form == ScalarForm::Bare && scalar.text.contains(['*', '?'])
}

/// Whether the text is long enough to match as a beginning.
fn is_long(scalar: &Scalar) -> bool {
    scalar.text.chars().count() >= 4
}

/// The regular expression of `~` or `/…/`, as written.
pub(super) fn regex(scalar: &Scalar) -> Result<Regex, ParseError> {
    Regex::new(&scalar.text).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or("wrong").trim_start_matches("error: ").to_owned();
        ParseError::new(scalar.span.clone(), format!("not a regular expression: {reason}"))
    })
}
