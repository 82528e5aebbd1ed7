//! What leaves the screen: copies, external programs, marks with notes, incidents.

use super::detail::run_jq;
use crate::action::Action;
use crate::app::{AppState, Detail, Overlay, Prompt, PromptKind, Screen, reports};
use crate::effect::{Effect, ExternalProgram, Mark, Program};
use crosstail_core::model::Activity;
use crosstail_export::{FullRecord, curl, markdown, record_json, shell_quote};

/// Handles an action while the prompt is open.
pub(super) fn in_prompt(state: &mut AppState, action: Action) -> Option<Vec<Effect>> {
    match action {
        Action::Back => {
            state.overlays.pop();
        }
        Action::Open => {
            let Some(Overlay::Prompt(prompt)) = state.overlays.pop() else { return None };
            return Some(answer(state, prompt));
        }
        Action::Quit | Action::Suspend | Action::Redraw => return None,
        _ => {}
    }
    Some(Vec::new())
}

fn answer(state: &mut AppState, prompt: Prompt) -> Vec<Effect> {
    let text = prompt.text.trim().to_owned();
    match prompt.purpose {
        PromptKind::Jq => return run_jq(state, &text),
        PromptKind::Note(activity) => {
            state.marks.insert(activity.id.clone(), Mark { activity: *activity, note: text });
            state.notify("marked with a note; B writes the marked activities as an incident");
        }
        PromptKind::Pipe if text.is_empty() => {}
        PromptKind::Pipe => return run_external(state, Program::Pipe(text)),
        PromptKind::Report if text.is_empty() => {}
        PromptKind::Report => return vec![Effect::Report(text, Box::new(reports::of_screen(state)))],
        PromptKind::Bundle if text.is_empty() => {}
        PromptKind::Bundle => {
            let mut marks: Vec<Mark> = state.marks.values().cloned().collect();
            for mark in &mut marks {
                if let Some(row) = state.store.find(&mark.activity.id) {
                    mark.activity = state.store.get(row);
                }
            }
            marks.sort_by(|a, b| (a.activity.started_at, &a.activity.id).cmp(&(b.activity.started_at, &b.activity.id)));
            return vec![Effect::WriteIncident(text, marks)];
        }
    }
    Vec::new()
}

/// The opened activity, or else the selected one.
fn current_activity(state: &AppState) -> Option<Activity> {
    match &state.detail {
        Some(detail) => Some(detail.activity.clone()),
        None => state.list.current(&state.store).map(|row| state.store.get(row)),
    }
}

/// Marks the activity, or removes its mark.
pub(super) fn mark(state: &mut AppState) {
    let Some(activity) = current_activity(state) else { return };
    match state.marks.get(&activity.id) {
        Some(mark) if !mark.note.is_empty() => {
            state.notify("this mark has a note: # edits it; m removes only marks without a note");
        }
        Some(_) => drop(state.marks.remove(&activity.id)),
        None => drop(state.marks.insert(activity.id.clone(), Mark { activity, note: String::new() })),
    }
}

/// Prompts for a note on the activity.
pub(super) fn note(state: &mut AppState) {
    if let Some(activity) = current_activity(state) {
        let text = state.marks.get(&activity.id).map(|mark| mark.note.clone()).unwrap_or_default();
        state.open_prompt(PromptKind::Note(Box::new(activity)), text);
    }
}

/// Prompts for the path of the incident.
pub(super) fn write_incident(state: &mut AppState) {
    if state.marks.is_empty() {
        state.notify("nothing is marked; m marks, # marks with a note");
        return;
    }
    let at = state.now.utc().with_timezone(&state.zone).format("incident-%Y-%m-%d-%H%M");
    state.open_prompt(PromptKind::Bundle, at.to_string());
}

/// Prompts for the path of the report.
pub(super) fn report(state: &mut AppState) {
    let screen = match state.screen {
        Screen::Health => "health",
        Screen::System => "system",
        Screen::Alerts => "alerts",
        Screen::Contrast | Screen::Sources | Screen::Explore | Screen::FirstRun => "activity",
    };
    let at = state.now.utc().with_timezone(&state.zone).format("%Y-%m-%d-%H%M");
    state.open_prompt(PromptKind::Report, format!("{screen}-{at}.html"));
}

/// Everything known about the opened activity, for export.
fn full_record<'a>(state: &'a AppState, detail: &'a Detail) -> FullRecord<'a> {
    let difference = detail.side_by_side.as_ref().and_then(|against| {
        let right = against.right.as_ref()?;
        Some((against.why.as_str(), right, &**against.compared.get()?))
    });
    FullRecord {
        activity: &detail.activity,
        payload: detail.opened.get().map(|opened| &opened.payload),
        chain: &detail.chain,
        trace: &detail.trace,
        usual: &detail.typical_latency,
        policy: state.policy(&detail.activity),
        difference,
        names: state.store.names(),
    }
}

/// The command that opens this view again.
fn reopen_command(state: &AppState) -> String {
    let mut command = state.invocation.clone();
    let filter = state.filter.applied.text();
    if !filter.is_empty() {
        command.push_str(&format!(" --filter {}", shell_quote(filter)));
    }
    if let Some(detail) = &state.detail {
        let tab = detail.tab.name();
        command.push_str(&format!(" --open {} --tab {tab}", shell_quote(&detail.activity.id.to_string())));
    }
    command
}

pub(super) fn copy(state: &mut AppState, action: Action) -> Vec<Effect> {
    if action == Action::CopyView {
        return vec![Effect::Copy(reopen_command(state))];
    }
    let Some(activity) = current_activity(state) else { return Vec::new() };
    let detail = state.detail.as_ref();
    let payload = detail.and_then(|detail| detail.opened.get()).map(|opened| &opened.payload);
    let outline = detail.and_then(Detail::outline).filter(|outline| !outline.is_empty());
    let body = || {
        let body = payload?.request.body.as_ref().or(payload?.response.body.as_ref())?;
        serde_json::to_string_pretty(&crosstail_core::model::redact_json(body.value())).ok()
    };
    let text = match action {
        Action::CopyId => Some(activity.id.to_string()),
        Action::CopyPath => outline.and_then(|outline| outline.path(outline.selected)),
        Action::CopyBody => outline.and_then(|outline| outline.whole(outline.selected)).or_else(body),
        Action::CopyCurl => payload.map(|payload| curl(&activity, payload)),
        Action::CopyWhole => payload.and(detail).and_then(|detail| full_record(state, detail).json_text().ok()),
        Action::CopyMarkdown => payload.and(detail).map(|detail| {
            let note = state.marks.get(&activity.id).map_or("", |mark| mark.note.as_str());
            markdown(&full_record(state, detail), note, &reopen_command(state))
        }),
        _ => record_json(&activity, state.store.names()).ok(),
    };
    match text {
        Some(text) => vec![Effect::Copy(text)],
        None => {
            state.notify(match action {
                Action::CopyPath => "open request, response or raw first: only a value in a tree has a path",
                _ => "open the activity first: its payload is not loaded",
            });
            Vec::new()
        }
    }
}

/// Runs a program with the value under the cursor, or else with the full activity as JSON.
pub(super) fn run_external(state: &mut AppState, program: Program) -> Vec<Effect> {
    let outline = state.detail.as_ref().and_then(Detail::outline).filter(|outline| !outline.is_empty());
    let value = outline.and_then(|outline| outline.whole(outline.selected));
    let (text, ending) = match value {
        Some(text) if text.starts_with(['{', '[']) => (Some(text), "json"),
        Some(text) => (Some(text), "txt"),
        None => {
            let loaded = state.detail.as_ref().filter(|detail| detail.opened.get().is_some());
            let all = match loaded {
                Some(detail) => full_record(state, detail).json_text().ok(),
                None => current_activity(state).and_then(|activity| record_json(&activity, state.store.names()).ok()),
            };
            (all, "json")
        }
    };
    text.map(|text| vec![Effect::RunExternal(ExternalProgram { program, text, ending })]).unwrap_or_default()
}
