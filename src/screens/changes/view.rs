//! How it is drawn: a line a change, and a line for what was marked.

use super::{ChangesScreen, Line};
use crate::action::Action;
use crate::screens::shared::Shared;
use crate::tui::text::{ago, count, fit, left, put, put_all, right, safe};
use crate::tui::{Canvas, Part, Spot, Theme};
use crosstail_core::model::Timestamp;
use crosstail_engine::change::{FoundChanges, Measure, Shift};
use ratatui::layout::Rect;
use ratatui::style::Style;

pub(super) fn render(screen: &ChangesScreen, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height < 3 {
        return;
    }
    let Some(lines) = canvas.answered(screen.lines.as_ref()) else { return };
    let changes = lines.iter().filter(|line| matches!(line, Line::Shift(_))).count();
    let changes = if changes == 1 { "1 change".to_owned() } else { format!("{} changes", count(changes)) };
    put_all(
        canvas.buf,
        area.x,
        area.y,
        area.width,
        &head(screen, &changes, shared, theme).each_ref().map(|(t, s)| (t.as_str(), *s)),
    );
    let foot = u16::from(area.height >= 6);
    if let Some(found) = screen.found.as_ref().filter(|_| foot > 0) {
        bounds(found, Rect { y: area.bottom() - foot, height: foot, ..area }, canvas);
    }
    if lines.is_empty() {
        put(canvas.buf, area.x + 2, area.y + 2, "no change that is more than chance", area.width, theme.dim);
        return;
    }
    let system = if screen.of.is_some() { (area.width / 3).clamp(16, 48) } else { (area.width / 6).clamp(10, 24) };
    let titles = format!(
        "   {} {} {} {}   {}",
        left("when", 14),
        left(if screen.of.is_some() { "endpoint" } else { "system" }, system),
        left("what", 9),
        right("before", 10),
        "after"
    );
    put(canvas.buf, area.x, area.y + 1, &titles, area.width, theme.dim);
    let list = Rect { y: area.y + 2, height: area.height.saturating_sub(2 + foot), ..area };
    let first = (screen.line.0 + 1).saturating_sub(usize::from(list.height.max(1)));
    for (y, (index, line)) in (list.y..list.bottom()).zip(lines.iter().enumerate().skip(first)) {
        let at = shared.local(line.at()).format("%m-%d %H:%M:%S").to_string();
        let pieces = match line {
            Line::Shift(shift) => {
                let (sign, style) = sign(shift, theme);
                let named = shift.group.get(usize::from(screen.of.is_some())).and_then(Option::as_deref);
                let name = named.map_or_else(|| "–".to_owned(), safe);
                // Among systems, what was found at a marker is of an endpoint.
                let endpoint = shift.group.get(1).and_then(Option::as_deref).filter(|_| screen.of.is_none());
                let endpoint = endpoint.map(|endpoint| format!("  {}", safe(endpoint))).unwrap_or_default();
                let middle = format!(
                    " {} {} {} {} → ",
                    left(&at, 14),
                    left(&fit(&name, system), system),
                    left(shift.measure.words(), 9),
                    right(&shift.measure.shown(shift.before), 10)
                );
                let after = (shift.measure.shown(shift.after), style);
                [(format!(" {sign}"), style), (middle, theme.text), after, (endpoint, theme.dim)]
            }
            Line::Marker(marker) => [
                (" ◆".to_owned(), theme.accent),
                (format!(" {} ", left(&at, 14)), theme.text),
                (safe(&marker.text), theme.accent),
                (String::new(), theme.dim),
            ],
        };
        let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
        put_all(canvas.buf, area.x, y, area.width, &pieces);
        canvas.choice(y, Spot::Part(Part::LINE, index), index == screen.line.0);
    }
}

/// What may be missed, and what finds it.
fn bounds(found: &FoundChanges, area: Rect, canvas: &mut Canvas<'_>) {
    let text = format!("what lasts less than {} may be missed", ago(found.shortest_us));
    let keys = [(Action::ZOOM_IN, "a shorter range"), (Action::RANGE, "any range")];
    let (room, dim) = (area.width.saturating_sub(2), canvas.look.theme.dim);
    canvas.put_keys(area.x + 1, area.y, room, (text.as_str(), &keys), dim);
}

/// How many changes of what, how exactly they are known, and what is not: where activities begin and end, and which source is away.
fn head(screen: &ChangesScreen, changes: &str, shared: &Shared, theme: &Theme) -> [(String, Style); 3] {
    let found = screen.found.as_ref();
    let exact = found.map(|found| ago(found.window.bucket_us)).unwrap_or_default();
    let of = screen.of.as_deref().map_or_else(|| "a system".to_owned(), |of| format!("endpoints of {}", safe(of)));
    let clock = |at: Timestamp| shared.local(at).format("%m-%d %H:%M").to_string();
    let ends = match found {
        Some(found) if found.begins && found.ends => {
            format!(" · activities only from {} to {}", clock(found.window.from), clock(found.window.to))
        }
        Some(found) if found.begins => format!(" · no activities before {}", clock(found.window.from)),
        Some(found) if found.ends => format!(" · no activities after {}", clock(found.window.to)),
        _ => String::new(),
    };
    let problem = found.and_then(|found| found.problem.as_ref());
    [
        (format!(" {changes} of rate, failures and p95 of {of}, within {exact} · ◆ marked"), theme.dim),
        (ends, theme.text),
        (problem.map(|problem| format!(" · without {}", safe(problem))).unwrap_or_default(), theme.warning),
    ]
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
