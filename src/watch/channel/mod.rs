//! Channels: Slack, e-mail, webhook, command. Each accepts a notification or returns why not.

mod command;
mod email;
mod web;

use super::notification::Notification;
use crate::config::ChannelEntry;
use anyhow::{Context as _, bail};
use crosstail_engine::insight::alerting::{Severity, Transition};
pub use email::Mail;
use std::time::Duration;
pub use web::WebhookClient;

/// Time that a channel has to accept a notification.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The type of a channel, with what it needs to send.
#[derive(Clone)]
pub enum ChannelKind {
    /// Slack's incoming webhook.
    Slack(WebhookClient),
    /// Any receiver of JSON.
    Webhook(WebhookClient),
    Email(Box<Mail>),
    /// A shell command that reads JSON.
    Command(String),
}

/// A configured channel.
#[derive(Clone)]
pub struct Channel {
    /// Name from the configuration.
    pub name: String,
    pub kind: ChannelKind,
    /// Least severe alerts to send.
    pub at_least: Severity,
    /// Send only these rules; all if empty.
    pub rules: Vec<String>,
    /// Whether to send resolutions, too.
    pub resolved: bool,
}

impl Channel {
    /// A channel from its configuration.
    pub fn new(entry: &ChannelEntry) -> anyhow::Result<Self> {
        let wrong = || format!("channel {}", entry.name);
        let at_least = match entry.at_least.as_deref() {
            None => Severity::Info,
            Some(word) => Severity::parse(word).with_context(|| {
                format!("{}: at_least: no severity '{word}'; the severities are critical, warning, info", wrong())
            })?,
        };
        let receiver = || -> anyhow::Result<WebhookClient> {
            let url = entry
                .address()?
                .with_context(|| format!("{}: url, url_env, url_file or url_command is missing", wrong()))?;
            // The address may be a secret: do not show it.
            let url = reqwest::Url::parse(&url).with_context(|| format!("{}: the address is not a URL", wrong()))?;
            if !matches!(url.scheme(), "http" | "https") {
                bail!("{}: the address must start with https:// or http://", wrong());
            }
            WebhookClient::new(url, entry.headers()?, entry.ca.as_deref()).with_context(wrong)
        };
        let kind = match entry.kind.as_str() {
            "slack" => ChannelKind::Slack(receiver()?),
            "webhook" => ChannelKind::Webhook(receiver()?),
            "email" => ChannelKind::Email(Box::new(Mail::new(entry).with_context(wrong)?)),
            "command" => {
                ChannelKind::Command(entry.command.clone().with_context(|| format!("{}: command is missing", wrong()))?)
            }
            other => bail!("{}: no kind '{other}'; the kinds are slack, email, webhook, command", wrong()),
        };
        Ok(Self { name: entry.name.clone(), kind, at_least, rules: entry.rules.clone(), resolved: entry.resolved })
    }

    /// Whether the channel's settings let this notification through.
    pub fn accepts(&self, notification: &Notification) -> bool {
        notification.severity <= self.at_least
            && (self.rules.is_empty() || self.rules.iter().any(|rule| rule.eq_ignore_ascii_case(&notification.rule)))
            && (self.resolved || notification.transition == Transition::Firing)
    }

    /// Sends a notification. The error says why it was not accepted, without secrets.
    pub async fn send(&self, notification: &Notification) -> Result<(), String> {
        let telling = async {
            match &self.kind {
                ChannelKind::Slack(to) => to.post(web::slack(notification), notification).await,
                ChannelKind::Webhook(to) => {
                    let body = serde_json::to_value(notification).map_err(|error| error.to_string())?;
                    to.post(body, notification).await
                }
                ChannelKind::Email(mail) => mail.send(notification).await,
                ChannelKind::Command(command) => command::run(command, notification).await,
            }
        };
        match tokio::time::timeout(TIME_LIMIT, telling).await {
            Ok(outcome) => outcome.map_err(|problem| crosstail_core::model::redact_text(&problem).into_owned()),
            Err(_) => Err(format!("no answer within {} s", TIME_LIMIT.as_secs())),
        }
    }
}
