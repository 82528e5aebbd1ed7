//! Fields that are set in below a message, as pino-pretty writes them: `    res: {` …

use crate::piece::Piece;
use crate::read::{Form, Found, Surrounding};
use crate::registry::Formats;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// How far the fields are set in.
const INDENT: &str = "    ";

impl Formats {
    /// A record, with what the fields below its first line say where they say more than it.
    pub(crate) fn with_fields(&self, found: Found, rest: &str, at: &Surrounding<'_>) -> Found {
        if found.activity.level.is_none() || !matches!(found.form, Form::Text(_) | Form::Head) {
            return found;
        }
        let Some(object) = object_of(rest) else { return found };
        let dialect = self.dialects.iter().position(|dialect| dialect.base.name == "pino");
        let at = Surrounding { payload: None, noted: None, ..at.clone() };
        let mut inner = self.of_piece(&Piece { text: Cow::Owned(object), dialect }, &at);
        if !matches!(inner.form, Form::Json(_)) {
            return found;
        }
        inner.form = found.form;
        inner.activity.message = None;
        inner.within(found)
    }
}

/// Whether a line is the first one of a record of pino-pretty: `[time] LEVEL (12): …`, `[time] LEVEL: …`. Other programs list what
/// they please below a message.
pub(crate) fn is_head(first: &str) -> bool {
    let behind = first.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    behind.is_some_and(|(_, rest)| {
        let end = rest.bytes().take_while(u8::is_ascii_uppercase).count();
        end >= 4 && (rest[end..].starts_with(':') || rest[end..].starts_with(" ("))
    })
}

/// An object of the fields in lines; what is no JSON, such as a stack, is left out. `None` where there are none.
fn object_of(rest: &str) -> Option<String> {
    // Most lines behind a message are a stack.
    field(rest.lines().next()?)?;
    let mut object = Map::new();
    let mut lines = rest.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((name, value)) = field(line) else { continue };
        let mut text = value.to_owned();
        // A value goes on in lines that are set in deeper, up to its closing bracket.
        while let Some(more) = lines.next_if(|more| is_inside(more)) {
            text.push_str(more.trim());
        }
        // The level is in the first line.
        if let Some(value) = serde_json::from_str::<Value>(&text).ok().filter(|_| name != "level") {
            object.insert(name.to_owned(), value);
        }
    }
    (!object.is_empty()).then(|| Value::Object(object).to_string())
}

/// The name and the value of a field, as far as its line has it.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix(INDENT)?.split_once(':')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    let apart = value.is_empty() || value.starts_with(' ');
    (is_name && apart).then(|| (name, value.trim()))
}

fn is_inside(line: &str) -> bool {
    line.strip_prefix(INDENT).is_some_and(|rest| rest.starts_with([' ', '}', ']']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_below_a_message_are_an_object() {
        let rest = "    reqId: \"req-1\"\n    res: {\n      \"statusCode\": 200\n    }\n    err: {\n      \"stack\":\n          Error: no\n    }\n    responseTime: 29.71";
        let object: Value = serde_json::from_str(&object_of(rest).expect("an object")).expect("JSON");
        let expected = serde_json::json!({"reqId": "req-1", "res": {"statusCode": 200}, "responseTime": 29.71});
        assert_eq!(object, expected);
        for rest in ["    at charge (/srv/pay.js:12:9)", "  Parameters: {}", "    see: the list", "", "Traceback: 1"] {
            assert_eq!(object_of(rest), None, "{rest}");
        }
    }
}
