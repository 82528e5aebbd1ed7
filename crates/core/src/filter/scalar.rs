//! Parses scalars: numbers with units, times, patterns.

use super::ast::{Scalar, ScalarForm};
use super::parse::ParseError;
use super::predicate::GlobPiece;
use crate::model::{Timestamp, parse_timestamp};
use crate::number::truncated_i64;
use chrono::{Days, Duration, NaiveDate, NaiveTime, TimeZone as _};
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
    /// Whether it is a day.
    whole: bool,
    /// Where it was written as a distance from now: in which direction.
    pub(super) distance: Distance,
}

/// Whether a time was written as a distance from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distance {
    /// `-15m`, `15m ago`
    Ago,
    /// `+10m`
    Ahead,
    /// Any other time.
    None,
}

impl Moment {
    /// The first time after a range that ends with this. A range ends before a time, and with the whole of a day. The only
    /// definition of it.
    pub(super) fn as_end(self) -> Timestamp {
        if self.whole { self.end } else { self.start }
    }
}

/// Parses a duration such as `1h30m` or `5 minutes` into microseconds; a bare number counts in units of `unit` microseconds.
pub(super) fn duration_us(text: &str, unit: Option<f64>) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().ok()?;
        rest = rest[end..].trim_start();
        let end = rest.find(|c: char| !(c.is_alphabetic() || c == 'µ')).unwrap_or(rest.len());
        let scale = match &rest[..end] {
            "" => return (total == 0.0).then(|| unit.map(|unit| number * unit)).flatten(),
            "ns" | "nanosecond" | "nanoseconds" => 1e-3,
            "us" | "µs" | "μs" | "usecs" | "micros" | "microsecond" | "microseconds" => 1.0,
            "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => 1e3,
            "s" | "sec" | "secs" | "second" | "seconds" => 1e6,
            "m" | "min" | "mins" | "minute" | "minutes" => 60e6,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600e6,
            "d" | "day" | "days" => 86_400e6,
            "w" | "week" | "weeks" => 604_800e6,
            "mo" | "month" | "months" => 30.0 * 86_400e6,
            "y" | "year" | "years" => 365.0 * 86_400e6,
            _ => return None,
        };
        total += number * scale;
        rest = rest[end..].trim_start();
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

/// Parses a time or a period: `-15m`, `1h ago`, `+10m`, `now`, `today`, `yesterday`, `2026-11-20`, `2026-11-20T09:00`, `09:20`,
/// `@1763979280`, and RFC 3339.
pub(super) fn moment(scalar: &Scalar, context: &Context, day_of: Option<Timestamp>) -> Result<Moment, ParseError> {
    let text = scalar.text.trim();
    let instant = |at: Timestamp| Moment { start: at, end: at.plus_us(1), whole: false, distance: Distance::None };
    let error = |message: String| ParseError::new(scalar.span.clone(), message);
    let wrong = || {
        error(format!(
            "'{text}' is not a time; write -15m, 09:20, 2026-11-20, 2026-11-20T09:00, a time with a zone or @1763979280"
        ))
    };
    if text == "now" {
        return Ok(instant(context.now));
    }
    let ago = text.strip_suffix(" ago");
    for (distance, length) in
        [(Distance::Ago, ago.or_else(|| text.strip_prefix('-'))), (Distance::Ahead, text.strip_prefix('+'))]
    {
        if let Some(length) = length {
            let us = duration_us(length, None).ok_or_else(wrong)?;
            let us = truncated_i64(if distance == Distance::Ago { -us } else { us });
            return Ok(Moment { distance, ..instant(context.now.plus_us(us)) });
        }
    }
    if let Some(seconds) = text.strip_prefix('@') {
        let seconds: f64 = seconds.parse().map_err(|_| wrong())?;
        return Ok(instant(Timestamp(truncated_i64(seconds * 1e6))));
    }
    let skipped = |at: chrono::NaiveDateTime| {
        error(format!("{} does not exist in {}: its clocks skip it", at.format("%Y-%m-%d %H:%M"), context.zone.name()))
    };
    let local = |at: chrono::NaiveDateTime| {
        let found = context.zone.from_local_datetime(&at).earliest();
        found.map(|at| Timestamp(at.timestamp_micros())).ok_or_else(|| skipped(at))
    };
    let date_of = |at: Timestamp| at.utc().with_timezone(&context.zone).date_naive();
    // Where clocks skip midnight, a day begins later.
    let begin = |date: NaiveDate| {
        let midnight = date.and_time(NaiveTime::MIN);
        (0..=12)
            .find_map(|quarter| local(midnight + Duration::minutes(15 * quarter)).ok())
            .ok_or_else(|| skipped(midnight))
    };
    let day = |date: NaiveDate| {
        let next = date.checked_add_days(Days::new(1)).ok_or_else(wrong)?;
        let end = begin(next).or_else(|_| begin(next.checked_add_days(Days::new(1)).unwrap_or(next)))?;
        Ok(Moment { start: begin(date)?, end, whole: true, distance: Distance::None })
    };
    let today = date_of(context.now);
    match text {
        "today" => return day(today),
        "yesterday" => return day(today.pred_opt().ok_or_else(wrong)?),
        "tomorrow" => return day(today.succ_opt().ok_or_else(wrong)?),
        _ => {}
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return day(date);
    }
    let (date, clock) = match text.split_once(['T', 't', ' ']) {
        Some((date, clock)) => match NaiveDate::parse_from_str(date, "%Y-%m-%d") {
            Ok(date) => (date, clock.trim()),
            Err(_) => return parse_timestamp(text).map(instant).ok_or_else(wrong),
        },
        None if text.contains(':') => (day_of.map_or(today, date_of), text),
        None => return parse_timestamp(text).map(instant).ok_or_else(wrong),
    };
    let (clock, offset_s) = zoned(clock).ok_or_else(wrong)?;
    for (format, us) in [("%H:%M", 60_000_000), ("%H:%M:%S", 1_000_000), ("%H:%M:%S%.f", 1)] {
        if let Ok(time) = NaiveTime::parse_from_str(clock, format) {
            let at = date.and_time(time);
            let start = match offset_s {
                Some(offset) => Timestamp(at.and_utc().timestamp_micros() - offset * 1_000_000),
                None => local(at)?,
            };
            let us = if us == 1 && clock.split_once('.').is_some_and(|(_, f)| f.len() <= 3) { 1000 } else { us };
            return Ok(Moment { end: start.plus_us(us), ..instant(start) });
        }
    }
    parse_timestamp(text).map(instant).ok_or_else(wrong)
}

/// A time of the day without its zone, and the offset of that from UTC in seconds, if it has one: `09:20Z`, `09:20+05:30`.
fn zoned(clock: &str) -> Option<(&str, Option<i64>)> {
    if let Some(time) = clock.strip_suffix(['Z', 'z']) {
        return Some((time.trim_end(), Some(0)));
    }
    let Some(at) = clock.rfind(['+', '-']) else { return Some((clock, None)) };
    Some((clock[..at].trim_end(), Some(offset_s(&clock[at..])?)))
}

/// An offset from UTC in seconds: `+02:00`, `-0330`, `+5`.
pub fn offset_s(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let part = |text: &str, most: i64| {
        let all_digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i64>().ok().filter(|n| all_digits && *n <= most)
    };
    Some(sign * (part(hours, 14)? * 60 + part(minutes, 59)?) * 60)
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

/// The regular expression of a `:` pattern, which ignores case; `*` in a bare word is a glob for the full value.
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
            (c, Some(GlobPiece::Text(text))) => text.extend(c.to_lowercase()),
            (c, _) => pieces.push(GlobPiece::Text(c.to_lowercase().collect())),
        }
    }
    pieces
}

fn is_glob(scalar: &Scalar) -> bool {
    scalar.form == ScalarForm::Bare && scalar.text.contains('*')
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
