//! The first page of the help: the most useful keys by task, on one screen of 80 by 24. The keys are those of the keymap.

use crate::action::Action;
use crate::tui::dialog::dialog;
use crate::tui::text::{fit, put, width};
use crate::tui::{Canvas, Context, Keymap};
use crosstail_core::number::saturating_u16;
use ratatui::layout::Rect;

/// Actions, what they do, and the same in few words.
type Keys = (&'static [&'static str], &'static str, &'static str);
/// What one wants to do, and the lines of keys that do it.
type Task = (&'static str, &'static [Keys]);

/// The tasks of each column. Actions have the names of the keymap, because some belong to one screen.
const COLUMNS: [&[Task]; 2] = [
    &[
        (
            "move",
            &[
                (&["up", "down"], "line up, line down", "line up, down"),
                (&["open", "back"], "open; one level back", "open; go back"),
                (&["follow", "pause"], "follow the newest; pause", "newest; pause"),
                (&["focus_next"], "next panel: facets, bars", "next panel"),
            ],
        ),
        (
            "narrow",
            &[
                (&["filter", "clear_filter"], "filter; show everything", "filter; all"),
                (&["keep", "exclude"], "keep, leave out the value", "keep, leave out"),
                (&["next_failure", "previous_failure"], "next, previous failure", "failures"),
                (&["zoom_in", "zoom_out", "range"], "less, more, any range", "the range"),
                (&["view_back", "view_forward"], "view before, view after", "other views"),
                (&["filter_history"], "filters that were used", "used filters"),
                (&["find"], "find an id, order or line", "find an id"),
            ],
        ),
    ],
    &[
        (
            "an incident",
            &[
                (&["health", "alerts"], "health; alerts", "health; alerts"),
                (&["failures", "compare"], "failures in groups; why", "groups; why"),
                (&["changes", "affected"], "changes; what is lost", "changes; lost"),
            ],
        ),
        (
            "one request",
            &[
                (&["retries", "trace"], "its tries; its trace", "tries; trace"),
                (&["around"], "what happened around it", "around it"),
                (&["next_tab", "previous_tab"], "next, previous tab", "other tabs"),
            ],
        ),
        (
            "take along",
            &[
                (&["mark", "note"], "mark; mark with a note", "mark; note"),
                (&["bundle", "report"], "write incident, report", "incident, report"),
                (&["copy_record", "copy_view"], "copy record, copy view", "copy it, view"),
            ],
        ),
        (
            "more",
            &[
                (&["palette", "fields"], "every command; any column", "commands; fields"),
                (&["help", "quit"], "all keys, filters; quit", "help; quit"),
            ],
        ),
    ],
];

/// Columns of the keys, and where there is little room.
const KEYS: u16 = 12;
const FEW: u16 = 10;
/// A column with less room has the few words.
const WORDS: u16 = 38;

/// The first keys of some actions; one without a key is done by its name.
fn keys(names: &[&str], actions: &[Action], keymap: &Keymap) -> String {
    let found = names.iter().filter_map(|name| actions.iter().find(|action| action.name() == *name));
    let key = |action: &Action| match keymap.first_key(Context::GLOBAL, *action) {
        key if key.is_empty() => ":".to_owned(),
        key => key,
    };
    found.map(key).collect::<Vec<_>>().join(" ")
}

pub(in crate::screens::help) fn render(actions: &[Action], canvas: &mut Canvas<'_>) {
    let (area, look) = (canvas.area, canvas.look);
    let theme = &look.theme;
    let key = look.keymap.first_key(Context::GLOBAL, Action::HELP);
    let title = format!(" keys · {key} or ↓ all of them · type to search · esc closes ");
    let lines = |tasks: &[Task]| tasks.iter().map(|(_, lines)| lines.len() + 2).sum::<usize>().saturating_sub(1);
    let most = COLUMNS.iter().map(|tasks| lines(tasks)).max().unwrap_or(0);
    let is_narrow = area.width < 60;
    let height = if is_narrow { area.height } else { saturating_u16(most) + 2 };
    let inside = dialog(canvas, area.width.min(if is_narrow { 44 } else { 80 }), height, &title);
    let columns: Vec<Vec<&Task>> = if is_narrow {
        vec![COLUMNS.iter().flat_map(|tasks| tasks.iter()).collect()]
    } else {
        COLUMNS.iter().map(|tasks| tasks.iter().collect()).collect()
    };
    let wide = inside.width / saturating_u16(columns.len());
    let is_tight = wide < WORDS;
    for (x, tasks) in (inside.x..).step_by(usize::from(wide.max(1))).zip(columns) {
        let mut y = inside.y;
        let column = Rect { x: x + 1, width: wide.saturating_sub(2), ..inside };
        for (title, lines) in tasks {
            if y < inside.bottom() {
                put(canvas.buf, column.x, y, title, column.width, theme.title);
            }
            y += 1;
            for (names, does, briefly) in *lines {
                let keys = keys(names, actions, &look.keymap);
                if y < inside.bottom() && !keys.is_empty() {
                    put(canvas.buf, column.x + 1, y, &keys, column.width - 1, theme.key);
                    let at = (column.x + 1 + width(&keys) + 2).max(column.x + if is_tight { FEW } else { KEYS });
                    let room = column.right().saturating_sub(at);
                    let does = if is_tight { briefly } else { does };
                    put(canvas.buf, at, y, &fit(does, room), room, theme.text);
                }
                y += 1;
            }
            y += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that no action has would leave its line out.
    #[test]
    fn every_line_is_of_actions() {
        let known = crate::screens::vocabulary().actions;
        let names = COLUMNS.iter().flat_map(|tasks| tasks.iter()).flat_map(|(_, lines)| lines.iter());
        for name in names.flat_map(|(names, ..)| names.iter()) {
            assert!(known.iter().any(|action| action.name() == *name), "{name}");
        }
    }
}
