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
    let lines = lines(facets, usize::from(area.height), focused);
    let is_selected = |line: &Line<'_>| matches!(line, Line::Value(index, ..) if *index == facets.selected);
    let selected = lines.iter().position(is_selected).unwrap_or(0);
    let first = if focused {
        selected.saturating_sub(area.height as usize / 2).min(lines.len().saturating_sub(area.height as usize))
    } else {
        0
    };
    for (row, line) in lines.iter().skip(first).take(area.height as usize).enumerate() {
        let y = area.y + saturating_u16(row);
        let (index, facet, of) = match line {
            Line::Title(of, hidden) => {
                let title = title(facets, of, area.width - 2);
                let end = put(canvas.buf, area.x + 1, y, &fit(&title, area.width - 2), area.width - 2, theme.dim) + 1;
                let rule = "─".repeat(usize::from((area.right() - 1).saturating_sub(end)));
                put(canvas.buf, end, y, &rule, area.width, theme.border);
                if *hidden > 0 {
                    let text = format!(" … {} more", count(*hidden));
                    let x = (area.right() - 1).saturating_sub(width(&text));
                    if x > end {
                        put(canvas.buf, x, y, &text, width(&text), theme.dim);
                    }
                }
                continue;
            }
            Line::More(hidden, first) => {
                let text = format!(" … {} more", count(*hidden));
                put(canvas.buf, area.x, y, &text, area.width - 1, theme.dim);
                let place = Rect { width: area.width - 1, ..area };
                canvas.at(place).spot_line(y, Spot::Part(parts::FACET, *first));
                continue;
            }
            Line::Value(index, facet, of) => (*index, *facet, *of),
        };
        let chosen = focused && index == facets.selected;
        let room = area.width - 1;
        let failed = if facets.tells_failures { failures(facet, of) } else { String::new() };
        let numbers = right(&count(saturating_usize(facet.count)), 7);
        let name = room.saturating_sub(width(&numbers) + width(&failed) + 2);
        let line = format!(" {} {numbers}", named(&safe(&facet.value), name));
        put(canvas.buf, area.x, y, &left(&line, room), room, theme.text);
        let style = if stands_out(facet, groups, of) { theme.failure } else { theme.dim };
        put(canvas.buf, area.x + room - width(&failed), y, &failed, width(&failed), style);
        canvas.at(Rect { width: room, ..area }).choice(y, Spot::Part(parts::FACET, index), chosen);
    }
}

/// A value in exactly so many columns; of a path its end: what it begins with is the same for many.
fn named(value: &str, columns: u16) -> String {
    if width(value) <= columns || !value.contains('/') {
        return left(value, columns);
    }
    let fits = |at: &usize| width(&value[*at..]) < columns;
    let at = value.match_indices('/').map(|(at, _)| at).find(fits);
    let at = at.or_else(|| value.char_indices().map(|(at, _)| at).find(fits)).unwrap_or(value.len());
    left(&format!("…{}", &value[at..]), columns)
}

/// Of so many lines, one may say what is left out.
const ENOUGH: usize = 4;

/// A line of the facets.
enum Line<'a> {
    /// What is counted, and how many values are not shown, where no line of their own says it.
    Title(&'a Operand, usize),
    /// A value, by its index among all of them.
    Value(usize, &'a Facet, &'a Operand),
    /// So many values are not shown, and the index of the first of them that is known.
    More(usize, usize),
}

/// The lines. All values that are known are there while the facets have the keys; else as many as fit into so many lines, and a
/// line says how many are left out.
fn lines(facets: &Facets, height: usize, focused: bool) -> Vec<Line<'_>> {
    let groups = || facets.groups.iter().zip(facets.more.iter().chain(std::iter::repeat(&0)));
    let wanted: Vec<usize> = groups().map(|((_, values), more)| values.len() + usize::from(*more > 0)).collect();
    let given = if focused { wanted.clone() } else { shares(&wanted, height.saturating_sub(wanted.len())) };
    let (mut lines, mut index) = (Vec::new(), 0);
    for (((of, values), more), (given, wanted)) in groups().zip(given.iter().zip(&wanted)) {
        // Of enough lines the last one says what is left out; few are for values.
        let is_cut = given < wanted || *more > 0;
        let says = is_cut && *given >= ENOUGH;
        let shown = if says { given - 1 } else { *given }.min(values.len());
        let hidden = values.len() - shown + more;
        lines.push(Line::Title(of, if says { 0 } else { hidden }));
        lines.extend(values[..shown].iter().enumerate().map(|(at, facet)| Line::Value(index + at, facet, of)));
        if says {
            let last = values.len().saturating_sub(1);
            lines.push(Line::More(hidden, index + shown.min(last)));
        }
        index += values.len();
    }
    lines
}

/// Divides lines among those who want some: each gets an equal share, what one does not need another has, and what is left goes
/// to the first.
fn shares(wanted: &[usize], lines: usize) -> Vec<usize> {
    let share = (lines / wanted.len().max(1)).max(1);
    let mut given: Vec<usize> = wanted.iter().map(|wanted| share.min(*wanted)).collect();
    let mut free = lines.saturating_sub(given.iter().sum());
    for (given, wanted) in given.iter_mut().zip(wanted) {
        let more = (wanted - *given).min(free);
        (*given, free) = (*given + more, free - more);
    }
    given
}

/// The name of what is counted, and of how many, where that is not all.
fn title(facets: &Facets, of: &Operand, room: u16) -> String {
    const BEING_COUNTED: &str = " · being counted";
    // What became of an operation stands at each of its tries; elsewhere operations are counted.
    let counts = if *of == Operand::Field(Field::Final) { " · tries" } else { "" };
    let name = format!("{}{counts}", safe(&of.to_string()));
    match of {
        Operand::Path(..) => match facets.sampled.iter().find(|(known, _)| known == of) {
            Some((_, number)) if *number > 0 => format!("{name} · of {} sampled", count(*number)),
            _ => format!("{name} · loading"),
        },
        // Where there is room, in words.
        Operand::Field(_) if facets.is_part && room < width(&name) + width(BEING_COUNTED) => format!("{name} +…"),
        Operand::Field(_) if facets.is_part => format!("{name}{BEING_COUNTED}"),
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
    format!("{}{}", right(&number, 8), right(&share(facet.failed, facet.count), 6))
}

/// A share of a hundred; that of a part is neither none nor all.
fn share(part: u64, all: u64) -> String {
    let all = all.max(1);
    match (100 * part + all / 2) / all {
        0 if part > 0 => "<1 %".to_owned(),
        100 if part < all => ">99 %".to_owned(),
        share => format!("{share} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_and_a_part_is_neither_none_nor_all() {
        let shares = [(3, 44), (1, 1000), (5, 1000), (999, 1000), (2, 2), (0, 7)].map(|(part, all)| share(part, all));
        assert_eq!(shares, ["7 %", "<1 %", "1 %", ">99 %", "100 %", "0 %"]);
    }

    #[test]
    fn of_a_path_the_end_is_shown() {
        let named = |value| named(value, 15);
        assert_eq!(named("/v1/projects/products"), "…/products     ");
        assert_eq!(named("/v1/projects/p/plans"), "…/p/plans      ");
        assert_eq!(named("/v1/a-name-that-is-too-long"), "…at-is-too-long");
        assert_eq!(named("/po/create"), "/po/create     ", "what fits is whole");
        assert_eq!(named("A system with a long name"), "A system with …");
    }

    #[test]
    fn lines_go_where_they_are_needed() {
        assert_eq!(shares(&[15, 4, 3], 12), [5, 4, 3]);
        assert_eq!(shares(&[15, 4, 3], 14), [7, 4, 3], "what others do not need");
        assert_eq!(shares(&[15, 15, 15, 4], 11), [5, 2, 2, 2], "what is left over by dividing");
        assert_eq!(shares(&[3, 3], 0), [1, 1]);
        assert_eq!(shares(&[], 5), [0; 0]);
    }
}
