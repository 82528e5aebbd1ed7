//! What was taken for what, for people: a line, a note, and a schema as TOML to be edited.

use super::sketch::{Sketch, TableSample};
use super::sketch_names::normalised;
use crate::model::redact_text;
use std::fmt::Write as _;

/// Shown of an example, in characters.
const EXAMPLE: usize = 40;

/// Whether a column holds credentials, by its name.
fn is_secret(path: &str) -> bool {
    let name = normalised(path);
    ["secret", "password", "passwd", "token", "apikey", "authorization", "credential", "cookie", "privatekey"]
        .iter()
        .any(|word| name.contains(word))
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl Sketch {
    /// What was taken for what, in one line.
    pub fn summary(&self) -> String {
        self.fields.iter().map(|(target, path)| format!("{target} = {path}")).collect::<Vec<_>>().join(", ")
    }

    /// What to say of a table that is read by its sketch. `what`: the store's word for it; `others`: tables that are likely
    /// activities, too.
    pub fn note<'o>(&self, what: &str, name: &str, others: impl Iterator<Item = &'o str>) -> String {
        let others: Vec<&str> = others.take(10).collect();
        let others = if others.is_empty() { String::new() } else { format!("; not read: {}", others.join(", ")) };
        format!(
            "no schema knows a {what} of this database; {name} is read by its names and types ({}){others}; to correct it, or \
             to read another one: crosstail schema draft --from URL --table NAME > my.toml, then --schema my.toml",
            self.summary()
        )
    }

    /// The schema as TOML, with examples, to be edited. `sample`: what it was made from.
    pub fn toml(&self, name: &str, sample: &TableSample) -> String {
        let columns = sample.expanded();
        // What may be a credential, or somebody's data in JSON, is not shown.
        let example = |path: &str| {
            let value = columns.iter().find(|column| column.path == path).and_then(|column| column.values.first());
            let value = value.filter(|value| !value.starts_with(['{', '[']) && !is_secret(path));
            let text: String =
                value.into_iter().flat_map(|v| v.chars()).filter(|c| !c.is_control()).take(EXAMPLE).collect();
            if text.is_empty() { String::new() } else { format!("  # {}", redact_text(&text)) }
        };
        let mut out = format!(
            "{editors}# Drafted from {table}: names, types and some rows decided what is what. Save it, correct what is wrong, and name\n\
             # it with --schema FILE.\nname = {name}\ntitle = {title}\n# Words such as 'done', 'queued' and 'error' mean what they mean to most systems.\nusual_words = true\n",
            editors = super::line_for_editors("schema"),
            table = sample.name.replace(char::is_control, " "),
            name = quoted(name),
            title = quoted(&sample.name),
        );
        if let Some(unit) = self.duration_unit {
            let _ = writeln!(out, "duration_unit = {unit:?}");
        }
        let key = match self.key.as_slice() {
            [one] => quoted(one),
            several => format!("[{}]", several.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ")),
        };
        let _ = write!(out, "\n[table]\nname = {}\nid = {key}\ntime = {}\n", quoted(&sample.name), quoted(&self.time));
        match self.time_unit {
            Some(unit) => out.push_str(&format!("time_unit = {unit:?}\n")),
            None => out.push_str("# time_zone = \"Europe/Berlin\"  # of times without a zone, where it is not UTC\n"),
        }
        out.push_str("\n[fields]\n");
        for (target, path) in &self.fields {
            let _ = writeln!(out, "{target} = {}{}", quoted(path), example(path));
        }
        let used = |path: &str| {
            self.fields.iter().any(|(_, known)| known == path)
                || self.parts.iter().any(|(_, known)| known == path)
                || self.key.iter().any(|known| known == path)
        };
        for column in columns.iter().filter(|column| !used(&column.path) && column.path.matches('.').count() < 2) {
            let _ = writeln!(out, "# TARGET = {}{}", quoted(&column.path), example(&column.path));
        }
        if !self.parts.is_empty() {
            out.push_str("\n[payload]\n");
            for (part, path) in &self.parts {
                let _ = writeln!(out, "{part} = {}", quoted(path));
            }
        }
        if self.yes_is_bad {
            out.push_str("\n[words.status]\ntrue = \"failed\"\nfalse = \"success\"\n1 = \"failed\"\n0 = \"success\"\n");
        } else if self.yes_or_no {
            out.push_str("\n[words.status]\n1 = \"success\"\n0 = \"failed\"\n");
        } else if !self.unknown_words.is_empty() || !self.own_words.is_empty() {
            out.push_str("\n[words.status]\n");
            for (word, status) in &self.own_words {
                let _ = writeln!(out, "{} = \"{status}\"", quoted(word));
            }
            if !self.unknown_words.is_empty() {
                out.push_str("# Not known: success, failed, timeout, cancelled or in_progress?\n");
            }
            for word in &self.unknown_words {
                let _ = writeln!(out, "# {} = \"failed\"", quoted(word));
            }
        }
        if !self.levels.is_empty() {
            out.push_str("\n[words.level]\n");
            for (number, level) in self.levels {
                let _ = writeln!(out, "{number} = \"{level}\"");
            }
        }
        out
    }
}
