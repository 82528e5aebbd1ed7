//! The objectives above the systems: a line each, calm while the budget lasts.

use crate::screens::shared::Shared;
use crate::tui::Canvas;
use crate::tui::text::{fit, left, put_all, right, safe};
use crosstail_core::number::saturating_u16;
use crosstail_engine::insight::alerting::length;
use crosstail_engine::insight::objective::{Objective, Standing, percent};
use ratatui::layout::Rect;
use ratatui::style::Style;

/// At most so many lines, so that the systems are seen.
const LINES: u16 = 6;
/// From this width on, the target and both windows of a rate are shown.
const WIDE: u16 = 112;

/// Draws them at the top of an area, and returns the rest of it.
pub(in crate::screens::health) fn render(shared: &Shared, area: Rect, canvas: &mut Canvas<'_>) -> Rect {
    let mut all: Vec<(&Objective, Option<Standing>)> =
        shared.alerts.alerting.objectives.standings(shared.now).collect();
    // What burns stands first, then what has the least budget left.
    let budget = |standing: &Option<Standing>| standing.as_ref().map_or(1.0, Standing::budget);
    let burns = |standing: &Option<Standing>| standing.as_ref().is_some_and(Standing::is_burning);
    all.sort_by(|(_, a), (_, b)| burns(b).cmp(&burns(a)).then(budget(a).total_cmp(&budget(b))));
    let lines = saturating_u16(all.len()).min(LINES).min(area.height / 4);
    for (y, (objective, standing)) in (area.y..).zip(&all).take(usize::from(lines)) {
        line(objective, standing.as_ref(), Rect { y, height: 1, ..area }, canvas);
    }
    let used = if lines == 0 { 0 } else { lines + 1 };
    Rect { y: area.y + used, height: area.height - used, ..area }
}

fn line(objective: &Objective, standing: Option<&Standing>, area: Rect, canvas: &mut Canvas<'_>) {
    let theme = &canvas.look.theme;
    let wide = area.width >= WIDE;
    let room = if wide { 22 } else { 18 };
    let name = left(&fit(&safe(&objective.name), room), room);
    let Some(standing) = standing else {
        let pieces = [(" ◌ ", theme.dim), (name.as_str(), theme.dim), (" being counted …", theme.dim)];
        put_all(canvas.buf, area.x, area.y, area.width, &pieces);
        return;
    };
    let (glyph, style) = match (standing.is_burning(), standing.budget() <= 0.0) {
        (true, _) => ("✗", theme.failure),
        (false, true) => ("◐", theme.warning),
        (false, false) => ("✓", theme.dim),
    };
    let calm = |is_much: bool| if is_much { style } else { theme.dim };
    let share = standing.share().map_or_else(|| "nothing yet".to_owned(), |share| percent(share, standing.target));
    let target = if wide { format!(" of {}", percent(standing.target, standing.target)) } else { String::new() };
    let left_of = format!("  budget {} left", right(&format!("{:.0} %", 100.0 * standing.budget().max(0.0)), 5));
    let over = if wide { format!(" of {}", length(standing.window_us)) } else { String::new() };
    let rates = standing.burns.map(|burn| {
        let short = if wide { format!(", {:.1}× in {}", burn.short, length(burn.short_us)) } else { String::new() };
        (format!("  {:.1}× in {}{short}", burn.long, length(burn.long_us)), calm(burn.is_beyond(burn.limit)))
    });
    let pieces = [
        (format!(" {glyph} "), style),
        (name, if standing.is_burning() { style } else { theme.text }),
        (format!(" {}", right(&share, 9)), calm(standing.share().is_some_and(|share| share < standing.target))),
        (target, theme.dim),
        (left_of, calm(standing.budget() <= 0.0)),
        (over, theme.dim),
        (if wide { "  burns" } else { "" }.to_owned(), theme.dim),
    ];
    let pieces: Vec<(String, Style)> = pieces.into_iter().chain(rates).collect();
    let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
    put_all(canvas.buf, area.x, area.y, area.width, &pieces);
}
