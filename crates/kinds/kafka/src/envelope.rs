//! What a message holds: records, out of what they were sent in. Connectors and event libraries wrap a record (Debezium,
//! Kafka Connect, CloudEvents), producers send several at once (an array, a line each), JSON in a JSON string, or a mark
//! of the encoding first.
//!
//! Sources: Debezium documentation, "Change event values"; Kafka Connect, `JsonConverter`; CloudEvents 1.0.2, "JSON
//! event format" and "Kafka protocol binding"; Confluent, "Wire format".

use super::registry::{Decoder, encoded};
use base64::Engine as _;
use crosstail_core::model::{Activity, Timestamp, parse_timestamp};
use rdkafka::message::Headers;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Wrappers in wrappers, at most.
const DEPTH: usize = 5;
/// Records of one message, at most.
const RECORDS: usize = 10_000;

/// A record of a message, and what was said about it outside of it.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) about: About,
}

/// What an envelope or the headers of a message say of a record. What the record says itself counts more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) at: Option<Timestamp>,
    system: Option<String>,
    operation: Option<String>,
    correlation: Option<String>,
    request: Option<String>,
    /// A trace id beside a correlation id.
    trace: Option<String>,
}

impl About {
    /// What the headers of a message say. Their names are compared without case and separators.
    pub(super) fn of_headers(headers: Option<&impl Headers>) -> Self {
        let mut about = Self::default();
        for header in headers.iter().flat_map(|headers| headers.iter()) {
            if let Some(value) = header.value.and_then(|value| std::str::from_utf8(value).ok()) {
                about.header(header.key, value.trim());
            }
        }
        about
    }

    fn header(&mut self, name: &str, value: &str) {
        if value.is_empty() || value.len() > 512 {
            return;
        }
        let folded: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let folded = folded.to_ascii_lowercase();
        let folded = folded.strip_prefix("kafka").unwrap_or(&folded);
        // An explicit correlation id is what people look for; a trace id stands in for it, or beside it.
        match folded {
            "correlationid" | "xcorrelationid" | "cecorrelationid" => self.correlation = Some(value.to_owned()),
            "traceparent" | "cetraceparent" => self.trace(crosstail_core::model::trace_of_parent(value)),
            "traceid" | "xtraceid" | "xb3traceid" | "xdatadogtraceid" | "uber-trace-id" | "ubertraceid" => {
                self.trace(value.split(':').next());
            }
            "b3" => self.trace(value.split('-').next().filter(|id| id.len() >= 16)),
            "requestid" | "xrequestid" | "messageid" | "ceid" => {
                self.request.get_or_insert_with(|| value.to_owned());
            }
            "cesource" => self.system = Some(value.to_owned()),
            "cetype" => self.operation = Some(value.to_owned()),
            "cetime" => self.at = parse_timestamp(value),
            _ => {}
        }
    }

    fn trace(&mut self, id: Option<&str>) {
        if let Some(id) = id {
            self.trace.get_or_insert_with(|| id.to_owned());
        }
    }

    /// What this says, and where it says nothing, what `outer` does.
    fn or(self, outer: &Self) -> Self {
        let of = |own: Option<String>, other: &Option<String>| own.or_else(|| other.clone());
        Self {
            at: self.at.or(outer.at),
            system: of(self.system, &outer.system),
            operation: of(self.operation, &outer.operation),
            correlation: of(self.correlation, &outer.correlation),
            request: of(self.request, &outer.request),
            trace: of(self.trace, &outer.trace),
        }
    }

    /// Fills what the record itself did not say.
    pub(super) fn complete(&self, activity: &mut Activity) {
        // The start of a part is known only to the part that starts.
        if self.at.is_some() && !activity.exact_start && !activity.part {
            activity.exact_start = true;
        }
        let fill = |slot: &mut Option<compact_str::CompactString>, value: &Option<String>| {
            if slot.is_none() {
                *slot = value.as_deref().map(Into::into);
            }
        };
        fill(&mut activity.system, &self.system);
        fill(&mut activity.operation, &self.operation);
        fill(&mut activity.correlation_id, &self.correlation);
        fill(&mut activity.correlation_id, &self.trace);
        // A message has one correlation id, and its trace can be looked for, too.
        if let Some(trace) = self.trace.as_deref().filter(|trace| activity.correlation_id.as_deref() != Some(*trace)) {
            let tags = activity.tags.take().map(|tags| format!("{tags}, ")).unwrap_or_default();
            activity.tags = Some(format!("{tags}{trace}").into());
        }
        if activity.request_id.is_none() {
            activity.request_id = self.request.as_deref().map(crosstail_core::model::Id::parse);
        }
    }
}

/// The records of a message's value. `decoder`: reads what a schema registry describes.
///
/// # Errors
/// Why there are none, for people.
pub(super) fn records<'a>(bytes: &'a [u8], headers: &About, decoder: &Decoder) -> Result<Vec<Record<'a>>, String> {
    let text = text_of(bytes, decoder)?;
    let trimmed = text.trim_start();
    if trimmed.starts_with('{') && !may_be_wrapped(trimmed) && is_one(trimmed) {
        return Ok(vec![Record { text, about: headers.clone() }]);
    }
    let mut found = Vec::new();
    open(&text, headers, DEPTH, &mut found);
    if found.is_empty() {
        found.push(Record { text, about: headers.clone() });
    }
    Ok(found)
}

/// The text of a value, without the mark of its encoding; what a schema describes as JSON.
pub(super) fn text_of<'a>(bytes: &'a [u8], decoder: &Decoder) -> Result<Cow<'a, str>, String> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        Cow::Owned(String::from_utf16_lossy(&units))
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => return text_of(rest, decoder),
        [0xff, 0xfe, rest @ ..] => return Ok(wide(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => return Ok(wide(rest, u16::from_be_bytes)),
        _ => {}
    }
    if let Some((id, value)) = encoded(bytes) {
        return decoder.text(id, value).map(Cow::Owned).or_else(|why| {
            // JSON needs no schema to be read.
            let text = std::str::from_utf8(value).ok().filter(|text| text.trim_start().starts_with(['{', '[']));
            text.map(Cow::Borrowed).ok_or(why)
        });
    }
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| "not UTF-8, so not JSON".to_owned())
}

/// Whether an object may be an envelope: a cheap test that is sometimes wrong.
fn may_be_wrapped(text: &str) -> bool {
    let has = |key: &str| text.contains(key);
    (has("\"payload\"") && has("\"schema\""))
        || has("\"specversion\"")
        || (has("\"op\"") && (has("\"after\"") || has("\"before\"")))
}

/// Whether a text is likely to be one object: it has no line that begins another.
fn is_one(text: &str) -> bool {
    !text.match_indices('}').any(|(at, _)| text[at + 1..].trim_start().starts_with('{'))
}

fn open(text: &str, about: &About, depth: usize, found: &mut Vec<Record<'_>>) {
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let Ok(value) = value else {
            // What is left is no JSON: it is shown as it is, with the reason.
            if !found.is_empty() {
                keep(text, about, found);
            }
            return;
        };
        one(value.get(), about, depth, found);
    }
}

fn keep(text: &str, about: &About, found: &mut Vec<Record<'_>>) {
    if found.len() < RECORDS {
        found.push(Record { text: Cow::Owned(text.to_owned()), about: about.clone() });
    }
}

fn one(text: &str, about: &About, depth: usize, found: &mut Vec<Record<'_>>) {
    if depth == 0 {
        return keep(text, about, found);
    }
    match text.as_bytes().first() {
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
            // A list of numbers is no list of records.
            Ok(list) if list.iter().any(|item| item.get().starts_with(['{', '[', '"'])) => {
                for item in list {
                    one(item.get(), about, depth - 1, found);
                }
            }
            _ => keep(text, about, found),
        },
        Some(b'"') => match serde_json::from_str::<String>(text) {
            Ok(inner) if inner.trim_start().starts_with(['{', '[', '"']) => open(&inner, about, depth - 1, found),
            _ => keep(text, about, found),
        },
        Some(b'{') if may_be_wrapped(text) => match unwrapped(text) {
            Some((inner, own)) => one(&inner, &own.or(about), depth - 1, found),
            None => keep(text, about, found),
        },
        _ => keep(text, about, found),
    }
}

/// What is inside an envelope, with what it says; `None` where the object is none.
fn unwrapped(text: &str) -> Option<(String, About)> {
    let object: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let get = |key: &str| object.get(key).map(|value| value.get()).filter(|text| *text != "null");
    let word = |key: &str| get(key).and_then(|text| serde_json::from_str::<String>(text).ok());
    if object.len() == 2 && object.contains_key("schema") {
        return Some((get("payload")?.to_owned(), About::default()));
    }
    // A converter without schemas may leave the payload in its place. Only another envelope is known to be one.
    if object.len() == 1
        && let Some(payload) = get("payload").filter(|payload| payload.starts_with('{'))
    {
        return unwrapped(payload);
    }
    if let Some(op) = word("op").filter(|_| object.contains_key("after") || object.contains_key("before")) {
        let source: BTreeMap<String, serde_json::Value> =
            get("source").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let changed = source.get("ts_ms").map(ToString::to_string);
        let changed = changed.or_else(|| get("ts_ms").map(str::to_owned));
        let operation = match op.as_str() {
            "c" => "create",
            "u" => "update",
            "d" => "delete",
            "r" => "read",
            other => other,
        };
        let about = About {
            at: changed.as_deref().and_then(parse_timestamp),
            operation: Some(operation.to_owned()),
            ..About::default()
        };
        return Some((get("after").or_else(|| get("before"))?.to_owned(), about));
    }
    if object.contains_key("specversion") && object.contains_key("type") {
        let inner = match word("data_base64") {
            Some(encoded) => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
                String::from_utf8(bytes).ok()?
            }
            None => get("data")?.to_owned(),
        };
        let mut about = About {
            at: word("time").and_then(|time| parse_timestamp(&time)),
            system: word("source"),
            operation: word("type"),
            request: word("id"),
            ..About::default()
        };
        for key in ["correlationid", "traceparent"] {
            if let Some(value) = word(key) {
                about.header(key, &value);
            }
        }
        return inner.trim_start().starts_with(['{', '[', '"']).then_some((inner, about));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_fuzz::Target;
    use crosstail_source::Job;

    fn decoder() -> Decoder {
        Decoder { registry: None, job: Job::default() }
    }

    fn texts(value: &str) -> Vec<String> {
        let found = records(value.as_bytes(), &About::default(), &decoder()).expect("records");
        found.into_iter().map(|record| record.text.into_owned()).collect()
    }

    #[test]
    fn records_come_out_of_what_they_are_sent_in() {
        let inner = r#"{"message":"m"}"#;
        for wrapped in [
            format!(r#"{{"schema":null,"payload":{inner}}}"#),
            format!(r#"{{"before":null,"after":{inner},"op":"c","ts_ms":1}}"#),
            format!(r#"{{"before":{inner},"after":null,"op":"d","ts_ms":1}}"#),
            format!(r#"{{"schema":{{}},"payload":{{"before":null,"after":{inner},"op":"u"}}}}"#),
            format!(r#"{{"payload":{{"before":null,"after":{inner},"op":"u"}}}}"#),
            format!(r#"{{"specversion":"1.0","type":"t","source":"/s","id":"1","data":{inner}}}"#),
            r#"{"specversion":"1.0","type":"t","id":"1","data_base64":"eyJtZXNzYWdlIjoibSJ9"}"#.to_owned(),
            serde_json::to_string(inner).expect("text"),
            serde_json::to_string(&serde_json::to_string(inner).expect("text")).expect("text"),
            format!("[{inner}]"),
            format!("\u{feff}{inner}"),
        ] {
            assert_eq!(texts(&wrapped), [inner], "{wrapped}");
        }
        assert_eq!(texts(&format!("{inner}\n{inner}\n")), [inner, inner]);
        assert_eq!(texts(&format!("[{inner},{inner}]")), [inner, inner]);
        assert_eq!(texts(&format!("{inner}{inner}")), [inner, inner]);
    }

    #[test]
    fn what_only_looks_like_an_envelope_stays_whole() {
        for whole in [
            r#"{"schema":"s","payload":{"a":1},"message":"m"}"#,
            r#"{"op":"x","message":"before and after"}"#,
            r#"{"payload":{"op":"x","note":"before and \"after\""}}"#,
            r#"{"specversion":"1.0","message":"no data"}"#,
            r#"{"schema":{},"payload":null}"#,
            r#"{"message":"a } { b"}"#,
            "[]",
            "\"text\"",
            "no JSON",
        ] {
            assert_eq!(texts(whole), [whole]);
        }
    }

    #[test]
    fn an_envelope_says_what_the_record_does_not() {
        let event = r#"{"specversion":"1.0","type":"order.made","source":"/shop","id":"e1","time":"2026-01-02T03:04:05Z",
            "traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","data":{"message":"m"}}"#;
        let found = records(event.as_bytes(), &About::default(), &decoder()).expect("records");
        let about = &found[0].about;
        let mut activity = Activity::new(crosstail_core::model::Id::parse("1"), Timestamp(0));
        about.complete(&mut activity);
        assert_eq!(activity.correlation_id.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!((about.system.as_deref(), about.operation.as_deref()), (Some("/shop"), Some("order.made")));
        assert_eq!(about.at, parse_timestamp("2026-01-02T03:04:05Z"));
    }

    #[test]
    fn headers_of_every_spelling_name_the_correlation() {
        for (name, value, id) in [
            ("Correlation-Id", "c1", "c1"),
            ("kafka_correlationId", "c1", "c1"),
            ("X-B3-TraceId", "80f198ee56343ba864fe8b2a57d3eff7", "80f198ee56343ba864fe8b2a57d3eff7"),
            (
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "4bf92f3577b34da6a3ce929d0e0e4736",
            ),
        ] {
            let mut about = About::default();
            about.header(name, value);
            let mut activity = Activity::new(crosstail_core::model::Id::parse("1"), Timestamp(0));
            about.complete(&mut activity);
            assert_eq!(activity.correlation_id.as_deref(), Some(id), "{name}");
            assert_eq!(activity.tags, None);
        }
    }

    #[test]
    fn a_trace_beside_a_correlation_id_is_looked_for_by_its_tag() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        for order in [["traceparent", "X-Correlation-ID"], ["X-Correlation-ID", "traceparent"]] {
            let mut about = About::default();
            for name in order {
                let parent = format!("00-{trace}-b7ad6b7169203331-01");
                about.header(name, if name == "traceparent" { &parent } else { "corr-18" });
            }
            let mut activity = Activity::new(crosstail_core::model::Id::parse("1"), Timestamp(0));
            activity.tags = Some("urgent".into());
            about.complete(&mut activity);
            assert_eq!(activity.correlation_id.as_deref(), Some("corr-18"));
            assert_eq!(activity.tags.as_deref(), Some(format!("urgent, {trace}").as_str()));
        }
    }

    #[test]
    fn an_encoded_value_names_its_schema() {
        let error = records(&[0, 0, 0, 0, 42, 2, 4, 0xff], &About::default(), &decoder()).expect_err("Avro");
        assert!(error.contains("schema 42 ") && error.contains("registry="), "{error}");
        let json = records(b"\0\0\0\0\x2a{\"a\":1}", &About::default(), &decoder()).expect("JSON");
        assert_eq!(json[0].text, "{\"a\":1}");
    }

    #[test]
    fn fuzz_envelope() {
        let right = [
            r#"{"schema":{},"payload":{"before":null,"after":{"message":"m"},"op":"u","ts_ms":1}}"#,
            r#"{"specversion":"1.0","type":"t","id":"1","data_base64":"eyJtZXNzYWdlIjoibSJ9"}"#,
            r#"[{"message":"m"},"{\"message\":\"n\"}"]"#,
            "\u{feff}{\"a\":1}\n{\"a\":2}",
        ];
        let bits = ["{", "}", "[", "]", "\"", "\\\"", ":", ",", "\"payload\":", "\"data\":", "[[", "\u{feff}"];
        let corpus = right.iter().map(|text| text.as_bytes().to_vec()).collect();
        let decoder = decoder();
        Target { name: "envelope", corpus, bits: &bits, longest: 400_000 }.run(|_, input| {
            let _ = records(input, &About::default(), &decoder);
        });
    }
}
