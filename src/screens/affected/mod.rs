//! The operations of the view that have failed at least once, and what became of each: which orders are lost, which wait, and
//! which a retry has repaired.

mod columns;
mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::Shared;
use super::{Entry, Hint, Screen};
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::Canvas;
use columns::Columns;
use crosstail_core::model::FinalOutcome;
use crosstail_engine::store::Affected;

pub(super) const ENTRY: Entry = Entry::new(Some(Action::AFFECTED), || Box::new(Operations::default()));

/// The operations, with the cursor on one.
#[derive(Default)]
pub(super) struct Operations {
    /// What the view has: what is lost first, then what waits, what is running, and what is repaired.
    affected: Affected,
    columns: Columns,
    /// The state of the store that they are of.
    seen: Option<u64>,
    line: Lines,
}

impl Operations {
    /// Looks at the view again if it has changed.
    fn look(&mut self, shared: &Shared) {
        let store = &shared.store;
        if self.seen.replace(store.revision()) == Some(store.revision()) {
            return;
        }
        let chosen = self.affected.operations.get(self.line.0).map(|operation| operation.first);
        self.affected = store.affected(store.rows());
        let all = &mut self.affected.operations;
        let rank = |outcome: Option<FinalOutcome>| match outcome {
            Some(FinalOutcome::GivenUp) => 0,
            None => 1,
            Some(FinalOutcome::Waiting(_)) => 2,
            Some(FinalOutcome::Running) => 3,
            Some(FinalOutcome::Unknown) => 4,
            Some(FinalOutcome::Recovered { .. }) => 5,
        };
        all.sort_by_key(|operation| (rank(operation.outcome), std::cmp::Reverse(store.started(operation.first))));
        let kept = chosen.and_then(|first| all.iter().position(|operation| operation.first == first));
        self.columns = Columns::of(&self.affected, shared);
        let all = &self.affected.operations;
        self.line = Lines(kept.unwrap_or(self.line.0).min(all.len().saturating_sub(1)));
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

    fn is_empty(&self, _shared: &Shared) -> bool {
        self.affected.operations.is_empty()
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint(Action::BACK, "back"),
            Hint(Action::OPEN, "open last failure"),
            Hint(Action::COPY_AFFECTED, "copy them"),
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
                let last = self.affected.operations.get(self.line.0)?.last;
                let last = shared.store.holds(last).then_some(last)?;
                shared.ask(Request::Open(Some(last), Box::new(shared.store.get(last)), None));
            }
            _ => return self.line.moved(action, self.affected.operations.len()).then(Vec::new),
        }
        Some(Vec::new())
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        (self.line, self.seen) = (Lines::default(), None);
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
