//! The list: one line per activity.

use super::{COLUMNS, Telling};
use crate::action::Action;
use crate::effect::Mark;
use crate::ingest::SourceStatus;
use crate::screens::explore::Explore;
use crate::screens::explore::parts;
use crate::screens::explore::views::names_a_system;
use crate::screens::request::Focus;
use crate::screens::shared::Shared;
use crate::tui::text::{
    arrow, became, clock, count, day, duration, entity_text, glyph, left, put, right, safe, short_clock, what, width,
};
use crate::tui::{Canvas, Context, Spot, Theme};
use crosstail_core::filter::Field;
use crosstail_core::model::{Activity, Kind, Status};
use crosstail_core::number::{saturating_u16, saturating_u64, saturating_usize};
use crosstail_engine::store::Row;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Widths of the columns; 0 if there is no room, or if they say nothing.
struct Columns {
    time: u16,
    system: u16,
    direction: u16,
    what: u16,
    http: u16,
    took: u16,
    tries: u16,
    message: u16,
}

impl Columns {
    /// Columns to the left of what it was: those of mark and status, then time, direction and system, each with a space.
    fn before_what(&self) -> u16 {
        let columns = [self.time, self.direction, self.system];
        3 + columns.iter().filter(|columns| **columns > 0).map(|columns| columns + 1).sum::<u16>()
    }

    fn of(width: u16, telling: Telling) -> Self {
        let time = match width {
            0..40 => 0,
            40..100 => 8,
            _ => 12,
        };
        let system = if width < 86 { 8 } else { 11 };
        let (took, tries) = match width {
            0..50 => (0, 0),
            50..70 => (8, 0),
            _ => (8, 4),
        };
        let only = |says: bool, columns: u16| if says { columns } else { 0 };
        let mut of = Self {
            time,
            system: only(telling.system, system),
            direction: only(telling.direction, 1),
            what: 0,
            http: only(telling.http, 4),
            took: only(telling.took, took),
            tries: only(telling.tries, tries),
            message: 0,
        };
        let behind = [of.http, of.took, of.tries].iter().filter(|w| **w > 0).map(|w| w + 1).sum::<u16>();
        let rest = width.saturating_sub(of.before_what() + behind + 1);
        of.what = match rest {
            0..34 => rest,
            34..60 => (rest * 45 / 100).max(21),
            _ => (rest * 45 / 100).min(44),
        };
        of.message = rest.saturating_sub(of.what + 1);
        of
    }
}

pub(in crate::screens::explore) fn render(explore: &Explore, shared: &Shared, rows: Rect, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height == 0 || area.width == 0 {
        return;
    }
    let visible = explore.list.visible(&shared.store, rows.height.max(1) as usize);
    let drawn = Telling::of(&shared.store, &visible, names_a_system(&shared.filter));
    let columns = Columns::of(area.width, explore.list.telling.or(drawn));
    // Times are of the last line's day, which the header names if it is not today.
    let day =
        visible.last().map_or_else(|| day(shared.zone, shared.now), |row| day(shared.zone, shared.store.started(*row)));
    if rows.y > area.y {
        header(explore, shared, day, &columns, canvas);
    }
    let current = explore.list.current(&shared.store);
    // Also the empty lines below the last one.
    canvas.spots.add(rows, Spot::Part(parts::ROW, usize::MAX));
    let buf = &mut *canvas.buf;
    for (line, row) in visible.iter().enumerate() {
        let area = Rect { y: rows.y + saturating_u16(line), height: 1, ..rows };
        canvas.spots.add(area, Spot::Part(parts::ROW, line));
        activity(explore, shared, *row, Some(*row) == current, day, area, &columns, buf, theme);
    }
    if visible.is_empty() {
        empty(explore, shared, rows, canvas);
    }
}

fn header(explore: &Explore, shared: &Shared, shown: chrono::NaiveDate, columns: &Columns, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let mut x = area.x + 1;
    let here = |field: Field| explore.focus == Focus::List && COLUMNS[explore.list.column] == field;
    let mut cell = |text: &str, width: u16, align_right: bool, field: Option<Field>| {
        if width > 0 {
            let text = if align_right { right(text, width) } else { left(text, width) };
            let style = if field.is_some_and(here) { theme.accent } else { theme.dim };
            put(canvas.buf, x, area.y, &text, area.right().saturating_sub(x), style);
            if let Some(column) = field.and_then(|field| COLUMNS.iter().position(|known| *known == field)) {
                canvas.spots.add_text(x, area.y, width, Spot::Part(parts::COLUMN, column));
            }
            x += width + 1;
        }
    };
    let time = if shown == day(shared.zone, shared.now) {
        "time".to_owned()
    } else {
        shown.format(if columns.time < 12 { "%m-%d" } else { "%Y-%m-%d" }).to_string()
    };
    cell(&time, columns.time, false, None);
    cell("s", 1, false, Some(Field::Status));
    cell("d", columns.direction, false, Some(Field::Direction));
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
    let mark = shared.marks.get(&a.id);
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
    put(buf, x, area.y, if mark.is_some() { "◆" } else { " " }, 1, over(theme.accent));
    x += 1;
    let mut cell = |text: &str, width: u16, align_right: bool, style: Style| {
        if width > 0 {
            let text = if align_right { right(text, width) } else { left(text, width) };
            put(buf, x, area.y, &text, area.right().saturating_sub(x), over(style));
            x += width + 1;
        }
    };
    let time = if explore.list.relative_time {
        relative(shared.now.since_us(a.started_at))
    } else if columns.time < 12 {
        short_clock(shared.zone, a.started_at, day)
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
    cell(arrow(a.direction), columns.direction, false, theme.dim);
    cell(&safe(a.system.as_deref().unwrap_or("–")), columns.system, false, theme.text);
    let shown = what(&a);
    // A line of a log has only its text, which takes the room of what it lacks.
    let has_no_more = a.http_status.is_none() && a.took_us().is_none() && a.attempt.is_none() && a.error.is_none();
    if a.kind == Kind::Log && has_no_more && a.cpu_percent.is_none() && a.memory_mb.is_none() {
        let text = noted(mark).map_or(shown.clone(), |note| format!("{note} · {shown}"));
        let style = if failed { theme.failure } else { theme.text };
        cell(&text, area.width.saturating_sub(columns.before_what()), false, style);
        return;
    }
    // With little room, of a failure it says more which order it was, and what became of it, than what was called.
    let of_what = match columns.message {
        1..ENOUGH if a.is_failed_attempt() => about(&a, columns.what, shared),
        _ => String::new(),
    };
    let message = message_of(&a, mark, &shown, (columns, !of_what.is_empty()), shared);
    let called = match columns.message {
        // And where there is none, the reason.
        0 if a.is_failed_attempt() => &message,
        _ if of_what.is_empty() => &shown,
        _ => &of_what,
    };
    cell(called, columns.what, false, if failed { theme.failure } else { theme.text });
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
        // That a success was the first try says nothing.
        (Some(1), _) if !failed => String::new(),
        (Some(n), Some(most)) => format!("{n}/{most}"),
        (Some(n), None) => n.to_string(),
        _ => String::new(),
    };
    cell(&tries, columns.tries, true, if a.attempt.is_some_and(|n| n > 1) { theme.warning } else { theme.dim });
    cell(&message, columns.message, false, if failed { theme.text } else { theme.dim });
}

/// Columns in which a message says of what a failure was, what became of it, and why.
const ENOUGH: u16 = 28;

/// What somebody noted about it.
fn noted(mark: Option<&Mark>) -> Option<String> {
    mark.filter(|mark| !mark.note.is_empty()).map(|mark| format!("◆ {}", safe(&mark.note)))
}

/// The message: what somebody noted, what a failure says, or what happened.
fn message_of(
    a: &Activity,
    mark: Option<&Mark>,
    shown: &str,
    (columns, is_told): (&Columns, bool),
    shared: &Shared,
) -> String {
    let said = a.error.as_ref().or(a.message.as_ref()).map(|text| safe(text)).unwrap_or_default();
    let room = if columns.message == 0 { columns.what } else { columns.message };
    let message = match a.status {
        Some(Status::InProgress) if a.error.is_none() => "in progress".to_owned(),
        _ if a.is_failed_attempt() && !is_told => of_failure(a, &said, room, shared),
        // The text of a log line is in the column before.
        _ if said == shown => String::new(),
        _ => said,
    };
    let usage = [a.cpu_percent.map(|cpu| format!("cpu {cpu:.0} %")), a.memory_mb.map(|mb| format!("{mb:.0} MB"))];
    let usage = usage.into_iter().flatten().collect::<Vec<_>>().join(" ");
    [noted(mark).unwrap_or_default(), message, usage]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" · ")
}

/// A time before now: `-15:04` minutes and seconds, `-2:07:33` with hours, `-3 d` beyond two days.
fn relative(us: i64) -> String {
    let seconds = us.max(0) / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("-{minutes}:{seconds:02}"),
        1..48 => format!("-{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("-{} d", hours / 24),
    }
}

/// What a failed attempt says: of what it was, what became of it, and why it failed. With little room it says less of each,
/// and something of why.
fn of_failure(a: &Activity, why: &str, room: u16, shared: &Shared) -> String {
    /// Columns that the reason keeps.
    const REASON: u16 = 8;
    let before = about(a, room.saturating_sub(width(why).min(REASON) + 3), shared);
    [before.as_str(), why].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// Of what a failed attempt was, and what became of it, in so many columns; nothing if there is no room.
fn about(a: &Activity, room: u16, shared: &Shared) -> String {
    let entity = a.entity.as_deref().map(entity_text).unwrap_or_default();
    let id = entity.rsplit(' ').next().unwrap_or_default().to_owned();
    let outcome = a.final_outcome.map(|outcome| became(outcome, shared.zone, shared.now)).unwrap_or_default();
    let word = a.final_outcome.map(|outcome| outcome.name().replace('_', " ")).unwrap_or_default();
    let nothing = String::new();
    let joined = |parts: [&String; 2]| {
        parts.map(String::as_str).into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    };
    let fewer = [[&entity, &outcome], [&id, &outcome], [&id, &word], [&id, &nothing], [&nothing, &nothing]];
    fewer.into_iter().map(joined).find(|text| width(text) <= room).unwrap_or_default()
}

/// Draws why the list is empty, and what to press.
fn empty(explore: &Explore, shared: &Shared, area: Rect, canvas: &mut Canvas<'_>) {
    let key = |action| canvas.look.keymap.first_key(Context::GLOBAL, action);
    let style = canvas.look.theme.dim;
    for (row, line) in why_empty(explore, shared, key).iter().enumerate() {
        let y = area.y + 1 + saturating_u16(row);
        if y < area.bottom() {
            put(canvas.buf, area.x + 2, y, line, area.width.saturating_sub(2), style);
        }
    }
}

fn why_empty(explore: &Explore, shared: &Shared, key: impl Fn(Action) -> String) -> Vec<String> {
    use crosstail_source::pump::SourceState as Source;
    let sources = &shared.sources;
    let is_busy = |source: &SourceStatus| matches!(source.state, Source::Connecting | Source::Loading);
    let problem = |source: &SourceStatus| match &source.state {
        Source::Waiting { error, .. } | Source::Failed { error } => Some(safe(error)),
        _ => None,
    };
    // What may be there and cannot be found.
    let limits = |source: &SourceStatus| {
        Some(format!("{}: {}", safe(&source.name), safe(source.probe.as_ref()?.limits.as_ref()?)))
    };
    let more = format!("{} says more of the sources", key(Action::SOURCES));
    if sources.iter().any(is_busy) {
        let doing = |source: &SourceStatus| match &source.state {
            Source::Connecting => "connecting".to_owned(),
            Source::Loading => format!("loading, {} so far", count(saturating_usize(source.received))),
            Source::Live => "live".to_owned(),
            Source::Ended => "ended".to_owned(),
            Source::Waiting { .. } | Source::Failed { .. } => problem(source).unwrap_or_default(),
        };
        return sources.iter().map(|source| format!("{}: {}", safe(&source.name), doing(source))).collect();
    }
    let mut lines: Vec<String> = sources.iter().filter_map(problem).collect();
    if !lines.is_empty() {
        if sources.len() > 1 {
            lines.push("what was read of the other sources holds nothing here".to_owned());
        }
        lines.push(more);
    } else if explore.is_searching() {
        lines.push(format!("searching the stores; {} ends it", key(Action::BACK)));
    } else if let Some(text) = explore.beyond(shared) {
        lines.push(text);
        lines.push(format!("{} chooses another range, {} a longer one", key(Action::RANGE), key(Action::ZOOM_OUT)));
        lines.extend(sources.iter().filter_map(limits));
    } else if shared.store.is_empty() {
        let probed =
            |source: &SourceStatus| Some(format!("{}: {}", safe(&source.name), safe(&source.probe.as_ref()?.server)));
        lines.push("nothing yet; activities appear here as they arrive".to_owned());
        lines.extend(sources.iter().filter_map(probed));
        lines.extend(sources.iter().filter_map(limits));
        lines.push(more);
    } else {
        let (back, all) = (key(Action::VIEW_BACK), key(Action::CLEAR_FILTER));
        lines.push("nothing matches this filter".to_owned());
        lines.push(format!("{back} goes back, {all} shows everything, {} changes it", key(Action::FILTER)));
        lines.extend(sources.iter().filter_map(limits));
    }
    lines
}
