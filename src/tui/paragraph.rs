//! Wrapped text.

use super::text::{put, width};
use crosstail_core::number::saturating_u16;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;

/// Draws wrapped lines, from a row on; scrolling stops at the last row.
pub fn paragraph(lines: &[(String, Style)], scroll: usize, area: Rect, buf: &mut Buffer) {
    paragraph_of_columns(lines, 0, scroll, area, buf);
}

/// Draws lines that begin with a column of names so wide: what is wrapped stays behind it.
pub fn paragraph_of_columns(lines: &[(String, Style)], names: u16, scroll: usize, area: Rect, buf: &mut Buffer) {
    let room = area.width.saturating_sub(2).max(1);
    let names = if names * 2 > room { 0 } else { names };
    let rows = lines.iter().flat_map(|(line, style)| wrap(line, names, room).into_iter().map(move |row| (row, *style)));
    let all: Vec<(String, Style)> = rows.collect();
    let first = scroll.min(all.len().saturating_sub(area.height as usize));
    for (index, (row, style)) in all.iter().skip(first).take(area.height as usize).enumerate() {
        put(buf, area.x + 1, area.y + saturating_u16(index), row, room, *style);
    }
}

/// The rows that a text has in so many columns, as [`paragraph`] draws it.
pub fn rows(text: &str, columns: u16) -> u16 {
    saturating_u16(wrap(text, 0, columns.saturating_sub(2).max(1)).len())
}

/// Rows of a line; those behind the first begin so many columns further right.
fn wrap(line: &str, indent: u16, room: u16) -> Vec<String> {
    if width(line) <= room {
        return vec![line.to_owned()];
    }
    let blank = " ".repeat(usize::from(indent));
    let mut rows = vec![String::new()];
    let mut used = 0;
    for grapheme in line.graphemes(true) {
        let wide = width(grapheme);
        if used + wide > room {
            // Break between words if one ends near the end of the row.
            let row = rows.last_mut().map(std::mem::take).unwrap_or_default();
            let cut = row.trim_end().rfind(' ').map(|at| at + 1).filter(|at| width(&row[..*at]) > room * 2 / 3);
            let (kept, carried) = row.split_at(cut.unwrap_or(row.len()));
            used = indent + width(carried);
            rows.pop();
            rows.extend([kept.to_owned(), format!("{blank}{carried}")]);
        }
        if let Some(row) = rows.last_mut() {
            row.push_str(grapheme);
        }
        used += wide;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn what_is_wrapped_stays_in_its_column() {
        let rows = wrap("http   503 Unavailable: may be tried again", 7, 30);
        assert_eq!(rows, ["http   503 Unavailable: may ", "       be tried again"]);
        assert_eq!(wrap("a b", 7, 30), ["a b"]);
    }
}
