//! What the terminal can do for the explorer, as far as it can be told without asking it: its size, its colours, the
//! clipboard, the characters.

use super::terminal;
use super::theme::ColourDepth;
use crosstail_core::model::Diagnosis;
use std::process::{Command, Stdio};

/// Below this, panels give way.
const WHOLE: (u16, u16) = (80, 24);

/// The terminal as the environment describes it.
struct Setting<'a> {
    /// Columns and rows.
    size: (u16, u16),
    variable: &'a dyn Fn(&str) -> Option<String>,
    /// The value of an option of tmux.
    tmux: &'a dyn Fn(&str) -> Option<String>,
}

/// Examines the terminal of this process.
pub fn examine() -> Vec<Diagnosis> {
    if terminal::writer().is_err() {
        return vec![Diagnosis::note("terminal", "there is none; the explorer needs one, the other commands do not")];
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let setting = Setting { size: terminal::size().unwrap_or_default(), variable: &variable, tmux: &tmux };
    vec![setting.terminal(), setting.colours(), setting.characters(), setting.clipboard()]
}

/// An option of the tmux around this process.
fn tmux(option: &str) -> Option<String> {
    let asked = Command::new("tmux").args(["show-options", "-gv", option]).stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&asked.stdout).trim().to_owned()).filter(|value| !value.is_empty())
}

impl Setting<'_> {
    fn get(&self, name: &str) -> String {
        (self.variable)(name).unwrap_or_default()
    }

    fn terminal(&self) -> Diagnosis {
        let (columns, rows) = self.size;
        let term = self.get("TERM");
        let size = format!("{columns}×{rows}");
        if term.is_empty() || term == "dumb" {
            let text = format!(
                "TERM is {}: programs take it for one that cannot draw",
                if term.is_empty() { "not set" } else { "dumb" }
            );
            return Diagnosis::warning("terminal", text, "export TERM=xterm-256color, or what your terminal is");
        }
        if self.size == (0, 0) {
            let text = format!("{term}; it does not say how large it is");
            return Diagnosis::warning("terminal", text, "stty cols 120 rows 36");
        }
        if columns < WHOLE.0 || rows < WHOLE.1 {
            let text = format!("{term}, {size}; from {}×{} on, all panels have room", WHOLE.0, WHOLE.1);
            return Diagnosis::note("terminal", text);
        }
        let around = match (self.variable)("TMUX").is_some() {
            true => ", in tmux",
            false if (self.variable)("STY").is_some() => ", in GNU screen",
            false => "",
        };
        let over = if (self.variable)("SSH_CONNECTION").is_some() { ", over SSH" } else { "" };
        Diagnosis::ok("terminal", format!("{term}, {size}{around}{over}"))
    }

    fn colours(&self) -> Diagnosis {
        match ColourDepth::of(self.variable) {
            ColourDepth::True => Diagnosis::ok("colours", "24-bit"),
            ColourDepth::Indexed => Diagnosis::ok("colours", "256; with COLORTERM=truecolor, 24-bit"),
            ColourDepth::Ansi => Diagnosis {
                remedy: Some("export COLORTERM=truecolor, if the terminal has 24-bit colours".to_owned()),
                ..Diagnosis::note("colours", "16, as neither COLORTERM nor TERM says more")
            },
            ColourDepth::None => Diagnosis::note("colours", "none: NO_COLOR is set, or TERM is dumb"),
        }
    }

    fn characters(&self) -> Diagnosis {
        // The first of them that is set decides.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| Some((name, (self.variable)(name)?)));
        let plain = |text: &str| text.to_ascii_lowercase().replace('-', "");
        match &locale {
            Some((name, value)) if plain(value).ends_with("utf8") || plain(value).contains("utf8@") => {
                Diagnosis::ok("characters", format!("UTF-8, by {name}={value}"))
            }
            other => {
                let said =
                    other.as_ref().map_or("no locale is set".to_owned(), |(name, value)| format!("{name}={value}"));
                let text = format!(
                    "{said}: what passes characters on (ssh, tmux, screen) may turn lines and arrows into question marks"
                );
                Diagnosis::warning("characters", text, "export LANG=C.UTF-8")
            }
        }
    }

    fn clipboard(&self) -> Diagnosis {
        if (self.variable)("TMUX").is_some() {
            let is = |option: &str, values: &[&str]| {
                (self.tmux)(option).is_some_and(|value| values.contains(&value.as_str()))
            };
            if is("set-clipboard", &["on"]) || is("allow-passthrough", &["on", "all"]) {
                return Diagnosis::ok("clipboard", "tmux passes it on (OSC 52)");
            }
            let remedy = "tmux set -g set-clipboard on, and the same line without tmux in ~/.tmux.conf";
            return Diagnosis::warning("clipboard", "tmux keeps what is copied to itself", remedy);
        }
        let select = "hold Shift and select with the mouse, or write to a file";
        let without = |what: &str| Diagnosis {
            remedy: Some(select.to_owned()),
            ..Diagnosis::note("clipboard", format!("{what} does not pass on what is copied (OSC 52)"))
        };
        if (self.variable)("STY").is_some() {
            without("GNU screen")
        } else if (self.variable)("VTE_VERSION").is_some() {
            without("a terminal made with VTE, such as GNOME Terminal,")
        } else if self.get("TERM_PROGRAM") == "Apple_Terminal" {
            without("Apple's Terminal")
        } else if self.get("TERM") == "linux" {
            without("the console")
        } else {
            Diagnosis::ok("clipboard", "by the terminal (OSC 52); some ask first, or have to be told to allow it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::Grade;
    use std::collections::BTreeMap;

    /// Grade and text of what is found of a topic.
    fn found(size: (u16, u16), variables: &[(&str, &str)], tmux: &[(&str, &str)], topic: &str) -> (Grade, String) {
        let (variables, tmux): (BTreeMap<_, _>, BTreeMap<_, _>) =
            (variables.iter().copied().collect(), tmux.iter().copied().collect());
        let of = |map: &BTreeMap<&str, &str>, name: &str| map.get(name).map(|value| (*value).to_owned());
        let (variable, option) = (|name: &str| of(&variables, name), |name: &str| of(&tmux, name));
        let setting = Setting { size, variable: &variable, tmux: &option };
        let all = [setting.terminal(), setting.colours(), setting.characters(), setting.clipboard()];
        let one = all.into_iter().find(|diagnosis| diagnosis.topic == topic).expect("a topic");
        (one.grade, one.text)
    }

    #[test]
    fn a_terminal_is_told_by_its_environment() {
        let room = (120, 36);
        let xterm = ("TERM", "xterm-256color");
        for (size, variables, tmux, topic, grade, says) in [
            (room, &[xterm][..], &[][..], "terminal", Grade::Ok, "xterm-256color, 120×36"),
            (room, &[xterm, ("SSH_CONNECTION", "a")], &[], "terminal", Grade::Ok, "over SSH"),
            (room, &[("TERM", "tmux-256color"), ("TMUX", "x")], &[], "terminal", Grade::Ok, "in tmux"),
            ((60, 20), &[xterm], &[], "terminal", Grade::Note, "60×20; from 80×24 on"),
            ((0, 0), &[xterm], &[], "terminal", Grade::Warning, "how large"),
            (room, &[], &[], "terminal", Grade::Warning, "TERM is not set"),
            (room, &[("TERM", "dumb")], &[], "terminal", Grade::Warning, "TERM is dumb"),
            (room, &[xterm, ("COLORTERM", "truecolor")], &[], "colours", Grade::Ok, "24-bit"),
            (room, &[xterm], &[], "colours", Grade::Ok, "256"),
            (room, &[("TERM", "xterm")], &[], "colours", Grade::Note, "16"),
            (room, &[xterm, ("NO_COLOR", "1")], &[], "colours", Grade::Note, "none"),
            (room, &[("LANG", "de_DE.UTF-8")], &[], "characters", Grade::Ok, "LANG=de_DE.UTF-8"),
            (room, &[("LANG", "de_DE.utf8@euro")], &[], "characters", Grade::Ok, "UTF-8"),
            (room, &[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")], &[], "characters", Grade::Warning, "LC_ALL=C"),
            (room, &[], &[], "characters", Grade::Warning, "no locale"),
            (room, &[xterm], &[], "clipboard", Grade::Ok, "OSC 52"),
            (room, &[("TMUX", "x")], &[("set-clipboard", "on")], "clipboard", Grade::Ok, "tmux"),
            (
                room,
                &[("TMUX", "x")],
                &[("set-clipboard", "external"), ("allow-passthrough", "on")],
                "clipboard",
                Grade::Ok,
                "tmux",
            ),
            (room, &[("TMUX", "x")], &[("set-clipboard", "external")], "clipboard", Grade::Warning, "keeps"),
            (room, &[("TMUX", "x")], &[], "clipboard", Grade::Warning, "keeps"),
            (room, &[("STY", "x")], &[], "clipboard", Grade::Note, "screen"),
            (room, &[("VTE_VERSION", "7802")], &[], "clipboard", Grade::Note, "VTE"),
            (room, &[("TERM", "linux")], &[], "clipboard", Grade::Note, "console"),
        ] {
            let (is, text) = found(size, variables, tmux, topic);
            assert!(is == grade && text.contains(says), "{variables:?}: {topic} is {is:?}: {text}");
        }
    }
}
