//! OpenTelemetry's requests in their JSON form, as the collector's file exporter writes them: their records, flattened.
//! Shapes: opentelemetry-proto `logs/v1/logs.proto` and `trace/v1/trace.proto`, JSON mapping.

use crosstail_core::model::Level;
use serde_json::{Map, Value};

/// The dialects whose values hold records in this way, each with the lists in which they stand.
const ENVELOPES: [(&str, [&str; 3]); 2] =
    [("otlp", ["resourceLogs", "scopeLogs", "logRecords"]), ("otlp-traces", ["resourceSpans", "scopeSpans", "spans"])];

/// The lists in which the records of a dialect stand; `None` for another dialect.
pub(crate) fn lists(dialect: &str) -> Option<[&'static str; 3]> {
    ENVELOPES.iter().find(|(name, _)| *name == dialect).map(|(_, lists)| *lists)
}

/// The records of a request: resource attributes stand next to the record's own fields.
pub(crate) fn records(request: &Value, [resources, scopes, records]: [&str; 3]) -> Vec<Map<String, Value>> {
    let mut found = Vec::new();
    for one in list(request, resources) {
        let resource = attributes(one.get("resource").unwrap_or(&Value::Null));
        let inner = list(one, scopes).iter().flat_map(|scope| list(scope, records));
        found.extend(inner.filter_map(|record| flattened(record, &resource)));
    }
    found
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn flattened(record: &Value, resource: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut map = record.as_object()?.clone();
    map.insert("attributes".to_owned(), Value::Object(attributes(record)));
    map.insert("resource".to_owned(), Value::Object(resource.clone()));
    if let Some(body) = map.get("body").and_then(value_of) {
        map.insert("body".to_owned(), body);
    }
    let level = map.get("severityText").and_then(Value::as_str);
    if level.is_none_or(|text| Level::parse_logged(text).is_none()) {
        // The number says what the text does not.
        map.shift_remove("severityText");
    }
    if map.contains_key("startTimeUnixNano") {
        complete_span(&mut map);
    }
    Some(map)
}

/// The JSON form leaves out what is the default: a status that is not set, and a kind that is not said.
fn complete_span(map: &mut Map<String, Value>) {
    let code = map.get("status").and_then(|status| status.get("code")).cloned().unwrap_or_else(|| 0.into());
    map.insert("outcome".to_owned(), code);
    map.entry("kind").or_insert_with(|| 0.into());
    if let Some(id) = identity(map) {
        map.insert("identity".to_owned(), id.into());
    }
    for list in ["events", "links"] {
        for one in map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let own = attributes(one);
            if let Value::Object(one) = one {
                one.insert("attributes".to_owned(), Value::Object(own));
            }
        }
    }
    let Some(Value::Array(events)) = map.get("events") else { return };
    let exception = events.iter().rev().find(|event| event.get("name").is_some_and(|name| name == "exception"));
    if let Some(exception) = exception.and_then(|event| event.get("attributes")).cloned() {
        map.insert("exception".to_owned(), exception);
    }
}

/// What tells a span from every other one. The id of a span is unique within its trace, and a caller and whom it calls may share one
/// (zipkin.io, "Sharing a span id"): so its trace, its id, and its side.
fn identity(map: &Map<String, Value>) -> Option<String> {
    let text =
        |key: &str| map.get(key).and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_ascii_lowercase);
    let (trace, span) = (text("traceId")?, text("spanId")?);
    let kind = map.get("kind")?;
    let name = kind.as_str().and_then(|name| name.strip_prefix("SPAN_KIND_")).map(str::to_ascii_lowercase);
    let side = match (kind.as_u64(), name.as_deref()) {
        (Some(2), _) | (_, Some("server")) => "-server",
        (Some(5), _) | (_, Some("consumer")) => "-consumer",
        _ => "",
    };
    Some(format!("{trace}-{span}{side}"))
}

fn attributes(holder: &Value) -> Map<String, Value> {
    pairs(holder.get("attributes"))
}

fn pairs(list: Option<&Value>) -> Map<String, Value> {
    let list = list.and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|pair| Some((pair.get("key")?.as_str()?.to_owned(), value_of(pair.get("value")?)?)))
        .collect()
}

fn value_of(value: &Value) -> Option<Value> {
    let (kind, inner) = value.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "intValue" => {
            inner.as_str().and_then(|text| text.parse::<i64>().ok()).map_or_else(|| inner.clone(), Value::from)
        }
        "arrayValue" => Value::Array(inner.get("values")?.as_array()?.iter().filter_map(value_of).collect()),
        "kvlistValue" => Value::Object(pairs(inner.get("values"))),
        _ => inner.clone(),
    })
}
