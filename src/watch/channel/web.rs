//! Slack and webhooks: JSON by POST.

use super::super::notification::Notification;
use anyhow::Context as _;
use crosstail_engine::insight::alerting::{Severity, Transition};
use serde_json::{Value, json};
use std::path::Path;

/// Slack's message as HaloPSA builds it (docs/reference/halopsa.md): a headline, and an attachment with the severity's
/// colour.
pub(super) fn slack(notification: &Notification) -> Value {
    let (sign, color) = match (notification.transition, notification.severity) {
        (Transition::Resolved, _) => ("✅", "good"),
        (Transition::Firing, Severity::Critical) => ("🚨", "danger"),
        (Transition::Firing, Severity::Warning) => ("🚨", "warning"),
        (Transition::Firing, Severity::Info) => ("ℹ️", "good"),
    };
    // Escapes of Slack's markup (https://api.slack.com/reference/surfaces/formatting#escaping).
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let reasons = notification.reasons().iter().map(|reason| escaped(reason)).collect::<Vec<_>>().join("\n");
    json!({
        "text": format!("{sign} *{}*", escaped(&notification.headline())),
        "attachments": [{
            "color": color,
            "fields": [
                { "title": "Severity", "value": notification.severity.as_str(), "short": true },
                { "title": "Description", "value": reasons, "short": false },
                { "title": "Time", "value": notification.at.rfc3339(), "short": true },
            ],
        }],
    })
}

/// An HTTP client for one address, with the headers to send.
#[derive(Clone)]
pub struct WebhookClient {
    client: reqwest::Client,
    url: reqwest::Url,
    headers: Vec<(String, String)>,
}

impl WebhookClient {
    /// Accepts certificates by the system's roots, and by those in the PEM file `ca`.
    pub(super) fn new(url: reqwest::Url, headers: Vec<(String, String)>, ca: Option<&Path>) -> anyhow::Result<Self> {
        let mut builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        if let Some(path) = ca {
            let pem = std::fs::read(path).with_context(|| format!("ca: {}", path.display()))?;
            for root in
                reqwest::Certificate::from_pem_bundle(&pem).context("ca: the file contains no PEM certificate")?
            {
                builder = builder.add_root_certificate(root);
            }
        }
        Ok(Self { client: builder.build()?, url, headers })
    }

    /// Posts JSON. A repetition has the same `Idempotency-Key`, so that the receiver recognises it.
    pub(super) async fn post(&self, body: Value, notification: &Notification) -> Result<(), String> {
        let said = |error: reqwest::Error| {
            // Omit the address: it may be a secret.
            let error = error.without_url();
            let cause = std::iter::successors(std::error::Error::source(&error), |error| error.source()).last();
            cause.map_or_else(|| error.to_string(), ToString::to_string)
        };
        let mut request = self.client.post(self.url.clone()).json(&body).header("Idempotency-Key", &notification.id);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(said)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let text: String = response.text().await.unwrap_or_default().chars().take(200).collect();
        Err(format!("HTTP {status}: {}", crosstail_core::model::visible_line(&text)))
    }
}
