//! How it is drawn: a line a job, below them the query of the selected one, and below that the log.

use super::JobsScreen;
use crate::screens::shared::Shared;
use crate::tui::paragraph::paragraph;
use crate::tui::text::{ago, clock, count, day, left, put, put_all, right, safe, width};
use crate::tui::{Canvas, Spot, Theme};
use crosstail_core::number::{saturating_u16, saturating_usize};
use crosstail_engine::insight::size;
use crosstail_source::{JobState, Priority};
use ratatui::layout::Rect;
use ratatui::style::Style;
use tracing::Level;

/// Lines for the query of the selected job, with its rule.
const QUERY: u16 = 4;
/// Lines for the jobs, at least, with their titles.
const JOBS: u16 = 6;

pub(super) fn render(screen: &JobsScreen, shared: &Shared, canvas: &mut Canvas<'_>) {
    let area = canvas.area;
    let wanted = saturating_u16(screen.jobs.len()).saturating_add(3 + QUERY).max(JOBS);
    let above = wanted.min(area.height / 2);
    jobs(screen, shared, &mut canvas.at(Rect { height: above, ..area }));
    let below = Rect { y: area.y + above, height: area.height - above, ..area };
    log(screen, shared, &mut canvas.at(below));
}

/// What happened, the newest at the bottom.
fn log(screen: &JobsScreen, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let panel = &screen.log;
    let search = safe(panel.field.text());
    let left_out = match panel.left_out {
        0 => String::new(),
        more => format!(" of {}", count(panel.lines().len() + more)),
    };
    let title = format!("── log ({}{left_out}) ", count(panel.lines().len()));
    put(canvas.buf, area.x, area.y, &"─".repeat(area.width as usize), area.width, theme.dim);
    let style = if screen.in_log { theme.title } else { theme.dim };
    put(canvas.buf, area.x, area.y, &title, area.width, style);
    if panel.is_typing || !search.is_empty() {
        let x = area.x + width(&title);
        let room = area.width.saturating_sub(width(&title));
        put_all(canvas.buf, x, area.y, room, &[("/ ", theme.accent), (&search, theme.title), (" ", theme.text)]);
        if panel.is_typing {
            *canvas.cursor = Some((x + 2 + width(&search), area.y));
        }
    }
    // Also the empty lines: the wheel turns the log there.
    canvas.spots.add(area, Spot::Part(super::LOG, usize::MAX));
    let height = area.height.saturating_sub(1) as usize;
    let last = panel.lines().len().min((panel.cursor() + height / 2 + 1).max(height));
    let first = last.saturating_sub(height);
    let today = day(shared.zone, shared.now);
    for (row, line) in panel.lines()[first..last].iter().enumerate() {
        let selected = screen.in_log && first + row == panel.cursor();
        let time = clock(shared.zone, line.at, today);
        let pieces = [
            (" ", theme.dim),
            (&*time, theme.dim),
            (" ", theme.dim),
            if line.is_notice() { ("said ", theme.accent) } else { level(line.level, theme) },
            (" ", theme.dim),
            (line.said(), theme.text),
        ];
        let y = area.y + 1 + saturating_u16(row);
        put_all(canvas.buf, area.x, y, area.width, &pieces);
        canvas.choice(y, Spot::Part(super::LOG, first + row), selected);
    }
}

/// The word and the style of a level.
fn level(level: Level, theme: &Theme) -> (&'static str, Style) {
    match level {
        Level::ERROR => ("error", theme.failure),
        Level::WARN => ("warn ", theme.warning),
        Level::INFO => ("info ", theme.text),
        _ => ("debug", theme.dim),
    }
}

/// The jobs, and the query of the selected one.
fn jobs(screen: &JobsScreen, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let jobs = &screen.jobs;
    canvas.spots.add(area, Spot::Part(super::JOB, usize::MAX));
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
    let below = if area.height >= 4 + QUERY { QUERY } else { 0 };
    let list = Rect { y: area.y + 2, height: area.height.saturating_sub(2 + below), ..area };
    let height = list.height.max(1) as usize;
    let first = (screen.line.0 + 1).saturating_sub(height);
    for (index, job) in jobs.iter().enumerate().skip(first).take(height) {
        let place = Rect { y: list.y + saturating_u16(index - first), height: 1, ..list };
        line(job, shared, &mut canvas.at(place));
        canvas.choice(place.y, Spot::Part(super::JOB, index), !screen.in_log && index == screen.line.0);
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

fn line(job: &JobState, shared: &Shared, canvas: &mut Canvas<'_>) {
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
        (&*left(&source, 16), theme.title),
        (" ", theme.text),
        (glyph, style),
        (&figures, theme.text),
        (&safe(&job.purpose), theme.text),
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
