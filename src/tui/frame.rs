//! The areas of the terminal.

use ratatui::layout::Rect;

/// The areas around a screen, and of the screen. An area without room is empty.
///
/// ```text
/// header
/// filter bar
/// body
/// strip, if something wants room below the body
/// status line
/// key bar
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Frame {
    pub header: Rect,
    pub filter: Rect,
    pub body: Rect,
    pub strip: Rect,
    pub status: Rect,
    pub keys: Rect,
}

impl Frame {
    /// Divides a terminal of some columns and rows; the strip has some of them, as long as the body keeps more.
    pub fn of((width, height): (u16, u16), strip: u16) -> Self {
        let row = |y: u16, rows: u16| Rect::new(0, y.min(height), width, rows.min(height.saturating_sub(y)));
        let mut frame = Self { header: row(0, 1), ..Self::default() };
        let (mut top, mut bottom) = (1, height);
        if height >= 4 {
            frame.filter = row(top, 1);
            top += 1;
        }
        if height >= 8 {
            frame.keys = row(height - 1, 1);
            bottom -= 1;
        }
        if height >= 6 {
            frame.status = row(bottom - 1, 1);
            bottom -= 1;
        }
        let strip = if bottom.saturating_sub(top) > 2 * strip { strip } else { 0 };
        bottom -= strip;
        frame.strip = row(bottom, strip);
        frame.body = Rect::new(0, top, width, bottom.saturating_sub(top));
        frame
    }
}
