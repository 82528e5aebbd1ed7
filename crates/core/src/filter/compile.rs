//! Compiles a tree to a predicate. The class of a field decides how the values of its clauses are parsed.

use super::ast::{Atom, Expr, Op, Operand, Scalar, ScalarForm, Value};
use super::fields::{Field, ValueType};
use super::parse::ParseError;
use super::predicate::{Comparator, Interval, JsonTest, Matcher, Pattern, Predicate, TimeRange};
use super::scalar::{self, Context, Distance, MatchExtent, Moment};
use crate::number::saturating_i32;

pub(super) fn compile(expr: &Expr, context: &Context) -> Result<Predicate, ParseError> {
    let list = |parts: &[Expr]| parts.iter().map(|part| compile(part, context)).collect::<Result<Vec<_>, _>>();
    Ok(match expr {
        Expr::All => Predicate::All,
        Expr::And(parts) => Predicate::And(list(parts)?),
        Expr::Or(parts) => Predicate::Or(list(parts)?),
        Expr::Not(part) => Predicate::Not(Box::new(compile(part, context)?)),
        Expr::Text(scalar) => Predicate::FreeText(anywhere(scalar)?),
        Expr::Atom(atom) => Predicate::Compare(Comparator {
            target: atom.target.clone(),
            or_absent: atom.or_absent,
            negated: atom.op.is_negated(),
            test: test(atom, context)?,
        }),
    })
}

/// A pattern for text anywhere in a value. A glob must match the full value and has no literal.
fn anywhere(scalar: &Scalar) -> Result<Pattern, ParseError> {
    let regex = scalar::pattern(scalar, MatchExtent::Anywhere)?;
    let literal = match scalar.form {
        ScalarForm::Quoted => true,
        ScalarForm::Bare => !scalar.text.contains('*'),
        ScalarForm::Regex => false,
    };
    Ok(if literal { Pattern::Contains(regex, scalar.text.to_lowercase()) } else { Pattern::Regex(regex) })
}

/// The pattern of a `:` comparison, with its pieces.
fn shaped(scalar: &Scalar, extent: MatchExtent) -> Result<Pattern, ParseError> {
    let regex = scalar::pattern(scalar, extent)?;
    Ok(match scalar.form {
        ScalarForm::Regex => Pattern::Regex(regex),
        _ => Pattern::Glob(regex, scalar::pieces(scalar, extent)),
    })
}

/// The test of each value of a list.
fn each<T>(value: &Value, test: impl FnMut(&Value) -> Result<T, ParseError>) -> Result<Vec<T>, ParseError> {
    value.parts().iter().map(test).collect()
}

fn test(atom: &Atom, context: &Context) -> Result<Matcher, ParseError> {
    if atom.value == Value::Any {
        return Ok(Matcher::Present);
    }
    let class = match &atom.target {
        Operand::Path(..) => return json_test(atom),
        Operand::Field(field) if field.class() == ValueType::Word => return word_test(*field, atom),
        Operand::Field(Field::Pattern) if atom.op == Op::Has => return pattern_test(atom),
        Operand::Field(field) => field.class(),
    };
    match class {
        ValueType::Number | ValueType::Duration => number_test(class, atom),
        ValueType::Time => time_test(atom, context),
        _ => text_test(class, atom),
    }
}

fn text_test(class: ValueType, atom: &Atom) -> Result<Matcher, ParseError> {
    let pattern = |scalar: &Scalar| {
        Ok(match atom.op {
            Op::Has if scalar.form == ScalarForm::Regex => Pattern::Regex(scalar::regex(scalar)?),
            Op::Has if class == ValueType::Text => anywhere(scalar)?,
            Op::Has => {
                shaped(scalar, if class == ValueType::Id { MatchExtent::Beginning } else { MatchExtent::Whole })?
            }
            Op::Matches | Op::NotMatches => Pattern::Regex(scalar::regex(scalar)?),
            Op::Equal | Op::NotEqual if scalar.form == ScalarForm::Regex => Pattern::Regex(scalar::regex(scalar)?),
            Op::Equal | Op::NotEqual => Pattern::Exact(scalar.text.clone()),
            op => Pattern::Order(op, scalar.text.clone()),
        })
    };
    Ok(Matcher::Text(atom.value.scalars().into_iter().map(pattern).collect::<Result<_, ParseError>>()?))
}

/// The words of patterns, in which a gap stands for any word, or their ids.
fn pattern_test(atom: &Atom) -> Result<Matcher, ParseError> {
    let pattern = |scalar: &Scalar| {
        let is_template = scalar.form == ScalarForm::Quoted || scalar.text.contains(crate::mask::ANY);
        if !is_template || scalar.form == ScalarForm::Regex {
            return shaped(scalar, MatchExtent::Whole);
        }
        let regex = crate::mask::template(&crate::mask::masked(&scalar.text));
        let written = Scalar { text: regex, ..scalar.clone() };
        Ok(Pattern::Regex(scalar::regex(&written)?))
    };
    Ok(Matcher::Text(atom.value.scalars().into_iter().map(pattern).collect::<Result<_, ParseError>>()?))
}

fn word_test(field: Field, atom: &Atom) -> Result<Matcher, ParseError> {
    let words = field.words();
    let index = |scalar: &Scalar| -> Result<u32, ParseError> {
        let text = &scalar.text;
        let exact = match field {
            Field::Level => crate::model::Level::parse_any(text).map(|l| l as usize),
            Field::Direction => crate::model::Direction::parse_any(text).map(|d| d as usize),
            _ => words.iter().position(|w| w.eq_ignore_ascii_case(text)),
        };
        if let Some(index) = exact.filter(|_| scalar.form != ScalarForm::Regex) {
            return Ok(1 << index);
        }
        let pattern = match (scalar.form, atom.op) {
            (ScalarForm::Regex, _) | (_, Op::Matches | Op::NotMatches) => Some(scalar::regex(scalar)?),
            (ScalarForm::Bare, _) if text.contains('*') => Some(scalar::pattern(scalar, MatchExtent::Whole)?),
            _ => None,
        };
        if let Some(pattern) = pattern {
            return Ok(words.iter().enumerate().filter(|(_, w)| pattern.is_match(w)).fold(0, |m, (i, _)| m | 1 << i));
        }
        let near = super::suggest(text, words.iter().copied());
        let hint =
            near.map_or_else(|| format!("one of {}", words.join(", ")), |near| format!("did you mean '{near}'?"));
        Err(ParseError::new(scalar.span.clone(), format!("no {} '{text}'; {hint}", field.name())))
    };
    // All bits from the lowest set one upwards.
    let at_least = |mask: u32| !((mask & mask.wrapping_neg()).max(1) - 1);
    let all = (1u32 << words.len()) - 1;
    let masks = each(&atom.value, |value| {
        let scalar = match value {
            Value::Range(low, high) => {
                let low = low.as_ref().map_or(Ok(1), &index)?;
                let high = high.as_ref().map_or(Ok(1 << (words.len() - 1)), &index)?;
                return Ok(at_least(low) & !(at_least(high) << 1));
            }
            Value::One(one) => one,
            Value::Any | Value::List(_) => return Ok(all),
        };
        let one = index(scalar)?;
        Ok(match atom.op {
            op if op.is_ordering() && field != Field::Level => {
                let message = format!("{} has no order; write {}:{}", field.name(), field.name(), scalar.text);
                return Err(ParseError::new(scalar.span.clone(), message));
            }
            Op::Greater => at_least(one) << 1,
            Op::GreaterEqual => at_least(one),
            Op::Less => !at_least(one),
            Op::LessEqual => !(at_least(one) << 1),
            _ => one,
        })
    })?;
    Ok(Matcher::Word(masks.into_iter().fold(0, |all, mask| all | mask) & all))
}

fn number_test(class: ValueType, atom: &Atom) -> Result<Matcher, ParseError> {
    let read = |scalar: &Scalar| -> Result<(f64, f64), ParseError> {
        let text = scalar.text.as_str();
        let n = if class == ValueType::Duration { scalar::duration_us(text, Some(1e3)) } else { scalar::number(text) };
        if let Some(n) = n {
            return Ok((n, n));
        }
        // Of an HTTP status, `5*` is `5xx`.
        let is_status = atom.target == Operand::Field(Field::Http);
        let (digits, places) = match text.strip_suffix('*').filter(|digits| is_status && digits.len() < 3) {
            Some(digits) => (digits, 3 - digits.len()),
            None => {
                let digits = text.trim_end_matches(['x', 'X']);
                (digits, text.len() - digits.len())
            }
        };
        if class == ValueType::Number
            && places > 0
            && places < 8
            && let Ok(n) = digits.parse::<f64>()
        {
            let scale = 10f64.powi(saturating_i32(places));
            return Ok((n * scale, (n + 1.0) * scale - 1.0));
        }
        let example = if class == ValueType::Duration {
            "a duration such as 250ms, 1.5s or 2m"
        } else {
            "a number such as 503 or 5xx"
        };
        Err(ParseError::new(scalar.span.clone(), format!("'{text}' is not {example}")))
    };
    if matches!(atom.op, Op::Matches | Op::NotMatches) {
        return Err(ParseError::new(atom.span.clone(), "patterns do not apply to numbers; use : = > <"));
    }
    let intervals = each(&atom.value, |value| match value {
        Value::Range(low, high) => {
            let low = low.as_ref().map_or(Ok((f64::NEG_INFINITY, 0.0)), &read)?.0;
            let high = high.as_ref().map_or(Ok((0.0, f64::INFINITY)), &read)?.1;
            Ok(Interval::closed(low, high))
        }
        Value::One(one) => read(one).map(|(low, high)| Interval::of(atom.op, low, high)),
        Value::Any | Value::List(_) => Ok(Interval::closed(f64::NEG_INFINITY, f64::INFINITY)),
    })?;
    Ok(Matcher::Number(intervals))
}

fn time_test(atom: &Atom, context: &Context) -> Result<Matcher, ParseError> {
    if matches!(atom.op, Op::Matches | Op::NotMatches) {
        return Err(ParseError::new(atom.span.clone(), "patterns do not apply to times; use : > < or from..to"));
    }
    let ranges = each(&atom.value, |value| {
        let one = match value {
            Value::Range(low, high) => {
                let low = low.as_ref().map(|low| scalar::moment(low, context, None)).transpose()?;
                let high = high.as_ref().map(|high| scalar::moment(high, context, low.map(|l| l.start))).transpose()?;
                return Ok(TimeRange { start: low.map(|l| l.start), end: high.map(Moment::as_end) });
            }
            Value::One(one) => one,
            Value::Any | Value::List(_) => return Ok(TimeRange::default()),
        };
        let span = scalar::moment(one, context, None)?;
        let (start, end) = match atom.op {
            Op::Greater => (Some(span.end), None),
            Op::GreaterEqual => (Some(span.start), None),
            Op::Less => (None, Some(span.start)),
            Op::LessEqual => (None, Some(span.end)),
            // `time:-15m` is "in the last 15 minutes", `retry.next:+10m` "within the next 10".
            Op::Has if span.distance == Distance::Ago => (Some(span.start), None),
            Op::Has if span.distance == Distance::Ahead => (Some(context.now), Some(span.end)),
            _ => (Some(span.start), Some(span.end)),
        };
        Ok(TimeRange { start, end })
    })?;
    Ok(Matcher::Time(ranges))
}

fn json_test(atom: &Atom) -> Result<Matcher, ParseError> {
    let number = |scalar: &Scalar| {
        (scalar.form == ScalarForm::Bare)
            .then(|| {
                scalar::number(&scalar.text).or_else(|| scalar::duration_us(&scalar.text, None).map(|us| us / 1e3))
            })
            .flatten()
    };
    let read = |side: &Option<Scalar>, open: f64| match side {
        None => Ok(open),
        Some(scalar) => number(scalar)
            .ok_or_else(|| ParseError::new(scalar.span.clone(), format!("'{}' is not a number", scalar.text))),
    };
    let one = |scalar: &Scalar| -> Result<JsonTest, ParseError> {
        let regex = |r| Some(Pattern::Regex(r));
        Ok(match atom.op {
            Op::Matches | Op::NotMatches => {
                let r = scalar::regex(scalar)?;
                JsonTest { interval: None, whole: regex(r.clone()), inside: regex(r) }
            }
            _ if scalar.form == ScalarForm::Regex => {
                let r = scalar::regex(scalar)?;
                JsonTest { interval: None, whole: regex(r.clone()), inside: regex(r) }
            }
            Op::Has => JsonTest {
                interval: number(scalar).map(|n| Interval::closed(n, n)),
                whole: Some(shaped(scalar, MatchExtent::Whole)?),
                inside: Some(shaped(scalar, MatchExtent::Anywhere)?),
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
    let tests = each(&atom.value, |value| match value {
        Value::Range(low, high) => {
            let interval = Interval::closed(read(low, f64::NEG_INFINITY)?, read(high, f64::INFINITY)?);
            Ok(JsonTest { interval: Some(interval), whole: None, inside: None })
        }
        Value::One(scalar) => one(scalar),
        Value::Any | Value::List(_) => {
            let all = Interval::closed(f64::NEG_INFINITY, f64::INFINITY);
            Ok(JsonTest { interval: Some(all), whole: None, inside: None })
        }
    })?;
    Ok(Matcher::Json(tests))
}
