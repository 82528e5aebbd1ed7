//! The filter bar: its text, the last valid filter, completions, and the error with its position.

use crosstail_core::filter::{Completion, Filter, ParseError};
use crosstail_core::number::{saturating_isize, saturating_usize};

/// State of the filter bar.
#[derive(Debug, Clone, Default)]
pub struct FilterBar {
    /// Text in the bar.
    pub text: String,
    /// Position of the cursor, in bytes.
    pub cursor: usize,
    /// Incremented whenever the application, rather than the user, changes the text.
    pub generation: u64,
    /// The filter in force: the last text that parsed.
    pub applied: Filter,
    /// Why the text does not parse, if it does not.
    pub error: Option<ParseError>,
    /// The filter in force before editing started.
    pub before: Option<Filter>,
    /// Completions at the cursor.
    pub completions: Vec<Completion>,
    /// Index of the selected completion.
    pub chosen: Option<usize>,
}

impl FilterBar {
    /// Replaces the text; `cursor` is in bytes.
    pub fn set_text(&mut self, text: String, cursor: usize) {
        self.text = text;
        self.cursor = cursor;
        self.generation += 1;
    }

    /// Parses the text and, if it is valid, puts it in force. Returns whether the filter in force changed.
    pub fn parse(&mut self) -> bool {
        match Filter::parse(&self.text) {
            Ok(filter) => {
                self.error = None;
                let changed = filter.text() != self.applied.text();
                self.applied = filter;
                changed
            }
            Err(error) => {
                self.error = Some(error);
                false
            }
        }
    }

    /// Moves the selection among the completions, wrapping around.
    pub fn choose(&mut self, by: isize) {
        let count = saturating_isize(self.completions.len());
        if count == 0 {
            return;
        }
        let at =
            self.chosen.map_or(if by > 0 { 0 } else { count - 1 }, |at| (saturating_isize(at) + by).rem_euclid(count));
        self.chosen = Some(saturating_usize(at));
    }

    /// Inserts a completion.
    pub fn accept(&mut self, index: usize) {
        let Some(completion) = self.completions.get(index).cloned() else { return };
        let mut text = self.text.clone();
        let open = completion.insert.ends_with([':', '>', '.']);
        let space = if open || text[completion.span.end..].starts_with([' ', ')', ',']) { "" } else { " " };
        let insert = format!("{}{space}", completion.insert);
        let cursor = completion.span.start + insert.len();
        text.replace_range(completion.span, &insert);
        self.chosen = None;
        self.set_text(text, cursor);
    }

    /// The filter in force with a clause, or its negation, added with AND. A clause that it already contains is not added
    /// again; a contrary clause stays.
    pub fn with_clause(&self, clause: &str, negated: bool) -> String {
        let clause = if negated { format!("-{clause}") } else { clause.to_owned() };
        let text = self.applied.text().trim();
        if text.split_whitespace().any(|word| word == clause) {
            return text.to_owned();
        }
        if text.is_empty() {
            clause
        } else if matches!(self.applied.expr(), crosstail_core::filter::Expr::Or(_)) {
            format!("({text}) {clause}")
        } else {
            format!("{text} {clause}")
        }
    }
}
