//! CSV and NDJSON: rows are appended as lines; the mark is the length of the file in bytes.

use super::{ExportRow, Exported, FileSink, cell, open_part, part_path, publish};
use crate::safe_json;
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use crosstail_core::model::Names;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Writes a CSV or NDJSON file in steps.
#[derive(Debug)]
pub struct LinesSink {
    file: File,
    path: PathBuf,
    names: Names,
    exported: Exported,
    /// Whether the format is CSV; otherwise it is NDJSON.
    csv: bool,
    bytes: u64,
}

impl LinesSink {
    /// Starts the file, or resumes after a mark.
    pub fn open(
        path: &Path,
        csv: bool,
        exported: &Exported,
        names: &Names,
        mark: Option<&Value>,
    ) -> anyhow::Result<Self> {
        let part = part_path(path);
        let what = || part.display().to_string();
        let mut file = open_part(&part)?;
        let mut bytes = mark.and_then(|mark| mark["bytes"].as_u64()).unwrap_or(0);
        if file.metadata().with_context(what)?.len() < bytes {
            bail!("{}: the file is shorter than what was exported; start again with --restart", part.display());
        }
        // Everything after the last durable step is written again.
        file.set_len(bytes).with_context(what)?;
        file.seek(SeekFrom::End(0)).with_context(what)?;
        if csv && bytes == 0 {
            let header = text(&exported.names())?;
            file.write_all(&header).with_context(what)?;
            bytes = header.len() as u64;
        }
        Ok(Self { file, path: path.to_owned(), names: names.clone(), exported: exported.clone(), csv, bytes })
    }
}

/// A line of CSV with the line ending of RFC 4180.
fn text<T: AsRef<[u8]>>(cells: &[T]) -> anyhow::Result<Vec<u8>> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    csv.write_record(cells)?;
    Ok(csv.into_inner()?)
}

#[async_trait]
impl FileSink for LinesSink {
    async fn step(&mut self, activities: Vec<ExportRow>) -> anyhow::Result<Value> {
        let one = |exported: &ExportRow| -> anyhow::Result<Vec<u8>> {
            let row = self.exported.row(exported, &self.names)?;
            if self.csv {
                return text(&row.values().map(cell).collect::<Vec<_>>());
            }
            let mut line = safe_json(&row)?.into_bytes();
            line.push(b'\n');
            Ok(line)
        };
        let lines = activities.par_iter().map(one).collect::<anyhow::Result<Vec<_>>>()?;
        let what = || part_path(&self.path).display().to_string();
        for chunk in lines.chunks(1024) {
            self.file.write_all(&chunk.concat()).with_context(what)?;
        }
        self.file.sync_data().with_context(what)?;
        self.bytes += lines.iter().map(|line| line.len() as u64).sum::<u64>();
        Ok(json!({ "bytes": self.bytes }))
    }

    async fn finish(self: Box<Self>) -> anyhow::Result<()> {
        self.file.sync_all()?;
        publish(&part_path(&self.path), &self.path)
    }
}
