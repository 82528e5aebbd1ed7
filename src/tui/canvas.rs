//! Where a screen draws: an area of the picture, and the appearance.

use super::look::Appearance;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// An area of the picture that is being made.
pub struct Canvas<'a> {
    /// The area to draw into.
    pub area: Rect,
    /// The whole picture.
    pub buf: &'a mut Buffer,
    pub look: &'a Appearance,
    /// Column and row of the cursor, if it is shown.
    pub cursor: &'a mut Option<(u16, u16)>,
}

impl Canvas<'_> {
    /// The same picture with another area to draw into.
    pub fn at(&mut self, area: Rect) -> Canvas<'_> {
        Canvas { area, buf: self.buf, look: self.look, cursor: self.cursor }
    }
}
