//! The zone behind a time: an offset, a word, or the name of a place.

use super::cursor::Cursor;
use super::{Day, Spelled, Zone};
use crate::number::saturating_i32;
use chrono_tz::Tz;

/// Words for zones and their minutes east of UTC. Where a word has several meanings, the one that logs have.
const ZONES: &[(&str, i32)] = &[
    ("UTC", 0),
    ("GMT", 0),
    ("WET", 0),
    ("WEST", 60),
    ("BST", 60),
    ("CET", 60),
    ("MET", 60),
    ("CEST", 120),
    ("MEST", 120),
    ("EET", 120),
    ("SAST", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("IST", 330),
    ("WIB", 420),
    ("HKT", 480),
    ("SGT", 480),
    ("AWST", 480),
    ("JST", 540),
    ("KST", 540),
    ("ACST", 570),
    ("AEST", 600),
    ("ACDT", 630),
    ("AEDT", 660),
    ("NZST", 720),
    ("NZDT", 780),
    ("BRT", -180),
    ("ART", -180),
    ("NST", -210),
    ("AST", -240),
    ("EDT", -240),
    ("EST", -300),
    ("CDT", -300),
    ("CST", -360),
    ("MDT", -360),
    ("MST", -420),
    ("PDT", -420),
    ("PST", -480),
    ("AKDT", -480),
    ("AKST", -540),
    ("HST", -600),
];

/// Zones in words, as Java spells them since version 9.
const LONG_ZONES: &[(&str, i32)] = &[
    ("Coordinated Universal Time", 0),
    ("Greenwich Mean Time", 0),
    ("British Summer Time", 60),
    ("Central European Standard Time", 60),
    ("Central European Time", 60),
    ("Central European Summer Time", 120),
    ("Eastern Standard Time", -300),
    ("Eastern Daylight Time", -240),
    ("Central Standard Time", -360),
    ("Central Daylight Time", -300),
    ("Pacific Standard Time", -480),
    ("Pacific Daylight Time", -420),
    ("India Standard Time", 330),
    ("Japan Standard Time", 540),
];

/// How an offset stands behind a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Attached,
    Apart,
    /// Behind the name of a zone from which it counts.
    BehindWord,
}

impl Cursor<'_> {
    /// Reads the zone behind a time, if one follows.
    pub(super) fn zoned(&mut self, (day, seconds, micros): (Day, u32, u32)) -> Spelled {
        let start = self.at;
        let spaces = self.spaces();
        // SAP separates the offset by `#`.
        if self.peek() == b'#' && matches!(self.ahead(1), b'+' | b'-') {
            self.at += 1;
        }
        let mut zone = self.zone(spaces > 0);
        if zone == Zone::None {
            self.at = start;
        }
        // Java names the place in brackets, behind the offset or without it.
        let here = self.at;
        if self.take(b'[') {
            match self.zone_name().or_else(|| self.universal()).filter(|_| self.take(b']')) {
                Some(named) if zone == Zone::None => zone = Zone::Named(named),
                Some(_) => {}
                None => self.at = here,
            }
        }
        Spelled { day, seconds, micros, zone }
    }

    fn zone(&mut self, apart: bool) -> Zone {
        let here = self.at;
        match self.peek() {
            b'+' | b'-' => {
                let Some(minutes) = self.offset(if apart { Stands::Apart } else { Stands::Attached }) else {
                    self.at = here;
                    return Zone::None;
                };
                // Go writes the word behind the offset.
                let after = self.at;
                if self.spaces() == 0 || self.zone_word().is_none() {
                    self.at = after;
                }
                Zone::Offset(minutes)
            }
            b'A'..=b'Z' | b'z' => {
                if let Some(minutes) = self.zone_word() {
                    let after = self.at;
                    // TIBCO sets the offset apart: `GMT +0200`.
                    if self.bytes.get(self.at..self.at + 2).is_some_and(|next| matches!(next, b" +" | b" -"))
                        && self.bytes[..self.at].ends_with(b"GMT")
                    {
                        self.at += 1;
                    }
                    return match self.offset(Stands::BehindWord) {
                        Some(more) => Zone::Offset(minutes + more),
                        None => {
                            self.at = after;
                            Zone::Offset(minutes)
                        }
                    };
                }
                self.zone_name().map_or(Zone::None, Zone::Named)
            }
            _ => Zone::None,
        }
    }

    fn zone_word(&mut self) -> Option<i32> {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        if let Some((words, minutes)) = LONG_ZONES.iter().find(|(words, _)| rest.starts_with(words.as_bytes())) {
            self.at += words.len();
            return Some(*minutes);
        }
        let length = rest.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let next = rest.get(length).copied().unwrap_or(0);
        if length > 5 || next.is_ascii_digit() || matches!(next, b'/' | b'_' | b'.') {
            return None;
        }
        let word = &rest[..length];
        if matches!(word, b"Z" | b"z") {
            self.at += 1;
            return Some(0);
        }
        let (_, minutes) = ZONES.iter().find(|(known, _)| known.as_bytes() == word)?;
        self.at += length;
        Some(*minutes)
    }

    /// `Europe/Berlin`.
    fn zone_name(&mut self) -> Option<Tz> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-')).count();
        let name = std::str::from_utf8(&rest[..length]).ok().filter(|name| name.contains('/'))?;
        let zone = name.parse().ok()?;
        self.at += length;
        Some(zone)
    }

    /// Whether two digits that are set apart are hours, and no number of the message (`-10 degrees`): a zero leads them, or a
    /// level, a bracket or nothing follows.
    fn is_offset_of_hours(&self) -> bool {
        let next = self.ahead(2);
        let apart =
            next == b' ' && (self.peek() == b'0' || self.ahead(3).is_ascii_uppercase() || self.ahead(3) == b'[');
        apart || matches!(next, 0 | b']' | b',' | b'|')
    }

    /// `UTC` in the brackets in which Java names a place.
    fn universal(&mut self) -> Option<Tz> {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let word = [b"UTC]".as_slice(), b"GMT]", b"Z]"].into_iter().find(|word| rest.starts_with(word))?;
        self.at += word.len() - 1;
        Some(Tz::UTC)
    }

    /// `+02:00`, `+0200`, `+02`; behind a word (`GMT+2`) also one digit.
    fn offset(&mut self, stands: Stands) -> Option<i32> {
        let sign = match self.peek() {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.at += 1;
        let run = self.run();
        let (hours, minutes) = match (run, self.ahead(2)) {
            (4, _) => (self.digits(2)?, self.digits(2)?),
            // DB2 counts minutes.
            (3, _) if stands == Stands::Attached => {
                let minutes = self.digits(3)?;
                (minutes / 60, minutes % 60)
            }
            (2, b':') if self.ahead(3).is_ascii_digit() => {
                let hours = self.digits(2)?;
                self.at += 1;
                (hours, self.number(2, 2)?)
            }
            (2, _) if stands != Stands::Apart || self.is_offset_of_hours() => (self.digits(2)?, 0),
            (1, _) if stands == Stands::BehindWord => {
                let hours = self.digits(1)?;
                let minutes = if self.take(b':') { self.number(2, 2)? } else { 0 };
                (hours, minutes)
            }
            _ => return None,
        };
        (hours <= 15 && minutes < 60 && !self.peek().is_ascii_alphabetic())
            .then_some(sign * saturating_i32(hours * 60 + minutes))
    }
}
