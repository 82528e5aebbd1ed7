//! Everything that is known about one activity, as JSON and as text, with secrets redacted.

use super::record::Record;
use crosstail_core::model::{
    Activity, FinalOutcome, Latencies, Names, Payload, PayloadPart, Side, Timestamp, Tz, redact_json, redact_text,
};
use crosstail_core::number::saturating_u64;
use crosstail_engine::insight::{Chain, Comparison, Policy, SectionDiff, Trace, attempt, size, stages, status_meaning};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Everything that is known about one activity.
#[derive(Debug, Clone)]
pub struct FullRecord<'a> {
    pub activity: &'a Activity,
    /// Its payload, where it is loaded.
    pub payload: Option<&'a Payload>,
    /// The attempts of its operation.
    pub chain: &'a Chain,
    pub trace: &'a Trace,
    /// Latencies of other activities with the same endpoint.
    pub usual: &'a Latencies,
    /// The retry policy of its endpoint.
    pub policy: Option<Policy>,
    /// A comparison: the reason for it, the other activity, and the differences.
    pub difference: Option<(&'a str, &'a Activity, &'a Comparison)>,
    /// Names of sources and places.
    pub names: &'a Names,
}

fn ms(us: u64) -> String {
    format!("{:.1} ms", us as f64 / 1e3)
}

impl FullRecord<'_> {
    /// One JSON object: the record, with payload, attempts and trace below it.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        let side = |side: &Side| {
            json!({
                "headers": side.headers.as_ref().map(redact_json),
                "body": side.body.as_ref().map(|body| redact_json(body.value())),
                "body_bytes": side.body.as_ref().map(|body| body.bytes),
                "body_original_bytes": side.body.as_ref().and_then(|body| Some(body.truncation.as_ref()?.original_bytes)),
                "body_reference": side.body.as_ref().and_then(|body| body.truncation.as_ref()?.reference.clone()),
            })
        };
        let record = |a: &Activity| serde_json::to_value(Record::new(a, self.names));
        let mut value = record(self.activity)?;
        if let Some(payload) = self.payload {
            value["request"] = side(&payload.request);
            value["response"] = side(&payload.response);
            value["error_stack"] = json!(payload.error.stack.as_deref().map(redact_text));
            value["metadata"] = redact_json(&Value::Object(payload.metadata.clone()));
            let raw = payload.raw.iter().map(|raw| {
                let record = match serde_json::from_str::<Value>(raw.text()) {
                    Ok(value) => redact_json(&value),
                    Err(_) => Value::String(redact_text(raw.text()).into_owned()),
                };
                json!({ "place": raw.place, "record": record })
            });
            value["raw"] = Value::Array(raw.collect());
        }
        let way = stages(self.activity, self.names).into_iter().map(|stage| {
            json!({
                "name": stage.name, "source": stage.source.as_deref(), "at": stage.at.map(|at| at.rfc3339()),
                "after_ms": stage.after_us.map(|us| us as f64 / 1e3),
            })
        });
        value["stages"] = Value::Array(way.collect());
        value["usual_ms"] = json!(self.usual.usual_ms().map(|(p50, p95)| json!({ "p50": p50, "p95": p95 })));
        let chain = self.chain.attempts.iter().enumerate().map(|(index, a)| {
            let mut value = record(a)?;
            value["policy"] = json!(self.chain.verdict(index, self.policy.as_ref()));
            value["gap_ms"] = json!(self.chain.gap_us(index).map(|us| us as f64 / 1e3));
            Ok(value)
        });
        value["retry_chain"] = Value::Array(chain.collect::<Result<_, serde_json::Error>>()?);
        value["retry_chain_by"] = self.chain.basis.name().into();
        let outcome = self.chain.outcome(None);
        value["final"] = outcome.map(FinalOutcome::name).into();
        if let Some(FinalOutcome::Recovered { after_us, .. }) = outcome {
            value["final_after_ms"] = json!(after_us as f64 / 1e3);
        }
        let nodes = self.trace.nodes.iter().map(|node| {
            let mut value = record(&node.activity)?;
            value["depth"] = node.depth.into();
            value["critical"] = node.critical.into();
            value["first_failure"] = node.first_failure.into();
            Ok(value)
        });
        value["trace"] = Value::Array(nodes.collect::<Result<_, serde_json::Error>>()?);
        value["trace_ms"] = json!({
            "length": self.trace.length_us() as f64 / 1e3, "critical": self.trace.critical_us as f64 / 1e3,
            "idle": self.trace.idle_us() as f64 / 1e3,
        });
        if let Some((why, other, comparison)) = self.difference {
            let parts = comparison.sections.iter().map(|(section, finding)| match finding {
                SectionDiff::Absent => json!({ "part": section.name(), "differs": null }),
                SectionDiff::Same => json!({ "part": section.name(), "differs": [] }),
                SectionDiff::Differs(list, more) => {
                    let one = list
                        .iter()
                        .map(|d| json!({ "path": d.path, "this": d.left, "other": d.right, "expected": d.volatile }));
                    json!({ "part": section.name(), "differs": one.collect::<Vec<_>>(), "more": more })
                }
            });
            value["compared"] = json!({ "with": record(other)?, "why": why, "parts": parts.collect::<Vec<_>>() });
        }
        Ok(value)
    }

    /// Like [`Self::json`], on several lines and harmless on a terminal.
    pub fn json_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&self.json()?)
    }

    /// Text for people, with times in a zone.
    pub fn text(&self, zone: Tz) -> String {
        let time = |at: Timestamp| at.rfc3339_in(zone);
        let mut out = String::new();
        let mut field = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                let _ = writeln!(out, "{name:<14}{value}");
            }
        };
        let a = self.activity;
        let text = |t: &Option<compact_str::CompactString>| t.as_ref().map(|t| redact_text(t).into_owned());
        field("id", Some(a.id.to_string()));
        field("places", Some(a.places.iter().map(|p| p.label(self.names)).collect::<Vec<_>>().join(", ")));
        for stage in stages(a, self.names) {
            let source = stage.source.as_deref().filter(|source| *source != stage.name);
            let of = source.map_or_else(String::new, |source| format!(" ({source})"));
            let text = match (stage.at, stage.after_us) {
                (Some(at), Some(us)) => format!("{}{of}  {}  +{} ms", stage.name, time(at), us / 1000),
                (Some(at), None) => format!("{}{of}  {}", stage.name, time(at)),
                (None, _) if stage.source.is_none() => format!("{}  not there", stage.name),
                (None, _) => format!("{}{of}", stage.name),
            };
            field("in", Some(text));
        }
        field("kind", Some(format!("{} {}", a.kind, a.direction)));
        field("status", a.status.map(|s| s.to_string()));
        field("level", a.level.map(|l| l.to_string()));
        field("system", text(&a.system));
        let address = a.url.as_ref().or(a.endpoint.as_ref());
        field(
            "request",
            address.map(|u| format!("{} {}", redact_text(a.method.as_deref().unwrap_or("")), redact_text(u))),
        );
        field("http status", a.http_status.map(http_status));
        field("started", Some(time(a.started_at)));
        field("completed", a.completed_at.map(time));
        let usual = self.usual.usual_ms().map(|(p50, p95)| format!("   usual here p50 {p50:.1} ms, p95 {p95:.1} ms"));
        field("took", a.took_us().map(|us| ms(us) + &usual.unwrap_or_default()));
        field("try", attempt(a, self.policy.as_ref()));
        field("policy", self.policy.as_ref().map(Policy::describe));
        field("message", text(&a.message));
        field("error", text(&a.error));
        field("error type", text(&a.error_type));
        field("error at", text(&a.error_at));
        field("operation", text(&a.operation));
        field("entity", text(&a.entity));
        field("triggered by", text(&a.actor));
        field("organisation", text(&a.organization));
        field("tags", text(&a.tags));
        field("correlation", text(&a.correlation_id));
        field("parent", text(&a.parent_request_id));
        field("next retry", a.next_retry_at.map(time));
        let mut section = |title: &str, body: Option<String>| {
            if let Some(body) = body {
                let _ = writeln!(out, "\n── {title}\n{body}");
            }
        };
        if let Some(payload) = self.payload {
            for (name, side, head, body) in [
                ("request", &payload.request, PayloadPart::RequestHeaders, PayloadPart::RequestBody),
                ("response", &payload.response, PayloadPart::ResponseHeaders, PayloadPart::ResponseBody),
            ] {
                section(&format!("{name} headers"), side.headers.as_ref().map(pretty));
                if side.headers.is_none() && !payload.holds.contains(&head) && a.http_status.is_some() {
                    section(&format!("{name} headers"), Some(payload.why_absent(head)));
                }
                section(&body_title(name, side), side.body.as_ref().map(|b| pretty(b.value())));
                if side.body.is_none() && !payload.holds.contains(&body) && a.http_status.is_some() {
                    section(&format!("{name} body"), Some(payload.why_absent(body)));
                }
            }
            section("error stack", payload.error.stack.as_ref().map(|s| redact_text(s).into_owned()));
            let metadata = (!payload.metadata.is_empty()).then(|| pretty(&Value::Object(payload.metadata.clone())));
            section("metadata", metadata);
        }
        let attempts = self.chain.attempts.iter().enumerate().map(|(index, a)| {
            let most = a.max_attempts.map_or_else(|| "?".to_owned(), |m| m.to_string());
            let said = self.chain.verdict(index, self.policy.as_ref()).unwrap_or_default();
            format!("{}/{most}  {}  {said}", self.chain.number(index), Self::line(a, zone))
        });
        let attempts: Vec<String> = attempts.collect();
        section(&format!("tries ({})", self.chain.basis.describe()), (attempts.len() > 1).then(|| attempts.join("\n")));
        let nodes = self.trace.nodes.iter().map(|node| {
            let marks = [(node.critical, " ●"), (node.first_failure, " ◀ first failure")];
            let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
            format!("{}{}{marks}", "  ".repeat(node.depth), Self::line(&node.activity, zone))
        });
        let nodes: Vec<String> = nodes.collect();
        let title = format!(
            "trace: {}, {} long, critical path (●) {}, nothing running for {}",
            self.trace.outline(),
            ms(saturating_u64(self.trace.length_us())),
            ms(saturating_u64(self.trace.critical_us)),
            ms(saturating_u64(self.trace.idle_us()))
        );
        section(&title, (nodes.len() > 1).then(|| nodes.join("\n")));
        if let Some((why, other, comparison)) = self.difference {
            section(&format!("against {why}: {}", other.id), Some(differences(comparison)));
        }
        out
    }

    /// An activity in one line, with its time in a zone.
    pub(super) fn line(a: &Activity, zone: Tz) -> String {
        let what = a.endpoint.as_ref().or(a.message.as_ref()).map(|t| redact_text(t).into_owned()).unwrap_or_default();
        let outcome = a.status.map(|s| s.to_string()).or(a.level.map(|l| l.to_string())).unwrap_or_default();
        let code = a.http_status.map(|code| format!(" {code}")).unwrap_or_default();
        let took = a.took_us().map(ms).unwrap_or_default();
        format!(
            "{}  {outcome:<11} {} {what}{code}  {took}",
            a.started_at.rfc3339_in(zone),
            a.system.as_deref().unwrap_or("")
        )
    }
}

/// A status code with its name and meaning, for example `503 Service Unavailable: overloaded or in maintenance …`.
fn http_status(code: u16) -> String {
    let (name, meaning) = status_meaning(code);
    let meaning = if meaning.is_empty() { String::new() } else { format!(": {meaning}") };
    format!("{code} {name}{meaning}")
}

/// The title of a body with its size, for example `request body, 1.2 KB`, and how much of it is missing.
pub(super) fn body_title(name: &str, side: &Side) -> String {
    let Some(body) = &side.body else { return format!("{name} body") };
    let Some(cut) = &body.truncation else { return format!("{name} body, {}", size(body.bytes as u64)) };
    let whole = cut.reference.as_ref().map(|place| format!(", the whole is at {place}")).unwrap_or_default();
    format!("{name} body, {} of {}{whole}", size(cut.stored_bytes), size(cut.original_bytes))
}

/// JSON on several lines; text unchanged. Secrets are redacted.
pub(super) fn pretty(value: &Value) -> String {
    match redact_json(value) {
        Value::String(text) => text,
        other => serde_json::to_string_pretty(&other).unwrap_or_default(),
    }
}

/// The differences, one per line.
pub(super) fn differences(comparison: &Comparison) -> String {
    let mut out = String::new();
    for (section, finding) in &comparison.sections {
        match finding {
            SectionDiff::Absent => {}
            SectionDiff::Same => {
                let _ = writeln!(out, "{}: same", section.name());
            }
            SectionDiff::Differs(list, more) => {
                let _ = writeln!(out, "{}:", section.name());
                for difference in list {
                    let _ = writeln!(out, "  {}", difference.describe());
                }
                if *more > 0 {
                    let _ = writeln!(out, "  … {more} more");
                }
            }
        }
    }
    out.trim_end().to_owned()
}
