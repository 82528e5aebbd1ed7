//! Views: the filter in force, the history of views, and completions in the filter bar.

use crate::app::{AppState, Focus, Screen, ViewSnapshot};
use crate::effect::Effect;
use crosstail_core::filter::{Field, complete, quote};

/// Queries the sources for activities whose payload matches.
pub(super) fn request_payload_matches(state: &mut AppState) -> Vec<Effect> {
    state.match_running = true;
    state.match_asked_at = state.now;
    state.matched_revision = state.store.revision();
    state.match_ticket = state.ticket();
    vec![Effect::MatchPayloads(state.match_ticket, state.filter.applied.text().to_owned())]
}

/// Puts the filter in the bar in force.
pub(super) fn apply_filter(state: &mut AppState) -> Vec<Effect> {
    let at = state.list.selected.map(|row| state.store.started(row));
    let predicate = state.filter.applied.predicate(&state.context());
    let needs_payload = predicate.needs_payload();
    state.store.set_filter(predicate);
    state.refiltered_at = state.now;
    state.list.settle(&state.store, at);
    state.list.unseen = 0;
    state.count(true);
    state.match_running = false;
    if needs_payload { request_payload_matches(state) } else { Vec::new() }
}

/// Switches to another filter and adds it to the history.
pub(super) fn set_filter(state: &mut AppState, filter: &str) -> Vec<Effect> {
    state.filter.set_text(filter.to_owned(), filter.len());
    state.filter.parse();
    push_history(state);
    apply_filter(state)
}

/// Adds the current view with its selected row to the history.
pub(super) fn push_history(state: &mut AppState) {
    let selected = state.list.selected.filter(|_| !state.list.follow);
    let now = ViewSnapshot { filter: state.filter.applied.text().to_owned(), selected };
    if state.history.get(state.history_at).is_some_and(|last| last.filter == now.filter) {
        state.history[state.history_at] = now;
        return;
    }
    state.history.truncate(state.history_at + 1);
    state.history.push(now);
    state.history_at = state.history.len() - 1;
}

/// Goes back or forward in the history of views.
pub(super) fn walk_history(state: &mut AppState, by: isize) -> Vec<Effect> {
    let Some(to) = state.history_at.checked_add_signed(by).filter(|to| *to < state.history.len()) else {
        state.notify(if by < 0 { "no previous view" } else { "no next view" });
        return Vec::new();
    };
    state.history_at = to;
    let snapshot = state.history[to].clone();
    state.filter.set_text(snapshot.filter.clone(), snapshot.filter.len());
    state.filter.parse();
    let effects = apply_filter(state);
    if let Some(row) = snapshot.selected.filter(|row| state.store.position(*row).is_some()) {
        state.list.select(&state.store, row);
    }
    effects
}

/// Computes the completions at the cursor.
pub(super) fn suggest(state: &mut AppState) {
    state.filter.completions = complete(&state.filter.text, state.filter.cursor, &state.store);
}

/// Starts editing the filter in force.
pub(super) fn edit_filter(state: &mut AppState) {
    state.screen = if state.screen == Screen::FirstRun { Screen::FirstRun } else { Screen::Explore };
    state.focus = Focus::Filter;
    state.filter.before = Some(state.filter.applied.clone());
    let mut text = state.filter.applied.text().to_owned();
    if !text.is_empty() && !text.ends_with(' ') {
        text.push(' ');
    }
    let cursor = text.len();
    state.filter.set_text(text, cursor);
    state.filter.chosen = None;
    suggest(state);
}

/// Adds a clause for a field's value to the filter, or its negation.
pub(super) fn narrow(state: &mut AppState, field: Field, value: &str, exclude: bool) -> Vec<Effect> {
    let text = state.filter.with_clause(&format!("{}:{}", field.name(), quote(value)), exclude);
    set_filter(state, &text)
}
