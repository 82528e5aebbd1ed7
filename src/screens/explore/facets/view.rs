//! The values in the view, with their counts. Enter narrows to a value.

use super::Facets;
use crate::tui::Theme;
use crate::tui::text::{count, left, put, right, safe};
use crosstail_core::filter::Field;
use crosstail_core::number::{saturating_u16, saturating_usize};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(in crate::screens::explore) fn render(facets: &Facets, focused: bool, area: Rect, buf: &mut Buffer, theme: &Theme) {
    if area.width < 8 || area.height == 0 {
        return;
    }
    for y in area.top()..area.bottom() {
        put(buf, area.right(), y, "│", 1, if focused { theme.border_focused } else { theme.border });
    }
    let groups = &facets.groups;
    let mut lines: Vec<(Option<usize>, &str, Option<&crosstail_engine::store::Facet>, Field)> = Vec::new();
    let mut index = 0;
    // Each group gets an equal share of the room; earlier groups get what later ones leave.
    let share = (area.height as usize / groups.len().max(1)).saturating_sub(1).max(1);
    let mut spare: usize = groups.iter().map(|(_, values)| share.saturating_sub(values.len())).sum();
    for (field, values) in groups {
        lines.push((None, field.name(), None, *field));
        let extra = values.len().saturating_sub(share).min(spare);
        spare -= extra;
        for (at, facet) in values.iter().enumerate() {
            if at < share + extra || focused {
                lines.push((Some(index), "", Some(facet), *field));
            }
            index += 1;
        }
    }
    let selected = lines.iter().position(|line| line.0 == Some(facets.selected)).unwrap_or(0);
    let first = if focused {
        selected.saturating_sub(area.height as usize / 2).min(lines.len().saturating_sub(area.height as usize))
    } else {
        0
    };
    for (row, (index, title, facet, field)) in lines.iter().skip(first).take(area.height as usize).enumerate() {
        let y = area.y + saturating_u16(row);
        let Some(facet) = facet else {
            let title = match (facets.is_part, facets.of_held.contains(field)) {
                (true, _) => format!("{title} +…"),
                (false, true) => format!("{title} · of what is held"),
                (false, false) => (*title).to_owned(),
            };
            put(buf, area.x + 1, y, &title, area.width, theme.dim);
            continue;
        };
        let number = count(saturating_usize(facet.count));
        let bad = facet.failed > 0 && *field != Field::Status;
        let mark = if bad { "✗" } else { " " };
        let room = area.width - 1;
        let text = room.saturating_sub(saturating_u16(number.len()) + 3);
        let line = format!(" {}{}", left(&safe(&facet.value), text), right(&number, room - text - 2));
        let style = if focused && *index == Some(facets.selected) { theme.selected } else { theme.text };
        put(buf, area.x, y, &line, room, style);
        let mark_style = if focused && *index == Some(facets.selected) { theme.selected } else { theme.failure };
        put(buf, area.x + room - 1, y, mark, 1, mark_style);
    }
}
