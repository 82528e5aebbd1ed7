//! The strip of the tour.
//!
//! ```text
//! ── tour · 2 of 5 · one request ──────────────────────────── esc ends it ──
//!  ✓ 1,204 of 9,482 failed.
//!  Choose one of try 2/3 or 3/3 with ↑ and ↓, and open it with ⏎.
//!  What was sent, what came back and the error are read from the store.
//! ```

use super::{END, Piece, STEPS, Seen, Tour};
use crate::action::Action;
use crate::screens::shared::Shared;
use crate::tui::text::{count, put, put_all, width};
use crate::tui::{Canvas, Context, Spot};
use crosstail_core::number::saturating_usize;

pub(in crate::screens) fn render(tour: &Tour, may_end: bool, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height == 0 {
        return;
    }
    let step = STEPS.get(tour.done);
    let title = match step {
        Some(step) => format!("── tour · {} of {} · {} ", tour.done + 1, STEPS.len(), step.title),
        None => "── tour · done ".to_owned(),
    };
    let key = canvas.look.keymap.first_key(Context::GLOBAL, Action::BACK);
    let end = format!(" {key} {} ──", if may_end { "ends it" } else { "goes back" });
    put(canvas.buf, area.x, area.y, &"─".repeat(area.width.into()), area.width, theme.border_focused);
    put(canvas.buf, area.x, area.y, &title, area.width, theme.title);
    let at = area.right().saturating_sub(width(&end));
    put(canvas.buf, at, area.y, &end, width(&end), theme.dim);
    canvas.spots.add_text(at, area.y, width(&end), Spot::Action(Action::BACK));
    let seen = match &tour.seen {
        Some(Seen::Failures) => Some(failures(shared)),
        Some(Seen::Text(text)) => Some(text.clone()),
        None => None,
    };
    let room = area.width.saturating_sub(2);
    let mut y = area.y + 1;
    if let Some(seen) = seen {
        put_all(canvas.buf, area.x + 1, y, room, &[("✓ ", theme.success), (&seen, theme.text)]);
        y += 1;
    }
    let pieces = step.map_or(END, |step| step.press);
    let keys: Vec<(String, _)> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => ((*text).to_owned(), theme.text),
            Piece::Typed(text) => ((*text).to_owned(), theme.accent),
            // Without a key, it is done by its name.
            Piece::Key(action) => match canvas.look.keymap.first_key(Context::GLOBAL, *action) {
                key if key.is_empty() => (action.name().replace('_', " "), theme.key),
                key => (key, theme.key),
            },
        })
        .collect();
    let keys: Vec<_> = keys.iter().map(|(text, style)| (text.as_str(), *style)).collect();
    put_all(canvas.buf, area.x + 1, y, room, &keys);
    if let Some(step) = step {
        put(canvas.buf, area.x + 1, y + 1, step.why, room, theme.dim);
    }
}

/// How many failed, as far as it is known.
fn failures(shared: &Shared) -> String {
    let [all, failed] = [false, true].map(|filtered| shared.figure(filtered));
    let more =
        if failed.state.is_counting() || all.state.is_counting() { " so far; the store is counting" } else { "" };
    format!("{} of {} failed{more}.", count(saturating_usize(failed.count)), count(saturating_usize(all.count)))
}
