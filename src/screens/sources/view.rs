//! The sources: state, lag, counts.

use super::Sources;
use crate::screens::shared::Shared;
use crate::tui::text::{ago, count, left, put, put_all, right, safe};
use crate::tui::vitals;
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::number::{saturating_u16, saturating_usize};
use crosstail_source::pump::SourceState as Source;
use ratatui::layout::Rect;

pub(super) fn render(screen: &Sources, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let buf = &mut *canvas.buf;
    let head = format!(
        "{} {} {} {} {} {}  {}",
        left("source", 18),
        left("state", 12),
        right("shown", 11),
        right("late", 7),
        right("dropped", 8),
        right("newest", 10),
        if area.width < 112 { "" } else { "what it is" }
    );
    put(buf, area.x + 1, area.y, &head, area.width, theme.dim);
    // Below the list: the vitals of the selected source.
    let mut area = area;
    if let Some(source) = shared.sources.get(screen.line.0).filter(|source| !source.vitals.is_empty()) {
        let listed = (1 + saturating_u16(shared.sources.len()) * 2).min(area.height / 2);
        let below = Rect { y: area.y + listed, height: area.height - listed, ..area };
        area.height = listed;
        let lines = vitals::lines(source.vitals.checks.iter().map(|check| (check, None)), &source.vitals.metrics);
        vitals::render(&safe(&source.name), &lines, below, buf, theme);
    }
    for (index, source) in shared.sources.iter().enumerate() {
        let y = area.y + 1 + saturating_u16(index) * 2;
        if y + 1 >= area.bottom() {
            return;
        }
        canvas.spots.add(Rect { y, height: 2, ..area }, Spot::Part(Part::LINE, index));
        let (glyph, word, style) = match &source.state {
            Source::Connecting => ("○", "connecting", theme.pending),
            Source::Loading => ("◐", "loading", theme.pending),
            Source::Live => ("●", "live", theme.success),
            Source::Waiting { .. } => ("✗", "waiting", theme.failure),
            Source::Failed { .. } => ("✗", "failed", theme.failure),
            Source::Ended => ("■", "ended", theme.dim),
        };
        let newest = source.newest.map_or_else(|| "–".to_owned(), |at| format!("{} ago", ago(shared.now.since_us(at))));
        let probe =
            source.probe.as_ref().map(|probe| format!("{}, schema {}", probe.server, probe.schema)).unwrap_or_default();
        let (narrow, beside) = (area.width < 112, safe(&probe));
        let name_style = if index == screen.line.0 { theme.selected } else { theme.title };
        let figures = format!(
            " {} {} {} {}  ",
            right(&count(saturating_usize(source.received)), 11),
            right(&count(saturating_usize(source.late)), 7),
            right(&count(saturating_usize(source.dropped)), 8),
            right(&newest, 10)
        );
        put_all(
            buf,
            area.x + 1,
            y,
            area.width.saturating_sub(1),
            &[
                (&left(&safe(&source.name), 18), name_style),
                (" ", theme.text),
                (glyph, style),
                (" ", theme.text),
                (&left(word, 10), style),
                (&figures, theme.text),
                (if narrow { "" } else { beside.as_str() }, theme.dim),
            ],
        );
        let ahead = source.probe.as_ref().and_then(|probe| probe.clock_ahead_us).filter(|us| us.abs() >= 2_000_000);
        let ahead = ahead.map(|us| {
            let way = if us > 0 { "ahead of" } else { "behind" };
            format!("its clock is {} {way} this machine's · ", ago(us.abs()))
        });
        let said = match &source.state {
            Source::Waiting { until, error } => {
                Some(format!("{}; retrying in {} s", safe(error), until.since_us(shared.now).max(0) / 1_000_000))
            }
            Source::Failed { error } => Some(safe(error)),
            _ => {
                let limits = || source.probe.as_ref().and_then(|probe| probe.limits.as_deref());
                source.last_notice.as_deref().or_else(limits).map(safe)
            }
        };
        // If there is no room next to the figures, server and schema go on the line below.
        let what = if narrow && !probe.is_empty() { format!("{} · ", safe(&probe)) } else { String::new() };
        let said = what + &ahead.unwrap_or_default() + &said.unwrap_or_default();
        let said = said.trim_end_matches(" · ").to_owned();
        put(buf, area.x + 3, y + 1, &said, area.width.saturating_sub(4), theme.dim);
    }
    let y = area.y + 2 + saturating_u16(shared.sources.len()) * 2;
    if y < area.bottom() {
        let (used, budget) = (shared.store.bytes() >> 20, shared.settings.memory >> 20);
        let held = count(shared.store.len());
        let activities = if shared.store.len() == 1 { "activity" } else { "activities" };
        let text = format!("memory: {used} of {budget} MB, {held} {activities}");
        put(buf, area.x + 1, y, &text, area.width.saturating_sub(2), theme.dim);
    }
}
