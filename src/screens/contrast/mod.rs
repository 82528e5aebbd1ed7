//! The contrast: what the failures in the view have more often than the rest. Enter narrows to a value.

mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::{CountState, Shared};
use super::{Entry, Hint, Screen};
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::Canvas;
use crosstail_core::filter::{Field, Filter};
use crosstail_core::model::Timestamp;
use crosstail_engine::insight::{Contrast, Tally};

pub(super) const ENTRY: Entry = Entry::new(Some(Action::COMPARE), || Box::new(ContrastScreen::default()));

/// The contrast of a set, computed when it is shown.
#[derive(Default)]
pub(super) struct ContrastScreen {
    line: Lines,
    /// A description of the set, and the contrast of its failures with the rest.
    contrast: Option<(String, Contrast)>,
    /// The filter for only failures, if they are compared with the rest of what its other clauses keep.
    compared: Option<String>,
    /// Whether only what memory holds is compared.
    is_part: bool,
}

/// Fields by which a filter chooses failures; without them, what has not failed is kept, too.
const OUTCOME: [Field; 6] = [Field::Status, Field::Is, Field::Http, Field::Error, Field::ErrorType, Field::Level];

impl Screen for ContrastScreen {
    fn name(&self) -> &'static str {
        "activity"
    }

    fn actions(&self) -> Vec<Action> {
        [&Lines::ACTIONS[..], &[Action::OPEN, Action::KEEP, Action::EXCLUDE, Action::BACK]].concat()
    }

    fn is_filtered(&self) -> bool {
        true
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint::Action(Action::BACK, "back"),
            Hint::Action(Action::OPEN, "narrow to it"),
            Hint::Action(Action::EXCLUDE, "exclude it"),
            Hint::Action(Action::PALETTE, "commands"),
        ]
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::BACK => shared.ask(Request::Close),
            Action::OPEN | Action::KEEP | Action::EXCLUDE => {
                let (_, contrast) = self.contrast.as_ref()?;
                let clause = &contrast.line(self.line.0)?.tally.clause;
                shared.ask(Request::Show(shared.filter_with(clause, action == Action::EXCLUDE)));
            }
            _ => {
                let count = self.contrast.as_ref().map_or(0, |(_, contrast)| contrast.len());
                return self.line.moved(action, count).then(Vec::new);
            }
        }
        Some(Vec::new())
    }

    /// Contrasts the failures in the view with the rest, within the range being selected over time, if any.
    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let store = &shared.store;
        let (mut from, mut upto) = (Timestamp(i64::MIN), Timestamp(i64::MAX));
        let mut period = String::new();
        if let Some(selection) = shared.selection {
            (from, upto) = selection;
            let clock = |at| shared.local(at).format("%H:%M:%S").to_string();
            period = format!(" {} … {}", clock(from), clock(upto));
        }
        let (first, last) = (store.position_of_time(from), store.position_of_time(upto));
        let mut rows = store.rows()[first..last.max(first)].to_vec();
        let mut filter = shared.filter.text().to_owned();
        self.compared = None;
        if rows.iter().all(|row| store.is_failure(*row)) {
            // Only failures: they are compared with what has not failed in the same scope.
            let scope = shared.filter.without(&OUTCOME, true);
            let others = Filter::compile(&scope, &shared.context()).ok().filter(|_| scope != filter);
            if let Some((_, predicate)) = others.filter(|(_, predicate)| !predicate.needs_payload()) {
                let bounds = shared.bounds().interval();
                let within = bounds.from.max(from)..bounds.to.min(upto);
                let in_scope = store.matching(store.rows_between(within), predicate);
                rows.extend(in_scope.into_iter().filter(|row| !store.is_failure(*row)));
                self.compared = Some(std::mem::replace(&mut filter, scope));
            }
        }
        let set = format!("{filter}{period}").trim().to_owned();
        self.is_part = shared.counted(true).state != CountState::Held;
        let counted = store.tallies(&rows);
        let tallies = counted.fields.into_iter().flat_map(|(field, facets)| {
            facets.into_iter().map(move |f| Tally::of(field, f.value, f.failed, f.count - f.failed))
        });
        self.contrast = Some((set, Contrast::rank(counted.failed, counted.rest, tallies)));
        self.line = Lines::default();
        Vec::new()
    }

    fn view(&self, _shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, canvas);
    }
}
