//! Help, generated from the keymap and the fields of the filter language.

use super::Help;
use crate::tui::Canvas;
use crate::tui::dialog::dialog;
use crate::tui::text::{left, put};
use crosstail_core::filter::Field;
use crosstail_core::number::saturating_u16;
use ratatui::style::Style;

const LANGUAGE: &[(&str, &str)] = &[
    ("word \"two words\"", "text anywhere: message, error, address, ids"),
    ("system:SAP", "the value, ignoring case; * is any text"),
    ("system:(SAP, Zoho)", "any of these"),
    ("status=failed  http!=200", "exactly; != is not"),
    ("latency>1s  http:5xx  http:400..499", "numbers with units, patterns, ranges"),
    ("time:-15m  time:09:00..09:20", "times: relative, or in the zone shown"),
    ("error~/timeout|ECONN/", "regular expression"),
    ("attempt?>1", "? also matches if the field is absent"),
    ("a b   a OR b   -a   (a OR b) c", "and, or, not, groups"),
    ("req.body.lines[*].sku:MAT-1", "a path into the payload"),
];

pub(super) fn render(help: &Help, canvas: &mut Canvas<'_>) {
    let (area, look) = (canvas.area, canvas.look);
    let (theme, buf) = (&look.theme, &mut *canvas.buf);
    let mut lines: Vec<(String, String, Style)> = Vec::new();
    let title = |lines: &mut Vec<(String, String, Style)>, text: &str| {
        lines.push((String::new(), String::new(), theme.text));
        lines.push((text.to_owned(), String::new(), theme.title));
    };
    title(&mut lines, "keys");
    for action in help.actions.iter().filter(|action| action.number().is_none()) {
        let keys = look.keymap.keys(*action);
        let keys = if keys.is_empty() { ":".to_owned() } else { keys };
        lines.push((keys, action.help().to_owned(), theme.key));
    }
    lines.push(("1 … 9".to_owned(), "saved views; in a detail, its tabs".to_owned(), theme.key));
    title(&mut lines, "filters");
    lines.extend(LANGUAGE.iter().map(|(example, help)| ((*example).to_owned(), (*help).to_owned(), theme.json_text)));
    title(&mut lines, "fields");
    for field in Field::ALL {
        let aliases =
            if field.aliases().is_empty() { String::new() } else { format!("  ({})", field.aliases().join(", ")) };
        lines.push((field.name().to_owned(), format!("{}{aliases}", field.help()), theme.json_key));
    }
    title(&mut lines, "marks");
    for (mark, help) in [
        ("✓ ✗ ⧗ ⊘ …", "success, failed, timeout, cancelled, in progress"),
        ("! ▲ ·", "error line, warning line, other line"),
        ("→ ← ·", "outgoing call, incoming call, neither"),
    ] {
        lines.push((mark.to_owned(), help.to_owned(), theme.text));
    }
    let inside = dialog(area, 100, area.height.saturating_sub(4), " help · ↑↓ scroll · esc closes ", buf, theme);
    let first = help.first.min(lines.len().saturating_sub(inside.height as usize));
    let keys = (inside.width / 3).max(18);
    for (row, (key, text, style)) in lines.iter().skip(first).take(inside.height as usize).enumerate() {
        let y = inside.y + saturating_u16(row);
        if text.is_empty() {
            put(buf, inside.x + 1, y, key, inside.width, *style);
            continue;
        }
        put(buf, inside.x + 1, y, &left(key, keys), keys, *style);
        put(buf, inside.x + keys + 2, y, text, inside.width.saturating_sub(keys + 2), theme.text);
    }
}
