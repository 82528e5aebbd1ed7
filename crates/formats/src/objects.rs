//! Objects as the languages print them: Python's `{'a': None}`, Ruby's `{"a"=>nil}`, Logstash's rubydebug.

use serde::de::IgnoredAny;

/// The same object as JSON; `None` where it is none.
pub(crate) fn as_json(text: &str) -> Option<String> {
    let text = text.trim();
    if !(text.starts_with('{') && text.ends_with('}')) {
        return None;
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match first {
            '"' | '\'' => {
                let (inside, after) = quoted(rest, first)?;
                out.push_str(&serde_json::to_string(&inside).ok()?);
                rest = after;
            }
            '=' => {
                rest = rest.strip_prefix("=>")?;
                out.push(':');
            }
            '[' if index_length(rest) > 0 => rest = &rest[index_length(rest)..],
            '{' | '}' | '[' | ']' | ',' | ':' => {
                out.push(first);
                rest = &rest[1..];
            }
            _ if first.is_whitespace() => {
                out.push(' ');
                rest = &rest[first.len_utf8()..];
            }
            _ => {
                let end =
                    rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | '}' | ']' | '=' | '"' | '\'' | '{'));
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                match word {
                    "None" | "nil" | "null" => out.push_str("null"),
                    "True" | "true" => out.push_str("true"),
                    "False" | "false" => out.push_str("false"),
                    number if number.parse::<f64>().is_ok_and(f64::is_finite) => out.push_str(number),
                    other => out.push_str(&serde_json::to_string(other).ok()?),
                }
                rest = after;
            }
        }
    }
    serde_json::from_str::<IgnoredAny>(&out).is_ok().then_some(out)
}

/// How long the number of an element in brackets is, which rubydebug writes in front of it: `[0] `.
fn index_length(text: &str) -> usize {
    let digits = text[1..].bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 && text[1 + digits..].starts_with("] ") { digits + 3 } else { 0 }
}

/// The text between quotation marks, and what follows them.
fn quoted(text: &str, mark: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == mark {
            return Some((out, &text[at + 1..]));
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        let (at, escaped) = chars.next()?;
        let digits = match escaped {
            'n' => {
                out.push('\n');
                continue;
            }
            't' => {
                out.push('\t');
                continue;
            }
            'r' => {
                out.push('\r');
                continue;
            }
            'x' => 2,
            'u' => 4,
            other => {
                out.push(other);
                continue;
            }
        };
        let code = text.get(at + 1..at + 1 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok())?;
        out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
        chars.nth(digits - 1);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_other_languages_are_json() {
        for (text, json) in [
            (r#"{'a': None, 'b': [True, 1.5], 'c': "it's"}"#, r#"{"a": null, "b": [true, 1.5], "c": "it's"}"#),
            (r"{'a': 'it\'s \x41\u0042\n'}", r#"{"a": "it's AB\n"}"#),
            (r#"{"a"=>"b => c", "d"=>nil}"#, r#"{"a":"b => c", "d":null}"#),
            (
                "{\n  \"@timestamp\" => 2024-05-06T07:08:00.123Z,\n \"tags\" => [\n [0] \"x\"\n ]\n}",
                r#"{   "@timestamp" : "2024-05-06T07:08:00.123Z",  "tags" : [  "x"  ] }"#,
            ),
        ] {
            assert_eq!(as_json(text).as_deref(), Some(json), "{text}");
        }
        for text in ["", "{", "{a", "{'a': 'b}", "{'a' = 1}", "{'\\", "{'\\u12"] {
            assert_eq!(as_json(text), None, "{text}");
        }
    }
}
