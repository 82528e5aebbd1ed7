//! Where what is printed or received is kept, so that payloads open and scrolling back works: files that only the user may
//! read, in a folder that goes with the source, and never more than a limit.

use super::arrivals::Arrivals;
use crate::origin::stable_hash;
use crosstail_core::model::Clock;
use crosstail_core::number::saturating_u64;
use rustix::fs::OFlags;
use std::collections::{HashMap, VecDeque};
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much one source keeps, in bytes, and in what pieces the oldest is given up.
const LIMIT: u64 = 512 << 20;
const SEGMENT: u64 = 16 << 20;
/// Files that are held open to be written: a source may have hundreds of streams, and a process has a thousand files.
const HANDLES: usize = 32;
/// Held while a folder is in use.
const LOCK: &str = ".lock";
/// How the names of folders begin that are held, or left behind.
const RUN: &str = "run-";
/// The longest name of a folder, in bytes.
const NAME_BYTES: usize = 80;

/// The files of one source.
pub struct Spool {
    folder: PathBuf,
    _lock: File,
    limit: u64,
    /// Whether what comes now is new: what was there before is older than its arrival.
    is_live: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// When the lines of each file came.
    arrivals: HashMap<PathBuf, Arc<Arrivals>>,
    /// Files that are complete, the oldest first.
    complete: VecDeque<(PathBuf, u64)>,
    /// The file of each folder that is written.
    open: HashMap<PathBuf, Open>,
    /// Counts what was written, in any of them.
    writes: u64,
    bytes: u64,
    /// All that was ever written.
    written: u64,
    given_up: u64,
    folders: HashMap<PathBuf, Folder>,
}

/// The files of one stream.
#[derive(Default)]
struct Folder {
    /// The name under which they are shown.
    shown: String,
    /// How many there were, whoever wrote them.
    files: u32,
}

impl Spool {
    /// A folder that nobody else can read. Those that a killed process left behind are removed.
    pub(crate) fn create() -> io::Result<Self> {
        let root = root()?;
        sweep(&root);
        let private = Permissions::from_mode(0o700);
        let new = tempfile::Builder::new().prefix(".new-").permissions(private).tempdir_in(&root)?;
        let lock = create(&new.path().join(LOCK))?;
        lock.try_lock().map_err(io::Error::from)?;
        // Under its name only once it is held: another process removes what is not.
        let own = new.path().file_name().unwrap_or_default().to_string_lossy().replace(".new-", RUN);
        let folder = root.join(own);
        std::fs::rename(new.path(), &folder)?;
        let _ = new.keep();
        Ok(Self { folder, _lock: lock, limit: LIMIT, is_live: AtomicBool::new(false), kept: Mutex::default() })
    }

    /// What comes from now on is new.
    pub(crate) fn go_live(&self) {
        self.is_live.store(true, Ordering::Relaxed);
    }

    /// When the lines of a file came.
    pub(crate) fn arrivals(&self, path: &Path) -> Arc<Arrivals> {
        let mut kept = self.kept();
        Arc::clone(kept.arrivals.entry(path.to_owned()).or_default())
    }

    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The name under which a file is shown.
    pub(crate) fn name_of(&self, path: &Path) -> String {
        let kept = self.kept();
        let found = path.parent().and_then(|folder| kept.folders.get(folder));
        found.map_or_else(|| path.display().to_string(), |folder| folder.shown.clone())
    }

    /// What writes a stream: `key` tells it from others in every run, `shown` is its name for people.
    pub fn writer(self: &Arc<Self>, key: &str, shown: &str) -> io::Result<Writer> {
        let folder = self.path().join(harmless(key));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let mut kept = self.kept();
        shown.clone_into(&mut kept.folders.entry(folder.clone()).or_default().shown);
        // Whoever writes to a folder anew begins a file of its own.
        kept.close(&folder);
        drop(kept);
        Ok(Writer { spool: Arc::clone(self), folder })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes were ever written.
    pub(crate) fn written(&self) -> u64 {
        self.kept().written
    }

    /// How many bytes were given up for lack of room.
    pub(crate) fn given_up(&self) -> u64 {
        self.kept().given_up
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Kept {
    /// Counts bytes that were written to the file of a folder. Gives up the oldest files where that is too much: those that are
    /// complete, then the one that was written longest ago.
    fn count(&mut self, bytes: u64, limit: u64, folder: &Path) {
        self.bytes += bytes;
        self.written += bytes;
        while self.bytes > limit {
            if self.complete.is_empty() {
                let others = self.open.iter().filter(|(other, _)| other.as_path() != folder);
                let Some(oldest) = others.min_by_key(|(_, open)| open.written).map(|(folder, _)| folder.clone()) else {
                    return;
                };
                self.close(&oldest);
            }
            let Some((path, length)) = self.complete.pop_front() else { return };
            if std::fs::remove_file(&path).is_ok() {
                self.given_up += length;
            }
            self.arrivals.remove(&path);
            self.bytes = self.bytes.saturating_sub(length);
        }
    }

    /// The file of a folder is complete.
    fn close(&mut self, folder: &Path) {
        if let Some(Open { path, length, .. }) = self.open.remove(folder) {
            self.complete.push_back((path, length));
        }
    }

    /// The path of the next file of a folder.
    fn next(&mut self, folder: &Path, ending: &str) -> PathBuf {
        let files = &mut self.folders.entry(folder.to_owned()).or_default().files;
        *files += 1;
        folder.join(format!("{files:06}{ending}"))
    }

    /// Lets go of the handles of the files that were written longest ago.
    fn spare_handles(&mut self) {
        let mut held: Vec<(u64, &mut Open)> =
            self.open.values_mut().filter(|open| open.file.is_some()).map(|open| (open.written, open)).collect();
        let over = held.len().saturating_sub(HANDLES);
        held.sort_unstable_by_key(|(written, _)| *written);
        held.into_iter().take(over).for_each(|(_, open)| open.file = None);
    }
}

/// Writes the lines of one stream.
pub struct Writer {
    spool: Arc<Spool>,
    folder: PathBuf,
}

/// A file that is written.
struct Open {
    /// Its handle, unless too many are held.
    file: Option<File>,
    path: PathBuf,
    length: u64,
    arrivals: Arc<Arrivals>,
    /// Which write was the last one.
    written: u64,
}

impl Writer {
    /// Writes bytes. A file ends at the end of a line.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = self.spool.kept().open.get(&self.folder).map_or(0, |open| open.length);
        let room = SEGMENT.saturating_sub(length);
        let end = if saturating_u64(bytes.len()) < room { None } else { memchr::memrchr(b'\n', bytes) };
        let Some(end) = end else { return self.append(bytes) };
        let (own, next) = bytes.split_at(end + 1);
        self.append(own)?;
        self.begin_anew();
        self.append(next)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut kept = self.spool.kept();
        kept.writes += 1;
        let written = kept.writes;
        let mut open = None;
        if let Some(mut known) = kept.open.remove(&self.folder) {
            match known.hold() {
                Ok(()) => open = Some(known),
                // Somebody has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    kept.bytes = kept.bytes.saturating_sub(known.length);
                }
                Err(error) => {
                    kept.open.insert(self.folder.clone(), known);
                    return Err(error);
                }
            }
        }
        if open.is_none() {
            let path = kept.next(&self.folder, ".log");
            let file = Some(create(&path)?);
            let arrivals = Arc::clone(kept.arrivals.entry(path.clone()).or_default());
            open = Some(Open { file, path, length: 0, arrivals, written });
        }
        let Some(Open { file: Some(file), path, length, arrivals, .. }) = open else { return Ok(()) };
        if self.spool.is_live.load(Ordering::Relaxed) {
            arrivals.note(length, Clock::system().now());
        }
        if let Err(error) = (&file).write_all(bytes) {
            // On a full disk a part of it may be there. Whoever tries again writes all of it, into another file.
            let _ = file.set_len(length);
            kept.complete.push_back((path, length));
            return Err(error);
        }
        let added = saturating_u64(bytes.len());
        let open = Open { file: Some(file), path, length: length + added, arrivals, written };
        kept.open.insert(self.folder.clone(), open);
        kept.spare_handles();
        kept.count(added, self.spool.limit, &self.folder);
        Ok(())
    }

    /// Begins a new file: what follows does not continue what was written.
    pub fn begin_anew(&mut self) {
        self.spool.kept().close(&self.folder);
    }

    /// Adds a file that is whole, compressed perhaps.
    pub fn add_whole(&mut self, ending: &str, bytes: &[u8]) -> io::Result<()> {
        // Hidden until it is complete: it is not read in parts.
        let hidden = self.folder.join(".part");
        create(&hidden)?.write_all(bytes)?;
        let mut kept = self.spool.kept();
        let path = kept.next(&self.folder, ending);
        std::fs::rename(&hidden, &path)?;
        let length = saturating_u64(bytes.len());
        kept.complete.push_back((path, length));
        kept.count(length, self.spool.limit, &self.folder);
        Ok(())
    }
}

impl Open {
    /// Gets its handle again.
    fn hold(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            let flags = OFlags::NOFOLLOW.bits().cast_signed();
            self.file = Some(File::options().append(true).custom_flags(flags).open(&self.path)?);
        }
        Ok(())
    }
}

/// Creates a file that only the user can read, never through a link.
fn create(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    File::options().write(true).create_new(true).mode(0o600).custom_flags(flags).open(path)
}

/// The folder of all spools: the user's alone, and no link.
fn root() -> io::Result<PathBuf> {
    let cache = etcetera::choose_base_strategy().ok().map(|base| etcetera::BaseStrategy::cache_dir(&base));
    let parent = cache.unwrap_or_else(std::env::temp_dir).join("crosstail");
    DirBuilder::new().recursive(true).mode(0o700).create(&parent)?;
    // The folder, or the link to where its user wants it.
    if parent.symlink_metadata()?.uid() != rustix::process::geteuid().as_raw() {
        let why = format!("{}: belongs to another user", parent.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    let root = parent.join("spool");
    match DirBuilder::new().mode(0o700).create(&root) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed();
    let problem = |what: &str| io::Error::new(io::ErrorKind::PermissionDenied, format!("{}: {what}", root.display()));
    let handle = File::options()
        .read(true)
        .custom_flags(flags)
        .open(&root)
        .map_err(|error| problem(&format!("{error}; it has to be a folder and no link")))?;
    let meta = handle.metadata()?;
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(problem("belongs to another user"));
    }
    if meta.mode() & 0o077 != 0 {
        handle.set_permissions(Permissions::from_mode(0o700))?;
    }
    Ok(root)
}

/// Removes the folders of processes that have ended without doing so.
fn sweep(root: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(RUN) {
            continue;
        }
        // One whose process ended while it was removed may have no lock any more.
        if File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_err()) {
            continue;
        }
        let _ = std::fs::remove_dir_all(entry.path());
    }
}

/// A name as that of a folder, whoever chose it: other names give other folders.
fn harmless(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let safe: String = name.chars().map(|c| if plain(c) { c } else { '_' }).take(NAME_BYTES).collect();
    if safe == name { safe } else { format!("{safe}-{:016x}", stable_hash(&[name.as_bytes()])) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(limit: u64) -> Arc<Spool> {
        let folder = tempfile::tempdir().expect("a folder").keep();
        let lock = create(&folder.join(LOCK)).expect("made");
        Arc::new(Spool { folder, _lock: lock, limit, is_live: AtomicBool::new(true), kept: Mutex::default() })
    }

    #[test]
    fn only_the_user_reads_it_and_no_link_is_followed() {
        let spool = spool(LIMIT);
        let mut writer = spool.writer("../../etc/passwd\n", "x").expect("made");
        writer.write(b"one\n").expect("written");
        let folder = std::fs::read_dir(spool.path()).expect("read").flatten().find(|e| e.path().is_dir());
        let folder = folder.expect("inside").path();
        assert_eq!(std::fs::metadata(&folder).expect("there").mode() & 0o777, 0o700);
        let file = folder.join("000001.log");
        assert_eq!(std::fs::metadata(&file).expect("there").mode() & 0o777, 0o600);
        assert_eq!(spool.name_of(&file), "x");
        std::os::unix::fs::symlink("/dev/null", folder.join("000002.log")).expect("linked");
        writer.begin_anew();
        assert!(writer.write(b"two\n").is_err());
        assert_ne!(harmless("a/b"), harmless("a_b"));
        assert_ne!(harmless("a/b"), harmless("a:b"));
    }

    #[test]
    fn a_stream_that_is_written_again_goes_on_in_a_file_of_its_own() {
        let spool = spool(LIMIT);
        for line in ["one\n", "two\n"] {
            spool.writer("x", "x").expect("made").write(line.as_bytes()).expect("written");
        }
        assert_eq!(std::fs::read_to_string(spool.path().join("x/000002.log")).expect("there"), "two\n");
    }

    #[test]
    fn it_keeps_no_more_than_its_limit() {
        let spool = spool(3 * SEGMENT);
        let mut writer = spool.writer("x", "x").expect("made");
        let line = vec![b'\n'; 1 << 20];
        for _ in 0..80 {
            writer.write(&line).expect("written");
        }
        let files = std::fs::read_dir(spool.path().join("x")).expect("read").flatten();
        let bytes: u64 = files.map(|file| file.metadata().expect("there").len()).sum();
        assert!((2 * SEGMENT..=3 * SEGMENT).contains(&bytes), "{bytes}");
        assert_eq!(spool.given_up() + bytes, 80 << 20);
    }

    fn bytes_in(folder: &Path) -> u64 {
        let entries = std::fs::read_dir(folder).expect("read").flatten();
        entries
            .map(
                |entry| {
                    if entry.path().is_dir() { bytes_in(&entry.path()) } else { entry.metadata().expect("there").len() }
                },
            )
            .sum()
    }

    #[test]
    fn its_limit_is_that_of_all_streams_together() {
        // Sixty streams, none of which has a file that is full.
        let spool = spool(SEGMENT);
        let mut writers: Vec<Writer> = (0..60).map(|n| spool.writer(&format!("x{n}"), "x").expect("made")).collect();
        for round in 0..12 {
            for (n, writer) in writers.iter_mut().enumerate() {
                writer.write(format!("{round} {n} {}\n", "x".repeat(100_000)).as_bytes()).expect("written");
            }
            assert!(bytes_in(spool.path()) <= SEGMENT, "round {round}");
        }
        let kept = bytes_in(spool.path());
        assert!(kept > SEGMENT / 2, "{kept}");
        assert_eq!(spool.given_up() + kept, spool.written());
        // What was written last is there, of each stream that wrote in the last round.
        let last = spool.path().join("x59");
        let newest = std::fs::read_dir(last).expect("read").flatten().map(|file| file.path()).max().expect("a file");
        assert!(std::fs::read_to_string(newest).expect("read").contains("11 59 x"));
    }

    #[test]
    fn few_files_are_held_open_and_each_stream_goes_on_in_its_own() {
        let spool = spool(LIMIT);
        let mut writers: Vec<Writer> = (0..200).map(|n| spool.writer(&format!("x{n}"), "x").expect("made")).collect();
        for round in 0..3 {
            for writer in &mut writers {
                writer.write(format!("line {round}\n").as_bytes()).expect("written");
            }
            let held = spool.kept().open.values().filter(|open| open.file.is_some()).count();
            assert!(held <= HANDLES, "{held}");
        }
        for n in 0..200 {
            let text = std::fs::read_to_string(spool.path().join(format!("x{n}/000001.log"))).expect("read");
            assert_eq!(text, "line 0\nline 1\nline 2\n");
        }
        // One that somebody removed begins again.
        std::fs::remove_file(spool.path().join("x0/000001.log")).expect("removed");
        writers[0].write(b"line 3\n").expect("written");
        assert_eq!(std::fs::read_to_string(spool.path().join("x0/000002.log")).expect("read"), "line 3\n");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_in_use_is_not() {
        let root = tempfile::tempdir().expect("a folder");
        let run = |name: &str| {
            std::fs::create_dir(root.path().join(name)).expect("made");
            create(&root.path().join(name).join(LOCK)).expect("made")
        };
        let held = run("run-held");
        held.try_lock().expect("held");
        drop(run("run-left"));
        std::fs::create_dir(root.path().join("run-half")).expect("made");
        std::fs::create_dir(root.path().join(".new-one")).expect("made");
        sweep(root.path());
        let left = ["run-held", "run-left", "run-half", ".new-one"].map(|name| root.path().join(name).exists());
        assert_eq!(left, [true, false, false, true]);
    }
}
