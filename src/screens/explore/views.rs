//! The view: the filter in force, its history, and the activities that match it by their payload.

use super::Explore;
use crate::action::Action;
use crate::effect::{Effect, Reply, Ticket};
use crate::screens::request::{Focus, Request};
use crate::screens::shared::Shared;
use crosstail_core::filter::{Filter, Operand, Predicate};
use crosstail_core::model::Timestamp;
use crosstail_engine::store::Row;

/// A filter with a relative time is evaluated again this often, in microseconds.
const REFILTER_EVERY_US: i64 = 2_000_000;
/// A filter on payloads is asked again this often for activities that arrived since, in microseconds.
const MATCH_EVERY_US: i64 = 3_000_000;

/// A view in the history of views.
#[derive(Debug, Clone, Default)]
struct ViewSnapshot {
    /// Text of the filter.
    filter: String,
    /// Selected row.
    selected: Option<Row>,
}

/// The history of views, and the query for payloads.
pub(super) struct Views {
    history: Vec<ViewSnapshot>,
    /// Index of the current view in the history.
    at: usize,
    /// When a filter with a relative time was last evaluated.
    refiltered_at: Timestamp,
    /// Ticket of the query for payloads.
    ticket: Ticket,
    /// Whether that query is still running.
    pub(super) is_matching: bool,
    /// When it was last sent.
    asked_at: Timestamp,
    /// The store's revision at that time.
    asked_revision: u64,
}

impl Views {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            history: vec![ViewSnapshot::default()],
            at: 0,
            refiltered_at: now,
            ticket: 0,
            is_matching: false,
            asked_at: Timestamp(0),
            asked_revision: 0,
        }
    }
}

impl Explore {
    /// Edits the filter, changes it, or goes through the history.
    pub(super) fn in_views(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::Back => {
                if self.detail.take().is_none() && !shared.filter.is_all() {
                    shared.notify("Backspace clears the filter, q quits");
                }
            }
            Action::Filter => shared.ask(Request::Focus(Focus::Filter)),
            Action::ClearFilter => shared.ask(Request::Filter(String::new())),
            Action::ViewBack => return Some(self.walk_history(-1, shared)),
            Action::ViewForward => return Some(self.walk_history(1, shared)),
            other => {
                let filter = shared.settings.views.get(other.number()?).map(|view| view.filter.clone());
                if let Some(filter) = filter {
                    shared.ask(Request::Show(filter));
                }
            }
        }
        Some(Vec::new())
    }

    /// Puts a filter in force that was not typed, and adds it to the history.
    pub(in crate::screens) fn set_filter(&mut self, text: &str, shared: &mut Shared) -> Vec<Effect> {
        let Some(predicate) = self.compile(text, shared) else { return Vec::new() };
        // The history keeps the row that is selected before the list adapts.
        self.remember(shared);
        self.apply(predicate, shared)
    }

    /// Puts a filter in force, without a place in the history (`--filter`).
    pub(in crate::screens) fn begin_with(&mut self, text: &str, shared: &mut Shared) -> Vec<Effect> {
        self.compile(text, shared).map_or_else(Vec::new, |predicate| self.apply(predicate, shared))
    }

    /// Compiles a filter that is to be in force. If it is not valid, the bar says why, and the last one stays.
    fn compile(&mut self, text: &str, shared: &mut Shared) -> Option<Predicate> {
        match Filter::compile(text, &shared.context()) {
            Ok((filter, predicate)) => {
                self.filter_bar.error = None;
                shared.filter = filter;
                Some(predicate)
            }
            Err(error) => {
                self.filter_bar.error = Some(error);
                None
            }
        }
    }

    /// Shows what the filter in force keeps.
    pub(super) fn apply(&mut self, predicate: Predicate, shared: &mut Shared) -> Vec<Effect> {
        let at = self.list.selected.map(|row| shared.store.started(row));
        let needs_payload = predicate.needs_payload();
        shared.store.set_filter(predicate);
        self.views.refiltered_at = shared.now;
        self.list.settle(&shared.store, at);
        self.list.unseen = 0;
        self.count(shared, true);
        self.views.is_matching = false;
        if needs_payload { self.match_payloads(shared) } else { Vec::new() }
    }

    /// Evaluates a filter such as "the last 15 minutes" again: it matches different rows as time passes.
    pub(super) fn refilter(&mut self, shared: &mut Shared) {
        if !shared.filter.is_relative() || shared.now.since_us(self.views.refiltered_at) <= REFILTER_EVERY_US {
            return;
        }
        self.views.refiltered_at = shared.now;
        let predicate = shared.filter.predicate(&shared.context());
        let at = self.list.selected.map(|row| shared.store.started(row));
        shared.store.set_filter(predicate);
        self.list.settle(&shared.store, at);
    }

    /// Queries the sources for activities whose payload matches.
    fn match_payloads(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let views = &mut self.views;
        views.is_matching = true;
        views.asked_at = shared.now;
        views.asked_revision = shared.store.revision();
        views.ticket = shared.ticket();
        vec![Effect::MatchPayloads(views.ticket, shared.filter.text().to_owned())]
    }

    /// Queries again for activities that arrived since.
    pub(super) fn match_again(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let atoms = shared.filter.expr().atoms();
        let looks_inside = atoms.iter().any(|atom| matches!(atom.target, Operand::Path(..)));
        let due = shared.now.since_us(self.views.asked_at) > MATCH_EVERY_US
            && shared.store.revision() != self.views.asked_revision;
        if looks_inside && !self.views.is_matching && due { self.match_payloads(shared) } else { Vec::new() }
    }

    /// Takes the activities that match; gives back any other reply.
    pub(super) fn matched(&mut self, ticket: Ticket, reply: Reply, shared: &mut Shared) -> Result<(), Reply> {
        let Reply::Matched(ids, done) = reply else { return Err(reply) };
        if ticket == self.views.ticket {
            shared.store.set_payload_matches(&ids);
            self.views.is_matching = !done;
            if done {
                self.views.asked_revision = shared.store.revision();
            }
            self.count(shared, true);
        }
        Ok(())
    }

    /// Adds the current view with its selected row to the history.
    pub(super) fn remember(&mut self, shared: &Shared) {
        let selected = self.list.selected.filter(|_| !self.list.follow);
        let now = ViewSnapshot { filter: shared.filter.text().to_owned(), selected };
        let Views { history, at, .. } = &mut self.views;
        if history.get(*at).is_some_and(|last| last.filter == now.filter) {
            history[*at] = now;
            return;
        }
        history.truncate(*at + 1);
        history.push(now);
        *at = history.len() - 1;
    }

    /// Goes back or forward in the history of views.
    fn walk_history(&mut self, by: isize, shared: &mut Shared) -> Vec<Effect> {
        let to = self.views.at.checked_add_signed(by).filter(|to| *to < self.views.history.len());
        let Some(to) = to else {
            shared.notify(if by < 0 { "no previous view" } else { "no next view" });
            return Vec::new();
        };
        self.views.at = to;
        let snapshot = self.views.history[to].clone();
        let Some(predicate) = self.compile(&snapshot.filter, shared) else { return Vec::new() };
        let effects = self.apply(predicate, shared);
        if let Some(row) = snapshot.selected.filter(|row| shared.store.position(*row).is_some()) {
            self.select(row, shared);
        }
        effects
    }
}
