//! Where a screen draws: an area of the picture, and the appearance.

use super::keymap::Context;
use super::look::Appearance;
use super::spots::{Spot, Spots};
use super::text::{fit, put, safe, width};
use crate::action::Action;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

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

    /// Writes what can be pressed, the key before what it does, with dots between; text before it stands alone. What does not
    /// fit is left out. Returns the column after it.
    pub fn put_keys(
        &mut self,
        x: u16,
        y: u16,
        room: u16,
        (text, keys): (&str, &[(Action, &str)]),
        style: Style,
    ) -> u16 {
        let end = x.saturating_add(room);
        let mut at = put(self.buf, x, y, text, room, style);
        for (action, does) in keys {
            let key = self.look.keymap.first_key(Context::GLOBAL, *action);
            let text = if key.is_empty() { String::new() } else { format!("{key} {does}") };
            let dot = if at > x { " · " } else { "" };
            if text.is_empty() || at + width(dot) + width(&text) > end {
                continue;
            }
            let from = put(self.buf, at, y, dot, room, style);
            at = put(self.buf, from, y, &text, room, style);
            self.spots.add_text(from, y, at - from, Spot::Action(*action));
        }
        at
    }

    /// What the stores answered; until there is something, says that they are asked, or why there is nothing.
    pub fn answered<'found, T>(&mut self, answer: Option<&'found Result<T, String>>) -> Option<&'found T> {
        let (Rect { x, y, width, .. }, theme) = (self.area, &self.look.theme);
        match answer {
            None => {
                put(self.buf, x + 1, y, "the stores are asked …", width, theme.dim);
                None
            }
            Some(Err(problem)) => {
                put(self.buf, x + 1, y, &fit(&safe(problem), width), width, theme.failure);
                None
            }
            Some(Ok(found)) => Some(found),
        }
    }

    /// A line of the picture, from the left end of the area, stands for something.
    pub fn spot_line(&mut self, y: u16, spot: Spot) {
        self.spots.add_text(self.area.x, y, self.area.width, spot);
    }

    /// The same of a line that is drawn, and may be the selected one.
    pub fn choice(&mut self, y: u16, spot: Spot, is_selected: bool) {
        self.spot_line(y, spot);
        if is_selected {
            self.select(Rect { y, height: 1, ..self.area });
        }
    }

    /// What is drawn here is selected.
    pub fn select(&mut self, area: Rect) {
        let theme = &self.look.theme;
        theme.stand_out(theme.selected, area, self.buf);
    }
}
