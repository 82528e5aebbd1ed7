//! Lines of access logs: those that stand in another record, and what stands behind their usual fields.

use crate::read::{Found, Surrounding};
use crate::registry::Formats;
use crosstail_core::model::{Activity, Id};
use crosstail_core::schema::DurationUnit;

impl Formats {
    /// The call that a line is by one of the formats whose records are one line each.
    pub(crate) fn call_of(&self, line: &str, at: &Surrounding<'_>, depth: u8) -> Option<Found> {
        let texts = self.text();
        let single = |index: usize| texts.formats[texts.owners[index].0].single;
        texts.fitting(line, single).find_map(|index| {
            let (format, number) = texts.owners[index];
            self.by_format(format, number, line, at, depth + 1)
        })
    }
}

/// Duration and id among what an access log has behind its usual fields.
pub(crate) fn complete_access(activity: &mut Activity, rest: &str) {
    let us = |text: &str, unit: DurationUnit| {
        let seconds = text.parse::<f64>().ok().filter(|n| *n >= 0.0 && n.is_finite())?;
        Some(crosstail_core::number::truncated_u64((seconds * unit.us()).round()))
    };
    for token in rest.split_whitespace() {
        let token = token.trim_matches(['"', '[', ']', ',', ';']);
        let (name, value) = pair(token);
        let value = value.trim_matches('"');
        let found = match name {
            // Apache's `%D` is in microseconds, its `%T` in seconds.
            "D" => us(value.trim_end_matches("us"), DurationUnit::Us),
            "T" | "rt" | "request_time" | "req_time" | "response_time" => us(value, DurationUnit::S),
            "" | "duration" | "time" | "took" | "latency" => {
                let decimals = value.split_once('.').is_some_and(|(_, digits)| digits.len() >= 3);
                let unit = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
                let timed = matches!(unit, "ms" | "s" | "us" | "µs");
                let with_unit =
                    || crosstail_core::filter::duration_us(value).map(crosstail_core::number::truncated_u64);
                if decimals && unit.is_empty() { us(value, DurationUnit::S) } else { timed.then(with_unit).flatten() }
            }
            name if MEASURES.iter().any(|measure| name.starts_with(measure)) => {
                let unit = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, unit)| *unit);
                unit.and_then(|unit| us(value, unit))
            }
            _ => None,
        };
        activity.duration_us = activity.duration_us.or(found);
        let id = value.len() == 32 && value.bytes().all(|b| b.is_ascii_hexdigit());
        if activity.request_id.is_none()
            && (id || name.ends_with("request_id") || matches!(name, "req_id" | "rid"))
            && value.len() > 1
        {
            activity.request_id = Some(Id::parse(value));
        }
    }
}

/// What names of measured times begin with, and what their endings say of the unit.
const MEASURES: [&str; 6] = ["duration", "time", "took", "elapsed", "latency", "request_time"];
const ENDINGS: [(&str, DurationUnit); 4] =
    [("_ms", DurationUnit::Ms), ("_us", DurationUnit::Us), ("_ns", DurationUnit::Ns), ("_s", DurationUnit::S)];

/// A name and its value: `rt=0.012`, `response_time:0.012`.
fn pair(token: &str) -> (&str, &str) {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    token.split_once('=').or_else(|| token.split_once(':').filter(|(name, _)| is_name(name))).unwrap_or(("", token))
}
