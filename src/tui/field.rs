//! A field for one line of text: the only owner of what is typed into it.

use super::input::Stroke;
use crosstail_core::number::saturating_u16;
use crossterm::event::{KeyCode, KeyModifiers};
use tui_textarea::{CursorMove, Input as EditorInput, Key as EditorKey, TextArea};

/// A line of text with a cursor.
#[derive(Debug, Clone, Default)]
pub struct TextField {
    area: TextArea<'static>,
}

impl TextField {
    /// A field with a text; the cursor is at its end.
    pub fn new(text: &str) -> Self {
        let mut field = Self::default();
        field.set(text, text.len());
        field
    }

    /// Replaces the text; `cursor` is in bytes.
    pub fn set(&mut self, text: &str, cursor: usize) {
        self.area = TextArea::new(vec![text.to_owned()]);
        let column = text.get(..cursor).map_or(0, |before| before.chars().count());
        self.area.move_cursor(CursorMove::Jump(0, saturating_u16(column)));
    }

    /// The text.
    pub fn text(&self) -> &str {
        self.area.lines().first().map_or("", String::as_str)
    }

    /// Position of the cursor, in bytes.
    pub fn cursor(&self) -> usize {
        let column = self.area.cursor().1;
        self.text().char_indices().nth(column).map_or(self.text().len(), |(at, _)| at)
    }

    /// Takes a key; returns whether the text changed.
    pub fn press(&mut self, stroke: &Stroke) -> bool {
        let input = editor_input(stroke);
        // As in every shell; in the editor, it would mean "undo".
        if input.ctrl && input.key == EditorKey::Char('u') {
            self.area.delete_line_by_head();
            return true;
        }
        self.area.input(input)
    }

    /// Inserts a text at the cursor.
    pub fn paste(&mut self, text: &str) {
        self.area.insert_str(text);
    }
}

fn editor_input(Stroke(key): &Stroke) -> EditorInput {
    let code = match key.code {
        KeyCode::Char(c) => EditorKey::Char(c),
        KeyCode::Backspace => EditorKey::Backspace,
        KeyCode::Delete => EditorKey::Delete,
        KeyCode::Left => EditorKey::Left,
        KeyCode::Right => EditorKey::Right,
        KeyCode::Home => EditorKey::Home,
        KeyCode::End => EditorKey::End,
        _ => EditorKey::Null,
    };
    EditorInput {
        key: code,
        ctrl: key.modifiers.contains(KeyModifiers::CONTROL),
        alt: key.modifiers.contains(KeyModifiers::ALT),
        shift: key.modifiers.contains(KeyModifiers::SHIFT),
    }
}
