//! The mouse, as terminals report it: SGR's form, rxvt's, and the old one of three bytes.

use super::super::input::Input;
use super::super::spots::Gesture;

/// What the number of a button has beside it.
const MOTION: u16 = 32;
/// In the old forms, numbers are printable.
const PRINTABLE: u16 = 32;
/// The old forms do not say which button was released.
const RELEASED: u16 = 3;

/// `ESC [ < button ; column ; row M`, with `m` for a release.
pub(super) fn sgr(parameters: &[u8], last: u8) -> Option<Input> {
    let [button, column, row] = numbers(parameters)?;
    match last {
        b'M' => input(button, false, column, row),
        b'm' => input(button, true, column, row),
        _ => None,
    }
}

/// `ESC [ button ; column ; row M`.
pub(super) fn rxvt(parameters: &[u8]) -> Option<Input> {
    let [button, column, row] = numbers(parameters)?;
    input(button.checked_sub(PRINTABLE)?, false, column, row)
}

/// `ESC [ M` and three bytes.
pub(super) fn old(bytes: &[u8]) -> Option<Input> {
    let [button, column, row] = <[u8; 3]>::try_from(bytes).ok()?.map(u16::from);
    input(button.checked_sub(PRINTABLE)?, false, column.saturating_sub(PRINTABLE), row.saturating_sub(PRINTABLE))
}

fn numbers(parameters: &[u8]) -> Option<[u16; 3]> {
    let text = std::str::from_utf8(parameters).ok()?;
    let mut numbers = text.split(';').map(|number| number.parse().ok());
    let found = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some(found)
}

/// Columns and rows are counted from one. Only the left button and the wheel do something.
fn input(number: u16, is_released: bool, column: u16, row: u16) -> Option<Input> {
    let (button, moves) = ((number & 0b11) | ((number & 0b1100_0000) >> 4), number & MOTION != 0);
    let gesture = match (button, moves) {
        (0, false) if is_released => Gesture::Release,
        (RELEASED, false) => Gesture::Release,
        (0, false) => Gesture::Press,
        (0, true) => Gesture::Drag,
        (4, false) => Gesture::Wheel(true),
        (5, false) => Gesture::Wheel(false),
        _ => return None,
    };
    Some(Input::Mouse(gesture, column.checked_sub(1)?, row.checked_sub(1)?))
}
