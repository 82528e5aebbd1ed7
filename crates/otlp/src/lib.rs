//! OTLP, the protocol of OpenTelemetry: requests for logs and traces in both encodings, and the answers to them. No I/O.
//!
//! A request becomes lines of JSON, one a record, as the collector's file exporter writes them. `crosstail-formats` reads those.

mod messages;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use messages::{Delay, Detail, LogsRequest, PartialSuccess, Response, RetryInfo, Status, TraceRequest};
use prost::Message as _;
use serde_json::{Map, Value, json};

/// Lengths of ids in bytes.
const TRACE_ID: usize = 16;
const SPAN_ID: usize = 8;

/// What a request holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Log records.
    Logs,
    /// Spans.
    Traces,
}

/// How a request and its answer are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// Protobuf's JSON form, with ids in hexadecimal digits.
    Json,
}

impl Encoding {
    /// The encoding of a media type, which may have parameters; `None` where it is another.
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" | "application/protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// The records of a request.
#[derive(Debug, Default)]
pub struct Records {
    /// Each as a line of JSON without its newline: a request of this one record.
    pub lines: Vec<String>,
    /// How many are none.
    pub rejected: usize,
    /// Why the last of those is none.
    pub reason: Option<&'static str>,
}

impl Signal {
    /// The names of the lists in which records stand, in the JSON form.
    const fn lists(self) -> [&'static str; 3] {
        match self {
            Self::Logs => ["resourceLogs", "scopeLogs", "logRecords"],
            Self::Traces => ["resourceSpans", "scopeSpans", "spans"],
        }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// It is no request of this signal; the text says why.
    pub fn records(self, encoding: Encoding, body: &[u8]) -> Result<Records, String> {
        let request = match (encoding, self) {
            (Encoding::Json, _) => serde_json::from_slice(body).map_err(|error| error.to_string())?,
            (_, Self::Logs) => LogsRequest::decode(body).map_err(|error| error.to_string())?.json(),
            (_, Self::Traces) => TraceRequest::decode(body).map_err(|error| error.to_string())?.json(),
        };
        self.divided(request)
    }

    /// Divides a request in the JSON form.
    ///
    /// # Errors
    /// It is none.
    pub fn divided(self, request: Value) -> Result<Records, String> {
        let [resources, scopes, records] = self.lists();
        let Value::Object(mut request) = request else { return Err("a request is an object".to_owned()) };
        let mut found = Records::default();
        for one in taken(&mut request, resources)? {
            let Value::Object(mut one) = one else { return Err(format!("{resources} holds no objects")) };
            let resource = text_of(one.get("resource"));
            for one in taken(&mut one, scopes)? {
                let Value::Object(mut one) = one else { return Err(format!("{scopes} holds no objects")) };
                let scope = text_of(one.get("scope"));
                for record in taken(&mut one, records)? {
                    match self.checked(record) {
                        Ok(record) => found.lines.push(format!(
                            r#"{{"{resources}":[{{"resource":{resource},"{scopes}":[{{"scope":{scope},"{records}":[{record}]}}]}}]}}"#
                        )),
                        Err(why) => {
                            found.rejected += 1;
                            found.reason = Some(why);
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// A record with its ids in small hexadecimal digits.
    fn checked(self, record: Value) -> Result<Value, &'static str> {
        let Value::Object(mut record) = record else { return Err("a record is an object") };
        for (key, length) in [("traceId", TRACE_ID), ("spanId", SPAN_ID), ("parentSpanId", SPAN_ID)] {
            let Some(id) = record.get(key).and_then(Value::as_str) else { continue };
            let id = hexadecimal(id, length);
            if id.is_empty() {
                record.shift_remove(key);
            } else {
                record.insert(key.to_owned(), id.into());
            }
        }
        // Protobuf leaves out a time that is not known; JSON may say that it is 0.
        for key in ["timeUnixNano", "observedTimeUnixNano", "startTimeUnixNano", "endTimeUnixNano"] {
            if record.get(key).is_some_and(|time| time.as_str() == Some("0") || time.as_u64() == Some(0)) {
                record.shift_remove(key);
            }
        }
        let lacks = |key: &str| !record.contains_key(key);
        if self == Self::Traces && (lacks("traceId") || lacks("spanId")) {
            return Err("a span needs a traceId of 16 bytes and a spanId of 8 bytes");
        }
        Ok(Value::Object(record))
    }

    /// The answer to a request of which everything was taken, or all but some records.
    pub fn answer(self, encoding: Encoding, rejected: usize, message: &str) -> Vec<u8> {
        let partial = rejected > 0;
        match encoding {
            Encoding::Protobuf => {
                let partial_success = partial.then(|| PartialSuccess {
                    rejected: i64::try_from(rejected).unwrap_or(i64::MAX),
                    error_message: message.to_owned(),
                });
                Response { partial_success }.encode_to_vec()
            }
            Encoding::Json if partial => {
                let key = if self == Self::Logs { "rejectedLogRecords" } else { "rejectedSpans" };
                json!({ "partialSuccess": { key: rejected.to_string(), "errorMessage": message } })
                    .to_string()
                    .into_bytes()
            }
            Encoding::Json => b"{}".to_vec(),
        }
    }
}

/// The answer to a request that is refused: `google.rpc.Status`, with a code of `google.rpc.Code`.
pub fn refusal(encoding: Encoding, code: i32, message: &str) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf => status_of(code, message, None),
        Encoding::Json => json!({ "code": code, "message": message }).to_string().into_bytes(),
    }
}

/// `google.rpc.Status` in protobuf, with the seconds after which a client may try again.
pub fn status_of(code: i32, message: &str, retry_after: Option<u32>) -> Vec<u8> {
    let detail = |seconds: u32| Detail {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: retry_info(seconds),
    };
    Status { code, message: message.to_owned(), details: retry_after.map(detail).into_iter().collect() }.encode_to_vec()
}

/// `google.rpc.RetryInfo` in protobuf: after how many seconds a client may try again.
pub fn retry_info(seconds: u32) -> Vec<u8> {
    RetryInfo { delay: Some(Delay { seconds: seconds.into() }) }.encode_to_vec()
}

/// Takes a list out of an object; one that is not there is empty.
fn taken(object: &mut Map<String, Value>, key: &str) -> Result<Vec<Value>, String> {
    match object.get_mut(key).map(Value::take) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(format!("{key} is no list")),
    }
}

fn text_of(value: Option<&Value>) -> String {
    value.map_or_else(|| "{}".to_owned(), Value::to_string)
}

/// An id in small hexadecimal digits; empty where it is none, or only zeros. Tempo writes ids in base64, as protobuf's JSON form
/// has bytes.
fn hexadecimal(id: &str, length: usize) -> String {
    let is_hexadecimal = id.len() == 2 * length && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let found = if is_hexadecimal {
        id.to_ascii_lowercase()
    } else {
        let bytes = BASE64_STANDARD.decode(id).unwrap_or_default();
        if bytes.len() != length {
            return String::new();
        }
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    if found.bytes().all(|digit| digit == b'0') { String::new() } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A span in protobuf's bytes: field 1 of the request, field 2 of its parts, and so on.
    fn nested(tags: &[u8], inner: Vec<u8>) -> Vec<u8> {
        tags.iter().rev().fold(inner, |inside, tag| {
            let length = u8::try_from(inside.len()).expect("short");
            [vec![tag << 3 | 2, length], inside].concat()
        })
    }

    #[test]
    fn both_encodings_give_the_same_lines() {
        let id = |tag: u8, bytes: &[u8]| nested(&[tag], bytes.to_vec());
        let span = [
            id(1, &[0xab; 16]),
            id(2, &[0xcd; 8]),
            id(5, b"charge"),
            vec![6 << 3, 3],
            vec![7 << 3 | 1, 1, 0, 0, 0, 0, 0, 0, 0],
        ];
        let body = nested(&[1, 2, 2], span.concat());
        let binary = Signal::Traces.records(Encoding::Protobuf, &body).expect("a request");
        let text = format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[]}},"scopeSpans":[{{"scope":{{"name":"","version":""}},"spans":[{{"traceId":"{}","spanId":"{}","name":"charge","kind":3,"startTimeUnixNano":"1"}}]}}]}}]}}"#,
            "AB".repeat(16),
            "cd".repeat(8)
        );
        let json = Signal::Traces.records(Encoding::Json, text.as_bytes()).expect("a request");
        assert_eq!(binary.lines, json.lines);
        assert_eq!(json.lines, [text.replace("AB", "ab")]);
        // Tempo's ids are base64.
        let tempo = text.replace(&"AB".repeat(16), &BASE64_STANDARD.encode([0xab; 16]));
        assert_eq!(Signal::Traces.records(Encoding::Json, tempo.as_bytes()).expect("a request").lines, json.lines);
    }

    #[test]
    fn what_is_no_request_is_refused_and_what_is_no_span_is_counted() {
        for (encoding, body) in [
            (Encoding::Json, &b"[]"[..]),
            (Encoding::Json, br#"{"resourceSpans":7}"#),
            (Encoding::Json, b"{"),
            (Encoding::Protobuf, b"\x0a\xff\xff"),
        ] {
            assert!(Signal::Traces.records(encoding, body).is_err(), "{body:?}");
        }
        let none = Signal::Logs.records(Encoding::Protobuf, b"").expect("an empty request");
        assert!(none.lines.is_empty() && none.rejected == 0);
        let body = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00","spanId":"11"},7]}]}]}"#;
        let found = Signal::Traces.records(Encoding::Json, body).expect("a request");
        assert_eq!((found.lines.len(), found.rejected), (0, 2));
        let answer = Signal::Traces.answer(Encoding::Json, 2, "no id");
        let text = r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no id"}}"#;
        assert_eq!(String::from_utf8_lossy(&answer), text);
        let answer = Signal::Logs.answer(Encoding::Protobuf, 2, "no");
        assert_eq!(answer, nested(&[1], vec![8, 2, 18, 2, b'n', b'o']));
        assert!(Signal::Logs.answer(Encoding::Protobuf, 0, "").is_empty());
    }

    #[test]
    fn fuzz_otlp() {
        let id = |tag: u8, bytes: &[u8]| nested(&[tag], bytes.to_vec());
        let span = [id(1, &[0xab; 16]), id(2, &[0xcd; 8]), id(5, b"charge"), vec![6 << 3, 3]].concat();
        let attribute = nested(&[6], [id(1, b"a"), nested(&[2], id(1, b"text"))].concat());
        let log = [vec![1 << 3 | 1, 1, 0, 0, 0, 0, 0, 0, 0], nested(&[5], id(1, b"hello")), attribute].concat();
        // A value in a value in a value.
        let deep = (0..30).fold(id(1, b"x"), |inside, _| nested(&[5, 1], inside));
        let corpus = vec![
            nested(&[1, 2, 2], span),
            nested(&[1, 2, 2], log),
            nested(&[1, 2, 2, 5], deep),
            br#"{"resourceLogs":[{"resource":{"attributes":[{"key":"a","value":{"stringValue":"b"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"kvlistValue":{"values":[]}}}]}]}]}"#.to_vec(),
            br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"abab","spanId":"cd","events":[{}]}]}]}]}"#.to_vec(),
        ];
        let bits =
            ["\n\u{4}", "\u{12}\u{2}", "\u{1a}\u{7f}", "\u{a}\u{0}", "{", "[", "\"values\":[", "\"traceId\":", "1e400"];
        crosstail_fuzz::Target { name: "otlp", corpus, bits: &bits, longest: 100_000 }.run(|_, input| {
            for signal in [Signal::Logs, Signal::Traces] {
                for encoding in [Encoding::Protobuf, Encoding::Json] {
                    let Ok(found) = signal.records(encoding, input) else { continue };
                    // What is taken is a line of JSON, which is a request of its own.
                    for line in found.lines {
                        let again = signal.records(Encoding::Json, line.as_bytes()).expect("a request");
                        assert_eq!(again.lines, [line]);
                    }
                }
            }
        });
    }
}
