//! What the next session finds: how this one is left, the filters that were used, what is marked.

use super::Shared;
use crate::config::ViewEntry;
use crate::effect::{Effect, Mark, Ticket};
use crosstail_core::model::{Activity, Id, Timestamp};
use crosstail_engine::window::Range;
use crosstail_memory::{FILTERS, Keep, LastView, Left, Marked};
use std::collections::HashMap;

/// What is to be remembered, and what was.
#[derive(Debug, Default)]
pub struct Keeping {
    /// Whether anything is kept; else filters are remembered until the end.
    is_on: bool,
    /// What was not kept yet.
    due: Vec<Keep>,
    /// What is shown, as it was kept last.
    pub(in crate::screens) view: LastView,
    /// The filters that were used, the last one first.
    filters: Vec<String>,
    /// What was marked in another session and is not in memory yet.
    missing: HashMap<Id, Marked>,
    /// The question for those.
    ticket: Ticket,
}

impl Keeping {
    /// The filters that were used, the last one first.
    pub fn filters(&self) -> &[String] {
        &self.filters
    }

    /// How many activities were marked in another session and are not in memory.
    pub fn missing(&self) -> usize {
        self.missing.len()
    }

    /// A filter was used.
    pub(in crate::screens) fn use_filter(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() || self.filters.first().is_some_and(|last| last == text) {
            return;
        }
        self.filters.retain(|known| known != text);
        self.filters.insert(0, text.to_owned());
        self.filters.truncate(FILTERS);
        self.keep(Keep::Filter(text.to_owned()));
    }

    /// A range was chosen. One that ends at a moment is not what somebody wants to see the next time.
    pub(in crate::screens) fn use_range(&mut self, range: &Range) {
        if !matches!(range, Range::Between(..)) {
            self.edit(|view| view.range = Some(range.text()));
        }
    }

    /// Something else of what is shown may have changed.
    pub(in crate::screens) fn edit(&mut self, change: impl FnOnce(&mut LastView)) {
        let mut view = self.view.clone();
        change(&mut view);
        if view != self.view {
            self.view = view.clone();
            self.due.retain(|keep| !matches!(keep, Keep::View(_)));
            self.keep(Keep::View(view));
        }
    }

    fn keep(&mut self, keep: Keep) {
        if self.is_on {
            self.due.push(keep);
        }
    }

    /// What is to be kept now.
    pub(in crate::screens) fn take_due(&mut self) -> impl Iterator<Item = Effect> + use<> {
        std::mem::take(&mut self.due).into_iter().map(|keep| Effect::Keep(Box::new(keep)))
    }
}

impl Shared {
    /// Takes over how another session was left, and asks for what was marked in it. From now on is kept what is done.
    pub(in crate::screens) fn go_on_from(&mut self, left: Left) -> Vec<Effect> {
        let ticket = self.ticket();
        let missing: HashMap<Id, Marked> = left.marked.into_iter().map(|marked| (marked.id.clone(), marked)).collect();
        let asked: Vec<(Id, Timestamp)> =
            missing.values().map(|marked| (marked.id.clone(), marked.started_at)).collect();
        self.keeping =
            Keeping { is_on: true, due: Vec::new(), view: left.view, filters: left.filters, missing, ticket };
        if asked.is_empty() { Vec::new() } else { vec![Effect::FindMarked(ticket, asked)] }
    }

    /// Marks an activity, with a note or without.
    pub(in crate::screens) fn mark(&mut self, activity: Activity, note: String) {
        let (id, started_at) = (activity.id.clone(), activity.started_at);
        self.keeping.keep(Keep::Mark(Marked { id: id.clone(), started_at, note: note.clone() }));
        self.keeping.missing.remove(&id);
        self.marks.insert(id, Mark { activity, note });
    }

    /// Removes a mark.
    pub(in crate::screens) fn unmark(&mut self, id: &Id) {
        self.marks.remove(id);
        self.keeping.keep(Keep::Unmark(id.clone()));
    }

    /// Takes whether a view was saved.
    pub(super) fn take_saved(&mut self, saved: Result<(Box<ViewEntry>, String), String>) {
        match saved {
            Ok((view, file)) => {
                let name = view.name.clone();
                self.settings.views.push(*view);
                let number = self.settings.views.len();
                let key = if number < 10 { format!("; key {number} opens it") } else { String::new() };
                self.notify(format!("the view '{name}' is saved in {file}{key}"));
            }
            Err(problem) => self.notify(problem),
        }
    }

    /// Marks what was marked in another session, once it is in memory.
    pub(super) fn meet_missing(&mut self) {
        let rows: Vec<_> = self.keeping.missing.keys().filter_map(|id| self.store.find(id)).collect();
        for row in rows {
            self.meet(self.store.get(row));
        }
    }

    /// Takes the activities that were found of those.
    pub(super) fn take_marked(&mut self, ticket: Ticket, found: Vec<Activity>) {
        if ticket == self.keeping.ticket {
            for activity in found {
                self.meet(activity);
            }
        }
    }

    fn meet(&mut self, activity: Activity) {
        if let Some(marked) = self.keeping.missing.remove(&activity.id) {
            self.marks.insert(activity.id.clone(), Mark { activity, note: marked.note });
        }
    }
}
