//! JSON by POST: lines of JSON, values side by side, one document, or an array of them.

use crate::http::{Answer, Protocol};
use crate::intake::Lines;
use hyper::StatusCode;
use serde_json::json;
use serde_json::value::RawValue;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Documents;

impl Protocol for Documents {
    fn knows(&self, _path: &str) -> bool {
        true
    }

    fn reads(&self, media_type: &str) -> bool {
        // What clients say of JSON differs; what it is, is seen.
        !media_type.starts_with("multipart/")
    }

    fn lines(&self, _path: &str, _media_type: &str, body: &[u8]) -> Result<Lines, String> {
        let text = std::str::from_utf8(body).map_err(|error| format!("it is no UTF-8: {error}"))?;
        let found = values(text.trim_start_matches('\u{feff}'));
        if found.records == 0 && found.rejected > 0 {
            return Err(found.reason);
        }
        Ok(found)
    }

    fn taken(&self, _path: &str, _media_type: &str, lines: &Lines) -> Answer {
        let mut answer = json!({ "accepted": lines.records, "rejected": lines.rejected });
        if lines.rejected > 0 {
            answer["message"] = lines.reason.clone().into();
        }
        ("application/json", answer.to_string().into_bytes())
    }

    fn refused(&self, _media_type: &str, _status: StatusCode, message: &str) -> Answer {
        ("application/json", json!({ "message": message }).to_string().into_bytes())
    }
}

/// The objects of a text. What is none costs the line in which it begins, and the next line begins anew.
fn values(text: &str) -> Lines {
    let mut found = Lines::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        match values.next() {
            Some(Ok(value)) => {
                let end = values.byte_offset();
                found.take(value.get(), text.len() - rest.len(), text);
                rest = rest[end..].trim_start_matches([' ', '\t', '\r', '\n', ',']);
            }
            Some(Err(error)) => {
                found.reject(text, text.len() - rest.len(), &error.to_string());
                rest = rest.find('\n').map_or("", |end| &rest[end..]).trim_start();
            }
            None => break,
        }
    }
    found
}

impl Lines {
    fn take(&mut self, value: &str, at: usize, text: &str) {
        match value.as_bytes().first() {
            Some(b'{') => {
                // Outside of strings a newline is white space, and inside of them there is none.
                self.text.extend(value.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
                self.text.push(b'\n');
                self.records += 1;
            }
            Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(value) {
                Ok(items) => items.into_iter().for_each(|item| self.take(item.get(), at, text)),
                Err(error) => self.reject(text, at, &error.to_string()),
            },
            _ => self.reject(text, at, "it is no JSON object"),
        }
    }

    fn reject(&mut self, text: &str, at: usize, why: &str) {
        self.rejected += 1;
        let line = text[..at].matches('\n').count() + 1;
        self.reason = format!("line {line}: {why}");
    }
}

#[cfg(test)]
mod tests {
    use super::values;

    #[test]
    fn records_are_found_however_they_are_sent() {
        for (text, lines, rejected) in [
            ("{\"a\":1}\n{\"b\":2.10}\n", "{\"a\":1}\n{\"b\":2.10}\n", 0),
            ("{\"a\":1}{\"b\":2}", "{\"a\":1}\n{\"b\":2}\n", 0),
            ("{\n  \"a\": \"x\\ny\"\r\n}", "{   \"a\": \"x\\ny\"  }\n", 0),
            ("[{\"a\":1},\n {\"b\":2}, 7]", "{\"a\":1}\n{\"b\":2}\n", 1),
            ("{\"a\":1}\n{\"b\":\nnonsense\n{\"c\":3}\n", "{\"a\":1}\n{\"c\":3}\n", 2),
            ("7\n", "", 1),
            ("", "", 0),
        ] {
            let found = values(text);
            assert_eq!((String::from_utf8_lossy(&found.text).as_ref(), found.rejected), (lines, rejected), "{text}");
        }
        assert!(values("{\"a\":1}\n{\"b\":\n").reason.starts_with("line 2: "));
    }
}
