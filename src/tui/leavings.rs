//! What goes with the process, however it ends.
//!
//! Where the main loop does not end in time, or a thread of the terminal panics, the process ends where it is: nothing is dropped, and
//! what its owners would have removed would stay. So what is on disk is also known here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

static ALL: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// How often something is removed: who still writes into a folder makes a file anew between the look and the removal.
const TRIES: usize = 50;
/// How long is waited in between.
const REST: Duration = Duration::from_millis(5);

/// A file, or a folder with what is in it. It is removed when this is dropped, or with the process.
#[derive(Debug)]
pub struct Leaving(PathBuf);

impl Leaving {
    /// Takes what is there along.
    pub fn new(path: PathBuf) -> Self {
        all().push(path.clone());
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        remove(&self.0);
        all().retain(|other| *other != self.0);
    }
}

fn all() -> MutexGuard<'static, Vec<PathBuf>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes everything, before the process ends without dropping anything.
pub fn remove_all() {
    let paths = std::mem::take(&mut *all());
    for path in paths {
        remove(&path);
    }
}

fn remove(path: &Path) {
    for _ in 0..TRIES {
        // Of a link, the link.
        let Ok(found) = path.symlink_metadata() else { return };
        let removed = if found.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        if removed.is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            std::thread::park_timeout(REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn what_is_left_goes_although_it_is_written() {
        let root = tempfile::tempdir().expect("a folder");
        let (dropped, ended) = (root.path().join("dropped"), root.path().join("ended"));
        for folder in [&dropped, &ended] {
            std::fs::create_dir(folder).expect("made");
        }
        let file = root.path().join("one.txt");
        std::fs::write(&file, "text").expect("written");
        let is_over = Arc::new(AtomicBool::new(false));
        let writer = {
            let (is_over, folders) = (Arc::clone(&is_over), [dropped.clone(), ended.clone()]);
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Acquire) {
                    for (folder, n) in folders.iter().zip(0..) {
                        // The same few names, as a store has for its journal.
                        let _ = std::fs::write(folder.join(format!("journal-{n}")), "text");
                    }
                }
            })
        };
        let leaving = Leaving::new(dropped.clone());
        assert_eq!(leaving.path(), dropped);
        drop(leaving);
        assert!(!dropped.exists());
        let (_folder, _file) = (Leaving::new(ended.clone()), Leaving::new(file.clone()));
        remove_all();
        assert!(!ended.exists() && !file.exists());
        is_over.store(true, Ordering::Release);
        writer.join().expect("joined");
        assert!(!dropped.exists() && !ended.exists(), "nothing is made anew");
    }
}
