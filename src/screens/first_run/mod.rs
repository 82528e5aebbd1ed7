//! The first page, shown while no source is configured.

mod view;

use super::shared::Shared;
use super::{Entry, Hint, Screen};
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::{Canvas, Context};

const WRITE_CONFIG: Action = Action::new("write_config", "write a commented configuration file");

pub(super) const ENTRY: Entry =
    Entry { action: None, own: &[WRITE_CONFIG], keys: "[first_run]\nwrite_config = ['c']", new: || Box::new(FirstRun) };

/// The first page.
pub(super) struct FirstRun;

impl Screen for FirstRun {
    fn name(&self) -> &'static str {
        "activity"
    }

    fn actions(&self) -> Vec<Action> {
        vec![WRITE_CONFIG]
    }

    fn context(&self) -> Option<Context> {
        Some(Context("first_run"))
    }

    fn hints(&self) -> &'static [Hint] {
        &[Hint(WRITE_CONFIG, "write a config"), Hint(Action::HELP, "help"), Hint(Action::QUIT, "quit")]
    }

    fn handle(&mut self, action: Action, _shared: &mut Shared) -> Option<Vec<Effect>> {
        (action == WRITE_CONFIG).then(|| vec![Effect::WriteConfig])
    }

    fn elsewhere(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        self.handle(action, shared)
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(shared, canvas);
    }
}
