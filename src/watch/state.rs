//! State that survives a restart: alerts and the outbox. One file, written atomically.

use super::outbox::Outbox;
use crate::config::{append_private, private_folder, write_private};
use anyhow::{Context as _, bail, ensure};
use crosstail_core::model::{Timestamp, redact_text};
use crosstail_engine::insight::alerting::{Alerts, Silence};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The form of the state file. It grows when a former version could not go on with what this one writes.
const VERSION: u32 = 1;

/// The content of the state file. Its texts are without secrets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchState {
    /// The form that it is in; 0 before forms had numbers.
    pub version: u32,
    /// Time of the last evaluation of the rules.
    pub evaluated_at: Option<Timestamp>,
    pub alerts: Alerts,
    /// Deliveries that no channel has accepted yet.
    pub outbox: Outbox,
    /// Ids of active alerts whose group is not what was measured, because a secret in it is hidden.
    pub hidden: Vec<String>,
}

/// The state file. A lock keeps other processes out.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// Holds the lock until the process ends.
    _lock: File,
    written: Option<WatchState>,
}

/// The file for silences and acknowledgements from `crosstail alerts`, next to the state file.
fn operator_file(state: &Path) -> PathBuf {
    state.with_extension("silences.json")
}

impl StateFile {
    /// Opens the file or starts a new one. Fails if another process holds it: both would send every notification.
    pub fn open(path: &Path) -> anyhow::Result<(Self, WatchState)> {
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        let locked = path.with_extension("lock");
        let lock = append_private(&locked)?;
        if lock.try_lock().is_err() {
            bail!("another crosstail watch uses {}; start this one with --state FILE", path.display());
        }
        let kept = read(path)?;
        Ok((Self { path: path.to_owned(), _lock: lock, written: None }, kept))
    }

    /// Writes the state if it has changed.
    pub fn write(&mut self, kept: &WatchState) -> anyhow::Result<()> {
        if self.written.as_ref() == Some(kept) {
            return Ok(());
        }
        write_private(&self.path, &without_secrets(kept)?)?;
        self.written = Some(kept.clone());
        Ok(())
    }
}

/// The state as it is written.
fn without_secrets(kept: &WatchState) -> anyhow::Result<Vec<u8>> {
    let hides = |text: &String| redact_text(text) != *text;
    let has_secret = kept.alerts.active.iter().filter(|alert| alert.group.iter().any(|(_, value)| hides(value)));
    let hidden = has_secret.map(|alert| alert.id.clone()).collect();
    let state = serde_json::to_value(WatchState { version: VERSION, hidden, ..kept.clone() })?;
    Ok(serde_json::to_vec(&redacted(state))?)
}

/// A value with every text in it redacted by its form: the names of the fields are the program's own.
fn redacted(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(redact_text(&text).into_owned()),
        Value::Array(items) => Value::Array(items.into_iter().map(redacted).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, redacted(value))).collect())
        }
        other => other,
    }
}

/// Reads the state; a missing file is an empty state. An alert whose group was hidden cannot be compared with what is measured
/// now: it is forgotten, and fires again, which is better than the message that it was resolved.
///
/// # Errors
/// The file cannot be read, or a later version has written it.
pub fn read(path: &Path) -> anyhow::Result<WatchState> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let unreadable = || {
                format!(
                    "{}: the state cannot be read; move it away to start fresh (alerts that are firing are sent again)",
                    path.display()
                )
            };
            let value: Value = serde_json::from_slice(&bytes).with_context(unreadable)?;
            let version = value.get("version").and_then(Value::as_u64).unwrap_or_default();
            ensure!(
                version <= u64::from(VERSION),
                "{}: a newer crosstail has written it; it is left as it is: start this one with --state FILE",
                path.display()
            );
            let mut state: WatchState = serde_json::from_value(value).with_context(unreadable)?;
            let hidden = std::mem::take(&mut state.hidden);
            state.alerts.active.retain(|alert| !hidden.contains(&alert.id));
            state.version = 0;
            Ok(state)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(WatchState::default()),
        Err(error) => Err(error).with_context(|| format!("{}", path.display())),
    }
}

/// Silences and acknowledgements from `crosstail alerts`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OperatorInput {
    pub silences: Vec<Silence>,
    /// Id of the alert, who acknowledged it, when.
    pub acknowledged: Vec<(String, String, Timestamp)>,
}

impl OperatorInput {
    /// Reads the file next to a state file; a missing one is empty.
    pub fn read(state: &Path) -> anyhow::Result<Self> {
        let path = operator_file(state);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("{}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("{}", path.display())),
        }
    }

    /// Writes the file next to a state file.
    pub fn write(&self, state: &Path) -> anyhow::Result<()> {
        if let Some(folder) = state.parent() {
            private_folder(folder)?;
        }
        write_private(&operator_file(state), &serde_json::to_vec_pretty(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_has_it_and_a_broken_one_is_not_thrown_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/watch.json");
        let (mut file, kept) = StateFile::open(&path).expect("new");
        assert_eq!(kept, WatchState::default());
        let kept = WatchState { evaluated_at: Some(Timestamp(5)), ..kept };
        file.write(&kept).expect("written");
        let error = StateFile::open(&path).expect_err("held").to_string();
        assert!(error.contains("another crosstail watch"), "{error}");
        drop(file);
        // A program that another test starts holds the lock, too, until it has become that program.
        let again = (0..200_000).find_map(|_| {
            std::thread::yield_now();
            StateFile::open(&path).ok()
        });
        assert_eq!(again.expect("free again").1, kept);
        std::fs::write(&path, b"{ half").expect("written");
        let error = format!("{:#}", StateFile::open(&path).expect_err("broken"));
        assert!(error.contains("move it away"), "{error}");
        assert_eq!(std::fs::read(&path).expect("there"), b"{ half");
    }

    #[test]
    fn the_state_of_a_later_version_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("watch.json");
        let later = format!("{{\"version\":{},\"alarms\":[]}}", VERSION + 1);
        std::fs::write(&path, &later).expect("written");
        let error = format!("{:#}", StateFile::open(&path).expect_err("a later one"));
        assert!(error.contains("a newer crosstail has written it"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), later);
        // One of a former version has no number.
        std::fs::write(&path, b"{\"evaluated_at\":\"1970-01-01T00:00:00.000005Z\"}").expect("written");
        assert_eq!(read(&path).expect("read").evaluated_at, Some(Timestamp(5)));
    }

    #[test]
    fn the_state_has_no_secrets() {
        let at = "1970-01-01T00:00:00.000005Z";
        let alert = |id: &str, system: &str| {
            serde_json::json!({
                "id": id, "rule": "r", "title": "t", "severity": "warning", "group": [["system", system]], "state": "firing",
                "reason": format!("{system}: 12 in 5 min"), "filter": format!("system:\"{system}\""), "value": 12.0, "worst": 12.0,
                "since": at, "fired_at": at, "clear_since": null, "resolved_at": null, "told_at": at, "acknowledged": null,
            })
        };
        let alerts = serde_json::json!({
            "active": [alert("1", "SAP"), alert("2", "token=svcsecret99")], "past": [alert("3", "token=svcsecret99")],
            "cooling": [["r", [["system", "token=svcsecret99"]], at]],
        });
        let kept = WatchState { alerts: serde_json::from_value(alerts).expect("alerts"), ..WatchState::default() };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("watch.json");
        let (mut file, _) = StateFile::open(&path).expect("new");
        file.write(&kept).expect("written");
        let text = std::fs::read_to_string(&path).expect("there");
        assert!(!text.contains("svcsecret99") && text.matches("[REDACTED]").count() > 5, "{text}");
        // The alert whose group is hidden fires again; the other goes on.
        let ids: Vec<String> = read(&path).expect("read").alerts.active.into_iter().map(|alert| alert.id).collect();
        assert_eq!(ids, ["1"]);
    }
}
