//! Building blocks of aggregation expressions: texts, numbers, times, the first of several values.

use bson::{Bson, DateTime, Document, doc};
use crosstail_core::filter::{GlobPiece, Interval, Op, Pattern, TimeRange};
use crosstail_core::model::Timestamp;
use crosstail_core::schema::no_error_text;

pub(super) fn or(parts: Vec<Bson>) -> Bson {
    doc! { "$or": parts }.into()
}

/// The first part that is not null.
pub(super) fn first_of(mut parts: Vec<Bson>) -> Option<Bson> {
    let mut found = parts.pop()?;
    while let Some(before) = parts.pop() {
        found = doc! { "$ifNull": [before, found] }.into();
    }
    Some(found)
}

/// A number truncated to an integer where `low ≤ n < high`, else null.
pub(super) fn within(n: Bson, low: f64, high: f64) -> Bson {
    let good = doc! { "$and": [{ "$gte": ["$$n", low] }, { "$lt": ["$$n", high] }] };
    doc! { "$let": { "vars": { "n": n }, "in": { "$cond": [good, { "$trunc": "$$n" }, Bson::Null] } } }.into()
}

/// Matches the pieces with a text in lower case. A text with a character beyond ASCII always matches.
pub(super) fn like(value: Bson, pieces: &[GlobPiece]) -> Option<Bson> {
    let mut regex = String::from("^");
    for piece in pieces {
        match piece {
            GlobPiece::Any => regex.push_str(".*"),
            GlobPiece::Text(text) if text.is_ascii() && !text.contains('\0') => regex.push_str(&regex::escape(text)),
            GlobPiece::Text(_) => return None,
        }
    }
    regex.push_str("\\z");
    let fits: Bson = match pieces {
        // The common case needs no regular expression.
        [GlobPiece::Any, GlobPiece::Text(text), GlobPiece::Any] => {
            doc! { "$gte": [{ "$indexOfBytes": ["$$l", { "$literal": text }] }, 0] }.into()
        }
        [GlobPiece::Text(text)] => doc! { "$eq": ["$$l", { "$literal": text }] }.into(),
        _ => doc! { "$regexMatch": { "input": "$$l", "regex": regex, "options": "s" } }.into(),
    };
    let beyond = doc! { "$ne": [{ "$strLenBytes": "$$l" }, { "$strLenCP": "$$l" }] };
    let lower = doc! { "$toLower": value };
    Some(doc! { "$let": { "vars": { "l": lower }, "in": { "$or": [fits, beyond] } } }.into())
}

/// A pattern on a text, and whether the condition is exact.
pub(super) fn pattern(value: Bson, pattern: &Pattern) -> Option<(Bson, bool)> {
    match pattern {
        Pattern::Exact(text) => Some((doc! { "$eq": [value, { "$literal": text }] }.into(), true)),
        Pattern::Order(op, text) => Some((doc! { operator(*op): [value, { "$literal": text }] }.into(), true)),
        other => like(value, &other.pieces()?).map(|test| (test, false)),
    }
}

/// Whether there is a list of one value at a path, which is read as that value.
pub(super) fn is_list_of_one(path: &str) -> Bson {
    let list = doc! { "$cond": [{ "$isArray": [path] }, path, Bson::Array(Vec::new())] };
    doc! { "$eq": [{ "$size": list }, 1] }.into()
}

/// Whether the text of an error says that there is none.
pub(super) fn says_none(text: &str) -> Document {
    doc! { "$regexMatch": { "input": { "$toLower": text }, "regex": no_error_text() } }
}

pub(super) fn operator(op: Op) -> &'static str {
    match op {
        Op::Greater => "$gt",
        Op::GreaterEqual => "$gte",
        Op::Less => "$lt",
        Op::LessEqual => "$lte",
        _ => "$eq",
    }
}

pub(super) fn interval(value: &Bson, interval: &Interval) -> Bson {
    let mut parts: Vec<Bson> = Vec::new();
    if interval.low > f64::NEG_INFINITY {
        let op = if interval.low_in { "$gte" } else { "$gt" };
        parts.push(doc! { op: [value.clone(), interval.low] }.into());
    }
    if interval.high < f64::INFINITY {
        let op = if interval.high_in { "$lte" } else { "$lt" };
        parts.push(doc! { op: [value.clone(), interval.high] }.into());
    }
    doc! { "$and": parts }.into()
}

/// A moment rounded up to milliseconds, for comparison with stored dates.
pub(super) fn date(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.0.div_euclid(1000) + i64::from(at.0.rem_euclid(1000) > 0))
}

pub(super) fn time(value: &Bson, range: &TimeRange) -> Bson {
    let mut parts: Vec<Bson> = Vec::new();
    parts.extend(range.start.map(|at| Bson::from(doc! { "$gte": [value.clone(), date(at)] })));
    parts.extend(range.end.map(|at| Bson::from(doc! { "$lt": [value.clone(), date(at)] })));
    doc! { "$and": parts }.into()
}
