//! Exports activities to a file in steps. Each step is durable, and an interrupted export resumes after the last one.
//! An unfinished file never looks complete: it gets its final name at the end.

mod lines;
#[cfg(feature = "parquet")]
mod parquet;

pub use lines::LinesSink;
#[cfg(feature = "parquet")]
pub use parquet::ParquetSink;

use super::{Columns, spreadsheet_cell};
use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use crosstail_core::model::{Activity, Names, Payload, redact_json, redact_text};
use rustix::fs::OFlags;
use serde_json::{Map, Value};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file format, recognised by the extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Comma-separated values, RFC 4180.
    Csv,
    /// One JSON object per line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
    /// crosstail's own table in a `SQLite` database.
    Sqlite,
}

impl FileFormat {
    /// The format of a path; `None` where the extension is unknown.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "parquet" => Some(Self::Parquet),
            "sqlite" | "db" => Some(Self::Sqlite),
            _ => None,
        }
    }
}

/// An exported activity, with its payload if requested.
pub type ExportRow = (Activity, Option<Payload>);

/// A file that activities are exported to.
#[async_trait]
pub trait FileSink: Send {
    /// Writes activities durably; returns the mark from which the export can resume.
    async fn step(&mut self, activities: Vec<ExportRow>) -> anyhow::Result<Value>;

    /// Completes the file and gives it its final name.
    async fn finish(self: Box<Self>) -> anyhow::Result<()>;
}

/// The path of the unfinished file.
pub fn part_path(path: &Path) -> PathBuf {
    sibling(path, "part")
}

/// Opens an unfinished file to write, or creates it. The program chose its name, so somebody may have put a link there, which is not
/// followed.
///
/// # Errors
/// It cannot be opened, or it is a link, a pipe or a device.
pub fn open_part(part: &Path) -> anyhow::Result<File> {
    let open = || {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let opened = File::options().create(true).truncate(false).write(true).read(true).custom_flags(flags).open(part);
        let is_link = part.symlink_metadata().is_ok_and(|about| about.is_symlink());
        ensure!(!is_link, "it is a symbolic link");
        let file = opened?;
        ensure!(file.metadata()?.is_file(), "it is no regular file");
        Ok(file)
    };
    open().with_context(|| part.display().to_string())
}

/// The path with `ending` appended to its name.
pub fn sibling(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!("{name}.{ending}"))
}

/// Gives an unfinished file its final name, durably.
pub fn publish(part: &Path, path: &Path) -> anyhow::Result<()> {
    std::fs::rename(part, path).with_context(|| path.display().to_string())?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| folder.display().to_string())
}

/// What of each activity is exported.
#[derive(Debug, Clone, Default)]
pub struct Exported {
    pub columns: Columns,
    /// Headers, bodies, stack and metadata, too.
    pub payloads: bool,
}

const PAYLOAD: [&str; 6] =
    ["request_headers", "request_body", "response_headers", "response_body", "error_stack", "metadata"];

impl Exported {
    /// The names of the columns, in order.
    pub fn names(&self) -> Vec<String> {
        let payload = PAYLOAD.iter().filter(|_| self.payloads).map(|name| (*name).to_owned());
        self.columns.names().iter().cloned().chain(payload).collect()
    }

    /// Whether payloads have to be loaded.
    pub fn needs_payload(&self) -> bool {
        self.payloads || self.columns.needs_payload()
    }

    /// An activity as an object with these columns, with secrets redacted.
    fn row(&self, (activity, payload): &ExportRow, names: &Names) -> anyhow::Result<Map<String, Value>> {
        let mut row = self.columns.row(activity, payload.as_ref(), names)?;
        if let Some(payload) = payload.as_ref().filter(|_| self.payloads) {
            let headers = |headers: &Option<Value>| headers.as_ref().map_or(Value::Null, redact_json);
            let sides = [&payload.request, &payload.response].map(|side| {
                (headers(&side.headers), side.body.as_ref().map_or(Value::Null, |body| redact_json(body.value())))
            });
            let [(request_headers, request_body), (response_headers, response_body)] = sides;
            let stack = payload.error.stack.as_deref();
            let stack = stack.map_or(Value::Null, |stack| redact_text(stack).into_owned().into());
            let metadata = redact_json(&Value::Object(payload.metadata.clone()));
            let values = [request_headers, request_body, response_headers, response_body, stack, metadata];
            row.extend(PAYLOAD.iter().map(|name| (*name).to_owned()).zip(values));
        }
        Ok(row)
    }
}

/// A value as text for a cell; an object becomes JSON.
fn cell(value: &Value) -> String {
    match value {
        Value::Object(_) => spreadsheet_cell(&Value::String(value.to_string())),
        other => spreadsheet_cell(other),
    }
}
