//! Global actions, which apply when nothing else handles them: the list, the screens, the switches.

use super::detail::{open, open_tab};
use super::outgoing::{copy, mark, note, report, run_external, write_incident};
use super::palette::palette;
use super::views::{edit_filter, narrow, set_filter, walk_history};
use super::{alerts, health};
use crate::action::Action;
use crate::app::{AppState, COLUMNS, Focus, Overlay, PromptKind, Screen, Tab};
use crate::effect::{Effect, Program};
use crosstail_core::number::saturating_isize;
use crosstail_engine::store::Row;
use crosstail_source::alert::AlertStatus;

/// Does what an action means for one part of the application; `None` where it means nothing there.
type Part = fn(&mut AppState, Action) -> Option<Vec<Effect>>;

pub(super) fn global(state: &mut AppState, action: Action) -> Vec<Effect> {
    let parts: [Part; 5] = [in_list, views, leaving, screens, switches];
    parts.into_iter().find_map(|part| part(state, action)).unwrap_or_default()
}

/// Moves in the list, and opens the selected activity.
fn in_list(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    let page = saturating_isize(state.list.height.max(2)) - 1;
    match action {
        Action::Up => state.list.step(&state.store, -1),
        Action::Down => state.list.step(&state.store, 1),
        Action::PageUp => state.list.step(&state.store, -page),
        Action::PageDown => state.list.step(&state.store, page),
        Action::Top => state.list.step(&state.store, -saturating_isize(state.store.len())),
        Action::Bottom | Action::Follow => state.list.start_following(),
        Action::Left => state.list.column = state.list.column.saturating_sub(1),
        Action::Right => state.list.column = (state.list.column + 1).min(COLUMNS.len() - 1),
        Action::Pause => state.list.toggle_pause(&state.store),
        Action::Open => {
            if let Some(row) = state.list.current(&state.store) {
                return Some(open(state, row));
            }
        }
        Action::Retries | Action::Trace => {
            if let Some(row) = state.list.current(&state.store) {
                let mut effects = open(state, row);
                effects.extend(open_tab(state, if action == Action::Trace { Tab::Trace } else { Tab::Retries }));
                return Some(effects);
            }
        }
        Action::NextFailure | Action::PreviousFailure => {
            match state.list.find_failure(&state.store, action == Action::NextFailure) {
                Some(row) => {
                    state.list.select(&state.store, row);
                    if state.detail.is_some() {
                        let focus = state.focus;
                        let effects = open(state, row);
                        state.focus = focus;
                        return Some(effects);
                    }
                }
                None => state.notify("no more failures"),
            }
        }
        Action::NextMark => next_mark(state),
        _ => return None,
    }
    Some(Vec::new())
}

/// Selects the next marked row in the view.
fn next_mark(state: &mut AppState) {
    let here = state.list.current(&state.store);
    let position = here.and_then(|row| state.store.position(row)).unwrap_or(0);
    let mut marked: Vec<(usize, Row)> = state
        .marks
        .keys()
        .filter_map(|id| state.store.find(id))
        .filter_map(|row| Some((state.store.position(row)?, row)))
        .collect();
    marked.sort_unstable();
    let next = marked.iter().find(|(at, _)| *at > position).or(marked.first());
    match next.copied() {
        Some((_, row)) => state.list.select(&state.store, row),
        None => state.notify("no marks in this view; m sets one"),
    }
}

/// The filter and the history of views.
fn views(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    match action {
        Action::Back => {
            if state.detail.take().is_none() && state.screen == Screen::Explore && !state.filter.applied.is_all() {
                state.notify("Backspace clears the filter, q quits");
            }
        }
        Action::Filter => edit_filter(state),
        Action::ClearFilter => return Some(set_filter(state, "")),
        Action::Keep | Action::Exclude => {
            let field = COLUMNS[state.list.column];
            let value = state
                .list
                .current(&state.store)
                .and_then(|row| crosstail_core::filter::value_text(&state.store.get(row), field, state.store.names()));
            match value {
                Some(value) => return Some(narrow(state, field, &value, action == Action::Exclude)),
                None => state.notify(format!("this activity has no {}", field.name())),
            }
        }
        Action::ViewBack => return Some(walk_history(state, -1)),
        Action::ViewForward => return Some(walk_history(state, 1)),
        other => {
            let view = state.views.get(other.number()?).cloned();
            if let Some(view) = view {
                state.screen = Screen::Explore;
                return Some(set_filter(state, &view.filter));
            }
        }
    }
    Some(Vec::new())
}

/// What leaves the screen: copies, external programs, marks, incidents, reports.
fn leaving(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    match action {
        Action::Jq => state.notify("open an activity first: jq reads its body"),
        Action::Editor => return Some(run_external(state, Program::Editor)),
        Action::Pager => return Some(run_external(state, Program::Pager)),
        Action::Pipe => state.open_prompt(PromptKind::Pipe, String::new()),
        Action::Note => note(state),
        Action::Bundle => write_incident(state),
        Action::Mark => mark(state),
        Action::Report => report(state),
        Action::CopyRecord
        | Action::CopyId
        | Action::CopyBody
        | Action::CopyCurl
        | Action::CopyWhole
        | Action::CopyMarkdown
        | Action::CopyView
        | Action::CopyPath => return Some(copy(state, action)),
        _ => return None,
    }
    Some(Vec::new())
}

/// Shows a screen, or the list if that screen is already shown.
fn toggle_screen(state: &mut AppState, screen: Screen) {
    state.screen = if state.screen == screen { Screen::Explore } else { screen };
    state.selected_line = 0;
    state.focus = Focus::List;
}

/// Screens, overlays, and the actions of the alerts screen.
fn screens(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    match action {
        Action::Compare => {
            toggle_screen(state, Screen::Contrast);
            state.compute_contrast();
        }
        Action::Health => {
            toggle_screen(state, Screen::Health);
            return Some(health::refresh(state));
        }
        Action::Sources => toggle_screen(state, Screen::Sources),
        Action::Alerts => alerts::toggle(state),
        Action::Acknowledge => return Some(alerts::change(state, AlertStatus::Acknowledged)),
        Action::Resolve => return Some(alerts::change(state, AlertStatus::Resolved)),
        Action::Silence => alerts::silence(state),
        Action::Find => {
            let palette = palette(state);
            state.overlays.push(Overlay::Palette(palette));
            state.notify("type or paste an id, an address, an order number or a log line");
        }
        Action::Palette => {
            let palette = palette(state);
            state.overlays.push(Overlay::Palette(palette));
        }
        Action::Help => state.overlays.push(Overlay::Help(0)),
        Action::FocusNext | Action::FocusPrevious => cycle_focus(state, action == Action::FocusNext),
        _ => return None,
    }
    Some(Vec::new())
}

/// The switches and the terminal.
fn switches(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    match action {
        Action::ToggleFacets => state.toggles.facets = !state.toggles.facets,
        Action::ToggleHistogram => state.toggles.histogram = !state.toggles.histogram,
        Action::ToggleTime => state.toggles.relative_time = !state.toggles.relative_time,
        Action::ToggleRate => state.toggles.rate = !state.toggles.rate,
        Action::ToggleMouse => {
            state.toggles.mouse = !state.toggles.mouse;
            return Some(vec![Effect::Mouse(state.toggles.mouse)]);
        }
        Action::ZoomIn | Action::ZoomOut if state.screen == Screen::Health => {
            let at = state.health.window;
            let to = if action == Action::ZoomIn { at.saturating_sub(1) } else { at + 1 };
            state.health.choose(to);
            return Some(health::refresh(state));
        }
        Action::ZoomIn | Action::ZoomOut => zoom(state, action == Action::ZoomIn),
        Action::NextTheme => {
            let at = state.themes.iter().position(|theme| *theme == state.theme).unwrap_or(0);
            if !state.themes.is_empty() {
                state.theme = state.themes[(at + 1) % state.themes.len()].clone();
                let text = format!("theme {}", state.theme);
                state.notify(text);
            }
            return Some(vec![Effect::Redraw]);
        }
        Action::WriteConfig => return Some(vec![Effect::WriteConfig]),
        Action::Reload => return Some(vec![Effect::Reload, Effect::Redraw]),
        Action::Redraw => return Some(vec![Effect::Redraw]),
        Action::Suspend => return Some(vec![Effect::Suspend]),
        Action::Quit => return Some(vec![Effect::Quit]),
        _ => return None,
    }
    Some(Vec::new())
}

fn cycle_focus(state: &mut AppState, forward: bool) {
    let mut order = vec![Focus::List];
    if state.screen != Screen::Explore {
        return;
    }
    if state.detail.is_some() {
        order.push(Focus::Detail);
    }
    if state.toggles.facets {
        order.push(Focus::Facets);
    }
    if state.toggles.histogram {
        order.push(Focus::Histogram);
    }
    let at = order.iter().position(|focus| *focus == state.focus).unwrap_or(0);
    let by = if forward { 1 } else { order.len() - 1 };
    state.focus = order[(at + by) % order.len()];
}

fn zoom(state: &mut AppState, closer: bool) {
    const MINUTE: i64 = 60_000_000;
    const SPANS: &[i64] =
        &[5 * MINUTE, 15 * MINUTE, 60 * MINUTE, 6 * 60 * MINUTE, 24 * 60 * MINUTE, 7 * 24 * 60 * MINUTE];
    let at = state.histogram.span_us.and_then(|span| SPANS.iter().position(|known| *known == span));
    state.histogram.span_us = match (at, closer) {
        (None, true) => Some(SPANS[2]),
        (Some(0), true) => Some(SPANS[0]),
        (Some(at), true) => Some(SPANS[at - 1]),
        (None, false) => None,
        (Some(at), false) => SPANS.get(at + 1).copied(),
    };
    state.count_histogram();
}
