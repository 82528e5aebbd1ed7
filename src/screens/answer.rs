//! What a screen has asked of the stores, and what they answered last.

use super::shared::Shared;
use crate::effect::Ticket;
use crosstail_core::model::Timestamp;
use crosstail_engine::window::Range;

/// What was asked is asked again after so long, if something has arrived since, in milliseconds.
const EVERY_MS: i64 = 15_000;

/// A question that is asked again as activities arrive; its last answer stays until the next one.
pub(super) struct Answer<T> {
    /// What was found last, or why nothing was.
    found: Option<Result<T, String>>,
    /// The question that is being answered.
    asked: Option<Ticket>,
    /// When the last answer came, and the state of memory when it was asked for.
    answered: Option<(Timestamp, u64)>,
    revision: u64,
    of: AskedView,
}

/// The view that something was asked about: its filter and its range, whose moments change with time and are no other view.
#[derive(Default)]
pub(super) struct AskedView(Option<(String, Range)>);

impl AskedView {
    /// The view that is shown.
    pub(super) fn now(shared: &Shared) -> Self {
        Self(Some((shared.filter.text().to_owned(), shared.range.clone())))
    }

    /// Whether another one is shown; nothing is another than none.
    pub(super) fn is_gone(&self, shared: &Shared) -> bool {
        self.0.as_ref().is_some_and(|(filter, range)| filter != shared.filter.text() || *range != shared.range)
    }
}

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self { found: None, asked: None, answered: None, revision: 0, of: AskedView::default() }
    }
}

impl<T> Answer<T> {
    /// What was found last.
    pub(super) fn get(&self) -> Option<&T> {
        self.found.as_ref()?.as_ref().ok()
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut T> {
        self.found.as_mut()?.as_mut().ok()
    }

    /// What was found last, or why nothing was; `None` before the first answer.
    pub(super) const fn last(&self) -> Option<&Result<T, String>> {
        self.found.as_ref()
    }

    /// Asks, under this ticket. What was found of another view is no answer any more.
    pub(super) fn ask(&mut self, shared: &mut Shared) -> Ticket {
        let ticket = shared.ticket();
        if self.of.is_gone(shared) {
            self.found = None;
        }
        self.of = AskedView::now(shared);
        self.asked = Some(ticket);
        self.revision = shared.store.revision();
        ticket
    }

    pub(super) const fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether it is time to ask again: of another view at once.
    pub(super) fn is_due(&self, shared: &Shared) -> bool {
        let is_old = |(at, revision)| shared.now.since_us(at) >= EVERY_MS * 1000 && shared.store.revision() != revision;
        self.of.is_gone(shared) || (self.asked.is_none() && self.answered.is_some_and(is_old))
    }

    /// Expects no answer any more.
    pub(super) fn forget(&mut self) {
        self.asked = None;
    }

    /// Whether a reply is the answer; if so, it has come now.
    pub(super) fn is_answered_by(&mut self, ticket: Ticket, shared: &Shared) -> bool {
        let is_answer = self.asked == Some(ticket);
        if is_answer {
            self.asked = None;
            self.answered = Some((shared.now, self.revision));
        }
        is_answer
    }

    pub(super) fn set(&mut self, found: Result<T, String>) {
        self.found = Some(found);
    }
}
