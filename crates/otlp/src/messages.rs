//! The messages of opentelemetry-proto as far as they are read (`logs/v1`, `trace/v1`, `common/v1`, `resource/v1`), and their
//! JSON form.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

/// `ExportLogsServiceRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LogsRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) resource_logs: Vec<ResourceLogs>,
}

/// `ExportTraceServiceRequest`; Tempo's `Trace` has the same form.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TraceRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LogRecord {
    #[prost(fixed64, tag = "1")]
    time_unix_nano: u64,
    #[prost(fixed64, tag = "11")]
    observed_time_unix_nano: u64,
    #[prost(int32, tag = "2")]
    severity_number: i32,
    #[prost(string, tag = "3")]
    severity_text: String,
    #[prost(message, optional, tag = "5")]
    body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyValue>,
    #[prost(bytes = "vec", tag = "9")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    span_id: Vec<u8>,
    #[prost(string, tag = "12")]
    event_name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[allow(clippy::struct_field_names, reason = "the names of the protocol")]
#[derive(Clone, PartialEq, prost::Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    trace_state: String,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "11")]
    events: Vec<SpanEvent>,
    #[prost(message, repeated, tag = "13")]
    links: Vec<SpanLink>,
    #[prost(message, optional, tag = "15")]
    status: Option<SpanStatus>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SpanEvent {
    #[prost(fixed64, tag = "1")]
    time_unix_nano: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "3")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SpanLink {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SpanStatus {
    #[prost(string, tag = "2")]
    message: String,
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AnyValue {
    #[prost(oneof = "AnyKind", tags = "1, 2, 3, 4, 5, 6, 7")]
    value: Option<AnyKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum AnyKind {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    List(KeyValueList),
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, prost::Message)]
struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    values: Vec<KeyValue>,
}

/// `ExportLogsServiceResponse` and `ExportTraceServiceResponse`, which have the same form.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Response {
    #[prost(message, optional, tag = "1")]
    pub(crate) partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(crate) rejected: i64,
    #[prost(string, tag = "2")]
    pub(crate) error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Detail>,
}

/// `google.protobuf.Any` of a `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Detail {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) delay: Option<Delay>,
}

/// `google.protobuf.Duration`, in whole seconds.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Delay {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
}

impl LogsRequest {
    pub(crate) fn json(self) -> Value {
        json!({ "resourceLogs": list(self.resource_logs, |one| json!({
            "resource": resource(one.resource),
            "scopeLogs": list(one.scope_logs, |one| json!({
                "scope": scope(one.scope),
                "logRecords": list(one.log_records, log_record),
            })),
        })) })
    }
}

impl TraceRequest {
    pub(crate) fn json(self) -> Value {
        json!({ "resourceSpans": list(self.resource_spans, |one| json!({
            "resource": resource(one.resource),
            "scopeSpans": list(one.scope_spans, |one| json!({
                "scope": scope(one.scope),
                "spans": list(one.spans, span),
            })),
        })) })
    }
}

fn list<T>(items: Vec<T>, form: impl Fn(T) -> Value) -> Value {
    Value::Array(items.into_iter().map(form).collect())
}

fn resource(resource: Option<Resource>) -> Value {
    json!({ "attributes": attributes(resource.unwrap_or_default().attributes) })
}

fn scope(scope: Option<Scope>) -> Value {
    let Scope { name, version } = scope.unwrap_or_default();
    json!({ "name": name, "version": version })
}

/// An object of what is not the default, as the JSON form leaves that out.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let is_default = |value: &Value| match value {
        Value::String(text) => text.is_empty() || text == "0",
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Array(items) => items.is_empty(),
        Value::Null => true,
        Value::Bool(_) | Value::Object(_) => false,
    };
    let kept = fields.into_iter().filter(|(_, value)| !is_default(value));
    Value::Object(kept.map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
}

fn log_record(record: LogRecord) -> Value {
    object([
        ("timeUnixNano", nanos(record.time_unix_nano)),
        ("observedTimeUnixNano", nanos(record.observed_time_unix_nano)),
        ("severityNumber", record.severity_number.into()),
        ("severityText", record.severity_text.into()),
        ("body", record.body.map_or(Value::Null, any_value)),
        ("attributes", attributes(record.attributes)),
        ("traceId", hex(&record.trace_id)),
        ("spanId", hex(&record.span_id)),
        ("eventName", record.event_name.into()),
    ])
}

fn span(span: Span) -> Value {
    let event = |event: SpanEvent| {
        object([
            ("timeUnixNano", nanos(event.time_unix_nano)),
            ("name", event.name.into()),
            ("attributes", attributes(event.attributes)),
        ])
    };
    let link = |link: SpanLink| {
        object([
            ("traceId", hex(&link.trace_id)),
            ("spanId", hex(&link.span_id)),
            ("attributes", attributes(link.attributes)),
        ])
    };
    let status = span
        .status
        .map_or(Value::Null, |status| object([("code", status.code.into()), ("message", status.message.into())]));
    object([
        ("traceId", hex(&span.trace_id)),
        ("spanId", hex(&span.span_id)),
        ("parentSpanId", hex(&span.parent_span_id)),
        ("traceState", span.trace_state.into()),
        ("name", span.name.into()),
        ("kind", span.kind.into()),
        ("startTimeUnixNano", nanos(span.start_time_unix_nano)),
        ("endTimeUnixNano", nanos(span.end_time_unix_nano)),
        ("attributes", attributes(span.attributes)),
        ("events", list(span.events, event)),
        ("links", list(span.links, link)),
        ("status", status),
    ])
}

/// 64 bits are a text in the JSON form.
fn nanos(nanos: u64) -> Value {
    nanos.to_string().into()
}

fn hex(bytes: &[u8]) -> Value {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

fn attributes(attributes: Vec<KeyValue>) -> Value {
    list(attributes, |pair| json!({ "key": pair.key, "value": pair.value.map_or(json!({}), any_value) }))
}

fn any_value(value: AnyValue) -> Value {
    match value.value {
        None => json!({}),
        Some(AnyKind::Text(text)) => json!({ "stringValue": text }),
        Some(AnyKind::Bool(is)) => json!({ "boolValue": is }),
        Some(AnyKind::Int(number)) => json!({ "intValue": number.to_string() }),
        // What JSON has no number for is a text.
        Some(AnyKind::Double(number)) if number.is_finite() => json!({ "doubleValue": number }),
        Some(AnyKind::Double(number)) => json!({ "doubleValue": number.to_string() }),
        Some(AnyKind::Array(array)) => json!({ "arrayValue": { "values": list(array.values, any_value) } }),
        Some(AnyKind::List(pairs)) => json!({ "kvlistValue": { "values": attributes(pairs.values) } }),
        Some(AnyKind::Bytes(bytes)) => json!({ "bytesValue": BASE64_STANDARD.encode(bytes) }),
    }
}
