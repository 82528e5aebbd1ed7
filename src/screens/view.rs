//! How the stack is drawn: the lines around every screen, the screen, and the overlays.

use super::{Explorer, Hint, explore};
use crate::tui::text::{put, width};
use crate::tui::{Appearance, Canvas, Frame};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws what is shown; returns the picture and the position of the cursor, if it is shown.
pub fn draw(explorer: &Explorer, look: &Appearance) -> (Buffer, Option<(u16, u16)>) {
    let Explorer { shared, stack, .. } = explorer;
    let area = Rect::new(0, 0, shared.size.0, shared.size.1);
    let (mut buf, mut cursor) = (Buffer::empty(area), None);
    if area.width == 0 || area.height == 0 {
        return (buf, None);
    }
    let frame = Frame::of(shared.size);
    let mut canvas = Canvas { area, buf: &mut buf, look, cursor: &mut cursor };
    explore::frame(&stack.explore, shared, &frame, &mut canvas);
    stack.body().view(shared, &mut canvas.at(frame.body));
    key_bar(stack.hints(), &mut canvas.at(frame.keys));
    explore::completions(&stack.explore, &frame, &mut canvas);
    for overlay in &stack.overlays {
        overlay.view(shared, &mut canvas);
    }
    (buf, cursor)
}

/// The area in which lines may have moved up, if the list is shown.
pub(super) fn scrolling(explorer: &Explorer) -> Option<Rect> {
    let Explorer { shared, stack, .. } = explorer;
    if stack.covering().is_some() || !stack.overlays.is_empty() {
        return None;
    }
    explore::scrolling(&stack.explore, shared)
}

/// Draws the hints that fit, with the keys of their actions.
fn key_bar(hints: &[Hint], canvas: &mut Canvas<'_>) {
    let (area, look) = (canvas.area, canvas.look);
    if area.height == 0 {
        return;
    }
    let mut x = area.x + 1;
    for hint in hints {
        let (key, text) = match hint {
            Hint::Key(key, text) => ((*key).to_owned(), *text),
            Hint::Action(action, text) => {
                (look.keymap.keys(*action).split(' ').next().unwrap_or_default().to_owned(), *text)
            }
        };
        let needed = width(&key) + width(text) + 3;
        if x + needed > area.right() {
            break;
        }
        x = put(canvas.buf, x, area.y, &key, 12, look.theme.key);
        x = put(canvas.buf, x + 1, area.y, text, 20, look.theme.dim) + 2;
    }
}
