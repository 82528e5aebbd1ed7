//! `[[send]]` entries: where the secrets of requests that are sent again come from.

use super::secrets::Secret;
use crosstail_engine::insight::SendSecrets;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One `[[send]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendEntry {
    /// The host, with its port if the address has one.
    pub host: String,
    /// Headers, each with `env:NAME`: the environment variable with its value.
    pub headers: BTreeMap<String, String>,
}

impl SendEntry {
    /// The names of its variables.
    ///
    /// # Errors
    /// A value is no `env:NAME`.
    pub fn secrets(&self) -> Result<SendSecrets, String> {
        let variable = |(name, value): (&String, &String)| match value.strip_prefix("env:").filter(|v| !v.is_empty()) {
            Some(variable) => Ok((name.clone(), variable.to_owned())),
            None => Err(format!("send {}: the header {name} has no env:NAME, the variable with its value", self.host)),
        };
        let headers = self.headers.iter().map(variable).collect::<Result<_, _>>()?;
        Ok(SendSecrets { host: self.host.clone(), headers })
    }
}

/// The value of a variable that a `[[send]]` names.
///
/// # Errors
/// It is not set.
pub fn send_value(host: &str, variable: &str) -> anyhow::Result<String> {
    let of = format!("send {host}");
    let secret = Secret { of: &of, what: "headers", env: Some(variable), file: None, command: None };
    Ok(secret.read()?.unwrap_or_default())
}
