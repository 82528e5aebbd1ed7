//! What the configuration of an endpoint says about a request: retry policy, rate limit, transforms, codes.

use crosstail_core::model::{Activity, CatalogueEntry, Payload};
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorOptions};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::Value;

/// A transform may take this long, and give this many values.
const TRANSFORM_MS: u64 = 1000;
const TRANSFORM_VALUES: usize = 100_000;
/// Codes looked up at most, and how long one may be.
const CODES: usize = 500;
const CODE_LENGTH: usize = 100;

/// A retry policy, read from JSON whose names differ from system to system.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// Tries in all.
    pub max_attempts: Option<u64>,
    /// `exponential`, `fixed` …
    pub strategy: Option<String>,
    /// The first wait, in milliseconds.
    pub first_wait_ms: Option<u64>,
    /// The longest wait, in milliseconds.
    pub longest_wait_ms: Option<u64>,
    /// What is tried again: statuses or errors.
    pub retry_on: Vec<String>,
}

impl Policy {
    /// Reads one; `None` where nothing in it is known.
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

    /// How it waits: `exponential from 10 s`.
    pub fn backoff(&self) -> String {
        let span = |ms: u64| super::http::span(ms as f64 / 1e3);
        match (&self.strategy, self.first_wait_ms) {
            (Some(strategy), Some(ms)) => format!("{strategy} from {}", span(ms)),
            (Some(strategy), None) => strategy.clone(),
            (None, Some(ms)) => format!("first wait {}", span(ms)),
            (None, None) => String::new(),
        }
    }

    /// Why an outcome is not tried again, where the policy names what is.
    pub fn refuses(&self, activity: &Activity) -> Option<String> {
        let code = activity.http_status.filter(|_| !self.retry_on.is_empty())?.to_string();
        let class = |known: &String| {
            let digits = known.trim_end_matches(['x', 'X']);
            digits.len() < known.len() && code.starts_with(digits)
        };
        let among = self.retry_on.iter().any(|known| *known == code || class(known));
        (!among).then(|| format!("not tried again: {code} is not among {}", self.retry_on.join(", ")))
    }

    /// In words: `3 tries, exponential from 10 s, at most 5 min, on 429, 503`.
    pub fn describe(&self) -> String {
        let parts = [
            self.max_attempts.map(|n| format!("{n} tries")),
            Some(self.backoff()).filter(|text| !text.is_empty()),
            self.longest_wait_ms.map(|ms| format!("at most {}", super::http::span(ms as f64 / 1e3))),
            (!self.retry_on.is_empty()).then(|| format!("on {}", self.retry_on.join(", "))),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Which try this is of how many: `attempt 2 of 3`.
pub fn attempt(activity: &Activity, policy: Option<&Policy>) -> Option<String> {
    let n = activity.attempt?;
    let most = activity.max_attempts.map(u64::from).or_else(|| policy.and_then(|policy| policy.max_attempts));
    Some(most.map_or_else(|| format!("attempt {n}"), |most| format!("attempt {n} of {most}")))
}

/// The text of a JSONata expression: as written, or put together from an object whose texts are expressions.
pub fn expression(transform: &Value) -> String {
    fn part(value: &Value, out: &mut String) {
        match value {
            Value::Object(map) => {
                out.push('{');
                for (index, (key, value)) in map.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    out.push_str(&Value::String(key.clone()).to_string());
                    out.push_str(": ");
                    part(value, out);
                }
                out.push('}');
            }
            Value::Array(list) => {
                out.push('[');
                for (index, value) in list.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    part(value, out);
                }
                out.push(']');
            }
            Value::String(text) => out.push_str(text),
            other => out.push_str(&other.to_string()),
        }
    }
    let mut out = String::new();
    part(transform, &mut out);
    out
}

/// Evaluates a JSONata expression on a body, bounded in time and size. It takes as long as it takes: not for the
/// screen's thread.
pub fn transform(expression: &str, input: &Value) -> Result<Value, String> {
    let ast = parser::parse(expression).map_err(|error| error.to_string())?;
    let data = JValue::from_json_str(&input.to_string()).map_err(|error| error.to_string())?;
    let options = EvaluatorOptions {
        timeout_ms: Some(TRANSFORM_MS),
        max_stack_depth: Some(500),
        max_sequence_length: Some(TRANSFORM_VALUES),
        ..EvaluatorOptions::default()
    };
    let result = Evaluator::with_options(Context::new(), options)
        .evaluate(&ast, &data)
        .map_err(|error| error.message().to_owned())?;
    let text = result.to_json_string().map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// Texts of a request that may be codes: short ones in its bodies, and its entity.
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

/// What a mapping says of a code: `internal vendor 1029 (mapping SAP/VENDOR, verified)`.
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
    fn the_transform_of_document_000() {
        let text = r#"{ "PurchaseOrder": { "VendorCode": $.vendor.external_code, "Items": $.items.{ "Material": item_code, "Qty": quantity } } }"#;
        let input = json!({"vendor": {"external_code": "V-77"}, "items": [{"item_code": "M1", "quantity": 2}, {"item_code": "M2", "quantity": 3}]});
        let expected = json!({"PurchaseOrder": {"VendorCode": "V-77", "Items": [{"Material": "M1", "Qty": 2}, {"Material": "M2", "Qty": 3}]}});
        assert_eq!(transform(text, &input).expect("evaluated"), expected);
        let object = json!({"PurchaseOrder": {"VendorCode": "$.vendor.external_code", "Items": "$.items.{ \"Material\": item_code, \"Qty\": quantity }"}});
        assert_eq!(transform(&expression(&object), &input).expect("evaluated"), expected);
    }

    #[test]
    fn a_transform_that_does_not_end_is_stopped() {
        let begun = std::time::Instant::now();
        transform("( $f := function($x) { $f($x + 1) }; $f(1) )", &json!({})).expect_err("endless");
        assert!(begun.elapsed() < std::time::Duration::from_secs(20));
        transform("$.(", &json!({})).expect_err("no expression");
    }

    #[test]
    fn policies_of_several_spellings() {
        let policy = Policy::read(
            &json!({"max_retries": 2, "backoff": "EXPONENTIAL", "initial_delay_ms": 10_000, "retry_on": [429, 503]}),
        )
        .expect("known");
        assert_eq!(policy.describe(), "3 tries, exponential from 10 s, on 429, 503");
        assert_eq!(
            Policy::read(&json!({"max_attempts": 5, "delay_seconds": 300})).expect("known").describe(),
            "5 tries, first wait 5 min"
        );
        assert_eq!(Policy::read(&json!({"anything": 1})), None);
    }
}
