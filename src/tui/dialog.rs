//! The box of an overlay: framed, in the middle of the screen.

use super::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, BorderType, Clear, Widget as _};

/// Draws a framed box in the middle; returns its inside.
pub fn dialog(area: Rect, width: u16, height: u16, title: &str, buf: &mut Buffer, theme: &Theme) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 3, width, height };
    Clear.render(place, buf);
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.border_focused)
        .title(title.to_owned())
        .title_style(theme.title);
    let inside = block.inner(place);
    block.render(place, buf);
    inside
}
