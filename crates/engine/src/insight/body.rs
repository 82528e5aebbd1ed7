//! Recognises the format of a recorded body and converts it to a tree: JSON, XML, a form, a multipart message. Also
//! decodes what is inside a string.

use base64::Engine as _;
use crosstail_core::model::Body;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::io::Read as _;

/// The format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// One JSON value. Only this format has paths for filters.
    Json,
    /// JSON that ends in the middle.
    TruncatedJson,
    /// Several JSON values, one after the other.
    JsonLines,
    /// XML. In the tree, attributes are `@name`, and text next to them is `#text`.
    Xml,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/…`.
    Multipart,
    /// Anything else.
    Text,
}

impl BodyFormat {
    /// Description for people.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::TruncatedJson => "JSON that ends in the middle",
            Self::JsonLines => "JSON lines",
            Self::Xml => "XML",
            Self::Form => "form",
            Self::Multipart => "multipart",
            Self::Text => "text",
        }
    }
}

/// A body, prepared for the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormattedBody<'a> {
    /// The recorded format.
    pub form: BodyFormat,
    /// JSON text of its tree; for [`BodyFormat::Text`], the text itself.
    pub text: Cow<'a, str>,
}

/// Maximum depth of XML elements, and maximum number of parts of a multipart message.
const MAX_DEPTH: usize = 200;
const MAX_PARTS: usize = 1000;
/// Shorter strings are not decoded, in characters.
const MIN_LENGTH: usize = 24;
/// Maximum size of a decompressed string, in bytes.
const MAX_UNPACKED_BYTES: u64 = 16 << 20;

/// Prepares a body. The time grows with its size: do not call this on the screen's thread for a large one.
pub fn format_body<'a>(body: &'a Body, content_type: Option<&str>) -> FormattedBody<'a> {
    // A truncated body wraps the stored part.
    if body.truncation.is_some()
        && let Some(Value::String(kept)) = body.value().get("preview")
    {
        let kept = Body::from_text(kept.as_str());
        let laid = format_body(&kept, content_type);
        let form = if laid.form == BodyFormat::Json { BodyFormat::TruncatedJson } else { laid.form };
        return FormattedBody { form, text: Cow::Owned(laid.text.into_owned()) };
    }
    let text = body.text();
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    let trimmed = text.trim_start();
    if trimmed.starts_with(['{', '[']) {
        if is_json(text) {
            return FormattedBody { form: BodyFormat::Json, text: Cow::Borrowed(text) };
        }
        if let Some(whole) = completed(trimmed).filter(|whole| is_json(whole)) {
            return FormattedBody { form: BodyFormat::TruncatedJson, text: Cow::Owned(whole) };
        }
        let values: Result<Vec<&RawValue>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
        if let Ok(values) = values {
            let inside: Vec<&str> = values.iter().map(|value| value.get()).collect();
            return FormattedBody { form: BodyFormat::JsonLines, text: Cow::Owned(format!("[{}]", inside.join(","))) };
        }
    }
    let other = if trimmed.starts_with('<') {
        xml(trimmed).map(|value| (BodyFormat::Xml, value))
    } else if trimmed.starts_with("--") {
        multipart(text).map(|value| (BodyFormat::Multipart, value))
    } else if content_type.contains("x-www-form-urlencoded") || looks_like_form(text) {
        Some((BodyFormat::Form, form(text)))
    } else {
        None
    };
    match other {
        Some((form, value)) => FormattedBody { form, text: Cow::Owned(value.to_string()) },
        None => FormattedBody { form: BodyFormat::Text, text: Cow::Borrowed(text) },
    }
}

/// Whether a text is a JSON object or array.
pub fn is_json_container(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && is_json(text)
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Completes truncated JSON: up to its last complete value, with open brackets closed. `None` where none is open.
fn completed(text: &str) -> Option<String> {
    let (mut open, mut in_string, mut escaped) = (Vec::new(), false, false);
    // The end of the last complete value. It moves after each bracket, so the brackets open here are those open at the
    // end.
    let mut whole = 0;
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                open.push(if byte == b'{' { '}' } else { ']' });
                whole = at + 1;
            }
            b'}' | b']' => {
                open.pop();
                whole = at + 1;
            }
            b',' => whole = at,
            _ => {}
        }
    }
    let closing: String = open.iter().rev().collect();
    (!open.is_empty()).then(|| format!("{}{closing}", &text[..whole]))
}

/// Adds a value under a name; several values of one name become an array.
fn add(map: &mut Map<String, Value>, name: String, value: Value) {
    match map.get_mut(&name) {
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
        None => drop(map.insert(name, value)),
    }
}

fn looks_like_form(text: &str) -> bool {
    let name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.[]%".contains(&b));
    let pair =
        |pair: &str| pair.split_once('=').is_some_and(|(key, value)| name(key) && !value.contains(['=', '<', '{']));
    text.contains('&') && !text.contains(char::is_whitespace) && text.split('&').all(pair)
}

fn form(text: &str) -> Value {
    let mut map = Map::new();
    for (name, value) in form_urlencoded::parse(text.trim().as_bytes()) {
        add(&mut map, name.into_owned(), Value::String(value.into_owned()));
    }
    Value::Object(map)
}

/// A multipart body (RFC 2046 §5.1); its boundary is its first line.
fn multipart(text: &str) -> Option<Value> {
    let boundary = text.lines().find(|line| !line.trim().is_empty())?.trim_end();
    if boundary.len() < 4 || boundary.contains(' ') {
        return None;
    }
    let mut map = Map::new();
    for part in text.split(boundary).skip(1).take(MAX_PARTS) {
        let part = part.trim_start_matches(['\r', '\n']);
        if part.starts_with("--") {
            break;
        }
        let (head, content) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n"))?;
        let content = content.strip_suffix('\n').map_or(content, |rest| rest.strip_suffix('\r').unwrap_or(rest));
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let disposition = header("content-disposition").unwrap_or_default();
        let parameter = |name: &str| {
            disposition.split(';').find_map(|part| {
                let (key, value) = part.split_once('=')?;
                (key.trim() == name).then(|| value.trim().trim_matches('"').to_owned())
            })
        };
        let (name, file) = (parameter("name").unwrap_or_else(|| "part".to_owned()), parameter("filename"));
        let sort = header("content-type");
        let inside = Body::from_text(content);
        let laid = format_body(&inside, sort.as_deref());
        let value = match laid.form {
            BodyFormat::Text => Value::String(content.to_owned()),
            _ => serde_json::from_str(&laid.text).unwrap_or_default(),
        };
        let value = if file.is_none() && sort.is_none() {
            value
        } else {
            let mut about = Map::new();
            for (name, value) in [("filename", file), ("content-type", sort)] {
                if let Some(value) = value {
                    about.insert(name.to_owned(), value.into());
                }
            }
            about.insert("bytes".to_owned(), content.len().into());
            about.insert("content".to_owned(), value);
            Value::Object(about)
        };
        add(&mut map, name, value);
    }
    (!map.is_empty()).then_some(Value::Object(map))
}

/// An element that is not closed yet.
#[derive(Default)]
struct Element {
    name: String,
    inside: Map<String, Value>,
    text: String,
}

impl Element {
    fn value(mut self) -> Value {
        let text = self.text.trim();
        if self.inside.is_empty() {
            return Value::String(text.to_owned());
        }
        if !text.is_empty() {
            self.inside.insert("#text".to_owned(), Value::String(text.to_owned()));
        }
        Value::Object(self.inside)
    }
}

/// XML as a tree, even if it ends in the middle. `None` where the text is not XML, for example HTML.
fn xml(text: &str) -> Option<Value> {
    use quick_xml::events::{BytesStart, Event};
    let start = |start: &BytesStart<'_>| {
        let mut element = Element { name: start.name().as_ref().to_owned(), ..Element::default() };
        for attribute in start.attributes().with_checks(false).flatten() {
            let name = format!("@{}", AsRef::<str>::as_ref(&attribute.key));
            let raw = attribute.value.to_string();
            let value = quick_xml::escape::unescape(&raw).map_or_else(|_| raw.clone(), Cow::into_owned);
            add(&mut element.inside, name, Value::String(value));
        }
        element
    };
    let mut reader = quick_xml::Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    let close = |open: &mut Vec<Element>| {
        if open.len() > 1
            && let Some(element) = open.pop()
            && let Some(parent) = open.last_mut()
        {
            let name = element.name.clone();
            add(&mut parent.inside, name, element.value());
        }
    };
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) if open.len() < MAX_DEPTH => open.push(start(&tag)),
            Ok(Event::Empty(tag)) => {
                open.push(start(&tag));
                close(&mut open);
            }
            Ok(Event::End(_)) => close(&mut open),
            Ok(Event::Text(part)) => {
                open.last_mut()?.text.push_str(&part);
            }
            Ok(Event::CData(part)) => open.last_mut()?.text.push_str(&part),
            Ok(Event::GeneralRef(name)) => {
                let name = format!("&{};", &*name);
                let text = quick_xml::escape::unescape(&name).map_or_else(|_| name.clone(), Cow::into_owned);
                open.last_mut()?.text.push_str(&text);
            }
            Ok(Event::DocType(kind)) if kind.to_ascii_lowercase().starts_with("html") => return None,
            Ok(Event::Eof) => break,
            Ok(Event::Start(_)) => return None,
            Ok(_) => {}
            Err(_) if open.len() > 1 => break,
            Err(_) => return None,
        }
    }
    while open.len() > 1 {
        close(&mut open);
    }
    let root = open.pop()?;
    let is_html = root.inside.keys().any(|name| name.eq_ignore_ascii_case("html"));
    (!root.inside.is_empty() && !is_html).then_some(Value::Object(root.inside))
}

/// The decoded content of a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Embedded {
    /// JSON text, and the encodings around it.
    Json(String, &'static str),
    /// Text, and the encodings around it.
    Text(String, &'static str),
}

/// Whether a string may have encoded content. Fast: checks only its first bytes.
pub fn may_open(text: &str) -> bool {
    let start = text.trim_start().as_bytes();
    let nested = matches!(start.first(), Some(b'{' | b'[')) && text.trim_end().ends_with(['}', ']']);
    nested || text.len() > 100 || text.contains('\n') || looks_like_base64(text)
}

fn looks_like_base64(text: &str) -> bool {
    let is_of = |b: &u8| b.is_ascii_alphanumeric() || b"+/-_=".contains(b);
    let head = &text.as_bytes()[..text.len().min(64)];
    // Words and hexadecimal ids use the same alphabet, so base64 must have both cases and a digit or a sign.
    let mixed = head.iter().any(u8::is_ascii_uppercase) && head.iter().any(u8::is_ascii_lowercase);
    let sign = head.iter().any(|b| b.is_ascii_digit() || b"+/=".contains(b));
    text.len() >= MIN_LENGTH && head.iter().all(is_of) && mixed && sign
}

/// Decodes a string: JSON, or base64 of JSON, text, a gzip stream or bytes; else the text itself.
pub fn open_string(text: &str) -> Embedded {
    if is_json_container(text) {
        return Embedded::Json(text.to_owned(), "JSON in a string");
    }
    let Some(bytes) = looks_like_base64(text).then(|| decode_base64(text)).flatten() else {
        return Embedded::Text(text.to_owned(), "text");
    };
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        let read =
            flate2::read::MultiGzDecoder::new(bytes.as_slice()).take(MAX_UNPACKED_BYTES).read_to_end(&mut unpacked);
        if read.is_ok() {
            return open_bytes(unpacked, ["JSON in gzip in base64", "text in gzip in base64"]);
        }
    }
    open_bytes(bytes, ["JSON in base64", "text in base64"])
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let bare = text.trim_end_matches('=');
    STANDARD_NO_PAD.decode(bare).or_else(|_| URL_SAFE_NO_PAD.decode(bare)).ok()
}

fn open_bytes(bytes: Vec<u8>, [json, plain]: [&'static str; 2]) -> Embedded {
    match String::from_utf8(bytes) {
        Ok(text) if is_json_container(&text) => Embedded::Json(text, json),
        Ok(text) if text.chars().all(|c| !c.is_control() || c.is_whitespace()) => Embedded::Text(text, plain),
        Ok(text) => Embedded::Text(dump(text.as_bytes()), "bytes in base64"),
        Err(error) => Embedded::Text(dump(error.as_bytes()), what(error.as_bytes())),
    }
}

/// The type of bytes, by their first ones.
fn what(bytes: &[u8]) -> &'static str {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"\x89PNG", "a PNG image in base64"),
        (b"\xff\xd8\xff", "a JPEG image in base64"),
        (b"GIF8", "a GIF image in base64"),
        (b"%PDF", "a PDF document in base64"),
        (b"PK\x03\x04", "a ZIP archive in base64"),
        (b"\x1f\x8b", "a gzip stream in base64"),
    ];
    KNOWN.iter().find(|(start, _)| bytes.starts_with(start)).map_or("bytes in base64", |(_, name)| name)
}

/// The first kilobyte in hexadecimal and as text, sixteen bytes per line.
fn dump(bytes: &[u8]) -> String {
    let line = |(index, chunk): (usize, &[u8])| {
        let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String =
            chunk.iter().map(|b| if b.is_ascii_graphic() || *b == b' ' { char::from(*b) } else { '.' }).collect();
        format!("{:06x}  {:<47}  {text}", index * 16, hex.join(" "))
    };
    let mut lines: Vec<String> = bytes.chunks(16).take(64).enumerate().map(line).collect();
    if bytes.len() > 1024 {
        lines.push(format!("… {} of {} bytes", 1024, bytes.len()));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::arbitrary::any_json;
    use crosstail_core::number::truncated_usize;
    use proptest::prelude::*;
    use serde_json::json;

    fn laid(text: &str, sort: Option<&str>) -> (BodyFormat, Value) {
        let body = Body::from_text(text);
        let laid = format_body(&body, sort);
        let value = if laid.form == BodyFormat::Text {
            Value::String(laid.text.into_owned())
        } else {
            serde_json::from_str(&laid.text).expect("JSON")
        };
        (laid.form, value)
    }

    #[test]
    fn every_form_has_its_tree() {
        let soap = r#"<?xml version="1.0"?><soap:Envelope><soap:Body><Order id="7"><Item>A &amp; B</Item><Item><![CDATA[<x>]]></Item>late</Order></soap:Body></soap:Envelope>"#;
        let order = json!({"@id": "7", "Item": ["A & B", "<x>"], "#text": "late"});
        assert_eq!(laid(soap, None), (BodyFormat::Xml, json!({"soap:Envelope": {"soap:Body": {"Order": order}}})));
        let cut = laid("<a><b>1</b><c>", None);
        assert_eq!(cut, (BodyFormat::Xml, json!({"a": {"b": "1", "c": ""}})));
        assert_eq!(laid("<!DOCTYPE html><html><p>no", None).0, BodyFormat::Text);
        assert_eq!(laid("a=1&b=x%20y&a=2", None), (BodyFormat::Form, json!({"a": ["1", "2"], "b": "x y"})));
        assert_eq!(
            laid("grant_type=password", Some("application/x-www-form-urlencoded")).1,
            json!({"grant_type": "password"})
        );
        assert_eq!(laid("a = b & c", None).0, BodyFormat::Text);
        let parts = "--xyz\r\nContent-Disposition: form-data; name=\"order\"\r\n\r\n4711\r\n--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.json\"\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n--xyz--\r\n";
        let file = json!({"filename": "a.json", "content-type": "application/json", "bytes": 7, "content": {"a": 1}});
        assert_eq!(laid(parts, None), (BodyFormat::Multipart, json!({"order": "4711", "f": file})));
        assert_eq!(laid("{\"a\":1}\n{\"b\":2}\n", None), (BodyFormat::JsonLines, json!([{"a": 1}, {"b": 2}])));
        assert_eq!(laid("{\"a\":[1,2,{\"b\":\"x", None), (BodyFormat::TruncatedJson, json!({"a": [1, 2, {}]})));
    }

    #[test]
    fn strings_are_looked_into() {
        let coded = base64::engine::general_purpose::STANDARD.encode(r#"{"order":"PO-4711"}"#);
        assert_eq!(open_string(&coded), Embedded::Json(r#"{"order":"PO-4711"}"#.to_owned(), "JSON in base64"));
        assert_eq!(open_string(r#"{"a":1}"#), Embedded::Json(r#"{"a":1}"#.to_owned(), "JSON in a string"));
        let image =
            base64::engine::general_purpose::STANDARD.encode(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe\xfd");
        assert!(
            matches!(open_string(&image), Embedded::Text(text, "a PNG image in base64") if text.starts_with("000000  89 50"))
        );
        for plain in [
            "7f3a9c21-0000-4abc-8def-0123456789ab",
            "a plain sentence that is rather long",
            "Thisisjustoneverylongwordwithoutsigns",
        ] {
            assert!(matches!(open_string(plain), Embedded::Text(_, "text")), "{plain}");
        }
    }

    proptest! {
        #[test]
        fn json_cut_anywhere_is_still_a_tree(value in any_json(), at in 0.0f64..1.0) {
            let text = json!([value]).to_string();
            let cut = text.floor_char_boundary(1 + truncated_usize(at * (text.len() - 1) as f64));
            let (form, _) = laid(&text[..cut], None);
            prop_assert!(matches!(form, BodyFormat::TruncatedJson | BodyFormat::Json));
        }

        #[test]
        fn nothing_makes_it_panic(text in "[<>/a-c&;=\\[\\]{}\":,\r\n -]{0,40}", sort in prop::option::of("[a-z/-]{0,20}")) {
            laid(&text, sort.as_deref());
            open_string(&text);
        }
    }
}
