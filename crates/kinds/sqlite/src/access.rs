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

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// With locks, beside writers.
    Shared,
    /// As a file that does not change, with this size and time of the last change.
    Frozen { length: u64, changed: (i64, i64) },
}

impl Access {
    /// How to open the file at present.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        // The files beside it have the name of the file itself, not that of a link to it.
        let path = std::fs::canonicalize(path)?;
        let mut head = [0; 20];
        let is_logged = match std::fs::File::open(&path)?.read_exact(&mut head) {
            // Read or written with a log: <https://sqlite.org/fileformat.html>, 1.3.3.
            Ok(()) => head[18] == 2 || head[19] == 2,
            Err(_) => false,
        };
        if !is_logged {
            return Ok(Self::Shared);
        }
        let beside = |ending: &str| {
            let mut name = path.clone().into_os_string();
            name.push(ending);
            std::fs::metadata(PathBuf::from(name)).ok()
        };
        let log = beside("-wal").map(|log| log.len());
        match (log, beside("-shm").is_some()) {
            (Some(_), true) => Ok(Self::Shared),
            (None | Some(0), _) => {
                let file = std::fs::metadata(&path)?;
                Ok(Self::Frozen { length: file.len(), changed: (file.mtime(), file.mtime_nsec()) })
            }
            (Some(_), false) => Err(std::io::Error::other(format!(
                "{}-wal has changes that are not in the file, and no index; reading them would create a file beside it: \
                 open a copy of both with sqlite3 once",
                path.display()
            ))),
        }
    }
}
