//! Compares two exchanges: what is the same and what differs.

use super::body::{BodyFormat, format_body};
use super::http::status_meaning;
use crosstail_core::filter::quote;
use crosstail_core::model::{
    Activity, Body, Payload, REDACTED, Side, is_secret_entry, is_secret_field, is_secret_item, name_beside,
    redact_json, redact_text,
};
use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};
use std::borrow::Cow;
use std::time::{Duration, Instant};

/// After this time, two lists are aligned only roughly.
const DIFF_TIME: Duration = Duration::from_millis(500);

/// The compared parts, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Outcome, duration, URL and the like.
    Outcome,
    /// Request headers.
    RequestHeaders,
    /// Request body.
    RequestBody,
    /// Response headers.
    ResponseHeaders,
    /// Response body.
    ResponseBody,
    /// Error.
    Error,
}

impl Section {
    /// Name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::RequestHeaders => "request headers",
            Self::RequestBody => "request body",
            Self::ResponseHeaders => "response headers",
            Self::ResponseBody => "response body",
            Self::Error => "error",
        }
    }
}

/// One difference, with secrets redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// A name or a path in the section; empty for the full section.
    pub path: String,
    /// The value on the left; `None` where it is absent.
    pub left: Option<String>,
    /// The value on the right; `None` where it is absent.
    pub right: Option<String>,
    /// Whether it differs between any two requests, such as a date or an id.
    pub volatile: bool,
}

/// The result of comparing one section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionDiff {
    /// Neither side has the section.
    Absent,
    /// Both sides are equal.
    Same,
    /// The differences, and the number of further ones that are not listed.
    Differs(Vec<Difference>, usize),
}

/// The comparison of two exchanges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Every section with its result.
    pub sections: Vec<(Section, SectionDiff)>,
}

/// Maximum number of listed differences per section.
const MAX_LISTED: usize = 300;
/// Longer arrays are compared by index, shorter ones by insertions and deletions.
const MAX_ALIGNED: usize = 2000;
/// Maximum length of a shown value, in characters.
const MAX_SHOWN: usize = 300;
/// Headers that differ between any two requests.
const VOLATILE_HEADERS: &[&str] = &[
    "date",
    "x-request-id",
    "request-id",
    "x-correlation-id",
    "traceparent",
    "tracestate",
    "cf-ray",
    "x-amzn-trace-id",
    "x-amzn-requestid",
    "x-runtime",
    "age",
    "etag",
    "server-timing",
    "set-cookie",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-cloud-trace-context",
    "idempotency-key",
    "x-response-time",
];

/// Collects the differences of one section.
#[derive(Default)]
struct DiffCollector {
    list: Vec<Difference>,
    more: usize,
}

impl DiffCollector {
    fn add(&mut self, difference: Difference) {
        if self.list.len() < MAX_LISTED { self.list.push(difference) } else { self.more += 1 }
    }

    fn finding(mut self, present: bool) -> SectionDiff {
        if self.list.is_empty() {
            return if present { SectionDiff::Same } else { SectionDiff::Absent };
        }
        self.list.sort_by_key(|difference| difference.volatile);
        SectionDiff::Differs(self.list, self.more)
    }
}

/// The filter for successes with the same endpoint, else with the same operation; `None` where the activity has
/// neither.
pub fn successes_like(activity: &Activity) -> Option<String> {
    let [system, endpoint, method, operation] =
        [&activity.system, &activity.endpoint, &activity.method, &activity.operation].map(|text| text.as_deref());
    let main = endpoint.map(|text| ("endpoint", text)).or(operation.map(|text| ("operation", text)))?;
    let others = [("system", system), ("method", method)];
    let others = others.into_iter().filter_map(|(name, text)| Some((name, text?)));
    let clauses = std::iter::once(main).chain(others).map(|(name, text)| format!(" {name}={}", quote(text)));
    Some(format!("status=success{}", clauses.collect::<String>()))
}

/// Compares two exchanges. It parses both bodies: do not call this on the screen's thread for large ones.
pub fn compare(left: (&Activity, &Payload), right: (&Activity, &Payload)) -> Comparison {
    let ((a, p), (b, q)) = (left, right);
    let sections = vec![
        (Section::Outcome, outcome(a, b)),
        (Section::RequestHeaders, headers(&p.request, &q.request)),
        (Section::RequestBody, bodies(&p.request, &q.request)),
        (Section::ResponseHeaders, headers(&p.response, &q.response)),
        (Section::ResponseBody, bodies(&p.response, &q.response)),
        (Section::Error, error((a, p), (b, q))),
    ];
    Comparison { sections }
}

fn shown(text: &str) -> String {
    let safe = redact_text(text);
    let end = safe.floor_char_boundary(MAX_SHOWN);
    if end < safe.len() { format!("{}…", &safe[..end]) } else { safe.into_owned() }
}

fn facts(rows: Vec<(&str, Option<String>, Option<String>, bool)>) -> DiffCollector {
    let mut found = DiffCollector::default();
    for (name, left, right, expected) in rows {
        if left != right {
            let [left, right] = [left, right].map(|text| text.map(|text| shown(&text)));
            found.add(Difference { path: name.to_owned(), left, right, volatile: expected });
        }
    }
    found
}

fn outcome(a: &Activity, b: &Activity) -> SectionDiff {
    let text = |t: &Option<compact_str::CompactString>| t.as_ref().map(ToString::to_string);
    let http = |code: u16| format!("{code} {}", status_meaning(code).0).trim_end().to_owned();
    let shown = |us: u64| match us {
        0..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    };
    let took = |a: &Activity| a.took_us().map(shown);
    let rows = vec![
        ("status", a.status.map(|s| s.to_string()), b.status.map(|s| s.to_string()), false),
        ("http", a.http_status.map(http), b.http_status.map(http), false),
        ("system", text(&a.system), text(&b.system), false),
        ("method", text(&a.method), text(&b.method), false),
        ("url", text(&a.url), text(&b.url), false),
        ("entity", text(&a.entity), text(&b.entity), false),
        ("operation", text(&a.operation), text(&b.operation), false),
        ("triggered by", text(&a.actor), text(&b.actor), false),
        ("organisation", text(&a.organization), text(&b.organization), false),
        ("took", took(a), took(b), true),
        ("try", a.attempt.map(|n| n.to_string()), b.attempt.map(|n| n.to_string()), true),
    ];
    facts(rows).finding(true)
}

fn error((a, p): (&Activity, &Payload), (b, q): (&Activity, &Payload)) -> SectionDiff {
    let kind = |a: &Activity, p: &Payload| a.error_type.as_ref().map(ToString::to_string).or(p.error.kind.clone());
    let message = |a: &Activity, p: &Payload| a.error.as_ref().map(ToString::to_string).or(p.error.message.clone());
    let mut found =
        facts(vec![("type", kind(a, p), kind(b, q), false), ("message", message(a, p), message(b, q), false)]);
    match (&p.error.stack, &q.error.stack) {
        (Some(left), Some(right)) => lines(left, right, "stack", &mut found),
        (None, None) => {}
        (left, right) => found.add(Difference {
            path: "stack".to_owned(),
            left: left.as_deref().map(shown),
            right: right.as_deref().map(shown),
            volatile: false,
        }),
    }
    let any = |a: &Activity, p: &Payload| kind(a, p).is_some() || message(a, p).is_some() || p.error.stack.is_some();
    found.finding(any(a, p) || any(b, q))
}

fn headers(left: &Side, right: &Side) -> SectionDiff {
    // Names ignore case, and several values of a name are joined.
    let folded = |side: &Side| -> std::collections::BTreeMap<String, (String, Value)> {
        let Some(Value::Object(map)) = &side.headers else { return std::collections::BTreeMap::new() };
        map.iter().map(|(name, value)| (name.to_ascii_lowercase(), (name.clone(), value.clone()))).collect()
    };
    let (mine, other) = (folded(left), folded(right));
    let mut found = DiffCollector::default();
    let mut names: Vec<&String> = mine.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    for folded in names {
        let (a, b) = (mine.get(folded), other.get(folded));
        let name = &a.or(b).map_or_else(|| folded.clone(), |(name, _)| name.clone());
        let value = |side: Option<&(String, Value)>| side.map(|(_, value)| value.clone());
        let before = found.list.len();
        let (a, b) = (value(a), value(b));
        let secret = [&a, &b].into_iter().flatten().any(|value| is_secret(name, value));
        leaf_or_deeper(name, secret, a.as_ref(), b.as_ref(), &mut found);
        let expected = VOLATILE_HEADERS.contains(&folded.as_str());
        found.list[before..].iter_mut().for_each(|difference| difference.volatile = expected);
    }
    found.finding(left.headers.is_some() || right.headers.is_some())
}

fn bodies(left: &Side, right: &Side) -> SectionDiff {
    let (Some(a), Some(b)) = (&left.body, &right.body) else {
        let mut found = DiffCollector::default();
        if left.body.is_some() || right.body.is_some() {
            let one = |side: &Side| {
                side.body.as_ref().map(|body| match redact_json(body.value()) {
                    Value::String(text) => shown(&text),
                    other => shown(&other.to_string()),
                })
            };
            found.add(Difference { path: String::new(), left: one(left), right: one(right), volatile: false });
        }
        return found.finding(false);
    };
    if a.text() == b.text() {
        return SectionDiff::Same;
    }
    let mut found = DiffCollector::default();
    match (tree(a), tree(b)) {
        (Some(left), Some(right)) => values("", false, &left, &right, &mut found),
        _ => lines(a.text(), b.text(), "line", &mut found),
    }
    found.finding(true)
}

/// A body as a tree; `None` where it is plain text.
fn tree(body: &Body) -> Option<Cow<'_, Value>> {
    let laid = format_body(body, None);
    match laid.form {
        BodyFormat::Text => None,
        BodyFormat::Json => Some(Cow::Borrowed(body.value())),
        _ => serde_json::from_str(&laid.text).ok().map(Cow::Owned),
    }
}

fn in_path(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Whether a value is secret by its name.
fn is_secret(name: &str, value: &Value) -> bool {
    is_secret_field(name, value.as_str().unwrap_or_default())
}

/// Walks two values side by side.
fn values(path: &str, secret: bool, left: &Value, right: &Value, found: &mut DiffCollector) {
    if left == right {
        return;
    }
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            let (beside_a, beside_b) = (name_beside(a), name_beside(b));
            for (name, value) in a {
                let secret = secret || is_secret_entry(beside_a, name, value);
                match b.get(name) {
                    Some(other) => {
                        let secret = secret || is_secret_entry(beside_b, name, other);
                        values(&in_path(path, name), secret, value, other, found);
                    }
                    None => leaf_or_deeper(&in_path(path, name), secret, Some(value), None, found),
                }
            }
            for (name, value) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                let secret = secret || is_secret_entry(beside_b, name, value);
                leaf_or_deeper(&in_path(path, name), secret, None, Some(value), found);
            }
        }
        (Value::Array(a), Value::Array(b)) => lists(path, secret, a, b, found),
        _ => leaf_or_deeper(path, secret, Some(left), Some(right), found),
    }
}

fn lists(path: &str, secret: bool, a: &[Value], b: &[Value], found: &mut DiffCollector) {
    let at = |index: usize| format!("{path}[{index}]");
    let (lefts, rights) = (a, b);
    let is_item = |list: &[Value], index: usize| is_secret_item(|at| list.get(at).and_then(Value::as_str), index);
    let mut pairwise = |(a, from): (&[Value], usize), (b, to): (&[Value], usize)| {
        for index in 0..a.len().max(b.len()) {
            let secret = secret || is_item(lefts, from + index) || is_item(rights, to + index);
            match (a.get(index), b.get(index)) {
                (Some(left), Some(right)) => values(&at(from + index), secret, left, right, found),
                (Some(left), None) => leaf_or_deeper(&at(from + index), secret, Some(left), None, found),
                (None, right) => leaf_or_deeper(&at(to + index), secret, None, right, found),
            }
        }
    };
    if a.len().max(b.len()) > MAX_ALIGNED {
        pairwise((a, 0), (b, 0));
        return;
    }
    let [mine, other] = [a, b].map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
    let [mine, other] = [&mine, &other].map(|list| list.iter().map(String::as_str).collect::<Vec<_>>());
    for op in steps(&mine, &other) {
        match op {
            DiffOp::Equal { .. } => {}
            DiffOp::Delete { old_index, old_len, new_index } => {
                pairwise((&a[old_index..old_index + old_len], old_index), (&[], new_index));
            }
            DiffOp::Insert { old_index, new_index, new_len } => {
                pairwise((&[], old_index), (&b[new_index..new_index + new_len], new_index));
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => pairwise(
                (&a[old_index..old_index + old_len], old_index),
                (&b[new_index..new_index + new_len], new_index),
            ),
        }
    }
}

fn leaf_or_deeper(path: &str, secret: bool, left: Option<&Value>, right: Option<&Value>, found: &mut DiffCollector) {
    if left == right {
        return;
    }
    let text = |value: &Value| match redact_json(value) {
        _ if secret => REDACTED.to_owned(),
        Value::String(text) => shown(&text),
        other => shown(&other.to_string()),
    };
    let (left, mut right) = (left.map(text), right.map(text));
    if left.is_some() && left == right {
        right = right.map(|text| format!("{text} (another)"));
    }
    found.add(Difference { path: path.to_owned(), left, right, volatile: false });
}

/// The steps from one list of texts to another; after the time limit, longer than need be.
fn steps(from: &[&str], to: &[&str]) -> Vec<DiffOp> {
    capture_diff_slices_deadline(Algorithm::Myers, from, to, Some(Instant::now() + DIFF_TIME))
}

/// Compares two texts line by line.
fn lines(left: &str, right: &str, what: &str, found: &mut DiffCollector) {
    let (a, b): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    for op in steps(&a, &b).iter().filter(|op| !matches!(op, DiffOp::Equal { .. })) {
        let (old, new) = (op.old_range(), op.new_range());
        for step in 0..old.len().max(new.len()) {
            let side = |lines: &[&str], range: &std::ops::Range<usize>| {
                (range.start + step < range.end).then(|| shown(lines.get(range.start + step).copied().unwrap_or("")))
            };
            let number = if step < old.len() { old.start + step } else { new.start + step } + 1;
            let (left, right) = (side(&a, &old), side(&b, &new));
            found.add(Difference { path: format!("{what} {number}"), left, right, volatile: false });
        }
    }
}

impl Comparison {
    /// One line per section: `request: same`, `response: Retry-After 30 → 60`, `error: same`.
    pub fn summary(&self) -> Vec<String> {
        let of = |name: &str, parts: &[Section]| {
            let found = self.sections.iter().filter(|(section, _)| parts.contains(section));
            let mut told: Option<String> = None;
            let (mut count, mut present) = (0, false);
            for (_, finding) in found {
                present |= *finding != SectionDiff::Absent;
                let SectionDiff::Differs(list, more) = finding else { continue };
                let real: Vec<&Difference> = list.iter().filter(|difference| !difference.volatile).collect();
                count += real.len() + more;
                told = told.or_else(|| real.first().map(|first| first.describe()));
            }
            match (present, told, count) {
                (false, ..) => None,
                (true, None, _) => Some(format!("{name}: same")),
                (true, Some(first), 0 | 1) => Some(format!("{name}: {first}")),
                (true, Some(first), n) => Some(format!("{name}: {first} and {} more", n - 1)),
            }
        };
        let parts = [
            of("outcome", &[Section::Outcome]),
            of("request", &[Section::RequestHeaders, Section::RequestBody]),
            of("response", &[Section::ResponseHeaders, Section::ResponseBody]),
            of("error", &[Section::Error]),
        ];
        parts.into_iter().flatten().collect()
    }
}

impl Difference {
    /// The difference in words: `Retry-After 30 → 60`.
    pub fn describe(&self) -> String {
        // Bytes of a side that are shown, and how many of them may be what both sides begin with.
        const SIDE: usize = 40;
        const COMMON: usize = 12;
        // Of long texts the part is shown that differs.
        let common = match (&self.left, &self.right) {
            (Some(left), Some(right)) if left.len().max(right.len()) > SIDE => {
                left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count()
            }
            _ => 0,
        };
        let side = |text: &Option<String>| {
            let text = text.as_deref().map_or("not there", |text| text);
            let from = if common > SIDE / 2 { text.floor_char_boundary(common - COMMON) } else { 0 };
            let end = text.floor_char_boundary((from + SIDE).min(text.len()));
            let (before, after) = (if from > 0 { "…" } else { "" }, if end < text.len() { "…" } else { "" });
            format!("{before}{}{after}", &text[from..end])
        };
        format!("{} {} → {}", self.path, side(&self.left), side(&self.right)).trim_start().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Body, Id, Timestamp};
    use proptest::prelude::*;
    use serde_json::json;

    fn exchange(request: Value, headers: Value, error: Option<&str>) -> (Activity, Payload) {
        let mut activity = Activity::new(Id::Text("a".into()), Timestamp(0));
        activity.error = error.map(Into::into);
        let mut payload = Payload::default();
        payload.request.body = Some(Body::from_value(request));
        payload.response.headers = Some(headers);
        (activity, payload)
    }

    #[test]
    fn of_long_texts_the_part_is_told_that_differs() {
        let text = |end: &str| Some(format!("at HttpClient.request (/app/src/http/client.ts:{end})"));
        let of = |left: Option<String>, right: Option<String>| {
            Difference { path: "stack 2".to_owned(), left, right, volatile: false }.describe()
        };
        assert_eq!(of(text("88"), text("91")), "stack 2 …p/client.ts:88) → …p/client.ts:91)");
        let long = "é".repeat(60);
        assert!(of(Some(long.clone()), Some(format!("{long}x"))).ends_with("é → …ééééééx"));
        assert_eq!(of(Some("30".to_owned()), None), "stack 2 30 → not there");
    }

    fn differences(comparison: &Comparison) -> Vec<String> {
        let of = |(section, finding): &(Section, SectionDiff)| match finding {
            SectionDiff::Differs(list, _) => {
                list.iter().map(|d| format!("{}: {}", section.name(), d.describe())).collect()
            }
            _ => Vec::new(),
        };
        comparison.sections.iter().flat_map(of).collect()
    }

    #[test]
    fn what_differs_is_named_and_secrets_are_not_shown() {
        let one = exchange(
            json!({"po": {"lines": [{"sku": "A"}, {"sku": "B"}, {"sku": "C"}]}, "token": "first-secret"}),
            json!({"retry-after": "30", "Date": "a", "Server": "x"}),
            Some("Service Unavailable"),
        );
        let two = exchange(
            json!({"po": {"lines": [{"sku": "A"}, {"sku": "C"}]}, "token": "second-secret"}),
            json!({"Retry-After": "60", "Date": "b", "Server": "x"}),
            Some("Service Unavailable"),
        );
        let comparison = compare((&one.0, &one.1), (&two.0, &two.1));
        assert_eq!(
            differences(&comparison),
            [
                "request body: po.lines[1] {\"sku\":\"B\"} → not there",
                "request body: token [REDACTED] → [REDACTED] (another)",
                "response headers: retry-after 30 → 60",
                "response headers: Date a → b",
            ]
        );
        let said = comparison.summary().join(" · ");
        assert_eq!(
            said,
            "outcome: same · request: po.lines[1] {\"sku\":\"B\"} → not there and 1 more · response: retry-after 30 → 60 · error: same"
        );
    }

    #[test]
    fn texts_are_compared_by_lines() {
        let body = |text: &str| {
            let mut payload = Payload::default();
            payload.response.body = Some(Body::from_text(text));
            payload
        };
        let activity = Activity::new(Id::Text("a".into()), Timestamp(0));
        let (a, b) = (body("one\ntwo\nthree"), body("one\n2\nthree"));
        assert_eq!(differences(&compare((&activity, &a), (&activity, &b))), ["response body: line 2 two → 2"]);
        assert_eq!(compare((&activity, &a), (&activity, &Payload::default())).sections[2].1, SectionDiff::Absent);
    }

    proptest! {
        #[test]
        fn a_thing_compared_with_itself_is_the_same(text in "[a-c{}\\[\\]\":,0-9<>/\n ]{0,60}") {
            let mut payload = Payload::default();
            payload.request.body = Some(Body::from_text(text));
            let activity = Activity::new(Id::Text("a".into()), Timestamp(0));
            let comparison = compare((&activity, &payload), (&activity, &payload));
            prop_assert!(comparison.sections.iter().all(|(_, f)| !matches!(f, SectionDiff::Differs(..))));
        }
    }
}
