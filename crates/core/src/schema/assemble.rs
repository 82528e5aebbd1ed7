//! Collects the mapped values of one record and builds an activity from them.

use super::{DurationUnit, Schema, Target};
use crate::model::{Activity, Id, Timestamp, parse_timestamp, trace_of};
use crate::number::{truncated_i64, truncated_u16, truncated_u64};
use compact_str::{CompactString, format_compact};
use std::borrow::Cow;

/// A value as a store returns it.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A number as written, for example `12` or `1.5e3`.
    Number(&'a str),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A point in time.
    Time(Timestamp),
}

impl Scalar<'_> {
    #[inline]
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text.as_ref()),
            Self::Number(text) => Cow::Borrowed(text),
            Self::Int(n) => Cow::Owned(n.to_string()),
            Self::Float(n) => Cow::Owned(n.to_string()),
            Self::Bool(b) => Cow::Borrowed(if *b { "true" } else { "false" }),
            Self::Time(at) => Cow::Owned(at.rfc3339()),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Number(text) => text.parse().ok(),
            Self::Int(n) => Some(*n as f64),
            Self::Float(n) => Some(*n),
            Self::Bool(_) | Self::Time(_) => None,
        }
    }

    fn time(&self) -> Option<Timestamp> {
        let at = match self {
            Self::Text(text) => parse_timestamp(text),
            Self::Number(text) => parse_timestamp(text),
            Self::Int(n) => parse_timestamp(&n.to_string()),
            Self::Float(n) => parse_timestamp(&n.to_string()),
            Self::Time(at) => Some(*at),
            Self::Bool(_) => None,
        };
        at.and_then(Timestamp::of_record)
    }
}

const TARGETS: usize = Target::ALL.len();
/// Values that most records have room for.
const USUAL: usize = 16;

/// What is added to the rank of a value that stands in a nested object.
pub const NESTED: u16 = 0x1000;
/// What is added to the rank of a value that is the JSON text of an object or array.
pub const CONTAINER: u16 = 0x8000;
/// What is added to the rank of a time that only says that it is not known.
const UNKNOWN: u16 = 0x4000;
/// What is longer is no duration, in microseconds: 285 years. It would make nonsense of every mean.
pub const LONGEST_US: f64 = 9_007_199_254_740_992.0;
/// A longer duration in a log is a setting (`retention=15d`), in microseconds.
const LONGEST_LOGGED_US: u64 = 7 * 86_400_000_000;

/// The mapped values of one record. Can be reused for the next record.
#[derive(Debug)]
pub struct Assembler<'a> {
    /// For each target the number of its value, from 1: a record has few of all the targets.
    places: [u8; TARGETS],
    /// Each value with its rank.
    values: Vec<(u16, Scalar<'a>)>,
    /// The marks of the nodes that the record has.
    pub marks: u128,
    /// Whether an object whose fields are the record's own is written as a text.
    pub folded: bool,
}

impl Default for Assembler<'_> {
    fn default() -> Self {
        Self { places: [0; TARGETS], values: Vec::new(), marks: 0, folded: false }
    }
}

impl<'a> Assembler<'a> {
    /// Sets the value of a target, unless one of a better (lower) rank is set already.
    pub fn set(&mut self, (target, rank): (Target, u16), value: Scalar<'a>) {
        let rank = if target == Target::StartedAt && is_no_time(&value) { rank | UNKNOWN } else { rank };
        let better = self.ranked(target).is_none_or(|(taken, _)| rank < *taken);
        if better && !matches!(&value, Scalar::Text(t) if t.is_empty()) {
            self.put(target, (rank, value));
        }
    }

    fn put(&mut self, target: Target, value: (u16, Scalar<'a>)) {
        let place = &mut self.places[target as usize];
        if let Some(known) = usize::from(*place).checked_sub(1).and_then(|at| self.values.get_mut(at)) {
            *known = value;
            return;
        }
        if self.values.is_empty() {
            self.values.reserve(USUAL);
        }
        self.values.push(value);
        *place = u8::try_from(self.values.len()).unwrap_or(0);
    }

    #[inline]
    fn ranked(&self, target: Target) -> Option<&(u16, Scalar<'a>)> {
        self.values.get(usize::from(self.places[target as usize]).checked_sub(1)?)
    }

    /// Sets the value of a target, whatever it was.
    pub fn replace(&mut self, target: Target, value: Scalar<'a>) {
        self.put(target, (0, value));
    }

    #[inline]
    fn get(&self, target: Target) -> Option<&Scalar<'a>> {
        self.ranked(target).map(|(_, value)| value)
    }

    /// The text of a target as stored; `None` where it is absent or empty.
    #[inline]
    pub fn raw(&self, target: Target) -> Option<Cow<'_, str>> {
        self.get(target).map(Scalar::text).filter(|text| !text.is_empty())
    }

    /// The number of a target as stored; `None` where it is absent or not a number.
    pub fn raw_number(&self, target: Target) -> Option<f64> {
        self.get(target).and_then(Scalar::number)
    }

    /// What stands where the start of the record is to be, and is no time.
    pub fn unread_start(&self) -> Option<Cow<'_, str>> {
        let value = self.get(Target::StartedAt).filter(|value| value.time().is_none())?;
        Some(value.text()).filter(|text| !text.is_empty())
    }

    /// The start of the record, where what stands in its place is a time.
    pub fn start(&self) -> Option<Timestamp> {
        self.get(Target::StartedAt).and_then(Scalar::time)
    }

    /// When the record was stored, if it says so.
    pub fn recorded_at(&self) -> Option<Timestamp> {
        self.get(Target::RecordedAt).and_then(Scalar::time)
    }

    fn text(&self, target: Target) -> Option<CompactString> {
        self.raw(target).map(CompactString::from)
    }

    /// Builds the activity. `id` is its identity where the record has none. `fallback_time` is its start where the
    /// record has no time; then `exact_start` is false.
    pub fn finish(self, schema: &Schema, id: Id, fallback_time: Timestamp) -> Activity {
        let nanos = self.get(Target::Nanos).filter(|_| schema.logged).and_then(Scalar::number);
        let nanos = nanos.filter(|n| (0.0..1e9).contains(n));
        let time = self.start();
        // What is a time already has all its digits.
        let nanos = nanos.filter(|_| !matches!(self.get(Target::StartedAt), Some(Scalar::Time(_))));
        let time = time.map(|at| at.plus_us(nanos.map_or(0, |n| truncated_i64(n / 1e3))));
        let mut a = Activity::new(id, time.unwrap_or(fallback_time));
        a.exact_start = time.is_some();
        let logged = schema.logged;
        a.duration_us = self.ranked(Target::Duration).and_then(|(rank, value)| {
            let unit = schema.completed().duration_units.get(usize::from(*rank % NESTED)).copied().filter(|_| logged);
            let unit = unit.unwrap_or(schema.definition().duration_unit);
            duration(value, unit).filter(|us| !logged || (*us <= LONGEST_LOGGED_US && !is_setting(value)))
        });
        a.completed_at = self.get(Target::CompletedAt).and_then(Scalar::time);
        a.http_status = self.http_status();
        a.attempt = self.number(Target::Attempt);
        a.max_attempts = self.number(Target::MaxAttempts);
        a.next_retry_at = self.get(Target::NextRetryAt).and_then(Scalar::time);
        a.system = self.text(Target::System);
        a.endpoint = self.text(Target::Endpoint);
        a.method = self.text(Target::Method);
        a.url = self.text(Target::Url);
        if logged {
            self.complete_request(&mut a);
        }
        a.message = self.text(Target::Message);
        a.request_id = self.raw(Target::RequestId).map(|text| Id::parse(&text));
        a.correlation_id = self.text(Target::CorrelationId);
        a.parent_request_id = self.text(Target::ParentRequestId);
        a.error = self.text(Target::Error);
        if logged {
            a.error = a.error.filter(|text| !is_placeholder(text) && !matches!(text.trim(), "false" | "true" | "0"));
            a.url = a.url.filter(|text| !is_placeholder(text));
            a.method = a.method.filter(|text| !is_placeholder(text));
            a.correlation_id = a.correlation_id.filter(|id| !id.contains(char::is_whitespace));
            a.correlation_id = a.correlation_id.map(|id| trace_of(&id).map_or(id.clone(), CompactString::from));
        } else if !schema.definition().canonical {
            a.error = a.error.filter(|text| super::says_error(text));
        }
        let given = |target| self.text(target).filter(|text| !logged || !is_placeholder(text));
        a.error_type = given(Target::ErrorType);
        a.operation = given(Target::Operation);
        a.actor = given(Target::Actor);
        a.organization = self.text(Target::Organization);
        a.tags = self.raw(Target::Tags).and_then(|text| tags(&text));
        let figure = |target| self.get(target).and_then(Scalar::number).filter(|n| n.is_finite());
        a.cpu_percent = figure(Target::Cpu);
        a.memory_mb = figure(Target::Memory);
        a.entity = match (given(Target::EntityType), given(Target::EntityId)) {
            (Some(sort), Some(id)) => Some(format_compact!("{sort} {id}")),
            (one, other) => one.or(other),
        };
        schema.derive(&mut a, &|target| self.raw(target));
        if let Some(own) = self.raw(Target::Id) {
            a.id = Id::parse(&own);
        } else if a.part
            && let Some(request) = &a.request_id
        {
            a.id = request.clone();
        }
        // A span that has no parent is not its own.
        if let Some(parent) = &a.parent_request_id
            && a.request_key().to_string() == parent.as_str()
        {
            a.parent_request_id = None;
        }
        if !schema.definition().canonical
            && !a.part
            && a.duration_us.is_none()
            && a.exact_start
            && let Some(end) = a.completed_at
        {
            a.duration_us = u64::try_from(end.since_us(a.started_at)).ok();
        }
        a
    }

    /// Method and URL from a request line, and the query of a URL that is stored apart.
    fn complete_request(&self, a: &mut Activity) {
        if let Some(line) = self.raw(Target::Request) {
            fill_from_request_line(a, &line);
        }
        if let (Some(url), Some(query)) = (&mut a.url, self.raw(Target::Query))
            && query != "-"
            && !url.contains('?')
        {
            url.push('?');
            url.push_str(query.trim_start_matches('?'));
        }
    }

    /// A code of HTTP: a number, or a text that begins with one or stands behind the protocol (`502 Bad Gateway`, `HTTP/1.1 502`).
    fn http_status(&self) -> Option<u16> {
        let code = self.number(Target::HttpStatus).or_else(|| {
            let Some(Scalar::Text(text)) = self.get(Target::HttpStatus) else { return None };
            let mut words = text.split_whitespace();
            let first = words.next()?;
            let is_protocol = first.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("http"));
            let word = if is_protocol { words.next()? } else { first };
            word.parse().ok().filter(|_| word.len() == 3)
        });
        code.filter(|code| (100..=999).contains(code))
    }

    fn number(&self, target: Target) -> Option<u16> {
        let n = self.get(target)?.number()?;
        (n >= 0.0 && n <= f64::from(u16::MAX)).then_some(truncated_u16(n))
    }
}

/// Takes method and URL from the first line of a request, `GET /path HTTP/1.1`, where they are not known.
fn fill_from_request_line(a: &mut Activity, line: &str) {
    // What some call the request is its path, beside the method (Apache's `%U`).
    if a.method.is_some() && a.url.is_none() && line.starts_with('/') && !line.contains(' ') {
        a.url = Some(line.into());
        return;
    }
    let mut words = line.split(' ');
    let (Some(method), Some(url)) = (words.next(), words.next()) else { return };
    if is_http_method(method) && !url.is_empty() {
        a.method = a.method.take().or_else(|| Some(method.into()));
        a.url = a.url.take().or_else(|| Some(url.into()));
    }
}

/// Whether a word is a method of HTTP (RFC 9110, RFC 5789, RFC 4918).
pub fn is_http_method(word: &str) -> bool {
    const METHODS: &[&str] = &[
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "PATCH",
        "OPTIONS",
        "CONNECT",
        "TRACE",
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
        "REPORT",
        "PURGE",
        "MKCALENDAR",
        "ACL",
        "SEARCH",
        "M-SEARCH",
        "NOTIFY",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "QUERY",
        "BAN",
    ];
    METHODS.iter().any(|method| method.eq_ignore_ascii_case(word))
}

/// Whether a time only says that it is not known: zero since the epoch (OpenTelemetry), the first moment of year 1 (Go, .NET).
fn is_no_time(value: &Scalar<'_>) -> bool {
    match value {
        Scalar::Text(text) => **text == *"0" || text.starts_with("0001-01-01T00:00:00"),
        Scalar::Number(text) => *text == "0",
        _ => false,
    }
}

/// Whether a text only says that there is no value.
fn is_placeholder(text: &str) -> bool {
    matches!(text.trim(), "" | "-" | "--" | "<nil>" | "<null>" | "nil" | "null" | "none" | "None" | "undefined")
}

/// Tags, joined by `, `, from a JSON array of strings or from a text with commas.
fn tags(text: &str) -> Option<CompactString> {
    let list: Vec<String> = match serde_json::from_str::<Vec<serde_json::Value>>(text) {
        Ok(values) => values
            .into_iter()
            .map(|value| match value {
                serde_json::Value::String(tag) => tag,
                other => other.to_string(),
            })
            .collect(),
        Err(_) => match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(inside) => array_of(inside),
            None => text.split(',').map(|tag| tag.trim().to_owned()).collect(),
        },
    };
    let joined = list.into_iter().filter(|tag| !tag.is_empty()).collect::<Vec<_>>().join(", ");
    (!joined.is_empty()).then(|| joined.into())
}

/// The elements of an array as PostgreSQL writes it (documentation, "Array Input and Output Syntax"), without those that are
/// NULL.
fn array_of(inside: &str) -> Vec<String> {
    let mut list = Vec::new();
    let (mut one, mut quoted, mut was_quoted) = (String::new(), false, false);
    let mut chars = inside.chars();
    loop {
        match chars.next() {
            Some('\\') => one.extend(chars.next()),
            Some('"') => (quoted, was_quoted) = (!quoted, true),
            Some(c) if quoted || c != ',' => one.push(c),
            end => {
                let text = std::mem::take(&mut one);
                let text = if was_quoted { text } else { text.trim_matches(['{', '}', ' ']).to_owned() };
                if was_quoted || !text.eq_ignore_ascii_case("null") {
                    list.push(text);
                }
                was_quoted = false;
                if end.is_none() {
                    return list;
                }
            }
        }
    }
}

/// A duration in microseconds, from a number in a unit or from text with its own unit (`12.5ms`, `00:00:01.5`).
fn duration(value: &Scalar<'_>, unit: DurationUnit) -> Option<u64> {
    let us = match value.number() {
        Some(n) => n * unit.us_of(&value.text()),
        None => match value {
            Scalar::Text(text) => {
                let bare = plain_number(&text.replace(' ', ""));
                let known = crate::filter::duration_us(&bare).or_else(|| clock_duration(text));
                known.or_else(|| iso_duration(text.trim()))?
            }
            _ => return None,
        },
    };
    (0.0..=LONGEST_US).contains(&us).then(|| truncated_u64(us.round()))
}

/// A number as programs read it: `1,234.5ms` has a mark at each thousand, `12,5ms` a comma before its fraction.
fn plain_number(text: &str) -> String {
    let groups = || {
        let mut parts = text.split(|c: char| !c.is_ascii_digit() && c != ',').next().unwrap_or_default().split(',');
        parts.next().is_some_and(|first| (1..=3).contains(&first.len())) && parts.all(|group| group.len() == 3)
    };
    if text.contains(',') && (text.contains('.') || groups()) {
        text.replace(',', "")
    } else {
        text.replacen(',', ".", 1)
    }
}

/// Microseconds of a duration of ISO 8601 without years and months: `PT1M2.5S`.
fn iso_duration(text: &str) -> Option<f64> {
    let mut rest = text.strip_prefix("PT")?;
    let mut us = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = rest.split_at(end);
        let scale = match unit.as_bytes()[0] {
            b'H' => 3600e6,
            b'M' => 60e6,
            b'S' => 1e6,
            _ => return None,
        };
        us += number.replacen(',', ".", 1).parse::<f64>().ok()? * scale;
        rest = &unit[1..];
    }
    (rest.len() < text.len() - 2).then_some(us)
}

/// Microseconds of `HH:MM:SS.fraction`.
fn clock_duration(text: &str) -> Option<f64> {
    let mut parts = text.trim().split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |text: &str| text.parse::<f64>().ok().filter(|n| *n >= 0.0);
    (parts.next().is_none()).then_some(())?;
    Some((number(hours)? * 3600.0 + number(minutes)? * 60.0 + number(seconds)?) * 1e6)
}

/// Whether the text of a duration is one that settings have and measurements have not: whole days or weeks.
fn is_setting(value: &Scalar<'_>) -> bool {
    matches!(value, Scalar::Text(text) if text.trim_end().ends_with(['d', 'w', 'y']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_of_range_is_none_and_is_told() {
        for text in ["1e30", "1e+30", "-1e25", "999999999999999999999999999"] {
            let mut assembler = Assembler::default();
            assembler.set((Target::StartedAt, 0), Scalar::Number(text));
            assert_eq!(assembler.unread_start().as_deref(), Some(text));
        }
    }

    #[test]
    fn a_time_that_is_not_known_gives_way_to_any_other() {
        let known = "2024-05-06T07:08:00.000Z";
        for unknown in [Scalar::Text("0".into()), Scalar::Number("0"), Scalar::Text("0001-01-01T00:00:00Z".into())] {
            let mut assembler = Assembler::default();
            assembler.set((Target::StartedAt, 0), unknown);
            assembler.set((Target::StartedAt, 7), Scalar::Text(known.into()));
            assert_eq!(assembler.start().map(Timestamp::rfc3339).as_deref(), Some(known));
        }
    }

    #[test]
    fn durations_in_every_spelling() {
        for (text, ms) in [
            ("12.5ms", Some(12.5)),
            ("12,5 ms", Some(12.5)),
            ("1,234.5 ms", Some(1234.5)),
            ("1,234ms", Some(1234.0)),
            ("0,25s", Some(250.0)),
            ("1m30s", Some(90_000.0)),
            ("00:00:01.5000000", Some(1500.0)),
            ("PT1.5S", Some(1500.0)),
            ("PT1H2M3S", Some(3_723_000.0)),
            ("PT", None),
            ("P1D", None),
            ("PT5X", None),
            ("fast", None),
        ] {
            let found = duration(&Scalar::Text(text.into()), DurationUnit::Ms).map(|us| us as f64 / 1e3);
            assert_eq!(found, ms, "{text}");
        }
    }
}
