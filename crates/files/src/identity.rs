//! Which files are the same: copies are known by their content, never by their first line or their name alone.

use super::origin::stable_hash;
use super::stream::Stream;
use super::{FileContext, discover};
use std::io::Read as _;

/// How much of two files is compared, in bytes.
const COMPARED: u64 = 1 << 20;
/// Complete lines that two files of unrelated names must share, to the end of the shorter one, to be copies.
const SHARED_LINES: usize = 2;
/// The same of files that may be of replicas, which say the same when they start: names that differ only in a number, or a
/// file in another folder that goes on where the other one ends.
const REPLICA_LINES: usize = 50;
/// How much at the end of a file is searched for the failures of another one, in bytes.
const SEARCHED: u64 = 8 << 20;

/// Removes copies, the shorter ones, and tells apart files that only begin alike.
pub(super) fn settle(shared: &FileContext, streams: &mut Vec<Stream>) {
    if shared.spooled.is_none() {
        mark_failure_logs(streams);
    }
    let mut kept: Vec<Stream> = Vec::new();
    // The longest first, so that what is removed is a part of what stays; equal ones by name, so that every run agrees.
    streams.sort_by(|a, b| b.length.cmp(&a.length).then_with(|| a.path.cmp(&b.path)));
    streams.sort_by_key(|stream| stream.packing.is_sequential());
    for mut stream in streams.drain(..) {
        if kept.iter().any(|other| is_copy(shared, &stream, other)) {
            continue;
        }
        if collides(&stream, &kept) {
            stream.tell_by_path();
        }
        if collides(&stream, &kept) {
            let name = stream.path.as_os_str().as_encoded_bytes();
            stream.fingerprint = stream.fingerprint.map(|print| stable_hash(&[&print.to_le_bytes(), name]));
            stream.origin.fingerprint = stream.fingerprint.unwrap_or(0);
        }
        kept.push(stream);
    }
    *streams = kept;
}

/// Whether another file that is no copy has the same fingerprint.
pub(super) fn collides(stream: &Stream, others: &[Stream]) -> bool {
    stream.fingerprint.is_some() && others.iter().any(|other| other.fingerprint == stream.fingerprint)
}

/// Whether a file holds nothing that another one does not hold in the same order.
pub(super) fn is_copy(shared: &FileContext, stream: &Stream, other: &Stream) -> bool {
    if stream.device_inode == other.device_inode {
        return true;
    }
    if stream.origin.has_copies && other.origin.has_copies {
        return false;
    }
    let folder = |stream: &Stream| stream.path.parent().map(std::path::Path::to_owned);
    let together = folder(stream) == folder(other);
    if shared.spooled.is_some() && !together {
        return false;
    }
    let rotated = together && discover::are_rotations(&stream.path, &other.path);
    let (Some(own), Some(others)) = (beginning(stream), beginning(other)) else { return false };
    let length = own.len().min(others.len());
    if length == 0 || own[..length] != others[..length] {
        return false;
    }
    // What names of replicas have, each wrote itself: the beginning that they share is a copy only where it is long.
    let replicas =
        if together { discover::differ_in_number(&stream.path, &other.path) } else { own.len() < others.len() };
    let proof = if replicas { REPLICA_LINES } else { SHARED_LINES };
    rotated || (own.len() <= others.len() && lines(&own[..length]) >= proof)
}

fn beginning(stream: &Stream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = stream.text().ok()?.take(COMPARED).read_to_end(&mut bytes);
    (read.is_ok() || !bytes.is_empty()).then_some(bytes)
}

fn lines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

/// Marks the files whose failures are logged in another file of the folder too, as Winston does it with `error.log` and
/// `combined.log`: every line of the one is a failure and stands in the other, in the same order.
fn mark_failure_logs(streams: &mut [Stream]) {
    let pairs: Vec<(usize, usize)> = (0..streams.len())
        .flat_map(|one| (0..streams.len()).map(move |other| (one, other)))
        .filter(|(one, other)| one != other && logs_failures_of(&streams[*one], &streams[*other]))
        .collect();
    for (one, other) in pairs {
        streams[one].origin.has_copies = true;
        streams[other].origin.has_copies = true;
    }
}

/// Whether the first file holds failures of the second one: by what they hold, or, while one of them is empty, by name.
pub(super) fn logs_failures_of(failures: &Stream, all: &Stream) -> bool {
    if failures.path.parent() != all.path.parent() || failures.packing.is_sequential() || all.packing.is_sequential() {
        return false;
    }
    let (name, other) = (discover::family(&failures.path), discover::family(&all.path));
    if !is_failure_log(&name) || is_failure_log(&other) {
        return false;
    }
    let (Ok(own), Ok(others)) = (failures.head(), ending(all)) else { return false };
    if own.is_empty() || others.is_empty() {
        return true;
    }
    let mut at = 0;
    let mut found = 0;
    let last = ending(failures).unwrap_or_default();
    let complete = last.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    let lines: Vec<&[u8]> =
        last[..complete].split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect();
    for line in lines.iter().rev().take(PROOF_LINES).rev() {
        let Some(here) = memchr::memmem::find(&others[at..], line) else { return false };
        let start = at + here;
        let begins = start == 0 || others[start - 1] == b'\n';
        at = start + line.len();
        found += usize::from(begins && others.get(at).is_none_or(|b| matches!(b, b'\n' | b'\r')));
    }
    found > 0 && found == lines.len().min(PROOF_LINES)
}

/// Lines that prove that one file's failures stand in another one.
const PROOF_LINES: usize = 8;

fn is_failure_log(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("error") || name.starts_with("err") || name.contains("exception")
}

/// The end of a file.
fn ending(stream: &Stream) -> std::io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt as _;
    let length = stream.file.metadata()?.len();
    let from = length.saturating_sub(SEARCHED);
    let mut bytes = vec![0; usize::try_from(length - from).unwrap_or(0)];
    stream.file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}
