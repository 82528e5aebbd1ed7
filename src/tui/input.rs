//! What the terminal delivers.

use crossterm::event::{Event, KeyEvent, KeyEventKind, MouseButton, MouseEventKind};

/// A key as it was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stroke(pub(super) KeyEvent);

/// Input from the terminal and the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key.
    Key(Stroke),
    /// A text was pasted.
    Paste(String),
    /// The left button was pressed at a column and a row.
    Click(u16, u16),
    /// The wheel was turned; up if true.
    Wheel(bool),
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
            Event::Mouse(mouse) => match mouse.kind {
                MouseEventKind::ScrollUp => Self::Wheel(true),
                MouseEventKind::ScrollDown => Self::Wheel(false),
                MouseEventKind::Down(MouseButton::Left) => Self::Click(mouse.column, mouse.row),
                _ => return None,
            },
            _ => return None,
        })
    }
}
