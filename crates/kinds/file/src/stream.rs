//! One open file: its identity, its length and the decoder of its lines.

use super::decode::{Decoder, LineOrigin, stable_hash};
use super::{FileContext, discover};
use crosstail_core::model::Timestamp;
use crosstail_core::number::saturating_usize;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Bytes that the fingerprint covers at most.
const FINGERPRINT_BYTES: usize = 1024;
/// Bytes read to recognise the schema.
const HEAD_BYTES: usize = 64 * 1024;

/// A file of the source, opened for reading.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) compressed: bool,
    /// Fingerprint: hash of its family's name and its first line. `None` until that line is complete.
    pub(super) fingerprint: Option<u64>,
    pub(super) origin: LineOrigin,
    pub(super) decoder: Arc<Decoder>,
    /// Length in bytes when it was opened; for a compressed file the compressed length.
    pub(super) length: u64,
    pub(super) modified: SystemTime,
    pub(super) device_inode: (u64, u64),
}

impl Stream {
    /// Opens a file; `None` where the path is not a regular file.
    pub(super) fn open(shared: &FileContext, path: &Path) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Ok(None);
        }
        let compressed = path.extension().is_some_and(|extension| extension == "gz");
        let family = stable_hash(&[discover::family(path).as_bytes()]);
        let label = path.file_name().unwrap_or_default().to_string_lossy();
        let origin = LineOrigin { source: shared.id, file: shared.names.place(&label), fingerprint: 0, family };
        let mut stream = Self {
            path: path.to_owned(),
            file,
            compressed,
            fingerprint: None,
            origin,
            decoder: Arc::new(Decoder::empty()),
            length: meta.len(),
            modified: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            device_inode: (meta.dev(), meta.ino()),
        };
        stream.identify(shared)?;
        Ok(Some(stream))
    }

    /// Reads the beginning again and updates the fingerprint and the schema.
    pub(super) fn identify(&mut self, shared: &FileContext) -> io::Result<()> {
        let head = self.head()?;
        self.fingerprint = fingerprint(self.origin.family, &head);
        self.origin.fingerprint = self.fingerprint.unwrap_or(0);
        self.decoder = shared.recogniser.decoder(&head);
        Ok(())
    }

    /// The fingerprint of the present content.
    pub(super) fn fingerprint_now(&self) -> io::Result<Option<u64>> {
        Ok(fingerprint(self.origin.family, &self.head()?))
    }

    fn head(&self) -> io::Result<Vec<u8>> {
        let mut head = vec![0; HEAD_BYTES];
        let mut filled = 0;
        if self.compressed {
            let mut reader = self.decompress()?;
            while filled < head.len() {
                match reader.read(&mut head[filled..])? {
                    0 => break,
                    n => filled += n,
                }
            }
        } else {
            while filled < head.len() {
                match self.file.read_at(&mut head[filled..], filled as u64)? {
                    0 => break,
                    n => filled += n,
                }
            }
        }
        head.truncate(filled);
        Ok(head)
    }

    /// When the file was last written: the time of lines that have none.
    pub(super) fn written_at(&self) -> Timestamp {
        Timestamp(chrono::DateTime::<chrono::Utc>::from(self.modified).timestamp_micros())
    }

    /// A reader of the uncompressed bytes, from the beginning.
    pub(super) fn decompress(&self) -> io::Result<MultiGzDecoder<io::BufReader<File>>> {
        let mut file = File::open(&self.path).or_else(|_| self.file.try_clone())?;
        file.seek(SeekFrom::Start(0))?;
        Ok(MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, file)))
    }

    /// The offset after the last newline before `end`.
    pub(super) fn last_newline(&self, end: u64) -> io::Result<u64> {
        let mut buffer = vec![0; 64 * 1024];
        let mut upto = end;
        while upto > 0 {
            let from = upto.saturating_sub(buffer.len() as u64);
            let slice = &mut buffer[..saturating_usize(upto - from)];
            self.file.read_exact_at(slice, from)?;
            if let Some(found) = memchr::memrchr(b'\n', slice) {
                return Ok(from + found as u64 + 1);
            }
            upto = from;
        }
        Ok(0)
    }

    /// The line that starts at `offset`.
    pub(super) fn line_at(&self, offset: u64, length: u32) -> io::Result<Vec<u8>> {
        if self.compressed {
            let mut reader = self.decompress()?;
            io::copy(&mut (&mut reader).take(offset), &mut io::sink())?;
            let mut line = Vec::new();
            reader.take(u64::from(length)).read_to_end(&mut line)?;
            return Ok(line);
        }
        let mut line = vec![0; length as usize];
        self.file.read_exact_at(&mut line, offset)?;
        Ok(line)
    }
}

/// Hash of the beginning up to the end of the first line that looks dated (eight digits), so that files with the same
/// banner differ; at most [`FINGERPRINT_BYTES`].
fn fingerprint(family: u64, head: &[u8]) -> Option<u64> {
    let head = &head[..head.len().min(FINGERPRINT_BYTES)];
    let mut end = None;
    let mut start = 0;
    while let Some(found) = memchr::memchr(b'\n', &head[start..]) {
        let line = &head[start..start + found];
        end = Some(start + found);
        start += found + 1;
        if line.iter().filter(|b| b.is_ascii_digit()).count() >= 8 {
            break;
        }
        end = None;
    }
    let end = end.or((head.len() >= FINGERPRINT_BYTES).then_some(FINGERPRINT_BYTES)).or((start > 0).then_some(start))?;
    Some(stable_hash(&[&family.to_le_bytes(), &head[..end]]))
}
