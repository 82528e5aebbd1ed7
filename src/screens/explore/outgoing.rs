//! What leaves the list and the opened activity: copies, external programs, marks with notes, incidents.

use super::{Detail, Explore};
use crate::action::Action;
use crate::config::{ViewEntry, listed};
use crate::effect::{Effect, ExternalProgram, Incident, Mark, Program};
use crate::screens::request::{PromptKind, Request};
use crate::screens::shared::{Shared, affected_lines, outcomes_since};
use crate::tui::text::count;
use crosstail_core::filter::Field;
use crosstail_core::model::{Activity, Timestamp, redact_json};
use crosstail_engine::insight::Health;
use crosstail_engine::window::{Bounds, Range};
use crosstail_export::{FullRecord, curl, markdown, record_json, shell_quote};
use std::collections::HashSet;

/// The actions by which something leaves.
pub(super) const ACTIONS: [Action; 18] = [
    Action::TOOLS,
    Action::RESEND,
    Action::JQ,
    Action::EDITOR,
    Action::PAGER,
    Action::PIPE,
    Action::NOTE,
    Action::BUNDLE,
    Action::MARK,
    Action::COPY_RECORD,
    Action::COPY_ID,
    Action::COPY_BODY,
    Action::COPY_CURL,
    Action::COPY_WHOLE,
    Action::COPY_MARKDOWN,
    Action::COPY_AFFECTED,
    Action::COPY_VIEW,
    Action::COPY_PATH,
];

/// How far back an incident looks for when systems began to fail, in microseconds: as the health screen does.
const RECENT_US: i64 = 3_600_000_000;

impl Explore {
    /// Copies, marks, or passes on what is opened or selected.
    pub(super) fn leaving(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::JQ => shared.notify("open an activity first: jq reads its body"),
            Action::EDITOR => return Some(self.run_external(Program::Editor, shared)),
            Action::PAGER => return Some(self.run_external(Program::Pager, shared)),
            Action::PIPE => shared.ask(Request::Prompt(PromptKind::Pipe, String::new())),
            Action::TOOLS => match self.current_activity(shared) {
                Some(activity) => shared.ask(Request::Tools(Box::new(activity))),
                None => shared.notify("nothing is selected"),
            },
            Action::RESEND => {
                // Its screen asks what it is about: the marks, or else this.
                shared.to_send = match current_marks(shared) {
                    marks if marks.is_empty() => self.current_activity(shared).into_iter().collect(),
                    marks => marks.into_iter().map(|mark| mark.activity).collect(),
                };
                return None;
            }
            Action::NOTE => self.note(shared),
            Action::BUNDLE => ask_for_incident(shared),
            Action::MARK => self.mark(shared),
            Action::COPY_RECORD
            | Action::COPY_ID
            | Action::COPY_BODY
            | Action::COPY_CURL
            | Action::COPY_WHOLE
            | Action::COPY_MARKDOWN
            | Action::COPY_AFFECTED
            | Action::COPY_VIEW
            | Action::COPY_PATH => return Some(self.copy(action, shared)),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Takes the answer to a prompt.
    pub(super) fn answered(&mut self, kind: PromptKind, text: String, shared: &mut Shared) -> Vec<Effect> {
        match kind {
            PromptKind::Jq => return self.detail.as_mut().map_or_else(Vec::new, |detail| detail.run_jq(&text, shared)),
            PromptKind::Note(activity) => {
                shared.mark(*activity, text);
                shared.notify("marked with a note; B writes the marked activities as an incident");
            }
            PromptKind::Pipe => return self.run_external(Program::Pipe(text), shared),
            PromptKind::Bundle => return vec![Effect::WriteIncident(Box::new(self.incident(text, shared)))],
            PromptKind::Range => match Range::parse(&text, &shared.context()) {
                Ok(range) => return self.set_range(range, shared),
                Err(problem) => shared.notify(problem),
            },
            PromptKind::OtherSet => match shared.view_and(&text) {
                Ok(sets) => {
                    shared.to_compare = Some(sets);
                    shared.ask(Request::Run(Action::COMPARE_WITH));
                }
                Err(problem) => shared.notify(problem),
            },
            PromptKind::ViewName => return save_view(text, shared),
            // The report is of whatever is shown: the stack makes it.
            // Of other screens.
            PromptKind::Report | PromptKind::GroupNote(_) => {}
        }
        Vec::new()
    }

    /// The opened activity, or else the selected one.
    pub(super) fn current_activity(&self, shared: &Shared) -> Option<Activity> {
        match &self.detail {
            Some(detail) => Some(detail.activity.clone()),
            None => self.current(shared).map(|row| shared.store.get(row)),
        }
    }

    /// Marks the activity, or removes its mark.
    fn mark(&self, shared: &mut Shared) {
        let Some(activity) = self.current_activity(shared) else { return };
        match shared.marks.get(&activity.id) {
            Some(mark) if !mark.note.is_empty() => {
                shared.notify("this mark has a note: # edits it; m removes only marks without a note");
            }
            Some(_) => {
                shared.unmark(&activity.id);
                let left = shared.marks.len();
                shared.notify(format!("mark removed, {left} left"));
            }
            None => {
                shared.mark(activity, String::new());
                let marked = shared.marks.len();
                shared.notify(format!("marked, {marked} in all · # adds a note · B writes the incident"));
            }
        }
    }

    /// Prompts for a note on the activity.
    fn note(&self, shared: &mut Shared) {
        if let Some(activity) = self.current_activity(shared) {
            let text = shared.marks.get(&activity.id).map(|mark| mark.note.clone()).unwrap_or_default();
            shared.ask(Request::Prompt(PromptKind::Note(Box::new(activity)), text));
        }
    }

    /// The marked activities, with what whoever takes over has to know of the view.
    fn incident(&self, path: String, shared: &Shared) -> Incident {
        let store = &shared.store;
        let affected = store.affected(store.rows());
        let failures = || store.rows().iter().copied().filter(|row| store.is_failure(*row));
        let failed: HashSet<&str> = failures().map(|row| store.symbols().get(store.system(row))).collect();
        let recent = store.rows_between(shared.now.plus_us(-RECENT_US)..shared.now.plus_us(1));
        let recent: Vec<Activity> = recent.iter().map(|row| store.get(*row)).collect();
        let health = Health::of_activities(shared.now, RECENT_US, recent.iter());
        let failing = health.systems.into_iter().filter(|system| failed.contains(system.system.as_str()));
        // Health counts in periods; what began it is the first failure in the first of them.
        let first_failure = |system: &str, since: Timestamp| {
            let of_it = recent.iter().filter(|one| one.is_failure() && one.system.as_deref() == Some(system));
            of_it.map(|one| one.started_at).filter(|at| *at >= since).min().unwrap_or(since)
        };
        let failing = failing.filter_map(|one| {
            let since = first_failure(&one.system, one.failing_since?);
            Some((one.system, since, one.failing_longer))
        });
        Incident {
            path,
            marks: current_marks(shared),
            outcomes: affected.since.map(|since| outcomes_since(&affected, &since.rfc3339(), shared)),
            since: affected.since.or_else(|| failures().map(|row| store.started(row)).min()),
            failing: failing.collect(),
            range: shared.view_range(),
            reopen: self.reopen_command(shared),
            by: shared.settings.who.clone(),
            at: shared.now,
        }
    }

    /// The command that opens this view again, also tomorrow: its times are absolute.
    fn reopen_command(&self, shared: &Shared) -> String {
        let mut command = shared.settings.invocation.clone();
        let between = |bounds: Bounds| {
            let end = |at: Option<Timestamp>| at.map(Timestamp::rfc3339).unwrap_or_default();
            format!("{}..{}", end(bounds.since), end(Some(bounds.until.unwrap_or(shared.now))))
        };
        let mut filter = shared.filter.text().to_owned();
        let moves = |bounds: &Bounds| bounds.until.is_none() || shared.filter.is_relative();
        if let Some(bounds) = shared.time_clause.filter(moves) {
            let rest = shared.filter.without(&[Field::Time], false);
            filter = format!("{rest} time:{}", between(bounds)).trim().to_owned();
        }
        if !filter.is_empty() {
            command.push_str(&format!(" --filter {}", shell_quote(&filter)));
        }
        let layout = &shared.layout;
        for (option, names) in [("--columns", listed(&layout.columns)), ("--facets", listed(&layout.facets))] {
            if !names.is_empty() {
                command.push_str(&format!(" {option} {}", shell_quote(&names)));
            }
        }
        // Where the filter says the time, that is the range.
        if shared.time_clause.is_none() {
            command.push_str(&format!(" --range {}", shell_quote(&between(shared.chosen_bounds()))));
        }
        if let Some(detail) = &self.detail {
            let tab = detail.tab.name();
            command.push_str(&format!(" --open {} --tab {tab}", shell_quote(&detail.activity.id.to_string())));
        }
        command
    }

    fn copy(&self, action: Action, shared: &mut Shared) -> Vec<Effect> {
        if action == Action::COPY_AFFECTED {
            return match affected_lines(shared, shared.store.rows()) {
                Some(text) => {
                    // Below the names of the columns.
                    let operations = text.lines().count().saturating_sub(1);
                    let s = if operations == 1 { "" } else { "s" };
                    shared.notify(format!("copied {} operation{s}, a line each", count(operations)));
                    vec![Effect::Copy(text)]
                }
                None => {
                    shared.notify("no operation of this view has failed and been retried or given up");
                    Vec::new()
                }
            };
        }
        if action == Action::COPY_VIEW {
            shared.notify("copied the command that opens this view");
            return vec![Effect::Copy(self.reopen_command(shared))];
        }
        let Some(activity) = self.current_activity(shared) else { return Vec::new() };
        let detail = self.detail.as_ref();
        let payload = detail.and_then(|detail| detail.opened.get()).map(|opened| &opened.payload);
        let outline = detail.and_then(Detail::outline).filter(|outline| !outline.is_empty());
        let body = || {
            let body = payload?.request.body.as_ref().or(payload?.response.body.as_ref())?;
            serde_json::to_string_pretty(&redact_json(body.value())).ok()
        };
        let text = match action {
            Action::COPY_ID => Some(activity.id.to_string()),
            Action::COPY_PATH => outline.and_then(|outline| outline.path(outline.selected)),
            Action::COPY_BODY => outline.and_then(|outline| outline.whole(outline.selected)).or_else(body),
            Action::COPY_CURL => payload.map(|payload| curl(&activity, payload)),
            Action::COPY_WHOLE => payload.and(detail).and_then(|detail| full_record(detail, shared).json_text().ok()),
            Action::COPY_MARKDOWN => payload.and(detail).map(|detail| {
                let note = shared.marks.get(&activity.id).map_or("", |mark| mark.note.as_str());
                markdown(&full_record(detail, shared), note, &self.reopen_command(shared))
            }),
            _ => record_json(&activity, shared.store.names()).ok(),
        };
        match text {
            Some(text) => {
                shared.notify(format!("copied {}", what_is_copied(action)));
                vec![Effect::Copy(text)]
            }
            None => {
                shared.notify(match action {
                    Action::COPY_PATH => "open request, response or raw first: only a value in a tree has a path",
                    _ => "open the activity first: its payload is not loaded",
                });
                Vec::new()
            }
        }
    }

    /// Runs a program with the value under the cursor, or else with the full activity as JSON.
    fn run_external(&self, program: Program, shared: &Shared) -> Vec<Effect> {
        let outline = self.detail.as_ref().and_then(Detail::outline).filter(|outline| !outline.is_empty());
        let value = outline.and_then(|outline| outline.whole(outline.selected));
        let (text, ending) = match value {
            Some(text) if text.starts_with(['{', '[']) => (Some(text), "json"),
            Some(text) => (Some(text), "txt"),
            None => {
                let loaded = self.detail.as_ref().filter(|detail| detail.opened.get().is_some());
                let all = match loaded {
                    Some(detail) => full_record(detail, shared).json_text().ok(),
                    None => self
                        .current_activity(shared)
                        .and_then(|activity| record_json(&activity, shared.store.names()).ok()),
                };
                (all, "json")
            }
        };
        text.map(|text| vec![Effect::RunExternal(ExternalProgram { program, text, ending })]).unwrap_or_default()
    }
}

/// What an action copies of an activity.
fn what_is_copied(action: Action) -> &'static str {
    match action {
        Action::COPY_ID => "the id",
        Action::COPY_PATH => "the path",
        Action::COPY_BODY => "the body, or the value under the cursor",
        Action::COPY_CURL => "the request as curl, with variables for secrets",
        Action::COPY_WHOLE => "everything about it as JSON",
        Action::COPY_MARKDOWN => "it as Markdown",
        _ => "the record as JSON",
    }
}

/// Saves the view under a name.
fn save_view(name: String, shared: &mut Shared) -> Vec<Effect> {
    let Some(path) = shared.settings.own_file.clone() else {
        shared.notify("the view is not saved: the folder of the configuration cannot be determined");
        return Vec::new();
    };
    let (columns, facets) = shared.layout.names();
    let view = ViewEntry { name, filter: shared.filter.text().trim().to_owned(), columns, facets };
    vec![Effect::SaveView(path, Box::new(view))]
}

/// Prompts for the path of the incident.
fn ask_for_incident(shared: &mut Shared) {
    if shared.marks.is_empty() {
        shared.notify("nothing is marked; m marks, # marks with a note");
        return;
    }
    let at = shared.local(shared.now).format("incident-%Y-%m-%d-%H%M").to_string();
    shared.ask(Request::Prompt(PromptKind::Bundle, at));
}

/// The marks in order of time, with their activities as they are now.
fn current_marks(shared: &Shared) -> Vec<Mark> {
    let mut marks: Vec<Mark> = shared.marks.values().cloned().collect();
    for mark in &mut marks {
        if let Some(row) = shared.store.find(&mark.activity.id) {
            mark.activity = shared.store.get(row);
        }
    }
    marks.sort_by(|a, b| (a.activity.started_at, &a.activity.id).cmp(&(b.activity.started_at, &b.activity.id)));
    marks
}

/// Everything known about the opened activity, for export.
fn full_record<'a>(detail: &'a Detail, shared: &'a Shared) -> FullRecord<'a> {
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
        policy: shared.policy(&detail.activity),
        difference,
        names: shared.store.names(),
    }
}
