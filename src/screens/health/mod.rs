//! Health of the systems, worst first; Enter opens one of them.

mod report;
mod slots;
mod system;
mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::Shared;
use super::{Entry, Hint, ReportPart, Screen};
use crate::action::Action;
use crate::effect::{CANCELLED, Effect, Reply, Ticket};
use crate::ingest::{Batch, News};
use crate::tui::Canvas;
use crosstail_core::filter::quote;
pub use slots::SlottedHealth;
use system::SystemView;

pub(super) const ENTRY: Entry = Entry::new(Some(Action::HEALTH), || Box::new(HealthScreen::default()));

/// Health of the systems, or of one of them.
#[derive(Default)]
pub(super) struct HealthScreen {
    /// Computed while it is shown, and kept afterwards.
    figures: SlottedHealth,
    /// The selected system, or line of the opened system.
    line: Lines,
    /// The opened system.
    system: Option<SystemView>,
    /// Ticket of the query for the stores' figures.
    ticket: Ticket,
}

impl HealthScreen {
    /// Computes health now, and queries the stores for what is not in memory.
    fn refresh(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.figures.compute(&shared.store, shared.now);
        if let Some(health) = &mut self.figures.health {
            health.apply_checks(shared.sources.iter().flat_map(|source| &source.vitals.checks));
        }
        if shared.reads_at_once {
            return Vec::new();
        }
        let questions = self.figures.request_store_figures(shared.complete_from(), shared.now);
        if questions.is_empty() {
            return Vec::new();
        }
        self.ticket = shared.ticket();
        vec![Effect::HealthFigures(self.ticket, questions)]
    }

    /// Opens the selected system.
    fn open_system(&mut self, shared: &Shared) {
        let health = self.figures.health.as_ref();
        let Some(system) = health.and_then(|health| health.systems.get(self.line.0)) else { return };
        let mut view = SystemView::new(system.system.clone());
        view.compute(&shared.store, shared.now, self.figures.window_us(), self.figures.failing_since(&view.system));
        self.system = Some(view);
        self.line = Lines::default();
    }

    /// Back to all systems, with the cursor on the one that was open.
    fn close_system(&mut self, view: &SystemView) {
        let mut systems = self.figures.health.iter().flat_map(|health| &health.systems);
        self.line = Lines(systems.position(|system| system.system == view.system).unwrap_or(0));
    }

    /// Shows the activities of the opened system, or of the selected line of it.
    fn show_activities(&self, view: &SystemView, shared: &mut Shared) {
        let clause = view.chosen(self.line.0).map(|entry| format!(" {}", entry.clause)).unwrap_or_default();
        shared.ask(Request::Show(format!("system:{}{clause} time:{}..", quote(&view.system), view.since.rfc3339())));
    }

    /// Number of lines to select among.
    fn count(&self) -> usize {
        match &self.system {
            // The first line is the system.
            Some(view) => view.entries.len() + 1,
            None => self.figures.health.as_ref().map_or(0, |health| health.systems.len()),
        }
    }
}

impl Screen for HealthScreen {
    fn name(&self) -> &'static str {
        if self.system.is_some() { "system" } else { "health" }
    }

    fn actions(&self) -> Vec<Action> {
        let own = [Action::OPEN, Action::BACK, Action::ZOOM_IN, Action::ZOOM_OUT, Action::HEALTH];
        [&Lines::ACTIONS[..], &own].concat()
    }

    fn is_empty(&self, _shared: &Shared) -> bool {
        self.system.is_none() && self.count() == 0
    }

    fn hints(&self) -> &'static [Hint] {
        match self.system {
            None if self.figures.is_longest() => &[
                Hint(Action::BACK, "back"),
                Hint(Action::OPEN, "open the system"),
                Hint(Action::ZOOM_IN, "shorter"),
                Hint(Action::ALERTS, "alerts"),
                Hint(Action::REPORT, "report"),
                Hint(Action::PALETTE, "commands"),
            ],
            None => &[
                Hint(Action::BACK, "back"),
                Hint(Action::OPEN, "open the system"),
                Hint(Action::ZOOM_OUT, "longer"),
                Hint(Action::ALERTS, "alerts"),
                Hint(Action::REPORT, "report"),
                Hint(Action::PALETTE, "commands"),
            ],
            Some(_) => &[
                Hint(Action::BACK, "all systems"),
                Hint(Action::OPEN, "show its activities"),
                Hint(Action::REPORT, "report"),
                Hint(Action::PALETTE, "commands"),
            ],
        }
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        if self.line.moved(action, self.count()) {
            return Some(Vec::new());
        }
        match (action, self.system.take()) {
            (Action::BACK, Some(view)) => self.close_system(&view),
            (Action::BACK, None) => {
                shared.ask(Request::Close);
                self.figures.forget_questions();
                return Some(vec![Effect::HealthFigures(self.ticket, Vec::new())]);
            }
            (Action::OPEN, Some(view)) => self.show_activities(&view, shared),
            (Action::OPEN, None) => self.open_system(shared),
            (Action::HEALTH, Some(_)) => return Some(self.opened(shared)),
            (Action::ZOOM_IN | Action::ZOOM_OUT, None) => {
                let shorter = action == Action::ZOOM_IN;
                if !self.figures.zoom(shorter) {
                    shared.notify(if shorter { "this is the shortest time" } else { "this is the longest time" });
                    return Some(Vec::new());
                }
                return Some(self.refresh(shared));
            }
            (_, view) => {
                self.system = view;
                return None;
            }
        }
        Some(Vec::new())
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        (self.line, self.system) = (Lines::default(), None);
        self.refresh(shared)
    }

    fn tick(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let effects = if self.figures.is_due(shared.now) { self.refresh(shared) } else { Vec::new() };
        if let Some(view) = self.system.as_mut().filter(|view| view.is_due(shared.now)) {
            view.compute(&shared.store, shared.now, self.figures.window_us(), self.figures.failing_since(&view.system));
        }
        effects
    }

    fn news(&mut self, news: &News, shared: &mut Shared) -> Vec<Effect> {
        if let News::Batch(Batch { delta, .. }) = news {
            self.figures.mark_dirty(&shared.store, &delta.rows, &delta.moved_from);
        }
        Vec::new()
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::Figures(query, result) if ticket == self.ticket => {
                match result {
                    Ok(groups) => self.figures.set_store_figures(&query, groups, shared.now),
                    // Somebody has ended it, or asked for others.
                    Err(problem) if problem == CANCELLED => {}
                    Err(problem) => shared.notify(format!("cannot load older figures: {problem}")),
                }
                Ok(Vec::new())
            }
            other => Err(other),
        }
    }

    fn report(&self, shared: &Shared) -> Option<ReportPart> {
        Some(report::of(self, shared))
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        match &self.system {
            Some(view) => system::view::render(self, view, shared, canvas),
            None => view::render(self, shared, canvas),
        }
    }
}
