//! The list: one line per activity.

use super::COLUMNS;
use crate::screens::explore::Explore;
use crate::screens::request::Focus;
use crate::screens::shared::Shared;
use crate::tui::Theme;
use crate::tui::text::{ago, arrow, clock, day, duration, glyph, left, put, right, safe, what};
use crosstail_core::filter::Field;
use crosstail_core::model::Status;
use crosstail_core::number::{saturating_u16, saturating_u64};
use crosstail_engine::store::Row;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Widths of the columns; 0 if there is no room.
struct Columns {
    time: u16,
    system: u16,
    what: u16,
    http: u16,
    took: u16,
    tries: u16,
    message: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let time = if width >= 40 { 12 } else { 0 };
        let system = if width >= 60 { 11 } else { 8 };
        let (http, took, tries) = match width {
            0..50 => (4, 0, 0),
            50..70 => (4, 8, 0),
            _ => (4, 8, 4),
        };
        // Mark, status and direction take 5 columns; each of the others has a space after it.
        let taken = 5 + [time, system, http, took, tries].iter().filter(|w| **w > 0).map(|w| w + 1).sum::<u16>();
        let rest = width.saturating_sub(taken + 1);
        let what = if rest > 30 { (rest * 45 / 100).clamp(20, 44) } else { rest };
        Self { time, system, what, http, took, tries, message: rest.saturating_sub(what + 1) }
    }
}

pub(in crate::screens::explore) fn render(
    explore: &Explore,
    shared: &Shared,
    (area, rows): (Rect, Rect),
    buf: &mut Buffer,
    theme: &Theme,
) {
    if area.height == 0 || area.width == 0 {
        return;
    }
    let columns = Columns::of(area.width);
    let visible = explore.list.visible(&shared.store, rows.height.max(1) as usize);
    // Times are of the last line's day, which the header names if it is not today.
    let day =
        visible.last().map_or_else(|| day(shared.zone, shared.now), |row| day(shared.zone, shared.store.started(*row)));
    if rows.y > area.y {
        header(explore, shared, area, day, &columns, buf, theme);
    }
    let current = explore.list.current(&shared.store);
    for (line, row) in visible.iter().enumerate() {
        let area = Rect { y: rows.y + saturating_u16(line), height: 1, ..rows };
        activity(explore, shared, *row, Some(*row) == current, day, area, &columns, buf, theme);
    }
    if visible.is_empty() {
        empty(explore, shared, rows, buf, theme);
    }
}

fn header(
    explore: &Explore,
    shared: &Shared,
    area: Rect,
    shown: chrono::NaiveDate,
    columns: &Columns,
    buf: &mut Buffer,
    theme: &Theme,
) {
    let mut x = area.x + 1;
    let here = |field: Field| explore.focus == Focus::List && COLUMNS[explore.list.column] == field;
    let mut cell = |text: &str, width: u16, align_right: bool, field: Option<Field>| {
        if width > 0 {
            let text = if align_right { right(text, width) } else { left(text, width) };
            let style = if field.is_some_and(here) { theme.accent } else { theme.dim };
            put(buf, x, area.y, &text, area.right().saturating_sub(x), style);
            x += width + 1;
        }
    };
    let time =
        if shown == day(shared.zone, shared.now) { "time".to_owned() } else { shown.format("%Y-%m-%d").to_string() };
    cell(&time, columns.time, false, None);
    cell("s", 1, false, Some(Field::Status));
    cell("d", 1, false, Some(Field::Direction));
    cell("system", columns.system, false, Some(Field::System));
    let what = match COLUMNS[explore.list.column] {
        Field::Method => ("method", Field::Method),
        Field::Kind => ("kind", Field::Kind),
        _ => ("what", Field::Endpoint),
    };
    cell(what.0, columns.what, false, Some(what.1));
    cell("http", columns.http, true, Some(Field::Http));
    cell("took", columns.took, true, None);
    cell("try", columns.tries, true, None);
    cell("message", columns.message, false, None);
}

#[allow(clippy::too_many_arguments, reason = "one line of the list")]
fn activity(
    explore: &Explore,
    shared: &Shared,
    row: Row,
    selected: bool,
    day: chrono::NaiveDate,
    area: Rect,
    columns: &Columns,
    buf: &mut Buffer,
    theme: &Theme,
) {
    let a = shared.store.get(row);
    let failed = a.is_failure();
    let marked = shared.marks.contains_key(&a.id);
    let base = if selected && explore.focus == Focus::List {
        Some(theme.selected)
    } else if selected && (explore.detail.is_some() || !explore.list.follow) {
        Some(theme.selected_dim)
    } else {
        None
    };
    let over = |style: Style| {
        base.map_or(style, |base| Style {
            fg: if base.fg.is_some() && style.fg == theme.text.fg { base.fg } else { style.fg },
            ..base
        })
    };
    if base.is_some() {
        put(buf, area.x, area.y, &" ".repeat(area.width as usize), area.width, over(theme.text));
    }
    let mut x = area.x;
    put(buf, x, area.y, if marked { "◆" } else { " " }, 1, over(theme.accent));
    x += 1;
    let mut cell = |text: &str, width: u16, align_right: bool, style: Style| {
        if width > 0 {
            let text = if align_right { right(text, width) } else { left(text, width) };
            put(buf, x, area.y, &text, area.right().saturating_sub(x), over(style));
            x += width + 1;
        }
    };
    let time = if explore.list.relative_time {
        format!("{} ago", ago(shared.now.since_us(a.started_at)))
    } else {
        clock(shared.zone, a.started_at, day)
    };
    cell(&time, columns.time, false, theme.dim);
    let outcome = match a.status {
        _ if failed => theme.failure,
        Some(Status::Success) => theme.success,
        Some(Status::InProgress) => theme.pending,
        _ if a.level == Some(crosstail_core::model::Level::Warn) => theme.warning,
        _ => theme.dim,
    };
    cell(glyph(a.status, a.level), 1, false, outcome);
    cell(arrow(a.direction), 1, false, theme.dim);
    cell(&safe(a.system.as_deref().unwrap_or("–")), columns.system, false, theme.text);
    let shown = what(&a);
    cell(&shown, columns.what, false, if failed { theme.failure } else { theme.text });
    let http = a.http_status.map_or_else(|| "–".to_owned(), |code| code.to_string());
    let bad_code = a.http_status.is_some_and(|code| code >= 400);
    cell(&http, columns.http, true, if bad_code { theme.failure } else { theme.dim });
    let took = match (a.took_us(), a.status) {
        (Some(us), _) => duration(us),
        (None, Some(Status::InProgress)) => duration(saturating_u64(shared.now.since_us(a.started_at))),
        _ => "–".to_owned(),
    };
    let slow = a.took_us().is_some_and(|us| us >= 5_000_000);
    cell(&took, columns.took, true, if slow { theme.warning } else { theme.dim });
    let tries = match (a.attempt, a.max_attempts) {
        (Some(n), Some(most)) => format!("{n}/{most}"),
        (Some(n), None) => n.to_string(),
        _ => String::new(),
    };
    cell(&tries, columns.tries, true, if a.attempt.is_some_and(|n| n > 1) { theme.warning } else { theme.dim });
    let message = a.error.as_ref().or(a.message.as_ref()).map(|text| safe(text)).unwrap_or_default();
    let message =
        if a.status == Some(Status::InProgress) && a.error.is_none() { "in progress".to_owned() } else { message };
    // The text of a log line is in the column before.
    let message = if message == shown { String::new() } else { message };
    let usage = [a.cpu_percent.map(|cpu| format!("cpu {cpu:.0} %")), a.memory_mb.map(|mb| format!("{mb:.0} MB"))];
    let usage = usage.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let message = [message, usage].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ");
    cell(&message, columns.message, false, if failed { theme.text } else { theme.dim });
}

/// Draws why the list is empty, and what to do.
fn empty(explore: &Explore, shared: &Shared, area: Rect, buf: &mut Buffer, theme: &Theme) {
    use crosstail_source::pump::SourceState as Source;
    let loading = shared.sources.iter().any(|s| matches!(s.state, Source::Connecting | Source::Loading));
    let mut lines: Vec<String> = Vec::new();
    if loading {
        for source in &shared.sources {
            let doing = match &source.state {
                Source::Connecting => "connecting".to_owned(),
                Source::Loading => format!("loading, {} so far", source.received),
                Source::Live => "live".to_owned(),
                Source::Waiting { error, .. } | Source::Failed { error } => safe(error),
                Source::Ended => "ended".to_owned(),
            };
            lines.push(format!("{}: {doing}", safe(&source.name)));
        }
    } else if explore.is_searching() {
        lines.push("searching the stores; esc ends it".to_owned());
    } else if let Some(text) = explore.beyond(shared) {
        lines.push(text);
        lines.push("T chooses another range, Z a longer one".to_owned());
    } else if shared.store.is_empty() {
        let errors = shared.sources.iter().filter_map(|s| match &s.state {
            Source::Waiting { error, .. } | Source::Failed { error } => Some(safe(error)),
            _ => None,
        });
        lines.extend(errors);
        if lines.is_empty() {
            lines.push("nothing yet; activities appear here as they arrive".to_owned());
        }
    } else {
        lines.push("nothing matches this filter".to_owned());
        lines.push("[ goes back, backspace shows everything".to_owned());
    }
    for (row, line) in lines.iter().enumerate() {
        put(buf, area.x + 2, area.y + 1 + saturating_u16(row), line, area.width.saturating_sub(2), theme.dim);
    }
}
