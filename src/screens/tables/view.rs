//! How it is drawn: two lines a table, what it has and what would be taken for what.

use super::Tables;
use crate::screens::shared::Shared;
use crate::tui::text::{count, left, put, put_all, right, safe};
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::number::{saturating_u16, saturating_usize};
use ratatui::layout::Rect;

pub(super) fn render(screen: &Tables, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let name = if area.width < 112 { 30 } else { 46 };
    let head = format!("{} {} {}  {}", left("table", name), right("≈ rows", 11), right("fit", 4), "source");
    put(canvas.buf, area.x + 1, area.y, &head, area.width, theme.dim);
    let room = area.width.saturating_sub(2);
    let fit = usize::from(area.height.saturating_sub(1) / 2).max(1);
    let first = (screen.line.0 + 1).saturating_sub(fit);
    let mut y = area.y + 1;
    for (index, (source, offer)) in screen.offers.iter().enumerate().skip(first) {
        if y + 1 >= area.bottom() {
            return;
        }
        let rows = offer.rows.map_or_else(|| "–".to_owned(), |rows| count(saturating_usize(rows)));
        let source = safe(&shared.store.names().source_name(*source)).clone();
        let pieces = [
            (left(&safe(&offer.name), name), theme.title),
            (format!(" {} ", right(&rows, 11)), theme.text),
            (right(&offer.fit.to_string(), 4), if offer.is_likely { theme.success } else { theme.dim }),
            (format!("{} {source}", if offer.is_likely { " ✓" } else { "  " }), theme.dim),
        ];
        let pieces: Vec<_> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
        put_all(canvas.buf, area.x + 1, y, room, &pieces);
        canvas.spots.add(Rect { y, height: 2, ..area }, Spot::Part(Part::LINE, index));
        put(canvas.buf, area.x + 3, y + 1, &safe(&offer.taken), area.width.saturating_sub(4), theme.dim);
        if index == screen.line.0 {
            canvas.select(Rect { y, height: 2, ..area });
        }
        y += 2;
    }
    let mut said: Vec<String> = screen.problems.iter().map(|problem| safe(problem)).collect();
    if screen.is_waiting {
        said.push("the sources are asked for their tables".to_owned());
    } else if screen.offers.is_empty() && said.is_empty() {
        said.push("no source is a database with a table that has a time".to_owned());
    }
    for (line, text) in said.iter().enumerate() {
        let y = y + saturating_u16(line);
        if y < area.bottom() {
            put(canvas.buf, area.x + 1, y, text, room, theme.dim);
        }
    }
}
