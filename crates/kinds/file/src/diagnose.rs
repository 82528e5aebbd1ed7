//! What `doctor` checks in files: rotation, age, and whether crosstail could write them.

use super::FileContext;
use super::decode::{Before, read};
use super::packed::Packing;
use super::stream::Stream;
use crosstail_formats::{Form, Frames, Shape};
use std::collections::BTreeMap;
use crosstail_core::model::{Diagnosis, RETENTION_DAYS, Timestamp, Unit};
use crosstail_core::number::saturating_u64;
use crosstail_source::SourceError;
use std::time::{Duration, SystemTime};

/// A larger file should have been rotated, in bytes.
const LARGE: u64 = 1 << 30;
/// A log in use is not quiet for longer than this.
const QUIET: Duration = Duration::from_hours(1);

pub(super) fn diagnose(shared: &FileContext, now: Timestamp) -> Result<Vec<Diagnosis>, SourceError> {
    let streams = shared.streams()?;
    let mut diagnoses = Vec::new();
    if streams.is_empty() {
        let text = "no file exists yet; one that appears later will be read";
        diagnoses.push(Diagnosis::problem(
            "address",
            text,
            "check the path or the pattern, and that you may read the directory",
        ));
        return Ok(diagnoses);
    }
    let bytes: u64 = streams.iter().map(|stream| stream.length).sum();
    let zipped = streams.iter().filter(|stream| stream.packing == Packing::Compressed).count();
    let count = streams.len();
    diagnoses.push(Diagnosis::ok(
        "volume",
        format!("{count} files, {}, {zipped} of them compressed", Unit::Bytes.text(bytes as f64)),
    ));
    let writable: Vec<String> = streams
        .iter()
        .filter(|stream| rustix::fs::access(&stream.path, rustix::fs::Access::WRITE_OK).is_ok())
        .map(|stream| stream.path.display().to_string())
        .collect();
    diagnoses.push(match writable.first() {
        None => Diagnosis::ok("permissions", "the files are readable and not writable"),
        Some(_) if rustix::process::geteuid().is_root() => Diagnosis::warning(
            "permissions",
            "you are root, who may write everything",
            "run crosstail as a user in the group that may read the logs, for example adm",
        ),
        Some(first) => Diagnosis::note(
            "permissions",
            format!("you may write {} of the files ({first} …); crosstail never does", writable.len()),
        ),
    });
    let system = SystemTime::UNIX_EPOCH + Duration::from_micros(saturating_u64(now.0));
    let age = |modified: SystemTime| system.duration_since(modified).unwrap_or_default();
    if let Some(newest) = streams.first() {
        let quiet = age(newest.modified);
        let name = newest.path.display();
        let since = Unit::Seconds.text(quiet.as_secs_f64());
        diagnoses.push(if quiet > QUIET {
            Diagnosis::note("live", format!("nothing has been written for {since}; the newest file is {name}"))
        } else {
            Diagnosis::ok("live", format!("{name} was last written {since} ago"))
        });
    }
    for stream in streams.iter().filter(|stream| stream.packing != Packing::Compressed && stream.length > LARGE) {
        let path = stream.path.display();
        let size = Unit::Bytes.text(stream.length as f64);
        let remedy = format!(
            "rotate it, for example with logrotate: {path} {{ daily rotate 52 compress delaycompress missingok }}"
        );
        diagnoses.push(Diagnosis::warning("rotation", format!("{path} is {size} and is not rotated"), remedy));
    }
    let old = streams.iter().filter(|stream| age(stream.modified).as_secs() > RETENTION_DAYS as u64 * 86_400).count();
    diagnoses.push(if old > 0 {
        Diagnosis::note("retention", format!("{old} files are older than {RETENTION_DAYS} days"))
    } else {
        Diagnosis::ok("retention", format!("no file is older than {RETENTION_DAYS} days"))
    });
    Ok(diagnoses)
}

/// The format that most records at the beginning of a file have.
pub(super) fn main_format(stream: &Stream) -> String {
    if stream.reader.shape() == Shape::Table {
        return stream.reader.name_of(Form::Table).to_owned();
    }
    let mut counts: BTreeMap<Form, usize> = BTreeMap::new();
    let head = stream.head().unwrap_or_default();
    let mut frames = Frames::default();
    let mut before = Before::nothing(stream);
    let mut found = Vec::new();
    let mut count = |offset, frame: &[u8]| {
        found.clear();
        read(stream, offset, frame, &mut before, None, &mut found);
        for one in &found {
            *counts.entry(one.form).or_default() += 1;
        }
    };
    frames.push(&stream.reader, &head[..head.len().min(SAMPLE_BYTES)], &mut count);
    frames.finish(&stream.reader, &mut count);
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or_else(|| "empty".to_owned(), |(form, _)| stream.reader.name_of(form).to_owned())
}

/// How much of a file tells its main format, in bytes.
const SAMPLE_BYTES: usize = 16 * 1024;
