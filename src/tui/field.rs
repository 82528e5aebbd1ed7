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

    /// A field of several lines; the cursor is at the beginning.
    pub fn of_lines(text: &str) -> Self {
        Self { area: TextArea::new(text.lines().map(str::to_owned).collect()) }
    }

    /// All its lines.
    pub fn lines(&self) -> &[String] {
        self.area.lines()
    }

    /// All its lines as one text.
    pub fn whole(&self) -> String {
        self.area.lines().join("\n")
    }

    /// The line and the character of the cursor, from 0.
    pub fn place(&self) -> (usize, usize) {
        let cursor = self.area.cursor();
        (cursor.0, cursor.1)
    }

    /// What stands before the cursor in its line.
    pub fn before_cursor(&self) -> &str {
        let (row, column) = self.place();
        let line = self.area.lines().get(row).map_or("", String::as_str);
        line.char_indices().nth(column).map_or(line, |(at, _)| &line[..at])
    }

    /// Divides the line at the cursor.
    pub fn new_line(&mut self) {
        self.area.insert_newline();
    }

    /// Goes a line down or up.
    pub fn go(&mut self, down: bool) {
        self.area.move_cursor(if down { CursorMove::Down } else { CursorMove::Up });
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
