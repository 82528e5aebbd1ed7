//! JSON records: one value a record, several values or an array in one text, envelopes that hold many, and OTLP.

use crate::crash::crash;
use crate::decoding;
use crate::format::compile;
use crate::otlp;
use crate::piece::Piece;
use crate::read::{DEPTH, Form, Found, Surrounding, broken, first_line, keep_payload, names_service, scope_of};
use crate::registry::{Dialect, Formats};
use crate::{generic, logfmt, loki};
use crosstail_core::model::{Kind, Spelled, Surroundings, Timestamp, exception, spelled_time};
use crosstail_core::number::saturating_i64;
use crosstail_core::schema::{Assembler, Scalar, Target, is_http_method, json, lookup};
use regex::bytes::Regex;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

/// A scanned value: its fields, its dialect, and where it ends in the text.
pub(crate) struct Scanned<'t> {
    pub(crate) fields: Assembler<'t>,
    pub(crate) dialect: usize,
    pub(crate) end: usize,
}

/// A longer text is not shown as the message of a record that has none, in bytes.
const SHOWN_BYTES: usize = 2048;

impl Formats {
    /// Scans the value at the beginning of a text, by the tree of `hint` and then, where it belongs to another dialect, by
    /// that one's.
    pub(crate) fn scan<'t>(&self, text: &'t str, hint: usize) -> Result<Scanned<'t>, usize> {
        let mut fields = Assembler::default();
        let end = json::scan_first(text, self.dialects[hint].schema().tree(), &mut fields)?;
        let dialect = self.dialect_of(&fields);
        if dialect != hint {
            fields = Assembler::default();
            json::scan_first(text, self.dialects[dialect].schema().tree(), &mut fields)?;
        }
        Ok(Scanned { fields, dialect, end })
    }

    /// The record of a text that is one value, or a wrapper's lines of one value each.
    pub(crate) fn json_record(&self, text: &str, at: &Surrounding<'_>, depth: u8) -> Option<Found> {
        let scanned = self.scan(text, at.hint.map_or(self.plain, |hint| hint.load(Ordering::Relaxed))).ok()?;
        if let Some(hint) = at.hint.filter(|_| scanned.dialect != self.plain) {
            hint.store(scanned.dialect, Ordering::Relaxed);
        }
        let (value, rest) = text.split_at(scanned.end);
        let rest = rest.trim_matches([',', ' ', '\t', '\r', '\n']);
        let wraps = self.dialects[scanned.dialect].schema().definition().wraps;
        if !(rest.is_empty() || (wraps && rest.starts_with('{'))) {
            return None;
        }
        let dialect = scanned.dialect;
        Some(self.complete(&self.dialects[dialect], Form::Json(dialect), scanned.fields, (value, rest), at, depth))
    }

    /// The record of a scanned value. `rest`: further lines of the same wrapper.
    pub(crate) fn complete(
        &self,
        dialect: &Dialect,
        form: Form,
        mut fields: Assembler<'_>,
        (value, rest): (&str, &str),
        at: &Surrounding<'_>,
        depth: u8,
    ) -> Found {
        let schema = dialect.schema();
        let definition = schema.definition();
        if fields.folded
            && let Some(text) = unfolded(value, &definition.nests)
        {
            let mut whole = Assembler::default();
            if json::scan_first(&text, schema.tree(), &mut whole).is_ok() {
                return self.complete(dialect, form, whole, (&text, rest), at, depth);
            }
        }
        let special = definition.wraps || definition.template.is_some();
        let lacks_level = fields.raw(Target::Level).is_none();
        let message = fields.raw(Target::Message).filter(|text| special || may_hold_record(text, lacks_level));
        let message = message.map(Cow::into_owned);
        let named = names_service(&fields);
        let scope = if schema.has_phases() { scope_of(&fields) } else { None };
        keep_payload(schema, value, at);
        at.place_time(&mut fields, || {
            let record: Map<String, Value> = serde_json::from_str(value).ok()?;
            record.get("date").and_then(Value::as_str).map(|day| Cow::Owned(day.to_owned()))
        });
        if fields.start().is_none()
            && let Some(time) = named_time(value)
        {
            fields.replace(Target::StartedAt, Scalar::Time(at.moment(time)));
        }
        let mut activity = fields.finish(schema, at.id.clone(), at.carry);
        activity.places = vec![at.place.clone()];
        let mut outer = Found { activity, form, names_service: named, scope, line: None, length: None };
        if definition.wraps && depth < DEPTH {
            let mut inside = message.map(bytes_as_text).unwrap_or_default();
            self.append_wrapped(&mut inside, rest, definition.cuts);
            let inside = decoding::uncoloured(inside.into());
            let mut inner = self.record(inside.trim_end_matches(['\n', '\r']), at, depth + 1);
            outer.activity.message = None;
            if inner.form == Form::Empty && (outer.activity.level.is_some() || value.contains("null")) {
                inner.activity.message = Some(value[..value.floor_char_boundary(SHOWN_BYTES)].into());
                inner.form = form;
            }
            return inner.within(outer);
        }
        if let Some(template) = &definition.template
            && let Ok(Value::Object(record)) = serde_json::from_str(value)
            && let Some(text) = record.get(&template.text).and_then(Value::as_str)
            && message.as_deref() == Some(text)
        {
            let rendered = template.rendered.as_deref().and_then(|path| record.get(path)?.as_array());
            outer.activity.message = Some(render(text, &record, rendered.map_or(&[], Vec::as_slice)).into());
        }
        let holds = |text: &&str| depth < DEPTH && (definition.template.is_none() || text.starts_with('{'));
        if let Some(text) = message.as_deref().filter(holds) {
            outer = self.with_inside(outer, (text, value), lacks_level, at, depth);
        }
        if let Some(error) = outer.activity.error.as_deref().filter(|text| text.starts_with(['{', '[']))
            && let Ok(object) = serde_json::from_str::<Value>(error)
            && let Some((what, kind)) = thrown_in(&object)
        {
            outer.activity.error_type = outer.activity.error_type.take().or_else(|| kind.map(Into::into));
            outer.activity.error = Some(what.into());
        }
        outer.blame_stack(schema, value);
        outer.keep_thrown(at);
        let own = &outer.activity;
        let says = own.message.is_some() || own.url.is_some() || own.error.is_some() || own.operation.is_some();
        if !says && value.len() > 2 && own.kind != Kind::Undecodable {
            outer.activity.message = Some(value[..value.floor_char_boundary(SHOWN_BYTES)].into());
        }
        outer
    }

    /// A record with what its message says, where that is a record itself.
    fn with_inside(
        &self,
        outer: Found,
        (text, value): (&str, &str),
        lacks_level: bool,
        at: &Surrounding<'_>,
        depth: u8,
    ) -> Found {
        if text.starts_with('{') {
            return match self.opened(text, at, depth) {
                Some(inner) => with_object(outer, inner, (text, value)),
                None => outer,
            };
        }
        if outer.activity.url.is_some() {
            return outer;
        }
        if let Some(call) = self.call_in(text, at, depth) {
            return with_call(outer, call);
        }
        if lacks_level && holds_record(text) {
            let inner = self.record(text, at, depth + 1);
            if !matches!(inner.form, Form::Plain | Form::Empty | Form::Broken) {
                return Found { form: outer.form, ..inner }.within(outer);
            }
        }
        outer
    }

    /// The call in a message that is a line of an access log and nothing else: morgan's, which Winston writes.
    fn call_in(&self, message: &str, at: &Surrounding<'_>, depth: u8) -> Option<Found> {
        if !begins_like_call(message) {
            return None;
        }
        let line = decoding::uncoloured(message.trim().into());
        let call = if line.contains('\n') { None } else { self.call_of(&line, at, depth) };
        call.filter(|call| call.activity.url.is_some() && call.activity.http_status.is_some())
    }

    /// Appends what further lines of a wrapper hold. `cuts`: a line without a newline goes on in the next one.
    fn append_wrapped(&self, inside: &mut String, rest: &str, cuts: bool) {
        let mut rest = rest;
        while rest.starts_with('{') {
            let Ok(next) = self.scan(rest, self.plain) else { return };
            if let Some(text) = next.fields.raw(Target::Message) {
                if !cuts && !inside.ends_with('\n') {
                    inside.push('\n');
                }
                inside.push_str(&text);
            }
            rest = rest[next.end..].trim_start_matches([',', ' ', '\t', '\r', '\n']);
        }
    }

    /// The records of a text: values side by side, the elements of an array, what an envelope holds. The error is the
    /// byte offset at which the text is not JSON.
    pub(crate) fn pieces<'t>(&self, text: &'t str) -> Result<Vec<Piece<'t>>, usize> {
        let mut found = Vec::new();
        let mut at = 0;
        loop {
            let rest = text[at..].trim_start_matches([',', ' ', '\t', '\r', '\n', '[', ']', '\u{1e}']);
            at = text.len() - rest.len();
            if rest.is_empty() {
                return Ok(found);
            }
            if !rest.starts_with('{') {
                return Err(at);
            }
            let scanned = self.scan(rest, self.plain).map_err(|inside| at + inside)?;
            let value = &rest[..scanned.end];
            at += scanned.end;
            match self.enveloped(value, &scanned) {
                Some(inside) => found.extend(inside),
                None => found.push(Piece { text: Cow::Borrowed(value), dialect: Some(scanned.dialect) }),
            }
        }
    }

    /// The records in an envelope; `None` where the value is a record itself.
    pub(crate) fn enveloped<'t>(&self, value: &str, scanned: &Scanned<'_>) -> Option<Vec<Piece<'t>>> {
        let definition = self.dialects[scanned.dialect].schema().definition();
        let otlp = otlp::lists(&definition.name);
        if otlp.is_none() && scanned.fields.raw(Target::StartedAt).is_some() {
            return None;
        }
        let piece = |record: Map<String, Value>, dialect| Piece {
            text: Cow::Owned(Value::Object(record).to_string()),
            dialect,
        };
        if let Some(lists) = otlp {
            let records = otlp::records(&serde_json::from_str(value).ok()?, lists);
            return Some(records.into_iter().map(|record| piece(record, Some(scanned.dialect))).collect());
        }
        let names = definition.unfold.iter().any(|path| {
            let key = path.split('.').next().unwrap_or(path);
            value.contains(&format!("\"{key}\""))
        });
        if !names {
            return None;
        }
        let Ok(Value::Object(record)) = serde_json::from_str(value) else { return None };
        let list = definition.unfold.iter().find_map(|path| {
            let list = lookup(&record, path)?.as_array()?;
            // Programs have streams and results of other things than Loki's.
            let is_of_loki = || list.iter().all(|one| one.get("stream").is_some() && one.get("values").is_some());
            let fits = !matches!(path.as_str(), "streams" | "data.result") || is_of_loki();
            (fits && !list.is_empty() && list.iter().all(Value::is_object)).then_some(list)
        })?;
        let records = list.iter().flat_map(|element| {
            loki::lines(element).unwrap_or_else(|| element.as_object().cloned().into_iter().collect())
        });
        Some(records.map(|record| piece(record, None)).collect())
    }

    /// The record of a piece.
    pub(crate) fn of_piece(&self, piece: &Piece<'_>, at: &Surrounding<'_>) -> Found {
        let hint = piece.dialect.unwrap_or(self.plain);
        let scanned =
            match piece.dialect {
                None => self.scan(&piece.text, hint),
                Some(dialect) => {
                    let mut fields = Assembler::default();
                    json::scan_first(&piece.text, self.dialects[dialect].schema().tree(), &mut fields)
                        .map(|end| Scanned { fields, dialect, end })
                }
            };
        match scanned {
            Ok(scanned) => {
                let dialect = scanned.dialect;
                self.complete(&self.dialects[dialect], Form::Json(dialect), scanned.fields, (&piece.text, ""), at, 0)
            }
            Err(offset) => unreadable(&piece.text, at, offset),
        }
    }
}

/// Whether the message of a record may be a record itself, which says more than the fields beside it.
pub(crate) fn may_hold_record(message: &str, lacks_level: bool) -> bool {
    message.starts_with('{') || begins_like_call(message) || (lacks_level && holds_record(message))
}

/// Whether the message of a record without a level is a record itself: it begins with a time, with pairs, or with a level.
fn holds_record(message: &str) -> bool {
    generic::begins_with_time(message)
        || (["level=", "time=", "ts=", "msg="].iter().any(|key| message.starts_with(key)) && logfmt::is_record(message))
        || (is_marked(message) && generic::head(first_line(message).0).level.is_some())
}

/// Whether a message begins as lines with a level do, with a mark or a word in capitals, or as what a runtime says of a crash.
fn is_marked(message: &str) -> bool {
    match message.as_bytes() {
        [b'[' | b'<', ..] => true,
        // A word in capitals may begin a sentence.
        [b'A'..=b'Z', b'A'..=b'Z', ..] => {
            let behind = &message[message.bytes().take_while(u8::is_ascii_uppercase).count()..];
            behind.starts_with([':', '|', '[', '\t']) || behind.starts_with(" [") || behind.starts_with(" - ")
        }
        _ => crash(message).is_some(),
    }
}

/// Whether a message begins as the lines of access logs do: with who called, or with a method and a path.
fn begins_like_call(message: &str) -> bool {
    match message.as_bytes().first() {
        Some(b'0'..=b'9' | b':' | b'-' | b'"') => message.contains(" HTTP/"),
        Some(b'A'..=b'Z') => {
            let words = message.split_once(' ').filter(|(_, rest)| rest.starts_with(['/', 'h']));
            words.is_some_and(|(word, _)| is_http_method(word))
        }
        // Colours.
        Some(0x1b) => message.contains(" /"),
        _ => false,
    }
}

/// A record with the object that stands where its message may be. `value`: the text of the record.
fn with_object(mut outer: Found, mut inner: Found, (text, value): (&str, &str)) -> Found {
    // One that has nothing to show is a part of the record, such as ECS' `event`.
    let is_part = inner.activity.message.as_deref().is_some_and(|shown| text.starts_with(shown));
    if is_part {
        inner.activity.message = None;
    }
    // It is no text, and a call shows what it was.
    if (outer.activity.url.is_some() || inner.activity.url.is_some()) && value.contains(text) {
        outer.activity.message = None;
    }
    if is_part { outer.within(inner) } else { inner.within(outer) }
}

/// A record with the call that its message is. Its own time is the finer one, and stays.
fn with_call(outer: Found, call: Found) -> Found {
    let mut found = outer.within(call);
    let own = &mut found.activity;
    if own.exact_start && own.completed_at.is_none() {
        own.completed_at = own.duration_us.map(|us| own.started_at.plus_us(saturating_i64(us)));
    }
    found
}

/// A record in which the objects that are written as texts, where paths say so (`properties.{}`), are objects.
fn unfolded(value: &str, paths: &[String]) -> Option<String> {
    let Ok(Value::Object(mut record)) = serde_json::from_str(value) else { return None };
    let mut changed = false;
    for name in paths.iter().filter_map(|path| path.strip_suffix(".{}")) {
        let object = record.get(name).and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(object) = object.filter(Value::is_object) {
            record.insert(name.to_owned(), object);
            changed = true;
        }
    }
    changed.then(|| Value::Object(record).to_string())
}

/// Keys that end in a word for a time, with a unit perhaps, each with its value.
static TIMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let key = r#""([^"\\]{0,40}(?i:time|timestamp|timereported|datetime|date)(?:_?(?i:ms|sec|secs|us|ns|utc|iso|iso8601))?)""#;
    compile(&format!(r#"{key}\s*:\s*(?:"([^"\\]{{8,40}})"|(\d{{9,19}}(?:\.\d+)?)[\s,}}])"#), false).ok()
});

/// What such a key tells of another time than that of the record.
const OTHER_TIMES: &[&str] = &[
    "exp", "birth", "uptime", "until", "deadline", "next", "valid", "before", "after", "update", "modif", "last",
    "due", "retry",
];

/// The time of a record in which no key that is known has one: that of the first key whose name and value say so.
fn named_time(value: &str) -> Option<Spelled> {
    let (first, last) = (Timestamp(946_684_800_000_000), Timestamp(4_102_444_800_000_000));
    TIMES.as_ref()?.captures_iter(value.as_bytes()).take(8).find_map(|found| {
        let text = |index: usize| found.get(index).and_then(|part| std::str::from_utf8(part.as_bytes()).ok());
        let name = text(1)?.to_ascii_lowercase();
        if OTHER_TIMES.iter().any(|other| name.contains(other)) {
            return None;
        }
        let time = spelled_time(text(2).or_else(|| text(3))?).filter(Spelled::is_whole)?;
        let at = time.resolve(Surroundings::before(last));
        (first < at && at < last).then_some(time)
    })
}

/// What an object that stands for an error may call what it says, and its kind.
const WHAT: &[&str] = &[
    "message",
    "Message",
    "value",
    "exc_value",
    "msg",
    "description",
    "reason",
    "detail",
    "errorMessage",
    "error_message",
    "exception_message",
    "localizedMessage",
];
const KIND: &[&str] = &[
    "type",
    "name",
    "class",
    "Type",
    "Name",
    "exc_type",
    "className",
    "exceptionType",
    "exception_class",
    "errorType",
    "ClassName",
    "code",
];

/// What an object that stands for an error says, and its kind: of several, as Sentry has them, the last one was thrown.
fn thrown_in(object: &Value) -> Option<(String, Option<String>)> {
    let first =
        |names: &[&str]| names.iter().find_map(|name| object.get(name)?.as_str().filter(|text| !text.is_empty()));
    if let Some(list) = object.as_array().or_else(|| object.get("values")?.as_array()) {
        return match list.iter().rfind(|one| one.is_object()) {
            Some(last) => thrown_in(last),
            None => thrown_in_texts(list),
        };
    }
    let what = first(WHAT)?;
    Some((what.to_owned(), first(KIND).map(str::to_owned)))
}

/// What a list of texts says that begins with a class: `["RuntimeError", "no route"]` (lograge), Python's `sys.exc_info()`.
fn thrown_in_texts(list: &[Value]) -> Option<(String, Option<String>)> {
    let [kind, what, ..] = list else { return None };
    let kind = kind.as_str()?.trim_start_matches("<class '").trim_end_matches("'>");
    let (kind, said) = exception(kind)?;
    said.is_empty().then_some((what.as_str()?.to_owned(), Some(kind.to_owned())))
}

/// A text that journald writes as a list of its bytes, because it has some that are no text.
fn bytes_as_text(message: String) -> String {
    if !message.starts_with('[') {
        return message;
    }
    match serde_json::from_str::<Vec<u8>>(&message) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => message,
    }
}

/// An activity that stands for JSON that cannot be read at an offset.
pub(crate) fn unreadable(text: &str, at: &Surrounding<'_>, offset: usize) -> Found {
    let reason = match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Err(error) => error.to_string(),
        Ok(_) => format!("cannot be read at byte {offset}"),
    };
    broken(text, at, &reason)
}

/// The text of a message template: `{Name}`, `{@Name}` and `{Name:format}` are holes; those with a format have been
/// rendered by the logger, in order.
fn render(template: &str, record: &Map<String, Value>, rendered: &[Value]) -> String {
    // Serilog's own JSON has what fills the holes in an object.
    let find = |name: &str| record.get(name).or_else(|| record.values().find_map(|inner| inner.as_object()?.get(name)));
    let mut out = String::with_capacity(template.len());
    let mut given = rendered.iter();
    let mut rest = template;
    while let Some(open) = rest.find(['{', '}']) {
        out.push_str(&rest[..open]);
        let tail = &rest[open..];
        if tail.starts_with("{{") || tail.starts_with("}}") {
            out.push_str(&tail[..1]);
            rest = &tail[2..];
            continue;
        }
        let Some(close) = tail.find('}').filter(|_| tail.starts_with('{')) else {
            out.push_str(&tail[..1]);
            rest = &tail[1..];
            continue;
        };
        let hole = &tail[1..close];
        let (name, format) = hole.split_once(':').map_or((hole, None), |(name, format)| (name, Some(format)));
        let name = name.split(',').next().unwrap_or(name).trim_start_matches(['@', '$']);
        let value = if format.is_some() { given.next().or_else(|| find(name)) } else { find(name) };
        match value {
            Some(Value::String(text)) => out.push_str(text),
            Some(other) => out.push_str(&other.to_string()),
            None => out.push_str(&tail[..=close]),
        }
        rest = &tail[close + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::nowhere;
    use serde_json::json;

    #[test]
    fn a_time_stands_under_many_names() {
        let seconds =
            |value: &str| named_time(value).map(|time| time.resolve(Surroundings::before(Timestamp(0))).0 / 1_000_000);
        let moment = Some(1_714_979_280);
        for value in [
            r#"{"query_timestamp":"2024-05-06T07:08:00Z"}"#,
            r#"{"reqTimeSec":"1714979280.123","a":1}"#,
            r#"{"EventTimestampMs":1714979280123,"a":1}"#,
            r#"{"a":{"eventTime": 1714979280 }}"#,
            r#"{"expireTime":1814979280,"handledDate":"2024-05-06 07:08:00"}"#,
        ] {
            assert_eq!(seconds(value), moment, "{value}");
        }
        for value in [
            r#"{"uptime":1714979280}"#,
            r#"{"time":"soon after that"}"#,
            r#"{"times":1714979280}"#,
            r#"{"waitTime":120}"#,
        ] {
            assert_eq!(seconds(value), None, "{value}");
        }
    }

    #[test]
    fn a_part_that_ends_a_request_tells_its_start_by_its_duration() {
        let formats = Formats::built_in().expect("formats");
        for key in ["timestamp", "loggedTime"] {
            let text = format!(
                r#"{{"{key}":"2024-05-06T07:08:00.715Z","@timestamp":"","level":"info","message":"API Request Completed","service":"halopsa-integration","requestId":"r-1","statusCode":200,"duration":715}}"#
            );
            let found = formats.json_record(&text, &nowhere(), 0).expect("a record").activity;
            let seconds = [Some(found.started_at), found.completed_at].map(|at| at.map(|at| at.rfc3339()));
            let expected = ["2024-05-06T07:08:00.000Z", "2024-05-06T07:08:00.715Z"];
            assert_eq!(seconds, expected.map(|at| Some(at.to_owned())), "{key}");
            assert!(found.part && !found.exact_start, "{key}: {found:?}");
        }
    }

    #[test]
    fn objects_that_stand_for_errors_say_what_was_thrown() {
        for (object, what) in [
            (
                json!({"values": [{"type": "OSError", "value": "refused"}, {"type": "ValueError", "value": "no route"}]}),
                Some(("no route", Some("ValueError"))),
            ),
            (json!([{"message": "no route", "code": 7}]), Some(("no route", None))),
            (json!({"values": []}), None),
            (json!({"code": "E7"}), None),
            (json!([{"exc_type": "ValueError", "exc_value": "no route"}]), Some(("no route", Some("ValueError")))),
            (json!(["RuntimeError", "no route"]), Some(("no route", Some("RuntimeError")))),
            (json!(["<class 'ValueError'>", "no route", "<traceback>"]), Some(("no route", Some("ValueError")))),
            (json!(["name is missing", "age is missing"]), None),
            (json!(["RuntimeError"]), None),
        ] {
            let found = thrown_in(&object);
            let found = found.as_ref().map(|(what, kind)| (what.as_str(), kind.as_deref()));
            assert_eq!(found, what, "{object}");
        }
    }

    #[test]
    fn templates_are_filled() {
        let record = json!({"OrderId": 4711, "Path": "/shop", "Elapsed": 23.5});
        let fill =
            |template: &str, rendered: &[Value]| render(template, record.as_object().expect("an object"), rendered);
        assert_eq!(fill("Order {OrderId} placed", &[]), "Order 4711 placed");
        assert_eq!(fill("{@Path} in {Elapsed:0.0000} ms", &[json!("23.5000")]), "/shop in 23.5000 ms");
        assert_eq!(fill("{{x}} {None} {open", &[]), "{x} {None} {open");
        let nested = json!({"MessageTemplate": "x", "Properties": {"Order": 7}});
        assert_eq!(render("Order {Order}", nested.as_object().expect("an object"), &[]), "Order 7");
    }
}
