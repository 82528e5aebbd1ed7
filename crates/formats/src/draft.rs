//! Drafts a format or a dialect for records that fit none, as a starting point for people.

use crate::generic;
use crate::registry::Formats;
use crate::table::{Columns, fills};
use crosstail_core::model::{Level, leading_time};
use crosstail_core::schema::{Target, line_for_editors};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Tokens of a line that get a group of their own; the rest is the message.
const GROUPS: usize = 8;
/// Records from which a dialect is drafted, at most.
const RECORDS: usize = 200;

impl Formats {
    /// A draft, in TOML, for the records of a text: a dialect where most are JSON or it is a table with a header, else a
    /// format for the first line that fits none. `None` where there is nothing to draft from.
    pub fn draft(&self, name: &str, text: &str) -> Option<String> {
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let records: Vec<Map<String, Value>> =
            lines.iter().take(RECORDS).filter_map(|line| serde_json::from_str(line).ok()).collect();
        if records.len() * 2 > lines.len().min(RECORDS) {
            return Some(self.draft_dialect(name, &records));
        }
        if let Some(rows) = Columns::rows_of(&lines[..lines.len().min(RECORDS)]) {
            return Some(self.draft_dialect(name, &rows));
        }
        let fits = |line: &&&str| {
            generic::head(line).is_found() || self.text().is_known(line) || crate::logfmt::is_record(line)
        };
        let unknown = lines.iter().filter(|line| !line.starts_with([' ', '\t'])).find(|line| !fits(line));
        unknown.or(lines.first()).map(|line| draft_format(name, line))
    }

    fn draft_dialect(&self, name: &str, records: &[Map<String, Value>]) -> String {
        let mut paths: Vec<(String, usize, String)> = Vec::new();
        for record in records {
            collect(record, "", &mut paths);
        }
        let always: Vec<&str> = paths
            .iter()
            .filter(|(path, count, _)| *count == records.len() && !path.contains('.'))
            .map(|(path, ..)| path.as_str())
            .collect();
        let known = |path: &str| {
            let key = path.rsplit('.').next().unwrap_or(path);
            fills(self.dialects[self.plain].schema().tree(), key).next()
        };
        let mut out = format!(
            "{}# A dialect of JSON, or the columns of a table. Save it as a schema, name it with --schema, and correct what is wrong.\nname = {name:?}\ntitle = {name:?}\nextends = \"json\"\n\n",
            line_for_editors("schema")
        );
        let _ = writeln!(out, "[recognise]\nall = {always:?}\n\n[fields]");
        let mut taken = Vec::new();
        for (path, _, example) in &paths {
            match known(path) {
                Some(target) if !taken.contains(&target) => {
                    taken.push(target);
                    let _ = writeln!(out, "{} = {path:?}  # {example}", name_of(target));
                }
                _ => {
                    let _ = writeln!(out, "# TARGET = {path:?}  # {example}");
                }
            }
        }
        out
    }
}

fn name_of(target: Target) -> &'static str {
    Target::ALL.iter().find(|(_, known)| *known == target).map_or("message", |(name, _)| name)
}

/// The paths of a record, each with how often it was seen and an example.
fn collect(record: &Map<String, Value>, prefix: &str, into: &mut Vec<(String, usize, String)>) {
    for (key, value) in record {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (into.iter_mut().find(|(known, ..)| *known == path), value) {
            (_, Value::Object(inner)) if prefix.matches('.').count() < 2 => collect(inner, &path, into),
            (Some(known), _) => known.1 += 1,
            (None, _) => {
                let text: String = value.to_string().chars().filter(|c| !c.is_control()).take(40).collect();
                into.push((path, 1, text));
            }
        }
    }
}

/// A format whose pattern has a group for each token of a line.
fn draft_format(name: &str, line: &str) -> String {
    let mut pattern = String::from("^");
    let mut is = Vec::new();
    let mut rest = line.trim_end();
    let mut number = 0;
    while !rest.is_empty() && number < GROUPS {
        let marks = rest.bytes().take_while(|b| !b.is_ascii_alphanumeric()).count();
        pattern.push_str(&regex::escape(&rest[..marks]));
        rest = &rest[marks..];
        if let Some((time, length)) = leading_time(rest)
            && !pattern.contains("started_at")
            && (!time.is_epoch() || number == 0)
        {
            pattern.push_str("(?P<started_at>");
            pattern.push_str(&shape(&rest[..length]));
            pattern.push(')');
            rest = &rest[length..];
            number += 1;
            continue;
        }
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '|' | ']' | ')' | '>' | ';' | ',' | '#'))
            .unwrap_or(rest.len());
        let token = &rest[..end];
        if token.is_empty() {
            break;
        }
        if Level::parse_logged(token).is_some() && !pattern.contains("<level>") && token.len() > 1 {
            pattern.push_str("(?P<level>\\w+)");
            is.push(format!(
                "level = {:?}",
                Level::parse_logged(token).map(|level| level.to_string()).unwrap_or_default()
            ));
        } else if number >= 2 && token.bytes().all(|b| b.is_ascii_alphabetic()) {
            break;
        } else {
            let class = if token.bytes().all(|b| b.is_ascii_digit()) { "\\d+" } else { "\\S+?" };
            let _ = write!(pattern, "(?P<field{number}>{class})");
        }
        rest = &rest[end..];
        number += 1;
    }
    let spaces = rest.len() - rest.trim_start().len();
    pattern.push_str(&regex::escape(&rest[..spaces]));
    pattern.push_str("(?P<message>.*)$");
    is.push(format!("message = {:?}", rest.trim()));
    format!(
        "{}# A format of text. Save it in ~/.config/crosstail/formats/, rename the groups (started_at, level, system, message,\n\
         # method, url, http_status, duration, request_id …), and correct what is wrong.\n\
         name = {name:?}\ntitle = {name:?}\npattern = [\n    '''{pattern}''',\n]\n\n[[sample]]\ntext = {line:?}\nis = {{ {} }}\n",
        line_for_editors("format"),
        is.join(", ")
    )
}

/// A pattern for texts of the same shape: digits and letters by their classes.
fn shape(text: &str) -> String {
    let mut out = String::new();
    let mut last = ' ';
    for c in text.chars() {
        let class = if c.is_ascii_digit() {
            '0'
        } else if c.is_ascii_alphabetic() {
            'a'
        } else {
            c
        };
        match class {
            '0' if last != '0' => out.push_str("\\d+"),
            'a' if last != 'a' => out.push_str("[A-Za-z]+"),
            '0' | 'a' => {}
            other => out.push_str(&regex::escape(&other.to_string())),
        }
        last = class;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;
    use std::collections::BTreeMap;

    #[test]
    fn a_draft_is_a_format_that_fits() {
        let formats = Formats::built_in().expect("formats");
        for line in ["<<7>> shop/2 begins: order 4711", "A|17|order placed", "order [4711] was placed, twice"] {
            let draft = formats.draft("shop", &format!("{line}\n")).expect("a draft");
            let format = Format::from_toml(&draft, &BTreeMap::new(), "draft").expect(&draft);
            assert!(format.patterns[0].matcher.fits(line), "{draft}");
        }
        let text = "{\"wann\":\"2024-05-06T07:08:00Z\",\"msg\":\"x\",\"http\":{\"status\":200}}\n".repeat(3);
        let draft = formats.draft("shop", &text).expect("a draft");
        assert!(draft.contains("message = \"msg\"") && draft.contains("# TARGET = \"wann\""), "{draft}");
        let schema = crosstail_core::schema::Schema::from_toml(&draft, "draft").expect(&draft);
        assert_eq!(schema.definition().recognise.all, ["wann", "msg"]);
        let table = "Beginn;Start Time;Status;Wie\n4711;2024-05-06T07:08:00Z;200;gut\n4712;2024-05-06T07:08:01Z;500;\n";
        let draft = formats.draft("shop", table).expect("a draft");
        assert!(draft.contains("started_at = \"Start Time\"") && draft.contains("# TARGET = \"Wie\""), "{draft}");
        crosstail_core::schema::Schema::from_toml(&draft, "draft").expect(&draft);
    }
}
