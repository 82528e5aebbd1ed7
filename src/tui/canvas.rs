//! Where a screen draws: an area of the picture, and the appearance.

use super::look::Appearance;
use super::spots::{Spot, Spots};
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
    /// What the places of the picture stand for.
    pub spots: &'a mut Spots,
}

impl Canvas<'_> {
    /// The same picture with another area to draw into.
    pub fn at(&mut self, area: Rect) -> Canvas<'_> {
        Canvas { area, buf: self.buf, look: self.look, cursor: self.cursor, spots: self.spots }
    }

    /// A line of the picture, from the left end of the area, stands for something.
    pub fn spot_line(&mut self, y: u16, spot: Spot) {
        self.spots.add_text(self.area.x, y, self.area.width, spot);
    }
}
