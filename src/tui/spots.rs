//! What the places of a picture stand for, so that the mouse means the same as a key. A panel says it when it draws; the
//! topmost that was drawn at a place counts.

use super::links::Link;
use crate::action::Action;
use crosstail_core::model::Timestamp;
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
    /// The left button is pressed a second time where it was pressed just before.
    DoublePress,
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
    /// A second press within this time makes a double one, in microseconds: what desktops use, unless told otherwise.
    pub const DOUBLE_US: i64 = 500_000;
}

/// Where the button was pressed last, and when, unless that was a double press.
#[derive(Debug, Clone, Copy, Default)]
pub struct Presses(Option<(Pointed, Timestamp)>);

impl Presses {
    /// What a gesture is, after those before it: the second press at a place may make a double one.
    pub fn gesture(&mut self, gesture: Gesture, at: Pointed, now: Timestamp) -> Gesture {
        if gesture != Gesture::Press {
            return gesture;
        }
        let is_second = self.0.take().is_some_and(|(before, when)| {
            (before.layer, before.spot) == (at.layer, at.spot) && (0..=Gesture::DOUBLE_US).contains(&now.since_us(when))
        });
        if is_second {
            return Gesture::DoublePress;
        }
        self.0 = Some((at, now));
        Gesture::Press
    }
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
    links: Vec<Link>,
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

    /// A stretch of a row shows an address, which the terminal may open. Nothing where it is none of the web, or has a secret.
    pub fn add_link(&mut self, x: u16, y: u16, width: u16, address: &str) {
        self.links.extend(Link::new(Rect { x, y, width, height: 1 }, self.layer, address));
    }

    pub(super) fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// What is at a column and a row.
    pub fn at(&self, x: u16, y: u16) -> Option<Pointed> {
        let (area, layer, spot) = self.all.iter().rev().find(|(area, ..)| area.contains((x, y).into()))?;
        Some(Pointed { layer: *layer, spot: *spot, column: x - area.x })
    }
}
