//! Explains a request by the configuration of its endpoint: retry policy, rate limit, transforms, codes.

use crosstail_core::model::{Activity, CatalogueEntry, Payload};
use serde_json::Value;

/// Maximum number of codes that are looked up, and the maximum length of one.
const CODES: usize = 500;
const CODE_LENGTH: usize = 100;

/// A retry policy, read from JSON whose names differ between systems.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// Total number of attempts.
    pub max_attempts: Option<u64>,
    /// `exponential`, `fixed` …
    pub strategy: Option<String>,
    /// The first wait, in milliseconds.
    pub first_wait_ms: Option<u64>,
    /// The longest wait, in milliseconds.
    pub longest_wait_ms: Option<u64>,
    /// Status codes or errors that are retried.
    pub retry_on: Vec<String>,
}

impl Policy {
    /// Reads a policy; `None` where no name in it is known.
    pub fn read(value: &Value) -> Option<Self> {
        let parsed;
        let map = match value {
            Value::Object(map) => map,
            Value::String(text) => {
                parsed = serde_json::from_str::<serde_json::Map<String, Value>>(text).ok()?;
                &parsed
            }
            _ => return None,
        };
        let find = |names: &[&str]| names.iter().find_map(|name| map.get(*name)).filter(|value| !value.is_null());
        let number = |names: &[&str]| find(names).and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok()));
        let wait = |ms: &[&str], s: &[&str]| number(ms).or_else(|| number(s).map(|s| s * 1000));
        let retry_on = match find(&["retry_on", "retryable_statuses", "retryable_status_codes", "retryOn"]) {
            Some(Value::Array(list)) => {
                list.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect()
            }
            _ => Vec::new(),
        };
        let policy = Self {
            max_attempts: number(&["max_attempts", "maxAttempts"])
                .or_else(|| number(&["max_retries", "maxRetries"]).map(|n| n + 1)),
            strategy: find(&["strategy", "backoff", "backoff_type", "backoffType"])
                .and_then(|v| v.as_str().map(str::to_lowercase)),
            first_wait_ms: wait(
                &["base_delay_ms", "initial_delay_ms", "initial_interval_ms", "delay_ms", "backoff_ms"],
                &["base_delay_seconds", "initial_delay_seconds", "delay_seconds"],
            ),
            longest_wait_ms: wait(&["max_delay_ms", "max_interval_ms"], &["max_delay_seconds"]),
            retry_on,
        };
        (policy != Self::default()).then_some(policy)
    }

    /// The waits in words: `exponential from 10 s`.
    pub fn backoff(&self) -> String {
        let span = |ms: u64| super::http::span(ms as f64 / 1e3);
        match (&self.strategy, self.first_wait_ms) {
            (Some(strategy), Some(ms)) => format!("{strategy} from {}", span(ms)),
            (Some(strategy), None) => strategy.clone(),
            (None, Some(ms)) => format!("first wait {}", span(ms)),
            (None, None) => String::new(),
        }
    }

    /// Why an outcome is not retried, if the policy lists what is.
    pub fn refuses(&self, activity: &Activity) -> Option<String> {
        let code = activity.http_status.filter(|_| !self.retry_on.is_empty())?.to_string();
        let class = |known: &String| {
            let digits = known.trim_end_matches(['x', 'X']);
            digits.len() < known.len() && code.starts_with(digits)
        };
        let among = self.retry_on.iter().any(|known| *known == code || class(known));
        (!among).then(|| format!("not retried: {code} is not among {}", self.retry_on.join(", ")))
    }

    /// The policy in words: `3 attempts, exponential from 10 s, at most 5 min, on 429, 503`.
    pub fn describe(&self) -> String {
        let parts = [
            self.max_attempts.map(|n| format!("{n} attempts")),
            Some(self.backoff()).filter(|text| !text.is_empty()),
            self.longest_wait_ms.map(|ms| format!("at most {}", super::http::span(ms as f64 / 1e3))),
            (!self.retry_on.is_empty()).then(|| format!("on {}", self.retry_on.join(", "))),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Number of the attempt, in words: `attempt 2 of 3`.
pub fn attempt(activity: &Activity, policy: Option<&Policy>) -> Option<String> {
    let n = activity.attempt?;
    let most = activity.max_attempts.map(u64::from).or_else(|| policy.and_then(|policy| policy.max_attempts));
    Some(most.map_or_else(|| format!("attempt {n}"), |most| format!("attempt {n} of {most}")))
}

/// Texts of a request that may be codes: short strings in its bodies, and its entity.
pub fn codes(activity: &Activity, payload: &Payload) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            _ if found.len() >= CODES => {}
            Value::Object(map) => map.values().for_each(|value| collect(value, found)),
            Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
            Value::String(text) if !text.is_empty() && text.len() <= CODE_LENGTH => found.push(text.clone()),
            Value::Number(n) => found.push(n.to_string()),
            _ => {}
        }
    }
    let mut found: Vec<String> =
        activity.entity.iter().flat_map(|entity| entity.split(' ')).map(str::to_owned).collect();
    for side in [&payload.request, &payload.response] {
        if let Some(body) = &side.body {
            collect(body.value(), &mut found);
        }
    }
    found.sort();
    found.dedup();
    found
}

/// A mapping of a code in words: `internal vendor 1029 (mapping SAP/VENDOR, verified)`.
pub fn describe_mapping(entry: &CatalogueEntry, code: &str) -> Option<String> {
    let (internal, external) = (entry.text("internal")?, entry.text("external")?);
    let (side, other) = if external == code {
        ("internal", internal)
    } else if internal == code {
        ("external", external)
    } else {
        return None;
    };
    let sort = entry.text("entity_type").unwrap_or_default();
    let system = entry.text("system").unwrap_or_default();
    let verified = if entry.text("verified").as_deref() == Some("true") { "verified" } else { "not verified" };
    let parts = [
        Some(format!("mapping {system}/{sort}")),
        Some(verified.to_owned()),
        entry.text("direction").map(|way| way.to_lowercase()),
        entry.text("sync_status").map(|status| format!("last sync {}", status.to_lowercase())),
    ];
    let about = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    Some(format!("{side} {} {other} ({about})", sort.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn policies_of_several_spellings() {
        let policy = Policy::read(
            &json!({"max_retries": 2, "backoff": "EXPONENTIAL", "initial_delay_ms": 10_000, "retry_on": [429, 503]}),
        )
        .expect("known");
        assert_eq!(policy.describe(), "3 attempts, exponential from 10 s, on 429, 503");
        assert_eq!(
            Policy::read(&json!({"max_attempts": 5, "delay_seconds": 300})).expect("known").describe(),
            "5 attempts, first wait 5 min"
        );
        assert_eq!(Policy::read(&json!({"anything": 1})), None);
    }
}
