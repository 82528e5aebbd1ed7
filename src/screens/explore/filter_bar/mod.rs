//! The filter bar: what is typed, completions, and the error with its position. What is in force is shared.

pub(super) mod view;

use crate::action::Action;
use crate::effect::Effect;
use crate::screens::Hint;
use crate::screens::request::{Focus, Request};
use crate::screens::shared::Shared;
use crate::tui::TextField;
use crosstail_core::filter::{Completion, Filter, ParseError, complete, may_become_field};
use crosstail_core::number::{saturating_isize, saturating_usize};

/// State of the filter bar.
#[derive(Debug, Clone, Default)]
pub struct FilterBar {
    /// What is typed.
    pub field: TextField,
    /// Why the text does not parse, if it does not.
    pub error: Option<ParseError>,
    /// The filter in force before editing started.
    before: Option<Filter>,
    /// Completions at the cursor.
    pub completions: Vec<Completion>,
    /// Index of the selected completion.
    pub chosen: Option<usize>,
}

impl FilterBar {
    /// The actions that it takes while it has the keys.
    pub const ACTIONS: [Action; 6] =
        [Action::UP, Action::DOWN, Action::FOCUS_NEXT, Action::FILTER_HISTORY, Action::OPEN, Action::BACK];

    /// What the key bar shows while it has the keys.
    pub const HINTS: &[Hint] = &[
        Hint(Action::BACK, "as before"),
        Hint(Action::OPEN, "keep"),
        Hint(Action::FOCUS_NEXT, "complete"),
        Hint(Action::UP, "choose"),
        Hint(Action::DOWN, "choose"),
        Hint(Action::FILTER_HISTORY, "used before"),
    ];

    /// Starts editing the filter in force.
    pub fn begin(&mut self, shared: &Shared) {
        self.before = Some(shared.filter.clone());
        let mut text = shared.filter.text().to_owned();
        if !text.is_empty() && !text.ends_with(' ') {
            text.push(' ');
        }
        self.field.set(&text, text.len());
        self.chosen = None;
        self.suggest(shared);
    }

    /// Puts another text in place of what is typed.
    pub fn replace(&mut self, text: &str, shared: &mut Shared) {
        self.field.set(text, text.len());
        self.edited(shared);
    }

    /// Takes an edited text.
    pub fn edited(&mut self, shared: &mut Shared) {
        self.chosen = None;
        self.suggest(shared);
        self.parse(shared);
    }

    /// Computes the completions at the cursor.
    fn suggest(&mut self, shared: &Shared) {
        self.completions = complete(self.field.text(), self.field.cursor(), &shared.store);
    }

    /// Parses the text. If it is valid, asks for it to be in force.
    fn parse(&mut self, shared: &mut Shared) {
        let typed = self.field.text();
        // `stat` may become `status:`; searching for it as a text would empty the list at every letter.
        let text = if self.field.cursor() == typed.len() { without_beginning(typed) } else { typed };
        match Filter::compile(text, &shared.context()) {
            Ok((filter, predicate)) => {
                self.error = None;
                if filter.text() != shared.filter.text() {
                    shared.ask(Request::Apply(filter, Box::new(predicate)));
                }
            }
            Err(error) => {
                self.error = Some(error);
                // What the last clause was before it became wrong is not the last good filter.
                let before = Filter::compile(last_word(typed).0, &shared.context());
                if let Some((filter, predicate)) = before.ok().filter(|(filter, _)| {
                    let text = filter.text().trim();
                    !text.is_empty() && text != shared.filter.text().trim() && shared.filter.text().starts_with(text)
                }) {
                    shared.ask(Request::Apply(filter, Box::new(predicate)));
                }
            }
        }
    }

    /// Moves the selection among the completions, wrapping around.
    fn choose(&mut self, by: isize) {
        let count = saturating_isize(self.completions.len());
        if count == 0 {
            return;
        }
        let at =
            self.chosen.map_or(if by > 0 { 0 } else { count - 1 }, |at| (saturating_isize(at) + by).rem_euclid(count));
        self.chosen = Some(saturating_usize(at));
    }

    /// Inserts a completion.
    pub fn accept(&mut self, index: usize, shared: &mut Shared) {
        if let Some(completion) = self.completions.get(index).cloned() {
            let mut text = self.field.text().to_owned();
            let open = completion.insert.ends_with([':', '>', '.']);
            let space = if open || text[completion.span.end..].starts_with([' ', ')', ',']) { "" } else { " " };
            let insert = format!("{}{space}", completion.insert);
            let cursor = completion.span.start + insert.len();
            text.replace_range(completion.span, &insert);
            self.chosen = None;
            self.field.set(&text, cursor);
        }
        self.suggest(shared);
        self.parse(shared);
    }

    /// Takes an action while it has the keys.
    pub fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::UP => self.choose(-1),
            Action::DOWN => self.choose(1),
            Action::FILTER_HISTORY => shared.ask(Request::History(self.field.text().trim().to_owned())),
            Action::FOCUS_NEXT => self.accept(self.chosen.unwrap_or(0), shared),
            Action::OPEN => match (self.chosen, &self.error) {
                (Some(chosen), _) => self.accept(chosen, shared),
                (None, Some(error)) => shared.notify(error.message.clone()),
                (None, None) => {
                    self.before = None;
                    self.completions.clear();
                    // Now a beginning of a name is a text.
                    if shared.filter.text().trim() != self.field.text().trim() {
                        shared.ask(Request::Filter(self.field.text().trim().to_owned()));
                    }
                    shared.ask(Request::Focus(Focus::List));
                    shared.ask(Request::Remember);
                }
            },
            Action::BACK => {
                let before = self.before.take().unwrap_or_default();
                self.completions.clear();
                self.field.set(before.text(), before.text().len());
                self.parse(shared);
                shared.ask(Request::Focus(Focus::List));
            }
            _ => return None,
        }
        Some(Vec::new())
    }
}

/// A text without its last word, if that may become the name of a field, maybe one with a slip.
fn without_beginning(text: &str) -> &str {
    let (before, word) = last_word(text);
    if !word.is_empty() && may_become_field(word) { before } else { text }
}

/// A text before its last word, and that word.
fn last_word(text: &str) -> (&str, &str) {
    let mut before = text.rmatch_indices(|c: char| c.is_whitespace() || "(!-".contains(c));
    let start = before.next().map_or(0, |(at, character)| at + character.len());
    (text[..start].trim_end_matches(['-', '!', '(']), &text[start..])
}

#[cfg(test)]
mod tests {
    use super::without_beginning;

    #[test]
    fn a_beginning_of_a_name_is_not_searched_for_while_it_is_typed() {
        for (typed, searched) in [
            ("stat", ""),
            ("status:failed sys", "status:failed "),
            ("status:failed -sys", "status:failed "),
            ("status:failed (sys", "status:failed "),
            ("status:failed 4711", "status:failed 4711"),
            // A slip is seen when the name is whole: until then it is not searched for, either.
            ("status:failed syt", "status:failed "),
            ("status:failed stauts", "status:failed "),
            ("status:failed gateway", "status:failed gateway"),
            ("stat ", "stat "),
            ("upstream", "upstream"),
            ("error:sys", "error:sys"),
            // The blank of a Japanese keyboard has three bytes.
            ("status:failed\u{3000}sys", "status:failed\u{3000}"),
        ] {
            assert_eq!(without_beginning(typed), searched, "{typed}");
        }
    }
}
