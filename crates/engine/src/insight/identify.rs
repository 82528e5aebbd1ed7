//! Identifies pasted text: it may be an id, a trace, a URL, an order number or a log line.

use crosstail_core::filter::quote;
use serde_json::Value;

/// One way to search for the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What the text may be.
    pub what: &'static str,
    /// The filter that finds it.
    pub filter: String,
    /// Ids that may be those of traces, which stores of traces are asked for.
    pub traces: Vec<String>,
}

/// Names of ids in logs, in lower case and without `_`, `-` and `.`.
const ID_NAMES: &[&str] = &[
    "requestid",
    "reqid",
    "xrequestid",
    "correlationid",
    "xcorrelationid",
    "traceid",
    "spanid",
    "id",
    "activityid",
    "eventid",
    "messageid",
    "deliveryid",
    "logid",
    "transactionid",
    "jobid",
    "parentrequestid",
    "idempotencykey",
];
/// Names of messages in logs.
const TEXT_NAMES: &[&str] = &["message", "msg", "error", "err", "event", "text"];
/// Maximum number of ids that are used from a line.
const IDS: usize = 8;

fn folded(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// The spellings of an id: a trace id of 32 hexadecimal digits also as a UUID, as other systems write it.
fn spellings(id: &str) -> Vec<String> {
    let lower = id.to_ascii_lowercase();
    let mut all = vec![id.to_owned()];
    if is_hex(id, 32)
        && let Ok(uuid) = uuid::Uuid::try_parse(id)
    {
        all.push(uuid.hyphenated().to_string());
    } else if is_uuid(id) {
        all.push(lower.replace('-', ""));
    }
    if lower != id {
        all.push(lower);
    }
    all
}

/// The filter for everything that has one of the ids.
fn of_ids(ids: &[String]) -> String {
    let mut clauses = Vec::new();
    for id in ids.iter().flat_map(|id| spellings(id)) {
        let value = quote(&id);
        clauses.extend(["id", "request", "corr", "parent"].map(|field| format!("{field}:{value}")));
    }
    clauses.join(" OR ")
}

fn anywhere(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

const IN_A_PAYLOAD: &str = "a text in a stack or payload";

/// The filter for what has a text where plain text is not searched, because the stores have to be asked for it.
fn in_payload(text: &str) -> String {
    ["req.body", "res.body", "stack", "meta", "raw"].map(|path| format!("{path}:{}", anywhere(text))).join(" OR ")
}

/// The ids in a text that may be those of traces: 32 hexadecimal digits as W3C has them, or 16 of an older client.
fn traces_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit());
    let ids = words.filter(|word| is_hex(word, 32)).chain(text.split_whitespace().filter(|word| is_hex(word, 16)));
    let mut seen = std::collections::HashSet::new();
    ids.map(str::to_ascii_lowercase).filter(|id| seen.insert(id.clone())).take(IDS).collect()
}

/// The candidates for a text, the most exact first. Empty for an empty text.
pub fn candidates(text: &str) -> Vec<Candidate> {
    let text = text.trim().trim_matches(['"', '\'', '`', '<', '>']).trim();
    if text.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<Candidate> = Vec::new();
    let mut add = |what: &'static str, filter: String| {
        if !filter.is_empty() && found.iter().all(|clue| clue.filter != filter) {
            let traces = if found.is_empty() { traces_in(text) } else { Vec::new() };
            found.push(Candidate { what, filter, traces });
        }
    };
    let parent = text.strip_prefix("traceparent:").unwrap_or(text).trim();
    let parts: Vec<&str> = parent.split('-').collect();
    if let [version, trace, span, flags] = parts[..]
        && is_hex(version, 2)
        && is_hex(trace, 32)
        && is_hex(span, 16)
        && is_hex(flags, 2)
    {
        add("a traceparent", of_ids(&[trace.to_owned(), span.to_owned(), parent.to_owned()]));
        return found;
    }
    if text.contains("://") && !text.contains(char::is_whitespace) {
        let bare = text.split('#').next().unwrap_or(text);
        add("an address", format!("url:{}", anywhere(bare)));
        let ids = ids_in(bare);
        add("an id in the address", of_ids(&ids));
        let path = bare.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        if let Some(path) = path.filter(|path| path.len() > 1) {
            add("the address without its host", format!("url:{}", anywhere(path)));
            let without_query = path.split('?').next().unwrap_or(path);
            add("its path", format!("url:{0} OR endpoint:{0}", anywhere(without_query)));
        }
        return found;
    }
    if !text.contains(char::is_whitespace) && !text.starts_with('{') {
        let what = if is_uuid(text) || is_hex(text, 32) { "an id" } else { "an id or a number" };
        if text.len() >= 4 {
            add(what, of_ids(&[text.to_owned()]));
        }
        add("a text anywhere", anywhere(text));
        add(IN_A_PAYLOAD, in_payload(text));
        return found;
    }
    let (ids, said) = of_line(text);
    add("the ids of a line", of_ids(&ids));
    if let Some(said) = said {
        add("the message of a line", anywhere(&said));
    }
    if !text.starts_with('{') {
        add("a text anywhere", anywhere(text));
        add(IN_A_PAYLOAD, in_payload(text));
    }
    found
}

/// The ids and the message in a log line.
fn of_line(line: &str) -> (Vec<String>, Option<String>) {
    let from = line.find('{').unwrap_or(line.len());
    let record = serde_json::Deserializer::from_str(&line[from..]).into_iter::<Value>().next().and_then(Result::ok);
    let (mut ids, mut said) = (Vec::new(), None);
    if let Some(Value::Object(map)) = &record {
        walk(map, 0, &mut ids, &mut said);
    }
    // `request_id=…` in plain text, and every UUID.
    for word in line[..from].split([' ', '\t', ',', ';', '[', ']', '(', ')', '"']) {
        if let Some((name, value)) = word.split_once(['=', ':'])
            && ID_NAMES.contains(&folded(name).as_str())
            && value.len() >= 4
        {
            ids.push(value.to_owned());
        }
    }
    ids.extend(ids_in(line));
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    ids.truncate(IDS);
    (ids, said)
}

fn walk(map: &serde_json::Map<String, Value>, depth: usize, ids: &mut Vec<String>, said: &mut Option<String>) {
    for (name, value) in map {
        let name = folded(name);
        match value {
            Value::Object(inner) if depth < 4 => walk(inner, depth + 1, ids, said),
            Value::String(text) if ID_NAMES.contains(&name.as_str()) && text.len() >= 4 => ids.push(text.clone()),
            Value::String(text) if TEXT_NAMES.contains(&name.as_str()) && !text.is_empty() => {
                said.get_or_insert_with(|| text.clone());
            }
            _ => {}
        }
    }
}

/// The UUIDs in a text.
fn ids_in(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_hexdigit() && c != '-').filter(|word| is_uuid(word)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::filter::Filter;
    use proptest::prelude::*;

    fn first(text: &str) -> (&'static str, String) {
        let clue = candidates(text).into_iter().next().expect("a clue");
        (clue.what, clue.filter)
    }

    #[test]
    fn each_form_is_known() {
        let (what, filter) = first("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!(what, "a traceparent");
        assert!(
            filter.contains("corr:0af76519-16cd-43dd-8448-eb211c80319c") && filter.contains("request:b7ad6b7169203331")
        );
        let id = "7f3a9c21-0000-4abc-8def-0123456789ab";
        assert_eq!(first(id).0, "an id");
        assert!(first(id).1.starts_with(&format!("id:{id} OR request:{id} OR corr:{id} OR parent:{id}")));
        let (what, filter) = first("https://sap.example/po/create?x=1#top");
        assert_eq!((what, filter.as_str()), ("an address", "url:\"https://sap.example/po/create?x=1\""));
        let order: Vec<_> = candidates("PO-4711").into_iter().map(|clue| clue.filter).collect();
        assert_eq!(order[1], "\"PO-4711\"");
        assert!(order[2].contains("req.body:\"PO-4711\"") && order[2].contains("stack:\"PO-4711\""));
        let words: Vec<_> = candidates("deadlock found").into_iter().map(|clue| clue.filter).collect();
        assert_eq!(words[0], "\"deadlock found\"");
        assert!(words[1].contains("stack:\"deadlock found\"") && words[1].contains("raw:\"deadlock found\""));
        let line = format!(r#"2026-11-20 INFO {{"message":"API Request Started","metadata":{{"requestId":"{id}"}}}}"#);
        let all = candidates(&line);
        assert!(all[0].filter.contains(&format!("request:{id}")), "{all:?}");
        assert_eq!(all[1].filter, "\"API Request Started\"");
        assert!(first("ERROR sync failed request_id=req-77 after 3 tries").1.contains("request:req-77"));
        assert!(candidates("  \n").is_empty());
    }

    proptest! {
        #[test]
        fn whatever_is_pasted_gives_filters_that_parse(text in ".{0,60}") {
            for clue in candidates(&text) {
                prop_assert!(Filter::parse(&clue.filter).is_ok(), "{} of {:?}", clue.filter, text);
            }
        }
    }
}
