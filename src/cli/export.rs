//! `crosstail export`: history into a file, in constant memory. The same command resumes after an interruption.

use super::args::ExportArgs;
use super::ending::Ending;
use super::output::{chosen, print_error, progress as bar_of_time};
use super::{UsageError, exit, sources};
use crate::config::Overrides;
use crate::runtime::{MergedHistory, Sources, Work, payloads_of};
use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use crosstail_core::filter::Context;
use crosstail_core::model::{Names, Timestamp, redact_text};
use crosstail_core::number::saturating_u64;
use crosstail_export::file::{ExportRow, Exported, FileFormat, FileSink, LinesSink, part_path, publish, sibling};
use crosstail_export::{IncidentEntry, SqliteArchive};
use crosstail_source::{Cursor, PageQuery};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Activities per page of a source.
const PAGE: usize = 1000;
/// Activities per step: an interruption loses at most this many, and memory holds this many.
const STEP: usize = 5_000;

/// How far an export is: the content of `FILE.resume`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Progress {
    /// What is exported. A command that exports anything else does not resume it.
    what: Value,
    /// When it started, in microseconds: relative times such as `-15m` count from here.
    begun: i64,
    since: Option<i64>,
    until: i64,
    rows: u64,
    /// Start of the first activity.
    first: Option<i64>,
    after: Option<Cursor>,
    /// The mark of the output file, as its sink defines it.
    mark: Option<Value>,
}

pub(super) async fn run(args: &ExportArgs, choice: &Overrides) -> Result<u8> {
    let path = args.output.as_path();
    let form = FileFormat::of(path).ok_or_else(|| UsageError(unknown_form(path)))?;
    let exported = exported(args, form)?;
    ensure!(args.force || !path.exists(), UsageError(format!("{} exists; --force overwrites it", path.display())));
    let config = super::configuration(choice)?;
    let (filter, mut context) = sources::filter(&args.filter, &args.source, &config)?;
    let (since, until) = sources::range(&args.range, &context)?;
    let opened = sources::open_args(&args.source, &config).await?;
    let complete = opened.exit_code(&[]);
    // A file without the half of it would look whole.
    ensure!(complete == exit::OK, "nothing was exported: every named source has to be there");
    let sources: Vec<String> =
        opened.configs.iter().flat_map(|c| &c.at).map(|at| redact_text(at).into_owned()).collect();
    let what = json!({
        "filter": filter.text(), "sources": sources, "schema": args.source.schema, "zone": context.zone.name(),
        "since": args.range.since, "until": args.range.until, "payloads": args.payloads, "fields": args.fields,
    });
    let progress_path = sibling(path, "resume");
    let before = if args.restart { None } else { unfinished(path, &progress_path, &what)? };
    let mut progress = match before {
        Some(known) => {
            context.now = Timestamp(known.begun);
            print_error(&format!("resuming after {} activities", known.rows));
            known
        }
        None => Progress {
            what,
            begun: context.now.0,
            since: since.map(|at| at.0),
            // A fixed end: activities written from now on would move it.
            until: until.unwrap_or(context.now).0,
            rows: 0,
            first: None,
            after: None,
            mark: None,
        },
    };
    let mut sink = sink(path, form, &exported, &opened.names, &progress).await?;
    let query = PageQuery {
        filter,
        context: Context { ..context },
        since: progress.since.map(Timestamp),
        until: Some(Timestamp(progress.until)),
        newest_first: false,
        limit: PAGE,
    };
    let all: Sources = opened.sources.clone().into();
    let work = opened.work("export");
    let mut joined = MergedHistory::new(&opened.sources, &work, &opened.names, query).after(progress.after.clone());
    let (began, resumed) = (Instant::now(), progress.rows);
    let bar = bar_of_time();
    let mut ending = Ending::listen();
    let mut step: Vec<crosstail_core::model::Activity> = Vec::with_capacity(STEP);
    loop {
        let next = tokio::select! {
            biased;
            () = ending.asked() => {
                bar.finish_and_clear();
                let rows = progress.rows;
                print_error(&format!("interrupted after {rows} activities; run the same command again to resume"));
                return Ok(exit::INTERRUPTED);
            }
            next = joined.next() => next?,
        };
        let ended = next.is_none();
        progress.first =
            progress.first.or(next.as_ref().map(|activity: &crosstail_core::model::Activity| activity.started_at.0));
        step.extend(next);
        if step.len() < STEP && !ended {
            continue;
        }
        progress.after = step.last().map(Cursor::after).or(progress.after);
        progress.rows += step.len() as u64;
        let exported = with_payloads(&all, &work, std::mem::take(&mut step), exported.needs_payload()).await;
        let stopped = || format!("{}: cannot go on; run the same command again to resume", part_path(path).display());
        progress.mark = Some(sink.step(exported).await.with_context(stopped)?);
        save(&progress_path, &progress)?;
        // Progress by time: the number of activities is not known in advance.
        if let (Some(first), Some(last)) = (progress.first, &progress.after) {
            let (done, all) = (last.at().0 - first, progress.until - first);
            bar.set_position(saturating_u64((done.saturating_mul(1000) / all.max(1)).clamp(0, 1000)));
            let rate = (progress.rows - resumed) as f64 / began.elapsed().as_secs_f64().max(1e-9);
            bar.set_message(format!("{} activities, {rate:.0} a second", progress.rows));
        }
        if ended {
            break;
        }
    }
    sink.finish().await?;
    std::fs::remove_file(&progress_path).with_context(|| progress_path.display().to_string())?;
    bar.finish_and_clear();
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    let rate = (progress.rows - resumed) as f64 / began.elapsed().as_secs_f64().max(1e-9);
    print_error(&format!(
        "{}: {} activities, {bytes} bytes, up to {}, {rate:.0} a second",
        path.display(),
        progress.rows,
        Timestamp(progress.until).rfc3339(),
    ));
    Ok(exit::OK)
}

/// What of each activity is exported.
fn exported(args: &ExportArgs, form: FileFormat) -> Result<Exported> {
    let exported = Exported { columns: chosen(&args.fields)?, payloads: args.payloads };
    ensure!(
        !exported.columns.is_chosen() || form != FileFormat::Sqlite,
        UsageError(
            "--fields: a .sqlite file has every column; choose among them in SQL, or write .csv, .ndjson or .parquet"
                .to_owned()
        )
    );
    Ok(exported)
}

/// How far an interrupted export to this file is; an error where it exported something else.
fn unfinished(path: &Path, progress_path: &Path, what: &Value) -> Result<Option<Progress>> {
    let Ok(bytes) = std::fs::read(progress_path) else { return Ok(None) };
    let known: Progress = serde_json::from_slice(&bytes)
        .with_context(|| format!("{}: cannot be read; --restart starts over", progress_path.display()))?;
    if known.what != *what {
        bail!(UsageError(format!(
            "{} is an unfinished export of something else: {}; --restart starts over",
            part_path(path).display(),
            differences(&known.what, what)
        )));
    }
    Ok(Some(known))
}

/// What an unfinished export and this command do not have in common, for people.
fn differences(before: &Value, now: &Value) -> String {
    let text = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => "none".to_owned(),
        Value::String(text) => format!("'{text}'"),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    let keys = now.as_object().into_iter().flatten().map(|(name, _)| name);
    let differing = keys.filter(|name| before[name.as_str()] != now[name.as_str()]);
    let each =
        |name: &String| format!("{name} was {}, is now {}", text(&before[name.as_str()]), text(&now[name.as_str()]));
    differing.map(each).collect::<Vec<_>>().join("; ")
}

/// What to write instead of a file whose format is not known.
fn unknown_form(path: &Path) -> String {
    let text = path.display().to_string();
    if text == "-" {
        return "--output names a file; crosstail query --limit 0 --sort time -o csv (or json) writes to stdout"
            .to_owned();
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let tool = match ending.as_str() {
        "gz" => "gzip",
        "zst" => "zstd",
        ending => {
            let hint = if ending == "json" { "; .ndjson has one JSON object on each line" } else { "" };
            return format!("--output: the file's extension must be .csv, .ndjson, .parquet or .sqlite{hint}");
        }
    };
    let plain = path.with_extension("");
    let form = if FileFormat::of(&plain) == Some(FileFormat::Csv) { "csv" } else { "json" };
    format!(
        "--output: an export is not compressed, so that it can be resumed; write {}, or crosstail query --limit 0 \
         --sort time -o {form} … | {tool} > {text}",
        plain.display()
    )
}

/// Pairs each activity with its payload, if payloads are wanted.
async fn with_payloads(
    sources: &Sources,
    work: &Work,
    activities: Vec<crosstail_core::model::Activity>,
    wanted: bool,
) -> Vec<ExportRow> {
    if !wanted {
        return activities.into_iter().map(|activity| (activity, None)).collect();
    }
    let mut rows = Vec::with_capacity(activities.len());
    for (activity, payload, problems) in payloads_of(sources, work, activities).await {
        for problem in problems {
            print_error(&problem.to_string());
        }
        rows.push((activity, Some(payload)));
    }
    rows
}

/// Writes the progress.
fn save(path: &Path, progress: &Progress) -> Result<()> {
    crate::config::write_private(path, &serde_json::to_vec(progress)?)
}

async fn sink(
    path: &Path,
    form: FileFormat,
    exported: &Exported,
    names: &Names,
    progress: &Progress,
) -> Result<Box<dyn FileSink>> {
    let mark = progress.mark.as_ref();
    Ok(match form {
        FileFormat::Csv | FileFormat::Ndjson => {
            Box::new(LinesSink::open(path, form == FileFormat::Csv, exported, names, mark)?)
        }
        #[cfg(feature = "parquet")]
        FileFormat::Parquet => Box::new(crosstail_export::file::ParquetSink::open(path, exported, names, mark)?),
        #[cfg(not(feature = "parquet"))]
        FileFormat::Parquet => bail!("this build cannot write Parquet; build with `--features full`"),
        FileFormat::Sqlite => {
            let rows = mark.and_then(|mark| mark["rows"].as_u64()).unwrap_or(0);
            let archive = SqliteArchive::open(&part_path(path), rows).await?;
            Box::new(SqliteSink { archive, path: path.to_owned(), names: names.clone() })
        }
    })
}

/// crosstail's own table.
struct SqliteSink {
    archive: SqliteArchive,
    path: PathBuf,
    names: Names,
}

#[async_trait]
impl FileSink for SqliteSink {
    async fn step(&mut self, activities: Vec<ExportRow>) -> Result<Value> {
        let keep = |(activity, payload): ExportRow| IncidentEntry {
            places: activity.places.iter().map(|place| place.label(&self.names)).collect(),
            activity,
            payload: payload.unwrap_or_default(),
            note: String::new(),
            marked: false,
        };
        let kept: Vec<IncidentEntry> = activities.into_iter().map(keep).collect();
        Ok(json!({ "rows": self.archive.append(&kept).await? }))
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let (part, whole) = (part_path(&self.path), sibling(&self.path, "whole"));
        self.archive.finish(&whole).await?;
        publish(&whole, &self.path)?;
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", part.display()));
        }
        Ok(())
    }
}
