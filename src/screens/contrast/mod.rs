//! The contrast: what the failures in the view have more often than the rest. Enter narrows to a value.

mod view;

use super::answer::AskedView;
use super::lines::Lines;
use super::request::Request;
use super::shared::{CountState, Shared};
use super::{Entry, Hint, Screen};
use crate::action::Action;
use crate::effect::{Effect, Reply, Ticket, ValuesPart, ValuesPurpose, ValuesQuery};
use crate::tui::Canvas;
use crosstail_core::filter::{Field, Filter};
use crosstail_engine::insight::{Contrast, SYMPTOM_FIELDS, Tally};
use crosstail_engine::store::{Facet, Row, TALLIED, Tallies};
use crosstail_engine::window::{Interval, Intervals};

pub(super) const ENTRY: Entry = Entry::new(Some(Action::COMPARE), || Box::new(ContrastScreen::default()));

/// The contrast of a set, computed when it is shown.
#[derive(Default)]
pub(super) struct ContrastScreen {
    line: Lines,
    /// A description of the set; `None` before it was opened.
    set: Option<String>,
    /// The contrast of its failures with the rest.
    contrast: Contrast,
    /// The filter for only failures, if they are compared with the rest of what its other clauses keep.
    compared: Option<String>,
    /// What memory holds of the set.
    here: Tallies,
    /// The question for the rest, and how many stores answer it.
    asked: Option<(Ticket, usize)>,
    /// Their answers.
    stores: Vec<ValuesPart>,
    /// The view that it is of.
    view: AskedView,
}

/// Fields by which a filter chooses failures; without them, what has not failed is kept, too.
const OUTCOME: [Field; 7] =
    [Field::Status, Field::Final, Field::Is, Field::Http, Field::Error, Field::ErrorType, Field::Level];

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

    fn is_empty(&self, _shared: &Shared) -> bool {
        self.contrast.len() == 0
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint(Action::BACK, "back"),
            Hint(Action::OPEN, "narrow to it"),
            Hint(Action::EXCLUDE, "exclude it"),
            Hint(Action::PALETTE, "commands"),
        ]
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::BACK => {
                shared.ask(Request::Close);
                let nothing = ValuesQuery {
                    filter: String::new(),
                    intervals: Vec::new(),
                    fields: Vec::new(),
                    purpose: ValuesPurpose::Contrast,
                };
                return Some(vec![Effect::CountValues(0, Box::new(nothing))]);
            }
            Action::OPEN | Action::KEEP | Action::EXCLUDE => {
                let clause = &self.contrast.line(self.line.0)?.tally.clause;
                shared.ask(Request::Show(shared.filter_with(clause, action == Action::EXCLUDE)));
            }
            _ => {
                return self.line.moved(action, self.contrast.len()).then(Vec::new);
            }
        }
        Some(Vec::new())
    }

    /// Contrasts the failures in the view with the rest, within the range being selected over time, if any. What memory
    /// does not hold, the stores count.
    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.view = AskedView::now(shared);
        let store = &shared.store;
        let mut within = shared.bounds().interval();
        let mut period = String::new();
        if let Some((from, upto)) = shared.selection {
            within = within.and(&Interval::new(from, upto));
            let clock = |at| shared.local(at).format("%H:%M:%S").to_string();
            period = format!(" {} … {}", clock(from), clock(upto));
        }
        // Of what memory holds only in part, the stores count all.
        let is_held = shared.counted(true).state == CountState::Held;
        let outside = if is_held { Vec::new() } else { shared.held.missing(within) };
        let mut here: Intervals = std::iter::once(within).collect();
        for gone in &outside {
            here.remove(*gone);
        }
        let ranges = || here.all().iter().map(|here| here.from..here.to);
        let mut rows: Vec<Row> = ranges().flat_map(|range| store.kept_between(&range)).copied().collect();
        let mut filter = shared.filter.text().to_owned();
        self.compared = None;
        if rows.iter().all(|row| store.is_failure(*row)) {
            // Only failures: they are compared with what has not failed in the same scope.
            let scope = shared.filter.without(&OUTCOME, true);
            let others = Filter::compile(&scope, &shared.context()).ok().filter(|_| scope != filter);
            if let Some((_, predicate)) = others.filter(|(_, predicate)| !predicate.needs_payload()) {
                let in_scope = ranges().flat_map(|range| store.matching(store.rows_between(range), predicate.clone()));
                rows.extend(in_scope.filter(|row| !store.is_failure(*row)).collect::<Vec<_>>());
                self.compared = Some(std::mem::replace(&mut filter, scope));
            }
        }
        let set = format!("{filter}{period}").trim().to_owned();
        self.set = Some(set);
        self.line = Lines::default();
        self.here = store.all_tallies(&rows);
        self.stores.clear();
        self.asked = None;
        let ticket = shared.ticket();
        if !outside.is_empty() {
            self.asked = Some((ticket, shared.sources.iter().filter(|source| source.holds_activities).count()));
        }
        self.rank();
        let query =
            ValuesQuery { filter, intervals: outside, fields: TALLIED.to_vec(), purpose: ValuesPurpose::Contrast };
        vec![Effect::CountValues(ticket, Box::new(query))]
    }

    fn tick(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if self.view.is_gone(shared) { self.opened(shared) } else { Vec::new() }
    }

    /// Takes what a store has counted.
    fn reply(&mut self, ticket: Ticket, reply: Reply, _shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::CountedValues(part) if self.asked.is_some_and(|(asked, _)| asked == ticket) => {
                self.stores.push(*part);
                self.rank();
                Ok(Vec::new())
            }
            other => Err(other),
        }
    }

    fn view(&self, _shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, canvas);
    }
}

impl ContrastScreen {
    /// What is still missing, in words; empty once everything has been counted.
    fn missing(&self) -> String {
        let Some((_, sources)) = self.asked else { return String::new() };
        let problem = self.stores.iter().find_map(|part| part.values.as_ref().err());
        match problem {
            Some(problem) => format!(" · of what is held: {problem}"),
            None if self.stores.len() < sources => " · of what is held; the rest is being counted".to_owned(),
            None if self.counted(sources).is_empty() => {
                " · of what is held: the stores cannot count this by themselves".to_owned()
            }
            None => String::new(),
        }
    }

    /// The values of the fields that all stores have counted.
    fn counted(&self, sources: usize) -> Vec<(Field, Vec<Facet>)> {
        let of = |field: Field| {
            let one = |part: &ValuesPart| {
                part.values.iter().flatten().find(|(counted, _)| *counted == field).map(|(_, all)| all.clone())
            };
            let counted: Vec<Vec<Facet>> = self.stores.iter().filter_map(one).collect();
            (counted.len() == sources).then(|| (field, counted.concat()))
        };
        TALLIED.iter().filter_map(|field| of(*field)).collect()
    }

    /// Ranks the values that are known. A field that a store cannot count is compared within what is held.
    fn rank(&mut self) {
        let mut whole = self.here.clone();
        let mut part = Tallies::default();
        if let (Some((_, sources)), true) = (self.asked, self.missing().is_empty()) {
            let (count, failed) =
                self.stores.iter().fold((0, 0), |sum, part| (sum.0 + part.total.0, sum.1 + part.total.1));
            part = whole.add(failed, count - failed, &self.counted(sources));
        }
        let ranked = |mut tallies: Tallies| {
            tallies.drop_rare();
            let (failed, rest) = (tallies.failed, tallies.rest);
            let tallies = tallies.fields.into_iter().flat_map(|(field, facets)| {
                facets.into_iter().map(move |f| Tally::of(field, f.value, f.failed, f.count - f.failed))
            });
            Contrast::rank(failed, rest, tallies, SYMPTOM_FIELDS)
        };
        let mut contrast = ranked(whole);
        contrast.join_part(ranked(part));
        self.contrast = contrast;
    }
}
