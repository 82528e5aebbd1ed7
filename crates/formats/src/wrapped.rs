//! What a wrapper holds that has several lines.

use crate::format::{Format, Group};
use crate::scan::Groups;
use crosstail_core::schema::Target;
use std::borrow::Cow;

/// A text with the tabs and newlines that rsyslog wrote as `#011` and `#012`. What stands as a word of its own is no control
/// character: `order #012 placed`.
pub(crate) fn with_controls(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut from = 0;
    for (at, _) in text.match_indices("#01") {
        let control = match text.as_bytes().get(at + 3) {
            Some(b'1') => '\t',
            Some(b'2') => '\n',
            _ => continue,
        };
        let before = text[..at].bytes().next_back();
        let after = text.as_bytes().get(at + 4).copied();
        let apart = before.is_none_or(|b| matches!(b, b' ' | b'(' | b'[' | b'"' | b':'));
        let last = |at: usize| text.as_bytes().get(at).is_none_or(|b| *b == b' ');
        let ends = after.is_none_or(|b| match b {
            b'.' | b',' | b':' => last(at + 5),
            _ => b.is_ascii_digit() || matches!(b, b' ' | b')' | b']' | b'"'),
        });
        if at < from || (apart && ends) {
            continue;
        }
        out.push_str(&text[from..at]);
        out.push(control);
        from = at + 4;
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// What a wrapper holds: the message of its first line, and of each further line what that line wraps.
pub(crate) fn inner_text<'t>(
    format: &Format,
    number: usize,
    message: &'t str,
    mut partial: bool,
    rest: &str,
) -> Cow<'t, str> {
    let controlled = |text: &'t str| if format.octal_controls { with_controls(text) } else { Cow::Borrowed(text) };
    if rest.is_empty() {
        return controlled(message);
    }
    let mut inside = controlled(message).into_owned();
    for line in rest.lines() {
        let mut content = line;
        let mut continues = false;
        // Further lines may have less of the wrapper: Rails' logger writes only the tags in front of them.
        let others = (0..format.patterns.len()).filter(|index| *index != number);
        for pattern in std::iter::once(number).chain(others).map(|index| &format.patterns[index]) {
            let mut groups = Groups::NONE;
            if !pattern.matcher.find(line, &mut groups) {
                continue;
            }
            for (group, meaning) in &pattern.groups {
                let found = groups.range(*group).and_then(|range| line.get(range));
                match meaning {
                    Group::Target(Target::Message) => content = found.unwrap_or(line),
                    Group::Partial => continues = found == Some("P"),
                    _ => {}
                }
            }
            break;
        }
        if !partial {
            inside.push('\n');
        }
        if format.octal_controls {
            inside.push_str(&with_controls(content));
        } else {
            inside.push_str(content);
        }
        partial = continues;
    }
    // What is said begins with the first line that says something.
    let blank = inside.len() - inside.trim_start().len();
    if blank < inside.len()
        && let Some(end) = memchr::memrchr(b'\n', &inside.as_bytes()[..blank])
    {
        inside.drain(..=end);
    }
    Cow::Owned(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_rsyslog_are_told_from_numbers() {
        for (text, expected) in [
            ("#011at a.b(C.java:1)", "\tat a.b(C.java:1)"),
            ("no route#012#011at a.b#012#011at c.d", "no route\n\tat a.b\n\tat c.d"),
            ("SELECT *#012 FROM x", "SELECT *\n FROM x"),
            ("order #012 placed", "order #012 placed"),
            ("order #0123 placed, #011.", "order #0123 placed, #011."),
            ("#011... 3 more", "\t... 3 more"),
            ("#012", "#012"),
            ("grün#012 é", "grün\n é"),
        ] {
            assert_eq!(with_controls(text), expected, "{text}");
        }
    }
}
