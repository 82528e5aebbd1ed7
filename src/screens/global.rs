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

/// The actions that move: at the end of what there is to move over, a person sees why nothing happens.
pub(super) const MOVES: [Action; 8] = [
    Action::UP,
    Action::DOWN,
    Action::PAGE_UP,
    Action::PAGE_DOWN,
    Action::TOP,
    Action::BOTTOM,
    Action::LEFT,
    Action::RIGHT,
];

/// The actions of the list that lead to it, or change what stands over every screen.
const OF_THE_LIST: [Action; 4] = [Action::FILTER, Action::FOLLOW, Action::PAUSE, Action::BUNDLE];

/// The actions on the filter and the range, which stand over a screen that shows what they keep.
const OF_THE_VIEW: [Action; 10] = [
    Action::CLEAR_FILTER,
    Action::FILTER_HISTORY,
    Action::SAVE_VIEW,
    Action::VIEW_BACK,
    Action::VIEW_FORWARD,
    Action::RANGE,
    Action::ZOOM_IN,
    Action::ZOOM_OUT,
    Action::COPY_VIEW,
    Action::COPY_AFFECTED,
];

/// Whether the list takes an action while a screen covers it. Any other would act on what nobody sees.
pub(super) fn is_of_what_is_covered(action: Action, shows_filter: bool) -> bool {
    OF_THE_LIST.contains(&action) || action.number().is_some() || (shows_filter && OF_THE_VIEW.contains(&action))
}

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

/// Whether one goes back to the first page: what was opened there has nothing, or cannot be read.
pub(super) fn leads_to_first_page(shared: &Shared) -> bool {
    shared.settings.is_from_first_page && shared.store.is_empty() && shared.filter.is_all()
}

/// The longest text that is pasted into a field, in bytes: a long filter, but no file.
pub(super) const PASTED: usize = 16_384;
/// The longest one that is searched for: a line of a log.
pub(super) const SEARCHED: usize = 4096;

/// A pasted text in one line without control characters, and whether it was shortened to so many bytes.
pub(super) fn one_line(text: &str, longest: usize) -> (String, bool) {
    let text = text.trim();
    let kept = &text[..text.floor_char_boundary(longest)];
    let line: String = kept.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    (line.trim().to_owned(), kept.len() < text.len())
}
