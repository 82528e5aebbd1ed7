//! The compiled filter, which defines what a filter keeps.

use super::ast::{Op, Operand, PathRoot, PathStep};
use super::fields::{Field, ValueType};
use super::record::Record;
use crate::model::{Payload, Timestamp};
use regex::Regex;
use serde_json::Value as Json;

/// The result of a predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// The record is kept.
    Yes,
    /// The record is not kept.
    No,
    /// The result depends on the payload, which is not loaded.
    NeedsPayload,
}

impl Truth {
    /// `Yes` or `No`.
    pub fn of(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::NeedsPayload => Self::NeedsPayload,
        }
    }
}

/// A compiled filter.
#[derive(Debug, Clone)]
pub enum Predicate {
    /// Keeps everything.
    All,
    /// Keeps what every part keeps.
    And(Vec<Predicate>),
    /// Keeps what at least one part keeps.
    Or(Vec<Predicate>),
    /// Keeps what the part does not keep.
    Not(Box<Predicate>),
    /// A comparison.
    Compare(Comparator),
    /// A text pattern in any of [`Field::SEARCHED`].
    FreeText(Pattern),
}

/// One comparison. Its result is `or_absent` where the field is absent, else that of `test`, inverted if `negated`.
#[derive(Debug, Clone)]
pub struct Comparator {
    /// The left side.
    pub target: Operand,
    /// The result where the field is absent.
    pub or_absent: bool,
    /// Whether the operator is `!=` or `!~`.
    pub negated: bool,
    /// The test of a present value.
    pub test: Matcher,
}

/// The right side of a comparison, parsed.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// Any value.
    Present,
    /// At least one pattern matches the text.
    Text(Vec<Pattern>),
    /// The number is in at least one interval.
    Number(Vec<Interval>),
    /// The time is in at least one range.
    Time(Vec<TimeRange>),
    /// Bit n is set if the n-th word matches.
    Word(u32),
    /// A value of the payload, whose type is not known in advance.
    Json(Vec<JsonTest>),
}

/// A test of text.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// The same text.
    Exact(String),
    /// A regular expression matches somewhere in the text.
    Regex(Regex),
    /// A literal text anywhere, ignoring case: its regular expression, and the text in lower case.
    Contains(Regex, String),
    /// A glob, a full value or a beginning, ignoring case: its regular expression, and its pieces in lower case.
    Glob(Regex, Vec<GlobPiece>),
    /// An ordering comparison by code points.
    Order(Op, String),
}

/// A piece of a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GlobPiece {
    /// This text.
    Text(String),
    /// Any text.
    Any,
}

impl Pattern {
    /// The pieces of a glob, a full value, a beginning or a text found anywhere; `None` for other patterns.
    pub fn pieces(&self) -> Option<Vec<GlobPiece>> {
        match self {
            Self::Contains(_, text) => Some(vec![GlobPiece::Any, GlobPiece::Text(text.clone()), GlobPiece::Any]),
            Self::Glob(_, pieces) => Some(pieces.clone()),
            _ => None,
        }
    }

    /// Whether a text matches.
    pub fn test(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => text == exact,
            Self::Regex(regex) | Self::Contains(regex, _) | Self::Glob(regex, _) => regex.is_match(text),
            Self::Order(op, other) => ordered(*op, text.cmp(other.as_str())),
        }
    }
}

fn ordered(op: Op, ordering: std::cmp::Ordering) -> bool {
    match op {
        Op::Greater => ordering.is_gt(),
        Op::GreaterEqual => ordering.is_ge(),
        Op::Less => ordering.is_lt(),
        Op::LessEqual => ordering.is_le(),
        _ => false,
    }
}

/// An interval of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end; may be −∞.
    pub low: f64,
    /// Whether the lower end is included.
    pub low_in: bool,
    /// Upper end; may be ∞.
    pub high: f64,
    /// Whether the upper end is included.
    pub high_in: bool,
}

impl Interval {
    pub(super) fn closed(low: f64, high: f64) -> Self {
        Self { low, low_in: true, high, high_in: true }
    }

    pub(super) fn of(op: Op, low: f64, high: f64) -> Self {
        let all = Self::closed(f64::NEG_INFINITY, f64::INFINITY);
        match op {
            Op::Greater => Self { low: high, low_in: false, ..all },
            Op::GreaterEqual => Self { low, ..all },
            Op::Less => Self { high: low, high_in: false, ..all },
            Op::LessEqual => Self { high, ..all },
            _ => Self::closed(low, high),
        }
    }

    /// Whether the interval contains a number.
    pub fn contains(&self, n: f64) -> bool {
        (n > self.low || (self.low_in && n >= self.low)) && (n < self.high || (self.high_in && n <= self.high))
    }
}

/// A range of time: `start ≤ t < end`, each open where `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeRange {
    /// First time in the range.
    pub start: Option<Timestamp>,
    /// First time after the range.
    pub end: Option<Timestamp>,
}

impl TimeRange {
    /// Whether the range contains a time.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| at >= start) && self.end.is_none_or(|end| at < end)
    }
}

/// A test of a payload value: as a number where both sides are numbers, else as text.
#[derive(Debug, Clone)]
pub struct JsonTest {
    /// Test of a number.
    pub interval: Option<Interval>,
    /// Test of a string, a number or a boolean as text.
    pub whole: Option<Pattern>,
    /// Test of an object or an array as JSON text.
    pub inside: Option<Pattern>,
}

impl Predicate {
    /// Tests a record.
    pub fn test(&self, record: &(impl Record + ?Sized)) -> Truth {
        match self {
            Self::All => Truth::Yes,
            Self::And(parts) => combine(parts.iter().map(|part| part.test(record)), Truth::No),
            Self::Or(parts) => combine(parts.iter().map(|part| part.test(record)), Truth::Yes),
            Self::Not(part) => !part.test(record),
            Self::Compare(leaf) => leaf.test(record),
            Self::FreeText(pattern) => Truth::of(
                Field::SEARCHED.iter().any(|field| record.text(*field, &mut |text| pattern.test(text)) == Some(true)),
            ),
        }
    }

    /// Whether it keeps a record. Where the result depends on a payload that is not loaded, the answer is no.
    pub fn keeps(&self, record: &(impl Record + ?Sized)) -> bool {
        self.test(record) == Truth::Yes
    }

    /// The first moment, and the first one after the last, at which an activity that it keeps can start; `None` where the
    /// filter says nothing about the start.
    pub fn time_bounds(&self) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
        match self {
            Self::And(parts) => parts.iter().filter_map(Self::time_bounds).reduce(|a, b| {
                let until = [a.1, b.1].into_iter().flatten().min();
                (a.0.max(b.0), until)
            }),
            Self::Or(parts) => {
                let all = parts.iter().map(Self::time_bounds).collect::<Option<Vec<_>>>()?;
                all.into_iter().reduce(hull)
            }
            Self::Compare(leaf) if leaf.target == Operand::Field(Field::Time) && !leaf.negated && !leaf.or_absent => {
                let Matcher::Time(ranges) = &leaf.test else { return None };
                ranges.iter().map(|range| (range.start, range.end)).reduce(hull)
            }
            _ => None,
        }
    }

    /// Whether any part tests the payload.
    pub fn needs_payload(&self) -> bool {
        match self {
            Self::All | Self::FreeText(_) => false,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::needs_payload),
            Self::Not(part) => part.needs_payload(),
            Self::Compare(leaf) => matches!(leaf.target, Operand::Path(..)),
        }
    }
}

/// The smallest range that contains two; `None` is an open end.
fn hull(
    a: (Option<Timestamp>, Option<Timestamp>),
    b: (Option<Timestamp>, Option<Timestamp>),
) -> (Option<Timestamp>, Option<Timestamp>) {
    (a.0.zip(b.0).map(|(a, b)| a.min(b)), a.1.zip(b.1).map(|(a, b)| a.max(b)))
}

/// Combines results. `decisive` (`No` for AND, `Yes` for OR) wins; otherwise one result that depends on the payload
/// makes the combination depend on it.
pub fn combine(answers: impl Iterator<Item = Truth>, decisive: Truth) -> Truth {
    let mut open = false;
    for answer in answers {
        if answer == decisive {
            return decisive;
        }
        open |= answer == Truth::NeedsPayload;
    }
    if open { Truth::NeedsPayload } else { !decisive }
}

impl Comparator {
    fn test(&self, record: &(impl Record + ?Sized)) -> Truth {
        let answer = match &self.target {
            Operand::Field(field) => self.field(*field, record),
            Operand::Path(root, steps) => {
                let Some(payload) = record.payload() else { return Truth::NeedsPayload };
                let mut found = Vec::new();
                resolve_path(payload, *root, steps, &mut found);
                found.retain(|value| !value.is_null());
                (!found.is_empty()).then(|| match &self.test {
                    Matcher::Json(tests) => found.iter().any(|value| tests.iter().any(|test| test.matches(value))),
                    _ => true,
                })
            }
        };
        Truth::of(self.apply_negation(answer))
    }

    /// The result of the leaf, from that of its test; `None` where the field is absent.
    pub fn apply_negation(&self, answer: Option<bool>) -> bool {
        answer.map_or(self.or_absent, |answer| answer != self.negated)
    }

    fn field(&self, field: Field, record: &(impl Record + ?Sized)) -> Option<bool> {
        match &self.test {
            Matcher::Present => match field.class() {
                ValueType::Number | ValueType::Duration => record.number(field).map(|_| true),
                ValueType::Time => record.time(field).map(|_| true),
                ValueType::Word => record.word(field).map(|_| true),
                _ => record.text(field, &mut |_| true),
            },
            Matcher::Text(patterns) => record.text(field, &mut |text| patterns.iter().any(|p| p.test(text))),
            Matcher::Number(list) => record.number(field).map(|n| list.iter().any(|i| i.contains(n))),
            Matcher::Time(list) => record.time(field).map(|at| list.iter().any(|r| r.contains(at))),
            Matcher::Word(mask) => record.word(field).map(|word| mask & (1 << word) != 0),
            Matcher::Json(_) => None,
        }
    }
}

impl JsonTest {
    fn matches(&self, value: &Json) -> bool {
        if let (Some(interval), Some(n)) = (&self.interval, value.as_f64()) {
            return interval.contains(n);
        }
        let text = |pattern: &Option<Pattern>, text: &str| pattern.as_ref().is_some_and(|p| p.test(text));
        match value {
            Json::String(string) => text(&self.whole, string),
            Json::Bool(_) | Json::Number(_) => text(&self.whole, &value.to_string()),
            Json::Object(_) | Json::Array(_) => text(&self.inside, &value.to_string()),
            Json::Null => false,
        }
    }
}

/// Collects the values at a path. Names are matched exactly, else ignoring case. The first field with the name that the steps so
/// far make up is gone into.
pub fn resolve_path<'a>(
    payload: &'a Payload,
    root: PathRoot,
    steps: &[PathStep],
    found: &mut Vec<std::borrow::Cow<'a, Json>>,
) {
    use std::borrow::Cow;
    let body = |side: &'a crate::model::Side| side.body.as_ref().map(|body| body.value());
    let start: Option<Cow<'a, Json>> = match root {
        PathRoot::RequestHeaders => payload.request.headers.as_ref().map(Cow::Borrowed),
        PathRoot::RequestBody => body(&payload.request).map(Cow::Borrowed),
        PathRoot::ResponseHeaders => payload.response.headers.as_ref().map(Cow::Borrowed),
        PathRoot::ResponseBody => body(&payload.response).map(Cow::Borrowed),
        PathRoot::Metadata => {
            if steps.is_empty() {
                (!payload.metadata.is_empty()).then(|| Cow::Owned(Json::Object(payload.metadata.clone())))
            } else {
                walk_fields(&payload.metadata, steps, found);
                return;
            }
        }
        PathRoot::Stack => payload.error.stack.as_ref().map(|stack| Cow::Owned(Json::String(stack.clone()))),
        PathRoot::Raw => {
            found.extend(payload.raw.iter().map(|raw| Cow::Owned(Json::String(raw.text().to_string()))));
            return;
        }
    };
    match start {
        Some(Cow::Borrowed(value)) => walk(value, steps, found),
        Some(owned) if steps.is_empty() => found.push(owned),
        _ => {}
    }
}

fn entry<'a>(map: &'a serde_json::Map<String, Json>, name: &str) -> Option<&'a Json> {
    map.get(name).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Goes on in an object. A name may have dots, as those of OpenTelemetry's attributes do: then it is several steps.
fn walk_fields<'a>(
    map: &'a serde_json::Map<String, Json>,
    steps: &[PathStep],
    found: &mut Vec<std::borrow::Cow<'a, Json>>,
) {
    let mut name = String::new();
    for (at, step) in steps.iter().enumerate() {
        let PathStep::Name(part) = step else { return };
        if at > 0 {
            name.push('.');
        }
        name.push_str(part);
        if let Some(next) = entry(map, &name) {
            return walk(next, &steps[at + 1..], found);
        }
    }
}

fn walk<'a>(value: &'a Json, steps: &[PathStep], found: &mut Vec<std::borrow::Cow<'a, Json>>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(std::borrow::Cow::Borrowed(value));
        return;
    };
    match (step, value) {
        (PathStep::Name(_), Json::Object(map)) => walk_fields(map, steps, found),
        (PathStep::Index(index), Json::Array(list)) => {
            if let Some(next) = list.get(*index) {
                walk(next, rest, found);
            }
        }
        (PathStep::Each, Json::Array(list)) => list.iter().for_each(|next| walk(next, rest, found)),
        _ => {}
    }
}
