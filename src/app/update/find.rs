//! The search for what a pasted text identifies.

use super::detail::{open, open_activity, open_tab};
use crate::action::Action;
use crate::app::{AppState, Overlay, Search};
use crate::effect::{Effect, SearchProgress, is_named};
use crosstail_core::model::{Activity, SourceId};

/// Starts a search in every source.
pub(super) fn start(state: &mut AppState, text: String) -> Vec<Effect> {
    let ticket = state.ticket();
    let sources = state.sources.iter().map(|source| (source.id, SearchProgress::Running("waiting"))).collect();
    let find = Search { text: text.clone(), sources, found: Vec::new(), chosen: 0, moved: false, ticket };
    state.overlays.push(Overlay::Find(find));
    vec![Effect::Find(ticket, text)]
}

fn current_search(state: &mut AppState, ticket: u64) -> Option<&mut Search> {
    state.overlays.iter_mut().find_map(|overlay| match overlay {
        Overlay::Find(find) if find.ticket == ticket => Some(find),
        _ => None,
    })
}

/// Applies a source's progress. Once all sources have finished, a unique result opens by itself.
pub(super) fn on_progress(
    state: &mut AppState,
    ticket: u64,
    (source, progress, found): (SourceId, SearchProgress, Vec<Activity>),
) -> Vec<Effect> {
    let Some(find) = current_search(state, ticket) else { return Vec::new() };
    if let Some((_, known)) = find.sources.iter_mut().find(|(id, _)| *id == source) {
        *known = progress;
    }
    find.take(found);
    let only = find.found.len() == 1 || find.found.iter().filter(|a| is_named(a, &find.text)).count() == 1;
    if find.is_done() && only && !find.moved { select(state) } else { Vec::new() }
}

/// Opens the selected result.
fn select(state: &mut AppState) -> Vec<Effect> {
    let Some(Overlay::Find(find)) = state.overlays.last() else { return Vec::new() };
    let Some(activity) = find.found.get(find.chosen).cloned() else { return Vec::new() };
    state.overlays.pop();
    let mut effects = match state.store.find(&activity.id) {
        Some(row) if state.store.position(row).is_some() => open(state, row),
        row => open_activity(state, row, activity),
    };
    if let Some(tab) = state.open_tab.take() {
        effects.extend(open_tab(state, tab));
    }
    effects
}

/// Handles an action while the overlay is open.
pub(super) fn act(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    let Some(Overlay::Find(find)) = state.overlays.last_mut() else { return None };
    let last = find.found.len().saturating_sub(1);
    match action {
        Action::Up => (find.chosen, find.moved) = (find.chosen.saturating_sub(1), true),
        Action::Down => (find.chosen, find.moved) = ((find.chosen + 1).min(last), true),
        Action::Open => return Some(select(state)),
        Action::Back => {
            state.overlays.pop();
            return Some(vec![Effect::CancelSearch]);
        }
        Action::Quit | Action::Suspend | Action::Redraw => return None,
        _ => {}
    }
    Some(Vec::new())
}
