//! The sources, their state and lag; Enter shows the activities of one.

mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::Shared;
use super::{Entry, Hint, Screen};
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::Canvas;
use crosstail_core::filter::quote;

pub(super) const ENTRY: Entry = Entry::new(Some(Action::SOURCES), || Box::new(Sources::default()));

/// The sources, with the cursor on one.
#[derive(Default)]
pub(super) struct Sources {
    line: Lines,
}

impl Screen for Sources {
    fn name(&self) -> &'static str {
        "activity"
    }

    fn actions(&self) -> Vec<Action> {
        [&Lines::ACTIONS[..], &[Action::OPEN, Action::BACK]].concat()
    }

    fn is_empty(&self, shared: &Shared) -> bool {
        shared.sources.is_empty()
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint(Action::BACK, "back"),
            Hint(Action::OPEN, "show its activities"),
            Hint(Action::HEALTH, "health"),
            Hint(Action::PALETTE, "commands"),
        ]
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::BACK => shared.ask(Request::Close),
            Action::OPEN => {
                let name = &shared.sources.get(self.line.0)?.name;
                shared.ask(Request::Show(format!("source:{}", quote(name))));
            }
            _ => return self.line.moved(action, shared.sources.len()).then(Vec::new),
        }
        Some(Vec::new())
    }

    fn opened(&mut self, _shared: &mut Shared) -> Vec<Effect> {
        self.line = Lines::default();
        Vec::new()
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}
