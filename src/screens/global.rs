//! Actions that mean the same everywhere, and what every report has.

use super::ReportPart;
use super::shared::Shared;
use crate::action::Action;
use crate::effect::ReportRange;
use crosstail_core::model::{redact_text, visible_line};
use crosstail_export::Report;

/// The actions that mean the same everywhere.
pub(super) const ACTIONS: [Action; 11] = [
    Action::FIND,
    Action::PALETTE,
    Action::HELP,
    Action::REPORT,
    Action::TOGGLE_RATE,
    Action::TOGGLE_MOUSE,
    Action::NEXT_THEME,
    Action::RELOAD,
    Action::REDRAW,
    Action::SUSPEND,
    Action::QUIT,
];

/// The actions that always work, even where something else wants every key.
pub(super) const ALWAYS: [Action; 3] = [Action::QUIT, Action::SUSPEND, Action::REDRAW];

/// The actions on what is selected in the list, which mean nothing while a screen covers it: nobody sees what they would act on.
pub(super) const OF_SELECTION: [Action; 28] = [
    Action::TOP,
    Action::BOTTOM,
    Action::LEFT,
    Action::RIGHT,
    Action::OPEN,
    Action::NEXT_MATCH,
    Action::PREVIOUS_MATCH,
    Action::NEXT_FAILURE,
    Action::PREVIOUS_FAILURE,
    Action::KEEP,
    Action::EXCLUDE,
    Action::TRACE,
    Action::RETRIES,
    Action::JQ,
    Action::REVEAL,
    Action::COPY_RECORD,
    Action::COPY_WHOLE,
    Action::COPY_MARKDOWN,
    Action::COPY_ID,
    Action::COPY_BODY,
    Action::COPY_CURL,
    Action::COPY_PATH,
    Action::EDITOR,
    Action::PAGER,
    Action::PIPE,
    Action::MARK,
    Action::NOTE,
    Action::AROUND,
];

/// A report of what a screen contributes.
pub(super) fn report(part: Option<ReportPart>, shared: &Shared) -> (Report, Option<ReportRange>) {
    let part = part.unwrap_or_default();
    let (title, lines, tables) = (part.title, part.about, part.tables);
    let sources: Vec<&str> = shared.sources.iter().map(|source| source.name.as_str()).collect();
    let about = std::iter::once(format!("sources: {}", sources.join(", "))).chain(lines);
    let safe = about.map(|line| visible_line(&redact_text(&line)).into_owned());
    (Report { title, about: safe.collect(), made_at: shared.now, tables }, part.range)
}

/// Puts the next theme in force.
pub(super) fn next_theme(shared: &mut Shared) {
    let settings = &mut shared.settings;
    let at = settings.themes.iter().position(|theme| *theme == settings.theme).unwrap_or(0);
    if !settings.themes.is_empty() {
        settings.theme = settings.themes[(at + 1) % settings.themes.len()].clone();
        let text = format!("theme {}", settings.theme);
        shared.notify(text);
    }
}
