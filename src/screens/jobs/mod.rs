//! What the sources do now: what for, since when, how much was read, and the query itself. A job can be ended.

mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::Shared;
use super::{Hint, Screen};
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::{Canvas, Context};
use crosstail_source::JobState;

/// The jobs, with the cursor on one.
#[derive(Default)]
pub(super) struct JobsScreen {
    /// The jobs as of the last second, the oldest first.
    jobs: Vec<JobState>,
    line: Lines,
}

impl JobsScreen {
    /// Lists the jobs again; the cursor stays with its job.
    fn list(&mut self, shared: &Shared) {
        let selected = self.current().map(|job| job.number);
        self.jobs = shared.jobs.list();
        let at = self.jobs.iter().position(|job| Some(job.number) == selected);
        self.line = Lines(at.unwrap_or(self.line.0).min(self.jobs.len().saturating_sub(1)));
    }

    fn current(&self) -> Option<&JobState> {
        self.jobs.get(self.line.0)
    }
}

impl Screen for JobsScreen {
    fn name(&self) -> &'static str {
        "activity"
    }

    fn actions(&self) -> Vec<Action> {
        [&Lines::ACTIONS[..], &[Action::EndJob, Action::Back]].concat()
    }

    fn context(&self) -> Option<Context> {
        Some(Context("jobs"))
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint::Action(Action::EndJob, "end it"),
            Hint::Action(Action::Sources, "sources"),
            Hint::Action(Action::Back, "back"),
            Hint::Action(Action::Palette, "commands"),
        ]
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::Back => shared.ask(Request::Close),
            Action::EndJob => return Some(self.current().map(|job| Effect::EndJob(job.number)).into_iter().collect()),
            _ => return self.line.moved(action, self.jobs.len()).then(Vec::new),
        }
        Some(Vec::new())
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.line = Lines::default();
        self.list(shared);
        Vec::new()
    }

    fn tick(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.list(shared);
        Vec::new()
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}
