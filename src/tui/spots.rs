//! What the places of a picture stand for, so that the mouse means the same as a key. A panel says it when it draws; the
//! topmost that was drawn at a place counts.

use crate::action::Action;
use ratatui::layout::Rect;

/// What a place stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Pressing it does what the action does.
    Action(Action),
    /// One of the things of a part of the screen that drew it, by its index.
    Part(Part, usize),
    /// Nothing: what is below is covered.
    Nothing,
}

/// A part of a screen, by a name that only the screen knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part(pub &'static str);

impl Part {
    /// The lines that a screen selects among.
    pub const LINE: Self = Self("line");
}

/// What the mouse does at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesture {
    /// The left button is pressed.
    Press,
    /// The mouse moves with the button pressed.
    Drag,
    /// The button is released.
    Release,
    /// The wheel is turned; up if true.
    Wheel(bool),
}

impl Gesture {
    /// Lines that a step of the wheel moves.
    pub const WHEEL_LINES: usize = 3;
}

/// A place at which the mouse did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointed {
    /// The layer that drew it.
    pub layer: usize,
    pub spot: Spot,
    /// Columns from its left end.
    pub column: u16,
}

/// The places of a picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spots {
    all: Vec<(Rect, usize, Spot)>,
    /// The layer that is being drawn.
    layer: usize,
}

impl Spots {
    /// What is drawn from now on belongs to a layer.
    pub fn begin(&mut self, layer: usize) {
        self.layer = layer;
    }

    /// A place stands for something.
    pub fn add(&mut self, area: Rect, spot: Spot) {
        if !area.is_empty() {
            self.all.push((area, self.layer, spot));
        }
    }

    /// A stretch of a row stands for something.
    pub fn add_text(&mut self, x: u16, y: u16, width: u16, spot: Spot) {
        self.add(Rect { x, y, width, height: 1 }, spot);
    }

    /// What is at a column and a row.
    pub fn at(&self, x: u16, y: u16) -> Option<Pointed> {
        let (area, layer, spot) = self.all.iter().rev().find(|(area, ..)| area.contains((x, y).into()))?;
        Some(Pointed { layer: *layer, spot: *spot, column: x - area.x })
    }
}
