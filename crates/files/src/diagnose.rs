//! What `doctor` checks in files: rotation, age, and whether crosstail could write them.

use super::FileContext;
use super::decode::{Before, read};
use super::packed::Packing;
use super::stream::Stream;
use crosstail_core::model::{Diagnosis, RETENTION_DAYS, Timestamp, Unit, redact_text};
use crosstail_core::number::saturating_u64;
use crosstail_formats::{Form, Found, Frames};
use crosstail_source::SourceError;
use std::collections::BTreeMap;
use std::io::Read as _;
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
        "files",
        format!(
            "{count} {}, {}, {zipped} compressed",
            if count == 1 { "file" } else { "files" },
            Unit::Bytes.text(bytes as f64)
        ),
    ));
    diagnoses.extend(formats(&streams));
    diagnoses.extend(shared.problems().into_iter().map(|problem| {
        Diagnosis::warning("reading", problem, "make it readable and whole, or leave it out of the source")
    }));
    diagnoses.extend(shared.selection().into_iter().map(|text| Diagnosis::note("files", text)));
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

/// The records of one form at the beginning of a file.
#[derive(Default)]
struct Seen {
    records: usize,
    /// Those of which hardly anything was read, and one of them.
    unfit: usize,
    example: String,
}

/// Whether a record was read by a format, or by its names and signs so far that it says when, and more than its own text.
fn fits(one: &Found) -> bool {
    let said = &one.activity;
    let message = said.message.as_deref().unwrap_or_default();
    let told = said.url.is_some() || said.error.is_some() || said.operation.is_some();
    match one.form {
        Form::Text(_) => true,
        Form::Json(_) | Form::Table | Form::Logfmt => {
            said.exact_start && (told || !(message.is_empty() || message.starts_with('{')))
        }
        Form::Head => said.level.is_some() || !message.starts_with(['#', '|', ';', ',', '=', '~']),
        Form::Plain | Form::Broken | Form::Empty => false,
    }
}

/// How each record at the beginning of a file was read.
fn forms(stream: &Stream, bytes: u64) -> BTreeMap<Form, Seen> {
    let mut seen: BTreeMap<Form, Seen> = BTreeMap::new();
    let mut before = Before::nothing(stream);
    let mut found = Vec::new();
    let mut count = |offset, frame: &[u8]| {
        found.clear();
        read(stream, offset, frame, &mut before, None, &mut found);
        for one in &found {
            let form = seen.entry(one.form).or_default();
            form.records += 1;
            if fits(one) {
                continue;
            }
            if form.unfit == 0 {
                let line = frame.split(|b| *b == b'\n').next().unwrap_or_default();
                form.example = String::from_utf8_lossy(&line[..line.len().min(EXAMPLE_BYTES)]).into_owned();
            }
            form.unfit += 1;
        }
    };
    let mut frames = Frames::default();
    let mut piece = vec![0; 1 << 16];
    let Ok(text) = stream.text() else { return seen };
    let mut text = text.take(bytes);
    while let Ok(read) = text.read(&mut piece)
        && read > 0
    {
        frames.push(&stream.reader, &piece[..read], &mut count);
    }
    frames.finish(&stream.reader, &mut count);
    seen
}

/// Which formats the files have, how many records each, and what fits none, with an example.
fn formats(streams: &[Stream]) -> Vec<Diagnosis> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut unfit = Vec::new();
    let mut all = 0;
    for stream in streams.iter().take(EXAMINED_FILES) {
        for (form, seen) in forms(stream, EXAMINED_BYTES) {
            *counts.entry(stream.reader.name_of(form).to_owned()).or_default() += seen.records;
            all += seen.records;
            if seen.unfit > 0 {
                unfit.push((seen.unfit, stream.path.display().to_string(), seen.example));
            }
        }
    }
    if all == 0 {
        return vec![Diagnosis::note("formats", "the files hold no record")];
    }
    let mut named: Vec<(String, usize)> = counts.into_iter().collect();
    named.sort_by_key(|(_, records)| std::cmp::Reverse(*records));
    let list: Vec<String> = named.iter().map(|(name, records)| format!("{name} {records}")).collect();
    let mut found = vec![Diagnosis::ok("formats", format!("{all} records examined: {}", list.join(", ")))];
    unfit.sort_by_key(|(records, ..)| std::cmp::Reverse(*records));
    let missed: usize = unfit.iter().map(|(records, ..)| records).sum();
    if missed > 0 {
        let examples: Vec<String> = unfit
            .iter()
            .take(EXAMPLES)
            .map(|(records, path, example)| format!("{path} ({records}): {}", redact_text(example)))
            .collect();
        let text = format!("{missed} of {all} records fit no format, for example {}", examples.join("; "));
        let most = unfit.first().map(|(_, path, _)| path.as_str()).unwrap_or_default();
        found.push(if missed * 10 > all {
            let remedy = format!("write a format for them: crosstail schema draft --from {most} drafts one");
            Diagnosis::warning("formats", text, remedy)
        } else {
            Diagnosis::note("formats", text)
        });
    }
    found
}

/// The format that most records at the beginning of a file have.
pub(super) fn main_format(stream: &Stream) -> String {
    let most = forms(stream, SAMPLE_BYTES).into_iter().max_by_key(|(_, seen)| seen.records);
    most.map_or_else(|| "empty".to_owned(), |(form, _)| stream.reader.name_of(form).to_owned())
}

/// How much of a file tells its main format, in bytes.
const SAMPLE_BYTES: u64 = 16 * 1024;
/// How much is examined, in bytes of each file and in files, and how many examples are shown.
const EXAMINED_BYTES: u64 = 4 << 20;
const EXAMINED_FILES: usize = 100;
const EXAMPLES: usize = 3;
/// How much of a record an example shows, in bytes.
const EXAMPLE_BYTES: usize = 160;
