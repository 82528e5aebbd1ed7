//! `update(state, event) → effects`.

use super::detail::Load;
use super::state::{Focus, Overlay, Screen, State, ViewSnapshot};
use super::{Action, COLUMNS, Detail, Effect, Event, PaletteItem, Palette, Reply, Run, Tab, Ticket, Tree, TreeState};
use crate::filter::{Field, Target, complete, quote};
use crate::insight::{Chain, Trace};
use crate::model::Activity;
use crate::source::RelatedKey;
use crate::source::pump::PumpEvent;
use crate::store::Row;

/// Takes an event; gives what has to be done.
pub fn update(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        Event::Action(action) => act(state, action),
        Event::FilterEdited(text, cursor) => {
            state.filter.text = text;
            state.filter.cursor = cursor;
            state.filter.chosen = None;
            offer(state);
            if state.filter.parse() { apply_filter(state) } else { Vec::new() }
        }
        Event::PaletteEdited(text) => {
            if let Some(Overlay::Palette(palette)) = state.overlays.last_mut() {
                palette.search(&text);
            }
            Vec::new()
        }
        Event::SearchEdited(text) => {
            if let Some(detail) = &mut state.detail {
                detail.search = text;
                search(detail, 0);
            }
            Vec::new()
        }
        Event::Pump(event) => pump(state, event),
        Event::Reply(ticket, reply) => answer(state, ticket, reply),
        Event::Tick(now) => tick(state, now),
        Event::Resize(width, height) => {
            state.size = (width, height);
            Vec::new()
        }
        Event::ClickList(line) => {
            if let Some(row) = state.list.visible(&state.store).get(line).copied() {
                state.focus = Focus::List;
                if state.list.current(&state.store) == Some(row) && !state.list.follow {
                    return open(state, row);
                }
                state.list.select(&state.store, row);
            }
            Vec::new()
        }
        Event::ClickHistogram(column) => {
            state.focus = Focus::Histogram;
            state.histogram.cursor = column;
            choose_range(state)
        }
    }
}

fn tick(state: &mut State, now: crate::model::Timestamp) -> Vec<Effect> {
    state.now = now;
    if state.notice.as_ref().is_some_and(|notice| notice.until <= now) {
        state.notice = None;
    }
    while state.arrivals.front().is_some_and(|(second, _)| *second < now.0 / 1_000_000 - 10) {
        state.arrivals.pop_front();
    }
    // A filter with "the last 15 minutes" in it means other rows as time goes on.
    if state.filter.applied.is_relative() && now.since_us(state.refiltered_at) > 2_000_000 {
        state.refiltered_at = now;
        let predicate = state.filter.applied.predicate(&state.context());
        let at = state.list.selected.map(|row| state.store.started(row));
        state.store.set_filter(predicate);
        state.list.settle(&state.store, at);
    }
    if state.screen == Screen::Health {
        state.compute_health();
    }
    state.count(false);
    // What only payloads can tell is asked again for what came since.
    let looks_inside = state.filter.applied.expr().atoms().iter().any(|atom| matches!(atom.target, Target::Path(..)));
    let due = now.since_us(state.matched_at) > 3_000_000 && state.store.revision() != state.matched_revision;
    if looks_inside && !state.matching && due {
        return ask_for_matches(state);
    }
    Vec::new()
}

/// Lets the sources say which activities match by their payload.
fn ask_for_matches(state: &mut State) -> Vec<Effect> {
    state.matching = true;
    state.matched_at = state.now;
    state.matched_revision = state.store.revision();
    state.match_ticket = state.ticket();
    vec![Effect::Match(state.match_ticket, state.filter.applied.text().to_owned())]
}

fn pump(state: &mut State, event: PumpEvent) -> Vec<Effect> {
    let (PumpEvent::State(id, _) | PumpEvent::Probed(id, _) | PumpEvent::Notice(id, _) | PumpEvent::Batch { source: id, .. }) =
        &event;
    let Some(index) = state.sources.iter().position(|source| source.id == *id) else { return Vec::new() };
    match event {
        PumpEvent::State(_, now) => state.sources[index].state = now,
        PumpEvent::Probed(_, probe) => state.sources[index].probe = Some(probe),
        PumpEvent::Notice(_, text) => {
            let said = format!("{}: {text}", state.sources[index].name);
            state.sources[index].said = Some(text);
            state.say(said);
        }
        PumpEvent::Batch { items, live, .. } => {
            let newest = items.iter().map(|a| a.started_at).max();
            // What was written while we watch: a store that is being filled is no traffic.
            let fresh = |a: &&Activity| a.completed_at.map_or(a.started_at, |end| end.max(a.started_at)) >= state.opened;
            let count = items.iter().filter(fresh).count() as u64;
            let delta = state.store.ingest(items);
            let status = &mut state.sources[index];
            status.seen += delta.added as u64;
            status.newest = status.newest.max(newest);
            if live {
                status.late += delta.late as u64;
                let second = state.now.0 / 1_000_000;
                match state.arrivals.back_mut() {
                    Some((at, n)) if *at == second => *n += count,
                    _ => state.arrivals.push_back((second, count)),
                }
            }
            if !state.list.follow {
                state.list.unseen += delta.added_to_view;
            }
            if let Some(detail) = &mut state.detail
                && (delta.rows.contains(&detail.row) || delta.rows.len() < 2000)
            {
                refresh_detail(state, &delta.rows);
            }
        }
    }
    Vec::new()
}

/// The opened activity, its tries and its trace grow as they happen.
fn refresh_detail(state: &mut State, rows: &[Row]) {
    let Some(detail) = &mut state.detail else { return };
    let mut changed = false;
    for row in rows {
        let activity = state.store.get(*row);
        if *row == detail.row {
            detail.activity = activity;
            changed = true;
            continue;
        }
        let own = detail.activity.request_id.as_ref().unwrap_or(&detail.activity.id).to_string();
        let related = (activity.correlation_id.is_some() && activity.correlation_id == detail.activity.correlation_id)
            || activity.parent_request_id.as_deref() == Some(own.as_str());
        if related {
            detail.related.retain(|known| known.id != activity.id);
            detail.related.push(activity);
            changed = true;
        }
    }
    if changed {
        detail.relate();
    }
}

fn answer(state: &mut State, ticket: Ticket, reply: Reply) -> Vec<Effect> {
    match reply {
        Reply::Payload(result) => {
            if let Some(detail) = state.detail.as_mut().filter(|detail| detail.payload_ticket == ticket) {
                detail.payload = result.map_or_else(Load::Failed, Load::Loaded);
                detail.lay_out();
            }
        }
        Reply::Related(found) => {
            if let Some(detail) = state.detail.as_mut().filter(|detail| detail.related_ticket == ticket) {
                for activity in found {
                    if !detail.related.iter().any(|known| known.id == activity.id) {
                        detail.related.push(activity);
                    }
                }
                detail.related_loaded = true;
                detail.relate();
            }
        }
        Reply::Matched(ids, done) => {
            if ticket == state.match_ticket {
                state.store.decide(&ids);
                state.matching = !done;
                if done {
                    state.matched_revision = state.store.revision();
                }
                state.count(true);
            }
        }
        Reply::Said(text) => state.say(text),
    }
    Vec::new()
}

/// Puts the filter in the bar in force.
fn apply_filter(state: &mut State) -> Vec<Effect> {
    let at = state.list.selected.map(|row| state.store.started(row));
    let predicate = state.filter.applied.predicate(&state.context());
    let needs_payload = predicate.needs_payload();
    state.store.set_filter(predicate);
    state.refiltered_at = state.now;
    state.list.settle(&state.store, at);
    state.list.unseen = 0;
    state.count(true);
    state.matching = false;
    if needs_payload { ask_for_matches(state) } else { Vec::new() }
}

/// Shows another view, and remembers the one before.
fn go_to(state: &mut State, filter: &str) -> Vec<Effect> {
    state.filter.set_text(filter.to_owned(), filter.len());
    state.filter.parse();
    remember(state);
    apply_filter(state)
}

fn remember(state: &mut State) {
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

fn walk_history(state: &mut State, by: isize) -> Vec<Effect> {
    let Some(to) = state.history_at.checked_add_signed(by).filter(|to| *to < state.history.len()) else {
        state.say(if by < 0 { "no view before this one" } else { "no view after this one" });
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

fn offer(state: &mut State) {
    state.filter.completions = complete(&state.filter.text, state.filter.cursor, &state.store);
}

fn act(state: &mut State, action: Action) -> Vec<Effect> {
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
    if matches!(state.screen, Screen::Health | Screen::Sources)
        && let Some(done) = in_screen(state, action)
    {
        return done;
    }
    anywhere(state, action)
}

/// What the topmost overlay does with an action.
fn overlay(state: &mut State, action: Action) -> Option<Vec<Effect>> {
    match state.overlays.last_mut()? {
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
    }
}

fn palette(state: &State) -> Palette {
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

fn edit_filter(state: &mut State) {
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
fn choose_range(state: &mut State) -> Vec<Effect> {
    let Some(mark) = state.histogram.mark.take() else {
        state.histogram.mark = Some(state.histogram.cursor);
        state.say("range: choose its other end");
        return Vec::new();
    };
    let (from, to) = (mark.min(state.histogram.cursor), mark.max(state.histogram.cursor));
    let data = &state.histogram.data;
    let moment = |column: usize| data.start.plus_us(data.width_us * column as i64);
    let clause = format!("time:{}..{}", moment(from).rfc3339(), moment(to + 1).plus_us(-1).rfc3339());
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

fn narrow(state: &mut State, field: Field, value: &str, exclude: bool) -> Vec<Effect> {
    let text = state.filter.with_clause(&format!("{}:{}", field.name(), quote(value)), exclude);
    go_to(state, &text)
}

fn in_screen(state: &mut State, action: Action) -> Option<Vec<Effect>> {
    let count = match state.screen {
        Screen::Health => state.health.as_ref().map_or(0, |health| health.systems.len()),
        _ => state.sources.len(),
    };
    match action {
        Action::Up => state.line = state.line.saturating_sub(1),
        Action::Down => state.line = (state.line + 1).min(count.saturating_sub(1)),
        Action::Back => state.screen = Screen::Explore,
        Action::Open => {
            let clause = match state.screen {
                Screen::Health => {
                    let system = state.health.as_ref()?.systems.get(state.line)?.system;
                    format!("system:{}", quote(state.store.symbols().get(system)))
                }
                _ => format!("source:{}", quote(&state.sources.get(state.line)?.name)),
            };
            state.screen = Screen::Explore;
            return Some(go_to(state, &clause));
        }
        _ => return None,
    }
    Some(Vec::new())
}

/// Opens an activity beside the list.
fn open(state: &mut State, row: Row) -> Vec<Effect> {
    let activity = state.store.get(row);
    state.list.select(&state.store, row);
    state.focus = Focus::Detail;
    let payload_ticket = state.ticket();
    let related_ticket = state.ticket();
    let request = activity.request_id.as_ref().unwrap_or(&activity.id).to_string();
    let mut related: Vec<Activity> = Vec::new();
    let mut keys = vec![RelatedKey::Request(request.clone())];
    let mut rows = state.store.children(&request);
    if let Some(correlation) = &activity.correlation_id {
        keys.push(RelatedKey::Correlation(correlation.to_string()));
        rows.extend(state.store.of_correlation(correlation));
    }
    if let Some(parent) = &activity.parent_request_id {
        keys.push(RelatedKey::Request(parent.to_string()));
    }
    rows.sort_unstable();
    rows.dedup();
    related.extend(rows.into_iter().filter(|other| *other != row).map(|other| state.store.get(other)));
    let effects = vec![
        Effect::LoadPayload(payload_ticket, activity.id.clone(), activity.places.clone()),
        Effect::LoadRelated(related_ticket, keys),
    ];
    let tab = state.detail.as_ref().map_or(Tab::Overview, |detail| detail.tab);
    let mut detail = Detail {
        row,
        chain: Chain::build(&activity, &[]),
        trace: Trace::default(),
        activity,
        tab,
        payload: Load::Loading,
        related,
        related_loaded: false,
        tree_state: TreeState::default(),
        tree: Tree::default(),
        scroll: 0,
        search: String::new(),
        searching: false,
        payload_ticket,
        related_ticket,
        height: 10,
    };
    detail.relate();
    state.detail = Some(detail);
    effects
}

fn search(detail: &mut Detail, by: isize) {
    let found = detail.tree.matches(&detail.search);
    let here = detail.tree_state.selected;
    let next = match by {
        0 => found.iter().find(|line| **line >= here).or(found.first()),
        1 => found.iter().find(|line| **line > here).or(found.first()),
        _ => found.iter().rev().find(|line| **line < here).or(found.last()),
    };
    if let Some(line) = next {
        detail.tree_state.selected = *line;
    }
}

fn in_detail(state: &mut State, action: Action) -> Option<Vec<Effect>> {
    let detail = state.detail.as_mut()?;
    if detail.searching {
        match action {
            Action::Open => detail.searching = false,
            Action::Back => {
                detail.searching = false;
                detail.search.clear();
            }
            _ => {}
        }
        return Some(Vec::new());
    }
    let is_tree = matches!(detail.tab, Tab::Request | Tab::Response);
    let page = detail.height.max(2) as isize - 1;
    let last = detail.lines().saturating_sub(1);
    let cursor = if is_tree { &mut detail.tree_state.selected } else { &mut detail.scroll };
    let step = |cursor: &mut usize, by: isize| *cursor = cursor.saturating_add_signed(by).min(last);
    match action {
        Action::Up => step(cursor, -1),
        Action::Down => step(cursor, 1),
        Action::PageUp => step(cursor, -page),
        Action::PageDown => step(cursor, page),
        Action::Top => *cursor = 0,
        Action::Bottom if last < usize::MAX - 1 => *cursor = last,
        Action::NextTab | Action::PreviousTab => {
            let at = Tab::ALL.iter().position(|tab| *tab == detail.tab).unwrap_or(0);
            let by = if action == Action::NextTab { 1 } else { Tab::ALL.len() - 1 };
            detail.open_tab(Tab::ALL[(at + by) % Tab::ALL.len()]);
        }
        Action::Trace => detail.open_tab(Tab::Trace),
        Action::Retries => detail.open_tab(Tab::Retries),
        Action::Filter => {
            detail.searching = true;
            if !is_tree {
                detail.open_tab(Tab::Request);
            }
        }
        Action::NextMatch => search(detail, 1),
        Action::PreviousMatch => search(detail, -1),
        Action::Left | Action::Right | Action::Open if is_tree => {
            let line = detail.tree.lines.get(detail.tree_state.selected)?.clone();
            let folded = line.folded?;
            if action == Action::Open || (action == Action::Left) != folded {
                if !detail.tree_state.toggled.remove(&line.path) {
                    detail.tree_state.toggled.insert(line.path);
                }
                detail.lay_out();
            }
        }
        Action::Open => {
            let id = detail.pointed()?.id.clone();
            if let Some(row) = state.store.find(&id) {
                return Some(open(state, row));
            }
            state.say("it is in its store, but not among what is loaded");
        }
        Action::Left => state.focus = Focus::List,
        Action::Reveal if is_tree => {
            let path = detail.tree.lines.get(detail.tree_state.selected)?.path.clone();
            if !detail.tree_state.revealed.remove(&path) {
                detail.tree_state.revealed.insert(path);
            }
            detail.lay_out();
        }
        Action::Keep | Action::Exclude if is_tree => {
            let clause = detail.tree.lines.get(detail.tree_state.selected).and_then(super::Line::clause);
            let Some(clause) = clause else {
                state.say("this value can't be filtered by");
                return Some(Vec::new());
            };
            let text = state.filter.with_clause(&clause, action == Action::Exclude);
            return Some(go_to(state, &text));
        }
        Action::Back => {
            state.detail = None;
            state.focus = Focus::List;
        }
        other => {
            let tab = other.number().and_then(|n| Tab::ALL.get(n))?;
            detail.open_tab(*tab);
        }
    }
    Some(Vec::new())
}

fn anywhere(state: &mut State, action: Action) -> Vec<Effect> {
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
                let effects = open(state, row);
                if let Some(detail) = &mut state.detail {
                    detail.open_tab(if action == Action::Trace { Tab::Trace } else { Tab::Retries });
                }
                return effects;
            }
        }
        Action::Back => {
            if state.detail.take().is_none() && state.screen == Screen::Explore && !state.filter.applied.is_all() {
                state.say("Backspace clears the filter, q ends");
            }
        }
        Action::Filter => edit_filter(state),
        Action::ClearFilter => return go_to(state, ""),
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
                None => state.say("no further failure"),
            }
        }
        Action::Keep | Action::Exclude => {
            let field = COLUMNS[state.list.column];
            let value = state.list.current(&state.store).and_then(|row| {
                crate::filter::value_text(&state.store.get(row), field, state.store.names())
            });
            match value {
                Some(value) => return narrow(state, field, &value, action == Action::Exclude),
                None => state.say(format!("this activity has no {}", field.name())),
            }
        }
        Action::Mark => {
            if let Some(row) = state.list.current(&state.store)
                && !state.marks.remove(&row)
            {
                state.marks.insert(row);
            }
        }
        Action::NextMark => {
            let here = state.list.current(&state.store);
            let position = here.and_then(|row| state.store.position(row)).unwrap_or(0);
            let mut marked: Vec<(usize, Row)> = state.marks.iter().filter_map(|row| Some((state.store.position(*row)?, *row))).collect();
            marked.sort_unstable();
            let next = marked.iter().find(|(at, _)| *at > position).or(marked.first());
            match next.copied() {
                Some((_, row)) => state.list.select(&state.store, row),
                None => state.say("no marks in this view; m sets one"),
            }
        }
        Action::ViewBack => return walk_history(state, -1),
        Action::ViewForward => return walk_history(state, 1),
        Action::Health => {
            state.screen = if state.screen == Screen::Health { Screen::Explore } else { Screen::Health };
            state.line = 0;
            state.focus = Focus::List;
            state.compute_health();
        }
        Action::Sources => {
            state.screen = if state.screen == Screen::Sources { Screen::Explore } else { Screen::Sources };
            state.line = 0;
            state.focus = Focus::List;
        }
        Action::FocusNext | Action::FocusPrevious => cycle_focus(state, action == Action::FocusNext),
        Action::ToggleFacets => state.toggles.facets = !state.toggles.facets,
        Action::ToggleHistogram => state.toggles.histogram = !state.toggles.histogram,
        Action::ToggleTime => state.toggles.relative_time = !state.toggles.relative_time,
        Action::ToggleRate => state.toggles.rate = !state.toggles.rate,
        Action::ZoomIn | Action::ZoomOut => zoom(state, action == Action::ZoomIn),
        Action::NextTheme => {
            let at = state.themes.iter().position(|theme| *theme == state.theme).unwrap_or(0);
            if !state.themes.is_empty() {
                state.theme = state.themes[(at + 1) % state.themes.len()].clone();
                let text = format!("theme {}", state.theme);
                state.say(text);
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
        Action::CopyRecord | Action::CopyId | Action::CopyBody | Action::CopyCurl | Action::CopyFilter | Action::CopyPath => {
            return copy(state, action);
        }
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit => return vec![Effect::Quit],
        Action::NextTab | Action::PreviousTab | Action::NextMatch | Action::PreviousMatch | Action::Reveal => {}
        other => {
            if let Some(view) = other.number().and_then(|n| state.views.get(n)).cloned() {
                state.screen = Screen::Explore;
                return go_to(state, &view.filter);
            }
        }
    }
    Vec::new()
}

fn cycle_focus(state: &mut State, forward: bool) {
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

fn zoom(state: &mut State, closer: bool) {
    const MINUTE: i64 = 60_000_000;
    const SPANS: &[i64] = &[5 * MINUTE, 15 * MINUTE, 60 * MINUTE, 6 * 60 * MINUTE, 24 * 60 * MINUTE, 7 * 24 * 60 * MINUTE];
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

fn copy(state: &mut State, action: Action) -> Vec<Effect> {
    if action == Action::CopyFilter {
        let text = format!("crosstail query {} --limit 0", shell_quote(state.filter.applied.text()));
        return vec![Effect::Copy(text)];
    }
    let Some(row) = state.detail.as_ref().map(|d| d.row).or_else(|| state.list.current(&state.store)) else { return Vec::new() };
    let activity = state.store.get(row);
    let detail = state.detail.as_ref().filter(|detail| detail.row == row);
    let payload = detail.and_then(|detail| match &detail.payload {
        Load::Loaded(payload) => Some(&**payload),
        _ => None,
    });
    let line = detail.and_then(|detail| detail.tree.lines.get(detail.tree_state.selected));
    let text = match action {
        Action::CopyId => Some(activity.id.to_string()),
        Action::CopyPath => line.map(|line| line.path.clone()),
        Action::CopyBody => {
            let in_tree = detail.is_some_and(|d| matches!(d.tab, Tab::Request | Tab::Response));
            match line.filter(|line| in_tree && line.folded.is_none()) {
                Some(line) => Some(line.value.clone()),
                None => payload.and_then(|payload| {
                    let body = payload.request.body.as_ref().or(payload.response.body.as_ref())?;
                    serde_json::to_string_pretty(&crate::model::redact_json(&body.value)).ok()
                }),
            }
        }
        Action::CopyCurl => payload.map(|payload| crate::export::curl(&activity, payload)),
        _ => crate::export::record_json(&activity, state.store.names()).ok(),
    };
    match text {
        Some(text) => vec![Effect::Copy(text)],
        None => {
            state.say("open the activity first: its payload is not loaded");
            Vec::new()
        }
    }
}

fn shell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
