//! Wrapped text.

use super::text::{put, width};
use crosstail_core::number::saturating_u16;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;

/// Draws wrapped lines, from a row on; scrolling stops at the last row.
pub fn paragraph(lines: &[(String, Style)], scroll: usize, area: Rect, buf: &mut Buffer) {
    let room = area.width.saturating_sub(2).max(1);
    let rows = lines.iter().flat_map(|(line, style)| wrap(line, room).into_iter().map(move |row| (row, *style)));
    let all: Vec<(String, Style)> = rows.collect();
    let first = scroll.min(all.len().saturating_sub(area.height as usize));
    for (index, (row, style)) in all.iter().skip(first).take(area.height as usize).enumerate() {
        put(buf, area.x + 1, area.y + saturating_u16(index), row, room, *style);
    }
}

fn wrap(line: &str, room: u16) -> Vec<String> {
    if width(line) <= room {
        return vec![line.to_owned()];
    }
    let mut rows = vec![String::new()];
    let mut used = 0;
    for grapheme in line.graphemes(true) {
        let wide = width(grapheme);
        if used + wide > room {
            // Break between words if one ends near the end of the row.
            let row = rows.last_mut().map(std::mem::take).unwrap_or_default();
            let cut = row.trim_end().rfind(' ').map(|at| at + 1).filter(|at| width(&row[..*at]) > room * 2 / 3);
            let (kept, carried) = row.split_at(cut.unwrap_or(row.len()));
            used = width(carried);
            rows.pop();
            rows.extend([kept.to_owned(), carried.to_owned()]);
        }
        if let Some(row) = rows.last_mut() {
            row.push_str(grapheme);
        }
        used += wide;
    }
    rows
}
