//! The failures of the view in groups, above the list, where failures are what is looked at. Only what memory holds is grouped and no
//! store is asked, so which groups are new is left to the screen of failures.

mod view;

pub(super) use view::render;

use crate::effect::{Effect, Reply, Ticket};
use crate::screens::answer::Answer;
use crate::screens::shared::Shared;
use crosstail_core::number::saturating_u16;
use crosstail_engine::failure::{FailureGroup, FoundFailures};

/// So many groups are shown.
const SHOWN: usize = 3;
/// On a terminal with fewer rows, the list needs them.
const LEAST_ROWS: u16 = 30;
/// Filters that look at failures, as they are usually written.
const FAILURES: [&str; 4] = ["status:failed", "is:failure", "status:timeout", "status:(failed, timeout)"];

/// The groups.
#[derive(Default)]
pub(super) struct Groups {
    answer: Answer<FoundFailures>,
    /// The filter for which they were hidden.
    hidden: Option<String>,
}

impl Groups {
    /// The groups, the most frequent first. One alone says no more than the filter does.
    fn all(&self) -> &[FailureGroup] {
        self.answer.get().map(|found| found.groups.as_slice()).filter(|groups| groups.len() > 1).unwrap_or_default()
    }

    pub(super) fn is_shown(&self) -> bool {
        !self.all().is_empty()
    }

    /// Rows that they have: a line each, and one below.
    pub(super) fn rows(&self) -> u16 {
        if self.is_shown() { saturating_u16(self.all().len().min(SHOWN)) + 1 } else { 0 }
    }

    /// Hides them until another filter is shown; returns whether there were any.
    pub(super) fn hide(&mut self, shared: &Shared) -> bool {
        let is_shown = self.is_shown();
        if is_shown {
            *self = Self { hidden: Some(shared.filter.text().to_owned()), ..Self::default() };
        }
        is_shown
    }

    fn is_wanted(&self, shared: &Shared) -> bool {
        shared.size.1 >= LEAST_ROWS
            && self.hidden.as_deref() != Some(shared.filter.text())
            && FAILURES.iter().any(|clause| shared.filter.has_clause(clause))
    }

    /// Asks for them where they are wanted and it is time to.
    pub(super) fn ask(&mut self, shared: &mut Shared) -> Option<Effect> {
        if !self.is_wanted(shared) {
            self.answer = Answer::default();
            return None;
        }
        let is_first = self.answer.last().is_none() && !self.answer.is_asked();
        if !is_first && !self.answer.is_due(shared) {
            return None;
        }
        let range = shared.view_range();
        if !range.is_held {
            self.answer = Answer::default();
            return None;
        }
        Some(Effect::GroupHeld(self.answer.ask(shared), Box::new(range)))
    }

    /// Takes the answer; gives back any other.
    pub(super) fn reply(&mut self, ticket: Ticket, reply: Reply, shared: &Shared) -> Result<(), Reply> {
        match reply {
            Reply::FailureGroups(found) if self.answer.is_answered_by(ticket, shared) => {
                self.answer.set(found.map(|found| *found));
                Ok(())
            }
            other => Err(other),
        }
    }
}
