//! Makes hostile text harmless: nothing in a log may control the terminal.

use std::borrow::Cow;

/// Whether a character must not reach a terminal unchanged: C0, DEL, C1, bidi controls, line and paragraph
/// separators, zero-width and other invisible format characters, interlinear and tag characters.
#[inline]
pub fn is_hostile(c: char) -> bool {
    // What most characters are comes first.
    !(' '..='~').contains(&c)
        && matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Replaces every hostile character by a visible mark: controls by Unicode control pictures (`␛`), the rest by
/// `‹U+202E›`. Line breaks and tabs become marks, too, so that one record is one line.
pub fn visible_line(text: &str) -> Cow<'_, str> {
    mark(text, false)
}

/// Like [`visible_line`], but keeps line feeds, for text that is shown on several lines.
pub fn visible(text: &str) -> Cow<'_, str> {
    mark(text, true)
}

fn mark(text: &str, keep_newlines: bool) -> Cow<'_, str> {
    let harmless = |c: char| !is_hostile(c) || (keep_newlines && c == '\n');
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) || text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            _ if harmless(c) => out.push(c),
            '\n' => out.push('⏎'),
            '\t' => out.push_str("  "),
            '\u{0}'..='\u{1f}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('␀')),
            '\u{7f}' => out.push('␡'),
            _ => {
                use std::fmt::Write as _;
                let _ = write!(out, "‹U+{:04X}›", c as u32);
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marks_are_readable() {
        assert_eq!(visible_line("a\u{1b}[2Jb\u{202e}c\nd"), "a␛[2Jb‹U+202E›c⏎d");
        assert_eq!(visible("a\nb"), "a\nb");
        assert!(matches!(visible_line("plain ünïcode 漢字"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn nothing_hostile_is_left(text in "\\PC*|.*|[\u{0}-\u{9f}\u{2000}-\u{206f}]*") {
            prop_assert!(!visible_line(&text).chars().any(is_hostile));
        }
    }
}
