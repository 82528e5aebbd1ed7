//! Health endpoints: one page with the state of a service and of what it depends on (HaloPSA and log tracking). They
//! are probed as Kubernetes does it: a status from 200 to 399 is healthy, any other is not. From the third missing
//! response in a row, the service is down
//! (<https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/>).

use crosstail_core::model::{Check, HealthState, Metric, redact_text};
use crosstail_core::number::truncated_u64;
use serde_json::{Map, Value};

/// The state that a page's word means.
fn state_of(word: &str) -> HealthState {
    match word.to_ascii_lowercase().as_str() {
        "healthy" | "ok" | "up" | "pass" | "passing" | "connected" | "ready" | "alive" | "green" => {
            HealthState::Healthy
        }
        "degraded" | "warn" | "warning" | "slow" | "yellow" => HealthState::Degraded,
        "unhealthy" | "down" | "fail" | "failed" | "error" | "critical" | "disconnected" | "red" => HealthState::Down,
        _ => HealthState::Unknown,
    }
}

/// The checks and metrics of a page that arrived with the status `code`.
pub(super) fn read(service: &str, code: u16, took_us: u64, text: &str) -> (Vec<Check>, Vec<Metric>) {
    let page: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let good = (200..400).contains(&code);
    let said = page.get("status").and_then(Value::as_str);
    let state = match (good, said.map(state_of)) {
        (false, _) => HealthState::Down,
        (true, Some(HealthState::Unknown) | None) => HealthState::Healthy,
        (true, Some(state)) => state,
    };
    let mut detail = vec![format!("HTTP {code}")];
    detail.extend(said.map(|word| format!("it says {word}")));
    let text_of = |name: &str| match page.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(n)) => Some(n.to_string()),
        _ => None,
    };
    detail.extend(text_of("version").map(|version| format!("version {version}")));
    if let Some(uptime) = page.get("uptime").and_then(Value::as_f64) {
        detail.push(format!("up {uptime:.0} s"));
    }
    detail.extend(text_of("error"));
    let service = Some(service.to_owned());
    let detail = redact_text(&detail.join(", ")).into_owned();
    let mut checks =
        vec![Check { system: service.clone(), name: "health".to_owned(), state, detail, took_us: Some(took_us) }];
    let mut metrics = Vec::new();
    let nested = page.get("checks").and_then(Value::as_object).unwrap_or(&page);
    for (name, check) in nested {
        let Some(fields) = check.as_object() else { continue };
        let Some(word) = fields.get("status").and_then(Value::as_str) else { continue };
        let took = fields.get("response_time").or(fields.get("responseTime")).and_then(Value::as_f64);
        // HaloPSA's database check reports the present time instead of a duration.
        let took_us = took.filter(|ms| (0.0..1e9).contains(ms)).map(|ms| truncated_u64(ms * 1000.0));
        let reason = fields.get("error").or(fields.get("message")).and_then(Value::as_str);
        let detail = reason.map_or_else(|| format!("it says {word}"), |reason| redact_text(reason).into_owned());
        checks.push(Check {
            system: Some(name.clone()),
            name: format!("{name} as {}", service.as_deref().unwrap_or("it")),
            state: state_of(word),
            detail,
            took_us,
        });
        numbers(name, fields, &mut metrics, service.as_ref());
    }
    (checks, metrics)
}

/// Adds the numbers of a check, at any depth, as metrics.
fn numbers(before: &str, fields: &Map<String, Value>, into: &mut Vec<Metric>, service: Option<&String>) {
    for (name, value) in fields {
        let path = format!("{before}.{name}");
        match value {
            Value::Number(n) if !name.to_ascii_lowercase().contains("time") => {
                let mut metric = Metric::new("health endpoint", &path, &[], n.as_f64());
                metric.system = service.cloned();
                into.push(metric);
            }
            Value::Object(inner) => numbers(&path, inner, into, service),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_both_documents_are_read() {
        let page = r#"{"status":"unhealthy","version":"1.2.3","uptime":12.5,"checks":{
            "database":{"status":"healthy","response_time":1732186951000},"apollo":{"status":"unhealthy","error":"timeout of 5000ms exceeded"},
            "halopsa":{"status":"healthy","response_time":41},"system":{"status":"healthy","memory":{"rss":120}}}}"#;
        let (checks, metrics) = read("halopsa-integration", 503, 4000, page);
        let of = |name: &str| checks.iter().find(|c| c.system.as_deref() == Some(name)).expect(name);
        assert_eq!(of("halopsa-integration").state, HealthState::Down);
        assert_eq!(of("halopsa-integration").detail, "HTTP 503, it says unhealthy, version 1.2.3, up 12 s");
        assert_eq!(
            (of("apollo").state, of("apollo").detail.as_str()),
            (HealthState::Down, "timeout of 5000ms exceeded")
        );
        assert_eq!(of("halopsa").took_us, Some(41_000));
        assert_eq!(of("database").took_us, None, "the present time is no duration");
        assert_eq!(
            metrics.iter().map(|m| (m.name.as_str(), m.value)).collect::<Vec<_>>(),
            [("system.memory.rss", Some(120.0))]
        );
        let page = r#"{"status":"healthy","timestamp":"2024-01-15T10:30:00.000Z","database":{"status":"connected","totalConnections":5,"waitingConnections":0}}"#;
        let (checks, metrics) = read("log-tracking", 200, 900, page);
        assert!(checks.iter().all(|check| check.state == HealthState::Healthy), "{checks:?}");
        assert_eq!(metrics.len(), 2);
    }

    #[test]
    fn the_status_code_decides_where_the_page_says_nothing() {
        let state = |code, text| read("s", code, 0, text).0[0].state;
        assert_eq!(state(200, "OK"), HealthState::Healthy);
        assert_eq!(state(204, ""), HealthState::Healthy);
        assert_eq!(state(500, "<html>"), HealthState::Down);
        assert_eq!(state(503, r#"{"status":"healthy"}"#), HealthState::Down);
        assert_eq!(state(200, r#"{"status":"degraded"}"#), HealthState::Degraded);
    }
}
