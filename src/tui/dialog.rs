//! The box of an overlay: framed, in the middle of the screen.

use super::canvas::Canvas;
use super::spots::Spot;
use crate::action::Action;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, BorderType, Clear, Widget as _};

/// Draws a framed box in the middle; returns its inside. What is below it is covered; pressing beside the box closes it.
pub fn dialog(canvas: &mut Canvas<'_>, width: u16, height: u16, title: &str) -> Rect {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let buf = &mut *canvas.buf;
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
    canvas.spots.add(area, Spot::Action(Action::BACK));
    canvas.spots.add(place, Spot::Nothing);
    inside
}
