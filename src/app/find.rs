//! The search for what a pasted text identifies, in every source at once, with progress per source.

use crate::effect::{SearchProgress, Ticket, rank};
use crosstail_core::model::{Activity, SourceId};

/// State of a search.
#[derive(Debug, Clone)]
pub struct Search {
    /// The text to identify.
    pub text: String,
    /// The sources searched, and their progress.
    pub sources: Vec<(SourceId, SearchProgress)>,
    /// Results, the best first.
    pub found: Vec<Activity>,
    /// Index of the selected result.
    pub chosen: usize,
    /// Whether the user moved the selection: then no result opens by itself.
    pub moved: bool,
    /// Ticket of the search.
    pub ticket: Ticket,
}

impl Search {
    /// Whether every source has finished or failed.
    pub fn is_done(&self) -> bool {
        self.sources.iter().all(|(_, progress)| progress.is_done())
    }

    /// Adds the results of a source.
    pub fn take(&mut self, found: Vec<Activity>) {
        let chosen = self.found.get(self.chosen).map(|activity| activity.id.clone());
        let mut all = std::mem::take(&mut self.found);
        all.extend(found);
        self.found = crosstail_core::model::merge_by_id(all);
        rank(&mut self.found, &self.text);
        if self.moved {
            self.chosen = self.found.iter().position(|a| Some(&a.id) == chosen.as_ref()).unwrap_or(0);
        }
    }
}
