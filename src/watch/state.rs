//! State that survives a restart: alerts and the outbox. One file, written atomically.

use super::outbox::Outbox;
use crate::config::{private_folder, write_private};
use anyhow::{Context as _, bail};
use crosstail_core::model::Timestamp;
use crosstail_engine::insight::alerting::{Alerts, Silence};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The content of the state file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchState {
    /// Time of the last evaluation of the rules.
    pub evaluated_at: Option<Timestamp>,
    pub alerts: Alerts,
    /// Deliveries that no channel has accepted yet.
    pub outbox: Outbox,
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
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&locked);
        let lock = lock.with_context(|| format!("{}", locked.display()))?;
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
        write_private(&self.path, &serde_json::to_vec(kept)?)?;
        self.written = Some(kept.clone());
        Ok(())
    }
}

/// Reads the state; a missing file is an empty state.
pub fn read(path: &Path) -> anyhow::Result<WatchState> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
            format!(
                "{}: the state cannot be read; move it away to start fresh (alerts that are firing are sent again)",
                path.display()
            )
        }),
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
}
