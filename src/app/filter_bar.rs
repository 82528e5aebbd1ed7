//! The filter bar: text, the last good filter, completions, the error under its place.

use crosstail_core::filter::{Completion, Filter, ParseError};

/// State of the filter bar.
#[derive(Debug, Clone, Default)]
pub struct FilterBar {
    /// What stands in the bar.
    pub text: String,
    /// Byte of the cursor.
    pub cursor: usize,
    /// Grows whenever the application, not the user's typing, changes the text.
    pub generation: u64,
    /// The filter in force: the last text that parsed.
    pub applied: Filter,
    /// Why the text does not parse.
    pub error: Option<ParseError>,
    /// What was in force before editing began.
    pub before: Option<Filter>,
    /// What fits at the cursor.
    pub completions: Vec<Completion>,
    /// The chosen one.
    pub chosen: Option<usize>,
}

impl FilterBar {
    /// Puts a text into the bar.
    pub fn set_text(&mut self, text: String, cursor: usize) {
        self.text = text;
        self.cursor = cursor;
        self.generation += 1;
    }

    /// Parses the text: a good one is in force from now on.
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

    /// Moves the choice among the completions.
    pub fn choose(&mut self, by: isize) {
        let count = self.completions.len() as isize;
        if count == 0 {
            return;
        }
        let at = self.chosen.map_or(if by > 0 { 0 } else { count - 1 }, |at| (at as isize + by).rem_euclid(count));
        self.chosen = Some(at as usize);
    }

    /// Puts a completion into the text.
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

    /// The text with a clause added by AND, or with the same clause taken out of its negation.
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
