//! `[[channel]]` entries: where `crosstail watch` sends notifications.

use super::secrets::Secret;
use crosstail_engine::insight::alerting::Severity;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One `[[channel]]` of the configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelEntry {
    /// Name, unique in the configuration.
    pub name: String,
    /// `slack`, `teams`, `discord`, `ntfy`, `pagerduty`, `opsgenie`, `webhook`, `email` or `command`.
    #[schemars(extend("enum" = ["slack", "teams", "discord", "ntfy", "pagerduty", "opsgenie", "webhook", "email", "command"]))]
    pub kind: String,
    /// Least severe alerts to send: `critical`, `warning` or `info`; everything if absent.
    #[schemars(with = "Option<Severity>")]
    pub at_least: Option<String>,
    /// Send only these rules; all if empty.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Whether to send resolutions, too.
    #[serde(default = "yes")]
    pub resolved: bool,
    /// Address of the receiver. As it may be a secret, the next three can supply it instead. PagerDuty's and Opsgenie's are
    /// known.
    pub url: Option<String>,
    /// Environment variable that holds the address.
    pub url_env: Option<String>,
    /// File that holds the address.
    pub url_file: Option<PathBuf>,
    /// Shell command that prints the address.
    pub url_command: Option<String>,
    /// Environment variable that holds the key: PagerDuty's routing key, Opsgenie's API key, a token of ntfy.
    pub key_env: Option<String>,
    /// File that holds the key.
    pub key_file: Option<PathBuf>,
    /// Shell command that prints the key.
    pub key_command: Option<String>,
    /// Headers of a webhook; a value `env:NAME` is read from the variable NAME.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Mail server: `smtps://host`, `smtp://host:587` (STARTTLS), `smtp+plain://host`.
    pub smtp: Option<String>,
    /// Sender address.
    pub from: Option<String>,
    /// Recipient addresses.
    #[serde(default)]
    pub to: Vec<String>,
    /// User at the mail server. One of the next three supplies the password.
    pub username: Option<String>,
    /// Environment variable that holds the password.
    pub password_env: Option<String>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// Shell command that prints the password.
    pub password_command: Option<String>,
    /// PEM file with roots that the server's certificate may chain to, in addition to the system's.
    pub ca: Option<PathBuf>,
    /// Shell command that reads the notification as JSON on standard input.
    pub command: Option<String>,
}

const fn yes() -> bool {
    true
}

impl ChannelEntry {
    /// The address, from whichever setting supplies it; `None` if none does.
    pub fn address(&self) -> anyhow::Result<Option<String>> {
        if self.url.is_some() {
            return Ok(self.url.clone());
        }
        let of = format!("channel {}", self.name);
        let (env, file) = (self.url_env.as_deref(), self.url_file.as_deref());
        Secret { of: &of, what: "url", env, file, command: self.url_command.as_deref() }.read()
    }

    /// The key of the receiver; `None` if no setting supplies it.
    pub fn key(&self) -> anyhow::Result<Option<String>> {
        let of = format!("channel {}", self.name);
        let (env, file) = (self.key_env.as_deref(), self.key_file.as_deref());
        Secret { of: &of, what: "key", env, file, command: self.key_command.as_deref() }.read()
    }

    /// The mail server's password; `None` if no setting supplies it.
    pub fn password(&self) -> anyhow::Result<Option<String>> {
        let of = format!("channel {}", self.name);
        let (env, file) = (self.password_env.as_deref(), self.password_file.as_deref());
        Secret { of: &of, what: "password", env, file, command: self.password_command.as_deref() }.read()
    }

    /// The headers, with `env:NAME` values read from the environment.
    pub fn headers(&self) -> anyhow::Result<Vec<(String, String)>> {
        let of = format!("channel {}", self.name);
        let one = |(name, value): (&String, &String)| match value.strip_prefix("env:") {
            Some(variable) => {
                let secret = Secret { of: &of, what: "headers", env: Some(variable), file: None, command: None };
                Ok((name.clone(), secret.read()?.unwrap_or_default()))
            }
            None => Ok((name.clone(), value.clone())),
        };
        self.headers.iter().map(one).collect()
    }
}
