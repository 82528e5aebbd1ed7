//! What is wrong with a configuration, in terms of its file.

use super::{known_keys, line_at};
use crosstail_core::filter::suggest;
use std::path::Path;

/// An error of the parser, with the file and the line.
pub(super) fn wrong(text: &str, path: &Path, error: &toml::de::Error) -> anyhow::Error {
    let line = error.span().map_or(1, |span| line_at(text, span.start));
    anyhow::anyhow!("{}:{line}: {}", path.display(), explained(error.message()))
}

/// The message of the parser in terms of the file, with what to write instead.
fn explained(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field `")
        && let Some((wrong, expected)) = rest.split_once('`')
    {
        // The fields that the table has: the message lists them.
        let has = |key: &str| expected.contains(&format!("`{key}`"));
        if TOP.contains(&wrong) && !has("theme") {
            return format!("'{wrong}' belongs at the top of the file, above the first [table]");
        }
        if let Some((table, _)) = TABLES.iter().find(|(table, keys)| keys.contains(&wrong) && has(table)) {
            return format!("'{wrong}' belongs in a [[{table}]], not at the top of the file");
        }
        // A key of another table is none here.
        let near = suggest(wrong, known_keys().filter(|key| has(key)));
        let near = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        return format!("{message}{near}");
    }
    if message.starts_with("invalid type: map, expected a sequence") {
        return "a table that there can be several of has two brackets: [[source]], [[view]], [[channel]], [[link]], [[command]]".to_owned();
    }
    match message.split_once(", expected usize") {
        Some((got, _)) => format!("{}: a whole number is expected here", got.trim_start_matches("invalid type: ")),
        None => message.to_owned(),
    }
}

/// The settings at the top of a file.
pub(super) const TOP: [&str; 9] = [
    "theme",
    "time_zone",
    "week_start",
    "history_limit",
    "range",
    "memory",
    "figures",
    "terminal_notifications",
    "hyperlinks",
];
/// The tables of which there can be several, and keys of theirs.
const TABLES: [(&str, &[&str]); 6] = [
    (
        "source",
        &[
            "at",
            "name",
            "since",
            "after",
            "cursor",
            "schema",
            "zone",
            "password_env",
            "password_file",
            "password_command",
        ],
    ),
    ("link", &["url"]),
    ("send", &["host"]),
    ("command", &["run"]),
    ("view", &["filter", "columns", "facets"]),
    ("channel", &["kind", "url", "url_env", "key_env", "smtp", "to", "from", "command", "at_least", "rules"]),
];
