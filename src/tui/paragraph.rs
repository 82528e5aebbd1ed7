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
    let rows = lines.iter().flat_map(|(line, style)| wrap(line, 0, room).into_iter().map(move |row| (row, 0, *style)));
    draw(&rows.collect::<Vec<_>>(), Style::new(), scroll, area, buf);
}

/// A value with its name before it, or a text without one.
#[derive(Debug, Clone)]
pub struct Entry {
    pub name: String,
    pub text: String,
    pub style: Style,
}

/// Draws values behind a column of names so wide: what is wrapped stays behind it. A text without a name begins at the left.
pub fn entries(entries: &[Entry], (column, names): (u16, Style), scroll: usize, area: Rect, buf: &mut Buffer) {
    let room = area.width.saturating_sub(2).max(1);
    let indent = if column * 2 > room { 0 } else { column };
    let rows = entries.iter().flat_map(|Entry { name, text, style }| {
        let named = width(name);
        let line = match named {
            0 => text.clone(),
            _ => format!("{name}{}{text}", " ".repeat(usize::from(column.saturating_sub(named).max(1)))),
        };
        let rows = wrap(&line, if named == 0 { 0 } else { indent }, room).into_iter().enumerate();
        rows.map(move |(at, row)| (row, if at == 0 { named } else { 0 }, *style))
    });
    draw(&rows.collect::<Vec<_>>(), names, scroll, area, buf);
}

/// Draws rows, of which so many columns are a name.
fn draw(rows: &[(String, u16, Style)], names: Style, scroll: usize, area: Rect, buf: &mut Buffer) {
    let room = area.width.saturating_sub(2).max(1);
    let first = scroll.min(rows.len().saturating_sub(area.height as usize));
    for (y, (row, named, style)) in (area.y..area.bottom()).zip(rows.iter().skip(first)) {
        put(buf, area.x + 1, y, row, room, *style);
        buf.set_style(Rect { x: area.x + 1, y, width: (*named).min(room), height: 1 }, names);
    }
}

/// The rows that a text has in so many columns, as [`paragraph`] draws it.
pub fn rows(text: &str, columns: u16) -> u16 {
    saturating_u16(wrap(text, 0, columns.saturating_sub(2).max(1)).len())
}

/// A part of a text at its column and its row.
type Placed<'a> = (u16, u16, &'a str, Style);

/// Places pieces one after the other in so many columns, in rows that end between words; and the number of rows.
fn placed<'a>(pieces: &[(&'a str, Style)], room: u16) -> (Vec<Placed<'a>>, u16) {
    // A word may be of several pieces: a key with the full stop behind it.
    let mut words: Vec<Vec<(&str, Style)>> = vec![Vec::new()];
    for (text, style) in pieces {
        for part in text.split_inclusive(' ') {
            if let Some(word) = words.last_mut() {
                word.push((part, *style));
            }
            if part.ends_with(' ') {
                words.push(Vec::new());
            }
        }
    }
    let (mut all, mut x, mut y) = (Vec::new(), 0_u16, 0_u16);
    for word in words {
        let wide: u16 = word.iter().map(|(part, _)| width(part.trim_end())).sum();
        if x > 0 && x.saturating_add(wide) > room {
            (x, y) = (0, y.saturating_add(1));
        }
        for (part, style) in word {
            all.push((x, y, part, style));
            x = x.saturating_add(width(part));
        }
    }
    (all, y.saturating_add(1))
}

/// Draws pieces of several styles one after the other, in rows that end between words; returns how many rows there are.
pub fn flow(pieces: &[(&str, Style)], area: Rect, buf: &mut Buffer) -> u16 {
    let room = area.width.saturating_sub(2).max(1);
    let (parts, rows) = placed(pieces, room);
    for (x, y, part, style) in parts.into_iter().filter(|(_, y, ..)| *y < area.height) {
        put(buf, area.x + 1 + x, area.y + y, part, room.saturating_sub(x), style);
    }
    rows
}

/// The rows that a text has in so many columns, as [`flow`] draws it.
pub fn flowing_rows(text: &str, columns: u16) -> u16 {
    placed(&[(text, Style::new())], columns.saturating_sub(2).max(1)).1
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
    use super::{placed, wrap};
    use ratatui::style::Style;

    #[test]
    fn what_flows_ends_its_rows_between_words_and_keeps_a_key_with_its_full_stop() {
        let pieces = ["open it with ", "⏎", ".", " Then go on"].map(|text| (text, Style::new()));
        let rows_of = |room: u16| {
            let (parts, count) = placed(&pieces, room);
            let row = |y: u16| parts.iter().filter(|part| part.1 == y).map(|part| part.2).collect::<String>();
            (0..count).map(row).collect::<Vec<_>>()
        };
        assert_eq!(rows_of(40), ["open it with ⏎. Then go on"]);
        assert_eq!(rows_of(15), ["open it with ⏎. ", "Then go on"]);
        assert_eq!(rows_of(14), ["open it with ", "⏎. Then go on"]);
        assert_eq!(rows_of(4), ["open ", "it ", "with ", "⏎. ", "Then ", "go ", "on"]);
    }

    #[test]
    fn what_is_wrapped_stays_in_its_column() {
        let rows = wrap("http   503 Unavailable: may be tried again", 7, 30);
        assert_eq!(rows, ["http   503 Unavailable: may ", "       be tried again"]);
        assert_eq!(wrap("a b", 7, 30), ["a b"]);
    }
}
