//! Times that JSON holds as an object or a list.

use super::Scalar;
use crate::model::{Timestamp, parse_timestamp};
use crate::number::{saturating_i64, truncated_i64, truncated_u64};
use serde_json::Value;

/// The names of the seconds since the epoch: Protobuf, Firestore, Java's `Instant`, Rust, C.
const SECONDS: &[&str] = &["seconds", "_seconds", "epochSecond", "epoch_second", "secs", "secs_since_epoch", "tv_sec"];
/// The names of the nanoseconds that go with them.
const NANOS: &[&str] =
    &["nanos", "_nanoseconds", "nanoseconds", "nanoOfSecond", "nano", "nano_of_second", "nanos_since_epoch", "tv_nsec"];

/// The time in the text of an object or an array: seconds and nanoseconds, MongoDB's extended JSON (`{"$date": …}`), a list of
/// year, month, day, hour, minute, second and nanosecond, as Jackson writes a time without a zone.
pub(super) fn time_in<'a>(text: &str) -> Option<Scalar<'a>> {
    match serde_json::from_str(text).ok()? {
        Value::Object(fields) => {
            let number = |names: &[&str]| names.iter().find_map(|name| number_of(fields.get(*name)?));
            if let Some(seconds) = number(SECONDS) {
                return moment(seconds, number(NANOS).unwrap_or(0.0)).map(Scalar::Time);
            }
            let date = fields.get("$date").or_else(|| fields.get("$timestamp"))?;
            match date {
                Value::String(text) => parse_timestamp(text),
                Value::Object(inner) if inner.contains_key("t") => moment(number_of(inner.get("t")?)?, 0.0),
                _ => Some(Timestamp(truncated_i64(number_of(date)?).checked_mul(1000)?)),
            }
            .map(Scalar::Time)
        }
        Value::Array(parts) => {
            let parts: Vec<i64> = parts.iter().map(Value::as_i64).collect::<Option<_>>()?;
            let [year @ 1970..2200, month, day, hour, minute, rest @ ..] = parts.as_slice() else { return None };
            let second = rest.first().copied().unwrap_or(0);
            let micros = rest.get(1).copied().unwrap_or(0) / 1000;
            let text = format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}");
            parse_timestamp(&text).filter(|_| rest.len() <= 2).map(|_| Scalar::Text(text.into()))
        }
        _ => None,
    }
}

/// A number, also in a text or as extended JSON writes it: `{"$numberLong": "1"}`.
fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        Value::Object(fields) => fields.get("$numberLong").or_else(|| fields.get("$numberDouble")).and_then(number_of),
        _ => None,
    }
}

/// A moment of seconds since the epoch and nanoseconds.
fn moment(seconds: f64, nanos: f64) -> Option<Timestamp> {
    let fits = (1e8..1e11).contains(&seconds) && (0.0..1e9).contains(&nanos);
    fits.then(|| Timestamp(truncated_i64(seconds) * 1_000_000 + saturating_i64(truncated_u64(nanos / 1e3))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_json_that_are_objects_or_lists() {
        for (text, expected) in [
            (r#"{"seconds":1714979280,"nanos":5000000}"#, Some("2024-05-06T07:08:00.005Z")),
            (r#"{"seconds":"1714979280"}"#, Some("2024-05-06T07:08:00.000Z")),
            (r#"{"epochSecond":1714979280,"nano":123456789}"#, Some("2024-05-06T07:08:00.123456Z")),
            (r#"{"$date":"2024-05-06T07:08:00.123Z"}"#, Some("2024-05-06T07:08:00.123Z")),
            (r#"{"$date":1714979280123}"#, Some("2024-05-06T07:08:00.123Z")),
            (r#"{"$date":{"$numberLong":"1714979280123"}}"#, Some("2024-05-06T07:08:00.123Z")),
            (r#"{"$timestamp":{"t":1714979280,"i":1}}"#, Some("2024-05-06T07:08:00.000Z")),
            ("[2024,5,6,7,8,0,123000000]", Some("2024-05-06T07:08:00.123Z")),
            ("[2024,5,6,7,8]", Some("2024-05-06T07:08:00.000Z")),
            ("[2024,5]", None),
            ("[2024,13,6,7,8]", None),
            ("[2024,5,6,7,8,0,0,0]", None),
            (r#"{"seconds":12}"#, None),
            (r#"{"at":"2024-05-06T07:08:00Z"}"#, None),
            (r#"["2024-05-06T07:08:00Z"]"#, None),
        ] {
            let found = time_in(text).and_then(|time| match time {
                Scalar::Time(at) => Some(at),
                Scalar::Text(text) => parse_timestamp(&text),
                _ => None,
            });
            assert_eq!(found.map(Timestamp::rfc3339).as_deref(), expected, "{text}");
        }
    }
}
