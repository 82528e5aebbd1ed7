//! How it is drawn: a line a change, and a line for what was marked.

use super::{ChangesScreen, Line};
use crate::screens::shared::Shared;
use crate::tui::text::{count, duration, fit, left, put, put_all, right, safe};
use crate::tui::{Canvas, Part, Spot, Theme};
use crosstail_core::number::saturating_u64;
use crosstail_engine::change::{Measure, Shift};
use ratatui::layout::Rect;
use ratatui::style::Style;

pub(super) fn render(screen: &ChangesScreen, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height < 3 {
        return;
    }
    let Some(lines) = canvas.answered(screen.lines.as_ref()) else { return };
    let changes = lines.iter().filter(|line| matches!(line, Line::Shift(_))).count();
    let exact = screen.window.map(|window| duration(saturating_u64(window.bucket_us))).unwrap_or_default();
    let changes = if changes == 1 { "1 change".to_owned() } else { format!("{} changes", count(changes)) };
    let head = format!(" {changes} of rate, failures and p95 of a system, within {exact} · ◆ marked");
    put(canvas.buf, area.x, area.y, &fit(&head, area.width), area.width, theme.dim);
    if lines.is_empty() {
        put(canvas.buf, area.x + 2, area.y + 2, "no change that is more than chance", area.width, theme.dim);
        return;
    }
    let system = (area.width / 6).clamp(10, 24);
    let titles = format!(
        "   {} {} {} {}   {}",
        left("when", 14),
        left("system", system),
        left("what", 9),
        right("before", 10),
        "after"
    );
    put(canvas.buf, area.x, area.y + 1, &titles, area.width, theme.dim);
    let list = Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area };
    let first = (screen.line.0 + 1).saturating_sub(usize::from(list.height.max(1)));
    for (y, (index, line)) in (list.y..list.bottom()).zip(lines.iter().enumerate().skip(first)) {
        let at = shared.local(line.at()).format("%m-%d %H:%M:%S").to_string();
        let base = if index == screen.line.0 { theme.selected } else { theme.text };
        let pieces = match line {
            Line::Shift(shift) => {
                let (sign, style) = sign(shift, theme);
                let name = shift.group.first().and_then(Option::as_deref).map_or_else(|| "–".to_owned(), safe);
                let middle = format!(
                    " {} {} {} {} → ",
                    left(&at, 14),
                    left(&fit(&name, system), system),
                    left(shift.measure.words(), 9),
                    right(&shift.measure.shown(shift.before), 10)
                );
                [(format!(" {sign}"), style), (middle, base), (shift.measure.shown(shift.after), style)]
            }
            Line::Marker(marker) => [
                (" ◆".to_owned(), theme.accent),
                (format!(" {} ", left(&at, 14)), base),
                (safe(&marker.text), theme.accent),
            ],
        };
        let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
        put_all(canvas.buf, area.x, y, area.width, &pieces);
        canvas.spot_line(y, Spot::Part(Part::LINE, index));
    }
}

/// A sign, so that it is not told by the colour alone; more failures and longer durations are worse.
fn sign(shift: &Shift, theme: &Theme) -> (&'static str, Style) {
    let grows = shift.after > shift.before;
    let style = match (shift.measure, grows) {
        (Measure::Rate, _) => theme.warning,
        (_, true) => theme.failure,
        (_, false) => theme.success,
    };
    (if grows { "↑" } else { "↓" }, style)
}
