//! The terminal: input, keys, text fields, themes, pictures, and what is drawn in the same way everywhere. It knows no
//! screen. Nothing else knows crossterm, and ratatui only where a screen is drawn.

mod attention;
pub mod background;
pub mod browser;
mod canvas;
pub mod contrast;
mod decoder;
pub mod dialog;
mod encode;
pub mod external;
mod field;
pub mod fitness;
mod frame;
mod input;
mod keymap;
mod leads;
pub mod leavings;
pub mod links;
mod look;
mod painter;
pub mod paragraph;
mod spots;
pub mod terminal;
pub mod text;
mod theme;
pub mod vitals;

pub use attention::Attention;
pub use canvas::Canvas;
pub use field::TextField;
pub use frame::Frame;
pub use input::{Input, Stroke};
pub use keymap::{Context, KeyMatch, Keymap, Vocabulary};
pub use look::Appearance;
pub use painter::Painter;
pub use spots::{Gesture, Part, Pointed, Presses, Spot, Spots};
pub use theme::{ColourDepth, Theme};
