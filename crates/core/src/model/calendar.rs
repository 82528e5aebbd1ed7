//! Periods as people count them: days and hours begin where the clocks of a zone say so, weeks on Monday or another day.

use super::Timestamp;
use chrono::{DateTime, Duration, NaiveDateTime, Offset as _, TimeZone as _, Weekday};
use chrono_tz::Tz;

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
/// Zones differ by multiples of this.
const QUARTER_US: i64 = HOUR_US / 4;
/// 1970-01-05, the first Monday after the epoch: periods of days count from here.
const MONDAY_US: i64 = 4 * DAY_US;

/// Periods of one length in one zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    every_us: i64,
    zone: Tz,
    /// A moment, by the clock, at which a period begins.
    origin_us: i64,
}

impl Calendar {
    /// Periods of this many microseconds in a zone. Weeks begin on Monday.
    pub fn new(every_us: i64, zone: Tz) -> Self {
        Self { every_us: every_us.max(1), zone, origin_us: MONDAY_US }
    }

    /// The same, with weeks that begin on another day.
    #[must_use]
    pub fn with_weeks_from(self, day: Weekday) -> Self {
        Self { origin_us: MONDAY_US + i64::from(day.num_days_from_monday()) * DAY_US, ..self }
    }

    /// The length of the even periods, counted from the epoch, of which each of these periods consists: what a store can count.
    pub fn grain_us(&self) -> i64 {
        let whole = if self.zone == Tz::UTC { 24 * HOUR_US } else { self.step_us() };
        let (mut a, mut b) = (self.every_us, whole);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    }

    /// What the zone's offsets are multiples of, by those of fifty years.
    fn step_us(&self) -> i64 {
        let months = (0..600).map(|month| month * 30 * 24 * HOUR_US + 15 * 365 * 24 * HOUR_US);
        let offsets = months.filter_map(DateTime::from_timestamp_micros);
        let all_hours = offsets
            .map(|at| i64::from(at.with_timezone(&self.zone).offset().fix().local_minus_utc()))
            .all(|offset_s| offset_s % 3600 == 0);
        if all_hours { HOUR_US } else { QUARTER_US }
    }

    /// The start of the period that holds a time.
    pub fn start(&self, at: Timestamp) -> Timestamp {
        let there = at.utc().with_timezone(&self.zone);
        let offset_us = i64::from(there.offset().fix().local_minus_utc()) * 1_000_000;
        let clock_us = at.0 + offset_us;
        let begin_us = clock_us - (clock_us - self.origin_us).rem_euclid(self.every_us);
        // An hour that comes twice is two hours, a day with one is one day.
        if self.every_us <= HOUR_US {
            return Timestamp(begin_us - offset_us);
        }
        let begin = DateTime::from_timestamp_micros(begin_us).map(|begin| begin.naive_utc());
        begin.and_then(|begin| self.first(begin)).unwrap_or(Timestamp(begin_us - offset_us))
    }

    /// When clocks show a time, or, where they skip it, the first one after it.
    fn first(&self, clock: NaiveDateTime) -> Option<Timestamp> {
        (0..=12)
            .find_map(|quarter| self.zone.from_local_datetime(&(clock + Duration::minutes(15 * quarter))).earliest())
            .map(|at| Timestamp(at.timestamp_micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parse_timestamp;

    fn start(every_h: i64, zone: Tz, at: &str) -> String {
        Calendar::new(every_h * HOUR_US, zone).start(parse_timestamp(at).expect(at)).rfc3339()
    }

    #[test]
    fn days_begin_at_midnight_of_the_zone_and_weeks_on_their_day() {
        assert_eq!(start(24, Tz::UTC, "2026-11-26T06:00:00Z"), "2026-11-26T00:00:00.000Z");
        assert_eq!(start(24, Tz::Europe__Berlin, "2026-11-25T23:30:00Z"), "2026-11-25T23:00:00.000Z");
        assert_eq!(start(24, Tz::Asia__Kolkata, "2026-11-25T19:00:00Z"), "2026-11-25T18:30:00.000Z");
        assert_eq!(start(168, Tz::UTC, "2026-11-26T06:00:00Z"), "2026-11-23T00:00:00.000Z");
        assert_eq!(start(168, Tz::Europe__Berlin, "2026-11-22T23:30:00Z"), "2026-11-22T23:00:00.000Z");
        let american = Calendar::new(7 * DAY_US, Tz::UTC).with_weeks_from(Weekday::Sun);
        let thursday = parse_timestamp("2026-11-26T06:00:00Z").expect("a time");
        assert_eq!(american.start(thursday).rfc3339(), "2026-11-22T00:00:00.000Z");
        assert_eq!(
            american.start(parse_timestamp("1969-12-30T06:00:00Z").expect("old")).rfc3339(),
            "1969-12-28T00:00:00.000Z"
        );
    }

    #[test]
    fn days_of_23_and_25_hours_are_days() {
        // Berlin: 2026-03-29 has 23 hours, 2026-10-25 has 25.
        for (day, first, last) in [
            ("2026-03-29", "2026-03-28T23:00:00.000Z", "2026-03-29T21:59:59Z"),
            ("2026-10-25", "2026-10-24T22:00:00.000Z", "2026-10-25T22:59:59Z"),
        ] {
            assert_eq!(start(24, Tz::Europe__Berlin, first), first, "{day}");
            assert_eq!(start(24, Tz::Europe__Berlin, last), first, "{day}");
        }
        let hours: std::collections::BTreeSet<String> = (0..25)
            .map(|hour| parse_timestamp("2026-10-24T22:00:00Z").expect("a time").plus_us(hour * HOUR_US + 1))
            .map(|at| Calendar::new(HOUR_US, Tz::Europe__Berlin).start(at).rfc3339())
            .collect();
        assert_eq!(hours.len(), 25, "the hour that comes twice is two");
    }

    #[test]
    fn stores_count_periods_of_which_days_consist() {
        let grain = |every_us, zone| Calendar::new(every_us, zone).grain_us() / 60_000_000;
        assert_eq!(grain(24 * HOUR_US, Tz::UTC), 24 * 60);
        assert_eq!(grain(168 * HOUR_US, Tz::UTC), 24 * 60);
        assert_eq!(grain(HOUR_US, Tz::UTC), 60);
        assert_eq!(grain(24 * HOUR_US, Tz::Europe__Berlin), 60);
        assert_eq!(grain(24 * HOUR_US, Tz::Asia__Kathmandu), 15);
        assert_eq!(grain(HOUR_US / 6, Tz::Asia__Kolkata), 5);
    }
}
