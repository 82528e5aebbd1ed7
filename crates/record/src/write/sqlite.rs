//! crosstail's own table in `SQLite`.

use super::Writer;
use crate::{PreparedRow, SqliteRecorder, Start, WriteStep};
use async_trait::async_trait;
use rayon::prelude::*;
use std::path::Path;

/// Writes into a database file.
#[derive(Debug)]
pub struct SqliteWriter {
    recorder: SqliteRecorder,
    rows: u64,
}

impl SqliteWriter {
    /// Opens the database, and creates file and table where they are missing.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, written, or is no SQLite database.
    pub async fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { recorder: SqliteRecorder::open(path).await?, rows: 0 })
    }

    async fn insert(&mut self, steps: &[&WriteStep]) -> anyhow::Result<()> {
        // Redacting is most of the work.
        let rows: Vec<PreparedRow> = steps
            .par_iter()
            .map(|step| match step {
                WriteStep::Start(start) | WriteStep::Complete(start, _) => PreparedRow::new(Start::clone(start), None),
                WriteStep::Finished(start, outcome) => PreparedRow::new(Start::clone(start), Some((**outcome).clone())),
            })
            .collect();
        self.recorder.insert(&rows).await?;
        self.rows += rows.len() as u64;
        Ok(())
    }
}

#[async_trait]
impl Writer for SqliteWriter {
    fn accepts(&self, _: &Start) -> bool {
        true
    }

    async fn write(&mut self, steps: &[WriteStep]) -> anyhow::Result<()> {
        let mut inserts = Vec::new();
        let mut outcomes = Vec::new();
        for step in steps {
            match step {
                WriteStep::Start(_) | WriteStep::Finished(..) => inserts.push(step),
                WriteStep::Complete(start, outcome) => outcomes.push((&**start, &**outcome)),
            }
        }
        self.insert(&inserts).await?;
        self.recorder.complete_batch(&outcomes).await?;
        Ok(())
    }

    fn written(&self) -> Vec<(String, u64)> {
        vec![("activity".to_owned(), self.rows)]
    }

    async fn finish(&mut self) -> anyhow::Result<()> {
        self.recorder.index().await?;
        Ok(self.recorder.checkpoint().await?)
    }

    /// Without it the process may end before the driver's thread has closed the file, and an empty write-ahead log stays.
    async fn close(self: Box<Self>) -> anyhow::Result<()> {
        Ok(self.recorder.close().await?)
    }
}
