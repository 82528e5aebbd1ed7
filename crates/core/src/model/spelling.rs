//! How logs spell times: each spelling that is in use, with what it leaves out (the year, the date, the zone).

mod cursor;
mod epoch;
mod names;
mod units;
mod zones;

use super::Timestamp;
use chrono::{Datelike as _, Duration, NaiveDate, TimeZone as _};
use chrono_tz::Tz;
use cursor::Cursor;

/// A time as it is written. What the text leaves out follows from its surroundings: [`Spelled::resolve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelled {
    day: Day,
    /// Seconds since midnight; 86,400 in a leap second.
    seconds: u32,
    micros: u32,
    zone: Zone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    Whole(NaiveDate),
    /// The day and the month in one of the two orders, and the year. `month_first`: the usual order with its separator.
    Either {
        first: u32,
        second: u32,
        year: i32,
        month_first: bool,
    },
    /// Month and day.
    NoYear(u32, u32),
    /// Only a time of day.
    None,
    /// A number since the epoch: the moment itself, in microseconds.
    Epoch(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    None,
    /// Minutes east of UTC.
    Offset(i32),
    Named(Tz),
}

/// In which order dates that are numbers have the day and the month: `05/06/2024`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayOrder {
    /// The day comes first.
    DayFirst,
    /// The month comes first.
    MonthFirst,
}

/// What completes a time whose text leaves something out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings {
    /// The time is not after this moment: when the file was last written, or the time of the next record.
    pub latest: Timestamp,
    /// The zone of times that name none; UTC where it is absent.
    pub zone: Option<Tz>,
    /// The order of dates that can be read in two; where it is absent, the month is first before `/`, the day before
    /// `-`.
    pub order: Option<DayOrder>,
}

impl Surroundings {
    /// Surroundings in UTC.
    pub const fn before(latest: Timestamp) -> Self {
        Self { latest, zone: None, order: None }
    }
}

/// From the first day of the common era to 1970-01-01.
const DAYS_BEFORE_EPOCH: i64 = 719_163;

/// Words at the beginning of a time take less, in bytes.
const WORDS_BYTES: usize = 24;

/// How far a clock may be ahead of the file's, in microseconds: for a time without a date, and for one without a year.
const AHEAD_US: i64 = 5 * 60 * 1_000_000;
const AHEAD_DAYS_US: i64 = 2 * 86_400 * 1_000_000;

impl Spelled {
    /// Whether neither a date nor a year has to be guessed.
    pub const fn is_whole(&self) -> bool {
        matches!(self.day, Day::Whole(_) | Day::Either { .. } | Day::Epoch(_))
    }

    /// Whether its date is of numbers that could be in two orders, and in which of them alone they are a date.
    pub const fn order(&self) -> Option<Option<DayOrder>> {
        match self.day {
            Day::Either { first: 13.., .. } => Some(Some(DayOrder::DayFirst)),
            Day::Either { second: 13.., .. } => Some(Some(DayOrder::MonthFirst)),
            Day::Either { .. } => Some(None),
            _ => None,
        }
    }

    /// Whether it names no zone.
    pub const fn lacks_zone(&self) -> bool {
        matches!(self.zone, Zone::None) && !self.is_epoch()
    }

    /// Whether it is a number since the epoch.
    pub const fn is_epoch(&self) -> bool {
        matches!(self.day, Day::Epoch(_))
    }

    /// Whether the date is missing, not only the year.
    pub const fn lacks_date(&self) -> bool {
        matches!(self.day, Day::None)
    }

    /// The moment. A missing year or date is the latest one with which the time is not after `around.latest`.
    pub fn resolve(&self, around: Surroundings) -> Timestamp {
        let day = match self.day {
            Day::Epoch(us) => return Timestamp(us),
            Day::Whole(day) => day,
            Day::Either { first, second, year, month_first } => {
                let month_first = around.order.map_or(month_first, |order| order == DayOrder::MonthFirst);
                let (month, date) = if month_first { (first, second) } else { (second, first) };
                let other = || NaiveDate::from_ymd_opt(year, date, month);
                NaiveDate::from_ymd_opt(year, month, date).or_else(other).unwrap_or_default()
            }
            Day::NoYear(month, date) => {
                let limit = around.latest.plus_us(AHEAD_DAYS_US);
                let year = limit.utc().year();
                let fits = |year: i32| {
                    NaiveDate::from_ymd_opt(year, month, date).filter(|day| self.on(*day, around.zone) <= limit)
                };
                (0..9).find_map(|back| fits(year - back)).unwrap_or_default()
            }
            Day::None => {
                let limit = around.latest.plus_us(AHEAD_US);
                let today = limit.utc().date_naive() + Duration::days(1);
                (0..4)
                    .map(|back| today - Duration::days(back))
                    .find(|day| self.on(*day, around.zone) <= limit)
                    .unwrap_or_default()
            }
        };
        self.on(day, around.zone)
    }

    /// The moment on a day.
    fn on(&self, day: NaiveDate, zone: Option<Tz>) -> Timestamp {
        let days = i64::from(day.num_days_from_ce()) - DAYS_BEFORE_EPOCH;
        let local = Timestamp((days * 86_400 + i64::from(self.seconds)) * 1_000_000 + i64::from(self.micros));
        let named = match self.zone {
            Zone::Offset(minutes) => return local.plus_us(-i64::from(minutes) * 60_000_000),
            Zone::Named(zone) => Some(zone),
            Zone::None => zone,
        };
        let moment = |zone: Tz| zone.from_local_datetime(&local.utc().naive_utc()).earliest();
        named.and_then(moment).map_or(local, |at| Timestamp(at.timestamp_micros()))
    }
}

/// Reads the time at the beginning of a text; returns it and the number of bytes that it takes.
pub fn leading_time(text: &str) -> Option<(Spelled, usize)> {
    let mut cursor = Cursor { bytes: text.as_bytes(), at: 0 };
    let found = match cursor.peek() {
        b'0'..=b'9' => cursor.digit_first()?,
        b'@' => cursor.tai64n()?,
        // Behind the name of a day or a month a number comes soon.
        b'A'..=b'Z' | b'a'..=b'z' | 0x80.. if text.bytes().take(WORDS_BYTES).any(|b| b.is_ascii_digit()) => {
            cursor.word_first()?
        }
        _ => return None,
    };
    Some((found, cursor.at))
}

/// Reads a text that is a time and nothing else.
pub fn spelled_time(text: &str) -> Option<Spelled> {
    let text = text.trim();
    let text = text.strip_prefix('[').map_or(text, |inside| inside.trim_end_matches(']'));
    let (found, length) = leading_time(text)?;
    // Go's monotonic clock, and the name of a zone in parentheses, follow some times.
    let rest = text[length..].trim_start();
    (rest.is_empty() || rest.starts_with("m=") || rest.starts_with('(')).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parse_timestamp;

    fn at(text: &str) -> Timestamp {
        parse_timestamp(text).expect("a time")
    }

    #[test]
    fn spellings_of_one_moment() {
        let moment = at("2024-05-06T07:08:00Z");
        for text in [
            "2024/05/06 07:08:00",
            "2024/05/06 - 07:08:00",
            "2024-05-06, 07:08:00 UTC",
            "2024.05.06 07:08:00",
            "2024-05-06 09:08:00 CEST",
            "2024-05-06 00:08:00 PDT",
            "2024-05-06 09:08:00.000000000 +0200 CEST m=+0.100000001",
            "2024-05-06T07:08Z",
            "2024-05-06 09:08:00+02",
            "20240506T070800Z",
            "20240506 07:08:00",
            "20240506-070800",
            "240506 070800",
            "20240506070800000",
            "20240506T070800000Z",
            "2024-W19-1T07:08:00Z",
            "2024 May  6 07:08:00",
            "06MAY2024 07:08:00",
            "6May24:07:08:00",
            "2024-05-06][07:08:00",
            "2024-05-06 -- 07:08:00",
            "240506/070800",
            "6.5.2024 | 07:08:00",
            "2024-05-06;07:08:00",
            "05/06/24|07:08:00",
            "May 6, 2024 @ 07:08:00.000",
            "may/06/2024 07:08:00",
            "07:08:00 UTC 05/06/2024",
            "2024年05月06日 07:08:00",
            "2024年5月6日 上午7:08:00",
            "2024년 5월 6일 오전 7:08:00",
            "5月 06, 2024 7:08:00 午前",
            "五月 06, 2024 7:08:00 上午",
            "06-五月-2024 07:08:00",
            "2024-05-06-09.08.00.000000+120",
            "06.05.24 07:08:00",
            "20240506.070800",
            "20240506:070800",
            "20240506-07:08:00:0",
            "20240506-7:8:0:0",
            "2024-05-06-07.08.00.000000",
            "240506  7:08:00",
            "24/05/06 07:08:00",
            "05/06/2024 07:08:00",
            "5/6/2024, 7:08:00 AM",
            "5/6/2024, 7:08:00\u{202f}AM",
            "5/6/2024, 7:08:00\u{a0}AM",
            "5/6/2024 7:08:00 a.m.",
            "5/6/2024 7:08:00 a. m.",
            "5/6/2024 7:08:00 a.\u{a0}m.",
            "06.05.2024 07:08:00",
            "06-05-2024 07:08:00",
            "06/May/2024:09:08:00 +0200",
            "06/May/2024 07:08:00",
            "06-May-2024 07:08:00.000",
            "06-May-2024 09:08:00 Europe/Berlin",
            "06 May 2024 07:08:00.000",
            "6-May-2024::07:08:00",
            "May 06, 2024 7:08:00 AM",
            "May  6 2024 07:08:00",
            "Mon May 06 07:08:00.000000 2024",
            "Mon May  6 09:08:00 CEST 2024",
            "Mon, 06 May 2024 07:08:00 +0000",
            "Mon, 06 May 2024 07:08:00 GMT",
            "Mon May 06 2024 09:08:00 GMT+0200 (Central European Summer Time)",
            "Monday, 6 May 2024 07:08:00",
            "2024:05:06-07:08:00",
            "2024-05-06 07-08-00",
            "2024-05-06T070800Z",
            "2024-127T07:08:00",
            "May-06-2024 07:08:00",
            "May-06-24 07:08:00",
            "6 mai 2024 07:08:00",
            "2024-05-06T09:08:00[Europe/Berlin]",
            "2024-05-06T09:08:00+02:00[Europe/Berlin]",
            "2024-05-06T07:08:00Z[UTC]",
            "2024-05-06 09:08:00.000 +02",
            "2024-05-06 09:08:00 GMT+2",
            "2024-05-06 09:08:00#+02",
            "06-mai-2024 07:08:00",
            "2024-05-06 12:38:00 UTC+5:30",
            "1.71497928e+09",
            "1.71497928E9",
            "2024 05 06 07:08:00:000",
            "2024 May 06 09:08:00:000 GMT +0200",
            "May 6, 2024, 7:08:00,000 AM Coordinated Universal Time",
            "1714979280",
            "1714979280000",
            "1714979280000000",
            "1714979280000000000",
            "1714979280.000",
            "@40000000663881da00000000",
        ] {
            let found = spelled_time(text).map(|found| found.resolve(Surroundings::before(moment)));
            assert_eq!(found, Some(moment), "{text}");
        }
    }

    #[test]
    fn what_is_left_out_follows_from_the_surroundings() {
        let new_year = Surroundings::before(at("2024-01-02T00:00:00Z"));
        for (text, moment) in [
            ("Dec 31 23:59:58", "2023-12-31T23:59:58Z"),
            ("Jan  1 00:00:01", "2024-01-01T00:00:01Z"),
            ("12-31 23:59:58.500", "2023-12-31T23:59:58.500Z"),
            ("12-31 23:59:58:96", "2023-12-31T23:59:58.096Z"),
            ("0101/000001.25", "2024-01-01T00:00:01.250Z"),
            ("0101 00:00:01.25", "2024-01-01T00:00:01.250Z"),
            ("31 Dec 23:59:58.250", "2023-12-31T23:59:58.250Z"),
            ("déc. 31 23:59:58", "2023-12-31T23:59:58Z"),
            ("31-déc.-2023 23:59:58", "2023-12-31T23:59:58Z"),
            ("Feb 29 12:00:00", "2020-02-29T12:00:00Z"),
            ("23:59:58.123", "2024-01-01T23:59:58.123Z"),
            ("00:00:00", "2024-01-02T00:00:00Z"),
        ] {
            assert_eq!(spelled_time(text).map(|found| found.resolve(new_year)), Some(at(moment)), "{text}");
        }
        let day_first = Surroundings { order: Some(DayOrder::DayFirst), ..new_year };
        for (text, usual, other) in [
            ("05/06/2024 07:08:00", "2024-05-06T07:08:00Z", "2024-06-05T07:08:00Z"),
            ("5/6/24, 7:08:00", "2024-05-06T07:08:00Z", "2024-06-05T07:08:00Z"),
            ("13/06/2024 07:08:00", "2024-06-13T07:08:00Z", "2024-06-13T07:08:00Z"),
            ("13.03.25 07:08:00", "2025-03-13T07:08:00Z", "2025-03-13T07:08:00Z"),
            ("25/03/13 07:08:00", "2025-03-13T07:08:00Z", "2025-03-13T07:08:00Z"),
            ("13/06/2024 07:08:00 p.m.", "2024-06-13T19:08:00Z", "2024-06-13T19:08:00Z"),
            ("13/06/2024 07:08:00.5\u{202f}PM", "2024-06-13T19:08:00.500Z", "2024-06-13T19:08:00.500Z"),
            ("06/13/2024 07:08:00", "2024-06-13T07:08:00Z", "2024-06-13T07:08:00Z"),
            ("05-06-2024 07:08:00", "2024-06-05T07:08:00Z", "2024-06-05T07:08:00Z"),
            ("2024/05/06 07:08:00", "2024-05-06T07:08:00Z", "2024-05-06T07:08:00Z"),
        ] {
            let found = spelled_time(text).expect("a time");
            assert_eq!((found.resolve(new_year), found.resolve(day_first)), (at(usual), at(other)), "{text}");
        }
        let berlin = Surroundings { zone: Some(chrono_tz::Europe::Berlin), ..new_year };
        let summer = spelled_time("2023-07-01 12:00:00").map(|found| found.resolve(berlin));
        assert_eq!(summer, Some(at("2023-07-01T10:00:00Z")));
    }

    #[test]
    fn what_follows_is_left() {
        for (text, rest) in [
            ("2024-05-06 07:08:00 -5 degrees", " -5 degrees"),
            ("2024-05-06 07:08:00 -10 degrees", " -10 degrees"),
            ("2024-05-06 07:08:00 +02 INFO x", " INFO x"),
            ("2024-05-06 07:08:00Z[main] x", "[main] x"),
            ("2024-05-06 07:08:00 ::1 has left", " ::1 has left"),
            ("2024-05-06 07:08:00 --> POST", " --> POST"),
            ("2024-05-06 07:08:00, Info", ", Info"),
            ("2024-05-06 07:08:00,123: INFO", ": INFO"),
            ("2024-05-06 07:08:00.1234|INFO", "|INFO"),
            ("2024-05-06 07:08:00 MSG sent", " MSG sent"),
            ("2024-05-06 07:08:00 a.map is drawn", " a.map is drawn"),
            ("2024-05-06 07:08:00 p. 7 is read", " p. 7 is read"),
            ("May  6 07:08:00 web-1 x", " web-1 x"),
            ("1714979280.123 INFO", " INFO"),
        ] {
            assert_eq!(leading_time(text).map(|(_, length)| &text[length..]), Some(rest), "{text}");
        }
        for text in [
            "",
            "2024",
            "12 monkeys",
            "5 files",
            "192.0.2.1 - -",
            "10.0.0.1",
            "May I",
            "1/3",
            "2024-13-06 07:08:00",
            "7:8",
            "1.5e3",
            "1.2.3.4",
            "2024 12",
            "123456789012345678901",
            "5Mar",
            "7may be",
            "@0x7\u{fffd} ent @0x7\u{fffd} ent @0x7",
        ] {
            assert_eq!(leading_time(text), None, "{text}");
        }
    }
}
