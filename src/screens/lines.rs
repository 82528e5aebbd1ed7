//! The selected line of a screen of lines.

use crate::action::Action;

/// The selected line, from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lines(pub usize);

impl Lines {
    /// The actions that move.
    pub(super) const ACTIONS: [Action; 6] =
        [Action::UP, Action::DOWN, Action::PAGE_UP, Action::PAGE_DOWN, Action::TOP, Action::BOTTOM];

    /// Moves among `count` lines; returns whether the action moves.
    pub(super) fn moved(&mut self, action: Action, count: usize) -> bool {
        let last = count.saturating_sub(1);
        self.0 = match action {
            Action::UP => self.0.saturating_sub(1),
            Action::DOWN => (self.0 + 1).min(last),
            Action::PAGE_UP => self.0.saturating_sub(10),
            Action::PAGE_DOWN => (self.0 + 10).min(last),
            Action::TOP => 0,
            Action::BOTTOM => last,
            _ => return false,
        };
        true
    }
}
