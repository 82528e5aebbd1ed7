//! What the terminal delivers.

use super::spots::Gesture;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind};

/// A key as it was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stroke(pub(super) KeyEvent);

impl Stroke {
    /// The letter that it is, without Ctrl and Alt.
    pub fn letter(&self) -> Option<char> {
        match self.0.code {
            KeyCode::Char(c) if !self.0.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => Some(c),
            _ => None,
        }
    }
}

/// Input from the terminal and the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key.
    Key(Stroke),
    /// A text was pasted.
    Paste(String),
    /// The mouse did something at a column and a row.
    Mouse(Gesture, u16, u16),
    /// The size may have changed.
    Resized,
    /// The process was asked to stop (SIGTSTP).
    Stop,
    /// The process continues after a stop.
    Continued,
    /// The process must end now, with this exit code: the terminal is gone, or a signal arrived.
    End(u8),
}

impl Input {
    /// What an event of the terminal means; `None` if it means nothing.
    pub(super) fn of(event: Event) -> Option<Self> {
        Some(match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => Self::Key(Stroke(key)),
            Event::Resize(..) => Self::Resized,
            Event::Paste(text) => Self::Paste(text),
            Event::Mouse(mouse) => {
                let gesture = match mouse.kind {
                    MouseEventKind::ScrollUp => Gesture::Wheel(true),
                    MouseEventKind::ScrollDown => Gesture::Wheel(false),
                    MouseEventKind::Down(MouseButton::Left) => Gesture::Press,
                    MouseEventKind::Drag(MouseButton::Left) => Gesture::Drag,
                    MouseEventKind::Up(MouseButton::Left) => Gesture::Release,
                    _ => return None,
                };
                Self::Mouse(gesture, mouse.column, mouse.row)
            }
            _ => return None,
        })
    }
}
