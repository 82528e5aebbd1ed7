//! The operations of the view that have failed at least once, and what became of each: which orders are lost, which wait, and
//! which a retry has repaired.

mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::Shared;
use super::{Entry, Hint, Screen};
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::Canvas;
use crosstail_core::model::{Activity, FinalOutcome, Timestamp};
use crosstail_engine::store::Affected;

pub(super) const ENTRY: Entry = Entry::new(Some(Action::AFFECTED), || Box::new(Operations::default()));

/// An operation that has failed at least once.
struct Operation {
    /// Its last failed attempt.
    last: Activity,
    /// Start of its first one.
    since: Timestamp,
    failed: usize,
    outcome: Option<FinalOutcome>,
}

/// The operations, with the cursor on one.
#[derive(Default)]
pub(super) struct Operations {
    all: Vec<Operation>,
    affected: Affected,
    line: Lines,
}

impl Operations {
    /// What the view has now: what is lost first, then what waits, what is running, and what is repaired.
    fn look(&mut self, shared: &Shared) {
        let store = &shared.store;
        let affected = store.affected(store.rows());
        let chosen = self.all.get(self.line.0).map(|operation| operation.last.id.clone());
        let mut all: Vec<Operation> = affected
            .operations
            .iter()
            .map(|operation| Operation {
                last: store.get(operation.last),
                since: store.started(operation.first),
                failed: operation.failed,
                outcome: operation.outcome,
            })
            .collect();
        let rank = |outcome: Option<FinalOutcome>| match outcome {
            Some(FinalOutcome::GivenUp) => 0,
            None => 1,
            Some(FinalOutcome::Waiting(_)) => 2,
            Some(FinalOutcome::Running) => 3,
            Some(FinalOutcome::Recovered { .. }) => 4,
        };
        all.sort_by_key(|operation| (rank(operation.outcome), std::cmp::Reverse(operation.since)));
        let kept = chosen.and_then(|id| all.iter().position(|operation| operation.last.id == id));
        (self.all, self.affected) = (all, affected);
        self.line = Lines(kept.unwrap_or(self.line.0).min(self.all.len().saturating_sub(1)));
    }
}

impl Screen for Operations {
    fn name(&self) -> &'static str {
        "affected"
    }

    fn actions(&self) -> Vec<Action> {
        [&Lines::ACTIONS[..], &[Action::OPEN, Action::BACK]].concat()
    }

    fn is_filtered(&self) -> bool {
        true
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint::Action(Action::BACK, "back"),
            Hint::Action(Action::OPEN, "open its last try"),
            Hint::Action(Action::COPY_AFFECTED, "copy them"),
            Hint::Action(Action::PALETTE, "commands"),
        ]
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::BACK => shared.ask(Request::Close),
            Action::OPEN => {
                let last = self.all.get(self.line.0)?.last.clone();
                shared.ask(Request::Open(shared.store.find(&last.id), Box::new(last), None));
            }
            _ => return self.line.moved(action, self.all.len()).then(Vec::new),
        }
        Some(Vec::new())
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.line = Lines::default();
        self.look(shared);
        Vec::new()
    }

    fn tick(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.look(shared);
        Vec::new()
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}
