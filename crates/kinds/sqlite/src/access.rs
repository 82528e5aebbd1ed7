//! How a file is opened so that nothing is created beside it.
//!
//! A file with a write-ahead log has two more files beside it while somebody writes: the log and its index. SQLite creates
//! them for readers, too, and refuses to read where it may not. So a file that nobody writes at present is opened as
//! immutable; once a writer comes, it is opened again, as a shared one.
//!
//! ```text
//! -wal        -shm     opened
//! there       there    shared: a writer, or one that crashed, has made both
//! none/empty  any      frozen: everything is in the file
//! there       none     not at all: a log without its index is a copy, and reading it would create the index
//! ```

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a log without its index is given to go.
const CLOSING: Duration = Duration::from_millis(500);

/// Which file it is, whatever its name: device and inode. Another one may be renamed over it.
pub(super) type FileId = (u64, u64);

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) file: FileId,
    /// Size and time of the last change of a file that is opened as one that does not change; `None`: with locks, beside
    /// writers.
    frozen: Option<(u64, (i64, i64))>,
}

impl Access {
    /// How to open the file, once that is settled: a writer that closes the file removes the index, then the log, so a
    /// log without its index is a copy only if it stays one.
    pub(super) async fn settled(path: &Path) -> std::io::Result<Self> {
        let until = tokio::time::Instant::now() + CLOSING;
        loop {
            match Self::of(path) {
                Err(error)
                    if error.kind() == std::io::ErrorKind::ResourceBusy && tokio::time::Instant::now() < until =>
                {
                    tokio::time::sleep(CLOSING / 20).await;
                }
                settled => return settled,
            }
        }
    }

    /// How to open the file at present. An error of the kind `ResourceBusy`: a log has no index.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        // The files beside it have the name of the file itself, not that of a link to it.
        let path = std::fs::canonicalize(path)?;
        let about = std::fs::metadata(&path)?;
        let file = (about.dev(), about.ino());
        let mut head = [0; 20];
        let is_logged = match std::fs::File::open(&path)?.read_exact(&mut head) {
            // Read or written with a log: <https://sqlite.org/fileformat.html>, 1.3.3.
            Ok(()) => head[18] == 2 || head[19] == 2,
            Err(_) => false,
        };
        if !is_logged {
            return Ok(Self { file, frozen: None });
        }
        let beside = |ending: &str| {
            let mut name = path.clone().into_os_string();
            name.push(ending);
            std::fs::metadata(PathBuf::from(name)).ok()
        };
        let log = beside("-wal").map(|log| log.len());
        match (log, beside("-shm").is_some()) {
            (Some(_), true) => Ok(Self { file, frozen: None }),
            (None | Some(0), _) => Ok(Self { file, frozen: Some((about.len(), (about.mtime(), about.mtime_nsec()))) }),
            (Some(_), false) => Err(std::io::Error::new(
                std::io::ErrorKind::ResourceBusy,
                format!(
                    "{}-wal has changes that are not in the file, and no index; reading them would create a file beside \
                     it: open a copy of both with sqlite3 once",
                    path.display()
                ),
            )),
        }
    }
}

impl Access {
    /// Whether the file is opened as one that does not change.
    pub(super) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of a file with a write-ahead log.
    fn logged(folder: &Path) -> PathBuf {
        let path = folder.join("a.sqlite");
        let mut head = [0; 100];
        (head[18], head[19]) = (2, 2);
        std::fs::write(&path, head).expect("written");
        std::fs::write(folder.join("a.sqlite-wal"), [0; 32]).expect("written");
        path
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_whose_writer_is_closing_it_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = logged(folder.path());
        let closing = async {
            tokio::time::sleep(CLOSING / 4).await;
            std::fs::remove_file(folder.path().join("a.sqlite-wal")).expect("removed");
        };
        let (access, ()) = tokio::join!(Access::settled(&path), closing);
        assert!(access.expect("settled").is_frozen());
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_stays_without_its_index_is_a_copy() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Access::settled(&logged(folder.path())).await.expect_err("refused");
        assert!(error.to_string().contains("a.sqlite-wal has changes"), "{error}");
    }
}
