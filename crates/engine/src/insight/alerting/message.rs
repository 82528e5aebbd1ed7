//! Formats the reason for an alert.

use super::rule::{Group, Measured, Rule};
use crosstail_core::filter::suggest;
use crosstail_core::model::{Unit, redact_text};
use std::borrow::Cow;

/// The message of a rule that has none.
pub(super) const DEFAULT: &str = "{group}: {value} in {window}, limit {limit}";

/// That of a rule on groups of failures.
pub(super) const OF_FAILURES: &str = "{group}: {count} in {window}, {usual}";

/// The placeholders that a message may have.
const PLACES: &[&str] = &["group", "value", "limit", "count", "of", "window", "usual", "for"];

/// The label of what the failures of a group say.
pub(super) const PATTERN: &str = "pattern";

/// A group for people: the value where there is one label, else `label=value` for each; `everything` without labels. Each value is
/// without secrets: within a longer text, one may end where it is no longer told.
pub fn group_text(group: &Group) -> String {
    match group.as_slice() {
        [] => "everything".to_owned(),
        [(_, value)] => redact_text(value).into_owned(),
        // A group of failures: what fails, and what it says.
        [whose @ .., (label, said)] if label == PATTERN => {
            let whose: Vec<Cow<'_, str>> = whose.iter().map(|(_, value)| redact_text(value)).collect();
            let said = if said.is_empty() { Cow::Borrowed("says nothing") } else { redact_text(said) };
            format!("{}: {said}", whose.join(" "))
        }
        many => {
            let one = |(label, value): &(String, String)| format!("{label}={}", redact_text(value));
            many.iter().map(one).collect::<Vec<_>>().join(" ")
        }
    }
}

/// Calls `part` for each part of a message; the flag is true for a placeholder.
fn parts<'a>(message: &'a str, mut part: impl FnMut(&'a str, bool)) {
    let mut rest = message;
    while let Some(begin) = rest.find('{') {
        let Some(length) = rest[begin..].find('}') else { break };
        part(&rest[..begin], false);
        part(&rest[begin + 1..begin + length], true);
        rest = &rest[begin + length + 1..];
    }
    part(rest, false);
}

/// Checks that every placeholder of a message is known.
pub(super) fn check(message: &str) -> Result<(), String> {
    let mut wrong = None;
    parts(message, |text, place| {
        if place && !PLACES.contains(&text) {
            wrong = wrong.or(Some(text));
        }
    });
    let Some(wrong) = wrong else { return Ok(()) };
    let hint = suggest(wrong, PLACES.iter().copied())
        .map_or_else(|| format!("known are {{{}}}", PLACES.join("}, {")), |near| format!("did you mean '{{{near}}}'?"));
    Err(format!("message: no placeholder '{{{wrong}}}'; {hint}"))
}

/// A duration in words: `5 min`, `30 s`.
pub fn length(us: i64) -> String {
    let seconds = us / 1_000_000;
    match seconds {
        s if s % 86_400 == 0 && s > 0 => format!("{} d", s / 86_400),
        s if s % 3600 == 0 && s > 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 && s > 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// What fires, and why: the reason alone where it names the group itself, as that of a group of failures does.
pub fn described(group: &Group, reason: &str) -> String {
    let group = group_text(group);
    if reason.starts_with(&group) { reason.to_owned() } else { format!("{group}: {reason}") }
}

/// The reason why a rule's condition holds for a measurement.
pub fn reason(rule: &Rule, measured: &Measured) -> String {
    let mut out = String::new();
    let count = |n: u64| Unit::Count.text(n as f64);
    parts(&rule.message, |text, place| match text {
        text if !place => out.push_str(text),
        "group" => out.push_str(&group_text(&measured.group)),
        "value" => out.push_str(&rule.unit.text(measured.value)),
        "limit" => out.push_str(&rule.threshold.text(rule.unit)),
        "count" => out.push_str(&count(measured.count)),
        "of" => out.push_str(&count(measured.of)),
        "window" => out.push_str(&length(rule.window_us)),
        "usual" => out.push_str(if measured.usual.is_empty() { "not known" } else { &measured.usual }),
        _ => out.push_str(&length(rule.for_us)),
    });
    out
}
