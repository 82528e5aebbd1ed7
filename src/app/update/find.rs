//! Finding what a pasted text identifies.

use super::detail::{open, open_activity, open_tab};
use crate::app::{Action, Effect, Find, Overlay, Progress, State, is_named};
use crosstail_core::model::{Activity, SourceId};

/// Begins to look for a text in every source.
pub(super) fn begin(state: &mut State, text: String) -> Vec<Effect> {
    let ticket = state.ticket();
    let sources = state.sources.iter().map(|source| (source.id, Progress::Looking("waiting"))).collect();
    let find = Find { text: text.clone(), sources, found: Vec::new(), chosen: 0, moved: false, ticket };
    state.overlays.push(Overlay::Find(find));
    vec![Effect::Find(ticket, text)]
}

fn finding(state: &mut State, ticket: u64) -> Option<&mut Find> {
    state.overlays.iter_mut().find_map(|overlay| match overlay {
        Overlay::Find(find) if find.ticket == ticket => Some(find),
        _ => None,
    })
}

/// Takes what a source says. Where everything points to one request, it is opened.
pub(super) fn hear(
    state: &mut State,
    ticket: u64,
    (source, progress, found): (SourceId, Progress, Vec<Activity>),
) -> Vec<Effect> {
    let Some(find) = finding(state, ticket) else { return Vec::new() };
    if let Some((_, known)) = find.sources.iter_mut().find(|(id, _)| *id == source) {
        *known = progress;
    }
    find.take(found);
    let only = find.found.len() == 1 || find.found.iter().filter(|a| is_named(a, &find.text)).count() == 1;
    if find.is_done() && only && !find.moved { choose(state) } else { Vec::new() }
}

/// Opens the chosen one.
fn choose(state: &mut State) -> Vec<Effect> {
    let Some(Overlay::Find(find)) = state.overlays.last() else { return Vec::new() };
    let Some(activity) = find.found.get(find.chosen).cloned() else { return Vec::new() };
    state.overlays.pop();
    let mut effects = match state.store.find(&activity.id) {
        Some(row) if state.store.position(row).is_some() => open(state, row),
        row => open_activity(state, row, activity),
    };
    if let Some(tab) = state.opens_at.take() {
        effects.extend(open_tab(state, tab));
    }
    effects
}

/// What the overlay does with an action.
pub(super) fn act(state: &mut State, action: Action) -> Option<Vec<Effect>> {
    let Some(Overlay::Find(find)) = state.overlays.last_mut() else { return None };
    let last = find.found.len().saturating_sub(1);
    match action {
        Action::Up => (find.chosen, find.moved) = (find.chosen.saturating_sub(1), true),
        Action::Down => (find.chosen, find.moved) = ((find.chosen + 1).min(last), true),
        Action::Open => return Some(choose(state)),
        Action::Back => {
            state.overlays.pop();
            return Some(vec![Effect::StopFinding]);
        }
        Action::Quit | Action::Suspend | Action::Redraw => return None,
        _ => {}
    }
    Some(Vec::new())
}
