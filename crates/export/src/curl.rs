//! Formats a request as a curl command.

use crosstail_core::model::{Activity, Payload, REDACTED, redact_json, redact_text};
use serde_json::{Value, json};

/// Quotes a text as one word of a POSIX shell.
pub fn shell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The request as a curl command, with shell variables in place of secrets.
pub fn curl(activity: &Activity, payload: &Payload) -> String {
    let method = redact_text(activity.method.as_deref().unwrap_or("GET"));
    let mut parts = vec![format!("curl -X {}", shell_quote(&method))];
    if let Some(Value::Object(headers)) = &payload.request.headers {
        for (name, value) in headers {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let safe = redact_json(&json!({ name: text.clone() }));
            let safe = safe[name.as_str()].as_str().unwrap_or_default().to_owned();
            if safe.contains(REDACTED) {
                let variable: String = name
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
                    .collect();
                let scheme = safe.split(REDACTED).next().unwrap_or_default();
                parts.push(format!("-H \"{name}: {scheme}${variable}\""));
            } else {
                parts.push(format!("-H {}", shell_quote(&format!("{name}: {safe}"))));
            }
        }
    }
    if let Some(body) = &payload.request.body {
        let text = match redact_json(body.value()) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        parts.push(format!("--data-raw {}", shell_quote(&text)));
    }
    let url = activity.url.as_deref().or(activity.endpoint.as_deref()).unwrap_or("/");
    parts.push(shell_quote(&redact_text(url)));
    parts.join(" \\\n  ")
}
