//! What lasts over a restart: alerts, and what is on its way to channels. One file, written whole or not at all.

use super::outbox::Outbox;
use anyhow::{Context as _, bail};
use crosstail_core::model::Timestamp;
use crosstail_engine::insight::alerting::{Alerts, Silence};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchState {
    /// When the rules were evaluated last.
    pub evaluated_at: Option<Timestamp>,
    /// Alerts.
    pub alerts: Alerts,
    /// What is on its way.
    pub outbox: Outbox,
}

/// The file, held by one process.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// Locked for as long as the process lives.
    _lock: File,
    written: Option<WatchState>,
}

/// Silences and acknowledgements that are set from outside lie beside the state.
fn operator_file(state: &Path) -> PathBuf {
    state.with_extension("silences.json")
}

impl StateFile {
    /// Opens the file, or begins a new one. Another process that has it is an error: alerts would be told twice.
    pub fn open(path: &Path) -> anyhow::Result<(Self, WatchState)> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
        }
        let locked = path.with_extension("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&locked);
        let lock = lock.with_context(|| format!("{}", locked.display()))?;
        if lock.try_lock().is_err() {
            bail!("another crosstail watch has {}; give this one --state FILE", path.display());
        }
        let kept = read(path)?;
        Ok((Self { path: path.to_owned(), _lock: lock, written: None }, kept))
    }

    /// Writes the state where it has changed.
    pub fn write(&mut self, kept: &WatchState) -> anyhow::Result<()> {
        if self.written.as_ref() == Some(kept) {
            return Ok(());
        }
        write_atomically(&self.path, &serde_json::to_vec(kept)?)?;
        self.written = Some(kept.clone());
        Ok(())
    }
}

/// Reads the state; nothing where there is none.
pub fn read(path: &Path) -> anyhow::Result<WatchState> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
            format!(
                "{}: the state cannot be read; move it away to begin anew (alerts that fire are told again)",
                path.display()
            )
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(WatchState::default()),
        Err(error) => Err(error).with_context(|| format!("{}", path.display())),
    }
}

/// Writes a file so that it is there whole, or as it was before.
fn write_atomically(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let beside = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().with_context(|| format!("{}", path.display()))
}

/// What was said from outside: silences, and who has taken which alert.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OperatorInput {
    /// Silences.
    pub silences: Vec<Silence>,
    /// Alert, who, when.
    pub acknowledged: Vec<(String, String, Timestamp)>,
}

impl OperatorInput {
    /// Reads it; nothing where there is none.
    pub fn read(state: &Path) -> anyhow::Result<Self> {
        let path = operator_file(state);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("{}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("{}", path.display())),
        }
    }

    /// Writes it.
    pub fn write(&self, state: &Path) -> anyhow::Result<()> {
        if let Some(folder) = state.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
        }
        write_atomically(&operator_file(state), &serde_json::to_vec_pretty(self)?)
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
        assert_eq!(StateFile::open(&path).expect("free again").1, kept);
        std::fs::write(&path, b"{ half").expect("written");
        let error = format!("{:#}", StateFile::open(&path).expect_err("broken"));
        assert!(error.contains("move it away"), "{error}");
        assert_eq!(std::fs::read(&path).expect("there"), b"{ half");
    }
}
