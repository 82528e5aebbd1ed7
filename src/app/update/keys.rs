//! Dispatches an action: to the topmost overlay, the focused panel, the screen, or the global actions.

use super::detail::in_detail;
use super::global::global;
use super::views::{apply_filter, narrow, push_history, set_filter, suggest};
use super::{alerts, find, health, outgoing};
use crate::action::Action;
use crate::app::{AppState, Focus, Overlay, PaletteCommand, Screen};
use crate::effect::Effect;
use crosstail_core::filter::quote;

pub(super) fn act(state: &mut AppState, action: Action) -> Vec<Effect> {
    if let Some(done) = overlay(state, action) {
        return done;
    }
    if state.focus == Focus::Filter
        && let Some(done) = filter_bar(state, action)
    {
        return done;
    }
    if state.focus == Focus::Detail
        && state.overlays.is_empty()
        && let Some(done) = in_detail(state, action)
    {
        return done;
    }
    if state.focus == Focus::Histogram
        && let Some(done) = in_histogram(state, action)
    {
        return done;
    }
    if state.focus == Focus::Facets
        && let Some(done) = in_facets(state, action)
    {
        return done;
    }
    if !matches!(state.screen, Screen::Explore | Screen::FirstRun)
        && let Some(done) = in_screen(state, action)
    {
        return done;
    }
    global(state, action)
}

/// Handles an action in the topmost overlay.
fn overlay(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    match state.overlays.last_mut()? {
        Overlay::Find(_) => return find::act(state, action),
        Overlay::Prompt(_) => return outgoing::in_prompt(state, action),
        Overlay::Help(first) => match action {
            Action::Up => *first = first.saturating_sub(1),
            Action::Down => *first += 1,
            Action::PageUp => *first = first.saturating_sub(15),
            Action::PageDown => *first += 15,
            Action::Top => *first = 0,
            Action::Back | Action::Help | Action::Open => {
                state.overlays.pop();
            }
            _ => return None,
        },
        Overlay::Palette(palette) => match action {
            Action::Up => palette.chosen = palette.chosen.saturating_sub(1),
            Action::Down => palette.chosen = (palette.chosen + 1).min(palette.found.len().saturating_sub(1)),
            Action::Back => {
                state.overlays.pop();
            }
            Action::Open => {
                let run = palette.current().map(|item| item.run.clone());
                state.overlays.pop();
                return Some(run.map_or_else(Vec::new, |run| execute(state, run)));
            }
            _ => return None,
        },
    }
    Some(Vec::new())
}

fn execute(state: &mut AppState, run: PaletteCommand) -> Vec<Effect> {
    match run {
        PaletteCommand::Action(action) => act(state, action),
        PaletteCommand::Theme(theme) => {
            state.theme = theme;
            vec![Effect::Redraw]
        }
        PaletteCommand::Filter(filter) => set_filter(state, &filter),
        PaletteCommand::Find(text) => find::start(state, text),
    }
}

fn filter_bar(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    match action {
        Action::Up => state.filter.choose(-1),
        Action::Down => state.filter.choose(1),
        Action::FocusNext => {
            let chosen = state.filter.chosen.unwrap_or(0);
            state.filter.accept(chosen);
            suggest(state);
            if state.filter.parse() {
                return Some(apply_filter(state));
            }
        }
        Action::Open => {
            if let Some(chosen) = state.filter.chosen {
                state.filter.accept(chosen);
                suggest(state);
                return Some(if state.filter.parse() { apply_filter(state) } else { Vec::new() });
            }
            if let Some(error) = &state.filter.error {
                let text = error.message.clone();
                state.notify(text);
                return Some(Vec::new());
            }
            state.filter.before = None;
            state.filter.completions.clear();
            state.focus = Focus::List;
            push_history(state);
        }
        Action::Back => {
            let before = state.filter.before.take().unwrap_or_default();
            let text = before.text().to_owned();
            state.focus = Focus::List;
            state.filter.completions.clear();
            state.filter.error = None;
            state.filter.set_text(text.clone(), text.len());
            let changed = state.filter.parse();
            return Some(if changed { apply_filter(state) } else { Vec::new() });
        }
        Action::Quit | Action::Suspend | Action::Redraw => return None,
        _ => {}
    }
    Some(Vec::new())
}

fn in_histogram(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    let last = state.histogram.data.buckets.len().saturating_sub(1);
    let cursor = &mut state.histogram.cursor;
    match action {
        Action::Left => *cursor = cursor.saturating_sub(1),
        Action::Right => *cursor = (*cursor + 1).min(last),
        Action::PageUp => *cursor = cursor.saturating_sub(10),
        Action::PageDown => *cursor = (*cursor + 10).min(last),
        Action::Top => *cursor = 0,
        Action::Bottom => *cursor = last,
        Action::Open => return Some(choose_range(state)),
        Action::Back if state.histogram.mark.is_some() => state.histogram.mark = None,
        Action::Back => state.focus = Focus::List,
        _ => return None,
    }
    Some(Vec::new())
}

/// Sets one end of a range; the second time, narrows the view to the range.
pub(super) fn choose_range(state: &mut AppState) -> Vec<Effect> {
    let Some((from, upto)) = state.histogram.range() else {
        state.histogram.mark = Some(state.histogram.cursor);
        state.notify("range: select its other end, or press c to compare its failures with the rest");
        return Vec::new();
    };
    state.histogram.mark = None;
    let clause = format!("time:{}..{}", from.rfc3339(), upto.plus_us(-1).rfc3339());
    let kept: Vec<String> = state
        .filter
        .applied
        .text()
        .split_whitespace()
        .filter(|word| !word.starts_with("time:"))
        .map(str::to_owned)
        .collect();
    let text = [kept.join(" "), clause].join(" ").trim().to_owned();
    state.focus = Focus::List;
    set_filter(state, &text)
}

fn in_facets(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    let last = state.facets.len().saturating_sub(1);
    let selected = &mut state.facets.selected;
    match action {
        Action::Up => *selected = selected.saturating_sub(1),
        Action::Down => *selected = (*selected + 1).min(last),
        Action::PageUp => *selected = selected.saturating_sub(10),
        Action::PageDown => *selected = (*selected + 10).min(last),
        Action::Top => *selected = 0,
        Action::Bottom => *selected = last,
        Action::Back => state.focus = Focus::List,
        Action::Open | Action::Keep | Action::Exclude => {
            let (field, value) = state.facets.current().map(|(field, facet)| (field, facet.value.clone()))?;
            return Some(narrow(state, field, &value, action == Action::Exclude));
        }
        _ => return None,
    }
    Some(Vec::new())
}

fn in_screen(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    let count = match state.screen {
        Screen::Health => state.health.health.as_ref().map_or(0, |health| health.systems.len()),
        Screen::System => state.system.as_ref().map_or(0, |view| view.entries.len()),
        Screen::Alerts => state.alert_lines.len(),
        Screen::Contrast => state.contrast.as_ref().map_or(0, |(_, contrast)| contrast.len()),
        _ => state.sources.len(),
    };
    match action {
        Action::Up => state.selected_line = state.selected_line.saturating_sub(1),
        Action::Down => state.selected_line = (state.selected_line + 1).min(count.saturating_sub(1)),
        Action::PageUp => state.selected_line = state.selected_line.saturating_sub(10),
        Action::PageDown => state.selected_line = (state.selected_line + 10).min(count.saturating_sub(1)),
        Action::Top => state.selected_line = 0,
        Action::Bottom => state.selected_line = count.saturating_sub(1),
        Action::Back if state.screen == Screen::System => {
            let name = state.system.take().map(|view| view.system);
            state.screen = Screen::Health;
            let systems = || Some(state.health.health.as_ref()?.systems.iter());
            state.selected_line =
                systems().and_then(|mut s| s.position(|s| Some(&s.system) == name.as_ref())).unwrap_or(0);
        }
        Action::Back => state.screen = Screen::Explore,
        Action::Open if state.screen == Screen::Health => health::open_system(state),
        Action::Open if state.screen == Screen::System => {
            let view = state.system.as_ref()?;
            let entry =
                view.entries.get(state.selected_line).map(|entry| format!(" {}", entry.clause)).unwrap_or_default();
            let clause = format!("system:{}{entry} time:{}..", quote(&view.system), view.since.rfc3339());
            state.screen = Screen::Explore;
            return Some(set_filter(state, &clause));
        }
        Action::Open if state.screen == Screen::Alerts => return alerts::jump(state),
        Action::Open | Action::Keep | Action::Exclude if state.screen == Screen::Contrast => {
            let clause = state.contrast.as_ref()?.1.line(state.selected_line)?.tally.clause.clone();
            state.screen = Screen::Explore;
            let text = state.filter.with_clause(&clause, action == Action::Exclude);
            return Some(set_filter(state, &text));
        }
        Action::Open => {
            let clause = format!("source:{}", quote(&state.sources.get(state.selected_line)?.name));
            state.screen = Screen::Explore;
            return Some(set_filter(state, &clause));
        }
        _ => return None,
    }
    Some(Vec::new())
}
