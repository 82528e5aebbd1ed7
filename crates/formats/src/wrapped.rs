//! What a wrapper holds that has several lines.

use crate::format::{Format, Group};
use crate::scan::Groups;
use crosstail_core::schema::Target;
use std::borrow::Cow;

/// What a wrapper holds: the message of its first line, and of each further line what that line wraps.
pub(crate) fn inner_text<'t>(
    format: &Format,
    number: usize,
    message: &'t str,
    mut partial: bool,
    rest: &str,
) -> Cow<'t, str> {
    if rest.is_empty() {
        return Cow::Borrowed(message);
    }
    let mut inside = message.to_owned();
    for line in rest.lines() {
        let mut content = line;
        let mut continues = false;
        for pattern in &format.patterns[number..=number] {
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
        }
        if !partial {
            inside.push('\n');
        }
        inside.push_str(content);
        partial = continues;
    }
    Cow::Owned(inside)
}
