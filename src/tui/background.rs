//! Whether the terminal's background is dark or light, by its own answer.
//!
//! `OSC 11 ; ?` asks for the colour (XTerm Control Sequences, <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>). It is
//! asked when the terminal is entered and when it gets the focus again. Mode 2031, by which a terminal tells of a change
//! itself (`CSI ? 997 ; 1 n`), is not used: few terminals have it.

use super::contrast::luminance;

/// Asks for the colour of the background.
pub const ASK: &[u8] = b"\x1b]11;?\x1b\\";

/// The theme that is `dark` or `light`, as the background is.
pub const AUTO: &str = "auto";

/// How bright the background is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Background {
    #[default]
    Dark,
    Light,
}

impl Background {
    /// The theme that a chosen one stands for on this background.
    pub fn theme(self, chosen: &str) -> &str {
        match (chosen, self) {
            (AUTO, Self::Dark) => "dark",
            (AUTO, Self::Light) => "light",
            _ => chosen,
        }
    }

    /// What is known before the terminal answers: `COLORFGBG` ends with the background's number among the 16 colours.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let number = variable("COLORFGBG").and_then(|value| value.rsplit(';').next()?.parse::<u8>().ok());
        if matches!(number, Some(7 | 9..=15)) { Self::Light } else { Self::Dark }
    }

    /// Whether the terminal can be asked: the console of Linux would print the question.
    pub fn can_be_asked(variable: &dyn Fn(&str) -> Option<String>) -> bool {
        !matches!(variable("TERM").as_deref(), None | Some("" | "dumb" | "linux"))
    }

    /// The background of an answer: `11;rgb:ffff/ffff/ffff`, with one to four digits a colour.
    pub(super) fn answered(answer: &str) -> Option<Self> {
        let (form, colours) = answer.strip_prefix("11;")?.split_once(':')?;
        if !matches!(form, "rgb" | "rgba") {
            return None;
        }
        let part = |digits: &str| {
            let most = (1_u32 << (4 * digits.len().clamp(1, 4))) - 1;
            let value = u32::from_str_radix(digits, 16).ok().filter(|value| *value <= most)?;
            u8::try_from(value * 255 / most).ok()
        };
        let mut parts = colours.split('/').map(part);
        let colour = [parts.next()??, parts.next()??, parts.next()??];
        // A grey in the middle: white is read on it as well as black.
        Some(if luminance(colour) > 0.18 { Self::Light } else { Self::Dark })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_terminals_say_it_before_they_are_asked() {
        let of = |value: &'static str| Background::of(&|_| Some(value.to_owned()));
        assert_eq!(["0;15", "0;default;7", "15;0", "12;8", "", "x"].map(of), {
            use Background::{Dark, Light};
            [Light, Light, Dark, Dark, Dark, Dark]
        });
    }
}
