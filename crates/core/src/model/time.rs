//! Time: one unit (microseconds since the epoch, UTC), one parser, one clock.

use super::spelling::{Spelled, Surroundings, spelled_time};
use crate::number::{saturating_i32, saturating_u32, truncated_i64};
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeZone as _, Utc};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A point in time, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The start of records that have no time: the epoch, so that they have a place in the order of all others.
    pub const UNDATED: Self = Self(0);

    /// The beginning of year 1: what is earlier is no time of a record.
    pub const FIRST: Self = Self(-62_135_596_800_000_000);

    /// The beginning of year 10000: what is as late is no time of a record.
    pub const BEYOND: Self = Self(253_402_300_800_000_000);

    /// The same, where it is a time that a record may have.
    pub fn of_record(self) -> Option<Self> {
        (Self::FIRST..Self::BEYOND).contains(&self).then_some(self)
    }

    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Adds a number of microseconds, which may be negative.
    #[must_use]
    pub const fn plus_us(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// Adds a number of milliseconds, which may be negative.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        self.plus_us(ms.saturating_mul(1000))
    }

    /// Microseconds from `earlier` to this moment.
    pub const fn since_us(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// As a chrono value; the epoch where it is outside chrono's range.
    pub fn utc(self) -> DateTime<Utc> {
        Utc.timestamp_micros(self.0).single().unwrap_or_default()
    }

    /// RFC 3339 in UTC, with milliseconds, or with microseconds where they are not zero.
    pub fn rfc3339(self) -> String {
        let digits = if self.0.rem_euclid(1000) == 0 { SecondsFormat::Millis } else { SecondsFormat::Micros };
        self.utc().to_rfc3339_opts(digits, true)
    }

    /// RFC 3339 with the offset of a zone.
    pub fn rfc3339_in(self, zone: chrono_tz::Tz) -> String {
        let digits = if self.0.rem_euclid(1000) == 0 { SecondsFormat::Millis } else { SecondsFormat::Micros };
        self.utc().with_timezone(&zone).to_rfc3339_opts(digits, true)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let at = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
        Ok(Self(at.timestamp_micros()))
    }
}

/// The only source of the present time. Tests use a fixed one and set it.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until [`Self::set`].
    pub fn fixed(at: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(at.0))))
    }

    /// Sets a fixed clock; has no effect on the clock of the machine.
    pub fn set(&self, at: Timestamp) {
        if let Some(fixed) = &self.0 {
            fixed.store(at.0, Ordering::Relaxed);
        }
    }

    /// The present time.
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(fixed) => Timestamp(fixed.load(Ordering::Relaxed)),
            None => Timestamp(Utc::now().timestamp_micros()),
        }
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || bytes.len() > 18 {
        return None;
    }
    bytes.iter().try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// Days since the epoch of a civil date (Howard Hinnant, "chrono-compatible low-level date algorithms").
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

/// Parses a time as logs write it: RFC 3339 and ISO 8601 (`T` or a space, `.` or `,`, any number of fraction
/// digits, `Z`, `+02:00`, `+0200`, or none, which means UTC), a number since the epoch, whose size decides between
/// seconds (with a fraction), milliseconds, microseconds and nanoseconds, or any other spelling that has a year.
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    iso_or_epoch(text).or_else(|| {
        let whole = spelled_time(text).filter(Spelled::is_whole)?;
        Some(whole.resolve(Surroundings::before(Timestamp::default())))
    })
}

/// The spellings that stores and JSON use almost always, without the detours of the others.
fn iso_or_epoch(text: &str) -> Option<Timestamp> {
    let b = text.as_bytes();
    if b.len() >= 19
        && b[4] == b'-'
        && b[7] == b'-'
        && matches!(b[10], b'T' | b't' | b' ')
        && b[13] == b':'
        && b[16] == b':'
    {
        let (year, month, day) = (digits(&b[0..4])?, digits(&b[5..7])?, digits(&b[8..10])?);
        let (hour, minute, second) = (digits(&b[11..13])?, digits(&b[14..16])?, digits(&b[17..19])?);
        if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        NaiveDate::from_ymd_opt(saturating_i32(year), saturating_u32(month), saturating_u32(day))?;
        let mut us = ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
        us *= 1_000_000;
        let mut rest = &b[19..];
        if let [b'.' | b',', tail @ ..] = rest {
            let length = tail.iter().take_while(|c| c.is_ascii_digit()).count();
            let kept = digits(&tail[..length.min(6)])?;
            us += kept * 10i64.pow(6 - saturating_u32(length.min(6)));
            rest = &tail[length..];
        }
        while let [b' ', tail @ ..] = rest {
            rest = tail;
        }
        let offset = match rest {
            [] | [b'Z' | b'z'] | b"UTC" => 0,
            [sign @ (b'+' | b'-'), tail @ ..] => {
                let (hours, minutes) = match tail {
                    [h1, h2] => (digits(&[*h1, *h2])?, 0),
                    [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?),
                    _ => return None,
                };
                (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
            }
            _ => return None,
        };
        return Some(Timestamp(us - offset * 60_000_000));
    }
    from_epoch(text)
}

/// Digits of a date and a time of this century, `20261127101432`. As milliseconds they would be of the year 2612.
fn of_digits(text: &str) -> Option<Timestamp> {
    let b = text.as_bytes();
    if b.len() != 14 || !b.starts_with(b"20") {
        return None;
    }
    let (year, month, day) = (digits(&b[..4])?, digits(&b[4..6])?, digits(&b[6..8])?);
    let (hour, minute, second) = (digits(&b[8..10])?, digits(&b[10..12])?, digits(&b[12..])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    NaiveDate::from_ymd_opt(saturating_i32(year), saturating_u32(month), saturating_u32(day))?;
    Some(Timestamp((((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000))
}

fn from_epoch(text: &str) -> Option<Timestamp> {
    if let Some(whole) = digits(text.as_bytes()) {
        if let Some(at) = of_digits(text) {
            return Some(at);
        }
        return match whole {
            0..=99_999_999 => None,
            100_000_000..=99_999_999_999 => Some(Timestamp(whole * 1_000_000)),
            100_000_000_000..=99_999_999_999_999 => Some(Timestamp(whole * 1000)),
            100_000_000_000_000..=99_999_999_999_999_999 => Some(Timestamp(whole)),
            _ => Some(Timestamp(whole / 1000)),
        };
    }
    if let Ok(nanos) = text.parse::<i128>()
        && nanos > 99_999_999_999_999_999
    {
        return i64::try_from(nanos / 1000).ok().map(Timestamp);
    }
    let seconds: f64 = text.parse().ok()?;
    if !seconds.is_finite() || seconds.abs() < 1e8 {
        return None;
    }
    let scale = if seconds.abs() < 1e11 {
        1e6
    } else if seconds.abs() < 1e14 {
        1e3
    } else {
        1.0
    };
    Some(Timestamp(truncated_i64((seconds * scale).round())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_time() {
        let expect = Timestamp(1_763_632_800_123_000);
        for text in [
            "2025-11-20T10:00:00.123Z",
            "2025-11-20 10:00:00,123",
            "2025-11-20T12:00:00.123+02:00",
            "2025-11-20T05:30:00.123000-0430",
            "1763632800123",
            "1763632800.123",
            "1763632800123000",
            "1763632800123000000",
        ] {
            assert_eq!(parse_timestamp(text), Some(expect), "{text}");
        }
        assert_eq!(expect.rfc3339(), "2025-11-20T10:00:00.123Z");
        let whole = parse_timestamp("20251120100000").expect("a time");
        assert_eq!(whole.rfc3339(), "2025-11-20T10:00:00.000Z");
        for text in ["", "12", "2025-13-20T10:00:00Z", "2025-02-30T10:00:00Z", "yesterday", "2025-11-20T10:00:00X"] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn agrees_with_chrono() {
        for seconds in (-2_000_000_000i64..4_000_000_000).step_by(12_345_677) {
            let at = Timestamp(seconds * 1_000_000);
            assert_eq!(parse_timestamp(&at.rfc3339()), Some(at));
        }
    }
}
