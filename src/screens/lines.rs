//! The selected line of a screen of lines.

use crate::action::Action;

/// The selected line, from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lines(pub usize);

impl Lines {
    /// The actions that move.
    pub(super) const ACTIONS: [Action; 6] =
        [Action::Up, Action::Down, Action::PageUp, Action::PageDown, Action::Top, Action::Bottom];

    /// Moves among `count` lines; returns whether the action moves.
    pub(super) fn moved(&mut self, action: Action, count: usize) -> bool {
        let last = count.saturating_sub(1);
        self.0 = match action {
            Action::Up => self.0.saturating_sub(1),
            Action::Down => (self.0 + 1).min(last),
            Action::PageUp => self.0.saturating_sub(10),
            Action::PageDown => (self.0 + 10).min(last),
            Action::Top => 0,
            Action::Bottom => last,
            _ => return false,
        };
        true
    }
}
