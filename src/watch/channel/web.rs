//! JSON by POST.

use super::super::notification::Notification;
use super::service::{Post, Service};
use anyhow::Context as _;
use std::path::Path;

/// An HTTP client for one address, with the headers to send.
#[derive(Clone)]
pub struct WebhookClient {
    client: reqwest::Client,
    url: reqwest::Url,
    key: Option<String>,
    headers: Vec<(String, String)>,
}

impl WebhookClient {
    /// Accepts certificates by the system's roots, and by those in the PEM file `ca`.
    pub(super) fn new(
        url: reqwest::Url,
        key: Option<String>,
        headers: Vec<(String, String)>,
        ca: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let mut builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        if let Some(path) = ca {
            let pem = std::fs::read(path).with_context(|| format!("ca: {}", path.display()))?;
            for root in
                reqwest::Certificate::from_pem_bundle(&pem).context("ca: the file contains no PEM certificate")?
            {
                builder = builder.add_root_certificate(root);
            }
        }
        Ok(Self { client: builder.build()?, url, key, headers })
    }

    /// Sends a notification as the service wants it. What was accepted already is sent again after a failure: every service
    /// that gets several posts knows each alert by its key.
    pub(super) async fn send(&self, service: Service, notification: &Notification) -> Result<(), String> {
        for post in service.posts(notification, &self.url, self.key.as_deref())? {
            self.post(post).await?;
        }
        Ok(())
    }

    /// Posts JSON. A repetition has the same `Idempotency-Key`, so that the receiver recognises it.
    async fn post(&self, post: Post) -> Result<(), String> {
        let said = |error: reqwest::Error| {
            // Omit the address: it may be a secret.
            let error = error.without_url();
            let cause = std::iter::successors(std::error::Error::source(&error), |error| error.source()).last();
            cause.map_or_else(|| error.to_string(), ToString::to_string)
        };
        let mut request = self.client.post(post.url).json(&post.body).header("Idempotency-Key", post.id);
        for (name, value) in post.headers.iter().map(|(name, value)| (*name, value)).chain(self.headers()) {
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

    /// The headers of the configuration.
    fn headers(&self) -> impl Iterator<Item = (&str, &String)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value))
    }
}
