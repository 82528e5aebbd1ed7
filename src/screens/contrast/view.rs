//! The contrast: what the failures of a set have more often than the rest. Enter narrows to a value.

use super::ContrastScreen;
use crate::screens::distinctions::{self, Titles};
use crate::tui::Canvas;
use crate::tui::text::{count, put, put_all, safe};
use crosstail_core::number::saturating_usize;
use ratatui::layout::Rect;

pub(super) fn render(screen: &ContrastScreen, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let buf = &mut *canvas.buf;
    let Some(set) = &screen.set else { return };
    let contrast = &screen.contrast;
    let of = if set.is_empty() { "everything".to_owned() } else { safe(set) };
    let (failed, rest) = (count(saturating_usize(contrast.these)), count(saturating_usize(contrast.others)));
    let chosen = screen.compared.as_ref().map_or_else(|| "failures".to_owned(), |filter| safe(filter));
    let part = safe(&screen.missing());
    // Beside chosen failures there are others, which are not compared.
    let (from, others) = match screen.compared {
        Some(_) => (" from ", " that have not failed, of "),
        None => (" from the other ", " of "),
    };
    let head = [
        (" what tells ", theme.dim),
        (&*failed, theme.failure),
        (" ", theme.dim),
        (&*chosen, theme.dim),
        (from, theme.dim),
        (&*rest, theme.success),
        (others, theme.dim),
        (&*of, theme.title),
        (&part, theme.dim),
    ];
    put_all(buf, area.x, area.y, area.width, &head);
    if contrast.these == 0 || contrast.others == 0 {
        let text = if contrast.these == 0 { "nothing has failed here" } else { "everything has failed here" };
        put(buf, area.x + 1, area.y + 2, text, area.width, theme.dim);
        return;
    }
    let titles = Titles {
        short: ["failures", "rest"],
        long: [" of failures", " of the rest"],
        styles: [theme.failure, theme.success],
        causes: "in failures more, or less, often than in the rest",
        symptoms: "what the failures say",
        none: "no field tells them apart: failures look like the rest",
        part: "held",
    };
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    distinctions::render(contrast, screen.line.0, &titles, body, canvas);
}
