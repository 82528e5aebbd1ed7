//! Writes activities to a new SQLite file with crosstail's own table, in steps. An interrupted archive resumes after
//! the last step, and the same activities give the same file, byte for byte.

use super::IncidentEntry;
use super::incident::prepared;
use crosstail_core::number::saturating_i64;
use crosstail_record::SqliteRecorder;
use rayon::prelude::*;
use std::path::Path;

/// An unfinished file.
#[derive(Debug)]
pub struct SqliteArchive {
    recorder: SqliteRecorder,
    rows: u64,
}

impl SqliteArchive {
    /// Starts the file, or resumes after `rows` rows.
    pub async fn open(part: &Path, rows: u64) -> Result<Self, sqlx::Error> {
        if rows == 0 {
            for ending in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{ending}", part.display()));
            }
            // Nobody else has put it there.
            std::fs::File::create_new(part).map_err(sqlx::Error::Io)?;
        }
        if !part.symlink_metadata().map_err(sqlx::Error::Io)?.is_file() {
            let what = format!("{}: it is no regular file", part.display());
            return Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::InvalidInput, what)));
        }
        let mut recorder = SqliteRecorder::open(part).await?;
        // Committed rows survive a crash of the machine.
        recorder.run("PRAGMA synchronous = FULL").await?;
        // Enough memory to be fast, and a fixed limit for archives of any size.
        recorder.run("PRAGMA cache_size = -4000").await?;
        recorder.run("PRAGMA wal_autocheckpoint = 1000").await?;
        recorder.truncate_after(saturating_i64(rows)).await?;
        Ok(Self { recorder, rows })
    }

    /// Adds activities in one transaction; returns the number of rows in the file.
    pub async fn append(&mut self, kept: &[IncidentEntry]) -> Result<u64, sqlx::Error> {
        let rows: Vec<_> = kept.par_iter().map(prepared).collect();
        self.recorder.insert(&rows).await?;
        self.rows += rows.len() as u64;
        Ok(self.rows)
    }

    /// Completes the archive as another file. That rebuilds its pages, so that they do not depend on how it was
    /// written.
    pub async fn finish(mut self, path: &Path) -> Result<(), sqlx::Error> {
        self.recorder.index().await?;
        let _ = std::fs::remove_file(path);
        self.recorder.copy_to(path).await?;
        self.recorder.close().await
    }
}
