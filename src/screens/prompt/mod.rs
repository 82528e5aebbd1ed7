//! A prompt for one line: an expression, a note, a command, a file.

mod view;

use super::request::{PromptKind, Request};
use super::shared::Shared;
use super::{Hint, Screen};
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::{Canvas, TextField};

/// The prompt.
pub(super) struct Prompt {
    kind: PromptKind,
    /// What is typed.
    field: TextField,
}

impl Prompt {
    /// A prompt with a text to begin with.
    pub(super) fn new(kind: PromptKind, text: &str) -> Self {
        Self { kind, field: TextField::new(text) }
    }

    /// Passes the text on to whoever asked; without a text, only where that means something.
    fn answer(&self, shared: &mut Shared) {
        let text = self.field.text().trim().to_owned();
        if !text.is_empty() || matches!(self.kind, PromptKind::Jq | PromptKind::Note(_) | PromptKind::GroupNote(_)) {
            shared.ask(Request::Answer(self.kind.clone(), text));
        }
    }
}

impl Screen for Prompt {
    fn name(&self) -> &'static str {
        "prompt"
    }

    fn actions(&self) -> Vec<Action> {
        [Action::BACK, Action::OPEN].to_vec()
    }

    fn is_modal(&self) -> bool {
        true
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::BACK => shared.ask(Request::Close),
            Action::OPEN => {
                shared.ask(Request::Close);
                self.answer(shared);
            }
            _ => return None,
        }
        Some(Vec::new())
    }

    fn hints(&self) -> &'static [Hint] {
        &[Hint(Action::BACK, "as before"), Hint(Action::OPEN, "done")]
    }

    fn is_typing(&self) -> bool {
        true
    }

    fn field(&mut self) -> Option<&mut TextField> {
        Some(&mut self.field)
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}
