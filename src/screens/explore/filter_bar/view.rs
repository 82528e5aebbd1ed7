//! The filter bar: the text, the number of matches, and the error if the text does not parse.

use super::FilterBar;
use crate::screens::shared::{CountState, Figure, Shared};
use crate::tui::Theme;
use crate::tui::text::{count, fit, put, put_all, safe, width};
use crosstail_core::number::saturating_usize;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

/// The column where the text begins.
pub(in crate::screens::explore) const TEXT_AT: u16 = 9;

/// What the bar shows beside its own state.
pub(in crate::screens::explore) struct Shown<'a> {
    /// Whether it has the keys.
    pub editing: bool,
    /// What is known of the range, and what is still being searched.
    pub progress: &'a str,
}

/// A number of activities, with what it lacks: `2,104 +…` while the stores count.
fn figure(figure: &Figure) -> String {
    let number = count(saturating_usize(figure.count));
    match figure.state {
        CountState::Held | CountState::Total | CountState::Counted => number,
        CountState::Estimated { .. } => format!("≈ {number}"),
        CountState::Counting => format!("{number} +…"),
        CountState::Failed(_) => format!("{number} +?"),
    }
}

/// Draws the bar; returns the position of the cursor while it is edited.
pub(in crate::screens::explore) fn render(
    bar: &FilterBar,
    Shown { editing, progress }: Shown<'_>,
    shared: &Shared,
    area: Rect,
    buf: &mut Buffer,
    theme: &Theme,
) -> Option<(u16, u16)> {
    if area.height == 0 {
        return None;
    }
    let right = if let Some(error) = &bar.error {
        format!(" {} ", fit(&error.message, area.width / 2))
    } else if shared.filter.is_all() {
        format!(" {}{progress} ", figure(&shared.figure(false)))
    } else {
        format!(" {} of {}{progress} ", figure(&shared.figure(true)), figure(&shared.figure(false)))
    };
    let right_at = area.right().saturating_sub(width(&right));
    put(buf, area.x, area.y, " filter", 8, if editing { theme.accent } else { theme.dim });
    // An error at the end of the text is not a mistake: the user is still typing.
    let mistaken = bar.error.as_ref().is_some_and(|error| error.span.start < bar.field.text().len());
    put(buf, right_at, area.y, &right, area.width, if mistaken { theme.failure } else { theme.dim });
    let room = right_at.saturating_sub(area.x + TEXT_AT + 1);
    if !editing {
        let text = shared.filter.text();
        if text.is_empty() {
            put(buf, area.x + TEXT_AT, area.y, "everything   / to filter", room, theme.dim);
        } else {
            put(buf, area.x + TEXT_AT, area.y, &fit(&safe(text), room), room, theme.text);
        }
        return None;
    }
    let typed = bar.field.text();
    // If the text is longer than the bar, show the part around the cursor.
    let before = width(&crosstail_core::model::visible_line(&typed[..bar.field.cursor()]));
    let skip = before.saturating_sub(room.saturating_sub(2));
    let shown = crosstail_core::model::visible_line(typed).into_owned();
    let shown: String = {
        let mut left = skip;
        shown
            .chars()
            .skip_while(|c| {
                let wide = width(c.encode_utf8(&mut [0; 4]));
                let skipped = left > 0;
                left = left.saturating_sub(wide);
                skipped
            })
            .collect()
    };
    put_all(buf, area.x + TEXT_AT, area.y, room, &[(&shown, theme.title)]);
    if let Some(error) = &bar.error {
        let at = |byte: usize| {
            width(&crosstail_core::model::visible_line(typed.get(..byte).unwrap_or(typed))).saturating_sub(skip)
        };
        let from = at(error.span.start);
        let to = at(error.span.end).max(from + 1);
        for x in from..to.min(room) {
            if let Some(cell) = buf.cell_mut((area.x + TEXT_AT + x, area.y)) {
                cell.set_style(theme.failure.add_modifier(Modifier::UNDERLINED));
            }
        }
    }
    Some((area.x + TEXT_AT + before.saturating_sub(skip), area.y))
}
