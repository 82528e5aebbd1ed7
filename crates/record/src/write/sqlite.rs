//! crosstail's own table in `SQLite`.

use super::Writer;
use crate::{Prepared, SqliteRecorder, Start, Step};
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
    /// Opens the database, and creates its table where it is missing.
    pub async fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { recorder: SqliteRecorder::open(path).await?, rows: 0 })
    }

    async fn insert(&mut self, steps: &[&Step]) -> anyhow::Result<()> {
        // Redacting is most of the work.
        let rows: Vec<Prepared> = steps
            .par_iter()
            .map(|step| match step {
                Step::Start(start) | Step::Complete(start, _) => Prepared::new(Start::clone(start), None),
                Step::Whole(start, outcome) => Prepared::new(Start::clone(start), Some((**outcome).clone())),
            })
            .collect();
        self.recorder.insert(&rows).await?;
        self.rows += rows.len() as u64;
        Ok(())
    }
}

#[async_trait]
impl Writer for SqliteWriter {
    fn takes(&self, _: &Start) -> bool {
        true
    }

    async fn write(&mut self, steps: &[Step]) -> anyhow::Result<()> {
        let mut inserts = Vec::new();
        let mut outcomes = Vec::new();
        for step in steps {
            match step {
                Step::Start(_) | Step::Whole(..) => inserts.push(step),
                Step::Complete(start, outcome) => outcomes.push((&**start, &**outcome)),
            }
        }
        self.insert(&inserts).await?;
        self.recorder.complete_all(&outcomes).await?;
        Ok(())
    }

    fn written(&self) -> Vec<(String, u64)> {
        vec![("activity".to_owned(), self.rows)]
    }

    async fn finish(&mut self) -> anyhow::Result<()> {
        self.recorder.index().await?;
        Ok(self.recorder.checkpoint().await?)
    }
}
