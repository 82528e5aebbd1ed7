//! Reads a time from the beginning of a text, one spelling after the other.

use super::names::{DAYS, MONTHS, local_month};
use super::{Day, Spelled};
use crate::number::{saturating_i32, saturating_u32};
use chrono::{NaiveDate, Weekday};

/// A day and a month in one of two orders; `None` where they are a date in neither.
pub(super) fn either(first: u32, second: u32, year: i32, separator: u8) -> Option<Day> {
    let of = |month, date| NaiveDate::from_ymd_opt(year, month, date);
    // Nobody sets points behind a month that comes first.
    if separator == b'.'
        && let Some(day) = of(second, first)
    {
        return Some(Day::Whole(day));
    }
    let is_date = of(first, second).or_else(|| of(second, first)).is_some();
    is_date.then_some(Day::Either { first, second, year, month_first: separator == b'/' })
}

pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl Cursor<'_> {
    pub(super) fn peek(&self) -> u8 {
        self.ahead(0)
    }

    pub(super) fn ahead(&self, by: usize) -> u8 {
        self.bytes.get(self.at + by).copied().unwrap_or(0)
    }

    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    pub(super) fn spaces(&mut self) -> usize {
        let start = self.at;
        while self.peek() == b' ' {
            self.at += 1;
        }
        self.at - start
    }

    pub(super) fn run(&self) -> usize {
        self.bytes[self.at.min(self.bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count()
    }

    pub(super) fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let length = self.run();
        if length < least || length > most {
            return None;
        }
        self.digits(length)
    }

    pub(super) fn digits(&mut self, length: usize) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..length {
            let digit = self.peek();
            if !digit.is_ascii_digit() {
                return None;
            }
            value = value.checked_mul(10)?.checked_add(u32::from(digit - b'0'))?;
            self.at += 1;
        }
        Some(value)
    }

    /// The number of the month (from 1) or day (from 0) whose name begins here.
    fn name(&mut self, names: &[[u8; 3]]) -> Option<u32> {
        let head = self.bytes.get(self.at..self.at + 3)?;
        let key = [head[0].to_ascii_lowercase(), head[1].to_ascii_lowercase(), head[2].to_ascii_lowercase()];
        let packed = |name: [u8; 3]| u32::from_le_bytes([name[0], name[1], name[2], 0]);
        let known = names.iter().position(|name| packed(*name) == packed(key));
        if known.is_none() && names.len() != MONTHS.len() {
            return None;
        }
        let long = self.bytes.get(self.at..self.at + 11.min(self.bytes.len() - self.at))?;
        let length = long.iter().take_while(|b| b.is_ascii_alphabetic() || **b >= 0x80).count();
        if !(3..=10).contains(&length) {
            return None;
        }
        let word = &long[..length];
        let index = match known {
            Some(index) if word.is_ascii() => index,
            _ if names.len() == MONTHS.len() && self.before_number(length) => local_month(word)?,
            _ => return None,
        };
        self.at += length;
        self.take(b'.');
        Some(saturating_u32(index))
    }

    /// Whether a number follows a word of a length: only then it may be a month.
    fn before_number(&self, length: usize) -> bool {
        let rest = self.bytes.get(self.at + length..).unwrap_or_default();
        let next = rest.iter().find(|b| !matches!(b, b' ' | b'.' | b'-'));
        rest.first().is_some_and(|b| matches!(b, b' ' | b'.' | b'-')) && next.is_some_and(u8::is_ascii_digit)
    }

    /// A time that begins with a digit.
    pub(super) fn digit_first(&mut self) -> Option<Spelled> {
        let run = self.run();
        match (run, self.ahead(run)) {
            // Chromium writes `0506/070800.123456`.
            (4, b'/')
                if self.bytes.get(self.at + 5..self.at + 11).is_some_and(|six| six.iter().all(u8::is_ascii_digit)) =>
            {
                self.month_and_day()
            }
            (4, b'-' | b'/' | b'.' | b':') => self.year_first(),
            (1 | 2, b':') => {
                let (seconds, micros) = self.clock()?;
                let found = self.zoned((Day::None, seconds, micros));
                Some(self.with_date_behind(found))
            }
            (4, 0x80..) => self.units_first(),
            (1 | 2, 0x80..) => self.month_in_units(),
            (2 | 1, b'/' | b'-' | b'.' | b' ') if !self.is_scientific() => self.short_first(),
            (8, b'T' | b't' | b' ' | b'-' | b'_' | b'.' | b':') | (14 | 17, _) if self.is_compact() => self.compact(),
            (1 | 2, b'A'..=b'Z' | b'a'..=b'z') => self.attached_month(),
            (6, b' ' | b'/') => self.six_digits(),
            (4, b' ') if self.peek() <= b'1' && self.bytes.get(self.at..self.at + 2) != Some(b"19") => {
                self.month_and_day()
            }
            // SAP and TIBCO write `2024 05 06 07:08:00:123`.
            (4, b' ') => self.year_first(),
            (1, b'.') => self.scientific(),
            (9..=19, _) => self.epoch(run),
            _ => None,
        }
    }

    /// `2024-05-06T07:08:00.123Z`, `2024/05/06 - 07:08:00`, `2024-05-06, 07:08:00 UTC`.
    fn year_first(&mut self) -> Option<Spelled> {
        let year = self.digits(4)?;
        let separator = self.peek();
        self.at += 1;
        if separator == b'-' && self.run() == 3 {
            // The day of the year (ISO 8601).
            let day = NaiveDate::from_yo_opt(saturating_i32(year), self.digits(3)?)?;
            self.between()?;
            let (seconds, micros) = self.clock()?;
            return Some(self.zoned((Day::Whole(day), seconds, micros)));
        }
        if separator == b'-' && self.peek() == b'W' && self.ahead(3) == b'-' {
            // The week of the year and its day, Monday is 1 (ISO 8601).
            self.at += 1;
            let week = self.digits(2)?;
            self.at += 1;
            let weekday = Weekday::try_from(u8::try_from(self.digits(1)?.checked_sub(1)?).ok()?).ok()?;
            let day = Day::Whole(NaiveDate::from_isoywd_opt(saturating_i32(year), week, weekday)?);
            self.between()?;
            let (seconds, micros) = self.clock()?;
            return Some(self.zoned((day, seconds, micros)));
        }
        let month = if self.peek().is_ascii_digit() { self.number(1, 2)? } else { self.name(&MONTHS)? + 1 };
        if separator == b' ' {
            // Cisco and rsyslog fill the day up: `2024 May  6`.
            if self.spaces() == 0 {
                return None;
            }
        } else if !self.take(separator) {
            return None;
        }
        let date = self.number(1, 2)?;
        let day = Day::Whole(NaiveDate::from_ymd_opt(saturating_i32(year), month, date)?);
        self.between()?;
        // DB2 and the logs of IBM separate the parts of a time by points, and some by hyphens.
        let points = self.run() == 2 && matches!(self.ahead(2), b'.' | b'-') && self.ahead(5) == self.ahead(2);
        let (seconds, micros) = if points { self.pointed_clock()? } else { self.packed_clock()? };
        Some(self.zoned((day, seconds, micros)))
    }

    /// `15.42.50.675872`.
    fn pointed_clock(&mut self) -> Option<(u32, u32)> {
        let hour = self.digits(2)?;
        self.at += 1;
        let minute = self.digits(2)?;
        self.at += 1;
        let second = self.digits(2)?;
        (hour < 24 && minute < 60 && second <= 60).then_some(())?;
        Some((hour * 3600 + minute * 60 + second, self.fraction()))
    }

    /// What stands between a date and a time of day.
    fn between(&mut self) -> Option<()> {
        let start = self.at;
        if self.peek() == b':' && self.ahead(1) == b':' && self.ahead(2).is_ascii_digit() {
            // Erlang writes `6-May-2024::07:08:00`.
            self.at += 2;
            return Some(());
        }
        if matches!(self.peek(), b'T' | b't' | b':' | b'_' | b'-') && self.ahead(1).is_ascii_digit() {
            self.at += 1;
            return Some(());
        }
        // Two groups in brackets: `[2024-05-06][07:08:00]`.
        if self.peek() == b']' && self.ahead(1) == b'[' && self.ahead(2).is_ascii_digit() {
            self.at += 2;
            return Some(());
        }
        self.take(b',');
        self.spaces();
        if !self.peek().is_ascii_digit() {
            self.apart();
        }
        (self.at > start && (self.peek().is_ascii_digit() || self.half_of_day().is_some())).then_some(())
    }

    /// A mark that sets the time of day apart from its date, and the spaces behind it: `2024-05-06 -- 07:08:00`,
    /// `06.05.2024 | 07:08:00`, `May 6, 2024 @ 07:08:00` (Kibana).
    fn apart(&mut self) {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let mark = [b"- ".as_slice(), b"-- ", b"at ", b"@ ", b"| ", b"|", b"; ", b";"].into_iter();
        if let Some(mark) = mark.into_iter().find(|mark| rest.starts_with(mark)) {
            self.at += mark.len();
            self.spaces();
        }
    }

    /// `06/May/2024:07:08:00 +0200`, `06-May-2024 07:08:00.123`, `06 May 2024 07:08:00`, `05/16/2024, 7:08:00 AM`,
    /// `16.05.2024 07:08:00`, `24/05/06 07:08:00`, `05-06 07:08:00.123`.
    fn short_first(&mut self) -> Option<Spelled> {
        let first = self.number(1, 2)?;
        let separator = self.peek();
        self.at += 1;
        if separator == b' ' {
            self.spaces();
        }
        if self.peek().is_ascii_alphabetic() || self.peek() >= 0x80 {
            let month = self.name(&MONTHS)? + 1;
            if !(self.take(separator) || self.take(b' ') || self.take(b'-')) {
                return None;
            }
            if matches!((self.run(), self.ahead(self.run())), (1 | 2, b':')) {
                let (seconds, micros) = self.clock().filter(|_| (1..=31).contains(&first))?;
                return Some(self.zoned((Day::NoYear(month, first), seconds, micros)));
            }
            let year = self.year()?;
            let day = Day::Whole(NaiveDate::from_ymd_opt(year, month, first)?);
            self.between()?;
            let (seconds, micros) = self.clock()?;
            return Some(self.zoned((day, seconds, micros)));
        }
        if separator == b' ' {
            return None;
        }
        let second = self.number(1, 2)?;
        let day = if self.take(separator) {
            let length = self.run();
            let third = self.number(2, 4)?;
            // Two digits each: the year is first (Spark) where that cannot be a month, and no points say that the day is.
            let of = |year: u32, month, date| NaiveDate::from_ymd_opt(saturating_i32(year) + 2000, month, date);
            let dotted = separator == b'.' && of(third, second, first).is_some();
            let year_first = of(first, second, third).filter(|_| length == 2 && first >= 13 && !dotted);
            match (length, year_first) {
                (2, Some(day)) => Day::Whole(day),
                (2, None) => either(first, second, saturating_i32(third) + 2000, separator)?,
                (4, _) => either(first, second, saturating_i32(third), separator)?,
                _ => return None,
            }
        } else {
            if !(1..=12).contains(&first) || !(1..=31).contains(&second) {
                return None;
            }
            self.between()?;
            let (seconds, micros) = self.clock()?;
            return Some(self.zoned((Day::NoYear(first, second), seconds, micros)));
        };
        self.between()?;
        let (seconds, micros) = self.clock()?;
        Some(self.zoned((day, seconds, micros)))
    }

    fn year(&mut self) -> Option<i32> {
        let length = self.run();
        let year = saturating_i32(self.number(2, 4)?);
        match length {
            4 => Some(year),
            2 => Some(year + 2000),
            _ => None,
        }
    }

    /// `20240506T070805Z`, `20240506 07:08:05`, `20240506-070805.123`, `20240506070805`, `20240506070805123`.
    fn compact(&mut self) -> Option<Spelled> {
        let (year, month, date) = (self.digits(4)?, self.digits(2)?, self.digits(2)?);
        let day = Day::Whole(NaiveDate::from_ymd_opt(saturating_i32(year), month, date)?);
        if !(1970..2100).contains(&year) {
            return None;
        }
        if !self.peek().is_ascii_digit() {
            self.at += 1;
        }
        let (seconds, micros) = self.packed_clock()?;
        Some(self.zoned((day, seconds, micros)))
    }

    /// `06MAY2024 07:08:00`, `06MAY2024:07:08:00` (SAS), `6May24 07:08:00`.
    fn attached_month(&mut self) -> Option<Spelled> {
        let date = self.number(1, 2)?;
        let head = self.bytes.get(self.at..self.at + 3)?;
        let lower = [head[0].to_ascii_lowercase(), head[1].to_ascii_lowercase(), head[2].to_ascii_lowercase()];
        let month = saturating_u32(MONTHS.iter().position(|name| *name == lower)?) + 1;
        self.at += 3;
        let year = self.year()?;
        let day = Day::Whole(NaiveDate::from_ymd_opt(year, month, date)?);
        self.between()?;
        let (seconds, micros) = self.clock()?;
        Some(self.zoned((day, seconds, micros)))
    }

    /// Whether digits in one piece may be a date and a time: they begin with a year of our time.
    fn is_compact(&self) -> bool {
        self.run() != 17 || matches!(self.bytes.get(self.at..self.at + 2), Some(b"19" | b"20"))
    }

    /// `240506 070800`, `240506  7:08:00`.
    fn six_digits(&mut self) -> Option<Spelled> {
        let (year, month, date) = (self.digits(2)?, self.digits(2)?, self.digits(2)?);
        let day = Day::Whole(NaiveDate::from_ymd_opt(saturating_i32(year) + 2000, month, date)?);
        // hapi writes `240506/070800.123`.
        if !self.take(b'/') {
            self.spaces();
        }
        let (seconds, micros) = self.packed_clock()?;
        Some(self.zoned((day, seconds, micros)))
    }

    /// `0506 07:08:00.123456`, as klog and glog write it.
    pub(super) fn month_and_day(&mut self) -> Option<Spelled> {
        let (month, date) = (self.digits(2)?, self.digits(2)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&date) {
            return None;
        }
        if !self.take(b'/') {
            self.spaces();
        }
        let (seconds, micros) = self.packed_clock()?;
        Some(self.zoned((Day::NoYear(month, date), seconds, micros)))
    }

    /// A time of day with colons, or six digits without, or nine with milliseconds.
    fn packed_clock(&mut self) -> Option<(u32, u32)> {
        let run = self.run();
        if !matches!(run, 6 | 9) {
            return self.clock();
        }
        let (hour, minute, second) = (self.digits(2)?, self.digits(2)?, self.digits(2)?);
        (hour < 24 && minute < 60 && second <= 60).then_some(())?;
        let micros = if run == 9 { self.digits(3)? * 1000 } else { self.fraction() };
        Some((hour * 3600 + minute * 60 + second, micros))
    }

    /// `07:08:00.123`, `7:08:00 AM`, `07:08`.
    pub(super) fn clock(&mut self) -> Option<(u32, u32)> {
        // Chinese and Korean have the half of the day in front: `下午2:20:33`.
        let before = self.half_of_day().filter(|_| self.peek() >= 0x80);
        if let Some((_, length)) = before {
            self.at += length;
            self.spaces();
        }
        let mut hour = self.number(1, 2)?;
        if !self.take(b':') {
            return None;
        }
        let minutes = self.run();
        let minute = self.number(1, 2)?;
        let (second, micros) = if self.peek() == b':' && self.ahead(1).is_ascii_digit() {
            self.at += 1;
            (self.number(1, 2)?, self.fraction())
        } else if minutes == 2 {
            (0, 0)
        } else {
            return None;
        };
        if self.peek().is_ascii_digit() {
            return None;
        }
        if let Some((half, _)) = before {
            hour = if hour <= 12 { hour % 12 + half } else { hour };
        } else if let Some((half, length)) = self.half_of_day().filter(|_| (1..=12).contains(&hour)) {
            hour = hour % 12 + half;
            self.at += length;
        }
        (hour < 24 && minute < 60 && second <= 60).then_some((hour * 3600 + minute * 60 + second, micros))
    }

    /// The fraction of a second, in microseconds; finer digits are cut.
    pub(super) fn fraction(&mut self) -> u32 {
        let mark = self.peek();
        if !matches!(mark, b'.' | b',' | b':') {
            return 0;
        }
        self.at += 1;
        let length = self.run();
        let ends = !(self.ahead(length).is_ascii_alphanumeric() || self.ahead(length) == b':');
        if length == 0 || (mark == b':' && (length > 3 || !ends)) {
            self.at -= 1;
            return 0;
        }
        if mark == b':' {
            // Behind a colon stand milliseconds, not digits of a fraction.
            return self.digits(length).unwrap_or(0) * 1000;
        }
        let mut micros = 0;
        for index in 0..6 {
            let digit = if index < length { u32::from(self.ahead(index) - b'0') } else { 0 };
            micros = micros * 10 + digit;
        }
        self.at += length;
        micros
    }

    /// `May  6 07:08:00`, `May 06, 2024 7:08:00 AM`, `Mon May 06 07:08:00.123456 2024`, `Mon, 06 May 2024 07:08:00 +0000`.
    pub(super) fn word_first(&mut self) -> Option<Spelled> {
        if self.name(&DAYS).is_some() {
            self.take(b',');
            if self.spaces() == 0 {
                return None;
            }
            if self.peek().is_ascii_digit() {
                return match self.run() {
                    4 => self.year_first(),
                    _ => self.short_first(),
                };
            }
        }
        let month = self.name(&MONTHS)? + 1;
        let mark = self.peek();
        if matches!(mark, b'-' | b'/') {
            // `May-06-2024 07:08:00`, `may/06/2024 07:08:00` (RouterOS).
            self.at += 1;
            let date = self.number(1, 2)?;
            let year = if self.take(mark) { self.year()? } else { return None };
            let day = Day::Whole(NaiveDate::from_ymd_opt(year, month, date)?);
            self.between()?;
            let (seconds, micros) = self.clock()?;
            return Some(self.zoned((day, seconds, micros)));
        }
        if self.spaces() == 0 {
            return None;
        }
        self.behind_month(month)
    }

    /// What follows the name of a month: `6 07:08:00`, `06, 2024 7:08:00 AM`.
    pub(super) fn behind_month(&mut self, month: u32) -> Option<Spelled> {
        let date = self.number(1, 2).filter(|date| (1..=31).contains(date))?;
        self.take(b',');
        if self.spaces() == 0 {
            return None;
        }
        let mut year = None;
        if self.run() == 4 {
            year = Some(saturating_i32(self.digits(4)?));
            self.take(b',');
            self.spaces();
            self.apart();
        }
        let (seconds, micros) = self.clock()?;
        let mut found = self.zoned((Day::NoYear(month, date), seconds, micros));
        if year.is_none() {
            let before = self.at;
            if self.spaces() > 0 && self.run() == 4 {
                let written = self.digits(4)?;
                let ends = matches!(self.peek(), 0 | b' ' | b']' | b',' | b':' | b')' | b'\t' | b'|');
                if ends && (1970..2100).contains(&written) {
                    year = Some(saturating_i32(written));
                }
            }
            if year.is_none() {
                self.at = before;
            }
        }
        if let Some(year) = year {
            found.day = Day::Whole(NaiveDate::from_ymd_opt(year, month, date)?);
        }
        Some(found)
    }
}
