//! Files that the program keeps for itself: its user's alone, whole after a crash, and never written through a link that
//! somebody else has put there.

use anyhow::{Context as _, ensure};
use rustix::fs::OFlags;
use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Creates what is missing of a folder. What is there keeps its permissions.
///
/// # Errors
/// It cannot be created.
pub fn private_folder(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| path.display().to_string())
}

/// Opens a file to add to, or creates it for its user alone.
///
/// # Errors
/// It cannot be opened, or it is a link, a pipe or a device that somebody has put in its place: nothing is written there.
pub fn append_private(path: &Path) -> anyhow::Result<File> {
    let open = || {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let opened = File::options().append(true).create(true).mode(0o600).custom_flags(flags).open(path);
        ensure!(!is_link(&opened), "it is a symbolic link");
        let file = opened?;
        ensure!(file.metadata()?.is_file(), "it is no regular file");
        Ok(file)
    };
    open().with_context(|| path.display().to_string())
}

/// Opens a file that the user has named to add to. It may be a pipe or a terminal, by a link of the system, too
/// (`/dev/stderr`); a link to a regular file may be somebody else's, and is not followed.
///
/// # Errors
/// It cannot be opened, or nobody reads the pipe.
pub fn append_named(path: &Path) -> anyhow::Result<File> {
    let open = |more: OFlags| {
        let flags = (more | OFlags::NONBLOCK).bits().cast_signed();
        File::options().append(true).create(true).mode(0o600).custom_flags(flags).open(path)
    };
    let mut opened = open(OFlags::NOFOLLOW);
    if is_link(&opened) {
        let is_of_system = path.starts_with("/dev") || path.starts_with("/proc");
        ensure!(is_of_system || path.metadata().is_ok_and(|target| !target.is_file()), "it is a symbolic link");
        opened = open(OFlags::empty());
    }
    let file = opened?;
    // Only opening must not wait.
    rustix::fs::fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file)
}

fn is_link(opened: &std::io::Result<File>) -> bool {
    let code = opened.as_ref().err().and_then(std::io::Error::raw_os_error);
    code == Some(rustix::io::Errno::LOOP.raw_os_error())
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

    #[test]
    fn nothing_is_added_through_a_link_or_to_what_is_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "mine").expect("written");
        let path = folder.path().join("list.ndjson");
        symlink(&victim, &path).expect("a link");
        for opened in [append_private(&path), append_named(&path)] {
            assert!(format!("{:#}", opened.expect_err("a link")).contains("symbolic link"));
        }
        assert_eq!(std::fs::read_to_string(&victim).expect("read"), "mine");
        std::fs::remove_file(&path).expect("removed");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).expect("a pipe");
        // Nobody reads it: opening would wait for ever.
        assert!(append_private(&path).is_err() && append_named(&path).is_err());
        let flags = (OFlags::NONBLOCK | OFlags::RDONLY).bits().cast_signed();
        let mut reader = File::options().read(true).custom_flags(flags).open(&path).expect("a reader");
        assert!(format!("{:#}", append_private(&path).expect_err("a pipe")).contains("no regular file"));
        append_named(&path).expect("somebody reads it").write_all(b"a line").expect("written");
        let mut read = [0; 6];
        std::io::Read::read_exact(&mut reader, &mut read).expect("read");
        assert_eq!(&read, b"a line");
        std::fs::remove_file(&path).expect("removed");
        append_private(&path).expect("new").write_all(b"a").expect("written");
        append_private(&path).expect("there").write_all(b"b").expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "ab");
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&path.metadata().expect("there")) & 0o777, 0o600);
        append_named(Path::new("/dev/stderr")).expect("a link of the system");
    }
}
