//! The list: one line per activity.

mod chosen;
mod empty;

use super::Telling;
use crate::effect::Mark;
use crate::screens::explore::Explore;
use crate::screens::explore::parts;
use crate::screens::explore::views::names_a_system;
use crate::screens::request::Focus;
use crate::screens::shared::Shared;
use crate::tui::text::{
    arrow, became, clock, day, duration, entity_text, glyph, left, put, right, safe, short_clock, what, width,
};
use crate::tui::{Canvas, Spot, Theme};
use crosstail_core::filter::{Field, Operand};
use crosstail_core::model::{Activity, FinalOutcome, Kind, Status};
use crosstail_core::number::{saturating_u16, saturating_u64};
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
        let system = match width {
            0..86 => 8,
            86..120 => telling.system_width.clamp(11, 13),
            _ => telling.system_width.clamp(11, 18),
        };
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
    let chosen = chosen::Widths::of(&shared.layout.columns, area.width);
    // Times are of the last line's day, which the header names if it is not today.
    let day =
        visible.last().map_or_else(|| day(shared.zone, shared.now), |row| day(shared.zone, shared.store.started(*row)));
    if rows.y > area.y {
        match &chosen {
            Some(widths) => chosen::header(explore, shared, day, widths, canvas),
            None => header(explore, shared, day, &columns, canvas),
        }
    }
    let current = explore.list.current(&shared.store);
    // Also the empty lines below the last one.
    canvas.spots.add(rows, Spot::Part(parts::ROW, usize::MAX));
    let buf = &mut *canvas.buf;
    for (at, row) in visible.iter().enumerate() {
        let area = Rect { y: rows.y + saturating_u16(at), height: 1, ..rows };
        canvas.spots.add(area, Spot::Part(parts::ROW, at));
        let line = Line::of(explore, shared, (*row, Some(*row) == current), day, area, theme);
        match &chosen {
            Some(widths) => chosen::activity(&line, widths, buf),
            None => activity(&line, &columns, buf),
        }
        if let Some(style) = line.base {
            theme.stand_out(style, area, buf);
        }
    }
    if visible.is_empty() {
        empty::render(explore, shared, rows, canvas);
    }
}

/// A line of the list.
struct Line<'a> {
    explore: &'a Explore,
    shared: &'a Shared,
    a: Activity,
    mark: Option<&'a Mark>,
    /// The style of the whole line, if it stands out.
    base: Option<Style>,
    /// Whether it only stands around another.
    is_dim: bool,
    day: chrono::NaiveDate,
    area: Rect,
    theme: &'a Theme,
}

impl<'a> Line<'a> {
    fn of(
        explore: &'a Explore,
        shared: &'a Shared,
        (row, selected): (Row, bool),
        day: chrono::NaiveDate,
        area: Rect,
        theme: &'a Theme,
    ) -> Self {
        let a = shared.store.get(row);
        let base = if selected && explore.focus == Focus::List {
            Some(theme.selected)
        } else if selected && (explore.detail.is_some() || !explore.list.follow) {
            Some(theme.selected_dim)
        } else {
            None
        };
        let is_dim = explore.is_around_another(&a.id);
        Self { explore, shared, mark: shared.marks.get(&a.id), a, base, is_dim, day, area, theme }
    }

    /// A style on the line.
    const fn over(&self, style: Style) -> Style {
        if self.is_dim { self.theme.dim } else { style }
    }

    /// Draws what stands before the columns; returns the column after it.
    fn begin(&self, buf: &mut Buffer) -> u16 {
        let Rect { x, y, .. } = self.area;
        let (sign, style) = match self.mark {
            Some(_) => ("◆", self.over(self.theme.accent)),
            None if self.explore.is_centre(&self.a.id) => ("▸", self.over(self.theme.accent)),
            None => (" ", self.over(self.theme.accent)),
        };
        put(buf, x, y, sign, 1, style);
        x + 1
    }

    /// When it started, in so many columns.
    fn time(&self, columns: u16) -> String {
        let (zone, at) = (self.shared.zone, self.a.started_at);
        if self.explore.list.relative_time {
            relative(self.shared.now.since_us(at))
        } else if columns < 12 {
            short_clock(zone, at, self.day)
        } else {
            clock(zone, at, self.day)
        }
    }

    fn outcome(&self) -> (&'static str, Style) {
        let (a, theme) = (&self.a, self.theme);
        let style = match a.status {
            _ if a.is_failure() => theme.failure,
            Some(Status::Success) => theme.success,
            Some(Status::InProgress) => theme.pending,
            _ if a.level == Some(crosstail_core::model::Level::Warn) => theme.warning,
            _ => theme.dim,
        };
        (glyph(a.status, a.level), style)
    }

    fn http(&self) -> (String, Style) {
        let code = self.a.http_status;
        let style = if code.is_some_and(|code| code >= 400) { self.theme.failure } else { self.theme.dim };
        (code.map_or_else(|| "–".to_owned(), |code| code.to_string()), style)
    }

    fn took(&self) -> (String, Style) {
        let a = &self.a;
        let took = match (a.took_us(), a.status) {
            (Some(us), _) => duration(us),
            (None, Some(Status::InProgress)) => duration(saturating_u64(self.shared.now.since_us(a.started_at))),
            _ => "–".to_owned(),
        };
        let slow = a.took_us().is_some_and(|us| us >= 5_000_000);
        (took, if slow { self.theme.warning } else { self.theme.dim })
    }

    fn tries(&self) -> (String, Style) {
        let a = &self.a;
        let tries = match (a.attempt, a.max_attempts) {
            // That a success was the first try says nothing.
            (Some(1), _) if !a.is_failure() => String::new(),
            (Some(n), Some(most)) => format!("{n}/{most}"),
            (Some(n), None) => n.to_string(),
            _ => String::new(),
        };
        (tries, if a.attempt.is_some_and(|n| n > 1) { self.theme.warning } else { self.theme.dim })
    }

    /// The style of what was called.
    fn called(&self) -> Style {
        if self.a.is_failure() { self.theme.failure } else { self.theme.text }
    }
}

fn header(explore: &Explore, shared: &Shared, shown: chrono::NaiveDate, columns: &Columns, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let mut x = area.x + 1;
    let on = explore.list.chosen();
    let here = |field: Field| explore.focus == Focus::List && *on == Operand::Field(field);
    let mut cell = |text: &str, width: u16, align_right: bool, field: Option<Field>| {
        if width > 0 {
            let text = if align_right { right(text, width) } else { left(text, width) };
            let style = if field.is_some_and(here) { theme.accent } else { theme.dim };
            put(canvas.buf, x, area.y, &text, area.right().saturating_sub(x), style);
            if let Some(column) = field.and_then(|field| explore.list.column_of(&Operand::Field(field))) {
                canvas.spots.add_text(x, area.y, width, Spot::Part(parts::COLUMN, column));
            }
            x += width + 1;
        }
    };
    cell(&time_title(shared, shown, columns.time), columns.time, false, None);
    cell("s", 1, false, Some(Field::Status));
    cell("d", columns.direction, false, Some(Field::Direction));
    cell("system", columns.system, false, Some(Field::System));
    let what = what_title(on);
    cell(what.0, columns.what, false, Some(what.1));
    cell("http", columns.http, true, Some(Field::Http));
    cell("took", columns.took, true, None);
    cell("try", columns.tries, true, None);
    cell("message", columns.message, false, None);
}

/// The title of the times, which names their day if it is not today.
fn time_title(shared: &Shared, shown: chrono::NaiveDate, columns: u16) -> String {
    if shown == day(shared.zone, shared.now) {
        return "time".to_owned();
    }
    shown.format(if columns < 12 { "%m-%d" } else { "%Y-%m-%d" }).to_string()
}

/// The title of what was called: of the field that the cursor is on.
fn what_title(on: &Operand) -> (&'static str, Field) {
    match on {
        Operand::Field(Field::Method) => ("method", Field::Method),
        Operand::Field(Field::Kind) => ("kind", Field::Kind),
        _ => ("what", Field::Endpoint),
    }
}

fn activity(line: &Line<'_>, columns: &Columns, buf: &mut Buffer) {
    let Line { a, mark, area, theme, shared, .. } = line;
    let mark = *mark;
    let mut x = line.begin(buf);
    let mut cell = |text: &str, width: u16, align_right: bool, style: Style| {
        if width > 0 {
            let text = if align_right { right(text, width) } else { left(text, width) };
            put(buf, x, area.y, &text, area.right().saturating_sub(x), line.over(style));
            x += width + 1;
        }
    };
    cell(&line.time(columns.time), columns.time, false, theme.dim);
    let (sign, outcome) = line.outcome();
    cell(sign, 1, false, outcome);
    cell(arrow(a.direction), columns.direction, false, theme.dim);
    cell(&safe(a.system.as_deref().unwrap_or("–")), columns.system, false, theme.text);
    let shown = what(a);
    // A line of a log has only its text, which takes the room of what it lacks.
    let has_no_more = a.http_status.is_none() && a.took_us().is_none() && a.attempt.is_none() && a.error.is_none();
    if a.kind == Kind::Log && has_no_more && a.cpu_percent.is_none() && a.memory_mb.is_none() {
        let text = noted(mark).map_or(shown.clone(), |note| format!("{note} · {shown}"));
        cell(&text, area.width.saturating_sub(columns.before_what()), false, line.called());
        return;
    }
    // With little room, of a failure it says more which order it was, and what became of it, than what was called.
    let of_what = match columns.message {
        1..ENOUGH if a.is_failed_attempt() => about(a, columns.what, shared),
        _ => String::new(),
    };
    let room = if columns.message == 0 { columns.what } else { columns.message };
    let message = message_of(a, mark, &shown, (room, !of_what.is_empty()), shared);
    let called = match columns.message {
        // And where there is none, the reason.
        0 if a.is_failed_attempt() => &message,
        _ if of_what.is_empty() => &shown,
        _ => &of_what,
    };
    cell(called, columns.what, false, line.called());
    for ((text, style), width) in
        [(line.http(), columns.http), (line.took(), columns.took), (line.tries(), columns.tries)]
    {
        cell(&text, width, true, style);
    }
    cell(&message, columns.message, false, if a.is_failure() { theme.text } else { theme.dim });
}

/// Columns in which a message says of what a failure was, what became of it, and why.
const ENOUGH: u16 = 32;

/// What somebody noted about it.
fn noted(mark: Option<&Mark>) -> Option<String> {
    mark.filter(|mark| !mark.note.is_empty()).map(|mark| format!("◆ {}", safe(&mark.note)))
}

/// The message: what somebody noted, what a failure says, or what happened.
fn message_of(a: &Activity, mark: Option<&Mark>, shown: &str, (room, is_told): (u16, bool), shared: &Shared) -> String {
    let said = a.error.as_ref().or(a.message.as_ref()).map(|text| safe(text)).unwrap_or_default();
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

/// What became of a failed attempt, in one column.
const fn sign(outcome: FinalOutcome) -> &'static str {
    match outcome {
        FinalOutcome::Recovered { .. } => "✓",
        FinalOutcome::GivenUp => "✗",
        FinalOutcome::Waiting(_) => "…",
        FinalOutcome::Running => "●",
        FinalOutcome::Unknown => "?",
    }
}

/// The end of a name in so many columns; nothing where that would say too little.
fn end_of(name: &str, room: u16) -> String {
    const LEAST: u16 = 5;
    let mut end = String::new();
    for letter in name.chars().rev() {
        end.insert(0, letter);
        if width(&end) + 1 > room {
            end.remove(0);
            break;
        }
    }
    if width(&end) < LEAST { String::new() } else { format!("…{end}") }
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
    // With little room a sign says it, and of a long name the end tells it from others.
    let sign = a.final_outcome.map(|outcome| format!(" {}", sign(outcome))).unwrap_or_default();
    let end = end_of(&id, room.saturating_sub(width(&sign)));
    let marked = [id.clone(), end].map(|name| if name.is_empty() { name } else { format!("{name}{sign}") });
    let fewer = [
        [&entity, &outcome],
        [&id, &outcome],
        [&id, &word],
        [&marked[0], &nothing],
        [&marked[1], &nothing],
        [&nothing, &nothing],
    ];
    fewer.into_iter().map(joined).find(|text| width(text) <= room).unwrap_or_default()
}
