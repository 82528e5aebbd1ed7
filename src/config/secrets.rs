//! Passwords come from the environment, a file or a command, and enter a URL only when its source is opened.

use super::SourceEntry;
use anyhow::{Context as _, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// Where a secret comes from: an environment variable, a file, or the output of a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secret<'a> {
    /// Owner, for errors: `source prokure`.
    pub(super) of: &'a str,
    /// Prefix of its settings: `password`, `url`.
    pub(super) what: &'a str,
    pub(super) env: Option<&'a str>,
    pub(super) file: Option<&'a Path>,
    pub(super) command: Option<&'a str>,
}

impl Secret<'_> {
    /// The secret; `None` if no setting names one. No error contains it.
    pub(super) fn read(self) -> anyhow::Result<Option<String>> {
        let Self { of, what, .. } = self;
        let text = if let Some(variable) = self.env {
            std::env::var(variable).with_context(|| format!("{of}: {what}_env: {variable} is not set"))?
        } else if let Some(path) = self.file {
            std::fs::read_to_string(path).with_context(|| format!("{of}: {what}_file: {}", path.display()))?
        } else if let Some(command) = self.command {
            let output = Command::new("sh")
                .args(["-c", command])
                .stdin(Stdio::null())
                .output()
                .with_context(|| format!("{of}: {what}_command"))?;
            if !output.status.success() {
                bail!("{of}: {what}_command failed with {}", output.status);
            }
            String::from_utf8(output.stdout).with_context(|| format!("{of}: {what}_command"))?
        } else {
            return Ok(None);
        };
        Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
    }
}

fn password(entry: &SourceEntry) -> anyhow::Result<Option<String>> {
    let of = format!("source {}", entry.name);
    let (env, file) = (entry.password_env.as_deref(), entry.password_file.as_deref());
    Secret { of: &of, what: "password", env, file, command: entry.password_command.as_deref() }.read()
}

/// The address with the password inserted after the user.
pub(super) fn with_password(entry: &SourceEntry, at: &str) -> anyhow::Result<String> {
    let Some(password) = password(entry)? else { return Ok(at.to_owned()) };
    let (scheme, rest) = at
        .split_once("://")
        .with_context(|| format!("source {}: a password needs a URL as the address", entry.name))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let Some((user, host)) = rest[..end].rsplit_once('@') else {
        bail!("source {}: the address names no user: {scheme}://user@host/…", entry.name);
    };
    if user.contains(':') {
        bail!("source {}: the address contains a password, and a password setting names another", entry.name);
    }
    let encoded: String = password
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") })
        .collect();
    Ok(format!("{scheme}://{user}:{encoded}@{host}{}", &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OneOrMany;

    fn entry() -> SourceEntry {
        SourceEntry { name: "s".to_owned(), at: OneOrMany::One(String::new()), ..SourceEntry::default() }
    }

    #[test]
    fn a_password_is_put_in_its_place_and_shown_in_no_error() {
        let of = |command: &str| SourceEntry { password_command: Some(command.to_owned()), ..entry() };
        let url = with_password(&of("printf 'a/b@c\\n'"), "postgres://me@db:5432/x?sslmode=require").expect("a URL");
        assert_eq!(url, "postgres://me:a%2Fb%40c@db:5432/x?sslmode=require");
        assert_eq!(with_password(&entry(), "logs/*.log").expect("unchanged"), "logs/*.log");
        for (wrong, at) in [
            (of("echo secret; exit 3"), "postgres://me@db/x"),
            (of("echo secret"), "postgres://db/x"),
            (of("echo secret"), "postgres://me:hunter2@db/x"),
            (SourceEntry { password_env: Some("CROSSTAIL_NOT_SET".to_owned()), ..entry() }, "mongodb://me@db/x"),
        ] {
            let error = format!("{:#}", with_password(&wrong, at).expect_err("wrong"));
            assert!(!error.contains("secret") && !error.contains("hunter2"), "{error}");
        }
    }
}
