//! What the names of fields say: the unit of a duration, and the spellings that one name has.

use serde::Deserialize;

/// Unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DurationUnit {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    #[default]
    Ms,
    /// Seconds.
    S,
    /// Nanoseconds, as Go prints a duration, unless the number is too small for that; then milliseconds.
    NsOrMs,
    /// Seconds where the number has a fraction, else milliseconds.
    SOrMs,
}

/// The ends of names that say the unit of a duration, in lower case without `_` and `-`.
const UNIT_NAMES: &[(&str, DurationUnit)] = &[
    ("milliseconds", DurationUnit::Ms),
    ("millis", DurationUnit::Ms),
    ("msecs", DurationUnit::Ms),
    ("msec", DurationUnit::Ms),
    ("microseconds", DurationUnit::Us),
    ("micros", DurationUnit::Us),
    ("usecs", DurationUnit::Us),
    ("usec", DurationUnit::Us),
    ("nanoseconds", DurationUnit::Ns),
    ("nanos", DurationUnit::Ns),
    ("nsec", DurationUnit::Ns),
    ("seconds", DurationUnit::S),
    ("secs", DurationUnit::S),
    ("sec", DurationUnit::S),
];

impl DurationUnit {
    /// Microseconds per unit.
    pub const fn us(self) -> f64 {
        match self {
            Self::Ns => 0.001,
            Self::Us => 1.0,
            Self::Ms => 1e3,
            Self::S => 1e6,
            Self::NsOrMs | Self::SOrMs => 1e3,
        }
    }

    /// Microseconds per unit of a number as it is written.
    pub fn us_of(self, written: &str) -> f64 {
        match self {
            Self::NsOrMs if written.trim().parse::<f64>().is_ok_and(|n| n >= 100_000.0) => 0.001,
            Self::SOrMs if written.contains('.') => 1e6,
            unit => unit.us(),
        }
    }

    /// The unit that the name of a field says: `duration_ms`, `elapsedSeconds`, `latency_ns`.
    pub fn of_name(name: &str) -> Option<Self> {
        let last = name.rsplit('.').next().unwrap_or(name);
        let apart = last.rsplit_once(['_', '-']).map(|(_, end)| end.to_ascii_lowercase());
        let is_mixed = last.contains(char::is_lowercase);
        let camel = || last.char_indices().rev().find(|(_, c)| c.is_uppercase()).map(|(at, _)| &last[at..]);
        let short = apart.or_else(|| camel().filter(|_| is_mixed).map(str::to_ascii_lowercase));
        // A name may be nothing but a unit; `s` alone may be anything.
        let short = short.or_else(|| Some(last.to_ascii_lowercase()).filter(|name| name.len() == 2));
        match short.as_deref() {
            Some("ms") => return Some(Self::Ms),
            Some("us") => return Some(Self::Us),
            Some("ns") => return Some(Self::Ns),
            Some("s") => return Some(Self::S),
            _ => {}
        }
        let folded: String = last.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
        UNIT_NAMES.iter().find(|(end, _)| folded.ends_with(end)).map(|(_, unit)| *unit)
    }
}

/// The spellings of a path whose words are joined by `_`: as it is, camel case, Pascal case, with `-`, in one word.
pub(super) fn spellings(path: &str) -> Vec<String> {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    let each = |join: &dyn Fn(&[&str]) -> String| {
        path.split('.').map(|key| join(&key.split('_').collect::<Vec<_>>())).collect::<Vec<_>>().join(".")
    };
    let pascal = |words: &[&str]| words.iter().map(|word| capital(word)).collect::<String>();
    let acronym =
        |word: &str| if matches!(word, "id" | "url" | "uri" | "http") { word.to_uppercase() } else { capital(word) };
    let camel = |words: &[&str], rest: &dyn Fn(&str) -> String| {
        words
            .iter()
            .enumerate()
            .map(|(at, word)| if at == 0 { (*word).to_owned() } else { rest(word) })
            .collect::<String>()
    };
    let mut all = vec![
        path.to_owned(),
        each(&|words| camel(words, &capital)),
        each(&pascal),
        each(&|words| words.iter().map(|word| acronym(word)).collect::<String>()),
        each(&|words| camel(words, &acronym)),
        each(&|words| words.concat()),
        each(&|words| words.join("-")),
        each(&|words| words.iter().map(|word| capital(word)).collect::<Vec<_>>().join("-")),
        each(&|words| words.iter().map(|word| acronym(word)).collect::<Vec<_>>().join("-")),
        path.to_uppercase(),
        each(&|words| words.iter().map(|word| capital(word)).collect::<Vec<_>>().join(" ")),
    ];
    let mut seen = std::collections::HashSet::new();
    all.retain(|name| seen.insert(name.clone()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_their_unit() {
        for (name, unit) in [
            ("duration_ms", Some(DurationUnit::Ms)),
            ("durationMs", Some(DurationUnit::Ms)),
            ("ElapsedMilliseconds", Some(DurationUnit::Ms)),
            ("attr.durationMillis", Some(DurationUnit::Ms)),
            ("latency_ns", Some(DurationUnit::Ns)),
            ("elapsedSeconds", Some(DurationUnit::S)),
            ("time-taken-us", Some(DurationUnit::Us)),
            ("ms", Some(DurationUnit::Ms)),
            ("call.MS", Some(DurationUnit::Ms)),
            ("ELAPSED_US", Some(DurationUnit::Us)),
            ("s", None),
            ("DURATIONS", None),
            ("duration", None),
            ("latency_human", None),
        ] {
            assert_eq!(DurationUnit::of_name(name), unit, "{name}");
        }
    }

    #[test]
    fn a_name_has_many_spellings() {
        let all = spellings("request_id");
        for name in [
            "request_id",
            "requestId",
            "RequestId",
            "requestID",
            "RequestID",
            "requestid",
            "request-id",
            "Request-Id",
            "Request-ID",
            "REQUEST_ID",
        ] {
            assert!(all.iter().any(|known| known == name), "{name}");
        }
        assert_eq!(spellings("dd.trace_id")[1], "dd.traceId");
    }
}
