//! Channels that `crosstail watch` tells, as configured.

use super::secrets::Secret;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A channel of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelEntry {
    /// Its name.
    pub name: String,
    /// slack, email, webhook, command.
    pub kind: String,
    /// What is less severe is not told: critical, warning, info.
    pub at_least: Option<String>,
    /// Only these rules; all where empty.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Told when an alert is over, too.
    #[serde(default = "yes")]
    pub resolved: bool,
    /// The address of Slack's webhook, or of the receiver,
    pub url: Option<String>,
    /// or where it is, as it may be a secret: in this variable of the environment,
    pub url_env: Option<String>,
    /// in this file,
    pub url_file: Option<PathBuf>,
    /// or what this command prints.
    pub url_command: Option<String>,
    /// Headers of a webhook; a value `env:NAME` is that variable's.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The mail server: smtps://host, smtp://host:587 (STARTTLS), smtp+plain://host.
    pub smtp: Option<String>,
    /// Who writes,
    pub from: Option<String>,
    /// to whom.
    #[serde(default)]
    pub to: Vec<String>,
    /// The mail server's user, and the password
    pub username: Option<String>,
    /// in this variable,
    pub password_env: Option<String>,
    /// in this file,
    pub password_file: Option<PathBuf>,
    /// or what this command prints.
    pub password_command: Option<String>,
    /// The roots that the mail server's, or the receiver's, certificate is of: a PEM file; the system's where absent.
    pub ca: Option<PathBuf>,
    /// A command of the shell: it is given JSON.
    pub command: Option<String>,
}

const fn yes() -> bool {
    true
}

impl ChannelEntry {
    /// The address.
    pub fn address(&self) -> anyhow::Result<Option<String>> {
        if self.url.is_some() {
            return Ok(self.url.clone());
        }
        let of = format!("channel {}", self.name);
        let (env, file) = (self.url_env.as_deref(), self.url_file.as_deref());
        Secret { of: &of, what: "url", env, file, command: self.url_command.as_deref() }.read()
    }

    /// The mail server's password.
    pub fn password(&self) -> anyhow::Result<Option<String>> {
        let of = format!("channel {}", self.name);
        let (env, file) = (self.password_env.as_deref(), self.password_file.as_deref());
        Secret { of: &of, what: "password", env, file, command: self.password_command.as_deref() }.read()
    }

    /// The headers, with those from the environment.
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
