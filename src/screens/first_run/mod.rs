//! The first page, shown while no source is configured: what could be read on this machine, and what else there is.

mod view;

use super::lines::Lines;
use super::shared::Shared;
use super::{Entry, Hint, Screen};
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::{Canvas, Context};

const WRITE_CONFIG: Action = Action::new("write_config", "write a commented configuration file");

pub(super) const ENTRY: Entry = Entry {
    action: None,
    own: &[WRITE_CONFIG],
    keys: "[first_run]\nwrite_config = ['c']",
    new: || Box::new(FirstRun::default()),
};

/// The first page, with the cursor on what could be read.
#[derive(Default)]
pub(super) struct FirstRun {
    line: Lines,
}

impl Screen for FirstRun {
    fn name(&self) -> &'static str {
        "activity"
    }

    fn actions(&self) -> Vec<Action> {
        [&Lines::ACTIONS[..], &[Action::OPEN, WRITE_CONFIG]].concat()
    }

    fn context(&self) -> Option<Context> {
        Some(Context("first_run"))
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint(Action::OPEN, "open it"),
            Hint(WRITE_CONFIG, "write a config"),
            Hint(Action::HELP, "help"),
            Hint(Action::QUIT, "quit"),
        ]
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        let offers = &shared.settings.offers;
        match action {
            WRITE_CONFIG => Some(vec![Effect::WriteConfig]),
            Action::OPEN => {
                let chosen = offers.get(self.line.0).map(|offer| offer.opens.clone());
                Some(chosen.map(Effect::ReadInstead).into_iter().collect())
            }
            _ => self.line.moved(action, offers.len()).then(Vec::new),
        }
    }

    fn elsewhere(&mut self, action: Action, _shared: &mut Shared) -> Option<Vec<Effect>> {
        (action == WRITE_CONFIG).then(|| vec![Effect::WriteConfig])
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}
