//! Channels: chats, pagers, webhooks, e-mail, commands. Each accepts a notification or returns why not.

mod command;
mod email;
mod service;
mod web;

use super::notification::Notification;
use crate::config::ChannelEntry;
use anyhow::{Context as _, bail, ensure};
use crosstail_engine::insight::alerting::{Severity, Transition};
pub use email::Mail;
pub use service::Service;
use std::time::Duration;
pub use web::WebhookClient;

/// Time that a channel has to accept a notification.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The type of a channel, with what it needs to send.
#[derive(Clone)]
pub enum ChannelKind {
    /// A receiver of JSON by POST.
    Web(Service, WebhookClient),
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

/// The client of a receiver. An error names the channel.
fn receiver(service: Service, entry: &ChannelEntry) -> anyhow::Result<WebhookClient> {
    let wrong = format!("channel {}", entry.name);
    let url = entry.address()?.or_else(|| service.address().map(str::to_owned));
    let url = url.with_context(|| format!("{wrong}: url, url_env, url_file or url_command is missing"))?;
    // The address may be a secret: do not show it.
    let url = reqwest::Url::parse(&url).with_context(|| format!("{wrong}: the address is not a URL"))?;
    ensure!(matches!(url.scheme(), "http" | "https"), "{wrong}: the address must start with https:// or http://");
    let key = entry.key()?;
    ensure!(key.is_some() || !service.needs_key(), "{wrong}: key_env, key_file or key_command is missing");
    WebhookClient::new(url, key, entry.headers()?, entry.ca.as_deref()).with_context(|| wrong.clone())
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
        let kind = match (entry.kind.as_str(), Service::of(&entry.kind)) {
            ("email", _) => ChannelKind::Email(Box::new(Mail::new(entry).with_context(wrong)?)),
            ("command", _) => {
                ChannelKind::Command(entry.command.clone().with_context(|| format!("{}: command is missing", wrong()))?)
            }
            (_, Some(service)) => ChannelKind::Web(service, receiver(service, entry)?),
            (other, None) => {
                let services = Service::ALL.map(|(name, _)| name).join(", ");
                bail!("{}: no kind '{other}'; the kinds are {services}, email, command", wrong())
            }
        };
        Ok(Self { name: entry.name.clone(), kind, at_least, rules: entry.rules.clone(), resolved: entry.resolved })
    }

    /// Whether its receiver follows each alert to its resolution.
    pub const fn follows_alerts(&self) -> bool {
        matches!(self.kind, ChannelKind::Web(service, _) if service.follows_alerts())
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
                ChannelKind::Web(service, to) => to.send(*service, notification).await,
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
