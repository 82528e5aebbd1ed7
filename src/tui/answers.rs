//! What the terminal answers comes among the keys.

use super::background::Background;
use super::input::Input;
use crossterm::event::{Event, KeyCode, KeyModifiers};

/// The longest answer, in characters: `11;rgba:ffff/ffff/ffff/ffff`.
const LONGEST: usize = 40;

/// Finds the terminal's answers among keys: that is how they come. What is no answer stays what was typed.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The keys of what may be an answer, from its `Alt-]` on.
    held: Vec<Event>,
    text: String,
}

impl Answers {
    /// Whether keys are held back.
    pub(super) fn are_waited_for(&self) -> bool {
        !self.held.is_empty()
    }

    /// The inputs of some events.
    pub(super) fn among(&mut self, events: Vec<Event>) -> Vec<Input> {
        let mut inputs = Vec::new();
        for event in events {
            let typed = match &event {
                Event::Key(key) => match key.code {
                    KeyCode::Char(c) => Some((c, key.modifiers.difference(KeyModifiers::SHIFT))),
                    _ => None,
                },
                _ => None,
            };
            match typed {
                Some((']', KeyModifiers::ALT)) => {
                    inputs.append(&mut self.give_up());
                    self.held.push(event);
                }
                _ if self.held.is_empty() => inputs.extend(Input::of(event)),
                Some(('\\', KeyModifiers::ALT) | ('g', KeyModifiers::CONTROL)) => {
                    self.held.push(event);
                    match Background::answered(&self.text) {
                        Some(background) => {
                            inputs.push(Input::Background(background));
                            self.held.clear();
                            self.text.clear();
                        }
                        None => inputs.append(&mut self.give_up()),
                    }
                }
                Some((c, KeyModifiers::NONE)) if self.text.len() < LONGEST && is_of_an_answer(c) => {
                    self.held.push(event);
                    self.text.push(c);
                }
                _ => {
                    inputs.append(&mut self.give_up());
                    inputs.extend(Input::of(event));
                }
            }
        }
        inputs
    }

    /// What is held was typed.
    pub(super) fn give_up(&mut self) -> Vec<Input> {
        self.text.clear();
        self.held.drain(..).filter_map(Input::of).collect()
    }
}

fn is_of_an_answer(c: char) -> bool {
    c.is_ascii_hexdigit() || matches!(c, ';' | ':' | '/' | 'r' | 'g' | 'b')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyEvent;

    fn keys(text: &str) -> Vec<Event> {
        let mut alt = false;
        let mut events = Vec::new();
        for c in text.chars() {
            let (c, mut modifiers) = match c {
                '\x1b' => {
                    alt = true;
                    continue;
                }
                '\x07' => ('g', KeyModifiers::CONTROL),
                c if c.is_ascii_uppercase() => (c, KeyModifiers::SHIFT),
                c => (c, KeyModifiers::NONE),
            };
            if std::mem::take(&mut alt) {
                modifiers |= KeyModifiers::ALT;
            }
            events.push(Event::Key(KeyEvent::new(KeyCode::Char(c), modifiers)));
        }
        events
    }

    fn typed(text: &str) -> Vec<Input> {
        keys(text).into_iter().filter_map(Input::of).collect()
    }

    #[test]
    fn an_answer_is_no_key() {
        for (answer, background) in [
            ("\x1b]11;rgb:ffff/ffff/ffff\x1b\\", Background::Light),
            ("\x1b]11;rgb:FDFD/F6F6/E3E3\x07", Background::Light),
            ("\x1b]11;rgb:1e/1e/2e\x1b\\", Background::Dark),
            ("\x1b]11;rgb:0/0/0\x07", Background::Dark),
            ("\x1b]11;rgba:0000/2b2b/3636/ffff\x1b\\", Background::Dark),
        ] {
            let mut answers = Answers::default();
            assert_eq!(answers.among(keys(answer)), [Input::Background(background)], "{answer:?}");
            // Keys before, behind, and between the parts in which it comes.
            let (first, rest) = answer.split_at(7);
            let mut all = answers.among(keys(&format!("j{first}")));
            assert!(answers.are_waited_for());
            all.extend(answers.among(keys(&format!("{rest}k"))));
            assert_eq!(all, [typed("j"), vec![Input::Background(background)], typed("k")].concat(), "{answer:?}");
            assert!(!answers.are_waited_for());
        }
    }

    #[test]
    fn what_is_typed_stays_typed() {
        for text in [
            "\x1b]",
            "\x1b]11;rgb",
            "\x1b]jjk",
            "\x1b]\x1b]11;rgb:zz",
            "\x1b]11;rgb:/\x1b\\",
            "\x1b]1111\x07q",
            "a\x1bb",
        ] {
            let mut answers = Answers::default();
            let mut all = answers.among(keys(text));
            all.extend(answers.give_up());
            assert_eq!(all, typed(text), "{text:?}");
        }
        let long = format!("\x1b]{}", "f".repeat(3 * LONGEST));
        let mut answers = Answers::default();
        assert_eq!(answers.among(keys(&long)), typed(&long));
    }
}
