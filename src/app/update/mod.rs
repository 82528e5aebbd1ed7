//! `update(state, event) → effects`.

mod alerts;
mod detail;
mod find;
mod global;
mod health;
mod keys;
mod outgoing;
mod palette;
mod views;

use super::state::{AppState, Screen};
use super::{Event, Focus, Loadable, Overlay};
use crate::effect::{Effect, Reply, Ticket};
use crate::ingest::{Batch, News, ingest};
use crosstail_core::filter::Operand;
use crosstail_core::model::Kind;
use crosstail_engine::outline::Outline;
use crosstail_engine::store::Row;
use crosstail_source::pump::PumpEvent;
use detail::{compare_tries, explain, open, refresh_detail, refresh_usual, search};
use keys::{act, choose_range};
use palette::palette;
use std::sync::Arc;
use views::{apply_filter, request_payload_matches, suggest};

/// Applies an event to the state; returns the effects to carry out.
pub fn update(state: &mut AppState, event: Event) -> Vec<Effect> {
    match event {
        Event::Action(action) => act(state, action),
        Event::FilterEdited(text, cursor) => {
            state.filter.text = text;
            state.filter.cursor = cursor;
            state.filter.chosen = None;
            suggest(state);
            if state.filter.parse() { apply_filter(state) } else { Vec::new() }
        }
        Event::PaletteEdited(text) => {
            if let Some(Overlay::Palette(palette)) = state.overlays.last_mut() {
                palette.search(&text);
            }
            Vec::new()
        }
        Event::PromptEdited(text) => {
            if let Some(Overlay::Prompt(prompt)) = state.overlays.last_mut() {
                prompt.text = text;
            }
            Vec::new()
        }
        Event::Open(text, tab) => {
            state.open_tab = tab;
            find::start(state, text)
        }
        Event::Pasted(text) => {
            let mut palette = palette(state);
            palette.search(&text);
            state.overlays.push(Overlay::Palette(palette));
            Vec::new()
        }
        Event::SearchEdited(text) => {
            if let Some(detail) = &mut state.detail {
                detail.search = text;
                search(detail, 0);
            }
            Vec::new()
        }
        Event::Pump(event) => on_source_event(state, event),
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

fn tick(state: &mut AppState, now: crosstail_core::model::Timestamp) -> Vec<Effect> {
    state.now = now;
    if state.notice.as_ref().is_some_and(|notice| notice.until <= now) {
        state.notice = None;
    }
    while state.arrivals.front().is_some_and(|(second, _)| *second < now.0 / 1_000_000 - 10) {
        state.arrivals.pop_front();
    }
    // A filter such as "the last 15 minutes" matches different rows as time passes.
    if state.filter.applied.is_relative() && now.since_us(state.refiltered_at) > 2_000_000 {
        state.refiltered_at = now;
        let predicate = state.filter.applied.predicate(&state.context());
        let at = state.list.selected.map(|row| state.store.started(row));
        state.store.set_filter(predicate);
        state.list.settle(&state.store, at);
    }
    let mut effects = health::tick(state);
    refresh_usual(state);
    // Count only what is shown.
    if state.screen == Screen::Explore {
        state.count(false);
    }
    // A filter on payloads is queried again for activities that arrived since.
    let looks_inside = state.filter.applied.expr().atoms().iter().any(|atom| matches!(atom.target, Operand::Path(..)));
    let due = now.since_us(state.match_asked_at) > 3_000_000 && state.store.revision() != state.matched_revision;
    if looks_inside && !state.match_running && due {
        effects.extend(request_payload_matches(state));
    }
    effects
}

fn on_source_event(state: &mut AppState, event: PumpEvent) -> Vec<Effect> {
    match ingest(&mut state.store, &mut state.sources, event, state.now, state.opened) {
        News::Quiet | News::Lost(_) | News::Back(_) => {}
        News::Said(source, texts) => {
            if let Some(first) = texts.first() {
                let said = format!("{}: {first}", state.sources[source].name);
                state.notify(said);
            }
        }
        News::Catalogue => return explain(state),
        News::Batch(batch) => return on_batch(state, batch),
    }
    Vec::new()
}

fn on_batch(state: &mut AppState, Batch { delta, live, fresh, .. }: Batch) -> Vec<Effect> {
    let is_alert = |row: &&Row| state.store.kind(**row) == Kind::Alert;
    state.alert_rows.extend(delta.rows.iter().filter(is_alert));
    state.health.mark_dirty(&state.store, &delta.rows, &delta.moved_from);
    if live {
        // Only activities since the explorer opened are traffic: loading history is not.
        let (second, count) = (state.now.0 / 1_000_000, fresh as u64);
        match state.arrivals.back_mut() {
            Some((at, n)) if *at == second => *n += count,
            _ => state.arrivals.push_back((second, count)),
        }
    }
    if !state.list.follow {
        state.list.unseen += delta.added_to_view;
    }
    // An activity that was opened from its store may now be in memory.
    if let Some(detail) = state.detail.as_mut().filter(|detail| detail.row.is_none()) {
        detail.row = state.store.find(&detail.activity.id);
    }
    let own = state.detail.as_ref().and_then(|detail| detail.row);
    if own.is_some_and(|row| delta.rows.contains(&row)) || delta.rows.len() < 2000 {
        return refresh_detail(state, &delta.rows);
    }
    Vec::new()
}

fn answer(state: &mut AppState, ticket: Ticket, reply: Reply) -> Vec<Effect> {
    match reply {
        Reply::Payload(result) => {
            if let Some(detail) = state.detail.as_mut().filter(|detail| detail.payload_ticket == ticket) {
                match result {
                    Ok(opened) => detail.take(opened),
                    Err(problem) => detail.opened = Loadable::Failed(problem),
                }
                return explain(state);
            }
        }
        Reply::Explained(explained) => {
            if let Some(detail) = state.detail.as_mut().filter(|detail| detail.explained_ticket == ticket) {
                detail.explain(*explained);
            }
        }
        Reply::Related(found) => {
            if let Some(detail) = state.detail.as_mut().filter(|detail| detail.related_ticket == ticket) {
                for activity in found {
                    detail.related.entry(activity.id.clone()).or_insert(activity);
                }
                detail.related_loaded = true;
                detail.set_related();
                return compare_tries(state);
            }
        }
        Reply::Compared(result) => {
            let Some(detail) = &mut state.detail else { return Vec::new() };
            let (mut right, compared) = match result {
                Ok(found) => {
                    let (right, comparison) = *found;
                    (Some(right), Loadable::Loaded(Arc::new(comparison)))
                }
                Err(problem) => (None, Loadable::Failed(problem)),
            };
            for against in [&mut detail.side_by_side, &mut detail.attempt_diff].into_iter().flatten() {
                if against.ticket == ticket {
                    against.right = right.take().or(against.right.take());
                    against.compared = compared.clone();
                }
            }
        }
        Reply::Jq(result) => {
            let Some(detail) = &mut state.detail else { return Vec::new() };
            let (width, height) = (detail.width, detail.height);
            if let Some(jq) = detail.jq.as_mut().filter(|jq| jq.ticket == ticket) {
                jq.result = match result {
                    Ok(texts) => Loadable::Loaded(Outline::of_results(&texts, width)),
                    Err(problem) => Loadable::Failed(problem),
                };
                if let Loadable::Loaded(outline) = &mut jq.result {
                    outline.scroll_to_selection(height);
                }
            }
        }
        Reply::Figures(query, result) => health::take(state, ticket, &query, result),
        Reply::SearchProgress(source, progress, found) => {
            return find::on_progress(state, ticket, (source, progress, found));
        }
        Reply::Matched(ids, done) => {
            if ticket == state.match_ticket {
                state.store.set_payload_matches(&ids);
                state.match_running = !done;
                if done {
                    state.matched_revision = state.store.revision();
                }
                state.count(true);
            }
        }
        Reply::Notice(text) => state.notify(text),
    }
    Vec::new()
}
