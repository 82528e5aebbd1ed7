//! Moments that people or scripts have marked: a deploy, an incident. A file of lines in the folder of the state.

use super::{append_private, private_folder, state_folder};
use anyhow::Context as _;
use crosstail_core::model::{Timestamp, parse_timestamp, redact_text};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A marked moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    pub at: Timestamp,
    pub text: String,
}

/// What was marked may have changed something within so many microseconds.
const SOON_US: i64 = 900_000_000;

/// What was marked last before something began, and not long before it. When that was is known to so many microseconds.
pub fn marker_before(markers: &[Marker], began: Timestamp, within_us: i64) -> Option<&Marker> {
    let near = |marker: &&Marker| {
        let after = began.since_us(marker.at);
        (-within_us..=SOON_US.max(3 * within_us)).contains(&after)
    };
    markers.iter().filter(near).max_by_key(|marker| marker.at)
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    at: String,
    text: String,
}

/// The file.
pub fn marker_file() -> Option<PathBuf> {
    state_folder().map(|folder| folder.join("markers.ndjson"))
}

/// Adds a marker to a file. What it says is without secrets.
///
/// # Errors
/// The file cannot be written.
pub fn add_marker(path: &Path, marker: &Marker) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    let line = Line { at: marker.at.rfc3339(), text: redact_text(&marker.text).into_owned() };
    let mut text = serde_json::to_string(&line)?;
    text.push('\n');
    // In one piece: several scripts may mark at once.
    append_private(path)?.write_all(text.as_bytes()).with_context(|| path.display().to_string())
}

/// The markers of a file in order of time. A missing file has none; a line that is none is left out.
///
/// # Errors
/// The file cannot be read.
pub fn markers(path: &Path) -> anyhow::Result<Vec<Marker>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let marker = |line: &str| {
        let line: Line = serde_json::from_str(line).ok()?;
        Some(Marker { at: parse_timestamp(&line.at)?, text: line.text })
    };
    let mut all: Vec<Marker> = text.lines().filter_map(marker).collect();
    all.sort_by_key(|marker| marker.at);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn markers_are_kept_in_order_without_secrets_and_for_their_user_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state/markers.ndjson");
        assert_eq!(markers(&path).expect("none yet"), []);
        let marker = |second: i64, text: &str| Marker { at: Timestamp(second * 1_000_000), text: text.to_owned() };
        add_marker(&path, &marker(20, "deployed 1.4.3")).expect("kept");
        add_marker(&path, &marker(10, "rotated, password=hunter2-and-more")).expect("kept");
        std::fs::write(&path, std::fs::read_to_string(&path).expect("read") + "half a li").expect("written");
        let all = markers(&path).expect("read");
        assert_eq!(all[1], marker(20, "deployed 1.4.3"));
        assert!(all.len() == 2 && !all[0].text.contains("hunter2"), "{all:?}");
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    }
}
