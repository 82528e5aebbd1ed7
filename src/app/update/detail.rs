//! The opened activity: opening it, moving in it, keeping it up to date, copying from it.

use super::go_to;
use crate::app::{Action, Ask, Detail, Effect, Focus, Line, Load, State, Tab, Tree, TreeState};
use crate::insight::{Chain, Trace, codes, expression};
use crate::model::Activity;
use crate::source::RelatedKey;
use crate::store::Row;

/// The opened activity, its tries and its trace grow as they happen.
pub(super) fn refresh_detail(state: &mut State, rows: &[Row]) {
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

/// Asks what configuration says about the opened activity, now that its payload is here.
pub(super) fn explain(state: &mut State) -> Vec<Effect> {
    let ticket = state.ticket();
    let holds_mappings = state.sources.iter().any(|source| !source.catalogue.entries.is_empty());
    let Some(Detail { payload: Load::Loaded(payload), activity, .. }) = &state.detail else { return Vec::new() };
    if !holds_mappings {
        return Vec::new();
    }
    let entry = state.endpoint_entry(activity);
    let body = |side: &crate::model::Side| side.body.as_ref().map(|body| body.value.clone());
    let sides = [
        ("request", "request_transform", body(&payload.request)),
        ("response", "response_transform", body(&payload.response)),
    ];
    let transforms = sides
        .into_iter()
        .filter_map(|(name, fact, body)| Some((name, expression(entry?.facts.get(fact)?), body?)))
        .collect();
    let ask =
        Ask { system: activity.system.as_deref().map(str::to_owned), codes: codes(activity, payload), transforms };
    if let Some(detail) = &mut state.detail {
        detail.explained_ticket = ticket;
    }
    vec![Effect::Explain(ticket, Box::new(ask))]
}

/// Opens an activity beside the list.
pub(super) fn open(state: &mut State, row: Row) -> Vec<Effect> {
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
        explained: crate::app::Explained::default(),
        related,
        related_loaded: false,
        tree_state: TreeState::default(),
        tree: Tree::default(),
        scroll: 0,
        search: String::new(),
        searching: false,
        payload_ticket,
        explained_ticket: 0,
        related_ticket,
        height: 10,
    };
    detail.relate();
    state.detail = Some(detail);
    effects
}

pub(super) fn search(detail: &mut Detail, by: isize) {
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

pub(super) fn in_detail(state: &mut State, action: Action) -> Option<Vec<Effect>> {
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
            let clause = detail.tree.lines.get(detail.tree_state.selected).and_then(Line::clause);
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

pub(super) fn copy(state: &mut State, action: Action) -> Vec<Effect> {
    if action == Action::CopyFilter {
        let text = format!("crosstail query {} --limit 0", shell_quote(state.filter.applied.text()));
        return vec![Effect::Copy(text)];
    }
    let Some(row) = state.detail.as_ref().map(|d| d.row).or_else(|| state.list.current(&state.store)) else {
        return Vec::new();
    };
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
