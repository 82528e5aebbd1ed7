//! Places of a picture that lead to an address, for terminals that open it themselves: `OSC 8`
//! (<https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda>).
//!
//! A terminal that does not know the sequence should leave it out, and some print it. So it is sent where the terminal is known
//! to understand it: by the variables that it sets, or by its name, which `CSI > q` asks for (XTVERSION, XTerm Control
//! Sequences, <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>); that answer comes through SSH, too.

use crosstail_core::model::redact_text;
use ratatui::layout::Rect;
use std::borrow::Cow;
use std::sync::Arc;

/// Asks the terminal for its name and version.
pub const ASK: &[u8] = b"\x1b[>q";

/// Bytes of an address, at most: VTE takes no more.
const LONGEST: usize = 2000;

/// A part of the names that terminals answer with, and the first version that understands links.
const NAMES: [(&str, u32); 10] = [
    ("kitty", 0),
    ("wezterm", 0),
    ("foot", 0),
    ("iterm2", 0),
    ("ghostty", 0),
    ("contour", 0),
    ("xterm.js", 0),
    ("konsole", 20),
    ("vte", 5000),
    ("tmux", 34),
];

/// Whether a terminal is known to understand links by the variables that it sets.
pub fn are_understood(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let is = |name: &str, one_of: &[&str]| variable(name).is_some_and(|value| one_of.contains(&value.as_str()));
    let number = |name: &str| variable(name).and_then(|value| value.parse::<u32>().ok()).unwrap_or(0);
    // In a multiplexer, the variables are those of the terminal that it was started in.
    if variable("TMUX").is_some() {
        let version = variable("TERM_PROGRAM_VERSION").unwrap_or_default();
        return is("TERM_PROGRAM", &["tmux"]) && knows(&format!("tmux {version}"));
    }
    if variable("STY").is_some() {
        return false;
    }
    is("TERM_PROGRAM", &["iTerm.app", "WezTerm", "ghostty", "vscode"])
        || is("TERM", &["xterm-kitty", "xterm-ghostty", "foot", "foot-extra", "contour"])
        || number("VTE_VERSION") >= 5000
        || number("KONSOLE_VERSION") >= 201_200
        || variable("WT_SESSION").is_some()
}

/// Whether an answer of a terminal, `>|NAME VERSION` or `>|NAME(VERSION)`, is of one that understands links.
pub(super) fn are_answered(answer: &str) -> bool {
    answer.strip_prefix(">|").is_some_and(knows)
}

/// Whether a terminal of a name and a version understands links.
fn knows(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    NAMES.iter().any(|(name, from)| {
        let Some(rest) = said.strip_prefix(name) else { return false };
        // `kitty(0.35.2)`, `tmux 3.4`, and nothing that only begins alike.
        if !rest.starts_with([' ', '(']) && !rest.is_empty() {
            return false;
        }
        let digits: String = rest.chars().skip(1).take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let version = match *name {
            // 3.4 and 3.5 are 34 and 35.
            "tmux" => digits.replace('.', ""),
            _ => digits.split('.').next().unwrap_or_default().to_owned(),
        };
        *from == 0 || version.parse::<u32>().is_ok_and(|version| version >= *from)
    })
}

/// An address as a link may have it; `None` where it has none of a browser, or a secret. What came from a stranger is ASCII
/// without spaces and control characters then.
fn target(address: &str) -> Option<String> {
    let address = address.trim();
    let is_web =
        ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme) && address.len() > scheme.len());
    if !is_web || matches!(redact_text(address), Cow::Owned(hidden) if hidden != address) {
        return None;
    }
    let mut encoded = String::with_capacity(address.len());
    for byte in address.bytes() {
        match byte {
            b'!'..=b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    (encoded.len() <= LONGEST).then_some(encoded)
}

/// A stretch of a row that leads to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) area: Rect,
    pub(super) layer: usize,
    pub(super) target: Arc<str>,
}

impl Link {
    pub(super) fn new(area: Rect, layer: usize, address: &str) -> Option<Self> {
        Some(Self { area, layer, target: target(address)?.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_known_by_what_it_sets() {
        let of = |set: &[(&str, &str)]| {
            are_understood(&|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(
            of(&[("TERM_PROGRAM", "iTerm.app")]) && of(&[("TERM", "xterm-kitty")]) && of(&[("VTE_VERSION", "7600")])
        );
        assert!(of(&[("WT_SESSION", "x")]) && of(&[("KONSOLE_VERSION", "220401")]));
        assert!(!of(&[("TERM", "xterm-256color")]) && !of(&[("VTE_VERSION", "4803")]) && !of(&[]));
        let tmux = |version| of(&[("TMUX", "x"), ("TERM_PROGRAM", "tmux"), ("TERM_PROGRAM_VERSION", version)]);
        assert!(tmux("3.4") && tmux("3.5a") && !tmux("3.3a"));
        assert!(!of(&[("TMUX", "x"), ("TERM_PROGRAM", "iTerm.app")]), "it is that around tmux");
        assert!(!of(&[("STY", "1.pts"), ("WT_SESSION", "x")]));
    }

    #[test]
    fn a_terminal_is_known_by_its_answer() {
        for known in [
            "kitty(0.35.2)",
            "WezTerm 20240203-110809",
            "foot(1.16.2)",
            "iTerm2 3.5.0",
            "VTE(7600)",
            "tmux 3.4",
            "XTERM.JS(5.6.0)",
        ] {
            assert!(are_answered(&format!(">|{known}")), "{known}");
        }
        for unknown in ["XTerm(390)", "tmux 3.3a", "VTE(4803)", "kittyish 1", "", "mlterm(3.9)"] {
            assert!(!are_answered(&format!(">|{unknown}")), "{unknown}");
        }
        assert!(!are_answered("kitty(0.35.2)"), "another answer");
    }

    #[test]
    fn a_stranger_writes_no_sequence_and_no_secret_leaves() {
        assert_eq!(target("https://a.example/ä b\u{1b}\\;x").as_deref(), Some("https://a.example/%C3%A4%20b%1B\\;x"));
        assert_eq!(target("https://a.example/x\u{9c}\u{7}").as_deref(), Some("https://a.example/x%C2%9C%07"));
        assert_eq!(target("https://shop:hunter2-and-more@a.example/"), None);
        assert_eq!(target("https://a.example/?access_token=abcdefghijklmnop"), None);
        for none in ["file:///etc/passwd", "javascript:alert(1)", "/po/create", "https://", ""] {
            assert_eq!(target(none), None, "{none}");
        }
        assert_eq!(target(&format!("https://a.example/{}", "x".repeat(LONGEST))), None);
    }
}
