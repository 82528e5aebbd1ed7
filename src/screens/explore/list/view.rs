//! The list: one line per activity.

use super::COLUMNS;
use crate::effect::Mark;
use crate::screens::explore::Explore;
use crate::screens::explore::parts;
use crate::screens::request::Focus;
use crate::screens::shared::Shared;
use crate::tui::text::{
    arrow, became, clock, day, duration, entity_text, glyph, left, put, right, safe, short_clock, what, width,
};
use crate::tui::{Canvas, Spot, Theme};
use crosstail_core::filter::{Atom, Expr, Field, Filter, Op, Operand, ScalarForm, Value};
use crosstail_core::model::{Activity, Kind, Status};
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
    /// Columns to the left of what it was: those of mark, status and direction, and time and system, each with a space.
    fn before_what(&self) -> u16 {
        5 + [self.time, self.system].iter().filter(|columns| **columns > 0).map(|columns| columns + 1).sum::<u16>()
    }

    /// `one_system`: the filter names the system, so the column would say the same in every line.
    fn of(width: u16, one_system: bool) -> Self {
        let time = match width {
            0..40 => 0,
            40..90 => 8,
            _ => 12,
        };
        let system = match width {
            _ if one_system => 0,
            0..90 => 8,
            _ => 11,
        };
        let (http, took, tries) = match width {
            0..50 => (4, 0, 0),
            50..70 => (4, 8, 0),
            _ => (4, 8, 4),
        };
        // Mark, status and direction take 5 columns; each of the others has a space after it.
        let taken = 5 + [time, system, http, took, tries].iter().filter(|w| **w > 0).map(|w| w + 1).sum::<u16>();
        let rest = width.saturating_sub(taken + 1);
        let what = match rest {
            0..34 => rest,
            34..60 => (rest * 45 / 100).max(21),
            _ => (rest * 45 / 100).min(44),
        };
        Self { time, system, what, http, took, tries, message: rest.saturating_sub(what + 1) }
    }
}

pub(in crate::screens::explore) fn render(explore: &Explore, shared: &Shared, rows: Rect, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height == 0 || area.width == 0 {
        return;
    }
    let columns = Columns::of(area.width, names_a_system(&shared.filter));
    let visible = explore.list.visible(&shared.store, rows.height.max(1) as usize);
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
        empty(explore, shared, rows, buf, theme);
    }
}

/// Whether a filter keeps one system only.
fn names_a_system(filter: &Filter) -> bool {
    let one = |expr: &&Expr| {
        matches!(expr, Expr::Atom(Atom { target: Operand::Field(Field::System), or_absent: false, op, value: Value::One(one), .. })
            if matches!(op, Op::Has | Op::Equal) && one.form != ScalarForm::Regex && !one.text.contains('*'))
    };
    filter.clauses().iter().any(one)
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
    cell(arrow(a.direction), 1, false, theme.dim);
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
    let message = message_of(&a, mark, &shown, columns, shared);
    // Where there is no room for both, of a failure the reason says more.
    let instead = columns.message == 0 && a.is_failed_attempt();
    cell(if instead { &message } else { &shown }, columns.what, false, if failed { theme.failure } else { theme.text });
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
    cell(&message, columns.message, false, if failed { theme.text } else { theme.dim });
}

/// What somebody noted about it.
fn noted(mark: Option<&Mark>) -> Option<String> {
    mark.filter(|mark| !mark.note.is_empty()).map(|mark| format!("◆ {}", safe(&mark.note)))
}

/// The message: what somebody noted, what a failure says, or what happened.
fn message_of(a: &Activity, mark: Option<&Mark>, shown: &str, columns: &Columns, shared: &Shared) -> String {
    let said = a.error.as_ref().or(a.message.as_ref()).map(|text| safe(text)).unwrap_or_default();
    let room = if columns.message == 0 { columns.what } else { columns.message };
    let message = match a.status {
        Some(Status::InProgress) if a.error.is_none() => "in progress".to_owned(),
        _ if a.is_failed_attempt() => of_failure(a, &said, room, shared),
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
    let entity = a.entity.as_deref().map(entity_text).unwrap_or_default();
    let id = entity.rsplit(' ').next().unwrap_or_default().to_owned();
    let outcome = a.final_outcome.map(|outcome| became(outcome, shared.zone, shared.now)).unwrap_or_default();
    let word = a.final_outcome.map(|outcome| outcome.name().replace('_', " ")).unwrap_or_default();
    let nothing = String::new();
    let joined = |parts: [&String; 2]| {
        parts.map(String::as_str).into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    };
    let fewer = [[&entity, &outcome], [&id, &outcome], [&id, &word], [&id, &nothing], [&nothing, &nothing]];
    let kept = width(why).min(REASON);
    let before = fewer.into_iter().map(joined).find(|text| text.is_empty() || width(text) + 3 + kept <= room);
    let before = before.unwrap_or_default();
    [before.as_str(), why].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
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
    } else if shared.sources.iter().any(|s| matches!(s.state, Source::Waiting { .. } | Source::Failed { .. })) {
        for source in &shared.sources {
            if let Source::Waiting { error, .. } | Source::Failed { error } = &source.state {
                lines.push(safe(error));
            }
        }
        lines.push("what was read of the other sources holds nothing here".to_owned());
        lines.truncate(if shared.sources.len() == 1 { 1 } else { lines.len() });
    } else if explore.is_searching() {
        lines.push("searching the stores; esc ends it".to_owned());
    } else if let Some(text) = explore.beyond(shared) {
        lines.push(text);
        lines.push("T chooses another range, Z a longer one".to_owned());
    } else if shared.store.is_empty() {
        lines.push("nothing yet; activities appear here as they arrive".to_owned());
    } else {
        lines.push("nothing matches this filter".to_owned());
        lines.push("[ goes back, backspace shows everything".to_owned());
    }
    for (row, line) in lines.iter().enumerate() {
        put(buf, area.x + 2, area.y + 1 + saturating_u16(row), line, area.width.saturating_sub(2), theme.dim);
    }
}
