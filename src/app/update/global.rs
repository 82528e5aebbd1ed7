//! Actions that mean the same wherever nothing else takes them: the list, the screens, what can be switched.

use super::detail::{open, open_tab};
use super::keys::{edit_filter, narrow, palette};
use super::outgoing::{copy, mark, note, open_prompt, report, run_external, write_incident};
use super::{alerts, health, set_filter, walk_history};
use crate::app::{Action, AppState, COLUMNS, Effect, Focus, Overlay, Program, PromptKind, Screen, Tab};
use crosstail_engine::store::Row;
use crosstail_source::alert::AlertStatus;

pub(super) fn global(state: &mut AppState, action: Action) -> Vec<Effect> {
    let page = state.list.height.max(2) as isize - 1;
    match action {
        Action::Up => state.list.step(&state.store, -1),
        Action::Down => state.list.step(&state.store, 1),
        Action::PageUp => state.list.step(&state.store, -page),
        Action::PageDown => state.list.step(&state.store, page),
        Action::Top => state.list.step(&state.store, -(state.store.len() as isize)),
        Action::Bottom | Action::Follow => state.list.start_following(),
        Action::Left => state.list.column = state.list.column.saturating_sub(1),
        Action::Right => state.list.column = (state.list.column + 1).min(COLUMNS.len() - 1),
        Action::Pause => state.list.toggle_pause(&state.store),
        Action::Open => {
            if let Some(row) = state.list.current(&state.store) {
                return open(state, row);
            }
        }
        Action::Retries | Action::Trace => {
            if let Some(row) = state.list.current(&state.store) {
                let mut effects = open(state, row);
                effects.extend(open_tab(state, if action == Action::Trace { Tab::Trace } else { Tab::Retries }));
                return effects;
            }
        }
        Action::Back => {
            if state.detail.take().is_none() && state.screen == Screen::Explore && !state.filter.applied.is_all() {
                state.notify("Backspace clears the filter, q ends");
            }
        }
        Action::Filter => edit_filter(state),
        Action::ClearFilter => return set_filter(state, ""),
        Action::NextFailure | Action::PreviousFailure => {
            match state.list.find_failure(&state.store, action == Action::NextFailure) {
                Some(row) => {
                    state.list.select(&state.store, row);
                    if state.detail.is_some() {
                        let focus = state.focus;
                        let effects = open(state, row);
                        state.focus = focus;
                        return effects;
                    }
                }
                None => state.notify("no further failure"),
            }
        }
        Action::Keep | Action::Exclude => {
            let field = COLUMNS[state.list.column];
            let value = state
                .list
                .current(&state.store)
                .and_then(|row| crosstail_core::filter::value_text(&state.store.get(row), field, state.store.names()));
            match value {
                Some(value) => return narrow(state, field, &value, action == Action::Exclude),
                None => state.notify(format!("this activity has no {}", field.name())),
            }
        }
        Action::Compare => {
            state.screen = if state.screen == Screen::Contrast { Screen::Explore } else { Screen::Contrast };
            state.selected_line = 0;
            state.focus = Focus::List;
            state.compute_contrast();
        }
        Action::Find => {
            let palette = palette(state);
            state.overlays.push(Overlay::Palette(palette));
            state.notify("type or paste an id, an address, an order number or a line");
        }
        Action::Jq => state.notify("open an activity first: jq reads its body"),
        Action::Editor => return run_external(state, Program::Editor),
        Action::Pager => return run_external(state, Program::Pager),
        Action::Pipe => open_prompt(state, PromptKind::Pipe, String::new()),
        Action::Note => note(state),
        Action::Bundle => write_incident(state),
        Action::Mark => mark(state),
        Action::NextMark => {
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
        Action::ViewBack => return walk_history(state, -1),
        Action::ViewForward => return walk_history(state, 1),
        Action::Health => {
            state.screen = if state.screen == Screen::Health { Screen::Explore } else { Screen::Health };
            state.selected_line = 0;
            state.focus = Focus::List;
            return health::refresh(state);
        }
        Action::Alerts => alerts::toggle(state),
        Action::Acknowledge => return alerts::change(state, AlertStatus::Acknowledged),
        Action::Resolve => return alerts::change(state, AlertStatus::Resolved),
        Action::Silence => alerts::silence(state),
        Action::Report => report(state),
        Action::Sources => {
            state.screen = if state.screen == Screen::Sources { Screen::Explore } else { Screen::Sources };
            state.selected_line = 0;
            state.focus = Focus::List;
        }
        Action::FocusNext | Action::FocusPrevious => cycle_focus(state, action == Action::FocusNext),
        Action::ToggleFacets => state.toggles.facets = !state.toggles.facets,
        Action::ToggleHistogram => state.toggles.histogram = !state.toggles.histogram,
        Action::ToggleTime => state.toggles.relative_time = !state.toggles.relative_time,
        Action::ToggleRate => state.toggles.rate = !state.toggles.rate,
        Action::ZoomIn | Action::ZoomOut if state.screen == Screen::Health => {
            let at = state.health.window;
            let to = if action == Action::ZoomIn { at.saturating_sub(1) } else { at + 1 };
            state.health.choose(to);
            return health::refresh(state);
        }
        Action::ZoomIn | Action::ZoomOut => zoom(state, action == Action::ZoomIn),
        Action::NextTheme => {
            let at = state.themes.iter().position(|theme| *theme == state.theme).unwrap_or(0);
            if !state.themes.is_empty() {
                state.theme = state.themes[(at + 1) % state.themes.len()].clone();
                let text = format!("theme {}", state.theme);
                state.notify(text);
            }
            return vec![Effect::Redraw];
        }
        Action::ToggleMouse => {
            state.toggles.mouse = !state.toggles.mouse;
            return vec![Effect::Mouse(state.toggles.mouse)];
        }
        Action::Palette => {
            let palette = palette(state);
            state.overlays.push(Overlay::Palette(palette));
        }
        Action::Help => state.overlays.push(Overlay::Help(0)),
        Action::WriteConfig => return vec![Effect::WriteConfig],
        Action::CopyRecord
        | Action::CopyId
        | Action::CopyBody
        | Action::CopyCurl
        | Action::CopyWhole
        | Action::CopyMarkdown
        | Action::CopyView
        | Action::CopyPath => {
            return copy(state, action);
        }
        Action::Reload => return vec![Effect::Reload, Effect::Redraw],
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit => return vec![Effect::Quit],
        Action::NextTab | Action::PreviousTab | Action::NextMatch | Action::PreviousMatch | Action::Reveal => {}
        other => {
            if let Some(view) = other.number().and_then(|n| state.views.get(n)).cloned() {
                state.screen = Screen::Explore;
                return set_filter(state, &view.filter);
            }
        }
    }
    Vec::new()
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
