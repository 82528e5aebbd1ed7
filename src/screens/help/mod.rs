//! Help. Its first page is the most useful keys by task; behind it is everything that is accepted, with its keys, and the filter
//! language. Typing searches all of it.

mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::Shared;
use super::{Hint, Screen};
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::{Canvas, TextField};
use std::cell::Cell;

/// The help, scrolled to a line.
pub(super) struct Help {
    /// The actions that something accepts.
    actions: Vec<Action>,
    /// Whether everything is shown, and not the most useful keys.
    is_whole: bool,
    /// What is searched for.
    field: TextField,
    /// The first line shown.
    first: usize,
    /// The last line that can be the first one, as of the last picture: it depends on the room.
    last: Cell<usize>,
}

impl Help {
    pub(super) fn new(actions: Vec<Action>) -> Self {
        Self { actions, is_whole: false, field: TextField::default(), first: 0, last: Cell::new(usize::MAX) }
    }
}

impl Screen for Help {
    fn name(&self) -> &'static str {
        "help"
    }

    fn actions(&self) -> Vec<Action> {
        [&Lines::ACTIONS[..], &[Action::BACK, Action::HELP, Action::OPEN, Action::CLEAR_FILTER]].concat()
    }

    fn hints(&self) -> &'static [Hint] {
        if self.is_whole {
            return &[Hint(Action::BACK, "close"), Hint(Action::UP, "scroll"), Hint(Action::DOWN, "scroll")];
        }
        &[Hint(Action::BACK, "close"), Hint(Action::HELP, "all of them")]
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        let last = self.last.get();
        // The last line was not known before everything was drawn.
        self.first = self.first.min(last);
        match action {
            Action::HELP if !self.is_whole => self.is_whole = true,
            Action::DOWN | Action::PAGE_DOWN if !self.is_whole => self.is_whole = true,
            // Above the first line of everything is the first page.
            Action::UP | Action::PAGE_UP | Action::TOP if self.first == 0 && self.field.text().is_empty() => {
                self.is_whole = false;
            }
            Action::UP => self.first = self.first.saturating_sub(1),
            Action::DOWN => self.first = self.first.saturating_add(1).min(last),
            Action::PAGE_UP => self.first = self.first.saturating_sub(15),
            Action::PAGE_DOWN => self.first = self.first.saturating_add(15).min(last),
            Action::TOP => self.first = 0,
            Action::BOTTOM => (self.is_whole, self.first) = (true, last),
            // The key that empties a filter takes back a letter of this one.
            Action::CLEAR_FILTER => {
                let mut text = self.field.text().to_owned();
                text.pop();
                (self.field, self.first) = (TextField::new(&text), 0);
            }
            Action::BACK | Action::HELP | Action::OPEN => shared.ask(Request::Close),
            _ => return None,
        }
        Some(Vec::new())
    }

    fn types(&self, letter: char) -> bool {
        letter != '?'
    }

    fn field(&mut self) -> Option<&mut TextField> {
        Some(&mut self.field)
    }

    fn edited(&mut self, _changed: bool, _shared: &mut Shared) -> Vec<Effect> {
        (self.is_whole, self.first) = (true, 0);
        Vec::new()
    }

    fn view(&self, _shared: &Shared, canvas: &mut Canvas<'_>) {
        if self.is_whole {
            view::render(self, canvas);
        } else {
            view::sheet::render(&self.actions, canvas);
        }
    }
}
