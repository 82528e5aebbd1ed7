//! Headers and bodies as a tree.

use crate::app::Detail;
use crate::tui::text::{fit, put, put_all, safe, width};
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(super) fn render(detail: &Detail, area: Rect, buf: &mut Buffer, theme: &Theme) -> Option<(u16, u16)> {
    let mut area = area;
    let mut cursor = None;
    if detail.searching || !detail.search.is_empty() {
        let y = area.bottom() - 1;
        area.height -= 1;
        let found = detail.tree.matches(&detail.search).len();
        let search = safe(&detail.search);
        let end = put_all(buf, area.x + 1, y, area.width, &[("/", theme.accent), (&search, theme.title)]);
        put(buf, end + 2, y, &format!("{found} found · n next"), area.width, theme.dim);
        cursor = detail.searching.then_some((end, y));
    }
    let lines = &detail.tree.lines;
    if lines.is_empty() {
        put(buf, area.x + 1, area.y, "nothing was recorded here", area.width, theme.dim);
        return cursor;
    }
    let height = area.height as usize;
    let selected = detail.tree_state.selected;
    let first = selected.saturating_sub(height * 2 / 3).min(lines.len().saturating_sub(height));
    let needle = detail.search.to_lowercase();
    for (row, (index, line)) in lines.iter().enumerate().skip(first).take(height).enumerate() {
        let y = area.y + row as u16;
        let fold = match line.folded {
            Some(true) => "▸ ",
            Some(false) => "▾ ",
            None => "  ",
        };
        let indent = "  ".repeat(line.depth.min(20));
        let value_style = match line.kind {
            _ if line.redacted => theme.secret,
            '"' => theme.json_text,
            '{' => theme.dim,
            _ => theme.json_number,
        };
        let key = safe(&line.key);
        let value = crate::model::visible_line(&line.value).into_owned();
        let value = if line.kind == '"' { format!("\"{value}\"") } else { value };
        let room = area.width.saturating_sub(1);
        let used = width(&indent) + 2 + width(&key) + 2;
        let value = fit(&value, room.saturating_sub(used));
        let note = line.note.as_deref().map(|note| format!("  → {}", safe(note))).unwrap_or_default();
        let hit = !needle.is_empty()
            && (line.key.to_lowercase().contains(&needle) || line.value.to_lowercase().contains(&needle));
        let (key_style, value_style) = if hit { (theme.found, theme.found) } else { (theme.json_key, value_style) };
        if index == selected {
            put(buf, area.x, y, &" ".repeat(room as usize), room, theme.selected_dim);
        }
        let end = put_all(
            buf,
            area.x,
            y,
            room,
            &[
                (&indent, theme.text),
                (fold, theme.dim),
                (&key, key_style),
                ("  ", theme.text),
                (&value, value_style),
                (&note, theme.accent),
            ],
        );
        if index == selected {
            let bg = theme.selected_dim.bg;
            for x in area.x..end.max(area.x + 1) {
                if let Some(cell) = buf.cell_mut((x, y)) {
                    cell.bg = bg.unwrap_or(cell.bg);
                    cell.modifier |= theme.selected_dim.add_modifier;
                }
            }
        }
    }
    cursor
}
