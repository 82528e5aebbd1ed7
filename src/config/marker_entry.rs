//! `[[markers]]` entries: moments that are marked elsewhere, and the files that hold some.

use super::Marker;
use anyhow::{Context as _, ensure};
use crosstail_core::model::{Timestamp, parse_timestamp, redact_text};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// One `[[markers]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["file"] }, { "required": ["filter"] }, { "required": ["git"] }]))]
pub struct MarkersEntry {
    /// Name, unique in the configuration.
    pub name: String,
    /// A file of JSON lines or CSV: each record has a time and a text.
    pub file: Option<PathBuf>,
    /// A filter: each activity that it keeps is a marker.
    pub filter: Option<String>,
    /// A folder of a git repository: its tags are markers.
    pub git: Option<PathBuf>,
}

/// Where markers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkedBy<'a> {
    File(&'a Path),
    Filter(&'a str),
    Git(&'a Path),
}

impl MarkersEntry {
    /// Where its markers are.
    ///
    /// # Errors
    /// It names no place, or several.
    pub fn marked_by(&self) -> Result<MarkedBy<'_>, String> {
        match (&self.file, &self.filter, &self.git) {
            (Some(file), None, None) => Ok(MarkedBy::File(file)),
            (None, Some(filter), None) => Ok(MarkedBy::Filter(filter)),
            (None, None, Some(folder)) => Ok(MarkedBy::Git(folder)),
            _ => Err(format!("markers {}: name one of file, filter and git", self.name)),
        }
    }
}

/// A larger file is none of markers, in bytes.
const LARGEST: u64 = 16 << 20;
/// Of more markers, the last are used.
const MOST: usize = 10_000;
/// Names of the time and of the text, in this order.
const TIMES: [&str; 5] = ["at", "time", "timestamp", "date", "created_at"];
const TEXTS: [&str; 7] = ["text", "message", "title", "name", "version", "tag", "description"];

/// The markers of a file, in order of time. A record without a time is left out.
///
/// # Errors
/// The file cannot be read, is larger than 16 MB, or holds nothing but records without a time.
pub fn markers_in(path: &Path) -> anyhow::Result<Vec<Marker>> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
    read.with_context(|| path.display().to_string())?;
    ensure!(text.len() as u64 <= LARGEST, "{}: it is larger than 16 MB", path.display());
    let is_json = text.trim_start().starts_with('{');
    let mut all = if is_json { of_json(&text) } else { of_csv(&text) };
    let is_empty = text.lines().all(|line| line.trim().is_empty());
    ensure!(
        !all.is_empty() || is_empty,
        "{}: no record has a time and a text; write lines like {}",
        path.display(),
        r#"{"at": "2026-11-20T09:00:00Z", "text": "deployed 1.4.3"}"#
    );
    all.sort_by_key(|marker| marker.at);
    drop(all.drain(..all.len().saturating_sub(MOST)));
    Ok(all)
}

fn marker(at: &str, text: &str) -> Option<Marker> {
    let at = parse_timestamp(at.trim())?;
    let text = redact_text(text.trim());
    (!text.is_empty()).then(|| Marker { at, text: text.into_owned() })
}

fn of_json(text: &str) -> Vec<Marker> {
    let line = |line: &str| {
        let record: Map<String, Value> = serde_json::from_str(line).ok()?;
        let value = |names: &[&str]| {
            let value = names.iter().find_map(|name| record.get(*name))?;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        marker(&value(&TIMES)?, &value(&TEXTS)?)
    };
    text.lines().filter_map(line).collect()
}

/// With the names of its columns in the first line, or without: then the first is the time and the second the text.
fn of_csv(text: &str) -> Vec<Marker> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut columns = (0, 1);
    let mut all = Vec::new();
    for (index, record) in reader.records().flatten().enumerate() {
        let is_header = index == 0 && record.get(0).and_then(|cell| parse_timestamp(cell.trim())).is_none();
        if is_header {
            let of = |names: &[&str]| {
                let named = |name: &&str| record.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
                names.iter().find_map(named)
            };
            columns = (of(&TIMES).unwrap_or(0), of(&TEXTS).unwrap_or(1));
            continue;
        }
        all.extend(record.get(columns.0).zip(record.get(columns.1)).and_then(|(at, text)| marker(at, text)));
    }
    all
}

/// The markers of several places, in order of time, each once.
pub fn joined_markers(mut all: Vec<Marker>) -> Vec<Marker> {
    all.sort_by(|a, b| (a.at, &a.text).cmp(&(b.at, &b.text)));
    all.dedup();
    all
}

/// A line of `git for-each-ref`: seconds since the epoch, a tab, and the name of a tag.
pub fn tag_of(line: &str) -> Option<Marker> {
    let (seconds, name) = line.split_once('\t')?;
    let seconds: i64 = seconds.parse().ok()?;
    Some(Marker { at: Timestamp(seconds.checked_mul(1_000_000)?), text: redact_text(name).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lines_and_csv_hold_markers() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deploys");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("written");
            markers_in(&path).map(|all| all.into_iter().map(|m| (m.at.0 / 1_000_000, m.text)).collect::<Vec<_>>())
        };
        let two = vec![(1_763_632_800, "1.4.2".to_owned()), (1_763_632_860, "1.4.3, again".to_owned())];
        let json = "{\"time\":\"2025-11-20T10:01:00Z\",\"text\":\"1.4.3, again\"}\nhalf a li\n{\"at\":\"2025-11-20T10:00:00Z\",\"version\":\"1.4.2\"}\n";
        assert_eq!(read(json).expect("json"), two);
        assert_eq!(
            read("who,date,title\nann,2025-11-20T10:00:00Z,1.4.2\nbob,2025-11-20T10:01:00Z,\"1.4.3, again\"\n")
                .expect("csv"),
            two
        );
        assert_eq!(read("2025-11-20T10:00:00Z,1.4.2\n2025-11-20T10:01:00Z,\"1.4.3, again\"\n").expect("csv"), two);
        assert_eq!(read("").expect("nothing yet"), []);
        assert!(read("nothing of the kind\n").expect_err("no time").to_string().contains("no record has a time"));
        assert_eq!(tag_of("1763632800\tv1.4.2").map(|tag| tag.text), Some("v1.4.2".to_owned()));
        assert_eq!(tag_of("v1.4.2"), None);
    }
}
