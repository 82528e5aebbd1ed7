//! Bytes of a terminal → inputs.
//!
//! A terminal sends keys, and among them what it says by itself or answers (ECMA-48; XTerm Control Sequences,
//! <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>). Every sequence is read to its end by its form, so one that
//! nobody here knows is no key, in however many parts it comes. A parser of keys alone, such as crossterm's, takes the rest of
//! one that it does not know for keys.
//!
//! ```text
//! key           a  é  \r  ESC a (Alt)
//! control       ESC [ parameters final        keys, mouse, focus; answers: ESC [ ? 62 ; 52 c
//! single shift  ESC O final                   keys
//! string        ESC ] … BEL   ESC P … ESC \   answers
//! paste         ESC [ 200 ~ … ESC [ 201 ~
//! ```

mod control;
mod mouse;

use super::background::Background;
use super::input::{Input, Stroke};
use super::links;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
/// What ends a sequence at once.
const CANCELS: [u8; 2] = [0x18, 0x1a];
/// The end of a paste.
const PASTED: &[u8] = b"\x1b[201~";
/// How long an escape may be the beginning of a sequence: what a terminal sends comes at once.
const ESCAPE: Duration = Duration::from_millis(25);
/// How long the rest of what has begun may take.
const REST: Duration = Duration::from_millis(500);
/// How long a paste may pause: one whose end is lost must not take all keys from then on.
const PAUSE: Duration = Duration::from_secs(10);
/// Most bytes of a sequence that are kept; the others are read and forgotten.
const LONGEST: usize = 4096;
/// Most bytes of a paste that are kept.
const LONGEST_PASTE: usize = 16 << 20;

/// What has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Ground,
    /// A character of several bytes.
    Character { alt: bool },
    /// `ESC`; `twice`: behind another one.
    Escape { twice: bool },
    /// `ESC [`.
    Control { alt: bool },
    /// `ESC [ [`, a function key of the console of Linux.
    Function,
    /// `ESC [ M`, which three bytes follow.
    Mouse,
    /// `ESC O`.
    Shift { alt: bool },
    /// `ESC` and the byte that begins a string.
    Begun(u8),
    /// The string.
    Text(u8),
    /// An escape within it.
    TextEscape(u8),
    /// Within a paste.
    Paste,
}

/// Bytes that come in parts, as inputs.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    state: State,
    held: Vec<u8>,
    /// An escape was a key because nothing followed it.
    was_escape: bool,
    inputs: Vec<Input>,
}

impl Decoder {
    /// The inputs that are complete with these bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Input> {
        // What follows an escape came late: nobody types it at once.
        if std::mem::take(&mut self.was_escape) && is_rest_of_a_sequence(bytes) {
            self.state = State::Escape { twice: false };
        }
        for byte in bytes {
            self.byte(*byte);
        }
        std::mem::take(&mut self.inputs)
    }

    /// How long to wait for the rest of what has begun; `None` if nothing has.
    pub(super) const fn patience(&self) -> Option<Duration> {
        match self.state {
            State::Ground => None,
            State::Escape { .. } => Some(ESCAPE),
            State::Paste => Some(PAUSE),
            _ => Some(REST),
        }
    }

    /// The rest does not come: what is no sequence was typed, and the beginning of one is nothing.
    pub(super) fn give_up(&mut self) -> Vec<Input> {
        self.was_escape = matches!(self.state, State::Escape { .. });
        match self.state {
            State::Paste => self.end_paste(),
            _ => self.abandon(),
        }
        std::mem::take(&mut self.inputs)
    }

    fn byte(&mut self, byte: u8) {
        match self.state {
            State::Ground => self.plain(byte, false),
            State::Character { alt } => self.character(byte, alt),
            State::Escape { twice } => self.escaped(byte, twice),
            State::Control { alt } => self.control(byte, alt),
            State::Function => {
                self.state = State::Ground;
                if let b'A'..=b'E' = byte {
                    self.key(KeyCode::F(1 + byte - b'A'), KeyModifiers::NONE);
                } else {
                    self.byte(byte);
                }
            }
            State::Mouse => {
                self.held.push(byte);
                if self.held.len() == 3 {
                    self.inputs.extend(mouse::old(&self.held));
                    self.rest();
                }
            }
            State::Shift { alt } => self.shifted(byte, alt),
            State::Begun(kind) => {
                if begins_a_string(kind, byte) {
                    self.state = State::Text(kind);
                    self.held.push(byte);
                } else {
                    self.abandon();
                    self.byte(byte);
                }
            }
            State::Text(kind) => self.text(byte, kind),
            State::TextEscape(kind) => {
                if byte == b'\\' {
                    self.end_text(kind);
                } else {
                    self.rest();
                    self.state = State::Escape { twice: false };
                    self.byte(byte);
                }
            }
            State::Paste => self.pasted(byte),
        }
    }

    /// Nothing is begun.
    fn rest(&mut self) {
        self.state = State::Ground;
        self.held.clear();
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.inputs.push(Input::Key(Stroke(KeyEvent::new(code, modifiers))));
    }

    fn char(&mut self, c: char, modifiers: KeyModifiers) {
        let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        self.key(KeyCode::Char(c), modifiers | shift);
    }

    /// A byte that is no part of a sequence.
    fn plain(&mut self, byte: u8, alt: bool) {
        let alt_key = alt_of(alt);
        self.rest();
        match byte {
            ESC => self.state = State::Escape { twice: false },
            b'\r' => self.key(KeyCode::Enter, alt_key),
            b'\t' => self.key(KeyCode::Tab, alt_key),
            0x7f => self.key(KeyCode::Backspace, alt_key),
            0 => self.key(KeyCode::Char(' '), KeyModifiers::CONTROL | alt_key),
            // Right behind Esc, what ends and what suspends does so, too: nobody presses it with Alt.
            0x03 | 0x1a => {
                if alt {
                    self.key(KeyCode::Esc, KeyModifiers::NONE);
                }
                self.key(KeyCode::Char(char::from(byte + b'a' - 1)), KeyModifiers::CONTROL);
            }
            0x01..=0x1a => self.key(KeyCode::Char(char::from(byte + b'a' - 1)), KeyModifiers::CONTROL | alt_key),
            0x1c..=0x1f => self.key(KeyCode::Char(char::from(byte - 0x1c + b'4')), KeyModifiers::CONTROL | alt_key),
            b' '..=b'~' => self.char(char::from(byte), alt_key),
            // The first byte of a character; others have no meaning.
            0xc2..=0xf4 => {
                self.state = State::Character { alt };
                self.held.push(byte);
            }
            _ => {}
        }
    }

    fn character(&mut self, byte: u8, alt: bool) {
        if !matches!(byte, 0x80..=0xbf) {
            self.plain(byte, false);
            return;
        }
        self.held.push(byte);
        let bytes = match self.held[0] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        };
        if self.held.len() == bytes {
            let c = std::str::from_utf8(&self.held).ok().and_then(|text| text.chars().next());
            self.rest();
            if let Some(c) = c {
                self.char(c, alt_of(alt));
            }
        }
    }

    fn escaped(&mut self, byte: u8, twice: bool) {
        match byte {
            b'[' => self.state = State::Control { alt: twice },
            b'O' => self.state = State::Shift { alt: twice },
            ESC => {
                if twice {
                    self.key(KeyCode::Esc, KeyModifiers::NONE);
                }
                self.state = State::Escape { twice: true };
            }
            _ => {
                if twice {
                    self.key(KeyCode::Esc, KeyModifiers::NONE);
                }
                if matches!(byte, b']' | b'P' | b'_') {
                    self.state = State::Begun(byte);
                } else {
                    self.plain(byte, true);
                }
            }
        }
    }

    fn control(&mut self, byte: u8, alt: bool) {
        match byte {
            b'[' if self.held.is_empty() => self.state = State::Function,
            b'M' if self.held.is_empty() => self.state = State::Mouse,
            b' '..=b'?' => {
                if self.held.len() < LONGEST {
                    self.held.push(byte);
                }
            }
            b'@'..=b'~' => {
                let parameters = std::mem::take(&mut self.held);
                self.rest();
                if byte == b'~' && parameters == b"200" {
                    self.state = State::Paste;
                } else {
                    self.inputs.extend(control::meaning(&parameters, byte, alt_of(alt)));
                }
            }
            _ => self.interrupted(byte),
        }
    }

    fn shifted(&mut self, byte: u8, alt: bool) {
        match byte {
            b'0'..=b';' if self.held.len() < LONGEST => self.held.push(byte),
            b'@'..=b'~' => {
                let parameters = std::mem::take(&mut self.held);
                self.rest();
                self.inputs.extend(control::shifted(&parameters, byte, alt_of(alt)));
            }
            _ => self.interrupted(byte),
        }
    }

    /// A byte that no sequence has.
    fn interrupted(&mut self, byte: u8) {
        self.abandon();
        if !CANCELS.contains(&byte) {
            self.byte(byte);
        }
    }

    fn text(&mut self, byte: u8, kind: u8) {
        match byte {
            BEL => self.end_text(kind),
            ESC => self.state = State::TextEscape(kind),
            0..0x20 => {
                self.rest();
                if !CANCELS.contains(&byte) {
                    self.byte(byte);
                }
            }
            _ if self.held.len() < LONGEST => self.held.push(byte),
            _ => {}
        }
    }

    fn end_text(&mut self, kind: u8) {
        let text = std::mem::take(&mut self.held);
        self.rest();
        if kind == b']' {
            let answer = std::str::from_utf8(&text).ok().and_then(Background::answered);
            self.inputs.extend(answer.map(Input::Background));
        }
        if kind == b'P' && std::str::from_utf8(&text).is_ok_and(links::are_answered) {
            self.inputs.push(Input::HasLinks);
        }
    }

    fn pasted(&mut self, byte: u8) {
        self.held.push(byte);
        if self.held.ends_with(PASTED) {
            self.held.truncate(self.held.len() - PASTED.len());
            self.end_paste();
        } else if self.held.len() > LONGEST_PASTE + PASTED.len() {
            // Only its end is still looked for.
            self.held.remove(LONGEST_PASTE);
        }
    }

    fn end_paste(&mut self) {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned();
        self.rest();
        self.inputs.push(Input::Paste(text));
    }

    /// Ends what has begun: what can only have been typed is keys, what is the beginning of a sequence is nothing.
    fn abandon(&mut self) {
        let (state, held) = (self.state, std::mem::take(&mut self.held));
        self.rest();
        match state {
            State::Escape { twice } => {
                for _ in 0..=u8::from(twice) {
                    self.key(KeyCode::Esc, KeyModifiers::NONE);
                }
            }
            State::Control { .. } if held.is_empty() => self.char('[', KeyModifiers::ALT),
            State::Shift { .. } if held.is_empty() => self.char('O', KeyModifiers::ALT),
            State::Begun(kind) => self.char(char::from(kind), KeyModifiers::ALT),
            // One digit behind `Alt-]` is a key of a person.
            State::Text(kind) if held.len() == 1 => {
                self.char(char::from(kind), KeyModifiers::ALT);
                self.plain(held[0], false);
            }
            _ => {}
        }
    }
}

const fn alt_of(alt: bool) -> KeyModifiers {
    if alt { KeyModifiers::ALT } else { KeyModifiers::NONE }
}

/// Whether a string of a kind can begin with a byte: an operating system command with its number, a device control string as
/// the answers of terminals do, an application program command with kitty's `G`.
const fn begins_a_string(kind: u8, byte: u8) -> bool {
    match kind {
        b']' => byte.is_ascii_digit(),
        b'P' => byte.is_ascii_digit() || matches!(byte, b'>' | b'!' | b'+' | b'$' | b'='),
        _ => byte == b'G',
    }
}

/// Whether bytes are a sequence that has lost its escape.
fn is_rest_of_a_sequence(bytes: &[u8]) -> bool {
    match bytes {
        [b'[', rest @ ..] => {
            let parameters = rest.iter().take_while(|byte| matches!(byte, b' '..=b'?')).count();
            matches!(rest.get(parameters), Some(b'@'..=b'~'))
        }
        [kind @ (b']' | b'P' | b'_'), first, ..] => {
            begins_a_string(*kind, *first) && bytes.iter().any(|byte| matches!(*byte, BEL | ESC))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
