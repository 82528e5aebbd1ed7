//! Help, generated from the keymap and the fields of the filter language.

pub(super) mod sheet;

use super::Help;
use crate::action::Action;
use crate::tui::dialog::dialog;
use crate::tui::text::{fit, left, put, safe, width};
use crate::tui::{Appearance, Canvas, Theme};
use crosstail_core::filter::Field;
use crosstail_core::number::saturating_u16;
use ratatui::layout::Rect;
use ratatui::style::Style;

const LANGUAGE: &[(&str, &str)] = &[
    ("word \"two words\"", "text anywhere: message, error, ids"),
    ("system:SAP", "the value, ignoring case; * is any text"),
    ("system:(SAP, Zoho)", "any of these"),
    ("status=failed  http!=200", "exactly; != is not"),
    ("latency>1s  http:400..499", "numbers with units, and ranges; 5xx is any"),
    ("time:-15m  time:09:00..09:20", "times: relative, or in the zone shown"),
    ("error~/timeout|ECONN/", "regular expression"),
    ("attempt?>1", "? also matches if the field is absent"),
    ("a b  a OR b  -a  (a OR b) c", "and, or, not, groups"),
    ("req.body.lines[*].sku:MAT-1", "a path into the payload"),
];

/// What the actions are for. Those that are in none are of the screen as a whole.
const TASKS: &[(&str, &[Action])] = &[
    (
        "move and open",
        &[
            Action::UP,
            Action::DOWN,
            Action::PAGE_UP,
            Action::PAGE_DOWN,
            Action::TOP,
            Action::BOTTOM,
            Action::LEFT,
            Action::RIGHT,
            Action::OPEN,
            Action::BACK,
            Action::FOCUS_NEXT,
            Action::FOCUS_PREVIOUS,
        ],
    ),
    (
        "find and narrow",
        &[
            Action::FIND,
            Action::FILTER,
            Action::CLEAR_FILTER,
            Action::FILTER_HISTORY,
            Action::KEEP,
            Action::EXCLUDE,
            Action::NEXT_FAILURE,
            Action::PREVIOUS_FAILURE,
            Action::AROUND,
            Action::RANGE,
            Action::ZOOM_IN,
            Action::ZOOM_OUT,
            Action::VIEW_BACK,
            Action::VIEW_FORWARD,
            Action::SAVE_VIEW,
            Action::FOLLOW,
            Action::PAUSE,
        ],
    ),
    (
        "an incident",
        &[
            Action::HEALTH,
            Action::ALERTS,
            Action::FAILURES,
            Action::PATTERNS,
            Action::CHANGES,
            Action::AFFECTED,
            Action::COMPARE,
            Action::ACKNOWLEDGE,
            Action::RESOLVE,
            Action::SILENCE,
            Action::MARK,
            Action::NOTE,
            Action::NEXT_MARK,
            Action::BUNDLE,
            Action::REPORT,
        ],
    ),
    (
        "one request",
        &[
            Action::RETRIES,
            Action::TRACE,
            Action::NEXT_TAB,
            Action::PREVIOUS_TAB,
            Action::NEXT_MATCH,
            Action::PREVIOUS_MATCH,
            Action::JQ,
            Action::REVEAL,
            Action::EDITOR,
            Action::PAGER,
            Action::PIPE,
            Action::TOOLS,
            Action::RESEND,
        ],
    ),
    (
        "copy",
        &[
            Action::COPY_RECORD,
            Action::COPY_WHOLE,
            Action::COPY_MARKDOWN,
            Action::COPY_AFFECTED,
            Action::COPY_VIEW,
            Action::COPY_CURL,
            Action::COPY_BODY,
            Action::COPY_ID,
            Action::COPY_PATH,
        ],
    ),
];

const MARKS: &[(&str, &str)] = &[
    ("✓ ✗ ◔ ⊘ …", "success, failed, timeout, cancelled, in progress"),
    ("! ▲ ·", "error line, warning line, other line"),
    ("→ ← ·", "outgoing call, incoming call, neither"),
];

/// A line: what to type, what it means, and its style; a title has no meaning.
type Line = (String, String, Style);

/// Lines under a title, those that a text is in; none if it is in none.
fn section(title: &str, lines: Vec<Line>, needle: &str, theme: &Theme) -> Vec<Line> {
    let has = |(key, text, _): &Line| {
        needle.is_empty() || key.to_lowercase().contains(needle) || text.to_lowercase().contains(needle)
    };
    let found: Vec<Line> = lines.into_iter().filter(has).collect();
    if found.is_empty() {
        return found;
    }
    let mut all = vec![(title.to_owned(), String::new(), theme.title)];
    // Explanations begin in one column.
    let wide = found.iter().map(|(key, ..)| width(key)).max().unwrap_or(0);
    all.extend(found.into_iter().map(|(key, text, style)| (left(&key, wide), text, style)));
    all.push((String::new(), String::new(), theme.text));
    all
}

/// The keys, by what they are for.
fn keys(help: &Help, needle: &str, look: &Appearance) -> Vec<Line> {
    let theme = &look.theme;
    let line = |action: &Action| {
        let keys = look.keymap.keys(*action);
        (if keys.is_empty() { ":".to_owned() } else { keys }, action.help().to_owned(), theme.key)
    };
    let accepted = |action: &&Action| help.actions.contains(action);
    let mut all = Vec::new();
    for (title, actions) in TASKS {
        all.extend(section(title, actions.iter().filter(accepted).map(line).collect(), needle, theme));
    }
    let is_listed = |action: &Action| TASKS.iter().any(|(_, actions)| actions.contains(action));
    let rest = help.actions.iter().filter(|action| action.number().is_none() && !is_listed(action));
    let mut rest: Vec<Line> = rest.map(line).collect();
    rest.push(("1 … 9".to_owned(), "saved views; in a detail, its tabs".to_owned(), theme.key));
    all.extend(section("the screen", rest, needle, theme));
    all
}

/// The filter language, and the marks of the list.
fn language(needle: &str, theme: &Theme) -> Vec<Line> {
    let of = |lines: &[(&str, &str)], style: Style| {
        lines.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned(), style)).collect()
    };
    let fields = Field::ALL.iter().map(|field| {
        let aliases =
            if field.aliases().is_empty() { String::new() } else { format!("  ({})", field.aliases().join(", ")) };
        (field.name().to_owned(), format!("{}{aliases}", field.help()), theme.json_key)
    });
    [
        section("filters", of(LANGUAGE, theme.json_text), needle, theme),
        section("fields", fields.collect(), needle, theme),
        section("marks", of(MARKS, theme.text), needle, theme),
    ]
    .concat()
}

pub(super) fn render(help: &Help, canvas: &mut Canvas<'_>) {
    let (area, look) = (canvas.area, canvas.look);
    let theme = &look.theme;
    let text = help.field.text();
    let needle = text.trim().to_lowercase();
    let title = if needle.is_empty() {
        " help · type to search · ↑↓ scroll · esc closes ".to_owned()
    } else {
        format!(" help · {} ", safe(text))
    };
    let wide = area.width.saturating_sub(4).clamp(area.width.min(60), 156);
    let inside = dialog(canvas, wide, area.height.saturating_sub(2), &title);
    let (keys, language) = (keys(help, &needle, look), language(&needle, theme));
    let columns = if inside.width >= 110 { vec![keys, language] } else { vec![[keys, language].concat()] };
    let rows = usize::from(inside.height);
    let most = columns.iter().map(Vec::len).max().unwrap_or(0);
    help.last.set(most.saturating_sub(rows));
    let first = help.first.min(most.saturating_sub(rows));
    let wide = inside.width / saturating_u16(columns.len());
    for (x, lines) in (inside.x..).step_by(usize::from(wide.max(1))).zip(&columns) {
        let column = Rect { x, width: wide.saturating_sub(1), ..inside };
        let key = if columns.len() > 1 { (column.width / 4).max(18) } else { (column.width / 3).max(18) };
        for (y, (name, text, style)) in
            (column.y..column.bottom()).zip(lines.iter().skip(first.min(lines.len().saturating_sub(rows))))
        {
            if text.is_empty() {
                put(canvas.buf, column.x + 1, y, name, column.width, *style);
                continue;
            }
            let end = put(canvas.buf, column.x + 1, y, name, column.width.saturating_sub(1), *style);
            let at = (end + 2).max(column.x + key);
            put(canvas.buf, at, y, &fit(text, column.right().saturating_sub(at)), column.width, theme.text);
        }
    }
    if most == 0 {
        put(canvas.buf, inside.x + 1, inside.y, "nothing in the help has this", inside.width, theme.dim);
    }
}
