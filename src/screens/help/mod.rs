//! Help: what is accepted, with its keys, and the filter language.

mod view;

use super::Screen;
use super::request::Request;
use super::shared::Shared;
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::Canvas;

/// The help, scrolled to a line.
pub(super) struct Help {
    /// The actions that something accepts.
    actions: Vec<Action>,
    /// The first line shown.
    first: usize,
}

impl Help {
    pub(super) fn new(actions: Vec<Action>) -> Self {
        Self { actions, first: 0 }
    }
}

impl Screen for Help {
    fn name(&self) -> &'static str {
        "help"
    }

    fn actions(&self) -> Vec<Action> {
        [
            Action::UP,
            Action::DOWN,
            Action::PAGE_UP,
            Action::PAGE_DOWN,
            Action::TOP,
            Action::BACK,
            Action::HELP,
            Action::OPEN,
        ]
        .to_vec()
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::UP => self.first = self.first.saturating_sub(1),
            Action::DOWN => self.first += 1,
            Action::PAGE_UP => self.first = self.first.saturating_sub(15),
            Action::PAGE_DOWN => self.first += 15,
            Action::TOP => self.first = 0,
            Action::BACK | Action::HELP | Action::OPEN => shared.ask(Request::Close),
            _ => return None,
        }
        Some(Vec::new())
    }

    fn view(&self, _shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, canvas);
    }
}
