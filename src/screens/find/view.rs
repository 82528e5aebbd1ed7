//! The search for what a text identifies: progress per source, and the results.

use super::Find;
use crate::effect::SearchProgress;
use crate::screens::shared::Shared;
use crate::tui::dialog::dialog;
use crate::tui::text::{arrow, clock, day, fit, glyph, left, put, put_all, safe, what};
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::number::saturating_u16;

pub(super) fn render(find: &Find, shared: &Shared, canvas: &mut Canvas<'_>) {
    let theme = &canvas.look.theme;
    let wanted = saturating_u16(find.sources.len() + find.found.len().clamp(1, 15) + 5);
    let inside = dialog(canvas, 110, wanted.max(9), " find · ⏎ opens · esc closes ");
    let buf = &mut *canvas.buf;
    if inside.height == 0 {
        return;
    }
    put(buf, inside.x + 1, inside.y, &fit(&safe(&find.text), inside.width - 2), inside.width, theme.title);
    let mut y = inside.y + 1;
    for (id, progress) in &find.sources {
        if y >= inside.bottom() {
            return;
        }
        let (mark, style) = match progress {
            SearchProgress::Running(_) => ("…", theme.pending),
            SearchProgress::Found { .. } => ("✓", theme.success),
            SearchProgress::Empty(_) => ("·", theme.dim),
            SearchProgress::Failed(_) => ("✗", theme.failure),
        };
        let name = shared.store.names().source_name(*id);
        let said = fit(&safe(&progress.describe()), inside.width.saturating_sub(24));
        let pieces = [(mark, style), (" ", theme.text), (&*left(&safe(&name), 18), theme.text), (" ", theme.text)];
        let end = put_all(buf, inside.x + 1, y, inside.width, &pieces);
        put(buf, end, y, &said, inside.right().saturating_sub(end), style);
        y += 1;
    }
    y += 1;
    if find.found.is_empty() {
        let text = if find.is_done() { "nothing found in any source" } else { "" };
        put(buf, inside.x + 1, y.min(inside.bottom() - 1), text, inside.width, theme.warning);
        return;
    }
    let rows = inside.bottom().saturating_sub(y) as usize;
    let first = (find.chosen + 1).saturating_sub(rows);
    let today = day(shared.zone, shared.now);
    for (row, (index, a)) in find.found.iter().enumerate().skip(first).take(rows).enumerate() {
        let code = a.http_status.map(|code| code.to_string()).unwrap_or_default();
        let line = format!(
            " {} {} {} {} {} {}",
            left(&clock(shared.zone, a.started_at, today), 13),
            glyph(a.status, a.level),
            arrow(a.direction),
            left(&safe(a.system.as_deref().unwrap_or("")), 10),
            left(&what(a), 40),
            left(&code, 4)
        );
        let tail = a.error.as_deref().or(a.message.as_deref()).map(safe).unwrap_or_default();
        let y = y + saturating_u16(row);
        put(canvas.buf, inside.x, y, &left(&format!("{line}{tail}"), inside.width), inside.width, theme.text);
        canvas.at(inside).choice(y, Spot::Part(Part::LINE, index), index == find.chosen);
    }
}
