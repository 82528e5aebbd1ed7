//! The files of an archive, one behind the other, each unpacked by itself.

use super::{Layer, MAGIC_BYTES, peek, unpacked};
use crate::discover;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// More than this of a file that has to be held in memory is not read, in bytes.
const HELD_BYTES: u64 = 1 << 30;

/// Ends each file with a newline, so that the next one begins a line.
#[derive(Default)]
struct Ends {
    /// Whether the last byte given out was something else.
    is_owed: bool,
}

impl Ends {
    fn pay(&mut self, buffer: &mut [u8]) -> bool {
        let owed = std::mem::take(&mut self.is_owed);
        if owed {
            buffer[0] = b'\n';
        }
        owed
    }

    fn note(&mut self, read: &[u8]) {
        self.is_owed = read.last().is_some_and(|b| *b != b'\n');
    }
}

/// Holds a file of an archive whose reader is only lent, and unpacks it.
fn held(mut entry: impl Read) -> io::Result<Box<dyn Read + Send>> {
    let mut bytes = Vec::new();
    let result = entry.by_ref().take(HELD_BYTES).read_to_end(&mut bytes);
    let mut is_longer = || entry.read(&mut [0]).is_ok_and(|read| read > 0);
    let problem = match result {
        Err(error) if bytes.is_empty() => return Err(error),
        Err(error) => Some(error),
        Ok(_) if bytes.len() as u64 == HELD_BYTES && is_longer() => {
            Some(io::Error::other("a file in an archive that is larger than 1 GiB"))
        }
        Ok(_) => None,
    };
    let inner = unpacked(Box::new(io::Cursor::new(bytes)))?;
    Ok(match problem {
        Some(error) => Box::new(inner.chain(Failing(Some(error)))),
        None => inner,
    })
}

/// What could be read comes first, then why it ends.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Reads the logs of a zip archive in the order in which they are stored.
pub(super) struct Zip {
    archive: zip::ZipArchive<BufReader<File>>,
    /// The files that are still to be read, the last one first.
    next: Vec<usize>,
    current: Option<Box<dyn Read + Send>>,
    ends: Ends,
}

impl Zip {
    pub(super) fn of(file: File) -> io::Result<Self> {
        let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(io::Error::other)?;
        let (mut next, _) = chosen(&mut archive);
        next.reverse();
        Ok(Self { archive, next, current: None, ends: Ends::default() })
    }
}

/// The files of an archive that are read, and the names of the others: where some have names of logs, only those.
fn chosen(archive: &mut zip::ZipArchive<BufReader<File>>) -> (Vec<usize>, Vec<String>) {
    let files: Vec<(usize, String)> = (0..archive.len())
        .filter_map(|index| {
            let entry = archive.by_index_raw(index).ok()?;
            // macOS adds a folder of its own.
            let name = entry.name().map_or_else(|_| index.to_string(), std::borrow::Cow::into_owned);
            (entry.is_file() && !name.starts_with("__MACOSX/")).then_some((index, name))
        })
        .collect();
    let is_log = |name: &str| {
        let path = Path::new(name);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        discover::is_log(path) && !matches!(stem.as_str(), "readme" | "license" | "notice" | "manifest")
    };
    let (logs, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, name)| is_log(name));
    let indices = |files: Vec<(usize, String)>| files.into_iter().map(|(index, _)| index).collect();
    if logs.is_empty() {
        return (indices(others), Vec::new());
    }
    (indices(logs), others.into_iter().map(|(_, name)| name).collect())
}

/// The files of a zip archive that are not read because others have names of logs.
pub(crate) fn left_out(path: &Path) -> Vec<String> {
    let archive = File::open(path).ok().and_then(|file| zip::ZipArchive::new(BufReader::new(file)).ok());
    archive.map(|mut archive| chosen(&mut archive).1).unwrap_or_default()
}

impl Read for Zip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(current) = &mut self.current {
                let read = current.read(buffer)?;
                if read > 0 {
                    self.ends.note(&buffer[..read]);
                    return Ok(read);
                }
                self.current = None;
            }
            let Some(index) = self.next.pop() else { return Ok(0) };
            if self.ends.pay(buffer) {
                self.next.push(index);
                return Ok(1);
            }
            let entry = self.archive.by_index(index).map_err(io::Error::other)?;
            self.current = Some(held(entry)?);
        }
    }
}

/// Bytes of a block of tar (POSIX.1-1988, ustar).
const TAR_BLOCK: usize = 512;

/// Reads the regular files of a tar in the order in which they are stored, without going back.
pub(super) struct Tar {
    source: Option<Box<dyn Read + Send>>,
    /// The file that is read, where it is compressed itself.
    inner: Option<Box<dyn Read + Send>>,
    left: u64,
    padding: u64,
    ended: bool,
    ends: Ends,
}

impl Tar {
    pub(super) fn of(source: Box<dyn Read + Send>) -> Self {
        Self { source: Some(source), inner: None, left: 0, padding: 0, ended: false, ends: Ends::default() }
    }

    fn source(&mut self) -> io::Result<&mut Box<dyn Read + Send>> {
        self.source.as_mut().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Reads headers until a regular file begins.
    fn next_file(&mut self) -> io::Result<()> {
        while self.left == 0 && self.inner.is_none() && !self.ended {
            let padding = self.padding;
            io::copy(&mut self.source()?.take(padding), &mut io::sink())?;
            let mut block = [0; TAR_BLOCK];
            let mut filled = 0;
            while filled < TAR_BLOCK {
                match self.source()?.read(&mut block[filled..])? {
                    0 => break,
                    n => filled += n,
                }
            }
            let header = tar::Header::from_byte_slice(&block);
            if filled < TAR_BLOCK || block.iter().all(|b| *b == 0) {
                self.ended = true;
                return Ok(());
            }
            let size = header.entry_size()?;
            self.padding = (TAR_BLOCK as u64 - size % TAR_BLOCK as u64) % TAR_BLOCK as u64;
            if header.entry_type().is_file() {
                self.left = size;
                self.look_inside()?;
            } else {
                io::copy(&mut self.source()?.take(size), &mut io::sink())?;
            }
        }
        Ok(())
    }

    /// Unpacks the file that begins here if it is compressed itself, as old rotations in an archive are.
    fn look_inside(&mut self) -> io::Result<()> {
        let Some(source) = self.source.take() else { return Ok(()) };
        let (head, mut source) = peek(source, MAGIC_BYTES)?;
        let own = head.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if Layer::of(&head[..own]).is_some_and(|layer| !matches!(layer, Layer::Tar | Layer::Zip)) {
            self.inner = Some(held((&mut source).take(self.left))?);
            self.left = 0;
        }
        self.source = Some(source);
        Ok(())
    }
}

impl Read for Tar {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(inner) = &mut self.inner {
                let read = inner.read(buffer)?;
                if read > 0 {
                    self.ends.note(&buffer[..read]);
                    return Ok(read);
                }
                self.inner = None;
            }
            if self.left > 0 {
                let left = self.left;
                let read = self.source()?.take(left).read(buffer)?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.left -= read as u64;
                self.ends.note(&buffer[..read]);
                return Ok(read);
            }
            if self.ends.pay(buffer) {
                return Ok(1);
            }
            self.next_file()?;
            if self.ended {
                return Ok(0);
            }
        }
    }
}
