//! Completions, below the cursor of the filter bar.

use crate::screens::explore::filter_bar::FilterBar;
use crate::screens::explore::filter_bar::view::TEXT_AT;
use crate::screens::explore::parts;
use crate::tui::text::{count, left, put, right, safe, width};
use crate::tui::{Canvas, Spot};
use crosstail_core::number::saturating_u16;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget as _};

const ROWS: usize = 9;

pub(super) fn render(filter: &FilterBar, bar: Rect, canvas: &mut Canvas<'_>) {
    let (theme, buf) = (&canvas.look.theme, &mut *canvas.buf);
    if filter.completions.is_empty() || bar.height == 0 {
        return;
    }
    let all = &filter.completions;
    let chosen = filter.chosen.unwrap_or(0);
    let first = (chosen + 1).saturating_sub(ROWS);
    let rows = all.len().min(ROWS).min(buf.area.bottom().saturating_sub(bar.bottom()) as usize);
    let shown: Vec<_> = all.iter().enumerate().skip(first).take(rows).collect();
    let names = shown.iter().map(|(_, c)| width(&safe(&c.insert))).max().unwrap_or(0).clamp(8, 40);
    let number = |detail: &str| detail.parse::<usize>().ok().map(count);
    let details = shown.iter().map(|(_, c)| width(&number(&c.detail).unwrap_or_else(|| safe(&c.detail))));
    let details = details.max().unwrap_or(0).min(60);
    let needed = (names + details + 4).min(buf.area.width);
    let at = filter.field.text().get(..all[0].span.start).map_or(0, |t| width(&crosstail_core::model::visible_line(t)));
    let x = (bar.x + TEXT_AT + at).min(buf.area.width.saturating_sub(needed));
    let place = Rect { x, y: bar.bottom(), width: needed, height: saturating_u16(rows) };
    Clear.render(place, buf);
    for (row, (index, completion)) in shown.into_iter().enumerate() {
        let y = place.y + saturating_u16(row);
        let detail = match number(&completion.detail) {
            Some(number) => right(&number, details),
            None => left(&safe(&completion.detail), details),
        };
        let style = if Some(index) == filter.chosen { theme.selected } else { theme.selected_dim };
        put(buf, place.x, y, &format!(" {}  {detail} ", left(&safe(&completion.insert), names)), needed, style);
        canvas.spots.add_text(place.x, y, needed, Spot::Part(parts::COMPLETION, index));
    }
}
