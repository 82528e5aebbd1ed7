//! The filter language: text → syntax tree → predicate. The predicate defines every result; a source's translation to
//! its own query language must agree with it.
//!
//! ```text
//! query = or ;  or = and { ("OR"|"||") and } ;  and = not { ["AND"|"&&"] not } ;  not = ["NOT"|"!"|"-"] atom
//! atom  = "(" query ")" | path ["?"] op value | text
//! op    = ":" "=" "!=" ">" ">=" "<" "<=" "~" "!~"
//! value = "*" | part | "(" part {"," part} ")" ;  part = scalar | scalar ".." [scalar] | ".." scalar
//! ```
//!
//! OR, AND and NOT may be written in lower case. A range of times holds its start and everything before its end; a day as the
//! end is in the range. A word that looks like an operator in the wrong place is an error, never text: what it was meant for
//! would be searched for silently.

mod ast;
mod compile;
mod complete;
mod fields;
mod operand;
mod parse;
mod predicate;
mod record;
mod scalar;

pub use ast::{Atom, Expr, Op, Operand, PathRoot, PathStep, Scalar, ScalarForm, Value};
pub use complete::{Completion, Vocabulary, complete};
pub use fields::{Field, ValueType, may_become_field, quote, suggest};
pub use operand::paths_of;
pub use parse::{ParseError, begins_with_field};
pub use predicate::combine;
pub use predicate::{
    Comparator, GlobPiece, Interval, JsonTest, Matcher, Pattern, Predicate, TimeRange, Truth, resolve_path,
};
pub use record::{NamedRecord, Record, of_pattern, outcome, value_text};
pub use scalar::{Context, offset_s};

use std::ops::Range;

/// A parsed filter: its text and its tree.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    text: String,
    expr: Expr,
}

/// Parses a duration such as `1.5s` or `250ms` into microseconds; `None` without a unit.
pub fn duration_us(text: &str) -> Option<f64> {
    scalar::duration_us(text.trim(), None)
}

/// Parses a time as filters write it: `-15m`, `2026-11-20`, `2026-11-20T09:00`, `09:20`. Of a period, its start.
pub fn moment(text: &str, context: &Context) -> Result<crate::model::Timestamp, ParseError> {
    let scalar = Scalar { text: text.to_owned(), form: ScalarForm::Bare, span: 0..text.len() };
    scalar::moment(&scalar, context, None).map(|span| span.start)
}

/// Parses the end of a range as filters write it, and returns the first time after the range: of `09:20` that moment, of
/// `2026-11-20` the end of the day.
pub fn range_end(text: &str, context: &Context) -> Result<crate::model::Timestamp, ParseError> {
    let scalar = Scalar { text: text.to_owned(), form: ScalarForm::Bare, span: 0..text.len() };
    scalar::moment(&scalar, context, None).map(scalar::Moment::as_end)
}

impl Filter {
    /// Parses a filter. Empty text keeps everything.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::compile(text, &Context::default()).map(|(filter, _)| filter)
    }

    /// Parses a filter and compiles it for a point in time and a time zone. A value that is wrong there is an error of the
    /// text.
    pub fn compile(text: &str, context: &Context) -> Result<(Self, Predicate), ParseError> {
        let expr = parse::parse(text)?;
        let predicate = compile::compile(&expr, context)?;
        Ok((Self { text: text.to_owned(), expr }, predicate))
    }

    /// A filter of a tree, for what a source is asked; it has no text.
    pub fn of(expr: Expr) -> Self {
        Self { text: String::new(), expr }
    }

    /// The text as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The syntax tree.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Whether it keeps everything.
    pub fn is_all(&self) -> bool {
        matches!(self.expr, Expr::All)
    }

    /// The first text that it looks for without a field, where it keeps what has it.
    pub fn plain_text(&self) -> Option<&str> {
        self.expr.plain_text()
    }

    /// The clauses of the outermost AND.
    pub fn clauses(&self) -> Vec<&Expr> {
        match &self.expr {
            Expr::All => Vec::new(),
            Expr::And(parts) => parts.iter().collect(),
            other => vec![other],
        }
    }

    /// Its text without the clauses of the outermost AND that compare only these fields, alone or in a group, and without those that
    /// negate such a comparison if `negated`.
    pub fn without(&self, fields: &[Field], negated: bool) -> String {
        let of_fields = |expr: &&Expr| negated || !matches!(expr, Expr::Not(_));
        let clauses = self.clauses().into_iter().filter(of_fields);
        let mut spans: Vec<_> = clauses.filter_map(|expr| self.span_of(expr, fields)).collect();
        spans.sort_by_key(|span| std::cmp::Reverse(span.start));
        let mut text = self.text.clone();
        for span in spans {
            let rest = &text[span.end..];
            let blanks = rest.len() - rest.trim_start().len();
            text.replace_range(span.start..span.end + blanks, "");
        }
        let text = text.trim();
        // A group that is written in an unusual way stays.
        if parse::parse(text).is_ok() { text.to_owned() } else { self.text.clone() }
    }

    /// Where an expression stands in the text, with its parentheses and its sign; `None` if it compares anything but these fields.
    fn span_of(&self, expr: &Expr, fields: &[Field]) -> Option<Range<usize>> {
        let mut span = match expr {
            Expr::Atom(Atom { target: Operand::Field(field), span, .. }) if fields.contains(field) => span.clone(),
            Expr::Not(part) => {
                let span = self.span_of(part, fields)?;
                // With the `-`, `!` or `NOT` before it.
                let sign = self.text[..span.start].trim_end();
                let length = if sign.ends_with(['-', '!']) { 1 } else { "not".len() };
                sign.len().saturating_sub(length)..span.end
            }
            Expr::And(parts) | Expr::Or(parts) => {
                let mut spans = parts.iter().map(|part| self.span_of(part, fields));
                let first = spans.next()??;
                spans.try_fold(first, |all, span| {
                    let span = span?;
                    Some(all.start.min(span.start)..all.end.max(span.end))
                })?
            }
            Expr::Atom(_) | Expr::Text(_) | Expr::All => return None,
        };
        loop {
            let (before, behind) = (self.text[..span.start].trim_end(), self.text[span.end..].trim_start());
            if !before.ends_with('(') || !behind.starts_with(')') {
                return Some(span);
            }
            span = before.len() - 1..self.text.len() - behind.len() + 1;
        }
    }

    /// Whether a clause of the outermost AND is written like this.
    pub fn has_clause(&self, text: &str) -> bool {
        let Ok(clause) = parse::parse(text) else { return false };
        self.clauses().into_iter().any(|own| own.without_spans() == clause.without_spans())
    }

    /// Whether its result depends on the present time.
    pub fn is_relative(&self) -> bool {
        self.expr.atoms().iter().any(|atom| atom.is_relative())
    }

    /// Compiles the filter for a point in time and a time zone. One that means nothing there, as a local time that is skipped,
    /// keeps nothing: [`Filter::compile`] says why.
    pub fn predicate(&self, context: &Context) -> Predicate {
        compile::compile(&self.expr, context).unwrap_or(Predicate::Or(Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn groups_of_fields_are_taken_out_with_their_parentheses() {
        let outcome = [Field::Status, Field::Http, Field::Is];
        for (text, rest) in [
            ("(http:* OR status:timeout) (http:5xx OR status:timeout) system:SAP", "system:SAP"),
            ("system:SAP ((http:5xx OR status:timeout) OR is:failure)", "system:SAP"),
            ("system:SAP (http:5xx OR system:Zoho)", "system:SAP (http:5xx OR system:Zoho)"),
            ("http:5xx OR status:timeout", ""),
            ("system:SAP -(http:2xx OR status:success) -status:success", "system:SAP"),
            ("system:SAP (-http:2xx OR status:failed) kind:api_call", "system:SAP kind:api_call"),
        ] {
            assert_eq!(Filter::parse(text).expect(text).without(&outcome, true), rest, "{text}");
        }
        let filter = Filter::parse("-(http:2xx OR status:success) status:failed").expect("a filter");
        assert_eq!(filter.without(&outcome, false), "-(http:2xx OR status:success)");
    }

    #[test]
    fn clauses_are_found_in_the_tree_not_in_the_text() {
        let filter = |text: &str| Filter::parse(text).expect(text);
        let text = r#"error:"time:-1h  (a, b)" time:-15m system:(SAP, "a b") -time:2026-11-20"#;
        assert_eq!(
            filter(text).without(&[Field::Time], false),
            r#"error:"time:-1h  (a, b)" system:(SAP, "a b") -time:2026-11-20"#
        );
        assert_eq!(filter("time:-15m").without(&[Field::Time], false), "");
        let outcome = [Field::Status, Field::Is];
        let left = |text: &str| filter(text).without(&outcome, true);
        assert_eq!(left("status:failed system:sap is:failure x"), "system:sap x");
        assert_eq!(left("-status:success system:sap"), "system:sap");
        assert_eq!(left("system:sap NOT status:success"), "system:sap");
        assert_eq!(left("status:failed OR system:sap"), "status:failed OR system:sap");
        assert!(filter(text).has_clause(r#"system:(SAP,"a b")"#));
        assert!(!filter(text).has_clause("system:SAP"));
        assert!(
            filter("-status:failed").has_clause("-status:failed")
                && !filter("-status:failed").has_clause("status:failed")
        );
    }

    #[test]
    fn a_filter_says_when_what_it_keeps_can_start() {
        let context = Context { now: Timestamp(1_795_000_000_000_000), ..Context::default() };
        for (text, since, length) in [
            ("status:failed", None, None),
            ("time:2026-11-20", Some("2026-11-20T00:00:00.000Z"), Some(86_400_000_000)),
            ("time:2026-11-20 status:failed time:2026-11-19..2026-11-20T12:00", Some("2026-11-20T00:00:00.000Z"), None),
            ("time:2026-11-20 OR time:2026-11-22", Some("2026-11-20T00:00:00.000Z"), Some(3 * 86_400_000_000)),
            ("time:2026-11-20 OR status:failed", None, None),
            ("-time:2026-11-20", None, None),
        ] {
            let (_, predicate) = Filter::compile(text, &context).expect(text);
            let bounds = predicate.time_bounds();
            assert_eq!(bounds.and_then(|bounds| bounds.0).map(Timestamp::rfc3339).as_deref(), since, "{text}");
            if let Some(length) = length {
                let (Some(since), Some(until)) = bounds.expect(text) else { panic!("{text}: {bounds:?}") };
                assert_eq!(until.since_us(since), length, "{text}");
            }
        }
    }

    #[test]
    fn a_time_that_does_not_exist_in_a_zone_is_an_error_of_the_text() {
        // 2026-03-29: at 02:00, clocks in Berlin go to 03:00.
        let text = "time:2026-03-29T02:30.. status:failed";
        let at = |zone| Context { now: Timestamp(1_795_000_000_000_000), zone };
        assert!(Filter::compile(text, &at(chrono_tz::Tz::UTC)).is_ok());
        let berlin = at(chrono_tz::Tz::Europe__Berlin);
        let kept_nothing = Filter::parse(text).expect("valid in UTC").predicate(&berlin);
        assert!(matches!(kept_nothing, Predicate::Or(parts) if parts.is_empty()));
        let error = Filter::compile(text, &berlin).expect_err("no such time");
        assert_eq!(&text[error.span], "2026-03-29T02:30");
    }
}
