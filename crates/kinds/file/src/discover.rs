//! Resolves a path, a glob or a directory to files, including rotated siblings.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What to read, as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// One file and its rotated siblings.
    File(PathBuf),
    /// Everything that a pattern matches, now and later.
    Glob(String),
    /// Every log file in a directory and its subdirectories.
    Directory(PathBuf),
}

impl Spec {
    /// Parses a path, a glob or a directory; a directory must exist to be recognised as one.
    pub fn parse(text: &str) -> Self {
        let path = Path::new(text);
        if path.is_dir() {
            Self::Directory(path.to_owned())
        } else if text.contains(['*', '?', '[']) && !path.exists() {
            Self::Glob(text.to_owned())
        } else {
            Self::File(path.to_owned())
        }
    }
}

const EXTENSIONS: &[&str] = &["log", "json", "jsonl", "ndjson", "txt", "out", "err"];
const MAX_DEPTH: usize = 8;

/// The files that match; an error only where a spec can never match.
pub(super) fn discover(specs: &[Spec]) -> Result<Vec<PathBuf>, String> {
    let mut found = BTreeSet::new();
    for spec in specs {
        match spec {
            Spec::File(path) => {
                if path.exists() {
                    found.insert(path.clone());
                }
                siblings(path, &mut found);
            }
            Spec::Glob(pattern) => {
                let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
                let paths = glob::glob_with(pattern, options).map_err(|error| format!("{pattern}: {error}"))?;
                found.extend(paths.flatten().filter(|path| path.is_file()));
            }
            Spec::Directory(path) => walk(path, MAX_DEPTH, &mut found),
        }
    }
    Ok(found.into_iter().collect())
}

fn walk(directory: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() && depth > 0 {
            walk(&path, depth - 1, found);
        } else if kind.is_file() && is_log(&path) {
            found.insert(path);
        }
    }
}

fn is_log(path: &Path) -> bool {
    let family = family(path);
    Path::new(&family).extension().is_some_and(|ext| EXTENSIONS.iter().any(|known| ext.eq_ignore_ascii_case(known)))
}

fn siblings(path: &Path, found: &mut BTreeSet<PathBuf>) {
    let Some(parent) = path.parent() else { return };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    let own = family(path);
    for entry in entries.flatten() {
        let candidate = parent.join(entry.file_name());
        let rotated = family(&candidate) == own && candidate.file_name() != path.file_name();
        if rotated && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            found.insert(candidate);
        }
    }
}

/// The name that a file and its rotations share: `combined.log` for `combined.log.2.gz` (logrotate),
/// `combined3.log` (Winston), `combined-2026-11-20.log` and `combined.log-20261120` (dates).
pub(super) fn family(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut name = name.as_ref();
    for suffix in [".gz", ".old"] {
        name = name.strip_suffix(suffix).unwrap_or(name);
    }
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b'_');
    if let Some((head, tail)) = name.rsplit_once('.')
        && number(tail)
    {
        name = head;
    }
    if let Some((head, tail)) = name.split_once(".log-")
        && number(tail)
    {
        return format!("{head}.log");
    }
    match name.rsplit_once('.') {
        Some((stem, extension)) => {
            let bare = stem.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
            format!("{}.{extension}", if bare.is_empty() { stem } else { bare })
        }
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_belong_to_one_family() {
        for name in [
            "combined.log",
            "combined1.log",
            "combined.log.1",
            "combined.log.2.gz",
            "combined-2026-11-20.log",
            "combined.log-20261120",
            "combined.log-20261120.gz",
            "combined.log.old",
        ] {
            assert_eq!(family(Path::new(name)), "combined.log", "{name}");
        }
        assert_eq!(family(Path::new("error.log")), "error.log");
        assert_eq!(family(Path::new("2026.log")), "2026.log");
    }
}
