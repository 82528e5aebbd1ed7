//! The text of a stack that JSON holds in parts: a list of lines or of frames, an exception with its cause.

use serde_json::{Map, Value};

/// Where an exception has its stack: as a text, as lines, as frames.
const STACKS: &[&str] = &[
    "stack_trace",
    "stackTrace",
    "stacktrace",
    "StackTrace",
    "StackTraceString",
    "extendedStackTrace",
    "stack",
    "stepArray",
    "frames",
    "traceback",
    "backtrace",
    "trace",
];
/// What an exception is.
const KINDS: &[&str] = &["type", "name", "class", "className", "exceptionType", "exc_type", "exception_class", "Type"];
/// What it says.
const MESSAGES: &[&str] = &["message", "value", "exc_value", "exception_message", "Message", "msg"];
/// What caused it.
const CAUSES: &[&str] = &["cause", "causedBy", "previous", "inner", "innerException", "InnerException"];
/// What Python prints between two tracebacks.
const CAUSED: &str = "\n\nThe above exception was the direct cause of the following exception:\n\n";

/// The text of a stack: a text as it is, the lines of one (Elasticsearch, Node.js on AWS Lambda), frames, or an exception that has
/// any of these.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) if list.is_empty() => None,
        Value::Array(list) => lines_of(list).or_else(|| of_exceptions(list)),
        Value::Object(exception) => of_exception(exception),
        _ => None,
    }
}

/// Lines, or frames each in a line, without those that say nothing. `None` for a list of something else.
fn lines_of(list: &[Value]) -> Option<String> {
    let line = |one: &Value| one.as_str().map(str::to_owned).or_else(|| frame(one));
    let lines: Vec<String> = list.iter().filter_map(line).collect();
    (list.is_empty() || !lines.is_empty()).then(|| lines.join("\n"))
}

/// Exceptions, of which each was caused by the next one (structlog).
fn of_exceptions(list: &[Value]) -> Option<String> {
    let mut texts = list.iter().map(|one| of_exception(one.as_object()?)).collect::<Option<Vec<_>>>()?;
    if texts.iter().all(|text| text.starts_with("Traceback")) {
        texts.reverse();
        return Some(texts.join(CAUSED));
    }
    Some(texts.join("\nCaused by: "))
}

/// An exception with its frames, and what caused it. `None` where it has no stack.
fn of_exception(exception: &Map<String, Value>) -> Option<String> {
    // Sentry's: each was caused by the one before it.
    if let Some(Value::Array(values)) = exception.get("values") {
        let mut thrown = values.clone();
        thrown.reverse();
        return of_exceptions(&thrown);
    }
    let stack = STACKS.iter().find_map(|key| exception.get(*key).filter(|stack| !stack.is_null()))?;
    let list = match stack {
        Value::String(text) => return Some(text.clone()),
        other => other.get("frames").unwrap_or(other).as_array()?,
    };
    let (head, lines) = (headline(exception), lines_of(list)?);
    if list.first().is_some_and(|frame| frame.get("lineno").is_some()) {
        return Some(format!("Traceback (most recent call last):\n{lines}\n{head}"));
    }
    let mut text = if list.iter().any(Value::is_object) || list.is_empty() {
        head
    } else if head.is_empty() || lines.lines().next().is_some_and(|first| first.contains(&head)) {
        return Some(lines);
    } else {
        // Places alone, as Monolog writes them.
        lines.lines().fold(head, |text, place| text + "\n    at " + place.trim_start())
    };
    if list.iter().any(Value::is_object) {
        text.push('\n');
        text.push_str(&lines);
    }
    let cause = CAUSES.iter().find_map(|key| exception.get(*key)?.as_object());
    let cause = cause.map(|cause| cause.get("exception").and_then(Value::as_object).unwrap_or(cause));
    if let Some(cause) = cause {
        text.push_str("\nCaused by: ");
        text.push_str(&of_exception(cause).unwrap_or_else(|| headline(cause)));
    }
    Some(text)
}

/// What an exception is and says: `java.io.IOException: no route`.
fn headline(exception: &Map<String, Value>) -> String {
    let first = |names: &[&str]| names.iter().find_map(|name| exception.get(*name)?.as_str()).unwrap_or_default();
    let (kind, said) = (first(KINDS), first(MESSAGES));
    let mark = if kind.is_empty() || said.is_empty() { "" } else { ": " };
    format!("{kind}{mark}{said}")
}

/// A frame as its language prints it; `None` for an object that is none.
fn frame(value: &Value) -> Option<String> {
    let plain = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let first = |names: &[&str]| names.iter().find_map(|name| plain(value.get(*name)?));
    let class = first(&["class", "className", "declaringClass"]);
    let name = first(&["method", "methodName", "function", "func", "name"]);
    let file = first(&["file", "fileName", "filename", "source"]);
    let line = first(&["line", "lineNumber", "lineno"]);
    let name = match (class, name) {
        (Some(class), Some(name)) => format!("{class}.{name}"),
        (class, name) => class.or(name)?,
    };
    if value.get("lineno").is_some() {
        let (file, line) = (file.unwrap_or_default(), line.unwrap_or_default());
        return Some(format!("  File \"{file}\", line {line}, in {name}"));
    }
    let place = match (file, line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file,
        (None, line) => format!("line {}", line?),
    };
    Some(format!("    at {name}({place})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stacks_in_parts_are_texts() {
        let java = json!({"class": "shop.Pay", "method": "charge", "file": "Pay.java", "line": 41});
        let python = json!({"filename": "/srv/pay.py", "lineno": 10, "name": "charge"});
        for (value, text) in [
            (json!("E: no\n  at a"), Some("E: no\n  at a")),
            (json!(["E: no", "  at a"]), Some("E: no\n  at a")),
            // log4j2.
            (
                json!({"name": "E", "message": "no", "extendedStackTrace": [java]}),
                Some("E: no\n    at shop.Pay.charge(Pay.java:41)"),
            ),
            // Logback's JsonEncoder, and JBoss, whose frames have no file.
            (
                json!({"className": "E", "message": "no", "stepArray": [java], "cause": {"className": "F", "message": "far", "stepArray": []}}),
                Some("E: no\n    at shop.Pay.charge(Pay.java:41)\nCaused by: F: far"),
            ),
            (
                json!({"exceptionType": "E", "message": "no", "frames": [{"class": "a.B", "method": "c", "line": 7}], "causedBy": {"exception": {"exceptionType": "F", "message": "far"}}}),
                Some("E: no\n    at a.B.c(line 7)\nCaused by: F: far"),
            ),
            // structlog, Sentry.
            (
                json!([{"exc_type": "E", "exc_value": "no", "frames": [python]}]),
                Some("Traceback (most recent call last):\n  File \"/srv/pay.py\", line 10, in charge\nE: no"),
            ),
            (
                json!({"values": [{"type": "E", "value": "no", "stacktrace": {"frames": [python]}}]}),
                Some("Traceback (most recent call last):\n  File \"/srv/pay.py\", line 10, in charge\nE: no"),
            ),
            // zerolog, slog.
            (json!([{"func": "charge", "line": "41", "source": "pay.go"}]), Some("    at charge(pay.go:41)")),
            (
                json!({"msg": "no", "trace": [{"func": "main.charge", "source": "pay.go", "line": 41}]}),
                Some("no\n    at main.charge(pay.go:41)"),
            ),
            // Monolog; Ruby's loggers.
            (
                json!({"class": "E", "message": "no", "trace": ["/srv/main.php:7"]}),
                Some("E: no\n    at /srv/main.php:7"),
            ),
            (json!({"name": "E", "message": "no", "stack_trace": ["E: no", "  at a"]}), Some("E: no\n  at a")),
            (
                json!([{"filename": "/srv/a.py", "lineno": 1}, python]),
                Some("  File \"/srv/pay.py\", line 10, in charge"),
            ),
            (json!([]), None),
            (json!([1]), None),
            (json!([{"order": 7}]), None),
            (json!({"message": "no"}), None),
            (json!({"trace": null}), None),
            (json!(true), None),
        ] {
            assert_eq!(text_of(&value).as_deref(), text, "{value}");
        }
    }
}
