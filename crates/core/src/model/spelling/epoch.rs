//! Times that are numbers since the epoch.

use super::cursor::Cursor;
use super::{Day, Spelled, Zone};
use crate::number::{saturating_i64, truncated_i64};

impl Cursor<'_> {
    /// `1714979280.123`, `1714979280123`: the number of digits decides the unit.
    pub(super) fn epoch(&mut self, run: usize) -> Option<Spelled> {
        let unit = match run {
            9 | 10 => 1_000_000,
            12 | 13 => 1000,
            15 | 16 => 1,
            18 | 19 => 0,
            _ => return None,
        };
        let mut value = 0i64;
        for _ in 0..run {
            value = value.checked_mul(10)?.checked_add(i64::from(self.peek() - b'0'))?;
            self.at += 1;
        }
        let mut us = if unit == 0 { value / 1000 } else { value.checked_mul(unit)? };
        if self.peek() == b'.' && self.ahead(1).is_ascii_digit() {
            let fraction = i64::from(self.fraction());
            us += fraction * unit / 1_000_000;
        }
        let ends = !(self.peek().is_ascii_alphanumeric() || matches!(self.peek(), b'.' | b'-' | b'_' | b'/'));
        ends.then_some(Spelled { day: Day::Epoch(us), seconds: 0, micros: 0, zone: Zone::Offset(0) })
    }

    fn scientific_length(&self) -> usize {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        rest.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+')).count()
    }

    pub(super) fn is_scientific(&self) -> bool {
        self.ahead(1) == b'.' && {
            let end = self.at + self.scientific_length();
            self.bytes[self.at..end].iter().any(|b| b.eq_ignore_ascii_case(&b'e'))
        }
    }

    /// `1.7149792801234567e+09`: seconds since the epoch, as zap writes them on a console.
    pub(super) fn scientific(&mut self) -> Option<Spelled> {
        let length = self.scientific_length();
        let text = std::str::from_utf8(&self.bytes[self.at..self.at + length]).ok()?;
        let seconds = text.parse::<f64>().ok().filter(|n| (1e8..1e10).contains(n))?;
        self.at += length;
        let us = truncated_i64((seconds * 1e6).round());
        Some(Spelled { day: Day::Epoch(us), seconds: 0, micros: 0, zone: Zone::Offset(0) })
    }

    /// `@40000000663881da075bcd15`: TAI64N, as daemontools write it (cr.yp.to/libtai/tai64.html). TAI is 10 s ahead of
    /// the count that multilog starts from.
    pub(super) fn tai64n(&mut self) -> Option<Spelled> {
        let digits = self.bytes.get(self.at + 1..self.at + 25).filter(|digits| digits.is_ascii())?;
        let text = std::str::from_utf8(digits).ok()?;
        let seconds = u64::from_str_radix(&text[..16], 16).ok()?.checked_sub(1 << 62)?.checked_sub(10)?;
        let nanos = u64::from_str_radix(&text[16..], 16).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        self.at += 25;
        let us = saturating_i64(seconds).checked_mul(1_000_000)?.checked_add(saturating_i64(nanos / 1000))?;
        Some(Spelled { day: Day::Epoch(us), seconds: 0, micros: 0, zone: Zone::Offset(0) })
    }
}
