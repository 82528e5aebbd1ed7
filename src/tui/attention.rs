//! What the terminal shows of alerts to somebody who looks elsewhere: its title, and a notification.

use crosstail_core::model::{redact_text, visible_line};

/// The name in the title, and before a notification.
const NAME: &str = "crosstail";
/// Characters of a notification.
const LONGEST: usize = 200;

/// How a terminal is asked to notify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `OSC 9 ; TEXT`: iTerm2, kitty, `WezTerm`, Ghostty, Windows Terminal.
    Nine,
    /// `OSC 777 ; notify ; TITLE ; TEXT`: urxvt, foot.
    SevenSevenSeven,
    /// None that is known; what it did with an unknown sequence, too, is not.
    Nothing,
}

/// What was shown last.
#[derive(Debug)]
pub struct Attention {
    form: Form,
    in_tmux: bool,
    /// Whether to notify; the title is set anyway.
    notifies: bool,
    /// Whether somebody looks at the terminal: it says so where it can.
    /// Whether the terminal has the focus; `None` where it has never said so, as in tmux without `focus-events`.
    is_watched: Option<bool>,
    title: String,
    firing: usize,
}

impl Attention {
    /// For the terminal of this process.
    pub fn new(notifies: bool) -> Self {
        let is_set = |name| std::env::var_os(name).is_some();
        Self::of(&std::env::var("TERM").unwrap_or_default(), is_set("TMUX"), notifies)
    }

    fn of(term: &str, in_tmux: bool, notifies: bool) -> Self {
        let form = match term {
            "linux" | "dumb" | "" => Form::Nothing,
            term if term.contains("rxvt") || term.starts_with("foot") => Form::SevenSevenSeven,
            _ => Form::Nine,
        };
        Self { form, in_tmux, notifies, is_watched: None, title: String::new(), firing: 0 }
    }

    /// The terminal has got the focus, or lost it.
    pub fn focus(&mut self, is_watched: bool) {
        self.is_watched = Some(is_watched);
    }

    /// What to write once so many alerts fire, the newest of which says this; nothing where nothing has changed.
    pub fn show(&mut self, firing: usize, newest: impl FnOnce() -> Option<String>) -> Vec<u8> {
        let mut out = String::new();
        if self.form == Form::Nothing {
            return Vec::new();
        }
        let title = match firing {
            0 => NAME.to_owned(),
            1 => format!("{NAME}: 1 alert"),
            count => format!("{NAME}: {count} alerts"),
        };
        if title != self.title {
            out.push_str(&format!("\x1b]2;{title}\x07"));
            self.title = title;
        }
        let is_more = firing > self.firing;
        self.firing = firing;
        if is_more
            && self.notifies
            && self.is_watched != Some(true)
            && let Some(text) = newest()
        {
            // A semicolon would begin another part.
            let text: String = visible_line(&redact_text(&text)).replace(';', ",").chars().take(LONGEST).collect();
            let plain = match self.form {
                Form::Nine => format!("\x1b]9;{NAME}: {text}\x07"),
                _ => format!("\x1b]777;notify;{NAME};{text}\x07"),
            };
            // The bell marks the window of tmux; behind its escape, the sequence reaches the terminal around it.
            out.push_str(&if self.in_tmux { format!("\x1bPtmux;\x1b{plain}\x1b\\\x07") } else { plain });
        }
        out.into_bytes()
    }

    /// The title is to be written again: somebody else has had the terminal.
    pub fn forget(&mut self) {
        self.title.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn who_looks_elsewhere_is_told_of_what_is_new_and_who_looks_is_not() {
        let mut unknown = Attention::of("xterm-256color", false, true);
        let told = text(unknown.show(1, || Some("SAP: down".to_owned())));
        assert!(
            told.ends_with("\x1b]9;crosstail: SAP: down\x07"),
            "where no focus is told of, better once too often: {told:?}"
        );
        let mut attention = Attention::of("xterm-256color", false, true);
        attention.focus(true);
        assert_eq!(text(attention.show(0, || None)), "\x1b]2;crosstail\x07");
        assert_eq!(text(attention.show(0, || None)), "");
        assert_eq!(text(attention.show(1, || Some("SAP: down".to_owned()))), "\x1b]2;crosstail: 1 alert\x07");
        attention.focus(false);
        assert_eq!(text(attention.show(1, || Some("SAP: down".to_owned()))), "", "it was there before");
        let told = text(attention.show(2, || Some("Zoho; password=hunter2-and-more\x1b]0;x\x07".to_owned())));
        assert!(told.starts_with("\x1b]2;crosstail: 2 alerts\x07\x1b]9;crosstail: Zoho, "), "{told:?}");
        assert!(!told.contains("hunter2") && told.matches('\x1b').count() == 2, "{told:?}");
        assert_eq!(
            text(attention.show(1, || Some("Zoho".to_owned()))),
            "\x1b]2;crosstail: 1 alert\x07",
            "an end is no news"
        );
        attention.forget();
        assert_eq!(text(attention.show(1, || None)), "\x1b]2;crosstail: 1 alert\x07");
    }

    #[test]
    fn each_terminal_is_asked_in_its_own_way() {
        let told = |term: &str, in_tmux: bool, notifies: bool| {
            let mut attention = Attention::of(term, in_tmux, notifies);
            attention.focus(false);
            attention.show(1, || Some("SAP".to_owned()));
            attention.firing = 0;
            text(attention.show(1, || Some("SAP".to_owned())))
        };
        assert_eq!(told("foot", false, true), "\x1b]777;notify;crosstail;SAP\x07");
        assert_eq!(told("tmux-256color", true, true), "\x1bPtmux;\x1b\x1b]9;crosstail: SAP\x07\x1b\\\x07");
        assert_eq!(told("xterm", false, false), "");
        assert_eq!(told("linux", false, true), "");
    }
}
