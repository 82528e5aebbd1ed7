//! The view: the filter and the range in force, and their history.

use super::Explore;
use crate::action::Action;
use crate::config::{Layout, ViewEntry};
use crate::effect::Effect;
use crate::screens::request::{Focus, PromptKind, Request};
use crate::screens::shared::Shared;
use crosstail_core::filter::{Atom, Expr, Field, Filter, Op, Operand, Predicate, ScalarForm, Value};
use crosstail_core::model::Timestamp;
use crosstail_engine::store::Row;
use crosstail_engine::window::{Bounds, Range};

/// A filter with a relative time is evaluated again this often, in microseconds.
const REFILTER_EVERY_US: i64 = 2_000_000;

/// A view in the history of views.
#[derive(Debug, Clone, Default)]
struct ViewSnapshot {
    /// Text of the filter.
    filter: String,
    range: Range,
    layout: Layout,
    /// Selected row.
    selected: Option<Row>,
}

/// The history of views.
pub(super) struct Views {
    history: Vec<ViewSnapshot>,
    /// Index of the current view in the history.
    at: usize,
    /// Whether the history begins with the view that the explorer was opened with.
    has_begun: bool,
    /// When a filter with a relative time was last evaluated.
    refiltered_at: Timestamp,
}

impl Views {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { history: vec![ViewSnapshot::default()], at: 0, has_begun: false, refiltered_at: now }
    }
}

impl Explore {
    /// Edits the filter, changes it, or goes through the history.
    pub(super) fn in_views(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::BACK => {
                if self.detail.is_none()
                    && let Some(effects) = self.leave_around(shared)
                {
                    return Some(effects);
                }
                if let Some(effects) = self.stop_searching(shared) {
                    return Some(effects);
                }
                if self.detail.is_some() {
                    return Some(self.close_detail());
                }
                if self.histogram.mark.take().is_some() {
                    return Some(Vec::new());
                }
                if self.groups.hide(shared) {
                    return Some(Vec::new());
                }
                let whole = shared.filter.is_all();
                shared.notify(if whole { "q quits" } else { "Backspace clears the filter, q quits" });
            }
            Action::FILTER => shared.ask(Request::Focus(Focus::Filter)),
            Action::FILTER_HISTORY => shared.ask(Request::History(String::new())),
            Action::SAVE_VIEW => shared.ask(Request::Prompt(PromptKind::ViewName, String::new())),
            Action::CLEAR_FILTER if shared.filter.is_all() && self.filter_bar.error.is_none() => {
                shared.notify("no filter is set");
            }
            Action::CLEAR_FILTER => shared.ask(Request::Filter(String::new())),
            Action::AROUND => return Some(self.look_around(shared)),
            Action::VIEW_BACK if self.around.is_some() => return self.leave_around(shared),
            Action::VIEW_BACK => return Some(self.walk_history(-1, shared)),
            Action::VIEW_FORWARD => return Some(self.walk_history(1, shared)),
            // Empty, as one is typed from its beginning; the prompt says which one there is.
            Action::RANGE => shared.ask(Request::Prompt(PromptKind::Range, String::new())),
            Action::ZOOM_IN | Action::ZOOM_OUT => {
                if let Some(effects) = self.reach(action == Action::ZOOM_OUT, shared) {
                    return Some(effects);
                }
                let range = shared.range.step(action == Action::ZOOM_OUT);
                if range == shared.range {
                    let which = if action == Action::ZOOM_OUT { "longer" } else { "shorter" };
                    shared.notify(format!("there is no {which} range than {}; T chooses one", range.describe()));
                    return Some(Vec::new());
                }
                return Some(self.set_range(range, shared));
            }
            other => {
                let number = other.number()?;
                match shared.settings.views.get(number).cloned() {
                    Some(view) => shared.ask(Request::View(Box::new(view))),
                    None => shared.notify(format!("there is no view {}; : save view saves one", number + 1)),
                }
            }
        }
        Some(Vec::new())
    }

    /// Puts a filter in force that was not typed, and adds it to the history.
    pub(in crate::screens) fn set_filter(&mut self, text: &str, shared: &mut Shared) -> Vec<Effect> {
        self.begin_history(shared);
        let Some(predicate) = self.compile(text, shared) else { return Vec::new() };
        // The history keeps the row that is selected before the list adapts.
        self.remember(shared);
        self.apply(&predicate, shared)
    }

    /// Shows a saved view: its filter, its columns and its facets.
    pub(in crate::screens) fn show_view(&mut self, view: &ViewEntry, shared: &mut Shared) -> Vec<Effect> {
        self.begin_history(shared);
        let Some(predicate) = self.compile(&view.filter, shared) else { return Vec::new() };
        match view.layout() {
            Ok(layout) => shared.layout = layout,
            Err(problem) => shared.notify(format!("view {}: {problem}", view.name)),
        }
        self.remember(shared);
        let mut effects = self.lay_out(shared);
        effects.extend(self.apply(&predicate, shared));
        effects
    }

    /// Other columns or facets are chosen.
    pub(in crate::screens) fn lay_out(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.list.show_columns(&shared.layout);
        self.forget_values();
        self.facets.count(&self.values, shared);
        self.look(shared)
    }

    /// Puts a filter in force, without a place in the history (`--filter`).
    pub(in crate::screens) fn begin_with(&mut self, text: &str, shared: &mut Shared) -> Vec<Effect> {
        self.compile(text, shared).map_or_else(Vec::new, |predicate| self.apply(&predicate, shared))
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
    pub(super) fn apply(&mut self, predicate: &Predicate, shared: &mut Shared) -> Vec<Effect> {
        let held = self.list.selected.filter(|row| shared.store.holds(*row));
        let at = held.map(|row| shared.store.started(row));
        shared.time_clause = clause(predicate);
        shared.store.set_filter(predicate.clone());
        self.views.refiltered_at = shared.now;
        let effects = self.start_over(shared);
        self.list.settle(&shared.store, at);
        self.list.forget_unseen(&shared.store);
        self.count(shared, true);
        effects
    }

    /// Evaluates a filter such as "the last 15 minutes" again: it matches different rows as time passes.
    pub(super) fn refilter(&mut self, shared: &mut Shared) {
        if !shared.filter.is_relative() || shared.now.since_us(self.views.refiltered_at) <= REFILTER_EVERY_US {
            return;
        }
        self.views.refiltered_at = shared.now;
        let predicate = shared.filter.predicate(&shared.context());
        let held = self.list.selected.filter(|row| shared.store.holds(*row));
        let at = held.map(|row| shared.store.started(row));
        shared.time_clause = clause(&predicate);
        shared.store.refilter(predicate);
        self.show(shared);
        self.list.settle(&shared.store, at);
    }

    /// Puts a range in force.
    pub(in crate::screens) fn set_range(&mut self, range: Range, shared: &mut Shared) -> Vec<Effect> {
        if shared.range == range {
            return Vec::new();
        }
        self.begin_history(shared);
        self.remember(shared);
        shared.keeping.use_range(&range);
        shared.range = range;
        self.remember(shared);
        self.range_changed(shared)
    }

    /// Before the view changes for the first time: the history begins with the one that the explorer was opened with.
    fn begin_history(&mut self, shared: &Shared) {
        if !std::mem::replace(&mut self.views.has_begun, true) {
            let first = &mut self.views.history[0];
            (first.filter, first.range) = (shared.filter.text().to_owned(), shared.range.clone());
        }
    }

    /// Adds the current view with its selected row to the history.
    pub(super) fn remember(&mut self, shared: &mut Shared) {
        shared.keeping.use_filter(shared.filter.text());
        // Somebody goes on from a neighbourhood: it is a view from now on, and the one before it is the last of the history.
        self.around = None;
        let selected = self.list.selected.filter(|_| !self.list.follow);
        let (filter, range) = (shared.filter.text().to_owned(), shared.range.clone());
        let now = ViewSnapshot { filter, range, layout: shared.layout.clone(), selected };
        let Views { history, at, .. } = &mut self.views;
        let is_same =
            |last: &ViewSnapshot| (&last.filter, &last.range, &last.layout) == (&now.filter, &now.range, &now.layout);
        if history.get(*at).is_some_and(is_same) {
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
        self.around = None;
        self.views.at = to;
        let snapshot = self.views.history[to].clone();
        let Some(predicate) = self.compile(&snapshot.filter, shared) else { return Vec::new() };
        let mut effects = Vec::new();
        if shared.layout != snapshot.layout {
            shared.layout = snapshot.layout;
            effects = self.lay_out(shared);
        }
        if shared.range != snapshot.range {
            shared.range = snapshot.range;
            effects.extend(self.range_changed(shared));
        }
        effects.extend(self.apply(&predicate, shared));
        if let Some(row) = snapshot.selected.filter(|row| shared.store.position(*row).is_some()) {
            self.select(row, shared);
        }
        effects
    }
}

/// The time that a filter names.
fn clause(predicate: &Predicate) -> Option<Bounds> {
    predicate.time_bounds().map(|(since, until)| Bounds { since, until })
}

/// Whether a filter keeps one system only.
pub(super) fn names_a_system(filter: &Filter) -> bool {
    let one = |expr: &&Expr| {
        matches!(expr, Expr::Atom(Atom { target: Operand::Field(Field::System), or_absent: false, op, value: Value::One(one), .. })
            if matches!(op, Op::Has | Op::Equal) && one.form != ScalarForm::Regex && !one.text.contains('*'))
    };
    filter.clauses().iter().any(one)
}
