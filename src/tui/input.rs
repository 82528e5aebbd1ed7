//! What the terminal delivers.

use super::background::Background;
use super::spots::Gesture;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

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
    /// The terminal has got the focus, or lost it.
    Focus(bool),
    /// The terminal has answered how bright its background is.
    Background(Background),
    /// The terminal has answered that it understands links.
    HasLinks,
    /// The size may have changed.
    Resized,
    /// The process was asked to stop (SIGTSTP).
    Stop,
    /// The process continues after a stop.
    Continued,
    /// The process must end now, with this exit code: the terminal is gone, or a signal arrived.
    End(u8),
}

/// Keys that came in one read are a paste from here on, if they look like an id: nobody presses so many at once.
const PASTED: usize = 6;

/// The inputs of one read. Where the terminal does not mark what is pasted, an id comes as keys, each of which would do
/// something; here such a run becomes one paste. Keys of a person that were late stay keys: they are no id.
pub(super) fn joined(inputs: Vec<Input>) -> Vec<Input> {
    let letter = |input: &Input| match input {
        Input::Key(stroke) => stroke.letter().filter(|c| c.is_ascii_alphanumeric() || "-_.:@/".contains(*c)),
        _ => None,
    };
    let mut found = Vec::new();
    for run in inputs.chunk_by(|a, b| letter(a).is_some() == letter(b).is_some()) {
        let text: String = run.iter().filter_map(letter).collect();
        if looks_like_an_id(&text) {
            found.push(Input::Paste(text));
        } else {
            found.extend_from_slice(run);
        }
    }
    found
}

/// Whether a text has digits as ids have them, and begins as one.
fn looks_like_an_id(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let first = text.as_bytes().first().copied().unwrap_or_default();
    let differ = text.bytes().any(|byte| byte != first);
    text.len() >= PASTED && digits >= 3 && differ && first.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<Input> {
        text.chars().map(|c| Input::Key(Stroke(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)))).collect()
    }

    #[test]
    fn an_id_that_comes_at_once_is_a_paste() {
        for id in
            ["7f3a9c21-aaaa-4abc-8def-0123456789ab", "PO-94116", "req_8812345", "0af7651916cd43dd8448eb211c80319c"]
        {
            assert_eq!(joined(keys(id)), [Input::Paste(id.to_owned())], "{id}");
        }
        // What stands around it stays.
        let all = joined([keys("\u{1b}"), keys("PO-94116"), keys("\r")].concat());
        assert_eq!(all, [keys("\u{1b}"), vec![Input::Paste("PO-94116".to_owned())], keys("\r")].concat());
        assert_eq!(joined(Vec::new()), []);
    }

    #[test]
    fn late_keys_of_a_person_stay_keys() {
        for typed in
            ["jjjjjjjjjjjj", "1111111111", "/status:failed", "hhaaee", "eeeeEEjjkk", "PO-94", "12345", "-system1234"]
        {
            assert_eq!(joined(keys(typed)), keys(typed), "{typed}");
        }
    }
}
