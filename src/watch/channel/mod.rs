//! Channels: Slack, e-mail, a webhook, a command. Each takes a notification, or says why not.

mod command;
mod email;
mod web;

use super::outbox::Notification;
use crate::config::ChannelEntry;
use anyhow::{Context as _, bail};
use crosstail_engine::insight::alerting::{Severity, Transition};
pub use email::Mail;
use std::time::Duration;
pub use web::WebhookClient;

/// A channel has so long to take a notification.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Where notifications go.
#[derive(Clone)]
pub enum ChannelKind {
    /// Slack's incoming webhook.
    Slack(WebhookClient),
    /// Any receiver of JSON.
    Webhook(WebhookClient),
    /// E-mail.
    Email(Box<Mail>),
    /// A command of the shell, which reads JSON.
    Command(String),
}

/// A channel.
#[derive(Clone)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ChannelKind,
    /// What is less severe is not told.
    pub at_least: Severity,
    /// Only these rules; all where empty.
    pub rules: Vec<String>,
    /// It is told when an alert is over, too.
    pub resolved: bool,
}

impl Channel {
    /// A channel as configured.
    pub fn new(entry: &ChannelEntry) -> anyhow::Result<Self> {
        let wrong = || format!("channel {}", entry.name);
        let at_least = match entry.at_least.as_deref() {
            None => Severity::Info,
            Some(word) => Severity::parse(word).with_context(|| {
                format!("{}: at_least: no severity '{word}'; there are critical, warning, info", wrong())
            })?,
        };
        let receiver = || -> anyhow::Result<WebhookClient> {
            let url = entry
                .address()?
                .with_context(|| format!("{}: url, url_env, url_file or url_command is missing", wrong()))?;
            // The address itself may be the secret: it is not shown.
            let url = reqwest::Url::parse(&url).with_context(|| format!("{}: its address is no URL", wrong()))?;
            if !matches!(url.scheme(), "http" | "https") {
                bail!("{}: its address must begin with https:// or http://", wrong());
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
            other => bail!("{}: no kind '{other}'; there are slack, email, webhook, command", wrong()),
        };
        Ok(Self { name: entry.name.clone(), kind, at_least, rules: entry.rules.clone(), resolved: entry.resolved })
    }

    /// Whether it is told of a notification.
    pub fn accepts(&self, notification: &Notification) -> bool {
        notification.severity <= self.at_least
            && (self.rules.is_empty() || self.rules.iter().any(|rule| rule.eq_ignore_ascii_case(&notification.rule)))
            && (self.resolved || notification.transition == Transition::Firing)
    }

    /// Tells it; an error says why it was not taken, without secrets.
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
            Err(_) => Err(format!("it did not answer in {} s", TIME_LIMIT.as_secs())),
        }
    }
}
