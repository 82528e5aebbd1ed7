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
    /// How to open the file at present.
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
            (Some(_), false) => Err(std::io::Error::other(format!(
                "{}-wal has changes that are not in the file, and no index; reading them would create a file beside it: \
                 open a copy of both with sqlite3 once",
                path.display()
            ))),
        }
    }
}

impl Access {
    /// Whether the file is opened as one that does not change.
    pub(super) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }
}
