//! The prompt for one line.

use super::Prompt;
use crate::screens::request::PromptKind;
use crate::screens::shared::Shared;
use crate::tui::Canvas;
use crate::tui::dialog::dialog;
use crate::tui::text::{fit, put, safe, width};
use crosstail_core::model::visible_line;

pub(super) fn render(prompt: &Prompt, shared: &Shared, canvas: &mut Canvas<'_>) {
    let theme = &canvas.look.theme;
    let now = match prompt.kind {
        PromptKind::Range => format!(", now {}", fit(&safe(&shared.range.describe()), 40)),
        _ => String::new(),
    };
    let title = format!(" {}{now} · ⏎ · esc closes ", prompt.kind.title());
    let inside = dialog(canvas, 90, 4, &title);
    let buf = &mut *canvas.buf;
    let room = inside.width.saturating_sub(4);
    let text = visible_line(prompt.field.text()).into_owned();
    // Keep the end of a long line visible.
    let cut = text.char_indices().map(|(at, _)| at).find(|at| width(&text[*at..]) <= room).unwrap_or(text.len());
    let end = put(buf, inside.x + 1, inside.y, &text[cut..], room, theme.title);
    put(buf, inside.x + 1, inside.y + 1, &fit(prompt.kind.hint(), room), room, theme.dim);
    *canvas.cursor = Some((end, inside.y));
}
