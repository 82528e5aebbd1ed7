//! Dates with words behind their numbers, halves of the day, and dates behind their time.

use super::cursor::{Cursor, either};
use super::{Day, Spelled};
use crate::number::saturating_i32;
use chrono::NaiveDate;

/// The halves of a day in Chinese, Japanese and Korean, and the hours that each adds.
const HALVES: [(&str, u32); 6] = [("上午", 0), ("下午", 12), ("午前", 0), ("午後", 12), ("오전", 0), ("오후", 12)];

/// What stands behind a year, a month and a day there.
const UNITS: [[&str; 2]; 3] = [["年", "년"], ["月", "월"], ["日", "일"]];

impl Cursor<'_> {
    /// Takes one of the words for a year, a month or a day.
    fn unit(&mut self, index: usize) -> Option<()> {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let word = UNITS[index].iter().find(|word| rest.starts_with(word.as_bytes()))?;
        self.at += word.len();
        Some(())
    }

    /// `2024年5月6日 07:08:00`, `2024년 5월 6일 오전 7:08:00`.
    pub(super) fn units_first(&mut self) -> Option<Spelled> {
        let year = self.digits(4)?;
        self.unit(0)?;
        self.spaces();
        let month = self.number(1, 2)?;
        self.unit(1)?;
        self.spaces();
        let date = self.number(1, 2)?;
        self.unit(2)?;
        let day = Day::Whole(NaiveDate::from_ymd_opt(saturating_i32(year), month, date)?);
        self.spaces();
        let (seconds, micros) = self.clock()?;
        Some(self.zoned((day, seconds, micros)))
    }

    /// `5月 06, 2024 7:08:00 午前`, as Java writes it in Japanese.
    pub(super) fn month_in_units(&mut self) -> Option<Spelled> {
        let month = self.number(1, 2)?;
        self.unit(1)?;
        self.spaces();
        self.behind_month(month)
    }

    /// The same time, with the date that stands behind it, as MinIO writes it: `07:08:00 UTC 05/06/2024`.
    pub(super) fn with_date_behind(&mut self, time: Spelled) -> Spelled {
        let before = self.at;
        let mut date = || {
            let apart = self.spaces() > 0;
            let first = self.number(2, 2).filter(|_| apart)?;
            let separator = self.peek();
            if !(self.take(b'/') || self.take(b'.')) {
                return None;
            }
            let second = self.number(2, 2)?;
            let year = if self.take(separator) { self.number(4, 4)? } else { return None };
            let ends = matches!(self.peek(), 0 | b' ' | b']' | b')' | b',' | b'|' | b'\t' | b'\r');
            either(first, second, saturating_i32(year), separator).filter(|_| ends)
        };
        match date() {
            Some(day) => Spelled { day, ..time },
            None => {
                self.at = before;
                time
            }
        }
    }

    /// The half of a day of twelve hours, and its length: `PM`, `p.m.`, `p. m.`. Before it stands a space perhaps: the
    /// Unicode data of Java 20 and Node 20 have a narrow one that does not break.
    pub(super) fn half_of_day(&self) -> Option<(u32, usize)> {
        let rest = self.bytes.get(self.at..)?;
        let space = |at: usize| {
            let rest = rest.get(at..).unwrap_or_default();
            [" ", "\u{a0}", "\u{202f}"].iter().find(|space| rest.starts_with(space.as_bytes())).map_or(0, |s| s.len())
        };
        let byte = |at: usize| rest.get(at).copied().unwrap_or(0);
        let mut at = space(0);
        if byte(at) >= 0x80 {
            let word = rest.get(at..at + 6)?;
            let half = HALVES.iter().find(|(known, _)| known.as_bytes() == word)?.1;
            return Some((half, at + word.len()));
        }
        let half = match byte(at) {
            b'a' | b'A' => 0,
            b'p' | b'P' => 12,
            _ => return None,
        };
        at += 1;
        let dotted = byte(at) == b'.';
        if dotted {
            at += 1;
            at += space(at);
        }
        if !byte(at).eq_ignore_ascii_case(&b'm') {
            return None;
        }
        at += 1;
        at += usize::from(dotted && byte(at) == b'.');
        (!byte(at).is_ascii_alphanumeric()).then_some((half, at))
    }
}
