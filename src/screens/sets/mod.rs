//! Two sets of activities compared: the view with what another filter or another time keeps, or before and after a moment. Enter
//! narrows to a value.

mod view;

use super::lines::Lines;
use super::request::{PromptKind, Request};
use super::shared::{Shared, TwoSets};
use super::{Entry, Hint, ReportPart, Screen};
use crate::action::Action;
use crate::effect::{Effect, Reply, Ticket};
use crate::tui::Canvas;
use crosstail_engine::insight::SetContrast;
use crosstail_export::{Cell, Table};

pub(super) const ENTRY: Entry = Entry::new(Some(Action::COMPARE_WITH), || Box::new(SetsScreen::default()));

/// The sets, and what tells them apart.
#[derive(Default)]
pub(super) struct SetsScreen {
    sets: Option<TwoSets>,
    /// `None` before the answer.
    found: Option<Result<Box<SetContrast>, String>>,
    line: Lines,
    asked: Ticket,
}

impl SetsScreen {
    fn contrast(&self) -> Option<&SetContrast> {
        self.found.as_ref()?.as_deref().ok()
    }
}

impl Screen for SetsScreen {
    fn name(&self) -> &'static str {
        "compare"
    }

    fn actions(&self) -> Vec<Action> {
        [&Lines::ACTIONS[..], &[Action::OPEN, Action::KEEP, Action::EXCLUDE, Action::BACK, Action::COMPARE]].concat()
    }

    fn is_empty(&self, _shared: &Shared) -> bool {
        self.contrast().is_none_or(|found| found.contrast.len() == 0)
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint(Action::BACK, "back"),
            Hint(Action::OPEN, "narrow to it"),
            Hint(Action::EXCLUDE, "exclude it"),
            Hint(Action::COMPARE, "other way round"),
            Hint(Action::REPORT, "report"),
            Hint(Action::PALETTE, "commands"),
        ]
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::BACK => {
                let back = self.sets.as_ref().and_then(|sets| sets.back);
                shared.ask(back.map_or(Request::Close, Request::Run));
                return Some(vec![Effect::StopGrouping]);
            }
            Action::OPEN | Action::KEEP | Action::EXCLUDE => {
                let clause = &self.contrast()?.contrast.line(self.line.0)?.tally.clause;
                let [these, _] = &self.sets.as_ref()?.sets;
                let narrowed = shared.narrowed(these, clause, action == Action::EXCLUDE);
                shared.ask(Request::Show(narrowed));
            }
            Action::COMPARE => {
                let sets = self.sets.take()?;
                shared.to_compare = Some(sets.swapped());
                return Some(self.opened(shared));
            }
            _ => {
                return self.line.moved(action, self.contrast().map_or(0, |found| found.contrast.len())).then(Vec::new);
            }
        }
        Some(Vec::new())
    }

    /// Compares what was chosen; asks for the other set if nothing was.
    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let Some(sets) = shared.to_compare.take() else {
            let text = shared.text_of_time_before();
            shared.ask(Request::Close);
            shared.ask(Request::Prompt(PromptKind::OtherSet, text));
            return Vec::new();
        };
        *self = Self { asked: shared.ticket(), ..Self::default() };
        let asked = sets.sets.clone();
        self.sets = Some(sets);
        vec![Effect::CompareSets(self.asked, Box::new(asked))]
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, _shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::SetsCompared(found) if ticket == self.asked => {
                self.found = Some(found);
                Ok(Vec::new())
            }
            other => Err(other),
        }
    }

    fn report(&self, shared: &Shared) -> Option<ReportPart> {
        const COLUMNS: [&str; 7] = ["of", "value", "these", "others", "of these", "of others", "filter"];
        let found = self.contrast()?;
        let sets = self.sets.as_ref()?;
        let share = |part: f64| Cell::text(&format!("{:.1} %", part * 100.0));
        let rows = found.contrast.causes.iter().map(|one| {
            vec![
                Cell::text(&one.tally.subject.name()),
                Cell::text(&one.tally.value),
                Cell::count(one.tally.these),
                Cell::count(one.tally.others),
                share(one.of_these),
                share(one.of_others),
                Cell::text(&one.tally.clause),
            ]
        });
        let table = Table {
            name: "differences".to_owned(),
            title: "What tells them apart".to_owned(),
            columns: COLUMNS.map(str::to_owned).to_vec(),
            rows: rows.collect(),
            chart: None,
        };
        let about = ["these", "others"].iter().zip(&sets.sets).zip(&found.totals).map(|((name, set), figures)| {
            format!("{name}: {} ({} activities)", shared.describe_set(set), figures.count)
        });
        Some(ReportPart {
            title: "Two sets compared".to_owned(),
            about: about.collect(),
            tables: vec![table],
            range: None,
        })
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}
