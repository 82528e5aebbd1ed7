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
            Action::Up,
            Action::Down,
            Action::PageUp,
            Action::PageDown,
            Action::Top,
            Action::Back,
            Action::Help,
            Action::Open,
        ]
        .to_vec()
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::Up => self.first = self.first.saturating_sub(1),
            Action::Down => self.first += 1,
            Action::PageUp => self.first = self.first.saturating_sub(15),
            Action::PageDown => self.first += 15,
            Action::Top => self.first = 0,
            Action::Back | Action::Help | Action::Open => shared.ask(Request::Close),
            _ => return None,
        }
        Some(Vec::new())
    }

    fn view(&self, _shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, canvas);
    }
}
