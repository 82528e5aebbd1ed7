//! `crosstail show`: one activity whole.

use super::args::{ShowArgs, ShowFormat};
use super::output::complain;
use super::{exit, sources};
use crate::config::Config;
use crate::export::{Record, curl, safe_json};
use crate::filter::{Filter, quote};
use crate::insight::{Chain, Policy, Trace, attempt, codes, expression, stages, transform};
use crate::model::{Activity, Names, Payload, SourceId, joined, redact_json, redact_text, visible};
use crate::source::{PageQuery, RelatedKey, Source};
use anyhow::Result;
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::sync::Arc;

/// Activities of a trace at most.
const RELATED: usize = 5000;

pub(super) async fn run(args: &ShowArgs) -> Result<u8> {
    let config = Config::load()?;
    let opened = sources::open_args(&args.source, &config).await?;
    let id = quote(args.id.trim());
    let filter = Filter::parse(&format!("id:{id} OR request:{id} OR corr:{id}"))?;
    let mut found: Vec<Activity> = Vec::new();
    for (_, source) in &opened.sources {
        let query = PageQuery { filter: filter.clone(), ..PageQuery::all(20) };
        found.extend(source.page(&query, None).await?.items);
    }
    // The id itself before what only shares its beginning or its trace.
    found.sort_by_key(|a| {
        (a.id.to_string() != args.id, !a.id.to_string().starts_with(&args.id), std::cmp::Reverse(a.started_at))
    });
    let Some(mut activity) = found.first().cloned() else {
        complain(&format!("nothing of id '{}' in {}", args.id, opened.names.sources().join(", ")));
        return Ok(exit::NOT_FOUND);
    };
    let id = activity.id.clone();
    for other in found.into_iter().skip(1).filter(|other| other.id == id) {
        activity.absorb(other);
    }
    let mut payload = Payload::default();
    for place in &activity.places {
        if let Some((_, source)) = opened.sources.iter().find(|(id, _)| *id == place.source) {
            match source.payload(&activity.id, &place.locator).await {
                Ok(part) => payload.absorb(part),
                Err(error) => complain(&error.to_string()),
            }
        }
    }
    let mut related = vec![activity.clone()];
    for (_, source) in &opened.sources {
        if let Some(correlation) = &activity.correlation_id {
            related.extend(source.related(&RelatedKey::Correlation(correlation.to_string()), RELATED).await?);
        }
        let request = activity.request_id.as_ref().unwrap_or(&activity.id).to_string();
        related.extend(source.related(&RelatedKey::Request(request), RELATED).await?);
    }
    let related = joined(related);
    let chain = Chain::build(&activity, &related);
    let trace = Trace::build(&related);
    let configured = configured(&opened.sources, &activity, &payload).await;
    let mut out = std::io::stdout().lock();
    match args.output {
        ShowFormat::Json => {
            let mut value = as_json(&activity, &payload, &chain, &trace, &opened.names)?;
            value["configuration"] = redact_json(&configured);
            writeln!(out, "{}", safe_json(&value)?)?;
        }
        ShowFormat::Curl => writeln!(out, "{}", visible(&curl(&activity, &payload)))?,
        ShowFormat::Text => {
            let mut text = as_text(&activity, &payload, &chain, &trace, &opened.names);
            if configured.as_object().is_some_and(|map| !map.is_empty()) {
                let pretty = serde_json::to_string_pretty(&redact_json(&configured))?;
                text.push_str(&format!("\n── configuration\n{pretty}\n"));
            }
            write!(out, "{}", visible(&text))?;
        }
    }
    Ok(exit::OK)
}

/// What the stores' configuration says about an activity: its system, endpoint, mappings of its codes, transforms.
async fn configured(sources: &[(SourceId, Arc<dyn Source>)], activity: &Activity, payload: &Payload) -> Value {
    let mut found = Map::new();
    for (_, source) in sources {
        let catalogue = match source.catalogue().await {
            Ok(catalogue) => catalogue,
            Err(error) => {
                complain(&error.to_string());
                continue;
            }
        };
        if catalogue.entries.is_empty() {
            continue;
        }
        if let Some(entry) = activity.system.as_deref().and_then(|system| catalogue.system(system)) {
            found.insert("system".to_owned(), Value::Object(entry.facts.clone()));
        }
        if let Some(entry) = catalogue.entry_of(activity) {
            found.insert("endpoint".to_owned(), Value::Object(entry.facts.clone()));
            let policy = entry.facts.get("retry_policy").and_then(Policy::read);
            if let Some(policy) = &policy {
                found.insert("retry_policy".to_owned(), policy.describe().into());
            }
            if let Some(attempt) = attempt(activity, policy.as_ref()) {
                found.insert("attempt".to_owned(), attempt.into());
            }
            for (fact, body) in
                [("request_transform", &payload.request.body), ("response_transform", &payload.response.body)]
            {
                if let (Some(text), Some(body)) = (entry.facts.get(fact), body) {
                    let result = match transform(&expression(text), &body.value) {
                        Ok(value) => json!({ "result": value }),
                        Err(problem) => json!({ "problem": problem }),
                    };
                    found.insert(fact.to_owned(), result);
                }
            }
        }
        if let Some(system) = &activity.system {
            let mappings = source.mappings(system, &codes(activity, payload)).await.unwrap_or_default();
            if !mappings.is_empty() {
                let list = mappings.into_iter().map(|entry| Value::Object(entry.facts)).collect();
                found.insert("mappings".to_owned(), Value::Array(list));
            }
        }
    }
    Value::Object(found)
}

fn as_json(activity: &Activity, payload: &Payload, chain: &Chain, trace: &Trace, names: &Names) -> Result<Value> {
    let side = |side: &crate::model::Side| {
        json!({
            "headers": side.headers.as_ref().map(redact_json),
            "body": side.body.as_ref().map(|body| redact_json(&body.value)),
            "body_bytes": side.body.as_ref().map(|body| body.bytes),
        })
    };
    let mut value = serde_json::to_value(Record::new(activity, names))?;
    value["request"] = side(&payload.request);
    value["response"] = side(&payload.response);
    value["error_stack"] = json!(payload.error.stack.as_deref().map(redact_text));
    value["metadata"] = redact_json(&Value::Object(payload.metadata.clone()));
    let list = |activities: &mut dyn Iterator<Item = &Activity>| {
        activities.map(|a| serde_json::to_value(Record::new(a, names))).collect::<Result<Vec<_>, _>>()
    };
    let way = stages(activity, names).into_iter().map(|stage| {
        json!({
            "name": stage.name, "source": stage.source.as_deref(), "at": stage.at.map(|at| at.rfc3339()),
            "after_ms": stage.after_us.map(|us| us as f64 / 1e3),
        })
    });
    value["stages"] = Value::Array(way.collect());
    value["retry_chain"] = Value::Array(list(&mut chain.attempts.iter())?);
    value["trace"] = Value::Array(list(&mut trace.nodes.iter().map(|node| &node.activity))?);
    Ok(value)
}

fn as_text(activity: &Activity, payload: &Payload, chain: &Chain, trace: &Trace, names: &Names) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(out, "{name:<14}{value}");
        }
    };
    let a = activity;
    let text = |t: &Option<compact_str::CompactString>| t.as_ref().map(|t| redact_text(t).into_owned());
    field("id", Some(a.id.to_string()));
    field("places", Some(a.places.iter().map(|p| p.label(names)).collect::<Vec<_>>().join(", ")));
    for stage in stages(a, names) {
        let source = stage.source.as_deref().filter(|source| *source != stage.name);
        let of = source.map_or_else(String::new, |source| format!(" ({source})"));
        let text = match (stage.at, stage.after_us) {
            (Some(at), Some(us)) => format!("{}{of}  {}  +{} ms", stage.name, at.rfc3339(), us / 1000),
            (Some(at), None) => format!("{}{of}  {}", stage.name, at.rfc3339()),
            (None, _) if stage.source.is_none() => format!("{}  not there", stage.name),
            (None, _) => format!("{}{of}", stage.name),
        };
        field("in", Some(text));
    }
    field("kind", Some(format!("{} {}", a.kind, a.direction)));
    field("status", a.status.map(|s| s.to_string()));
    field("level", a.level.map(|l| l.to_string()));
    field("system", text(&a.system));
    field(
        "request",
        a.url
            .as_ref()
            .or(a.endpoint.as_ref())
            .map(|u| format!("{} {}", a.method.as_deref().unwrap_or(""), redact_text(u))),
    );
    field("http status", a.http_status.map(|n| n.to_string()));
    field("started", Some(a.started_at.rfc3339()));
    field("completed", a.completed_at.map(|at| at.rfc3339()));
    field("took", a.took_us().map(|us| format!("{:.1} ms", us as f64 / 1e3)));
    field("message", text(&a.message));
    field("error", text(&a.error));
    field("operation", text(&a.operation));
    field("entity", text(&a.entity));
    field("correlation", text(&a.correlation_id));
    field("parent", text(&a.parent_request_id));
    field("next retry", a.next_retry_at.map(|at| at.rfc3339()));
    let mut section = |title: &str, body: Option<String>| {
        if let Some(body) = body {
            let _ = writeln!(out, "\n── {title}\n{body}");
        }
    };
    let pretty = |value: &Value| match redact_json(value) {
        Value::String(text) => text,
        other => serde_json::to_string_pretty(&other).unwrap_or_default(),
    };
    section("request headers", payload.request.headers.as_ref().map(&pretty));
    section("request body", payload.request.body.as_ref().map(|b| pretty(&b.value)));
    section("response headers", payload.response.headers.as_ref().map(&pretty));
    section("response body", payload.response.body.as_ref().map(|b| pretty(&b.value)));
    section("error stack", payload.error.stack.as_ref().map(|s| redact_text(s).into_owned()));
    section("metadata", (!payload.metadata.is_empty()).then(|| pretty(&Value::Object(payload.metadata.clone()))));
    let line = |a: &Activity| {
        let what = a.endpoint.as_ref().or(a.message.as_ref()).map(|t| redact_text(t).into_owned()).unwrap_or_default();
        let took = a.took_us().map(|us| format!("{:.1} ms", us as f64 / 1e3)).unwrap_or_default();
        let outcome = a.status.map(|s| s.to_string()).or(a.level.map(|l| l.to_string())).unwrap_or_default();
        format!("{}  {:<11} {} {what}  {took}", a.started_at.rfc3339(), outcome, a.system.as_deref().unwrap_or(""))
    };
    let attempts: Vec<String> = chain
        .attempts
        .iter()
        .map(|a| {
            format!(
                "{}/{}  {}",
                a.attempt.unwrap_or(1),
                a.max_attempts.map_or_else(|| "?".to_owned(), |m| m.to_string()),
                line(a)
            )
        })
        .collect();
    section(&format!("tries ({})", chain.basis.describe()), (attempts.len() > 1).then(|| attempts.join("\n")));
    let nodes: Vec<String> =
        trace.nodes.iter().map(|node| format!("{}{}", "  ".repeat(node.depth), line(&node.activity))).collect();
    section("trace", (nodes.len() > 1).then(|| nodes.join("\n")));
    out
}
