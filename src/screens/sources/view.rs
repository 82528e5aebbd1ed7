//! The sources: state, lag, counts.

use super::Sources;
use crate::absent;
use crate::ingest::SourceStatus;
use crate::screens::shared::{Shared, failing};
use crate::tui::paragraph::{paragraph, rows};
use crate::tui::text::{ago, count, left, put, put_all, right, safe};
use crate::tui::vitals;
use crate::tui::{Canvas, Part, Spot, Theme};
use crosstail_core::number::saturating_usize;
use crosstail_source::pump::SourceState as Source;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Columns from which on server and schema stand beside the figures.
const WIDE: u16 = 112;

pub(super) fn render(screen: &Sources, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let head = format!(
        "{} {} {} {} {} {}  {}",
        left("source", 18),
        left("state", 12),
        right("received", 11),
        right("late", 7),
        right("dropped", 8),
        right("newest", 10),
        if area.width < WIDE { "" } else { "what it is" }
    );
    put(canvas.buf, area.x + 1, area.y, &head, area.width, theme.dim);
    let said: Vec<String> = shared.sources.iter().map(|source| said(source, shared, area.width < WIDE)).collect();
    let heights: Vec<u16> = said.iter().map(|said| 1 + rows(said, area.width.saturating_sub(2))).collect();
    // Below the list: the vitals of the selected source.
    let mut area = area;
    if let Some(source) = shared.sources.get(screen.line.0).filter(|source| !source.vitals.is_empty()) {
        let listed = (1 + heights.iter().sum::<u16>()).min(area.height / 2);
        let below = Rect { y: area.y + listed, height: area.height - listed, ..area };
        area.height = listed;
        let lines = vitals::lines(source.vitals.checks.iter().map(|check| (check, None)), &source.vitals.metrics);
        vitals::render(&safe(&source.name), &lines, below, canvas.buf, theme);
    }
    let mut y = area.y + 1;
    for (index, ((source, said), height)) in shared.sources.iter().zip(said).zip(heights).enumerate() {
        let room = area.bottom().saturating_sub(y);
        if room < 2 {
            return;
        }
        let height = height.min(room);
        canvas.spots.add(Rect { y, height, ..area }, Spot::Part(Part::LINE, index));
        let (glyph, word, style) = state(source, theme);
        let probe = if area.width < WIDE { String::new() } else { server(source) };
        put_all(
            canvas.buf,
            area.x + 1,
            y,
            area.width.saturating_sub(1),
            &[
                (&left(&safe(&source.name), 18), theme.title),
                (" ", theme.text),
                (glyph, style),
                (" ", theme.text),
                (&left(word, 10), style),
                (&figures(source, shared), theme.text),
                (&probe, theme.dim),
            ],
        );
        let style = if failing(source, shared.now).is_some() { theme.failure } else { theme.dim };
        let below = Rect { x: area.x + 2, y: y + 1, width: area.width.saturating_sub(2), height: height - 1 };
        paragraph(&[(said, style)], 0, below, canvas.buf);
        if index == screen.line.0 {
            canvas.select(Rect { y, height: 1, ..area });
        }
        y += height;
    }
    y += 1;
    if y < area.bottom() {
        let (used, budget) = (shared.store.bytes() >> 20, shared.settings.memory >> 20);
        let held = count(shared.store.len());
        let activities = if shared.store.len() == 1 { "activity" } else { "activities" };
        let text = format!("memory: {used} of {budget} MB, {held} {activities}");
        put(canvas.buf, area.x + 1, y, &text, area.width.saturating_sub(2), theme.dim);
    }
}

fn state(source: &SourceStatus, theme: &Theme) -> (&'static str, &'static str, Style) {
    match &source.state {
        Source::Connecting => ("○", "connecting", theme.pending),
        Source::Loading => ("◐", "loading", theme.pending),
        Source::Live => match source.missing().first() {
            Some(missing) => ("◌", absent::shortly(missing), theme.warning),
            None => ("●", "live", theme.success),
        },
        Source::Waiting { .. } => ("✗", "waiting", theme.failure),
        Source::Failed { .. } => ("✗", "failed", theme.failure),
        Source::Ended => ("■", "ended", theme.dim),
    }
}

/// What a source has delivered, below the head.
fn figures(source: &SourceStatus, shared: &Shared) -> String {
    let newest = source.newest.map_or_else(|| "–".to_owned(), |at| format!("{} ago", ago(shared.now.since_us(at))));
    format!(
        " {} {} {} {}  ",
        right(&count(saturating_usize(source.received)), 11),
        right(&count(saturating_usize(source.late)), 7),
        right(&count(saturating_usize(source.dropped)), 8),
        right(&newest, 10)
    )
}

/// What a source is, and by which schema it is read.
fn server(source: &SourceStatus) -> String {
    let Some(probe) = source.probe.as_ref() else { return String::new() };
    // Before a record has come, nothing says how they look.
    let schema = if probe.schema.is_empty() { String::new() } else { format!(", schema {}", probe.schema) };
    safe(&format!("{}{schema}", probe.server))
}

/// What is to be said of a source: why it cannot be read, what it said itself. If there is no room next to the figures, server
/// and schema, too.
fn said(source: &SourceStatus, shared: &Shared, narrow: bool) -> String {
    let ahead = source.probe.as_ref().and_then(|probe| probe.clock_ahead_us).filter(|us| us.abs() >= 2_000_000);
    let ahead = ahead.map(|us| {
        let way = if us > 0 { "ahead of" } else { "behind" };
        format!("its clock is {} {way} this machine's", ago(us.abs()))
    });
    let mut parts = vec![if narrow { server(source) } else { String::new() }, ahead.unwrap_or_default()];
    if let Some(failing) = failing(source, shared.now) {
        parts.extend([failing.next.unwrap_or_default(), failing.why, failing.help.unwrap_or_default()]);
    } else if source.missing().is_empty() {
        let limits = || source.probe.as_ref().and_then(|probe| probe.limits.as_deref());
        parts.extend(source.last_notice.as_deref().or_else(limits).map(safe));
    } else {
        parts.extend(source.missing().iter().map(|missing| safe(&absent::said(missing))));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}
