//! A compiled filter: the definition of what a filter keeps.

use super::ast::{Atom, Expr, Form, Op, Root, Scalar, Step, Target, Value};
use super::fields::{Class, Field};
use super::parse::ParseError;
use super::record::Record;
use super::scalar::{self, Context, Extent};
use crate::model::{Payload, Timestamp};
use regex::Regex;
use serde_json::Value as Json;

/// The answer of a predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Kept.
    Yes,
    /// Not kept.
    No,
    /// Depends on the payload, which is not at hand.
    NeedsPayload,
}

impl Truth {
    fn of(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::NeedsPayload => Self::NeedsPayload,
        }
    }
}

/// A filter ready to test records.
#[derive(Debug, Clone)]
pub enum Predicate {
    /// Everything.
    All,
    /// Every part.
    And(Vec<Predicate>),
    /// Any part.
    Or(Vec<Predicate>),
    /// Not the part.
    Not(Box<Predicate>),
    /// A comparison.
    Leaf(Leaf),
    /// Text in any searched field.
    Anywhere(Pattern),
}

/// One comparison. On an absent field the answer is `or_absent`, else `test` turned round where `negated`.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// What is compared.
    pub target: Target,
    /// The answer where it is absent.
    pub or_absent: bool,
    /// `!=` and `!~`.
    pub negated: bool,
    /// The comparison.
    pub test: Test,
}

/// A comparison with the values read.
#[derive(Debug, Clone)]
pub enum Test {
    /// There is a value.
    Present,
    /// Any pattern fits the text.
    Text(Vec<Pattern>),
    /// The number is in any interval.
    Number(Vec<Interval>),
    /// The moment is in any range.
    Time(Vec<TimeRange>),
    /// Bit n: the n-th word.
    Word(u32),
    /// A value of the payload, whose type is not known before.
    Json(Vec<JsonTest>),
}

/// A test of text.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// The same text.
    Exact(String),
    /// A regular expression finds something.
    Regex(Regex),
    /// The regular expression of a literal text, found anywhere without case; the text in lower case beside it.
    Find(Regex, String),
    /// Greater or less in order of code points: `(op, text)`.
    Order(Op, String),
}

impl Pattern {
    /// Whether a text passes.
    pub fn test(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => text == exact,
            Self::Regex(regex) | Self::Find(regex, _) => regex.is_match(text),
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
    /// Lower end.
    pub low: f64,
    /// Whether the lower end itself is in it.
    pub low_in: bool,
    /// Upper end.
    pub high: f64,
    /// Whether the upper end itself is in it.
    pub high_in: bool,
}

impl Interval {
    fn closed(low: f64, high: f64) -> Self {
        Self { low, low_in: true, high, high_in: true }
    }

    fn of(op: Op, low: f64, high: f64) -> Self {
        let all = Self::closed(f64::NEG_INFINITY, f64::INFINITY);
        match op {
            Op::Greater => Self { low: high, low_in: false, ..all },
            Op::GreaterEqual => Self { low, ..all },
            Op::Less => Self { high: low, high_in: false, ..all },
            Op::LessEqual => Self { high, ..all },
            _ => Self::closed(low, high),
        }
    }

    /// Whether a number is in it.
    pub fn contains(&self, n: f64) -> bool {
        (n > self.low || (self.low_in && n >= self.low)) && (n < self.high || (self.high_in && n <= self.high))
    }
}

/// A range of time: `start ≤ t < end`, each open where `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeRange {
    /// First moment.
    pub start: Option<Timestamp>,
    /// First moment after it.
    pub end: Option<Timestamp>,
}

impl TimeRange {
    /// Whether a moment is in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| at >= start) && self.end.is_none_or(|end| at < end)
    }
}

/// A test of a payload value: a number by an interval where both are numbers, else its text.
#[derive(Debug, Clone)]
pub struct JsonTest {
    interval: Option<Interval>,
    whole: Option<Pattern>,
    inside: Option<Pattern>,
}

impl Predicate {
    /// Tests a record.
    pub fn test(&self, record: &(impl Record + ?Sized)) -> Truth {
        match self {
            Self::All => Truth::Yes,
            Self::And(parts) => combine(parts.iter().map(|part| part.test(record)), Truth::No),
            Self::Or(parts) => combine(parts.iter().map(|part| part.test(record)), Truth::Yes),
            Self::Not(part) => part.test(record).not(),
            Self::Leaf(leaf) => leaf.test(record),
            Self::Anywhere(pattern) => Truth::of(
                Field::SEARCHED
                    .iter()
                    .any(|field| record.text(*field, &mut |text| pattern.test(text)) == Some(true)),
            ),
        }
    }

    /// Whether it keeps a record whose payload, if it is needed, is at hand.
    pub fn keeps(&self, record: &(impl Record + ?Sized)) -> bool {
        self.test(record) == Truth::Yes
    }

    /// Whether any part looks into the payload.
    pub fn needs_payload(&self) -> bool {
        match self {
            Self::All | Self::Anywhere(_) => false,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::needs_payload),
            Self::Not(part) => part.needs_payload(),
            Self::Leaf(leaf) => matches!(leaf.target, Target::Path(..)),
        }
    }
}

/// Combines answers: `decisive` ends it, an open one makes the whole open unless a decisive one comes.
fn combine(answers: impl Iterator<Item = Truth>, decisive: Truth) -> Truth {
    let mut open = false;
    for answer in answers {
        if answer == decisive {
            return decisive;
        }
        open |= answer == Truth::NeedsPayload;
    }
    if open { Truth::NeedsPayload } else { decisive.not() }
}

impl Leaf {
    fn test(&self, record: &(impl Record + ?Sized)) -> Truth {
        let answer = match &self.target {
            Target::Field(field) => self.field(*field, record),
            Target::Path(root, steps) => {
                let Some(payload) = record.payload() else { return Truth::NeedsPayload };
                let mut found = Vec::new();
                resolve_path(payload, *root, steps, &mut found);
                found.retain(|value| !value.is_null());
                (!found.is_empty()).then(|| match &self.test {
                    Test::Json(tests) => found.iter().any(|value| tests.iter().any(|test| test.matches(value))),
                    _ => true,
                })
            }
        };
        Truth::of(self.settle(answer))
    }

    /// The answer of the leaf, from that of its test on a present value.
    pub fn settle(&self, answer: Option<bool>) -> bool {
        answer.map_or(self.or_absent, |answer| answer != self.negated)
    }

    fn field(&self, field: Field, record: &(impl Record + ?Sized)) -> Option<bool> {
        match &self.test {
            Test::Present => match field.class() {
                Class::Number | Class::Duration => record.number(field).map(|_| true),
                Class::Time => record.time(field).map(|_| true),
                Class::Word => record.word(field).map(|_| true),
                _ => record.text(field, &mut |_| true),
            },
            Test::Text(patterns) => record.text(field, &mut |text| patterns.iter().any(|p| p.test(text))),
            Test::Number(list) => record.number(field).map(|n| list.iter().any(|i| i.contains(n))),
            Test::Time(list) => record.time(field).map(|at| list.iter().any(|r| r.contains(at))),
            Test::Word(mask) => record.word(field).map(|word| mask & (1 << word) != 0),
            Test::Json(_) => None,
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

/// Collects the values that a path leads to. Header and field names fall back to a match without case.
pub fn resolve_path<'a>(payload: &'a Payload, root: Root, steps: &[Step], found: &mut Vec<std::borrow::Cow<'a, Json>>) {
    use std::borrow::Cow;
    let body = |side: &'a crate::model::Side| side.body.as_ref().map(|body| &body.value);
    let start: Option<Cow<'a, Json>> = match root {
        Root::RequestHeaders => payload.request.headers.as_ref().map(Cow::Borrowed),
        Root::RequestBody => body(&payload.request).map(Cow::Borrowed),
        Root::ResponseHeaders => payload.response.headers.as_ref().map(Cow::Borrowed),
        Root::ResponseBody => body(&payload.response).map(Cow::Borrowed),
        Root::Metadata => {
            if steps.is_empty() {
                (!payload.metadata.is_empty()).then(|| Cow::Owned(Json::Object(payload.metadata.clone())))
            } else {
                if let Step::Name(name) = &steps[0]
                    && let Some(value) = entry(&payload.metadata, name)
                {
                    walk(value, &steps[1..], found);
                }
                return;
            }
        }
        Root::Stack => payload.error.stack.as_ref().map(|stack| Cow::Owned(Json::String(stack.clone()))),
        Root::Raw => {
            found.extend(payload.raw.iter().map(|raw| Cow::Owned(Json::String(raw.text.clone()))));
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

fn walk<'a>(value: &'a Json, steps: &[Step], found: &mut Vec<std::borrow::Cow<'a, Json>>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(std::borrow::Cow::Borrowed(value));
        return;
    };
    match (step, value) {
        (Step::Name(name), Json::Object(map)) => {
            if let Some(next) = entry(map, name) {
                walk(next, rest, found);
            }
        }
        (Step::Index(index), Json::Array(list)) => {
            if let Some(next) = list.get(*index) {
                walk(next, rest, found);
            }
        }
        (Step::Each, Json::Array(list)) => list.iter().for_each(|next| walk(next, rest, found)),
        _ => {}
    }
}

pub(super) fn compile(expr: &Expr, context: &Context) -> Result<Predicate, ParseError> {
    let list = |parts: &[Expr]| parts.iter().map(|part| compile(part, context)).collect::<Result<Vec<_>, _>>();
    Ok(match expr {
        Expr::All => Predicate::All,
        Expr::And(parts) => Predicate::And(list(parts)?),
        Expr::Or(parts) => Predicate::Or(list(parts)?),
        Expr::Not(part) => Predicate::Not(Box::new(compile(part, context)?)),
        Expr::Text(scalar) => Predicate::Anywhere(anywhere(scalar)?),
        Expr::Atom(atom) => Predicate::Leaf(Leaf {
            target: atom.target.clone(),
            or_absent: atom.or_absent,
            negated: atom.op.is_negated(),
            test: test(atom, context)?,
        }),
    })
}

/// Text to be found anywhere; a glob is for the whole of a value, and has no literal.
fn anywhere(scalar: &Scalar) -> Result<Pattern, ParseError> {
    let regex = scalar::pattern(scalar, Extent::Anywhere)?;
    let literal = match scalar.form {
        Form::Quoted => true,
        Form::Bare => !scalar.text.contains(['*', '?']),
        Form::Regex => false,
    };
    Ok(if literal { Pattern::Find(regex, scalar.text.to_lowercase()) } else { Pattern::Regex(regex) })
}

fn scalars(value: &Value) -> &[Scalar] {
    match value {
        Value::One(one) => std::slice::from_ref(one),
        Value::List(list) => list,
        Value::Any | Value::Range(..) => &[],
    }
}

fn test(atom: &Atom, context: &Context) -> Result<Test, ParseError> {
    if atom.value == Value::Any {
        return Ok(Test::Present);
    }
    let class = match &atom.target {
        Target::Path(..) => return json_test(atom),
        Target::Field(field) if field.class() == Class::Word => return word_test(*field, atom),
        Target::Field(field) => field.class(),
    };
    match class {
        Class::Number | Class::Duration => number_test(class, atom),
        Class::Time => time_test(atom, context),
        _ => text_test(class, atom),
    }
}

fn text_test(class: Class, atom: &Atom) -> Result<Test, ParseError> {
    let pattern = |scalar: &Scalar| {
        Ok(match atom.op {
            Op::Has if scalar.form == Form::Regex => Pattern::Regex(scalar::regex(scalar)?),
            Op::Has if class == Class::Text => anywhere(scalar)?,
            Op::Has => Pattern::Regex(scalar::pattern(scalar, match class {

                Class::Id => Extent::Beginning,
                _ => Extent::Whole,
            })?),
            Op::Matches | Op::NotMatches => Pattern::Regex(scalar::regex(scalar)?),
            Op::Equal | Op::NotEqual if scalar.form == Form::Regex => Pattern::Regex(scalar::regex(scalar)?),
            Op::Equal | Op::NotEqual => Pattern::Exact(scalar.text.clone()),
            op => Pattern::Order(op, scalar.text.clone()),
        })
    };
    Ok(Test::Text(scalars(&atom.value).iter().map(pattern).collect::<Result<_, ParseError>>()?))
}

fn word_test(field: Field, atom: &Atom) -> Result<Test, ParseError> {
    let words = field.words();
    let index = |scalar: &Scalar| -> Result<u32, ParseError> {
        let text = &scalar.text;
        let exact = match field {
            Field::Level => crate::model::Level::parse_any(text).map(|l| l as usize),
            Field::Direction => crate::model::Direction::parse_any(text).map(|d| d as usize),
            _ => words.iter().position(|w| w.eq_ignore_ascii_case(text)),
        };
        if let Some(index) = exact.filter(|_| scalar.form != Form::Regex) {
            return Ok(1 << index);
        }
        let pattern = match (scalar.form, atom.op) {
            (Form::Regex, _) | (_, Op::Matches | Op::NotMatches) => Some(scalar::regex(scalar)?),
            (Form::Bare, _) if text.contains(['*', '?']) => Some(scalar::pattern(scalar, Extent::Whole)?),
            _ => None,
        };
        if let Some(pattern) = pattern {
            return Ok(words.iter().enumerate().filter(|(_, w)| pattern.is_match(w)).fold(0, |m, (i, _)| m | 1 << i));
        }
        let near = super::suggest(text, words.iter().copied());
        let hint = near.map_or_else(|| format!("one of {}", words.join(", ")), |near| format!("did you mean '{near}'?"));
        Err(ParseError::new(scalar.span.clone(), format!("no {} '{text}'; {hint}", field.name())))
    };
    // Every bit from the lowest set one upwards.
    let at_least = |mask: u32| !((mask & mask.wrapping_neg()).max(1) - 1);
    let all = (1u32 << words.len()) - 1;
    let mask = match &atom.value {
        Value::Range(low, high) => {
            let low = low.as_ref().map_or(Ok(1), &index)?;
            let high = high.as_ref().map_or(Ok(1 << (words.len() - 1)), &index)?;
            at_least(low) & !(at_least(high) << 1)
        }
        value => {
            let mut mask = 0;
            for scalar in scalars(value) {
                let one = index(scalar)?;
                mask |= match atom.op {
                    op if op.is_ordering() && field != Field::Level => {
                        let message = format!("{} has no order; write {}:{}", field.name(), field.name(), scalar.text);
                        return Err(ParseError::new(scalar.span.clone(), message));
                    }
                    Op::Greater => at_least(one) << 1,
                    Op::GreaterEqual => at_least(one),
                    Op::Less => !at_least(one),
                    Op::LessEqual => !(at_least(one) << 1),
                    _ => one,
                };
            }
            mask
        }
    };
    Ok(Test::Word(mask & all))
}

fn number_test(class: Class, atom: &Atom) -> Result<Test, ParseError> {
    let read = |scalar: &Scalar| -> Result<(f64, f64), ParseError> {
        let text = scalar.text.as_str();
        let n = if class == Class::Duration { scalar::duration_us(text, Some(1e3)) } else { scalar::number(text) };
        if let Some(n) = n {
            return Ok((n, n));
        }
        let digits = text.trim_end_matches(['x', 'X']);
        let places = text.len() - digits.len();
        if class == Class::Number && places > 0 && places < 8
            && let Ok(n) = digits.parse::<f64>()
        {
            let scale = 10f64.powi(places as i32);
            return Ok((n * scale, (n + 1.0) * scale - 1.0));
        }
        let example = if class == Class::Duration { "a length of time, as 250ms, 1.5s, 2m" } else { "a number, as 503 or 5xx" };
        Err(ParseError::new(scalar.span.clone(), format!("'{text}' is not {example}")))
    };
    if matches!(atom.op, Op::Matches | Op::NotMatches) {
        return Err(ParseError::new(atom.span.clone(), "a number has no text to match; use : = > <"));
    }
    let intervals = match &atom.value {
        Value::Range(low, high) => {
            let low = low.as_ref().map_or(Ok((f64::NEG_INFINITY, 0.0)), read)?.0;
            let high = high.as_ref().map_or(Ok((0.0, f64::INFINITY)), read)?.1;
            vec![Interval::closed(low, high)]
        }
        value => scalars(value)
            .iter()
            .map(|scalar| read(scalar).map(|(low, high)| Interval::of(atom.op, low, high)))
            .collect::<Result<_, _>>()?,
    };
    Ok(Test::Number(intervals))
}

fn time_test(atom: &Atom, context: &Context) -> Result<Test, ParseError> {
    if matches!(atom.op, Op::Matches | Op::NotMatches) {
        return Err(ParseError::new(atom.span.clone(), "a time has no text to match; use : > < or from..to"));
    }
    let ranges = match &atom.value {
        Value::Range(low, high) => {
            let low = low.as_ref().map(|low| scalar::moment(low, context, None)).transpose()?;
            let high = high.as_ref().map(|high| scalar::moment(high, context, low.map(|l| l.start))).transpose()?;
            let end = high.map(|high| if high.whole { high.end } else { high.start.plus_us(1) });
            vec![TimeRange { start: low.map(|l| l.start), end }]
        }
        value => scalars(value)
            .iter()
            .map(|one| {
                let span = scalar::moment(one, context, None)?;
                let relative = one.text.starts_with(['-', '+']);
                let (start, end) = match atom.op {
                    Op::Greater => (Some(span.end), None),
                    Op::GreaterEqual => (Some(span.start), None),
                    Op::Less => (None, Some(span.start)),
                    Op::LessEqual => (None, Some(span.end)),
                    // `time:-15m` is "in the last 15 minutes", `retry.next:+10m` "within the next 10".
                    Op::Has if relative && one.text.starts_with('-') => (Some(span.start), None),
                    Op::Has if relative => (Some(context.now), Some(span.end)),
                    _ => (Some(span.start), Some(span.end)),
                };
                Ok(TimeRange { start, end })
            })
            .collect::<Result<_, ParseError>>()?,
    };
    Ok(Test::Time(ranges))
}

fn json_test(atom: &Atom) -> Result<Test, ParseError> {
    let number = |scalar: &Scalar| {
        (scalar.form == Form::Bare)
            .then(|| scalar::number(&scalar.text).or_else(|| scalar::duration_us(&scalar.text, None).map(|us| us / 1e3)))
            .flatten()
    };
    if let Value::Range(low, high) = &atom.value {
        let read = |side: &Option<Scalar>, open: f64| match side {
            None => Ok(open),
            Some(scalar) => number(scalar)
                .ok_or_else(|| ParseError::new(scalar.span.clone(), format!("'{}' is not a number", scalar.text))),
        };
        let interval = Interval::closed(read(low, f64::NEG_INFINITY)?, read(high, f64::INFINITY)?);
        return Ok(Test::Json(vec![JsonTest { interval: Some(interval), whole: None, inside: None }]));
    }
    let one = |scalar: &Scalar| -> Result<JsonTest, ParseError> {
        let regex = |r| Some(Pattern::Regex(r));
        Ok(match atom.op {
            Op::Matches | Op::NotMatches => {
                let r = scalar::regex(scalar)?;
                JsonTest { interval: None, whole: regex(r.clone()), inside: regex(r) }
            }
            _ if scalar.form == Form::Regex => {
                let r = scalar::regex(scalar)?;
                JsonTest { interval: None, whole: regex(r.clone()), inside: regex(r) }
            }
            Op::Has => JsonTest {
                interval: number(scalar).map(|n| Interval::closed(n, n)),
                whole: regex(scalar::pattern(scalar, Extent::Whole)?),
                inside: regex(scalar::pattern(scalar, Extent::Anywhere)?),
            },
            Op::Equal | Op::NotEqual => JsonTest {
                interval: number(scalar).map(|n| Interval::closed(n, n)),
                whole: Some(Pattern::Exact(scalar.text.clone())),
                inside: None,
            },
            op => JsonTest {
                interval: number(scalar).map(|n| Interval::of(op, n, n)),
                whole: Some(Pattern::Order(op, scalar.text.clone())),
                inside: None,
            },
        })
    };
    Ok(Test::Json(scalars(&atom.value).iter().map(one).collect::<Result<_, _>>()?))
}
