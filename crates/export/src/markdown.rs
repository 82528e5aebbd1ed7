//! Formats an activity as Markdown for a ticket, with secrets redacted.

use super::full_record::{FullRecord, body_title, differences, pretty};
use crosstail_core::model::{Tz, frames, own_frame, redact_text, visible};
use crosstail_engine::insight::status_meaning;
use std::fmt::Write as _;

/// Maximum length of a body in bytes; a note says how much is left out.
const BODY: usize = 4000;
/// Maximum number of lines of a trace; a note says how many are left out.
const LINES: usize = 40;

/// Escapes a text for a cell of a table or a single line.
fn cell(text: &str) -> String {
    let safe = redact_text(text).replace(['\r', '\n'], " ");
    visible(&safe).replace('|', "\\|").replace('<', "&lt;").replace('`', "'")
}

/// A code block whose fence is longer than any fence in the text.
fn block(sort: &str, text: &str) -> String {
    let end = text.floor_char_boundary(BODY);
    let left = text.len() - end;
    let more = if left > 0 { format!("\n… {left} bytes more") } else { String::new() };
    let inside = visible(&text[..end]);
    let longest = inside.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{sort}\n{inside}{more}\n{fence}\n")
}

/// The activity with its error, attempts, bodies, trace and the differences from the last success. `reopen` is the
/// command that opens it in crosstail.
pub fn markdown(whole: &FullRecord<'_>, note: &str, reopen: &str) -> String {
    let a = whole.activity;
    let mut out = String::new();
    let what = a.url.as_deref().or(a.endpoint.as_deref()).or(a.message.as_deref()).unwrap_or("activity");
    let outcome = a.status.map(|s| s.to_string()).or(a.level.map(|l| l.to_string())).unwrap_or_default();
    let code = a.http_status.map(|code| format!(" {code} {}", status_meaning(code).0)).unwrap_or_default();
    let method = a.method.as_deref().map(|method| format!("{method} ")).unwrap_or_default();
    let _ = writeln!(out, "## {}{}: {outcome}{code}\n", cell(&method), cell(what));
    if !note.is_empty() {
        let _ = writeln!(out, "> {}\n", cell(note));
    }
    let _ = writeln!(out, "| | |\n|---|---|");
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = writeln!(out, "| {name} | {} |", cell(&value));
        }
    };
    let text = |t: &Option<compact_str::CompactString>| t.as_ref().map(ToString::to_string);
    row("started", Some(a.started_at.rfc3339()));
    let usual = whole.usual.usual_ms().map(|(p50, p95)| format!(" (usual here p50 {p50:.0} ms, p95 {p95:.0} ms)"));
    row("took", a.took_us().map(|us| format!("{:.0} ms{}", us as f64 / 1e3, usual.unwrap_or_default())));
    row("system", text(&a.system));
    row("entity", text(&a.entity));
    row("operation", text(&a.operation));
    row("triggered by", text(&a.actor));
    row("organisation", text(&a.organization));
    row("try", crosstail_engine::insight::attempt(a, whole.policy.as_ref()));
    row("next try", a.next_retry_at.map(|at| at.rfc3339()));
    row("request id", a.request_id.as_ref().map(ToString::to_string));
    row("correlation id", text(&a.correlation_id));
    row("id", Some(a.id.to_string()));
    row("in", Some(a.places.iter().map(|place| place.label(whole.names)).collect::<Vec<_>>().join(", ")));
    let mut section = |title: &str, body: String| {
        let _ = writeln!(out, "\n**{title}**\n\n{body}");
    };
    let stack = whole.payload.and_then(|payload| payload.error.stack.as_deref());
    if a.error.is_some() || a.error_type.is_some() || stack.is_some() {
        let parts = [text(&a.error_type), text(&a.error)];
        let said = parts.into_iter().flatten().map(|t| cell(&t)).collect::<Vec<_>>().join(": ");
        let at = stack.and_then(|stack| own_frame(&frames(stack)).map(|frame| format!(" ({})", cell(frame))));
        let stack = stack.map(|stack| format!("\n\n{}", block("", &redact_text(stack)))).unwrap_or_default();
        section("Error", format!("{said}{}{stack}", at.unwrap_or_default()).trim_end().to_owned());
    }
    if whole.chain.attempts.len() > 1 {
        let mut table = "| try | started | took | outcome | policy |\n|---|---|---|---|---|".to_owned();
        for (index, attempt) in whole.chain.attempts.iter().enumerate() {
            let took = attempt.took_us().map(|us| format!("{:.0} ms", us as f64 / 1e3)).unwrap_or_default();
            let status = attempt.status.map(|s| s.to_string()).unwrap_or_default();
            let code = attempt.http_status.map(|code| format!(" {code}")).unwrap_or_default();
            let said = whole.chain.verdict(index, whole.policy.as_ref()).unwrap_or_default();
            let number = whole.chain.number(index);
            let at = attempt.started_at.rfc3339();
            let _ = write!(table, "\n| {number} | {at} | {took} | {status}{code} | {} |", cell(&said));
        }
        section(&format!("Tries, found {}", whole.chain.basis.describe()), table);
    }
    if let Some(payload) = whole.payload {
        for (name, side) in [("Request", &payload.request), ("Response", &payload.response)] {
            if let Some(headers) = &side.headers {
                section(&format!("{name} headers"), block("json", &pretty(headers)).trim_end().to_owned());
            }
            if let Some(body) = &side.body {
                let text = pretty(body.value());
                let kind = if text.starts_with(['{', '[']) { "json" } else { "" };
                section(&body_title(name, side), block(kind, &text).trim_end().to_owned());
            }
        }
    }
    if let Some((why, other, comparison)) = whole.difference {
        section(&format!("Against {}", cell(why)), block("", &format!("{}\n{}", other.id, differences(comparison))));
    }
    if whole.trace.nodes.len() > 1 {
        let line = |node: &crosstail_engine::insight::Node| {
            let first = if node.first_failure { "   ◀ first failure" } else { "" };
            format!("{}{}{first}", "  ".repeat(node.depth), FullRecord::line(&node.activity, Tz::UTC))
        };
        let mut lines: Vec<String> = whole.trace.nodes.iter().take(LINES).map(line).collect();
        if whole.trace.nodes.len() > LINES {
            lines.push(format!("… {} more", whole.trace.nodes.len() - LINES));
        }
        let text = lines.join("\n");
        section(&format!("Trace: {}", whole.trace.outline()), block("", &text).trim_end().to_owned());
    }
    if !reopen.is_empty() {
        section("Open it again", block("sh", reopen).trim_end().to_owned());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Activity, Body, Id, Latencies, Names, Payload, Timestamp};
    use crosstail_engine::insight::{Chain, Trace};

    /// An activity alone, with its payload.
    fn written(activity: &Activity, payload: &Payload, note: &str, reopen: &str) -> String {
        let (chain, trace) = (Chain::build(activity, []), Trace::build([activity]));
        let whole = FullRecord {
            activity,
            payload: Some(payload),
            chain: &chain,
            trace: &trace,
            usual: &Latencies::default(),
            policy: None,
            difference: None,
            names: &Names::default(),
        };
        markdown(&whole, note, reopen)
    }

    /// A GET has headers and no body.
    #[test]
    fn headers_are_no_body() {
        let a = Activity::new(Id::Text("r1".into()), Timestamp(0));
        let mut payload = Payload::default();
        payload.request.headers = Some(serde_json::json!({ "Accept": "text/plain" }));
        payload.response.headers = Some(serde_json::json!({ "Retry-After": "30" }));
        payload.response.body = Some(Body::from_text("busy"));
        let text = written(&a, &payload, "", "");
        let titles: Vec<&str> = text.lines().filter(|line| line.starts_with("**")).collect();
        assert_eq!(titles, ["**Request headers**", "**Response headers**", "**Response body, 4 B**"], "{text}");
    }

    #[test]
    fn hostile_text_stays_text_and_secrets_stay_away() {
        let mut a = Activity::new(Id::Text("r1".into()), Timestamp(0));
        a.url = Some("https://x/<script>|a?token=abcdef12".into());
        a.error = Some("bad `code` | Bearer abcdefghijk7".into());
        let mut payload = Payload::default();
        payload.request.body = Some(Body::from_text("```\nclose?\u{1b}[31m password=hunter2\n````"));
        let text = written(&a, &payload, "see | this", "crosstail demo --open 'r1'");
        assert!(!text.contains("hunter2") && !text.contains("abcdef12") && !text.contains("abcdefghijk7"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains("<script>"), "{text}");
        assert!(text.contains("`````"), "a longer fence: {text}");
        assert!(text.contains("> see \\| this") && text.contains("crosstail demo --open 'r1'"), "{text}");
    }
}
