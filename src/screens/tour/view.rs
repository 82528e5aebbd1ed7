//! The strip of the tour.
//!
//! ```text
//! ── tour · 2 of 5 · one request ──────────────────────────── esc ends it ──
//!  ✓ 1,204 of 9,482 failed.
//!  Choose one of try 2/3 or 3/3 with ↑ and ↓, and open it with ⏎.
//!  What was sent, what came back and the error are read from the store.
//! ```

use super::{END, Piece, ROWS, STEPS, Seen, Tour};
use crate::action::Action;
use crate::screens::shared::Shared;
use crate::tui::paragraph::{flow, flowing_rows};
use crate::tui::text::{count, put, width};
use crate::tui::{Canvas, Context, Frame, Spot};
use crosstail_core::number::saturating_usize;
use ratatui::layout::Rect;
use ratatui::style::Style;

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
    let mut y = area.y + 1;
    let mut flows = |pieces: &[(&str, Style)]| {
        let rest = Rect { y, height: area.bottom().saturating_sub(y), ..area };
        y = y.saturating_add(flow(pieces, rest, canvas.buf));
    };
    if let Some(seen) = seen(tour, shared) {
        flows(&[("✓ ", theme.success), (seen.as_str(), theme.text)]);
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
    flows(&keys.iter().map(|(text, style)| (text.as_str(), *style)).collect::<Vec<_>>());
    if let Some(step) = step {
        flows(&[(step.why, theme.dim)]);
    }
}

/// What was seen in the last step.
fn seen(tour: &Tour, shared: &Shared) -> Option<String> {
    match &tour.seen {
        Some(Seen::Failures) => Some(failures(shared)),
        Some(Seen::Text(text)) => Some(text.clone()),
        None => None,
    }
}

/// Rows of the strip: where the screen is narrow, sentences have several, if there is room for them.
pub(in crate::screens) fn rows(tour: &Tour, shared: &Shared) -> u16 {
    /// Columns of a key: which it is, only the keymap knows.
    const KEY: &str = "esc";
    let press = |piece: &Piece| match piece {
        Piece::Text(text) | Piece::Typed(text) => *text,
        Piece::Key(_) => KEY,
    };
    let step = STEPS.get(tour.done);
    let press: String = step.map_or(END, |step| step.press).iter().map(press).collect();
    let seen = seen(tour, shared).map(|seen| format!("✓ {seen}"));
    let texts = [seen.as_deref(), Some(press.as_str()), step.map(|step| step.why)];
    let rows: u16 = texts.into_iter().flatten().map(|text| flowing_rows(text, shared.size.0)).sum();
    let rows = ROWS.max(rows + 1);
    if Frame::of(shared.size, rows).strip.height == 0 { ROWS } else { rows }
}

/// How many failed, as far as it is known.
fn failures(shared: &Shared) -> String {
    let [all, failed] = [false, true].map(|filtered| shared.figure(filtered));
    let more =
        if failed.state.is_counting() || all.state.is_counting() { " so far; the store is counting" } else { "" };
    format!("{} of {} failed{more}.", count(saturating_usize(failed.count)), count(saturating_usize(all.count)))
}
