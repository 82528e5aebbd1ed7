//! Looking for what a pasted text identifies: in every source at once, with a line of progress a source.

use super::Ticket;
use crosstail_core::model::{Activity, SourceId};

/// A shorter id may be a part of something else in a line.
const LONG: usize = 8;

/// How far a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchProgress {
    /// It is being looked for, as this.
    Running(&'static str),
    /// Done: found as this, this many, after this many milliseconds.
    Found(&'static str, usize, u64),
    /// Done: nothing, after this many milliseconds.
    Empty(u64),
    /// It could not be asked: why.
    Failed(String),
}

impl SearchProgress {
    /// For people.
    pub fn describe(&self) -> String {
        match self {
            Self::Running(what) => format!("looking, as {what}"),
            Self::Found(what, count, ms) => format!("{count} found, as {what}, in {ms} ms"),
            Self::Empty(ms) => format!("nothing, in {ms} ms"),
            Self::Failed(problem) => problem.clone(),
        }
    }

    /// Whether nothing more comes.
    pub const fn is_done(&self) -> bool {
        !matches!(self, Self::Running(_))
    }
}

/// State of a search.
#[derive(Debug, Clone)]
pub struct Search {
    /// What was pasted.
    pub text: String,
    /// The sources that are asked.
    pub sources: Vec<(SourceId, SearchProgress)>,
    /// What was found, the best first.
    pub found: Vec<Activity>,
    /// The chosen one.
    pub chosen: usize,
    /// Whether it was chosen by hand: then nothing opens by itself.
    pub moved: bool,
    /// The query.
    pub ticket: Ticket,
}

impl Search {
    /// Whether every source has answered.
    pub fn is_done(&self) -> bool {
        self.sources.iter().all(|(_, progress)| progress.is_done())
    }

    /// Takes what a source found.
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

/// Whether a text is the very id of an activity or of its request, or holds it.
pub fn is_named(activity: &Activity, text: &str) -> bool {
    let text = text.trim();
    let names = |id: String| id == text || (id.len() >= LONG && text.contains(&id));
    names(activity.id.to_string()) || activity.request_id.as_ref().is_some_and(|request| names(request.to_string()))
}

/// The request of that very id first, then what begins with it, then the newest.
pub fn rank(found: &mut [Activity], text: &str) {
    found.sort_by_cached_key(|a| {
        let id = a.id.to_string();
        (!is_named(a, text), !id.starts_with(text.trim()), std::cmp::Reverse(a.started_at), id)
    });
}
