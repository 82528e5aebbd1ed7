//! Resolves a path, a glob or a directory to files, including rotated siblings.

use crosstail_source::Missing;
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

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The files to read, in order of their paths.
    pub(super) files: Vec<PathBuf>,
    /// Files of folders that are no logs by their names.
    pub(super) left_out: Vec<PathBuf>,
    /// Rotations that were taken along with a file.
    pub(super) taken_along: Vec<PathBuf>,
}

const EXTENSIONS: &[&str] = &["log", "json", "jsonl", "ndjson", "txt", "out", "err", "csv", "tsv", "trace", "audit"];
/// Words of which the names of logs without an extension consist: those of `/var/log` and of the usual servers.
const NAMES: &[&str] = &[
    "syslog",
    "messages",
    "secure",
    "maillog",
    "mail",
    "cron",
    "boot",
    "dmesg",
    "kern",
    "daemon",
    "debug",
    "user",
    "auth",
    "lastlog",
    "stdout",
    "stderr",
    "console",
    "catalina",
    "server",
    "access",
    "error",
    "errors",
    "log",
    "logs",
    "out",
    "err",
    "slow",
    "audit",
    "warn",
    "info",
    "alternatives",
    "dpkg",
    "history",
    "current",
];
const MAX_DEPTH: usize = 8;

/// The files that match; an error only where a spec can never match.
pub(super) fn discover(specs: &[Spec]) -> Result<Found, String> {
    let mut found = BTreeSet::new();
    let mut left_out = BTreeSet::new();
    let mut taken_along = BTreeSet::new();
    for spec in specs {
        match spec {
            Spec::File(path) => {
                if path.exists() {
                    found.insert(path.clone());
                }
                siblings(path, &mut taken_along);
            }
            Spec::Glob(pattern) => {
                let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
                let paths = glob::glob_with(pattern, options).map_err(|error| format!("{pattern}: {error}"))?;
                found.extend(paths.flatten().filter(|path| path.is_file()));
            }
            Spec::Directory(path) => walk(path, MAX_DEPTH, &mut found, &mut left_out),
        }
    }
    taken_along.retain(|path| !found.contains(path));
    found.extend(taken_along.iter().cloned());
    left_out.retain(|path| !found.contains(path));
    let list = |paths: BTreeSet<PathBuf>| paths.into_iter().collect();
    Ok(Found { files: list(found), left_out: list(left_out), taken_along: list(taken_along) })
}

/// The specs that name no file at present.
pub(super) fn missing(specs: &[Spec]) -> Vec<Missing> {
    let is_empty = |spec: &&Spec| discover(std::slice::from_ref(spec)).is_ok_and(|found| found.files.is_empty());
    let absent = |spec: &Spec| {
        let named = match spec {
            Spec::Glob(pattern) => pattern.clone(),
            Spec::File(path) | Spec::Directory(path) => path.display().to_string(),
        };
        let folder = absent_folder(Path::new(&named)).map(|folder| folder.display().to_string());
        Missing::File { named, host: None, folder }
    };
    specs.iter().filter(is_empty).map(absent).collect()
}

/// The first folder of a path that does not exist, before anything that a pattern decides.
fn absent_folder(path: &Path) -> Option<PathBuf> {
    let mut folder = PathBuf::new();
    for part in path.parent()?.components() {
        if part.as_os_str().to_string_lossy().contains(['*', '?', '[']) {
            return None;
        }
        folder.push(part);
        if !folder.exists() {
            return Some(folder);
        }
    }
    None
}

fn walk(directory: &Path, depth: usize, found: &mut BTreeSet<PathBuf>, left_out: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // A link to a file is that file (Kubernetes has a folder of them); a link to a folder might lead in circles.
        let is_file = kind.is_file() || (kind.is_symlink() && path.is_file());
        if kind.is_dir() && depth > 0 {
            walk(&path, depth - 1, found, left_out);
        } else if is_file {
            if is_log(&path) {
                found.insert(path)
            } else {
                left_out.insert(path)
            };
        }
    }
}

/// Whether a name is that of a log: by its extension, or, without one, by the words in it.
pub(super) fn is_log(path: &Path) -> bool {
    let family = family(path).to_ascii_lowercase();
    match family.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !NAMES.contains(&extension) => EXTENSIONS.contains(&extension),
        _ => {
            let known = |word: &str| NAMES.contains(&word) || word.ends_with("log") || word.ends_with("logs");
            family.split(['_', '-', '.']).any(known)
        }
    }
}

fn siblings(path: &Path, found: &mut BTreeSet<PathBuf>) {
    let Some(parent) = path.parent() else { return };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_file = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
    let names = entries.flatten().filter(is_file).map(|entry| entry.file_name().to_string_lossy().into_owned());
    let rotations: Vec<String> = names.filter(|other| is_rotation(other, &name)).collect();
    let numbers: BTreeSet<u32> = rotations.iter().filter_map(|other| appended_number(other, &name)).collect();
    let is_there = path.exists();
    for other in &rotations {
        // `pay34.log`, or `pay2.log` and `pay3.log`, are no rotations of `pay.log`: Winston's numbers count on from the file
        // itself. Where it keeps few files, it has deleted that one first, and they count on from each other.
        let follows = |number: u32| {
            let counts_on = (1..=number).all(|before| numbers.contains(&before));
            counts_on || !is_there && numbers.iter().any(|other| other.abs_diff(number) == 1)
        };
        if appended_number(other, &name).is_none_or(follows) {
            // Without a folder in front, as the path itself has none.
            let bare = path.parent().is_none_or(|parent| parent.as_os_str().is_empty());
            found.insert(if bare { PathBuf::from(other) } else { parent.join(other) });
        }
    }
}

/// The number that Winston appends to the name of a file: 2 for `app2.log`.
fn appended_number(other: &str, name: &str) -> Option<u32> {
    let bare = COMPRESSED.iter().find_map(|suffix| other.strip_suffix(suffix)).unwrap_or(other);
    let (stem, extension) = name.rsplit_once('.')?;
    bare.strip_prefix(stem)?.strip_suffix(extension)?.strip_suffix('.')?.parse().ok()
}

/// Suffixes of compressed files.
const COMPRESSED: &[&str] = &[".gz", ".bz2", ".xz", ".zst", ".zip", ".tgz"];

/// Whether a name is that of a rotation of a file: `app.log.1`, `app.log.2.gz`, `app.log-20261120`, `app-2026-11-20.log`,
/// `app.2026-11-20.log`, `app1.log`, `app.log.old`. `node-2.log` is no rotation of `node-1.log`.
fn is_rotation(other: &str, name: &str) -> bool {
    if other == name {
        return false;
    }
    let bare = COMPRESSED.iter().find_map(|suffix| other.strip_suffix(suffix)).unwrap_or(other);
    let number = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if bare == name {
        return true;
    }
    if name == CURRENT && is_multilog(bare) {
        return true;
    }
    if let Some(rest) = bare.strip_prefix(name) {
        // log4net sets no mark before the date.
        let Some(tail) = rest.strip_prefix(['.', '-', '_']) else { return rest.starts_with("20") && is_date(rest) };
        let counts = rest.starts_with('.') && tail.len() <= 5 && tail.bytes().all(|b| b.is_ascii_digit());
        return number(tail) || counts || is_date(tail) || matches!(tail, "old" | "bak" | "prev" | "previous" | "0");
    }
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let Some(middle) = bare.strip_prefix(stem).and_then(|rest| rest.strip_suffix(extension)?.strip_suffix('.')) else {
        return false;
    };
    match middle.strip_prefix(['.', '-', '_']) {
        Some(tail) => {
            // NLog fills its numbers up.
            let filled = tail.len() == 4 && tail.starts_with('0') && tail.bytes().all(|b| b.is_ascii_digit());
            is_date(tail.trim_start_matches('_')) || (middle.starts_with('.') && (number(tail) || filled))
        }
        // Winston appends the number.
        None => number(middle) && !stem.ends_with(|c: char| c.is_ascii_digit() || c == '-'),
    }
}

/// The file to which multilog (daemontools) writes; those that it has ended are named by their time.
const CURRENT: &str = "current";

/// Whether a name is that of a file that multilog has ended: `@4000000065537ad50b2f0a1c.s`.
fn is_multilog(name: &str) -> bool {
    let time = name.strip_prefix('@').and_then(|rest| rest.strip_suffix(".s").or_else(|| rest.strip_suffix(".u")));
    time.is_some_and(|time| time.len() == 24 && time.bytes().all(|b| b.is_ascii_hexdigit()))
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Whether a text is a date, with a time or a number behind it perhaps: `20261120`, `2026-11-20`, `2026-11-20T10`,
/// `20-11-2026`, `11-20-2026-1`, `20Nov2026`, or seconds since the epoch.
fn is_date(text: &str) -> bool {
    let of_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_year = |text: &str| text.len() == 4 && of_digits(text) && (text.starts_with("20") || text.starts_with("19"));
    let is_day =
        |text: &str| (1..=2).contains(&text.len()) && text.parse::<u8>().is_ok_and(|day| (1..=31).contains(&day));
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let shaped =
        text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'T' | b'.' | b'Z' | b':' | b'+'));
    if shaped && digits >= 6 && (text.starts_with("20") || text.starts_with("19")) {
        return true;
    }
    if of_digits(text) {
        // Seconds or milliseconds from 2001 to 2033; `20112026`.
        let epoch = matches!(text.len(), 10 | 13) && text.starts_with('1');
        return epoch || (text.len() == 8 && is_year(&text[4..]) && is_day(&text[..2]) && is_day(&text[2..4]));
    }
    // The name of a month stands for itself, also between digits.
    let lower = text.to_ascii_lowercase();
    let written = MONTHS.iter().find_map(|month| {
        let (before, after) = lower.split_once(month)?;
        Some((
            before.trim_end_matches(['-', '_', '.']).to_owned(),
            after.trim_start_matches(['-', '_', '.']).to_owned(),
        ))
    });
    // What may follow is a time or a number, not the ending of a name.
    let goes_on =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.' | b't' | b'z'));
    let begins_with_year = |text: &str| {
        text.get(..4).is_some_and(is_year)
            && !text[4..].starts_with(|c: char| c.is_ascii_digit())
            && goes_on(&text[4..])
    };
    if let Some((before, after)) = written {
        let day_first = is_day(&before) && begins_with_year(&after);
        return day_first || (is_year(&before) && after.get(..2).is_some_and(is_day));
    }
    let groups: Vec<&str> = text.split(['-', '_', '.']).collect();
    matches!(groups.as_slice(), [day, month, year, rest @ ..]
        if is_day(day) && is_day(month) && is_year(year) && rest.iter().all(|group| of_digits(group)))
}

/// Whether one of two files of a folder is a rotation of the other one, or both of a third that is there, too.
pub(super) fn are_rotations(one: &Path, other: &Path) -> bool {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (first, second) = (name(one), name(other));
    if is_rotation(&first, &second) || is_rotation(&second, &first) {
        return true;
    }
    let family = family(one);
    family == self::family(other)
        && (one.with_file_name(&family).exists() || !(is_numbered(&first, &family) || is_numbered(&second, &family)))
}

/// Whether a name has only a number more than its family's, as Winston and replicas write it: `api2.log`.
fn is_numbered(name: &str, family: &str) -> bool {
    appended_number(name, family).is_some()
}

/// Whether the names of two files differ in nothing but numbers: `api1.log`, `api2.log`, `web-01.log`.
pub(super) fn differ_in_number(one: &Path, other: &Path) -> bool {
    let bare = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let letters = name.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty());
        letters.map(str::to_owned).collect::<Vec<_>>()
    };
    one.file_name() != other.file_name() && bare(one) == bare(other)
}

/// The name that a file and its rotations share: `combined.log` for `combined.log.2.gz` (logrotate), `combined3.log`
/// (Winston), `combined-2026-11-20.log` and `combined.log-20261120` (dates).
pub(super) fn family(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut name = name.as_ref();
    for suffix in COMPRESSED.iter().chain(&[".old", ".bak"]) {
        name = name.strip_suffix(suffix).unwrap_or(name);
    }
    if is_multilog(name) {
        return CURRENT.to_owned();
    }
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // `app.log.2026-11-20`: the whole date goes.
    let mut marks = name.match_indices(['.', '-', '_']).map(|(at, _)| at).filter(|at| *at > 0);
    if let Some(at) = marks.find(|at| is_date(&name[at + 1..])) {
        name = &name[..at];
    }
    // `app.log20261120`: no mark stands between.
    if let Some((at, _)) = name.rmatch_indices(".log20").next().filter(|(at, _)| is_date(&name[at + 4..])) {
        name = &name[..at + 4];
    }
    if let Some((head, tail)) = name.rsplit_once(['.', '-', '_'])
        && (number(tail) && name.as_bytes()[head.len()] == b'.' || name.contains(".log-") && number(tail))
        && !head.is_empty()
    {
        name = head;
    }
    let Some((stem, extension)) = name.rsplit_once('.') else { return name.to_owned() };
    let mut bare = stem;
    for mark in ['-', '.', '_'] {
        // `app-2026-11-20.log`: the whole date goes, with the mark in front of it.
        let starts = stem.match_indices(mark).map(|(at, _)| at);
        if let Some(at) = starts.filter(|at| is_date(&stem[at + 1..])).min() {
            bare = bare[..at.min(bare.len())].trim_end_matches('_');
        }
    }
    // `app.0001.log`: NLog fills its numbers up.
    if let Some((before, tail)) = bare.rsplit_once('.')
        && tail.len() == 4
        && tail.starts_with('0')
        && number(tail)
    {
        bare = before;
    }
    let unnumbered = bare.trim_end_matches(|c: char| c.is_ascii_digit());
    // `node-1.log` is a file of its own; `combined1.log` is Winston's rotation of `combined.log`.
    if !unnumbered.is_empty() && !unnumbered.ends_with(['-', '_', '.']) {
        bare = unnumbered;
    }
    if bare.is_empty() {
        bare = stem;
    }
    format!("{bare}.{extension}")
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
            "combined.log.2026-11-20",
            "combined.log.20-11-2026",
            "combined.log.20Nov2026",
            "combined.log.1795132800",
            "combined.log.1000",
            "combined-11-20-2026-1.log.gz",
            "combined-20-Nov-2026.log",
            "combined.log20261120",
            "combined.log2026-11-20",
            "combined__2026-11-20_00-00-00.log",
            "combined.log.2026-11-20T00:00:00Z",
            "combined.0001.log",
        ] {
            assert_eq!(family(Path::new(name)), "combined.log", "{name}");
        }
        for (name, its_family) in [
            ("node-1.log", "node-1.log"),
            ("node-2.log.1.gz", "node-2.log"),
            ("syslog.1", "syslog"),
            ("app.2026-11-20.log.xz", "app.log"),
        ] {
            assert_eq!(family(Path::new(name)), its_family, "{name}");
        }
        assert_eq!(family(Path::new("error.log")), "error.log");
        assert_eq!(family(Path::new("2026.log")), "2026.log");
    }

    #[test]
    fn only_rotations_are_taken_along() {
        for name in [
            "a.log.1",
            "a.log.2.gz",
            "a.log-20261120",
            "a-2026-11-20.log",
            "a.2026-11-20.log.xz",
            "a1.log",
            "a.log.old",
            "a.log.zst",
            "a.log.1000",
            "a.log.20-11-2026",
            "a.log.11-20-2026",
            "a.log.20Nov2026",
            "a.log.2026Nov20",
            "a.log.20112026",
            "a.log.1795132800",
            "a-11-20-2026-1.log.gz",
            "a.20-Nov-2026.log",
            "a.log20261120",
            "a.log2026-11-20",
            "a__2026-11-20_00-00-00.log",
            "a.log.2026-11-20T00:00:00Z",
            "a.0001.log",
        ] {
            assert!(is_rotation(name, "a.log"), "{name}");
        }
        for name in [
            "a.log",
            "b.log",
            "a-1.log",
            "ab.log",
            "a-worker.log",
            "a.log.txt",
            "a.logs",
            "a-error.log",
            "a.log.mayor",
            "a-1-2-3.log",
            "a.log.123456",
            "a-40-12-2026.log",
            "a.log2",
            "a.1001.log",
        ] {
            assert!(!is_rotation(name, "a.log"), "{name}");
        }
        assert!(is_rotation("@4000000065537ad50b2f0a1c.s", "current"));
        assert!(!is_rotation("@4000000065537ad5.s", "current"));
        for (name, of) in [("node-2.log", "node-1.log"), ("node-11.log", "node-1.log"), ("api2.log", "api1.log")] {
            assert!(!is_rotation(name, of), "{name}");
        }
    }

    #[test]
    fn a_number_of_its_own_is_no_rotation() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in
            ["pay.log", "pay1.log", "pay2.log", "pay34.log", "old7.log", "old8.log", "g.log", "g2.log", "g3.log"]
        {
            std::fs::write(folder.path().join(name), "").expect("written");
        }
        let taken = |name: &str| {
            let mut found = BTreeSet::new();
            siblings(&folder.path().join(name), &mut found);
            found.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect::<Vec<_>>()
        };
        assert_eq!(taken("pay.log"), ["pay1.log", "pay2.log"]);
        assert_eq!(taken("old.log"), ["old7.log", "old8.log"]);
        assert_eq!(taken("g.log"), [""; 0]);
    }

    #[test]
    fn names_of_logs() {
        for name in [
            "syslog",
            "messages",
            "error_log",
            "access_log",
            "app.log",
            "syslog.1",
            "ssl_access_log-20261120",
            "auth.log",
            "x.jsonl",
            "mail.err",
            "kern.log.2.gz",
            "app.log.2026-11-20",
            "app.log.20Nov2026",
            "@4000000065537ad50b2f0a1c.s",
        ] {
            assert!(is_log(Path::new(name)), "{name}");
        }
        for name in ["settings.yml", "app.bin", "wtmp", "README.md", "core", "x.db"] {
            assert!(!is_log(Path::new(name)), "{name}");
        }
    }
}
