//! The columns that were chosen: fields of the activity, and paths of payloads, which are loaded for what is visible.

use super::{Line, message_of, time_title, what_title};
use crate::config::{Column, Shows};
use crate::screens::explore::Explore;
use crate::screens::explore::parts;
use crate::screens::explore::values::Known;
use crate::screens::request::Focus;
use crate::screens::shared::Shared;
use crate::tui::text::{arrow, entity_text, fit, full_time, left, put, right, safe, what, width as columns_of};
use crate::tui::{Canvas, Spot};
use crosstail_core::filter::{Field, Operand, ValueType};
use crosstail_core::number::saturating_u16;
use ratatui::buffer::Buffer;
use ratatui::style::Style;

/// What takes what is left has at least so many columns.
const LEAST: u16 = 10;

/// The chosen columns with their widths; 0 where there is no room.
pub(super) struct Widths<'a>(Vec<(&'a Column, u16)>);

impl<'a> Widths<'a> {
    /// The widths in a list of some width; `None` if no columns were chosen.
    pub(super) fn of(columns: &'a [Column], width: u16) -> Option<Self> {
        if columns.is_empty() {
            return None;
        }
        let mut all: Vec<(&Column, u16)> = Vec::new();
        let mut left = width.saturating_sub(1);
        let mut flexible = 0;
        for column in columns {
            let wanted = column.width.or_else(|| column.shows.usual_width());
            let needed = wanted.unwrap_or(LEAST) + u16::from(!all.is_empty());
            let has_room = needed <= left;
            if has_room {
                left -= needed;
                flexible += u16::from(wanted.is_none());
            }
            all.push((column, if has_room { wanted.unwrap_or(LEAST) } else { 0 }));
        }
        let is_flexible = |column: &Column| column.width.is_none() && column.shows.usual_width().is_none();
        for (_, width) in all.iter_mut().filter(|(column, width)| *width > 0 && is_flexible(column)) {
            let share = left / flexible.max(1);
            (*width, left, flexible) = (*width + share, left - share, flexible - 1);
        }
        Some(Self(all))
    }

    /// Columns for which there is no room.
    fn hidden(&self) -> usize {
        self.0.iter().filter(|(_, width)| *width == 0).count()
    }

    fn drawn(&self) -> impl Iterator<Item = (&Column, u16)> {
        self.0.iter().filter(|(_, width)| *width > 0).map(|(column, width)| (*column, *width))
    }
}

/// Whether values stand at the right end of a column.
fn is_right(of: &Operand) -> bool {
    let Operand::Field(field) = of else { return false };
    matches!(field.class(), ValueType::Number | ValueType::Duration)
}

pub(super) fn header(
    explore: &Explore,
    shared: &Shared,
    day: chrono::NaiveDate,
    widths: &Widths<'_>,
    canvas: &mut Canvas<'_>,
) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let on = explore.list.chosen();
    let mut x = area.x + 1;
    for (column, width) in widths.drawn() {
        let (title, of) = match &column.shows {
            Shows::What => {
                let (title, field) = what_title(on);
                (title.to_owned(), Operand::Field(field))
            }
            Shows::Values(of) => (title(of, shared, day, width), of.clone()),
        };
        let text = if is_right(&of) { right(&title, width) } else { left(&title, width) };
        let is_here = explore.focus == Focus::List && *on == of;
        put(
            canvas.buf,
            x,
            area.y,
            &text,
            area.right().saturating_sub(x),
            if is_here { theme.accent } else { theme.dim },
        );
        if let Some(index) = explore.list.column_of(&of) {
            canvas.spots.add_text(x, area.y, width, Spot::Part(parts::COLUMN, index));
        }
        x += width + 1;
    }
    if widths.hidden() > 0 {
        let text = format!("+{} ", widths.hidden());
        let columns = saturating_u16(text.len());
        put(canvas.buf, area.right().saturating_sub(columns), area.y, &text, columns, theme.warning);
    }
}

/// A title, of a path its end: what it begins with is the same for many.
fn title(of: &Operand, shared: &Shared, day: chrono::NaiveDate, width: u16) -> String {
    match of {
        Operand::Field(Field::Time) => time_title(shared, day, width),
        Operand::Field(Field::Status) => "s".to_owned(),
        Operand::Field(Field::Direction) => "d".to_owned(),
        Operand::Field(Field::Duration) => "took".to_owned(),
        Operand::Field(Field::Attempt) => "try".to_owned(),
        Operand::Field(field) => field.name().to_owned(),
        Operand::Path(..) => {
            let name = safe(&of.to_string());
            if columns_of(&name) <= width {
                return name;
            }
            let ends = name.match_indices('.').map(|(at, _)| format!("…{}", &name[at + 1..]));
            let last = || fit(name.rsplit('.').next().unwrap_or(&name), width);
            ends.into_iter().find(|end| columns_of(end) <= width).unwrap_or_else(last)
        }
    }
}

pub(super) fn activity(line: &Line<'_>, widths: &Widths<'_>, buf: &mut Buffer) {
    let mut x = line.begin(buf);
    for (column, width) in widths.drawn() {
        let (text, style, is_right) = cell(line, &column.shows, width);
        let text = if is_right { right(&text, width) } else { left(&text, width) };
        put(buf, x, line.area.y, &text, line.area.right().saturating_sub(x), line.over(style));
        x += width + 1;
    }
}

/// What stands in a column, and whether at its right end.
fn cell(line: &Line<'_>, shows: &Shows, width: u16) -> (String, Style, bool) {
    let Line { a, shared, theme, .. } = line;
    let of = match shows {
        Shows::What => return (what(a), line.called(), false),
        Shows::Values(of) => of,
    };
    let numbers = |(text, style)| (text, style, true);
    let field = match of {
        Operand::Field(field) => *field,
        Operand::Path(..) => return path(line, of),
    };
    match field {
        Field::Time => (line.time(width), theme.dim, false),
        Field::Status if width <= 2 => {
            let (sign, style) = line.outcome();
            (sign.to_owned(), style, false)
        }
        Field::Direction if width <= 2 => (arrow(a.direction).to_owned(), theme.dim, false),
        Field::Http => numbers(line.http()),
        Field::Duration => numbers(line.took()),
        Field::Attempt => numbers(line.tries()),
        Field::Message => {
            let text = message_of(a, line.mark, "", (width, false), shared);
            (text, if a.is_failure() { theme.text } else { theme.dim }, false)
        }
        Field::Entity => (a.entity.as_deref().map_or_else(|| "–".to_owned(), entity_text), theme.text, false),
        Field::Completed => {
            (a.completed_at.map_or_else(|| "–".to_owned(), |at| full_time(shared.zone, at)), theme.dim, false)
        }
        Field::NextRetry => {
            (a.next_retry_at.map_or_else(|| "–".to_owned(), |at| full_time(shared.zone, at)), theme.dim, false)
        }
        _ => match of.text(a, shared.store.names(), None) {
            Some(text) => {
                (safe(&text), if field == Field::Status { line.outcome().1 } else { theme.text }, is_right(of))
            }
            None => ("–".to_owned(), theme.dim, is_right(of)),
        },
    }
}

/// The values of a path: what is not loaded is not drawn as if it were not there.
fn path(line: &Line<'_>, of: &Operand) -> (String, Style, bool) {
    let theme = line.theme;
    match line.explore.values.get(&line.a.id, of) {
        Known::Loading => ("…".to_owned(), theme.pending, false),
        Known::Failed => ("not loaded".to_owned(), theme.failure, false),
        Known::Loaded([]) => ("–".to_owned(), theme.dim, false),
        Known::Loaded(values) => {
            let is_number = values.iter().all(|value| value.parse::<f64>().is_ok());
            (safe(&values.join(", ")), theme.text, is_number)
        }
    }
}
