//! The prompt for one line.

use super::frame;
use crate::app::Prompt;
use crate::tui::look::Appearance;
use crate::tui::text::{fit, put, width};
use crosstail_core::model::visible_line;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(in crate::tui) fn render(prompt: &Prompt, area: Rect, buf: &mut Buffer, look: &Appearance) -> (u16, u16) {
    let theme = &look.theme;
    let title = format!(" {} · ⏎ · esc closes ", prompt.purpose.title());
    let inside = frame(area, 90, 4, &title, buf, theme);
    let room = inside.width.saturating_sub(4);
    let text = visible_line(&prompt.text).into_owned();
    // Keep the end of a long line visible.
    let cut = text.char_indices().map(|(at, _)| at).find(|at| width(&text[*at..]) <= room).unwrap_or(text.len());
    let end = put(buf, inside.x + 1, inside.y, &text[cut..], room, theme.title);
    put(buf, inside.x + 1, inside.y + 1, &fit(prompt.purpose.hint(), room), room, theme.dim);
    (end, inside.y)
}
