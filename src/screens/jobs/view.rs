//! How it is drawn: a line a job, and below them the query of the selected one.

use super::JobsScreen;
use crate::screens::shared::Shared;
use crate::tui::paragraph::paragraph;
use crate::tui::text::{ago, count, left, put, put_all, right, safe};
use crate::tui::{Canvas, Theme};
use crosstail_core::number::{saturating_u16, saturating_usize};
use crosstail_engine::insight::size;
use crosstail_source::{JobState, Priority};
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Lines for the query of the selected job, with its title.
const QUERY: u16 = 7;

pub(super) fn render(screen: &JobsScreen, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let jobs = &screen.jobs;
    let waiting = jobs.iter().filter(|job| job.waiting).count();
    let head = format!(" {} running · {} waiting for a turn", count(jobs.len() - waiting), count(waiting));
    put(canvas.buf, area.x, area.y, &head, area.width, theme.dim);
    if jobs.is_empty() {
        put(canvas.buf, area.x + 2, area.y + 2, "no source does anything", area.width, theme.dim);
        return;
    }
    let titles = format!(
        " {}   {} {} {} {}",
        left("source", 16),
        right("since", 8),
        right("rows", 11),
        right("bytes", 10),
        left(" what for", 24)
    );
    put(canvas.buf, area.x, area.y + 1, &titles, area.width, theme.dim);
    let below = if area.height >= 14 { QUERY } else { 0 };
    let list = Rect { y: area.y + 2, height: area.height.saturating_sub(2 + below), ..area };
    let height = list.height.max(1) as usize;
    let first = (screen.line.0 + 1).saturating_sub(height);
    for (index, job) in jobs.iter().enumerate().skip(first).take(height) {
        let place = Rect { y: list.y + saturating_u16(index - first), height: 1, ..list };
        line(job, index == screen.line.0, shared, &mut canvas.at(place));
    }
    if let Some(job) = screen.current().filter(|_| below > 0) {
        query(job, &mut canvas.at(Rect { y: area.bottom() - below, height: below, ..area }));
    }
}

/// The mark and the style of a job: it waits, follows, or reads.
fn mark(job: &JobState, theme: &Theme) -> (&'static str, Style) {
    match job.priority {
        _ if job.waiting => ("◌", theme.pending),
        Priority::Follow => ("▶", theme.success),
        Priority::Asked => ("●", theme.accent),
        Priority::View | Priority::Background => ("·", theme.text),
    }
}

fn line(job: &JobState, selected: bool, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let names = shared.store.names();
    let source = job.source.map(|id| safe(&names.source_name(id))).unwrap_or_default();
    let (glyph, style) = mark(job, theme);
    let figures = format!(
        " {} {} {}  ",
        right(&ago(shared.now.since_us(job.began)), 8),
        right(&count(saturating_usize(job.rows)), 11),
        right(&size(job.bytes), 10)
    );
    let waiting = if job.waiting { ", waits for its turn" } else { "" };
    let pieces = [
        (" ", theme.text),
        (&*left(&source, 16), if selected { theme.selected } else { theme.title }),
        (" ", theme.text),
        (glyph, style),
        (&figures, theme.text),
        (&safe(&job.purpose), if selected { theme.selected } else { theme.text }),
        (waiting, theme.pending),
    ];
    put_all(canvas.buf, area.x, area.y, area.width, &pieces);
}

/// The query of a job, without values: these are bound.
fn query(job: &JobState, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    put(canvas.buf, area.x, area.y, &"─".repeat(area.width as usize), area.width, theme.dim);
    let text =
        if job.statement.is_empty() { "nothing was sent to the store yet".to_owned() } else { safe(&job.statement) };
    let place = Rect { y: area.y + 1, height: area.height - 1, ..area };
    paragraph(&[(text, theme.text)], 0, place, canvas.buf);
}
