//! The search for what a text identifies: its progress in a source, and the order of what it finds.

use crosstail_core::model::Activity;

/// Minimum length of an id that is recognised inside a longer text: a shorter one may be part of something else.
const LONG: usize = 8;

/// Progress of the search in one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchProgress {
    /// Searching for the text as this candidate.
    Running(&'static str),
    /// Finished: the candidate that matched, the number of results, the time in milliseconds, and whether there are more.
    Found { what: &'static str, count: usize, ms: u64, has_more: bool },
    /// Finished without a result; the time in milliseconds.
    Empty(u64),
    /// The source failed; the reason.
    Failed(String),
}

impl SearchProgress {
    /// Text for the screen.
    pub fn describe(&self) -> String {
        match self {
            Self::Running(what) => format!("searching: {what}"),
            Self::Found { what, count, ms, has_more: true } => {
                format!("the newest {count} found as {what}, in {ms} ms; there are more")
            }
            Self::Found { what, count, ms, has_more: false } => format!("{count} found as {what}, in {ms} ms"),
            Self::Empty(ms) => format!("nothing, in {ms} ms"),
            Self::Failed(problem) => problem.clone(),
        }
    }

    /// Whether the source has finished or failed.
    pub const fn is_done(&self) -> bool {
        !matches!(self, Self::Running(_))
    }
}

/// Whether a text is the id of an activity or of its request, or contains that id.
pub fn is_named(activity: &Activity, text: &str) -> bool {
    let text = text.trim();
    let names = |id: String| id == text || (id.len() >= LONG && text.contains(&id));
    names(activity.id.to_string()) || activity.request_id.as_ref().is_some_and(|request| names(request.to_string()))
}

/// Sorts results: what has exactly that id first, then the request that has it, ids that start with the text, spans, the newest.
pub fn rank(found: &mut [Activity], text: &str) {
    found.sort_by_cached_key(|a| {
        let id = a.id.to_string();
        (
            id != text.trim(),
            !is_named(a, text),
            !id.starts_with(text.trim()),
            !a.is_span(),
            std::cmp::Reverse(a.started_at),
            id,
        )
    });
}
