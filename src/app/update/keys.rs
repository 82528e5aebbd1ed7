//! Where an action goes: the topmost overlay, the focused panel, the screen, or everywhere.

use super::anywhere::anywhere;
use super::detail::in_detail;
use super::{alerts, apply_filter, find, go_to, health, offer, remember, take_away};
use crate::app::{Action, Effect, Focus, Overlay, Palette, PaletteItem, Run, Screen, State};
use crosstail_core::filter::{Field, quote};

pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
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
    anywhere(state, action)
}

/// What the topmost overlay does with an action.
fn overlay(state: &mut State, action: Action) -> Option<Vec<Effect>> {
    match state.overlays.last_mut()? {
        Overlay::Find(_) => return find::act(state, action),
        Overlay::Prompt(_) => return take_away::in_prompt(state, action),
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

fn execute(state: &mut State, run: Run) -> Vec<Effect> {
    match run {
        Run::Action(action) => act(state, action),
        Run::Theme(theme) => {
            state.theme = theme;
            vec![Effect::Redraw]
        }
        Run::Filter(filter) => go_to(state, &filter),
        Run::Find(text) => find::begin(state, text),
    }
}

pub(super) fn palette(state: &State) -> Palette {
    let mut items: Vec<PaletteItem> = Action::ALL
        .iter()
        .filter(|action| !matches!(action, Action::Palette | Action::Up | Action::Down | Action::Left | Action::Right))
        .filter(|action| action.number().is_none())
        .map(|action| PaletteItem {
            name: action.name().replace('_', " "),
            help: action.help().to_owned(),
            run: Run::Action(*action),
        })
        .collect();
    items.extend(state.views.iter().map(|view| PaletteItem {
        name: format!("view {}", view.name),
        help: view.filter.clone(),
        run: Run::Filter(view.filter.clone()),
    }));
    items.extend(state.themes.iter().map(|theme| PaletteItem {
        name: format!("theme {theme}"),
        help: String::new(),
        run: Run::Theme(theme.clone()),
    }));
    Palette::new(items)
}

fn filter_bar(state: &mut State, action: Action) -> Option<Vec<Effect>> {
    match action {
        Action::Up => state.filter.choose(-1),
        Action::Down => state.filter.choose(1),
        Action::FocusNext => {
            let chosen = state.filter.chosen.unwrap_or(0);
            state.filter.accept(chosen);
            offer(state);
            if state.filter.parse() {
                return Some(apply_filter(state));
            }
        }
        Action::Open => {
            if let Some(chosen) = state.filter.chosen {
                state.filter.accept(chosen);
                offer(state);
                return Some(if state.filter.parse() { apply_filter(state) } else { Vec::new() });
            }
            if let Some(error) = &state.filter.error {
                let text = error.message.clone();
                state.say(text);
                return Some(Vec::new());
            }
            state.filter.before = None;
            state.filter.completions.clear();
            state.focus = Focus::List;
            remember(state);
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

pub(super) fn edit_filter(state: &mut State) {
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
    offer(state);
}

fn in_histogram(state: &mut State, action: Action) -> Option<Vec<Effect>> {
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

/// The first choice sets one end of a range, the second one narrows to it.
pub(super) fn choose_range(state: &mut State) -> Vec<Effect> {
    let Some((from, upto)) = state.histogram.range() else {
        state.histogram.mark = Some(state.histogram.cursor);
        state.say("range: choose its other end, or c for what tells its failures from the rest");
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
    go_to(state, &text)
}

fn in_facets(state: &mut State, action: Action) -> Option<Vec<Effect>> {
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

pub(super) fn narrow(state: &mut State, field: Field, value: &str, exclude: bool) -> Vec<Effect> {
    let text = state.filter.with_clause(&format!("{}:{}", field.name(), quote(value)), exclude);
    go_to(state, &text)
}

fn in_screen(state: &mut State, action: Action) -> Option<Vec<Effect>> {
    let count = match state.screen {
        Screen::Health => state.health.health.as_ref().map_or(0, |health| health.systems.len()),
        Screen::System => state.system.as_ref().map_or(0, |view| view.entries.len()),
        Screen::Alerts => state.alert_lines.len(),
        Screen::Contrast => state.contrast.as_ref().map_or(0, |(_, contrast)| contrast.len()),
        _ => state.sources.len(),
    };
    match action {
        Action::Up => state.line = state.line.saturating_sub(1),
        Action::Down => state.line = (state.line + 1).min(count.saturating_sub(1)),
        Action::PageUp => state.line = state.line.saturating_sub(10),
        Action::PageDown => state.line = (state.line + 10).min(count.saturating_sub(1)),
        Action::Top => state.line = 0,
        Action::Bottom => state.line = count.saturating_sub(1),
        Action::Back if state.screen == Screen::System => {
            let name = state.system.take().map(|view| view.system);
            state.screen = Screen::Health;
            let systems = || Some(state.health.health.as_ref()?.systems.iter());
            state.line = systems().and_then(|mut s| s.position(|s| Some(&s.system) == name.as_ref())).unwrap_or(0);
        }
        Action::Back => state.screen = Screen::Explore,
        Action::Open if state.screen == Screen::Health => health::open_system(state),
        Action::Open if state.screen == Screen::System => {
            let view = state.system.as_ref()?;
            let entry = view.entries.get(state.line).map(|entry| format!(" {}", entry.clause)).unwrap_or_default();
            let clause = format!("system:{}{entry} time:{}..", quote(&view.system), view.since.rfc3339());
            state.screen = Screen::Explore;
            return Some(go_to(state, &clause));
        }
        Action::Open if state.screen == Screen::Alerts => return alerts::jump(state),
        Action::Open | Action::Keep | Action::Exclude if state.screen == Screen::Contrast => {
            let clause = state.contrast.as_ref()?.1.line(state.line)?.tally.clause.clone();
            state.screen = Screen::Explore;
            let text = state.filter.with_clause(&clause, action == Action::Exclude);
            return Some(go_to(state, &text));
        }
        Action::Open => {
            let clause = format!("source:{}", quote(&state.sources.get(state.line)?.name));
            state.screen = Screen::Explore;
            return Some(go_to(state, &clause));
        }
        _ => return None,
    }
    Some(Vec::new())
}
