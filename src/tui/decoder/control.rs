//! What control sequences mean: keys as xterm, rxvt, screen, kitty and the console of Linux spell them, the mouse, the focus.
//! An answer means nothing.

use super::super::input::{Input, Stroke};
use super::mouse;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Private codes of kitty begin here, and end before [`PRIVATE_END`].
const PRIVATE: u32 = 57_344;
const PRIVATE_END: u32 = 63_744;
/// Kitty's event that a key was released.
const RELEASED: u32 = 3;

/// The parameters of a sequence; each may have parts. What is left out is `None`.
struct Parameters(Vec<Vec<Option<u32>>>);

impl Parameters {
    fn of(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let parts = |parameter: &str| parameter.split(':').map(|part| part.parse().ok()).collect();
        Some(Self(text.split(';').map(parts).collect()))
    }

    fn part(&self, parameter: usize, part: usize) -> Option<u32> {
        *self.0.get(parameter)?.get(part)?
    }

    fn get(&self, parameter: usize) -> Option<u32> {
        self.part(parameter, 0)
    }

    /// The modifiers of a key; `None` if it was released.
    fn modifiers(&self) -> Option<KeyModifiers> {
        (self.part(1, 1) != Some(RELEASED)).then(|| modifiers(self.get(1).unwrap_or(1)))
    }
}

/// One more than a bit for each modifier (xterm's modifyOtherKeys, kitty).
fn modifiers(number: u32) -> KeyModifiers {
    let bits = number.saturating_sub(1);
    let known = [
        (1, KeyModifiers::SHIFT),
        (2, KeyModifiers::ALT),
        (4, KeyModifiers::CONTROL),
        (8, KeyModifiers::SUPER),
        (16, KeyModifiers::HYPER),
        (32, KeyModifiers::META),
    ];
    known.into_iter().filter(|(bit, _)| bits & bit != 0).fold(KeyModifiers::NONE, |all, (_, one)| all | one)
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Input {
    Input::Key(Stroke(KeyEvent::new(code, modifiers)))
}

/// What a control sequence means; `None` for one that is no input.
pub(super) fn meaning(parameters: &[u8], last: u8, alt: KeyModifiers) -> Option<Input> {
    match parameters.first() {
        Some(b'<') => return mouse::sgr(&parameters[1..], last),
        // The answers of terminals.
        Some(b'=' | b'>' | b'?') => return None,
        _ if parameters.iter().any(|byte| matches!(byte, b' '..=b'/')) => return None,
        _ => {}
    }
    let given = Parameters::of(parameters)?;
    match last {
        b'I' if parameters.is_empty() => Some(Input::Focus(true)),
        b'O' if parameters.is_empty() => Some(Input::Focus(false)),
        b'Z' => Some(key(KeyCode::BackTab, KeyModifiers::SHIFT | alt)),
        b'M' => mouse::rxvt(parameters),
        b'u' => coded(given.get(0)?, given.part(0, 1), given.get(2), given.modifiers()? | alt),
        b'~' if given.get(0) == Some(27) => {
            let pressed = modifiers(given.get(1)?);
            coded(given.get(2)?, None, None, pressed | alt)
        }
        b'~' => Some(key(numbered(given.get(0)?)?, given.modifiers()? | alt)),
        // With numbers it is an answer: the place of the cursor.
        b'R' if !parameters.is_empty() => None,
        _ => Some(key(lettered(last)?, given.modifiers()? | alt)),
    }
}

/// What `ESC O` and a letter mean.
pub(super) fn shifted(parameters: &[u8], last: u8, alt: KeyModifiers) -> Option<Input> {
    // `ESC O 5 A` as old xterms have it, or `ESC O 1 ; 5 A`.
    let given = Parameters::of(parameters)?;
    let pressed = given.get(1).or(given.get(0)).map_or(KeyModifiers::NONE, modifiers) | alt;
    let code = match last {
        // The keypad (VT220, application mode).
        b'M' => KeyCode::Enter,
        b'j'..=b'o' => KeyCode::Char(char::from(last - b'j' + b'*')),
        b'p'..=b'y' => KeyCode::Char(char::from(last - b'p' + b'0')),
        b'X' => KeyCode::Char('='),
        _ => lettered(last)?,
    };
    Some(key(code, pressed))
}

const fn lettered(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P'..=b'S' => KeyCode::F(1 + last - b'P'),
        _ => return None,
    })
}

fn numbered(number: u32) -> Option<KeyCode> {
    let function = |less: u32| u8::try_from(number - less).ok().map(KeyCode::F);
    match number {
        1 | 7 => Some(KeyCode::Home),
        2 => Some(KeyCode::Insert),
        3 => Some(KeyCode::Delete),
        4 | 8 => Some(KeyCode::End),
        5 => Some(KeyCode::PageUp),
        6 => Some(KeyCode::PageDown),
        11..=15 => function(10),
        17..=21 => function(11),
        23..=26 => function(12),
        28 | 29 => function(15),
        31..=34 => function(17),
        _ => None,
    }
}

/// A key by its code point: of kitty's protocol, and of modifyOtherKeys. `shifted` is the code with Shift, `text` what it types.
fn coded(code: u32, shifted: Option<u32>, text: Option<u32>, pressed: KeyModifiers) -> Option<Input> {
    let code = match code {
        9 if pressed.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        9 => KeyCode::Tab,
        13 => KeyCode::Enter,
        27 => KeyCode::Esc,
        127 => KeyCode::Backspace,
        PRIVATE..PRIVATE_END => keypad(code)?,
        _ => {
            let typed = text.and_then(char::from_u32).filter(|c| !c.is_control());
            let with_shift = || shifted.filter(|_| pressed.contains(KeyModifiers::SHIFT)).and_then(char::from_u32);
            let c = typed.or_else(with_shift).or(char::from_u32(code)).filter(|c| !c.is_control())?;
            let upper = pressed.contains(KeyModifiers::SHIFT) && c.is_ascii_lowercase();
            KeyCode::Char(if upper { c.to_ascii_uppercase() } else { c })
        }
    };
    Some(key(code, pressed))
}

/// Kitty's keys of the keypad; its others (volume, the modifiers themselves) are nothing here.
fn keypad(code: u32) -> Option<KeyCode> {
    const SIGNS: [char; 17] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '.', '/', '*', '-', '+', '\r', '='];
    const KEYS: [KeyCode; 10] = [
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Insert,
        KeyCode::Delete,
    ];
    let at = |first: u32| code.checked_sub(first).and_then(|index| usize::try_from(index).ok());
    if let Some(sign) = at(57_399).and_then(|index| SIGNS.get(index)) {
        return Some(if *sign == '\r' { KeyCode::Enter } else { KeyCode::Char(*sign) });
    }
    if code == 57_416 {
        return Some(KeyCode::Char(','));
    }
    at(57_417).and_then(|index| KEYS.get(index)).copied()
}
