//! Health and rules as time passes: computes what is due, and queries the stores for what memory does not hold.

use super::alerts;
use crate::app::{AppState, Screen, SystemView};
use crate::effect::{Effect, Ticket};
use crate::ingest::SourceStatus;
use crosstail_engine::insight::alerting::{CATCH_UP_US, Transition};
use crosstail_source::pump::SourceState;
use crosstail_source::{FiguresQuery, Groups};

/// Computes what is due.
pub(super) fn tick(state: &mut AppState) -> Vec<Effect> {
    let mut effects = Vec::new();
    if matches!(state.screen, Screen::Health | Screen::System) && state.health.is_due(state.now) {
        effects.extend(refresh(state));
    }
    let window_us = state.health.window_us();
    if let Some(view) = state.system.as_mut().filter(|view| state.screen == Screen::System && view.is_due(state.now)) {
        view.compute(&state.store, state.now, window_us);
    }
    if may_begin(state) && state.alerting.is_due(state.now) {
        if !state.alerting.has_started() {
            let since = state.now.plus_us(-CATCH_UP_US);
            let context = state.context();
            state.alerting.catch_up(&state.store, context, since);
        }
        evaluate(state);
        if let Some((window_us, query)) = state.alerting.request_baseline(state.now) {
            let ticket = state.ticket();
            state.usual_ticket = (ticket, window_us);
            effects.push(Effect::Figures(ticket, Box::new(query)));
        }
    }
    if state.screen == Screen::Alerts {
        alerts::refresh(state);
    }
    effects
}

/// Whether enough history is loaded to evaluate rules: all of it, or what arrived in the first seconds.
fn may_begin(state: &AppState) -> bool {
    let waited_us = state.now.since_us(state.opened);
    let busy = |source: &SourceStatus| matches!(source.state, SourceState::Connecting | SourceState::Loading);
    waited_us >= 3_000_000 && (waited_us >= 15_000_000 || !state.sources.iter().any(busy))
}

/// Evaluates the rules and shows a notice about what started firing.
fn evaluate(state: &mut AppState) {
    let fired = state.evaluate_rules();
    alerts::refresh(state);
    let firing: Vec<String> = fired
        .iter()
        .filter(|change| change.transition == Transition::Firing)
        .map(|change| format!("⚑ {}: {}", change.alert.title, change.alert.reason))
        .collect();
    if let Some(first) = firing.first() {
        let more = if firing.len() > 1 { format!(" and {} more alerts", firing.len() - 1) } else { String::new() };
        let text = format!("{first}{more}");
        state.notify(text);
    }
}

/// Computes health now, and queries the stores for what is not in memory.
pub(super) fn refresh(state: &mut AppState) -> Vec<Effect> {
    state.compute_health();
    let questions = state.health.request_store_figures(state.complete_from(), state.now);
    if !questions.is_empty() {
        state.history_figures_ticket = state.ticket();
    }
    questions.into_iter().map(|query| Effect::Figures(state.history_figures_ticket, Box::new(query))).collect()
}

/// Sets the figures of a reply.
pub(super) fn take(state: &mut AppState, ticket: Ticket, query: &FiguresQuery, result: Result<Groups, String>) {
    if ticket == state.history_figures_ticket {
        match result {
            Ok(groups) => state.health.set_store_figures(query, groups, state.now),
            Err(problem) => state.notify(format!("cannot load older figures: {problem}")),
        }
    } else if ticket == state.usual_ticket.0 {
        state.alerting.set_baseline(state.usual_ticket.1, result.as_ref().ok(), state.now);
    }
}

/// Opens the selected system.
pub(super) fn open_system(state: &mut AppState) {
    let health = state.health.health.as_ref();
    let Some(system) = health.and_then(|health| health.systems.get(state.selected_line)) else { return };
    let mut view = SystemView::new(system.system.clone());
    view.compute(&state.store, state.now, state.health.window_us());
    state.system = Some(view);
    state.screen = Screen::System;
    state.selected_line = 0;
}
