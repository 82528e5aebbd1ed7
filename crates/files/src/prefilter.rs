//! Rejects lines before decoding them: where the raw value in a line fails a clause, no activity has to be built.
//!
//! Only clauses of the outermost AND are tested, and only on values that the activity will have exactly as the line has
//! them; the filter tests everything else. A line that is one of several parts is never rejected for good: the hash of
//! its request id is kept, and the joined activity is tested.

use crosstail_core::filter::{Field, Matcher, Operand as Compared, Predicate};
use crosstail_core::model::Level;
use crosstail_core::schema::{Assembler, Schema, Target};

/// The clauses that can be tested on raw values.
#[derive(Debug, Default)]
pub(super) struct LinePrefilter<'p> {
    clauses: Vec<(Target, &'p Matcher)>,
}

impl<'p> LinePrefilter<'p> {
    pub(super) fn new(predicate: &'p Predicate) -> Self {
        let parts = match predicate {
            Predicate::And(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        let clauses = parts.iter().filter_map(|part| {
            let Predicate::Compare(leaf) = part else { return None };
            let Compared::Field(field) = leaf.target else { return None };
            let target = match (field, &leaf.test) {
                (Field::System, Matcher::Text(_)) => Target::System,
                (Field::Method, Matcher::Text(_)) => Target::Method,
                (Field::Url, Matcher::Text(_)) => Target::Url,
                (Field::Message, Matcher::Text(_)) => Target::Message,
                (Field::Error, Matcher::Text(_)) => Target::Error,
                (Field::Level, Matcher::Word(_)) => Target::Level,
                (Field::Http, Matcher::Number(_)) => Target::HttpStatus,
                _ => return None,
            };
            (!leaf.negated && !leaf.or_absent).then_some((target, &leaf.test))
        });
        Self { clauses: clauses.collect() }
    }

    /// Whether a clause certainly fails.
    pub(super) fn rejects(&self, record: &Assembler<'_>, schema: &Schema) -> bool {
        self.clauses.iter().any(|(target, test)| match test {
            Matcher::Text(patterns) => record
                .raw(*target)
                .filter(|text| *target != Target::Error || is_as_written(text))
                .is_some_and(|text| !patterns.iter().any(|pattern| pattern.test(&text))),
            Matcher::Word(mask) => record
                .raw(*target)
                .and_then(|text| Level::parse_any(schema.definition().word("level", &text)))
                .is_some_and(|level| mask & (1 << level as u8) == 0),
            Matcher::Number(intervals) => record
                .raw_number(*target)
                .is_some_and(|n| (100.0..1000.0).contains(&n) && !intervals.iter().any(|i| i.contains(n.trunc()))),
            _ => false,
        })
    }
}

/// Whether the text of an error is the activity's: of a stack and of an object that is what they say was thrown.
fn is_as_written(error: &str) -> bool {
    !error.starts_with(['{', '[']) && !error.contains('\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_still_to_be_read_rejects_nothing() {
        for error in ["Traceback (most recent call last):\n  a\nValueError: no route", r#"{"value":"no route"}"#] {
            assert!(!is_as_written(error), "{error}");
        }
        assert!(is_as_written("no route"));
    }
}
