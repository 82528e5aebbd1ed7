//! The range of time that a view is about.

use super::Interval;
use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::Timestamp;

/// The range of time that a view is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Range {
    /// The last so many microseconds, up to now and beyond.
    Last(i64),
    /// All that the sources have.
    #[default]
    Everything,
    /// Between two moments, as it was written.
    Between(Bounds, String),
}

/// The ends of a range at one moment. `None` where it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// The first moment.
    pub since: Option<Timestamp>,
    /// The first moment after it.
    pub until: Option<Timestamp>,
}

impl Bounds {
    /// As an interval.
    pub fn interval(&self) -> Interval {
        Interval::new(self.since.unwrap_or(Interval::EVER.from), self.until.unwrap_or(Interval::EVER.to))
    }
}

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Range {
    /// The ranges that are offered, the shortest first.
    pub const OFFERED: [Self; 6] = [
        Self::Last(15 * MINUTE),
        Self::Last(HOUR),
        Self::Last(DAY),
        Self::Last(7 * DAY),
        Self::Last(30 * DAY),
        Self::Everything,
    ];

    /// Reads a range: `15m`, `24h`, `7d`, `everything`, or two moments as a filter's `time:` writes them
    /// (`2026-09-01..2026-09-02`, `09:00..09:20`, `2026-11-20`).
    ///
    /// # Errors
    /// If it is none of these; for people.
    pub fn parse(text: &str, context: &Context) -> Result<Self, String> {
        let text = text.trim();
        if ["everything", "all"].contains(&text) {
            return Ok(Self::Everything);
        }
        let length = text.strip_prefix("last ").unwrap_or(text).trim().trim_start_matches('-');
        let length = length.split_whitespace().collect::<String>();
        if let Some(us) = crosstail_core::filter::duration_us(&length).filter(|us| *us >= 1.0) {
            return Ok(Self::Last(crosstail_core::number::truncated_i64(us)));
        }
        let problem = || format!("'{text}' is not a range; write 15m, 24h, 7d, everything, or 2026-09-01..2026-09-02");
        if text.contains(char::is_whitespace) {
            return Err(problem());
        }
        let (_, predicate) = Filter::compile(&format!("time:{text}"), context).map_err(|_| problem())?;
        match predicate.time_bounds() {
            Some((since, until)) => Ok(Self::Between(Bounds { since, until }, text.to_owned())),
            None => Err(problem()),
        }
    }

    /// Its ends at a moment.
    pub fn bounds(&self, now: Timestamp) -> Bounds {
        match self {
            Self::Last(us) => Bounds { since: Some(now.plus_us(-us)), until: None },
            Self::Everything => Bounds::default(),
            Self::Between(bounds, _) => *bounds,
        }
    }

    /// As it is shown: `last 24 h`.
    pub fn describe(&self) -> String {
        match self {
            Self::Last(us) => match *us {
                us if us % DAY == 0 && us > DAY => format!("last {} d", us / DAY),
                us if us % HOUR == 0 => format!("last {} h", us / HOUR),
                us if us % MINUTE == 0 => format!("last {} min", us / MINUTE),
                us => format!("last {:.1} s", us as f64 / 1e6),
            },
            Self::Everything => "everything".to_owned(),
            Self::Between(_, text) => text.clone(),
        }
    }

    /// As it is written on a command line.
    pub fn text(&self) -> String {
        match self {
            Self::Last(_) => self.describe().trim_start_matches("last ").replace(" min", "m").replace(' ', ""),
            _ => self.describe(),
        }
    }

    /// The next longer or shorter one of [`Range::OFFERED`].
    #[must_use]
    pub fn step(&self, longer: bool) -> Self {
        let length = |range: &Self| match range {
            Self::Last(us) => *us,
            Self::Everything => i64::MAX,
            Self::Between(bounds, _) => bounds.interval().length_us(),
        };
        let own = length(self);
        let mut offered = Self::OFFERED.iter();
        let next = if longer {
            offered.find(|range| length(range) > own)
        } else {
            offered.rev().find(|range| length(range) < own)
        };
        next.unwrap_or(self).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_people_write_them() {
        // 2026-11-26T03:00:00Z
        let context = Context { now: Timestamp(1_795_662_000_000_000), ..Context::default() };
        for (text, shown, written) in [
            ("15m", "last 15 min", "15m"),
            ("24h", "last 24 h", "24h"),
            ("last 24 h", "last 24 h", "24h"),
            ("7d", "last 7 d", "7d"),
            ("-90m", "last 90 min", "90m"),
            ("everything", "everything", "everything"),
            ("2026-09-01..2026-09-02", "2026-09-01..2026-09-02", "2026-09-01..2026-09-02"),
        ] {
            let range = Range::parse(text, &context).expect(text);
            assert_eq!((range.describe().as_str(), range.text().as_str()), (shown, written));
            assert_eq!(Range::parse(&range.text(), &context), Ok(range));
        }
        let two_days = Range::parse("2026-09-01..2026-09-02", &context).expect("a range");
        assert_eq!(two_days.bounds(context.now).interval().length_us(), 2 * DAY);
        for wrong in ["", "yesterdayish", "2026-13-01", "status:failed", "5", "15m)"] {
            assert!(Range::parse(wrong, &context).expect_err(wrong).contains("24h"));
        }
    }

    #[test]
    fn steps_go_through_what_is_offered() {
        let mut range = Range::Last(2 * HOUR);
        let mut seen = Vec::new();
        for _ in 0..5 {
            range = range.step(true);
            seen.push(range.text());
        }
        assert_eq!(seen, ["24h", "7d", "30d", "everything", "everything"]);
        assert_eq!(range.step(false), Range::Last(30 * DAY));
        assert_eq!(Range::Last(MINUTE).step(false), Range::Last(MINUTE));
    }
}
