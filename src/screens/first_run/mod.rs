//! The first page, shown while no source is configured.

mod view;

use super::shared::Shared;
use super::{Hint, Screen};
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::{Canvas, Context};

/// The first page: it only shows, and leaves every action to the rest.
pub(super) struct FirstRun;

impl Screen for FirstRun {
    fn name(&self) -> &'static str {
        "activity"
    }

    fn actions(&self) -> Vec<Action> {
        Vec::new()
    }

    fn context(&self) -> Option<Context> {
        Some(Context("first_run"))
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint::Action(Action::WriteConfig, "write a config"),
            Hint::Action(Action::Help, "help"),
            Hint::Action(Action::Quit, "quit"),
        ]
    }

    fn handle(&mut self, _action: Action, _shared: &mut Shared) -> Option<Vec<Effect>> {
        None
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(shared, canvas);
    }
}
