//! The detail: opening an activity, moving in it, keeping it up to date.

use super::views::set_filter;
use crate::action::Action;
use crate::app::{AppState, Detail, Focus, Jq, Loadable, PromptKind, Screen, SideBySide, Tab};
use crate::effect::{CompareRequest, CompareWith, Effect, ExplainRequest, PayloadSection};
use crosstail_core::model::{Activity, Latencies, Status};
use crosstail_core::number::saturating_isize;
use crosstail_engine::insight::{expression, successes_like};
use crosstail_engine::store::Row;
use crosstail_source::RelatedKey;

/// Typical latency is that of activities started within this time before or after, in microseconds.
const USUAL_US: i64 = 24 * 3_600_000_000;
/// Interval between two computations of the typical latency, in microseconds.
const USUAL_EVERY_US: i64 = 3_000_000;

/// Updates the opened activity, its retry chain and its trace from new or changed rows.
pub(super) fn refresh_detail(state: &mut AppState, rows: &[Row]) -> Vec<Effect> {
    let Some(detail) = &mut state.detail else { return Vec::new() };
    let mut changed = false;
    let own = detail.activity.request_key().to_string();
    for row in rows {
        if Some(*row) == detail.row {
            detail.activity = state.store.get(*row);
            changed = true;
            continue;
        }
        let activity = state.store.get(*row);
        if activity.id == detail.activity.id {
            detail.row = Some(*row);
            detail.activity = activity;
            changed = true;
            continue;
        }
        let related = (activity.correlation_id.is_some() && activity.correlation_id == detail.activity.correlation_id)
            || activity.parent_request_id.as_deref() == Some(own.as_str())
            || detail.related.contains_key(&activity.id);
        if related {
            detail.related.insert(activity.id.clone(), activity);
            changed = true;
        }
    }
    if !changed {
        return Vec::new();
    }
    detail.set_related();
    compare_tries(state)
}

/// Requests what the stores' configuration says about the opened activity, once its payload is loaded.
pub(super) fn explain(state: &mut AppState) -> Vec<Effect> {
    let ticket = state.ticket();
    let holds_mappings = state.sources.iter().any(|source| !source.catalogue.entries.is_empty());
    let Some(Detail { opened: Loadable::Loaded(opened), activity, .. }) = &state.detail else { return Vec::new() };
    if !holds_mappings {
        return Vec::new();
    }
    let entry = state.endpoint_entry(activity);
    let sides = [(PayloadSection::Request, "request_transform"), (PayloadSection::Response, "response_transform")];
    let transforms = sides
        .into_iter()
        .filter(|(part, _)| opened.body(*part).is_some())
        .filter_map(|(part, fact)| Some((part, expression(entry?.facts.get(fact)?))))
        .collect();
    let ask = ExplainRequest { activity: activity.clone(), opened: opened.clone(), transforms };
    if let Some(detail) = &mut state.detail {
        detail.explained_ticket = ticket;
    }
    vec![Effect::Explain(ticket, Box::new(ask))]
}

/// Opens the activity of a row next to the list.
pub(super) fn open(state: &mut AppState, row: Row) -> Vec<Effect> {
    state.list.select(&state.store, row);
    let activity = state.store.get(row);
    open_activity(state, Some(row), activity)
}

/// Opens an activity. Without a row, it is not in memory and comes from its store.
pub(super) fn open_activity(state: &mut AppState, row: Option<Row>, activity: Activity) -> Vec<Effect> {
    state.screen = Screen::Explore;
    state.focus = Focus::Detail;
    let payload_ticket = state.ticket();
    let related_ticket = state.ticket();
    let request = activity.request_key().to_string();
    let mut rows = state.store.children(&request);
    if let Some(correlation) = &activity.correlation_id {
        rows.extend(state.store.of_correlation(correlation));
    }
    rows.sort_unstable();
    rows.dedup();
    let related = rows.into_iter().filter(|other| Some(*other) != row).map(|other| state.store.get(other));
    let effects = vec![
        Effect::LoadPayload(payload_ticket, activity.id.clone(), activity.places.clone()),
        Effect::LoadRelated(related_ticket, RelatedKey::of(&activity)),
    ];
    let tab = state.detail.as_ref().map_or(Tab::Overview, |detail| detail.tab);
    let tab = if tab == Tab::Compare { Tab::Overview } else { tab };
    let (height, width) = state.detail.as_ref().map_or((10, 80), |detail| (detail.height, detail.width));
    let mut detail = Detail::new(row, activity, tab);
    detail.related = related.map(|activity| (activity.id.clone(), activity)).collect();
    (detail.typical_latency, detail.usual_at) = (usual(state, &detail.activity), state.now);
    (detail.payload_ticket, detail.related_ticket) = (payload_ticket, related_ticket);
    (detail.height, detail.width) = (height, width);
    detail.set_related();
    state.detail = Some(detail);
    effects
}

/// Recomputes the typical latency, which changes while history loads, and slowly afterwards.
pub(super) fn refresh_usual(state: &mut AppState) {
    let due = |detail: &&Detail| state.now.since_us(detail.usual_at) > USUAL_EVERY_US;
    let Some(latencies) = state.detail.as_ref().filter(due).map(|detail| usual(state, &detail.activity)) else {
        return;
    };
    if let Some(detail) = &mut state.detail {
        (detail.typical_latency, detail.usual_at) = (latencies, state.now);
    }
}

/// Latencies of the same endpoint's activities in memory.
fn usual(state: &AppState, activity: &Activity) -> Latencies {
    let store = &state.store;
    let mut latencies = Latencies::default();
    let symbol = |text: &Option<compact_str::CompactString>| store.symbols().find(text.as_deref()?);
    let (Some(system), Some(endpoint)) = (symbol(&activity.system), symbol(&activity.endpoint)) else {
        return latencies;
    };
    let rows = store.all_rows();
    let at = activity.started_at;
    let from = rows.partition_point(|row| store.started(*row) < at.plus_us(-USUAL_US));
    let upto = rows.partition_point(|row| store.started(*row) <= at.plus_us(USUAL_US));
    for row in &rows[from..upto] {
        if store.system(*row) == system && store.endpoint(*row) == endpoint {
            store.took_us(*row).into_iter().for_each(|us| latencies.add(us));
        }
    }
    latencies
}

/// Compares the opened activity with the last success of its endpoint: the newest before it, in memory or in a store.
pub(super) fn compare_with_success(state: &mut AppState) -> Vec<Effect> {
    let Some(detail) = &state.detail else { return Vec::new() };
    let left = detail.activity.clone();
    let Some(filter) = successes_like(&left) else {
        state.notify("this activity names no endpoint to compare by");
        return Vec::new();
    };
    let known = last_success(state, &left);
    let right =
        known.map_or_else(|| CompareWith::Newest(filter, left.started_at), |other| CompareWith::Known(Box::new(other)));
    compare(state, left, right, "this, and the last success of its endpoint before it".to_owned())
}

/// The newest success of the same endpoint before an activity, in memory.
fn last_success(state: &AppState, of: &Activity) -> Option<Activity> {
    let store = &state.store;
    let system = store.symbols().find(of.system.as_deref()?)?;
    let endpoint = store.symbols().find(of.endpoint.as_deref()?)?;
    let rows = store.all_rows();
    let upto = rows.partition_point(|row| store.started(*row) < of.started_at);
    rows[..upto]
        .iter()
        .rev()
        .filter(|row| store.system(**row) == system && store.endpoint(**row) == endpoint)
        .filter(|row| store.status(**row) == Some(Status::Success))
        .map(|row| store.get(*row))
        .find(|a| a.method == of.method && a.direction == of.direction && a.id != of.id)
}

/// Opens the comparison of two activities.
fn compare(state: &mut AppState, left: Activity, right: CompareWith, why: String) -> Vec<Effect> {
    let ticket = state.ticket();
    let Some(detail) = &mut state.detail else { return Vec::new() };
    let known = if let CompareWith::Known(activity) = &right { Some((**activity).clone()) } else { None };
    let opened = detail.opened.get().filter(|_| left.id == detail.activity.id).cloned();
    detail.side_by_side =
        Some(SideBySide { why, left: left.clone(), right: known, compared: Loadable::Loading, ticket });
    detail.open_tab(Tab::Compare);
    vec![Effect::Compare(ticket, Box::new(CompareRequest { left, opened, right }))]
}

/// The selected attempt and its neighbour: the one before it, or for the first attempt the second.
fn pair(detail: &Detail) -> Option<(usize, usize)> {
    let at = detail.scroll.min(detail.chain.attempts.len().checked_sub(1)?);
    let left = at.saturating_sub(1);
    (detail.chain.attempts.len() > 1).then_some((left, left + 1))
}

/// Compares the selected attempt with its neighbour, unless that is done.
pub(super) fn compare_tries(state: &mut AppState) -> Vec<Effect> {
    let ticket = state.last_ticket + 1;
    let Some(detail) = &mut state.detail else { return Vec::new() };
    if detail.tab != Tab::Retries {
        return Vec::new();
    }
    let Some((left, right)) = pair(detail) else {
        detail.attempt_diff = None;
        return Vec::new();
    };
    let why = format!("try {} and try {}", detail.chain.number(left), detail.chain.number(right));
    let (left, right) = (detail.chain.attempts[left].clone(), detail.chain.attempts[right].clone());
    let known =
        detail.attempt_diff.as_ref().is_some_and(|ladder| ladder.left == left && ladder.right.as_ref() == Some(&right));
    if known {
        return Vec::new();
    }
    let opened = detail.opened.get().filter(|_| left.id == detail.activity.id).cloned();
    let ladder =
        SideBySide { why, left: left.clone(), right: Some(right.clone()), compared: Loadable::Loading, ticket };
    detail.attempt_diff = Some(ladder);
    state.last_ticket = ticket;
    vec![Effect::Compare(ticket, Box::new(CompareRequest { left, opened, right: CompareWith::Known(Box::new(right)) }))]
}

/// Applies a jq expression; an empty one removes it.
pub(super) fn run_jq(state: &mut AppState, text: &str) -> Vec<Effect> {
    let ticket = state.ticket();
    let Some(detail) = &mut state.detail else { return Vec::new() };
    if text.trim().is_empty() {
        detail.jq = None;
        return Vec::new();
    }
    let part = match detail.tab {
        Tab::Response => PayloadSection::Response,
        _ => PayloadSection::Request,
    };
    let Some(body) = detail.opened.get().and_then(|opened| opened.body(part)).filter(|body| body.is_json) else {
        state.notify("jq needs a JSON body");
        return Vec::new();
    };
    let text_of_body = body.text.clone();
    detail.jq = Some(Jq { expression: text.trim().to_owned(), part, result: Loadable::Loading, ticket });
    vec![Effect::Jq(ticket, text.trim().to_owned(), text_of_body)]
}

fn scroll(detail: &mut Detail, action: Action) -> bool {
    let page = saturating_isize(detail.height.max(2)) - 1;
    let (lines, height) = (detail.lines(), detail.height);
    let (cursor, last) = match detail.outline_mut() {
        Some(outline) => {
            let last = outline.len().saturating_sub(1);
            (&mut outline.selected, last)
        }
        None => (&mut detail.scroll, lines.saturating_sub(1)),
    };
    match action {
        Action::Up => *cursor = cursor.saturating_sub(1),
        Action::Down => *cursor = cursor.saturating_add(1).min(last),
        Action::PageUp => *cursor = cursor.saturating_add_signed(-page),
        Action::PageDown => *cursor = cursor.saturating_add_signed(page).min(last),
        Action::Top => *cursor = 0,
        Action::Bottom if last < usize::MAX - 1 => *cursor = last,
        _ => return false,
    }
    if let Some(outline) = detail.outline_mut() {
        outline.scroll_to_selection(height);
    }
    true
}

pub(super) fn search(detail: &mut Detail, by: isize) {
    let (needle, height) = (detail.search.clone(), detail.height);
    let Some(outline) = detail.outline_mut() else { return };
    outline.search(&needle, by);
    outline.scroll_to_selection(height);
    if by == 0 {
        detail.found = detail.outline().map_or(0, |outline| outline.occurrences(&needle));
    }
}

/// Folds or unfolds the selected line, or goes to its parent.
fn fold(detail: &mut Detail, action: Action) {
    let height = detail.height;
    let Some(outline) = detail.outline_mut() else { return };
    if outline.is_empty() {
        return;
    }
    let line = outline.line(outline.selected);
    let open = line.open.unwrap_or(action == Action::Open);
    if line.open.is_some() && (action == Action::Open || (action == Action::Left) == open) {
        outline.toggle(outline.selected);
        outline.scroll_to_selection(height);
    } else if action == Action::Left {
        outline.select_parent();
        outline.scroll_to_selection(height);
    }
}

/// Ends typing the search text, on the actions that do.
fn end_search(detail: &mut Detail, action: Action) {
    if matches!(action, Action::Open | Action::Back) {
        detail.searching = false;
    }
    if action == Action::Back {
        detail.search.clear();
    }
}

pub(super) fn in_detail(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    let detail = state.detail.as_mut()?;
    if detail.searching {
        end_search(detail, action);
        return Some(Vec::new());
    }
    if scroll(detail, action) {
        return Some(compare_tries(state));
    }
    let selected = detail.outline().map(|outline| outline.selected);
    match action {
        Action::NextTab | Action::PreviousTab => {
            let at = Tab::ALL.iter().position(|tab| *tab == detail.tab).unwrap_or(0);
            let by = if action == Action::NextTab { 1 } else { Tab::ALL.len() - 1 };
            return Some(open_tab(state, Tab::ALL[(at + by) % Tab::ALL.len()]));
        }
        Action::Trace => return Some(open_tab(state, Tab::Trace)),
        Action::Retries => return Some(open_tab(state, Tab::Retries)),
        Action::Compare => {
            let ladder = detail.attempt_diff.clone().filter(|_| detail.tab == Tab::Retries);
            if let Some(ladder) = ladder {
                detail.side_by_side = Some(ladder);
                return Some(open_tab(state, Tab::Compare));
            }
            return Some(compare_with_success(state));
        }
        Action::Filter => {
            if selected.is_none() {
                detail.open_tab(Tab::Request);
            }
            detail.searching = true;
        }
        Action::Jq => {
            let text = detail.jq.as_ref().map_or_else(|| ".".to_owned(), |jq| jq.expression.clone());
            if !matches!(detail.tab, Tab::Request | Tab::Response) {
                detail.open_tab(Tab::Request);
            }
            state.open_prompt(PromptKind::Jq, text);
        }
        Action::NextMatch => search(detail, 1),
        Action::PreviousMatch => search(detail, -1),
        Action::Left | Action::Right | Action::Open if selected.is_some() => {
            fold(detail, action);
        }
        Action::Open if detail.tab == Tab::Error => detail.frames_open = !detail.frames_open,
        Action::Open => {
            let activity = detail.pointed()?.clone();
            let row = state.store.find(&activity.id);
            return Some(match row {
                Some(row) => open(state, row),
                None => open_activity(state, None, activity),
            });
        }
        Action::Left => state.focus = Focus::List,
        Action::Reveal => {
            let outline = detail.outline_mut();
            match outline.filter(|outline| !outline.is_empty() && outline.is_secret(outline.selected)) {
                Some(outline) => outline.reveal(outline.selected),
                None => state.notify("nothing is hidden in this line"),
            }
        }
        Action::Keep | Action::Exclude if selected.is_some() => {
            let clause = detail.outline().and_then(|outline| outline.clause(outline.selected));
            let Some(clause) = clause else {
                state.notify("cannot filter by this value");
                return Some(Vec::new());
            };
            let text = state.filter.with_clause(&clause, action == Action::Exclude);
            return Some(set_filter(state, &text));
        }
        Action::Back if detail.jq.as_ref().is_some_and(|jq| detail.tab.part() == Some(jq.part)) => detail.jq = None,
        Action::Back => {
            state.detail = None;
            state.focus = Focus::List;
        }
        other => {
            let tab = other.number().and_then(|n| Tab::ALL.get(n))?;
            return Some(open_tab(state, *tab));
        }
    }
    Some(Vec::new())
}

/// Opens a tab and requests what it needs.
pub(super) fn open_tab(state: &mut AppState, tab: Tab) -> Vec<Effect> {
    let Some(detail) = &mut state.detail else { return Vec::new() };
    detail.open_tab(tab);
    if tab == Tab::Compare && detail.side_by_side.is_none() {
        return compare_with_success(state);
    }
    compare_tries(state)
}
