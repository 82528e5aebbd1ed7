//! The search for what a pasted text identifies, in every source at once, with progress per source.

mod view;

use super::request::{Request, Tab};
use super::shared::Shared;
use super::{Hint, Screen};
use crate::action::Action;
use crate::effect::{Effect, Reply, SearchProgress, Ticket, is_named, rank};
use crate::tui::Canvas;
use crosstail_core::model::{Activity, SourceId, merge_by_id};
use crosstail_engine::insight::Chain;

/// A search.
pub(super) struct Find {
    /// The text to identify.
    text: String,
    /// The tab at which the result opens.
    tab: Option<Tab>,
    /// The sources searched, and their progress.
    sources: Vec<(SourceId, SearchProgress)>,
    /// Results, the best first.
    found: Vec<Activity>,
    /// Index of the selected result.
    chosen: usize,
    /// Whether the user moved the selection: then no result opens by itself.
    moved: bool,
    ticket: Ticket,
}

impl Find {
    /// Starts a search in every source.
    pub(super) fn start(text: String, tab: Option<Tab>, shared: &mut Shared) -> (Self, Vec<Effect>) {
        let ticket = shared.ticket();
        let sources = shared.sources.iter().map(|source| (source.id, SearchProgress::Running("waiting"))).collect();
        let search = Self { text: text.clone(), tab, sources, found: Vec::new(), chosen: 0, moved: false, ticket };
        (search, vec![Effect::Find(ticket, text)])
    }

    /// Whether every source has finished or failed.
    fn is_done(&self) -> bool {
        self.sources.iter().all(|(_, progress)| progress.is_done())
    }

    /// Takes a source's progress. Once all sources have finished, a unique result opens by itself.
    fn take(&mut self, source: SourceId, progress: SearchProgress, found: Vec<Activity>, shared: &mut Shared) {
        if let Some((_, known)) = self.sources.iter_mut().find(|(id, _)| *id == source) {
            *known = progress;
        }
        let chosen = self.found.get(self.chosen).map(|activity| activity.id.clone());
        let mut all = std::mem::take(&mut self.found);
        all.extend(found);
        self.found = merge_by_id(all);
        rank(&mut self.found, &self.text);
        if self.moved {
            self.chosen = self.found.iter().position(|a| Some(&a.id) == chosen.as_ref()).unwrap_or(0);
        }
        let only = self.found.len() == 1 || self.found.iter().filter(|a| is_named(a, &self.text)).count() == 1;
        // The tries of one operation are one thing, too: the newest stands for it.
        let of_one = |newest: &Activity| Chain::build(newest, &self.found).attempts.len() == self.found.len();
        let only = only || self.found.first().is_some_and(of_one);
        if self.is_done() && only && !self.moved {
            self.open(shared);
        }
    }

    /// Opens the selected result.
    fn open(&self, shared: &mut Shared) {
        let Some(activity) = self.found.get(self.chosen).cloned() else { return };
        let row = shared.store.find(&activity.id);
        let activity = row.map_or(activity, |row| shared.store.get(row));
        shared.ask(Request::Close);
        shared.ask(Request::Open(row, Box::new(activity), self.tab));
    }
}

impl Screen for Find {
    fn name(&self) -> &'static str {
        "find"
    }

    fn actions(&self) -> Vec<Action> {
        [Action::UP, Action::DOWN, Action::OPEN, Action::BACK].to_vec()
    }

    fn is_modal(&self) -> bool {
        true
    }

    fn is_empty(&self, _shared: &Shared) -> bool {
        self.found.is_empty()
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint(Action::BACK, "close"),
            Hint(Action::OPEN, "open"),
            Hint(Action::UP, "choose"),
            Hint(Action::DOWN, "choose"),
        ]
    }

    fn line(&mut self) -> Option<&mut usize> {
        self.moved = true;
        Some(&mut self.chosen)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        let last = self.found.len().saturating_sub(1);
        match action {
            Action::UP => (self.chosen, self.moved) = (self.chosen.saturating_sub(1), true),
            Action::DOWN => (self.chosen, self.moved) = ((self.chosen + 1).min(last), true),
            Action::OPEN => self.open(shared),
            Action::BACK => {
                shared.ask(Request::Close);
                return Some(vec![Effect::CancelSearch]);
            }
            _ => return None,
        }
        Some(Vec::new())
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::SearchProgress(source, progress, found) if ticket == self.ticket => {
                self.take(source, progress, found, shared);
                Ok(Vec::new())
            }
            other => Err(other),
        }
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}
