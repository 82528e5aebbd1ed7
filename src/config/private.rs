//! Files that the program keeps for itself: its user's alone, whole after a crash, and never written through a link that
//! somebody else has put there.

use anyhow::Context as _;
use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Creates what is missing of a folder. What is there keeps its permissions.
///
/// # Errors
/// It cannot be created.
pub fn private_folder(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| path.display().to_string())
}

/// Writes a file in an existing folder atomically: after a crash it has the old content or the new.
///
/// # Errors
/// It cannot be written; the old content stays.
pub fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        // Under a name that nobody knows beforehand, readable by its user alone.
        let mut file = tempfile::Builder::new().prefix(".crosstail-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn what_is_kept_is_its_users_alone_and_follows_no_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("a/b");
        private_folder(&deep).expect("made");
        let mode = |path: &Path| path.symlink_metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&deep), mode(&folder.path().join("a"))), (0o700, 0o700));
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "mine").expect("written");
        let path = deep.join("state.json");
        symlink(&victim, &path).expect("a link");
        write_private(&path, b"{}").expect("written");
        assert_eq!(std::fs::read_to_string(&victim).expect("read"), "mine");
        assert_eq!((std::fs::read(&path).expect("read"), mode(&path)), (b"{}".to_vec(), 0o600));
    }
}
