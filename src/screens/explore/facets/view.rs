//! The values in the view, with their counts. Enter narrows to a value.

use super::Facets;
use crate::screens::explore::parts;
use crate::tui::text::{count, fit, left, put, right, safe, width};
use crate::tui::{Canvas, Spot};
use crosstail_core::filter::{Field, Operand};
use crosstail_core::number::{saturating_u16, saturating_usize};
use crosstail_engine::insight::surely;
use crosstail_engine::store::Facet;
use ratatui::layout::Rect;

pub(in crate::screens::explore) fn render(facets: &Facets, focused: bool, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.width < 8 || area.height == 0 {
        return;
    }
    for y in area.top()..area.bottom() {
        put(canvas.buf, area.right(), y, "│", 1, if focused { theme.border_focused } else { theme.border });
    }
    let groups = &facets.groups;
    let mut lines: Vec<(Option<usize>, Option<&Facet>, &Operand)> = Vec::new();
    let mut index = 0;
    // Each group gets an equal share of the room; earlier groups get what later ones leave.
    let share = (area.height as usize / groups.len().max(1)).saturating_sub(1).max(1);
    let mut spare: usize = groups.iter().map(|(_, values)| share.saturating_sub(values.len())).sum();
    for (of, values) in groups {
        lines.push((None, None, of));
        let extra = values.len().saturating_sub(share).min(spare);
        spare -= extra;
        for (at, facet) in values.iter().enumerate() {
            if at < share + extra || focused {
                lines.push((Some(index), Some(facet), of));
            }
            index += 1;
        }
    }
    let selected = lines.iter().position(|line| line.0 == Some(facets.selected)).unwrap_or(0);
    let first = if focused {
        selected.saturating_sub(area.height as usize / 2).min(lines.len().saturating_sub(area.height as usize))
    } else {
        0
    };
    for (row, (index, facet, of)) in lines.iter().skip(first).take(area.height as usize).enumerate() {
        let y = area.y + saturating_u16(row);
        let Some(facet) = facet else {
            let title = title(facets, of);
            let end = put(canvas.buf, area.x + 1, y, &fit(&title, area.width - 2), area.width - 2, theme.dim) + 1;
            let rule = "─".repeat(usize::from((area.right() - 1).saturating_sub(end)));
            put(canvas.buf, end, y, &rule, area.width, theme.border);
            continue;
        };
        let chosen = focused && *index == Some(facets.selected);
        let room = area.width - 1;
        let failed = if facets.tells_failures { failures(facet, of) } else { String::new() };
        let numbers = right(&count(saturating_usize(facet.count)), 7);
        let name = room.saturating_sub(width(&numbers) + width(&failed) + 2);
        let line = format!(" {} {numbers}", left(&safe(&facet.value), name));
        put(canvas.buf, area.x, y, &left(&line, room), room, theme.text);
        let style = if stands_out(facet, groups, of) { theme.failure } else { theme.dim };
        put(canvas.buf, area.x + room - width(&failed), y, &failed, width(&failed), style);
        if let Some(index) = index {
            canvas.at(Rect { width: room, ..area }).choice(y, Spot::Part(parts::FACET, *index), chosen);
        }
    }
}

/// The name of what is counted, and of how many, where that is not all.
fn title(facets: &Facets, of: &Operand) -> String {
    // What became of an operation stands at each of its tries; elsewhere operations are counted.
    let counts = if *of == Operand::Field(Field::Final) { " · tries" } else { "" };
    let name = format!("{}{counts}", safe(&of.to_string()));
    match of {
        Operand::Path(..) => match facets.sampled.iter().find(|(known, _)| known == of) {
            Some((_, number)) if *number > 0 => format!("{name} · of {} sampled", count(*number)),
            _ => format!("{name} · loading"),
        },
        Operand::Field(_) if facets.is_part => format!("{name} +…"),
        Operand::Field(field) if facets.of_held.contains(field) => format!("{name} · of what is held"),
        Operand::Field(_) => name,
    }
}

/// Whether a value fails more than the values of its field do together: what fails as all else does is no trace.
fn stands_out(facet: &Facet, groups: &[(Operand, Vec<Facet>)], of: &Operand) -> bool {
    let values = groups.iter().find(|(field, _)| field == of).map(|(_, values)| values.as_slice()).unwrap_or_default();
    let (failed, all) = values.iter().fold((0, 0), |(failed, all), one| (failed + one.failed, all + one.count));
    values.len() == 1 || surely(facet.failed, facet.count) > failed as f64 / all.max(1) as f64
}

/// Columns of how many have failed.
pub(super) const FAILURES: u16 = 14;

/// How many activities with a value have failed, and which share of them.
fn failures(facet: &Facet, of: &Operand) -> String {
    if facet.failed == 0 || !Facets::says_failures(of) {
        return " ".repeat(FAILURES.into());
    }
    let number = format!("{}✗", count(saturating_usize(facet.failed)));
    let share = match 100 * facet.failed / facet.count.max(1) {
        0 => "<1 %".to_owned(),
        share => format!("{share} %"),
    };
    format!("{}{}", right(&number, 8), right(&share, 6))
}
